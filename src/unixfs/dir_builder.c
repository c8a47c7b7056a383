#include "unixfs/dir_builder.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "ipld/dag_pb.h"
#include "unixfs/hamt.h"
#include "unixfs/murmur3.h"
#include "unixfs/unixfs.h"

/*
 * Entries are kept as small items, their names and CIDs in one arena.  At the
 * end they are sorted once, by hash and then by name, which brings equal names
 * together and puts all entries of a shard side by side: a shard is a range of
 * items.  The shards are made with a stack of open ones, the root at its
 * bottom; a shard is closed when its range is used up.
 */

enum { ITEMS_ROOM_MIN = 16, ARENA_ROOM_MIN = 1024 };

struct dir_item {
    uint64_t hash;
    uint64_t tsize;
    size_t at; /* in the arena: the name, then the binary CID */
    uint16_t name_len;
    uint16_t cid_len;
};

/* A shard whose entries lie in the items from @next to @end. */
struct dir_shard {
    size_t next;
    size_t end;
    uint32_t bucket; /* in the shard above */
    uint64_t tsize;  /* of the links so far */
    uint8_t *links;  /* encoded links so far */
    size_t links_len;
    size_t links_room;
    uint8_t bitfield[UNIXFS_FANOUT_MAX / 8];
};

void dir_builder_init(struct dir_builder *b,
                      const struct import_profile *profile)
{
    assert(profile->dir_limit_bytes <= DIR_LIMIT_BYTES_MAX);
    assert(profile->hamt_fanout >= UNIXFS_FANOUT_MIN);
    assert(profile->hamt_fanout <= UNIXFS_FANOUT_MAX);

    const struct unixfs u = {.type = UNIXFS_DIRECTORY};
    *b = (struct dir_builder){.profile = *profile};
    b->block_estimate = dag_pb_data_len(unixfs_len(&u, NULL));
}

void dir_builder_release(struct dir_builder *b)
{
    for (size_t i = 0; i < b->shards_count; i++)
        mem_free(b->shards[i].links);
    mem_free(b->shards);
    mem_free(b->items);
    mem_free(b->arena);
    *b = (struct dir_builder){.state = DIR_DONE};
}

static struct bytes item_name(const struct dir_builder *b,
                              const struct dir_item *item)
{
    return (struct bytes){b->arena + item->at, item->name_len};
}

static struct cid item_cid(const struct dir_builder *b,
                           const struct dir_item *item)
{
    struct cid cid;
    enum err err = cid_decode(
        (struct bytes){b->arena + item->at + item->name_len, item->cid_len},
        &cid);

    assert(err == OK);
    return cid;
}

static enum err check_name(struct bytes name)
{
    if (name.len == 0 || memchr(name.p, '/', name.len) != NULL ||
        memchr(name.p, 0, name.len) != NULL)
        return E_MALFORMED;
    return name.len > DIR_NAME_BYTES_MAX ? E_LIMIT : OK;
}

/* Room for @need elements of @size bytes at @p, which has @room. */
static void *make_room(void *p, size_t size, size_t need, size_t *room)
{
    size_t more = *room;

    if (need <= more)
        return p;
    while (more < need)
        more *= 2;
    *room = more;
    return mem_resize(p, more, size);
}

enum err dir_builder_add(struct dir_builder *b, struct bytes name,
                         const struct dag_link *link)
{
    assert(b->state == DIR_ADDING);

    enum err err = check_name(name);
    if (err != OK)
        return err;
    if (b->items_count == DIR_ENTRIES_MAX ||
        b->arena_len > DIR_BYTES_MAX - DIR_NAME_BYTES_MAX - CID_BYTES_MAX)
        return E_LIMIT;
    if (b->items == NULL) {
        b->items_room = ITEMS_ROOM_MIN;
        b->items = mem_alloc(b->items_room * sizeof(*b->items));
        b->arena_room = ARENA_ROOM_MIN;
        b->arena = mem_alloc(b->arena_room);
    }
    b->items = make_room(b->items, sizeof(*b->items), b->items_count + 1,
                         &b->items_room);
    b->arena = make_room(b->arena, 1, b->arena_len + name.len + CID_BYTES_MAX,
                         &b->arena_room);
    uint8_t *at = b->arena + b->arena_len;
    memcpy(at, name.p, name.len);
    size_t len = cid_encode(&link->cid, at + name.len);
    b->items[b->items_count++] = (struct dir_item){
        .hash = murmur3_x64_64(name),
        .tsize = link->tsize,
        .at = b->arena_len,
        .name_len = (uint16_t)name.len,
        .cid_len = (uint16_t)len,
    };
    b->arena_len += name.len + len;
    b->links_estimate += name.len + len;
    b->block_estimate += dag_pb_link_len(&link->cid, name.len, link->tsize);
    return OK;
}

/* Order by hash, then by name: equal names come to stand side by side. */
static int cmp_hash(const struct dir_builder *b, const struct dir_item *x,
                    const struct dir_item *y)
{
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return bytes_cmp(item_name(b, x), item_name(b, y));
}

static int cmp_name(const struct dir_builder *b, const struct dir_item *x,
                    const struct dir_item *y)
{
    return bytes_cmp(item_name(b, x), item_name(b, y));
}

typedef int cmp_fn(const struct dir_builder *b, const struct dir_item *x,
                   const struct dir_item *y);

/* Merges the sorted runs that begin at @from and @mid and end at @to. */
static void merge(const struct dir_builder *b, struct dir_item *dst,
                  size_t from, size_t mid, size_t to, cmp_fn *cmp)
{
    size_t x = from;
    size_t y = mid;

    for (size_t at = from; at < to; at++) {
        bool take_x =
            x < mid && (y == to || cmp(b, &b->items[x], &b->items[y]) <= 0);
        dst[at] = take_x ? b->items[x++] : b->items[y++];
    }
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Merge sort, bottom up: n log n at worst, and no recursion. */
static void sort_items(struct dir_builder *b, cmp_fn *cmp)
{
    size_t count = b->items_count;
    struct dir_item *spare = mem_alloc(b->items_room * sizeof(*spare));

    for (size_t run = 1; run < count; run *= 2) {
        for (size_t from = 0; from < count; from += 2 * run) {
            size_t mid = min_size(from + run, count);
            merge(b, spare, from, mid, min_size(mid + run, count), cmp);
        }
        struct dir_item *sorted = spare;
        spare = b->items;
        b->items = sorted;
    }
    mem_free(spare);
}

static bool is_sharded(const struct dir_builder *b)
{
    uint64_t estimate = 0;

    switch (b->profile.dir_estimate) {
    case DIR_ESTIMATE_LINKS:
        estimate = b->links_estimate;
        break;
    case DIR_ESTIMATE_BLOCK:
        estimate = b->block_estimate;
        break;
    }
    return estimate > b->profile.dir_limit_bytes;
}

/* Looks for neighbours of equal hash, once the items are sorted by it. */
static enum err check_equal(struct dir_builder *b, bool sharded)
{
    /* Bits at the end that do not make a whole level tell nothing apart. */
    bool is_ambiguous = false;
    uint32_t unused = 64 % hamt_fanout_bits(b->profile.hamt_fanout);

    for (size_t i = 1; i < b->items_count; i++) {
        const struct dir_item *x = &b->items[i - 1];
        const struct dir_item *y = &b->items[i];
        if (x->hash == y->hash && bytes_eq(item_name(b, x), item_name(b, y))) {
            b->duplicate = i;
            return E_EXISTS;
        }
        if (sharded && x->hash >> unused == y->hash >> unused)
            is_ambiguous = true;
    }
    return is_ambiguous ? E_UNSUPPORTED : OK;
}

/* Opens the shard of the items from @next to @end below the innermost one. */
static void push_shard(struct dir_builder *b, size_t next, size_t end,
                       uint32_t bucket)
{
    struct dir_shard *s = &b->shards[b->shards_count++];

    *s = (struct dir_shard){.next = next, .end = end, .bucket = bucket};
}

enum err dir_builder_finish(struct dir_builder *b)
{
    assert(b->state == DIR_ADDING);

    bool sharded = is_sharded(b);
    sort_items(b, cmp_hash);
    enum err err = check_equal(b, sharded);
    if (err != OK)
        return err;
    if (!sharded) {
        sort_items(b, cmp_name);
        b->state = DIR_BASIC;
        return OK;
    }
    uint32_t bits = hamt_fanout_bits(b->profile.hamt_fanout);
    b->shards = mem_zalloc(64 / bits + 1, sizeof(*b->shards));
    push_shard(b, 0, b->items_count, 0);
    b->state = DIR_SHARDED;
    return OK;
}

struct bytes dir_builder_duplicate(const struct dir_builder *b)
{
    assert(b->duplicate > 0);

    return item_name(b, &b->items[b->duplicate]);
}

/* Makes the block of @buf, whose links have @tsize, and the link to it. */
static struct block *make_block(const struct import_profile *profile,
                                struct buf *buf, uint64_t tsize,
                                struct dag_link *ret_link)
{
    struct block *block =
        block_make(profile->cid_version, CODEC_DAG_PB,
                   (struct slice){.buf = buf, .bytes = buf_bytes(buf)});

    *ret_link = (struct dag_link){
        .cid = block->cid,
        .tsize = tsize + buf->len,
    };
    return block;
}

static enum err make_basic(struct dir_builder *b, struct block **ret_block)
{
    const struct unixfs u = {.type = UNIXFS_DIRECTORY};
    struct buf *buf = buf_new((size_t)b->block_estimate);
    struct wr w = wr_init(buf->data, buf->max);
    uint64_t tsize = 0;

    for (size_t i = 0; i < b->items_count; i++) {
        const struct dir_item *item = &b->items[i];
        struct cid cid = item_cid(b, item);
        dag_pb_put_link(&w, &cid, item_name(b, item), item->tsize);
        tsize += item->tsize;
    }
    dag_pb_put_data_head(&w, unixfs_len(&u, NULL));
    unixfs_put(&w, &u, NULL);
    assert(w.err == OK);
    assert(wr_len(&w) == buf->max);
    buf->len = buf->max;
    *ret_block = make_block(&b->profile, buf, tsize, &b->root);
    b->state = DIR_DONE;
    return OK;
}

/* Adds a link to shard @s: an entry, or a shard if @name is empty. */
static void add_link(struct dir_builder *b, struct dir_shard *s,
                     uint32_t bucket, struct bytes name,
                     const struct dag_link *link)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t full[HAMT_PREFIX_MAX + DIR_NAME_BYTES_MAX];
    size_t prefix_len = hamt_prefix_len(b->profile.hamt_fanout);

    for (size_t i = 0; i < prefix_len; i++)
        full[i] = (uint8_t)digits[bucket >> 4 * (prefix_len - 1 - i) & 15];
    if (name.len > 0)
        memcpy(full + prefix_len, name.p, name.len);
    struct bytes full_name = {full, prefix_len + name.len};
    size_t len = dag_pb_link_len(&link->cid, full_name.len, link->tsize);
    if (s->links == NULL) {
        s->links_room = ARENA_ROOM_MIN;
        s->links = mem_alloc(s->links_room);
    }
    s->links = make_room(s->links, 1, s->links_len + len, &s->links_room);
    struct wr w = wr_init(s->links + s->links_len, len);
    dag_pb_put_link(&w, &link->cid, full_name, link->tsize);
    assert(w.err == OK);
    s->links_len += len;
    s->tsize += link->tsize;
    s->bitfield[bucket / 8] |= (uint8_t)(1U << bucket % 8);
}

/* The bits as a number, most significant byte first, without leading zeros. */
static size_t bitfield_bytes(const struct dir_shard *s,
                             uint8_t out[static UNIXFS_FANOUT_MAX / 8])
{
    size_t len = sizeof(s->bitfield);

    while (len > 0 && s->bitfield[len - 1] == 0)
        len--;
    for (size_t i = 0; i < len; i++)
        out[i] = s->bitfield[len - 1 - i];
    return len;
}

/*
 * Makes the block of the innermost shard, which is complete, and links it to
 * the one above.
 */
static enum err close_shard(struct dir_builder *b, struct block **ret_block)
{
    struct dir_shard *s = &b->shards[b->shards_count - 1];
    uint8_t bits[UNIXFS_FANOUT_MAX / 8];
    const struct unixfs u = {
        .type = UNIXFS_HAMT,
        .has_data = true,
        .data = {bits, bitfield_bytes(s, bits)},
        .fanout = b->profile.hamt_fanout,
    };
    size_t message_len = unixfs_len(&u, NULL);
    size_t len = s->links_len + dag_pb_data_len(message_len);
    if (len > BLOCK_BYTES_MAX)
        return E_LIMIT;

    struct buf *buf = buf_new(len);
    struct wr w = wr_init(buf->data, buf->max);
    struct dag_link link;
    wr_bytes(&w, (struct bytes){s->links, s->links_len});
    dag_pb_put_data_head(&w, message_len);
    unixfs_put(&w, &u, NULL);
    assert(w.err == OK);
    assert(wr_len(&w) == len);
    buf->len = len;
    *ret_block = make_block(&b->profile, buf, s->tsize, &link);
    mem_free(s->links);
    uint32_t bucket = s->bucket;
    b->shards_count--;
    if (b->shards_count > 0) {
        add_link(b, &b->shards[b->shards_count - 1], bucket, BYTES_EMPTY,
                 &link);
    } else {
        b->root = link;
        b->state = DIR_DONE;
    }
    return OK;
}

static uint32_t bucket_of(const struct dir_builder *b, size_t item,
                          uint32_t depth)
{
    uint32_t bits = hamt_fanout_bits(b->profile.hamt_fanout);
    uint32_t bucket = 0;
    enum err err = hamt_bucket(b->items[item].hash, bits, depth, &bucket);

    assert(err == OK);
    return bucket;
}

/*
 * Puts the next bucket of the innermost shard in place: its one entry, or a
 * shard on top of the stack.
 */
static void open_bucket(struct dir_builder *b)
{
    struct dir_shard *s = &b->shards[b->shards_count - 1];
    uint32_t depth = (uint32_t)b->shards_count - 1;
    size_t first = s->next;
    uint32_t bucket = bucket_of(b, first, depth);
    size_t end = first + 1;

    while (end < s->end && bucket_of(b, end, depth) == bucket)
        end++;
    s->next = end;
    if (end - first > 1) {
        push_shard(b, first, end, bucket);
        return;
    }
    const struct dir_item *item = &b->items[first];
    const struct dag_link link = {
        .cid = item_cid(b, item),
        .tsize = item->tsize,
    };
    add_link(b, s, bucket, item_name(b, item), &link);
}

static enum err make_shard(struct dir_builder *b, struct block **ret_block)
{
    const struct dir_shard *s = &b->shards[b->shards_count - 1];

    while (s->next < s->end) {
        open_bucket(b);
        s = &b->shards[b->shards_count - 1];
    }
    return close_shard(b, ret_block);
}

enum err dir_builder_next(struct dir_builder *b, struct block **ret_block)
{
    switch (b->state) {
    case DIR_ADDING:
        assert(false);
        return E_NOTFOUND;
    case DIR_BASIC:
        return make_basic(b, ret_block);
    case DIR_SHARDED:
        return make_shard(b, ret_block);
    case DIR_DONE:
        return E_NOTFOUND;
    }
    return E_NOTFOUND;
}

struct dag_link dir_builder_root(const struct dir_builder *b)
{
    assert(b->state == DIR_DONE);

    return b->root;
}

enum err symlink_block(const struct import_profile *profile,
                       struct bytes target, struct block **ret_block,
                       struct dag_link *ret_link)
{
    const struct unixfs u = {
        .type = UNIXFS_SYMLINK,
        .has_data = true,
        .data = target,
    };

    if (target.len > UNIXFS_SYMLINK_BYTES_MAX)
        return E_LIMIT;
    if (target.len == 0 || memchr(target.p, 0, target.len) != NULL)
        return E_MALFORMED;
    size_t message_len = unixfs_len(&u, NULL);
    struct buf *buf = buf_new(dag_pb_data_len(message_len));
    struct wr w = wr_init(buf->data, buf->max);
    dag_pb_put_data_head(&w, message_len);
    unixfs_put(&w, &u, NULL);
    assert(w.err == OK);
    buf->len = wr_len(&w);
    *ret_block = make_block(profile, buf, 0, ret_link);
    return OK;
}
