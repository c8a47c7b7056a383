#include <string.h>

#include "base/mem.h"
#include "env/disk.h"
#include "node/export_priv.h"

/* A folder is made and opened. */
struct dir_job {
    struct export_job base;
    struct export_dir *dir;
    struct disk_file *handle;
};

void export_dir_push(struct export *e, struct export_dir *parent,
                     const char *name, const struct cid *cid)
{
    unsigned depth = parent != NULL ? parent->depth + 1 : 0;
    if (depth == EXPORT_DEPTH_MAX) {
        export_fail(e, E_LIMIT, "folders nest too deep", bytes_str(name));
        return;
    }

    struct export_dir *d = mem_zalloc(1, sizeof(*d));
    d->e = e;
    d->parent = parent;
    d->name = mem_strdup(name);
    d->depth = depth;
    d->refs = 1; /* the stack's */
    d->cid = *cid;
    dir_reader_init(&d->reader, cid);
    if (parent != NULL)
        parent->refs++;
    list_add_head(&e->stack, &d->link);
}

void export_dir_unref(struct export_dir *d)
{
    /* A parent may have no other user than the child that goes. */
    while (d != NULL && --d->refs == 0) {
        struct export_dir *parent = d->parent;
        struct disk *disk = d->e->disk;
        fetch_cancel(&d->op);
        dir_reader_release(&d->reader);
        if (d->handle != NULL)
            disk->close(disk, d->handle);
        mem_free(d->name);
        mem_free(d);
        d = parent;
    }
}

static void pop(struct export_dir *d)
{
    list_remove(&d->link);
    export_dir_unref(d);
}

static void dir_run(struct pool_job *job)
{
    struct dir_job *j = container_of(job, struct dir_job, base.job);
    struct export_dir *d = j->dir;
    struct disk *disk = j->base.e->disk;
    struct disk_file *parent =
        d->parent != NULL ? d->parent->handle : j->base.e->parent;

    j->base.err = disk->mkdir(disk, parent, d->name, true);
    if (j->base.err == OK)
        j->base.err =
            disk->open(disk, parent, d->name,
                       DISK_READ | DISK_DIR | DISK_NOFOLLOW, &j->handle);
}

static void dir_done(struct pool_job *job, struct mtime now)
{
    struct dir_job *j = container_of(job, struct dir_job, base.job);
    struct export *e = j->base.e;
    struct export_dir *d = j->dir;
    enum err err = j->base.err;
    bool goes_on = export_job_end(e);

    d->opening = false;
    d->handle = err == OK ? j->handle : NULL;
    mem_free(j);
    bool is_duplicate = err == E_EXISTS && d->parent != NULL;
    if (goes_on && is_duplicate)
        pop(d); /* of two entries with one name the first counts */
    else if (goes_on && err != OK)
        export_fail(e, err,
                    err == E_LIMIT ? "too many folders are open"
                                   : "cannot make the folder",
                    bytes_str(d->name));
    else if (goes_on)
        e->progress.files_done++;
    export_dir_unref(d); /* the job's */
    export_pump(e, now);
}

static void start_open(struct export_dir *d)
{
    struct dir_job *j = mem_zalloc(1, sizeof(*j));

    d->opening = true;
    d->refs++;
    j->dir = d;
    export_submit(d->e, &j->base, dir_run, dir_done);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct export_dir *d = container_of(op, struct export_dir, op);
    struct export *e = d->e;

    d->waiting = false;
    if (err != OK)
        export_fail_fetch(e, err);
    else if (dir_reader_on_block(&d->reader, block) != OK)
        export_fail(e, E_MALFORMED, "the block of a folder is malformed",
                    bytes_str(d->name));
    export_pump(e, now);
}

static void start_entry(struct export_dir *d, const struct dir_out *out)
{
    struct export *e = d->e;

    if (!dir_name_is_safe(out->name)) {
        export_fail(e, E_REFUSED,
                    "the folder has an entry whose name cannot be a file's",
                    out->name);
        e->fault.id = ERROR_BAD_NAME;
        return;
    }
    char *name = mem_alloc(out->name.len + 1);
    memcpy(name, out->name.p, out->name.len);
    name[out->name.len] = '\0';
    export_entry_start(export_entry_new(e, d, name, &out->cid, out->tsize));
    mem_free(name);
}

bool export_dir_step(struct export *e, struct mtime now)
{
    struct dir_out out;

    (void)now;
    if (list_empty(&e->stack))
        return false;
    struct export_dir *d =
        container_of(list_first(&e->stack), struct export_dir, link);
    if (d->opening || d->waiting)
        return false;
    if (d->handle == NULL) {
        start_open(d);
        return false;
    }
    dir_reader_next(&d->reader, &out);
    switch (out.kind) {
    case DIR_WANT:
        d->waiting = true;
        d->op.done = on_block;
        fetch_get(e->fetch, &d->op, &out.cid, 0, 1);
        return false;
    case DIR_ENTRY:
        start_entry(d, &out);
        return e->err == OK;
    case DIR_END:
        pop(d);
        return true;
    }
    return false;
}
