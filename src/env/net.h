#ifndef ENV_NET_H
#define ENV_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"

/*
 * net - streams between machines.  Threads: loop only.
 *
 * The socket structs are the caller's memory and stay put until @on_closed.
 * No callback is called from inside a call of ours.
 */

enum { NET_ADDR_IP_MAX = 16 };

/** struct net_addr - IP address and port. */
struct net_addr {
    uint8_t ip_len; /* 4 or 16 */
    uint8_t ip[NET_ADDR_IP_MAX];
    uint16_t port;
    uint32_t scope; /* IPv6 zone index, 0: none */
};

/** struct net_sock - one stream socket. */
struct net_sock {
    /** @on_open: a dial has ended: OK (now @local, @remote are set), or
     * E_REFUSED, E_TIMEOUT, E_NOTFOUND (no route), E_IO; after a failure
     * @on_closed follows. */
    void (*on_open)(struct net_sock *s, enum err err, struct mtime now);

    /** @on_read: bytes came; the memory is writable by the callee and valid
     * during the call (it is a ring that all sockets share). */
    void (*on_read)(struct net_sock *s, uint8_t *p, size_t len,
                    struct mtime now);

    /** @on_writable: what was queued fell below NET_LOW_BYTES again after a
     * write had made net->write() say that it is over NET_HIGH_BYTES. */
    void (*on_writable)(struct net_sock *s, struct mtime now);

    /** @on_closed: the last callback, exactly once, also after our close().
     * @why: E_CLOSED (their end), E_IO (reset), E_CANCELED (ours). */
    void (*on_closed)(struct net_sock *s, enum err why, struct mtime now);

    struct net_addr local;
    struct net_addr remote;
    void *priv; /* of the implementation */
};

enum {
    NET_HIGH_BYTES = 1024 * 1024, /* queued to one socket */
    NET_LOW_BYTES = 256 * 1024,
};

/** struct net_listener - accepts streams. */
struct net_listener {
    /**
     * @on_accept: someone connected from @remote.
     * Return: the socket struct to use, callbacks set; NULL refuses.
     */
    struct net_sock *(*on_accept)(struct net_listener *l,
                                  const struct net_addr *remote,
                                  struct mtime now);
    struct net_addr local; /* with the port that was chosen */
    void *priv;            /* of the implementation */
};

struct net {
    /** @listen: OK (@l->local set); E_EXISTS address in use; E_REFUSED,
     * E_NOTFOUND (not our address), E_IO. */
    enum err (*listen)(struct net *n, struct net_listener *l,
                       const struct net_addr *at);

    /** @unlisten: no @on_accept any more after this returns. */
    void (*unlisten)(struct net *n, struct net_listener *l);

    /** @dial: begin; on OK @on_open follows. E_LIMIT: no descriptors. */
    enum err (*dial)(struct net *n, struct net_sock *s,
                     const struct net_addr *to);

    /**
     * @write: queue @count slices, whose references pass to net, in order.
     * Return: bytes queued now, with these; over NET_HIGH_BYTES the caller
     * stops until @on_writable.  After a close they are dropped.
     */
    size_t (*write)(struct net *n, struct net_sock *s,
                    const struct slice *slices, size_t count);

    /** @close: send what is queued (at most 2 s), then close; reads stop now.
     * With @abort: drop it and reset at once. */
    void (*close)(struct net *n, struct net_sock *s, bool abort);

    /** @interfaces: addresses of this machine's interfaces, port 0.
     * Return: how many were written, at most @max. */
    size_t (*interfaces)(struct net *n, struct net_addr *dst, size_t max);

    /** @pause: stop or go on reading from @s (back-pressure of last resort).
     */
    void (*pause)(struct net *n, struct net_sock *s, bool paused);
};

#endif /* ENV_NET_H */
