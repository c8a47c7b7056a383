#include <assert.h>

#include "base/mem.h"
#include "node/import_priv.h"
#include "unixfs/leaf.h"
#include "unixfs/unixfs.h"

static size_t chunk_bytes(const struct import *im)
{
    return im->config.profile.chunk_bytes;
}

/* Return: most bytes of a piece that the entry needs, if it is small. */
static size_t entry_room(const struct import_entry *e)
{
    size_t len = e->kind == DISK_IS_SYMLINK ? UNIXFS_SYMLINK_BYTES_MAX + 1
                                            : (size_t)e->size_bytes;
    return len + LEAF_HEAD_MAX + LEAF_TAIL_MAX;
}

static bool is_small(const struct import *im, const struct import_entry *e)
{
    return e->kind == DISK_IS_SYMLINK ||
           (e->kind == DISK_IS_FILE && e->size_bytes <= chunk_bytes(im));
}

/* A new section of @p for the next entry, without leaves yet. */
static struct import_section *add_section(struct import_piece *p,
                                          struct import_dir *d)
{
    const struct import_entry *e = &d->entries[d->next];
    struct import_section *s = &p->sections[p->sections_count++];

    *s = (struct import_section){
        .index = d->next,
        .name = e->name,
        .kind = e->kind,
        .is_first = d->offset == 0,
        .offset = d->offset,
        .leaves_first = p->leaves_count,
        .stat = {.size_bytes = e->size_bytes},
    };
    return s;
}

/* One after the other while they fit into a piece: at least the first. */
static void plan_small(struct import_dir *d, struct import_piece *p)
{
    struct import *im = d->im;
    size_t at = 0;

    while (d->next < d->count && p->sections_count < IMPORT_SECTIONS_MAX &&
           p->leaves_count < IMPORT_LEAVES_MAX) {
        const struct import_entry *e = &d->entries[d->next];
        if (!is_small(im, e) || entry_room(e) > im->piece_room - at)
            break;
        struct import_section *s = add_section(p, d);
        bool is_file = e->kind == DISK_IS_FILE;
        size_t begin = at;
        at = import_piece_add_leaf(p, at, is_file ? (size_t)e->size_bytes : 0);
        if (!is_file)
            at = begin + entry_room(e);
        s->leaves_count = 1;
        s->is_last = true;
        d->next++;
    }
    assert(p->sections_count > 0);
}

static void plan_large(struct import_dir *d, struct import_piece *p)
{
    struct import *im = d->im;
    const struct import_entry *e = &d->entries[d->next];
    struct import_section *s = add_section(p, d);
    size_t at = 0;

    while (s->leaves_count < im->piece_leaves && d->offset < e->size_bytes) {
        uint64_t left = e->size_bytes - d->offset;
        size_t len = left < chunk_bytes(im) ? (size_t)left : chunk_bytes(im);
        at = import_piece_add_leaf(p, at, len);
        s->leaves_count++;
        d->offset += len;
    }
    if (d->offset < e->size_bytes)
        return;
    s->is_last = true;
    d->offset = 0;
    d->next++;
}

static bool plan_piece(struct import_dir *d)
{
    struct import_piece *p = import_piece_take(d->im, false);

    if (p == NULL)
        return false;
    p->dir = d;
    if (is_small(d->im, &d->entries[d->next]))
        plan_small(d, p);
    else
        plan_large(d, p);
    import_piece_submit(p);
    return true;
}

static struct import_dir *list_child(struct import_dir *d, size_t index)
{
    struct import_dir *child = import_dir_new(d->im, d, index);

    import_dir_list(child);
    return child;
}

/* A listing takes a job and two wake-ups, which a tree of many small folders
 * would wait for one after the other. */
static void list_ahead(struct import_dir *d)
{
    struct import *im = d->im;

    if (d->depth == IMPORT_DEPTH_MAX)
        return;
    if (d->ahead_next <= d->next)
        d->ahead_next = d->next + 1;
    while (d->ahead_next < d->count && d->ahead_count < IMPORT_AHEAD_OF_ONE &&
           im->ahead_count < IMPORT_AHEAD_MAX) {
        size_t index = d->ahead_next++;
        if (d->entries[index].kind != DISK_IS_DIR)
            continue;
        list_add_tail(&im->ahead, &list_child(d, index)->ahead_link);
        d->ahead_count++;
        im->ahead_count++;
    }
}

/* The folder @index of @d if it was listed ahead, which it is not from now on;
 * else NULL. */
static struct import_dir *take_ahead(struct import_dir *d, size_t index)
{
    list_for_each (it, &d->im->ahead) {
        struct import_dir *child =
            container_of(it, struct import_dir, ahead_link);
        if (child->parent != d || child->index != index)
            continue;
        list_remove(it);
        d->ahead_count--;
        d->im->ahead_count--;
        return child;
    }
    return NULL;
}

static bool plan_dir(struct import_dir *d)
{
    struct import *im = d->im;
    size_t index = d->next;

    if (d->depth == IMPORT_DEPTH_MAX) {
        import_fail(im, E_LIMIT, ERROR_LIMIT,
                    "too many folders within each other",
                    import_path(im, d, index, true));
        return false;
    }
    struct import_dir *child = take_ahead(d, index);
    if (child == NULL)
        child = list_child(d, index);
    d->next++;
    im->walk = child;
    return true;
}

static bool plan_entry(struct import_dir *d)
{
    switch (d->entries[d->next].kind) {
    case DISK_IS_FILE:
    case DISK_IS_SYMLINK:
        return plan_piece(d);
    case DISK_IS_DIR:
        return plan_dir(d);
    case DISK_IS_OTHER:
        break;
    }
    import_fail(d->im, E_UNSUPPORTED, ERROR_NOT_A_FILE,
                "a device, pipe or socket cannot be added",
                import_path(d->im, d, d->next, true));
    return false;
}

bool import_plan(struct import *im)
{
    struct import_dir *d = im->walk;

    if (d == NULL || !d->listed || im->steps_count >= IMPORT_STEPS_MAX)
        return false;
    if (d->next < d->count) {
        list_ahead(d);
        return plan_entry(d);
    }
    import_dir_planned(d);
    import_add_step(im, &d->end);
    im->walk = d->parent;
    return true;
}
