/*
 * Goal: of keys in any order the lowest from some point on, each once, in
 * order; at the limit of the window and one past it.
 * Method: compare with a plain list that is sorted by insertion.
 */
#include "base/wr.h"
#include "node/keywindow.h"

#include "test.h"

enum { KEYS_MAX = 300, DIGEST_BYTES = 32 };

static struct multihash hash_of(uint32_t n)
{
    struct multihash h = {.code = 0x12, .len = DIGEST_BYTES};
    struct wr w = wr_init(h.digest, sizeof(h.digest));

    wr_be32(&w, n);
    return h;
}

static struct kad_key key_of(uint32_t n)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    struct multihash hash = hash_of(n);
    size_t len = multihash_encode(&hash, bytes);

    return kad_key_of((struct bytes){bytes, len});
}

static struct kad_key all(uint8_t value)
{
    struct kad_key key;

    memset(key.b, value, sizeof(key.b));
    return key;
}

/* The keys of 0 to @count - 1 from @from on, in order. */
static size_t sorted(uint32_t count, const struct kad_key *from,
                     struct kad_key *dst)
{
    size_t found = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct kad_key key = key_of(i);
        if (kad_key_cmp(&key, from) < 0)
            continue;
        size_t at = found++;
        for (; at > 0 && kad_key_cmp(&dst[at - 1], &key) > 0; at--)
            dst[at] = dst[at - 1];
        dst[at] = key;
    }
    return found;
}

static void fill(struct keywindow *w, uint32_t count,
                 const struct kad_key *from, size_t steps)
{
    size_t turns = 0;

    keywindow_begin(w, from);
    for (uint32_t i = 0; i < count; i++) {
        struct multihash hash = hash_of(i);
        keywindow_add(w, &hash);
    }
    while (!keywindow_sort(w, steps))
        turns++;
    assert_true(turns <= count / steps + 1);
}

/* Take all in pages, as the sweep does, with new windows where one ends. */
static void take_all(struct keywindow *w, uint32_t count, size_t page,
                     const struct kad_key *expected, size_t expected_count)
{
    struct kad_key to = all(UINT8_MAX);
    struct kad_key at = w->from;
    struct kad_key end = at;
    struct sweep_key keys[KEYS_MAX];
    size_t seen = 0;

    do {
        if (!keywindow_has(w, &at))
            fill(w, count, &at, KEYS_MAX);
        size_t got = keywindow_take(w, &at, &to, keys, page, &end);
        assert_true(got <= page);
        for (size_t i = 0; i < got; i++) {
            assert_true(seen < expected_count);
            assert_true(kad_key_eq(&keys[i].key, &expected[seen++]));
        }
        assert_true(kad_key_cmp(&end, &at) >= 0);
        at = kad_key_next(&end);
    } while (!kad_key_eq(&end, &to));
    assert_int_equal(seen, expected_count);
}

static void all_keys_come_in_order(void **state)
{
    static const uint32_t counts[] = {0, 1, 2, 63, 64, 65, 128, 129, 300};
    static const size_t pages[] = {1, 7, 64, KEYS_MAX};
    struct kad_key expected[KEYS_MAX];
    struct kad_key zero = all(0);
    struct keywindow w;

    (void)state;
    for (size_t c = 0; c < countof(counts); c++) {
        size_t count = sorted(counts[c], &zero, expected);
        assert_int_equal(count, counts[c]);
        for (size_t p = 0; p < countof(pages); p++) {
            keywindow_init(&w, 64);
            fill(&w, counts[c], &zero, 5);
            take_all(&w, counts[c], pages[p], expected, count);
            keywindow_release(&w);
        }
    }
}

static void a_window_begins_anywhere(void **state)
{
    struct kad_key expected[KEYS_MAX];
    struct keywindow w;

    (void)state;
    keywindow_init(&w, 50);
    for (uint32_t i = 0; i < KEYS_MAX; i += 37) {
        struct kad_key from = key_of(i);
        size_t count = sorted(KEYS_MAX, &from, expected);
        assert_true(kad_key_eq(&expected[0], &from));
        fill(&w, KEYS_MAX, &from, 1);
        take_all(&w, KEYS_MAX, 20, expected, count);
        from = kad_key_next(&from);
        fill(&w, KEYS_MAX, &from, 1);
        take_all(&w, KEYS_MAX, 20, expected + 1, count - 1);
    }
    keywindow_release(&w);
}

static void a_range_ends_in_the_window(void **state)
{
    struct kad_key expected[KEYS_MAX];
    struct sweep_key keys[KEYS_MAX];
    struct kad_key zero = all(0);
    struct kad_key end;
    struct keywindow w;

    (void)state;
    (void)sorted(100, &zero, expected);
    keywindow_init(&w, KEYWINDOW_KEYS_MAX);
    fill(&w, 100, &zero, KEYS_MAX);
    /* Up to a key, and to the point before it. */
    size_t got =
        keywindow_take(&w, &expected[10], &expected[19], keys, KEYS_MAX, &end);
    assert_int_equal(got, 10);
    assert_true(kad_key_eq(&end, &expected[19]));
    /* As many as there is room for, and one more. */
    got = keywindow_take(&w, &expected[10], &expected[19], keys, 10, &end);
    assert_int_equal(got, 10);
    assert_true(kad_key_eq(&end, &expected[19]));
    got = keywindow_take(&w, &expected[10], &expected[19], keys, 9, &end);
    assert_int_equal(got, 9);
    assert_true(kad_key_eq(&end, &expected[18]));
    keywindow_release(&w);
}

static void what_is_there_twice_comes_once(void **state)
{
    struct kad_key zero = all(0);
    struct kad_key to = all(UINT8_MAX);
    struct sweep_key keys[KEYS_MAX];
    struct keywindow w;
    struct kad_key end;

    (void)state;
    keywindow_init(&w, 64);
    keywindow_begin(&w, &zero);
    for (uint32_t i = 0; i < 30; i++) {
        struct multihash hash = hash_of(i / 3);
        keywindow_add(&w, &hash);
    }
    assert_true(keywindow_sort(&w, KEYS_MAX));
    assert_int_equal(keywindow_take(&w, &zero, &to, keys, 10, &end), 10);
    assert_true(kad_key_eq(&end, &to));
    keywindow_release(&w);
}

static void only_what_is_sorted_can_be_taken(void **state)
{
    struct kad_key zero = all(0);
    struct keywindow w;

    (void)state;
    keywindow_init(&w, 64);
    assert_false(keywindow_has(&w, &zero));
    keywindow_begin(&w, &zero);
    assert_false(keywindow_has(&w, &zero));
    for (uint32_t i = 0; i < 65; i++) {
        struct multihash hash = hash_of(i);
        keywindow_add(&w, &hash);
    }
    assert_false(keywindow_sort(&w, 1));
    assert_false(keywindow_has(&w, &zero));
    assert_true(keywindow_sort(&w, KEYS_MAX));
    assert_true(keywindow_has(&w, &zero));
    /* One key found no room: the window ends before it. */
    struct kad_key last = all(UINT8_MAX);
    assert_false(keywindow_has(&w, &last));
    keywindow_release(&w);
    assert_false(keywindow_has(&w, &zero));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_keys_come_in_order),
        cmocka_unit_test(a_window_begins_anywhere),
        cmocka_unit_test(a_range_ends_in_the_window),
        cmocka_unit_test(what_is_there_twice_comes_once),
        cmocka_unit_test(only_what_is_sorted_can_be_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
