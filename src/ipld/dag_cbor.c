#include "ipld/dag_cbor.h"

#include <assert.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/wr.h"
#include "multiformats/peer_id.h"

/* The upper 3 bits of a head. */
enum {
    MAJOR_UINT = 0,
    MAJOR_NINT = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_LIST = 4,
    MAJOR_MAP = 5,
    MAJOR_TAG = 6,
    MAJOR_SIMPLE = 7,
};

/* The lower 5 bits: the argument itself below 24, or how long it is. */
enum {
    INFO_U8 = 24,
    INFO_U16 = 25,
    INFO_U32 = 26,
    INFO_U64 = 27,
};

enum {
    SIMPLE_FALSE = 20,
    SIMPLE_TRUE = 21,
    SIMPLE_NULL = 22,
    SIMPLE_FLOAT16 = INFO_U16,
    SIMPLE_FLOAT32 = INFO_U32,
    SIMPLE_FLOAT64 = INFO_U64,
    TAG_LINK = 42,
    DOUBLE_MANTISSA_BITS = 52,
    DOUBLE_EXPONENT_BIAS = 1023,
    DOUBLE_EXPONENT_MAX = 2047,
};

/* Argument of a head with @info, refused unless it has its shortest form. */
static uint64_t read_argument(struct rd *r, unsigned info)
{
    uint64_t value = info;
    uint64_t min = 0;

    if (info == INFO_U8) {
        value = rd_u8(r);
        min = INFO_U8;
    } else if (info == INFO_U16) {
        value = rd_be16(r);
        min = UINT64_C(1) << 8;
    } else if (info == INFO_U32) {
        value = rd_be32(r);
        min = UINT64_C(1) << 16;
    } else if (info == INFO_U64) {
        value = rd_be64(r);
        min = UINT64_C(1) << 32;
    } else if (info > INFO_U64) {
        rd_fail(r, E_MALFORMED);
        return 0;
    }
    if (value < min)
        rd_fail(r, E_MALFORMED);
    return value;
}

/*
 * Bits of a binary64 with the value of a narrower number that has
 * @mantissa_bits and @exponent_bits; its infinities and NaNs stay such.
 */
static uint64_t widen(uint64_t bits, unsigned exponent_bits,
                      unsigned mantissa_bits)
{
    uint64_t exponent_max = (UINT64_C(1) << exponent_bits) - 1;
    uint64_t sign = bits >> (exponent_bits + mantissa_bits);
    uint64_t exponent = bits >> mantissa_bits & exponent_max;
    uint64_t mantissa = bits & ((UINT64_C(1) << mantissa_bits) - 1);
    uint64_t rebias = DOUBLE_EXPONENT_BIAS - exponent_max / 2;

    if (exponent == exponent_max) {
        exponent = DOUBLE_EXPONENT_MAX;
    } else if (exponent > 0) {
        exponent += rebias;
    } else if (mantissa > 0) {
        /* A subnormal number, which the wider format holds normalized. */
        exponent = rebias + 1;
        while (mantissa >> mantissa_bits == 0) {
            mantissa <<= 1;
            exponent--;
        }
        mantissa &= (UINT64_C(1) << mantissa_bits) - 1;
    }
    return sign << 63 | exponent << DOUBLE_MANTISSA_BITS |
           mantissa << (DOUBLE_MANTISSA_BITS - mantissa_bits);
}

static void read_float(struct rd *r, unsigned info, enum cbor_mode mode,
                       struct cbor_token *t)
{
    t->kind = CBOR_FLOAT;
    if (info == SIMPLE_FLOAT64)
        t->value = rd_be64(r);
    else if (info == SIMPLE_FLOAT32 && mode == CBOR_LENIENT)
        t->value = widen(rd_be32(r), 8, 23);
    else if (info == SIMPLE_FLOAT16 && mode == CBOR_LENIENT)
        t->value = widen(rd_be16(r), 5, 10);
    else
        rd_fail(r, E_MALFORMED);
    uint64_t exponent = t->value >> DOUBLE_MANTISSA_BITS & DOUBLE_EXPONENT_MAX;
    if (exponent == DOUBLE_EXPONENT_MAX)
        rd_fail(r, E_MALFORMED); /* infinity, or not a number */
}

static void read_simple(struct rd *r, unsigned info, enum cbor_mode mode,
                        struct cbor_token *t)
{
    if (info == SIMPLE_FALSE)
        t->kind = CBOR_FALSE;
    else if (info == SIMPLE_TRUE)
        t->kind = CBOR_TRUE;
    else if (info == SIMPLE_NULL)
        t->kind = CBOR_NULL;
    else
        read_float(r, info, mode, t);
}

/* The bytes that follow a link's tag: 00, then the CID. */
static void read_link(struct rd *r, struct cbor_token *t)
{
    uint8_t head = rd_u8(r);
    struct bytes in = rd_view(r, read_argument(r, head & 31));

    t->kind = CBOR_LINK;
    if (r->err != OK)
        return;
    if (head >> 5 != MAJOR_BYTES || in.len == 0 || in.p[0] != 0) {
        rd_fail(r, E_MALFORMED);
        return;
    }
    enum err err = cid_decode(bytes_sub(in, 1, in.len - 1), &t->cid);
    if (err != OK)
        rd_fail(r, err == E_SHORT ? E_MALFORMED : err);
}

static void check_text(struct rd *r, struct bytes text)
{
    while (text.len > 0) {
        size_t len = utf8_len(text);
        if (len == 0) {
            rd_fail(r, E_MALFORMED);
            return;
        }
        text = bytes_sub(text, len, text.len - len);
    }
}

/* Each value has a byte or more, so a larger count cannot be true. */
static void read_count(struct rd *r, size_t bytes_each, struct cbor_token *t)
{
    if (t->value > rd_left(r) / bytes_each)
        rd_fail(r, E_SHORT);
}

static void read_value(struct rd *r, unsigned major, enum cbor_mode mode,
                       struct cbor_token *t)
{
    switch (major) {
    case MAJOR_UINT:
        t->kind = CBOR_UINT;
        break;
    case MAJOR_NINT:
        t->kind = CBOR_NINT;
        break;
    case MAJOR_BYTES:
        t->kind = CBOR_BYTES;
        t->bytes = rd_view(r, t->value);
        break;
    case MAJOR_TEXT:
        t->kind = CBOR_TEXT;
        t->bytes = rd_view(r, t->value);
        if (mode == CBOR_STRICT)
            check_text(r, t->bytes);
        break;
    case MAJOR_LIST:
        t->kind = CBOR_LIST;
        read_count(r, 1, t);
        break;
    case MAJOR_MAP:
        t->kind = CBOR_MAP;
        read_count(r, 2, t);
        break;
    default: /* MAJOR_TAG, as the caller has dealt with MAJOR_SIMPLE */
        if (t->value == TAG_LINK)
            read_link(r, t);
        else
            rd_fail(r, E_MALFORMED);
        break;
    }
}

void cbor_read_token(struct rd *r, enum cbor_mode mode,
                     struct cbor_token *ret_token)
{
    struct cbor_token t = {.kind = CBOR_NULL, .bytes = BYTES_EMPTY};
    uint8_t head = rd_u8(r);

    if (head >> 5 == MAJOR_SIMPLE) {
        read_simple(r, head & 31, mode, &t);
    } else {
        t.value = read_argument(r, head & 31);
        if (r->err == OK)
            read_value(r, head >> 5, mode, &t);
    }
    *ret_token = t;
}

void cbor_rd_init(struct cbor_rd *r, struct bytes in, enum cbor_mode mode)
{
    r->rd = rd_init(in);
    r->start = r->rd.pos;
    r->mode = mode;
    r->depth = 0;
    r->begun = false;
    if (in.len > CBOR_INPUT_BYTES_MAX)
        rd_fail(&r->rd, E_LIMIT);
}

static struct cbor_level *innermost(struct cbor_rd *r)
{
    return r->depth > 0 ? &r->levels[r->depth - 1] : NULL;
}

static bool expects_key(const struct cbor_level *level)
{
    return level->is_map && level->left % 2 == 0;
}

/* Shorter keys first, then byte by byte. */
static int key_cmp(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return bytes_cmp(a, b);
}

/* Compares the key that begins at @at with the one before it in its map. */
static void check_key(struct cbor_rd *r, struct cbor_level *level,
                      const uint8_t *at, struct cbor_token *t)
{
    if (r->rd.err != OK)
        return;
    if (t->kind != CBOR_TEXT) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    t->is_key = true;
    if (level->last_key > 0) {
        struct cbor_token last;
        const uint8_t *last_at = r->start + (level->last_key - 1);
        struct rd again =
            rd_init((struct bytes){last_at, (size_t)(at - last_at)});
        cbor_read_token(&again, CBOR_LENIENT, &last);
        int order = key_cmp(last.bytes, t->bytes);
        if (order == 0 || (order > 0 && r->mode == CBOR_STRICT))
            rd_fail(&r->rd, E_MALFORMED);
    }
    level->last_key = (uint32_t)(at - r->start) + 1;
}

static void push(struct cbor_rd *r, const struct cbor_token *t,
                 bool is_explicit)
{
    if (r->depth == CBOR_DEPTH_MAX) {
        rd_fail(&r->rd, E_LIMIT);
        return;
    }
    bool is_map = t->kind == CBOR_MAP;
    r->levels[r->depth++] = (struct cbor_level){
        .left = (uint32_t)(is_map ? 2 * t->value : t->value),
        .is_map = is_map,
        .is_explicit = is_explicit,
    };
}

/* Closes the lists and maps that are complete and need no cbor_end(). */
static void pop_complete(struct cbor_rd *r)
{
    struct cbor_level *level = innermost(r);

    while (level != NULL && level->left == 0 && !level->is_explicit) {
        r->depth--;
        level = innermost(r);
    }
}

/* One token; a list or map that begins is left for the caller to push. */
static bool next_token(struct cbor_rd *r, struct cbor_token *ret_token)
{
    struct cbor_level *level = innermost(r);
    const uint8_t *at = r->rd.pos;

    if (r->rd.err != OK || (level == NULL && r->begun))
        return false;
    if (level != NULL && level->left == 0) {
        /* The record wants more values than there are. */
        rd_fail(&r->rd, E_MALFORMED);
        return false;
    }
    r->begun = true;
    cbor_read_token(&r->rd, r->mode, ret_token);
    if (level != NULL) {
        if (expects_key(level))
            check_key(r, level, at, ret_token);
        level->left--;
    }
    return r->rd.err == OK;
}

bool cbor_next(struct cbor_rd *r, struct cbor_token *ret_token)
{
    struct cbor_token t;

    if (!next_token(r, &t))
        return false;
    if ((t.kind == CBOR_LIST || t.kind == CBOR_MAP) && t.value > 0)
        push(r, &t, false);
    pop_complete(r);
    if (r->rd.err != OK)
        return false;
    *ret_token = t;
    return true;
}

enum err cbor_finish(const struct cbor_rd *r)
{
    if (r->rd.err != OK)
        return r->rd.err;
    if (!r->begun || r->depth > 0)
        return E_MALFORMED;
    return rd_finish(&r->rd);
}

/* Next value, which must be of @kind; a list or map is opened for cbor_end().
 */
static struct cbor_token get(struct cbor_rd *r, enum cbor_kind kind)
{
    struct cbor_token t;

    if (!next_token(r, &t) || t.kind != kind || t.is_key) {
        rd_fail(&r->rd, E_MALFORMED);
        return (struct cbor_token){.kind = kind, .bytes = BYTES_EMPTY};
    }
    if (kind == CBOR_LIST || kind == CBOR_MAP)
        push(r, &t, true);
    pop_complete(r);
    return t;
}

uint64_t cbor_get_uint(struct cbor_rd *r, uint64_t max)
{
    struct cbor_token t = get(r, CBOR_UINT);

    if (t.value <= max)
        return t.value;
    rd_fail(&r->rd, E_LIMIT);
    return 0;
}

int64_t cbor_get_int(struct cbor_rd *r)
{
    struct cbor_token t;

    if (!next_token(r, &t) || (t.kind != CBOR_UINT && t.kind != CBOR_NINT)) {
        rd_fail(&r->rd, E_MALFORMED);
        return 0;
    }
    pop_complete(r);
    if (t.value > INT64_MAX) {
        rd_fail(&r->rd, E_LIMIT);
        return 0;
    }
    return t.kind == CBOR_UINT ? (int64_t)t.value : -1 - (int64_t)t.value;
}

bool cbor_get_bool(struct cbor_rd *r)
{
    struct cbor_token t;

    if (!next_token(r, &t) || (t.kind != CBOR_TRUE && t.kind != CBOR_FALSE)) {
        rd_fail(&r->rd, E_MALFORMED);
        return false;
    }
    pop_complete(r);
    return t.kind == CBOR_TRUE;
}

static struct bytes get_view(struct cbor_rd *r, enum cbor_kind kind, size_t max)
{
    struct cbor_token t = get(r, kind);

    if (t.bytes.len <= max)
        return t.bytes;
    rd_fail(&r->rd, E_LIMIT);
    return BYTES_EMPTY;
}

struct bytes cbor_get_bytes(struct cbor_rd *r, size_t max)
{
    return get_view(r, CBOR_BYTES, max);
}

void cbor_get_peer(struct cbor_rd *r, struct peer_id *ret_peer)
{
    struct bytes in = cbor_get_bytes(r, PEER_ID_BYTES_MAX);

    if (r->rd.err != OK)
        return;
    /* The value ends early, not the document. */
    enum err err = peer_id_decode(in, ret_peer);
    if (err != OK)
        rd_fail(&r->rd, err == E_SHORT ? E_MALFORMED : err);
}

void cbor_get_link(struct cbor_rd *r, struct cid *ret_cid)
{
    *ret_cid = get(r, CBOR_LINK).cid;
}

static size_t get_count(struct cbor_rd *r, enum cbor_kind kind, size_t max)
{
    struct cbor_token t = get(r, kind);

    if (t.value <= max)
        return (size_t)t.value;
    rd_fail(&r->rd, E_LIMIT);
    return 0;
}

size_t cbor_get_list(struct cbor_rd *r, size_t max)
{
    return get_count(r, CBOR_LIST, max);
}

size_t cbor_get_map(struct cbor_rd *r, size_t max)
{
    return get_count(r, CBOR_MAP, max);
}

void cbor_end(struct cbor_rd *r)
{
    struct cbor_level *level = innermost(r);

    if (r->rd.err != OK)
        return;
    assert(level != NULL);
    assert(level->is_explicit);
    if (level->left > 0) {
        rd_fail(&r->rd, E_MALFORMED);
        return;
    }
    r->depth--;
    pop_complete(r);
}

void cbor_get_key(struct cbor_rd *r, const char *name)
{
    struct cbor_token t;

    if (!next_token(r, &t) || !t.is_key || !bytes_eq(t.bytes, bytes_str(name)))
        rd_fail(&r->rd, E_MALFORMED);
}

bool cbor_try_key(struct cbor_rd *r, const char *name)
{
    struct cbor_level *level = innermost(r);
    struct cbor_token t;

    if (r->rd.err != OK || level == NULL || level->left == 0 ||
        !expects_key(level))
        return false;
    struct rd rd_before = r->rd;
    struct cbor_level level_before = *level;
    if (!next_token(r, &t))
        return false;
    if (bytes_eq(t.bytes, bytes_str(name)))
        return true;
    r->rd = rd_before;
    *level = level_before;
    return false;
}

bool cbor_try_null(struct cbor_rd *r)
{
    const uint8_t null_head = MAJOR_SIMPLE << 5 | SIMPLE_NULL;

    if (rd_left(&r->rd) == 0 || *r->rd.pos != null_head)
        return false;
    get(r, CBOR_NULL);
    return r->rd.err == OK;
}

struct bytes cbor_skip(struct cbor_rd *r)
{
    const uint8_t *at = r->rd.pos;
    uint32_t depth = r->depth;
    struct cbor_token t;

    do {
        if (!cbor_next(r, &t)) {
            rd_fail(&r->rd, E_MALFORMED);
            return BYTES_EMPTY;
        }
    } while (r->depth > depth);
    return (struct bytes){at, (size_t)(r->rd.pos - at)};
}

static void put_head(struct wr *w, unsigned major, uint64_t value)
{
    uint8_t top = (uint8_t)(major << 5);

    if (value < INFO_U8) {
        wr_u8(w, top | (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        wr_u8(w, top | INFO_U8);
        wr_u8(w, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        wr_u8(w, top | INFO_U16);
        wr_be16(w, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        wr_u8(w, top | INFO_U32);
        wr_be32(w, (uint32_t)value);
    } else {
        wr_u8(w, top | INFO_U64);
        wr_be64(w, value);
    }
}

void cbor_put_uint(struct wr *w, uint64_t value)
{
    put_head(w, MAJOR_UINT, value);
}

void cbor_put_int(struct wr *w, int64_t value)
{
    if (value >= 0)
        put_head(w, MAJOR_UINT, (uint64_t)value);
    else
        put_head(w, MAJOR_NINT, (uint64_t)(-1 - value));
}

void cbor_put_bool(struct wr *w, bool value)
{
    put_head(w, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(struct wr *w)
{
    put_head(w, MAJOR_SIMPLE, SIMPLE_NULL);
}

void cbor_put_bytes(struct wr *w, struct bytes in)
{
    put_head(w, MAJOR_BYTES, in.len);
    wr_bytes(w, in);
}

void cbor_put_text(struct wr *w, struct bytes in)
{
    put_head(w, MAJOR_TEXT, in.len);
    wr_bytes(w, in);
}

void cbor_put_key(struct wr *w, const char *name)
{
    cbor_put_text(w, bytes_str(name));
}

void cbor_put_link(struct wr *w, const struct cid *cid)
{
    put_head(w, MAJOR_TAG, TAG_LINK);
    put_head(w, MAJOR_BYTES, 1 + cid_len(cid));
    wr_u8(w, 0);
    cid_write(w, cid);
}

void cbor_put_list(struct wr *w, size_t count)
{
    put_head(w, MAJOR_LIST, count);
}

void cbor_put_map(struct wr *w, size_t count)
{
    put_head(w, MAJOR_MAP, count);
}
