#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "crypto/sha256.h"
#include "node/import_priv.h"
#include "unixfs/leaf.h"
#include "unixfs/unixfs.h"

/*
 * A job opens what it reads itself, by name in the open folder: five system
 * calls for a MiB, and nothing to close later.  That all pieces of a file are
 * of one state of it is seen from what they tell of inode, size and time.
 */

/* Jobs. */

static void hash_leaf(struct import_piece *p, struct import_leaf *leaf)
{
    struct bytes block = {p->buf->data + leaf->at, leaf->len};

    sha256(block, leaf->digest);
}

static enum err read_at(struct import_piece *p, struct disk_file *f,
                        uint64_t offset, size_t at, size_t len)
{
    size_t got = 0;
    enum err err =
        p->disk->read(p->disk, f, offset, p->buf->data + at, len, &got);
    if (err != OK)
        return err;
    return got == len ? OK : E_MISMATCH;
}

/* Where there is nothing around a chunk, all of them are read at once. */
static enum err read_leaves(struct import_piece *p, struct import_section *s,
                            struct disk_file *f)
{
    struct import_leaf *first = &p->leaves[s->leaves_first];
    struct import_leaf *last = first + s->leaves_count - 1;
    uint64_t offset = s->offset;

    if (!p->framed) {
        size_t len = last->at + last->len - first->at;
        return len == 0 ? OK : read_at(p, f, offset, first->at, len);
    }
    for (struct import_leaf *leaf = first; leaf <= last; leaf++) {
        struct leaf_frame frame =
            leaf_frame(&p->im->config.profile, leaf->file_len);
        size_t at = leaf->at + frame.head_len;
        enum err err = leaf->file_len == 0
                           ? OK
                           : read_at(p, f, offset, at, leaf->file_len);
        if (err != OK)
            return err;
        offset += leaf->file_len;
    }
    return OK;
}

static bool same_state(const struct disk_stat *a, const struct disk_stat *b)
{
    return a->size_bytes == b->size_bytes && a->mtime_ns == b->mtime_ns &&
           a->inode == b->inode && a->device == b->device;
}

/* Files of /proc say that they are empty: they can't be taken for that. */
static enum err check_empty(struct import_piece *p, struct disk_file *f)
{
    uint8_t byte;
    size_t got = 0;
    enum err err = p->disk->read(p->disk, f, 0, &byte, 1, &got);

    if (err != OK)
        return err;
    return got == 0 ? OK : E_MISMATCH;
}

static enum err read_open(struct import_piece *p, struct import_section *s,
                          struct disk_file *f)
{
    struct disk_stat before;
    struct disk_stat after;
    enum err err = p->disk->stat_file(p->disk, f, &before);

    if (err != OK)
        return err;
    if (before.kind != DISK_IS_FILE || before.size_bytes != s->stat.size_bytes)
        return E_MISMATCH;
    err = before.size_bytes == 0 ? check_empty(p, f) : read_leaves(p, s, f);
    if (err != OK)
        return err;
    err = p->disk->stat_file(p->disk, f, &after);
    if (err != OK)
        return err;
    s->stat = after;
    return same_state(&before, &after) ? OK : E_MISMATCH;
}

/* Whether @s is still of the kind that was listed: else the disk's refusal has
 * nothing to do with permissions. */
static bool is_other_kind(struct import_piece *p,
                          const struct import_section *s)
{
    struct disk_stat st;
    enum err err = p->disk->stat(p->disk, p->dir->file, s->name, &st);

    return err == OK && st.kind != s->kind;
}

static enum err read_section(struct import_piece *p, struct import_section *s)
{
    struct disk_file *f;
    enum err err = p->disk->open(p->disk, p->dir->file, s->name,
                                 DISK_READ | DISK_NOFOLLOW | DISK_NONBLOCK, &f);

    if (err != OK)
        return err;
    err = read_open(p, s, f);
    p->disk->close(p->disk, f);
    return err;
}

static enum err read_symlink(struct import_piece *p, struct import_section *s)
{
    struct import_leaf *leaf = &p->leaves[s->leaves_first];
    char *dst = (char *)p->buf->data + leaf->at;
    enum err err = p->disk->readlink(p->disk, p->dir->file, s->name, dst,
                                     UNIXFS_SYMLINK_BYTES_MAX + 1);

    if (err == OK)
        leaf->file_len = strlen(dst);
    return err;
}

static enum err run_section(struct import_piece *p, struct import_section *s)
{
    enum err err = OK;

    if (s->kind == DISK_IS_SYMLINK)
        return read_symlink(p, s);
    if (s->name != NULL)
        err = read_section(p, s);
    if (err != OK)
        return err;
    for (size_t i = 0; i < s->leaves_count; i++)
        hash_leaf(p, &p->leaves[s->leaves_first + i]);
    return OK;
}

static void run_piece(struct pool_job *job)
{
    struct import_piece *p = container_of(job, struct import_piece, job);

    for (size_t i = 0; i < p->sections_count; i++) {
        struct import_section *s = &p->sections[i];
        s->err = run_section(p, s);
        if (s->err == OK)
            continue;
        s->changed = s->err == E_MISMATCH ||
                     (s->err == E_REFUSED && is_other_kind(p, s));
        return; /* nobody looks at those behind it */
    }
}

static void on_piece(struct pool_job *job, struct mtime now)
{
    struct import_piece *p = container_of(job, struct import_piece, job);
    struct import *im = p->im;

    p->done = true;
    im->jobs--;
    if (p->dir != NULL)
        import_dir_drop(p->dir);
    if (!import_job_end(im))
        import_piece_give(p);
    import_pump(im, now);
}

/* The loop's side. */

static struct import_piece *new_piece(struct import *im)
{
    struct import_piece *p = mem_alloc(sizeof(*p));

    p->im = im;
    p->disk = im->disk;
    p->buf = buf_new_aligned(im->piece_room, 0);
    p->buf->len = im->piece_room;
    return p;
}

/* The spare that was given first is the likeliest to have been written. */
static struct import_piece *take_spare(struct import *im)
{
    if (im->spares_count == 0)
        return new_piece(im);

    struct import_piece *p =
        container_of(list_first(&im->spares), struct import_piece, step.link);
    size_t others = im->spares_count + im->pieces_used;
    if (p->buf->refs > 1 && others * im->piece_room < IMPORT_MEMORY_MAX)
        return new_piece(im);
    list_remove(&p->step.link);
    im->spares_count--;
    if (p->buf->refs > 1) {
        /* Somebody keeps a block of it for longer. */
        buf_unref(p->buf);
        p->buf = buf_new_aligned(im->piece_room, 0);
        p->buf->len = im->piece_room;
    }
    return p;
}

bool import_piece_has_room(const struct import *im)
{
    size_t unwritten = im->storing == NULL ? 0 : storing_bytes(im->storing);
    size_t used = im->pieces_used * im->piece_room;

    return im->jobs < IMPORT_JOBS_MAX &&
           used + im->piece_room + unwritten <= IMPORT_MEMORY_MAX;
}

struct import_piece *import_piece_take(struct import *im, bool force)
{
    if (!force && !import_piece_has_room(im))
        return NULL;

    struct import_piece *p = take_spare(im);
    p->step.kind = IMPORT_STEP_PIECE;
    list_init(&p->step.link);
    p->dir = NULL;
    p->framed = leaf_frame(&im->config.profile, 0).head_len > 0;
    p->done = false;
    p->sections_count = 0;
    p->leaves_count = 0;
    p->section_next = 0;
    p->leaf_next = 0;
    im->pieces_used++;
    return p;
}

void import_piece_give(struct import_piece *p)
{
    p->im->pieces_used--;
    p->im->spares_count++;
    list_add_tail(&p->im->spares, &p->step.link);
}

void import_piece_free(struct import_piece *p)
{
    buf_unref(p->buf);
    mem_free(p);
}

void import_piece_submit(struct import_piece *p)
{
    struct import *im = p->im;

    if (p->dir != NULL)
        p->dir->users++;
    im->jobs++;
    import_add_step(im, &p->step);
    p->job.run = run_piece;
    p->job.done = on_piece;
    import_job_begin(im, &p->job, p->dir != NULL ? POOL_DISK : POOL_CPU);
}

size_t import_piece_add_leaf(struct import_piece *p, size_t at, size_t file_len)
{
    struct import_leaf *leaf = &p->leaves[p->leaves_count];
    struct leaf_frame frame = leaf_frame(&p->im->config.profile, file_len);
    uint8_t *dst = p->buf->data + at;

    assert(p->leaves_count < IMPORT_LEAVES_MAX);
    p->leaves_count++;
    leaf->at = at;
    leaf->file_len = file_len;
    leaf->len = frame.head_len + file_len + frame.tail_len;
    assert(at + leaf->len <= p->buf->max);
    memcpy(dst, frame.head, frame.head_len);
    memcpy(dst + frame.head_len + file_len, frame.tail, frame.tail_len);
    return at + leaf->len;
}
