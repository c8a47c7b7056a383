#ifndef SIM_DISK_PRIV_H
#define SIM_DISK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "env/disk.h"
#include "sim/disk.h"

/*
 * disk: what its files share.
 *
 * 1. A sector has what is seen (@live, NULL: zeros), and while it is dirty what
 *    is durable (@durable, NULL: zeros).
 * 2. A file is in disk.dirty while it has a dirty sector or another size than
 *    @durable_size.
 * 3. An inode is counted: by names, open handles, and changes that are not
 *    durable and could bring it back.  The last gone frees it.
 * 4. disk.changes undone from its end gives the durable names.
 */

struct sim_sector {
    uint8_t *live;
    uint8_t *durable;
    bool dirty;
};

struct sim_inode {
    struct list link; /* in disk.inodes */
    uint32_t refs;
    enum disk_kind kind;
    uint32_t mode;
    uint64_t number;
    uint64_t mtime_ns;

    /* A file. */
    struct sim_sector *sectors;
    size_t sectors_room;
    uint64_t size;
    uint64_t durable_size;
    uint64_t *touched; /* dirty sectors */
    size_t touched_count;
    size_t touched_room;
    struct list dirty_link;

    struct map names;       /* of a directory: struct sim_name */
    struct sim_kv_data *kv; /* in a directory, or NULL */
    char *target;           /* of a symlink */
};

struct sim_name {
    struct map_node node;
    struct sim_inode *inode; /* counted */
    char text[];             /* NOLINT: flexible array */
};

/* One name before a change. */
struct sim_edit {
    struct sim_inode *dir;    /* counted */
    struct sim_inode *before; /* counted; NULL: there was none */
    char *name;
};

struct sim_change {
    struct list link;
    struct sim_edit edits[2];
    size_t count;
};

struct disk_file {
    struct list link; /* in disk.handles */
    struct sim_inode *inode;
    unsigned flags;
};

/** sim_disk_is_below - whether @file is a file right below the path @below. */
bool sim_disk_is_below(struct sim_disk *d, const struct sim_inode *file,
                       const char *below);

/** sim_inode_new - with one reference. */
MUST_USE struct sim_inode *sim_inode_new(struct sim_disk *d,
                                         enum disk_kind kind, uint32_t mode);

/** sim_inode_ref - one reference more; returns @i. */
struct sim_inode *sim_inode_ref(struct sim_inode *i);

/** sim_inode_unref - one less; NULL does nothing. */
void sim_inode_unref(struct sim_disk *d, struct sim_inode *i);

/** sim_inodes_reap - free the directories that nothing holds, with all below.
 */
void sim_inodes_reap(struct sim_disk *d);

/** sim_file_write - put @in at @offset; E_NOSPACE after a part of it. */
MUST_USE enum err sim_file_write(struct sim_disk *d, struct sim_inode *i,
                                 uint64_t offset, struct bytes in);

/** sim_file_read - up to @len bytes.  Return: how many. */
size_t sim_file_read(const struct sim_inode *i, uint64_t offset, uint8_t *dst,
                     size_t len);

/** sim_file_resize - cut off or append zeros. */
void sim_file_resize(struct sim_disk *d, struct sim_inode *i, uint64_t size);

/** sim_file_sync - all of it is durable. */
void sim_file_sync(struct sim_disk *d, struct sim_inode *i);

/** sim_file_tear - what a power cut leaves of it. */
void sim_file_tear(struct sim_disk *d, struct sim_inode *i);

/** sim_file_release - free its sectors. */
void sim_file_release(struct sim_disk *d, struct sim_inode *i);

/** sim_dir_find - the inode called @name, or NULL. */
struct sim_inode *sim_dir_find(const struct sim_inode *dir, struct bytes name);

/** sim_change_begin - a change of names that is not durable yet. */
MUST_USE struct sim_change *sim_change_begin(struct sim_disk *d);

/** sim_change_name - let @name be @inode as a part of @c. */
void sim_change_name(struct sim_disk *d, struct sim_change *c,
                     struct sim_inode *dir, struct bytes name,
                     struct sim_inode *inode);

/** sim_changes_sync - the names in @dir are durable; NULL: all names. */
void sim_changes_sync(struct sim_disk *d, const struct sim_inode *dir);

/** sim_changes_tear - undo what a power cut undoes. */
void sim_changes_tear(struct sim_disk *d);

/** sim_disk_ops - the functions of struct disk. */
struct disk sim_disk_ops(void);

/** sim_disk_walk - the inode at absolute @path. */
MUST_USE enum err sim_disk_walk(struct sim_disk *d, const char *path,
                                struct sim_inode **ret_inode);

/**
 * sim_disk_place - where something called @name can be made.
 * @dir: or NULL: @name is a path.
 * @ret_name: the last component, a view into @name.
 */
MUST_USE enum err sim_disk_place(struct sim_disk *d, struct sim_inode *dir,
                                 const char *name, struct sim_inode **ret_dir,
                                 struct bytes *ret_name);

/** sim_disk_make - a new inode called @name in @dir.  Return: as sim_dir_find()
 * would. */
struct sim_inode *sim_disk_make(struct sim_disk *d, struct sim_inode *dir,
                                struct bytes name, enum disk_kind kind,
                                uint32_t mode);

#endif /* SIM_DISK_PRIV_H */
