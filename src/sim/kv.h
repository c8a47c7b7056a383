#ifndef SIM_KV_H
#define SIM_KV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "env/kv.h"
#include "sim/rand.h"

struct sim_clock;
struct sim_disk;
struct sim_kv_data;

/*
 * kv - ordered tables that lie in a directory of a simulated disk.
 *
 * A commit is due some time after a write and takes all batches that wait.  A
 * power cut keeps a prefix of those that wait, each whole.  On a disk that
 * lies the last commits may be undone.
 */

enum { SIM_KV_UNDO_MAX = 16 }; /* batches that a disk that lies may lose */

/** struct sim_kv_opener - opens environments of one machine. */
struct sim_kv_opener {
    struct kv_opener opener;
    struct sim_clock *clock; /* borrowed */
    struct sim_disk *disk;   /* borrowed */
    struct sim_rand rand;
    uint64_t commit_ns; /* a commit takes up to twice as long */
};

/** sim_kv_opener_init - on @disk; @seed of the world. */
void sim_kv_opener_init(struct sim_kv_opener *o, struct sim_disk *disk,
                        uint64_t seed);

/** sim_kv_data_new - empty; held by a directory of a disk. */
MUST_USE struct sim_kv_data *sim_kv_data_new(void);

/** sim_kv_data_free - the directory has gone; who has it open keeps it until
 * the close.  NULL does nothing. */
void sim_kv_data_free(struct sim_kv_data *data);

/** sim_kv_data_power - what a power cut leaves; who has it open is dead. */
void sim_kv_data_power(struct sim_kv_data *data, struct sim_rand *rand);

#endif /* SIM_KV_H */
