/* Inodes, names, and the changes of names that are not durable yet. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/disk_priv.h"
#include "sim/kv.h"

enum { CHANGES_MAX = 1024, UNDO_NONE_PPM = 300000, LOST_ONE_IN = 3 };

struct sim_inode *sim_inode_new(struct sim_disk *d, enum disk_kind kind,
                                uint32_t mode)
{
    static const uint8_t seed[16] = {0}; /* no enemy chooses the names */
    struct sim_inode *i = mem_zalloc(1, sizeof(*i));

    i->refs = 1;
    i->kind = kind;
    i->mode = mode;
    i->number = ++d->inodes_made;
    i->mtime_ns = sim_clock_unix_ms(d->clock) * SIM_MS;
    list_init(&i->dirty_link);
    map_init(&i->names, seed);
    list_add_tail(&d->inodes, &i->link);
    return i;
}

struct sim_inode *sim_inode_ref(struct sim_inode *i)
{
    i->refs++;
    return i;
}

static void set_name(struct sim_disk *d, struct sim_inode *dir,
                     struct bytes name, struct sim_inode *inode);

static void free_inode(struct sim_disk *d, struct sim_inode *i)
{
    assert(i->names.count == 0);
    list_remove(&i->link);
    sim_file_release(d, i);
    map_release(&i->names);
    sim_kv_data_free(i->kv);
    mem_free(i->target);
    mem_free(i);
}

void sim_inode_unref(struct sim_disk *d, struct sim_inode *i)
{
    if (i == NULL || --i->refs > 0)
        return;
    if (i->names.count == 0) {
        free_inode(d, i);
        return;
    }
    list_remove(&i->link);
    list_add_tail(&d->doomed, &i->link);
}

/* A queue instead of a recursion: a child that has names joins it. */
void sim_inodes_reap(struct sim_disk *d)
{
    while (!list_empty(&d->doomed)) {
        struct sim_inode *i =
            container_of(list_first(&d->doomed), struct sim_inode, link);
        while (i->names.count > 0)
            set_name(d, i, map_first(&i->names)->key, NULL);
        free_inode(d, i);
    }
}

static struct sim_name *find(const struct sim_inode *dir, struct bytes name)
{
    struct map_node *node = map_get(&dir->names, name);

    return node == NULL ? NULL : container_of(node, struct sim_name, node);
}

struct sim_inode *sim_dir_find(const struct sim_inode *dir, struct bytes name)
{
    const struct sim_name *n = find(dir, name);

    return n == NULL ? NULL : n->inode;
}

/* Lets @name be @inode (NULL: nothing), counted anew. */
static void set_name(struct sim_disk *d, struct sim_inode *dir,
                     struct bytes name, struct sim_inode *inode)
{
    struct sim_name *n = find(dir, name);
    struct sim_inode *before = n == NULL ? NULL : n->inode;

    if (inode != NULL)
        (void)sim_inode_ref(inode); /* it is @inode */
    if (n != NULL && inode == NULL) {
        map_remove(&dir->names, &n->node);
        mem_free(n);
    } else if (n != NULL) {
        n->inode = inode;
    } else if (inode != NULL) {
        n = mem_zalloc(1, sizeof(*n) + name.len + 1);
        memcpy(n->text, name.p, name.len);
        n->inode = inode;
        map_put(&dir->names, &n->node, bytes_str(n->text));
    }
    sim_inode_unref(d, before);
}

/* Changes. */

static void free_change(struct sim_disk *d, struct sim_change *c)
{
    for (size_t i = 0; i < c->count; i++) {
        sim_inode_unref(d, c->edits[i].before);
        sim_inode_unref(d, c->edits[i].dir);
        mem_free(c->edits[i].name);
    }
    list_remove(&c->link);
    d->changes_count--;
    mem_free(c);
}

struct sim_change *sim_change_begin(struct sim_disk *d)
{
    struct sim_change *c = mem_zalloc(1, sizeof(*c));

    /* The journal is not endless: what is oldest gets durable by itself. */
    if (d->changes_count == CHANGES_MAX)
        free_change(
            d, container_of(list_first(&d->changes), struct sim_change, link));
    list_add_tail(&d->changes, &c->link);
    d->changes_count++;
    return c;
}

void sim_change_name(struct sim_disk *d, struct sim_change *c,
                     struct sim_inode *dir, struct bytes name,
                     struct sim_inode *inode)
{
    struct sim_inode *before = sim_dir_find(dir, name);
    struct sim_edit *e = &c->edits[c->count++];

    assert(c->count <= countof(c->edits));
    e->dir = sim_inode_ref(dir);
    e->before = before == NULL ? NULL : sim_inode_ref(before);
    e->name = mem_zalloc(1, name.len + 1);
    memcpy(e->name, name.p, name.len);
    set_name(d, dir, name, inode);
}

static bool concerns(const struct sim_change *c, const struct sim_inode *dir)
{
    for (size_t i = 0; i < c->count; i++) {
        if (dir == NULL || c->edits[i].dir == dir)
            return true;
    }
    return false;
}

/* A rename into another directory takes what that one waits for along. */
static const struct sim_inode *other_dir(const struct sim_change *c,
                                         const struct sim_inode *dir)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->edits[i].dir != dir)
            return c->edits[i].dir;
    }
    return NULL;
}

void sim_changes_sync(struct sim_disk *d, const struct sim_inode *dir)
{
    const struct sim_inode *other = NULL;

    list_for_each_safe (it, &d->changes) {
        struct sim_change *c = container_of(it, struct sim_change, link);
        if (!concerns(c, dir))
            continue;
        const struct sim_inode *second = other_dir(c, dir);
        if (second != NULL)
            other = second;
    }
    list_for_each_safe (it, &d->changes) {
        struct sim_change *c = container_of(it, struct sim_change, link);
        if (concerns(c, dir) || (other != NULL && concerns(c, other)))
            free_change(d, c);
    }
}

static void undo(struct sim_disk *d, struct sim_change *c)
{
    for (size_t i = c->count; i > 0; i--) {
        const struct sim_edit *e = &c->edits[i - 1];
        set_name(d, e->dir, bytes_str(e->name), e->before);
    }
    free_change(d, c);
}

/* Whether a directory that @c changes has lost a change already. */
static bool comes_after(const struct sim_change *c, const struct list *lost)
{
    list_for_each (it, lost) {
        const struct sim_change *l = container_of(it, struct sim_change, link);
        if (concerns(c, l->edits[0].dir) ||
            (l->count > 1 && concerns(c, l->edits[1].dir)))
            return true;
    }
    return false;
}

/* From some change on all changes of a directory are lost. */
static void choose_lost(struct sim_disk *d, struct list *lost)
{
    list_for_each_safe (it, &d->changes) {
        struct sim_change *c = container_of(it, struct sim_change, link);
        bool cut = sim_rand_below(&d->rand, LOST_ONE_IN) == 0;
        if (!cut && !comes_after(c, lost))
            continue;
        list_remove(&c->link);
        list_add_tail(lost, &c->link);
    }
}

void sim_changes_tear(struct sim_disk *d)
{
    struct list lost;

    list_init(&lost);
    if (!sim_rand_chance(&d->rand, UNDO_NONE_PPM))
        choose_lost(d, &lost);
    while (!list_empty(&lost))
        undo(d, container_of(lost.prev, struct sim_change, link));
    sim_changes_sync(d, NULL);
    sim_inodes_reap(d);
}
