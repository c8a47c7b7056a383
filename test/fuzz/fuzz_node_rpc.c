/*
 * Goal: whatever comes on streams, in whatever pieces and order, no more is
 * consumed than came, no request is longer than may be, no call ends twice.
 * Input: steps; the low bits of a byte say what happens, the next byte to which
 * stream, and for data the next one how much of what follows.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit/node/played_env.h"
#include "base/mem.h"
#include "base/rd.h"
#include "libp2p/swarm.h"
#include "node/network.h"
#include "node/rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    STREAMS_MAX = 16,
    CALLS_MAX = 8,
    REQUEST_MAX = 40,
    ANSWER_MAX = 30,
    STEPS_MAX = 400,
};

struct played {
    void *owner;
    bool open;
    bool ours_ended;
    bool theirs_ended;
    size_t came;
    size_t consumed;
};

struct asked {
    struct rpc_call call;
    bool running;
};

struct swarm {
    struct played_env env;
    struct played streams[STREAMS_MAX];
    size_t streams_count;
    struct asked calls[CALLS_MAX];
    struct network_service *service;
    struct rpc *rpc;
    uint64_t request; /* the latest; 0: none */
    bool answers;     /* at once */
    size_t queued;
};

static struct swarm world; /* NOLINT: the callbacks have no other place */

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The network and the swarm, as far as the rpc uses them. */

struct swarm *network_swarm(struct network *n)
{
    (void)n;
    return &world;
}

void network_serve(struct network *n, struct network_service *service,
                   const struct swarm_protocol *protocol, struct mtime now)
{
    (void)n;
    (void)protocol;
    (void)now;
    world.service = service;
}

void network_unserve(struct network *n, struct network_service *service,
                     struct mtime now)
{
    (void)n;
    (void)service;
    (void)now;
    world.service = NULL;
}

enum err network_dial(struct network *n, struct connect_op *op,
                      const struct network_target *target, struct mtime now)
{
    (void)n;
    (void)op;
    (void)target;
    (void)now;
    return E_NOTFOUND;
}

void network_connect_cancel(struct connect_op *op)
{
    (void)op;
}

bool swarm_is_connected(const struct swarm *sw, const struct peer_id *peer)
{
    (void)sw;
    (void)peer;
    return true;
}

static struct played *stream_at(struct stream_id id)
{
    must(id.n > 0 && id.n <= world.streams_count);
    must(world.streams[id.n - 1].open);
    return &world.streams[id.n - 1];
}

enum err swarm_stream_open(struct swarm *sw, const struct swarm_open_op *op,
                           struct mtime now, struct stream_id *ret_stream)
{
    (void)now;
    if (sw->streams_count == STREAMS_MAX)
        return E_LIMIT;
    sw->streams[sw->streams_count++] =
        (struct played){.owner = op->owner, .open = true};
    ret_stream->n = sw->streams_count;
    return OK;
}

enum err swarm_stream_write(struct swarm *sw, struct stream_id stream,
                            struct slice slice, size_t *ret_queued)
{
    (void)stream_at(stream);
    slice_release(&slice);
    *ret_queued = sw->queued;
    return OK;
}

size_t swarm_stream_queued(const struct swarm *sw, struct stream_id stream)
{
    (void)stream_at(stream);
    return sw->queued;
}

void swarm_stream_close_write(struct swarm *sw, struct stream_id stream)
{
    struct played *s = stream_at(stream);

    (void)sw;
    s->ours_ended = true;
    s->open = !s->theirs_ended;
}

void swarm_stream_reset(struct swarm *sw, struct stream_id stream,
                        uint32_t code)
{
    (void)sw;
    (void)code;
    stream_at(stream)->open = false;
}

void swarm_stream_consumed(struct swarm *sw, struct stream_id stream,
                           size_t len)
{
    struct played *s = stream_at(stream);

    (void)sw;
    s->consumed += len;
    must(s->consumed <= s->came);
}

enum err swarm_conn_get(const struct swarm *sw, struct conn_id conn,
                        struct swarm_conn_info *ret_info)
{
    (void)sw;
    (void)conn;
    (void)ret_info;
    return E_NOTFOUND;
}

/* The ends. */

static void on_request(void *user, uint64_t id, const struct peer_id *peer,
                       const struct multiaddr *remote, struct bytes in,
                       struct mtime now)
{
    (void)user;
    (void)peer;
    (void)remote;
    must(in.len <= REQUEST_MAX);
    world.request = id;
    if (world.answers)
        rpc_answer(world.rpc, id, in, now);
}

static void on_done(struct rpc_call *c, enum err err, struct bytes answer,
                    struct mtime now)
{
    struct asked *a = container_of(c, struct asked, call);

    (void)now;
    must(a->running);
    a->running = false;
    must(answer.len <= ANSWER_MAX && (err == OK || answer.len == 0));
}

static void start(struct asked *a)
{
    struct rpc_request request = {
        .message = BYTES_LIT("ask"),
        .answer_max = ANSWER_MAX,
        .timeout_ms = 1000,
    };

    if (a->running)
        return;
    a->running = true;
    a->call.done = on_done;
    rpc_call_start(world.rpc, &a->call, &request, world.env.now);
}

/* Steps. */

static void peer_opens(void)
{
    struct swarm_out out = {.type = SWARM_STREAM_IN};

    if (world.streams_count == STREAMS_MAX)
        return;
    world.streams[world.streams_count++] = (struct played){.open = true};
    out.stream.n = world.streams_count;
    world.streams[out.stream.n - 1].owner =
        world.service->on_stream(world.service, &out, world.env.now);
}

static void happen(uint8_t which, enum swarm_out_type type, struct bytes in)
{
    if (world.streams_count == 0)
        return;
    size_t n = which % world.streams_count;
    struct played *s = &world.streams[n];
    struct network_stream *base = s->owner;
    struct swarm_out out = {
        .type = type, .stream = {n + 1}, .data = in, .err = E_CLOSED};

    if (!s->open || (s->theirs_ended && type != SWARM_STREAM_RESET))
        return;
    s->came += in.len;
    s->theirs_ended |= type == SWARM_STREAM_EOF;
    if (type == SWARM_STREAM_RESET || (s->theirs_ended && s->ours_ended))
        s->open = false;
    base->on_out(base, &out, world.env.now);
}

static void step(struct rd *r)
{
    uint8_t what = rd_u8(r);
    uint8_t which = rd_u8(r);

    switch (what & 7) {
    case 0:
        peer_opens();
        break;
    case 1:
    case 2:
        happen(which, SWARM_STREAM_DATA, rd_view(r, rd_u8(r) % 64));
        break;
    case 3:
        happen(which, SWARM_STREAM_EOF, BYTES_EMPTY);
        break;
    case 4:
        happen(which, SWARM_STREAM_RESET, BYTES_EMPTY);
        break;
    case 5:
        start(&world.calls[which % CALLS_MAX]);
        break;
    case 6:
        if ((which & 1) != 0)
            rpc_refuse(world.rpc, world.request, RPC_REFUSE_RATE);
        else
            rpc_answer(world.rpc, world.request, BYTES_LIT("yes"),
                       world.env.now);
        break;
    default:
        world.queued = (which & 1) != 0 ? 1 << 20 : 0;
        world.answers = (which & 2) != 0;
        played_env_pass(&world.env, (uint32_t)which * 300);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rd r = rd_init((struct bytes){.p = data, .len = len});
    struct rpc_config config = {
        .protocol = "/x",
        .request_max = REQUEST_MAX,
        .streams_max = STREAMS_MAX,
        .on_request = on_request,
    };

    memset(&world, 0, sizeof(world));
    played_env_init(&world.env);
    config.one_request = len > 0 && (data[0] & 8) != 0;
    world.rpc = rpc_new(&world.env.env, NULL, &config, world.env.now);
    for (int i = 0; i < STEPS_MAX && r.err == OK && rd_left(&r) > 0; i++)
        step(&r);
    played_env_pass(&world.env, 2000); /* past the deadline of every call */
    played_env_pass(&world.env, 0);
    for (size_t i = 0; i < CALLS_MAX; i++)
        must(!world.calls[i].running);
    rpc_free(world.rpc, world.env.now);
    must(played_env_idle(&world.env));
    return 0;
}
