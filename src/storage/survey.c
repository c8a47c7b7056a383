#include "storage/survey.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "multiformats/key.h"
#include "storage/keeper.h"
#include "storage/message.h"
#include "storage/receipt.h"
#include "storage/record.h"

/*
 * Invariants:
 * 1. Every record and receipt here verifies, is of our network and our root,
 *    and is neither expired nor from the future at the time when it came.
 * 2. A copy is of a holder that is not the owner; each holder once an object.
 * 3. What one peer can fill has a limit below that of all, and a holder that
 *    shows its own receipt finds room: nobody can hide what others say.
 * 4. is_shown is set by the holder's own answer, is_denied by its lack; a copy
 *    that was denied stays so, whoever shows a receipt of it later.
 */

/* One holder, as its newest receipt says. */
struct copy {
    struct checked_receipt checked;
    bool is_shown;  /* by itself */
    bool is_denied; /* it told all, and not this */
};

/* What one owner wants. */
struct object {
    struct checked_object contract; /* the newest */
    struct peer_id owner;
    struct peer_id teller; /* who named it first */
    bool from_owner;       /* its owner told of it */
    uint8_t hashes[SURVEY_HASHES_MAX][OBJECT_HASH_BYTES];
    size_t hashes_count;
    struct copy copies[SURVEY_COPIES_MAX];
    size_t copies_count;
};

struct survey {
    char network[OBJECT_NETWORK_MAX + 1];
    struct cid root;
    struct storage_message message; /* being read; 20 KiB */
    struct object *objects[SURVEY_OWNERS_MAX];
    size_t objects_count;
    struct peer_id names[SURVEY_NAMES_MAX];
    size_t names_count;
};

struct survey *survey_new(const char *network, const struct cid *root)
{
    struct survey *s = mem_zalloc(1, sizeof(*s));
    size_t len = strlen(network);

    assert(len < sizeof(s->network));
    assert(object_root_check(root) == OK);
    memcpy(s->network, network, len);
    s->root = *root;
    return s;
}

void survey_free(struct survey *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->objects_count; i++)
        mem_free(s->objects[i]);
    mem_free(s);
}

void survey_ask(const struct survey *s, const struct survey_page *page,
                struct wr *w)
{
    struct storage_message *m = mem_zalloc(1, sizeof(*m));

    m->type = STORAGE_ABOUT;
    m->root = s->root;
    m->cursor = (struct bytes){page->cursor, page->len};
    storage_message_encode(w, m);
    mem_free(m);
}

/* Names. */

/* Those of one peer have a limit: it could hide the true ones. */
static void add_name(struct survey *s, const struct peer_id *peer, size_t *left)
{
    for (size_t i = 0; i < s->names_count; i++) {
        if (peer_id_eq(&s->names[i], peer))
            return;
    }
    if (*left == 0 || s->names_count == SURVEY_NAMES_MAX)
        return;
    (*left)--;
    s->names[s->names_count++] = *peer;
}

const struct peer_id *survey_names(const struct survey *s, size_t *ret_count)
{
    *ret_count = s->names_count;
    return s->names;
}

/* Records. */

static struct object *object_of(struct survey *s,
                                const uint8_t owner[static OBJECT_OWNER_BYTES])
{
    for (size_t i = 0; i < s->objects_count; i++) {
        struct object *o = s->objects[i];
        if (memcmp(o->contract.record.owner, owner, OBJECT_OWNER_BYTES) == 0)
            return o;
    }
    return NULL;
}

static bool is_of_seen_record(const struct object *o,
                              const struct storage_receipt *receipt)
{
    for (size_t i = 0; i < o->hashes_count; i++) {
        if (memcmp(o->hashes[i], receipt->record_hash, OBJECT_HASH_BYTES) == 0)
            return true;
    }
    return false;
}

static void note_hash(struct object *o, const struct checked_object *contract)
{
    for (size_t i = 0; i < o->hashes_count; i++) {
        if (memcmp(o->hashes[i], contract->hash, OBJECT_HASH_BYTES) == 0)
            return;
    }
    if (o->hashes_count == SURVEY_HASHES_MAX)
        o->hashes_count--; /* the newest one counts */
    memcpy(o->hashes[o->hashes_count++], contract->hash, OBJECT_HASH_BYTES);
}

static struct object *add_object(struct survey *s, const struct peer_id *from,
                                 const struct checked_object *contract)
{
    struct pubkey key = {.type = KEY_ED25519,
                         .data = {contract->record.owner, OBJECT_OWNER_BYTES}};
    size_t told = 0;

    for (size_t i = 0; i < s->objects_count; i++)
        told += peer_id_eq(&s->objects[i]->teller, from);
    if (s->objects_count == SURVEY_OWNERS_MAX || told >= SURVEY_OWNERS_EACH)
        return NULL;
    struct object *o = mem_zalloc(1, sizeof(*o));
    o->owner = peer_id_of_pubkey(&key);
    o->teller = *from;
    o->contract = *contract;
    s->objects[s->objects_count++] = o;
    return o;
}

/* Return: false when it is forged, or about something else. */
static bool take_record(struct survey *s, const struct peer_id *from,
                        struct bytes encoded, uint64_t now_ms)
{
    struct checked_object contract;
    const struct object_record *record = &contract.record;

    if (object_open(encoded, &contract) != OK ||
        !cid_eq(&record->root, &s->root))
        return false;
    if (object_check(&contract, s->network, now_ms) != OBJECT_FINE)
        return true; /* clocks differ, and what is kept may end */
    struct object *o = object_of(s, record->owner);
    if (o == NULL)
        o = add_object(s, from, &contract);
    if (o == NULL)
        return true;
    if (object_supersedes(&contract, &o->contract))
        o->contract = contract;
    o->from_owner |= peer_id_eq(from, &o->owner);
    note_hash(o, &contract);
    return true;
}

/* Receipts. */

static struct copy *copy_of(struct object *o, const struct peer_id *holder)
{
    for (size_t i = 0; i < o->copies_count; i++) {
        if (peer_id_eq(&o->copies[i].checked.receipt.holder, holder))
            return &o->copies[i];
    }
    return NULL;
}

/* Where there is no room, a holder's own word takes that of another's. */
static struct copy *add_copy(struct object *o, bool is_own)
{
    if (o->copies_count < SURVEY_COPIES_MAX)
        return &o->copies[o->copies_count++];
    for (size_t i = 0; is_own && i < o->copies_count; i++) {
        if (!o->copies[i].is_shown)
            return &o->copies[i];
    }
    return NULL;
}

static void put_receipt(struct object *o, const struct peer_id *from,
                        const struct checked_receipt *checked)
{
    const struct peer_id *holder = &checked->receipt.holder;
    struct copy *c = copy_of(o, holder);

    if (c == NULL) {
        c = add_copy(o, peer_id_eq(from, holder));
        if (c == NULL)
            return;
        *c = (struct copy){.checked = *checked};
    } else if (receipt_replaces(checked, &c->checked)) {
        c->checked = *checked;
    }
    c->is_shown |= peer_id_eq(from, holder);
}

/* Return: false when it is forged, or about something else. */
static bool take_receipt(struct survey *s, const struct peer_id *from,
                         struct bytes encoded, uint64_t now_ms)
{
    struct checked_receipt checked;
    const struct storage_receipt *receipt = &checked.receipt;

    if (receipt_open(encoded, &checked) != OK ||
        !cid_eq(&receipt->root, &s->root))
        return false;
    struct object *o = object_of(s, receipt->owner);
    /* An owner's own blocks are no copy. */
    if (o != NULL && !peer_id_eq(&receipt->holder, &o->owner) &&
        receipt_check(&checked, s->network, now_ms) == OBJECT_FINE)
        put_receipt(o, from, &checked);
    return true;
}

static void note_names(struct survey *s)
{
    size_t left = SURVEY_NAMES_EACH;
    struct storage_receipt receipt;
    struct object *o = NULL;

    for (size_t i = 0; i < s->message.receipts_count; i++) {
        if (receipt_decode(s->message.receipts[i], &receipt) != OK)
            continue;
        o = object_of(s, receipt.owner);
        /* Only of what was taken: the signature was good. */
        if (o != NULL && copy_of(o, &receipt.holder) != NULL)
            add_name(s, &receipt.holder, &left);
    }
    for (size_t i = 0; i < s->objects_count; i++)
        add_name(s, &s->objects[i]->owner, &left);
}

enum err survey_take(struct survey *s, const struct peer_id *from,
                     struct bytes message, uint64_t now_ms,
                     struct survey_page *ret_next)
{
    struct storage_message *m = &s->message;
    bool is_good = true;
    enum err err = storage_message_decode(message, m);

    if (err == OK && !storage_answers(STORAGE_ABOUT, m->type))
        err = E_MALFORMED;
    if (err != OK)
        return err;
    if (m->type == STORAGE_REFUSE)
        return E_REFUSED;
    for (size_t i = 0; i < m->records_count; i++)
        is_good &= take_record(s, from, m->records[i], now_ms);
    for (size_t i = 0; i < m->receipts_count; i++)
        is_good &= take_receipt(s, from, m->receipts[i], now_ms);
    note_names(s);
    _Static_assert((size_t)STORAGE_CURSOR_MAX <= SURVEY_CURSOR_MAX,
                   "cursors fit");
    ret_next->len = m->cursor.len;
    if (m->cursor.len > 0)
        memcpy(ret_next->cursor, m->cursor.p, m->cursor.len);
    return is_good ? OK : E_MISMATCH;
}

void survey_told_all(struct survey *s, const struct peer_id *from)
{
    for (size_t i = 0; i < s->objects_count; i++) {
        struct copy *c = copy_of(s->objects[i], from);
        if (c != NULL && !c->is_shown)
            c->is_denied = true;
    }
}

/* What came of it. */

/* A receipt for a record that nobody showed may be a very old one. */
static bool is_listed(const struct object *o, const struct copy *c)
{
    return !c->is_denied && is_of_seen_record(o, &c->checked.receipt);
}

static uint32_t count_copies(const struct object *o, bool with_silent)
{
    uint32_t count = 0;

    for (size_t i = 0; i < o->copies_count; i++) {
        const struct copy *c = &o->copies[i];
        count += is_listed(o, c) && (c->is_shown || with_silent);
    }
    return count;
}

static bool is_released(const struct object *o)
{
    return object_is_release(&o->contract.record);
}

static bool is_object(const struct object *o)
{
    return !is_released(o) || count_copies(o, true) > 0;
}

size_t survey_count(const struct survey *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->objects_count; i++)
        count += is_object(s->objects[i]);
    return count;
}

bool survey_is_released(const struct survey *s)
{
    return s->objects_count > 0 && survey_count(s) == 0;
}

bool survey_is_whole(const struct survey *s)
{
    for (size_t i = 0; i < s->objects_count; i++) {
        const struct object *o = s->objects[i];
        if (count_copies(o, false) < o->contract.record.policy.copies)
            return false;
    }
    return survey_count(s) > 0;
}

/* Whether @a is told before @b: more copies, then the older one. */
static bool is_before(const struct object *a, const struct object *b)
{
    uint32_t copies = count_copies(a, false);
    uint32_t others = count_copies(b, false);

    if (copies != others)
        return copies > others;
    if (a->contract.record.created_s != b->contract.record.created_s)
        return a->contract.record.created_s < b->contract.record.created_s;
    return memcmp(a->contract.record.owner, b->contract.record.owner,
                  OBJECT_OWNER_BYTES) < 0;
}

static const struct object *object_at(const struct survey *s, size_t index)
{
    for (size_t i = 0; i < s->objects_count; i++) {
        size_t before = 0;
        if (!is_object(s->objects[i]))
            continue;
        for (size_t j = 0; j < s->objects_count; j++)
            before += is_object(s->objects[j]) &&
                      is_before(s->objects[j], s->objects[i]);
        if (before == index)
            return s->objects[i];
    }
    return NULL;
}

static enum keeper_state state_of(const struct object *o)
{
    uint32_t copies = count_copies(o, false);

    if (is_released(o))
        return KEEPER_RELEASING;
    if (copies >= o->contract.record.policy.copies)
        return KEEPER_STORED;
    if (copies > 0)
        return KEEPER_PARTIAL;
    return o->from_owner ? KEEPER_LOCAL : KEEPER_ANNOUNCED;
}

static void list_holder(const struct copy *c, struct keeper_status *status)
{
    const struct storage_receipt *r = &c->checked.receipt;

    _Static_assert((size_t)SURVEY_COPIES_MAX <= KEEPER_HOLDERS_MAX,
                   "holders fit");
    status->holders[status->holders_count++] = (struct keeper_holder_status){
        .peer = r->holder,
        .state = c->is_shown ? KEEPER_HOLDER_STORED : KEEPER_HOLDER_SILENT,
        .since_ms = UINT64_C(1000) * r->stored_s,
        .until_ms = UINT64_C(1000) * r->until_s,
    };
}

void survey_status(const struct survey *s, size_t index,
                   struct keeper_status *ret_status)
{
    const struct object *o = object_at(s, index);

    assert(o != NULL);
    const struct object_record *record = &o->contract.record;
    memset(ret_status, 0, sizeof(*ret_status));
    ret_status->root = s->root;
    ret_status->owner = o->owner;
    ret_status->state = state_of(o);
    ret_status->copies_wanted = record->policy.copies;
    ret_status->copies_stored = count_copies(o, false);
    ret_status->size_bytes = record->size_bytes;
    ret_status->blocks = record->blocks;
    ret_status->created_ms = UINT64_C(1000) * record->created_s;
    ret_status->expires_ms = UINT64_C(1000) * record->expires_s;
    ret_status->seq = record->seq;
    ret_status->release_delay_s = record->policy.release_delay_s;
    ret_status->name_len = record->name_len;
    memcpy(ret_status->name, record->name, record->name_len);
    for (size_t i = 0; i < o->copies_count; i++) {
        if (is_listed(o, &o->copies[i]))
            list_holder(&o->copies[i], ret_status);
    }
}
