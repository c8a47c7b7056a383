/* POST /api/v1/gc, /verify, /fsck: keeping the store in order. */
#include <string.h>

#include "api/api_priv.h"
#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "multiformats/cid.h"
#include "node/fetch.h"
#include "node/node.h"
#include "node/walking.h"
#include "store/store.h"

enum {
    BAD_MAX = 1000,     /* named in an answer */
    REFETCHES_MAX = 32, /* damaged blocks fetched again at a time */
    WAITING_MAX = 16,   /* requests, for another to end */
    TURN_MS = 200,      /* between looks whether it has */
};

/*
 * The store does one collection and one check at a time.  Who asks for another
 * waits and has one of his own then: that of somebody else may have passed what
 * he has unpinned, or what was damaged, since it began.
 */

/* Of a request: its wait. */
struct turn {
    struct request *q;
    struct timer timer;
    bool waits;
    bool waited;
};

static struct clock *clock_of(const struct request *q)
{
    return node_env(q->node)->clock;
}

static void turn_init(struct turn *t, struct request *q,
                      void (*fire)(struct timer *t, struct mtime now))
{
    *t = (struct turn){.q = q};
    timer_init(&t->timer, fire);
}

/* False: too many wait already. */
static bool turn_wait(struct turn *t, struct mtime now)
{
    struct api *api = t->q->api;

    if (!t->waits && api->upkeep_waiting >= WAITING_MAX)
        return false;
    if (!t->waits)
        api->upkeep_waiting++;
    t->waits = true;
    t->waited = true;
    clock_of(t->q)->set(clock_of(t->q), &t->timer, mtime_add_ms(now, TURN_MS));
    return true;
}

/* It is there, or is wanted no more. */
static void turn_end(struct turn *t)
{
    if (!t->waits)
        return;
    t->waits = false;
    t->q->api->upkeep_waiting--;
    clock_of(t->q)->set(clock_of(t->q), &t->timer, MTIME_NEVER);
}

/* gc. */

struct gc {
    struct request *q; /* NULL: nobody waits any more */
    struct store_op op;
    struct turn turn;
    bool running;
};

static void reply_collected(const struct gc *g)
{
    json_t *v = json_pack("{s:I,s:I}", "removed", (json_int_t)g->op.blocks,
                          "bytes", (json_int_t)g->op.bytes);

    if (g->turn.waited)
        json_object_set_new(v, "waited", json_true());
    reply_json(g->q, 200, v);
}

static void on_collected(struct store_op *op, enum err err, struct mtime now)
{
    struct gc *g = container_of(op, struct gc, op);
    struct request *q = g->q;
    struct fault f;

    (void)now;
    if (q != NULL)
        q->op = NULL;
    if (q != NULL && err == OK) {
        reply_collected(g);
    } else if (q != NULL) {
        fault_from_err(&f, err, "the collection ended early", BYTES_EMPTY);
        reply_fault(q, &f);
    }
    mem_free(g);
}

static void cancel_gc(struct request *q)
{
    struct gc *g = q->op;

    if (g == NULL)
        return;
    turn_end(&g->turn);
    g->q = NULL; /* it goes on: what is garbage stays garbage */
    if (!g->running)
        mem_free(g);
}

static void start_gc(struct gc *g, struct mtime now)
{
    enum err err = store_gc(node_store(g->q->node), &g->op);

    if (err == E_AGAIN && turn_wait(&g->turn, now))
        return;
    turn_end(&g->turn);
    g->running = err == OK;
    if (err != OK)
        reply_error(g->q, error_of_err(err),
                    err == E_AGAIN ? "too many wait for a collection" : NULL,
                    NULL);
}

static void on_gc_turn(struct timer *t, struct mtime now)
{
    start_gc(container_of(t, struct gc, turn.timer), now);
}

void handle_gc(struct request *q, struct mtime now)
{
    struct gc *g = mem_zalloc(1, sizeof(*g));

    g->q = q;
    g->op.done = on_collected;
    turn_init(&g->turn, q, on_gc_turn);
    q->op = g;
    q->cancel = cancel_gc;
    start_gc(g, now);
}

/* verify and fsck: a walk over all segments. */

struct check;

struct refetch {
    struct fetch_op op;
    struct check *check;
    size_t index; /* into the damaged ones */
    bool under_way;
};

struct check {
    struct request *q; /* NULL: nobody waits any more */
    struct node *node;
    struct store_check_op op;
    struct store_op flush;
    struct timer progress;
    struct turn turn;
    uint64_t problems_before;
    bool is_fsck;
    bool running;
    json_t *bad;
    json_t *repaired;
    struct fetch *fetch; /* verify: of what was damaged */
    struct refetch again[REFETCHES_MAX];
    size_t under_way; /* of these */
    size_t next;      /* index into @bad */
    bool *came;       /* by that index */
    uint32_t timeout_ms;
};

static void free_check(struct check *c)
{
    struct clock *clock = node_env(c->node)->clock;

    clock->set(clock, &c->progress, MTIME_NEVER);
    fetch_free(c->fetch);
    mem_free(c->came);
    json_decref(c->bad);
    json_decref(c->repaired);
    mem_free(c);
}

static const char *problem_name(enum store_problem_kind kind)
{
    switch (kind) {
    case STORE_BAD_SEGMENT:
        return "bad_segment";
    case STORE_BAD_RECORD:
        return "bad_record";
    case STORE_BAD_BYTES:
        return "bad_bytes";
    case STORE_BAD_HASH:
        return "bad_hash";
    case STORE_MISSING:
        return "missing";
    case STORE_ORPHANED:
        return "orphaned";
    }
    return "bad_record";
}

static void add_bad(struct check *c, const struct multihash *hash)
{
    struct cid cid = cid_from_hash(CODEC_RAW, hash);
    json_t *text = json_cid(&cid);
    const json_t *known;
    size_t i;

    json_array_foreach(c->bad, i, known)
    {
        if (json_equal(known, text)) {
            json_decref(text);
            return;
        }
    }
    json_array_append_new(c->bad, text);
}

/* Problems that this walk found; of those the last are kept. */
static void collect_problems(struct check *c)
{
    struct store_stats stats;
    struct store_problem p;

    store_stats(node_store(c->node), &stats);
    uint64_t found = stats.problems - c->problems_before;
    size_t kept = 0;
    while (store_problem(node_store(c->node), kept, &p))
        kept++;
    size_t from = found < kept ? kept - (size_t)found : 0;
    for (size_t i = from; i < kept && i - from < BAD_MAX; i++) {
        if (!store_problem(node_store(c->node), i, &p))
            break;
        struct cid cid = cid_from_hash(CODEC_RAW, &p.hash);
        if (!c->is_fsck && p.hash.len > 0) {
            add_bad(c, &p.hash);
            continue;
        }
        json_t *v =
            json_pack("{s:s,s:i,s:I}", "kind", problem_name(p.kind), "segment",
                      (int)p.segment, "offset", (json_int_t)p.offset);
        if (p.hash.len > 0)
            json_object_set_new(v, "cid", json_cid(&cid));
        json_array_append_new(c->bad, v);
    }
}

/* What was found damaged before, and has not come again. */
static void collect_quarantined(struct check *c)
{
    struct store_cursor cursor = {.len = 0};
    struct multihash hash;

    while (json_array_size(c->bad) < BAD_MAX &&
           store_quarantined(node_store(c->node), &cursor, &hash) == OK)
        add_bad(c, &hash);
}

static void reply_fsck(struct check *c)
{
    struct store_stats stats;

    store_stats(node_store(c->node), &stats);
    json_t *v = json_pack(
        "{s:I,s:I,s:I,s:I,s:O,s:I,s:I,s:b}", "segments",
        (json_int_t)c->op.segments, "records", (json_int_t)c->op.records,
        "blocks", (json_int_t)c->op.blocks, "bytes", (json_int_t)c->op.bytes,
        "bad", c->bad, "missing", (json_int_t)c->op.missing, "orphaned",
        (json_int_t)c->op.orphaned, "rebuilt", (int)stats.was_rebuilt);
    if (c->turn.waited)
        json_object_set_new(v, "waited", json_true());
    reply_json(c->q, 200, v);
}

static void reply_verified(struct check *c)
{
    lines_json(c->q,
               json_pack("{s:I,s:O,s:O}", "checked", (json_int_t)c->op.blocks,
                         "bad", c->bad, "repaired", c->repaired));
    lines_end(c->q);
}

static void fetch_more(struct check *c);

static void on_again(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct refetch *r = container_of(op, struct refetch, op);
    struct check *c = r->check;

    (void)block;
    (void)now;
    r->under_way = false;
    c->under_way--;
    c->came[r->index] = err == OK;
    fetch_more(c);
}

/* False: there are no more. */
static bool fetch_one(struct check *c, struct refetch *r)
{
    struct cid cid;
    const char *text = json_string_value(json_array_get(c->bad, c->next));

    while (text != NULL && cid_parse(bytes_str(text), &cid) != OK)
        text = json_string_value(json_array_get(c->bad, ++c->next));
    if (text == NULL)
        return false;
    *r = (struct refetch){
        .op.done = on_again, .check = c, .index = c->next++, .under_way = true};
    c->under_way++;
    fetch_get(c->fetch, &r->op, &cid, 0, 0);
    return true;
}

/* What was damaged is fetched again from peers, where there are any. */
static void fetch_more(struct check *c)
{
    bool more = true;

    for (size_t i = 0; more && i < REFETCHES_MAX; i++)
        if (!c->again[i].under_way)
            more = fetch_one(c, &c->again[i]);
    if (c->under_way > 0)
        return;
    for (size_t i = 0; i < json_array_size(c->bad); i++)
        if (c->came[i])
            json_array_append(c->repaired, json_array_get(c->bad, i));
    reply_verified(c);
}

static void on_flushed(struct store_op *op, enum err err, struct mtime now)
{
    struct check *c = container_of(op, struct check, flush);

    (void)err; /* what could be written is listed */
    (void)now;
    c->running = false;
    if (c->q == NULL) {
        free_check(c);
        return;
    }
    collect_problems(c);
    collect_quarantined(c);
    struct fetch_config config = {.timeout_ms = c->timeout_ms};
    c->fetch = fetch_new(c->node, &config);
    c->came = mem_zalloc(json_array_size(c->bad) + 1, sizeof(*c->came));
    fetch_more(c);
}

static void on_checked(struct store_check_op *op, enum err err,
                       struct mtime now)
{
    struct check *c = container_of(op, struct check, op);
    struct clock *clock = node_env(c->node)->clock;
    struct fault f;

    (void)now;
    c->running = false;
    clock->set(clock, &c->progress, MTIME_NEVER);
    if (c->q == NULL) {
        free_check(c);
        return;
    }
    if (err != OK) {
        fault_from_err(&f, err, "the check ended early", BYTES_EMPTY);
        reply_fault(c->q, &f);
        return;
    }
    if (c->is_fsck) {
        collect_problems(c);
        reply_fsck(c);
        return;
    }
    /* What is quarantined is listed from what is committed. */
    c->running = true;
    c->flush.done = on_flushed;
    store_flush(node_store(c->node), &c->flush);
}

static void on_progress(struct timer *t, struct mtime now)
{
    struct check *c = container_of(t, struct check, progress);
    struct clock *clock = node_env(c->node)->clock;
    struct store_stats stats;

    store_stats(node_store(c->node), &stats);
    if (!c->is_fsck && !request_is_full(c->q))
        lines_progress(c->q, c->op.bytes, stats.bytes_on_disk, "bytes");
    clock->set(clock, t, mtime_add_ms(now, PROGRESS_MS));
}

static void cancel_check(struct request *q)
{
    struct check *c = q->op;
    struct clock *clock = node_env(c->node)->clock;

    turn_end(&c->turn);
    c->q = NULL;
    c->op.stop = true;
    clock->set(clock, &c->progress, MTIME_NEVER);
    if (!c->running)
        free_check(c);
}

/* Told at once, and again and again: who hears nothing may give up. */
static void tell_wait(struct check *c, bool first)
{
    struct store_stats stats;

    if (c->is_fsck || request_is_full(c->q))
        return;
    store_stats(node_store(c->node), &stats);
    if (first)
        lines_json(c->q,
                   json_pack("{s:s}", "waiting", "another check is under way"));
    else
        lines_progress(c->q, 0, stats.bytes_on_disk, "bytes");
}

static void start_check(struct check *c, struct mtime now)
{
    struct store *store = node_store(c->node);
    struct clock *clock = node_env(c->node)->clock;
    bool first = !c->turn.waits;
    struct store_stats stats;

    store_stats(store, &stats);
    c->problems_before = stats.problems;
    enum err err =
        c->is_fsck ? store_fsck(store, &c->op) : store_verify(store, &c->op);
    if (err == E_AGAIN && turn_wait(&c->turn, now)) {
        tell_wait(c, first);
        return;
    }
    turn_end(&c->turn);
    c->running = err == OK;
    if (err == OK)
        clock->set(clock, &c->progress, mtime_add_ms(now, PROGRESS_MS));
    else
        reply_error(c->q, error_of_err(err),
                    err == E_AGAIN ? "too many wait for a check" : NULL, NULL);
}

static void on_check_turn(struct timer *t, struct mtime now)
{
    start_check(container_of(t, struct check, turn.timer), now);
}

static void new_check(struct request *q, bool is_fsck, uint32_t timeout_ms,
                      struct mtime now)
{
    struct check *c = mem_zalloc(1, sizeof(*c));

    c->q = q;
    c->node = q->node;
    c->is_fsck = is_fsck;
    c->timeout_ms = timeout_ms;
    c->bad = json_array();
    c->repaired = json_array();
    c->op.done = on_checked;
    timer_init(&c->progress, on_progress);
    turn_init(&c->turn, q, on_check_turn);
    q->op = c;
    q->cancel = cancel_check;
    start_check(c, now);
}

/* verify of one CID: every block below it is hashed. */

struct verify {
    struct request *q;
    struct walking *walking;
    uint64_t checked;
    json_t *bad;
    json_t *missing;
};

static void on_block(void *user, const struct cid *cid, struct block *block,
                     struct mtime now)
{
    struct verify *v = user;

    (void)now;
    if (block == NULL) {
        json_array_append_new(v->missing, json_cid(cid));
        return;
    }
    v->checked++;
    if (cid_verify(cid, block->data.bytes) != OK)
        json_array_append_new(v->bad, json_cid(cid));
}

static void on_walked(void *user, enum err err, struct mtime now)
{
    struct verify *v = user;

    (void)now;
    if (err != OK) {
        reply_fault(v->q, walking_fault(v->walking));
        return;
    }
    json_t *answer =
        json_pack("{s:I,s:O,s:[]}", "checked", (json_int_t)v->checked, "bad",
                  v->bad, "repaired");
    if (json_array_size(v->missing) > 0)
        json_object_set(answer, "missing", v->missing);
    lines_json(v->q, answer);
    lines_end(v->q);
}

static void cancel_verify(struct request *q)
{
    struct verify *v = q->op;

    walking_free(v->walking);
    json_decref(v->bad);
    json_decref(v->missing);
    mem_free(v);
}

void handle_verify(struct request *q, struct mtime now)
{
    const char *cid = request_query(q, "cid");
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    if (!good)
        return;
    if (cid == NULL) {
        new_check(q, false, timeout_ms, now);
        return;
    }
    struct verify *v = mem_zalloc(1, sizeof(*v));
    struct walking_config config = {
        .path = bytes_str(cid),
        .timeout_ms = timeout_ms,
        .skip_missing = true,
        .on_block = on_block,
        .done = on_walked,
        .user = v,
    };
    v->q = q;
    v->bad = json_array();
    v->missing = json_array();
    q->op = v;
    q->cancel = cancel_verify;
    v->walking = walking_new(q->node, &config);
}

void handle_fsck(struct request *q, struct mtime now)
{
    new_check(q, true, 0, now);
}
