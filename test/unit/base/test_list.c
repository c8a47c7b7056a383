/*
 * Goal: lists keep the order in which their links were put in, and a link may
 * be removed at any time, also twice.
 * Method: build, walk and take apart small lists.
 */
#include "base/list.h"

#include "test.h"

struct item {
    int number;
    struct list link;
};

static int sum_in_order(const struct list *head)
{
    int value = 0;

    list_for_each (it, head)
        value = value * 10 + container_of(it, struct item, link)->number;
    return value;
}

static void links_keep_their_order(void **state)
{
    struct list head;
    struct item items[4];

    (void)state;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_int_equal(sum_in_order(&head), 0);
    for (int i = 0; i < 4; i++) {
        items[i].number = i + 1;
        list_init(&items[i].link);
        assert_true(list_empty(&items[i].link));
    }
    list_add_tail(&head, &items[0].link);
    list_add_tail(&head, &items[1].link);
    list_add_head(&head, &items[2].link);
    list_add_head(&head, &items[3].link);
    assert_false(list_empty(&head));
    assert_false(list_empty(&items[0].link));
    assert_ptr_equal(list_first(&head), &items[3].link);
    assert_int_equal(sum_in_order(&head), 4312);
}

static void links_are_removed_anywhere(void **state)
{
    struct list head;
    struct item items[3];

    (void)state;
    list_init(&head);
    for (int i = 0; i < 3; i++) {
        items[i].number = i + 1;
        list_add_tail(&head, &items[i].link);
    }
    list_remove(&items[1].link);
    assert_true(list_empty(&items[1].link));
    list_remove(&items[1].link); /* harmless */
    assert_int_equal(sum_in_order(&head), 13);
    list_add_head(&head, &items[1].link);
    assert_int_equal(sum_in_order(&head), 213);
    list_remove(&items[2].link);
    list_remove(&items[1].link);
    list_remove(&items[0].link);
    assert_true(list_empty(&head));
}

static void a_safe_walk_may_remove(void **state)
{
    struct list head;
    struct item items[5];
    int seen = 0;

    (void)state;
    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].number = i + 1;
        list_add_tail(&head, &items[i].link);
    }
    list_for_each_safe (it, &head) {
        struct item *item = container_of(it, struct item, link);
        seen = seen * 10 + item->number;
        if (item->number % 2 == 0)
            continue;
        list_remove(it);
        item->number = 0;
    }
    assert_int_equal(seen, 12345);
    assert_int_equal(sum_in_order(&head), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_keep_their_order),
        cmocka_unit_test(links_are_removed_anywhere),
        cmocka_unit_test(a_safe_walk_may_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
