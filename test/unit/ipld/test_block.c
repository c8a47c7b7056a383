/*
 * Blocks are what their CIDs say.  Goal: only the right bytes make a block,
 * for each kind of CID, and references are counted.
 */
#include "ipld/block.h"

#include "test.h"

static struct slice slice_copy(struct bytes in)
{
    struct buf *b = buf_copy(in);

    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

static void test_make(void **state)
{
    char text[CID_TEXT_MAX];

    (void)state;
    struct block *b =
        block_make(1, CODEC_RAW, slice_copy(BYTES_LIT("hello world")));
    assert_int_equal(cid_format(&b->cid, text), 59);
    assert_string_equal(
        text, "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e");
    assert_ptr_equal(block_ref(b), b);
    block_unref(b);
    assert_int_equal(b->data.bytes.len, 11);
    block_unref(b);
    b = block_make(0, CODEC_DAG_PB, slice_copy(BYTES_LIT("\x0a\x02\x08\x01")));
    assert_int_equal(cid_format(&b->cid, text), 46);
    assert_string_equal(text, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
    block_unref(b);
    block_unref(NULL);
}

static void test_check(void **state)
{
    struct cid cid = cid_of(CODEC_RAW, BYTES_LIT("abc"));
    struct slice good = slice_copy(BYTES_LIT("abc"));
    struct slice bad = slice_copy(BYTES_LIT("abd"));
    struct block *b = NULL;

    (void)state;
    assert_int_equal(block_check(&cid, bad, &b), E_MISMATCH);
    assert_null(b);
    assert_int_equal(block_check(&cid, good, &b), OK);
    assert_true(cid_eq(&b->cid, &cid));
    block_unref(b);
    slice_release(&bad); /* is still ours, as it made no block */
}

static void test_check_hashes(void **state)
{
    struct cid cid = cid_of(CODEC_RAW, BYTES_LIT("abc"));
    struct block *b = NULL;

    (void)state;
    cid.hash.code = 0x1e; /* blake3, which is not computed here */
    struct slice data = slice_copy(BYTES_LIT("abc"));
    assert_int_equal(block_check(&cid, data, &b), E_UNSUPPORTED);
    slice_release(&data);
}

static void test_check_limit(void **state)
{
    struct buf *buf = buf_new(BLOCK_BYTES_MAX + 1);
    struct block *b = NULL;

    (void)state;
    memset(buf->data, 0, buf->max);
    buf->len = BLOCK_BYTES_MAX;
    struct cid cid = cid_of(CODEC_RAW, buf_bytes(buf));
    struct slice data = {.buf = buf, .bytes = buf_bytes(buf)};
    assert_int_equal(block_check(&cid, slice_ref(&data), &b), OK);
    block_unref(b);
    buf->len++;
    cid = cid_of(CODEC_RAW, buf_bytes(buf));
    data.bytes = buf_bytes(buf);
    assert_int_equal(block_check(&cid, data, &b), E_LIMIT);
    slice_release(&data);
}

static void test_identity(void **state)
{
    struct cid cid;

    (void)state;
    assert_int_equal(cid_identity(CODEC_RAW, BYTES_LIT("in itself"), &cid), OK);
    struct block *b = block_identity(&cid);
    assert_true(bytes_eq(b->data.bytes, BYTES_LIT("in itself")));
    assert_true(cid_eq(&b->cid, &cid));
    block_unref(b);
    assert_int_equal(cid_parse(BYTES_LIT("bafkqaaa"), &cid), OK);
    b = block_identity(&cid);
    assert_int_equal(b->data.bytes.len, 0);
    block_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make),         cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_hashes), cmocka_unit_test(test_check_limit),
        cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
