#include <string.h>

#include "base/ascii.h"
#include "multiformats/multiaddr.h"

enum {
    IP4_BYTES = 4,
    IP6_BYTES = 16,
    IP4_IN_IP6 = IP6_BYTES - IP4_BYTES, /* where an IPv4 address lies in one */
    NAME_MAX_BYTES = 253,
};

/* struct net - the addresses whose first @bits bits are those of @bytes. */
struct net {
    uint8_t bytes[IP6_BYTES];
    uint8_t bits;
    enum ma_class class;
};

/* The first row that fits counts; an IPv4 address that fits none is public. */
static const struct net nets4[] = {
    {{127}, 8, MA_CLASS_LOOPBACK},
    {{10}, 8, MA_CLASS_PRIVATE},
    {{100, 64}, 10, MA_CLASS_PRIVATE},
    {{172, 16}, 12, MA_CLASS_PRIVATE},
    {{192, 168}, 16, MA_CLASS_PRIVATE},
    {{169, 254}, 16, MA_CLASS_PRIVATE},
    {{0}, 8, MA_CLASS_UNROUTABLE},
    {{192, 0, 0}, 26, MA_CLASS_UNROUTABLE},
    {{192, 0, 2}, 24, MA_CLASS_UNROUTABLE},
    {{192, 88, 99}, 24, MA_CLASS_UNROUTABLE},
    {{198, 18}, 15, MA_CLASS_UNROUTABLE},
    {{198, 51, 100}, 24, MA_CLASS_UNROUTABLE},
    {{203, 0, 113}, 24, MA_CLASS_UNROUTABLE},
    {{224}, 4, MA_CLASS_UNROUTABLE},
    {{240}, 4, MA_CLASS_UNROUTABLE},
};

/* The first row that fits counts; an IPv6 address that fits none is not. */
static const struct net nets6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, MA_CLASS_LOOPBACK},
    {{0xfc}, 7, MA_CLASS_PRIVATE},
    {{0xfe, 0x80}, 10, MA_CLASS_PRIVATE},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, MA_CLASS_UNROUTABLE},
    {{0x20}, 3, MA_CLASS_PUBLIC},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, MA_CLASS_PUBLIC},
};

/* IPv4 inside IPv6: ::ffff:0:0/96 by mapping, 64:ff9b::/96 by NAT64. */
static const uint8_t mapped[IP4_IN_IP6] = {0, 0, 0, 0, 0,    0,
                                           0, 0, 0, 0, 0xff, 0xff};
static const uint8_t nat64[IP4_IN_IP6] = {0, 0x64, 0xff, 0x9b};

static bool is_in(const uint8_t *ip, const struct net *net)
{
    size_t whole = net->bits / 8;
    unsigned rest = net->bits % 8;
    if (memcmp(ip, net->bytes, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00U >> rest);
    return rest == 0 || ((ip[whole] ^ net->bytes[whole]) & mask) == 0;
}

static enum ma_class class4(const uint8_t *ip)
{
    for (size_t i = 0; i < sizeof(nets4) / sizeof(nets4[0]); i++) {
        if (is_in(ip, &nets4[i]))
            return nets4[i].class;
    }
    return MA_CLASS_PUBLIC;
}

static enum ma_class class6(const uint8_t *ip)
{
    for (size_t i = 0; i < sizeof(nets6) / sizeof(nets6[0]); i++) {
        if (is_in(ip, &nets6[i]))
            return nets6[i].class;
    }
    return MA_CLASS_UNROUTABLE;
}

static enum ma_class ip_class(const struct ma_ip *ip)
{
    if (ip->len == IP4_BYTES)
        return class4(ip->bytes);
    if (memcmp(ip->bytes, mapped, sizeof(mapped)) == 0 ||
        memcmp(ip->bytes, nat64, sizeof(nat64)) == 0)
        return class4(ip->bytes + IP4_IN_IP6);
    return class6(ip->bytes);
}

uint64_t ma_ip_group(const struct ma_ip *ip)
{
    const uint8_t *p = ip->bytes;
    if (ip->len == IP6_BYTES && memcmp(p, mapped, sizeof(mapped)) == 0)
        p += IP4_IN_IP6;
    else if (ip->len == IP6_BYTES)
        return UINT64_C(6) << 32 | (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 |
               (uint64_t)p[2] << 8 | p[3];
    return UINT64_C(4) << 32 | (uint64_t)p[0] << 8 | p[1];
}

/* Names that no public server answers, with all below them. */
static const struct {
    const char *name;
    enum ma_class class;
} special_names[] = {
    {"localhost", MA_CLASS_LOOPBACK},  {"local", MA_CLASS_PRIVATE},
    {"home.arpa", MA_CLASS_PRIVATE},   {"in-addr.arpa", MA_CLASS_UNROUTABLE},
    {"ip6.arpa", MA_CLASS_UNROUTABLE}, {"invalid", MA_CLASS_UNROUTABLE},
    {"test", MA_CLASS_UNROUTABLE},
};

/* Whether @name is @parent, which is in lower case, or below it. */
static bool is_below(struct bytes name, struct bytes parent)
{
    if (name.len < parent.len)
        return false;
    size_t skip = name.len - parent.len;
    for (size_t i = 0; i < parent.len; i++) {
        if (ascii_lower(name.p[skip + i]) != parent.p[i])
            return false;
    }
    return skip == 0 || name.p[skip - 1] == '.';
}

static enum ma_class class_of_name(struct bytes name)
{
    if (name.len > 0 && name.p[name.len - 1] == '.')
        name.len--;
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return MA_CLASS_UNROUTABLE;
    size_t count = sizeof(special_names) / sizeof(special_names[0]);
    for (size_t i = 0; i < count; i++) {
        if (is_below(name, bytes_str(special_names[i].name)))
            return special_names[i].class;
    }
    return MA_CLASS_PUBLIC;
}

enum ma_class multiaddr_class(const struct multiaddr *addr)
{
    struct ma_ip ip;
    if (multiaddr_get_ip(addr, &ip) == OK)
        return ip_class(&ip);
    struct rd r = multiaddr_rd(addr);
    struct ma_component c;
    if (!multiaddr_next(&r, &c))
        return MA_CLASS_OTHER;
    if (c.code == MA_DNS || c.code == MA_DNS4 || c.code == MA_DNS6 ||
        c.code == MA_DNSADDR)
        return class_of_name(c.value);
    return MA_CLASS_OTHER;
}
