#include <string.h>

#include "base/mem.h"
#include "discovery/discovery_priv.h"

enum {
    FAULT_RECORD = 20,
    FAULT_NETWORK = 5,
    CHECK_MIN_MS = 300, /* before a peer that came is dialled back */
    CHECK_SPREAD_MS = 2000,
    BYTES_BESIDE = 1024, /* of a PEERS message, beside records */
    SPARES_MAX = 512,
    SPARES_MS = 60 * 60 * 1000,
};

/* A record is known when one of its number or a later one is kept; one that
 * comes from the peer itself counts even then, if its bytes are others. */
static bool is_known(const struct book_peer *p, uint64_t seq,
                     struct bytes bytes, bool direct)
{
    if (p == NULL || p->seq < seq)
        return false;
    if (p->seq > seq)
        return true;
    return !direct || bytes_eq(book_record(p), bytes);
}

/* Whether a record that could not be opened is the sender's fault. */
static uint32_t severity_of(enum err err)
{
    if (err == E_REFUSED)
        return FAULT_NETWORK;
    if (err == E_TIMEOUT || err == E_AGAIN || err == E_UNSUPPORTED)
        return 0;
    return FAULT_RECORD;
}

/* The peer of @c in the book, entered if it is not there. */
static struct book_peer *enter(struct discovery *d, const struct link *l,
                               const struct capability *c, bool direct,
                               uint64_t unix_s)
{
    struct multiaddr addrs[CAPABILITY_ADDRS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < c->addr_count; i++) {
        if (reach_may_pass(reach_of(&c->addrs[i]), l->reach))
            addrs[count++] = c->addrs[i];
    }
    struct book_heard heard = {
        .peer = &c->peer,
        .addrs = addrs,
        .count = count,
        .source = direct ? BOOK_INBOUND : BOOK_EXCHANGE,
        .source_group = l->group,
    };
    struct book_peer *p = NULL;
    if (book_hear(&d->book, &heard, unix_s, &p) != OK)
        return NULL;
    if (direct)
        p->quality = l->quality;
    discovery_wake_dial(d, (struct mtime){0});
    return p;
}

/* What a peer that tells of itself is to us, beside its record. */
static void note_direct(struct discovery *d, struct link *l,
                        struct book_peer *p, struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    if (l->outbound && !p->reached)
        book_reached(&d->book, p, &l->addr, unix_s);
    else
        book_seen(&d->book, p, unix_s);
    if (p->reached || l->check_at.ns != MTIME_NEVER.ns)
        return;
    uint32_t wait_ms = CHECK_MIN_MS + discovery_chance(d, CHECK_SPREAD_MS);
    l->check_at = mtime_add_ms(now, wait_ms);
    discovery_wake_links(d, l->check_at);
}

/* False when there is no room for it. */
static bool keep(struct discovery *d, struct link *l,
                 const struct capability *c, struct bytes bytes, bool direct,
                 struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    struct book_peer *p = book_find(&d->book, &c->peer);
    if (p == NULL)
        p = enter(d, l, c, direct, unix_s);
    if (p == NULL ||
        book_put_record(&d->book, p, c, bytes, l->reach, unix_s) != OK)
        return false;
    d->counts.records_in++;
    if (direct)
        note_direct(d, l, p, now);
    discovery_note_change(d);
    return true;
}

/*
 * Records that were good but found no room come again and again, from each who
 * is asked: their hashes are kept for a while, so that signatures are checked
 * once.  The hash has a secret key: nobody finds two records that have one.
 */
static uint64_t *spare_of(struct discovery *d, struct bytes bytes,
                          uint64_t *ret_hash)
{
    uint64_t hash = siphash13(d->seed, bytes);
    if (d->spares == NULL)
        d->spares = mem_zalloc(SPARES_MAX, sizeof(d->spares[0]));
    *ret_hash = hash;
    return &d->spares[hash % SPARES_MAX];
}

static bool is_spare(struct discovery *d, struct bytes bytes, struct mtime now)
{
    uint64_t hash;
    if (d->spares == NULL)
        return false;
    if (mtime_ms_since(d->spares_at, now) >= SPARES_MS) {
        mem_free(d->spares);
        d->spares = NULL;
        return false;
    }
    return *spare_of(d, bytes, &hash) == hash;
}

static void note_spare(struct discovery *d, struct bytes bytes,
                       struct mtime now)
{
    uint64_t hash;
    if (d->spares == NULL)
        d->spares_at = now;
    uint64_t *place = spare_of(d, bytes, &hash);
    *place = hash;
}

bool discovery_take_record(struct discovery *d, struct link *l,
                           struct bytes bytes, bool direct, struct mtime now)
{
    struct peer_id peer;
    uint64_t seq;
    struct capability c;
    uint64_t unix_s = discovery_unix_s(d, now);

    enum err err = capability_peek(bytes, &peer, &seq);
    if (err == E_UNSUPPORTED)
        return true;
    if (err != OK || (direct && !peer_id_eq(&peer, &l->peer))) {
        d->counts.records_bad++;
        discovery_fault(d, l, FAULT_RECORD, now);
        return false;
    }
    if (peer_id_eq(&peer, &d->self_id) ||
        bans_refuse(&d->bans, &peer, NULL, unix_s))
        return true;
    struct book_peer *p = book_find(&d->book, &peer);
    if (is_known(p, seq, bytes, direct)) {
        if (direct)
            note_direct(d, l, p, now);
        return true;
    }
    if (!direct && is_spare(d, bytes, now))
        return true;
    d->counts.records_checked++;
    err = capability_open(bytes, bytes_str(d->network), unix_s, &c);
    if (err == OK) {
        if (!keep(d, l, &c, bytes, direct, now))
            note_spare(d, bytes, now);
        return true;
    }
    uint32_t severity = severity_of(err);
    if (severity == 0)
        return true;
    d->counts.records_bad++;
    discovery_fault(d, l, severity, now);
    return severity < FAULT_RECORD;
}

/*
 * What was read from disk was not checked since; others would blame us for a
 * record that was damaged there.
 */
static bool is_checked(struct discovery *d, struct book_peer *p,
                       uint64_t unix_s)
{
    struct capability c;
    if (p->record_checked)
        return true;
    enum err err =
        capability_open(book_record(p), bytes_str(d->network), unix_s, &c);
    if (err == OK && peer_id_eq(&c.peer, &p->id)) {
        p->record_checked = true;
        return true;
    }
    if (err != E_AGAIN)
        book_drop_record(&d->book, p);
    return false;
}

static bool may_tell(const struct book_peer *p, const struct link *l,
                     uint64_t unix_s)
{
    return p->record_len > 0 && p->reached && p->expires_s > unix_s &&
           !book_is_dead(p, unix_s) &&
           reach_may_pass((enum reach)p->record_reach, l->reach) &&
           !peer_id_eq(&p->id, &l->peer);
}

/* Each of those that may be told is in the answer with the same chance. */
void discovery_pick_records(struct discovery *d, const struct link *l,
                            uint32_t max, struct peers_message *m,
                            struct mtime now)
{
    uint64_t unix_s = discovery_unix_s(d, now);
    struct book_peer *picked[PEERS_RECORDS_MAX];
    uint32_t seen = 0;
    size_t room = (size_t)PEERS_MESSAGE_BYTES_MAX - BYTES_BESIDE;

    for (struct book_peer *p = book_next(&d->book, NULL); p != NULL;
         p = book_next(&d->book, p)) {
        if (!may_tell(p, l, unix_s))
            continue;
        uint32_t at = seen < max ? seen : discovery_chance(d, seen + 1);
        if (at < max)
            picked[at] = p;
        seen++;
    }
    for (uint32_t i = 0; i < seen && i < max; i++) {
        if (!is_checked(d, picked[i], unix_s))
            continue;
        struct bytes record = book_record(picked[i]);
        if (record.len + 3 > room)
            break;
        room -= record.len + 3;
        m->records[m->record_count++] = record;
    }
}
