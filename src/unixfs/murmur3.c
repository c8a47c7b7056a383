#include "unixfs/murmur3.h"

#include <stddef.h>

enum { STRIPE_BYTES = 16 };

static const uint64_t c1 = UINT64_C(0x87c37b91114253d5);
static const uint64_t c2 = UINT64_C(0x4cf5ad432745937f);

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t le(const uint8_t *p, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static uint64_t mix_low(uint64_t k)
{
    return rotl(k * c1, 31) * c2;
}

static uint64_t mix_high(uint64_t k)
{
    return rotl(k * c2, 33) * c1;
}

static uint64_t avalanche(uint64_t k)
{
    k = (k ^ k >> 33) * UINT64_C(0xff51afd7ed558ccd);
    k = (k ^ k >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return k ^ k >> 33;
}

uint64_t murmur3_x64_64(struct bytes in)
{
    uint64_t h1 = 0;
    uint64_t h2 = 0;
    size_t at = 0;

    for (; in.len - at >= STRIPE_BYTES; at += STRIPE_BYTES) {
        h1 ^= mix_low(le(in.p + at, 8));
        h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729;
        h2 ^= mix_high(le(in.p + at + 8, 8));
        h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5;
    }
    size_t tail = in.len - at;
    if (tail > 8)
        h2 ^= mix_high(le(in.p + at + 8, tail - 8));
    if (tail > 0)
        h1 ^= mix_low(le(in.p + at, tail < 8 ? tail : 8));
    h1 ^= in.len;
    h2 ^= in.len;
    h1 += h2;
    h2 += h1;
    return avalanche(h1) + avalanche(h2);
}
