/*
 * Goal: the simulated disk keeps what was synced, tears what was not, and says
 * what a disk says.
 *
 * Method: one disk on a clock of its own; power cuts over many seeds, so that
 * each outcome that may be is seen and none that may not.
 */
#include "base/mem.h"
#include "sim/clock.h"
#include "sim/disk.h"

#include "test.h"

enum { SEEDS = 200, BIG = 8 * SIM_SECTOR_BYTES };

struct fixture {
    struct sim_time time;
    struct sim_clock clock;
    struct sim_disk disk;
};

static void open_fixture(struct fixture *f, uint64_t seed)
{
    sim_time_init(&f->time);
    sim_clock_init(&f->clock, &f->time, 0);
    sim_disk_init(&f->disk, &f->clock, seed);
}

static void close_fixture(struct fixture *f)
{
    sim_disk_release(&f->disk);
    sim_clock_release(&f->clock);
    sim_time_release(&f->time);
}

static struct disk_file *open_at(struct fixture *f, const char *path,
                                 unsigned flags)
{
    struct disk *d = &f->disk.disk;
    struct disk_file *file = NULL;

    assert_int_equal(d->open(d, NULL, path, flags, &file), OK);
    return file;
}

static void write_fill(struct fixture *f, struct disk_file *file,
                       uint64_t offset, uint8_t value, size_t len)
{
    struct disk *d = &f->disk.disk;
    uint8_t *bytes = mem_alloc(len);

    memset(bytes, value, len);
    struct bytes piece = {bytes, len};
    assert_int_equal(d->write(d, file, offset, &piece, 1), OK);
    mem_free(bytes);
}

static size_t read_all(struct fixture *f, struct disk_file *file, uint8_t *dst,
                       size_t max)
{
    struct disk *d = &f->disk.disk;
    size_t len = 0;

    assert_int_equal(d->read(d, file, 0, dst, max, &len), OK);
    return len;
}

static struct disk_file *make_file(struct fixture *f, const char *path)
{
    struct disk *d = &f->disk.disk;
    struct disk_file *root = open_at(f, "/", DISK_READ | DISK_DIR);
    struct disk_file *file =
        open_at(f, path, DISK_READ | DISK_WRITE | DISK_CREATE);

    assert_int_equal(d->sync(d, file), OK);
    assert_int_equal(d->sync_dir(d, root), OK);
    d->close(d, root);
    return file;
}

/* As the machine does it: handles act dead, then are closed. */
static void cut_power(struct fixture *f, struct disk_file *file)
{
    struct disk *d = &f->disk.disk;
    size_t len;
    uint8_t byte;

    sim_disk_power(&f->disk);
    assert_int_equal(d->read(d, file, 0, &byte, 1, &len), E_IO);
    d->close(d, file);
    sim_disk_revive(&f->disk);
}

static void written_is_seen_at_once(void **state)
{
    struct fixture f;
    uint8_t got[16];

    (void)state;
    open_fixture(&f, 1);
    struct disk_file *file = make_file(&f, "/a");
    write_fill(&f, file, SIM_SECTOR_BYTES - 3, 7, 6);
    struct disk *d = &f.disk.disk;
    size_t len;
    assert_int_equal(d->read(d, file, SIM_SECTOR_BYTES - 4, got, 16, &len), OK);
    assert_int_equal(len, 7);
    assert_int_equal(got[0], 0);
    assert_int_equal(got[1], 7);
    assert_int_equal(got[6], 7);
    assert_int_equal(d->read(d, file, SIM_SECTOR_BYTES + 3, got, 16, &len), OK);
    assert_int_equal(len, 0);
    d->close(d, file);
    close_fixture(&f);
}

static void synced_survives_power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        uint8_t got[BIG + 1];
        open_fixture(&f, seed);
        struct disk_file *file = make_file(&f, "/a");
        write_fill(&f, file, 0, 1, BIG);
        assert_int_equal(f.disk.disk.sync(&f.disk.disk, file), OK);
        cut_power(&f, file);
        file = open_at(&f, "/a", DISK_READ);
        assert_int_equal(read_all(&f, file, got, sizeof(got)), BIG);
        for (size_t i = 0; i < BIG; i++)
            assert_int_equal(got[i], 1);
        f.disk.disk.close(&f.disk.disk, file);
        close_fixture(&f);
    }
}

static void a_lie_is_found_out_by_a_power_cut(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        uint8_t got[BIG + 1];
        open_fixture(&f, seed);
        struct disk_file *file = make_file(&f, "/a");
        f.disk.lies = true;
        write_fill(&f, file, 0, 1, BIG);
        assert_int_equal(f.disk.disk.sync(&f.disk.disk, file), OK);
        cut_power(&f, file);
        file = open_at(&f, "/a", DISK_READ);
        size_t len = read_all(&f, file, got, sizeof(got));
        lost += len < BIG || got[0] != 1;
        f.disk.disk.close(&f.disk.disk, file);
        close_fixture(&f);
    }
    assert_true(lost > SEEDS / 4);
    assert_true(lost < SEEDS);
}

/* Each sector is old or new; both are seen, also beside each other. */
static void unsynced_is_torn_by_sectors(void **state)
{
    unsigned mixed = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        uint8_t got[BIG];
        unsigned fresh = 0;
        open_fixture(&f, seed);
        struct disk_file *file = make_file(&f, "/a");
        write_fill(&f, file, 0, 1, BIG);
        assert_int_equal(f.disk.disk.sync(&f.disk.disk, file), OK);
        write_fill(&f, file, 0, 2, BIG);
        cut_power(&f, file);
        file = open_at(&f, "/a", DISK_READ);
        assert_int_equal(read_all(&f, file, got, BIG), BIG);
        for (size_t i = 0; i < BIG; i++) {
            assert_true(got[i] == 1 || got[i] == 2);
            assert_int_equal(got[i],
                             got[i / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES]);
            fresh += got[i] == 2;
        }
        mixed += fresh > 0 && fresh < BIG;
        f.disk.disk.close(&f.disk.disk, file);
        close_fixture(&f);
    }
    assert_true(mixed > SEEDS / 4);
}

static void a_kill_loses_nothing(void **state)
{
    struct fixture f;
    uint8_t got[BIG];

    (void)state;
    open_fixture(&f, 3);
    struct disk_file *file = open_at(&f, "/a", DISK_WRITE | DISK_CREATE);
    write_fill(&f, file, 0, 9, BIG);
    sim_disk_kill(&f.disk);
    f.disk.disk.close(&f.disk.disk, file);
    sim_disk_revive(&f.disk);
    file = open_at(&f, "/a", DISK_READ);
    assert_int_equal(read_all(&f, file, got, BIG), BIG);
    assert_int_equal(got[BIG - 1], 9);
    f.disk.disk.close(&f.disk.disk, file);
    close_fixture(&f);
}

/* Bytes that were cut off don't come back when the file grows again. */
static void truncate_then_grow_gives_zeros(void **state)
{
    struct fixture f;
    uint8_t got[BIG];

    (void)state;
    open_fixture(&f, 3);
    struct disk *d = &f.disk.disk;
    struct disk_file *file = make_file(&f, "/a");
    write_fill(&f, file, 0, 9, BIG);
    assert_int_equal(d->truncate(d, file, 100), OK);
    assert_int_equal(d->truncate(d, file, BIG), OK);
    assert_int_equal(read_all(&f, file, got, BIG), BIG);
    assert_int_equal(got[99], 9);
    for (size_t i = 100; i < BIG; i++)
        assert_int_equal(got[i], 0);
    d->close(d, file);
    close_fixture(&f);
}

static bool exists(struct fixture *f, const char *path)
{
    struct disk *d = &f->disk.disk;
    struct disk_stat st;
    enum err err = d->stat(d, NULL, path, &st);

    assert_true(err == OK || err == E_NOTFOUND);
    return err == OK;
}

/* A rename is seen wholly or not at all, and never both names or none. */
static void a_rename_is_atomic(void **state)
{
    unsigned kept = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        open_fixture(&f, seed);
        struct disk *d = &f.disk.disk;
        struct disk_file *file = make_file(&f, "/a");
        assert_int_equal(d->rename(d, NULL, "/a", NULL, "/b", true), OK);
        cut_power(&f, file);
        assert_true(exists(&f, "/a") != exists(&f, "/b"));
        kept += exists(&f, "/b");
        close_fixture(&f);
    }
    assert_true(kept > 0);
    assert_true(kept < SEEDS);
}

/* What is kept of the names of a directory is a beginning of what was done. */
static void names_are_lost_from_the_end(void **state)
{
    unsigned some = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        open_fixture(&f, seed);
        struct disk *d = &f.disk.disk;
        struct disk_file *file = make_file(&f, "/a");
        assert_int_equal(d->mkdir(d, NULL, "/1", false), OK);
        assert_int_equal(d->mkdir(d, NULL, "/2", false), OK);
        assert_int_equal(d->mkdir(d, NULL, "/3", false), OK);
        cut_power(&f, file);
        assert_true(exists(&f, "/a"));
        assert_true(!exists(&f, "/3") || exists(&f, "/2"));
        assert_true(!exists(&f, "/2") || exists(&f, "/1"));
        some += exists(&f, "/1") && !exists(&f, "/3");
        close_fixture(&f);
    }
    assert_true(some > 0);
}

/* What lies in a folder whose own name was lost goes with it. */
static void a_lost_folder_takes_all_below(void **state)
{
    unsigned lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        open_fixture(&f, seed);
        struct disk *d = &f.disk.disk;
        assert_int_equal(d->mkdir(d, NULL, "/d", false), OK);
        assert_int_equal(d->mkdir(d, NULL, "/d/e", false), OK);
        struct disk_file *file =
            open_at(&f, "/d/e/f", DISK_WRITE | DISK_CREATE);
        struct disk_file *dir = open_at(&f, "/d/e", DISK_READ | DISK_DIR);
        write_fill(&f, file, 0, 1, BIG);
        assert_int_equal(d->sync(d, file), OK);
        assert_int_equal(d->sync_dir(d, dir), OK);
        d->close(d, dir);
        cut_power(&f, file);
        lost += !exists(&f, "/d");
        close_fixture(&f); /* it asserts that nothing is left */
    }
    assert_true(lost > 0);
}

static void full_refuses_new_bytes_only(void **state)
{
    struct fixture f;
    uint8_t byte = 1;
    struct bytes piece = {&byte, 1};
    struct disk_space space;

    (void)state;
    open_fixture(&f, 3);
    struct disk *d = &f.disk.disk;
    f.disk.capacity_bytes = (uint64_t)2 * SIM_SECTOR_BYTES;
    struct disk_file *file = make_file(&f, "/a");
    write_fill(&f, file, 0, 1, SIM_SECTOR_BYTES);
    assert_int_equal(d->sync(d, file), OK);
    assert_int_equal(d->write(d, file, SIM_SECTOR_BYTES, &piece, 1), OK);
    assert_int_equal(
        d->write(d, file, (uint64_t)2 * SIM_SECTOR_BYTES, &piece, 1),
        E_NOSPACE);
    assert_int_equal(d->write(d, file, SIM_SECTOR_BYTES, &piece, 1), OK);
    assert_int_equal(d->space(d, file, &space), OK);
    assert_int_equal(space.free_bytes, 0);
    assert_int_equal(space.total_bytes, 2 * SIM_SECTOR_BYTES);
    d->close(d, file);
    close_fixture(&f);
}

/* The operation in which it dies may come half way; nothing comes after. */
static void an_armed_disk_dies_on_time(void **state)
{
    struct fixture f;
    struct bytes piece = BYTES_LIT("bytes");

    (void)state;
    open_fixture(&f, 3);
    struct disk *d = &f.disk.disk;
    struct disk_file *file = make_file(&f, "/a");
    f.disk.ops_left = 2;
    assert_int_equal(d->write(d, file, 0, &piece, 1), OK);
    assert_int_equal(d->sync(d, file), OK);
    assert_false(f.disk.died);
    assert_int_equal(d->write(d, file, 0, &piece, 1), E_IO);
    assert_true(f.disk.died);
    assert_int_equal(d->sync(d, file), E_IO);
    cut_power(&f, file);
    assert_false(f.disk.died);
    assert_true(exists(&f, "/a"));
    close_fixture(&f);
}

static void rot_flips_one_bit(void **state)
{
    struct fixture f;
    uint8_t got[BIG];
    unsigned flipped = 0;

    (void)state;
    open_fixture(&f, 3);
    struct disk *d = &f.disk.disk;
    assert_int_equal(d->mkdir(d, NULL, "/d", false), OK);
    assert_false(sim_disk_rot(&f.disk, "/d"));
    struct disk_file *file = make_file(&f, "/d/a");
    write_fill(&f, file, 0, 0, BIG);
    assert_true(sim_disk_rot(&f.disk, "/d"));
    assert_int_equal(read_all(&f, file, got, BIG), BIG);
    for (size_t i = 0; i < BIG; i++) {
        for (unsigned bit = 0; bit < 8; bit++)
            flipped += got[i] >> bit & 1;
    }
    assert_int_equal(flipped, 1);
    assert_int_equal(sim_disk_lose(&f.disk, "/d"), 1);
    assert_int_equal(read_all(&f, file, got, BIG), BIG);
    for (size_t i = 0; i < BIG; i++)
        assert_int_equal(got[i], 0);
    d->close(d, file);
    close_fixture(&f);
}

static void refusals(void **state)
{
    struct fixture f;
    struct disk_file *file = NULL;
    char target[4];
    char name[SIM_DISK_NAME_MAX + 2];

    (void)state;
    open_fixture(&f, 3);
    struct disk *d = &f.disk.disk;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct disk_file *root = open_at(&f, "/", DISK_READ | DISK_DIR);
    unsigned make = DISK_WRITE | DISK_CREATE;
    assert_int_equal(d->open(d, root, name, make, &file), E_LIMIT);
    assert_int_equal(d->open(d, root, name + 1, make, &file), OK);
    d->close(d, file);
    assert_int_equal(d->open(d, root, name + 1, make | DISK_EXCL, &file),
                     E_EXISTS);
    assert_int_equal(d->open(d, root, "no", DISK_READ, &file), E_NOTFOUND);
    assert_int_equal(d->mkdir(d, root, "d", false), OK);
    assert_int_equal(d->mkdir(d, root, "d", false), E_EXISTS);
    assert_int_equal(d->open(d, root, "d", DISK_READ, &file), E_REFUSED);
    assert_int_equal(d->open(d, NULL, "/d/x/y", make, &file), E_NOTFOUND);
    assert_int_equal(d->symlink(d, root, "l", "abc"), OK);
    assert_int_equal(d->open(d, root, "l", DISK_READ, &file), E_REFUSED);
    assert_int_equal(d->readlink(d, root, "l", target, 3), E_LIMIT);
    assert_int_equal(d->readlink(d, root, "l", target, 4), OK);
    assert_string_equal(target, "abc");
    assert_int_equal(d->rename(d, root, "l", root, "d", false), E_EXISTS);
    assert_int_equal(d->rename(d, root, "l", root, "d", true), E_REFUSED);
    assert_int_equal(d->unlink(d, root, "d", false), E_REFUSED);
    assert_int_equal(d->unlink(d, root, "d", true), OK);
    assert_int_equal(d->unlink(d, root, "d", true), E_NOTFOUND);
    struct disk_names names;
    assert_int_equal(d->list(d, root, 1, &names), E_LIMIT);
    assert_int_equal(d->list(d, root, 2, &names), OK);
    assert_int_equal(names.count, 2);
    mem_free(names.names);
    d->close(d, root);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_is_seen_at_once),
        cmocka_unit_test(synced_survives_power_cuts),
        cmocka_unit_test(a_lie_is_found_out_by_a_power_cut),
        cmocka_unit_test(unsynced_is_torn_by_sectors),
        cmocka_unit_test(a_kill_loses_nothing),
        cmocka_unit_test(truncate_then_grow_gives_zeros),
        cmocka_unit_test(a_rename_is_atomic),
        cmocka_unit_test(names_are_lost_from_the_end),
        cmocka_unit_test(a_lost_folder_takes_all_below),
        cmocka_unit_test(full_refuses_new_bytes_only),
        cmocka_unit_test(an_armed_disk_dies_on_time),
        cmocka_unit_test(rot_flips_one_bit),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
