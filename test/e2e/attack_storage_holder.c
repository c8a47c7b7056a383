/* Attacks by one who says to keep an object, and does not. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack_storage.h"
#include "base/mem.h"
#include "discovery/capability.h"
#include "discovery/peers_message.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    HOLD_MS = 60000,
    HALF_DAY_S = 12 * 60 * 60,
    MS_PER_S = 1000,
};

/* How the requests of one who wants an object kept are answered. */
enum lie {
    ACCEPTS_ONLY,   /* and pulls for ever */
    FORGED_RECEIPT, /* its signature is wrong */
    OTHERS_RECEIPT, /* of another holder than the sender */
    NO_BLOCKS,      /* a true receipt, and nulls in audits */
    WRONG_DIGESTS,  /* a true receipt, and made-up digests */
    SAYS_NOTHING,
    ENDS_STREAMS,
    SAYS_GARBAGE,
    HUGE_LENGTH,
    OTHER_ANSWER, /* of another kind than asked for */
};

struct liar {
    enum lie how;
    struct storage_message asked;
    unsigned offers;
    unsigned audits;
    unsigned requests;
    struct object_record record; /* of the last offer */
    uint8_t receipt[RECEIPT_BYTES_MAX];
    struct bytes receipt_bytes; /* empty: none was made */
};

/* To be a candidate: a record that offers room. */
static void say_hello(struct link *l)
{
    uint8_t *room = mem_alloc(CAPABILITY_BYTES_MAX);
    struct capability *c = mem_zalloc(1, sizeof(*c));
    struct peers_message *m = mem_zalloc(1, sizeof(*m));
    struct wr w = wr_init(room, CAPABILITY_BYTES_MAX);
    struct channel *s = channel_open(l, PEERS);

    memcpy(c->network, "mainnet", sizeof("mainnet"));
    c->peer = privkey_peer_id(&l->key);
    c->seq = storage_unix_s() * MS_PER_S;
    c->expires_s = storage_unix_s() + HALF_DAY_S;
    c->addrs[0] = l->where;
    c->addr_count = 1;
    c->has_storage = true;
    c->storage_offer = UINT64_C(1) << 40;
    c->storage_free = UINT64_C(1) << 40;
    capability_seal(&l->key, c, &w);
    m->kind = PEERS_HELLO;
    m->record = storage_written(&w);
    struct wr out = storage_writer();
    peers_message_encode(m, &out);
    if (s != NULL && send_framed(l, s, storage_written(&out))) {
        (void)link_frame(l, WINDOW, FIN, s->id, 0);
        (void)channel_wait(l, s, 3, PATIENCE_MS);
    }
    mem_free(m);
    mem_free(c);
    mem_free(room);
}

/* What would be right, but for the lie. */
static void make_receipt(struct link *l, struct liar *a)
{
    struct privkey other = made_up_key();
    const struct object_record *record = record_take(a->asked.record);

    if (record == NULL)
        return;
    a->record = *record;
    a->receipt_bytes =
        receipt_make(record, a->how == OTHERS_RECEIPT ? &other : &l->key,
                     a->offers, a->receipt);
    if (a->how == FORGED_RECEIPT)
        a->receipt[a->receipt_bytes.len - 1] ^= 1;
    privkey_release(&other);
}

static void answer_offer(struct link *l, struct liar *a,
                         struct storage_message *m)
{
    a->offers++;
    m->type = STORAGE_ACCEPT;
    if (a->how == ACCEPTS_ONLY)
        return;
    make_receipt(l, a);
    m->receipts[0] = a->receipt_bytes;
    m->receipts_count = a->receipt_bytes.len > 0 ? 1 : 0;
}

static void answer_audit(struct liar *a, struct storage_message *m)
{
    a->audits++;
    m->type = STORAGE_DIGESTS;
    m->digests_count = a->asked.items_count;
    for (size_t i = 0; a->how == WRONG_DIGESTS && i < m->digests_count; i++) {
        m->digests[i].present = true;
        random_fill(m->digests[i].bytes, sizeof(m->digests[i].bytes));
    }
}

static void make_answer(struct link *l, struct liar *a,
                        struct storage_message *m)
{
    enum storage_message_type type = a->asked.type;

    if (type == STORAGE_OFFER || type == STORAGE_HANDOVER) {
        answer_offer(l, a, m);
    } else if (type == STORAGE_AUDIT) {
        answer_audit(a, m);
    } else if (type == STORAGE_STATUS) {
        m->type = STORAGE_STATE;
        m->root = a->asked.root;
        memcpy(m->owner, a->asked.owner, sizeof(m->owner));
        m->state =
            a->how == ACCEPTS_ONLY ? STORAGE_STATE_PULLING : STORAGE_STATE_KEPT;
    } else if (type == STORAGE_FETCHBACK) {
        m->type = STORAGE_FETCHED; /* all is well with everybody */
    }
    if (a->how == OTHER_ANSWER)
        m->type = m->type == STORAGE_OK ? STORAGE_FETCHED : STORAGE_OK;
}

static void lie(struct link *l, struct liar *a, struct channel *c)
{
    struct wr w = storage_writer();
    struct storage_message *m = NULL;

    a->requests++;
    switch (a->how) {
    case SAYS_NOTHING:
        return;
    case ENDS_STREAMS:
        channel_reset(l, c);
        return;
    case HUGE_LENGTH:
        (void)channel_send(l, c, "\xff\xff\xff\xff\x7f", 5);
        return;
    case SAYS_GARBAGE:
        (void)send_framed(l, c, BYTES_LIT("\xa1\x61t\xff"));
        return;
    case ACCEPTS_ONLY:
    case FORGED_RECEIPT:
    case OTHERS_RECEIPT:
    case NO_BLOCKS:
    case WRONG_DIGESTS:
    case OTHER_ANSWER:
        break;
    }
    m = storage_message_new(STORAGE_OK);
    make_answer(l, a, m);
    storage_message_encode(&w, m);
    (void)send_framed(l, c, storage_written(&w));
    mem_free(m);
}

static void serve_all(struct link *l, struct liar *a)
{
    for (size_t i = 0; i < CHANNELS_MAX && !l->closed; i++) {
        struct channel *c = &l->channels[i];
        struct bytes in;
        if (c->id == 0 || !c->theirs || !c->agreed ||
            c->protocol != SERVED_STORAGE)
            continue;
        size_t used = channel_message(c, &in);
        if (used == 0)
            continue;
        bool good = storage_message_decode(in, &a->asked) == OK;
        if (good)
            lie(l, a, c);
        if (c->id != 0)
            channel_take(c, used);
    }
}

static enum verdict holder(struct run *r, int how)
{
    struct liar *a = mem_zalloc(1, sizeof(*a));
    struct link *l = link_accept(r); /* prints "connect" */
    uint64_t end = now_ms() + HOLD_MS;

    a->how = (enum lie)how;
    l->member = true;
    l->keeper = true;
    if (!l->closed)
        (void)link_secure(l);
    if (!l->closed)
        (void)link_alive(l, PATIENCE_MS);
    say_hello(l);
    printf("object\n");
    (void)fflush(stdout);
    while (!l->closed && now_ms() < end && !told_to_end()) {
        link_pump(l, 20);
        serve_all(l, a);
    }
    while (now_ms() < end && !told_to_end())
        sleep_ms(20); /* dropped: those who watch are not done yet */
    note(r, "%u requests, %u offers, %u audits", a->requests, a->offers,
         a->audits);
    r->begin_ms = now_ms(); /* how long the others watched is no matter */
    bool asked = a->requests > 0;
    enum verdict v = ends_free(l, 500);
    mem_free(a);
    return asked ? v : BROKEN;
}

#define ENDS (TOLERATED | DROPPED)

static const struct attack rows[] = {
    {"holder_accepts", "accepts, and pulls nothing", ENDS, 0, DRIVEN,
     ACCEPTS_ONLY, holder},
    {"holder_forged", "a receipt with a wrong signature", ENDS, 0, DRIVEN,
     FORGED_RECEIPT, holder},
    {"holder_other", "a receipt of somebody else", ENDS, 0, DRIVEN,
     OTHERS_RECEIPT, holder},
    {"holder_no_blocks", "a receipt, and no blocks", ENDS, 0, DRIVEN, NO_BLOCKS,
     holder},
    {"holder_digests", "a receipt, and made-up digests", ENDS, 0, DRIVEN,
     WRONG_DIGESTS, holder},
    {"holder_silent", "no answers", ENDS, 0, DRIVEN, SAYS_NOTHING, holder},
    {"holder_ends", "streams are reset", ENDS, 0, DRIVEN, ENDS_STREAMS, holder},
    {"holder_garbage", "malformed answers", ENDS, 0, DRIVEN, SAYS_GARBAGE,
     holder},
    {"holder_length", "a length of 32 GiB", ENDS, 0, DRIVEN, HUGE_LENGTH,
     holder},
    {"holder_kind", "answers of another kind", ENDS, 0, DRIVEN, OTHER_ANSWER,
     holder},
};

struct attacks attacks_storage_holder(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
