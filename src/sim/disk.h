#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/list.h"
#include "env/disk.h"
#include "sim/rand.h"

struct sim_clock;
struct sim_inode;
struct sim_kv_data;

/*
 * disk - files in memory with a page cache that a power cut loses.
 *
 * What was written is seen at once and durable after a sync.  See
 * docs/design/0004 for what a cut may do.  Operations answer at once; what
 * they would have taken is added up in @cost_ns for the pool.
 */

enum { SIM_SECTOR_BYTES = 512, SIM_DISK_NAME_MAX = 255 };

/** struct sim_disk - one disk; it outlives the nodes that use it. */
struct sim_disk {
    struct disk disk; /* for the node */

    /* What it is like; may be changed at any time. */
    uint64_t capacity_bytes;
    uint64_t sync_ns;     /* what a sync takes */
    uint64_t op_ns;       /* what any other operation takes */
    uint64_t bytes_per_s; /* read and written; 0: no limit */
    bool lies;            /* a sync does nothing */
    bool full;            /* whatever the capacity */
    /** @forgets: files right below this path read as zeros, whatever was
     * written to them; NULL: none. */
    const char *forgets;
    uint64_t ops_left; /* then it dies; UINT64_MAX: never */

    bool dead;        /* all operations fail without any effect */
    bool died;        /* @ops_left ran out: a power cut is due */
    uint64_t cost_ns; /* of operations since it was set to 0 */
    uint64_t used_bytes;
    uint64_t written_bytes;
    uint64_t syncs;

    struct sim_clock *clock; /* private, as all below */
    struct sim_rand rand;
    struct sim_inode *root;
    struct list inodes;  /* all that there are */
    struct list dirty;   /* files that have more than is durable */
    struct list changes; /* of names that are not durable, oldest first */
    size_t changes_count;
    struct list handles; /* open files */
    struct list doomed;  /* inodes that nothing holds but that have names */
    uint64_t inodes_made;
};

/** sim_disk_init - empty, of 1 TiB, fast; @seed of the world. */
void sim_disk_init(struct sim_disk *d, struct sim_clock *clock, uint64_t seed);

/** sim_disk_release - free all; no file is open (asserted), no kv either. */
void sim_disk_release(struct sim_disk *d);

/** sim_disk_kill - the node is no more: its files act dead from now on. */
void sim_disk_kill(struct sim_disk *d);

/** sim_disk_power - as sim_disk_kill(), and what was not durable is torn. */
void sim_disk_power(struct sim_disk *d);

/** sim_disk_revive - a new node may use it; all files were closed (asserted).
 */
void sim_disk_revive(struct sim_disk *d);

/** sim_disk_rot - flip one bit of a file below the path @below that is durable;
 * false when there is none. */
bool sim_disk_rot(struct sim_disk *d, const char *below);

/** sim_disk_lose - all bytes of the files below @below become zero.
 * Return: how many files. */
size_t sim_disk_lose(struct sim_disk *d, const char *below);

/**
 * sim_disk_kv - what lies in the directory @path as a kv; both are made where
 * there are none.
 *
 * Return: NULL with @ret_err: E_NOTFOUND the parent is missing; E_REFUSED not
 * a directory; E_IO dead.
 */
struct sim_kv_data *sim_disk_kv(struct sim_disk *d, const char *path,
                                enum err *ret_err);

/** sim_disk_step - one operation of @bytes begins; false when it fails because
 * the disk is dead or dies now. */
bool sim_disk_step(struct sim_disk *d, uint64_t bytes);

#endif /* SIM_DISK_H */
