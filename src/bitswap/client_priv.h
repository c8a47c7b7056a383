#ifndef BITSWAP_CLIENT_PRIV_H
#define BITSWAP_CLIENT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "bitswap/client.h"
#include "bitswap/heap_priv.h"
#include "bitswap/ids_priv.h"

/*
 * What the files of the client share.
 *
 * Invariants:
 * 1. A want is known by its full CID and lives as long as somebody is
 *    interested in it.
 * 2. There is at most one ask for a want and a peer.  Its state says in which
 *    list of the peer it lies: waiting (HAVE, BLOCK), idle or late.
 * 3. A want of which no block is asked is in the queue of its home session, is
 *    missing, or waits for the answer to a want-have.
 * 4. peer->blocks, haves, idles and lates count the asks by state;
 *    asked_bytes sums the sizes of those in BSC_ASK_BLOCK.
 * 5. Bit p of want->no, has, asked: the peer in place p said DONT_HAVE, said
 *    HAVE, has an ask that waits for its answer.
 * 6. A cancel goes out in an earlier message than an ask: who meets one CID
 *    twice in a message may keep either.
 */

enum bsc_ask_state {
    BSC_ASK_HAVE,  /* want-have, not answered */
    BSC_ASK_BLOCK, /* want-block, not answered */
    BSC_ASK_IDLE,  /* answered DONT_HAVE; still on the peer's list */
    BSC_ASK_LATE,  /* taken back; the block may be on its way */
};

struct bsc_ask {
    struct list of_want;
    struct list of_peer;
    struct list unsent; /* in peer->unsent until it is in a message */
    struct bsc_want *want;
    struct bsc_peer *peer;
    enum bsc_ask_state state;
    bool told; /* the entry is on the peer's list */
    uint8_t repeats;
    uint8_t tells; /* times it was told: as many blocks may come */
    uint32_t size; /* guess, in peer->asked_bytes */
    struct mtime asked_at;
};

struct bsc_want {
    struct map_node node; /* of client->wants, by key */
    uint8_t key[CID_BYTES_MAX];
    struct cid cid;
    struct list interests;
    struct list asks;
    struct list missing; /* in client->missing */
    struct bs_session *home;
    struct bs_heap_node queued; /* in home->queue */
    uint32_t size_hint;
    uint32_t blocks; /* asks in BSC_ASK_BLOCK */
    uint32_t haves;  /* asks in BSC_ASK_HAVE */
    bool probing;    /* counted in home->probing */
    bool told;       /* MISSING was told since the last try of all */
    uint32_t tries;
    uint32_t ticks_left; /* while missing: until all are tried again */
    uint64_t *no;
    uint64_t *has;
    uint64_t *asked;
    uint64_t bits[]; /* the three above */
};

/* One session's interest in one want. */
struct bsc_interest {
    struct map_node node; /* of session->interests, by id */
    struct list of_want;
    struct bsc_want *want;
    struct bs_session *session;
    uint64_t id;
};

/* What a session knows of the peer in one place. */
struct bsc_source {
    uint32_t nos;   /* DONT_HAVEs since the last good answer */
    uint8_t trials; /* of a gateway, beside others */
    bool good;      /* has some of it */
};

struct bsc_tally {
    struct list link;
    struct bs_source source;
};

struct bs_session {
    struct list link; /* in client->sessions[class] */
    enum bs_class class;
    struct map interests;
    struct peer_id only;        /* who is asked; len 0: everybody */
    struct bs_heap queue;       /* wants that nobody is asked to send */
    struct bsc_source *sources; /* by place of the peer */
    struct list tallies;
    size_t tallies_count;
    uint64_t block_bytes; /* usual size of a block */
    size_t probing;       /* wants asked of peers of which nothing is known */
    uint32_t placed;      /* wants given out, for the turn of a probe */
    struct mtime began;   /* when it wanted something first; 0: not yet */
};

struct bsc_peer {
    struct map_node node;
    struct peer_id id;
    enum bs_version version;
    bool gateway;
    uint32_t place;
    struct list dirty; /* in client->dirty while there is something to send */
    struct list timed; /* in client->timed while it may have a deadline */

    struct list waiting; /* oldest first */
    struct list idle;
    struct list late;
    uint32_t blocks;
    uint32_t haves;
    uint32_t idles;
    uint32_t lates;
    uint64_t asked_bytes;
    bool full; /* of what it was asked; until a quarter is answered */

    struct list unsent;
    struct list cancels;
    size_t cancels_count;
    struct mtime cancel_at; /* when cancels that can wait are sent */
    bool resend;            /* the whole list, to a new stream */

    uint64_t rate; /* bytes/s; 0: not measured */
    uint64_t latency_ns;
    uint64_t latency_min_ns;
    uint64_t window_bytes;
    uint32_t delivered; /* blocks, up to where it stops to matter */
    struct mtime measured_from;
    uint64_t measured_bytes;
    bool measured_full;        /* its window was the limit */
    struct mtime overtaken_at; /* latest asked_at that was answered */

    struct mtime progress_at;   /* last answer, or when it was first asked */
    struct mtime bytes_at;      /* last bytes of any message */
    struct mtime stalled_until; /* while stalled */
    uint32_t stalls;            /* in a row */
    bool stalled;
    bool suspect; /* sent something with wrong bytes */
    bool faulted; /* nothing of it is looked at any more */

    size_t hashing_bytes;
    size_t hashing_count;
    uint32_t duplicates_due; /* blocks that may cross our cancels */
    uint64_t unasked;        /* leaks away */
    uint64_t unasked_bytes;
    struct mtime unasked_at;
    uint64_t noise; /* presences about nothing; leaks away */
    struct mtime noise_at;
};

struct bsc_cancel {
    struct list link;
    struct cid cid;
};

/* A block that is being hashed. */
struct bsc_hashing {
    struct list link;      /* in client->hashings */
    struct bsc_peer *from; /* NULL: gone */
    struct peer_id peer;
    struct bs_prefix prefix;
    struct cid cid; /* that a gateway was asked for */
    bool named;     /* it was a gateway */
    struct slice data;
    struct mtime arrived;
};

struct bsc_out {
    struct list link;
    struct bs_client_out out;
};

enum { BSC_CLASSES = BS_CLASS_URGENT + 1 };

struct bs_client {
    uint8_t seed[16];
    uint32_t peers_max;
    uint32_t sessions_max;
    uint32_t wants_max;
    size_t words; /* of one set of bits of a want */
    struct mtime now;
    struct map peers;
    struct bsc_peer **places; /* NULL: free */
    uint32_t places_count;
    struct map wants;
    struct list sessions[BSC_CLASSES];
    size_t sessions_count;
    struct list missing;
    struct list dirty;
    struct list timed;
    struct list outs;
    struct list hashings;
    struct bs_ids ids; /* of hashings */
    bool placing;      /* something changed that may let wants be asked */
    uint64_t seq;
    uint32_t probe_from;   /* place at which the next probe begins */
    struct mtime retry_at; /* MTIME_NEVER: nothing is missing */
    struct mtime tail_at;  /* MTIME_NEVER: no session is near its end */
    struct bs_client_stats stats;
};

/* bits of a want */
static inline bool bsc_bit(const uint64_t *bits, uint32_t at)
{
    return (bits[at / 64] >> (at % 64) & 1) != 0;
}

static inline void bsc_bit_set(uint64_t *bits, uint32_t at)
{
    bits[at / 64] |= UINT64_C(1) << (at % 64);
}

static inline void bsc_bit_clear(uint64_t *bits, uint32_t at)
{
    bits[at / 64] &= ~(UINT64_C(1) << (at % 64));
}

/* client.c */

/** bsc_now - take @now over, unless it is before what was taken last. */
void bsc_now(struct bs_client *c, struct mtime now);

/** bsc_peer - the peer with @id, or NULL. */
struct bsc_peer *bsc_peer(const struct bs_client *c, const struct peer_id *id);

/** bsc_out - new output of @kind at the end of the queue. */
struct bs_client_out *bsc_out(struct bs_client *c,
                              enum bs_client_out_kind kind);

/** bsc_fault - say once that @p misbehaves. */
void bsc_fault(struct bs_client *c, struct bsc_peer *p, enum bs_fault fault);

/** bsc_interest_free - end one interest; the want stays. */
void bsc_interest_free(struct bsc_interest *i);

/** bsc_session_got - count @bytes that @peer gave to @s. */
void bsc_session_got(struct bs_session *s, const struct peer_id *peer,
                     size_t bytes);

/** bsc_want_find - the want of @cid, or NULL. */
struct bsc_want *bsc_want_find(const struct bs_client *c,
                               const struct cid *cid);

/** bsc_want_free - drop a want in which nobody is interested. */
void bsc_want_free(struct bs_client *c, struct bsc_want *w);

/** bsc_want_guess - how large the block probably is, bytes. */
uint32_t bsc_want_guess(const struct bsc_want *w);

/* client_ask.c: one entry on one peer's list */

/** bsc_ask_find - the ask of @w at @p, or NULL. */
struct bsc_ask *bsc_ask_find(const struct bsc_want *w,
                             const struct bsc_peer *p);

/** bsc_ask_put - ask @p about @w; BSC_ASK_HAVE or BSC_ASK_BLOCK. */
void bsc_ask_put(struct bs_client *c, struct bsc_want *w, struct bsc_peer *p,
                 enum bsc_ask_state state);

/** bsc_ask_set - the ask is answered or taken back; moves it. */
void bsc_ask_set(struct bs_client *c, struct bsc_ask *a,
                 enum bsc_ask_state state);

/** bsc_ask_repeat - say it once more. */
void bsc_ask_repeat(struct bs_client *c, struct bsc_ask *a);

/**
 * bsc_ask_free - forget the ask.
 * @cancel: tell the peer, unless it was never told or has removed it itself.
 */
void bsc_ask_free(struct bs_client *c, struct bsc_ask *a, bool cancel);

/** bsc_peer_listed - entries of ours on the peer's list. */
uint32_t bsc_peer_listed(const struct bsc_peer *p);

/** bsc_peer_room - whether the peer can be asked for a block. */
bool bsc_peer_room(const struct bsc_peer *p);

/** bsc_peer_room_list - whether one more entry fits on its list. */
bool bsc_peer_room_list(const struct bsc_peer *p);

/** bsc_peer_full_update - after asks or the window changed. */
void bsc_peer_full_update(struct bs_client *c, struct bsc_peer *p);

/** bsc_peer_waits - true when an answer of @p is due. */
bool bsc_peer_waits(const struct bsc_peer *p);

/** bsc_peer_timed - @p may have a deadline now. */
void bsc_peer_timed(struct bs_client *c, struct bsc_peer *p);

/** bsc_peer_dirty - there is something to send to @p. */
void bsc_peer_dirty(struct bs_client *c, struct bsc_peer *p);

/** bsc_peer_send - next message for @p; NULL when there is none. */
struct bs_frame *bsc_peer_send(struct bsc_peer *p);

/** bsc_gateway_send - next output for the gateway @p; false when there is
 * none. */
bool bsc_gateway_send(struct bsc_peer *p, struct bs_client_out *ret_out);

/** bsc_peer_drop_cancels - forget what was to be said. */
void bsc_peer_drop_cancels(struct bsc_peer *p);

/* client_choose.c: who is asked for what */

/** bsc_queue - @w needs somebody who sends it; harmless if it has one. */
void bsc_queue(struct bs_client *c, struct bsc_want *w);

/** bsc_place_all - give queued wants to peers with room. */
void bsc_place_all(struct bs_client *c);

/** bsc_probe - ask up to @count peers of which nothing is known for HAVE. */
void bsc_probe(struct bs_client *c, struct bsc_want *w, uint32_t count);

/** bsc_probing_set - count @w among those that nobody is known to have. */
void bsc_probing_set(struct bsc_want *w, bool probing);

/** bsc_missing_wake - missing wants are asked of who is there now. */
void bsc_missing_wake(struct bs_client *c);

/** bsc_missing_tick - it is time to ask all again for some missing wants. */
void bsc_missing_tick(struct bs_client *c);

/** bsc_tail - ask fast peers for what slow ones were asked. */
void bsc_tail(struct bs_client *c);

/** bsc_good_set - @p has, or has not, parts of @s. */
void bsc_good_set(struct bs_session *s, const struct bsc_peer *p, bool good);

/** bsc_other - whether somebody but @p could be asked for @w. */
bool bsc_other(const struct bs_client *c, const struct bsc_want *w,
               const struct bsc_peer *p);

/* client_time.c: peers that are slow */

/** bsc_measure - @p sent a block of @bytes that was asked for at @asked_at. */
void bsc_measure(struct bs_client *c, struct bsc_peer *p, uint32_t bytes,
                 struct mtime asked_at, struct mtime arrived);

/** bsc_peer_idle - @p has no deadline until it is asked or told something. */
bool bsc_peer_idle(const struct bsc_peer *p);

/** bsc_peer_deadline - when @p must be looked at next. */
struct mtime bsc_peer_deadline(const struct bsc_peer *p);

/** bsc_peer_on_time - look whether @p is late. */
void bsc_peer_on_time(struct bs_client *c, struct bsc_peer *p);

/** bsc_peer_suspect - @p sent wrong bytes: others are asked for its part. */
void bsc_peer_suspect(struct bs_client *c, struct bsc_peer *p);

/** bsc_peer_wake - @p proved that it is alive. */
void bsc_peer_wake(struct bs_client *c, struct bsc_peer *p);

#endif /* BITSWAP_CLIENT_PRIV_H */
