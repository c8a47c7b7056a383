#include "os/lmdb_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/errno_err.h"

/*
 * The file is an array of pages.  Pages 0 and 1 are meta pages, of which the
 * one with the later transaction counts.  It holds the roots of two trees:
 * free pages, and the main table, whose entries may be roots of further trees.
 * Numbers are in the byte order and widths of the machine.
 */
enum {
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 65536,
    HEADER_BYTES = 16,
    NODE_BYTES = 8,
    DB_BYTES = 48,
    META_MAGIC_AT = HEADER_BYTES,
    META_VERSION_AT = HEADER_BYTES + 4,
    META_DBS_AT = HEADER_BYTES + 24,
    META_LAST_PAGE_AT = META_DBS_AT + 2 * DB_BYTES,
    META_TXN_AT = META_LAST_PAGE_AT + 8,
    META_BYTES = META_TXN_AT + 8,
    DB_ROOT_AT = 40,
    VERSION = 1,

    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    NODE_BIG = 0x01,
    NODE_TREE = 0x02,

    SMALL_BYTES = 1024 * 1024, /* looked through whole each time */
    PENDING_MAX = 64 * 1024,   /* pages that are known and not looked at yet */
};

static const uint32_t magic = UINT32_C(0xBEEFC0DE);
static const uint64_t no_page = UINT64_MAX;

struct checker {
    int fd;
    uint64_t file_bytes;
    uint64_t pages_count; /* in use, says the meta page */
    size_t page_bytes;
    uint8_t *page;
    uint64_t *pending; /* a stack of page numbers */
    size_t pending_count;
    uint64_t visited; /* pages, so that a circle ends */
};

static uint16_t get16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static enum err read_at(int fd, uint64_t offset, uint8_t *dst, size_t len)
{
    while (len > 0) {
        ssize_t n = pread(fd, dst, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        if (n == 0)
            return E_CORRUPT;
        dst += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return OK;
}

static bool is_meta(const uint8_t *meta)
{
    return (get16(meta + 10) & PAGE_META) != 0 &&
           get32(meta + META_MAGIC_AT) == magic &&
           get32(meta + META_VERSION_AT) == VERSION;
}

static bool is_page_size(size_t size)
{
    return size >= PAGE_BYTES_MIN && size <= PAGE_BYTES_MAX &&
           (size & (size - 1)) == 0;
}

static enum err read_page(struct checker *c, uint64_t number)
{
    if (number >= c->file_bytes / c->page_bytes)
        return E_CORRUPT;
    enum err err =
        read_at(c->fd, number * c->page_bytes, c->page, c->page_bytes);
    if (err == OK && get64(c->page) != number)
        return E_CORRUPT;
    return err;
}

static enum err push(struct checker *c, uint64_t number)
{
    if (number == no_page)
        return OK;
    if (number >= c->pages_count || c->pending_count == PENDING_MAX)
        return E_CORRUPT;
    c->pending[c->pending_count++] = number;
    return OK;
}

/* The pages of a large value follow each other. */
static enum err check_big(struct checker *c, uint64_t first, uint64_t len)
{
    uint64_t count = (HEADER_BYTES + len + c->page_bytes - 1) / c->page_bytes;
    uint8_t header[HEADER_BYTES];

    if (first >= c->pages_count || count > c->pages_count - first ||
        first + count > c->file_bytes / c->page_bytes)
        return E_CORRUPT;
    enum err err = read_at(c->fd, first * c->page_bytes, header, HEADER_BYTES);
    if (err != OK)
        return err;
    if (get64(header) != first || (get16(header + 10) & PAGE_OVERFLOW) == 0)
        return E_CORRUPT;
    return OK;
}

static enum err check_leaf_node(struct checker *c, const uint8_t *node,
                                size_t room)
{
    unsigned flags = get16(node + 4);
    size_t key_len = get16(node + 6);
    uint64_t len = get16(node) | (uint64_t)get16(node + 2) << 16;
    const uint8_t *data = node + NODE_BYTES + key_len;

    if (key_len > room - NODE_BYTES)
        return E_CORRUPT;
    room -= NODE_BYTES + key_len;
    if ((flags & NODE_BIG) != 0)
        return room < 8 ? E_CORRUPT : check_big(c, get64(data), len);
    if (len > room)
        return E_CORRUPT;
    if ((flags & NODE_TREE) != 0)
        return len != DB_BYTES ? E_CORRUPT : push(c, get64(data + DB_ROOT_AT));
    return OK;
}

static uint64_t child_of(const uint8_t *node)
{
    return get16(node) | (uint64_t)get16(node + 2) << 16 |
           (uint64_t)get16(node + 4) << 32;
}

/* Looks at all nodes of the page that was read. */
static enum err check_nodes(struct checker *c)
{
    unsigned flags = get16(c->page + 10);
    size_t lower = get16(c->page + 12);
    size_t upper = get16(c->page + 14);
    enum err err = OK;

    if ((flags != PAGE_BRANCH && flags != PAGE_LEAF) || lower < HEADER_BYTES ||
        lower > upper || upper > c->page_bytes)
        return E_CORRUPT;
    for (size_t at = HEADER_BYTES; err == OK && at + 2 <= lower; at += 2) {
        size_t place = get16(c->page + at);
        if (place < upper || place > c->page_bytes - NODE_BYTES)
            return E_CORRUPT;
        const uint8_t *node = c->page + place;
        if ((flags & PAGE_LEAF) != 0)
            err = check_leaf_node(c, node, c->page_bytes - place);
        else
            err = push(c, child_of(node));
    }
    return err;
}

static enum err check_trees(struct checker *c)
{
    enum err err = OK;

    while (err == OK && c->pending_count > 0) {
        if (c->visited++ > c->pages_count)
            return E_CORRUPT;
        err = read_page(c, c->pending[--c->pending_count]);
        if (err == OK)
            err = check_nodes(c);
    }
    return err;
}

static enum err check_all_pages(struct checker *c, const uint8_t *meta)
{
    c->page = mem_alloc(c->page_bytes);
    c->pending = mem_alloc(PENDING_MAX * sizeof(*c->pending));
    enum err err = push(c, get64(meta + META_DBS_AT + DB_ROOT_AT));
    if (err == OK)
        err = push(c, get64(meta + META_DBS_AT + DB_BYTES + DB_ROOT_AT));
    if (err == OK)
        err = check_trees(c);
    mem_free(c->pending);
    mem_free(c->page);
    return err;
}

static enum err check_fd(int fd)
{
    struct stat st;
    uint8_t metas[2][META_BYTES];

    if (fstat(fd, &st) != 0)
        return err_of_errno(errno);
    if (st.st_size == 0)
        return E_NOTFOUND;
    enum err err = read_at(fd, 0, metas[0], META_BYTES);
    if (err != OK)
        return err;
    size_t page_bytes = get32(metas[0] + META_DBS_AT);
    if (!is_meta(metas[0]) || !is_page_size(page_bytes))
        return E_CORRUPT;
    err = read_at(fd, page_bytes, metas[1], META_BYTES);
    if (err != OK)
        return err;
    if (!is_meta(metas[1]) || get32(metas[1] + META_DBS_AT) != page_bytes)
        return E_CORRUPT;

    bool second = get64(metas[1] + META_TXN_AT) > get64(metas[0] + META_TXN_AT);
    const uint8_t *meta = metas[second ? 1 : 0];
    uint64_t last = get64(meta + META_LAST_PAGE_AT);
    struct checker c = {.fd = fd,
                        .file_bytes = (uint64_t)st.st_size,
                        .pages_count = last + 1,
                        .page_bytes = page_bytes};
    if (last < 1 || last >= UINT64_MAX / page_bytes)
        return E_CORRUPT;
    if (c.pages_count * page_bytes <= c.file_bytes &&
        c.file_bytes > SMALL_BYTES)
        return OK;
    return check_all_pages(&c, meta);
}

enum err lmdb_check(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_of_errno(errno);
    enum err err = check_fd(fd);
    (void)close(fd); /* was only read */
    return err;
}
