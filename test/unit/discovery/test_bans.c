/*
 * Goal: who is banned, denied or allowed is turned away or not, by peer id and
 * by network, until it ends, also over a restart.
 * Method: targets as text; a table of decisions; ends; the limit; what is
 * written down is loaded into another list, and every prefix of it.
 */
#include "discovery/bans.h"
#include "peers.h"

static const uint8_t seed[16] = {3};

static struct ban_target target(const char *text)
{
    struct ban_target t;
    assert_int_equal(ban_target_parse(bytes_str(text), &t), OK);
    return t;
}

static void put(struct bans *b, const char *text, enum ban_kind kind,
                uint64_t end_s)
{
    struct ban_target t = target(text);
    assert_int_equal(
        bans_put(b, &t, kind, BYTES_LIT("why"), end_s, TEST_UNIX_S), OK);
}

#define PEER "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"

static void test_text(void **state)
{
    static const struct {
        const char *in;
        const char *out; /* NULL: refused */
    } rows[] = {
        {PEER, PEER},
        {"1.2.3.4", "1.2.3.4"},
        {"1.2.3.4/32", "1.2.3.4"},
        {"10.0.0.0/8", "10.0.0.0/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"2a00::/32", "2a00::/32"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::ffff:1.2.0.0/112", "1.2.0.0/16"},
        {"10.0.0.1/8", NULL},
        {"10.0.0.0/33", NULL},
        {"10.0.0.0/", NULL},
        {"10.0.0.0/08", NULL},
        {"10.0.0.0/8x", NULL},
        {"10.0.0.0/1000", NULL},
        {"2a00::/129", NULL},
        {PEER "/8", NULL},
        {"", NULL},
        {"/", NULL},
        {"nobody", NULL},
    };
    char text[BANS_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ban_target t;
        enum err err = ban_target_parse(bytes_str(rows[i].in), &t);
        if (rows[i].out == NULL) {
            assert_int_equal(err, E_MALFORMED);
            continue;
        }
        assert_int_equal(err, OK);
        assert_int_equal(ban_target_format(&t, text), strlen(rows[i].out));
        assert_string_equal(text, rows[i].out);
    }
}

static bool refused(const struct bans *b, const char *peer, const char *addr,
                    uint64_t unix_s)
{
    struct peer_id id = {0};
    struct multiaddr a = {0};
    if (peer != NULL)
        id = target(peer).peer;
    if (addr != NULL)
        a = addr_of(addr);
    return bans_refuse(b, peer == NULL ? NULL : &id, addr == NULL ? NULL : &a,
                       unix_s);
}

static void test_decisions(void **state)
{
    struct bans b;
    (void)state;
    bans_init(&b, seed);
    assert_false(refused(&b, PEER, "/ip4/1.2.3.4/tcp/1", TEST_UNIX_S));
    put(&b, "1.2.0.0/16", BAN_DENY, 0);
    assert_true(refused(&b, NULL, "/ip4/1.2.3.4/tcp/1", TEST_UNIX_S));
    assert_true(refused(&b, PEER, "/ip6/::ffff:1.2.3.4/tcp/1", TEST_UNIX_S));
    assert_false(refused(&b, PEER, "/ip4/1.3.3.4/tcp/1", TEST_UNIX_S));
    assert_false(refused(&b, PEER, "/ip6/102::/tcp/1", TEST_UNIX_S));
    assert_false(refused(&b, PEER, NULL, TEST_UNIX_S));
    put(&b, PEER, BAN_TEMPORARY, TEST_UNIX_S + 10);
    assert_true(refused(&b, PEER, NULL, TEST_UNIX_S + 9));
    assert_false(refused(&b, PEER, NULL, TEST_UNIX_S + 10));
    assert_true(refused(&b, PEER, "/ip4/9.9.9.9/tcp/1", TEST_UNIX_S));
    put(&b, "1.2.3.0/24", BAN_ALLOW, 0);
    assert_false(refused(&b, NULL, "/ip4/1.2.3.4/tcp/1", TEST_UNIX_S));
    assert_false(refused(&b, PEER, "/ip4/1.2.3.4/tcp/1", TEST_UNIX_S));
    assert_true(refused(&b, NULL, "/ip4/1.2.4.4/tcp/1", TEST_UNIX_S));
    put(&b, PEER, BAN_ALLOW, 0);
    assert_false(refused(&b, PEER, "/ip4/1.2.4.4/tcp/1", TEST_UNIX_S));
    bans_release(&b);
}

static void test_ends(void **state)
{
    struct bans b;
    (void)state;
    bans_init(&b, seed);
    put(&b, "1.2.3.4", BAN_TEMPORARY, TEST_UNIX_S + 10);
    put(&b, "1.2.3.5", BAN_DENY, 0);
    bans_expire(&b, TEST_UNIX_S + 9);
    assert_int_equal(b.entries.count, 2);
    bans_expire(&b, TEST_UNIX_S + 10);
    assert_int_equal(b.entries.count, 1);
    struct ban_target t = target("1.2.3.4");
    assert_int_equal(bans_remove(&b, &t), E_NOTFOUND);
    t = target("1.2.3.5");
    assert_int_equal(bans_remove(&b, &t), OK);
    assert_null(bans_next(&b, NULL));
    bans_release(&b);
}

static void test_limit(void **state)
{
    struct bans b;
    struct ban_target t = {.peer = id_of(0)};
    char reason[BANS_REASON_MAX + 1];
    (void)state;
    memset(reason, 'x', sizeof(reason));
    bans_init(&b, seed);
    for (uint32_t i = 0; i < BANS_MAX; i++) {
        t.peer = id_of(i);
        assert_int_equal(
            bans_put(&b, &t, BAN_TEMPORARY,
                     (struct bytes){(uint8_t *)reason, sizeof(reason)},
                     TEST_UNIX_S + 5, TEST_UNIX_S),
            OK);
    }
    assert_int_equal(bans_next(&b, NULL)->reason_len, BANS_REASON_MAX);
    t.peer = id_of(BANS_MAX);
    assert_int_equal(bans_put(&b, &t, BAN_DENY, BYTES_EMPTY, 0, TEST_UNIX_S),
                     E_LIMIT);
    /* What is there may be changed, and what has ended makes room. */
    t.peer = id_of(3);
    assert_int_equal(bans_put(&b, &t, BAN_DENY, BYTES_EMPTY, 0, TEST_UNIX_S),
                     OK);
    t.peer = id_of(BANS_MAX);
    assert_int_equal(
        bans_put(&b, &t, BAN_DENY, BYTES_EMPTY, 0, TEST_UNIX_S + 5), OK);
    assert_int_equal(b.entries.count, 2);
    bans_release(&b);
}

/* Carries what changed in @from over to @to; returns how much it was. */
static size_t carry(struct bans *from, struct bans *to)
{
    uint8_t key[BANS_KEY_MAX];
    uint8_t value[BANS_VALUE_MAX];
    size_t count = 0;
    for (;;) {
        struct wr k = wr_init(key, sizeof(key));
        struct wr v = wr_init(value, sizeof(value));
        if (!bans_next_change(from, &k, &v))
            return count;
        count++;
        if (wr_len(&v) > 0)
            assert_int_equal(bans_load(to, (struct bytes){key, wr_len(&k)},
                                       (struct bytes){value, wr_len(&v)}),
                             OK);
    }
}

static void test_disk(void **state)
{
    struct bans b;
    struct bans c;
    (void)state;
    bans_init(&b, seed);
    bans_init(&c, seed);
    put(&b, PEER, BAN_TEMPORARY, TEST_UNIX_S + 10);
    put(&b, "1.2.0.0/16", BAN_DENY, 0);
    put(&b, "2a00::/32", BAN_ALLOW, 0);
    put(&b, "9.9.9.9", BAN_DENY, 0);
    struct ban_target t = target("9.9.9.9");
    /* It was never written: nothing is to be removed. */
    assert_int_equal(bans_remove(&b, &t), OK);
    assert_int_equal(carry(&b, &c), 3);
    assert_int_equal(carry(&b, &c), 0);
    assert_int_equal(carry(&c, &b), 0);
    assert_true(refused(&c, PEER, NULL, TEST_UNIX_S));
    assert_false(refused(&c, PEER, NULL, TEST_UNIX_S + 10));
    assert_true(refused(&c, NULL, "/ip4/1.2.3.4/tcp/1", TEST_UNIX_S));
    const struct ban *first = bans_next(&c, NULL);
    assert_int_equal(first->since_s, TEST_UNIX_S);
    assert_int_equal(first->reason_len, 3);
    assert_memory_equal(first->reason, "why", 3);
    t = target(PEER);
    assert_int_equal(bans_remove(&c, &t), OK);
    put(&c, PEER, BAN_DENY, 0);
    /* Removed first, then written anew. */
    uint8_t key[BANS_KEY_MAX];
    uint8_t value[BANS_VALUE_MAX];
    for (size_t i = 0; i < 2; i++) {
        struct wr k = wr_init(key, sizeof(key));
        struct wr v = wr_init(value, sizeof(value));
        assert_true(bans_next_change(&c, &k, &v));
        assert_int_equal(wr_len(&v) > 0, i == 1);
    }
    bans_release(&b);
    bans_release(&c);
}

static void test_corrupt(void **state)
{
    struct bans b;
    struct bans c;
    uint8_t key[BANS_KEY_MAX];
    uint8_t value[BANS_VALUE_MAX];
    struct wr k = wr_init(key, sizeof(key));
    struct wr v = wr_init(value, sizeof(value));
    (void)state;
    bans_init(&b, seed);
    bans_init(&c, seed);
    put(&b, "1.2.0.0/16", BAN_DENY, 0);
    assert_true(bans_next_change(&b, &k, &v));
    struct bytes kb = {key, wr_len(&k)};
    struct bytes vb = {value, wr_len(&v)};
    for (size_t len = 0; len < vb.len; len++)
        assert_int_equal(bans_load(&c, kb, (struct bytes){value, len}),
                         E_CORRUPT);
    for (size_t len = 0; len < kb.len; len++)
        assert_int_equal(bans_load(&c, (struct bytes){key, len}, vb),
                         E_CORRUPT);
    value[0]++;
    assert_int_equal(bans_load(&c, kb, vb), E_UNSUPPORTED);
    value[0]--;
    value[1] = 9;
    assert_int_equal(bans_load(&c, kb, vb), E_CORRUPT);
    value[1] = BAN_DENY;
    key[2] = 15; /* a bit behind the prefix is set */
    key[4] = 3;
    assert_int_equal(bans_load(&c, kb, vb), E_CORRUPT);
    assert_int_equal(c.entries.count, 0);
    bans_release(&b);
    bans_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text), cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_ends), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_disk), cmocka_unit_test(test_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
