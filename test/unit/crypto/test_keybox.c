/*
 * Goal: a box opens with its passphrase only, and says what is wrong with it
 * otherwise; parameters of a stranger cost neither memory nor time.
 * Method: round trips with the cheapest parameters; every prefix; every bit
 * turned over; parameters at and past each limit, with a good checksum.
 */
#include "base/wr.h"
#include "crypto/crc32c.h"
#include "crypto/keybox.h"
#include "crypto/secret.h"

#include "test.h"

enum {
    BOX_MAX = KEYBOX_PLAIN_BYTES_MAX + KEYBOX_OVERHEAD_BYTES + 1,
    AT_VERSION = 8,
    AT_MEMORY = 12,
    AT_PASSES = 16,
    AT_PLAIN_LEN = 60,
    MEMORY_KIB = 1024, /* what the tests are ready to spend */
};

struct box {
    uint8_t b[BOX_MAX];
    size_t len;
};

static const struct keybox_params cheap = {
    .memory_kib = KEYBOX_MEMORY_KIB_MIN,
    .passes = KEYBOX_PASSES_MIN,
    .salt = {1, 2, 3},
    .nonce = {4, 5, 6},
};

static struct bytes seal(struct bytes plain, struct bytes pass, struct box *box)
{
    struct wr w = wr_init(box->b, sizeof(box->b));
    keybox_seal(plain, pass, &cheap, &w);
    assert_int_equal(w.err, OK);
    box->len = wr_len(&w);
    assert_int_equal(box->len, plain.len + KEYBOX_OVERHEAD_BYTES);
    return (struct bytes){box->b, box->len};
}

static void check_opens(struct bytes box, struct bytes pass, struct bytes plain)
{
    struct secret got;
    assert_int_equal(keybox_open(box, pass, MEMORY_KIB, &got), OK);
    assert_true(bytes_eq(secret_bytes(&got), plain));
    secret_release(&got);
}

static void check_fails(struct bytes box, struct bytes pass, enum err want)
{
    struct secret got;
    assert_int_equal(keybox_open(box, pass, MEMORY_KIB, &got), want);
}

static void round_trips(void **state)
{
    (void)state;
    static struct box box;
    static uint8_t big[KEYBOX_PLAIN_BYTES_MAX];
    uint8_t pass[KEYBOX_PASS_BYTES_MAX] = {9};
    struct bytes plains[] = {
        BYTES_EMPTY, BYTES_LIT("k"), {big, 32}, {big, sizeof(big)}};
    struct bytes passes[] = {
        BYTES_EMPTY, BYTES_LIT("open"), {pass, sizeof(pass)}};
    for (size_t i = 0; i < sizeof(plains) / sizeof(plains[0]); i++) {
        for (size_t j = 0; j < sizeof(passes) / sizeof(passes[0]); j++)
            check_opens(seal(plains[i], passes[j], &box), passes[j], plains[i]);
    }
}

static void known_box(void **state)
{
    (void)state;
    static struct box box;
    uint8_t want[128];
    struct bytes made = seal(BYTES_LIT("secret"), BYTES_LIT("pass"), &box);
    size_t len =
        test_load("test/vectors/crypto/keybox.bin", want, sizeof(want));
    assert_int_equal(made.len, len);
    assert_memory_equal(made.p, want, len);
}

static void wrong_passphrase(void **state)
{
    (void)state;
    static struct box box;
    struct bytes made = seal(BYTES_LIT("secret"), BYTES_LIT("pass"), &box);
    check_fails(made, BYTES_LIT("Pass"), E_MISMATCH);
    check_fails(made, BYTES_EMPTY, E_MISMATCH);
    check_fails(made, BYTES_LIT("pass "), E_MISMATCH);
    uint8_t pass[KEYBOX_PASS_BYTES_MAX + 1] = {0};
    check_fails(made, (struct bytes){pass, sizeof(pass)}, E_LIMIT);
    check_opens(made, BYTES_LIT("pass"), BYTES_LIT("secret"));
}

static void every_prefix(void **state)
{
    (void)state;
    static struct box box;
    struct bytes made = seal(BYTES_LIT("secret"), BYTES_LIT("pass"), &box);
    for (size_t len = 0; len < made.len; len++)
        check_fails((struct bytes){made.p, len}, BYTES_LIT("pass"), E_SHORT);
    box.b[made.len] = 0;
    check_fails((struct bytes){made.p, made.len + 1}, BYTES_LIT("pass"),
                E_MALFORMED);
}

static void every_bit(void **state)
{
    (void)state;
    static struct box box;
    struct bytes made = seal(BYTES_LIT("secret"), BYTES_LIT("pass"), &box);
    for (size_t bit = 0; bit < made.len * 8; bit++) {
        box.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        struct secret got;
        enum err err = keybox_open(made, BYTES_LIT("pass"), MEMORY_KIB, &got);
        /* The length says where the end is; all else is damage or unknown. */
        bool in_len = bit / 8 >= AT_PLAIN_LEN && bit / 8 < AT_PLAIN_LEN + 4;
        bool in_version = bit / 8 >= AT_VERSION && bit / 8 < AT_MEMORY;
        if (in_version)
            assert_int_equal(err, E_UNSUPPORTED);
        else if (in_len)
            assert_true(err == E_SHORT || err == E_LIMIT || err == E_MALFORMED);
        else
            assert_int_equal(err, E_MALFORMED);
        box.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* Writes @value at @pos and makes the checksum right again. */
static void forge(struct box *box, size_t pos, uint32_t value)
{
    struct wr w = wr_init(box->b + pos, 4);
    wr_be32(&w, value);
    w = wr_init(box->b + box->len - 4, 4);
    wr_be32(&w, crc32c(0, (struct bytes){box->b, box->len - 4}));
}

static void check_forged(size_t pos, uint32_t value, enum err want)
{
    static struct box box;
    struct bytes made = seal(BYTES_LIT("secret"), BYTES_LIT("pass"), &box);
    forge(&box, pos, value);
    check_fails(made, BYTES_LIT("pass"), want);
}

static void limits(void **state)
{
    (void)state;
    check_forged(AT_MEMORY, KEYBOX_MEMORY_KIB_MIN - 1, E_LIMIT);
    check_forged(AT_MEMORY, MEMORY_KIB, E_MISMATCH);
    check_forged(AT_MEMORY, MEMORY_KIB + 1, E_LIMIT);
    check_forged(AT_MEMORY, UINT32_MAX, E_LIMIT);
    check_forged(AT_PASSES, KEYBOX_PASSES_MIN - 1, E_LIMIT);
    check_forged(AT_PASSES, KEYBOX_PASSES_MAX, E_MISMATCH);
    check_forged(AT_PASSES, KEYBOX_PASSES_MAX + 1, E_LIMIT);
    check_forged(AT_PASSES, UINT32_MAX, E_LIMIT);
    check_forged(AT_PLAIN_LEN, KEYBOX_PLAIN_BYTES_MAX, E_SHORT);
    check_forged(AT_PLAIN_LEN, KEYBOX_PLAIN_BYTES_MAX + 1, E_LIMIT);
    check_forged(AT_PLAIN_LEN, 5, E_MALFORMED);
    check_forged(AT_VERSION, 2, E_UNSUPPORTED);

    /* A forger who mends the checksum cannot mend the tag. */
    check_forged(20, 0, E_MISMATCH);
}

static void never_more_memory_than_the_format_allows(void **state)
{
    (void)state;
    static struct box box;
    struct bytes made = seal(BYTES_LIT("secret"), BYTES_LIT("pass"), &box);
    forge(&box, AT_MEMORY, KEYBOX_MEMORY_KIB_MAX + 1);
    struct secret got;
    assert_int_equal(keybox_open(made, BYTES_LIT("pass"), UINT32_MAX, &got),
                     E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(known_box),
        cmocka_unit_test(wrong_passphrase),
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_bit),
        cmocka_unit_test(limits),
        cmocka_unit_test(never_more_memory_than_the_format_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
