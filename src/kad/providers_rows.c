/*
 * Rows on disk, version 1, numbers with the most significant byte first:
 *   'p', peer id               -> 1, group (8), end of addresses (8), then for
 *                                 each address its length (2) and bytes
 *   'r', point (32), peer id   -> 1, end (8)
 * Times are seconds since 1970.
 */
#include <assert.h>

#include "base/rd.h"
#include "base/wr.h"
#include "kad/providers_priv.h"

enum {
    ROW_VERSION = 1,
    ROW_PEER = 'p',
    ROW_RECORD = 'r',
};

static void write_peer(struct providers *p, const struct claimant *c,
                       struct kad_change *ret_change)
{
    struct wr k = wr_init(p->row->key, sizeof(p->row->key));
    struct wr v = wr_init(p->row->value, sizeof(p->row->value));

    wr_u8(&k, ROW_PEER);
    wr_bytes(&k, peer_id_bytes(&c->id));
    wr_u8(&v, ROW_VERSION);
    wr_be64(&v, c->group == NULL ? 0 : c->group->number);
    wr_be64(&v, c->addrs_end_s);
    wr_bytes(&v, (struct bytes){.p = c->addrs, .len = c->addrs_len});
    enum err err = wr_finish(&k, &ret_change->key);
    assert(err == OK);
    err = wr_finish(&v, &ret_change->value);
    assert(err == OK);
    ret_change->kind = c->records > 0 ? KAD_CHANGE_PUT : KAD_CHANGE_REMOVE;
}

static void write_record(struct providers *p, const struct record *r,
                         struct kad_change *ret_change)
{
    struct wr k = wr_init(p->row->key, sizeof(p->row->key));
    struct wr v = wr_init(p->row->value, sizeof(p->row->value));
    bool lives = (r->flags & RECORD_LIVES) != 0;

    wr_u8(&k, ROW_RECORD);
    wr_bytes(&k, kad_key_bytes(&r->key));
    wr_bytes(&k, peer_id_bytes(&p->claimants[r->claimant]->id));
    wr_u8(&v, ROW_VERSION);
    wr_be64(&v, r->ends_s);
    enum err err = wr_finish(&k, &ret_change->key);
    assert(err == OK);
    err = wr_finish(&v, &ret_change->value);
    assert(err == OK);
    ret_change->kind = lives ? KAD_CHANGE_PUT : KAD_CHANGE_REMOVE;
}

static void next_peer(struct providers *p, struct kad_change *ret_change)
{
    struct list *first = list_first(&p->claimant_changes);
    struct claimant *c = container_of(first, struct claimant, change);

    list_remove(first);
    write_peer(p, c, ret_change);
    providers_drop_claimant(p, c);
}

static void next_record(struct providers *p, struct kad_change *ret_change)
{
    uint32_t number = p->change_first;
    struct record *r = providers_record(p, number);

    p->change_first = r->change;
    r->flags &= (uint32_t)~RECORD_CHANGED & 0xff;
    write_record(p, r, ret_change);
    if ((r->flags & RECORD_LIVES) == 0)
        providers_free_record(p, number);
}

bool providers_next_change(struct providers *p, struct kad_change *ret_change)
{
    struct kad_change change = {0};

    if (!list_empty(&p->claimant_changes))
        next_peer(p, &change);
    else if (p->change_first != 0)
        next_record(p, &change);
    else
        return false;
    p->stats.changes_count--;
    if (change.kind == KAD_CHANGE_REMOVE)
        change.value = BYTES_EMPTY;
    *ret_change = change;
    return true;
}

/* A time from disk, no later than what is written now would be. */
static uint32_t read_time(struct rd *r, uint64_t unix_ms, uint32_t life_ms)
{
    uint64_t s = rd_be64(r);
    uint32_t max_s = providers_seconds(unix_ms + life_ms);

    return s > max_s ? max_s : (uint32_t)s;
}

static enum err check_addrs(struct bytes addrs)
{
    struct rd r = rd_init(addrs);
    struct multiaddr addr;
    unsigned count = 0;

    while (rd_left(&r) > 0) {
        struct bytes in = rd_view(&r, rd_be16(&r));
        if (r.err != OK)
            return r.err;
        enum err err = multiaddr_decode(in, &addr);
        if (err != OK)
            return err;
        if (++count > PROVIDERS_ADDRS_MAX)
            return E_LIMIT;
    }
    return OK;
}

static enum err load_peer(struct providers *p, struct bytes key, struct rd *v,
                          uint64_t unix_ms)
{
    struct peer_id id;
    uint64_t group = rd_be64(v);
    uint32_t end_s = read_time(v, unix_ms, PROVIDERS_ADDRS_MS);
    struct bytes addrs = rd_rest(v);

    if (v->err != OK)
        return v->err;
    enum err err = peer_id_decode(key, &id);
    if (err == OK)
        err = check_addrs(addrs);
    if (err != OK)
        return err;
    struct claimant *c = providers_claimant(p, &id);
    if (c == NULL)
        return E_LIMIT;
    providers_set_group(p, c, group);
    if (end_s > providers_seconds(unix_ms))
        providers_set_addrs(p, c, addrs, end_s);
    return OK;
}

/* A row whose time has come is loaded as well, so that it is removed by time
 * like others. */
static enum err load_record(struct providers *p, struct bytes key, struct rd *v,
                            uint64_t unix_ms)
{
    struct rd k = rd_init(key);
    struct kad_key at = {0};
    struct peer_id id;
    uint32_t end_s = read_time(v, unix_ms, PROVIDERS_RECORD_MS);
    enum err err = rd_finish(v);

    if (err != OK)
        return err;
    rd_copy(&k, at.b, sizeof(at.b), KAD_KEY_BYTES);
    struct bytes rest = rd_rest(&k);
    if (k.err != OK)
        return k.err;
    err = peer_id_decode(rest, &id);
    if (err != OK)
        return err;
    if (p->count >= p->config.records_max)
        return E_LIMIT;
    struct claimant *c = providers_claimant(p, &id);
    if (c == NULL)
        return E_LIMIT;
    if (providers_find(p, &at, c) != 0)
        return E_MALFORMED; /* no table has a row twice */
    return providers_insert(p, c, &at, end_s) == 0 ? E_LIMIT : OK;
}

enum err providers_load(struct providers *p, struct bytes key,
                        struct bytes value, uint64_t unix_ms)
{
    struct rd k = rd_init(key);
    struct rd v = rd_init(value);
    uint8_t kind = rd_u8(&k);
    uint8_t version = rd_u8(&v);

    if (k.err != OK)
        return k.err;
    if (v.err != OK)
        return v.err;
    if (version != ROW_VERSION)
        return E_UNSUPPORTED;
    if (kind == ROW_PEER)
        return load_peer(p, rd_rest(&k), &v, unix_ms);
    if (kind == ROW_RECORD)
        return load_record(p, rd_rest(&k), &v, unix_ms);
    return E_MALFORMED;
}
