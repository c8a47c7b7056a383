/*
 * Goal: the blocks of a good CAR file are stored and its roots pinned; one that
 * lies, is cut or damaged pins nothing and says where; it may be freed at any
 * moment.
 * Method: files made here of blocks with all codecs, in pieces of many sizes;
 * every prefix; every byte changed; the world of import_world.h.
 */
#include "ipld/car.h"
#include "node/car_import.h"
#include "node/import_world.h"

enum { CAR_MAX = 24 * 1024 * 1024, SEEDS = 4, MB = 1000 * 1000 };

struct car_run {
    struct node world;
    struct car_import *im;
    uint8_t *file; /* room for CAR_MAX */
    size_t len;
    size_t at; /* bytes written to the import */
    size_t piece;
    bool ended;
    bool no_pin;
    size_t done_count;
    enum err err;
    struct fault fault;
    uint64_t blocks;
    uint64_t bytes;
};

static void on_done(void *user, enum err err, struct mtime now)
{
    struct car_run *t = user;

    (void)now;
    assert_non_null(t->im);
    t->done_count++;
    t->err = err;
    t->fault = *car_import_fault(t->im);
    t->blocks = car_import_blocks(t->im);
    t->bytes = car_import_bytes(t->im);
    car_import_free(t->im);
    t->im = NULL;
}

static void write_more(struct car_run *t)
{
    uint8_t *copy = mem_alloc(t->piece);
    bool more = true;

    while (more && t->im != NULL && t->at < t->len) {
        size_t len = t->len - t->at < t->piece ? t->len - t->at : t->piece;
        memcpy(copy, t->file + t->at, len);
        t->at += len;
        more = car_import_write(t->im, (struct bytes){copy, len}, world_now);
        memset(copy, 0xee, len);
        assert_int_equal(t->done_count, 0);
    }
    if (more && t->at == t->len && !t->ended) {
        t->ended = true;
        car_import_end(t->im, world_now);
        assert_int_equal(t->done_count, 0);
    }
    mem_free(copy);
}

static void on_ready(void *user, struct mtime now)
{
    struct car_run *t = user;

    (void)now;
    write_more(t);
}

/* A new world; the file stays. */
static void init(struct car_run *t, uint64_t seed)
{
    struct car_run next = {.file = t->file, .len = t->len, .piece = 65536};

    *t = next;
    world_init(&t->world, seed);
}

static int set_up(void **state)
{
    struct car_run *t = mem_zalloc(1, sizeof(*t));

    t->file = mem_alloc(CAR_MAX);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct car_run *t = *state;

    mem_free(t->file);
    mem_free(t);
    return 0;
}

static void start(struct car_run *t)
{
    struct car_import_config config = {
        .no_pin = t->no_pin,
        .on_ready = on_ready,
        .done = on_done,
        .user = t,
    };
    t->im = car_import_new(&t->world, &config);
    write_more(t);
}

static void run(struct car_run *t)
{
    start(t);
    while (t->done_count == 0 && world_step(&t->world))
        continue;
}

static void release(struct car_run *t)
{
    car_import_free(t->im);
    t->im = NULL;
    world_release(&t->world);
}

static void check_ok(const struct car_run *t)
{
    if (t->err != OK)
        fail_msg("%s", t->fault.text);
    assert_int_equal(t->done_count, 1);
    assert_int_equal(t->world.synced, t->world.puts_done);
}

static void check_fault(const struct car_run *t, enum error_id id,
                        const char *what)
{
    assert_int_equal(t->done_count, 1);
    assert_int_not_equal(t->err, OK);
    if (t->fault.id != id || strstr(t->fault.text, what) == NULL)
        fail_msg("%s: %s", error_info(t->fault.id)->code, t->fault.text);
    assert_int_equal(t->world.pinned_count, 0);
}

static void put(struct car_run *t, struct bytes in)
{
    assert_true(in.len <= CAR_MAX - t->len);
    memcpy(t->file + t->len, in.p, in.len);
    t->len += in.len;
}

static void make_header(struct car_run *t, const struct cid *roots,
                        size_t count)
{
    struct buf *b = car_make_header(roots, count);
    t->len = 0;
    put(t, buf_bytes(b));
    buf_unref(b);
}

static void add_section(struct car_run *t, const struct cid *cid,
                        struct bytes data)
{
    uint8_t head[CAR_SECTION_HEAD_MAX];
    size_t len = car_section_head(cid, data.len, head);
    put(t, (struct bytes){head, len});
    put(t, data);
}

/* A file of @count blocks of about @size bytes; the first one is the root. */
static void make_car(struct car_run *t, size_t count, size_t size)
{
    uint8_t *data = mem_alloc(BLOCK_BYTES_MAX);

    for (size_t i = 0; i < count; i++) {
        size_t len = size - (i < size ? i % 50 % size : 0);
        tree_fill(TREE_PATTERN, i * 31, data, len);
        memcpy(data, &i, len < sizeof(i) ? len : sizeof(i));
        struct cid cid = cid_of(0x55, (struct bytes){data, len});
        if (i == 0)
            make_header(t, &cid, 1);
        add_section(t, &cid, (struct bytes){data, len});
    }
    mem_free(data);
}

static void good_files(void **state)
{
    struct car_run *t = *state;
    static const size_t pieces[] = {1, 2, 37, 1000, 65536, CAR_MAX};

    make_car(t, 300, 90);
    for (size_t i = 0; i < countof(pieces); i++) {
        init(t, i);
        t->world.puts_most = i;
        t->piece = pieces[i];
        run(t);
        check_ok(t);
        assert_int_equal(t->blocks, 300);
        assert_int_equal(t->world.blocks.count, 300);
        assert_int_equal(t->bytes, t->world.blocks_bytes);
        assert_int_equal(t->world.pinned_count, 1);
        assert_int_equal(t->world.pinned[0].kind, STORE_PIN_RECURSIVE);
        release(t);
    }
}

static void large_blocks(void **state)
{
    struct car_run *t = *state;
    make_car(t, 3, BLOCK_BYTES_MAX);
    init(t, 1);
    run(t);
    check_ok(t);
    assert_int_equal(t->blocks, 3);
    release(t);
}

/* The section may be that long, the block may not. */
static void too_large_block(void **state)
{
    struct car_run *t = *state;
    uint8_t *zeros = mem_zalloc(BLOCK_BYTES_MAX + 1, 1);
    struct bytes data = {zeros, BLOCK_BYTES_MAX + 1};
    struct cid cid = cid_of(0x55, data);

    make_header(t, &cid, 1);
    add_section(t, &cid, data);
    init(t, 1);
    run(t);
    check_fault(t, ERROR_BAD_CAR, "block");
    release(t);
    mem_free(zeros);
}

/* More is not taken than the store can write. */
static void slow_store(void **state)
{
    struct car_run *t = *state;
    make_car(t, 22, MB);
    init(t, 1);
    t->world.hold = true;
    run(t);
    assert_int_equal(t->done_count, 0);
    assert_in_range(t->at, MB, 18000000);
    t->world.hold = false;
    while (t->done_count == 0 && world_step(&t->world))
        continue;
    check_ok(t);
    release(t);
}

static void no_pins(void **state)
{
    struct car_run *t = *state;
    make_car(t, 3, 40);
    init(t, 1);
    t->no_pin = true;
    run(t);
    check_ok(t);
    assert_int_equal(t->world.pinned_count, 0);
    release(t);
}

static void no_roots(void **state)
{
    struct car_run *t = *state;
    struct bytes data = BYTES_LIT("data");
    struct cid cid = cid_of(0x55, data);

    make_header(t, NULL, 0);
    add_section(t, &cid, data);
    init(t, 1);
    run(t);
    check_ok(t);
    assert_int_equal(t->world.pinned_count, 0);
    assert_int_equal(t->blocks, 1);
    release(t);
}

static void header_only(void **state)
{
    struct car_run *t = *state;
    struct cid cid = cid_of(0x55, BYTES_LIT("elsewhere"));

    make_header(t, &cid, 1);
    init(t, 1);
    run(t);
    check_fault(t, ERROR_BAD_CAR, "bafkrei");
    release(t);

    /* A root that is not in the file may be here already. */
    init(t, 1);
    struct block *b =
        block_make(1, 0x55, (struct slice){.bytes = BYTES_LIT("elsewhere")});
    world_keep(&t->world, b);
    block_unref(b);
    run(t);
    check_ok(t);
    assert_int_equal(t->world.pinned_count, 1);
    release(t);

    init(t, 1);
    t->no_pin = true;
    run(t);
    check_ok(t);
    release(t);
}

static void identity_is_skipped(void **state)
{
    struct car_run *t = *state;
    struct bytes data = BYTES_LIT("inline");
    struct cid cid;

    assert_int_equal(cid_identity(0x55, data, &cid), OK);
    make_header(t, &cid, 1);
    add_section(t, &cid, data);
    init(t, 1);
    run(t);
    check_ok(t);
    assert_int_equal(t->blocks, 0);
    assert_int_equal(t->world.put_calls, 0);
    release(t);
}

static void forbidden_cid(void **state)
{
    struct car_run *t = *state;
    struct bytes data = BYTES_LIT("data");
    struct cid cid = cid_of(0x55, data);

    make_header(t, &cid, 1);
    add_section(t, &cid, data);
    cid.hash.code = 0xd5; /* md5 */
    cid.hash.len = 16;
    size_t at = t->len;
    char where[32];
    (void)snprintf(where, sizeof(where), "byte %zu", at);
    add_section(t, &cid, data);
    init(t, 1);
    run(t);
    check_fault(t, ERROR_BAD_CAR, where);
    release(t);
}

static void every_prefix(void **state)
{
    struct car_run *t = *state;
    size_t whole;
    size_t good = 0;

    make_car(t, 4, 20);
    whole = t->len;
    for (size_t len = 0; len <= whole; len++) {
        t->len = len;
        init(t, len);
        t->piece = 7;
        run(t);
        assert_int_equal(t->done_count, 1);
        if (t->err == OK)
            good++;
        else
            check_fault(t, ERROR_BAD_CAR, "");
        release(t);
    }
    /* After each of the four sections the file may end. */
    assert_int_equal(good, 4);
}

static void every_changed_byte(void **state)
{
    struct car_run *t = *state;
    size_t head;

    make_header(t, NULL, 0);
    head = t->len;
    make_car(t, 3, 20);
    for (size_t i = 0; i < t->len; i++) {
        t->file[i] ^= 0x20;
        init(t, i);
        run(t);
        assert_int_equal(t->done_count, 1);
        /* Only the key order or the codec may change without a fault. */
        if (t->err != OK)
            check_fault(t, ERROR_BAD_CAR, "");
        else
            assert_true(i > head || i == 0);
        release(t);
        t->file[i] ^= 0x20;
    }
    /* A byte of the last block: at its section. */
    t->file[t->len - 1] ^= 1;
    init(t, 1);
    run(t);
    check_fault(t, ERROR_BAD_CAR, "does not match its CID: byte ");
    while (world_step(&t->world))
        continue;
    assert_int_equal(t->world.blocks.count, 2);
    release(t);
}

static void store_fails(void **state)
{
    struct car_run *t = *state;
    make_car(t, 200, 30);
    for (size_t put = 1; put <= 200; put += 13) {
        for (int later = 0; later < 2; later++) {
            init(t, put);
            t->world.puts_most = put % 5;
            t->world.fail_put_err = E_NOSPACE;
            if (later)
                t->world.fail_put_done = put;
            else
                t->world.fail_put_call = put;
            run(t);
            check_fault(t, ERROR_NO_SPACE, "");
            release(t);
        }
    }
    init(t, 1);
    t->world.sync_err = E_IO;
    run(t);
    check_fault(t, ERROR_IO, "");
    release(t);
}

static void freed_anywhere(void **state)
{
    struct car_run *t = *state;
    make_car(t, 150, 30);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool over = false;
        for (size_t steps = 0; !over; steps++) {
            init(t, seed);
            t->world.puts_most = seed * 3;
            t->piece = 500;
            start(t);
            for (size_t i = 0; i < steps && t->done_count == 0; i++)
                (void)world_step(&t->world);
            over = t->done_count > 0;
            release(t);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_large_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slow_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_pins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_roots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(header_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(identity_is_skipped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forbidden_cid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_changed_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(freed_anywhere, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
