#include "os/udp_uv.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <uv.h>

#include "base/mem.h"
#include "os/const_cast.h"
#include "os/errno_err.h"
#include "os/loop.h"
#include "os/sockaddr.h"

enum { HOPS = 255 };

/* Of <linux/in6.h>, which does not go with <netinet/in.h>. */
#ifndef IPV6_MULTICAST_ALL
enum { IPV6_MULTICAST_ALL = 29 };
#endif

struct socket {
    uv_udp_t udp;
    struct os_udp *owner;
    struct net_udp *user; /* NULL: nobody is told */
    struct list link;     /* in owner.sockets until on_closed() */
    bool closing;
};

static enum err err_of(int number)
{
    switch (number) {
    case EAGAIN:
    case ENOBUFS:
        return E_AGAIN;
    case EMSGSIZE:
        return E_LIMIT;
    case ENODEV:
        return E_NOTFOUND;
    case EOPNOTSUPP:
    case ENOPROTOOPT:
        return E_UNSUPPORTED;
    default:
        return err_of_errno(number);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct socket *s = handle->data;

    list_remove(&s->link);
    if (s->user != NULL)
        s->user->on_closed(s->user, os_loop_enter(s->owner->loop));
    mem_free(s);
}

static void socket_close(struct socket *s)
{
    s->closing = true;
    uv_close((uv_handle_t *)&s->udp, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct socket *s = handle->data;

    (void)suggested; /* what does not fit is dropped */
    buf->base = (char *)s->owner->room;
    buf->len = NET_UDP_BYTES_MAX;
}

static void on_recv(uv_udp_t *handle, ssize_t len, const uv_buf_t *buf,
                    const struct sockaddr *sa, unsigned flags)
{
    struct socket *s = handle->data;
    struct net_addr from;

    /* Without an address it is no datagram; what was lost is lost. */
    if (len < 0 || sa == NULL || (flags & UV_UDP_PARTIAL) != 0 || s->closing)
        return;
    if (!net_addr_from_sockaddr(sa, &from))
        return;
    struct bytes in = {.p = (const uint8_t *)buf->base, .len = (size_t)len};
    s->user->on_datagram(s->user, &from, in, os_loop_enter(s->owner->loop));
}

static bool set_option(struct socket *s, int level, int option,
                       const void *value, size_t len)
{
    int fd;

    if (uv_fileno((uv_handle_t *)&s->udp, &fd) != 0)
        return false;
    return setsockopt(fd, level, option, value, (socklen_t)len) == 0;
}

/* Linux hands a socket what any other socket of the machine has joined, too,
 * unless told not to.  Old kernels cannot be told for IPv6: then a datagram
 * may come in by two sockets, which does no harm. */
static void hear_own_groups_only(struct socket *s, bool is_ip4)
{
    const int no = 0;

    if (is_ip4)
        (void)set_option(s, IPPROTO_IP, IP_MULTICAST_ALL, &no, sizeof(no));
    else
        (void)set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &no, sizeof(no));
}

static int socket_start(struct socket *s, const struct net_addr *at,
                        unsigned flags)
{
    struct sockaddr_storage ss;
    unsigned uv_flags = at->ip_len == 4 ? 0 : UV_UDP_IPV6ONLY;

    if ((flags & NET_UDP_REUSE) != 0)
        uv_flags |= UV_UDP_REUSEADDR;
    hear_own_groups_only(s, at->ip_len == 4);
    net_addr_to_sockaddr(at, &ss);
    int failed = uv_udp_bind(&s->udp, (struct sockaddr *)&ss, uv_flags);
    if (failed == 0)
        failed = uv_udp_recv_start(&s->udp, on_alloc, on_recv);
    return failed;
}

enum err os_udp_open(struct os_udp *o, struct net_udp *u,
                     const struct net_addr *at, unsigned flags)
{
    struct socket *s = mem_zalloc(1, sizeof(*s));
    struct sockaddr_storage ss;
    int len = sizeof(ss);

    int failed = uv_udp_init_ex(os_loop_uv(o->loop), &s->udp,
                                at->ip_len == 4 ? AF_INET : AF_INET6);
    if (failed != 0) {
        mem_free(s);
        return err_of(-failed);
    }
    if (o->room == NULL)
        o->room = mem_alloc(NET_UDP_BYTES_MAX);
    s->udp.data = s;
    s->owner = o;
    list_add_tail(&o->sockets, &s->link);
    failed = socket_start(s, at, flags);
    if (failed == 0)
        failed = uv_udp_getsockname(&s->udp, (struct sockaddr *)&ss, &len);
    if (failed != 0) {
        socket_close(s);
        return err_of(-failed);
    }
    s->user = u;
    u->priv = s;
    (void)net_addr_from_sockaddr((struct sockaddr *)&ss, &u->local); /* is IP */
    return OK;
}

static bool has_address(const struct ifaddrs *it, const struct net_addr *a)
{
    struct net_addr have;

    return it->ifa_addr != NULL &&
           net_addr_from_sockaddr(it->ifa_addr, &have) &&
           have.ip_len == a->ip_len && memcmp(have.ip, a->ip, a->ip_len) == 0;
}

/* Return: index of the interface that has address @a; 0: there is none. */
static unsigned interface_of(const struct net_addr *a)
{
    struct ifaddrs *all;
    unsigned index = 0;

    if (a->scope != 0)
        return a->scope;
    if (getifaddrs(&all) != 0)
        return 0;
    for (const struct ifaddrs *it = all; it != NULL && index == 0;
         it = it->ifa_next)
        if (has_address(it, a))
            index = if_nametoindex(it->ifa_name);
    freeifaddrs(all);
    return index;
}

static bool join_ip4(struct socket *s, const struct net_addr *group, int index)
{
    const int hops = HOPS;
    const int yes = 1;
    struct ip_mreqn member = {.imr_ifindex = index};

    memcpy(&member.imr_multiaddr, group->ip, 4);
    return set_option(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member,
                      sizeof(member)) &&
           set_option(s, IPPROTO_IP, IP_MULTICAST_IF, &member,
                      sizeof(member)) &&
           set_option(s, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops)) &&
           set_option(s, IPPROTO_IP, IP_MULTICAST_LOOP, &yes, sizeof(yes));
}

static bool join_ip6(struct socket *s, const struct net_addr *group, int index)
{
    const int hops = HOPS;
    const int yes = 1;
    struct ipv6_mreq member = {.ipv6mr_interface = (unsigned)index};

    memcpy(&member.ipv6mr_multiaddr, group->ip, NET_ADDR_IP_MAX);
    return set_option(s, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &member,
                      sizeof(member)) &&
           set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
                      sizeof(index)) &&
           set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
                      sizeof(hops)) &&
           set_option(s, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &yes, sizeof(yes));
}

enum err os_udp_join(struct net_udp *u, const struct net_addr *group,
                     const struct net_addr *iface)
{
    struct socket *s = u->priv;
    unsigned index = interface_of(iface);

    assert(group->ip_len == u->local.ip_len);
    if (s->closing)
        return E_CANCELED;
    if (index == 0 || index > INT32_MAX)
        return E_NOTFOUND;
    bool joined = group->ip_len == 4 ? join_ip4(s, group, (int)index)
                                     : join_ip6(s, group, (int)index);
    if (joined)
        return OK;
    return errno == ENOBUFS ? E_LIMIT : err_of(errno);
}

enum err os_udp_send(struct net_udp *u, const struct net_addr *to,
                     struct bytes in)
{
    struct socket *s = u->priv;
    struct sockaddr_storage ss;
    uv_buf_t buf = {.base = const_cast(in.p), .len = in.len};

    assert(to->ip_len == u->local.ip_len);
    if (s->closing)
        return E_CANCELED;
    if (in.len > NET_UDP_BYTES_MAX)
        return E_LIMIT;
    net_addr_to_sockaddr(to, &ss);
    int sent = uv_udp_try_send(&s->udp, &buf, 1, (struct sockaddr *)&ss);
    return sent >= 0 ? OK : err_of(-sent);
}

void os_udp_close(struct net_udp *u)
{
    struct socket *s = u->priv;

    if (!s->closing)
        socket_close(s);
}

void os_udp_init(struct os_udp *o, struct os_loop *loop)
{
    *o = (struct os_udp){.loop = loop};
    list_init(&o->sockets);
}

void os_udp_release(struct os_udp *o)
{
    while (!list_empty(&o->sockets)) {
        struct socket *s =
            container_of(list_first(&o->sockets), struct socket, link);
        list_remove(&s->link);
        s->user = NULL;
        if (!s->closing)
            socket_close(s);
    }
    mem_free(o->room);
}
