/*
 * Goal: what is written past the page cache is in the file, whatever its place,
 * the sizes of its pieces and where they lie in memory.
 * Method: random series of pieces over a file of a pattern, aligned memory
 * among them, and more than are written at once; the file is read back whole
 * each time.  Where the file system has no O_DIRECT, the usual way is tried
 * twice.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/disk_direct.h"
#include "os_test.h"

#include "test.h"

enum { FILE_BYTES = 6 * 1024 * 1024, PIECES_MAX = 300, ROUNDS = 60 };

struct fixture {
    char path[OS_TEST_PATH_MAX];
    int fd;
    int direct;
    uint32_t seed;
    struct buf *memory; /* where pieces lie, page aligned */
    uint8_t *want;
    uint8_t *got;
};

static struct fixture fix; /* NOLINT: of this test alone */

static uint32_t below(uint32_t limit)
{
    fix.seed = fix.seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)fix.seed * limit) >> 32);
}

static int set_up(void **state)
{
    char path[OS_TEST_PATH_MAX];

    (void)state;
    os_test_dir(fix.path);
    os_test_path(path, fix.path, "file");
    fix.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fix.fd >= 0);
    fix.direct = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fix.direct < 0)
        fix.direct = dup(fix.fd);
    fix.memory = buf_new_aligned(FILE_BYTES, 0);
    for (size_t i = 0; i < FILE_BYTES; i++)
        fix.memory->data[i] = (uint8_t)(below(256));
    fix.want = mem_zalloc(FILE_BYTES, 1);
    fix.got = mem_alloc(FILE_BYTES);
    assert_int_equal(pwrite(fix.fd, fix.want, FILE_BYTES, 0), FILE_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)close(fix.fd);
    (void)close(fix.direct);
    os_test_remove(fix.path);
    buf_unref(fix.memory);
    mem_free(fix.want);
    mem_free(fix.got);
    return 0;
}

static struct bytes any_piece(uint32_t left)
{
    static const uint32_t most[] = {60, 5000, 70000, 400000};
    uint32_t len = below(most[below(countof(most))]);
    uint32_t at = below(FILE_BYTES / 2);

    len = len < left ? len : left;
    if (below(2) == 0) { /* pages, as blocks are */
        at = at / 4096 * 4096;
        len = len / 4096 * 4096;
    }
    return (struct bytes){fix.memory->data + at, len};
}

/* What brings the end to a page. */
static struct bytes padding(uint64_t end)
{
    uint32_t len = (uint32_t)((4096 - end % 4096) % 4096);

    return (struct bytes){fix.memory->data + 1, len};
}

static void write_some(void)
{
    struct bytes pieces[PIECES_MAX];
    uint32_t from = below(FILE_BYTES / 2);
    uint32_t count = 1 + below(PIECES_MAX - 1);
    uint64_t end = from;

    for (uint32_t i = 0; i < count; i++) {
        bool pad = i % 2 == 1 && below(2) == 0;
        struct bytes piece =
            pad ? padding(end) : any_piece(FILE_BYTES - 4096 - (uint32_t)end);
        if (end + piece.len > FILE_BYTES)
            piece.len = 0;
        pieces[i] = piece;
        if (piece.len > 0)
            memcpy(fix.want + end, piece.p, piece.len);
        end += piece.len;
        if (end >= FILE_BYTES - 4096) {
            count = i + 1;
            break;
        }
    }
    assert_int_equal(disk_direct_write(fix.fd, fix.direct, from, pieces, count),
                     OK);
}

static void any_pieces(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        write_some();
        assert_int_equal(pread(fix.fd, fix.got, FILE_BYTES, 0), FILE_BYTES);
        assert_memory_equal(fix.got, fix.want, FILE_BYTES);
    }
}

/* Within one page, and nothing at all. */
static void short_ones(void **state)
{
    struct bytes piece = {fix.memory->data, 10};

    (void)state;
    assert_int_equal(disk_direct_write(fix.fd, fix.direct, 100, &piece, 1), OK);
    memcpy(fix.want + 100, piece.p, piece.len);
    piece.len = 0;
    assert_int_equal(disk_direct_write(fix.fd, fix.direct, 100, &piece, 1), OK);
    assert_int_equal(disk_direct_write(fix.fd, fix.direct, 8192, &piece, 1),
                     OK);
    assert_int_equal(pread(fix.fd, fix.got, FILE_BYTES, 0), FILE_BYTES);
    assert_memory_equal(fix.got, fix.want, FILE_BYTES);
}

static void errors_are_told(void **state)
{
    char path[OS_TEST_PATH_MAX];
    struct bytes piece = {fix.memory->data, (size_t)4096 * 20};

    (void)state;
    os_test_path(path, fix.path, "file");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_not_equal(disk_direct_write(fd, fd, 0, &piece, 1), OK);
    assert_int_not_equal(disk_direct_write(fd, fd, 10, &piece, 1), OK);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_pieces),
        cmocka_unit_test(short_ones),
        cmocka_unit_test(errors_are_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
