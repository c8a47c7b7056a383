#include "discovery/mdns_packet.h"

#include <assert.h>

#include "base/rd.h"
#include "base/wr.h"

enum {
    FLAG_ANSWER = 0x8000,
    FLAG_AUTHORITY = 0x0400, /* we are whom the answer is about */
    OPCODE_MASK = 0x7800,
    RCODE_MASK = 0x000f,

    CLASS_IN = 1,
    CLASS_MASK = 0x7fff, /* the other bit: flush, or an answer to one */
    CLASS_FLUSH = 0x8000,

    TYPE_A = 1,
    TYPE_PTR = 12,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_SRV = 33,
    TYPE_ANY = 255,

    LABEL_MAX = 63,
    POINTER = 0xc0, /* the two bits of a length that is none */
    JUMPS_MAX = 16,

    SERVICE_AT = 12, /* where our packets have the service's name: first */
    LOCAL_AT = 22,   /* and the last label of it */
    RECORD_HEAD = 10,
};

static const struct bytes service = {
    .p = (const uint8_t *)"\4_p2p\4_udp\5local",
    .len = 17, /* with the NUL, which is the root */
};

static const struct bytes prefix = {.p = (const uint8_t *)"dnsaddr=", .len = 8};

/* struct name - lengths and labels, the root's too, in lower case. */
struct name {
    size_t len;
    uint8_t bytes[MDNS_NAME_MAX];
};

/* Reading. */

static size_t position(const struct rd *r, struct bytes packet)
{
    return packet.len - rd_left(r);
}

static void add_byte(struct name *n, uint8_t c)
{
    n->bytes[n->len++] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Appends the label of @len bytes that is next, and its length. */
static void read_label(struct rd *r, size_t len, struct name *n)
{
    struct bytes label = rd_view(r, len);

    if (n->len + 1 + label.len > MDNS_NAME_MAX) { /* both are small */
        rd_fail(r, E_LIMIT);
        return;
    }
    n->bytes[n->len++] = (uint8_t)label.len;
    for (size_t i = 0; i < label.len; i++)
        add_byte(n, label.p[i]);
}

/* The name that begins at @r, in which a pointer leads to labels further in
 * front of where the name, or the part of it that is being read, began: so it
 * ends. */
static void read_name(struct rd *r, struct bytes packet, struct name *n)
{
    struct rd away; /* behind a pointer */
    struct rd *at = r;
    size_t from = position(r, packet);

    n->len = 0;
    for (unsigned jumps = 0; at->err == OK;) {
        uint8_t len = rd_u8(at);
        if (len <= LABEL_MAX) {
            read_label(at, len, n);
            if (len == 0)
                break;
            continue;
        }
        size_t to = (size_t)(len & ~POINTER) << 8 | rd_u8(at);
        if ((len & POINTER) != POINTER || to >= from || jumps == JUMPS_MAX) {
            rd_fail(at, E_MALFORMED);
            break;
        }
        jumps++;
        from = to;
        away = rd_init(bytes_sub(packet, to, packet.len - to));
        at = &away;
    }
    if (at->err != OK)
        rd_fail(r, at->err);
}

static bool is_name(const struct name *n, struct bytes want)
{
    return bytes_eq((struct bytes){.p = n->bytes, .len = n->len}, want);
}

/* Whether it is @instance below the service. */
static bool is_instance(const struct name *n, struct bytes instance)
{
    size_t head = 1 + instance.len;

    if (n->len != head + service.len || n->bytes[0] != instance.len)
        return false;
    return memcmp(n->bytes + 1, instance.p, instance.len) == 0 &&
           memcmp(n->bytes + head, service.p, service.len) == 0;
}

static void read_question(struct rd *r, struct bytes packet,
                          struct mdns_packet *m)
{
    struct name name;

    read_name(r, packet, &name);
    uint16_t type = rd_be16(r);
    uint16_t class = rd_be16(r) & CLASS_MASK;
    if (r->err == OK && is_name(&name, service) && class == CLASS_IN &&
        (type == TYPE_PTR || type == TYPE_ANY))
        m->asks = true;
}

static void read_texts(struct rd *r, struct bytes data, struct mdns_packet *m)
{
    struct rd strings = rd_init(data);

    while (rd_left(&strings) > 0) {
        struct bytes text = rd_view(&strings, rd_u8(&strings));
        if (strings.err != OK)
            rd_fail(r, strings.err);
        if (text.len <= prefix.len || m->texts_count == MDNS_TEXTS_MAX)
            continue;
        if (bytes_eq(bytes_sub(text, 0, prefix.len), prefix))
            m->texts[m->texts_count++] =
                bytes_sub(text, prefix.len, text.len - prefix.len);
    }
}

/* The name that fills @data, which begins at @from. */
static void read_target(struct rd *r, struct bytes packet, size_t from,
                        struct bytes data, struct name *n)
{
    struct bytes head = bytes_sub(packet, 0, from + data.len);
    struct rd at = rd_init(bytes_sub(head, from, data.len));

    read_name(&at, head, n);
    enum err err = rd_finish(&at);
    if (err != OK)
        rd_fail(r, err);
}

static void read_record(struct rd *r, struct bytes packet,
                        struct bytes instance, struct mdns_packet *m)
{
    struct name owner;
    struct name target;

    read_name(r, packet, &owner);
    uint16_t type = rd_be16(r);
    uint16_t class = rd_be16(r) & CLASS_MASK;
    uint32_t ttl_s = rd_be32(r);
    size_t len = rd_be16(r);
    size_t from = position(r, packet);
    struct bytes data = rd_view(r, len);
    if (r->err != OK || class != CLASS_IN)
        return;
    if (type == TYPE_TXT && ttl_s > 0)
        read_texts(r, data, m);
    if (type != TYPE_PTR || !is_name(&owner, service))
        return;
    read_target(r, packet, from, data, &target);
    if (r->err != OK)
        return;
    if (ttl_s > 0)
        m->tells = true;
    if (ttl_s >= MDNS_TTL_S / 2 && is_instance(&target, instance))
        m->knows_us = true;
}

/* What was collected without regard to the kind of packet. */
static void tidy(struct mdns_packet *m, bool is_answer)
{
    if (is_answer) {
        m->asks = false;
        m->knows_us = false;
    } else {
        m->tells = false;
    }
    if (!m->asks)
        m->knows_us = false;
    if (!m->tells)
        m->texts_count = 0;
}

enum err mdns_packet_decode(struct bytes in, struct bytes instance,
                            struct mdns_packet *ret_packet)
{
    struct rd r = rd_init(in);
    struct mdns_packet m = {.id = 0};

    m.id = rd_be16(&r);
    uint16_t flags = rd_be16(&r);
    size_t questions = rd_be16(&r);
    size_t records = rd_be16(&r);
    records += rd_be16(&r);
    records += rd_be16(&r);
    if ((flags & (OPCODE_MASK | RCODE_MASK)) != 0)
        rd_fail(&r, E_UNSUPPORTED);
    if (questions > MDNS_QUESTIONS_MAX || records > MDNS_RECORDS_MAX)
        rd_fail(&r, E_LIMIT);
    for (size_t i = 0; i < questions && r.err == OK; i++)
        read_question(&r, in, &m);
    for (size_t i = 0; i < records && r.err == OK; i++)
        read_record(&r, in, instance, &m);
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;
    tidy(&m, (flags & FLAG_ANSWER) != 0);
    *ret_packet = m;
    return OK;
}

/* Writing. */

static void put_header(struct wr *w, uint16_t id, uint16_t flags,
                       size_t questions)
{
    wr_be16(w, id);
    wr_be16(w, flags);
    wr_be16(w, (uint16_t)questions);
}

static void put_pointer(struct wr *w, size_t to)
{
    wr_be16(w, (uint16_t)(POINTER << 8 | to));
}

static struct bytes finish(const struct wr *w)
{
    struct bytes out;
    enum err err = wr_finish(w, &out);

    assert(err == OK); /* room was made for all that is written */
    return out;
}

struct bytes mdns_query_encode(uint8_t dst[static MDNS_QUERY_BYTES])
{
    struct wr w = wr_init(dst, MDNS_QUERY_BYTES);

    put_header(&w, 0, 0, 1);
    wr_be16(&w, 0);
    wr_be32(&w, 0);
    wr_bytes(&w, service);
    wr_be16(&w, TYPE_PTR);
    wr_be16(&w, CLASS_IN);
    return finish(&w);
}

/* The head of a record, but for the name in front of it. */
static void put_head(struct wr *w, const struct mdns_answer *a, uint16_t type,
                     size_t len)
{
    bool flush = !a->direct && type != TYPE_PTR; /* others have that PTR, too */

    wr_be16(w, type);
    wr_be16(w, flush ? CLASS_FLUSH | CLASS_IN : CLASS_IN);
    wr_be32(w, a->direct ? MDNS_TTL_DIRECT_S : MDNS_TTL_S);
    wr_be16(w, (uint16_t)len);
}

static void put_ip(struct wr *w, const struct mdns_answer *a, size_t host_at,
                   const struct ma_ip *ip)
{
    if (ip->len == 0)
        return;
    put_pointer(w, host_at);
    put_head(w, a, ip->len == 4 ? TYPE_A : TYPE_AAAA, ip->len);
    wr_bytes(w, (struct bytes){.p = ip->bytes, .len = ip->len});
}

/* The label is followed by a pointer to @below. */
static void put_instance(struct wr *w, const struct mdns_answer *a,
                         size_t below)
{
    wr_u8(w, (uint8_t)a->instance.len);
    wr_bytes(w, a->instance);
    put_pointer(w, below);
}

/* One record with as many strings as there is room for. */
static void put_texts(struct wr *w, const struct mdns_answer *a,
                      size_t instance_at)
{
    size_t room =
        MDNS_ANSWER_BYTES_MAX - wr_len(w) - sizeof(uint16_t) - RECORD_HEAD;
    size_t len = 0;
    size_t count = 0;

    while (count < a->texts_count &&
           (size_t)1 + a->texts[count].len <= room - len)
        len += (size_t)1 + a->texts[count++].len;
    put_pointer(w, instance_at);
    put_head(w, a, TYPE_TXT, len == 0 ? 1 : len);
    if (len == 0)
        wr_u8(w, 0); /* a record without a string is not allowed */
    for (size_t i = 0; i < count; i++) {
        const struct mdns_text *t = &a->texts[i];
        wr_u8(w, t->len);
        wr_bytes(w, (struct bytes){.p = t->bytes, .len = t->len});
    }
}

struct bytes mdns_answer_encode(const struct mdns_answer *answer,
                                uint8_t dst[static MDNS_ANSWER_BYTES_MAX])
{
    struct wr w = wr_init(dst, MDNS_ANSWER_BYTES_MAX);
    size_t instance_len = 1 + answer->instance.len + sizeof(uint16_t);
    size_t more = 2U + (answer->ip4.len != 0) + (answer->ip6.len != 0);

    assert(answer->instance.len == MDNS_INSTANCE_LEN);
    put_header(&w, answer->direct ? answer->id : 0,
               FLAG_ANSWER | FLAG_AUTHORITY, answer->direct ? 1 : 0);
    wr_be16(&w, 1);
    wr_be16(&w, 0);
    wr_be16(&w, (uint16_t)more);
    assert(wr_len(&w) == SERVICE_AT);
    wr_bytes(&w, service);
    if (answer->direct) { /* the question, again */
        wr_be16(&w, TYPE_PTR);
        wr_be16(&w, CLASS_IN);
        put_pointer(&w, SERVICE_AT);
    }
    put_head(&w, answer, TYPE_PTR, instance_len);
    size_t instance_at = wr_len(&w);
    put_instance(&w, answer, SERVICE_AT);

    put_pointer(&w, instance_at);
    put_head(&w, answer, TYPE_SRV, 3 * sizeof(uint16_t) + instance_len);
    wr_be32(&w, 0); /* priority and weight */
    wr_be16(&w, answer->port);
    size_t host_at = wr_len(&w);
    put_instance(&w, answer, LOCAL_AT);
    put_ip(&w, answer, host_at, &answer->ip4);
    put_ip(&w, answer, host_at, &answer->ip6);
    put_texts(&w, answer, instance_at);
    return finish(&w);
}
