#ifndef NODE_CAR_IMPORT_H
#define NODE_CAR_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"

struct car_import;
struct node;

/*
 * car_import - the blocks of a CAR file into the store, its roots pinned.
 *
 * Every block is hashed; one that is not what its CID says ends the import.
 * Roots are pinned at the end only, so a file that lies leaves nothing but
 * cache.
 */

struct car_import_config {
    bool no_pin;
    void (*on_ready)(void *user, struct mtime now);
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

MUST_USE struct car_import *
car_import_new(struct node *n, const struct car_import_config *config);

/** car_import_write - the next bytes; copied.  False: wait for on_ready. */
bool car_import_write(struct car_import *c, struct bytes in, struct mtime now);

/** car_import_end - the file is complete. */
void car_import_end(struct car_import *c, struct mtime now);

/** car_import_free - end it at any time; NULL does nothing. */
void car_import_free(struct car_import *c);

/** car_import_roots - roots that the header names, once it has come. */
const struct cid *car_import_roots(const struct car_import *c,
                                   size_t *ret_count);

/** car_import_blocks - blocks stored so far. */
uint64_t car_import_blocks(const struct car_import *c);

/** car_import_bytes - bytes of them. */
uint64_t car_import_bytes(const struct car_import *c);

/** car_import_fault - why it failed. */
const struct fault *car_import_fault(const struct car_import *c);

#endif /* NODE_CAR_IMPORT_H */
