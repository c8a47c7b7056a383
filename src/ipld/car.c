#include "ipld/car.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "ipld/dag_cbor.h"

/*
 * A section is filled in two steps, each into a buf of the length that is
 * known by then: as much as a CID can take, which tells where the CID ends,
 * and then the data, into the buf that is handed out.
 */

enum { HEADER_PAIRS_MAX = 16 };

const char *car_fault_text(enum car_fault fault)
{
    switch (fault) {
    case CAR_FAULT_NONE:
        return "no fault";
    case CAR_FAULT_EMPTY:
        return "the file is empty";
    case CAR_FAULT_TRUNCATED:
        return "the file ends in the middle of a section";
    case CAR_FAULT_LENGTH:
        return "a length is no varint";
    case CAR_FAULT_HEADER_LARGE:
        return "the header is longer than 32 KiB";
    case CAR_FAULT_HEADER:
        return "this is no header of a CAR file";
    case CAR_FAULT_VERSION:
        return "the version is neither 1 nor 2";
    case CAR_FAULT_ROOTS:
        return "the header has more than 64 roots";
    case CAR_FAULT_V2_HEADER:
        return "the header of version 2 has impossible offsets";
    case CAR_FAULT_V2_PAYLOAD:
        return "a section goes past the end of the version 2 payload";
    case CAR_FAULT_SECTION_EMPTY:
        return "a section has no bytes: padding or garbage";
    case CAR_FAULT_SECTION_LARGE:
        return "a section is longer than the largest block";
    case CAR_FAULT_CID:
        return "a section does not begin with a CID";
    }
    return "";
}

void car_reader_init(struct car_reader *r)
{
    *r = (struct car_reader){.state = CAR_AT_LENGTH, .end = UINT64_MAX};
}

void car_reader_release(struct car_reader *r)
{
    buf_unref(r->part);
    mem_free(r->roots);
    if (r->has_out)
        slice_release(&r->out.data);
    car_reader_init(r);
}

static void fail(struct car_reader *r, enum car_fault fault, enum err err)
{
    buf_unref(r->part);
    r->part = NULL;
    r->state = CAR_FAILED;
    r->fault = fault;
    r->fault_offset = r->begin;
    r->err = err;
}

/* Wait for @want bytes, which state @r->state then treats. */
static void expect(struct car_reader *r, size_t want)
{
    assert(r->part == NULL);

    r->part = buf_new(want);
    r->part_want = want;
}

static struct buf *take_part(struct car_reader *r)
{
    struct buf *part = r->part;

    r->part = NULL;
    return part;
}

static void begin_length(struct car_reader *r)
{
    r->state = r->offset == r->end ? CAR_AT_END : CAR_AT_LENGTH;
    r->length_len = 0;
}

static void begin_section(struct car_reader *r, uint64_t len)
{
    if (len == 0) {
        fail(r, CAR_FAULT_SECTION_EMPTY, E_MALFORMED);
        return;
    }
    if (len > CAR_SECTION_BYTES_MAX) {
        fail(r, CAR_FAULT_SECTION_LARGE, E_LIMIT);
        return;
    }
    size_t want = len < CID_BYTES_MAX ? (size_t)len : CID_BYTES_MAX;
    r->state = CAR_IN_CID;
    r->section_left = len - want;
    expect(r, want);
}

static void begin_header(struct car_reader *r, uint64_t len)
{
    if (len == 0) {
        fail(r, CAR_FAULT_HEADER, E_MALFORMED);
        return;
    }
    if (len > CAR_HEADER_BYTES_MAX) {
        fail(r, CAR_FAULT_HEADER_LARGE, E_LIMIT);
        return;
    }
    r->state = CAR_IN_HEADER;
    expect(r, (size_t)len);
}

static void on_length(struct car_reader *r)
{
    struct rd rd = rd_init((struct bytes){r->length, r->length_len});
    uint64_t len = rd_uvarint(&rd);

    if (rd_finish(&rd) != OK)
        fail(r, CAR_FAULT_LENGTH, E_MALFORMED);
    else if (len > r->end - r->offset)
        fail(r, CAR_FAULT_V2_PAYLOAD, E_MALFORMED);
    else if (r->has_header)
        begin_section(r, len);
    else
        begin_header(r, len);
}

/* Takes the one byte @byte of a length. */
static void on_length_byte(struct car_reader *r, uint8_t byte)
{
    if (r->length_len == 0)
        r->begin = r->offset - 1;
    r->length[r->length_len++] = byte;
    if ((byte & 0x80) == 0 || r->length_len == sizeof(r->length))
        on_length(r);
    else if (r->offset == r->end)
        fail(r, CAR_FAULT_V2_PAYLOAD, E_MALFORMED);
}

/* What a header says; roots are allocated. */
struct header {
    struct cid *roots;
    size_t roots_count;
    bool has_roots;
    uint64_t version;
    enum car_fault fault;
};

static void header_roots(struct cbor_rd *c, struct header *h)
{
    size_t count = cbor_get_list(c, CAR_ROOTS_MAX);

    if (c->rd.err == E_LIMIT)
        h->fault = CAR_FAULT_ROOTS;
    if (h->has_roots)
        rd_fail(&c->rd, E_MALFORMED);
    if (c->rd.err != OK)
        return;
    h->has_roots = true;
    h->roots = mem_zalloc(count, sizeof(*h->roots));
    for (size_t i = 0; i < count && c->rd.err == OK; i++)
        cbor_get_link(c, &h->roots[i]);
    h->roots_count = count;
    cbor_end(c);
}

static enum err parse_header(struct bytes in, struct header *h)
{
    struct cbor_rd c;

    cbor_rd_init(&c, in, CBOR_LENIENT);
    size_t pairs = cbor_get_map(&c, HEADER_PAIRS_MAX);
    for (size_t i = 0; i < pairs && c.rd.err == OK; i++) {
        if (cbor_try_key(&c, "roots")) {
            header_roots(&c, h);
        } else if (cbor_try_key(&c, "version")) {
            h->version = cbor_get_uint(&c, UINT64_MAX);
        } else {
            (void)cbor_skip(&c); /* a key that means nothing to us */
            (void)cbor_skip(&c); /* its value */
        }
    }
    cbor_end(&c);
    return cbor_finish(&c);
}

/* Takes over the roots of @h. */
static void accept_header(struct car_reader *r, const struct header *h)
{
    if (h->version == 2 && !r->is_v2) {
        mem_free(h->roots);
        r->is_v2 = true;
        r->state = CAR_IN_V2_HEADER;
        expect(r, CAR_V2_HEADER_BYTES);
        return;
    }
    r->roots = h->roots;
    r->roots_count = h->roots_count;
    if (h->version != 1) {
        fail(r, CAR_FAULT_VERSION, E_UNSUPPORTED);
        return;
    }
    if (!h->has_roots) {
        fail(r, CAR_FAULT_HEADER, E_MALFORMED);
        return;
    }
    r->has_header = true;
    r->has_out = true;
    r->out = (struct car_out){.kind = CAR_HEADER, .offset = r->begin};
    begin_length(r);
}

static void on_header(struct car_reader *r)
{
    struct header h = {.fault = CAR_FAULT_HEADER};
    struct buf *part = take_part(r);
    enum err err = parse_header(buf_bytes(part), &h);

    buf_unref(part);
    if (err == OK) {
        accept_header(r, &h);
        return;
    }
    mem_free(h.roots);
    fail(r, h.fault, h.fault == CAR_FAULT_ROOTS ? E_LIMIT : E_MALFORMED);
}

static void on_v2_header(struct car_reader *r)
{
    enum { CHARACTERISTICS_BYTES = 16 };
    struct buf *part = take_part(r);
    struct rd rd = rd_init(buf_bytes(part));

    rd_view(&rd, CHARACTERISTICS_BYTES);
    uint64_t data_offset = rd_le64(&rd);
    uint64_t data_size = rd_le64(&rd);
    rd_le64(&rd); /* where an index is, which we do not read */
    buf_unref(part);
    assert(rd_finish(&rd) == OK);
    if (data_offset < r->offset || data_size == 0 || data_offset > INT64_MAX ||
        data_size > INT64_MAX) {
        fail(r, CAR_FAULT_V2_HEADER, E_MALFORMED);
        return;
    }
    r->skip = data_offset - r->offset;
    r->end = data_offset + data_size;
    r->state = CAR_IN_SKIP;
    if (r->skip == 0)
        begin_length(r);
}

static void on_data(struct car_reader *r)
{
    struct buf *data = take_part(r);

    r->out.data = (struct slice){.buf = data, .bytes = buf_bytes(data)};
    r->has_out = true;
    begin_length(r);
}

static void on_cid(struct car_reader *r)
{
    struct buf *part = take_part(r);
    struct rd rd = rd_init(buf_bytes(part));

    r->out = (struct car_out){.kind = CAR_SECTION, .offset = r->begin};
    cid_read(&rd, &r->out.cid);
    enum err err = rd.err;
    struct bytes rest = rd_rest(&rd);
    size_t len = rest.len + (size_t)r->section_left;
    if (err == OK && len <= BLOCK_BYTES_MAX) {
        expect(r, len);
        r->state = CAR_IN_DATA;
        if (rest.len > 0)
            memcpy(r->part->data, rest.p, rest.len);
        r->part->len = rest.len;
    }
    buf_unref(part);
    if (err != OK)
        fail(r, CAR_FAULT_CID, err == E_SHORT ? E_MALFORMED : err);
    else if (len > BLOCK_BYTES_MAX)
        fail(r, CAR_FAULT_SECTION_LARGE, E_LIMIT);
    else if (r->part->len == len)
        on_data(r);
}

static void on_part(struct car_reader *r)
{
    switch (r->state) {
    case CAR_IN_HEADER:
        on_header(r);
        break;
    case CAR_IN_V2_HEADER:
        on_v2_header(r);
        break;
    case CAR_IN_CID:
        on_cid(r);
        break;
    case CAR_IN_DATA:
        on_data(r);
        break;
    case CAR_AT_LENGTH:
    case CAR_IN_SKIP:
    case CAR_AT_END:
    case CAR_FAILED:
        assert(false);
        break;
    }
}

/* Takes some of @in, at least a byte of it; returns how many. */
static size_t step(struct car_reader *r, struct bytes in)
{
    size_t len = in.len;

    if (r->state == CAR_AT_LENGTH) {
        r->offset++;
        on_length_byte(r, in.p[0]);
        return 1;
    }
    if (r->state == CAR_AT_END)
        return len; /* an index, or padding before it */
    if (r->state == CAR_IN_SKIP) {
        len = len < r->skip ? len : (size_t)r->skip;
        r->skip -= len;
        r->offset += len;
        if (r->skip == 0)
            begin_length(r);
        return len;
    }
    size_t missing = r->part_want - r->part->len;
    len = len < missing ? len : missing;
    memcpy(r->part->data + r->part->len, in.p, len);
    r->part->len += len;
    r->offset += len;
    if (len == missing)
        on_part(r);
    return len;
}

enum err car_reader_on_bytes(struct car_reader *r, struct bytes in,
                             size_t *ret_used)
{
    size_t used = 0;

    while (used < in.len && r->state != CAR_FAILED && !r->has_out)
        used += step(r, bytes_sub(in, used, in.len - used));
    if (r->state == CAR_FAILED)
        return r->err;
    *ret_used = used;
    return OK;
}

enum err car_reader_on_end(struct car_reader *r)
{
    if (r->state == CAR_FAILED)
        return r->err;
    if (r->state == CAR_AT_END)
        return OK;
    if (r->state == CAR_AT_LENGTH && r->length_len == 0) {
        r->begin = r->offset;
        if (r->has_header && !r->is_v2)
            return OK;
    }
    fail(r, r->offset == 0 ? CAR_FAULT_EMPTY : CAR_FAULT_TRUNCATED, E_SHORT);
    return E_SHORT;
}

bool car_reader_next(struct car_reader *r, struct car_out *ret_out)
{
    if (!r->has_out)
        return false;
    *ret_out = r->out;
    r->has_out = false;
    return true;
}

const struct cid *car_reader_roots(const struct car_reader *r,
                                   size_t *ret_count)
{
    *ret_count = r->roots_count;
    return r->roots_count > 0 ? r->roots : NULL;
}

struct buf *car_make_header(const struct cid *roots, size_t count)
{
    enum { ROOT_BYTES_MAX = 8 + CID_BYTES_MAX, FRAME_BYTES_MAX = 32 };
    assert(count <= CAR_ROOTS_MAX);

    size_t max = FRAME_BYTES_MAX + count * ROOT_BYTES_MAX;
    uint8_t *body = mem_alloc(max);
    struct wr w = wr_init(body, max);
    cbor_put_map(&w, 2);
    cbor_put_key(&w, "roots");
    cbor_put_list(&w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_link(&w, &roots[i]);
    cbor_put_key(&w, "version");
    cbor_put_uint(&w, 1);
    struct bytes header;
    enum err err = wr_finish(&w, &header);
    assert(err == OK);

    struct buf *b = buf_new(UVARINT_LEN_MAX + header.len);
    struct wr out = wr_init(b->data, b->max);
    wr_uvarint(&out, header.len);
    wr_bytes(&out, header);
    assert(out.err == OK);
    b->len = wr_len(&out);
    mem_free(body);
    return b;
}

size_t car_section_head(const struct cid *cid, size_t data_len,
                        uint8_t dst[static CAR_SECTION_HEAD_MAX])
{
    struct wr w = wr_init(dst, CAR_SECTION_HEAD_MAX);

    wr_uvarint(&w, cid_len(cid) + data_len);
    cid_write(&w, cid);
    assert(w.err == OK);
    return wr_len(&w);
}
