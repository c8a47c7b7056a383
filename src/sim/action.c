/* The verbs of a script, and how their lines become events. */
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "sim/clock.h"
#include "sim/script_priv.h"

enum { NUMBER_MAX = 24, EVENTS_ROOM_FIRST = 64, COPIES_MAX = 7 };

#define SECONDS(n) (UINT64_C(n) * SIM_S)

const struct sim_action sim_actions[SIM_VERBS_COUNT] = {
    [SIM_START] = {"start", "n", false, 0, "power on, start the node"},
    [SIM_STOP] = {"stop", "n", true, SECONDS(5),
                  "end the node as SIGTERM does"},
    [SIM_KILL] = {"kill", "n", true, SECONDS(5),
                  "end the node as SIGKILL does"},
    [SIM_POWER] = {"power", "n", true, SECONDS(5),
                   "cut the power: what was not synced is torn"},
    [SIM_CONNECT] = {"connect", "nm", false, 0, "connect to another node"},
    [SIM_ADD] =
        {"add", "nfs", false, 0,
         "add a file of drawn bytes [copies N]; must succeed in the end"},
    [SIM_GET] = {"get", "nf", false, 0,
                 "get a file and compare it; it must succeed in the end"},
    [SIM_PIN] = {"pin", "nf", false, 0,
                 "keep a file; it must succeed in the end"},
    [SIM_CALL] = {"call", "nt", false, 0, "METHOD PATH [BODY]: ask the API"},
    [SIM_CUT] = {"cut", "AB", true, SECONDS(30),
                 "nothing passes between two sides"},
    [SIM_DEAF] = {"deaf", "AB", true, SECONDS(30),
                  "nothing passes from the first side to the second"},
    [SIM_RESET] = {"reset", "n", true, 0, "reset all its connections"},
    [SIM_FULL] = {"full", "n", true, SECONDS(10), "its disk is full"},
    [SIM_ROT] = {"rot", "n", true, 0, "one bit of a block file flips"},
    [SIM_LOSE] = {"lose", "n", true, 0, "all bytes of its blocks become zero"},
    [SIM_SLOW] = {"slow", "nd", true, SECONDS(10),
                  "each operation of its disk takes so much longer"},
    [SIM_LIE] = {"lie", "n", true, SECONDS(30),
                 "its disk answers a sync and does nothing"},
    [SIM_GARBLE] = {"garble", "n", true, SECONDS(30),
                    "bytes that it sends are altered"},
    [SIM_LOSSY] = {"lossy", "np", true, SECONDS(30),
                   "so many of its packets are lost"},
    [SIM_APART] = {"apart", "n", true, SECONDS(30),
                   "nothing passes between it and all others"},
    [SIM_FORGET] = {"forget", "n", true, SECONDS(30),
                    "blocks on its disk read as zeros"},
    [SIM_FORGE] = {"forge", "n", true, SECONDS(30),
                   "storage messages that it sends are altered"},
    [SIM_REPLAY] = {"replay", "n", true, SECONDS(30),
                    "it sends old storage messages instead of new ones"},
    [SIM_SPOIL] = {"spoil", "n", true, SECONDS(30),
                   "blocks that it sends are altered"},
    [SIM_MUTE] = {"mute", "n", true, SECONDS(30),
                  "it accepts objects, and neither asks for blocks nor sends "
                  "any"},
    [SIM_WIPE] = {"wipe", "n", true, SECONDS(5),
                  "its disk is replaced; only the key is left"},
    [SIM_JUMP] = {"jump", "nd", true, 0, "its wall clock is set forward"},
    [SIM_REMOVE] = {"remove", "nf", false, 0,
                    "release a file everywhere; it must succeed in the end"},
    [SIM_RECOVER] = {"recover", "n", false, 0,
                     "list all that it ever added; it must succeed in the end"},
    [SIM_LEAVE] = {"leave", "n", false, 0,
                   "hand over all that it keeps; it must succeed in the end"},
    [SIM_SURVEY] = {"survey", "nf", false, 0,
                    "ask others who keeps a file; some must tell in the end"},
    [SIM_GONE] = {"gone", "f", false, 0,
                  "no copy of the file is wanted from now on"},
    [SIM_EXPECT] = {"expect", "nt", false, 0,
                    "repairs NUMBER | keeps FILE | lacks FILE | state FILE "
                    "STATE | peers LEAST: holds now"},
    [SIM_PROVIDE] = {"provide", "n", false, 0,
                     "announce a drawn key in the DHT, without a block"},
    [SIM_LOOKUP] = {"lookup", "n", false, 0,
                    "look for a provider of a key drawn of those announced"},
    [SIM_MARK] = {"mark", "", false, 0, "what follows is timed apart"},
};

/* What a line says about each of its events. */
struct draft {
    enum sim_verb verb;
    uint8_t *machines;      /* a set; NULL: for no machine */
    bool any;               /* drawn anew for each time */
    struct bytes holder_of; /* drawn when it happens; or empty */
    uint8_t *sides;
    uint32_t other;
    uint64_t number;
    uint64_t number_max; /* drawn between the two; 0: it is @number */
    uint64_t copies;
    uint64_t for_ns;
    uint64_t over_ns;
    struct bytes file;
};

static enum err find_verb(struct sim_line *l, enum sim_verb *ret_verb)
{
    struct bytes word;
    enum err err = sim_line_word(l, &word);
    if (err != OK)
        return err;

    for (int i = 0; i < SIM_VERBS_COUNT; i++) {
        if (bytes_eq(word, bytes_str(sim_actions[i].name))) {
            *ret_verb = (enum sim_verb)i;
            return OK;
        }
    }
    return sim_line_fail(l, "there is no such action");
}

static enum err read_machines(struct sim_line *l, struct draft *d)
{
    static const char prefix[] = "holder:";
    size_t len = sizeof(prefix) - 1;

    if (l->at < l->count && l->words[l->at].len > len &&
        memcmp(l->words[l->at].p, prefix, len) == 0) {
        struct bytes word = l->words[l->at++];
        d->holder_of = bytes_sub(word, len, word.len - len);
        return OK;
    }
    d->machines = mem_zalloc(l->script->machines + 1, 1);
    d->any = l->at < l->count && bytes_eq(l->words[l->at], BYTES_LIT("any"));
    return sim_line_machines(l, d->machines, 1);
}

static enum err read_side(struct sim_line *l, struct draft *d, uint8_t side)
{
    if (d->sides == NULL)
        d->sides = mem_zalloc(l->script->machines + 1, 1);
    return sim_line_machines(l, d->sides, side);
}

static enum err read_other(struct sim_line *l, struct draft *d)
{
    uint64_t other;
    enum err err = sim_line_number(l, UINT32_MAX, &other);

    if (err == OK && other >= l->script->machines)
        err = sim_line_fail(l, "there is no such machine");
    if (err == OK)
        d->other = (uint32_t)other;
    return err;
}

static void read_rest(struct sim_line *l, struct draft *d)
{
    if (l->at < l->count) {
        const uint8_t *end = l->whole.p + l->whole.len;
        d->file.p = l->words[l->at].p;
        d->file.len = (size_t)(end - d->file.p);
    }
    l->at = l->count;
}

/* "5MiB" or "1-5MiB": drawn for each event. */
static enum err read_sizes(struct sim_line *l, struct draft *d)
{
    struct bytes word;
    enum err err = sim_line_word(l, &word);
    if (err != OK)
        return err;

    const uint8_t *dash = memchr(word.p, '-', word.len);
    size_t len = dash == NULL ? word.len : (size_t)(dash - word.p);
    err = sim_parse_size(bytes_sub(word, 0, len), &d->number);
    if (err == OK && dash != NULL)
        err = sim_parse_size(bytes_sub(word, len + 1, word.len - len - 1),
                             &d->number_max);
    if (err == OK && dash != NULL && d->number_max < d->number)
        err = E_MALFORMED;
    return err == OK ? OK : sim_line_fail(l, "not a size");
}

static enum err read_argument(struct sim_line *l, char kind, struct draft *d)
{
    switch (kind) {
    case 'n':
        return read_machines(l, d);
    case 'm':
        return read_other(l, d);
    case 'A':
        return read_side(l, d, 1);
    case 'B':
        return read_side(l, d, 2);
    case 'f':
        return sim_line_word(l, &d->file);
    case 's':
        return read_sizes(l, d);
    case 'd':
        return sim_line_duration(l, &d->number);
    case 'p':
        return sim_line_share(l, &d->number);
    default:
        read_rest(l, d);
        return OK;
    }
}

static enum err read_for(struct sim_line *l, struct draft *d)
{
    if (!sim_line_is(l, "ever"))
        return sim_line_duration(l, &d->for_ns);
    d->for_ns = 0;
    return OK;
}

static enum err read_draft(struct sim_line *l, struct draft *d)
{
    enum err err = find_verb(l, &d->verb);
    if (err != OK)
        return err;

    const struct sim_action *action = &sim_actions[d->verb];
    for (const char *kind = action->arguments; err == OK && *kind != '\0';
         kind++)
        err = read_argument(l, *kind, d);
    d->for_ns = action->for_ns;
    if (err == OK && action->for_ns > 0 && sim_line_is(l, "for"))
        err = read_for(l, d);
    if (err == OK && d->verb == SIM_ADD && sim_line_is(l, "copies"))
        err = sim_line_number(l, COPIES_MAX, &d->copies);
    if (err == OK && sim_line_is(l, "over"))
        err = sim_line_duration(l, &d->over_ns);
    return err == OK ? sim_line_end(l) : err;
}

/* A star stands for the number of the event: so each has a file of its own. */
static char *copy_text(struct bytes text, size_t number)
{
    struct strbuf s;

    if (text.len == 0)
        return NULL;
    strbuf_init(&s, text.len + NUMBER_MAX);
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '*')
            strbuf_u64(&s, number);
        else
            strbuf_add(&s, bytes_sub(text, i, 1));
    }
    char *copy = mem_strdup(strbuf_cstr(&s));
    strbuf_release(&s);
    return copy;
}

static uint64_t draw_number(struct sim_line *l, const struct draft *d)
{
    if (d->number_max == 0)
        return d->number;
    return d->number + sim_rand_below(&l->rand, d->number_max - d->number + 1);
}

static enum err add_event(struct sim_line *l, const struct draft *d,
                          uint64_t at_ns, uint32_t machine)
{
    struct sim_script *s = l->script;

    if (s->events_count == SIM_EVENTS_MAX) {
        (void)sim_line_fail(l, "too many events"); /* it is E_LIMIT here */
        return E_LIMIT;
    }
    if (s->events_count == s->events_room) {
        s->events_room =
            s->events_room == 0 ? EVENTS_ROOM_FIRST : 2 * s->events_room;
        s->events = mem_resize(s->events, s->events_room, sizeof(s->events[0]));
    }
    if (d->over_ns > 0)
        at_ns += sim_rand_below(&l->rand, d->over_ns);
    s->events[s->events_count] = (struct sim_event){
        .at_ns = at_ns,
        .verb = d->verb,
        .line = l->number,
        .machine = machine,
        .holder_of = copy_text(d->holder_of, s->events_count),
        .other = d->other,
        .for_ns = d->for_ns,
        .number = draw_number(l, d),
        .copies = d->copies,
        .file = copy_text(d->file, s->events_count),
        .sides = d->sides == NULL ? NULL : mem_dup(d->sides, s->machines),
    };
    s->events_count++;
    return OK;
}

static enum err add_at(struct sim_line *l, const struct draft *d,
                       uint64_t at_ns)
{
    enum err err = OK;

    if (d->machines == NULL)
        return add_event(l, d, at_ns, SIM_NO_MACHINE);
    if (d->any) {
        uint64_t drawn = sim_rand_below(&l->rand, l->script->machines);
        return add_event(l, d, at_ns, (uint32_t)drawn);
    }
    for (uint32_t i = 0; err == OK && i < l->script->machines; i++) {
        if (d->machines[i] != 0)
            err = add_event(l, d, at_ns, i);
    }
    return err;
}

static enum err add_all(struct sim_line *l, const struct draft *d,
                        const struct sim_times *t)
{
    enum err err = OK;

    for (uint64_t i = 0; err == OK && i < t->count; i++)
        err = add_at(l, d,
                     t->from_ns +
                         sim_rand_below(&l->rand, t->to_ns - t->from_ns + 1));
    if (t->count > 0)
        return err;
    uint64_t at = t->from_ns;
    err = add_at(l, d, at);
    while (err == OK && t->step_ns > 0 && t->to_ns - at >= t->step_ns) {
        at += t->step_ns;
        err = add_at(l, d, at);
    }
    return err;
}

enum err sim_line_event(struct sim_line *l, const struct sim_times *times)
{
    struct draft d = {.other = 0};
    enum err err = read_draft(l, &d);

    if (err == OK)
        err = add_all(l, &d, times);
    mem_free(d.machines);
    mem_free(d.sides);
    return err;
}

/* Writing. */

static void add_unit(struct strbuf *out, const char *before, uint64_t ns)
{
    strbuf_str(out, before);
    strbuf_u64(out, ns / (SIM_MS / 1000));
    strbuf_str(out, "us");
}

static void add_side(struct strbuf *out, const struct sim_event *e,
                     size_t count, uint8_t side)
{
    const char *before = " ";

    for (size_t i = 0; i < count; i++) {
        if (e->sides[i] != side)
            continue;
        strbuf_str(out, before);
        strbuf_u64(out, i);
        before = ",";
    }
}

void sim_event_format(const struct sim_event *e, size_t machines,
                      struct strbuf *out)
{
    const struct sim_action *action = &sim_actions[e->verb];

    add_unit(out, "at ", e->at_ns);
    strbuf_str(out, " ");
    strbuf_str(out, action->name);
    if (e->holder_of != NULL) {
        strbuf_str(out, " holder:");
        strbuf_str(out, e->holder_of);
    } else if (e->machine != SIM_NO_MACHINE) {
        strbuf_str(out, " ");
        strbuf_u64(out, e->machine);
    }
    if (strchr(action->arguments, 'm') != NULL) {
        strbuf_str(out, " ");
        strbuf_u64(out, e->other);
    }
    if (e->sides != NULL) {
        add_side(out, e, machines, 1);
        add_side(out, e, machines, 2);
    }
    if (e->file != NULL) {
        strbuf_str(out, " ");
        strbuf_str(out, e->file);
    }
    if (strchr(action->arguments, 's') != NULL) {
        strbuf_str(out, " ");
        strbuf_u64(out, e->number);
    }
    if (e->copies > 0) {
        strbuf_str(out, " copies ");
        strbuf_u64(out, e->copies);
    }
    if (strchr(action->arguments, 'd') != NULL)
        add_unit(out, " ", e->number);
    if (strchr(action->arguments, 'p') != NULL) {
        strbuf_str(out, " ");
        strbuf_u64(out, e->number / 10000);
        strbuf_str(out, "%");
    }
    if (e->for_ns > 0)
        add_unit(out, " for ", e->for_ns);
    else if (action->for_ns > 0)
        strbuf_str(out, " for ever");
}
