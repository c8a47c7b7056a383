#ifndef NODE_DNSLINK_H
#define NODE_DNSLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "env/net.h"

struct env;

/*
 * dnslink - what a domain stands for: the TXT record "dnslink=/ipfs/..." of
 * _dnslink.DOMAIN.  Spec: DNSLink; nothing is signed, whoever answers for the
 * domain is believed.
 */

enum { DNSLINK_DOMAIN_MAX = NET_NAME_MAX - 9 }; /* room for "_dnslink." */

/** struct dnslink - one question; caller's memory. */
struct dnslink {
    /**
     * @done: the answer, exactly once, unless it was cancelled.
     * @err: OK; E_NOTFOUND no such domain, or it stands for nothing;
     * E_TIMEOUT; E_MALFORMED the name server's answer is none; E_IO no server
     * can be asked.
     * @value: with OK: "/ipfs/..." or "/ipns/...", any bytes behind; valid
     * during the call.
     */
    void (*done)(struct dnslink *d, enum err err, struct bytes value,
                 struct mtime now);
    const struct env *env; /* private, as all below */
    struct net_lookup lookup;
    struct timer timer;
    bool busy;
};

/** dnslink_is_domain - whether @name may be a domain: it has a dot. */
bool dnslink_is_domain(struct bytes name);

/**
 * dnslink_choose - the value among the texts of a domain: the first that is
 * one.  Return: a view into it; no bytes: there is none.
 */
struct bytes dnslink_choose(const struct bytes *texts, size_t count);

/**
 * dnslink_start - ask; set @d->done before.
 * @env: borrowed until @done or dnslink_cancel().
 * @domain: from outside; copied.
 * @until: then the answer is E_TIMEOUT.
 *
 * Return: OK; E_MALFORMED when it is no domain; E_LIMIT when it is longer than
 * DNSLINK_DOMAIN_MAX or too much is asked; E_IO.  Then @done is not called.
 */
MUST_USE enum err dnslink_start(struct dnslink *d, const struct env *env,
                                struct bytes domain, struct mtime until);

/** dnslink_cancel - end it at any time; harmless on a zeroed struct. */
void dnslink_cancel(struct dnslink *d);

#endif /* NODE_DNSLINK_H */
