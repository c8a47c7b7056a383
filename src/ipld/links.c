#include "ipld/links.h"

#include "ipld/dag_cbor.h"
#include "multiformats/multicodec.h"

static enum err check_cbor(struct bytes in)
{
    struct cbor_rd r;
    struct cbor_token token;

    cbor_rd_init(&r, in, CBOR_LENIENT);
    while (cbor_next(&r, &token))
        continue;
    return cbor_finish(&r);
}

enum err links_init(uint64_t codec, struct bytes in, struct links *ret_links)
{
    struct links l = {.kind = LINKS_NONE};
    enum err err = OK;

    if (codec == CODEC_DAG_PB) {
        l.kind = LINKS_PB;
        err = dag_pb_open(in, &l.pb);
    } else if (codec == CODEC_DAG_CBOR) {
        l.kind = LINKS_CBOR;
        l.cbor = rd_init(in);
        err = check_cbor(in);
    }
    if (err == OK)
        *ret_links = l;
    return err;
}

static bool next_pb(struct links *l, struct cid *ret_cid)
{
    struct dag_pb_link link;

    if (!dag_pb_link_next(&l->pb, &link))
        return false;
    *ret_cid = link.cid;
    return true;
}

/*
 * The block was checked to be well formed, so its tokens may be read one after
 * the other without knowing which list or map they are in.
 */
static bool next_cbor(struct links *l, struct cid *ret_cid)
{
    struct cbor_token token;

    while (rd_left(&l->cbor) > 0) {
        cbor_read_token(&l->cbor, CBOR_LENIENT, &token);
        if (token.kind != CBOR_LINK)
            continue;
        *ret_cid = token.cid;
        return true;
    }
    return false;
}

bool links_next(struct links *l, struct cid *ret_cid)
{
    switch (l->kind) {
    case LINKS_NONE:
        return false;
    case LINKS_PB:
        return next_pb(l, ret_cid);
    case LINKS_CBOR:
        return next_cbor(l, ret_cid);
    }
    return false;
}
