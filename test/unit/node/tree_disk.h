#ifndef TEST_UNIT_NODE_TREE_DISK_H
#define TEST_UNIT_NODE_TREE_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/map.h"
#include "env/disk.h"

/*
 * tree_disk - a disk in memory that can be read only, for tests of what reads
 * files of the user.  Contents need no memory: byte i is i mod 251, all zero,
 * or given.
 */

enum tree_contents { TREE_GIVEN, TREE_PATTERN, TREE_ZERO };

struct tree_node {
    struct map_node node;
    char *path; /* absolute */
    struct disk_stat st;
    enum tree_contents contents;
    struct bytes bytes;   /* given contents; target of a symlink */
    enum err err;         /* of open, readlink */
    uint64_t read_err_at; /* UINT64_MAX: reads are fine */
    size_t calls;         /* that concern it */
    size_t first_call;    /* numbers of the first and the last one */
    size_t last_call;
    struct tree_node *next; /* in its folder */
    struct tree_node *first;
};

struct tree_disk {
    struct disk disk;
    struct map nodes;
    size_t open;       /* handles */
    size_t open_most;  /* at once */
    size_t open_limit; /* 0: none */
    size_t calls;
    size_t fail_call; /* number of the call that fails; 0: none */
    enum err fail_err;
    uint64_t inode;
    /** @change: the tree changes before call number @change_call. */
    void (*change)(struct tree_disk *d);
    size_t change_call;
};

/** tree_disk_init - a disk with the folder "/" alone. */
void tree_disk_init(struct tree_disk *d);

/** tree_disk_release - no file is open (asserted by the test). */
void tree_disk_release(struct tree_disk *d);

/** tree_add - a new name, whose folder is there. */
struct tree_node *tree_add(struct tree_disk *d, const char *path,
                           enum disk_kind kind);

/** tree_file - a new file of pattern or zero bytes. */
struct tree_node *tree_file(struct tree_disk *d, const char *path,
                            enum tree_contents contents, uint64_t size);

/** tree_text - a new file that holds @text. */
struct tree_node *tree_text(struct tree_disk *d, const char *path,
                            const char *text);

/** tree_symlink - a new symlink. */
struct tree_node *tree_symlink(struct tree_disk *d, const char *path,
                               const char *target);

/** tree_find - the node, or NULL. */
struct tree_node *tree_find(struct tree_disk *d, const char *path);

/** tree_remove - forget a name; who has it open goes on reading. */
void tree_remove(struct tree_disk *d, const char *path);

/** tree_fill - byte @offset and following of contents @contents. */
void tree_fill(enum tree_contents contents, uint64_t offset, uint8_t *dst,
               size_t len);

#endif /* TEST_UNIT_NODE_TREE_DISK_H */
