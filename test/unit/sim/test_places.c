/*
 * Goal: a node that has as many connections as it may goes on: of two with one
 * peer one ends, and a question of the DHT waits until a place is free.
 *
 * Method: machines in virtual time that know nobody; the test connects them.
 */
#include "base/bytes.h"
#include "libp2p/swarm.h"
#include "multiformats/multiaddr.h"
#include "multiformats/multihash.h"
#include "node/dht.h"
#include "node/fault.h"
#include "node/network.h"
#include "node/node.h"
#include "sim/machine.h"
#include "sim/world.h"

#include "test.h"

enum { MACHINES = 10, PLACES = 8, SECOND_MS = 1000 };

static struct sim_world *world_new(void)
{
    static const char *const pairs[] = {
        "network.discovery=false",
        "network.connections_max=8",
        "network.outbound=1",
        "network.listen=/ip4/0.0.0.0/tcp/4101",
    };
    struct sim_settings none = {.count = 0};
    struct sim_world_config config = {
        .seed = 1, .machines = MACHINES, .secured = true, .settings = &none};
    struct sim_world *w = sim_world_new(&config);
    struct fault fault;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        assert_int_equal(sim_world_set(w, pairs[i]), OK);
    for (uint32_t i = 0; i < MACHINES; i++) {
        w->machines[i]->host.link_of.latency_ns = UINT64_C(20) * SIM_MS;
        assert_int_equal(sim_machine_start(w->machines[i], &fault), OK);
    }
    return w;
}

static struct mtime now_of(const struct sim_machine *m)
{
    return m->env.clock->now(m->env.clock);
}

static void run_s(struct sim_world *w, uint32_t seconds)
{
    sim_world_run(w,
                  mtime_add_ms(sim_clock_now(&w->clock), seconds * SECOND_MS));
    assert_false(w->stuck);
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    (void)op;
    (void)now;
    assert_int_equal(err, OK);
}

static void connect(struct sim_world *w, struct connect_op *op, uint32_t from,
                    uint32_t to)
{
    struct sim_machine *m = w->machines[from];
    struct multiaddr addr;
    char text[256];

    (void)sim_machine_addr(w->machines[to], text, sizeof(text));
    assert_int_equal(multiaddr_parse(bytes_str(text), &addr), OK);
    op->done = on_connected;
    assert_int_equal(
        network_connect(node_network(m->node), op, &addr, now_of(m)), OK);
    sim_machine_turn(m);
}

static struct swarm_counts counts_of(const struct sim_world *w, uint32_t i)
{
    return swarm_counts(network_swarm(node_network(w->machines[i]->node)));
}

/* Both dial at the same time, and each has two connections then. */
static void one_of_two_connections_ends(void **state)
{
    struct connect_op ops[2] = {{.done = NULL}};

    (void)state;
    struct sim_world *w = world_new();
    run_s(w, 1);
    connect(w, &ops[0], 0, 1);
    connect(w, &ops[1], 1, 0);
    run_s(w, 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(counts_of(w, i).conns, 2);
    run_s(w, 30);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(counts_of(w, i).conns, 1);
        assert_int_equal(counts_of(w, i).peers, 1);
    }
    sim_world_free(w);
}

struct asked {
    struct dht_op op;
    bool is_done;
    enum err err;
};

static void on_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct asked *a = container_of(op, struct asked, op);

    (void)now;
    a->is_done = true;
    a->err = err;
}

static void disconnect(struct sim_world *w, uint32_t from, uint32_t to)
{
    struct sim_machine *m = w->machines[from];
    struct swarm *sw = network_swarm(node_network(m->node));

    assert_int_equal(swarm_disconnect(sw, &w->machines[to]->peer, now_of(m)),
                     OK);
    sim_machine_turn(m);
}

/* All places are taken when a peer is to be told of a key; then one is free. */
static void a_question_waits_for_a_place(void **state)
{
    struct connect_op ops[MACHINES] = {{.done = NULL}};
    struct multihash hash = {.code = 0x12, .len = 32};
    struct asked a = {.op = {.done = on_done}};

    (void)state;
    struct sim_world *w = world_new();
    struct sim_machine *m = w->machines[0];
    const struct peer_id *last = &w->machines[MACHINES - 1]->peer;
    run_s(w, 1);
    connect(w, &ops[0], 0, MACHINES - 1);
    run_s(w, 5);
    disconnect(w, 0, MACHINES - 1);
    run_s(w, 1);
    for (uint32_t i = 1; i <= PLACES; i++)
        connect(w, &ops[i], 0, i);
    run_s(w, 1);
    assert_int_equal(counts_of(w, 0).conns, PLACES);
    dht_provide_to(node_dht(m->node), &a.op, last, &hash, 1, now_of(m));
    sim_machine_turn(m);
    run_s(w, 3);
    assert_int_equal(counts_of(w, 0).conns, PLACES);
    assert_false(a.is_done);
    disconnect(w, 0, 1);
    run_s(w, 1);
    assert_true(a.is_done);
    assert_int_equal(a.err, OK);
    sim_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_two_connections_ends),
        cmocka_unit_test(a_question_waits_for_a_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
