/* xmbl-sim: runs a scenario of the simulator with one seed or many. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/map.h"
#include "base/strbuf.h"
#include "base/wr.h"
#include "crypto/ed25519.h"
#include "sim/run.h"
#include "sim/scenario.h"
#include "sim/script.h"

enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    SHRINK_RUNS = 60,
    JSON_MAX = 16384,
    KEPT_BYTES = 32 << 20, /* the most that mallopt() takes */
};

struct options {
    uint64_t seed;
    uint64_t seeds;       /* how many, from @seed on */
    const char *scenario; /* a name or a file; NULL: all that have seeds */
    const char *trace;    /* a file for every event, or NULL */
    const char *sets[16]; /* lines put behind the script */
    size_t sets_count;
    bool logs;
    bool verbose;
    bool no_shrink;
};

struct output {
    FILE *trace;
    uint64_t marked_ms; /* real time of the mark; 0: there was none */
    uint64_t marked_cpu_ms;
    bool logs;
    bool verbose;
};

static const char usage_text[] =
    "usage: xmbl-sim [SEED] [OPTION...]\n"
    "\n"
    "Runs nodes in virtual time; the same seed gives the same run.  A line of\n"
    "JSON for each run goes to stdout, what happens to stderr.\n"
    "\n"
    "  --scenario NAME|FILE  which one; all that are quick unless told\n"
    "  --seeds N             SEED and the N - 1 after it\n"
    "  --line TEXT           one line more of the scenario; may be repeated\n"
    "  --trace FILE          write every event\n"
    "  --log                 show what the nodes log\n"
    "  -v, --verbose         show what happens in a run that succeeds too\n"
    "  --no-shrink           do not look for fewer faults that still fail\n"
    "  --list                name the scenarios, and seeds in the test run\n"
    "  --show NAME           print a scenario\n";

/*
 * Each node checks the signature of each record that it hears of: with
 * thousands of nodes that is most of the work, and all but the first find the
 * same.  So this takes the place of the library's ed25519_verify().
 */

enum { GOOD_BITS = 20, MIXED_BYTES = 128 };

struct good {
    uint64_t low;
    uint64_t high;
};

/* By the low bits of @low. */
static struct good found_good[1U << GOOD_BITS]; /* NOLINT: see above */

static struct good digest(struct bytes in)
{
    static const uint8_t keys[2][16] = {{1}, {2}};

    return (struct good){siphash13(keys[0], in), siphash13(keys[1], in)};
}

enum err ed25519_verify(const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                        struct bytes msg,
                        const uint8_t sig[static ED25519_SIG_BYTES])
{
    uint8_t mixed[MIXED_BYTES];
    struct wr w = wr_init(mixed, sizeof(mixed));
    struct good of_msg = digest(msg);

    wr_bytes(&w, (struct bytes){public_key, ED25519_PUBLIC_BYTES});
    wr_bytes(&w, (struct bytes){sig, ED25519_SIG_BYTES});
    wr_be64(&w, of_msg.low);
    wr_be64(&w, of_msg.high);
    struct good all = digest((struct bytes){mixed, wr_len(&w)});
    struct good *place = &found_good[all.low & ((1U << GOOD_BITS) - 1)];
    if (place->low == all.low && place->high == all.high)
        return OK;
    enum err err = ed25519_check(public_key, msg, sig);
    if (err == OK)
        *place = all;
    return err;
}

static uint64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t cpu_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* cannot fail */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t peak_kib(void)
{
    struct rusage usage = {.ru_maxrss = 0};

    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return (uint64_t)usage.ru_maxrss;
}

/* What a run tells. */

static void on_mark(void *user)
{
    struct output *out = user;

    out->marked_ms = now_ms();
    out->marked_cpu_ms = cpu_ms();
}

static void on_tell(void *user, struct bytes line)
{
    const struct output *out = user;

    if (out->verbose)
        (void)fprintf(stderr, "%.*s\n", (int)line.len, (const char *)line.p);
}

static void on_log(void *user, uint32_t machine, uint64_t now_ns,
                   enum log_level level, struct bytes line)
{
    const struct output *out = user;

    (void)level; /* the line says it */
    if (out->logs)
        (void)fprintf(stderr, "%9.3f node %u: %.*s\n", (double)now_ns / 1e9,
                      machine, (int)line.len, (const char *)line.p);
}

static void on_trace(void *user, uint64_t count, struct mtime now,
                     uint32_t machine, enum sim_kind kind, struct bytes payload)
{
    static const uint8_t key[16] = {0};
    const struct output *out = user;

    (void)fprintf(out->trace, "%llu %llu %u %s %zu %016llx\n",
                  (unsigned long long)count, (unsigned long long)now.ns,
                  machine, sim_kind_name(kind), payload.len,
                  (unsigned long long)siphash13(key, payload));
}

/* Scripts. */

static bool add_file(const char *path, struct strbuf *text)
{
    FILE *file = fopen(path, "rb");
    uint8_t room[4096];
    size_t len;

    if (file == NULL) {
        (void)fprintf(stderr, "xmbl-sim: %s cannot be read\n", path);
        return false;
    }
    while ((len = fread(room, 1, sizeof(room), file)) > 0)
        strbuf_add(text, (struct bytes){room, len});
    (void)fclose(file); /* was only read */
    return true;
}

static bool load(const struct options *o, const char *name, uint64_t seed,
                 struct sim_script *ret_script)
{
    const struct sim_scenario *found = sim_scenario_find(name);
    struct strbuf text;
    struct strbuf why;
    bool good = true;

    strbuf_init(&text, SIM_SCRIPT_MAX);
    strbuf_init(&why, SIM_FAILURE_MAX);
    if (found != NULL)
        strbuf_str(&text, found->text);
    else
        good = add_file(name, &text);
    for (size_t i = 0; i < o->sets_count; i++) {
        strbuf_str(&text, "\n");
        strbuf_str(&text, o->sets[i]);
    }
    if (good &&
        sim_script_parse(strbuf_bytes(&text), seed, ret_script, &why) != OK) {
        (void)fprintf(stderr, "xmbl-sim: %s: %s\n", name, strbuf_cstr(&why));
        good = false;
    }
    strbuf_release(&text);
    strbuf_release(&why);
    return good;
}

/* Running. */

static void print_kept(const struct sim_script *s)
{
    for (size_t i = 0; i < s->events_count; i++) {
        struct strbuf line;
        const struct sim_event *e = &s->events[i];
        if (!sim_actions[e->verb].is_fault || e->left_out)
            continue;
        strbuf_init(&line, JSON_MAX);
        sim_event_format(e, s->machines, &line);
        (void)fprintf(stderr, "    %s\n", strbuf_cstr(&line));
        strbuf_release(&line);
    }
}

static void explain(const struct options *o, const struct sim_run_config *c,
                    const struct sim_result *result)
{
    (void)fprintf(stderr, "FAILED: %s\nrepeat: ./dev sim %llu --scenario %s",
                  result->why, (unsigned long long)c->seed, c->name);
    for (size_t i = 0; i < o->sets_count; i++)
        (void)fprintf(stderr, " --line '%s'", o->sets[i]);
    (void)fprintf(stderr, " -v\n");
    if (o->no_shrink)
        return;
    size_t kept;
    unsigned runs = sim_shrink(c, SHRINK_RUNS, &kept);
    (void)fprintf(stderr, "after %u more runs %zu faults are left:\n", runs,
                  kept);
    print_kept(c->script);
}

static bool run_one(const struct options *o, const char *name, uint64_t seed,
                    struct output *out)
{
    struct sim_script script;
    struct sim_result result;
    struct strbuf json;

    if (!load(o, name, seed, &script))
        return false;
    struct sim_run_config config = {
        .name = name,
        .script = &script,
        .seed = seed,
        .tell = on_tell,
        .log = on_log,
        .trace = out->trace != NULL ? on_trace : NULL,
        .mark = on_mark,
        .user = out,
    };
    uint64_t began_ms = now_ms();
    uint64_t began_cpu_ms = cpu_ms();
    out->marked_ms = 0;
    sim_run(&config, &result);
    struct sim_cost cost = {
        .real_ms = now_ms() - began_ms,
        .cpu_ms = cpu_ms() - began_cpu_ms,
        .peak_kib = peak_kib(),
    };
    if (out->marked_ms > 0) {
        cost.marked_real_ms = now_ms() - out->marked_ms;
        cost.marked_cpu_ms = cpu_ms() - out->marked_cpu_ms;
    }
    strbuf_init(&json, JSON_MAX);
    sim_result_json(&result, name, seed, &cost, &json);
    (void)fputs(strbuf_cstr(&json), stdout);
    (void)fflush(stdout);
    strbuf_release(&json);
    if (result.failed)
        explain(o, &config, &result);
    sim_script_release(&script);
    return !result.failed;
}

static uint64_t run_all(const struct options *o, struct output *out)
{
    uint64_t failed = 0;

    for (uint64_t i = 0; i < o->seeds; i++) {
        if (o->scenario != NULL) {
            failed += !run_one(o, o->scenario, o->seed + i, out);
            continue;
        }
        for (size_t at = 0; sim_scenario_at(at) != NULL; at++) {
            if (sim_scenario_at(at)->seeds > 0)
                failed +=
                    !run_one(o, sim_scenario_at(at)->name, o->seed + i, out);
        }
    }
    return failed;
}

/* The command line. */

static bool parse_number(const char *text, uint64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-';
}

static bool parse_flag(struct options *o, const char *word)
{
    if (strcmp(word, "--log") == 0)
        o->logs = true;
    else if (strcmp(word, "-v") == 0 || strcmp(word, "--verbose") == 0)
        o->verbose = true;
    else if (strcmp(word, "--no-shrink") == 0)
        o->no_shrink = true;
    else
        return false;
    return true;
}

static bool parse_pair(struct options *o, const char *word, const char *value)
{
    if (value == NULL)
        return false;
    if (strcmp(word, "--scenario") == 0)
        o->scenario = value;
    else if (strcmp(word, "--seeds") == 0)
        return parse_number(value, &o->seeds);
    else if (strcmp(word, "--trace") == 0)
        o->trace = value;
    else if (strcmp(word, "--line") == 0 && o->sets_count < 16)
        o->sets[o->sets_count++] = value;
    else
        return false;
    return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            if (!parse_number(argv[i], &o->seed))
                return false;
        } else if (!parse_flag(o, argv[i])) {
            if (!parse_pair(o, argv[i], argv[i + 1]))
                return false;
            i++;
        }
    }
    return true;
}

static int list_all(void)
{
    for (size_t i = 0; sim_scenario_at(i) != NULL; i++) {
        const struct sim_scenario *s = sim_scenario_at(i);
        (void)printf("%-10s %4u  %s\n", s->name, s->seeds, s->help);
    }
    return EXIT_SUCCESS;
}

static int help(void)
{
    (void)fputs(usage_text, stdout);
    (void)printf("\nActions of a scenario (docs/design/0004-simulator.md):\n");
    for (int i = 0; i < SIM_VERBS_COUNT; i++)
        (void)printf("  %-8s %-4s %s\n", sim_actions[i].name,
                     sim_actions[i].arguments, sim_actions[i].help);
    return EXIT_SUCCESS;
}

static int show(const char *name)
{
    const struct sim_scenario *s =
        name == NULL ? NULL : sim_scenario_find(name);

    if (s == NULL)
        return EXIT_USAGE;
    (void)fputs(s->text, stdout);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options o = {.seed = 1, .seeds = 1};
    struct output out = {.trace = NULL};

    /* Thousands of nodes take and give back: the memory stays ours.  Safe:
     * there is one thread. */
    (void)mallopt(M_TRIM_THRESHOLD, /* NOLINT(concurrency-mt-unsafe) */
                  KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, /* NOLINT(concurrency-mt-unsafe) */
                  KEPT_BYTES);
    if (argc > 1 && strcmp(argv[1], "--list") == 0)
        return list_all();
    if (argc > 1 && strcmp(argv[1], "--help") == 0)
        return help();
    if (argc > 1 && strcmp(argv[1], "--show") == 0)
        return show(argv[2]);
    if (!parse(argc, argv, &o)) {
        (void)fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    out.logs = o.logs;
    out.verbose = o.verbose;
    out.trace = o.trace == NULL ? NULL : fopen(o.trace, "w");
    uint64_t failed = run_all(&o, &out);
    if (out.trace != NULL)
        (void)fclose(out.trace); /* a help for people only */
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}
