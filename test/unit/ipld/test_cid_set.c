/*
 * The set of CIDs seen.  Goal: it finds what was put in and nothing else, for
 * CIDs of any hash and while it grows; version does not count, codec does.
 */
#include "ipld/cid_set.h"

#include "test.h"

static const uint8_t seed[16] = {7};

static struct cid numbered_cid(uint32_t number, uint64_t codec)
{
    uint8_t in[4];

    memcpy(in, &number, sizeof(in));
    return cid_of(codec, (struct bytes){in, sizeof(in)});
}

static void test_many(void **state)
{
    enum { COUNT = 20000 };
    struct cid_set s;

    (void)state;
    cid_set_init(&s, seed);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct cid cid = numbered_cid(i, CODEC_RAW);
        assert_false(cid_set_has(&s, &cid));
        assert_true(cid_set_add(&s, &cid));
        assert_false(cid_set_add(&s, &cid));
    }
    assert_int_equal(s.count, COUNT);
    for (uint32_t i = 0; i < 2 * COUNT; i++) {
        struct cid cid = numbered_cid(i, CODEC_RAW);
        assert_int_equal(cid_set_has(&s, &cid), i < COUNT);
    }
    cid_set_release(&s);
}

static void test_same(void **state)
{
    struct cid_set s;
    struct cid raw = numbered_cid(1, CODEC_RAW);
    struct cid pb = numbered_cid(1, CODEC_DAG_PB);
    struct cid v0;

    (void)state;
    cid_set_init(&s, seed);
    assert_true(cid_set_add(&s, &raw));
    assert_true(cid_set_add(&s, &pb));
    assert_int_equal(cid_to_v0(&pb, &v0), OK);
    assert_false(cid_set_add(&s, &v0));
    cid_set_release(&s);
}

/* Hashes that differ in function, length or their last byte only. */
static void test_other_hashes(void **state)
{
    struct cid_set s;
    struct cid cids[6];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        cids[i] = numbered_cid(1, CODEC_RAW);
    cids[1].hash.code = 0x1e;
    cids[2].hash.len = 31;
    cids[2].hash.digest[31] = 0;
    cids[3].hash = (struct multihash){.code = 0x13, .len = 64};
    cids[4].hash = cids[3].hash;
    cids[4].hash.digest[63] = 1;
    assert_int_equal(cid_identity(CODEC_RAW, BYTES_EMPTY, &cids[5]), OK);
    cid_set_init(&s, seed);
    for (size_t i = 0; i < 6; i++)
        assert_true(cid_set_add(&s, &cids[i]));
    for (size_t i = 0; i < 6; i++)
        assert_false(cid_set_add(&s, &cids[i]));
    cid_set_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_other_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
