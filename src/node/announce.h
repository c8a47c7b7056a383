#ifndef NODE_ANNOUNCE_H
#define NODE_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mtime.h"
#include "multiformats/multihash.h"

struct announce;
struct kv;
struct node;

/*
 * announce - tells the DHT what this node has: the roots of pins and objects
 * as they are made, and all blocks that these reach by a sweep over the
 * keyspace (kad/sweep.h).  Never what is cache only.
 *
 * Which of it storage.announce decides.  Memory is bounded: of the store's
 * blocks those of one part of the keyspace are held at a time.
 */

enum {
    ANNOUNCE_ROOTS_MAX = 4096,      /* that wait; what is more is found again */
    ANNOUNCE_PARALLEL = 4,          /* roots at a time */
    ANNOUNCE_TRIES_MAX = 3,         /* for one root */
    ANNOUNCE_SCAN_SLICE = 1024,     /* rows of the store looked at in a turn */
    ANNOUNCE_SCAN_GAP_MS = 10,      /* between such turns */
    ANNOUNCE_SETTLE_MS = 10 * 1000, /* on line for so long before a sweep */
    ANNOUNCE_HURRY_MS = 30 * 1000,  /* after new roots: sweep at once */
    ANNOUNCE_ROUND_MS = 22 * 60 * 60 * 1000, /* roots again in other DHTs */
};

/** announce_new - for @n, whose DHT and store are there; @kv is borrowed. */
MUST_USE struct announce *announce_new(struct node *n, struct kv *kv,
                                       uint32_t table, struct mtime now);

/** announce_free - before the DHT goes; what waits is found again at the next
 * start.  NULL does nothing. */
void announce_free(struct announce *a);

/**
 * announce_root - @hash is the root of something that is kept from now on.
 *
 * Harmless when it was told before, and when @a is NULL: a node without a
 * network announces its roots when it has one.
 */
void announce_root(struct announce *a, const struct multihash *hash,
                   struct mtime now);

/** announce_settings_changed - storage.announce may be another; NULL does
 * nothing. */
void announce_settings_changed(struct announce *a, struct mtime now);

/** announce_pump - carry out what the sweep wants; once a turn.  Return: true
 * when there was something. */
bool announce_pump(struct announce *a, struct mtime now);

/** struct announce_stats - of now, and counts since the start. */
struct announce_stats {
    size_t roots_waiting;  /* those under way too */
    uint64_t roots_done;   /* told to somebody */
    uint64_t roots_failed; /* given up until the sweep comes by */
    uint64_t keys;         /* that the sweep announced */
    uint64_t records;      /* of these told to peers, once for each */
    uint64_t regions;      /* visited */
    uint64_t circles;      /* times that all was gone through */
    uint64_t late_ms;      /* behind the plan; 0: in time */
    uint64_t lookups;
    uint64_t sends_failed;
    uint64_t scans;   /* of the store's index */
    uint64_t scanned; /* rows looked at in them */
    bool online;
};

/** announce_get_stats - counts of @a. */
struct announce_stats announce_get_stats(const struct announce *a,
                                         struct mtime now);

#endif /* NODE_ANNOUNCE_H */
