/*
 * From a path to a CID.  Goal: folders, sharded folders and dag-cbor are
 * walked; of a sharded folder the shards on the way only; what fails is told
 * by its segment.
 */
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "shelf.h"
#include "unixfs/dir_builder.h"
#include "unixfs/path_resolver.h"

#include "test.h"

struct world {
    struct shelf shelf;
    struct cid hello;  /* a file */
    struct cid link;   /* a symlink */
    struct cid shards; /* 0.txt to 299.txt: hello */
    struct cid top;    /* shards, hello.txt, link, data */
    struct cid data;   /* {"a": [7, hello, {"b": top}], "n": 5} */
};

static struct dag_link finish_dir(struct world *w, struct dir_builder *b)
{
    struct block *block = NULL;

    assert_int_equal(dir_builder_finish(b), OK);
    while (dir_builder_next(b, &block) == OK)
        shelf_put(&w->shelf, block);
    struct dag_link root = dir_builder_root(b);
    dir_builder_release(b);
    return root;
}

static void add(struct dir_builder *b, const char *name, const struct cid *cid)
{
    const struct dag_link link = {.cid = *cid, .tsize = 1};

    assert_int_equal(dir_builder_add(b, bytes_str(name), &link), OK);
}

static struct cid make_data(struct world *w)
{
    uint8_t block[512];
    struct wr wr = wr_init(block, sizeof(block));

    cbor_put_map(&wr, 2);
    cbor_put_key(&wr, "a");
    cbor_put_list(&wr, 3);
    cbor_put_uint(&wr, 7);
    cbor_put_link(&wr, &w->hello);
    cbor_put_map(&wr, 1);
    cbor_put_key(&wr, "b");
    cbor_put_link(&wr, &w->shards);
    cbor_put_key(&wr, "n");
    cbor_put_uint(&wr, 5);
    return shelf_add(&w->shelf, CODEC_DAG_CBOR,
                     (struct bytes){block, wr_len(&wr)});
}

static void world_init(struct world *w)
{
    struct import_profile p = find_profile("kubo-v1");
    struct dir_builder b;
    struct block *block = NULL;
    struct dag_link link;
    char name[32];

    shelf_init(&w->shelf);
    w->hello = import_bytes(&w->shelf, &p, BYTES_LIT("hello world\n")).cid;
    assert_int_equal(symlink_block(&p, BYTES_LIT("x"), &block, &link), OK);
    w->link = link.cid;
    shelf_put(&w->shelf, block);
    p.dir_limit_bytes = 0;
    dir_builder_init(&b, &p);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(name, sizeof(name), "%u.txt", i); /* always fits */
        add(&b, name, &w->hello);
    }
    w->shards = finish_dir(w, &b).cid;
    w->data = make_data(w);
    p.dir_limit_bytes = DIR_LIMIT_BYTES_MAX;
    dir_builder_init(&b, &p);
    add(&b, "hello.txt", &w->hello);
    add(&b, "link", &w->link);
    add(&b, "shards", &w->shards);
    add(&b, "data", &w->data);
    add(&b, "gone", &(struct cid){.version = 1, .codec = CODEC_RAW});
    w->top = finish_dir(w, &b).cid;
}

struct answer {
    enum err err;
    unsigned blocks;
    size_t roots;
    size_t segment; /* number of the one that failed */
    struct resolved at;
};

static struct answer resolve(const struct world *w, const struct cid *root,
                             const char *rest)
{
    struct answer answer = {.err = OK};
    struct path_resolver r;
    struct ipfs_path path;
    char text[CID_TEXT_MAX + 64];
    char cid_text[CID_TEXT_MAX];
    struct cid want;

    (void)cid_format(root, cid_text); /* its length is not needed */
    (void)snprintf(text, sizeof(text), "/ipfs/%s%s", cid_text, rest);
    assert_int_equal(ipfs_path_parse(bytes_str(text), &path), OK);
    path_resolver_init(&r, &path);
    while (answer.err == OK && path_resolver_want(&r, &want)) {
        assert_int_equal(path_resolver_result(&r, &answer.at), E_AGAIN);
        answer.err = path_resolver_on_block(&r, shelf_find(&w->shelf, &want));
        answer.blocks++;
    }
    (void)path_resolver_segment(&r, &answer.segment); /* the number only */
    const struct cid *roots = path_resolver_roots(&r, &answer.roots);
    assert_true(cid_eq(&roots[0], root));
    if (answer.err == OK) {
        assert_int_equal(path_resolver_result(&r, &answer.at), OK);
        assert_true(cid_eq(&roots[answer.roots - 1], &answer.at.cid));
    }
    path_resolver_release(&r);
    return answer;
}

static void test_found(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    const struct {
        const struct cid *root;
        const char *rest;
        const struct cid *want;
        enum node_type type;
        unsigned blocks;
        size_t roots;
    } cases[] = {
        {&w.hello, "", &w.hello, NODE_FILE, 1, 1},
        {&w.top, "", &w.top, NODE_DIRECTORY, 1, 1},
        {&w.top, "/hello.txt", &w.hello, NODE_FILE, 2, 2},
        {&w.top, "//hello.txt/", &w.hello, NODE_FILE, 2, 2},
        {&w.top, "/link", &w.link, NODE_SYMLINK, 2, 2},
        {&w.top, "/shards", &w.shards, NODE_SHARDED, 2, 2},
        {&w.top, "/data", &w.data, NODE_DATA, 2, 2},
        {&w.data, "/a/1", &w.hello, NODE_FILE, 2, 3},
        {&w.data, "/a/2/b", &w.shards, NODE_SHARDED, 2, 4},
        {&w.top, "/data/a/1", &w.hello, NODE_FILE, 3, 4},
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct answer got = resolve(&w, cases[i].root, cases[i].rest);
        assert_int_equal(got.err, OK);
        assert_true(cid_eq(&got.at.cid, cases[i].want));
        assert_int_equal(got.at.type, cases[i].type);
        assert_int_equal(got.blocks, cases[i].blocks);
        assert_int_equal(got.roots, cases[i].roots);
        assert_int_equal(got.at.file_bytes,
                         cases[i].type == NODE_FILE ? 12 : 0);
    }
    shelf_release(&w.shelf);
}

/* 300 names lie in at most 3 levels of shards; each is found. */
static void test_shards(void **state)
{
    struct world w;
    char rest[32];

    (void)state;
    world_init(&w);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(rest, sizeof(rest), "/shards/%u.txt", i); /* fits */
        struct answer got = resolve(&w, &w.top, rest);
        assert_int_equal(got.err, OK);
        assert_true(cid_eq(&got.at.cid, &w.hello));
        assert_true(got.blocks >= 3);
        assert_true(got.blocks <= 5);
        assert_int_equal(got.roots, 3);
    }
    shelf_release(&w.shelf);
}

static void test_not_found(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    const struct {
        const struct cid *root;
        const char *rest;
        enum err err;
        size_t segment;
    } cases[] = {
        {&w.top, "/none", E_NOTFOUND, 0},
        {&w.top, "/none/a/b", E_NOTFOUND, 0},
        {&w.top, "/shards/300.txt", E_NOTFOUND, 1},
        {&w.top, "/hello.txt/a", E_UNSUPPORTED, 1},
        {&w.top, "/link/a", E_UNSUPPORTED, 1},
        {&w.top, "/..", E_NOTFOUND, 0},
        {&w.hello, "/a", E_UNSUPPORTED, 0},
        {&w.data, "/none", E_NOTFOUND, 0},
        {&w.data, "/a/3", E_NOTFOUND, 1},
        {&w.data, "/a/01", E_NOTFOUND, 1},
        {&w.data, "/a/-1", E_NOTFOUND, 1},
        {&w.data, "/a/4294967297", E_NOTFOUND, 1},
        {&w.data, "/n/x", E_UNSUPPORTED, 1},
        {&w.data, "/n", E_UNSUPPORTED, 1},
        {&w.data, "/a", E_UNSUPPORTED, 1},
        {&w.data, "/a/2/c", E_NOTFOUND, 2},
    };
    for (size_t i = 0; i < countof(cases); i++) {
        struct answer got = resolve(&w, cases[i].root, cases[i].rest);
        assert_int_equal(got.err, cases[i].err);
        assert_int_equal(got.segment, cases[i].segment);
    }
    shelf_release(&w.shelf);
}

/* A dag-pb block that is no UnixFS has a CID, if no type. */
static void test_other_dag_pb(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    struct cid cid =
        shelf_add(&w.shelf, CODEC_DAG_PB, BYTES_LIT("\x0a\x01\xff"));
    struct answer got = resolve(&w, &cid, "");
    assert_int_equal(got.err, OK);
    assert_int_equal(got.at.type, NODE_UNKNOWN);
    cid = shelf_add(&w.shelf, CODEC_DAG_PB, BYTES_LIT("\x1a\x01\xff"));
    got = resolve(&w, &cid, "");
    assert_int_equal(got.err, E_MALFORMED);
    cid = shelf_add(&w.shelf, CODEC_DAG_CBOR, BYTES_LIT("\xa1\x61\x61\xf7"));
    got = resolve(&w, &cid, "/a");
    assert_int_equal(got.err, E_MALFORMED);
    shelf_release(&w.shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_other_dag_pb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
