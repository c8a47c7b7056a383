/*
 * Goal: messages are read and written as others do, and nothing malformed
 * comes through.
 * Method: worked bytes, messages built by hand, every prefix of good ones,
 * limits at the limit and one past it, and reading what was written.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "bitswap/message.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "multiformats/pb.h"

#include "test.h"

static const char hello_cid[] =
    "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447";
static const char hello[] = "hello world\n";

static struct cid cid_hex(const char *hex)
{
    uint8_t bytes[CID_BYTES_MAX];
    struct cid cid;
    size_t len = unhex(hex, bytes, sizeof(bytes));
    assert_int_equal(cid_decode((struct bytes){bytes, len}, &cid), OK);
    return cid;
}

static struct bytes from_hex(const char *hex, uint8_t *dst, size_t max)
{
    return (struct bytes){.p = dst, .len = unhex(hex, dst, max)};
}

static enum err decode_hex(const char *hex, struct bs_message *ret)
{
    static uint8_t bytes[1024];
    return bs_message_decode(from_hex(hex, bytes, sizeof(bytes)), ret);
}

/* All bytes of the frame in one piece. */
static struct buf *flat(const struct bs_frame *frame)
{
    struct buf *all = buf_new(frame->len);
    for (size_t i = 0; i < frame->parts_count; i++) {
        struct bytes part = frame->parts[i].bytes;
        assert_true(part.len > 0);
        memcpy(all->data + all->len, part.p, part.len);
        all->len += part.len;
    }
    assert_int_equal(all->len, frame->len);
    return all;
}

static void assert_frame(struct bs_frame *frame, const char *hex)
{
    uint8_t want[1024];
    struct bytes expected = from_hex(hex, want, sizeof(want));
    struct buf *all = flat(frame);
    assert_int_equal(all->len, expected.len);
    assert_memory_equal(all->data, expected.p, all->len);
    buf_unref(all);
    bs_frame_free(frame);
}

/* The message of a frame, which must carry its own length. */
static struct bytes unframe(struct bytes all)
{
    struct rd r = rd_init(all);
    uint64_t len = rd_uvarint(&r);
    assert_int_equal(len, rd_left(&r));
    return rd_rest(&r);
}

static struct slice slice_make(size_t len, uint8_t fill)
{
    struct buf *b = buf_new(len);
    memset(b->data, fill, len);
    b->len = len;
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

static void test_worked_want(void **state)
{
    (void)state;
    struct bs_entry entry = {
        .cid = cid_hex(hello_cid), .priority = 1, .send_dont_have = true};
    assert_frame(
        bs_wantlist_encode(&entry, 1, false),
        "2e0a2c0a2a0a24"
        "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192"
        "a447"
        "10012801");
}

static void test_worked_answers(void **state)
{
    (void)state;
    struct bs_reply_item block = {.cid = cid_hex(hello_cid),
                                  .kind = BS_ITEM_BLOCK};
    struct buf *b = buf_copy(bytes_str(hello));
    block.data = (struct slice){.buf = b, .bytes = buf_bytes(b)};
    assert_frame(bs_reply_encode(&block, 1, BS_1_2_0),
                 "161a140a0401551220120c68656c6c6f20776f726c640a");

    struct bs_reply_item absent = {.cid = cid_hex(hello_cid),
                                   .kind = BS_ITEM_DONT_HAVE};
    assert_frame(
        bs_reply_encode(&absent, 1, BS_1_2_0),
        "2a22280a24"
        "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192"
        "a4471001");

    struct bs_reply_item have = {.cid = cid_hex(hello_cid),
                                 .kind = BS_ITEM_HAVE};
    assert_frame(
        bs_reply_encode(&have, 1, BS_1_2_0),
        "2822260a24"
        "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192"
        "a447");
    /* An empty list is not an empty message, as with others. */
    assert_frame(bs_wantlist_encode(NULL, 0, false), "020a00");
    assert_frame(bs_wantlist_encode(NULL, 0, true), "040a021001");
}

static void test_old_versions(void **state)
{
    (void)state;
    struct bs_reply_item block = {.kind = BS_ITEM_BLOCK};
    struct buf *b = buf_copy(bytes_str(hello));
    block.data = (struct slice){.buf = b, .bytes = buf_bytes(b)};
    block.cid = cid_v0_of(bytes_str(hello));
    struct slice again = slice_ref(&block.data);
    assert_true(bs_version_can_send(BS_1_0_0, &block.cid));
    assert_frame(bs_reply_encode(&block, 1, BS_1_0_0),
                 "0e120c68656c6c6f20776f726c640a");
    block.data = again;
    assert_frame(bs_reply_encode(&block, 1, BS_1_1_0),
                 "161a140a0400701220120c68656c6c6f20776f726c640a");
    struct cid v1 = cid_hex(hello_cid);
    assert_false(bs_version_can_send(BS_1_0_0, &v1));
    assert_true(bs_version_can_send(BS_1_1_0, &v1));

    struct bs_message m;
    assert_int_equal(decode_hex("120c68656c6c6f20776f726c640a", &m), OK);
    struct bs_cursor cursor = bs_cursor_init(&m);
    struct bs_item item;
    assert_true(bs_cursor_next(&cursor, &item));
    assert_int_equal(item.kind, BS_ITEM_BLOCK);
    assert_int_equal(item.prefix.version, 0);
    assert_int_equal(item.prefix.codec, CODEC_DAG_PB);
    assert_true(bytes_eq(item.data, bytes_str(hello)));
    struct multihash hash = multihash_sha256(item.data);
    struct cid cid;
    assert_int_equal(
        bs_prefix_cid(&item.prefix, (struct bytes){hash.digest, 32}, &cid), OK);
    assert_true(cid_eq(&cid, &block.cid));
    assert_false(bs_cursor_next(&cursor, &item));
}

static void test_protocol_ids(void **state)
{
    (void)state;
    enum bs_version v = BS_1_1_0;
    for (int i = BS_1_0_0; i <= BS_1_2_0; i++) {
        const char *id = bs_protocol_id((enum bs_version)i);
        assert_int_equal(bs_version_of(bytes_str(id), &v), OK);
        assert_int_equal(v, i);
    }
    assert_int_equal(bs_version_of(BYTES_LIT("/ipfs/bitswap"), &v), OK);
    assert_int_equal(v, BS_1_0_0);
    assert_int_equal(bs_version_of(BYTES_LIT("/ipfs/bitswap/2"), &v),
                     E_UNSUPPORTED);
}

/* A message with everything, from others: unknown fields, defaults on wire. */
static void test_read_all(void **state)
{
    (void)state;
    struct bs_message m;
    assert_int_equal(
        decode_hex(
            /* wantlist: entry full of fields, entry with defaults, full */
            "0a6b"
            "0a37 0a24"
            "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299"
            "a192a447"
            "10ffffffffffffffffff01 1801 2001 2801"
            "0a2e 0a22"
            "1220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192"
            "a447"
            "10ffffffff07 2000 7a00"
            "1001"
            /* payload, presence, pending, a field that we do not know */
            "1a14 0a0401551220 120c68656c6c6f20776f726c640a"
            "2228 0a24"
            "01551220a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299"
            "a192a447 1001"
            "2807 3a0100",
            &m),
        OK);
    assert_true(m.full);
    assert_int_equal(m.entries_count, 2);
    assert_int_equal(m.blocks_count, 1);
    assert_int_equal(m.presences_count, 1);
    assert_int_equal(m.pending_bytes, 7);

    struct bs_cursor c = bs_cursor_init(&m);
    struct bs_item item;
    struct cid hello_v1 = cid_hex(hello_cid);
    assert_true(bs_cursor_next(&c, &item));
    assert_int_equal(item.kind, BS_ITEM_ENTRY);
    assert_int_equal(item.entry.priority, -1);
    assert_true(item.entry.cancel && item.entry.want_have);
    assert_true(item.entry.send_dont_have);
    assert_true(cid_eq(&item.entry.cid, &hello_v1));
    assert_true(bs_cursor_next(&c, &item));
    assert_int_equal(item.entry.priority, INT32_MAX);
    assert_int_equal(item.entry.cid.version, 0);
    assert_false(item.entry.cancel || item.entry.want_have ||
                 item.entry.send_dont_have);
    assert_true(bs_cursor_next(&c, &item));
    assert_int_equal(item.kind, BS_ITEM_BLOCK);
    assert_true(bytes_eq(item.data, bytes_str(hello)));
    assert_true(bs_cursor_next(&c, &item));
    assert_int_equal(item.kind, BS_ITEM_DONT_HAVE);
    assert_true(cid_eq(&item.cid, &hello_v1));
    assert_false(bs_cursor_next(&c, &item));
    assert_false(bs_cursor_next(&c, &item));
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum err err;
    } cases[] = {
        {"", OK},
        {"0a00", OK},               /* what others put before their answers */
        {"0a02 0a00", E_MALFORMED}, /* entry without CID */
        {"0a04 0a02 0a00", E_MALFORMED},             /* empty CID */
        {"0a04 0a02 1001", E_MALFORMED},             /* no CID */
        {"0a05 0a03 0a01 01", E_SHORT},              /* half a CID */
        {"0a08 0a06 0a04 0255 0000", E_UNSUPPORTED}, /* CIDv2 */
        {"0a09 0a07 0a05 0155000001", E_MALFORMED},  /* more than a CID */
        {"0a08 0a06 0a04 01550000", OK},             /* identity: skipped */
        {"0a08 0a06 0a04 01551200", OK},             /* empty digest */
        {"0a09 0a07 0a05 0155921f00", OK},           /* unknown function */
        {"1a00", E_SHORT},                           /* empty block */
        {"1a03 120101", E_SHORT},                    /* no prefix */
        {"1a05 0a03 015512", E_SHORT},               /* short prefix */
        {"1a07 0a05 0155122000", E_MALFORMED},       /* long prefix */
        {"1a06 0a04 01551220", OK},                  /* block of no bytes */
        {"1a06 0a04 02551220", E_UNSUPPORTED},       /* version 2 */
        {"1a06 0a04 00551220", E_MALFORMED},         /* version 0 of raw */
        {"1a06 0a04 00701320", E_MALFORMED},         /* v0, sha2-512 */
        {"1a06 0a04 00701214", E_MALFORMED},         /* v0, 20 bytes */
        {"1a06 0a04 01551241", E_LIMIT},             /* digest of 65 bytes */
        {"1a07 0a05 0155921f20", E_UNSUPPORTED},     /* unknown function */
        {"1a06 0a04 01551213", E_UNSUPPORTED},       /* digest of 19 bytes */
        {"1a06 0a04 01551214", OK},                  /* digest of 20 bytes */
        {"2200", E_MALFORMED},                       /* presence of nothing */
        {"2202 0a00", E_MALFORMED},
        {"2206 0a04 01550000", OK},
        {"0805", E_MALFORMED},            /* wantlist as a number */
        {"0a03 0a010a", E_SHORT},         /* entry: field cut */
        {"0a02 0805", E_MALFORMED},       /* entry as a number */
        {"2a0100", E_MALFORMED},          /* pending as bytes */
        {"0b", E_UNSUPPORTED},            /* a group */
        {"00", E_MALFORMED},              /* field 0 */
        {"0a050a030a0101 1a00", E_SHORT}, /* the first failure counts */
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct bs_message m;
        enum err err = decode_hex(cases[i].hex, &m);
        if (err != cases[i].err)
            fail_msg("%s: %s, not %s", cases[i].hex, err_name(err),
                     err_name(cases[i].err));
    }
}

/* Entries, presences about CIDs that are too long are left out, not refused. */
static void test_long_cids(void **state)
{
    (void)state;
    static uint8_t bytes[1024];
    struct wr w = wr_init(bytes, sizeof(bytes));
    uint8_t cid[4 + 65] = {1, 0x55, 0x00, 65};
    struct cid good = cid_hex(hello_cid);

    pb_put_head(&w, 4, pb_bytes_len(1, sizeof(cid)));
    pb_put_bytes(&w, 1, (struct bytes){cid, sizeof(cid)});
    size_t entry = pb_bytes_len(1, sizeof(cid));
    size_t second = pb_bytes_len(1, cid_len(&good));
    pb_put_head(&w, 1, pb_bytes_len(1, entry) + pb_bytes_len(1, second));
    pb_put_head(&w, 1, entry);
    pb_put_bytes(&w, 1, (struct bytes){cid, sizeof(cid)});
    pb_put_head(&w, 1, second);
    pb_put_head(&w, 1, cid_len(&good));
    cid_write(&w, &good);
    struct bytes in;
    assert_int_equal(wr_finish(&w, &in), OK);

    struct bs_message m;
    assert_int_equal(bs_message_decode(in, &m), OK);
    assert_int_equal(m.entries_count, 2);
    assert_int_equal(m.presences_count, 1);
    struct bs_cursor c = bs_cursor_init(&m);
    struct bs_item item;
    assert_true(bs_cursor_next(&c, &item));
    assert_int_equal(item.kind, BS_ITEM_ENTRY);
    assert_true(cid_eq(&item.entry.cid, &good));
    assert_false(bs_cursor_next(&c, &item));
}

/* A list of @count entries or presences with tiny CIDs. */
static enum err decode_many(uint32_t field, size_t count)
{
    static const uint8_t cid[] = {1, 0x55, 0x12, 0};
    static const uint8_t prefix[] = {1, 0x55, 0x12, 0x20};
    struct bytes inner = {cid, sizeof(cid)};
    if (field == 3)
        inner = (struct bytes){prefix, sizeof(prefix)};
    size_t item = pb_bytes_len(1, inner.len);
    size_t each = pb_bytes_len(field == 1 ? 1 : field, item);
    size_t max = count * each + 16;
    uint8_t *bytes = mem_alloc(max);
    struct wr w = wr_init(bytes, max);
    if (field == 1)
        pb_put_head(&w, 1, count * each);
    for (size_t i = 0; i < count; i++) {
        pb_put_head(&w, field, item);
        pb_put_bytes(&w, 1, inner);
    }
    struct bytes in = BYTES_EMPTY;
    assert_int_equal(wr_finish(&w, &in), OK);
    struct bs_message m;
    enum err err = bs_message_decode(in, &m);
    mem_free(bytes);
    return err;
}

static void test_counts(void **state)
{
    (void)state;
    assert_int_equal(decode_many(1, BS_ENTRIES_MAX), OK);
    assert_int_equal(decode_many(1, BS_ENTRIES_MAX + 1), E_LIMIT);
    assert_int_equal(decode_many(3, BS_BLOCKS_MAX), OK);
    assert_int_equal(decode_many(3, BS_BLOCKS_MAX + 1), E_LIMIT);
    assert_int_equal(decode_many(4, BS_PRESENCES_MAX), OK);
    assert_int_equal(decode_many(4, BS_PRESENCES_MAX + 1), E_LIMIT);
}

static enum err decode_block(size_t len)
{
    static const uint8_t prefix[] = {1, 0x55, 0x12, 0x20};
    size_t max = len + 64;
    uint8_t *bytes = mem_zalloc(max, 1);
    struct wr w = wr_init(bytes, max);
    pb_put_head(&w, 3, pb_bytes_len(1, 4) + pb_bytes_len(2, len));
    pb_put_bytes(&w, 1, (struct bytes){prefix, 4});
    pb_put_head(&w, 2, len);
    struct bs_message m;
    enum err err =
        bs_message_decode((struct bytes){bytes, wr_len(&w) + len}, &m);
    mem_free(bytes);
    return err;
}

static void test_sizes(void **state)
{
    (void)state;
    assert_int_equal(decode_block(BLOCK_BYTES_MAX), OK);
    assert_int_equal(decode_block(BLOCK_BYTES_MAX + 1), E_LIMIT);

    /* One unknown field that fills the whole message. */
    uint8_t *bytes = mem_zalloc(BS_MESSAGE_BYTES_MAX + 1, 1);
    for (size_t more = 0; more < 2; more++) {
        size_t total = BS_MESSAGE_BYTES_MAX + more;
        struct wr w = wr_init(bytes, total);
        pb_put_head(&w, 15, total - 5); /* tag 1, length 4 */
        assert_int_equal(wr_len(&w), 5);
        struct bs_message m;
        assert_int_equal(bs_message_decode((struct bytes){bytes, total}, &m),
                         more == 0 ? OK : E_LIMIT);
    }
    mem_free(bytes);
}

/* Every prefix is refused or says less, and is never read past its end. */
static void test_prefixes(void **state)
{
    (void)state;
    struct bs_entry entries[3] = {
        {.cid = cid_hex(hello_cid), .priority = -5, .cancel = true},
        {.cid = cid_v0_of(BYTES_LIT("a")), .want_have = true},
        {.cid = cid_of(CODEC_DAG_CBOR, BYTES_LIT("b")), .priority = 77},
    };
    struct bs_frame *frame = bs_wantlist_encode(entries, 3, true);
    struct buf *all = flat(frame);
    struct bytes message = unframe(buf_bytes(all));
    for (size_t len = 0; len < message.len; len++) {
        uint8_t *copy = mem_dup(message.p, len);
        struct bs_message m;
        enum err err = bs_message_decode((struct bytes){copy, len}, &m);
        assert_int_equal(err, len == 0 ? OK : E_SHORT);
        mem_free(copy);
    }
    buf_unref(all);
    bs_frame_free(frame);
}

static void test_wantlist_roundtrip(void **state)
{
    (void)state;
    static struct bs_entry entries[BS_SEND_ENTRIES_MAX];
    for (uint32_t i = 0; i < BS_SEND_ENTRIES_MAX; i++)
        entries[i] = (struct bs_entry){
            .cid = cid_of(CODEC_RAW, (struct bytes){(uint8_t *)&i, 4}),
            .priority = (int32_t)i * 1000003 - 500000000,
            .cancel = i % 3 == 0,
            .want_have = i % 5 == 0,
            .send_dont_have = i % 2 == 0};
    struct bs_frame *frame =
        bs_wantlist_encode(entries, BS_SEND_ENTRIES_MAX, false);
    struct buf *all = flat(frame);
    struct bs_message m;
    assert_int_equal(bs_message_decode(unframe(buf_bytes(all)), &m), OK);
    assert_false(m.full);
    assert_int_equal(m.entries_count, BS_SEND_ENTRIES_MAX);
    struct bs_cursor c = bs_cursor_init(&m);
    struct bs_item item;
    for (size_t i = 0; i < BS_SEND_ENTRIES_MAX; i++) {
        assert_true(bs_cursor_next(&c, &item));
        assert_true(cid_eq(&item.entry.cid, &entries[i].cid));
        assert_int_equal(item.entry.priority, entries[i].priority);
        assert_int_equal(item.entry.cancel, entries[i].cancel);
        assert_int_equal(item.entry.want_have, entries[i].want_have);
        assert_int_equal(item.entry.send_dont_have, entries[i].send_dont_have);
    }
    assert_false(bs_cursor_next(&c, &item));
    buf_unref(all);
    bs_frame_free(frame);
}

/* Blocks over BS_COPY_MAX are slices of what was given, others are copied. */
static void test_reply_roundtrip(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, BS_COPY_MAX, BS_COPY_MAX + 1, 100000, 7};
    struct bs_reply_item items[countof(sizes) + 2];
    const uint8_t *at[countof(sizes)];
    struct cid have = cid_hex(hello_cid);
    items[0] = (struct bs_reply_item){.cid = have, .kind = BS_ITEM_HAVE};
    for (size_t i = 0; i < countof(sizes); i++) {
        struct slice data = slice_make(sizes[i], (uint8_t)i);
        at[i] = data.bytes.p;
        items[i + 1] =
            (struct bs_reply_item){.cid = cid_of(CODEC_RAW, data.bytes),
                                   .kind = BS_ITEM_BLOCK,
                                   .data = data};
    }
    items[countof(sizes) + 1] =
        (struct bs_reply_item){.cid = have, .kind = BS_ITEM_DONT_HAVE};
    size_t len = 0;
    for (size_t i = 0; i < countof(items); i++)
        len += bs_reply_item_len(&items[i], BS_1_2_0);
    struct bs_frame *frame = bs_reply_encode(items, countof(items), BS_1_2_0);
    assert_int_equal(frame->parts_count, 5);
    assert_ptr_equal(frame->parts[1].bytes.p, at[2]);
    assert_ptr_equal(frame->parts[3].bytes.p, at[3]);
    struct buf *all = flat(frame);
    struct bytes message = unframe(buf_bytes(all));
    assert_int_equal(message.len, len);
    struct bs_message m;
    assert_int_equal(bs_message_decode(message, &m), OK);
    struct bs_cursor c = bs_cursor_init(&m);
    struct bs_item item;
    for (size_t i = 0; i < countof(items); i++) {
        assert_true(bs_cursor_next(&c, &item));
        assert_int_equal(item.kind, items[i].kind);
        if (item.kind != BS_ITEM_BLOCK) {
            assert_true(cid_eq(&item.cid, &have));
            continue;
        }
        assert_int_equal(item.data.len, sizes[i - 1]);
        struct cid cid = cid_of(CODEC_RAW, item.data);
        assert_true(cid_eq(&cid, &items[i].cid));
        struct bs_prefix prefix = bs_prefix_of(&cid);
        assert_true(bs_prefix_eq(&prefix, &item.prefix));
    }
    assert_false(bs_cursor_next(&c, &item));
    buf_unref(all);
    bs_frame_free(frame);
}

/* The head of a message tells where the first block lies that it has not got
 * wholly, in either way to send one, whatever comes before it. */
static void test_data_at(void **state)
{
    (void)state;
    for (enum bs_version v = BS_1_0_0; v <= BS_1_2_0; v++) {
        struct slice data = slice_make(100000, 3);
        struct slice first = slice_make(50, 1);
        struct bs_reply_item items[] = {
            {.cid = cid_v0_of(first.bytes),
             .kind = BS_ITEM_BLOCK,
             .data = first},
            {.cid = cid_v0_of(data.bytes), .kind = BS_ITEM_BLOCK, .data = data},
        };
        struct bs_frame *frame = bs_reply_encode(items, 2, v);
        struct buf *all = flat(frame);
        struct bytes message = unframe(buf_bytes(all));
        size_t want = message.len - data.bytes.len;
        for (size_t len = 0; len < message.len; len++) {
            size_t at = bs_message_data_at(bytes_sub(message, 0, len));
            if (len > want)
                assert_int_equal(at, want);
            else
                assert_true(at <= len);
        }
        assert_int_equal(bs_message_data_at(message), 0);
        buf_unref(all);
        bs_frame_free(frame);
    }
    assert_int_equal(bs_message_data_at(BYTES_LIT("\xff\xff\xff")), 0);
    assert_int_equal(bs_message_data_at(BYTES_LIT("\x0a\x7f"
                                                  "abc")),
                     0);
}

/* The fullest reply: as many items and pieces as there may be. */
static void test_reply_limits(void **state)
{
    (void)state;
    static struct bs_reply_item items[BS_REPLY_ITEMS_MAX];
    struct slice big = slice_make(BS_COPY_MAX + 1, 1);
    struct slice small = slice_make(BS_COPY_MAX / 4, 2);
    for (size_t i = 0; i < BS_REPLY_ITEMS_MAX; i++) {
        bool piece = i % 16 == 0;
        items[i] =
            (struct bs_reply_item){.cid = cid_hex(hello_cid),
                                   .kind = BS_ITEM_BLOCK,
                                   .data = slice_ref(piece ? &big : &small)};
    }
    struct bs_frame *frame =
        bs_reply_encode(items, BS_REPLY_ITEMS_MAX, BS_1_1_0);
    assert_int_equal(frame->parts_count, 2 * BS_REPLY_PIECES_MAX + 1);
    struct buf *all = flat(frame);
    struct bs_message m;
    assert_int_equal(bs_message_decode(unframe(buf_bytes(all)), &m), OK);
    assert_int_equal(m.blocks_count, BS_REPLY_ITEMS_MAX);
    buf_unref(all);
    bs_frame_free(frame);
    assert_int_equal(big.buf->refs, 1);
    assert_int_equal(small.buf->refs, 1);
    slice_release(&big);
    slice_release(&small);
}

static void test_prefix_digest(void **state)
{
    (void)state;
    struct cid cid = cid_hex(hello_cid);
    struct bs_prefix prefix = bs_prefix_of(&cid);
    struct cid made;
    assert_int_equal(
        bs_prefix_cid(&prefix, (struct bytes){cid.hash.digest, 31}, &made),
        E_MISMATCH);
    prefix.hash_len = 20; /* a shortened digest is a beginning of the whole */
    assert_int_equal(
        bs_prefix_cid(&prefix, (struct bytes){cid.hash.digest, 32}, &made), OK);
    assert_int_equal(made.hash.len, 20);
    assert_int_equal(made.hash.digest[20], 0);
    assert_false(cid_eq(&made, &cid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_want),
        cmocka_unit_test(test_worked_answers),
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_protocol_ids),
        cmocka_unit_test(test_read_all),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_long_cids),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_wantlist_roundtrip),
        cmocka_unit_test(test_reply_roundtrip),
        cmocka_unit_test(test_data_at),
        cmocka_unit_test(test_reply_limits),
        cmocka_unit_test(test_prefix_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
