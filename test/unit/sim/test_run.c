/*
 * Goal: whole runs: real nodes move a file and survive crashes; the same seed
 * gives the same run; what does not hold fails the run, and the shrinker finds
 * the fault that matters.
 *
 * Method: small scenarios, run twice in this process, where addresses of
 * memory differ.
 */
#include "base/strbuf.h"
#include "sim/run.h"
#include "sim/script.h"

#include "test.h"

static const char moving[] = "nodes 2\n"
                             "duration 8s\n"
                             "link all latency 10ms loss 1% up 4MiB\n"
                             "at 0s start all\n"
                             "at 100ms connect 1 0\n"
                             "at 200ms add 0 big 3MiB\n"
                             "at 200ms get 1 big\n"
                             "at 1200ms kill 1 for 1s\n";

static const char crashing[] = "nodes 1\n"
                               "duration 8s\n"
                               "at 0s start 0\n"
                               "random 6 from 100ms to 7s add 0 f* 1-300KiB\n"
                               "random 3 from 1s to 7s power 0 for 200ms\n"
                               "random 2 from 1s to 7s kill 0 for 200ms\n";

/* All blocks vanish under a file that was acknowledged, of which the checks
 * do not know: so they fail. */
static const char losing[] = "nodes 2\n"
                             "duration 8s\n"
                             "settle 4s\n"
                             "at 0s start all\n"
                             "at 100ms add 0 a 100KiB\n"
                             "random 6 from 1s to 4s kill 1 for 200ms\n"
                             "at 4500ms lose 0\n"
                             "at 5s connect 1 0\n"
                             "at 5s get 1 a\n"
                             "random 6 from 5s to 6s kill 1 for 200ms\n";

static void read_script(const char *text, uint64_t seed, struct sim_script *s)
{
    struct strbuf why;

    strbuf_init(&why, 1000);
    assert_int_equal(sim_script_parse(bytes_str(text), seed, s, &why), OK);
    strbuf_release(&why);
}

static struct sim_result run(const char *text, uint64_t seed)
{
    struct sim_script script;
    struct sim_result result;

    read_script(text, seed, &script);
    struct sim_run_config config = {
        .name = "test",
        .script = &script,
        .seed = seed,
    };
    sim_run(&config, &result);
    sim_script_release(&script);
    return result;
}

static void a_file_moves(void **state)
{
    (void)state;
    struct sim_result a = run(moving, 1);
    struct sim_result b = run(moving, 1);
    struct sim_result c = run(moving, 2);

    assert_string_equal(a.why, "");
    assert_false(a.failed);
    assert_int_equal(a.gotten, 1);
    assert_int_equal(a.checked, 1);
    assert_int_equal(a.starts, 3);
    assert_true(a.bytes > UINT64_C(3) * 1024 * 1024);
    assert_true(a.trace_hash == b.trace_hash);
    assert_int_equal(a.trace_count, b.trace_count);
    assert_true(a.trace_hash != c.trace_hash);
}

static void what_was_acknowledged_survives(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_result r = run(crashing, seed);
        assert_string_equal(r.why, "");
        assert_int_equal(r.added, 6);
        assert_int_equal(r.checked, 6);
    }
}

/* Two connections after the mark, again and a dial back: too many where none
 * is allowed. */
static void a_storm_of_connections_fails(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"calm 60\nat 5s expect 0,1 peers 1\n", ""},
        {"calm 1\n", "8.000s too many connections were made: 2 since the "
                     "mark, at most 0"},
        {"at 50ms expect 0 peers 1\n",
         "0.050s node 0: expected peers 1, found 0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        strbuf_str(&text, "nodes 2\n"
                          "duration 8s\n"
                          "at 0s start all\n"
                          "at 100ms connect 1 0\n"
                          "at 1s mark\n"
                          "at 2s reset 1\n");
        strbuf_str(&text, cases[i].text);
        struct sim_result r = run(strbuf_cstr(&text), 1);
        assert_string_equal(r.why, cases[i].why);
        assert_int_equal(r.failed, cases[i].why[0] != '\0');
        strbuf_release(&text);
    }
}

static void a_run_that_fails_is_shrunk(void **state)
{
    struct sim_script script;
    struct sim_result result;
    size_t kept = 0;

    (void)state;
    read_script(losing, 1, &script);
    struct sim_run_config config = {
        .name = "test",
        .script = &script,
        .seed = 1,
    };
    sim_run(&config, &result);
    assert_true(result.failed);
    assert_non_null(strstr(result.why, "never got"));
    unsigned runs = sim_shrink(&config, 40, &kept);
    assert_in_range(runs, 4, 40);
    assert_int_equal(kept, 1);
    for (size_t i = 0; i < script.events_count; i++) {
        const struct sim_event *e = &script.events[i];
        assert_true(e->left_out || !sim_actions[e->verb].is_fault ||
                    e->verb == SIM_LOSE);
    }
    sim_script_release(&script);
}

static void the_report_is_json(void **state)
{
    struct sim_result r = {.failed = true, .trace_hash = 0xab};
    struct sim_cost cost = {.real_ms = 6};
    struct strbuf s;

    (void)state;
    (void)strcpy(r.why, "a \"quoted\" word");
    strbuf_init(&s, 4096);
    sim_result_json(&r, "name", 5, &cost, &s);
    assert_non_null(strstr(strbuf_cstr(&s), "{\"ok\":false,"));
    assert_non_null(strstr(strbuf_cstr(&s), "\"seed\":5,"));
    assert_non_null(strstr(strbuf_cstr(&s), "\"trace\":\"00000000000000ab\""));
    assert_non_null(strstr(strbuf_cstr(&s), "a \\\"quoted\\\" word\"}\n"));
    strbuf_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_moves),
        cmocka_unit_test(what_was_acknowledged_survives),
        cmocka_unit_test(a_storm_of_connections_fails),
        cmocka_unit_test(a_run_that_fails_is_shrunk),
        cmocka_unit_test(the_report_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
