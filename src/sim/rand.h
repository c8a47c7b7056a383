#ifndef SIM_RAND_H
#define SIM_RAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * sim_rand - chance that a seed decides.
 *
 * Streams form a tree: a stream is named by the seed and a path, so that one
 * more draw in one stream changes no other.  Not for secrets.
 */
struct sim_rand {
    uint64_t s[4]; /* private: xoshiro256** */
};

/**
 * sim_rand_init - the stream @name, @index of @seed.
 * @name: as "disk"; @index: tells streams of one name apart.
 */
void sim_rand_init(struct sim_rand *r, uint64_t seed, const char *name,
                   uint64_t index);

/** sim_rand_next - 64 bits. */
uint64_t sim_rand_next(struct sim_rand *r);

/** sim_rand_below - a number below @end, which is not 0 (asserted). */
uint64_t sim_rand_below(struct sim_rand *r, uint64_t end);

/** sim_rand_chance - true in @ppm of a million cases. */
bool sim_rand_chance(struct sim_rand *r, uint64_t ppm);

/** sim_rand_fill - @len bytes to @dst. */
void sim_rand_fill(struct sim_rand *r, uint8_t *dst, size_t len);

#endif /* SIM_RAND_H */
