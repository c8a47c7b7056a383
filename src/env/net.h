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
 * net - streams and datagrams between machines, and what names stand for.
 * Threads: loop only.
 *
 * The socket structs are the caller's memory and stay put until @on_closed;
 * those of lookups until @done or a cancel.  No callback is called from inside
 * a call of ours.
 */

struct peer_id;

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
    const struct peer_id *secured; /* by the implementation before @on_open:
        who is there, where the stream needs no security (simulator); else it
        stays NULL */
    void *priv;                    /* of the implementation */
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
    struct net_addr local;         /* with the port that was chosen */
    const struct peer_id *secured; /* as net_sock.secured, of who connects;
                                      during @on_accept */
    void *priv;                    /* of the implementation */
};

enum {
    NET_UDP_BYTES_MAX = 9000, /* of one datagram; longer ones are dropped */

    /* Flags of udp_open(). */
    NET_UDP_REUSE = 1, /* share the port with others that do so too */
};

/**
 * struct net_udp - one datagram socket.
 *
 * Set the two callbacks, then net->udp_open().  Sends are never queued.
 */
struct net_udp {
    /** @on_datagram: one came, whole.  @in is valid during the call; @from is
     * who claims to have sent it. */
    void (*on_datagram)(struct net_udp *u, const struct net_addr *from,
                        struct bytes in, struct mtime now);

    /** @on_closed: the last callback, exactly once, after udp_close() only. */
    void (*on_closed)(struct net_udp *u, struct mtime now);

    struct net_addr local; /* with the port that was chosen */
    void *priv;            /* of the implementation */
};

enum {
    NET_NAME_MAX = 253,           /* bytes of a name, without dot at the end */
    NET_LOOKUPS_MAX = 64,         /* at a time */
    NET_LOOKUP_TEXTS_MAX = 64,    /* of one answer; the rest is dropped */
    NET_LOOKUP_TEXT_BYTES = 1024, /* of one text; a longer one is dropped */
    NET_LOOKUP_ADDRS_MAX = 32,    /* of one answer; the rest is dropped */
    NET_LOOKUP_MS = 10 * 1000,    /* over all tries and servers */
};

/** enum net_lookup_kind - what is asked about a name. */
enum net_lookup_kind {
    NET_LOOKUP_TXT, /* its texts */
    NET_LOOKUP_IP,  /* its IPv4 and IPv6 addresses (A and AAAA) */
};

/**
 * struct net_lookup - one question about a name.
 *
 * Set @done, then net->lookup().
 */
struct net_lookup {
    /**
     * @done: the answer, exactly once, unless it was canceled.
     * @err: OK, at least one result below; E_NOTFOUND no such name, or it has
     * nothing of the kind; E_TIMEOUT nobody answered; E_MALFORMED the answer
     * is no answer; E_IO no server can be asked, or it failed.
     */
    void (*done)(struct net_lookup *l, enum err err, struct mtime now);

    /* The results, valid during @done; any bytes may be in a text.  Strings
     * of one TXT record are joined to one text.  Addresses have port 0. */
    const struct bytes *texts; /* NET_LOOKUP_TXT */
    size_t texts_count;
    const struct net_addr *addrs; /* NET_LOOKUP_IP */
    size_t addrs_count;

    void *priv; /* of the implementation */
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

    /** @zone: index of the interface called @name, or with that number; 0:
     * there is none.  NULL: no interface has a name. */
    uint32_t (*zone)(struct net *n, struct bytes name);

    /** @pause: stop or go on reading from @s (back-pressure of last resort).
     */
    void (*pause)(struct net *n, struct net_sock *s, bool paused);

    /**
     * @udp_open: receive datagrams at @at; port 0 lets the system choose.
     * Where @at is a multicast address (of IPv6: with its scope), nothing but
     * what is sent to that group comes in, once it is joined.
     * @flags: 0 or NET_UDP_REUSE.
     * Return: OK (@u->local set), from now on @on_datagram may come;
     * E_EXISTS address in use; E_REFUSED, E_NOTFOUND (not our address),
     * E_LIMIT no descriptors, E_IO.  On failure no callback comes.
     */
    enum err (*udp_open)(struct net *n, struct net_udp *u,
                         const struct net_addr *at, unsigned flags);

    /**
     * @udp_join: receive what is sent to multicast group @group on one
     * interface, and only there; from now on what @u sends to any group leaves
     * there, with hop limit 255, and is heard by this machine's members too,
     * @u among them.
     * @iface: an address of the interface, as @interfaces tells it, of the
     * same family as @group and @u.  The ports are not looked at.
     * A socket joins one interface: open one for each.
     * Return: OK; E_EXISTS joined already; E_NOTFOUND no such interface;
     * E_LIMIT too many groups; E_REFUSED, E_UNSUPPORTED no multicast there;
     * E_CANCELED after udp_close(); E_IO.
     */
    enum err (*udp_join)(struct net *n, struct net_udp *u,
                         const struct net_addr *group,
                         const struct net_addr *iface);

    /**
     * @udp_send: one datagram, now or never; @in may be reused at return.
     * Return: OK, which does not mean that it arrives; E_LIMIT over
     * NET_UDP_BYTES_MAX or what the system sends at once; E_AGAIN no room, it
     * is lost; E_NOTFOUND no route; E_REFUSED; E_CANCELED after udp_close();
     * E_IO.
     */
    enum err (*udp_send)(struct net *n, struct net_udp *u,
                         const struct net_addr *to, struct bytes in);

    /** @udp_close: no @on_datagram after this; leaves its groups; @on_closed
     * follows.  A second call does nothing. */
    void (*udp_close)(struct net *n, struct net_udp *u);

    /**
     * @lookup: ask what @name stands for; @l->done follows within
     * NET_LOOKUP_MS.
     * @name: complete, no search list is applied; a dot at its end changes
     * nothing.  It is copied.
     * Return: OK; E_MALFORMED when it is empty or an IP address, has a
     * backslash or a byte that is not visible ASCII, or a label that is empty
     * or over 63 bytes; E_LIMIT over NET_NAME_MAX, or NET_LOOKUPS_MAX under
     * way; E_IO no resolver.
     */
    enum err (*lookup)(struct net *n, struct net_lookup *l,
                       enum net_lookup_kind kind, struct bytes name);

    /** @lookup_cancel: @l->done is not called any more, @l is the caller's
     * again; only between lookup() and @done. */
    void (*lookup_cancel)(struct net *n, struct net_lookup *l);
};

#endif /* ENV_NET_H */
