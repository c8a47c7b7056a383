#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/env.h"
#include "env/kv.h"
#include "node/announce.h"
#include "node/node.h"
#include "node/objects_priv.h"
#include "node/pull.h"
#include "store/store.h"

/*
 * The id of a reply is the keeper's; the rpc has one of its own.  They are
 * kept together until the answer.
 */
struct objects_asked {
    struct list link;
    uint64_t keeper_id;
    uint64_t rpc_id;
};

static uint64_t group_of(const struct multiaddr *remote)
{
    struct ma_ip ip;
    uint16_t port;

    if (multiaddr_get_tcp(remote, &ip, &port) != OK)
        return 0;
    return ma_ip_group(&ip);
}

void objects_on_request(void *user, uint64_t id, const struct peer_id *peer,
                        const struct multiaddr *remote, struct bytes in,
                        struct mtime now)
{
    struct objects *o = user;
    uint64_t keeper_id = 0;

    keeper_on_asker(o->keeper, peer, group_of(remote), objects_now(o, now));
    enum err err =
        keeper_serve(o->keeper, peer, in, objects_now(o, now), &keeper_id);
    objects_touch(o);
    if (err != OK) {
        bool is_rate = err == E_AGAIN || err == E_NOSPACE;
        rpc_refuse(o->rpc, id,
                   is_rate ? RPC_REFUSE_RATE : RPC_REFUSE_VIOLATION);
        if (err == E_AGAIN && node_peering(o->node) != NULL)
            peering_event(node_peering(o->node), peer, QUALITY_FAULT,
                          OBJECTS_FLOOD_SEVERITY, now);
        return;
    }
    struct objects_asked *a = mem_alloc(sizeof(*a));
    a->keeper_id = keeper_id;
    a->rpc_id = id;
    list_init(&a->link);
    list_add_tail(&o->asked, &a->link);
}

static void do_reply(struct objects *o, const struct keeper_out *out,
                     struct mtime now)
{
    list_for_each (it, &o->asked) {
        struct objects_asked *a = container_of(it, struct objects_asked, link);
        if (a->keeper_id != out->id)
            continue;
        if (o->rpc != NULL)
            rpc_answer(o->rpc, a->rpc_id, buf_bytes(out->data), now);
        list_remove(it);
        mem_free(a);
        return;
    }
}

/* Pulling; what came is protected until it is counted. */

struct objects_pull {
    struct objects *objects;
    uint64_t id;
    struct cid root;
    struct pull *pull;
    bool ended;
    struct mtime told_at; /* progress, to the keeper */
    struct list link;
};

static void free_pull(struct objects_pull *p)
{
    pull_free(p->pull);
    list_remove(&p->link);
    mem_free(p);
}

static void on_pull_progress(void *user, struct mtime now)
{
    enum { PROGRESS_EACH_MS = 250 };
    struct objects_pull *p = user;
    struct objects *o = p->objects;
    uint64_t bytes = 0;

    if (p->told_at.ns != 0 &&
        !mtime_reached(now, mtime_add_ms(p->told_at, PROGRESS_EACH_MS)))
        return;
    p->told_at = now;
    uint64_t blocks = pull_blocks(p->pull, &bytes);
    keeper_on_pull_counted(o->keeper, p->id, bytes, blocks,
                           objects_now(o, now));
    objects_touch(o);
}

static void on_pulled(void *user, enum err err, struct mtime now)
{
    struct objects_pull *p = user;
    struct objects *o = p->objects;
    uint64_t bytes = 0;
    uint64_t blocks = pull_blocks(p->pull, &bytes);
    uint64_t id = p->id;

    p->ended = true;
    if (err != OK)
        free_pull(p);
    keeper_on_pulled(o->keeper, id, err, bytes, blocks, objects_now(o, now));
    objects_touch(o);
}

static void do_pull(struct objects *o, const struct keeper_out *out,
                    struct mtime now)
{
    struct objects_pull *p = NULL;

    if (!o->online) {
        keeper_on_pulled(o->keeper, out->id, E_CLOSED, 0, 0,
                         objects_now(o, now));
        return;
    }
    p = mem_zalloc(1, sizeof(*p));
    struct pull_config config = {
        .root = out->root,
        .peers = out->peers,
        .peers_count = out->peers_count,
        .size_bytes = out->size_bytes,
        .blocks = out->blocks,
        .timeout_ms = OBJECTS_PULL_STILL_MS,
        .on_progress = on_pull_progress,
        .done = on_pulled,
        .user = p,
    };
    p->objects = o;
    p->id = out->id;
    p->root = out->root;
    list_add_tail(&o->pulls, &p->link);
    p->pull = pull_new(o->node, &config, now);
}

static void cancel_pull(struct objects *o, uint64_t id)
{
    list_for_each_safe (it, &o->pulls) {
        struct objects_pull *p = container_of(it, struct objects_pull, link);
        if (p->id == id)
            free_pull(p);
    }
}

/* @root is counted, or never will be. */
static void free_pulls_of(struct objects *o, const struct cid *root)
{
    list_for_each_safe (it, &o->pulls) {
        struct objects_pull *p = container_of(it, struct objects_pull, link);
        if (p->ended && cid_eq(&p->root, root))
            free_pull(p);
    }
}

/*
 * Counting roots in the store: pins of the kind "object", without a tag, since
 * the keeper counts the owners of one root itself.  Changes of one root go one
 * after the other: what is not committed cannot be removed.
 */
struct objects_count {
    struct store_pin_op op;
    struct objects *objects;
    uint64_t id; /* of KEEPER_KEEP */
    struct cid root;
    bool keep; /* else drop */
    bool running;
    struct list link;
};

static void count_next(struct objects *o, const struct cid *root);

static void count_end(struct objects_count *c, enum err err, struct mtime now)
{
    struct objects *o = c->objects;
    struct cid root = c->root;

    list_remove(&c->link);
    if (c->keep) {
        keeper_on_kept(o->keeper, c->id, err, objects_now(o, now));
        free_pulls_of(o, &root);
        objects_touch(o);
    }
    mem_free(c);
}

static void on_counted(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct objects_count *c = container_of(op, struct objects_count, op);
    struct objects *o = c->objects;
    struct cid root = c->root;

    if (c->keep && err == OK)
        announce_root(node_announce(o->node), &root.hash, now);
    count_end(c, err, now);
    if (!o->stopped)
        count_next(o, &root);
}

static enum err count_start(struct objects_count *c)
{
    struct store *store = node_store(c->objects->node);
    struct clock *clock = c->objects->env->clock;
    struct store_pin pin = {
        .kind = STORE_PIN_OBJECT,
        .cid = c->root,
        .created_ms = clock->unix_ms(clock),
    };

    c->op.done = on_counted;
    c->running = true;
    return c->keep ? store_pin(store, &c->op, &pin)
                   : store_unpin(store, &c->op, &pin);
}

static struct objects_count *count_of(const struct objects *o,
                                      const struct cid *root)
{
    list_for_each (it, &o->counts) {
        struct objects_count *c = container_of(it, struct objects_count, link);
        if (cid_eq(&c->root, root))
            return c;
    }
    return NULL;
}

/* Start the oldest change of @root that waits; one that is nothing to do ends
 * at once. */
static void count_next(struct objects *o, const struct cid *root)
{
    struct objects_count *c = count_of(o, root);

    while (c != NULL && !c->running) {
        enum err err = count_start(c);
        if (err == OK)
            return;
        count_end(c, err == E_NOTFOUND ? OK : err,
                  o->env->clock->now(o->env->clock));
        c = count_of(o, root);
    }
}

static void do_count(struct objects *o, const struct keeper_out *out, bool keep)
{
    struct objects_count *c = mem_zalloc(1, sizeof(*c));

    c->objects = o;
    c->id = out->id;
    c->root = out->root;
    c->keep = keep;
    list_add_tail(&o->counts, &c->link);
    count_next(o, &c->root);
}

/* Rows. */

struct objects_row {
    struct kv_batch batch;
    struct kv_change change;
    struct objects *objects;
    uint64_t id;
    uint8_t key[KEEPER_KEY_MAX];
    struct buf *value;
    struct list link;
};

static void on_written(struct kv_batch *b, enum err err, struct mtime now)
{
    struct objects_row *row = container_of(b, struct objects_row, batch);
    struct objects *o = row->objects;

    list_remove(&row->link);
    o->rows_ended++;
    if (err != OK)
        o->row_err = err;
    keeper_on_stored(o->keeper, row->id, err, objects_now(o, now));
    objects_rows_done(o);
    objects_touch(o);
    buf_unref(row->value);
    mem_free(row);
}

static void do_store(struct objects *o, struct keeper_out *out)
{
    struct objects_row *row = mem_zalloc(1, sizeof(*row));

    assert(out->key_len <= sizeof(row->key));
    row->objects = o;
    row->id = out->id;
    row->value = out->data;
    out->data = NULL;
    memcpy(row->key, out->key, out->key_len);
    row->change = (struct kv_change){
        .table = o->table,
        .remove = row->value == NULL || row->value->len == 0,
        .key = {row->key, out->key_len},
    };
    if (!row->change.remove)
        row->change.value = buf_bytes(row->value);
    row->batch = (struct kv_batch){
        .changes = &row->change, .count = 1, .done = on_written};
    list_init(&row->batch.link);
    list_add_tail(&o->rows, &row->link);
    o->rows_begun++;
    o->kv->write(o->kv, &row->batch);
}

/* All of it. */

static void do_done(struct objects *o, const struct keeper_out *out)
{
    list_for_each_safe (it, &o->ops) {
        struct objects_op *op = container_of(it, struct objects_op, link);
        if (op->job == out->id)
            objects_op_end(o, op, out->err);
    }
}

void objects_do(struct objects *o, struct keeper_out *out, struct mtime now)
{
    switch (out->kind) {
    case KEEPER_SEND:
        objects_send(o, out, now);
        break;
    case KEEPER_REPLY:
        do_reply(o, out, now);
        break;
    case KEEPER_PULL:
        do_pull(o, out, now);
        break;
    case KEEPER_PULL_CANCEL:
        cancel_pull(o, out->id);
        break;
    case KEEPER_KEEP:
        do_count(o, out, true);
        break;
    case KEEPER_DROP:
        do_count(o, out, false);
        break;
    case KEEPER_PICK:
        objects_pick_new(o, out);
        break;
    case KEEPER_DIGEST:
        objects_digest_new(o, out);
        break;
    case KEEPER_FETCHBACK:
        objects_back_new(o, out, now);
        break;
    case KEEPER_STORE:
        do_store(o, out);
        break;
    case KEEPER_EVENT:
        objects_event(o, out, now);
        break;
    case KEEPER_DONE:
        do_done(o, out);
        break;
    }
    keeper_out_release(out);
}

/* Pulls that nobody waits for any more: their root was counted already, or the
 * object was given up meanwhile. */
void objects_tidy_pulls(struct objects *o)
{
    list_for_each_safe (it, &o->pulls) {
        struct objects_pull *p = container_of(it, struct objects_pull, link);
        if (p->ended && count_of(o, &p->root) == NULL)
            free_pull(p);
    }
}

void objects_do_stop(struct objects *o)
{
    list_for_each_safe (asked, &o->asked) {
        list_remove(asked);
        mem_free(container_of(asked, struct objects_asked, link));
    }
    list_for_each_safe (pull, &o->pulls)
        free_pull(container_of(pull, struct objects_pull, link));
    list_for_each_safe (count, &o->counts) {
        struct objects_count *c =
            container_of(count, struct objects_count, link);
        if (c->running)
            continue; /* it comes back */
        list_remove(count);
        mem_free(c);
    }
}

bool objects_is_idle(const struct objects *o)
{
    return list_empty(&o->rows) && list_empty(&o->counts);
}
