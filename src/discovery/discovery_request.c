#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "discovery/book_priv.h"
#include "discovery/discovery_priv.h"

enum {
    REQUEST_BURST = 16, /* of one peer */
    REQUEST_EACH_MS = 4 * 1000,
    PROBE_BURST = 2,
    PROBE_EACH_MS = 30 * 1000,
    FAULT_RATE = 2,
    FAULT_MESSAGE = 10,
    FAULT_RECORDS = 20,
    HELLO_AGAIN_MS = 60 * 1000,
    HELLO_TRIES = 3,
    CHECK_AGAIN_MS = 10 * 60 * 1000,
    CHECK_TRIES = 6,
    FEW_TARGETS = 4,     /* few peers are known: times the outbound target */
    ENOUGH_TARGETS = 16, /* while places are to be filled */
    SOME_TARGETS = 32,
    ASK_FEW = 16, /* records, where the book is well filled */
};

/* Requests of ours. -------------------------------------------------------- */

static struct request *send(struct discovery *d, const struct peer_id *peer,
                            const struct peers_message *m, struct mtime now)
{
    if (d->request_count >= REQUESTS_MAX)
        return NULL;
    struct request *q = mem_zalloc(1, sizeof(*q));
    q->id = ++d->last_id;
    q->peer = *peer;
    q->kind = m->kind;
    q->max = m->max;
    q->deadline = mtime_add_ms(now, DISCOVERY_REQUEST_MS);
    list_add_tail(&d->requests, &q->link);
    d->request_count++;
    struct discovery_out *out = discovery_push(d, DISCOVERY_REQUEST);
    out->id = q->id;
    out->peer = *peer;
    discovery_push_message(d, out, m);
    return q;
}

static void drop(struct discovery *d, struct request *q)
{
    list_remove(&q->link);
    d->request_count--;
    mem_free(q);
}

void discovery_send_hello(struct discovery *d, struct link *l, struct mtime now)
{
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_HELLO;
    m.record = discovery_self_record(d, l->reach, now);
    l->hello_at = MTIME_NEVER;
    if (send(d, &l->peer, &m, now) != NULL)
        return;
    l->hello_at = mtime_add_ms(now, HELLO_AGAIN_MS);
    discovery_wake_links(d, l->hello_at);
}

void discovery_send_ask(struct discovery *d, struct link *l, struct mtime now)
{
    struct peers_message m;
    if (d->told_only)
        return;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_ASK;
    size_t some = (size_t)d->outbound_target * SOME_TARGETS;
    bool few = d->book.peers.count < some &&
               d->book.peers.count < d->book.peers_max / 2;
    m.max = few ? PEERS_RECORDS_MAX : ASK_FEW;
    (void)send(d, &l->peer, &m, now); /* too many: in the next round */
}

/* NOLINTNEXTLINE(readability-function-size): who, and all of a dial. */
enum err discovery_probe(struct discovery *d, const struct peer_id *via,
                         const struct peer_id *peer,
                         const struct multiaddr *addrs, size_t count,
                         void *owner, struct mtime now)
{
    struct peers_message m;
    const struct link *l = discovery_link(d, via);
    if (l == NULL || l->member != MEMBER_YES)
        return E_NOTFOUND;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_PROBE;
    m.peer = *peer;
    for (size_t i = 0; i < count && m.addr_count < PEERS_ADDRS_MAX; i++) {
        if (addrs[i].len > 0 && addrs[i].len <= CAPABILITY_ADDR_BYTES_MAX &&
            reach_may_pass(reach_of(&addrs[i]), l->reach))
            m.addrs[m.addr_count++] = addrs[i];
    }
    struct request *q = send(d, via, &m, now);
    if (q == NULL)
        return E_LIMIT;
    q->owner = owner;
    return OK;
}

/* Answers to us. ----------------------------------------------------------- */

bool discovery_knows_few(const struct discovery *d)
{
    return d->book.peers.count < (size_t)d->outbound_target * FEW_TARGETS;
}

/* Most of those that are known may be full: more are wanted while places are
 * not filled. */
static bool wants_more(const struct discovery *d)
{
    return discovery_knows_few(d) ||
           (discovery_outbound_count(d) < d->outbound_target &&
            d->book.peers.count < (size_t)d->outbound_target * ENOUGH_TARGETS);
}

/*
 * While few peers are known, one that was met is asked at once and a few times
 * more, since it may be as new to the network as we are.
 */
void discovery_ask_met(struct discovery *d, struct link *l, struct mtime now)
{
    static const uint32_t wait_ms[] = {2500, 7500, 20 * 1000, 60 * 1000};
    l->ask_at = MTIME_NEVER;
    if (!wants_more(d))
        return;
    discovery_send_ask(d, l, now);
    if (l->asks == countof(wait_ms))
        return;
    l->ask_at = mtime_add_ms(now, discovery_jitter(d, wait_ms[l->asks]));
    l->asks++;
    discovery_wake_links(d, l->ask_at);
}

static void take_hello(struct discovery *d, struct link *l,
                       const struct peers_message *m, struct mtime now)
{
    l->hello_fails = 0;
    l->greeted = true;
    if (m->record.len > 0)
        (void)discovery_take_record(d, l, m->record, true, now); /* or fault */
    if (!l->closing && l->asks == 0)
        discovery_ask_met(d, l, now);
}

static void take_peers(struct discovery *d, struct link *l, uint32_t max,
                       const struct peers_message *m, struct mtime now)
{
    if (m->record_count > max) {
        discovery_fault(d, l, FAULT_RECORDS, now);
        return;
    }
    for (size_t i = 0; i < m->record_count; i++) {
        if (!discovery_take_record(d, l, m->records[i], false, now))
            return;
    }
}

/* @m: the answer; NULL when @err tells why there is none. */
static void probed(struct discovery *d, const struct request *q, enum err err,
                   const struct peers_message *m)
{
    struct discovery_out *out = discovery_push(d, DISCOVERY_PROBED);
    out->peer = q->peer;
    out->owner = q->owner;
    out->err = err;
    if (m == NULL)
        return;
    out->outcome = m->outcome;
    out->elapsed_ms = m->elapsed_ms;
    if (m->addr.len > 0) {
        out->addrs[0] = m->addr;
        out->addr_count = 1;
    }
}

static void failed(struct discovery *d, const struct request *q, enum err err,
                   struct mtime now)
{
    struct link *l = discovery_link(d, &q->peer);
    if (q->kind == PEERS_PROBE)
        probed(d, q, err, NULL);
    if (l == NULL || err == E_CANCELED)
        return;
    if (q->kind == PEERS_HELLO && ++l->hello_fails < HELLO_TRIES) {
        l->hello_at = mtime_add_ms(now, HELLO_AGAIN_MS);
        discovery_wake_links(d, l->hello_at);
    }
    if (err_is_peer_fault(err) && err != E_UNSUPPORTED)
        discovery_fault(d, l, FAULT_MESSAGE, now);
    discovery_event(d, &q->peer, QUALITY_UNANSWERED, 0, now);
}

static bool is_answer_to(enum peers_kind answer, enum peers_kind request)
{
    switch (request) {
    case PEERS_HELLO:
        return answer == PEERS_HELLO;
    case PEERS_ASK:
        return answer == PEERS_PEERS;
    case PEERS_PROBE:
        return answer == PEERS_RESULT;
    case PEERS_PEERS:
    case PEERS_RESULT:
        break;
    }
    return false;
}

static void answered(struct discovery *d, const struct request *q,
                     const struct peers_message *m, struct mtime now)
{
    struct link *l = discovery_link(d, &q->peer);
    if (q->kind == PEERS_PROBE)
        probed(d, q, OK, m);
    if (l == NULL)
        return;
    discovery_event(d, &q->peer, QUALITY_ANSWERED, 0, now);
    if (q->kind == PEERS_HELLO)
        take_hello(d, l, m, now);
    else if (q->kind == PEERS_ASK)
        take_peers(d, l, q->max, m, now);
}

void discovery_on_answer(struct discovery *d, uint64_t id, enum err err,
                         struct bytes in, struct mtime now)
{
    struct request *q = NULL;
    struct peers_message m;
    list_for_each (it, &d->requests) {
        q = container_of(it, struct request, link);
        if (q->id == id)
            break;
        q = NULL;
    }
    if (q == NULL)
        return;
    struct request done = *q;
    drop(d, q);
    if (err == OK)
        err = peers_message_decode(in, &m);
    if (err == OK && !is_answer_to(m.kind, done.kind))
        err = E_MALFORMED;
    if (err == OK)
        answered(d, &done, &m, now);
    else
        failed(d, &done, err, now);
}

/* Requests of others. ------------------------------------------------------ */

static void reply(struct discovery *d, const struct peer_id *peer, uint64_t id,
                  const struct peers_message *m)
{
    struct discovery_out *out = discovery_push(d, DISCOVERY_REPLY);
    out->id = id;
    out->peer = *peer;
    discovery_push_message(d, out, m);
}

static void reply_result(struct discovery *d, const struct peer_id *peer,
                         uint64_t id, enum peers_outcome outcome,
                         const struct multiaddr *addr, uint64_t elapsed_ms)
{
    struct peers_message m;
    memset(&m, 0, sizeof(m));
    m.kind = PEERS_RESULT;
    m.outcome = outcome;
    m.elapsed_ms = elapsed_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)elapsed_ms;
    if (addr != NULL && addr->len <= CAPABILITY_ADDR_BYTES_MAX)
        m.addr = *addr;
    reply(d, peer, id, &m);
}

static struct probe *begin_probe(struct discovery *d,
                                 const struct peer_id *peer,
                                 const struct multiaddr *addrs, size_t count,
                                 struct mtime now)
{
    struct probe *p = mem_zalloc(1, sizeof(*p));
    p->id = ++d->last_id;
    p->peer = *peer;
    p->begun = now;
    p->deadline = mtime_add_ms(now, DISCOVERY_PROBE_MS);
    list_add_tail(&d->probes, &p->link);
    struct discovery_out *out = discovery_push(d, DISCOVERY_PROBE);
    out->id = p->id;
    out->peer = *peer;
    memcpy(out->addrs, addrs, count * sizeof(addrs[0]));
    out->addr_count = count;
    return p;
}

static bool same_host(const struct multiaddr *a, const struct multiaddr *b)
{
    struct ma_ip x;
    struct ma_ip y;
    return multiaddr_get_ip(a, &x) == OK && multiaddr_get_ip(b, &y) == OK &&
           x.len == y.len && memcmp(x.bytes, y.bytes, x.len) == 0;
}

/*
 * Where a probe may dial: the asker at the host that it is connected from,
 * anybody else where we know him to be.  So nobody makes us dial a stranger.
 */
static size_t probe_addrs(struct discovery *d, const struct link *l,
                          const struct peers_message *m,
                          struct multiaddr dst[static BOOK_ADDRS_MAX])
{
    size_t kept = 0;
    if (peer_id_eq(&m->peer, &l->peer)) {
        for (size_t i = 0; i < m->addr_count; i++) {
            dst[kept] = m->addrs[i];
            kept += same_host(&dst[kept], &l->addr) &&
                    book_addr_clean(&m->peer, &dst[kept]);
        }
        return kept;
    }
    const struct book_peer *p = book_find(&d->book, &m->peer);
    if (p == NULL)
        return 0;
    struct multiaddr all[BOOK_ADDRS_MAX];
    size_t count = book_addrs(p, all);
    for (size_t i = 0; i < count; i++) {
        if (reach_may_pass(reach_of(&all[i]), l->reach))
            dst[kept++] = all[i];
    }
    return kept;
}

static void on_probe(struct discovery *d, struct link *l, uint64_t id,
                     const struct peers_message *m, struct mtime now)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    const struct link *other = discovery_link(d, &m->peer);

    if (!discovery_take(&l->probes, PROBE_BURST, PROBE_EACH_MS, now) ||
        d->probe_count >= PROBES_MAX ||
        bans_refuse(&d->bans, &m->peer, NULL, discovery_unix_s(d, now))) {
        reply_result(d, &l->peer, id, PEERS_REFUSED, NULL, 0);
        return;
    }
    if (other != NULL && other != l && other->outbound &&
        reach_may_pass(other->reach, l->reach)) {
        reply_result(d, &l->peer, id, PEERS_REACHED, &other->addr, 0);
        return;
    }
    size_t count = probe_addrs(d, l, m, addrs);
    if (count == 0 || peer_id_eq(&m->peer, &d->self_id)) {
        reply_result(d, &l->peer, id, PEERS_UNKNOWN, NULL, 0);
        return;
    }
    struct probe *p = begin_probe(d, &m->peer, addrs, count, now);
    p->request = id;
    p->from = l->peer;
    d->probe_count++;
}

static void reset(struct discovery *d, const struct peer_id *peer, uint64_t id)
{
    struct discovery_out *out = discovery_push(d, DISCOVERY_RESET);
    out->id = id;
    out->peer = *peer;
}

static void on_hello(struct discovery *d, struct link *l, uint64_t id,
                     const struct peers_message *m, struct mtime now)
{
    struct peers_message answer;
    memset(&answer, 0, sizeof(answer));
    answer.kind = PEERS_HELLO;
    answer.record = discovery_self_record(d, l->reach, now);
    reply(d, &l->peer, id, &answer);
    /* Each has the other's record then: ours need not be sent once more. */
    l->member = MEMBER_YES;
    l->hello_at = MTIME_NEVER;
    take_hello(d, l, m, now);
}

static void on_ask(struct discovery *d, struct link *l, uint64_t id,
                   const struct peers_message *m, struct mtime now)
{
    struct peers_message answer;
    memset(&answer, 0, sizeof(answer));
    answer.kind = PEERS_PEERS;
    discovery_pick_records(d, l, m->max, &answer, now);
    reply(d, &l->peer, id, &answer);
    l->told = answer.record_count > 0;
    discovery_trim_soon(d, now);
}

void discovery_on_request(struct discovery *d, const struct peer_id *peer,
                          uint64_t request, struct bytes in, struct mtime now)
{
    struct peers_message m;
    struct link *l = discovery_link(d, peer);

    if (l == NULL || l->closing || !d->running) {
        reset(d, peer, request);
        return;
    }
    if (!discovery_take(&l->requests, REQUEST_BURST, REQUEST_EACH_MS, now)) {
        d->counts.requests_refused++;
        reset(d, peer, request);
        discovery_fault(d, l, FAULT_RATE, now);
        return;
    }
    enum err err = peers_message_decode(in, &m);
    if (err == OK && m.kind == PEERS_HELLO) {
        on_hello(d, l, request, &m, now);
    } else if (err == OK && m.kind == PEERS_ASK) {
        on_ask(d, l, request, &m, now);
    } else if (err == OK && m.kind == PEERS_PROBE) {
        on_probe(d, l, request, &m, now);
    } else {
        reset(d, peer, request);
        if (err != E_UNSUPPORTED)
            discovery_fault(d, l, FAULT_MESSAGE, now);
    }
}

/* Probes. ------------------------------------------------------------------ */

void discovery_send_check(struct discovery *d, struct link *l, struct mtime now)
{
    struct multiaddr addrs[BOOK_ADDRS_MAX];
    const struct book_peer *b = book_find(&d->book, &l->peer);
    l->check_at = MTIME_NEVER;
    if (b == NULL || b->reached)
        return;
    if (d->check_count >= CHECKS_MAX) {
        l->check_at = mtime_add_ms(now, MS_PER_S);
        discovery_wake_links(d, l->check_at);
        return;
    }
    size_t count = book_addrs(b, addrs);
    if (count == 0)
        return;
    struct probe *p = begin_probe(d, &l->peer, addrs, count, now);
    p->is_check = true;
    d->check_count++;
}

static void checked(struct discovery *d, const struct probe *p, enum err err,
                    const struct multiaddr *addr, struct mtime now)
{
    struct book_peer *b = book_find(&d->book, &p->peer);
    struct link *l = discovery_link(d, &p->peer);
    if (err == OK && b != NULL && addr != NULL) {
        book_reached(&d->book, b, addr, discovery_unix_s(d, now));
        discovery_note_change(d);
        return;
    }
    if (l == NULL || ++l->check_fails >= CHECK_TRIES)
        return;
    l->check_at = mtime_add_ms(now, discovery_jitter(d, CHECK_AGAIN_MS));
    discovery_wake_links(d, l->check_at);
}

static void end_probe(struct discovery *d, struct probe *p, enum err err,
                      const struct multiaddr *addr, struct mtime now)
{
    struct probe done = *p;
    list_remove(&p->link);
    mem_free(p);
    if (done.is_check) {
        d->check_count--;
        checked(d, &done, err, addr, now);
        return;
    }
    d->probe_count--;
    enum peers_outcome outcome = PEERS_REACHED;
    if (err != OK)
        outcome = err == E_MISMATCH ? PEERS_OTHER : PEERS_FAILED;
    reply_result(d, &done.from, done.request, outcome, err == OK ? addr : NULL,
                 mtime_ms_since(done.begun, now));
}

void discovery_on_probed(struct discovery *d, uint64_t id, enum err err,
                         const struct multiaddr *addr, struct mtime now)
{
    list_for_each (it, &d->probes) {
        struct probe *p = container_of(it, struct probe, link);
        if (p->id != id)
            continue;
        end_probe(d, p, err, addr, now);
        return;
    }
}

/* Time. -------------------------------------------------------------------- */

struct mtime discovery_request_deadline(const struct discovery *d)
{
    struct mtime at = MTIME_NEVER;
    /* Both are in the order of their deadlines. */
    if (!list_empty(&d->requests))
        at = mtime_min(
            at, container_of(list_first(&d->requests), struct request, link)
                    ->deadline);
    if (!list_empty(&d->probes))
        at = mtime_min(
            at,
            container_of(list_first(&d->probes), struct probe, link)->deadline);
    return at;
}

void discovery_request_on_time(struct discovery *d, struct mtime now)
{
    while (!list_empty(&d->requests)) {
        struct request *q =
            container_of(list_first(&d->requests), struct request, link);
        if (!mtime_reached(now, q->deadline))
            break;
        struct request done = *q;
        drop(d, q);
        failed(d, &done, E_TIMEOUT, now);
    }
    while (!list_empty(&d->probes)) {
        struct probe *p =
            container_of(list_first(&d->probes), struct probe, link);
        if (!mtime_reached(now, p->deadline))
            break;
        end_probe(d, p, E_TIMEOUT, NULL, now);
    }
}

void discovery_requests_drop(struct discovery *d, const struct peer_id *peer,
                             struct mtime now)
{
    list_for_each_safe (it, &d->requests) {
        struct request *q = container_of(it, struct request, link);
        if (!peer_id_eq(&q->peer, peer))
            continue;
        struct request done = *q;
        drop(d, q);
        failed(d, &done, E_CANCELED, now);
    }
}
