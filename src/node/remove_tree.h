#ifndef NODE_REMOVE_TREE_H
#define NODE_REMOVE_TREE_H

#include "base/attr.h"
#include "base/err.h"

struct disk;
struct disk_file;

/**
 * remove_tree - remove @name in @dir with everything below it; in a pool job.
 *
 * Symlinks are removed, never followed.  Nothing there is fine.
 *
 * Return: OK; E_LIMIT when folders nest too deep; what struct disk says.
 */
MUST_USE enum err remove_tree(struct disk *disk, struct disk_file *dir,
                              const char *name);

#endif /* NODE_REMOVE_TREE_H */
