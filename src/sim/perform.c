/* What the events of a script do, and how faults end. */
#include <assert.h>

#include "base/mem.h"
#include "node/fault.h"
#include "sim/run_priv.h"

enum {
    HALF_PPM = 500000,
    ARMED_OPS_MAX = 64, /* operations until an armed disk dies */
};

static const char blocks_path[] = SIM_PATH "/blocks";

static void undo(struct sim_undo *u);

static void on_undo(struct timer *t, struct mtime now)
{
    (void)now; /* it is due */
    undo(container_of(t, struct sim_undo, timer));
}

struct sim_undo *sim_undo_later(struct sim_run *r, const struct sim_event *e,
                                uint64_t ns)
{
    struct sim_undo *u = mem_zalloc(1, sizeof(*u));

    u->run = r;
    u->event = e;
    timer_init(&u->timer, on_undo);
    list_add_tail(&r->undos, &u->link);
    sim_clock_after(&r->world->clock, &u->timer, ns);
    return u;
}

struct sim_machine *sim_machine_of(struct sim_run *r, const struct sim_event *e)
{
    assert(e->machine < r->world->machines_count);
    return r->world->machines[e->machine];
}

/* Machines. */

/* Where the folder is damaged by a fault of ours it may be refused. */
void sim_start_machine(struct sim_run *r, struct sim_machine *m)
{
    struct fault fault;

    if (m->state == SIM_RUNNING)
        return;
    r->wanted[m->index] = 1;
    enum err err = m->state == SIM_OFF ? sim_machine_start(m, &fault) : E_AGAIN;
    if (err == OK) {
        r->result->starts++;
        sim_run_tell(r, m, "started", BYTES_EMPTY);
        return;
    }
    if (err == E_AGAIN || err == E_NOSPACE)
        return; /* the poll tries again */
    if (r->damaged[m->index] == SIM_UNDAMAGED)
        sim_run_fail(r, m, "does not start", bytes_str(fault.text));
}

static void end_node(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);
    /* One that is to stay off has to be off now. */
    bool armed = e->verb == SIM_POWER && e->for_ns > 0 &&
                 m->state == SIM_RUNNING && sim_rand_chance(&r->rand, HALF_PPM);

    if (m->state == SIM_OFF && e->verb != SIM_POWER)
        return;
    if (armed)
        m->disk.ops_left = sim_rand_below(&r->rand, ARMED_OPS_MAX);
    else if (e->verb == SIM_STOP)
        sim_machine_stop(m);
    else
        sim_machine_kill(m, e->verb == SIM_POWER);
    r->wanted[m->index] = 0;
    if (e->for_ns > 0)
        (void)sim_undo_later(r, e, e->for_ns); /* it is in the list */
}

/* An armed disk that was not used any more dies now. */
static void restart(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    if (e->verb == SIM_POWER && m->disk.ops_left != UINT64_MAX)
        sim_machine_kill(m, true);
    sim_start_machine(r, m);
}

/* Disks. */

static void rot(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    if (sim_disk_rot(&m->disk, blocks_path))
        r->damaged[m->index] = SIM_DAMAGED;
}

static void lose(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    if (sim_disk_lose(&m->disk, blocks_path) > 0 &&
        r->damaged[m->index] == SIM_UNDAMAGED)
        r->damaged[m->index] = SIM_LOST;
}

static void set_lies(struct sim_run *r, const struct sim_event *e, bool lies)
{
    struct sim_machine *m = sim_machine_of(r, e);

    m->disk.lies = lies;
    r->damaged[m->index] = SIM_DAMAGED;
}

static void set_slow(struct sim_run *r, const struct sim_event *e, bool slow)
{
    struct sim_disk *d = &sim_machine_of(r, e)->disk;

    d->op_ns = slow ? d->op_ns + e->number : d->op_ns - e->number;
}

static void set_lossy(struct sim_run *r, const struct sim_event *e, bool lossy)
{
    struct sim_link *l = &sim_machine_of(r, e)->host.link_of;

    l->loss_ppm = lossy ? l->loss_ppm + e->number : l->loss_ppm - e->number;
}

/* Requests. */

static void begin_op(struct sim_run *r, const struct sim_event *e,
                     enum sim_op_kind kind)
{
    struct sim_file *file = kind == SIM_OP_CALL || kind == SIM_OP_CONNECT
                                ? NULL
                                : sim_file_get(r, e->file);
    if (kind == SIM_OP_ADD) {
        file->size = e->number;
        file->copies = e->copies;
    }
    struct sim_op *op = sim_op_begin(r, kind, sim_machine_of(r, e), file);
    op->copies = e->copies;
    if (kind == SIM_OP_CONNECT)
        op->other = r->world->machines[e->other];
    if (kind == SIM_OP_CALL && e->file != NULL)
        op->text = mem_strdup(e->file);
}

static void cut(struct sim_run *r, const struct sim_event *e)
{
    uint64_t ever = r->script->duration_ns + r->script->settle_ns;
    struct sim_undo *u = sim_undo_later(r, e, e->for_ns > 0 ? e->for_ns : ever);

    u->cut = sim_net_cut(&r->world->net, e->sides, r->world->machines_count,
                         e->verb == SIM_DEAF);
}

/* The fault itself; what ends it comes after. */
static void begin_fault(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = sim_machine_of(r, e);

    if (e->verb == SIM_RESET)
        sim_host_reset(&m->host);
    else if (e->verb == SIM_FULL)
        m->disk.full = true;
    else if (e->verb == SIM_ROT)
        rot(r, e);
    else if (e->verb == SIM_LOSE)
        lose(r, e);
    else if (e->verb == SIM_SLOW)
        set_slow(r, e, true);
    else if (e->verb == SIM_LIE)
        set_lies(r, e, true);
    else if (e->verb == SIM_GARBLE)
        m->host.garbles = true;
    else
        set_lossy(r, e, true);
    if (e->for_ns > 0)
        (void)sim_undo_later(r, e, e->for_ns); /* it is in the list */
}

static void tell_event(struct sim_run *r, const struct sim_event *e)
{
    struct strbuf s;

    strbuf_init(&s, SIM_TARGET_MAX);
    sim_event_format(e, r->world->machines_count, &s);
    sim_clock_trace(&r->world->clock, SIM_SCRIPT, strbuf_bytes(&s));
    if (sim_actions[e->verb].is_fault)
        sim_run_tell(r, NULL, "event", strbuf_bytes(&s));
    strbuf_release(&s);
}

void sim_perform(struct sim_run *r, const struct sim_event *e)
{
    tell_event(r, e);
    r->result->faults += sim_actions[e->verb].is_fault;
    switch (e->verb) {
    case SIM_START:
        sim_start_machine(r, sim_machine_of(r, e));
        break;
    case SIM_STOP:
    case SIM_KILL:
    case SIM_POWER:
        end_node(r, e);
        break;
    case SIM_CONNECT:
        begin_op(r, e, SIM_OP_CONNECT);
        break;
    case SIM_ADD:
        begin_op(r, e, SIM_OP_ADD);
        break;
    case SIM_GET:
        begin_op(r, e, SIM_OP_GET);
        break;
    case SIM_PIN:
        begin_op(r, e, SIM_OP_PIN);
        break;
    case SIM_CALL:
        begin_op(r, e, SIM_OP_CALL);
        break;
    case SIM_CUT:
    case SIM_DEAF:
        cut(r, e);
        break;
    case SIM_RESET:
    case SIM_FULL:
    case SIM_ROT:
    case SIM_LOSE:
    case SIM_SLOW:
    case SIM_LIE:
    case SIM_GARBLE:
    case SIM_LOSSY:
        begin_fault(r, e);
        break;
    case SIM_APART:
    case SIM_FORGET:
    case SIM_FORGE:
    case SIM_REPLAY:
    case SIM_SPOIL:
    case SIM_MUTE:
    case SIM_WIPE:
    case SIM_JUMP:
    case SIM_REMOVE:
    case SIM_RECOVER:
    case SIM_LEAVE:
    case SIM_SURVEY:
    case SIM_GONE:
    case SIM_EXPECT:
        sim_storage_begin(r, e);
        break;
    case SIM_PROVIDE:
    case SIM_LOOKUP:
        sim_dht_begin(r, e);
        break;
    case SIM_MARK:
        r->result->marked_ms = r->world->time.now.ns / SIM_MS;
        r->connections_before = r->world->net.connections;
        if (r->config->mark != NULL)
            r->config->mark(r->config->user);
        break;
    case SIM_VERBS_COUNT:
        break;
    }
}

static void end_fault(struct sim_run *r, const struct sim_event *e,
                      struct sim_cut *c)
{
    switch (e->verb) {
    case SIM_STOP:
    case SIM_KILL:
    case SIM_POWER:
        restart(r, e);
        break;
    case SIM_CUT:
    case SIM_DEAF:
    case SIM_APART:
        sim_net_heal(c);
        break;
    case SIM_WIPE:
        restart(r, e);
        break;
    case SIM_FORGET:
    case SIM_FORGE:
    case SIM_REPLAY:
    case SIM_SPOIL:
    case SIM_MUTE:
        sim_storage_end(r, e);
        break;
    case SIM_FULL:
        sim_machine_of(r, e)->disk.full = false;
        break;
    case SIM_SLOW:
        set_slow(r, e, false);
        break;
    case SIM_LIE:
        set_lies(r, e, false);
        break;
    case SIM_GARBLE:
        sim_machine_of(r, e)->host.garbles = false;
        break;
    case SIM_LOSSY:
        set_lossy(r, e, false);
        break;
    case SIM_START:
    case SIM_CONNECT:
    case SIM_ADD:
    case SIM_GET:
    case SIM_PIN:
    case SIM_CALL:
    case SIM_RESET:
    case SIM_ROT:
    case SIM_LOSE:
    case SIM_JUMP:
    case SIM_REMOVE:
    case SIM_RECOVER:
    case SIM_LEAVE:
    case SIM_SURVEY:
    case SIM_GONE:
    case SIM_EXPECT:
    case SIM_PROVIDE:
    case SIM_LOOKUP:
    case SIM_MARK:
    case SIM_VERBS_COUNT:
        break; /* these do not end */
    }
}

static void undo(struct sim_undo *u)
{
    struct sim_run *r = u->run;
    const struct sim_event *e = u->event;
    struct sim_cut *c = u->cut;

    sim_clock_set(&r->world->clock, &u->timer, MTIME_NEVER);
    list_remove(&u->link);
    mem_free(u);
    end_fault(r, e, c);
}

void sim_undo_all(struct sim_run *r)
{
    while (!list_empty(&r->undos))
        undo(container_of(list_first(&r->undos), struct sim_undo, link));
}

void sim_undos_free(struct sim_run *r)
{
    while (!list_empty(&r->undos)) {
        struct sim_undo *u =
            container_of(list_first(&r->undos), struct sim_undo, link);
        sim_clock_set(&r->world->clock, &u->timer, MTIME_NEVER);
        sim_net_heal(u->cut);
        list_remove(&u->link);
        mem_free(u);
    }
}
