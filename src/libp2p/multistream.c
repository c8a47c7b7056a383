#include "libp2p/multistream.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"

static const char header[] = "/multistream/1.0.0";

static void write_token(struct wr *w, struct bytes text)
{
    wr_uvarint(w, text.len + 1);
    wr_bytes(w, text);
    wr_u8(w, '\n');
}

void mss_init_initiator(struct mss *m, struct mss_names names, struct wr *w)
{
    assert(names.count > 0);
    assert(names.count <= MSS_NAMES_MAX);
    m->initiator = true;
    m->header_seen = false;
    m->have = 0;
    m->refused = 0;
    m->proposed = 0;
    m->names = names;
    write_token(w, bytes_str(header));
    write_token(w, names.names[0]);
}

void mss_init_responder(struct mss *m, struct mss_names names)
{
    m->initiator = false;
    m->header_seen = false;
    m->have = 0;
    m->refused = 0;
    m->proposed = 0;
    m->names = names;
}

void mss_set_names(struct mss *m, struct mss_names names)
{
    assert(!m->initiator);
    m->names = names;
}

/* Whole length of the token of which @m->have bytes are here, with its length
 * prefix; 0 when not known yet. */
static enum err token_size(const struct mss *m, size_t *ret_size)
{
    *ret_size = 0;
    if (m->have == 0 || (m->have == 1 && (m->token[0] & 0x80) != 0))
        return OK;
    struct rd r = rd_init((struct bytes){.p = m->token, .len = m->have});
    uint64_t len = rd_uvarint(&r);
    if (r.err == E_SHORT)
        return E_LIMIT; /* three bytes of length are more than we take */
    if (r.err != OK || len == 0)
        return E_MALFORMED;
    if (len > MSS_TOKEN_MAX)
        return E_LIMIT;
    *ret_size = uvarint_len(len) + (size_t)len;
    return OK;
}

/* Collect one token; on OK it is at @ret_text, without its newline. */
static enum err next_token(struct mss *m, struct bytes *io_in,
                           struct bytes *ret_text)
{
    for (;;) {
        size_t size;
        enum err err = token_size(m, &size);
        if (err != OK)
            return err;
        if (size > 0 && m->have == size)
            break;
        size_t want = size > 0 ? size - m->have : 1;
        if (want > io_in->len)
            want = io_in->len;
        if (want == 0)
            return E_AGAIN;
        memcpy(m->token + m->have, io_in->p, want);
        m->have = (uint16_t)(m->have + want);
        *io_in = bytes_sub(*io_in, want, io_in->len - want);
    }
    struct rd r = rd_init((struct bytes){.p = m->token, .len = m->have});
    uint64_t len = rd_uvarint(&r);
    struct bytes text = rd_view(&r, len);

    m->have = 0;
    if (text.len == 0 || text.p[text.len - 1] != '\n')
        return E_MALFORMED;
    *ret_text = bytes_sub(text, 0, text.len - 1);
    return OK;
}

static enum err on_answer(struct mss *m, struct bytes text, struct wr *w,
                          size_t *ret_index)
{
    if (bytes_eq(text, m->names.names[m->proposed])) {
        *ret_index = m->proposed;
        return OK;
    }
    if (!bytes_eq(text, BYTES_LIT("na")))
        return E_MALFORMED;
    m->refused++;
    m->proposed++;
    if (m->proposed >= m->names.count)
        return E_UNSUPPORTED;
    write_token(w, m->names.names[m->proposed]);
    return E_AGAIN;
}

static enum err on_proposal(struct mss *m, struct bytes text, struct wr *w,
                            size_t *ret_index)
{
    for (size_t i = 0; i < m->names.count; i++) {
        if (!bytes_eq(text, m->names.names[i]))
            continue;
        write_token(w, text);
        *ret_index = i;
        return OK;
    }
    m->refused++;
    if (m->refused > MSS_PROPOSALS_MAX)
        return E_LIMIT;
    write_token(w, BYTES_LIT("na"));
    return E_AGAIN;
}

/* The first token of either end is the header.  A responder answers it at
 * once, for an initiator that waits for it before it proposes. */
static enum err on_header(struct mss *m, struct bytes text, struct wr *w)
{
    if (!bytes_eq(text, bytes_str(header)))
        return E_MALFORMED;
    m->header_seen = true;
    if (!m->initiator)
        write_token(w, text);
    return E_AGAIN;
}

enum err mss_step(struct mss *m, struct bytes *io_in, struct wr *w,
                  size_t *ret_index)
{
    for (;;) {
        struct bytes text;
        enum err err = next_token(m, io_in, &text);
        if (err != OK)
            return err;
        if (!m->header_seen)
            err = on_header(m, text, w);
        else if (m->initiator)
            err = on_answer(m, text, w, ret_index);
        else
            err = on_proposal(m, text, w, ret_index);
        if (err != E_AGAIN)
            return err;
    }
}
