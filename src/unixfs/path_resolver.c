#include "unixfs/path_resolver.h"

#include <assert.h>

#include "base/mem.h"
#include "ipld/block.h"
#include "ipld/dag_cbor.h"
#include "ipld/links.h"
#include "unixfs/dir_reader.h"

/*
 * The block that is needed is always the one at the end of the segments passed
 * so far, or a shard below it.  It is looked into for @segment; after the last
 * segment it tells the type of the result.
 */

static void next_segment(struct path_resolver *r)
{
    r->segment = BYTES_EMPTY;
    r->has_segment = ipfs_path_next(&r->rest, &r->segment);
}

void path_resolver_init(struct path_resolver *r, const struct ipfs_path *path)
{
    *r = (struct path_resolver){
        .want = path->root,
        .state = RESOLVER_WAITING,
        .rest = path->rest,
    };
    r->roots = mem_alloc((path->segments_count + 1) * sizeof(*r->roots));
    r->roots[r->roots_count++] = path->root;
    r->roots_room = path->segments_count + 1;
    next_segment(r);
}

void path_resolver_release(struct path_resolver *r)
{
    mem_free(r->roots);
    *r = (struct path_resolver){.state = RESOLVER_FAILED};
}

bool path_resolver_want(const struct path_resolver *r, struct cid *ret_cid)
{
    if (r->state != RESOLVER_WAITING)
        return false;
    *ret_cid = r->want;
    return true;
}

/* The segment being looked up leads to @cid. */
static void pass_segment(struct path_resolver *r, const struct cid *cid)
{
    assert(r->roots_count < r->roots_room);

    r->want = *cid;
    r->roots[r->roots_count++] = *cid;
    r->depth = 0;
    r->segment_index++;
    next_segment(r);
}

static enum err step_dir(struct path_resolver *r, const struct block *b)
{
    struct dir_found found;
    enum err err = dir_find(b, r->segment, r->depth, &found);

    if (err != OK)
        return err;
    if (found.is_shard) {
        r->want = found.cid;
        r->depth++;
    } else {
        pass_segment(r, &found.cid);
    }
    return OK;
}

/* A list's index in decimal, without leading zeros. */
static bool parse_index(struct bytes text, uint64_t *ret_index)
{
    enum { DIGITS_MAX = 9 };
    uint64_t index = 0;

    if (text.len == 0 || text.len > DIGITS_MAX ||
        (text.p[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        index = index * 10 + (uint64_t)(text.p[i] - '0');
    }
    *ret_index = index;
    return true;
}

/* Moves @c to the value that @segment names in the map that begins with @t. */
static enum err find_key(struct cbor_rd *c, const struct cbor_token *t,
                         struct bytes segment)
{
    for (uint64_t i = 0; i < t->value; i++) {
        struct cbor_token key;
        if (!cbor_next(c, &key))
            return c->rd.err;
        if (bytes_eq(key.bytes, segment))
            return OK;
        (void)cbor_skip(c); /* a failure shows in the next key */
    }
    return c->rd.err != OK ? c->rd.err : E_NOTFOUND;
}

static enum err find_index(struct cbor_rd *c, const struct cbor_token *t,
                           struct bytes segment)
{
    uint64_t index = 0;

    if (!parse_index(segment, &index) || index >= t->value)
        return E_NOTFOUND;
    for (uint64_t i = 0; i < index; i++)
        (void)cbor_skip(c); /* a failure shows in the value that follows */
    return c->rd.err;
}

/* The segment being looked up leads to another value of the same block. */
static void pass_within(struct path_resolver *r, const struct block *b)
{
    assert(r->roots_count < r->roots_room);

    r->roots[r->roots_count++] = b->cid;
    r->segment_index++;
    next_segment(r);
}

/* Walks down a dag-cbor block, segment by segment, until a link is met. */
static enum err walk_cbor(struct path_resolver *r, const struct block *b)
{
    struct cbor_rd c;
    struct cbor_token t;
    enum err err = OK;

    cbor_rd_init(&c, b->data.bytes, CBOR_LENIENT);
    while (cbor_next(&c, &t)) {
        if (t.kind == CBOR_LINK) {
            r->want = t.cid;
            r->roots[r->roots_count - 1] = t.cid;
            return OK;
        }
        if (!r->has_segment || (t.kind != CBOR_MAP && t.kind != CBOR_LIST))
            return E_UNSUPPORTED;
        err = t.kind == CBOR_MAP ? find_key(&c, &t, r->segment)
                                 : find_index(&c, &t, r->segment);
        if (err != OK)
            return err;
        pass_within(r, b);
    }
    return c.rd.err;
}

static enum err step_cbor(struct path_resolver *r, const struct block *b)
{
    /* The walk stops where it likes; that the block is whole, this says. */
    struct links links;
    enum err err = links_init(b->cid.codec, b->data.bytes, &links);

    return err == OK ? walk_cbor(r, b) : err;
}

/* All segments are passed: what is there? */
static enum err finish(struct path_resolver *r, const struct block *b)
{
    struct dag_node n = {.type = NODE_UNKNOWN};
    struct dag_pb pb;
    enum err err = dag_node_open(b, &n);

    /* Not every dag-pb block is part of a file or folder. */
    if (err != OK && dag_pb_open(b->data.bytes, &pb) != OK)
        return err;
    r->type = n.type;
    r->file_bytes = n.file_bytes;
    r->state = RESOLVER_DONE;
    return OK;
}

static enum err step(struct path_resolver *r, const struct block *b)
{
    if (!r->has_segment)
        return finish(r, b);
    if (r->want.codec == CODEC_DAG_CBOR)
        return step_cbor(r, b);
    if (r->want.codec == CODEC_DAG_PB)
        return step_dir(r, b);
    return E_UNSUPPORTED;
}

enum err path_resolver_on_block(struct path_resolver *r, struct block *b)
{
    assert(r->state == RESOLVER_WAITING);
    assert(multihash_eq(&b->cid.hash, &r->want.hash));

    enum err err = step(r, b);
    if (err != OK)
        r->state = RESOLVER_FAILED;
    return err;
}

struct bytes path_resolver_segment(const struct path_resolver *r,
                                   size_t *ret_index)
{
    *ret_index = r->segment_index;
    return r->segment;
}

enum err path_resolver_result(const struct path_resolver *r,
                              struct resolved *ret)
{
    if (r->state != RESOLVER_DONE)
        return E_AGAIN;
    *ret = (struct resolved){
        .cid = r->want,
        .type = r->type,
        .file_bytes = r->file_bytes,
    };
    return OK;
}

const struct cid *path_resolver_roots(const struct path_resolver *r,
                                      size_t *ret_count)
{
    *ret_count = r->roots_count;
    return r->roots;
}
