#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "multiformats/multiaddr.h"
#include "multiformats/multiaddr_priv.h"
#include "multiformats/multibase.h"
#include "multiformats/peer_id.h"

enum {
    ONION3_KEY_BYTES = 35,
    ONION3_KEY_CHARS = 56,
    NUMBER_CHARS_MAX = 20,
};

/* Everything before the next '/', which is skipped, or before the end. */
static struct bytes take_part(struct bytes *text)
{
    size_t len = 0;
    while (len < text->len && text->p[len] != '/')
        len++;
    struct bytes part = bytes_sub(*text, 0, len);
    size_t skip = len < text->len ? len + 1 : len;
    *text = bytes_sub(*text, skip, text->len - skip);
    return part;
}

static enum err parse_number(struct bytes text, uint64_t max,
                             uint64_t *ret_value)
{
    if (text.len == 0 || text.len > NUMBER_CHARS_MAX)
        return E_MALFORMED;
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return E_MALFORMED;
        uint64_t digit = text.p[i] - (uint64_t)'0';
        if (digit > max || value > (max - digit) / 10)
            return E_MALFORMED;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return OK;
}

static void write_number(struct wr *w, uint64_t value)
{
    uint8_t digits[NUMBER_CHARS_MAX];
    size_t count = 0;
    do {
        digits[count++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0)
        wr_u8(w, digits[--count]);
}

static enum err parse_ip(struct bytes text, uint8_t len, struct wr *w)
{
    struct ma_ip ip;
    enum err err = ma_ip_parse(text, &ip);
    if (err != OK)
        return err;
    if (ip.len != len)
        return E_MALFORMED;
    wr_bytes(w, (struct bytes){ip.bytes, ip.len});
    return OK;
}

static enum err parse_port(struct bytes text, struct wr *w)
{
    uint64_t port = 0;
    enum err err = parse_number(text, UINT16_MAX, &port);
    if (err == OK)
        wr_be16(w, (uint16_t)port);
    return err;
}

static enum err parse_onion3(struct bytes text, struct wr *w)
{
    if (text.len < ONION3_KEY_CHARS + 1 || text.p[ONION3_KEY_CHARS] != ':')
        return E_MALFORMED;
    uint8_t key[ONION3_KEY_BYTES];
    size_t len = 0;
    enum err err = multibase_decode_bare(MULTIBASE_32,
                                         bytes_sub(text, 0, ONION3_KEY_CHARS),
                                         key, sizeof(key), &len);
    if (err != OK)
        return err;
    wr_bytes(w, (struct bytes){key, len});
    size_t skip = ONION3_KEY_CHARS + 1;
    return parse_port(bytes_sub(text, skip, text.len - skip), w);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err parse_percent(struct bytes text, struct wr *w)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] != '%') {
            wr_u8(w, text.p[i]);
            continue;
        }
        if (text.len - i < 3)
            return E_MALFORMED;
        int high = hex_value(text.p[i + 1]);
        int low = hex_value(text.p[i + 2]);
        if (high < 0 || low < 0)
            return E_MALFORMED;
        wr_u8(w, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return OK;
}

static bool is_plain_in_url(uint8_t c)
{
    static const char marks[] = {'-', '_', '.', '~', '$',
                                 '&', '+', '=', ':', '@'};
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || memchr(marks, c, sizeof(marks)) != NULL;
}

static void write_percent(struct wr *w, struct bytes in)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < in.len; i++) {
        if (is_plain_in_url(in.p[i])) {
            wr_u8(w, in.p[i]);
            continue;
        }
        wr_u8(w, '%');
        wr_u8(w, (uint8_t)digits[in.p[i] >> 4]);
        wr_u8(w, (uint8_t)digits[in.p[i] & 0xf]);
    }
}

static enum err parse_peer(struct bytes text, struct wr *w)
{
    struct peer_id id;
    enum err err = peer_id_parse(text, &id);
    if (err == OK)
        wr_bytes(w, peer_id_bytes(&id));
    return err;
}

static enum err parse_multibase(struct bytes text, struct wr *w)
{
    uint8_t bytes[MULTIADDR_BYTES_MAX];
    size_t len = 0;
    enum err err = multibase_decode(text, bytes, sizeof(bytes), &len);
    if (err == OK)
        wr_bytes(w, (struct bytes){bytes, len});
    return err;
}

static enum err parse_value(enum ma_kind kind, struct bytes text, struct wr *w)
{
    uint64_t number = 0;
    enum err err = OK;
    switch (kind) {
    case MA_KIND_NONE:
        return OK;
    case MA_KIND_IP4:
        return parse_ip(text, 4, w);
    case MA_KIND_IP6:
        return parse_ip(text, 16, w);
    case MA_KIND_PORT:
        return parse_port(text, w);
    case MA_KIND_CIDR:
        err = parse_number(text, UINT8_MAX, &number);
        wr_u8(w, (uint8_t)number);
        return err;
    case MA_KIND_NUMBER:
        err = parse_number(text, UINT64_MAX, &number);
        wr_be64(w, number);
        return err;
    case MA_KIND_ONION3:
        return parse_onion3(text, w);
    case MA_KIND_NAME:
    case MA_KIND_PATH:
        wr_bytes(w, text);
        return OK;
    case MA_KIND_HTTP_PATH:
        return parse_percent(text, w);
    case MA_KIND_PEER:
        return parse_peer(text, w);
    case MA_KIND_CERTHASH:
        return parse_multibase(text, w);
    }
    assert(false);
    return E_UNSUPPORTED;
}

/* The text of a value: one part, or for paths the rest with the slash. */
static enum err take_value(enum ma_kind kind, struct bytes *text,
                           struct bytes *ret_part)
{
    *ret_part = BYTES_EMPTY;
    if (kind == MA_KIND_NONE)
        return OK;
    if (text->len == 0)
        return E_SHORT;
    if (kind != MA_KIND_PATH) {
        *ret_part = take_part(text);
        return OK;
    }
    /* A name stood before it, so there is a slash right before the rest. */
    *ret_part = (struct bytes){text->p - 1, text->len + 1};
    text->len = 0;
    return OK;
}

static enum err parse_component(struct bytes *text, struct wr *w)
{
    struct bytes name = take_part(text);
    const struct ma_protocol *protocol = ma_protocol_by_name(name);
    if (protocol == NULL)
        return name.len == 0 ? E_MALFORMED : E_UNSUPPORTED;
    struct bytes part;
    enum err err = take_value(protocol->kind, text, &part);
    if (err != OK)
        return err;

    uint8_t value[MULTIADDR_PARSE_MAX];
    struct wr v = wr_init(value, sizeof(value));
    err = parse_value(protocol->kind, part, &v);
    if (err != OK)
        return err;
    if (v.err != OK)
        return v.err;
    ma_write(w, protocol, (struct bytes){value, wr_len(&v)});
    return OK;
}

enum err multiaddr_parse(struct bytes text, struct multiaddr *ret_addr)
{
    if (text.len > MULTIADDR_PARSE_MAX)
        return E_LIMIT;
    while (text.len > 0 && text.p[text.len - 1] == '/')
        text.len--;
    if (text.len == 0)
        return E_SHORT;
    if (text.p[0] != '/')
        return E_MALFORMED;
    text = bytes_sub(text, 1, text.len - 1);

    uint8_t bytes[MULTIADDR_BYTES_MAX];
    struct wr w = wr_init(bytes, sizeof(bytes));
    while (text.len > 0) {
        enum err err = parse_component(&text, &w);
        if (err != OK)
            return err;
    }
    if (w.err != OK)
        return w.err;
    return multiaddr_decode((struct bytes){bytes, wr_len(&w)}, ret_addr);
}

static void write_ip(struct wr *w, struct bytes value)
{
    struct ma_ip ip = {.len = (uint8_t)value.len};
    assert(value.len <= sizeof(ip.bytes));
    memcpy(ip.bytes, value.p, value.len);
    char text[MA_IP_TEXT_MAX];
    size_t len = ma_ip_format(&ip, text);
    wr_bytes(w, (struct bytes){(const uint8_t *)text, len});
}

static void write_multibase(struct wr *w, enum multibase base, bool bare,
                            struct bytes value)
{
    char text[2 * MULTIADDR_BYTES_MAX + 10];
    size_t len = 0;
    enum err err =
        bare ? multibase_encode_bare(base, value, text, sizeof(text), &len)
             : multibase_encode(base, value, text, sizeof(text), &len);
    assert(err == OK);
    wr_bytes(w, (struct bytes){(const uint8_t *)text, len});
}

static void write_port(struct wr *w, struct bytes value)
{
    struct rd r = rd_init(value);
    write_number(w, rd_be16(&r));
}

static void write_value(struct wr *w, enum ma_kind kind, struct bytes value)
{
    struct rd r = rd_init(value);
    switch (kind) {
    case MA_KIND_NONE:
        break;
    case MA_KIND_IP4:
    case MA_KIND_IP6:
        write_ip(w, value);
        break;
    case MA_KIND_PORT:
        write_port(w, value);
        break;
    case MA_KIND_CIDR:
        write_number(w, rd_u8(&r));
        break;
    case MA_KIND_NUMBER:
        write_number(w, rd_be64(&r));
        break;
    case MA_KIND_ONION3:
        write_multibase(w, MULTIBASE_32, true,
                        bytes_sub(value, 0, ONION3_KEY_BYTES));
        wr_u8(w, ':');
        write_port(w, bytes_sub(value, ONION3_KEY_BYTES, 2));
        break;
    case MA_KIND_NAME:
    case MA_KIND_PATH:
        wr_bytes(w, value);
        break;
    case MA_KIND_HTTP_PATH:
        write_percent(w, value);
        break;
    case MA_KIND_PEER:
        write_multibase(w, MULTIBASE_58_BTC, true, value);
        break;
    case MA_KIND_CERTHASH:
        write_multibase(w, MULTIBASE_64_URL, false, value);
        break;
    }
}

size_t multiaddr_format(const struct multiaddr *addr,
                        char dst[static MULTIADDR_TEXT_MAX])
{
    struct wr w = wr_init((uint8_t *)dst, MULTIADDR_TEXT_MAX);
    struct rd r = multiaddr_rd(addr);
    struct ma_component c;
    while (multiaddr_next(&r, &c)) {
        const struct ma_protocol *protocol = ma_protocol_by_code(c.code);
        assert(protocol != NULL);
        wr_u8(&w, '/');
        wr_bytes(&w, bytes_str(protocol->name));
        /* A path brings its own slash. */
        if (protocol->kind != MA_KIND_NONE && protocol->kind != MA_KIND_PATH)
            wr_u8(&w, '/');
        write_value(&w, protocol->kind, c.value);
    }
    size_t len = wr_len(&w);
    wr_u8(&w, '\0');
    assert(w.err == OK);
    return len;
}
