#ifndef IPLD_CID_SET_H
#define IPLD_CID_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "multiformats/cid.h"

/*
 * cid_set - which CIDs were seen, at 40 to 107 bytes each.
 *
 * CIDs that differ in version only are the same; those that differ in codec
 * are not, as their blocks have other links.
 */

/** struct cid_slot - one entry of the table; private. */
struct cid_slot {
    uint64_t tag; /* 0: empty */
    uint8_t digest[32];
};

struct cid_set {
    struct cid_slot *slots; /* private */
    size_t slots_count;     /* private: a power of two, or 0 */
    size_t count;           /* read-only for others */
    uint8_t seed[16];       /* private */
};

/** cid_set_init - empty set; @seed is random, as CIDs come from outside. */
void cid_set_init(struct cid_set *s, const uint8_t seed[static 16]);

/** cid_set_release - free the memory. */
void cid_set_release(struct cid_set *s);

/** cid_set_add - put @cid in; false when it was there already. */
bool cid_set_add(struct cid_set *s, const struct cid *cid);

/** cid_set_has - true when @cid is in @s. */
bool cid_set_has(const struct cid_set *s, const struct cid *cid);

#endif /* IPLD_CID_SET_H */
