/*
 * Goal: one who asks much, offers what nobody has or tells of peers that are
 * not takes no more than its share: others are answered, their objects kept.
 * Method: one keeper, whose peers, store and time are played by the test; what
 * is sent is made by hand, with real signatures.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "env/rng.h"
#include "multiformats/key.h"
#include "storage/keeper.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"

#include "test.h"

enum {
    PULLS_MAX = 8,
    PEERS_MAX = 64,
    OBJECTS_MAX = 1024,
    OBJECT_BYTES = 1000,
    OFFER_BYTES = 1 << 20,
    OUT_MAX = 512,
    CROWD = 40, /* objects, each with 32 holders that are not */
    DAY_S = 86400,
    STEP_MS = 40, /* between requests that are all answered */
};

struct host {
    struct rng rng; /* first, so that fill() finds the host */
    uint64_t random;
    struct privkey key;
    struct keeper *keeper;
    struct keeper_now now;
    uint64_t pulls[OUT_MAX]; /* that were begun and not cancelled */
    struct cid roots[OUT_MAX];
    size_t pulls_count;
    size_t pulls_begun;
    size_t backs;
    struct storage_message answer;
    uint8_t answer_bytes[STORAGE_MESSAGE_BYTES_MAX];
    bool answered;
    bool keeps_sends; /* requests wait in @sent; else they fail at once */
    struct storage_message sent; /* the last */
    uint8_t sent_bytes[STORAGE_MESSAGE_BYTES_MAX];
    uint64_t sent_id;
};

static void fill(struct rng *rng, uint8_t *dst, size_t len)
{
    struct host *h = container_of(rng, struct host, rng);

    for (size_t i = 0; i < len; i++) {
        h->random = h->random * UINT64_C(6364136223846793005) + 1;
        dst[i] = (uint8_t)(h->random >> 56);
    }
}

static struct privkey key_of(uint32_t n)
{
    uint8_t seed[32] = {0};
    struct privkey key;

    memcpy(seed, &n, sizeof(n));
    seed[31] = 7;
    privkey_init_seed(&key, seed);
    return key;
}

static struct peer_id peer_of(uint32_t n)
{
    struct privkey key = key_of(n);
    struct peer_id id = privkey_peer_id(&key);

    privkey_release(&key);
    return id;
}

static struct cid root_of(uint32_t n)
{
    uint8_t digest[32] = {0};

    memcpy(digest, &n, sizeof(n));
    return cid_from_digest(0x55, digest);
}

static void forget_pull(struct host *h, uint64_t id)
{
    for (size_t i = 0; i < h->pulls_count; i++) {
        if (h->pulls[i] != id)
            continue;
        h->pulls_count--;
        h->pulls[i] = h->pulls[h->pulls_count];
        h->roots[i] = h->roots[h->pulls_count];
        return;
    }
}

static void take_reply(struct host *h, const struct keeper_out *out)
{
    memcpy(h->answer_bytes, out->data->data, out->data->len);
    struct bytes in = {.p = h->answer_bytes, .len = out->data->len};
    assert_int_equal(storage_message_decode(in, &h->answer), OK);
    h->answered = true;
}

static void take_request(struct host *h, const struct keeper_out *out)
{
    memcpy(h->sent_bytes, out->data->data, out->data->len);
    struct bytes in = {.p = h->sent_bytes, .len = out->data->len};
    assert_int_equal(storage_message_decode(in, &h->sent), OK);
    h->sent_id = out->id;
}

static void take(struct host *h, struct keeper_out *out)
{
    if (out->kind == KEEPER_REPLY) {
        take_reply(h, out);
    } else if (out->kind == KEEPER_STORE) {
        keeper_on_stored(h->keeper, out->id, OK, h->now);
    } else if (out->kind == KEEPER_KEEP) {
        keeper_on_kept(h->keeper, out->id, OK, h->now);
    } else if (out->kind == KEEPER_PULL) {
        assert_true(h->pulls_count < OUT_MAX);
        h->pulls[h->pulls_count] = out->id;
        h->roots[h->pulls_count++] = out->root;
        h->pulls_begun++;
    } else if (out->kind == KEEPER_PULL_CANCEL) {
        forget_pull(h, out->id);
    } else if (out->kind == KEEPER_FETCHBACK) {
        h->backs++;
        keeper_on_fetched(h->keeper, out->id, OK, h->now);
    } else if (out->kind == KEEPER_SEND && h->keeps_sends) {
        take_request(h, out);
    } else if (out->kind == KEEPER_SEND) {
        keeper_on_failed(h->keeper, out->id, E_CLOSED, h->now);
    } else if (out->kind == KEEPER_DIGEST) {
        struct audit_digest none[KEEPER_CIDS_MAX] = {0};
        keeper_on_digests(h->keeper, out->id, none, out->cids_count, h->now);
    }
}

static void drain(struct host *h)
{
    struct keeper_out out;

    while (keeper_next(h->keeper, &out)) {
        take(h, &out);
        keeper_out_release(&out);
    }
}

static void pass(struct host *h, uint64_t ms)
{
    for (uint64_t done = 0; done < ms; done += STEP_MS) {
        h->now.mono.ns += UINT64_C(1000000) * STEP_MS;
        h->now.unix_ms += STEP_MS;
        keeper_on_time(h->keeper, h->now);
        drain(h);
    }
}

static struct host *host_new(void)
{
    struct host *h = mem_zalloc(1, sizeof(*h));
    struct keeper_config config = {
        .network = "testnet",
        .offer_bytes = OFFER_BYTES,
        .objects_max = OBJECTS_MAX,
        .peers_max = PEERS_MAX,
        .pulls_max = PULLS_MAX,
    };

    h->rng.fill = fill;
    h->key = key_of(0);
    h->now = (struct keeper_now){.mono = {1}, .unix_ms = 1700000000000};
    h->keeper = keeper_new(&config, &h->key, &h->rng, h->now);
    keeper_start(h->keeper, h->now);
    return h;
}

static void host_free(struct host *h)
{
    keeper_free(h->keeper);
    privkey_release(&h->key);
    mem_free(h);
}

/* What @from, of the IP group @group, gets for a message. */
static enum err ask(struct host *h, uint32_t from, uint64_t group,
                    const struct storage_message *m)
{
    static uint8_t room[STORAGE_MESSAGE_BYTES_MAX]; /* NOLINT: scratch */
    struct wr w = wr_init(room, sizeof(room));
    struct peer_id id = peer_of(from);
    uint64_t request = 0;

    storage_message_encode(&w, m);
    h->answered = false;
    keeper_on_asker(h->keeper, &id, group, h->now);
    enum err err = keeper_serve(h->keeper, &id,
                                (struct bytes){.p = room, .len = wr_len(&w)},
                                h->now, &request);
    drain(h);
    return err;
}

/* An object of @owner, with a name for its root. */
struct thing {
    uint32_t owner;
    uint32_t root;
    uint64_t bytes;
    uint8_t copies; /* 0: a release */
    uint64_t seq;   /* beside the time */
    size_t holders; /* made-up ones that are told of */
};

static struct checked_object sign(const struct host *h, const struct thing *t)
{
    struct privkey key = key_of(t->owner);
    struct checked_object object;
    struct object_record record = {
        .network = "testnet",
        .root = root_of(t->root),
        .size_bytes = t->bytes,
        .blocks = 1000,
        .policy = {.copies = t->copies},
        .created_s = h->now.unix_ms / 1000,
        .expires_s = h->now.unix_ms / 1000 + DAY_S,
        .seq = h->now.unix_ms + t->seq,
    };

    assert_int_equal(object_sign(&record, &key, &object), OK);
    privkey_release(&key);
    return object;
}

static struct bytes receipt_put(const struct host *h,
                                const struct checked_object *object,
                                uint32_t holder, uint8_t *dst)
{
    struct privkey key = key_of(holder);
    struct checked_receipt checked;
    struct wr w = wr_init(dst, RECEIPT_BYTES_MAX);
    struct storage_receipt r = {
        .network = "testnet",
        .root = object->record.root,
        .stored_s = h->now.unix_ms / 1000,
        .until_s = h->now.unix_ms / 1000 + DAY_S / 2,
        .seq = h->now.unix_ms,
    };

    memcpy(r.owner, object->record.owner, sizeof(r.owner));
    memcpy(r.record_hash, object->hash, sizeof(r.record_hash));
    assert_int_equal(receipt_sign(&r, &key, &checked), OK);
    receipt_write(&w, &checked);
    privkey_release(&key);
    return (struct bytes){.p = dst, .len = wr_len(&w)};
}

/* Offers, or releases; STORAGE_REASON_OTHER when it was accepted. */
static enum storage_reason offer(struct host *h, uint32_t from, uint64_t group,
                                 const struct thing *t)
{
    static struct storage_message m;                /* NOLINT: scratch */
    static uint8_t record[OBJECT_RECORD_BYTES_MAX]; /* NOLINT: scratch */
    static uint8_t receipts[STORAGE_RECEIPTS_MAX]   /* NOLINT: scratch */
                           [RECEIPT_BYTES_MAX];
    struct checked_object object = sign(h, t);
    struct wr w = wr_init(record, sizeof(record));

    object_write(&w, &object);
    memset(&m, 0, sizeof(m));
    m.type = t->copies == 0 ? STORAGE_RELEASE : STORAGE_OFFER;
    m.record = (struct bytes){.p = record, .len = wr_len(&w)};
    m.receipts_count = t->holders;
    for (size_t i = 0; i < t->holders; i++)
        m.receipts[i] = receipt_put(
            h, &object, (uint32_t)(100000 + t->root * 100 + i), receipts[i]);
    assert_int_equal(ask(h, from, group, &m), OK);
    assert_true(h->answered);
    return h->answer.type == STORAGE_REFUSE ? h->answer.reason
                                            : STORAGE_REASON_OTHER;
}

static enum storage_reason offer_small(struct host *h, uint32_t from,
                                       uint64_t group, uint32_t n)
{
    struct thing t = {
        .owner = 1000 + n, .root = n, .bytes = OBJECT_BYTES, .copies = 3};
    return offer(h, from, group, &t);
}

static bool is_pulling(const struct host *h, uint32_t root)
{
    struct cid cid = root_of(root);

    for (size_t i = 0; i < h->pulls_count; i++) {
        if (cid_eq(&h->roots[i], &cid))
            return true;
    }
    return false;
}

/* All pulls that run have come to their end. */
static void end_pulls(struct host *h)
{
    while (h->pulls_count > 0) {
        uint64_t id = h->pulls[0];
        forget_pull(h, id);
        keeper_on_pulled(h->keeper, id, OK, OBJECT_BYTES, 1, h->now);
        drain(h);
    }
}

/* Peers. */

static void test_made_up_holders_leave_room(void **state)
{
    struct host *h = host_new();
    static struct storage_message m; /* NOLINT: scratch */

    (void)state;
    for (uint32_t n = 0; n < CROWD; n++) {
        struct thing t = {.owner = 1000 + n,
                          .root = n,
                          .bytes = 10,
                          .copies = 3,
                          .holders = STORAGE_RECEIPTS_MAX};
        (void)offer(h, 1, 7, &t);
        pass(h, STEP_MS);
    }
    assert_in_range(keeper_get_stats(h->keeper).peers, 1, PEERS_MAX * 3 / 4);
    m.type = STORAGE_STATUS;
    m.root = root_of(1);
    assert_int_equal(ask(h, 2, 8, &m), OK);
    assert_true(h->answered);
    host_free(h);
}

static void test_who_holds_nothing_is_paced_too(void **state)
{
    struct host *h = host_new();
    static struct storage_message m; /* NOLINT: scratch */
    size_t answers = 0;
    size_t refused = 0;
    enum err err = OK;

    (void)state;
    m.type = STORAGE_STATUS;
    m.root = root_of(1);
    for (int i = 0; i < 200 && err == OK; i++) {
        err = ask(h, 1, 7, &m);
        answers += err == OK && h->answer.type == STORAGE_STATE;
        refused += err == OK && h->answer.type == STORAGE_REFUSE;
    }
    /* 32 a second, two seconds saved; as many refused; then no more. */
    assert_int_equal(err, E_AGAIN);
    assert_in_range(answers, 60, 66);
    assert_in_range(refused, 60, 66);
    /* Another is not concerned, and credit comes back. */
    assert_int_equal(ask(h, 2, 7, &m), OK);
    assert_int_equal(h->answer.type, STORAGE_STATE);
    pass(h, 5000);
    assert_int_equal(ask(h, 1, 7, &m), OK);
    assert_int_equal(h->answer.type, STORAGE_STATE);
    host_free(h);
}

static void test_fetchbacks_cost_by_blocks(void **state)
{
    struct host *h = host_new();
    static struct storage_message m; /* NOLINT: scratch */

    (void)state;
    m.type = STORAGE_FETCHBACK;
    m.root = root_of(1);
    m.holder = peer_of(9);
    m.cids_count = STORAGE_FETCHBACK_CIDS_MAX;
    for (uint32_t i = 0; i < m.cids_count; i++)
        m.cids[i] = root_of(i);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask(h, 1, 7, &m), OK);
    assert_int_equal(h->backs, 4); /* 64 blocks: two seconds */
    assert_int_equal(h->answer.reason, STORAGE_REASON_BUSY);
    pass(h, 5000);
    assert_int_equal(ask(h, 1, 7, &m), OK);
    assert_int_equal(h->backs, 5);
    host_free(h);
}

/* Quotas. */

static void test_growth_is_within_the_quota(void **state)
{
    struct host *h = host_new();
    struct thing t = {
        .owner = 5, .root = 1, .bytes = OBJECT_BYTES, .copies = 3};

    (void)state;
    assert_int_equal(offer(h, 1, 7, &t), STORAGE_REASON_OTHER);
    t.bytes = OFFER_BYTES / 8;
    t.seq = 1;
    assert_int_equal(offer(h, 1, 7, &t), STORAGE_REASON_OTHER);
    t.bytes++;
    t.seq = 2;
    assert_int_equal(offer(h, 1, 7, &t), STORAGE_REASON_QUOTA);
    host_free(h);
}

static void test_objects_of_one_owner_are_counted(void **state)
{
    struct host *h = host_new();
    struct thing t = {.owner = 5, .bytes = 1, .copies = 3};
    uint32_t accepted = 0;

    (void)state;
    /* Released at once: what stays is a tombstone each. */
    for (; accepted < OBJECTS_MAX; accepted++) {
        t.root = accepted;
        t.copies = 3;
        if (offer(h, 1, 7, &t) != STORAGE_REASON_OTHER)
            break;
        t.copies = 0;
        t.seq++;
        (void)offer(h, 1, 7, &t);
        pass(h, (uint64_t)2 * STEP_MS);
    }
    assert_int_equal(h->answer.reason, STORAGE_REASON_QUOTA);
    assert_int_equal(accepted, OBJECTS_MAX / 8);
    assert_int_equal(offer_small(h, 2, 8, 5000), STORAGE_REASON_OTHER);
    host_free(h);
}

static void test_owners_of_one_group_are_counted(void **state)
{
    struct host *h = host_new();
    uint32_t n = 0;

    (void)state;
    /* Each owner a new one: 64 is the least that counts as many. */
    while (n < PEERS_MAX && offer_small(h, 1, 7, n) == STORAGE_REASON_OTHER) {
        end_pulls(h);
        pass(h, STEP_MS);
        n++;
    }
    assert_true(n < PEERS_MAX);
    host_free(h);
}

/* Pulls. */

static void test_one_placer_has_half_of_the_pulls(void **state)
{
    struct host *h = host_new();

    (void)state;
    for (uint32_t n = 0; n < 20; n++)
        assert_int_equal(offer_small(h, 1, 7, n), STORAGE_REASON_OTHER);
    assert_int_equal(h->pulls_count, PULLS_MAX / 2);
    assert_int_equal(offer_small(h, 2, 7, 100), STORAGE_REASON_OTHER);
    assert_true(is_pulling(h, 100));
    /* Three quarters for its group: one more of it, then no other. */
    assert_int_equal(offer_small(h, 3, 7, 101), STORAGE_REASON_OTHER);
    assert_int_equal(offer_small(h, 4, 7, 102), STORAGE_REASON_OTHER);
    assert_true(is_pulling(h, 101));
    assert_false(is_pulling(h, 102));
    assert_int_equal(offer_small(h, 5, 8, 103), STORAGE_REASON_OTHER);
    assert_true(is_pulling(h, 103));
    host_free(h);
}

static void test_what_stands_still_waits(void **state)
{
    struct host *h = host_new();

    (void)state;
    for (uint32_t n = 0; n < 16; n++)
        assert_int_equal(offer_small(h, 1 + n / 4, 7 + n / 4, n),
                         STORAGE_REASON_OTHER);
    assert_int_equal(h->pulls_count, PULLS_MAX);
    assert_int_equal(offer_small(h, 50, 20, 100), STORAGE_REASON_OTHER);
    assert_false(is_pulling(h, 100));
    pass(h, 6000);
    assert_true(is_pulling(h, 100));
    assert_int_equal(h->pulls_count, PULLS_MAX);
    host_free(h);
}

static void test_what_is_new_goes_first(void **state)
{
    struct host *h = host_new();

    (void)state;
    for (uint32_t n = 0; n < 20; n++)
        assert_int_equal(offer_small(h, 1 + n, 7 + n, n), STORAGE_REASON_OTHER);
    pass(h, 16000); /* all had their turn */
    assert_int_equal(offer_small(h, 51, 90, 101), STORAGE_REASON_OTHER);
    pass(h, 6000);
    assert_true(is_pulling(h, 101));
    host_free(h);
}

static void test_one_of_a_bad_group_has_its_turn(void **state)
{
    struct host *h = host_new();

    (void)state;
    for (uint32_t n = 0; n < 8; n++) /* what its group may have, and more */
        assert_int_equal(offer_small(h, 1 + n / 4, 7, n), STORAGE_REASON_OTHER);
    for (uint32_t n = 8; n < 16; n++) /* and all others wait, too */
        assert_int_equal(offer_small(h, n, n, n), STORAGE_REASON_OTHER);
    pass(h, 11000);
    assert_int_equal(offer_small(h, 51, 7, 101), STORAGE_REASON_OTHER);
    pass(h, 6000);
    assert_true(is_pulling(h, 101));
    host_free(h);
}

static void test_what_cannot_be_had_ends(void **state)
{
    struct host *h = host_new();

    (void)state;
    /* Turn by turn none gets more time than it would alone. */
    for (uint32_t n = 0; n < 16; n++)
        (void)offer_small(h, 1 + n / 4, 7 + n / 4, n);
    pass(h, (uint64_t)10 * 60 * 1000);
    assert_int_equal(h->pulls_count, 0);
    assert_int_equal(keeper_get_stats(h->keeper).promised_bytes, 0);
    host_free(h);
}

static void test_too_many_that_wait_are_refused(void **state)
{
    struct host *h = host_new();
    uint32_t n = 0;
    struct thing t = {.owner = 5, .bytes = 1, .copies = 3};

    (void)state;
    for (; n < OBJECTS_MAX; n++) {
        t.root = n;
        t.owner = 5 + n / 64;
        if (offer(h, 1, 7, &t) != STORAGE_REASON_OTHER)
            break;
        pass(h, STEP_MS);
    }
    assert_int_equal(h->answer.reason, STORAGE_REASON_BUSY);
    assert_int_equal(n, 128 + PULLS_MAX / 2);
    assert_int_equal(offer_small(h, 2, 7, 5000), STORAGE_REASON_OTHER);
    host_free(h);
}

/* Receipts. */

static void test_accept_brings_own_receipt_only(void **state)
{
    struct host *h = host_new();
    static struct storage_message m;                /* NOLINT: scratch */
    static struct keeper_status status;             /* NOLINT: scratch */
    static uint8_t receipt[RECEIPT_BYTES_MAX];      /* NOLINT: scratch */
    static uint8_t room[STORAGE_MESSAGE_BYTES_MAX]; /* NOLINT: scratch */
    struct placement_candidate candidate = {
        .peer = peer_of(1), .free_class = 30, .quality = 500};
    struct keeper_want want = {.root = root_of(3),
                               .size_bytes = OBJECT_BYTES,
                               .blocks = 1,
                               .copies = 1};

    (void)state;
    h->keeps_sends = true;
    keeper_set_candidates(h->keeper, &candidate, 1, h->now);
    keeper_on_peer(h->keeper, &candidate.peer, true, 7, h->now);
    assert_int_equal(keeper_put(h->keeper, &want, h->now), OK);
    drain(h);
    assert_int_equal(h->sent.type, STORAGE_OFFER);
    struct checked_object object;
    assert_int_equal(object_open(h->sent.record, &object), OK);
    m.type = STORAGE_ACCEPT;
    m.receipts_count = 1;
    m.receipts[0] = receipt_put(h, &object, 2, receipt); /* of another */
    struct wr w = wr_init(room, sizeof(room));
    storage_message_encode(&w, &m);
    keeper_on_reply(h->keeper, h->sent_id,
                    (struct bytes){.p = room, .len = wr_len(&w)}, h->now);
    drain(h);
    assert_int_equal(keeper_status(h->keeper, &want.root, h->now, &status), OK);
    assert_int_equal(status.copies_stored, 0);
    assert_int_equal(status.holders_count, 1);
    assert_int_equal(keeper_get_stats(h->keeper).bad_messages, 1);
    host_free(h);
}

/* Who audits, and says to keep it when asked, is believed after an audit. */
static void test_state_is_no_proof_for_a_holder(void **state)
{
    struct host *h = host_new();
    static struct storage_message m;                /* NOLINT: scratch */
    static struct keeper_status status;             /* NOLINT: scratch */
    static uint8_t receipt[RECEIPT_BYTES_MAX];      /* NOLINT: scratch */
    static uint8_t room[STORAGE_MESSAGE_BYTES_MAX]; /* NOLINT: scratch */
    struct thing t = {
        .owner = 1003, .root = 3, .bytes = OBJECT_BYTES, .copies = 3};
    struct cid root = root_of(3);

    (void)state;
    assert_int_equal(offer(h, 1, 7, &t), STORAGE_REASON_OTHER);
    end_pulls(h);
    struct checked_object object = sign(h, &t);
    h->keeps_sends = true;
    m.type = STORAGE_AUDIT;
    m.items_count = 1;
    m.items[0].root = root;
    m.items[0].cid = root;
    assert_int_equal(ask(h, 2, 8, &m), OK);
    assert_int_equal(h->sent.type, STORAGE_STATUS);
    memset(&m, 0, sizeof(m));
    m.type = STORAGE_STATE;
    m.state = STORAGE_STATE_KEPT;
    m.receipts_count = 1;
    m.receipts[0] = receipt_put(h, &object, 2, receipt);
    struct wr w = wr_init(room, sizeof(room));
    storage_message_encode(&w, &m);
    keeper_on_reply(h->keeper, h->sent_id,
                    (struct bytes){.p = room, .len = wr_len(&w)}, h->now);
    drain(h);
    assert_int_equal(keeper_status(h->keeper, &root, h->now, &status), OK);
    assert_int_equal(status.holders_count, 2);
    assert_int_equal(status.copies_stored, 1);
    assert_int_equal(keeper_get_stats(h->keeper).bad_messages, 0);
    host_free(h);
}

/* Audits. */

static void test_strangers_mend_nothing(void **state)
{
    struct host *h = host_new();
    static struct storage_message m; /* NOLINT: scratch */

    (void)state;
    assert_int_equal(offer_small(h, 1, 7, 3), STORAGE_REASON_OTHER);
    end_pulls(h);
    size_t before = h->pulls_begun;
    m.type = STORAGE_AUDIT;
    m.items_count = 1;
    m.items[0].root = root_of(3);
    m.items[0].cid = root_of(77);
    assert_int_equal(ask(h, 2, 8, &m), OK);
    assert_int_equal(h->answer.type, STORAGE_DIGESTS);
    assert_false(h->answer.digests[0].present);
    assert_int_equal(h->pulls_begun, before);
    /* Its owner may: it was told to keep all of it. */
    assert_int_equal(ask(h, 1003, 8, &m), OK);
    assert_int_equal(h->pulls_begun, before + 1);
    host_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_up_holders_leave_room),
        cmocka_unit_test(test_who_holds_nothing_is_paced_too),
        cmocka_unit_test(test_fetchbacks_cost_by_blocks),
        cmocka_unit_test(test_growth_is_within_the_quota),
        cmocka_unit_test(test_objects_of_one_owner_are_counted),
        cmocka_unit_test(test_owners_of_one_group_are_counted),
        cmocka_unit_test(test_one_placer_has_half_of_the_pulls),
        cmocka_unit_test(test_what_stands_still_waits),
        cmocka_unit_test(test_what_is_new_goes_first),
        cmocka_unit_test(test_one_of_a_bad_group_has_its_turn),
        cmocka_unit_test(test_what_cannot_be_had_ends),
        cmocka_unit_test(test_too_many_that_wait_are_refused),
        cmocka_unit_test(test_accept_brings_own_receipt_only),
        cmocka_unit_test(test_state_is_no_proof_for_a_holder),
        cmocka_unit_test(test_strangers_mend_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
