#include "sim/run.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/run_priv.h"

enum {
    STOP_S = 60, /* all nodes must have ended by then */
    CHECK_S = 120,
    LINE_MAX_BYTES = 1024,
    ADDRS_MAX = 4000,
    ADDR_MAX = 256,
    BOOTSTRAP_MAX = 16,
    BITS = 8,
    MS_PER_MINUTE = 60 * 1000,
    MILLION = 1000000,
};

/* Telling. */

static void put_line(struct strbuf *s, const struct sim_run *r,
                     const struct sim_machine *m, const char *what,
                     struct bytes detail)
{
    uint64_t ms = r->world->time.now.ns / SIM_MS;

    strbuf_u64(s, ms / 1000);
    strbuf_str(s, ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".");
    strbuf_u64(s, ms % 1000);
    strbuf_str(s, "s ");
    if (m != NULL) {
        strbuf_str(s, "node ");
        strbuf_u64(s, m->index);
        strbuf_str(s, ": ");
    }
    strbuf_str(s, what);
    strbuf_str(s, detail.len > 0 ? " " : "");
    strbuf_add(s, detail);
}

void sim_run_tell(struct sim_run *r, const struct sim_machine *m,
                  const char *what, struct bytes detail)
{
    struct strbuf s;

    if (r->config->tell == NULL)
        return;
    strbuf_init(&s, LINE_MAX_BYTES + detail.len);
    put_line(&s, r, m, what, detail);
    r->config->tell(r->config->user, strbuf_bytes(&s));
    strbuf_release(&s);
}

void sim_run_fail(struct sim_run *r, const struct sim_machine *m,
                  const char *what, struct bytes detail)
{
    struct strbuf s;

    sim_world_stop(r->world);
    if (r->result->failed)
        return;
    r->result->failed = true;
    sim_run_tell(r, m, what, detail);
    strbuf_init(&s, SIM_FAILURE_MAX - 1);
    put_line(&s, r, m, what, detail);
    memcpy(r->result->why, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
}

static void on_log(void *user, struct sim_machine *m, enum log_level level,
                   struct bytes line)
{
    const struct sim_run *r = user;

    if (r->config->log != NULL)
        r->config->log(r->config->user, m->index, r->world->time.now.ns, level,
                       line);
}

/* Making the world. */

static uint16_t group_of(void *user, uint32_t index)
{
    const struct sim_run *r = user;

    return r->script->traits[index].group;
}

static void set_traits(struct sim_machine *m, const struct sim_traits *t)
{
    m->host.link_of = t->link;
    m->host.nat = t->nat;
    m->host.lan = t->lan;
    if (t->sybil)
        sim_machine_share(m, (const uint8_t[4]){(uint8_t)(t->group >> BITS),
                                                (uint8_t)t->group, 1, 1});
    m->clock.wall_ms = t->wall_ms;
    m->disk.lies = t->lies;
    m->disk.sync_ns = t->sync_ns;
    m->disk.bytes_per_s = t->disk_bytes_s;
    if (t->capacity_bytes > 0)
        m->disk.capacity_bytes = t->capacity_bytes;
}

static void set_own(struct sim_machine *m, const struct sim_settings *own)
{
    for (size_t i = 0; own != NULL && i < own->count; i++) {
        enum err err = sim_machine_set(m, own->pairs[i]);
        assert(err == OK); /* the script has checked it */
    }
}

static void set_bootstrap(struct sim_run *r)
{
    uint32_t count = r->script->bootstrap;
    struct strbuf s;

    if (count == 0)
        return;
    strbuf_init(&s, ADDRS_MAX);
    strbuf_str(&s, "network.bootstrap=");
    for (uint32_t i = 0; i < count && i < BOOTSTRAP_MAX; i++) {
        char addr[ADDR_MAX];
        (void)sim_machine_addr(r->world->machines[i], addr, sizeof(addr));
        strbuf_str(&s, i > 0 ? "," : "");
        strbuf_str(&s, addr);
    }
    enum err err = sim_world_set(r->world, strbuf_cstr(&s));
    assert(err == OK); /* the addresses are ours */
    strbuf_release(&s);
}

static void make_world(struct sim_run *r)
{
    const struct sim_script *s = r->script;
    struct sim_world_config config = {
        .seed = r->config->seed,
        .machines = s->machines,
        .secured = s->secured,
        .group_of = group_of,
        .on_log = on_log,
        .user = r,
    };

    r->world = sim_world_new(&config);
    r->world->time.trace.tell = r->config->trace;
    r->world->time.trace.user = r->config->user;
    enum err err =
        sim_world_set(r->world, "network.listen=/ip4/0.0.0.0/tcp/4101");
    assert(err == OK);
    set_bootstrap(r);
    sim_settings_apply(&s->settings, &r->world->shared);
    for (uint32_t i = 0; i < s->machines; i++) {
        set_traits(r->world->machines[i], &s->traits[i]);
        set_own(r->world->machines[i], s->own[i]);
        r->damaged[i] = s->traits[i].lies ? SIM_DAMAGED : SIM_UNDAMAGED;
    }
}

/* Phases. */

static void begin_checks(struct sim_run *r)
{
    list_for_each (it, &r->files) {
        struct sim_file *f = container_of(it, struct sim_file, link);
        if (f->acked && !f->is_gone &&
            r->damaged[f->machine] == SIM_UNDAMAGED &&
            r->wanted[f->machine] != 0)
            (void)sim_op_begin(r, SIM_OP_CHECK, r->world->machines[f->machine],
                               f);
    }
}

static bool all_off(const struct sim_run *r)
{
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        if (r->world->machines[i]->state != SIM_OFF)
            return false;
    }
    return true;
}

static void begin_phase(struct sim_run *r, enum sim_phase phase,
                        uint64_t length_ns)
{
    r->phase = phase;
    r->phase_end.ns = r->world->time.now.ns + length_ns;
}

static void stop_all(struct sim_run *r)
{
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        r->wanted[i] = 0;
        sim_machine_stop(r->world->machines[i]);
    }
}

static void start_wanted(struct sim_run *r)
{
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        struct sim_machine *m = r->world->machines[i];
        if (r->wanted[i] != 0 && m->state == SIM_OFF)
            sim_start_machine(r, m);
    }
}

/* What the script asks of the network as a whole, once the events are over. */
static void check_network(struct sim_run *r)
{
    struct sim_result *result = r->result;
    const struct sim_dht_counts *dht = &result->dht;
    uint64_t ms = r->world->time.now.ns / SIM_MS - result->marked_ms;
    struct strbuf s;

    strbuf_init(&s, SIM_FAILURE_MAX - 1);
    if (result->marked_ms > 0)
        result->marked_connections =
            r->world->net.connections - r->connections_before;
    uint64_t most =
        r->script->calm_max * r->script->machines * ms / MS_PER_MINUTE;
    if (r->script->calm_max > 0 && result->marked_connections > most) {
        strbuf_u64(&s, result->marked_connections);
        strbuf_str(&s, " since the mark, at most ");
        strbuf_u64(&s, most);
        sim_run_fail(r, NULL,
                     "too many connections were made:", strbuf_bytes(&s));
    } else if (dht->found * MILLION < dht->lookups * r->script->found_ppm) {
        strbuf_u64(&s, dht->found);
        strbuf_str(&s, " of ");
        strbuf_u64(&s, dht->lookups);
        sim_run_fail(r, NULL,
                     "too few lookups found a provider:", strbuf_bytes(&s));
    }
    strbuf_release(&s);
}

/* Whether this phase is over, in which case the next has begun. */
static void next_phase(struct sim_run *r)
{
    bool late = mtime_reached(r->world->time.now, r->phase_end);

    switch (r->phase) {
    case SIM_PHASE_EVENTS:
        if (!late)
            break;
        check_network(r);
        sim_undo_all(r);
        begin_phase(r, SIM_PHASE_SETTLE, r->script->settle_ns);
        break;
    case SIM_PHASE_SETTLE:
        if (sim_ops_pending(r) == 0 && sim_dht_pending(r) == 0 &&
            sim_copies_settled(r)) {
            begin_phase(r, SIM_PHASE_CHECK, (uint64_t)CHECK_S * SIM_S);
            begin_checks(r);
        } else if (late) {
            sim_ops_tell(r);
            sim_copies_tell(r);
            if (sim_dht_pending(r) > 0)
                sim_run_fail(r, NULL, "a question to the DHT does not end",
                             BYTES_EMPTY);
        }
        break;
    case SIM_PHASE_CHECK:
        if (sim_ops_pending(r) == 0) {
            begin_phase(r, SIM_PHASE_COPIES, (uint64_t)CHECK_S * SIM_S);
            sim_copies_check(r);
        } else if (late) {
            sim_ops_tell(r);
        }
        break;
    case SIM_PHASE_COPIES:
        if (sim_ops_pending(r) == 0) {
            begin_phase(r, SIM_PHASE_STOP, (uint64_t)STOP_S * SIM_S);
            stop_all(r);
        } else if (late) {
            sim_ops_tell(r);
        }
        break;
    case SIM_PHASE_STOP:
        if (all_off(r)) {
            r->phase = SIM_PHASE_DONE;
            sim_world_stop(r->world);
        } else if (late) {
            sim_run_fail(r, NULL, "nodes do not end", BYTES_EMPTY);
        }
        break;
    case SIM_PHASE_DONE:
        break;
    }
}

static void on_poll(struct timer *t, struct mtime now)
{
    struct sim_run *r = container_of(t, struct sim_run, poll);

    (void)now; /* the world is asked */
    start_wanted(r);
    sim_copies_look(r);
    next_phase(r);
    if (r->phase != SIM_PHASE_DONE)
        sim_clock_after(&r->world->clock, t, (uint64_t)SIM_POLL_MS * SIM_MS);
}

static void on_next(struct timer *t, struct mtime now)
{
    struct sim_run *r = container_of(t, struct sim_run, next);
    struct sim_script *s = r->script;

    while (r->event_at < s->events_count &&
           s->events[r->event_at].at_ns <= now.ns) {
        struct sim_event *e = &s->events[r->event_at++];
        if (!e->left_out && r->phase == SIM_PHASE_EVENTS &&
            sim_storage_draw(r, e))
            sim_perform(r, e);
    }
    if (r->event_at < s->events_count)
        sim_clock_set(&r->world->clock, t,
                      (struct mtime){s->events[r->event_at].at_ns});
}

static void add_up(struct sim_run *r)
{
    const struct sim_world *w = r->world;
    struct sim_result *result = r->result;

    result->trace_hash = w->time.trace.hash;
    result->trace_count = w->time.trace.count;
    result->turns = w->time.turns;
    result->virtual_ms = w->time.now.ns / SIM_MS;
    result->segments = w->net.segments;
    result->bytes = w->net.bytes;
    result->datagrams = w->net.datagrams;
    result->connections = w->net.connections;
    for (uint32_t i = 0; i < w->machines_count; i++) {
        result->disk_bytes += w->machines[i]->disk.written_bytes;
        result->syncs += w->machines[i]->disk.syncs;
    }
}

static void end_world(struct sim_run *r)
{
    sim_undos_free(r);
    sim_clock_set(&r->world->clock, &r->next, MTIME_NEVER);
    sim_clock_set(&r->world->clock, &r->poll, MTIME_NEVER);
    for (uint32_t i = 0; i < r->world->machines_count; i++) {
        if (r->world->machines[i]->state != SIM_OFF)
            sim_machine_kill(r->world->machines[i], false);
    }
    sim_dht_end(r);
    sim_ops_free(r);
    sim_files_free(r);
    sim_world_free(r->world);
    mem_free(r->damaged);
    mem_free(r->wanted);
    mem_free(r->lied);
    mem_free(r->left);
}

void sim_run(const struct sim_run_config *config, struct sim_result *ret_result)
{
    struct sim_run r = {
        .config = config,
        .script = config->script,
        .result = ret_result,
        .damaged = mem_zalloc(config->script->machines, 1),
        .wanted = mem_zalloc(config->script->machines, 1),
        .lied = mem_zalloc(config->script->machines, 1),
        .left = mem_zalloc(config->script->machines, sizeof(uint32_t)),
    };

    *ret_result = (struct sim_result){.failed = false};
    sim_rand_init(&r.rand, config->seed, "faults", 0);
    list_init(&r.files);
    list_init(&r.ops);
    list_init(&r.undos);
    list_init(&r.asks);
    list_init(&r.provided);
    sim_rand_init(&r.dht_rand, config->seed, "dht", 0);
    timer_init(&r.next, on_next);
    timer_init(&r.poll, on_poll);
    make_world(&r);
    begin_phase(&r, SIM_PHASE_EVENTS, config->script->duration_ns);
    sim_clock_after(&r.world->clock, &r.next, 0);
    sim_clock_after(&r.world->clock, &r.poll, (uint64_t)SIM_POLL_MS * SIM_MS);
    sim_world_run(r.world, MTIME_NEVER);
    if (r.world->stuck)
        sim_run_fail(&r, NULL, "time does not go on", BYTES_EMPTY);
    add_up(&r);
    end_world(&r);
}

/* The report. */

static void add_field(struct strbuf *out, const char *name, uint64_t value)
{
    strbuf_str(out, ",\"");
    strbuf_str(out, name);
    strbuf_str(out, "\":");
    strbuf_u64(out, value);
}

static void add_text(struct strbuf *out, const char *name, const char *text)
{
    strbuf_str(out, ",\"");
    strbuf_str(out, name);
    strbuf_str(out, "\":\"");
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            strbuf_str(out, "\\");
        strbuf_add(out, (struct bytes){(const uint8_t *)p, 1});
    }
    strbuf_str(out, "\"");
}

static void add_dht(struct strbuf *out, const struct sim_dht_counts *c)
{
    add_field(out, "provides", c->provides);
    add_field(out, "provided", c->provided);
    add_field(out, "provide_messages", c->provide_messages);
    add_field(out, "provide_records", c->records);
    add_field(out, "lookups", c->lookups);
    add_field(out, "lookups_found", c->found);
    add_field(out, "lookup_hops", c->hops);
    add_field(out, "lookup_hops_max", c->hops_max);
    add_field(out, "lookup_messages", c->messages);
    add_field(out, "lookup_failures", c->failures);
    add_field(out, "lookup_bytes", c->bytes);
    add_field(out, "lookup_ms", c->elapsed_ms);
    add_field(out, "dht_lost", c->lost);
}

static void add_cost(struct strbuf *out, const struct sim_result *r,
                     const struct sim_cost *cost)
{
    add_field(out, "real_ms", cost->real_ms);
    add_field(out, "cpu_ms", cost->cpu_ms);
    add_field(out, "peak_kib", cost->peak_kib);
    if (r->marked_ms == 0)
        return;
    add_field(out, "marked_virtual_ms", r->virtual_ms - r->marked_ms);
    add_field(out, "marked_real_ms", cost->marked_real_ms);
    add_field(out, "marked_cpu_ms", cost->marked_cpu_ms);
}

void sim_result_json(const struct sim_result *r, const char *name,
                     uint64_t seed, const struct sim_cost *cost,
                     struct strbuf *out)
{
    uint8_t hash[8];

    for (unsigned i = 0; i < sizeof(hash); i++)
        hash[i] = (uint8_t)(r->trace_hash >> (8 * (sizeof(hash) - 1 - i)));
    strbuf_str(out, "{\"ok\":");
    strbuf_str(out, r->failed ? "false" : "true");
    add_text(out, "scenario", name);
    add_field(out, "seed", seed);
    strbuf_str(out, ",\"trace\":\"");
    strbuf_hex(out, (struct bytes){hash, sizeof(hash)});
    strbuf_str(out, "\"");
    add_field(out, "events", r->trace_count);
    add_field(out, "turns", r->turns);
    add_field(out, "virtual_ms", r->virtual_ms);
    add_cost(out, r, cost);
    add_field(out, "segments", r->segments);
    add_field(out, "bytes", r->bytes);
    add_field(out, "datagrams", r->datagrams);
    add_field(out, "connections", r->connections);
    if (r->marked_ms > 0)
        add_field(out, "marked_connections", r->marked_connections);
    add_field(out, "faults", r->faults);
    add_field(out, "starts", r->starts);
    add_field(out, "requests", r->requests);
    add_field(out, "added", r->added);
    add_field(out, "gotten", r->gotten);
    add_field(out, "checked", r->checked);
    add_field(out, "disk_bytes", r->disk_bytes);
    add_field(out, "syncs", r->syncs);
    if (r->dht.provides + r->dht.lookups > 0)
        add_dht(out, &r->dht);
    if (r->failed)
        add_text(out, "why", r->why);
    strbuf_str(out, "}\n");
}
