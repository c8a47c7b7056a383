#include "multiformats/multiaddr.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "multiformats/multiaddr_priv.h"
#include "multiformats/multihash.h"
#include "multiformats/peer_id.h"

enum {
    IP4_BYTES = 4,
    IP6_BYTES = 16,
    PORT_BYTES = 2,
    ONION3_BYTES = 35 + PORT_BYTES,
};

static const struct ma_protocol protocols[] = {
    {MA_IP4, MA_KIND_IP4, IP4_BYTES, "ip4"},
    {MA_TCP, MA_KIND_PORT, PORT_BYTES, "tcp"},
    {MA_DCCP, MA_KIND_PORT, PORT_BYTES, "dccp"},
    {MA_IP6, MA_KIND_IP6, IP6_BYTES, "ip6"},
    {MA_IP6ZONE, MA_KIND_NAME, MA_SIZE_VARIES, "ip6zone"},
    {MA_IPCIDR, MA_KIND_CIDR, 1, "ipcidr"},
    {MA_DNS, MA_KIND_NAME, MA_SIZE_VARIES, "dns"},
    {MA_DNS4, MA_KIND_NAME, MA_SIZE_VARIES, "dns4"},
    {MA_DNS6, MA_KIND_NAME, MA_SIZE_VARIES, "dns6"},
    {MA_DNSADDR, MA_KIND_NAME, MA_SIZE_VARIES, "dnsaddr"},
    {MA_SCTP, MA_KIND_PORT, PORT_BYTES, "sctp"},
    {MA_UDP, MA_KIND_PORT, PORT_BYTES, "udp"},
    {MA_P2P_WEBRTC_DIRECT, MA_KIND_NONE, 0, "p2p-webrtc-direct"},
    {MA_WEBRTC_DIRECT, MA_KIND_NONE, 0, "webrtc-direct"},
    {MA_WEBRTC, MA_KIND_NONE, 0, "webrtc"},
    {MA_P2P_CIRCUIT, MA_KIND_NONE, 0, "p2p-circuit"},
    {MA_UDT, MA_KIND_NONE, 0, "udt"},
    {MA_UTP, MA_KIND_NONE, 0, "utp"},
    {MA_UNIX, MA_KIND_PATH, MA_SIZE_VARIES, "unix"},
    {MA_P2P, MA_KIND_PEER, MA_SIZE_VARIES, "p2p"},
    {MA_HTTPS, MA_KIND_NONE, 0, "https"},
    {MA_ONION3, MA_KIND_ONION3, ONION3_BYTES, "onion3"},
    {MA_TLS, MA_KIND_NONE, 0, "tls"},
    {MA_SNI, MA_KIND_NAME, MA_SIZE_VARIES, "sni"},
    {MA_NOISE, MA_KIND_NONE, 0, "noise"},
    {MA_QUIC, MA_KIND_NONE, 0, "quic"},
    {MA_QUIC_V1, MA_KIND_NONE, 0, "quic-v1"},
    {MA_WEBTRANSPORT, MA_KIND_NONE, 0, "webtransport"},
    {MA_CERTHASH, MA_KIND_CERTHASH, MA_SIZE_VARIES, "certhash"},
    {MA_WS, MA_KIND_NONE, 0, "ws"},
    {MA_WSS, MA_KIND_NONE, 0, "wss"},
    {MA_P2P_WEBSOCKET_STAR, MA_KIND_NONE, 0, "p2p-websocket-star"},
    {MA_HTTP, MA_KIND_NONE, 0, "http"},
    {MA_HTTP_PATH, MA_KIND_HTTP_PATH, MA_SIZE_VARIES, "http-path"},
    {MA_MEMORY, MA_KIND_NUMBER, 8, "memory"},
    {MA_PLAINTEXTV2, MA_KIND_NONE, 0, "plaintextv2"},
};

enum { PROTOCOL_COUNT = sizeof(protocols) / sizeof(protocols[0]) };

const struct ma_protocol *ma_protocol_by_code(uint64_t code)
{
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        if (protocols[i].code == code)
            return &protocols[i];
    }
    return NULL;
}

const struct ma_protocol *ma_protocol_by_name(struct bytes name)
{
    /* The name that p2p had before. */
    if (bytes_eq(name, BYTES_LIT("ipfs")))
        name = BYTES_LIT("p2p");
    for (size_t i = 0; i < PROTOCOL_COUNT; i++) {
        if (bytes_eq(name, bytes_str(protocols[i].name)))
            return &protocols[i];
    }
    return NULL;
}

/* Names go into look-ups, logs and texts that are split at slashes. */
static bool is_name(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.p[i];
        if (c <= ' ' || c == '/' || c == 0x7f)
            return false;
    }
    return value.len > 0;
}

/* Of an onion address only the port can be wrong: it is never 0. */
static bool is_onion3(struct bytes value)
{
    return value.p[value.len - 1] != 0 || value.p[value.len - 2] != 0;
}

/* The text of a path has no end of its own: no NUL, no slash at the end. */
static bool is_path(struct bytes value)
{
    return value.len >= 2 && value.p[0] == '/' &&
           value.p[value.len - 1] != '/' &&
           memchr(value.p, 0, value.len) == NULL;
}

static enum err check_value(enum ma_kind kind, struct bytes value)
{
    struct peer_id id;
    struct multihash hash;
    bool good = true;
    switch (kind) {
    case MA_KIND_NONE:
    case MA_KIND_IP4:
    case MA_KIND_IP6:
    case MA_KIND_PORT:
    case MA_KIND_CIDR:
    case MA_KIND_NUMBER:
        break;
    case MA_KIND_ONION3:
        good = is_onion3(value);
        break;
    case MA_KIND_NAME:
        good = is_name(value);
        break;
    case MA_KIND_PATH:
        good = is_path(value);
        break;
    case MA_KIND_HTTP_PATH:
        good = value.len > 0;
        break;
    case MA_KIND_PEER:
        good = peer_id_decode(value, &id) == OK;
        break;
    case MA_KIND_CERTHASH:
        good = multihash_decode(value, &hash) == OK;
        break;
    }
    return good ? OK : E_MALFORMED;
}

static const struct ma_protocol *read_component(struct rd *r,
                                                struct bytes *ret_value)
{
    uint64_t code = rd_uvarint(r);
    if (r->err != OK)
        return NULL;
    const struct ma_protocol *protocol = ma_protocol_by_code(code);
    if (protocol == NULL) {
        rd_fail(r, E_UNSUPPORTED);
        return NULL;
    }
    uint64_t len = protocol->size;
    if (protocol->size == MA_SIZE_VARIES)
        len = rd_uvarint(r);
    *ret_value = rd_view(r, len);
    return r->err == OK ? protocol : NULL;
}

/* One component of an address that is not yet known to be good. */
static void check_component(struct rd *r)
{
    struct bytes value;
    const struct ma_protocol *protocol = read_component(r, &value);
    if (protocol == NULL)
        return;
    enum err err = check_value(protocol->kind, value);
    /* What follows a path would be part of it in the text. */
    if (protocol->kind == MA_KIND_PATH && rd_left(r) > 0)
        err = E_MALFORMED;
    if (err != OK)
        rd_fail(r, err);
}

enum err multiaddr_decode(struct bytes in, struct multiaddr *ret_addr)
{
    if (in.len == 0)
        return E_SHORT;
    if (in.len > MULTIADDR_BYTES_MAX)
        return E_LIMIT;
    struct rd r = rd_init(in);
    for (size_t i = 0; rd_left(&r) > 0; i++) {
        if (i == MULTIADDR_COMPONENTS_MAX)
            rd_fail(&r, E_LIMIT);
        check_component(&r);
    }
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;

    struct multiaddr addr = {.len = (uint16_t)in.len};
    memcpy(addr.bytes, in.p, in.len);
    *ret_addr = addr;
    return OK;
}

struct bytes multiaddr_bytes(const struct multiaddr *addr)
{
    assert(addr->len <= MULTIADDR_BYTES_MAX);
    return (struct bytes){addr->bytes, addr->len};
}

bool multiaddr_eq(const struct multiaddr *a, const struct multiaddr *b)
{
    return bytes_eq(multiaddr_bytes(a), multiaddr_bytes(b));
}

int multiaddr_cmp(const struct multiaddr *a, const struct multiaddr *b)
{
    return bytes_cmp(multiaddr_bytes(a), multiaddr_bytes(b));
}

struct rd multiaddr_rd(const struct multiaddr *addr)
{
    return rd_init(multiaddr_bytes(addr));
}

bool multiaddr_next(struct rd *r, struct ma_component *ret_component)
{
    if (rd_left(r) == 0)
        return false;
    struct bytes value;
    const struct ma_protocol *protocol = read_component(r, &value);
    assert(protocol != NULL);
    *ret_component =
        (struct ma_component){.code = protocol->code, .value = value};
    return true;
}

bool multiaddr_has(const struct multiaddr *addr, uint32_t code)
{
    struct rd r = multiaddr_rd(addr);
    struct ma_component c;
    while (multiaddr_next(&r, &c)) {
        if (c.code == code)
            return true;
    }
    return false;
}

bool multiaddr_is_relay(const struct multiaddr *addr)
{
    return multiaddr_has(addr, MA_P2P_CIRCUIT);
}

void ma_write(struct wr *w, const struct ma_protocol *protocol,
              struct bytes value)
{
    wr_uvarint(w, protocol->code);
    if (protocol->size == MA_SIZE_VARIES)
        wr_uvarint(w, value.len);
    wr_bytes(w, value);
}

struct multiaddr multiaddr_from_ip_port(const struct ma_ip *ip, uint32_t code,
                                        uint16_t port)
{
    assert(ip->len == IP4_BYTES || ip->len == IP6_BYTES);
    assert(code == MA_TCP || code == MA_UDP);
    struct multiaddr addr = {0};
    struct wr w = wr_init(addr.bytes, sizeof(addr.bytes));
    wr_uvarint(&w, ip->len == IP4_BYTES ? MA_IP4 : MA_IP6);
    wr_bytes(&w, (struct bytes){ip->bytes, ip->len});
    wr_uvarint(&w, code);
    wr_be16(&w, port);
    addr.len = (uint16_t)wr_len(&w);
    return addr;
}

static struct ma_ip ip_of(const struct ma_component *c)
{
    struct ma_ip ip = {.len = (uint8_t)c->value.len};
    assert(c->value.len <= sizeof(ip.bytes));
    memcpy(ip.bytes, c->value.p, c->value.len);
    return ip;
}

static bool is_ip(const struct ma_component *c)
{
    return c->code == MA_IP4 || c->code == MA_IP6;
}

/* The next component, if /tcp/PORT and at most /p2p/ID follow it. */
static enum err read_host_and_tcp(struct rd r, struct ma_component *ret_host,
                                  uint16_t *ret_port)
{
    struct ma_component host;
    struct ma_component tcp;
    struct ma_component end;
    if (!multiaddr_next(&r, &host))
        return E_UNSUPPORTED;
    if (!multiaddr_next(&r, &tcp) || tcp.code != MA_TCP)
        return E_UNSUPPORTED;
    if (multiaddr_next(&r, &end) && end.code != MA_P2P)
        return E_UNSUPPORTED;
    if (multiaddr_next(&r, &end))
        return E_UNSUPPORTED;
    struct rd port = rd_init(tcp.value);
    *ret_host = host;
    *ret_port = rd_be16(&port);
    return OK;
}

static enum err get_host_and_tcp(const struct multiaddr *addr,
                                 struct ma_component *ret_host,
                                 uint16_t *ret_port)
{
    return read_host_and_tcp(multiaddr_rd(addr), ret_host, ret_port);
}

enum err multiaddr_get_zoned_tcp(const struct multiaddr *addr,
                                 struct ma_ip *ret_ip, uint16_t *ret_port,
                                 struct bytes *ret_zone)
{
    struct rd r = multiaddr_rd(addr);
    struct ma_component zone;
    struct ma_component host;
    uint16_t port = 0;
    if (!multiaddr_next(&r, &zone) || zone.code != MA_IP6ZONE) {
        zone.value = BYTES_EMPTY;
        r = multiaddr_rd(addr);
    }
    enum err err = read_host_and_tcp(r, &host, &port);
    if (err != OK)
        return err;
    if (!is_ip(&host) || (zone.value.len > 0 && host.code != MA_IP6))
        return E_UNSUPPORTED;
    *ret_ip = ip_of(&host);
    *ret_port = port;
    *ret_zone = zone.value;
    return OK;
}

enum err multiaddr_get_tcp(const struct multiaddr *addr, struct ma_ip *ret_ip,
                           uint16_t *ret_port)
{
    struct ma_component host;
    uint16_t port = 0;
    enum err err = get_host_and_tcp(addr, &host, &port);
    if (err != OK)
        return err;
    if (!is_ip(&host))
        return E_UNSUPPORTED;
    *ret_ip = ip_of(&host);
    *ret_port = port;
    return OK;
}

enum err multiaddr_get_dns_tcp(const struct multiaddr *addr, uint32_t *ret_code,
                               struct bytes *ret_name, uint16_t *ret_port)
{
    struct ma_component host;
    uint16_t port = 0;
    enum err err = get_host_and_tcp(addr, &host, &port);
    if (err != OK)
        return err;
    if (host.code != MA_DNS && host.code != MA_DNS4 && host.code != MA_DNS6)
        return E_UNSUPPORTED;
    *ret_code = host.code;
    *ret_name = host.value;
    *ret_port = port;
    return OK;
}

enum err multiaddr_get_ip(const struct multiaddr *addr, struct ma_ip *ret_ip)
{
    struct rd r = multiaddr_rd(addr);
    struct ma_component c;
    if (!multiaddr_next(&r, &c))
        return E_NOTFOUND;
    if (c.code == MA_IP6ZONE && !multiaddr_next(&r, &c))
        return E_NOTFOUND;
    if (!is_ip(&c))
        return E_NOTFOUND;
    *ret_ip = ip_of(&c);
    return OK;
}

/* The last component and where it begins; false for an empty address. */
static bool find_last(const struct multiaddr *addr, struct ma_component *ret_c,
                      size_t *ret_pos)
{
    struct rd r = multiaddr_rd(addr);
    struct ma_component c;
    size_t pos = 0;
    bool found = false;
    while (multiaddr_next(&r, &c)) {
        *ret_pos = pos;
        *ret_c = c;
        found = true;
        pos = addr->len - rd_left(&r);
    }
    return found;
}

enum err multiaddr_get_peer(const struct multiaddr *addr,
                            struct peer_id *ret_id)
{
    struct ma_component last;
    size_t pos = 0;
    if (!find_last(addr, &last, &pos) || last.code != MA_P2P)
        return E_NOTFOUND;
    enum err err = peer_id_decode(last.value, ret_id);
    assert(err == OK);
    return OK;
}

void multiaddr_strip_peer(struct multiaddr *addr)
{
    struct ma_component last;
    size_t pos = 0;
    if (!find_last(addr, &last, &pos) || last.code != MA_P2P)
        return;
    memset(addr->bytes + pos, 0, addr->len - pos);
    addr->len = (uint16_t)pos;
}

/* The limits are decode()'s; nothing follows a path. */
static enum err append_bytes(struct multiaddr *addr, struct bytes tail)
{
    uint8_t bytes[2 * MULTIADDR_BYTES_MAX];
    struct wr w = wr_init(bytes, sizeof(bytes));
    wr_bytes(&w, multiaddr_bytes(addr));
    wr_bytes(&w, tail);
    struct bytes all;
    enum err err = wr_finish(&w, &all);
    if (err != OK)
        return err;
    return multiaddr_decode(all, addr);
}

enum err multiaddr_append_peer(struct multiaddr *addr, const struct peer_id *id)
{
    uint8_t bytes[MULTIADDR_BYTES_MAX];
    struct wr w = wr_init(bytes, sizeof(bytes));
    wr_uvarint(&w, MA_P2P);
    wr_uvarint(&w, id->len);
    wr_bytes(&w, peer_id_bytes(id));
    assert(w.err == OK);
    return append_bytes(addr, (struct bytes){bytes, wr_len(&w)});
}

enum err multiaddr_append(struct multiaddr *addr, const struct multiaddr *tail)
{
    return append_bytes(addr, multiaddr_bytes(tail));
}
