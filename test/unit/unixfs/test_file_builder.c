/*
 * Files get the CIDs that other implementations give them.  Goal: the layout
 * rules, for each profile, at one chunk, at a full node, one byte past it, and
 * three levels deep.  Method: known CIDs, those that kubo publishes with its
 * tests, and others by a model that reproduces them.
 */
#include "base/mem.h"
#include "ipld/dag_pb.h"
#include "shelf.h"
#include "unixfs/file_builder.h"
#include "unixfs/leaf.h"

#include "test.h"

static void check_cid(const struct dag_link *link, const char *want)
{
    assert_string_equal(text_of(&link->cid), want);
}

static void test_text(void **state)
{
    struct import_profile v0 = find_profile("kubo-v0");
    struct import_profile v1 = find_profile("unixfs-v1-2025");
    struct import_profile no_raw = v1;
    no_raw.raw_leaves = false;
    const struct {
        const struct import_profile *profile;
        const char *text;
        const char *cid;
    } cases[] = {
        {&v0, "hello world", "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"},
        {&v1, "hello world",
         "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"},
        {&v1, "hello world\n",
         "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"},
        {&v0, "", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"},
        {&v1, "",
         "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
        {&no_raw, "hello world",
         "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa"},
    };

    (void)state;
    for (size_t i = 0; i < countof(cases); i++) {
        struct dag_link link =
            import_bytes(NULL, cases[i].profile, bytes_str(cases[i].text));
        check_cid(&link, cases[i].cid);
        assert_int_equal(link.file_bytes, strlen(cases[i].text));
    }
}

/* "helloworld" in chunks of 4: the whole block, by hand. */
static void test_small_node(void **state)
{
    static const char want[] =
        "122a0a24015512200ebdc3317b75839f643387d783535adc360ca01f33c75f7c1e7373"
        "adcd675c0b12001804122a0a2401551220564b62f865905240d0aa71414c0882d36301"
        "830e304233085c8a6b328bddb7ed12001804122a0a2401551220e5a08ffd3d7509c66e"
        "79642edbdcd8ed889269a7164c718afca541304188423d120018020a0a0802180a2004"
        "20042002";
    struct import_profile v1 = find_profile("kubo-v1");
    struct import_profile v0 = find_profile("kubo-v0");
    uint8_t block[256];
    size_t len = unhex(want, block, sizeof(block));
    struct shelf shelf;

    (void)state;
    v1.chunk_bytes = 4;
    v0.chunk_bytes = 4;
    shelf_init(&shelf);
    struct dag_link link = import_bytes(&shelf, &v1, BYTES_LIT("helloworld"));
    check_cid(&link,
              "bafybeicnebvlue367acvdumqysu3wpj476ptf3dwx354c5dccgjtfs7wc4");
    const struct block *b = shelf_find(&shelf, &link.cid);
    assert_int_equal(b->data.bytes.len, len);
    assert_memory_equal(b->data.bytes.p, block, len);
    assert_int_equal(link.tsize, len + 10);
    link = import_bytes(&shelf, &v0, BYTES_LIT("helloworld"));
    check_cid(&link, "QmbfDZ1fnXbPsnBJmgfX2b8xLueGFi15pAeJRL28ZpC6tC");
    shelf_release(&shelf);
}

struct sized {
    uint64_t size;
    uint64_t tsize; /* 0: not known */
    const char *cid;
};

static void check_sizes(const char *profile, struct source source,
                        const struct sized *cases, size_t count)
{
    struct import_profile p = find_profile(profile);

    for (size_t i = 0; i < count; i++) {
        struct dag_link link = import_file(NULL, &p, source, cases[i].size);
        check_cid(&link, cases[i].cid);
        assert_int_equal(link.file_bytes, cases[i].size);
        if (cases[i].tsize > 0)
            assert_int_equal(link.tsize, cases[i].tsize);
    }
}

static void test_pattern_v1(void **state)
{
    static const struct sized cases[] = {
        {1, 1, "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"},
        {100, 100,
         "bafkreif44cx7dhhvvjvhi2ndbvq5atsdo3slx5rycbjo5ht7gojfzfknki"},
        {262143, 262143,
         "bafkreiagptg6ztonoojy4wflk3wwusl5xt4vcy6uult4wa7oemsjtxhjsu"},
        {262144, 262144,
         "bafkreibruh455iawsviqslif5c7uurdcfdemh22mtnytyzvnzn75kpejxy"},
        {262145, 262249,
         "bafybeiexg2oqkfnj56l7fcmawswqbijt5shq4b5rg6a546uwpkqqzwjioi"},
        {524288, 524396,
         "bafybeihjlsmgtdumwxouubhh32wpo5k73zuptoz5bcxxcx3tflxmhyct2a"},
        {1048576, 1048784,
         "bafybeiedpcapwld4tkgtzwahfofgn4wex5ryysf4se6hwpmlrsh4ntnrau"},
        {1048577, 1048831,
         "bafybeig7rd7v2ygpkiiyu3kzsojmrj3ujtinivk7fxid5p33t6kdewzvsm"},
        {10485760, 10487770,
         "bafybeih4kagh7adu5njlrodpibagiyttjpsfgsxw5buthmrw5edmkavvqi"},
    };

    (void)state;
    check_sizes("kubo-v1", source_pattern(), cases, countof(cases));
}

static void test_pattern_v0(void **state)
{
    static const struct sized cases[] = {
        {1, 9, "QmS9JArPwa55ePgDnyg6TzX24mYTS1b1vLqWNebyVotKxQ"},
        {100, 108, "Qmc79UcrLnTXJkkgneodRrovzxKvYzHdyJx675X5iAjkVr"},
        {262143, 262157, "QmRfm83kqBpGJbGxJg1en9hpwq8eNnP4E2Dj8K73F4m983"},
        {262144, 262158, "QmeqfRyS3vkku7n6krqC3DgGMex3x2sCpSeKMDmrG13QQq"},
        {262145, 262267, "QmUSjGawaz4ptvREcMKSMJneWCa5j8dAz2wSAAvHtW2rnB"},
        {524288, 524420, "QmX9AxjaxS7HCFKUdcQRgNKmfEj9hhjTsE57CB5iPe8zus"},
        {1048576, 1048832, "QmXgkY4miMKJBrg8YYke4xw6C2n8WNsUc1GXLhN84k4QM3"},
        {1048577, 1048885, "QmXFGdWM6dMXHxGby9dZifmvH5ws2MwYCE1paUfJSp3Kj6"},
        {10485760, 10488250, "QmRAsWzZB1zs3xJ93dXhkhKkJjFLWCEC6h5HswGZgHVcxk"},
    };

    (void)state;
    check_sizes("kubo-v0", source_pattern(), cases, countof(cases));
}

static void test_pattern_v1_2025(void **state)
{
    static const struct sized cases[] = {
        {1, 1, "bafkreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"},
        {100, 100,
         "bafkreif44cx7dhhvvjvhi2ndbvq5atsdo3slx5rycbjo5ht7gojfzfknki"},
        {262145, 262145,
         "bafkreidkcavdl3yt2jt36sd4cuqnqk2p6vaxq66iykemz6mk527hnbqbni"},
        {524288, 524288,
         "bafkreidb2hm4k5c33kspvm4sibsrxqscuumgwfjzh7khkcbpz5xij5aavm"},
        {1048576, 1048576,
         "bafkreidddocae7lltzjlkooe5a3tmiwsgazn7logjvqk7bzttsidpzhxne"},
        {1048577, 1048681,
         "bafybeidjogjfwuhbzwopgd4bn3skcf5m6oz72xshywcndzxgqb623nfclu"},
        {10485760, 10486269,
         "bafybeif2rqywpl7rk4lkdx35oqrgj4qvhbi4kdpefbwtq5a3e7a3toslbu"},
    };

    (void)state;
    check_sizes("unixfs-v1-2025", source_pattern(), cases, countof(cases));
}

/* The files of kubo's own tests of profiles: chunk and node, full and past. */
static void test_kubo_streams(void **state)
{
    static const struct sized chunk_v0[] = {
        {262144, 0, "QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE"},
        {262145, 0, "QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ"},
    };
    static const struct sized node_v0[] = {
        {UINT64_C(174) * 262144, 0,
         "QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2"},
        {UINT64_C(174) * 262144 + 1, 0,
         "QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW"},
    };
    static const struct sized chunk_v1[] = {
        {1048576, 0,
         "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta"},
        {1048577, 0,
         "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64"},
    };

    (void)state;
    check_sizes("kubo-v0", source_stream("chunk-v0-seed"), chunk_v0, 2);
    check_sizes("kubo-v0", source_stream("v0-seed"), node_v0, 2);
    check_sizes("unixfs-v1-2025", source_stream("chunk-v1-seed"), chunk_v1, 2);
}

/* 1 GiB: with XMBL_TEST_LARGE only, as it takes seconds. */
static void test_kubo_large(void **state)
{
    static const struct sized cases[] = {
        {UINT64_C(1024) * 1048576, 0,
         "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm"},
        {UINT64_C(1024) * 1048576 + 1, 0,
         "bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe"},
    };

    (void)state;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread */
    if (getenv("XMBL_TEST_LARGE") == NULL)
        skip();
    check_sizes("unixfs-v1-2025", source_stream("v1-2025-seed"), cases, 2);
}

static struct dag_link repeat(const struct import_profile *p,
                              struct bytes chunk, size_t count,
                              struct bytes tail)
{
    struct file_import *f = file_import_new(NULL, p);

    for (size_t i = 0; i < count; i++)
        file_import_chunk(f, chunk);
    if (tail.len > 0)
        file_import_chunk(f, tail);
    return file_import_finish(f);
}

/* Full and just over full nodes of width 174, with equal leaves. */
static void test_zeros(void **state)
{
    static const struct {
        size_t count;
        size_t tail_len;
        const char *cid;
    } cases[] = {
        {174, 0, "bafybeibxsa3ioclowpaq7b6gxl65gzqneopfr3fnhedak6sqr4bjz5lnyq"},
        {174, 1, "bafybeihqwzd3o6q6v3pmwhzjy22vokhr767burokmqemg63hptx2nqd7ym"},
        {175, 0, "bafybeigfps5vzivfspwgm3uwsfyl5s6bn3ysh7uqidgauxgopw4yi66lse"},
        {348, 0, "bafybeigbbtzlzpitbdkziebtgdtwklm754jbnqz5hdbbc5apukpdbgqdte"},
        {348, 1, "bafybeigwxvsv3tspcpqa6ri2wts2ouxkdfexjuax45heyfiwmykapwjf3a"},
    };
    struct import_profile p = find_profile("kubo-v1");
    uint8_t *zeros = mem_zalloc(p.chunk_bytes, 1);
    const struct bytes chunk = {zeros, p.chunk_bytes};
    uint8_t digest[32];

    (void)state;
    struct multihash hash = multihash_sha256(chunk);
    memcpy(digest, hash.digest, sizeof(digest));
    struct multihash last = multihash_sha256((struct bytes){zeros, 1});
    for (size_t i = 0; i < countof(cases); i++) {
        struct file_builder b;
        struct block *out;
        struct dag_link root;
        file_builder_init(&b, &p);
        struct dag_link leaf = leaf_link(&p, digest, chunk.len);
        for (size_t k = 0; k < cases[i].count; k++) {
            assert_int_equal(file_builder_leaf(&b, &leaf), OK);
            while (file_builder_next(&b, &out))
                block_unref(out);
        }
        leaf = leaf_link(&p, last.digest, 1);
        if (cases[i].tail_len > 0)
            assert_int_equal(file_builder_leaf(&b, &leaf), OK);
        while (file_builder_next(&b, &out))
            block_unref(out);
        file_builder_finish(&b, &root);
        check_cid(&root, cases[i].cid);
        file_builder_release(&b); /* with outputs that nobody took */
    }
    mem_free(zeros);
}

static void test_three_levels(void **state)
{
    static const struct {
        const char *profile;
        bool has_tail;
        uint64_t tsize;
        const char *cid;
    } cases[] = {
        {"kubo-v1", false, 9214180,
         "bafybeie646ellflgdmaldwwict3aue7rjievkkna55zlt2htyfyoaphg5y"},
        {"kubo-v1", true, 9214392,
         "bafybeibrd5pzs2dw6xslt2rmw2kyq3jnt6kcloao3netzcgva5vcn4iple"},
        {"kubo-v0", false, 9486316,
         "Qmf1cYv4EzC1utBdooDYWkj1bX46VpiPecKNoHCEtXGAfr"},
        {"kubo-v0", true, 9486528,
         "QmYfFZ3m2VUTyEn2p7huxCzFZKsUjpQrgongpc9nZtjJnp"},
    };
    uint8_t chunk[256];
    struct source source = source_pattern();

    (void)state;
    source_read(&source, chunk, sizeof(chunk));
    for (size_t i = 0; i < countof(cases); i++) {
        struct import_profile p = find_profile(cases[i].profile);
        p.chunk_bytes = sizeof(chunk);
        struct dag_link link =
            repeat(&p, (struct bytes){chunk, sizeof(chunk)}, (size_t)174 * 174,
                   cases[i].has_tail ? BYTES_LIT("x") : BYTES_EMPTY);
        check_cid(&link, cases[i].cid);
        assert_int_equal(link.tsize, cases[i].tsize);
    }
}

/*
 * The layout for widths 2 to 4 and up to 40 leaves, against the definition: a
 * tree grows by a root above when it is full, children are built to the same
 * depth.  The model counts nodes and the links of the root.
 */
static size_t model_root_links(size_t leaves, size_t width)
{
    size_t below = leaves;

    while (below > width)
        below = (below + width - 1) / width;
    return below;
}

static void test_widths(void **state)
{
    (void)state;
    for (uint32_t width = 2; width <= 4; width++) {
        for (size_t leaves = 2; leaves <= 40; leaves++) {
            struct import_profile p = find_profile("kubo-v1");
            p.chunk_bytes = 1;
            p.width = width;
            struct shelf shelf;
            shelf_init(&shelf);
            uint8_t bytes[40];
            for (size_t i = 0; i < leaves; i++)
                bytes[i] = (uint8_t)i;
            struct dag_link link =
                import_bytes(&shelf, &p, (struct bytes){bytes, leaves});
            /* Leaves all differ, so that each node is a block of its own. */
            size_t nodes = shelf.blocks.count - leaves;
            size_t want = 0;
            for (size_t n = leaves; n > 1; n = (n + width - 1) / width)
                want += (n + width - 1) / width;
            assert_int_equal(nodes, want);
            struct dag_pb pb;
            const struct block *root = shelf_find(&shelf, &link.cid);
            assert_int_equal(dag_pb_open(root->data.bytes, &pb), OK);
            assert_int_equal(pb.links_count, model_root_links(leaves, width));
            shelf_release(&shelf);
        }
    }
}

/* Sizes past 2^63 are refused before a sum can wrap. */
static void test_size_limit(void **state)
{
    struct import_profile p = find_profile("kubo-v1");
    struct file_builder b;
    uint8_t digest[32] = {1};

    (void)state;
    file_builder_init(&b, &p);
    struct dag_link leaf = leaf_link(&p, digest, 1);
    leaf.file_bytes = INT64_MAX;
    assert_int_equal(file_builder_leaf(&b, &leaf), OK);
    leaf.file_bytes = 1;
    assert_int_equal(file_builder_leaf(&b, &leaf), E_LIMIT);
    file_builder_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_small_node),
        cmocka_unit_test(test_pattern_v1),
        cmocka_unit_test(test_pattern_v0),
        cmocka_unit_test(test_pattern_v1_2025),
        cmocka_unit_test(test_kubo_streams),
        cmocka_unit_test(test_kubo_large),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_three_levels),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_size_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
