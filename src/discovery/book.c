#include "discovery/book.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "discovery/book_priv.h"

enum {
    SIDE = 32, /* rows, and columns, of the buckets of new peers */
    ROWS_PER_SOURCE = 4,
    BUCKETS = BOOK_NEW_BUCKETS + BOOK_TRIED_BUCKETS,
    REACHED_WORTH = 50, /* in points of quality */
    FAILURE_COST = 10,
    SILENCE_COST = 20,
    SILENCE_S = 24 * 60 * 60,
    DEAD_FAILURES = 3, /* of one that was good: one dial may be bad luck */
};

_Static_assert((int)BOOK_ANCHORS_MAX < (int)BOOK_NEW_SIZE, "not all anchors");
_Static_assert((int)SIDE *SIDE == (int)BOOK_NEW_BUCKETS, "rows and columns");

void book_init(struct book *b, const struct book_config *config)
{
    memset(b, 0, sizeof(*b));
    b->peers_max = config->peers_max;
    if (b->peers_max == 0 || b->peers_max > BOOK_PEERS_MAX)
        b->peers_max = BOOK_PEERS_MAX;
    map_init(&b->peers, config->seed);
    memcpy(b->salt, config->seed, sizeof(b->salt));
    b->salt_dirty = true;
    list_init(&b->dirty);
    list_init(&b->removed);
}

static struct book_peer *peer_of(struct map_node *node)
{
    return node == NULL ? NULL : container_of(node, struct book_peer, node);
}

void book_release(struct book *b)
{
    struct book_peer *p;
    while ((p = peer_of(map_first(&b->peers))) != NULL) {
        p->is_stored = false;
        book_peer_free(b, p);
    }
    map_release(&b->peers);
    list_for_each_safe (it, &b->removed) {
        list_remove(it);
        mem_free(container_of(it, struct book_gone, link));
    }
    for (size_t i = 0; b->buckets != NULL && i < BUCKETS; i++)
        mem_free(b->buckets[i]);
    mem_free(b->buckets);
    b->buckets = NULL;
}

struct book_peer *book_find(const struct book *b, const struct peer_id *id)
{
    return peer_of(map_get(&b->peers, peer_id_bytes(id)));
}

struct book_peer *book_next(const struct book *b, const struct book_peer *after)
{
    return peer_of(after == NULL ? map_first(&b->peers)
                                 : map_next(&b->peers, &after->node));
}

struct bytes book_operator(const struct book_peer *p)
{
    return (struct bytes){.p = p->record, .len = p->operator_len};
}

struct bytes book_record(const struct book_peer *p)
{
    if (p->record_len == 0)
        return BYTES_EMPTY;
    return (struct bytes){.p = p->record + p->operator_len,
                          .len = p->record_len};
}

static void touch(struct book *b, struct book_peer *p)
{
    if (list_empty(&p->dirty))
        list_add_tail(&b->dirty, &p->dirty);
}

struct book_peer *book_peer_new(struct book *b, const struct peer_id *id)
{
    struct book_peer *p = mem_zalloc(1, sizeof(*p));
    p->id = *id;
    p->table = TABLE_NONE;
    list_init(&p->bucket);
    list_init(&p->dirty);
    map_put(&b->peers, &p->node, peer_id_bytes(&p->id));
    return p;
}

/* It lies nowhere then. */
static void take_out(struct book *b, struct book_peer *p)
{
    if (p->table == TABLE_NONE)
        return;
    struct book_bucket *bucket = b->buckets[p->bucket_index];
    list_remove(&p->bucket);
    bucket->count--;
    b->tried_count -= p->table == TABLE_TRIED;
    p->table = TABLE_NONE;
    if (bucket->count > 0)
        return;
    b->buckets[p->bucket_index] = NULL;
    mem_free(bucket);
}

void book_peer_free(struct book *b, struct book_peer *p)
{
    take_out(b, p);
    if (p->is_stored) {
        struct book_gone *g = mem_zalloc(1, sizeof(*g));
        g->id = p->id;
        list_add_tail(&b->removed, &g->link);
    }
    b->manual_count -= p->manual ? 1 : 0;
    b->anchor_count -= p->anchor ? 1 : 0;
    b->records_bytes -= p->record_len;
    map_remove(&b->peers, &p->node);
    list_remove(&p->dirty);
    mem_free(p->addrs);
    mem_free(p->record);
    mem_free(p);
}

void book_drop_record(struct book *b, struct book_peer *p)
{
    book_set_record_bytes(b, p, BYTES_EMPTY, BYTES_EMPTY);
    touch(b, p);
}

void book_remove(struct book *b, struct book_peer *p)
{
    book_peer_free(b, p);
}

/* Buckets. ----------------------------------------------------------------- */

static uint64_t mix(const struct book *b, uint8_t tag, uint64_t x, uint64_t y)
{
    uint8_t bytes[17];
    struct wr w = wr_init(bytes, sizeof(bytes));
    wr_u8(&w, tag);
    wr_be64(&w, x);
    wr_be64(&w, y);
    return siphash13(b->salt, (struct bytes){.p = bytes, .len = sizeof(bytes)});
}

static uint16_t new_index(const struct book *b, const struct book_peer *p)
{
    uint64_t lane = mix(b, 'l', p->source_group, p->group) % ROWS_PER_SOURCE;
    uint64_t row = mix(b, 'r', p->source_group, lane) % SIDE;
    uint64_t column = mix(b, 'c', p->group, 0) % SIDE;
    return (uint16_t)(row * SIDE + column);
}

static uint16_t tried_index(const struct book *b, const struct book_peer *p)
{
    uint64_t id = siphash13(b->salt, peer_id_bytes(&p->id));
    uint64_t lane = id % BOOK_TRIED_PER_GROUP;
    return (uint16_t)(BOOK_NEW_BUCKETS +
                      mix(b, 't', p->group, lane) % BOOK_TRIED_BUCKETS);
}

static struct book_bucket *bucket_at(struct book *b, uint16_t index)
{
    if (b->buckets == NULL)
        b->buckets = mem_zalloc(BUCKETS, sizeof(struct book_bucket *));
    if (b->buckets[index] == NULL) {
        b->buckets[index] = mem_zalloc(1, sizeof(struct book_bucket));
        list_init(&b->buckets[index]->peers);
    }
    return b->buckets[index];
}

static void put_in(struct book *b, struct book_peer *p, uint16_t index)
{
    struct book_bucket *bucket = bucket_at(b, index);
    list_add_tail(&bucket->peers, &p->bucket);
    bucket->count++;
    p->bucket_index = index;
    p->table = index < BOOK_NEW_BUCKETS ? TABLE_NEW : TABLE_TRIED;
    b->tried_count += p->table == TABLE_TRIED;
}

/* What a peer is worth keeping for; an anchor is above all. */
static uint32_t worth(const struct book_peer *p, uint64_t unix_s)
{
    uint32_t value = quality_score(&p->quality, unix_s);
    uint32_t cost = p->failures * FAILURE_COST;
    if (p->anchor)
        return UINT32_MAX;
    if (book_is_dead(p, unix_s))
        return 0;
    if (book_since(p->heard_s, unix_s) > SILENCE_S && p->seen_s == 0)
        cost += SILENCE_COST;
    value += p->reached ? REACHED_WORTH : 0;
    return value > cost ? value - cost : 0;
}

static struct book_peer *worst_in(const struct book_bucket *bucket,
                                  uint64_t unix_s)
{
    struct book_peer *worst = NULL;
    uint32_t least = UINT32_MAX;
    list_for_each (it, &bucket->peers) {
        struct book_peer *p = container_of(it, struct book_peer, bucket);
        uint32_t value = worth(p, unix_s);
        if (worst != NULL && value >= least)
            continue;
        worst = p;
        least = value;
    }
    return worst;
}

/* With @force the worst one goes in any case: it is no anchor, of which there
 * are fewer than a bucket holds. */
static enum err place_new(struct book *b, struct book_peer *p, bool force,
                          uint64_t unix_s)
{
    uint16_t index = new_index(b, p);
    struct book_bucket *bucket = b->buckets == NULL ? NULL : b->buckets[index];
    if (bucket != NULL && bucket->count >= BOOK_NEW_SIZE) {
        struct book_peer *worst = worst_in(bucket, unix_s);
        if (!force && worth(worst, unix_s) >= worth(p, unix_s))
            return E_LIMIT;
        book_peer_free(b, worst);
    }
    put_in(b, p, index);
    return OK;
}

/*
 * A full bucket of tried peers gives its worst one back to the new ones, if
 * that is worse than @p.  There it may find no place: then it is forgotten.
 */
static enum err place_tried(struct book *b, struct book_peer *p,
                            uint64_t unix_s)
{
    uint16_t index = tried_index(b, p);
    struct book_bucket *bucket = b->buckets == NULL ? NULL : b->buckets[index];
    if (bucket != NULL && bucket->count >= BOOK_TRIED_SIZE) {
        struct book_peer *worst = worst_in(bucket, unix_s);
        if (worth(worst, unix_s) >= worth(p, unix_s))
            return E_LIMIT;
        take_out(b, worst);
        if (place_new(b, worst, false, unix_s) == OK)
            touch(b, worst);
        else
            book_peer_free(b, worst);
    }
    put_in(b, p, index);
    return OK;
}

enum err book_place(struct book *b, struct book_peer *p, bool tried,
                    uint64_t unix_s)
{
    assert(p->table == TABLE_NONE);
    if (p->manual)
        return OK;
    if (tried && place_tried(b, p, unix_s) == OK)
        return OK;
    return place_new(b, p, false, unix_s);
}

/* For one that was in the book before and is not to be lost. */
static void place_again(struct book *b, struct book_peer *p, uint64_t unix_s)
{
    if (p->manual)
        return;
    if (p->reached && place_tried(b, p, unix_s) == OK)
        return;
    enum err err = place_new(b, p, true, unix_s);
    assert(err == OK);
    (void)err; /* cannot fail when forced */
}

static struct book_bucket *fullest(const struct book *b)
{
    struct book_bucket *found = NULL;
    for (size_t i = 0; b->buckets != NULL && i < BOOK_NEW_BUCKETS; i++) {
        struct book_bucket *bucket = b->buckets[i];
        if (bucket != NULL && (found == NULL || bucket->count > found->count))
            found = bucket;
    }
    return found;
}

/*
 * Makes room when the book is full: at the cost of the fullest bucket if it
 * holds clearly more than the one that @p goes to, else of a worse peer.
 */
static enum err make_room(struct book *b, const struct book_peer *p,
                          uint64_t unix_s)
{
    if (b->peers.count <= b->peers_max)
        return OK;
    struct book_bucket *full = fullest(b);
    if (full == NULL)
        return E_LIMIT;
    struct book_peer *worst = worst_in(full, unix_s);
    const struct book_bucket *own = b->buckets[new_index(b, p)];
    size_t own_count = own == NULL ? 0 : own->count;
    if (worst->anchor || (!p->manual && full->count <= own_count + 1 &&
                          worth(worst, unix_s) >= worth(p, unix_s)))
        return E_LIMIT;
    book_peer_free(b, worst);
    return OK;
}

/* Hearing. ----------------------------------------------------------------- */

/* Cleans the addresses of @heard; returns how many are in @dst. */
static size_t clean(const struct book_heard *heard,
                    struct multiaddr dst[static BOOK_ADDRS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < heard->count && count < BOOK_ADDRS_MAX; i++) {
        dst[count] = heard->addrs[i];
        count += book_addr_clean(heard->peer, &dst[count]);
    }
    return count;
}

static enum err add(struct book *b, const struct book_heard *heard,
                    const struct multiaddr *addrs, size_t count,
                    uint64_t unix_s)
{
    if (count == 0)
        return E_NOTFOUND;
    bool manual = heard->source == BOOK_MANUAL;
    if (manual && b->manual_count >= BOOK_MANUAL_MAX)
        return E_LIMIT;
    struct book_peer *p = book_peer_new(b, heard->peer);
    p->source = (uint8_t)heard->source;
    p->manual = manual;
    b->manual_count += manual ? 1 : 0;
    p->group = reach_group(&addrs[0]);
    p->source_group = heard->source_group;
    p->added_s = unix_s;
    p->heard_s = unix_s;
    p->quality = quality_init(unix_s);
    enum err err = make_room(b, p, unix_s);
    if (err == OK)
        err = book_place(b, p, false, unix_s);
    if (err != OK) {
        book_peer_free(b, p);
        return err;
    }
    book_addrs_merge(p, addrs, count, manual ? ADDR_MANUAL : 0, 0);
    touch(b, p);
    return OK;
}

enum err book_hear(struct book *b, const struct book_heard *heard,
                   uint64_t unix_s, struct book_peer **ret_peer)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    size_t count = clean(heard, addrs);
    struct book_peer *p = book_find(b, heard->peer);
    enum err err = OK;

    if (p == NULL) {
        err = add(b, heard, addrs, count, unix_s);
        if (err == OK)
            *ret_peer = book_find(b, heard->peer);
        return err;
    }
    bool manual = heard->source == BOOK_MANUAL;
    if (manual)
        err = book_set_manual(b, p, true, unix_s);
    if (err != OK)
        return err;
    p->heard_s = unix_s;
    if (heard->source <= BOOK_DNS && heard->source < p->source)
        p->source = (uint8_t)heard->source;
    book_addrs_merge(p, addrs, count, manual ? ADDR_MANUAL : 0, 0);
    touch(b, p);
    *ret_peer = p;
    return OK;
}

enum err book_set_manual(struct book *b, struct book_peer *p, bool manual,
                         uint64_t unix_s)
{
    if (p->manual == manual)
        return OK;
    if (manual && b->manual_count >= BOOK_MANUAL_MAX)
        return E_LIMIT;
    take_out(b, p);
    p->manual = manual;
    if (manual) {
        b->manual_count++;
    } else {
        b->manual_count--;
        place_again(b, p, unix_s);
    }
    touch(b, p);
    return OK;
}

void book_set_anchor(struct book *b, struct book_peer *p, bool anchor)
{
    if (p->anchor == anchor || (anchor && b->anchor_count >= BOOK_ANCHORS_MAX))
        return;
    p->anchor = anchor;
    if (anchor)
        b->anchor_count++;
    else
        b->anchor_count--;
    touch(b, p);
}

/* Records. ----------------------------------------------------------------- */

void book_set_record_bytes(struct book *b, struct book_peer *p,
                           struct bytes operator_id, struct bytes record)
{
    size_t len = operator_id.len + record.len;
    uint8_t *bytes = mem_alloc(len);
    struct wr w = wr_init(bytes, len);
    wr_bytes(&w, operator_id);
    wr_bytes(&w, record);
    assert(w.err == OK);
    b->records_bytes -= p->record_len;
    b->records_bytes += record.len;
    mem_free(p->record);
    p->record = bytes;
    p->operator_len = (uint8_t)operator_id.len;
    p->record_len = (uint16_t)record.len;
}

static enum reach narrowest(const struct capability *c)
{
    enum reach found = REACH_PUBLIC;
    for (size_t i = 0; i < c->addr_count; i++) {
        enum reach reach = reach_of(&c->addrs[i]);
        if (reach > found)
            found = reach;
    }
    return found;
}

enum err book_put_record(struct book *b, struct book_peer *p,
                         const struct capability *c, struct bytes bytes,
                         enum reach limit, uint64_t unix_s)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    size_t count = 0;
    size_t room = BOOK_RECORDS_BYTES_MAX;
    if (!p->reached)
        room /= 2;

    assert(peer_id_eq(&p->id, &c->peer));
    assert(bytes.len <= CAPABILITY_BYTES_MAX);
    if (p->seq > c->seq)
        return E_EXISTS;
    if (b->records_bytes - p->record_len + bytes.len > room)
        return E_LIMIT;
    for (size_t i = 0; i < c->addr_count; i++) {
        addrs[count] = c->addrs[i];
        if (reach_may_pass(reach_of(&addrs[count]), limit))
            count += book_addr_clean(&p->id, &addrs[count]);
    }
    book_addrs_merge(p, addrs, count, ADDR_RECORD, ADDR_RECORD);
    book_set_record_bytes(b, p, capability_operator(c), bytes);
    p->seq = c->seq;
    p->expires_s = c->expires_s;
    p->has_storage = c->has_storage;
    p->record_checked = true;
    p->storage_offer = c->storage_offer;
    p->storage_free = c->storage_free;
    p->record_reach = (uint8_t)narrowest(c);
    p->heard_s = unix_s;
    touch(b, p);
    return OK;
}

/* What happens to a peer. -------------------------------------------------- */

void book_reached(struct book *b, struct book_peer *p,
                  const struct multiaddr *addr, uint64_t unix_s)
{
    struct multiaddr clean_addr = *addr;
    book_seen(b, p, unix_s);
    p->reached = true;
    p->reached_s = unix_s;
    p->tried_s = unix_s;
    quality_event(&p->quality, QUALITY_CONNECTED, 0, unix_s);
    if (book_addr_clean(&p->id, &clean_addr)) {
        book_addrs_merge(p, &clean_addr, 1, ADDR_WORKED, ADDR_WORKED);
        p->group = reach_group(&clean_addr);
    }
    touch(b, p);
    take_out(b, p);
    place_again(b, p, unix_s);
}

void book_seen(struct book *b, struct book_peer *p, uint64_t unix_s)
{
    if (p->good_since_s == 0 || book_is_dead(p, unix_s))
        p->good_since_s = unix_s;
    p->seen_s = unix_s;
    p->failures = 0;
    p->fail_since_s = 0;
    touch(b, p);
}

void book_failed(struct book *b, struct book_peer *p, bool ours,
                 uint64_t unix_s)
{
    p->tried_s = unix_s;
    if (p->failures < BOOK_FAILURES_MAX)
        p->failures++;
    if (!ours) {
        if (p->fail_since_s == 0)
            p->fail_since_s = unix_s;
        quality_event(&p->quality, QUALITY_DIAL_FAILED, 0, unix_s);
    }
    touch(b, p);
}

void book_event(struct book *b, struct book_peer *p, enum quality_kind kind,
                uint64_t amount, uint64_t unix_s)
{
    quality_event(&p->quality, kind, amount, unix_s);
    touch(b, p);
}

bool book_is_dead(const struct book_peer *p, uint64_t unix_s)
{
    return p->fail_since_s != 0 &&
           (p->seen_s == 0 || p->failures >= DEAD_FAILURES) &&
           book_since(p->fail_since_s, unix_s) >= BOOK_DEAD_S;
}

static bool is_forgotten(const struct book_peer *p, uint64_t unix_s)
{
    if (p->manual)
        return false;
    if (p->seen_s == 0 && p->fail_since_s == 0)
        return book_since(p->heard_s, unix_s) >= BOOK_UNHEARD_S;
    if (!book_is_dead(p, unix_s))
        return false;
    uint64_t good_s = book_since(p->good_since_s, p->seen_s);
    if (good_s > BOOK_FORGET_MAX_S)
        good_s = BOOK_FORGET_MAX_S;
    return book_since(p->fail_since_s, unix_s) >= good_s;
}

void book_sweep(struct book *b, uint64_t unix_s)
{
    struct map_node *node = map_first(&b->peers);
    while (node != NULL) {
        struct book_peer *p = peer_of(node);
        node = map_next(&b->peers, node);
        if (is_forgotten(p, unix_s))
            book_peer_free(b, p);
        else if (p->record_len > 0 && p->expires_s <= unix_s)
            book_set_record_bytes(b, p, BYTES_EMPTY, BYTES_EMPTY);
    }
}
