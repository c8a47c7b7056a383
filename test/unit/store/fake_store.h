#ifndef TEST_UNIT_STORE_FAKE_STORE_H
#define TEST_UNIT_STORE_FAKE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_world.h"
#include "multiformats/cid.h"
#include "store/store.h"

struct block;

/* Calls of the store that wait for their end by pumping the world. */

enum err fs_open(struct fake_world *w, const struct store_config *config,
                 struct store **ret_store);
void fs_close(struct fake_world *w, struct store *s);
enum err fs_put(struct fake_world *w, struct store *s, struct block *b,
                unsigned flags, struct store_lease *l);
enum err fs_get(struct fake_world *w, struct store *s, const struct cid *cid,
                struct block **ret_block);
enum err fs_flush(struct fake_world *w, struct store *s);
enum err fs_sync(struct fake_world *w, struct store *s, uint64_t epoch);
enum err fs_gc(struct fake_world *w, struct store *s, uint64_t *ret_blocks);
enum err fs_pin(struct fake_world *w, struct store *s, enum store_pin_kind kind,
                const struct cid *cid, bool add);
enum err fs_verify(struct fake_world *w, struct store *s,
                   struct store_check_op *op);
enum err fs_fsck(struct fake_world *w, struct store *s,
                 struct store_check_op *op);

/** fs_raw - raw block of @len bytes that @n decides; the caller's reference. */
struct block *fs_raw(uint32_t n, size_t len);

/** fs_node - dag-pb block with @count links, and @n to tell it from others. */
struct block *fs_node(const struct cid *links, size_t count, uint32_t n);

/** fs_recount - the test fails unless usage, blocks and live bytes are those
 * of the blocks that are there, after a flush. */
void fs_recount(struct fake_world *w, struct store *s);

/** fs_is_good - whether the block can be read and is the right one. */
bool fs_is_good(struct fake_world *w, struct store *s, const struct cid *cid);

/** fs_saw - whether an event of @kind is among those queued; drops all. */
bool fs_saw(struct store *s, enum store_event_kind kind);

#endif /* TEST_UNIT_STORE_FAKE_STORE_H */
