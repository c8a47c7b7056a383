/* Streams that are there: writing, travelling, reading, ending. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/liar.h"
#include "sim/net_priv.h"

enum {
    CLOSE_MS = 2000,
    RTO_MS = 200,
    RTO_MAX_MS = 60 * 1000,
    SLICES_MAX = 256,
    QUEUE_ROOM_FIRST = 8,
    PARTS_A_SECOND = 100, /* of an uplink, so that streams take turns */
    GARBLE_MIN = 1024,    /* shorter segments are left alone */
    GARBLE_PPM = 200000,
    HALF_PPM = 500000,
    LOSSES_MAX = 8, /* of one packet */
};

static void on_arrival(struct timer *t, struct mtime now);
static void on_own(struct timer *t, struct mtime now);
static void end_close(struct sim_end *e, enum err why);

struct sim_end *sim_end_new(struct sim_host *h, struct net_sock *sock,
                            enum sim_end_state state)
{
    struct sim_end *e = mem_zalloc(1, sizeof(*e));

    e->host = h;
    e->sock = sock;
    e->state = state;
    e->stalled = MTIME_NEVER;
    list_init(&e->dirty);
    list_init(&e->coming);
    timer_init(&e->arrival, on_arrival);
    timer_init(&e->own, on_own);
    list_add_tail(&h->ends, &e->link);
    if (sock != NULL)
        sock->priv = e;
    return e;
}

/* The queue. */

static struct slice *queue_at(const struct sim_end *e, size_t index)
{
    return &e->queue[(e->queue_first + index) % e->queue_room];
}

static void queue_add(struct sim_end *e, struct slice s)
{
    if (e->queue_count == e->queue_room) {
        size_t room = e->queue_room == 0 ? QUEUE_ROOM_FIRST : 2 * e->queue_room;
        struct slice *queue = mem_zalloc(room, sizeof(queue[0]));
        for (size_t i = 0; i < e->queue_count; i++)
            queue[i] = *queue_at(e, i);
        mem_free(e->queue);
        e->queue = queue;
        e->queue_room = room;
        e->queue_first = 0;
    }
    e->queue_count++;
    *queue_at(e, e->queue_count - 1) = s;
    e->queued += s.bytes.len;
}

static void queue_clear(struct sim_end *e)
{
    for (size_t i = 0; i < e->queue_count; i++)
        slice_release(queue_at(e, i));
    mem_free(e->queue);
    e->queue = NULL;
    e->queue_first = 0;
    e->queue_count = 0;
    e->queue_room = 0;
    e->queued = 0;
}

/* Takes at most @max bytes off the queue. */
static struct sim_segment *queue_take(struct sim_end *e, size_t max)
{
    size_t count = e->queue_count < SLICES_MAX ? e->queue_count : SLICES_MAX;
    struct sim_segment *g =
        mem_zalloc(1, sizeof(*g) + count * sizeof(g->slices[0]));

    while (g->count < count && g->len < max) {
        struct slice *s = queue_at(e, 0);
        size_t len = s->bytes.len < max - g->len ? s->bytes.len : max - g->len;
        g->len += len;
        if (len < s->bytes.len) {
            g->slices[g->count] = slice_ref(s);
            g->slices[g->count++].bytes.len = len;
            s->bytes = bytes_sub(s->bytes, len, s->bytes.len - len);
            break;
        }
        g->slices[g->count++] = *s;
        e->queue_first = (e->queue_first + 1) % e->queue_room;
        e->queue_count--;
    }
    e->queued -= g->len;
    return g;
}

/* Travelling. */

static uint64_t ns_of(uint64_t bytes, uint64_t bytes_s)
{
    return bytes_s == 0 ? 0 : bytes * SIM_S / bytes_s;
}

/* A lost packet comes again after a round trip, or after ever longer ones. */
static uint64_t loss_delay(struct sim_host *from, const struct sim_host *to,
                           size_t len)
{
    uint64_t delay = 0;
    uint64_t wait = sim_host_delay(from, to) * 2;

    for (size_t at = 0; at < len + 1; at += SIM_PACKET_BYTES) {
        if (!sim_host_loses(from, to))
            continue;
        delay = delay > wait ? delay : wait;
        for (unsigned i = 0; i < LOSSES_MAX && sim_host_loses(from, to); i++) {
            wait += (uint64_t)RTO_MS * SIM_MS;
            delay += wait;
        }
    }
    return delay;
}

static struct mtime last_arrival(const struct sim_end *e)
{
    if (list_empty(&e->coming))
        return (struct mtime){0};
    return container_of(e->coming.prev, struct sim_segment, link)->at;
}

static void post(struct sim_host *from, struct sim_end *to,
                 struct sim_segment *g)
{
    struct sim_host *h = to->host;
    struct mtime now = sim_clock_now(from->clock);
    uint64_t loss = from->link_of.loss_ppm + h->link_of.loss_ppm;

    if (from->link_of.up_bytes_s > 0 && g->len > 0) {
        from->up_free_ns = now.ns + ns_of(g->len, from->link_of.up_bytes_s);
        g->at.ns = from->up_free_ns;
    } else {
        g->at = now;
    }
    g->at.ns += sim_host_delay(from, h);
    if (loss > 0)
        g->at.ns += loss_delay(from, h, g->len);
    if (h->link_of.down_bytes_s > 0 && g->len > 0) {
        if (g->at.ns < h->down_free_ns)
            g->at.ns = h->down_free_ns;
        g->at.ns += ns_of(g->len, h->link_of.down_bytes_s);
        h->down_free_ns = g->at.ns;
    }
    struct mtime last = last_arrival(to);
    if (mtime_before(g->at, last))
        g->at = last;
    bool first = list_empty(&to->coming);
    list_add_tail(&to->coming, &g->link);
    to->coming_len += g->len;
    if (first)
        sim_clock_set(h->clock, &to->arrival, g->at);
}

void sim_end_send(struct sim_end *e, enum sim_segment_kind kind)
{
    if (e->other == NULL)
        return;
    struct sim_segment *g = mem_zalloc(1, sizeof(*g));
    g->kind = kind;
    post(e->host, e->other, g);
}

static void free_segment(struct sim_segment *g)
{
    for (size_t i = 0; i < g->count; i++)
        slice_release(&g->slices[i]);
    mem_free(g);
}

static void drop_coming(struct sim_end *e)
{
    while (!list_empty(&e->coming)) {
        struct sim_segment *g =
            container_of(list_first(&e->coming), struct sim_segment, link);
        list_remove(&g->link);
        free_segment(g);
    }
    e->coming_len = 0;
    sim_clock_set(e->host->clock, &e->arrival, MTIME_NEVER);
}

/* Sending. */

static uint64_t rto_ms(unsigned retries)
{
    uint64_t ms = (uint64_t)RTO_MS << (retries < 16 ? retries : 16);

    return ms < RTO_MAX_MS ? ms : RTO_MAX_MS;
}

/* The other end has gone without a word: what we send is not acknowledged. */
static void send_into_void(struct sim_end *e)
{
    struct mtime now = sim_clock_now(e->host->clock);

    if (e->host->clock->dead || mtime_before(e->stalled, MTIME_NEVER))
        return;
    e->stalled = now;
    e->retries = 0;
    if (e->own.place == 0)
        sim_clock_after(e->host->clock, &e->own, rto_ms(0) * SIM_MS);
}

static size_t part_size(const struct sim_host *h)
{
    uint64_t part = h->link_of.up_bytes_s / PARTS_A_SECOND;

    if (h->link_of.up_bytes_s == 0 || part > SIM_SEGMENT_MAX)
        return SIM_SEGMENT_MAX;
    return part < SIM_PACKET_BYTES ? SIM_PACKET_BYTES : (size_t)part;
}

/* Return: whether there is more that could be sent now. */
static bool send_part(struct sim_end *e)
{
    struct sim_host *h = e->host;
    struct sim_end *o = e->other;
    size_t part = part_size(h);

    if (e->queue_count == 0)
        return false;
    if (o == NULL) {
        send_into_void(e);
        return false;
    }
    if (o->coming_len + part > SIM_WINDOW_BYTES)
        return false; /* the delivery of something goes on with it */
    struct sim_segment *g = queue_take(e, part);
    g->kind = SIM_SEGMENT_DATA;
    h->bytes_out += g->len;
    post(h, o, g);
    if (e->over && e->queued < NET_LOW_BYTES)
        sim_clock_after(h->clock, &e->own, 0);
    return e->queue_count > 0;
}

static void after_sending(struct sim_end *e)
{
    if (e->state != SIM_END_FLUSHING || e->queue_count > 0)
        return;
    if (e->other != NULL)
        sim_end_send(e, SIM_SEGMENT_FIN);
    else
        end_close(e, E_CANCELED);
}

void sim_host_flush(struct sim_host *h)
{
    while (!list_empty(&h->dirty)) {
        struct mtime now = sim_clock_now(h->clock);
        if (h->link_of.up_bytes_s > 0 && h->up_free_ns > now.ns) {
            sim_clock_set(h->clock, &h->flush, (struct mtime){h->up_free_ns});
            return;
        }
        struct sim_end *e =
            container_of(list_first(&h->dirty), struct sim_end, dirty);
        list_remove(&e->dirty);
        if (send_part(e))
            list_add_tail(&h->dirty, &e->dirty);
        else
            after_sending(e);
    }
}

static void set_dirty(struct sim_end *e)
{
    if (list_empty(&e->dirty))
        list_add_tail(&e->host->dirty, &e->dirty);
}

static size_t do_write(struct net *net, struct net_sock *s,
                       const struct slice *slices, size_t count)
{
    struct sim_end *e = s->priv;
    bool taken = (e->state == SIM_END_OPEN || e->state == SIM_END_DIALING) &&
                 !e->host->clock->dead;

    (void)net; /* the end knows */
    for (size_t i = 0; i < count; i++) {
        struct slice slice = slices[i];
        if (taken && slice.bytes.len > 0)
            queue_add(e, slice);
        else
            slice_release(&slice);
    }
    if (!taken)
        return 0;
    if (e->state == SIM_END_OPEN)
        set_dirty(e);
    if (e->queued > NET_HIGH_BYTES)
        e->over = true;
    return e->queued;
}

/* Reading. */

static void copy_to_ring(uint8_t *ring, const struct sim_segment *g)
{
    size_t at = 0;

    for (size_t i = 0; i < g->count; i++) {
        memcpy(ring + at, g->slices[i].bytes.p, g->slices[i].bytes.len);
        at += g->slices[i].bytes.len;
    }
}

static void garble(struct sim_end *e, uint8_t *p, size_t len)
{
    struct sim_rand *r = &e->host->rand;

    if (len < GARBLE_MIN || !e->far->garbles || !sim_rand_chance(r, GARBLE_PPM))
        return;
    uint64_t at = len / 2 + sim_rand_below(r, len / 2);
    p[at] ^= (uint8_t)(1 + sim_rand_below(r, UINT8_MAX));
}

/* What a liar makes of it; it has to hear a connection from its begin. */
static uint8_t *twist(struct sim_end *e, size_t *len)
{
    struct sim_liar *liar = e->far->liar;
    uint8_t *ring = e->host->of->ring;

    if (!e->heard && liar != NULL && e->host->of->secured)
        e->way = sim_liar_way_new();
    e->heard = true;
    if (liar == NULL || e->way == NULL)
        return ring;
    return sim_liar_pass(liar, e->way, (struct bytes){ring, *len}, len);
}

static void read_segment(struct sim_end *e, const struct sim_segment *g,
                         struct mtime now)
{
    struct sim_host *h = e->host;
    struct sim_net *n = h->of;
    size_t len = g->len;

    copy_to_ring(n->ring, g);
    garble(e, n->ring, g->len);
    uint8_t *in = twist(e, &len);
    size_t first = len;
    sim_clock_trace(h->clock, SIM_RECEIVED, (struct bytes){in, len});
    n->segments++;
    n->bytes += len;
    h->bytes_in += len;
    if (len > 1 && sim_rand_chance(&h->rand, n->split_ppm))
        first = 1 + (size_t)sim_rand_below(&h->rand, len - 1);
    if (first > 0)
        e->sock->on_read(e->sock, in, first, now);
    if (first < len && e->state == SIM_END_OPEN)
        e->sock->on_read(e->sock, in + first, len - first, now);
}

/* The acknowledgement travels back and lets the sender go on. */
static void acknowledge(struct sim_end *e)
{
    struct sim_end *o = e->other;

    if (o == NULL || o->queue_count == 0 || !list_empty(&o->dirty))
        return;
    set_dirty(o);
    struct mtime at = {sim_clock_now(e->host->clock).ns +
                       sim_host_delay(e->host, o->host)};
    if (o->host->flush.place == 0 || mtime_before(at, o->host->flush.at))
        sim_clock_set(o->host->clock, &o->host->flush, at);
}

static void on_fin(struct sim_end *e)
{
    struct sim_end *o = e->other;

    if (o != NULL && o->state == SIM_END_FLUSHING) {
        /* It learns that we have all of it. */
        sim_clock_after(o->host->clock, &o->own,
                        sim_host_delay(e->host, o->host));
        o->other = NULL;
        e->other = NULL;
    }
    if (e->state == SIM_END_OPEN)
        end_close(e, E_CLOSED);
    else if (e->state == SIM_END_FLUSHING)
        end_close(e, E_CANCELED);
}

static void on_reset(struct sim_end *e, struct mtime now)
{
    enum sim_end_state state = e->state;

    if (state == SIM_END_CLOSED)
        return;
    end_close(e, state == SIM_END_DIALING ? E_REFUSED
                 : state == SIM_END_OPEN  ? E_IO
                                          : E_CANCELED);
    if (state == SIM_END_DIALING)
        e->sock->on_open(e->sock, E_REFUSED, now);
}

static void deliver(struct sim_end *e, const struct sim_segment *g,
                    struct mtime now)
{
    switch (g->kind) {
    case SIM_SEGMENT_OPEN:
        if (e->state != SIM_END_DIALING)
            break;
        e->state = SIM_END_OPEN;
        sim_clock_set(e->host->clock, &e->own, MTIME_NEVER);
        if (e->queue_count > 0)
            set_dirty(e);
        e->sock->on_open(e->sock, OK, now);
        break;
    case SIM_SEGMENT_DATA:
        if (e->state == SIM_END_OPEN)
            read_segment(e, g, now);
        acknowledge(e);
        break;
    case SIM_SEGMENT_FIN:
        on_fin(e);
        break;
    case SIM_SEGMENT_RESET:
        on_reset(e, now);
        break;
    }
}

/* Over a cut link a segment tries again and again; at last its sender gives
 * up.  Return: true when it did not get through. */
static bool stall(struct sim_end *e, struct mtime now)
{
    struct sim_host *h = e->host;

    if (e->far == NULL || !sim_net_is_cut(h->of, e->far, h)) {
        e->stalled = MTIME_NEVER;
        e->retries = 0;
        return false;
    }
    if (e->stalled.ns == MTIME_NEVER.ns)
        e->stalled = now;
    if (mtime_ms_since(e->stalled, now) > (uint64_t)SIM_STALL_S * 1000) {
        drop_coming(e);
        if (e->other != NULL)
            end_close(e->other, E_IO);
        return true;
    }
    sim_clock_after(h->clock, &e->arrival, rto_ms(e->retries++) * SIM_MS);
    return true;
}

static void on_arrival(struct timer *t, struct mtime now)
{
    struct sim_end *e = container_of(t, struct sim_end, arrival);

    if (stall(e, now))
        return;
    while (!list_empty(&e->coming)) {
        struct sim_segment *g =
            container_of(list_first(&e->coming), struct sim_segment, link);
        if (mtime_before(now, g->at)) {
            sim_clock_set(e->host->clock, t, g->at);
            return;
        }
        if (e->paused && e->state == SIM_END_OPEN)
            return;
        list_remove(&g->link);
        e->coming_len -= g->len;
        deliver(e, g, now);
        free_segment(g);
    }
}

static void do_pause(struct net *net, struct net_sock *s, bool paused)
{
    struct sim_end *e = s->priv;

    (void)net; /* the end knows */
    if (e->paused == paused)
        return;
    e->paused = paused;
    if (!paused && !list_empty(&e->coming) && e->arrival.place == 0)
        sim_clock_after(e->host->clock, &e->arrival, 0);
}

/* Ending. */

static void part(struct sim_end *e)
{
    if (e->other != NULL)
        e->other->other = NULL;
    e->other = NULL;
}

/* It ends for its owner, who will hear @why; the other end hears nothing by
 * this. */
static void end_close(struct sim_end *e, enum err why)
{
    if (e->state == SIM_END_CLOSED)
        return;
    e->state = SIM_END_CLOSED;
    e->why = why;
    part(e);
    if (e->syn != NULL)
        e->syn->from = NULL;
    e->syn = NULL;
    queue_clear(e);
    list_remove(&e->dirty);
    sim_clock_after(e->host->clock, &e->own, 0);
}

void sim_end_reset(struct sim_end *e, enum err why)
{
    if (e->state == SIM_END_CLOSED)
        return;
    sim_end_send(e, SIM_SEGMENT_RESET);
    end_close(e, why);
}

static void end_free(struct sim_end *e)
{
    part(e);
    drop_coming(e);
    queue_clear(e);
    sim_clock_set(e->host->clock, &e->own, MTIME_NEVER);
    list_remove(&e->dirty);
    list_remove(&e->link);
    sim_liar_way_free(e->way);
    mem_free(e);
}

void sim_end_die(struct sim_end *e, bool silent)
{
    if (e->syn != NULL)
        e->syn->from = NULL;
    e->syn = NULL;
    if (!silent)
        sim_end_send(e, sim_rand_chance(&e->host->rand, HALF_PPM)
                            ? SIM_SEGMENT_RESET
                            : SIM_SEGMENT_FIN);
    part(e);
    drop_coming(e);
    queue_clear(e);
    list_remove(&e->dirty);
}

static void tell_closed(struct sim_end *e, struct mtime now)
{
    struct net_sock *s = e->sock;
    struct sim_clock *clock = e->host->clock;
    enum err why = e->why;
    uint8_t payload = (uint8_t)why;

    end_free(e);
    sim_clock_trace(clock, SIM_CLOSED, (struct bytes){&payload, 1});
    s->priv = NULL;
    s->on_closed(s, why, now);
}

/* Nobody acknowledges: a machine that is there again says that it knows of
 * no such stream. */
static void try_void(struct sim_end *e, struct mtime now)
{
    bool there = e->far->up && !sim_net_is_cut(e->host->of, e->host, e->far) &&
                 !sim_net_is_cut(e->host->of, e->far, e->host);

    if (there || mtime_ms_since(e->stalled, now) > (uint64_t)SIM_STALL_S * 1000)
        end_close(e, E_IO);
    else
        sim_clock_after(e->host->clock, &e->own, rto_ms(++e->retries) * SIM_MS);
}

static void on_own(struct timer *t, struct mtime now)
{
    struct sim_end *e = container_of(t, struct sim_end, own);

    switch (e->state) {
    case SIM_END_DIALING:
        end_close(e, E_TIMEOUT);
        e->sock->on_open(e->sock, E_TIMEOUT, now);
        break;
    case SIM_END_OPEN:
        if (e->other == NULL && mtime_before(e->stalled, MTIME_NEVER))
            try_void(e, now);
        if (e->state != SIM_END_OPEN || !e->over || e->queued >= NET_LOW_BYTES)
            break;
        e->over = false;
        e->sock->on_writable(e->sock, now);
        break;
    case SIM_END_FLUSHING:
        sim_end_reset(e, E_CANCELED);
        break;
    case SIM_END_CLOSED:
        tell_closed(e, now);
        break;
    }
}

static void do_close(struct net *net, struct net_sock *s, bool abort)
{
    struct sim_end *e = s->priv;
    struct mtime now = sim_clock_now(e->host->clock);

    (void)net; /* the end knows */
    if (abort || e->state == SIM_END_DIALING || e->host->clock->dead) {
        sim_end_reset(e, E_CANCELED);
        return;
    }
    if (e->state != SIM_END_OPEN)
        return;
    e->state = SIM_END_FLUSHING;
    e->over = false;
    sim_clock_set(e->host->clock, &e->own, mtime_add_ms(now, CLOSE_MS));
    set_dirty(e);
}

void sim_stream_ops(struct net *net)
{
    net->write = do_write;
    net->close = do_close;
    net->pause = do_pause;
}
