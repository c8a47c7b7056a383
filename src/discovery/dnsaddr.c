#include "discovery/dnsaddr.h"

#include <assert.h>

#include "base/mem.h"
#include "multiformats/peer_id.h"

/*
 * 1. @lookups holds every address with a name that was met, each once, so that
 *    names which lead to each other come to an end; it only grows.
 * 2. A lookup waits, then is under way, then answered: take_lookup() and
 *    end_lookup() move it on.
 * 3. Results and lookups leave in the order in which they were met.
 */
enum lookup_state {
    LOOKUP_WAITS,
    LOOKUP_UNDER_WAY,
    LOOKUP_ANSWERED,
};

struct lookup {
    struct multiaddr addr;
    enum lookup_state state;
    bool is_txt;
    unsigned depth; /* TXT lookups that led here */
    size_t name_len;
    uint8_t name[DNSADDR_NAME_MAX];
};

struct dnsaddr {
    struct lookup lookups[DNSADDR_LOOKUPS_MAX];
    size_t lookups_count;
    size_t taken_count; /* lookups that wait no more */
    size_t under_way;
    struct multiaddr results[DNSADDR_RESULTS_MAX];
    size_t results_count;
    size_t found_count; /* results that were taken */
    enum err err;       /* of a lookup that failed, rather than E_NOTFOUND */
    bool done;
};

static const struct bytes txt_name = {.p = (const uint8_t *)"_dnsaddr.",
                                      .len = 9};
static const struct bytes txt_prefix = {.p = (const uint8_t *)"dnsaddr=",
                                        .len = 8};

/* Return: the name of /dnsaddr/NAME/...; @ret_rest gets the dots. */
static bool get_dnsaddr(const struct multiaddr *addr, struct bytes *ret_name,
                        struct bytes *ret_rest)
{
    struct rd r = multiaddr_rd(addr);
    struct ma_component first;

    if (!multiaddr_next(&r, &first) || first.code != MA_DNSADDR)
        return false;
    *ret_name = first.value;
    *ret_rest = rd_rest(&r);
    return true;
}

static void note_err(struct dnsaddr *d, enum err err)
{
    if (err != OK && (d->err == OK || d->err == E_NOTFOUND))
        d->err = err;
}

static void add_result(struct dnsaddr *d, const struct multiaddr *addr)
{
    for (size_t i = 0; i < d->results_count; i++)
        if (multiaddr_eq(&d->results[i], addr))
            return;
    if (d->results_count < DNSADDR_RESULTS_MAX)
        d->results[d->results_count++] = *addr;
}

static void add_lookup(struct dnsaddr *d, const struct lookup *made,
                       struct bytes head, struct bytes name)
{
    for (size_t i = 0; i < d->lookups_count; i++)
        if (multiaddr_eq(&d->lookups[i].addr, &made->addr))
            return;
    if (d->lookups_count == DNSADDR_LOOKUPS_MAX ||
        name.len > DNSADDR_NAME_MAX - head.len) {
        note_err(d, E_LIMIT);
        return;
    }
    struct lookup *l = &d->lookups[d->lookups_count++];
    *l = *made;
    l->state = LOOKUP_WAITS;
    if (head.len > 0)
        memcpy(l->name, head.p, head.len);
    if (name.len > 0)
        memcpy(l->name + head.len, name.p, name.len);
    l->name_len = head.len + name.len;
}

/* What is of no use is left out. */
static void add(struct dnsaddr *d, const struct multiaddr *addr, unsigned depth)
{
    struct lookup l = {.addr = *addr, .depth = depth};
    struct ma_ip ip;
    struct bytes name;
    struct bytes rest;
    uint32_t code;
    uint16_t port;

    if (multiaddr_get_tcp(addr, &ip, &port) == OK) {
        add_result(d, addr);
    } else if (multiaddr_get_dns_tcp(addr, &code, &name, &port) == OK) {
        add_lookup(d, &l, BYTES_EMPTY, name);
    } else if (get_dnsaddr(addr, &name, &rest)) {
        l.is_txt = true;
        if (depth < DNSADDR_DEPTH_MAX)
            add_lookup(d, &l, txt_name, name);
    }
}

bool dnsaddr_is_name(const struct multiaddr *addr)
{
    struct bytes name;
    struct bytes rest;
    uint32_t code;
    uint16_t port;

    return multiaddr_get_dns_tcp(addr, &code, &name, &port) == OK ||
           get_dnsaddr(addr, &name, &rest);
}

enum err dnsaddr_new(const struct multiaddr *addr, struct dnsaddr **ret_dnsaddr)
{
    struct ma_ip ip;
    uint16_t port;

    if (multiaddr_get_tcp(addr, &ip, &port) != OK && !dnsaddr_is_name(addr))
        return E_UNSUPPORTED;
    struct dnsaddr *d = mem_zalloc(1, sizeof(*d));
    add(d, addr, 0);
    *ret_dnsaddr = d;
    return OK;
}

void dnsaddr_free(struct dnsaddr *d)
{
    mem_free(d);
}

static struct lookup *end_lookup(struct dnsaddr *d, uint32_t id, bool is_txt,
                                 enum err err)
{
    assert(id < d->lookups_count);
    struct lookup *l = &d->lookups[id];
    assert(l->state == LOOKUP_UNDER_WAY);
    assert(l->is_txt == is_txt);
    l->state = LOOKUP_ANSWERED;
    d->under_way--;
    note_err(d, err);
    return l;
}

/* Whether the last components of @addr are @rest. */
static bool ends_in(const struct multiaddr *addr, struct bytes rest)
{
    struct rd r = multiaddr_rd(addr);
    struct ma_component c;
    bool more = true;

    while (more && rd_left(&r) > rest.len)
        more = multiaddr_next(&r, &c);
    return bytes_eq(rd_rest(&r), rest);
}

static void on_text(struct dnsaddr *d, const struct lookup *l,
                    struct bytes text)
{
    struct multiaddr addr;
    struct bytes name;
    struct bytes rest;

    if (text.len < txt_prefix.len ||
        !bytes_eq(bytes_sub(text, 0, txt_prefix.len), txt_prefix))
        return;
    text = bytes_sub(text, txt_prefix.len, text.len - txt_prefix.len);
    bool is_txt = get_dnsaddr(&l->addr, &name, &rest);
    assert(is_txt);
    if (multiaddr_parse(text, &addr) == OK && ends_in(&addr, rest))
        add(d, &addr, l->depth + 1);
}

void dnsaddr_on_texts(struct dnsaddr *d, uint32_t id, enum err err,
                      const struct bytes *texts, size_t count)
{
    const struct lookup *l = end_lookup(d, id, true, err);

    for (size_t i = 0; err == OK && i < count; i++)
        on_text(d, l, texts[i]);
}

/* /dns4/NAME/tcp/PORT[/p2p/ID] with @ip instead of the name. */
static void on_ip(struct dnsaddr *d, const struct lookup *l,
                  const struct ma_ip *ip)
{
    struct peer_id peer;
    struct bytes name;
    uint32_t code;
    uint16_t port;

    enum err err = multiaddr_get_dns_tcp(&l->addr, &code, &name, &port);
    assert(err == OK);
    if ((code == MA_DNS4 && ip->len != 4) || (code == MA_DNS6 && ip->len == 4))
        return;
    struct multiaddr addr = multiaddr_from_ip_port(ip, MA_TCP, port);
    if (multiaddr_get_peer(&l->addr, &peer) == OK)
        err = multiaddr_append_peer(&addr, &peer);
    assert(err == OK); /* shorter than the longest name */
    add_result(d, &addr);
}

void dnsaddr_on_ips(struct dnsaddr *d, uint32_t id, enum err err,
                    const struct ma_ip *ips, size_t count)
{
    const struct lookup *l = end_lookup(d, id, false, err);

    for (size_t i = 0; err == OK && i < count; i++)
        on_ip(d, l, &ips[i]);
}

static void take_lookup(struct dnsaddr *d, struct dnsaddr_out *out)
{
    struct lookup *l = &d->lookups[d->taken_count];

    out->kind = l->is_txt ? DNSADDR_LOOKUP_TXT : DNSADDR_LOOKUP_IP;
    out->id = (uint32_t)d->taken_count++;
    out->name = (struct bytes){.p = l->name, .len = l->name_len};
    l->state = LOOKUP_UNDER_WAY;
    d->under_way++;
}

bool dnsaddr_next(struct dnsaddr *d, struct dnsaddr_out *ret_out)
{
    struct dnsaddr_out out = {.kind = DNSADDR_DONE};

    if (d->found_count < d->results_count) {
        out.kind = DNSADDR_FOUND;
        out.addr = d->results[d->found_count++];
    } else if (d->taken_count < d->lookups_count &&
               d->under_way < DNSADDR_AT_ONCE_MAX) {
        take_lookup(d, &out);
    } else if (d->under_way == 0 && !d->done) {
        d->done = true;
        out.results_count = d->results_count;
        if (d->results_count == 0)
            out.err = d->err == OK ? E_NOTFOUND : d->err;
    } else {
        return false;
    }
    *ret_out = out;
    return true;
}
