#ifndef TEST_UNIT_STORE_FAKE_WORLD_H
#define TEST_UNIT_STORE_FAKE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mtime.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/env.h"
#include "env/kv.h"
#include "env/pool.h"
#include "env/rng.h"

/*
 * A world in memory for tests of the store: everything happens when the test
 * pumps it, in an order that a seed decides, and it can lose its power.
 */

enum {
    FAKE_TABLES_MAX = 16,
    FAKE_FILES_MAX = 4096,
    FAKE_TIMERS_MAX = 16,
    FAKE_NAME_MAX = 40,
    FAKE_NAMES_MAX = FAKE_FILES_MAX * FAKE_NAME_MAX
};

/** struct fake_write - a change of a file that is not synced. */
struct fake_write {
    bool truncate;
    size_t offset; /* or the new length */
    uint8_t *data;
    size_t len;
};

struct fake_file {
    char name[FAKE_NAME_MAX];
    uint8_t *data; /* as it reads now */
    size_t len;
    size_t room;
    uint8_t *synced; /* as it was at the last sync */
    size_t synced_len;
    struct fake_write *writes; /* since then */
    size_t writes_count;
    bool named;        /* has its name now */
    bool named_synced; /* would have it after a crash */
    unsigned opened;
};

struct fake_row {
    uint8_t *key;
    size_t key_len;
    uint8_t *value;
    size_t value_len;
};

struct fake_table {
    struct fake_row *rows; /* in order of keys */
    size_t count;
    size_t room;
};

struct fake_kv {
    struct kv kv;
    struct fake_world *world;
    struct fake_table tables[FAKE_TABLES_MAX];
    struct list batches; /* waiting */
    enum err fail;       /* of all writes, unless OK */
    uint64_t commits;
    uint64_t gets;
};

struct fake_world {
    struct env env;
    struct clock clock;
    struct disk disk;
    struct pool pool;
    struct rng rng;
    struct fake_kv index;
    struct fake_kv pins;
    struct fake_file *files[FAKE_FILES_MAX];
    size_t files_count;
    uint64_t seed;
    struct mtime now;
    uint64_t timers_set;
    struct timer *timers[FAKE_TIMERS_MAX]; /* those that are set */
    size_t timers_count;
    struct list queued; /* jobs that wait */
    struct list ran;    /* jobs that ran and are not told */
    uint64_t capacity;  /* of the disk, bytes */
    uint64_t syncs;
    uint64_t writes;
    uint64_t reads;
    int fail_sync_in;  /* 1: the next one fails with E_IO; 0: never */
    int fail_write_in; /* the same */
    bool fail_truncate;
    bool fail_reads;
};

/** world_init - empty, with a clock that stands. */
void world_init(struct fake_world *w, uint64_t seed);

/** world_release - frees everything. */
void world_release(struct fake_world *w);

/** world_random - below @limit. */
uint32_t world_random(struct fake_world *w, uint32_t limit);

/** world_step - one thing happens: a job runs or ends, a batch is committed,
 * or a due timer fires.  Return: false: nothing is due. */
bool world_step(struct fake_world *w);

/** world_run - until nothing is due; time stands. */
void world_run(struct fake_world *w);

/** world_pass - time goes on by @ms, and all that is due happens. */
void world_pass(struct fake_world *w, uint32_t ms);

/** world_crash - makes @to what a power cut now would leave of @from. */
void world_crash(struct fake_world *from, struct fake_world *to, uint64_t seed);

/** world_file - the file called @name, or NULL. */
struct fake_file *world_file(struct fake_world *w, const char *name);

/** world_change - changes the index behind the back of the store. */
void world_change(struct fake_world *w, const struct kv_change *c);

/** world_lose_index - empties the index. */
void world_lose_index(struct fake_world *w);

/** world_used - bytes in all files. */
uint64_t world_used(const struct fake_world *w);

#endif /* TEST_UNIT_STORE_FAKE_WORLD_H */
