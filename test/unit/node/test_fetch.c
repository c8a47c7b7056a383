/*
 * Goal: a block that there is no room for is tried again, a store that is
 * slower than the peers holds a fetch back, what is left without an answer
 * ends, and a fetch that has left its peers needs them no more.
 * Method: a store and an exchange played by the test, with a clock that stands
 * still until it is moved.
 */
#include "base/list.h"
#include "base/mem.h"
#include "bitswap/client.h"
#include "crypto/hash.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/exchange.h"
#include "node/fetch.h"
#include "node/fetch_puts.h"
#include "node/gateways.h"
#include "node/node.h"
#include "node/store_waiter.h"
#include "store/store.h"

#include "test.h"

enum { OPS = 64, BLOCK_BYTES = 1024 * 1024 };

struct store_lease {
    unsigned unused;
};

struct node {
    struct env env;
    struct clock clock;
    struct mtime now;
    struct timer *timer; /* the fetch's, while it is set */
    enum err get_err;    /* what the store says of every block */
    enum err put_err;
    struct list waiters;
    struct exchange_session *session;
    uint64_t wants[OPS]; /* ids */
    size_t wants_count;
    struct store_put_op *puts[OPS]; /* that the store took */
    size_t puts_count;
    size_t leases;
    bool offline; /* no exchange */
    bool rebuilding;
    bool visitor;
    bool lonely;
    bool alone; /* no peer is connected */
    size_t gateways;
    size_t gateways_ready;
    uint64_t asked_of_gateway; /* want of which one has not answered yet */
    bool no_cache;
    bool checks_reads;
    struct block *stored;     /* what the store gives */
    struct store_get_op *get; /* the last one */
};

static struct node world; /* NOLINT: of this test alone */

static struct mtime clock_now(struct clock *c)
{
    (void)c;
    return world.now;
}

static void clock_set(struct clock *c, struct timer *t, struct mtime at)
{
    (void)c;
    t->at = at;
    world.timer = at.ns == MTIME_NEVER.ns ? NULL : t;
}

/* The node and its store. */

struct env *node_env(const struct node *n)
{
    (void)n;
    return &world.env;
}

struct store *node_store(const struct node *n)
{
    (void)n;
    return NULL;
}

struct exchange *node_exchange(const struct node *n)
{
    (void)n;
    /* Its address is all that is asked for. */
    return world.offline ? NULL : (struct exchange *)(void *)&world;
}

bool node_reach_out(struct node *n, struct mtime now)
{
    (void)n;
    (void)now;
    return !world.offline;
}

bool node_is_visitor(const struct node *n)
{
    return n->visitor;
}

bool node_is_lonely(const struct node *n, struct mtime now)
{
    (void)now;
    return n->lonely;
}

bool node_knows_nobody(const struct node *n)
{
    (void)n;
    return false;
}

void node_tell_lonely(const struct node *n, struct strbuf *out)
{
    (void)n;
    (void)out;
}

bool node_checks_reads(const struct node *n)
{
    return n->checks_reads;
}

bool node_takes_cache(const struct node *n)
{
    return !n->no_cache;
}

void node_random(const struct node *n, uint8_t *dst, size_t len)
{
    (void)n;
    memset(dst, 7, len);
}

void node_wait_store(struct node *n, struct store_waiter *w)
{
    if (list_empty(&w->link))
        list_add_tail(&n->waiters, &w->link);
}

enum err store_get(struct store *s, struct store_get_op *op,
                   const struct cid *cid)
{
    (void)s;
    (void)cid;
    world.get = op;
    return world.get_err;
}

enum err store_put(struct store *s, struct store_put_op *op,
                   struct block *block, unsigned flags,
                   struct store_lease *lease)
{
    (void)s;
    (void)block;
    (void)flags;
    (void)lease;
    if (world.put_err == OK)
        world.puts[world.puts_count++] = op;
    return world.put_err;
}

void store_stats(struct store *s, struct store_stats *ret_stats)
{
    (void)s;
    *ret_stats = (struct store_stats){.rebuilding = world.rebuilding};
}

uint64_t store_epoch(const struct store *s)
{
    (void)s;
    return 0;
}

void store_sync(struct store *s, struct store_op *op, uint64_t epoch)
{
    (void)s;
    (void)op;
    (void)epoch;
}

struct store_lease *store_lease_new(struct store *s)
{
    (void)s;
    world.leases++;
    return mem_zalloc(1, sizeof(struct store_lease));
}

void store_lease_keep(struct store_lease *l, const struct multihash *hash)
{
    (void)l;
    (void)hash;
}

void store_lease_end(struct store_lease *l)
{
    world.leases--;
    mem_free(l);
}

/* The exchange. */

enum err exchange_session_open(struct exchange *x, enum bs_class class,
                               struct exchange_session *s)
{
    (void)x;
    (void)class;
    world.session = s;
    return OK;
}

void exchange_session_add_source(struct exchange *x, struct exchange_session *s,
                                 const struct peer_id *peer, struct mtime now)
{
    (void)x;
    (void)s;
    (void)peer;
    (void)now;
}

void exchange_session_close(struct exchange *x, struct exchange_session *s,
                            struct mtime now)
{
    (void)now;
    assert_non_null(x);
    assert_ptr_equal(s, world.session);
    world.session = NULL;
}

enum err exchange_want(struct exchange *x, struct exchange_session *s,
                       const struct bs_want *want, struct mtime now)
{
    (void)x;
    (void)s;
    (void)now;
    assert_true(world.wants_count < OPS);
    world.wants[world.wants_count++] = want->id;
    return OK;
}

void exchange_unwant(struct exchange *x, struct exchange_session *s,
                     uint64_t want_id, struct mtime now)
{
    (void)s;
    (void)want_id;
    (void)now;
    assert_non_null(x);
}

void exchange_stored(struct exchange *x, const struct cid *cid)
{
    (void)x;
    (void)cid;
}

size_t exchange_peers(const struct exchange *x)
{
    (void)x;
    return world.alone ? 0 : 1;
}

bool exchange_has_sources(const struct exchange *x)
{
    return exchange_peers(x) + world.gateways_ready > 0;
}

bool exchange_asks_gateway(const struct exchange_session *s, uint64_t want_id)
{
    assert_ptr_equal(s, world.session);
    return want_id == world.asked_of_gateway;
}

struct gateways *exchange_gateways(const struct exchange *x)
{
    (void)x;
    return (struct gateways *)(void *)&world;
}

size_t gateways_count(const struct gateways *g)
{
    assert_ptr_equal(g, &world);
    return world.gateways;
}

size_t gateways_ready(const struct gateways *g)
{
    assert_ptr_equal(g, &world);
    return world.gateways_ready;
}

const char *gateways_why(const struct gateways *g)
{
    assert_ptr_equal(g, &world);
    return "status 500";
}

/* Driving. */

struct want {
    struct fetch_op op;
    unsigned done_count;
    enum err err;
};

static struct want wants[OPS]; /* NOLINT: of this test alone */

static void on_done(struct fetch_op *op, enum err err, struct block *block,
                    struct mtime now)
{
    struct want *w = container_of(op, struct want, op);

    (void)now;
    assert_true((err == OK) == (block != NULL));
    w->done_count++;
    w->err = err;
}

static struct fetch *start(bool keep)
{
    struct fetch_config config = {.keep = keep};

    memset(&world, 0, sizeof(world));
    memset(wants, 0, sizeof(wants));
    world.clock.now = clock_now;
    world.clock.set = clock_set;
    world.env.clock = &world.clock;
    world.now.ns = 1;
    world.get_err = E_NOTFOUND;
    world.put_err = E_AGAIN;
    list_init(&world.waiters);
    return fetch_new(&world, &config);
}

static void want(struct fetch *f, size_t i)
{
    struct multihash hash = {
        .code = HASH_SHA2_256,
        .len = 32,
        .digest = {(uint8_t)i},
    };
    struct cid cid = cid_from_hash(CODEC_RAW, &hash);

    wants[i].op.done = on_done;
    fetch_get(f, &wants[i].op, &cid, 0, 0);
}

/* Let @ms pass, and the timer fire as often as it wants. */
static void pass(uint32_t ms)
{
    struct mtime end = mtime_add_ms(world.now, ms);

    while (world.timer != NULL && mtime_reached(end, world.timer->at)) {
        struct timer *t = world.timer;
        if (!mtime_reached(world.now, t->at))
            world.now = t->at;
        world.timer = NULL;
        t->fire(t, world.now);
    }
    world.now = end;
}

/* The block of want number @i comes from a peer. */
static void come(size_t i)
{
    struct buf *buf = buf_new(BLOCK_BYTES);

    buf->len = BLOCK_BYTES;
    world.session->got(world.session, world.wants[i], &wants[i].op.cid,
                       (struct slice){.buf = buf, .bytes = buf_bytes(buf)},
                       world.now);
}

/* Tests. */

static void test_no_room_at_the_store(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    world.get_err = E_AGAIN; /* others have all of it */
    want(f, 0);
    pass(1000);
    assert_int_equal(wants[0].done_count, 0);
    assert_int_equal(world.wants_count, 0);
    world.get_err = E_NOTFOUND;
    pass(1000);
    assert_int_equal(world.wants_count, 1);
    come(0);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, OK);
    fetch_free(f);
}

static void test_a_slow_store_holds_a_lease_back(void **state)
{
    enum { MOST = FETCH_UNWRITTEN_BYTES_MAX / BLOCK_BYTES + 1 };
    struct fetch *f = start(true);

    (void)state;
    for (size_t i = 0; i < MOST; i++) {
        want(f, i);
        assert_int_equal(world.wants_count, i + 1);
        come(i);
        assert_int_equal(wants[i].done_count, 1);
    }
    want(f, MOST);
    pass(1000);
    assert_int_equal(world.wants_count, MOST);

    /* Room again: what was held is written, and the next is asked for. */
    world.put_err = E_IO;
    struct list *first = list_first(&world.waiters);
    list_remove(first);
    struct store_waiter *w = container_of(first, struct store_waiter, link);
    w->writable(w, world.now);
    pass(1000);
    assert_int_equal(world.wants_count, MOST + 1);
    fetch_free(f);
    assert_int_equal(world.leases, 0);
}

/* What the store has taken is in memory too until the disk has it. */
static void test_a_slow_disk_holds_a_cache_back(void **state)
{
    enum { MOST = FETCH_UNWRITTEN_BYTES_MAX / BLOCK_BYTES + 1 };
    struct fetch *f = start(false);

    (void)state;
    world.put_err = OK;
    for (size_t i = 0; i < MOST; i++) {
        want(f, i);
        assert_int_equal(world.wants_count, i + 1);
        come(i);
        assert_int_equal(wants[i].done_count, 1);
    }
    assert_int_equal(world.puts_count, MOST);
    want(f, MOST);
    pass(1000);
    assert_int_equal(world.wants_count, MOST);

    /* One is written: the next is asked for without a wait. */
    world.puts[0]->done(world.puts[0], OK, world.now);
    assert_int_equal(world.wants_count, MOST + 1);
    fetch_free(f);
    for (size_t i = 1; i < MOST; i++)
        world.puts[i]->done(world.puts[i], OK, world.now);
}

static void test_silent_peers(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    want(f, 0);
    pass(FETCH_TIMEOUT_MS - 1);
    assert_int_equal(wants[0].done_count, 0);
    pass(1);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, E_TIMEOUT);
    assert_int_equal(fetch_fault(f)->id, ERROR_TIMEOUT);
    pass(10 * FETCH_TIMEOUT_MS);
    assert_int_equal(wants[0].done_count, 1);
    fetch_free(f);
}

static void test_nobody_has_it(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    want(f, 0);
    world.session->missing(world.session, world.wants[0], world.now);
    pass(FETCH_NOBODY_MS - 1);
    assert_int_equal(wants[0].done_count, 0);
    pass(1);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, E_NOTFOUND);
    fetch_free(f);
}

/* No peer has it, and a gateway that was asked has not answered. */
static void test_a_gateway_has_its_time(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    world.gateways = 2;
    world.gateways_ready = 1;
    want(f, 0);
    world.asked_of_gateway = world.wants[0];
    world.session->missing(world.session, world.wants[0], world.now);
    pass(4 * FETCH_NOBODY_MS);
    assert_int_equal(wants[0].done_count, 0);
    world.asked_of_gateway = 0;
    pass(1000);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, E_NOTFOUND);
    assert_non_null(strstr(fetch_fault(f)->text,
                           "of 2 gateways none has it, and 1 cannot be asked"));
    fetch_free(f);
}

/* But not more than there is. */
static void test_a_gateway_is_not_waited_for_for_ever(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    world.alone = true;
    world.gateways = 1;
    world.gateways_ready = 1;
    want(f, 0);
    world.asked_of_gateway = world.wants[0];
    pass(FETCH_TIMEOUT_MS - 1);
    assert_int_equal(wants[0].done_count, 0);
    pass(1);
    assert_int_equal(wants[0].err, E_TIMEOUT);
    world.gateways_ready = 0;
    want(f, 1); /* there is nobody to ask */
    pass(FETCH_NOBODY_MS);
    assert_int_equal(wants[1].err, E_NOTFOUND);
    assert_non_null(strstr(fetch_fault(f)->text,
                           "none of 1 gateway can be asked now (status 500)"));
    fetch_free(f);
}

static void test_a_visitor_waits_for_its_first_peers(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    world.visitor = true;
    world.lonely = true;
    world.alone = true;
    want(f, 0);
    pass(3 * FETCH_NOBODY_MS);
    assert_int_equal(wants[0].done_count, 0);
    world.lonely = false;
    pass(FETCH_NOBODY_MS);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, E_TIMEOUT);
    assert_int_equal(fetch_fault(f)->id, ERROR_TIMEOUT);
    fetch_free(f);
}

/* A block that is right, and one under the CID of another. */
static void test_blocks_of_a_strange_folder_are_hashed(void **state)
{
    static const uint8_t byte = 7;
    struct buf *buf = buf_copy((struct bytes){&byte, 1});
    struct cid right = cid_of(CODEC_RAW, buf_bytes(buf));
    struct fetch *f = start(false);

    (void)state;
    world.checks_reads = true;
    world.get_err = OK;
    wants[0].op.done = on_done;
    world.stored = block_trust(
        &right, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    fetch_get(f, &wants[0].op, &right, 0, 0);
    world.get->done(world.get, OK, block_ref(world.stored), world.now);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, OK);
    want(f, 1);
    world.get->done(world.get, OK, block_ref(world.stored), world.now);
    assert_int_equal(wants[1].done_count, 0);
    assert_int_equal(world.wants_count, 1); /* peers are asked for it */
    fetch_free(f);
    block_unref(world.stored);
}

static void test_cache_that_is_not_wanted(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    world.put_err = OK;
    world.no_cache = true;
    want(f, 0);
    come(0);
    assert_int_equal(wants[0].err, OK);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(world.puts_count, 0);
    fetch_free(f);
}

static void test_leave_then_free_without_exchange(void **state)
{
    struct fetch *f = start(true);

    (void)state;
    want(f, 0);
    want(f, 1);
    come(0);
    fetch_leave(f);
    assert_null(world.session);
    assert_null(world.timer);
    assert_int_equal(world.leases, 1);
    pass(10 * FETCH_TIMEOUT_MS);
    assert_int_equal(wants[1].done_count, 0);
    fetch_cancel(&wants[1].op);
    world.offline = true; /* the network is gone before the pin is made */
    fetch_free(f);
    assert_int_equal(world.leases, 0);
}

static void test_rebuilding_is_waited_for(void **state)
{
    struct fetch *f = start(false);

    (void)state;
    world.rebuilding = true;
    world.offline = true;
    want(f, 0);
    pass(1000);
    assert_int_equal(wants[0].done_count, 0);
    world.rebuilding = false;
    pass(1000);
    assert_int_equal(wants[0].done_count, 1);
    assert_int_equal(wants[0].err, E_NOTFOUND);
    fetch_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_room_at_the_store),
        cmocka_unit_test(test_a_slow_store_holds_a_lease_back),
        cmocka_unit_test(test_a_slow_disk_holds_a_cache_back),
        cmocka_unit_test(test_silent_peers),
        cmocka_unit_test(test_nobody_has_it),
        cmocka_unit_test(test_a_gateway_has_its_time),
        cmocka_unit_test(test_a_gateway_is_not_waited_for_for_ever),
        cmocka_unit_test(test_a_visitor_waits_for_its_first_peers),
        cmocka_unit_test(test_blocks_of_a_strange_folder_are_hashed),
        cmocka_unit_test(test_cache_that_is_not_wanted),
        cmocka_unit_test(test_leave_then_free_without_exchange),
        cmocka_unit_test(test_rebuilding_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
