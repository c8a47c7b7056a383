#ifndef MULTIFORMATS_MULTIADDR_H
#define MULTIFORMATS_MULTIADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"

struct peer_id;

enum {
    MULTIADDR_BYTES_MAX = 256,
    MULTIADDR_COMPONENTS_MAX = 20,
    MULTIADDR_PARSE_MAX = 1280, /* longest text that is looked at */
    MULTIADDR_TEXT_MAX = 1280,  /* room for any text and its NUL */
};

/* Protocols of components, by their multicodec. */
enum {
    MA_IP4 = 4,
    MA_TCP = 6,
    MA_DCCP = 33,
    MA_IP6 = 41,
    MA_IP6ZONE = 42,
    MA_IPCIDR = 43,
    MA_DNS = 53,
    MA_DNS4 = 54,
    MA_DNS6 = 55,
    MA_DNSADDR = 56,
    MA_SCTP = 132,
    MA_UDP = 273,
    MA_P2P_WEBRTC_DIRECT = 276,
    MA_WEBRTC_DIRECT = 280,
    MA_WEBRTC = 281,
    MA_P2P_CIRCUIT = 290,
    MA_UDT = 301,
    MA_UTP = 302,
    MA_UNIX = 400,
    MA_P2P = 421,
    MA_HTTPS = 443,
    MA_ONION3 = 445,
    MA_TLS = 448,
    MA_SNI = 449,
    MA_NOISE = 454,
    MA_QUIC = 460,
    MA_QUIC_V1 = 461,
    MA_WEBTRANSPORT = 465,
    MA_CERTHASH = 466,
    MA_WS = 477,
    MA_WSS = 478,
    MA_P2P_WEBSOCKET_STAR = 479,
    MA_HTTP = 480,
    MA_HTTP_PATH = 481,
    MA_MEMORY = 777,
    MA_PLAINTEXTV2 = 7367777,
};

/**
 * struct multiaddr - network address that names its own protocols.
 *
 * A plain value in its binary form, which has been checked.  A zeroed struct
 * is no address.
 *
 * Spec: multiformats/multiaddr README.md, "Specification".
 */
struct multiaddr {
    uint16_t len;
    uint8_t bytes[MULTIADDR_BYTES_MAX]; /* bytes past len are zero */
};

/** struct ma_component - one step of an address: protocol and value. */
struct ma_component {
    uint32_t code;
    struct bytes value; /* without its length; view into the address */
};

/** struct ma_ip - an IP address: 4 or 16 bytes in network order. */
struct ma_ip {
    uint8_t len; /* 4 or 16 */
    uint8_t bytes[16];
};

/* Room for the text of an IP address and its NUL. */
enum { MA_IP_TEXT_MAX = 46 };

/** enum ma_class - who can reach an address. */
enum ma_class {
    MA_CLASS_PUBLIC,     /* everybody, or a name that may be anything */
    MA_CLASS_PRIVATE,    /* those in the same network */
    MA_CLASS_LOOPBACK,   /* this machine */
    MA_CLASS_UNROUTABLE, /* nobody: unspecified, documentation, multicast */
    MA_CLASS_OTHER,      /* does not begin with an IP address or a name */
};

/**
 * multiaddr_decode - address in binary that fills @in exactly.
 *
 * Return: OK; E_SHORT, also when @in is empty; E_MALFORMED for a value that
 * its protocol forbids; E_LIMIT over MULTIADDR_BYTES_MAX or
 * MULTIADDR_COMPONENTS_MAX; E_UNSUPPORTED for an unknown protocol: skip this
 * address, not the message that it came in.
 */
MUST_USE enum err multiaddr_decode(struct bytes in, struct multiaddr *ret_addr);

/** multiaddr_bytes - binary form, valid while @addr is. */
struct bytes multiaddr_bytes(const struct multiaddr *addr);

/**
 * multiaddr_parse - address from its text, "/ip4/1.2.3.4/tcp/4001".
 *
 * Return: as multiaddr_decode(); E_LIMIT over MULTIADDR_PARSE_MAX too.
 */
MUST_USE enum err multiaddr_parse(struct bytes text,
                                  struct multiaddr *ret_addr);

/**
 * multiaddr_format - text of @addr.
 * @dst: room for MULTIADDR_TEXT_MAX; gets a NUL at the end.
 *
 * Names and paths are shown as they came: escape them before a terminal.
 *
 * Return: length without NUL; cannot fail.
 */
size_t multiaddr_format(const struct multiaddr *addr,
                        char dst[static MULTIADDR_TEXT_MAX]);

/** multiaddr_eq - true when @a and @b are the same address. */
bool multiaddr_eq(const struct multiaddr *a, const struct multiaddr *b);

/** multiaddr_cmp - order of the bytes; below, at or above 0. */
int multiaddr_cmp(const struct multiaddr *a, const struct multiaddr *b);

/** multiaddr_rd - reader at the first component, for multiaddr_next(). */
struct rd multiaddr_rd(const struct multiaddr *addr);

/** multiaddr_next - next component; false at the end. */
bool multiaddr_next(struct rd *r, struct ma_component *ret_component);

/** multiaddr_has - true when @addr has a component @code. */
bool multiaddr_has(const struct multiaddr *addr, uint32_t code);

/** multiaddr_from_ip_port - /ip4|ip6/.../@code/@port, code MA_TCP or MA_UDP. */
struct multiaddr multiaddr_from_ip_port(const struct ma_ip *ip, uint32_t code,
                                        uint16_t port);

/**
 * multiaddr_get_tcp - IP address and port of a plain TCP address.
 * @ret_ip, @ret_port: where to dial.
 *
 * Return: OK for /ip4|ip6/.../tcp/..., with or without /p2p/... at the end;
 * E_UNSUPPORTED for all others.
 */
MUST_USE enum err multiaddr_get_tcp(const struct multiaddr *addr,
                                    struct ma_ip *ret_ip, uint16_t *ret_port);

/**
 * multiaddr_get_zoned_tcp - the same, also of an address that is good on one
 * link only.
 * @ret_zone: view into @addr; empty where it has none.
 *
 * Return: OK for /ip6zone/ZONE/ip6/.../tcp/... too; E_UNSUPPORTED.
 */
MUST_USE enum err multiaddr_get_zoned_tcp(const struct multiaddr *addr,
                                          struct ma_ip *ret_ip,
                                          uint16_t *ret_port,
                                          struct bytes *ret_zone);

/**
 * multiaddr_get_dns_tcp - name and port of /dns|dns4|dns6/NAME/tcp/PORT.
 * @ret_code: MA_DNS, MA_DNS4 or MA_DNS6.
 * @ret_name: view into @addr.
 *
 * Return: OK, with or without /p2p/... at the end; E_UNSUPPORTED for others.
 */
MUST_USE enum err multiaddr_get_dns_tcp(const struct multiaddr *addr,
                                        uint32_t *ret_code,
                                        struct bytes *ret_name,
                                        uint16_t *ret_port);

/**
 * multiaddr_get_ip - the IP address that @addr begins with.
 *
 * Return: OK; E_NOTFOUND. A zone before the address is skipped.
 */
MUST_USE enum err multiaddr_get_ip(const struct multiaddr *addr,
                                   struct ma_ip *ret_ip);

/**
 * multiaddr_get_peer - the peer that @addr ends at.
 *
 * Return: OK when the last component is /p2p; E_NOTFOUND.
 */
MUST_USE enum err multiaddr_get_peer(const struct multiaddr *addr,
                                     struct peer_id *ret_id);

/**
 * multiaddr_strip_peer - remove a /p2p component at the end, if there is one.
 *
 * An address that is nothing else becomes one of length 0.
 */
void multiaddr_strip_peer(struct multiaddr *addr);

/** multiaddr_append_peer - add /p2p/@id; E_LIMIT when it does not fit. */
MUST_USE enum err multiaddr_append_peer(struct multiaddr *addr,
                                        const struct peer_id *id);

/** multiaddr_append - add the components of @tail; E_LIMIT. */
MUST_USE enum err multiaddr_append(struct multiaddr *addr,
                                   const struct multiaddr *tail);

/** multiaddr_is_relay - true for an address through a relay. */
bool multiaddr_is_relay(const struct multiaddr *addr);

/**
 * multiaddr_class - who can reach @addr, by its first IP address or name.
 *
 * Relay addresses are to be asked for by multiaddr_is_relay() beforehand: what
 * counts here is the relay.
 *
 * Spec: multiformats/go-multiaddr net/private.go.
 */
enum ma_class multiaddr_class(const struct multiaddr *addr);

/**
 * ma_ip_parse - IP address from its text, without zone or port.
 *
 * IPv4 in four decimal numbers without leading zeros; IPv6 in any form.
 *
 * Return: OK; E_MALFORMED.
 *
 * Spec: RFC 4291, 2.2.
 */
MUST_USE enum err ma_ip_parse(struct bytes text, struct ma_ip *ret_ip);

/**
 * ma_ip_format - text of @ip.
 * @dst: room for MA_IP_TEXT_MAX; gets a NUL at the end.
 *
 * Return: length without NUL; cannot fail.
 *
 * Spec: RFC 5952, 4 and 5.
 */
size_t ma_ip_format(const struct ma_ip *ip, char dst[static MA_IP_TEXT_MAX]);

/**
 * ma_ip_group - number that addresses of one operator likely share.
 *
 * The first 16 bits of an IPv4 address, also one mapped into IPv6; the first
 * 32 of an IPv6 address.  IPv4 and IPv6 never share one; never 0.
 */
uint64_t ma_ip_group(const struct ma_ip *ip);

#endif /* MULTIFORMATS_MULTIADDR_H */
