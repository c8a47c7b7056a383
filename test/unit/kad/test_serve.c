/*
 * Goal: the server of the DHT answers as it should, tells nobody what he may
 * not know, and keeps no more than the limits say.
 * Method: single nodes that are handed requests; every prefix of good ones.
 */
#include "base/buf.h"
#include "base/wr.h"
#include "kad/change.h"
#include "kad/kad.h"
#include "kad/kad_addrs.h"
#include "kad/message.h"
#include "kad_net.h"
#include "kad_one.h"

#include "test.h"

/* The server. -------------------------------------------------------------- */

/* Bytes of a message are served as from peer @from at @remote. */
static enum err serve_at(struct one *o, uint64_t from, const char *remote,
                         struct buf *bytes, struct buf **ret_reply)
{
    struct peer_id id = net_peer_id(from, 77);
    struct multiaddr addr = net_addr(from);
    if (remote != NULL)
        assert_int_equal(multiaddr_parse(bytes_str(remote), &addr), OK);
    struct kad_request request = {
        .from = &id, .remote = &addr, .bytes = buf_bytes(bytes)};
    *ret_reply = NULL;
    enum err err = kad_serve(o->kad, &request, o->now, ret_reply);
    buf_unref(bytes);
    return err;
}

static enum err serve(struct one *o, const struct kad_message_out *m,
                      struct buf **ret_reply)
{
    return serve_at(o, 50, NULL, kad_message_encode(m, 1 << 20), ret_reply);
}

static void a_client_answers_nobody(void **state)
{
    (void)state;
    struct one o;
    struct buf *b;
    struct kad_message_out m = {.type = KAD_PING};
    one_make(&o, KAD_OWN, 0);
    assert_int_equal(serve(&o, &m, &b), OK);
    assert_int_equal(b->len, 2);
    buf_unref(b);
    kad_set_server(o.kad, false);
    assert_int_equal(serve(&o, &m, &b), E_UNSUPPORTED);
    assert_null(b);
    assert_int_equal(kad_get_stats(o.kad).refused, 1);
    one_end(&o);
}

static void keys_of_requests_have_limits(void **state)
{
    (void)state;
    struct one o;
    struct buf *b;
    static uint8_t key[KAD_MESSAGE_KEY_MAX + 1];
    static const enum kad_type types[] = {KAD_FIND_NODE, KAD_GET_VALUE};
    one_make(&o, KAD_OWN, 0);
    for (size_t i = 0; i < countof(types); i++) {
        struct kad_message_out m = {.type = types[i]};
        assert_int_equal(serve(&o, &m, &b), E_MALFORMED);
        m.key = (struct bytes){key, KAD_MESSAGE_KEY_MAX};
        assert_int_equal(serve(&o, &m, &b), OK);
        buf_unref(b);
        m.key.len++;
        assert_int_equal(serve(&o, &m, &b), E_LIMIT);
    }
    struct kad_message_out m = {.type = KAD_GET_PROVIDERS};
    assert_int_equal(serve(&o, &m, &b), E_MALFORMED);
    m.key = (struct bytes){key, KAD_PROVIDER_KEY_MAX + 1};
    assert_int_equal(serve(&o, &m, &b), E_LIMIT);
    m.key = BYTES_LIT("\x12\x20short");
    assert_int_not_equal(serve(&o, &m, &b), OK);
    one_end(&o);
}

/* ADD_PROVIDER of content @c as peer @from says it, of peer @about. */
static enum err claim(struct one *o, uint64_t c, uint64_t from, uint64_t about,
                      bool with_addr)
{
    uint8_t key[MULTIHASH_BYTES_MAX];
    struct multihash hash = hash_of(c);
    struct kad_addr_list list = {.count = with_addr ? 1 : 0};
    list.addrs[0] = net_addr(about);
    struct kad_addrs addrs = kad_addrs_pack(&list);
    struct kad_peer_out peer = {.id = net_peer_id(about, 77), .addrs = &addrs};
    struct kad_message_out m = {.type = KAD_ADD_PROVIDER,
                                .key = {key, multihash_encode(&hash, key)},
                                .providers = &peer,
                                .providers_count = 1};
    struct buf *reply;
    enum err err =
        serve_at(o, from, NULL, kad_message_encode(&m, 4096), &reply);
    assert_null(reply);
    kad_addrs_release(&addrs);
    return err;
}

static size_t providers_of(struct one *o, struct bytes key)
{
    struct kad_message_out m = {.type = KAD_GET_PROVIDERS, .key = key};
    struct kad_message got;
    struct buf *b;
    assert_int_equal(serve(o, &m, &b), OK);
    assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
    assert_int_equal(got.type, KAD_GET_PROVIDERS);
    assert_true(bytes_eq(got.key, key));
    size_t count = got.providers_count;
    buf_unref(b);
    return count;
}

static void a_peer_provides_for_itself_only(void **state)
{
    (void)state;
    struct one o;
    uint8_t key[4 + MULTIHASH_BYTES_MAX] = {0x01, 0x55};
    struct multihash hash = hash_of(1);
    size_t len = multihash_encode(&hash, &key[2]);
    one_make(&o, KAD_OWN, 0);
    assert_int_equal(claim(&o, 1, 7, 8, true), E_MALFORMED);
    assert_int_equal(claim(&o, 1, 7, 7, false), E_MALFORMED);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    assert_int_equal(claim(&o, 1, 8, 8, true), OK);
    assert_int_equal(claim(&o, 1, 8, 8, true), OK);
    assert_int_equal(providers_of(&o, (struct bytes){&key[2], len}), 2);
    /* Old peers ask with a CID. */
    assert_int_equal(providers_of(&o, (struct bytes){key, 2 + len}), 2);
    /* We find it here as well. */
    uint64_t query;
    size_t found = 0;
    assert_int_equal(kad_find_providers(o.kad, &hash, 5, o.now, &query), OK);
    while (kad_next(o.kad, &o.out))
        found += o.out.kind == KAD_FOUND_PROVIDER && o.out.addrs_count == 1;
    assert_int_equal(found, 2);
    one_end(&o);
}

static void thousands_of_claims_in_a_row_are_kept(void **state)
{
    (void)state;
    struct one o;
    one_make(&o, KAD_OWN, 0);
    for (uint64_t c = 0; c < 5000; c++)
        assert_int_equal(claim(&o, c, 7, 7, true), OK);
    assert_int_equal(kad_get_stats(o.kad).provides_in, 5000);
    one_end(&o);
}

static void too_many_claims_are_dropped_in_silence(void **state)
{
    (void)state;
    struct one o;
    one_make(&o, KAD_OWN, 0);
    for (uint64_t c = 0; c < 20000; c++)
        (void)(claim(&o, c % 100, 7, 7, true) == OK); /* counted below */
    assert_int_equal(kad_get_stats(o.kad).provides_in, 20000);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    assert_int_equal(kad_get_stats(o.kad).provides_in, 20000);
    assert_int_equal(kad_get_stats(o.kad).provides_dropped, 1);
    /* Another peer is not held up; the first may go on a little later. */
    assert_int_equal(claim(&o, 1, 8, 8, true), OK);
    assert_int_equal(kad_get_stats(o.kad).provides_in, 20001);
    o.now = mtime_add_ms(o.now, 1);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    assert_int_equal(kad_get_stats(o.kad).provides_in, 20003);
    one_end(&o);
}

/* An ADD_PROVIDER of peer @from of the contents @first to @first + @count - 1,
 * and of a key that is none. */
static enum err claim_many(struct one *o, uint64_t from, uint64_t first,
                           uint64_t count)
{
    static uint8_t more[2048 * (1 + MULTIHASH_BYTES_MAX)];
    uint8_t key[MULTIHASH_BYTES_MAX];
    struct wr w = wr_init(more, sizeof(more));
    struct kad_addr_list list = {.count = 1};
    list.addrs[0] = net_addr(from);
    struct kad_addrs addrs = kad_addrs_pack(&list);
    struct kad_peer_out peer = {.id = net_peer_id(from, 77), .addrs = &addrs};
    wr_u8(&w, 3);
    wr_bytes(&w, BYTES_LIT("\x12\x20!"));
    for (uint64_t i = 1; i < count; i++) {
        struct multihash hash = hash_of(first + i);
        size_t len = multihash_encode(&hash, key);
        wr_u8(&w, (uint8_t)len);
        wr_bytes(&w, (struct bytes){key, len});
    }
    struct multihash hash = hash_of(first);
    struct kad_message_out m = {.type = KAD_ADD_PROVIDER,
                                .key = {key, multihash_encode(&hash, key)},
                                .more_keys = {more, wr_len(&w)},
                                .providers = &peer,
                                .providers_count = 1};
    struct buf *reply;
    enum err err = serve_at(
        o, from, NULL, kad_message_encode(&m, KAD_REQUEST_BYTES_MAX), &reply);
    assert_null(reply);
    kad_addrs_release(&addrs);
    return err;
}

static void many_keys_come_at_once_in_our_network_only(void **state)
{
    (void)state;
    static const struct {
        enum kad_scope scope;
        size_t kept;
    } rows[] = {{KAD_WAN, 1}, {KAD_LAN, 1}, {KAD_OWN, 1700}};
    for (size_t i = 0; i < countof(rows); i++) {
        struct one o;
        one_make(&o, rows[i].scope, 0);
        assert_int_equal(claim_many(&o, 7, 0, 1700), OK);
        struct kad_stats s = kad_get_stats(o.kad);
        assert_int_equal(s.provider_records_count, rows[i].kept);
        assert_int_equal(s.provides_in, rows[i].kept);
        assert_int_equal(s.provides_dropped, 0);
        assert_int_equal(s.served, 1);
        /* The last one is told, with the address. */
        uint64_t query;
        size_t found = 0;
        struct multihash hash = hash_of(rows[i].kept - 1);
        assert_int_equal(kad_find_providers(o.kad, &hash, 5, o.now, &query),
                         OK);
        while (kad_next(o.kad, &o.out))
            found += o.out.kind == KAD_FOUND_PROVIDER && o.out.addrs_count == 1;
        assert_int_equal(found, 1);
        one_end(&o);
    }
}

static void each_of_many_keys_counts(void **state)
{
    (void)state;
    struct one o;
    one_make(&o, KAD_OWN, 0);
    for (uint64_t i = 0; i < 20; i++)
        assert_int_equal(claim_many(&o, 7, i * 999, 999), OK);
    assert_int_equal(kad_get_stats(o.kad).provides_in, 19980);
    assert_int_equal(claim_many(&o, 7, 100000, 21), OK);
    struct kad_stats s = kad_get_stats(o.kad);
    assert_int_equal(s.provides_in, 20000);
    assert_int_equal(s.provides_dropped, 1);
    assert_int_equal(s.provider_records_count, 20000);
    one_end(&o);
}

/* What we provide is told by ourselves, with the addresses of now. */
static void a_server_tells_of_its_own_content(void **state)
{
    (void)state;
    static const char *const texts[] = {"/ip4/10.0.0.1/tcp/1",
                                        "/ip4/9.9.9.9/tcp/1"};
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct multihash hash = hash_of(1);
    struct bytes key = {bytes, multihash_encode(&hash, bytes)};
    struct multiaddr own[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(multiaddr_parse(bytes_str(texts[i]), &own[i]), OK);
    for (size_t server = 0; server < 2; server++) {
        struct one o;
        struct buf *b;
        struct kad_message got;
        struct kad_message_peer peer;
        struct multiaddr addr;
        uint64_t query;
        one_make(&o, KAD_OWN, 0);
        kad_set_server(o.kad, server == 1);
        assert_int_equal(kad_provide(o.kad, &hash, o.now, &query), E_AGAIN);
        assert_int_equal(kad_get_stats(o.kad).provider_records_count, server);
        kad_set_server(o.kad, true);
        kad_set_addrs(o.kad, own, 2);
        struct kad_message_out m = {.type = KAD_GET_PROVIDERS, .key = key};
        assert_int_equal(serve(&o, &m, &b), OK);
        assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
        assert_int_equal(got.providers_count, server);
        struct kad_peer_cursor c =
            kad_peer_cursor_init(&got, KAD_PROVIDER_PEERS);
        while (kad_peer_cursor_next(&c, &peer)) {
            assert_true(peer_id_eq(&peer.id, &o.self));
            struct kad_addr_cursor a = kad_addr_cursor_init(&peer);
            assert_true(kad_addr_cursor_next(&a, &addr));
            assert_true(multiaddr_eq(&addr, &own[1]));
            assert_false(kad_addr_cursor_next(&a, &addr));
        }
        buf_unref(b);
        /* We need not be told of ourselves, nor do we take a place. */
        size_t found = 0;
        assert_int_equal(claim(&o, 1, 7, 7, true), OK);
        assert_int_equal(kad_find_providers(o.kad, &hash, 1, o.now, &query),
                         OK);
        while (kad_next(o.kad, &o.out))
            found += o.out.kind == KAD_FOUND_PROVIDER;
        assert_int_equal(found, 1);
        one_end(&o);
    }
}

static void find_node_names_the_target_first(void **state)
{
    (void)state;
    struct one o;
    struct buf *b;
    struct kad_message got;
    struct kad_message_peer peer;
    struct multiaddr addr = net_addr(60);
    struct peer_id client = net_peer_id(60, 77);
    struct peer_id asker = net_peer_id(50, 77);
    one_make(&o, KAD_OWN, 0);
    for (uint64_t i = 1; i <= 5; i++)
        one_admit(&o, i);
    kad_on_addrs(o.kad, &client, &addr, 1, &addr, o.now);
    const struct peer_id *targets[] = {&client, &o.self};
    for (size_t i = 0; i < countof(targets); i++) {
        struct kad_message_out m = {.type = KAD_FIND_NODE,
                                    .key = peer_id_bytes(targets[i])};
        assert_int_equal(serve(&o, &m, &b), OK);
        assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
        assert_int_equal(got.closer_count, 6);
        struct kad_peer_cursor c = kad_peer_cursor_init(&got, KAD_CLOSER_PEERS);
        assert_true(kad_peer_cursor_next(&c, &peer));
        assert_true(peer_id_eq(&peer.id, targets[i]));
        buf_unref(b);
    }
    /* The asker is not named, but when it asks for itself and is known. */
    one_admit(&o, 50);
    struct kad_message_out m = {.type = KAD_FIND_NODE, .key = BYTES_LIT("x")};
    assert_int_equal(serve(&o, &m, &b), OK);
    assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
    assert_int_equal(got.closer_count, 5);
    buf_unref(b);
    m.key = peer_id_bytes(&asker);
    assert_int_equal(serve(&o, &m, &b), OK);
    assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
    assert_int_equal(got.closer_count, 6);
    buf_unref(b);
    one_end(&o);
}

static void private_addresses_are_told_to_near_peers_only(void **state)
{
    (void)state;
    static const struct {
        const char *remote;
        size_t peers;
    } rows[] = {{"/ip4/8.8.8.8/tcp/1", 1},
                {"/ip4/10.0.0.9/tcp/1", 2},
                {"/ip4/127.0.0.1/tcp/1", 3}};
    static const char *const texts[] = {
        "/ip4/9.9.9.9/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"};
    struct one o;
    one_make(&o, KAD_OWN, 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct peer_id id = net_peer_id(i + 1, 77);
        struct multiaddr addr;
        assert_int_equal(multiaddr_parse(bytes_str(texts[i]), &addr), OK);
        kad_on_peer(o.kad, &id, &addr, 1, &addr, o.now);
        assert_true(one_next(&o, KAD_SEND));
        uint64_t message = o.out.message;
        buf_unref(o.out.bytes);
        assert_int_equal(
            one_reply(&o, message, one_answer(KAD_FIND_NODE, 0, 0)), OK);
    }
    assert_int_equal(one_contacts(&o), 3);
    for (size_t i = 0; i < countof(rows); i++) {
        struct kad_message_out m = {.type = KAD_FIND_NODE,
                                    .key = BYTES_LIT("x")};
        struct kad_message got;
        struct buf *b;
        assert_int_equal(
            serve_at(&o, 50, rows[i].remote, kad_message_encode(&m, 100), &b),
            OK);
        assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
        assert_int_equal(got.closer_count, rows[i].peers);
        buf_unref(b);
    }
    one_end(&o);
}

static void no_prefix_of_a_request_is_dangerous(void **state)
{
    (void)state;
    struct one o;
    struct buf *b;
    struct kad_addr_list list = {.count = 1};
    list.addrs[0] = net_addr(50);
    struct kad_addrs addrs = kad_addrs_pack(&list);
    struct kad_peer_out peer = {.id = net_peer_id(50, 77), .addrs = &addrs};
    one_make(&o, KAD_OWN, 0);
    for (uint64_t i = 1; i <= 3; i++)
        one_admit(&o, i);
    for (int type = KAD_PUT_VALUE; type <= KAD_PING; type++) {
        struct kad_message_out m = {.type = (enum kad_type)type,
                                    .key = BYTES_LIT("\x12\x20"
                                                     "01234567890123456789"
                                                     "012345678901"),
                                    .has_record = true,
                                    .record_key = BYTES_LIT("k"),
                                    .record_value = BYTES_LIT("v"),
                                    .providers = &peer,
                                    .providers_count = 1};
        struct buf *all = kad_message_encode(&m, 4096);
        for (size_t len = 0; len <= all->len; len++) {
            struct buf *part = buf_copy((struct bytes){all->data, len});
            if (serve_at(&o, 50, NULL, part, &b) == OK)
                buf_unref(b);
            else
                assert_null(b);
        }
        buf_unref(all);
    }
    kad_addrs_release(&addrs);
    struct buf *big = buf_new(KAD_REQUEST_BYTES_MAX + 1);
    memset(big->data, 0, big->max);
    big->len = big->max;
    assert_int_equal(serve_at(&o, 50, NULL, big, &b), E_LIMIT);
    one_end(&o);
}

static void records_are_checked_so_often_only(void **state)
{
    (void)state;
    struct one o;
    struct buf *b;
    struct record r;
    make_record(&r, 3);
    one_make(&o, KAD_OWN, 0);
    struct kad_message_out m = {.type = KAD_PUT_VALUE,
                                .key = key_of(&r),
                                .has_record = true,
                                .record_key = key_of(&r),
                                .record_value = value_of(&r)};
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(serve(&o, &m, &b), OK);
        buf_unref(b);
    }
    assert_int_equal(serve(&o, &m, &b), E_LIMIT);
    o.now = mtime_add_ms(o.now, 34);
    assert_int_equal(serve(&o, &m, &b), OK);
    buf_unref(b);
    /* What is refused before any check costs nothing of it. */
    m.record_key = BYTES_LIT("/ipns/other");
    assert_int_equal(serve(&o, &m, &b), E_MALFORMED);
    m.key = BYTES_LIT("/abc/other");
    m.record_key = m.key;
    assert_int_equal(serve(&o, &m, &b), E_REFUSED);
    /* What was stored is served, with the time when it came. */
    struct kad_message got;
    struct kad_message_out get = {.type = KAD_GET_VALUE, .key = key_of(&r)};
    assert_int_equal(serve(&o, &get, &b), OK);
    assert_int_equal(kad_message_decode(buf_bytes(b), &got), OK);
    assert_true(got.has_record);
    assert_true(bytes_eq(got.record_key, key_of(&r)));
    assert_true(bytes_eq(got.record_value, value_of(&r)));
    buf_unref(b);
    one_end(&o);
}

static void records_come_back_after_a_restart(void **state)
{
    (void)state;
    struct one o;
    struct one again;
    struct kad_change change;
    struct record r;
    struct buf *b;
    size_t rows = 0;
    make_record(&r, 3);
    one_make(&o, KAD_OWN, 0);
    one_make(&again, KAD_OWN, 0);
    struct kad_message_out m = {.type = KAD_PUT_VALUE,
                                .key = key_of(&r),
                                .has_record = true,
                                .record_key = key_of(&r),
                                .record_value = value_of(&r)};
    assert_int_equal(serve(&o, &m, &b), OK);
    buf_unref(b);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    for (int s = KAD_STORE_PROVIDERS; s <= KAD_STORE_VALUES; s++) {
        while (kad_next_change(o.kad, (enum kad_store)s, &change)) {
            assert_int_equal(change.kind, KAD_CHANGE_PUT);
            assert_int_equal(kad_load(again.kad, (enum kad_store)s, change.key,
                                      change.value, again.now),
                             OK);
            rows++;
        }
    }
    assert_true(rows >= 2);
    struct kad_stats s = kad_get_stats(again.kad);
    assert_int_equal(s.provider_records_count, 1);
    assert_int_equal(s.value_records_count, 1);
    one_end(&o);
    one_end(&again);
}

/* The row of a peer that came without any of a record. */
static void a_peer_alone_does_not_stay(void **state)
{
    (void)state;
    struct one o;
    struct one again;
    struct kad_change change;
    one_make(&o, KAD_OWN, 0);
    one_make(&again, KAD_OWN, 0);
    kad_on_time(again.kad, again.now); /* is lonely, for a minute */
    struct mtime lonely_at = kad_deadline(again.kad);
    assert_int_equal(claim(&o, 1, 7, 7, true), OK);
    assert_true(kad_next_change(o.kad, KAD_STORE_PROVIDERS, &change));
    again.now = mtime_add_ms(again.now, 1000);
    assert_int_equal(kad_load(again.kad, KAD_STORE_PROVIDERS, change.key,
                              change.value, again.now),
                     OK);
    assert_int_equal(kad_get_stats(again.kad).provider_records_count, 0);
    assert_int_equal(kad_deadline(again.kad).ns,
                     mtime_add_ms(again.now, 30 * 1000).ns);
    again.now = kad_deadline(again.kad);
    kad_on_time(again.kad, again.now);
    assert_true(kad_next_change(again.kad, KAD_STORE_PROVIDERS, &change));
    assert_int_equal(change.kind, KAD_CHANGE_REMOVE);
    assert_false(kad_next_change(again.kad, KAD_STORE_PROVIDERS, &change));
    assert_int_equal(kad_deadline(again.kad).ns, lonely_at.ns);
    one_end(&o);
    one_end(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_answers_nobody),
        cmocka_unit_test(keys_of_requests_have_limits),
        cmocka_unit_test(a_peer_provides_for_itself_only),
        cmocka_unit_test(thousands_of_claims_in_a_row_are_kept),
        cmocka_unit_test(too_many_claims_are_dropped_in_silence),
        cmocka_unit_test(find_node_names_the_target_first),
        cmocka_unit_test(private_addresses_are_told_to_near_peers_only),
        cmocka_unit_test(no_prefix_of_a_request_is_dangerous),
        cmocka_unit_test(records_are_checked_so_often_only),
        cmocka_unit_test(records_come_back_after_a_restart),
        cmocka_unit_test(many_keys_come_at_once_in_our_network_only),
        cmocka_unit_test(each_of_many_keys_counts),
        cmocka_unit_test(a_server_tells_of_its_own_content),
        cmocka_unit_test(a_peer_alone_does_not_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
