#include <assert.h>
#include <stddef.h>

#include "base/mem.h"
#include "libp2p/yamux.h"
#include "libp2p/yamux_priv.h"

/* A frame of less is not begun at the end of a batch, unless it is all that
 * its stream has. */
enum { SPLIT_MIN = 4096 };

void yamux_batch_release(struct yamux_batch *b)
{
    for (size_t i = 0; i < b->held_count; i++)
        slice_release(&b->held[i]);
    b->held_count = 0;
}

/* Append a piece; neighbours in memory become one. */
static void add_piece(struct yamux_batch *b, struct bytes in)
{
    b->bytes += in.len;
    if (b->pieces_count > 0) {
        struct bytes *last = &b->pieces[b->pieces_count - 1];
        if (last->p + last->len == in.p) {
            last->len += in.len;
            return;
        }
    }
    assert(b->pieces_count < YAMUX_BATCH_PIECES);
    b->pieces[b->pieces_count++] = in;
}

static bool has_head_room(const struct yamux_batch *b, size_t max)
{
    return b->heads_count < YAMUX_BATCH_HEADS &&
           max - b->bytes >= YAMUX_HEAD_BYTES;
}

/* Append a frame without payload; the caller checked has_head_room(). */
static void add_head(struct yamux_batch *b, const struct yamux_head *head)
{
    uint8_t *dst = b->heads[b->heads_count++];
    yamux_head_write(head, dst);
    add_piece(b, (struct bytes){.p = dst, .len = YAMUX_HEAD_BYTES});
}

static void add_pongs(struct yamux *y, size_t max, struct yamux_batch *b)
{
    size_t done = 0;

    while (done < y->pongs_count && has_head_room(b, max))
        add_head(b, &(struct yamux_head){.type = YAMUX_TYPE_PING,
                                         .flags = YAMUX_ACK,
                                         .length = y->pongs[done++]});
    for (size_t i = done; i < y->pongs_count; i++)
        y->pongs[i - done] = y->pongs[i];
    y->pongs_count -= done;
    if (y->ping_pending && has_head_room(b, max)) {
        y->ping_pending = false;
        add_head(b, &(struct yamux_head){.type = YAMUX_TYPE_PING,
                                         .flags = YAMUX_SYN,
                                         .length = y->ping_opaque});
    }
}

static void add_resets(struct yamux *y, size_t max, struct yamux_batch *b)
{
    while (y->resets_count > 0 && has_head_room(b, max)) {
        const struct yamux_reset *r = &y->resets[y->resets_first];
        add_head(b, &(struct yamux_head){.type = YAMUX_TYPE_WINDOW,
                                         .flags = YAMUX_RST,
                                         .stream = r->id,
                                         .length = r->code});
        y->resets_first = (y->resets_first + 1) % YAMUX_RESETS_MAX;
        y->resets_count--;
    }
    if (y->resets_count > 0 || y->resets == NULL)
        return;
    mem_free(y->resets);
    y->resets = NULL;
}

static void add_ctl(struct yamux *y, size_t max, struct yamux_batch *b)
{
    while (!list_empty(&y->ctl) && has_head_room(b, max)) {
        struct yamux_stream *s =
            container_of(list_first(&y->ctl), struct yamux_stream, ctl);
        list_remove(&s->ctl);
        if (!s->syn_pending && !s->ack_pending && (s->grant == 0 || s->fin_got))
            continue;
        uint16_t flags = 0;
        if (s->syn_pending)
            flags = YAMUX_SYN;
        else if (s->ack_pending)
            flags = YAMUX_ACK;
        add_head(b, &(struct yamux_head){.type = YAMUX_TYPE_WINDOW,
                                         .flags = flags,
                                         .stream = s->id,
                                         .length = s->grant});
        s->syn_pending = false;
        s->ack_pending = false;
        s->grant = 0;
    }
}

/* Payload bytes of the next frame of @s; 0: not in this batch. */
static size_t frame_size(const struct yamux_stream *s, size_t max,
                         const struct yamux_batch *b)
{
    size_t left = max - b->bytes;
    if (left <= YAMUX_HEAD_BYTES)
        return 0;
    size_t want = s->sendq.bytes;
    if (want > s->send_window)
        want = (size_t)s->send_window;
    if (want > YAMUX_PAYLOAD_MAX)
        want = YAMUX_PAYLOAD_MAX;
    size_t room = left - YAMUX_HEAD_BYTES;
    if (want <= room)
        return want;
    return room >= SPLIT_MIN ? room : 0;
}

/* One DATA frame of @s; false when the batch is full. */
static bool add_data(struct yamux_stream *s, size_t max, struct yamux_batch *b)
{
    size_t size = frame_size(s, max, b);
    if (size == 0 || !has_head_room(b, max) ||
        b->held_count == YAMUX_BATCH_SLICES)
        return false;

    uint8_t *dst = b->heads[b->heads_count++];
    add_piece(b, (struct bytes){.p = dst, .len = YAMUX_HEAD_BYTES});
    size_t len = 0;
    while (len < size && b->held_count < YAMUX_BATCH_SLICES) {
        struct slice part = sendq_take(&s->sendq, size - len);
        b->held[b->held_count++] = part;
        add_piece(b, part.bytes);
        len += part.bytes.len;
    }
    yamux_head_write(&(struct yamux_head){.type = YAMUX_TYPE_DATA,
                                          .stream = s->id,
                                          .length = (uint32_t)len},
                     dst);
    s->send_window -= len;
    return true;
}

static void tell(struct yamux *y, struct yamux_stream *s)
{
    bool low = s->low > 0 && s->sendq.bytes < s->low;
    if ((low || yamux_finished(s)) && list_empty(&s->told))
        list_add_tail(&y->told, &s->told);
}

/* What the first ready stream has for one frame; false: the batch is full. */
static bool add_stream(struct yamux *y, struct yamux_stream *s, size_t max,
                       struct yamux_batch *b)
{
    if (s->sendq.bytes > 0 && !add_data(s, max, b))
        return false;
    bool fin = s->sendq.bytes == 0 && s->fin_wanted && !s->fin_sent;
    if (fin) {
        if (!has_head_room(b, max))
            return false;
        add_head(b, &(struct yamux_head){.type = YAMUX_TYPE_WINDOW,
                                         .flags = YAMUX_FIN,
                                         .stream = s->id});
        s->fin_sent = true;
    }
    s->urgent = false;
    list_remove(&s->ready);
    if (yamux_stream_ready(s))
        list_add_tail(&y->ready, &s->ready);
    tell(y, s);
    return true;
}

bool yamux_has_output(const struct yamux *y)
{
    return y->pongs_count > 0 || y->ping_pending || y->resets_count > 0 ||
           !list_empty(&y->ctl) || !list_empty(&y->ready);
}

void yamux_fill(struct yamux *y, size_t max, struct yamux_batch *b)
{
    assert(max >= YAMUX_HEAD_BYTES + YAMUX_PAYLOAD_MAX);
    b->pieces_count = 0;
    b->bytes = 0;
    b->held_count = 0;
    b->heads_count = 0;
    add_pongs(y, max, b);
    add_resets(y, max, b);
    add_ctl(y, max, b);
    while (!list_empty(&y->ready) && list_empty(&y->ctl)) {
        struct yamux_stream *s =
            container_of(list_first(&y->ready), struct yamux_stream, ready);
        if (!add_stream(y, s, max, b))
            break;
    }
}
