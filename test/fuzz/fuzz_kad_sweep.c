/*
 * Goal: whatever lookups find, whichever keys there are and however late it is,
 * a sweep stays in its limits.
 * Method: the input decides about the peers of lookups, their failures, the
 * keys, and when which answer comes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "kad/sweep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { KEYS = 32, TURNS_MAX = 600, PAGE = 5 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct play {
    struct rd r;
    struct sweep_key keys[KEYS];
    size_t keys_count;
    uint64_t under_way[SWEEP_SENDS_MAX];
    size_t under_way_count;
    struct mtime now;
};

/* The next byte of the input; zeros behind its end. */
static uint8_t next_byte(struct play *p)
{
    return rd_left(&p->r) == 0 ? 0 : rd_u8(&p->r);
}

static void make_keys(struct play *p)
{
    p->keys_count = next_byte(p) % (KEYS + 1);
    for (size_t i = 0; i < p->keys_count; i++) {
        struct multihash h = {.code = 0x12, .len = 32};
        uint8_t bytes[MULTIHASH_BYTES_MAX];
        h.digest[0] = (uint8_t)i;
        size_t len = multihash_encode(&h, bytes);
        struct kad_key key = kad_key_of((struct bytes){bytes, len});
        size_t at = i;
        for (; at > 0 && kad_key_cmp(&p->keys[at - 1].key, &key) > 0; at--)
            p->keys[at] = p->keys[at - 1];
        p->keys[at] = (struct sweep_key){key, h};
    }
}

static void answer_keys(struct play *p, struct sweep *s,
                        const struct sweep_out *out)
{
    struct sweep_key page[PAGE];
    size_t count = 0;
    bool more = false;

    for (size_t i = 0; i < p->keys_count; i++) {
        if (kad_key_cmp(&p->keys[i].key, &out->from) < 0 ||
            kad_key_cmp(&p->keys[i].key, &out->to) > 0)
            continue;
        if (count == PAGE)
            more = true;
        else
            page[count++] = p->keys[i];
    }
    sweep_on_keys(s, out->id, page, count, more, p->now);
}

static void answer_lookup(struct play *p, struct sweep *s,
                          const struct sweep_out *out)
{
    struct peer_id peers[SWEEP_K + 4];
    size_t count = next_byte(p) % (SWEEP_K + 5);
    uint8_t base = next_byte(p);

    must(out->target_len > 0 && out->target_len <= SWEEP_TARGET_MAX);
    for (size_t i = 0; i < count; i++) {
        uint8_t in[34] = {0x12, 0x20, base, next_byte(p), (uint8_t)i};
        must(peer_id_decode((struct bytes){in, sizeof(in)}, &peers[i]) == OK);
    }
    sweep_on_lookup(s, out->id, peers, count, 1, p->now);
}

static void answer(struct play *p, struct sweep *s, const struct sweep_out *out)
{
    uint8_t bytes[SWEEP_CURSOR_BYTES];
    struct sweep_cursor cursor;

    switch (out->kind) {
    case SWEEP_WANT_KEYS:
        must(kad_key_cmp(&out->from, &out->to) <= 0);
        answer_keys(p, s, out);
        break;
    case SWEEP_LOOKUP:
        answer_lookup(p, s, out);
        break;
    case SWEEP_SEND:
        must(p->under_way_count < SWEEP_SENDS_MAX);
        must(out->hashes_count > 0 && out->hashes_count <= PAGE);
        p->under_way[p->under_way_count++] = out->id;
        break;
    case SWEEP_SAVE:
        sweep_cursor_encode(&out->cursor, bytes);
        must(sweep_cursor_decode((struct bytes){bytes, sizeof(bytes)},
                                 &cursor) == OK);
        break;
    }
}

static void act(struct play *p, struct sweep *s)
{
    uint8_t what = next_byte(p);

    if (what % 8 == 7) {
        sweep_hurry(s, p->now);
    } else if (what % 8 == 6) {
        sweep_set_online(s, what >= 64, p->now);
    } else if (p->under_way_count > 0) {
        size_t i = what % p->under_way_count;
        uint64_t id = p->under_way[i];
        p->under_way[i] = p->under_way[--p->under_way_count];
        sweep_on_sent(s, id, (what & 0x80) != 0, p->now);
    } else {
        p->now.ns += (uint64_t)what * 30 * 1000000000;
        sweep_on_time(s, p->now);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play p = {.r = rd_init((struct bytes){data, len})};
    make_keys(&p);
    struct sweep_config config = {.keys_max = PAGE, .unix_ms = 1};
    struct sweep *s = sweep_new(&config, p.now);
    struct sweep_out out;

    for (unsigned turn = 0; turn < TURNS_MAX && rd_left(&p.r) > 0; turn++) {
        act(&p, s);
        if (sweep_next(s, &out))
            answer(&p, s, &out);
        struct sweep_stats stats = sweep_get_stats(s, p.now);
        must(stats.records <= stats.keys * SWEEP_K);
        must(stats.sends_failed <= stats.sends);
        must(stats.late_ms <= SWEEP_INTERVAL_MS);
    }
    sweep_free(s);
    return 0;
}
