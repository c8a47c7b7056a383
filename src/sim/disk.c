#include "sim/disk.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/disk_priv.h"
#include "sim/kv.h"

enum { MODE_DIR = 0700, NS_PER_S = SIM_S, BITS_OF_BYTE = 8 };

#define CAPACITY (UINT64_C(1) << 40)

void sim_disk_init(struct sim_disk *d, struct sim_clock *clock, uint64_t seed)
{
    *d = (struct sim_disk){
        .disk = sim_disk_ops(),
        .capacity_bytes = CAPACITY,
        .ops_left = UINT64_MAX,
        .clock = clock,
    };
    sim_rand_init(&d->rand, seed, "disk", clock->index);
    list_init(&d->inodes);
    list_init(&d->dirty);
    list_init(&d->changes);
    list_init(&d->handles);
    list_init(&d->doomed);
    d->root = sim_inode_new(d, DISK_IS_DIR, MODE_DIR);
}

void sim_disk_release(struct sim_disk *d)
{
    assert(list_empty(&d->handles));
    sim_changes_sync(d, NULL);
    sim_inode_unref(d, d->root);
    sim_inodes_reap(d);
    assert(list_empty(&d->inodes));
    assert(d->used_bytes == 0);
}

static void spend(struct sim_disk *d, uint64_t bytes)
{
    d->cost_ns += d->op_ns;
    if (d->bytes_per_s > 0)
        d->cost_ns += bytes * NS_PER_S / d->bytes_per_s;
}

bool sim_disk_step(struct sim_disk *d, uint64_t bytes)
{
    if (d->dead)
        return false;
    if (d->ops_left == 0) {
        d->dead = true;
        d->died = true;
        return false;
    }
    if (d->ops_left != UINT64_MAX)
        d->ops_left--;
    spend(d, bytes);
    return true;
}

void sim_disk_kill(struct sim_disk *d)
{
    d->dead = true;
    d->died = false;
    d->ops_left = UINT64_MAX;
}

void sim_disk_power(struct sim_disk *d)
{
    sim_disk_kill(d);
    list_for_each (it, &d->inodes) {
        struct sim_inode *i = container_of(it, struct sim_inode, link);
        if (i->kv != NULL)
            sim_kv_data_power(i->kv, &d->rand);
    }
    while (!list_empty(&d->dirty))
        sim_file_tear(d, container_of(list_first(&d->dirty), struct sim_inode,
                                      dirty_link));
    sim_changes_tear(d);
}

void sim_disk_revive(struct sim_disk *d)
{
    assert(list_empty(&d->handles));
    d->dead = false;
    d->died = false;
    d->ops_left = UINT64_MAX;
}

/* Paths. */

enum err sim_disk_walk(struct sim_disk *d, const char *path,
                       struct sim_inode **ret_inode)
{
    struct sim_inode *i = d->root;
    struct bytes rest = bytes_str(path);

    while (rest.len > 0) {
        const uint8_t *slash = memchr(rest.p, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.p);
        struct bytes name = bytes_sub(rest, 0, len);
        size_t used = slash == NULL ? len : len + 1;
        rest = bytes_sub(rest, used, rest.len - used);
        if (len == 0)
            continue;
        if (len > SIM_DISK_NAME_MAX)
            return E_LIMIT;
        if (i->kind != DISK_IS_DIR)
            return E_REFUSED;
        i = sim_dir_find(i, name);
        if (i == NULL)
            return E_NOTFOUND;
    }
    *ret_inode = i;
    return OK;
}

struct sim_inode *sim_disk_make(struct sim_disk *d, struct sim_inode *dir,
                                struct bytes name, enum disk_kind kind,
                                uint32_t mode)
{
    struct sim_inode *i = sim_inode_new(d, kind, mode);

    sim_change_name(d, sim_change_begin(d), dir, name, i);
    sim_inode_unref(d, i); /* the name holds it */
    return i;
}

enum err sim_disk_place(struct sim_disk *d, struct sim_inode *dir,
                        const char *name, struct sim_inode **ret_dir,
                        struct bytes *ret_name)
{
    const char *slash = strrchr(name, '/');
    enum err err = OK;

    *ret_dir = dir != NULL ? dir : d->root;
    *ret_name = bytes_str(slash == NULL ? name : slash + 1);
    if (dir == NULL && slash != NULL && slash > name) {
        char *parent = mem_dup(name, (size_t)(slash - name) + 1);
        parent[slash - name] = '\0';
        err = sim_disk_walk(d, parent, ret_dir);
        mem_free(parent);
    } else if (dir != NULL && slash != NULL) {
        err = E_REFUSED;
    }
    if (err == OK && (*ret_dir)->kind != DISK_IS_DIR)
        err = E_REFUSED;
    if (err == OK && ret_name->len == 0)
        err = E_REFUSED;
    return err == OK && ret_name->len > SIM_DISK_NAME_MAX ? E_LIMIT : err;
}

struct sim_kv_data *sim_disk_kv(struct sim_disk *d, const char *path,
                                enum err *ret_err)
{
    struct sim_inode *i = NULL;
    struct sim_inode *parent;
    struct bytes name;

    *ret_err = E_IO;
    if (!sim_disk_step(d, 0))
        return NULL;
    enum err err = sim_disk_walk(d, path, &i);
    if (err == E_NOTFOUND) {
        err = sim_disk_place(d, NULL, path, &parent, &name);
        if (err == OK)
            i = sim_disk_make(d, parent, name, DISK_IS_DIR, MODE_DIR);
    }
    *ret_err = err == OK && i->kind != DISK_IS_DIR ? E_REFUSED : err;
    if (*ret_err != OK)
        return NULL;
    if (i->kv == NULL)
        i->kv = sim_kv_data_new();
    return i->kv;
}

/* Damage. */

bool sim_disk_is_below(struct sim_disk *d, const struct sim_inode *file,
                       const char *below)
{
    struct sim_inode *dir;

    if (file->kind != DISK_IS_FILE || sim_disk_walk(d, below, &dir) != OK)
        return false;
    map_for_each (it, &dir->names) {
        if (container_of(it, struct sim_name, node)->inode == file)
            return true;
    }
    return false;
}

static uint64_t bytes_below(struct sim_disk *d, const char *below)
{
    uint64_t total = 0;

    list_for_each (it, &d->inodes) {
        const struct sim_inode *i = container_of(it, struct sim_inode, link);
        if (sim_disk_is_below(d, i, below))
            total += i->size;
    }
    return total;
}

bool sim_disk_rot(struct sim_disk *d, const char *below)
{
    uint64_t total = bytes_below(d, below);
    if (total == 0)
        return false;

    uint64_t at = sim_rand_below(&d->rand, total);
    uint8_t bit = (uint8_t)(1U << sim_rand_below(&d->rand, BITS_OF_BYTE));
    list_for_each (it, &d->inodes) {
        struct sim_inode *i = container_of(it, struct sim_inode, link);
        if (!sim_disk_is_below(d, i, below))
            continue;
        if (at >= i->size) {
            at -= i->size;
            continue;
        }
        uint64_t sector = at / SIM_SECTOR_BYTES;
        bool there =
            sector < i->sectors_room && i->sectors[sector].live != NULL;
        if (there)
            i->sectors[sector].live[at % SIM_SECTOR_BYTES] ^= bit;
        return there;
    }
    return false;
}

static void zero_file(struct sim_inode *i)
{
    for (size_t at = 0; at < i->sectors_room; at++) {
        if (i->sectors[at].live != NULL)
            memset(i->sectors[at].live, 0, SIM_SECTOR_BYTES);
    }
}

size_t sim_disk_lose(struct sim_disk *d, const char *below)
{
    size_t count = 0;

    list_for_each (it, &d->inodes) {
        struct sim_inode *i = container_of(it, struct sim_inode, link);
        if (!sim_disk_is_below(d, i, below))
            continue;
        zero_file(i);
        count++;
    }
    return count;
}
