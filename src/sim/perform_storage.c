/* Events about objects: liars, lost disks, and what is expected of nodes. */
#include <string.h>

#include "base/mem.h"
#include "node/node.h"
#include "node/objects.h"
#include "node/peering.h"
#include "sim/run_priv.h"

enum { WORDS_MAX = 3, DETAIL_MAX = 200 };

static const char blocks_path[] = SIM_PATH "/blocks";

bool sim_keeps(const struct sim_machine *m, const struct sim_file *f)
{
    return m->state == SIM_RUNNING && f->acked &&
           objects_keeps(node_objects(m->node), &f->root);
}

/* Not the one that lies or will not be there any more: of those that a fault
 * has not hit yet. */
static bool may_draw(const struct sim_run *r, uint32_t i,
                     const struct sim_file *f)
{
    const struct sim_machine *m = r->world->machines[i];

    return sim_keeps(m, f) && r->damaged[i] == SIM_UNDAMAGED &&
           m->liar.lies == 0 && m->disk.ops_left == UINT64_MAX;
}

bool sim_storage_draw(struct sim_run *r, struct sim_event *e)
{
    uint64_t count = 0;

    if (e->holder_of == NULL)
        return true;
    e->machine = SIM_NO_MACHINE;
    const struct sim_file *f = sim_file_get(r, e->holder_of);
    for (uint32_t i = 0; i < r->world->machines_count; i++)
        count += may_draw(r, i, f);
    if (count == 0) {
        sim_run_tell(r, NULL, "nobody keeps", bytes_str(e->holder_of));
        return false;
    }
    uint64_t at = sim_rand_below(&r->rand, count);
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        if (!may_draw(r, i, f) || at-- > 0)
            continue;
        e->machine = i;
        sim_run_tell(r, r->world->machines[i], "is drawn, a holder of",
                     bytes_str(e->holder_of));
        break;
    }
    return true;
}

/* Liars. */

static unsigned lie_of(enum sim_verb verb)
{
    return verb == SIM_FORGE    ? SIM_LIE_FORGE
           : verb == SIM_REPLAY ? SIM_LIE_REPLAY
           : verb == SIM_SPOIL  ? SIM_LIE_SPOIL
                                : SIM_LIE_MUTE;
}

/* Its connections are made anew: a liar hears them from their begin. */
static void begin_lie(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    m->liar.lies |= lie_of(e->verb);
    m->host.liar = &m->liar;
    r->lied[m->index] = 1;
    r->is_forged =
        r->is_forged || e->verb == SIM_FORGE || e->verb == SIM_REPLAY;
    sim_host_reset(&m->host);
}

static void apart(struct sim_run *r, const struct sim_event *e)
{
    uint64_t ever = r->script->duration_ns + r->script->settle_ns;
    struct sim_undo *u = sim_undo_later(r, e, e->for_ns > 0 ? e->for_ns : ever);
    uint32_t count = r->world->machines_count;
    uint8_t *sides = mem_alloc(count);

    memset(sides, 2, count);
    sides[e->machine] = 1;
    u->cut = sim_net_cut(&r->world->net, sides, count, false);
    mem_free(sides);
}

/* What is expected now. */

struct words {
    struct bytes word[WORDS_MAX];
    size_t count;
};

static struct words split(const char *text)
{
    struct words w = {.count = 0};

    while (*text != '\0' && w.count < WORDS_MAX) {
        /* The last one is all the rest. */
        const char *end = w.count < WORDS_MAX - 1 ? strchr(text, ' ') : NULL;
        size_t len = end == NULL ? strlen(text) : (size_t)(end - text);
        w.word[w.count++] = (struct bytes){(const uint8_t *)text, len};
        text += end == NULL ? len : len + 1;
    }
    return w;
}

static struct sim_file *file_of(struct sim_run *r, struct bytes name)
{
    char *text = mem_zalloc(name.len + 1, 1);

    memcpy(text, name.p, name.len);
    struct sim_file *f = sim_file_get(r, text);
    mem_free(text);
    return f;
}

static void expected(struct sim_run *r, const struct sim_machine *m,
                     const char *text, const char *found)
{
    struct strbuf s;

    strbuf_init(&s, DETAIL_MAX);
    strbuf_str(&s, text);
    strbuf_str(&s, ", found ");
    strbuf_str(&s, found);
    sim_run_fail(r, m, "expected", strbuf_bytes(&s));
    strbuf_release(&s);
}

static void expect_state(struct sim_run *r, const struct sim_machine *m,
                         const char *text, const struct words *w)
{
    struct keeper_status *status = mem_zalloc(1, sizeof(*status));
    const struct sim_file *f = file_of(r, w->word[1]);
    enum err err = f->acked
                       ? objects_status(node_objects(m->node), &f->root, status)
                       : E_NOTFOUND;
    const char *found =
        err == OK ? keeper_state_name(status->state) : err_name(err);

    if (!bytes_eq(bytes_str(found), w->word[2]))
        expected(r, m, text, found);
    mem_free(status);
}

/* So many members of the network are connected, or more. */
static void expect_peers(struct sim_run *r, const struct sim_machine *m,
                         const char *text, const struct words *w)
{
    struct peering *p = node_peering(m->node);
    uint64_t least = 0;
    uint64_t found =
        p == NULL ? 0 : discovery_counts(peering_discovery(p)).members;
    struct strbuf number;

    strbuf_init(&number, DETAIL_MAX);
    strbuf_u64(&number, found);
    if (sim_parse_size(w->word[1], &least) != OK || found < least)
        expected(r, m, text, strbuf_cstr(&number));
    strbuf_release(&number);
}

static void expect(struct sim_run *r, const struct sim_event *e)
{
    const struct sim_machine *m = sim_machine_of(r, e);
    const char *text = e->file == NULL ? "" : e->file;
    struct words w = split(text);
    struct strbuf number;

    if (m->state != SIM_RUNNING) {
        expected(r, m, text, "that it is off");
        return;
    }
    strbuf_init(&number, DETAIL_MAX);
    if (w.count == 2 && bytes_eq(w.word[0], BYTES_LIT("repairs"))) {
        strbuf_u64(&number, objects_stats(node_objects(m->node)).repairs);
        if (!bytes_eq(strbuf_bytes(&number), w.word[1]))
            expected(r, m, text, strbuf_cstr(&number));
    } else if (w.count == 2 && bytes_eq(w.word[0], BYTES_LIT("keeps"))) {
        if (!sim_keeps(m, file_of(r, w.word[1])))
            expected(r, m, text, "that it does not");
    } else if (w.count == 2 && bytes_eq(w.word[0], BYTES_LIT("lacks"))) {
        if (sim_keeps(m, file_of(r, w.word[1])))
            expected(r, m, text, "that it keeps it");
    } else if (w.count == 2 && bytes_eq(w.word[0], BYTES_LIT("peers"))) {
        expect_peers(r, m, text, &w);
    } else if (w.count == 3 && bytes_eq(w.word[0], BYTES_LIT("state"))) {
        expect_state(r, m, text, &w);
    } else {
        expected(r, m, text, "that nobody understands this");
    }
    strbuf_release(&number);
}

/* All of them. */

static void begin_op(struct sim_run *r, const struct sim_event *e)
{
    struct sim_file *f = e->file != NULL ? sim_file_get(r, e->file) : NULL;
    enum sim_op_kind kind = e->verb == SIM_REMOVE    ? SIM_OP_REMOVE
                            : e->verb == SIM_RECOVER ? SIM_OP_RECOVER
                            : e->verb == SIM_LEAVE   ? SIM_OP_LEAVE
                                                     : SIM_OP_SURVEY;

    (void)sim_op_begin(r, kind, sim_machine_of(r, e),
                       f); /* it is in the list */
}

static void set_forgets(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    m->disk.forgets = blocks_path;
    r->damaged[m->index] = SIM_DAMAGED;
}

static void wipe(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    sim_machine_wipe(m);
    r->wanted[m->index] = 0;
}

void sim_storage_begin(struct sim_run *r, const struct sim_event *e)
{
    if (e->verb == SIM_FORGET)
        set_forgets(r, e);
    else if (e->verb == SIM_WIPE)
        wipe(r, e);
    else if (e->verb == SIM_JUMP)
        sim_machine_of(r, e)->clock.wall_ms += (int64_t)(e->number / SIM_MS);
    else if (e->verb == SIM_APART)
        apart(r, e);
    else if (e->verb == SIM_GONE)
        sim_file_get(r, e->file)->is_gone = true;
    else if (e->verb == SIM_EXPECT)
        expect(r, e);
    else if (e->verb == SIM_REMOVE || e->verb == SIM_RECOVER ||
             e->verb == SIM_LEAVE || e->verb == SIM_SURVEY)
        begin_op(r, e);
    else
        begin_lie(r, e);
    if (e->for_ns > 0 && e->verb != SIM_APART)
        (void)sim_undo_later(r, e, e->for_ns); /* it is in the list */
}

void sim_storage_end(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    if (e->verb == SIM_FORGET)
        m->disk.forgets = NULL;
    else
        m->liar.lies &= ~lie_of(e->verb);
}
