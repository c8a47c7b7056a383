#include "discovery/bans.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"

enum {
    KEY_TAG = 'b',
    KEY_PEER = 'p',
    KEY_NET = 'n',
    VALUE_VERSION = 1,
    IP4_BYTES = 4,
    IP6_BYTES = 16,
    DECIMAL = 10,
    MAPPED_BITS = 96, /* of ::ffff:0:0/96 */
};

_Static_assert((int)BANS_TEXT_MAX >= (int)PEER_ID_TEXT_MAX, "a peer fits");

/* struct gone - the key of an entry that was removed. */
struct gone {
    struct list link;
    uint8_t key[BANS_KEY_MAX];
    uint8_t key_len;
};

_Static_assert(BANS_KEY_MAX >= 2 + PEER_ID_BYTES_MAX, "a peer fits");
_Static_assert(BANS_VALUE_MAX >= 3 + 16 + BANS_REASON_MAX, "an entry fits");

static struct ban *ban_of(struct map_node *node)
{
    return node == NULL ? NULL : container_of(node, struct ban, node);
}

void bans_init(struct bans *b, const uint8_t seed[static 16])
{
    memset(b, 0, sizeof(*b));
    map_init(&b->entries, seed);
    list_init(&b->dirty);
    list_init(&b->removed);
}

void bans_release(struct bans *b)
{
    struct ban *ban;
    while ((ban = ban_of(map_first(&b->entries))) != NULL) {
        map_remove(&b->entries, &ban->node);
        list_remove(&ban->dirty);
        mem_free(ban);
    }
    map_release(&b->entries);
    list_for_each_safe (it, &b->removed) {
        list_remove(it);
        mem_free(container_of(it, struct gone, link));
    }
}

/* Targets. ----------------------------------------------------------------- */

static void mask(uint8_t *bytes, size_t len, unsigned bits)
{
    for (size_t i = 0; i < len; i++) {
        unsigned before = (unsigned)i * 8;
        unsigned keep = bits <= before ? 0 : bits - before;
        if (keep < 8)
            bytes[i] &= (uint8_t)(0xff00U >> keep);
    }
}

static bool is_in(const struct ma_ip *ip, const struct ma_ip *net,
                  unsigned bits)
{
    struct ma_ip masked = *ip;
    if (ip->len != net->len)
        return false;
    mask(masked.bytes, masked.len, bits);
    return memcmp(masked.bytes, net->bytes, net->len) == 0;
}

/* IPv4 mapped into IPv6 is the same host. */
static struct ma_ip plain(const struct ma_ip *ip)
{
    static const struct ma_ip mapped = {.len = IP6_BYTES,
                                        .bytes = {[10] = 0xff, [11] = 0xff}};
    struct ma_ip out = {.len = IP4_BYTES};
    if (ip->len != IP6_BYTES || !is_in(ip, &mapped, MAPPED_BITS))
        return *ip;
    memcpy(out.bytes, ip->bytes + MAPPED_BITS / 8, IP4_BYTES);
    return out;
}

static bool parse_bits(struct bytes text, unsigned max, uint8_t *ret_bits)
{
    unsigned bits = 0;
    if (text.len == 0 || text.len > 3 || (text.p[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        bits = bits * DECIMAL + (unsigned)(text.p[i] - '0');
    }
    if (bits > max)
        return false;
    *ret_bits = (uint8_t)bits;
    return true;
}

enum err ban_target_parse(struct bytes text, struct ban_target *ret_target)
{
    struct ban_target t = {0};
    const uint8_t *slash = text.len == 0 ? NULL : memchr(text.p, '/', text.len);
    size_t ip_len = slash == NULL ? text.len : (size_t)(slash - text.p);

    if (ma_ip_parse(bytes_sub(text, 0, ip_len), &t.ip) != OK) {
        if (slash != NULL || peer_id_parse(text, &t.peer) != OK)
            return E_MALFORMED;
        t.ip = (struct ma_ip){0};
        *ret_target = t;
        return OK;
    }
    unsigned max = (unsigned)t.ip.len * 8;
    t.bits = (uint8_t)max;
    if (slash != NULL &&
        !parse_bits(bytes_sub(text, ip_len + 1, text.len - ip_len - 1), max,
                    &t.bits))
        return E_MALFORMED;
    if (!is_in(&t.ip, &t.ip, t.bits))
        return E_MALFORMED;
    struct ma_ip p = plain(&t.ip);
    if (p.len != t.ip.len && t.bits >= MAPPED_BITS) {
        t.ip = p;
        t.bits = (uint8_t)(t.bits - MAPPED_BITS);
    }
    *ret_target = t;
    return OK;
}

size_t ban_target_format(const struct ban_target *t,
                         char dst[static BANS_TEXT_MAX])
{
    if (t->peer.len > 0)
        return peer_id_format(&t->peer, dst);
    size_t len = ma_ip_format(&t->ip, dst);
    if (t->bits == t->ip.len * 8)
        return len;
    dst[len++] = '/';
    unsigned bits = t->bits;
    if (bits >= DECIMAL * DECIMAL)
        dst[len++] = (char)('0' + bits / (DECIMAL * DECIMAL));
    if (bits >= DECIMAL)
        dst[len++] = (char)('0' + bits / DECIMAL % DECIMAL);
    dst[len++] = (char)('0' + bits % DECIMAL);
    dst[len] = '\0';
    return len;
}

static uint8_t make_key(const struct ban_target *t,
                        uint8_t dst[static BANS_KEY_MAX])
{
    struct wr w = wr_init(dst, BANS_KEY_MAX);
    wr_u8(&w, KEY_TAG);
    if (t->peer.len > 0) {
        wr_u8(&w, KEY_PEER);
        wr_bytes(&w, peer_id_bytes(&t->peer));
    } else {
        wr_u8(&w, KEY_NET);
        wr_u8(&w, t->bits);
        wr_bytes(&w, (struct bytes){.p = t->ip.bytes, .len = t->ip.len});
    }
    assert(w.err == OK);
    return (uint8_t)wr_len(&w);
}

static bool target_ok(const struct ban_target *t)
{
    if (t->peer.len > 0)
        return true;
    return (t->ip.len == IP4_BYTES || t->ip.len == IP6_BYTES) &&
           t->bits <= t->ip.len * 8 && is_in(&t->ip, &t->ip, t->bits);
}

/* Entries. ----------------------------------------------------------------- */

static struct ban *find_key(const struct bans *b, const uint8_t *key,
                            size_t len)
{
    return ban_of(map_get(&b->entries, (struct bytes){.p = key, .len = len}));
}

static struct ban *find(const struct bans *b, const struct ban_target *target)
{
    uint8_t key[BANS_KEY_MAX];

    return find_key(b, key, make_key(target, key));
}

static void touch(struct bans *b, struct ban *ban)
{
    list_remove(&ban->dirty);
    list_add_tail(&b->dirty, &ban->dirty);
}

static struct ban *enter(struct bans *b, const struct ban_target *target)
{
    struct ban *ban = mem_zalloc(1, sizeof(*ban));
    ban->target = *target;
    ban->key_len = make_key(target, ban->key);
    list_init(&ban->dirty);
    map_put(&b->entries, &ban->node,
            (struct bytes){.p = ban->key, .len = ban->key_len});
    if (target->peer.len == 0)
        b->nets_count++;
    return ban;
}

enum err bans_put(struct bans *b, const struct ban_target *target,
                  enum ban_kind kind, struct bytes reason, uint64_t expires_s,
                  uint64_t unix_s)
{
    assert(target_ok(target));
    struct ban *ban = find(b, target);
    if (ban == NULL) {
        if (b->entries.count >= BANS_MAX)
            bans_expire(b, unix_s);
        if (b->entries.count >= BANS_MAX)
            return E_LIMIT;
        ban = enter(b, target);
    }
    ban->kind = kind;
    ban->since_s = unix_s;
    ban->expires_s = kind == BAN_TEMPORARY ? expires_s : 0;
    size_t len = reason.len < BANS_REASON_MAX ? reason.len : BANS_REASON_MAX;
    if (len > 0)
        memcpy(ban->reason, reason.p, len);
    ban->reason_len = (uint8_t)len;
    touch(b, ban);
    return OK;
}

static void remove_entry(struct bans *b, struct ban *ban)
{
    if (ban->is_stored) {
        struct gone *g = mem_zalloc(1, sizeof(*g));
        memcpy(g->key, ban->key, ban->key_len);
        g->key_len = ban->key_len;
        list_add_tail(&b->removed, &g->link);
    }
    if (ban->target.peer.len == 0)
        b->nets_count--;
    map_remove(&b->entries, &ban->node);
    list_remove(&ban->dirty);
    mem_free(ban);
}

enum err bans_remove(struct bans *b, const struct ban_target *target)
{
    struct ban *ban = find(b, target);
    if (ban == NULL)
        return E_NOTFOUND;
    remove_entry(b, ban);
    return OK;
}

const struct ban *bans_get(const struct bans *b,
                           const struct ban_target *target)
{
    return find(b, target);
}

static bool is_over(const struct ban *ban, uint64_t unix_s)
{
    return ban->kind == BAN_TEMPORARY && ban->expires_s <= unix_s;
}

void bans_expire(struct bans *b, uint64_t unix_s)
{
    struct map_node *node = map_first(&b->entries);
    while (node != NULL) {
        struct ban *ban = ban_of(node);
        node = map_next(&b->entries, node);
        if (is_over(ban, unix_s))
            remove_entry(b, ban);
    }
}

static const struct ban *better(const struct ban *found, const struct ban *ban,
                                uint64_t unix_s)
{
    if (ban == NULL || is_over(ban, unix_s))
        return found;
    return found == NULL || ban->kind == BAN_ALLOW ? ban : found;
}

const struct ban *bans_find(const struct bans *b, const struct peer_id *peer,
                            const struct multiaddr *addr, uint64_t unix_s)
{
    const struct ban *found = NULL;
    uint8_t key[BANS_KEY_MAX];
    struct ma_ip ip;

    if (b->entries.count == 0)
        return NULL;
    if (peer != NULL && peer->len > 0) {
        struct ban_target t = {.peer = *peer};
        found = better(found, find_key(b, key, make_key(&t, key)), unix_s);
    }
    if (b->nets_count == 0 || addr == NULL || multiaddr_get_ip(addr, &ip) != OK)
        return found;
    ip = plain(&ip);
    map_for_each (it, &b->entries) {
        const struct ban *ban = ban_of(it);
        if (ban->target.peer.len == 0 &&
            is_in(&ip, &ban->target.ip, ban->target.bits))
            found = better(found, ban, unix_s);
    }
    return found;
}

bool bans_refuse(const struct bans *b, const struct peer_id *peer,
                 const struct multiaddr *addr, uint64_t unix_s)
{
    const struct ban *ban = bans_find(b, peer, addr, unix_s);
    return ban != NULL && ban->kind != BAN_ALLOW;
}

const struct ban *bans_next(const struct bans *b, const struct ban *after)
{
    return ban_of(after == NULL ? map_first(&b->entries)
                                : map_next(&b->entries, &after->node));
}

/* On disk. ----------------------------------------------------------------- */

/* Removals come first: what was removed and entered again is written later. */
bool bans_next_change(struct bans *b, struct wr *ret_key, struct wr *ret_value)
{
    if (!list_empty(&b->removed)) {
        struct gone *g =
            container_of(list_first(&b->removed), struct gone, link);
        wr_bytes(ret_key, (struct bytes){.p = g->key, .len = g->key_len});
        list_remove(&g->link);
        mem_free(g);
        return true;
    }
    if (list_empty(&b->dirty))
        return false;
    struct ban *ban = container_of(list_first(&b->dirty), struct ban, dirty);
    list_remove(&ban->dirty);
    ban->is_stored = true;
    wr_bytes(ret_key, (struct bytes){.p = ban->key, .len = ban->key_len});
    wr_u8(ret_value, VALUE_VERSION);
    wr_u8(ret_value, (uint8_t)ban->kind);
    wr_be64(ret_value, ban->since_s);
    wr_be64(ret_value, ban->expires_s);
    wr_u8(ret_value, ban->reason_len);
    wr_bytes(ret_value, (struct bytes){.p = (const uint8_t *)ban->reason,
                                       .len = ban->reason_len});
    assert(ret_key->err == OK);
    assert(ret_value->err == OK);
    return true;
}

static bool read_key(struct bytes in, struct ban_target *t)
{
    struct rd r = rd_init(in);
    if (rd_u8(&r) != KEY_TAG)
        return false;
    uint8_t kind = rd_u8(&r);
    if (kind == KEY_PEER)
        return r.err == OK && peer_id_decode(rd_rest(&r), &t->peer) == OK;
    t->bits = rd_u8(&r);
    size_t len = rd_left(&r);
    if (kind != KEY_NET || len > IP6_BYTES)
        return false;
    t->ip.len = (uint8_t)len;
    rd_copy(&r, t->ip.bytes, sizeof(t->ip.bytes), len);
    return rd_finish(&r) == OK && target_ok(t);
}

enum err bans_load(struct bans *b, struct bytes key, struct bytes value)
{
    struct ban_target target = {0};
    struct ban in = {0};
    struct rd r = rd_init(value);

    uint8_t version = rd_u8(&r);
    if (r.err == OK && version > VALUE_VERSION)
        return E_UNSUPPORTED;
    uint8_t kind = rd_u8(&r);
    in.since_s = rd_be64(&r);
    in.expires_s = rd_be64(&r);
    in.reason_len = rd_u8(&r);
    rd_copy(&r, (uint8_t *)in.reason, sizeof(in.reason), in.reason_len);
    if (rd_finish(&r) != OK || version != VALUE_VERSION ||
        kind < BAN_TEMPORARY || kind > BAN_ALLOW || !read_key(key, &target))
        return E_CORRUPT;
    if (b->entries.count >= BANS_MAX)
        return E_LIMIT;
    if (find_key(b, key.p, key.len) != NULL)
        return E_CORRUPT;
    struct ban *ban = enter(b, &target);
    ban->kind = (enum ban_kind)kind;
    ban->is_stored = true;
    ban->since_s = in.since_s;
    ban->expires_s = in.expires_s;
    ban->reason_len = in.reason_len;
    memcpy(ban->reason, in.reason, sizeof(in.reason));
    return OK;
}
