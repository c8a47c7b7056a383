#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "env/env.h"
#include "env/pool.h"
#include "ipld/block.h"
#include "node/fetchback.h"
#include "node/node.h"
#include "node/objects_priv.h"
#include "node/scanning.h"
#include "store/store.h"

enum { RETRY_MS = 10 };

/* Choosing some blocks of an object. */

struct objects_pick {
    struct objects *objects;
    uint64_t id;
    struct cid root;
    struct scanning *scanning;    /* NULL: waits for its turn */
    uint64_t at[KEEPER_CIDS_MAX]; /* indices, ascending */
    size_t count;
    struct cid cids[KEEPER_CIDS_MAX];
    size_t found;
    uint64_t index; /* of the next block */
    struct list link;
};

static void start_picks(struct objects *o);

static bool on_pick_block(void *user, const struct cid *cid, uint32_t length)
{
    struct objects_pick *p = user;

    (void)length;
    while (p->found < p->count && p->at[p->found] == p->index)
        p->cids[p->found++] = *cid;
    p->index++;
    return p->found < p->count;
}

static void free_pick(struct objects_pick *p)
{
    if (p->scanning != NULL)
        p->objects->picks_running--;
    scanning_free(p->scanning);
    list_remove(&p->link);
    mem_free(p);
}

static void on_picked(void *user, enum err err, struct mtime now)
{
    struct objects_pick *p = user;
    struct objects *o = p->objects;

    /* A record may count more blocks than there are: some were found. */
    if (err == OK && p->found == 0)
        err = E_NOTFOUND;
    keeper_on_picked(o->keeper, p->id, err, p->cids, p->found,
                     objects_now(o, now));
    free_pick(p);
    start_picks(o);
    objects_touch(o);
}

static void start_picks(struct objects *o)
{
    list_for_each (it, &o->picks) {
        struct objects_pick *p = container_of(it, struct objects_pick, link);
        struct scanning_config config = {
            .root = p->root,
            .on_block = on_pick_block,
            .done = on_picked,
            .user = p,
        };
        if (o->picks_running >= OBJECTS_PICKS_MAX)
            return;
        if (p->scanning != NULL)
            continue;
        p->scanning = scanning_new(o->node, &config);
        o->picks_running++;
    }
}

static void insert(struct objects_pick *p, uint64_t index)
{
    size_t at = p->count++;

    for (; at > 0 && p->at[at - 1] > index; at--)
        p->at[at] = p->at[at - 1];
    p->at[at] = index;
}

void objects_pick_new(struct objects *o, const struct keeper_out *out)
{
    struct objects_pick *p = mem_zalloc(1, sizeof(*p));
    struct keeper_status *status = mem_alloc(sizeof(*status));
    uint8_t seed[AUDIT_SEED_BYTES];
    struct keeper_now now = objects_now(o, o->env->clock->now(o->env->clock));
    uint64_t blocks = 1;

    if (keeper_status(o->keeper, &out->root, now, status) == OK &&
        status->blocks > 0)
        blocks = status->blocks;
    mem_free(status);
    node_random(o->node, seed, sizeof(seed));
    p->objects = o;
    p->id = out->id;
    p->root = out->root;
    for (uint64_t i = 0; i < out->blocks && i < KEEPER_CIDS_MAX; i++)
        insert(p, audit_pick(seed, i, blocks));
    list_add_tail(&o->picks, &p->link);
    start_picks(o);
}

/* Proving that blocks are here. */

struct objects_digest {
    struct objects *objects; /* NULL: nobody waits any more */
    uint64_t id;
    struct audit_question question;
    struct cid cids[KEEPER_CIDS_MAX];
    struct audit_digest digests[KEEPER_CIDS_MAX];
    size_t count;
    size_t at; /* being read or hashed */
    bool running;
    struct store_get_op get;
    struct block *block; /* being hashed */
    struct pool_job job;
    struct timer retry; /* the store reads too much already */
    struct list link;
};

static void start_digests(struct objects *o);

static void digest_run(struct pool_job *job)
{
    struct objects_digest *d = container_of(job, struct objects_digest, job);

    d->digests[d->at] =
        audit_digest_of(&d->question, &d->cids[d->at], d->block->data.bytes);
}

static void digest_read(struct store_get_op *get, enum err err,
                        struct block *block, struct mtime now);

/* The block may have been asked for before: its digest is known then. */
static bool is_repeated(struct objects_digest *d)
{
    for (size_t i = 0; i < d->at; i++) {
        if (!cid_eq(&d->cids[i], &d->cids[d->at]))
            continue;
        d->digests[d->at] = d->digests[i];
        return true;
    }
    return false;
}

/* An audit tells no more than bitswap does: see exchange.c. */
static bool is_hidden(const struct objects_digest *d)
{
    const struct objects *o = d->objects;
    struct store_stat stat;
    struct peer_id self;

    if (config_get_bool(node_settings(o->node), CONFIG_STORAGE_SERVE_CACHE))
        return false;
    self = privkey_peer_id(node_key(o->node));
    return peer_id_eq(&d->question.holder, &self) && /* else we ask */
           store_stat(node_store(o->node), &d->cids[d->at].hash, &stat) == OK &&
           !stat.keep && !stat.counted;
}

/* What is not here, or is damaged, has no digest.  Return: false: all blocks
 * were looked at, or nobody waits. */
static bool digest_step(struct objects_digest *d)
{
    struct objects *o = d->objects;

    while (o != NULL && d->at < d->count) {
        struct clock *clock = o->env->clock;
        if (is_repeated(d) || is_hidden(d)) {
            d->at++;
            continue;
        }
        d->get = (struct store_get_op){.done = digest_read};
        enum err err = store_get(node_store(o->node), &d->get, &d->cids[d->at]);
        if (err == OK)
            return true;
        if (err == E_AGAIN) {
            clock->set(clock, &d->retry,
                       mtime_add_ms(clock->now(clock), RETRY_MS));
            return true;
        }
        d->at++;
    }
    return false;
}

static void digest_end(struct objects_digest *d, struct mtime now)
{
    struct objects *o = d->objects;

    list_remove(&d->link);
    if (o != NULL) {
        o->digests_running--;
        keeper_on_digests(o->keeper, d->id, d->digests, d->count,
                          objects_now(o, now));
        objects_touch(o);
    }
    mem_free(d);
}

static void digest_go_on(struct objects_digest *d, struct mtime now)
{
    struct objects *o = d->objects;

    if (digest_step(d))
        return;
    digest_end(d, now);
    if (o != NULL)
        start_digests(o);
}

static void digest_done(struct pool_job *job, struct mtime now)
{
    struct objects_digest *d = container_of(job, struct objects_digest, job);

    block_unref(d->block);
    d->block = NULL;
    d->at++;
    digest_go_on(d, now);
}

static void digest_read(struct store_get_op *get, enum err err,
                        struct block *block, struct mtime now)
{
    struct objects_digest *d = container_of(get, struct objects_digest, get);
    struct objects *o = d->objects;

    if (err != OK || o == NULL) {
        block_unref(block);
        d->at++;
        digest_go_on(d, now);
        return;
    }
    d->block = block;
    d->job.run = digest_run;
    d->job.done = digest_done;
    o->env->pool->submit(o->env->pool, &d->job, POOL_CPU);
}

static void digest_retry(struct timer *t, struct mtime now)
{
    digest_go_on(container_of(t, struct objects_digest, retry), now);
}

static struct objects_digest *waiting_digest(const struct objects *o)
{
    list_for_each (it, &o->digests) {
        struct objects_digest *d =
            container_of(it, struct objects_digest, link);
        if (!d->running)
            return d;
    }
    return NULL;
}

static void start_digests(struct objects *o)
{
    while (o->digests_running < OBJECTS_DIGESTS_MAX) {
        struct objects_digest *d = waiting_digest(o);
        if (d == NULL)
            return;
        d->running = true;
        o->digests_running++;
        if (!digest_step(d))
            digest_end(d, o->env->clock->now(o->env->clock));
    }
}

void objects_digest_new(struct objects *o, const struct keeper_out *out)
{
    struct objects_digest *d = mem_zalloc(1, sizeof(*d));

    timer_init(&d->retry, digest_retry);
    d->objects = o;
    d->id = out->id;
    memcpy(d->question.nonce, out->nonce, sizeof(d->question.nonce));
    d->question.auditor = out->auditor;
    d->question.holder = out->peer;
    d->count =
        out->cids_count < KEEPER_CIDS_MAX ? out->cids_count : KEEPER_CIDS_MAX;
    memcpy(d->cids, out->cids, d->count * sizeof(d->cids[0]));
    list_add_tail(&o->digests, &d->link);
    start_digests(o);
}

/* Fetching back from one peer. */

struct objects_back {
    struct objects *objects;
    uint64_t id;
    struct peer_id peer;
    struct cid cids[KEEPER_CIDS_MAX];
    size_t count;
    uint32_t timeout_ms;
    struct fetchback *fetchback; /* NULL: waits for its turn */
    struct list link;
};

static void start_backs(struct objects *o, struct mtime now);

static void on_fetched_back(void *user, enum err err, struct mtime now)
{
    struct objects_back *b = user;
    struct objects *o = b->objects;

    keeper_on_fetched(o->keeper, b->id, err, objects_now(o, now));
    fetchback_free(b->fetchback);
    list_remove(&b->link);
    mem_free(b);
    start_backs(o, now);
    objects_touch(o);
}

static bool shares_block(const struct objects_back *a,
                         const struct objects_back *b)
{
    for (size_t i = 0; i < a->count * b->count; i++) {
        if (cid_eq(&a->cids[i / b->count], &b->cids[i % b->count]))
            return true;
    }
    return false;
}

/* Two at a time that want one block of different peers would be in each
 * other's way: they go one after the other. */
static bool must_wait(const struct objects *o, const struct objects_back *b)
{
    list_for_each (it, &o->backs) {
        const struct objects_back *other =
            container_of(it, struct objects_back, link);
        if (other->fetchback != NULL && shares_block(other, b))
            return true;
    }
    return false;
}

static void start_backs(struct objects *o, struct mtime now)
{
    enum { ADDRS_MAX = 8 };

    list_for_each (it, &o->backs) {
        struct objects_back *b = container_of(it, struct objects_back, link);
        struct multiaddr addrs[ADDRS_MAX];
        if (b->fetchback != NULL || must_wait(o, b))
            continue;
        struct fetchback_config config = {
            .target = {.peer = b->peer, .addrs = addrs},
            .cids = b->cids,
            .count = b->count,
            .timeout_ms = b->timeout_ms,
            .done = on_fetched_back,
            .user = b,
        };
        if (node_peering(o->node) != NULL)
            config.target.count = peering_addrs(node_peering(o->node), &b->peer,
                                                addrs, ADDRS_MAX);
        b->fetchback = fetchback_new(o->node, &config, now);
    }
}

void objects_back_new(struct objects *o, const struct keeper_out *out,
                      struct mtime now)
{
    struct objects_back *b = mem_zalloc(1, sizeof(*b));

    b->objects = o;
    b->id = out->id;
    b->peer = out->peer;
    b->timeout_ms = out->timeout_ms;
    b->count =
        out->cids_count < KEEPER_CIDS_MAX ? out->cids_count : KEEPER_CIDS_MAX;
    memcpy(b->cids, out->cids, b->count * sizeof(b->cids[0]));
    list_add_tail(&o->backs, &b->link);
    start_backs(o, now);
}

void objects_jobs_stop(struct objects *o)
{
    list_for_each_safe (pick, &o->picks)
        free_pick(container_of(pick, struct objects_pick, link));
    list_for_each_safe (it, &o->digests) {
        struct objects_digest *d =
            container_of(it, struct objects_digest, link);
        bool retries = d->retry.at.ns != MTIME_NEVER.ns;
        o->env->clock->set(o->env->clock, &d->retry, MTIME_NEVER);
        list_remove(it);
        if (d->running && !retries)
            d->objects = NULL; /* its read or its hash comes back */
        else
            mem_free(d);
    }
    o->digests_running = 0;
    list_for_each_safe (back, &o->backs) {
        struct objects_back *b = container_of(back, struct objects_back, link);
        fetchback_free(b->fetchback);
        list_remove(back);
        mem_free(b);
    }
}
