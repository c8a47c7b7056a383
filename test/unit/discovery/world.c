#include "world.h"

#include "peers.h"

static void drain_all(struct world *w);

void world_init(struct world *w, size_t count)
{
    memset(w, 0, sizeof(*w));
    assert_true(count <= WORLD_MAX);
    w->count = count;
    for (size_t i = 0; i < count; i++) {
        struct world_node *n = &w->nodes[i];
        n->key = key_of((uint32_t)i);
        n->id = privkey_peer_id(&n->key);
        n->addr = addr_ip(0x14000001U + ((uint32_t)i << 16));
    }
}

void world_release(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        discovery_free(w->nodes[i].core);
        privkey_release(&w->nodes[i].key);
    }
}

static void tell_of(struct world *w, size_t i)
{
    struct world_node *n = &w->nodes[i];
    struct world_node *b = &w->nodes[n->bootstrap];
    struct book_heard heard = {.peer = &b->id,
                               .addrs = &b->addr,
                               .count = 1,
                               .source = BOOK_BOOTSTRAP};
    if (b == n)
        return;
    enum err err = discovery_hear(n->core, &heard, w->now);
    assert_int_equal(err, OK);
}

void world_start(struct world *w, size_t i, size_t bootstrap)
{
    struct world_node *n = &w->nodes[i];
    struct discovery_config config = {.network = "devnet", .key = &n->key};
    struct capability self;
    memset(config.seed, (int)i + 1, sizeof(config.seed));
    n->core = discovery_new(&config);
    n->alive = true;
    n->bootstrap = bootstrap;
    discovery_set_clock(
        n->core, (uint64_t)TEST_UNIX_S * 1000 + w->now.ns / 1000000, w->now);
    if (n->stranger)
        return;
    memset(&self, 0, sizeof(self));
    self.addrs[self.addr_count++] = n->addr;
    self.has_storage = true;
    self.storage_offer = 1000;
    self.storage_free = 1000;
    discovery_set_self(n->core, &self, w->now);
    discovery_start(n->core, w->now);
    drain_all(w);
}

size_t world_find(const struct world *w, const struct peer_id *id)
{
    for (size_t i = 0; i < w->count; i++) {
        if (peer_id_eq(&w->nodes[i].id, id))
            return i;
    }
    fail_msg("%s", "nobody has this id");
    return 0;
}

static void unlink_both(struct world *w, size_t i, size_t j)
{
    if (!w->linked[i][j])
        return;
    w->linked[i][j] = false;
    w->linked[j][i] = false;
    if (w->nodes[i].alive)
        discovery_on_disconnected(w->nodes[i].core, &w->nodes[j].id, w->now);
    if (w->nodes[j].alive)
        discovery_on_disconnected(w->nodes[j].core, &w->nodes[i].id, w->now);
}

void world_kill(struct world *w, size_t i)
{
    w->nodes[i].alive = false;
    for (size_t j = 0; j < w->count; j++)
        unlink_both(w, i, j);
    discovery_free(w->nodes[i].core);
    w->nodes[i].core = NULL;
    drain_all(w);
}

static bool answers_at(const struct world *w, size_t i,
                       const struct discovery_out *out)
{
    for (size_t a = 0; a < out->addr_count; a++) {
        if (multiaddr_eq(&out->addrs[a], &w->nodes[i].addr))
            return w->nodes[i].alive;
    }
    return false;
}

static void do_dial(struct world *w, size_t i, const struct discovery_out *out)
{
    size_t j = world_find(w, &out->peer);
    struct world_node *n = &w->nodes[i];
    struct world_node *to = &w->nodes[j];
    struct multiaddr from = n->addr; /* as good as one with another port */
    assert_true(i != j);
    n->dials++;
    if (w->linked[i][j]) {
        discovery_on_dial_failed(n->core, &to->id, E_EXISTS, w->now);
        return;
    }
    if (!answers_at(w, j, out) ||
        discovery_admits(to->core, &n->id, &from, true, w->now) != OK) {
        discovery_on_dial_failed(n->core, &to->id, E_IO, w->now);
        return;
    }
    w->linked[i][j] = true;
    w->linked[j][i] = true;
    discovery_on_connected(n->core, &to->id, &to->addr, false, w->now);
    discovery_on_connected(to->core, &n->id, &from, true, w->now);
    discovery_on_identified(n->core, &to->id, !to->stranger, w->now);
    discovery_on_identified(to->core, &n->id, !n->stranger, w->now);
}

/* The answer comes while the request is being delivered, or later: it carries
 * the number of the request and of who sent it. */
static void do_request(struct world *w, size_t i,
                       const struct discovery_out *out)
{
    size_t j = world_find(w, &out->peer);
    uint64_t name = out->id << 8 | i;
    struct peers_message m;
    assert_int_equal(peers_message_decode(out->message, &m), OK);
    w->requests++;
    w->hellos += m.kind == PEERS_HELLO;
    if (!w->linked[i][j]) {
        discovery_on_answer(w->nodes[i].core, out->id, E_CLOSED, BYTES_EMPTY,
                            w->now);
        return;
    }
    discovery_on_request(w->nodes[j].core, &w->nodes[i].id, name, out->message,
                         w->now);
}

static void do_reply(struct world *w, const struct discovery_out *out)
{
    struct world_node *asker = &w->nodes[out->id & 0xff];
    if (!asker->alive)
        return;
    enum err err = out->kind == DISCOVERY_REPLY ? OK : E_CLOSED;
    discovery_on_answer(asker->core, out->id >> 8, err, out->message, w->now);
}

static void do_probe(struct world *w, size_t i, const struct discovery_out *out)
{
    size_t j = world_find(w, &out->peer);
    bool there = answers_at(w, j, out);
    discovery_on_probed(w->nodes[i].core, out->id, there ? OK : E_IO,
                        there ? &w->nodes[j].addr : NULL, w->now);
}

static void do_out(struct world *w, size_t i, const struct discovery_out *out)
{
    switch (out->kind) {
    case DISCOVERY_DIAL:
        do_dial(w, i, out);
        break;
    case DISCOVERY_REQUEST:
        do_request(w, i, out);
        break;
    case DISCOVERY_REPLY:
    case DISCOVERY_RESET:
        do_reply(w, out);
        break;
    case DISCOVERY_PROBE:
        do_probe(w, i, out);
        break;
    case DISCOVERY_PROBED:
        break;
    case DISCOVERY_DISCONNECT:
        unlink_both(w, i, world_find(w, &out->peer));
        break;
    case DISCOVERY_CHANGED:
        w->nodes[i].changes++;
        break;
    case DISCOVERY_BOOTSTRAP:
        w->nodes[i].bootstraps++;
        tell_of(w, i);
        break;
    }
}

static bool drain_one(struct world *w, size_t i)
{
    struct discovery_out out;
    bool some = false;
    while (w->nodes[i].alive &&
           discovery_next(w->nodes[i].core, w->now, &out)) {
        some = true;
        do_out(w, i, &out);
    }
    return some;
}

static void drain_all(struct world *w)
{
    bool some = true;
    while (some) {
        some = false;
        for (size_t i = 0; i < w->count; i++)
            some |= drain_one(w, i);
    }
}

void world_run(struct world *w, uint64_t ms)
{
    struct mtime end = {w->now.ns + ms * 1000000};
    for (;;) {
        struct mtime next = MTIME_NEVER;
        for (size_t i = 0; i < w->count; i++) {
            if (w->nodes[i].alive)
                next = mtime_min(next, discovery_deadline(w->nodes[i].core));
        }
        if (!mtime_reached(end, next))
            break;
        if (mtime_before(w->now, next))
            w->now = next;
        for (size_t i = 0; i < w->count; i++) {
            if (w->nodes[i].alive &&
                mtime_reached(w->now, discovery_deadline(w->nodes[i].core)))
                discovery_on_time(w->nodes[i].core, w->now);
        }
        drain_all(w);
    }
    w->now = end;
}

size_t world_links(const struct world *w, size_t i)
{
    size_t count = 0;
    for (size_t j = 0; j < w->count; j++)
        count += w->linked[i][j];
    return count;
}

size_t world_candidates(const struct world *w, size_t i)
{
    struct discovery_candidate c;
    struct peer_id after;
    size_t count = 0;
    while (discovery_next_candidate(w->nodes[i].core,
                                    count == 0 ? NULL : &after, w->now, &c)) {
        after = c.peer;
        count++;
    }
    return count;
}
