/*
 * Goal: what a request does with the data folder is known before it is made,
 * and in doubt it writes.
 * Method: requests of each kind, with and without a query.
 */
#include "api/routes.h"
#include "base/attr.h"

#include "test.h"

static void reading(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        enum route_use use;
    } rows[] = {
        {"GET", "/api/v1/content/bafy", ROUTE_READS_BLOCKS},
        {"GET", "/api/v1/content/bafy/a/b?offset=1", ROUTE_READS_BLOCKS},
        {"HEAD", "/api/v1/content/ipfs/bafy", ROUTE_READS_BLOCKS},
        {"GET", "/api/v1/content/bafy/ipns/a", ROUTE_READS_BLOCKS},
        {"POST", "/api/v1/local/get", ROUTE_READS_BLOCKS},
        {"POST", "/api/v1/verify?cid=bafy", ROUTE_READS_BLOCKS},
        {"GET", "/api/v1/pins?limit=1000", ROUTE_READS_BLOCKS},
        {"GET", "/api/v1/car/bafy", ROUTE_READS_BLOCKS},
        {"GET", "/api/v1/node", ROUTE_READS},
        {"GET", "/api/v1/objects/bafy?watch=1", ROUTE_READS},
        {"POST", "/api/v1/node/sign", ROUTE_READS},
        {"GET", "/api/v1/no/such/route", ROUTE_READS_BLOCKS},
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        assert_int_equal(route_use_of(rows[i].method, rows[i].target),
                         rows[i].use);
}

static void writing(void **state)
{
    static const char *const rows[][2] = {
        {"POST", "/api/v1/add?pin=true"},
        {"POST", "/api/v1/local/add"},
        {"POST", "/api/v1/blocks"},
        {"DELETE", "/api/v1/blocks/bafy"},
        {"PUT", "/api/v1/pins/bafy"},
        {"DELETE", "/api/v1/pins/bafy"},
        {"POST", "/api/v1/gc"},
        {"POST", "/api/v1/fsck"},
        {"POST", "/api/v1/car?pin=true"},
        {"POST", "/api/v1/objects"},
        {"DELETE", "/api/v1/objects/bafy"},
        {"PATCH", "/api/v1/config"},
        {"GET", "/api/v1/ipns/k51"},
        {"GET", "/api/v1/content/ipns/k51"},
        {"GET", "/api/v1/content/ipns/k51/a?offset=1"},
        {"GET", "/api/v1/ls/ipns/k51"},
    };

    (void)state;
    for (size_t i = 0; i < countof(rows); i++)
        assert_int_equal(route_use_of(rows[i][0], rows[i][1]), ROUTE_WRITES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),
        cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
