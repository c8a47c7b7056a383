#include "sim/liar.h"

#include <string.h>

#include "base/mem.h"
#include "libp2p/yamux_frame.h"
#include "sim/net.h"

enum {
    HALF_PPM = 500000,
    LARGE_BYTES = 1024, /* a frame with a block in it, mostly */
    FRONT_BYTES = 128,  /* a message begins within, behind the names of
                           protocols that were agreed on */
    VARINT_MAX = 3,
    VARINT_BITS = 7,
    VARINT_MORE = 0x80,
    BITS = 8,
    CBOR_MAP = 0xa0, /* with up to 23 keys */
    CBOR_MAP_MAX = 0xb7,
    CBOR_TEXT = 0x60,
    CBOR_TEXT_MAX = 0x77,
};

static const char bitswap[] = "/ipfs/bitswap/";

struct sim_liar_way {
    uint8_t head[YAMUX_HEAD_BYTES];
    size_t have;   /* bytes of @head; not passed on yet */
    uint32_t left; /* of the payload of the frame under way */
    bool dropping; /* that payload */
    uint32_t mutes[SIM_LIAR_STREAMS_MAX];
    size_t mutes_at;
};

/* Where in a payload a storage message lies. */
struct found {
    size_t at; /* behind its length */
    size_t len;
    struct bytes type;
};

void sim_liar_init(struct sim_liar *l, uint64_t seed, uint32_t index)
{
    *l = (struct sim_liar){.lies = 0};
    sim_rand_init(&l->rand, seed, "liar", index);
}

void sim_liar_release(struct sim_liar *l)
{
    for (size_t i = 0; i < SIM_LIAR_RECORDS_MAX; i++)
        mem_free(l->records[i].p);
    mem_free(l->room);
    *l = (struct sim_liar){.lies = 0};
}

struct sim_liar_way *sim_liar_way_new(void)
{
    return mem_zalloc(1, sizeof(struct sim_liar_way));
}

void sim_liar_way_free(struct sim_liar_way *w)
{
    mem_free(w);
}

/* Finding. */

static bool has(struct bytes in, const char *text)
{
    struct bytes want = bytes_str(text);
    size_t end = in.len < FRONT_BYTES ? in.len : FRONT_BYTES;

    for (size_t at = 0; at + want.len <= end; at++) {
        if (bytes_eq(bytes_sub(in, at, want.len), want))
            return true;
    }
    return false;
}

/* A message that begins at @at and ends where the payload does: its length, a
 * map, and the key "t" first, which is the shortest. */
static bool is_message(struct bytes in, size_t at, struct found *ret_found)
{
    size_t len = 0;
    unsigned n = 0;

    for (; n < VARINT_MAX && at + n < in.len; n++) {
        uint8_t c = in.p[at + n];
        len |= (size_t)(c & (VARINT_MORE - 1)) << (n * VARINT_BITS);
        if ((c & VARINT_MORE) == 0)
            break;
    }
    at += n + 1;
    if (n == VARINT_MAX || at > in.len || len != in.len - at || len < 4)
        return false;
    const uint8_t *p = in.p + at;
    if (p[0] <= CBOR_MAP || p[0] > CBOR_MAP_MAX || p[1] != CBOR_TEXT + 1 ||
        p[2] != 't' || p[3] <= CBOR_TEXT || p[3] > CBOR_TEXT_MAX)
        return false;
    size_t type_len = p[3] - CBOR_TEXT;
    if (type_len > len - 4)
        return false;
    *ret_found = (struct found){at, len, {p + 4, type_len}};
    return true;
}

static bool find(struct bytes in, struct found *ret_found)
{
    for (size_t at = 0; at < FRONT_BYTES && at < in.len; at++) {
        if (is_message(in, at, ret_found))
            return true;
    }
    return false;
}

/* Lying. */

static bool is_muted(const struct sim_liar_way *w, uint32_t stream)
{
    for (size_t i = 0; i < SIM_LIAR_STREAMS_MAX; i++) {
        if (w->mutes[i] == stream && stream != 0)
            return true;
    }
    return false;
}

static bool is_left_out(const struct sim_liar *l, struct sim_liar_way *w,
                        const struct yamux_head *head, struct bytes payload)
{
    struct found found;

    if ((l->lies & SIM_LIE_MUTE) == 0)
        return false;
    if (is_muted(w, head->stream))
        return true;
    if (has(payload, bitswap)) {
        w->mutes[w->mutes_at++ % SIM_LIAR_STREAMS_MAX] = head->stream;
        return true;
    }
    return find(payload, &found) && bytes_eq(found.type, BYTES_LIT("notice"));
}

static void forge(struct sim_liar *l, uint8_t *p, size_t len)
{
    uint64_t bit = sim_rand_below(&l->rand, (uint64_t)len * BITS);

    p[bit / BITS] ^= (uint8_t)(1U << (bit % BITS));
    l->told++;
}

/* The oldest of this length; the message itself is kept for later. */
static void replay(struct sim_liar *l, uint8_t *p, size_t len)
{
    uint8_t *mine = mem_dup(p, len);
    bool again = sim_rand_chance(&l->rand, HALF_PPM);

    for (size_t i = 0; again && i < SIM_LIAR_RECORDS_MAX; i++) {
        size_t at = (l->records_at + i) % SIM_LIAR_RECORDS_MAX;
        if (l->records[at].p == NULL || l->records[at].len != len)
            continue;
        memcpy(p, l->records[at].p, len);
        l->told++;
        break;
    }
    size_t at = l->records_at++ % SIM_LIAR_RECORDS_MAX;
    mem_free(l->records[at].p);
    l->records[at].p = mine;
    l->records[at].len = len;
}

static void spoil(struct sim_liar *l, uint8_t *p, size_t len)
{
    p[len / 2 + sim_rand_below(&l->rand, len / 2)] ^=
        (uint8_t)(1 + sim_rand_below(&l->rand, UINT8_MAX));
    l->told++;
}

static void alter(struct sim_liar *l, uint8_t *p, size_t len)
{
    struct found found;

    if (!find((struct bytes){p, len}, &found)) {
        if ((l->lies & SIM_LIE_SPOIL) != 0 && len >= LARGE_BYTES)
            spoil(l, p, len);
        return;
    }
    if ((l->lies & SIM_LIE_REPLAY) != 0)
        replay(l, p + found.at, found.len);
    if ((l->lies & SIM_LIE_FORGE) != 0 && sim_rand_chance(&l->rand, HALF_PPM))
        forge(l, p + found.at, found.len);
}

/* Frames. */

/* What is given back, under way. */
struct output {
    uint8_t *p;
    size_t len;
};

static void put(struct output *out, const uint8_t *p, size_t len)
{
    memcpy(out->p + out->len, p, len);
    out->len += len;
}

/* @head was completed, @rest is what came behind it. */
static void begin_frame(struct sim_liar *l, struct sim_liar_way *w,
                        struct bytes rest, struct output *out)
{
    struct yamux_head head;

    w->have = 0;
    w->left = 0;
    w->dropping = false;
    if (yamux_head_read(w->head, &head) != OK || head.type != YAMUX_TYPE_DATA) {
        put(out, w->head, sizeof(w->head));
        return;
    }
    w->left = head.length;
    struct bytes payload =
        bytes_sub(rest, 0, rest.len < w->left ? rest.len : w->left);
    if (w->left > 0 && is_left_out(l, w, &head, payload)) {
        w->dropping = true;
        l->told++;
        head.length = 0;
        yamux_head_write(&head, w->head);
    }
    put(out, w->head, sizeof(w->head));
}

static size_t pass_payload(struct sim_liar *l, struct sim_liar_way *w,
                           struct bytes in, bool whole, struct output *out)
{
    size_t len = in.len < w->left ? in.len : w->left;

    if (!w->dropping) {
        put(out, in.p, len);
        if (whole && len == w->left)
            alter(l, out->p + out->len - len, len);
    }
    w->left -= (uint32_t)len;
    return len;
}

uint8_t *sim_liar_pass(struct sim_liar *l, struct sim_liar_way *w,
                       struct bytes in, size_t *ret_len)
{
    bool whole = false; /* the frame under way began in @in */

    if (l->room == NULL)
        l->room = mem_alloc(SIM_SEGMENT_MAX + YAMUX_HEAD_BYTES);
    struct output out = {.p = l->room};
    while (in.len > 0) {
        size_t used;
        if (w->left > 0) {
            used = pass_payload(l, w, in, whole, &out);
        } else {
            used = sizeof(w->head) - w->have;
            used = used < in.len ? used : in.len;
            memcpy(w->head + w->have, in.p, used);
            w->have += used;
        }
        in = bytes_sub(in, used, in.len - used);
        if (w->have == sizeof(w->head)) {
            begin_frame(l, w, in, &out);
            whole = true;
        }
    }
    *ret_len = out.len;
    return out.p;
}
