#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "env/clock.h"
#include "store/store_priv.h"

/*
 * Pins: rows of a table of the node's database.
 *
 *   key    kind (1 byte), CID as version 1, tag
 *   value  format 1 (1 byte), version of the CID that was asked for (1 byte),
 *          created (8 bytes, little-endian unix ms), name
 */
enum { PIN_FORMAT = 1, PIN_VALUE_FIXED = 10 };

_Static_assert(PIN_VALUE_FIXED <= 16, "struct store_pin_op has room for it");

static struct bytes encode_key(const struct store_pin *pin,
                               uint8_t dst[static STORE_PIN_KEY_MAX])
{
    struct wr w = wr_init(dst, STORE_PIN_KEY_MAX);
    struct cid v1 = cid_to_v1(&pin->cid);
    struct bytes out;

    wr_u8(&w, (uint8_t)pin->kind);
    cid_write(&w, &v1);
    wr_bytes(&w, pin->tag);
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    return out;
}

enum err pin_key_decode(struct bytes key, enum store_pin_kind *ret_kind,
                        struct cid *ret_cid, struct bytes *ret_tag)
{
    struct rd r = rd_init(key);
    struct cid cid;
    uint8_t kind = rd_u8(&r);

    cid_read(&r, &cid);
    struct bytes tag = rd_rest(&r);
    if (rd_finish(&r) != OK || tag.len > STORE_PIN_TAG_MAX)
        return E_CORRUPT;
    if (kind != STORE_PIN_RECURSIVE && kind != STORE_PIN_DIRECT &&
        kind != STORE_PIN_OBJECT)
        return E_CORRUPT;
    *ret_kind = (enum store_pin_kind)kind;
    *ret_cid = cid;
    *ret_tag = tag;
    return OK;
}

static enum err decode(struct bytes key, struct bytes value,
                       struct store_pin *ret_pin)
{
    struct store_pin pin;
    struct rd r = rd_init(value);
    uint8_t format = rd_u8(&r);
    uint8_t version = rd_u8(&r);

    pin.created_ms = rd_le64(&r);
    pin.name = rd_rest(&r);
    if (rd_finish(&r) != OK || format != PIN_FORMAT)
        return E_CORRUPT;
    enum err err = pin_key_decode(key, &pin.kind, &pin.cid, &pin.tag);
    if (err != OK)
        return err;
    if (version == 0 && cid_to_v0(&pin.cid, &pin.cid) != OK)
        return E_CORRUPT;
    *ret_pin = pin;
    return OK;
}

static void changed(struct kv_batch *b, enum err err, struct mtime now)
{
    struct store_pin_op *op = container_of(b, struct store_pin_op, batch);
    struct store *s = op->store;

    s->collector.pins_busy--;
    /* An index that fails stops the collector; the pin itself is there. */
    if (err == OK && collector_root(s, op->change.key) != OK)
        s->collector.halted = true;
    op->done(op, err, now);
    store_check_closing(s);
    store_deliver(s, now);
}

static void start(struct store *s, struct store_pin_op *op)
{
    op->store = s;
    op->change.table = s->pins_table;
    op->batch =
        (struct kv_batch){.changes = &op->change, .count = 1, .done = changed};
    list_init(&op->batch.link);
    s->collector.pins_busy++;
    s->pins->write(s->pins, &op->batch);
}

enum err store_pin(struct store *s, struct store_pin_op *op,
                   const struct store_pin *pin)
{
    assert(!s->closed);
    assert(!s->config.only_reads);

    if (pin->tag.len > STORE_PIN_TAG_MAX || pin->name.len > STORE_PIN_NAME_MAX)
        return E_LIMIT;
    struct wr w = wr_init(op->value, sizeof(op->value));
    wr_u8(&w, PIN_FORMAT);
    wr_u8(&w, pin->cid.version);
    wr_le64(&w, s->clock->unix_ms(s->clock));
    wr_bytes(&w, pin->name);
    op->change = (struct kv_change){.key = encode_key(pin, op->key)};
    enum err err = wr_finish(&w, &op->change.value);
    assert(err == OK);
    start(s, op);
    return OK;
}

enum err store_unpin(struct store *s, struct store_pin_op *op,
                     const struct store_pin *pin)
{
    assert(!s->closed);
    assert(!s->config.only_reads);

    struct bytes value;
    if (pin->tag.len > STORE_PIN_TAG_MAX)
        return E_NOTFOUND;
    struct bytes key = encode_key(pin, op->key);
    enum err err = s->pins->get(s->pins, s->pins_table, key, &value);
    if (err != OK)
        return err;
    op->change = (struct kv_change){.key = key, .remove = true};
    start(s, op);
    return OK;
}

enum err store_pin_get(struct store *s, struct store_pin *pin)
{
    uint8_t room[STORE_PIN_KEY_MAX];
    struct store_pin found;
    struct bytes value;

    if (pin->tag.len > STORE_PIN_TAG_MAX)
        return E_NOTFOUND;
    struct bytes key = encode_key(pin, room);
    enum err err = s->pins->get(s->pins, s->pins_table, key, &value);
    if (err == OK)
        err = decode(key, value, &found);
    if (err != OK)
        return err;
    pin->cid = found.cid;
    pin->name = found.name;
    pin->created_ms = found.created_ms;
    return OK;
}

enum err store_pin_next(struct store *s, struct store_cursor *cursor,
                        struct store_pin *ret_pin)
{
    struct bytes at = {cursor->key, cursor->len};
    struct bytes key;
    struct bytes value;
    enum err err =
        s->pins->next(s->pins, s->pins_table, at, false, &key, &value);

    if (err != OK)
        return err;
    if (key.len > sizeof(cursor->key))
        return E_CORRUPT;
    memcpy(cursor->key, key.p, key.len);
    cursor->len = key.len;
    return decode(key, value, ret_pin);
}
