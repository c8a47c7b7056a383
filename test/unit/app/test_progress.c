/*
 * Goal: the progress line tells what is known, never more than fits.
 * Method: states and widths, every width from 0 on.
 */
#include "app/progress.h"
#include "base/strbuf.h"

#include "test.h"

static void check(struct progress_state s, unsigned columns, const char *wanted)
{
    struct strbuf out;

    strbuf_init(&out, 4096);
    progress_line(&out, &s, columns);
    assert_string_equal(strbuf_cstr(&out), wanted);
    strbuf_release(&out);
}

static const struct progress_state half = {
    .label = "adding",
    .done = UINT64_C(1) << 29,
    .total = UINT64_C(1) << 30,
    .rate = UINT64_C(100) << 20,
    .is_bytes = true,
};

static void lines_tell_what_is_known(void **state)
{
    (void)state;
    check(half, 80,
          "adding  50% 512.0 MiB / 1.0 GiB  100.0 MiB/s  5s left  "
          "[===========>          ]");
    struct progress_state s = half;
    s.total = PROGRESS_UNKNOWN;
    check(s, 80, "adding 512.0 MiB  100.0 MiB/s");
    s.rate = 0;
    check(s, 80, "adding 512.0 MiB");
    s = (struct progress_state){.label = "fetching",
                                .done = 3,
                                .total = 40,
                                .rate = 5,
                                .unit = "blocks"};
    check(s, 45, "fetching   7% 3 / 40 blocks  5/s  7s left");
    s.done = 50; /* more than was thought */
    check(s, 40, "fetching 100% 50 / 40 blocks  5/s");
    s.total = 0;
    check(s, 40, "fetching 50 blocks  5/s");
}

static void lines_fit_every_width(void **state)
{
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 4096);
    for (unsigned columns = 0; columns < 300; columns++) {
        strbuf_reset(&out);
        progress_line(&out, &half, columns);
        assert_true(out.len < (columns > 0 ? columns : 1));
        if (columns > 32)
            assert_non_null(strstr(strbuf_cstr(&out), "50%"));
    }
    strbuf_release(&out);
}

static void large_numbers_are_safe(void **state)
{
    struct progress_state s = {.label = "x",
                               .done = UINT64_MAX / 2,
                               .total = UINT64_MAX - 1,
                               .rate = 1,
                               .is_bytes = true};
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 4096);
    progress_line(&out, &s, 200);
    assert_non_null(strstr(strbuf_cstr(&out), " 50% "));
    strbuf_release(&out);
}

static void nothing_is_drawn_without_a_terminal(void **state)
{
    struct progress p;

    (void)state;
    progress_init(&p, "x", false);
    progress_update(&p, &half);
    assert_false(p.is_drawn);
    progress_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_tell_what_is_known),
        cmocka_unit_test(lines_fit_every_width),
        cmocka_unit_test(large_numbers_are_safe),
        cmocka_unit_test(nothing_is_drawn_without_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
