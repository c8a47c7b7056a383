#include "kad_one.h"

#include "base/buf.h"
#include "base/wr.h"
#include "kad/ipns.h"
#include "kad/kad_addrs.h"
#include "kad_net.h"
#include "multiformats/key.h"

#include "test.h"

void one_make(struct one *o, enum kad_scope scope, uint32_t queries_max)
{
    memset(o, 0, sizeof(*o));
    o->self = net_peer_id(0, 77);
    o->now.ns = 1000;
    struct kad_config config = {.self = o->self,
                                .scope = scope,
                                .server = true,
                                .ip_diversity = true,
                                .keep = true,
                                .queries_max = queries_max,
                                .unix_ms = 1700000000000};
    o->kad = kad_new(&config, o->now);
    struct multiaddr addr = net_addr(0);
    kad_set_addrs(o->kad, &addr, 1);
}

bool one_next(struct one *o, enum kad_out_kind kind)
{
    while (kad_next(o->kad, &o->out)) {
        if (o->out.kind == kind)
            return true;
        buf_unref(o->out.bytes);
    }
    return false;
}

void one_drain(struct one *o)
{
    while (kad_next(o->kad, &o->out))
        buf_unref(o->out.bytes);
}

void one_end(struct one *o)
{
    kad_free(o->kad);
}

void one_meet(struct one *o, uint64_t i, const struct multiaddr *remote)
{
    struct peer_id id = net_peer_id(i, 77);
    struct multiaddr addr = net_addr(i);
    kad_on_peer(o->kad, &id, &addr, 1, remote == NULL ? &addr : remote, o->now);
}

struct buf *one_answer(enum kad_type type, uint64_t from, size_t count)
{
    static struct kad_peer_out peers[2048];
    static struct kad_addrs addrs[2048];
    assert_true(count <= countof(peers));
    for (size_t i = 0; i < count; i++) {
        struct kad_addr_list list = {.count = 1};
        list.addrs[0] = net_addr(from + i);
        addrs[i] = kad_addrs_pack(&list);
        peers[i] = (struct kad_peer_out){.id = net_peer_id(from + i, 77),
                                         .addrs = &addrs[i]};
    }
    struct kad_message_out m = {
        .type = type, .closer = peers, .closer_count = count};
    struct buf *b = kad_message_encode(&m, 1 << 20);
    for (size_t i = 0; i < count; i++)
        kad_addrs_release(&addrs[i]);
    return b;
}

enum err one_reply(struct one *o, uint64_t message, struct buf *bytes)
{
    struct multiaddr remote = net_addr(1);
    enum err err =
        kad_on_reply(o->kad, message, &remote, buf_bytes(bytes), o->now);
    buf_unref(bytes);
    return err;
}

void one_admit(struct one *o, uint64_t i)
{
    one_meet(o, i, NULL);
    assert_true(one_next(o, KAD_SEND));
    uint64_t message = o->out.message;
    struct peer_id id = net_peer_id(i, 77);
    assert_true(peer_id_eq(&o->out.peer, &id));
    buf_unref(o->out.bytes);
    assert_int_equal(one_reply(o, message, one_answer(KAD_FIND_NODE, 0, 1)),
                     OK);
    one_drain(o);
}

size_t one_contacts(const struct one *o)
{
    return kad_get_stats(o->kad).contacts_count;
}

void make_record(struct record *r, uint64_t sequence)
{
    uint8_t seed[ED25519_SEED_BYTES] = {42};
    struct privkey key;
    privkey_init_seed(&key, seed);
    struct ipns_fields fields = {.value = BYTES_LIT("/ipfs/bafkqaaa"),
                                 .sequence = sequence,
                                 .eol =
                                     unix_time_of_ms(1700000000000 + 86400000),
                                 .ttl_ns = 1000};
    struct wr w = wr_init(r->value, sizeof(r->value));
    assert_int_equal(ipns_make(&key, &fields, &w), OK);
    r->len = wr_len(&w);
    struct value_key name = {.space = VALUE_IPNS};
    name.name = privkey_peer_id(&key);
    r->key_len = value_key_encode(&name, r->key);
    privkey_release(&key);
}

struct bytes key_of(const struct record *r)
{
    return (struct bytes){r->key, r->key_len};
}

struct bytes value_of(const struct record *r)
{
    return (struct bytes){r->value, r->len};
}

struct multihash hash_of(uint64_t i)
{
    return multihash_sha256((struct bytes){(const uint8_t *)&i, sizeof(i)});
}
