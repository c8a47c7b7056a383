#ifndef DISCOVERY_DISCOVERY_PRIV_H
#define DISCOVERY_DISCOVERY_PRIV_H

#include "base/list.h"
#include "base/map.h"
#include "discovery/discovery.h"

/* What the files of the core share; for nobody else. */

enum {
    REQUESTS_MAX = 256, /* ours, under way */
    PROBES_MAX = 8,     /* dials for others, under way */
    CHECKS_MAX = 4,     /* dials back of our own, under way */
    REACHES = REACH_LOOPBACK + 1,
    MS_PER_S = 1000,
};

enum member { MEMBER_UNKNOWN, MEMBER_YES, MEMBER_NO };

/* struct tokens - a token bucket; zeroed is full. */
struct tokens {
    uint64_t used_ms; /* time until it is full again */
    struct mtime at;
};

/* struct link - a connected peer. */
struct link {
    struct map_node node;
    struct peer_id peer;
    struct multiaddr addr; /* remote, of the first connection, or ours */
    enum reach reach;
    uint64_t group;
    bool outbound; /* we dialled it, or also we */
    bool feeler;
    bool ours;    /* the dial was an output of this core */
    bool inbound; /* they dialled us, or also they */
    bool passing; /* we dialled it for one question, no more */
    bool waits;   /* somebody here waits for what it was asked for */
    bool closing;
    bool greeted; /* hello was said: it did not come for one question */
    bool told;    /* it has had an answer to ASK: it finds others by that */
    enum member member;
    struct mtime since;
    struct mtime used_at;  /* something passed on its streams last */
    struct mtime counted;  /* uptime is in its quality up to here */
    struct mtime hello_at; /* when to send ours; MTIME_NEVER */
    struct mtime check_at; /* when to dial it back; MTIME_NEVER */
    struct mtime leave_at; /* of a feeler */
    struct mtime ask_at;   /* for peers, once more; MTIME_NEVER */
    uint32_t asks;         /* of those on meeting */
    uint32_t hello_fails;
    uint32_t check_fails;
    bool may_go;  /* these three while links are let go */
    bool is_over; /* it has had what it came for */
    uint32_t crowd;
    struct quality quality; /* while it is not in the book */
    struct tokens requests;
    struct tokens probes;
};

/* struct request - a message of ours that waits for its answer. */
struct request {
    struct list link;
    uint64_t id;
    struct peer_id peer;
    enum peers_kind kind; /* HELLO, ASK or PROBE */
    uint32_t max;         /* of ASK */
    void *owner;          /* of PROBE */
    struct mtime deadline;
};

/* struct probe - a second connection, to see whether it can be made. */
struct probe {
    struct list link;
    uint64_t id;
    struct peer_id peer;
    bool is_check;       /* for ourselves */
    uint64_t request;    /* whom to answer otherwise */
    struct peer_id from; /* who asked */
    struct mtime begun;
    struct mtime deadline;
};

/* struct dial - a DISCOVERY_DIAL that has not ended. */
struct dial {
    struct list link;
    struct peer_id peer;
    uint64_t group;
    bool feeler;
    struct mtime deadline;
};

/* struct queued - an output that waits. */
struct queued {
    struct list link;
    struct discovery_out out;
    uint8_t *message; /* owned; out.message points at it */
};

/* struct sealed - our record as peers of one reach hear it. */
struct sealed {
    uint64_t seq; /* 0: to be made */
    uint16_t len;
    uint8_t *bytes; /* owned */
};

struct discovery {
    char network[CAPABILITY_NETWORK_MAX + 1];
    const struct privkey *key;
    struct peer_id self_id;
    uint8_t seed[16];
    uint64_t chance; /* counts random numbers */
    uint32_t outbound_target;
    uint32_t conns_high;
    uint32_t guests;        /* inbound ones over their share */
    uint32_t inbound_share; /* of conns_high */
    uint32_t passing_share;
    uint32_t round_ms;
    uint32_t feeler_ms;
    bool allow_only;
    bool told_only;
    bool running;
    bool keep_outbound; /* of discovery_trim() */
    bool wants_place;   /* somebody could not dial */

    uint64_t clock_ms;
    struct mtime clock_at;

    uint64_t *spares; /* owned: hashes of good records without room; NULL */
    struct mtime spares_at;

    struct book book;
    struct bans bans;
    struct map links; /* of struct link */
    struct list requests;
    uint32_t request_count;
    struct list probes;
    uint32_t probe_count; /* those for others */
    uint32_t check_count;
    struct list dials;
    uint32_t dial_count;
    uint64_t last_id;

    struct list outs;
    struct queued *current; /* whose message is with the owner */
    bool changed;
    struct mtime changed_at; /* not told again before */

    struct capability *self; /* owned; NULL: no record */
    uint64_t self_seq;
    bool self_seq_dirty;
    bool self_pending; /* differs from what was told */
    struct mtime self_at;
    struct mtime renew_at;
    struct sealed sealed[REACHES];

    struct mtime dial_at;
    struct mtime scan_at;   /* no earlier scan of the book */
    struct mtime way_in_at; /* no earlier dial of another bootstrap peer */
    struct mtime turned_at; /* when somebody let us go last */
    uint32_t turned;        /* peers that did, of late */
    uint32_t calm_ms;       /* from then on; doubled so often, or less */
    struct mtime links_at;
    struct mtime trim_at; /* to look whether there are too many links */
    struct mtime round_at;
    struct mtime feeler_at;
    struct mtime bootstrap_at;
    uint32_t bootstrap_ms;

    struct discovery_counts counts;
};

/* Shared helpers (discovery.c). */
uint64_t discovery_unix_s(const struct discovery *d, struct mtime now);
uint32_t discovery_chance(struct discovery *d, uint32_t below);
struct link *discovery_link(const struct discovery *d,
                            const struct peer_id *peer);
struct link *discovery_link_next(const struct discovery *d,
                                 const struct link *after);
bool discovery_take(struct tokens *t, uint32_t burst, uint32_t each_ms,
                    struct mtime now);
struct discovery_out *discovery_push(struct discovery *d,
                                     enum discovery_out_kind kind);
void discovery_push_message(struct discovery *d, struct discovery_out *out,
                            const struct peers_message *m);
void discovery_note_change(struct discovery *d);
void discovery_disconnect(struct discovery *d, struct link *l,
                          enum discovery_why why);
void discovery_fault(struct discovery *d, struct link *l, uint32_t severity,
                     struct mtime now);
/* Sooner, not later. */
void discovery_wake_links(struct discovery *d, struct mtime at);
void discovery_wake_dial(struct discovery *d, struct mtime at);
uint32_t discovery_jitter(struct discovery *d, uint32_t ms);

bool discovery_is_refused(const struct discovery *d, const struct peer_id *peer,
                          const struct multiaddr *addr, uint64_t unix_s);

/* Connected peers (discovery_link.c). */
void discovery_link_free(struct discovery *d, struct link *l);
void discovery_links_on_time(struct discovery *d, struct mtime now);
void discovery_round_on_time(struct discovery *d, struct mtime now);
void discovery_bootstrap_on_time(struct discovery *d, struct mtime now);

/* Own record (discovery_self.c). */
struct bytes discovery_self_record(struct discovery *d, enum reach reach,
                                   struct mtime now);
void discovery_self_on_time(struct discovery *d, struct mtime now);
struct mtime discovery_self_deadline(const struct discovery *d);
void discovery_self_release(struct discovery *d);

/* Dialling (discovery_dial.c). */
uint32_t discovery_outbound_count(const struct discovery *d);
bool discovery_is_outbound(const struct link *l);
struct dial *discovery_dial_find(const struct discovery *d,
                                 const struct peer_id *peer);
void discovery_dial_end(struct discovery *d, struct dial *dial);
void discovery_retry_later(struct discovery *d, struct book_peer *p,
                           struct mtime now);
void discovery_dial_on_time(struct discovery *d, struct mtime now);
struct mtime discovery_dial_deadline(const struct discovery *d);
/* @p let us go again soon: it is left alone, longer each time. */
void discovery_turned_away(struct discovery *d, struct book_peer *p,
                           struct mtime now);

/* Letting go (discovery_trim.c). */
void discovery_trim_on_time(struct discovery *d, struct mtime now);
void discovery_trim_soon(struct discovery *d, struct mtime now);

/* Requests, answers, probes (discovery_request.c, discovery_record.c). */
void discovery_request_on_time(struct discovery *d, struct mtime now);
struct mtime discovery_request_deadline(const struct discovery *d);
void discovery_requests_drop(struct discovery *d, const struct peer_id *peer,
                             struct mtime now);
void discovery_send_hello(struct discovery *d, struct link *l,
                          struct mtime now);
void discovery_send_ask(struct discovery *d, struct link *l, struct mtime now);
bool discovery_knows_few(const struct discovery *d);
void discovery_ask_met(struct discovery *d, struct link *l, struct mtime now);
void discovery_send_check(struct discovery *d, struct link *l,
                          struct mtime now);
/* False when the rest of the message is not worth reading. */
bool discovery_take_record(struct discovery *d, struct link *l,
                           struct bytes bytes, bool direct, struct mtime now);
/* Fills the records of a PEERS message for @l; views until the next change. */
void discovery_pick_records(struct discovery *d, const struct link *l,
                            uint32_t max, struct peers_message *m,
                            struct mtime now);

#endif /* DISCOVERY_DISCOVERY_PRIV_H */
