/*
 * Goal: the parameters of a URL come out decoded, whatever the text.
 * Method: fixed texts, and every prefix of one that has all the cases.
 */
#include "base/attr.h"
#include "os/http_query.h"

#include "test.h"

static const char all_cases[] = "a=1&b&&c=%3D%26&a=2&=x&%61%zz=%&n=%00%4";

static void test_query(void **state)
{
    struct http_query q;

    (void)state;
    http_query_init(&q, "");
    assert_int_equal(q.count, 0);
    assert_null(http_query_get(&q, "a"));
    http_query_release(&q);
    http_query_init(&q, "a=1&b&&c=%3D%26&a=2&=x&%61%zz=%&n=%00%4");
    assert_int_equal(q.count, 7);
    assert_string_equal(http_query_get(&q, "a"), "1");
    assert_string_equal(http_query_get(&q, "b"), "");
    assert_string_equal(http_query_get(&q, "c"), "=&");
    assert_string_equal(http_query_get(&q, ""), "x");
    assert_string_equal(http_query_get(&q, "a%zz"), "%");
    assert_string_equal(http_query_get(&q, "n"), "%00%4");
    assert_null(http_query_get(&q, "d"));
    assert_string_equal(http_query_name(&q, 0), "a");
    assert_string_equal(http_query_name(&q, 6), "n");
    assert_null(http_query_name(&q, 7));
    http_query_release(&q);
}

static void test_every_prefix(void **state)
{
    char text[sizeof(all_cases)];

    (void)state;
    for (size_t len = 0; len < sizeof(all_cases); len++) {
        struct http_query q;
        memcpy(text, all_cases, len);
        text[len] = '\0';
        http_query_init(&q, text);
        assert_in_range(q.count, len == 0 ? 0 : 1, 7);
        for (size_t i = 0; i < q.count; i++)
            assert_non_null(http_query_get(&q, http_query_name(&q, i)));
        http_query_release(&q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
