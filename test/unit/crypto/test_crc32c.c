/*
 * Goal: crc32c() is the standard CRC-32C and can be continued.
 * Method: the check value and the vectors of RFC 3720, B.4; every cut.
 */
#include "crypto/crc32c.h"

#include "test.h"

static void vectors(void **state)
{
    (void)state;
    uint8_t in[32] = {0};
    struct bytes all = {in, sizeof(in)};
    assert_int_equal(crc32c(0, BYTES_LIT("123456789")), 0xe3069283);
    assert_int_equal(crc32c(0, BYTES_EMPTY), 0);
    assert_int_equal(crc32c(0, all), 0x8a9136aa);
    memset(in, 0xff, sizeof(in));
    assert_int_equal(crc32c(0, all), 0x62a8ab43);
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, all), 0x46dd794e);
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, all), 0x113fdb5c);
}

static void pieces_are_the_whole(void **state)
{
    (void)state;
    uint8_t in[3000];
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 7);
    uint32_t want = crc32c(0, (struct bytes){in, sizeof(in)});
    for (size_t cut = 0; cut <= sizeof(in); cut += 7) {
        uint32_t crc = crc32c(0, (struct bytes){in, cut});
        crc = crc32c(crc, (struct bytes){in + cut, sizeof(in) - cut});
        assert_int_equal(crc, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(pieces_are_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
