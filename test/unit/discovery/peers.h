#ifndef TEST_UNIT_DISCOVERY_PEERS_H
#define TEST_UNIT_DISCOVERY_PEERS_H

/* What the tests of discovery share: keys, addresses and records. */

#include <string.h>

#include "base/wr.h"
#include "discovery/capability.h"
#include "multiformats/key.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

#include "test.h"

enum { TEST_UNIX_S = 1800000000 }; /* when the tests take place */

/** key_of - the key number @n; released by the caller. */
static inline struct privkey key_of(uint32_t n)
{
    uint8_t seed[ED25519_SEED_BYTES] = {0xd1, 0x5c};
    struct privkey key;
    struct wr w = wr_init(seed + 8, 4);
    wr_be32(&w, n);
    privkey_init_seed(&key, seed);
    return key;
}

/** id_of - a peer id without a key that anybody knows. */
static inline struct peer_id id_of(uint32_t n)
{
    struct peer_id id = {.len = 34, .bytes = {0x12, 0x20}};
    struct wr w = wr_init(id.bytes + 2, 32);
    wr_be32(&w, n);
    wr_be32(&w, n * 2654435761U);
    return id;
}

static inline struct multiaddr addr_of(const char *text)
{
    struct multiaddr addr;
    assert_int_equal(multiaddr_parse(bytes_str(text), &addr), OK);
    return addr;
}

/** addr_ip - /ip4/a.b.c.d/tcp/4101 of a number. */
static inline struct multiaddr addr_ip(uint32_t ip)
{
    struct ma_ip a = {.len = 4,
                      .bytes = {(uint8_t)(ip >> 24), (uint8_t)(ip >> 16),
                                (uint8_t)(ip >> 8), (uint8_t)ip}};
    return multiaddr_from_ip_port(&a, MA_TCP, 4101);
}

/** record_of - a record of the peer with @key, with storage and one address. */
static inline struct capability record_of(const struct privkey *key,
                                          const char *addr)
{
    struct capability c;
    memset(&c, 0, sizeof(c));
    memcpy(c.network, "devnet", 7);
    c.peer = privkey_peer_id(key);
    c.seq = (uint64_t)TEST_UNIX_S * 1000;
    c.expires_s = TEST_UNIX_S + CAPABILITY_LIFE_S;
    c.has_storage = true;
    c.storage_offer = 2000;
    c.storage_free = 1000;
    if (addr != NULL)
        c.addrs[c.addr_count++] = addr_of(addr);
    return c;
}

/** sealed_of - @c signed by @key, in @dst of CAPABILITY_BYTES_MAX. */
static inline struct bytes sealed_of(const struct privkey *key,
                                     const struct capability *c, uint8_t *dst)
{
    struct wr w = wr_init(dst, CAPABILITY_BYTES_MAX);
    struct bytes out;
    capability_seal(key, c, &w);
    assert_int_equal(wr_finish(&w, &out), OK);
    return out;
}

#endif /* TEST_UNIT_DISCOVERY_PEERS_H */
