#include "keeper_net.h"

#include "base/buf.h"
#include "base/wr.h"
#include "storage/audit.h"
#include "storage/message.h"

enum { NETWORK_CUT_MS = 2000 };

enum net_event_kind {
    EVENT_REQUEST, /* arrives at node */
    EVENT_REPLY,
    EVENT_FAILED,
    EVENT_PULLED,
    EVENT_KEPT,
    EVENT_PICKED,
    EVENT_DIGESTS,
    EVENT_FETCHED,
    EVENT_STORED,
    EVENT_CONNECTED,
    EVENT_DISCONNECTED,
};

struct net_event {
    uint64_t at;
    uint64_t order;
    enum net_event_kind kind;
    size_t node;
    uint32_t life;
    size_t other;
    uint64_t id;
    struct keeper_out out; /* what it is the answer to; owned */
};

/* Requests that were served and wait for their reply. */
struct pending {
    size_t server;
    uint32_t server_life;
    uint64_t server_id;
    size_t asker;
    uint32_t asker_life;
    uint64_t asker_id;
    bool used;
};

enum { PENDING_MAX = 1024 };

static struct net *current;   /* NOLINT: until it is freed */
static uint64_t current_seed; /* NOLINT: of this test alone */

static struct pending pendings[PENDING_MAX]; /* NOLINT: of this test alone */
static size_t pendings_next;                 /* NOLINT: of this test alone */

static uint64_t setting(const char *name, uint64_t normal)
{
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return text == NULL ? normal : strtoull(text, NULL, 10);
}

uint64_t net_first_seed(void)
{
    return setting("KEEPER_SEED", 1);
}

uint64_t net_last_seed(uint64_t normal)
{
    return setting("KEEPER_SEEDS", normal);
}

void net_filter(void)
{
    const char *name =
        getenv("KEEPER_TEST"); /* NOLINT(concurrency-mt-unsafe) */
    if (name != NULL)
        cmocka_set_test_filter(name);
}

static void fill(struct rng *r, uint8_t *dst, size_t len)
{
    struct net *n = (struct net *)(void *)r;
    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)net_random(n, 256);
}

uint64_t net_random(struct net *n, uint64_t below)
{
    n->random ^= n->random << 13;
    n->random ^= n->random >> 7;
    n->random ^= n->random << 17;
    return (n->random * UINT64_C(0x2545F4914F6CDD1D) >> 16) % below;
}

struct keeper_now net_now(const struct net *n)
{
    return (struct keeper_now){
        .mono = {.ns = n->now_ms * 1000000},
        .unix_ms = n->unix_ms + n->now_ms,
    };
}

static bool is_before(const struct net_event *a, const struct net_event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct net_event *add(struct net *n, enum net_event_kind kind,
                             size_t node, uint64_t delay_ms)
{
    if (n->events_count == n->events_room) {
        n->events_room = n->events_room * 2 + 64;
        n->events =
            realloc(n->events, n->events_room * sizeof(struct net_event));
        assert_non_null(n->events);
    }
    struct net_event *e = &n->events[n->events_count++];
    *e = (struct net_event){.at = n->now_ms + delay_ms,
                            .order = n->orders++,
                            .kind = kind,
                            .node = node,
                            .life = n->nodes[node].life};
    return e;
}

/* Events are few: the earliest is looked for. */
static size_t earliest(const struct net *n)
{
    size_t best = 0;
    for (size_t i = 1; i < n->events_count; i++) {
        if (is_before(&n->events[i], &n->events[best]))
            best = i;
    }
    return best;
}

static bool reachable(const struct net *n, size_t a, size_t b)
{
    return n->nodes[a].keeper != NULL && n->nodes[b].keeper != NULL &&
           n->nodes[a].side == n->nodes[b].side && !n->nodes[a].shuns[b];
}

static size_t find_node(const struct net *n, const struct peer_id *id)
{
    for (size_t i = 0; i < n->count; i++) {
        if (peer_id_eq(&n->nodes[i].id, id))
            return i;
    }
    return SIZE_MAX;
}

static size_t find_root(const struct net *n, const struct cid *cid)
{
    for (size_t i = 0; i < n->roots_count; i++) {
        if (cid_eq(&n->roots[i], cid))
            return i;
    }
    fail_msg("unknown root");
    return 0;
}

static uint64_t latency(struct net *n)
{
    return 1 + net_random(n, 40);
}

/* Block @index of the object @root: its CID, and what it is made of. */
static struct cid block_of(size_t root, size_t index, uint8_t data[2])
{
    data[0] = (uint8_t)root;
    data[1] = (uint8_t)index;
    return cid_of(CODEC_RAW, (struct bytes){.p = data, .len = 2});
}

static bool find_block(const struct net *n, const struct cid *cid,
                       size_t *ret_root, uint8_t data[2])
{
    for (size_t r = 0; r < n->roots_count; r++) {
        for (size_t i = 0; i < NET_BLOCKS; i++) {
            struct cid other = block_of(r, i, data);
            if (!cid_eq(&other, cid))
                continue;
            *ret_root = r;
            return true;
        }
    }
    return false;
}

static bool any_source(const struct net *n, size_t node, size_t root)
{
    for (size_t i = 0; i < n->count; i++) {
        if (i != node && reachable(n, node, i) && n->nodes[i].has[root] &&
            !n->nodes[i].corrupts)
            return true;
    }
    return false;
}

static void pulled(struct net *n, struct net_event *e)
{
    struct net_node *node = &n->nodes[e->node];
    size_t root = find_root(n, &e->out.root);
    enum err err = OK;
    if (n->bytes[root] > e->out.size_bytes)
        err = E_LIMIT;
    else if (node->disk_full)
        err = E_NOSPACE;
    else if (!node->has[root] && !any_source(n, e->node, root))
        err = E_NOTFOUND;
    if (err == OK && !node->lies)
        node->has[root] = true;
    keeper_on_pulled(node->keeper, e->id, err, n->bytes[root], NET_BLOCKS,
                     net_now(n));
}

static void picked(struct net *n, struct net_event *e)
{
    struct net_node *node = &n->nodes[e->node];
    size_t root = find_root(n, &e->out.root);
    struct cid cids[KEEPER_CIDS_MAX];
    uint8_t data[2];
    for (size_t i = 0; i < e->out.blocks; i++)
        cids[i] = block_of(root, net_random(n, NET_BLOCKS), data);
    keeper_on_picked(node->keeper, e->id, node->has[root] ? OK : E_NOTFOUND,
                     cids, (size_t)e->out.blocks, net_now(n));
}

static void digests(struct net *n, struct net_event *e)
{
    struct net_node *node = &n->nodes[e->node];
    struct audit_digest out[KEEPER_CIDS_MAX];
    struct audit_question q = {.auditor = e->out.auditor,
                               .holder = e->out.peer};
    memcpy(q.nonce, e->out.nonce, sizeof(q.nonce));
    for (size_t i = 0; i < e->out.cids_count; i++) {
        uint8_t data[2];
        size_t root = 0;
        out[i] = (struct audit_digest){0};
        if (!find_block(n, &e->out.cids[i], &root, data))
            continue;
        if ((!node->has[root] || node->forgets) && !node->lies)
            continue;
        if (node->lies && peer_id_eq(&q.holder, &node->id))
            data[1] ^= 0xff; /* it makes something up */
        out[i] = audit_digest_of(&q, &e->out.cids[i],
                                 (struct bytes){.p = data, .len = 2});
    }
    keeper_on_digests(node->keeper, e->id, out, e->out.cids_count, net_now(n));
}

static void fetched(struct net *n, struct net_event *e)
{
    size_t holder = find_node(n, &e->out.peer);
    uint8_t data[2];
    size_t root = 0;
    enum err err = OK;
    if (holder == SIZE_MAX || !reachable(n, e->node, holder))
        err = E_CLOSED;
    for (size_t i = 0; err == OK && i < e->out.cids_count; i++) {
        assert_true(find_block(n, &e->out.cids[i], &root, data));
        if (!n->nodes[holder].has[root] || n->nodes[holder].lies)
            err = E_NOTFOUND;
        else if (n->nodes[holder].corrupts)
            err = E_MISMATCH;
    }
    keeper_on_fetched(n->nodes[e->node].keeper, e->id, err, net_now(n));
}

static void store_row(struct net_node *node, const struct keeper_out *out)
{
    size_t i = 0;
    while (i < node->rows_count &&
           memcmp(node->rows[i].key, out->key, out->key_len) != 0)
        i++;
    if (i < node->rows_count)
        free(node->rows[i].value);
    if (out->data == NULL || out->data->len == 0) {
        if (i < node->rows_count)
            node->rows[i] = node->rows[--node->rows_count];
        return;
    }
    if (i == node->rows_count)
        assert_true(++node->rows_count <= NET_ROWS_MAX);
    struct net_row *row = &node->rows[i];
    memcpy(row->key, out->key, out->key_len);
    row->key_len = out->key_len;
    row->value = malloc(out->data->len);
    assert_non_null(row->value);
    memcpy(row->value, out->data->data, out->data->len);
    row->value_len = out->data->len;
}

static void stored(struct net *n, struct net_event *e)
{
    struct net_node *node = &n->nodes[e->node];
    bool is_full = node->disk_full && e->out.data != NULL;
    if (!is_full)
        store_row(node, &e->out);
    keeper_on_stored(node->keeper, e->id, is_full ? E_NOSPACE : OK, net_now(n));
}

static void fail_later(struct net *n, size_t node, uint64_t id,
                       uint64_t delay_ms)
{
    add(n, EVENT_FAILED, node, delay_ms)->id = id;
}

static void request(struct net *n, struct net_event *e)
{
    size_t asker = e->other;
    if (!reachable(n, e->node, asker)) {
        fail_later(n, asker, e->id, NETWORK_CUT_MS);
        return;
    }
    struct pending *p = &pendings[pendings_next++ % PENDING_MAX];
    *p = (struct pending){.server = e->node,
                          .server_life = n->nodes[e->node].life,
                          .asker = asker,
                          .asker_life = n->nodes[asker].life,
                          .asker_id = e->id};
    uint64_t id = 0;
    enum err err = keeper_serve(n->nodes[e->node].keeper, &n->nodes[asker].id,
                                buf_bytes(e->out.data), net_now(n), &id);
    if (err != OK) {
        fail_later(n, asker, e->id, latency(n));
        return;
    }
    p->server_id = id;
    p->used = true;
}

static void reply(struct net *n, struct net_event *e)
{
    if (reachable(n, e->node, e->other))
        keeper_on_reply(n->nodes[e->node].keeper, e->id, buf_bytes(e->out.data),
                        net_now(n));
    else
        fail_later(n, e->node, e->id, NETWORK_CUT_MS);
}

static void connection(struct net *n, size_t node, size_t other, bool is_up)
{
    struct net_node *me = &n->nodes[node];
    if (me->connected[other] == is_up)
        return;
    me->connected[other] = is_up;
    struct ma_ip ip = {.len = 4};
    memcpy(ip.bytes, n->nodes[other].ip, 4);
    keeper_on_peer(me->keeper, &n->nodes[other].id, is_up, ma_ip_group(&ip),
                   net_now(n));
}

static void happen(struct net *n, struct net_event *e)
{
    struct net_node *node = &n->nodes[e->node];
    if (e->kind == EVENT_REQUEST) {
        request(n, e);
        return;
    }
    if (node->keeper == NULL || node->life != e->life)
        return;
    switch (e->kind) {
    case EVENT_REQUEST:
        break;
    case EVENT_REPLY:
        reply(n, e);
        break;
    case EVENT_FAILED:
        keeper_on_failed(node->keeper, e->id, E_TIMEOUT, net_now(n));
        break;
    case EVENT_PULLED:
        pulled(n, e);
        break;
    case EVENT_KEPT:
        node->kept[find_root(n, &e->out.root)] = true;
        keeper_on_kept(node->keeper, e->id, OK, net_now(n));
        break;
    case EVENT_PICKED:
        picked(n, e);
        break;
    case EVENT_DIGESTS:
        digests(n, e);
        break;
    case EVENT_FETCHED:
        fetched(n, e);
        break;
    case EVENT_STORED:
        stored(n, e);
        break;
    case EVENT_CONNECTED:
        if (reachable(n, e->node, e->other))
            connection(n, e->node, e->other, true);
        break;
    case EVENT_DISCONNECTED:
        if (!reachable(n, e->node, e->other))
            connection(n, e->node, e->other, false);
        break;
    }
}

static void answer(struct net *n, size_t node, struct keeper_out *out)
{
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &pendings[i];
        if (!p->used || p->server != node || p->server_id != out->id ||
            p->server_life != n->nodes[node].life)
            continue;
        p->used = false;
        if (n->nodes[p->asker].life != p->asker_life)
            return;
        struct net_event *e = add(n, EVENT_REPLY, p->asker, latency(n));
        e->id = p->asker_id;
        e->other = node;
        e->out = *out;
        *out = (struct keeper_out){0};
        return;
    }
    free(n->reply);
    n->reply = malloc(out->data->len);
    assert_non_null(n->reply);
    memcpy(n->reply, out->data->data, out->data->len);
    n->reply_len = out->data->len;
}

enum err net_ask(struct net *n, size_t from, size_t to,
                 const struct storage_message *message,
                 struct storage_message *ret_answer)
{
    static uint8_t bytes[STORAGE_MESSAGE_BYTES_MAX];
    struct wr w = wr_init(bytes, sizeof(bytes));
    storage_message_encode(&w, message);
    free(n->reply);
    n->reply = NULL;
    uint64_t id = 0;
    enum err err = keeper_serve(n->nodes[to].keeper, &n->nodes[from].id,
                                (struct bytes){.p = bytes, .len = wr_len(&w)},
                                net_now(n), &id);
    if (err != OK)
        return err;
    net_drain(n, to);
    for (int i = 0; i < 10 && n->reply == NULL; i++)
        net_run(n, 100);
    if (n->reply == NULL)
        return E_TIMEOUT;
    return storage_message_decode(
        (struct bytes){.p = n->reply, .len = n->reply_len}, ret_answer);
}

static void note_event(struct net *n, size_t node, const struct keeper_out *o)
{
    n->nodes[node].events[o->event]++;
    if (o->event == KEEPER_EVENT_REFUSED)
        n->nodes[node].refused = o->reason;
    if (getenv("KEEPER_NET_TRACE") != NULL) /* NOLINT(concurrency-mt-unsafe) */
        printf("%8llu node %zu: %s peer %d %s %u/%u %s %s\n",
               (unsigned long long)n->now_ms, node, keeper_event_name(o->event),
               (int)find_node(n, &o->peer), keeper_state_name(o->state),
               o->count, o->wanted, o->reason == NULL ? "" : o->reason,
               err_name(o->err));
    if (o->event == KEEPER_EVENT_RELEASED && o->err == E_EXISTS &&
        n->wanted > 0) {
        /* The copy goes now: as many as wanted must be elsewhere. */
        size_t root = find_root(n, &o->root);
        size_t left = 0;
        for (size_t i = 1; i < n->count; i++)
            left +=
                i != node && n->nodes[i].has[root] && n->nodes[i].kept[root];
        assert_true(left >= n->wanted);
    }
}

static void later(struct net *n, size_t node, enum net_event_kind kind,
                  uint64_t delay_ms, struct keeper_out *out)
{
    struct net_event *e = add(n, kind, node, delay_ms);
    e->id = out->id;
    e->out = *out;
    *out = (struct keeper_out){0};
}

static void send_request(struct net *n, size_t node, struct keeper_out *out)
{
    size_t to = find_node(n, &out->peer);
    n->sent++;
    assert_true(to != node);
    if (to == SIZE_MAX || !reachable(n, node, to)) {
        fail_later(n, node, out->id, NETWORK_CUT_MS);
        return;
    }
    uint64_t id = out->id;
    later(n, to, EVENT_REQUEST, latency(n), out);
    struct net_event *e = &n->events[n->events_count - 1];
    e->other = node;
    e->id = id;
}

static void cancel(struct net *n, size_t node, uint64_t id)
{
    for (size_t i = 0; i < n->events_count; i++) {
        struct net_event *e = &n->events[i];
        if (e->kind == EVENT_PULLED && e->node == node && e->id == id)
            e->life = 0;
    }
}

static void drop(struct net *n, size_t node, const struct cid *cid)
{
    size_t root = find_root(n, cid);
    n->nodes[node].kept[root] = false;
    n->nodes[node].has[root] = false;
}

static void handle(struct net *n, size_t node, struct keeper_out *out)
{
    switch (out->kind) {
    case KEEPER_SEND:
        send_request(n, node, out);
        break;
    case KEEPER_REPLY:
        answer(n, node, out);
        break;
    case KEEPER_PULL:
        n->nodes[node].pull = out->id;
        later(n, node, EVENT_PULLED,
              n->pull_ms > 0 ? n->pull_ms : 50 + net_random(n, 500), out);
        break;
    case KEEPER_PULL_CANCEL:
        cancel(n, node, out->id);
        break;
    case KEEPER_KEEP:
        later(n, node, EVENT_KEPT, latency(n), out);
        break;
    case KEEPER_DROP:
        drop(n, node, &out->root);
        break;
    case KEEPER_PICK:
        later(n, node, EVENT_PICKED, net_random(n, 5), out);
        break;
    case KEEPER_DIGEST:
        later(n, node, EVENT_DIGESTS, net_random(n, 20), out);
        break;
    case KEEPER_FETCHBACK:
        later(n, node, EVENT_FETCHED, latency(n), out);
        break;
    case KEEPER_STORE:
        later(n, node, EVENT_STORED, latency(n), out);
        break;
    case KEEPER_EVENT:
        note_event(n, node, out);
        break;
    case KEEPER_DONE:
        n->nodes[node].done_job = out->id;
        n->nodes[node].done_err = out->err;
        break;
    }
}

void net_drain(struct net *n, size_t node)
{
    struct keeper_out out;
    while (n->nodes[node].keeper != NULL &&
           keeper_next(n->nodes[node].keeper, &out)) {
        handle(n, node, &out);
        keeper_out_release(&out);
    }
}

static uint64_t deadline_ms(const struct net *n, size_t *ret_node)
{
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < n->count; i++) {
        if (n->nodes[i].keeper == NULL)
            continue;
        uint64_t ns = keeper_deadline(n->nodes[i].keeper).ns;
        uint64_t ms = ns == UINT64_MAX ? ns : (ns + 999999) / 1000000;
        if (ms < best) {
            best = ms;
            *ret_node = i;
        }
    }
    return best < n->now_ms ? n->now_ms : best;
}

static void step(struct net *n)
{
    size_t i = earliest(n);
    struct net_event e = n->events[i];
    n->events[i] = n->events[--n->events_count];
    n->now_ms = e.at;
    happen(n, &e);
    keeper_out_release(&e.out);
    net_drain(n, e.node);
}

void net_run(struct net *n, uint64_t ms)
{
    uint64_t end = n->now_ms + ms;
    uint64_t steps_at = n->now_ms;
    uint32_t steps = 0;
    for (;;) {
        size_t node = 0;
        uint64_t at = deadline_ms(n, &node);
        uint64_t event_at =
            n->events_count > 0 ? n->events[earliest(n)].at : UINT64_MAX;
        if (at > end && event_at > end)
            break;
        if (event_at <= at) {
            step(n);
        } else {
            n->now_ms = at;
            keeper_on_time(n->nodes[node].keeper, net_now(n));
            net_drain(n, node);
        }
        steps = n->now_ms == steps_at ? steps + 1 : 0;
        steps_at = n->now_ms;
        assert_true(steps < 10000); /* a timer that never lets time pass */
    }
    n->now_ms = end;
}

void net_views(struct net *n)
{
    for (size_t i = 0; i < n->count; i++) {
        struct placement_candidate c[NET_NODES_MAX];
        size_t count = 0;
        if (n->nodes[i].keeper == NULL)
            continue;
        for (size_t j = 0; j < n->count; j++) {
            if (!reachable(n, i, j) || j == i || n->nodes[i].is_lazy ||
                net_random(n, 100) >= n->view_percent)
                continue;
            c[count] = (struct placement_candidate){
                .peer = n->nodes[j].id, .free_class = 20, .quality = 50};
            c[count].ip.len = 4;
            memcpy(c[count++].ip.bytes, n->nodes[j].ip, 4);
        }
        keeper_set_candidates(n->nodes[i].keeper, c, count, net_now(n));
        net_drain(n, i);
    }
}

static void connect_all(struct net *n, size_t node)
{
    for (size_t i = 0; i < n->count; i++) {
        if (i == node || !reachable(n, node, i))
            continue;
        add(n, EVENT_CONNECTED, node, latency(n))->other = i;
        add(n, EVENT_CONNECTED, i, latency(n))->other = node;
    }
}

static void disconnect_all(struct net *n)
{
    for (size_t i = 0; i < n->count; i++) {
        for (size_t j = 0; j < n->count; j++) {
            if (i != j && n->nodes[i].connected[j] && !reachable(n, i, j))
                add(n, EVENT_DISCONNECTED, i, net_random(n, 3000))->other = j;
        }
    }
}

void net_start(struct net *n, size_t node)
{
    struct net_node *me = &n->nodes[node];
    assert_null(me->keeper);
    me->life++;
    me->keeper = keeper_new(&n->config, &me->key, &n->rng, net_now(n));
    for (size_t i = 0; i < me->rows_count; i++) {
        const struct net_row *row = &me->rows[i];
        assert_int_equal(
            keeper_load(me->keeper,
                        (struct bytes){.p = row->key, .len = row->key_len},
                        (struct bytes){.p = row->value, .len = row->value_len},
                        net_now(n)),
            OK);
    }
    keeper_start(me->keeper, net_now(n));
    net_drain(n, node);
    connect_all(n, node);
    net_views(n);
}

/* Who waits for an answer of @node sees its streams end. */
static void fail_pendings(struct net *n, size_t node)
{
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &pendings[i];
        if (!p->used || p->server != node)
            continue;
        p->used = false;
        if (n->nodes[p->asker].keeper != NULL &&
            n->nodes[p->asker].life == p->asker_life)
            fail_later(n, p->asker, p->asker_id, latency(n));
    }
}

void net_kill(struct net *n, size_t node)
{
    struct net_node *me = &n->nodes[node];
    fail_pendings(n, node);
    keeper_free(me->keeper);
    me->keeper = NULL;
    me->life++;
    memset(me->connected, 0, sizeof(me->connected));
    disconnect_all(n);
    net_views(n);
}

void net_wipe(struct net *n, size_t node)
{
    struct net_node *me = &n->nodes[node];
    assert_null(me->keeper);
    for (size_t i = 0; i < me->rows_count; i++)
        free(me->rows[i].value);
    me->rows_count = 0;
    memset(me->has, 0, sizeof(me->has));
    memset(me->kept, 0, sizeof(me->kept));
}

void net_split(struct net *n, size_t first)
{
    for (size_t i = first; i < n->count; i++)
        n->nodes[i].side = 1;
    disconnect_all(n);
    net_views(n);
}

void net_heal(struct net *n)
{
    for (size_t i = 0; i < n->count; i++)
        n->nodes[i].side = 0;
    for (size_t i = 0; i < n->count; i++) {
        if (n->nodes[i].keeper != NULL)
            connect_all(n, i);
    }
    net_views(n);
}

void net_shun(struct net *n, size_t node, size_t other)
{
    n->nodes[node].shuns[other] = true;
    n->nodes[other].shuns[node] = true;
    disconnect_all(n);
    net_views(n);
}

int net_teardown(void **state)
{
    (void)state;
    if (current == NULL)
        return 0;
    print_message("seed %llu\n", (unsigned long long)current_seed);
    net_free(current);
    return 0;
}

struct net *net_new(uint64_t seed, size_t count)
{
    struct net *n = calloc(1, sizeof(*n));
    assert_non_null(n);
    current = n;
    current_seed = seed;
    n->rng.fill = fill;
    n->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    n->unix_ms = UINT64_C(1800000000000);
    n->count = count;
    n->view_percent = 100;
    n->config =
        (struct keeper_config){.network = "testnet",
                               .offer_bytes = UINT64_C(100) * 1000 * 1000,
                               .grace_ms = NET_GRACE_MS,
                               .audit_ms = NET_AUDIT_MS,
                               .receipt_ms = UINT64_C(3600) * 1000,
                               .request_ms = 2000,
                               .pull_ms = 10000};
    memset(pendings, 0, sizeof(pendings));
    for (size_t i = 0; i < count; i++) {
        uint8_t key_seed[ED25519_SEED_BYTES] = {(uint8_t)i, (uint8_t)seed,
                                                (uint8_t)(seed >> 8), 1};
        privkey_init_seed(&n->nodes[i].key, key_seed);
        n->nodes[i].id = privkey_peer_id(&n->nodes[i].key);
        n->nodes[i].ip[0] = 20;
        n->nodes[i].ip[1] = (uint8_t)(i + 1);
        n->nodes[i].ip[3] = 1;
    }
    for (size_t i = 0; i < count; i++)
        net_start(n, i);
    net_run(n, 1000);
    return n;
}

void net_free(struct net *n)
{
    current = NULL;
    for (size_t i = 0; i < n->count; i++) {
        keeper_free(n->nodes[i].keeper);
        n->nodes[i].keeper = NULL;
        net_wipe(n, i);
        privkey_release(&n->nodes[i].key);
    }
    for (size_t i = 0; i < n->events_count; i++)
        keeper_out_release(&n->events[i].out);
    free(n->events);
    free(n->reply);
    free(n);
}

size_t net_root(struct net *n, uint64_t bytes)
{
    assert_true(n->roots_count < NET_ROOTS_MAX);
    uint8_t name[3] = {'r', (uint8_t)n->roots_count,
                       (uint8_t)net_random(n, 256)};
    n->roots[n->roots_count] =
        cid_of(CODEC_RAW, (struct bytes){.p = name, .len = sizeof(name)});
    n->bytes[n->roots_count] = bytes;
    return n->roots_count++;
}

void net_put(struct net *n, size_t owner, size_t root, uint32_t copies)
{
    struct keeper_want want = {.root = n->roots[root],
                               .size_bytes = NET_OBJECT_BYTES,
                               .blocks = NET_BLOCKS,
                               .copies = copies};
    n->nodes[owner].has[root] = true;
    assert_int_equal(keeper_put(n->nodes[owner].keeper, &want, net_now(n)), OK);
    net_drain(n, owner);
}

struct keeper_status net_status(struct net *n, size_t node, size_t root)
{
    struct keeper_status s;
    assert_int_equal(
        keeper_status(n->nodes[node].keeper, &n->roots[root], net_now(n), &s),
        OK);
    return s;
}

size_t net_holders(const struct net *n, size_t owner, size_t root)
{
    size_t count = 0;
    while (net_holder(n, owner, root, count) != SIZE_MAX)
        count++;
    return count;
}

size_t net_holder(const struct net *n, size_t owner, size_t root, size_t nth)
{
    for (size_t i = 0; i < n->count; i++) {
        const struct net_node *node = &n->nodes[i];
        if (i == owner || node->keeper == NULL || !node->has[root] ||
            !node->kept[root])
            continue;
        if (nth-- == 0)
            return i;
    }
    return SIZE_MAX;
}

void net_print(struct net *n, size_t root)
{
    for (size_t i = 0; i < n->count; i++) {
        struct keeper_status s;
        if (n->nodes[i].keeper == NULL ||
            keeper_status(n->nodes[i].keeper, &n->roots[root], net_now(n),
                          &s) != OK)
            continue;
        printf("%8llu node %zu: %s %s %u of %u, seq %llu:",
               (unsigned long long)n->now_ms, i,
               s.role == KEEPER_OWNER ? "owner" : "holder",
               keeper_state_name(s.state), s.copies_stored, s.copies_wanted,
               (unsigned long long)(s.seq - n->unix_ms));
        for (size_t h = 0; h < s.holders_count; h++)
            printf(" %zu %s", find_node(n, &s.holders[h].peer),
                   keeper_holder_state_name(s.holders[h].state));
        printf("\n");
    }
}
