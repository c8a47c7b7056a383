#include "node/keywindow.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { ROOM_START = 256 };

void keywindow_init(struct keywindow *w, size_t max)
{
    assert(max > 0);
    *w = (struct keywindow){.max = max};
}

void keywindow_release(struct keywindow *w)
{
    mem_free(w->keys);
    keywindow_init(w, w->max);
}

void keywindow_begin(struct keywindow *w, const struct kad_key *from)
{
    w->count = 0;
    w->is_full = false;
    w->from = *from;
    w->state = KEYWINDOW_FILLING;
}

static bool is_above(const struct keywindow *w, size_t a, size_t b)
{
    return kad_key_cmp(&w->keys[a].key, &w->keys[b].key) > 0;
}

static void swap(struct keywindow *w, size_t a, size_t b)
{
    struct sweep_key key = w->keys[a];

    w->keys[a] = w->keys[b];
    w->keys[b] = key;
}

/* The key at the top of the first @count goes down to its place. */
static void sift_down(struct keywindow *w, size_t count)
{
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && is_above(w, child + 1, child))
            child++;
        if (!is_above(w, child, at))
            return;
        swap(w, at, child);
        at = child;
    }
}

static void sift_up(struct keywindow *w, size_t at)
{
    while (at > 0 && is_above(w, at, (at - 1) / 2)) {
        swap(w, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

void keywindow_add(struct keywindow *w, const struct multihash *hash)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    size_t len = multihash_encode(hash, bytes);
    struct sweep_key key = {
        .key = kad_key_of((struct bytes){bytes, len}),
        .hash = *hash,
    };

    assert(w->state == KEYWINDOW_FILLING);
    if (kad_key_cmp(&key.key, &w->from) < 0)
        return;
    if (w->count == w->max) {
        w->is_full = true;
        if (kad_key_cmp(&key.key, &w->keys[0].key) >= 0)
            return;
        w->keys[0] = key;
        sift_down(w, w->count);
        return;
    }
    if (w->count == w->room) {
        w->room = w->room > 0 ? 2 * w->room : ROOM_START;
        if (w->room > w->max)
            w->room = w->max;
        w->keys = mem_resize(w->keys, w->room, sizeof(w->keys[0]));
    }
    w->keys[w->count] = key;
    sift_up(w, w->count);
    w->count++;
}

bool keywindow_sort(struct keywindow *w, size_t steps)
{
    if (w->state == KEYWINDOW_FILLING) {
        w->unsorted = w->count;
        w->state = KEYWINDOW_SORTING;
    }
    assert(w->state != KEYWINDOW_EMPTY);
    for (; w->unsorted > 1 && steps > 0; steps--) {
        w->unsorted--;
        swap(w, 0, w->unsorted);
        sift_down(w, w->unsorted);
    }
    if (w->unsorted > 1)
        return false;
    memset(w->to.b, UINT8_MAX, sizeof(w->to.b));
    if (w->is_full)
        w->to = w->keys[w->count - 1].key;
    w->state = KEYWINDOW_READY;
    return true;
}

bool keywindow_has(const struct keywindow *w, const struct kad_key *key)
{
    return w->state == KEYWINDOW_READY && kad_key_cmp(key, &w->from) >= 0 &&
           kad_key_cmp(key, &w->to) <= 0;
}

/* The first key at or above @key. */
static size_t find(const struct keywindow *w, const struct kad_key *key)
{
    size_t low = 0;
    size_t high = w->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kad_key_cmp(&w->keys[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t keywindow_take(const struct keywindow *w, const struct kad_key *from,
                      const struct kad_key *to, struct sweep_key *dst,
                      size_t max, struct kad_key *ret_end)
{
    const struct kad_key *end = kad_key_cmp(to, &w->to) < 0 ? to : &w->to;
    size_t count = 0;

    assert(keywindow_has(w, from));
    assert(max > 0);
    for (size_t i = find(w, from); i < w->count; i++) {
        const struct sweep_key *key = &w->keys[i];
        if (kad_key_cmp(&key->key, end) > 0)
            break;
        if (count > 0 && kad_key_eq(&key->key, &dst[count - 1].key))
            continue; /* the root of several pins */
        if (count == max) {
            *ret_end = dst[count - 1].key;
            return count;
        }
        dst[count++] = *key;
    }
    *ret_end = *end;
    return count;
}
