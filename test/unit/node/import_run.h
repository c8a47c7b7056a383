#ifndef TEST_UNIT_NODE_IMPORT_RUN_H
#define TEST_UNIT_NODE_IMPORT_RUN_H

/* import_run - runs one import in an import_world and keeps what it told. */

#include "node/import.h"
#include "node/import_world.h"

enum { RUN_ITEMS_MAX = 4096 };

struct run_item {
    char *path;
    struct cid cid;
    uint64_t bytes;
    bool is_root;
};

struct run {
    struct node world;
    struct import_config config;
    struct import *im;
    struct run_item items[RUN_ITEMS_MAX];
    size_t items_count;
    size_t free_at_item; /* import_free() from inside; 0: never */
    size_t done_count;
    enum err err;
    struct fault fault;
    struct import_progress progress;
    /* Of a stream: what is left to write, in pieces of @piece. */
    bool is_stream;
    bool ended;
    enum tree_contents contents;
    uint64_t offset;
    uint64_t size;
    size_t piece;
};

static inline void run_on_item(void *user, const struct import_item *item,
                               struct mtime now)
{
    struct run *r = user;

    (void)now;
    assert_int_equal(r->done_count, 0);
    assert_non_null(r->im);
    assert_true(r->items_count < RUN_ITEMS_MAX);
    struct run_item *it = &r->items[r->items_count++];
    it->path = mem_alloc(item->path.len + 1);
    if (item->path.len > 0)
        memcpy(it->path, item->path.p, item->path.len);
    it->path[item->path.len] = '\0';
    it->cid = item->cid;
    it->bytes = item->bytes;
    it->is_root = item->is_root;
    if (r->items_count == r->free_at_item) {
        import_free(r->im);
        r->im = NULL;
    }
}

static inline void run_on_done(void *user, enum err err, struct mtime now)
{
    struct run *r = user;

    (void)now;
    assert_non_null(r->im);
    r->done_count++;
    r->err = err;
    r->fault = *import_fault(r->im);
    r->progress = import_progress(r->im);
    import_free(r->im);
    r->im = NULL;
}

/* Writes until the import wants no more. */
static inline void run_write(struct run *r)
{
    uint8_t *bytes = mem_alloc(r->piece);
    bool more = true;

    while (more && r->im != NULL && r->offset < r->size) {
        uint64_t left = r->size - r->offset;
        size_t len = left < r->piece ? (size_t)left : r->piece;
        tree_fill(r->contents, r->offset, bytes, len);
        r->offset += len;
        more = import_write(r->im, (struct bytes){bytes, len}, world_now);
        memset(bytes, 0xee, len);
    }
    if (r->im != NULL && r->offset == r->size && !r->ended) {
        r->ended = true;
        import_end(r->im, world_now);
    }
    mem_free(bytes);
}

static inline void run_on_ready(void *user, struct mtime now)
{
    struct run *r = user;

    (void)now;
    run_write(r);
}

/* A world with a config that may be changed before the start. */
static inline struct run *run_new(uint64_t seed, const char *profile)
{
    struct run *r = mem_zalloc(1, sizeof(*r));
    const struct import_profile *p = profile_default();

    if (profile != NULL)
        assert_int_equal(profile_find(bytes_str(profile), &p), OK);
    world_init(&r->world, seed);
    r->config = (struct import_config){
        .profile = *p,
        .on_item = run_on_item,
        .on_ready = run_on_ready,
        .done = run_on_done,
        .user = r,
    };
    return r;
}

static inline void run_start(struct run *r, const char *const *paths,
                             size_t count)
{
    r->im = import_paths(&r->world, &r->config, paths, count);
    assert_int_equal(r->items_count, 0);
    assert_int_equal(r->done_count, 0);
}

static inline void run_start_stream(struct run *r, const char *name)
{
    r->is_stream = true;
    r->im = import_stream(&r->world, &r->config, bytes_str(name));
    run_write(r);
}

static inline void run_to_end(struct run *r)
{
    while (r->done_count == 0 && world_step(&r->world))
        continue;
}

static inline void run_path(struct run *r, const char *path)
{
    run_start(r, &path, 1);
    run_to_end(r);
}

static inline void run_release(struct run *r)
{
    import_free(r->im);
    r->im = NULL;
    world_release(&r->world);
    for (size_t i = 0; i < r->items_count; i++)
        mem_free(r->items[i].path);
    mem_free(r);
}

static inline void run_check_ok(const struct run *r)
{
    if (r->err != OK)
        fail_msg("%s", r->fault.text);
    assert_int_equal(r->done_count, 1);
}

/* The import failed with @code at @where. */
static inline void run_check_fault(const struct run *r, enum error_id id,
                                   const char *where)
{
    assert_int_equal(r->done_count, 1);
    assert_int_not_equal(r->err, OK);
    if (r->fault.id != id || strstr(r->fault.text, where) == NULL)
        fail_msg("%s: %s", error_info(r->fault.id)->code, r->fault.text);
    assert_int_equal(r->world.pinned_count, 0);
}

static inline void run_check_item(struct run *r, size_t i, const char *path,
                                  const char *cid, uint64_t bytes, bool is_root)
{
    char text[CID_TEXT_MAX];

    assert_true(i < r->items_count);
    assert_string_equal(r->items[i].path, path);
    (void)cid_format(&r->items[i].cid, text);
    if (cid != NULL)
        assert_string_equal(text, cid);
    assert_int_equal(r->items[i].bytes, bytes);
    assert_int_equal(r->items[i].is_root, is_root);
    if (!r->config.only_hash)
        assert_true(world_has(&r->world, &r->items[i].cid));
}

#endif /* TEST_UNIT_NODE_IMPORT_RUN_H */
