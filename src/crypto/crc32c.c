#include "crypto/crc32c.h"

#include <isa-l/crc.h>
#include <stddef.h>
#include <string.h>

enum { PART_BYTES = 1 << 30 }; /* ISA-L counts in int */

uint32_t crc32c(uint32_t crc, struct bytes in)
{
    /*
     * crc32_iscsi() is the bare register: it neither starts at all ones nor
     * inverts at the end, both of which the standard asks for.
     */
    crc = ~crc;
    while (in.len > 0) {
        size_t len = in.len < PART_BYTES ? in.len : PART_BYTES;
        /* It only reads, though its argument is not const. */
        unsigned char *src = NULL;
        memcpy(&src, &in.p, sizeof(src));
        crc = crc32_iscsi(src, (int)len, crc);
        in = bytes_sub(in, len, in.len - len);
    }
    return ~crc;
}
