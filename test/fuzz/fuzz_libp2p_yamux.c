/*
 * Goal: no frames break a session, no more is taken than the windows allow,
 * and what we send are whole frames.
 * Input: a byte (role), then steps: a byte, for even ones a length and so many
 * bytes of the peer's.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "libp2p/yamux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { STREAMS_MAX = 8, WINDOWS_EXTRA = 1024 * 1024 };

struct fuzz {
    struct yamux y;
    struct rd in;
    struct mtime now;
    struct yamux_stream *streams[STREAMS_MAX]; /* NULL: free */
    struct yamux_batch batch;
    uint8_t head[YAMUX_HEAD_BYTES]; /* of the frame that goes out */
    size_t head_len;
    size_t body_left;
    bool dead;
};

static void drop(struct fuzz *f, struct yamux_stream *s, bool reset)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (f->streams[i] != s)
            continue;
        f->streams[i] = NULL;
        if (reset)
            (void)yamux_stream_reset(&f->y, s, 7); /* full: they wait */
        yamux_stream_release(&f->y, s);
        mem_free(s);
        return;
    }
    assert(false);
}

static struct yamux_stream **free_place(struct fuzz *f)
{
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (f->streams[i] == NULL)
            return &f->streams[i];
    }
    return NULL;
}

static void on_opened(struct fuzz *f)
{
    struct yamux_stream **place = free_place(f);
    if (place == NULL) {
        yamux_refuse(&f->y, 1);
        return;
    }
    *place = mem_zalloc(1, sizeof(**place));
    yamux_accept(&f->y, *place);
}

/* One event; false when there is no more. */
static bool on_event(struct fuzz *f, struct bytes *io_in)
{
    struct yamux_event e = yamux_next(&f->y, io_in);

    switch (e.type) {
    case YAMUX_MORE:
        return false;
    case YAMUX_OPENED:
        on_opened(f);
        break;
    case YAMUX_DATA:
        assert(e.stream->unread <= YAMUX_WINDOW_MIN + WINDOWS_EXTRA);
        break;
    case YAMUX_EOF:
        assert(e.stream->fin_got);
        if (yamux_finished(e.stream))
            drop(f, e.stream, false);
        break;
    case YAMUX_RESET:
        drop(f, e.stream, false);
        break;
    case YAMUX_PONG:
    case YAMUX_PINGED:
    case YAMUX_NOTHING:
        break;
    case YAMUX_GOAWAY:
    case YAMUX_VIOLATION:
        f->dead = true;
        break;
    }
    return !f->dead;
}

static void receive(struct fuzz *f)
{
    struct bytes in = rd_view(&f->in, rd_u8(&f->in));
    while (on_event(f, &in)) {
    }
    assert(f->dead || in.len == 0);
}

/* What goes out is a row of frames. */
static void check_output(struct fuzz *f, struct bytes piece)
{
    while (piece.len > 0) {
        size_t len = f->body_left < piece.len ? f->body_left : piece.len;
        f->body_left -= len;
        piece = bytes_sub(piece, len, piece.len - len);
        while (f->body_left == 0 && piece.len > 0 &&
               f->head_len < YAMUX_HEAD_BYTES) {
            f->head[f->head_len++] = piece.p[0];
            piece = bytes_sub(piece, 1, piece.len - 1);
        }
        if (f->head_len < YAMUX_HEAD_BYTES)
            continue;
        struct yamux_head h;
        enum err err = yamux_head_read(f->head, &h);
        assert(err == OK);
        f->head_len = 0;
        if (h.type == YAMUX_TYPE_DATA)
            f->body_left = h.length;
    }
}

static void transmit(struct fuzz *f)
{
    if (!yamux_has_output(&f->y))
        return;
    yamux_fill(&f->y, YAMUX_HEAD_BYTES + YAMUX_PAYLOAD_MAX, &f->batch);
    for (size_t i = 0; i < f->batch.pieces_count; i++)
        check_output(f, f->batch.pieces[i]);
    yamux_batch_release(&f->batch);
    struct yamux_stream *s;
    while ((s = yamux_next_told(&f->y)) != NULL) {
        if (yamux_finished(s))
            drop(f, s, false);
    }
}

static void open_one(struct fuzz *f)
{
    struct yamux_stream **place = free_place(f);
    if (place == NULL)
        return;
    *place = mem_zalloc(1, sizeof(**place));
    if (yamux_open(&f->y, *place) == OK)
        return;
    mem_free(*place);
    *place = NULL;
}

static void write_some(struct fuzz *f, struct yamux_stream *s)
{
    size_t len = (size_t)rd_u8(&f->in) * 1024;
    struct buf *b = buf_new(len);
    memset(b->data, 0, len);
    b->len = len;
    yamux_write(&f->y, s, (struct slice){.buf = b, .bytes = buf_bytes(b)});
    s->low = len / 2;
}

static void act(struct fuzz *f, uint8_t op)
{
    struct yamux_stream *s = f->streams[op / 16 % STREAMS_MAX];

    f->now.ns += 1000;
    if (op % 16 == 1)
        transmit(f);
    else if (op % 16 == 3)
        open_one(f);
    else if (op % 16 == 5)
        yamux_ping(&f->y, op);
    else if (s == NULL)
        return;
    else if (op % 16 == 7)
        yamux_consumed(&f->y, s, s->unread, f->now);
    else if (op % 16 == 9)
        yamux_close_write(&f->y, s);
    else if (op % 16 == 11)
        drop(f, s, true);
    else if (op % 16 == 13)
        yamux_grant(&f->y, s, (uint32_t)op * 4096);
    else if (!s->fin_wanted && s->sendq.bytes < YAMUX_WINDOW_MAX)
        write_some(f, s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t seed[16] = {1};
    struct fuzz *f = mem_zalloc(1, sizeof(*f));

    f->in = rd_init((struct bytes){.p = data, .len = len});
    yamux_init(&f->y, (rd_u8(&f->in) & 1) != 0, WINDOWS_EXTRA, seed);
    f->y.rtt_ns = 500;
    while (rd_left(&f->in) > 0 && !f->dead) {
        uint8_t op = rd_u8(&f->in);
        if (op % 2 == 0)
            receive(f);
        else
            act(f, op);
        assert(f->y.extra <= WINDOWS_EXTRA);
    }
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (f->streams[i] != NULL)
            drop(f, f->streams[i], false);
    }
    assert(f->y.extra == 0);
    yamux_release(&f->y);
    mem_free(f);
    return 0;
}
