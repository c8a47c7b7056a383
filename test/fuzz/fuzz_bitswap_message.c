/*
 * Goal: no message crashes the decoder, and what is said again means the same:
 * decode(encode(decode(x))) == decode(x), for wantlists and for answers.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/message.h"

enum { ITEMS_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct buf *flatten(const struct bs_frame *frame)
{
    struct buf *all = buf_new(frame->len);
    for (size_t i = 0; i < frame->parts_count; i++) {
        struct bytes part = frame->parts[i].bytes;
        memcpy(all->data + all->len, part.p, part.len);
        all->len += part.len;
    }
    return all;
}

/* Reads the frame back, and frees it. */
static struct buf *again(struct bs_frame *frame, struct bs_message *ret_message)
{
    struct buf *all = flatten(frame);
    struct rd r = rd_init(buf_bytes(all));
    uint64_t len = rd_uvarint(&r);
    assert(len == rd_left(&r));
    enum err err = bs_message_decode(rd_rest(&r), ret_message);
    assert(err == OK);
    bs_frame_free(frame);
    return all;
}

static void check_entries(const struct bs_entry *entries, size_t count,
                          bool full)
{
    struct bs_message message;
    struct bs_item item;
    struct buf *buf = again(bs_wantlist_encode(entries, count, full), &message);
    struct bs_cursor c = bs_cursor_init(&message);
    assert(message.full == full);
    for (size_t i = 0; i < count; i++) {
        bool more = bs_cursor_next(&c, &item);
        assert(more);
        assert(item.kind == BS_ITEM_ENTRY);
        assert(cid_eq(&item.entry.cid, &entries[i].cid));
        assert(item.entry.priority == entries[i].priority);
        assert(item.entry.cancel == entries[i].cancel);
        assert(item.entry.want_have == entries[i].want_have);
        assert(item.entry.send_dont_have == entries[i].send_dont_have);
    }
    buf_unref(buf);
}

/* The digest of a block is not on the wire: any will do. */
static struct bs_reply_item reply_of(const struct bs_item *item)
{
    static const uint8_t digest[MULTIHASH_DIGEST_MAX];
    struct bs_reply_item reply = {.kind = item->kind, .cid = item->cid};

    if (item->kind != BS_ITEM_BLOCK)
        return reply;
    enum err err = bs_prefix_cid(
        &item->prefix, (struct bytes){.p = digest, .len = sizeof(digest)},
        &reply.cid);
    assert(err == OK);
    struct buf *b = buf_copy(item->data);
    reply.data = (struct slice){.buf = b, .bytes = buf_bytes(b)};
    return reply;
}

static void check_replies(const struct bs_item *items, size_t count)
{
    struct bs_reply_item replies[ITEMS_MAX];
    struct bs_message message;
    struct bs_item item;

    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        replies[i] = reply_of(&items[i]);
    struct buf *buf =
        again(bs_reply_encode(replies, count, BS_1_2_0), &message);
    struct bs_cursor c = bs_cursor_init(&message);
    for (size_t i = 0; i < count; i++) {
        bool more = bs_cursor_next(&c, &item);
        assert(more);
        assert(item.kind == items[i].kind);
        if (item.kind != BS_ITEM_BLOCK) {
            assert(cid_eq(&item.cid, &items[i].cid));
            continue;
        }
        assert(bs_prefix_eq(&item.prefix, &items[i].prefix));
        assert(bytes_eq(item.data, items[i].data));
    }
    buf_unref(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct bs_entry entries[ITEMS_MAX];
    static struct bs_item replies[ITEMS_MAX];
    struct bs_message message;
    struct bs_item item;
    size_t entries_count = 0;
    size_t replies_count = 0;

    if (bs_message_decode((struct bytes){.p = data, .len = len}, &message) !=
        OK)
        return 0;
    struct bs_cursor c = bs_cursor_init(&message);
    size_t seen = 0;
    while (bs_cursor_next(&c, &item)) {
        seen++;
        if (item.kind != BS_ITEM_ENTRY) {
            if (replies_count < ITEMS_MAX)
                replies[replies_count++] = item;
        } else if (entries_count < ITEMS_MAX &&
                   !cid_is_identity(&item.entry.cid)) {
            entries[entries_count++] = item.entry;
        }
    }
    assert(c.message.err == OK);
    assert(seen <= message.entries_count + message.blocks_count +
                       message.presences_count);
    check_entries(entries, entries_count, message.full);
    check_replies(replies, replies_count);
    return 0;
}
