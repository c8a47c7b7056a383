#include <assert.h>

#include "base/buf.h"
#include "base/mem.h"
#include "ipld/block.h"
#include "node/import_priv.h"
#include "unixfs/leaf.h"

/* Where nothing is stored, a block has done its duty once its CID is known. */
static void put(struct import *im, struct block *block)
{
    if (im->storing == NULL)
        block_unref(block);
    else
        storing_put(im->storing, block);
}

static bool is_running(const struct import *im)
{
    return im->state == IMPORT_RUNNING;
}

static void remove_step(struct import *im, struct import_step *s)
{
    list_remove(&s->link);
    im->steps_count--;
}

void import_add_step(struct import *im, struct import_step *s)
{
    list_add_tail(&im->steps, &s->link);
    im->steps_count++;
}

static void tell(struct import *im, struct bytes path,
                 const struct dag_link *link, bool is_root, struct mtime now)
{
    struct import_item item = {
        .path = path,
        .cid = link->cid,
        .bytes = link->file_bytes,
        .is_root = is_root,
    };

    if (is_root) {
        im->roots =
            mem_resize(im->roots, im->roots_count + 1, sizeof(*im->roots));
        im->roots[im->roots_count++] = link->cid;
    }
    im->config.on_item(im->config.user, &item, now);
}

static void fail_entry(struct import *im, enum err err,
                       const struct import_dir *d, size_t index)
{
    struct bytes path = import_path(im, d, index, true);

    if (err == E_MALFORMED)
        import_fail(im, err, ERROR_BAD_NAME, NULL, path);
    else
        import_fail(im, err, ERROR_LIMIT, "a name or link is too long", path);
}

/* The entry @index of @d is complete: @link. */
static void add_entry(struct import_dir *d, size_t index,
                      const struct dag_link *link, struct mtime now)
{
    struct import *im = d->im;
    bool is_top = d->parent == NULL;
    struct bytes path = import_path(im, d, index, false);

    if (!is_top || im->config.wrap) {
        /* The path of an entry of the top is its name. */
        struct bytes name = is_top ? path : bytes_str(d->entries[index].name);
        enum err err = dir_builder_add(&d->builder, name, link);
        if (err != OK) {
            fail_entry(im, err, d, index);
            return;
        }
        d->files_bytes += link->file_bytes;
    }
    tell(im, path, link, is_top && !im->config.wrap, now);
}

static void drain_file(struct import *im)
{
    struct block *block;

    while (file_builder_next(&im->file, &block))
        put(im, block);
}

static void end_file(struct import *im, struct dag_link *ret_link)
{
    file_builder_finish(&im->file, ret_link);
    drain_file(im);
    file_builder_release(&im->file);
    im->in_file = false;
}

/* One leaf more of the file, which has several or may have.  Return: false when
 * it failed. */
static bool add_to_file(struct import *im, const struct dag_link *leaf)
{
    if (!im->in_file)
        file_builder_init(&im->file, &im->config.profile);
    im->in_file = true;
    enum err err = file_builder_leaf(&im->file, leaf);
    if (err != OK) {
        import_fail(im, err, ERROR_LIMIT, "the file is too large", BYTES_EMPTY);
        return false;
    }
    drain_file(im);
    return true;
}

static bool is_same_file(const struct disk_stat *a, const struct disk_stat *b)
{
    return a->mtime_ns == b->mtime_ns && a->size_bytes == b->size_bytes &&
           a->inode == b->inode && a->device == b->device;
}

/* Before the first leaf of a section.  Return: false when it failed. */
static bool check_section(struct import_piece *p,
                          const struct import_section *s)
{
    struct import *im = p->im;
    enum err err = s->err;
    bool changed = s->changed;

    if (s->name == NULL)
        return true;
    if (err == OK && s->is_first)
        im->file_stat = s->stat;
    if (err == OK && !is_same_file(&im->file_stat, &s->stat)) {
        err = E_MISMATCH;
        changed = true;
    }
    if (err == OK)
        return true;
    import_fail_disk(im, err, changed, p->dir, s->index);
    return false;
}

static void make_symlink(struct import_piece *p, const struct import_section *s,
                         struct mtime now)
{
    const struct import_leaf *leaf = &p->leaves[s->leaves_first];
    struct bytes target = {p->buf->data + leaf->at, leaf->file_len};
    struct block *block;
    struct dag_link link;
    enum err err = symlink_block(&p->im->config.profile, target, &block, &link);

    if (err != OK) {
        fail_entry(p->im, err, p->dir, s->index);
        return;
    }
    put(p->im, block);
    p->im->progress.files_done++;
    add_entry(p->dir, s->index, &link, now);
}

static void make_leaf(struct import_piece *p, const struct import_section *s,
                      struct mtime now)
{
    struct import *im = p->im;
    const struct import_leaf *leaf = &p->leaves[p->leaf_next];
    struct bytes bytes = {p->buf->data + leaf->at, leaf->len};
    struct dag_link link =
        leaf_link(&im->config.profile, leaf->digest, leaf->file_len);
    bool ends_file =
        s->is_last && p->leaf_next + 1 == s->leaves_first + s->leaves_count;

    im->progress.bytes_done += leaf->file_len;
    if (im->storing != NULL)
        put(im, block_trust(&link.cid, slice_of(p->buf, bytes)));
    if (s->name == NULL || !s->is_first || s->leaves_count > 1 || !ends_file) {
        if (!add_to_file(im, &link) || !ends_file)
            return;
        end_file(im, &link);
    }
    im->progress.files_done++;
    add_entry(p->dir, s->index, &link, now);
}

/* One leaf of the piece, or its end. */
static void make_piece(struct import_piece *p, struct mtime now)
{
    const struct import_section *s = &p->sections[p->section_next];

    if (p->section_next == p->sections_count) {
        remove_step(p->im, &p->step);
        import_piece_give(p);
        return;
    }
    if (p->leaf_next == s->leaves_first && !check_section(p, s))
        return;
    if (s->kind == DISK_IS_SYMLINK)
        make_symlink(p, s, now);
    else
        make_leaf(p, s, now);
    p->leaf_next++;
    if (p->leaf_next == s->leaves_first + s->leaves_count)
        p->section_next++;
}

static void finish_dir(struct import_dir *d, struct mtime now)
{
    struct import *im = d->im;
    struct import_dir *parent = d->parent;
    struct dag_link link = dir_builder_root(&d->builder);

    remove_step(im, &d->end);
    link.file_bytes = d->files_bytes;
    if (parent == NULL)
        tell(im, BYTES_EMPTY, &link, true, now);
    else
        add_entry(parent, d->index, &link, now);
    import_dir_ended(d);
}

static void fail_sort(struct import_dir *d)
{
    struct import *im = d->im;

    if (d->err == E_EXISTS)
        import_fail(im, d->err, ERROR_EXISTS, "two paths have the same name",
                    dir_builder_duplicate(&d->builder));
    else
        import_fail(im, d->err, ERROR_UNSUPPORTED,
                    "two names of the folder have the same hash",
                    import_path(im, d, d->count, true));
}

/* Return: false when a job or the next turn goes on. */
static bool make_dir(struct import_dir *d, struct mtime now)
{
    struct import *im = d->im;
    struct block *block;

    if (d->made == IMPORT_DIR_SORTING)
        return false;
    if (d->made == IMPORT_DIR_OPEN &&
        d->builder.items_count > IMPORT_DIR_ENTRIES_AT_ONCE) {
        import_dir_sort(d);
        return false;
    }
    if (d->made == IMPORT_DIR_OPEN)
        d->err = dir_builder_finish(&d->builder);
    d->made = IMPORT_DIR_SORTED;
    if (d->err != OK) {
        fail_sort(d);
        return false;
    }
    for (size_t i = 0; i < IMPORT_DIR_BLOCKS_AT_ONCE; i++) {
        if (dir_builder_next(&d->builder, &block) != OK) {
            finish_dir(d, now);
            return true;
        }
        put(im, block);
    }
    im->clock->set(im->clock, &im->kick, now);
    return false;
}

/* The top is a folder with wrap only. */
static bool make_dir_end(struct import_dir *d, struct mtime now)
{
    if (d->parent != NULL || d->im->config.wrap)
        return make_dir(d, now);
    remove_step(d->im, &d->end);
    import_dir_ended(d);
    return true;
}

/* A stream without a name is called by its CID. */
static void make_stream_end(struct import *im, struct mtime now)
{
    struct import_dir *top = im->stream;
    struct dag_link link;

    remove_step(im, &im->stream_end);
    end_file(im, &link);
    if (top->names[0] == '\0') {
        top->names = mem_resize(top->names, CID_TEXT_MAX, 1);
        (void)cid_format(&link.cid, top->names);
        top->entries[0].name = top->names;
    }
    im->is_stream = false;
    im->progress.files_done++;
    import_add_step(im, &top->end);
    add_entry(top, 0, &link, now);
}

bool import_make(struct import *im, struct mtime now)
{
    if (list_empty(&im->steps) || im->paused ||
        (im->storing != NULL && storing_is_full(im->storing)))
        return false;

    struct import_step *s =
        container_of(list_first(&im->steps), struct import_step, link);
    switch (s->kind) {
    case IMPORT_STEP_PIECE: {
        struct import_piece *p = container_of(s, struct import_piece, step);
        if (!p->done)
            return false;
        make_piece(p, now);
        return is_running(im);
    }
    case IMPORT_STEP_DIR_END:
        return make_dir_end(container_of(s, struct import_dir, end), now) &&
               is_running(im);
    case IMPORT_STEP_STREAM_END:
        make_stream_end(im, now);
        return is_running(im);
    }
    return false;
}
