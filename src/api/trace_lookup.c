#include "api/trace_lookup.h"

#include "api/peer_json.h"
#include "api/request.h"
#include "kad/kad.h"
#include "kad/message.h"
#include "node/node.h"

enum { HELD_MS = 1000 }; /* no dial ends so soon for the time it took */

/* Nodes of our own table are one hop away; those that only they name, two. */
static uint32_t hop_of(const struct trace_lookup *l, const struct peer_id *peer)
{
    for (size_t i = 0; i < l->named_count; i++) {
        if (peer_id_eq(&l->named[i].peer, peer))
            return l->named[i].hop;
    }
    return 1;
}

static void note_named(struct trace_lookup *l, const struct peer_id *peer,
                       uint32_t hop)
{
    for (size_t i = 0; i < l->named_count; i++) {
        if (peer_id_eq(&l->named[i].peer, peer))
            return;
    }
    if (l->named_count == TRACE_NAMED_MAX)
        return;
    l->named[l->named_count].peer = *peer;
    l->named[l->named_count++].hop = hop;
}

/* Addresses that an answer has for the peer that is looked for. */
static json_t *told_addrs(const struct kad_message_peer *p)
{
    struct kad_addr_cursor c = kad_addr_cursor_init(p);
    json_t *list = json_array();
    struct multiaddr addr;

    while (kad_addr_cursor_next(&c, &addr))
        json_array_append_new(list, json_addr(&addr));
    return list;
}

/* What a node answered, into @line; whether it knows where the peer is. */
static void look_at(struct trace_lookup *l, const struct dht_heard *heard,
                    uint32_t hop, json_t *line)
{
    struct kad_message m;
    struct kad_message_peer p;
    json_t *addrs = NULL;
    uint32_t names = 0;

    if (kad_message_decode(heard->answer, &m) != OK)
        return;
    struct kad_peer_cursor c = kad_peer_cursor_init(&m, KAD_CLOSER_PEERS);
    while (kad_peer_cursor_next(&c, &p)) {
        names++;
        if (peer_id_eq(&p.id, &l->peer) && addrs == NULL)
            addrs = told_addrs(&p);
        else
            note_named(l, &p.id, hop + 1);
    }
    size_t count = json_array_size(addrs);
    l->tellers += count > 0 ? 1 : 0;
    json_object_set_new(line, "names", json_integer(names));
    json_object_set_new(
        line, "detail",
        json_sprintf("hop %u, %s where it is, nodes named: %u", (unsigned)hop,
                     count > 0 ? "tells" : "does not tell", (unsigned)names));
    if (count > 0)
        json_object_set(line, "addresses", addrs);
    json_decref(addrs);
}

static const char *why_silent(const struct dht_heard *heard)
{
    if (heard->err == E_TIMEOUT && heard->elapsed_ms < HELD_MS)
        return "it could not be dialled a moment ago";
    return err_name(heard->err);
}

/* All that our tables begin with. */
static void note_own(struct trace_lookup *l)
{
    const struct dht *dht = node_dht(l->q->node);
    struct peer_id closest[KAD_K];
    const struct kad *kad;
    const char *name;

    for (size_t i = 0; (kad = dht_kad(dht, i, &name)) != NULL; i++) {
        size_t count = kad_closest(
            kad, (struct bytes){l->peer.bytes, l->peer.len}, closest, KAD_K);
        for (size_t k = 0; k < count; k++)
            note_named(l, &closest[k], 1);
    }
}

static void on_heard(struct dht_op *op, const struct dht_heard *heard,
                     struct mtime now)
{
    struct trace_lookup *l = container_of(op, struct trace_lookup, op);
    uint32_t hop = hop_of(l, heard->peer);

    (void)now;
    l->asked++;
    if (heard->err == E_CANCELED)
        return; /* the others knew enough */
    json_t *line = json_pack("{s:s,s:s,s:I,s:o,s:i}", "step", "asked", "result",
                             heard->err == OK ? "ok" : "failed", "ms",
                             (json_int_t)heard->elapsed_ms, "peer_id",
                             json_peer(heard->peer), "hop", (int)hop);
    if (heard->err == OK) {
        l->answers++;
        look_at(l, heard, hop, line);
    } else {
        json_object_set_new(line, "detail",
                            json_sprintf("hop %u, did not answer: %s",
                                         (unsigned)hop, why_silent(heard)));
    }
    lines_json(l->q, line);
}

static void on_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct trace_lookup *l = container_of(op, struct trace_lookup, op);

    l->done(l, err, now);
}

void trace_lookup_collect(struct trace_lookup *l)
{
    const struct dht *dht = node_dht(l->q->node);
    const struct kad *kad;
    const char *name;

    l->count = 0;
    for (size_t i = 0; (kad = dht_kad(dht, i, &name)) != NULL; i++)
        l->count += kad_addrs(kad, &l->peer, l->addrs + l->count);
}

void trace_lookup_start(struct trace_lookup *l, struct request *q,
                        const struct peer_id *peer, struct mtime now)
{
    l->q = q;
    l->peer = *peer;
    l->op.heard = on_heard;
    l->op.done = on_done;
    note_own(l);
    dht_find_node(node_dht(q->node), &l->op,
                  (struct bytes){l->peer.bytes, l->peer.len}, now);
}

void trace_lookup_cancel(struct trace_lookup *l)
{
    dht_cancel(&l->op);
}
