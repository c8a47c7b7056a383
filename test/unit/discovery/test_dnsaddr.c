/*
 * Goal: names become the addresses that the DNS has for them, and nothing that
 * the DNS says keeps us busy for long.
 * Method: a DNS that is a table of this test, or made up while it is asked;
 * answers come in order or in the opposite order.
 */
#include "base/attr.h"
#include "base/mem.h"
#include "discovery/dnsaddr.h"

#include "test.h"

#define PEER_A "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
#define PEER_B "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN"

enum { TEXTS_MAX = 128 };

/* One line of the DNS: a text, or an IP address. */
struct entry {
    const char *name;
    const char *value;
};

/* What a resolution came to. */
struct run {
    const struct entry *dns;
    size_t dns_count;
    bool backwards;    /* the last question is answered first */
    enum err all_fail; /* every lookup does so */
    size_t lookups;
    size_t at_once_max;
    size_t results;
    char found[DNSADDR_RESULTS_MAX][MULTIADDR_TEXT_MAX];
    enum err err;
};

static struct multiaddr parse(const char *text)
{
    struct multiaddr addr;

    if (multiaddr_parse(bytes_str(text), &addr) != OK)
        fail_msg("%s is no address", text);
    return addr;
}

static void answer_texts(struct run *r, struct dnsaddr *d,
                         const struct dnsaddr_out *out)
{
    struct bytes texts[TEXTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < r->dns_count; i++)
        if (bytes_eq(bytes_str(r->dns[i].name), out->name))
            texts[count++] = bytes_str(r->dns[i].value);
    enum err err = r->all_fail != OK ? r->all_fail
                   : count == 0      ? E_NOTFOUND
                                     : OK;
    dnsaddr_on_texts(d, out->id, err, texts, count);
}

static void answer_ips(struct run *r, struct dnsaddr *d,
                       const struct dnsaddr_out *out)
{
    struct ma_ip ips[TEXTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < r->dns_count; i++) {
        if (!bytes_eq(bytes_str(r->dns[i].name), out->name))
            continue;
        assert_int_equal(ma_ip_parse(bytes_str(r->dns[i].value), &ips[count]),
                         OK);
        count++;
    }
    enum err err = r->all_fail != OK ? r->all_fail
                   : count == 0      ? E_NOTFOUND
                                     : OK;
    dnsaddr_on_ips(d, out->id, err, ips, count);
}

/* Takes what there is; the lookups go to @asked. */
static size_t drain(struct run *r, struct dnsaddr *d,
                    struct dnsaddr_out asked[static DNSADDR_LOOKUPS_MAX],
                    size_t count, bool *ret_done)
{
    struct dnsaddr_out out;

    while (dnsaddr_next(d, &out)) {
        assert_false(*ret_done);
        switch (out.kind) {
        case DNSADDR_LOOKUP_TXT:
        case DNSADDR_LOOKUP_IP:
            asked[count++] = out;
            r->lookups++;
            break;
        case DNSADDR_FOUND:
            assert_true(r->results < DNSADDR_RESULTS_MAX);
            (void)multiaddr_format(&out.addr, r->found[r->results++]);
            break;
        case DNSADDR_DONE:
            assert_int_equal(count, 0);
            r->err = out.err;
            assert_int_equal(out.results_count, r->results);
            *ret_done = true;
            break;
        }
    }
    if (count > r->at_once_max)
        r->at_once_max = count;
    return count;
}

static void resolve(struct run *r, const char *text)
{
    struct dnsaddr_out asked[DNSADDR_LOOKUPS_MAX];
    struct multiaddr addr = parse(text);
    struct dnsaddr *d;
    bool done = false;

    assert_int_equal(dnsaddr_new(&addr, &d), OK);
    size_t count = drain(r, d, asked, 0, &done);
    while (!done) {
        assert_true(count > 0);
        size_t pick = r->backwards ? count - 1 : 0;
        struct dnsaddr_out out = asked[pick];
        memmove(&asked[pick], &asked[pick + 1],
                (count - 1 - pick) * sizeof(asked[0]));
        if (out.kind == DNSADDR_LOOKUP_TXT)
            answer_texts(r, d, &out);
        else
            answer_ips(r, d, &out);
        count = drain(r, d, asked, count - 1, &done);
    }
    dnsaddr_free(d);
    assert_true(r->lookups <= DNSADDR_LOOKUPS_MAX);
    assert_true(r->at_once_max <= DNSADDR_AT_ONCE_MAX);
}

static struct run run_new(const struct entry *dns, size_t count)
{
    return (struct run){.dns = dns, .dns_count = count};
}

static void expect_found(const struct run *r, const char *text)
{
    for (size_t i = 0; i < r->results; i++)
        if (strcmp(r->found[i], text) == 0)
            return;
    fail_msg("%s was not found", text);
}

static const struct entry network[] = {
    {"_dnsaddr.boot.example", "dnsaddr=/dnsaddr/a.boot.example/p2p/" PEER_A},
    {"_dnsaddr.boot.example", "dnsaddr=/dnsaddr/b.boot.example/p2p/" PEER_B},
    {"_dnsaddr.boot.example", "v=spf1 -all"},
    {"_dnsaddr.boot.example", "dnsaddr="},
    {"_dnsaddr.boot.example", "dnsaddr=/ip4/1.2.3.4/nonsense"},
    {"_dnsaddr.boot.example", ""},
    {"_dnsaddr.a.boot.example", "dnsaddr=/ip4/1.1.1.1/tcp/4001/p2p/" PEER_A},
    {"_dnsaddr.a.boot.example", "dnsaddr=/ip6/2001::1/tcp/4001/p2p/" PEER_A},
    {"_dnsaddr.a.boot.example",
     "dnsaddr=/ip4/1.1.1.1/udp/4001/quic-v1/p2p/" PEER_A},
    {"_dnsaddr.a.boot.example", "dnsaddr=/ip4/6.6.6.6/tcp/4001/p2p/" PEER_B},
    {"_dnsaddr.a.boot.example", "dnsaddr=/ip4/6.6.6.7/tcp/4001"},
    {"_dnsaddr.b.boot.example", "dnsaddr=/dns/b.example/tcp/4001/p2p/" PEER_B},
    {"_dnsaddr.b.boot.example", "dnsaddr=/dns4/b.example/tcp/4001/p2p/" PEER_B},
    {"_dnsaddr.b.boot.example",
     "dnsaddr=/dns4/b.example/tcp/443/wss/p2p/" PEER_B},
    {"b.example", "2.2.2.2"},
    {"b.example", "2001::2"},
};

static void test_all_of_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct run r = run_new(network, countof(network));
        r.backwards = i == 1;
        resolve(&r, "/dnsaddr/boot.example");
        assert_int_equal(r.err, OK);
        expect_found(&r, "/ip4/1.1.1.1/tcp/4001/p2p/" PEER_A);
        expect_found(&r, "/ip6/2001::1/tcp/4001/p2p/" PEER_A);
        expect_found(&r, "/ip4/2.2.2.2/tcp/4001/p2p/" PEER_B);
        expect_found(&r, "/ip6/2001::2/tcp/4001/p2p/" PEER_B);
        assert_int_equal(r.results, 4);
        assert_int_equal(r.lookups, 5);
    }
}

static void test_one_peer_of_a_name(void **state)
{
    struct run r = run_new(network, countof(network));

    (void)state;
    resolve(&r, "/dnsaddr/boot.example/p2p/" PEER_A);
    assert_int_equal(r.err, OK);
    assert_int_equal(r.results, 2);
    assert_int_equal(r.lookups, 2);
    expect_found(&r, "/ip4/1.1.1.1/tcp/4001/p2p/" PEER_A);
    expect_found(&r, "/ip6/2001::1/tcp/4001/p2p/" PEER_A);
}

static void test_families(void **state)
{
    static const struct {
        const char *addr;
        size_t results;
        const char *one;
    } cases[] = {
        {"/dns/b.example/tcp/9", 2, "/ip6/2001::2/tcp/9"},
        {"/dns4/b.example/tcp/9", 1, "/ip4/2.2.2.2/tcp/9"},
        {"/dns6/b.example/tcp/9", 1, "/ip6/2001::2/tcp/9"},
        {"/dns6/b.example/tcp/9/p2p/" PEER_A, 1,
         "/ip6/2001::2/tcp/9/p2p/" PEER_A},
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct run r = run_new(network, countof(network));
        resolve(&r, cases[i].addr);
        assert_int_equal(r.err, OK);
        assert_int_equal(r.results, cases[i].results);
        expect_found(&r, cases[i].one);
        assert_int_equal(r.lookups, 1);
    }
}

static void test_what_needs_no_lookup(void **state)
{
    struct run r = run_new(NULL, 0);

    (void)state;
    resolve(&r, "/ip4/1.2.3.4/tcp/5/p2p/" PEER_A);
    assert_int_equal(r.err, OK);
    assert_int_equal(r.lookups, 0);
    assert_int_equal(r.results, 1);
    expect_found(&r, "/ip4/1.2.3.4/tcp/5/p2p/" PEER_A);
}

static void test_what_is_no_name(void **state)
{
    static const char *const no[] = {
        "/ip4/1.2.3.4/udp/4001/quic-v1",
        "/dns4/a.example/udp/4001/quic-v1",
        "/dns/a.example/tcp/443/wss",
        "/dns/a.example",
        ("/ip4/1.2.3.4/tcp/1/p2p/" PEER_A "/p2p-circuit"),
        ("/p2p/" PEER_A),
        "/unix/a",
    };
    static const char *const yes[] = {
        "/dnsaddr/a.example",
        "/dnsaddr/a.example/tcp/4001",
        ("/dns6/a.example/tcp/4001/p2p/" PEER_A),
    };
    struct dnsaddr *d;

    (void)state;
    for (size_t i = 0; i < countof(no); i++) {
        struct multiaddr addr = parse(no[i]);
        assert_false(dnsaddr_is_name(&addr));
        assert_int_equal(dnsaddr_new(&addr, &d), E_UNSUPPORTED);
    }
    for (size_t i = 0; i < countof(yes); i++) {
        struct multiaddr addr = parse(yes[i]);
        assert_true(dnsaddr_is_name(&addr));
    }
    struct multiaddr plain = parse("/ip4/1.2.3.4/tcp/1");
    assert_false(dnsaddr_is_name(&plain));
}

static void test_errors(void **state)
{
    static const enum err errs[] = {E_NOTFOUND, E_TIMEOUT, E_IO, E_MALFORMED,
                                    E_LIMIT};

    (void)state;
    for (size_t i = 0; i < countof(errs); i++) {
        struct run r = run_new(network, countof(network));
        r.all_fail = errs[i];
        resolve(&r, "/dnsaddr/boot.example");
        assert_int_equal(r.err, errs[i]);
        r = run_new(network, countof(network));
        r.all_fail = errs[i];
        resolve(&r, "/dns4/b.example/tcp/1");
        assert_int_equal(r.err, errs[i]);
    }
    struct run r = run_new(network, countof(network));
    resolve(&r, "/dnsaddr/boot.example/tcp/4001"); /* nothing ends so */
    assert_int_equal(r.err, E_NOTFOUND);
    assert_int_equal(r.lookups, 1);
}

static void test_circles(void **state)
{
    static const struct entry dns[] = {
        {"_dnsaddr.a.example", "dnsaddr=/dnsaddr/b.example"},
        {"_dnsaddr.a.example", "dnsaddr=/dnsaddr/a.example"},
        {"_dnsaddr.b.example", "dnsaddr=/dnsaddr/a.example"},
        {"_dnsaddr.b.example", "dnsaddr=/ip4/1.2.3.4/tcp/1"},
        {"_dnsaddr.b.example", "dnsaddr=/ip4/1.2.3.4/tcp/1"},
    };
    struct run r = run_new(dns, countof(dns));

    (void)state;
    resolve(&r, "/dnsaddr/a.example");
    assert_int_equal(r.err, OK);
    assert_int_equal(r.lookups, 2);
    assert_int_equal(r.results, 1);
}

/* @count names, each of which leads to the next; the last has an address. */
static void check_chain(size_t count, enum err want)
{
    static char names[8][32];
    static char values[8][64];
    struct entry dns[9] = {{NULL, NULL}};

    assert_true(count < countof(dns));
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "_dnsaddr.%zu.x", i);
        assert_in_range(len, 1, sizeof(names[i]) - 1);
        if (i + 1 < count)
            len = snprintf(values[i], sizeof(values[i]),
                           "dnsaddr=/dnsaddr/%zu.x", i + 1);
        else
            len = snprintf(values[i], sizeof(values[i]),
                           "dnsaddr=/dns/host.x/tcp/1");
        assert_in_range(len, 1, sizeof(values[i]) - 1);
        dns[i] = (struct entry){names[i], values[i]};
    }
    dns[count] = (struct entry){"host.x", "1.2.3.4"};
    struct run r = run_new(dns, count + 1);
    resolve(&r, "/dnsaddr/0.x");
    assert_int_equal(r.err, want);
    assert_int_equal(r.results, want == OK ? 1 : 0);
}

static void test_depth(void **state)
{
    (void)state;
    check_chain(1, OK);
    check_chain(DNSADDR_DEPTH_MAX, OK);
    check_chain(DNSADDR_DEPTH_MAX + 1, E_NOTFOUND);
}

static void test_too_many_lookups(void **state)
{
    static char values[TEXTS_MAX][64];
    static struct entry dns[TEXTS_MAX + 1];
    size_t count = DNSADDR_LOOKUPS_MAX; /* and the first: one too many */

    (void)state;
    for (size_t i = 0; i < count; i++) {
        int len = snprintf(values[i], sizeof(values[i]),
                           "dnsaddr=/dns4/h/tcp/%zu", i + 1);
        assert_in_range(len, 1, sizeof(values[i]) - 1);
        dns[i] = (struct entry){"_dnsaddr.a", values[i]};
    }
    dns[count] = (struct entry){"h", "1.2.3.4"};
    struct run r = run_new(dns, count + 1);
    resolve(&r, "/dnsaddr/a");
    assert_int_equal(r.lookups, DNSADDR_LOOKUPS_MAX);
    assert_int_equal(r.results, DNSADDR_LOOKUPS_MAX - 1);
    assert_int_equal(r.at_once_max, DNSADDR_AT_ONCE_MAX);
    r = run_new(dns, count); /* no address for h */
    resolve(&r, "/dnsaddr/a");
    assert_int_equal(r.err, E_LIMIT);
}

static void test_too_many_results(void **state)
{
    static char values[TEXTS_MAX][64];
    static struct entry dns[TEXTS_MAX];

    (void)state;
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        int len = snprintf(values[i], sizeof(values[i]),
                           "dnsaddr=/ip4/1.2.3.4/tcp/%zu", i + 1);
        assert_in_range(len, 1, sizeof(values[i]) - 1);
        dns[i] = (struct entry){"_dnsaddr.a", values[i]};
    }
    struct run r = run_new(dns, DNSADDR_RESULTS_MAX);
    resolve(&r, "/dnsaddr/a");
    assert_int_equal(r.results, DNSADDR_RESULTS_MAX);
    r = run_new(dns, DNSADDR_RESULTS_MAX + 1);
    resolve(&r, "/dnsaddr/a");
    assert_int_equal(r.results, DNSADDR_RESULTS_MAX);
}

/* "_dnsaddr." and the name are at most as long as a name may be.  The name of
 * an address is bounded by the address, so only the first can be too long. */
static void test_long_names(void **state)
{
    char text[300] = "/dnsaddr/";
    size_t head = strlen(text);
    struct run r = run_new(NULL, 0);

    (void)state;
    memset(text + head, 'a', DNSADDR_NAME_MAX - 9);
    text[head + DNSADDR_NAME_MAX - 9] = '\0';
    resolve(&r, text);
    assert_int_equal(r.lookups, 1);
    assert_int_equal(r.err, E_NOTFOUND);
    text[head + DNSADDR_NAME_MAX - 9] = 'a';
    text[head + DNSADDR_NAME_MAX - 8] = '\0';
    r = run_new(NULL, 0);
    resolve(&r, text);
    assert_int_equal(r.lookups, 0);
    assert_int_equal(r.err, E_LIMIT);
}

/* Every prefix of a good text is read; only the whole gives this address. */
static void test_every_prefix(void **state)
{
    static const char whole[] = "dnsaddr=/ip4/1.2.3.4/tcp/65535/p2p/" PEER_B;
    struct multiaddr addr = parse("/dnsaddr/a/p2p/" PEER_B);

    (void)state;
    for (size_t len = 0; len < sizeof(whole); len++) {
        uint8_t *copy = mem_dup(whole, len);
        struct bytes text = {.p = copy, .len = len};
        struct dnsaddr_out out;
        struct dnsaddr *d;
        assert_int_equal(dnsaddr_new(&addr, &d), OK);
        assert_true(dnsaddr_next(d, &out));
        assert_int_equal(out.kind, DNSADDR_LOOKUP_TXT);
        dnsaddr_on_texts(d, out.id, OK, &text, 1);
        assert_true(dnsaddr_next(d, &out));
        assert_int_equal(out.kind, len + 1 == sizeof(whole) ? DNSADDR_FOUND
                                                            : DNSADDR_DONE);
        dnsaddr_free(d);
        mem_free(copy);
    }
}

static void test_free_at_any_time(void **state)
{
    struct multiaddr addr = parse("/dnsaddr/boot.example");
    struct dnsaddr_out out;
    struct dnsaddr *d;

    (void)state;
    assert_int_equal(dnsaddr_new(&addr, &d), OK);
    dnsaddr_free(d);
    assert_int_equal(dnsaddr_new(&addr, &d), OK);
    assert_true(dnsaddr_next(d, &out));
    assert_false(dnsaddr_next(d, &out));
    dnsaddr_free(d);
    dnsaddr_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_a_name),
        cmocka_unit_test(test_one_peer_of_a_name),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_what_needs_no_lookup),
        cmocka_unit_test(test_what_is_no_name),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_circles),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_too_many_lookups),
        cmocka_unit_test(test_too_many_results),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_free_at_any_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
