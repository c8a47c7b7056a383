#ifndef IPLD_DAG_PB_H
#define IPLD_DAG_PB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/cid.h"

struct wr;

/*
 * dag_pb - blocks of codec dag-pb: a list of named links and some bytes.
 *
 * dag_pb_open() checks the whole block once, in linear time and without
 * memory; walking the links afterwards cannot fail.
 *
 * Spec: ipld/ipld specs/codecs/dag-pb/spec.md: links are field 2, data is
 * field 1; a link is hash 1, name 2, tsize 3, in this order.
 */

/** struct dag_pb_link - one link of a block. */
struct dag_pb_link {
    struct cid cid;
    struct bytes name; /* view into the block; empty when absent */
    uint64_t tsize;    /* as the block claims, never trusted; 0 when absent */
    bool has_name;
    bool has_tsize;
};

/**
 * struct dag_pb - an opened block and a place in its list of links.
 *
 * Borrows the bytes it was opened on.  A copy by assignment walks on its own.
 */
struct dag_pb {
    struct bytes data;  /* view; empty when absent */
    size_t links_count; /* in the whole block */
    bool has_data;
    struct bytes links; /* private: what is left to walk */
};

/**
 * dag_pb_open - check the block @in and stand before its first link.
 * @in: untrusted; borrowed as long as @ret_node is used.
 *
 * Data may stand before or after the links, as old writers put it first, but
 * not among them.  An empty block is a node without links and data.
 *
 * Return: OK; E_SHORT; E_MALFORMED for any other field, wire type or order,
 * something given twice, a link without a hash or with one that is no CID;
 * E_LIMIT and E_UNSUPPORTED for a CID that cid_decode() refuses so.
 */
MUST_USE enum err dag_pb_open(struct bytes in, struct dag_pb *ret_node);

/**
 * dag_pb_link_next - the next link of @n.
 * @ret_link: written when true is returned; valid while the block is.
 *
 * Return: false after the last.
 */
bool dag_pb_link_next(struct dag_pb *n, struct dag_pb_link *ret_link);

/**
 * dag_pb_link_len - bytes that dag_pb_put_link() writes.
 * @name_len: of the name in bytes, 0 for none.
 */
size_t dag_pb_link_len(const struct cid *cid, size_t name_len, uint64_t tsize);

/**
 * dag_pb_put_link - append one link of a block, in canonical form.
 *
 * Name and tsize are written even when empty and zero: others do, and the same
 * content must get the same CID.  The caller puts links sorted by name, then
 * the data.
 */
void dag_pb_put_link(struct wr *w, const struct cid *cid, struct bytes name,
                     uint64_t tsize);

/** dag_pb_data_len - bytes that the data field takes for @len bytes. */
size_t dag_pb_data_len(size_t len);

/**
 * dag_pb_put_data_head - begin the data field, the last of a block; its @len
 * bytes are written next by the caller.
 */
void dag_pb_put_data_head(struct wr *w, size_t len);

#endif /* IPLD_DAG_PB_H */
