#include "os/sockaddr.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

void net_addr_to_sockaddr(const struct net_addr *a,
                          struct sockaddr_storage *ret_ss)
{
    memset(ret_ss, 0, sizeof(*ret_ss));
    if (a->ip_len == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)ret_ss;
        in->sin_family = AF_INET;
        in->sin_port = htons(a->port);
        memcpy(&in->sin_addr, a->ip, 4);
        return;
    }
    assert(a->ip_len == NET_ADDR_IP_MAX);
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret_ss;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    in6->sin6_scope_id = a->scope;
    memcpy(&in6->sin6_addr, a->ip, NET_ADDR_IP_MAX);
}

bool net_addr_from_sockaddr(const struct sockaddr *sa,
                            struct net_addr *ret_addr)
{
    *ret_addr = (struct net_addr){.ip_len = 0};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        ret_addr->ip_len = 4;
        ret_addr->port = ntohs(in->sin_port);
        memcpy(ret_addr->ip, &in->sin_addr, 4);
        return true;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const void *)sa;
    ret_addr->ip_len = NET_ADDR_IP_MAX;
    ret_addr->port = ntohs(in6->sin6_port);
    ret_addr->scope = in6->sin6_scope_id;
    memcpy(ret_addr->ip, &in6->sin6_addr, NET_ADDR_IP_MAX);
    return true;
}
