#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "libp2p/swarm_priv.h"

/*
 * Streams: negotiation of their protocol, and what owners do with them.
 *
 * An inbound stream is STREAM_NEW until its protocol is agreed; then it is the
 * owner's or one of the swarm's own.  An outbound one has its kind from the
 * start.  What the owner was told of is ended by stream_end() with a note; the
 * struct stays, detached, until the note was told, so that the owner may name
 * it until then.
 */

struct stream *stream_of(struct yamux_stream *y)
{
    return container_of(y, struct stream, y);
}

static struct stream *stream_get(const struct swarm *sw, struct stream_id id)
{
    struct stream *s = slots_get(&sw->stream_slots, id.n);
    return s == NULL || s->conn == NULL ? NULL : s;
}

static struct stream *stream_new(struct swarm *sw, struct conn *c,
                                 enum stream_kind kind)
{
    struct stream *s = mem_zalloc(1, sizeof(*s));

    s->id.n = slots_put(&sw->stream_slots, s);
    s->conn = c;
    s->kind = kind;
    s->timer.kind = TIMER_STREAM;
    return s;
}

static void end_proposal(struct stream *s)
{
    if (s->proposal == NULL)
        return;
    if (s->inbound)
        s->conn->negotiating--;
    mem_free(s->proposal);
    s->proposal = NULL;
}

/* Take @s out of its connection; its memory and id stay. */
static void detach(struct swarm *sw, struct stream *s)
{
    struct conn *c = s->conn;

    timerq_unset(&sw->timers, &s->timer);
    end_proposal(s);
    c->unread -= s->y.unread;
    sw->unread -= s->y.unread;
    if (s->inbound)
        c->streams_in--;
    else
        c->streams_out--;
    yamux_stream_release(&c->yamux, &s->y);
    identify_reader_release(&s->reader);
    mem_free(s->ping);
    s->ping = NULL;
    s->conn = NULL;
}

void stream_free(struct swarm *sw, struct stream *s)
{
    if (s->conn != NULL)
        detach(sw, s);
    slots_remove(&sw->stream_slots, s->id.n);
    mem_free(s);
}

void stream_end(struct swarm *sw, struct stream *s, enum err err, uint32_t code)
{
    bool tell = s->kind == STREAM_OWNER && !(s->eof_told && s->write_closed);

    if (s->kind != STREAM_OWNER)
        service_on_end(sw, s, code == SWARM_RESET_LIMIT ? E_LIMIT : err);
    if (!tell) {
        stream_free(sw, s);
        return;
    }
    struct note *n =
        swarm_note(sw, s->opened ? SWARM_STREAM_RESET : SWARM_STREAM_OPEN);
    n->conn = s->conn->id;
    n->stream = s->id;
    n->err = err;
    n->code = code;
    n->peer = s->conn->peer->id;
    detach(sw, s);
}

/* Reset towards the peer; false: too many resets wait, @c was dropped. */
static bool send_reset(struct swarm *sw, struct stream *s, uint32_t code)
{
    struct conn *c = s->conn;

    conn_touch(sw, c);
    c->unread -= s->y.unread;
    sw->unread -= s->y.unread;
    s->y.unread = 0;
    return yamux_stream_reset(&c->yamux, &s->y, code);
}

void stream_abort(struct swarm *sw, struct stream *s, enum err err,
                  uint32_t code)
{
    struct conn *c = s->conn;
    bool fine = send_reset(sw, s, code);

    stream_end(sw, s, err, code);
    if (!fine)
        conn_fail(sw, c, SWARM_FAULT_FLOOD, 50, E_LIMIT);
}

void stream_send(struct swarm *sw, struct stream *s, struct bytes in)
{
    struct buf *buf = buf_copy(in);
    yamux_write(&s->conn->yamux, &s->y,
                (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    conn_touch(sw, s->conn);
}

void stream_finish(struct swarm *sw, struct stream *s)
{
    s->write_closed = true;
    yamux_close_write(&s->conn->yamux, &s->y);
    conn_touch(sw, s->conn);
}

static void set_timer(struct swarm *sw, struct stream *s, uint32_t ms)
{
    timerq_set(&sw->timers, &s->timer, mtime_add_ms(sw->now, ms));
}

/* Beginnings. ------------------------------------------------------------- */

enum err stream_begin(struct swarm *sw, struct conn *c,
                      const struct stream_start *start,
                      struct stream **ret_stream)
{
    uint8_t room[MSS_OUT_MAX];
    struct wr w = wr_init(room, sizeof(room));
    struct stream *s = stream_new(sw, c, start->kind);

    assert(start->count > 0);
    assert(start->count <= SWARM_PROPOSALS_MAX);
    c->streams_out++;
    if (c->streams_out > sw->limits.streams_out_max ||
        yamux_open(&c->yamux, &s->y) != OK) {
        stream_free(sw, s);
        return E_LIMIT;
    }
    s->owner = start->owner;
    s->lazy = start->lazy;
    s->y.urgent = true;
    s->proposal = mem_zalloc(1, sizeof(*s->proposal));
    for (size_t i = 0; i < start->count; i++) {
        s->proposal->names[i] = bytes_str(start->protocols[i]);
        s->proposal->texts[i] = start->protocols[i];
    }
    mss_init_initiator(
        &s->proposal->mss,
        (struct mss_names){.names = s->proposal->names, .count = start->count},
        &w);
    yamux_grant(&c->yamux, &s->y, start->window_extra);
    struct bytes out;
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    stream_send(sw, s, out);
    set_timer(sw, s, NEGOTIATE_MS);
    *ret_stream = s;
    return OK;
}

/* Leave only what identify says the peer serves; all when it said nothing. */
static size_t choose(const struct swarm *sw, const struct swarm_open_op *op,
                     const char **ret_chosen)
{
    size_t count = 0;

    for (size_t i = 0; i < op->count; i++) {
        enum err err = swarm_supports(sw, op->peer, op->protocols[i]);
        if (err == OK) {
            ret_chosen[0] = op->protocols[i];
            return 1;
        }
        if (err == E_AGAIN)
            ret_chosen[count++] = op->protocols[i];
    }
    return count;
}

enum err swarm_stream_open(struct swarm *sw, const struct swarm_open_op *op,
                           struct mtime now, struct stream_id *ret_stream)
{
    const char *chosen[SWARM_PROPOSALS_MAX];
    const struct peer *p = swarm_peer(sw, op->peer);
    struct stream *s;

    sw->now = now;
    assert(op->count > 0);
    assert(op->count <= SWARM_PROPOSALS_MAX);
    if (p == NULL)
        return E_NOTFOUND;
    size_t count = choose(sw, op, chosen);
    if (count == 0)
        return E_UNSUPPORTED;
    enum err err = stream_begin(
        sw, container_of(list_first(&p->conns), struct conn, peer_link),
        &(struct stream_start){
            .kind = STREAM_OWNER,
            .protocols = chosen,
            .count = count,
            .window_extra = op->window_extra,
            .owner = op->owner,
            .lazy = count == 1,
        },
        &s);
    if (err == OK)
        *ret_stream = s->id;
    return err;
}

void stream_on_opened(struct swarm *sw, struct conn *c)
{
    if (c->streams_in >= sw->limits.streams_in_max ||
        c->negotiating >= sw->limits.negotiating_max) {
        yamux_refuse(&c->yamux, SWARM_RESET_LIMIT);
        conn_touch(sw, c);
        (void)conn_charge(sw, c, COST_STREAM_REFUSED); /* last thing here */
        return;
    }
    struct stream *s = stream_new(sw, c, STREAM_NEW);
    s->inbound = true;
    c->streams_in++;
    c->negotiating++;
    yamux_accept(&c->yamux, &s->y);
    s->y.urgent = true;
    s->proposal = mem_zalloc(1, sizeof(*s->proposal));
    mss_init_responder(&s->proposal->mss, swarm_names(sw));
    set_timer(sw, s, NEGOTIATE_MS);
    conn_touch(sw, c);
}

static uint32_t count_inbound(const struct conn *c, enum stream_kind kind,
                              uint32_t handler)
{
    uint32_t count = 0;
    struct yamux_stream *y = yamux_first_stream(&c->yamux);

    for (; y != NULL; y = yamux_next_stream(&c->yamux, y)) {
        const struct stream *s = stream_of(y);
        if (s->inbound && s->kind == kind && s->handler == handler)
            count++;
    }
    return count;
}

static uint32_t streams_max(const struct swarm *sw, size_t index)
{
    if (index < BUILTINS)
        return PING_STREAMS_MAX;
    uint32_t max = sw->protocols[index - BUILTINS].streams_max;
    return max > 0 ? max : sw->limits.streams_in_max;
}

/* An inbound stream is for protocol @index of ours. */
static void on_chosen(struct swarm *sw, struct stream *s, size_t index)
{
    enum stream_kind kind = STREAM_OWNER;
    uint32_t handler = 0;
    struct conn *c = s->conn;

    if (index < BUILTINS)
        kind = service_kind(index);
    else
        handler = sw->protocols[index - BUILTINS].handler;
    if (count_inbound(c, kind, handler) >= streams_max(sw, index)) {
        stream_abort(sw, s, E_LIMIT, SWARM_RESET_LIMIT);
        if (c->state == CONN_OPEN)
            (void)conn_charge(sw, c, COST_STREAM_REFUSED); /* last thing */
        return;
    }
    s->kind = kind;
    s->handler = handler;
    s->opened = true;
    end_proposal(s);
    timerq_unset(&sw->timers, &s->timer);
    if (kind != STREAM_OWNER) {
        service_on_open(sw, s);
        return;
    }
    yamux_grant(&c->yamux, &s->y, sw->protocols[index - BUILTINS].window_extra);
    struct note *n = swarm_note(sw, SWARM_STREAM_IN);
    n->conn = c->id;
    n->stream = s->id;
    n->peer = c->peer->id;
    n->inbound = true;
    n->protocol = sw->protocols[index - BUILTINS].name;
}

/* The peer agreed to proposal @index of ours. */
static void on_agreed(struct swarm *sw, struct stream *s, size_t index)
{
    const char *protocol = s->proposal->texts[index];

    s->opened = true;
    end_proposal(s);
    if (s->kind != STREAM_OWNER) {
        service_on_open(sw, s);
        return;
    }
    timerq_unset(&sw->timers, &s->timer);
    struct note *n = swarm_note(sw, SWARM_STREAM_OPEN);
    n->conn = s->conn->id;
    n->stream = s->id;
    n->peer = s->conn->peer->id;
    n->protocol = protocol;
}

/* Negotiation bytes; the rest, for the protocol itself, is kept. */
static void negotiate(struct swarm *sw, struct stream *s, struct bytes in)
{
    uint8_t room[MSS_OUT_MAX];
    struct wr w = wr_init(room, sizeof(room));
    struct conn *c = s->conn;
    struct mss *m = &s->proposal->mss;
    uint16_t refused = m->refused;
    size_t before = in.len;
    size_t index;

    if (s->inbound)
        mss_set_names(m, swarm_names(sw));
    enum err err = mss_step(m, &in, &w, &index);
    uint32_t cost = COST_PROPOSAL * (uint32_t)(m->refused - refused);
    yamux_consumed(&c->yamux, &s->y, before - in.len, sw->now);
    c->unread -= before - in.len;
    sw->unread -= before - in.len;
    if (wr_len(&w) > 0 && !s->y.fin_wanted) {
        struct bytes out;
        enum err fits = wr_finish(&w, &out);
        assert(fits == OK);
        stream_send(sw, s, out);
    }
    if (s->inbound && cost > 0 && !conn_charge(sw, c, cost))
        return;
    if (err == E_AGAIN)
        return;
    if (err != OK) {
        stream_abort(sw, s, err, SWARM_RESET_NEGOTIATION);
        return;
    }
    c->rest = in;
    c->rest_stream = s->id;
    if (s->inbound)
        on_chosen(sw, s, index);
    else
        on_agreed(sw, s, index);
}

/* Input. ------------------------------------------------------------------ */

bool stream_on_data(struct swarm *sw, struct stream *s, struct bytes in,
                    struct swarm_out *ret_out)
{
    struct conn *c = s->conn;

    if (s->proposal != NULL) {
        negotiate(sw, s, in);
        return false;
    }
    if (s->kind != STREAM_OWNER) {
        yamux_consumed(&c->yamux, &s->y, in.len, sw->now);
        c->unread -= in.len;
        sw->unread -= in.len;
        service_on_data(sw, s, in);
        return false;
    }
    c->used_at = sw->now;
    ret_out->type = SWARM_STREAM_DATA;
    ret_out->err = OK;
    ret_out->conn = c->id;
    ret_out->conn_owner = c->owner;
    ret_out->stream = s->id;
    ret_out->owner = s->owner;
    ret_out->peer = c->peer->id;
    ret_out->data = in;
    return true;
}

static void free_when_finished(struct swarm *sw, struct stream *s)
{
    if (yamux_finished(&s->y))
        stream_free(sw, s);
}

bool stream_on_eof(struct swarm *sw, struct stream *s,
                   struct swarm_out *ret_out)
{
    struct conn *c = s->conn;

    if (s->proposal != NULL) {
        bool wasted = s->inbound;
        stream_abort(sw, s, E_CLOSED, SWARM_RESET_NEGOTIATION);
        if (wasted && c->state == CONN_OPEN)
            (void)conn_charge(sw, c, COST_STREAM_WASTED); /* last thing here */
        return false;
    }
    s->eof_told = true;
    if (s->kind != STREAM_OWNER) {
        service_on_eof(sw, s);
        return false;
    }
    ret_out->type = SWARM_STREAM_EOF;
    ret_out->err = OK;
    ret_out->conn = c->id;
    ret_out->conn_owner = c->owner;
    ret_out->stream = s->id;
    ret_out->owner = s->owner;
    ret_out->peer = c->peer->id;
    if (s->write_closed)
        set_timer(sw, s, LINGER_MS);
    free_when_finished(sw, s);
    return true;
}

void stream_on_told(struct swarm *sw, struct stream *s)
{
    if (yamux_finished(&s->y)) {
        stream_free(sw, s);
        return;
    }
    if (s->y.low == 0 || s->y.sendq.bytes >= s->y.low)
        return;
    s->y.low = 0;
    if (s->kind != STREAM_OWNER || s->write_closed)
        return;
    struct note *n = swarm_note(sw, SWARM_STREAM_WRITABLE);
    n->conn = s->conn->id;
    n->stream = s->id;
    n->peer = s->conn->peer->id;
}

void stream_on_time(struct swarm *sw, struct stream *s)
{
    if (s->proposal != NULL)
        stream_abort(sw, s, E_TIMEOUT, SWARM_RESET_NEGOTIATION);
    else if (s->kind == STREAM_OWNER)
        stream_abort(sw, s, E_TIMEOUT, SWARM_RESET_NONE);
    else
        service_on_time(sw, s);
}

/* What the owner does. ---------------------------------------------------- */

void swarm_stream_set_owner(struct swarm *sw, struct stream_id stream,
                            void *owner)
{
    struct stream *s = slots_get(&sw->stream_slots, stream.n);
    if (s != NULL)
        s->owner = owner;
}

enum err swarm_stream_write(struct swarm *sw, struct stream_id stream,
                            struct slice slice, size_t *ret_queued)
{
    struct stream *s = stream_get(sw, stream);
    enum err err = OK;

    if (s == NULL)
        err = E_NOTFOUND;
    else if (s->write_closed)
        err = E_CLOSED;
    else if (!s->opened && !s->lazy)
        err = E_AGAIN;
    else if (s->y.sendq.bytes + slice.bytes.len > sw->limits.stream_queue_max)
        err = E_LIMIT;
    if (err != OK) {
        slice_release(&slice);
        return err;
    }
    yamux_write(&s->conn->yamux, &s->y, slice);
    s->conn->is_used = true;
    if (s->y.sendq.bytes > SWARM_STREAM_HIGH_BYTES)
        s->y.low = SWARM_STREAM_LOW_BYTES;
    conn_touch(sw, s->conn);
    *ret_queued = s->y.sendq.bytes;
    return OK;
}

enum err swarm_stream_write_copy(struct swarm *sw, struct stream_id stream,
                                 struct bytes in, size_t *ret_queued)
{
    struct buf *buf = buf_copy(in);
    return swarm_stream_write(
        sw, stream, (struct slice){.buf = buf, .bytes = buf_bytes(buf)},
        ret_queued);
}

size_t swarm_stream_queued(const struct swarm *sw, struct stream_id stream)
{
    const struct stream *s = slots_get(&sw->stream_slots, stream.n);

    return s != NULL && s->conn != NULL ? s->y.sendq.bytes : 0;
}

void swarm_stream_close_write(struct swarm *sw, struct stream_id stream)
{
    struct stream *s = slots_get(&sw->stream_slots, stream.n);

    if (s == NULL || s->write_closed)
        return;
    s->write_closed = true;
    if (s->conn == NULL)
        return;
    yamux_close_write(&s->conn->yamux, &s->y);
    conn_touch(sw, s->conn);
    if (s->eof_told)
        set_timer(sw, s, LINGER_MS);
}

void swarm_stream_reset(struct swarm *sw, struct stream_id stream,
                        uint32_t code)
{
    struct stream *s = slots_get(&sw->stream_slots, stream.n);
    if (s == NULL)
        return;
    if (s->conn == NULL) {
        stream_free(sw, s); /* its note finds nobody */
        return;
    }
    struct conn *c = s->conn;
    bool fine = send_reset(sw, s, code);
    stream_free(sw, s);
    if (!fine)
        conn_fail(sw, c, SWARM_FAULT_FLOOD, 50, E_LIMIT);
}

void swarm_stream_consumed(struct swarm *sw, struct stream_id stream,
                           size_t len)
{
    struct stream *s = stream_get(sw, stream);
    if (s == NULL)
        return;
    yamux_consumed(&s->conn->yamux, &s->y, len, sw->now);
    s->conn->unread -= len;
    sw->unread -= len;
    conn_touch(sw, s->conn);
}
