/*
 * Surveys.  Goal: only what owners and holders signed moves what a stranger is
 * told, whoever sends it; nobody can crowd out what others say; no bytes do
 * harm.  Method: answers made with known keys, one thing wrong in each; limits
 * at the limit and one past it; every prefix of a good answer.
 */
#include "sample.h"
#include "storage/keeper.h"
#include "storage/message.h"
#include "storage/survey.h"

enum { ROOM = STORAGE_MESSAGE_BYTES_MAX, HOLDER = 2, LIAR = 9 };

#define NOW_MS (SAMPLE_NOW_MS + 10000)

/* An answer that is being put together. */
struct fixture {
    struct survey *survey;
    struct storage_message message;
    uint8_t parts[ROOM];
    size_t parts_len;
    uint8_t bytes[ROOM];
    struct keeper_status status;
    struct survey_page next;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct cid root = sample_root();

    *state = f;
    if (f == NULL)
        return 1;
    f->survey = survey_new("testnet", &root);
    f->message.type = STORAGE_OBJECTS;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    survey_free(f->survey);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    memset(&f->message, 0, sizeof(f->message));
    f->message.type = STORAGE_OBJECTS;
    f->parts_len = 0;
}

static struct bytes part(struct fixture *f, const struct wr *w)
{
    f->parts_len += wr_len(w);
    return sample_written(w);
}

static struct wr room(struct fixture *f)
{
    return wr_init(f->parts + f->parts_len, ROOM - f->parts_len);
}

static void put_record(struct fixture *f, const struct object_record *record)
{
    struct wr w = room(f);

    object_record_encode(&w, record);
    f->message.records[f->message.records_count++] = part(f, &w);
}

static void put_receipt(struct fixture *f,
                        const struct storage_receipt *receipt)
{
    struct wr w = room(f);

    receipt_encode(&w, receipt);
    f->message.receipts[f->message.receipts_count++] = part(f, &w);
}

/* The owner's record, which wants three copies. */
static void put_good_record(struct fixture *f)
{
    struct object_record record = sample_record();
    struct checked_object object = sample_sign(&record);

    put_record(f, &object.record);
}

static void put_good_receipt(struct fixture *f, uint8_t holder)
{
    struct storage_receipt receipt = sample_receipt();
    struct checked_receipt checked = sample_sign_receipt(&receipt, holder);

    put_receipt(f, &checked.receipt);
}

static struct bytes encode(struct fixture *f)
{
    struct wr w = wr_init(f->bytes, sizeof(f->bytes));

    storage_message_encode(&w, &f->message);
    return sample_written(&w);
}

static enum err take_at(struct fixture *f, uint8_t from, uint64_t now_ms)
{
    struct peer_id peer = sample_peer(from);

    return survey_take(f->survey, &peer, encode(f), now_ms, &f->next);
}

static enum err take(struct fixture *f, uint8_t from)
{
    return take_at(f, from, NOW_MS);
}

static void told_all(struct fixture *f, uint8_t from)
{
    struct peer_id peer = sample_peer(from);

    survey_told_all(f->survey, &peer);
}

static const struct keeper_status *first(struct fixture *f)
{
    survey_status(f->survey, 0, &f->status);
    return &f->status;
}

static void words_are_weighed(void **state)
{
    struct fixture *f = *state;

    put_good_record(f);
    put_good_receipt(f, HOLDER);
    put_good_receipt(f, 3);
    /* Somebody who holds nothing tells of two that do. */
    assert_int_equal(take(f, LIAR), OK);
    assert_int_equal(f->next.len, 0);
    assert_int_equal(survey_count(f->survey), 1);
    assert_int_equal(first(f)->copies_stored, 0);
    assert_int_equal(f->status.state, KEEPER_ANNOUNCED);
    assert_int_equal(f->status.holders_count, 2);
    assert_int_equal(f->status.holders[0].state, KEEPER_HOLDER_SILENT);
    assert_int_equal(f->status.name_len, 5);
    assert_int_equal(f->status.release_delay_s, 86400);
    /* One of them says so itself. */
    assert_int_equal(take(f, HOLDER), OK);
    told_all(f, HOLDER);
    assert_int_equal(first(f)->copies_stored, 1);
    assert_int_equal(f->status.state, KEEPER_PARTIAL);
    assert_int_equal(f->status.holders[0].state, KEEPER_HOLDER_STORED);
    /* The other has nothing any more, whatever is shown of it later. */
    begin(f);
    assert_int_equal(take(f, 3), OK);
    told_all(f, 3);
    assert_int_equal(first(f)->holders_count, 1);
    put_good_receipt(f, 3);
    assert_int_equal(take(f, LIAR), OK);
    assert_int_equal(first(f)->holders_count, 1);
}

static void the_owner_alone(void **state)
{
    struct fixture *f = *state;
    size_t count = 0;

    put_good_record(f);
    put_good_receipt(f, 1); /* its own blocks are no copy */
    assert_int_equal(take(f, 1), OK);
    assert_int_equal(first(f)->state, KEEPER_LOCAL);
    assert_int_equal(f->status.holders_count, 0);
    const struct peer_id *names = survey_names(f->survey, &count);
    struct peer_id owner = sample_peer(1);
    assert_int_equal(count, 1);
    assert_true(peer_id_eq(&names[0], &owner));
}

static void forged_signatures_are_faults(void **state)
{
    struct fixture *f = *state;
    struct object_record record = sample_record();
    struct checked_object object = sample_sign(&record);
    struct storage_receipt receipt = sample_receipt();
    struct checked_receipt checked = sample_sign_receipt(&receipt, HOLDER);

    object.record.sig[10] ^= 1;
    put_record(f, &object.record);
    assert_int_equal(take(f, LIAR), E_MISMATCH);
    assert_int_equal(survey_count(f->survey), 0);
    begin(f);
    put_good_record(f);
    checked.receipt.sig[10] ^= 1;
    put_receipt(f, &checked.receipt);
    put_good_receipt(f, 3);
    /* What is good beside it is taken. */
    assert_int_equal(take(f, 3), E_MISMATCH);
    assert_int_equal(first(f)->copies_stored, 1);
    assert_int_equal(f->status.holders_count, 1);
    /* A receipt that another signed than it names. */
    begin(f);
    checked = sample_sign_receipt(&receipt, HOLDER);
    checked.receipt.holder = sample_peer(4);
    put_receipt(f, &checked.receipt);
    assert_int_equal(take(f, 4), E_MISMATCH);
    assert_int_equal(first(f)->holders_count, 1);
}

static void other_roots_are_faults(void **state)
{
    struct fixture *f = *state;
    struct object_record record = sample_record();
    struct storage_receipt receipt = sample_receipt();

    record.root = cid_of(CODEC_RAW, BYTES_LIT("another"));
    struct checked_object object = sample_sign(&record);
    put_record(f, &object.record);
    assert_int_equal(take(f, HOLDER), E_MISMATCH);
    begin(f);
    put_good_record(f);
    receipt.root = record.root;
    struct checked_receipt checked = sample_sign_receipt(&receipt, HOLDER);
    put_receipt(f, &checked.receipt);
    assert_int_equal(take(f, HOLDER), E_MISMATCH);
    assert_int_equal(first(f)->holders_count, 0);
}

static void what_is_over_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct object_record record = sample_record();
    uint64_t end_ms = UINT64_C(1000) * (SAMPLE_TIME_S + 5 + 86400);

    put_good_record(f);
    put_good_receipt(f, HOLDER);
    assert_int_equal(take_at(f, HOLDER, end_ms), OK); /* no fault of its own */
    assert_int_equal(first(f)->holders_count, 0);
    assert_int_equal(take_at(f, HOLDER, end_ms - 1), OK);
    assert_int_equal(first(f)->copies_stored, 1);
    struct fixture *other = NULL;
    void *fresh = NULL;
    assert_int_equal(set_up(&fresh), 0);
    other = fresh;
    memcpy(record.network, "othernet", 9);
    struct checked_object object = sample_sign(&record);
    put_record(other, &object.record);
    assert_int_equal(take(other, HOLDER), OK);
    assert_int_equal(survey_count(other->survey), 0);
    assert_int_equal(tear_down(&fresh), 0);
}

/* The newer record wins, in whatever order they come; a receipt for the older
 * one counts on, one for a record that nobody showed does not. */
static void newer_records_win(void **state)
{
    struct fixture *f = *state;
    struct object_record record = sample_record();
    struct storage_receipt receipt = sample_receipt();

    record.seq++;
    record.policy.copies = 1;
    struct checked_object newer = sample_sign(&record);
    put_record(f, &newer.record);
    put_good_receipt(f, HOLDER);
    assert_int_equal(take(f, HOLDER), OK);
    assert_int_equal(first(f)->copies_wanted, 1);
    assert_int_equal(f->status.copies_stored, 0);
    begin(f);
    put_good_record(f);
    assert_int_equal(take(f, 3), OK);
    assert_int_equal(first(f)->copies_wanted, 1);
    assert_int_equal(f->status.copies_stored, 1);
    assert_true(survey_is_whole(f->survey));
    /* The newest receipt of a holder takes the place of others. */
    begin(f);
    memcpy(receipt.record_hash, newer.hash, sizeof(receipt.record_hash));
    receipt.seq += 1000;
    receipt.until_s++;
    struct checked_receipt checked = sample_sign_receipt(&receipt, HOLDER);
    put_receipt(f, &checked.receipt);
    assert_int_equal(take(f, 3), OK);
    assert_int_equal(first(f)->holders[0].until_ms,
                     UINT64_C(1000) * receipt.until_s);
    assert_int_equal(f->status.holders_count, 1);
}

static void releases(void **state)
{
    struct fixture *f = *state;
    struct object_record record = sample_record();

    put_good_record(f);
    put_good_receipt(f, HOLDER);
    assert_int_equal(take(f, HOLDER), OK);
    begin(f);
    record.seq++;
    record.policy.copies = 0;
    record.policy.release_delay_s = 0;
    struct checked_object release = sample_sign(&record);
    put_record(f, &release.record);
    assert_int_equal(take(f, 3), OK);
    /* Who waits for the delay still has it. */
    assert_int_equal(survey_count(f->survey), 1);
    assert_int_equal(first(f)->state, KEEPER_RELEASING);
    assert_false(survey_is_released(f->survey));
}

/* Records of made-up owners: seeds from @from on. */
static void put_owners(struct fixture *f, uint8_t from, size_t count)
{
    struct object_record record = sample_record();
    struct checked_object object;

    for (size_t i = 0; i < count; i++) {
        struct privkey key = sample_key((uint8_t)(from + i));
        assert_int_equal(object_sign(&record, &key, &object), OK);
        privkey_release(&key);
        put_record(f, &object.record);
    }
}

static void nobody_is_crowded_out_by_owners(void **state)
{
    struct fixture *f = *state;

    for (uint8_t i = 0; i < 2; i++) {
        begin(f);
        put_owners(f, (uint8_t)(20 + 16 * i), 16);
        assert_int_equal(take(f, LIAR), OK);
        assert_int_equal(survey_count(f->survey), SURVEY_OWNERS_EACH);
    }
    begin(f);
    put_good_record(f);
    put_good_receipt(f, HOLDER);
    assert_int_equal(take(f, HOLDER), OK);
    assert_int_equal(survey_count(f->survey), SURVEY_OWNERS_EACH + 1);
    assert_int_equal(first(f)->copies_stored, 1); /* more copies come first */
    /* All peers together have a limit as well. */
    for (uint8_t i = 0; i < 5; i++) {
        begin(f);
        put_owners(f, (uint8_t)(60 + 16 * i), 16);
        assert_int_equal(take(f, (uint8_t)(200 + i)), OK);
    }
    assert_int_equal(survey_count(f->survey), SURVEY_OWNERS_MAX);
    for (size_t i = 0; i < SURVEY_OWNERS_MAX; i++)
        survey_status(f->survey, i, &f->status);
}

static void nobody_is_crowded_out_by_holders(void **state)
{
    struct fixture *f = *state;
    size_t names = 0;

    put_good_record(f);
    for (unsigned i = 0; i < SURVEY_COPIES_MAX + 1; i++)
        put_good_receipt(f, (uint8_t)(100 + i));
    assert_int_equal(take(f, LIAR), OK);
    assert_int_equal(first(f)->holders_count, SURVEY_COPIES_MAX);
    (void)survey_names(f->survey, &names);
    assert_int_equal(names, SURVEY_NAMES_EACH);
    /* One that answers itself finds room. */
    begin(f);
    put_good_receipt(f, HOLDER);
    assert_int_equal(take(f, HOLDER), OK);
    assert_int_equal(first(f)->copies_stored, 1);
    assert_int_equal(f->status.holders_count, SURVEY_COPIES_MAX);
    /* Names of all answers have a limit. */
    for (uint8_t i = 0; i < 8; i++) {
        begin(f);
        for (uint8_t j = 0; j < 16; j++)
            put_owners(f, (uint8_t)(20 + 16 * (i % 8) + j), 1);
        (void)take(f, (uint8_t)(210 + i));
    }
    (void)survey_names(f->survey, &names);
    assert_int_equal(names, SURVEY_NAMES_MAX);
}

static void answers_that_are_none(void **state)
{
    struct fixture *f = *state;
    struct peer_id from = sample_peer(LIAR);
    static uint8_t copy[ROOM];

    put_good_record(f);
    put_good_receipt(f, HOLDER);
    struct bytes in = encode(f);
    memcpy(copy, in.p, in.len);
    for (size_t len = 0; len < in.len; len++)
        assert_true(err_is_peer_fault(survey_take(
            f->survey, &from, (struct bytes){copy, len}, NOW_MS, &f->next)));
    assert_int_equal(survey_count(f->survey), 0);
    begin(f);
    f->message.type = STORAGE_OK;
    assert_int_equal(take(f, LIAR), E_MALFORMED);
    f->message.type = STORAGE_RECORDS;
    assert_int_equal(take(f, LIAR), E_MALFORMED);
    f->message.type = STORAGE_REFUSE;
    f->message.reason = STORAGE_REASON_UNSUPPORTED;
    assert_int_equal(take(f, LIAR), E_REFUSED);
}

static void pages_go_on(void **state)
{
    struct fixture *f = *state;
    uint8_t cursor[STORAGE_CURSOR_MAX];
    struct cid root = sample_root();
    struct wr w = wr_init(f->parts, sizeof(f->parts));

    memset(cursor, 7, sizeof(cursor));
    f->message.cursor = (struct bytes){cursor, sizeof(cursor)};
    assert_int_equal(take(f, HOLDER), OK);
    assert_int_equal(f->next.len, sizeof(cursor));
    survey_ask(f->survey, &f->next, &w);
    assert_int_equal(storage_message_decode(sample_written(&w), &f->message),
                     OK);
    assert_int_equal(f->message.type, STORAGE_ABOUT);
    assert_true(cid_eq(&f->message.root, &root));
    assert_memory_equal(f->message.cursor.p, cursor, sizeof(cursor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_are_weighed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_owner_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forged_signatures_are_faults, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(other_roots_are_faults, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_over_counts_for_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(newer_records_win, set_up, tear_down),
        cmocka_unit_test_setup_teardown(releases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_crowded_out_by_owners, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nobody_is_crowded_out_by_holders,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_that_are_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(pages_go_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
