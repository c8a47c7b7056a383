/*
 * Goal: what is pinned is known to the DHT soon and stays known for days; cache
 * is never told of; more roots than the queue holds, and those that a crash
 * kept from being told, are told too.
 *
 * Method: machines in virtual time, of which all but the first know the first
 * only; blocks are put and pinned between runs.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/wr.h"
#include "env/clock.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "node/announce.h"
#include "node/dht.h"
#include "node/fault.h"
#include "node/node.h"
#include "sim/machine.h"
#include "sim/world.h"
#include "store/store.h"

#include "test.h"

enum { MACHINES = 3, HOUR_S = 3600, PUTS_MAX = 64 };

/* A block that is put, then pinned. */
struct keeping {
    struct sim_machine *machine;
    struct store_put_op put;
    struct store_pin_op pin;
    struct block *block;
    bool is_pinned; /* to be */
    bool is_told;   /* announce_root() is called */
    bool is_done;
};

static void on_pinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct keeping *k = container_of(op, struct keeping, pin);

    assert_int_equal(err, OK);
    k->is_done = true;
    if (k->is_told)
        announce_root(node_announce(k->machine->node), &k->block->cid.hash,
                      now);
}

static void on_put(struct store_put_op *op, enum err err, struct mtime now)
{
    struct keeping *k = container_of(op, struct keeping, put);
    struct clock *clock = k->machine->env.clock;
    struct store_pin pin = {
        .kind = STORE_PIN_RECURSIVE,
        .cid = k->block->cid,
        .created_ms = clock->unix_ms(clock),
    };

    (void)now;
    assert_int_equal(err, OK);
    k->is_done = !k->is_pinned;
    k->pin.done = on_pinned;
    if (k->is_pinned)
        assert_int_equal(store_pin(node_store(k->machine->node), &k->pin, &pin),
                         OK);
}

static struct block *block_of(uint32_t n)
{
    uint8_t bytes[4];
    struct wr w = wr_init(bytes, sizeof(bytes));

    wr_be32(&w, n);
    struct buf *b = buf_copy((struct bytes){bytes, sizeof(bytes)});
    return block_make(1, CODEC_RAW,
                      (struct slice){.buf = b, .bytes = buf_bytes(b)});
}

static void run_s(struct sim_world *w, uint32_t seconds)
{
    struct mtime until = sim_clock_now(&w->clock);

    for (uint32_t i = 0; i < seconds; i += HOUR_S) {
        uint32_t part = seconds - i < HOUR_S ? seconds - i : HOUR_S;
        until = mtime_add_ms(until, part * 1000);
        sim_world_run(w, until);
        assert_false(w->stuck);
    }
}

/* Keep blocks @from to @to - 1 on machine 1. */
static void keep(struct sim_world *w, uint32_t from, uint32_t to,
                 bool is_pinned, bool is_told)
{
    struct sim_machine *m = w->machines[1];
    struct keeping *list = mem_zalloc(PUTS_MAX, sizeof(*list));

    for (uint32_t at = from; at < to; at += PUTS_MAX) {
        uint32_t count = to - at < PUTS_MAX ? to - at : PUTS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            struct keeping *k = &list[i];
            *k = (struct keeping){.machine = m,
                                  .put = {.done = on_put},
                                  .block = block_of(at + i),
                                  .is_pinned = is_pinned,
                                  .is_told = is_told};
            assert_int_equal(store_put(node_store(m->node), &k->put, k->block,
                                       STORE_CACHE, NULL),
                             OK);
        }
        sim_machine_turn(m);
        run_s(w, 1);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(list[i].is_done);
            block_unref(list[i].block);
        }
    }
    mem_free(list);
}

struct looking {
    struct dht_op op;
    struct peer_id peer;
    bool is_found;
    bool is_done;
};

static void on_found(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    struct looking *l = container_of(op, struct looking, op);

    (void)now;
    l->is_found |= peer_id_eq(&found->peer, &l->peer);
}

static void on_looked(struct dht_op *op, enum err err, struct mtime now)
{
    struct looking *l = container_of(op, struct looking, op);

    (void)err;
    (void)now;
    l->is_done = true;
}

/* Whether machine 2 finds machine 1 as one that has block @n. */
static bool is_found(struct sim_world *w, uint32_t n)
{
    struct sim_machine *m = w->machines[2];
    struct block *b = block_of(n);
    struct looking l = {.op = {.found = on_found, .done = on_looked},
                        .peer = w->machines[1]->peer};

    dht_find_providers(node_dht(m->node), &l.op, &b->cid.hash, 0,
                       sim_clock_now(&m->clock));
    sim_machine_turn(m);
    run_s(w, 65);
    assert_true(l.is_done);
    block_unref(b);
    return l.is_found;
}

static void start(struct sim_world *w, uint32_t i)
{
    struct fault fault;

    assert_int_equal(sim_machine_start(w->machines[i], &fault), OK);
}

static struct sim_world *world(const char *mode)
{
    struct sim_settings none = {.count = 0};
    struct sim_world_config config = {
        .seed = 1, .machines = MACHINES, .settings = &none};
    struct sim_world *w = sim_world_new(&config);
    char addr[256];
    struct strbuf pair;

    (void)sim_machine_addr(w->machines[0], addr, sizeof(addr));
    strbuf_init(&pair, 400);
    strbuf_str(&pair, "network.bootstrap=");
    strbuf_str(&pair, addr);
    for (uint32_t i = 1; i < MACHINES; i++)
        assert_int_equal(sim_machine_set(w->machines[i], strbuf_cstr(&pair)),
                         OK);
    strbuf_release(&pair);
    assert_int_equal(sim_machine_set(w->machines[1], mode), OK);
    for (uint32_t i = 0; i < MACHINES; i++)
        start(w, i);
    run_s(w, 30);
    return w;
}

static struct announce_stats stats_of(struct sim_world *w)
{
    struct sim_machine *m = w->machines[1];

    return announce_get_stats(node_announce(m->node), sim_clock_now(&m->clock));
}

static void roots_stay_known(void **state)
{
    struct sim_world *w = world("storage.announce=roots");

    (void)state;
    keep(w, 0, 20, true, true);
    keep(w, 20, 21, false, false);
    run_s(w, 5);
    assert_int_equal(stats_of(w).roots_done, 20);
    assert_true(is_found(w, 0) && is_found(w, 19));
    assert_false(is_found(w, 20));
    /* Records live for two days. */
    run_s(w, 50 * HOUR_S);
    assert_true(is_found(w, 0) && is_found(w, 19));
    assert_false(is_found(w, 20));
    assert_in_range(stats_of(w).circles, 3, 6);
    sim_world_free(w);
}

static void all_that_is_counted_is_swept(void **state)
{
    struct sim_world *w = world("storage.announce=all");

    (void)state;
    /* Nobody calls announce_root() for them. */
    keep(w, 0, 100, true, false);
    keep(w, 100, 101, false, false);
    run_s(w, 23 * HOUR_S);
    assert_true(is_found(w, 0) && is_found(w, 99));
    assert_false(is_found(w, 100));
    assert_in_range(stats_of(w).keys, 100, 400);
    sim_world_free(w);
}

static void new_roots_hurry_the_sweep(void **state)
{
    struct sim_world *w = world("storage.announce=all");

    (void)state;
    run_s(w, 600);
    keep(w, 0, 10, true, false);
    keep(w, 10, 11, true, true);
    run_s(w, 120);
    assert_true(is_found(w, 0) && is_found(w, 10));
    sim_world_free(w);
}

static void a_crash_loses_no_root(void **state)
{
    struct sim_world *w = world("storage.announce=roots");

    (void)state;
    run_s(w, 600);
    keep(w, 0, 1, true, true);
    run_s(w, 60);
    keep(w, 1, 2, true, false); /* pinned, and killed before it was told */
    sim_machine_kill(w->machines[1], false);
    start(w, 1);
    run_s(w, 60);
    assert_true(is_found(w, 1));
    sim_world_free(w);
}

static void more_roots_than_the_queue_holds(void **state)
{
    struct sim_world *w = world("storage.announce=roots");
    uint32_t count = ANNOUNCE_ROOTS_MAX + 100;

    (void)state;
    /* With nobody there they all have to wait. */
    sim_machine_kill(w->machines[0], false);
    sim_machine_kill(w->machines[2], false);
    keep(w, 0, count, true, true);
    assert_true(stats_of(w).roots_waiting <= ANNOUNCE_ROOTS_MAX);
    start(w, 0);
    start(w, 2);
    run_s(w, 2 * HOUR_S);
    assert_true(stats_of(w).roots_done >= count);
    assert_int_equal(stats_of(w).roots_waiting, 0);
    assert_true(is_found(w, 0) && is_found(w, count - 1));
    sim_world_free(w);
}

static void nothing_is_told(void **state)
{
    struct sim_world *w = world("storage.announce=none");

    (void)state;
    keep(w, 0, 10, true, true);
    run_s(w, HOUR_S);
    assert_false(is_found(w, 0));
    assert_int_equal(stats_of(w).roots_done + stats_of(w).keys, 0);
    sim_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_stay_known),
        cmocka_unit_test(all_that_is_counted_is_swept),
        cmocka_unit_test(new_roots_hurry_the_sweep),
        cmocka_unit_test(a_crash_loses_no_root),
        cmocka_unit_test(more_roots_than_the_queue_holds),
        cmocka_unit_test(nothing_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
