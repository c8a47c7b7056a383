/*
 * Goal: files, folders and streams become the blocks that every other
 * implementation makes of them; nothing is lost, pinned too early or told in
 * another order, in whatever order jobs and writes end.
 * Method: import_world.h with CIDs known from elsewhere, several seeds.
 */
#include "node/import.h"
#include "node/import_run.h"

enum { SEEDS = 8, KIB = 1024, MIB = 1024 * 1024 };

static const struct {
    uint64_t size;
    const char *profile;
    const char *cid;
    enum tree_contents contents;
} files[] = {
    {0, "unixfs-v1-2025",
     "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
     TREE_PATTERN},
    {0, "kubo-v0", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
     TREE_PATTERN},
    {1, "kubo-v1",
     "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu",
     TREE_PATTERN},
    {1, "kubo-v0", "QmS9JArPwa55ePgDnyg6TzX24mYTS1b1vLqWNebyVotKxQ",
     TREE_PATTERN},
    {100, "unixfs-v1-2025",
     "bafkreif44cx7dhhvvjvhi2ndbvq5atsdo3slx5rycbjo5ht7gojfzfknki",
     TREE_PATTERN},
    {262144, "kubo-v1",
     "bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy",
     TREE_PATTERN},
    {262144, "kubo-v0", "QmeqfRyS3vkku7n6krqC3DgGMex3x2sCpSeKMDmrG13QQq",
     TREE_PATTERN},
    {262145, "kubo-v1",
     "bafybeiexg2oqkfnj56l7fcmawswqbijt5shq4b5rg6a546uwpkqqzwjioi",
     TREE_PATTERN},
    {262145, "kubo-v0", "QmUSjGawaz4ptvREcMKSMJneWCa5j8dAz2wSAAvHtW2rnB",
     TREE_PATTERN},
    {262145, "unixfs-v1-2025",
     "bafkreidkcavdl3yt2jt36sd4cuqnqk2p6vaxq66iykemz6mk527hnbqbni",
     TREE_PATTERN},
    {524288, "kubo-v1",
     "bafybeihjlsmgtdumwxouubhh32wpo5k73zuptoz5bcxxcx3tflxmhyct2a",
     TREE_PATTERN},
    {1048576, "unixfs-v1-2025",
     "bafkreidddocae7lltzjlkooe5a3tmiwsgazn7logjvqk7bzttsidpzhxne",
     TREE_PATTERN},
    {1048576, "kubo-v0", "QmXgkY4miMKJBrg8YYke4xw6C2n8WNsUc1GXLhN84k4QM3",
     TREE_PATTERN},
    {1048577, "unixfs-v1-2025",
     "bafybeidjogjfwuhbzwopgd4bn3skcf5m6oz72xshywcndzxgqb623nfclu",
     TREE_PATTERN},
    {1048577, "kubo-v1",
     "bafybeig7rd7v2ygpkiiyu3kzsojmrj3ujtinivk7fxid5p33t6kdewzvsm",
     TREE_PATTERN},
    {1048577, "kubo-v0", "QmXFGdWM6dMXHxGby9dZifmvH5ws2MwYCE1paUfJSp3Kj6",
     TREE_PATTERN},
    {10485760, "unixfs-v1-2025",
     "bafybeif2rqywpl7rk4lkdx35oqrgj4qvhbi4kdpefbwtq5a3e7a3toslbu",
     TREE_PATTERN},
    {10485760, "kubo-v0", "QmRAsWzZB1zs3xJ93dXhkhKkJjFLWCEC6h5HswGZgHVcxk",
     TREE_PATTERN},
    {UINT64_C(174) * 262144, "kubo-v1",
     "bafybeibxsa3ioclowpaq7b6gxl65gzqneopfr3fnhedak6sqr4bjz5lnyq", TREE_ZERO},
    {UINT64_C(174) * 262144 + 1, "kubo-v1",
     "bafybeihqwzd3o6q6v3pmwhzjy22vokhr767burokmqemg63hptx2nqd7ym", TREE_ZERO},
};

static void known_files(void **state)
{
    struct run *r;
    (void)state;
    for (size_t i = 0; i < countof(files); i++) {
        r = run_new(i, files[i].profile);
        (void)tree_add(&r->world.tree, "/d", DISK_IS_DIR);
        (void)tree_file(&r->world.tree, "/d/f", files[i].contents,
                        files[i].size);
        run_path(r, "/d/f");
        run_check_ok(r);
        assert_int_equal(r->items_count, 1);
        run_check_item(r, 0, "f", files[i].cid, files[i].size, true);
        assert_int_equal(r->world.pinned_count, 1);
        assert_true(cid_eq(&r->world.pinned[0].cid, &r->items[0].cid));
        assert_int_equal(r->world.synced, r->world.puts_done);
        assert_int_equal(r->progress.bytes_done, files[i].size);
        assert_int_equal(r->progress.bytes_total, files[i].size);
        assert_int_equal(r->progress.files_done, 1);
        run_release(r);
    }
}

/* The pieces that a stream comes in make no difference. */
static void streams_are_files(void **state)
{
    struct run *r;
    static const size_t pieces[] = {1, 4095, 65536, 262144, 300000, MIB};

    (void)state;
    for (size_t i = 0; i < countof(files); i++) {
        for (size_t j = files[i].size > 2000 ? 1 : 0; j < countof(pieces);
             j++) {
            r = run_new(i * 7 + j, files[i].profile);
            r->contents = files[i].contents;
            r->size = files[i].size;
            r->piece = pieces[j];
            run_start_stream(r, "name/of it");
            run_to_end(r);
            run_check_ok(r);
            assert_int_equal(r->items_count, 1);
            run_check_item(r, 0, "name/of it", files[i].cid, files[i].size,
                           true);
            assert_int_equal(r->world.pinned_count, 1);
            run_release(r);
        }
    }
}

static void stream_without_name(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(1, NULL);
    r->piece = 1;
    run_start_stream(r, "");
    run_to_end(r);
    run_check_ok(r);
    run_check_item(
        r, 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 0, true);
    run_release(r);
}

static void stream_is_wrapped(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(1, "kubo-v1");
    r->config.wrap = true;
    r->piece = 1;
    run_start_stream(r, "empty");
    run_to_end(r);
    run_check_ok(r);
    assert_int_equal(r->items_count, 2);
    run_check_item(r, 0, "empty", NULL, 0, false);
    run_check_item(r, 1, "", NULL, 0, true);
    run_release(r);

    r = run_new(2, "kubo-v1");
    r->config.wrap = true;
    run_start_stream(r, "a/b");
    run_to_end(r);
    run_check_fault(r, ERROR_BAD_NAME, "a/b");
    run_release(r);
}

/* How much a stream brings does not decide how much memory it needs. */
static void stream_has_to_wait(void **state)
{
    struct run *r;
    static const uint8_t bytes[MIB];
    size_t count = 0;

    (void)state;
    r = run_new(3, NULL);
    r->im = import_stream(&r->world, &r->config, BYTES_LIT("s"));
    while (count < 100 &&
           import_write(r->im, (struct bytes){bytes, MIB}, world_now))
        count++;
    assert_in_range(count, 1, 30);
    run_release(r);
}

static void make_known_folder(struct tree_disk *d)
{
    (void)tree_add(d, "/d", DISK_IS_DIR);
    (void)tree_add(d, "/d/sub", DISK_IS_DIR);
    (void)tree_text(d, "/d/sub/hello.txt", "hello world\n");
    (void)tree_text(d, "/d/sub/empty", "");
}

static void known_folders(void **state)
{
    struct run *r;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        r = run_new(seed, "kubo-v1");
        make_known_folder(&r->world.tree);
        run_path(r, "/d");
        run_check_ok(r);
        assert_int_equal(r->items_count, 4);
        run_check_item(
            r, 0, "d/sub/empty",
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 0,
            false);
        run_check_item(
            r, 1, "d/sub/hello.txt",
            "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4", 12,
            false);
        run_check_item(
            r, 2, "d/sub",
            "bafybeigsjbqhv4lzofheqt6juwfjypeezae2ktwsw6oliem4ggr72iuoay", 12,
            false);
        run_check_item(
            r, 3, "d",
            "bafybeicrm5xaugowss57e7q3gsfcykee7zxi7e7ojjcxu6f73cjzmmc24m", 12,
            true);
        assert_int_equal(r->world.pinned_count, 1);
        run_release(r);

        r = run_new(seed, "kubo-v0");
        make_known_folder(&r->world.tree);
        run_path(r, "/d/sub//");
        run_check_ok(r);
        run_check_item(r, 2, "sub",
                       "QmW3UcsRkuw1Xe3QQaWQTyFQHH81ydk2qaUj2Qth7ysQeG", 12,
                       true);
        run_release(r);
    }
}

static void empty_folder(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(1, "kubo-v0");
    (void)tree_add(&r->world.tree, "/d", DISK_IS_DIR);
    run_path(r, "/d");
    run_check_ok(r);
    run_check_item(r, 0, "d", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
                   0, true);
    run_release(r);
}

static void symlinks_stay_symlinks(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(1, "kubo-v0");
    (void)tree_add(&r->world.tree, "/d", DISK_IS_DIR);
    (void)tree_symlink(&r->world.tree, "/d/link", "foo");
    run_path(r, "/d");
    run_check_ok(r);
    assert_int_equal(r->items_count, 2);
    run_check_item(r, 0, "d/link",
                   "QmTB8BaCJdCH5H3k7GrxJsxgDNmNYGGR71C58ERkivXoj5", 0, false);
    run_release(r);

    r = run_new(2, "kubo-v0");
    (void)tree_symlink(&r->world.tree, "/link", "foo");
    run_path(r, "/link");
    run_check_ok(r);
    run_check_item(r, 0, "link",
                   "QmTB8BaCJdCH5H3k7GrxJsxgDNmNYGGR71C58ERkivXoj5", 0, true);
    run_release(r);
}

static void hidden_names(void **state)
{
    struct run *r;
    (void)state;
    for (int no_hidden = 0; no_hidden < 2; no_hidden++) {
        r = run_new(1, NULL);
        (void)tree_add(&r->world.tree, "/.d", DISK_IS_DIR);
        (void)tree_add(&r->world.tree, "/.d/.git", DISK_IS_DIR);
        (void)tree_text(&r->world.tree, "/.d/.git/x", "x");
        (void)tree_text(&r->world.tree, "/.d/.a", "a");
        (void)tree_text(&r->world.tree, "/.d/b", "b");
        r->config.no_hidden = no_hidden;
        run_path(r, "/.d");
        run_check_ok(r);
        if (no_hidden) {
            assert_int_equal(r->items_count, 2);
            run_check_item(r, 0, ".d/b", NULL, 1, false);
        } else {
            assert_int_equal(r->items_count, 5);
            run_check_item(r, 0, ".d/.a", NULL, 1, false);
            run_check_item(r, 1, ".d/.git/x", NULL, 1, false);
            run_check_item(r, 2, ".d/.git", NULL, 1, false);
        }
        run_release(r);
    }
}

static void several_roots(void **state)
{
    struct run *r;
    static const char *const paths[] = {"/z", "/d/sub", "/a"};

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        r = run_new(seed, "kubo-v1");
        make_known_folder(&r->world.tree);
        (void)tree_text(&r->world.tree, "/z", "z");
        (void)tree_text(&r->world.tree, "/a", "a");
        r->config.name = BYTES_LIT("my name");
        run_start(r, paths, countof(paths));
        run_to_end(r);
        run_check_ok(r);
        assert_int_equal(r->items_count, 5);
        run_check_item(r, 0, "z", NULL, 1, true);
        run_check_item(r, 1, "sub/empty", NULL, 0, false);
        run_check_item(r, 2, "sub/hello.txt", NULL, 12, false);
        run_check_item(r, 3, "sub", NULL, 12, true);
        run_check_item(r, 4, "a", NULL, 1, true);
        assert_int_equal(r->world.pinned_count, 3);
        assert_string_equal(r->world.pin_names[2], "my name");
        run_release(r);
    }
}

static void wrapped_roots(void **state)
{
    struct run *r;
    static const char *const paths[] = {"/d/sub/hello.txt", "/e"};

    (void)state;
    r = run_new(5, "kubo-v1");
    make_known_folder(&r->world.tree);
    (void)tree_text(&r->world.tree, "/e", "");
    r->config.wrap = true;
    run_start(r, paths, countof(paths));
    run_to_end(r);
    run_check_ok(r);
    assert_int_equal(r->items_count, 3);
    run_check_item(r, 0, "hello.txt", NULL, 12, false);
    run_check_item(r, 1, "e", NULL, 0, false);
    run_check_item(r, 2, "", NULL, 12, true);
    assert_int_equal(r->world.pinned_count, 1);
    run_release(r);

    static const char *const same[] = {"/d/sub", "/sub"};
    r = run_new(6, NULL);
    make_known_folder(&r->world.tree);
    (void)tree_text(&r->world.tree, "/sub", "another");
    r->config.wrap = true;
    run_start(r, same, countof(same));
    run_to_end(r);
    run_check_fault(r, ERROR_EXISTS, "sub");
    run_release(r);
}

static void nothing_is_stored(void **state)
{
    struct run *r;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        r = run_new(seed, "kubo-v1");
        make_known_folder(&r->world.tree);
        r->config.only_hash = true;
        run_path(r, "/d");
        run_check_ok(r);
        run_check_item(
            r, 3, "d",
            "bafybeicrm5xaugowss57e7q3gsfcykee7zxi7e7ojjcxu6f73cjzmmc24m", 12,
            true);
        assert_int_equal(r->world.put_calls, 0);
        assert_int_equal(r->world.pinned_count, 0);
        run_release(r);
    }
}

static void no_pin(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(1, NULL);
    make_known_folder(&r->world.tree);
    r->config.no_pin = true;
    run_path(r, "/d");
    run_check_ok(r);
    assert_int_equal(r->world.pinned_count, 0);
    assert_int_equal(r->world.synced, r->world.puts_done);
    run_release(r);
}

/* A folder of small and large files, symlinks and folders; its CID does not
 * depend on any order, nor on how full the store is. */
static void make_mixed(struct tree_disk *d)
{
    char path[64];

    (void)tree_add(d, "/m", DISK_IS_DIR);
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(path, sizeof(path), "/m/%u", i * 7919 % 300);
        if (i % 41 == 0) {
            (void)tree_file(d, path, TREE_PATTERN, (uint64_t)i * 20000);
        } else if (i % 11 == 0) {
            (void)tree_symlink(d, path, "../somewhere");
        } else if (i % 10 == 0) {
            (void)tree_add(d, path, DISK_IS_DIR);
            (void)snprintf(path, sizeof(path), "/m/%u/x", i * 7919 % 300);
            (void)tree_file(d, path, TREE_PATTERN, i);
            path[strlen(path) - 1] = 'y';
            (void)tree_add(d, path, DISK_IS_DIR);
        } else {
            (void)tree_file(d, path, TREE_PATTERN, (uint64_t)i * 500);
        }
    }
}

static void order_does_not_matter(void **state)
{
    struct run *r;
    struct cid cid = {.version = 0};

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        r = run_new(seed, "kubo-v1");
        make_mixed(&r->world.tree);
        r->world.puts_most = seed % 3 * 5;
        run_path(r, "/m");
        run_check_ok(r);
        const struct run_item *last = &r->items[r->items_count - 1];
        assert_string_equal(last->path, "m");
        for (size_t i = 0; i < r->items_count; i++)
            assert_true(world_has(&r->world, &r->items[i].cid));
        if (seed > 0)
            assert_true(cid_eq(&cid, &last->cid));
        cid = last->cid;
        assert_int_equal(r->progress.bytes_done, r->progress.bytes_total);
        assert_int_equal(last->bytes, r->progress.bytes_total);
        run_release(r);
    }
}

/* While the store takes its time, memory stays bounded and the loop is free. */
static void slow_store(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(9, NULL);
    (void)tree_file(&r->world.tree, "/f", TREE_ZERO, UINT64_C(100) * MIB);
    r->world.hold = true;
    run_path(r, "/f");
    assert_int_equal(r->done_count, 0);
    assert_in_range(r->world.puts_count, 1, 24);
    r->world.hold = false;
    run_to_end(r);
    run_check_ok(r);
    run_release(r);
}

/* Sharded, and so large that it is sorted in a job. */
static void large_folder(void **state)
{
    struct run *r;
    char path[32];

    (void)state;
    r = run_new(4, "kubo-v1");
    (void)tree_add(&r->world.tree, "/m", DISK_IS_DIR);
    for (unsigned i = 1; i <= 4095; i++) {
        (void)snprintf(path, sizeof(path), "/m/%u.txt", i);
        (void)tree_text(&r->world.tree, path, "hello world\n");
    }
    run_path(r, "/m");
    run_check_ok(r);
    assert_int_equal(r->items_count, 4096);
    run_check_item(r, 4095, "m", NULL, UINT64_C(4095) * 12, true);
    run_release(r);

    r = run_new(5, "kubo-v1");
    (void)tree_add(&r->world.tree, "/m", DISK_IS_DIR);
    (void)tree_add(&r->world.tree, "/m/l", DISK_IS_DIR);
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(path, sizeof(path), "/m/l/%u.txt", i);
        (void)tree_text(&r->world.tree, path, "hello world\n");
    }
    r->config.no_pin = true;
    run_start(r, (const char *const[]){"/m"}, 1);
    for (;;) {
        /* Only the last ones are of interest. */
        for (; r->items_count > 100; r->items_count--)
            mem_free(r->items[r->items_count - 1].path);
        if (r->done_count > 0 || !world_step(&r->world))
            break;
    }
    run_check_ok(r);
    run_release(r);
}

/* chunk lengths that make many leaves a piece, and hardly one. */
static void odd_chunks(void **state)
{
    struct run *r;
    static const uint32_t chunks[] = {1, 255, 256, 5000, CHUNK_BYTES_MAX};
    const struct import_profile *v0;

    (void)state;
    assert_int_equal(profile_find(BYTES_LIT("kubo-v0"), &v0), OK);
    for (size_t i = 0; i < countof(chunks); i++) {
        struct cid cid;
        uint64_t size = chunks[i] * UINT64_C(3) + (chunks[i] > 1);
        r = run_new(i, "kubo-v0");
        r->config.profile.chunk_bytes = chunks[i];
        (void)tree_file(&r->world.tree, "/f", TREE_PATTERN, size);
        run_path(r, "/f");
        run_check_ok(r);
        cid = r->items[0].cid;
        run_release(r);

        r = run_new(i, "kubo-v0");
        r->config.profile.chunk_bytes = chunks[i];
        r->contents = TREE_PATTERN;
        r->size = size;
        r->piece = 777;
        run_start_stream(r, "f");
        run_to_end(r);
        run_check_ok(r);
        assert_true(cid_eq(&cid, &r->items[0].cid));
        run_release(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_files),
        cmocka_unit_test(streams_are_files),
        cmocka_unit_test(stream_without_name),
        cmocka_unit_test(stream_is_wrapped),
        cmocka_unit_test(stream_has_to_wait),
        cmocka_unit_test(known_folders),
        cmocka_unit_test(empty_folder),
        cmocka_unit_test(symlinks_stay_symlinks),
        cmocka_unit_test(hidden_names),
        cmocka_unit_test(several_roots),
        cmocka_unit_test(wrapped_roots),
        cmocka_unit_test(nothing_is_stored),
        cmocka_unit_test(no_pin),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(slow_store),
        cmocka_unit_test(large_folder),
        cmocka_unit_test(odd_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
