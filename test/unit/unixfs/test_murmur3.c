/* The hash of names: known values, of each length of the last stripe. */
#include "unixfs/murmur3.h"

#include "test.h"

static void test_known(void **state)
{
    static const struct {
        const char *text;
        uint64_t want;
    } cases[] = {
        {"", UINT64_C(0x0000000000000000)},
        {"a", UINT64_C(0x85555565f6597889)},
        {"hello.txt", UINT64_C(0xdf19ab11523994d9)},
        {"empty", UINT64_C(0x5ed3e28128ac2df7)},
        {"0.txt", UINT64_C(0x8b948cec2c5bcca6)},
        {"470.txt", UINT64_C(0x006e88df5847e67c)},
        {"742.txt", UINT64_C(0x00ff87d129ae5428)},
        {"The quick brown fox jumps over the lazy dog",
         UINT64_C(0xe34bbc7bbc071b6c)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(murmur3_x64_64(bytes_str(cases[i].text)),
                         cases[i].want);
}

/* Prefixes of the alphabet, one for each length of the last stripe. */
static void test_lengths(void **state)
{
    static const uint8_t letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const uint64_t want[] = {
        UINT64_C(0x0000000000000000), UINT64_C(0x85555565f6597889),
        UINT64_C(0x938b11ea16ed1b2e), UINT64_C(0xb4963f3f3fad7867),
        UINT64_C(0xb87bb7d64656cd4f), UINT64_C(0x2036d091f496bbb8),
        UINT64_C(0xe47d86bfaca3bf55), UINT64_C(0xa6cd2f9fc09ee499),
        UINT64_C(0xcc8a0ab037ef8c02), UINT64_C(0x0547c0cff13c7964),
        UINT64_C(0xb6c15b0d772f8c99), UINT64_C(0xa895d0b8df789d02),
        UINT64_C(0x8ef39bb1e67ae194), UINT64_C(0x1648288da7c0fa73),
        UINT64_C(0x91d094a7f5c375e0), UINT64_C(0x8abe2451890c2ffb),
        UINT64_C(0xc4ca3ca3224cb723), UINT64_C(0x7564747f88bda657),
        UINT64_C(0x77f08cec907f8a50), UINT64_C(0x1590bc23de9e6d88),
        UINT64_C(0x310b3726f937e2f1), UINT64_C(0xc9d568e279ffc93c),
        UINT64_C(0x9588e330f4abf856), UINT64_C(0x40480aba9d4f238e),
        UINT64_C(0x6494960fd4de2cf7), UINT64_C(0x71e7cba42f07960f),
        UINT64_C(0x749c9d7e516f4aa9), UINT64_C(0x7e2ddc8410dde045),
        UINT64_C(0x8c064e06c8bb7f61), UINT64_C(0x31efcff15e52947e),
        UINT64_C(0x41681900ec9b3341), UINT64_C(0x4bf06228635658a8),
        UINT64_C(0x16a127b539e20ae3), UINT64_C(0xeea5f18b80c96088),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_int_equal(murmur3_x64_64((struct bytes){letters, i}), want[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
