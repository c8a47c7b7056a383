#include "node/walking.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "ipld/dag_walk.h"
#include "node/fetch.h"
#include "node/node.h"
#include "node/resolving.h"

enum {
    AHEAD_MAX = 32, /* blocks fetched before their turn */
    AHEAD_BYTES_MAX = 16 * 1024 * 1024,
    STEPS_MAX = 64, /* blocks in one go, then others have theirs */
};

/* A block that is fetched, or waits for its turn. */
struct walking_want {
    struct fetch_op op;
    struct walking *walking;
    struct block *block; /* NULL: not here yet, or not to be had */
    enum err err;        /* E_AGAIN: not here yet */
    struct list link;
};

struct walking {
    struct node *node;
    struct walking_config config;
    struct fetch *fetch;
    struct fetch *below; /* what is below comes from here; may be @fetch */
    struct resolving resolving;
    struct dag_walk core;
    bool has_core;
    bool paused;
    bool walked; /* no block is left */
    bool told;   /* done was, or will be, called */
    enum err err;
    struct list wants; /* in the order of their start */
    size_t wants_count;
    size_t held_bytes;
    uint64_t turns; /* blocks so far */
    struct fetch_sync_op sync;
    struct timer timer;
    struct fault fault;
    bool busy; /* in a callback */
    bool dead; /* walking_free() was called from there */
};

static void wake(struct walking *w)
{
    struct clock *clock = node_env(w->node)->clock;

    clock->set(clock, &w->timer, clock->now(clock));
}

static void fail(struct walking *w, enum err err)
{
    if (w->err == OK)
        w->err = err;
    wake(w);
}

static void free_want(struct walking_want *want)
{
    struct walking *w = want->walking;

    fetch_cancel(&want->op);
    if (want->block != NULL)
        w->held_bytes -= want->block->data.bytes.len;
    block_unref(want->block);
    list_remove(&want->link);
    w->wants_count--;
    mem_free(want);
}

static struct walking_want *find_want(struct walking *w, const struct cid *cid)
{
    list_for_each (it, &w->wants) {
        struct walking_want *want = container_of(it, struct walking_want, link);
        if (cid_eq(&want->op.cid, cid))
            return want;
    }
    return NULL;
}

static void on_fetched(struct fetch_op *op, enum err err, struct block *block,
                       struct mtime now)
{
    struct walking_want *want = container_of(op, struct walking_want, op);
    struct walking *w = want->walking;

    (void)now;
    want->err = err;
    if (err == OK) {
        want->block = block_ref(block);
        w->held_bytes += block->data.bytes.len;
    } else if (!w->config.skip_missing) {
        w->fault = *fetch_fault(w->below);
    }
    if (!w->paused)
        wake(w);
}

static void want_block(struct walking *w, const struct cid *cid,
                       int32_t priority)
{
    struct walking_want *want = mem_zalloc(1, sizeof(*want));

    want->walking = w;
    want->err = E_AGAIN;
    want->op.done = on_fetched;
    list_add_tail(&w->wants, &want->link);
    w->wants_count++;
    fetch_get(w->below, &want->op, cid, 0, priority);
}

static void want_ahead(struct walking *w)
{
    struct cid ahead[AHEAD_MAX];

    if (w->wants_count >= AHEAD_MAX || w->held_bytes >= AHEAD_BYTES_MAX)
        return;
    size_t count = dag_walk_ahead(&w->core, ahead, AHEAD_MAX - w->wants_count);
    for (size_t i = 0; i < count; i++) {
        if (find_want(w, &ahead[i]) == NULL)
            want_block(w, &ahead[i], 0);
    }
}

/* The block @want names is here, or won't come: its turn. */
static void take_turn(struct walking *w, struct walking_want *want,
                      struct mtime now)
{
    struct cid cid = want->op.cid;
    struct block *block = want->block != NULL ? block_ref(want->block) : NULL;
    enum err err = want->err;

    w->turns++;
    free_want(want);
    if (err != OK && !w->config.skip_missing) {
        fail(w, err);
        return;
    }
    if (block == NULL) {
        dag_walk_on_missing(&w->core);
    } else if (dag_walk_on_block(&w->core, block) == E_LIMIT) {
        char text[CID_TEXT_MAX];
        size_t len = cid_format(&cid, text);
        fault_set(&w->fault, ERROR_LIMIT, "the DAG is too deep or too large",
                  (struct bytes){(uint8_t *)text, len});
        fail(w, E_LIMIT);
    }
    if (w->err == OK)
        w->config.on_block(w->config.user, &cid, block, now);
    block_unref(block);
}

/* What cannot be kept need not be fetched any more. */
static bool can_keep(struct walking *w)
{
    enum err err = w->config.keep ? fetch_store_err(w->fetch) : OK;

    if (err == OK)
        return true;
    fault_from_err(&w->fault, err, "the blocks could not be stored",
                   BYTES_EMPTY);
    fail(w, err);
    return false;
}

/* One block; false when there is nothing to do now. */
static bool step(struct walking *w, struct mtime now)
{
    struct cid cid;
    if (!can_keep(w))
        return false;
    enum err err = dag_walk_next(&w->core, &cid);
    if (err == E_NOTFOUND || (w->config.root_only && w->turns > 0)) {
        w->walked = true;
        return false;
    }
    if (err != OK) {
        fail(w, err);
        return false;
    }
    struct walking_want *want = find_want(w, &cid);
    if (want == NULL) {
        want_block(w, &cid, 1);
        want_ahead(w);
        return false;
    }
    if (want->err == E_AGAIN) {
        want_ahead(w);
        return false;
    }
    take_turn(w, want, now);
    return true;
}

static void on_synced(struct fetch_sync_op *op, enum err err, struct mtime now)
{
    struct walking *w = container_of(op, struct walking, sync);

    if (err != OK)
        w->fault = *fetch_fault(w->fetch);
    /* What was kept is protected on, until long after the network is gone. */
    fetch_leave(w->fetch);
    w->config.done(w->config.user, err, now);
}

static void pump(struct walking *w, struct mtime now)
{
    unsigned steps = 0;

    w->busy = true;
    while (w->err == OK && !w->paused && !w->walked && steps++ < STEPS_MAX) {
        if (!step(w, now) || w->dead)
            break;
    }
    w->busy = false;
    if (w->dead) {
        mem_free(w);
        return;
    }
    if (w->err != OK) {
        w->told = true;
        w->config.done(w->config.user, w->err, now);
        return;
    }
    if (steps > STEPS_MAX)
        wake(w);
    if (!w->walked)
        return;
    w->told = true;
    if (!w->config.keep) {
        w->config.done(w->config.user, OK, now);
        return;
    }
    w->sync.done = on_synced;
    fetch_sync(w->fetch, &w->sync);
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct walking *w = container_of(t, struct walking, timer);

    if (!w->told && (w->has_core || w->err != OK))
        pump(w, now);
}

static void on_resolved(struct resolving *v, enum err err, struct mtime now)
{
    struct walking *w = container_of(v, struct walking, resolving);
    uint8_t seed[16];

    if (err != OK) {
        w->fault = v->fault;
        fail(w, err);
        return;
    }
    node_random(w->node, seed, sizeof(seed));
    struct dag_walk_config config = dag_walk_config_default(seed);
    dag_walk_init(&w->core, &config, &v->result.cid);
    w->has_core = true;
    wake(w); /* before the call: it may free us */
    if (w->config.on_open != NULL)
        w->config.on_open(w->config.user, &v->result.cid, v->result.type,
                          v->result.file_bytes, now);
}

struct walking *walking_new(struct node *n, const struct walking_config *config)
{
    struct walking *w = mem_zalloc(1, sizeof(*w));
    struct fetch_config fetch = {
        .timeout_ms = config->timeout_ms,
        .local_only = config->local_only,
        .keep = config->keep,
        .background = config->background,
    };

    w->node = n;
    w->config = *config;
    w->fetch = fetch_new(n, &fetch);
    w->below = w->fetch;
    if (config->local_below) {
        fetch.local_only = true;
        w->below = fetch_new(n, &fetch);
    }
    list_init(&w->wants);
    timer_init(&w->timer, on_timer);
    w->resolving.done = on_resolved;
    enum err err = resolving_start(&w->resolving, w->fetch, config->path);
    w->config.path = BYTES_EMPTY;
    if (err != OK) {
        w->fault = w->resolving.fault;
        fail(w, err);
    }
    return w;
}

void walking_free(struct walking *w)
{
    if (w == NULL)
        return;
    struct clock *clock = node_env(w->node)->clock;
    clock->set(clock, &w->timer, MTIME_NEVER);
    list_for_each_safe (it, &w->wants) {
        free_want(container_of(it, struct walking_want, link));
    }
    resolving_release(&w->resolving);
    if (w->has_core)
        dag_walk_release(&w->core);
    if (w->below != w->fetch)
        fetch_free(w->below);
    fetch_free(w->fetch);
    w->dead = true;
    if (!w->busy)
        mem_free(w); /* else pump() does */
}

void walking_pause(struct walking *w, bool paused)
{
    w->paused = paused;
    if (!paused)
        wake(w);
}

void walking_add_source(struct walking *w, const struct peer_id *peer,
                        struct mtime now)
{
    fetch_add_source(w->fetch, peer, now);
}

const struct fault *walking_fault(const struct walking *w)
{
    return &w->fault;
}
