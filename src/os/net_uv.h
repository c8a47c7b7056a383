#ifndef OS_NET_UV_H
#define OS_NET_UV_H

#include "base/attr.h"
#include "base/err.h"
#include "env/net.h"

struct os_loop;
struct os_dns;
struct os_net;

enum {
    OS_NET_RING_BYTES = 256 * 1024, /* one for all sockets, at first read */
    OS_NET_DIAL_MS = 10 * 1000,     /* then on_open says E_TIMEOUT */
    OS_NET_CLOSE_MS = 2 * 1000,     /* to send what is queued */
};

/** os_net_new - TCP, UDP and names on @loop. */
MUST_USE struct os_net *os_net_new(struct os_loop *loop);

/** os_net_env - as the node sees it. */
struct net *os_net_env(struct os_net *n);

/** os_net_dns - what answers its lookups; it lives as long as @n. */
struct os_dns *os_net_dns(struct os_net *n);

/** os_net_free - close all sockets, listeners and lookups without callbacks;
 * the loop is freed afterwards.  NULL does nothing. */
void os_net_free(struct os_net *n);

#endif /* OS_NET_UV_H */
