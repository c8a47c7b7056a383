#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/multiaddr.h"

enum {
    IP4_BYTES = 4,
    IP6_BYTES = 16,
    IP6_GROUPS = 8,
    NO_GAP = IP6_GROUPS + 1,
    IP4_IN_IP6 = IP6_BYTES - IP4_BYTES,
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Everything before the next @end, which is skipped, or before the end. */
static struct bytes take_until(struct bytes *text, uint8_t end)
{
    size_t len = 0;
    while (len < text->len && text->p[len] != end)
        len++;
    struct bytes part = bytes_sub(*text, 0, len);
    size_t skip = len < text->len ? len + 1 : len;
    *text = bytes_sub(*text, skip, text->len - skip);
    return part;
}

static bool parse_octet(struct bytes text, uint8_t *ret_octet)
{
    if (text.len == 0 || text.len > 3)
        return false;
    if (text.len > 1 && text.p[0] == '0')
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.p[i]))
            return false;
        value = value * 10 + (unsigned)(text.p[i] - '0');
    }
    if (value > UINT8_MAX)
        return false;
    *ret_octet = (uint8_t)value;
    return true;
}

static bool parse_ip4(struct bytes text, uint8_t *dst)
{
    if (text.len > 0 && text.p[text.len - 1] == '.')
        return false;
    for (size_t i = 0; i < IP4_BYTES; i++) {
        if (!parse_octet(take_until(&text, '.'), &dst[i]))
            return false;
    }
    return text.len == 0;
}

static bool parse_group(struct bytes text, uint8_t *dst)
{
    if (text.len == 0 || text.len > 4)
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_value(text.p[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    dst[0] = (uint8_t)(value >> 8);
    dst[1] = (uint8_t)value;
    return true;
}

/*
 * Groups without a gap, at most @max bytes of them; dotted quad allowed last.
 * Empty text is no groups.
 */
static bool parse_groups(struct bytes text, uint8_t *dst, size_t max,
                         size_t *ret_len)
{
    size_t len = 0;
    if (text.len > 0 && text.p[text.len - 1] == ':')
        return false;
    while (text.len > 0) {
        struct bytes part = take_until(&text, ':');
        bool is_quad =
            text.len == 0 && part.len > 0 && memchr(part.p, '.', part.len);
        size_t need = is_quad ? IP4_BYTES : 2;
        if (max - len < need)
            return false;
        if (is_quad ? !parse_ip4(part, dst + len)
                    : !parse_group(part, dst + len))
            return false;
        len += need;
    }
    *ret_len = len;
    return true;
}

/* Position of "::" in @text, or its length. */
static size_t find_gap(struct bytes text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.p[i] == ':' && text.p[i + 1] == ':')
            return i;
    }
    return text.len;
}

static bool parse_ip6(struct bytes text, uint8_t *dst)
{
    size_t gap = find_gap(text);
    size_t len = 0;
    if (gap == text.len)
        return parse_groups(text, dst, IP6_BYTES, &len) && len == IP6_BYTES;

    struct bytes head = bytes_sub(text, 0, gap);
    struct bytes tail = bytes_sub(text, gap + 2, text.len - gap - 2);
    uint8_t end[IP6_BYTES];
    size_t end_len = 0;
    /* A quad stands at the very end; the gap stands for two bytes or more. */
    if (memchr(text.p, '.', gap) != NULL)
        return false;
    if (!parse_groups(head, dst, IP6_BYTES - 2, &len) ||
        !parse_groups(tail, end, IP6_BYTES - 2 - len, &end_len))
        return false;
    memset(dst + len, 0, IP6_BYTES - len - end_len);
    if (end_len > 0)
        memcpy(dst + IP6_BYTES - end_len, end, end_len);
    return true;
}

enum err ma_ip_parse(struct bytes text, struct ma_ip *ret_ip)
{
    if (text.len == 0 || text.len >= MA_IP_TEXT_MAX)
        return E_MALFORMED;
    struct ma_ip ip = {0};
    if (memchr(text.p, ':', text.len) == NULL) {
        ip.len = IP4_BYTES;
        if (!parse_ip4(text, ip.bytes))
            return E_MALFORMED;
    } else {
        ip.len = IP6_BYTES;
        if (!parse_ip6(text, ip.bytes))
            return E_MALFORMED;
    }
    *ret_ip = ip;
    return OK;
}

static void write_octet(struct wr *w, uint8_t value)
{
    if (value >= 100)
        wr_u8(w, (uint8_t)('0' + value / 100));
    if (value >= 10)
        wr_u8(w, (uint8_t)('0' + value / 10 % 10));
    wr_u8(w, (uint8_t)('0' + value % 10));
}

static void write_ip4(struct wr *w, const uint8_t *ip)
{
    for (size_t i = 0; i < IP4_BYTES; i++) {
        if (i > 0)
            wr_u8(w, '.');
        write_octet(w, ip[i]);
    }
}

static unsigned group_at(const uint8_t *ip, size_t index)
{
    return (unsigned)ip[2 * index] << 8 | ip[2 * index + 1];
}

static void write_group(struct wr *w, unsigned group)
{
    static const char digits[] = "0123456789abcdef";
    bool started = false;
    for (unsigned shift = 16; shift > 0; shift -= 4) {
        unsigned digit = group >> (shift - 4) & 0xf;
        started = started || digit != 0 || shift == 4;
        if (started)
            wr_u8(w, (uint8_t)digits[digit]);
    }
}

/* The first of the longest runs of two zero groups or more. */
static void find_zeros(const uint8_t *ip, size_t *ret_start, size_t *ret_count)
{
    *ret_start = NO_GAP;
    *ret_count = 1;
    size_t count = 0;
    for (size_t i = 0; i < IP6_GROUPS; i++) {
        count = group_at(ip, i) == 0 ? count + 1 : 0;
        if (count <= *ret_count)
            continue;
        *ret_count = count;
        *ret_start = i + 1 - count;
    }
}

static void write_ip6(struct wr *w, const uint8_t *ip)
{
    size_t gap = 0;
    size_t gap_count = 0;
    find_zeros(ip, &gap, &gap_count);
    for (size_t i = 0; i < IP6_GROUPS;) {
        if (i == gap) {
            wr_bytes(w, BYTES_LIT("::"));
            i += gap_count;
            continue;
        }
        if (i > 0 && i != gap + gap_count)
            wr_u8(w, ':');
        write_group(w, group_at(ip, i));
        i++;
    }
}

static bool is_mapped(const uint8_t *ip)
{
    static const uint8_t head[IP4_IN_IP6] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};
    return memcmp(ip, head, sizeof(head)) == 0;
}

size_t ma_ip_format(const struct ma_ip *ip, char dst[static MA_IP_TEXT_MAX])
{
    assert(ip->len == IP4_BYTES || ip->len == IP6_BYTES);
    struct wr w = wr_init((uint8_t *)dst, MA_IP_TEXT_MAX);
    if (ip->len == IP4_BYTES) {
        write_ip4(&w, ip->bytes);
    } else if (is_mapped(ip->bytes)) {
        wr_bytes(&w, BYTES_LIT("::ffff:"));
        write_ip4(&w, ip->bytes + IP4_IN_IP6);
    } else {
        write_ip6(&w, ip->bytes);
    }
    size_t len = wr_len(&w);
    wr_u8(&w, '\0');
    assert(w.err == OK);
    return len;
}
