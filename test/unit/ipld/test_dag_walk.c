/*
 * Walking all blocks below a root.  Goal: depth first, in the order of links,
 * each once or each time, within limits.  Method: small graphs by hand with
 * the order known; chains and fans as large as the limits.
 */
#include "base/map.h"
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/block.h"
#include "ipld/dag_cbor.h"
#include "ipld/dag_walk.h"

#include "test.h"

static const uint8_t seed[16] = {9};

/* Blocks of the graphs, newest first. */
struct graph {
    struct entry *first;
};

struct entry {
    struct entry *next;
    struct block *block;
    char name; /* 0 for blocks nobody looks at */
};

/* A block with @name in it and links to @children. */
static struct cid add(struct graph *g, char name, const struct cid *children,
                      size_t count)
{
    size_t max = 64 + count * 64;
    struct buf *buf = buf_new(max);
    struct wr w = wr_init(buf->data, max);

    cbor_put_list(&w, count + 1);
    cbor_put_uint(&w, (uint8_t)name);
    for (size_t i = 0; i < count; i++)
        cbor_put_link(&w, &children[i]);
    assert_int_equal(w.err, OK);
    buf->len = wr_len(&w);
    struct entry *e = mem_zalloc(1, sizeof(*e));
    e->block = block_make(1, CODEC_DAG_CBOR,
                          (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    e->name = name;
    e->next = g->first;
    g->first = e;
    return e->block->cid;
}

static void graph_release(struct graph *g)
{
    while (g->first != NULL) {
        struct entry *e = g->first;
        g->first = e->next;
        block_unref(e->block);
        mem_free(e);
    }
}

static struct entry *find(const struct graph *g, const struct cid *cid)
{
    struct entry *e = g->first;

    while (e != NULL && !cid_eq(&e->block->cid, cid))
        e = e->next;
    return e;
}

/* Names in the order of the walk; "?" for a block that is not there. */
static enum err walk(struct dag_walk *w, const struct graph *g, char *names,
                     size_t max)
{
    struct cid cid;
    struct cid again;
    size_t len = 0;

    enum err err = dag_walk_next(w, &cid);
    while (err == OK) {
        assert_int_equal(dag_walk_next(w, &again), OK);
        assert_true(cid_eq(&cid, &again));
        const struct entry *e = find(g, &cid);
        assert_true(len + 1 < max);
        names[len] = '?';
        if (e != NULL)
            names[len] = e->name;
        len++;
        if (e == NULL)
            dag_walk_on_missing(w);
        else
            assert_int_equal(dag_walk_on_block(w, e->block), OK);
        err = dag_walk_next(w, &cid);
    }
    names[len] = '\0';
    return err;
}

/*
 * a -> b c b m; b -> d e; c -> b f; m is missing; the others have no links.
 */
static struct cid diamond(struct graph *g)
{
    struct cid d = add(g, 'd', NULL, 0);
    struct cid e = add(g, 'e', NULL, 0);
    struct cid f = add(g, 'f', NULL, 0);
    const struct cid de[] = {d, e};
    struct cid b = add(g, 'b', de, 2);
    const struct cid bf[] = {b, f};
    struct cid c = add(g, 'c', bf, 2);
    const struct cid bcbm[] = {b, c, b, cid_of(CODEC_RAW, BYTES_LIT("m"))};
    return add(g, 'a', bcbm, 4);
}

static void test_order(void **state)
{
    struct graph g = {NULL};
    struct cid root = diamond(&g);
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    char names[64];

    (void)state;
    dag_walk_init(&w, &config, &root);
    assert_int_equal(walk(&w, &g, names, sizeof(names)), E_NOTFOUND);
    assert_string_equal(names, "abdecf?");
    /* A second root brings what is new only. */
    const struct cid more[] = {root, add(&g, 'y', NULL, 0)};
    struct cid second = add(&g, 'x', more, 2);
    dag_walk_add_root(&w, &second);
    assert_int_equal(walk(&w, &g, names, sizeof(names)), E_NOTFOUND);
    assert_string_equal(names, "xy");
    dag_walk_release(&w);
    config.dedupe = false;
    dag_walk_init(&w, &config, &root);
    assert_int_equal(walk(&w, &g, names, sizeof(names)), E_NOTFOUND);
    assert_string_equal(names, "abdecbdefbde?");
    dag_walk_release(&w);
    graph_release(&g);
}

static void test_blocks_limit(void **state)
{
    struct graph g = {NULL};
    struct cid root = diamond(&g);
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    char names[64];

    (void)state;
    config.blocks_max = 7;
    dag_walk_init(&w, &config, &root);
    assert_int_equal(walk(&w, &g, names, sizeof(names)), E_NOTFOUND);
    dag_walk_release(&w);
    config.blocks_max = 6;
    dag_walk_init(&w, &config, &root);
    assert_int_equal(walk(&w, &g, names, sizeof(names)), E_LIMIT);
    assert_string_equal(names, "abdecf");
    dag_walk_release(&w);
    graph_release(&g);
}

static void test_ahead(void **state)
{
    struct graph g = {NULL};
    struct cid root = diamond(&g);
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    struct cid cids[8];
    struct cid cid;

    (void)state;
    dag_walk_init(&w, &config, &root);
    assert_int_equal(dag_walk_ahead(&w, cids, 8), 0);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_on_block(&w, find(&g, &cid)->block), OK);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_ahead(&w, cids, 8), 3);
    assert_int_equal(dag_walk_ahead(&w, cids, 1), 1);
    assert_int_equal(find(&g, &cids[0])->name, 'c');
    dag_walk_release(&w); /* in the middle */
    graph_release(&g);
}

/* A chain has no depth, as its levels are given up at their only child. */
static void test_chain(void **state)
{
    enum { LENGTH = 3 * DAG_WALK_DEPTH_MAX };
    struct graph g = {NULL};
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    struct cid cid;

    (void)state;
    cid = add(&g, 0, NULL, 0);
    for (unsigned i = 0; i < LENGTH; i++)
        cid = add(&g, 0, &cid, 1);
    config.depth_max = 1;
    dag_walk_init(&w, &config, &cid);
    const struct entry *e = g.first; /* the newest is the root */
    for (; e != NULL; e = e->next) {
        assert_int_equal(dag_walk_next(&w, &cid), OK);
        assert_int_equal(dag_walk_on_block(&w, e->block), OK);
    }
    assert_int_equal(dag_walk_next(&w, &cid), E_NOTFOUND);
    dag_walk_release(&w);
    graph_release(&g);
}

/* Twigs at each joint make it deep: the limit is met at its number. */
static void test_depth(void **state)
{
    enum { DEPTH = 10000 };
    struct graph g = {NULL};
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    struct cid twig = cid_of(CODEC_RAW, BYTES_LIT("twig"));
    struct cid cid;

    (void)state;
    assert_int_equal(config.depth_max, DEPTH);
    struct cid children[2] = {add(&g, 0, NULL, 0), twig};
    for (unsigned i = 0; i < DEPTH + 1; i++)
        children[0] = add(&g, 0, children, 2);
    dag_walk_init(&w, &config, &children[0]);
    const struct entry *e = g.first;
    for (unsigned i = 0; i < DEPTH; i++, e = e->next) {
        assert_int_equal(dag_walk_next(&w, &cid), OK);
        assert_int_equal(dag_walk_on_block(&w, e->block), OK);
    }
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_on_block(&w, e->block), E_LIMIT);
    /* It goes on with the twig; after that nothing is new. */
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_true(cid_eq(&cid, &twig));
    dag_walk_on_missing(&w);
    assert_int_equal(dag_walk_next(&w, &cid), E_NOTFOUND);
    dag_walk_release(&w);
    graph_release(&g);
}

static void test_held_limit(void **state)
{
    struct graph g = {NULL};
    struct cid root = diamond(&g);
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    struct cid cid;

    (void)state;
    config.held_bytes_max = find(&g, &root)->block->data.bytes.len;
    dag_walk_init(&w, &config, &root);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_on_block(&w, find(&g, &cid)->block), OK);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_on_block(&w, find(&g, &cid)->block), E_LIMIT);
    dag_walk_release(&w);
    graph_release(&g);
}

/* 2^20 links to one block below 20 blocks: named once, or a million times. */
static void test_million_links(void **state)
{
    struct graph g = {NULL};
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    char names[64];
    struct cid cid = add(&g, 'l', NULL, 0);

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        const struct cid twice[] = {cid, cid};
        cid = add(&g, 'n', twice, 2);
    }
    dag_walk_init(&w, &config, &cid);
    assert_int_equal(walk(&w, &g, names, sizeof(names)), E_NOTFOUND);
    assert_int_equal(strlen(names), 21);
    dag_walk_release(&w);
    config.dedupe = false;
    config.blocks_max = 200000;
    struct cid next;
    dag_walk_init(&w, &config, &cid);
    enum err err = dag_walk_next(&w, &next);
    while (err == OK) {
        assert_int_equal(dag_walk_on_block(&w, find(&g, &next)->block), OK);
        assert_true(w.levels_count <= 20);
        err = dag_walk_next(&w, &next);
    }
    assert_int_equal(err, E_LIMIT);
    dag_walk_release(&w);
    graph_release(&g);
}

/* A block that its codec forbids is told, and the walk goes on. */
static void test_malformed(void **state)
{
    struct graph g = {NULL};
    struct dag_walk_config config = dag_walk_config_default(seed);
    struct dag_walk w;
    struct cid cid;
    struct buf *buf = buf_copy(BYTES_LIT("\xf7"));
    struct block *bad = block_make(
        1, CODEC_DAG_CBOR, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});

    (void)state;
    const struct cid children[] = {bad->cid, add(&g, 'z', NULL, 0)};
    struct cid root = add(&g, 'r', children, 2);
    dag_walk_init(&w, &config, &root);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_on_block(&w, find(&g, &cid)->block), OK);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(dag_walk_on_block(&w, bad), E_MALFORMED);
    assert_int_equal(dag_walk_next(&w, &cid), OK);
    assert_int_equal(find(&g, &cid)->name, 'z');
    dag_walk_release(&w);
    block_unref(bad);
    graph_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_blocks_limit),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_held_limit),
        cmocka_unit_test(test_million_links),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
