#ifndef KAD_SWEEP_H
#define KAD_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "kad/keyspace.h"
#include "multiformats/multihash.h"
#include "multiformats/peer_id.h"

/*
 * sweep - tells the DHT about many keys, region by region of the keyspace.
 *
 * All keys of a region have nearly the same closest peers.  So these are looked
 * up once for a region, a few lookups, and each peer is handed all of its keys
 * of the region in a row.  The keyspace is walked upwards in circles, one in
 * each interval; the cursor and the time at which it was due are saved, and a
 * sweep that is late goes on without waiting until it has caught up.
 *
 * A protocol core.  The owner drains sweep_next(), answers each WANT_KEYS,
 * LOOKUP and SEND once by the call named there, now or later, and calls
 * sweep_on_time() at sweep_deadline().
 */

struct sweep;

enum {
    SWEEP_K = 20,           /* peers that get each key */
    SWEEP_KEYS_MAX = 2048,  /* of one WANT_KEYS, default */
    SWEEP_PEERS_MAX = 512,  /* found in one region */
    SWEEP_LOOKUPS_MAX = 24, /* for one region */
    SWEEP_SENDS_MAX = 8,    /* under way at a time */
    SWEEP_FEW = 3,          /* keys that are left: each is looked up itself */
    SWEEP_FAILURES_MAX = 3, /* lookups in a row: skip the region */
    SWEEP_SLICE_BITS = 6,   /* empty parts are passed 1/64 at a time */
    SWEEP_TARGET_MAX = 80,  /* bytes of a key to be looked up */
    SWEEP_RETRY_MS = 60 * 1000, /* after a lookup that found nobody */
    SWEEP_INTERVAL_MS = 22 * 60 * 60 * 1000, /* default */
    SWEEP_CURSOR_BYTES = 1 + KAD_KEY_BYTES + 8,
};

/** struct sweep_cursor - where a sweep stands, for the disk. */
struct sweep_cursor {
    struct kad_key at;    /* the next key to be announced, or after it */
    uint64_t due_unix_ms; /* when that was or will be due */
};

/** sweep_cursor_encode - @cursor in bytes. */
void sweep_cursor_encode(const struct sweep_cursor *cursor,
                         uint8_t dst[static SWEEP_CURSOR_BYTES]);

/**
 * sweep_cursor_decode - cursor from its bytes.
 *
 * Return: OK; E_SHORT, E_MALFORMED, E_UNSUPPORTED: begin without one.
 */
MUST_USE enum err sweep_cursor_decode(struct bytes in,
                                      struct sweep_cursor *ret_cursor);

/** struct sweep_config - what sweep_new() needs; 0 means the default. */
struct sweep_config {
    uint64_t seed;
    uint64_t interval_ms;              /* of one circle; at most UINT32_MAX */
    uint32_t k;                        /* at most SWEEP_K */
    uint32_t keys_max;                 /* at most SWEEP_KEYS_MAX */
    uint64_t unix_ms;                  /* wall-clock time at the start */
    const struct sweep_cursor *cursor; /* where it stood; NULL: announce all */
};

/** sweep_new - a sweep; @config is copied. */
MUST_USE struct sweep *sweep_new(const struct sweep_config *config,
                                 struct mtime now);

/** sweep_free - NULL does nothing. */
void sweep_free(struct sweep *s);

/**
 * sweep_hurry - go round once without waiting, as after a large import.
 */
void sweep_hurry(struct sweep *s, struct mtime now);

/**
 * sweep_set_online - whether lookups can succeed: nothing new is begun while
 * false.  True at first.
 */
void sweep_set_online(struct sweep *s, bool online, struct mtime now);

enum sweep_out_kind {
    SWEEP_WANT_KEYS, /* answer by sweep_on_keys() */
    SWEEP_LOOKUP,    /* find the closest peers, then sweep_on_lookup() */
    SWEEP_SEND,      /* announce keys to a peer, then sweep_on_sent() */
    SWEEP_SAVE,      /* write the cursor; no answer */
};

/** struct sweep_out - what the owner is to do. */
struct sweep_out {
    enum sweep_out_kind kind;
    uint64_t id; /* of WANT_KEYS, LOOKUP, SEND; never 0 */

    struct kad_key from; /* WANT_KEYS: the lowest that is wanted */
    struct kad_key to;   /* WANT_KEYS: the highest that is wanted */
    size_t keys_max;     /* WANT_KEYS: more are not wanted now */

    uint8_t target[SWEEP_TARGET_MAX]; /* LOOKUP: key, before hashing */
    size_t target_len;

    struct peer_id peer;            /* SEND */
    const struct multihash *hashes; /* SEND: @hashes_count that it is to be
                                       told; valid until the next call */
    size_t hashes_count;

    struct sweep_cursor cursor; /* SAVE */
};

/** struct sweep_key - one key to be announced. */
struct sweep_key {
    struct kad_key key; /* kad_key_of() the binary form of @hash */
    struct multihash hash;
};

/**
 * sweep_on_keys - answer to WANT_KEYS.
 * @keys: @count in ascending order of their points, at most keys_max, from the
 * lowest of the range that was named; borrowed.
 * @more: there are others in the range, above these; @count is not 0 then.
 */
void sweep_on_keys(struct sweep *s, uint64_t id, const struct sweep_key *keys,
                   size_t count, bool more, struct mtime now);

/**
 * sweep_on_lookup - answer to LOOKUP.
 * @peers: the @count closest that answered or may answer; 0 when the lookup
 * failed.  Ourselves not among them.
 * @messages: requests that it took, to be counted.
 */
void sweep_on_lookup(struct sweep *s, uint64_t id, const struct peer_id *peers,
                     size_t count, uint32_t messages, struct mtime now);

/**
 * sweep_on_sent - answer to SEND; @ok when all of it was written.
 *
 * What was not waits for the next circle: the other peers have it.
 */
void sweep_on_sent(struct sweep *s, uint64_t id, bool ok, struct mtime now);

/** sweep_on_time - it is @now; harmless when called early. */
void sweep_on_time(struct sweep *s, struct mtime now);

/** sweep_deadline - when sweep_on_time() must be called next. */
struct mtime sweep_deadline(const struct sweep *s);

/**
 * sweep_next - take the next output.
 *
 * Return: false when there is none.
 */
bool sweep_next(struct sweep *s, struct sweep_out *ret_out);

/** struct sweep_stats - counts since the start, and of now. */
struct sweep_stats {
    uint64_t regions;         /* visited */
    uint64_t regions_skipped; /* since nobody was found */
    uint64_t keys;            /* announced, once for each visit */
    uint64_t lookups;
    uint64_t lookup_messages; /* requests in them */
    uint64_t sends;           /* SENDs: a peer and its keys */
    uint64_t sends_failed;
    uint64_t records;  /* pairs of key and peer in SENDs */
    uint64_t circles;  /* times that the keyspace was walked round */
    uint64_t late_ms;  /* how far it is behind its plan now; 0: in time */
    struct kad_key at; /* the cursor */
};

/** sweep_get_stats - counts of @s at @now. */
struct sweep_stats sweep_get_stats(const struct sweep *s, struct mtime now);

#endif /* KAD_SWEEP_H */
