#include "unixfs/hamt.h"

#include <assert.h>

enum { HASH_BITS = 64 };

uint32_t hamt_fanout_bits(uint32_t fanout)
{
    uint32_t bits = 0;

    while (fanout > 1) {
        fanout >>= 1;
        bits++;
    }
    return bits;
}

uint32_t hamt_prefix_len(uint32_t fanout)
{
    uint32_t len = 0;

    for (uint32_t largest = fanout - 1; largest > 0; largest >>= 4)
        len++;
    return len;
}

enum err hamt_bucket(uint64_t hash, uint32_t bits, uint32_t depth,
                     uint32_t *ret_bucket)
{
    assert(bits > 0);
    assert(bits < 32);

    if (depth >= HASH_BITS / bits)
        return E_LIMIT;
    uint32_t shift = HASH_BITS - bits * (depth + 1);
    *ret_bucket = (uint32_t)(hash >> shift) & ((1U << bits) - 1);
    return OK;
}

/* Value of an upper-case hex digit, 16 for anything else. */
static uint32_t digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    if (c >= 'A' && c <= 'F')
        return (uint32_t)(c - 'A' + 10);
    return 16;
}

/* Bucket that @name begins with; false when it begins with none. */
static bool read_prefix(const struct hamt_shard *s, struct bytes name,
                        uint32_t *ret_bucket)
{
    uint32_t bucket = 0;

    if (name.len < s->prefix_len)
        return false;
    for (uint32_t i = 0; i < s->prefix_len; i++) {
        uint32_t digit = digit_value(name.p[i]);
        if (digit > 15)
            return false;
        bucket = bucket << 4 | digit;
    }
    *ret_bucket = bucket;
    return bucket < s->fanout;
}

/* Bits are numbered from the end of the field, whose leading zeros are off. */
static bool has_bit(struct bytes bitfield, uint32_t bucket)
{
    size_t from_end = bucket / 8;

    if (from_end >= bitfield.len)
        return false;
    return bitfield.p[bitfield.len - 1 - from_end] >> bucket % 8 & 1;
}

static size_t count_bits(struct bytes bitfield)
{
    size_t count = 0;

    for (size_t i = 0; i < bitfield.len; i++) {
        for (unsigned rest = bitfield.p[i]; rest > 0; rest &= rest - 1)
            count++;
    }
    return count;
}

enum err hamt_open(const struct dag_pb *pb, const struct unixfs *u,
                   struct hamt_shard *ret_shard)
{
    assert(u->type == UNIXFS_HAMT);

    uint32_t fanout = (uint32_t)u->fanout;
    struct hamt_shard s = {
        .pb = *pb,
        .fanout = fanout,
        .bits = hamt_fanout_bits(fanout),
        .prefix_len = hamt_prefix_len(fanout),
        .bitfield = u->data,
    };
    if (s.bitfield.len > fanout / 8 ||
        count_bits(s.bitfield) != pb->links_count)
        return E_MALFORMED;
    struct dag_pb walk = *pb;
    struct dag_pb_link link;
    uint32_t next_min = 0;
    while (dag_pb_link_next(&walk, &link)) {
        uint32_t bucket = 0;
        if (!read_prefix(&s, link.name, &bucket) || bucket < next_min ||
            !has_bit(s.bitfield, bucket))
            return E_MALFORMED;
        next_min = bucket + 1;
    }
    *ret_shard = s;
    return OK;
}

bool hamt_link_next(struct hamt_shard *s, struct hamt_link *ret_link)
{
    struct dag_pb_link link;
    uint32_t bucket = 0;

    if (!dag_pb_link_next(&s->pb, &link))
        return false;
    bool is_valid = read_prefix(s, link.name, &bucket);
    assert(is_valid);
    *ret_link = (struct hamt_link){
        .bucket = bucket,
        .is_shard = link.name.len == s->prefix_len,
        .name =
            bytes_sub(link.name, s->prefix_len, link.name.len - s->prefix_len),
        .cid = link.cid,
        .tsize = link.tsize,
    };
    return true;
}
