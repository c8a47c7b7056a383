#include "os/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/errno_err.h"
#include "os/http_priv.h"
#include "os/unix_path.h"

/*
 * libmicrohttpd runs without a thread: its epoll descriptor is one event of
 * our loop, and MHD_run() is called for it, for its timeouts, and for what
 * handlers did.
 *
 * 1. We accept ourselves.  Without descriptors that stops for ACCEPT_RETRY_MS,
 *    at the limit of connections until one closes, and never spins.
 * 2. libmicrohttpd's timeout is one of silence, STALL_S.  That a client sends
 *    its request line and headers in OS_HTTP_IDLE_S is our own timer, which
 *    ends the connection by shutdown(): libmicrohttpd sees that and closes.
 * 3. While a request is suspended libmicrohttpd does not look at its socket;
 *    from the end of the turn on @watch_fd tells when the client goes away.
 *    Requests that are answered in the turn that they came in cost nothing.
 */
enum {
    BACKLOG = 511,
    ACCEPTS_A_TURN = 16,
    ACCEPT_RETRY_MS = 100,
    STALL_S = 60,
    EVENTS_MAX = 16,
    MS_PER_S = 1000,
    PORT_MAX = 65535,
};

static struct clock *clock_of(const struct http_listener *l)
{
    return os_loop_clock(l->http->loop);
}

struct mtime http_listener_now(const struct http_listener *l)
{
    struct clock *clock = clock_of(l);
    return clock->now(clock);
}

static void set_timer(struct http_listener *l, struct timer *t, struct mtime at)
{
    struct clock *clock = clock_of(l);
    clock->set(clock, t, at);
}

/* Driving libmicrohttpd. */

void http_listener_run(struct http_listener *l)
{
    os_loop_defer(l->http->loop, &l->run);
}

static void run_mhd(struct http_listener *l)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    struct mtime at = MTIME_NEVER;

    l->running = true;
    (void)MHD_run(l->mhd); /* fails only for other kinds of daemon */
    l->running = false;
    if (MHD_get_timeout(l->mhd, &wait_ms) == MHD_YES) {
        if (wait_ms == 0)
            http_listener_run(l);
        uint32_t ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
        at = mtime_add_ms(http_listener_now(l), ms);
    }
    set_timer(l, &l->run_timer, at);
}

static void on_run(struct os_loop_task *task, struct mtime now)
{
    (void)now; /* libmicrohttpd reads its own clock */
    run_mhd(container_of(task, struct http_listener, run));
}

static void on_run_timer(struct timer *t, struct mtime now)
{
    (void)now; /* libmicrohttpd reads its own clock */
    run_mhd(container_of(t, struct http_listener, run_timer));
}

static void on_mhd_poll(uv_poll_t *poll, int status, int events)
{
    struct http_listener *l = poll->data;

    (void)status; /* MHD_run() finds out itself */
    (void)events;
    (void)os_loop_enter(l->http->loop);
    run_mhd(l);
}

/* Watching clients of suspended requests. */

static void watch(struct request *r)
{
    struct epoll_event event = {.events = EPOLLRDHUP, .data = {.ptr = r}};

    list_remove(&r->fresh);
    /* Without memory for it we only learn later that the client has gone. */
    r->watched = epoll_ctl(r->listener->watch_fd, EPOLL_CTL_ADD, r->conn->fd,
                           &event) == 0;
}

void http_listener_unwatch(struct request *r)
{
    list_remove(&r->fresh);
    if (r->watched)
        (void)epoll_ctl(r->listener->watch_fd, EPOLL_CTL_DEL, r->conn->fd,
                        NULL); /* it is in there */
    r->watched = false;
}

static void on_watch_poll(uv_poll_t *poll, int status, int events)
{
    struct http_listener *l = poll->data;
    struct epoll_event gone[EVENTS_MAX];

    (void)status; /* epoll_wait() finds out itself */
    (void)events;
    (void)os_loop_enter(l->http->loop);
    int count = epoll_wait(l->watch_fd, gone, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++)
        http_request_gone(gone[i].data.ptr);
}

static void on_turn_end(struct os_loop_hook *hook, struct mtime now)
{
    struct os_http *h = container_of(hook, struct os_http, turn);

    (void)now; /* nothing here has a deadline */
    list_for_each (it, &h->servers) {
        struct http_listener *l = container_of(it, struct http_listener, link);
        while (!list_empty(&l->fresh))
            watch(container_of(list_first(&l->fresh), struct request, fresh));
    }
}

/* Connections. */

static struct http_conn *first_waiting(const struct http_listener *l)
{
    if (list_empty(&l->waiting))
        return NULL;
    return container_of(list_first(&l->waiting), struct http_conn, link);
}

static void set_waiting_timer(struct http_listener *l)
{
    const struct http_conn *c = first_waiting(l);
    struct mtime at = MTIME_NEVER;

    if (c != NULL)
        at = mtime_add_ms(c->since, OS_HTTP_IDLE_S * MS_PER_S);
    set_timer(l, &l->waiting_timer, at);
}

void http_conn_wait(struct http_conn *c, bool waits)
{
    bool was_first = first_waiting(c->listener) == c;

    list_remove(&c->link);
    if (waits) {
        c->since = http_listener_now(c->listener);
        list_add_tail(&c->listener->waiting, &c->link);
    }
    if (was_first || first_waiting(c->listener) == c)
        set_waiting_timer(c->listener);
}

static void on_waiting_timer(struct timer *t, struct mtime now)
{
    struct http_listener *l =
        container_of(t, struct http_listener, waiting_timer);

    for (;;) {
        struct http_conn *c = first_waiting(l);
        if (c == NULL ||
            !mtime_reached(now,
                           mtime_add_ms(c->since, OS_HTTP_IDLE_S * MS_PER_S)))
            break;
        list_remove(&c->link);
        (void)shutdown(c->fd, SHUT_RDWR); /* fails where it is broken */
    }
    set_waiting_timer(l);
}

static void on_listen_poll(uv_poll_t *poll, int status, int events);

static void accept_or_not(struct http_listener *l, bool accepts)
{
    if (l->accepts == accepts)
        return;
    l->accepts = accepts;
    /* Both only change lists of the loop. */
    if (accepts)
        (void)uv_poll_start(&l->listen_poll, UV_READABLE, on_listen_poll);
    else
        (void)uv_poll_stop(&l->listen_poll);
}

static void on_accept_timer(struct timer *t, struct mtime now)
{
    (void)now; /* trying again is all there is to do */
    accept_or_not(container_of(t, struct http_listener, accept_timer), true);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_listener *l = cls;
    struct http_conn *c = *socket;

    (void)mhd; /* it has no meaning beyond its socket */
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket = l->accepting;
        l->accepting = NULL;
        return;
    }
    list_remove(&c->link);
    set_waiting_timer(l);
    mem_free(c);
    l->conns_count--;
    if (l->listen_fd >= 0)
        accept_or_not(l, true);
}

static void set_peer(struct http_peer *peer, int fd, const struct sockaddr *sa)
{
    const struct sockaddr_in *in = (const void *)sa;
    const struct sockaddr_in6 *in6 = (const void *)sa;
    struct ucred cred = {.uid = UINT32_MAX};
    socklen_t len = sizeof(cred);

    if (sa->sa_family == AF_INET) {
        peer->ip_len = 4;
        memcpy(peer->ip, &in->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        peer->ip_len = 16;
        memcpy(peer->ip, &in6->sin6_addr, 16);
    } else {
        peer->is_unix = true;
        /* A failure leaves the user that nobody is. */
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
        peer->uid = cred.uid;
    }
}

static void add_connection(struct http_listener *l, int fd,
                           const struct sockaddr *sa, socklen_t len)
{
    struct http_conn *c = mem_zalloc(1, sizeof(*c));

    c->listener = l;
    c->fd = fd;
    list_init(&c->link);
    set_peer(&c->peer, fd, sa);
    l->accepting = c;
    l->conns_count++;
    /* It closes the socket when it fails, and calls on_connection() for both
     * the begin and the end, where @c is freed, or for none. */
    if (MHD_add_connection(l->mhd, fd, sa, len) == MHD_YES) {
        http_conn_wait(c, true);
    } else if (l->accepting != NULL) {
        l->accepting = NULL;
        l->conns_count--;
        mem_free(c);
    }
}

/* Return: whether there may be more. */
static bool accept_one(struct http_listener *l)
{
    struct sockaddr_storage ss = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(ss);

    if (l->conns_count >= OS_HTTP_CONNECTIONS_MAX) {
        accept_or_not(l, false);
        return false;
    }
    int fd = accept4(l->listen_fd, (struct sockaddr *)&ss, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        add_connection(l, fd, (struct sockaddr *)&ss, len);
        return true;
    }
    if (errno == EAGAIN)
        return false;
    if (errno == EINTR || errno == ECONNABORTED)
        return true;
    accept_or_not(l, false);
    set_timer(l, &l->accept_timer,
              mtime_add_ms(http_listener_now(l), ACCEPT_RETRY_MS));
    return false;
}

static void on_listen_poll(uv_poll_t *poll, int status, int events)
{
    struct http_listener *l = poll->data;

    (void)status; /* accept4() finds out itself */
    (void)events;
    (void)os_loop_enter(l->http->loop);
    for (int i = 0; i < ACCEPTS_A_TURN && accept_one(l); i++)
        continue;
    http_listener_run(l);
}

/* Opening and closing. */

static void on_poll_closed(uv_handle_t *handle)
{
    struct http_listener *l = handle->data;

    if (--l->polls_open > 0)
        return;
    mem_free(l->unix_path);
    mem_free(l);
}

static struct http_listener *listener_new(struct os_http *h, int fd)
{
    struct http_listener *l = mem_zalloc(1, sizeof(*l));

    l->http = h;
    l->listen_fd = fd;
    l->watch_fd = -1;
    l->run.run = on_run;
    list_init(&l->run.link);
    list_init(&l->link);
    list_init(&l->waiting);
    list_init(&l->requests);
    list_init(&l->fresh);
    timer_init(&l->run_timer, on_run_timer);
    timer_init(&l->waiting_timer, on_waiting_timer);
    timer_init(&l->accept_timer, on_accept_timer);
    return l;
}

/* Return: 0 or an error of libuv. */
static int open_poll(struct http_listener *l, uv_poll_t *poll, int fd)
{
    int failed = uv_poll_init(os_loop_uv(l->http->loop), poll, fd);

    if (failed != 0)
        return failed;
    poll->data = l;
    l->polls_open++;
    return 0;
}

static void close_poll(uv_poll_t *poll)
{
    if (poll->data != NULL)
        uv_close((uv_handle_t *)poll, on_poll_closed);
}

static struct MHD_Daemon *start_mhd(struct http_listener *l)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;

    return MHD_start_daemon(
        flags, 0, NULL, NULL, http_request_on_access, l,
        MHD_OPTION_URI_LOG_CALLBACK, http_request_on_uri, l,
        MHD_OPTION_NOTIFY_COMPLETED, http_request_on_completed, l,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)OS_HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)OS_HTTP_CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STALL_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
}

static enum err start(struct http_listener *l)
{
    l->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->watch_fd < 0)
        return err_of_errno(errno);
    l->mhd = start_mhd(l);
    if (l->mhd == NULL)
        return E_LIMIT;
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int failed = open_poll(l, &l->mhd_poll, info->epoll_fd);
    if (failed == 0)
        failed = open_poll(l, &l->watch_poll, l->watch_fd);
    if (failed == 0)
        failed = open_poll(l, &l->listen_poll, l->listen_fd);
    if (failed == 0)
        failed = uv_poll_start(&l->mhd_poll, UV_READABLE, on_mhd_poll);
    if (failed == 0)
        failed = uv_poll_start(&l->watch_poll, UV_READABLE, on_watch_poll);
    if (failed != 0)
        return err_of_errno(-failed);
    accept_or_not(l, true);
    return OK;
}

static void remove_socket(struct http_listener *l)
{
    if (l->unix_path != NULL)
        (void)unlink(l->unix_path); /* a stale one is replaced at the start */
}

/* Calls on_closed for every request. */
static void listener_close(struct http_listener *l)
{
    assert(!l->running);
    list_remove(&l->link);
    os_loop_cancel(&l->run);
    remove_socket(l);
    close_poll(&l->listen_poll);
    (void)close(l->listen_fd);
    l->listen_fd = -1;
    close_poll(&l->mhd_poll);
    list_for_each (it, &l->requests)
        http_request_drop(container_of(it, struct request, link));
    if (l->mhd != NULL)
        MHD_stop_daemon(l->mhd);
    close_poll(&l->watch_poll);
    if (l->watch_fd >= 0)
        (void)close(l->watch_fd); /* nothing is written there */
    os_loop_cancel(&l->run);
    set_timer(l, &l->run_timer, MTIME_NEVER);
    set_timer(l, &l->waiting_timer, MTIME_NEVER);
    set_timer(l, &l->accept_timer, MTIME_NEVER);
    if (l->polls_open == 0) {
        mem_free(l->unix_path);
        mem_free(l);
    }
}

/* Takes @fd, which listens. */
static enum err listen_on(struct os_http *h, struct http_server *user, int fd,
                          const char *unix_path)
{
    struct http_listener *l = listener_new(h, fd);

    l->user = user;
    l->unix_path = unix_path == NULL ? NULL : mem_strdup(unix_path);
    enum err err = start(l);
    if (err != OK) {
        listener_close(l);
        return err;
    }
    list_add_tail(&h->servers, &l->link);
    user->priv = l;
    return OK;
}

/* A socket that nobody listens on is left from a process that was killed. */
static enum err remove_stale(const struct unix_path *u, const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? OK : err_of_errno(errno);
    if (!S_ISSOCK(st.st_mode))
        return E_EXISTS;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_of_errno(errno);
    int failed = connect(fd, (const struct sockaddr *)&u->addr, u->len);
    int why = errno;
    (void)close(fd); /* nothing was written */
    if (failed == 0 || why != ECONNREFUSED)
        return E_EXISTS;
    return unlink(path) == 0 ? OK : err_of_errno(errno);
}

/* The mode is set before the name is there, so that nobody comes between, and
 * again after it, without the umask. */
static enum err bind_unix(int fd, const struct unix_path *u, const char *path,
                          mode_t mode)
{
    if (fchmod(fd, mode) != 0 ||
        bind(fd, (const struct sockaddr *)&u->addr, u->len) != 0)
        return err_of_errno(errno);
    if (chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0)
        return OK;
    enum err err = err_of_errno(errno);
    (void)unlink(path); /* ours, and of no use */
    return err;
}

static enum err http_listen_unix(struct http *http, struct http_server *user,
                                 const char *path, uint32_t mode)
{
    struct os_http *h = container_of(http, struct os_http, http);
    struct unix_path u;
    int fd = -1;
    enum err err = unix_path_init(&u, path);

    if (err != OK)
        return err;
    err = remove_stale(&u, path);
    if (err == OK) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        err = fd < 0 ? err_of_errno(errno) : bind_unix(fd, &u, path, mode);
    }
    unix_path_release(&u);
    if (err == OK)
        return listen_on(h, user, fd, path);
    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    return err;
}

/* "127.0.0.1:3000" or "[::1]:0".  Return: length of the address, 0 if bad. */
static socklen_t parse_address(const char *text, struct sockaddr_storage *ss)
{
    struct sockaddr_in *in = (struct sockaddr_in *)ss;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    char *end;

    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) ||
        colon[1] < '0' || colon[1] > '9')
        return 0;
    size_t len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > PORT_MAX)
        return 0;
    memset(ss, 0, sizeof(*ss));
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port);
        return sizeof(*in);
    }
    if (host[0] != '[' || host[len - 1] != ']')
        return 0;
    host[len - 1] = '\0';
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? sizeof(*in6)
                                                               : 0;
}

static enum err bind_tcp(int fd, const struct sockaddr_storage *ss,
                         socklen_t len)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        return err_of_errno(errno);
    if (ss->ss_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0)
        return err_of_errno(errno);
    if (bind(fd, (const struct sockaddr *)ss, len) != 0 ||
        listen(fd, BACKLOG) != 0)
        return err_of_errno(errno);
    return OK;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } name = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t len = sizeof(name);

    (void)getsockname(fd, &name.any, &len); /* it is bound */
    return ntohs(name.any.sa_family == AF_INET6 ? name.in6.sin6_port
                                                : name.in.sin_port);
}

static enum err http_listen_tcp(struct http *http, struct http_server *user,
                                const char *text, uint16_t *ret_port)
{
    struct os_http *h = container_of(http, struct os_http, http);
    struct sockaddr_storage ss;
    socklen_t len = parse_address(text, &ss);

    if (len == 0)
        return E_MALFORMED;
    int fd =
        socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_of_errno(errno);
    enum err err = bind_tcp(fd, &ss, len);
    if (err != OK) {
        (void)close(fd); /* nothing was written */
        return err;
    }
    uint16_t port = port_of(fd);
    err = listen_on(h, user, fd, NULL);
    if (err == OK)
        *ret_port = port;
    return err;
}

static void http_unlisten(struct http *http, struct http_server *user)
{
    (void)http; /* the listener knows */
    listener_close(user->priv);
    user->priv = NULL;
}

struct os_http *os_http_new(struct os_loop *loop)
{
    struct os_http *h = mem_zalloc(1, sizeof(*h));

    h->loop = loop;
    list_init(&h->servers);
    h->http.listen_unix = http_listen_unix;
    h->http.listen_tcp = http_listen_tcp;
    h->http.unlisten = http_unlisten;
    http_request_methods(&h->http);
    h->turn.turn_end = on_turn_end;
    os_loop_hook_add(loop, &h->turn, OS_LOOP_FINAL);
    return h;
}

struct http *os_http_env(struct os_http *h)
{
    return &h->http;
}

void os_http_free(struct os_http *h)
{
    if (h == NULL)
        return;
    while (!list_empty(&h->servers)) {
        struct http_listener *l =
            container_of(list_first(&h->servers), struct http_listener, link);
        l->user->priv = NULL;
        listener_close(l);
    }
    os_loop_hook_remove(&h->turn);
    mem_free(h);
}
