#ifndef IPLD_LINKS_H
#define IPLD_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"
#include "ipld/dag_pb.h"
#include "multiformats/cid.h"

/*
 * links - the CIDs that a block of any codec points at, in their order.
 *
 * Known codecs are dag-pb and dag-cbor; blocks of all others, raw among them,
 * have no links that we see.
 */

/**
 * struct links - a place in the links of one block; private.
 *
 * Small, and without memory of its own: a copy by assignment walks on its own.
 */
struct links {
    enum { LINKS_NONE, LINKS_PB, LINKS_CBOR } kind;
    struct dag_pb pb;
    struct rd cbor;
};

/**
 * links_init - check the block @in and stand before its first link.
 * @codec: multicodec of the block, as its CID says.
 * @in: borrowed as long as @ret_links is used.
 *
 * Return: OK; the failures of dag_pb_open() and cbor_next(), lenient.
 */
MUST_USE enum err links_init(uint64_t codec, struct bytes in,
                             struct links *ret_links);

/**
 * links_next - the next link, also when the same one came before.
 * @ret_cid: written when true is returned.
 *
 * Return: false after the last.
 */
bool links_next(struct links *l, struct cid *ret_cid);

#endif /* IPLD_LINKS_H */
