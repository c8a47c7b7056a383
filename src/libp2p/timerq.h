#ifndef LIBP2P_TIMERQ_H
#define LIBP2P_TIMERQ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mtime.h"

/**
 * struct timer - one deadline, embedded in what waits for it.
 *
 * Zeroed is not set.  Must be unset before its memory goes.
 */
struct timer {
    struct mtime at; /* read-only for others */
    size_t place;    /* private: index + 1 in the heap, 0 when not set */
    int kind;        /* of the owner, to find the struct around it */
};

/** struct timerq_place - a timer, and a copy of its deadline: comparing does
 * not touch the timers. */
struct timerq_place {
    struct mtime at;
    struct timer *timer;
};

/** struct timerq - timers by deadline: a binary heap.  Zeroed is empty. */
struct timerq {
    struct timerq_place *heap; /* owned; the timers are not */
    size_t count;
    size_t room;
};

/** timerq_release - free the heap; timers in it are unset. */
void timerq_release(struct timerq *q);

/** timerq_set - @t is due at @at; replaces an earlier deadline of @t. */
void timerq_set(struct timerq *q, struct timer *t, struct mtime at);

/** timerq_unset - @t is not due; harmless when it was not set. */
void timerq_unset(struct timerq *q, struct timer *t);

/** timer_is_set - true between timerq_set() and its end. */
bool timer_is_set(const struct timer *t);

/** timerq_deadline - of the first timer, or MTIME_NEVER. */
struct mtime timerq_deadline(const struct timerq *q);

/** timerq_pop - unset and return a timer that is due at @now, or NULL. */
struct timer *timerq_pop(struct timerq *q, struct mtime now);

#endif /* LIBP2P_TIMERQ_H */
