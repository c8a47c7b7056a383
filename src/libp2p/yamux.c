#include "libp2p/yamux.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "libp2p/yamux_priv.h"

/*
 * Invariants:
 *
 *  1. A stream is in y->streams from yamux_open() or yamux_accept() until
 *     yamux_stream_release(); only then are its three links used.
 *  2. recv_left + owed + unread <= recv_window, and what the peer may still
 *     send is recv_left once our pending grant has gone out.
 *  3. y->extra is the sum of recv_window - YAMUX_WINDOW_MIN over all streams.
 *  4. y->target, when set, is a stream of the session: the release clears it.
 */

enum {
    DELTA_USEFUL_MIN = 256,
    SEND_WINDOW_USEFUL_MAX = 2 * YAMUX_WINDOW_MAX,
};

void yamux_init(struct yamux *y, bool client, size_t extra_max,
                const uint8_t seed[static 16])
{
    memset(y, 0, sizeof(*y));
    y->client = client;
    y->id_next = client ? 1 : 2;
    y->extra_max = extra_max;
    y->late_left = YAMUX_LATE_MIN;
    map_init(&y->streams, seed);
    list_init(&y->ctl);
    list_init(&y->ready);
    list_init(&y->told);
}

void yamux_release(struct yamux *y)
{
    assert(y->streams.count == 0);
    map_release(&y->streams);
    mem_free(y->resets);
    y->resets = NULL;
}

static void allow_late(struct yamux *y, uint64_t bytes)
{
    y->late_left += bytes;
    if (y->late_left > YAMUX_LATE_MAX)
        y->late_left = YAMUX_LATE_MAX;
}

static bool push_reset(struct yamux *y, uint32_t id, uint32_t code)
{
    if (y->resets_count == YAMUX_RESETS_MAX)
        return false;
    if (y->resets == NULL) {
        y->resets = mem_alloc(YAMUX_RESETS_MAX * sizeof(*y->resets));
        y->resets_first = 0;
    }
    size_t at = (y->resets_first + y->resets_count) % YAMUX_RESETS_MAX;
    y->resets[at] = (struct yamux_reset){.id = id, .code = code};
    y->resets_count++;
    return true;
}

static void want_ctl(struct yamux *y, struct yamux_stream *s)
{
    if (list_empty(&s->ctl))
        list_add_tail(&y->ctl, &s->ctl);
}

bool yamux_stream_ready(const struct yamux_stream *s)
{
    if (s->sendq.bytes > 0)
        return s->send_window > 0;
    return s->fin_wanted && !s->fin_sent;
}

static void want_output(struct yamux *y, struct yamux_stream *s)
{
    if (!yamux_stream_ready(s) || !list_empty(&s->ready))
        return;
    if (s->urgent)
        list_add_head(&y->ready, &s->ready);
    else
        list_add_tail(&y->ready, &s->ready);
}

static void begin(struct yamux *y, struct yamux_stream *s, uint32_t id)
{
    s->id = id;
    memcpy(s->key, &id, sizeof(s->key));
    list_init(&s->ctl);
    list_init(&s->ready);
    list_init(&s->told);
    s->send_window = YAMUX_WINDOW_MIN;
    s->recv_window = YAMUX_WINDOW_MIN;
    s->recv_left = YAMUX_WINDOW_MIN;
    map_put(&y->streams, &s->node,
            (struct bytes){.p = s->key, .len = sizeof(s->key)});
    want_ctl(y, s);
}

static struct yamux_stream *find(const struct yamux *y, uint32_t id)
{
    uint8_t key[sizeof(id)];
    memcpy(key, &id, sizeof(key));
    struct map_node *node =
        map_get(&y->streams, (struct bytes){.p = key, .len = sizeof(key)});
    return node == NULL ? NULL : container_of(node, struct yamux_stream, node);
}

void yamux_accept(struct yamux *y, struct yamux_stream *s)
{
    assert(y->target == NULL);
    assert(find(y, y->frame.stream) == NULL);
    s->ack_pending = true;
    begin(y, s, y->frame.stream);
    y->target = s;
}

void yamux_refuse(struct yamux *y, uint32_t code)
{
    allow_late(y, YAMUX_WINDOW_MIN);
    /* A full queue drops the reset: the peer is left with a stream that does
     * nothing, which is its own doing. */
    (void)push_reset(y, y->frame.stream, code);
}

enum err yamux_open(struct yamux *y, struct yamux_stream *s)
{
    if (y->unacked >= YAMUX_UNACKED_MAX || y->id_next > UINT32_MAX - 2)
        return E_LIMIT;
    s->syn_pending = true;
    s->unacked = true;
    y->unacked++;
    begin(y, s, y->id_next);
    y->id_next += 2;
    return OK;
}

/* Widen the window by up to @extra; what came of it is to be granted. */
static uint32_t widen(struct yamux *y, struct yamux_stream *s, uint32_t extra)
{
    uint32_t room = YAMUX_WINDOW_MAX - s->recv_window;
    if (extra > room)
        extra = room;
    if (extra > y->extra_max - y->extra)
        extra = (uint32_t)(y->extra_max - y->extra);
    s->recv_window += extra;
    y->extra += extra;
    return extra;
}

void yamux_grant(struct yamux *y, struct yamux_stream *s, uint32_t extra)
{
    uint32_t more = widen(y, s, extra);
    if (more == 0 || s->fin_got)
        return;
    s->grant += more;
    s->recv_left += more;
    want_ctl(y, s);
}

void yamux_write(struct yamux *y, struct yamux_stream *s, struct slice slice)
{
    assert(!s->fin_wanted);
    sendq_push(&s->sendq, slice);
    want_output(y, s);
}

void yamux_close_write(struct yamux *y, struct yamux_stream *s)
{
    s->fin_wanted = true;
    want_output(y, s);
}

void yamux_consumed(struct yamux *y, struct yamux_stream *s, size_t len,
                    struct mtime now)
{
    assert(len <= s->unread);
    s->unread -= len;
    if (s->fin_got)
        return;
    s->owed += (uint32_t)len;
    if (s->owed < s->recv_window / 2)
        return;
    /* Half a window in less than 4 round trips: it may be what limits. */
    uint32_t more = 0;
    if (s->granted_at.ns != 0 && now.ns - s->granted_at.ns < 4 * y->rtt_ns)
        more = widen(y, s, s->recv_window);
    s->granted_at = now;
    s->grant += s->owed + more;
    s->recv_left += s->owed + more;
    s->owed = 0;
    want_ctl(y, s);
}

bool yamux_finished(const struct yamux_stream *s)
{
    return s->fin_sent && s->fin_got;
}

/* The peer knows of @s; false when that is no news. */
static bool acked(struct yamux *y, struct yamux_stream *s)
{
    if (!s->unacked)
        return false;
    s->unacked = false;
    y->unacked--;
    return true;
}

void yamux_stream_release(struct yamux *y, struct yamux_stream *s)
{
    if (s->id == 0)
        return;
    (void)acked(y, s); /* only the count matters */
    if (y->target == s)
        y->target = NULL;
    y->extra -= s->recv_window - YAMUX_WINDOW_MIN;
    map_remove(&y->streams, &s->node);
    list_remove(&s->ctl);
    list_remove(&s->ready);
    list_remove(&s->told);
    sendq_release(&s->sendq);
    s->id = 0;
}

bool yamux_stream_reset(struct yamux *y, struct yamux_stream *s, uint32_t code)
{
    bool queued = true;

    if (s->id != 0 && !s->syn_pending && !yamux_finished(s)) {
        if (!s->fin_got)
            allow_late(y, s->recv_left);
        queued = push_reset(y, s->id, code);
    }
    /* What of the frame is still to come was allowed when it began. */
    if (y->target == s && y->step == YAMUX_STEP_BODY)
        allow_late(y, y->body_left);
    yamux_stream_release(y, s);
    return queued;
}

void yamux_ping(struct yamux *y, uint32_t opaque)
{
    y->ping_pending = true;
    y->ping_opaque = opaque;
}

struct yamux_stream *yamux_next_told(struct yamux *y)
{
    if (list_empty(&y->told))
        return NULL;
    struct yamux_stream *s =
        container_of(list_first(&y->told), struct yamux_stream, told);
    list_remove(&s->told);
    return s;
}

struct yamux_stream *yamux_first_stream(const struct yamux *y)
{
    struct map_node *node = map_first(&y->streams);
    return node == NULL ? NULL : container_of(node, struct yamux_stream, node);
}

struct yamux_stream *yamux_next_stream(const struct yamux *y,
                                       const struct yamux_stream *s)
{
    struct map_node *node = map_next(&y->streams, &s->node);
    return node == NULL ? NULL : container_of(node, struct yamux_stream, node);
}

/* Input. ------------------------------------------------------------------ */

static struct yamux_event event(enum yamux_event_type type,
                                struct yamux_stream *s)
{
    return (struct yamux_event){.type = type, .stream = s};
}

static struct yamux_event violation(struct yamux *y, enum err err)
{
    y->step = YAMUX_STEP_DEAD;
    y->target = NULL;
    return (struct yamux_event){.type = YAMUX_VIOLATION, .err = err};
}

static struct yamux_event on_ping(struct yamux *y)
{
    uint32_t opaque = y->frame.length;

    if ((y->frame.flags & YAMUX_SYN) == 0)
        return (struct yamux_event){.type = YAMUX_PONG, .code = opaque};
    if (y->pongs_count < YAMUX_PONGS_MAX)
        y->pongs[y->pongs_count++] = opaque;
    return event(YAMUX_PINGED, NULL);
}

/* SYN comes: an id of the peer's that is not in use. */
static struct yamux_event on_syn(struct yamux *y)
{
    uint32_t id = y->frame.stream;
    bool theirs = (id & 1) == (y->client ? 0U : 1U);

    if (id == 0 || !theirs || find(y, id) != NULL)
        return violation(y, E_MALFORMED);
    return event(YAMUX_OPENED, NULL);
}

/* A WINDOW_UPDATE whose header is complete.  @useful: it acknowledged or
 * opened the stream.  Tiny deltas count, and are without effect for flood
 * control: nobody needs them. */
static struct yamux_event on_window(struct yamux *y, bool useful)
{
    struct yamux_stream *s = y->target;
    const struct yamux_head *f = &y->frame;

    y->step = YAMUX_STEP_TAIL;
    if (s == NULL)
        return event(YAMUX_NOTHING, NULL);
    if ((f->flags & YAMUX_RST) != 0)
        return event(YAMUX_MORE, NULL); /* the length is its code */
    if (f->length > 0) {
        useful = useful || (f->length >= DELTA_USEFUL_MIN &&
                            s->send_window <= SEND_WINDOW_USEFUL_MAX);
        s->send_window += f->length;
        if (s->send_window > UINT32_MAX)
            s->send_window = UINT32_MAX;
        want_output(y, s);
    }
    if (useful || (f->flags & YAMUX_FIN) != 0)
        return event(YAMUX_MORE, NULL);
    return event(YAMUX_NOTHING, s);
}

static struct yamux_event on_data_head(struct yamux *y)
{
    struct yamux_stream *s = y->target;
    const struct yamux_head *f = &y->frame;

    y->step = YAMUX_STEP_BODY;
    y->body_left = f->length;
    if (s != NULL && s->fin_got)
        s = NULL; /* it said that no more would come */
    if (s == NULL) {
        if (f->length > y->late_left)
            return violation(y, E_LIMIT);
        y->late_left -= f->length;
        if ((f->flags & YAMUX_RST) == 0)
            y->target = NULL;
        return event(YAMUX_NOTHING, NULL);
    }
    if (f->length > s->recv_left)
        return violation(y, E_LIMIT);
    s->recv_left -= f->length;
    if (f->length == 0 && f->flags == 0)
        return event(YAMUX_NOTHING, s);
    return event(YAMUX_MORE, NULL);
}

/* A complete header: what it begins.  YAMUX_MORE means to go on. */
static struct yamux_event on_head(struct yamux *y)
{
    enum err err = yamux_head_read(y->head, &y->frame);

    y->head_len = 0;
    y->target = NULL;
    if (err != OK)
        return violation(y, err);
    switch (y->frame.type) {
    case YAMUX_TYPE_PING:
        return on_ping(y);
    case YAMUX_TYPE_GOAWAY:
        return (struct yamux_event){.type = YAMUX_GOAWAY,
                                    .code = y->frame.length};
    case YAMUX_TYPE_DATA:
    case YAMUX_TYPE_WINDOW:
        break;
    }
    if ((y->frame.flags & YAMUX_SYN) != 0) {
        y->step = YAMUX_STEP_OPENED;
        return on_syn(y);
    }
    y->target = find(y, y->frame.stream);
    bool news = y->target != NULL && acked(y, y->target);
    return y->frame.type == YAMUX_TYPE_DATA ? on_data_head(y)
                                            : on_window(y, news);
}

/* Collect a header; true when it is complete. */
static bool take_head(struct yamux *y, struct bytes *io_in)
{
    size_t want = YAMUX_HEAD_BYTES - y->head_len;
    if (want > io_in->len)
        want = io_in->len;
    if (want > 0)
        memcpy(y->head + y->head_len, io_in->p, want);
    y->head_len += want;
    *io_in = bytes_sub(*io_in, want, io_in->len - want);
    return y->head_len == YAMUX_HEAD_BYTES;
}

static struct yamux_event take_body(struct yamux *y, struct bytes *io_in)
{
    struct yamux_stream *s = y->target;
    size_t len = y->body_left;

    if (len > io_in->len)
        len = io_in->len;
    struct bytes data = bytes_sub(*io_in, 0, len);
    *io_in = bytes_sub(*io_in, len, io_in->len - len);
    y->body_left -= (uint32_t)len;
    if (y->body_left == 0)
        y->step = YAMUX_STEP_TAIL;
    if (s == NULL || s->fin_got || len == 0)
        return event(YAMUX_MORE, NULL);
    s->unread += len;
    return (struct yamux_event){.type = YAMUX_DATA, .stream = s, .data = data};
}

static struct yamux_event take_tail(struct yamux *y)
{
    struct yamux_stream *s = y->target;
    const struct yamux_head *f = &y->frame;

    y->step = YAMUX_STEP_HEAD;
    y->target = NULL;
    if (s == NULL)
        return event(YAMUX_MORE, NULL);
    if ((f->flags & YAMUX_RST) != 0)
        return (struct yamux_event){
            .type = YAMUX_RESET,
            .stream = s,
            .code = f->type == YAMUX_TYPE_WINDOW ? f->length : 0,
        };
    if ((f->flags & YAMUX_FIN) == 0)
        return event(YAMUX_MORE, NULL);
    if (s->fin_got)
        return event(YAMUX_NOTHING, s);
    s->fin_got = true;
    return event(YAMUX_EOF, s);
}

/* One step of the incoming frame; YAMUX_MORE: nothing to tell yet. */
static struct yamux_event step(struct yamux *y, struct bytes *io_in,
                               bool *ret_stop)
{
    *ret_stop = false;
    switch (y->step) {
    case YAMUX_STEP_HEAD:
        if (take_head(y, io_in))
            return on_head(y);
        *ret_stop = true;
        break;
    case YAMUX_STEP_OPENED:
        /* The stream is accepted by now, or it is to be dropped. */
        return y->frame.type == YAMUX_TYPE_DATA ? on_data_head(y)
                                                : on_window(y, true);
    case YAMUX_STEP_BODY:
        *ret_stop = y->body_left > 0 && io_in->len == 0;
        if (!*ret_stop)
            return take_body(y, io_in);
        break;
    case YAMUX_STEP_TAIL:
        return take_tail(y);
    case YAMUX_STEP_DEAD:
        *io_in = BYTES_EMPTY;
        *ret_stop = true;
        break;
    }
    return event(YAMUX_MORE, NULL);
}

bool yamux_is_busy(const struct yamux *y)
{
    return y->step == YAMUX_STEP_OPENED || y->step == YAMUX_STEP_TAIL ||
           (y->step == YAMUX_STEP_BODY && y->body_left == 0);
}

struct yamux_event yamux_next(struct yamux *y, struct bytes *io_in)
{
    bool stop = false;
    struct yamux_event e = event(YAMUX_MORE, NULL);

    while (!stop && e.type == YAMUX_MORE)
        e = step(y, io_in, &stop);
    return e;
}
