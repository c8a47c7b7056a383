#include "libp2p/identify.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/pb.h"

enum {
    FIELD_PUBLIC_KEY = 1,
    FIELD_LISTEN_ADDRS = 2,
    FIELD_PROTOCOLS = 3,
    FIELD_OBSERVED_ADDR = 4,
    FIELD_PROTOCOL_VERSION = 5,
    FIELD_AGENT_VERSION = 6,
    FIELD_SIGNED_RECORD = 8,
};

static bool is_in(const struct bytes *list, size_t count, struct bytes item)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_eq(list[i], item))
            return true;
    }
    return false;
}

static struct bytes cut(struct bytes text)
{
    if (text.len > IDENTIFY_TEXT_MAX)
        text.len = IDENTIFY_TEXT_MAX;
    return text;
}

static void add_addr(struct identify *m, struct bytes addr)
{
    if (m->addrs_count < IDENTIFY_ADDRS_MAX &&
        !is_in(m->addrs, m->addrs_count, addr))
        m->addrs[m->addrs_count++] = addr;
}

static void add_protocol(struct identify *m, struct bytes name)
{
    if (name.len > 0 && name.len <= IDENTIFY_NAME_MAX &&
        m->protocols_count < IDENTIFY_PROTOCOLS_MAX)
        m->protocols[m->protocols_count++] = name;
}

static void read_field(struct rd *r, const struct pb_field *f,
                       struct identify *m)
{
    switch (f->number) {
    case FIELD_PUBLIC_KEY:
        m->public_key = pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX);
        break;
    case FIELD_LISTEN_ADDRS:
        add_addr(m, pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX));
        break;
    case FIELD_PROTOCOLS:
        add_protocol(m, pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX));
        break;
    case FIELD_OBSERVED_ADDR:
        m->observed = pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX);
        break;
    case FIELD_PROTOCOL_VERSION:
        m->protocol_version = cut(pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX));
        break;
    case FIELD_AGENT_VERSION:
        m->agent = cut(pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX));
        break;
    case FIELD_SIGNED_RECORD:
        m->record = pb_get_bytes(r, f, IDENTIFY_MESSAGE_MAX);
        break;
    default: /* fields of others */
        break;
    }
}

enum err identify_decode(struct bytes in, struct identify *ret_message)
{
    struct rd r = rd_init(in);
    struct pb_field f;

    memset(ret_message, 0, sizeof(*ret_message));
    while (pb_next(&r, &f))
        read_field(&r, &f, ret_message);
    return rd_finish(&r);
}

static size_t field_len(uint32_t number, struct bytes in)
{
    return in.len > 0 ? pb_bytes_len(number, in.len) : 0;
}

static void put_field(struct wr *w, uint32_t number, struct bytes in)
{
    if (in.len > 0)
        pb_put_bytes(w, number, in);
}

static size_t main_len(const struct identify *m)
{
    size_t len = field_len(FIELD_PUBLIC_KEY, m->public_key) +
                 field_len(FIELD_OBSERVED_ADDR, m->observed) +
                 field_len(FIELD_PROTOCOL_VERSION, m->protocol_version) +
                 field_len(FIELD_AGENT_VERSION, m->agent);
    for (size_t i = 0; i < m->addrs_count; i++)
        len += field_len(FIELD_LISTEN_ADDRS, m->addrs[i]);
    for (size_t i = 0; i < m->protocols_count; i++)
        len += field_len(FIELD_PROTOCOLS, m->protocols[i]);
    return len;
}

static void put_main(const struct identify *m, struct wr *w)
{
    put_field(w, FIELD_PUBLIC_KEY, m->public_key);
    for (size_t i = 0; i < m->addrs_count; i++)
        put_field(w, FIELD_LISTEN_ADDRS, m->addrs[i]);
    for (size_t i = 0; i < m->protocols_count; i++)
        put_field(w, FIELD_PROTOCOLS, m->protocols[i]);
    put_field(w, FIELD_OBSERVED_ADDR, m->observed);
    put_field(w, FIELD_PROTOCOL_VERSION, m->protocol_version);
    put_field(w, FIELD_AGENT_VERSION, m->agent);
}

void identify_encode(const struct identify *message, struct wr *w)
{
    size_t len = main_len(message);
    size_t record_len = field_len(FIELD_SIGNED_RECORD, message->record);

    if (len + record_len <= IDENTIFY_SPLIT_BYTES) {
        wr_uvarint(w, len + record_len);
        put_main(message, w);
        put_field(w, FIELD_SIGNED_RECORD, message->record);
        return;
    }
    wr_uvarint(w, len);
    put_main(message, w);
    if (record_len == 0)
        return;
    wr_uvarint(w, record_len);
    put_field(w, FIELD_SIGNED_RECORD, message->record);
}

void identify_reader_release(struct identify_reader *r)
{
    mem_free(r->bytes);
    memset(r, 0, sizeof(*r));
}

/* The length before a message has come: make room for the message. */
static enum err begin_message(struct identify_reader *r)
{
    struct rd prefix =
        rd_init((struct bytes){.p = r->prefix, .len = r->prefix_len});
    uint64_t len = rd_uvarint(&prefix);

    if (prefix.err == E_SHORT)
        return r->prefix_len < sizeof(r->prefix) ? E_AGAIN : E_LIMIT;
    enum err err = rd_finish(&prefix);
    if (err != OK)
        return err;
    if (len > IDENTIFY_MESSAGE_MAX || r->count == IDENTIFY_MESSAGES_MAX ||
        r->complete + len > IDENTIFY_BYTES_MAX)
        return E_LIMIT;
    r->prefix_len = 0;
    r->left = (uint32_t)len;
    r->room = r->complete + (size_t)len;
    r->bytes = mem_resize(r->bytes, r->room, 1);
    return OK;
}

static enum err add_prefix(struct identify_reader *r, struct bytes *io_in)
{
    r->prefix[r->prefix_len++] = io_in->p[0];
    *io_in = bytes_sub(*io_in, 1, io_in->len - 1);
    enum err err = begin_message(r);
    if (err == E_AGAIN)
        return OK;
    if (err == OK && r->left == 0)
        r->count++;
    return err;
}

enum err identify_reader_add(struct identify_reader *r, struct bytes in)
{
    while (in.len > 0) {
        if (r->left == 0) {
            enum err err = add_prefix(r, &in);
            if (err != OK)
                return err;
            continue;
        }
        size_t len = r->left < in.len ? r->left : in.len;
        assert(len <= r->room - r->len);
        memcpy(r->bytes + r->len, in.p, len);
        r->len += len;
        r->left -= (uint32_t)len;
        in = bytes_sub(in, len, in.len - len);
        if (r->left == 0) {
            r->complete = r->len;
            r->count++;
        }
    }
    return OK;
}

enum err identify_reader_end(const struct identify_reader *r,
                             struct bytes *ret_bytes)
{
    if (r->count == 0)
        return E_SHORT;
    *ret_bytes = (struct bytes){.p = r->bytes, .len = r->complete};
    return OK;
}

bool identify_addr_allowed(const struct multiaddr *addr, enum ma_class over)
{
    switch (multiaddr_class(addr)) {
    case MA_CLASS_PUBLIC:
        return true;
    case MA_CLASS_PRIVATE:
        return over == MA_CLASS_PRIVATE || over == MA_CLASS_LOOPBACK;
    case MA_CLASS_LOOPBACK:
        return over == MA_CLASS_LOOPBACK;
    case MA_CLASS_UNROUTABLE:
    case MA_CLASS_OTHER:
        break;
    }
    return false;
}
