#include "node/export.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "env/disk.h"
#include "env/env.h"
#include "node/export_priv.h"
#include "node/node.h"
#include "node/remove_tree.h"

static const char part_suffix[] = ".xmbl-part";
static const char old_suffix[] = ".xmbl-old";

/* The place is looked at and cleared. */
struct prepare_job {
    struct export_job base;
    struct disk_file *parent;
    bool exists; /* and may not be replaced */
};

/* The part becomes what it is for. */
struct finish_job {
    struct export_job base;
    bool exists;
};

/* Jobs and failures. */

void export_submit(struct export *e, struct export_job *job,
                   void (*run)(struct pool_job *job),
                   void (*done)(struct pool_job *job, struct mtime now))
{
    job->e = e;
    job->err = OK;
    job->job.run = run;
    job->job.done = done;
    e->jobs_count++;
    e->pool->submit(e->pool, &job->job, POOL_DISK);
}

bool export_job_end(struct export *e)
{
    assert(e->jobs_count > 0);
    e->jobs_count--;
    return e->err == OK && !e->freed;
}

void export_fail(struct export *e, enum err err, const char *what,
                 struct bytes where)
{
    if (e->err != OK)
        return;
    e->err = err;
    if (err == E_REFUSED) /* by the disk */
        fault_set(&e->fault, ERROR_PERMISSION, what, where);
    else if (err_is_peer_fault(err) && err != E_LIMIT && err != E_UNSUPPORTED)
        fault_set(&e->fault, ERROR_BAD_BLOCK, what, where);
    else
        fault_from_err(&e->fault, err, what, where);
}

void export_fail_fetch(struct export *e, enum err err)
{
    if (e->err != OK)
        return;
    e->err = err;
    e->fault = *fetch_fault(e->fetch);
}

/* Name of the last component of @out, with something behind it. */
static char *name_with(const char *out, const char *suffix)
{
    const char *slash = strrchr(out, '/');
    const char *name = slash != NULL ? slash + 1 : out;

    return suffix[0] != '\0' ? path_beside(name, suffix) : mem_strdup(name);
}

static size_t parent_len_of(const char *out)
{
    const char *slash = strrchr(out, '/');

    return slash != NULL ? (size_t)(slash - out) : 0;
}

static char *parent_of(const char *out)
{
    size_t len = parent_len_of(out);
    char *parent = mem_alloc(len + 2);

    memcpy(parent, out, len);
    parent[len] = '\0';
    if (len == 0)
        memcpy(parent, out[0] == '/' ? "/" : ".", 2);
    return parent;
}

/* The end. */

static void begin(struct export *e);

/* The first in the list that makes it in the same place, as two long names
 * may; NULL: there is none. */
static struct export *find_same(const struct export *e)
{
    size_t parent_len = parent_len_of(e->out);

    list_for_each (it, node_exports(e->node)) {
        struct export *other = container_of(it, struct export, link);
        if (parent_len_of(other->out) == parent_len &&
            memcmp(other->out, e->out, parent_len) == 0 &&
            strcmp(other->part_name, e->part_name) == 0)
            return other;
    }
    return NULL;
}

static void release(struct export *e)
{
    list_remove(&e->link);
    struct export *next = e->waiting ? NULL : find_same(e);
    if (next != NULL)
        begin(next);
    resolving_release(&e->resolving);
    fetch_free(e->fetch);
    e->disk->close(e->disk, e->parent);
    mem_free(e->part_name);
    mem_free(e->path_text);
    mem_free(e->out);
    mem_free(e);
}

/* Drop everything that waits; jobs end by themselves. */
static void drop_all(struct export *e)
{
    list_for_each_safe (it, &e->entries) {
        struct export_entry *en = container_of(it, struct export_entry, link);
        export_entry_free(en);
    }
    list_for_each_safe (it, &e->stack) {
        struct export_dir *d = container_of(it, struct export_dir, link);
        list_remove(it);
        export_dir_unref(d);
    }
}

static void tell_done(struct export *e, struct mtime now)
{
    drop_all(e);
    e->done = true;
    e->config.done(e->config.user, e->err, now);
}

/* A folder can't be replaced by a rename: it goes out of the way, and comes
 * back where the result can't take its place. */
static enum err replace_dir(struct export *e, const char *name)
{
    struct disk *disk = e->disk;
    char *old = name_with(e->out, old_suffix);
    enum err err = remove_tree(disk, e->parent, old);

    if (err == OK)
        err = disk->rename(disk, e->parent, name, e->parent, old, false);
    if (err == OK) {
        err =
            disk->rename(disk, e->parent, e->part_name, e->parent, name, false);
        if (err == OK)
            err = remove_tree(disk, e->parent, old);
        else /* the first error is the one to tell */
            (void)disk->rename(disk, e->parent, old, e->parent, name, false);
    }
    mem_free(old);
    return err;
}

static enum err put_in_place(struct finish_job *j, struct disk *disk,
                             const char *name)
{
    struct export *e = j->base.e;
    bool force = e->config.force;
    struct disk_stat part;
    struct disk_stat there;
    enum err err =
        disk->rename(disk, e->parent, e->part_name, e->parent, name, force);

    if (err == OK || !force) {
        j->exists = err == E_EXISTS;
        return err;
    }
    bool in_the_way = disk->stat(disk, e->parent, e->part_name, &part) == OK &&
                      disk->stat(disk, e->parent, name, &there) == OK &&
                      (part.kind == DISK_IS_DIR || there.kind == DISK_IS_DIR);
    return in_the_way ? replace_dir(e, name) : err;
}

static void finish_run(struct pool_job *job)
{
    struct finish_job *j = container_of(job, struct finish_job, base.job);
    struct export *e = j->base.e;
    char *name = name_with(e->out, "");

    j->base.err = put_in_place(j, e->disk, name);
    if (j->base.err == OK && e->config.sync)
        j->base.err = e->disk->sync_dir(e->disk, e->parent);
    mem_free(name);
}

static void finish_done(struct pool_job *job, struct mtime now)
{
    struct finish_job *j = container_of(job, struct finish_job, base.job);
    struct export *e = j->base.e;

    if (export_job_end(e) && j->base.err != OK)
        export_fail(e, j->base.err,
                    j->exists ? "something is there already"
                              : "cannot put the result in its place",
                    bytes_str(e->out));
    mem_free(j);
    if (e->freed)
        release(e);
    else
        tell_done(e, now);
}

/* Going on. */

static bool has_room(const struct export *e)
{
    return e->entries_count < EXPORT_ENTRIES_MAX &&
           e->large_count < EXPORT_LARGE_MAX &&
           e->entries_bytes < EXPORT_ENTRY_BYTES_MAX;
}

static void settle(struct export *e, struct mtime now)
{
    bool failed = e->err != OK || e->freed;

    if (e->done || e->finishing || e->jobs_count > 0)
        return;
    if (failed) {
        drop_all(e);
        if (e->freed)
            release(e);
        else
            tell_done(e, now);
        return;
    }
    if (e->resolving.block == NULL || e->entries_count > 0 ||
        !list_empty(&e->stack))
        return;
    struct finish_job *j = mem_zalloc(1, sizeof(*j));
    e->finishing = true;
    export_submit(e, &j->base, finish_run, finish_done);
}

void export_pump(struct export *e, struct mtime now)
{
    if (e->pumping)
        return;
    e->pumping = true;
    while (e->err == OK && !e->freed && has_room(e) && export_dir_step(e, now))
        continue;
    e->pumping = false;
    settle(e, now);
}

/* The beginning. */

static void on_resolved(struct resolving *r, enum err err, struct mtime now)
{
    struct export *e = container_of(r, struct export, resolving);

    if (err != OK) {
        e->err = err;
        e->fault = r->fault;
        export_pump(e, now);
        return;
    }
    e->progress.cid = r->result.cid;
    if (r->result.type == NODE_DIRECTORY || r->result.type == NODE_SHARDED)
        export_dir_push(e, NULL, e->part_name, &r->result.cid);
    else
        export_entry_start(
            export_entry_new(e, NULL, e->part_name, &r->result.cid, 0));
    export_pump(e, now);
}

static void prepare_run(struct pool_job *job)
{
    struct prepare_job *j = container_of(job, struct prepare_job, base.job);
    struct export *e = j->base.e;
    struct disk *disk = e->disk;
    struct disk_stat stat;
    char *parent = parent_of(e->out);
    char *name = name_with(e->out, "");

    j->base.err =
        disk->open(disk, NULL, parent, DISK_READ | DISK_DIR, &j->parent);
    enum err found = OK;
    if (j->base.err == OK)
        found = disk->stat(disk, j->parent, name, &stat);
    j->exists = j->base.err == OK && found == OK && !e->config.force;
    if (found == E_LIMIT)
        j->base.err = found; /* the part's name is shorter, and could be made */
    if (j->base.err == OK && !j->exists)
        j->base.err = remove_tree(disk, j->parent, e->part_name);
    mem_free(parent);
    mem_free(name);
}

static void prepare_done(struct pool_job *job, struct mtime now)
{
    struct prepare_job *j = container_of(job, struct prepare_job, base.job);
    struct export *e = j->base.e;
    enum err err = j->base.err;

    e->parent = j->parent;
    if (export_job_end(e) && j->exists)
        export_fail(e, E_EXISTS, "something is there already",
                    bytes_str(e->out));
    else if (err != OK)
        export_fail(e, err,
                    err == E_NOTFOUND ? "there is no folder to write it into"
                    : err == E_LIMIT  ? "the name is too long"
                                      : "cannot write here",
                    bytes_str(e->out));
    mem_free(j);
    if (e->err == OK && !e->freed) {
        struct bytes path = bytes_str(e->path_text);
        e->resolving.done = on_resolved;
        err = resolving_start(&e->resolving, e->fetch, path);
        if (err != OK) {
            e->err = err;
            e->fault = e->resolving.fault;
        }
    }
    export_pump(e, now);
}

static void begin(struct export *e)
{
    struct prepare_job *j = mem_zalloc(1, sizeof(*j));

    e->waiting = false;
    export_submit(e, &j->base, prepare_run, prepare_done);
}

struct export *export_new(struct node *n, const struct export_config *config)
{
    struct export *e = mem_zalloc(1, sizeof(*e));
    struct fetch_config fetch = {.timeout_ms = config->timeout_ms};

    e->node = n;
    e->disk = node_env(n)->disk;
    e->pool = node_env(n)->pool;
    e->config = *config;
    e->path_text = mem_alloc(config->path.len + 1);
    memcpy(e->path_text, config->path.p, config->path.len);
    e->path_text[config->path.len] = '\0';
    e->out = mem_strdup(config->out);
    e->part_name = name_with(config->out, part_suffix);
    e->fetch = fetch_new(n, &fetch);
    list_init(&e->stack);
    list_init(&e->entries);
    e->waiting = find_same(e) != NULL;
    list_add_tail(node_exports(n), &e->link);
    if (!e->waiting)
        begin(e);
    return e;
}

void export_free(struct export *e)
{
    if (e == NULL)
        return;
    assert(!e->freed);
    e->freed = true;
    if (e->jobs_count == 0) {
        drop_all(e);
        release(e);
        return;
    }
    /* Jobs hold entries and folders; what waits for blocks ends now. */
    resolving_release(&e->resolving);
    fetch_free(e->fetch);
    e->fetch = NULL;
}

struct export_progress export_progress(const struct export *e)
{
    return e->progress;
}

size_t export_sources(const struct export *e, struct bs_source *dst, size_t max)
{
    return fetch_sources(e->fetch, dst, max);
}

const struct fault *export_fault(const struct export *e)
{
    return &e->fault;
}
