/*
 * Goal: the client of the DHT does what it should with peers, queries and
 * answers, and what comes from outside costs no more than the limits say.
 * Method: single nodes that are handed messages, hostile ones too.
 */
#include "base/buf.h"
#include "base/wr.h"
#include "kad/kad.h"
#include "kad/kad_addrs.h"
#include "kad/keyspace.h"
#include "kad/message.h"
#include "kad_net.h"
#include "kad_one.h"
#include "multiformats/pb.h"

#include "test.h"

static void who_answers_a_lookup_for_itself_enters(void **state)
{
    (void)state;
    struct one o;
    struct kad_message m;
    struct peer_id id = net_peer_id(1, 77);
    one_make(&o, KAD_OWN, 0);
    one_meet(&o, 1, NULL);
    assert_int_equal(one_contacts(&o), 0);
    assert_true(one_next(&o, KAD_SEND));
    assert_int_equal(o.out.query, 0);
    assert_int_equal(o.out.addrs_count, 1);
    assert_int_equal(o.out.reply_max, KAD_REPLY_BYTES_MAX);
    assert_int_equal(kad_message_decode(buf_bytes(o.out.bytes), &m), OK);
    assert_int_equal(m.type, KAD_FIND_NODE);
    assert_true(bytes_eq(m.key, peer_id_bytes(&id)));
    uint64_t message = o.out.message;
    buf_unref(o.out.bytes);
    assert_int_equal(one_reply(&o, message, one_answer(KAD_FIND_NODE, 0, 0)),
                     OK);
    assert_int_equal(one_contacts(&o), 1);
    struct kad_contact_info info;
    assert_true(kad_contact(o.kad, 0, &info));
    assert_true(peer_id_eq(&info.peer, &id));
    assert_true(info.connected);
    assert_false(kad_contact(o.kad, 1, &info));
    struct peer_id near[2];
    assert_int_equal(kad_closest(o.kad, BYTES_LIT("x"), near, 2), 1);
    assert_true(peer_id_eq(&near[0], &id));
    assert_int_equal(kad_closest(o.kad, BYTES_LIT("x"), near, 0), 0);
    /* The answer is counted once. */
    assert_int_equal(one_reply(&o, message, one_answer(KAD_FIND_NODE, 0, 0)),
                     E_NOTFOUND);
    kad_on_disconnected(o.kad, &id, o.now);
    assert_true(kad_contact(o.kad, 0, &info));
    assert_false(info.connected);
    kad_on_peer_left(o.kad, &id, o.now);
    assert_int_equal(one_contacts(&o), 0);
    one_end(&o);
}

static void who_does_not_answer_stays_out(void **state)
{
    (void)state;
    struct one o;
    one_make(&o, KAD_OWN, 0);
    one_meet(&o, 1, NULL);
    assert_true(one_next(&o, KAD_SEND));
    uint64_t message = o.out.message;
    buf_unref(o.out.bytes);
    o.now = mtime_add_ms(o.now, KAD_TIMEOUT_MS - 1);
    kad_on_time(o.kad, o.now);
    assert_false(one_next(&o, KAD_DROP));
    o.now = mtime_add_ms(o.now, 1);
    assert_true(mtime_reached(o.now, kad_deadline(o.kad)));
    kad_on_time(o.kad, o.now);
    assert_true(one_next(&o, KAD_DROP));
    assert_int_equal(o.out.message, message);
    assert_int_equal(one_contacts(&o), 0);
    assert_int_equal(kad_get_stats(o.kad).failures, 1);
    /* It may try again when identify says so again. */
    one_admit(&o, 1);
    assert_int_equal(one_contacts(&o), 1);
    one_end(&o);
}

static void a_few_are_checked_at_a_time(void **state)
{
    (void)state;
    struct one o;
    size_t sends = 0;
    one_make(&o, KAD_OWN, 0);
    for (uint64_t i = 1; i <= 300; i++)
        one_meet(&o, i, NULL);
    for (; one_next(&o, KAD_SEND); sends++)
        buf_unref(o.out.bytes);
    assert_int_equal(sends, 8);
    assert_int_equal(kad_get_stats(o.kad).messages_count, 8);
    one_end(&o);
}

static void the_scopes_admit_by_address(void **state)
{
    (void)state;
    static const struct {
        enum kad_scope scope;
        const char *remote;
        const char *addr;
        bool asked;
    } rows[] = {
        {KAD_WAN, "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1", true},
        {KAD_WAN, "/ip4/1.2.3.4/tcp/1", "/ip4/10.2.3.4/tcp/1", false},
        {KAD_WAN, "/ip4/10.2.3.4/tcp/1", "/ip4/10.2.3.4/tcp/1", false},
        {KAD_LAN, "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1", false},
        {KAD_LAN, "/ip4/10.2.3.4/tcp/1", "/ip4/10.2.3.4/tcp/1", true},
        {KAD_LAN, "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1", true},
        {KAD_LAN, "/ip4/10.2.3.4/tcp/1", "/ip4/127.0.0.1/tcp/1", false},
        {KAD_OWN, "/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.4/tcp/1", true},
        {KAD_OWN, "/ip4/1.2.3.4/tcp/1", "/ip4/10.2.3.4/tcp/1", false},
        {KAD_OWN, "/ip4/10.2.3.4/tcp/1", "/ip4/127.0.0.1/tcp/1", false},
        {KAD_OWN, "/ip4/127.0.0.1/tcp/1", "/ip4/10.2.3.4/tcp/1", true},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        struct multiaddr remote;
        struct multiaddr addr;
        struct peer_id id = net_peer_id(1, 77);
        one_make(&o, rows[i].scope, 0);
        assert_int_equal(multiaddr_parse(bytes_str(rows[i].remote), &remote),
                         OK);
        assert_int_equal(multiaddr_parse(bytes_str(rows[i].addr), &addr), OK);
        kad_on_peer(o.kad, &id, &addr, 1, &remote, o.now);
        bool asked = one_next(&o, KAD_SEND);
        if (asked)
            buf_unref(o.out.bytes);
        if (asked != rows[i].asked)
            fail_msg("row %zu", i);
        one_end(&o);
    }
}

static void we_are_told_when_nobody_is_there(void **state)
{
    (void)state;
    struct one o;
    uint64_t query;
    struct multihash hash = hash_of(1);
    struct peer_id id = net_peer_id(1, 77);
    one_make(&o, KAD_OWN, 0);
    assert_int_equal(kad_find_node(o.kad, BYTES_LIT("x"), o.now, &query),
                     E_AGAIN);
    assert_int_equal(kad_provide(o.kad, &hash, o.now, &query), E_AGAIN);
    /* Providers may be known here. */
    assert_int_equal(kad_find_providers(o.kad, &hash, 1, o.now, &query), OK);
    assert_true(one_next(&o, KAD_DONE));
    assert_int_equal(o.out.err, E_NOTFOUND);
    assert_true(mtime_reached(o.now, kad_deadline(o.kad)));
    kad_on_time(o.kad, o.now);
    assert_true(one_next(&o, KAD_LONELY));
    kad_on_time(o.kad, o.now);
    assert_false(one_next(&o, KAD_LONELY));
    one_admit(&o, 1);
    kad_on_time(o.kad, o.now);
    assert_false(one_next(&o, KAD_LONELY));
    kad_on_peer_left(o.kad, &id, o.now);
    kad_on_time(o.kad, o.now);
    assert_true(one_next(&o, KAD_LONELY));
    one_end(&o);
}

static void queries_have_a_limit(void **state)
{
    (void)state;
    struct one o;
    uint64_t query = 0;
    one_make(&o, KAD_OWN, 3);
    one_admit(&o, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(kad_find_node(o.kad, BYTES_LIT("x"), o.now, &query),
                         OK);
    uint64_t none;
    assert_int_equal(kad_find_node(o.kad, BYTES_LIT("x"), o.now, &none),
                     E_LIMIT);
    kad_cancel(o.kad, query, o.now);
    kad_cancel(o.kad, query, o.now);
    kad_cancel(o.kad, 0, o.now);
    assert_int_equal(kad_find_node(o.kad, BYTES_LIT("x"), o.now, &query), OK);
    uint8_t key[KAD_KEY_BYTES_MAX + 1] = {0};
    kad_cancel(o.kad, query, o.now);
    assert_int_equal(kad_find_node(o.kad,
                                   (struct bytes){key, KAD_KEY_BYTES_MAX + 1},
                                   o.now, &query),
                     E_LIMIT);
    assert_int_equal(kad_find_node(o.kad, BYTES_EMPTY, o.now, &query), E_LIMIT);
    assert_int_equal(kad_find_node(o.kad,
                                   (struct bytes){key, KAD_KEY_BYTES_MAX},
                                   o.now, &query),
                     OK);
    one_end(&o);
}

static void a_cancelled_query_says_nothing(void **state)
{
    (void)state;
    struct one o;
    uint64_t query;
    one_make(&o, KAD_OWN, 0);
    one_admit(&o, 1);
    assert_int_equal(kad_find_node(o.kad, BYTES_LIT("x"), o.now, &query), OK);
    kad_cancel(o.kad, query, o.now);
    assert_false(kad_next(o.kad, &o.out)); /* not even the message */
    assert_int_equal(kad_find_node(o.kad, BYTES_LIT("x"), o.now, &query), OK);
    assert_true(one_next(&o, KAD_SEND));
    uint64_t message = o.out.message;
    buf_unref(o.out.bytes);
    kad_cancel(o.kad, query, o.now);
    assert_int_equal(one_reply(&o, message, one_answer(KAD_FIND_NODE, 5, 3)),
                     OK);
    assert_false(kad_next(o.kad, &o.out));
    /* An end that was not taken yet is not told either. */
    struct multihash hash = hash_of(1);
    assert_int_equal(kad_find_providers(o.kad, &hash, 1, o.now, &query), OK);
    assert_true(one_next(&o, KAD_SEND));
    message = o.out.message;
    buf_unref(o.out.bytes);
    assert_int_equal(
        one_reply(&o, message, one_answer(KAD_GET_PROVIDERS, 5, 0)), OK);
    kad_cancel(o.kad, query, o.now);
    assert_false(kad_next(o.kad, &o.out));
    one_end(&o);
}

static void ip_groups_have_places_in_the_table(void **state)
{
    (void)state;
    static const struct {
        enum kad_scope scope;
        uint8_t net;
        size_t places;
    } rows[] = {{KAD_WAN, 9, 3}, {KAD_OWN, 9, 3}, {KAD_OWN, 127, 20}};
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        one_make(&o, rows[i].scope, 0);
        for (uint64_t j = 1; j <= 12; j++) {
            struct peer_id id = net_peer_id(j, 77);
            struct ma_ip ip = {.len = 4,
                               .bytes = {rows[i].net, 1, 1, (uint8_t)j}};
            struct multiaddr addr = multiaddr_from_ip_port(&ip, MA_TCP, 1);
            kad_on_peer(o.kad, &id, &addr, 1, &addr, o.now);
            if (!one_next(&o, KAD_SEND))
                continue;
            uint64_t message = o.out.message;
            buf_unref(o.out.bytes);
            assert_int_equal(
                one_reply(&o, message, one_answer(KAD_FIND_NODE, 0, 1)), OK);
            one_drain(&o);
        }
        assert_int_equal(one_contacts(&o),
                         rows[i].places < 12 ? rows[i].places : 12);
        one_end(&o);
    }
}

static void a_free_place_goes_to_one_that_waits(void **state)
{
    (void)state;
    struct one o;
    struct peer_id ours[KAD_K];
    size_t count = 0;
    one_make(&o, KAD_OWN, 0);
    struct kad_key self = kad_key_of_peer(&o.self);
    uint64_t i = 1;
    for (; count < KAD_K; i++) {
        struct peer_id id = net_peer_id(i, 77);
        struct kad_key key = kad_key_of_peer(&id);
        if (kad_key_cpl(&key, &self) != 0)
            continue;
        one_admit(&o, i);
        ours[count++] = id;
    }
    struct peer_id late = net_peer_id(i, 77);
    struct kad_key key = kad_key_of_peer(&late);
    for (; kad_key_cpl(&key, &self) != 0; key = kad_key_of_peer(&late))
        late = net_peer_id(++i, 77);
    one_drain(&o);
    one_meet(&o, i, NULL);
    assert_false(one_next(&o, KAD_SEND));
    kad_on_peer_left(o.kad, &ours[3], o.now);
    assert_true(one_next(&o, KAD_SEND));
    assert_true(peer_id_eq(&o.out.peer, &late));
    uint64_t message = o.out.message;
    buf_unref(o.out.bytes);
    assert_int_equal(one_reply(&o, message, one_answer(KAD_FIND_NODE, 0, 1)),
                     OK);
    assert_int_equal(one_contacts(&o), KAD_K);
    one_end(&o);
}

/* Numbers 2 to @max + 1, ordered so that each peer is nearer to @target. */
static void find_path(const struct kad_key *target, uint64_t *dst, size_t max)
{
    for (size_t count = 0; count < max; count++) {
        struct peer_id id = net_peer_id(count + 2, 77);
        struct kad_key key = kad_key_of_peer(&id);
        size_t at = count;
        for (; at > 0; at--) {
            struct peer_id last = net_peer_id(dst[at - 1], 77);
            struct kad_key last_key = kad_key_of_peer(&last);
            if (kad_key_cmp_distance(target, &key, &last_key) < 0)
                break;
            dst[at] = dst[at - 1];
        }
        dst[at] = count + 2;
    }
}

static void a_query_lasts_a_minute_at_most(void **state)
{
    (void)state;
    enum { STEP_MS = 1900, STEPS = KAD_QUERY_TIMEOUT_MS / STEP_MS };
    struct one o;
    uint64_t query;
    uint64_t path[STEPS];
    struct kad_key target = kad_key_of(BYTES_LIT("key"));
    find_path(&target, path, STEPS);
    one_make(&o, KAD_OWN, 0);
    one_admit(&o, 1);
    assert_int_equal(kad_find_node(o.kad, BYTES_LIT("key"), o.now, &query), OK);
    /* Each names a nearer one, and takes its time.  Upkeep goes on beside. */
    for (size_t i = 0; i < STEPS; i++) {
        assert_true(one_next(&o, KAD_SEND));
        while (o.out.query != query) {
            buf_unref(o.out.bytes);
            assert_true(one_next(&o, KAD_SEND));
        }
        uint64_t message = o.out.message;
        buf_unref(o.out.bytes);
        o.now = mtime_add_ms(o.now, STEP_MS);
        kad_on_time(o.kad, o.now);
        assert_int_equal(
            one_reply(&o, message, one_answer(KAD_FIND_NODE, path[i], 1)), OK);
    }
    o.now = mtime_add_ms(o.now, KAD_QUERY_TIMEOUT_MS - STEPS * STEP_MS - 1);
    kad_on_time(o.kad, o.now);
    assert_false(one_next(&o, KAD_DONE));
    o.now = mtime_add_ms(o.now, 1);
    kad_on_time(o.kad, o.now);
    assert_true(one_next(&o, KAD_DONE));
    assert_int_equal(o.out.query, query);
    assert_int_equal(o.out.err, E_TIMEOUT);
    assert_int_equal(o.out.stats.elapsed_ms, KAD_QUERY_TIMEOUT_MS);
    assert_int_equal(o.out.stats.hops, STEPS);
    assert_int_equal(o.out.closest_count, KAD_K);
    one_end(&o);
}

static void we_tell_our_addresses_by_class(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"};
    static const struct {
        const char *remote;
        size_t told;
    } rows[] = {{"/ip4/8.8.8.8/tcp/1", 1},
                {"/ip4/10.0.0.9/tcp/1", 2},
                {"/ip4/127.0.0.1/tcp/1", 3}};
    struct multiaddr own[3];
    struct multihash hash = hash_of(1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(multiaddr_parse(bytes_str(texts[i]), &own[i]), OK);
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        uint64_t query;
        struct kad_message m;
        struct kad_message_peer peer;
        struct multiaddr addr;
        struct peer_id id = net_peer_id(1, 77);
        size_t told = 0;
        one_make(&o, KAD_OWN, 0);
        kad_set_addrs(o.kad, own, 0);
        assert_int_equal(kad_provide_to(o.kad, &id, &hash, 1, o.now, &query),
                         E_REFUSED);
        kad_set_addrs(o.kad, own, 3);
        assert_int_equal(multiaddr_parse(bytes_str(rows[i].remote), &addr), OK);
        kad_on_addrs(o.kad, &id, &addr, 1, &addr, o.now);
        assert_int_equal(kad_provide_to(o.kad, &id, &hash, 1, o.now, &query),
                         OK);
        assert_true(one_next(&o, KAD_SEND));
        assert_int_equal(o.out.reply_max, 0);
        assert_int_equal(kad_message_decode(buf_bytes(o.out.bytes), &m), OK);
        assert_int_equal(m.type, KAD_ADD_PROVIDER);
        struct kad_peer_cursor c = kad_peer_cursor_init(&m, KAD_PROVIDER_PEERS);
        assert_true(kad_peer_cursor_next(&c, &peer));
        assert_true(peer_id_eq(&peer.id, &o.self));
        struct kad_addr_cursor a = kad_addr_cursor_init(&peer);
        while (kad_addr_cursor_next(&a, &addr))
            told++;
        assert_int_equal(told, rows[i].told);
        buf_unref(o.out.bytes);
        kad_on_sent(o.kad, o.out.message, o.now);
        assert_true(one_next(&o, KAD_DONE));
        assert_int_equal(o.out.err, OK);
        assert_int_equal(o.out.stored_count, 1);
        one_end(&o);
    }
}

/* One more would be too long a message; and not too many short ones. */
static void messages_are_filled_with_keys(void **state)
{
    (void)state;
    static struct multihash hashes[KAD_SWEEP_KEYS_MAX];
    static const struct {
        size_t digest;
        size_t keys;
    } rows[] = {{32, 1769}, {64, 949}, {4, 1 + KAD_MESSAGE_MORE_KEYS_MAX}};
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        uint64_t query;
        struct kad_message m;
        struct kad_more_keys c;
        struct bytes key;
        struct multihash hash;
        struct peer_id id = net_peer_id(1, 77);
        size_t count = 0;
        for (size_t j = 0; j < countof(hashes); j++) {
            hashes[j] = (struct multihash){.code = 0x12, .len = 32};
            hashes[j].len = (uint8_t)rows[i].digest;
            memcpy(hashes[j].digest, &j, 4);
        }
        one_make(&o, KAD_OWN, 0);
        assert_int_equal(kad_provide_to(o.kad, &id, hashes, KAD_SWEEP_KEYS_MAX,
                                        o.now, &query),
                         OK);
        while (kad_next(o.kad, &o.out) && o.out.kind == KAD_SEND) {
            struct bytes bytes = buf_bytes(o.out.bytes);
            size_t before = count;
            assert_true(bytes.len <= KAD_REQUEST_BYTES_MAX);
            assert_int_equal(kad_message_decode(bytes, &m), OK);
            assert_int_equal(m.providers_count, 1);
            assert_int_equal(multihash_decode(m.key, &hash), OK);
            assert_true(multihash_eq(&hash, &hashes[count++]));
            c = kad_more_keys_init(&m);
            while (kad_more_keys_next(&c, &key)) {
                assert_int_equal(multihash_decode(key, &hash), OK);
                assert_true(multihash_eq(&hash, &hashes[count++]));
            }
            size_t left = KAD_SWEEP_KEYS_MAX - before;
            assert_int_equal(count - before,
                             left < rows[i].keys ? left : rows[i].keys);
            buf_unref(o.out.bytes);
            kad_on_sent(o.kad, o.out.message, o.now);
        }
        assert_int_equal(o.out.kind, KAD_DONE);
        assert_int_equal(o.out.stored_count, KAD_SWEEP_KEYS_MAX);
        assert_int_equal(count, KAD_SWEEP_KEYS_MAX);
        one_end(&o);
    }
}

/* Hostile answers. --------------------------------------------------------- */

/* Starts a lookup with one contact and hands out the message to it. */
static uint64_t ask(struct one *o, enum kad_scope scope)
{
    uint64_t query;
    one_make(o, scope, 0);
    one_admit(o, 1);
    assert_int_equal(kad_find_node(o->kad, BYTES_LIT("key"), o->now, &query),
                     OK);
    assert_true(one_next(o, KAD_SEND));
    assert_int_equal(o->out.query, query);
    buf_unref(o->out.bytes);
    return o->out.message;
}

static void so_many_peers_of_an_answer_are_asked_at_most(void **state)
{
    (void)state;
    struct one o;
    uint64_t message = ask(&o, KAD_OWN);
    size_t sends = 0;
    struct buf *crowd = one_answer(KAD_FIND_NODE, 10, 900);
    assert_true(crowd->len <= KAD_REPLY_BYTES_MAX);
    assert_int_equal(one_reply(&o, message, crowd), OK);
    while (one_next(&o, KAD_SEND)) {
        uint64_t asked = o.out.message;
        buf_unref(o.out.bytes);
        sends++;
        kad_on_failed(o.kad, asked, E_CLOSED, o.now);
    }
    assert_int_equal(sends, KAD_MESSAGE_CLOSER_MAX);
    one_end(&o);
}

static void an_answer_may_be_so_long(void **state)
{
    (void)state;
    struct one o;
    for (size_t over = 0; over < 2; over++) {
        uint64_t message = ask(&o, KAD_OWN);
        struct buf *b = buf_new(KAD_REPLY_BYTES_MAX + over);
        struct wr w = wr_init(b->data, b->max);
        pb_put_uint(&w, 1, KAD_FIND_NODE);
        size_t pad = b->max - wr_len(&w) - 4; /* tag, length of three bytes */
        pb_put_head(&w, 15, pad);
        memset(&b->data[wr_len(&w)], 0, pad);
        b->len = wr_len(&w) + pad;
        assert_int_equal(b->len, b->max);
        assert_int_equal(one_reply(&o, message, b), over == 0 ? OK : E_LIMIT);
        /* Who sends too much is not in the table any more. */
        assert_int_equal(one_contacts(&o), over == 0 ? 1 : 0);
        assert_int_equal(kad_get_stats(o.kad).bad_answers, over);
        assert_true(one_next(&o, KAD_DONE));
        assert_int_equal(o.out.err, over == 0 ? OK : E_NOTFOUND);
        one_end(&o);
    }
}

static void ten_thousand_peers_are_not_looked_at(void **state)
{
    (void)state;
    struct one o;
    uint64_t message = ask(&o, KAD_OWN);
    struct buf *one = one_answer(KAD_FIND_NODE, 10, 1);
    struct buf *b = buf_new((size_t)10000 * one->len);
    for (size_t i = 0; i < 10000; i++)
        memcpy(&b->data[i * one->len], one->data, one->len);
    b->len = b->max;
    buf_unref(one);
    assert_int_equal(one_reply(&o, message, b), E_LIMIT);
    assert_false(one_next(&o, KAD_SEND));
    one_end(&o);
}

static void many_addresses_cost_little(void **state)
{
    (void)state;
    struct one o;
    uint64_t message = ask(&o, KAD_OWN);
    struct peer_id id = net_peer_id(10, 77);
    struct multiaddr addr;
    enum { ADDRS = 6000 };
    size_t body = pb_bytes_len(1, id.len) + (size_t)ADDRS * 10;
    struct buf *b = buf_new(2 + pb_bytes_len(8, body));
    struct wr w = wr_init(b->data, b->max);
    pb_put_uint(&w, 1, KAD_FIND_NODE);
    pb_put_head(&w, 8, body);
    pb_put_bytes(&w, 1, peer_id_bytes(&id));
    for (uint64_t i = 0; i < ADDRS; i++) {
        addr = net_addr(i);
        assert_int_equal(addr.len, 8);
        pb_put_bytes(&w, 2, multiaddr_bytes(&addr));
    }
    b->len = wr_len(&w);
    assert_int_equal(one_reply(&o, message, b), OK);
    assert_true(one_next(&o, KAD_SEND));
    assert_true(peer_id_eq(&o.out.peer, &id));
    assert_int_equal(o.out.addrs_count, KAD_ADDRS_MAX);
    buf_unref(o.out.bytes);
    one_end(&o);
}

static void a_wrong_type_is_no_answer(void **state)
{
    (void)state;
    static const enum kad_type types[] = {KAD_PUT_VALUE, KAD_GET_VALUE,
                                          KAD_ADD_PROVIDER, KAD_GET_PROVIDERS,
                                          KAD_PING};
    for (size_t i = 0; i < countof(types); i++) {
        struct one o;
        uint64_t message = ask(&o, KAD_OWN);
        assert_int_equal(one_reply(&o, message, one_answer(types[i], 10, 2)),
                         E_MISMATCH);
        assert_int_equal(one_contacts(&o), 0);
        one_end(&o);
    }
}

static void no_prefix_of_an_answer_is_dangerous(void **state)
{
    (void)state;
    struct buf *good = one_answer(KAD_FIND_NODE, 10, 5);
    for (size_t len = 0; len < good->len; len++) {
        struct one o;
        uint64_t message = ask(&o, KAD_OWN);
        struct buf *part = buf_copy((struct bytes){good->data, len});
        enum err err = one_reply(&o, message, part);
        /* An empty one is a PUT_VALUE. */
        assert_true(err == OK || err == E_SHORT || err == E_MISMATCH);
        one_drain(&o);
        one_end(&o);
    }
    buf_unref(good);
}

static void private_addresses_are_believed_from_near_only(void **state)
{
    (void)state;
    static const struct {
        enum kad_scope scope;
        const char *remote;
        size_t addrs;
    } rows[] = {{KAD_OWN, "/ip4/8.8.8.8/tcp/1", 1},
                {KAD_OWN, "/ip4/10.0.0.9/tcp/1", 2},
                {KAD_OWN, "/ip4/127.0.0.1/tcp/1", 3},
                {KAD_WAN, "/ip4/127.0.0.1/tcp/1", 1}};
    static const char *const texts[] = {
        "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"};
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        uint64_t message = ask(&o, rows[i].scope);
        struct kad_addr_list list = {.count = 3};
        struct multiaddr remote;
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(
                multiaddr_parse(bytes_str(texts[j]), &list.addrs[j]), OK);
        struct kad_addrs addrs = kad_addrs_pack(&list);
        struct kad_peer_out peer = {.id = net_peer_id(10, 77), .addrs = &addrs};
        struct kad_message_out m = {
            .type = KAD_FIND_NODE, .closer = &peer, .closer_count = 1};
        struct buf *b = kad_message_encode(&m, 4096);
        kad_addrs_release(&addrs);
        assert_int_equal(multiaddr_parse(bytes_str(rows[i].remote), &remote),
                         OK);
        assert_int_equal(
            kad_on_reply(o.kad, message, &remote, buf_bytes(b), o.now), OK);
        buf_unref(b);
        assert_true(one_next(&o, KAD_SEND));
        assert_int_equal(o.out.addrs_count, rows[i].addrs);
        buf_unref(o.out.bytes);
        one_end(&o);
    }
}

static void a_crowd_of_one_ip_group_is_dropped_in_the_wan(void **state)
{
    (void)state;
    for (size_t count = 3; count <= 4; count++) {
        struct one o;
        uint64_t message = ask(&o, KAD_WAN);
        struct kad_peer_out peers[4];
        struct kad_addrs addrs[4];
        size_t sends = 0;
        for (size_t i = 0; i < count; i++) {
            struct kad_addr_list list = {.count = 1};
            struct ma_ip ip = {.len = 4, .bytes = {9, 9, 9, (uint8_t)i}};
            list.addrs[0] = multiaddr_from_ip_port(&ip, MA_TCP, 1);
            addrs[i] = kad_addrs_pack(&list);
            peers[i] = (struct kad_peer_out){.id = net_peer_id(10 + i, 77),
                                             .addrs = &addrs[i]};
        }
        struct kad_message_out m = {
            .type = KAD_FIND_NODE, .closer = peers, .closer_count = count};
        assert_int_equal(one_reply(&o, message, kad_message_encode(&m, 4096)),
                         OK);
        for (; one_next(&o, KAD_SEND); sends++)
            buf_unref(o.out.bytes);
        assert_int_equal(sends, count == 3 ? 3 : 0);
        for (size_t i = 0; i < count; i++)
            kad_addrs_release(&addrs[i]);
        one_end(&o);
    }
}

static void failures_of_our_own_cost_nobody_a_place(void **state)
{
    (void)state;
    static const struct {
        enum err err;
        size_t left;
    } rows[] = {{E_AGAIN, 1},  {E_CANCELED, 1}, {E_NOSPACE, 1},
                {E_CLOSED, 0}, {E_REFUSED, 0},  {E_UNSUPPORTED, 0}};
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        uint64_t message = ask(&o, KAD_OWN);
        kad_on_failed(o.kad, message, rows[i].err, o.now);
        assert_int_equal(one_contacts(&o), rows[i].left);
        assert_true(one_next(&o, KAD_DONE));
        assert_int_equal(o.out.err, E_NOTFOUND);
        one_end(&o);
    }
}

static size_t bucket_of(const struct one *o, uint64_t i)
{
    struct kad_key self = kad_key_of_peer(&o->self);
    struct peer_id id = net_peer_id(i, 77);
    struct kad_key key = kad_key_of_peer(&id);

    return kad_key_cpl(&self, &key);
}

/* Admits @count peers of bucket @cpl. */
static void admit_to(struct one *o, size_t cpl, size_t count)
{
    for (uint64_t i = 1; count > 0; i++) {
        if (bucket_of(o, i) != cpl)
            continue;
        one_admit(o, i);
        count--;
    }
}

/* The first @count peers of bucket @cpl ask for somebody. */
static void hear_from(struct one *o, size_t cpl, size_t count)
{
    for (uint64_t i = 1; count > 0; i++) {
        struct peer_id id = net_peer_id(i, 77);
        struct multiaddr remote = net_addr(i);
        struct kad_message_out m = {.type = KAD_FIND_NODE,
                                    .key = peer_id_bytes(&id)};
        struct buf *reply = NULL;
        if (bucket_of(o, i) != cpl)
            continue;
        struct buf *in = kad_message_encode(&m, KAD_REQUEST_BYTES_MAX);
        struct kad_request request = {
            .from = &id, .remote = &remote, .bytes = buf_bytes(in)};
        assert_int_equal(kad_serve(o->kad, &request, o->now, &reply), OK);
        buf_unref(reply);
        buf_unref(in);
        count--;
    }
}

/* How many messages one sends of its own in a minute, each of which is
 * answered; @ret_late: from the third second on. */
static size_t upkeep_of(struct one *o, size_t *ret_late)
{
    size_t early = 0;

    *ret_late = 0;
    for (unsigned s = 0; s < 60; s++) {
        kad_on_time(o->kad, o->now);
        while (one_next(o, KAD_SEND)) {
            buf_unref(o->out.bytes);
            assert_int_equal(
                one_reply(o, o->out.message, one_answer(KAD_FIND_NODE, 0, 0)),
                OK);
            early += s < 3;
            *ret_late += s >= 3;
        }
        o->now = mtime_add_ms(o->now, 1000);
    }
    return early;
}

/* Who enters a network looks for himself, then after a rest for others, in the
 * buckets where fewer have answered than a lookup needs. */
static void a_bucket_of_enough_is_not_looked_through(void **state)
{
    (void)state;
    for (size_t count = 1; count <= KAD_BETA + 1; count++) {
        struct one o;
        size_t late;
        one_make(&o, KAD_OWN, 0);
        admit_to(&o, 0, count);
        assert_int_equal(one_contacts(&o), count);
        assert_int_equal(upkeep_of(&o, &late), count);
        assert_int_equal(late, count < KAD_BETA ? count : 0);
        one_end(&o);
    }
}

/* Who asks us is there: a bucket of such needs no lookup of ours. */
static void who_asks_keeps_its_bucket_fresh(void **state)
{
    enum { MINUTE_MS = 60 * 1000 };
    (void)state;
    for (size_t count = KAD_BETA - 1; count <= KAD_BETA; count++) {
        struct one o;
        size_t late;
        one_make(&o, KAD_OWN, 0);
        admit_to(&o, 0, KAD_BETA);
        admit_to(&o, 1, KAD_K); /* all that a lookup for ourselves asks */
        (void)upkeep_of(&o, &late);
        o.now = mtime_add_ms(o.now, 6 * MINUTE_MS);
        hear_from(&o, 0, count);
        o.now = mtime_add_ms(o.now, 4 * MINUTE_MS);
        assert_int_equal(upkeep_of(&o, &late), KAD_K);
        assert_int_equal(late > 0, count < KAD_BETA);
        one_end(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_answers_a_lookup_for_itself_enters),
        cmocka_unit_test(who_does_not_answer_stays_out),
        cmocka_unit_test(a_few_are_checked_at_a_time),
        cmocka_unit_test(the_scopes_admit_by_address),
        cmocka_unit_test(we_are_told_when_nobody_is_there),
        cmocka_unit_test(queries_have_a_limit),
        cmocka_unit_test(a_cancelled_query_says_nothing),
        cmocka_unit_test(ip_groups_have_places_in_the_table),
        cmocka_unit_test(a_free_place_goes_to_one_that_waits),
        cmocka_unit_test(a_query_lasts_a_minute_at_most),
        cmocka_unit_test(we_tell_our_addresses_by_class),
        cmocka_unit_test(messages_are_filled_with_keys),
        cmocka_unit_test(so_many_peers_of_an_answer_are_asked_at_most),
        cmocka_unit_test(an_answer_may_be_so_long),
        cmocka_unit_test(ten_thousand_peers_are_not_looked_at),
        cmocka_unit_test(many_addresses_cost_little),
        cmocka_unit_test(a_wrong_type_is_no_answer),
        cmocka_unit_test(no_prefix_of_an_answer_is_dangerous),
        cmocka_unit_test(private_addresses_are_believed_from_near_only),
        cmocka_unit_test(a_crowd_of_one_ip_group_is_dropped_in_the_wan),
        cmocka_unit_test(failures_of_our_own_cost_nobody_a_place),
        cmocka_unit_test(a_bucket_of_enough_is_not_looked_through),
        cmocka_unit_test(who_asks_keeps_its_bucket_fresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
