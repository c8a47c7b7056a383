#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

#include "base/bytes.h"

enum { NEAREST_WORD_MAX = 64 }; /* longer words are like nothing */

/**
 * struct nearest - search for the known word that was probably meant.
 *
 * Give each known word to nearest_try() and ask nearest_best().
 */
struct nearest {
    struct bytes word; /* private: borrowed */
    const char *best;  /* private */
    size_t distance;   /* private: of @best */
    size_t start;      /* private: letters that @best begins with too */
};

/** nearest_init - search for what was meant by @word, which is borrowed. */
void nearest_init(struct nearest *n, struct bytes word);

/** nearest_try - look at @known, which lives as long as the answer. */
void nearest_try(struct nearest *n, const char *known);

/** nearest_best - the known word that is like it, the first of equals, or NULL
 * when none is. */
const char *nearest_best(const struct nearest *n);

#endif /* CONFIG_NEAREST_H */
