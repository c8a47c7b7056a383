#ifndef NODE_KEYWINDOW_H
#define NODE_KEYWINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "kad/keyspace.h"
#include "kad/sweep.h"
#include "multiformats/multihash.h"

/*
 * keywindow - of many keys, which come in any order, the lowest ones from some
 * point of the keyspace on, in order.
 *
 * What is shown all keys of a store, once for each window, needs memory for
 * one window only.  It is filled and sorted in steps, so that the loop can do
 * other things in between.
 */

enum { KEYWINDOW_KEYS_MAX = 32768 }; /* usual size: 3.6 MiB */

/** struct keywindow - memory of the caller; all members are private. */
struct keywindow {
    struct sweep_key *keys; /* a heap, the highest first, until it is sorted */
    size_t count;
    size_t room;
    size_t max;
    struct kad_key from;
    struct kad_key to; /* READY: it has all keys up to here */
    size_t unsorted;   /* SORTING: keys that are still a heap */
    bool is_full;      /* keys were left out */
    enum {
        KEYWINDOW_EMPTY,
        KEYWINDOW_FILLING,
        KEYWINDOW_SORTING,
        KEYWINDOW_READY
    } state;
};

/** keywindow_init - empty; at most @max keys at a time, not 0. */
void keywindow_init(struct keywindow *w, size_t max);

/** keywindow_release - free what it holds; it is empty then. */
void keywindow_release(struct keywindow *w);

/** keywindow_begin - forget all; keywindow_add() of all keys follows. */
void keywindow_begin(struct keywindow *w, const struct kad_key *from);

/** keywindow_add - one more key; after keywindow_begin() (asserted). */
void keywindow_add(struct keywindow *w, const struct multihash *hash);

/**
 * keywindow_sort - all keys were added; put some of them into their order.
 * @steps: how many, at most.
 *
 * Return: true when it is done: they can be taken.
 */
bool keywindow_sort(struct keywindow *w, size_t steps);

/** keywindow_has - whether keywindow_take() knows what is at @key. */
bool keywindow_has(const struct keywindow *w, const struct kad_key *key);

/**
 * keywindow_take - copy keys, each once.
 * @from: for which keywindow_has() is true (asserted).
 * @dst: room for @max, not 0.
 * @ret_end: the last point up to which all keys were copied: @to, or before it
 * when there was no room, or where the window ends.
 *
 * Return: how many.
 */
size_t keywindow_take(const struct keywindow *w, const struct kad_key *from,
                      const struct kad_key *to, struct sweep_key *dst,
                      size_t max, struct kad_key *ret_end);

#endif /* NODE_KEYWINDOW_H */
