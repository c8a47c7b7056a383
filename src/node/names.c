/*
 * What is kept is put into the DHT by the upkeep, one record at a time.
 */
#include "node/names.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "kad/values.h"
#include "multiformats/key.h"
#include "node/log.h"
#include "node/names_priv.h"
#include "node/node.h"
#include "node/rows.h"

enum {
    ROW_VERSION = 1,
    RENEW_MS = 60 * 60 * 1000,     /* a record that is younger stays as it is */
    LOAD_MAX = 2 * NAMES_KEPT_MAX, /* rows that are looked at */
    SEED_BYTES = 16,
};

struct peer_id names_self(const struct names *s)
{
    return s->self;
}

/* Tables. */

struct kept *names_kept(const struct names *s, const struct peer_id *name)
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

struct kept *names_keep(struct names *s, const struct peer_id *name,
                        struct buf *record)
{
    struct kept *k = names_kept(s, name);

    if (k == NULL) {
        k = mem_zalloc(1, sizeof(*k));
        k->name = *name;
        k->retry_ms = NAMES_RETRY_MS;
        map_put(&s->kept, &k->node, peer_id_bytes(&k->name));
    }
    buf_unref(k->record);
    k->record = buf_ref(record);
    return k;
}

struct cached *names_cached(const struct names *s, const struct peer_id *name)
{
    struct map_node *n = map_get(&s->cached, peer_id_bytes(name));

    return n != NULL ? container_of(n, struct cached, node) : NULL;
}

void names_drop_cached(struct names *s, struct cached *c)
{
    if (c == NULL)
        return;
    map_remove(&s->cached, &c->node);
    buf_unref(c->record);
    mem_free(c);
}

void names_cache(struct names *s, const struct peer_id *name,
                 struct buf *record, struct mtime now)
{
    struct ipns_record r;

    names_drop_cached(s, names_cached(s, name));
    if (ipns_decode(buf_bytes(record), &r) != OK)
        return;
    uint64_t ms = ipns_cache_ms(&r, names_unix_ms(s));
    if (ms > IPNS_LIFE_MS)
        ms = IPNS_LIFE_MS; /* a name that never changes is asked for at times */
    if (s->cached.count == NAMES_CACHED_MAX)
        names_drop_cached(
            s, container_of(map_first(&s->cached), struct cached, node));
    struct cached *c = mem_zalloc(1, sizeof(*c));
    c->name = *name;
    c->record = buf_ref(record);
    c->until = mtime_add_ms(now, (uint32_t)ms);
    map_put(&s->cached, &c->node, peer_id_bytes(&c->name));
}

/* Records. */

bool names_is_valid(const struct names *s, const struct peer_id *name,
                    const struct buf *record)
{
    struct ipns_record r;

    return record != NULL && ipns_decode(buf_bytes(record), &r) == OK &&
           ipns_validate(&r, name, names_unix_ms(s)) == OK;
}

/* Above 0 when @a is better; one that is none, or NULL, is the worst. */
int names_compare(const struct buf *a, const struct buf *b)
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
struct buf *names_make(const struct names *s, struct bytes value,
                       uint64_t sequence, uint64_t ttl_ns)
{
    struct ipns_fields fields = {
        .value = value,
        .sequence = sequence,
        .eol = unix_time_of_ms(names_unix_ms(s) + IPNS_LIFE_MS),
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

/* Our own record with a later end, unless it has been made just now. */
void names_renew(struct names *s, struct kept *k)
{
    struct ipns_record r;

    if (ipns_decode(buf_bytes(k->record), &r) != OK ||
        unix_time_to_ms(&r.eol) > names_unix_ms(s) + IPNS_LIFE_MS - RENEW_MS)
        return;
    uint64_t ttl_ns =
        r.has_ttl ? r.ttl_ns : (uint64_t)IPNS_TTL_DEFAULT_MS * 1000000;
    struct buf *record = names_make(s, r.value, r.sequence, ttl_ns);
    if (record == NULL)
        return;
    (void)names_keep(s, &s->self, record);
    names_write_row(s, &s->self, record, NULL);
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
    names_on_written(op, err, now);
}

/* @record: NULL: the row goes. */
void names_write_row(struct names *s, const struct peer_id *name,
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
    names_keep(s, &name, record)->due = now;
    buf_unref(record);
}

static void load_rows(struct names *s, struct mtime now)
{
    struct rows_cursor c = {.kv = s->kv, .table = s->table, .left = LOAD_MAX};
    struct bytes key;
    struct bytes value;

    while (rows_next(&c, &key, &value))
        load_row(s, key, value, now);
}

/* Upkeep. */

void names_set_upkeep(struct names *s)
{
    struct mtime at = MTIME_NEVER;

    map_for_each (it, &s->kept) {
        if (s->online && !s->is_up)
            at = mtime_min(at, container_of(it, struct kept, node)->due);
    }
    s->env->clock->set(s->env->clock, &s->timer, at);
}

/* A put has ended: when it is time for the next. */
void names_note_put(struct kept *k, enum err err, struct mtime now)
{
    if (err == OK) {
        k->due = mtime_add_ms(now, IPNS_REPUBLISH_MS);
        k->retry_ms = NAMES_RETRY_MS;
        return;
    }
    k->due = mtime_add_ms(now, k->retry_ms);
    k->retry_ms = k->retry_ms < NAMES_RETRY_MAX_MS / 2 ? 2 * k->retry_ms
                                                       : NAMES_RETRY_MAX_MS;
}

static void on_kept_up(struct dht_op *dht, enum err err, struct mtime now)
{
    struct names *s = container_of(dht, struct names, up);
    struct kept *k = names_kept(s, &s->up_name);

    s->is_up = false;
    if (k != NULL) {
        log_name(s, LOG_DEBUG, err == OK ? "put_again" : "not_put_again",
                 &k->name);
        names_note_put(k, err, now);
    }
    names_set_upkeep(s);
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
            names_renew(s, k);
        if (names_is_valid(s, &k->name, k->record)) {
            put_up(s, k, now);
            continue;
        }
        log_name(s, LOG_INFO, "record_has_ended", &k->name);
        names_write_row(s, &k->name, NULL, NULL);
        drop_kept(s, k);
    }
    names_set_upkeep(s);
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
        names_drop_cached(
            s, container_of(map_first(&s->cached), struct cached, node));
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
    names_set_upkeep(s);
}

void names_stop(struct names *s)
{
    assert(list_empty(&s->ops));
    s->online = false;
    if (s->is_up)
        dht_cancel(&s->up);
    s->is_up = false;
    names_set_upkeep(s);
}
