#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "discovery/bans.h"
#include "discovery/book.h"
#include "discovery/capability.h"
#include "discovery/peers_message.h"
#include "discovery/quality.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct privkey;
struct wr;

/*
 * discovery - which peers to know, to dial, to ask and to let go.
 *
 * A protocol core: after every call that takes `now` the owner drains
 * discovery_next(), and it calls discovery_on_time() at discovery_deadline().
 * Nothing is called back.  What it does and why: docs/design/0003-discovery.md.
 *
 * A *member* is a peer that serves /xmbl/<network>/peers/1.0.0.
 */

struct discovery;

enum {
    DISCOVERY_OUTBOUND_TARGET = 16,
    DISCOVERY_CONNS_HIGH = 96, /* places; those over it are let go */
    DISCOVERY_GUESTS = 8,      /* inbound over their share, for a while */
    DISCOVERY_PER_GROUP = 2,   /* outbound, of one IP group */
    DISCOVERY_PER_IP = 3,      /* inbound, of one public IP address */
    DISCOVERY_DIALS_MAX = 8,   /* at one time */
    DISCOVERY_ASKED_MAX = 3,   /* peers, in one round */
    DISCOVERY_ROUND_MS = 5 * 60 * 1000,
    DISCOVERY_FEELER_MS = 2 * 60 * 1000,
    DISCOVERY_BOOTSTRAP_MS = 30 * 1000, /* while nobody is connected */
    DISCOVERY_REQUEST_MS = 15 * 1000,   /* an answer takes at most */
    DISCOVERY_PROBE_MS = 10 * 1000,     /* a dial for a probe takes at most */
    DISCOVERY_RENEW_MS = 12 * 60 * 60 * 1000, /* our record */
    DISCOVERY_CANDIDATE_QUALITY = 25,
    DISCOVERY_BAN_S = 60 * 60,        /* of who attacks */
    DISCOVERY_PASSING_MS = 20 * 1000, /* unused, a link for a question ends */
    DISCOVERY_LINKS_MAX = 4096,       /* connected peers that are tracked */
};

/**
 * struct discovery_config - copied, but for @key; 0 means the default.
 *
 * The outbound target is at most a third of conns_high, a quarter is for links
 * that pass, the rest for inbound ones: other numbers are changed to fit.
 */
struct discovery_config {
    const char *network;       /* name, at most CAPABILITY_NETWORK_MAX */
    const struct privkey *key; /* our identity; outlives the discovery */
    uint8_t seed[32];          /* random */
    uint32_t outbound_target;
    uint32_t conns_high;
    uint32_t guests;   /* inbound beyond conns_high that are admitted, to be
                          answered and let go */
    uint32_t book_max; /* at most BOOK_PEERS_MAX */
    uint32_t round_ms;
    uint32_t feeler_ms;
    bool allow_only; /* whoever is not on the allow list is turned away */
    bool told_only;  /* dial manual peers, and BOOK_BOOTSTRAP and BOOK_DNS ones
                        heard of since the start; ask nobody for others */
};

/** discovery_new - knows nobody; loads first, discovery_start() then. */
MUST_USE struct discovery *discovery_new(const struct discovery_config *config);

/** discovery_free - forget everything; NULL does nothing. */
void discovery_free(struct discovery *d);

/**
 * discovery_set_clock - what the wall clock says: before anything else, then
 * whenever it is known anew, at least each minute.
 */
void discovery_set_clock(struct discovery *d, uint64_t unix_ms,
                         struct mtime now);

/**
 * discovery_load - one pair that discovery_next_change() gave before.  In the
 * order of the keys.
 *
 * Return: OK; E_CORRUPT, E_UNSUPPORTED: leave it out and say so; E_LIMIT,
 * E_EXISTS: left out, of no consequence.
 */
MUST_USE enum err discovery_load(struct discovery *d, struct bytes key,
                                 struct bytes value);

/**
 * discovery_next_change - what is to be written down: value under key, or where
 * the value is empty, the key removed.  Ask every half minute or so and before
 * the end, until it returns false.
 * @ret_key: room for BOOK_KEY_MAX.
 * @ret_value: room for BOOK_VALUE_MAX.
 */
bool discovery_next_change(struct discovery *d, struct wr *ret_key,
                           struct wr *ret_value);

/** discovery_start - begin to dial: anchors, book and bootstrap at once. */
void discovery_start(struct discovery *d, struct mtime now);

/** discovery_stop - dial and ask no more; requests of others are refused. */
void discovery_stop(struct discovery *d);

/**
 * discovery_set_self - what our record is to say.
 * @self: network, peer, seq and expires_s are filled in here; addresses of all
 * reaches that we listen at: each peer is told those that it may hear.
 * Addresses past CAPABILITY_ADDRS_MAX of what it may hear are left out.
 *
 * Members are told when it differs from what they know: at once, but at most
 * once in a minute; free space alone has to differ by an eighth.  Before the
 * first call we have no record and tell none.
 */
void discovery_set_self(struct discovery *d, const struct capability *self,
                        struct mtime now);

/* Peers by hand and from other sources. ------------------------------------ */

/**
 * discovery_hear - somebody told of a peer.
 * @heard: BOOK_BOOTSTRAP, BOOK_DNS and BOOK_MANUAL ones are dialled at once
 * while outbound peers are wanted, or for manual ones always; again until
 * connected.
 *
 * Return: as book_hear(); E_REFUSED for a banned peer and for ourselves.
 */
MUST_USE enum err discovery_hear(struct discovery *d,
                                 const struct book_heard *heard,
                                 struct mtime now);

/** discovery_forget - remove a peer from the book; E_NOTFOUND. */
MUST_USE enum err discovery_forget(struct discovery *d,
                                   const struct peer_id *peer,
                                   struct mtime now);

/**
 * discovery_ban - enter a ban, a denial or an allowance; those who are refused
 * now are disconnected.
 * @for_s: seconds from now; of BAN_TEMPORARY.
 *
 * Return: as bans_put().
 */
MUST_USE enum err discovery_ban(struct discovery *d,
                                const struct ban_target *target,
                                enum ban_kind kind, struct bytes reason,
                                uint64_t for_s, struct mtime now);

/** discovery_unban - remove such an entry; E_NOTFOUND. */
MUST_USE enum err discovery_unban(struct discovery *d,
                                  const struct ban_target *target,
                                  struct mtime now);

/* What happens. ------------------------------------------------------------ */

/**
 * discovery_admits - whether a connection may be.
 * @peer: NULL where not known yet.
 * @addr: remote; NULL where not known.
 * @inbound: they connected to us.
 *
 * Return: OK; E_REFUSED banned or denied; E_LIMIT when inbound ones are too
 * many, of this address or in all: those outbound peers need are kept free.
 */
MUST_USE enum err discovery_admits(struct discovery *d,
                                   const struct peer_id *peer,
                                   const struct multiaddr *addr, bool inbound,
                                   struct mtime now);

/**
 * discovery_on_connected - a connection to @peer is up; for each one, also the
 * second to one peer.
 * @addr: remote.
 */
void discovery_on_connected(struct discovery *d, const struct peer_id *peer,
                            const struct multiaddr *addr, bool inbound,
                            struct mtime now);

/** discovery_want_place - all places are taken and somebody wants to dial: a
 * link that rests, and that no share or choice of ours holds, goes. */
void discovery_want_place(struct discovery *d, struct mtime now);

/**
 * discovery_on_passing - the connection to @peer, told of just now, was made
 * for a question of the DHT: nothing is said to the peer, and it is let go when
 * it is not used any more, unless a place for an outbound peer is free.
 */
void discovery_on_passing(struct discovery *d, const struct peer_id *peer,
                          struct mtime now);

/**
 * discovery_wants_use - whether discovery_on_use() is to be told of all peers
 * before discovery_on_time(), which may let some of them go.
 */
bool discovery_wants_use(const struct discovery *d, struct mtime now);

/**
 * discovery_on_use - what the connections to @peer carry.
 * @used_at: when something passed on a stream last.
 * @waits: somebody waits for an answer of the peer: it is not let go.
 */
void discovery_on_use(struct discovery *d, const struct peer_id *peer,
                      struct mtime used_at, bool waits);

/** discovery_on_disconnected - the last connection to @peer has gone. */
void discovery_on_disconnected(struct discovery *d, const struct peer_id *peer,
                               struct mtime now);

/** discovery_on_dial_failed - what DISCOVERY_DIAL, or anybody else, tried. */
void discovery_on_dial_failed(struct discovery *d, const struct peer_id *peer,
                              enum err err, struct mtime now);

/**
 * discovery_on_identified - identify has come.
 * @member: it serves our protocol.
 */
void discovery_on_identified(struct discovery *d, const struct peer_id *peer,
                             bool member, struct mtime now);

/**
 * discovery_on_request - a connected peer asks on a stream of our protocol.
 * @request: names the stream for DISCOVERY_REPLY or DISCOVERY_RESET, of which
 * one follows, sooner or later; not needed when the stream has gone.
 * @in: the message without its length; copied where needed.
 */
void discovery_on_request(struct discovery *d, const struct peer_id *peer,
                          uint64_t request, struct bytes in, struct mtime now);

/**
 * discovery_on_answer - the end of a DISCOVERY_REQUEST.
 * @err: OK with @in, the message without its length; else why there is none.
 */
void discovery_on_answer(struct discovery *d, uint64_t id, enum err err,
                         struct bytes in, struct mtime now);

/**
 * discovery_on_probed - the end of a DISCOVERY_PROBE.
 * @err: OK; E_MISMATCH when somebody else is there; else failed.
 * @addr: which address it was; NULL unless OK.
 */
void discovery_on_probed(struct discovery *d, uint64_t id, enum err err,
                         const struct multiaddr *addr, struct mtime now);

/**
 * discovery_event - something was measured of @peer, in the book or connected.
 *
 * One whose faults add up is banned for DISCOVERY_BAN_S and disconnected,
 * unless it is manual or allowed.
 */
void discovery_event(struct discovery *d, const struct peer_id *peer,
                     enum quality_kind kind, uint64_t amount, struct mtime now);

/**
 * discovery_probe - have @via try to connect to @peer; DISCOVERY_PROBED tells.
 * @addrs: where, @count; only regarded where @peer is we ourselves.
 * @owner: comes back.
 *
 * Return: OK; E_NOTFOUND when @via is no connected member; E_LIMIT.
 */
MUST_USE enum err discovery_probe(struct discovery *d,
                                  const struct peer_id *via,
                                  const struct peer_id *peer,
                                  const struct multiaddr *addrs, size_t count,
                                  void *owner, struct mtime now);

/* Outputs. ----------------------------------------------------------------- */

enum discovery_out_kind {
    DISCOVERY_DIAL,    /* connect to @peer at @addrs; the swarm's events tell
                          the end.  @feeler: just to see if it is there */
    DISCOVERY_REQUEST, /* open a stream to @peer, write @message after its
                          length, close for writing, give the answer to
                          discovery_on_answer(@id) */
    DISCOVERY_REPLY,   /* write @message to the stream @id, and close it */
    DISCOVERY_RESET,   /* reset the stream @id */
    DISCOVERY_PROBE,   /* connect anew to @addrs, also when @peer is connected
                          (swarm_dial() for whoever answers), see who is
                          there, close that connection;
                          discovery_on_probed(@id) */
    DISCOVERY_PROBED,  /* end of discovery_probe(): @owner, @err; on OK
                          @outcome, @elapsed_ms, @addrs[0] if @addr_count */
    DISCOVERY_DISCONNECT, /* close all connections to @peer: @why */
    DISCOVERY_CHANGED,    /* discovery_next_candidate() may answer otherwise */
    DISCOVERY_BOOTSTRAP,  /* at start, and while nobody is connected: look names
                             up again, and give  configured peers to
                             discovery_hear() again */
};

enum discovery_why {
    DISCOVERY_WHY_FEELER, /* it is there, no more was to be known */
    DISCOVERY_WHY_TRIMMED,
    DISCOVERY_WHY_PASSED, /* its question was answered */
    DISCOVERY_WHY_BANNED,
};

/** struct discovery_out - which fields are set is told with each kind. */
struct discovery_out {
    enum discovery_out_kind kind;
    uint64_t id;
    struct peer_id peer;
    size_t addr_count;
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    bool feeler;
    bool wanted;          /* to dial: by who runs this node, not only told of */
    struct bytes message; /* until the next discovery_next() */
    void *owner;
    enum err err;
    enum peers_outcome outcome;
    uint32_t elapsed_ms;
    enum discovery_why why;
};

/** discovery_next - the next output; false when there is none. */
bool discovery_next(struct discovery *d, struct mtime now,
                    struct discovery_out *ret_out);

/** discovery_deadline - when discovery_on_time() is to be called. */
struct mtime discovery_deadline(const struct discovery *d);

/** discovery_on_time - do what is due. */
void discovery_on_time(struct discovery *d, struct mtime now);

/* What there is. ----------------------------------------------------------- */

/** discovery_book - the book, to be looked at. */
const struct book *discovery_book(const struct discovery *d);

/** discovery_bans - bans and lists, to be looked at. */
const struct bans *discovery_bans(const struct discovery *d);

/** discovery_score - quality of @peer, in the book or connected; else
 * QUALITY_NEW. */
uint32_t discovery_score(const struct discovery *d, const struct peer_id *peer,
                         struct mtime now);

/** struct discovery_counts - connected peers, and what was counted. */
struct discovery_counts {
    uint32_t known;    /* in the book */
    uint32_t reached;  /* of these, dialled with success */
    uint32_t outbound; /* members, or not identified yet */
    uint32_t inbound;
    uint32_t members;          /* connected ones */
    uint64_t records_in;       /* records that came, good ones */
    uint64_t records_bad;      /* and bad ones */
    uint64_t records_checked;  /* signatures of records that were looked at */
    uint64_t dials;            /* asked for */
    uint64_t requests_refused; /* of others, over their rate */
};

struct discovery_counts discovery_counts(const struct discovery *d);

/** struct discovery_candidate - a peer that could keep an object. */
struct discovery_candidate {
    struct peer_id peer;
    struct ma_ip ip; /* where we dialled it; len 0: a name */
    uint64_t group;  /* reach_group() of that */
    uint8_t operator_len;
    uint8_t operator_id[CAPABILITY_OPERATOR_MAX];
    bool has_storage;
    uint64_t storage_offer;
    uint64_t storage_free;
    uint64_t expires_s; /* of its record */
    uint64_t seen_s;    /* unix, when it was connected last */
    uint32_t quality;
    bool is_connected;
};

/**
 * discovery_next_candidate - walk the peers that have a record which is valid
 * now, that we have dialled ourselves, that are not dead nor banned, with a
 * quality of DISCOVERY_CANDIDATE_QUALITY at least.
 * @after: the one before; NULL begins.  If it has gone since, the walk ends.
 *
 * Return: false at the end.
 */
bool discovery_next_candidate(const struct discovery *d,
                              const struct peer_id *after, struct mtime now,
                              struct discovery_candidate *ret_candidate);

#endif /* DISCOVERY_DISCOVERY_H */
