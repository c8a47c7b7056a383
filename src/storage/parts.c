#include <assert.h>
#include <stdint.h>

#include "base/wr.h"
#include "crypto/sha256.h"
#include "storage/parts_priv.h"

void parts_hash(struct sha256 *s, struct bytes part)
{
    uint8_t head[UVARINT_LEN_MAX];
    struct wr w = wr_init(head, sizeof(head));
    struct bytes len;

    wr_uvarint(&w, part.len);
    enum err err = wr_finish(&w, &len);
    assert(err == OK); /* the head has room for every length */
    sha256_update(s, len);
    sha256_update(s, part);
}

void parts_write(struct wr *w, struct bytes part)
{
    wr_uvarint(w, part.len);
    wr_bytes(w, part);
}
