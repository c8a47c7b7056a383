#include "os/disk_direct.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "os/const_cast.h"
#include "os/errno_err.h"
#include "os/write_all.h"

enum {
    PAGE_BYTES = 4096, /* what devices and file systems align to, at most */
    ROOM_BYTES = 1024 * 1024,
    AS_IT_LIES_MIN = 32 * 1024, /* shorter pieces are copied */
    PARTS_MAX = 128,
};

/*
 * One write under way.  The parts follow each other in the file: stretches of
 * the room, and pages of the caller's memory.  Each begins at a page, and each
 * but a last one of the room ends at one.
 */
struct gather {
    int fd;
    int direct;
    uint64_t offset; /* of the first part */
    uint8_t *room;   /* aligned */
    size_t used;     /* of the room */
    struct iovec parts[PARTS_MAX];
    int count;
};

static enum err write_parts(struct gather *g)
{
    struct iovec *parts = g->parts;
    ssize_t n = 0;

    do
        n = g->count == 0
                ? 0
                : pwritev(g->direct, parts, g->count, (off_t)g->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EINVAL)
        return err_of_errno(errno);
    /* What the device won't have so is written the usual way. */
    size_t done = n < 0 ? 0 : (size_t)n;
    int left = iov_advance(&parts, g->count, done);
    g->offset += done;
    g->count = 0;
    return write_all(g->fd, &g->offset, parts, left);
}

/* All but the @rest bytes at the end of the room, which begin it then. */
static enum err flush(struct gather *g, size_t rest)
{
    uint8_t *end = g->room + g->used;

    if (rest > 0) {
        g->parts[g->count - 1].iov_len -= rest;
        if (g->parts[g->count - 1].iov_len == 0)
            g->count--;
    }
    enum err err = write_parts(g);
    memmove(g->room, end - rest, rest);
    g->used = rest;
    return err;
}

/* Copies what there is room for. */
static enum err copy(struct gather *g, struct bytes in, size_t *ret_len)
{
    uint8_t *to = g->room + g->used;
    size_t left = ROOM_BYTES - g->used;
    size_t len = in.len < left ? in.len : left;

    memcpy(to, in.p, len);
    if (g->used % PAGE_BYTES == 0)
        g->parts[g->count++] = (struct iovec){.iov_base = to, .iov_len = len};
    else
        g->parts[g->count - 1].iov_len += len;
    g->used += len;
    *ret_len = len;
    return g->used == ROOM_BYTES ? flush(g, 0) : OK;
}

static enum err take(struct gather *g, struct bytes in)
{
    enum err err = OK;

    while (in.len > 0 && err == OK) {
        size_t len = in.len / PAGE_BYTES * PAGE_BYTES;
        bool at_page = g->used % PAGE_BYTES == 0;
        if (at_page && g->count == PARTS_MAX)
            err = flush(g, 0);
        if (err != OK)
            break;
        if (at_page && len >= AS_IT_LIES_MIN &&
            (uintptr_t)in.p % PAGE_BYTES == 0)
            g->parts[g->count++] =
                (struct iovec){.iov_base = const_cast(in.p), .iov_len = len};
        else
            err = copy(g, in, &len);
        in = bytes_sub(in, len, in.len - len);
    }
    return err;
}

/* What the room holds, the usual way. */
static enum err write_room(struct gather *g)
{
    struct iovec part = {.iov_base = g->room, .iov_len = g->used};

    g->used = 0;
    return write_all(g->fd, &g->offset, &part, part.iov_len > 0 ? 1 : 0);
}

/* The rest of a page that is used already: @left bytes of it. */
static enum err take_head(struct gather *g, struct bytes *in, size_t *left)
{
    size_t len = in->len < *left ? in->len : *left;

    if (len > 0)
        memcpy(g->room + g->used, in->p, len);
    g->used += len;
    *left -= len;
    *in = bytes_sub(*in, len, in->len - len);
    return *left == 0 ? write_room(g) : OK;
}

enum err disk_direct_write(int fd, int direct, uint64_t offset,
                           const struct bytes *pieces, size_t count)
{
    uint8_t *memory = mem_alloc(ROOM_BYTES + PAGE_BYTES);
    size_t past = (uintptr_t)memory % PAGE_BYTES;
    size_t head = (PAGE_BYTES - offset % PAGE_BYTES) % PAGE_BYTES;
    struct gather g = {
        .fd = fd,
        .direct = direct,
        .offset = offset,
        .room = memory + (PAGE_BYTES - past),
    };
    enum err err = OK;

    for (size_t i = 0; i < count && err == OK; i++) {
        struct bytes in = pieces[i];
        if (head > 0)
            err = take_head(&g, &in, &head);
        if (err == OK)
            err = take(&g, in);
    }
    if (err == OK && head == 0)
        err = flush(&g, g.used % PAGE_BYTES);
    if (err == OK)
        err = write_room(&g);
    mem_free(memory);
    return err;
}
