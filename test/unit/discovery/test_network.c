/*
 * Goal: nodes that know one other node find all of them, stay connected when
 * that one is gone, know whom they could give an object to, and forget who has
 * died, at a cost that is bounded.
 * Method: whole networks of discoveries in virtual time (world.h).
 */
#include "discovery/discovery.h"
#include "peers.h"
#include "world.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* First peers within 5 s of the start; in a minute everybody is known. */
static void test_meeting(void **state)
{
    struct world *w = *state;
    world_init(w, 30);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 5 * (uint64_t)SECOND);
    for (size_t i = 0; i < w->count; i++)
        assert_true(world_links(w, i) >= 2);
    world_run(w, 10 * (uint64_t)MINUTE);
    for (size_t i = 0; i < w->count; i++) {
        struct discovery_counts c = discovery_counts(w->nodes[i].core);
        assert_int_equal(c.known, w->count - 1);
        assert_true(c.outbound <= DISCOVERY_OUTBOUND_TARGET);
        assert_int_equal(c.records_bad, 0);
        assert_int_equal(c.requests_refused, 0);
        assert_true(w->nodes[i].changes > 0);
        assert_true(w->nodes[i].bootstraps <= 2);
    }
    world_release(w);
}

/* In a network smaller than the target everybody is everybody's candidate,
 * whoever of two dialled: each is dialled back once. */
static void test_few(void **state)
{
    struct world *w = *state;
    world_init(w, 5);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 15 * (uint64_t)SECOND);
    for (size_t i = 0; i < w->count; i++) {
        assert_int_equal(world_links(w, i), 4);
        assert_int_equal(world_candidates(w, i), 4);
    }
    /* Then there is nothing to do but the rounds. */
    uint64_t before = w->requests;
    world_run(w, HOUR);
    assert_true(w->requests - before <= UINT64_C(255));
    for (size_t i = 0; i < w->count; i++)
        assert_int_equal(world_links(w, i), 4);
    world_release(w);
}

/* The bootstrap node dies: the others go on, and a node that starts anew with
 * the book that it had finds them without it. */
static void test_no_bootstrap(void **state)
{
    struct world *w = *state;
    static uint8_t keys[64][BOOK_KEY_MAX];
    static uint8_t values[64][BOOK_VALUE_MAX];
    size_t key_lens[64];
    size_t value_lens[64];
    size_t rows = 0;
    world_init(w, 12);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 10 * (uint64_t)MINUTE);
    world_kill(w, 0);
    world_run(w, MINUTE);
    for (;;) {
        struct wr k = wr_init(keys[rows], BOOK_KEY_MAX);
        struct wr v = wr_init(values[rows], BOOK_VALUE_MAX);
        if (!discovery_next_change(w->nodes[5].core, &k, &v))
            break;
        key_lens[rows] = wr_len(&k);
        value_lens[rows++] = wr_len(&v);
        assert_true(rows < 64);
    }
    world_kill(w, 5);
    world_run(w, MINUTE);
    /* world_start() would forget the book: the same by hand. */
    struct discovery_config config = {
        .network = "devnet", .key = &w->nodes[5].key, .seed = {77}};
    w->nodes[5].core = discovery_new(&config);
    w->nodes[5].bootstrap = 5;
    discovery_set_clock(w->nodes[5].core,
                        (uint64_t)TEST_UNIX_S * 1000 + w->now.ns / 1000000,
                        w->now);
    for (size_t i = 0; i < rows; i++)
        assert_int_equal(
            discovery_load(w->nodes[5].core,
                           (struct bytes){keys[i], key_lens[i]},
                           (struct bytes){values[i], value_lens[i]}),
            OK);
    w->nodes[5].alive = true;
    discovery_start(w->nodes[5].core, w->now);
    world_run(w, 5 * (uint64_t)SECOND);
    assert_true(world_links(w, 5) >= 5);
    world_release(w);
}

/* Dead peers are no candidates within the hour, and then nowhere. */
static void test_death(void **state)
{
    struct world *w = *state;
    world_init(w, 6);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 10 * (uint64_t)MINUTE);
    world_kill(w, 3);
    world_run(w, 80 * (uint64_t)MINUTE);
    for (size_t i = 0; i < w->count; i++) {
        if (i == 3)
            continue;
        assert_int_equal(world_candidates(w, i), 4);
        assert_null(
            book_find(discovery_book(w->nodes[i].core), &w->nodes[3].id));
    }
    world_release(w);
}

/* Somebody whose own link is down for an hour loses nobody by it. */
static void test_cut_off(void **state)
{
    struct world *w = *state;
    world_init(w, 6);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 10 * (uint64_t)MINUTE);
    for (size_t i = 1; i < w->count; i++) {
        world_kill(w, i);
    }
    world_run(w, 3 * (uint64_t)HOUR);
    struct discovery_counts c = discovery_counts(w->nodes[0].core);
    assert_int_equal(c.known, 5);
    assert_true(w->nodes[0].bootstraps > 10);
    /* They are dialled, but ever more rarely. */
    assert_true(w->nodes[0].dials < 5 * 40);
    world_release(w);
}

/* A node that is no member is not kept, nor asked. */
static void test_stranger(void **state)
{
    struct world *w = *state;
    world_init(w, 6);
    w->nodes[4].stranger = true;
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    for (size_t i = 0; i < 4; i++) {
        struct book_heard heard = {.peer = &w->nodes[4].id,
                                   .addrs = &w->nodes[4].addr,
                                   .count = 1,
                                   .source = BOOK_DHT};
        assert_int_equal(discovery_hear(w->nodes[i].core, &heard, w->now), OK);
    }
    world_run(w, 10 * (uint64_t)MINUTE);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(world_candidates(w, i), 4);
        assert_int_equal(world_links(w, i), 4);
        assert_null(
            book_find(discovery_book(w->nodes[i].core), &w->nodes[4].id));
    }
    world_release(w);
}

/* Records are renewed before they end: a day later all are candidates still. */
static void test_renewal(void **state)
{
    struct world *w = *state;
    world_init(w, 4);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 30 * (uint64_t)HOUR);
    for (size_t i = 0; i < w->count; i++)
        assert_int_equal(world_candidates(w, i), 3);
    world_release(w);
}

/* One that changes what it offers is believed by all at once. */
static void test_change(void **state)
{
    struct world *w = *state;
    struct capability self;
    struct discovery_candidate c;
    world_init(w, 5);
    for (size_t i = 0; i < w->count; i++)
        world_start(w, i, 0);
    world_run(w, 2 * (uint64_t)MINUTE);
    memset(&self, 0, sizeof(self));
    self.addrs[self.addr_count++] = w->nodes[2].addr;
    self.has_storage = true;
    self.storage_offer = 5000;
    self.storage_free = 4000;
    discovery_set_self(w->nodes[2].core, &self, w->now);
    world_run(w, 2 * (uint64_t)SECOND);
    for (size_t i = 0; i < w->count; i++) {
        struct peer_id after;
        bool found = false;
        const struct peer_id *at = NULL;
        while (discovery_next_candidate(w->nodes[i].core, at, w->now, &c)) {
            after = c.peer;
            at = &after;
            if (!peer_id_eq(&c.peer, &w->nodes[2].id))
                continue;
            found = true;
            assert_int_equal(c.storage_offer, 5000);
            assert_int_equal(c.storage_free, 4000);
            assert_int_equal(c.ip.len, 4);
            assert_int_equal(c.group, reach_group(&w->nodes[2].addr));
            assert_true(c.is_connected);
        }
        assert_int_equal(found, i != 2);
    }
    /* A little less space is told to nobody, and not more often than once in a
     * minute anything. */
    uint64_t before = w->hellos;
    self.storage_free = 3900;
    discovery_set_self(w->nodes[2].core, &self, w->now);
    world_run(w, 2 * (uint64_t)MINUTE);
    assert_int_equal(w->hellos, before);
    for (uint64_t i = 0; i < 50; i++) {
        self.storage_offer = 6000 + i;
        discovery_set_self(w->nodes[2].core, &self, w->now);
        world_run(w, SECOND);
    }
    assert_int_equal(w->hellos - before, 4);
    world_release(w);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct world));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meeting),      cmocka_unit_test(test_few),
        cmocka_unit_test(test_no_bootstrap), cmocka_unit_test(test_death),
        cmocka_unit_test(test_cut_off),      cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_renewal),      cmocka_unit_test(test_change),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
