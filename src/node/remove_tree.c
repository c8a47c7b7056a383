#include "node/remove_tree.h"

#include <string.h>

#include "base/mem.h"
#include "env/disk.h"

enum { LEVELS_MAX = 1024, NAMES_MAX = 16 * 1024 * 1024 };

/* An open folder whose names from @at on are still there. */
struct level {
    struct disk_file *dir;
    struct disk_names names;
    size_t at;
};

struct removal {
    struct disk *disk;
    struct level *levels;
    size_t count;
};

static enum err push(struct removal *r, struct disk_file *parent,
                     const char *name)
{
    struct level l = {.dir = NULL};
    if (r->count == LEVELS_MAX)
        return E_LIMIT;
    enum err err = r->disk->open(r->disk, parent, name,
                                 DISK_READ | DISK_DIR | DISK_NOFOLLOW, &l.dir);
    if (err != OK)
        return err;

    err = r->disk->list(r->disk, l.dir, NAMES_MAX, &l.names);
    if (err != OK) {
        r->disk->close(r->disk, l.dir);
        return err;
    }
    r->levels = mem_resize(r->levels, r->count + 1, sizeof(r->levels[0]));
    r->levels[r->count++] = l;
    return OK;
}

static void pop(struct removal *r)
{
    struct level *top = &r->levels[--r->count];

    mem_free(top->names.names);
    r->disk->close(r->disk, top->dir);
}

/* Remove the next name of the top level, or go down into it. */
static enum err step(struct removal *r)
{
    struct level *top = &r->levels[r->count - 1];
    const char *name = top->names.names + top->at;
    struct disk_stat stat;
    enum err err = r->disk->stat(r->disk, top->dir, name, &stat);

    if (err == OK && stat.kind == DISK_IS_DIR) {
        err = r->disk->unlink(r->disk, top->dir, name, true);
        if (err == E_EXISTS)
            return push(r, top->dir, name); /* come back when it is empty */
    } else if (err == OK) {
        err = r->disk->unlink(r->disk, top->dir, name, false);
    }
    top->at += strlen(name) + 1;
    return err == E_NOTFOUND ? OK : err;
}

static enum err empty_dir(struct removal *r)
{
    enum err err = OK;

    while (err == OK && r->count > 0) {
        struct level *top = &r->levels[r->count - 1];
        if (top->at < top->names.len)
            err = step(r);
        else
            pop(r);
    }
    return err;
}

enum err remove_tree(struct disk *disk, struct disk_file *dir, const char *name)
{
    struct removal r = {.disk = disk};
    struct disk_stat stat;
    enum err err = disk->stat(disk, dir, name, &stat);
    if (err == E_NOTFOUND)
        return OK;
    if (err != OK)
        return err;
    if (stat.kind != DISK_IS_DIR)
        return disk->unlink(disk, dir, name, false);

    err = push(&r, dir, name);
    if (err == OK)
        err = empty_dir(&r);
    while (r.count > 0)
        pop(&r);
    mem_free(r.levels);
    return err == OK ? disk->unlink(disk, dir, name, true) : err;
}
