#include "node/exchange.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "bitswap/frame_reader.h"
#include "bitswap/message.h"
#include "config/config.h"
#include "crypto/hash.h"
#include "env/clock.h"
#include "env/env.h"
#include "env/pool.h"
#include "ipld/block.h"
#include "node/log.h"
#include "node/network.h"
#include "node/node.h"
#include "store/store.h"

enum {
    /* Hashing so few bytes takes less time than waking a thread. */
    HASH_INLINE_BYTES = 8 * 1024,
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
    PROTOCOLS_COUNT = 4,
};

/* In the order of preference; the handler's number is the place here. */
static const struct swarm_protocol protocols[PROTOCOLS_COUNT] = {
    {"/ipfs/bitswap/1.2.0", 0, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
    {"/ipfs/bitswap/1.1.0", 1, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
    {"/ipfs/bitswap/1.0.0", 2, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
    {"/ipfs/bitswap", 3, STREAM_WINDOW_EXTRA, STREAMS_IN_MAX},
};

static const enum bs_version versions[PROTOCOLS_COUNT] = {
    BS_1_2_0,
    BS_1_1_0,
    BS_1_0_0,
    BS_1_0_0,
};

/* A stream, of either direction; it is the owner that the swarm tells us. */
struct xstream {
    struct xpeer *peer;
    struct stream_id id;
    bool outbound;
    struct bs_frame_reader reader; /* inbound */
    size_t part;                   /* bytes that @reader holds */
    size_t unconsumed;             /* bytes whose window is withheld */
    struct list link;
};

/* A connected peer that speaks bitswap. */
struct xpeer {
    struct map_node node;
    struct peer_id id;
    unsigned protocol;     /* index into protocols */
    struct xstream *out;   /* NULL: none is open */
    size_t queued;         /* bytes in @out, as last seen */
    uint64_t debt;         /* bytes of the server's frames not yet drained */
    uint64_t taken;        /* of the debt, since @taken_at */
    struct mtime taken_at; /* 0 while there is no debt */
    size_t parts;          /* bytes of messages that are not complete */
    uint32_t strikes;
    struct list ins;
};

struct exchange {
    struct node *node;
    struct env *env;
    struct swarm *swarm;
    struct bs_client *client;
    struct bs_server *server;
    struct map peers;
    struct list sessions;
    struct list reads;  /* of blocks for the server */
    struct list hashes; /* in the pool */
    size_t parts;       /* of all peers */
    struct timer timer;
    bool pumping;
};

/* A block being hashed; outlives the exchange if it has to. */
struct hash_op {
    struct pool_job job;
    struct exchange *exchange; /* NULL: nobody waits any more */
    uint64_t id;
    uint64_t code;
    struct slice data;
    uint8_t digest[HASH_BYTES_MAX];
    size_t digest_len;
    struct list link;
};

/* A block being read for a peer. */
struct read_op {
    struct store_get_op get;
    struct exchange *exchange; /* NULL: nobody waits any more */
    uint64_t id;
    struct list link;
};

const struct swarm_protocol *exchange_protocols(size_t *ret_count)
{
    *ret_count = PROTOCOLS_COUNT;
    return protocols;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct exchange *x = container_of(t, struct exchange, timer);

    bs_client_on_time(x->client, now);
    exchange_pump(x, now);
}

struct exchange *exchange_new(struct node *n, struct mtime now)
{
    struct exchange *x = mem_zalloc(1, sizeof(*x));
    struct bs_client_config client = {.peers_max = 0};
    struct bs_server_config server = {.peers_max = 0};
    uint8_t seed[16];

    x->node = n;
    x->env = node_env(n);
    x->swarm = network_swarm(node_network(n));
    node_random(n, client.seed, sizeof(client.seed));
    node_random(n, server.seed, sizeof(server.seed));
    node_random(n, seed, sizeof(seed));
    x->client = bs_client_new(&client, now);
    x->server = bs_server_new(&server);
    map_init(&x->peers, seed);
    list_init(&x->sessions);
    list_init(&x->reads);
    list_init(&x->hashes);
    timer_init(&x->timer, on_timer);
    return x;
}

/* Peers and streams. */

static struct xpeer *find_peer(struct exchange *x, const struct peer_id *id)
{
    struct map_node *n = map_get(&x->peers, peer_id_bytes(id));

    return n != NULL ? container_of(n, struct xpeer, node) : NULL;
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
    swarm_stream_reset(x->swarm, s->id, code);
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
    map_put(&x->peers, &p->node, peer_id_bytes(&p->id));
    return p;
}

static bool names_protocol(const struct swarm_identified *who, const char *name)
{
    struct bytes wanted = bytes_str(name);

    for (size_t i = 0; i < who->protocols_count; i++) {
        if (bytes_eq(who->protocols[i], wanted))
            return true;
    }
    return false;
}

static void on_identified(struct exchange *x, const struct swarm_out *out,
                          struct mtime now)
{
    struct xpeer *p = find_peer(x, &out->peer);
    unsigned best = 0;

    while (best < PROTOCOLS_COUNT &&
           !names_protocol(&out->identified, protocols[best].name))
        best++;
    if (best == PROTOCOLS_COUNT) {
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

static void on_stream_in(struct exchange *x, const struct swarm_out *out,
                         struct mtime now)
{
    struct xpeer *p = find_peer(x, &out->peer);

    /* kubo may ask before its identify has reached us. */
    if (p == NULL)
        p = add_peer(x, &out->peer, out->handler, now);
    if (p == NULL) {
        swarm_stream_reset(x->swarm, out->stream, SWARM_RESET_LIMIT);
        return;
    }
    struct xstream *s = mem_zalloc(1, sizeof(*s));
    s->peer = p;
    s->id = out->stream;
    bs_frame_reader_init(&s->reader);
    list_add_tail(&p->ins, &s->link);
    swarm_stream_set_owner(x->swarm, s->id, s);
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

static void drop_peer(struct exchange *x, const struct peer_id *id,
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

static void on_data(struct exchange *x, const struct swarm_out *out,
                    struct mtime now)
{
    struct xstream *s = out->owner;
    struct bytes in = out->data;
    struct buf *buf;

    if (s == NULL || s->outbound) {
        /* Nothing is ever said on a stream of ours: don't hold it. */
        swarm_stream_consumed(x->swarm, out->stream, in.len);
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
        drop_peer(x, &worst->id, "peer_made_us_hold_too_much", now);
    if (worst == s->peer)
        return; /* the end of its streams is told next */
    if (bs_client_peer_full(x->client, &s->peer->id))
        return; /* exchange_pump() opens the window again */
    swarm_stream_consumed(x->swarm, s->id, s->unconsumed);
    s->unconsumed = 0;
}

static void on_eof(struct exchange *x, const struct swarm_out *out,
                   struct mtime now)
{
    struct xstream *s = out->owner;

    if (s == NULL || s->outbound)
        return; /* the peer needs no direction of its own there */
    if (!bs_frame_reader_idle(&s->reader)) {
        strike(x, s, E_SHORT, now);
        return;
    }
    swarm_stream_close_write(x->swarm, s->id);
    free_stream(x, s);
}

static void on_stream_lost(struct exchange *x, const struct swarm_out *out,
                           struct mtime now)
{
    struct xstream *s = out->owner;
    if (s == NULL)
        return;

    struct xpeer *p = s->peer;
    bool outbound = s->outbound;
    free_stream(x, s);
    if (!outbound)
        return;
    bool owed = p->debt > 0;
    settle_debt(x, p, 0);
    if (out->err == E_UNSUPPORTED)
        remove_peer(x, p, now);
    else if (out->err == E_TIMEOUT && owed)
        drop_peer(x, &p->id, "peer_takes_nothing", now);
    else
        bs_client_stream_lost(x->client, &p->id, now);
}

static void on_stream_open(struct exchange *x, const struct swarm_out *out,
                           struct mtime now)
{
    if (out->err != OK)
        on_stream_lost(x, out, now);
}

void exchange_on_swarm(struct exchange *x, const struct swarm_out *out,
                       struct mtime now)
{
    struct xpeer *p;

    switch (out->type) {
    case SWARM_IDENTIFIED:
        on_identified(x, out, now);
        break;
    case SWARM_DISCONNECTED:
        p = find_peer(x, &out->peer);
        if (p != NULL && !out->peer_left)
            remove_peer(x, p, now);
        break;
    case SWARM_STREAM_IN:
        on_stream_in(x, out, now);
        break;
    case SWARM_STREAM_OPEN:
        on_stream_open(x, out, now);
        break;
    case SWARM_STREAM_DATA:
        on_data(x, out, now);
        break;
    case SWARM_STREAM_EOF:
        on_eof(x, out, now);
        break;
    case SWARM_STREAM_RESET:
        on_stream_lost(x, out, now);
        break;
    case SWARM_DIAL:
    case SWARM_WRITE:
    case SWARM_CLOSE:
    case SWARM_CONNECTED:
    case SWARM_DIAL_FAILED:
    case SWARM_STREAM_WRITABLE: /* exchange_pump() looks for itself */
    case SWARM_PING:
    case SWARM_FAULT:
        break;
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
        .owner = s,
    };
    s->peer = p;
    s->outbound = true;
    list_init(&s->link);
    enum err err = swarm_stream_open(x->swarm, &op, now, &s->id);
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
        err = swarm_stream_write(x->swarm, p->out->id, part, &p->queued);
    }
    bs_frame_free(frame);
    if (err != OK && p->out != NULL)
        reset_stream(x, p->out, SWARM_RESET_NONE);
    return err;
}

static void send_wants(struct exchange *x, struct bs_client_out *out,
                       struct mtime now)
{
    struct xpeer *p = find_peer(x, &out->peer);

    if (p == NULL) {
        bs_frame_free(out->frame);
        return;
    }
    if (write_frame(x, p, out->frame, now) != OK) {
        settle_debt(x, p, 0); /* the server's frames are lost with it */
        bs_client_stream_lost(x->client, &p->id, now);
    }
}

static void send_reply(struct exchange *x, struct bs_server_out *out,
                       struct mtime now)
{
    struct xpeer *p = find_peer(x, &out->peer);
    size_t len = out->frame->len;

    if (p == NULL) {
        bs_frame_free(out->frame);
        return;
    }
    p->debt += len;
    if (write_frame(x, p, out->frame, now) != OK) {
        settle_debt(x, p, 0);
        bs_client_stream_lost(x->client, &p->id, now);
    }
}

/* Hashing. */

static void compute(struct hash_op *op)
{
    if (hash_compute(op->code, op->data.bytes, op->digest, &op->digest_len) !=
        OK)
        op->digest_len = 0;
}

static void hash_run(struct pool_job *job)
{
    compute(container_of(job, struct hash_op, job));
}

static void hash_end(struct hash_op *op, struct mtime now)
{
    struct exchange *x = op->exchange;
    struct bytes digest = {op->digest, op->digest_len};

    list_remove(&op->link);
    slice_release(&op->data);
    if (x != NULL)
        bs_client_on_hashed(x->client, op->id, digest, now);
    mem_free(op);
}

static void hash_done(struct pool_job *job, struct mtime now)
{
    hash_end(container_of(job, struct hash_op, job), now);
}

static void start_hash(struct exchange *x, struct bs_client_out *out,
                       struct mtime now)
{
    struct hash_op *op = mem_zalloc(1, sizeof(*op));

    op->exchange = x;
    op->id = out->hash_id;
    op->code = out->hash_code;
    op->data = out->data;
    op->job.run = hash_run;
    op->job.done = hash_done;
    list_add_tail(&x->hashes, &op->link);
    if (op->data.bytes.len > HASH_INLINE_BYTES) {
        x->env->pool->submit(x->env->pool, &op->job, POOL_CPU);
        return;
    }
    compute(op);
    hash_end(op, now);
}

/* Reading for peers. */

static void read_done(struct store_get_op *get, enum err err,
                      struct block *block, struct mtime now)
{
    struct read_op *op = container_of(get, struct read_op, get);
    struct exchange *x = op->exchange;
    struct slice none = {.buf = NULL, .bytes = BYTES_EMPTY};

    (void)now;
    list_remove(&op->link);
    if (x != NULL) {
        bs_server_on_read(x->server, op->id, err,
                          err == OK ? slice_ref(&block->data) : none);
    }
    block_unref(block);
    mem_free(op);
}

static void start_read(struct exchange *x, const struct bs_server_out *out)
{
    struct read_op *op = mem_zalloc(1, sizeof(*op));
    struct slice none = {.buf = NULL, .bytes = BYTES_EMPTY};

    op->get.done = read_done;
    op->exchange = x;
    op->id = out->id;
    list_add_tail(&x->reads, &op->link);
    enum err err = store_get(node_store(x->node), &op->get, &out->cid);
    if (err == OK)
        return;
    list_remove(&op->link);
    mem_free(op);
    bs_server_on_read(x->server, out->id, err, none);
}

static void answer_stat(struct exchange *x, const struct bs_server_out *out)
{
    struct store_stat stat = {.length = 0};
    enum err err = store_stat(node_store(x->node), &out->cid.hash, &stat);
    bool served = err == OK && (stat.keep || stat.counted ||
                                config_get_bool(node_settings(x->node),
                                                CONFIG_STORAGE_SERVE_CACHE));

    bs_server_on_stat(x->server, out->id, served, stat.length);
}

/* Sessions. */

enum err exchange_session_open(struct exchange *x, enum bs_class class,
                               struct exchange_session *s)
{
    enum err err = bs_session_open(x->client, class, &s->core);
    if (err == OK)
        list_add_tail(&x->sessions, &s->link);
    return err;
}

void exchange_session_close(struct exchange *x, struct exchange_session *s,
                            struct mtime now)
{
    bs_session_close(x->client, s->core, now);
    list_remove(&s->link);
    s->core = NULL;
}

enum err exchange_want(struct exchange *x, struct exchange_session *s,
                       const struct bs_want *want, struct mtime now)
{
    return bs_session_want(x->client, s->core, want, now);
}

void exchange_unwant(struct exchange *x, struct exchange_session *s,
                     uint64_t want_id, struct mtime now)
{
    bs_session_unwant(x->client, s->core, want_id, now);
}

void exchange_stored(struct exchange *x, const struct cid *cid)
{
    bs_server_on_new_block(x->server, cid);
}

size_t exchange_peers(const struct exchange *x)
{
    return x->peers.count;
}

struct bs_client_stats exchange_client_stats(const struct exchange *x)
{
    return bs_client_get_stats(x->client);
}

struct bs_server_stats exchange_server_stats(const struct exchange *x)
{
    return bs_server_get_stats(x->server);
}

static struct exchange_session *session_of(struct exchange *x,
                                           const struct bs_session *core)
{
    list_for_each (it, &x->sessions) {
        struct exchange_session *s =
            container_of(it, struct exchange_session, link);
        if (s->core == core)
            return s;
    }
    return NULL;
}

/* Pumping. */

static void do_client(struct exchange *x, struct bs_client_out *out,
                      struct mtime now)
{
    struct exchange_session *s;

    switch (out->kind) {
    case BS_CLIENT_SEND:
        send_wants(x, out, now);
        break;
    case BS_CLIENT_HASH:
        start_hash(x, out, now);
        break;
    case BS_CLIENT_GOT:
        s = session_of(x, out->session);
        assert(s != NULL);
        s->got(s, out->want_id, &out->cid, out->data, now);
        break;
    case BS_CLIENT_MISSING:
        s = session_of(x, out->session);
        assert(s != NULL);
        s->missing(s, out->want_id, now);
        break;
    case BS_CLIENT_FAULT:
        drop_peer(x, &out->peer,
                  out->fault == BS_FAULT_FLOOD ? "peer_floods_with_answers"
                                               : "peer_sent_unasked_blocks",
                  now);
        break;
    }
}

static void do_server(struct exchange *x, struct bs_server_out *out,
                      struct mtime now)
{
    switch (out->kind) {
    case BS_SERVER_STAT:
        answer_stat(x, out);
        break;
    case BS_SERVER_READ:
        start_read(x, out);
        break;
    case BS_SERVER_SEND:
        send_reply(x, out, now);
        break;
    case BS_SERVER_FAULT:
        drop_peer(x, &out->peer, "peer_floods_with_wants", now);
        break;
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

/* Windows that were withheld, and bytes that have left.  Returns when to look
 * again. */
static struct mtime look_at_streams(struct exchange *x, struct mtime now)
{
    struct mtime deadline = MTIME_NEVER;

    map_for_each (it, &x->peers) {
        struct xpeer *p = container_of(it, struct xpeer, node);
        if (p->out != NULL && p->debt > 0)
            settle_debt(x, p, swarm_stream_queued(x->swarm, p->out->id));
        if (is_stalled(p, now, &deadline)) {
            drop_peer(x, &p->id, "peer_takes_nothing", now);
            continue;
        }
        bool full = bs_client_peer_full(x->client, &p->id);
        list_for_each (in, &p->ins) {
            struct xstream *s = container_of(in, struct xstream, link);
            if (full || s->unconsumed == 0)
                continue;
            swarm_stream_consumed(x->swarm, s->id, s->unconsumed);
            s->unconsumed = 0;
        }
    }
    return deadline;
}

void exchange_pump(struct exchange *x, struct mtime now)
{
    struct bs_client_out client;
    struct bs_server_out server;

    if (x->pumping)
        return;
    x->pumping = true;
    struct mtime stalls = look_at_streams(x, now);
    while (bs_client_next(x->client, &client))
        do_client(x, &client, now);
    while (bs_server_next(x->server, &server))
        do_server(x, &server, now);
    x->pumping = false;
    x->env->clock->set(x->env->clock, &x->timer,
                       mtime_min(stalls, bs_client_deadline(x->client)));
}

void exchange_free(struct exchange *x)
{
    if (x == NULL)
        return;
    assert(list_empty(&x->sessions));
    x->env->clock->set(x->env->clock, &x->timer, MTIME_NEVER);
    struct mtime now = x->env->clock->now(x->env->clock);
    struct map_node *first = map_first(&x->peers);
    while (first != NULL) {
        remove_peer(x, container_of(first, struct xpeer, node), now);
        first = map_first(&x->peers);
    }
    map_release(&x->peers);
    list_for_each_safe (it, &x->reads) {
        container_of(it, struct read_op, link)->exchange = NULL;
        list_remove(it);
    }
    list_for_each_safe (it, &x->hashes) {
        container_of(it, struct hash_op, link)->exchange = NULL;
        list_remove(it);
    }
    bs_client_free(x->client);
    bs_server_free(x->server);
    mem_free(x);
}
