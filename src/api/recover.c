/* POST /api/v1/objects/recover: what the network keeps for our key. */
#include <string.h>

#include "api/object_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "multiformats/key.h"
#include "node/dht.h"
#include "node/node.h"
#include "node/objects.h"
#include "node/peering.h"
#include "storage/record.h"

enum { PEERS_MAX = 256 };

struct recover {
    struct request *q;
    struct dht_op find;
    struct peer_id peers[PEERS_MAX]; /* that hold objects of ours */
    size_t peers_count;
    struct objects_op op;
    struct objects_watcher watcher;
    struct keeper_status *status;
    uint64_t count;
};

static void on_event(struct objects_watcher *w, const struct keeper_out *event,
                     struct mtime now)
{
    struct recover *r = container_of(w, struct recover, watcher);

    (void)now;
    if (event->event != KEEPER_EVENT_RECOVERED ||
        objects_status(node_objects(r->q->node), &event->root, r->status) != OK)
        return;
    r->count++;
    lines_json(r->q, json_object_status(r->q->node, r->status, false));
}

static void on_recovered(struct objects_op *op, enum err err, struct mtime now)
{
    struct recover *r = container_of(op, struct recover, op);

    (void)now;
    /* Some may not have answered: what came is told, and how many were asked.
     */
    (void)err;
    lines_json(r->q, json_pack("{s:I}", "recovered", (json_int_t)r->count));
    lines_end(r->q);
}

static void ask(struct recover *r, struct mtime now)
{
    struct objects *o = node_objects(r->q->node);

    r->op.done = on_recovered;
    enum err err = objects_recover(o, &r->op, r->peers, r->peers_count, now);
    if (err != OK)
        reply_error(r->q, err == E_AGAIN ? ERROR_BUSY : error_of_err(err),
                    "another recovery is under way", NULL);
}

static void on_found(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    struct recover *r = container_of(op, struct recover, find);

    if (r->peers_count == PEERS_MAX)
        return;
    r->peers[r->peers_count++] = found->peer;
    if (node_peering(r->q->node) != NULL)
        peering_hear(node_peering(r->q->node), &found->peer, found->addrs,
                     found->count, now);
}

static void on_searched(struct dht_op *op, enum err err, struct mtime now)
{
    (void)err; /* connected peers are asked anyhow */
    ask(container_of(op, struct recover, find), now);
}

static void cancel(struct request *q)
{
    struct recover *r = q->op;

    dht_cancel(&r->find);
    objects_cancel(&r->op);
    objects_unwatch(&r->watcher);
    mem_free(r->status);
    mem_free(r);
}

void handle_objects_recover(struct request *q, struct mtime now)
{
    struct pubkey key = privkey_public(node_key(q->node));

    if (node_network(q->node) == NULL) {
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
        return;
    }
    struct recover *r = mem_zalloc(1, sizeof(*r));
    r->q = q;
    r->status = mem_alloc(sizeof(*r->status));
    r->watcher.on_event = on_event;
    objects_watch(node_objects(q->node), &r->watcher);
    q->op = r;
    q->cancel = cancel;
    if (node_dht(q->node) == NULL || !dht_online(node_dht(q->node)) ||
        key.data.len != OBJECT_OWNER_BYTES) {
        ask(r, now);
        return;
    }
    struct multihash hash = owner_index_multihash(key.data.p);
    r->find.found = on_found;
    r->find.done = on_searched;
    dht_find_providers(node_dht(q->node), &r->find, &hash, PEERS_MAX, now);
}
