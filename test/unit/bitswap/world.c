#include "world.h"

#include "base/mem.h"
#include "crypto/hash.h"
#include "multiformats/multicodec.h"

#include "test.h"

enum { NS_PER_US = 1000, FLOOD_MS = 40 };

static void trace(struct world *w, uint64_t what)
{
    w->trace = (w->trace ^ what) * UINT64_C(0x100000001b3);
    w->trace ^= w->trace >> 29;
}

static uint64_t random_u64(struct world *w)
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t world_random(struct world *w, uint32_t below)
{
    return (uint32_t)(random_u64(w) % below);
}

/* Events. */

static bool before(const struct world_event *a, const struct world_event *b)
{
    return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->seq < b->seq;
}

static void event_put(struct world *w, struct world_event e, struct mtime at)
{
    if (w->events_count == w->events_max) {
        w->events_max = w->events_max == 0 ? 64 : 2 * w->events_max;
        w->events =
            mem_resize(w->events, w->events_max, sizeof(struct world_event));
    }
    e.at = at;
    e.seq = w->seq++;
    size_t i = w->events_count++;
    while (i > 0 && before(&e, &w->events[(i - 1) / 2])) {
        w->events[i] = w->events[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->events[i] = e;
}

static struct world_event event_take(struct world *w)
{
    struct world_event first = w->events[0];
    struct world_event last = w->events[--w->events_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->events_count)
            break;
        if (child + 1 < w->events_count &&
            before(&w->events[child + 1], &w->events[child]))
            child++;
        if (!before(&w->events[child], &last))
            break;
        w->events[i] = w->events[child];
        i = child;
    }
    if (w->events_count > 0)
        w->events[i] = last;
    return first;
}

static struct mtime after_us(const struct world *w, uint64_t us)
{
    return (struct mtime){w->now.ns + us * NS_PER_US};
}

void world_after(struct world *w, int kind, uint32_t from, uint32_t to,
                 uint32_t ms)
{
    struct world_event e = {.from = from, .to = to};
    e.kind = (unsigned)kind;
    event_put(w, e, mtime_add_ms(w->now, ms));
}

/* Making. */

static struct slice random_data(struct world *w, size_t len)
{
    struct buf *b = buf_new(len);
    for (size_t i = 0; i < len; i += 8) {
        uint64_t r = random_u64(w);
        memcpy(b->data + i, &r, len - i < 8 ? len - i : 8);
    }
    b->len = len;
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

struct world *world_new(uint64_t seed, size_t blocks, size_t bytes_max)
{
    struct world *w = mem_zalloc(1, sizeof(*w));
    assert_true(blocks <= WORLD_BLOCKS_MAX);
    w->random = seed;
    w->blocks_count = blocks;
    for (size_t i = 0; i < blocks; i++) {
        /* Mostly small, some at the limit. */
        uint32_t scale = world_random(w, 4);
        size_t max = bytes_max >> (3 * scale);
        size_t len = 9 + world_random(w, (uint32_t)max + 1);
        struct slice data = random_data(w, len);
        uint64_t codec = world_random(w, 3) == 0 ? CODEC_DAG_PB : CODEC_RAW;
        w->blocks[i].data = data;
        w->blocks[i].cid = cid_of(codec, data.bytes);
        if (codec == CODEC_DAG_PB && world_random(w, 2) == 0)
            w->blocks[i].cid = cid_v0_of(data.bytes);
    }
    return w;
}

struct world *world_new_even(uint64_t seed, size_t blocks, size_t bytes)
{
    struct world *w = world_new(seed, 0, 0);
    assert_true(blocks <= WORLD_BLOCKS_MAX);
    w->blocks_count = blocks;
    for (size_t i = 0; i < blocks; i++) {
        w->blocks[i].data = random_data(w, bytes);
        w->blocks[i].cid = cid_of(CODEC_RAW, w->blocks[i].data.bytes);
    }
    return w;
}

uint32_t world_add(struct world *w, enum world_kind kind,
                   enum bs_version version)
{
    uint32_t a = (uint32_t)w->peers_count++;
    assert_true(a < WORLD_PEERS_MAX);
    struct world_peer *p = &w->peers[a];
    uint8_t key[4] = {0, 2, 'p', (uint8_t)a};
    assert_int_equal(peer_id_decode((struct bytes){key, 4}, &p->id), OK);
    p->kind = kind;
    p->version = version;
    p->timer = MTIME_NEVER;
    p->latency_us = 100 + world_random(w, 40000);
    p->rate = 500 + world_random(w, 50000);
    struct bs_client_config client = {.peers_max = WORLD_PEERS_MAX};
    struct bs_server_config server = {.peers_max = WORLD_PEERS_MAX};
    for (size_t i = 0; i < sizeof(client.seed); i++) {
        client.seed[i] = (uint8_t)random_u64(w);
        server.seed[i] = (uint8_t)random_u64(w);
    }
    p->client = bs_client_new(&client, w->now);
    p->server = bs_server_new(&server);
    if (kind == WORLD_FLOODS)
        world_after(w, WORLD_FLOOD, a, a, FLOOD_MS);
    return a;
}

void world_join(struct world *w, uint32_t a, uint32_t b)
{
    for (int i = 0; i < 2; i++) {
        struct world_peer *p = &w->peers[a];
        const struct world_peer *q = &w->peers[b];
        struct world_link *link = &w->links[a][b];
        /* The older of the two versions is what they agree on. */
        enum bs_version v = p->version < q->version ? p->version : q->version;
        assert_false(link->up);
        link->up = true;
        link->streams++;
        link->busy_until = w->now;
        link->last = w->now;
        bs_frame_reader_init(&link->reader);
        assert_int_equal(bs_client_peer_added(p->client, &q->id, v, w->now),
                         OK);
        assert_int_equal(bs_server_peer_added(p->server, &q->id, v, w->now),
                         OK);
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    world_pump(w, a);
    world_pump(w, b);
}

void world_join_all(struct world *w)
{
    for (uint32_t a = 0; a < w->peers_count; a++) {
        for (uint32_t b = a + 1; b < w->peers_count; b++)
            world_join(w, a, b);
    }
}

void world_part(struct world *w, uint32_t a, uint32_t b)
{
    if (!w->links[a][b].up)
        return;
    for (int i = 0; i < 2; i++) {
        struct world_link *link = &w->links[a][b];
        link->up = false;
        bs_frame_reader_release(&link->reader);
        bs_client_peer_removed(w->peers[a].client, &w->peers[b].id, w->now);
        bs_server_peer_removed(w->peers[a].server, &w->peers[b].id);
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    world_pump(w, a);
    world_pump(w, b);
}

void world_want(struct world *w, uint32_t a, uint32_t block, int32_t priority)
{
    struct world_peer *p = &w->peers[a];
    if (p->session == NULL)
        assert_int_equal(
            bs_session_open(p->client, BS_CLASS_NORMAL, &p->session), OK);
    struct bs_want want = {.cid = w->blocks[block].cid,
                           .id = p->wants_count,
                           .priority = priority};
    assert_true(p->wants_count < WORLD_WANTS_MAX);
    p->wants[p->wants_count++].block = block;
    assert_int_equal(bs_session_want(p->client, p->session, &want, w->now), OK);
}

void world_store(struct world *w, uint32_t a, uint32_t block)
{
    struct world_peer *p = &w->peers[a];
    if (p->has[block])
        return;
    p->has[block] = true;
    bs_server_on_new_block(p->server, &w->blocks[block].cid);
}

/* Sending. */

static struct slice flatten(const struct bs_frame *frame)
{
    struct buf *all = buf_new(frame->len);
    for (size_t i = 0; i < frame->parts_count; i++) {
        struct bytes part = frame->parts[i].bytes;
        memcpy(all->data + all->len, part.p, part.len);
        all->len += part.len;
    }
    assert_int_equal(all->len, frame->len);
    return (struct slice){.buf = all, .bytes = buf_bytes(all)};
}

static uint32_t number_of(const struct world *w, const struct peer_id *id)
{
    for (uint32_t i = 0; i < w->peers_count; i++) {
        if (peer_id_eq(&w->peers[i].id, id))
            return i;
    }
    fail_msg("no such peer");
    return 0;
}

/* Streams keep their order; each message takes its time. */
static void send_frame(struct world *w, uint32_t from,
                       const struct peer_id *to_id, struct bs_frame *frame,
                       bool of_server)
{
    uint32_t to = number_of(w, to_id);
    struct world_peer *p = &w->peers[from];
    struct world_link *link = &w->links[from][to];
    size_t len = frame->len;
    assert_true(link->up);
    struct world_event e = {.kind = WORLD_DELIVER,
                            .from = from,
                            .to = to,
                            .stream = link->streams,
                            .data = flatten(frame),
                            .len = len};
    bs_frame_free(frame);
    trace(w, siphash13((const uint8_t[16]){1}, e.data.bytes));
    w->messages++;
    w->sent_bytes += len;
    if (link->busy_until.ns < w->now.ns)
        link->busy_until = w->now;
    link->busy_until.ns += len * 1000000 / p->rate;
    struct mtime at = link->busy_until;
    at.ns += (uint64_t)(p->latency_us + world_random(w, 2000)) * NS_PER_US;
    if (at.ns <= link->last.ns)
        at.ns = link->last.ns + 1;
    link->last = at;
    event_put(w, e, at);
    if (!of_server)
        return;
    struct world_event drained = {.kind = WORLD_DRAINED,
                                  .from = from,
                                  .to = to,
                                  .stream = link->streams,
                                  .len = len};
    event_put(w, drained, link->busy_until);
}

static bool find_block(const struct world *w, const struct cid *cid,
                       uint32_t *ret_block)
{
    for (uint32_t i = 0; i < w->blocks_count; i++) {
        if (multihash_eq(&w->blocks[i].cid.hash, &cid->hash)) {
            *ret_block = i;
            return true;
        }
    }
    return false;
}

static void on_got(struct world *w, uint32_t a, struct bs_client_out *out)
{
    struct world_peer *p = &w->peers[a];
    assert_ptr_equal(out->session, p->session);
    assert_true(out->want_id < p->wants_count);
    struct world_want *want = &p->wants[out->want_id];
    const struct world_block *block = &w->blocks[want->block];
    assert_true(cid_eq(&out->cid, &block->cid));
    assert_true(bytes_eq(out->data.bytes, block->data.bytes));
    assert_int_equal(want->got, 0);
    want->got++;
    p->got_count++;
    if (p->keeps)
        world_store(w, a, want->block);
    slice_release(&out->data);
}

static void on_client_out(struct world *w, uint32_t a,
                          struct bs_client_out *out)
{
    struct world_peer *p = &w->peers[a];
    trace(w, (uint64_t)out->kind << 32 | a);
    switch (out->kind) {
    case BS_CLIENT_SEND:
        send_frame(w, a, &out->peer, out->frame, false);
        break;
    case BS_CLIENT_FETCH:
    case BS_CLIENT_UNFETCH:
        fail(); /* there is no gateway */
        break;
    case BS_CLIENT_HASH:
        event_put(w,
                  (struct world_event){.kind = WORLD_HASHED,
                                       .from = a,
                                       .id = out->hash_id,
                                       .code = out->hash_code,
                                       .data = out->data},
                  after_us(w, world_random(w, 3000)));
        break;
    case BS_CLIENT_GOT:
        on_got(w, a, out);
        break;
    case BS_CLIENT_MISSING:
        assert_ptr_equal(out->session, p->session);
        p->wants[out->want_id].missing++;
        break;
    case BS_CLIENT_FAULT:
        /* Whoever plays by the rules is never blamed. */
        assert_true(w->peers[number_of(w, &out->peer)].kind >= WORLD_LIES);
        p->faults++;
        world_after(w, WORLD_RESET, a, number_of(w, &out->peer), 1);
        break;
    }
}

static void on_stat(struct world *w, uint32_t a,
                    const struct bs_server_out *out)
{
    struct world_peer *p = &w->peers[a];
    uint32_t block = 0;
    bool known = find_block(w, &out->cid, &block);
    bool found = known && (p->has[block] || p->kind == WORLD_CLAIMS ||
                           p->kind == WORLD_LIES);
    size_t size = known ? w->blocks[block].data.bytes.len : 0;
    if (p->kind == WORLD_CLAIMS)
        size = BS_SERVER_SMALL_BYTES + 1;
    bs_server_on_stat(p->server, out->id, found, (uint32_t)size);
}

static void on_server_out(struct world *w, uint32_t a,
                          struct bs_server_out *out)
{
    struct world_peer *p = &w->peers[a];
    trace(w, (uint64_t)out->kind << 40 | a);
    switch (out->kind) {
    case BS_SERVER_STAT:
        on_stat(w, a, out);
        break;
    case BS_SERVER_READ: {
        uint32_t block = 0;
        assert_true(find_block(w, &out->cid, &block));
        struct slice data = p->kind == WORLD_LIES
                                ? random_data(w, 2000)
                                : slice_ref(&w->blocks[block].data);
        event_put(
            w,
            (struct world_event){
                .kind = WORLD_READ, .from = a, .id = out->id, .data = data},
            after_us(w, world_random(w, 5000)));
        break;
    }
    case BS_SERVER_SEND:
        if (p->kind != WORLD_STALLS) {
            send_frame(w, a, &out->peer, out->frame, true);
            break;
        }
        bs_server_on_drained(p->server, &out->peer, out->frame->len);
        bs_frame_free(out->frame);
        break;
    case BS_SERVER_FAULT:
        p->faults++;
        world_after(w, WORLD_RESET, a, number_of(w, &out->peer), 1);
        break;
    }
}

static void check_bounds(const struct world_peer *p)
{
    struct bs_server_stats server = bs_server_get_stats(p->server);
    struct bs_client_stats client = bs_client_get_stats(p->client);
    assert_true(server.bytes_held <= BS_SERVER_BYTES_MAX + (4 << 20));
    assert_true(server.wants_count <=
                server.peers_count * BS_SERVER_PEER_WANTS_MAX);
    assert_true(client.asks_count <= client.peers_count * BS_PEER_ENTRIES_MAX);
    assert_true(client.hashing_bytes <=
                client.peers_count * BS_HASHING_BYTES_MAX);
}

static void set_timer(struct world *w, uint32_t a)
{
    struct world_peer *p = &w->peers[a];
    struct mtime at = bs_client_deadline(p->client);
    if (at.ns == MTIME_NEVER.ns || at.ns >= p->timer.ns)
        return;
    if (at.ns <= w->now.ns)
        at.ns = w->now.ns + 1;
    p->timer = at;
    event_put(w, (struct world_event){.kind = WORLD_TIMER, .from = a}, at);
}

void world_pump(struct world *w, uint32_t a)
{
    struct world_peer *p = &w->peers[a];
    struct bs_client_out client;
    struct bs_server_out server;
    bool more = true;
    while (more) {
        more = false;
        while (bs_server_next(p->server, &server)) {
            on_server_out(w, a, &server);
            more = true;
        }
        while (bs_client_next(p->client, &client)) {
            on_client_out(w, a, &client);
            more = true;
        }
    }
    check_bounds(p);
    set_timer(w, a);
}

/* Receiving. */

static void on_message(struct world *w, uint32_t from, uint32_t to,
                       struct buf *buf)
{
    struct world_peer *p = &w->peers[to];
    struct bs_message message;
    assert_int_equal(bs_message_decode(buf_bytes(buf), &message), OK);
    bs_client_on_message(p->client, &w->peers[from].id, buf, &message, w->now);
    bs_server_on_message(p->server, &w->peers[from].id, &message, w->now);
    buf_unref(buf);
}

static void deliver(struct world *w, const struct world_event *e)
{
    struct world_link *link = &w->links[e->from][e->to];
    if (!link->up || link->streams != e->stream)
        return;
    struct bytes left = e->data.bytes;
    while (left.len > 0) {
        size_t len = left.len;
        if (w->piecemeal)
            len = 1 + world_random(w, (uint32_t)len);
        struct bytes piece = bytes_sub(left, 0, len);
        left = bytes_sub(left, len, left.len - len);
        struct buf *message;
        while (bs_frame_reader_next(&link->reader, &piece, &message) == OK)
            on_message(w, e->from, e->to, message);
    }
}

static void on_hashed(struct world *w, const struct world_event *e)
{
    uint8_t digest[HASH_BYTES_MAX];
    size_t len = 0;
    assert_int_equal(hash_compute(e->code, e->data.bytes, digest, &len), OK);
    bs_client_on_hashed(w->peers[e->from].client, e->id,
                        (struct bytes){digest, len}, w->now);
}

/* Blocks of the right kind that nobody named, and HAVEs of the same. */
static void flood(struct world *w, uint32_t a)
{
    for (uint32_t b = 0; b < w->peers_count; b++) {
        if (!w->links[a][b].up)
            continue;
        struct bs_reply_item items[8];
        for (size_t i = 0; i < 8; i++) {
            items[i] = (struct bs_reply_item){.kind = BS_ITEM_BLOCK,
                                              .data = random_data(w, 500)};
            items[i].cid = cid_of(CODEC_RAW, items[i].data.bytes);
            if (i % 2 == 0)
                continue;
            items[i].kind = BS_ITEM_HAVE;
            slice_release(&items[i].data);
        }
        send_frame(w, a, &w->peers[b].id, bs_reply_encode(items, 8, BS_1_2_0),
                   false);
    }
    world_after(w, WORLD_FLOOD, a, a, FLOOD_MS);
}

/* The stream breaks; what was on it is lost, and a new one is opened. */
static void reset_stream(struct world *w, uint32_t a, uint32_t b)
{
    struct world_link *link = &w->links[a][b];
    if (!link->up)
        return;
    link->streams++;
    bs_frame_reader_release(&link->reader);
    bs_server_on_drained(w->peers[a].server, &w->peers[b].id, SIZE_MAX);
    bs_client_stream_lost(w->peers[a].client, &w->peers[b].id, w->now);
}

static void part_all(struct world *w, uint32_t a)
{
    w->peers[a].gone = true;
    for (uint32_t b = 0; b < w->peers_count; b++) {
        if (b != a)
            world_part(w, a, b);
    }
}

static void join_again(struct world *w, uint32_t a)
{
    w->peers[a].gone = false;
    for (uint32_t b = 0; b < w->peers_count; b++) {
        if (b != a && !w->peers[b].gone && !w->links[a][b].up)
            world_join(w, a, b);
    }
}

static void handle(struct world *w, struct world_event *e)
{
    struct world_peer *from = &w->peers[e->from];
    switch (e->kind) {
    case WORLD_DELIVER:
        deliver(w, e);
        world_pump(w, e->to);
        break;
    case WORLD_DRAINED:
        if (w->links[e->from][e->to].streams == e->stream)
            bs_server_on_drained(from->server, &w->peers[e->to].id, e->len);
        break;
    case WORLD_HASHED:
        on_hashed(w, e);
        break;
    case WORLD_READ:
        bs_server_on_read(from->server, e->id, OK, slice_ref(&e->data));
        break;
    case WORLD_TIMER:
        from->timer = MTIME_NEVER;
        bs_client_on_time(from->client, w->now);
        break;
    case WORLD_VANISH:
        part_all(w, e->from);
        break;
    case WORLD_RETURN:
        join_again(w, e->from);
        break;
    case WORLD_RESET:
        if (from->faults > 0 && w->peers[e->to].kind != WORLD_HONEST)
            world_part(w, e->from, e->to);
        else
            reset_stream(w, e->from, e->to);
        break;
    case WORLD_FLOOD:
        flood(w, e->from);
        break;
    }
    slice_release(&e->data);
    world_pump(w, e->from);
}

size_t world_left(const struct world *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->peers_count; i++)
        left += w->peers[i].wants_count - w->peers[i].got_count;
    return left;
}

void world_run(struct world *w, uint32_t ms)
{
    struct mtime end = mtime_add_ms(w->now, ms);
    for (uint32_t a = 0; a < w->peers_count; a++)
        world_pump(w, a);
    while (w->events_count > 0 && world_left(w) > 0) {
        if (mtime_before(end, w->events[0].at))
            break;
        struct world_event e = event_take(w);
        w->now = e.at;
        trace(w, e.at.ns ^ e.kind);
        handle(w, &e);
    }
}

void world_free(struct world *w)
{
    for (size_t a = 0; a < w->peers_count; a++) {
        bs_client_free(w->peers[a].client);
        bs_server_free(w->peers[a].server);
        for (size_t b = 0; b < w->peers_count; b++)
            bs_frame_reader_release(&w->links[a][b].reader);
    }
    for (size_t i = 0; i < w->events_count; i++)
        slice_release(&w->events[i].data);
    for (size_t i = 0; i < w->blocks_count; i++)
        slice_release(&w->blocks[i].data);
    mem_free(w->events);
    mem_free(w);
}
