#include "node/fetch.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/exchange.h"
#include "node/fetch_puts.h"
#include "node/finding.h"
#include "node/gateways.h"
#include "node/node.h"

/* The store's look for one block; lives until the store has answered. */
struct fetch_read {
    struct store_get_op get;
    struct fetch_op *op; /* NULL: nobody waits any more */
};

enum {
    RETRY_MS = 10, /* no room at the store, or in the session */
    FIND_MS = 500, /* a download that lasts so long looks for more sources */
    FIND_STALL_MS = 5000, /* and again one that gets nothing for so long */
    LOOK_MS = 50,         /* a visitor looks for its first peers */
    FOUND_MS = 2000,      /* those that were found have so long to say what they
                             have */
};

struct fetch {
    struct node *node;
    struct fetch_config config;
    struct fetch_puts puts; /* what came, on its way into the store */
    struct exchange_session session;
    bool has_session;
    uint64_t next_id;
    struct list queued; /* to be started when there is room again */
    struct list others; /* READING or ASKED */
    struct list ended;  /* @done to be called */
    struct map asked;   /* by want_id */
    struct timer timer;
    struct mtime progress_at; /* when something came last */
    struct mtime nobody_at;   /* when those that are missing are given up */
    struct mtime retry_at;    /* when those that are queued are tried again */
    struct mtime find_at;     /* when other sources are looked for */
    struct finding *finding;  /* NULL: not yet */
    struct multihash root;    /* of the first block that was wanted */
    bool has_root;
    bool found; /* and it is over */
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

/* @silent: those that were asked have not answered. */
static void tell_gateways(const struct fetch *f, struct strbuf *what,
                          bool silent)
{
    const struct gateways *g = exchange_gateways(node_exchange(f->node));
    size_t count = gateways_count(g);

    if (count == 0)
        return;
    size_t ready = gateways_ready(g);
    strbuf_str(what, ready == 0 ? "; none of " : "; of ");
    strbuf_u64(what, count);
    strbuf_str(what, count == 1 ? " gateway" : " gateways");
    if (ready > 0)
        strbuf_str(what, silent ? " none gave it" : " none has it");
    if (ready == count)
        return;
    if (ready > 0) {
        strbuf_str(what, ", and ");
        strbuf_u64(what, count - ready);
        strbuf_str(what, " cannot be asked now (");
    } else {
        strbuf_str(what, " can be asked now (");
    }
    strbuf_str(what, gateways_why(g));
    strbuf_str(what, ")");
}

/* What it means for @op that nobody has it, with the fault. */
static enum err fault_nobody(struct fetch *f, const struct fetch_op *op)
{
    struct exchange *x = node_exchange(f->node);
    struct strbuf what;

    if (op->err == E_CORRUPT) {
        set_fault(f, op, ERROR_CORRUPT_BLOCK,
                  "the block is damaged here, and no peer gave another copy");
        return E_CORRUPT;
    }
    if (f->config.local_only || x == NULL) {
        set_fault(f, op, ERROR_NOT_FOUND, "the block is not on this node");
        return E_NOTFOUND;
    }
    strbuf_init(&what, FAULT_TEXT_MAX);
    bool alone = exchange_peers(x) == 0;
    if (alone && node_is_visitor(f->node)) {
        bool nobody = node_knows_nobody(f->node);
        strbuf_str(&what, "the block is not here, and there is no peer to "
                          "ask: ");
        node_tell_lonely(f->node, &what);
        tell_gateways(f, &what, false);
        set_fault(f, op, nobody ? ERROR_NOT_FOUND : ERROR_TIMEOUT,
                  strbuf_cstr(&what));
        strbuf_release(&what);
        return nobody ? E_NOTFOUND : E_TIMEOUT;
    }
    if (alone) {
        strbuf_str(&what, "the block is not here, and no peer is connected");
    } else {
        strbuf_str(&what, "the block is not here, and none of ");
        strbuf_u64(&what, exchange_peers(x));
        strbuf_str(&what, " connected peers has it");
    }
    tell_search(f, &what);
    tell_gateways(f, &what, false);
    set_fault(f, op, ERROR_NOT_FOUND, strbuf_cstr(&what));
    strbuf_release(&what);
    return E_NOTFOUND;
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

    if (f->finding == NULL && node_is_lonely(f->node, now)) {
        f->find_at = mtime_add_ms(now, LOOK_MS);
        return;
    }
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

static bool open_session(struct fetch *f, struct mtime now)
{
    if (f->has_session)
        return true;
    if (f->config.local_only || !node_reach_out(f->node, now))
        return false;
    struct exchange *x = node_exchange(f->node);
    f->session.got = on_got;
    f->session.missing = on_missing;
    enum bs_class class = f->config.urgent       ? BS_CLASS_URGENT
                          : f->config.background ? BS_CLASS_BACKGROUND
                                                 : BS_CLASS_NORMAL;
    f->has_session = exchange_session_open(x, class, &f->session) == OK;
    return f->has_session;
}

/* @op is in no list. */
static void ask(struct fetch *f, struct fetch_op *op, struct mtime now)
{
    if (!open_session(f, now)) {
        op->err = fault_nobody(f, op);
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
    if (!exchange_has_sources(x))
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
    if (err == OK && node_checks_reads(f->node) &&
        cid_verify(&op->cid, block->data.bytes) != OK) {
        block_unref(block);
        err = E_CORRUPT;
    }
    if (err != OK) {
        op->err = err;
        ask(f, op, now);
        return;
    }
    fetch_puts_keep(&f->puts, &op->cid.hash);
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
    if (!fetch_puts_room(&f->puts)) {
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

/* What came. */

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
    fetch_puts_add(&f->puts, block);
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
        end_op(op, fault_nobody(f, op));
        return;
    }
    strbuf_init(&what, FAULT_TEXT_MAX);
    strbuf_str(&what, "no block came for ");
    strbuf_u64(&what, timeout_of(f) / 1000);
    strbuf_str(&what, " s from ");
    strbuf_u64(&what, exchange_peers(x));
    strbuf_str(&what, " connected peers");
    tell_gateways(f, &what, true);
    set_fault(f, op, ERROR_TIMEOUT, strbuf_cstr(&what));
    strbuf_release(&what);
    end_op(op, E_TIMEOUT);
}

/* A gateway that was asked may have to find it first: it has its time. */
static bool is_given_up(const struct fetch *f, const struct fetch_op *op,
                        bool timed_out)
{
    if (op->state != FETCH_ASKED || timed_out)
        return op->state == FETCH_ASKED;
    return op->missing && !exchange_asks_gateway(&f->session, op->want_id);
}

static void give_up_some(struct fetch *f, bool timed_out, struct mtime now)
{
    bool some = false;

    list_for_each_safe (it, &f->others) {
        struct fetch_op *op = container_of(it, struct fetch_op, link);
        if (is_given_up(f, op, timed_out))
            give_up(f, op, timed_out);
        else
            some |= op->state == FETCH_ASKED && op->missing;
    }
    f->nobody_at = some ? mtime_add_ms(now, FIND_MS) : MTIME_NEVER;
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
    struct map_node *first = f->finding == NULL ? map_first(&f->asked) : NULL;
    if (first != NULL)
        find(f, &container_of(first, struct fetch_op, by_id)->cid, now);
    else if (stalls)
        find(f, NULL, now);
}

/* Without a timeout of the user's the search has its time, and those that it
 * found have theirs. */
static bool still_finding(struct fetch *f, struct mtime now)
{
    if (f->config.timeout_ms > 0 || f->found)
        return false;
    if (f->finding == NULL) {
        f->nobody_at = mtime_add_ms(now, FIND_MS);
        return node_is_lonely(f->node, now);
    }
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
    if (mtime_reached(now, f->nobody_at) && !still_finding(f, now))
        give_up_some(f, false, now);
    if (f->asked.count > 0 &&
        mtime_reached(now, mtime_add_ms(f->progress_at, timeout_of(f))))
        give_up_some(f, true, now);
    while (!list_empty(&f->ended)) {
        struct list *first = list_first(&f->ended);
        struct fetch_op *op = container_of(first, struct fetch_op, link);
        list_remove(first);
        if (!tell(f, op, op->err, NULL, now))
            return;
    }
    set_timer(f);
}

/* The store has taken a block. */
static void on_written(struct fetch_puts *puts, struct mtime now)
{
    struct fetch *f = container_of(puts, struct fetch, puts);

    if (list_empty(&f->queued) || !fetch_puts_room(puts))
        return;
    start_queued(f, now);
    set_timer(f);
}

static void on_synced(struct fetch_puts *puts, enum err err, struct mtime now)
{
    struct fetch *f = container_of(puts, struct fetch, puts);
    struct fetch_sync_op *op = f->sync;

    f->sync = NULL;
    if (err != OK)
        fault_from_err(&f->fault, err, "the blocks could not be stored",
                       BYTES_EMPTY);
    op->done(op, err, now);
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
    fetch_puts_init(&f->puts, n, config->keep);
    f->puts.written = on_written;
    f->puts.synced = on_synced;
    node_random(n, seed, sizeof(seed));
    map_init(&f->asked, seed);
    list_init(&f->queued);
    list_init(&f->others);
    list_init(&f->ended);
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
    fetch_puts_release(&f->puts);
    map_release(&f->asked);
    f->dead = true;
    if (f->busy == 0)
        mem_free(f); /* else tell() does */
}

void fetch_add_source(struct fetch *f, const struct peer_id *peer,
                      struct mtime now)
{
    if (open_session(f, now))
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

enum err fetch_store_err(const struct fetch *f)
{
    return f->puts.err;
}

size_t fetch_sources(const struct fetch *f, struct bs_source *dst, size_t max)
{
    return f->has_session ? bs_session_sources(f->session.core, dst, max) : 0;
}

void fetch_sync(struct fetch *f, struct fetch_sync_op *op)
{
    assert(f->sync == NULL);

    f->sync = op;
    fetch_puts_sync(&f->puts);
}
