/* Attacks by what is said of objects: records, receipts, lists. */
#include "attack_storage.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    ROOM = 256 * 1024,
    MS_PER_S = 1000,
    DAY_S = 24 * 60 * 60,
    MIB = 1024 * 1024,
    ANSWER_MS = 5000,
    FORGERIES = 12,
    FLOOD_RECEIPTS = 32,
};

/* What all of them use. */

struct cid made_up_cid(void)
{
    uint8_t digest[32];

    random_fill(digest, sizeof(digest));
    return cid_from_digest(0x55, digest);
}

struct wr storage_writer(void)
{
    static uint8_t room[ROOM];
    return wr_init(room, ROOM);
}

struct bytes storage_written(const struct wr *w)
{
    assert(w->err == OK);
    return (struct bytes){.p = w->start, .len = wr_len(w)};
}

uint64_t storage_unix_s(void)
{
    return (uint64_t)time(NULL);
}

struct object_record record_fields(const struct cid *root, uint64_t bytes,
                                   uint64_t blocks)
{
    uint64_t now_s = storage_unix_s();

    return (struct object_record){
        .network = "mainnet",
        .root = *root,
        .size_bytes = bytes,
        .blocks = blocks,
        .policy = {.copies = 2},
        .created_s = now_s,
        .expires_s = now_s + DAY_S,
        .seq = now_s * MS_PER_S,
    };
}

static struct checked_object last_record; /* NOLINT: of this program */

struct bytes record_put(struct object_record *fields, const struct privkey *key)
{
    static uint8_t room[OBJECT_RECORD_BYTES_MAX];
    struct wr w = wr_init(room, sizeof(room));
    enum err err = object_sign(fields, key, &last_record);

    assert(err == OK);
    (void)err;
    *fields = last_record.record;
    object_write(&w, &last_record);
    return storage_written(&w);
}

const struct object_record *record_take(struct bytes encoded)
{
    struct checked_object opened;

    if (object_open(encoded, &opened) != OK)
        return NULL;
    last_record = opened;
    return &last_record.record;
}

struct bytes receipt_make(const struct object_record *record,
                          const struct privkey *holder, uint64_t n,
                          uint8_t *dst)
{
    struct wr w = wr_init(dst, RECEIPT_BYTES_MAX);
    uint64_t now_s = storage_unix_s();
    struct checked_receipt checked;
    struct storage_receipt r = {
        .network = "mainnet",
        .root = record->root,
        .stored_s = now_s,
        .until_s = now_s + DAY_S / 2 + n,
        .seq = now_s * MS_PER_S + n,
    };

    memcpy(r.owner, record->owner, sizeof(r.owner));
    memcpy(r.record_hash, last_record.hash, sizeof(r.record_hash));
    enum err err = receipt_sign(&r, holder, &checked);
    assert(err == OK);
    (void)err;
    receipt_write(&w, &checked);
    return storage_written(&w);
}

struct storage_message *storage_message_new(enum storage_message_type type)
{
    struct storage_message *m = mem_zalloc(1, sizeof(*m));

    m->type = type;
    return m;
}

struct channel *storage_begin(struct link *l)
{
    return channel_open(l, STORAGE);
}

const struct storage_message *storage_answer(struct link *l, struct channel *c)
{
    static struct storage_message answer;
    static uint8_t kept[STORAGE_MESSAGE_BYTES_MAX];
    uint64_t end = now_ms() + ANSWER_MS;
    struct bytes body;

    while (!l->closed && !c->rst && channel_message(c, &body) == 0 &&
           now_ms() < end)
        link_pump(l, 20);
    size_t used = channel_message(c, &body);
    if (used == 0 || body.len > sizeof(kept))
        return NULL;
    memcpy(kept, body.p, body.len);
    struct bytes in = {.p = kept, .len = body.len};
    channel_take(c, used);
    return storage_message_decode(in, &answer) == OK ? &answer : NULL;
}

const struct storage_message *storage_ask(struct link *l,
                                          const struct storage_message *m)
{
    struct channel *c = storage_begin(l);
    struct wr w = storage_writer();

    if (c == NULL)
        return NULL;
    storage_message_encode(&w, m);
    if (!send_framed(l, c, storage_written(&w)))
        return NULL;
    (void)link_frame(l, WINDOW, FIN, c->id, 0);
    const struct storage_message *answer = storage_answer(l, c);
    mem_free(c->data);
    memset(c, 0, sizeof(*c));
    return answer;
}

bool storage_refused(struct link *l, const struct storage_message *m,
                     enum storage_reason reason)
{
    const struct storage_message *answer = storage_ask(l, m);

    if (answer != NULL && answer->type == STORAGE_REFUSE)
        note(l->run, "%s", storage_reason_name(answer->reason));
    else if (answer != NULL)
        note(l->run, "answered %s", storage_message_name(answer->type));
    return answer != NULL && answer->type == STORAGE_REFUSE &&
           answer->reason == reason;
}

const struct storage_message *storage_offer(struct link *l, struct bytes record)
{
    struct storage_message *m = storage_message_new(STORAGE_OFFER);

    m->record = record;
    const struct storage_message *answer = storage_ask(l, m);
    mem_free(m);
    return answer;
}

/* Records. */

enum kind {
    HONEST,
    FORGED,
    GARBAGE,
    EXPIRED,
    FUTURE,
    SEQ_FUTURE,
    SEQ_MAX,
    OTHER_NETWORK,
    OTHER_OWNER,
    VICTIMS_OWN,
    ERASURE,
    RELEASE,
    A_PEBIBYTE,
    SMALL_BLOCKS, /* more bytes than its blocks can have */
    OF_OLD_KEY,   /* a key of small order signs everything */
};

/* Fields that make it what @kind says. */
static void spoil_fields(struct object_record *f, enum kind kind)
{
    uint64_t now_s = storage_unix_s();

    switch (kind) {
    case HONEST:
    case FORGED:
    case GARBAGE:
    case OTHER_OWNER:
    case VICTIMS_OWN:
    case SMALL_BLOCKS:
    case OF_OLD_KEY:
        break;
    case EXPIRED:
        f->created_s = now_s - 2 * (uint64_t)DAY_S;
        f->expires_s = now_s - 1;
        break;
    case FUTURE:
        f->created_s = now_s + DAY_S;
        f->expires_s = now_s + 2 * (uint64_t)DAY_S;
        break;
    case SEQ_FUTURE:
        f->seq += (uint64_t)DAY_S * MS_PER_S;
        break;
    case SEQ_MAX:
        f->seq = OBJECT_SEQ_MAX;
        break;
    case OTHER_NETWORK:
        memcpy(f->network, "othernet", sizeof("othernet"));
        break;
    case ERASURE:
        f->policy = (struct object_policy){.k = 4, .m = 2};
        break;
    case RELEASE:
        f->policy.copies = 0;
        break;
    case A_PEBIBYTE:
        f->size_bytes = OBJECT_SIZE_BYTES_MAX;
        f->blocks = OBJECT_BLOCKS_MAX;
        break;
    }
}

/* The encoding of fields whose signature is no more theirs. */
static struct bytes unsigned_record(const struct object_record *f)
{
    static uint8_t room[OBJECT_RECORD_BYTES_MAX];
    struct wr w = wr_init(room, sizeof(room));

    object_record_encode(&w, f);
    return storage_written(&w);
}

static struct bytes spoilt_record(struct run *r, enum kind kind)
{
    static uint8_t garbage[300];
    struct cid root = made_up_cid();
    struct object_record f = record_fields(&root, 1000, 1);
    struct privkey key = made_up_key();
    struct privkey other = made_up_key();
    struct peer_id victim = r->target;
    struct peer_id other_id = privkey_peer_id(&other);

    spoil_fields(&f, kind);
    struct bytes record = record_put(&f, &key);
    if (kind == FORGED) {
        f.sig[5] ^= 1;
        record = unsigned_record(&f);
    } else if (kind == OTHER_OWNER) {
        memcpy(f.owner, other_id.bytes + 6, sizeof(f.owner));
        record = unsigned_record(&f);
    } else if (kind == VICTIMS_OWN) {
        memcpy(f.owner, victim.bytes + 6, sizeof(f.owner));
        record = unsigned_record(&f);
    } else if (kind == OF_OLD_KEY) {
        memset(f.owner, 0, sizeof(f.owner));
        f.owner[0] = 1;
        memset(f.sig, 0, sizeof(f.sig));
        f.sig[0] = 1;
        record = unsigned_record(&f);
    } else if (kind == SMALL_BLOCKS) {
        f.size_bytes = 2 * MIB + 1;
        record = unsigned_record(&f);
    } else if (kind == GARBAGE) {
        random_fill(garbage, sizeof(garbage));
        record = (struct bytes){.p = garbage, .len = sizeof(garbage)};
    }
    privkey_release(&key);
    privkey_release(&other);
    return record;
}

/* What the answer to an offer of each must be. */
static bool spoilt_is_refused(struct run *r, struct link *l, enum kind kind)
{
    struct storage_message *m = storage_message_new(STORAGE_OFFER);
    enum storage_reason reason = STORAGE_REASON_INVALID;

    if (kind == EXPIRED)
        reason = STORAGE_REASON_EXPIRED;
    else if (kind == FUTURE || kind == SEQ_FUTURE || kind == SEQ_MAX)
        reason = STORAGE_REASON_FUTURE;
    else if (kind == OTHER_NETWORK)
        reason = STORAGE_REASON_NETWORK;
    else if (kind == ERASURE)
        reason = STORAGE_REASON_UNSUPPORTED;
    else if (kind == A_PEBIBYTE)
        reason = STORAGE_REASON_SPACE;
    m->record = spoilt_record(r, kind);
    bool fine = storage_refused(l, m, reason);
    m->type = STORAGE_HANDOVER; /* nor by a stranger who says to leave */
    fine = fine && storage_refused(l, m, reason);
    mem_free(m);
    return fine;
}

/* The end of what had to be refused, or else ended the connection. */
static enum verdict refused(struct link *l, bool fine)
{
    enum verdict v = fine ? ANSWERED : ends_free(l, 500);

    if (fine)
        link_free(l);
    return v == TOLERATED ? WRONG : v;
}

static enum verdict offer_spoilt(struct run *r, int kind)
{
    struct link *l = link_session(r);
    bool fine = spoilt_is_refused(r, l, (enum kind)kind);

    return refused(l, fine);
}

/* Forgeries, until we are not heard any more. */
static enum verdict offer_forged_again(struct run *r, int kind)
{
    struct link *l = link_session(r);
    unsigned count = 0;

    for (; count < FORGERIES && !l->closed; count++) {
        struct bytes record = spoilt_record(r, (enum kind)kind);
        if (storage_offer(l, record) == NULL)
            break;
    }
    note(r, "%u forgeries", count);
    return ends_free(l, must_drop_ms(r));
}

/* A made-up owner of something small. */
struct owned {
    struct privkey key;
    struct object_record f;
};

static struct owned made_up_object(void)
{
    struct cid root = made_up_cid();

    return (struct owned){.key = made_up_key(),
                          .f = record_fields(&root, 1000, 1)};
}

/* As record_put(), in memory that the next one leaves alone. */
static struct bytes put_first(struct owned *o)
{
    static uint8_t kept[OBJECT_RECORD_BYTES_MAX];
    struct bytes record = record_put(&o->f, &o->key);

    memcpy(kept, record.p, record.len);
    return (struct bytes){.p = kept, .len = record.len};
}

static bool is_accepted(const struct storage_message *answer)
{
    return answer != NULL && answer->type == STORAGE_ACCEPT;
}

/* The answer to a record that there is a newer one of; NULL: another one. */
static const struct storage_message *offer_stale(struct link *l,
                                                 struct bytes record)
{
    const struct storage_message *answer = storage_offer(l, record);
    bool fine = answer != NULL && answer->type == STORAGE_REFUSE &&
                answer->reason == STORAGE_REASON_STALE;

    return fine ? answer : NULL;
}

static enum verdict owned_ends(struct link *l, struct owned *o, bool fine)
{
    privkey_release(&o->key);
    link_free(l);
    return fine ? ANSWERED : WRONG;
}

/* A record, then the one before it; the answer must show the newer. */
static enum verdict offer_replayed(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct owned o = made_up_object();
    struct bytes replayed = put_first(&o);
    bool fine = false;

    (void)unused;
    o.f.seq++;
    if (is_accepted(storage_offer(l, record_put(&o.f, &o.key)))) {
        const struct storage_message *answer = offer_stale(l, replayed);
        fine = answer != NULL && answer->record.len > 0;
    }
    return owned_ends(l, &o, fine);
}

/* Released, then offered by the record before: the tombstone must hold. */
static enum verdict release_replayed(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct owned o = made_up_object();
    struct bytes replayed = put_first(&o);
    struct storage_message *m = storage_message_new(STORAGE_RELEASE);
    bool fine = is_accepted(storage_offer(l, replayed));

    (void)unused;
    if (fine) {
        o.f.seq++;
        o.f.policy.copies = 0;
        m->record = record_put(&o.f, &o.key);
        const struct storage_message *answer = storage_ask(l, m);
        fine = answer != NULL && answer->type == STORAGE_OK &&
               offer_stale(l, replayed) != NULL;
    }
    mem_free(m);
    return owned_ends(l, &o, fine);
}

/* A release that the owner did not sign, and one of what is not there. */
static enum verdict release_by_other(struct run *r, int forged)
{
    struct link *l = link_session(r);
    struct privkey key = made_up_key();
    struct privkey owner = made_up_key();
    struct peer_id id = privkey_peer_id(&owner);
    struct cid root = made_up_cid();
    struct object_record f = record_fields(&root, 1000, 1);
    struct storage_message *m = storage_message_new(STORAGE_RELEASE);

    if (forged == 1)
        (void)storage_offer(l, record_put(&f, &owner));
    f.policy.copies = 0;
    f.seq++;
    m->record = record_put(&f, &key);
    if (forged == 1) {
        memcpy(f.owner, id.bytes + 6, sizeof(f.owner));
        m->record = unsigned_record(&f);
    }
    bool fine = storage_refused(
        l, m, forged == 1 ? STORAGE_REASON_INVALID : STORAGE_REASON_UNKNOWN);
    mem_free(m);
    privkey_release(&key);
    privkey_release(&owner);
    return refused(l, fine);
}

/* A small object, then by a newer record one larger than all that one owner
 * may have. */
static enum verdict renewed_larger(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct owned o = made_up_object();
    const struct storage_message *answer =
        storage_offer(l, record_put(&o.f, &o.key));
    bool refused = is_accepted(answer);
    unsigned doubled = 0;

    (void)unused;
    /* Twice as much each time, up to what nobody has. */
    o.f.blocks = OBJECT_BLOCKS_MAX;
    o.f.size_bytes = MIB;
    while (refused && o.f.size_bytes < OBJECT_SIZE_BYTES_MAX) {
        o.f.seq++;
        o.f.size_bytes *= 2;
        answer = storage_offer(l, record_put(&o.f, &o.key));
        if (!is_accepted(answer))
            break;
        doubled++;
    }
    refused = refused && answer != NULL && answer->type == STORAGE_REFUSE;
    note(r, "up to %llu MiB, then %s", 1ULL << doubled,
         refused ? storage_reason_name(answer->reason) : "nothing");
    return owned_ends(l, &o, refused && answer->reason == STORAGE_REASON_QUOTA);
}

/* Receipts. */

enum receipts {
    RECEIPTS_FORGED,
    RECEIPTS_UNKNOWN, /* of objects that the daemon has not got */
    RECEIPTS_GARBAGE,
    RECEIPTS_LIVE_LONG, /* until far away */
    RECEIPTS_MADE_UP,   /* of holders that are not */
};

/* Another one in its place, which its signature does not fit. */
static void spoil_receipt(struct bytes receipt, enum receipts kind, uint8_t *at)
{
    struct storage_receipt r;
    struct wr w = wr_init(at, RECEIPT_BYTES_MAX);
    enum err err = receipt_decode(receipt, &r);

    assert(err == OK);
    (void)err;
    if (kind == RECEIPTS_FORGED)
        r.sig[3] ^= 1;
    else
        r.until_s = r.seq / MS_PER_S + DAY_S + 1;
    receipt_encode(&w, &r);
}

static size_t put_receipts(struct storage_message *m,
                           const struct object_record *f, enum receipts kind,
                           uint8_t *room)
{
    for (size_t i = 0; i < FLOOD_RECEIPTS; i++) {
        struct privkey holder = made_up_key();
        uint8_t *at = room + i * RECEIPT_BYTES_MAX;
        m->receipts[i] = receipt_make(f, &holder, i, at);
        if (kind == RECEIPTS_GARBAGE)
            random_fill(at, m->receipts[i].len);
        else if (kind == RECEIPTS_FORGED || kind == RECEIPTS_LIVE_LONG)
            spoil_receipt(m->receipts[i], kind, at);
        privkey_release(&holder);
    }
    m->receipts_count = FLOOD_RECEIPTS;
    return FLOOD_RECEIPTS;
}

static enum verdict receipts(struct run *r, int kind)
{
    struct link *l = link_session(r);
    struct owned o = made_up_object();
    struct storage_message *m = storage_message_new(STORAGE_RECEIPT);
    uint8_t *room = mem_zalloc(FLOOD_RECEIPTS, RECEIPT_BYTES_MAX);
    struct bytes record = record_put(&o.f, &o.key);
    unsigned answers = 0;

    if (kind != RECEIPTS_UNKNOWN)
        (void)storage_offer(l, record);
    for (unsigned i = 0; i < FORGERIES && !l->closed; i++) {
        (void)put_receipts(m, &o.f, (enum receipts)kind, room);
        const struct storage_message *answer = storage_ask(l, m);
        answers += answer != NULL && answer->type == STORAGE_OK;
    }
    note(r, "%u answers", answers);
    enum verdict v = answers == FORGERIES ? ANSWERED : ends(l, must_drop_ms(r));
    mem_free(room);
    mem_free(m);
    privkey_release(&o.key);
    link_free(l);
    return v;
}

/* The set of an object that is not there. */
static enum verdict holders_unknown(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct storage_message *m = storage_message_new(STORAGE_HOLDERS);

    (void)unused;
    m->root = made_up_cid();
    random_fill(m->owner, sizeof(m->owner));
    bool fine = storage_refused(l, m, STORAGE_REASON_UNKNOWN);
    mem_free(m);
    link_free(l);
    return fine ? ANSWERED : WRONG;
}

/*
 * Objects with as many made-up holders as may be told, each a peer to be
 * remembered: one who comes after must be answered.
 */
static enum verdict crowd(struct run *r, int objects)
{
    struct link *l = link_session(r);
    struct storage_message *m = storage_message_new(STORAGE_OFFER);
    uint8_t *room = mem_zalloc(FLOOD_RECEIPTS, RECEIPT_BYTES_MAX);
    unsigned accepted = 0;

    for (int i = 0; i < objects && !l->closed; i++) {
        struct privkey key = made_up_key();
        struct cid root = made_up_cid();
        struct object_record f = record_fields(&root, 10, 1);
        m->record = record_put(&f, &key);
        (void)put_receipts(m, &f, RECEIPTS_MADE_UP, room);
        const struct storage_message *answer = storage_ask(l, m);
        accepted += is_accepted(answer);
        privkey_release(&key);
        sleep_ms(MS_PER_S / 32);
    }
    link_free(l);
    l = link_session(r);
    m->type = STORAGE_STATUS;
    m->root = made_up_cid();
    const struct storage_message *answer = storage_ask(l, m);
    bool fine = answer != NULL && answer->type == STORAGE_STATE;
    note(r, "%u of %d accepted; one who comes after is %s", accepted, objects,
         fine ? "answered" : "not answered");
    mem_free(room);
    mem_free(m);
    link_free(l);
    return fine ? ANSWERED : WRONG;
}

/* Lists of an owner's objects. */

enum mine {
    MINE_OWN,
    MINE_FORGED,
    MINE_OF_OTHER,  /* signed for another asker */
    MINE_FOR_OTHER, /* signed for another holder */
    MINE_OLD,
    MINE_FUTURE,
    MINE_CURSOR,
    MINE_LONG_CURSOR,
};

static enum verdict mine(struct run *r, int kind)
{
    static const uint8_t zeros[STORAGE_CURSOR_MAX];
    struct link *l = link_session(r);
    struct privkey key = made_up_key();
    struct privkey other = made_up_key();
    struct peer_id self = privkey_peer_id(&l->key);
    struct peer_id owner = privkey_peer_id(&key);
    struct peer_id third = privkey_peer_id(&other);
    struct storage_message *m = storage_message_new(STORAGE_MINE);
    enum storage_reason reason = STORAGE_REASON_INVALID;

    memcpy(m->owner, owner.bytes + 6, sizeof(m->owner));
    m->at_s = storage_unix_s();
    if (kind == MINE_OLD)
        m->at_s -= (uint64_t)2 * OBJECT_SKEW_MAX_S;
    else if (kind == MINE_FUTURE)
        m->at_s += (uint64_t)2 * OBJECT_SKEW_MAX_S;
    storage_mine_sign(kind == MINE_FORGED ? &other : &key,
                      kind == MINE_OF_OTHER ? &third : &self,
                      kind == MINE_FOR_OTHER ? &third : &r->target, m->at_s,
                      m->sig);
    if (kind == MINE_CURSOR)
        m->cursor = (struct bytes){.p = zeros, .len = 8};
    else if (kind == MINE_LONG_CURSOR)
        m->cursor = (struct bytes){.p = zeros, .len = sizeof(zeros)};
    if (kind == MINE_OLD)
        reason = STORAGE_REASON_EXPIRED;
    else if (kind == MINE_FUTURE)
        reason = STORAGE_REASON_FUTURE;
    bool fine = false;
    if (kind == MINE_OWN || kind == MINE_CURSOR) {
        const struct storage_message *answer = storage_ask(l, m);
        fine = answer != NULL && answer->type == STORAGE_RECORDS &&
               answer->records_count == 0;
    } else {
        fine = storage_refused(l, m, reason);
    }
    privkey_release(&key);
    privkey_release(&other);
    mem_free(m);
    return refused(l, fine);
}

/* One forgery is enough to be sent away; the refusal may be lost with it. */
#define FORGERY (ANSWERED | DROPPED)

static const struct attack rows[] = {
    {"storage_offer", "an honest offer, and it is replayed", ANSWERED, 0, 0, 0,
     offer_replayed},
    {"storage_offer_forged", "offer, signature forged", FORGERY, 0, 0, FORGED,
     offer_spoilt},
    {"storage_offer_garbage", "offer of no record", FORGERY, 0, 0, GARBAGE,
     offer_spoilt},
    {"storage_offer_expired", "offer, expired", ANSWERED, 0, 0, EXPIRED,
     offer_spoilt},
    {"storage_offer_future", "offer of tomorrow", ANSWERED, 0, 0, FUTURE,
     offer_spoilt},
    {"storage_offer_seq", "offer, seq of tomorrow", ANSWERED, 0, 0, SEQ_FUTURE,
     offer_spoilt},
    {"storage_offer_seq_max", "offer, highest seq", ANSWERED, 0, 0, SEQ_MAX,
     offer_spoilt},
    {"storage_offer_network", "offer for another network", ANSWERED, 0, 0,
     OTHER_NETWORK, offer_spoilt},
    {"storage_offer_other", "offer in another's name", FORGERY, 0, 0,
     OTHER_OWNER, offer_spoilt},
    {"storage_offer_own", "offer in the daemon's name", FORGERY, 0, 0,
     VICTIMS_OWN, offer_spoilt},
    {"storage_offer_erasure", "offer, erasure code", ANSWERED, 0, 0, ERASURE,
     offer_spoilt},
    {"storage_offer_release", "offer of a release", FORGERY, 0, 0, RELEASE,
     offer_spoilt},
    {"storage_offer_1p", "offer of a pebibyte", ANSWERED, 0, 0, A_PEBIBYTE,
     offer_spoilt},
    {"storage_offer_small", "offer of 2 MiB and a byte in a block", FORGERY, 0,
     0, SMALL_BLOCKS, offer_spoilt},
    {"storage_offer_order", "offer by a key of small order", FORGERY, 0, 0,
     OF_OLD_KEY, offer_spoilt},
    {"storage_offer_larger", "offers of one object, each time twice as large",
     ANSWERED, 0, 0, 0, renewed_larger},
    {"storage_forged_again", "forged offers again and again", DROPPED, 0, 0,
     FORGED, offer_forged_again},
    {"storage_release_replayed", "offer of what was released", ANSWERED, 0, 0,
     0, release_replayed},
    {"storage_release_forged", "release by another", FORGERY, 0, 0, 1,
     release_by_other},
    {"storage_release_unknown", "release of what is not there", ANSWERED, 0, 0,
     0, release_by_other},
    {"storage_receipts_forged", "forged receipts", DROPPED, 0, 0,
     RECEIPTS_FORGED, receipts},
    {"storage_receipts_garbage", "receipts that are none", DROPPED, 0, 0,
     RECEIPTS_GARBAGE, receipts},
    {"storage_receipts_long", "receipts until far away", DROPPED, 0, 0,
     RECEIPTS_LIVE_LONG, receipts},
    {"storage_receipts_unknown", "receipts of what is not there", ANSWERED, 0,
     0, RECEIPTS_UNKNOWN, receipts},
    {"storage_receipts_made_up", "receipts of holders that are not", ANSWERED,
     0, 0, RECEIPTS_MADE_UP, receipts},
    {"storage_holders_unknown", "holders of what is not there", ANSWERED, 0, 0,
     0, holders_unknown},
    {"storage_crowd", "objects with 32 made-up holders each", ANSWERED, 0, 0,
     200, crowd},
    {"storage_mine", "honest list of what one has there", ANSWERED, 0, 0,
     MINE_OWN, mine},
    {"storage_mine_cursor", "list from a made-up place on", ANSWERED, 0, 0,
     MINE_CURSOR, mine},
    {"storage_mine_long_cursor", "list from no place", ANSWERED, 0, 0,
     MINE_LONG_CURSOR, mine},
    {"storage_mine_forged", "list for another's key", FORGERY, 0, 0,
     MINE_FORGED, mine},
    {"storage_mine_replayed", "list, signed for another asker", FORGERY, 0, 0,
     MINE_OF_OTHER, mine},
    {"storage_mine_passed_on", "list, signed for another holder", FORGERY, 0, 0,
     MINE_FOR_OTHER, mine},
    {"storage_mine_old", "list, signed long ago", ANSWERED, 0, 0, MINE_OLD,
     mine},
    {"storage_mine_future", "list, signed tomorrow", ANSWERED, 0, 0,
     MINE_FUTURE, mine},
};

struct attacks attacks_storage(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
