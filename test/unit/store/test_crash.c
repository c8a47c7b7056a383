/*
 * Goal: a power cut at any moment loses nothing that was acknowledged and
 * wanted, serves nothing wrong, and leaves numbers that a recount confirms.
 * Method: random puts, pins, leases and collections on a world in memory that
 * loses its power at random moments, several times a seed, sometimes with its
 * index; beside it a model that knows what must still be there.
 */
#include "fake_store.h"
#include "ipld/block.h"
#include "store/store_priv.h"

#include "test.h"

enum {
    LEAVES = 30,
    NODES = 6,
    BLOCKS = LEAVES + NODES, /* nodes come last; each links to earlier ones */
    LINKS = 8,
    SEEDS = 2000,
    ROUNDS = 3,
    ACTIONS = 60,
};

struct model {
    struct fake_world *world;
    struct store *store;
    struct store_config config;
    struct block *block[BLOCKS];
    unsigned link[NODES][LINKS];
    bool durable[BLOCKS];
    bool readable[BLOCKS]; /* an unsynced put has ended */
    bool leased[BLOCKS];
    bool pinned[BLOCKS];  /* acknowledged */
    bool pinning[BLOCKS]; /* a change of it is under way */
    bool safe[BLOCKS];    /* from the collection under way */
    struct store_lease *lease;
    unsigned lease_busy;
    unsigned generation; /* ended operations of an older one do not count */
    bool gc;
    /* Records without an entry may be left: a collection was cut off, or a
     * rebuild found unsynced ones. */
    bool removed;
    bool frozen;
};

struct put {
    struct store_put_op op;
    struct model *m;
    unsigned at;
    bool leased;
    bool unsynced;
    bool swept; /* what was there may have been removed before the answer */
};

struct pin {
    struct store_pin_op op;
    struct model *m;
    unsigned at;
    bool add;
};

struct other {
    struct store_op op;
    struct model *m;
    bool readable[BLOCKS]; /* sync: what it makes durable */
    bool swept;
};

/* What pins protect now: through nodes that are there. */
static void protect(const struct model *m, bool ret_safe[static BLOCKS])
{
    for (unsigned i = 0; i < BLOCKS; i++)
        ret_safe[i] = m->pinned[i] && !m->pinning[i];
    for (unsigned i = BLOCKS; i-- > LEAVES;)
        for (unsigned k = 0; ret_safe[i] && m->durable[i] && k < LINKS; k++)
            ret_safe[m->link[i - LEAVES][k]] = true;
}

static bool must_have(const struct model *m, unsigned i)
{
    return m->durable[i] && (!m->gc || m->safe[i] || m->leased[i]);
}

static void put_done(struct store_put_op *op, enum err err, struct mtime now)
{
    struct put *p = container_of(op, struct put, op);
    struct model *m = p->m;

    (void)now;
    if (!m->frozen) {
        if (p->leased)
            m->lease_busy--;
        if (err == OK && p->unsynced)
            m->readable[p->at] = true;
        else if (err == OK && !p->swept)
            m->durable[p->at] = true;
        if (err == OK && p->leased)
            m->leased[p->at] = true;
    }
    free(p);
}

static void put(struct model *m, unsigned at, unsigned flags)
{
    struct put *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    p->op.done = put_done;
    p->m = m;
    p->at = at;
    p->leased = (flags & STORE_KEEP) != 0;
    p->swept = m->gc;
    p->unsynced = (flags & STORE_UNSYNCED) != 0;
    /* What was removed and comes again begins anew. */
    if (!store_has(m->store, &m->block[at]->cid.hash) && m->gc)
        m->durable[at] = m->readable[at] = false;
    enum err err = store_put(m->store, &p->op, m->block[at], flags,
                             p->leased ? m->lease : NULL);
    if (err != OK) {
        assert_true(err == E_AGAIN || err == E_NOSPACE);
        free(p);
    } else if (p->leased) {
        m->lease_busy++;
    }
}

static void pin_done(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct pin *p = container_of(op, struct pin, op);
    struct model *m = p->m;

    (void)now;
    if (!m->frozen) {
        assert_int_equal(err, OK);
        m->pinning[p->at] = false;
        m->pinned[p->at] = p->add;
    }
    free(p);
}

static void change_pin(struct model *m, unsigned at)
{
    bool safe[BLOCKS];
    struct pin *p = calloc(1, sizeof(*p));
    struct store_pin pin = {.kind = STORE_PIN_RECURSIVE,
                            .cid = m->block[at]->cid};

    assert_non_null(p);
    p->op.done = pin_done;
    p->m = m;
    p->at = at;
    p->add = !m->pinned[at];
    enum err err = p->add ? store_pin(m->store, &p->op, &pin)
                          : store_unpin(m->store, &p->op, &pin);
    assert_int_equal(err, OK);
    m->pinning[at] = true;
    protect(m, safe);
    for (unsigned i = 0; i < BLOCKS; i++)
        m->safe[i] = m->safe[i] && safe[i];
}

static void check_now(struct model *m)
{
    for (unsigned i = 0; i < BLOCKS; i++)
        if (must_have(m, i) && !store_has(m->store, &m->block[i]->cid.hash))
            fail_msg("block %u is gone: safe %d leased %d", i, m->safe[i],
                     m->leased[i]);
}

static void gc_done(struct store_op *op, enum err err, struct mtime now)
{
    struct other *o = container_of(op, struct other, op);
    struct model *m = o->m;

    (void)now;
    if (!m->frozen) {
        assert_int_equal(err, OK);
        check_now(m);
        m->gc = false;
        for (unsigned i = 0; i < BLOCKS; i++)
            if (!store_has(m->store, &m->block[i]->cid.hash))
                m->durable[i] = m->readable[i] = false;
    }
    free(o);
}

static void start_gc(struct model *m)
{
    struct other *o = calloc(1, sizeof(*o));

    assert_non_null(o);
    o->m = m;
    o->op.done = gc_done;
    if (store_gc(m->store, &o->op) != OK) {
        free(o);
        return;
    }
    m->gc = true;
    m->removed = true;
    protect(m, m->safe);
}

static void sync_done(struct store_op *op, enum err err, struct mtime now)
{
    struct other *o = container_of(op, struct other, op);
    struct model *m = o->m;

    (void)now;
    if (!m->frozen && err == OK && !m->gc && !o->swept)
        for (unsigned i = 0; i < BLOCKS; i++)
            m->durable[i] |=
                o->readable[i] && store_has(m->store, &m->block[i]->cid.hash);
    free(o);
}

static void start_sync(struct model *m)
{
    struct other *o = calloc(1, sizeof(*o));

    assert_non_null(o);
    o->m = m;
    o->op.done = sync_done;
    o->swept = m->gc;
    memcpy(o->readable, m->readable, sizeof(m->readable));
    store_sync(m->store, &o->op, store_epoch(m->store));
}

static void change_lease(struct model *m)
{
    if (m->lease == NULL) {
        m->lease = store_lease_new(m->store);
    } else if (m->lease_busy == 0) {
        store_lease_end(m->lease);
        m->lease = NULL;
        memset(m->leased, 0, sizeof(m->leased));
    }
}

static void act(struct model *m)
{
    unsigned at = world_random(m->world, BLOCKS);

    switch (world_random(m->world, 16)) {
    case 0:
        if (!m->pinning[at])
            change_pin(m, at);
        break;
    case 1:
        start_sync(m);
        break;
    case 2:
        change_lease(m);
        break;
    case 3:
        if (world_random(m->world, 4) == 0)
            start_gc(m);
        break;
    case 4:
    case 5:
    case 6:
        put(m, at, STORE_UNSYNCED);
        break;
    case 7:
    case 8:
        if (m->lease != NULL)
            put(m, at, STORE_KEEP);
        break;
    case 9:
        world_pass(m->world, 700);
        break;
    default:
        put(m, at, STORE_CACHE);
        break;
    }
    for (uint32_t n = world_random(m->world, 30); n > 0; n--)
        (void)world_step(m->world);
}

static void make_blocks(struct model *m)
{
    struct cid links[LINKS];

    for (unsigned i = 0; i < LEAVES; i++)
        m->block[i] = fs_raw(i, 4 + world_random(m->world, 1500));
    for (unsigned i = 0; i < NODES; i++) {
        for (unsigned k = 0; k < LINKS; k++) {
            m->link[i][k] = world_random(m->world, LEAVES + i);
            links[k] = m->block[m->link[i][k]]->cid;
        }
        m->block[LEAVES + i] = fs_node(links, LINKS, i);
    }
}

/* All that the store says it has is right; pins are as acknowledged. */
static void check_all(struct model *m)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        const struct cid *cid = &m->block[i]->cid;
        struct store_pin p = {.kind = STORE_PIN_RECURSIVE, .cid = *cid};
        bool has = store_has(m->store, &cid->hash);
        bool pinned = store_pin_get(m->store, &p) == OK;

        if (must_have(m, i) && !has)
            fail_msg("block %u is lost: gc %d safe %d leased %d index %d", i,
                     m->gc, m->safe[i], m->leased[i], !m->store->was_rebuilt);
        if (has && !fs_is_good(m->world, m->store, cid))
            fail_msg("block %u is bad", i);
        if (!m->pinning[i])
            assert_true(pinned == m->pinned[i]);
        m->pinning[i] = false;
        m->pinned[i] = pinned;
        m->durable[i] = has;
        m->readable[i] = has;
        m->leased[i] = false;
    }
    m->gc = false;
    fs_recount(m->world, m->store);
}

/* When all is counted, exactly what pins reach has a count. */
static void check_counts(struct model *m)
{
    bool safe[BLOCKS];

    world_run(m->world);
    assert_true(collector_idle(m->store));
    protect(m, safe);
    for (unsigned i = 0; i < BLOCKS; i++) {
        struct store_stat st;
        if (store_stat(m->store, &m->block[i]->cid.hash, &st) == OK)
            assert_true(st.counted == safe[i]);
    }
}

static void check_structure(struct model *m)
{
    struct store_check_op op = {.bad = 0};

    assert_int_equal(fs_fsck(m->world, m->store, &op), OK);
    assert_int_equal(op.missing, 0);
    assert_true(op.orphaned == 0 || m->removed);
    op = (struct store_check_op){.bad = 0};
    assert_int_equal(fs_verify(m->world, m->store, &op), OK);
    struct store_stats stats;
    store_stats(m->store, &stats);
    assert_int_equal(stats.quarantined, 0);
}

static void crash(struct model *m, uint64_t seed)
{
    struct fake_world *to = calloc(1, sizeof(*to));

    assert_non_null(to);
    world_crash(m->world, to, seed);
    m->frozen = true;
    /* The old one goes on to its end, so that it can be freed. */
    fs_close(m->world, m->store);
    world_release(m->world);
    free(m->world);
    m->frozen = false;
    m->world = to;
    m->lease = NULL;
    m->lease_busy = 0;
    if (world_random(to, 8) == 0) {
        world_lose_index(to);
        m->removed = true;
    }
    assert_int_equal(fs_open(to, &m->config, &m->store), OK);
    world_run(to);
    check_all(m);
    check_counts(m);
    if (world_random(to, 4) == 0)
        check_structure(m);
}

static void run_seed(uint64_t seed)
{
    struct model *m = calloc(1, sizeof(*m));

    assert_non_null(m);
    m->world = calloc(1, sizeof(*m->world));
    assert_non_null(m->world);
    world_init(m->world, seed);
    m->config.segment_bytes = UINT32_C(4096) << world_random(m->world, 4);
    assert_int_equal(fs_open(m->world, &m->config, &m->store), OK);
    make_blocks(m);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < ACTIONS; i++)
            act(m);
        crash(m, seed * ROUNDS + round);
    }
    m->frozen = true;
    fs_close(m->world, m->store);
    world_release(m->world);
    free(m->world);
    for (unsigned i = 0; i < BLOCKS; i++)
        block_unref(m->block[i]);
    free(m);
}

struct seeds {
    uint64_t first;
    uint64_t last;
    uint64_t now; /* 0: all have passed */
};

/* What fails can be run again alone. */
static int tell_seed(void **state)
{
    const struct seeds *seeds = *state;

    if (seeds->now != 0)
        print_error("to see it again: test_crash %llu\n",
                    (unsigned long long)seeds->now);
    return 0;
}

static void random_crashes(void **state)
{
    struct seeds *seeds = *state;

    for (seeds->now = seeds->first; seeds->now <= seeds->last; seeds->now++)
        run_seed(seeds->now);
    seeds->now = 0;
}

/* test_crash [FIRST [LAST]]: these seeds instead of the usual ones. */
int main(int argc, char **argv)
{
    struct seeds seeds = {.first = 1, .last = SEEDS};

    if (argc > 1)
        seeds.first = seeds.last = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seeds.last = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        {"random_crashes", random_crashes, NULL, tell_seed, &seeds},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
