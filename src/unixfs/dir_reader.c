#include "unixfs/dir_reader.h"

#include <assert.h>
#include <string.h>

#include "ipld/block.h"
#include "unixfs/dag_node.h"
#include "unixfs/murmur3.h"

void dir_reader_init(struct dir_reader *r, const struct cid *root)
{
    r->want = *root;
    r->waiting = true;
    r->fanout = 0;
    r->levels_count = 0;
}

static void pop(struct dir_reader *r)
{
    block_unref(r->levels[--r->levels_count].block);
}

void dir_reader_release(struct dir_reader *r)
{
    while (r->levels_count > 0)
        pop(r);
    r->waiting = false;
}

/* Next link of the innermost level; false when it has no more. */
static bool next_link(struct dir_level *level, struct hamt_link *ret_link)
{
    struct dag_pb_link link;

    if (level->is_shard)
        return hamt_link_next(&level->shard, ret_link);
    if (!dag_pb_link_next(&level->pb, &link))
        return false;
    *ret_link = (struct hamt_link){
        .name = link.name,
        .cid = link.cid,
        .tsize = link.tsize,
    };
    return true;
}

void dir_reader_next(struct dir_reader *r, struct dir_out *ret_out)
{
    struct hamt_link link;

    while (!r->waiting && r->levels_count > 0) {
        if (!next_link(&r->levels[r->levels_count - 1], &link)) {
            pop(r);
            continue;
        }
        if (link.is_shard) {
            r->want = link.cid;
            r->waiting = true;
            break;
        }
        *ret_out = (struct dir_out){
            .kind = DIR_ENTRY,
            .cid = link.cid,
            .name = link.name,
            .tsize = link.tsize,
        };
        return;
    }
    *ret_out = (struct dir_out){.kind = DIR_END};
    if (r->waiting) {
        ret_out->kind = DIR_WANT;
        ret_out->cid = r->want;
    }
}

static enum err open_shard(const struct dir_reader *r, const struct dag_node *n,
                           struct dir_level *level)
{
    level->is_shard = true;
    enum err err = hamt_open(&n->pb, &n->unixfs, &level->shard);
    if (err != OK)
        return err;
    /* Shards of another fanout would take other bits of the hash. */
    if (r->levels_count > 0 && level->shard.fanout != r->fanout)
        return E_MALFORMED;
    if (r->levels_count == 64 / level->shard.bits)
        return E_LIMIT;
    return OK;
}

enum err dir_reader_on_block(struct dir_reader *r, struct block *b)
{
    struct dir_level level = {.block = b};
    struct dag_node n;

    assert(r->waiting);
    assert(multihash_eq(&b->cid.hash, &r->want.hash));

    bool is_root = r->levels_count == 0;
    enum err err = dag_node_open(b, &n);
    if (err == OK && n.type == NODE_SHARDED)
        err = open_shard(r, &n, &level);
    else if (err == OK && (n.type != NODE_DIRECTORY || !is_root))
        err = E_UNSUPPORTED;
    if (err != OK) {
        dir_reader_release(r);
        return err;
    }
    r->waiting = false;
    if (is_root)
        r->fanout = level.is_shard ? level.shard.fanout : 0;
    level.pb = n.pb;
    block_ref(b);
    r->levels[r->levels_count++] = level;
    return OK;
}

size_t dir_reader_ahead(const struct dir_reader *r, struct cid *ret_cids,
                        size_t max)
{
    struct hamt_link link;
    size_t count = 0;

    if (r->levels_count == 0)
        return 0;
    struct dir_level level = r->levels[r->levels_count - 1];
    while (level.is_shard && count < max && next_link(&level, &link)) {
        if (link.is_shard)
            ret_cids[count++] = link.cid;
    }
    return count;
}

bool dir_name_is_safe(struct bytes name)
{
    if (name.len == 0 || memchr(name.p, '/', name.len) != NULL ||
        memchr(name.p, 0, name.len) != NULL)
        return false;
    return !bytes_eq(name, BYTES_LIT(".")) && !bytes_eq(name, BYTES_LIT(".."));
}

static enum err find_plain(struct dag_pb pb, struct bytes name,
                           struct dir_found *ret_found)
{
    struct dag_pb_link link;

    while (dag_pb_link_next(&pb, &link)) {
        if (!bytes_eq(link.name, name))
            continue;
        *ret_found = (struct dir_found){.cid = link.cid, .tsize = link.tsize};
        return OK;
    }
    return E_NOTFOUND;
}

static enum err find_sharded(const struct dag_node *n, struct bytes name,
                             uint32_t depth, struct dir_found *ret_found)
{
    struct hamt_shard shard;
    struct hamt_link link;
    uint32_t bucket = 0;

    enum err err = hamt_open(&n->pb, &n->unixfs, &shard);
    if (err == OK)
        err = hamt_bucket(murmur3_x64_64(name), shard.bits, depth, &bucket);
    if (err != OK)
        return err;
    while (hamt_link_next(&shard, &link)) {
        if (link.bucket != bucket)
            continue;
        if (!link.is_shard && !bytes_eq(link.name, name))
            return E_NOTFOUND;
        *ret_found = (struct dir_found){
            .is_shard = link.is_shard,
            .cid = link.cid,
            .tsize = link.tsize,
        };
        return OK;
    }
    return E_NOTFOUND;
}

enum err dir_find(const struct block *b, struct bytes name, uint32_t depth,
                  struct dir_found *ret_found)
{
    struct dag_node n;
    enum err err = dag_node_open(b, &n);

    if (err != OK)
        return err;
    if (n.type == NODE_SHARDED)
        return find_sharded(&n, name, depth, ret_found);
    if (n.type != NODE_DIRECTORY || depth > 0)
        return E_UNSUPPORTED;
    return find_plain(n.pb, name, ret_found);
}
