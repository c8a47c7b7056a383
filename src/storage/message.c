#include "storage/message.h"

#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "multiformats/key.h"
#include "storage/fields_priv.h"
#include "storage/parts_priv.h"

static const char mine_domain[] = "xmbl/mine/1";

/* Fields, in the order in which dag-cbor sorts their keys. */
enum field {
    FIELD_AT,
    FIELD_SIG,
    FIELD_CIDS,
    FIELD_ROOT,
    FIELD_ITEMS,
    FIELD_NONCE,
    FIELD_OWNER,
    FIELD_STATE,
    FIELD_BLOCKS,
    FIELD_CURSOR,
    FIELD_HOLDER,
    FIELD_REASON,
    FIELD_RECORD,
    FIELD_RESULT,
    FIELD_DIGESTS,
    FIELD_RECORDS,
    FIELD_RECEIPTS,
    FIELD_SIZE_BYTES,
    FIELDS,
};

static const char *const field_names[FIELDS] = {
    [FIELD_AT] = "at",
    [FIELD_SIG] = "sig",
    [FIELD_CIDS] = "cids",
    [FIELD_ROOT] = "root",
    [FIELD_ITEMS] = "items",
    [FIELD_NONCE] = "nonce",
    [FIELD_OWNER] = "owner",
    [FIELD_STATE] = "state",
    [FIELD_BLOCKS] = "blocks",
    [FIELD_CURSOR] = "cursor",
    [FIELD_HOLDER] = "holder",
    [FIELD_REASON] = "reason",
    [FIELD_RECORD] = "record",
    [FIELD_RESULT] = "result",
    [FIELD_DIGESTS] = "digests",
    [FIELD_RECORDS] = "records",
    [FIELD_RECEIPTS] = "receipts",
    [FIELD_SIZE_BYTES] = "size_bytes",
};

enum {
    AT = 1 << FIELD_AT,
    SIG = 1 << FIELD_SIG,
    CIDS = 1 << FIELD_CIDS,
    ROOT = 1 << FIELD_ROOT,
    ITEMS = 1 << FIELD_ITEMS,
    NONCE = 1 << FIELD_NONCE,
    OWNER = 1 << FIELD_OWNER,
    STATE = 1 << FIELD_STATE,
    BLOCKS = 1 << FIELD_BLOCKS,
    CURSOR = 1 << FIELD_CURSOR,
    HOLDER = 1 << FIELD_HOLDER,
    REASON = 1 << FIELD_REASON,
    RECORD = 1 << FIELD_RECORD,
    RESULT = 1 << FIELD_RESULT,
    DIGESTS = 1 << FIELD_DIGESTS,
    RECORDS = 1 << FIELD_RECORDS,
    RECEIPTS = 1 << FIELD_RECEIPTS,
    SIZE_BYTES = 1 << FIELD_SIZE_BYTES,
};

/* What a message of a type looks like. */
struct shape {
    const char *name;
    uint32_t fields; /* bits of those that it has; record may be optional */
    bool record_optional;
    uint8_t receipts_min;
    uint8_t receipts_max;
    uint8_t records_max;
    enum storage_message_type answer; /* of a request; else UNKNOWN */
};

static const struct shape shapes[STORAGE_TYPES] = {
    [STORAGE_OFFER] = {"offer", RECORD | RECEIPTS, false, 0,
                       STORAGE_RECEIPTS_MAX, 0, STORAGE_ACCEPT},
    [STORAGE_HANDOVER] = {"handover", RECORD | RECEIPTS, false, 0,
                          STORAGE_RECEIPTS_MAX, 0, STORAGE_ACCEPT},
    [STORAGE_RELEASE] = {"release", RECORD, false, 0, 0, 0, STORAGE_OK},
    [STORAGE_RECEIPT] = {"receipt", RECEIPTS, false, 1,
                         STORAGE_RECEIPTS_BATCH_MAX, 0, STORAGE_OK},
    [STORAGE_STATUS] = {"status", ROOT | OWNER, false, 0, 0, 0, STORAGE_STATE},
    [STORAGE_HOLDERS] = {"holders", ROOT | OWNER | RECEIPTS, false, 0,
                         STORAGE_RECEIPTS_MAX, 0, STORAGE_OK},
    [STORAGE_NOTICE] = {"notice", ROOT | OWNER | REASON, false, 0, 0, 0,
                        STORAGE_OK},
    [STORAGE_AUDIT] = {"audit", NONCE | ITEMS, false, 0, 0, 0, STORAGE_DIGESTS},
    [STORAGE_FETCHBACK] = {"fetchback", ROOT | CIDS | HOLDER, false, 0, 0, 0,
                           STORAGE_FETCHED},
    [STORAGE_MINE] = {"mine", AT | SIG | OWNER | CURSOR, false, 0, 0, 0,
                      STORAGE_RECORDS},
    [STORAGE_ABOUT] = {"about", ROOT | CURSOR, false, 0, 0, 0, STORAGE_OBJECTS},
    [STORAGE_OK] = {"ok", 0, false, 0, 0, 0, STORAGE_UNKNOWN},
    [STORAGE_REFUSE] = {"refuse", REASON | RECORD, true, 0, 0, 0,
                        STORAGE_UNKNOWN},
    [STORAGE_ACCEPT] = {"accept", RECEIPTS, false, 0, 1, 0, STORAGE_UNKNOWN},
    [STORAGE_STATE] = {"state", STATE | BLOCKS | SIZE_BYTES | RECORD | RECEIPTS,
                       true, 0, STORAGE_RECEIPTS_MAX, 0, STORAGE_UNKNOWN},
    [STORAGE_DIGESTS] = {"digests", DIGESTS | RECEIPTS, false, 0,
                         STORAGE_RECEIPTS_BATCH_MAX, 0, STORAGE_UNKNOWN},
    [STORAGE_FETCHED] = {"fetched", RESULT, false, 0, 0, 0, STORAGE_UNKNOWN},
    [STORAGE_RECORDS] = {"records", CURSOR | RECORDS, false, 0, 0,
                         STORAGE_RECORDS_MAX, STORAGE_UNKNOWN},
    [STORAGE_OBJECTS] = {"objects", CURSOR | RECORDS | RECEIPTS, false, 0,
                         STORAGE_RECEIPTS_BATCH_MAX, STORAGE_OWNERS_MAX,
                         STORAGE_UNKNOWN},
};

enum {
    REASONS = STORAGE_REASON_RELEASED + 1,
    STATES = STORAGE_STATE_OWNED + 1,
    RESULTS = STORAGE_FETCH_SLOW + 1,
};

static const char *const reason_names[REASONS] = {
    [STORAGE_REASON_OTHER] = "other",
    [STORAGE_REASON_SPACE] = "space",
    [STORAGE_REASON_QUOTA] = "quota",
    [STORAGE_REASON_POLICY] = "policy",
    [STORAGE_REASON_PRICE] = "price",
    [STORAGE_REASON_BANNED] = "banned",
    [STORAGE_REASON_SIZE] = "size",
    [STORAGE_REASON_NETWORK] = "network",
    [STORAGE_REASON_EXPIRED] = "expired",
    [STORAGE_REASON_BUSY] = "busy",
    [STORAGE_REASON_INVALID] = "invalid",
    [STORAGE_REASON_STALE] = "stale",
    [STORAGE_REASON_FUTURE] = "future",
    [STORAGE_REASON_UNSUPPORTED] = "unsupported",
    [STORAGE_REASON_UNKNOWN] = "unknown",
    [STORAGE_REASON_SOURCES] = "sources",
    [STORAGE_REASON_SURPLUS] = "surplus",
    [STORAGE_REASON_LEAVING] = "leaving",
    [STORAGE_REASON_RELEASED] = "released",
};

static const char *const state_names[STATES] = {
    [STORAGE_STATE_NONE] = "none",   [STORAGE_STATE_PULLING] = "pulling",
    [STORAGE_STATE_KEPT] = "kept",   [STORAGE_STATE_RELEASED] = "released",
    [STORAGE_STATE_OWNED] = "owned",
};

static const char *const result_names[RESULTS] = {
    [STORAGE_FETCH_OK] = "ok",
    [STORAGE_FETCH_MISSING] = "missing",
    [STORAGE_FETCH_UNREACHABLE] = "unreachable",
    [STORAGE_FETCH_WRONG] = "wrong",
    [STORAGE_FETCH_SLOW] = "slow",
};

const char *storage_reason_name(enum storage_reason reason)
{
    assert((unsigned)reason < REASONS);
    return reason_names[reason];
}

static const char *result_name(enum storage_result result)
{
    assert((unsigned)result < RESULTS);
    return result_names[result];
}

const char *storage_message_name(enum storage_message_type type)
{
    return type == STORAGE_UNKNOWN ? "unknown" : shapes[type].name;
}

enum storage_reason storage_reason_of_fault(enum object_fault fault)
{
    switch (fault) {
    case OBJECT_OTHER_NETWORK:
        return STORAGE_REASON_NETWORK;
    case OBJECT_FROM_FUTURE:
        return STORAGE_REASON_FUTURE;
    case OBJECT_EXPIRED:
        return STORAGE_REASON_EXPIRED;
    case OBJECT_ERASURE:
        return STORAGE_REASON_UNSUPPORTED;
    case OBJECT_FINE:
        break;
    }
    return STORAGE_REASON_OTHER;
}

bool storage_is_request(enum storage_message_type type)
{
    return type == STORAGE_UNKNOWN || shapes[type].answer != STORAGE_UNKNOWN;
}

bool storage_answers(enum storage_message_type request,
                     enum storage_message_type answer)
{
    if (answer == STORAGE_UNKNOWN || !storage_is_request(request))
        return false;
    return answer == STORAGE_REFUSE ||
           (request != STORAGE_UNKNOWN && shapes[request].answer == answer);
}

static void put_views(struct wr *w, const struct bytes *views, size_t count)
{
    cbor_put_list(w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_bytes(w, views[i]);
}

static void put_root(struct wr *w, const struct cid *root)
{
    assert(object_root_check(root) == OK);
    cbor_put_link(w, root);
}

static void put_items(struct wr *w, const struct storage_message *m)
{
    assert(m->items_count > 0);
    assert(m->items_count <= STORAGE_AUDIT_ITEMS_MAX);
    cbor_put_list(w, m->items_count);
    for (size_t i = 0; i < m->items_count; i++) {
        cbor_put_list(w, 2);
        put_root(w, &m->items[i].root);
        cbor_put_link(w, &m->items[i].cid);
    }
}

static void put_digests(struct wr *w, const struct storage_message *m)
{
    assert(m->digests_count > 0);
    assert(m->digests_count <= STORAGE_AUDIT_ITEMS_MAX);
    cbor_put_list(w, m->digests_count);
    for (size_t i = 0; i < m->digests_count; i++) {
        const struct audit_digest *d = &m->digests[i];
        if (d->present)
            cbor_put_bytes(w, (struct bytes){d->bytes, sizeof(d->bytes)});
        else
            cbor_put_null(w);
    }
}

static void put_cids(struct wr *w, const struct storage_message *m)
{
    assert(m->cids_count > 0);
    assert(m->cids_count <= STORAGE_FETCHBACK_CIDS_MAX);
    cbor_put_list(w, m->cids_count);
    for (size_t i = 0; i < m->cids_count; i++)
        cbor_put_link(w, &m->cids[i]);
}

static void put_value(struct wr *w, const struct storage_message *m,
                      enum field field)
{
    switch (field) {
    case FIELD_AT:
        cbor_put_uint(w, m->at_s);
        break;
    case FIELD_SIG:
        cbor_put_bytes(w, (struct bytes){m->sig, sizeof(m->sig)});
        break;
    case FIELD_CIDS:
        put_cids(w, m);
        break;
    case FIELD_ROOT:
        put_root(w, &m->root);
        break;
    case FIELD_ITEMS:
        put_items(w, m);
        break;
    case FIELD_NONCE:
        cbor_put_bytes(w, (struct bytes){m->nonce, sizeof(m->nonce)});
        break;
    case FIELD_OWNER:
        cbor_put_bytes(w, (struct bytes){m->owner, sizeof(m->owner)});
        break;
    case FIELD_STATE:
        cbor_put_text(w, bytes_str(state_names[m->state]));
        break;
    case FIELD_BLOCKS:
        cbor_put_uint(w, m->blocks);
        break;
    case FIELD_CURSOR:
        assert(m->cursor.len <= STORAGE_CURSOR_MAX);
        cbor_put_bytes(w, m->cursor);
        break;
    case FIELD_HOLDER:
        cbor_put_bytes(w, peer_id_bytes(&m->holder));
        break;
    case FIELD_REASON:
        cbor_put_text(w, bytes_str(storage_reason_name(m->reason)));
        break;
    case FIELD_RECORD:
        cbor_put_bytes(w, m->record);
        break;
    case FIELD_RESULT:
        cbor_put_text(w, bytes_str(result_name(m->result)));
        break;
    case FIELD_DIGESTS:
        put_digests(w, m);
        break;
    case FIELD_RECORDS:
        assert(m->records_count <= shapes[m->type].records_max);
        put_views(w, m->records, m->records_count);
        break;
    case FIELD_RECEIPTS:
        put_views(w, m->receipts, m->receipts_count);
        break;
    case FIELD_SIZE_BYTES:
        cbor_put_uint(w, m->size_bytes);
        break;
    case FIELDS:
        break;
    }
}

static size_t count_bits(uint32_t bits)
{
    size_t count = 0;

    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

void storage_message_encode(struct wr *w, const struct storage_message *message)
{
    assert((unsigned)message->type < STORAGE_TYPES);
    const struct shape *shape = &shapes[message->type];
    uint32_t fields = shape->fields;

    if (shape->record_optional && message->record.len == 0)
        fields &= ~(uint32_t)RECORD;
    assert((fields & RECORD) == 0 || message->record.len > 0);
    assert((fields & RECEIPTS) == 0 ||
           (message->receipts_count >= shape->receipts_min &&
            message->receipts_count <= shape->receipts_max));
    cbor_put_map(w, count_bits(fields) + 1);
    cbor_put_key(w, "t");
    cbor_put_text(w, bytes_str(shape->name));
    for (unsigned i = 0; i < FIELDS; i++) {
        if ((fields >> i & 1) == 0)
            continue;
        cbor_put_key(w, field_names[i]);
        put_value(w, message, (enum field)i);
    }
}

/* Index of a word in @names, or @unknown. */
static unsigned get_word(struct cbor_rd *r, const char *const *names,
                         unsigned count, unsigned unknown)
{
    struct bytes word = field_text(r, STORAGE_WORD_MAX);

    for (unsigned i = 0; i < count; i++) {
        if (bytes_eq(word, bytes_str(names[i])))
            return i;
    }
    return unknown;
}

/* As get_word(), for words of which there will be no others. */
static unsigned get_known_word(struct cbor_rd *r, const char *const *names,
                               unsigned count)
{
    unsigned i = get_word(r, names, count, count);

    if (i < count)
        return i;
    rd_fail(&r->rd, E_MALFORMED);
    return 0;
}

/* A list of @min to @max elements; 0 after a failure. */
static size_t get_count(struct cbor_rd *r, size_t min, size_t max)
{
    size_t count = cbor_get_list(r, max);

    if (r->rd.err == OK && count < min)
        rd_fail(&r->rd, E_MALFORMED);
    return r->rd.err == OK ? count : 0;
}

/* Encoded records or receipts, 1 to @each_max bytes each. */
static struct bytes get_document(struct cbor_rd *r, size_t each_max)
{
    struct bytes in = cbor_get_bytes(r, each_max);

    if (in.len == 0)
        rd_fail(&r->rd, E_MALFORMED);
    return in;
}

static void get_root(struct cbor_rd *r, struct cid *ret_root)
{
    cbor_get_link(r, ret_root);
    if (r->rd.err != OK)
        return;
    enum err err = object_root_check(ret_root);
    if (err != OK)
        rd_fail(&r->rd, err);
}

static size_t get_items(struct cbor_rd *r, struct storage_message *m)
{
    size_t count = get_count(r, 1, STORAGE_AUDIT_ITEMS_MAX);

    for (size_t i = 0; i < count; i++) {
        (void)get_count(r, 2, 2);
        get_root(r, &m->items[i].root);
        cbor_get_link(r, &m->items[i].cid);
        cbor_end(r);
    }
    cbor_end(r);
    return count;
}

static size_t get_digests(struct cbor_rd *r, struct storage_message *m)
{
    size_t count = get_count(r, 1, STORAGE_AUDIT_ITEMS_MAX);

    for (size_t i = 0; i < count; i++) {
        struct audit_digest *d = &m->digests[i];
        d->present = !cbor_try_null(r);
        if (d->present)
            field_exactly(r, d->bytes, sizeof(d->bytes));
    }
    cbor_end(r);
    return count;
}

static size_t get_cids(struct cbor_rd *r, struct storage_message *m)
{
    size_t count = get_count(r, 1, STORAGE_FETCHBACK_CIDS_MAX);

    for (size_t i = 0; i < count; i++)
        cbor_get_link(r, &m->cids[i]);
    cbor_end(r);
    return count;
}

static size_t get_records(struct cbor_rd *r, struct storage_message *m)
{
    size_t count = get_count(r, 0, shapes[m->type].records_max);

    for (size_t i = 0; i < count; i++)
        m->records[i] = get_document(r, OBJECT_RECORD_BYTES_MAX);
    cbor_end(r);
    return count;
}

static size_t get_receipts(struct cbor_rd *r, struct storage_message *m)
{
    const struct shape *shape = &shapes[m->type];
    size_t count = get_count(r, shape->receipts_min, shape->receipts_max);

    for (size_t i = 0; i < count; i++)
        m->receipts[i] = get_document(r, RECEIPT_BYTES_MAX);
    cbor_end(r);
    return count;
}

static void get_value(struct cbor_rd *r, struct storage_message *m,
                      enum field field)
{
    switch (field) {
    case FIELD_AT:
        m->at_s = cbor_get_uint(r, OBJECT_TIME_MAX_S);
        break;
    case FIELD_SIG:
        field_exactly(r, m->sig, sizeof(m->sig));
        break;
    case FIELD_CIDS:
        m->cids_count = get_cids(r, m);
        break;
    case FIELD_ROOT:
        get_root(r, &m->root);
        break;
    case FIELD_ITEMS:
        m->items_count = get_items(r, m);
        break;
    case FIELD_NONCE:
        field_exactly(r, m->nonce, sizeof(m->nonce));
        break;
    case FIELD_OWNER:
        field_exactly(r, m->owner, sizeof(m->owner));
        break;
    case FIELD_STATE:
        m->state = (enum storage_state)get_known_word(r, state_names, STATES);
        break;
    case FIELD_BLOCKS:
        m->blocks = cbor_get_uint(r, OBJECT_BLOCKS_MAX);
        break;
    case FIELD_CURSOR:
        m->cursor = cbor_get_bytes(r, STORAGE_CURSOR_MAX);
        break;
    case FIELD_HOLDER:
        cbor_get_peer(r, &m->holder);
        break;
    case FIELD_REASON:
        m->reason = (enum storage_reason)get_word(r, reason_names, REASONS,
                                                  STORAGE_REASON_OTHER);
        break;
    case FIELD_RECORD:
        m->record = get_document(r, OBJECT_RECORD_BYTES_MAX);
        break;
    case FIELD_RESULT:
        m->result =
            (enum storage_result)get_known_word(r, result_names, RESULTS);
        break;
    case FIELD_DIGESTS:
        m->digests_count = get_digests(r, m);
        break;
    case FIELD_RECORDS:
        m->records_count = get_records(r, m);
        break;
    case FIELD_RECEIPTS:
        m->receipts_count = get_receipts(r, m);
        break;
    case FIELD_SIZE_BYTES:
        m->size_bytes = cbor_get_uint(r, OBJECT_SIZE_BYTES_MAX);
        break;
    case FIELDS:
        break;
    }
}

static enum storage_message_type get_type(struct cbor_rd *r)
{
    cbor_get_key(r, "t");
    struct bytes word = field_text(r, STORAGE_WORD_MAX);
    for (unsigned i = 0; i < STORAGE_TYPES; i++) {
        if (bytes_eq(word, bytes_str(shapes[i].name)))
            return (enum storage_message_type)i;
    }
    return STORAGE_UNKNOWN;
}

static void get_fields(struct cbor_rd *r, struct storage_message *m)
{
    const struct shape *shape = &shapes[m->type];

    for (unsigned i = 0; i < FIELDS; i++) {
        bool is_optional = i == FIELD_RECORD && shape->record_optional;
        if ((shape->fields >> i & 1) == 0)
            continue;
        if (!is_optional)
            cbor_get_key(r, field_names[i]);
        else if (!cbor_try_key(r, field_names[i]))
            continue;
        get_value(r, m, (enum field)i);
    }
}

/* The fields of a message that we do not know: well formed is enough. */
static void skip_pairs(struct cbor_rd *r, size_t left)
{
    for (; left > 0 && r->rd.err == OK; left--) {
        (void)cbor_skip(r); /* the key */
        (void)cbor_skip(r);
    }
}

enum err storage_message_decode(struct bytes in,
                                struct storage_message *ret_message)
{
    struct cbor_rd r;

    if (in.len > STORAGE_MESSAGE_BYTES_MAX)
        return E_LIMIT;
    memset(ret_message, 0, sizeof(*ret_message));
    cbor_rd_init(&r, in, CBOR_STRICT);
    size_t pairs = cbor_get_map(&r, SIZE_MAX);
    ret_message->type = get_type(&r);
    if (ret_message->type == STORAGE_UNKNOWN)
        skip_pairs(&r, pairs > 0 ? pairs - 1 : 0);
    else
        get_fields(&r, ret_message);
    cbor_end(&r);
    return cbor_finish(&r);
}

/* Longest signed statement of a MINE: domain, keys, two peers, a key. */
enum { MINE_BYTES_MAX = 320 };

static struct bytes mine_bytes(const uint8_t *owner,
                               const struct peer_id *asker,
                               const struct peer_id *holder, uint64_t at_s,
                               uint8_t dst[static MINE_BYTES_MAX])
{
    uint8_t body_buf[MINE_BYTES_MAX];
    struct wr body_wr = wr_init(body_buf, sizeof(body_buf));
    struct bytes body;

    cbor_put_map(&body_wr, 4);
    cbor_put_key(&body_wr, "at");
    cbor_put_uint(&body_wr, at_s);
    cbor_put_key(&body_wr, "asker");
    cbor_put_bytes(&body_wr, peer_id_bytes(asker));
    cbor_put_key(&body_wr, "owner");
    cbor_put_bytes(&body_wr, (struct bytes){owner, OBJECT_OWNER_BYTES});
    cbor_put_key(&body_wr, "holder");
    cbor_put_bytes(&body_wr, peer_id_bytes(holder));
    enum err err = wr_finish(&body_wr, &body);
    assert(err == OK); /* peer ids have a limit */
    return parts_signed(bytes_str(mine_domain), body, dst, MINE_BYTES_MAX);
}

void storage_mine_sign(const struct privkey *key, const struct peer_id *asker,
                       const struct peer_id *holder, uint64_t at_s,
                       uint8_t ret_sig[static ED25519_SIG_BYTES])
{
    struct pubkey owner = privkey_public(key);
    uint8_t buf[MINE_BYTES_MAX];

    assert(owner.data.len == OBJECT_OWNER_BYTES);
    privkey_sign(key, mine_bytes(owner.data.p, asker, holder, at_s, buf),
                 ret_sig);
}

enum err storage_mine_check(const struct storage_message *message,
                            const struct peer_id *asker,
                            const struct peer_id *holder, uint64_t now_s)
{
    uint8_t buf[MINE_BYTES_MAX];
    uint64_t at_s = message->at_s;

    assert(message->type == STORAGE_MINE);
    if ((at_s > now_s ? at_s - now_s : now_s - at_s) > OBJECT_SKEW_MAX_S)
        return E_TIMEOUT;
    return ed25519_verify(message->owner,
                          mine_bytes(message->owner, asker, holder, at_s, buf),
                          message->sig);
}
