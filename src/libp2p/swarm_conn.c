#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "libp2p/swarm_priv.h"

/*
 * One connection: its bytes in and out, and its end.
 *
 *   CONN_DIALING -> CONN_SECURITY -> CONN_HANDSHAKE -> CONN_MUXER -> CONN_OPEN
 *   swarm_dialed()  upgrade_on_token()  upgrade_on_frame()  upgrade_on_token()
 *
 * CONN_MUXER is skipped when the handshake agreed on the muxer, everything but
 * the ends when the transport is secured already.  conn_drop() leads from each
 * state to CONN_GONE.
 *
 * Input is looked at where the owner put it.  Only a Noise message that is not
 * complete at the end of a read is copied, to c->part, and finished there by
 * the next read; so c->part never holds more than one.
 */

static const struct bucket_rate conn_rate = {.burst = 1000, .per_second = 100};
static const struct bucket_rate peer_rate = {.burst = 2000, .per_second = 100};
static const struct bucket_rate ip_rate = {.burst = 4000, .per_second = 200};

struct conn *conn_new(struct swarm *sw)
{
    struct conn *c = mem_zalloc(1, sizeof(*c));

    c->id.n = slots_put(&sw->conn_slots, c);
    c->state = CONN_DIALING;
    c->since = sw->now;
    c->timer.kind = TIMER_CONN;
    list_add_tail(&sw->conns, &c->all);
    list_init(&c->peer_link);
    list_init(&c->dial_link);
    list_init(&c->readable);
    list_init(&c->dirty);
    sw->conns_count++;
    return c;
}

static struct conn *get(const struct swarm *sw, struct conn_id id)
{
    struct conn *c = slots_get(&sw->conn_slots, id.n);
    return c == NULL || c->state == CONN_GONE ? NULL : c;
}

void conn_touch(struct swarm *sw, struct conn *c)
{
    if (list_empty(&c->dirty))
        list_add_tail(&sw->dirty, &c->dirty);
}

static void release(struct swarm *sw, struct conn *c)
{
    timerq_unset(&sw->timers, &c->timer);
    list_remove(&c->all);
    list_remove(&c->readable);
    list_remove(&c->dirty);
    sw->conns_count--;
    if (c->counted)
        sw->upgrading--;
    c->counted = false;
    guard_drop(&sw->guard, c->by_ip);
    guard_drop(&sw->guard, c->by_peer);
    upgrade_release(c);
    noise_cipher_release(&c->send);
    noise_cipher_release(&c->recv);
    sendq_release(&c->raw);
    c->in_len = 0;
    c->plain = BYTES_EMPTY;
    c->rest = BYTES_EMPTY;
}

void conn_forget(struct swarm *sw, struct conn *c)
{
    slots_remove(&sw->conn_slots, c->id.n);
    mem_free(c->part);
    mem_free(c);
}

void conn_drop(struct swarm *sw, struct conn *c, enum err err, bool closed)
{
    assert(c->state != CONN_GONE);
    enum conn_state was = c->state;
    struct dial *dial = c->dial;

    if (was == CONN_OPEN) {
        session_end(sw, c, err);
        yamux_release(&c->yamux);
    }
    c->state = CONN_GONE;
    release(sw, c);
    if (dial != NULL)
        dial_on_fail(sw, c, err);
    if (closed) {
        conn_forget(sw, c);
        return;
    }
    struct note *n = swarm_note(sw, SWARM_CLOSE);
    n->conn = c->id;
    n->err = err;
    n->abort = err != OK;
}

void conn_fail(struct swarm *sw, struct conn *c, enum swarm_fault what,
               uint32_t severity, enum err err)
{
    if (c->state != CONN_OPEN && c->by_ip != NULL)
        (void)bucket_take(&c->by_ip->bucket, ip_rate, COST_UPGRADE_FAILED,
                          sw->now); /* it goes in any case */
    sw->totals.dropped++;
    swarm_fault(sw, c, what, severity);
    conn_drop(sw, c, err, false);
}

bool conn_charge(struct swarm *sw, struct conn *c, uint32_t cost)
{
    bool fine = bucket_take(&c->bucket, conn_rate, cost, sw->now);

    if (c->by_peer != NULL)
        fine =
            bucket_take(&c->by_peer->bucket, peer_rate, cost, sw->now) && fine;
    if (c->by_ip != NULL)
        fine = bucket_take(&c->by_ip->bucket, ip_rate, cost, sw->now) && fine;
    if (!fine)
        conn_fail(sw, c, SWARM_FAULT_FLOOD, 50, E_LIMIT);
    return fine;
}

bool conn_charge_tiny(struct swarm *sw, struct conn *c, size_t len)
{
    if (len >= TINY_BYTES || ++c->tiny < TINY_PER_TOKEN)
        return true;
    c->tiny = 0;
    return conn_charge(sw, c, COST_NOTHING);
}

/* The address of a connection counts, unless it is our own machine's. */
static void hold_ip(struct swarm *sw, struct conn *c)
{
    c->class = multiaddr_class(&c->remote);
    if (c->class != MA_CLASS_LOOPBACK || sw->limits.limit_loopback)
        c->by_ip = guard_hold_ip(&sw->guard, &c->remote);
}

static void begin(struct swarm *sw, struct conn *c,
                  const struct swarm_transport *t, struct mtime now)
{
    c->owner = t->owner;
    c->local = t->local;
    if (c->inbound)
        c->remote = t->remote; /* else what was dialed stays */
    c->since = now;
    c->received_at = now;
    if (c->by_ip == NULL)
        hold_ip(sw, c);
    upgrade_begin(sw, c, t);
}

/* An honest upgrade takes a few round trips, so the oldest of too many is the
 * one that will most likely come to nothing. */
static void drop_oldest_upgrade(struct swarm *sw)
{
    list_for_each (link, &sw->conns) {
        struct conn *c = container_of(link, struct conn, all);
        if (!c->counted)
            continue;
        sw->totals.refused++;
        conn_drop(sw, c, E_LIMIT, false);
        return;
    }
}

enum err swarm_accepted(struct swarm *sw,
                        const struct swarm_transport *transport,
                        struct mtime now, struct conn_id *ret_conn)
{
    sw->now = now;
    if (sw->conns_count >= sw->limits.conns_max) {
        sw->totals.refused++;
        return E_LIMIT;
    }
    if (sw->upgrading >= sw->limits.upgrading_max)
        drop_oldest_upgrade(sw);
    struct conn *c = conn_new(sw);
    c->inbound = true;
    c->counted = true;
    sw->upgrading++;
    c->remote = transport->remote;
    hold_ip(sw, c);
    enum err err = OK;
    if (c->by_ip != NULL && c->by_ip->conns > sw->limits.conns_per_ip)
        err = E_LIMIT;
    else if (c->by_ip != NULL &&
             !bucket_take(&c->by_ip->bucket, ip_rate, COST_ACCEPT, now))
        err = E_REFUSED;
    if (err != OK) {
        sw->totals.refused++;
        conn_drop(sw, c, err, true);
        return err;
    }
    sw->totals.accepted++;
    *ret_conn = c->id;
    timerq_set(&sw->timers, &c->timer, mtime_add_ms(now, UPGRADE_IN_MS));
    begin(sw, c, transport, now);
    return OK;
}

enum err swarm_dialed(struct swarm *sw, struct conn_id conn,
                      const struct swarm_transport *transport, struct mtime now)
{
    struct conn *c = get(sw, conn);

    sw->now = now;
    if (c == NULL || c->state != CONN_DIALING)
        return E_NOTFOUND;
    begin(sw, c, transport, now);
    return OK;
}

void swarm_dial_failed(struct swarm *sw, struct conn_id conn, enum err err,
                       struct mtime now)
{
    swarm_transport_closed(sw, conn, err, now);
}

void swarm_bytes(struct swarm *sw, struct conn_id conn, uint8_t *p, size_t len,
                 struct mtime now)
{
    struct conn *c = get(sw, conn);

    sw->now = now;
    if (c == NULL || len == 0)
        return;
    assert(c->state != CONN_DIALING);
    assert(c->in_len == 0);
    c->in = p;
    c->in_len = len;
    c->bytes_in += len;
    sw->totals.bytes_in += len;
    rate_add(&c->rate_in, len, now);
    rate_add(&sw->rate_in, len, now);
    c->received_at = now;
    list_remove(&c->readable);
    list_add_tail(&sw->readable, &c->readable);
}

void swarm_queued(struct swarm *sw, struct conn_id conn, size_t queued)
{
    struct conn *c = get(sw, conn);
    if (c == NULL)
        return;
    c->queued = queued;
    conn_touch(sw, c);
}

void swarm_transport_closed(struct swarm *sw, struct conn_id conn, enum err why,
                            struct mtime now)
{
    struct conn *c = slots_get(&sw->conn_slots, conn.n);

    sw->now = now;
    if (c == NULL)
        return;
    if (c->state != CONN_GONE) {
        conn_drop(sw, c, why == OK ? E_CLOSED : why, true);
        return;
    }
    /* Its SWARM_CLOSE finds nobody and is not told. */
    conn_forget(sw, c);
}

void swarm_close(struct swarm *sw, struct conn_id conn, struct mtime now)
{
    struct conn *c = get(sw, conn);

    sw->now = now;
    if (c != NULL)
        conn_drop(sw, c, E_CANCELED, false);
}

enum err swarm_disconnect(struct swarm *sw, const struct peer_id *peer,
                          struct mtime now)
{
    struct peer *p = swarm_peer(sw, peer);

    sw->now = now;
    if (p == NULL)
        return E_NOTFOUND;
    size_t count = p->conns_count;
    while (count-- > 0) /* @p goes with its last connection */
        conn_drop(sw,
                  container_of(list_first(&p->conns), struct conn, peer_link),
                  E_CANCELED, false);
    return OK;
}

void conn_on_time(struct swarm *sw, struct conn *c)
{
    if (c->state == CONN_OPEN) {
        session_on_time(sw, c);
        return;
    }
    if (c->state == CONN_DIALING)
        conn_drop(sw, c, E_TIMEOUT, false);
    else
        conn_fail(sw, c, SWARM_FAULT_TIMEOUT, 5, E_TIMEOUT);
}

/* Input. ------------------------------------------------------------------ */

/* Move input to c->part until that holds @want bytes; false: input ended. */
static bool gather(struct conn *c, size_t want)
{
    if (c->part_len >= want)
        return true;
    if (c->part_room < want) {
        c->part = mem_resize(c->part, want, 1);
        c->part_room = want;
    }
    size_t len = want - c->part_len;
    if (len > c->in_len)
        len = c->in_len;
    if (len > 0)
        memcpy(c->part + c->part_len, c->in, len);
    c->part_len += len;
    c->in += len;
    c->in_len -= len;
    return c->part_len == want;
}

static size_t frame_size(const uint8_t *p)
{
    struct rd r = rd_init((struct bytes){.p = p, .len = NOISE_LEN_BYTES});
    return NOISE_LEN_BYTES + (size_t)rd_be16(&r);
}

/* The next Noise message with its length; NULL when it is not all here. */
static uint8_t *next_frame(struct conn *c, size_t *ret_size)
{
    if (c->part_len == 0 && c->in_len >= NOISE_LEN_BYTES) {
        size_t size = frame_size(c->in);
        if (c->in_len >= size) {
            uint8_t *frame = c->in;
            c->in += size;
            c->in_len -= size;
            *ret_size = size;
            return frame;
        }
    }
    if (c->in_len == 0 || !gather(c, NOISE_LEN_BYTES))
        return NULL;
    size_t size = frame_size(c->part);
    if (!gather(c, size))
        return NULL;
    c->part_len = 0; /* its bytes stay until the next gather() */
    *ret_size = size;
    return c->part;
}

/* No more can be done before more comes. */
static void input_ended(struct conn *c)
{
    list_remove(&c->readable);
    if (c->part_len > 0)
        return;
    mem_free(c->part);
    c->part = NULL;
    c->part_room = 0;
}

/* Decrypt the next message to c->plain; false: there is none. */
static bool next_plain(struct swarm *sw, struct conn *c)
{
    size_t size;

    if (c->clear) {
        c->plain = (struct bytes){.p = c->in, .len = c->in_len};
        c->in_len = 0;
        return c->plain.len > 0;
    }
    uint8_t *frame = next_frame(c, &size);
    if (frame == NULL)
        return false;
    size_t len;
    enum err err = noise_open(&c->recv, frame + NOISE_LEN_BYTES,
                              size - NOISE_LEN_BYTES, &len);
    if (err != OK) {
        /* Anybody on the way may have altered it: no fault of the peer's. */
        conn_fail(sw, c, SWARM_FAULT_PROTOCOL, 1, err);
        return true;
    }
    c->plain = (struct bytes){.p = frame + NOISE_LEN_BYTES, .len = len};
    if (len == 0)
        (void)conn_charge(sw, c, COST_NOTHING); /* the caller looks at state */
    else
        (void)conn_charge_tiny(sw, c, len); /* likewise */
    return true;
}

static void security_input(struct swarm *sw, struct conn *c)
{
    struct bytes in = {.p = c->in, .len = c->in_len};

    upgrade_on_token(sw, c, &in);
    if (c->state == CONN_GONE)
        return;
    c->in += c->in_len - in.len;
    c->in_len = in.len;
}

bool conn_input(struct swarm *sw, struct conn *c, struct swarm_out *ret_out)
{
    uint8_t *frame;
    size_t size;

    switch (c->state) {
    case CONN_DIALING:
    case CONN_GONE:
        input_ended(c);
        break;
    case CONN_SECURITY:
        if (c->in_len > 0)
            security_input(sw, c);
        else
            input_ended(c);
        break;
    case CONN_HANDSHAKE:
        frame = next_frame(c, &size);
        if (frame != NULL)
            upgrade_on_frame(sw, c, frame + NOISE_LEN_BYTES,
                             size - NOISE_LEN_BYTES);
        else
            input_ended(c);
        break;
    case CONN_MUXER:
        if (c->plain.len > 0)
            upgrade_on_token(sw, c, &c->plain);
        else if (!next_plain(sw, c))
            input_ended(c);
        break;
    case CONN_OPEN:
        if (c->plain.len > 0 || c->rest.len > 0 || yamux_is_busy(&c->yamux))
            return session_input(sw, c, ret_out);
        if (!next_plain(sw, c))
            input_ended(c);
        break;
    }
    return false;
}

/* Output. ----------------------------------------------------------------- */

static size_t sealed_size(const struct yamux_batch *batches, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += batches[i].bytes + NOISE_LEN_BYTES + AEAD_TAG_BYTES;
    return size;
}

static size_t copy_pieces(const struct yamux_batch *b, uint8_t *dst)
{
    size_t len = 0;
    for (size_t i = 0; i < b->pieces_count; i++) {
        memcpy(dst + len, b->pieces[i].p, b->pieces[i].len);
        len += b->pieces[i].len;
    }
    return len;
}

/*
 * A buffer for output.  Large ones are used again once nobody else refers to
 * them: memory that is given back and asked for in turn costs a page fault for
 * each page, as much as a tenth of the encryption.
 */
static struct buf *output_buf(struct swarm *sw, size_t size)
{
    struct buf **spare = NULL;

    if (size < SPARE_BYTES_MIN)
        return buf_new(size);
    for (size_t i = 0; i < SPARES_MAX; i++) {
        struct buf *b = sw->spares[i];
        if (b == NULL) {
            spare = &sw->spares[i];
        } else if (b->refs == 1) {
            b->len = 0;
            return buf_ref(b);
        }
    }
    if (spare == NULL)
        return buf_new(size);
    *spare = buf_new((size_t)WRITE_BATCHES * NOISE_FRAME_MAX);
    return buf_ref(*spare);
}

/* One buffer for the wire of what the batches hold. */
static struct buf *seal(struct swarm *sw, struct conn *c,
                        struct yamux_batch *batches, size_t count)
{
    struct buf *buf = output_buf(sw, sealed_size(batches, count));

    for (size_t i = 0; i < count; i++) {
        struct yamux_batch *b = &batches[i];
        uint8_t *dst = buf->data + buf->len;
        buf->len += c->clear
                        ? copy_pieces(b, dst)
                        : noise_seal(&c->send, b->pieces, b->pieces_count, dst);
        yamux_batch_release(b);
    }
    assert(buf->len <= buf->max);
    return buf;
}

static bool tell_write(struct swarm *sw, struct conn *c, struct slice slice,
                       struct swarm_out *ret_out)
{
    c->queued += slice.bytes.len;
    c->bytes_out += slice.bytes.len;
    sw->totals.bytes_out += slice.bytes.len;
    rate_add(&c->rate_out, slice.bytes.len, sw->now);
    rate_add(&sw->rate_out, slice.bytes.len, sw->now);
    ret_out->type = SWARM_WRITE;
    ret_out->err = OK;
    ret_out->conn = c->id;
    ret_out->conn_owner = c->owner;
    ret_out->slice = slice;
    return true;
}

static bool session_output(struct swarm *sw, struct conn *c,
                           struct swarm_out *ret_out)
{
    struct yamux_batch *batches;
    size_t count = 0;

    /* Too large for the stack, and for what an idle node should hold. */
    batches = mem_alloc(WRITE_BATCHES * sizeof(batches[0]));
    while (count < WRITE_BATCHES && yamux_has_output(&c->yamux)) {
        yamux_fill(&c->yamux, NOISE_PLAIN_MAX, &batches[count]);
        if (batches[count].bytes == 0)
            break;
        count++;
    }
    struct buf *buf = count > 0 ? seal(sw, c, batches, count) : NULL;
    mem_free(batches);
    if (yamux_has_output(&c->yamux))
        conn_touch(sw, c);
    struct yamux_stream *told;
    while ((told = yamux_next_told(&c->yamux)) != NULL)
        stream_on_told(sw, stream_of(told));
    if (buf == NULL)
        return false;
    struct slice slice = {.buf = buf, .bytes = buf_bytes(buf)};
    return tell_write(sw, c, slice, ret_out);
}

bool conn_output(struct swarm *sw, struct conn *c, struct swarm_out *ret_out)
{
    list_remove(&c->dirty);
    if (c->is_used)
        c->used_at = sw->now;
    c->is_used = false;
    if (c->state == CONN_DIALING || c->queued > sw->limits.socket_queue_max)
        return false; /* swarm_queued() goes on */
    if (c->raw.count > 0) {
        conn_touch(sw, c);
        return tell_write(sw, c, sendq_take(&c->raw, SIZE_MAX), ret_out);
    }
    return c->state == CONN_OPEN && session_output(sw, c, ret_out);
}
