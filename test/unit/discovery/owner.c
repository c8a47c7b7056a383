#include "owner.h"

#include "peers.h"

void owner_start_with(struct owner *o, struct discovery_config config)
{
    o->key = key_of(999);
    config.network = "devnet";
    config.key = &o->key;
    memset(config.seed, 7, sizeof(config.seed));
    o->now = (struct mtime){UINT64_C(1000000000)};
    o->d = discovery_new(&config);
    discovery_set_clock(o->d, (uint64_t)TEST_UNIX_S * 1000, o->now);
    discovery_start(o->d, o->now);
}

void owner_start(struct owner *o)
{
    owner_start_with(o, (struct discovery_config){0});
}

void owner_stop(struct owner *o)
{
    discovery_free(o->d);
    privkey_release(&o->key);
}

void owner_pass(struct owner *o, uint32_t ms)
{
    o->now = mtime_add_ms(o->now, ms);
    discovery_set_clock(
        o->d, (uint64_t)TEST_UNIX_S * 1000 + (o->now.ns - 1000000000) / 1000000,
        o->now);
}

/* The next output of @kind; others are passed over. */
bool owner_next(struct owner *o, enum discovery_out_kind kind,
                struct discovery_out *ret_out)
{
    while (discovery_next(o->d, o->now, ret_out)) {
        if (ret_out->kind == kind)
            return true;
    }
    return false;
}

size_t owner_count(struct owner *o, enum discovery_out_kind kind)
{
    struct discovery_out out;
    size_t found = 0;
    while (discovery_next(o->d, o->now, &out))
        found += out.kind == kind;
    return found;
}

void owner_drain(struct owner *o)
{
    (void)owner_count(o, DISCOVERY_DIAL);
}

enum err owner_hear(struct owner *o, uint32_t n, struct multiaddr addr,
                    enum book_source source)
{
    struct peer_id id = id_of(n);
    struct book_heard heard = {
        .peer = &id, .addrs = &addr, .count = 1, .source = source};
    return discovery_hear(o->d, &heard, o->now);
}

void owner_connect(struct owner *o, uint32_t n, struct multiaddr addr,
                   bool inbound)
{
    struct peer_id id = id_of(n);
    discovery_on_connected(o->d, &id, &addr, inbound, o->now);
    discovery_on_identified(o->d, &id, true, o->now);
}

void owner_send(struct owner *o, const struct peer_id *peer,
                const struct peers_message *m)
{
    static uint8_t bytes[PEERS_MESSAGE_BYTES_MAX];
    struct wr w = wr_init(bytes, sizeof(bytes));
    struct bytes out;
    peers_message_encode(m, &w);
    assert_int_equal(wr_finish(&w, &out), OK);
    discovery_on_request(o->d, peer, ++o->last_request, out, o->now);
}

/* What it answered to the last send(); false when the stream was reset. */
bool owner_answered(struct owner *o, struct peers_message *ret_m)
{
    struct discovery_out out;
    while (discovery_next(o->d, o->now, &out)) {
        if (out.kind == DISCOVERY_RESET && out.id == o->last_request)
            return false;
        if (out.kind != DISCOVERY_REPLY || out.id != o->last_request)
            continue;
        assert_int_equal(peers_message_decode(out.message, ret_m), OK);
        /* Views die with the next output: the tests count only. */
        return true;
    }
    fail_msg("%s", "no answer");
    return false;
}

void owner_hello(struct owner *o, const struct peer_id *peer,
                 struct bytes record)
{
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_HELLO;
    m.record = record;
    owner_send(o, peer, &m);
}

void owner_ask(struct owner *o, const struct peer_id *peer, uint32_t max)
{
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_ASK;
    m.max = max;
    owner_send(o, peer, &m);
}

uint32_t owner_score(struct owner *o, uint32_t n)
{
    struct peer_id id = id_of(n);
    return discovery_score(o->d, &id, o->now);
}

bool owner_refuses(struct owner *o, const struct peer_id *id)
{
    return discovery_admits(o->d, id, NULL, true, o->now) == E_REFUSED;
}

/* A member with a key, connected, whose record was taken. */
struct peer_id owner_member(struct owner *o, uint32_t n, const char *addr,
                            bool inbound)
{
    struct privkey key = key_of(n);
    uint8_t bytes[CAPABILITY_BYTES_MAX];
    struct capability c = record_of(&key, addr);
    struct multiaddr a = addr_of(addr);
    discovery_on_connected(o->d, &c.peer, &a, inbound, o->now);
    discovery_on_identified(o->d, &c.peer, true, o->now);
    owner_hello(o, &c.peer, sealed_of(&key, &c, bytes));
    privkey_release(&key);
    return c.peer;
}
