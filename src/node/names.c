/*
 * An op goes through these states, each left by the function named:
 *
 *   READY    on_timer(): told
 *   GETTING  got(): READY; LONELY when there is no peer yet
 *   LONELY   on_timer(): GETTING
 *   LOOKING  looked(): WRITING, with the record that is to be kept; READY
 *            when there is a newer one
 *   WRITING  on_row(): PUTTING; READY without a network, or when it failed
 *   PUTTING  on_put(): READY
 *
 * What is kept is put again by the upkeep, one record at a time.
 */
#include "node/names.h"

#include <assert.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/wr.h"
#include "env/env.h"
#include "env/kv.h"
#include "kad/values.h"
#include "multiformats/key.h"
#include "node/log.h"
#include "node/node.h"

enum {
    ROW_VERSION = 1,
    AGAIN_MS = 500,  /* between questions while there is no peer */
    RETRY_MS = 2000, /* after a put that failed, at first */
    RETRY_MAX_MS = 60 * 1000,
    RENEW_MS = 60 * 60 * 1000,     /* a record that is younger stays as it is */
    LOAD_MAX = 2 * NAMES_KEPT_MAX, /* rows that are looked at */
    SEED_BYTES = 16,
};

/* A record that we keep up. */
struct kept {
    struct map_node node;
    struct peer_id name;
    struct buf *record;
    struct mtime due; /* when it is put again */
    uint32_t retry_ms;
};

/* A record of somebody else, as long as it says. */
struct cached {
    struct map_node node;
    struct peer_id name;
    struct buf *record;
    struct mtime until;
};

/* A row being written; lives until the kv has answered. */
struct name_row {
    struct kv_batch batch;
    struct kv_change change;
    struct names *names;
    struct name_op *op; /* NULL: nobody waits */
    struct peer_id name;
    struct buf *value;
};

struct names {
    struct node *node;
    struct env *env;
    struct kv *kv;
    uint32_t table;
    struct peer_id self;
    struct map kept;
    struct map cached;
    struct list ops;
    size_t rows; /* being written */
    bool online;
    struct timer timer; /* of the upkeep */
    struct dht_op up;
    struct peer_id up_name; /* whose record it puts */
    bool is_up;             /* @up is under way */
};

static uint64_t unix_ms(const struct names *s)
{
    return s->env->clock->unix_ms(s->env->clock);
}

static struct mtime clock_now(const struct names *s)
{
    return s->env->clock->now(s->env->clock);
}

struct peer_id names_self(const struct names *s)
{
    return s->self;
}

/* Tables. */

static struct kept *kept_of(const struct names *s, const struct peer_id *name)
{
    struct map_node *n = map_get(&s->kept, peer_id_bytes(name));

    return n != NULL ? container_of(n, struct kept, node) : NULL;
}

static void drop_kept(struct names *s, struct kept *k)
{
    map_remove(&s->kept, &k->node);
    buf_unref(k->record);
    mem_free(k);
}

static struct kept *keep(struct names *s, const struct peer_id *name,
                         struct buf *record)
{
    struct kept *k = kept_of(s, name);

    if (k == NULL) {
        k = mem_zalloc(1, sizeof(*k));
        k->name = *name;
        k->retry_ms = RETRY_MS;
        map_put(&s->kept, &k->node, peer_id_bytes(&k->name));
    }
    buf_unref(k->record);
    k->record = buf_ref(record);
    return k;
}

static struct cached *cached_of(const struct names *s,
                                const struct peer_id *name)
{
    struct map_node *n = map_get(&s->cached, peer_id_bytes(name));

    return n != NULL ? container_of(n, struct cached, node) : NULL;
}

static void drop_cached(struct names *s, struct cached *c)
{
    if (c == NULL)
        return;
    map_remove(&s->cached, &c->node);
    buf_unref(c->record);
    mem_free(c);
}

static void cache(struct names *s, const struct peer_id *name,
                  struct buf *record, struct mtime now)
{
    struct ipns_record r;

    drop_cached(s, cached_of(s, name));
    if (ipns_decode(buf_bytes(record), &r) != OK)
        return;
    uint64_t ms = ipns_cache_ms(&r, unix_ms(s));
    if (ms > IPNS_LIFE_MS)
        ms = IPNS_LIFE_MS; /* a name that never changes is asked for at times */
    if (s->cached.count == NAMES_CACHED_MAX)
        drop_cached(s,
                    container_of(map_first(&s->cached), struct cached, node));
    struct cached *c = mem_zalloc(1, sizeof(*c));
    c->name = *name;
    c->record = buf_ref(record);
    c->until = mtime_add_ms(now, (uint32_t)ms);
    map_put(&s->cached, &c->node, peer_id_bytes(&c->name));
}

/* Records. */

static bool is_valid(const struct names *s, const struct peer_id *name,
                     const struct buf *record)
{
    struct ipns_record r;

    return record != NULL && ipns_decode(buf_bytes(record), &r) == OK &&
           ipns_validate(&r, name, unix_ms(s)) == OK;
}

/* Above 0 when @a is better; one that is none, or NULL, is the worst. */
static int compare(const struct buf *a, const struct buf *b)
{
    struct ipns_record ra;
    struct ipns_record rb;
    bool has_a = a != NULL && ipns_decode(buf_bytes(a), &ra) == OK;
    bool has_b = b != NULL && ipns_decode(buf_bytes(b), &rb) == OK;

    if (!has_a || !has_b)
        return (int)has_a - (int)has_b;
    return ipns_cmp(&ra, &rb);
}

/* A record of our own; NULL when it would be too long. */
static struct buf *make(const struct names *s, struct bytes value,
                        uint64_t sequence, uint64_t ttl_ns)
{
    struct ipns_fields fields = {
        .value = value,
        .sequence = sequence,
        .eol = unix_time_of_ms(unix_ms(s) + IPNS_LIFE_MS),
        .ttl_ns = ttl_ns,
    };
    struct buf *b = buf_new(IPNS_RECORD_MAX);
    struct wr w = wr_init(b->data, b->max);

    if (ipns_make(node_key(s->node), &fields, &w) != OK) {
        buf_unref(b);
        return NULL;
    }
    b->len = wr_len(&w);
    return b;
}

static void write_row(struct names *s, const struct peer_id *name,
                      struct buf *record, struct name_op *op);

/* Our own record with a later end, unless it has been made just now. */
static void renew(struct names *s, struct kept *k)
{
    struct ipns_record r;

    if (ipns_decode(buf_bytes(k->record), &r) != OK ||
        unix_time_to_ms(&r.eol) > unix_ms(s) + IPNS_LIFE_MS - RENEW_MS)
        return;
    uint64_t ttl_ns =
        r.has_ttl ? r.ttl_ns : (uint64_t)IPNS_TTL_DEFAULT_MS * 1000000;
    struct buf *record = make(s, r.value, r.sequence, ttl_ns);
    if (record == NULL)
        return;
    (void)keep(s, &s->self, record);
    write_row(s, &s->self, record, NULL);
    buf_unref(record);
}

/* Rows. */

static void log_name(struct names *s, enum log_level level, const char *event,
                     const struct peer_id *name)
{
    struct log_line line;
    char text[IPNS_NAME_TEXT_MAX];
    size_t len = ipns_name_format(name, text);

    log_begin(&line, node_log(s->node), level, "names", event);
    log_str(&line, "name", (struct bytes){(uint8_t *)text, len});
    log_end(&line);
}

static void on_row(struct kv_batch *batch, enum err err, struct mtime now);

/* @record: NULL: the row goes. */
static void write_row(struct names *s, const struct peer_id *name,
                      struct buf *record, struct name_op *op)
{
    struct name_row *row = mem_zalloc(1, sizeof(*row));

    row->names = s;
    row->op = op;
    row->name = *name;
    row->change.table = s->table;
    row->change.key = peer_id_bytes(&row->name);
    row->change.remove = record == NULL;
    if (record != NULL) {
        row->value = buf_new(1 + record->len);
        row->value->data[0] = ROW_VERSION;
        memcpy(row->value->data + 1, record->data, record->len);
        row->value->len = 1 + record->len;
        row->change.value = buf_bytes(row->value);
    }
    row->batch.changes = &row->change;
    row->batch.count = 1;
    row->batch.done = on_row;
    if (op != NULL)
        op->row = row;
    s->rows++;
    s->kv->write(s->kv, &row->batch);
}

static void load_row(struct names *s, struct bytes key, struct bytes value,
                     struct mtime now)
{
    struct peer_id name;
    struct ipns_record r;
    bool good = peer_id_decode(key, &name) == OK && value.len > 1 &&
                value.p[0] == ROW_VERSION &&
                ipns_decode(bytes_sub(value, 1, value.len - 1), &r) == OK;

    if (!good || s->kept.count == NAMES_KEPT_MAX) {
        struct log_line line;
        log_begin(&line, node_log(s->node), LOG_WARNING, "names",
                  "bad_row_left_out");
        log_end(&line);
        return;
    }
    struct buf *record = buf_copy(r.raw);
    keep(s, &name, record)->due = now;
    buf_unref(record);
}

static void load_rows(struct names *s, struct mtime now)
{
    uint8_t room[KV_KEY_MAX];
    struct bytes key = BYTES_EMPTY;
    struct bytes value;

    for (size_t i = 0; i < LOAD_MAX; i++) {
        struct bytes next;
        if (s->kv->next(s->kv, s->table, key, false, &next, &value) != OK)
            break;
        memcpy(room, next.p, next.len);
        key = (struct bytes){room, next.len};
        load_row(s, key, value, now);
    }
}

/* Upkeep. */

static void set_upkeep(struct names *s)
{
    struct mtime at = MTIME_NEVER;

    map_for_each (it, &s->kept) {
        if (s->online && !s->is_up)
            at = mtime_min(at, container_of(it, struct kept, node)->due);
    }
    s->env->clock->set(s->env->clock, &s->timer, at);
}

/* A put has ended: when it is time for the next. */
static void note_put(struct kept *k, enum err err, struct mtime now)
{
    if (err == OK) {
        k->due = mtime_add_ms(now, IPNS_REPUBLISH_MS);
        k->retry_ms = RETRY_MS;
        return;
    }
    k->due = mtime_add_ms(now, k->retry_ms);
    k->retry_ms =
        k->retry_ms < RETRY_MAX_MS / 2 ? 2 * k->retry_ms : RETRY_MAX_MS;
}

static void on_kept_up(struct dht_op *dht, enum err err, struct mtime now)
{
    struct names *s = container_of(dht, struct names, up);
    struct kept *k = kept_of(s, &s->up_name);

    s->is_up = false;
    if (k != NULL) {
        log_name(s, LOG_DEBUG, err == OK ? "put_again" : "not_put_again",
                 &k->name);
        note_put(k, err, now);
    }
    set_upkeep(s);
}

static void put_up(struct names *s, struct kept *k, struct mtime now)
{
    struct value_key key = {.space = VALUE_IPNS, .name = k->name};
    uint8_t room[VALUE_KEY_MAX];
    size_t len = value_key_encode(&key, room);

    s->is_up = true;
    s->up_name = k->name;
    s->up.done = on_kept_up;
    dht_put_value(node_dht(s->node), &s->up, (struct bytes){room, len},
                  buf_bytes(k->record), now);
}

static void on_upkeep(struct timer *t, struct mtime now)
{
    struct names *s = container_of(t, struct names, timer);
    struct map_node *next = NULL;

    for (struct map_node *it = map_first(&s->kept); it != NULL && !s->is_up;
         it = next) {
        struct kept *k = container_of(it, struct kept, node);
        next = map_next(&s->kept, it);
        if (!mtime_reached(now, k->due))
            continue;
        if (peer_id_eq(&k->name, &s->self))
            renew(s, k);
        if (is_valid(s, &k->name, k->record)) {
            put_up(s, k, now);
            continue;
        }
        log_name(s, LOG_INFO, "record_has_ended", &k->name);
        write_row(s, &k->name, NULL, NULL);
        drop_kept(s, k);
    }
    set_upkeep(s);
}

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
    set_timer(op, clock_now(op->names));
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
    if (compare(record, op->record) > 0) {
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
    struct kept *k = kept_of(s, &op->name);

    if (k == NULL)
        return false;
    bool is_own = peer_id_eq(&op->name, &s->self);
    if (is_own && !is_valid(s, &op->name, k->record))
        renew(s, k);
    if (!is_valid(s, &op->name, k->record))
        return false;
    op->record = buf_ref(k->record);
    end(op, OK);
    return true;
}

/* The DHT has answered, or time is over. */
static void got(struct name_op *op, enum err err, struct mtime now)
{
    struct names *s = op->names;
    struct kept *k = kept_of(s, &op->name);

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
    if (k != NULL && compare(k->record, op->record) > 0 &&
        is_valid(s, &op->name, k->record)) {
        buf_unref(op->record);
        op->record = buf_ref(k->record);
    }
    cache(s, &op->name, op->record, now);
    end(op, OK);
}

void names_get(struct names *s, struct name_op *op, const struct peer_id *name,
               const struct name_ask *how, struct mtime now)
{
    struct cached *c = cached_of(s, name);
    bool is_own = peer_id_eq(name, &s->self);

    begin(s, op, name, how->timeout_ms > 0 ? how->timeout_ms : NAMES_GET_MS,
          now);
    if (c != NULL && mtime_reached(now, c->until)) {
        drop_cached(s, c);
        c = NULL;
    }
    if (is_own && !how->no_cache && use_kept(op))
        return;
    if (c != NULL && (!how->no_cache || how->local_only)) {
        op->record = buf_ref(c->record);
        end(op, OK);
        return;
    }
    if (!how->local_only && s->online)
        ask(op, NAME_OP_GETTING, now);
    else if (!use_kept(op))
        fail_get(op, s->online ? E_NOTFOUND : E_CLOSED);
}

/* Ops: publishing and putting. */

static void on_put(struct dht_op *dht, enum err err, struct mtime now)
{
    struct name_op *op = container_of(dht, struct name_op, dht);
    struct names *s = op->names;
    struct kept *k = kept_of(s, &op->name);

    op->peers = dht->stored_count;
    if (k != NULL)
        note_put(k, err == OK && op->peers == 0 ? E_AGAIN : err, now);
    set_upkeep(s);
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

static void on_row(struct kv_batch *batch, enum err err, struct mtime now)
{
    struct name_row *row = container_of(batch, struct name_row, batch);
    struct name_op *op = row->op;
    struct names *s = row->names;

    s->rows--;
    if (err != OK)
        log_name(s, LOG_ERROR, "record_not_written", &row->name);
    buf_unref(row->value);
    mem_free(row);
    if (op == NULL)
        return;
    op->row = NULL;
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
    struct kept *k = keep(s, &op->name, op->record);
    k->due = mtime_add_ms(clock_now(s), RETRY_MAX_MS);
    k->retry_ms = RETRY_MS;
    drop_cached(s, cached_of(s, &op->name));
    op->state = NAME_OP_WRITING;
    set_timer(op, MTIME_NEVER);
    write_row(s, &op->name, op->record, op);
    set_upkeep(s);
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
    return make(op->names, value, sequence, op->ttl_ns);
}

/* What else there is of this name has been looked for. */
static void looked(struct name_op *op)
{
    struct names *s = op->names;
    struct kept *k = kept_of(s, &op->name);
    struct buf *best = op->record;
    struct buf *next = NULL;

    if (k != NULL && compare(k->record, best) > 0)
        best = k->record;
    if (op->is_publish)
        next = make_next(op, best);
    else if (compare(op->given, best) >= 0)
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
        err = ipns_validate(&r, name, unix_ms(s));
    if (err != OK) {
        fault_record(op, err);
        return err;
    }
    if (kept_of(s, name) == NULL && s->kept.count >= NAMES_KEPT_MAX) {
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

/* Life. */

struct names *names_new(struct node *n, struct kv *kv, uint32_t table,
                        struct mtime now)
{
    struct names *s = mem_zalloc(1, sizeof(*s));
    uint8_t seed[SEED_BYTES];

    s->node = n;
    s->env = node_env(n);
    s->kv = kv;
    s->table = table;
    s->self = privkey_peer_id(node_key(n));
    node_random(n, seed, sizeof(seed));
    map_init(&s->kept, seed);
    map_init(&s->cached, seed);
    list_init(&s->ops);
    timer_init(&s->timer, on_upkeep);
    load_rows(s, now);
    return s;
}

void names_free(struct names *s)
{
    if (s == NULL)
        return;
    assert(list_empty(&s->ops) && s->rows == 0);
    while (map_first(&s->kept) != NULL)
        drop_kept(s, container_of(map_first(&s->kept), struct kept, node));
    while (map_first(&s->cached) != NULL)
        drop_cached(s,
                    container_of(map_first(&s->cached), struct cached, node));
    map_release(&s->kept);
    map_release(&s->cached);
    mem_free(s);
}

void names_start(struct names *s, struct mtime now)
{
    s->online = true;
    /* At once: those who ask us are not to hear of an older one. */
    map_for_each (it, &s->kept)
        container_of(it, struct kept, node)->due = now;
    set_upkeep(s);
}

void names_stop(struct names *s)
{
    assert(list_empty(&s->ops));
    s->online = false;
    if (s->is_up)
        dht_cancel(&s->up);
    s->is_up = false;
    set_upkeep(s);
}
