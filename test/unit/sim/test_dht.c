/*
 * Goal: keys are announced and looked up in the DHT of a small world, and what
 * that took is counted.  Method: short scenarios, their results.
 */
#include <string.h>

#include "../test.h"
#include "base/strbuf.h"
#include "sim/run.h"
#include "sim/script.h"

static const char asking[] = "nodes 12\n"
                             "duration 3m\n"
                             "settle 10s\n"
                             "secured yes\n"
                             "link all latency 10ms jitter 2ms\n"
                             "bootstrap 2\n"
                             "set all logging.level=warning\n"
                             "at 0s start all over 5s\n"
                             "at 1m mark\n"
                             "random 5 from 1m to 2m provide any\n"
                             "random 20 from 2m to 3m lookup any\n";

static void on_mark(void *user)
{
    unsigned *marks = user;

    (*marks)++;
}

static struct sim_result run(const char *text, uint64_t seed,
                             unsigned *marks) /* NOLINT: counted through it */
{
    struct sim_script script;
    struct sim_result result;
    struct strbuf why;

    strbuf_init(&why, SIM_FAILURE_MAX);
    assert_int_equal(sim_script_parse(bytes_str(text), seed, &script, &why),
                     OK);
    struct sim_run_config config = {
        .name = "dht",
        .script = &script,
        .seed = seed,
        .mark = on_mark,
        .user = marks,
    };
    sim_run(&config, &result);
    assert_string_equal(result.why, "");
    sim_script_release(&script);
    strbuf_release(&why);
    return result;
}

static void test_found(void **state)
{
    unsigned marks = 0;
    (void)state;
    struct sim_result r = run(asking, 1, &marks);

    assert_int_equal(marks, 1);
    assert_int_equal(r.marked_ms, 60 * 1000);
    assert_int_equal(r.dht.provides, 5);
    assert_int_equal(r.dht.provided, 5);
    assert_true(r.dht.records >= 5);
    /* Whose own key was drawn does not look for it. */
    assert_in_range(r.dht.lookups, 15, 20);
    assert_int_equal(r.dht.found, r.dht.lookups);
    assert_int_equal(r.dht.lost, 0);
    assert_true(r.dht.hops_max <= 4);
    assert_true(r.dht.provide_messages > 0);
}

static void test_same(void **state)
{
    unsigned marks = 0;
    (void)state;
    struct sim_result a = run(asking, 2, &marks);
    struct sim_result b = run(asking, 2, &marks);

    assert_int_equal(a.trace_hash, b.trace_hash);
    assert_memory_equal(&a.dht, &b.dht, sizeof(a.dht));
}

/* Who is off is not asked, and where nothing was announced nothing is looked
 * for. */
static void test_nobody(void **state)
{
    static const char text[] = "nodes 2\n"
                               "duration 5s\n"
                               "set all logging.level=warning\n"
                               "at 0s start 0\n"
                               "at 1s provide 1\n"
                               "at 2s lookup 0\n";
    unsigned marks = 0;
    (void)state;
    struct sim_result r = run(text, 1, &marks);

    assert_int_equal(r.dht.provides + r.dht.lookups + r.dht.lost, 0);
    assert_int_equal(marks, 0);
}

/* A node that dies in the midst of it says nothing about the DHT. */
static void test_killed(void **state)
{
    static const char text[] = "nodes 4\n"
                               "duration 2m\n"
                               "settle 10s\n"
                               "secured yes\n"
                               "link all latency 200ms\n"
                               "bootstrap 1\n"
                               "set all logging.level=warning\n"
                               "at 0s start all\n"
                               "at 60s provide 1\n"
                               "at 70s lookup 2\n"
                               "at 90s provide 3\n"
                               "at 90010ms kill 3\n";
    unsigned marks = 0;
    (void)state;
    struct sim_result r = run(text, 1, &marks);

    assert_int_equal(r.dht.provides, 1);
    assert_int_equal(r.dht.lookups, 1);
    assert_int_equal(r.dht.found, 1);
    assert_int_equal(r.dht.lost, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
