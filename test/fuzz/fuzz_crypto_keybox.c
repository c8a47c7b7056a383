/*
 * Goal: no box harms keybox_open() or makes it work more than was allowed.
 *
 * The checksum is made right, so that the parameters are reached.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/wr.h"
#include "crypto/crc32c.h"
#include "crypto/keybox.h"
#include "crypto/secret.h"

enum {
    BOX_MAX = 512,
    MEMORY_KIB = 16,
    CRC_BYTES = 4,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_open(struct bytes box)
{
    struct secret plain;
    if (keybox_open(box, BYTES_LIT("pass"), MEMORY_KIB, &plain) != OK)
        return;
    assert(plain.len + KEYBOX_OVERHEAD_BYTES == box.len);
    secret_release(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    try_open((struct bytes){data, len});
    if (len < CRC_BYTES || len > BOX_MAX)
        return 0;
    uint8_t box[BOX_MAX];
    size_t body = len - CRC_BYTES;
    memcpy(box, data, body);
    struct wr w = wr_init(box + body, CRC_BYTES);
    wr_be32(&w, crc32c(0, (struct bytes){box, body}));
    try_open((struct bytes){box, len});
    return 0;
}
