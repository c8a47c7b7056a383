#ifndef OS_SLICE_QUEUE_H
#define OS_SLICE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/*
 * slice_queue - bytes on their way out, as slices in a ring.
 *
 * It owns the references of its slices.  All zero is an empty queue.
 */
struct slice_queue {
    struct slice *slices; /* private */
    size_t room;          /* private: a power of two, or 0 */
    size_t first;         /* private */
    size_t count;
    size_t bytes;
};

/** slice_queue_release - drop all; empty afterwards. */
void slice_queue_release(struct slice_queue *q);

/** slice_queue_add - append @s, whose reference passes. */
void slice_queue_add(struct slice_queue *q, struct slice s);

/** slice_queue_at - bytes of slice number @index, valid until dropped. */
struct bytes slice_queue_at(const struct slice_queue *q, size_t index);

/** slice_queue_drop - take @len bytes, at most all, off the front. */
void slice_queue_drop(struct slice_queue *q, size_t len);

/** slice_queue_take - move up to @max bytes to @dst.  Return: how many. */
size_t slice_queue_take(struct slice_queue *q, uint8_t *dst, size_t max);

#endif /* OS_SLICE_QUEUE_H */
