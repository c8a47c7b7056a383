#include "node/import.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "env/env.h"
#include "node/import_priv.h"
#include "node/node.h"
#include "unixfs/leaf.h"

/* Paths. */

/* The last component of a path, without the slashes behind it. */
static struct bytes last_component(const char *path)
{
    size_t end = strlen(path);

    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    return (struct bytes){(const uint8_t *)path + begin, end - begin};
}

/* The entries of the top are whole paths, but the name of a stream is what it
 * is. */
static struct bytes component(const struct import_dir *d, size_t index,
                              bool whole)
{
    const char *name = d->entries[index].name;

    if (d->parent == NULL && !whole && d != d->im->stream)
        return last_component(name);
    return bytes_str(name);
}

static size_t path_len(const struct import_dir *d, size_t index, bool whole)
{
    size_t len = 0;

    for (; d != NULL; index = d->index, d = d->parent)
        len += component(d, index, whole).len + 1;
    return len - 1;
}

struct bytes import_path(struct import *im, const struct import_dir *d,
                         size_t index, bool whole)
{
    if (index == d->count) {
        if (d->parent == NULL)
            return BYTES_EMPTY;
        index = d->index;
        d = d->parent;
    }

    size_t len = path_len(d, index, whole);
    if (len > im->path_room) {
        im->path_room = 2 * len;
        im->path = mem_resize(im->path, im->path_room, 1);
    }
    size_t end = len;
    for (; d != NULL; index = d->index, d = d->parent) {
        struct bytes c = component(d, index, whole);
        end -= c.len;
        if (c.len > 0)
            memcpy(im->path + end, c.p, c.len);
        if (end > 0)
            im->path[--end] = '/';
    }
    return (struct bytes){(const uint8_t *)im->path, len};
}

/* The end. */

static void destroy(struct import *im)
{
    list_for_each_safe (it, &im->dirs)
        import_dir_free(container_of(it, struct import_dir, link));
    list_for_each_safe (it, &im->spares)
        import_piece_free(container_of(it, struct import_piece, step.link));
    if (im->filling != NULL)
        import_piece_free(im->filling);
    if (im->in_file)
        file_builder_release(&im->file);
    im->clock->set(im->clock, &im->kick, MTIME_NEVER);
    mem_free(im->pin_name);
    mem_free(im->path);
    mem_free(im->roots);
    mem_free(im);
}

/* Nothing is planned or made any more; what jobs have comes back later. */
static void stop(struct import *im)
{
    list_for_each_safe (it, &im->steps) {
        struct import_step *s = container_of(it, struct import_step, link);
        list_remove(it);
        if (s->kind != IMPORT_STEP_PIECE)
            continue;
        struct import_piece *p = container_of(s, struct import_piece, step);
        if (p->done)
            import_piece_give(p);
    }
    im->steps_count = 0;
    im->walk = NULL;
    list_for_each (it, &im->dirs)
        import_dir_planned(container_of(it, struct import_dir, link));
}

void import_fail(struct import *im, enum err err, enum error_id id,
                 const char *what, struct bytes where)
{
    if (im->state != IMPORT_RUNNING && im->state != IMPORT_FINISHING)
        return;
    im->err = err;
    fault_set(&im->fault, id, what, where);
    im->state = IMPORT_FAILED;
    stop(im);
}

static enum error_id id_of_disk(enum err err, const char **ret_what)
{
    *ret_what = NULL;
    if (err == E_REFUSED)
        return ERROR_PERMISSION;
    if (err != E_LIMIT)
        return error_of_err(err);
    *ret_what = "a name is too long, or too many files are open or folders "
                "within each other";
    return ERROR_LIMIT;
}

void import_fail_disk(struct import *im, enum err err, bool changed,
                      const struct import_dir *d, size_t index)
{
    const char *what = NULL;
    struct bytes path = import_path(im, d, index, true);
    enum error_id id = changed ? ERROR_CHANGED_FILE : id_of_disk(err, &what);

    import_fail(im, err, id, what, path);
}

static void fail_storing(struct import *im)
{
    if (im->state != IMPORT_RUNNING && im->state != IMPORT_FINISHING)
        return;
    im->err = storing_err(im->storing);
    im->fault = *storing_fault(im->storing);
    im->state = IMPORT_FAILED;
    stop(im);
}

void import_pause(struct import *im, bool paused)
{
    im->paused = paused;
    if (!paused)
        im->clock->set(im->clock, &im->kick, im->clock->now(im->clock));
}

void import_free(struct import *im)
{
    if (im == NULL)
        return;
    if (im->state == IMPORT_RUNNING || im->state == IMPORT_FINISHING)
        stop(im);
    im->state = IMPORT_ENDED;
    im->freed = true;
    storing_free(im->storing);
    im->storing = NULL;
    if (im->busy == 0)
        destroy(im);
}

/* Turning. */

void import_job_begin(struct import *im, struct pool_job *job,
                      enum pool_kind kind)
{
    im->busy++;
    im->pool->submit(im->pool, job, kind);
}

bool import_job_end(struct import *im)
{
    assert(im->busy > 0);
    im->busy--;
    return im->state == IMPORT_RUNNING;
}

static void end(struct import *im, struct mtime now)
{
    im->state = IMPORT_ENDED;
    im->config.done(im->config.user, im->err, now);
}

static void on_done(void *user, enum err err, struct mtime now)
{
    struct import *im = user;

    if (err != OK)
        fail_storing(im);
    else if (im->state == IMPORT_FINISHING)
        im->state = IMPORT_STORED;
    import_pump(im, now);
}

static void on_change(void *user, struct mtime now)
{
    import_pump(user, now);
}

static void finish(struct import *im)
{
    struct storing_roots roots = {.cids = im->roots};

    im->state = IMPORT_FINISHING;
    if (im->storing == NULL) {
        im->state = IMPORT_STORED;
        return;
    }
    if (!im->config.no_pin) {
        roots.count = im->roots_count;
        roots.name = im->config.name;
    }
    storing_finish(im->storing, &roots);
}

static bool is_complete(const struct import *im)
{
    return im->walk == NULL && list_empty(&im->steps) && !im->is_stream;
}

static void turn(struct import *im, struct mtime now)
{
    while (im->state == IMPORT_RUNNING) {
        bool made = import_make(im, now);
        if (im->state == IMPORT_RUNNING && im->storing != NULL &&
            storing_err(im->storing) != OK)
            fail_storing(im);
        if (im->state != IMPORT_RUNNING)
            break;
        if (!import_plan(im) && !made)
            break;
    }
    if (im->state == IMPORT_RUNNING && is_complete(im))
        finish(im);
}

void import_pump(struct import *im, struct mtime now)
{
    im->busy++;
    turn(im, now);
    if (im->state == IMPORT_RUNNING)
        import_stream_turn(im, now);
    if (im->state == IMPORT_FAILED || im->state == IMPORT_STORED)
        end(im, now);
    im->busy--;
    if (im->freed && im->busy == 0)
        destroy(im);
}

static void on_kick(struct timer *t, struct mtime now)
{
    import_pump(container_of(t, struct import, kick), now);
}

/* The beginning. */

static void set_piece_room(struct import *im)
{
    size_t chunk = im->config.profile.chunk_bytes;
    size_t leaves = chunk < IMPORT_PIECE_BYTES ? IMPORT_PIECE_BYTES / chunk : 1;
    size_t bytes = chunk < IMPORT_PIECE_BYTES ? IMPORT_PIECE_BYTES : chunk;

    im->piece_leaves = leaves < IMPORT_LEAVES_MAX ? leaves : IMPORT_LEAVES_MAX;
    im->piece_room =
        bytes + (size_t)IMPORT_LEAVES_MAX * (LEAF_HEAD_MAX + LEAF_TAIL_MAX);
}

static char *copy_name(struct bytes name)
{
    char *copy = mem_alloc(name.len + 1);

    if (name.len > 0)
        memcpy(copy, name.p, name.len);
    copy[name.len] = '\0';
    return copy;
}

struct import *import_new(struct node *n, const struct import_config *config)
{
    struct import *im = mem_zalloc(1, sizeof(*im));
    struct env *env = node_env(n);
    struct storing_config storing = {
        .on_change = on_change,
        .done = on_done,
        .user = im,
    };

    im->config = *config;
    im->pin_name = copy_name(config->name);
    im->config.name.p = (const uint8_t *)im->pin_name;
    im->node = n;
    im->disk = env->disk;
    im->pool = env->pool;
    im->clock = env->clock;
    im->state = IMPORT_RUNNING;
    timer_init(&im->kick, on_kick);
    list_init(&im->dirs);
    list_init(&im->steps);
    list_init(&im->spares);
    list_init(&im->ahead);
    set_piece_room(im);
    if (!config->only_hash)
        im->storing = storing_new(n, &storing);
    return im;
}

struct import *import_paths(struct node *n, const struct import_config *config,
                            const char *const *paths, size_t count)
{
    struct import *im = import_new(n, config);

    im->walk = import_dir_top(im, paths, count);
    import_dir_list(im->walk);
    return im;
}

struct import_progress import_progress(const struct import *im)
{
    return im->progress;
}

const struct fault *import_fault(const struct import *im)
{
    return &im->fault;
}
