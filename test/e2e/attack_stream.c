/* What many attacks do with the messages of one stream. */
#include "attack.h"
#include "base/rd.h"
#include "base/wr.h"

enum {
    STREAMS = 200,
    HOARDED_BYTES = 64 * 1024 - 100, /* of a message of 64 KiB */
    LEN_BYTES_MAX = 5,               /* of the messages in a batch */
};

size_t channel_message(const struct channel *c, struct bytes *ret_body)
{
    struct rd r = rd_init((struct bytes){.p = c->data, .len = c->len});
    uint64_t len = rd_uvarint(&r);

    if (c->len == 0 || r.err != OK || rd_left(&r) < len)
        return 0;
    *ret_body = rd_view(&r, (size_t)len);
    return c->len - rd_left(&r);
}

void channel_reset(struct link *l, struct channel *c)
{
    (void)link_frame(l, WINDOW, RST, c->id, 0);
    c->id = 0;
}

/* Ends of a session with one stream. */

static enum verdict stream_ends(struct link *l, struct channel *c)
{
    enum verdict v = channel_ends(l, c, must_drop_ms(l->run));

    link_free(l);
    return v;
}

enum verdict raw_ends(struct link *l, const char *protocol, struct bytes in)
{
    struct channel *c = channel_open(l, protocol);

    if (c == NULL)
        return ends_free(l, 0);
    (void)channel_send(l, c, in.p, in.len);
    return stream_ends(l, c);
}

enum verdict message_ends(struct link *l, const char *protocol,
                          struct bytes body)
{
    struct channel *c = channel_open(l, protocol);

    if (c == NULL)
        return ends_free(l, 0);
    (void)send_framed(l, c, body);
    return stream_ends(l, c);
}

enum verdict half_ends(struct link *l, const char *protocol)
{
    struct channel *c = channel_open(l, protocol);

    if (c == NULL)
        return ends_free(l, 0);
    (void)channel_send(l, c, "\x20half", 5);
    (void)link_frame(l, WINDOW, FIN, c->id, 0);
    return stream_ends(l, c);
}

enum verdict hoard_ends(struct link *l, const char *protocol)
{
    static const uint8_t part[HOARDED_BYTES];
    size_t count = 0;

    for (; count < STREAMS && !l->closed; count++) {
        struct channel *c = channel_open(l, protocol);
        if (c == NULL)
            break;
        (void)channel_send(l, c, "\x80\x80\x04", 3);
        (void)channel_send(l, c, part, sizeof(part));
    }
    note(l->run, "%zu streams", count);
    return ends_free(l, 500);
}

/* Floods. */

bool batch_add(struct wr *batch, struct bytes body)
{
    if (wr_len(batch) + body.len + LEN_BYTES_MAX > BATCH_BYTES)
        return false;
    wr_uvarint(batch, body.len);
    wr_bytes(batch, body);
    return true;
}

enum verdict batch_flood(struct link *l, const struct batch_flood *f)
{
    uint64_t end = now_ms() + 2 * (uint64_t)l->run->flood_ms;
    struct channel *c = channel_open(l, f->protocol);
    uint64_t sent = 0;
    uint64_t came = 0;
    unsigned streams = 1;

    if (c == NULL)
        return ends_free(l, 0);
    l->deaf = f->deaf;
    while (!l->closed && now_ms() < end) {
        if (c->rst) {
            if (f->deaf || !f->again)
                break;
            c->id = 0;
            came += c->total;
            c = channel_open(l, f->protocol);
            if (c == NULL)
                break;
            streams++;
        }
        if (c->window < f->batch.len) {
            link_pump(l, 20);
            continue;
        }
        sent += channel_send(l, c, f->batch.p, f->batch.len) ? f->batch.len : 0;
        channel_take(c, c->len);
    }
    came += c != NULL ? c->total : 0;
    note(l->run, "%llu KiB sent on %u streams, %llu KiB came",
         (unsigned long long)(sent >> 10), streams,
         (unsigned long long)(came >> 10));
    enum verdict v = l->closed ? DROPPED : TOLERATED;
    if (!f->deaf)
        v = ends(l, 1000);
    link_free(l);
    return v;
}
