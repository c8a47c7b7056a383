#include "kad_net.h"

#include "base/buf.h"
#include "base/map.h"
#include "crypto/sha256.h"
#include "kad/kad_addrs.h"
#include "kad/keyspace.h"
#include "kad/message.h"

#include "test.h"

enum { FAKES = 40, HUGE_PEERS = 10000, MS = 1000000 };

enum event_kind {
    EVENT_REQUEST, /* reaches @to */
    EVENT_REPLY,   /* reaches @to */
    EVENT_SENT,
    EVENT_FAILED,
    EVENT_WAKE,
};

struct event {
    uint64_t at_ns;
    uint64_t seq;
    enum event_kind kind;
    size_t from;
    size_t to;
    uint64_t message;
    bool answered;
    enum err err;
    struct buf *bytes;
};

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->seq < b->seq;
}

static void push(struct net *n, uint64_t delay_ns, struct event e)
{
    if (n->events_count == n->events_max) {
        n->events_max = n->events_max == 0 ? 1024 : 2 * n->events_max;
        n->events = realloc(n->events, n->events_max * sizeof(e));
        assert_non_null(n->events);
    }
    e.at_ns = n->now_ns + delay_ns;
    e.seq = n->seq++;
    size_t i = n->events_count++;
    while (i > 0 && is_before(&e, &n->events[(i - 1) / 2])) {
        n->events[i] = n->events[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    n->events[i] = e;
}

static struct event pop(struct net *n)
{
    struct event first = n->events[0];
    struct event last = n->events[--n->events_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n->events_count)
            break;
        if (child + 1 < n->events_count &&
            is_before(&n->events[child + 1], &n->events[child]))
            child++;
        if (!is_before(&n->events[child], &last))
            break;
        n->events[i] = n->events[child];
        i = child;
    }
    if (n->events_count > 0)
        n->events[i] = last;
    return first;
}

uint64_t net_chance(struct net *n, uint64_t below)
{
    n->chance = n->chance * 6364136223846793005U + 1442695040888963407U;
    return (n->chance >> 33) % below;
}

struct mtime net_now(const struct net *n)
{
    return (struct mtime){n->now_ns};
}

struct peer_id net_peer_id(uint64_t i, uint64_t seed)
{
    static const uint8_t head[] = {0x00, 0x24, 0x08, 0x01, 0x12, 0x20};
    uint64_t in[2] = {i, seed};
    struct peer_id id = {.len = sizeof(head) + SHA256_BYTES};
    memcpy(id.bytes, head, sizeof(head));
    sha256((struct bytes){(const uint8_t *)in, sizeof(in)},
           &id.bytes[sizeof(head)]);
    return id;
}

/* Each in an IP group of its own, as far as that goes. */
struct multiaddr net_addr(uint64_t i)
{
    struct ma_ip ip = {.len = 4};
    ip.bytes[0] = (uint8_t)(20 + i / 256 % 60);
    ip.bytes[1] = (uint8_t)i;
    ip.bytes[2] = 1;
    ip.bytes[3] = 1;
    return multiaddr_from_ip_port(&ip, MA_TCP, 4001);
}

size_t net_find(const struct net *n, const struct peer_id *id)
{
    struct map_node *node = map_get(&n->by_id, peer_id_bytes(id));
    return node == NULL
               ? SIZE_MAX
               : (size_t)(container_of(node, struct net_node, node) - n->nodes);
}

struct net *net_new(size_t count, enum kad_scope scope, uint64_t seed,
                    const struct kad_config *tweak)
{
    struct net *n = calloc(1, sizeof(*n));
    assert_non_null(n);
    assert_true(count <= NET_NODES_MAX);
    n->count = count;
    n->scope = scope;
    n->chance = seed;
    n->now_ns = MS;
    static const uint8_t fixed[16] = {9};
    map_init(&n->by_id, fixed);
    for (size_t i = 0; i < count; i++) {
        struct net_node *node = &n->nodes[i];
        struct kad_config config = {.server = true, .ip_diversity = true};
        if (tweak != NULL)
            config = *tweak;
        node->id = net_peer_id(i, seed);
        node->addr = net_addr(i);
        node->wake_ns = UINT64_MAX;
        map_put(&n->by_id, &node->node, peer_id_bytes(&node->id));
        config.self = node->id;
        config.scope = scope;
        config.unix_ms = 1700000000000;
        memcpy(config.seed, &node->id.bytes[6], KAD_SEED_BYTES);
        node->kad = kad_new(&config, net_now(n));
        kad_set_addrs(node->kad, &node->addr, 1);
    }
    return n;
}

void net_free(struct net *n)
{
    for (size_t i = 0; i < n->events_count; i++)
        buf_unref(n->events[i].bytes);
    for (size_t i = 0; i < n->count; i++)
        kad_free(n->nodes[i].kad);
    map_release(&n->by_id);
    free(n->events);
    free(n);
}

static uint64_t delay(struct net *n)
{
    return (20 + net_chance(n, 60)) * MS;
}

static void note(struct net *n, uint64_t what)
{
    uint64_t in[3] = {n->trace, n->now_ns, what};
    static const uint8_t key[16] = {1};
    n->trace = siphash13(key, (struct bytes){(const uint8_t *)in, sizeof(in)});
}

static void take_result(struct net *n, const struct kad_out *out)
{
    struct net_result *r = &n->last;
    switch (out->kind) {
    case KAD_FOUND_PEER:
    case KAD_FOUND_PROVIDER:
        assert_true(r->found_count < NET_FOUND_MAX);
        r->found_addrs[r->found_count] = out->addrs_count;
        r->found[r->found_count++] = out->peer;
        break;
    case KAD_FOUND_VALUE:
        r->values_count++;
        r->value_len = out->bytes->len;
        memcpy(r->value, out->bytes->data, r->value_len);
        break;
    case KAD_DONE:
        assert_false(r->done);
        r->done = true;
        r->out = *out;
        break;
    case KAD_SEND:
    case KAD_DROP:
    case KAD_LEARNED:
    case KAD_LONELY:
        break;
    }
}

static void send_out(struct net *n, size_t i, const struct kad_out *out)
{
    struct event e = {.kind = EVENT_REQUEST,
                      .from = i,
                      .to = net_find(n, &out->peer),
                      .message = out->message,
                      .answered = out->reply_max > 0,
                      .bytes = out->bytes};
    n->nodes[i].sends++;
    assert_non_null(out->bytes);
    if (e.to == SIZE_MAX || n->nodes[e.to].kind == NET_DEAD) {
        buf_unref(out->bytes); /* nobody will ever answer */
        return;
    }
    assert_true(out->addrs_count > 0 || n->connected[i][e.to] != 0);
    push(n, delay(n), e);
}

static void schedule(struct net *n, size_t i)
{
    struct mtime at = kad_deadline(n->nodes[i].kad);
    if (at.ns >= n->nodes[i].wake_ns || at.ns == UINT64_MAX)
        return;
    uint64_t ns = at.ns > n->now_ns ? at.ns - n->now_ns : 0;
    n->nodes[i].wake_ns = n->now_ns + ns;
    push(n, ns, (struct event){.kind = EVENT_WAKE, .to = i});
}

static void drain(struct net *n, size_t i)
{
    static struct kad_out out;
    while (kad_next(n->nodes[i].kad, &out)) {
        note(n, (uint64_t)out.kind * 1000000 + i * 1000 + out.addrs_count);
        bool mine = n->waiting && n->result_node == i &&
                    out.query == n->result_query && out.kind != KAD_SEND;
        if (mine)
            take_result(n, &out);
        n->nodes[i].lonely += out.kind == KAD_LONELY;
        if (out.kind == KAD_SEND)
            send_out(n, i, &out);
        else
            buf_unref(out.bytes);
    }
    schedule(n, i);
}

void net_connect(struct net *n, size_t a, size_t b)
{
    struct net_node *x = &n->nodes[a];
    struct net_node *y = &n->nodes[b];
    if (a == b || n->connected[a][b] != 0)
        return;
    n->connected[a][b] = 1;
    n->connected[b][a] = 1;
    kad_on_peer(x->kad, &y->id, &y->addr, 1, &y->addr, net_now(n));
    kad_on_peer(y->kad, &x->id, &x->addr, 1, &x->addr, net_now(n));
    drain(n, a);
    drain(n, b);
}

void net_join(struct net *n)
{
    for (size_t i = 1; i < n->count; i++) {
        net_connect(n, i, net_chance(n, i));
        net_connect(n, i, net_chance(n, i));
        net_run(n, 200);
    }
}

/* What a liar says to a request. */
static struct buf *lie(struct net *n, size_t i, const struct kad_message *m)
{
    const struct net_node *node = &n->nodes[i];
    size_t count = node->kind == NET_LIAR_HUGE    ? HUGE_PEERS
                   : node->kind == NET_LIAR_FAKES ? FAKES
                                                  : 1;
    struct kad_addr_list list = {.count = 0};
    struct multiaddr addr = node->addr;
    if (node->kind == NET_LIAR_NOISE)
        return buf_copy(BYTES_LIT("\x42\xff\xff\xff\xff"));
    kad_addr_list_add(&list, &addr);
    struct kad_addrs own = kad_addrs_pack(&list);
    struct kad_peer_out *peers = calloc(count, sizeof(*peers));
    struct kad_addrs *addrs = calloc(count, sizeof(*addrs));
    assert_non_null(peers);
    assert_non_null(addrs);
    struct kad_key target = kad_key_of(m->key);
    for (size_t j = 0; j < count; j++) {
        struct peer_id best = net_peer_id(net_chance(n, 1U << 30), 7);
        struct kad_key best_key = kad_key_of_peer(&best);
        for (size_t t = 0; t < 30 && node->kind == NET_LIAR_FAKES; t++) {
            struct peer_id id = net_peer_id(net_chance(n, 1U << 30), 7);
            struct kad_key key = kad_key_of_peer(&id);
            if (kad_key_cmp_distance(&target, &key, &best_key) < 0) {
                best = id;
                best_key = key;
            }
        }
        addr = net_addr(net_chance(n, 15000));
        list.count = 0;
        kad_addr_list_add(&list, &addr);
        addrs[j] = count == 1 ? kad_addrs_ref(&own) : kad_addrs_pack(&list);
        peers[j].id = count == 1 ? node->id : best;
        peers[j].addrs = &addrs[j];
    }
    struct kad_message_out out = {
        .type = m->type, .closer = peers, .closer_count = count};
    struct buf *bytes = kad_message_encode(&out, SIZE_MAX);
    for (size_t j = 0; j < count; j++)
        kad_addrs_release(&addrs[j]);
    kad_addrs_release(&own);
    free(peers);
    free(addrs);
    return bytes;
}

static void on_request(struct net *n, struct event *e)
{
    struct net_node *from = &n->nodes[e->from];
    struct net_node *to = &n->nodes[e->to];
    struct event back = {.kind = EVENT_FAILED,
                         .from = e->to,
                         .to = e->from,
                         .message = e->message,
                         .err = E_CLOSED};
    if (to->kind == NET_DEAD)
        return;
    net_connect(n, e->from, e->to);
    struct kad_request request = {
        .from = &from->id, .remote = &from->addr, .bytes = buf_bytes(e->bytes)};
    struct kad_message m;
    assert_int_equal(kad_message_decode(request.bytes, &m), OK);
    if (to->kind != NET_HONEST && e->answered) {
        back.kind = EVENT_REPLY;
        back.bytes = lie(n, e->to, &m);
    } else if (kad_serve(to->kad, &request, net_now(n), &back.bytes) == OK) {
        assert_int_equal(back.bytes != NULL, e->answered);
        back.kind = e->answered ? EVENT_REPLY : EVENT_SENT;
    }
    drain(n, e->to);
    push(n, delay(n), back);
}

static void handle(struct net *n, struct event *e)
{
    struct net_node *to = &n->nodes[e->to];
    struct mtime now = net_now(n);
    note(n, (uint64_t)e->kind * 7 + e->to);
    switch (e->kind) {
    case EVENT_REQUEST:
        on_request(n, e);
        return;
    case EVENT_REPLY:
        if (to->kind != NET_DEAD)
            n->refused_replies +=
                kad_on_reply(to->kad, e->message, &n->nodes[e->from].addr,
                             buf_bytes(e->bytes), now) != OK;
        break;
    case EVENT_SENT:
        kad_on_sent(to->kad, e->message, now);
        break;
    case EVENT_FAILED:
        kad_on_failed(to->kad, e->message, e->err, now);
        break;
    case EVENT_WAKE:
        if (to->wake_ns == n->now_ns)
            to->wake_ns = UINT64_MAX;
        if (to->kind != NET_DEAD)
            kad_on_time(to->kad, now);
        break;
    }
    if (to->kind != NET_DEAD)
        drain(n, e->to);
}

static bool step(struct net *n, uint64_t until_ns)
{
    if (n->events_count == 0 || n->events[0].at_ns > until_ns)
        return false;
    struct event e = pop(n);
    n->now_ns = e.at_ns;
    handle(n, &e);
    buf_unref(e.bytes);
    return true;
}

void net_run(struct net *n, uint64_t ms)
{
    uint64_t until_ns = n->now_ns + ms * MS;
    for (size_t i = 0; i < n->count; i++) {
        if (n->nodes[i].kind != NET_DEAD)
            drain(n, i);
    }
    while (step(n, until_ns))
        ;
    n->now_ns = until_ns;
}

void net_wait(struct net *n, size_t i, uint64_t query)
{
    uint64_t until_ns = n->now_ns + UINT64_C(200000) * MS;
    memset(&n->last, 0, sizeof(n->last));
    n->waiting = true;
    n->result_node = i;
    n->result_query = query;
    drain(n, i);
    while (!n->last.done && step(n, until_ns))
        ;
    n->waiting = false;
    assert_true(n->last.done);
}

size_t net_nearest(const struct net *n, struct bytes key, size_t except,
                   size_t *dst, size_t max)
{
    struct kad_key target = kad_key_of(key);
    size_t count = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (i == except || n->nodes[i].kind == NET_DEAD)
            continue;
        struct kad_key mine = kad_key_of_peer(&n->nodes[i].id);
        size_t at = count;
        for (; at > 0; at--) {
            struct kad_key other = kad_key_of_peer(&n->nodes[dst[at - 1]].id);
            if (kad_key_cmp_distance(&target, &other, &mine) < 0)
                break;
            if (at < max)
                dst[at] = dst[at - 1];
        }
        if (at < max)
            dst[at] = i;
        if (at < max && count < max)
            count++;
    }
    return count;
}
