#include "base/mem.h"
#include "storage/keeper_priv.h"

/*
 * What an older record of an object still says.
 *
 * A record that asks for less protection than what is in force (fewer copies,
 * a shorter delay, a nearer expiry; 0 copies: a release) takes effect after the
 * delay that is in force when it comes.  Until then the more of both counts,
 * the delay too: so a chain of records is no shortcut.
 */

static uint64_t more(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static bool is_waiting(const struct keeper_object *o)
{
    return o->past != NULL && o->past->until_s != 0;
}

uint32_t keeper_kept_copies(const struct keeper_object *o)
{
    uint32_t copies = o->policy.copies;
    return is_waiting(o) && o->past->copies > copies ? o->past->copies : copies;
}

static uint32_t kept_delay_s(const struct keeper_object *o)
{
    uint32_t delay_s = o->policy.release_delay_s;
    return is_waiting(o) && o->past->delay_s > delay_s ? o->past->delay_s
                                                       : delay_s;
}

uint64_t keeper_kept_expires_s(const struct keeper_object *o)
{
    uint64_t expires_s = o->expires_s;
    if (o->past == NULL)
        return expires_s;
    if (o->phase == KEEPER_PHASE_TOMB)
        return more(expires_s, o->past->latest_s);
    return is_waiting(o) ? more(expires_s, o->past->expires_s) : expires_s;
}

static struct keeper_past *past_get(struct keeper_object *o)
{
    if (o->past == NULL)
        o->past = mem_zalloc(1, sizeof(*o->past));
    return o->past;
}

/* Receipts that name the record of now name the one before. */
static void note_previous(struct keeper *k, struct keeper_object *o,
                          struct keeper_past *p)
{
    p->has_previous = !keeper_is_release(o);
    p->since_s = keeper_unix_s(k);
    memmove(p->hashes[1], p->hashes[0],
            (KEEPER_PAST_HASHES - 1) * sizeof(p->hashes[0]));
    memcpy(p->hashes[0], keeper_contract(k, o)->hash, sizeof(p->hashes[0]));
    list_for_each_copy(c, o)
    {
        if (c->has_receipt && c->hash_index <= KEEPER_PAST_HASHES)
            c->hash_index++;
    }
}

uint8_t keeper_hash_index(struct keeper *k, const struct keeper_object *o,
                          const uint8_t hash[static OBJECT_HASH_BYTES])
{
    if (memcmp(hash, keeper_contract(k, o)->hash, OBJECT_HASH_BYTES) == 0)
        return 0;
    bool is_previous = o->past != NULL && o->past->has_previous &&
                       memcmp(hash, o->past->hashes[0], OBJECT_HASH_BYTES) == 0;
    return is_previous ? 1 : KEEPER_PAST_HASHES + 1;
}

const uint8_t *keeper_hash_at(struct keeper *k, const struct keeper_object *o,
                              uint8_t index)
{
    if (index == 0)
        return keeper_contract(k, o)->hash;
    if (o->past == NULL || index > KEEPER_PAST_HASHES)
        return NULL;
    return o->past->hashes[index - 1];
}

void keeper_past_replace(struct keeper *k, struct keeper_object *o,
                         const struct object_record *newer)
{
    uint32_t copies = keeper_kept_copies(o);
    uint32_t delay_s = kept_delay_s(o);
    uint64_t expires_s = keeper_kept_expires_s(o);
    struct keeper_past *p = past_get(o);
    note_previous(k, o, p);
    p->latest_s = more(p->latest_s, o->expires_s);
    bool is_less = newer->policy.copies < copies ||
                   newer->policy.release_delay_s < delay_s ||
                   newer->expires_s < expires_s;
    /* Who releases twice waits once. */
    if (is_less && o->phase == KEEPER_PHASE_RELEASING &&
        object_is_release(newer))
        return;
    p->until_s = is_less && delay_s > 0 ? keeper_unix_s(k) + delay_s : 0;
    p->copies = (uint8_t)copies;
    p->delay_s = delay_s;
    p->expires_s = expires_s;
}

void keeper_past_forget(struct keeper_object *o)
{
    if (o->past == NULL)
        return;
    o->past->latest_s = more(o->past->latest_s, o->expires_s);
    o->past->has_previous = false;
    o->past->until_s = 0;
}

/* Nobody has a receipt for an older record, nor could one count. */
static bool is_over(const struct keeper *k, const struct keeper_object *o)
{
    const struct keeper_past *p = o->past;
    list_for_each_copy(c, o)
    {
        if (c->has_receipt && c->hash_index > 0)
            return false;
    }
    return p->until_s == 0 && p->latest_s <= o->expires_s &&
           p->since_s + RECEIPT_LIFE_MAX_S + OBJECT_SKEW_MAX_S <
               keeper_unix_s(k);
}

bool keeper_past_waits(struct keeper *k, struct keeper_object *o)
{
    if (o->past == NULL)
        return false;
    if (o->past->until_s > keeper_unix_s(k)) {
        keeper_wake_unix(k, o, o->past->until_s);
        return true;
    }
    if (o->past->until_s != 0) {
        o->past->until_s = 0;
        keeper_row_change(k, o);
    }
    if (is_over(k, o)) {
        mem_free(o->past);
        o->past = NULL;
        keeper_row_change(k, o);
    }
    return false;
}
