/* Content that is announced and looked for in the DHT, without blocks. */
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "crypto/sha256.h"
#include "kad/kad.h"
#include "multiformats/multihash.h"
#include "node/dht.h"
#include "node/node.h"
#include "sim/run_priv.h"

enum {
    SHA2_256 = 0x12,
    KEY_BYTES = 16,
    LINE_MAX_BYTES = 200,
    FEW_RECORDS = 10, /* of 20 that are wanted */
};

/* A key that one machine has announced. */
struct sim_provided {
    struct list link; /* in run.provided */
    struct multihash hash;
    struct sim_machine *machine;
};

/* A question under way.  One whose machine died never ends. */
struct sim_ask {
    struct list link; /* in run.asks */
    struct sim_run *run;
    struct sim_machine *machine;
    struct sim_provided *key;
    uint32_t starts; /* of the machine, when it was put */
    bool looks;      /* else it announces */
    bool found;
    struct dht_op op;
    struct timer timer; /* on the machine's clock: it begins in its turn */
};

static struct multihash draw_hash(struct sim_run *r)
{
    uint8_t key[KEY_BYTES];
    struct multihash hash = {.code = SHA2_256, .len = SHA256_BYTES};

    sim_rand_fill(&r->dht_rand, key, sizeof(key));
    sha256((struct bytes){key, sizeof(key)}, hash.digest);
    return hash;
}

static void ask_free(struct sim_ask *a)
{
    list_remove(&a->link);
    mem_free(a);
}

static void count_lookup(struct sim_dht_counts *c, const struct sim_ask *a)
{
    const struct kad_query_stats *s = &a->op.stats;

    c->lookups++;
    c->found += a->found;
    c->hops += s->hops;
    c->hops_max = s->hops > c->hops_max ? s->hops : c->hops_max;
    c->messages += s->messages;
    c->failures += s->failures;
    c->bytes += s->bytes_in + s->bytes_out;
    c->elapsed_ms += s->elapsed_ms;
}

static void count_provide(struct sim_dht_counts *c, const struct sim_ask *a)
{
    c->provides++;
    c->provided += a->op.stored_count > 0;
    c->provide_messages += a->op.stats.messages;
    c->records += a->op.stored_count;
}

static void on_found(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    struct sim_ask *a = container_of(op, struct sim_ask, op);

    (void)now; /* the core counts time */
    if (peer_id_eq(&found->peer, &a->key->machine->peer))
        a->found = true;
}

/* With what may show why: few were asked, or many did not answer. */
static void tell_asked(const struct sim_ask *a, const char *what, enum err err)
{
    const struct kad_query_stats *s = &a->op.stats;
    struct strbuf line;

    strbuf_init(&line, LINE_MAX_BYTES);
    strbuf_str(&line, err_name(err));
    strbuf_str(&line, ", messages ");
    strbuf_u64(&line, s->messages);
    strbuf_str(&line, " answers ");
    strbuf_u64(&line, s->answers);
    strbuf_str(&line, " hops ");
    strbuf_u64(&line, s->hops);
    strbuf_str(&line, " ms ");
    strbuf_u64(&line, s->elapsed_ms);
    strbuf_str(&line, " stored ");
    strbuf_u64(&line, a->op.stored_count);
    strbuf_str(&line, "; key of ");
    strbuf_u64(&line, a->key->machine->index);
    sim_run_tell(a->run, a->machine, what, strbuf_bytes(&line));
    strbuf_release(&line);
}

static void on_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct sim_ask *a = container_of(op, struct sim_ask, op);
    struct sim_run *r = a->run;

    (void)now; /* the core counts time */
    if (a->machine->state != SIM_RUNNING)
        return; /* it says nothing of the DHT; sim_dht_end() counts it */
    if (a->looks) {
        count_lookup(&r->result->dht, a);
        if (!a->found)
            tell_asked(a, "did not find a provider:", err);
    } else {
        count_provide(&r->result->dht, a);
        if (a->op.stored_count < FEW_RECORDS)
            tell_asked(a, "told few of what it provides:", err);
        if (a->op.stored_count > 0)
            list_add_tail(&r->provided, &a->key->link);
        else
            mem_free(a->key);
        r->provided_count += a->op.stored_count > 0;
    }
    ask_free(a);
}

static void on_begin(struct timer *t, struct mtime now)
{
    struct sim_ask *a = container_of(t, struct sim_ask, timer);
    struct sim_machine *m = a->machine;
    struct dht *dht = m->state == SIM_RUNNING ? node_dht(m->node) : NULL;

    if (dht == NULL) {
        if (!a->looks)
            mem_free(a->key);
        ask_free(a);
        return;
    }
    a->op.done = on_done;
    if (a->looks) {
        a->op.found = on_found;
        dht_find_providers(dht, &a->op, &a->key->hash, 1, now);
    } else {
        dht_provide(dht, &a->op, &a->key->hash, now);
    }
}

static struct sim_provided *draw_key(struct sim_run *r)
{
    uint64_t at = sim_rand_below(&r->dht_rand, r->provided_count);

    list_for_each (it, &r->provided) {
        if (at == 0)
            return container_of(it, struct sim_provided, link);
        at--;
    }
    return NULL;
}

void sim_dht_begin(struct sim_run *r, const struct sim_event *e)
{
    struct sim_machine *m = r->world->machines[e->machine];
    bool looks = e->verb == SIM_LOOKUP;
    struct sim_provided *key = NULL;

    if (looks && r->provided_count > 0)
        key = draw_key(r);
    /* Nobody is told that it has something itself. */
    if (m->state != SIM_RUNNING ||
        (looks && (key == NULL || key->machine == m)))
        return;
    struct sim_ask *a = mem_zalloc(1, sizeof(*a));
    a->run = r;
    a->machine = m;
    a->starts = m->starts;
    a->looks = looks;
    a->key = key;
    if (!looks) {
        a->key = mem_zalloc(1, sizeof(*a->key));
        list_init(&a->key->link);
        a->key->hash = draw_hash(r);
        a->key->machine = m;
    }
    timer_init(&a->timer, on_begin);
    list_add_tail(&r->asks, &a->link);
    sim_clock_after(&m->clock, &a->timer, 0);
}

size_t sim_dht_pending(const struct sim_run *r)
{
    size_t count = 0;

    list_for_each (it, &r->asks) {
        const struct sim_ask *a = container_of(it, struct sim_ask, link);
        count +=
            a->machine->state == SIM_RUNNING && a->machine->starts == a->starts;
    }
    return count;
}

void sim_dht_end(struct sim_run *r)
{
    list_for_each_safe (it, &r->asks) {
        struct sim_ask *a = container_of(it, struct sim_ask, link);
        sim_clock_set(&a->machine->clock, &a->timer, MTIME_NEVER);
        if (!a->looks)
            mem_free(a->key);
        r->result->dht.lost++;
        ask_free(a);
    }
    list_for_each_safe (it, &r->provided) {
        list_remove(it);
        mem_free(container_of(it, struct sim_provided, link));
    }
}
