#include "base/map.h"
#include "base/mem.h"
#include "env/env.h"
#include "node/node.h"
#include "node/objects_priv.h"

/*
 * Requests to peers, no more of them than a peer answers: one that asks too
 * much is refused and, if it goes on, not heard at all.
 *
 * Spec: docs/protocol/storage.md, "Framing": 32 requests a second.
 */

enum {
    ADDRS_MAX = 8,
    PACE_MS = 36,            /* between requests to one peer, in the long run */
    BURST_MS = 32 * PACE_MS, /* so many at once, after a rest */
    PACES_MAX = 4096,
};

struct objects_pace {
    struct map_node node; /* of objects.paces */
    struct peer_id peer;
    struct mtime full; /* when all that was asked is paid for */
};

struct objects_call {
    struct rpc_call call;
    struct objects *objects;
    uint64_t id;
    struct peer_id peer;
    struct buf *data;
    uint32_t timeout_ms;
    struct timer timer; /* when it is its turn */
    struct list link;
};

static struct objects_pace *pace_of(struct objects *o,
                                    const struct peer_id *peer)
{
    struct map_node *node = map_get(&o->paces, peer_id_bytes(peer));

    return node != NULL ? container_of(node, struct objects_pace, node) : NULL;
}

static void free_pace(struct objects *o, struct objects_pace *p)
{
    map_remove(&o->paces, &p->node);
    mem_free(p);
}

/* The oldest ones have most likely rested. */
static void make_room(struct objects *o)
{
    if (o->paces.count >= PACES_MAX)
        free_pace(
            o, container_of(map_first(&o->paces), struct objects_pace, node));
}

/* When the next request to @peer may go. */
static struct mtime take_turn(struct objects *o, const struct peer_id *peer,
                              struct mtime now)
{
    struct objects_pace *p = pace_of(o, peer);

    if (p == NULL) {
        make_room(o);
        p = mem_zalloc(1, sizeof(*p));
        p->peer = *peer;
        map_put(&o->paces, &p->node, peer_id_bytes(&p->peer));
    }
    if (mtime_before(p->full, now))
        p->full = now;
    struct mtime before = p->full;
    p->full = mtime_add_ms(p->full, PACE_MS);
    if (mtime_reached(mtime_add_ms(now, BURST_MS), before))
        return now;
    return (struct mtime){before.ns - UINT64_C(1000000) * BURST_MS};
}

static void free_call(struct objects_call *c)
{
    c->objects->env->clock->set(c->objects->env->clock, &c->timer, MTIME_NEVER);
    list_remove(&c->link);
    buf_unref(c->data);
    mem_free(c);
}

static void on_answer(struct rpc_call *call, enum err err, struct bytes answer,
                      struct mtime now)
{
    struct objects_call *c = container_of(call, struct objects_call, call);
    struct objects *o = c->objects;
    uint64_t id = c->id;

    free_call(c);
    if (err == OK)
        keeper_on_reply(o->keeper, id, answer, objects_now(o, now));
    else
        keeper_on_failed(o->keeper, id, err, objects_now(o, now));
    objects_touch(o);
}

static void start_call(struct objects_call *c, struct mtime now)
{
    struct objects *o = c->objects;
    struct multiaddr addrs[ADDRS_MAX];
    struct rpc_request request = {
        .target = {.peer = c->peer, .addrs = addrs},
        .message = buf_bytes(c->data),
        .answer_max = STORAGE_MESSAGE_BYTES_MAX,
        .timeout_ms = c->timeout_ms,
    };

    if (node_peering(o->node) != NULL)
        request.target.count =
            peering_addrs(node_peering(o->node), &c->peer, addrs, ADDRS_MAX);
    rpc_call_start(o->rpc, &c->call, &request, now);
}

static void on_turn(struct timer *t, struct mtime now)
{
    start_call(container_of(t, struct objects_call, timer), now);
}

void objects_send(struct objects *o, struct keeper_out *out, struct mtime now)
{
    if (o->rpc == NULL) {
        keeper_on_failed(o->keeper, out->id, E_CLOSED, objects_now(o, now));
        return;
    }
    struct objects_call *c = mem_zalloc(1, sizeof(*c));
    c->objects = o;
    c->id = out->id;
    c->peer = out->peer;
    c->data = out->data;
    out->data = NULL;
    c->timeout_ms = out->timeout_ms;
    c->call.done = on_answer;
    timer_init(&c->timer, on_turn);
    list_add_tail(&o->calls, &c->link);
    struct mtime at = take_turn(o, &out->peer, now);
    if (mtime_reached(now, at))
        start_call(c, now);
    else
        o->env->clock->set(o->env->clock, &c->timer, at);
}

void objects_calls_stop(struct objects *o)
{
    list_for_each_safe (it, &o->calls) {
        struct objects_call *c = container_of(it, struct objects_call, link);
        rpc_cancel(&c->call);
        free_call(c);
    }
    while (map_first(&o->paces) != NULL)
        free_pace(
            o, container_of(map_first(&o->paces), struct objects_pace, node));
}
