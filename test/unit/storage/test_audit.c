/*
 * Audits.  Goal: an answer proves one block, of one holder, to one auditor,
 * for one nonce; the choice of blocks is uniform.  Method: vectors of a
 * second implementation, each input changed alone, counts of many choices.
 */
#include "sample.h"
#include "storage/audit.h"

static struct audit_question sample_question(void)
{
    struct audit_question q = {.auditor = sample_peer(3),
                               .holder = sample_peer(2)};

    for (size_t i = 0; i < sizeof(q.nonce); i++)
        q.nonce[i] = (uint8_t)i;
    return q;
}

static void digest_is_that_of_the_page(void **state)
{
    (void)state;
    struct audit_question q = sample_question();
    struct cid cid = sample_root();
    struct audit_digest d = audit_digest_of(&q, &cid, sample_block());
    uint8_t want[AUDIT_DIGEST_BYTES];

    unhex("682dc40b6c3287df10a03488c3baabb0dd47239253347f76c934478e18cf5032",
          want, sizeof(want));
    assert_true(d.present);
    assert_memory_equal(d.bytes, want, sizeof(want));
    assert_true(audit_answer_ok(&q, &cid, sample_block(), &d));
}

static void each_input_counts(void **state)
{
    (void)state;
    struct audit_question q = sample_question();
    struct audit_question other = q;
    struct cid cid = sample_root();
    struct audit_digest good = audit_digest_of(&q, &cid, sample_block());
    struct audit_digest bad = good;

    assert_true(audit_answer_ok(&q, &cid, sample_block(), &good));
    bad.present = false;
    assert_false(audit_answer_ok(&q, &cid, sample_block(), &bad));
    for (size_t bit = 0; bit < 8 * sizeof(good.bytes); bit++) {
        bad = good;
        bad.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(audit_answer_ok(&q, &cid, sample_block(), &bad));
    }
    other.nonce[31] ^= 1;
    assert_false(audit_answer_ok(&other, &cid, sample_block(), &good));
    other = q;
    other.auditor = q.holder;
    assert_false(audit_answer_ok(&other, &cid, sample_block(), &good));
    other = q;
    other.holder = sample_peer(4);
    assert_false(audit_answer_ok(&other, &cid, sample_block(), &good));
    other = (struct audit_question){.auditor = q.holder, .holder = q.auditor};
    memcpy(other.nonce, q.nonce, sizeof(q.nonce));
    assert_false(audit_answer_ok(&other, &cid, sample_block(), &good));
    struct cid same_hash = cid_from_hash(CODEC_DAG_PB, &cid.hash);
    assert_false(audit_answer_ok(&q, &same_hash, sample_block(), &good));
    assert_false(audit_answer_ok(&q, &cid, BYTES_LIT("hello world"), &good));
    assert_false(audit_answer_ok(&q, &cid, BYTES_EMPTY, &good));
    /* A block without bytes has its proof too. */
    cid = cid_of(CODEC_RAW, BYTES_EMPTY);
    good = audit_digest_of(&q, &cid, BYTES_EMPTY);
    assert_true(audit_answer_ok(&q, &cid, BYTES_EMPTY, &good));
}

static void choices_are_those_of_the_page(void **state)
{
    (void)state;
    struct audit_question q = sample_question(); /* its nonce is the seed */
    static const uint64_t of_1000[] = {403, 980, 807, 275};
    /* Of a count for which one draw in four is repeated. */
    static const uint64_t of_many[] = {
        UINT64_C(12408297639443228324), UINT64_C(8768188186102505980),
        UINT64_C(6155957560409211640),  UINT64_C(13373570026360356275),
        UINT64_C(11482179258902071647), UINT64_C(3635920360741996748),
        UINT64_C(7831899608244132680),  UINT64_C(6996769985967201931),
        UINT64_C(1248240019336881644),  UINT64_C(11047624842841196672),
        UINT64_C(9350865883285741790),  UINT64_C(9454115000090674631)};

    for (size_t n = 0; n < sizeof(of_1000) / sizeof(of_1000[0]); n++)
        assert_int_equal(audit_pick(q.nonce, n, 1000), of_1000[n]);
    for (size_t n = 0; n < sizeof(of_many) / sizeof(of_many[0]); n++)
        assert_true(audit_pick(q.nonce, n, UINT64_C(3) << 62) == of_many[n]);
    assert_int_equal(audit_pick(q.nonce, 7, 1), 0);
    assert_true(audit_pick(q.nonce, 7, UINT64_MAX) < UINT64_MAX);
    /* A power of two divides 2^64: nothing is ever repeated. */
    assert_true(audit_pick(q.nonce, 7, UINT64_C(1) << 63) < UINT64_C(1) << 63);
}

static void choices_are_uniform(void **state)
{
    (void)state;
    enum { COUNT = 7, EACH = 2000 };
    uint8_t seed[AUDIT_SEED_BYTES] = {1};
    int64_t seen[COUNT] = {0};
    int64_t sum_of_squares = 0;

    for (uint64_t n = 0; n < UINT64_C(1) * COUNT * EACH; n++)
        seen[audit_pick(seed, n, COUNT)]++;
    for (size_t i = 0; i < COUNT; i++)
        sum_of_squares += (seen[i] - EACH) * (seen[i] - EACH);
    /* Chi-square of 6 degrees: under 22.5 in 999 of 1000 cases. */
    assert_true(2 * sum_of_squares < INT64_C(45) * EACH);
    /* Another seed, other choices. */
    size_t same = 0;
    for (uint64_t n = 0; n < 100; n++) {
        uint8_t other[AUDIT_SEED_BYTES] = {2};
        same += audit_pick(seed, n, 1000) == audit_pick(other, n, 1000);
    }
    assert_true(same < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_is_that_of_the_page),
        cmocka_unit_test(each_input_counts),
        cmocka_unit_test(choices_are_those_of_the_page),
        cmocka_unit_test(choices_are_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
