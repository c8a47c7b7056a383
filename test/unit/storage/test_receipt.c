/*
 * Receipts.  Goal: a receipt is taken exactly as its holder signed it, within
 * its limits and its time, and counts for one record of one object only.
 * Method: a vector of a second implementation; every prefix and every flipped
 * bit of a good one; each limit at and past it; forgeries and replays.
 */
#include "sample.h"
#include "storage/receipt.h"

static struct bytes write_receipt(const struct storage_receipt *receipt,
                                  uint8_t *buf, size_t max)
{
    struct wr w = wr_init(buf, max);

    receipt_encode(&w, receipt);
    return sample_written(&w);
}

static void vector_opens(void **state)
{
    (void)state;
    uint8_t buf[RECEIPT_BYTES_MAX];
    uint8_t again[RECEIPT_BYTES_MAX];
    struct checked_receipt checked;
    struct bytes in = sample_load("receipt", buf, sizeof(buf));
    struct storage_receipt want = sample_receipt();
    struct peer_id holder = sample_peer(2);

    assert_int_equal(receipt_open(in, &checked), OK);
    const struct storage_receipt *r = &checked.receipt;
    assert_string_equal(r->network, want.network);
    assert_true(cid_eq(&r->root, &want.root));
    assert_memory_equal(r->owner, want.owner, sizeof(want.owner));
    assert_memory_equal(r->record_hash, want.record_hash,
                        sizeof(want.record_hash));
    assert_true(peer_id_eq(&r->holder, &holder));
    assert_int_equal(r->stored_s, want.stored_s);
    assert_int_equal(r->until_s, want.until_s);
    assert_int_equal(r->seq, want.seq);
    struct checked_receipt ours = sample_sign_receipt(&want, 2);
    struct wr w = wr_init(again, sizeof(again));
    receipt_write(&w, &ours);
    assert_true(bytes_eq(sample_written(&w), in));
}

static void parts_are_refused(void **state)
{
    (void)state;
    uint8_t buf[RECEIPT_BYTES_MAX + 1];
    struct checked_receipt checked;
    struct bytes in = sample_load("receipt", buf, sizeof(buf));

    for (size_t len = 0; len < in.len; len++)
        assert_int_not_equal(receipt_open((struct bytes){in.p, len}, &checked),
                             OK);
    buf[in.len] = 0;
    in.len++;
    assert_int_equal(receipt_open(in, &checked), E_MALFORMED);
    in.len = RECEIPT_BYTES_MAX + 1;
    assert_int_equal(receipt_open(in, &checked), E_LIMIT);
}

static void flipped_bits_are_refused(void **state)
{
    (void)state;
    uint8_t buf[RECEIPT_BYTES_MAX];
    struct checked_receipt checked;
    struct bytes in = sample_load("receipt", buf, sizeof(buf));
    size_t mismatches = 0;

    for (size_t bit = 0; bit < 8 * in.len; bit++) {
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = receipt_open(in, &checked);
        assert_true(err_is_peer_fault(err));
        mismatches += err == E_MISMATCH;
        buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* Signature, owner, holder's key, record hash and root digest alone. */
    assert_true(mismatches > (size_t)8 * (64 + 32 + 32 + 32 + 32));
}

static void forgeries_are_refused(void **state)
{
    (void)state;
    uint8_t buf[RECEIPT_BYTES_MAX];
    struct storage_receipt receipt = sample_receipt();
    struct checked_receipt out;
    /* Signed by 3, said to be of 2. */
    struct checked_receipt forged = sample_sign_receipt(&receipt, 3);

    forged.receipt.holder = sample_peer(2);
    struct bytes in = write_receipt(&forged.receipt, buf, sizeof(buf));
    assert_int_equal(receipt_open(in, &out), E_MISMATCH);
    /* A holder whose id is a hash, or a key of another kind. */
    forged = sample_sign_receipt(&receipt, 2);
    struct multihash hash = multihash_sha256(BYTES_LIT("key"));
    uint8_t id[MULTIHASH_BYTES_MAX];
    size_t id_len = multihash_encode(&hash, id);
    assert_int_equal(
        peer_id_decode((struct bytes){id, id_len}, &forged.receipt.holder), OK);
    in = write_receipt(&forged.receipt, buf, sizeof(buf));
    assert_int_equal(receipt_open(in, &out), E_UNSUPPORTED);
    forged.receipt.holder = sample_peer(2);
    forged.receipt.holder.bytes[3] = KEY_SECP256K1;
    in = write_receipt(&forged.receipt, buf, sizeof(buf));
    assert_int_not_equal(receipt_open(in, &out), OK);
    forged.receipt.holder.len = 5; /* cut off */
    in = write_receipt(&forged.receipt, buf, sizeof(buf));
    assert_int_equal(receipt_open(in, &out), E_MALFORMED);
    forged.receipt.holder.len = 0;
    in = write_receipt(&forged.receipt, buf, sizeof(buf));
    assert_int_equal(receipt_open(in, &out), E_MALFORMED);
}

/* What both the signer and the reader say about @receipt. */
static enum err judge(const struct storage_receipt *receipt)
{
    uint8_t buf[2 * RECEIPT_BYTES_MAX];
    uint8_t again[2 * RECEIPT_BYTES_MAX];
    struct privkey key = sample_key(2);
    struct checked_receipt checked;
    struct storage_receipt full = *receipt;
    struct storage_receipt decoded;
    enum err signer = receipt_sign(receipt, &key, &checked);

    full.holder = privkey_peer_id(&key);
    struct bytes in = write_receipt(&full, buf, sizeof(buf));
    enum err reader = receipt_decode(in, &decoded);
    assert_int_equal(signer, reader);
    if (reader == OK)
        assert_true(
            bytes_eq(write_receipt(&decoded, again, sizeof(again)), in));
    privkey_release(&key);
    return signer;
}

static void limits(void **state)
{
    (void)state;
    struct storage_receipt r = sample_receipt();

    r.until_s = r.seq / 1000 + RECEIPT_LIFE_MAX_S;
    assert_int_equal(judge(&r), OK);
    r.until_s++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.seq += 999; /* still the same second */
    assert_int_equal(judge(&r), E_LIMIT);
    r.seq++;
    assert_int_equal(judge(&r), OK);
    r.stored_s = r.until_s - 1;
    assert_int_equal(judge(&r), OK);
    r.stored_s++;
    assert_int_equal(judge(&r), E_MALFORMED);

    r = sample_receipt();
    r.seq = OBJECT_SEQ_MAX;
    r.until_s = OBJECT_TIME_MAX_S;
    assert_int_equal(judge(&r), OK);
    r.until_s++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.until_s--;
    r.seq++;
    assert_int_equal(judge(&r), E_LIMIT);
    r.seq = 0;
    assert_int_equal(judge(&r), E_MALFORMED);
    r = sample_receipt();
    r.stored_s = UINT64_MAX;
    assert_int_equal(judge(&r), E_LIMIT);

    r = sample_receipt();
    r.root = cid_v0_of(sample_block());
    assert_int_equal(judge(&r), E_MALFORMED);
    r = sample_receipt();
    r.network[0] = 'T';
    assert_int_equal(judge(&r), E_MALFORMED);
    struct privkey key = sample_key(2);
    struct checked_receipt checked;
    memset(r.network, 'a', sizeof(r.network)); /* has no end */
    assert_int_equal(receipt_sign(&r, &key, &checked), E_LIMIT);
    privkey_release(&key);
}

static void the_largest_fits(void **state)
{
    (void)state;
    uint8_t buf[RECEIPT_BYTES_MAX];
    struct storage_receipt r = sample_receipt();
    struct checked_receipt checked;

    memset(r.network, 'z', OBJECT_NETWORK_MAX);
    r.root = (struct cid){
        .version = 1, .codec = INT64_MAX, .hash = {.code = 0xb240, .len = 64}};
    r.until_s = OBJECT_TIME_MAX_S;
    r.stored_s = OBJECT_TIME_MAX_S - 1;
    r.seq = OBJECT_SEQ_MAX;
    checked = sample_sign_receipt(&r, 2);
    struct wr w = wr_init(buf, sizeof(buf));
    receipt_write(&w, &checked);
    assert_int_equal(receipt_open(sample_written(&w), &checked), OK);
}

static void time_and_network_are_checked(void **state)
{
    (void)state;
    struct storage_receipt r = sample_receipt();
    struct checked_receipt c = sample_sign_receipt(&r, 2);
    uint64_t skew_ms = UINT64_C(1000) * OBJECT_SKEW_MAX_S;
    uint64_t end_ms = 1000 * r.until_s;

    assert_int_equal(receipt_check(&c, "testnet", SAMPLE_NOW_MS), OBJECT_FINE);
    assert_int_equal(receipt_check(&c, "mainnet", SAMPLE_NOW_MS),
                     OBJECT_OTHER_NETWORK);
    assert_int_equal(receipt_check(&c, "testnet", end_ms - 1), OBJECT_FINE);
    assert_int_equal(receipt_check(&c, "testnet", end_ms), OBJECT_EXPIRED);
    assert_int_equal(receipt_check(&c, "testnet", r.seq - skew_ms),
                     OBJECT_FINE);
    assert_int_equal(receipt_check(&c, "testnet", r.seq - skew_ms - 1),
                     OBJECT_FROM_FUTURE);
    /* Stored alone is ahead. */
    r.stored_s = SAMPLE_TIME_S + OBJECT_SKEW_MAX_S;
    c = sample_sign_receipt(&r, 2);
    assert_int_equal(receipt_check(&c, "testnet", SAMPLE_NOW_MS), OBJECT_FINE);
    r.stored_s++;
    c = sample_sign_receipt(&r, 2);
    assert_int_equal(receipt_check(&c, "testnet", SAMPLE_NOW_MS),
                     OBJECT_FROM_FUTURE);
}

static void it_is_for_one_record(void **state)
{
    (void)state;
    struct object_record record = sample_record();
    struct checked_object object = sample_sign(&record);
    struct storage_receipt r = sample_receipt();
    struct checked_receipt c = sample_sign_receipt(&r, 2);

    assert_true(receipt_is_for(&c, &object));
    record.seq++;
    struct checked_object newer = sample_sign(&record);
    assert_false(receipt_is_for(&c, &newer));
    struct checked_receipt other = c;
    other.receipt.owner[0] ^= 1;
    assert_false(receipt_is_for(&other, &object));
    other = c;
    other.receipt.network[0] = 'b';
    assert_false(receipt_is_for(&other, &object));
    other = c;
    other.receipt.root = cid_of(CODEC_RAW, BYTES_LIT("other"));
    assert_false(receipt_is_for(&other, &object));
}

static void newer_ones_replace(void **state)
{
    (void)state;
    struct storage_receipt r = sample_receipt();
    struct checked_receipt old = sample_sign_receipt(&r, 2);
    struct checked_receipt other_holder;
    struct checked_receipt new;

    assert_false(receipt_replaces(&old, &old));
    r.seq++;
    new = sample_sign_receipt(&r, 2);
    other_holder = sample_sign_receipt(&r, 3);
    assert_true(receipt_replaces(&new, &old));
    assert_false(receipt_replaces(&old, &new)); /* replayed */
    assert_false(receipt_replaces(&other_holder, &old));
    r.until_s--;
    struct checked_receipt twin = sample_sign_receipt(&r, 2);
    assert_true(receipt_replaces(&twin, &new) != receipt_replaces(&new, &twin));
    r.owner[0] ^= 1;
    r.seq++;
    struct checked_receipt other = sample_sign_receipt(&r, 2);
    assert_false(receipt_replaces(&other, &old));
    r = sample_receipt();
    r.seq++;
    r.root = cid_of(CODEC_RAW, BYTES_LIT("other"));
    other = sample_sign_receipt(&r, 2);
    assert_false(receipt_replaces(&other, &old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_opens),
        cmocka_unit_test(parts_are_refused),
        cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(forgeries_are_refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(time_and_network_are_checked),
        cmocka_unit_test(it_is_for_one_record),
        cmocka_unit_test(newer_ones_replace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
