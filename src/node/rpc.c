#include "node/rpc.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "env/env.h"
#include "env/rng.h"
#include "libp2p/swarm.h"

enum {
    FRAME_START_BYTES = 1024,
    UNSENT_MAX = 64 * 1024, /* over it a stream's next request waits */
    UNSENT_LOOK_MS = 20,
    SEED_BYTES = 16,
};

/* One stream, of either direction. */
struct rpc_stream {
    struct network_stream base;
    struct rpc *rpc;
    struct peer_id peer;
    struct conn_id conn;
    bool outbound;
    bool ending;           /* carries no other request */
    struct rpc_call *call; /* outbound: who waits for the answer */
    uint64_t request;      /* inbound: being served; 0: none */
    struct map_node by_request;
    bool is_free; /* outbound: waits for the next request, in rpc.free */
    struct map_node by_peer;
    bool reading; /* inside of read_requests() */
    bool lost;    /* freed when that returns */
    bool paused;  /* inbound: until its answers have left */
    uint8_t *in;  /* bytes of messages, each with its length before it */
    size_t in_at; /* of these were read */
    size_t in_len;
    size_t in_max;
    struct mtime used_at;
    struct list link;
};

struct rpc {
    struct env *env;
    struct network *network;
    struct swarm *swarm;
    struct rpc_config config;
    struct network_service service;
    struct list streams; /* least recently used first */
    struct list calls;
    struct list ended; /* struct rpc_call whose @done is to be called */
    size_t paused_count;
    struct map requests; /* inbound streams, by request */
    struct map free;     /* outbound ones that carry nothing, by peer */
    uint64_t next_request;
    struct timer timer;
};

/* Time. */

static void set_timer(struct rpc *r)
{
    struct clock *clock = r->env->clock;
    struct mtime at = MTIME_NEVER;

    if (!list_empty(&r->ended)) {
        at = clock->now(clock);
    } else if (!list_empty(&r->streams)) {
        const struct rpc_stream *s =
            container_of(list_first(&r->streams), struct rpc_stream, link);
        at = mtime_add_ms(s->used_at, RPC_IDLE_MS);
    }
    if (r->paused_count > 0)
        at = mtime_min(at, mtime_add_ms(clock->now(clock), UNSENT_LOOK_MS));
    clock->set(clock, &r->timer, at);
}

static void touch(struct rpc_stream *s, struct mtime now)
{
    s->used_at = now;
    list_remove(&s->link);
    list_add_tail(&s->rpc->streams, &s->link);
}

/* Streams. */

static void on_stream(struct network_stream *base, const struct swarm_out *out,
                      struct mtime now);

static struct rpc_stream *stream_new(struct rpc *r, const struct peer_id *peer,
                                     struct mtime now)
{
    struct rpc_stream *s = mem_zalloc(1, sizeof(*s));

    s->base.on_out = on_stream;
    s->rpc = r;
    s->peer = *peer;
    s->used_at = now;
    list_add_tail(&r->streams, &s->link);
    set_timer(r);
    return s;
}

static void end_free(struct rpc_stream *s)
{
    if (s->is_free)
        map_remove(&s->rpc->free, &s->by_peer);
    s->is_free = false;
}

static void end_request(struct rpc_stream *s)
{
    if (s->request != 0)
        map_remove(&s->rpc->requests, &s->by_request);
    s->request = 0;
}

/* The swarm has forgotten @s, or is about to. */
static void stream_free(struct rpc_stream *s)
{
    struct rpc *r = s->rpc;

    assert(s->call == NULL);
    end_request(s);
    end_free(s);
    if (s->reading) {
        s->lost = true;
        return;
    }
    list_remove(&s->link);
    r->paused_count -= s->paused;
    mem_free(s->in);
    mem_free(s);
    set_timer(r);
}

static void stream_reset(struct rpc_stream *s, uint32_t code)
{
    swarm_stream_reset(s->rpc->swarm, s->base.id, code);
    stream_free(s);
}

/* Calls. */

static void end_call(struct rpc_call *c, enum err err)
{
    struct rpc *r = c->rpc;
    struct clock *clock = r->env->clock;

    if (c->connecting)
        network_connect_cancel(&c->connect);
    c->connecting = false;
    clock->set(clock, &c->timer, MTIME_NEVER);
    slice_release(&c->frame);
    c->stream = NULL;
    c->err = err;
    list_remove(&c->link);
    list_add_tail(&r->ended, &c->link);
    set_timer(r);
}

static void tell(struct rpc_call *c, enum err err, struct bytes answer,
                 struct mtime now)
{
    list_remove(&c->link);
    c->rpc = NULL;
    c->done(c, err, answer, now);
}

static void tell_ended(struct rpc *r, struct mtime now)
{
    struct list batch;

    /* Those that end meanwhile have a turn of their own; @r may not be freed
     * from inside, but calls may be cancelled. */
    list_init(&batch);
    while (!list_empty(&r->ended)) {
        struct list *first = list_first(&r->ended);
        list_remove(first);
        list_add_tail(&batch, first);
    }
    while (!list_empty(&batch)) {
        struct rpc_call *c =
            container_of(list_first(&batch), struct rpc_call, link);
        tell(c, c->err, BYTES_EMPTY, now);
    }
}

static void send_request(struct rpc_call *c, struct mtime now);

/* The stream of @c has gone, or does not take the request. */
static void stream_failed(struct rpc_call *c, enum err err, struct mtime now)
{
    c->stream = NULL;
    /* A stream that was used before may have been closed by the peer while
     * the request was on its way. */
    if (c->again && err != E_UNSUPPORTED) {
        c->again = false;
        send_request(c, now);
        return;
    }
    end_call(c, err);
}

static struct rpc_stream *free_stream_to(const struct rpc *r,
                                         const struct peer_id *peer)
{
    struct map_node *n = map_get(&r->free, peer_id_bytes(peer));

    return n != NULL ? container_of(n, struct rpc_stream, by_peer) : NULL;
}

static enum err open_stream(struct rpc_call *c, struct mtime now)
{
    struct rpc *r = c->rpc;
    struct rpc_stream *s = stream_new(r, &c->peer, now);
    struct swarm_open_op op = {
        .peer = &c->peer,
        .protocols = &r->config.protocol,
        .count = 1,
        .owner = &s->base,
    };

    s->outbound = true;
    enum err err = swarm_stream_open(r->swarm, &op, now, &s->base.id);
    if (err != OK) {
        stream_free(s);
        return err;
    }
    c->stream = s;
    s->call = c;
    return OK;
}

static bool take_stream(struct rpc_call *c, struct mtime now)
{
    struct rpc_stream *s = free_stream_to(c->rpc, &c->peer);

    c->again = s != NULL;
    if (s == NULL)
        return false;
    end_free(s);
    c->stream = s;
    s->call = c;
    touch(s, now);
    return true;
}

/* Whether the peer answers or not: when nothing more comes of this call the
 * stream is free for the next. */
static void release_stream(struct rpc_stream *s)
{
    struct rpc *r = s->rpc;

    s->call = NULL;
    if (s->ending)
        return;
    if (free_stream_to(r, &s->peer) == NULL) {
        s->is_free = true;
        map_put(&r->free, &s->by_peer, peer_id_bytes(&s->peer));
        return;
    }
    s->ending = true; /* the end of theirs frees it */
    swarm_stream_close_write(r->swarm, s->base.id);
}

/* When that fails the stream has gone. */
static enum err write_request(struct rpc_call *c)
{
    struct rpc_stream *s = c->stream;
    size_t queued;
    enum err err = swarm_stream_write(c->rpc->swarm, s->base.id,
                                      slice_ref(&c->frame), &queued);
    if (err != OK) {
        c->stream = NULL;
        s->call = NULL;
        stream_reset(s, SWARM_RESET_NONE);
        return err;
    }
    if (c->rpc->config.one_request) {
        s->ending = true;
        swarm_stream_close_write(c->rpc->swarm, s->base.id);
    }
    if (c->answer_max > 0)
        return OK;
    release_stream(s);
    end_call(c, OK);
    return OK;
}

/* @c has a connection. */
static void send_request(struct rpc_call *c, struct mtime now)
{
    bool is_old = false;
    enum err err = OK;

    do {
        is_old = take_stream(c, now);
        err = is_old ? OK : open_stream(c, now);
        if (err == OK)
            err = write_request(c);
    } while (err != OK && is_old);
    if (err != OK)
        end_call(c, err);
}

/* That we have as many connections as we may is no fault of the peer. */
static enum err no_dial(enum err err)
{
    return err == E_LIMIT ? E_AGAIN : err;
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct rpc_call *c = container_of(op, struct rpc_call, connect);

    c->connecting = false;
    if (err == OK)
        send_request(c, now);
    else
        end_call(c, no_dial(err));
}

static void on_timeout(struct timer *t, struct mtime now)
{
    struct rpc_call *c = container_of(t, struct rpc_call, timer);
    struct rpc_stream *s = c->stream;

    (void)now;
    if (s != NULL) {
        s->call = NULL;
        stream_reset(s, SWARM_RESET_NONE);
    }
    end_call(c, E_TIMEOUT);
}

static struct slice make_frame(struct bytes message)
{
    struct buf *b = buf_new(UVARINT_LEN_MAX + message.len);
    struct wr w = wr_init(b->data, b->max);

    wr_uvarint(&w, message.len);
    wr_bytes(&w, message);
    b->len = wr_len(&w);
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

void rpc_call_start(struct rpc *r, struct rpc_call *c,
                    const struct rpc_request *request, struct mtime now)
{
    struct clock *clock = r->env->clock;
    enum err err = OK;

    c->rpc = r;
    c->peer = request->target.peer;
    c->stream = NULL;
    c->again = false;
    c->answer_max = request->answer_max;
    c->frame = make_frame(request->message);
    c->connect.done = on_connected;
    c->connecting = false;
    list_add_tail(&r->calls, &c->link);
    timer_init(&c->timer, on_timeout);
    if (request->timeout_ms > 0)
        clock->set(clock, &c->timer, mtime_add_ms(now, request->timeout_ms));
    if (swarm_is_connected(r->swarm, &c->peer)) {
        send_request(c, now);
        return;
    }
    err = request->target.count > 0
              ? network_dial(r->network, &c->connect, &request->target, now)
              : E_NOTFOUND;
    if (err == OK)
        c->connecting = true;
    else if (err == E_EXISTS)
        send_request(c, now);
    else
        end_call(c, no_dial(err));
}

void rpc_cancel(struct rpc_call *c)
{
    struct rpc_stream *s = c->stream;

    if (c->rpc == NULL)
        return;
    if (s != NULL) {
        s->call = NULL;
        c->stream = NULL;
        stream_reset(s, SWARM_RESET_NONE);
    }
    struct rpc *r = c->rpc;
    if (c->connecting)
        network_connect_cancel(&c->connect);
    c->connecting = false;
    r->env->clock->set(r->env->clock, &c->timer, MTIME_NEVER);
    slice_release(&c->frame);
    list_remove(&c->link);
    c->rpc = NULL;
}

/* Reading. */

/* A request is not consumed before it was served, and of an answer no more is
 * kept than the longest that is taken: this is bounded. */
static void keep(struct rpc_stream *s, struct bytes in)
{
    s->in_len -= s->in_at;
    if (s->in_at > 0 && s->in_len > 0)
        memmove(s->in, s->in + s->in_at, s->in_len);
    s->in_at = 0;
    size_t want = s->in_len + in.len;
    if (want > s->in_max) {
        size_t room = s->in_max > 0 ? s->in_max : FRAME_START_BYTES;
        while (room < want)
            room *= 2;
        s->in = mem_resize(s->in, room, 1);
        s->in_max = room;
    }
    if (in.len > 0)
        memcpy(s->in + s->in_len, in.p, in.len);
    s->in_len += in.len;
}

/* The message at the front; E_AGAIN: not whole yet. */
static enum err front(const struct rpc_stream *s, size_t max,
                      struct bytes *ret_message, size_t *ret_len)
{
    if (s->in_len == 0)
        return E_AGAIN;
    struct rd r =
        rd_init((struct bytes){s->in + s->in_at, s->in_len - s->in_at});
    uint64_t len = rd_uvarint(&r);

    if (r.err != OK)
        return r.err == E_SHORT ? E_AGAIN : r.err;
    if (len > max)
        return E_LIMIT;
    if (rd_left(&r) < len)
        return E_AGAIN;
    *ret_message = rd_view(&r, len);
    *ret_len = s->in_len - s->in_at - rd_left(&r);
    return OK;
}

static void drop_front(struct rpc_stream *s, size_t len)
{
    s->in_at += len;
    if (s->in_at < s->in_len)
        return;
    mem_free(s->in);
    s->in = NULL;
    s->in_at = 0;
    s->in_len = 0;
    s->in_max = 0;
}

static void remote_of(const struct rpc_stream *s, struct multiaddr *ret_addr)
{
    struct swarm_conn_info info;

    memset(ret_addr, 0, sizeof(*ret_addr));
    if (swarm_conn_get(s->rpc->swarm, s->conn, &info) == OK)
        *ret_addr = *info.addr;
}

/* One request after the other is given out; bytes of those that wait are not
 * consumed, so that the peer can make us hold no more than a window. */
static void read_requests(struct rpc_stream *s, struct mtime now)
{
    struct rpc *r = s->rpc;
    enum err err = OK;

    if (s->reading)
        return;
    s->reading = true;
    while (err == OK && s->request == 0 && !s->lost && !s->paused) {
        struct multiaddr remote;
        struct bytes message;
        size_t len;
        err = front(s, r->config.request_max, &message, &len);
        if (err != OK)
            break;
        s->request = ++r->next_request;
        map_put(
            &r->requests, &s->by_request,
            (struct bytes){(const uint8_t *)&s->request, sizeof(s->request)});
        touch(s, now);
        remote_of(s, &remote);
        r->config.on_request(r->config.user, s->request, &s->peer, &remote,
                             message, now);
        if (!s->lost) {
            drop_front(s, len);
            swarm_stream_consumed(r->swarm, s->base.id, len);
        }
    }
    s->reading = false;
    if (s->lost) {
        stream_free(s);
        return;
    }
    if (err != OK && err != E_AGAIN) {
        stream_reset(s, SWARM_RESET_VIOLATION);
        return;
    }
    if (!s->ending || s->request != 0 || s->paused)
        return;
    if (s->in_at < s->in_len) {
        stream_reset(s, SWARM_RESET_VIOLATION);
        return;
    }
    swarm_stream_close_write(r->swarm, s->base.id);
    stream_free(s);
}

static void read_answer(struct rpc_stream *s, struct mtime now)
{
    struct rpc_call *c = s->call;
    struct bytes message;
    size_t len;
    enum err err =
        c != NULL ? front(s, c->answer_max, &message, &len) : E_MALFORMED;
    if (err == E_AGAIN)
        return;

    if (err != OK) { /* also bytes that nobody asked for */
        s->call = NULL;
        stream_reset(s, SWARM_RESET_VIOLATION);
        if (c != NULL)
            end_call(c, err);
        return;
    }
    struct rpc *r = s->rpc;
    struct clock *clock = r->env->clock;
    struct buf *copy = buf_copy(message);
    drop_front(s, len);
    remote_of(s, &c->remote);
    clock->set(clock, &c->timer, MTIME_NEVER);
    slice_release(&c->frame);
    c->stream = NULL;
    touch(s, now);
    if (s->in_len > 0) { /* what follows an answer nobody asked for */
        s->call = NULL;
        stream_reset(s, SWARM_RESET_VIOLATION);
    } else {
        release_stream(s);
    }
    set_timer(r);
    tell(c, OK, buf_bytes(copy), now);
    buf_unref(copy);
}

static void on_data(struct rpc_stream *s, const struct swarm_out *out,
                    struct mtime now)
{
    s->conn = out->conn;
    keep(s, out->data);
    if (!s->outbound) {
        read_requests(s, now);
        return;
    }
    swarm_stream_consumed(s->rpc->swarm, s->base.id, out->data.len);
    read_answer(s, now);
}

/* @s has gone at the swarm. */
static void on_lost(struct rpc_stream *s, enum err err, struct mtime now)
{
    struct rpc_call *c = s->call;

    s->call = NULL;
    stream_free(s);
    if (c != NULL)
        stream_failed(c, err == OK ? E_CLOSED : err, now);
}

static void on_eof(struct rpc_stream *s, struct mtime now)
{
    bool both_ended = s->ending; /* outbound: our side was closed before */

    s->ending = true;
    if (!s->outbound) {
        read_requests(s, now);
        return;
    }
    struct rpc_call *c = s->call;
    s->call = NULL;
    if (both_ended)
        stream_free(s);
    else
        stream_reset(s, SWARM_RESET_NONE);
    if (c != NULL)
        stream_failed(c, E_CLOSED, now);
}

static void on_stream(struct network_stream *base, const struct swarm_out *out,
                      struct mtime now)
{
    struct rpc_stream *s = container_of(base, struct rpc_stream, base);

    switch (out->type) {
    case SWARM_STREAM_OPEN:
        s->conn = out->conn;
        if (out->err != OK)
            on_lost(s, out->err, now);
        break;
    case SWARM_STREAM_DATA:
        on_data(s, out, now);
        break;
    case SWARM_STREAM_EOF:
        on_eof(s, now);
        break;
    case SWARM_STREAM_RESET:
        on_lost(s, out->err, now);
        break;
    case SWARM_STREAM_WRITABLE:
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

/* Serving. */

static struct network_stream *on_stream_in(struct network_service *service,
                                           const struct swarm_out *out,
                                           struct mtime now)
{
    struct rpc *r = container_of(service, struct rpc, service);
    struct rpc_stream *s = stream_new(r, &out->peer, now);

    s->base.id = out->stream;
    s->conn = out->conn;
    return &s->base;
}

static struct rpc_stream *stream_of(const struct rpc *r, uint64_t id)
{
    struct map_node *n =
        map_get(&r->requests, (struct bytes){(const uint8_t *)&id, sizeof(id)});

    return n != NULL ? container_of(n, struct rpc_stream, by_request) : NULL;
}

void rpc_answer(struct rpc *r, uint64_t id, struct bytes message,
                struct mtime now)
{
    struct rpc_stream *s = stream_of(r, id);
    size_t queued;
    if (s == NULL)
        return;

    end_request(s);
    touch(s, now);
    if (swarm_stream_write(r->swarm, s->base.id, make_frame(message),
                           &queued) != OK) {
        stream_reset(s, SWARM_RESET_LIMIT);
        return;
    }
    if (queued > UNSENT_MAX && !s->paused) {
        s->paused = true;
        r->paused_count++;
        set_timer(r);
    }
    read_requests(s, now);
}

void rpc_silent(struct rpc *r, uint64_t id, struct mtime now)
{
    struct rpc_stream *s = stream_of(r, id);
    if (s == NULL)
        return;

    end_request(s);
    touch(s, now);
    read_requests(s, now);
}

void rpc_refuse(struct rpc *r, uint64_t id, uint32_t code)
{
    struct rpc_stream *s = stream_of(r, id);

    if (s != NULL)
        stream_reset(s, code);
}

/* Life. */

/* Whoever asks and does not read the answers gets no more of them. */
static void go_on(struct rpc *r, struct mtime now)
{
    list_for_each_safe (it, &r->streams) {
        struct rpc_stream *s = container_of(it, struct rpc_stream, link);
        if (!s->paused ||
            swarm_stream_queued(r->swarm, s->base.id) > UNSENT_MAX)
            continue;
        s->paused = false;
        r->paused_count--;
        read_requests(s, now);
    }
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct rpc *r = container_of(t, struct rpc, timer);

    if (r->paused_count > 0)
        go_on(r, now);
    while (!list_empty(&r->streams)) {
        struct rpc_stream *s =
            container_of(list_first(&r->streams), struct rpc_stream, link);
        if (!mtime_reached(now, mtime_add_ms(s->used_at, RPC_IDLE_MS)))
            break;
        struct rpc_call *c = s->call;
        if (c != NULL || s->request != 0) {
            touch(s, now); /* who waits has a deadline of its own */
            continue;
        }
        stream_reset(s, SWARM_RESET_NONE);
    }
    tell_ended(r, now);
    set_timer(r);
}

struct rpc *rpc_new(struct env *env, struct network *network,
                    const struct rpc_config *config, struct mtime now)
{
    struct rpc *r = mem_zalloc(1, sizeof(*r));
    uint8_t seed[SEED_BYTES];
    struct swarm_protocol protocol = {
        .name = config->protocol,
        .streams_max = config->streams_max,
    };

    r->env = env;
    r->network = network;
    r->swarm = network_swarm(network);
    r->config = *config;
    list_init(&r->streams);
    list_init(&r->calls);
    list_init(&r->ended);
    env->rng->fill(env->rng, seed, sizeof(seed));
    map_init(&r->requests, seed);
    map_init(&r->free, seed);
    timer_init(&r->timer, on_timer);
    r->service.on_stream = on_stream_in;
    if (config->on_request != NULL)
        network_serve(network, &r->service, &protocol, now);
    return r;
}

void rpc_free(struct rpc *r, struct mtime now)
{
    if (r == NULL)
        return;
    if (r->config.on_request != NULL)
        network_unserve(r->network, &r->service, now);
    list_for_each_safe (it, &r->calls)
        rpc_cancel(container_of(it, struct rpc_call, link));
    list_for_each_safe (it, &r->ended)
        rpc_cancel(container_of(it, struct rpc_call, link));
    list_for_each_safe (it, &r->streams)
        stream_reset(container_of(it, struct rpc_stream, link),
                     SWARM_RESET_NONE);
    r->env->clock->set(r->env->clock, &r->timer, MTIME_NEVER);
    map_release(&r->requests);
    map_release(&r->free);
    mem_free(r);
}
