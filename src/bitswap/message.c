#include "bitswap/message.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "multiformats/multicodec.h"
#include "multiformats/multihash.h"
#include "multiformats/pb.h"

enum {
    MESSAGE_WANTLIST = 1,
    MESSAGE_BLOCKS = 2,
    MESSAGE_PAYLOAD = 3,
    MESSAGE_PRESENCES = 4,
    MESSAGE_PENDING = 5,
    WANTLIST_ENTRIES = 1,
    WANTLIST_FULL = 2,
    ENTRY_CID = 1,
    ENTRY_PRIORITY = 2,
    ENTRY_CANCEL = 3,
    ENTRY_TYPE = 4,
    ENTRY_SEND_DONT_HAVE = 5,
    BLOCK_PREFIX = 1,
    BLOCK_DATA = 2,
    PRESENCE_CID = 1,
    PRESENCE_TYPE = 2,

    TYPE_HAVE_WANTED = 1, /* of an entry; 0 is want-block */
    TYPE_DONT_HAVE = 1,   /* of a presence; 0 is HAVE */
    SHA2_256 = 0x12,
    SHA2_256_BYTES = 32,
    PREFIX_BYTES_MAX = 4 * UVARINT_LEN_MAX,
    WIRE_BITS = 3, /* of a tag, below the number */
    WIRE_MASK = 7,
};

static const char *const ids[] = {
    [BS_1_0_0] = "/ipfs/bitswap/1.0.0",
    [BS_1_1_0] = "/ipfs/bitswap/1.1.0",
    [BS_1_2_0] = "/ipfs/bitswap/1.2.0",
};

const char *bs_protocol_id(enum bs_version version)
{
    return ids[version];
}

enum err bs_version_of(struct bytes id, enum bs_version *ret_version)
{
    for (size_t i = 0; i < countof(ids); i++) {
        if (bytes_eq(id, bytes_str(ids[i]))) {
            *ret_version = (enum bs_version)i;
            return OK;
        }
    }
    if (!bytes_eq(id, BYTES_LIT("/ipfs/bitswap")))
        return E_UNSUPPORTED;
    *ret_version = BS_1_0_0;
    return OK;
}

struct bs_prefix bs_prefix_of(const struct cid *cid)
{
    return (struct bs_prefix){.version = cid->version,
                              .codec = cid->codec,
                              .hash_code = cid->hash.code,
                              .hash_len = cid->hash.len};
}

bool bs_prefix_eq(const struct bs_prefix *a, const struct bs_prefix *b)
{
    return a->version == b->version && a->codec == b->codec &&
           a->hash_code == b->hash_code && a->hash_len == b->hash_len;
}

enum err bs_prefix_cid(const struct bs_prefix *prefix, struct bytes digest,
                       struct cid *ret_cid)
{
    assert(prefix->hash_len <= MULTIHASH_DIGEST_MAX);
    assert(prefix->version <= 1);

    if (digest.len < prefix->hash_len)
        return E_MISMATCH;
    *ret_cid = (struct cid){
        .hash = {.code = prefix->hash_code, .len = prefix->hash_len},
        .codec = prefix->codec,
        .version = (uint8_t)prefix->version};
    if (prefix->hash_len > 0)
        memcpy(ret_cid->hash.digest, digest.p, prefix->hash_len);
    return OK;
}

bool bs_version_can_send(enum bs_version version, const struct cid *cid)
{
    return version > BS_1_0_0 || cid->version == 0;
}

/*
 * CIDs with a digest longer than we keep are well formed; nothing here can
 * have such a name, so that what is said of them is left out.
 */
static void parse_cid(struct rd *r, struct bytes in, struct cid *ret_cid,
                      bool *ret_skip)
{
    enum err err = cid_decode(in, ret_cid);

    *ret_skip = err == E_LIMIT || in.len > BS_WANT_CID_MAX;
    if (in.len == 0)
        rd_fail(r, E_MALFORMED);
    else if (err != OK && err != E_LIMIT)
        rd_fail(r, err);
}

static bool get_bool(struct rd *r, const struct pb_field *field)
{
    return pb_get_uint(r, field, UINT64_MAX) != 0;
}

/* Protobuf keeps the low 32 bits of what is sent as an int32. */
static int32_t get_int32(struct rd *r, const struct pb_field *field)
{
    uint32_t low = (uint32_t)(pb_get_uint(r, field, UINT64_MAX) & UINT32_MAX);
    int64_t value = low;

    return (int32_t)(low > INT32_MAX ? value - (INT64_C(1) << 32) : value);
}

static enum err parse_entry(struct bytes in, struct bs_entry *ret_entry,
                            bool *ret_skip)
{
    struct rd r = rd_init(in);
    struct pb_field field;
    struct bytes cid = BYTES_EMPTY;

    *ret_entry = (struct bs_entry){.priority = 0};
    while (pb_next(&r, &field)) {
        switch (field.number) {
        case ENTRY_CID:
            cid = pb_get_bytes(&r, &field, SIZE_MAX);
            break;
        case ENTRY_PRIORITY:
            ret_entry->priority = get_int32(&r, &field);
            break;
        case ENTRY_CANCEL:
            ret_entry->cancel = get_bool(&r, &field);
            break;
        case ENTRY_TYPE:
            ret_entry->want_have =
                pb_get_uint(&r, &field, UINT64_MAX) == TYPE_HAVE_WANTED;
            break;
        case ENTRY_SEND_DONT_HAVE:
            ret_entry->send_dont_have = get_bool(&r, &field);
            break;
        default:
            break;
        }
    }
    parse_cid(&r, cid, &ret_entry->cid, ret_skip);
    return rd_finish(&r);
}

static enum err parse_prefix(struct bytes in, struct bs_prefix *ret_prefix)
{
    struct rd r = rd_init(in);

    ret_prefix->version = rd_uvarint(&r);
    ret_prefix->codec = rd_uvarint(&r);
    ret_prefix->hash_code = rd_uvarint(&r);
    uint64_t len = rd_uvarint(&r);
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    if (ret_prefix->version > 1)
        return E_UNSUPPORTED;
    if (len > MULTIHASH_DIGEST_MAX)
        return E_LIMIT;
    ret_prefix->hash_len = (uint8_t)len;
    if (ret_prefix->version == 0 &&
        (ret_prefix->codec != CODEC_DAG_PB ||
         ret_prefix->hash_code != SHA2_256 || len != SHA2_256_BYTES))
        return E_MALFORMED;
    struct multihash hash = {.code = ret_prefix->hash_code,
                             .len = ret_prefix->hash_len};
    return multihash_is_allowed(&hash) ? OK : E_UNSUPPORTED;
}

static enum err parse_payload(struct bytes in, struct bs_item *ret_item)
{
    struct rd r = rd_init(in);
    struct pb_field field;
    struct bytes prefix = BYTES_EMPTY;

    ret_item->kind = BS_ITEM_BLOCK;
    ret_item->data = BYTES_EMPTY;
    while (pb_next(&r, &field)) {
        if (field.number == BLOCK_PREFIX)
            prefix = pb_get_bytes(&r, &field, SIZE_MAX);
        else if (field.number == BLOCK_DATA)
            ret_item->data = pb_get_bytes(&r, &field, BLOCK_BYTES_MAX);
    }
    enum err err = rd_finish(&r);
    return err != OK ? err : parse_prefix(prefix, &ret_item->prefix);
}

static enum err parse_presence(struct bytes in, struct bs_item *ret_item,
                               bool *ret_skip)
{
    struct rd r = rd_init(in);
    struct pb_field field;
    struct bytes cid = BYTES_EMPTY;
    uint64_t type = 0;

    while (pb_next(&r, &field)) {
        if (field.number == PRESENCE_CID)
            cid = pb_get_bytes(&r, &field, SIZE_MAX);
        else if (field.number == PRESENCE_TYPE)
            type = pb_get_uint(&r, &field, UINT64_MAX);
    }
    ret_item->kind = type == 0 ? BS_ITEM_HAVE : BS_ITEM_DONT_HAVE;
    parse_cid(&r, cid, &ret_item->cid, ret_skip);
    if (type > TYPE_DONT_HAVE)
        *ret_skip = true; /* a later version's: nothing that we understand */
    return rd_finish(&r);
}

/* What a field of the message or of its wantlist turned out to be. */
enum found {
    FOUND_NOTHING, /* no item, or the beginning of a wantlist */
    FOUND_SKIPPED, /* an item that the caller is not to see */
    FOUND_ITEM,
};

static enum found found_or_skipped(bool skip)
{
    return skip ? FOUND_SKIPPED : FOUND_ITEM;
}

static enum found read_in_wantlist(struct bs_cursor *c,
                                   const struct pb_field *field,
                                   struct bs_item *ret_item)
{
    bool skip = false;

    if (field->number == WANTLIST_FULL && get_bool(&c->wantlist, field))
        c->full = true;
    if (field->number != WANTLIST_ENTRIES)
        return FOUND_NOTHING;
    struct bytes in = pb_get_bytes(&c->wantlist, field, SIZE_MAX);
    ret_item->kind = BS_ITEM_ENTRY;
    enum err err = parse_entry(in, &ret_item->entry, &skip);
    if (err != OK)
        rd_fail(&c->wantlist, err);
    return found_or_skipped(skip);
}

static enum found read_in_message(struct bs_cursor *c,
                                  const struct pb_field *field,
                                  struct bs_item *ret_item)
{
    enum err err = OK;
    bool skip = false;
    enum found found = FOUND_NOTHING;

    switch (field->number) {
    case MESSAGE_WANTLIST:
        c->wantlist = rd_init(pb_get_bytes(&c->message, field, SIZE_MAX));
        break;
    case MESSAGE_BLOCKS:
        ret_item->kind = BS_ITEM_BLOCK;
        ret_item->prefix = (struct bs_prefix){.version = 0,
                                              .codec = CODEC_DAG_PB,
                                              .hash_code = SHA2_256,
                                              .hash_len = SHA2_256_BYTES};
        ret_item->data = pb_get_bytes(&c->message, field, BLOCK_BYTES_MAX);
        found = FOUND_ITEM;
        break;
    case MESSAGE_PAYLOAD:
        err =
            parse_payload(pb_get_bytes(&c->message, field, SIZE_MAX), ret_item);
        found = FOUND_ITEM;
        break;
    case MESSAGE_PRESENCES:
        err = parse_presence(pb_get_bytes(&c->message, field, SIZE_MAX),
                             ret_item, &skip);
        found = found_or_skipped(skip);
        break;
    case MESSAGE_PENDING:
        c->pending_bytes = pb_get_uint(&c->message, field, UINT64_MAX);
        break;
    default:
        break;
    }
    if (err != OK)
        rd_fail(&c->message, err);
    return found;
}

/* The next item or skipped item; FOUND_NOTHING at the end or a failure. */
static enum found step(struct bs_cursor *c, struct bs_item *ret_item)
{
    struct pb_field field;
    enum found found = FOUND_NOTHING;

    while (found == FOUND_NOTHING) {
        if (pb_next(&c->wantlist, &field))
            found = read_in_wantlist(c, &field, ret_item);
        else if (c->wantlist.err == OK && pb_next(&c->message, &field))
            found = read_in_message(c, &field, ret_item);
        else
            return FOUND_NOTHING;
        if (c->wantlist.err != OK)
            rd_fail(&c->message, c->wantlist.err);
        if (c->message.err != OK)
            return FOUND_NOTHING;
    }
    return found;
}

struct bs_cursor bs_cursor_init(const struct bs_message *message)
{
    return (struct bs_cursor){.message = rd_init(message->bytes),
                              .wantlist = rd_init(BYTES_EMPTY)};
}

bool bs_cursor_next(struct bs_cursor *cursor, struct bs_item *ret_item)
{
    enum found found = FOUND_SKIPPED;

    while (found == FOUND_SKIPPED)
        found = step(cursor, ret_item);
    return found == FOUND_ITEM;
}

static enum err count_item(struct bs_message *message, enum bs_item_kind kind)
{
    switch (kind) {
    case BS_ITEM_ENTRY:
        return ++message->entries_count > BS_ENTRIES_MAX ? E_LIMIT : OK;
    case BS_ITEM_BLOCK:
        return ++message->blocks_count > BS_BLOCKS_MAX ? E_LIMIT : OK;
    case BS_ITEM_HAVE:
    case BS_ITEM_DONT_HAVE:
        return ++message->presences_count > BS_PRESENCES_MAX ? E_LIMIT : OK;
    }
    return OK;
}

enum err bs_message_decode(struct bytes in, struct bs_message *ret_message)
{
    struct bs_message message = {.bytes = in};
    struct bs_item item;

    if (in.len > BS_MESSAGE_BYTES_MAX)
        return E_LIMIT;
    struct bs_cursor cursor = bs_cursor_init(&message);
    while (step(&cursor, &item) != FOUND_NOTHING) {
        enum err err = count_item(&message, item.kind);
        if (err != OK)
            return err;
    }
    enum err err = rd_finish(&cursor.message);
    if (err != OK)
        return err;
    message.full = cursor.full;
    message.pending_bytes = cursor.pending_bytes;
    *ret_message = message;
    return OK;
}

void bs_frame_free(struct bs_frame *frame)
{
    if (frame == NULL)
        return;
    for (size_t i = 0; i < frame->parts_count; i++)
        slice_release(&frame->parts[i]);
    mem_free(frame);
}

static struct bs_frame *frame_new(size_t parts_max)
{
    struct bs_frame *frame =
        mem_alloc(sizeof(*frame) + parts_max * sizeof(struct slice));

    frame->len = 0;
    frame->parts_count = 0;
    return frame;
}

static void frame_add(struct bs_frame *frame, struct slice part)
{
    frame->parts[frame->parts_count++] = part;
    frame->len += part.bytes.len;
}

static uint64_t wire_int32(int32_t value)
{
    return (uint64_t)(int64_t)value;
}

static size_t entry_len(const struct bs_entry *e)
{
    size_t len = pb_bytes_len(ENTRY_CID, cid_len(&e->cid));

    if (e->priority != 0)
        len += pb_uint_len(ENTRY_PRIORITY, wire_int32(e->priority));
    if (e->cancel)
        len += pb_uint_len(ENTRY_CANCEL, 1);
    if (e->want_have)
        len += pb_uint_len(ENTRY_TYPE, TYPE_HAVE_WANTED);
    if (e->send_dont_have)
        len += pb_uint_len(ENTRY_SEND_DONT_HAVE, 1);
    return len;
}

static void put_entry(struct wr *w, const struct bs_entry *e)
{
    pb_put_head(w, WANTLIST_ENTRIES, entry_len(e));
    pb_put_head(w, ENTRY_CID, cid_len(&e->cid));
    cid_write(w, &e->cid);
    if (e->priority != 0)
        pb_put_uint(w, ENTRY_PRIORITY, wire_int32(e->priority));
    if (e->cancel)
        pb_put_uint(w, ENTRY_CANCEL, 1);
    if (e->want_have)
        pb_put_uint(w, ENTRY_TYPE, TYPE_HAVE_WANTED);
    if (e->send_dont_have)
        pb_put_uint(w, ENTRY_SEND_DONT_HAVE, 1);
}

struct bs_frame *bs_wantlist_encode(const struct bs_entry *entries,
                                    size_t count, bool full)
{
    assert(count <= BS_SEND_ENTRIES_MAX);

    size_t list_len = full ? pb_uint_len(WANTLIST_FULL, 1) : 0;
    for (size_t i = 0; i < count; i++) {
        assert(!cid_is_identity(&entries[i].cid));
        list_len += pb_bytes_len(WANTLIST_ENTRIES, entry_len(&entries[i]));
    }
    size_t len = pb_bytes_len(MESSAGE_WANTLIST, list_len);
    struct buf *buf = buf_new(uvarint_len(len) + len);
    struct wr w = wr_init(buf->data, buf->max);
    wr_uvarint(&w, len);
    pb_put_head(&w, MESSAGE_WANTLIST, list_len);
    for (size_t i = 0; i < count; i++)
        put_entry(&w, &entries[i]);
    if (full)
        pb_put_uint(&w, WANTLIST_FULL, 1);
    assert(w.err == OK);
    buf->len = wr_len(&w);
    assert(buf->len == buf->max);

    struct bs_frame *frame = frame_new(1);
    frame_add(frame, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    return frame;
}

static size_t prefix_len(const struct cid *cid)
{
    return uvarint_len(cid->version) + uvarint_len(cid->codec) +
           uvarint_len(cid->hash.code) + uvarint_len(cid->hash.len);
}

static void put_prefix(struct wr *w, const struct cid *cid)
{
    wr_uvarint(w, cid->version);
    wr_uvarint(w, cid->codec);
    wr_uvarint(w, cid->hash.code);
    wr_uvarint(w, cid->hash.len);
}

static size_t payload_len(const struct bs_reply_item *item)
{
    return pb_bytes_len(BLOCK_PREFIX, prefix_len(&item->cid)) +
           pb_bytes_len(BLOCK_DATA, item->data.bytes.len);
}

static size_t presence_len(const struct bs_reply_item *item)
{
    size_t len = pb_bytes_len(PRESENCE_CID, cid_len(&item->cid));

    if (item->kind == BS_ITEM_DONT_HAVE)
        len += pb_uint_len(PRESENCE_TYPE, TYPE_DONT_HAVE);
    return len;
}

size_t bs_reply_item_len(const struct bs_reply_item *item,
                         enum bs_version version)
{
    assert(item->kind != BS_ITEM_ENTRY);

    if (item->kind != BS_ITEM_BLOCK)
        return pb_bytes_len(MESSAGE_PRESENCES, presence_len(item));
    if (version == BS_1_0_0)
        return pb_bytes_len(MESSAGE_BLOCKS, item->data.bytes.len);
    return pb_bytes_len(MESSAGE_PAYLOAD, payload_len(item));
}

/* All of the item but the bytes of a block. */
static void put_item_head(struct wr *w, const struct bs_reply_item *item,
                          enum bs_version version)
{
    if (item->kind != BS_ITEM_BLOCK) {
        assert(version == BS_1_2_0);
        pb_put_head(w, MESSAGE_PRESENCES, presence_len(item));
        pb_put_head(w, PRESENCE_CID, cid_len(&item->cid));
        cid_write(w, &item->cid);
        if (item->kind == BS_ITEM_DONT_HAVE)
            pb_put_uint(w, PRESENCE_TYPE, TYPE_DONT_HAVE);
        return;
    }
    assert(bs_version_can_send(version, &item->cid));
    if (version == BS_1_0_0) {
        pb_put_head(w, MESSAGE_BLOCKS, item->data.bytes.len);
        return;
    }
    pb_put_head(w, MESSAGE_PAYLOAD, payload_len(item));
    pb_put_head(w, BLOCK_PREFIX, prefix_len(&item->cid));
    put_prefix(w, &item->cid);
    pb_put_head(w, BLOCK_DATA, item->data.bytes.len);
}

/* Goes over a field that lies in @r wholly, or into the one that does not.
 * Return: its number in the second case. */
static uint32_t enter_field(struct rd *r)
{
    uint64_t tag = pb_varint(r);

    if ((tag & WIRE_MASK) != PB_BYTES) {
        (void)pb_varint(r); /* messages have no numbers of fixed length */
        return 0;
    }
    uint64_t len = pb_varint(r);
    if (len > rd_left(r))
        return (uint32_t)(tag >> WIRE_BITS);
    (void)rd_view(r, (size_t)len);
    return 0;
}

size_t bs_message_data_at(struct bytes head)
{
    struct rd r = rd_init(head);
    bool in_payload = false;

    while (rd_left(&r) > 0) {
        uint32_t number = enter_field(&r);
        uint32_t data = in_payload ? BLOCK_DATA : MESSAGE_BLOCKS;
        if (r.err == OK && number == data)
            return head.len - rd_left(&r);
        if (number != 0 && (in_payload || number != MESSAGE_PAYLOAD))
            return 0;
        in_payload = in_payload || number != 0;
    }
    return 0;
}

static bool is_piece(const struct bs_reply_item *item)
{
    return item->kind == BS_ITEM_BLOCK && item->data.bytes.len > BS_COPY_MAX;
}

/* What was written from @from on becomes a part of the frame. */
static size_t flush_heads(struct bs_frame *frame, struct buf *heads,
                          const struct wr *w, size_t from)
{
    size_t len = wr_len(w) - from;

    if (len > 0)
        frame_add(frame, slice_of(heads, (struct bytes){.p = heads->data + from,
                                                        .len = len}));
    return from + len;
}

struct bs_frame *bs_reply_encode(struct bs_reply_item *items, size_t count,
                                 enum bs_version version)
{
    assert(count > 0);
    assert(count <= BS_REPLY_ITEMS_MAX);

    size_t len = 0;
    size_t pieces = 0;
    size_t pieces_len = 0;
    for (size_t i = 0; i < count; i++) {
        len += bs_reply_item_len(&items[i], version);
        if (is_piece(&items[i])) {
            pieces++;
            pieces_len += items[i].data.bytes.len;
        }
    }
    assert(pieces <= BS_REPLY_PIECES_MAX);
    assert(len <= BS_MESSAGE_BYTES_MAX);

    struct bs_frame *frame = frame_new(2 * pieces + 1);
    struct buf *heads = buf_new(uvarint_len(len) + len - pieces_len);
    struct wr w = wr_init(heads->data, heads->max);
    size_t from = 0;
    wr_uvarint(&w, len);
    for (size_t i = 0; i < count; i++) {
        put_item_head(&w, &items[i], version);
        if (is_piece(&items[i])) {
            from = flush_heads(frame, heads, &w, from);
            frame_add(frame, items[i].data);
            continue;
        }
        if (items[i].kind == BS_ITEM_BLOCK)
            wr_bytes(&w, items[i].data.bytes);
        slice_release(&items[i].data);
    }
    (void)flush_heads(frame, heads, &w, from); /* nothing comes after it */
    assert(w.err == OK);
    heads->len = wr_len(&w);
    assert(heads->len == heads->max);
    buf_unref(heads);
    return frame;
}
