/*
 * Goal: a scan names each distinct block of a DAG once, by what is stored, in
 * the order of the walk, reads no leaf, and says what is missing.
 * Method: a store in memory, played by the test, whose reads end when the test
 * says so; graphs of dag-pb and dag-cbor made by hand.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "node/node.h"
#include "node/scanning.h"
#include "store/store.h"

#include "test.h"

enum { BLOCKS_MAX = 16, NAMED_MAX = 64 };

struct node {
    struct env env;
    struct clock clock;
    struct timer *timer;
    struct block *blocks[BLOCKS_MAX];
    size_t blocks_count;
    struct store_get_op *get; /* under way */
    struct block *answer;
    size_t gets;
    size_t busy; /* so many reads are refused */
};

struct run {
    struct scanning *scanning;
    struct cid named[NAMED_MAX];
    size_t count;
    size_t most; /* then it is enough; 0: no limit */
    bool ended;
    enum err err;
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

void node_random(const struct node *n, uint8_t *dst, size_t len)
{
    (void)n;
    memset(dst, 3, len);
}

static struct block *stored(const struct multihash *hash)
{
    for (size_t i = 0; i < world.blocks_count; i++)
        if (multihash_eq(&world.blocks[i]->cid.hash, hash))
            return world.blocks[i];
    return NULL;
}

enum err store_stat(struct store *s, const struct multihash *hash,
                    struct store_stat *ret_stat)
{
    (void)s;
    const struct block *b = stored(hash);
    if (b == NULL)
        return E_NOTFOUND;
    *ret_stat = (struct store_stat){.length = (uint32_t)b->data.bytes.len};
    return OK;
}

enum err store_get(struct store *s, struct store_get_op *op,
                   const struct cid *cid)
{
    (void)s;
    assert_null(world.get);
    if (world.busy > 0) {
        world.busy--;
        return E_AGAIN;
    }
    world.gets++;
    world.get = op;
    world.answer = block_ref(stored(&cid->hash));
    return OK;
}

static void answer_get(enum err err)
{
    struct store_get_op *op = world.get;
    struct block *b = world.answer;
    world.get = NULL;
    if (err != OK)
        block_unref(b);
    op->done(op, err, err == OK ? b : NULL, (struct mtime){1});
}

/* Blocks. */

static struct cid put(uint64_t codec, struct bytes in)
{
    struct buf *buf = buf_copy(in);
    struct block *b = block_make(
        1, codec, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    assert_true(world.blocks_count < BLOCKS_MAX);
    world.blocks[world.blocks_count++] = b;
    return b->cid;
}

static struct cid put_leaf(uint8_t n)
{
    uint8_t bytes[100];
    memset(bytes, n, sizeof(bytes));
    return put(CODEC_RAW, (struct bytes){bytes, sizeof(bytes)});
}

/* A dag-pb node with these links: each 0x12, length, 0x0a, length, CID. */
static struct cid put_node(const struct cid *links, size_t count)
{
    uint8_t bytes[2048];
    struct wr w = wr_init(bytes, sizeof(bytes));
    for (size_t i = 0; i < count; i++) {
        uint8_t cid[CID_BYTES_MAX];
        size_t len = cid_encode(&links[i], cid);
        wr_u8(&w, 0x12);
        wr_uvarint(&w, len + 2);
        wr_u8(&w, 0x0a);
        wr_uvarint(&w, len);
        wr_bytes(&w, (struct bytes){cid, len});
    }
    struct bytes out;
    assert_int_equal(wr_finish(&w, &out), OK);
    return put(CODEC_DAG_PB, out);
}

/* Running. */

static bool on_block(void *user, const struct cid *cid, uint32_t length)
{
    struct run *r = user;
    assert_true(r->count < NAMED_MAX);
    assert_true(length > 0);
    r->named[r->count++] = *cid;
    return r->most == 0 || r->count < r->most;
}

static void on_done(void *user, enum err err, struct mtime now)
{
    struct run *r = user;
    (void)now;
    assert_false(r->ended);
    r->ended = true;
    r->err = err;
}

static void fire(void)
{
    struct timer *t = world.timer;
    assert_non_null(t);
    world.timer = NULL;
    t->at = MTIME_NEVER;
    t->fire(t, (struct mtime){1});
}

static void begin(struct run *r, const struct cid *root, bool skip)
{
    struct scanning_config config = {
        .root = *root,
        .skip_missing = skip,
        .on_block = on_block,
        .done = on_done,
        .user = r,
    };
    r->scanning = scanning_new(&world, &config);
    assert_false(r->ended);
}

static void run_to_end(struct run *r)
{
    while (!r->ended) {
        if (world.get != NULL)
            answer_get(OK);
        else
            fire();
    }
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
    for (size_t i = 0; i < world.blocks_count; i++)
        block_unref(world.blocks[i]);
    assert_null(world.timer);
    return 0;
}

/* Tests. */

static void test_distinct_blocks(void **state)
{
    (void)state;
    struct cid a = put_leaf(1);
    struct cid b = put_leaf(2);
    struct cid left = put_node((struct cid[]){a, b, a}, 3);
    struct cid root = put_node((struct cid[]){b, left, left, a}, 4);
    struct run r = {.count = 0};
    begin(&r, &root, false);
    run_to_end(&r);
    assert_int_equal(r.err, OK);
    const struct cid wanted[] = {root, b, left, a};
    assert_int_equal(r.count, countof(wanted));
    for (size_t i = 0; i < countof(wanted); i++)
        assert_true(cid_eq(&r.named[i], &wanted[i]));
    assert_int_equal(world.gets, 2); /* no leaf was read */
    uint64_t bytes = 0;
    assert_int_equal(scanning_blocks(r.scanning, &bytes), 4);
    uint64_t all = 0;
    for (size_t i = 0; i < world.blocks_count; i++)
        all += world.blocks[i]->data.bytes.len;
    assert_int_equal(bytes, all);
    scanning_free(r.scanning);
}

/* Bytes that have two names are one block, whose links are followed all the
 * same; a CID that holds its block is none. */
static void test_two_names(void **state)
{
    (void)state;
    struct cid leaf = put_leaf(1);
    struct cid inner = put_node(&leaf, 1);
    struct cid as_raw = cid_from_hash(CODEC_RAW, &inner.hash);
    struct cid inlined;
    assert_int_equal(cid_identity(CODEC_RAW, BYTES_LIT("abc"), &inlined), OK);
    struct cid root = put_node((struct cid[]){as_raw, inner, inlined}, 3);
    struct run r = {.count = 0};
    begin(&r, &root, false);
    run_to_end(&r);
    assert_int_equal(r.err, OK);
    assert_int_equal(r.count, 3);
    assert_true(cid_eq(&r.named[2], &leaf));
    scanning_free(r.scanning);
}

static void test_missing(void **state)
{
    (void)state;
    struct cid here = put_leaf(1);
    uint8_t bytes[] = {9, 9, 9};
    struct cid absent = cid_of(CODEC_RAW, (struct bytes){bytes, 3});
    struct cid root = put_node((struct cid[]){absent, here}, 2);
    struct run r = {.count = 0};
    begin(&r, &root, false);
    run_to_end(&r);
    assert_int_equal(r.err, E_NOTFOUND);
    assert_true(cid_eq(scanning_missing(r.scanning), &absent));
    scanning_free(r.scanning);
    struct run skipping = {.count = 0};
    begin(&skipping, &root, true);
    run_to_end(&skipping);
    assert_int_equal(skipping.err, OK);
    assert_int_equal(skipping.count, 2);
    scanning_free(skipping.scanning);
    struct run nothing = {.count = 0};
    begin(&nothing, &absent, false);
    run_to_end(&nothing);
    assert_int_equal(nothing.err, E_NOTFOUND);
    assert_int_equal(nothing.count, 0);
    scanning_free(nothing.scanning);
}

static void test_enough(void **state)
{
    (void)state;
    struct cid leaves[] = {put_leaf(1), put_leaf(2), put_leaf(3)};
    struct cid root = put_node(leaves, countof(leaves));
    struct run r = {.most = 2};
    begin(&r, &root, false);
    run_to_end(&r);
    assert_int_equal(r.err, OK);
    assert_int_equal(r.count, 2);
    scanning_free(r.scanning);
}

static void test_busy_store(void **state)
{
    (void)state;
    struct cid leaf = put_leaf(1);
    struct cid root = put_node(&leaf, 1);
    struct run r = {.count = 0};
    world.busy = 3;
    begin(&r, &root, false);
    run_to_end(&r);
    assert_int_equal(r.err, OK);
    assert_int_equal(r.count, 2);
    assert_int_equal(world.gets, 1);
    scanning_free(r.scanning);
}

/* A damaged node ends it; bytes that are no node have no links. */
static void test_damaged(void **state)
{
    (void)state;
    struct cid leaf = put_leaf(1);
    struct cid root = put_node(&leaf, 1);
    struct run r = {.count = 0};
    begin(&r, &root, false);
    fire();
    answer_get(E_CORRUPT);
    assert_true(r.ended);
    assert_int_equal(r.err, E_CORRUPT);
    scanning_free(r.scanning);
    struct cid junk = put(CODEC_DAG_PB, BYTES_LIT("\xff\xff"));
    struct run odd = {.count = 0};
    begin(&odd, &junk, false);
    run_to_end(&odd);
    assert_int_equal(odd.err, OK);
    assert_int_equal(odd.count, 1);
    scanning_free(odd.scanning);
}

static void test_freed_while_reading(void **state)
{
    (void)state;
    struct cid leaf = put_leaf(1);
    struct cid root = put_node(&leaf, 1);
    struct run r = {.count = 0};
    begin(&r, &root, false);
    fire();
    assert_non_null(world.get);
    scanning_free(r.scanning);
    answer_get(OK);
    assert_false(r.ended);
    scanning_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_distinct_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_enough, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed_while_reading, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
