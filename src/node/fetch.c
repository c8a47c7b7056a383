#include "node/fetch.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/exchange.h"
#include "node/finding.h"
#include "node/node.h"
#include "node/store_waiter.h"

/* The store's look for one block; lives until the store has answered. */
struct fetch_read {
    struct store_get_op get;
    struct fetch_op *op; /* NULL: nobody waits any more */
};

/* A lease, ended when the fetch is freed and nothing is written under it. */
struct fetch_lease {
    struct store_lease *lease;
    size_t refs;
};

/* A block on its way into the store; lives until it is there. */
struct fetch_put {
    struct store_put_op put;
    struct node *node;
    struct fetch *fetch;       /* NULL: freed */
    struct fetch_lease *lease; /* NULL: cache */
    struct block *block;
    struct list link; /* in f->puts, or in f->held */
};

/* fetch_sync() under way; lives until the store has answered. */
struct fetch_wait {
    struct store_op sync;
    struct fetch_sync_op *op; /* NULL: freed */
};

enum {
    RETRY_MS = 10,  /* no room at the store, or in the session */
    FIND_MS = 500,  /* a download that lasts so long looks for more sources */
    FIND_STALL_MS = 5000, /* and again one that gets nothing for so long */
    FOUND_MS = 2000, /* those that were found have so long to say what they
                        have */
};

struct fetch {
    struct node *node;
    struct fetch_config config;
    struct fetch_lease *lease; /* NULL: cache */
    struct exchange_session session;
    bool has_session;
    uint64_t next_id;
    struct list queued; /* to be started when there is room again */
    struct list others; /* READING or ASKED */
    struct list ended;  /* @done to be called */
    struct map asked;   /* by want_id */
    struct list puts;   /* struct fetch_put, at the store */
    struct list held;   /* struct fetch_put, the store was full */
    size_t held_bytes;
    size_t unwritten_bytes; /* of both: memory until the disk has it */
    size_t puts_count;
    struct store_waiter waiter;
    struct timer timer;
    struct mtime progress_at; /* when something came last */
    struct mtime nobody_at;   /* when those that are missing are given up */
    struct mtime retry_at;    /* when those that are queued are tried again */
    struct mtime find_at;     /* when other sources are looked for */
    struct finding *finding;  /* NULL: not yet */
    struct multihash root;    /* of the first block that was wanted */
    bool has_root;
    bool found;               /* and it is over */
    uint64_t epoch;
    enum err put_err; /* first that a lease's block could not be stored for */
    struct fetch_sync_op *sync;
    struct fault fault;
    unsigned busy; /* callbacks under way, one in the other */
    bool dead;     /* fetch_free() was called from one */
};

static struct mtime clock_now(const struct fetch *f)
{
    struct clock *clock = node_env(f->node)->clock;

    return clock->now(clock);
}

static uint32_t timeout_of(const struct fetch *f)
{
    return f->config.timeout_ms > 0 ? f->config.timeout_ms : FETCH_TIMEOUT_MS;
}

static void set_timer(struct fetch *f)
{
    struct clock *clock = node_env(f->node)->clock;
    struct mtime at = f->nobody_at;

    if (!list_empty(&f->ended))
        at = clock->now(clock);
    else if (f->asked.count > 0)
        at = mtime_min(at, mtime_add_ms(f->progress_at, timeout_of(f)));
    at = mtime_min(at, mtime_min(f->retry_at, f->find_at));
    clock->set(clock, &f->timer, at);
}

/* Take @op out of whatever it is in. */
static void unlink_op(struct fetch_op *op)
{
    struct fetch *f = op->fetch;

    if (op->state == FETCH_ASKED)
        map_remove(&f->asked, &op->by_id);
    if (op->read != NULL)
        op->read->op = NULL;
    op->read = NULL;
    list_remove(&op->link);
}

static void put_in(struct list *head, struct fetch_op *op, int state)
{
    switch (state) {
    case FETCH_QUEUED:
        op->state = FETCH_QUEUED;
        break;
    case FETCH_READING:
        op->state = FETCH_READING;
        break;
    case FETCH_ASKED:
        op->state = FETCH_ASKED;
        break;
    default:
        op->state = FETCH_ENDED;
        break;
    }
    list_add_tail(head, &op->link);
}

/* What there is no room for may be in the way of others' wants: nobody tells
 * when there is room again, so look. */
static void put_off(struct fetch *f, struct fetch_op *op)
{
    put_in(&f->queued, op, FETCH_QUEUED);
    if (f->retry_at.ns == MTIME_NEVER.ns)
        f->retry_at = mtime_add_ms(clock_now(f), RETRY_MS);
    set_timer(f);
}

/* @done is called from the timer, so never from inside a call. */
static void end_op(struct fetch_op *op, enum err err)
{
    struct fetch *f = op->fetch;

    unlink_op(op);
    op->err = err;
    put_in(&f->ended, op, FETCH_ENDED);
    set_timer(f);
}

/* Tell @op; false when that freed the fetch. */
static bool tell(struct fetch *f, struct fetch_op *op, enum err err,
                 struct block *block, struct mtime now)
{
    f->busy++;
    op->fetch = NULL;
    op->done(op, err, block, now);
    f->busy--;
    bool alive = !f->dead;
    if (!alive && f->busy == 0)
        mem_free(f);
    return alive;
}

static void set_fault(struct fetch *f, const struct fetch_op *op,
                      enum error_id id, const char *what)
{
    char text[CID_TEXT_MAX];
    size_t len = cid_format(&op->cid, text);

    fault_set(&f->fault, id, what, (struct bytes){(uint8_t *)text, len});
}

static void tell_search(const struct fetch *f, struct strbuf *what)
{
    if (f->finding == NULL)
        return;
    struct finding_counts counts = finding_counts(f->finding);
    if (counts.found == 0) {
        strbuf_str(what, "; the DHT knows nobody who does");
        return;
    }
    strbuf_str(what, "; the DHT names ");
    strbuf_u64(what, counts.found);
    strbuf_str(what, " more, of which ");
    strbuf_u64(what, counts.failed);
    strbuf_str(what, " could not be reached");
}

static void fault_nobody(struct fetch *f, const struct fetch_op *op)
{
    struct exchange *x = node_exchange(f->node);
    struct strbuf what;

    if (op->err == E_CORRUPT) {
        set_fault(f, op, ERROR_CORRUPT_BLOCK,
                  "the block is damaged here, and no peer gave another copy");
        return;
    }
    if (f->config.local_only || x == NULL) {
        set_fault(f, op, ERROR_NOT_FOUND, "the block is not on this node");
        return;
    }
    strbuf_init(&what, FAULT_TEXT_MAX);
    if (exchange_peers(x) == 0) {
        strbuf_str(&what, "the block is not here, and no peer is connected");
    } else {
        strbuf_str(&what, "the block is not here, and none of ");
        strbuf_u64(&what, exchange_peers(x));
        strbuf_str(&what, " connected peers has it");
    }
    tell_search(f, &what);
    set_fault(f, op, ERROR_NOT_FOUND, strbuf_cstr(&what));
    strbuf_release(&what);
}

/* Asking peers. */

static void on_source(void *user, const struct peer_id *peer, struct mtime now)
{
    fetch_add_source(user, peer, now);
}

/* Look for others who have it.  Who has the root of a DAG most often has all,
 * and may have announced nothing else; who has @missing, if not NULL, is asked
 * for too. */
static void find(struct fetch *f, const struct cid *missing, struct mtime now)
{
    struct finding_config config = {.source = on_source, .user = f};

    f->find_at = mtime_add_ms(now, FINDING_AGAIN_MS);
    if (f->finding == NULL)
        f->finding = finding_new(f->node, &config, now);
    if (f->finding == NULL)
        return;
    if (f->has_root)
        finding_look(f->finding, &f->root, now);
    if (missing != NULL)
        finding_look(f->finding, &missing->hash, now);
    finding_again(f->finding, now);
    f->found = f->found && finding_is_over(f->finding);
}

static void note_missing(struct fetch *f, struct fetch_op *op, struct mtime now)
{
    op->missing = true;
    find(f, &op->cid, now);
    if (f->nobody_at.ns == MTIME_NEVER.ns)
        f->nobody_at =
            mtime_add_ms(now, f->config.timeout_ms > 0 ? f->config.timeout_ms
                                                       : FETCH_NOBODY_MS);
    set_timer(f);
}

static void on_got(struct exchange_session *s, uint64_t want_id,
                   const struct cid *cid, struct slice data, struct mtime now);
static void on_missing(struct exchange_session *s, uint64_t want_id,
                       struct mtime now);

static bool open_session(struct fetch *f)
{
    struct exchange *x = node_exchange(f->node);

    if (f->has_session)
        return true;
    if (x == NULL || f->config.local_only)
        return false;
    f->session.got = on_got;
    f->session.missing = on_missing;
    enum bs_class class = f->config.urgent ? BS_CLASS_URGENT : BS_CLASS_NORMAL;
    f->has_session = exchange_session_open(x, class, &f->session) == OK;
    return f->has_session;
}

/* @op is in no list. */
static void ask(struct fetch *f, struct fetch_op *op, struct mtime now)
{
    if (!open_session(f)) {
        fault_nobody(f, op);
        op->err = op->err == E_CORRUPT ? E_CORRUPT : E_NOTFOUND;
        put_in(&f->ended, op, FETCH_ENDED);
        set_timer(f);
        return;
    }
    op->want_id = ++f->next_id;
    op->missing = false;
    struct bs_want want = {
        .cid = op->cid,
        .id = op->want_id,
        .priority = op->priority,
        .size_hint = op->size_hint,
    };
    struct exchange *x = node_exchange(f->node);
    enum err err = exchange_want(x, &f->session, &want, now);
    if (err == E_LIMIT) {
        put_off(f, op);
        return;
    }
    if (err != OK) {
        set_fault(f, op, ERROR_BAD_CID,
                  "no peer can be asked for a block by this hash");
        op->err = err;
        put_in(&f->ended, op, FETCH_ENDED);
        set_timer(f);
        return;
    }
    if (f->asked.count == 0)
        f->progress_at = now;
    if (f->find_at.ns == MTIME_NEVER.ns)
        f->find_at = mtime_add_ms(now, FIND_MS);
    map_put(&f->asked, &op->by_id,
            (struct bytes){(const uint8_t *)&op->want_id, sizeof(op->want_id)});
    put_in(&f->others, op, FETCH_ASKED);
    set_timer(f);
    if (exchange_peers(x) == 0)
        note_missing(f, op, now);
}

/* Looking here. */

static void start(struct fetch *f, struct fetch_op *op, struct mtime now);

static void start_queued(struct fetch *f, struct mtime now)
{
    struct list again;

    f->retry_at = MTIME_NEVER;
    list_init(&again);
    while (!list_empty(&f->queued)) {
        struct list *first = list_first(&f->queued);
        list_remove(first);
        list_add_tail(&again, first);
    }
    while (!list_empty(&again)) {
        struct list *first = list_first(&again);
        list_remove(first);
        start(f, container_of(first, struct fetch_op, link), now);
    }
}

static void read_done(struct store_get_op *get, enum err err,
                      struct block *block, struct mtime now)
{
    struct fetch_read *read = container_of(get, struct fetch_read, get);
    struct fetch_op *op = read->op;

    mem_free(read);
    if (op == NULL) {
        block_unref(block);
        return;
    }
    struct fetch *f = op->fetch;
    op->read = NULL;
    list_remove(&op->link);
    if (err != OK) {
        op->err = err;
        ask(f, op, now);
        return;
    }
    if (f->lease != NULL)
        store_lease_keep(f->lease->lease, &op->cid.hash);
    bool alive = tell(f, op, OK, block, now);
    block_unref(block);
    if (alive && !list_empty(&f->queued))
        start_queued(f, now);
}

/* While the index is being filled nobody can say what is not here. */
static bool is_rebuilding(const struct fetch *f)
{
    struct store_stats stats;

    store_stats(node_store(f->node), &stats);
    return stats.rebuilding;
}

/* @op is in no list. */
static void start(struct fetch *f, struct fetch_op *op, struct mtime now)
{
    if (f->unwritten_bytes > FETCH_UNWRITTEN_BYTES_MAX) {
        put_off(f, op); /* the disk is slower than what comes */
        return;
    }
    struct fetch_read *read = mem_zalloc(1, sizeof(*read));

    read->get.done = read_done;
    read->op = op;
    op->err = E_NOTFOUND;
    enum err err = store_get(node_store(f->node), &read->get, &op->cid);
    if (err == OK) {
        op->read = read;
        put_in(&f->others, op, FETCH_READING);
        return;
    }
    mem_free(read);
    if (err == E_AGAIN || (err == E_NOTFOUND && is_rebuilding(f))) {
        put_off(f, op);
        return;
    }
    op->err = err;
    ask(f, op, now);
}

void fetch_get(struct fetch *f, struct fetch_op *op, const struct cid *cid,
               uint32_t size_hint, int32_t priority)
{
    assert(op->fetch == NULL);

    if (!f->has_root && !cid_is_identity(cid)) {
        f->root = cid->hash;
        f->has_root = true;
    }
    op->cid = *cid;
    op->fetch = f;
    op->read = NULL;
    op->size_hint = size_hint;
    op->priority = priority;
    list_init(&op->link);
    start(f, op, clock_now(f));
}

void fetch_cancel(struct fetch_op *op)
{
    struct fetch *f = op->fetch;
    if (f == NULL)
        return;

    bool asked = op->state == FETCH_ASKED;
    unlink_op(op);
    op->fetch = NULL;
    if (asked) {
        exchange_unwant(node_exchange(f->node), &f->session, op->want_id,
                        clock_now(f));
    }
    set_timer(f);
}

/* Storing what came. */

static struct fetch_lease *lease_ref(struct fetch_lease *l)
{
    if (l != NULL)
        l->refs++;
    return l;
}

static void lease_unref(struct fetch_lease *l)
{
    if (l == NULL || --l->refs > 0)
        return;
    store_lease_end(l->lease);
    mem_free(l);
}

static void put_ended(struct fetch_put *put, enum err err, struct mtime now);

static void put_done(struct store_put_op *op, enum err err, struct mtime now)
{
    struct fetch_put *put = container_of(op, struct fetch_put, put);
    struct fetch *f = put->fetch;

    put_ended(put, err, now);
    if (f == NULL || list_empty(&f->queued) ||
        f->unwritten_bytes > FETCH_UNWRITTEN_BYTES_MAX)
        return;
    start_queued(f, now);
    set_timer(f);
}

static void maybe_sync(struct fetch *f);

static void put_ended(struct fetch_put *put, enum err err, struct mtime now)
{
    struct fetch *f = put->fetch;
    struct exchange *x = node_exchange(put->node);

    (void)now;
    list_remove(&put->link);
    if (err == OK && x != NULL)
        exchange_stored(x, &put->block->cid);
    if (f != NULL) {
        f->puts_count--;
        f->unwritten_bytes -= put->block->data.bytes.len;
        if (err != OK && f->put_err == OK)
            f->put_err = err;
        maybe_sync(f);
    }
    lease_unref(put->lease);
    block_unref(put->block);
    mem_free(put);
}

/* Give @put, which is in no list, to the store. */
static void put_start(struct fetch *f, struct fetch_put *put, struct mtime now)
{
    struct store_lease *lease = f->lease != NULL ? f->lease->lease : NULL;
    unsigned flags =
        STORE_UNSYNCED | (lease != NULL ? STORE_KEEP : STORE_CACHE);
    enum err err =
        store_put(node_store(f->node), &put->put, put->block, flags, lease);
    size_t len = put->block->data.bytes.len;

    if (err == OK) {
        list_add_tail(&f->puts, &put->link);
        return;
    }
    /* A cache that can't keep up may lose a block; a lease may not. */
    bool hold =
        err == E_AGAIN &&
        (lease != NULL || f->held_bytes + len <= FETCH_UNWRITTEN_BYTES_MAX);
    if (hold) {
        list_add_tail(&f->held, &put->link);
        f->held_bytes += len;
        node_wait_store(f->node, &f->waiter);
        return;
    }
    list_init(&put->link);
    put_ended(put, err, now);
}

static void on_store_writable(struct store_waiter *w, struct mtime now)
{
    struct fetch *f = container_of(w, struct fetch, waiter);
    struct list again;

    list_init(&again);
    while (!list_empty(&f->held)) {
        struct list *first = list_first(&f->held);
        list_remove(first);
        list_add_tail(&again, first);
    }
    f->held_bytes = 0;
    while (!list_empty(&again)) {
        struct list *first = list_first(&again);
        list_remove(first);
        put_start(f, container_of(first, struct fetch_put, link), now);
    }
}

static void keep_block(struct fetch *f, struct block *block, struct mtime now)
{
    struct fetch_put *put = mem_zalloc(1, sizeof(*put));

    put->put.done = put_done;
    put->node = f->node;
    put->fetch = f;
    put->lease = lease_ref(f->lease);
    put->block = block_ref(block);
    f->puts_count++;
    f->unwritten_bytes += block->data.bytes.len;
    put_start(f, put, now);
}

static struct fetch_op *op_of_want(struct fetch *f, uint64_t want_id)
{
    struct map_node *n = map_get(
        &f->asked, (struct bytes){(const uint8_t *)&want_id, sizeof(want_id)});

    return n != NULL ? container_of(n, struct fetch_op, by_id) : NULL;
}

static void on_got(struct exchange_session *s, uint64_t want_id,
                   const struct cid *cid, struct slice data, struct mtime now)
{
    struct fetch *f = container_of(s, struct fetch, session);
    struct fetch_op *op = op_of_want(f, want_id);
    struct block *block = block_trust(cid, data);

    f->progress_at = now;
    keep_block(f, block, now);
    if (op != NULL) {
        unlink_op(op);
        if (!tell(f, op, OK, block, now)) {
            block_unref(block);
            return;
        }
    }
    block_unref(block);
    start_queued(f, now);
    set_timer(f);
}

static void on_missing(struct exchange_session *s, uint64_t want_id,
                       struct mtime now)
{
    struct fetch *f = container_of(s, struct fetch, session);
    struct fetch_op *op = op_of_want(f, want_id);

    if (op != NULL)
        note_missing(f, op, now);
}

/* Deadlines. */

static void give_up(struct fetch *f, struct fetch_op *op, bool timed_out)
{
    struct exchange *x = node_exchange(f->node);
    struct strbuf what;

    exchange_unwant(x, &f->session, op->want_id, clock_now(f));
    if (!timed_out) {
        fault_nobody(f, op);
        end_op(op, op->err == E_CORRUPT ? E_CORRUPT : E_NOTFOUND);
        return;
    }
    strbuf_init(&what, FAULT_TEXT_MAX);
    strbuf_str(&what, "no block came for ");
    strbuf_u64(&what, timeout_of(f) / 1000);
    strbuf_str(&what, " s from ");
    strbuf_u64(&what, exchange_peers(x));
    strbuf_str(&what, " connected peers");
    set_fault(f, op, ERROR_TIMEOUT, strbuf_cstr(&what));
    strbuf_release(&what);
    end_op(op, E_TIMEOUT);
}

static void give_up_some(struct fetch *f, bool timed_out)
{
    list_for_each_safe (it, &f->others) {
        struct fetch_op *op = container_of(it, struct fetch_op, link);
        if (op->state == FETCH_ASKED && (timed_out || op->missing))
            give_up(f, op, timed_out);
    }
}

/* The oldest block that is wanted stands for all. */
static void find_more(struct fetch *f, struct mtime now)
{
    bool stalls =
        mtime_reached(now, mtime_add_ms(f->progress_at, FIND_STALL_MS));

    f->find_at = MTIME_NEVER;
    if (f->asked.count == 0)
        return;
    f->find_at = mtime_add_ms(now, FINDING_AGAIN_MS);
    if (f->finding == NULL || stalls)
        find(f, NULL, now);
}

/* Without a timeout of the user's the search has its time, and those that it
 * found have theirs. */
static bool still_finding(struct fetch *f, struct mtime now)
{
    if (f->finding == NULL || f->config.timeout_ms > 0 || f->found)
        return false;
    f->found = finding_is_over(f->finding);
    f->nobody_at = mtime_add_ms(now, f->found ? FOUND_MS : FIND_MS);
    return !f->found || finding_counts(f->finding).connected > 0;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct fetch *f = container_of(t, struct fetch, timer);

    if (mtime_reached(now, f->retry_at))
        start_queued(f, now);
    if (mtime_reached(now, f->find_at))
        find_more(f, now);
    if (mtime_reached(now, f->nobody_at) && !still_finding(f, now)) {
        f->nobody_at = MTIME_NEVER;
        give_up_some(f, false);
    }
    if (f->asked.count > 0 &&
        mtime_reached(now, mtime_add_ms(f->progress_at, timeout_of(f))))
        give_up_some(f, true);
    while (!list_empty(&f->ended)) {
        struct list *first = list_first(&f->ended);
        struct fetch_op *op = container_of(first, struct fetch_op, link);
        list_remove(first);
        if (!tell(f, op, op->err, NULL, now))
            return;
    }
    set_timer(f);
}

/* Life. */

struct fetch *fetch_new(struct node *n, const struct fetch_config *config)
{
    struct fetch *f = mem_zalloc(1, sizeof(*f));
    uint8_t seed[16];

    f->node = n;
    f->config = *config;
    f->nobody_at = MTIME_NEVER;
    f->retry_at = MTIME_NEVER;
    f->find_at = MTIME_NEVER;
    f->epoch = store_epoch(node_store(n));
    if (config->keep) {
        f->lease = mem_zalloc(1, sizeof(*f->lease));
        f->lease->refs = 1;
        f->lease->lease = store_lease_new(node_store(n));
    }
    node_random(n, seed, sizeof(seed));
    map_init(&f->asked, seed);
    list_init(&f->queued);
    list_init(&f->others);
    list_init(&f->ended);
    list_init(&f->puts);
    list_init(&f->held);
    f->waiter.writable = on_store_writable;
    list_init(&f->waiter.link);
    timer_init(&f->timer, on_timer);
    return f;
}

static void drop_ops(struct list *head)
{
    list_for_each_safe (it, head) {
        struct fetch_op *op = container_of(it, struct fetch_op, link);
        unlink_op(op);
        op->fetch = NULL;
    }
}

static void drop_puts(struct fetch *f)
{
    list_for_each_safe (it, &f->puts) {
        struct fetch_put *put = container_of(it, struct fetch_put, link);
        list_remove(it);
        put->fetch = NULL;
    }
    list_for_each_safe (it, &f->held) {
        struct fetch_put *put = container_of(it, struct fetch_put, link);
        list_remove(it);
        lease_unref(put->lease);
        block_unref(put->block);
        mem_free(put);
    }
}

void fetch_leave(struct fetch *f)
{
    drop_ops(&f->queued);
    drop_ops(&f->others);
    drop_ops(&f->ended);
    if (f->has_session) {
        exchange_session_close(node_exchange(f->node), &f->session,
                               clock_now(f));
    }
    f->has_session = false;
    finding_free(f->finding);
    f->finding = NULL;
    f->nobody_at = MTIME_NEVER;
    f->retry_at = MTIME_NEVER;
    f->find_at = MTIME_NEVER;
    set_timer(f);
}

void fetch_free(struct fetch *f)
{
    if (f == NULL)
        return;
    struct clock *clock = node_env(f->node)->clock;
    fetch_leave(f);
    clock->set(clock, &f->timer, MTIME_NEVER);
    drop_puts(f);
    if (f->sync != NULL && f->sync->wait != NULL)
        f->sync->wait->op = NULL;
    list_remove(&f->waiter.link);
    lease_unref(f->lease);
    map_release(&f->asked);
    f->dead = true;
    if (f->busy == 0)
        mem_free(f); /* else tell() does */
}

void fetch_add_source(struct fetch *f, const struct peer_id *peer,
                      struct mtime now)
{
    if (open_session(f))
        exchange_session_add_source(node_exchange(f->node), &f->session, peer,
                                    now);
}

const struct fetch_config *fetch_how(const struct fetch *f,
                                     struct node **ret_node)
{
    *ret_node = f->node;
    return &f->config;
}

const struct fault *fetch_fault(const struct fetch *f)
{
    return &f->fault;
}

size_t fetch_sources(const struct fetch *f, struct bs_source *dst, size_t max)
{
    return f->has_session ? bs_session_sources(f->session.core, dst, max) : 0;
}

/* Durability. */

static void sync_done(struct store_op *sync, enum err err, struct mtime now)
{
    struct fetch_wait *wait = container_of(sync, struct fetch_wait, sync);
    struct fetch_sync_op *op = wait->op;

    mem_free(wait);
    if (op == NULL)
        return;
    struct fetch *f = op->fetch;
    op->wait = NULL;
    f->sync = NULL;
    if (err == OK)
        err = f->put_err;
    if (err != OK)
        fault_from_err(&f->fault, err, "the blocks could not be stored",
                       BYTES_EMPTY);
    op->done(op, err, now);
}

static void maybe_sync(struct fetch *f)
{
    if (f->sync == NULL || f->sync->wait != NULL || f->puts_count > 0)
        return;
    struct fetch_wait *wait = mem_zalloc(1, sizeof(*wait));
    wait->sync.done = sync_done;
    wait->op = f->sync;
    f->sync->wait = wait;
    store_sync(node_store(f->node), &wait->sync, f->epoch);
}

void fetch_sync(struct fetch *f, struct fetch_sync_op *op)
{
    assert(f->sync == NULL);

    op->fetch = f;
    op->wait = NULL;
    f->sync = op;
    maybe_sync(f);
}
