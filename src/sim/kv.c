#include "sim/kv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/table.h"

enum { TABLE_NAME_MAX = 64, COMMIT_NS = 2 * SIM_MS, TRACE_MAX = 64 };

/* What puts one key back where it was. */
struct undo {
    uint32_t table;
    bool absent;
    uint8_t *key;
    size_t key_len;
    uint8_t *value;
    size_t value_len;
};

/* What puts one batch back. */
struct undo_batch {
    struct undo *steps;
    size_t count;
};

struct sim_kv_data {
    struct sim_table tables[KV_TABLES_MAX];
    char *names[KV_TABLES_MAX];
    size_t tables_count;
    struct undo_batch undos[SIM_KV_UNDO_MAX]; /* of a disk that lies */
    size_t undos_count;
    struct sim_kv *open; /* who has it open, or NULL */
    bool orphaned;       /* its directory has gone */
};

struct sim_kv {
    struct kv kv;
    struct sim_kv_opener *opener;
    struct sim_kv_data *data;
    uint32_t tables[KV_TABLES_MAX]; /* which of the data's each is */
    size_t tables_count;
    struct list queue; /* struct kv_batch */
    struct timer commit;
};

static struct sim_kv *of(struct kv *kv)
{
    return container_of(kv, struct sim_kv, kv);
}

/* Undoing. */

static void release_undo(struct undo_batch *u)
{
    for (size_t i = 0; i < u->count; i++) {
        mem_free(u->steps[i].key);
        mem_free(u->steps[i].value);
    }
    mem_free(u->steps);
    *u = (struct undo_batch){.count = 0};
}

static void forget_undos(struct sim_kv_data *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        release_undo(&data->undos[i]);
    memmove(data->undos, data->undos + count,
            (data->undos_count - count) * sizeof(data->undos[0]));
    data->undos_count -= count;
}

static struct undo undo_of(const struct sim_kv *kv, const struct kv_change *c)
{
    uint32_t table = kv->tables[c->table];
    struct undo u = {
        .table = table,
        .absent = true,
        .key = mem_dup(c->key.p, c->key.len),
        .key_len = c->key.len,
    };
    const struct sim_row *row =
        sim_table_seek(&kv->data->tables[table], c->key, true);
    if (row == NULL || !bytes_eq(row->key, c->key))
        return u;
    u.absent = false;
    u.value_len = row->value.len;
    u.value =
        row->value.len == 0 ? NULL : mem_dup(row->value.p, row->value.len);
    return u;
}

static void apply_undo(struct sim_kv_data *data, const struct undo *u)
{
    struct bytes key = {u->key, u->key_len};

    if (u->absent)
        sim_table_remove(&data->tables[u->table], key);
    else
        sim_table_put(&data->tables[u->table], key,
                      (struct bytes){u->value, u->value_len});
}

static void undo_last(struct sim_kv_data *data)
{
    struct undo_batch *u = &data->undos[--data->undos_count];

    for (size_t i = u->count; i > 0; i--)
        apply_undo(data, &u->steps[i - 1]);
    release_undo(u);
}

/* Committing. */

static void apply_change(struct sim_kv *kv, const struct kv_change *c)
{
    struct sim_table *t = &kv->data->tables[kv->tables[c->table]];

    if (c->remove)
        sim_table_remove(t, c->key);
    else
        sim_table_put(t, c->key, c->value);
}

static void apply(struct sim_kv *kv, const struct kv_batch *b)
{
    struct undo_batch *u = NULL;

    if (kv->opener->disk->lies) {
        if (kv->data->undos_count == SIM_KV_UNDO_MAX)
            forget_undos(kv->data, 1);
        u = &kv->data->undos[kv->data->undos_count++];
        u->steps = mem_zalloc(b->count, sizeof(u->steps[0]));
    } else {
        forget_undos(kv->data, kv->data->undos_count);
    }
    for (size_t i = 0; i < b->count; i++) {
        if (u != NULL)
            u->steps[u->count++] = undo_of(kv, &b->changes[i]);
        apply_change(kv, &b->changes[i]);
    }
}

static void trace(struct sim_kv *kv, const struct kv_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        sim_clock_trace(kv->opener->clock, SIM_COMMITTED, b->changes[i].key);
        if (!b->changes[i].remove)
            sim_clock_trace(kv->opener->clock, SIM_COMMITTED,
                            b->changes[i].value);
    }
}

static uint64_t bytes_of(const struct kv_batch *b)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < b->count; i++)
        sum += b->changes[i].key.len + b->changes[i].value.len;
    return sum;
}

static enum err commit_one(struct sim_kv *kv, const struct kv_batch *b)
{
    struct sim_disk *disk = kv->opener->disk;

    if (!sim_disk_step(disk, bytes_of(b)))
        return E_IO;
    if (disk->full)
        return E_NOSPACE;
    apply(kv, b);
    trace(kv, b);
    return OK;
}

static void on_commit(struct timer *t, struct mtime now)
{
    struct sim_kv *kv = container_of(t, struct sim_kv, commit);
    struct list taken;

    list_init(&taken);
    while (!list_empty(&kv->queue)) {
        struct list *it = list_first(&kv->queue);
        struct kv_batch *b = container_of(it, struct kv_batch, link);
        list_remove(it);
        b->err = commit_one(kv, b);
        list_add_tail(&taken, it);
    }
    while (!list_empty(&taken)) {
        struct list *it = list_first(&taken);
        struct kv_batch *b = container_of(it, struct kv_batch, link);
        list_remove(it);
        b->done(b, b->err, now);
    }
}

/* struct kv. */

static enum err do_get(struct kv *kv, uint32_t table, struct bytes key,
                       struct bytes *ret_value)
{
    struct sim_kv *k = of(kv);
    assert(table < k->tables_count);

    if (k->opener->disk->dead)
        return E_IO;
    const struct sim_row *row =
        sim_table_seek(&k->data->tables[k->tables[table]], key, true);
    if (row == NULL || !bytes_eq(row->key, key))
        return E_NOTFOUND;
    *ret_value = row->value;
    return OK;
}

static enum err do_next(struct kv *kv, uint32_t table, struct bytes key,
                        bool inclusive, struct bytes *ret_key,
                        struct bytes *ret_value)
{
    struct sim_kv *k = of(kv);
    assert(table < k->tables_count);

    if (k->opener->disk->dead)
        return E_IO;
    const struct sim_row *row =
        sim_table_seek(&k->data->tables[k->tables[table]], key, inclusive);
    if (row == NULL)
        return E_NOTFOUND;
    *ret_key = row->key;
    *ret_value = row->value;
    return OK;
}

static uint64_t do_count(struct kv *kv, uint32_t table)
{
    const struct sim_kv *k = of(kv);

    return k->data->tables[k->tables[table]].count;
}

static void do_write(struct kv *kv, struct kv_batch *b)
{
    struct sim_kv *k = of(kv);
    struct sim_kv_opener *o = k->opener;

    for (size_t i = 0; i < b->count; i++) {
        assert(b->changes[i].key.len > 0);
        assert(b->changes[i].key.len <= KV_KEY_MAX);
        assert(b->changes[i].table < k->tables_count);
    }
    list_add_tail(&k->queue, &b->link);
    if (k->commit.place == 0)
        sim_clock_after(o->clock, &k->commit,
                        o->commit_ns +
                            sim_rand_below(&o->rand, o->commit_ns + 1));
}

/* Their @done may be left out after this. */
static void commit_quietly(struct sim_kv *kv)
{
    while (!list_empty(&kv->queue)) {
        struct list *it = list_first(&kv->queue);
        list_remove(it);
        (void)commit_one(kv, container_of(it, struct kv_batch, link));
    }
}

static void do_close(struct kv *kv)
{
    struct sim_kv *k = of(kv);

    commit_quietly(k);
    sim_clock_set(k->opener->clock, &k->commit, MTIME_NEVER);
    k->data->open = NULL;
    if (k->data->orphaned)
        sim_kv_data_free(k->data);
    mem_free(k);
}

/* Opening. */

static uint32_t table_of(struct sim_kv_data *data, const char *name)
{
    for (uint32_t i = 0; i < data->tables_count; i++) {
        if (strcmp(data->names[i], name) == 0)
            return i;
    }
    assert(data->tables_count < KV_TABLES_MAX);
    data->names[data->tables_count] = mem_strdup(name);
    return (uint32_t)data->tables_count++;
}

static enum err do_open(struct kv_opener *opener, const char *path,
                        const char *const *tables, size_t count,
                        struct kv **ret_kv)
{
    struct sim_kv_opener *o =
        container_of(opener, struct sim_kv_opener, opener);
    enum err err;
    struct sim_kv_data *data = sim_disk_kv(o->disk, path, &err);
    if (data == NULL)
        return err;

    assert(data->open == NULL);
    assert(count <= KV_TABLES_MAX);
    struct sim_kv *kv = mem_zalloc(1, sizeof(*kv));
    kv->kv = (struct kv){do_get, do_next, do_count, do_write, do_close};
    kv->opener = o;
    kv->data = data;
    kv->tables_count = count;
    for (size_t i = 0; i < count; i++)
        kv->tables[i] = table_of(data, tables[i]);
    list_init(&kv->queue);
    timer_init(&kv->commit, on_commit);
    data->open = kv;
    *ret_kv = &kv->kv;
    return OK;
}

void sim_kv_opener_init(struct sim_kv_opener *o, struct sim_disk *disk,
                        uint64_t seed)
{
    *o = (struct sim_kv_opener){
        .opener = {.open = do_open},
        .clock = disk->clock,
        .disk = disk,
        .commit_ns = COMMIT_NS,
    };
    sim_rand_init(&o->rand, seed, "kv", disk->clock->index);
}

struct sim_kv_data *sim_kv_data_new(void)
{
    return mem_zalloc(1, sizeof(struct sim_kv_data));
}

void sim_kv_data_free(struct sim_kv_data *data)
{
    if (data == NULL)
        return;
    data->orphaned = true;
    if (data->open != NULL)
        return;
    forget_undos(data, data->undos_count);
    for (size_t i = 0; i < data->tables_count; i++) {
        sim_table_release(&data->tables[i]);
        mem_free(data->names[i]);
    }
    mem_free(data);
}

void sim_kv_data_power(struct sim_kv_data *data, struct sim_rand *rand)
{
    size_t waiting = 0;

    if (data->undos_count > 0) {
        size_t lost = (size_t)sim_rand_below(rand, data->undos_count + 1);
        while (lost-- > 0)
            undo_last(data);
        forget_undos(data, data->undos_count);
        return;
    }
    if (data->open == NULL)
        return;
    list_for_each (it, &data->open->queue)
        waiting++;
    if (waiting == 0)
        return;
    /* The commit was under way and came so far, but nobody was told. */
    size_t kept = (size_t)sim_rand_below(rand, waiting + 1);
    list_for_each (it, &data->open->queue) {
        if (kept-- == 0)
            break;
        apply(data->open, container_of(it, struct kv_batch, link));
    }
}
