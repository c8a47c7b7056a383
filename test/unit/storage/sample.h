#ifndef TEST_UNIT_STORAGE_SAMPLE_H
#define TEST_UNIT_STORAGE_SAMPLE_H

/*
 * The keys, record and receipt of test/vectors/storage, for tests to change
 * one thing at a time.
 */
#include "base/wr.h"
#include "multiformats/key.h"
#include "multiformats/multicodec.h"
#include "storage/receipt.h"
#include "storage/record.h"

#include "test.h"

enum { SAMPLE_TIME_S = 1700000000 };

#define SAMPLE_NOW_MS (UINT64_C(1000) * SAMPLE_TIME_S)

/* Key of 32 bytes @seed: 1 is the owner, 2 the holder, 3 the auditor. */
static inline struct privkey sample_key(uint8_t seed)
{
    uint8_t seed_bytes[ED25519_SEED_BYTES];
    struct privkey key;

    memset(seed_bytes, seed, sizeof(seed_bytes));
    privkey_init_seed(&key, seed_bytes);
    return key;
}

static inline struct peer_id sample_peer(uint8_t seed)
{
    struct privkey key = sample_key(seed);
    struct peer_id peer = privkey_peer_id(&key);

    privkey_release(&key);
    return peer;
}

static inline struct bytes sample_block(void)
{
    return BYTES_LIT("hello world\n");
}

static inline struct cid sample_root(void)
{
    return cid_of(CODEC_RAW, sample_block());
}

/* The record of record.bin, unsigned. */
static inline struct object_record sample_record(void)
{
    struct object_record r = {
        .network = "testnet",
        .root = sample_root(),
        .size_bytes = 12,
        .blocks = 1,
        .policy = {.copies = 3, .release_delay_s = 86400},
        .name_len = 5,
        .name = "hello",
        .created_s = SAMPLE_TIME_S,
        .expires_s = SAMPLE_TIME_S + 365 * 86400,
        .seq = SAMPLE_NOW_MS,
    };
    return r;
}

static inline struct checked_object
sample_sign(const struct object_record *record)
{
    struct privkey key = sample_key(1);
    struct checked_object object;

    assert_int_equal(object_sign(record, &key, &object), OK);
    privkey_release(&key);
    return object;
}

/* The receipt of receipt.bin, unsigned. */
static inline struct storage_receipt sample_receipt(void)
{
    struct object_record record = sample_record();
    struct checked_object object = sample_sign(&record);
    struct storage_receipt r = {
        .network = "testnet",
        .root = record.root,
        .stored_s = SAMPLE_TIME_S + 5,
        .until_s = SAMPLE_TIME_S + 5 + 86400,
        .seq = SAMPLE_NOW_MS + 5000,
    };
    memcpy(r.owner, object.record.owner, sizeof(r.owner));
    memcpy(r.record_hash, object.hash, sizeof(r.record_hash));
    return r;
}

static inline struct checked_receipt
sample_sign_receipt(const struct storage_receipt *receipt, uint8_t seed)
{
    struct privkey key = sample_key(seed);
    struct checked_receipt checked;

    assert_int_equal(receipt_sign(receipt, &key, &checked), OK);
    privkey_release(&key);
    return checked;
}

/* What @w holds; it must fit. */
static inline struct bytes sample_written(const struct wr *w)
{
    struct bytes out;

    assert_int_equal(wr_finish(w, &out), OK);
    return out;
}

/* A file of test/vectors/storage. */
static inline struct bytes sample_load(const char *name, uint8_t *dst,
                                       size_t max)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "test/vectors/storage/%s.bin", name);
    return (struct bytes){dst, test_load(path, dst, max)};
}

#endif /* TEST_UNIT_STORAGE_SAMPLE_H */
