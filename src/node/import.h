#ifndef NODE_IMPORT_H
#define NODE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "node/fault.h"
#include "unixfs/profile.h"

struct import;
struct node;

/*
 * import - files, folders and streams into blocks (add).
 *
 * Names are never followed out of what was asked for: symlinks are kept as
 * symlinks.  Memory does not grow with the size of a file.  When @done says
 * OK, every block and pin is on the medium.
 */

/** struct import_item - something that was added; valid during the call. */
struct import_item {
    struct bytes path; /* as shown: "folder/sub/name"; untrusted bytes; empty
                          for the folder that wrap makes */
    struct cid cid;
    uint64_t bytes; /* contents of a file; of a folder: all below */
    bool is_root;   /* what was asked for; pinned unless told otherwise */
};

struct import_config {
    struct import_profile profile;
    bool only_hash; /* store nothing */
    bool no_hidden; /* leave out names that begin with a dot, below the roots */
    bool wrap;      /* put all roots into one folder, which is the root */
    bool no_pin;
    struct bytes name; /* of the pins, at most STORE_PIN_NAME_MAX; copied */

    /** @on_item: added, children before parents, in the order of names. */
    void (*on_item)(void *user, const struct import_item *item,
                    struct mtime now);
    /** @on_ready: import_write() may go on. */
    void (*on_ready)(void *user, struct mtime now);
    void (*done)(void *user, enum err err, struct mtime now);
    void *user;
};

/** struct import_progress - how far it is. */
struct import_progress {
    uint64_t bytes_done;
    uint64_t bytes_total; /* of what was listed so far; 0: unknown */
    uint64_t files_done;
};

/**
 * import_paths - add @count files or folders at absolute paths; copied.
 *
 * Items come in the order of @paths; each is called by the last component of
 * its path.  A path that is a symlink is added as one.  A file that changes or
 * goes away before it was read ends the import, as does one that cannot be
 * read, and a device, pipe or socket.  No callback from inside.
 */
MUST_USE struct import *import_paths(struct node *n,
                                     const struct import_config *config,
                                     const char *const *paths, size_t count);

/**
 * import_stream - add one file whose bytes come through import_write().
 * @name: as shown and, with wrap, its name in the folder; empty: its CID.
 */
MUST_USE struct import *import_stream(struct node *n,
                                      const struct import_config *config,
                                      struct bytes name);

/**
 * import_write - the next bytes of a stream; copied.
 *
 * Return: true when more may come at once; false: wait for @on_ready.
 */
bool import_write(struct import *im, struct bytes in, struct mtime now);

/** import_end - the stream is complete; nothing may be written any more. */
void import_end(struct import *im, struct mtime now);

/** import_pause - no @on_item while @paused, and soon nothing more is read;
 * failures are told.  From inside @on_item too. */
void import_pause(struct import *im, bool paused);

/** import_free - end it at any time; blocks stored so far become cache.  NULL
 * does nothing. */
void import_free(struct import *im);

/** import_progress - numbers of now. */
struct import_progress import_progress(const struct import *im);

/** import_fault - why it failed. */
const struct fault *import_fault(const struct import *im);

#endif /* NODE_IMPORT_H */
