/*
 * A dag-cbor document that strict reading accepts must encode to the same
 * bytes, and be accepted by lenient reading.  The links that links_init()
 * finds are those of the tokens.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_cbor.h"
#include "ipld/links.h"
#include "multiformats/multicodec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void put_token(struct wr *w, const struct cbor_token *t)
{
    switch (t->kind) {
    case CBOR_UINT:
        cbor_put_uint(w, t->value);
        break;
    case CBOR_NINT:
        if (t->value <= INT64_MAX) {
            cbor_put_int(w, -1 - (int64_t)t->value);
        } else {
            wr_u8(w, 0x3b);
            wr_be64(w, t->value);
        }
        break;
    case CBOR_BYTES:
        cbor_put_bytes(w, t->bytes);
        break;
    case CBOR_TEXT:
        cbor_put_text(w, t->bytes);
        break;
    case CBOR_LIST:
        cbor_put_list(w, (size_t)t->value);
        break;
    case CBOR_MAP:
        cbor_put_map(w, (size_t)t->value);
        break;
    case CBOR_LINK:
        cbor_put_link(w, &t->cid);
        break;
    case CBOR_FALSE:
    case CBOR_TRUE:
        cbor_put_bool(w, t->kind == CBOR_TRUE);
        break;
    case CBOR_NULL:
        cbor_put_null(w);
        break;
    case CBOR_FLOAT:
        wr_u8(w, 0xfb);
        wr_be64(w, t->value);
        break;
    }
}

/* Result of reading @in; tokens are written to @w, links are counted. */
static enum err walk(struct bytes in, enum cbor_mode mode, struct wr *w,
                     size_t *ret_links)
{
    static struct cbor_rd r;
    struct cbor_token t;
    size_t links = 0;

    cbor_rd_init(&r, in, mode);
    while (cbor_next(&r, &t)) {
        put_token(w, &t);
        links += t.kind == CBOR_LINK;
    }
    *ret_links = links;
    return cbor_finish(&r);
}

static size_t count_links(struct bytes in)
{
    struct links l;
    struct cid cid;
    size_t count = 0;

    must(links_init(CODEC_DAG_CBOR, in, &l) == OK);
    while (links_next(&l, &cid))
        count++;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    size_t max = 4 * len + 16; /* numbers of 16 bits may get 64 */
    uint8_t *out = mem_alloc(max);
    struct wr w = wr_init(out, max);
    size_t links = 0;
    bool strict = walk(in, CBOR_STRICT, &w, &links) == OK;

    if (strict)
        must(bytes_eq((struct bytes){out, wr_len(&w)}, in));
    w = wr_init(out, max);
    bool lenient = walk(in, CBOR_LENIENT, &w, &links) == OK;
    must(lenient || !strict);
    if (lenient)
        must(count_links(in) == links);
    mem_free(out);
    return 0;
}
