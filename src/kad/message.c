#include "kad/message.h"

#include <assert.h>

#include "base/wr.h"
#include "kad/kad_addrs.h"
#include "multiformats/pb.h"

enum {
    MESSAGE_TYPE = 1,
    MESSAGE_KEY = 2,
    MESSAGE_RECORD = 3,
    MESSAGE_CLOSER = KAD_CLOSER_PEERS,
    MESSAGE_PROVIDERS = KAD_PROVIDER_PEERS,
    RECORD_KEY = 1,
    RECORD_VALUE = 2,
    RECORD_TIME = 5,
    PEER_ID = 1,
    PEER_CONNECTION = 3,
};

static enum err parse_record(struct bytes in, struct kad_message *message)
{
    struct rd r = rd_init(in);
    struct pb_field field;

    message->has_record = true;
    message->record_key = BYTES_EMPTY;
    message->record_value = BYTES_EMPTY;
    while (pb_next(&r, &field)) {
        switch (field.number) {
        case RECORD_KEY:
            message->record_key = pb_get_bytes(&r, &field, KAD_MESSAGE_KEY_MAX);
            break;
        case RECORD_VALUE:
            message->record_value =
                pb_get_bytes(&r, &field, KAD_RECORD_BYTES_MAX);
            break;
        case RECORD_TIME:
            (void)pb_get_bytes(&r, &field, SIZE_MAX);
            break;
        default:
            break;
        }
    }
    return rd_finish(&r);
}

/* The id of the peer @in, which is not checked here. */
static enum err parse_peer(struct bytes in, struct bytes *ret_id)
{
    struct rd r = rd_init(in);
    struct pb_field field;

    *ret_id = BYTES_EMPTY;
    while (pb_next(&r, &field)) {
        if (field.number == PEER_ID)
            *ret_id = pb_get_bytes(&r, &field, SIZE_MAX);
        else if (field.number == KAD_PEER_ADDRS)
            (void)pb_get_bytes(&r, &field, SIZE_MAX);
        else if (field.number == PEER_CONNECTION)
            (void)pb_get_uint(&r, &field, UINT64_MAX);
    }
    return rd_finish(&r);
}

/* Counts a peer, unless there are enough: then it is not looked at. */
static void count_peer(struct rd *r, const struct pb_field *field, uint32_t max,
                       uint32_t *count)
{
    struct bytes id;
    struct bytes in = pb_get_bytes(r, field, SIZE_MAX);

    if (*count == max)
        return;
    enum err err = parse_peer(in, &id);
    if (err != OK)
        rd_fail(r, err);
    ++*count;
}

static enum kad_type get_type(struct rd *r, const struct pb_field *field)
{
    uint64_t type = pb_get_uint(r, field, UINT64_MAX);

    if (type > KAD_PING)
        rd_fail(r, E_UNSUPPORTED);
    return r->err == OK ? (enum kad_type)type : KAD_PING;
}

static void parse_field(struct rd *r, const struct pb_field *field,
                        struct kad_message *message)
{
    enum err err = OK;

    switch (field->number) {
    case MESSAGE_TYPE:
        message->type = get_type(r, field);
        break;
    case MESSAGE_KEY:
        message->key = pb_get_bytes(r, field, KAD_MESSAGE_KEY_MAX);
        break;
    case MESSAGE_RECORD:
        err = parse_record(pb_get_bytes(r, field, SIZE_MAX), message);
        break;
    case MESSAGE_CLOSER:
        count_peer(r, field, KAD_MESSAGE_CLOSER_MAX, &message->closer_count);
        break;
    case MESSAGE_PROVIDERS:
        count_peer(r, field, KAD_MESSAGE_PROVIDERS_MAX,
                   &message->providers_count);
        break;
    default:
        break;
    }
    if (err != OK)
        rd_fail(r, err);
}

enum err kad_message_decode(struct bytes in, struct kad_message *ret_message)
{
    struct rd r = rd_init(in);
    struct pb_field field;
    struct kad_message message = {.bytes = in, .type = KAD_PUT_VALUE};

    while (pb_next(&r, &field))
        parse_field(&r, &field, &message);
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    *ret_message = message;
    return OK;
}

struct kad_peer_cursor kad_peer_cursor_init(const struct kad_message *message,
                                            enum kad_peer_list which)
{
    return (struct kad_peer_cursor){.r = rd_init(message->bytes),
                                    .which = which,
                                    .left = which == KAD_CLOSER_PEERS
                                                ? message->closer_count
                                                : message->providers_count};
}

bool kad_peer_cursor_next(struct kad_peer_cursor *c,
                          struct kad_message_peer *ret_peer)
{
    struct pb_field field;
    struct bytes id;

    while (c->left > 0 && pb_next(&c->r, &field)) {
        if (field.number != (uint32_t)c->which)
            continue;
        c->left--;
        enum err err = parse_peer(field.bytes, &id);
        assert(err == OK); /* it was looked at when the message was decoded */
        if (peer_id_decode(id, &ret_peer->id) != OK)
            continue;
        ret_peer->bytes = field.bytes;
        return true;
    }
    return false;
}

struct kad_addr_cursor kad_addr_cursor_init(const struct kad_message_peer *peer)
{
    return (struct kad_addr_cursor){.r = rd_init(peer->bytes),
                                    .left = KAD_MESSAGE_ADDRS_MAX};
}

bool kad_addr_cursor_next(struct kad_addr_cursor *c, struct multiaddr *ret_addr)
{
    struct pb_field field;

    while (c->left > 0 && pb_next(&c->r, &field)) {
        if (field.number != KAD_PEER_ADDRS)
            continue;
        c->left--;
        if (multiaddr_decode(field.bytes, ret_addr) == OK)
            return true;
    }
    return false;
}

struct kad_more_keys kad_more_keys_init(const struct kad_message *message)
{
    return (struct kad_more_keys){.r = rd_init(message->bytes),
                                  .left = KAD_MESSAGE_MORE_KEYS_MAX};
}

bool kad_more_keys_next(struct kad_more_keys *c, struct bytes *ret_key)
{
    struct pb_field field;

    while (c->left > 0 && pb_next(&c->r, &field)) {
        if (field.number != KAD_MORE_KEYS)
            continue;
        c->left--;
        if (field.wire != PB_BYTES || field.bytes.len > KAD_PROVIDER_KEY_MAX)
            continue;
        *ret_key = field.bytes;
        return true;
    }
    return false;
}

/* The next of keys that each follow a byte with their length. */
static bool next_key(struct rd *r, struct bytes *ret_key)
{
    if (rd_left(r) == 0)
        return false;
    *ret_key = rd_view(r, rd_u8(r));
    assert(r->err == OK);
    return true;
}

static size_t more_keys_len(const struct kad_message_out *m)
{
    struct rd r = rd_init(m->more_keys);
    struct bytes key;
    size_t len = 0;

    while (next_key(&r, &key))
        len += pb_bytes_len(KAD_MORE_KEYS, key.len);
    return len;
}

static void put_more_keys(struct wr *w, const struct kad_message_out *m)
{
    struct rd r = rd_init(m->more_keys);
    struct bytes key;

    while (next_key(&r, &key))
        pb_put_bytes(w, KAD_MORE_KEYS, key);
}

static size_t record_len(const struct kad_message_out *m)
{
    size_t len = pb_bytes_len(RECORD_KEY, m->record_key.len) +
                 pb_bytes_len(RECORD_VALUE, m->record_value.len);

    if (m->record_time.len > 0)
        len += pb_bytes_len(RECORD_TIME, m->record_time.len);
    return len;
}

static void put_record(struct wr *w, const struct kad_message_out *m)
{
    pb_put_head(w, MESSAGE_RECORD, record_len(m));
    pb_put_bytes(w, RECORD_KEY, m->record_key);
    pb_put_bytes(w, RECORD_VALUE, m->record_value);
    if (m->record_time.len > 0)
        pb_put_bytes(w, RECORD_TIME, m->record_time);
}

static size_t peer_len(const struct kad_peer_out *p)
{
    size_t len = pb_bytes_len(PEER_ID, p->id.len);

    if (p->addrs->buf != NULL)
        len += p->addrs->buf->len;
    if (p->connection != KAD_NOT_CONNECTED)
        len += pb_uint_len(PEER_CONNECTION, (uint64_t)p->connection);
    return len;
}

static void put_peer(struct wr *w, uint32_t number,
                     const struct kad_peer_out *p)
{
    pb_put_head(w, number, peer_len(p));
    pb_put_bytes(w, PEER_ID, peer_id_bytes(&p->id));
    if (p->addrs->buf != NULL)
        wr_bytes(w, buf_bytes(p->addrs->buf));
    if (p->connection != KAD_NOT_CONNECTED)
        pb_put_uint(w, PEER_CONNECTION, (uint64_t)p->connection);
}

/* Length of all but the providers. */
static size_t base_len(const struct kad_message_out *m)
{
    size_t len = 0;

    if (m->type != KAD_PUT_VALUE)
        len += pb_uint_len(MESSAGE_TYPE, (uint64_t)m->type);
    if (m->key.len > 0)
        len += pb_bytes_len(MESSAGE_KEY, m->key.len);
    if (m->has_record)
        len += pb_bytes_len(MESSAGE_RECORD, record_len(m));
    for (size_t i = 0; i < m->closer_count; i++)
        len += pb_bytes_len(MESSAGE_CLOSER, peer_len(&m->closer[i]));
    return len + more_keys_len(m);
}

size_t kad_message_len(const struct kad_message_out *message)
{
    size_t len = base_len(message);

    for (size_t i = 0; i < message->providers_count; i++)
        len +=
            pb_bytes_len(MESSAGE_PROVIDERS, peer_len(&message->providers[i]));
    return len;
}

struct buf *kad_message_encode(const struct kad_message_out *m, size_t max)
{
    size_t len = base_len(m);
    size_t providers = 0;

    assert(len <= max);
    while (providers < m->providers_count) {
        size_t more =
            pb_bytes_len(MESSAGE_PROVIDERS, peer_len(&m->providers[providers]));
        if (more > max - len)
            break;
        len += more;
        providers++;
    }
    struct buf *buf = buf_new(len);
    struct wr w = wr_init(buf->data, len);
    if (m->type != KAD_PUT_VALUE)
        pb_put_uint(&w, MESSAGE_TYPE, (uint64_t)m->type);
    if (m->key.len > 0)
        pb_put_bytes(&w, MESSAGE_KEY, m->key);
    if (m->has_record)
        put_record(&w, m);
    for (size_t i = 0; i < m->closer_count; i++)
        put_peer(&w, MESSAGE_CLOSER, &m->closer[i]);
    for (size_t i = 0; i < providers; i++)
        put_peer(&w, MESSAGE_PROVIDERS, &m->providers[i]);
    put_more_keys(&w, m);
    assert(w.err == OK);
    buf->len = wr_len(&w);
    assert(buf->len == len);
    return buf;
}
