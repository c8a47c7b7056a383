#ifndef OS_UDP_UV_H
#define OS_UDP_UV_H

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "env/net.h"

struct os_loop;

/*
 * udp_uv - the datagram sockets of env/net.h, which says what each call does.
 */
struct os_udp {
    struct os_loop *loop; /* private */
    struct list sockets;  /* private: those that are not freed */
    uint8_t *room;        /* private: NET_UDP_BYTES_MAX, from the first on */
};

/** os_udp_init - no socket yet. */
void os_udp_init(struct os_udp *o, struct os_loop *loop);

/** os_udp_release - close all without callbacks; the loop is freed afterwards.
 */
void os_udp_release(struct os_udp *o);

/** os_udp_open - net->udp_open(). */
MUST_USE enum err os_udp_open(struct os_udp *o, struct net_udp *u,
                              const struct net_addr *at, unsigned flags);

/** os_udp_join - net->udp_join(). */
MUST_USE enum err os_udp_join(struct net_udp *u, const struct net_addr *group,
                              const struct net_addr *iface);

/** os_udp_send - net->udp_send(). */
MUST_USE enum err os_udp_send(struct net_udp *u, const struct net_addr *to,
                              struct bytes in);

/** os_udp_close - net->udp_close(). */
void os_udp_close(struct net_udp *u);

#endif /* OS_UDP_UV_H */
