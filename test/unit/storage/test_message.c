/*
 * Messages of the storage protocol.  Goal: each type is read and written as
 * the page says, and nothing malformed or over a limit comes through.
 * Method: a vector of a second implementation for each type, read and written
 * again; every prefix; every list at its limit and one past it.
 */
#include "ipld/dag_cbor.h"
#include "sample.h"
#include "storage/message.h"

enum { ROOM = STORAGE_MESSAGE_BYTES_MAX };

/* Big ones, too big for a stack. */
struct fixture {
    struct storage_message message;
    struct storage_message again;
    uint8_t in[ROOM + 1];
    uint8_t out[ROOM];
};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct fixture));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static struct bytes write_message(struct fixture *f,
                                  const struct storage_message *m)
{
    struct wr w = wr_init(f->out, sizeof(f->out));

    storage_message_encode(&w, m);
    return sample_written(&w);
}

static struct bytes load(struct fixture *f, enum storage_message_type type)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "msg_%s", storage_message_name(type));
    struct bytes in = sample_load(name, f->in, sizeof(f->in));
    assert_int_equal(storage_message_decode(in, &f->message), OK);
    assert_int_equal(f->message.type, type);
    return in;
}

static void vectors_are_read_and_written(void **state)
{
    struct fixture *f = *state;

    for (unsigned t = 0; t < STORAGE_TYPES; t++) {
        struct bytes in = load(f, (enum storage_message_type)t);
        assert_true(bytes_eq(write_message(f, &f->message), in));
        for (size_t len = 0; len < in.len; len++) {
            enum err err =
                storage_message_decode((struct bytes){in.p, len}, &f->again);
            assert_true(err_is_peer_fault(err));
        }
        f->in[in.len] = 0;
        in.len++;
        assert_int_equal(storage_message_decode(in, &f->again), E_MALFORMED);
    }
}

static void vectors_say_what_they_should(void **state)
{
    struct fixture *f = *state;
    const struct storage_message *m = &f->message;
    struct checked_object object;
    struct checked_receipt receipt;
    struct cid root = sample_root();
    struct cid empty = cid_v0_of(BYTES_EMPTY);
    struct peer_id holder = sample_peer(2);

    load(f, STORAGE_OFFER);
    assert_int_equal(object_open(m->record, &object), OK);
    assert_int_equal(m->receipts_count, 0);
    load(f, STORAGE_HANDOVER);
    assert_int_equal(object_open(m->record, &object), OK);
    assert_int_equal(m->receipts_count, 1);
    assert_int_equal(receipt_open(m->receipts[0], &receipt), OK);
    assert_true(receipt_is_for(&receipt, &object));
    load(f, STORAGE_RELEASE);
    assert_int_equal(object_open(m->record, &object), OK);
    assert_true(object_is_release(&object.record));
    load(f, STORAGE_RECEIPT);
    assert_int_equal(receipt_open(m->receipts[0], &receipt), OK);
    load(f, STORAGE_STATUS);
    assert_true(cid_eq(&m->root, &root));
    assert_memory_equal(m->owner, object.record.owner, sizeof(m->owner));
    load(f, STORAGE_NOTICE);
    assert_int_equal(m->reason, STORAGE_REASON_SIZE);
    load(f, STORAGE_AUDIT);
    assert_int_equal(m->nonce[31], 31);
    assert_int_equal(m->items_count, 2);
    assert_true(cid_eq(&m->items[0].cid, &root));
    assert_true(cid_eq(&m->items[1].root, &root));
    assert_true(cid_eq(&m->items[1].cid, &empty));
    load(f, STORAGE_FETCHBACK);
    assert_int_equal(m->cids_count, 1);
    assert_true(cid_eq(&m->cids[0], &root));
    assert_true(peer_id_eq(&m->holder, &holder));
    load(f, STORAGE_REFUSE);
    assert_int_equal(m->reason, STORAGE_REASON_STALE);
    assert_int_equal(object_open(m->record, &object), OK);
    load(f, STORAGE_STATE);
    assert_int_equal(m->state, STORAGE_STATE_KEPT);
    assert_int_equal(m->blocks, 1);
    assert_int_equal(m->size_bytes, 12);
    load(f, STORAGE_DIGESTS);
    assert_int_equal(m->digests_count, 2);
    assert_true(m->digests[0].present);
    assert_false(m->digests[1].present);
    load(f, STORAGE_FETCHED);
    assert_int_equal(m->result, STORAGE_FETCH_OK);
    load(f, STORAGE_RECORDS);
    assert_int_equal(m->records_count, 1);
    assert_int_equal(m->cursor.len, 0);
    load(f, STORAGE_ABOUT);
    assert_true(cid_eq(&m->root, &root));
    assert_int_equal(m->cursor.len, 0);
    load(f, STORAGE_OBJECTS);
    assert_int_equal(m->records_count, 1);
    assert_int_equal(object_open(m->records[0], &object), OK);
    assert_int_equal(m->receipts_count, 1);
    assert_int_equal(receipt_open(m->receipts[0], &receipt), OK);
    assert_true(receipt_is_for(&receipt, &object));
}

static enum err decode_hex(struct fixture *f, const char *hex)
{
    return storage_message_decode(
        (struct bytes){f->in, unhex(hex, f->in, sizeof(f->in))}, &f->message);
}

static void other_types_and_words(void **state)
{
    struct fixture *f = *state;

    /* {"t": "later"}, and with {"x": [1, {}]} or a "record" that is a 1. */
    assert_int_equal(decode_hex(f, "a16174656c61746572"), OK);
    assert_int_equal(f->message.type, STORAGE_UNKNOWN);
    assert_int_equal(decode_hex(f, "a26174656c61746572 6178 8201a0"), OK);
    assert_int_equal(f->message.type, STORAGE_UNKNOWN);
    assert_int_equal(decode_hex(f, "a26174656c61746572 667265636f726401"), OK);
    /* Unknown types are well formed too, or refused. */
    assert_int_equal(decode_hex(f, "a26174656c61746572 6178 8201"), E_SHORT);
    assert_int_equal(decode_hex(f, "a26174656c61746572 6173 01 00"),
                     E_MALFORMED);
    assert_int_equal(decode_hex(f, "a26174656c61746572 01 01"), E_MALFORMED);
    assert_int_equal(decode_hex(f, "a36174656c61746572 6178 01 6178 01"),
                     E_MALFORMED);
    assert_int_equal(decode_hex(f, "a26174656c61746572 6178 9f00ff"),
                     E_MALFORMED);
    /* No type; a type that is no text; no map; nothing. */
    assert_int_equal(decode_hex(f, "a0"), E_MALFORMED);
    assert_int_equal(decode_hex(f, "a1617401"), E_MALFORMED);
    assert_int_equal(decode_hex(f, "a16178626f6b"), E_MALFORMED);
    assert_int_equal(decode_hex(f, "80"), E_MALFORMED);
    assert_int_equal(decode_hex(f, ""), E_SHORT);
    /* Types of 32 bytes and of 33. */
    assert_int_equal(decode_hex(f, "a161747820 6161616161616161"
                                   "6161616161616161 6161616161616161"
                                   "6161616161616161"),
                     OK);
    assert_int_equal(decode_hex(f, "a161747821 6161616161616161"
                                   "6161616161616161 6161616161616161"
                                   "616161616161616161"),
                     E_LIMIT);
    /* ok has no other keys; refuse has a reason, also one of later. */
    assert_int_equal(decode_hex(f, "a26174626f6b617801"), E_MALFORMED);
    assert_int_equal(decode_hex(f, "a1617466726566757365"), E_MALFORMED);
    assert_int_equal(
        decode_hex(f, "a2617466726566757365 66726561736f6e 656c61746572"), OK);
    assert_int_equal(f->message.type, STORAGE_REFUSE);
    assert_int_equal(f->message.reason, STORAGE_REASON_OTHER);
    assert_int_equal(f->message.record.len, 0);
    /* fetched: {"result": "later"} is none. */
    assert_int_equal(
        decode_hex(f, "a261746766657463686564 66726573756c74 656c61746572"),
        E_MALFORMED);
    /* An empty record, where one may be left out, is none. */
    assert_int_equal(decode_hex(f, "a3617466726566757365 66726561736f6e"
                                   "656c61746572 667265636f7264 40"),
                     E_MALFORMED);
}

static void all_words_come_back(void **state)
{
    struct fixture *f = *state;

    load(f, STORAGE_NOTICE);
    for (unsigned i = 0; i <= STORAGE_REASON_RELEASED; i++) {
        f->message.reason = (enum storage_reason)i;
        struct bytes out = write_message(f, &f->message);
        assert_int_equal(storage_message_decode(out, &f->again), OK);
        assert_int_equal(f->again.reason, i);
        assert_true(strlen(storage_reason_name(f->message.reason)) <=
                    STORAGE_WORD_MAX);
    }
    load(f, STORAGE_FETCHED);
    for (unsigned i = 0; i <= STORAGE_FETCH_SLOW; i++) {
        f->message.result = (enum storage_result)i;
        struct bytes out = write_message(f, &f->message);
        assert_int_equal(storage_message_decode(out, &f->again), OK);
        assert_int_equal(f->again.result, i);
    }
    (void)load(f, STORAGE_STATE);
    for (unsigned i = 0; i <= STORAGE_STATE_OWNED; i++) {
        f->message.state = (enum storage_state)i;
        f->message.record = BYTES_EMPTY; /* may be left out */
        struct bytes out = write_message(f, &f->message);
        assert_int_equal(storage_message_decode(out, &f->again), OK);
        assert_int_equal(f->again.state, i);
        assert_int_equal(f->again.record.len, 0);
    }
    assert_int_equal(storage_reason_of_fault(OBJECT_OTHER_NETWORK),
                     STORAGE_REASON_NETWORK);
    assert_int_equal(storage_reason_of_fault(OBJECT_FROM_FUTURE),
                     STORAGE_REASON_FUTURE);
    assert_int_equal(storage_reason_of_fault(OBJECT_EXPIRED),
                     STORAGE_REASON_EXPIRED);
    assert_int_equal(storage_reason_of_fault(OBJECT_ERASURE),
                     STORAGE_REASON_UNSUPPORTED);
}

/* The type of @m with all its lists and values as large as they may be. */
static void fill(struct storage_message *m, enum storage_message_type type,
                 size_t receipts)
{
    static uint8_t zeros[OBJECT_RECORD_BYTES_MAX];

    memset(m, 0, sizeof(*m));
    m->type = type;
    struct cid cid = {
        .version = 1, .codec = INT64_MAX, .hash = {.code = 0xb240, .len = 64}};
    m->root = cid;
    m->record = (struct bytes){zeros, OBJECT_RECORD_BYTES_MAX};
    m->receipts_count = receipts;
    for (size_t i = 0; i < receipts; i++)
        m->receipts[i] = (struct bytes){zeros, RECEIPT_BYTES_MAX};
    m->reason = STORAGE_REASON_UNSUPPORTED;
    m->state = STORAGE_STATE_RELEASED;
    m->blocks = OBJECT_BLOCKS_MAX;
    m->size_bytes = OBJECT_SIZE_BYTES_MAX;
    m->items_count = STORAGE_AUDIT_ITEMS_MAX;
    for (size_t i = 0; i < m->items_count; i++)
        m->items[i] = (struct storage_audit_item){.root = cid, .cid = cid};
    m->digests_count = STORAGE_AUDIT_ITEMS_MAX;
    for (size_t i = 0; i < m->digests_count; i++)
        m->digests[i].present = true;
    m->cids_count = STORAGE_FETCHBACK_CIDS_MAX;
    for (size_t i = 0; i < m->cids_count; i++)
        m->cids[i] = cid;
    m->holder = sample_peer(2);
    m->result = STORAGE_FETCH_UNREACHABLE;
    m->at_s = OBJECT_TIME_MAX_S;
    m->cursor = (struct bytes){zeros, STORAGE_CURSOR_MAX};
    m->records_count =
        type == STORAGE_OBJECTS ? STORAGE_OWNERS_MAX : STORAGE_RECORDS_MAX;
    for (size_t i = 0; i < m->records_count; i++)
        m->records[i] = (struct bytes){zeros, OBJECT_RECORD_BYTES_MAX};
}

/* Receipts that a message of @type may have. */
static size_t receipts_max(enum storage_message_type type)
{
    if (type == STORAGE_RECEIPT || type == STORAGE_DIGESTS ||
        type == STORAGE_OBJECTS)
        return STORAGE_RECEIPTS_BATCH_MAX;
    return type == STORAGE_ACCEPT ? 1 : STORAGE_RECEIPTS_MAX;
}

static void the_largest_fit(void **state)
{
    struct fixture *f = *state;

    for (unsigned t = 0; t < STORAGE_TYPES; t++) {
        enum storage_message_type type = (enum storage_message_type)t;
        fill(&f->message, type, receipts_max(type));
        struct bytes out = write_message(f, &f->message);
        assert_int_equal(storage_message_decode(out, &f->again), OK);
        assert_int_equal(f->again.type, t);
        memcpy(f->in, out.p, out.len);
        struct bytes first = {f->in, out.len};
        assert_true(bytes_eq(write_message(f, &f->again), first));
    }
}

/* A message made of @head, a list of @count times @each, and @tail. */
static enum err decode_list(struct fixture *f, const char *head, size_t count,
                            struct bytes each, const char *tail)
{
    uint8_t bytes[256];
    struct wr w = wr_init(f->in, sizeof(f->in));

    wr_bytes(&w, (struct bytes){bytes, unhex(head, bytes, sizeof(bytes))});
    cbor_put_list(&w, count);
    for (size_t i = 0; i < count; i++)
        wr_bytes(&w, each);
    wr_bytes(&w, (struct bytes){bytes, unhex(tail, bytes, sizeof(bytes))});
    return storage_message_decode(sample_written(&w), &f->message);
}

static void lists_at_their_limits(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[128];
    struct wr w = wr_init(bytes, sizeof(bytes));
    struct cid root = sample_root();
    struct bytes one = BYTES_LIT("\x41x"); /* a document of one byte */
    static const char receipt[] = "a26174677265636569707468 7265636569707473";

    assert_int_equal(decode_list(f, receipt, 1, one, ""), OK);
    assert_int_equal(decode_list(f, receipt, 64, one, ""), OK);
    assert_int_equal(f->message.receipts_count, 64);
    assert_int_equal(decode_list(f, receipt, 65, one, ""), E_LIMIT);
    assert_int_equal(decode_list(f, receipt, 0, one, ""), E_MALFORMED);
    assert_int_equal(decode_list(f, receipt, 1, BYTES_LIT("\x40"), ""),
                     E_MALFORMED);
    assert_int_equal(decode_list(f, receipt, 1, BYTES_LIT("\x61x"), ""),
                     E_MALFORMED);

    static const char offer[] = "a36174656f66666572 667265636f7264 4178"
                                "687265636569707473";
    assert_int_equal(decode_list(f, offer, 0, one, ""), OK);
    assert_int_equal(decode_list(f, offer, 32, one, ""), OK);
    assert_int_equal(decode_list(f, offer, 33, one, ""), E_LIMIT);

    static const char accepts[] = "a2617466616363657074 687265636569707473";
    assert_int_equal(decode_list(f, accepts, 1, one, ""), OK);
    assert_int_equal(decode_list(f, accepts, 2, one, ""), E_LIMIT);

    static const char records[] = "a36174677265636f726473 66637572736f72 40"
                                  "677265636f726473";
    assert_int_equal(decode_list(f, records, 0, one, ""), OK);
    assert_int_equal(decode_list(f, records, 32, one, ""), OK);
    assert_int_equal(decode_list(f, records, 33, one, ""), E_LIMIT);

    static const char objects[] = "a46174676f626a65637473 66637572736f72 40"
                                  "677265636f726473";
    static const char none[] = "687265636569707473 80";
    assert_int_equal(decode_list(f, objects, 0, one, none), OK);
    assert_int_equal(decode_list(f, objects, 16, one, none), OK);
    assert_int_equal(decode_list(f, objects, 17, one, none), E_LIMIT);
    static const char empty[] = "a46174676f626a65637473 66637572736f72 40"
                                "677265636f726473 80 687265636569707473";
    assert_int_equal(decode_list(f, empty, 64, one, ""), OK);
    assert_int_equal(decode_list(f, empty, 65, one, ""), E_LIMIT);

    static const char digests[] = "a3617467646967657374736764696765737473";
    static const char no_receipts[] = "687265636569707473 80";
    struct bytes null = BYTES_LIT("\xf6");
    assert_int_equal(decode_list(f, digests, 64, null, no_receipts), OK);
    assert_int_equal(decode_list(f, digests, 65, null, no_receipts), E_LIMIT);
    assert_int_equal(decode_list(f, digests, 0, null, no_receipts),
                     E_MALFORMED);
    assert_int_equal(decode_list(f, digests, 1, one, no_receipts), E_MALFORMED);

    static const char audit[] = "a36174656175646974 656974656d73";
    static const char nonce[] = "656e6f6e6365 5820"
                                "00000000000000000000000000000000"
                                "00000000000000000000000000000000";
    cbor_put_list(&w, 2);
    cbor_put_link(&w, &root);
    cbor_put_link(&w, &root);
    struct bytes item = sample_written(&w);
    assert_int_equal(decode_list(f, audit, 64, item, nonce), OK);
    assert_int_equal(decode_list(f, audit, 65, item, nonce), E_LIMIT);
    assert_int_equal(decode_list(f, audit, 0, item, nonce), E_MALFORMED);
    bytes[0] = 0x81;
    item.len = 1 + (item.len - 1) / 2;
    assert_int_equal(decode_list(f, audit, 1, item, nonce), E_MALFORMED);
    item = bytes_sub(item, 1, item.len - 1);
    assert_int_equal(decode_list(f, audit, 1, item, nonce), E_MALFORMED);

    static const char back[] = "a46174696665746368626163 6b 6463696473";
    static const char rest[] =
        "64726f6f74 d82a58250001551220"
        "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447"
        "66686f6c646572 5826 002408011220"
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394";
    assert_int_equal(decode_list(f, back, 16, item, rest), OK);
    assert_int_equal(decode_list(f, back, 17, item, rest), E_LIMIT);
    assert_int_equal(decode_list(f, back, 0, item, rest), E_MALFORMED);
}

/* How the vector of @type is judged when the bytes @from in it become @to. */
static enum err decode_with(struct fixture *f, enum storage_message_type type,
                            const char *from, const char *to)
{
    uint8_t from_bytes[64];
    uint8_t to_bytes[128];
    struct bytes in = load(f, type);
    size_t from_len = unhex(from, from_bytes, sizeof(from_bytes));
    size_t to_len = unhex(to, to_bytes, sizeof(to_bytes));
    size_t at = 0;

    while (memcmp(in.p + at, from_bytes, from_len) != 0) {
        at++;
        assert_true(at + from_len <= in.len);
    }
    struct wr w = wr_init(f->out, sizeof(f->out));
    wr_bytes(&w, bytes_sub(in, 0, at));
    wr_bytes(&w, (struct bytes){to_bytes, to_len});
    wr_bytes(&w, bytes_sub(in, at + from_len, in.len - at - from_len));
    return storage_message_decode(sample_written(&w), &f->again);
}

static void values_at_their_limits(void **state)
{
    struct fixture *f = *state;

    /* Owner, nonce, signature: neither shorter nor longer. */
    assert_int_equal(decode_with(f, STORAGE_STATUS, "65 6f776e6572 5820 8a",
                                 "65 6f776e6572 5820 8a"),
                     OK);
    assert_int_equal(
        decode_with(f, STORAGE_STATUS, "6f776e6572 5820 8a", "6f776e6572 581f"),
        E_MALFORMED);
    assert_int_equal(decode_with(f, STORAGE_STATUS, "6f776e6572 5820 8a",
                                 "6f776e6572 5821 008a"),
                     E_LIMIT);
    assert_int_equal(
        decode_with(f, STORAGE_AUDIT, "6e6f6e6365 5820 00", "6e6f6e6365 581f"),
        E_MALFORMED);
    assert_int_equal(decode_with(f, STORAGE_AUDIT, "6e6f6e6365 5820 00",
                                 "6e6f6e6365 5821 0000"),
                     E_LIMIT);
    /* A root of version 0, or without a hash; both are for blocks only. */
    assert_int_equal(
        decode_with(f, STORAGE_STATUS, "5825 00 0155 1220", "5823 00 1220"),
        E_MALFORMED);
    assert_int_equal(decode_with(f, STORAGE_STATUS, "5825 00 0155 1220",
                                 "5825 00 0155 0020"),
                     E_UNSUPPORTED);
    assert_int_equal(decode_with(f, STORAGE_AUDIT, "8282 d82a5825 00 0155 1220",
                                 "8282 d82a5823 00 1220"),
                     E_MALFORMED);
    assert_int_equal(decode_with(f, STORAGE_STATUS, "5825 00 0155 1220",
                                 "5825 00 0355 1220"),
                     E_UNSUPPORTED);
    /* Peer ids. */
    assert_int_equal(
        decode_with(f, STORAGE_FETCHBACK, "5826 0024", "5826 0023"),
        E_MALFORMED);
    assert_int_equal(
        decode_with(f, STORAGE_FETCHBACK, "5826 0024", "5826 1324"),
        E_UNSUPPORTED);
    /* A cursor. */
    assert_int_equal(
        decode_with(f, STORAGE_MINE, "637572736f72 40", "637572736f72 4100"),
        OK);
    assert_int_equal(f->again.cursor.len, 1);
    /* Times and counts. */
    assert_int_equal(decode_with(f, STORAGE_MINE, "626174 1a6553f100",
                                 "626174 1b0000010000000000"),
                     OK);
    assert_int_equal(decode_with(f, STORAGE_MINE, "626174 1a6553f100",
                                 "626174 1b0000010000000001"),
                     E_LIMIT);
    assert_int_equal(decode_with(f, STORAGE_STATE, "626c6f636b73 01 6672",
                                 "626c6f636b73 1b0000010000000000 6672"),
                     OK);
    assert_int_equal(decode_with(f, STORAGE_STATE, "626c6f636b73 01 6672",
                                 "626c6f636b73 1b0000010000000001 6672"),
                     E_LIMIT);
}

static void lengths_at_their_limits(void **state)
{
    struct fixture *f = *state;
    static uint8_t zeros[OBJECT_RECORD_BYTES_MAX + 1];
    struct wr w;

    for (size_t more = 0; more < 2; more++) {
        enum err want = more == 0 ? OK : E_LIMIT;
        w = wr_init(f->in, sizeof(f->in));
        cbor_put_map(&w, 2);
        cbor_put_key(&w, "t");
        cbor_put_text(&w, BYTES_LIT("release"));
        cbor_put_key(&w, "record");
        cbor_put_bytes(&w,
                       (struct bytes){zeros, OBJECT_RECORD_BYTES_MAX + more});
        assert_int_equal(
            storage_message_decode(sample_written(&w), &f->message), want);
        w = wr_init(f->in, sizeof(f->in));
        cbor_put_map(&w, 2);
        cbor_put_key(&w, "t");
        cbor_put_text(&w, BYTES_LIT("receipt"));
        cbor_put_key(&w, "receipts");
        cbor_put_list(&w, 1);
        cbor_put_bytes(&w, (struct bytes){zeros, RECEIPT_BYTES_MAX + more});
        assert_int_equal(
            storage_message_decode(sample_written(&w), &f->message), want);
        w = wr_init(f->in, sizeof(f->in));
        cbor_put_map(&w, 3);
        cbor_put_key(&w, "t");
        cbor_put_text(&w, BYTES_LIT("records"));
        cbor_put_key(&w, "cursor");
        cbor_put_bytes(&w, (struct bytes){zeros, STORAGE_CURSOR_MAX + more});
        cbor_put_key(&w, "records");
        cbor_put_list(&w, 0);
        assert_int_equal(
            storage_message_decode(sample_written(&w), &f->message), want);
        /* A whole message, of a type that we do not know. */
        w = wr_init(f->in, sizeof(f->in));
        cbor_put_map(&w, 2);
        cbor_put_key(&w, "t");
        cbor_put_text(&w, BYTES_LIT("later"));
        cbor_put_key(&w, "x");
        size_t left = STORAGE_MESSAGE_BYTES_MAX + more - wr_len(&w) - 5;
        wr_u8(&w, 0x5a); /* bytes with a length of 4 */
        wr_be32(&w, (uint32_t)left);
        memset(f->in + wr_len(&w), 0, left);
        struct bytes in = {f->in, wr_len(&w) + left};
        assert_int_equal(in.len, STORAGE_MESSAGE_BYTES_MAX + more);
        /* The length could be shorter, which is malformed unless too long. */
        if (left > UINT16_MAX)
            assert_int_equal(storage_message_decode(in, &f->message), want);
        else
            assert_int_equal(storage_message_decode(in, &f->message),
                             more == 0 ? E_MALFORMED : E_LIMIT);
    }
}

static void who_answers_what(void **state)
{
    (void)state;
    size_t pairs = 0;

    for (unsigned q = 0; q <= STORAGE_UNKNOWN; q++) {
        enum storage_message_type request = (enum storage_message_type)q;
        assert_int_equal(storage_is_request(request),
                         q <= STORAGE_ABOUT || q == STORAGE_UNKNOWN);
        for (unsigned a = 0; a <= STORAGE_UNKNOWN; a++)
            pairs += storage_answers(request, (enum storage_message_type)a);
        assert_int_equal(storage_answers(request, STORAGE_REFUSE),
                         storage_is_request(request));
    }
    /* Eleven requests have an answer and a refusal, an unknown one the latter.
     */
    assert_int_equal(pairs, 23);
    assert_true(storage_answers(STORAGE_OFFER, STORAGE_ACCEPT));
    assert_true(storage_answers(STORAGE_AUDIT, STORAGE_DIGESTS));
    assert_true(storage_answers(STORAGE_MINE, STORAGE_RECORDS));
    assert_true(storage_answers(STORAGE_ABOUT, STORAGE_OBJECTS));
    assert_false(storage_answers(STORAGE_AUDIT, STORAGE_OK));
    assert_false(storage_answers(STORAGE_UNKNOWN, STORAGE_UNKNOWN));
    assert_string_equal(storage_message_name(STORAGE_UNKNOWN), "unknown");
}

static void lists_are_for_their_owner(void **state)
{
    struct fixture *f = *state;
    struct storage_message *m = &f->message;
    struct peer_id asker = sample_peer(3);
    struct peer_id holder = sample_peer(2);
    struct peer_id other = sample_peer(4);
    uint8_t sig[ED25519_SIG_BYTES];
    struct privkey key = sample_key(1);
    uint64_t now_s = SAMPLE_TIME_S;

    load(f, STORAGE_MINE);
    assert_int_equal(storage_mine_check(m, &asker, &holder, now_s), OK);
    storage_mine_sign(&key, &asker, &holder, now_s, sig);
    assert_memory_equal(sig, m->sig, sizeof(sig));
    /* Replayed by or to somebody else. */
    assert_int_equal(storage_mine_check(m, &other, &holder, now_s), E_MISMATCH);
    assert_int_equal(storage_mine_check(m, &asker, &other, now_s), E_MISMATCH);
    assert_int_equal(storage_mine_check(m, &holder, &asker, now_s), E_MISMATCH);
    /* Too late, too early. */
    assert_int_equal(
        storage_mine_check(m, &asker, &holder, now_s + OBJECT_SKEW_MAX_S), OK);
    assert_int_equal(
        storage_mine_check(m, &asker, &holder, now_s + OBJECT_SKEW_MAX_S + 1),
        E_TIMEOUT);
    assert_int_equal(
        storage_mine_check(m, &asker, &holder, now_s - OBJECT_SKEW_MAX_S), OK);
    assert_int_equal(
        storage_mine_check(m, &asker, &holder, now_s - OBJECT_SKEW_MAX_S - 1),
        E_TIMEOUT);
    /* Another time, another owner, another signature. */
    m->at_s++;
    assert_int_equal(storage_mine_check(m, &asker, &holder, now_s), E_MISMATCH);
    m->at_s--;
    m->owner[0] ^= 1;
    assert_int_equal(storage_mine_check(m, &asker, &holder, now_s), E_MISMATCH);
    m->owner[0] ^= 1;
    for (size_t bit = 0; bit < 8 * sizeof(m->sig); bit++) {
        m->sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(storage_mine_check(m, &asker, &holder, now_s),
                         E_MISMATCH);
        m->sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    /* The longest peer ids have room. */
    asker.len = PEER_ID_BYTES_MAX;
    holder.len = PEER_ID_BYTES_MAX;
    storage_mine_sign(&key, &asker, &holder, OBJECT_TIME_MAX_S, sig);
    privkey_release(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_read_and_written),
        cmocka_unit_test(vectors_say_what_they_should),
        cmocka_unit_test(other_types_and_words),
        cmocka_unit_test(all_words_come_back),
        cmocka_unit_test(the_largest_fit),
        cmocka_unit_test(lists_at_their_limits),
        cmocka_unit_test(values_at_their_limits),
        cmocka_unit_test(lengths_at_their_limits),
        cmocka_unit_test(who_answers_what),
        cmocka_unit_test(lists_are_for_their_owner),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
