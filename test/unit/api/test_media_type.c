/*
 * Goal: a Content-Type is known in each way that it may be written, and no
 * other is taken for it.
 * Method: texts as clients send them, and every beginning of a good one.
 */
#include "api/media_type.h"
#include "base/attr.h"

#include "test.h"

static const char json[] = "application/json";

static void ways_to_write_it(void **state)
{
    static const char *const good[] = {
        "application/json",
        "Application/JSON",
        " \tapplication/json",
        "application/json ",
        "application/json;charset=utf-8",
        "application/json \t; charset=UTF-8",
        "application/json;",
    };

    (void)state;
    for (size_t i = 0; i < countof(good); i++)
        if (!media_type_is(good[i], json))
            fail_msg("'%s' is not known", good[i]);
}

static void others(void **state)
{
    static const char *const bad[] = {
        "text/plain",
        "application/jsonx",
        "application/json5",
        "application/json+x",
        "application/json x",
        "application/json,text/plain",
        "application /json",
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "xapplication/json",
        "text/plain;application/json",
        "; application/json",
    };

    (void)state;
    for (size_t i = 0; i < countof(bad); i++)
        if (media_type_is(bad[i], json))
            fail_msg("'%s' is taken for it", bad[i]);
}

static void beginnings(void **state)
{
    char part[sizeof(json)];

    (void)state;
    for (size_t len = 0; len < sizeof(json) - 1; len++) {
        memcpy(part, json, len);
        part[len] = '\0';
        assert_false(media_type_is(part, json));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_to_write_it),
        cmocka_unit_test(others),
        cmocka_unit_test(beginnings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
