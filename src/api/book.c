/* /api/v1/peers, /api/v1/bans: the peer book. */
#include <string.h>

#include "api/book_json.h"
#include "api/peer_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"

enum {
    BAN_DEFAULT_S = 24 * 60 * 60,
    BAN_MAX_S = 10 * 366 * 24 * 60 * 60,
};

static struct peering *peering_of(struct request *q)
{
    struct peering *p = node_peering(q->node);

    if (p == NULL)
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
    return p;
}

static const char *source_name(uint8_t source)
{
    static const char *const names[] = {
        [BOOK_BOOTSTRAP] = "bootstrap",
        [BOOK_DNS] = "dns",
        [BOOK_MDNS] = "mdns",
        [BOOK_EXCHANGE] = "exchange",
        [BOOK_DHT] = "dht",
        [BOOK_MANUAL] = "manual",
        [BOOK_INBOUND] = "inbound",
    };

    return source < countof(names) ? names[source] : "unknown";
}

json_t *json_book_peer(struct request *q, const struct book_peer *p,
                       struct mtime now)
{
    struct peering *peering = node_peering(q->node);
    struct swarm *swarm = network_swarm(node_network(q->node));
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    size_t count = book_addrs(p, addrs);
    json_t *v =
        json_pack("{s:o,s:o,s:i,s:b,s:s,s:b,s:b}", "peer_id", json_peer(&p->id),
                  "addresses", json_addrs(addrs, count), "quality",
                  (int)discovery_score(peering_discovery(peering), &p->id, now),
                  "connected", (int)swarm_is_connected(swarm, &p->id), "source",
                  source_name(p->source), "manual", (int)p->manual, "reached",
                  (int)p->reached);

    if (p->seen_s > 0)
        json_object_set_new(v, "last_seen", json_time_ms(p->seen_s * 1000));
    if (p->failures > 0)
        json_object_set_new(v, "failures", json_integer(p->failures));
    if (p->has_storage) {
        json_object_set_new(v, "storage_offer",
                            json_integer((json_int_t)p->storage_offer));
        json_object_set_new(v, "storage_free",
                            json_integer((json_int_t)p->storage_free));
    }
    return v;
}

void handle_peers_list(struct request *q, struct mtime now)
{
    struct peering *p = peering_of(q);
    bool good = p != NULL;
    uint64_t max = good ? request_limit(q, &good) : 0;
    const char *after = good ? request_query(q, "after") : NULL;
    struct peer_id last;
    if (!good)
        return;

    const struct book *book = discovery_book(peering_discovery(p));
    const struct book_peer *at = NULL;
    if (after != NULL && (peer_id_parse(bytes_str(after), &last) != OK ||
                          (at = book_find(book, &last)) == NULL)) {
        reply_error(q, ERROR_BAD_VALUE, "after= names no peer of the book",
                    after);
        return;
    }
    json_t *items = json_array();
    json_t *answer = json_pack("{s:O}", "items", items);
    at = book_next(book, at);
    while (at != NULL && json_array_size(items) < max) {
        json_array_append_new(items, json_book_peer(q, at, now));
        const struct book_peer *next = book_next(book, at);
        if (next != NULL && json_array_size(items) == max)
            json_object_set_new(answer, "next", json_peer(&at->id));
        at = next;
    }
    json_decref(items);
    reply_json(q, 200, answer);
}

void handle_peer_add(struct request *q, struct mtime now)
{
    const char *text = json_string_value(json_object_get(q->body, "address"));
    struct peering *p = peering_of(q);
    struct multiaddr addr;
    struct peer_id id;

    if (p == NULL || !request_fields(q))
        return;
    if (text == NULL || multiaddr_parse(bytes_str(text), &addr) != OK ||
        multiaddr_get_peer(&addr, &id) != OK) {
        reply_error(q, ERROR_BAD_ADDRESS,
                    "an address ends in /p2p/ and a peer id", text);
        return;
    }
    multiaddr_strip_peer(&addr);
    struct book_heard heard = {
        .peer = &id, .addrs = &addr, .count = 1, .source = BOOK_MANUAL};
    enum err err = discovery_hear(peering_discovery(p), &heard, now);
    (void)peering_pump(p, now);
    if (err == OK)
        reply_json(q, 201,
                   json_pack("{s:o,s:o}", "peer_id", json_peer(&id), "address",
                             json_addr(&addr)));
    else if (err == E_REFUSED)
        reply_error(q, ERROR_FORBIDDEN,
                    "this peer is banned, or this node itself", text);
    else if (err == E_NOTFOUND)
        reply_error(q, ERROR_BAD_ADDRESS,
                    "no IP address with a TCP port can be dialed there", text);
    else
        reply_error(q, ERROR_LIMIT, "too many peers were entered by hand",
                    text);
}

void handle_peer_delete(struct request *q, struct mtime now)
{
    struct peering *p = peering_of(q);
    struct peer_id id;

    if (p == NULL || !request_peer(q, &id))
        return;
    if (discovery_forget(peering_discovery(p), &id, now) == OK)
        reply_empty(q, 204);
    else
        reply_error(q, ERROR_NOT_FOUND, "this peer is not in the book",
                    q->tail);
}

/* Bans. */

/* A peer id, or an IP address with or without "/bits". */
static bool ban_target_of(struct request *q, struct ban_target *ret_target)
{
    if (ban_target_parse(bytes_str(q->tail), ret_target) == OK)
        return true;
    reply_error(q, ERROR_BAD_PEER_ID,
                "neither a peer id nor an IP address or range", q->tail);
    return false;
}

void handle_ban_put(struct request *q, struct mtime now)
{
    struct peering *p = peering_of(q);
    struct ban_target target;

    if (p == NULL || !request_fields(q) || !ban_target_of(q, &target))
        return;
    const json_t *duration = json_object_get(q->body, "duration_s");
    json_int_t for_s =
        duration != NULL ? json_integer_value(duration) : BAN_DEFAULT_S;
    const char *reason = json_string_value(json_object_get(q->body, "reason"));
    if (for_s <= 0 || for_s > BAN_MAX_S) {
        reply_error(q, ERROR_BAD_VALUE, "duration_s is from 1 to ten years",
                    NULL);
        return;
    }
    enum err err = discovery_ban(
        peering_discovery(p), &target, BAN_TEMPORARY,
        reason != NULL ? bytes_str(reason) : BYTES_EMPTY, (uint64_t)for_s, now);
    (void)peering_pump(p, now);
    if (err == OK)
        reply_empty(q, 204);
    else
        reply_error(q, ERROR_LIMIT, "too many bans, or too long a reason",
                    q->tail);
}

void handle_ban_delete(struct request *q, struct mtime now)
{
    struct peering *p = peering_of(q);
    struct ban_target target;

    if (p == NULL || !ban_target_of(q, &target))
        return;
    if (discovery_unban(peering_discovery(p), &target, now) == OK)
        reply_empty(q, 204);
    else
        reply_error(q, ERROR_NOT_FOUND, "this is not banned", q->tail);
}

static json_t *json_ban(const struct ban *b)
{
    char text[BANS_TEXT_MAX];

    (void)ban_target_format(&b->target, text);
    json_t *v = json_pack("{s:s}", "target", text);
    if (b->kind == BAN_TEMPORARY)
        json_object_set_new(v, "until", json_time_ms(b->expires_s * 1000));
    if (b->reason_len > 0)
        json_object_set_new(v, "reason",
                            json_text((struct bytes){(const uint8_t *)b->reason,
                                                     b->reason_len}));
    return v;
}

/* The entry that @text names; order is kept, so a page can go on behind it. */
static const struct ban *ban_named(const struct bans *bans, const char *text)
{
    struct ban_target target;

    if (ban_target_parse(bytes_str(text), &target) != OK)
        return NULL;
    return bans_get(bans, &target);
}

void handle_bans_list(struct request *q, struct mtime now)
{
    struct peering *p = peering_of(q);
    bool good = p != NULL;
    uint64_t max = good ? request_limit(q, &good) : 0;
    const char *after = good ? request_query(q, "after") : NULL;
    const struct ban *at = NULL;
    if (!good)
        return;

    const struct bans *bans = discovery_bans(peering_discovery(p));
    (void)now;
    if (after != NULL && (at = ban_named(bans, after)) == NULL) {
        reply_error(q, ERROR_BAD_VALUE, "after= names nobody who is banned",
                    after);
        return;
    }
    json_t *items = json_array();
    json_t *answer = json_pack("{s:O}", "items", items);
    const struct ban *last = at;
    while ((at = bans_next(bans, at)) != NULL && json_array_size(items) < max) {
        json_array_append_new(items, json_ban(at));
        last = at;
    }
    if (at != NULL) {
        char text[BANS_TEXT_MAX];
        (void)ban_target_format(&last->target, text);
        json_object_set_new(answer, "next", json_string(text));
    }
    json_decref(items);
    reply_json(q, 200, answer);
}
