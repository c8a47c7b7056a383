#include "node/scanning.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "ipld/dag_walk.h"
#include "multiformats/multicodec.h"
#include "node/node.h"
#include "store/store.h"

enum {
    STEPS_MAX = 256, /* blocks in one go, then others have theirs */
    RETRY_MS = 10,   /* the store reads too much already */
};

/* A read of the store; lives until it has answered. */
struct scanning_read {
    struct store_get_op get;
    struct scanning *scanning; /* NULL: nobody waits any more */
};

struct scanning {
    struct node *node;
    struct scanning_config config;
    struct dag_walk core;
    struct cid_set seen;
    uint64_t blocks;
    uint64_t bytes;
    struct scanning_read *read; /* NULL: none under way */
    struct cid parent;          /* its links are read, or it is not here */
    bool has_parent;
    struct timer timer;
};

/*
 * The walk names CIDs, and the same bytes may have two, that differ in their
 * codec: they are looked for under all codecs that link or are common.
 */
bool dag_blocks_add(struct cid_set *seen, const struct cid *cid,
                    bool *ret_distinct)
{
    static const uint64_t codecs[] = {CODEC_RAW, CODEC_DAG_PB, CODEC_DAG_CBOR};
    bool distinct = !cid_is_identity(cid);

    if (!cid_set_add(seen, cid))
        return false;
    for (size_t i = 0; distinct && i < countof(codecs); i++) {
        struct cid other = cid_from_hash(codecs[i], &cid->hash);
        distinct = codecs[i] == cid->codec || !cid_set_has(seen, &other);
    }
    *ret_distinct = distinct;
    return true;
}

static void wake(struct scanning *s, uint32_t after_ms)
{
    struct clock *clock = node_env(s->node)->clock;

    clock->set(clock, &s->timer, mtime_add_ms(clock->now(clock), after_ms));
}

static void on_read(struct store_get_op *get, enum err err, struct block *block,
                    struct mtime now)
{
    struct scanning_read *read = container_of(get, struct scanning_read, get);
    struct scanning *s = read->scanning;

    mem_free(read);
    if (s == NULL) {
        block_unref(block);
        return;
    }
    s->read = NULL;
    if (err == OK)
        err = dag_walk_on_block(&s->core, block);
    else
        dag_walk_on_missing(&s->core);
    block_unref(block);
    /* A block that is no node of its codec has no links: the walk goes on. */
    bool fatal =
        err == E_LIMIT || err == E_IO || err == E_CORRUPT || err == E_NOTFOUND;
    if (fatal && !(s->config.skip_missing && err != E_LIMIT)) {
        s->config.done(s->config.user, err, now);
        return;
    }
    wake(s, 0);
}

/* The links of the block that was named last. */
static enum err read_links(struct scanning *s)
{
    struct scanning_read *read = mem_zalloc(1, sizeof(*read));

    read->get.done = on_read;
    read->scanning = s;
    enum err err = store_get(node_store(s->node), &read->get, &s->parent);
    if (err != OK) {
        mem_free(read);
        return err;
    }
    s->read = read;
    s->has_parent = false;
    return OK;
}

static enum err walk_identity(struct scanning *s, const struct cid *cid)
{
    struct block *block = block_identity(cid);
    enum err err = dag_walk_on_block(&s->core, block);

    block_unref(block);
    return err == E_LIMIT ? E_LIMIT : OK;
}

static bool has_links(const struct cid *cid)
{
    return cid->codec == CODEC_DAG_PB || cid->codec == CODEC_DAG_CBOR;
}

/* The block @cid, which was not met before. */
static enum err take(struct scanning *s, const struct cid *cid, bool distinct)
{
    struct store_stat stat;

    if (cid_is_identity(cid))
        return walk_identity(s, cid);
    enum err err = store_stat(node_store(s->node), &cid->hash, &stat);
    if (err != OK) {
        dag_walk_on_missing(&s->core);
        s->parent = *cid;
        return s->config.skip_missing && err == E_NOTFOUND ? OK : err;
    }
    if (distinct) {
        s->blocks++;
        s->bytes += stat.length;
        if (s->config.on_block != NULL &&
            !s->config.on_block(s->config.user, cid, stat.length))
            return E_CANCELED;
    }
    s->parent = *cid;
    s->has_parent = has_links(cid);
    if (!s->has_parent)
        dag_walk_on_missing(&s->core);
    return OK;
}

/* One block.  Return: OK; E_CLOSED: there are no more; else it failed. */
static enum err step(struct scanning *s)
{
    struct cid cid;
    bool distinct = false;

    if (s->has_parent)
        return read_links(s);
    enum err err = dag_walk_next(&s->core, &cid);
    if (err != OK)
        return err == E_NOTFOUND ? E_CLOSED : err;
    if (dag_blocks_add(&s->seen, &cid, &distinct))
        return take(s, &cid, distinct);
    dag_walk_on_missing(&s->core);
    return OK;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct scanning *s = container_of(t, struct scanning, timer);
    enum err err = OK;

    for (unsigned i = 0; err == OK && s->read == NULL && i < STEPS_MAX; i++)
        err = step(s);
    if (err == OK && s->read == NULL)
        wake(s, 0);
    else if (err == E_AGAIN)
        wake(s, RETRY_MS);
    else if (err != OK)
        s->config.done(s->config.user,
                       err == E_CLOSED || err == E_CANCELED ? OK : err, now);
}

struct scanning *scanning_new(struct node *n,
                              const struct scanning_config *config)
{
    struct scanning *s = mem_zalloc(1, sizeof(*s));
    uint8_t seed[16];

    s->node = n;
    s->config = *config;
    node_random(n, seed, sizeof(seed));
    struct dag_walk_config walk = dag_walk_config_default(seed);
    walk.dedupe = false; /* @seen does it, for both uses */
    dag_walk_init(&s->core, &walk, &config->root);
    cid_set_init(&s->seen, seed);
    timer_init(&s->timer, on_timer);
    wake(s, 0);
    return s;
}

void scanning_free(struct scanning *s)
{
    if (s == NULL)
        return;
    struct clock *clock = node_env(s->node)->clock;
    clock->set(clock, &s->timer, MTIME_NEVER);
    if (s->read != NULL)
        s->read->scanning = NULL;
    dag_walk_release(&s->core);
    cid_set_release(&s->seen);
    mem_free(s);
}

const struct cid *scanning_missing(const struct scanning *s)
{
    return &s->parent;
}

uint64_t scanning_blocks(const struct scanning *s, uint64_t *ret_bytes)
{
    *ret_bytes = s->bytes;
    return s->blocks;
}
