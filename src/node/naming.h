#ifndef NODE_NAMING_H
#define NODE_NAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "kad/rfc3339.h"
#include "multiformats/peer_id.h"
#include "node/dnslink.h"
#include "node/fault.h"
#include "node/names.h"

struct node;

/*
 * naming - from "/ipns/NAME/a/b" to "/ipfs/CID/a/b", through names that stand
 * for names.  A name is that of a key, or a domain with a DNSLink.
 */

enum { NAMING_DEPTH_MAX = 32 }; /* names on the way */

/** naming_is_name - whether @text begins as a path of a name: "/ipns/",
 * "ipns/", "ipns://". */
bool naming_is_name(struct bytes text);

/** struct naming_config - copied. */
struct naming_config {
    struct name_ask ask; /* its time is for all steps together */
    bool one_step;       /* what the first name says, also another name */
};

/** struct naming - one path under way; caller's memory. */
struct naming {
    /** @done: OK with @path; else @fault tells.  Never from inside of
     * naming_start(). */
    void (*done)(struct naming *n, enum err err, struct mtime now);
    char *path; /* where it leads; NULL before @done with OK */
    struct fault fault;
    bool is_domain;      /* the first one: nothing below is known of it */
    struct peer_id name; /* the first one, as all below */
    uint64_t sequence;
    struct unix_time eol;
    uint64_t ttl_ns;   /* IPNS_TTL_DEFAULT_MS where it has none */
    struct node *node; /* private, as all below */
    struct naming_config config;
    struct name_op op;
    struct dnslink dns;
    char *domain; /* the last one that was asked for, or NULL */
    char *rest;   /* what follows the name that is asked for */
    struct mtime give_up_at;
    unsigned depth;
};

/**
 * naming_start - begin; naming_release() at the end, always.
 * @text: from outside, as naming_is_name() has it, or a name alone; copied.
 *
 * Return: OK; E_MALFORMED, E_LIMIT, E_UNSUPPORTED for the text, with
 * @nm->fault; then @done is not called.
 */
MUST_USE enum err naming_start(struct naming *nm, struct node *node,
                               struct bytes text,
                               const struct naming_config *config,
                               struct mtime now);

/** naming_release - end it at any time; harmless on a zeroed struct. */
void naming_release(struct naming *nm);

#endif /* NODE_NAMING_H */
