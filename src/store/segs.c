#include "store/segs.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "env/disk.h"
#include "env/pool.h"

/* Closes a file and, when @number is not 0, removes it. */
struct goodbye {
    struct pool_job job;
    struct segs *segs;
    struct segment *segment;
    struct disk_file *file;
    uint32_t number;
    enum err err;
};

static void goodbye_run(struct pool_job *job)
{
    struct goodbye *g = container_of(job, struct goodbye, job);
    struct disk *disk = g->segs->disk;
    char name[SEGMENT_NAME_MAX];

    disk->close(disk, g->file);
    if (g->number == 0)
        return;
    segment_name(g->number, name);
    g->err = disk->unlink(disk, g->segs->dir, name, false);
    /* Without its row a file that came back would be taken for a new one. */
    if (g->err == OK)
        g->err = disk->sync_dir(disk, g->segs->dir);
}

static void goodbye_done(struct pool_job *job, struct mtime now)
{
    struct goodbye *g = container_of(job, struct goodbye, job);

    (void)now;
    g->segs->jobs--;
    /* A file that stays in spite of this goes at the next start, which finds
     * the row of a retired segment. */
    if (g->segment != NULL && (g->err == OK || g->err == E_NOTFOUND)) {
        g->segment->removed = true;
        g->segment->changed = true;
        g->segs->gone++;
    }
    mem_free(g);
}

static void say_goodbye(struct segs *ss, struct disk_file *file,
                        struct segment *remove)
{
    struct goodbye *g = mem_zalloc(1, sizeof(*g));

    g->segs = ss;
    g->file = file;
    g->segment = remove;
    g->number = remove != NULL ? remove->number : 0;
    g->job.run = goodbye_run;
    g->job.done = goodbye_done;
    ss->jobs++;
    ss->pool->submit(ss->pool, &g->job, POOL_DISK);
}

void segs_release(struct segs *ss)
{
    assert(ss->jobs == 0);

    for (size_t i = 0; i < ss->count; i++) {
        assert(ss->items[i]->readers == 0);
        ss->disk->close(ss->disk, ss->items[i]->file);
        mem_free(ss->items[i]);
    }
    mem_free(ss->items);
    ss->items = NULL;
    ss->count = 0;
}

/* Index of the first segment with a number of at least @number. */
static size_t lower_bound(const struct segs *ss, uint32_t number)
{
    size_t low = 0;
    size_t high = ss->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ss->items[mid]->number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct segment *segs_find(const struct segs *ss, uint32_t number)
{
    size_t i = lower_bound(ss, number);

    if (i == ss->count || ss->items[i]->number != number)
        return NULL;
    return ss->items[i];
}

struct segment *segs_after(const struct segs *ss, uint32_t number)
{
    size_t i = lower_bound(ss, number + 1);

    return i < ss->count ? ss->items[i] : NULL;
}

struct segment *segs_add(struct segs *ss, uint32_t number)
{
    size_t at = lower_bound(ss, number);
    assert(at == ss->count || ss->items[at]->number != number);

    if (ss->count == ss->room) {
        ss->room = ss->room == 0 ? 16 : 2 * ss->room;
        ss->items = mem_resize(ss->items, ss->room, sizeof(void *));
    }
    memmove(ss->items + at + 1, ss->items + at,
            (ss->count - at) * sizeof(void *));
    struct segment *g = mem_zalloc(1, sizeof(*g));
    g->number = number;
    ss->items[at] = g;
    ss->count++;
    return g;
}

void segs_hold(struct segs *ss, struct segment *g)
{
    g->readers++;
    g->used_at = ++ss->uses;
}

static void close_oldest(struct segs *ss)
{
    struct segment *oldest = NULL;

    for (size_t i = 0; i < ss->count; i++) {
        struct segment *g = ss->items[i];
        if (g->file == NULL || g->readers > 0)
            continue;
        if (oldest == NULL || g->used_at < oldest->used_at)
            oldest = g;
    }
    if (oldest == NULL)
        return;
    say_goodbye(ss, oldest->file, NULL);
    oldest->file = NULL;
    ss->open_count--;
}

static void bury(struct segs *ss, struct segment *g)
{
    if (g->file != NULL)
        ss->open_count--;
    say_goodbye(ss, g->file, g);
    g->file = NULL;
}

void segs_drop(struct segs *ss, struct segment *g, struct disk_file *opened)
{
    assert(g->readers > 0);

    g->readers--;
    if (opened != NULL && g->file == NULL) {
        g->file = opened;
        ss->open_count++;
    } else if (opened != NULL) {
        say_goodbye(ss, opened, NULL);
    }
    if (g->retired && g->readers == 0)
        bury(ss, g);
    if (ss->open_count > ss->open_max)
        close_oldest(ss);
}

void segs_retire(struct segs *ss, struct segment *g)
{
    assert(!g->retired);
    assert(g->live_bytes == 0);

    g->retired = true;
    g->changed = true;
    if (g->readers == 0)
        bury(ss, g);
}

void segs_forget(struct segs *ss, struct segment *g)
{
    size_t at = lower_bound(ss, g->number);

    assert(ss->items[at] == g);
    assert(g->readers == 0);
    ss->count--;
    memmove(ss->items + at, ss->items + at + 1,
            (ss->count - at) * sizeof(void *));
    mem_free(g);
}

size_t segment_row_encode(const struct segment *g,
                          uint8_t dst[static SEGMENT_ROW_BYTES])
{
    struct wr w = wr_init(dst, SEGMENT_ROW_BYTES);

    wr_le32(&w, g->covered);
    wr_le64(&w, g->live_bytes);
    wr_u8(&w, g->retired ? 1 : 0);
    return wr_len(&w);
}

enum err segment_row_decode(struct bytes in, struct segment_row *ret_row)
{
    struct rd r = rd_init(in);
    struct segment_row row = {.covered = rd_le32(&r)};

    row.live_bytes = rd_le64(&r);
    row.retired = rd_u8(&r) != 0;
    if (rd_finish(&r) != OK)
        return E_CORRUPT;
    *ret_row = row;
    return OK;
}
