/*
 * Reading files, whatever their shape and in whatever order blocks arrive.
 * Goal: the bytes that come out are those of the file, never more is wanted
 * than the lookahead allows, the next inner node is wanted before the present
 * one is used up, and each lie about a size is found.  Method: a driver that
 * answers wants in an order that a seed decides and compares with a model that
 * reads the same tree the simple way; trees by the builder, and odd ones that
 * no builder makes.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_pb.h"
#include "shelf.h"
#include "unixfs/file_reader.h"
#include "unixfs/unixfs.h"

#include "test.h"

enum { FLIGHT_MAX = 4096 };

/* A reading under test: what is in flight, and what has come out. */
struct trial {
    struct file_reader reader;
    const struct shelf *shelf;
    struct dice dice;
    struct file_want flight[FLIGHT_MAX];
    size_t flight_count;
    size_t flight_most;
    uint64_t wanted; /* blocks asked for */
    uint64_t flight_bytes;
    uint64_t flight_bytes_most;
    const uint8_t *model; /* the file */
    uint8_t *seen;        /* for each byte of the range, how often it came */
    uint64_t from;
    uint64_t to;
    uint64_t next; /* in an ordered reading */
    bool ended;
    enum err err;
};

static void trial_init(struct trial *t, const struct shelf *shelf,
                       const struct cid *root,
                       const struct file_reader_config *config, uint64_t seed)
{
    *t = (struct trial){.shelf = shelf, .dice = {seed}};
    file_reader_init(&t->reader, config, root);
}

static void trial_release(struct trial *t)
{
    file_reader_release(&t->reader);
    mem_free(t->seen);
}

static void take_wants(struct trial *t)
{
    while (t->flight_count < FLIGHT_MAX &&
           file_reader_want(&t->reader, &t->flight[t->flight_count])) {
        t->flight_bytes += t->flight[t->flight_count].size_hint;
        t->flight_count++;
        t->wanted++;
    }
    if (t->flight_count > t->flight_most)
        t->flight_most = t->flight_count;
    if (t->flight_bytes > t->flight_bytes_most)
        t->flight_bytes_most = t->flight_bytes;
}

static void take_piece(struct trial *t, struct file_out *out)
{
    struct bytes in = out->slice.bytes;

    assert_true(in.len > 0);
    assert_true(out->offset >= t->from);
    assert_true(out->offset + in.len <= t->to);
    if (t->model != NULL)
        assert_memory_equal(in.p, t->model + out->offset, in.len);
    if (t->reader.config.ordered)
        assert_int_equal(out->offset, t->next);
    t->next = out->offset + in.len;
    for (size_t i = 0; t->seen != NULL && i < in.len; i++)
        t->seen[out->offset - t->from + i]++;
    slice_release(&out->slice);
}

static void take_pieces(struct trial *t)
{
    struct file_out out;

    while (file_reader_next(&t->reader, &out)) {
        assert_false(t->ended);
        if (out.kind == FILE_END)
            t->ended = true;
        else
            take_piece(t, &out);
    }
}

static void answer_one(struct trial *t)
{
    size_t at = (size_t)dice_next(&t->dice, t->flight_count);
    struct file_want want = t->flight[at];

    t->flight[at] = t->flight[--t->flight_count];
    t->flight_bytes -= want.size_hint;
    t->err = file_reader_on_block(&t->reader, want.id,
                                  shelf_find(t->shelf, &want.cid));
}

/* Runs to the end or the first failure. */
static enum err trial_run(struct trial *t)
{
    take_wants(t);
    while (t->flight_count > 0 && t->err == OK) {
        answer_one(t);
        take_pieces(t);
        take_wants(t);
    }
    assert_int_equal(t->ended, t->err == OK);
    return t->err;
}

/*
 * Reads @length bytes from @offset of the file @root, which is @model, and
 * checks that each byte came once.
 */
static void check_range(const struct shelf *shelf, const struct cid *root,
                        struct bytes model,
                        const struct file_reader_config *config, uint64_t seed)
{
    struct trial *t = mem_alloc(sizeof(*t));
    uint64_t size = 0;

    trial_init(t, shelf, root, config, seed);
    t->model = model.p;
    t->from = config->offset < model.len ? config->offset : model.len;
    t->to = config->length < model.len - t->from ? t->from + config->length
                                                 : model.len;
    t->next = t->from;
    t->seen = mem_zalloc((size_t)(t->to - t->from) + 1, 1);
    assert_int_equal(trial_run(t), OK);
    for (uint64_t i = 0; i < t->to - t->from; i++)
        assert_int_equal(t->seen[i], 1);
    assert_int_equal(file_reader_size(&t->reader, &size), OK);
    assert_int_equal(size, model.len);
    assert_null(file_reader_fault(&t->reader));
    trial_release(t);
    mem_free(t);
}

static struct buf *random_buf(struct dice *d, size_t len)
{
    struct buf *b = buf_new(len);

    for (size_t i = 0; i < len; i++)
        b->data[i] = (uint8_t)dice_next(d, 256);
    b->len = len;
    return b;
}

static struct file_reader_config random_config(struct dice *d, uint64_t size)
{
    static const uint64_t lookaheads[] = {1, 5000, 20000, 1 << 20};
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .ordered = dice_next(d, 2) == 0,
        .lookahead_bytes_max = lookaheads[dice_next(d, 4)],
    };

    if (dice_next(d, 2) == 0) {
        config.offset = dice_next(d, size + 3);
        config.length = dice_next(d, size + 3);
    }
    return config;
}

/* Files by the builder: any profile, size, range and order of arrival. */
static void test_built(void **state)
{
    static const char *const names[] = {"unixfs-v1-2025", "kubo-v1", "kubo-v0"};
    struct dice d = {1};

    (void)state;
    for (unsigned round = 0; round < 300; round++) {
        struct import_profile p = find_profile(names[dice_next(&d, 3)]);
        struct shelf shelf;
        p.width = 2 + (uint32_t)dice_next(&d, 6);
        p.chunk_bytes = 1 + (uint32_t)dice_next(&d, 3000);
        shelf_init(&shelf);
        struct buf *buf = random_buf(
            &d, (size_t)dice_next(&d, (uint64_t)200 * p.chunk_bytes));
        struct bytes model = buf_bytes(buf);
        struct dag_link link = import_bytes(&shelf, &p, model);
        for (unsigned i = 0; i < 4; i++) {
            struct file_reader_config config = random_config(&d, model.len);
            check_range(&shelf, &link.cid, model, &config, round);
        }
        shelf_release(&shelf);
        buf_unref(buf);
    }
}

/* A tree that is built by hand: a message and links, in a dag-pb block. */
struct hand {
    struct cid cids[32];
    uint64_t sizes[32];
    size_t count;
    uint64_t size; /* of all children and the data */
    struct bytes data;
    enum unixfs_type type;
};

static void hand_add(struct hand *h, const struct cid *cid, uint64_t size)
{
    h->cids[h->count] = *cid;
    h->sizes[h->count++] = size;
    h->size += size;
}

static struct cid hand_put(struct shelf *shelf, const struct hand *h)
{
    const struct unixfs u = {
        .type = h->type,
        .has_data = h->data.len > 0,
        .data = h->data,
        .has_filesize = true,
        .filesize = h->size,
        .blocksizes_count = h->count,
    };
    size_t max = 4096 + h->data.len;
    uint8_t *block = mem_alloc(max);
    struct wr w = wr_init(block, max);
    struct bytes out;

    for (size_t i = 0; i < h->count; i++)
        dag_pb_put_link(&w, &h->cids[i], BYTES_EMPTY, 1);
    dag_pb_put_data_head(&w, unixfs_len(&u, h->sizes));
    unixfs_put(&w, &u, h->sizes);
    assert_int_equal(wr_finish(&w, &out), OK);
    struct cid cid = shelf_add(shelf, CODEC_DAG_PB, out);
    mem_free(block);
    return cid;
}

static struct cid random_leaf(struct shelf *shelf, struct dice *d,
                              struct bytes contents)
{
    struct hand leaf = {
        .type = dice_next(d, 2) == 0 ? UNIXFS_FILE : UNIXFS_RAW,
        .data = contents,
        .size = contents.len,
    };

    if (dice_next(d, 2) == 0)
        return shelf_add(shelf, CODEC_RAW, contents);
    return hand_put(shelf, &leaf);
}

/*
 * A tree of uneven depth over @model: nodes have data of their own, empty
 * leaves, and leaves beside nodes.
 */
static struct cid random_tree(struct shelf *shelf, struct dice *d,
                              struct bytes model, unsigned depth)
{
    struct hand h = {.type = UNIXFS_FILE};
    size_t at = 0;

    if (depth == 0 || model.len == 0 || dice_next(d, 4) == 0)
        return random_leaf(shelf, d, model);
    if (dice_next(d, 3) == 0) {
        at = (size_t)dice_next(d, model.len + 1);
        h.data = bytes_sub(model, 0, at);
        h.size = at;
    }
    while (at < model.len && h.count < 6) {
        size_t len = h.count == 5 ? model.len - at
                                  : (size_t)dice_next(d, model.len - at + 1);
        struct bytes part = bytes_sub(model, at, len);
        struct cid cid = random_tree(shelf, d, part, depth - 1);
        hand_add(&h, &cid, len);
        at += len;
    }
    if (h.count == 0)
        return random_leaf(shelf, d, model);
    return hand_put(shelf, &h);
}

static void test_odd_trees(void **state)
{
    struct dice d = {2};

    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        struct shelf shelf;
        shelf_init(&shelf);
        struct buf *buf = random_buf(&d, (size_t)dice_next(&d, 20000));
        struct bytes model = buf_bytes(buf);
        struct cid root =
            random_tree(&shelf, &d, model, (unsigned)dice_next(&d, 8));
        for (unsigned i = 0; i < 4; i++) {
            struct file_reader_config config = random_config(&d, model.len);
            check_range(&shelf, &root, model, &config, round);
        }
        shelf_release(&shelf);
        buf_unref(buf);
    }
}

/* Packed blocksizes, which some writers make, read as the others do. */
static void test_packed(void **state)
{
    struct shelf shelf;
    uint8_t block[256];
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .ordered = true,
        .lookahead_bytes_max = 1 << 20,
    };

    (void)state;
    shelf_init(&shelf);
    struct cid ab = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("ab"));
    struct cid cde = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("cde"));
    struct wr w = wr_init(block, sizeof(block));
    dag_pb_put_link(&w, &ab, BYTES_EMPTY, 2);
    dag_pb_put_link(&w, &cde, BYTES_EMPTY, 3);
    const uint8_t message[] = {0x08, 0x02, 0x18, 0x05, 0x22, 0x02, 2, 3};
    dag_pb_put_data_head(&w, sizeof(message));
    wr_bytes(&w, (struct bytes){message, sizeof(message)});
    struct bytes out;
    assert_int_equal(wr_finish(&w, &out), OK);
    struct cid root = shelf_add(&shelf, CODEC_DAG_PB, out);
    check_range(&shelf, &root, BYTES_LIT("abcde"), &config, 1);
    shelf_release(&shelf);
}

/* Reads all of @root; the failure, and what was said of it. */
static enum err read_all(const struct shelf *shelf, const struct cid *root,
                         const char **ret_fault)
{
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .lookahead_bytes_max = 1 << 20,
    };
    struct trial *t = mem_alloc(sizeof(*t));

    trial_init(t, shelf, root, &config, 3);
    t->to = UINT64_MAX;
    enum err err = trial_run(t);
    *ret_fault = file_reader_fault(&t->reader);
    trial_release(t);
    mem_free(t);
    return err;
}

static void test_lies(void **state)
{
    struct shelf shelf;
    const char *fault = NULL;

    (void)state;
    shelf_init(&shelf);
    struct cid five = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("12345"));
    struct hand leaf = {
        .type = UNIXFS_FILE, .data = BYTES_LIT("12345"), .size = 5};
    struct cid wrapped = hand_put(&shelf, &leaf);
    const struct cid children[] = {five, wrapped};

    for (size_t i = 0; i < countof(children); i++) {
        for (uint64_t claim = 0; claim < 10; claim++) {
            struct hand h = {.type = UNIXFS_FILE};
            hand_add(&h, &five, 5);
            hand_add(&h, &children[i], claim);
            hand_add(&h, &five, 5);
            struct cid root = hand_put(&shelf, &h);
            enum err err = read_all(&shelf, &root, &fault);
            assert_int_equal(err, claim == 5 ? OK : E_MALFORMED);
            assert_int_equal(fault != NULL, claim != 5);
        }
    }
    /* A filesize that is not the sum. */
    struct hand h = {.type = UNIXFS_FILE};
    hand_add(&h, &five, 5);
    h.size = 6;
    struct cid root = hand_put(&shelf, &h);
    assert_int_equal(read_all(&shelf, &root, &fault), E_MALFORMED);
    /* Sizes whose sum wraps. */
    h = (struct hand){.type = UNIXFS_FILE};
    hand_add(&h, &five, UINT64_MAX);
    hand_add(&h, &five, 6);
    root = hand_put(&shelf, &h);
    assert_int_equal(read_all(&shelf, &root, &fault), E_MALFORMED);
    /* A file larger than any. */
    h = (struct hand){.type = UNIXFS_FILE};
    hand_add(&h, &five, UINT64_MAX / 2 + 1);
    root = hand_put(&shelf, &h);
    assert_int_equal(read_all(&shelf, &root, &fault), E_LIMIT);
    shelf_release(&shelf);
}

static void test_no_files(void **state)
{
    struct shelf shelf;
    const char *fault = NULL;

    (void)state;
    shelf_init(&shelf);
    struct hand dir = {.type = UNIXFS_DIRECTORY};
    struct cid folder = hand_put(&shelf, &dir);
    assert_int_equal(read_all(&shelf, &folder, &fault), E_UNSUPPORTED);
    struct cid cbor = shelf_add(&shelf, CODEC_DAG_CBOR, BYTES_LIT("\xa0"));
    assert_int_equal(read_all(&shelf, &cbor, &fault), E_UNSUPPORTED);
    /* As parts of a file they are worse. */
    const struct cid parts[] = {folder, cbor};
    for (size_t i = 0; i < countof(parts); i++) {
        struct hand h = {.type = UNIXFS_FILE};
        hand_add(&h, &parts[i], 4);
        struct cid root = hand_put(&shelf, &h);
        assert_int_equal(read_all(&shelf, &root, &fault), E_MALFORMED);
    }
    /* An inner node that has no contents. */
    struct cid none = shelf_add(&shelf, CODEC_RAW, BYTES_EMPTY);
    struct hand h = {.type = UNIXFS_FILE};
    hand_add(&h, &none, 0);
    struct cid root = hand_put(&shelf, &h);
    assert_int_equal(read_all(&shelf, &root, &fault), E_MALFORMED);
    shelf_release(&shelf);
}

/* 64 inner nodes above a leaf are read, 65 are not. */
static void test_depth(void **state)
{
    struct shelf shelf;
    const char *fault = NULL;

    (void)state;
    shelf_init(&shelf);
    struct cid cid = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("12345"));
    for (unsigned depth = 1; depth <= FILE_READER_DEPTH_MAX + 2; depth++) {
        struct hand h = {.type = UNIXFS_FILE};
        hand_add(&h, &cid, 5);
        cid = hand_put(&shelf, &h);
        enum err want = depth <= FILE_READER_DEPTH_MAX ? OK : E_LIMIT;
        assert_int_equal(read_all(&shelf, &cid, &fault), want);
    }
    shelf_release(&shelf);
}

/*
 * Five levels of 16 equal links: a million links to one block.  What is in
 * flight stays within the lookahead, and a range fetches its path only.
 */
static void test_million_links(void **state)
{
    struct shelf shelf;
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .lookahead_bytes_max = UINT64_C(64) * FILE_READER_COST_MIN,
    };
    struct trial *t = mem_alloc(sizeof(*t));

    (void)state;
    shelf_init(&shelf);
    struct cid cid = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("x"));
    uint64_t size = 1;
    for (unsigned depth = 0; depth < 5; depth++) {
        struct hand h = {.type = UNIXFS_FILE};
        for (unsigned i = 0; i < 16; i++)
            hand_add(&h, &cid, size);
        size *= 16;
        cid = hand_put(&shelf, &h);
    }
    for (unsigned ordered = 0; ordered < 2; ordered++) {
        config.ordered = ordered == 1;
        trial_init(t, &shelf, &cid, &config, 4);
        t->to = size;
        assert_int_equal(trial_run(t), OK);
        assert_true(t->flight_most <= 64);
        assert_true(t->wanted >= size);
        trial_release(t);
    }
    config.offset = size / 2;
    config.length = 1;
    trial_init(t, &shelf, &cid, &config, 5);
    t->from = size / 2;
    t->next = t->from;
    t->to = size / 2 + 1;
    assert_int_equal(trial_run(t), OK);
    assert_int_equal(t->wanted, 6);
    trial_release(t);
    mem_free(t);
    shelf_release(&shelf);
}

/*
 * A file of 3 inner nodes of 16 MiB, blocks given in the order of the wants
 * with 8 MiB of lookahead.  From the first leaf to the last, leaves in flight
 * never fall under half the lookahead: the next inner node is there in time.
 */
static void test_no_drain(void **state)
{
    struct import_profile p = find_profile("kubo-v1");
    struct shelf shelf;
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .ordered = true,
        .lookahead_bytes_max = 8 << 20,
    };
    struct file_reader r;
    struct file_want flight[64];
    struct file_out out;
    size_t count = 0;
    uint64_t left = 48 << 20;

    (void)state;
    p.width = 64;
    shelf_init(&shelf);
    struct dag_link link = import_file(&shelf, &p, source_pattern(), 48 << 20);
    file_reader_init(&r, &config, &link.cid);
    for (;;) {
        while (count < countof(flight) && file_reader_want(&r, &flight[count]))
            count++;
        if (count == 0)
            break;
        uint64_t leaves = 0;
        for (size_t i = 0; i < count; i++) {
            if (flight[i].cid.codec == CODEC_RAW)
                leaves += flight[i].size_hint;
        }
        bool is_inside = left < 48 << 20 && left > 8 << 20;
        if (is_inside)
            assert_true(leaves >= 4 << 20);
        assert_int_equal(
            file_reader_on_block(&r, flight[0].id,
                                 shelf_find(&shelf, &flight[0].cid)),
            OK);
        memmove(&flight[0], &flight[1], --count * sizeof(flight[0]));
        while (file_reader_next(&r, &out) && out.kind == FILE_PIECE) {
            left -= out.slice.bytes.len;
            slice_release(&out.slice);
        }
    }
    assert_int_equal(left, 0);
    file_reader_release(&r);
    shelf_release(&shelf);
}

/* Pieces that nobody takes count, so that no more is wanted. */
static void test_back_pressure(void **state)
{
    struct import_profile p = find_profile("kubo-v1");
    struct shelf shelf;
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .lookahead_bytes_max = 100000,
    };
    struct file_reader r;
    struct file_want want;
    unsigned blocks = 0;

    (void)state;
    p.chunk_bytes = 10000;
    shelf_init(&shelf);
    struct dag_link link = import_file(&shelf, &p, source_pattern(), 1 << 20);
    file_reader_init(&r, &config, &link.cid);
    while (file_reader_want(&r, &want)) {
        struct block *b = shelf_find(&shelf, &want.cid);
        assert_int_equal(file_reader_on_block(&r, want.id, b), OK);
        blocks++;
    }
    assert_int_equal(blocks, 1 + 10);
    file_reader_release(&r);
    shelf_release(&shelf);
}

/*
 * Inner nodes that claim a byte each but are as large as blocks get: those
 * that come before their turn are let go and wanted again, and the file is
 * read to its end all the same.
 */
static void test_large_nodes(void **state)
{
    enum { NODES = 30, PADDING = 2000000 };
    struct shelf shelf;
    uint8_t *padding = mem_zalloc(PADDING, 1);
    struct hand root = {.type = UNIXFS_FILE};

    (void)state;
    shelf_init(&shelf);
    struct cid x = shelf_add(&shelf, CODEC_RAW, BYTES_LIT("x"));
    for (unsigned i = 0; i < NODES; i++) {
        /* Field 15 means nothing and is passed over. */
        uint8_t message[] = {0x08, 0x02, 0x18, 0x01, 0x20, 0x01, 0x7a};
        struct wr w = wr_init(padding, PADDING);
        dag_pb_put_link(&w, &x, BYTES_EMPTY, i);
        size_t len = PADDING - wr_len(&w) - 4; /* of the head */
        dag_pb_put_data_head(&w, len);
        wr_bytes(&w, (struct bytes){message, sizeof(message)});
        size_t rest = PADDING - wr_len(&w) - 4;
        wr_u8(&w, (uint8_t)(rest & 0x7f) | 0x80);
        wr_u8(&w, (uint8_t)(rest >> 7 & 0x7f) | 0x80);
        wr_u8(&w, (uint8_t)(rest >> 14 & 0x7f) | 0x80);
        wr_u8(&w, (uint8_t)(rest >> 21));
        assert_int_equal(w.err, OK);
        struct cid cid =
            shelf_add(&shelf, CODEC_DAG_PB, (struct bytes){padding, PADDING});
        hand_add(&root, &cid, 1);
    }
    struct cid cid = hand_put(&shelf, &root);
    for (unsigned ordered = 0; ordered < 2; ordered++) {
        struct file_reader_config config = {
            .length = UINT64_MAX,
            .ordered = ordered == 1,
            .lookahead_bytes_max = 1 << 20,
        };
        struct trial *t = mem_alloc(sizeof(*t));
        trial_init(t, &shelf, &cid, &config, 6);
        t->to = NODES;
        take_wants(t);
        while (t->flight_count > 0 && t->err == OK) {
            answer_one(t);
            take_pieces(t);
            assert_true(t->reader.held_bytes <= (1 << 20) + (18 << 20));
            if (t->flight_count == 0)
                take_wants(t);
        }
        assert_int_equal(t->err, OK);
        assert_true(t->ended);
        /* Some were let go; the most, were it done badly, is a square. */
        assert_true(t->wanted > 1 + 2 * NODES);
        assert_true(t->wanted < 1 + 5 * NODES);
        trial_release(t);
        mem_free(t);
    }
    shelf_release(&shelf);
    mem_free(padding);
}

/* Given up in the middle, with everything a reader can hold. */
static void test_release(void **state)
{
    struct import_profile p = find_profile("kubo-v1");
    struct shelf shelf;
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .ordered = true,
        .lookahead_bytes_max = 1 << 20,
    };

    (void)state;
    p.chunk_bytes = 1000;
    p.width = 3;
    shelf_init(&shelf);
    struct dag_link link = import_file(&shelf, &p, source_pattern(), 30000);
    for (unsigned steps = 0; steps < 40; steps++) {
        struct trial *t = mem_alloc(sizeof(*t));
        trial_init(t, &shelf, &link.cid, &config, steps);
        take_wants(t);
        for (unsigned i = 0; i < steps && t->flight_count > 0; i++) {
            answer_one(t);
            assert_int_equal(t->err, OK);
            take_wants(t);
        }
        trial_release(t);
        mem_free(t);
    }
    shelf_release(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built),
        cmocka_unit_test(test_odd_trees),
        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_no_files),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_million_links),
        cmocka_unit_test(test_no_drain),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_large_nodes),
        cmocka_unit_test(test_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
