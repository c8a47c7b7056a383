/*
 * What a domain stands for.  Goal: the first text that is a DNSLink is taken,
 * whatever else is there.  Method: tables of texts.
 */
#include <string.h>

#include "node/dnslink.h"

#include "test.h"

enum { TEXTS_MAX = 5 };

struct row {
    const char *texts[TEXTS_MAX];
    const char *value; /* "": none */
};

static const struct row rows[] = {
    {{NULL}, ""},
    {{"v=spf1 -all"}, ""},
    {{"dnslink="}, ""},
    {{"dnslink=/ipfs/"}, "/ipfs/"}, /* the path is looked at later */
    {{"dnslink=/ipfs/bafk"}, "/ipfs/bafk"},
    {{"dnslink=/ipns/example.org/a b"}, "/ipns/example.org/a b"},
    {{"dnslink=/dnslink/other"}, ""},
    {{"DNSLINK=/ipfs/bafk"}, ""},
    {{" dnslink=/ipfs/bafk"}, ""},
    {{"/ipfs/bafk"}, ""},
    {{"", "dnslink=/swarm/a", "dnslink=/ipfs/a", "dnslink=/ipfs/b"}, "/ipfs/a"},
};

static void the_first_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bytes texts[TEXTS_MAX];
        size_t count = 0;
        while (count < TEXTS_MAX && rows[i].texts[count] != NULL) {
            texts[count] = bytes_str(rows[i].texts[count]);
            count++;
        }
        struct bytes value = dnslink_choose(texts, count);
        assert_true(bytes_eq(value, bytes_str(rows[i].value)));
    }
}

static void a_domain_has_a_dot(void **state)
{
    (void)state;
    assert_true(dnslink_is_domain(BYTES_LIT("example.org")));
    assert_true(dnslink_is_domain(BYTES_LIT(".")));
    assert_false(dnslink_is_domain(BYTES_LIT("localhost")));
    assert_false(dnslink_is_domain(BYTES_EMPTY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_taken),
        cmocka_unit_test(a_domain_has_a_dot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
