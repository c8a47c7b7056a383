/*
 * Goal: a mistyped word is answered with the one that was meant, another word
 * with none.
 * Method: slips of each kind against a few known words.
 */
#include "config/nearest.h"

#include "test.h"

static const char *meant(const char *word)
{
    static const char *const known[] = {
        "id", "storage.copies", "storage.limit", "network.name", "add", "cat"};
    struct nearest n;

    nearest_init(&n, bytes_str(word));
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        nearest_try(&n, known[i]);
    return nearest_best(&n);
}

static void slips_are_understood(void **state)
{
    (void)state;
    assert_string_equal(meant("storage.copys"), "storage.copies");
    assert_string_equal(meant("storage.lmiit"), "storage.limit");
    assert_string_equal(meant("network.nme"), "network.name");
    assert_string_equal(meant("netwrok.nname"), "network.name");
    assert_string_equal(meant("dad"), "add");
    assert_string_equal(meant("ad"), "add"); /* not id, as near as it is */
}

static void other_words_are_not(void **state)
{
    char longest[NEAREST_WORD_MAX + 2];

    (void)state;
    assert_null(meant(""));
    assert_null(meant("genesis.supply"));
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_null(meant(longest));
    longest[sizeof(longest) - 2] = '\0';
    assert_null(meant(longest)); /* the longest one that is looked at */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_understood),
        cmocka_unit_test(other_words_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
