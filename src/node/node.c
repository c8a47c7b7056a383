#include "node/node.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/env.h"
#include "env/kv.h"
#include "env/rng.h"
#include "libp2p/swarm.h"
#include "multiformats/cid.h"
#include "node/announce.h"
#include "node/exchange.h"
#include "node/fetch.h"
#include "node/names.h"
#include "node/network.h"
#include "node/node_priv.h"
#include "node/objects.h"
#include "node/store_waiter.h"
#include "store/store.h"

enum {
    VERSION_TEXT_MAX = 64,
    REPAIRS_MAX = 16, /* damaged blocks being fetched again at a time */
    ASIDE_TRIES = 1000,
    PUMPS_MAX = 8,      /* rounds between cores in one turn */
    RESERVE_SHARE = 20, /* at most one part in so many of the disk */
};

static const char version_text[] = "xmbl data folder 1\n";
static const char *const state_tables[STATE_TABLES_COUNT] = {
    [STATE_PINS] = "pins",
    [STATE_PEERS] = "peers",
    [STATE_DHT_PROVIDERS] = "dht_providers",
    [STATE_DHT_VALUES] = "dht_values",
    [STATE_OBJECTS] = "objects",
    [STATE_NAMES] = "names",
    [STATE_ANNOUNCE] = "announce",
};

/* A damaged block that is being fetched again. */
struct repair {
    struct fetch_op op;
    struct fetch *fetch;
    struct node *node;
    struct list link;
};

/* The folder. */

static enum err make_dir(struct disk *disk, struct disk_file *dir,
                         const char *name)
{
    enum err err = disk->mkdir(disk, dir, name, false);

    return err == E_EXISTS ? OK : err;
}

static enum err read_version(struct disk *disk, struct disk_file *dir)
{
    uint8_t text[VERSION_TEXT_MAX];
    struct disk_file *f;
    size_t len = 0;
    enum err err = disk->open(disk, dir, "version", DISK_READ, &f);
    if (err != OK)
        return err;

    err = disk->read(disk, f, 0, text, sizeof(text), &len);
    disk->close(disk, f);
    if (err != OK)
        return err;
    bool same = bytes_eq((struct bytes){text, len}, BYTES_LIT(version_text));
    return same ? OK : E_UNSUPPORTED;
}

static enum err write_version(struct disk *disk, struct disk_file *dir)
{
    struct bytes text = BYTES_LIT(version_text);
    struct disk_file *f;
    enum err err = disk->open(disk, dir, "version.new",
                              DISK_WRITE | DISK_CREATE | DISK_TRUNC, &f);
    if (err != OK)
        return err;

    err = disk->write(disk, f, 0, &text, 1);
    if (err == OK)
        err = disk->sync(disk, f);
    disk->close(disk, f);
    if (err == OK)
        err = disk->rename(disk, dir, "version.new", dir, "version", true);
    return err;
}

static enum err make_all(struct disk *disk, struct disk_file *dir)
{
    static const char *const names[] = {"blocks", "index", "node.db", "tmp"};

    for (size_t i = 0; i < countof(names); i++) {
        enum err err = make_dir(disk, dir, names[i]);
        if (err != OK)
            return err;
    }
    enum err err = read_version(disk, dir);
    if (err == E_NOTFOUND)
        err = write_version(disk, dir);
    return err == OK ? disk->sync_dir(disk, dir) : err;
}

enum err node_prepare(const struct env *env, const char *path,
                      struct fault *ret_fault)
{
    struct disk *disk = env->disk;
    struct disk_file *dir;
    enum err err = disk->open(disk, NULL, path, DISK_READ | DISK_DIR, &dir);

    if (err == OK) {
        err = make_all(disk, dir);
        disk->close(disk, dir);
    }
    if (err == E_UNSUPPORTED)
        fault_set(ret_fault, ERROR_NEWER_FOLDER, NULL, bytes_str(path));
    else if (err != OK)
        fault_from_err(ret_fault, err, "cannot use the data folder",
                       bytes_str(path));
    return err;
}

/* Opening. */

void node_log_event(struct node *n, enum log_level level, const char *event,
                    const char *key, struct bytes value)
{
    struct log_line line;

    log_begin(&line, &n->log, level, "node", event);
    if (key != NULL)
        log_str(&line, key, value);
    log_end(&line);
}

/* A damaged index is kept for who wants to look at it, under a free name. */
static enum err set_index_aside(struct node *n)
{
    struct disk *disk = n->env->disk;
    struct disk_file *dir;
    enum err err = disk->open(disk, NULL, n->path, DISK_READ | DISK_DIR, &dir);
    if (err != OK)
        return err;

    err = E_EXISTS;
    for (unsigned i = 1; err == E_EXISTS && i < ASIDE_TRIES; i++) {
        struct strbuf name;
        strbuf_init(&name, VERSION_TEXT_MAX);
        strbuf_str(&name, "index.damaged-");
        strbuf_u64(&name, i);
        err = disk->rename(disk, dir, "index", dir, strbuf_cstr(&name), false);
        strbuf_release(&name);
    }
    if (err == OK)
        err = make_dir(disk, dir, "index");
    disk->close(disk, dir);
    return err;
}

static enum err open_kv(struct node *n, const char *name,
                        const char *const *tables, size_t count,
                        struct kv **ret_kv)
{
    struct kv_opener *o = n->env->kv;
    char *path = path_join(n->path, name);
    enum err err = n->only_reads
                       ? o->open_shared(o, path, tables, count, ret_kv)
                       : o->open(o, path, tables, count, ret_kv);

    mem_free(path);
    return err;
}

static enum err open_index(struct node *n)
{
    return open_kv(n, "index", store_index_tables, STORE_TABLES_COUNT,
                   &n->index);
}

static enum err open_blocks(struct node *n, const struct store_config *config)
{
    char *path = path_join(n->path, "blocks");
    enum err err = open_index(n);

    struct store_tables tables = {n->index, n->state, STATE_PINS};
    if (err == OK)
        err = store_open(n->env, path, config, &tables, &n->store);
    mem_free(path);
    return err;
}

static enum err open_store(struct node *n, const struct store_config *config)
{
    enum err err = open_blocks(n, config);
    if (err != E_CORRUPT || n->only_reads)
        return err;

    node_log_event(n, LOG_WARNING, "index_damaged", "action",
                   BYTES_LIT("set aside, built again from the blocks"));
    if (n->index != NULL)
        n->index->close(n->index);
    n->index = NULL;
    err = set_index_aside(n);
    return err == OK ? open_blocks(n, config) : err;
}

static enum err read_space(struct node *n, struct disk_space *ret_space)
{
    struct disk *disk = n->env->disk;
    struct disk_file *dir;
    enum err err = disk->open(disk, NULL, n->path, DISK_READ | DISK_DIR, &dir);
    if (err != OK)
        return err;

    err = disk->space(disk, dir, ret_space);
    disk->close(disk, dir);
    return err;
}

static uint64_t limit_bytes(const struct node *n)
{
    uint64_t limit = config_get_size(n->config, CONFIG_STORAGE_LIMIT);

    return limit == CONFIG_NONE ? 0 : limit;
}

static uint64_t reserve_bytes(const struct node *n)
{
    uint64_t reserve = config_get_size(n->config, CONFIG_STORAGE_RESERVE);
    uint64_t most = n->disk_bytes / RESERVE_SHARE;

    return reserve < most ? reserve : most;
}

void node_settings_changed(struct node *n)
{
    n->log.level =
        (enum log_level)config_get_choice(n->config, CONFIG_LOGGING_LEVEL);
    store_set_limits(n->store, limit_bytes(n), reserve_bytes(n));
    objects_settings_changed(n->objects, n->env->clock->now(n->env->clock));
    announce_settings_changed(n->announce, n->env->clock->now(n->env->clock));
}

/* What node_prepare() does else. */
static enum err check_version(struct node *n)
{
    struct disk *disk = n->env->disk;
    struct disk_file *dir;
    enum err err = disk->open(disk, NULL, n->path, DISK_READ | DISK_DIR, &dir);
    if (err != OK)
        return err;

    err = read_version(disk, dir);
    disk->close(disk, dir);
    return err;
}

static enum err open_all(struct node *n)
{
    struct disk_space space;
    enum err err = n->only_reads ? check_version(n) : OK;
    if (err == OK)
        err = read_space(n, &space);
    if (err == OK)
        err =
            open_kv(n, "node.db", state_tables, STATE_TABLES_COUNT, &n->state);
    if (err != OK)
        return err;
    n->disk_bytes = space.total_bytes;
    err = objects_new(n, n->state, STATE_OBJECTS, space.free_bytes, n->started,
                      &n->objects);
    if (err != OK)
        return err;
    n->names = names_new(n, n->state, STATE_NAMES, n->started);
    struct store_config config = {
        .limit_bytes = limit_bytes(n),
        .reserve_bytes = reserve_bytes(n),
        .only_reads = n->only_reads,
    };
    return open_store(n, &config);
}

static void release(struct node *n)
{
    objects_free(n->objects);
    names_free(n->names);
    store_free(n->store);
    if (n->index != NULL)
        n->index->close(n->index);
    if (n->state != NULL)
        n->state->close(n->state);
    mem_free(n->path);
    mem_free(n);
}

/* The end of the turn that this makes does the rest. */
static void on_again(struct timer *t, struct mtime now)
{
    (void)t;
    (void)now;
}

enum err node_open(struct env *env, const struct node_config *config,
                   struct node **ret_node, struct fault *ret_fault)
{
    struct node *n = mem_zalloc(1, sizeof(*n));

    n->env = env;
    n->config = config->config;
    n->log = config->log;
    n->version = config->version;
    n->cache_bytes_max = config->cache_bytes_max;
    n->may_visit = config->may_visit;
    n->checks_reads = config->checks_reads;
    n->only_reads = config->only_reads;
    n->path = mem_strdup(config->path);
    n->started = env->clock->now(env->clock);
    list_init(&n->waiters);
    list_init(&n->exports);
    list_init(&n->repairs);
    timer_init(&n->again, on_again);
    n->key = config->key;
    enum err err = open_all(n);
    if (err != OK) {
        if (err == E_UNSUPPORTED)
            fault_set(ret_fault, ERROR_NEWER_FOLDER, NULL, bytes_str(n->path));
        else if (err == E_CORRUPT)
            fault_set(ret_fault, ERROR_CORRUPT_STORE, NULL, bytes_str(n->path));
        else
            fault_from_err(ret_fault, err, "cannot open the data folder",
                           bytes_str(n->path));
        release(n);
        /* Who writes makes what is not there, and mends what is damaged. */
        bool is_mended = err == E_NOTFOUND || err == E_CORRUPT;
        return config->only_reads && is_mended ? E_AGAIN : err;
    }
    *ret_node = n;
    return OK;
}

void node_free(struct node *n)
{
    if (n == NULL)
        return;
    assert(n->network == NULL && list_empty(&n->waiters));
    privkey_release(&n->key);
    release(n);
}

/* Damaged blocks. */

static void repair_done(struct fetch_op *op, enum err err, struct block *block,
                        struct mtime now)
{
    struct repair *r = container_of(op, struct repair, op);
    struct node *n = r->node;
    char text[CID_TEXT_MAX];
    size_t len = cid_format(&op->cid, text);

    (void)block;
    (void)now;
    node_log_event(n, err == OK ? LOG_INFO : LOG_ERROR,
                   err == OK ? "damaged_block_fetched_again"
                             : "damaged_block_not_to_be_had",
                   "cid", (struct bytes){(uint8_t *)text, len});
    list_remove(&r->link);
    n->repairs_count--;
    fetch_free(r->fetch);
    mem_free(r);
}

static void start_repair(struct node *n, const struct multihash *hash)
{
    struct cid cid = cid_from_hash(CODEC_RAW, hash);
    struct fetch_config config = {.local_only = false};
    char text[CID_TEXT_MAX];
    size_t len = cid_format(&cid, text);

    node_log_event(n, LOG_ERROR, "block_damaged", "cid",
                   (struct bytes){(uint8_t *)text, len});
    if (n->exchange == NULL || n->stopping || n->repairs_count == REPAIRS_MAX)
        return; /* who asks for it next fetches it */
    struct repair *r = mem_zalloc(1, sizeof(*r));
    r->node = n;
    r->op.done = repair_done;
    r->fetch = fetch_new(n, &config);
    list_add_tail(&n->repairs, &r->link);
    n->repairs_count++;
    fetch_get(r->fetch, &r->op, &cid, 0, 0);
}

/* Turns. */

static void wake_waiters(struct node *n, struct mtime now)
{
    struct list woken;

    list_init(&woken);
    while (!list_empty(&n->waiters)) {
        struct list *first = list_first(&n->waiters);
        list_remove(first);
        list_add_tail(&woken, first);
    }
    while (!list_empty(&woken)) {
        struct list *first = list_first(&woken);
        list_remove(first);
        struct store_waiter *w = container_of(first, struct store_waiter, link);
        w->writable(w, now);
    }
}

static void on_store_event(struct node *n, const struct store_event *event,
                           struct mtime now)
{
    switch (event->kind) {
    case STORE_EVENT_WRITABLE:
        wake_waiters(n, now);
        break;
    case STORE_EVENT_QUARANTINED:
        n->wants_to_write = n->only_reads;
        start_repair(n, &event->hash);
        break;
    case STORE_EVENT_DEGRADED:
        node_log_event(n, LOG_ERROR, "index_not_written", "error",
                       bytes_str(err_name(event->err)));
        break;
    case STORE_EVENT_RECOVERED:
        node_log_event(n, LOG_INFO, "index_written_again", NULL, BYTES_EMPTY);
        break;
    case STORE_EVENT_REBUILT:
        node_log_event(n, LOG_INFO, "index_rebuilt", NULL, BYTES_EMPTY);
        break;
    case STORE_EVENT_SETTLED:
        node_log_event(n, LOG_DEBUG, "pins_counted", NULL, BYTES_EMPTY);
        break;
    case STORE_EVENT_PROBLEM:
        node_log_event(n, LOG_ERROR, "bad_record", NULL, BYTES_EMPTY);
        break;
    }
}

static void finish_stop(struct node *n)
{
    n->closing = false;
    store_close(n->store, &n->close_op);
}

void node_turn_end(struct node *n, struct mtime now)
{
    struct store_event event;

    if (n->pumping)
        return;
    n->pumping = true;
    while (store_next(n->store, &event))
        on_store_event(n, &event, now);
    bool more = true;
    for (unsigned i = 0; more && i < PUMPS_MAX; i++) {
        more = objects_pump(n->objects, now);
        more |= node_pump_online(n, now);
    }
    struct clock *clock = n->env->clock;
    clock->set(clock, &n->again, more ? now : MTIME_NEVER);
    n->pumping = false;
    if (n->closing && node_is_offline(n))
        finish_stop(n);
}

/* The end. */

static void on_all_written(struct kv_batch *batch, enum err err,
                           struct mtime now)
{
    struct node *n = container_of(batch, struct node, last);

    (void)now;
    n->stop_done(n->stop_user, n->stop_err != OK ? n->stop_err : err);
}

static void on_store_closed(struct store_op *op, enum err err, struct mtime now)
{
    struct node *n = container_of(op, struct node, close_op);

    (void)now;
    n->stop_err = err;
    if (n->only_reads) {
        n->stop_done(n->stop_user, err);
        return;
    }
    /* Batches are written in order: when this empty one is, all are. */
    n->last.done = on_all_written;
    n->state->write(n->state, &n->last);
}

void node_stop(struct node *n, void (*done)(void *user, enum err err),
               void *user, struct mtime now)
{
    n->env->clock->set(n->env->clock, &n->again, MTIME_NEVER);
    n->stopping = true;
    n->stop_done = done;
    n->stop_user = user;
    n->close_op.done = on_store_closed;
    list_for_each_safe (it, &n->repairs) {
        struct repair *r = container_of(it, struct repair, link);
        fetch_free(r->fetch);
        list_remove(it);
        mem_free(r);
    }
    n->repairs_count = 0;
    objects_stop(n->objects, now);
    node_go_offline(n, now);
    n->closing = true;
    if (node_is_offline(n))
        finish_stop(n);
}

/* What others need of it. */

struct env *node_env(const struct node *n)
{
    return n->env;
}

const struct config *node_settings(const struct node *n)
{
    return n->config;
}

void node_protocol(const struct node *n, const char *tail,
                   char dst[static NODE_PROTOCOL_MAX])
{
    struct strbuf name;

    strbuf_init(&name, NODE_PROTOCOL_MAX - 1);
    strbuf_str(&name, "/xmbl/");
    strbuf_str(&name, config_get_text(node_settings(n), CONFIG_NETWORK_NAME));
    strbuf_str(&name, tail);
    memcpy(dst, strbuf_cstr(&name), name.len + 1);
    strbuf_release(&name);
}

struct store *node_store(const struct node *n)
{
    return n->store;
}

void node_wait_store(struct node *n, struct store_waiter *w)
{
    if (list_empty(&w->link))
        list_add_tail(&n->waiters, &w->link);
}

struct list *node_exports(struct node *n)
{
    return &n->exports;
}

struct network *node_network(const struct node *n)
{
    return n->network;
}

struct peering *node_peering(const struct node *n)
{
    return n->peering;
}

struct dht *node_dht(const struct node *n)
{
    return n->dht;
}

struct names *node_names(const struct node *n)
{
    return n->names;
}

struct announce *node_announce(const struct node *n)
{
    return n->announce;
}

struct objects *node_objects(const struct node *n)
{
    return n->objects;
}

struct exchange *node_exchange(const struct node *n)
{
    return n->exchange;
}

const struct privkey *node_key(const struct node *n)
{
    return &n->key;
}

struct log *node_log(struct node *n)
{
    return &n->log;
}

const char *node_path(const struct node *n)
{
    return n->path;
}

const char *node_version(const struct node *n)
{
    return n->version;
}

bool node_wants_to_write(const struct node *n)
{
    return n->wants_to_write;
}

bool node_checks_reads(const struct node *n)
{
    return n->checks_reads;
}

bool node_takes_cache(const struct node *n)
{
    struct store_stats stats;

    if (n->cache_bytes_max == 0)
        return true;
    store_stats(n->store, &stats);
    return stats.bytes_used < n->cache_bytes_max;
}

struct mtime node_started(const struct node *n)
{
    return n->started;
}

void node_random(const struct node *n, uint8_t *dst, size_t len)
{
    n->env->rng->fill(n->env->rng, dst, len);
}
