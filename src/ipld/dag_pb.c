#include "ipld/dag_pb.h"

#include <assert.h>

#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/pb.h"

enum { NODE_DATA_FIELD = 1, NODE_LINKS = 2 };
enum { LINK_HASH = 1, LINK_NAME = 2, LINK_TSIZE = 3 };

/* Takes the place of an absent field in the order of a link's fields. */
enum { LINK_NOTHING = 0 };

/*
 * Next field of @r, which must be of @wire.  Fields come in ascending order
 * and once each, so @last, the number before, says what may follow.
 */
static bool link_field(struct rd *r, uint32_t last, struct pb_field *ret_field)
{
    if (!pb_next(r, ret_field))
        return false;
    bool is_tsize = ret_field->number == LINK_TSIZE;
    if (ret_field->number <= last || ret_field->number > LINK_TSIZE ||
        ret_field->wire != (is_tsize ? PB_VARINT : PB_BYTES)) {
        rd_fail(r, E_MALFORMED);
        return false;
    }
    return true;
}

static enum err link_decode(struct bytes in, struct dag_pb_link *ret_link)
{
    struct rd r = rd_init(in);
    struct pb_field field;
    struct bytes hash = BYTES_EMPTY;
    uint32_t last = LINK_NOTHING;

    *ret_link = (struct dag_pb_link){.name = BYTES_EMPTY};
    while (link_field(&r, last, &field)) {
        last = field.number;
        if (field.number == LINK_HASH) {
            hash = field.bytes;
        } else if (field.number == LINK_NAME) {
            ret_link->name = field.bytes;
            ret_link->has_name = true;
        } else {
            ret_link->tsize = field.value;
            ret_link->has_tsize = true;
        }
    }
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    /* A CID of no bytes is as wrong as none. */
    if (hash.len == 0)
        return E_MALFORMED;
    err = cid_decode(hash, &ret_link->cid);
    return err == E_SHORT ? E_MALFORMED : err;
}

static void open_data(struct rd *r, const struct pb_field *field,
                      struct dag_pb *n)
{
    if (n->has_data) {
        rd_fail(r, E_MALFORMED);
        return;
    }
    n->has_data = true;
    n->data = field->bytes;
}

/* @at: where the field begins, which ends at r->pos. */
static void open_link(struct rd *r, const struct pb_field *field,
                      const uint8_t *at, struct dag_pb *n)
{
    struct dag_pb_link link;
    enum err err = link_decode(field->bytes, &link);

    if (err != OK) {
        rd_fail(r, err == E_SHORT ? E_MALFORMED : err);
        return;
    }
    if (n->links_count == 0) {
        n->links.p = at;
    } else if (n->links.p + n->links.len != at) {
        /* Data stands between this link and the one before. */
        rd_fail(r, E_MALFORMED);
        return;
    }
    n->links.len = (size_t)(r->pos - n->links.p);
    n->links_count++;
}

enum err dag_pb_open(struct bytes in, struct dag_pb *ret_node)
{
    struct dag_pb n = {.data = BYTES_EMPTY};
    struct rd r = rd_init(in);
    struct pb_field field;
    const uint8_t *at = r.pos;

    for (; pb_next(&r, &field); at = r.pos) {
        bool is_bytes = field.wire == PB_BYTES;
        if (is_bytes && field.number == NODE_DATA_FIELD)
            open_data(&r, &field, &n);
        else if (is_bytes && field.number == NODE_LINKS)
            open_link(&r, &field, at, &n);
        else
            rd_fail(&r, E_MALFORMED);
    }
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    *ret_node = n;
    return OK;
}

bool dag_pb_link_next(struct dag_pb *n, struct dag_pb_link *ret_link)
{
    if (n->links.len == 0)
        return false;
    struct rd r = rd_init(n->links);
    struct pb_field field;
    bool found = pb_next(&r, &field);
    assert(found);
    enum err err = link_decode(field.bytes, ret_link);
    assert(err == OK);
    n->links = rd_rest(&r);
    return true;
}

static size_t link_body_len(const struct cid *cid, size_t name_len,
                            uint64_t tsize)
{
    return pb_bytes_len(LINK_HASH, cid_len(cid)) +
           pb_bytes_len(LINK_NAME, name_len) + pb_uint_len(LINK_TSIZE, tsize);
}

size_t dag_pb_link_len(const struct cid *cid, size_t name_len, uint64_t tsize)
{
    return pb_bytes_len(NODE_LINKS, link_body_len(cid, name_len, tsize));
}

void dag_pb_put_link(struct wr *w, const struct cid *cid, struct bytes name,
                     uint64_t tsize)
{
    pb_put_head(w, NODE_LINKS, link_body_len(cid, name.len, tsize));
    pb_put_head(w, LINK_HASH, cid_len(cid));
    cid_write(w, cid);
    pb_put_bytes(w, LINK_NAME, name);
    pb_put_uint(w, LINK_TSIZE, tsize);
}

size_t dag_pb_data_len(size_t len)
{
    return pb_bytes_len(NODE_DATA_FIELD, len);
}

void dag_pb_put_data_head(struct wr *w, size_t len)
{
    pb_put_head(w, NODE_DATA_FIELD, len);
}
