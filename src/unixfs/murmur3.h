#ifndef UNIXFS_MURMUR3_H
#define UNIXFS_MURMUR3_H

#include <stdint.h>

#include "base/bytes.h"

/**
 * murmur3_x64_64 - first 64 bits of MurmurHash3 x64 128 of @in, seed 0.
 *
 * Spec: multiformats/multicodec table.csv, murmur3-x64-64; no secret, so who
 * chooses names can make them collide.
 */
uint64_t murmur3_x64_64(struct bytes in);

#endif /* UNIXFS_MURMUR3_H */
