/*
 * Goal: names over days: a record is published again before it ends, also
 * after a restart; it ends where its owner is gone; what is cached is asked
 * for anew when its time is over.
 *
 * Method: machines in virtual time, of which all but the first know the first
 * only; ops are begun between runs.
 */
#include "base/bytes.h"
#include "base/strbuf.h"
#include "base/wr.h"
#include "env/clock.h"
#include "kad/ipns.h"
#include "node/fault.h"
#include "node/names.h"
#include "node/node.h"
#include "sim/machine.h"
#include "sim/world.h"

#include "test.h"

enum { MACHINES = 3, SECOND_MS = 1000, HOUR_S = 3600 };

#define VALUE_A BYTES_LIT("/ipfs/bafkqaaa")
#define VALUE_B BYTES_LIT("/ipfs/bafkqabtimvwgy3yk")

struct asked {
    struct name_op op;
    bool is_done;
    enum err err;
};

static void on_done(struct name_op *op, enum err err, struct mtime now)
{
    struct asked *a = container_of(op, struct asked, op);

    (void)now;
    a->is_done = true;
    a->err = err;
}

static struct sim_world *world_new(void)
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
    return w;
}

static void start(struct sim_world *w, uint32_t i)
{
    struct fault fault;

    assert_int_equal(sim_machine_start(w->machines[i], &fault), OK);
}

static struct mtime now_of(const struct sim_machine *m)
{
    struct clock *clock = m->env.clock;

    return clock->now(clock);
}

static void run_s(struct sim_world *w, uint32_t seconds)
{
    struct mtime until = sim_clock_now(&w->clock);

    for (uint32_t i = 0; i < seconds; i += HOUR_S) {
        uint32_t part = seconds - i < HOUR_S ? seconds - i : HOUR_S;
        until = mtime_add_ms(until, part * SECOND_MS);
        sim_world_run(w, until);
        assert_false(w->stuck);
    }
}

/* Begin, end: the answer, to be released. */
static struct asked publish(struct sim_world *w, uint32_t i, struct bytes value)
{
    struct sim_machine *m = w->machines[i];
    struct asked a = {.op = {.done = on_done}};

    assert_int_equal(
        names_publish(node_names(m->node), &a.op, value, 0, 0, now_of(m)), OK);
    sim_machine_turn(m);
    run_s(w, 30);
    assert_true(a.is_done);
    return a;
}

/* What machine @i knows of the name of machine @of; 0: nothing. */
static uint64_t sequence_of(struct sim_world *w, uint32_t i, uint32_t of,
                            bool no_cache, uint64_t *ret_eol_s)
{
    struct sim_machine *m = w->machines[i];
    struct asked a = {.op = {.done = on_done}};
    struct name_ask how = {.no_cache = no_cache};
    struct ipns_record r;

    names_get(node_names(m->node), &a.op, &w->machines[of]->peer, &how,
              now_of(m));
    sim_machine_turn(m);
    run_s(w, 70);
    assert_true(a.is_done);
    *ret_eol_s = 0;
    if (a.err != OK) {
        assert_int_equal(a.err, E_NOTFOUND);
        name_op_cancel(&a.op);
        return 0;
    }
    assert_int_equal(ipns_decode(buf_bytes(a.op.record), &r), OK);
    *ret_eol_s = (uint64_t)r.eol.s;
    name_op_cancel(&a.op);
    return r.sequence;
}

static struct sim_world *published(void)
{
    struct sim_world *w = world_new();

    for (uint32_t i = 0; i < MACHINES; i++)
        start(w, i);
    run_s(w, 30);
    struct asked a = publish(w, 1, VALUE_A);
    assert_int_equal(a.err, OK);
    assert_int_equal(a.op.peers, MACHINES - 1);
    name_op_cancel(&a.op);
    return w;
}

static void a_record_is_published_again(void **state)
{
    struct sim_world *w = published();
    uint64_t first;
    uint64_t later;

    (void)state;
    assert_int_equal(sequence_of(w, 2, 1, false, &first), 1);
    run_s(w, 5 * HOUR_S);
    assert_int_equal(sequence_of(w, 2, 1, false, &later), 1);
    assert_true(later >= first + UINT64_C(4) * HOUR_S - 60);
    /* The owner is off: others keep the record, not longer than it says. */
    sim_machine_kill(w->machines[1], false);
    run_s(w, 40 * HOUR_S);
    assert_int_equal(sequence_of(w, 2, 1, true, &first), 1);
    assert_int_equal(first, later);
    run_s(w, 8 * HOUR_S);
    assert_int_equal(sequence_of(w, 2, 1, true, &first), 0);
    /* It comes back: the same value with a new end, at once. */
    start(w, 1);
    run_s(w, 60);
    assert_int_equal(sequence_of(w, 2, 1, true, &first), 1);
    assert_true(first > later + UINT64_C(40) * HOUR_S);
    sim_world_free(w);
}

static void a_new_value_is_seen_in_time(void **state)
{
    struct sim_world *w = published();
    uint64_t eol;

    (void)state;
    assert_int_equal(sequence_of(w, 2, 1, false, &eol), 1);
    struct asked a = publish(w, 1, VALUE_B);
    assert_int_equal(a.err, OK);
    name_op_cancel(&a.op);
    assert_int_equal(sequence_of(w, 2, 1, false, &eol), 1);
    assert_int_equal(sequence_of(w, 2, 1, true, &eol), 2);
    a = publish(w, 1, VALUE_A);
    name_op_cancel(&a.op);
    assert_int_equal(sequence_of(w, 2, 1, false, &eol), 2);
    run_s(w, IPNS_TTL_DEFAULT_MS / 1000);
    assert_int_equal(sequence_of(w, 2, 1, false, &eol), 3);
    sim_world_free(w);
}

static void a_lost_folder_goes_on_counting(void **state)
{
    struct sim_world *w = published();
    struct sim_machine *m = w->machines[1];
    struct asked a = publish(w, 1, VALUE_B);
    struct ipns_record r;

    (void)state;
    name_op_cancel(&a.op);
    /* What another machine with the same key would do: a higher number. */
    uint8_t room[IPNS_RECORD_MAX];
    struct wr wr = wr_init(room, sizeof(room));
    struct bytes record;
    struct ipns_fields fields = {
        .value = VALUE_A,
        .sequence = 40,
        .eol =
            unix_time_of_ms(m->env.clock->unix_ms(m->env.clock) + IPNS_LIFE_MS),
        .ttl_ns = 1000000000,
    };
    assert_int_equal(ipns_make(node_key(m->node), &fields, &wr), OK);
    assert_int_equal(wr_finish(&wr, &record), OK);
    struct asked put = {.op = {.done = on_done}};
    assert_int_equal(names_put(node_names(w->machines[2]->node), &put.op,
                               &m->peer, record, 0, now_of(w->machines[2])),
                     OK);
    sim_machine_turn(w->machines[2]);
    run_s(w, 30);
    assert_true(put.is_done);
    assert_int_equal(put.err, OK);
    name_op_cancel(&put.op);
    a = publish(w, 1, VALUE_B);
    assert_int_equal(a.err, OK);
    assert_int_equal(ipns_decode(buf_bytes(a.op.record), &r), OK);
    assert_int_equal(r.sequence, 41);
    name_op_cancel(&a.op);
    sim_world_free(w);
}

/* Two changes at once have two numbers, and the last one counts. */
static void changes_at_once_are_ordered(void **state)
{
    struct sim_world *w = published();
    struct sim_machine *m = w->machines[1];
    struct asked a = {.op = {.done = on_done}};
    struct asked b = {.op = {.done = on_done}};
    struct ipns_record ra;
    struct ipns_record rb;

    (void)state;
    assert_int_equal(
        names_publish(node_names(m->node), &a.op, VALUE_B, 0, 0, now_of(m)),
        OK);
    assert_int_equal(
        names_publish(node_names(m->node), &b.op, VALUE_A, 0, 0, now_of(m)),
        OK);
    sim_machine_turn(m);
    run_s(w, 30);
    assert_true(a.is_done && b.is_done);
    assert_int_equal(ipns_decode(buf_bytes(a.op.record), &ra), OK);
    assert_int_equal(ipns_decode(buf_bytes(b.op.record), &rb), OK);
    assert_int_not_equal(ra.sequence, rb.sequence);
    name_op_cancel(&a.op);
    name_op_cancel(&b.op);
    sim_world_free(w);
}

/* Ended at any time, an op leaves nothing behind. */
static void an_op_may_be_cancelled(void **state)
{
    struct sim_world *w = published();
    struct sim_machine *m = w->machines[2];

    (void)state;
    for (uint32_t ms = 0; ms < 400; ms += 7) {
        struct asked a = {.op = {.done = on_done}};
        struct asked b = {.op = {.done = on_done}};
        struct name_ask how = {.no_cache = true};
        bool is_b = ms % 2 == 0;
        assert_int_equal(names_publish(node_names(m->node), &a.op,
                                       is_b ? VALUE_B : VALUE_A, 0, 0,
                                       now_of(m)),
                         OK);
        names_get(node_names(m->node), &b.op, &w->machines[1]->peer, &how,
                  now_of(m));
        sim_machine_turn(m);
        sim_world_run(w, mtime_add_ms(sim_clock_now(&w->clock), ms));
        name_op_cancel(&a.op);
        name_op_cancel(&b.op);
    }
    run_s(w, 120);
    uint64_t eol;
    assert_true(sequence_of(w, 0, 2, false, &eol) > 0);
    sim_world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_published_again),
        cmocka_unit_test(a_new_value_is_seen_in_time),
        cmocka_unit_test(a_lost_folder_goes_on_counting),
        cmocka_unit_test(changes_at_once_are_ordered),
        cmocka_unit_test(an_op_may_be_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
