#include "env/clock.h"
#include "env/disk.h"
#include "env/env.h"
#include "store/store_priv.h"

enum {
    SEGMENT_SHARE = 8, /* of the limit */
    SEGMENT_BYTES_LEAST = 16 * 1024 * 1024,
};

void room_set_limits(struct store *s, uint64_t limit_bytes,
                     uint64_t reserve_bytes)
{
    uint64_t share = limit_bytes / SEGMENT_SHARE;

    if (share < SEGMENT_BYTES_LEAST)
        share = SEGMENT_BYTES_LEAST;
    if (limit_bytes == 0 || share > s->segment_bytes_max)
        share = s->segment_bytes_max;
    s->config.segment_bytes = (uint32_t)share;
    s->config.limit_bytes = limit_bytes;
    s->config.reserve_bytes = reserve_bytes;
}

static void space_run(struct pool_job *job)
{
    struct space *sp = container_of(job, struct space, job);
    struct disk_space space;

    sp->err = sp->disk->space(sp->disk, sp->dir, &space);
    if (sp->err == OK)
        sp->answer = space.free_bytes;
}

static void space_done(struct pool_job *job, struct mtime now)
{
    struct space *sp = container_of(job, struct space, job);
    struct store *s = container_of(sp, struct store, space);

    sp->busy = false;
    if (sp->err == OK) {
        sp->free_bytes = sp->answer;
        sp->written_at = sp->asking_at;
    }
    sweep_wake(s);
    store_check_closing(s);
    store_deliver(s, now);
}

enum err room_init(struct store *s)
{
    struct space *sp = &s->space;

    sp->job.run = space_run;
    sp->job.done = space_done;
    sp->disk = s->disk;
    sp->dir = s->dir;
    sp->asked_at = s->clock->now(s->clock);
    space_run(&sp->job);
    sp->free_bytes = sp->answer;
    return sp->err;
}

static void ask(struct store *s, struct mtime now)
{
    struct space *sp = &s->space;

    sp->busy = true;
    sp->asked_at = now;
    sp->asking_at = s->writer.written;
    sp->gone = s->segs.gone;
    s->pool->submit(s->pool, &sp->job, POOL_DISK);
}

void room_ask(struct store *s)
{
    struct space *sp = &s->space;
    struct mtime now = s->clock->now(s->clock);

    if (sp->busy)
        return;
    if (s->writer.queued - sp->written_at < SPACE_ASK_BYTES &&
        sp->gone == s->segs.gone &&
        mtime_ms_since(sp->asked_at, now) < SPACE_ASK_MS)
        return;
    ask(s, now);
}

static bool within_limit(const struct store *s, uint64_t bytes)
{
    uint64_t used = s->totals.bytes + s->writer.put_bytes;
    uint64_t limit = s->config.limit_bytes;

    return limit == 0 || (used <= limit && bytes <= limit - used);
}

bool room_ask_again(struct store *s, uint64_t bytes)
{
    if (!within_limit(s, bytes))
        return false;
    /* Who waits for the answer is served once and then ends either way. */
    if (!s->space.busy)
        ask(s, s->clock->now(s->clock));
    return true;
}

enum err room_for(struct store *s, uint64_t bytes)
{
    if (!within_limit(s, bytes))
        return E_NOSPACE;
    /* What was queued since the answer has eaten from what was free. */
    uint64_t since = s->writer.queued - s->space.written_at;
    uint64_t left =
        s->space.free_bytes > since ? s->space.free_bytes - since : 0;
    if (left < s->config.reserve_bytes ||
        bytes > left - s->config.reserve_bytes)
        return E_NOSPACE;
    return OK;
}
