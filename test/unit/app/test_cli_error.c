/*
 * Goal: errors are one line with cause, remedy and code, or one JSON value,
 * and nothing from outside can change the terminal or the form.
 * Method: make them from each source and compare the text.
 */
#include <jansson.h>

#include "app/cli_error.h"
#include "base/strbuf.h"

#include "test.h"

static void check_text(const struct cli_error *e, const char *wanted)
{
    struct strbuf out;

    strbuf_init(&out, 1 << 16);
    cli_error_text(e, &out);
    assert_string_equal(strbuf_cstr(&out), wanted);
    strbuf_release(&out);
}

static void a_line_has_all_parts(void **state)
{
    struct cli_error e;

    (void)state;
    cli_error_set(&e, ERROR_NO_FOLDER, "/tmp/x");
    check_text(&e, "xmbl: there is no data folder: /tmp/x. Make one with `xmbl "
                   "init`, or name one with --path. [NO_FOLDER]\n");
    assert_int_equal(e.exit_code, 3);
    cli_error_set(&e, ERROR_TIMEOUT, NULL);
    cli_error_hint(&e, "Wait.");
    check_text(&e, "xmbl: time is over. Wait. [TIMEOUT]\n");
    cli_error_kept(&e, "It is kept.");
    check_text(&e, "xmbl: interrupted. It is kept. [CANCELLED]\n");
    assert_int_equal(e.exit_code, 130);
}

static void outside_texts_are_escaped_and_cut(void **state)
{
    struct cli_error e;
    char big[2 * CLI_MESSAGE_MAX];

    (void)state;
    cli_error_set(&e, ERROR_NOT_FOUND, "a\x1b[2J\n\xe2\x80\xae");
    check_text(&e, "xmbl: not found: a\\x1b[2J\\x0a\\xe2\\x80\\xae. Check the "
                   "spelling, or connect to a peer that has it. "
                   "[NOT_FOUND]\n");
    cli_error_setf(&e, ERROR_IO, "%s", "x\ty");
    assert_string_equal(e.message, "x\\x09y");
    memset(big, 'a', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    cli_error_setf(&e, ERROR_IO, "%s", big);
    assert_int_equal(strlen(e.message), CLI_MESSAGE_MAX - 1);
    cli_error_set(&e, ERROR_IO, big);
    assert_int_equal(strlen(e.message), CLI_MESSAGE_MAX - 1);
    memset(big, '\x01', sizeof(big) - 1);
    cli_error_set(&e, ERROR_IO, big);
    assert_true(strlen(e.message) < CLI_MESSAGE_MAX);
}

static void problems_become_errors(void **state)
{
    struct cli_error e;

    (void)state;
    cli_error_from_problem(
        &e, 404,
        BYTES_LIT("{\"type\":\"about:blank\",\"title\":\"not found\","
                  "\"status\":404,\"code\":\"NOT_PINNED\",\"detail\":\"no pin: "
                  "bafy\",\"hint\":\"Look.\",\"details\":{\"a\":1}}"));
    assert_string_equal(e.code, "NOT_PINNED");
    assert_string_equal(e.message, "no pin: bafy");
    assert_string_equal(e.hint, "Look.");
    assert_string_equal(e.details, "{\"a\":1}");
    assert_int_equal(e.exit_code, 3);
    /* A word that only a newer daemon knows. */
    cli_error_from_problem(&e, 507, BYTES_LIT("{\"code\":\"NEW_WORD\"}"));
    assert_string_equal(e.code, "NEW_WORD");
    assert_int_equal(e.exit_code, 5);
    /* Not JSON at all. */
    cli_error_from_problem(&e, 503, BYTES_LIT("<html>"));
    assert_string_equal(e.code, "BUSY");
    assert_string_equal(e.message, "the daemon answered 503");
    cli_error_from_problem(&e, 418, BYTES_EMPTY);
    assert_string_equal(e.code, "BAD_REQUEST");
    cli_error_from_problem(&e, 599, BYTES_LIT("[]"));
    assert_string_equal(e.code, "INTERNAL");
    cli_error_from_problem(&e, 400, BYTES_LIT("{\"code\":5,\"detail\":[]}"));
    assert_string_equal(e.code, "BAD_REQUEST");
}

static void json_is_one_value(void **state)
{
    struct cli_error e;
    struct strbuf out;

    (void)state;
    strbuf_init(&out, 1 << 16);
    cli_error_set(&e, ERROR_FOLDER_LOCKED, "/a\"b");
    cli_error_json(&e, &out);
    assert_int_equal(out.p[out.len - 1], '\n');
    json_t *root = json_loads(strbuf_cstr(&out), 0, NULL);
    assert_non_null(root);
    const json_t *error = json_object_get(root, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")),
                        "FOLDER_LOCKED");
    assert_non_null(
        strstr(json_string_value(json_object_get(error, "message")), "/a\"b"));
    assert_true(json_is_string(json_object_get(error, "hint")));
    assert_true(json_is_object(json_object_get(error, "details")));
    /* And back, as it comes inside a stream. */
    struct cli_error back;
    cli_error_from_json(&back, error);
    assert_string_equal(back.message, e.message);
    assert_string_equal(back.code, e.code);
    assert_int_equal(back.exit_code, 6);
    json_decref(root);
    strbuf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_all_parts),
        cmocka_unit_test(outside_texts_are_escaped_and_cut),
        cmocka_unit_test(problems_become_errors),
        cmocka_unit_test(json_is_one_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
