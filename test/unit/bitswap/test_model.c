/*
 * Goal: whatever an honest peer that can be reached has is delivered, once and
 * with the right bytes, in bounded memory, however the others behave; and one
 * seed makes one run.
 * Method: peers with real cores in virtual time (world.h).  Each seed draws a
 * number of peers, what they have, how slow they are, who stalls, lies, claims,
 * floods, vanishes and comes back.  Bounds are checked after each event.
 */
#include "world.h"

#include "test.h"

enum {
    SEEDS = 120,
    TIME_MAX_MS = 600000,
    LARGE = 256 * 1024, /* blocks, bytes */
    HUGE_BLOCK = 1024 * 1024,
};

static bool has_honest_holder(const struct world *w, uint32_t block)
{
    for (size_t i = 0; i < w->peers_count; i++) {
        const struct world_peer *p = &w->peers[i];
        if (p->kind == WORLD_HONEST && p->version == BS_1_2_0 && p->has[block])
            return true;
    }
    return false;
}

/* Peer 0 is honest, stays, and speaks the newest version. */
static void draw_peers(struct world *w)
{
    uint32_t count = 3 + world_random(w, 8);
    for (uint32_t i = 0; i < count; i++) {
        enum world_kind kind = WORLD_HONEST;
        enum bs_version version = BS_1_2_0;
        if (i >= 2 && world_random(w, 3) == 0)
            kind = (enum world_kind)world_random(w, 5);
        if (i >= 2 && world_random(w, 6) == 0)
            version = (enum bs_version)world_random(w, 2);
        uint32_t a = world_add(w, kind, version);
        w->peers[a].keeps = world_random(w, 2) == 0;
        uint32_t part = 1 + world_random(w, 6);
        for (uint32_t b = 0; b < w->blocks_count; b++) {
            if (world_random(w, part) == 0)
                w->peers[a].has[b] = true;
        }
        if (i >= 2 && world_random(w, 3) == 0) {
            world_after(w, WORLD_VANISH, a, a, world_random(w, 3000));
            world_after(w, WORLD_RETURN, a, a, 3001 + world_random(w, 60000));
        }
        if (i > 0 && world_random(w, 3) == 0)
            world_after(w, WORLD_RESET, 0, a, 1 + world_random(w, 3000));
    }
}

/* Peers 0 and 1 want what somebody honest has, and some that nobody has. */
static void draw_wants(struct world *w, uint32_t a)
{
    struct world_peer *p = &w->peers[a];
    for (uint32_t b = 0; b < w->blocks_count; b++) {
        p->has[b] = false;
        if (world_random(w, 2) == 0 && has_honest_holder(w, b))
            world_want(w, a, b, (int32_t)world_random(w, 100));
    }
}

static struct world *draw(uint64_t seed)
{
    struct world *w = world_new(seed, 40 + seed % 200, 60000);
    w->piecemeal = seed % 2 == 0;
    draw_peers(w);
    draw_wants(w, 0);
    draw_wants(w, 1);
    world_join_all(w);
    return w;
}

static void test_delivered(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *w = draw(seed);
        world_run(w, TIME_MAX_MS);
        for (uint32_t a = 0; a < 2; a++) {
            const struct world_peer *p = &w->peers[a];
            for (size_t i = 0; i < p->wants_count; i++) {
                const struct world_want *want = &p->wants[i];
                if (want->got != 1 && has_honest_holder(w, want->block))
                    fail_msg("seed %d: peer %d has no block %d", (int)seed,
                             (int)a, (int)want->block);
            }
            struct bs_client_stats stats = bs_client_get_stats(p->client);
            assert_int_equal(stats.blocks, p->got_count);
        }
        world_free(w);
    }
}

/* Among honest peers nothing is unasked, and little comes twice. */
static void test_honest_only(void **state)
{
    (void)state;
    uint64_t got = 0;
    uint64_t sent = 0;
    for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
        struct world *w = world_new_even(seed, 100, 20000);
        uint32_t count = 3 + world_random(w, 8);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t a = world_add(w, WORLD_HONEST, BS_1_2_0);
            uint32_t part = 1 + world_random(w, 4);
            for (uint32_t b = 0; b < w->blocks_count; b++)
                w->peers[a].has[b] = world_random(w, part) == 0;
        }
        draw_wants(w, 0);
        world_join_all(w);
        world_run(w, 3000);
        struct bs_client_stats stats = bs_client_get_stats(w->peers[0].client);
        assert_int_equal(stats.unasked, 0);
        assert_int_equal(stats.stalls, 0);
        got += stats.bytes;
        sent += w->sent_bytes;
        world_free(w);
    }
    print_message("honest: %d KB wanted, %d KB sent\n", (int)(got / 1000),
                  (int)(sent / 1000));
    assert_true(sent < got + got / 4);
}

/* Time of peer 0 for all blocks from peers with these rates, in bytes/ms. */
static uint64_t time_of(uint64_t seed, size_t blocks, size_t bytes,
                        const uint32_t *rates, size_t rates_count)
{
    struct world *w = world_new_even(seed, blocks, bytes);
    (void)world_add(w, WORLD_HONEST, BS_1_2_0);
    for (size_t i = 0; i < rates_count; i++) {
        uint32_t a = world_add(w, WORLD_HONEST, BS_1_2_0);
        w->peers[a].rate = rates[i];
        w->peers[a].latency_us = 20000;
        for (uint32_t b = 0; b < blocks; b++)
            w->peers[a].has[b] = true;
    }
    w->peers[0].latency_us = 20000;
    world_join_all(w);
    world_want(w, 0, 0, 0);
    world_run(w, 100000);
    for (uint32_t b = 1; b < blocks; b++)
        world_want(w, 0, b, -(int32_t)b);
    struct mtime start = w->now;
    world_run(w, 100000);
    assert_int_equal(world_left(w), 0);
    uint64_t ms = mtime_ms_since(start, w->now);
    struct bs_client_stats stats = bs_client_get_stats(w->peers[0].client);
    print_message("%d blocks of %d from %d: %d ms, %d came twice, %d KB sent\n",
                  (int)blocks, (int)bytes, (int)rates_count, (int)ms,
                  (int)stats.duplicates, (int)(w->sent_bytes / 1000));
    world_free(w);
    return ms;
}

static void test_speed(void **state)
{
    (void)state;
    /* 50 MB/s and a round trip of 40 ms: one second for 50 MB. */
    assert_in_range(time_of(1, 200, LARGE, (uint32_t[]){50000}, 1), 1000, 1400);
    assert_in_range(time_of(2, 50, HUGE_BLOCK, (uint32_t[]){50000}, 1), 1000,
                    1400);
    assert_in_range(time_of(3, 500, 1024, (uint32_t[]){50000}, 1), 10, 250);
    /* Two are faster than one, also when one is slow. */
    assert_in_range(time_of(4, 200, LARGE, (uint32_t[]){25000, 25000}, 2), 1000,
                    1500);
    assert_in_range(time_of(5, 200, LARGE, (uint32_t[]){50000, 5000}, 2), 900,
                    1500);
    assert_in_range(
        time_of(6, 200, LARGE, (uint32_t[]){20000, 20000, 20000, 500}, 4), 800,
        1500);
}

static void test_same_seed_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        uint64_t traces[2];
        for (int i = 0; i < 2; i++) {
            struct world *w = draw(seed);
            world_run(w, TIME_MAX_MS);
            traces[i] = w->trace;
            world_free(w);
        }
        assert_true(traces[0] == traces[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivered),
        cmocka_unit_test(test_honest_only),
        cmocka_unit_test(test_speed),
        cmocka_unit_test(test_same_seed_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
