/*
 * Goal: whatever peers and the owner do in whatever order, the core stays
 * within its limits, asks for nothing that it should not, and comes to rest.
 * Method: the input is a script: one byte chooses what happens, the next ones
 * with whom and how; messages are taken from the script, wrapped in the right
 * kind, so that records of known keys get in.
 */
#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "discovery/discovery.h"
#include "multiformats/key.h"

enum { PEERS = 6, UNIX_S = 1800000000, OUTS_MAX = 10000, RECENT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* struct script - the run of one input. */
struct script {
    struct rd rd;
    struct discovery *d;
    struct privkey keys[PEERS + 1]; /* the last one is ours */
    struct mtime now;
    uint64_t requests[RECENT]; /* numbers of the core's last requests */
    uint64_t probes[RECENT];
    uint8_t at;
};

static void init_key(struct privkey *key, uint8_t n)
{
    uint8_t seed[ED25519_SEED_BYTES] = {n, 1};
    privkey_init_seed(key, seed);
}

static struct multiaddr addr_of(uint8_t n)
{
    static const uint8_t firsts[] = {20, 21, 10, 127};
    struct ma_ip ip = {.len = 4, .bytes = {firsts[n % 4], n, 0, 1}};
    return multiaddr_from_ip_port(&ip, MA_TCP, (uint16_t)(1000 + n));
}

static void drain(struct script *s)
{
    struct discovery_out out;
    size_t count = 0;
    while (discovery_next(s->d, s->now, &out)) {
        count++;
        assert(count < OUTS_MAX);
        assert(out.addr_count <= BOOK_ADDRS_MAX);
        assert(out.message.len <= PEERS_MESSAGE_BYTES_MAX);
        s->at = (uint8_t)((s->at + 1) % RECENT);
        if (out.kind == DISCOVERY_REQUEST)
            s->requests[s->at] = out.id;
        if (out.kind == DISCOVERY_PROBE)
            s->probes[s->at] = out.id;
        if (out.kind == DISCOVERY_DIAL || out.kind == DISCOVERY_PROBE)
            assert(out.addr_count > 0);
    }
}

static struct bytes sealed(struct script *s, uint8_t n, uint8_t *dst)
{
    struct capability c;
    memset(&c, 0, sizeof(c));
    memcpy(c.network, "devnet", 6);
    c.peer = privkey_peer_id(&s->keys[n % PEERS]);
    uint8_t how = rd_u8(&s->rd);
    c.seq = (uint64_t)UNIX_S * 1000 + how;
    c.expires_s = UNIX_S + (uint64_t)how * 300;
    c.addrs[0] = addr_of(rd_u8(&s->rd));
    c.addr_count = how % 2;
    struct wr w = wr_init(dst, CAPABILITY_BYTES_MAX);
    capability_seal(&s->keys[n % PEERS], &c, &w);
    return (struct bytes){dst, wr_len(&w)};
}

/* A message of one of the kinds, or whatever bytes the script has. */
static struct bytes message(struct script *s, uint8_t n, uint8_t *dst,
                            size_t max)
{
    static uint8_t records[2][CAPABILITY_BYTES_MAX];
    struct peers_message m;
    uint8_t kind = rd_u8(&s->rd) % (PEERS_RESULT + 2);
    if (kind > PEERS_RESULT)
        return rd_view(&s->rd, rd_u8(&s->rd) % (rd_left(&s->rd) + 1));
    memset(&m, 0, sizeof(m));
    m.kind = (enum peers_kind)kind;
    m.max = 1 + rd_u8(&s->rd) % PEERS_RECORDS_MAX;
    if (m.kind == PEERS_HELLO)
        m.record = sealed(s, n, records[0]);
    if (m.kind == PEERS_PEERS) {
        m.record_count = 2;
        m.records[0] = sealed(s, rd_u8(&s->rd), records[0]);
        m.records[1] = sealed(s, rd_u8(&s->rd), records[1]);
    }
    if (m.kind == PEERS_PROBE) {
        m.peer = privkey_peer_id(&s->keys[rd_u8(&s->rd) % (PEERS + 1)]);
        m.addr_count = 1;
        m.addrs[0] = addr_of(rd_u8(&s->rd));
    }
    struct wr w = wr_init(dst, max);
    peers_message_encode(&m, &w);
    return (struct bytes){dst, wr_len(&w)};
}

static void links_step(struct script *s, uint8_t what, uint8_t n)
{
    struct peer_id peer = privkey_peer_id(&s->keys[n % PEERS]);
    struct multiaddr addr = addr_of(n);
    switch (what % 5) {
    case 0:
        discovery_on_connected(s->d, &peer, &addr, n % 2 == 0, s->now);
        break;
    case 1:
        discovery_on_disconnected(s->d, &peer, s->now);
        break;
    case 2:
        discovery_on_dial_failed(s->d, &peer, E_IO, s->now);
        break;
    case 3:
        discovery_on_identified(s->d, &peer, n % 16 != 0, s->now);
        break;
    default:
        discovery_event(s->d, &peer, (enum quality_kind)(n % 11), n, s->now);
        break;
    }
}

static void book_step(struct script *s, uint8_t what, uint8_t n)
{
    struct peer_id peer = privkey_peer_id(&s->keys[n % (PEERS + 1)]);
    struct multiaddr addr = addr_of(n);
    struct ban_target target = {.peer = peer};
    struct book_heard heard = {.peer = &peer,
                               .addrs = &addr,
                               .count = 1,
                               .source = (enum book_source)(n % 7)};
    enum err err = OK;
    switch (what % 4) {
    case 0:
        err = discovery_hear(s->d, &heard, s->now);
        break;
    case 1:
        err = discovery_forget(s->d, &peer, s->now);
        break;
    case 2:
        err =
            discovery_ban(s->d, &target, BAN_TEMPORARY, BYTES_EMPTY, n, s->now);
        break;
    default:
        err = discovery_unban(s->d, &target, s->now);
        break;
    }
    assert(err == OK || err == E_NOTFOUND || err == E_LIMIT ||
           err == E_REFUSED);
}

static void step(struct script *s)
{
    static uint8_t room[PEERS_MESSAGE_BYTES_MAX];
    uint8_t what = rd_u8(&s->rd);
    uint8_t n = rd_u8(&s->rd);
    struct peer_id peer = privkey_peer_id(&s->keys[n % PEERS]);
    struct multiaddr addr = addr_of(n);
    struct bytes in;
    switch (what / 32) {
    case 0:
    case 1:
        links_step(s, what, n);
        break;
    case 2:
        book_step(s, what, n);
        break;
    case 3:
    case 4:
        in = message(s, n, room, sizeof(room));
        discovery_on_request(s->d, &peer, n, in, s->now);
        break;
    case 5:
        in = message(s, n, room, sizeof(room));
        discovery_on_answer(s->d, s->requests[n % RECENT],
                            what % 8 == 0 ? E_TIMEOUT : OK, in, s->now);
        break;
    case 6:
        discovery_on_probed(s->d, s->probes[n % RECENT],
                            what % 2 == 0 ? OK : E_IO,
                            what % 2 == 0 ? &addr : NULL, s->now);
        break;
    default:
        s->now = mtime_add_ms(s->now, (uint32_t)n * n * n);
        break;
    }
}

static void check_end(struct script *s)
{
    struct discovery_candidate c;
    struct peer_id after;
    size_t count = 0;
    while (discovery_next_candidate(s->d, count == 0 ? NULL : &after, s->now,
                                    &c)) {
        after = c.peer;
        assert(c.expires_s > UNIX_S);
        count++;
        assert(count <= PEERS);
    }
    struct discovery_counts counts = discovery_counts(s->d);
    assert(counts.known <= PEERS);
    uint8_t key[BOOK_KEY_MAX];
    uint8_t value[BOOK_VALUE_MAX];
    for (size_t i = 0;; i++) {
        struct wr k = wr_init(key, sizeof(key));
        struct wr v = wr_init(value, sizeof(value));
        if (!discovery_next_change(s->d, &k, &v))
            break;
        assert(i < 1000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct script s = {.rd = rd_init((struct bytes){data, len}),
                       .now = {UINT64_C(1000000000)}};
    struct capability self;
    for (size_t i = 0; i <= PEERS; i++)
        init_key(&s.keys[i], (uint8_t)i);
    struct discovery_config config = {.network = "devnet",
                                      .key = &s.keys[PEERS],
                                      .outbound_target = 2,
                                      .guests = 2,
                                      .conns_high = 4};
    s.d = discovery_new(&config);
    discovery_set_clock(s.d, (uint64_t)UNIX_S * 1000, s.now);
    memset(&self, 0, sizeof(self));
    discovery_set_self(s.d, &self, s.now);
    discovery_start(s.d, s.now);
    for (size_t i = 0; i < 1000 && rd_left(&s.rd) > 0; i++) {
        step(&s);
        drain(&s);
        if (mtime_reached(s.now, discovery_deadline(s.d)))
            discovery_on_time(s.d, s.now);
        drain(&s);
    }
    check_end(&s);
    discovery_free(s.d);
    for (size_t i = 0; i <= PEERS; i++)
        privkey_release(&s.keys[i]);
    return 0;
}
