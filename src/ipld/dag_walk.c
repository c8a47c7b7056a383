#include "ipld/dag_walk.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "ipld/block.h"

enum { LEVELS_ROOM_MIN = 16 };

struct dag_walk_config dag_walk_config_default(const uint8_t seed[static 16])
{
    struct dag_walk_config config = {
        .depth_max = DAG_WALK_DEPTH_MAX,
        .held_bytes_max = DAG_WALK_HELD_BYTES_MAX,
        .blocks_max = UINT64_MAX,
        .dedupe = true,
    };

    memcpy(config.seed, seed, sizeof(config.seed));
    return config;
}

void dag_walk_init(struct dag_walk *w, const struct dag_walk_config *config,
                   const struct cid *root)
{
    assert(config->depth_max > 0);
    assert(config->depth_max <= DAG_WALK_DEPTH_MAX);

    *w = (struct dag_walk){.config = *config};
    cid_set_init(&w->seen, config->seed);
    dag_walk_add_root(w, root);
}

static void pop(struct dag_walk *w)
{
    struct block *b = w->levels[--w->levels_count].block;

    w->held_bytes -= b->data.bytes.len;
    block_unref(b);
}

void dag_walk_release(struct dag_walk *w)
{
    while (w->levels_count > 0)
        pop(w);
    mem_free(w->levels);
    w->levels = NULL;
    w->levels_room = 0;
    cid_set_release(&w->seen);
    w->state = DAG_WALK_IDLE;
}

void dag_walk_add_root(struct dag_walk *w, const struct cid *root)
{
    assert(w->levels_count == 0);
    assert(w->state != DAG_WALK_WAITING);

    w->want = *root;
    w->state = DAG_WALK_ROOT;
}

/* Next child in order; a level without any more is given up. */
static bool next_child(struct dag_walk *w, struct cid *ret_cid)
{
    while (w->levels_count > 0) {
        struct dag_walk_level *top = &w->levels[w->levels_count - 1];
        if (links_next(&top->links, ret_cid)) {
            struct links rest = top->links;
            struct cid ignored;
            if (!links_next(&rest, &ignored))
                pop(w);
            return true;
        }
        pop(w);
    }
    return false;
}

/* True unless @cid was named before and must not be named twice. */
static bool is_new(struct dag_walk *w, const struct cid *cid)
{
    return !w->config.dedupe || cid_set_add(&w->seen, cid);
}

enum err dag_walk_next(struct dag_walk *w, struct cid *ret_cid)
{
    if (w->state == DAG_WALK_IDLE || w->state == DAG_WALK_ROOT) {
        struct cid cid = w->want;
        bool found = w->state == DAG_WALK_ROOT || next_child(w, &cid);
        w->state = DAG_WALK_IDLE;
        while (found && !is_new(w, &cid))
            found = next_child(w, &cid);
        if (!found)
            return E_NOTFOUND;
        w->want = cid;
        w->state = DAG_WALK_WAITING;
        w->blocks_count++;
    }
    if (w->blocks_count > w->config.blocks_max)
        return E_LIMIT;
    *ret_cid = w->want;
    return OK;
}

static void push(struct dag_walk *w, struct block *b, const struct links *links)
{
    if (w->levels_count == w->levels_room) {
        size_t room =
            w->levels_room == 0 ? LEVELS_ROOM_MIN : 2 * w->levels_room;
        w->levels = mem_resize(w->levels, room, sizeof(*w->levels));
        w->levels_room = room;
    }
    w->levels[w->levels_count++] =
        (struct dag_walk_level){.block = block_ref(b), .links = *links};
    w->held_bytes += b->data.bytes.len;
}

enum err dag_walk_on_block(struct dag_walk *w, struct block *b)
{
    struct links links;

    assert(w->state == DAG_WALK_WAITING);
    assert(multihash_eq(&b->cid.hash, &w->want.hash));

    w->state = DAG_WALK_IDLE;
    enum err err = links_init(w->want.codec, b->data.bytes, &links);
    if (err != OK)
        return err;
    struct links probe = links;
    struct cid ignored;
    if (!links_next(&probe, &ignored))
        return OK;
    if (w->levels_count == w->config.depth_max)
        return E_LIMIT;
    if (b->data.bytes.len > w->config.held_bytes_max - w->held_bytes)
        return E_LIMIT;
    push(w, b, &links);
    return OK;
}

void dag_walk_on_missing(struct dag_walk *w)
{
    assert(w->state == DAG_WALK_WAITING);

    w->state = DAG_WALK_IDLE;
}

size_t dag_walk_ahead(const struct dag_walk *w, struct cid *ret_cids,
                      size_t max)
{
    size_t count = 0;

    if (w->levels_count == 0)
        return 0;
    struct links links = w->levels[w->levels_count - 1].links;
    while (count < max && links_next(&links, &ret_cids[count]))
        count++;
    return count;
}
