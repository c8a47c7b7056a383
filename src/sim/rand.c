#include "sim/rand.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"

enum { WORD = 8 };

static void put_u64(uint8_t *dst, uint64_t value)
{
    for (unsigned i = 0; i < WORD; i++)
        dst[i] = (uint8_t)(value >> (8 * i));
}

void sim_rand_init(struct sim_rand *r, uint64_t seed, const char *name,
                   uint64_t index)
{
    uint8_t key[2 * WORD];
    uint8_t path[2 * WORD];
    struct bytes text = {(const uint8_t *)name, strlen(name)};

    put_u64(key, seed);
    put_u64(key + WORD, index);
    put_u64(path, siphash13(key, text));
    for (unsigned i = 0; i < 4; i++) {
        put_u64(path + WORD, i);
        r->s[i] = siphash13(key, (struct bytes){path, sizeof(path)});
    }
    r->s[0] |= 1; /* all zero would stay so */
}

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

uint64_t sim_rand_next(struct sim_rand *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t sim_rand_below(struct sim_rand *r, uint64_t end)
{
    assert(end > 0);

    /* What lies past the last multiple of @end would favour small numbers. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % end;
    uint64_t x = sim_rand_next(r);
    while (x >= limit)
        x = sim_rand_next(r);
    return x % end;
}

bool sim_rand_chance(struct sim_rand *r, uint64_t ppm)
{
    return ppm > 0 && sim_rand_below(r, 1000000) < ppm;
}

void sim_rand_fill(struct sim_rand *r, uint8_t *dst, size_t len)
{
    while (len > 0) {
        uint8_t word[WORD];
        size_t n = len < WORD ? len : WORD;
        put_u64(word, sim_rand_next(r));
        memcpy(dst, word, n);
        dst += n;
        len -= n;
    }
}
