#include "os/slice_queue.h"

#include <assert.h>

#include "base/mem.h"

enum {
    ROOM_FIRST = 8,
    ROOM_KEPT = 64, /* a queue that was long once does not stay large */
};

static struct slice *slice_at(const struct slice_queue *q, size_t index)
{
    return &q->slices[(q->first + index) & (q->room - 1)];
}

static void grow(struct slice_queue *q)
{
    size_t room = q->room == 0 ? ROOM_FIRST : 2 * q->room;
    struct slice *slices = mem_alloc(room * sizeof(*slices));

    for (size_t i = 0; i < q->count; i++)
        slices[i] = *slice_at(q, i);
    mem_free(q->slices);
    q->slices = slices;
    q->room = room;
    q->first = 0;
}

void slice_queue_release(struct slice_queue *q)
{
    for (size_t i = 0; i < q->count; i++)
        slice_release(slice_at(q, i));
    mem_free(q->slices);
    *q = (struct slice_queue){.slices = NULL};
}

void slice_queue_add(struct slice_queue *q, struct slice s)
{
    if (s.bytes.len == 0) {
        slice_release(&s);
        return;
    }
    if (q->count == q->room)
        grow(q);
    q->count++;
    *slice_at(q, q->count - 1) = s;
    q->bytes += s.bytes.len;
}

struct bytes slice_queue_at(const struct slice_queue *q, size_t index)
{
    assert(index < q->count);
    return slice_at(q, index)->bytes;
}

void slice_queue_drop(struct slice_queue *q, size_t len)
{
    assert(len <= q->bytes);
    q->bytes -= len;
    while (len > 0) {
        struct slice *s = slice_at(q, 0);
        if (len < s->bytes.len) {
            s->bytes = bytes_sub(s->bytes, len, s->bytes.len - len);
            return;
        }
        len -= s->bytes.len;
        slice_release(s);
        q->first = (q->first + 1) & (q->room - 1);
        q->count--;
    }
    if (q->count == 0 && q->room > ROOM_KEPT)
        slice_queue_release(q);
}

size_t slice_queue_take(struct slice_queue *q, uint8_t *dst, size_t max)
{
    size_t len = 0;

    while (q->count > 0 && len < max) {
        struct bytes b = slice_at(q, 0)->bytes;
        size_t part = b.len < max - len ? b.len : max - len;
        memcpy(dst + len, b.p, part);
        len += part;
        slice_queue_drop(q, part);
    }
    return len;
}
