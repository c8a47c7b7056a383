#ifndef CRYPTO_SECRET_H
#define CRYPTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/**
 * struct secret - bytes that are wiped before their memory is given back.
 *
 * Not to be copied by assignment: one owner, one release.  A zeroed struct
 * holds nothing and may be released.
 */
struct secret {
    uint8_t *p; /* owned */
    size_t len;
};

/** secret_init - @len zero bytes in @s, to be filled through @s->p. */
void secret_init(struct secret *s, size_t len);

/** secret_init_copy - a copy of @in in @s. */
void secret_init_copy(struct secret *s, struct bytes in);

/** secret_release - wipe and free; @s is as zeroed. */
void secret_release(struct secret *s);

/** secret_bytes - view of @s, valid until its release. */
struct bytes secret_bytes(const struct secret *s);

/** secret_wipe - zero @len bytes at @p in a way no compiler removes. */
void secret_wipe(void *p, size_t len);

/**
 * secret_eq - whether @a and @b hold the same bytes.
 *
 * The time it takes depends on the lengths only.
 */
bool secret_eq(struct bytes a, struct bytes b);

#endif /* CRYPTO_SECRET_H */
