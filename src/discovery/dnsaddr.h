#ifndef DISCOVERY_DNSADDR_H
#define DISCOVERY_DNSADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/multiaddr.h"

/*
 * dnsaddr - what an address with a name in it stands for: IP addresses.
 *
 *   /dnsaddr/NAME[/...]          TXT records of _dnsaddr.NAME, each of which
 *                                may be "dnsaddr=" and another address; of
 *                                these the ones that end in [/...]
 *   /dns|dns4|dns6/NAME/tcp/...  the same with NAME's IP addresses
 *
 * A protocol core for one such address: after every call the owner drains
 * dnsaddr_next() until it is DNSADDR_DONE or there is nothing more.  It has no
 * deadline: every lookup ends by itself.
 *
 * What comes out is what a stranger wrote into the DNS: whether to dial it is
 * the owner's to decide, by multiaddr_class().
 *
 * Spec: multiformats/multiaddr protocols/DNSADDR.md; libp2p/specs
 * addressing/README.md.
 */
struct dnsaddr;

enum {
    DNSADDR_DEPTH_MAX = 4,     /* TXT lookups, one leading to the next */
    DNSADDR_LOOKUPS_MAX = 32,  /* in all; further names are dropped */
    DNSADDR_AT_ONCE_MAX = 8,   /* of them under way */
    DNSADDR_RESULTS_MAX = 100, /* the rest is dropped */
    DNSADDR_NAME_MAX = 253,
};

enum dnsaddr_out_kind {
    DNSADDR_LOOKUP_TXT, /* look up @name, then dnsaddr_on_texts() */
    DNSADDR_LOOKUP_IP,  /* look up @name, then dnsaddr_on_ips() */
    DNSADDR_FOUND,      /* a result: /ip4|ip6/.../tcp/...[/p2p/...], new */
    DNSADDR_DONE,       /* nothing follows; dnsaddr_free() is next */
};

/** struct dnsaddr_out - what the owner is to do. */
struct dnsaddr_out {
    enum dnsaddr_out_kind kind;
    uint32_t id;           /* LOOKUP_*: for the answer */
    struct bytes name;     /* LOOKUP_*: valid until its answer */
    struct multiaddr addr; /* FOUND */

    /* DONE: OK, at least one was found; E_NOTFOUND the names exist no more,
     * or say nothing that we can use; else the error of the last lookup that
     * failed: E_TIMEOUT, E_IO, ... */
    enum err err;
    size_t results_count; /* DONE */
};

/** dnsaddr_is_name - whether @addr begins with a name that can be resolved to
 * plain TCP addresses. */
bool dnsaddr_is_name(const struct multiaddr *addr);

/**
 * dnsaddr_new - resolve @addr, which is copied.
 *
 * A plain TCP address is its own result.
 *
 * Return: OK; E_UNSUPPORTED when @addr is neither that nor dnsaddr_is_name().
 */
MUST_USE enum err dnsaddr_new(const struct multiaddr *addr,
                              struct dnsaddr **ret_dnsaddr);

/** dnsaddr_free - at any time; lookups under way are to be canceled.  NULL
 * does nothing. */
void dnsaddr_free(struct dnsaddr *d);

/**
 * dnsaddr_on_texts - answer to DNSADDR_LOOKUP_TXT, in any order.
 * @id: of that output; not answered before.
 * @err: OK, or why there is none, also when the lookup could not begin; then
 * @texts is not looked at.
 * @texts: strings of each record, joined.
 */
void dnsaddr_on_texts(struct dnsaddr *d, uint32_t id, enum err err,
                      const struct bytes *texts, size_t count);

/**
 * dnsaddr_on_ips - answer to DNSADDR_LOOKUP_IP, in any order.
 * @id: of that output; not answered before.
 * @err: OK, or why there is none, also when the lookup could not begin; then
 * @ips is not looked at.
 */
void dnsaddr_on_ips(struct dnsaddr *d, uint32_t id, enum err err,
                    const struct ma_ip *ips, size_t count);

/**
 * dnsaddr_next - take the next output.
 *
 * Return: false when there is none: some lookup is under way, or DONE has been
 * taken.
 */
bool dnsaddr_next(struct dnsaddr *d, struct dnsaddr_out *ret_out);

#endif /* DISCOVERY_DNSADDR_H */
