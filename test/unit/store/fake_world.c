#include "fake_world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Handles are files themselves; this one stands for the directory. */
struct disk_file {
    struct fake_file *file; /* NULL: the directory */
};

static uint64_t next_random(struct fake_world *w)
{
    uint64_t z = w->seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t world_random(struct fake_world *w, uint32_t limit)
{
    return (uint32_t)(next_random(w) % limit);
}

/* Clock. */

static struct mtime clock_now(struct clock *c)
{
    return container_of(c, struct fake_world, clock)->now;
}

static uint64_t clock_unix_ms(struct clock *c)
{
    (void)c;
    return UINT64_C(1700000000000);
}

static void unset(struct fake_world *w, const struct timer *t)
{
    size_t count = 0;

    for (size_t i = 0; i < w->timers_count; i++)
        if (w->timers[i] != t)
            w->timers[count++] = w->timers[i];
    w->timers_count = count;
}

static void clock_set(struct clock *c, struct timer *t, struct mtime at)
{
    struct fake_world *w = container_of(c, struct fake_world, clock);

    unset(w, t);
    t->at = at;
    t->seq = w->timers_set++;
    if (at.ns == MTIME_NEVER.ns)
        return;
    assert(w->timers_count < FAKE_TIMERS_MAX);
    w->timers[w->timers_count++] = t;
}

static struct timer *first_timer(struct fake_world *w)
{
    struct timer *first = NULL;

    for (size_t i = 0; i < w->timers_count; i++) {
        struct timer *t = w->timers[i];
        if (first == NULL || t->at.ns < first->at.ns ||
            (t->at.ns == first->at.ns && t->seq < first->seq))
            first = t;
    }
    return first;
}

/* Pool. */

static void pool_submit(struct pool *p, struct pool_job *job,
                        enum pool_kind kind)
{
    struct fake_world *w = container_of(p, struct fake_world, pool);

    job->kind = kind;
    list_init(&job->link);
    list_add_tail(&w->queued, &job->link);
}

static size_t list_len(const struct list *l)
{
    size_t n = 0;

    list_for_each (it, l)
        n++;
    return n;
}

static struct pool_job *pick(struct fake_world *w, struct list *l, size_t max)
{
    size_t n = list_len(l);
    size_t at = world_random(w, (uint32_t)(n < max ? n : max));

    list_for_each (it, l) {
        if (at-- == 0)
            return container_of(it, struct pool_job, link);
    }
    return NULL;
}

static void run_job(struct fake_world *w)
{
    struct pool_job *job = pick(w, &w->queued, 4);

    assert(job != NULL);
    list_remove(&job->link);
    job->run(job);
    list_add_tail(&w->ran, &job->link);
}

static void end_job(struct fake_world *w)
{
    struct pool_job *job = pick(w, &w->ran, SIZE_MAX);

    assert(job != NULL);
    list_remove(&job->link);
    job->done(job, w->now);
}

/* Rng. */

static void rng_fill(struct rng *r, uint8_t *dst, size_t len)
{
    struct fake_world *w = container_of(r, struct fake_world, rng);

    for (size_t i = 0; i < len; i++)
        dst[i] = (uint8_t)next_random(w);
}

/* Key-value tables. */

static struct fake_kv *kv_of(struct kv *kv)
{
    return container_of(kv, struct fake_kv, kv);
}

static struct bytes row_key(const struct fake_row *r)
{
    return (struct bytes){r->key, r->key_len};
}

static size_t row_at(const struct fake_table *t, struct bytes key)
{
    size_t low = 0;
    size_t high = t->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (bytes_cmp(row_key(&t->rows[mid]), key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static enum err kv_next(struct kv *kv, uint32_t table, struct bytes key,
                        bool inclusive, struct bytes *ret_key,
                        struct bytes *ret_value)
{
    struct fake_table *t = &kv_of(kv)->tables[table];
    size_t at = row_at(t, key);

    if (at < t->count && !inclusive && bytes_eq(row_key(&t->rows[at]), key))
        at++;
    if (at == t->count)
        return E_NOTFOUND;
    *ret_key = row_key(&t->rows[at]);
    *ret_value = (struct bytes){t->rows[at].value, t->rows[at].value_len};
    return OK;
}

static enum err kv_get(struct kv *kv, uint32_t table, struct bytes key,
                       struct bytes *ret_value)
{
    struct fake_table *t = &kv_of(kv)->tables[table];
    size_t at = row_at(t, key);

    assert(key.len > 0);
    kv_of(kv)->gets++;
    if (at == t->count || !bytes_eq(row_key(&t->rows[at]), key))
        return E_NOTFOUND;
    *ret_value = (struct bytes){t->rows[at].value, t->rows[at].value_len};
    return OK;
}

static uint64_t kv_count(struct kv *kv, uint32_t table)
{
    return kv_of(kv)->tables[table].count;
}

static void row_free(struct fake_row *r)
{
    mem_free(r->key);
    mem_free(r->value);
}

static void apply(struct fake_table *t, const struct kv_change *c)
{
    size_t at = row_at(t, c->key);
    bool there = at < t->count && bytes_eq(row_key(&t->rows[at]), c->key);

    if (there && c->remove) {
        row_free(&t->rows[at]);
        memmove(t->rows + at, t->rows + at + 1,
                (--t->count - at) * sizeof(*t->rows));
    }
    if (c->remove)
        return;
    if (there) {
        mem_free(t->rows[at].value);
    } else {
        if (t->count == t->room) {
            t->room = t->room == 0 ? 64 : 2 * t->room;
            t->rows = mem_resize(t->rows, t->room, sizeof(*t->rows));
        }
        memmove(t->rows + at + 1, t->rows + at,
                (t->count++ - at) * sizeof(*t->rows));
        t->rows[at].key = mem_dup(c->key.p, c->key.len);
        t->rows[at].key_len = c->key.len;
    }
    t->rows[at].value = mem_dup(c->value.p, c->value.len);
    t->rows[at].value_len = c->value.len;
}

static void kv_write(struct kv *kv, struct kv_batch *b)
{
    b->err = E_AGAIN; /* not committed */
    list_init(&b->link);
    list_add_tail(&kv_of(kv)->batches, &b->link);
}

/* A batch is committed in one step and told in another. */
static void kv_step(struct fake_kv *k)
{
    struct kv_batch *b =
        container_of(list_first(&k->batches), struct kv_batch, link);

    if (b->err != E_AGAIN) {
        list_remove(&b->link);
        b->done(b, b->err, k->world->now);
        return;
    }
    b->err = k->fail;
    if (k->fail != OK)
        return;
    k->commits++;
    for (size_t i = 0; i < b->count; i++)
        apply(&k->tables[b->changes[i].table], &b->changes[i]);
}

static void kv_init(struct fake_kv *k, struct fake_world *w)
{
    *k = (struct fake_kv){.world = w};
    list_init(&k->batches);
    k->kv = (struct kv){
        .get = kv_get, .next = kv_next, .count = kv_count, .write = kv_write};
}

static void kv_empty(struct fake_kv *k)
{
    for (size_t t = 0; t < FAKE_TABLES_MAX; t++) {
        for (size_t i = 0; i < k->tables[t].count; i++)
            row_free(&k->tables[t].rows[i]);
        mem_free(k->tables[t].rows);
        k->tables[t] = (struct fake_table){.rows = NULL};
    }
}

static void kv_copy(const struct fake_kv *from, struct fake_kv *to)
{
    for (uint32_t t = 0; t < FAKE_TABLES_MAX; t++) {
        for (size_t i = 0; i < from->tables[t].count; i++) {
            const struct fake_row *r = &from->tables[t].rows[i];
            struct kv_change c = {.table = t,
                                  .key = row_key(r),
                                  .value = {r->value, r->value_len}};
            apply(&to->tables[t], &c);
        }
    }
}

/* Disk. */

static struct fake_world *world_of(struct disk *d)
{
    return container_of(d, struct fake_world, disk);
}

struct fake_file *world_file(struct fake_world *w, const char *name)
{
    for (size_t i = 0; i < w->files_count; i++)
        if (w->files[i]->named && strcmp(w->files[i]->name, name) == 0)
            return w->files[i];
    return NULL;
}

static struct fake_file *add_file(struct fake_world *w, const char *name)
{
    struct fake_file *f = mem_zalloc(1, sizeof(*f));

    assert(strlen(name) < sizeof(f->name));
    assert(w->files_count < FAKE_FILES_MAX);
    memcpy(f->name, name, strlen(name) + 1);
    f->named = true;
    w->files[w->files_count++] = f;
    return f;
}

static enum err disk_open(struct disk *d, struct disk_file *dir,
                          const char *name, unsigned flags,
                          struct disk_file **ret_file)
{
    struct fake_world *w = world_of(d);
    struct fake_file *f = NULL;

    if ((flags & DISK_DIR) == 0) {
        assert(dir != NULL);
        f = world_file(w, name);
        if (f != NULL && (flags & DISK_EXCL) != 0)
            return E_EXISTS;
        if (f == NULL && (flags & DISK_CREATE) == 0)
            return E_NOTFOUND;
        if (f == NULL)
            f = add_file(w, name);
        f->opened++;
    }
    struct disk_file *handle = mem_zalloc(1, sizeof(*handle));
    handle->file = f;
    *ret_file = handle;
    return OK;
}

static void disk_close(struct disk *d, struct disk_file *f)
{
    (void)d;
    if (f != NULL && f->file != NULL)
        f->file->opened--;
    mem_free(f);
}

static enum err disk_read(struct disk *d, struct disk_file *h, uint64_t offset,
                          uint8_t *dst, size_t len, size_t *ret_len)
{
    const struct fake_file *f = h->file;

    world_of(d)->reads++;
    if (world_of(d)->fail_reads)
        return E_IO;
    size_t left = offset < f->len ? f->len - (size_t)offset : 0;
    if (len > left)
        len = left;
    if (len > 0)
        memcpy(dst, f->data + offset, len);
    *ret_len = len;
    return OK;
}

static void note(struct fake_file *f, bool truncate, size_t offset,
                 const uint8_t *data, size_t len)
{
    f->writes = mem_resize(f->writes, f->writes_count + 1, sizeof(*f->writes));
    f->writes[f->writes_count++] =
        (struct fake_write){.truncate = truncate,
                            .offset = offset,
                            .data = len > 0 ? mem_dup(data, len) : NULL,
                            .len = len};
}

static void put_bytes(uint8_t **data, size_t *len, size_t *room, size_t offset,
                      const uint8_t *src, size_t count)
{
    size_t end = offset + count;

    if (end > *room) {
        *room = end * 2;
        *data = mem_resize(*data, *room, 1);
    }
    if (offset > *len)
        memset(*data + *len, 0, offset - *len);
    if (count > 0)
        memcpy(*data + offset, src, count);
    if (end > *len)
        *len = end;
}

uint64_t world_used(const struct fake_world *w)
{
    uint64_t used = 0;

    for (size_t i = 0; i < w->files_count; i++)
        if (w->files[i]->named || w->files[i]->opened > 0)
            used += w->files[i]->len;
    return used;
}

static bool count_down(int *in)
{
    if (*in == 0)
        return false;
    return --*in == 0;
}

static enum err disk_write(struct disk *d, struct disk_file *h, uint64_t offset,
                           const struct bytes *pieces, size_t count)
{
    struct fake_world *w = world_of(d);
    struct fake_file *f = h->file;
    size_t at = (size_t)offset;
    uint64_t used = world_used(w);
    bool fails = count_down(&w->fail_write_in);

    w->writes++;
    for (size_t i = 0; i < count; i++) {
        size_t len = pieces[i].len;
        uint64_t left = w->capacity > used ? w->capacity - used : 0;
        bool full = len > left;
        if (full)
            len = (size_t)left;
        if (fails)
            len = len / 2;
        note(f, false, at, pieces[i].p, len);
        put_bytes(&f->data, &f->len, &f->room, at, pieces[i].p, len);
        at += len;
        used += len;
        if (full)
            return E_NOSPACE;
        if (fails && i * 2 >= count)
            return E_IO;
    }
    return fails ? E_IO : OK;
}

static void drop_writes(struct fake_file *f)
{
    for (size_t i = 0; i < f->writes_count; i++)
        mem_free(f->writes[i].data);
    mem_free(f->writes);
    f->writes = NULL;
    f->writes_count = 0;
}

static enum err disk_sync(struct disk *d, struct disk_file *h)
{
    struct fake_world *w = world_of(d);
    struct fake_file *f = h->file;

    w->syncs++;
    if (count_down(&w->fail_sync_in))
        return E_IO;
    drop_writes(f);
    mem_free(f->synced);
    f->synced = mem_dup(f->data, f->len);
    f->synced_len = f->len;
    return OK;
}

static void disk_flush(struct disk *d, struct disk_file *f, uint64_t offset,
                       uint64_t len)
{
    (void)d;
    (void)f;
    (void)offset;
    (void)len;
}

static enum err disk_truncate(struct disk *d, struct disk_file *h, uint64_t len)
{
    struct fake_file *f = h->file;

    if (world_of(d)->fail_truncate)
        return E_IO;
    note(f, true, (size_t)len, NULL, 0);
    if (len < f->len)
        f->len = (size_t)len;
    else
        put_bytes(&f->data, &f->len, &f->room, (size_t)len, NULL, 0);
    return OK;
}

static enum err disk_stat_file(struct disk *d, struct disk_file *h,
                               struct disk_stat *ret_stat)
{
    (void)d;
    *ret_stat =
        (struct disk_stat){.kind = DISK_IS_FILE, .size_bytes = h->file->len};
    return OK;
}

static enum err disk_unlink(struct disk *d, struct disk_file *dir,
                            const char *name, bool is_dir)
{
    struct fake_file *f = world_file(world_of(d), name);

    (void)dir;
    assert(!is_dir);
    if (f == NULL)
        return E_NOTFOUND;
    f->named = false;
    return OK;
}

static enum err disk_list(struct disk *d, struct disk_file *dir,
                          size_t count_max, struct disk_names *ret_names)
{
    struct fake_world *w = world_of(d);
    struct disk_names n = {.names = mem_alloc(FAKE_NAMES_MAX)};

    (void)dir;
    for (size_t i = 0; i < w->files_count && n.count < count_max; i++) {
        size_t len = strlen(w->files[i]->name) + 1;
        if (!w->files[i]->named)
            continue;
        memcpy(n.names + n.len, w->files[i]->name, len);
        n.len += len;
        n.count++;
    }
    *ret_names = n;
    return OK;
}

static enum err disk_sync_dir(struct disk *d, struct disk_file *dir)
{
    struct fake_world *w = world_of(d);

    (void)dir;
    if (count_down(&w->fail_sync_in))
        return E_IO;
    for (size_t i = 0; i < w->files_count; i++)
        w->files[i]->named_synced = w->files[i]->named;
    return OK;
}

static enum err disk_space(struct disk *d, struct disk_file *f,
                           struct disk_space *ret_space)
{
    struct fake_world *w = world_of(d);
    uint64_t used = world_used(w);

    (void)f;
    *ret_space = (struct disk_space){
        .free_bytes = used < w->capacity ? w->capacity - used : 0,
        .total_bytes = w->capacity};
    return OK;
}

/* The whole. */

void world_init(struct fake_world *w, uint64_t seed)
{
    *w = (struct fake_world){.seed = seed, .capacity = UINT64_MAX / 2};
    list_init(&w->queued);
    list_init(&w->ran);
    w->clock = (struct clock){
        .now = clock_now, .unix_ms = clock_unix_ms, .set = clock_set};
    w->pool.submit = pool_submit;
    w->rng.fill = rng_fill;
    w->disk = (struct disk){.open = disk_open,
                            .close = disk_close,
                            .read = disk_read,
                            .write = disk_write,
                            .sync = disk_sync,
                            .flush = disk_flush,
                            .truncate = disk_truncate,
                            .stat_file = disk_stat_file,
                            .unlink = disk_unlink,
                            .list = disk_list,
                            .sync_dir = disk_sync_dir,
                            .space = disk_space};
    kv_init(&w->index, w);
    kv_init(&w->pins, w);
    w->env = (struct env){
        .clock = &w->clock, .rng = &w->rng, .disk = &w->disk, .pool = &w->pool};
}

void world_release(struct fake_world *w)
{
    for (size_t i = 0; i < w->files_count; i++) {
        struct fake_file *f = w->files[i];
        drop_writes(f);
        mem_free(f->data);
        mem_free(f->synced);
        mem_free(f);
    }
    kv_empty(&w->index);
    kv_empty(&w->pins);
}

void world_change(struct fake_world *w, const struct kv_change *c)
{
    apply(&w->index.tables[c->table], c);
}

void world_lose_index(struct fake_world *w)
{
    kv_empty(&w->index);
}

bool world_step(struct fake_world *w)
{
    struct timer *t = first_timer(w);
    bool can[5] = {
        !list_empty(&w->queued),
        !list_empty(&w->ran),
        !list_empty(&w->index.batches),
        !list_empty(&w->pins.batches),
        t != NULL && t->at.ns <= w->now.ns,
    };

    if (!can[0] && !can[1] && !can[2] && !can[3] && !can[4])
        return false;
    uint32_t at = world_random(w, 5);
    while (!can[at])
        at = (at + 1) % 5;
    if (at == 0) {
        run_job(w);
    } else if (at == 1) {
        end_job(w);
    } else if (at == 2) {
        kv_step(&w->index);
    } else if (at == 3) {
        kv_step(&w->pins);
    } else if (t != NULL) {
        unset(w, t);
        t->at = MTIME_NEVER;
        t->fire(t, w->now);
    }
    return true;
}

void world_run(struct fake_world *w)
{
    for (uint64_t steps = 0; world_step(w); steps++)
        assert(steps < UINT64_C(200000000)); /* it goes on for ever */
}

void world_pass(struct fake_world *w, uint32_t ms)
{
    struct mtime end = mtime_add_ms(w->now, ms);

    for (;;) {
        world_run(w);
        struct timer *t = first_timer(w);
        if (t == NULL || t->at.ns > end.ns)
            break;
        w->now = t->at;
    }
    w->now = end;
}

/* What is left of @f: some of what was not synced, some of it in part. */
static void crash_file(struct fake_world *to, const struct fake_file *f)
{
    bool gone =
        f->named_synced == f->named ? !f->named : world_random(to, 2) == 0;

    if (gone)
        return;
    struct fake_file *n = add_file(to, f->name);
    n->named_synced = true;
    put_bytes(&n->data, &n->len, &n->room, 0, f->synced, f->synced_len);
    for (size_t i = 0; i < f->writes_count; i++) {
        const struct fake_write *wr = &f->writes[i];
        uint32_t fate = world_random(to, 4);
        size_t len = wr->len;
        if (fate == 0)
            continue;
        if (fate == 1 && len > 0)
            len = world_random(to, (uint32_t)len);
        if (!wr->truncate)
            put_bytes(&n->data, &n->len, &n->room, wr->offset, wr->data, len);
        else if (wr->offset < n->len)
            n->len = wr->offset;
    }
    n->synced = mem_dup(n->data, n->len);
    n->synced_len = n->len;
}

void world_crash(struct fake_world *from, struct fake_world *to, uint64_t seed)
{
    world_init(to, seed);
    to->capacity = from->capacity;
    kv_copy(&from->index, &to->index);
    kv_copy(&from->pins, &to->pins);
    for (size_t i = 0; i < from->files_count; i++)
        crash_file(to, from->files[i]);
}
