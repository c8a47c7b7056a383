#ifndef CRYPTO_CRC32C_H
#define CRYPTO_CRC32C_H

#include <stdint.h>

#include "base/bytes.h"

/**
 * crc32c - CRC-32C (Castagnoli) of @in, continued from @crc.
 * @crc: 0 to begin, else the result for the bytes before @in.
 *
 * Finds accidents, not forgeries.  "123456789" gives 0xe3069283.
 *
 * Spec: RFC 3720, 12.1 and B.4.
 */
uint32_t crc32c(uint32_t crc, struct bytes in);

#endif /* CRYPTO_CRC32C_H */
