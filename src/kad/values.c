/*
 * Invariants:
 *   1. An entry that lives is in the map, in the list of age, in the list of
 *      its group and in the list to be walked.  Its row is what the disk is to
 *      hold.
 *   2. An entry that was removed is in the list of changes only, has no row,
 *      and is freed when the change was taken.
 *   3. Changes of one key stand in the list in the order in which they were
 *      made.
 */
#include "kad/values.h"

#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "kad/ipns.h"
#include "multiformats/key.h"

enum {
    ROW_VERSION = 1,
    ROW_HEAD_BYTES = 1 + 8 + 8, /* version, group, time */
};

#define IPNS_PREFIX BYTES_LIT("/ipns/")
#define PK_PREFIX   BYTES_LIT("/pk/")

_Static_assert(ROW_HEAD_BYTES + VALUE_BYTES_MAX <= KAD_CHANGE_VALUE_MAX,
               "a row fits a change");
_Static_assert((size_t)VALUE_BYTES_MAX == (size_t)IPNS_RECORD_MAX,
               "a record is a value");

/* struct group - values that came from one IP group. */
struct group {
    struct map_node node;
    uint64_t number; /* key */
    uint32_t count;
    struct list entries; /* the longest kept first */
};

struct entry {
    struct map_node node;
    struct list age;      /* in values.age */
    struct list in_group; /* in the group's list */
    struct list walk;     /* in values.walk */
    struct list change;   /* in values.changes, or in none */
    struct group *group;  /* NULL when it is not limited */
    uint8_t *row;         /* owned; NULL when it was removed */
    size_t row_len;
    uint64_t received_ms;
    uint64_t ends_ms;
    uint8_t key_len;
    uint8_t key[VALUE_KEY_MAX];
};

struct values {
    struct values_config config;
    struct map entries;
    struct map groups;
    struct list age;
    struct list walk;
    struct list changes;
    struct entry *taken; /* removed one whose key was handed out */
    struct values_stats stats;
};

/* Keys and checks. --------------------------------------------------------- */

static bool strip(struct bytes *in, struct bytes prefix)
{
    if (in->len < prefix.len ||
        !bytes_eq(bytes_sub(*in, 0, prefix.len), prefix))
        return false;
    *in = bytes_sub(*in, prefix.len, in->len - prefix.len);
    return true;
}

enum err value_key_decode(struct bytes key, struct value_key *ret_key)
{
    struct value_key out = {.space = VALUE_IPNS};

    if (!strip(&key, IPNS_PREFIX)) {
        out.space = VALUE_PK;
        if (!strip(&key, PK_PREFIX))
            return E_UNSUPPORTED;
    }
    enum err err = peer_id_decode(key, &out.name);
    if (err == OK)
        *ret_key = out;
    return err;
}

size_t value_key_encode(const struct value_key *key,
                        uint8_t dst[static VALUE_KEY_MAX])
{
    struct wr w = wr_init(dst, VALUE_KEY_MAX);

    switch (key->space) {
    case VALUE_IPNS:
        wr_bytes(&w, IPNS_PREFIX);
        break;
    case VALUE_PK:
        wr_bytes(&w, PK_PREFIX);
        break;
    }
    wr_bytes(&w, peer_id_bytes(&key->name));
    assert(w.err == OK);
    return wr_len(&w);
}

static enum err check_pk(struct bytes value, const struct peer_id *name)
{
    struct pubkey key;
    enum err err = pubkey_decode(value, &key);
    if (err != OK)
        return err;
    struct peer_id id = peer_id_of_key(value);
    return peer_id_eq(&id, name) ? OK : E_MISMATCH;
}

static enum err check_ipns(struct bytes value, const struct peer_id *name,
                           uint64_t unix_ms)
{
    struct ipns_record record;
    enum err err = ipns_decode(value, &record);
    if (err != OK)
        return err;
    return ipns_validate(&record, name, unix_ms);
}

enum err value_check(struct bytes key, struct bytes value, uint64_t unix_ms)
{
    struct value_key parts;
    enum err err = value_key_decode(key, &parts);
    if (err != OK)
        return err;
    if (value.len > VALUE_BYTES_MAX)
        return E_LIMIT;
    if (parts.space == VALUE_PK)
        return check_pk(value, &parts.name);
    return check_ipns(value, &parts.name, unix_ms);
}

int value_cmp(struct bytes key, struct bytes a, struct bytes b)
{
    struct value_key parts;
    enum err err = value_key_decode(key, &parts);
    assert(err == OK);
    if (parts.space == VALUE_PK)
        return 0;
    struct ipns_record record_a;
    struct ipns_record record_b;
    err = ipns_decode(a, &record_a);
    assert(err == OK);
    err = ipns_decode(b, &record_b);
    assert(err == OK);
    return ipns_cmp(&record_a, &record_b);
}

/* The store. --------------------------------------------------------------- */

struct values *values_new(const struct values_config *config)
{
    struct values *v = mem_zalloc(1, sizeof(*v));

    v->config = *config;
    if (v->config.count_max == 0)
        v->config.count_max = VALUES_COUNT_MAX;
    if (v->config.bytes_max == 0)
        v->config.bytes_max = VALUES_BYTES_MAX;
    if (v->config.group_count_max == 0)
        v->config.group_count_max = VALUES_GROUP_COUNT_MAX;
    assert(v->config.bytes_max >= ROW_HEAD_BYTES + VALUE_BYTES_MAX);
    map_init(&v->entries, config->seed);
    map_init(&v->groups, config->seed);
    list_init(&v->age);
    list_init(&v->walk);
    list_init(&v->changes);
    return v;
}

static struct bytes entry_key(const struct entry *e)
{
    return (struct bytes){.p = e->key, .len = e->key_len};
}

static struct bytes entry_value(const struct entry *e)
{
    return (struct bytes){.p = e->row + ROW_HEAD_BYTES,
                          .len = e->row_len - ROW_HEAD_BYTES};
}

static void entry_free(struct entry *e)
{
    mem_free(e->row);
    mem_free(e);
}

static struct entry *find(const struct values *v, struct bytes key)
{
    struct map_node *n = map_get(&v->entries, key);

    return n == NULL ? NULL : container_of(n, struct entry, node);
}

static struct bytes group_key(const struct group *g)
{
    return (struct bytes){.p = (const uint8_t *)&g->number,
                          .len = sizeof(g->number)};
}

static struct group *find_group(const struct values *v, uint64_t number)
{
    struct group wanted = {.number = number};
    struct map_node *n = map_get(&v->groups, group_key(&wanted));

    return n == NULL ? NULL : container_of(n, struct group, node);
}

/* Put @e, which is not limited, into group @number; 0 leaves it. */
static void join_group(struct values *v, struct entry *e, uint64_t number)
{
    assert(e->group == NULL);
    if (number == 0)
        return;
    struct group *g = find_group(v, number);
    if (g == NULL) {
        g = mem_zalloc(1, sizeof(*g));
        g->number = number;
        list_init(&g->entries);
        map_put(&v->groups, &g->node, group_key(g));
    }
    g->count++;
    list_add_tail(&g->entries, &e->in_group);
    e->group = g;
}

static void leave_group(struct values *v, struct entry *e)
{
    struct group *g = e->group;

    if (g == NULL)
        return;
    list_remove(&e->in_group);
    e->group = NULL;
    g->count--;
    if (g->count == 0) {
        map_remove(&v->groups, &g->node);
        mem_free(g);
    }
}

/* @e is to be written, or its removal. */
static void mark(struct values *v, struct entry *e)
{
    if (!v->config.keep || !list_empty(&e->change))
        return;
    list_add_tail(&v->changes, &e->change);
    v->stats.changes_count++;
}

static void drop_row(struct values *v, struct entry *e)
{
    v->stats.bytes -= e->row_len;
    mem_free(e->row);
    e->row = NULL;
    e->row_len = 0;
}

/* Take @e out of the store; what is left of it waits to be told. */
static void remove_entry(struct values *v, struct entry *e)
{
    map_remove(&v->entries, &e->node);
    v->stats.count--;
    list_remove(&e->age);
    list_remove(&e->walk);
    leave_group(v, e);
    drop_row(v, e);
    mark(v, e);
    if (!v->config.keep)
        entry_free(e);
}

void values_free(struct values *v)
{
    if (v == NULL)
        return;
    v->config.keep = false;
    list_for_each_safe (it, &v->changes) {
        struct entry *e = container_of(it, struct entry, change);
        list_remove(it);
        if (e->row == NULL)
            entry_free(e);
    }
    while (!list_empty(&v->age))
        remove_entry(v, container_of(list_first(&v->age), struct entry, age));
    if (v->taken != NULL)
        entry_free(v->taken);
    map_release(&v->entries);
    map_release(&v->groups);
    mem_free(v);
}

static struct entry *older(struct entry *a, struct entry *b)
{
    return a == NULL || b->received_ms < a->received_ms ? b : a;
}

static void evict(struct values *v, struct entry *e)
{
    assert(e != NULL);
    remove_entry(v, e);
    v->stats.evicted++;
}

static struct entry *oldest_of_group(const struct group *g)
{
    struct entry *oldest = NULL;
    unsigned looked = 0;

    list_for_each (it, &g->entries) {
        oldest = older(oldest, container_of(it, struct entry, in_group));
        if (++looked == VALUES_EVICT_LOOK)
            break;
    }
    return oldest;
}

static struct entry *oldest_of_all(const struct values *v)
{
    struct entry *oldest = NULL;
    unsigned looked = 0;

    list_for_each (it, &v->age) {
        oldest = older(oldest, container_of(it, struct entry, age));
        if (++looked == VALUES_EVICT_LOOK)
            break;
    }
    return oldest;
}

/* Make room for one more row of @row_len bytes from group @number. */
static void make_room(struct values *v, uint64_t number, size_t row_len)
{
    const struct group *g = number == 0 ? NULL : find_group(v, number);

    if (g != NULL && g->count >= v->config.group_count_max)
        evict(v, oldest_of_group(g));
    while (v->stats.count >= v->config.count_max ||
           v->stats.bytes + row_len > v->config.bytes_max)
        evict(v, oldest_of_all(v));
}

/* True when removals that nobody took leave no room for another entry. */
static bool is_stuck(const struct values *v)
{
    return v->config.keep && v->stats.changes_count / 2 >= v->config.count_max;
}

/* struct arrival - a value on its way into the store. */
struct arrival {
    struct bytes key;
    struct bytes value;
    uint64_t group;
    uint64_t received_ms;
    uint64_t ends_ms;
};

static void write_row(struct values *v, struct entry *e,
                      const struct arrival *a)
{
    e->row_len = ROW_HEAD_BYTES + a->value.len;
    e->row = mem_alloc(e->row_len);
    struct wr w = wr_init(e->row, e->row_len);
    wr_u8(&w, ROW_VERSION);
    wr_be64(&w, a->group);
    wr_be64(&w, a->received_ms);
    wr_bytes(&w, a->value);
    assert(w.err == OK);
    v->stats.bytes += e->row_len;
}

/* A new entry, or the one under the same key with a new value. */
static struct entry *insert(struct values *v, const struct arrival *a)
{
    struct entry *e = find(v, a->key);

    if (e != NULL) {
        /* It goes first, so that it isn't what makes room for itself. */
        list_remove(&e->age);
        leave_group(v, e);
        drop_row(v, e);
        v->stats.count--;
    }
    make_room(v, a->group, ROW_HEAD_BYTES + a->value.len);
    if (e == NULL) {
        e = mem_zalloc(1, sizeof(*e));
        assert(a->key.len <= sizeof(e->key));
        memcpy(e->key, a->key.p, a->key.len);
        e->key_len = (uint8_t)a->key.len;
        list_init(&e->change);
        list_init(&e->in_group);
        map_put(&v->entries, &e->node, entry_key(e));
        list_add_tail(&v->walk, &e->walk);
    }
    v->stats.count++;
    list_add_tail(&v->age, &e->age);
    join_group(v, e, a->group);
    write_row(v, e, a);
    e->received_ms = a->received_ms;
    e->ends_ms = a->ends_ms;
    return e;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When a value that was received at @received_ms ends, by age or by itself. */
static uint64_t ends_at(struct bytes key, struct bytes value,
                        uint64_t received_ms)
{
    struct value_key parts;
    struct ipns_record record;
    uint64_t by_age_ms = received_ms + VALUES_LIFE_MS;

    if (value_key_decode(key, &parts) != OK || parts.space == VALUE_PK)
        return by_age_ms;
    if (ipns_decode(value, &record) != OK)
        return received_ms;
    return min_u64(by_age_ms, unix_time_to_ms(&record.eol));
}

/* The value that is kept came again: it lives on. */
static void refresh(struct values *v, struct entry *e, uint64_t unix_ms)
{
    if (unix_ms < e->received_ms + VALUES_REFRESH_MS)
        return;
    struct wr w = wr_init(e->row + 1 + 8, 8);
    wr_be64(&w, unix_ms);
    e->received_ms = unix_ms;
    e->ends_ms = ends_at(entry_key(e), entry_value(e), unix_ms);
    list_remove(&e->age);
    list_add_tail(&v->age, &e->age);
    if (e->group != NULL) {
        list_remove(&e->in_group);
        list_add_tail(&e->group->entries, &e->in_group);
    }
    v->stats.refreshed++;
    mark(v, e);
}

static enum err refuse(struct values *v, enum err err)
{
    v->stats.refused++;
    return err;
}

enum err values_put(struct values *v, struct bytes key, struct bytes value,
                    uint64_t group, uint64_t unix_ms)
{
    enum err err = value_check(key, value, unix_ms);
    if (err != OK)
        return refuse(v, err);
    struct entry *e = find(v, key);
    if (e != NULL && e->ends_ms > unix_ms) {
        struct bytes old = entry_value(e);
        if (bytes_eq(old, value)) {
            refresh(v, e, unix_ms);
            return OK;
        }
        if (value_cmp(key, old, value) > 0)
            return refuse(v, E_REFUSED);
    }
    if (is_stuck(v))
        return refuse(v, E_LIMIT);
    struct arrival a = {
        .key = key,
        .value = value,
        .group = group,
        .received_ms = unix_ms,
        .ends_ms = ends_at(key, value, unix_ms),
    };
    mark(v, insert(v, &a));
    v->stats.stored++;
    return OK;
}

enum err values_get(const struct values *v, struct bytes key, uint64_t unix_ms,
                    struct value *ret_value)
{
    const struct entry *e = find(v, key);

    if (e == NULL || e->ends_ms <= unix_ms)
        return E_NOTFOUND;
    *ret_value = (struct value){.bytes = entry_value(e),
                                .received_unix_ms = e->received_ms};
    return OK;
}

void values_on_time(struct values *v, uint64_t unix_ms)
{
    size_t work = v->stats.count;

    if (work > VALUES_WORK_MAX)
        work = VALUES_WORK_MAX;
    for (; work > 0; work--) {
        struct list *first = list_first(&v->walk);
        struct entry *e = container_of(first, struct entry, walk);
        list_remove(first);
        list_add_tail(&v->walk, first);
        if (e->ends_ms > unix_ms)
            continue;
        if (is_stuck(v))
            return;
        remove_entry(v, e);
        v->stats.ended++;
    }
}

bool values_next_change(struct values *v, struct kad_change *ret_change)
{
    if (v->taken != NULL)
        entry_free(v->taken);
    v->taken = NULL;
    if (list_empty(&v->changes))
        return false;
    struct list *first = list_first(&v->changes);
    struct entry *e = container_of(first, struct entry, change);
    list_remove(first);
    v->stats.changes_count--;
    *ret_change = (struct kad_change){
        .kind = KAD_CHANGE_PUT,
        .key = entry_key(e),
        .value = {.p = e->row, .len = e->row_len},
    };
    if (e->row == NULL) {
        ret_change->kind = KAD_CHANGE_REMOVE;
        v->taken = e;
    }
    return true;
}

static enum err check_row(struct bytes key, struct bytes value)
{
    struct value_key parts;
    struct ipns_record record;
    enum err err = value_key_decode(key, &parts);

    if (err != OK)
        return err;
    if (parts.space == VALUE_PK)
        return check_pk(value, &parts.name);
    return ipns_decode(value, &record);
}

enum err values_load(struct values *v, struct bytes key, struct bytes value,
                     uint64_t unix_ms)
{
    struct rd r = rd_init(value);
    uint8_t version = rd_u8(&r);
    struct arrival a = {.key = key};
    a.group = rd_be64(&r);
    a.received_ms = rd_be64(&r);
    a.value = rd_rest(&r);
    if (r.err != OK)
        return r.err;
    if (version != ROW_VERSION)
        return E_UNSUPPORTED;
    enum err err = check_row(key, a.value);
    if (err != OK)
        return err;
    /* A clock that was set back must not make a value live for ever. */
    a.received_ms = min_u64(a.received_ms, unix_ms);
    a.ends_ms = ends_at(key, a.value, a.received_ms);
    if (find(v, key) != NULL || v->stats.count >= v->config.count_max ||
        v->stats.bytes + value.len > v->config.bytes_max)
        return E_LIMIT;
    struct entry *e = insert(v, &a);
    if (a.ends_ms <= unix_ms) {
        remove_entry(v, e);
        v->stats.ended++;
    }
    return OK;
}

struct values_stats values_get_stats(const struct values *v)
{
    return v->stats;
}
