#include "node/listing.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/fetch.h"
#include "node/node.h"
#include "node/resolving.h"
#include "unixfs/dir_reader.h"

enum {
    AHEAD_MAX = 32, /* entries whose types are being looked up */
    STEPS_MAX = 256,
};

/* An entry on its way: told in order, when its type is known. */
struct item {
    struct fetch_op op;
    struct listing *listing;
    struct listing_entry entry; /* its name lies behind */
    bool ready;
    struct list link;
    uint8_t name[];
};

struct listing {
    struct node *node;
    struct listing_config config;
    struct fetch *fetch;
    struct resolving resolving;
    struct dir_reader reader;
    bool has_reader;
    bool waiting; /* for a block of the folder */
    bool read;    /* no entry is left in the folder */
    bool paused;
    bool told; /* done was called */
    enum err err;
    struct fetch_op op;
    struct list items;
    size_t items_count;
    struct timer timer;
    struct fault fault;
    bool busy; /* in a callback */
    bool dead; /* listing_free() was called from there */
};

static void wake(struct listing *l)
{
    struct clock *clock = node_env(l->node)->clock;

    clock->set(clock, &l->timer, clock->now(clock));
}

static void fail(struct listing *l, enum err err)
{
    if (l->err == OK)
        l->err = err;
    wake(l);
}

static void free_item(struct item *i)
{
    fetch_cancel(&i->op);
    list_remove(&i->link);
    i->listing->items_count--;
    mem_free(i);
}

/* A block that can't be had or read leaves its type unknown. */
static void on_type(struct fetch_op *op, enum err err, struct block *block,
                    struct mtime now)
{
    struct item *i = container_of(op, struct item, op);
    struct dag_node view;

    (void)now;
    i->ready = true;
    if (err == OK && dag_node_open(block, &view) == OK) {
        i->entry.type = view.type;
        if (view.type == NODE_FILE)
            i->entry.bytes = view.file_bytes;
    }
    if (!i->listing->paused)
        wake(i->listing);
}

static void add_item(struct listing *l, const struct dir_out *out)
{
    struct item *i = mem_zalloc(1, sizeof(*i) + out->name.len);

    if (out->name.len > 0)
        memcpy(i->name, out->name.p, out->name.len);
    i->listing = l;
    i->entry = (struct listing_entry){
        .name = {i->name, out->name.len},
        .cid = out->cid,
        .type = NODE_UNKNOWN,
        .is_raw = out->cid.codec == CODEC_RAW,
        .bytes = out->tsize,
    };
    if (i->entry.is_raw)
        i->entry.type = NODE_FILE;
    list_add_tail(&l->items, &i->link);
    l->items_count++;
    i->ready = i->entry.is_raw || !l->config.with_types;
    if (i->ready)
        return;
    i->op.done = on_type;
    fetch_get(l->fetch, &i->op, &out->cid, 0, 0);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct listing *l = container_of(op, struct listing, op);

    (void)now;
    l->waiting = false;
    if (err != OK) {
        l->fault = *fetch_fault(l->fetch);
        fail(l, err);
        return;
    }
    err = dir_reader_on_block(&l->reader, block);
    if (err != OK) {
        fault_set(&l->fault, ERROR_BAD_BLOCK,
                  "a block of the folder is malformed",
                  bytes_str(l->resolving.text));
        fail(l, err);
        return;
    }
    wake(l);
}

/* Read on in the folder; false when it has to wait. */
static bool read_more(struct listing *l)
{
    struct dir_out out;

    if (l->waiting || l->read || l->items_count >= AHEAD_MAX)
        return false;
    dir_reader_next(&l->reader, &out);
    switch (out.kind) {
    case DIR_WANT:
        l->waiting = true;
        l->op.done = on_block;
        fetch_get(l->fetch, &l->op, &out.cid, 0, 1);
        return false;
    case DIR_ENTRY:
        add_item(l, &out);
        return true;
    case DIR_END:
        l->read = true;
        return false;
    }
    return false;
}

/* Tell the first entry if it is ready. */
static bool tell_first(struct listing *l, struct mtime now)
{
    if (list_empty(&l->items))
        return false;
    struct item *i = container_of(list_first(&l->items), struct item, link);
    if (!i->ready)
        return false;
    /* Out of the list first: the callback may end the listing. */
    list_remove(&i->link);
    l->config.on_entry(l->config.user, &i->entry, now);
    l->items_count--;
    mem_free(i);
    return true;
}

static void pump(struct listing *l, struct mtime now)
{
    unsigned steps = 0;
    bool more = true;

    l->busy = true;
    while (more && !l->dead && l->err == OK && !l->paused &&
           steps++ < STEPS_MAX) {
        more = read_more(l);
        more = tell_first(l, now) || more;
    }
    l->busy = false;
    if (l->dead) {
        mem_free(l);
        return;
    }
    if (l->err != OK || (l->read && list_empty(&l->items))) {
        l->told = true;
        l->config.done(l->config.user, l->err, now);
    } else if (more && !l->paused) {
        wake(l);
    }
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct listing *l = container_of(t, struct listing, timer);

    if (!l->told && (l->has_reader || l->err != OK))
        pump(l, now);
}

static void on_resolved(struct resolving *v, enum err err, struct mtime now)
{
    struct listing *l = container_of(v, struct listing, resolving);

    if (err != OK) {
        l->fault = v->fault;
        fail(l, err);
        return;
    }
    dir_reader_init(&l->reader, &v->result.cid);
    l->has_reader = true;
    l->read =
        v->result.type != NODE_DIRECTORY && v->result.type != NODE_SHARDED;
    wake(l); /* before the call: it may free us */
    l->config.on_open(l->config.user, &v->result.cid, v->result.type, now);
}

struct listing *listing_new(struct node *n, const struct listing_config *config)
{
    struct listing *l = mem_zalloc(1, sizeof(*l));
    struct fetch_config fetch = {
        .timeout_ms = config->timeout_ms,
        .local_only = config->local_only,
        .urgent = true,
    };

    l->node = n;
    l->config = *config;
    l->fetch = fetch_new(n, &fetch);
    list_init(&l->items);
    timer_init(&l->timer, on_timer);
    l->resolving.done = on_resolved;
    enum err err = resolving_start(&l->resolving, l->fetch, config->path);
    l->config.path = BYTES_EMPTY;
    if (err != OK) {
        l->fault = l->resolving.fault;
        fail(l, err);
    }
    return l;
}

void listing_free(struct listing *l)
{
    if (l == NULL)
        return;
    struct clock *clock = node_env(l->node)->clock;
    clock->set(clock, &l->timer, MTIME_NEVER);
    list_for_each_safe (it, &l->items) {
        free_item(container_of(it, struct item, link));
    }
    fetch_cancel(&l->op);
    resolving_release(&l->resolving);
    if (l->has_reader)
        dir_reader_release(&l->reader);
    fetch_free(l->fetch);
    l->dead = true;
    if (!l->busy)
        mem_free(l); /* else pump() does */
}

void listing_pause(struct listing *l, bool paused)
{
    l->paused = paused;
    if (!paused)
        wake(l);
}

const struct fault *listing_fault(const struct listing *l)
{
    return &l->fault;
}
