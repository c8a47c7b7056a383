/*
 * Folders get the CIDs that other implementations give them.  Goal: order of
 * names, the two ways to decide on sharding, at the limit and past it, and the
 * shape of the shards.  Method: known CIDs of kubo's published tests, of the
 * gateway conformance fixtures, and of a model that reproduces both.
 */
#include "base/mem.h"
#include "ipld/dag_pb.h"
#include "shelf.h"
#include "unixfs/dir_builder.h"
#include "unixfs/hamt.h"
#include "unixfs/murmur3.h"

#include "test.h"

static struct dag_link finish(struct dir_builder *b, struct shelf *shelf)
{
    struct block *block = NULL;

    assert_int_equal(dir_builder_finish(b), OK);
    enum err err = dir_builder_next(b, &block);
    while (err == OK) {
        shelf_put(shelf, block);
        err = dir_builder_next(b, &block);
    }
    assert_int_equal(err, E_NOTFOUND);
    struct dag_link root = dir_builder_root(b);
    dir_builder_release(b);
    return root;
}

static void add(struct dir_builder *b, const char *name,
                const struct dag_link *link)
{
    assert_int_equal(dir_builder_add(b, bytes_str(name), link), OK);
}

static void check(const struct dag_link *link, const char *cid, uint64_t tsize)
{
    assert_string_equal(text_of(&link->cid), cid);
    if (tsize > 0)
        assert_int_equal(link->tsize, tsize);
    assert_int_equal(link->file_bytes, 0);
}

static void test_empty(void **state)
{
    struct import_profile v0 = find_profile("kubo-v0");
    struct import_profile v1 = find_profile("unixfs-v1-2025");
    struct dir_builder b;

    (void)state;
    dir_builder_init(&b, &v0);
    struct dag_link link = finish(&b, NULL);
    check(&link, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", 4);
    dir_builder_init(&b, &v1);
    link = finish(&b, NULL);
    check(&link, "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354",
          4);
    dir_builder_init(&b, &v1);
    dir_builder_release(&b);
}

static struct dag_link two_entries(const char *profile, bool reversed)
{
    struct import_profile p = find_profile(profile);
    struct dag_link hello = import_bytes(NULL, &p, BYTES_LIT("hello world\n"));
    struct dag_link empty = import_bytes(NULL, &p, BYTES_EMPTY);
    struct dir_builder b;

    dir_builder_init(&b, &p);
    add(&b, reversed ? "hello.txt" : "empty", reversed ? &hello : &empty);
    add(&b, reversed ? "empty" : "hello.txt", reversed ? &empty : &hello);
    return finish(&b, NULL);
}

static void test_two(void **state)
{
    static const char v1[] =
        "bafybeigsjbqhv4lzofheqt6juwfjypeezae2ktwsw6oliem4ggr72iuoay";
    struct import_profile p = find_profile("kubo-v1");
    struct dir_builder b;

    (void)state;
    struct dag_link link = two_entries("kubo-v0", false);
    check(&link, "QmW3UcsRkuw1Xe3QQaWQTyFQHH81ydk2qaUj2Qth7ysQeG", 128);
    link = two_entries("kubo-v1", false);
    check(&link, v1, 118);
    link = two_entries("kubo-v1", true);
    check(&link, v1, 118);
    dir_builder_init(&b, &p);
    add(&b, "sub", &link);
    link = finish(&b, NULL);
    check(&link, "bafybeicrm5xaugowss57e7q3gsfcykee7zxi7e7ojjcxu6f73cjzmmc24m",
          169);
}

/* Names of kubo's tests of profiles: the key stream of a seed, in letters. */
static struct dag_link stream_dir(const char *profile, const char *seed,
                                  size_t count, size_t len, size_t last_len)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz01234567890-_";
    struct import_profile p = find_profile(profile);
    struct dag_link x = import_bytes(NULL, &p, BYTES_LIT("x"));
    struct source source = source_stream(seed);
    struct dir_builder b;

    dir_builder_init(&b, &p);
    for (size_t i = 0; i < count; i++) {
        uint8_t name[64];
        size_t name_len = i + 1 == count ? last_len : len;
        source_read(&source, name, name_len);
        for (size_t k = 0; k < name_len; k++)
            name[k] = (uint8_t)letters[name[k] % 39];
        assert_int_equal(
            dir_builder_add(&b, (struct bytes){name, name_len}, &x), OK);
    }
    return finish(&b, NULL);
}

/* Just at the limit a folder is one block, one byte past it it is sharded. */
static void test_threshold(void **state)
{
    (void)state;
    struct dag_link link =
        stream_dir("kubo-v0", "hamt-unixfs-v0-2015", 4096, 30, 30);
    check(&link, "QmX5GtRk3TSSEHtdrykgqm4eqMEn3n2XhfkFAis5fjyZmN", 0);
    link = stream_dir("kubo-v0", "hamt-unixfs-v0-2015", 4033, 31, 31);
    check(&link, "QmeMiJzmhpJAUgynAcxTQYek5PPKgdv3qEvFsdV3XpVnvP", 0);
    link = stream_dir("unixfs-v1-2025", "hamt-unixfs-v1-2025", 4766, 11, 21);
    check(&link, "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4",
          0);
    link = stream_dir("unixfs-v1-2025", "hamt-unixfs-v1-2025", 4766, 11, 22);
    check(&link, "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu",
          0);
}

static struct dag_link numbered(const struct import_profile *p, unsigned first,
                                unsigned last, const struct dag_link *link)
{
    struct dir_builder b;
    char name[32];

    dir_builder_init(&b, p);
    for (unsigned i = last + 1; i-- > first;) {
        (void)snprintf(name, sizeof(name), "%u.txt", i); /* always fits */
        add(&b, name, link);
    }
    return finish(&b, NULL);
}

static void test_sharded(void **state)
{
    static const char target[] =
        "bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa";
    struct import_profile p = find_profile("kubo-v1");
    struct dag_link file = {.tsize = 1271};
    struct dir_builder b;

    (void)state;
    p.dir_limit_bytes = 0; /* shard whatever is not empty */
    assert_int_equal(cid_parse(bytes_str(target), &file.cid), OK);
    struct dag_link link = numbered(&p, 1, 1000, &file);
    check(&link, "bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i",
          0);
    file = import_bytes(NULL, &p, BYTES_LIT("hello world\n"));
    link = numbered(&p, 0, 299, &file);
    check(&link, "bafybeibadpeunjkvvmwpvncc5vasnrtb7axmmak6nyarhesak5arkfkm5u",
          26194);
    dir_builder_init(&b, &p);
    add(&b, "742.txt", &file);
    add(&b, "470.txt", &file);
    link = finish(&b, NULL);
    check(&link, "bafybeib7bvol5sw27njvsdhsnsr7oyz6vjvliedzaegwuqxlzgeg72de5i",
          232);
}

static void test_names(void **state)
{
    static const uint8_t with_nul[] = {'a', 0, 'b'};
    struct import_profile p = find_profile("kubo-v1");
    struct dag_link x = import_bytes(NULL, &p, BYTES_LIT("x"));
    struct dir_builder b;
    uint8_t *longest = mem_zalloc(DIR_NAME_BYTES_MAX + 1, 1);

    (void)state;
    memset(longest, 'n', DIR_NAME_BYTES_MAX + 1);
    dir_builder_init(&b, &p);
    assert_int_equal(dir_builder_add(&b, BYTES_EMPTY, &x), E_MALFORMED);
    assert_int_equal(dir_builder_add(&b, BYTES_LIT("a/b"), &x), E_MALFORMED);
    assert_int_equal(
        dir_builder_add(&b, (struct bytes){with_nul, sizeof(with_nul)}, &x),
        E_MALFORMED);
    assert_int_equal(
        dir_builder_add(&b, (struct bytes){longest, DIR_NAME_BYTES_MAX + 1},
                        &x),
        E_LIMIT);
    assert_int_equal(
        dir_builder_add(&b, (struct bytes){longest, DIR_NAME_BYTES_MAX}, &x),
        OK);
    add(&b, "..", &x);
    add(&b, "\xff\xfe", &x);
    (void)finish(&b, NULL); /* that it can be finished is what counts */
    mem_free(longest);
}

static void check_duplicate(uint32_t limit, unsigned count)
{
    struct import_profile p = find_profile("kubo-v1");
    struct dag_link x = import_bytes(NULL, &p, BYTES_LIT("x"));
    struct dir_builder b;
    char name[32];

    p.dir_limit_bytes = limit;
    dir_builder_init(&b, &p);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "%u", i); /* always fits */
        add(&b, name, &x);
    }
    add(&b, "1", &x);
    assert_int_equal(dir_builder_finish(&b), E_EXISTS);
    struct bytes twice = dir_builder_duplicate(&b);
    assert_int_equal(twice.len, 1);
    assert_memory_equal(twice.p, "1", 1);
    dir_builder_release(&b);
}

static void test_duplicates(void **state)
{
    (void)state;
    check_duplicate(0, 2);
    check_duplicate(0, 1000);
    check_duplicate(DIR_LIMIT_BYTES_MAX, 2);
    check_duplicate(DIR_LIMIT_BYTES_MAX, 1000);
}

/* Each shard of @shelf is one that can be opened, of @fanout. */
static void check_shards(const struct shelf *shelf, uint32_t fanout)
{
    map_for_each (it, &shelf->blocks) {
        struct cid cid;
        struct dag_pb pb;
        struct unixfs u;
        struct hamt_shard shard;
        assert_int_equal(cid_decode(it->key, &cid), OK);
        const struct block *b = shelf_find(shelf, &cid);
        assert_int_equal(dag_pb_open(b->data.bytes, &pb), OK);
        assert_int_equal(unixfs_decode(pb.data, &u), OK);
        assert_int_equal(u.type, UNIXFS_HAMT);
        assert_int_equal(u.fanout, fanout);
        assert_int_equal(hamt_open(&pb, &u, &shard), OK);
    }
}

static void test_fanouts(void **state)
{
    (void)state;
    for (uint32_t fanout = UNIXFS_FANOUT_MIN; fanout <= UNIXFS_FANOUT_MAX;
         fanout *= 2) {
        struct import_profile p = find_profile("kubo-v1");
        struct dag_link x = import_bytes(NULL, &p, BYTES_LIT("x"));
        struct dir_builder b;
        struct shelf shelf;
        char name[32];
        p.dir_limit_bytes = 0;
        p.hamt_fanout = fanout;
        shelf_init(&shelf);
        dir_builder_init(&b, &p);
        for (unsigned i = 0; i < 2000; i++) {
            (void)snprintf(name, sizeof(name), "%u", i); /* always fits */
            add(&b, name, &x);
        }
        (void)finish(&b, &shelf); /* the blocks are looked at instead */
        check_shards(&shelf, fanout);
        shelf_release(&shelf);
    }
}

/* Many entries, and given up in the middle of making the blocks. */
static void test_many(void **state)
{
    struct import_profile p = find_profile("unixfs-v1-2025");
    struct dag_link x = import_bytes(NULL, &p, BYTES_LIT("x"));
    struct dir_builder b;
    struct block *block = NULL;
    char name[32];

    (void)state;
    dir_builder_init(&b, &p);
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(name, sizeof(name), "file-%u", i); /* always fits */
        add(&b, name, &x);
    }
    assert_int_equal(dir_builder_finish(&b), OK);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(dir_builder_next(&b, &block), OK);
        block_unref(block);
    }
    dir_builder_release(&b);
}

static void test_symlink(void **state)
{
    static const uint8_t foo[] = {0x0a, 0x07, 0x08, 0x04, 0x12,
                                  0x03, 'f',  'o',  'o'};
    struct import_profile v0 = find_profile("kubo-v0");
    uint8_t target[UNIXFS_SYMLINK_BYTES_MAX + 1];
    struct block *b = NULL;
    struct dag_link link;

    (void)state;
    assert_int_equal(symlink_block(&v0, BYTES_LIT("foo"), &b, &link), OK);
    check(&link, "QmTB8BaCJdCH5H3k7GrxJsxgDNmNYGGR71C58ERkivXoj5", sizeof(foo));
    assert_int_equal(b->data.bytes.len, sizeof(foo));
    assert_memory_equal(b->data.bytes.p, foo, sizeof(foo));
    block_unref(b);
    memset(target, 't', sizeof(target));
    assert_int_equal(
        symlink_block(&v0, (struct bytes){target, sizeof(target)}, &b, &link),
        E_LIMIT);
    assert_int_equal(symlink_block(&v0,
                                   (struct bytes){target, sizeof(target) - 1},
                                   &b, &link),
                     OK);
    block_unref(b);
    assert_int_equal(symlink_block(&v0, BYTES_EMPTY, &b, &link), E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),     cmocka_unit_test(test_two),
        cmocka_unit_test(test_threshold), cmocka_unit_test(test_sharded),
        cmocka_unit_test(test_names),     cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_fanouts),   cmocka_unit_test(test_many),
        cmocka_unit_test(test_symlink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
