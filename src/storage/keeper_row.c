#include <assert.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "crypto/sha256.h"
#include "storage/keeper_priv.h"

/*
 * An object as a row of node.db, table "objects".
 *
 *   key: object_id_hash()
 *   value: version (1), role (1), phase (1), flags (1), group (8), where
 *   there was a record before: has_previous (1), copies (1), delay_s (4),
 *   expires_s (8), until_s (8), latest_s (8), hashes of the last ones (3 x 32);
 *   where the pull found another size than the record says: that size (8);
 *   record (uvarint length, bytes), copies (uvarint count), each: peer (uvarint
 *   length, bytes), state (1), flags (1), since_s (4), verified_s (4), and with
 *   a receipt which record it names (1), stored_s (4), until_s (4), seq (8),
 *   and, but for our own, signature (64).
 *
 * Numbers are big-endian.  Copies that are only offered, and those that
 * failed, are not written: who starts anew asks anew.
 */

enum {
    ROW_VERSION = 2,
    ROW_WAS_FULL = 1,
    ROW_HAS_PAST = 2,
    ROW_IS_FIXED = 4,
    ROW_HAS_SIZE = 8,
    ROW_FLAGS = 15,
    COPY_HAS_RECEIPT = 1,
    COPY_IS_HEARSAY = 2,
    COPY_FLAGS = 3,
};

void keeper_row_change(struct keeper *k, struct keeper_object *o)
{
    keeper_work(o)->row_generation++;
    keeper_touch(k, o);
}

static bool is_written(const struct keeper_copy *c)
{
    switch (c->state) {
    case KEEPER_HOLDER_PULLING:
    case KEEPER_HOLDER_STORED:
    case KEEPER_HOLDER_VERIFIED:
    case KEEPER_HOLDER_SILENT:
    case KEEPER_HOLDER_GONE:
        return !c->is_owner;
    case KEEPER_HOLDER_OFFERED:
    case KEEPER_HOLDER_FAILED:
        return false;
    }
    return false;
}

static void write_copy(const struct keeper *k, struct wr *w,
                       const struct keeper_copy *c)
{
    struct bytes peer = peer_id_bytes(&c->peer->id);
    wr_uvarint(w, peer.len);
    wr_bytes(w, peer);
    wr_u8(w, (uint8_t)c->state);
    wr_u8(w, (uint8_t)((c->has_receipt ? COPY_HAS_RECEIPT : 0) |
                       (c->hearsay ? COPY_IS_HEARSAY : 0)));
    wr_be32(w, c->since_s);
    wr_be32(w, c->verified_s);
    if (!c->has_receipt)
        return;
    wr_u8(w, c->hash_index);
    wr_be32(w, c->stored_s);
    wr_be32(w, c->until_s);
    wr_be64(w, c->seq);
    if (c->peer != k->self)
        wr_bytes(w,
                 (struct bytes){.p = keeper_sig(c), .len = ED25519_SIG_BYTES});
}

/* Whether its size is another than the record says. */
static bool has_other_size(const struct keeper_object *o)
{
    return o->is_measured && o->held_bytes != o->size_bytes;
}

static void write_past(struct wr *w, const struct keeper_past *p)
{
    wr_u8(w, p->has_previous);
    wr_u8(w, p->copies);
    wr_be32(w, p->delay_s);
    wr_be64(w, p->expires_s);
    wr_be64(w, p->until_s);
    wr_be64(w, p->latest_s);
    wr_bytes(w, (struct bytes){.p = p->hashes[0], .len = sizeof(p->hashes)});
}

static struct buf *make_value(struct keeper *k, const struct keeper_object *o)
{
    struct wr w = wr_init(k->scratch, STORAGE_MESSAGE_BYTES_MAX);
    wr_u8(&w, ROW_VERSION);
    wr_u8(&w, (uint8_t)o->role);
    wr_u8(&w, (uint8_t)o->phase);
    wr_u8(&w, (uint8_t)((o->was_full ? ROW_WAS_FULL : 0) |
                        (o->past != NULL ? ROW_HAS_PAST : 0) |
                        (o->is_fixed ? ROW_IS_FIXED : 0) |
                        (has_other_size(o) ? ROW_HAS_SIZE : 0)));
    wr_be64(&w, keeper_owner_peer(k, o)->owned_group);
    if (o->past != NULL)
        write_past(&w, o->past);
    if (has_other_size(o))
        wr_be64(&w, o->held_bytes);
    uint8_t record[OBJECT_RECORD_BYTES_MAX];
    struct wr rw = wr_init(record, sizeof(record));
    object_write(&rw, keeper_contract(k, o));
    wr_uvarint(&w, wr_len(&rw));
    wr_bytes(&w, (struct bytes){.p = record, .len = wr_len(&rw)});
    uint64_t count = 0;
    list_for_each_copy(c, o)
    {
        count += is_written(c);
    }
    wr_uvarint(&w, count);
    list_for_each_copy(c, o)
    {
        if (is_written(c))
            write_copy(k, &w, c);
    }
    struct bytes value;
    enum err err = wr_finish(&w, &value);
    assert(err == OK); /* 34 copies of 300 bytes and a record */
    (void)err;
    return buf_copy(value);
}

static struct keeper_out *emit_store(struct keeper *k, struct keeper_object *o)
{
    struct keeper_task *t = keeper_task_new(k, KEEPER_TASK_STORE, o, NULL);
    t->generation = keeper_work(o)->row_generation;
    struct keeper_out *out = keeper_emit(k, KEEPER_STORE);
    out->id = t->id;
    struct cid root = keeper_root(o);
    object_id_hash(&root, keeper_owner(k, o), out->key);
    out->key_len = OBJECT_HASH_BYTES;
    return out;
}

void keeper_row_remove(struct keeper *k, struct keeper_object *o)
{
    (void)emit_store(k, o); /* without data: it is removed */
}

void keeper_row_check(struct keeper *k, struct keeper_object *o)
{
    struct keeper_work *w = o->work;
    if (w == NULL || w->row_writing || w->row_generation == w->row_written)
        return;
    w->row_writing = true;
    emit_store(k, o)->data = make_value(k, o);
}

static void answer_waiting(struct keeper *k, struct keeper_object *o,
                           enum err err)
{
    list_for_each_safe (link, &keeper_work(o)->tasks) {
        struct keeper_task *t =
            container_of(link, struct keeper_task, of_object);
        if (t->kind != KEEPER_TASK_SERVE_ROW ||
            (err == OK && t->generation > keeper_look(o)->row_written))
            continue;
        uint64_t id = t->began.ns;
        enum storage_message_type type = t->type;
        keeper_task_free(k, t);
        if (err != OK) {
            keeper_refuse(k, id, STORAGE_REASON_SPACE, NULL);
            continue;
        }
        keeper_out_begin(k, type, o);
        if (type == STORAGE_ACCEPT)
            keeper_put_own_receipt(k, o);
        keeper_answer(k, id);
    }
}

void keeper_row_wait(struct keeper *k, struct keeper_object *o, uint64_t id,
                     enum storage_message_type type)
{
    struct keeper_task *t = keeper_task_new(k, KEEPER_TASK_SERVE_ROW, o, NULL);
    t->type = type;
    t->generation = keeper_look(o)->row_generation;
    t->began.ns = id; /* of the request; a task has one time only */
    if (keeper_look(o)->row_written >= keeper_look(o)->row_generation)
        answer_waiting(k, o, OK);
}

/* The disk is full or broken: what was not promised yet is not begun. */
static void row_failed(struct keeper *k, struct keeper_object *o)
{
    bool is_new = keeper_look(o)->row_written == 0;
    answer_waiting(k, o, E_NOSPACE);
    if (is_new && o->role == KEEPER_HOLDER) {
        keeper_object_free(k, o);
        return;
    }
    keeper_wake(k, o, keeper_after(k, k->config.request_ms));
}

void keeper_on_stored(struct keeper *k, uint64_t id, enum err err,
                      struct keeper_now now)
{
    k->now = now;
    struct keeper_task *t = keeper_task_take(k, id, KEEPER_TASK_STORE);
    if (t == NULL)
        return;
    struct keeper_object *o = t->object;
    uint32_t generation = t->generation;
    keeper_task_free(k, t);
    if (o == NULL)
        return;
    keeper_work(o)->row_writing = false;
    if (err != OK) {
        row_failed(k, o);
        keeper_settle(k);
        return;
    }
    keeper_work(o)->row_written = generation;
    o->on_disk = true;
    if (o->role == KEEPER_HOLDER)
        keeper_own_stored(k, o);
    answer_waiting(k, o, OK);
    keeper_touch(k, o);
    keeper_settle(k);
}

static void read_receipt(const struct keeper *k, struct rd *r,
                         struct keeper_copy *c)
{
    c->has_receipt = true;
    c->hash_index = rd_u8(r);
    c->stored_s = rd_be32(r);
    c->until_s = rd_be32(r);
    c->seq = rd_be64(r);
    if (c->hash_index > KEEPER_PAST_HASHES + 1 || c->seq > OBJECT_SEQ_MAX)
        rd_fail(r, E_CORRUPT);
    if (c->peer != k->self)
        rd_copy(r, keeper_sig(c), ED25519_SIG_BYTES, ED25519_SIG_BYTES);
}

static void read_copy(struct keeper *k, struct keeper_object *o, struct rd *r)
{
    struct peer_id id;
    struct bytes peer_bytes = rd_view(r, rd_uvarint(r));
    uint8_t state = rd_u8(r);
    uint8_t flags = rd_u8(r);
    if (peer_id_decode(peer_bytes, &id) != OK || flags > COPY_FLAGS ||
        state > KEEPER_HOLDER_GONE)
        rd_fail(r, E_CORRUPT);
    if (r->err != OK)
        return;
    struct keeper_peer *peer = keeper_peer_get(k, &id);
    struct keeper_copy *c = peer == NULL ? NULL : keeper_copy_find(o, &id);
    if (c == NULL && peer != NULL)
        c = keeper_copy_add(k, o, peer, (enum keeper_holder_state)state);
    if (c == NULL) {
        rd_fail(r, E_LIMIT);
        return;
    }
    c->state = (enum keeper_holder_state)state;
    if (c->state == KEEPER_HOLDER_PULLING && peer != k->self) {
        keeper_work(o)->placing++;
        k->placing_count++;
        c->placed = true;
        c->is_placing = true;
    }
    c->fetched = c->state == KEEPER_HOLDER_VERIFIED;
    c->since_s = rd_be32(r);
    c->verified_s = rd_be32(r);
    c->hearsay = (flags & COPY_IS_HEARSAY) != 0;
    if ((flags & COPY_HAS_RECEIPT) != 0)
        read_receipt(k, r, c);
}

static void read_copies(struct keeper *k, struct keeper_object *o, struct rd *r)
{
    uint64_t count = rd_uvarint(r);
    if (count > KEEPER_HOLDERS_MAX)
        rd_fail(r, E_CORRUPT);
    for (uint64_t i = 0; r->err == OK && i < count; i++)
        read_copy(k, o, r);
}

/* What was under way when we stopped begins again. */
static void resume(struct keeper *k, struct keeper_object *o)
{
    o->on_disk = true;
    o->set_generation = 1;
    if (o->role == KEEPER_OWNER)
        return;
    switch (o->phase) {
    case KEEPER_PHASE_KEEPING:
        o->phase = KEEPER_PHASE_PULLING;
        break;
    case KEEPER_PHASE_HELD:
    case KEEPER_PHASE_RELEASING:
        keeper_count_root(k, o, true);
        o->is_measured = true;
        k->stats.held++;
        k->stats.releasing += o->phase == KEEPER_PHASE_RELEASING;
        break;
    case KEEPER_PHASE_PULLING:
    case KEEPER_PHASE_TOMB:
        break;
    }
    if (o->phase != KEEPER_PHASE_TOMB)
        keeper_promise(k, o, true);
}

/*
 * The record was verified before it was written; 100,000 signatures more would
 * take seconds of the start.
 */
static enum err read_contract(struct rd *r, struct checked_object *ret_contract)
{
    struct bytes encoded = rd_view(r, rd_uvarint(r));
    enum err err = r->err != OK
                       ? r->err
                       : object_record_decode(encoded, &ret_contract->record);
    if (err == OK)
        sha256(encoded, ret_contract->hash);
    return err;
}

static void read_past(struct rd *r, struct keeper_past *p)
{
    uint8_t has_previous = rd_u8(r);
    p->has_previous = has_previous != 0;
    p->copies = rd_u8(r);
    p->delay_s = rd_be32(r);
    p->expires_s = rd_be64(r);
    p->until_s = rd_be64(r);
    p->latest_s = rd_be64(r);
    for (size_t i = 0; i < KEEPER_PAST_HASHES; i++)
        rd_copy(r, p->hashes[i], sizeof(p->hashes[i]), OBJECT_HASH_BYTES);
    if (has_previous > 1 || p->copies > OBJECT_COPIES_MAX ||
        p->delay_s > OBJECT_RELEASE_DELAY_MAX_S ||
        p->expires_s > OBJECT_TIME_MAX_S || p->until_s > OBJECT_TIME_MAX_S ||
        p->latest_s > OBJECT_TIME_MAX_S)
        rd_fail(r, E_CORRUPT);
}

static enum err load(struct keeper *k, struct bytes key, struct bytes value)
{
    struct rd r = rd_init(value);
    if (rd_u8(&r) != ROW_VERSION)
        return E_CORRUPT;
    uint8_t role = rd_u8(&r);
    uint8_t phase = rd_u8(&r);
    uint8_t flags = rd_u8(&r);
    uint64_t group = rd_be64(&r);
    struct keeper_past past = {0};
    if ((flags & ROW_HAS_PAST) != 0)
        read_past(&r, &past);
    bool has_size = (flags & ROW_HAS_SIZE) != 0;
    uint64_t held_bytes = has_size ? rd_be64(&r) : 0;
    struct checked_object contract;
    if (read_contract(&r, &contract) != OK || role > KEEPER_HOLDER ||
        phase > KEEPER_PHASE_TOMB || flags > ROW_FLAGS ||
        held_bytes > OBJECT_SIZE_BYTES_MAX)
        return E_CORRUPT;
    const struct object_record *record = &contract.record;
    if (keeper_object_find(k, &record->root, record->owner) != NULL)
        return E_CORRUPT;
    if (keeper_owner_get(k, record->owner) == NULL)
        return E_LIMIT;
    struct keeper_object *o =
        keeper_object_new(k, (enum keeper_role)role, &contract);
    o->phase = (enum keeper_phase)phase;
    o->was_full = (flags & ROW_WAS_FULL) != 0;
    if ((flags & ROW_HAS_PAST) != 0)
        o->past = mem_dup(&past, sizeof(past));
    if (o->past != NULL)
        o->past->since_s = keeper_unix_s(k);
    o->is_fixed = (flags & ROW_IS_FIXED) != 0;
    o->held_bytes = has_size ? held_bytes : o->size_bytes;
    struct keeper_peer *owner = keeper_owner_peer(k, o);
    if (o->role == KEEPER_HOLDER)
        owner->owned_group = group;
    read_copies(k, o, &r);
    uint8_t name[OBJECT_HASH_BYTES];
    object_id_hash(&record->root, record->owner, name);
    if (rd_finish(&r) != OK ||
        !bytes_eq(key, (struct bytes){.p = name, .len = sizeof(name)})) {
        keeper_object_free(k, o);
        return E_CORRUPT;
    }
    resume(k, o);
    return OK;
}

enum err keeper_load(struct keeper *k, struct bytes key, struct bytes value,
                     struct keeper_now now)
{
    assert(!k->started);
    k->now = now;
    if (k->objects.count >= k->config.objects_max)
        return E_LIMIT;
    return load(k, key, value);
}
