#include "base/strbuf.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { ROOM_MIN = 64 };

static const char digits[] = "0123456789abcdef";

void strbuf_init(struct strbuf *s, size_t max)
{
    assert(max < SIZE_MAX / 2);
    *s = (struct strbuf){.max = max};
}

void strbuf_release(struct strbuf *s)
{
    mem_free(s->p);
    *s = (struct strbuf){.max = s->max};
}

void strbuf_reset(struct strbuf *s)
{
    s->len = 0;
    s->full = false;
    if (s->p != NULL)
        s->p[0] = 0;
}

void strbuf_add(struct strbuf *s, struct bytes in)
{
    if (in.len > s->max - s->len) {
        s->full = true;
        return;
    }
    size_t need = s->len + in.len + 1;
    if (need > s->room) {
        size_t room = s->room < ROOM_MIN ? ROOM_MIN : s->room;
        while (room < need)
            room *= 2;
        s->p = mem_resize(s->p, room, 1);
        s->room = room;
    }
    if (in.len > 0)
        memcpy(s->p + s->len, in.p, in.len);
    s->len += in.len;
    s->p[s->len] = 0;
}

void strbuf_str(struct strbuf *s, const char *str)
{
    strbuf_add(s, bytes_str(str));
}

void strbuf_u64(struct strbuf *s, uint64_t value)
{
    uint8_t text[20];
    size_t at = sizeof(text);

    do {
        text[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    strbuf_add(s, (struct bytes){text + at, sizeof(text) - at});
}

void strbuf_hex(struct strbuf *s, struct bytes in)
{
    for (size_t i = 0; i < in.len; i++) {
        uint8_t pair[2] = {(uint8_t)digits[in.p[i] >> 4],
                           (uint8_t)digits[in.p[i] & 15]};
        strbuf_add(s, (struct bytes){pair, 2});
    }
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Length that the first byte asks for, 0 for a byte that begins nothing. */
static size_t lead_len(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

size_t utf8_len(struct bytes in)
{
    size_t len = in.len > 0 ? lead_len(in.p[0]) : 0;
    if (len == 0 || len > in.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(in.p[i]))
            return 0;
    }
    if (len < 3)
        return len;
    uint8_t lead = in.p[0];
    uint8_t second = in.p[1];
    bool overlong =
        (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    bool surrogate = lead == 0xed && second > 0x9f;
    bool too_high = lead == 0xf4 && second > 0x8f;
    return overlong || surrogate || too_high ? 0 : len;
}

static bool is_plain(struct bytes seq)
{
    if (seq.len == 1)
        return seq.p[0] >= 0x20 && seq.p[0] < 0x7f && seq.p[0] != '\\';
    /* U+0080 to U+009F are control characters too. */
    return seq.len > 2 || seq.p[0] != 0xc2 || seq.p[1] >= 0xa0;
}

/*
 * True for what can turn or hide text though it prints nothing: zero width
 * marks, bidirectional overrides and isolates, line separators, and the BOM.
 */
static bool is_invisible(struct bytes seq)
{
    if (seq.len != 3)
        return false;
    uint32_t c = (uint32_t)(seq.p[0] & 15) << 12 |
                 (uint32_t)(seq.p[1] & 63) << 6 | (uint32_t)(seq.p[2] & 63);
    return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static void escape_byte(struct strbuf *s, uint8_t byte)
{
    if (byte == '\\') {
        strbuf_str(s, "\\\\");
        return;
    }
    strbuf_str(s, "\\x");
    strbuf_hex(s, (struct bytes){&byte, 1});
}

void strbuf_escape(struct strbuf *s, struct bytes in)
{
    size_t at = 0;

    while (at < in.len) {
        struct bytes rest = bytes_sub(in, at, in.len - at);
        size_t len = utf8_len(rest);
        struct bytes seq = bytes_sub(rest, 0, len);
        if (len > 0 && is_plain(seq) && !is_invisible(seq)) {
            strbuf_add(s, seq);
            at += len;
            continue;
        }
        for (size_t i = 0; i < (len > 0 ? len : 1); i++)
            escape_byte(s, rest.p[i]);
        at += len > 0 ? len : 1;
    }
}

struct bytes strbuf_bytes(const struct strbuf *s)
{
    return (struct bytes){.p = s->p, .len = s->len};
}

const char *strbuf_cstr(const struct strbuf *s)
{
    return s->p != NULL ? (const char *)s->p : "";
}

bool strbuf_full(const struct strbuf *s)
{
    return s->full;
}
