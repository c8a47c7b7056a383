#include "crypto/secret.h"

#include <sodium/utils.h>
#include <string.h>

#include "base/mem.h"

void secret_init(struct secret *s, size_t len)
{
    s->p = mem_zalloc(1, len > 0 ? len : 1);
    s->len = len;
}

void secret_init_copy(struct secret *s, struct bytes in)
{
    secret_init(s, in.len);
    if (in.len > 0)
        memcpy(s->p, in.p, in.len);
}

void secret_release(struct secret *s)
{
    if (s->p != NULL)
        secret_wipe(s->p, s->len);
    mem_free(s->p);
    *s = (struct secret){0};
}

struct bytes secret_bytes(const struct secret *s)
{
    return (struct bytes){s->p, s->len};
}

void secret_wipe(void *p, size_t len)
{
    sodium_memzero(p, len);
}

bool secret_eq(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    return a.len == 0 || sodium_memcmp(a.p, b.p, a.len) == 0;
}
