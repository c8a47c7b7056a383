#include "sim/script.h"

#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "sim/clock.h"
#include "sim/script_priv.h"

enum {
    LATENCY_NS = 5 * SIM_MS,
    BYTE_MAX = 255,
    LAN_MAX = 1000000,
    COUNT_MAX = 1 << 20,
    WALL_MAX_S = 365 * 86400,
};

#define DURATION (UINT64_C(60) * SIM_S)
#define SETTLE   (UINT64_C(120) * SIM_S)

/* Lines that say what machines are like. */

typedef enum err traits_fn(struct sim_line *l, struct sim_traits *t);

static enum err read_link(struct sim_line *l, struct sim_traits *t)
{
    enum err err = OK;

    while (err == OK && l->at < l->count) {
        if (sim_line_is(l, "latency"))
            err = sim_line_duration(l, &t->link.latency_ns);
        else if (sim_line_is(l, "jitter"))
            err = sim_line_duration(l, &t->link.jitter_ns);
        else if (sim_line_is(l, "loss"))
            err = sim_line_share(l, &t->link.loss_ppm);
        else if (sim_line_is(l, "twice"))
            err = sim_line_share(l, &t->link.dup_ppm);
        else if (sim_line_is(l, "up"))
            err = sim_line_size(l, &t->link.up_bytes_s);
        else if (sim_line_is(l, "down"))
            err = sim_line_size(l, &t->link.down_bytes_s);
        else
            return sim_line_end(l);
    }
    return err;
}

static enum err read_disk(struct sim_line *l, struct sim_traits *t)
{
    enum err err = OK;

    while (err == OK && l->at < l->count) {
        if (sim_line_is(l, "capacity"))
            err = sim_line_size(l, &t->capacity_bytes);
        else if (sim_line_is(l, "sync"))
            err = sim_line_duration(l, &t->sync_ns);
        else if (sim_line_is(l, "speed"))
            err = sim_line_size(l, &t->disk_bytes_s);
        else if (sim_line_is(l, "lies"))
            t->lies = true;
        else
            return sim_line_end(l);
    }
    return err;
}

static enum err read_nat(struct sim_line *l, struct sim_traits *t)
{
    t->nat = true;
    return sim_line_end(l);
}

static enum err read_lan(struct sim_line *l, struct sim_traits *t)
{
    t->lan = 1;
    if (l->at == l->count)
        return OK;
    uint64_t number;
    enum err err = sim_line_number(l, LAN_MAX, &number);
    if (err == OK)
        t->lan = (uint32_t)number;
    return err == OK ? sim_line_end(l) : err;
}

/* "20 7": the first two bytes of their addresses. */
static enum err read_group(struct sim_line *l, struct sim_traits *t)
{
    uint64_t high;
    uint64_t low;
    enum err err = sim_line_number(l, BYTE_MAX, &high);

    if (err == OK)
        err = sim_line_number(l, BYTE_MAX, &low);
    if (err == OK)
        t->group = (uint16_t)(high << 8 | low);
    return err == OK ? sim_line_end(l) : err;
}

/* As a group, and all of its machines have one address: 1.1 in it. */
static enum err read_sybil(struct sim_line *l, struct sim_traits *t)
{
    t->sybil = true;
    return read_group(l, t);
}

static enum err read_wall(struct sim_line *l, struct sim_traits *t)
{
    bool behind = sim_line_is(l, "behind");
    uint64_t ns;
    enum err err = sim_line_duration(l, &ns);

    if (err == OK && ns > (uint64_t)WALL_MAX_S * SIM_S)
        err = sim_line_fail(l, "too far off");
    if (err == OK)
        t->wall_ms = behind ? -(int64_t)(ns / SIM_MS) : (int64_t)(ns / SIM_MS);
    return err == OK ? sim_line_end(l) : err;
}

static enum err each_machine(struct sim_line *l, traits_fn *read)
{
    struct sim_script *s = l->script;
    uint8_t *set = mem_zalloc(s->machines + 1, 1);
    enum err err = sim_line_machines(l, set, 1);
    size_t from = l->at;

    for (uint32_t i = 0; err == OK && i < s->machines; i++) {
        l->at = from;
        if (set[i] != 0)
            err = read(l, &s->traits[i]);
    }
    mem_free(set);
    return err;
}

static enum err set_own(struct sim_line *l, uint32_t index, const char *pair)
{
    struct sim_script *s = l->script;

    if (s->own[index] == NULL)
        s->own[index] = mem_zalloc(1, sizeof(*s->own[index]));
    return sim_settings_add(s->own[index], pair);
}

static enum err read_set(struct sim_line *l)
{
    struct sim_script *s = l->script;
    bool all = l->count > 1 && bytes_eq(l->words[1], BYTES_LIT("all"));
    uint8_t *set = mem_zalloc(s->machines + 1, 1);
    struct bytes word;
    enum err err = sim_line_machines(l, set, 1);

    if (err == OK)
        err = sim_line_word(l, &word);
    if (err == OK) {
        char *pair = mem_zalloc(1, word.len + 1);
        memcpy(pair, word.p, word.len);
        if (all)
            err = sim_settings_add(&s->settings, pair);
        for (uint32_t i = 0; err == OK && !all && i < s->machines; i++)
            err = set[i] != 0 ? set_own(l, i, pair) : OK;
        mem_free(pair);
        if (err != OK)
            err = sim_line_fail(l, "no such setting, or a bad value");
    }
    mem_free(set);
    return err == OK ? sim_line_end(l) : err;
}

/* Lines for the whole. */

static enum err read_nodes(struct sim_line *l)
{
    struct sim_script *s = l->script;
    uint64_t count;

    if (s->machines != 0)
        return sim_line_fail(l, "a second line with nodes");
    enum err err = sim_line_number(l, SIM_MACHINES_MAX, &count);
    if (err == OK && count == 0)
        err = sim_line_fail(l, "no nodes");
    if (err != OK)
        return err;
    s->machines = (uint32_t)count;
    s->traits = mem_zalloc(count, sizeof(s->traits[0]));
    s->own = mem_zalloc(count, sizeof(struct sim_settings *));
    for (uint64_t i = 0; i < count; i++)
        s->traits[i].link.latency_ns = LATENCY_NS;
    return sim_line_end(l);
}

static enum err read_duration(struct sim_line *l)
{
    enum err err = sim_line_duration(l, &l->script->duration_ns);
    return err == OK ? sim_line_end(l) : err;
}

static enum err read_settle(struct sim_line *l)
{
    enum err err = sim_line_duration(l, &l->script->settle_ns);
    return err == OK ? sim_line_end(l) : err;
}

static enum err read_secured(struct sim_line *l)
{
    l->script->secured = !sim_line_is(l, "no");
    if (l->script->secured && !sim_line_is(l, "yes"))
        return sim_line_fail(l, "yes or no is wanted");
    return sim_line_end(l);
}

static enum err read_bootstrap(struct sim_line *l)
{
    uint64_t count;
    enum err err = sim_line_number(l, l->script->machines, &count);

    if (err == OK)
        l->script->bootstrap = (uint32_t)count;
    return err == OK ? sim_line_end(l) : err;
}

static enum err read_calm(struct sim_line *l)
{
    enum err err = sim_line_number(l, COUNT_MAX, &l->script->calm_max);

    return err == OK ? sim_line_end(l) : err;
}

static enum err read_found(struct sim_line *l)
{
    enum err err = sim_line_share(l, &l->script->found_ppm);

    return err == OK ? sim_line_end(l) : err;
}

/* Lines of events. */

static enum err read_at(struct sim_line *l)
{
    struct sim_times t = {.to_ns = 0};
    enum err err = sim_line_duration(l, &t.from_ns);

    return err == OK ? sim_line_event(l, &t) : err;
}

static enum err read_span(struct sim_line *l, struct sim_times *t)
{
    enum err err = OK;

    t->to_ns = l->script->duration_ns;
    if (sim_line_is(l, "from"))
        err = sim_line_duration(l, &t->from_ns);
    if (err == OK && sim_line_is(l, "to"))
        err = sim_line_duration(l, &t->to_ns);
    if (err == OK && t->to_ns < t->from_ns)
        err = sim_line_fail(l, "it ends before it begins");
    return err;
}

static enum err read_every(struct sim_line *l)
{
    struct sim_times t = {.count = 0};
    enum err err = sim_line_duration(l, &t.step_ns);

    if (err == OK && t.step_ns == 0)
        err = sim_line_fail(l, "too often");
    if (err == OK)
        err = read_span(l, &t);
    return err == OK ? sim_line_event(l, &t) : err;
}

static enum err read_random(struct sim_line *l)
{
    struct sim_times t = {.step_ns = 0};
    enum err err = sim_line_number(l, COUNT_MAX, &t.count);

    if (err == OK && t.count == 0)
        err = sim_line_fail(l, "none is no event");
    if (err == OK)
        err = read_span(l, &t);
    return err == OK ? sim_line_event(l, &t) : err;
}

/* Reading. */

static enum err read_line(struct sim_line *l)
{
    static const struct {
        const char *word;
        enum err (*read)(struct sim_line *l);
        traits_fn *traits;
    } kinds[] = {
        {"nodes", read_nodes, NULL},
        {"duration", read_duration, NULL},
        {"settle", read_settle, NULL},
        {"secured", read_secured, NULL},
        {"bootstrap", read_bootstrap, NULL},
        {"calm", read_calm, NULL},
        {"found", read_found, NULL},
        {"set", read_set, NULL},
        {"at", read_at, NULL},
        {"every", read_every, NULL},
        {"random", read_random, NULL},
        {"link", NULL, read_link},
        {"disk", NULL, read_disk},
        {"nat", NULL, read_nat},
        {"lan", NULL, read_lan},
        {"group", NULL, read_group},
        {"sybil", NULL, read_sybil},
        {"wall", NULL, read_wall},
    };

    for (size_t i = 0; i < countof(kinds); i++) {
        if (!sim_line_is(l, kinds[i].word))
            continue;
        return kinds[i].read != NULL ? kinds[i].read(l)
                                     : each_machine(l, kinds[i].traits);
    }
    l->at = 1;
    return sim_line_fail(l, "there is no such line");
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static enum err split(struct sim_line *l)
{
    struct bytes in = l->whole;
    size_t at = 0;

    for (;;) {
        while (at < in.len && is_blank(in.p[at]))
            at++;
        if (at == in.len || in.p[at] == '#')
            return OK;
        if (l->count == SIM_LINE_WORDS_MAX)
            return sim_line_fail(l, "too many words");
        size_t from = at;
        while (at < in.len && !is_blank(in.p[at]))
            at++;
        l->words[l->count++] = bytes_sub(in, from, at - from);
    }
}

static void explain(const struct sim_line *l, struct strbuf *out)
{
    strbuf_str(out, "line ");
    strbuf_u64(out, l->number);
    strbuf_str(out, ": ");
    strbuf_str(out, l->why);
    if (l->about.len > 0) {
        strbuf_str(out, ": ");
        strbuf_escape(out, l->about);
    }
}

static bool is_later(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns > b->at_ns;
}

/* Merges the sorted @from[@at, @middle) and @from[@middle, @end) to @to. */
static void merge(const struct sim_event *from, struct sim_event *to, size_t at,
                  size_t middle, size_t end)
{
    size_t a = at;
    size_t b = middle;

    for (size_t i = at; i < end; i++) {
        bool left = b == end || (a < middle && !is_later(&from[a], &from[b]));
        to[i] = left ? from[a++] : from[b++];
    }
}

/* By time, keeping the order of equal ones: merges from small to large. */
static void sort_events(struct sim_script *s)
{
    struct sim_event *from = s->events;
    struct sim_event *to = mem_zalloc(s->events_room, sizeof(*to));

    for (size_t width = 1; width < s->events_count; width *= 2) {
        for (size_t at = 0; at < s->events_count; at += 2 * width) {
            size_t rest = s->events_count - at;
            merge(from, to, at, at + (width < rest ? width : rest),
                  at + (2 * width < rest ? 2 * width : rest));
        }
        struct sim_event *sorted = to;
        to = from;
        from = sorted;
    }
    s->events = from;
    mem_free(to);
}

static enum err parse_lines(struct bytes text, uint64_t seed,
                            struct sim_script *s, struct strbuf *ret_why)
{
    uint32_t number = 0;

    while (text.len > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.len);
        number++;
        size_t len = end == NULL ? text.len : (size_t)(end - text.p);
        struct sim_line l = {
            .script = s,
            .number = number,
            .whole = bytes_sub(text, 0, len),
        };
        size_t used = end == NULL ? len : len + 1;
        text = bytes_sub(text, used, text.len - used);
        sim_rand_init(&l.rand, seed, "script", number);
        enum err err = split(&l);
        if (err == OK && l.count > 0)
            err = read_line(&l);
        if (err != OK) {
            explain(&l, ret_why);
            return err;
        }
    }
    if (s->machines == 0) {
        strbuf_str(ret_why, "there is no line with nodes");
        return E_MALFORMED;
    }
    return OK;
}

enum err sim_script_parse(struct bytes text, uint64_t seed,
                          struct sim_script *ret_script, struct strbuf *ret_why)
{
    struct sim_script s = {.duration_ns = DURATION, .settle_ns = SETTLE};

    if (text.len > SIM_SCRIPT_MAX) {
        strbuf_str(ret_why, "the script is too long");
        return E_LIMIT;
    }
    enum err err = parse_lines(text, seed, &s, ret_why);
    if (err != OK) {
        sim_script_release(&s);
        return err;
    }
    if (s.events_count > 1)
        sort_events(&s);
    *ret_script = s;
    return OK;
}

void sim_script_release(struct sim_script *s)
{
    for (size_t i = 0; i < s->events_count; i++) {
        mem_free(s->events[i].file);
        mem_free(s->events[i].sides);
        mem_free(s->events[i].holder_of);
    }
    mem_free(s->events);
    for (uint32_t i = 0; i < s->machines; i++) {
        if (s->own[i] != NULL)
            sim_settings_release(s->own[i]);
        mem_free(s->own[i]);
    }
    sim_settings_release(&s->settings);
    mem_free(s->own);
    mem_free(s->traits);
    *s = (struct sim_script){.machines = 0};
}
