/*
 * Goal: secrets are owned once, compared by content and wiped.
 * Method: life cycle; comparisons that differ in each byte; wiping of memory
 * that the test keeps.
 */
#include "crypto/secret.h"

#include "test.h"

static void life_cycle(void **state)
{
    (void)state;
    struct secret s;
    secret_init(&s, 3);
    assert_int_equal(s.len, 3);
    assert_int_equal(s.p[0] | s.p[1] | s.p[2], 0);
    secret_release(&s);
    assert_null(s.p);
    assert_int_equal(s.len, 0);
    secret_release(&s);

    secret_init_copy(&s, BYTES_LIT("key"));
    assert_true(bytes_eq(secret_bytes(&s), BYTES_LIT("key")));
    secret_release(&s);
    secret_init_copy(&s, BYTES_EMPTY);
    assert_int_equal(secret_bytes(&s).len, 0);
    secret_release(&s);
}

static void wipe(void **state)
{
    (void)state;
    uint8_t b[4] = {1, 2, 3, 4};
    secret_wipe(b, 3);
    assert_int_equal(b[0] | b[1] | b[2], 0);
    assert_int_equal(b[3], 4);
}

static void equality(void **state)
{
    (void)state;
    uint8_t a[40] = {1};
    uint8_t b[40] = {1};
    struct bytes va = {a, sizeof(a)};
    struct bytes vb = {b, sizeof(b)};
    assert_true(secret_eq(va, vb));
    assert_true(secret_eq(BYTES_EMPTY, BYTES_EMPTY));
    assert_false(secret_eq(va, BYTES_EMPTY));
    assert_false(secret_eq(va, (struct bytes){b, 39}));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] ^= 0x80;
        assert_false(secret_eq(va, vb));
        b[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_cycle),
        cmocka_unit_test(wipe),
        cmocka_unit_test(equality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
