/* The contents of files: sectors, what is durable of them, and tearing. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "sim/disk_priv.h"

enum { ROOM_FIRST = 4, EARLY_PPM = 250000 };

static uint64_t sectors_of(uint64_t size)
{
    return (size + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;
}

static void drop_bytes(struct sim_disk *d, uint8_t *bytes)
{
    if (bytes == NULL)
        return;
    d->used_bytes -= SIM_SECTOR_BYTES;
    mem_free(bytes);
}

static uint8_t *new_bytes(struct sim_disk *d)
{
    d->used_bytes += SIM_SECTOR_BYTES;
    return mem_zalloc(1, SIM_SECTOR_BYTES);
}

static void make_room(struct sim_inode *i, uint64_t count)
{
    size_t room = i->sectors_room == 0 ? ROOM_FIRST : i->sectors_room;

    if (count <= i->sectors_room)
        return;
    while (room < count)
        room *= 2;
    i->sectors = mem_resize(i->sectors, room, sizeof(i->sectors[0]));
    memset(i->sectors + i->sectors_room, 0,
           (room - i->sectors_room) * sizeof(i->sectors[0]));
    i->sectors_room = room;
}

static void note_dirty(struct sim_disk *d, struct sim_inode *i)
{
    if (list_empty(&i->dirty_link))
        list_add_tail(&d->dirty, &i->dirty_link);
}

/* What is durable of sector @at stays aside from now on. */
static void touch(struct sim_disk *d, struct sim_inode *i, uint64_t at)
{
    struct sim_sector *s = &i->sectors[at];

    note_dirty(d, i);
    if (s->dirty && !sim_rand_chance(&d->rand, EARLY_PPM))
        return;
    uint8_t *copy = s->live;
    if (s->live != NULL) {
        s->live = new_bytes(d);
        memcpy(s->live, copy, SIM_SECTOR_BYTES);
    }
    /* What was written before may have reached the medium by itself. */
    drop_bytes(d, s->dirty ? s->durable : NULL);
    s->durable = copy;
    if (s->dirty)
        return;
    s->dirty = true;
    if (i->touched_count == i->touched_room) {
        i->touched_room =
            i->touched_room == 0 ? ROOM_FIRST : 2 * i->touched_room;
        i->touched =
            mem_resize(i->touched, i->touched_room, sizeof(i->touched[0]));
    }
    i->touched[i->touched_count++] = at;
}

static bool has_room(const struct sim_disk *d)
{
    return !d->full && d->used_bytes + SIM_SECTOR_BYTES <= d->capacity_bytes;
}

/* Return: E_NOSPACE, and nothing has changed. */
static enum err write_sector(struct sim_disk *d, struct sim_inode *i,
                             uint64_t offset, struct bytes in)
{
    uint64_t at = offset / SIM_SECTOR_BYTES;

    make_room(i, at + 1);
    if (i->sectors[at].live == NULL && !has_room(d))
        return E_NOSPACE;
    touch(d, i, at);
    struct sim_sector *s = &i->sectors[at];
    if (s->live == NULL)
        s->live = new_bytes(d);
    memcpy(s->live + offset % SIM_SECTOR_BYTES, in.p, in.len);
    if (i->size < offset + in.len)
        i->size = offset + in.len;
    return OK;
}

enum err sim_file_write(struct sim_disk *d, struct sim_inode *i,
                        uint64_t offset, struct bytes in)
{
    d->written_bytes += in.len;
    while (in.len > 0) {
        size_t room = SIM_SECTOR_BYTES - (size_t)(offset % SIM_SECTOR_BYTES);
        size_t len = in.len < room ? in.len : room;
        enum err err = write_sector(d, i, offset, bytes_sub(in, 0, len));
        if (err != OK)
            return err;
        in = bytes_sub(in, len, in.len - len);
        offset += len;
    }
    return OK;
}

size_t sim_file_read(const struct sim_inode *i, uint64_t offset, uint8_t *dst,
                     size_t len)
{
    size_t done = 0;

    if (offset >= i->size)
        return 0;
    if (len > i->size - offset)
        len = (size_t)(i->size - offset);
    while (done < len) {
        uint64_t at = (offset + done) / SIM_SECTOR_BYTES;
        size_t from = (size_t)((offset + done) % SIM_SECTOR_BYTES);
        size_t n = SIM_SECTOR_BYTES - from;
        n = n < len - done ? n : len - done;
        if (at < i->sectors_room && i->sectors[at].live != NULL)
            memcpy(dst + done, i->sectors[at].live + from, n);
        else
            memset(dst + done, 0, n);
        done += n;
    }
    return len;
}

void sim_file_resize(struct sim_disk *d, struct sim_inode *i, uint64_t size)
{
    uint64_t end = sectors_of(i->size);

    if (size == i->size)
        return;
    for (uint64_t at = sectors_of(size); at < end && at < i->sectors_room;
         at++) {
        touch(d, i, at);
        drop_bytes(d, i->sectors[at].live);
        i->sectors[at].live = NULL;
    }
    uint64_t last = size / SIM_SECTOR_BYTES;
    size_t rest = (size_t)(size % SIM_SECTOR_BYTES);
    if (size < i->size && rest > 0 && last < i->sectors_room &&
        i->sectors[last].live != NULL) {
        touch(d, i, last);
        memset(i->sectors[last].live + rest, 0, SIM_SECTOR_BYTES - rest);
    }
    note_dirty(d, i);
    i->size = size;
}

void sim_file_sync(struct sim_disk *d, struct sim_inode *i)
{
    for (size_t n = 0; n < i->touched_count; n++) {
        struct sim_sector *s = &i->sectors[i->touched[n]];
        drop_bytes(d, s->durable);
        s->durable = NULL;
        s->dirty = false;
    }
    i->touched_count = 0;
    i->durable_size = i->size;
    list_remove(&i->dirty_link);
}

/* Something between the two, at the end of a sector where it is neither. */
static uint64_t tear_size(struct sim_disk *d, const struct sim_inode *i)
{
    uint64_t low = i->size < i->durable_size ? i->size : i->durable_size;
    uint64_t high = i->size < i->durable_size ? i->durable_size : i->size;
    uint64_t between = sectors_of(high) - sectors_of(low);

    switch (sim_rand_below(&d->rand, 3)) {
    case 0:
        return i->size;
    case 1:
        return i->durable_size;
    default:
        break;
    }
    uint64_t size = (sectors_of(low) + sim_rand_below(&d->rand, between + 1)) *
                    SIM_SECTOR_BYTES;
    return size < low ? low : size > high ? high : size;
}

void sim_file_tear(struct sim_disk *d, struct sim_inode *i)
{
    uint64_t kept_ppm = sim_rand_below(&d->rand, 1000001);

    for (size_t n = 0; n < i->touched_count; n++) {
        struct sim_sector *s = &i->sectors[i->touched[n]];
        if (!sim_rand_chance(&d->rand, kept_ppm)) {
            uint8_t *live = s->live;
            s->live = s->durable;
            s->durable = live;
        }
    }
    uint64_t size = tear_size(d, i);
    sim_file_sync(d, i);
    /* Bytes of a sector past the end are not those of the file. */
    i->size = sectors_of(size > i->size ? size : i->size) * SIM_SECTOR_BYTES;
    sim_file_resize(d, i, size);
    sim_file_sync(d, i);
}

void sim_file_release(struct sim_disk *d, struct sim_inode *i)
{
    for (size_t at = 0; at < i->sectors_room; at++) {
        drop_bytes(d, i->sectors[at].live);
        drop_bytes(d, i->sectors[at].durable);
    }
    mem_free(i->sectors);
    mem_free(i->touched);
    list_remove(&i->dirty_link);
}
