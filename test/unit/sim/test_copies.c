/*
 * Goal: what is checked of objects is found where it does not hold, and holds
 * where it should; the faults about objects do what they say.
 *
 * Method: small worlds.  Some are made to break one rule each, and must fail by
 * it and by no other.
 */
#include "base/strbuf.h"
#include "sim/run.h"
#include "sim/script.h"

#include "test.h"

#define WORLD                                                                  \
    "nodes 6\n"                                                                \
    "duration 4m\n"                                                            \
    "settle 8m\n"                                                              \
    "secured yes\n"                                                            \
    "bootstrap 1\n"                                                            \
    "set all storage.repair_grace=20s\n"                                       \
    "set all storage.audit_interval=40s\n"                                     \
    "at 0s start all over 1s\n"                                                \
    "at 10s add 1 a 100KiB copies 2\n"

static struct sim_result run(const char *text)
{
    struct sim_script script;
    struct sim_result result;
    struct strbuf why;

    strbuf_init(&why, 1000);
    if (sim_script_parse(bytes_str(text), 1, &script, &why) != OK)
        fail_msg("%s", strbuf_cstr(&why));
    strbuf_release(&why);
    struct sim_run_config config = {
        .name = "test", .script = &script, .seed = 1};
    sim_run(&config, &result);
    sim_script_release(&script);
    return result;
}

static void check_holds(const char *text)
{
    struct sim_result r = run(text);

    assert_string_equal(r.why, "");
    assert_false(r.failed);
}

static void check_fails(const char *text, const char *why)
{
    struct sim_result r = run(text);

    assert_true(r.failed);
    if (strstr(r.why, why) == NULL)
        fail_msg("failed otherwise: %s", r.why);
}

static void objects_survive(void **state)
{
    (void)state;
    check_holds(WORLD "at 1m power holder:a for ever\n"
                      "at 2m kill 1 for ever\n");
}

static void a_key_is_enough(void **state)
{
    (void)state;
    check_holds(WORLD "at 1m wipe 1 for 10s\n"
                      "at 90s expect 1 state a not found\n"
                      "at 2m recover 1\n"
                      "at 3m expect 1 state a stored\n");
}

static void what_was_removed_goes(void **state)
{
    (void)state;
    check_holds(WORLD "at 1m remove 1 a\n");
}

static void too_few_are_found(void **state)
{
    (void)state;
    check_fails(WORLD "set all storage.repair_grace=2h\n"
                      "at 1m kill holder:a for ever\n",
                "too few copies: a of node 1, wanted 2");
}

static void unwanted_ones_are_found(void **state)
{
    (void)state;
    check_fails(WORLD "at 1m gone a\n", "copies that nobody wants: a");
}

static void expectations_are_checked(void **state)
{
    (void)state;
    check_holds(WORLD "at 1m expect 1 lacks a\n"
                      "at 1m expect 1 repairs 0\n"
                      "at 1m expect 1 state a safe\n"
                      "at 1m expect holder:a keeps a\n");
    check_fails(WORLD "at 1m expect 1 keeps a\n", "found that it does not");
    check_fails(WORLD "at 1m expect holder:a lacks a\n",
                "found that it keeps it");
    check_fails(WORLD "at 1m expect 1 state a lost\n", "found safe");
    check_fails(WORLD "at 1m expect 1 repairs 3\n", "found 0");
    check_fails(WORLD "at 1m expect 1 much\n", "nobody understands");
}

static void liars_are_replaced(void **state)
{
    (void)state;
    check_holds(WORLD "at 1m forget holder:a for ever\n");
    check_holds(WORLD "at 1m forge holder:a for ever\n");
    check_holds(WORLD "at 5s mute 2,3 for ever\n"
                      "at 5s spoil 4 for 2m\n");
}

static void sybils_share_an_address(void **state)
{
    (void)state;
    check_holds("nodes 8\n"
                "duration 2m\n"
                "settle 8m\n"
                "secured yes\n"
                "bootstrap 1\n"
                "sybil 3-7 20 200\n"
                "set all storage.repair_grace=20s\n"
                "set all security.connections_per_ip=20\n"
                "at 0s start all over 1s\n"
                "at 20s add 1 a 10KiB copies 2\n"
                "at 20s get 0,2 a\n"
                "at 1m expect 1 state a safe\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_survive),
        cmocka_unit_test(a_key_is_enough),
        cmocka_unit_test(what_was_removed_goes),
        cmocka_unit_test(too_few_are_found),
        cmocka_unit_test(unwanted_ones_are_found),
        cmocka_unit_test(expectations_are_checked),
        cmocka_unit_test(liars_are_replaced),
        cmocka_unit_test(sybils_share_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
