/* Yamux on a link, and honest answers to what the daemon asks. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/identify.h"

enum {
    GRANT_BYTES = 128 * 1024,
    WINDOW_BYTES = 256 * 1024,
    KEPT_MAX = 8 * 1024 * 1024
};

static const struct bytes served[] = {
    {.p = (const uint8_t *)"/ipfs/id/1.0.0", .len = 14},
    {.p = (const uint8_t *)"/ipfs/id/push/1.0.0", .len = 19},
    {.p = (const uint8_t *)"/ipfs/ping/1.0.0", .len = 16},
    {.p = (const uint8_t *)BITSWAP, .len = sizeof(BITSWAP) - 1},
    {.p = (const uint8_t *)KAD, .len = sizeof(KAD) - 1},
    {.p = (const uint8_t *)PEERS, .len = sizeof(PEERS) - 1},
    {.p = (const uint8_t *)STORAGE, .len = sizeof(STORAGE) - 1},
};

static size_t served_count(const struct link *l)
{
    if (l->keeper)
        return SERVED_STORAGE + 1;
    return l->member ? SERVED_PEERS + 1 : SERVED_BITSWAP + 1;
}

size_t head_put(uint8_t *dst, unsigned type, unsigned flags, uint32_t id,
                uint32_t len)
{
    struct yamux_head head = {.type = (enum yamux_type)type,
                              .flags = (uint16_t)flags,
                              .stream = id,
                              .length = len};
    yamux_head_write(&head, dst);
    return YAMUX_HEAD_BYTES;
}

/* Queue without waiting: also called from below link_pump(). */
static void queue_plain(struct link *l, const uint8_t *p, size_t len)
{
    uint8_t frame[4096];
    struct bytes piece = {.p = p, .len = len};

    assert(len + 18 <= sizeof(frame));
    size_t size = noise_seal(&l->send, &piece, 1, frame);
    if (l->out_room - l->out_len < size) {
        l->out_room = (l->out_len + size) * 2;
        l->out = mem_resize(l->out, l->out_room, 1);
    }
    memcpy(l->out + l->out_len, frame, size);
    l->out_len += size;
}

static void queue_frame(struct link *l, unsigned type, unsigned flags,
                        uint32_t id, uint32_t len)
{
    uint8_t head[YAMUX_HEAD_BYTES];
    queue_plain(l, head, head_put(head, type, flags, id, len));
}

static void queue_data(struct link *l, uint32_t id, const uint8_t *p,
                       size_t len)
{
    while (len > 0) {
        uint8_t frame[2048 + YAMUX_HEAD_BYTES];
        size_t part = len < 2048 ? len : 2048;
        size_t at = head_put(frame, DATA, 0, id, (uint32_t)part);
        memcpy(frame + at, p, part);
        queue_plain(l, frame, at + part);
        p += part;
        len -= part;
    }
}

bool link_frame(struct link *l, unsigned type, unsigned flags, uint32_t id,
                uint32_t len)
{
    uint8_t head[YAMUX_HEAD_BYTES];
    return link_plain(l, head, head_put(head, type, flags, id, len));
}

bool link_data(struct link *l, uint32_t id, const void *p, size_t len)
{
    uint8_t *frame = mem_alloc(YAMUX_HEAD_BYTES + len);
    size_t at = head_put(frame, DATA, 0, id, (uint32_t)len);

    if (len > 0)
        memcpy(frame + at, p, len);
    bool fine = link_plain(l, frame, at + len);
    mem_free(frame);
    return fine;
}

uint32_t link_id(struct link *l)
{
    uint32_t id = l->id_next;
    l->id_next += 2;
    return id;
}

/* Channels. */

static void channel_clear(struct channel *c)
{
    mem_free(c->data);
    memset(c, 0, sizeof(*c));
}

void session_release(struct link *l)
{
    for (size_t i = 0; i < CHANNELS_MAX; i++)
        channel_clear(&l->channels[i]);
}

struct channel *channel_find(struct link *l, uint32_t id)
{
    for (size_t i = 0; id != 0 && i < CHANNELS_MAX; i++) {
        if (l->channels[i].id == id)
            return &l->channels[i];
    }
    return NULL;
}

static struct channel *channel_new(struct link *l, uint32_t id)
{
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        struct channel *c = &l->channels[i];
        if (c->id != 0 && !(c->theirs && (c->rst || c->fin)))
            continue;
        channel_clear(c);
        c->id = id;
        c->window = WINDOW_BYTES;
        return c;
    }
    return NULL;
}

static void keep(struct channel *c, struct bytes in)
{
    if (in.len == 0 || c->len + in.len > KEPT_MAX)
        return;
    if (c->room - c->len < in.len) {
        c->room = (c->len + in.len) * 2;
        c->data = mem_resize(c->data, c->room, 1);
    }
    memcpy(c->data + c->len, in.p, in.len);
    c->len += in.len;
}

void channel_take(struct channel *c, size_t len)
{
    assert(len <= c->len);
    if (len > 0)
        memmove(c->data, c->data + len, c->len - len);
    c->len -= len;
}

size_t identify_put(struct link *l, uint8_t *dst, size_t max)
{
    struct identify *m = mem_zalloc(1, sizeof(*m));
    uint8_t key[PUBKEY_BYTES_MAX];
    struct wr k = wr_init(key, sizeof(key));
    struct wr w = wr_init(dst, max);
    struct pubkey public_key = privkey_public(&l->key);

    pubkey_write(&k, &public_key);
    m->public_key = (struct bytes){.p = key, .len = wr_len(&k)};
    m->protocol_version = BYTES_LIT("ipfs/0.1.0");
    m->agent = BYTES_LIT("attack");
    session_begin(l);
    for (size_t i = 0; i < l->names.count; i++)
        m->protocols[m->protocols_count++] = l->names.names[i];
    if (l->member)
        m->addrs[m->addrs_count++] =
            (struct bytes){.p = l->where.bytes, .len = l->where.len};
    identify_encode(m, &w);
    mem_free(m);
    return wr_len(&w);
}

/* A stream of the daemon's has its protocol. */
static void serve(struct link *l, struct channel *c)
{
    uint8_t room[8192];

    if (l->on_open != NULL) {
        l->on_open(l, c);
        return;
    }
    if (c->protocol != SERVED_IDENTIFY)
        return;
    queue_data(l, c->id, room, identify_put(l, room, sizeof(room)));
    queue_frame(l, WINDOW, FIN, c->id, 0);
}

static void negotiate(struct link *l, struct channel *c, struct bytes in)
{
    uint8_t room[MSS_OUT_MAX];
    struct wr w = wr_init(room, sizeof(room));
    enum err err = mss_step(&c->mss, &in, &w, &c->protocol);

    if (wr_len(&w) > 0)
        queue_data(l, c->id, room, wr_len(&w));
    if (err != OK)
        return;
    c->agreed = true;
    keep(c, in);
    if (c->theirs)
        serve(l, c);
}

static void on_body(struct link *l, struct channel *c, struct bytes in)
{
    c->total += in.len;
    c->owed += (uint32_t)in.len;
    if (!l->stingy && c->owed >= GRANT_BYTES && !c->fin) {
        queue_frame(l, WINDOW, 0, c->id, c->owed);
        c->owed = 0;
    }
    if (!c->agreed) {
        negotiate(l, c, in);
        return;
    }
    keep(c, in);
    if (l->on_data != NULL)
        l->on_data(l, c);
    else if (c->theirs && c->protocol == SERVED_PING && c->len >= 32) {
        queue_data(l, c->id, c->data, c->len - c->len % 32);
        channel_take(c, c->len - c->len % 32);
    }
}

static void on_flags(struct link *l, struct channel *c, uint16_t flags,
                     uint32_t code)
{
    if ((flags & RST) != 0)
        l->resets++;
    if ((flags & ACK) != 0)
        l->acks++;
    if (c == NULL)
        return;
    if ((flags & ACK) != 0)
        c->acked = true;
    if ((flags & RST) != 0) {
        c->rst = true;
        c->code = code;
    }
    if ((flags & FIN) != 0)
        c->fin = true;
}

static struct channel *on_syn(struct link *l, uint32_t id)
{
    struct channel *c = l->silent ? NULL : channel_new(l, id);
    if (c == NULL)
        return NULL;
    c->theirs = true;
    mss_init_responder(&c->mss, l->names);
    queue_frame(l, WINDOW, ACK, id, 4 * 1024 * 1024);
    return c;
}

static void on_head(struct link *l, const struct yamux_head *h)
{
    struct channel *c = channel_find(l, h->stream);

    l->frames++;
    if (h->type == YAMUX_TYPE_PING) {
        if ((h->flags & SYN) == 0) {
            l->pongs++;
            l->pong = h->length;
        } else if (!l->mute) {
            queue_frame(l, PING, ACK, 0, h->length);
        }
        return;
    }
    if (h->type == YAMUX_TYPE_GOAWAY)
        return;
    if ((h->flags & SYN) != 0)
        c = on_syn(l, h->stream);
    if (h->type == YAMUX_TYPE_WINDOW) {
        if (c != NULL && (h->flags & RST) == 0)
            c->window += h->length;
        on_flags(l, c, h->flags, h->length);
        return;
    }
    l->body_left = h->length;
    l->body = c;
    l->body_flags = h->flags;
    if (h->length == 0)
        on_flags(l, c, h->flags, 0);
}

void session_input(struct link *l)
{
    size_t at = 0;

    for (;;) {
        size_t left = l->plain_len - at;
        if (l->body_left > 0) {
            size_t part = l->body_left < left ? l->body_left : left;
            if (part == 0)
                break;
            l->body_left -= (uint32_t)part;
            struct bytes in = {.p = l->plain + at, .len = part};
            at += part;
            if (l->body != NULL)
                on_body(l, l->body, in);
            if (l->body_left == 0)
                on_flags(l, l->body, l->body_flags, 0);
            continue;
        }
        struct yamux_head head;
        if (left < YAMUX_HEAD_BYTES ||
            yamux_head_read(l->plain + at, &head) != OK)
            break;
        at += YAMUX_HEAD_BYTES;
        on_head(l, &head);
    }
    if (at > 0)
        memmove(l->plain, l->plain + at, l->plain_len - at);
    l->plain_len -= at;
}

void session_begin(struct link *l)
{
    if (l->names.count == 0)
        l->names =
            (struct mss_names){.names = served, .count = served_count(l)};
}

bool link_alive(struct link *l, uint32_t ms)
{
    uint64_t end = now_ms() + ms;
    uint32_t opaque = random_u32();

    if (!link_frame(l, PING, SYN, 0, opaque))
        return false;
    while (!l->closed && now_ms() < end) {
        if (l->pongs > 0 && l->pong == opaque)
            return true;
        link_pump(l, 20);
    }
    return false;
}

/* Streams of ours. */

struct channel *channel_begin(struct link *l)
{
    struct channel *c = channel_new(l, link_id(l));

    assert(c != NULL);
    (void)link_frame(l, WINDOW, SYN, c->id, 0);
    return c;
}

struct channel *channel_open(struct link *l, const char *protocol)
{
    uint8_t room[MSS_OUT_MAX];
    struct wr w = wr_init(room, sizeof(room));
    uint64_t end = now_ms() + PATIENCE_MS;
    struct channel *c = channel_begin(l);

    c->name = bytes_str(protocol);
    mss_init_initiator(&c->mss,
                       (struct mss_names){.names = &c->name, .count = 1}, &w);
    (void)link_data(l, c->id, room, wr_len(&w));
    while (!l->closed && !c->agreed && !c->rst && now_ms() < end)
        link_pump(l, 20);
    if (c->agreed && !l->closed)
        return c;
    if (c->rst)
        c->id = 0; /* its place is free again */
    return NULL;
}

bool channel_send(struct link *l, struct channel *c, const void *p, size_t len)
{
    const uint8_t *from = p;
    uint64_t end = now_ms() + PATIENCE_MS;

    while (len > 0 && !l->closed && !c->rst && now_ms() < end) {
        size_t part = len < 65000 ? len : 65000;
        if (part > c->window)
            part = (size_t)c->window;
        if (part == 0) {
            link_pump(l, 20);
            continue;
        }
        if (!link_data(l, c->id, from, part))
            return false;
        end = now_ms() + PATIENCE_MS;
        c->window -= part;
        from += part;
        len -= part;
    }
    return len == 0;
}

bool channel_wait(struct link *l, struct channel *c, size_t len, uint32_t ms)
{
    uint64_t end = now_ms() + ms;

    while (!l->closed && !c->rst && !c->fin && c->len < len && now_ms() < end)
        link_pump(l, 20);
    return c->len >= len;
}

bool channel_wait_rst(struct link *l, struct channel *c, uint32_t ms)
{
    uint64_t end = now_ms() + ms;

    while (!l->closed && !c->rst && now_ms() < end)
        link_pump(l, 20);
    return c->rst;
}

enum verdict channel_ends(struct link *l, struct channel *c, uint32_t ms)
{
    bool reset = channel_wait_rst(l, c, ms);
    enum verdict v = ends(l, 0);

    return reset && v == TOLERATED ? RESET : v;
}

enum verdict flood(struct link *l, const uint8_t *batch, size_t len)
{
    uint64_t end = now_ms() + l->run->flood_ms;
    uint64_t before = l->sent;

    while (!l->closed && now_ms() < end) {
        if (!link_plain(l, batch, len) && !l->closed)
            break;
        link_pump(l, 0);
    }
    note(l->run, "%llu KiB sent",
         (unsigned long long)((l->sent - before) >> 10));
    return ends(l, 1000);
}

bool ping_works(struct link *l)
{
    uint8_t bytes[32];
    struct channel *c = channel_open(l, "/ipfs/ping/1.0.0");

    random_fill(bytes, sizeof(bytes));
    return c != NULL && channel_send(l, c, bytes, sizeof(bytes)) &&
           channel_wait(l, c, sizeof(bytes), PATIENCE_MS) &&
           memcmp(c->data, bytes, sizeof(bytes)) == 0 &&
           link_frame(l, WINDOW, FIN, c->id, 0);
}
