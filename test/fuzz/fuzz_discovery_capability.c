/*
 * Goal: no record crashes the decoder; what it accepts is within the limits and
 * has one encoding: seal(open(x)) == x.
 * Method: the first byte tells whether the rest is a whole record, or a map
 * that is signed here, so that signatures are no obstacle.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/wr.h"
#include "discovery/capability.h"
#include "multiformats/envelope.h"
#include "multiformats/key.h"

enum { UNIX_S = 1800000000, ROOM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void init_key(struct privkey *key)
{
    uint8_t seed[ED25519_SEED_BYTES];
    for (size_t i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)i;
    privkey_init_seed(key, seed);
}

static void check_limits(const struct capability *c)
{
    assert(strlen(c->network) <= CAPABILITY_NETWORK_MAX);
    assert(c->addr_count <= CAPABILITY_ADDRS_MAX);
    for (size_t i = 0; i < c->addr_count; i++) {
        assert(c->addrs[i].len > 0);
        assert(c->addrs[i].len <= CAPABILITY_ADDR_BYTES_MAX);
    }
    assert(c->operator_len <= CAPABILITY_OPERATOR_MAX);
    assert(c->storage_free <= c->storage_offer);
    assert(c->storage_offer <= CAPABILITY_STORAGE_MAX);
    assert(c->compute.len <= CAPABILITY_COMPUTE_MAX);
    assert(c->profile.len <= CAPABILITY_PROFILE_MAX);
    assert(c->expires_s > UNIX_S);
    assert(c->peer.len > 0);
}

/* Whether @in opens, and what peek says of it is the same then. */
static bool opens(struct bytes in, struct capability *c)
{
    struct peer_id peer;
    uint64_t seq;
    if (capability_open(in, BYTES_LIT("devnet"), UNIX_S, c) != OK)
        return false;
    enum err err = capability_peek(in, &peer, &seq);
    assert(err == OK);
    assert(peer_id_eq(&peer, &c->peer));
    assert(seq == c->seq);
    check_limits(c);
    return true;
}

static void try_map(struct bytes map)
{
    static const struct envelope_use use = {
        .domain = {(const uint8_t *)"xmbl-capability", 15},
        .type = {(const uint8_t *)"/xmbl/capability/1", 18}};
    struct capability c;
    uint8_t first[ROOM];
    uint8_t second[ROOM];
    struct privkey key;
    if (map.len > ROOM / 2)
        return;
    init_key(&key);
    struct wr w = wr_init(first, sizeof(first));
    envelope_seal(&key, use, map, &w);
    if (opens((struct bytes){first, wr_len(&w)}, &c)) {
        struct wr v = wr_init(second, sizeof(second));
        capability_seal(&key, &c, &v);
        /* Shorter where an address of an unknown protocol was left out. */
        assert(wr_len(&v) <= wr_len(&w));
        if (wr_len(&v) == wr_len(&w))
            assert(memcmp(first, second, wr_len(&v)) == 0);
        else
            assert(c.addr_count < CAPABILITY_ADDRS_MAX);
    }
    privkey_release(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct capability c;
    struct peer_id peer;
    uint64_t seq;
    if (len == 0)
        return 0;
    struct bytes rest = {data + 1, len - 1};
    if (data[0] % 2 == 0) {
        try_map(rest);
        return 0;
    }
    (void)opens(rest, &c); /* the checks are inside */
    enum err err = capability_peek(rest, &peer, &seq);
    assert(err != OK || peer.len > 0);
    return 0;
}
