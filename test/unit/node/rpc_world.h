#ifndef TEST_UNIT_NODE_RPC_WORLD_H
#define TEST_UNIT_NODE_RPC_WORLD_H

#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/swarm.h"
#include "node/network.h"
#include "node/played_env.h"
#include "node/rpc.h"

#include "test.h"

/*
 * rpc_world - the swarm, the network and the clock as the tests of the rpc play
 * them, and both ends of it.
 */

enum {
    STREAMS_MAX = 64,
    REQUEST_MAX = 1000,
    ANSWER_MAX = 500,
    SENT_MAX = 4096,
    TIMEOUT_MS = 5000,
};

/* A stream as the swarm has it. */
struct played {
    void *owner;
    bool open;
    bool reset;
    bool closed; /* our side */
    uint32_t code;
    uint8_t sent[SENT_MAX];
    size_t sent_len;
    size_t consumed;
    size_t queued; /* what swarm_stream_queued() says */
    struct bytes lent;
};

/* All that is outside of the rpc. */
struct swarm {
    struct played_env env;
    struct played streams[STREAMS_MAX]; /* stream n is in place n - 1 */
    size_t streams_count;
    bool connected;
    enum err open_err;
    enum err write_err;
    enum err dial_err;
    struct connect_op *dialing;
    size_t dials;
    size_t dials_cancelled;
    struct network_service *service;
    struct rpc *rpc;
    /* What on_request() got, and does. */
    uint64_t requests[STREAMS_MAX];
    size_t requests_count;
    uint8_t last[REQUEST_MAX];
    size_t last_len;
    enum { KEEP, ECHO, REFUSE, SILENT } how;
};

static struct swarm world; /* NOLINT: of this test alone */

static void turn(uint32_t ms)
{
    played_env_pass(&world.env, ms);
}

/* The network and the swarm. */

struct swarm *network_swarm(struct network *n)
{
    (void)n;
    return &world;
}

void network_serve(struct network *n, struct network_service *service,
                   const struct swarm_protocol *protocol, struct mtime now)
{
    (void)n;
    (void)now;
    assert_string_equal(protocol->name, "/x");
    world.service = service;
}

void network_unserve(struct network *n, struct network_service *service,
                     struct mtime now)
{
    (void)n;
    (void)now;
    assert_ptr_equal(world.service, service);
    world.service = NULL;
}

enum err network_dial(struct network *n, struct connect_op *op,
                      const struct network_target *target, struct mtime now)
{
    (void)n;
    (void)now;
    assert_true(target->count > 0);
    world.dials++;
    if (world.dial_err == OK)
        world.dialing = op;
    return world.dial_err;
}

void network_connect_cancel(struct connect_op *op)
{
    assert_ptr_equal(world.dialing, op);
    world.dialing = NULL;
    world.dials_cancelled++;
}

bool swarm_is_connected(const struct swarm *sw, const struct peer_id *peer)
{
    (void)peer;
    return sw->connected;
}

static struct played *stream_at(struct stream_id id)
{
    assert_in_range(id.n, 1, world.streams_count);
    return &world.streams[id.n - 1];
}

static struct stream_id stream_new(void *owner)
{
    assert_true(world.streams_count < STREAMS_MAX);
    world.streams[world.streams_count++] =
        (struct played){.owner = owner, .open = true};
    return (struct stream_id){world.streams_count};
}

enum err swarm_stream_open(struct swarm *sw, const struct swarm_open_op *op,
                           struct mtime now, struct stream_id *ret_stream)
{
    (void)now;
    assert_int_equal(op->count, 1);
    if (sw->open_err != OK)
        return sw->open_err;
    *ret_stream = stream_new(op->owner);
    return OK;
}

enum err swarm_stream_write(struct swarm *sw, struct stream_id stream,
                            struct slice slice, size_t *ret_queued)
{
    struct played *s = stream_at(stream);
    enum err err = sw->write_err;

    assert_true(s->open && !s->closed);
    if (err == OK) {
        assert_true(s->sent_len + slice.bytes.len <= sizeof(s->sent));
        memcpy(s->sent + s->sent_len, slice.bytes.p, slice.bytes.len);
        s->sent_len += slice.bytes.len;
        *ret_queued = s->queued;
    }
    slice_release(&slice);
    return err;
}

size_t swarm_stream_queued(const struct swarm *sw, struct stream_id stream)
{
    (void)sw;
    return stream_at(stream)->queued;
}

void swarm_stream_close_write(struct swarm *sw, struct stream_id stream)
{
    (void)sw;
    stream_at(stream)->closed = true;
}

void swarm_stream_reset(struct swarm *sw, struct stream_id stream,
                        uint32_t code)
{
    struct played *s = stream_at(stream);

    (void)sw;
    assert_true(s->open);
    s->open = false;
    s->reset = true;
    s->code = code;
}

void swarm_stream_consumed(struct swarm *sw, struct stream_id stream,
                           size_t len)
{
    (void)sw;
    stream_at(stream)->consumed += len;
}

enum err swarm_conn_get(const struct swarm *sw, struct conn_id conn,
                        struct swarm_conn_info *ret_info)
{
    (void)sw;
    (void)conn;
    (void)ret_info;
    return E_NOTFOUND;
}

/* What happens to stream @n. */
static void happen(size_t n, enum swarm_out_type type, struct bytes data,
                   enum err err)
{
    struct played *s = &world.streams[n - 1];
    struct network_stream *base = s->owner;
    struct swarm_out out = {
        .type = type, .stream = {n}, .data = data, .err = err};

    assert_true(s->open);
    if (type == SWARM_STREAM_RESET || (type == SWARM_STREAM_OPEN && err != OK))
        s->open = false;
    base->on_out(base, &out, world.env.now);
}

static void feed(size_t n, const char *text)
{
    happen(n, SWARM_STREAM_DATA, bytes_str(text), OK);
}

/* A message of @len letters, with its length. */
static struct bytes message(size_t len, uint8_t *room, size_t max)
{
    struct wr w = wr_init(room, max);

    wr_uvarint(&w, len);
    memset(w.pos, 'a', len);
    return (struct bytes){.p = room, .len = wr_len(&w) + len};
}

static size_t peer_opens(void)
{
    struct stream_id id = stream_new(NULL);
    struct swarm_out out = {.type = SWARM_STREAM_IN, .stream = id};

    world.streams[id.n - 1].owner =
        world.service->on_stream(world.service, &out, world.env.now);
    assert_non_null(world.streams[id.n - 1].owner);
    return (size_t)id.n;
}

/* The two ends of the rpc. */

static void on_request(void *user, uint64_t id, const struct peer_id *peer,
                       const struct multiaddr *remote, struct bytes in,
                       struct mtime now)
{
    assert_ptr_equal(user, &world);
    (void)peer;
    (void)remote;
    assert_true(in.len <= REQUEST_MAX);
    assert_true(world.requests_count < STREAMS_MAX);
    world.requests[world.requests_count++] = id;
    memcpy(world.last, in.p, in.len);
    world.last_len = in.len;
    if (world.how == ECHO)
        rpc_answer(world.rpc, id, in, now);
    else if (world.how == REFUSE)
        rpc_refuse(world.rpc, id, RPC_REFUSE_RATE);
    else if (world.how == SILENT)
        rpc_silent(world.rpc, id, now);
}

struct asked {
    struct rpc_call call;
    unsigned done;
    enum err err;
    char answer[ANSWER_MAX + 1];
    struct rpc_call *cancels; /* from inside of done */
};

static void on_done(struct rpc_call *c, enum err err, struct bytes answer,
                    struct mtime now)
{
    struct asked *a = container_of(c, struct asked, call);

    (void)now;
    a->done++;
    a->err = err;
    assert_true(answer.len <= ANSWER_MAX);
    if (answer.len > 0)
        memcpy(a->answer, answer.p, answer.len);
    a->answer[answer.len] = '\0';
    if (a->cancels != NULL)
        rpc_cancel(a->cancels);
}

static const struct multiaddr somewhere; /* never looked at */

/* @addrs: how many are known. */
static void start(struct asked *a, size_t addrs, size_t answer_max)
{
    struct rpc_request request = {
        .target = {.addrs = &somewhere, .count = addrs},
        .message = BYTES_LIT("hello"),
        .answer_max = answer_max,
        .timeout_ms = TIMEOUT_MS,
    };

    a->call.done = on_done;
    rpc_call_start(world.rpc, &a->call, &request, world.env.now);
    assert_int_equal(a->done, 0); /* never from inside */
}

static int set_up_with(bool one_request)
{
    struct rpc_config config = {
        .protocol = "/x",
        .request_max = REQUEST_MAX,
        .streams_max = 32,
        .one_request = one_request,
        .on_request = on_request,
        .user = &world,
    };

    memset(&world, 0, sizeof(world));
    played_env_init(&world.env);
    world.connected = true;
    world.rpc = rpc_new(&world.env.env, NULL, &config, world.env.now);
    assert_non_null(world.service);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(false);
}

static int set_up_one(void **state)
{
    (void)state;
    return set_up_with(true);
}

/* Nothing of it is left: no stream, no timer, no service. */
static int tear_down(void **state)
{
    (void)state;
    rpc_free(world.rpc, world.env.now);
    assert_null(world.service);
    assert_null(world.dialing);
    assert_true(played_env_idle(&world.env));
    for (size_t i = 0; i < world.streams_count; i++)
        assert_true(!world.streams[i].open || world.streams[i].closed);
    return 0;
}

#endif /* TEST_UNIT_NODE_RPC_WORLD_H */
