/*
 * Goal: what pins reach stays, everything else goes by store_gc(), through
 * restarts, leases, missing blocks and shared children.
 * Method: small graphs on a world in memory.
 */
#include "fake_store.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "store/store_priv.h"

#include "test.h"

enum { LEAVES = 20 };

struct fixture {
    struct fake_world world;
    struct store *store;
    struct block *leaf[LEAVES];
    struct block *node[3]; /* 0: leaves 0-9; 1: leaves 5-19; 2: both nodes */
};

static const struct store_config config = {.segment_bytes = 16384};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct cid links[LEAVES];

    assert_non_null(f);
    world_init(&f->world, 3);
    assert_int_equal(fs_open(&f->world, &config, &f->store), OK);
    world_run(&f->world);
    for (uint32_t i = 0; i < LEAVES; i++) {
        f->leaf[i] = fs_raw(i, 300);
        links[i] = f->leaf[i]->cid;
    }
    f->node[0] = fs_node(links, 10, 1);
    f->node[1] = fs_node(links + 5, 15, 2);
    links[0] = f->node[0]->cid;
    links[1] = f->node[1]->cid;
    f->node[2] = fs_node(links, 2, 3);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fs_close(&f->world, f->store);
    world_release(&f->world);
    for (unsigned i = 0; i < LEAVES; i++)
        block_unref(f->leaf[i]);
    for (unsigned i = 0; i < 3; i++)
        block_unref(f->node[i]);
    free(f);
    return 0;
}

static void put_all(struct fixture *f)
{
    for (unsigned i = 0; i < LEAVES; i++)
        assert_int_equal(fs_put(&f->world, f->store, f->leaf[i], 0, NULL), OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(fs_put(&f->world, f->store, f->node[i], 0, NULL), OK);
}

static unsigned leaves_left(struct fixture *f)
{
    unsigned left = 0;

    for (unsigned i = 0; i < LEAVES; i++)
        left += store_has(f->store, &f->leaf[i]->cid.hash) ? 1 : 0;
    return left;
}

static uint64_t gc(struct fixture *f)
{
    uint64_t blocks;

    assert_int_equal(fs_gc(&f->world, f->store, &blocks), OK);
    fs_recount(&f->world, f->store);
    return blocks;
}

static void pin(struct fixture *f, enum store_pin_kind kind, unsigned node,
                bool add)
{
    assert_int_equal(
        fs_pin(&f->world, f->store, kind, &f->node[node]->cid, add), OK);
}

static void nothing_pinned(void **state)
{
    struct fixture *f = *state;

    put_all(f);
    assert_int_equal(gc(f), LEAVES + 3);
    assert_int_equal(leaves_left(f), 0);
}

static void pinned_stays(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;

    put_all(f);
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    assert_int_equal(gc(f), LEAVES - 10 + 2);
    assert_int_equal(leaves_left(f), 10);
    store_stats(f->store, &stats);
    assert_int_equal(stats.cache_blocks, 0);
    assert_int_equal(stats.pins, 1);
    assert_int_equal(gc(f), 0);
    pin(f, STORE_PIN_RECURSIVE, 0, false);
    assert_int_equal(gc(f), 11);
}

static void shared_children(void **state)
{
    struct fixture *f = *state;

    put_all(f);
    pin(f, STORE_PIN_RECURSIVE, 2, true);
    pin(f, STORE_PIN_OBJECT, 1, true);
    assert_int_equal(gc(f), 0);
    pin(f, STORE_PIN_RECURSIVE, 2, false);
    assert_int_equal(gc(f), 5 + 2); /* leaves 0-4, nodes 0 and 2 */
    assert_int_equal(leaves_left(f), 15);
    pin(f, STORE_PIN_OBJECT, 1, false);
    assert_int_equal(gc(f), 16);
}

static void direct(void **state)
{
    struct fixture *f = *state;

    put_all(f);
    pin(f, STORE_PIN_DIRECT, 0, true);
    assert_int_equal(gc(f), LEAVES + 2);
    assert_true(store_has(f->store, &f->node[0]->cid.hash));
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    world_run(&f->world);
    pin(f, STORE_PIN_DIRECT, 0, false);
    assert_int_equal(gc(f), 0);
    pin(f, STORE_PIN_RECURSIVE, 0, false);
    assert_int_equal(gc(f), 1);
}

static void twice_pinned_is_once(void **state)
{
    struct fixture *f = *state;

    put_all(f);
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    pin(f, STORE_PIN_RECURSIVE, 0, false);
    assert_int_equal(fs_pin(&f->world, f->store, STORE_PIN_RECURSIVE,
                            &f->node[0]->cid, false),
                     E_NOTFOUND);
    assert_int_equal(gc(f), LEAVES + 3);
}

/* Blocks that come after the pin are counted when they come. */
static void pinned_before_it_came(void **state)
{
    struct fixture *f = *state;

    pin(f, STORE_PIN_RECURSIVE, 2, true);
    world_run(&f->world);
    put_all(f);
    assert_int_equal(gc(f), 0);
    pin(f, STORE_PIN_RECURSIVE, 2, false);
    assert_int_equal(gc(f), LEAVES + 3);
}

static void quarantined_comes_again(void **state)
{
    struct fixture *f = *state;
    struct store_stat st;

    put_all(f);
    pin(f, STORE_PIN_RECURSIVE, 2, true);
    assert_int_equal(gc(f), 0);
    assert_int_equal(store_stat(f->store, &f->node[0]->cid.hash, &st), OK);
    char name[SEGMENT_NAME_MAX];
    segment_name(st.segment, name);
    world_file(&f->world, name)->data[st.offset + 60] ^= 1;
    assert_false(fs_is_good(&f->world, f->store, &f->node[0]->cid));
    fs_recount(&f->world, f->store);
    /* Unpinned while it is away: what it linked to stays counted... */
    pin(f, STORE_PIN_RECURSIVE, 2, false);
    assert_int_equal(gc(f), 10 + 2);
    assert_int_equal(leaves_left(f), 10);
    /* ... until it comes. */
    assert_int_equal(fs_put(&f->world, f->store, f->node[0], 0, NULL), OK);
    assert_int_equal(gc(f), 11);
}

static void restart_settles(void **state)
{
    struct fixture *f = *state;
    struct fake_world *w = &f->world;

    put_all(f);
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    world_run(w);
    fs_close(w, f->store);
    /* A pin that the index has not heard of, and one less. */
    struct fake_table *pins = &w->pins.tables[0];
    assert_int_equal(pins->count, 1);
    struct cid v1 = cid_to_v1(&f->node[1]->cid);
    pins->rows[0].key_len = 1 + cid_encode(&v1, pins->rows[0].key + 1);
    assert_int_equal(fs_open(w, &config, &f->store), OK);
    struct store_stats stats;
    store_stats(f->store, &stats);
    assert_false(stats.settled);
    assert_int_equal(gc(f), 5 + 2);
    store_stats(f->store, &stats);
    assert_true(stats.settled);
    assert_true(fs_saw(f->store, STORE_EVENT_SETTLED));
    assert_int_equal(leaves_left(f), 15);
}

static void lease(void **state)
{
    struct fixture *f = *state;
    struct fake_world *w = &f->world;

    /* Leaf 0 is there already; the others come under the lease. */
    assert_int_equal(fs_put(w, f->store, f->leaf[0], 0, NULL), OK);
    struct store_lease *l = store_lease_new(f->store);
    for (unsigned i = 0; i < LEAVES; i++)
        assert_int_equal(fs_put(w, f->store, f->leaf[i], STORE_KEEP, l), OK);
    assert_int_equal(fs_put(w, f->store, f->node[0], 0, NULL), OK);
    store_lease_keep(l, &f->node[0]->cid.hash);
    assert_int_equal(fs_put(w, f->store, f->node[1], 0, NULL), OK);
    assert_int_equal(gc(f), 1); /* node 1 was put as cache */
    assert_int_equal(leaves_left(f), LEAVES);
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    store_lease_end(l);
    assert_int_equal(gc(f), 10);
    assert_int_equal(leaves_left(f), 10);
}

static void gc_moves_while_work_goes_on(void **state)
{
    struct fixture *f = *state;
    struct fake_world *w = &f->world;
    struct store_stats stats;

    put_all(f);
    for (uint32_t i = 0; i < 600; i++) {
        struct block *b = fs_raw(1000 + i, 500);
        assert_int_equal(fs_put(w, f->store, b, 0, NULL), OK);
        block_unref(b);
    }
    pin(f, STORE_PIN_RECURSIVE, 2, true);
    assert_int_equal(gc(f), 600);
    world_pass(w, 60000);
    /* What is alive was moved together, and the files are gone. */
    store_stats(f->store, &stats);
    assert_true(stats.segments <= 6);
    assert_true(world_used(w) < 100000);
    fs_recount(w, f->store);
    for (unsigned i = 0; i < LEAVES; i++)
        assert_true(fs_is_good(w, f->store, &f->leaf[i]->cid));
    struct store_check_op op = {.bad = 0};
    assert_int_equal(fs_fsck(w, f->store, &op), OK);
    assert_int_equal(op.bad, 0);
    assert_int_equal(op.missing, 0);
    assert_int_equal(op.orphaned, 0);
    assert_int_equal(op.blocks, LEAVES + 3);
    /* The index is lost: what was removed does not come back. */
    fs_close(w, f->store);
    world_lose_index(w);
    assert_int_equal(fs_open(w, &config, &f->store), OK);
    world_pass(w, 10000);
    store_stats(f->store, &stats);
    assert_int_equal(stats.blocks, LEAVES + 3);
    assert_int_equal(stats.cache_blocks, 0);
    fs_recount(w, f->store);
}

/* A chain needs no deep stack, a wide node no long turn. */
static void deep_and_wide(void **state)
{
    struct fixture *f = *state;
    struct fake_world *w = &f->world;
    enum { DEPTH = 300, WIDTH = 1000 };
    struct cid *links = calloc(WIDTH, sizeof(*links));
    struct cid below = f->leaf[0]->cid;

    assert_non_null(links);
    assert_int_equal(fs_put(w, f->store, f->leaf[0], 0, NULL), OK);
    for (uint32_t i = 0; i < DEPTH; i++) {
        struct block *b = fs_node(&below, 1, i);
        assert_int_equal(fs_put(w, f->store, b, 0, NULL), OK);
        below = b->cid;
        block_unref(b);
    }
    for (uint32_t i = 0; i < WIDTH; i++) {
        struct block *b =
            i % 2 == 0 ? fs_raw(5000 + i, 10) : fs_node(&below, 1, 5000 + i);
        assert_int_equal(fs_put(w, f->store, b, STORE_UNSYNCED, NULL), OK);
        links[i] = b->cid;
        block_unref(b);
    }
    struct block *top = fs_node(links, WIDTH, 1);
    assert_int_equal(fs_put(w, f->store, top, 0, NULL), OK);
    assert_int_equal(fs_pin(w, f->store, STORE_PIN_RECURSIVE, &top->cid, true),
                     OK);
    uint32_t deepest = 0;
    for (unsigned i = 0; i < 1000000 && world_step(w); i++)
        if (f->store->totals.stack_depth > deepest)
            deepest = f->store->totals.stack_depth;
    assert_true(deepest <= SLICE_STEPS + 2);
    assert_int_equal(gc(f), 0);
    assert_int_equal(fs_pin(w, f->store, STORE_PIN_RECURSIVE, &top->cid, false),
                     OK);
    assert_int_equal(gc(f), DEPTH + WIDTH + 2);
    block_unref(top);
    free(links);
}

/* Counting goes on only as fast as the index takes it. */
static void counting_waits_for_the_index(void **state)
{
    enum { NODES = 3, LINKS = 25000, TURNS = 5000 };
    struct fixture *f = *state;
    struct fake_world *w = &f->world;
    struct cid *links = calloc(LINKS, sizeof(*links));
    struct cid nodes[NODES];

    assert_non_null(links);
    for (uint32_t i = 0; i < NODES; i++) {
        for (uint32_t k = 0; k < LINKS; k++) {
            struct block *b = fs_raw(100000 + i * LINKS + k, 10);
            links[k] = b->cid;
            block_unref(b);
        }
        struct block *node = fs_node(links, LINKS, i);
        assert_int_equal(fs_put(w, f->store, node, 0, NULL), OK);
        nodes[i] = node->cid;
        block_unref(node);
    }
    free(links);
    w->index.fail = E_IO;
    for (uint32_t i = 0; i < NODES; i++)
        assert_int_equal(
            fs_pin(w, f->store, STORE_PIN_RECURSIVE, &nodes[i], true), OK);
    for (unsigned i = 0; i < TURNS; i++)
        world_pass(w, 1);
    size_t waiting = index_pending(&f->store->index);
    assert_in_range(waiting, COMMIT_CHANGES_PAUSE,
                    COMMIT_CHANGES_PAUSE + 2 * SLICE_STEPS);
    w->index.fail = OK;
}

static void pins_are_listed(void **state)
{
    struct fixture *f = *state;
    struct store_cursor cursor = {.len = 0};
    struct store_pin p = {.kind = STORE_PIN_RECURSIVE, .cid = f->node[0]->cid};
    unsigned count = 0;

    assert_int_equal(store_pin_get(f->store, &p), E_NOTFOUND);
    pin(f, STORE_PIN_RECURSIVE, 0, true);
    pin(f, STORE_PIN_DIRECT, 1, true);
    pin(f, STORE_PIN_OBJECT, 0, true);
    assert_int_equal(store_pin_get(f->store, &p), OK);
    while (store_pin_next(f->store, &cursor, &p) == OK) {
        count++;
        assert_int_equal(p.created_ms, UINT64_C(1700000000000));
    }
    assert_int_equal(count, 3);
    assert_true(cid_eq(&p.cid, &f->node[0]->cid));
    assert_int_equal(p.kind, STORE_PIN_OBJECT);
}

static void pin_ended(struct store_pin_op *op, enum err err, struct mtime now)
{
    (void)op;
    (void)now;
    assert_int_equal(err, OK);
}

static void pin_limits(void **state)
{
    struct fixture *f = *state;
    uint8_t text[STORE_PIN_NAME_MAX + 1];
    struct store_pin_op op = {.done = pin_ended};
    struct store_pin p = {.kind = STORE_PIN_OBJECT, .cid = f->node[0]->cid};

    memset(text, 'x', sizeof(text));
    p.name = (struct bytes){text, STORE_PIN_NAME_MAX + 1};
    assert_int_equal(store_pin(f->store, &op, &p), E_LIMIT);
    p.name.len = STORE_PIN_NAME_MAX;
    p.tag = (struct bytes){text, STORE_PIN_TAG_MAX + 1};
    assert_int_equal(store_pin(f->store, &op, &p), E_LIMIT);
    p.tag.len = STORE_PIN_TAG_MAX;
    assert_int_equal(store_pin(f->store, &op, &p), OK);
    world_run(&f->world);
    p.name = BYTES_EMPTY;
    assert_int_equal(store_pin_get(f->store, &p), OK);
    assert_int_equal(p.name.len, STORE_PIN_NAME_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_pinned, setup, teardown),
        cmocka_unit_test_setup_teardown(pinned_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_children, setup, teardown),
        cmocka_unit_test_setup_teardown(direct, setup, teardown),
        cmocka_unit_test_setup_teardown(twice_pinned_is_once, setup, teardown),
        cmocka_unit_test_setup_teardown(pinned_before_it_came, setup, teardown),
        cmocka_unit_test_setup_teardown(quarantined_comes_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(restart_settles, setup, teardown),
        cmocka_unit_test_setup_teardown(lease, setup, teardown),
        cmocka_unit_test_setup_teardown(gc_moves_while_work_goes_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(deep_and_wide, setup, teardown),
        cmocka_unit_test_setup_teardown(counting_waits_for_the_index, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pins_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(pin_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
