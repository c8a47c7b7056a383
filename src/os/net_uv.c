#include "os/net_uv.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/rd.h"
#include "os/const_cast.h"
#include "os/dns_cares.h"
#include "os/errno_err.h"
#include "os/loop.h"
#include "os/slice_queue.h"
#include "os/sockaddr.h"
#include "os/udp_uv.h"

/*
 * A connection is made by dial() or an accept and goes
 *
 *   DIALING -> OPEN -> FLUSHING -> DRAINING -> CLOSING -> freed
 *
 * and may go to CLOSING from each of them.
 *
 * 1. write() only queues.  The queue goes to the kernel at the end of the turn
 *    or once FLUSH_BYTES wait: many small writes become one writev.
 * 2. @blocked: the kernel took no more, and libuv holds @request, made from
 *    the first slices of the queue.  They leave it in on_written().
 * 3. Callbacks are called from events and tasks only.  @task carries what was
 *    decided inside a call: the result of a dial that failed at once, and
 *    on_writable after a flush that a write set off.
 * 4. CLOSING has begun: uv_close() was called.  on_conn_closed() tells the
 *    owner, once, and frees.
 */
enum {
    BACKLOG = 511,
    IOVECS_MAX = 64,
    FLUSH_BYTES = NET_LOW_BYTES,
    DRAIN_TICK_MS = 20,
};

_Static_assert((int)FLUSH_BYTES < (int)NET_HIGH_BYTES,
               "a flush comes before the limit");

enum conn_state {
    CONN_DIALING,
    CONN_OPEN,
    CONN_FLUSHING, /* we closed; the queue goes out */
    CONN_DRAINING, /* all is with the kernel, which sends it */
    CONN_CLOSING,
};

struct os_net {
    struct net net;
    struct os_loop *loop;
    struct os_loop_hook turn;
    struct list conns;
    struct list listeners;
    struct list dirty; /* connections with something to flush */
    struct os_udp udp;
    struct os_dns *dns;
    uint8_t *ring; /* OS_NET_RING_BYTES, NULL until the first read */
};

struct conn {
    uv_tcp_t tcp;
    union {
        uv_connect_t connect;
        uv_write_t write;
        uv_shutdown_t shutdown;
    } request; /* they follow each other */
    struct os_net *net;
    struct net_sock *sock; /* NULL: nobody is told */
    struct list link;      /* in net.conns */
    struct list dirty;     /* in net.dirty */
    struct os_loop_task task;
    struct timer timer; /* of the dial or the close */
    struct mtime close_at;
    struct slice_queue queue;
    enum conn_state state;
    enum err why;      /* for on_closed */
    enum err dial_err; /* what @task tells on_open */
    size_t blocked;    /* bytes that libuv holds in @request */
    bool over;         /* on_writable is owed */
    bool wants_read;
};

struct listener {
    uv_tcp_t tcp;
    struct os_net *net;
    struct net_listener *user;
    struct list link;
};

static void conn_close(struct conn *c, enum err why);
static void start_reading(struct conn *c);

/* Addresses. */

typedef int name_fn(const uv_tcp_t *tcp, struct sockaddr *name, int *len);

static void name_of(const uv_tcp_t *tcp, name_fn *name, struct net_addr *ret)
{
    struct sockaddr_storage ss;
    int len = sizeof(ss);

    *ret = (struct net_addr){.ip_len = 0};
    if (name(tcp, (struct sockaddr *)&ss, &len) == 0)
        (void)net_addr_from_sockaddr((struct sockaddr *)&ss,
                                     ret); /* ours are IP */
}

/* Return: how many of @bufs show the front of the queue, of @ret_len bytes. */
static unsigned queue_view(const struct slice_queue *q, uv_buf_t *bufs,
                           size_t *ret_len)
{
    unsigned count = 0;
    size_t len = 0;

    for (; count < q->count && count < IOVECS_MAX; count++) {
        struct bytes b = slice_queue_at(q, count);
        bufs[count].base = const_cast(b.p);
        bufs[count].len = b.len;
        len += b.len;
    }
    *ret_len = len;
    return count;
}

/* Writing. */

static struct mtime net_now(struct os_net *n)
{
    struct clock *clock = os_loop_clock(n->loop);
    return clock->now(clock);
}

static void set_timer(struct conn *c, struct mtime at)
{
    struct clock *clock = os_loop_clock(c->net->loop);
    clock->set(clock, &c->timer, at);
}

static void flush(struct conn *c);
static void on_shutdown(uv_shutdown_t *request, int status);

/* The queue is empty and we have closed: the end of our stream follows. */
static void begin_shutdown(struct conn *c)
{
    c->state = CONN_DRAINING;
    c->request.shutdown.data = c;
    int failed =
        uv_shutdown(&c->request.shutdown, (uv_stream_t *)&c->tcp, on_shutdown);
    if (failed != 0)
        conn_close(c, E_CANCELED);
}

static void after_progress(struct conn *c)
{
    if (c->over && c->queue.bytes < NET_LOW_BYTES)
        os_loop_defer(c->net->loop, &c->task);
    if (c->state == CONN_FLUSHING && c->queue.count == 0)
        begin_shutdown(c);
}

static void on_written(uv_write_t *request, int status)
{
    struct conn *c = request->data;
    size_t len = c->blocked;

    c->blocked = 0;
    if (c->state == CONN_CLOSING)
        return;
    (void)os_loop_enter(c->net->loop); /* the tasks it defers are called soon */
    if (status != 0) {
        conn_close(c, E_IO);
        return;
    }
    slice_queue_drop(&c->queue, len);
    flush(c);
}

/* The kernel's buffer is full: libuv waits until it takes the first of @bufs,
 * not all of them, so that we see the progress. */
static bool write_later(struct conn *c, const uv_buf_t *bufs, unsigned count)
{
    unsigned used = 0;
    size_t len = 0;

    while (used < count && len < FLUSH_BYTES)
        len += bufs[used++].len;
    c->request.write.data = c;
    int failed = uv_write(&c->request.write, (uv_stream_t *)&c->tcp, bufs, used,
                          on_written);
    if (failed != 0) {
        conn_close(c, E_IO);
        return false;
    }
    c->blocked = len;
    return true;
}

static void flush(struct conn *c)
{
    uv_buf_t bufs[IOVECS_MAX];
    bool full = false; /* the kernel has taken only a part */

    while (c->blocked == 0 && c->queue.count > 0) {
        size_t len;
        unsigned count = queue_view(&c->queue, bufs, &len);
        int n = full ? UV_EAGAIN
                     : uv_try_write((uv_stream_t *)&c->tcp, bufs, count);
        if (n > 0) {
            full = (size_t)n < len;
            slice_queue_drop(&c->queue, (size_t)n);
            continue;
        }
        if (n != UV_EAGAIN) {
            conn_close(c, E_IO);
            return;
        }
        if (!write_later(c, bufs, count))
            return;
    }
    after_progress(c);
}

static bool takes_writes(const struct conn *c)
{
    return c->state == CONN_OPEN || c->state == CONN_FLUSHING;
}

static void on_turn_end(struct os_loop_hook *hook, struct mtime now)
{
    struct os_net *n = container_of(hook, struct os_net, turn);

    (void)now; /* what is queued goes out now */
    while (!list_empty(&n->dirty)) {
        struct conn *c =
            container_of(list_first(&n->dirty), struct conn, dirty);
        list_remove(&c->dirty);
        if (takes_writes(c))
            flush(c);
    }
}

static size_t net_write(struct net *net, struct net_sock *s,
                        const struct slice *slices, size_t count)
{
    struct conn *c = s->priv;
    bool dropped = c->state != CONN_OPEN && c->state != CONN_DIALING;

    (void)net; /* the connection knows */
    for (size_t i = 0; i < count; i++) {
        struct slice slice = slices[i];
        if (dropped)
            slice_release(&slice);
        else
            slice_queue_add(&c->queue, slice);
    }
    if (dropped)
        return 0;
    if (list_empty(&c->dirty))
        list_add_tail(&c->net->dirty, &c->dirty);
    if (c->state == CONN_OPEN && c->blocked == 0 &&
        c->queue.bytes >= FLUSH_BYTES)
        flush(c);
    if (c->queue.bytes > NET_HIGH_BYTES)
        c->over = true;
    return c->queue.bytes;
}

/* Closing. */

static void on_conn_closed(uv_handle_t *handle)
{
    struct conn *c = handle->data;
    struct os_net *n = c->net;
    struct net_sock *s = c->sock;
    enum err why = c->why;

    slice_queue_release(&c->queue);
    mem_free(c);
    if (s == NULL)
        return;
    s->priv = NULL;
    s->on_closed(s, why, os_loop_enter(n->loop));
}

static void conn_forget(struct conn *c)
{
    set_timer(c, MTIME_NEVER);
    os_loop_cancel(&c->task);
    list_remove(&c->link);
    list_remove(&c->dirty);
}

static void conn_close(struct conn *c, enum err why)
{
    if (c->state == CONN_CLOSING)
        return;
    c->state = CONN_CLOSING;
    c->why = why;
    conn_forget(c);
    uv_close((uv_handle_t *)&c->tcp, on_conn_closed);
}

/* With a reset, so that nothing of it stays in the kernel. */
static void conn_abort(struct conn *c, enum err why)
{
    if (c->state == CONN_CLOSING)
        return;
    /* libuv refuses to reset a stream whose shutdown is under way. */
    if (c->state == CONN_DIALING ||
        uv_tcp_close_reset(&c->tcp, on_conn_closed) != 0) {
        conn_close(c, why);
        return;
    }
    c->state = CONN_CLOSING;
    c->why = why;
    conn_forget(c);
}

/* A socket that is closed with unread bytes resets the connection and loses
 * what is not sent yet.  So it stays until all is acknowledged. */
static void drain(struct conn *c, struct mtime now)
{
    int fd;
    int unsent = 0;

    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
        (void)ioctl(fd, SIOCOUTQ, &unsent); /* a failure leaves 0 */
    if (unsent == 0 || mtime_reached(now, c->close_at))
        conn_close(c, E_CANCELED);
    else
        set_timer(c, mtime_min(mtime_add_ms(now, DRAIN_TICK_MS), c->close_at));
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct conn *c = request->data;

    if (c->state != CONN_DRAINING)
        return;
    if (status != 0)
        conn_close(c, E_CANCELED);
    else
        drain(c, os_loop_enter(c->net->loop));
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct conn *c = container_of(t, struct conn, timer);

    switch (c->state) {
    case CONN_DIALING:
        c->dial_err = E_TIMEOUT;
        c->task.run(&c->task, now);
        break;
    case CONN_FLUSHING:
        conn_abort(c, E_CANCELED);
        break;
    case CONN_DRAINING:
        drain(c, now);
        break;
    case CONN_OPEN:
    case CONN_CLOSING:
        assert(false); /* no timer is set in these */
        break;
    }
}

static void net_close(struct net *net, struct net_sock *s, bool abort)
{
    struct conn *c = s->priv;

    (void)net; /* the connection knows */
    if (abort || c->state == CONN_DIALING) {
        conn_abort(c, E_CANCELED);
        return;
    }
    if (c->state != CONN_OPEN)
        return;
    c->state = CONN_FLUSHING;
    c->over = false;
    c->close_at = mtime_add_ms(net_now(c->net), OS_NET_CLOSE_MS);
    set_timer(c, c->close_at);
    if (!c->wants_read)
        start_reading(c);
    /* Even with an empty queue: shutdown follows at the end of the turn. */
    if (c->blocked == 0 && list_empty(&c->dirty))
        list_add_tail(&c->net->dirty, &c->dirty);
}

/* Reading. */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct conn *c = handle->data;
    struct os_net *n = c->net;

    (void)suggested; /* the ring is there anyway */
    if (n->ring == NULL)
        n->ring = mem_alloc(OS_NET_RING_BYTES);
    buf->base = (char *)n->ring;
    buf->len = OS_NET_RING_BYTES;
}

/* While we close, what still comes is read and dropped. */
static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct conn *c = stream->data;

    if (len == 0 || c->state == CONN_CLOSING)
        return;
    struct mtime now = os_loop_enter(c->net->loop);
    if (c->state == CONN_OPEN && len > 0)
        c->sock->on_read(c->sock, (uint8_t *)buf->base, (size_t)len, now);
    else if (len < 0 && c->state == CONN_OPEN)
        conn_close(c, len == UV_EOF ? E_CLOSED : E_IO);
    else if (len == UV_EOF && c->state == CONN_FLUSHING)
        (void)uv_read_stop(stream); /* they still read; cannot fail */
    else if (len < 0)
        conn_close(c, E_CANCELED);
}

static void start_reading(struct conn *c)
{
    int failed = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
    if (failed != 0)
        conn_close(c, E_IO);
}

static void net_pause(struct net *net, struct net_sock *s, bool paused)
{
    struct conn *c = s->priv;

    (void)net; /* the connection knows */
    if (c->wants_read == !paused)
        return;
    c->wants_read = !paused;
    if (c->state != CONN_OPEN)
        return;
    if (paused)
        (void)uv_read_stop((uv_stream_t *)&c->tcp); /* cannot fail */
    else
        start_reading(c);
}

/* Opening. */

static void on_task(struct os_loop_task *task, struct mtime now)
{
    struct conn *c = container_of(task, struct conn, task);

    if (c->state == CONN_DIALING) {
        enum err err = c->dial_err;
        conn_close(c, err);
        c->sock->on_open(c->sock, err, now);
        return;
    }
    if (c->state != CONN_OPEN || !c->over || c->queue.bytes >= NET_LOW_BYTES)
        return;
    c->over = false;
    c->sock->on_writable(c->sock, now);
}

/* Return: 0 or an error of libuv; then nothing is left. */
static int conn_new(struct os_net *n, struct conn **ret_conn)
{
    struct conn *c = mem_zalloc(1, sizeof(*c));
    int failed = uv_tcp_init(os_loop_uv(n->loop), &c->tcp);

    if (failed != 0) {
        mem_free(c);
        return failed;
    }
    c->tcp.data = c;
    c->net = n;
    c->wants_read = true;
    c->task.run = on_task;
    list_init(&c->task.link);
    list_init(&c->dirty);
    timer_init(&c->timer, on_timer);
    list_add_tail(&n->conns, &c->link);
    *ret_conn = c;
    return 0;
}

static void set_open(struct conn *c)
{
    struct net_sock *s = c->sock;

    c->state = CONN_OPEN;
    set_timer(c, MTIME_NEVER);
    (void)uv_tcp_nodelay(&c->tcp, 1); /* slower without, and works */
    name_of(&c->tcp, uv_tcp_getsockname, &s->local);
    name_of(&c->tcp, uv_tcp_getpeername, &s->remote);
    if (c->wants_read)
        start_reading(c);
}

static void on_connect(uv_connect_t *request, int status)
{
    struct conn *c = request->data;

    if (c->state != CONN_DIALING)
        return;
    struct mtime now = os_loop_enter(c->net->loop);
    if (status != 0) {
        c->dial_err = err_of_errno(-status);
        on_task(&c->task, now);
        return;
    }
    set_open(c);
    c->sock->on_open(c->sock, OK, now);
}

static enum err net_dial(struct net *net, struct net_sock *s,
                         const struct net_addr *to)
{
    struct os_net *n = container_of(net, struct os_net, net);
    struct sockaddr_storage ss;
    struct conn *c;
    int failed = conn_new(n, &c);

    if (failed != 0)
        return err_of_errno(-failed);
    net_addr_to_sockaddr(to, &ss);
    c->request.connect.data = c;
    failed = uv_tcp_connect(&c->request.connect, &c->tcp,
                            (struct sockaddr *)&ss, on_connect);
    if (failed == UV_EMFILE || failed == UV_ENFILE) {
        conn_close(c, E_LIMIT);
        return E_LIMIT;
    }
    c->sock = s;
    s->priv = c;
    if (failed != 0) {
        c->dial_err = err_of_errno(-failed);
        os_loop_defer(n->loop, &c->task);
        return OK;
    }
    set_timer(c, mtime_add_ms(net_now(n), OS_NET_DIAL_MS));
    return OK;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *l = server->data;
    struct os_net *n = l->net;
    struct net_addr remote;
    struct conn *c;

    /* Without descriptors libuv has refused it already. */
    if (status != 0 || conn_new(n, &c) != 0)
        return;
    if (uv_accept(server, (uv_stream_t *)&c->tcp) != 0) {
        conn_close(c, E_IO);
        return;
    }
    c->state = CONN_OPEN;
    name_of(&c->tcp, uv_tcp_getpeername, &remote);
    struct mtime now = os_loop_enter(n->loop);
    struct net_sock *s =
        remote.ip_len == 0 ? NULL : l->user->on_accept(l->user, &remote, now);
    if (s == NULL) {
        conn_abort(c, E_REFUSED);
        return;
    }
    c->sock = s;
    s->priv = c;
    set_open(c);
}

static void on_listener_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void listener_close(struct listener *l)
{
    list_remove(&l->link);
    uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
}

static enum err net_listen(struct net *net, struct net_listener *user,
                           const struct net_addr *at)
{
    struct os_net *n = container_of(net, struct os_net, net);
    struct listener *l = mem_zalloc(1, sizeof(*l));
    struct sockaddr_storage ss;
    int failed = uv_tcp_init(os_loop_uv(n->loop), &l->tcp);

    if (failed != 0) {
        mem_free(l);
        return err_of_errno(-failed);
    }
    l->tcp.data = l;
    l->net = n;
    l->user = user;
    list_add_tail(&n->listeners, &l->link);
    net_addr_to_sockaddr(at, &ss);
    failed = uv_tcp_bind(&l->tcp, (struct sockaddr *)&ss,
                         at->ip_len == 4 ? 0 : UV_TCP_IPV6ONLY);
    if (failed == 0)
        failed = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
    if (failed != 0) {
        listener_close(l);
        return err_of_errno(-failed);
    }
    user->priv = l;
    name_of(&l->tcp, uv_tcp_getsockname, &user->local);
    return OK;
}

static void net_unlisten(struct net *net, struct net_listener *user)
{
    (void)net; /* the listener knows */
    listener_close(user->priv);
    user->priv = NULL;
}

static size_t net_interfaces(struct net *net, struct net_addr *dst, size_t max)
{
    uv_interface_address_t *all;
    int all_count;
    size_t count = 0;

    (void)net; /* the machine's are asked for */
    if (uv_interface_addresses(&all, &all_count) != 0)
        return 0;
    for (int i = 0; i < all_count && count < max; i++) {
        const struct sockaddr *sa = (const void *)&all[i].address;
        if (net_addr_from_sockaddr(sa, &dst[count]))
            dst[count++].port = 0;
    }
    uv_free_interface_addresses(all, all_count);
    return count;
}

static uint32_t net_zone(struct net *net, struct bytes name)
{
    char text[IF_NAMESIZE] = "";
    char ignored[IF_NAMESIZE];
    struct rd r = rd_init(name);
    uint64_t index = 0;

    (void)net; /* the machine's are asked for */
    if (name.len == 0 || name.len >= sizeof(text))
        return 0;
    memcpy(text, name.p, name.len);
    uint32_t found = if_nametoindex(text);
    while (found == 0 && rd_left(&r) > 0) {
        uint8_t digit = (uint8_t)(rd_u8(&r) - '0');
        index = 10 * index + digit;
        if (digit > 9 || index > UINT32_MAX)
            return 0;
    }
    if (found == 0 && if_indextoname((uint32_t)index, ignored) != NULL)
        found = (uint32_t)index;
    return found;
}

/* Datagrams and names. */

static enum err net_udp_open(struct net *net, struct net_udp *u,
                             const struct net_addr *at, unsigned flags)
{
    struct os_net *n = container_of(net, struct os_net, net);
    return os_udp_open(&n->udp, u, at, flags);
}

static enum err net_udp_join(struct net *net, struct net_udp *u,
                             const struct net_addr *group,
                             const struct net_addr *iface)
{
    (void)net; /* the socket knows */
    return os_udp_join(u, group, iface);
}

static enum err net_udp_send(struct net *net, struct net_udp *u,
                             const struct net_addr *to, struct bytes in)
{
    (void)net; /* the socket knows */
    return os_udp_send(u, to, in);
}

static void net_udp_close(struct net *net, struct net_udp *u)
{
    (void)net; /* the socket knows */
    os_udp_close(u);
}

static enum err net_lookup(struct net *net, struct net_lookup *l,
                           enum net_lookup_kind kind, struct bytes name)
{
    struct os_net *n = container_of(net, struct os_net, net);
    return os_dns_lookup(n->dns, l, kind, name);
}

static void net_lookup_cancel(struct net *net, struct net_lookup *l)
{
    (void)net; /* the lookup knows */
    os_dns_cancel(l);
}

struct os_net *os_net_new(struct os_loop *loop)
{
    struct os_net *n = mem_zalloc(1, sizeof(*n));

    n->net = (struct net){
        .listen = net_listen,
        .unlisten = net_unlisten,
        .dial = net_dial,
        .write = net_write,
        .close = net_close,
        .interfaces = net_interfaces,
        .zone = net_zone,
        .pause = net_pause,
        .udp_open = net_udp_open,
        .udp_join = net_udp_join,
        .udp_send = net_udp_send,
        .udp_close = net_udp_close,
        .lookup = net_lookup,
        .lookup_cancel = net_lookup_cancel,
    };
    n->loop = loop;
    list_init(&n->conns);
    list_init(&n->listeners);
    list_init(&n->dirty);
    os_udp_init(&n->udp, loop);
    n->dns = os_dns_new(loop);
    n->turn.turn_end = on_turn_end;
    os_loop_hook_add(loop, &n->turn, OS_LOOP_FINAL);
    return n;
}

struct os_dns *os_net_dns(struct os_net *n)
{
    return n->dns;
}

struct net *os_net_env(struct os_net *n)
{
    return &n->net;
}

void os_net_free(struct os_net *n)
{
    if (n == NULL)
        return;
    while (!list_empty(&n->listeners))
        listener_close(
            container_of(list_first(&n->listeners), struct listener, link));
    while (!list_empty(&n->conns)) {
        struct conn *c = container_of(list_first(&n->conns), struct conn, link);
        c->sock = NULL;
        conn_abort(c, E_CANCELED);
    }
    os_udp_release(&n->udp);
    os_dns_free(n->dns);
    os_loop_hook_remove(&n->turn);
    mem_free(n->ring);
    mem_free(n);
}
