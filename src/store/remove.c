#include <assert.h>

#include "store/store.h"
#include "store/store_priv.h"

enum err store_remove(struct store *s, struct store_op *op,
                      const struct multihash *hash)
{
    struct store_key key = store_key_of(hash);
    struct location at;
    uint32_t refs = 0;

    assert(!s->config.only_reads);
    enum err err = blocks_find(s, &key, &at);

    if (err == OK)
        err = blocks_refs(s, &key, &refs);
    if (err == OK && (refs > 0 || lease_protects(s, &key, &at)))
        err = E_REFUSED;
    if (err == OK && !collector_idle(s))
        err = E_AGAIN; /* a pin may be about to count it */
    if (err == OK)
        err = blocks_delete(s, &key, &at);
    if (err == OK)
        store_flush(s, op);
    return err;
}
