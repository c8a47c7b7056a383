/*
 * Goal: whatever peers send, and in whatever order what was handed out is
 * answered, a keeper stays within its limits: it answers each request once and
 * nothing else, accepts no more than it offers and only what is on disk, gives
 * receipts for what is counted only, and asks for no more than its tables hold.
 * Input: a script; each op is a byte and the bytes that it takes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "env/rng.h"
#include "multiformats/key.h"
#include "storage/keeper.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    PEERS = 4, /* the first is the keeper's own */
    ROOTS = 4,
    OBJECTS_MAX = 6,
    OPS_MAX = 400,
    WAITING_MAX = 1024, /* more under way at a time is no bound */
    ROWS_MAX = 64,
    OFFER = 100000,
    BLOCKS = 3,
};

#define START_MS UINT64_C(1800000000000)

/* Something handed out that is to be answered. */
struct waiting {
    uint64_t id;
    enum keeper_out_kind kind;
    struct keeper_out out; /* owned */
};

struct row {
    uint8_t key[KEEPER_KEY_MAX];
    size_t key_len;
    struct buf *value;
};

struct world {
    struct rng rng; /* first: fill() finds the world */
    const uint8_t *data;
    size_t left;
    uint64_t random;
    struct keeper *keeper;
    struct keeper_config config;
    struct keeper_now now;
    struct privkey keys[PEERS];
    struct peer_id ids[PEERS];
    struct cid roots[ROOTS];
    bool kept[ROOTS];
    struct waiting waiting[WAITING_MAX];
    size_t waiting_count;
    uint64_t asked[WAITING_MAX]; /* requests without their reply */
    size_t asked_count;
    struct row rows[ROWS_MAX];
    size_t rows_count;
    uint8_t record[PEERS][OBJECT_RECORD_BYTES_MAX];
    uint8_t receipt[PEERS][RECEIPT_BYTES_MAX];
    uint8_t bytes[STORAGE_MESSAGE_BYTES_MAX];
    struct storage_message message;
    struct storage_message sent;
    uint64_t seqs;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static uint8_t next(struct world *w)
{
    if (w->left == 0)
        return 0;
    w->left--;
    return *w->data++;
}

static void fill(struct rng *r, uint8_t *dst, size_t len)
{
    struct world *w = (struct world *)(void *)r;
    for (size_t i = 0; i < len; i++) {
        w->random = w->random * UINT64_C(6364136223846793005) + 1;
        dst[i] = (uint8_t)(w->random >> 56);
    }
}

static size_t find_root(const struct world *w, const struct cid *root)
{
    size_t i = 0;
    while (i < ROOTS && !cid_eq(&w->roots[i], root))
        i++;
    must(i < ROOTS);
    return i;
}

static struct row *find_row(struct world *w, const uint8_t *key, size_t len)
{
    for (size_t i = 0; i < w->rows_count; i++) {
        if (w->rows[i].key_len == len && memcmp(w->rows[i].key, key, len) == 0)
            return &w->rows[i];
    }
    return NULL;
}

static void store_row(struct world *w, const struct keeper_out *out)
{
    struct row *row = find_row(w, out->key, out->key_len);
    if (row != NULL) {
        buf_unref(row->value);
        *row = w->rows[--w->rows_count];
    }
    if (out->data == NULL)
        return;
    must(w->rows_count < ROWS_MAX);
    row = &w->rows[w->rows_count++];
    memcpy(row->key, out->key, out->key_len);
    row->key_len = out->key_len;
    row->value = buf_ref(out->data);
}

/* Receipts of ours name what is counted only. */
static void check_receipts(struct world *w)
{
    for (size_t i = 0; i < w->sent.receipts_count; i++) {
        struct checked_receipt r;
        must(receipt_open(w->sent.receipts[i], &r) == OK);
        if (peer_id_eq(&r.receipt.holder, &w->ids[0]))
            must(w->kept[find_root(w, &r.receipt.root)]);
    }
    if (w->sent.record.len > 0) {
        struct checked_object object;
        must(object_open(w->sent.record, &object) == OK);
    }
}

static void check_reply(struct world *w, const struct keeper_out *out)
{
    size_t i = 0;
    while (i < w->asked_count && w->asked[i] != out->id)
        i++;
    must(i < w->asked_count); /* else answered twice, or never asked */
    w->asked[i] = w->asked[--w->asked_count];
    must(storage_message_decode(buf_bytes(out->data), &w->sent) == OK);
    must(!storage_is_request(w->sent.type));
    check_receipts(w);
    if (w->sent.type == STORAGE_ACCEPT)
        must(w->rows_count > 0);
}

static void forget(struct world *w, size_t i)
{
    keeper_out_release(&w->waiting[i].out);
    w->waiting[i] = w->waiting[--w->waiting_count];
}

static void cancel(struct world *w, uint64_t id)
{
    for (size_t i = 0; i < w->waiting_count; i++) {
        if (w->waiting[i].id != id)
            continue;
        must(w->waiting[i].kind == KEEPER_PULL);
        forget(w, i);
        return;
    }
    must(false); /* it was not under way */
}

static void take(struct world *w, struct keeper_out *out)
{
    switch (out->kind) {
    case KEEPER_SEND:
        must(storage_message_decode(buf_bytes(out->data), &w->sent) == OK);
        must(storage_is_request(w->sent.type));
        must(!peer_id_eq(&out->peer, &w->ids[0]));
        check_receipts(w);
        break;
    case KEEPER_REPLY:
        check_reply(w, out);
        keeper_out_release(out);
        return;
    case KEEPER_PULL_CANCEL:
        cancel(w, out->id);
        return;
    case KEEPER_DROP:
        w->kept[find_root(w, &out->root)] = false;
        return;
    case KEEPER_EVENT:
    case KEEPER_DONE:
        return;
    case KEEPER_PULL:
    case KEEPER_KEEP:
    case KEEPER_PICK:
    case KEEPER_DIGEST:
    case KEEPER_FETCHBACK:
    case KEEPER_STORE:
        break;
    }
    must(w->waiting_count < WAITING_MAX);
    for (size_t i = 0; i < w->waiting_count; i++)
        must(w->waiting[i].id != out->id);
    w->waiting[w->waiting_count++] =
        (struct waiting){.id = out->id, .kind = out->kind, .out = *out};
}

static void drain(struct world *w)
{
    struct keeper_out out;
    while (keeper_next(w->keeper, &out))
        take(w, &out);
    struct keeper_stats s = keeper_get_stats(w->keeper);
    must(s.promised_bytes <= OFFER);
    must(s.owned + s.held <= OBJECTS_MAX);
    must(s.peers <= PEERS);
    must(s.pulling <= OBJECTS_MAX);
}

static struct bytes make_record(struct world *w, size_t owner, bool is_release)
{
    uint8_t kind = next(w);
    struct object_record record = {
        .network = "fuzz",
        .root = w->roots[next(w) % ROOTS],
        .size_bytes = UINT64_C(1) * next(w) * 100,
        .blocks = BLOCKS,
        .policy = {.copies = is_release ? 0 : 1 + kind % 7,
                   .release_delay_s = (kind & 8) != 0 ? 600 : 0},
        .created_s = w->now.unix_ms / 1000,
        .expires_s = w->now.unix_ms / 1000 + 1 + UINT64_C(300) * next(w),
        .seq = START_MS + ((kind & 16) != 0 ? w->seqs : w->seqs++),
    };
    struct checked_object object;
    must(object_sign(&record, &w->keys[owner], &object) == OK);
    struct wr out = wr_init(w->record[owner], OBJECT_RECORD_BYTES_MAX);
    object_write(&out, &object);
    return (struct bytes){.p = w->record[owner], .len = wr_len(&out)};
}

/* A receipt of each peer but ours for the last record of @owner. */
static void add_receipts(struct world *w, size_t owner, struct bytes record)
{
    struct checked_object object;
    uint8_t which = next(w);
    if (object_open(record, &object) != OK)
        return;
    for (size_t i = 1; i < PEERS; i++) {
        struct storage_receipt receipt = {
            .network = "fuzz",
            .root = object.record.root,
            .stored_s = w->now.unix_ms / 1000,
            .until_s = w->now.unix_ms / 1000 + 3600,
            .seq = w->now.unix_ms,
        };
        struct checked_receipt checked;
        if ((which >> i & 1) == 0 || i == owner)
            continue;
        memcpy(receipt.owner, object.record.owner, OBJECT_OWNER_BYTES);
        memcpy(receipt.record_hash, object.hash, OBJECT_HASH_BYTES);
        must(receipt_sign(&receipt, &w->keys[i], &checked) == OK);
        struct wr out = wr_init(w->receipt[i], RECEIPT_BYTES_MAX);
        receipt_write(&out, &checked);
        w->message.receipts[w->message.receipts_count++] =
            (struct bytes){.p = w->receipt[i], .len = wr_len(&out)};
    }
}

static struct bytes encode(struct world *w)
{
    struct wr out = wr_init(w->bytes, sizeof(w->bytes));
    storage_message_encode(&out, &w->message);
    return (struct bytes){.p = w->bytes, .len = wr_len(&out)};
}

/* What was last signed by @owner, of which the message speaks. */
static void about(struct world *w, size_t owner)
{
    struct pubkey key = privkey_public(&w->keys[owner]);
    w->message.root = w->roots[next(w) % ROOTS];
    memcpy(w->message.owner, key.data.p, OBJECT_OWNER_BYTES);
}

static void fill_lists(struct world *w, size_t from)
{
    struct storage_message *m = &w->message;
    m->holder = w->ids[next(w) % PEERS];
    m->cids_count = 1;
    m->cids[0] = w->roots[next(w) % ROOTS];
    m->items_count = 1 + next(w) % 3;
    for (size_t i = 0; i < m->items_count; i++) {
        m->items[i].root = w->roots[next(w) % ROOTS];
        m->items[i].cid = m->items[i].root;
    }
    m->at_s = w->now.unix_ms / 1000;
    storage_mine_sign(&w->keys[from], &w->ids[from], &w->ids[0], m->at_s,
                      m->sig);
}

static void serve(struct world *w, size_t from)
{
    static const enum storage_message_type types[] = {
        STORAGE_OFFER,     STORAGE_HANDOVER, STORAGE_RELEASE, STORAGE_RECEIPT,
        STORAGE_STATUS,    STORAGE_HOLDERS,  STORAGE_NOTICE,  STORAGE_AUDIT,
        STORAGE_FETCHBACK, STORAGE_MINE,     STORAGE_ABOUT};
    struct storage_message *m = &w->message;
    uint64_t id = 0;
    memset(m, 0, sizeof(*m));
    size_t owner = next(w) % PEERS;
    m->type = types[next(w) % (sizeof(types) / sizeof(types[0]))];
    about(w, owner);
    fill_lists(w, from);
    m->record = make_record(w, owner, m->type == STORAGE_RELEASE);
    add_receipts(w, owner, m->record);
    if (m->type == STORAGE_RECEIPT && m->receipts_count == 0)
        return;
    if (keeper_serve(w->keeper, &w->ids[from], encode(w), w->now, &id) != OK)
        return;
    must(w->asked_count < WAITING_MAX);
    w->asked[w->asked_count++] = id;
}

static void serve_raw(struct world *w, size_t from)
{
    uint64_t id = 0;
    size_t len = next(w) < w->left ? next(w) : w->left;
    if (len > w->left)
        len = w->left;
    struct bytes in = {.p = w->data, .len = len};
    w->data += len;
    w->left -= len;
    if (keeper_serve(w->keeper, &w->ids[from], in, w->now, &id) == OK)
        w->asked[w->asked_count++] = id;
}

static enum storage_message_type fitting(enum storage_message_type request)
{
    for (unsigned t = 0; t < STORAGE_UNKNOWN; t++) {
        enum storage_message_type type = (enum storage_message_type)t;
        if (type != STORAGE_REFUSE && storage_answers(request, type))
            return type;
    }
    return STORAGE_REFUSE;
}

/* An answer to the request @out, which fits it most of the time. */
static void reply(struct world *w, const struct keeper_out *out)
{
    static const enum storage_message_type types[] = {
        STORAGE_OK,      STORAGE_REFUSE,  STORAGE_ACCEPT,  STORAGE_STATE,
        STORAGE_DIGESTS, STORAGE_FETCHED, STORAGE_RECORDS, STORAGE_OBJECTS};
    struct storage_message *m = &w->message;
    must(!peer_id_eq(&out->peer, &w->ids[0]));
    must(storage_message_decode(buf_bytes(out->data), &w->sent) == OK);
    memset(m, 0, sizeof(*m));
    uint8_t which = next(w);
    m->type = which < 64 ? types[which % (sizeof(types) / sizeof(types[0]))]
                         : fitting(w->sent.type);
    m->root = w->sent.root;
    m->reason = (enum storage_reason)(next(w) % (STORAGE_REASON_OTHER + 1));
    m->state = (enum storage_state)(next(w) % (STORAGE_STATE_OWNED + 1));
    m->result = (enum storage_result)(next(w) % (STORAGE_FETCH_SLOW + 1));
    m->size_bytes = m->blocks = next(w);
    m->digests_count = w->sent.items_count > 0 ? w->sent.items_count : 1;
    for (size_t i = 0; i < m->digests_count; i++)
        m->digests[i].present = (next(w) & 1) != 0;
    size_t owner = next(w) % PEERS;
    struct bytes record = make_record(w, owner, (m->state & 1) != 0);
    add_receipts(w, owner, w->sent.record.len > 0 ? w->sent.record : record);
    if (m->type == STORAGE_ACCEPT && m->receipts_count > 1)
        m->receipts_count = 1;
    if (m->type == STORAGE_REFUSE || m->type == STORAGE_STATE)
        m->record = record;
    if (m->type == STORAGE_RECORDS || m->type == STORAGE_OBJECTS)
        m->records[m->records_count++] = record;
    keeper_on_reply(w->keeper, out->id, encode(w), w->now);
}

static void answer_stored(struct world *w, const struct keeper_out *out,
                          bool is_ok)
{
    if (is_ok)
        store_row(w, out);
    keeper_on_stored(w->keeper, out->id, is_ok ? OK : E_NOSPACE, w->now);
}

/* Answer something that is under way, in any order. */
static void answer(struct world *w, bool is_ok)
{
    if (w->waiting_count == 0)
        return;
    size_t i = next(w) % w->waiting_count;
    struct waiting it = w->waiting[i];
    w->waiting[i] = w->waiting[--w->waiting_count];
    const struct keeper_out *out = &it.out;
    struct cid cids[KEEPER_CIDS_MAX];
    struct audit_digest digests[KEEPER_CIDS_MAX] = {{0}};
    enum err err = is_ok ? OK : E_NOTFOUND;
    for (size_t j = 0; j < KEEPER_CIDS_MAX; j++) {
        cids[j] = w->roots[j % ROOTS];
        digests[j].present = is_ok;
    }
    if (it.kind == KEEPER_SEND && is_ok)
        reply(w, out);
    else if (it.kind == KEEPER_SEND)
        keeper_on_failed(w->keeper, it.id, E_TIMEOUT, w->now);
    else if (it.kind == KEEPER_PULL)
        keeper_on_pulled(w->keeper, it.id, err, out->size_bytes + next(w) % 2,
                         out->blocks, w->now);
    else if (it.kind == KEEPER_KEEP)
        w->kept[find_root(w, &out->root)] |= is_ok;
    else if (it.kind == KEEPER_PICK)
        keeper_on_picked(w->keeper, it.id, err, cids, (size_t)out->blocks,
                         w->now);
    else if (it.kind == KEEPER_DIGEST)
        keeper_on_digests(w->keeper, it.id, digests, out->cids_count, w->now);
    else if (it.kind == KEEPER_FETCHBACK)
        keeper_on_fetched(w->keeper, it.id, err, w->now);
    else
        answer_stored(w, out, is_ok);
    if (it.kind == KEEPER_KEEP)
        keeper_on_kept(w->keeper, it.id, err, w->now);
    keeper_out_release(&it.out);
}

static void set_candidates(struct world *w)
{
    struct placement_candidate c[PEERS] = {{.free_class = 0}};
    uint8_t which = next(w);
    size_t count = 0;
    for (size_t i = 0; i < PEERS; i++) {
        if ((which >> i & 1) == 0)
            continue;
        c[count].peer = w->ids[i];
        c[count].free_class = 10;
        c[count++].quality = 1;
    }
    keeper_set_candidates(w->keeper, c, count, w->now);
}

static void put(struct world *w)
{
    uint8_t how = next(w);
    struct cid root = w->roots[next(w) % ROOTS];
    struct keeper_want want = {.root = root,
                               .size_bytes = UINT64_C(100) * next(w),
                               .blocks = BLOCKS,
                               .copies = how % 8,
                               .release_delay_s = how > 128 ? 100 : 0,
                               .name = BYTES_LIT("name")};
    struct keeper_status s;
    if ((how & 64) != 0)
        (void)keeper_set_copies(w->keeper, &root, how % 9, w->now);
    else
        (void)keeper_put(w->keeper, &want, w->now);
    if (keeper_status(w->keeper, &root, w->now, &s) == OK)
        must(s.holders_count <= PEERS);
}

static void jobs(struct world *w)
{
    uint64_t job = 0;
    struct cid root = w->roots[next(w) % ROOTS];
    switch (next(w) % 4) {
    case 0:
        (void)keeper_verify(w->keeper, &root, w->now, &job);
        break;
    case 1:
        (void)keeper_recover(w->keeper, w->ids, PEERS, w->now, &job);
        break;
    case 2:
        (void)keeper_leave(w->keeper, w->now, &job);
        break;
    default:
        keeper_stay(w->keeper, w->now);
        break;
    }
}

static void let_go(struct world *w)
{
    while (w->waiting_count > 0)
        forget(w, w->waiting_count - 1);
    w->asked_count = 0;
    keeper_free(w->keeper);
    w->keeper = NULL;
}

/* Only what was stored is there again. */
static void start(struct world *w)
{
    memset(w->kept, 0, sizeof(w->kept));
    w->keeper = keeper_new(&w->config, &w->keys[0], &w->rng, w->now);
    for (size_t i = 0; i < w->rows_count; i++) {
        const struct row *row = &w->rows[i];
        must(keeper_load(w->keeper,
                         (struct bytes){.p = row->key, .len = row->key_len},
                         buf_bytes(row->value), w->now) == OK);
    }
    for (size_t i = 0; i < ROOTS; i++)
        w->kept[i] = keeper_kept(w->keeper, &w->roots[i]);
    keeper_start(w->keeper, w->now);
    drain(w);
}

static void pass_time(struct world *w)
{
    uint64_t ms = UINT64_C(1) * next(w) * next(w) * 16;
    w->now.mono = mtime_add_ms(w->now.mono, (uint32_t)ms);
    w->now.unix_ms += ms;
    keeper_on_time(w->keeper, w->now);
}

static void progress(struct world *w)
{
    for (size_t i = 0; i < w->waiting_count; i++) {
        if (w->waiting[i].kind == KEEPER_PULL)
            keeper_on_pull_counted(w->keeper, w->waiting[i].id, next(w),
                                   next(w), w->now);
    }
}

static void op(struct world *w)
{
    uint8_t what = next(w);
    size_t peer = 1 + (what >> 4) % (PEERS - 1);
    switch (what & 15) {
    case 0:
    case 1:
        pass_time(w);
        break;
    case 2:
    case 3:
        serve(w, peer);
        break;
    case 4:
        serve_raw(w, peer);
        break;
    case 5:
    case 6:
    case 7:
        answer(w, true);
        break;
    case 8:
        answer(w, false);
        break;
    case 9:
        keeper_on_peer(w->keeper, &w->ids[peer], (what & 128) == 0, peer % 2,
                       w->now);
        break;
    case 10:
        put(w);
        break;
    case 11:
        jobs(w);
        break;
    case 12:
        set_candidates(w);
        break;
    case 13:
        keeper_on_ban(w->keeper, &w->ids[peer], (what & 128) != 0, w->now);
        break;
    case 14:
        progress(w);
        break;
    default:
        (void)keeper_on_asked(w->keeper, &w->ids[peer], &w->roots[0], w->now);
        if ((what & 128) != 0) {
            let_go(w);
            start(w);
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world *w = mem_zalloc(1, sizeof(*w));
    w->rng.fill = fill;
    w->data = data;
    w->left = len;
    w->config = (struct keeper_config){.network = "fuzz",
                                       .offer_bytes = OFFER,
                                       .grace_ms = 60 * 1000,
                                       .audit_ms = 40 * 1000,
                                       .receipt_ms = 3600 * 1000,
                                       .request_ms = 2000,
                                       .pull_ms = 10000,
                                       .objects_max = OBJECTS_MAX,
                                       .peers_max = PEERS + 1};
    w->now = (struct keeper_now){.mono = {.ns = 1000000}, .unix_ms = START_MS};
    w->seqs = 1;
    for (size_t i = 0; i < PEERS; i++) {
        uint8_t seed[ED25519_SEED_BYTES] = {(uint8_t)i, 1};
        privkey_init_seed(&w->keys[i], seed);
        w->ids[i] = privkey_peer_id(&w->keys[i]);
        w->roots[i] = cid_of(CODEC_RAW, (struct bytes){.p = seed, .len = 1});
    }
    start(w);
    for (int i = 0; i < OPS_MAX && w->left > 0; i++) {
        op(w);
        drain(w);
    }
    let_go(w);
    while (w->rows_count > 0)
        buf_unref(w->rows[--w->rows_count].value);
    for (size_t i = 0; i < PEERS; i++)
        privkey_release(&w->keys[i]);
    mem_free(w);
    return 0;
}
