#ifndef NODE_FINDING_H
#define NODE_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/mtime.h"
#include "multiformats/multihash.h"
#include "multiformats/peer_id.h"

struct finding;
struct node;

/*
 * finding - looks for peers that have some content, by the DHT, and connects
 * to them.
 */

enum {
    FINDING_HASHES_MAX = 2,       /* that who has is looked for */
    FINDING_PROVIDERS_MAX = 20,   /* of all of them */
    FINDING_DIALS_MAX = 4,        /* at a time */
    FINDING_AGAIN_MS = 15 * 1000, /* between two searches for the same */
    FINDING_JOIN_MS = 5 * 1000,   /* a search waits for a first peer */
    FINDING_JOIN_LOOK_MS = 200,   /* between looks whether there is one */
};

/** struct finding_config - copied. */
struct finding_config {
    /** @source: @peer, which says that it has it, is connected.  The finding
     * may not be freed from inside. */
    void (*source)(void *user, const struct peer_id *peer, struct mtime now);
    void *user;
};

/** finding_new - nothing is looked for yet.  NULL when there is no DHT. */
MUST_USE struct finding *finding_new(struct node *n,
                                     const struct finding_config *config,
                                     struct mtime now);

/**
 * finding_look - look for who has the content @hash.
 *
 * Nothing is called from inside.  The same hash again, or one past
 * FINDING_HASHES_MAX, is left out.
 */
void finding_look(struct finding *f, const struct multihash *hash,
                  struct mtime now);

/** finding_again - search anew for all that was looked for, where the last
 * search is over and FINDING_AGAIN_MS have passed; else nothing happens. */
void finding_again(struct finding *f, struct mtime now);

/** finding_free - end; NULL does nothing. */
void finding_free(struct finding *f);

/** finding_is_over - nothing more comes. */
bool finding_is_over(const struct finding *f);

/** struct finding_counts - providers, without ourselves. */
struct finding_counts {
    uint32_t found;
    uint32_t connected;
    uint32_t failed; /* could not be reached */
};

/** finding_counts - as of now. */
struct finding_counts finding_counts(const struct finding *f);

#endif /* NODE_FINDING_H */
