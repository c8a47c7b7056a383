#ifndef IPLD_DAG_CBOR_H
#define IPLD_DAG_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"
#include "multiformats/cid.h"

struct peer_id;
struct wr;

/*
 * dag_cbor - reader and writer for codec dag-cbor.
 *
 * The reader hands out one token after the other and keeps no more than one
 * small entry for each open list or map, so depth costs no C stack.  Failures
 * stick as in struct rd: a parser of a record asks for what it expects, field
 * after field, and then once for cbor_finish().
 *
 * Spec: ipld/ipld specs/codecs/dag-cbor/spec.md, "Strictness".
 */

enum {
    CBOR_DEPTH_MAX = 1024,                   /* open lists and maps */
    CBOR_INPUT_BYTES_MAX = 16 * 1024 * 1024, /* one document */
    CBOR_HEAD_LEN_MAX = 9,                   /* bytes of a head */
};

enum cbor_mode {
    /* One encoding for each value: what we write, sign or hash ourselves. */
    CBOR_STRICT,
    /*
     * Blocks of others: keys in any order, floats of any width.  A key that
     * is given twice is found only next to itself.
     */
    CBOR_LENIENT,
};

enum cbor_kind {
    CBOR_UINT,  /* value */
    CBOR_NINT,  /* -1 - value */
    CBOR_BYTES, /* bytes */
    CBOR_TEXT,  /* bytes; well-formed UTF-8 in strict mode */
    CBOR_LIST,  /* value: number of elements, which follow */
    CBOR_MAP,   /* value: number of pairs, which follow, key first */
    CBOR_LINK,  /* cid */
    CBOR_FALSE,
    CBOR_TRUE,
    CBOR_NULL,
    CBOR_FLOAT, /* value: bits of the number as IEEE 754 binary64 */
};

/** struct cbor_token - one value, or the beginning of a list or map. */
struct cbor_token {
    enum cbor_kind kind;
    bool is_key;        /* text that is the key of a pair */
    uint64_t value;     /* see the kinds */
    struct bytes bytes; /* view into the input */
    struct cid cid;
};

/** struct cbor_level - an open list or map; private to the reader. */
struct cbor_level {
    uint32_t left;     /* values to come; of a map twice the pairs */
    uint32_t last_key; /* where the last key begins, plus 1; 0: none yet */
    bool is_map;
    bool is_explicit; /* stays open until cbor_end() */
};

/** struct cbor_rd - reader of one document; about 12 KiB. */
struct cbor_rd {
    struct rd rd;         /* its err is the sticky failure */
    const uint8_t *start; /* private */
    enum cbor_mode mode;  /* private */
    uint32_t depth;       /* private: open lists and maps */
    bool begun;           /* private: the top value was begun */
    struct cbor_level levels[CBOR_DEPTH_MAX]; /* private */
};

/**
 * cbor_rd_init - reader before the only value of @in.
 * @in: untrusted; borrowed.  More than CBOR_INPUT_BYTES_MAX fail with E_LIMIT.
 */
void cbor_rd_init(struct cbor_rd *r, struct bytes in, enum cbor_mode mode);

/**
 * cbor_next - the next token.
 * @ret_token: written when true is returned.
 *
 * Return: false when the document's value is complete, and after a failure:
 * E_SHORT; E_MALFORMED for what the mode refuses; E_LIMIT for more than
 * CBOR_DEPTH_MAX levels; E_UNSUPPORTED for a CID of unknown version.
 */
bool cbor_next(struct cbor_rd *r, struct cbor_token *ret_token);

/**
 * cbor_read_token - the next token of @r without regard to what it is in: for
 * who knows already that the document is well formed.
 * @ret_token: always written; of use only if @r has not failed.
 *
 * Fails as cbor_next() does, but for what concerns keys and depth.
 */
void cbor_read_token(struct rd *r, enum cbor_mode mode,
                     struct cbor_token *ret_token);

/**
 * cbor_finish - result of the whole parse.
 *
 * Return: the first failure; E_MALFORMED when the value is not complete or
 * bytes are left over; else OK.
 */
MUST_USE enum err cbor_finish(const struct cbor_rd *r);

/*
 * Reads for records.  Each takes the next value and fails with E_MALFORMED
 * when it is of another kind, with E_LIMIT when it is over @max; the result is
 * then zero or empty.
 */

/** cbor_get_uint - a number from 0 to @max. */
uint64_t cbor_get_uint(struct cbor_rd *r, uint64_t max);

/** cbor_get_int - a number; E_LIMIT outside of int64_t. */
int64_t cbor_get_int(struct cbor_rd *r);

/** cbor_get_bool - true or false. */
bool cbor_get_bool(struct cbor_rd *r);

/** cbor_get_bytes - view of at most @max bytes. */
struct bytes cbor_get_bytes(struct cbor_rd *r, size_t max);

/** cbor_get_peer - bytes that are a peer id; @ret_peer is written unless it
 * fails, with E_MALFORMED or what peer_id_decode() says. */
void cbor_get_peer(struct cbor_rd *r, struct peer_id *ret_peer);

/** cbor_get_link - a link; @ret_cid is always written. */
void cbor_get_link(struct cbor_rd *r, struct cid *ret_cid);

/**
 * cbor_get_list - number of elements of the list that begins, at most @max.
 *
 * After the elements, cbor_end() ends the list.
 */
size_t cbor_get_list(struct cbor_rd *r, size_t max);

/**
 * cbor_get_map - number of pairs of the map that begins, at most @max.
 *
 * After the pairs, cbor_end() ends the map.
 */
size_t cbor_get_map(struct cbor_rd *r, size_t max);

/**
 * cbor_end - end the innermost list or map that cbor_get_list() or
 * cbor_get_map() began.  Fails with E_MALFORMED when it has more values.
 */
void cbor_end(struct cbor_rd *r);

/** cbor_get_key - the next key, which must be @name. */
void cbor_get_key(struct cbor_rd *r, const char *name);

/**
 * cbor_try_key - take the next key if it is @name; false, and nothing taken,
 * if it is another one, or if the map has no more.
 */
bool cbor_try_key(struct cbor_rd *r, const char *name);

/** cbor_try_null - take the next value if it is null. */
bool cbor_try_null(struct cbor_rd *r);

/**
 * cbor_skip - pass over the next value, whatever it is.
 *
 * Return: view of its encoding; empty after a failure.
 */
struct bytes cbor_skip(struct cbor_rd *r);

/* Writes.  The caller puts shorter keys of a map first, equally long ones in
 * the order of their bytes. */

/** cbor_put_uint - a number. */
void cbor_put_uint(struct wr *w, uint64_t value);

/** cbor_put_int - a number that may be negative. */
void cbor_put_int(struct wr *w, int64_t value);

/** cbor_put_bool - true or false. */
void cbor_put_bool(struct wr *w, bool value);

/** cbor_put_null - null. */
void cbor_put_null(struct wr *w);

/** cbor_put_bytes - bytes. */
void cbor_put_bytes(struct wr *w, struct bytes in);

/** cbor_put_text - text, which is well-formed UTF-8. */
void cbor_put_text(struct wr *w, struct bytes in);

/** cbor_put_key - the key @name of a pair whose value is written next. */
void cbor_put_key(struct wr *w, const char *name);

/** cbor_put_link - link to @cid. */
void cbor_put_link(struct wr *w, const struct cid *cid);

/** cbor_put_list - begin a list of @count elements, which are written next. */
void cbor_put_list(struct wr *w, size_t count);

/** cbor_put_map - begin a map of @count pairs, which are written next. */
void cbor_put_map(struct wr *w, size_t count);

#endif /* IPLD_DAG_CBOR_H */
