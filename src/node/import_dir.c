#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/disk.h"
#include "node/import_priv.h"

/* Jobs. */

static enum err stat_entry(struct import_dir *d, struct import_entry *e)
{
    struct disk_stat st;
    enum err err = d->disk->stat(d->disk, d->file, e->name, &st);

    if (err != OK)
        return err;
    e->kind = st.kind;
    e->size_bytes = st.kind == DISK_IS_FILE ? st.size_bytes : 0;
    return OK;
}

static enum err stat_entries(struct import_dir *d)
{
    for (size_t i = 0; i < d->count; i++) {
        enum err err = stat_entry(d, &d->entries[i]);
        if (err != OK) {
            d->err_index = i;
            return err;
        }
        d->bytes += d->entries[i].size_bytes;
    }
    return OK;
}

static bool entry_before(const struct import_entry *a,
                         const struct import_entry *b)
{
    return strcmp(a->name, b->name) < 0;
}

/* Merges [@from, @mid) and [@mid, @end) of @src to @dst. */
static void merge(const struct import_entry *src, size_t from, size_t mid,
                  size_t end, struct import_entry *dst)
{
    size_t a = from;
    size_t b = mid;

    for (size_t i = from; i < end; i++) {
        bool take_b = a == mid || (b < end && entry_before(&src[b], &src[a]));
        dst[i] = take_b ? src[b++] : src[a++];
    }
}

/* The C library's sort is out of reach here, and the worst case of this one is
 * as good as its best. */
static struct import_entry *sort_entries(struct import_entry *entries,
                                         size_t count)
{
    struct import_entry *other = mem_alloc(count * sizeof(*other));

    for (size_t width = 1; width < count; width *= 2) {
        for (size_t from = 0; from < count; from += 2 * width) {
            size_t mid = count - from < width ? count : from + width;
            size_t end = count - mid < width ? count : mid + width;
            merge(entries, from, mid, end, other);
        }
        struct import_entry *sorted = other;
        other = entries;
        entries = sorted;
    }
    mem_free(other);
    return entries;
}

static void take_names(struct import_dir *d, const struct disk_names *names)
{
    const char *name = names->names;

    d->names = names->names;
    d->entries = mem_alloc(names->count * sizeof(*d->entries));
    for (size_t i = 0; i < names->count; i++) {
        if (!d->no_hidden || name[0] != '.')
            d->entries[d->count++] = (struct import_entry){.name = name};
        name += strlen(name) + 1;
    }
}

static enum err list_dir(struct import_dir *d)
{
    struct disk_names names;
    const char *name = d->parent->entries[d->index].name;
    enum err err =
        d->disk->open(d->disk, d->parent->file, name,
                      DISK_READ | DISK_DIR | DISK_NOFOLLOW, &d->file);

    if (err != OK) {
        struct disk_stat st;
        d->changed = err == E_REFUSED &&
                     d->disk->stat(d->disk, d->parent->file, name, &st) == OK &&
                     st.kind != DISK_IS_DIR;
        return err;
    }
    err = d->disk->list(d->disk, d->file, DIR_ENTRIES_MAX, &names);
    if (err != OK)
        return err;
    take_names(d, &names);
    return OK;
}

static void run_list(struct pool_job *job)
{
    struct import_dir *d = container_of(job, struct import_dir, job);

    d->err = d->parent == NULL ? OK : list_dir(d);
    if (d->err != OK) {
        d->err_index = d->count;
        return;
    }
    d->err = stat_entries(d);
    if (d->err == OK && d->parent != NULL && d->count > 1)
        d->entries = sort_entries(d->entries, d->count);
}

static void on_listed(struct pool_job *job, struct mtime now)
{
    struct import_dir *d = container_of(job, struct import_dir, job);
    struct import *im = d->im;

    d->listing = false;
    if (d->parent != NULL)
        import_dir_drop(d->parent);
    if (!import_job_end(im)) {
        import_dir_planned(d);
    } else if (d->err != OK) {
        import_fail_disk(im, d->err, d->changed, d, d->err_index);
    } else {
        d->listed = true;
        im->progress.bytes_total += d->bytes;
    }
    import_pump(im, now);
}

static void run_sort(struct pool_job *job)
{
    struct import_dir *d = container_of(job, struct import_dir, job);

    d->err = dir_builder_finish(&d->builder);
}

static void on_sorted(struct pool_job *job, struct mtime now)
{
    struct import_dir *d = container_of(job, struct import_dir, job);

    d->made = IMPORT_DIR_SORTED;
    (void)import_job_end(d->im); /* the maker looks at it, if there is one */
    import_pump(d->im, now);
}

static void run_close(struct pool_job *job)
{
    struct import_dir *d = container_of(job, struct import_dir, closer);

    d->disk->close(d->disk, d->file);
}

static void on_closed(struct pool_job *job, struct mtime now)
{
    struct import_dir *d = container_of(job, struct import_dir, closer);
    struct import *im = d->im;

    d->file = NULL;
    d->closing = false;
    if (d->ended)
        import_dir_free(d);
    (void)import_job_end(im); /* nothing waits for it but the end */
    import_pump(im, now);
}

/* The loop's side. */

struct import_dir *import_dir_new(struct import *im, struct import_dir *parent,
                                  size_t index)
{
    struct import_dir *d = mem_zalloc(1, sizeof(*d));

    d->im = im;
    d->parent = parent;
    d->index = index;
    d->depth = parent == NULL ? 0 : parent->depth + 1;
    d->disk = im->disk;
    d->no_hidden = im->config.no_hidden;
    d->users = 1;
    d->end.kind = IMPORT_STEP_DIR_END;
    list_init(&d->end.link);
    list_init(&d->link);
    list_init(&d->ahead_link);
    list_add_tail(&im->dirs, &d->link);
    dir_builder_init(&d->builder, &im->config.profile);
    return d;
}

struct import_dir *import_dir_top(struct import *im, const char *const *paths,
                                  size_t count)
{
    struct import_dir *d = import_dir_new(im, NULL, 0);
    size_t len = 0;

    for (size_t i = 0; i < count; i++)
        len += strlen(paths[i]) + 1;
    d->names = mem_alloc(len);
    d->entries = mem_alloc(count * sizeof(*d->entries));
    d->count = count;
    len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(paths[i]) + 1;
        memcpy(d->names + len, paths[i], size);
        d->entries[i] = (struct import_entry){.name = d->names + len};
        len += size;
    }
    return d;
}

void import_dir_list(struct import_dir *d)
{
    d->listing = true;
    if (d->parent != NULL)
        d->parent->users++;
    d->job.run = run_list;
    d->job.done = on_listed;
    import_job_begin(d->im, &d->job, POOL_DISK);
}

void import_dir_drop(struct import_dir *d)
{
    assert(d->users > 0);
    d->users--;
    if (d->users > 0 || d->file == NULL)
        return;
    d->closing = true;
    d->closer.run = run_close;
    d->closer.done = on_closed;
    import_job_begin(d->im, &d->closer, POOL_DISK);
}

void import_dir_planned(struct import_dir *d)
{
    if (d->planned || d->listing)
        return;
    d->planned = true;
    import_dir_drop(d);
}

void import_dir_sort(struct import_dir *d)
{
    d->made = IMPORT_DIR_SORTING;
    d->job.run = run_sort;
    d->job.done = on_sorted;
    import_job_begin(d->im, &d->job, POOL_CPU);
}

void import_dir_ended(struct import_dir *d)
{
    assert(d->users == 0);
    d->ended = true;
    if (!d->closing)
        import_dir_free(d);
}

void import_dir_free(struct import_dir *d)
{
    assert(!d->closing && d->users == 0);
    list_remove(&d->link);
    dir_builder_release(&d->builder);
    mem_free(d->names);
    mem_free(d->entries);
    mem_free(d);
}
