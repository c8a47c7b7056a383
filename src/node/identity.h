#ifndef NODE_IDENTITY_H
#define NODE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/key.h"

struct disk;
struct disk_file;
struct rng;

/*
 * identity - the node's key pair in the file identity.key.
 *
 * File: magic "XMBLKEY" and a version byte; a flag byte (0 plain, 1 locked
 * under a passphrase); length of the rest, 4 bytes big endian; the libp2p
 * private key protobuf or a keybox of it; crc32c of all before, 4 bytes big
 * endian.  Mode 0600.  A change is written beside it and renamed, so that at
 * any moment the old file or the new one is there, whole.
 *
 * All calls are synchronous: at start, or in a process without a loop.
 */

#define IDENTITY_FILE "identity.key"

enum { IDENTITY_FILE_BYTES_MAX = 4096 };

/**
 * identity_create - new random key, written to @dir.
 * @dir: the open data folder.
 * @pass: passphrase to lock it under, or NULL for none.
 * @ret_key: released by the caller.
 *
 * Return: OK; E_EXISTS when there is a key file already, which is untouched;
 * E_NOSPACE, E_REFUSED, E_IO.
 */
MUST_USE enum err identity_create(struct disk *disk, struct disk_file *dir,
                                  struct rng *rng, const struct bytes *pass,
                                  struct privkey *ret_key);

/**
 * identity_store - write @key to @dir.
 * @replace: whether a key file that is there is replaced; else E_EXISTS.
 *
 * Return: as identity_create().
 */
MUST_USE enum err identity_store(struct disk *disk, struct disk_file *dir,
                                 struct rng *rng, const struct privkey *key,
                                 const struct bytes *pass, bool replace);

/**
 * identity_load - read the key in @dir.
 * @pass: passphrase, or NULL for none; unused when the file is not locked.
 * @ret_key: released by the caller.
 *
 * Return: OK; E_NOTFOUND without a key file; E_AGAIN when it is locked and
 * @pass is NULL; E_MISMATCH for a wrong passphrase; E_CORRUPT for a file that
 * is truncated, altered or none of ours; E_UNSUPPORTED for a newer version;
 * E_REFUSED, E_IO.
 */
MUST_USE enum err identity_load(struct disk *disk, struct disk_file *dir,
                                const struct bytes *pass,
                                struct privkey *ret_key);

/**
 * identity_is_locked - whether the key in @dir needs a passphrase.
 *
 * Return: OK; the failures of identity_load() that a look at the head shows.
 */
MUST_USE enum err identity_is_locked(struct disk *disk, struct disk_file *dir,
                                     bool *ret_locked);

#endif /* NODE_IDENTITY_H */
