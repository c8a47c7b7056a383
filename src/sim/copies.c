/*
 * What is checked of objects.
 *
 * 1. When a holder lets a copy go of its own will, as many as are wanted are
 *    left: on machines that run, or that have ended within the grace.  A liar
 *    with a good disk has one: it may pass an audit.
 * 2. In the end each object has as many copies as are wanted, or as there are
 *    machines for, and not one more; and its owner says so.
 * 3. Each of these copies is whole on its disk after a power cut, read with no
 *    network.
 * 4. Machines on one address hold at most one copy where others exist.
 *
 * Who sent forged or old messages is banned for longer than a run: then an
 * owner may not see a copy that is there.
 *
 * A machine whose disk is damaged, that forges or that is mute has no copy that
 * counts.  One that lied otherwise, or no more, or that lost its blocks and may
 * have fetched them again, has one that may count; where it says to keep it, it
 * is whole.
 */
#include "base/mem.h"
#include "node/node.h"
#include "node/objects.h"
#include "sim/run_priv.h"

enum {
    LOOK_MS = 1000,
    STABLE_GRACES = 3, /* so long all must be as it should */
    DETAIL_MAX = 4000,
};

struct tally {
    uint64_t good;
    uint64_t half;
    uint64_t sybils;    /* of the good ones */
    uint64_t available; /* machines that could have a good one */
    uint64_t others;    /* of them no sybils */
};

static uint64_t grace_ns(const struct sim_run *r)
{
    return config_get_duration_ms(&r->world->shared,
                                  CONFIG_STORAGE_REPAIR_GRACE) *
           SIM_MS;
}

/* Whether what is on its disk is what was written there. */
static bool has_good_disk(const struct sim_run *r, uint32_t i)
{
    return r->damaged[i] != SIM_DAMAGED &&
           r->world->machines[i]->disk.forgets == NULL;
}

static enum sim_trust trust_of(const struct sim_run *r, uint32_t i)
{
    const struct sim_machine *m = r->world->machines[i];

    if (!has_good_disk(r, i) ||
        (m->liar.lies & (SIM_LIE_FORGE | SIM_LIE_MUTE)) != 0)
        return SIM_TRUST_NONE;
    return r->lied[i] != 0 || r->damaged[i] != SIM_UNDAMAGED ? SIM_TRUST_HALF
                                                             : SIM_TRUST_GOOD;
}

static bool is_object(const struct sim_file *f)
{
    return f->acked && f->copies > 0;
}

static void add_detail(struct sim_run *r, const struct sim_file *f,
                       struct strbuf *s)
{
    strbuf_str(s, f->name);
    strbuf_str(s, " of node ");
    strbuf_u64(s, f->machine);
    strbuf_str(s, ", wanted ");
    strbuf_u64(s, f->is_gone ? 0 : f->copies);
    strbuf_str(s, ", kept by");
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        if (!sim_keeps(r->world->machines[i], f))
            continue;
        strbuf_str(s, " ");
        strbuf_u64(s, i);
        strbuf_str(s, trust_of(r, i) == SIM_TRUST_GOOD   ? ""
                      : trust_of(r, i) == SIM_TRUST_HALF ? "(lied)"
                                                         : "(bad)");
    }
}

/* As the machine @m sees it. */
static void add_view(const struct sim_run *r, const struct sim_machine *m,
                     const struct sim_file *f, struct strbuf *s)
{
    struct keeper_status *status = mem_zalloc(1, sizeof(*status));

    if (objects_status(node_objects(m->node), &f->root, status) != OK)
        strbuf_str(s, "does not know it");
    else
        strbuf_str(s, keeper_state_name(status->state));
    for (size_t i = 0; i < status->holders_count; i++) {
        const struct keeper_holder_status *h = &status->holders[i];
        for (uint32_t n = 0; n < r->world->machines_count; n++) {
            if (!peer_id_eq(&r->world->machines[n]->peer, &h->peer))
                continue;
            strbuf_str(s, " ");
            strbuf_u64(s, n);
            strbuf_str(s, "=");
            strbuf_str(s, keeper_holder_state_name(h->state));
        }
    }
    mem_free(status);
}

static void add_views(const struct sim_run *r, const struct sim_file *f,
                      struct strbuf *s)
{
    const struct sim_machine *owner = r->world->machines[f->machine];

    strbuf_str(s, ", owner: ");
    if (owner->state == SIM_RUNNING)
        add_view(r, owner, f, s);
    else
        strbuf_str(s, "off");
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        if (!sim_keeps(r->world->machines[i], f))
            continue;
        strbuf_str(s, "; ");
        strbuf_u64(s, i);
        strbuf_str(s, ": ");
        add_view(r, r->world->machines[i], f, s);
    }
}

static void fail(struct sim_run *r, const struct sim_machine *m,
                 const struct sim_file *f, const char *what)
{
    struct strbuf s;

    strbuf_init(&s, DETAIL_MAX);
    add_detail(r, f, &s);
    add_views(r, f, &s);
    sim_run_fail(r, m, what, strbuf_bytes(&s));
    strbuf_release(&s);
}

/* Letting go. */

static uint64_t left_of(const struct sim_run *r, const struct sim_file *f)
{
    uint64_t now_ns = r->world->time.now.ns;
    uint64_t count = 0;

    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        const struct sim_copy *c = &f->copies_at[i];
        count +=
            c->counts || (c->was_kept && now_ns - c->ended_ns <= grace_ns(r));
    }
    return count;
}

/* Return: whether it let go, alive and well. */
static bool look_at(struct sim_run *r, const struct sim_file *f, uint32_t i)
{
    const struct sim_machine *m = r->world->machines[i];
    struct sim_copy *c = &f->copies_at[i];
    bool good = has_good_disk(r, i);
    bool counts = good && sim_keeps(m, f);
    bool lets_go = c->counts && !counts && good && m->state == SIM_RUNNING &&
                   m->starts == c->starts;

    if (counts || lets_go) {
        c->was_kept = false;
    } else if (c->counts) {
        c->was_kept = true;
        c->ended_ns = r->world->time.now.ns;
    }
    c->counts = counts;
    c->starts = m->starts;
    return lets_go;
}

static void look(struct sim_run *r, struct sim_file *f)
{
    const struct sim_machine *who = NULL;
    uint32_t count = r->world->machines_count;

    if (f->copies_at == NULL)
        f->copies_at = mem_zalloc(count, sizeof(f->copies_at[0]));
    for (uint32_t i = 0; i < count; i++) {
        if (look_at(r, f, i))
            who = r->world->machines[i];
    }
    f->was_full = f->was_full || left_of(r, f) >= f->copies;
    if (who == NULL || f->is_gone)
        return;
    sim_run_tell(r, who, "lets go of", bytes_str(f->name));
    if (left_of(r, f) < f->copies)
        fail(r, who, f, "let a copy go, and too few are left:");
}

void sim_copies_look(struct sim_run *r)
{
    uint64_t now_ns = r->world->time.now.ns;

    if (now_ns - r->looked_ns < (uint64_t)LOOK_MS * SIM_MS ||
        r->phase > SIM_PHASE_CHECK)
        return;
    r->looked_ns = now_ns;
    list_for_each (it, &r->files) {
        struct sim_file *f = container_of(it, struct sim_file, link);
        if (is_object(f))
            look(r, f);
    }
}

/* The end. */

static struct tally count_copies(const struct sim_run *r,
                                 const struct sim_file *f)
{
    struct tally t = {.good = 0};

    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        const struct sim_machine *m = r->world->machines[i];
        enum sim_trust trust = trust_of(r, i);
        bool is_sybil = r->script->traits[i].sybil;
        bool keeps = sim_keeps(m, f);
        bool could = m->state == SIM_RUNNING && trust == SIM_TRUST_GOOD &&
                     i != f->machine && r->left[i] != m->starts;
        t.good += keeps && trust == SIM_TRUST_GOOD;
        t.half += keeps && trust == SIM_TRUST_HALF;
        t.sybils += keeps && trust == SIM_TRUST_GOOD && is_sybil;
        t.available += could;
        t.others += could && !is_sybil;
    }
    return t;
}

/* What its owner says, where that is there and is to be believed. */
static bool owner_agrees(const struct sim_run *r, const struct sim_file *f,
                         uint64_t copies)
{
    const struct sim_machine *m = r->world->machines[f->machine];
    struct keeper_status *s;

    if (m->state != SIM_RUNNING || trust_of(r, f->machine) != SIM_TRUST_GOOD)
        return true;
    s = mem_zalloc(1, sizeof(*s));
    bool agrees = objects_status(node_objects(m->node), &f->root, s) == OK &&
                  s->role == KEEPER_OWNER && s->copies_stored >= copies &&
                  (copies < f->copies || s->state == KEEPER_STORED ||
                   s->state == KEEPER_VERIFIED || s->state == KEEPER_SAFE);
    mem_free(s);
    return agrees;
}

/* Who forged is banned: nobody takes what it owns. */
static bool is_shunned(const struct sim_run *r, const struct sim_file *f)
{
    return r->is_forged && r->lied[f->machine] != 0;
}

/* NULL: all is as it should be. */
static const char *what_is_wrong(const struct sim_run *r,
                                 const struct sim_file *f)
{
    struct tally t = count_copies(r, f);
    uint64_t want = f->copies < t.available ? f->copies : t.available;

    if (!f->was_full && !has_good_disk(r, f->machine))
        return NULL; /* nobody ever had it but who lost it */
    if (f->is_gone)
        return t.good > 0 ? "copies that nobody wants:" : NULL;
    if (t.good > f->copies)
        return "too many copies:";
    if (t.good + t.half < want && !is_shunned(r, f))
        return "too few copies:";
    if (t.sybils > 1 && t.others >= f->copies)
        return "several copies on one address:";
    /* A liar may be banned by the owner, or have banned it. */
    uint64_t sure = t.good < want ? t.good : want;
    return r->is_forged || owner_agrees(r, f, sure)
               ? NULL
               : "its owner says otherwise:";
}

bool sim_copies_settled(struct sim_run *r)
{
    uint64_t now_ns = r->world->time.now.ns;
    bool any = false;

    list_for_each (it, &r->files) {
        const struct sim_file *f = container_of(it, struct sim_file, link);
        if (!is_object(f))
            continue;
        any = true;
        if (what_is_wrong(r, f) == NULL)
            continue;
        r->settled_ns = 0;
        return false;
    }
    if (r->settled_ns == 0)
        r->settled_ns = now_ns;
    return !any || now_ns - r->settled_ns >= STABLE_GRACES * grace_ns(r);
}

void sim_copies_tell(struct sim_run *r)
{
    list_for_each (it, &r->files) {
        const struct sim_file *f = container_of(it, struct sim_file, link);
        const char *wrong = is_object(f) ? what_is_wrong(r, f) : NULL;
        if (wrong == NULL)
            continue;
        fail(r, NULL, f, wrong);
        return;
    }
    if (!r->result->failed)
        sim_run_fail(r, NULL, "copies come and go", BYTES_EMPTY);
}

void sim_copies_check(struct sim_run *r)
{
    bool any = false;

    list_for_each (it, &r->files) {
        struct sim_file *f = container_of(it, struct sim_file, link);
        for (uint32_t i = 0; i < r->world->machines_count; i++) {
            if (!is_object(f) || trust_of(r, i) == SIM_TRUST_NONE ||
                !sim_keeps(r->world->machines[i], f))
                continue;
            any = true;
            (void)sim_op_begin(r, SIM_OP_COPY, r->world->machines[i], f);
        }
    }
    if (!any)
        return;
    r->world->net.apart = true;
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        if (r->world->machines[i]->state == SIM_RUNNING)
            sim_machine_kill(r->world->machines[i], true);
    }
}
