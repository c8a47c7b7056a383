#ifndef BITSWAP_IDS_PRIV_H
#define BITSWAP_IDS_PRIV_H

#include <stddef.h>
#include <stdint.h>

/*
 * ids - numbers for work that was handed out, so that an answer can be told
 * from one that comes after its question was dropped.  Never 0, and used again
 * only after 2^32 uses of its place.
 */
struct bs_ids_place {
    void *what; /* NULL: free */
    uint32_t uses;
    uint32_t next_free; /* place + 1; 0: none */
};

struct bs_ids {
    struct bs_ids_place *places;
    uint32_t max;
    uint32_t first_free; /* place + 1; 0: none */
    uint32_t count;      /* in use */
};

/** bs_ids_release - free the table. */
void bs_ids_release(struct bs_ids *ids);

/** bs_ids_put - new number for @what, which is not NULL. */
uint64_t bs_ids_put(struct bs_ids *ids, void *what);

/** bs_ids_take - what @id was for, which thereby ends; NULL when over. */
void *bs_ids_take(struct bs_ids *ids, uint64_t id);

#endif /* BITSWAP_IDS_PRIV_H */
