#include "node/tree_disk.h"

#include "base/mem.h"

#include "test.h"

enum { PATTERN = 251, PATH_ROOM = 8192 };

/* Open files keep a copy of their path: the node may be removed meanwhile. */
struct disk_file {
    struct tree_node copy;
    char *path;
    struct tree_disk *owner;
};

static struct tree_disk *of(struct disk *d)
{
    return container_of(d, struct tree_disk, disk);
}

static void build(char *dst, const struct disk_file *dir, const char *name)
{
    size_t dir_len = dir == NULL ? 0 : strlen(dir->path);
    size_t len = strlen(name);

    assert_true(dir_len + 1 + len < PATH_ROOM);
    if (dir != NULL) {
        memcpy(dst, dir->path, dir_len);
        if (dir_len > 1)
            dst[dir_len++] = '/';
    }
    memcpy(dst + dir_len, name, len + 1);
    for (len += dir_len; len > 1 && dst[len - 1] == '/'; len--)
        dst[len - 1] = '\0';
}

struct tree_node *tree_find(struct tree_disk *d, const char *path)
{
    struct map_node *n = map_get(&d->nodes, bytes_str(path));
    return n == NULL ? NULL : container_of(n, struct tree_node, node);
}

static void note_call(const struct tree_disk *d, struct tree_node *n)
{
    if (n == NULL)
        return;
    if (n->calls++ == 0)
        n->first_call = d->calls;
    n->last_call = d->calls;
}

static enum err call(struct tree_disk *d, const char *path)
{
    d->calls++;
    if (d->calls == d->change_call)
        d->change(d);
    note_call(d, tree_find(d, path));
    return d->calls == d->fail_call ? d->fail_err : OK;
}

static enum err find(struct tree_disk *d, const char *path,
                     struct tree_node **ret_node)
{
    struct tree_node *n = tree_find(d, path);
    if (n == NULL)
        return E_NOTFOUND;
    *ret_node = n;
    return OK;
}

static enum err tree_open(struct disk *disk, struct disk_file *dir,
                          const char *name, unsigned flags,
                          struct disk_file **ret_file)
{
    struct tree_disk *d = of(disk);
    struct tree_node *n;
    char path[PATH_ROOM];

    build(path, dir, name);
    enum err err = call(d, path);
    if (err == OK)
        err = find(d, path, &n);
    if (err != OK)
        return err;
    if (n->err != OK)
        return n->err;
    bool is_dir = n->st.kind == DISK_IS_DIR;
    if (n->st.kind == DISK_IS_SYMLINK || is_dir != ((flags & DISK_DIR) != 0))
        return E_REFUSED;
    assert_true((flags & DISK_NOFOLLOW) != 0);
    assert_true(is_dir || (flags & DISK_NONBLOCK) != 0);
    if (d->open_limit != 0 && d->open >= d->open_limit)
        return E_LIMIT;
    struct disk_file *f = mem_zalloc(1, sizeof(*f));
    f->path = mem_strdup(path);
    f->copy = *n;
    f->owner = d;
    d->open++;
    if (d->open > d->open_most)
        d->open_most = d->open;
    *ret_file = f;
    return OK;
}

static void tree_close(struct disk *disk, struct disk_file *f)
{
    if (f == NULL)
        return;
    of(disk)->open--;
    mem_free(f->path);
    mem_free(f);
}

void tree_fill(enum tree_contents contents, uint64_t offset, uint8_t *dst,
               size_t len)
{
    for (size_t i = 0; i < len; i++)
        dst[i] = contents == TREE_ZERO ? 0 : (uint8_t)((offset + i) % PATTERN);
}

/* The state of an open file: of its name, or as it was when that went. */
static struct tree_node *current(struct disk_file *f)
{
    struct tree_node *n = tree_find(f->owner, f->path);
    return n != NULL && n->st.inode == f->copy.st.inode ? n : &f->copy;
}

static enum err tree_read(struct disk *disk, struct disk_file *f,
                          uint64_t offset, uint8_t *dst, size_t len,
                          size_t *ret_len)
{
    enum err err = call(of(disk), f->path);
    struct tree_node *n = current(f);

    if (err != OK)
        return err;
    if (offset + len > n->read_err_at)
        return E_IO;
    uint64_t left = offset < n->st.size_bytes ? n->st.size_bytes - offset : 0;
    if (len > left)
        len = (size_t)left;
    if (n->contents != TREE_GIVEN)
        tree_fill(n->contents, offset, dst, len);
    else if (len > 0)
        memcpy(dst, n->bytes.p + offset, len);
    *ret_len = len;
    return OK;
}

static enum err tree_stat_file(struct disk *disk, struct disk_file *f,
                               struct disk_stat *ret_stat)
{
    enum err err = call(of(disk), f->path);

    if (err == OK)
        *ret_stat = current(f)->st;
    return err;
}

static enum err tree_stat(struct disk *disk, struct disk_file *dir,
                          const char *name, struct disk_stat *ret_stat)
{
    struct tree_disk *d = of(disk);
    struct tree_node *n;
    char path[PATH_ROOM];

    build(path, dir, name);
    enum err err = call(d, path);
    if (err == OK)
        err = find(d, path, &n);
    if (err == OK)
        *ret_stat = n->st;
    return err;
}

static enum err tree_readlink(struct disk *disk, struct disk_file *dir,
                              const char *name, char *dst, size_t max)
{
    struct tree_disk *d = of(disk);
    struct tree_node *n;
    char path[PATH_ROOM];

    build(path, dir, name);
    enum err err = call(d, path);
    if (err == OK)
        err = find(d, path, &n);
    if (err != OK)
        return err;
    if (n->err != OK || n->st.kind != DISK_IS_SYMLINK)
        return n->err != OK ? n->err : E_REFUSED;
    if (n->bytes.len >= max)
        return E_LIMIT;
    memcpy(dst, n->bytes.p, n->bytes.len);
    dst[n->bytes.len] = '\0';
    return OK;
}

static enum err tree_list(struct disk *disk, struct disk_file *dir,
                          size_t count_max, struct disk_names *ret_names)
{
    struct tree_disk *d = of(disk);
    struct tree_node *n;
    enum err err = call(d, dir->path);
    struct disk_names names = {.names = mem_alloc(1)};

    if (err == OK)
        err = find(d, dir->path, &n);
    if (err != OK) {
        mem_free(names.names);
        return err;
    }
    /* The last that came is first: not sorted. */
    for (struct tree_node *e = n->first; e != NULL; e = e->next) {
        const char *name = strrchr(e->path, '/') + 1;
        size_t size = strlen(name) + 1;
        if (names.len + size > 4096)
            names.names = mem_resize(names.names, (names.len + size) * 2, 1);
        else
            names.names = mem_resize(names.names, 4096, 1);
        memcpy(names.names + names.len, name, size);
        names.len += size;
        names.count++;
    }
    assert_true(names.count <= count_max);
    *ret_names = names;
    return OK;
}

static struct tree_node *folder_of(struct tree_disk *d, const char *path)
{
    char dir[PATH_ROOM];
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash - path);

    memcpy(dir, path, len);
    dir[len] = '\0';
    return tree_find(d, dir);
}

struct tree_node *tree_add(struct tree_disk *d, const char *path,
                           enum disk_kind kind)
{
    struct tree_node *n = mem_zalloc(1, sizeof(*n));

    n->path = mem_strdup(path);
    n->st = (struct disk_stat){.kind = kind, .inode = ++d->inode};
    n->read_err_at = UINT64_MAX;
    struct tree_node *dir = folder_of(d, path);
    if (dir != NULL) {
        n->next = dir->first;
        dir->first = n;
    }
    map_put(&d->nodes, &n->node, bytes_str(n->path));
    return n;
}

struct tree_node *tree_file(struct tree_disk *d, const char *path,
                            enum tree_contents contents, uint64_t size)
{
    struct tree_node *n = tree_add(d, path, DISK_IS_FILE);

    n->contents = contents;
    n->st.size_bytes = size;
    return n;
}

struct tree_node *tree_text(struct tree_disk *d, const char *path,
                            const char *text)
{
    struct tree_node *n = tree_file(d, path, TREE_GIVEN, strlen(text));

    n->bytes = bytes_str(text);
    return n;
}

struct tree_node *tree_symlink(struct tree_disk *d, const char *path,
                               const char *target)
{
    struct tree_node *n = tree_add(d, path, DISK_IS_SYMLINK);

    n->bytes = bytes_str(target);
    return n;
}

void tree_remove(struct tree_disk *d, const char *path)
{
    struct tree_node *n = tree_find(d, path);
    struct tree_node *dir = folder_of(d, path);
    struct tree_node **at = &dir->first;

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    map_remove(&d->nodes, &n->node);
    mem_free(n->path);
    mem_free(n);
}

void tree_disk_init(struct tree_disk *d)
{
    static const uint8_t seed[16];

    *d = (struct tree_disk){.disk = {.open = tree_open,
                                     .close = tree_close,
                                     .read = tree_read,
                                     .stat_file = tree_stat_file,
                                     .stat = tree_stat,
                                     .readlink = tree_readlink,
                                     .list = tree_list}};
    map_init(&d->nodes, seed);
    (void)tree_add(d, "/", DISK_IS_DIR);
}

void tree_disk_release(struct tree_disk *d)
{
    assert_int_equal(d->open, 0);
    for (struct map_node *n = map_first(&d->nodes); n != NULL;
         n = map_first(&d->nodes)) {
        struct tree_node *t = container_of(n, struct tree_node, node);
        map_remove(&d->nodes, n);
        mem_free(t->path);
        mem_free(t);
    }
    map_release(&d->nodes);
}
