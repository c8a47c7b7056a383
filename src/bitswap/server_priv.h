#ifndef BITSWAP_SERVER_PRIV_H
#define BITSWAP_SERVER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "bitswap/heap_priv.h"
#include "bitswap/ids_priv.h"
#include "bitswap/server.h"

/*
 * What the files of the server share.
 *
 * Invariants:
 * 1. A want is one entry of one peer's wantlist, known by its full CID; it
 *    ends when it is answered with a block or HAVE, cancelled, or pushed out.
 * 2. Its state says where it is: see enum bss_state.
 * 3. peer->held = bytes of its reads that are under way + of its ready blocks
 *    + of its frames that are not drained; server->held sums those of all
 *    peers, and of reads for peers that have gone.
 * 4. A peer whose queue has wants is in server->active or, when it was found
 *    to hold enough, in server->blocked.
 */
enum bss_state {
    BSS_STAT,    /* in server->stats until the owner is asked, then nowhere */
    BSS_IDLE,    /* not stored; in peer->idle, oldest first */
    BSS_QUEUED,  /* stored; in peer->queue */
    BSS_READING, /* the owner reads it; nowhere */
    BSS_READY,   /* read; in peer->ready */
};

/* All wants for blocks with one multihash. */
struct bss_twins {
    struct map_node node; /* of server->twins */
    struct list wants;
    uint8_t key[MULTIHASH_BYTES_MAX];
};

struct bss_want {
    struct map_node node; /* of peer->wants, by key */
    struct list of_twins;
    struct list of_state;
    struct bs_heap_node queued;
    struct bss_twins *twins;
    struct bss_peer *peer;
    struct bss_job *job; /* NULL: the owner does nothing for it */
    enum bss_state state;
    bool have; /* want-have */
    bool send_dont_have;
    bool again;     /* the block was stored while it was looked up */
    uint32_t round; /* of the message that named it last */
    uint32_t size;
    struct slice data; /* BSS_READY */
    uint8_t key[CID_BYTES_MAX];
};

/* Something that the owner does. */
struct bss_job {
    struct list link;      /* in server->jobs */
    struct bss_want *want; /* NULL: no longer wanted */
    struct bss_peer *peer; /* NULL: gone */
    uint32_t size;         /* of a read, in held; 0: a look-up */
};

struct bss_presence {
    struct list link;
    struct cid cid;
    bool have;
};

struct bss_peer {
    struct map_node node;
    struct peer_id id;
    enum bs_version version;
    struct map wants;
    struct bs_heap queue;
    struct list idle;
    struct list ready;
    struct list presences;
    struct list active; /* in server->active or server->blocked */
    struct list dirty;  /* in server->dirty: look whether it can be sent to */
    size_t presences_count;
    size_t ready_count;
    size_t ready_bytes;
    size_t unsent;
    size_t held;
    size_t deficit; /* bytes that it may read in its turn */
    uint32_t round;
    uint64_t tokens;
    struct mtime tokens_at;
    bool faulted;
};

struct bs_server {
    uint8_t seed[16];
    uint32_t peers_max;
    uint32_t wants_max;
    struct map peers;
    struct map twins;
    struct list stats; /* wants to be looked up */
    struct list active;
    struct list blocked;
    struct list dirty;
    struct list faults; /* peers, by their dirty link */
    struct list jobs;
    struct bs_ids ids; /* of jobs */
    uint64_t seq;
    size_t held;
    size_t busy_count; /* peers that read or are sent to */
    struct bs_server_stats counts;
};

/* server.c */

/** bss_hold - @bytes more are held for @p. */
void bss_hold(struct bs_server *s, struct bss_peer *p, size_t bytes);

/** bss_let_go - @bytes fewer are held for @p; NULL: it has gone. */
void bss_let_go(struct bs_server *s, struct bss_peer *p, size_t bytes);

/* server_wants.c: the lists of peers */

/** bss_want_cid - the CID of @w. */
struct cid bss_want_cid(const struct bss_want *w);

/** bss_want_free - take @w off the list; what is done for it is dropped. */
void bss_want_free(struct bs_server *s, struct bss_want *w);

/** bss_want_stat - look up the block of @w, which is in no list. */
void bss_want_stat(struct bs_server *s, struct bss_want *w);

/** bss_want_missing - the block of @w is not stored. */
void bss_want_missing(struct bs_server *s, struct bss_want *w);

/** bss_on_entry - one entry of a message. */
void bss_on_entry(struct bs_server *s, struct bss_peer *p,
                  const struct bs_entry *entry);

/** bss_drop_older - drop the wants that the last message did not name. */
void bss_drop_older(struct bs_server *s, struct bss_peer *p);

/** bss_charge - take @tokens from @p; it is at fault when it has none. */
void bss_charge(struct bs_server *s, struct bss_peer *p, uint32_t tokens);

/* server_send.c: reading and sending */

/** bss_presence_put - tell @p about @cid, if its version can. */
void bss_presence_put(struct bs_server *s, struct bss_peer *p,
                      const struct cid *cid, bool have);

/** bss_presences_drop - forget what @p was to be told. */
void bss_presences_drop(struct bss_peer *p);

/** bss_peer_update - after the queue or what is held changed. */
void bss_peer_update(struct bs_server *s, struct bss_peer *p);

/** bss_retry_blocked - bytes were let go. */
void bss_retry_blocked(struct bs_server *s);

/** bss_next_read - next block to read; NULL when there is none now. */
struct bss_want *bss_next_read(struct bs_server *s);

/** bss_next_frame - next message for @p; NULL when there is none now. */
struct bs_frame *bss_next_frame(struct bs_server *s, struct bss_peer *p);

#endif /* BITSWAP_SERVER_PRIV_H */
