/*
 * Listing folders and looking names up.  Goal: what a builder put in comes
 * out, whole and once, for each kind of folder; names are found through the
 * shards on their way only; shards that lie are refused.  Method: random
 * folders against a list, and shards by hand.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_pb.h"
#include "shelf.h"
#include "unixfs/dir_builder.h"
#include "unixfs/dir_reader.h"
#include "unixfs/murmur3.h"
#include "unixfs/unixfs.h"

#include "test.h"

enum { NAMES_MAX = 3000, NAME_ROOM = 24 };

struct names {
    char text[NAMES_MAX][NAME_ROOM];
    bool seen[NAMES_MAX];
    struct dag_link links[NAMES_MAX];
    size_t count;
};

static struct dag_link build(struct shelf *shelf, struct names *n,
                             const struct import_profile *p, struct dice *d)
{
    struct dir_builder b;
    struct block *block = NULL;

    dir_builder_init(&b, p);
    for (size_t i = 0; i < n->count; i++) {
        uint8_t id = (uint8_t)i;
        n->seen[i] = false;
        n->links[i] = import_bytes(shelf, p, (struct bytes){&id, 1});
        n->links[i].tsize = dice_next(d, 100000);
        (void)snprintf(n->text[i], NAME_ROOM, "%s%zu",
                       dice_next(d, 2) == 0 ? "n" : "\xff", i); /* it fits */
        assert_int_equal(
            dir_builder_add(&b, bytes_str(n->text[i]), &n->links[i]), OK);
    }
    assert_int_equal(dir_builder_finish(&b), OK);
    while (dir_builder_next(&b, &block) == OK)
        shelf_put(shelf, block);
    struct dag_link root = dir_builder_root(&b);
    dir_builder_release(&b);
    return root;
}

static void check_entry(struct names *n, const struct dir_out *out)
{
    size_t i = 0;

    while (i < n->count && !bytes_eq(out->name, bytes_str(n->text[i])))
        i++;
    assert_true(i < n->count);
    assert_false(n->seen[i]);
    n->seen[i] = true;
    assert_true(cid_eq(&out->cid, &n->links[i].cid));
    assert_int_equal(out->tsize, n->links[i].tsize);
}

/* Number of entries; @names NULL: any. */
static size_t list(const struct shelf *shelf, const struct cid *root,
                   struct names *n, enum err *ret_err)
{
    struct dir_reader r;
    struct dir_out out;
    size_t count = 0;
    bool at_end = false;

    *ret_err = OK;
    dir_reader_init(&r, root);
    while (!at_end) {
        struct cid ahead[4];
        assert_true(dir_reader_ahead(&r, ahead, 4) <= 4);
        dir_reader_next(&r, &out);
        at_end = out.kind == DIR_END;
        if (out.kind == DIR_ENTRY) {
            count++;
            if (n != NULL)
                check_entry(n, &out);
        } else if (out.kind == DIR_WANT) {
            enum err err = dir_reader_on_block(&r, shelf_find(shelf, &out.cid));
            *ret_err = err != OK ? err : *ret_err;
        }
    }
    dir_reader_release(&r);
    return count;
}

/* Looks @name up; the number of blocks that it took. */
static unsigned lookup(const struct shelf *shelf, struct cid cid,
                       const char *name, enum err *ret_err,
                       struct dir_found *ret_found)
{
    unsigned blocks = 0;

    do {
        *ret_err = dir_find(shelf_find(shelf, &cid), bytes_str(name), blocks,
                            ret_found);
        blocks++;
        cid = ret_found->cid;
    } while (*ret_err == OK && ret_found->is_shard);
    return blocks;
}

static void test_random(void **state)
{
    struct dice d = {11};
    struct names *n = mem_alloc(sizeof(*n));

    (void)state;
    for (unsigned round = 0; round < 60; round++) {
        struct import_profile p = find_profile("kubo-v1");
        struct shelf shelf;
        struct dir_found found = {.is_shard = false};
        enum err err = OK;
        p.cid_version = (uint8_t)dice_next(&d, 2);
        p.dir_limit_bytes = dice_next(&d, 2) == 0 ? 0 : 10000;
        p.hamt_fanout = 8U << dice_next(&d, 8);
        n->count = (size_t)dice_next(&d, round < 50 ? 40 : NAMES_MAX);
        shelf_init(&shelf);
        struct dag_link root = build(&shelf, n, &p, &d);
        assert_int_equal(list(&shelf, &root.cid, n, &err), n->count);
        assert_int_equal(err, OK);
        for (size_t i = 0; i < n->count; i += 1 + n->count / 50) {
            unsigned blocks =
                lookup(&shelf, root.cid, n->text[i], &err, &found);
            assert_int_equal(err, OK);
            assert_true(cid_eq(&found.cid, &n->links[i].cid));
            assert_true(blocks <= 8 || p.hamt_fanout < 256);
        }
        (void)lookup(&shelf, root.cid, "no such", &err, &found);
        assert_int_equal(err, E_NOTFOUND);
        shelf_release(&shelf);
    }
    mem_free(n);
}

struct hand_link {
    const char *name;
    struct cid cid;
};

static struct cid put_shard(struct shelf *shelf, const struct hand_link *links,
                            size_t count, struct bytes bitfield,
                            uint64_t fanout)
{
    uint8_t block[2048];
    struct wr w = wr_init(block, sizeof(block));
    const struct unixfs u = {
        .type = fanout > 0 ? UNIXFS_HAMT : UNIXFS_DIRECTORY,
        .has_data = fanout > 0,
        .data = bitfield,
        .fanout = fanout,
    };

    for (size_t i = 0; i < count; i++)
        dag_pb_put_link(&w, &links[i].cid, bytes_str(links[i].name), 1);
    dag_pb_put_data_head(&w, unixfs_len(&u, NULL));
    unixfs_put(&w, &u, NULL);
    assert_int_equal(w.err, OK);
    return shelf_add(shelf, CODEC_DAG_PB, (struct bytes){block, wr_len(&w)});
}

static void test_bad_shards(void **state)
{
    static const struct {
        const char *first;
        const char *second;
        struct bytes bitfield;
        enum err err;
    } cases[] = {
        {"00a", "01b", {(const uint8_t *)"\x03", 1}, OK},
        {"00a", "01b", {(const uint8_t *)"\x00\x03", 2}, OK},
        {"00a",
         "FFb",
         {(const uint8_t *)"\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                           "\0\0\0\0\0\0\0\x01",
          32},
         OK},
        {"01a", "00b", {(const uint8_t *)"\x03", 1}, E_MALFORMED}, /* order */
        {"00a", "00b", {(const uint8_t *)"\x03", 1}, E_MALFORMED}, /* twice */
        {"00a", "01b", {(const uint8_t *)"\x07", 1}, E_MALFORMED}, /* 3 bits */
        {"00a", "01b", {(const uint8_t *)"\x01", 1}, E_MALFORMED}, /* 1 bit */
        {"00a", "01b", {(const uint8_t *)"\x05", 1}, E_MALFORMED}, /* other */
        {"00a", "01b", {NULL, 0}, E_MALFORMED},                    /* none */
        {"00a", "0", {(const uint8_t *)"\x03", 1}, E_MALFORMED},   /* short */
        {"00a", "", {(const uint8_t *)"\x03", 1}, E_MALFORMED},    /* empty */
        {"0aa", "0Bb", {(const uint8_t *)"\x0c\0", 2}, E_MALFORMED}, /* case */
        {"00a", "0Gb", {(const uint8_t *)"\x03", 1}, E_MALFORMED},   /* digit */
    };
    static const uint8_t too_long[33] = {0};
    struct shelf shelf;
    enum err err = OK;
    struct dir_found found;

    (void)state;
    shelf_init(&shelf);
    struct cid x = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("x"));
    for (size_t i = 0; i < countof(cases); i++) {
        const struct hand_link links[] = {{cases[i].first, x},
                                          {cases[i].second, x}};
        struct cid root = put_shard(&shelf, links, 2, cases[i].bitfield, 256);
        size_t count = list(&shelf, &root, NULL, &err);
        if (err != cases[i].err)
            fail_msg("case %zu: %s", i, err_name(err));
        assert_int_equal(count, err == OK ? 2 : 0);
        (void)lookup(&shelf, root, "a", &err, &found);
        assert_int_equal(err == E_MALFORMED, cases[i].err == E_MALFORMED);
    }
    struct cid root =
        put_shard(&shelf, NULL, 0, (struct bytes){too_long, 33}, 256);
    assert_int_equal(list(&shelf, &root, NULL, &err), 0);
    assert_int_equal(err, E_MALFORMED);
    shelf_release(&shelf);
}

/* Shards below shards, without an end in sight. */
static void test_depth(void **state)
{
    struct shelf shelf;
    enum err err = OK;
    const struct bytes bit0 = {(const uint8_t *)"\x01", 1};

    (void)state;
    shelf_init(&shelf);
    struct cid x = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("x"));
    const struct hand_link entry = {"00a", x};
    struct cid cid = put_shard(&shelf, &entry, 1, bit0, 256);
    for (unsigned depth = 2; depth < 12; depth++) {
        const struct hand_link link = {"00", cid};
        cid = put_shard(&shelf, &link, 1, bit0, 256);
        assert_int_equal(list(&shelf, &cid, NULL, &err), depth <= 8 ? 1 : 0);
        assert_int_equal(err, depth <= 8 ? OK : E_LIMIT);
    }
    shelf_release(&shelf);
}

/* A shard below must be a shard, and of the same fanout. */
static void test_mixed(void **state)
{
    struct shelf shelf;
    enum err err = OK;
    const struct bytes bit0 = {(const uint8_t *)"\x01", 1};
    struct dir_found found;

    (void)state;
    shelf_init(&shelf);
    struct cid x = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("x"));
    const struct hand_link entry = {"0a", x};
    struct cid below = put_shard(&shelf, &entry, 1, bit0, 16);
    const struct hand_link to_16 = {"00", below};
    struct cid cid = put_shard(&shelf, &to_16, 1, bit0, 256);
    assert_int_equal(list(&shelf, &cid, NULL, &err), 0);
    assert_int_equal(err, E_MALFORMED);
    struct cid plain = put_shard(&shelf, NULL, 0, BYTES_EMPTY, 0);
    const struct hand_link to_plain = {"00", plain};
    cid = put_shard(&shelf, &to_plain, 1, bit0, 256);
    assert_int_equal(list(&shelf, &cid, NULL, &err), 0);
    assert_int_equal(err, E_UNSUPPORTED);
    assert_int_equal(list(&shelf, &x, NULL, &err), 0);
    assert_int_equal(err, E_UNSUPPORTED);
    (void)lookup(&shelf, x, "a", &err, &found);
    assert_int_equal(err, E_UNSUPPORTED);
    shelf_release(&shelf);
}

/* Of a name that is there twice the first counts when it is looked up. */
static void test_duplicate(void **state)
{
    struct shelf shelf;
    enum err err = OK;
    struct dir_found found;

    (void)state;
    shelf_init(&shelf);
    struct cid x = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("x"));
    struct cid y = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("y"));
    const struct hand_link links[] = {{"a", x}, {"a", y}};
    struct cid cid = put_shard(&shelf, links, 2, BYTES_EMPTY, 0);
    assert_int_equal(list(&shelf, &cid, NULL, &err), 2);
    (void)lookup(&shelf, cid, "a", &err, &found);
    assert_true(cid_eq(&found.cid, &x));
    shelf_release(&shelf);
}

static void test_safe_names(void **state)
{
    static const uint8_t with_nul[] = {'a', 0};

    (void)state;
    assert_true(dir_name_is_safe(BYTES_LIT("a")));
    assert_true(dir_name_is_safe(BYTES_LIT("...")));
    assert_true(dir_name_is_safe(BYTES_LIT("\xff\n")));
    assert_false(dir_name_is_safe(BYTES_EMPTY));
    assert_false(dir_name_is_safe(BYTES_LIT(".")));
    assert_false(dir_name_is_safe(BYTES_LIT("..")));
    assert_false(dir_name_is_safe(BYTES_LIT("a/b")));
    assert_false(dir_name_is_safe((struct bytes){with_nul, 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),    cmocka_unit_test(test_bad_shards),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_duplicate), cmocka_unit_test(test_safe_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
