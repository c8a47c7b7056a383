#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

/*
 * buf - counted memory, filled once by who made it and then never changed.
 *
 * The count belongs to the loop thread: only it calls buf_ref() and
 * buf_unref().  A pool job may read a buf that the loop holds for it.
 */
struct buf {
    uint32_t refs;
    size_t len;    /* bytes in use, at most @max */
    size_t max;    /* room at @data */
    uint8_t *data; /* allocated with the struct */
};

/* What devices and file systems want addresses to be a multiple of, at most. */
enum { BUF_ALIGN_BYTES = 4096 };

/** buf_new - buf with room for @max bytes, len 0, one reference. */
MUST_USE struct buf *buf_new(size_t max);

/**
 * buf_new_aligned - as buf_new(), for bytes that a device may take from where
 * they lie.
 * @at: the byte that is to lie at a multiple of BUF_ALIGN_BYTES, at most @max.
 */
MUST_USE struct buf *buf_new_aligned(size_t max, size_t at);

/** buf_copy - buf that holds a copy of @in, one reference. */
MUST_USE struct buf *buf_copy(struct bytes in);

/** buf_ref - one more reference to @b; returns @b. */
struct buf *buf_ref(struct buf *b);

/** buf_unref - drop one reference; the last frees.  NULL does nothing. */
void buf_unref(struct buf *b);

/** buf_bytes - view of all of @b, valid while a reference is held. */
static inline struct bytes buf_bytes(const struct buf *b)
{
    return (struct bytes){.p = b->data, .len = b->len};
}

/**
 * struct slice - part of a buf together with a reference to it.
 *
 * The owner of the slice owns that reference and drops it with
 * slice_release().  @buf NULL means that the bytes live elsewhere, for ever.
 */
struct slice {
    struct buf *buf;
    struct bytes bytes;
};

/** slice_of - slice of @bytes, which lie in @b; takes a reference of its own.
 */
struct slice slice_of(struct buf *b, struct bytes bytes);

/** slice_ref - second slice of the same bytes, with its own reference. */
struct slice slice_ref(const struct slice *s);

/** slice_release - drop the reference; @s is empty afterwards. */
void slice_release(struct slice *s);

#endif /* BASE_BUF_H */
