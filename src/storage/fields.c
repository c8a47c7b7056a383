#include <string.h>

#include "storage/fields_priv.h"

void field_version(struct cbor_rd *r, uint64_t version)
{
    cbor_get_key(r, "v");
    if (cbor_get_uint(r, UINT64_MAX) != version)
        rd_fail(&r->rd, E_UNSUPPORTED);
}

void field_exactly(struct cbor_rd *r, uint8_t *dst, size_t len)
{
    struct bytes in = cbor_get_bytes(r, len);

    if (in.len == len)
        memcpy(dst, in.p, len);
    else
        rd_fail(&r->rd, E_MALFORMED);
}

struct bytes field_text(struct cbor_rd *r, size_t max)
{
    struct cbor_token t;

    if (!cbor_next(r, &t) || t.kind != CBOR_TEXT || t.is_key) {
        rd_fail(&r->rd, E_MALFORMED);
        return BYTES_EMPTY;
    }
    if (t.bytes.len <= max)
        return t.bytes;
    rd_fail(&r->rd, E_LIMIT);
    return BYTES_EMPTY;
}

void field_network(struct cbor_rd *r, char dst[static OBJECT_NETWORK_MAX + 1])
{
    struct bytes name = field_text(r, OBJECT_NETWORK_MAX);

    if (name.len == 0 || !object_network_ok(name)) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    memcpy(dst, name.p, name.len);
    dst[name.len] = '\0';
}
