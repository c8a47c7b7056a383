/* Attacks on who asks about an object: answers that are forged. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "storage/message.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    HOLD_MS = 60 * 1000,
    LOOK_MS = 20,
    HOLDERS = 5,
    DAY_S = 24 * 60 * 60,
    MS_PER_S = 1000,
    AT_STORAGE = 4, /* place in the names below */
};

static const struct bytes keeper_names[] = {
    {.p = (const uint8_t *)"/ipfs/id/1.0.0", .len = 14},
    {.p = (const uint8_t *)"/ipfs/id/push/1.0.0", .len = 19},
    {.p = (const uint8_t *)"/ipfs/ping/1.0.0", .len = 16},
    {.p = (const uint8_t *)BITSWAP, .len = sizeof(BITSWAP) - 1},
    {.p = (const uint8_t *)STORAGE, .len = sizeof(STORAGE) - 1},
};

enum how { FORGED_RECORD, FORGED_RECEIPTS, MADE_UP_HOLDERS, NO_ANSWER_AT_ALL };

/* What a made-up owner wants of the root; the last byte is changed where it
 * is to be forged. */
static struct bytes put_record(struct wr *w, const struct cid *root,
                               bool is_forged,
                               struct checked_object *ret_contract)
{
    struct privkey key = made_up_key();
    uint64_t now_s = (uint64_t)time(NULL);
    struct object_record record = {
        .network = "mainnet",
        .root = *root,
        .size_bytes = 1,
        .blocks = 1,
        .policy = {.copies = HOLDERS},
        .created_s = now_s,
        .expires_s = now_s + DAY_S,
        .seq = now_s * MS_PER_S,
    };
    uint8_t *start = w->pos;
    enum err err = object_sign(&record, &key, ret_contract);

    assert(err == OK);
    if (is_forged)
        ret_contract->record.sig[0] ^= 1;
    object_record_encode(w, &ret_contract->record);
    privkey_release(&key);
    return (struct bytes){start, (size_t)(w->pos - start)};
}

static struct bytes
put_receipt(struct wr *w, const struct checked_object *contract, bool is_forged)
{
    struct privkey key = made_up_key();
    uint64_t now_s = (uint64_t)time(NULL);
    struct storage_receipt receipt = {
        .network = "mainnet",
        .root = contract->record.root,
        .stored_s = now_s,
        .until_s = now_s + DAY_S / 2,
        .seq = now_s * MS_PER_S,
    };
    struct checked_receipt checked;
    uint8_t *start = w->pos;

    memcpy(receipt.owner, contract->record.owner, sizeof(receipt.owner));
    memcpy(receipt.record_hash, contract->hash, sizeof(receipt.record_hash));
    enum err err = receipt_sign(&receipt, &key, &checked);
    assert(err == OK);
    if (is_forged)
        checked.receipt.sig[0] ^= 1;
    receipt_encode(w, &checked.receipt);
    privkey_release(&key);
    return (struct bytes){start, (size_t)(w->pos - start)};
}

static void lie_about(struct link *l, struct channel *c, const struct cid *root,
                      enum how how)
{
    struct storage_message *m = mem_zalloc(1, sizeof(*m));
    uint8_t *room = mem_alloc(2 * (size_t)STORAGE_MESSAGE_BYTES_MAX);
    struct wr w = wr_init(room, STORAGE_MESSAGE_BYTES_MAX);
    struct wr out =
        wr_init(room + STORAGE_MESSAGE_BYTES_MAX, STORAGE_MESSAGE_BYTES_MAX);
    struct checked_object contract;

    m->type = STORAGE_OBJECTS;
    m->records[m->records_count++] =
        put_record(&w, root, how == FORGED_RECORD, &contract);
    while (m->receipts_count < HOLDERS)
        m->receipts[m->receipts_count++] =
            put_receipt(&w, &contract, how == FORGED_RECEIPTS);
    storage_message_encode(&out, m);
    assert(w.err == OK && out.err == OK);
    (void)send_framed(l, c, (struct bytes){out.start, wr_len(&out)});
    mem_free(room);
    mem_free(m);
}

/* What else is asked is refused, by one byte that says so. */
static void refuse(struct link *l, struct channel *c)
{
    uint8_t room[64];
    struct wr w = wr_init(room, sizeof(room));
    struct storage_message *m = mem_zalloc(1, sizeof(*m));

    m->type = STORAGE_REFUSE;
    m->reason = STORAGE_REASON_UNSUPPORTED;
    storage_message_encode(&w, m);
    (void)send_framed(l, c, (struct bytes){room, wr_len(&w)});
    mem_free(m);
}

/* Return: how many were asked about an object. */
static unsigned answer(struct link *l, struct channel *c, enum how how)
{
    struct storage_message *m = mem_zalloc(1, sizeof(*m));
    struct bytes in;
    size_t used = channel_message(c, &in);
    unsigned asked = 0;

    if (used > 0) {
        enum err err = storage_message_decode(in, m);
        struct cid root = m->root;
        bool is_about = err == OK && m->type == STORAGE_ABOUT;
        channel_take(c, used);
        asked += is_about;
        if (is_about && how != NO_ANSWER_AT_ALL)
            lie_about(l, c, &root, how);
        else if (!is_about)
            refuse(l, c);
    }
    mem_free(m);
    return asked;
}

static unsigned answer_all(struct link *l, enum how how, bool *ret_identified)
{
    unsigned asked = 0;

    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        struct channel *c = &l->channels[i];
        if (c->id == 0 || !c->theirs || !c->agreed)
            continue;
        *ret_identified |= c->protocol == SERVED_IDENTIFY;
        if (c->protocol == AT_STORAGE && c->len > 0)
            asked += answer(l, c, how);
    }
    return asked;
}

/* Say that we keep objects, say "status" when the daemon knows it, then lie
 * until told to end. */
static enum verdict lie(struct run *r, int how)
{
    struct link *l = link_open(r);
    bool is_known = false;
    bool has_said = false;
    unsigned asked = 0;

    l->names =
        (struct mss_names){.names = keeper_names, .count = COUNT(keeper_names)};
    if (!l->closed && link_secure(l))
        (void)link_alive(l, PATIENCE_MS);
    uint64_t end = now_ms() + HOLD_MS;
    while (!l->closed && now_ms() < end && !told_to_end()) {
        link_pump(l, LOOK_MS);
        asked += answer_all(l, (enum how)how, &is_known);
        if (is_known && !has_said) {
            has_said = true;
            printf("status\n");
            (void)fflush(stdout);
        }
    }
    note(r, "%u asked", asked);
    r->begin_ms = r->dropped_ms != 0 ? r->dropped_ms : r->begin_ms;
    enum verdict v = ends_free(l, 500);
    return asked == 0 ? BROKEN : v;
}

#define LIE(name, what, how)                                                   \
    {                                                                          \
        name, what, TOLERATED | DROPPED, 0, DRIVEN, how, lie                   \
    }

static const struct attack rows[] = {
    LIE("status_record", "a record with a wrong signature", FORGED_RECORD),
    LIE("status_receipts", "receipts with wrong signatures", FORGED_RECEIPTS),
    LIE("status_holders", "receipts of holders that are nowhere",
        MADE_UP_HOLDERS),
    LIE("status_silence", "no answer about an object", NO_ANSWER_AT_ALL),
};

struct attacks attacks_objects(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
