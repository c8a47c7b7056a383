/* struct disk, as the node sees it. */
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/disk_priv.h"

enum { MODE_FILE = 0600, MODE_DIR = 0700, MODE_LINK = 0777, DEVICE = 1 };

static struct sim_disk *of(struct disk *disk)
{
    return container_of(disk, struct sim_disk, disk);
}

static enum err look(struct sim_disk *d, struct disk_file *dir,
                     const char *name, struct sim_inode **ret_inode)
{
    if (dir == NULL)
        return sim_disk_walk(d, name, ret_inode);
    if (strlen(name) > SIM_DISK_NAME_MAX)
        return E_LIMIT;
    if (dir->inode->kind != DISK_IS_DIR || strchr(name, '/') != NULL)
        return E_REFUSED;
    struct sim_inode *i = strcmp(name, ".") == 0
                              ? dir->inode
                              : sim_dir_find(dir->inode, bytes_str(name));
    if (i == NULL)
        return E_NOTFOUND;
    *ret_inode = i;
    return OK;
}

static struct sim_inode *inode_of(struct disk_file *dir)
{
    return dir == NULL ? NULL : dir->inode;
}

static enum err create(struct sim_disk *d, struct disk_file *dir,
                       const char *name, struct sim_inode **ret_inode)
{
    struct sim_inode *parent;
    struct bytes last;
    enum err err = sim_disk_place(d, inode_of(dir), name, &parent, &last);
    if (err != OK)
        return err;
    if (d->full)
        return E_NOSPACE;

    *ret_inode = sim_disk_make(d, parent, last, DISK_IS_FILE, MODE_FILE);
    return OK;
}

static enum err check_kind(const struct sim_inode *i, unsigned flags)
{
    bool wants_dir = (flags & DISK_DIR) != 0;

    if (i->kind == DISK_IS_SYMLINK)
        return E_REFUSED; /* followed never */
    if (wants_dir != (i->kind == DISK_IS_DIR))
        return E_REFUSED;
    return OK;
}

static enum err do_open(struct disk *disk, struct disk_file *dir,
                        const char *name, unsigned flags,
                        struct disk_file **ret_file)
{
    struct sim_disk *d = of(disk);
    struct sim_inode *i = NULL;

    if (!sim_disk_step(d, 0))
        return E_IO;
    enum err err = look(d, dir, name, &i);
    if (err == OK && (flags & DISK_EXCL) != 0)
        return E_EXISTS;
    if (err == E_NOTFOUND && (flags & DISK_CREATE) != 0)
        err = create(d, dir, name, &i);
    if (err == OK)
        err = check_kind(i, flags);
    if (err != OK)
        return err;
    if ((flags & DISK_TRUNC) != 0)
        sim_file_resize(d, i, 0);
    struct disk_file *f = mem_zalloc(1, sizeof(*f));
    f->inode = sim_inode_ref(i);
    f->flags = flags;
    list_add_tail(&d->handles, &f->link);
    *ret_file = f;
    return OK;
}

static void do_close(struct disk *disk, struct disk_file *f)
{
    if (f == NULL)
        return;
    list_remove(&f->link);
    sim_inode_unref(of(disk), f->inode);
    mem_free(f);
}

static enum err do_read(struct disk *disk, struct disk_file *f, uint64_t offset,
                        uint8_t *dst, size_t len, size_t *ret_len)
{
    struct sim_disk *d = of(disk);

    if (!sim_disk_step(d, len))
        return E_IO;
    if (f->inode->kind != DISK_IS_FILE || (f->flags & DISK_READ) == 0)
        return E_REFUSED;
    *ret_len = sim_file_read(f->inode, offset, dst, len);
    if (d->forgets != NULL && sim_disk_is_below(d, f->inode, d->forgets))
        memset(dst, 0, *ret_len);
    return OK;
}

static enum err write_piece(struct sim_disk *d, struct disk_file *f,
                            uint64_t offset, struct bytes piece)
{
    enum err err = sim_file_write(d, f->inode, offset, piece);

    sim_clock_trace(d->clock, SIM_WROTE, piece);
    f->inode->mtime_ns = sim_clock_unix_ms(d->clock) * SIM_MS;
    return err;
}

static enum err do_write(struct disk *disk, struct disk_file *f,
                         uint64_t offset, const struct bytes *pieces,
                         size_t count)
{
    struct sim_disk *d = of(disk);
    uint64_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    if (f->inode->kind != DISK_IS_FILE || (f->flags & DISK_WRITE) == 0)
        return E_REFUSED;
    bool lives = sim_disk_step(d, len);
    /* The operation in which it dies may have come half way. */
    uint64_t left = lives     ? len
                    : d->died ? sim_rand_below(&d->rand, len + 1)
                              : 0;
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t n = pieces[i].len < left ? pieces[i].len : (size_t)left;
        enum err err = write_piece(d, f, offset, bytes_sub(pieces[i], 0, n));
        if (err != OK)
            return err;
        offset += n;
        left -= n;
    }
    return lives ? OK : E_IO;
}

static enum err do_sync(struct disk *disk, struct disk_file *f)
{
    struct sim_disk *d = of(disk);

    if (!sim_disk_step(d, 0))
        return E_IO;
    d->cost_ns += d->sync_ns;
    d->syncs++;
    if (!d->lies)
        sim_file_sync(d, f->inode);
    sim_clock_trace(d->clock, SIM_SYNCED, BYTES_EMPTY);
    return OK;
}

static void do_flush(struct disk *disk, struct disk_file *f, uint64_t offset,
                     uint64_t len)
{
    (void)disk; /* a hint, of which nothing depends */
    (void)f;
    (void)offset;
    (void)len;
}

static enum err do_truncate(struct disk *disk, struct disk_file *f,
                            uint64_t len)
{
    struct sim_disk *d = of(disk);

    if (!sim_disk_step(d, 0))
        return E_IO;
    if (f->inode->kind != DISK_IS_FILE || (f->flags & DISK_WRITE) == 0)
        return E_REFUSED;
    sim_file_resize(d, f->inode, len);
    return OK;
}

static struct disk_stat stat_of(const struct sim_inode *i)
{
    return (struct disk_stat){
        .kind = i->kind,
        .size_bytes = i->size,
        .mode = i->mode,
        .mtime_ns = i->mtime_ns,
        .device = DEVICE,
        .inode = i->number,
    };
}

static enum err do_stat_file(struct disk *disk, struct disk_file *f,
                             struct disk_stat *ret_stat)
{
    if (!sim_disk_step(of(disk), 0))
        return E_IO;
    *ret_stat = stat_of(f->inode);
    return OK;
}

static enum err do_stat(struct disk *disk, struct disk_file *dir,
                        const char *name, struct disk_stat *ret_stat)
{
    struct sim_inode *i;

    if (!sim_disk_step(of(disk), 0))
        return E_IO;
    enum err err = look(of(disk), dir, name, &i);
    if (err == OK)
        *ret_stat = stat_of(i);
    return err;
}

static enum err do_readlink(struct disk *disk, struct disk_file *dir,
                            const char *name, char *dst, size_t max)
{
    struct sim_inode *i;

    if (!sim_disk_step(of(disk), 0))
        return E_IO;
    enum err err = look(of(disk), dir, name, &i);
    if (err != OK)
        return err;
    if (i->kind != DISK_IS_SYMLINK)
        return E_REFUSED;
    size_t len = strlen(i->target) + 1;
    if (len > max)
        return E_LIMIT;
    memcpy(dst, i->target, len);
    return OK;
}

/* Where something new can be made. */
static enum err place_new(struct sim_disk *d, struct disk_file *dir,
                          const char *name, struct sim_inode **ret_dir,
                          struct bytes *ret_name)
{
    if (!sim_disk_step(d, 0))
        return E_IO;
    enum err err = sim_disk_place(d, inode_of(dir), name, ret_dir, ret_name);
    if (err == OK && sim_dir_find(*ret_dir, *ret_name) != NULL)
        return E_EXISTS;
    return err == OK && d->full ? E_NOSPACE : err;
}

static enum err do_symlink(struct disk *disk, struct disk_file *dir,
                           const char *name, const char *target)
{
    struct sim_disk *d = of(disk);
    struct sim_inode *parent;
    struct bytes last;
    enum err err = place_new(d, dir, name, &parent, &last);
    if (err != OK)
        return err;

    struct sim_inode *i =
        sim_disk_make(d, parent, last, DISK_IS_SYMLINK, MODE_LINK);
    i->target = mem_strdup(target);
    return OK;
}

static enum err do_mkdir(struct disk *disk, struct disk_file *dir,
                         const char *name, bool shared)
{
    struct sim_disk *d = of(disk);
    struct sim_inode *parent;
    struct bytes last;
    enum err err = place_new(d, dir, name, &parent, &last);
    if (err != OK)
        return err;

    (void)shared; /* one user */
    (void)sim_disk_make(d, parent, last, DISK_IS_DIR, MODE_DIR);
    return OK;
}

static enum err check_replaced(const struct sim_inode *from,
                               const struct sim_inode *to, bool replace)
{
    if (to == NULL)
        return OK;
    if (!replace)
        return E_EXISTS;
    if ((from->kind == DISK_IS_DIR) != (to->kind == DISK_IS_DIR))
        return E_REFUSED;
    return to->names.count > 0 ? E_EXISTS : OK;
}

static enum err do_rename(struct disk *disk, struct disk_file *from_dir,
                          const char *from, struct disk_file *to_dir,
                          const char *to, bool replace)
{
    struct sim_disk *d = of(disk);
    struct sim_inode *dirs[2];
    struct bytes names[2];

    if (!sim_disk_step(d, 0))
        return E_IO;
    enum err err =
        sim_disk_place(d, inode_of(from_dir), from, &dirs[0], &names[0]);
    if (err == OK)
        err = sim_disk_place(d, inode_of(to_dir), to, &dirs[1], &names[1]);
    if (err != OK)
        return err;
    struct sim_inode *i = sim_dir_find(dirs[0], names[0]);
    if (i == NULL)
        return E_NOTFOUND;
    struct sim_inode *there = sim_dir_find(dirs[1], names[1]);
    if (there == i)
        return OK;
    err = check_replaced(i, there, replace);
    if (err != OK)
        return err;
    struct sim_change *c = sim_change_begin(d);
    sim_change_name(d, c, dirs[1], names[1], i);
    sim_change_name(d, c, dirs[0], names[0], NULL);
    return OK;
}

static enum err do_unlink(struct disk *disk, struct disk_file *dir,
                          const char *name, bool is_dir)
{
    struct sim_disk *d = of(disk);
    struct sim_inode *parent;
    struct bytes last;

    if (!sim_disk_step(d, 0))
        return E_IO;
    enum err err = sim_disk_place(d, inode_of(dir), name, &parent, &last);
    if (err != OK)
        return err;
    const struct sim_inode *i = sim_dir_find(parent, last);
    if (i == NULL)
        return E_NOTFOUND;
    if (is_dir != (i->kind == DISK_IS_DIR) || i->names.count > 0)
        return E_REFUSED;
    sim_change_name(d, sim_change_begin(d), parent, last, NULL);
    return OK;
}

static enum err do_list(struct disk *disk, struct disk_file *dir,
                        size_t count_max, struct disk_names *ret_names)
{
    struct disk_names names = {.names = NULL};

    if (!sim_disk_step(of(disk), 0))
        return E_IO;
    if (dir->inode->kind != DISK_IS_DIR)
        return E_REFUSED;
    if (dir->inode->names.count > count_max)
        return E_LIMIT;
    map_for_each (it, &dir->inode->names) {
        const struct sim_name *n = container_of(it, struct sim_name, node);
        size_t size = strlen(n->text) + 1;
        names.names = mem_resize(names.names, names.len + size, 1);
        memcpy(names.names + names.len, n->text, size);
        names.len += size;
        names.count++;
    }
    *ret_names = names;
    return OK;
}

static enum err do_sync_dir(struct disk *disk, struct disk_file *dir)
{
    struct sim_disk *d = of(disk);

    if (!sim_disk_step(d, 0))
        return E_IO;
    d->cost_ns += d->sync_ns;
    d->syncs++;
    if (!d->lies)
        sim_changes_sync(d, dir->inode);
    sim_clock_trace(d->clock, SIM_SYNCED, BYTES_EMPTY);
    return OK;
}

static enum err do_space(struct disk *disk, struct disk_file *f,
                         struct disk_space *ret_space)
{
    const struct sim_disk *d = of(disk);
    uint64_t used = d->full ? d->capacity_bytes : d->used_bytes;

    (void)f; /* there is one file system */
    if (!sim_disk_step(of(disk), 0))
        return E_IO;
    *ret_space = (struct disk_space){
        .free_bytes = used < d->capacity_bytes ? d->capacity_bytes - used : 0,
        .total_bytes = d->capacity_bytes,
    };
    return OK;
}

struct disk sim_disk_ops(void)
{
    return (struct disk){
        .open = do_open,
        .close = do_close,
        .read = do_read,
        .write = do_write,
        .sync = do_sync,
        .flush = do_flush,
        .truncate = do_truncate,
        .stat_file = do_stat_file,
        .stat = do_stat,
        .readlink = do_readlink,
        .symlink = do_symlink,
        .mkdir = do_mkdir,
        .rename = do_rename,
        .unlink = do_unlink,
        .list = do_list,
        .sync_dir = do_sync_dir,
        .space = do_space,
    };
}
