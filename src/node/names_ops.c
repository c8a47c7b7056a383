/*
 * An op goes through these states, each left by the function named:
 *
 *   READY    on_timer(): told
 *   GETTING  got(): READY; LONELY when there is no peer yet
 *   LONELY   on_timer(): GETTING
 *   LOOKING  looked(): WRITING, with the record that is to be kept; READY
 *            when there is a newer one
 *   WRITING  names_on_written(): PUTTING; READY when it failed
 *   PUTTING  on_put(): READY; at once without a network
 */
#include "kad/values.h"
#include "node/names_priv.h"
#include "node/node.h"

enum {
    AGAIN_MS = 500, /* between questions while there is no peer */
};

/* Ops: the end. */

static void set_timer(struct name_op *op, struct mtime at)
{
    struct clock *clock = op->names->env->clock;

    clock->set(clock, &op->timer, at);
}

static void end(struct name_op *op, enum err err)
{
    dht_cancel(&op->dht);
    op->err = err;
    op->state = NAME_OP_READY;
    set_timer(op, names_now(op->names));
}

/* Take @op apart from @s; its record stays. */
static void leave(struct name_op *op)
{
    set_timer(op, MTIME_NEVER);
    dht_cancel(&op->dht);
    if (op->row != NULL)
        op->row->op = NULL;
    op->row = NULL;
    buf_unref(op->given);
    op->given = NULL;
    list_remove(&op->link);
    op->names = NULL;
    op->state = NAME_OP_IDLE;
}

void name_op_cancel(struct name_op *op)
{
    if (op->names != NULL)
        leave(op);
    buf_unref(op->record);
    op->record = NULL;
}

static void on_timer(struct timer *t, struct mtime now);

static void begin(struct names *s, struct name_op *op,
                  const struct peer_id *name, uint32_t timeout_ms,
                  struct mtime now)
{
    op->names = s;
    op->name = *name;
    op->record = NULL;
    op->given = NULL;
    op->row = NULL;
    op->peers = 0;
    op->err = OK;
    op->is_publish = false;
    op->give_up_at =
        timeout_ms > 0 ? mtime_add_ms(now, timeout_ms) : MTIME_NEVER;
    op->lonely_until =
        mtime_min(op->give_up_at, mtime_add_ms(now, NAMES_LONELY_MS));
    timer_init(&op->timer, on_timer);
    list_add_tail(&s->ops, &op->link);
}

/* Ops: asking the DHT. */

static void on_found(struct dht_op *dht, const struct dht_found *found,
                     struct mtime now)
{
    struct name_op *op = container_of(dht, struct name_op, dht);
    struct buf *record;

    (void)now;
    if (found->value.len == 0 || found->value.len > IPNS_RECORD_MAX)
        return;
    record = buf_copy(found->value);
    if (names_compare(record, op->record) > 0) {
        buf_unref(op->record);
        op->record = buf_ref(record);
    }
    buf_unref(record);
}

static void on_asked(struct dht_op *dht, enum err err, struct mtime now);

static void ask(struct name_op *op, enum name_op_state state, struct mtime now)
{
    struct value_key key = {.space = VALUE_IPNS, .name = op->name};
    uint8_t room[VALUE_KEY_MAX];
    size_t len = value_key_encode(&key, room);

    op->state = state;
    op->dht.found = on_found;
    op->dht.done = on_asked;
    struct mtime until = op->give_up_at;
    if (state == NAME_OP_LOOKING)
        until = mtime_min(until, mtime_add_ms(now, NAMES_LOOK_MS));
    set_timer(op, until);
    dht_get_value(node_dht(op->names->node), &op->dht,
                  (struct bytes){room, len}, NAMES_QUORUM, now);
}

static void fail_get(struct name_op *op, enum err err)
{
    char text[IPNS_NAME_TEXT_MAX];
    size_t len = ipns_name_format(&op->name, text);
    struct bytes where = {(uint8_t *)text, len};

    if (err == E_TIMEOUT)
        fault_set(&op->fault, ERROR_TIMEOUT,
                  "no record of this name was found in time", where);
    else if (err == E_AGAIN)
        fault_set(&op->fault, ERROR_PEER_UNREACHABLE,
                  "no peer takes part in the DHT with this node", where);
    else if (err == E_LIMIT)
        fault_set(&op->fault, ERROR_BUSY, "too many searches are under way",
                  where);
    else if (err == E_CLOSED)
        fault_set(&op->fault, ERROR_NETWORK_OFF,
                  "without a network only names that are kept here are known",
                  where);
    else
        fault_set(&op->fault, ERROR_NOT_FOUND,
                  "nobody has published this name, or its record has ended",
                  where);
    end(op, err);
}

/* Answer from what is here, for want of better: false when there is nothing. */
static bool use_kept(struct name_op *op)
{
    struct names *s = op->names;
    struct kept *k = names_kept(s, &op->name);

    if (k == NULL)
        return false;
    bool is_own = peer_id_eq(&op->name, &s->self);
    if (is_own && !names_is_valid(s, &op->name, k->record))
        names_renew(s, k);
    if (!names_is_valid(s, &op->name, k->record))
        return false;
    op->record = buf_ref(k->record);
    end(op, OK);
    return true;
}

/* The DHT has answered, or time is over. */
static void got(struct name_op *op, enum err err, struct mtime now)
{
    struct names *s = op->names;
    struct kept *k = names_kept(s, &op->name);

    if (op->record == NULL && err == E_AGAIN &&
        mtime_before(now, op->lonely_until)) {
        op->state = NAME_OP_LONELY;
        set_timer(op, mtime_min(op->lonely_until, mtime_add_ms(now, AGAIN_MS)));
        return;
    }
    if (op->record == NULL) {
        if (!use_kept(op))
            fail_get(op, err == OK ? E_NOTFOUND : err);
        return;
    }
    if (k != NULL && names_compare(k->record, op->record) > 0 &&
        names_is_valid(s, &op->name, k->record)) {
        buf_unref(op->record);
        op->record = buf_ref(k->record);
    }
    names_cache(s, &op->name, op->record, now);
    end(op, OK);
}

void names_get(struct names *s, struct name_op *op, const struct peer_id *name,
               const struct name_ask *how, struct mtime now)
{
    struct cached *c = names_cached(s, name);
    bool is_own = peer_id_eq(name, &s->self);

    begin(s, op, name, how->timeout_ms > 0 ? how->timeout_ms : NAMES_GET_MS,
          now);
    if (c != NULL && mtime_reached(now, c->until)) {
        names_drop_cached(s, c);
        c = NULL;
    }
    if (is_own && !how->no_cache && use_kept(op))
        return;
    if (c != NULL && (!how->no_cache || how->local_only)) {
        op->record = buf_ref(c->record);
        end(op, OK);
        return;
    }
    if (!how->local_only && node_reach_out(s->node, now))
        ask(op, NAME_OP_GETTING, now);
    else if (!use_kept(op))
        fail_get(op, s->online ? E_NOTFOUND : E_CLOSED);
}

/* Ops: publishing and putting. */

static void on_put(struct dht_op *dht, enum err err, struct mtime now)
{
    struct name_op *op = container_of(dht, struct name_op, dht);
    struct names *s = op->names;
    struct kept *k = names_kept(s, &op->name);

    op->peers = dht->stored_count;
    if (k != NULL)
        names_note_put(k, err == OK && op->peers == 0 ? E_AGAIN : err, now);
    names_set_upkeep(s);
    end(op, OK);
}

static void put(struct name_op *op, struct mtime now)
{
    struct names *s = op->names;
    struct value_key key = {.space = VALUE_IPNS, .name = op->name};
    uint8_t room[VALUE_KEY_MAX];
    size_t len = value_key_encode(&key, room);

    if (!s->online) {
        end(op, OK);
        return;
    }
    op->state = NAME_OP_PUTTING;
    op->dht.found = NULL;
    op->dht.done = on_put;
    set_timer(op, op->give_up_at);
    dht_put_value(node_dht(s->node), &op->dht, (struct bytes){room, len},
                  buf_bytes(op->record), now);
}

void names_on_written(struct name_op *op, enum err err, struct mtime now)
{
    if (err == OK) {
        put(op, now);
        return;
    }
    fault_from_err(&op->fault, err, "the record cannot be kept", BYTES_EMPTY);
    end(op, err);
}

/* Keep op->record and write it. */
static void keep_new(struct name_op *op)
{
    struct names *s = op->names;

    /* Until it was put the upkeep leaves it alone; when nobody waits for that
     * any more, it is its task again. */
    struct kept *k = names_keep(s, &op->name, op->record);
    k->due = mtime_add_ms(names_now(s), NAMES_RETRY_MAX_MS);
    k->retry_ms = NAMES_RETRY_MS;
    names_drop_cached(s, names_cached(s, &op->name));
    op->state = NAME_OP_WRITING;
    set_timer(op, MTIME_NEVER);
    names_write_row(s, &op->name, op->record, op);
    names_set_upkeep(s);
}

static void refuse(struct name_op *op)
{
    fault_set(&op->fault, ERROR_OLD_RECORD, NULL, BYTES_EMPTY);
    end(op, E_REFUSED);
}

/* The record of ours that follows @base. */
static struct buf *make_next(struct name_op *op, const struct buf *base)
{
    struct bytes value = buf_bytes(op->given);
    struct ipns_record r;
    uint64_t sequence = 1;

    if (base != NULL && ipns_decode(buf_bytes(base), &r) == OK) {
        sequence = r.sequence;
        if (!bytes_eq(r.value, value) && sequence < INT64_MAX)
            sequence++;
    }
    return names_make(op->names, value, sequence, op->ttl_ns);
}

/* What else there is of this name has been looked for. */
static void looked(struct name_op *op)
{
    struct names *s = op->names;
    struct kept *k = names_kept(s, &op->name);
    struct buf *best = op->record;
    struct buf *next = NULL;

    if (k != NULL && names_compare(k->record, best) > 0)
        best = k->record;
    if (op->is_publish)
        next = make_next(op, best);
    else if (names_compare(op->given, best) >= 0)
        next = buf_ref(op->given);
    buf_unref(op->record);
    op->record = next;
    if (next == NULL)
        refuse(op);
    else
        keep_new(op);
}

static void change(struct name_op *op, struct mtime now)
{
    if (op->names->online)
        ask(op, NAME_OP_LOOKING, now);
    else
        looked(op);
}

static void fault_record(struct name_op *op, enum err err)
{
    const char *what = "the record is malformed";

    if (err == E_MISMATCH)
        what = "the record was not signed by the key of this name";
    else if (err == E_TIMEOUT)
        what = "the record has ended";
    else if (err == E_UNSUPPORTED)
        what = "the record is of a kind that is not known here";
    else if (err == E_NOTFOUND)
        what = "neither name nor record have the key";
    else if (err == E_LIMIT)
        what = "the record is too long";
    fault_set(&op->fault, ERROR_BAD_RECORD, what, BYTES_EMPTY);
}

enum err names_put(struct names *s, struct name_op *op,
                   const struct peer_id *name, struct bytes record,
                   uint32_t timeout_ms, struct mtime now)
{
    struct ipns_record r;
    enum err err = ipns_decode(record, &r);

    if (err == OK)
        err = ipns_validate(&r, name, names_unix_ms(s));
    if (err != OK) {
        fault_record(op, err);
        return err;
    }
    if (names_kept(s, name) == NULL && s->kept.count >= NAMES_KEPT_MAX) {
        fault_set(&op->fault, ERROR_LIMIT, "too many records are kept",
                  BYTES_EMPTY);
        return E_LIMIT;
    }
    begin(s, op, name, timeout_ms, now);
    op->given = buf_copy(record);
    change(op, now);
    return OK;
}

enum err names_publish(struct names *s, struct name_op *op, struct bytes value,
                       uint64_t ttl_ns, uint32_t timeout_ms, struct mtime now)
{
    if (value.len > IPNS_VALUE_MAX) {
        fault_set(&op->fault, ERROR_BAD_PATH, "the path is too long",
                  BYTES_EMPTY);
        return E_LIMIT;
    }
    begin(s, op, &s->self, timeout_ms, now);
    op->given = buf_copy(value);
    op->ttl_ns = ttl_ns;
    if (ttl_ns == 0 || ttl_ns > INT64_MAX)
        op->ttl_ns = (uint64_t)IPNS_TTL_DEFAULT_MS * 1000000;
    op->is_publish = true;
    change(op, now);
    return OK;
}

/* Ops: time and answers. */

static void on_asked(struct dht_op *dht, enum err err, struct mtime now)
{
    struct name_op *op = container_of(dht, struct name_op, dht);

    if (op->state == NAME_OP_LOOKING)
        looked(op);
    else
        got(op, err, now);
}

static void tell(struct name_op *op, struct mtime now)
{
    enum err err = op->err;

    leave(op);
    op->done(op, err, now);
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct name_op *op = container_of(t, struct name_op, timer);

    switch (op->state) {
    case NAME_OP_READY:
        tell(op, now);
        break;
    case NAME_OP_LONELY:
        ask(op, NAME_OP_GETTING, now);
        break;
    case NAME_OP_GETTING:
        dht_cancel(&op->dht);
        got(op, E_TIMEOUT, now);
        break;
    case NAME_OP_LOOKING:
        dht_cancel(&op->dht);
        looked(op);
        break;
    case NAME_OP_PUTTING:
        dht_cancel(&op->dht);
        on_put(&op->dht, E_TIMEOUT, now);
        break;
    case NAME_OP_IDLE:
    case NAME_OP_WRITING:
        break;
    }
}
