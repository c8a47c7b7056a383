#include "unixfs/file_reader.h"

#include <assert.h>

#include "base/mem.h"
#include "ipld/block.h"
#include "unixfs/dag_node.h"

/*
 * The file is a list of items, in its order, which together stand for all of
 * it that has not been taken:
 *
 *   AGAIN   a block to be wanted: the root at first, and inner nodes that were
 *           given when too much was held and were let go
 *   WANTED  a block that is being fetched
 *   REST    an inner node, and the first of its children that is not an item
 *   PIECE   contents that have not been taken
 *
 * file_reader_want() turns the next child of a REST into a WANTED before it,
 * file_reader_on_block() turns a WANTED into a PIECE or a REST, or both.
 *
 * Invariants:
 *  1. No item is outside of the range, no REST is without children.
 *  2. cost is the sum of the costs of WANTED and PIECE items.  It passes
 *     lookahead_bytes_max only where nothing could go on otherwise.
 *  3. inner_ahead is the sum of the bytes, within the range, of the WANTED
 *     items that are surely inner nodes.
 *  4. held_bytes is the sum of the lengths of the blocks of REST items.
 *
 * A child that has more bytes than a block is surely an inner node.  These are
 * wanted as long as the children known to follow are fewer than the lookahead,
 * so that the next ones are there when the present one has been used up.
 */

enum item_state { ITEM_AGAIN, ITEM_WANTED, ITEM_REST, ITEM_PIECE };

struct file_item {
    enum item_state state;
    bool is_root;          /* its size is not known */
    bool is_inner;         /* surely */
    uint32_t depth;        /* 0: the root */
    struct list order;     /* in items */
    struct list place;     /* in rests, ready or again */
    struct map_node by_id; /* in wanted */
    uint64_t id;
    struct cid cid;
    uint64_t offset; /* in the file */
    uint64_t size;   /* as the parent claims */
    uint64_t cost;   /* counted in cost of the reader */

    /* Of a REST: its block, and the child at hand and what is after it. */
    struct block *block;
    struct dag_pb pb;
    struct unixfs_sizes sizes;
    struct cid child_cid;
    uint64_t child_offset;
    uint64_t child_size;

    struct slice slice; /* of a PIECE */
};

/* Bytes of padding in a block from where a piece of it is worth a copy. */
enum { PIECE_WASTE_MAX = 4 * 1024 };

/* Inner nodes are let go when more than this is held, beside lookahead. */
enum { HELD_SPARE_BYTES = 8 * BLOCK_BYTES_MAX };

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Bytes of the @size from @offset that are within the range. */
static uint64_t clip(const struct file_reader *r, uint64_t offset,
                     uint64_t size)
{
    uint64_t from = max_u64(offset, r->config.offset);
    uint64_t to = min_u64(offset + size, r->end);

    return from < to ? to - from : 0;
}

static struct file_item *new_item(enum item_state state, uint32_t depth,
                                  uint64_t offset, uint64_t size)
{
    struct file_item *item = mem_zalloc(1, sizeof(*item));

    item->state = state;
    item->depth = depth;
    item->offset = offset;
    item->size = size;
    list_init(&item->order);
    list_init(&item->place);
    return item;
}

static void free_item(struct file_item *item)
{
    list_remove(&item->order);
    list_remove(&item->place);
    block_unref(item->block);
    slice_release(&item->slice);
    mem_free(item);
}

static struct file_item *at_order(struct list *link)
{
    return container_of(link, struct file_item, order);
}

static struct file_item *at_place(struct list *link)
{
    return container_of(link, struct file_item, place);
}

void file_reader_init(struct file_reader *r,
                      const struct file_reader_config *config,
                      const struct cid *root)
{
    static const uint8_t seed[16] = {0}; /* the keys are our own */
    assert(config->lookahead_bytes_max > 0);

    *r = (struct file_reader){.config = *config};
    r->end = add_saturated(config->offset, config->length);
    list_init(&r->items);
    list_init(&r->rests);
    list_init(&r->ready);
    list_init(&r->again);
    map_init(&r->wanted, seed);
    struct file_item *item = new_item(ITEM_AGAIN, 0, 0, 0);
    item->is_root = true;
    item->cid = *root;
    list_add_tail(&r->items, &item->order);
    list_add_tail(&r->again, &item->place);
}

void file_reader_release(struct file_reader *r)
{
    list_for_each_safe (it, &r->items) {
        free_item(at_order(it));
    }
    map_release(&r->wanted);
    r->failed = r->failed == OK ? E_CANCELED : r->failed;
}

static enum err fail(struct file_reader *r, enum err err, const char *fault)
{
    r->failed = err;
    r->fault = fault;
    return err;
}

/* True when @cost more may be wanted for what is at @item. */
static bool may_want(const struct file_reader *r, const struct file_item *item,
                     uint64_t cost)
{
    uint64_t max = r->config.lookahead_bytes_max;

    if (r->cost == 0 || (cost <= max && r->cost <= max - cost))
        return true;
    /* All that is counted comes after @item and may be waiting for it. */
    return list_first(&r->items) == &item->order;
}

static uint64_t want_cost(const struct file_item *item)
{
    if (item->is_root || item->is_inner)
        return FILE_READER_INNER_COST;
    return max_u64(item->size, FILE_READER_COST_MIN);
}

static void put_want(struct file_reader *r, struct file_item *item,
                     struct file_want *ret_want)
{
    item->state = ITEM_WANTED;
    item->id = r->next_id++;
    item->cost = want_cost(item);
    r->cost += item->cost;
    if (item->is_inner)
        r->inner_ahead += clip(r, item->offset, item->size);
    map_put(&r->wanted, &item->by_id,
            (struct bytes){(const uint8_t *)&item->id, sizeof(item->id)});
    *ret_want = (struct file_want){
        .id = item->id,
        .cid = item->cid,
        .size_hint = item->is_root || item->is_inner ? FILE_READER_INNER_COST
                                                     : item->size,
    };
}

/*
 * Moves to the first child that is within the range, from the links that are
 * left.  Return: false when there is none.
 */
static bool next_child(const struct file_reader *r, struct file_item *rest)
{
    struct dag_pb_link link;
    uint64_t size = 0;

    while (rest->child_offset < r->end && dag_pb_link_next(&rest->pb, &link)) {
        bool has_size = unixfs_sizes_next(&rest->sizes, &size);
        assert(has_size);
        uint64_t offset = rest->child_offset;
        rest->child_offset += size;
        bool is_here =
            size == 0 ? offset >= r->config.offset : clip(r, offset, size) > 0;
        if (!is_here)
            continue;
        rest->child_cid = link.cid;
        rest->child_size = size;
        return true;
    }
    return false;
}

static bool child_is_inner(const struct file_item *rest)
{
    return rest->child_size > BLOCK_BYTES_MAX;
}

/* Bytes of @rest, within the range, that are no items yet. */
static uint64_t rest_bytes(const struct file_reader *r,
                           const struct file_item *rest)
{
    uint64_t from = rest->child_offset - rest->child_size;

    return clip(r, from, rest->offset + rest->size - from);
}

/* The inner node whose child, also an inner node, is to be wanted now. */
static struct file_item *find_inner(struct file_reader *r)
{
    uint64_t ahead = r->inner_ahead;

    list_for_each (it, &r->rests) {
        struct file_item *rest = at_place(it);
        if (ahead >= r->config.lookahead_bytes_max)
            return NULL;
        if (child_is_inner(rest))
            return rest;
        ahead += rest_bytes(r, rest);
    }
    return NULL;
}

/* The inner node whose child is to be wanted now, as far as the budget goes. */
static struct file_item *find_leaf(struct file_reader *r)
{
    if (list_empty(&r->rests))
        return NULL;
    struct file_item *rest = at_place(list_first(&r->rests));
    uint64_t cost = max_u64(rest->child_size, FILE_READER_COST_MIN);
    return !child_is_inner(rest) && may_want(r, rest, cost) ? rest : NULL;
}

static void free_rest(struct file_reader *r, struct file_item *rest)
{
    r->held_bytes -= rest->block->data.bytes.len;
    free_item(rest);
}

/* Makes the child at hand of @rest an item, before it. */
static struct file_item *take_child(struct file_reader *r,
                                    struct file_item *rest)
{
    struct file_item *item =
        new_item(ITEM_AGAIN, rest->depth + 1,
                 rest->child_offset - rest->child_size, rest->child_size);

    item->cid = rest->child_cid;
    item->is_inner = child_is_inner(rest);
    list_add_tail(&rest->order, &item->order);
    if (!next_child(r, rest))
        free_rest(r, rest);
    return item;
}

static uint64_t held_max(const struct file_reader *r)
{
    return add_saturated(r->config.lookahead_bytes_max, HELD_SPARE_BYTES);
}

/* The first block that was let go, if there is room for it by now. */
static struct file_item *find_again(struct file_reader *r)
{
    if (list_empty(&r->again))
        return NULL;
    struct file_item *item = at_place(list_first(&r->again));
    bool is_first = list_first(&r->items) == &item->order;
    bool has_room = r->held_bytes <= held_max(r) / 2;
    if (!is_first && !has_room)
        return NULL;
    return may_want(r, item, want_cost(item)) ? item : NULL;
}

/* True when something before @rest must be wanted again first. */
static bool is_after_again(const struct file_reader *r,
                           const struct file_item *rest)
{
    if (list_empty(&r->again))
        return false;
    const struct file_item *again = at_place(list_first(&r->again));
    return rest->offset + rest->size > again->offset;
}

bool file_reader_want(struct file_reader *r, struct file_want *ret_want)
{
    if (r->failed != OK)
        return false;
    struct file_item *item = find_again(r);
    if (item != NULL) {
        list_remove(&item->place);
        put_want(r, item, ret_want);
        return true;
    }
    struct file_item *rest = find_inner(r);
    if (rest == NULL)
        rest = find_leaf(r);
    if (rest == NULL || is_after_again(r, rest))
        return false;
    put_want(r, take_child(r, rest), ret_want);
    return true;
}

/*
 * Makes @item a PIECE of the @contents, which are in @b.  Return: false, and
 * the item is no more, when none of it is within the range.
 */
static bool make_piece(struct file_reader *r, struct file_item *item,
                       struct block *b, struct bytes contents)
{
    uint64_t len = clip(r, item->offset, contents.len);

    if (len == 0) {
        free_item(item);
        return false;
    }
    uint64_t from = max_u64(item->offset, r->config.offset) - item->offset;
    struct bytes view = bytes_sub(contents, (size_t)from, (size_t)len);
    if (b->data.bytes.len - contents.len > PIECE_WASTE_MAX) {
        struct buf *copy = buf_copy(view);
        item->slice = (struct slice){.buf = copy, .bytes = buf_bytes(copy)};
    } else {
        item->slice = slice_ref(&b->data);
        item->slice.bytes = view;
    }
    item->state = ITEM_PIECE;
    item->offset += from;
    item->size = len;
    item->cost = max_u64(len, FILE_READER_COST_MIN);
    r->cost += item->cost;
    if (!r->config.ordered)
        list_add_tail(&r->ready, &item->place);
    return true;
}

/* Puts @item into @head, before those that come later in the file. */
static void place_item(struct list *head, struct file_item *item)
{
    struct list *before = head->next;

    while (before != head) {
        const struct file_item *other = at_place(before);
        if (other->offset + other->size > item->offset)
            break;
        before = before->next;
    }
    list_add_tail(before, &item->place);
}

/* True when @b must be let go, and be wanted again later. */
static bool is_too_much(const struct file_reader *r,
                        const struct file_item *item, const struct block *b)
{
    uint64_t max = held_max(r);

    if (list_first(&r->items) == &item->order)
        return false; /* nothing goes on without it */
    return r->held_bytes > max || b->data.bytes.len > max - r->held_bytes;
}

static enum err on_inner(struct file_reader *r, struct file_item *item,
                         struct block *b, const struct dag_node *n)
{
    if (n->file_bytes == 0)
        return fail(r, E_MALFORMED, "an inner node has no contents");
    if (item->depth == FILE_READER_DEPTH_MAX)
        return fail(r, E_LIMIT, "the file has more than 64 levels");
    if (is_too_much(r, item, b)) {
        item->state = ITEM_AGAIN;
        place_item(&r->again, item);
        return OK;
    }
    if (n->contents.len > 0) {
        struct file_item *inlined =
            new_item(ITEM_PIECE, item->depth, item->offset, 0);
        list_add_tail(&item->order, &inlined->order);
        (void)make_piece(r, inlined, b, n->contents); /* freed if empty */
    }
    item->state = ITEM_REST;
    item->pb = n->pb;
    item->sizes = unixfs_sizes_init(n->pb.data);
    item->child_offset = item->offset + n->contents.len;
    if (!next_child(r, item)) {
        free_item(item);
        return OK;
    }
    item->block = block_ref(b);
    r->held_bytes += b->data.bytes.len;
    place_item(&r->rests, item);
    return OK;
}

static enum err check_node(struct file_reader *r, struct file_item *item,
                           struct block *b, struct dag_node *ret_node)
{
    enum err err = dag_node_open(b, ret_node);

    if (err != OK)
        return fail(r, err, "a block is malformed, or its sizes do not agree");
    if (ret_node->type != NODE_FILE && item->is_root)
        return fail(r, E_UNSUPPORTED, "this is no file");
    if (ret_node->type != NODE_FILE)
        return fail(r, E_MALFORMED, "a part of the file is no file");
    if (!item->is_root && ret_node->file_bytes != item->size)
        return fail(r, E_MALFORMED,
                    "a part does not have the size that its parent claims");
    if (ret_node->file_bytes > INT64_MAX)
        return fail(r, E_LIMIT, "the file is larger than any can be");
    if (item->is_root) {
        item->size = ret_node->file_bytes;
        r->size = item->size;
        r->has_size = true;
        r->end = min_u64(r->end, r->size);
    }
    return OK;
}

enum err file_reader_on_block(struct file_reader *r, uint64_t id,
                              struct block *b)
{
    struct dag_node n;

    if (r->failed != OK)
        return r->failed;
    struct map_node *found =
        map_get(&r->wanted, (struct bytes){(const uint8_t *)&id, sizeof(id)});
    assert(found != NULL);
    struct file_item *item = container_of(found, struct file_item, by_id);
    assert(item->cid.codec == b->cid.codec);
    assert(multihash_eq(&item->cid.hash, &b->cid.hash));

    map_remove(&r->wanted, found);
    r->cost -= item->cost;
    if (item->is_inner)
        r->inner_ahead -= clip(r, item->offset, item->size);
    enum err err = check_node(r, item, b, &n);
    if (err != OK)
        return err;
    if (n.pb.links_count > 0)
        return on_inner(r, item, b, &n);
    (void)make_piece(r, item, b, n.contents); /* freed if empty */
    return OK;
}

/* The piece to take now, or NULL. */
static struct file_item *find_piece(struct file_reader *r)
{
    if (!r->config.ordered)
        return list_empty(&r->ready) ? NULL : at_place(list_first(&r->ready));
    if (list_empty(&r->items))
        return NULL;
    struct file_item *first = at_order(list_first(&r->items));
    return first->state == ITEM_PIECE ? first : NULL;
}

bool file_reader_next(struct file_reader *r, struct file_out *ret_out)
{
    if (r->failed != OK)
        return false;
    struct file_item *item = find_piece(r);
    if (item != NULL) {
        *ret_out = (struct file_out){
            .kind = FILE_PIECE,
            .offset = item->offset,
            .slice = item->slice,
        };
        item->slice = (struct slice){.buf = NULL, .bytes = BYTES_EMPTY};
        r->cost -= item->cost;
        free_item(item);
        return true;
    }
    if (r->ended || !list_empty(&r->items))
        return false;
    r->ended = true;
    *ret_out = (struct file_out){.kind = FILE_END, .size = r->size};
    return true;
}

enum err file_reader_size(const struct file_reader *r, uint64_t *ret_size)
{
    if (!r->has_size)
        return E_AGAIN;
    *ret_size = r->size;
    return OK;
}

const char *file_reader_fault(const struct file_reader *r)
{
    return r->fault;
}
