/*
 * Goal: files behave as env/disk.h says, errors included.
 * Method: real files in a folder of the test's own; each error is provoked.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/mem.h"
#include "os/disk.h"
#include "os/errno_err.h"
#include "os_test.h"

#include "test.h"

struct fixture {
    struct disk disk;
    struct disk_file *dir;
    char path[OS_TEST_PATH_MAX];
};

static struct fixture fix; /* NOLINT: of this test alone */

static int set_up(void **state)
{
    (void)state;
    os_disk_init(&fix.disk);
    os_test_dir(fix.path);
    assert_int_equal(
        fix.disk.open(&fix.disk, NULL, fix.path, DISK_DIR, &fix.dir), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fix.disk.close(&fix.disk, fix.dir);
    fix.disk.close(&fix.disk, NULL);
    os_test_remove(fix.path);
    return 0;
}

static struct disk_file *make(const char *name)
{
    struct disk_file *f = NULL;
    unsigned flags = DISK_READ | DISK_WRITE | DISK_CREATE | DISK_EXCL;

    assert_int_equal(fix.disk.open(&fix.disk, fix.dir, name, flags, &f), OK);
    return f;
}

static void put(const char *name, const char *text)
{
    struct disk_file *f = make(name);
    struct bytes piece = bytes_str(text);

    assert_int_equal(fix.disk.write(&fix.disk, f, 0, &piece, 1), OK);
    fix.disk.close(&fix.disk, f);
}

static enum err try_open(const char *name, unsigned flags)
{
    struct disk_file *f = NULL;
    enum err err = fix.disk.open(&fix.disk, fix.dir, name, flags, &f);

    if (err == OK)
        fix.disk.close(&fix.disk, f);
    return err;
}

static void test_write_and_read(void **state)
{
    struct disk_file *f = make("a");
    const struct bytes pieces[] = {BYTES_LIT("one"), BYTES_EMPTY,
                                   BYTES_LIT("twothree")};
    uint8_t back[32];
    size_t len;

    (void)state;
    assert_int_equal(fix.disk.write(&fix.disk, f, 5, pieces, 3), OK);
    assert_int_equal(fix.disk.write(&fix.disk, f, 5, pieces, 0), OK);
    assert_int_equal(fix.disk.sync(&fix.disk, f), OK);
    fix.disk.flush(&fix.disk, f, 0, 16);
    assert_int_equal(fix.disk.read(&fix.disk, f, 0, back, 32, &len), OK);
    assert_int_equal(len, 16);
    assert_memory_equal(back, "\0\0\0\0\0onetwothree", 16);
    assert_int_equal(fix.disk.read(&fix.disk, f, 8, back, 3, &len), OK);
    assert_int_equal(len, 3);
    assert_memory_equal(back, "two", 3);
    assert_int_equal(fix.disk.read(&fix.disk, f, 16, back, 3, &len), OK);
    assert_int_equal(len, 0);
    assert_int_equal(fix.disk.read(&fix.disk, f, UINT64_MAX, back, 3, &len),
                     E_IO);
    assert_int_equal(fix.disk.write(&fix.disk, f, UINT64_MAX, pieces, 1),
                     E_NOSPACE);
    fix.disk.close(&fix.disk, f);
}

/* More pieces than one call of the system takes. */
static void test_write_many_pieces(void **state)
{
    enum { PIECES = 1000 };
    struct disk_file *f = make("many");
    struct bytes pieces[PIECES];
    uint8_t all[PIECES];
    uint8_t back[PIECES + 1];
    size_t len;

    (void)state;
    for (size_t i = 0; i < PIECES; i++) {
        all[i] = (uint8_t)(i * 7);
        pieces[i] = (struct bytes){&all[i], 1};
    }
    assert_int_equal(fix.disk.write(&fix.disk, f, 0, pieces, PIECES), OK);
    assert_int_equal(fix.disk.read(&fix.disk, f, 0, back, PIECES + 1, &len),
                     OK);
    assert_int_equal(len, PIECES);
    assert_memory_equal(back, all, PIECES);
    fix.disk.close(&fix.disk, f);
}

/* Records of all sizes, one behind the other, as the store appends them: with
 * whole pages going past the page cache the file is the same. */
static void test_stream(void **state)
{
    enum { ROUNDS = 60, LEN_MAX = 3 * 1024 * 1024 };
    static const size_t lens[] = {1,    4095,   4096,    4097,    307200,
                                  7777, 524288, 1048576, 1050000, LEN_MAX};
    unsigned flags = DISK_READ | DISK_WRITE | DISK_CREATE | DISK_STREAM;
    uint8_t *made = mem_alloc(LEN_MAX + 100);
    uint8_t *read = mem_alloc(LEN_MAX + 100);
    struct disk_file *f = NULL;
    uint64_t at = 0;

    (void)state;
    assert_int_equal(fix.disk.open(&fix.disk, fix.dir, "s", flags, &f), OK);
    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t len = lens[(size_t)i * 7 % countof(lens)] + i;
        size_t got = 0;
        for (size_t k = 0; k < len; k++)
            made[k] = (uint8_t)((size_t)i * 31 + k * 7 + (k >> 12));
        struct bytes pieces[] = {
            {made, len / 3}, {made, 0}, {made + len / 3, len - len / 3}};
        assert_int_equal(fix.disk.write(&fix.disk, f, at, pieces, 3), OK);
        assert_int_equal(fix.disk.read(&fix.disk, f, at, read, len + 1, &got),
                         OK);
        assert_int_equal(got, len);
        assert_memory_equal(read, made, len);
        at += len;
    }
    /* What is there already is written over, whole pages and the rest. */
    memset(made, 0xee, LEN_MAX);
    struct bytes piece = {made, LEN_MAX};
    size_t got = 0;
    assert_int_equal(fix.disk.write(&fix.disk, f, 1001, &piece, 1), OK);
    assert_int_equal(fix.disk.read(&fix.disk, f, 1001, read, LEN_MAX, &got),
                     OK);
    assert_memory_equal(read, made, LEN_MAX);
    assert_int_equal(fix.disk.sync(&fix.disk, f), OK);
    fix.disk.close(&fix.disk, f);
    mem_free(made);
    mem_free(read);
}

static void test_open_flags(void **state)
{
    struct disk_file *f;
    struct disk_stat st;

    (void)state;
    put("file", "text");
    assert_int_equal(try_open("absent", DISK_READ), E_NOTFOUND);
    assert_int_equal(try_open("file", DISK_WRITE | DISK_CREATE | DISK_EXCL),
                     E_EXISTS);
    assert_int_equal(try_open("file", DISK_DIR), E_REFUSED);
    assert_int_equal(try_open(".", DISK_WRITE), E_REFUSED);
    assert_int_equal(try_open("file/below", DISK_READ), E_REFUSED);
    assert_int_equal(fix.disk.symlink(&fix.disk, fix.dir, "link", "file"), OK);
    assert_int_equal(try_open("link", DISK_READ), OK);
    assert_int_equal(try_open("link", DISK_READ | DISK_NOFOLLOW), E_REFUSED);
    assert_int_equal(
        fix.disk.open(&fix.disk, fix.dir, "file", DISK_WRITE | DISK_TRUNC, &f),
        OK);
    assert_int_equal(fix.disk.stat_file(&fix.disk, f, &st), OK);
    assert_int_equal(st.size_bytes, 0);
    assert_int_equal(st.mode, 0600);
    fix.disk.close(&fix.disk, f);
}

static void test_name_lengths(void **state)
{
    char name[257];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[255] = '\0';
    assert_int_equal(try_open(name, DISK_WRITE | DISK_CREATE), OK);
    name[255] = 'n';
    name[256] = '\0';
    assert_int_equal(try_open(name, DISK_WRITE | DISK_CREATE), E_LIMIT);
}

static void test_modes_follow_shared(void **state)
{
    struct disk_stat st;
    mode_t before = umask(022);

    (void)state;
    assert_int_equal(try_open("shared", DISK_WRITE | DISK_CREATE | DISK_SHARED),
                     OK);
    assert_int_equal(fix.disk.mkdir(&fix.disk, fix.dir, "own", false), OK);
    assert_int_equal(fix.disk.mkdir(&fix.disk, fix.dir, "all", true), OK);
    (void)umask(before);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "shared", &st), OK);
    assert_int_equal(st.mode, 0644);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "own", &st), OK);
    assert_int_equal(st.mode, 0700);
    assert_int_equal(st.kind, DISK_IS_DIR);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "all", &st), OK);
    assert_int_equal(st.mode, 0755);
    assert_int_equal(fix.disk.mkdir(&fix.disk, fix.dir, "all", true), E_EXISTS);
}

static void test_stat(void **state)
{
    struct disk_stat st;
    struct stat real;
    char path[OS_TEST_PATH_MAX];

    (void)state;
    put("file", "12345");
    os_test_path(path, fix.path, "file");
    assert_int_equal(stat(path, &real), 0);
    assert_int_equal(fix.disk.stat(&fix.disk, NULL, path, &st), OK);
    assert_int_equal(st.kind, DISK_IS_FILE);
    assert_int_equal(st.size_bytes, 5);
    assert_int_equal(st.inode, real.st_ino);
    assert_int_equal(st.device, real.st_dev);
    assert_int_equal(st.mtime_ns, (uint64_t)real.st_mtim.tv_sec * 1000000000 +
                                      (uint64_t)real.st_mtim.tv_nsec);
    os_test_path(path, fix.path, "fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "fifo", &st), OK);
    assert_int_equal(st.kind, DISK_IS_OTHER);
    /* Nobody writes to it; without NONBLOCK this would wait for ever. */
    assert_int_equal(try_open("fifo", DISK_READ | DISK_NONBLOCK), OK);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "absent", &st),
                     E_NOTFOUND);
}

static void test_links(void **state)
{
    struct disk_stat st;
    char target[5];

    (void)state;
    put("file", "x");
    assert_int_equal(fix.disk.symlink(&fix.disk, fix.dir, "link", "file"), OK);
    assert_int_equal(fix.disk.symlink(&fix.disk, fix.dir, "link", "file"),
                     E_EXISTS);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "link", &st), OK);
    assert_int_equal(st.kind, DISK_IS_SYMLINK);
    assert_int_equal(fix.disk.readlink(&fix.disk, fix.dir, "link", target, 5),
                     OK);
    assert_string_equal(target, "file");
    for (size_t max = 0; max < 5; max++)
        assert_int_equal(
            fix.disk.readlink(&fix.disk, fix.dir, "link", target, max),
            E_LIMIT);
    assert_int_equal(fix.disk.readlink(&fix.disk, fix.dir, "file", target, 5),
                     E_REFUSED);
}

static void test_rename(void **state)
{
    struct disk_stat st;

    (void)state;
    put("a", "aa");
    put("b", "b");
    assert_int_equal(
        fix.disk.rename(&fix.disk, fix.dir, "a", fix.dir, "b", false),
        E_EXISTS);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "b", &st), OK);
    assert_int_equal(st.size_bytes, 1);
    assert_int_equal(
        fix.disk.rename(&fix.disk, fix.dir, "a", fix.dir, "b", true), OK);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "b", &st), OK);
    assert_int_equal(st.size_bytes, 2);
    assert_int_equal(
        fix.disk.rename(&fix.disk, fix.dir, "b", fix.dir, "c", false), OK);
    assert_int_equal(fix.disk.stat(&fix.disk, fix.dir, "b", &st), E_NOTFOUND);
    assert_int_equal(
        fix.disk.rename(&fix.disk, fix.dir, "a", fix.dir, "b", true),
        E_NOTFOUND);
    assert_int_equal(fix.disk.sync_dir(&fix.disk, fix.dir), OK);
}

static void test_unlink(void **state)
{
    (void)state;
    put("file", "x");
    assert_int_equal(fix.disk.mkdir(&fix.disk, fix.dir, "dir", false), OK);
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "dir", false),
                     E_REFUSED);
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "file", true),
                     E_REFUSED);
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "file", false), OK);
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "file", false),
                     E_NOTFOUND);
    put("dir/below", "x");
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "dir", true),
                     E_EXISTS);
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "dir/below", false),
                     OK);
    assert_int_equal(fix.disk.unlink(&fix.disk, fix.dir, "dir", true), OK);
}

static void test_truncate_and_space(void **state)
{
    struct disk_file *f = make("t");
    struct disk_space space;
    struct disk_stat st;

    (void)state;
    assert_int_equal(fix.disk.truncate(&fix.disk, f, 100), OK);
    assert_int_equal(fix.disk.stat_file(&fix.disk, f, &st), OK);
    assert_int_equal(st.size_bytes, 100);
    assert_int_equal(fix.disk.truncate(&fix.disk, f, UINT64_MAX), E_NOSPACE);
    assert_int_equal(fix.disk.space(&fix.disk, f, &space), OK);
    assert_true(space.total_bytes > 0);
    assert_true(space.free_bytes <= space.total_bytes);
    fix.disk.close(&fix.disk, f);
}

static void test_list(void **state)
{
    enum { FILES = 300 };
    bool seen[FILES] = {false};
    struct disk_names names;
    char name[64];

    (void)state;
    for (unsigned i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "a-rather-long-file-name-%u", i);
        fix.disk.close(&fix.disk, make(name));
    }
    assert_int_equal(fix.disk.list(&fix.disk, fix.dir, FILES - 1, &names),
                     E_LIMIT);
    assert_int_equal(fix.disk.list(&fix.disk, fix.dir, FILES, &names), OK);
    assert_int_equal(names.count, FILES);
    size_t at = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *digits = strrchr(names.names + at, '-');
        assert_non_null(digits);
        unsigned long number = strtoul(digits + 1, NULL, 10);
        assert_in_range(number, 0, FILES - 1);
        assert_false(seen[number]);
        seen[number] = true;
        at += strlen(names.names + at) + 1;
    }
    assert_int_equal(at, names.len);
    mem_free(names.names);
}

static void test_list_empty(void **state)
{
    struct disk_names names;

    (void)state;
    assert_int_equal(fix.disk.list(&fix.disk, fix.dir, 0, &names), OK);
    assert_int_equal(names.count, 0);
    assert_int_equal(names.len, 0);
    mem_free(names.names);
}

/* /dev/full takes no byte. */
static void test_full_disk(void **state)
{
    struct disk_file *f;
    struct bytes piece = BYTES_LIT("x");

    (void)state;
    assert_int_equal(
        fix.disk.open(&fix.disk, NULL, "/dev/full", DISK_WRITE, &f), OK);
    assert_int_equal(fix.disk.write(&fix.disk, f, 0, &piece, 1), E_NOSPACE);
    fix.disk.close(&fix.disk, f);
}

static void test_errno_table(void **state)
{
    static const struct {
        int number;
        enum err err;
    } table[] = {
        {ENOENT, E_NOTFOUND},
        {EEXIST, E_EXISTS},
        {ENOTEMPTY, E_EXISTS},
        {ENOSPC, E_NOSPACE},
        {EDQUOT, E_NOSPACE},
        {EFBIG, E_NOSPACE},
        {EROFS, E_REFUSED},
        {EACCES, E_REFUSED},
        {EPERM, E_REFUSED},
        {ELOOP, E_REFUSED},
        {ENOTDIR, E_REFUSED},
        {EISDIR, E_REFUSED},
        {ETXTBSY, E_REFUSED},
        {EMFILE, E_LIMIT},
        {ENFILE, E_LIMIT},
        {ENAMETOOLONG, E_LIMIT},
        {EIO, E_IO},
        {EBADF, E_IO},
        {ECONNREFUSED, E_REFUSED},
        {ETIMEDOUT, E_TIMEOUT},
        {ENETUNREACH, E_NOTFOUND},
        {EADDRINUSE, E_EXISTS},
    };

    (void)state;
    for (size_t i = 0; i < countof(table); i++)
        assert_int_equal(err_of_errno(table[i].number), table[i].err);
}

#define DISK_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(test_write_and_read),
        DISK_TEST(test_write_many_pieces),
        DISK_TEST(test_stream),
        DISK_TEST(test_open_flags),
        DISK_TEST(test_name_lengths),
        DISK_TEST(test_modes_follow_shared),
        DISK_TEST(test_stat),
        DISK_TEST(test_links),
        DISK_TEST(test_rename),
        DISK_TEST(test_unlink),
        DISK_TEST(test_truncate_and_space),
        DISK_TEST(test_list),
        DISK_TEST(test_list_empty),
        DISK_TEST(test_full_disk),
        cmocka_unit_test(test_errno_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
