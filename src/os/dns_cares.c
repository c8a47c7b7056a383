#include "os/dns_cares.h"

#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <assert.h>
#include <sys/time.h>
#include <uv.h>

#include "base/list.h"
#include "base/mem.h"
#include "os/loop.h"
#include "os/sockaddr.h"

/*
 * A query is one lookup with c-ares.
 *
 * 1. c-ares cannot drop a single query.  One that was canceled or took too
 *    long lives on without a user (@user NULL) until c-ares calls back; with
 *    the last user all of them are dropped.
 * 2. c-ares may call back from inside a call of ours, so the results are
 *    copied, and @task tells the user.
 * 3. A query is freed when c-ares has called back and there is no user.
 */
enum {
    QUERIES_MAX = 4 * NET_LOOKUPS_MAX, /* with those that have no user */
    LABEL_MAX = 63,
};

struct query {
    struct os_dns *dns;
    struct net_lookup *user;
    struct list link; /* in dns.queries */
    struct os_loop_task task;
    struct timer limit;
    enum err err;
    bool answered; /* c-ares has called back */

    struct bytes *texts; /* views into @text_room */
    size_t texts_count;
    uint8_t *text_room;
    struct net_addr addrs[NET_LOOKUP_ADDRS_MAX];
    size_t addrs_count;
};

/* One socket of c-ares. */
struct watch {
    uv_poll_t poll;
    struct os_dns *dns;
    struct list link; /* in dns.watches */
    int fd;
};

struct os_dns {
    struct os_loop *loop;
    ares_channel channel; /* NULL until the first lookup */
    struct mtime opened;
    struct ares_addr_port_node servers[OS_DNS_SERVERS_MAX]; /* one list */
    size_t servers_count; /* 0: the system's */
    uint32_t try_ms;
    uint32_t limit_ms;
    struct list queries;
    size_t queries_count;
    size_t users_count;
    struct list watches;
    struct timer timer; /* for c-ares */
};

static struct mtime dns_now(struct os_dns *d)
{
    struct clock *clock = os_loop_clock(d->loop);
    return clock->now(clock);
}

static void set_timer(struct os_dns *d, struct timer *t, struct mtime at)
{
    struct clock *clock = os_loop_clock(d->loop);
    clock->set(clock, t, at);
}

/* After every call of c-ares: it may want to be woken at another time. */
static void set_wake(struct os_dns *d)
{
    struct timeval tv;

    if (d->channel == NULL || ares_timeout(d->channel, NULL, &tv) == NULL) {
        set_timer(d, &d->timer, MTIME_NEVER);
        return;
    }
    uint32_t ms = (uint32_t)(tv.tv_sec * 1000 + tv.tv_usec / 1000) + 1;
    set_timer(d, &d->timer, mtime_add_ms(dns_now(d), ms));
}

static void on_wake(struct timer *t, struct mtime now)
{
    struct os_dns *d = container_of(t, struct os_dns, timer);

    (void)now; /* c-ares has its own clock */
    ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_wake(d);
}

/* Sockets of c-ares. */

static void on_watch_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct watch *w = handle->data;
    struct os_dns *d = w->dns;
    int fd = w->fd;
    bool reads = status != 0 || (events & UV_READABLE) != 0;
    bool writes = status != 0 || (events & UV_WRITABLE) != 0;

    (void)os_loop_enter(d->loop); /* what follows is done by tasks */
    ares_process_fd(d->channel, reads ? fd : ARES_SOCKET_BAD,
                    writes ? fd : ARES_SOCKET_BAD);
    set_wake(d);
}

static struct watch *watch_of(struct os_dns *d, int fd)
{
    list_for_each (it, &d->watches) {
        struct watch *w = container_of(it, struct watch, link);
        if (w->fd == fd)
            return w;
    }
    return NULL;
}

static struct watch *watch_new(struct os_dns *d, int fd)
{
    struct watch *w = mem_zalloc(1, sizeof(*w));

    if (uv_poll_init(os_loop_uv(d->loop), &w->poll, fd) != 0) {
        mem_free(w);
        return NULL;
    }
    w->poll.data = w;
    w->dns = d;
    w->fd = fd;
    list_add_tail(&d->watches, &w->link);
    return w;
}

/* Called before c-ares closes a socket, with neither. */
static void on_socket(void *user, ares_socket_t fd, int reads, int writes)
{
    struct os_dns *d = user;
    struct watch *w = watch_of(d, fd);

    if (reads == 0 && writes == 0) {
        if (w == NULL)
            return;
        list_remove(&w->link);
        uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        return;
    }
    if (w == NULL)
        w = watch_new(d, fd);
    if (w == NULL)
        return; /* the query ends by its time */
    int events =
        (reads != 0 ? UV_READABLE : 0) | (writes != 0 ? UV_WRITABLE : 0);
    int failed = uv_poll_start(&w->poll, events, on_ready);
    assert(failed == 0);
}

/* The channel. */

static void channel_close(struct os_dns *d)
{
    if (d->channel == NULL)
        return;
    ares_destroy(d->channel);
    d->channel = NULL;
    ares_library_cleanup();
    set_wake(d);
}

/* Return: false when @text is no port. */
static bool parse_port(const char *text, int *ret_port)
{
    int port = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (*text - '0');
        if (port > UINT16_MAX)
            return false;
    }
    *ret_port = port;
    return port > 0;
}

/* "IPv4", "IPv4:PORT", "IPv6" or "[IPv6]:PORT", which is changed.  c-ares'
 * own parser takes "1.2" for an address and 99999 for a port. */
static bool parse_server(char *text, struct ares_addr_port_node *ret_server)
{
    struct ares_addr_port_node server = {.family = AF_INET};
    char *colon = strchr(text, ':');
    char *bracket = strchr(text, ']');
    int port = NS_DEFAULTPORT;

    if (text[0] == '[' && bracket != NULL) {
        text++;
        *bracket = '\0';
        colon = bracket + 1;
        if (*colon != ':')
            return false;
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        colon = NULL;
    }
    if (colon != NULL) {
        *colon = '\0';
        if (!parse_port(colon + 1, &port))
            return false;
    }
    if (inet_pton(AF_INET, text, &server.addr.addr4) != 1) {
        server.family = AF_INET6;
        if (inet_pton(AF_INET6, text, &server.addr.addr6) != 1)
            return false;
    }
    server.udp_port = port;
    server.tcp_port = port;
    *ret_server = server;
    return true;
}

/* Return: how many servers @list has, which is changed; 0: it is no list. */
static size_t parse_servers(char *list, struct ares_addr_port_node *dst)
{
    size_t count = 0;

    for (char *next = list; next != NULL; count++) {
        char *text = next;
        next = strchr(text, ',');
        if (next != NULL)
            *next++ = '\0';
        if (count == OS_DNS_SERVERS_MAX || !parse_server(text, &dst[count]))
            return 0;
    }
    return count;
}

/* Names are complete: no search list, no aliases of the environment. */
static enum err channel_open(struct os_dns *d)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
        .timeout = (int)d->try_ms,
        .tries = OS_DNS_TRIES,
        .ndomains = 0,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = d,
    };
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                     ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return E_IO;
    if (ares_init_options(&d->channel, &options, mask) != ARES_SUCCESS) {
        d->channel = NULL;
        ares_library_cleanup();
        return E_IO;
    }
    if (d->servers_count > 0 &&
        ares_set_servers_ports(d->channel, d->servers) != ARES_SUCCESS) {
        channel_close(d);
        return E_IO;
    }
    d->opened = dns_now(d);
    return OK;
}

/* The machine may have moved to another network since. */
static enum err channel_refresh(struct os_dns *d)
{
    if (d->channel != NULL && d->servers_count == 0 && d->queries_count == 0 &&
        mtime_ms_since(d->opened, dns_now(d)) >= OS_DNS_REREAD_MS)
        channel_close(d);
    return d->channel != NULL ? OK : channel_open(d);
}

/* Queries. */

static void query_free(struct query *q)
{
    list_remove(&q->link);
    q->dns->queries_count--;
    mem_free(q->texts);
    mem_free(q->text_room);
    mem_free(q);
}

/* Without users there is nothing to wait for. */
static void drop_unused(struct os_dns *d)
{
    if (d->users_count == 0 && d->queries_count > 0 && d->channel != NULL)
        ares_cancel(d->channel); /* calls back, which frees */
    set_wake(d);
}

/* The user is gone, or is told after this. */
static void query_leave(struct query *q)
{
    struct os_dns *d = q->dns;

    q->user->priv = NULL;
    q->user = NULL;
    d->users_count--;
    os_loop_cancel(&q->task);
    set_timer(d, &q->limit, MTIME_NEVER);
    if (q->answered)
        query_free(q);
    drop_unused(d);
}

static void on_limit(struct timer *t, struct mtime now)
{
    struct query *q = container_of(t, struct query, limit);
    struct net_lookup *user = q->user;

    query_leave(q);
    user->done(user, E_TIMEOUT, now);
}

static void on_task(struct os_loop_task *task, struct mtime now)
{
    struct query *q = container_of(task, struct query, task);
    struct net_lookup *user = q->user;
    struct os_dns *d = q->dns;

    /* The results live until after the call, which may start and cancel
     * others; so the query is detached, and freed last. */
    q->user = NULL;
    user->priv = NULL;
    d->users_count--;
    set_timer(d, &q->limit, MTIME_NEVER);
    user->texts = q->texts;
    user->texts_count = q->texts_count;
    user->addrs = q->addrs;
    user->addrs_count = q->addrs_count;
    user->done(user, q->err, now);
    query_free(q);
    drop_unused(d);
}

static enum err err_of_status(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return OK;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_ENONAME:
        return E_NOTFOUND;
    case ARES_ETIMEOUT:
        return E_TIMEOUT;
    case ARES_EFORMERR:
    case ARES_EBADRESP:
    case ARES_EBADQUERY:
    case ARES_EBADNAME:
    case ARES_EBADSTR:
        return E_MALFORMED;
    default:
        return E_IO;
    }
}

static void query_end(struct query *q, enum err err)
{
    q->answered = true;
    if (q->user == NULL) {
        query_free(q);
        return;
    }
    q->err = err;
    os_loop_defer(q->dns->loop, &q->task);
}

/* The length of the text that begins at @it, all strings of its record. */
static size_t text_len(const struct ares_txt_ext *it)
{
    size_t len = it->length;

    for (it = it->next; it != NULL && it->record_start == 0; it = it->next)
        len += it->length;
    return len;
}

/* Copies what is within the limits; a text that is too long is left out. */
static void take_texts(struct query *q, const struct ares_txt_ext *first)
{
    uint8_t *pos;
    bool keep = false;

    q->texts = mem_zalloc(NET_LOOKUP_TEXTS_MAX, sizeof(*q->texts));
    q->text_room =
        mem_alloc((size_t)NET_LOOKUP_TEXTS_MAX * NET_LOOKUP_TEXT_BYTES);
    pos = q->text_room;
    for (const struct ares_txt_ext *it = first; it != NULL; it = it->next) {
        if (it == first || it->record_start != 0) {
            keep = q->texts_count < NET_LOOKUP_TEXTS_MAX &&
                   text_len(it) <= NET_LOOKUP_TEXT_BYTES;
            if (keep)
                q->texts[q->texts_count++] = (struct bytes){.p = pos};
        }
        if (!keep)
            continue;
        if (it->length > 0)
            memcpy(pos, it->txt, it->length);
        pos += it->length;
        q->texts[q->texts_count - 1].len += it->length;
    }
}

static void on_txt(void *user, int status, int timeouts, unsigned char *answer,
                   int len)
{
    struct query *q = user;
    struct ares_txt_ext *first = NULL;

    (void)timeouts; /* that it took long is no news */
    if (status == ARES_SUCCESS && q->user != NULL)
        status = ares_parse_txt_reply_ext(answer, len, &first);
    if (status == ARES_SUCCESS && first != NULL)
        take_texts(q, first);
    ares_free_data(first);
    enum err err = err_of_status(status);
    query_end(q, err == OK && q->texts_count == 0 ? E_NOTFOUND : err);
}

/* c-ares names an address once for each kind of socket. */
static void take_addr(struct query *q, const struct sockaddr *sa)
{
    struct net_addr a;

    if (!net_addr_from_sockaddr(sa, &a))
        return;
    for (size_t i = 0; i < q->addrs_count; i++)
        if (a.ip_len == q->addrs[i].ip_len &&
            memcmp(a.ip, q->addrs[i].ip, a.ip_len) == 0)
            return;
    a.port = 0;
    q->addrs[q->addrs_count++] = a;
}

static void on_ips(void *user, int status, int timeouts,
                   struct ares_addrinfo *found)
{
    struct query *q = user;

    (void)timeouts; /* that it took long is no news */
    struct ares_addrinfo_node *it =
        status == ARES_SUCCESS && found != NULL ? found->nodes : NULL;
    for (; it != NULL && q->addrs_count < NET_LOOKUP_ADDRS_MAX;
         it = it->ai_next)
        take_addr(q, it->ai_addr);
    ares_freeaddrinfo(found);
    enum err err = err_of_status(status);
    query_end(q, err == OK && q->addrs_count == 0 ? E_NOTFOUND : err);
}

/* A backslash would be an escape to c-ares. */
static enum err check_name(struct bytes name)
{
    size_t label_len = 0;

    if (name.len == 0)
        return E_MALFORMED;
    if (name.len > NET_NAME_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        if (c <= ' ' || c > '~' || c == '\\')
            return E_MALFORMED;
        label_len = c == '.' ? label_len : label_len + 1;
        if (label_len > LABEL_MAX || (c == '.' && label_len == 0))
            return E_MALFORMED;
        if (c == '.')
            label_len = 0;
    }
    return label_len == 0 ? E_MALFORMED : OK;
}

static bool is_ip(const char *text)
{
    struct in6_addr room;

    return inet_pton(AF_INET, text, &room) == 1 ||
           inet_pton(AF_INET6, text, &room) == 1;
}

static struct query *query_new(struct os_dns *d, struct net_lookup *l)
{
    struct query *q = mem_zalloc(1, sizeof(*q));

    q->dns = d;
    q->user = l;
    l->priv = q;
    q->task.run = on_task;
    list_init(&q->task.link);
    list_add_tail(&d->queries, &q->link);
    d->queries_count++;
    d->users_count++;
    timer_init(&q->limit, on_limit);
    set_timer(d, &q->limit, mtime_add_ms(dns_now(d), d->limit_ms));
    return q;
}

enum err os_dns_lookup(struct os_dns *d, struct net_lookup *l,
                       enum net_lookup_kind kind, struct bytes name)
{
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,
                                              .ai_family = AF_UNSPEC};
    char text[NET_NAME_MAX + 1];

    if (name.len > 0 && name.p[name.len - 1] == '.')
        name.len--;
    enum err err = check_name(name);
    if (err == OK &&
        (d->users_count >= NET_LOOKUPS_MAX || d->queries_count >= QUERIES_MAX))
        err = E_LIMIT;
    if (err != OK)
        return err;
    memcpy(text, name.p, name.len);
    text[name.len] = '\0';
    if (is_ip(text))
        return E_MALFORMED;
    if (channel_refresh(d) != OK)
        return E_IO;
    struct query *q = query_new(d, l);
    switch (kind) {
    case NET_LOOKUP_TXT:
        ares_query(d->channel, text, ns_c_in, ns_t_txt, on_txt, q);
        break;
    case NET_LOOKUP_IP:
        ares_getaddrinfo(d->channel, text, NULL, &hints, on_ips, q);
        break;
    }
    set_wake(d);
    return OK;
}

void os_dns_cancel(struct net_lookup *l)
{
    query_leave(l->priv);
}

/* Set up. */

struct os_dns *os_dns_new(struct os_loop *loop)
{
    struct os_dns *d = mem_zalloc(1, sizeof(*d));

    d->loop = loop;
    d->try_ms = OS_DNS_TRY_MS;
    d->limit_ms = NET_LOOKUP_MS;
    list_init(&d->queries);
    list_init(&d->watches);
    timer_init(&d->timer, on_wake);
    return d;
}

enum err os_dns_set_servers(struct os_dns *d, const char *servers)
{
    struct ares_addr_port_node parsed[OS_DNS_SERVERS_MAX];
    size_t count = 0;

    assert(d->queries_count == 0);
    if (servers != NULL && servers[0] != '\0') {
        char *list = mem_strdup(servers);
        count = parse_servers(list, parsed);
        mem_free(list);
        if (count == 0)
            return E_MALFORMED;
    }
    channel_close(d);
    d->servers_count = count;
    for (size_t i = 0; i < count; i++) {
        d->servers[i] = parsed[i];
        d->servers[i].next = i + 1 < count ? &d->servers[i + 1] : NULL;
    }
    return OK;
}

void os_dns_set_times(struct os_dns *d, uint32_t try_ms, uint32_t limit_ms)
{
    assert(d->queries_count == 0);
    channel_close(d);
    d->try_ms = try_ms;
    d->limit_ms = limit_ms;
}

void os_dns_free(struct os_dns *d)
{
    if (d == NULL)
        return;
    while (d->users_count > 0) {
        struct query *found = NULL;
        list_for_each (it, &d->queries) {
            struct query *q = container_of(it, struct query, link);
            if (q->user != NULL)
                found = q;
        }
        assert(found != NULL);
        query_leave(found);
    }
    channel_close(d);
    assert(d->queries_count == 0);
    mem_free(d);
}
