#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "discovery/book_priv.h"

/*
 * The book on disk.  Key "a": the salt; key "p", then the peer id: a peer.
 * Values begin with a version.
 */

enum {
    KEY_SALT = 'a',
    KEY_PEER = 'p',
    VERSION = 1,
    FLAG_MANUAL = 1,
    FLAG_REACHED = 2,
    FLAG_ANCHOR = 4,
    FLAG_STORAGE = 8,
    FLAG_TRIED = 16,
    FLAGS_ALL = 31,

    FIXED_MAX = 256, /* all but what follows */
    ADDRS_BYTES_MAX = BOOK_ADDRS_MAX * (2 + BOOK_ADDR_BYTES_MAX),
};

_Static_assert(FIXED_MAX + ADDRS_BYTES_MAX + CAPABILITY_OPERATOR_MAX +
                       CAPABILITY_BYTES_MAX <=
                   BOOK_VALUE_MAX,
               "every peer fits");
_Static_assert(BOOK_KEY_MAX >= 1 + PEER_ID_BYTES_MAX, "every key fits");

static void write_peer(const struct book_peer *p, struct wr *w)
{
    wr_u8(w, VERSION);
    wr_u8(w, p->source);
    wr_u8(w, (uint8_t)((p->manual ? FLAG_MANUAL : 0) |
                       (p->reached ? FLAG_REACHED : 0) |
                       (p->anchor ? FLAG_ANCHOR : 0) |
                       (p->has_storage ? FLAG_STORAGE : 0) |
                       (p->table == TABLE_TRIED ? FLAG_TRIED : 0)));
    wr_be64(w, p->group);
    wr_be64(w, p->source_group);
    wr_be64(w, p->added_s);
    wr_be64(w, p->heard_s);
    wr_be64(w, p->seen_s);
    wr_be64(w, p->reached_s);
    wr_be64(w, p->good_since_s);
    wr_be64(w, p->tried_s);
    wr_be64(w, p->fail_since_s);
    wr_be32(w, p->failures);
    wr_be64(w, p->quality.at_s);
    wr_be32(w, p->quality.rtt_us);
    wr_be16(w, p->quality.success);
    wr_be16(w, p->quality.data);
    wr_be16(w, p->quality.uptime);
    wr_be16(w, p->quality.penalty);
    wr_u8(w, p->addr_count);
    wr_be16(w, p->addrs_len);
    wr_bytes(w, (struct bytes){.p = p->addrs, .len = p->addrs_len});
    wr_be64(w, p->seq);
    wr_be64(w, p->expires_s);
    wr_be64(w, p->storage_offer);
    wr_be64(w, p->storage_free);
    wr_u8(w, p->record_reach);
    wr_u8(w, p->operator_len);
    wr_bytes(w, book_operator(p));
    wr_be16(w, p->record_len);
    wr_bytes(w, book_record(p));
}

bool book_next_change(struct book *b, struct wr *ret_key, struct wr *ret_value)
{
    if (b->salt_dirty) {
        b->salt_dirty = false;
        wr_u8(ret_key, KEY_SALT);
        wr_u8(ret_value, VERSION);
        wr_bytes(ret_value,
                 (struct bytes){.p = b->salt, .len = sizeof(b->salt)});
    } else if (!list_empty(&b->removed)) {
        /* First: what was removed and heard of again is written later. */
        struct book_gone *g =
            container_of(list_first(&b->removed), struct book_gone, link);
        wr_u8(ret_key, KEY_PEER);
        wr_bytes(ret_key, peer_id_bytes(&g->id));
        list_remove(&g->link);
        mem_free(g);
    } else if (!list_empty(&b->dirty)) {
        struct book_peer *p =
            container_of(list_first(&b->dirty), struct book_peer, dirty);
        list_remove(&p->dirty);
        p->is_stored = true;
        wr_u8(ret_key, KEY_PEER);
        wr_bytes(ret_key, peer_id_bytes(&p->id));
        write_peer(p, ret_value);
    } else {
        return false;
    }
    assert(ret_key->err == OK);
    assert(ret_value->err == OK);
    return true;
}

/* struct stored - a peer as it was written; views into the value. */
struct stored {
    struct book_peer peer;
    uint8_t flags;
    struct bytes addrs;
    struct bytes operator_id;
    struct bytes record;
};

static void read_quality(struct rd *r, struct quality *q)
{
    q->at_s = rd_be64(r);
    q->rtt_us = rd_be32(r);
    q->success = rd_be16(r);
    q->data = rd_be16(r);
    q->uptime = rd_be16(r);
    q->penalty = rd_be16(r);
    if (q->success > QUALITY_PART_LAST || q->data > QUALITY_PART_LAST ||
        q->uptime > QUALITY_PART_LAST || q->penalty > QUALITY_PART_LAST)
        rd_fail(r, E_MALFORMED);
}

static void read_peer(struct rd *r, struct stored *s)
{
    struct book_peer *p = &s->peer;
    p->source = rd_u8(r);
    s->flags = rd_u8(r);
    p->group = rd_be64(r);
    p->source_group = rd_be64(r);
    p->added_s = rd_be64(r);
    p->heard_s = rd_be64(r);
    p->seen_s = rd_be64(r);
    p->reached_s = rd_be64(r);
    p->good_since_s = rd_be64(r);
    p->tried_s = rd_be64(r);
    p->fail_since_s = rd_be64(r);
    p->failures = rd_be32(r);
    read_quality(r, &p->quality);
    p->addr_count = rd_u8(r);
    s->addrs = rd_view(r, rd_be16(r));
    p->seq = rd_be64(r);
    p->expires_s = rd_be64(r);
    p->storage_offer = rd_be64(r);
    p->storage_free = rd_be64(r);
    p->record_reach = rd_u8(r);
    s->operator_id = rd_view(r, rd_u8(r));
    s->record = rd_view(r, rd_be16(r));
}

static bool is_sane(const struct stored *s)
{
    const struct book_peer *p = &s->peer;
    return p->source <= BOOK_INBOUND && (s->flags & ~FLAGS_ALL) == 0 &&
           p->failures <= BOOK_FAILURES_MAX &&
           s->addrs.len <= ADDRS_BYTES_MAX &&
           p->storage_offer <= CAPABILITY_STORAGE_MAX &&
           p->storage_free <= p->storage_offer &&
           p->record_reach <= REACH_LOOPBACK &&
           s->operator_id.len <= CAPABILITY_OPERATOR_MAX &&
           s->record.len <= CAPABILITY_BYTES_MAX;
}

/* Copies the plain fields of @from, which were read, to @p. */
static void take_fields(struct book_peer *p, const struct book_peer *from)
{
    p->source = from->source;
    p->group = from->group;
    p->source_group = from->source_group;
    p->added_s = from->added_s;
    p->heard_s = from->heard_s;
    p->seen_s = from->seen_s;
    p->reached_s = from->reached_s;
    p->good_since_s = from->good_since_s;
    p->tried_s = from->tried_s;
    p->fail_since_s = from->fail_since_s;
    p->failures = from->failures;
    p->quality = from->quality;
    p->addr_count = from->addr_count;
    p->seq = from->seq;
    p->expires_s = from->expires_s;
    p->storage_offer = from->storage_offer;
    p->storage_free = from->storage_free;
    p->record_reach = from->record_reach;
}

static enum err settle_loaded(struct book *b, struct book_peer *p,
                              uint8_t flags)
{
    if (!book_addrs_check(p) || p->addr_count == 0)
        return E_CORRUPT;
    if (p->manual && b->manual_count > BOOK_MANUAL_MAX)
        return E_LIMIT;
    if (b->peers.count > b->peers_max)
        return E_LIMIT;
    enum err err = book_place(b, p, (flags & FLAG_TRIED) != 0, p->quality.at_s);
    if (err == OK)
        book_set_anchor(b, p, (flags & FLAG_ANCHOR) != 0);
    return err;
}

static enum err load_peer(struct book *b, const struct peer_id *id,
                          const struct stored *s)
{
    if (book_find(b, id) != NULL)
        return E_EXISTS;
    struct book_peer *p = book_peer_new(b, id);
    take_fields(p, &s->peer);
    p->manual = (s->flags & FLAG_MANUAL) != 0;
    p->reached = (s->flags & FLAG_REACHED) != 0;
    p->has_storage = (s->flags & FLAG_STORAGE) != 0;
    b->manual_count += p->manual ? 1 : 0;
    p->addrs_len = (uint16_t)s->addrs.len;
    p->addrs = mem_dup(s->addrs.p, s->addrs.len);
    book_set_record_bytes(b, p, s->operator_id, s->record);
    p->is_stored = true;
    enum err err = settle_loaded(b, p, s->flags);
    if (err != OK) {
        /* What is of no use here is removed there. */
        book_peer_free(b, p);
        return err;
    }
    list_remove(&p->dirty);
    return OK;
}

static enum err load_salt(struct book *b, struct bytes value)
{
    uint8_t salt[sizeof(b->salt)] = {0};
    struct rd r = rd_init(value);
    uint8_t version = rd_u8(&r);
    if (version > VERSION)
        return E_UNSUPPORTED;
    rd_copy(&r, salt, sizeof(salt), sizeof(salt));
    if (rd_finish(&r) != OK || version != VERSION)
        return E_CORRUPT;
    if (b->peers.count > 0)
        return E_EXISTS;
    memcpy(b->salt, salt, sizeof(salt));
    b->salt_dirty = false;
    return OK;
}

enum err book_load(struct book *b, struct bytes key, struct bytes value)
{
    struct rd k = rd_init(key);
    uint8_t tag = rd_u8(&k);
    if (tag == KEY_SALT && rd_finish(&k) == OK)
        return load_salt(b, value);
    struct peer_id id;
    if (tag != KEY_PEER || peer_id_decode(rd_rest(&k), &id) != OK)
        return E_CORRUPT;

    struct stored s;
    memset(&s, 0, sizeof(s));
    struct rd r = rd_init(value);
    uint8_t version = rd_u8(&r);
    if (version > VERSION)
        return E_UNSUPPORTED;
    read_peer(&r, &s);
    if (rd_finish(&r) != OK || version != VERSION || !is_sane(&s))
        return E_CORRUPT;
    return load_peer(b, &id, &s);
}
