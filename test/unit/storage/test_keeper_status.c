/*
 * What a keeper tells a stranger of a root.  Goal: the records and receipts of
 * all owners come, in pages that hold together, and a survey of all answers
 * shows what is so.  Method: a network of keepers in memory; a stranger's
 * requests and a survey that takes their answers.
 */
#include "base/wr.h"
#include "keeper_net.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"
#include "storage/survey.h"

enum { OWNER = 0, STRANGER = 7, NODES = 8, SETTLE_MS = 20 * 1000, OWNERS = 40 };

static struct storage_message question; /* NOLINT: of this test alone */
static struct storage_message answer;   /* NOLINT: of this test alone */
static struct keeper_status status;     /* NOLINT: of this test alone */

static void ask(struct net *n, size_t to, size_t root, struct bytes cursor)
{
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_ABOUT;
    question.root = n->roots[root];
    question.cursor = cursor;
    assert_int_equal(net_ask(n, STRANGER, to, &question, &answer), OK);
}

/* Ask @to as a survey does, all pages; how many there were. */
static size_t survey_node(struct net *n, struct survey *s, size_t to)
{
    static uint8_t room[STORAGE_MESSAGE_BYTES_MAX];
    struct survey_page page = {.len = 0};
    size_t pages = 0;

    do {
        struct wr w = wr_init(room, sizeof(room));
        survey_ask(s, &page, &w);
        assert_int_equal(
            storage_message_decode((struct bytes){room, wr_len(&w)}, &question),
            OK);
        assert_int_equal(net_ask(n, STRANGER, to, &question, &answer), OK);
        assert_int_equal(survey_take(s, &n->nodes[to].id,
                                     (struct bytes){n->reply, n->reply_len},
                                     net_now(n).unix_ms, &page),
                         OK);
        pages++;
    } while (page.len > 0);
    survey_told_all(s, &n->nodes[to].id);
    return pages;
}

static void an_object_is_told(void **state)
{
    (void)state;
    struct net *n = net_new(1, NODES);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 3);
    net_run(n, SETTLE_MS);
    struct survey *s = survey_new("testnet", &n->roots[0]);
    size_t first = net_holder(n, OWNER, 0, 0);
    ask(n, first, 0, BYTES_EMPTY);
    assert_int_equal(answer.type, STORAGE_OBJECTS);
    assert_int_equal(answer.records_count, 1);
    assert_int_equal(answer.receipts_count, 3);
    assert_int_equal(answer.cursor.len, 0);
    /* One holder's answer names the others, whose own word is wanted. */
    assert_int_equal(survey_node(n, s, first), 1);
    assert_int_equal(survey_count(s), 1);
    survey_status(s, 0, &status);
    assert_int_equal(status.copies_wanted, 3);
    assert_int_equal(status.copies_stored, 1);
    assert_int_equal(status.state, KEEPER_PARTIAL);
    assert_int_equal(status.holders_count, 3);
    assert_false(survey_is_whole(s));
    size_t names = 0;
    (void)survey_names(s, &names);
    assert_int_equal(names, 4); /* three holders and the owner */
    for (size_t i = 1; i < 3; i++)
        (void)survey_node(n, s, net_holder(n, OWNER, 0, i));
    survey_status(s, 0, &status);
    assert_int_equal(status.copies_stored, 3);
    assert_int_equal(status.state, KEEPER_STORED);
    assert_true(survey_is_whole(s));
    assert_true(peer_id_eq(&status.owner, &n->nodes[OWNER].id));
    assert_int_equal(status.size_bytes, NET_OBJECT_BYTES);
    survey_free(s);
    net_free(n);
}

static void what_is_not_here(void **state)
{
    (void)state;
    struct net *n = net_new(2, NODES);
    size_t none = net_root(n, NET_OBJECT_BYTES);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 1);
    net_run(n, SETTLE_MS);
    ask(n, OWNER, none, BYTES_EMPTY);
    assert_int_equal(answer.type, STORAGE_OBJECTS);
    assert_int_equal(answer.records_count, 0);
    static const uint8_t bytes[STORAGE_CURSOR_MAX] = {0};
    ask(n, OWNER, 1, (struct bytes){bytes, 8});
    assert_int_equal(answer.type, STORAGE_OBJECTS);
    assert_int_equal(answer.records_count, 1);
    /* A cursor that we never gave. */
    ask(n, OWNER, 1, (struct bytes){bytes, 7});
    assert_int_equal(answer.type, STORAGE_REFUSE);
    assert_int_equal(answer.reason, STORAGE_REASON_INVALID);
    ask(n, OWNER, 1, (struct bytes){bytes, 9});
    assert_int_equal(answer.type, STORAGE_REFUSE);
    net_free(n);
}

/* A release is told, so that older receipts of it count no more. */
static void a_release_is_told(void **state)
{
    (void)state;
    struct net *n = net_new(3, NODES);
    net_put(n, OWNER, net_root(n, NET_OBJECT_BYTES), 2);
    net_run(n, SETTLE_MS);
    struct survey *s = survey_new("testnet", &n->roots[0]);
    size_t holder = net_holder(n, OWNER, 0, 0);
    (void)survey_node(n, s, holder);
    assert_int_equal(survey_count(s), 1);
    assert_int_equal(
        keeper_remove(n->nodes[OWNER].keeper, &n->roots[0], net_now(n)), OK);
    net_drain(n, OWNER);
    net_run(n, SETTLE_MS);
    struct survey *later = survey_new("testnet", &n->roots[0]);
    (void)survey_node(n, later, holder);
    assert_int_equal(survey_count(later), 0);
    assert_true(survey_is_released(later));
    assert_false(survey_is_whole(later));
    survey_free(later);
    survey_free(s);
    net_free(n);
}

/* Made-up owners, whose records the stranger offers by hand. */
static void offer(struct net *n, size_t to, uint8_t which)
{
    static uint8_t bytes[OBJECT_RECORD_BYTES_MAX];
    uint8_t seed[ED25519_SEED_BYTES];
    struct privkey key;
    uint64_t now_s = net_now(n).unix_ms / 1000;
    struct object_record record = {
        .network = "testnet",
        .root = n->roots[0],
        .size_bytes = NET_OBJECT_BYTES,
        .blocks = NET_BLOCKS,
        .policy = {.copies = 1},
        .created_s = now_s,
        .expires_s = now_s + 86400,
        .seq = net_now(n).unix_ms,
    };
    struct checked_object object;
    struct wr w = wr_init(bytes, sizeof(bytes));

    memset(seed, which, sizeof(seed));
    privkey_init_seed(&key, seed);
    assert_int_equal(object_sign(&record, &key, &object), OK);
    privkey_release(&key);
    object_write(&w, &object);
    memset(&question, 0, sizeof(question));
    question.type = STORAGE_OFFER;
    question.record = (struct bytes){bytes, wr_len(&w)};
    assert_int_equal(net_ask(n, STRANGER, to, &question, &answer), OK);
    assert_int_equal(answer.type, STORAGE_ACCEPT);
}

static void many_owners_come_in_pages(void **state)
{
    (void)state;
    struct net *n = net_new(4, NODES);
    (void)net_root(n, NET_OBJECT_BYTES);
    n->nodes[STRANGER].has[0] = true;
    for (unsigned i = 0; i < OWNERS; i++) {
        offer(n, 1, (uint8_t)(100 + i));
        net_run(n, 200);
    }
    net_run(n, SETTLE_MS);
    ask(n, 1, 0, BYTES_EMPTY);
    assert_int_equal(answer.records_count, STORAGE_OWNERS_MAX);
    assert_int_equal(answer.receipts_count, STORAGE_OWNERS_MAX);
    assert_int_equal(answer.cursor.len, 8);
    size_t seen = answer.records_count;
    while (answer.cursor.len > 0) {
        uint8_t cursor[STORAGE_CURSOR_MAX];
        size_t len = answer.cursor.len;
        memcpy(cursor, answer.cursor.p, len);
        ask(n, 1, 0, (struct bytes){cursor, len});
        seen += answer.records_count;
        net_run(n, 200);
    }
    assert_int_equal(seen, OWNERS);
    /* A survey takes as many of them as one peer may name. */
    struct survey *s = survey_new("testnet", &n->roots[0]);
    assert_int_equal(survey_node(n, s, 1), 3);
    assert_int_equal(survey_count(s), SURVEY_OWNERS_EACH);
    survey_free(s);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_object_is_told, net_teardown),
        cmocka_unit_test_teardown(what_is_not_here, net_teardown),
        cmocka_unit_test_teardown(a_release_is_told, net_teardown),
        cmocka_unit_test_teardown(many_owners_come_in_pages, net_teardown),
    };
    net_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
