#include "os/disk_direct.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/errno_err.h"

enum {
    PAGE_BYTES = 4096, /* what devices and file systems align to, at most */
    ROOM_BYTES = 1024 * 1024,
};

/* One write under way. */
struct gather {
    int fd;
    int direct;
    uint64_t offset; /* of the first byte in @room */
    uint8_t *room;   /* aligned */
    size_t have;
    size_t want; /* bytes in @room that are written together */
};

static enum err put(int fd, const uint8_t *p, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        p += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return OK;
}

/* Whole pages, at a whole page. */
static enum err put_direct(const struct gather *g, size_t len)
{
    ssize_t n;

    do
        n = pwrite(g->direct, g->room, len, (off_t)g->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EINVAL)
        return err_of_errno(errno);
    size_t done = n < 0 ? 0 : (size_t)n;
    return put(g->fd, g->room + done, len - done, g->offset + done);
}

/* Write what is in the room: its whole pages directly. */
static enum err flush(struct gather *g)
{
    bool aligned = g->offset % PAGE_BYTES == 0;
    size_t whole = aligned ? g->have / PAGE_BYTES * PAGE_BYTES : 0;
    enum err err = whole > 0 ? put_direct(g, whole) : OK;

    if (err == OK)
        err = put(g->fd, g->room + whole, g->have - whole, g->offset + whole);
    g->offset += g->have;
    g->have = 0;
    g->want = ROOM_BYTES;
    return err;
}

static enum err take(struct gather *g, struct bytes in)
{
    enum err err = OK;

    while (in.len > 0 && err == OK) {
        size_t n = g->want - g->have;
        n = in.len < n ? in.len : n;
        memcpy(g->room + g->have, in.p, n);
        g->have += n;
        in = bytes_sub(in, n, in.len - n);
        if (g->have == g->want)
            err = flush(g);
    }
    return err;
}

enum err disk_direct_write(int fd, int direct, uint64_t offset,
                           const struct bytes *pieces, size_t count)
{
    uint8_t *memory = mem_alloc(ROOM_BYTES + PAGE_BYTES);
    size_t past = (uintptr_t)memory % PAGE_BYTES;
    size_t before = offset % PAGE_BYTES; /* of the first page, used already */
    struct gather g = {
        .fd = fd,
        .direct = direct,
        .offset = offset,
        .room = memory + (PAGE_BYTES - past),
        .want = before > 0 ? PAGE_BYTES - before : ROOM_BYTES,
    };
    enum err err = OK;

    for (size_t i = 0; i < count && err == OK; i++)
        err = take(&g, pieces[i]);
    if (err == OK)
        err = flush(&g);
    mem_free(memory);
    return err;
}
