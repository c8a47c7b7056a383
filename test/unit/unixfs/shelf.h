#ifndef TEST_UNIT_UNIXFS_SHELF_H
#define TEST_UNIT_UNIXFS_SHELF_H

/*
 * shelf - blocks in memory, by CID, and ways to fill it: what the tests of
 * unixfs use in the place of a store.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/map.h"
#include "ipld/block.h"
#include "unixfs/dag_link.h"
#include "unixfs/profile.h"

struct shelf {
    struct map blocks;
};

/** shelf_init - an empty shelf. */
void shelf_init(struct shelf *s);

/** shelf_release - drop all blocks. */
void shelf_release(struct shelf *s);

/** shelf_put - keep @b, whose reference passes to the shelf. */
void shelf_put(struct shelf *s, struct block *b);

/** shelf_get - block with @cid, still the shelf's; NULL if there is none. */
struct block *shelf_get(const struct shelf *s, const struct cid *cid);

/** shelf_find - as shelf_get(); the test fails if there is none. */
struct block *shelf_find(const struct shelf *s, const struct cid *cid);

/** shelf_add - put the block of @data, as version 1 and @codec. */
struct cid shelf_add(struct shelf *s, uint64_t codec, struct bytes data);

/** struct source - where the bytes of a test file come from. */
struct source {
    enum { SOURCE_PATTERN, SOURCE_ZERO, SOURCE_STREAM } kind;
    uint64_t offset;
    uint8_t key[32]; /* SOURCE_STREAM */
};

/** source_pattern - byte number i is i modulo 251. */
struct source source_pattern(void);

/** source_stream - the ChaCha20 key stream of the sha2-256 of @seed. */
struct source source_stream(const char *seed);

/** source_read - the next @len bytes. */
void source_read(struct source *s, uint8_t *dst, size_t len);

/**
 * import_file - build a file of @size bytes of @source.
 * @s: gets the blocks; NULL: they are dropped.
 */
struct dag_link import_file(struct shelf *s,
                            const struct import_profile *profile,
                            struct source source, uint64_t size);

/** import_bytes - build a file of @in. */
struct dag_link import_bytes(struct shelf *s,
                             const struct import_profile *profile,
                             struct bytes in);

/** struct file_import - a file that is built chunk after chunk. */
struct file_import;

/** file_import_new - @s may be NULL. */
struct file_import *file_import_new(struct shelf *s,
                                    const struct import_profile *profile);

/** file_import_chunk - the next chunk. */
void file_import_chunk(struct file_import *f, struct bytes chunk);

/** file_import_finish - the file is complete; frees @f. */
struct dag_link file_import_finish(struct file_import *f);

/** find_profile - by its name, which there must be. */
struct import_profile find_profile(const char *name);

/** text_of - text of @cid; static memory, overwritten by the next call. */
const char *text_of(const struct cid *cid);

/** struct dice - numbers that a seed decides. */
struct dice {
    uint64_t state;
};

/** dice_next - a number below @below. */
uint64_t dice_next(struct dice *d, uint64_t below);

#endif /* TEST_UNIT_UNIXFS_SHELF_H */
