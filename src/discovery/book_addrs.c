#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "discovery/book_priv.h"

/*
 * The addresses of a peer are packed: flags (1 byte), length (1 byte), bytes;
 * the best first.
 */

enum { MERGE_MAX = 2 * BOOK_ADDRS_MAX, HEAD_BYTES = 2 };

/* struct item - one address while a list is made anew. */
struct item {
    uint8_t flags;
    struct bytes bytes;
};

bool book_addr_clean(const struct peer_id *peer, struct multiaddr *addr)
{
    struct peer_id end;
    while (multiaddr_get_peer(addr, &end) == OK) {
        if (!peer_id_eq(&end, peer))
            return false;
        multiaddr_strip_peer(addr);
    }
    return addr->len > 0 && addr->len <= BOOK_ADDR_BYTES_MAX &&
           reach_is_dialable(addr);
}

static bool next_item(struct rd *r, struct item *ret_item)
{
    if (rd_left(r) == 0)
        return false;
    ret_item->flags = rd_u8(r);
    ret_item->bytes = rd_view(r, rd_u8(r));
    return r->err == OK;
}

static struct rd packed(const struct book_peer *p)
{
    return rd_init((struct bytes){.p = p->addrs, .len = p->addrs_len});
}

size_t book_addrs(const struct book_peer *p,
                  struct multiaddr dst[static BOOK_ADDRS_MAX])
{
    struct rd r = packed(p);
    struct item item;
    size_t count = 0;
    while (count < BOOK_ADDRS_MAX && next_item(&r, &item)) {
        if (multiaddr_decode(item.bytes, &dst[count]) == OK)
            count++;
    }
    return count;
}

bool book_addrs_check(const struct book_peer *p)
{
    struct rd r = packed(p);
    struct item item;
    struct multiaddr addr;
    size_t count = 0;
    while (next_item(&r, &item)) {
        if (multiaddr_decode(item.bytes, &addr) != OK ||
            !book_addr_clean(&p->id, &addr) || addr.len != item.bytes.len)
            return false;
        count++;
    }
    return rd_finish(&r) == OK && count == p->addr_count &&
           count <= BOOK_ADDRS_MAX;
}

/* Adds @item behind @count others, or its flags to the same address. */
static size_t add_item(struct item items[static MERGE_MAX], size_t count,
                       struct item item)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_eq(items[i].bytes, item.bytes)) {
            items[i].flags |= item.flags;
            return count;
        }
    }
    if (count < MERGE_MAX)
        items[count++] = item;
    return count;
}

/* What worked is first, then what a user gave, then what the peer says. */
static unsigned rank(uint8_t flags)
{
    if ((flags & ADDR_WORKED) != 0)
        return 0;
    if ((flags & ADDR_MANUAL) != 0)
        return 1;
    return (flags & ADDR_RECORD) != 0 ? 2 : 3;
}

static void sort(struct item *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct item item = items[i];
        size_t at = i;
        while (at > 0 && rank(items[at - 1].flags) > rank(item.flags)) {
            items[at] = items[at - 1];
            at--;
        }
        items[at] = item;
    }
}

static void pack(struct book_peer *p, const struct item *items, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += HEAD_BYTES + items[i].bytes.len;
    uint8_t *bytes = mem_alloc(len);
    struct wr w = wr_init(bytes, len);
    for (size_t i = 0; i < count; i++) {
        wr_u8(&w, items[i].flags);
        wr_u8(&w, (uint8_t)items[i].bytes.len);
        wr_bytes(&w, items[i].bytes);
    }
    mem_free(p->addrs);
    p->addrs = bytes;
    p->addrs_len = (uint16_t)len;
    p->addr_count = (uint8_t)count;
}

void book_addrs_merge(struct book_peer *p, const struct multiaddr *addrs,
                      size_t count, uint8_t flags, uint8_t drop)
{
    struct item items[MERGE_MAX];
    struct item item;
    size_t kept = 0;

    for (size_t i = 0; i < count && i < BOOK_ADDRS_MAX; i++) {
        item =
            (struct item){.flags = flags, .bytes = multiaddr_bytes(&addrs[i])};
        kept = add_item(items, kept, item);
    }
    struct rd r = packed(p);
    while (next_item(&r, &item)) {
        bool had = item.flags != 0;
        item.flags &= (uint8_t)~drop;
        if (!had || item.flags != 0)
            kept = add_item(items, kept, item);
    }
    sort(items, kept);
    pack(p, items, kept < BOOK_ADDRS_MAX ? kept : BOOK_ADDRS_MAX);
}
