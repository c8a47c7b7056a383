/*
 * Goal: every fault has a whole row, words are unique and found in either
 * case, and each err has a fault.
 * Method: walk the table.
 */
#include "config/errors.h"

#include "test.h"

static void rows_are_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ERRORS_COUNT; i++) {
        const struct error_info *row = error_info((enum error_id)i);
        size_t len = strlen(row->code);
        assert_true(len > 0 && len < ERROR_CODE_MAX);
        assert_int_equal(strspn(row->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), len);
        assert_true(row->http_status >= 400 && row->http_status < 600);
        assert_true(row->exit_code != EXIT_DONE);
        assert_true(strlen(row->title) > 0);
        assert_int_not_equal(row->title[strlen(row->title) - 1], '.');
        assert_int_equal(row->hint[strlen(row->hint) - 1], '.');
        assert_int_equal(row->explanation[strlen(row->explanation) - 1], '.');
        assert_ptr_equal(error_find(row->code), row);
    }
}

static void words_are_found(void **state)
{
    (void)state;
    assert_ptr_equal(error_find("folder_locked"),
                     error_info(ERROR_FOLDER_LOCKED));
    assert_int_equal(error_info(ERROR_FOLDER_LOCKED)->exit_code, 6);
    assert_null(error_find("FOLDER_LOCKE"));
    assert_null(error_find("FOLDER_LOCKEDD"));
    assert_null(error_find(""));
}

static void each_err_has_a_row(void **state)
{
    (void)state;
    for (int i = E_NOTFOUND; i <= E_CORRUPT; i++)
        assert_true(error_of_err((enum err)i) < ERRORS_COUNT);
    assert_int_equal(error_info(error_of_err(E_NOTFOUND))->exit_code, 3);
    assert_int_equal(error_info(error_of_err(E_REFUSED))->exit_code, 4);
    assert_int_equal(error_info(error_of_err(E_NOSPACE))->exit_code, 5);
    assert_int_equal(error_info(error_of_err(E_TIMEOUT))->exit_code, 7);
    assert_int_equal(error_info(error_of_err(E_CANCELED))->exit_code, 130);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(each_err_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
