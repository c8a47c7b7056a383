#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "kad/kad_priv.h"
#include "multiformats/pb.h"

static struct bytes id_bytes(const uint64_t *id)
{
    return (struct bytes){.p = (const uint8_t *)id, .len = sizeof(*id)};
}

static struct kadp_request *request_get(const struct kad *k, uint64_t id)
{
    struct map_node *node = map_get(&k->requests, id_bytes(&id));

    return node == NULL ? NULL : container_of(node, struct kadp_request, node);
}

bool kadp_is_asked(const struct kad *k, const struct peer_id *peer)
{
    map_for_each (node, &k->requests) {
        const struct kadp_request *r =
            container_of(node, struct kadp_request, node);
        if (r->reply_max > 0 && peer_id_eq(&r->peer, peer))
            return true;
    }
    return false;
}

struct buf *kadp_encode_ask(enum kad_type type, struct bytes key)
{
    struct kad_message_out m = {.type = type, .key = key};

    return kad_message_encode(&m, KAD_REQUEST_BYTES_MAX);
}

struct buf *kadp_encode_put(struct bytes key, struct bytes value)
{
    struct kad_message_out m = {.type = KAD_PUT_VALUE,
                                .key = key,
                                .has_record = true,
                                .record_key = key,
                                .record_value = value};

    return kad_message_encode(&m, KAD_REQUEST_BYTES_MAX);
}

struct buf *kadp_encode_provider(const struct kad *k, struct bytes key,
                                 enum ma_class over)
{
    struct kad_peer_out self = {.id = k->config.self, .addrs = &k->own[over]};
    struct kad_message_out m = {.type = KAD_ADD_PROVIDER,
                                .key = key,
                                .providers = &self,
                                .providers_count = 1};

    return kad_message_encode(&m, KAD_REQUEST_BYTES_MAX);
}

struct buf *kadp_encode_providers(const struct kad *k, struct bytes hashes,
                                  enum ma_class over, size_t *ret_len,
                                  uint32_t *ret_count)
{
    struct kad_peer_out self = {.id = k->config.self, .addrs = &k->own[over]};
    size_t begin = 1 + (size_t)hashes.p[0];
    struct kad_message_out m = {.type = KAD_ADD_PROVIDER,
                                .key = bytes_sub(hashes, 1, begin - 1),
                                .providers = &self,
                                .providers_count = 1};
    size_t room = KAD_REQUEST_BYTES_MAX - kad_message_len(&m);
    size_t end = begin;
    uint32_t more = 0;

    while (k->config.scope == KAD_OWN && end < hashes.len &&
           more < KAD_MESSAGE_MORE_KEYS_MAX) {
        size_t len = hashes.p[end];
        size_t need = pb_bytes_len(KAD_MORE_KEYS, len);
        if (need > room)
            break;
        room -= need;
        end += 1 + len;
        more++;
    }
    m.more_keys = bytes_sub(hashes, begin, end - begin);
    *ret_len = end;
    *ret_count = 1 + more;
    return kad_message_encode(&m, KAD_REQUEST_BYTES_MAX);
}

static size_t reply_max_of(enum kad_type type)
{
    switch (type) {
    case KAD_GET_PROVIDERS:
        return KAD_PROVIDERS_REPLY_BYTES_MAX;
    case KAD_ADD_PROVIDER:
        return 0;
    case KAD_PUT_VALUE:
    case KAD_GET_VALUE:
    case KAD_FIND_NODE:
    case KAD_PING:
        break;
    }
    return KAD_REPLY_BYTES_MAX;
}

struct kadp_request *kadp_send(struct kad *k, struct kadp_query *query,
                               const struct kadp_send *send, struct mtime now)
{
    struct kadp_request *r = mem_zalloc(1, sizeof(*r));
    struct kadp_out *o = kadp_emit(k, KAD_SEND);

    r->id = kadp_id(k);
    r->number = KAD_LOOKUP_NO_PEER;
    r->records = 1;
    r->type = send->type;
    r->peer = *send->peer;
    r->reply_max = reply_max_of(send->type);
    r->sent_at = now;
    r->query = query;
    r->out = o;
    list_init(&r->of_query);
    list_add_tail(&k->fresh, &r->age);
    map_put(&k->requests, &r->node, id_bytes(&r->id));
    k->stats.messages_out++;
    k->stats.bytes_out += send->bytes->len;
    if (query != NULL) {
        list_add_tail(&query->requests, &r->of_query);
        query->requests_count++;
        query->stats.messages++;
        query->stats.bytes_out += send->bytes->len;
    }
    o->request = r;
    o->message = r->id;
    o->query = query == NULL || query->upkeep ? 0 : query->id;
    o->peer = *send->peer;
    o->addrs = kad_addrs_ref(send->addrs);
    o->bytes = send->bytes;
    o->reply_max = r->reply_max;
    return r;
}

struct kadp_request *kadp_send_check(struct kad *k, const struct peer_id *peer,
                                     const struct kad_addrs *addrs,
                                     struct mtime now)
{
    struct kadp_send send = {
        .peer = peer,
        .addrs = addrs,
        .bytes = kadp_encode_ask(KAD_FIND_NODE, peer_id_bytes(peer)),
        .type = KAD_FIND_NODE};

    return kadp_send(k, NULL, &send, now);
}

static void leave_query(struct kadp_request *r)
{
    if (r->query == NULL)
        return;
    list_remove(&r->of_query);
    r->query->requests_count--;
    r->query = NULL;
}

/* Forgets the request; what it was sent for is the caller's matter. */
static void request_free(struct kad *k, struct kadp_request *r)
{
    leave_query(r);
    list_remove(&r->age);
    map_remove(&k->requests, &r->node);
    k->checks_count -= r->check;
    k->pings_count -= r->ping;
    if (r->out != NULL) {
        list_remove(&r->out->link);
        kad_addrs_release(&r->out->addrs);
        buf_unref(r->out->bytes);
        mem_free(r->out);
    }
    mem_free(r);
}

void kadp_orphan(struct kad *k, struct kadp_query *q)
{
    list_for_each_safe (link, &q->requests) {
        struct kadp_request *r =
            container_of(link, struct kadp_request, of_query);
        if (r->out != NULL)
            request_free(k, r);
        else
            leave_query(r);
    }
}

void kadp_requests_release(struct kad *k)
{
    struct map_node *node = map_first(&k->requests);

    while (node != NULL) {
        request_free(k, container_of(node, struct kadp_request, node));
        node = map_first(&k->requests);
    }
}

/* Failures of our own say nothing about the peer. */
static bool is_own_failure(enum err err)
{
    return err == E_AGAIN || err == E_CANCELED || err == E_NOSPACE;
}

static void fail(struct kad *k, struct kadp_request *r, enum err err,
                 struct mtime now)
{
    struct kadp_request copy = *r;
    bool check = r->check;

    k->stats.failures++;
    k->stats.bad_answers += err_is_peer_fault(err);
    if (r->query != NULL)
        r->query->stats.failures++;
    request_free(k, r);
    if (!is_own_failure(err))
        kadp_unreachable(k, &copy.peer, now);
    if (copy.query != NULL)
        kadp_query_failed(k, &copy, err, now);
    if (check)
        kadp_run_checks(k, now);
}

/* Whether @message is an answer to @r. */
static enum err read_answer(const struct kadp_request *r, struct bytes reply,
                            struct kad_message *ret_message)
{
    if (reply.len > r->reply_max)
        return E_LIMIT;
    enum err err = kad_message_decode(reply, ret_message);
    if (err != OK)
        return err;
    return ret_message->type == r->type ? OK : E_MISMATCH;
}

enum err kad_on_reply(struct kad *k, uint64_t message,
                      const struct multiaddr *remote, struct bytes reply,
                      struct mtime now)
{
    struct kadp_request *r = request_get(k, message);
    struct kad_message m;

    k->now = now;
    k->stats.bytes_in += reply.len;
    if (r == NULL)
        return E_NOTFOUND;
    if (r->query != NULL)
        r->query->stats.bytes_in += reply.len;
    enum err err = read_answer(r, reply, &m);
    if (err != OK) {
        fail(k, r, err, now);
        return err;
    }
    struct kadp_request copy = *r;
    k->stats.answers_in++;
    if (r->query != NULL)
        r->query->stats.answers++;
    request_free(k, r);
    kadp_answered(k, &copy.peer, m.closer_count, now);
    if (copy.query != NULL)
        kadp_query_answer(k, &copy, &m, kadp_class(remote), now);
    kadp_run_checks(k, now);
    return OK;
}

void kad_on_sent(struct kad *k, uint64_t message, struct mtime now)
{
    struct kadp_request *r = request_get(k, message);
    static const struct kad_message none = {.type = KAD_ADD_PROVIDER};

    k->now = now;
    if (r == NULL || r->reply_max > 0)
        return;
    struct kadp_request copy = *r;
    if (r->query != NULL)
        r->query->stats.answers++;
    request_free(k, r);
    if (copy.query != NULL)
        kadp_query_answer(k, &copy, &none, MA_CLASS_PUBLIC, now);
}

void kad_on_failed(struct kad *k, uint64_t message, enum err err,
                   struct mtime now)
{
    struct kadp_request *r = request_get(k, message);

    k->now = now;
    if (r != NULL)
        fail(k, r, err, now);
}

static struct kadp_request *oldest(const struct list *list)
{
    return list_empty(list)
               ? NULL
               : container_of(list_first(list), struct kadp_request, age);
}

static void make_slow(struct kad *k, struct kadp_request *r, struct mtime now)
{
    list_remove(&r->age);
    list_add_tail(&k->slow, &r->age);
    if (r->query == NULL || r->number == KAD_LOOKUP_NO_PEER ||
        r->query->storing)
        return;
    kad_lookup_slow(&r->query->lookup, r->number);
    kadp_advance(k, r->query, now);
}

static void time_out(struct kad *k, struct kadp_request *r, struct mtime now)
{
    if (r->out == NULL) {
        struct kadp_out *o = kadp_emit(k, KAD_DROP);
        o->message = r->id;
        o->peer = r->peer;
    }
    fail(k, r, E_TIMEOUT, now);
}

void kadp_requests_on_time(struct kad *k, struct mtime now)
{
    struct kadp_request *r = oldest(&k->fresh);

    while (r != NULL &&
           mtime_reached(now, mtime_add_ms(r->sent_at, KADP_SLOW_MS))) {
        make_slow(k, r, now);
        r = oldest(&k->fresh);
    }
    r = oldest(&k->slow);
    while (r != NULL &&
           mtime_reached(now, mtime_add_ms(r->sent_at, KAD_TIMEOUT_MS))) {
        time_out(k, r, now);
        r = oldest(&k->slow);
    }
}

struct mtime kadp_requests_deadline(const struct kad *k)
{
    const struct kadp_request *fresh = oldest(&k->fresh);
    const struct kadp_request *slow = oldest(&k->slow);
    struct mtime t = MTIME_NEVER;

    if (fresh != NULL)
        t = mtime_min(t, mtime_add_ms(fresh->sent_at, KADP_SLOW_MS));
    if (slow != NULL)
        t = mtime_min(t, mtime_add_ms(slow->sent_at, KAD_TIMEOUT_MS));
    return t;
}
