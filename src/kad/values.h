#ifndef KAD_VALUES_H
#define KAD_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "kad/change.h"
#include "multiformats/peer_id.h"

/*
 * values - signed values by key: IPNS records and public keys.
 *
 * The keys are "/ipns/" and "/pk/" before a peer id in binary; nothing else is
 * a key.  The checks stand apart from the store, since a lookup needs them too.
 *
 * Spec: ipfs/specs src/routing/kad-dht.md, "Value store operations".
 */

enum {
    VALUE_KEY_MAX = 6 + PEER_ID_BYTES_MAX,
    VALUE_BYTES_MAX = 10 * 1024,
    VALUES_COUNT_MAX = 16384,             /* default */
    VALUES_BYTES_MAX = 32 * 1024 * 1024,  /* default, of all values */
    VALUES_GROUP_COUNT_MAX = 4096,        /* default, of one IP group */
    VALUES_LIFE_MS = 48 * 60 * 60 * 1000, /* since a value was received */
    VALUES_REFRESH_MS = 60 * 60 * 1000,   /* less is no news: not written */
    VALUES_EVICT_LOOK = 16,
    VALUES_WORK_MAX = 1024,     /* values looked at by values_on_time() */
    VALUES_TIME_MS = 60 * 1000, /* how often to call that */
};

enum value_space {
    VALUE_IPNS,
    VALUE_PK,
};

/** struct value_key - a key taken apart. */
struct value_key {
    enum value_space space;
    struct peer_id name;
};

/**
 * value_key_decode - take the key of a value apart.
 *
 * Return: OK; E_UNSUPPORTED for another namespace or a peer id of a kind that
 * we don't know; E_SHORT, E_MALFORMED, E_LIMIT for a peer id that is none.
 */
MUST_USE enum err value_key_decode(struct bytes key, struct value_key *ret_key);

/**
 * value_key_encode - the key bytes of @key.
 *
 * Return: the number of bytes written; cannot fail.
 */
size_t value_key_encode(const struct value_key *key,
                        uint8_t dst[static VALUE_KEY_MAX]);

/**
 * value_check - whether @value may stand under @key now.
 * @unix_ms: wall-clock time.
 *
 * Checks a signature: limit how often a peer can cause that.
 *
 * Return: OK; as value_key_decode() and ipns_validate(); of a public key
 * E_MISMATCH when it is not the one of the name, E_LIMIT when it is too long,
 * and the failures of pubkey_decode().
 */
MUST_USE enum err value_check(struct bytes key, struct bytes value,
                              uint64_t unix_ms);

/**
 * value_cmp - which of two values that value_check() accepted is better.
 *
 * Return: above 0 when @a is better, below 0 when @b is, 0 when it does not
 * matter.
 */
int value_cmp(struct bytes key, struct bytes a, struct bytes b);

/** struct values_config - limits; 0 means the default. */
struct values_config {
    uint8_t seed[16]; /* random, keys the tables */
    uint32_t count_max;
    uint32_t bytes_max;
    uint32_t group_count_max;
    bool keep; /* the owner takes what values_next_change() says */
};

struct values;

/** values_new - empty store; @config is copied. */
MUST_USE struct values *values_new(const struct values_config *config);

/** values_free - forget everything.  NULL does nothing. */
void values_free(struct values *v);

/**
 * values_put - check @value and keep it unless there is a better one.
 * @group: ma_ip_group() of who sent it; 0 is never limited.
 * @unix_ms: wall-clock time, from which its life is counted.
 *
 * When there is no room, what was received longest ago goes; when the group has
 * too much, what was received from it longest ago.  After a start the order of
 * age is unknown: then it is the oldest of the first VALUES_EVICT_LOOK.
 *
 * Return: OK, also when it is the one that is kept already, which lives on;
 * E_REFUSED when a better one is kept; the failures of value_check(); E_LIMIT
 * when the owner has too many changes to take.
 */
MUST_USE enum err values_put(struct values *v, struct bytes key,
                             struct bytes value, uint64_t group,
                             uint64_t unix_ms);

/** struct value - what is kept under a key. */
struct value {
    struct bytes bytes; /* view into the store, valid until its next change */
    uint64_t received_unix_ms;
};

/**
 * values_get - the value under @key.
 *
 * Return: OK; E_NOTFOUND, also for what has ended.
 */
MUST_USE enum err values_get(const struct values *v, struct bytes key,
                             uint64_t unix_ms, struct value *ret_value);

/** values_on_time - drop what has ended, as providers_on_time() does. */
void values_on_time(struct values *v, uint64_t unix_ms);

/** values_next_change - as providers_next_change(). */
bool values_next_change(struct values *v, struct kad_change *ret_change);

/**
 * values_load - give back a row that was written, in any order, before the
 * first values_put().  The signature is not checked again.
 *
 * Return: as providers_load().
 */
MUST_USE enum err values_load(struct values *v, struct bytes key,
                              struct bytes value, uint64_t unix_ms);

/** struct values_stats - counts since the start, and of now. */
struct values_stats {
    size_t count;
    size_t bytes;
    size_t changes_count; /* not taken yet */
    uint64_t stored;      /* new or better values */
    uint64_t refreshed;
    uint64_t refused; /* not valid, or a better one was kept */
    uint64_t evicted; /* made room for others */
    uint64_t ended;
};

/** values_get_stats - counts of @v. */
struct values_stats values_get_stats(const struct values *v);

#endif /* KAD_VALUES_H */
