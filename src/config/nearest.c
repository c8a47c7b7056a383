#include "config/nearest.h"

#include <stdint.h>

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Number of letters to insert, delete, change or swap with their neighbour to
 * make @b of @a.  The three rows are the last ones of the usual table.
 */
static size_t distance(struct bytes a, struct bytes b)
{
    size_t rows[3][NEAREST_WORD_MAX + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= b.len; j++) {
        before[j] = 0;
        last[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
            row[j] = min(min(last[j], row[j - 1]) + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
                a.p[i - 2] == b.p[j - 1])
                row[j] = min(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b.len];
}

static size_t same_start(struct bytes a, struct bytes b)
{
    size_t len = 0;

    while (len < a.len && len < b.len && a.p[len] == b.p[len])
        len++;
    return len;
}

void nearest_init(struct nearest *n, struct bytes word)
{
    *n = (struct nearest){.word = word, .distance = SIZE_MAX};
}

void nearest_try(struct nearest *n, const char *known)
{
    struct bytes other = bytes_str(known);

    if (n->word.len == 0 || n->word.len > NEAREST_WORD_MAX ||
        other.len > NEAREST_WORD_MAX)
        return;
    size_t d = distance(n->word, other);
    size_t start = same_start(n->word, other);
    /* The first letters are seldom the wrong ones. */
    if (d < n->distance || (d == n->distance && start > n->start)) {
        n->distance = d;
        n->start = start;
        n->best = known;
    }
}

const char *nearest_best(const struct nearest *n)
{
    /* One slip in three letters is a slip; more is another word. */
    size_t most = n->word.len / 3 + 1;
    return n->best != NULL && n->distance <= most ? n->best : NULL;
}
