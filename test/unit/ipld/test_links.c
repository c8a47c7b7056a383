/*
 * All links of a block, whatever its codec.  Goal: none is missed, repeated
 * ones come again, and a block that its codec forbids has none.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "ipld/links.h"

#include "test.h"

static struct cid numbered_cid(uint8_t number)
{
    return cid_of(CODEC_RAW, (struct bytes){&number, 1});
}

static void check_links(uint64_t codec, struct bytes in, const uint8_t *want,
                        size_t count)
{
    struct links l;
    struct cid cid;

    assert_int_equal(links_init(codec, in, &l), OK);
    for (size_t i = 0; i < count; i++) {
        struct cid next = numbered_cid(want[i]);
        assert_true(links_next(&l, &cid));
        assert_true(cid_eq(&cid, &next));
    }
    assert_false(links_next(&l, &cid));
    assert_false(links_next(&l, &cid));
}

static void test_dag_pb(void **state)
{
    static const uint8_t numbers[] = {3, 1, 1, 2};
    uint8_t block[512];
    struct wr w = wr_init(block, sizeof(block));

    (void)state;
    for (size_t i = 0; i < countof(numbers); i++) {
        struct cid cid = numbered_cid(numbers[i]);
        dag_pb_put_link(&w, &cid, BYTES_LIT("x"), i);
    }
    check_links(CODEC_DAG_PB, (struct bytes){block, wr_len(&w)}, numbers, 4);
    check_links(CODEC_DAG_PB, BYTES_EMPTY, numbers, 0);
}

/* Links in lists, in maps, at the top, and beside values that look like one. */
static void test_dag_cbor(void **state)
{
    static const uint8_t numbers[] = {5, 6, 5};
    uint8_t block[512];
    struct wr w = wr_init(block, sizeof(block));
    struct cid five = numbered_cid(5);
    struct cid six = numbered_cid(6);

    (void)state;
    cbor_put_map(&w, 3);
    cbor_put_key(&w, "a");
    cbor_put_link(&w, &five);
    cbor_put_key(&w, "b");
    cbor_put_list(&w, 3);
    cbor_put_bytes(&w, BYTES_LIT("\xd8\x2a\x45\x00\x01\x55\x00\x00"));
    cbor_put_list(&w, 1);
    cbor_put_link(&w, &six);
    cbor_put_map(&w, 0);
    cbor_put_key(&w, "c");
    cbor_put_link(&w, &five);
    check_links(CODEC_DAG_CBOR, (struct bytes){block, wr_len(&w)}, numbers, 3);
    w = wr_init(block, sizeof(block));
    cbor_put_link(&w, &five);
    check_links(CODEC_DAG_CBOR, (struct bytes){block, wr_len(&w)}, numbers, 1);
}

static void test_other_codecs(void **state)
{
    const struct bytes any = BYTES_LIT("\xff\xff");

    (void)state;
    check_links(CODEC_RAW, any, NULL, 0);
    check_links(CODEC_CBOR, any, NULL, 0);
    check_links(0x12345, any, NULL, 0);
}

static void test_malformed(void **state)
{
    struct links l;

    (void)state;
    assert_int_equal(links_init(CODEC_DAG_PB, BYTES_LIT("\x1a\x00"), &l),
                     E_MALFORMED);
    assert_int_equal(links_init(CODEC_DAG_CBOR, BYTES_LIT("\xf7"), &l),
                     E_MALFORMED);
    assert_int_equal(links_init(CODEC_DAG_CBOR, BYTES_EMPTY, &l), E_SHORT);
    /* Well formed up to the end, which is what counts. */
    assert_int_equal(links_init(CODEC_DAG_CBOR, BYTES_LIT("\x82\x01\xf7"), &l),
                     E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dag_pb),
        cmocka_unit_test(test_dag_cbor),
        cmocka_unit_test(test_other_codecs),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
