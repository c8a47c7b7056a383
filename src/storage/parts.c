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

static void write_part(struct wr *w, struct bytes part)
{
    wr_uvarint(w, part.len);
    wr_bytes(w, part);
}

struct bytes parts_signed(struct bytes domain, struct bytes body, uint8_t *buf,
                          size_t buf_len)
{
    struct wr w = wr_init(buf, buf_len);
    struct bytes out;

    write_part(&w, domain);
    write_part(&w, body);
    enum err err = wr_finish(&w, &out);
    assert(err == OK); /* the caller has room for the longest */
    return out;
}
