#include "node/fetchback.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/exchange.h"
#include "node/node.h"

/*
 * The wants are begun when the exchange knows the peer: before, they would be
 * told to be missing.  The end is always told by the timer, so that nobody is
 * freed from inside of what called him.
 */

struct fetchback {
    struct fetchback_config config;
    struct node *node;
    struct exchange *exchange;
    struct network *network;
    struct peer_id peer;
    struct cid *cids;
    bool *done; /* by index of @cids */
    size_t left;
    uint64_t next_id; /* of wants: index of the CID and the round */
    unsigned rounds;
    struct exchange_session session;
    bool has_session;
    struct connect_op connect;
    bool connecting;
    struct network_watcher watcher;
    struct timer timer;
    bool ended;
    enum err err;
};

static void end(struct fetchback *f, enum err err)
{
    struct clock *clock = node_env(f->node)->clock;

    if (f->ended)
        return;
    f->ended = true;
    f->err = err;
    clock->set(clock, &f->timer, clock->now(clock));
}

/* The number of a want is that of its CID, plus @count for each round. */
static void want(struct fetchback *f, size_t index, struct mtime now)
{
    struct bs_want want = {
        .cid = f->cids[index],
        .id = f->next_id * f->config.count + index,
    };

    f->next_id++;
    enum err err = exchange_want(f->exchange, &f->session, &want, now);
    if (err != OK)
        end(f, err == E_LIMIT ? E_TIMEOUT : err);
}

static void on_got(struct exchange_session *s, uint64_t want_id,
                   const struct cid *cid, struct slice data, struct mtime now)
{
    struct fetchback *f = container_of(s, struct fetchback, session);
    size_t index = (size_t)(want_id % f->config.count);

    slice_release(&data);
    if (f->ended || f->done[index])
        return;
    /* It was on its way to another download, from another peer. */
    bool is_ours = cid_is_identity(cid) || peer_id_eq(&s->from, &f->peer) ||
                   s->from.len == 0;
    if (!is_ours) {
        if (++f->rounds > FETCHBACK_ROUNDS_MAX * f->config.count)
            end(f, E_TIMEOUT);
        else
            want(f, index, now);
        return;
    }
    f->done[index] = true;
    if (--f->left == 0)
        end(f, OK);
}

static void on_missing(struct exchange_session *s, uint64_t want_id,
                       struct mtime now)
{
    struct fetchback *f = container_of(s, struct fetchback, session);

    (void)want_id;
    (void)now;
    end(f, exchange_has_peer(f->exchange, &f->peer) ? E_NOTFOUND : E_CLOSED);
}

static void begin(struct fetchback *f, struct mtime now)
{
    if (f->has_session || f->ended || !exchange_has_peer(f->exchange, &f->peer))
        return;
    f->session.got = on_got;
    f->session.missing = on_missing;
    f->has_session = exchange_session_open(f->exchange, BS_CLASS_BACKGROUND,
                                           &f->session) == OK;
    if (!f->has_session) {
        end(f, E_TIMEOUT);
        return;
    }
    exchange_session_only(&f->session, &f->peer);
    for (size_t i = 0; i < f->config.count && !f->ended; i++)
        want(f, i, now);
}

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct fetchback *f = container_of(w, struct fetchback, watcher);

    if (!peer_id_eq(&out->peer, &f->peer))
        return;
    if (out->type == SWARM_IDENTIFIED)
        begin(f, now);
    else if (out->type == SWARM_DISCONNECTED && !out->peer_left)
        end(f, E_CLOSED);
}

static void on_connected(struct connect_op *op, enum err err, struct mtime now)
{
    struct fetchback *f = container_of(op, struct fetchback, connect);

    f->connecting = false;
    if (err != OK)
        end(f, E_CLOSED);
    else
        begin(f, now);
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct fetchback *f = container_of(t, struct fetchback, timer);

    if (!f->ended) {
        f->ended = true;
        f->err = f->has_session ? E_TIMEOUT : E_CLOSED;
    }
    f->config.done(f->config.user, f->err, now);
}

struct fetchback *fetchback_new(struct node *n,
                                const struct fetchback_config *config,
                                struct mtime now)
{
    struct fetchback *f = mem_zalloc(1, sizeof(*f));
    struct clock *clock = node_env(n)->clock;

    assert(node_network(n) != NULL);
    assert(config->count > 0 && config->count <= FETCHBACK_CIDS_MAX);
    f->config = *config;
    f->node = n;
    f->exchange = node_exchange(n);
    f->network = node_network(n);
    f->peer = config->target.peer;
    f->cids = mem_dup(config->cids, config->count * sizeof(*f->cids));
    f->done = mem_zalloc(config->count, sizeof(*f->done));
    f->left = config->count;
    timer_init(&f->timer, on_timer);
    clock->set(clock, &f->timer, mtime_add_ms(now, config->timeout_ms));
    f->watcher.on_peer = on_peer;
    network_watch(f->network, &f->watcher);
    f->connect.done = on_connected;
    enum err err = network_dial(f->network, &f->connect, &config->target, now);
    if (err == OK)
        f->connecting = true;
    else if (err == E_EXISTS)
        begin(f, now);
    else
        end(f, E_CLOSED);
    f->config.cids = NULL;
    f->config.target.addrs = NULL;
    return f;
}

void fetchback_free(struct fetchback *f)
{
    if (f == NULL)
        return;
    struct clock *clock = node_env(f->node)->clock;
    clock->set(clock, &f->timer, MTIME_NEVER);
    network_unwatch(&f->watcher);
    if (f->connecting)
        network_connect_cancel(&f->connect);
    if (f->has_session)
        exchange_session_close(f->exchange, &f->session, clock->now(clock));
    mem_free(f->cids);
    mem_free(f->done);
    mem_free(f);
}
