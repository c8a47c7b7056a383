#include "multiformats/multibase.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/wr.h"

#define DIGITS_16        "0123456789abcdef"
#define DIGITS_16_UPPER  "0123456789ABCDEF"
#define DIGITS_32        "abcdefghijklmnopqrstuvwxyz234567"
#define DIGITS_32_UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#define DIGITS_32H       "0123456789abcdefghijklmnopqrstuv"
#define DIGITS_32H_UPPER "0123456789ABCDEFGHIJKLMNOPQRSTUV"
#define DIGITS_32Z       "ybndrfg8ejkmcpqxot1uwisza345h769"
#define DIGITS_36        "0123456789abcdefghijklmnopqrstuvwxyz"
#define DIGITS_36_UPPER  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS_58        "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
#define DIGITS_64                                                              \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#define DIGITS_64_URL                                                          \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

enum {
    NOT_A_DIGIT = 0xff,
    PAD = '=',
    /* 1600 digits of base 58 are 9373 bits. */
    LIMBS_MAX = 294,
    LIMB_BYTES = 4,
};

/*
 * How a base works.  Bases of a power of two take bits from the left; the
 * others take the bytes for one big number.
 */
struct base {
    enum multibase prefix;
    uint8_t bits;    /* a digit holds; 0 for the big-number bases */
    uint8_t group;   /* digits to which padding fills up; 0 without it */
    uint8_t radix;   /* of the big-number bases */
    bool both_cases; /* read in either case */
    const char *digits;
};

static const struct base bases[] = {
    {MULTIBASE_16, 4, 0, 0, true, DIGITS_16},
    {MULTIBASE_16_UPPER, 4, 0, 0, true, DIGITS_16_UPPER},
    {MULTIBASE_32, 5, 0, 0, true, DIGITS_32},
    {MULTIBASE_32_UPPER, 5, 0, 0, true, DIGITS_32_UPPER},
    {MULTIBASE_32_HEX, 5, 0, 0, true, DIGITS_32H},
    {MULTIBASE_32_HEX_UPPER, 5, 0, 0, true, DIGITS_32H_UPPER},
    {MULTIBASE_32_PAD, 5, 8, 0, true, DIGITS_32},
    {MULTIBASE_32_PAD_UPPER, 5, 8, 0, true, DIGITS_32_UPPER},
    {MULTIBASE_32_HEX_PAD, 5, 8, 0, true, DIGITS_32H},
    {MULTIBASE_32_HEX_PAD_UPPER, 5, 8, 0, true, DIGITS_32H_UPPER},
    {MULTIBASE_32_Z, 5, 0, 0, false, DIGITS_32Z},
    {MULTIBASE_36, 0, 0, 36, true, DIGITS_36},
    {MULTIBASE_36_UPPER, 0, 0, 36, true, DIGITS_36_UPPER},
    {MULTIBASE_58_BTC, 0, 0, 58, false, DIGITS_58},
    {MULTIBASE_64, 6, 0, 0, false, DIGITS_64},
    {MULTIBASE_64_PAD, 6, 4, 0, false, DIGITS_64},
    {MULTIBASE_64_URL, 6, 0, 0, false, DIGITS_64_URL},
    {MULTIBASE_64_URL_PAD, 6, 4, 0, false, DIGITS_64_URL},
};

static const struct base *find_base(unsigned prefix)
{
    for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
        if ((unsigned)bases[i].prefix == prefix)
            return &bases[i];
    }
    return NULL;
}

size_t multibase_text_max(size_t len)
{
    assert(len <= SIZE_MAX / 4);
    /* Two digits a byte, and for one byte prefix, NUL and a padded group. */
    return 2 * len + 10;
}

size_t multibase_bytes_max(size_t len)
{
    /* The leading zero digits of the big-number bases are a byte each. */
    return len;
}

static void fill_values(const struct base *base, uint8_t values[static 256])
{
    memset(values, NOT_A_DIGIT, 256);
    for (uint8_t i = 0; base->digits[i] != '\0'; i++) {
        uint8_t c = (uint8_t)base->digits[i];
        values[c] = i;
        if (!base->both_cases)
            continue;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            values[c ^ 0x20] = i;
    }
}

/* Bases of a power of two. */

static void encode_bits(const struct base *base, struct bytes in, struct wr *w)
{
    uint32_t acc = 0;
    unsigned acc_bits = 0;
    uint32_t mask = (1U << base->bits) - 1;
    size_t digits = 0;

    for (size_t i = 0; i < in.len; i++) {
        acc = (acc << 8 | in.p[i]) & 0xffff;
        acc_bits += 8;
        for (; acc_bits >= base->bits; digits++) {
            acc_bits -= base->bits;
            wr_u8(w, (uint8_t)base->digits[acc >> acc_bits & mask]);
        }
    }
    if (acc_bits > 0) {
        acc <<= base->bits - acc_bits;
        wr_u8(w, (uint8_t)base->digits[acc & mask]);
        digits++;
    }
    for (; base->group > 0 && digits % base->group != 0; digits++)
        wr_u8(w, PAD);
}

/* @text without its padding. */
static enum err strip_padding(const struct base *base, struct bytes text,
                              struct bytes *ret_text)
{
    *ret_text = text;
    if (base->group == 0)
        return OK;
    if (text.len % base->group != 0)
        return E_MALFORMED;
    size_t pad = 0;
    while (pad < text.len && text.p[text.len - 1 - pad] == PAD)
        pad++;
    if (pad >= base->group)
        return E_MALFORMED;
    *ret_text = bytes_sub(text, 0, text.len - pad);
    return OK;
}

static enum err decode_bits(const struct base *base, struct bytes text,
                            struct wr *w)
{
    enum err err = strip_padding(base, text, &text);
    if (err != OK)
        return err;
    uint8_t values[256];
    fill_values(base, values);

    uint32_t acc = 0;
    unsigned acc_bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t value = values[text.p[i]];
        if (value == NOT_A_DIGIT)
            return E_MALFORMED;
        acc = (acc << base->bits | value) & 0xffff;
        acc_bits += base->bits;
        if (acc_bits < 8)
            continue;
        acc_bits -= 8;
        wr_u8(w, (uint8_t)(acc >> acc_bits));
    }
    /* A whole digit too many, or bits that no byte has. */
    if (acc_bits >= base->bits || (acc & ((1U << acc_bits) - 1)) != 0)
        return E_MALFORMED;
    return OK;
}

/*
 * Big-number bases.  The number lies in limbs of 32 bits, least significant
 * first; as many digits as fit a limb are moved at once.
 */
struct big {
    size_t count;
    uint32_t limbs[LIMBS_MAX];
};

/* digits_per_limb - most digits whose power of the radix is below 2^32. */
static unsigned digits_per_limb(const struct base *base)
{
    return base->radix == 36 ? 6 : 5;
}

static uint32_t power(uint32_t radix, unsigned exponent)
{
    uint32_t result = 1;
    while (exponent-- > 0)
        result *= radix;
    return result;
}

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t value)
{
    uint64_t carry = value;
    for (size_t i = 0; i < big->count; i++) {
        carry += (uint64_t)big->limbs[i] * factor;
        big->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry == 0)
        return;
    assert(big->count < LIMBS_MAX);
    big->limbs[big->count++] = (uint32_t)carry;
}

static uint32_t big_divide(struct big *big, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = big->count; i-- > 0;) {
        rest = rest << 32 | big->limbs[i];
        big->limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    while (big->count > 0 && big->limbs[big->count - 1] == 0)
        big->count--;
    return (uint32_t)rest;
}

static void big_from_bytes(struct bytes in, struct big *big)
{
    assert(in.len <= MULTIBASE_BIG_BYTES_MAX);
    big->count = (in.len + LIMB_BYTES - 1) / LIMB_BYTES;
    memset(big->limbs, 0, big->count * sizeof(big->limbs[0]));
    for (size_t i = 0; i < in.len; i++) {
        uint32_t byte = in.p[in.len - 1 - i];
        big->limbs[i / LIMB_BYTES] |= byte << i % LIMB_BYTES * 8;
    }
}

static void big_to_bytes(const struct big *big, struct wr *w)
{
    bool started = false;
    for (size_t i = big->count * LIMB_BYTES; i-- > 0;) {
        uint32_t limb = big->limbs[i / LIMB_BYTES];
        uint8_t byte = (uint8_t)(limb >> i % LIMB_BYTES * 8);
        started = started || byte != 0;
        if (started)
            wr_u8(w, byte);
    }
}

/* Writes the digits of @big, most significant first; @big is used up. */
static void write_digits(const struct base *base, struct big *big, struct wr *w)
{
    char digits[MULTIBASE_BIG_TEXT_MAX];
    unsigned step = digits_per_limb(base);
    uint32_t divisor = power(base->radix, step);
    size_t count = 0;
    while (big->count > 0) {
        uint32_t part = big_divide(big, divisor);
        assert(count + step <= sizeof(digits));
        for (unsigned i = 0; i < step; i++) {
            digits[count++] = base->digits[part % base->radix];
            part /= base->radix;
        }
    }
    while (count > 0 && digits[count - 1] == base->digits[0])
        count--;
    while (count > 0)
        wr_u8(w, (uint8_t)digits[--count]);
}

static enum err encode_big(const struct base *base, struct bytes in,
                           struct wr *w)
{
    if (in.len > MULTIBASE_BIG_BYTES_MAX)
        return E_LIMIT;
    size_t zeros = 0;
    for (; zeros < in.len && in.p[zeros] == 0; zeros++)
        wr_u8(w, (uint8_t)base->digits[0]);
    struct big big;
    big_from_bytes(bytes_sub(in, zeros, in.len - zeros), &big);
    write_digits(base, &big, w);
    return OK;
}

static enum err decode_big(const struct base *base, struct bytes text,
                           struct wr *w)
{
    if (text.len > MULTIBASE_BIG_TEXT_MAX)
        return E_LIMIT;
    uint8_t values[256];
    fill_values(base, values);

    size_t pos = 0;
    for (; pos < text.len && values[text.p[pos]] == 0; pos++)
        wr_u8(w, 0);
    struct big big = {.count = 0};
    unsigned step = digits_per_limb(base);
    while (pos < text.len) {
        uint32_t part = 0;
        uint32_t factor = 1;
        for (unsigned i = 0; i < step && pos < text.len; i++, pos++) {
            uint8_t value = values[text.p[pos]];
            if (value == NOT_A_DIGIT)
                return E_MALFORMED;
            part = part * base->radix + value;
            factor *= base->radix;
        }
        big_multiply_add(&big, factor, part);
    }
    big_to_bytes(&big, w);
    return OK;
}

static enum err encode(const struct base *base, struct bytes in, struct wr *w,
                       size_t *ret_len)
{
    if (base->bits == 0) {
        enum err err = encode_big(base, in, w);
        if (err != OK)
            return err;
    } else {
        encode_bits(base, in, w);
    }
    size_t len = wr_len(w);
    wr_u8(w, '\0');
    if (w->err != OK)
        return w->err;
    *ret_len = len;
    return OK;
}

static enum err decode(const struct base *base, struct bytes text, uint8_t *dst,
                       size_t dst_max, size_t *ret_len)
{
    struct wr w = wr_init(dst, dst_max);
    enum err err = base->bits == 0 ? decode_big(base, text, &w)
                                   : decode_bits(base, text, &w);
    if (err != OK)
        return err;
    if (w.err != OK)
        return w.err;
    *ret_len = wr_len(&w);
    return OK;
}

enum err multibase_encode(enum multibase base, struct bytes in, char *dst,
                          size_t dst_max, size_t *ret_len)
{
    const struct base *found = find_base(base);
    assert(found != NULL);
    struct wr w = wr_init((uint8_t *)dst, dst_max);
    wr_u8(&w, (uint8_t)base);
    return encode(found, in, &w, ret_len);
}

enum err multibase_encode_bare(enum multibase base, struct bytes in, char *dst,
                               size_t dst_max, size_t *ret_len)
{
    const struct base *found = find_base(base);
    assert(found != NULL);
    struct wr w = wr_init((uint8_t *)dst, dst_max);
    return encode(found, in, &w, ret_len);
}

enum err multibase_decode(struct bytes text, uint8_t *dst, size_t dst_max,
                          size_t *ret_len)
{
    if (text.len == 0)
        return E_SHORT;
    const struct base *found = find_base(text.p[0]);
    if (found == NULL)
        return E_UNSUPPORTED;
    return decode(found, bytes_sub(text, 1, text.len - 1), dst, dst_max,
                  ret_len);
}

enum err multibase_decode_bare(enum multibase base, struct bytes text,
                               uint8_t *dst, size_t dst_max, size_t *ret_len)
{
    const struct base *found = find_base(base);
    assert(found != NULL);
    return decode(found, text, dst, dst_max, ret_len);
}
