/*
 * Goal: a script is read as its manual says; what is wrong is named with its
 * line; the same seed draws the same events.
 *
 * Method: small scripts; every prefix of a large one must be read or refused
 * without a fault of ours.
 */
#include "base/strbuf.h"
#include "sim/clock.h"
#include "sim/scenario.h"
#include "sim/script.h"

#include "test.h"

static enum err parse(const char *text, struct sim_script *s, char why[256])
{
    struct strbuf message;

    strbuf_init(&message, 255);
    enum err err = sim_script_parse(bytes_str(text), 7, s, &message);
    memcpy(why, strbuf_cstr(&message), message.len + 1);
    strbuf_release(&message);
    return err;
}

static void traits_and_events(void **state)
{
    struct sim_script s;
    char why[256];

    (void)state;
    assert_int_equal(parse("nodes 10 # a comment\n"
                           "\n"
                           "duration 2m\n"
                           "secured yes\n"
                           "calm 5\n"
                           "found 98%\n"
                           "link 0-4,9 latency 30ms loss 0.5% up 1MiB\n"
                           "nat 3\n"
                           "lan 1 7\n"
                           "group 2 20 7\n"
                           "wall 4 behind 3s\n"
                           "disk 5 capacity 1GiB sync 8ms lies\n"
                           "set all logging.level=warning\n"
                           "set 6 storage.limit=1G\n"
                           "at 5s kill 0-2 for 100ms\n"
                           "at 1s start all\n"
                           "every 10s from 20s to 45s reset 1\n"
                           "random 7 from 1m to 2m cut 0-4 5-9 for 3s\n"
                           "at 3s add 0 f* 1-2KiB\n"
                           "at 3s call 0 GET /api/v1/node with more\n",
                           &s, why),
                     OK);
    assert_int_equal(s.machines, 10);
    assert_true(s.secured);
    assert_int_equal(s.calm_max, 5);
    assert_int_equal(s.found_ppm, 980000);
    assert_true(s.duration_ns == UINT64_C(120) * SIM_S);
    assert_int_equal(s.traits[4].link.latency_ns, 30 * SIM_MS);
    assert_int_equal(s.traits[9].link.loss_ppm, 5000);
    assert_int_equal(s.traits[9].link.up_bytes_s, 1 << 20);
    assert_int_equal(s.traits[5].link.loss_ppm, 0);
    assert_true(s.traits[3].nat);
    assert_false(s.traits[2].nat);
    assert_int_equal(s.traits[1].lan, 7);
    assert_int_equal(s.traits[2].group, 20 << 8 | 7);
    assert_int_equal(s.traits[4].wall_ms, -3000);
    assert_int_equal(s.traits[5].capacity_bytes, 1 << 30);
    assert_true(s.traits[5].lies);
    assert_int_equal(s.settings.count, 1);
    assert_non_null(s.own[6]);
    assert_null(s.own[5]);
    assert_int_equal(s.events_count, 3 + 10 + 3 + 7 + 2);
    for (size_t i = 0; i + 1 < s.events_count; i++)
        assert_true(s.events[i].at_ns <= s.events[i + 1].at_ns);
    assert_int_equal(s.events[0].verb, SIM_START);
    assert_int_equal(s.events[0].machine, 0);
    assert_int_equal(s.events[9].machine, 9);
    const struct sim_event *add = &s.events[10];
    assert_int_equal(add->verb, SIM_ADD);
    assert_int_equal(add->file[0], 'f');
    assert_true(add->file[1] != '*');
    assert_in_range(add->number, 1, 2048);
    assert_string_equal(s.events[11].file, "GET /api/v1/node with more");
    assert_int_equal(s.events[12].verb, SIM_KILL);
    assert_int_equal(s.events[12].for_ns, 100 * SIM_MS);
    const struct sim_event *cut = &s.events[s.events_count - 1];
    assert_int_equal(cut->verb, SIM_CUT);
    assert_int_equal(cut->sides[4], 1);
    assert_int_equal(cut->sides[5], 2);
    sim_script_release(&s);
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "there is no line with nodes"},
        {"link 0 nat\n", "line 1: the line with nodes comes first: 0"},
        {"nodes 0\n", "line 1: no nodes: 0"},
        {"nodes 100001\n", "line 1: too large a number: 100001"},
        {"nodes 2\nnodes 2\n", "line 2: a second line with nodes: nodes"},
        {"nodes 2\n\nat 1s fly 0\n", "line 3: there is no such action: fly"},
        {"nodes 2\nat 1s kill 2\n", "line 2: there is no such machine: 2"},
        {"nodes 2\nat 1x kill 1\n", "line 2: not a duration: 1x"},
        {"nodes 2\nat 1s kill 1 now\n", "line 2: one word too many: now"},
        {"nodes 2\nat 1s add 1 f\n", "line 2: a word is missing at the end: f"},
        {"nodes 2\nat 1s add 1 f 1KB\n", "line 2: not a size: 1KB"},
        {"nodes 2\nlink 0 loss 101%\n", "line 2: not a share: 101%"},
        {"nodes 2\nset all no.such=1\n",
         "line 2: no such setting, or a bad value: no.such=1"},
        {"nodes 2\nrandom 0 kill 1\n", "line 2: none is no event: 0"},
        {"nodes 2\nevery 0s kill 1\n", "line 2: too often: 0s"},
        {"nodes 2\nevery 1s from 5s to 4s kill 1\n",
         "line 2: it ends before it begins: 4s"},
        {"nodes 2\nfly\n", "line 2: there is no such line: fly"},
        {"nodes 2\nbootstrap 3\n", "line 2: too large a number: 3"},
        {"nodes 2\ncalm 1%\n", "line 2: not a number: 1%"},
        {"nodes 2\nfound 98\n", "line 2: not a share: 98"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_script s;
        char why[256];
        assert_int_not_equal(parse(cases[i].text, &s, why), OK);
        assert_string_equal(why, cases[i].why);
    }
}

static void numbers_at_their_limits(void **state)
{
    struct sim_script s;
    char why[256];
    uint64_t value;

    (void)state;
    assert_int_equal(parse("nodes 100000\n", &s, why), OK);
    sim_script_release(&s);
    assert_int_equal(sim_parse_share(BYTES_LIT("100%"), &value), OK);
    assert_int_equal(value, 1000000);
    assert_int_equal(sim_parse_share(BYTES_LIT("0.0001%"), &value), OK);
    assert_int_equal(value, 1);
    assert_int_equal(sim_parse_share(BYTES_LIT("1.5"), &value), E_MALFORMED);
    assert_int_equal(sim_parse_share(BYTES_LIT("%"), &value), E_MALFORMED);
    assert_int_equal(sim_parse_duration(BYTES_LIT("3d"), &value), OK);
    assert_true(value == UINT64_C(259200) * SIM_S);
    assert_int_equal(
        sim_parse_duration(BYTES_LIT("999999999999999999d"), &value),
        E_MALFORMED);
    assert_int_equal(sim_parse_size(BYTES_LIT("999999999999999999"), &value),
                     OK);
    assert_int_equal(sim_parse_size(BYTES_LIT("9999999999999999999"), &value),
                     E_MALFORMED);
    assert_int_equal(sim_parse_size(BYTES_LIT(""), &value), E_MALFORMED);
}

static void every_prefix_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t at = 0; sim_scenario_at(at) != NULL; at++) {
        const char *text = sim_scenario_at(at)->text;
        for (size_t len = 0; len <= strlen(text); len++) {
            struct sim_script s;
            struct strbuf why;
            strbuf_init(&why, 1000);
            struct bytes in = {(const uint8_t *)text, len};
            enum err err = sim_script_parse(in, 1, &s, &why);
            assert_true(err == OK ? why.len == 0 : why.len > 0);
            if (err == OK)
                sim_script_release(&s);
            strbuf_release(&why);
        }
        assert_ptr_equal(sim_scenario_find(sim_scenario_at(at)->name),
                         sim_scenario_at(at));
    }
    assert_null(sim_scenario_find("no such scenario"));
}

/* An event that is written can be read, and is the same then. */
static void what_is_written_can_be_read(void **state)
{
    static const char *const lines[] = {
        "at 1500000us kill 1 for 100000us",
        "at 0us connect 0 1",
        "at 3000000us cut 0,2 1,3 for 30000000us",
        "at 1us add 2 name 1048576",
        "at 2us slow 1 20000us for 10000000us",
        "at 2us lossy 1 5% for 10000000us",
        "at 2us rot 3",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct sim_script s;
        struct strbuf text;
        char why[256];
        strbuf_init(&text, 1000);
        strbuf_str(&text, "nodes 4\n");
        strbuf_str(&text, lines[i]);
        assert_int_equal(parse(strbuf_cstr(&text), &s, why), OK);
        assert_int_equal(s.events_count, 1);
        strbuf_reset(&text);
        sim_event_format(&s.events[0], s.machines, &text);
        assert_string_equal(strbuf_cstr(&text), lines[i]);
        strbuf_release(&text);
        sim_script_release(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traits_and_events),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(numbers_at_their_limits),
        cmocka_unit_test(every_prefix_is_read_or_refused),
        cmocka_unit_test(what_is_written_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
