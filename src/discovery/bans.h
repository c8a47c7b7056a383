#ifndef DISCOVERY_BANS_H
#define DISCOVERY_BANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct rd;
struct wr;

/*
 * bans - whom we talk to and whom not: bans with an end, the list of those who
 * are always welcome, and the list of those who never are.
 *
 * An entry names a peer id or a network of IP addresses.  Allowed wins over
 * everything else.  Entries that have expired count no more and are removed by
 * bans_expire().
 */

enum {
    BANS_MAX = 1024, /* entries of all kinds */
    BANS_REASON_MAX = 64,
    BANS_TEXT_MAX = 128, /* room for any bans_format() and its NUL */
};

/** struct ban_target - a peer, or where peer.len is 0 a network. */
struct ban_target {
    struct peer_id peer;
    struct ma_ip ip; /* bits past @bits are zero */
    uint8_t bits;    /* of the network's prefix */
};

enum ban_kind {
    BAN_TEMPORARY = 1, /* until expires_s */
    BAN_DENY = 2,      /* for ever */
    BAN_ALLOW = 3,     /* never refused, whatever else is listed */
};

/** struct ban - an entry; read-only for others. */
struct ban {
    struct map_node node;
    struct list dirty; /* private */
    uint8_t key[72];   /* private: names the target */
    uint8_t key_len;   /* private */
    bool is_stored;    /* private: bans_next_change() told of it */
    struct ban_target target;
    enum ban_kind kind;
    uint64_t since_s;   /* unix */
    uint64_t expires_s; /* unix; of BAN_TEMPORARY */
    uint8_t reason_len;
    char reason[BANS_REASON_MAX]; /* escape it before showing it */
};

struct bans {
    struct map entries;  /* of struct ban, in order of their making */
    struct list dirty;   /* private: not yet told by bans_next_change() */
    struct list removed; /* private */
    size_t nets_count;   /* private: entries that are networks */
};

/** bans_init - no entries. */
void bans_init(struct bans *b, const uint8_t seed[static 16]);

/** bans_release - forget everything. */
void bans_release(struct bans *b);

/**
 * ban_target_parse - a peer id, an IP address, or a network as 10.0.0.0/8.
 *
 * Return: OK; E_MALFORMED for none of them, or a network with bits set behind
 * its prefix.
 */
MUST_USE enum err ban_target_parse(struct bytes text,
                                   struct ban_target *ret_target);

/** ban_target_format - text of @t; returns its length without NUL. */
size_t ban_target_format(const struct ban_target *t,
                         char dst[static BANS_TEXT_MAX]);

/**
 * bans_put - add an entry, or replace the one with the same target.
 * @expires_s: unix; of BAN_TEMPORARY only.
 * @reason: text, cut at BANS_REASON_MAX.
 *
 * Return: OK; E_LIMIT when there are BANS_MAX.
 */
MUST_USE enum err bans_put(struct bans *b, const struct ban_target *target,
                           enum ban_kind kind, struct bytes reason,
                           uint64_t expires_s, uint64_t unix_s);

/** bans_remove - E_NOTFOUND without such an entry. */
MUST_USE enum err bans_remove(struct bans *b, const struct ban_target *target);

/** bans_get - the entry with this very target, or NULL. */
const struct ban *bans_get(const struct bans *b,
                           const struct ban_target *target);

/**
 * bans_find - the entry that decides about a peer at an address, or NULL.
 * @peer, @addr: NULL where unknown.
 *
 * An allowing entry if there is one; else one that refuses.
 */
const struct ban *bans_find(const struct bans *b, const struct peer_id *peer,
                            const struct multiaddr *addr, uint64_t unix_s);

/** bans_refuse - whether @peer at @addr is to be turned away. */
bool bans_refuse(const struct bans *b, const struct peer_id *peer,
                 const struct multiaddr *addr, uint64_t unix_s);

/** bans_expire - remove what has expired. */
void bans_expire(struct bans *b, uint64_t unix_s);

/** bans_next - the entry after @after, NULL begins; NULL at the end. */
const struct ban *bans_next(const struct bans *b, const struct ban *after);

enum { BANS_KEY_MAX = 72, BANS_VALUE_MAX = 128 };

/**
 * bans_next_change - what is to be written down next.
 * @ret_key: room for BANS_KEY_MAX.
 * @ret_value: room for BANS_VALUE_MAX; nothing written: remove the key.
 *
 * Return: false when everything has been told.
 */
bool bans_next_change(struct bans *b, struct wr *ret_key, struct wr *ret_value);

/**
 * bans_load - an entry as it was written down.
 *
 * Return: OK; E_CORRUPT; E_UNSUPPORTED of a later version; E_LIMIT.
 */
MUST_USE enum err bans_load(struct bans *b, struct bytes key,
                            struct bytes value);

#endif /* DISCOVERY_BANS_H */
