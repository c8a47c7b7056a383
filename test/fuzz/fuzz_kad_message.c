/*
 * Goal: no message crashes the decoder or the server, and what is said again
 * means the same: decode(encode(decode(x))) == decode(x).
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "kad/kad.h"
#include "kad/kad_addrs.h"
#include "kad/message.h"

enum {
    PEERS_MAX = KAD_MESSAGE_CLOSER_MAX,
    MORE_KEYS_BYTES_MAX =
        KAD_MESSAGE_MORE_KEYS_MAX * (1 + KAD_PROVIDER_KEY_MAX),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Peers of a message, with the addresses that are kept of them. */
struct peers {
    struct kad_peer_out out[PEERS_MAX];
    struct kad_addrs addrs[PEERS_MAX];
    size_t count;
};

static void read_peers(const struct kad_message *m, enum kad_peer_list which,
                       struct peers *p)
{
    struct kad_peer_cursor c = kad_peer_cursor_init(m, which);
    struct kad_message_peer peer;
    struct multiaddr addr;

    p->count = 0;
    while (p->count < PEERS_MAX && kad_peer_cursor_next(&c, &peer)) {
        struct kad_addr_cursor a = kad_addr_cursor_init(&peer);
        struct kad_addr_list list = {.count = 0};
        while (kad_addr_cursor_next(&a, &addr))
            kad_addr_list_add(&list, &addr);
        p->addrs[p->count] = kad_addrs_pack(&list);
        p->out[p->count] =
            (struct kad_peer_out){.id = peer.id, .addrs = &p->addrs[p->count]};
        p->count++;
    }
}

static void release_peers(struct peers *p)
{
    for (size_t i = 0; i < p->count; i++)
        kad_addrs_release(&p->addrs[i]);
}

static void check_same_peers(const struct peers *a, const struct peers *b)
{
    assert(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert(peer_id_eq(&a->out[i].id, &b->out[i].id));
        assert(a->addrs[i].count == b->addrs[i].count);
        if (a->addrs[i].count > 0)
            assert(bytes_eq(buf_bytes(a->addrs[i].buf),
                            buf_bytes(b->addrs[i].buf)));
    }
}

/* The further keys of a message, each after its length. */
static struct bytes read_more_keys(const struct kad_message *m, uint8_t *dst)
{
    struct kad_more_keys c = kad_more_keys_init(m);
    struct bytes key;
    size_t len = 0;

    while (kad_more_keys_next(&c, &key)) {
        assert(key.len <= KAD_PROVIDER_KEY_MAX);
        dst[len++] = (uint8_t)key.len;
        if (key.len > 0)
            memcpy(&dst[len], key.p, key.len);
        len += key.len;
    }
    assert(len <= MORE_KEYS_BYTES_MAX);
    return (struct bytes){.p = dst, .len = len};
}

static void check_again(const struct kad_message *m)
{
    static struct peers closer;
    static struct peers providers;
    static struct peers again;
    static uint8_t more[MORE_KEYS_BYTES_MAX];
    static uint8_t more_again[MORE_KEYS_BYTES_MAX];
    struct kad_message n;

    read_peers(m, KAD_CLOSER_PEERS, &closer);
    read_peers(m, KAD_PROVIDER_PEERS, &providers);
    struct kad_message_out out = {.type = m->type,
                                  .key = m->key,
                                  .more_keys = read_more_keys(m, more),
                                  .has_record = m->has_record,
                                  .record_key = m->record_key,
                                  .record_value = m->record_value,
                                  .closer = closer.out,
                                  .closer_count = closer.count,
                                  .providers = providers.out,
                                  .providers_count = providers.count};
    struct buf *b = kad_message_encode(&out, SIZE_MAX);
    enum err err = kad_message_decode(buf_bytes(b), &n);
    assert(err == OK);
    assert(b->len == kad_message_len(&out));
    assert(bytes_eq(read_more_keys(&n, more_again), out.more_keys));
    assert(n.type == m->type);
    assert(bytes_eq(n.key, m->key));
    assert(n.has_record == m->has_record);
    assert(bytes_eq(n.record_key, m->record_key));
    assert(bytes_eq(n.record_value, m->record_value));
    read_peers(&n, KAD_CLOSER_PEERS, &again);
    check_same_peers(&closer, &again);
    release_peers(&again);
    read_peers(&n, KAD_PROVIDER_PEERS, &again);
    check_same_peers(&providers, &again);
    release_peers(&again);
    release_peers(&closer);
    release_peers(&providers);
    buf_unref(b);
}

/* The message as a request, and as the answer to one of ours. */
static void check_kad(struct bytes in)
{
    struct kad_config config = {.self = {.len = 3, .bytes = {0, 1, 1}},
                                .scope = KAD_OWN,
                                .server = true};
    struct peer_id other = {.len = 3, .bytes = {0, 1, 2}};
    struct mtime now = {1};
    struct multiaddr addr;
    struct buf *reply = NULL;
    static struct kad_out out;
    uint64_t refused = 0;
    enum err err = multiaddr_parse(BYTES_LIT("/ip4/127.0.0.1/tcp/1"), &addr);

    assert(err == OK);
    struct kad *k = kad_new(&config, now);
    kad_on_peer(k, &other, &addr, 1, &addr, now);
    struct kad_request request = {.from = &other, .remote = &addr, .bytes = in};
    if (kad_serve(k, &request, now, &reply) == OK)
        buf_unref(reply);
    for (size_t i = 0; i < 100 && kad_next(k, &out); i++) {
        buf_unref(out.bytes);
        if (out.kind == KAD_SEND)
            refused += kad_on_reply(k, out.message, &addr, in, now) != OK;
    }
    assert(refused <= kad_get_stats(k).bad_answers);
    kad_on_time(k, now);
    kad_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct kad_message m;
    uint8_t *copy = mem_dup(data, len);
    struct bytes in = {.p = copy, .len = len};

    if (kad_message_decode(in, &m) == OK)
        check_again(&m);
    check_kad(in);
    mem_free(copy);
    return 0;
}
