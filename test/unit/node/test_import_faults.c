/*
 * Goal: whatever goes wrong while files are added is told with the right code
 * and place; nothing is pinned then, nothing is left open, and an import may
 * be freed at any moment.
 * Method: import_world.h: each call of the disk fails once, each put too, the
 * tree changes under the import, and it is freed after each step.
 */
#include "node/import.h"
#include "node/import_run.h"

enum { SEEDS = 4, MIB = 1024 * 1024, STEPS_MAX = 100000 };

static void make_tree(struct tree_disk *d)
{
    (void)tree_add(d, "/d", DISK_IS_DIR);
    (void)tree_text(d, "/d/a", "a");
    (void)tree_add(d, "/d/b", DISK_IS_DIR);
    (void)tree_add(d, "/d/b/c", DISK_IS_DIR);
    (void)tree_text(d, "/d/b/c/deep", "deep");
    (void)tree_file(d, "/d/b/large", TREE_PATTERN, UINT64_C(3) * MIB + 5);
    (void)tree_symlink(d, "/d/link", "a");
    (void)tree_text(d, "/d/z", "z");
}

/* What the import of /d ends with after @change; the code of the fault. */
static void check_change(void (*change)(struct tree_disk *d), enum error_id id,
                         const char *where)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct run *r = run_new(seed, NULL);
        make_tree(&r->world.tree);
        change(&r->world.tree);
        run_path(r, "/d");
        run_check_fault(r, id, where);
        run_release(r);
    }
}

static void is_not_there(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(0, NULL);
    run_path(r, "/nothing here");
    run_check_fault(r, ERROR_NOT_FOUND, "/nothing here");
    run_release(r);

    r = run_new(0, NULL);
    run_path(r, "/bad\x1b[31m\xff");
    run_check_fault(r, ERROR_NOT_FOUND, "/bad\\x1b[31m\\xff");
    run_release(r);
}

static void forbid_file(struct tree_disk *d)
{
    tree_find(d, "/d/b/c/deep")->err = E_REFUSED;
}

static void forbid_large(struct tree_disk *d)
{
    tree_find(d, "/d/b/large")->err = E_REFUSED;
}

static void forbid_dir(struct tree_disk *d)
{
    tree_find(d, "/d/b/c")->err = E_REFUSED;
}

static void break_file(struct tree_disk *d)
{
    tree_find(d, "/d/b/large")->read_err_at = UINT64_C(2) * MIB;
}

static void add_fifo(struct tree_disk *d)
{
    (void)tree_add(d, "/d/b/fifo", DISK_IS_OTHER);
}

static void long_symlink(struct tree_disk *d)
{
    static char target[5000];

    memset(target, 'x', sizeof(target) - 1);
    (void)tree_symlink(d, "/d/long", target);
}

static void empty_symlink(struct tree_disk *d)
{
    (void)tree_symlink(d, "/d/empty", "");
}

static void limit_open(struct tree_disk *d)
{
    d->open_limit = 2;
}

static void bad_entries(void **state)
{
    (void)state;
    check_change(forbid_file, ERROR_PERMISSION, "/d/b/c/deep");
    check_change(forbid_large, ERROR_PERMISSION, "/d/b/large");
    check_change(forbid_dir, ERROR_PERMISSION, "/d/b/c");
    check_change(break_file, ERROR_IO, "/d/b/large");
    check_change(add_fifo, ERROR_NOT_A_FILE, "/d/b/fifo");
    check_change(long_symlink, ERROR_LIMIT, "/d/long");
    check_change(empty_symlink, ERROR_BAD_NAME, "/d/empty");
    check_change(limit_open, ERROR_LIMIT, "/d/");
}

static void is_a_device(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(0, NULL);
    (void)tree_add(&r->world.tree, "/tty", DISK_IS_OTHER);
    run_path(r, "/tty");
    run_check_fault(r, ERROR_NOT_A_FILE, "/tty");
    run_release(r);
}

/* At the limit, and one past it. */
static void too_deep(void **state)
{
    struct run *r;
    char path[4096];

    (void)state;
    for (size_t depth = 511; depth <= 512; depth++) {
        r = run_new(0, NULL);
        for (size_t i = 0; i <= depth; i++) {
            memcpy(path + 2 * i, "/d", 3);
            (void)tree_add(&r->world.tree, path, DISK_IS_DIR);
        }
        run_path(r, "/d");
        if (depth == 511)
            run_check_ok(r);
        else
            run_check_fault(r, ERROR_LIMIT,
                            "too many folders within each other");
        run_release(r);
    }
}

/* Changes while it runs. */

static void grow_small(struct tree_disk *d)
{
    struct tree_node *n = tree_find(d, "/d/a");
    n->bytes = BYTES_LIT("ab");
    n->st.size_bytes = 2;
}

static void shrink_large(struct tree_disk *d)
{
    tree_find(d, "/d/b/large")->st.size_bytes -= 1;
}

static void touch_large(struct tree_disk *d)
{
    tree_find(d, "/d/b/large")->st.mtime_ns++;
}

static void remove_file(struct tree_disk *d)
{
    tree_remove(d, "/d/z");
}

static void remove_large(struct tree_disk *d)
{
    tree_remove(d, "/d/b/large");
}

static void replace_large(struct tree_disk *d)
{
    tree_remove(d, "/d/b/large");
    (void)tree_file(d, "/d/b/large", TREE_ZERO, UINT64_C(3) * MIB + 5);
}

static void file_becomes_symlink(struct tree_disk *d)
{
    tree_remove(d, "/d/z");
    (void)tree_symlink(d, "/d/z", "/etc/passwd");
}

static void file_becomes_fifo(struct tree_disk *d)
{
    tree_remove(d, "/d/z");
    (void)tree_add(d, "/d/z", DISK_IS_OTHER);
}

static void symlink_becomes_file(struct tree_disk *d)
{
    tree_remove(d, "/d/link");
    (void)tree_text(d, "/d/link", "now a file");
}

static void dir_becomes_symlink(struct tree_disk *d)
{
    tree_remove(d, "/d/b/c/deep");
    tree_remove(d, "/d/b/c");
    (void)tree_symlink(d, "/d/b/c", "/etc");
}

static const struct {
    void (*change)(struct tree_disk *d);
    const char *where;
    bool may_be_gone; /* the name is absent afterwards */
} changes[] = {
    {grow_small, "/d/a", false},
    {shrink_large, "/d/b/large", false},
    {touch_large, "/d/b/large", false},
    {remove_file, "/d/z", true},
    {remove_large, "/d/b/large", true},
    {replace_large, "/d/b/large", false},
    {file_becomes_symlink, "/d/z", false},
    {file_becomes_fifo, "/d/z", false},
    {symlink_becomes_file, "/d/link", false},
    {dir_becomes_symlink, "/d/b/c", true},
};

/* Before it is listed, or after it was read, a change does not matter. */
static void check_race(const struct run *r, size_t i)
{
    if (r->err == OK)
        return;
    enum error_id id = r->fault.id;
    bool expected =
        id == ERROR_CHANGED_FILE ||
        (changes[i].may_be_gone && id == ERROR_NOT_FOUND) ||
        (id == ERROR_NOT_A_FILE && changes[i].change == file_becomes_fifo);
    if (!expected || strstr(r->fault.text, changes[i].where) == NULL)
        fail_msg("change %zu at %zu: %s", i, r->world.tree.change_call,
                 r->fault.text);
    assert_int_equal(r->world.pinned_count, 0);
}

static void changes_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < countof(changes); i++) {
        size_t seen = 0;
        for (size_t call = 1; call < 80; call++) {
            struct run *r = run_new(call, NULL);
            make_tree(&r->world.tree);
            r->world.tree.change = changes[i].change;
            r->world.tree.change_call = call;
            run_path(r, "/d");
            assert_int_equal(r->done_count, 1);
            check_race(r, i);
            seen += r->err != OK;
            run_release(r);
        }
        assert_in_range(seen, 1, 70);
    }
}

static void touch_small(struct tree_disk *d)
{
    tree_find(d, "/d/a")->st.mtime_ns++;
}

/* Once it is listed, until nobody looks at it any more, @change of @path is a
 * fault; before and after it makes no difference.  One seed: the calls are the
 * same until the change. */
static void check_window(void (*change)(struct tree_disk *d), const char *path)
{
    struct run *r = run_new(5, NULL);

    make_tree(&r->world.tree);
    run_path(r, "/d");
    run_check_ok(r);
    struct tree_node seen = *tree_find(&r->world.tree, path);
    size_t calls = r->world.tree.calls;
    run_release(r);
    assert_in_range(seen.last_call, seen.first_call + 3, calls);
    for (size_t call = 1; call <= calls; call++) {
        r = run_new(5, NULL);
        make_tree(&r->world.tree);
        r->world.tree.change = change;
        r->world.tree.change_call = call;
        run_path(r, "/d");
        if (call > seen.first_call && call <= seen.last_call)
            run_check_fault(r, ERROR_CHANGED_FILE, path);
        else
            run_check_ok(r);
        run_release(r);
    }
}

static void no_change_is_missed(void **state)
{
    (void)state;
    check_window(grow_small, "/d/a");
    check_window(shrink_large, "/d/b/large");
    /* Listed, opened, looked at, read, looked at again. */
    struct run *r = run_new(1, NULL);
    (void)tree_text(&r->world.tree, "/a", "a");
    run_path(r, "/a");
    assert_int_equal(tree_find(&r->world.tree, "/a")->calls, 5);
    run_release(r);
    for (size_t call = 1; call <= 5; call++) {
        r = run_new(1, NULL);
        (void)tree_add(&r->world.tree, "/d", DISK_IS_DIR);
        (void)tree_text(&r->world.tree, "/d/a", "a");
        r->world.tree.change = touch_small;
        r->world.tree.change_call = call;
        run_path(r, "/d/a");
        if (call >= 4)
            run_check_fault(r, ERROR_CHANGED_FILE, "/d/a");
        else
            run_check_ok(r);
        run_release(r);
    }
}

/* Every call of the disk fails once. */
static void disk_fails_anywhere(void **state)
{
    struct run *r;
    static const struct {
        enum err err;
        enum error_id id;
    } errs[] = {{E_IO, ERROR_IO},
                {E_REFUSED, ERROR_PERMISSION},
                {E_NOTFOUND, ERROR_NOT_FOUND},
                {E_LIMIT, ERROR_LIMIT}};

    (void)state;
    for (size_t i = 0; i < countof(errs); i++) {
        for (size_t call = 1;; call++) {
            r = run_new(call, NULL);
            make_tree(&r->world.tree);
            r->world.tree.fail_call = call;
            r->world.tree.fail_err = errs[i].err;
            run_path(r, "/d");
            assert_int_equal(r->done_count, 1);
            bool reached = r->world.tree.calls >= call;
            if (reached)
                run_check_fault(r, errs[i].id, "/d");
            else
                run_check_ok(r);
            run_release(r);
            if (!reached)
                break;
        }
    }
}

/* Every put fails once: at once, or later; so do sync and pin. */
static void store_fails_anywhere(void **state)
{
    struct run *r;
    (void)state;
    for (size_t put = 1; put <= 11; put++) {
        for (int later = 0; later < 2; later++) {
            r = run_new(put, NULL);
            make_tree(&r->world.tree);
            r->world.puts_most = put % 3;
            r->world.fail_put_err = E_NOSPACE;
            if (later)
                r->world.fail_put_done = put;
            else
                r->world.fail_put_call = put;
            run_path(r, "/d");
            run_check_fault(r, ERROR_NO_SPACE, "");
            run_release(r);
        }
    }
    r = run_new(1, NULL);
    make_tree(&r->world.tree);
    r->world.sync_err = E_IO;
    run_path(r, "/d");
    run_check_fault(r, ERROR_IO, "");
    run_release(r);

    r = run_new(1, NULL);
    make_tree(&r->world.tree);
    r->world.pin_err = E_IO;
    run_path(r, "/d");
    assert_int_equal(r->err, E_IO);
    assert_int_equal(r->fault.id, ERROR_IO);
    run_release(r);
}

static void quota(void **state)
{
    struct run *r;
    (void)state;
    r = run_new(1, NULL);
    make_tree(&r->world.tree);
    r->world.fail_put_err = E_NOSPACE;
    r->world.fail_put_call = 3;
    r->world.stats.bytes_limit = UINT64_C(10) * MIB;
    r->world.stats.bytes_used = UINT64_C(10) * MIB - 100;
    run_path(r, "/d");
    run_check_fault(r, ERROR_QUOTA, "");
    run_release(r);
}

static void pin_name_too_long(void **state)
{
    struct run *r;
    static const uint8_t name[STORE_PIN_NAME_MAX + 1];

    (void)state;
    r = run_new(1, NULL);
    make_tree(&r->world.tree);
    r->config.name = (struct bytes){name, sizeof(name)};
    run_path(r, "/d");
    run_check_fault(r, ERROR_LIMIT, "");
    run_release(r);
}

/* From outside, after each number of steps. */
static void freed_anywhere(void **state)
{
    struct run *r;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool over = false;
        for (size_t steps = 0; !over; steps++) {
            r = run_new(seed, NULL);
            make_tree(&r->world.tree);
            r->world.puts_most = seed;
            run_start(r, (const char *const[]){"/d", "/d/z"}, 2);
            for (size_t i = 0; i < steps && r->done_count == 0; i++)
                (void)world_step(&r->world);
            over = r->done_count > 0;
            assert_true(steps < STEPS_MAX);
            run_release(r);
        }
    }
}

static void stream_freed_anywhere(void **state)
{
    struct run *r;
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        bool over = false;
        for (size_t steps = 0; !over; steps++) {
            r = run_new(seed, NULL);
            r->contents = TREE_PATTERN;
            r->size = UINT64_C(9) * MIB + 7;
            r->piece = 300000;
            r->world.puts_most = seed;
            run_start_stream(r, "s");
            for (size_t i = 0; i < steps && r->done_count == 0; i++)
                (void)world_step(&r->world);
            over = r->done_count > 0;
            assert_true(steps < STEPS_MAX);
            run_release(r);
        }
    }
}

/* From inside of its own callback. */
static void freed_in_callback(void **state)
{
    struct run *r;
    (void)state;
    for (size_t item = 1; item <= 8; item++) {
        r = run_new(item, NULL);
        make_tree(&r->world.tree);
        r->free_at_item = item;
        run_path(r, "/d");
        assert_int_equal(r->items_count, item);
        assert_int_equal(r->done_count, 0);
        assert_int_equal(r->world.pinned_count, 0);
        run_release(r);
    }
}

static void stream_store_fails(void **state)
{
    struct run *r;
    (void)state;
    for (size_t put = 1; put <= 10; put++) {
        r = run_new(put, NULL);
        r->size = UINT64_C(9) * MIB + 7;
        r->piece = 300000;
        r->world.fail_put_err = E_IO;
        r->world.fail_put_call = put;
        run_start_stream(r, "s");
        run_to_end(r);
        run_check_fault(r, ERROR_IO, "");
        run_release(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_not_there),
        cmocka_unit_test(bad_entries),
        cmocka_unit_test(is_a_device),
        cmocka_unit_test(too_deep),
        cmocka_unit_test(changes_are_seen),
        cmocka_unit_test(no_change_is_missed),
        cmocka_unit_test(disk_fails_anywhere),
        cmocka_unit_test(store_fails_anywhere),
        cmocka_unit_test(quota),
        cmocka_unit_test(pin_name_too_long),
        cmocka_unit_test(freed_anywhere),
        cmocka_unit_test(stream_freed_anywhere),
        cmocka_unit_test(freed_in_callback),
        cmocka_unit_test(stream_store_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
