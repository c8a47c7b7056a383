#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/message.h"
#include "node/exchange_priv.h"
#include "node/log.h"
#include "node/node.h"

enum {
    STREAMS_IN_MAX = 512, /* of one connection */
    STREAM_WINDOW_EXTRA = 4 * 1024 * 1024 - 256 * 1024,
    STRIKES_MAX = 4, /* malformed messages before a peer is dropped */
    /*
     * Room for messages that are not complete.  kubo sends 8 at a time, each a
     * block of 1 MiB, rarely 2.
     */
    PARTS_PEER_MAX = 32 * 1024 * 1024,
    PARTS_MAX = 128 * 1024 * 1024,
    /* Who takes less than so much in so long, while more waits, is dropped. */
    STALL_MS = 20 * 1000,
    STALL_BYTES = 64 * 1024,
};

/* In the order of preference. */
static const struct swarm_protocol protocols[EXCHANGE_PROTOCOLS_COUNT] = {
    {"/ipfs/bitswap/1.2.0", 0, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
    {"/ipfs/bitswap/1.1.0", 1, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
    {"/ipfs/bitswap/1.0.0", 2, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
    {"/ipfs/bitswap", 3, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
};

static const enum bs_version versions[EXCHANGE_PROTOCOLS_COUNT] = {
    BS_1_2_0,
    BS_1_1_0,
    BS_1_0_0,
    BS_1_0_0,
};

/* Peers and streams. */

struct xpeer *exchange_find_peer(struct exchange *x, const struct peer_id *id)
{
    struct map_node *n = map_get(&x->peers, peer_id_bytes(id));

    return n != NULL ? container_of(n, struct xpeer, node) : NULL;
}

/* Look at it at the end of each turn. */
static void watch(struct exchange *x, struct xpeer *p)
{
    if (list_empty(&p->busy))
        list_add_tail(&x->busy, &p->busy);
}

/* What @s holds of a message has changed. */
static void count_part(struct exchange *x, struct xstream *s)
{
    size_t part = bs_frame_reader_memory(&s->reader);

    s->peer->parts += part - s->part;
    x->parts += part - s->part;
    s->part = part;
}

static void free_stream(struct exchange *x, struct xstream *s)
{
    if (s->outbound) {
        s->peer->out = NULL;
    } else {
        bs_frame_reader_release(&s->reader);
        count_part(x, s);
        list_remove(&s->link);
    }
    mem_free(s);
}

static void reset_stream(struct exchange *x, struct xstream *s, uint32_t code)
{
    swarm_stream_reset(x->swarm, s->base.id, code);
    free_stream(x, s);
}

static void settle_debt(struct exchange *x, struct xpeer *p, size_t queued)
{
    /* What we wrote last leaves last: the queue holds the newest bytes. */
    uint64_t left = queued < p->debt ? queued : p->debt;

    p->queued = queued;
    if (left < p->debt) {
        p->taken += p->debt - left;
        bs_server_on_drained(x->server, &p->id, (size_t)(p->debt - left));
    }
    p->debt = left;
}

static void remove_peer(struct exchange *x, struct xpeer *p, struct mtime now)
{
    list_for_each_safe (it, &p->ins) {
        reset_stream(x, container_of(it, struct xstream, link),
                     SWARM_RESET_NONE);
    }
    if (p->out != NULL)
        reset_stream(x, p->out, SWARM_RESET_NONE);
    bs_client_peer_removed(x->client, &p->id, now);
    bs_server_peer_removed(x->server, &p->id);
    list_remove(&p->busy);
    map_remove(&x->peers, &p->node);
    mem_free(p);
}

static struct xpeer *add_peer(struct exchange *x, const struct peer_id *id,
                              unsigned protocol, struct mtime now)
{
    enum bs_version version = versions[protocol];
    if (bs_server_peer_added(x->server, id, version, now) == E_LIMIT)
        return NULL;
    if (bs_client_peer_added(x->client, id, version, now) == E_LIMIT) {
        bs_server_peer_removed(x->server, id);
        return NULL;
    }
    struct xpeer *p = mem_zalloc(1, sizeof(*p));
    p->id = *id;
    p->protocol = protocol;
    list_init(&p->ins);
    list_init(&p->busy);
    map_put(&x->peers, &p->node, peer_id_bytes(&p->id));
    return p;
}

static void on_identified(struct exchange *x, const struct swarm_out *out,
                          struct mtime now)
{
    struct xpeer *p = exchange_find_peer(x, &out->peer);
    unsigned best = 0;

    while (best < EXCHANGE_PROTOCOLS_COUNT &&
           !swarm_identified_serves(&out->identified, protocols[best].name))
        best++;
    if (best == EXCHANGE_PROTOCOLS_COUNT) {
        if (p != NULL)
            remove_peer(x, p, now);
        return;
    }
    if (p == NULL) {
        (void)add_peer(x, &out->peer, best, now); /* one too many: unused */
        return;
    }
    p->protocol = best;
    /* E_EXISTS: only the version changes. */
    (void)bs_client_peer_added(x->client, &p->id, versions[best], now);
    (void)bs_server_peer_added(x->server, &p->id, versions[best], now);
}

static void on_stream(struct network_stream *base, const struct swarm_out *out,
                      struct mtime now);

static struct network_stream *on_stream_in(struct network_service *service,
                                           const struct swarm_out *out,
                                           struct mtime now)
{
    struct xservice *of = container_of(service, struct xservice, base);
    struct exchange *x = of->exchange;
    struct xpeer *p = exchange_find_peer(x, &out->peer);

    /* kubo may ask before its identify has reached us. */
    if (p == NULL)
        p = add_peer(x, &out->peer, of->protocol, now);
    if (p == NULL)
        return NULL;
    struct xstream *s = mem_zalloc(1, sizeof(*s));
    s->base.on_out = on_stream;
    s->base.id = out->stream;
    s->exchange = x;
    s->peer = p;
    bs_frame_reader_init(&s->reader);
    list_add_tail(&p->ins, &s->link);
    return &s->base;
}

static void log_strike(struct exchange *x, const struct xpeer *p, enum err err)
{
    struct log_line line;
    char text[PEER_ID_TEXT_MAX];
    size_t len = peer_id_format(&p->id, text);

    log_begin(&line, node_log(x->node), LOG_INFO, "exchange",
              "peer_sent_bad_message");
    log_str(&line, "peer", (struct bytes){(uint8_t *)text, len});
    log_str(&line, "error", bytes_str(err_name(err)));
    log_end(&line);
}

/* A stream that cannot be read any further; frees it, and may drop the peer. */
static void strike(struct exchange *x, struct xstream *s, enum err err,
                   struct mtime now)
{
    struct xpeer *p = s->peer;
    struct peer_id id = p->id;

    log_strike(x, p, err);
    reset_stream(x, s, SWARM_RESET_VIOLATION);
    if (++p->strikes >= STRIKES_MAX)
        (void)swarm_disconnect(x->swarm, &id, now); /* gone is as good */
}

void exchange_drop_peer(struct exchange *x, const struct peer_id *id,
                        const char *event, struct mtime now)
{
    struct peer_id copy = *id; /* its owner may go */
    struct log_line line;
    char text[PEER_ID_TEXT_MAX];
    size_t len = peer_id_format(&copy, text);

    log_begin(&line, node_log(x->node), LOG_INFO, "exchange", event);
    log_str(&line, "peer", (struct bytes){(uint8_t *)text, len});
    log_end(&line);
    (void)swarm_disconnect(x->swarm, &copy, now); /* gone is as good */
}

/* The peer that holds most in messages that are not complete, if any may not
 * hold so much. */
static const struct xpeer *hoarder(const struct exchange *x,
                                   const struct xpeer *p)
{
    const struct xpeer *worst = p;

    if (p->parts > PARTS_PEER_MAX)
        return p;
    if (x->parts <= PARTS_MAX)
        return NULL;
    map_for_each (it, &x->peers) {
        const struct xpeer *other = container_of(it, struct xpeer, node);
        if (other->parts > worst->parts)
            worst = other;
    }
    return worst;
}

static void on_message(struct exchange *x, struct xpeer *p, struct buf *buf,
                       const struct bs_message *message, struct mtime now)
{
    if (message->blocks_count > 0 || message->presences_count > 0)
        bs_client_on_message(x->client, &p->id, buf, message, now);
    /* An empty message counts too: it is of no effect. */
    if (message->entries_count > 0 || message->full ||
        (message->blocks_count == 0 && message->presences_count == 0))
        bs_server_on_message(x->server, &p->id, message, now);
}

static void on_data(struct xstream *s, struct bytes in, struct mtime now)
{
    struct exchange *x = s->exchange;
    struct buf *buf;

    if (s->outbound) {
        /* Nothing is ever said on a stream of ours: don't hold it. */
        swarm_stream_consumed(x->swarm, s->base.id, in.len);
        return;
    }
    bs_client_on_bytes(x->client, &s->peer->id, now);
    s->unconsumed += in.len;
    enum err err = bs_frame_reader_next(&s->reader, &in, &buf);
    while (err == OK) {
        struct bs_message message;
        err = bs_message_decode(buf_bytes(buf), &message);
        if (err == OK)
            on_message(x, s->peer, buf, &message, now);
        buf_unref(buf);
        if (err == OK)
            err = bs_frame_reader_next(&s->reader, &in, &buf);
    }
    if (err != E_AGAIN) {
        strike(x, s, err, now);
        return;
    }
    count_part(x, s);
    const struct xpeer *worst = hoarder(x, s->peer);
    if (worst != NULL)
        exchange_drop_peer(x, &worst->id, "peer_made_us_hold_too_much", now);
    if (worst == s->peer)
        return; /* the end of its streams is told next */
    if (bs_client_peer_full(x->client, &s->peer->id)) {
        watch(x, s->peer); /* exchange_pump() opens the window again */
        return;
    }
    swarm_stream_consumed(x->swarm, s->base.id, s->unconsumed);
    s->unconsumed = 0;
}

static void on_eof(struct xstream *s, struct mtime now)
{
    struct exchange *x = s->exchange;

    if (s->outbound)
        return; /* the peer needs no direction of its own there */
    if (!bs_frame_reader_idle(&s->reader)) {
        strike(x, s, E_SHORT, now);
        return;
    }
    swarm_stream_close_write(x->swarm, s->base.id);
    free_stream(x, s);
}

static void on_stream_lost(struct xstream *s, enum err err, struct mtime now)
{
    struct exchange *x = s->exchange;
    struct xpeer *p = s->peer;
    bool outbound = s->outbound;
    free_stream(x, s);
    if (!outbound)
        return;
    bool owed = p->debt > 0;
    settle_debt(x, p, 0);
    if (err == E_UNSUPPORTED)
        remove_peer(x, p, now);
    else if (err == E_TIMEOUT && owed)
        exchange_drop_peer(x, &p->id, "peer_takes_nothing", now);
    else
        bs_client_stream_lost(x->client, &p->id, now);
}

static void on_stream(struct network_stream *base, const struct swarm_out *out,
                      struct mtime now)
{
    struct xstream *s = container_of(base, struct xstream, base);

    switch (out->type) {
    case SWARM_STREAM_OPEN:
        if (out->err != OK)
            on_stream_lost(s, out->err, now);
        break;
    case SWARM_STREAM_DATA:
        on_data(s, out->data, now);
        break;
    case SWARM_STREAM_EOF:
        on_eof(s, now);
        break;
    case SWARM_STREAM_RESET:
        on_stream_lost(s, out->err, now);
        break;
    case SWARM_STREAM_WRITABLE: /* exchange_pump() looks for itself */
    case SWARM_STREAM_IN:
    case SWARM_DIAL:
    case SWARM_WRITE:
    case SWARM_CLOSE:
    case SWARM_CONNECTED:
    case SWARM_DIAL_FAILED:
    case SWARM_IDENTIFIED:
    case SWARM_DISCONNECTED:
    case SWARM_PING:
    case SWARM_FAULT:
        break;
    }
}

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct exchange *x = container_of(w, struct exchange, watcher);

    if (out->type == SWARM_IDENTIFIED)
        on_identified(x, out, now);
    if (out->type != SWARM_DISCONNECTED || out->peer_left)
        return;
    struct xpeer *p = exchange_find_peer(x, &out->peer);
    if (p != NULL)
        remove_peer(x, p, now);
}

void exchange_streams_start(struct exchange *x, struct mtime now)
{
    x->watcher.on_peer = on_peer;
    network_watch(x->network, &x->watcher);
    for (unsigned i = 0; i < EXCHANGE_PROTOCOLS_COUNT; i++) {
        struct xservice *s = &x->services[i];
        s->exchange = x;
        s->protocol = i;
        s->base.on_stream = on_stream_in;
        network_serve(x->network, &s->base, &protocols[i], now);
    }
}

void exchange_streams_end(struct exchange *x, struct mtime now)
{
    for (unsigned i = 0; i < EXCHANGE_PROTOCOLS_COUNT; i++)
        network_unserve(x->network, &x->services[i].base, now);
    network_unwatch(&x->watcher);
    struct map_node *first = map_first(&x->peers);
    while (first != NULL) {
        remove_peer(x, container_of(first, struct xpeer, node), now);
        first = map_first(&x->peers);
    }
}

/* Writing. */

static enum err open_out(struct exchange *x, struct xpeer *p, struct mtime now)
{
    struct xstream *s = mem_zalloc(1, sizeof(*s));
    const char *name = protocols[p->protocol].name;
    struct swarm_open_op op = {
        .peer = &p->id,
        .protocols = &name,
        .count = 1,
        .owner = &s->base,
    };
    s->base.on_out = on_stream;
    s->exchange = x;
    s->peer = p;
    s->outbound = true;
    list_init(&s->link);
    enum err err = swarm_stream_open(x->swarm, &op, now, &s->base.id);
    if (err != OK) {
        mem_free(s);
        return err;
    }
    p->out = s;
    p->queued = 0;
    return OK;
}

/* Write all parts of @frame, whose references pass; frees it. */
static enum err write_frame(struct exchange *x, struct xpeer *p,
                            struct bs_frame *frame, struct mtime now)
{
    enum err err = p->out != NULL ? OK : open_out(x, p, now);

    for (size_t i = 0; err == OK && i < frame->parts_count; i++) {
        struct slice part = slice_ref(&frame->parts[i]);
        err = swarm_stream_write(x->swarm, p->out->base.id, part, &p->queued);
    }
    bs_frame_free(frame);
    if (err != OK && p->out != NULL)
        reset_stream(x, p->out, SWARM_RESET_NONE);
    return err;
}

void exchange_send_wants(struct exchange *x, struct bs_client_out *out,
                         struct mtime now)
{
    struct xpeer *p = exchange_find_peer(x, &out->peer);

    if (p == NULL) {
        bs_frame_free(out->frame);
        return;
    }
    if (write_frame(x, p, out->frame, now) != OK) {
        settle_debt(x, p, 0); /* the server's frames are lost with it */
        bs_client_stream_lost(x->client, &p->id, now);
    }
}

void exchange_send_reply(struct exchange *x, struct bs_server_out *out,
                         struct mtime now)
{
    struct xpeer *p = exchange_find_peer(x, &out->peer);
    size_t len = out->frame->len;

    if (p == NULL) {
        bs_frame_free(out->frame);
        return;
    }
    p->debt += len;
    watch(x, p);
    if (write_frame(x, p, out->frame, now) != OK) {
        settle_debt(x, p, 0);
        bs_client_stream_lost(x->client, &p->id, now);
    }
}

/* Whether @p takes what we send it; @io_deadline: when to look again. */
static bool is_stalled(struct xpeer *p, struct mtime now,
                       struct mtime *io_deadline)
{
    if (p->debt == 0) {
        p->taken_at.ns = 0;
        return false;
    }
    bool stalled = p->taken < STALL_BYTES && p->taken_at.ns != 0 &&
                   mtime_ms_since(p->taken_at, now) >= STALL_MS;
    if (stalled || p->taken >= STALL_BYTES || p->taken_at.ns == 0) {
        p->taken_at = now;
        p->taken = 0;
    }
    *io_deadline = mtime_min(*io_deadline, mtime_add_ms(p->taken_at, STALL_MS));
    return stalled;
}

/* Whether windows of @p are still withheld after it. */
static bool open_windows(struct exchange *x, struct xpeer *p)
{
    if (bs_client_peer_full(x->client, &p->id))
        return true;
    list_for_each (it, &p->ins) {
        struct xstream *s = container_of(it, struct xstream, link);
        if (s->unconsumed == 0)
            continue;
        swarm_stream_consumed(x->swarm, s->base.id, s->unconsumed);
        s->unconsumed = 0;
    }
    return false;
}

struct mtime exchange_look_at_streams(struct exchange *x, struct mtime now)
{
    struct mtime deadline = MTIME_NEVER;

    list_for_each_safe (it, &x->busy) {
        struct xpeer *p = container_of(it, struct xpeer, busy);
        if (p->out != NULL && p->debt > 0)
            settle_debt(x, p, swarm_stream_queued(x->swarm, p->out->base.id));
        if (is_stalled(p, now, &deadline)) {
            exchange_drop_peer(x, &p->id, "peer_takes_nothing", now);
            continue;
        }
        if (!open_windows(x, p) && p->debt == 0)
            list_remove(&p->busy);
    }
    return deadline;
}
