/*
 * Goal: a pull counts distinct blocks, ends at the first one past what was
 * agreed and not before, and can be ended at any time.
 * Method: the walk, the clock and the network are played by the test.
 */
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"
#include "node/pull.h"
#include "node/walking.h"

#include "test.h"

enum { LEN = 100 };

struct walking {
    struct walking_config config;
    struct fault fault;
    size_t sources;
};

struct node {
    struct env env;
    struct clock clock;
    struct timer *timer;
    struct walking *walking;
    struct connect_op *connect;
    size_t dials;
};

static struct node world; /* NOLINT: of this test alone */

static struct mtime clock_now(struct clock *c)
{
    (void)c;
    return (struct mtime){1};
}

static void clock_set(struct clock *c, struct timer *t, struct mtime at)
{
    (void)c;
    t->at = at;
    world.timer = at.ns == MTIME_NEVER.ns ? NULL : t;
}

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

struct network *node_network(const struct node *n)
{
    (void)n;
    return (struct network *)(void *)&world; /* only its address is looked at */
}

struct peering *node_peering(const struct node *n)
{
    (void)n;
    return NULL;
}

size_t peering_addrs(const struct peering *p, const struct peer_id *peer,
                     struct multiaddr *dst, size_t max)
{
    (void)p;
    (void)peer;
    (void)dst;
    (void)max;
    return 0;
}

enum err network_dial(struct network *n, struct connect_op *op,
                      const struct network_target *target, struct mtime now)
{
    (void)n;
    (void)target;
    (void)now;
    world.dials++;
    if (world.connect != NULL)
        return E_NOTFOUND;
    world.connect = op;
    return OK;
}

void network_connect_cancel(struct connect_op *op)
{
    assert_ptr_equal(op, world.connect);
    world.connect = NULL;
}

void node_random(const struct node *n, uint8_t *dst, size_t len)
{
    (void)n;
    memset(dst, 5, len);
}

struct walking *walking_new(struct node *n, const struct walking_config *config)
{
    (void)n;
    assert_null(world.walking);
    assert_true(config->keep);
    assert_false(config->skip_missing);
    world.walking = mem_zalloc(1, sizeof(*world.walking));
    world.walking->config = *config;
    return world.walking;
}

void walking_free(struct walking *w)
{
    if (w == NULL)
        return;
    assert_ptr_equal(w, world.walking);
    mem_free(w);
    world.walking = NULL;
}

void walking_add_source(struct walking *w, const struct peer_id *peer,
                        struct mtime now)
{
    (void)peer;
    (void)now;
    w->sources++;
}

const struct fault *walking_fault(const struct walking *w)
{
    return &w->fault;
}

struct run {
    struct pull *pull;
    size_t progress;
    bool ended;
    enum err err;
};

static void on_progress(void *user, struct mtime now)
{
    struct run *r = user;
    (void)now;
    r->progress++;
}

static void on_done(void *user, enum err err, struct mtime now)
{
    struct run *r = user;
    (void)now;
    assert_false(r->ended);
    r->ended = true;
    r->err = err;
}

static void begin(struct run *r, uint64_t bytes, uint64_t blocks)
{
    struct peer_id peers[2] = {{.len = 1, .bytes = {1}},
                               {.len = 1, .bytes = {2}}};
    struct pull_config config = {
        .root = cid_of(CODEC_RAW, BYTES_LIT("root")),
        .peers = peers,
        .peers_count = countof(peers),
        .size_bytes = bytes,
        .blocks = blocks,
        .on_progress = on_progress,
        .done = on_done,
        .user = r,
    };
    *r = (struct run){.ended = false};
    r->pull = pull_new(&world, &config, (struct mtime){1});
    assert_int_equal(world.walking->sources, 2);
    assert_int_equal(world.dials, 2);
}

static void give(uint8_t n, uint64_t codec)
{
    uint8_t bytes[LEN];
    memset(bytes, n, sizeof(bytes));
    struct buf *buf = buf_copy((struct bytes){bytes, sizeof(bytes)});
    struct block *b = block_make(
        1, codec, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    struct walking_config config = world.walking->config;
    config.on_block(config.user, &b->cid, b, (struct mtime){1});
    block_unref(b);
}

static void fire(void)
{
    struct timer *t = world.timer;
    assert_non_null(t);
    world.timer = NULL;
    t->at = MTIME_NEVER;
    t->fire(t, (struct mtime){1});
}

static int setup(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.env.clock = &world.clock;
    world.clock.now = clock_now;
    world.clock.set = clock_set;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_null(world.walking);
    assert_null(world.connect);
    assert_null(world.timer);
    return 0;
}

/* Exactly what was agreed, and blocks that are named twice. */
static void test_at_the_limits(void **state)
{
    (void)state;
    struct run r;
    begin(&r, UINT64_C(3) * LEN, 3);
    give(1, CODEC_RAW);
    give(2, CODEC_RAW);
    give(1, CODEC_RAW);
    give(2, CODEC_DAG_CBOR); /* the same bytes under another name */
    give(3, CODEC_RAW);
    assert_int_equal(r.progress, 3);
    struct walking_config config = world.walking->config;
    config.done(config.user, OK, (struct mtime){1});
    assert_false(r.ended);
    fire();
    assert_true(r.ended);
    assert_int_equal(r.err, OK);
    uint64_t bytes = 0;
    assert_int_equal(pull_blocks(r.pull, &bytes), 3);
    assert_int_equal(bytes, 3 * LEN);
    pull_free(r.pull);
}

static void test_too_many_bytes(void **state)
{
    (void)state;
    struct run r;
    begin(&r, 2 * LEN - 1, 100);
    give(1, CODEC_RAW);
    assert_non_null(world.walking);
    give(2, CODEC_RAW);
    assert_null(world.walking); /* nothing more is fetched */
    assert_false(r.ended);
    fire();
    assert_int_equal(r.err, E_LIMIT);
    assert_null(pull_fault(r.pull)); /* the walk knew nothing of it */
    pull_free(r.pull);
}

static void test_too_many_blocks(void **state)
{
    (void)state;
    struct run r;
    begin(&r, UINT64_C(100) * LEN, 2);
    give(1, CODEC_RAW);
    give(2, CODEC_RAW);
    assert_non_null(world.walking);
    give(3, CODEC_RAW);
    assert_null(world.walking);
    fire();
    assert_int_equal(r.err, E_LIMIT);
    pull_free(r.pull);
}

static void test_fails_and_freed(void **state)
{
    (void)state;
    struct run r;
    begin(&r, LEN, 1);
    struct walking_config config = world.walking->config;
    config.done(config.user, E_NOTFOUND, (struct mtime){1});
    assert_ptr_equal(pull_fault(r.pull), &world.walking->fault);
    fire();
    assert_int_equal(r.err, E_NOTFOUND);
    pull_free(r.pull);
    world.dials = 0;
    begin(&r, LEN, 1);
    world.connect->done(world.connect, E_IO, (struct mtime){1});
    world.connect = NULL;
    pull_free(r.pull);
    assert_false(r.ended);
    pull_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_at_the_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fails_and_freed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
