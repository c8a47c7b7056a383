/* POST /api/v1/objects/recover: what the network keeps for our key. */
#include <string.h>

#include "api/object_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/cid_set.h"
#include "multiformats/key.h"
#include "node/bringing.h"
#include "node/dht.h"
#include "node/finding.h"
#include "node/node.h"
#include "node/objects.h"
#include "node/peering.h"
#include "storage/record.h"
#include "store/store.h"

/*
 * In this order: the DHT tells who keeps for our key; they and all who are
 * connected are asked; for a moment receipts are waited for; then our objects
 * are listed, and where that is wanted each that is not pinned here is fetched
 * and pinned, one after the other.  All after the asking is done in
 * on_timer(), a little in each turn.
 */

enum {
    PEERS_MAX = 256,
    PAGE = 16,
    RECEIPTS_MS = 3000, /* holders are waited for */
    LOOK_MS = 100,
    TEXT_MAX = 100,
};

struct recover {
    struct request *q;
    bool get;
    uint32_t timeout_ms;
    struct dht_op find;
    struct peer_id peers[PEERS_MAX]; /* that hold objects of ours */
    size_t peers_count;
    struct objects_op op;
    struct objects_watcher watcher;
    struct mtime begun;
    bool asking;            /* or searching; else it is to begin */
    struct cid_set found;   /* roots that were not known before */
    struct cid_set covered; /* of these, those of which we have a receipt */
    struct timer timer;
    struct mtime wait_until; /* for receipts; 0: still asking */
    struct keeper_status *page;
    uint64_t at; /* id of the object that was looked at last */
    uint64_t listed;
    uint64_t total_bytes; /* of all that is to be fetched */
    bool fetching;
    struct keeper_status *status; /* of what is being fetched */
    struct bringing *bringing;
    struct mtime told_at; /* progress */
    uint64_t done_bytes;  /* without what is being fetched */
    uint64_t fetched;
    uint64_t failed;
};

static struct clock *clock_of(const struct recover *r)
{
    return node_env(r->q->node)->clock;
}

static void wake(struct recover *r, uint32_t after_ms)
{
    struct clock *clock = clock_of(r);

    clock->set(clock, &r->timer, mtime_add_ms(clock->now(clock), after_ms));
}

/* Fetching. */

static bool is_pinned(struct node *n, const struct cid *root)
{
    struct store_pin pin = {.kind = STORE_PIN_RECURSIVE, .cid = *root};

    return store_pin_get(node_store(n), &pin) == OK;
}

/* Ours, and not only here: what nobody else was asked to keep is no news. */
static bool is_kept(const struct keeper_status *s)
{
    bool only_here = s->copies_stored == 0 &&
                     (s->state == KEEPER_LOCAL || s->state == KEEPER_ANNOUNCED);

    return s->role == KEEPER_OWNER && s->state != KEEPER_RELEASING &&
           !only_here;
}

static json_t *json_result(const struct recover *r, bool fetched)
{
    json_t *v = json_pack("{s:o,s:b,s:I}", "root", json_cid(&r->status->root),
                          "fetched", (int)fetched, "bytes",
                          (json_int_t)bringing_bytes(r->bringing));

    if (r->status->name_len > 0)
        json_object_set_new(
            v, "name",
            json_text((struct bytes){r->status->name, r->status->name_len}));
    if (!fetched) {
        const struct fault *f = bringing_fault(r->bringing);
        json_object_set_new(v, "code", json_string(error_info(f->id)->code));
        json_object_set_new(v, "reason", json_string(f->text));
    }
    return v;
}

static void on_bytes(void *user, struct mtime now)
{
    struct recover *r = user;

    if (!mtime_reached(now, mtime_add_ms(r->told_at, PROGRESS_MS)) ||
        request_is_full(r->q))
        return;
    r->told_at = now;
    lines_progress(r->q, r->done_bytes + bringing_bytes(r->bringing),
                   r->total_bytes, "bytes");
}

static void on_brought(void *user, enum err err, struct mtime now)
{
    struct recover *r = user;

    (void)now;
    lines_json(r->q, json_result(r, err == OK));
    r->done_bytes += r->status->size_bytes;
    *(err == OK ? &r->fetched : &r->failed) += 1;
    bringing_free(r->bringing);
    r->bringing = NULL;
    wake(r, 0);
}

static void end_fetching(struct recover *r)
{
    struct strbuf text;

    lines_json(r->q,
               json_pack("{s:I,s:I,s:I}", "recovered", (json_int_t)r->listed,
                         "fetched", (json_int_t)r->fetched, "failed",
                         (json_int_t)r->failed));
    if (r->failed == 0) {
        lines_end(r->q);
        return;
    }
    strbuf_init(&text, TEXT_MAX);
    strbuf_u64(&text, r->failed);
    strbuf_str(&text, " of ");
    strbuf_u64(&text, r->failed + r->fetched);
    strbuf_str(&text, " objects could not be fetched");
    reply_error(r->q, ERROR_INCOMPLETE, strbuf_cstr(&text), NULL);
    strbuf_release(&text);
}

/* The next one that is not here. */
static void fetch_next(struct recover *r, struct mtime now)
{
    struct objects *o = node_objects(r->q->node);
    struct bringing_config config = {
        .timeout_ms = r->timeout_ms,
        .on_progress = on_bytes,
        .done = on_brought,
        .user = r,
    };

    for (size_t i = 0; i < PAGE; i++) {
        if (objects_list(o, r->at, r->status, 1) == 0) {
            end_fetching(r);
            return;
        }
        r->at = r->status->id;
        if (!is_kept(r->status) || is_pinned(r->q->node, &r->status->root))
            continue;
        config.status = r->status;
        r->bringing = bringing_new(r->q->node, &config, now);
        return;
    }
    wake(r, 0);
}

/* Listing. */

static void list_one(struct recover *r, const struct keeper_status *s)
{
    if (!is_kept(s))
        return;
    r->listed++;
    if (!is_pinned(r->q->node, &s->root))
        r->total_bytes += s->size_bytes;
    lines_json(r->q, json_object_status(r->q->node, s, false));
}

static void list_page(struct recover *r)
{
    struct objects *o = node_objects(r->q->node);
    size_t count = objects_list(o, r->at, r->page, PAGE);

    for (size_t i = 0; i < count; i++) {
        r->at = r->page[i].id;
        list_one(r, &r->page[i]);
    }
    if (count == PAGE || r->get) {
        r->fetching = count < PAGE;
        r->at = r->fetching ? 0 : r->at;
        wake(r, 0);
        return;
    }
    lines_json(r->q, json_pack("{s:I}", "recovered", (json_int_t)r->listed));
    lines_end(r->q);
}

static void search(struct recover *r, struct mtime now);

static void on_timer(struct timer *t, struct mtime now)
{
    struct recover *r = container_of(t, struct recover, timer);

    if (!r->asking)
        search(r, now);
    else if (r->covered.count < r->found.count &&
             !mtime_reached(now, r->wait_until))
        wake(r, LOOK_MS);
    else if (r->fetching)
        fetch_next(r, now);
    else
        list_page(r);
}

/* Asking. */

static void on_event(struct objects_watcher *w, const struct keeper_out *event,
                     struct mtime now)
{
    struct recover *r = container_of(w, struct recover, watcher);

    (void)now;
    if (event->event == KEEPER_EVENT_RECOVERED &&
        cid_set_add(&r->found, &event->root))
        lines_progress(r->q, r->found.count, 0, "objects");
    else if (event->event == KEEPER_EVENT_COPY &&
             cid_set_has(&r->found, &event->root))
        (void)cid_set_add(&r->covered, &event->root); /* it may be there */
}

static void on_recovered(struct objects_op *op, enum err err, struct mtime now)
{
    struct recover *r = container_of(op, struct recover, op);

    (void)err; /* what the others told counts */
    r->wait_until = mtime_add_ms(now, RECEIPTS_MS);
    wake(r, 0);
}

/* A node that has just started knows nobody yet. */
static bool may_wait(const struct recover *r, struct mtime now)
{
    return !mtime_reached(now, mtime_add_ms(r->begun, FINDING_JOIN_MS));
}

static void ask(struct recover *r, struct mtime now)
{
    struct objects *o = node_objects(r->q->node);

    r->op.done = on_recovered;
    enum err err = objects_recover(o, &r->op, r->peers, r->peers_count, now);
    if (err == E_NOTFOUND && may_wait(r, now)) {
        r->asking = false;
        wake(r, FINDING_JOIN_LOOK_MS);
    } else if (err == E_NOTFOUND) {
        reply_error(r->q, ERROR_NOT_FOUND,
                    "nobody could be asked: this node is connected to none "
                    "that keeps objects",
                    NULL);
    } else if (err != OK) {
        reply_error(r->q, err == E_AGAIN ? ERROR_BUSY : error_of_err(err),
                    "another recovery is under way", NULL);
    }
}

static void on_found(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    struct recover *r = container_of(op, struct recover, find);

    if (r->peers_count == PEERS_MAX)
        return;
    r->peers[r->peers_count++] = found->peer;
    if (node_peering(r->q->node) != NULL)
        peering_hear(node_peering(r->q->node), &found->peer, found->addrs,
                     found->count, now);
}

static void on_searched(struct dht_op *op, enum err err, struct mtime now)
{
    (void)err; /* connected peers are asked anyhow */
    ask(container_of(op, struct recover, find), now);
}

static void search(struct recover *r, struct mtime now)
{
    struct pubkey key = privkey_public(node_key(r->q->node));
    struct dht *dht = node_dht(r->q->node);
    bool has_dht = dht != NULL && key.data.len == OBJECT_OWNER_BYTES;

    if (has_dht && !dht_online(dht) && may_wait(r, now)) {
        wake(r, FINDING_JOIN_LOOK_MS);
        return;
    }
    r->asking = true;
    if (!has_dht || !dht_online(dht)) {
        ask(r, now);
        return;
    }
    struct multihash hash = owner_index_multihash(key.data.p);
    r->peers_count = 0;
    r->find.found = on_found;
    r->find.done = on_searched;
    dht_find_providers(dht, &r->find, &hash, PEERS_MAX, now);
}

static void cancel(struct request *q)
{
    struct recover *r = q->op;
    struct clock *clock = clock_of(r);

    clock->set(clock, &r->timer, MTIME_NEVER);
    dht_cancel(&r->find);
    objects_cancel(&r->op);
    objects_unwatch(&r->watcher);
    bringing_free(r->bringing);
    cid_set_release(&r->found);
    cid_set_release(&r->covered);
    mem_free(r->page);
    mem_free(r->status);
    mem_free(r);
}

static struct recover *recover_new(struct request *q)
{
    struct recover *r = mem_zalloc(1, sizeof(*r));
    uint8_t seed[16];

    node_random(q->node, seed, sizeof(seed));
    cid_set_init(&r->found, seed);
    cid_set_init(&r->covered, seed);
    timer_init(&r->timer, on_timer);
    r->q = q;
    r->page = mem_zalloc(PAGE, sizeof(*r->page));
    r->status = mem_zalloc(1, sizeof(*r->status));
    r->watcher.on_event = on_event;
    objects_watch(node_objects(q->node), &r->watcher);
    q->op = r;
    q->cancel = cancel;
    return r;
}

void handle_objects_recover(struct request *q, struct mtime now)
{
    bool good = true;
    bool get = request_flag(q, "get", false, &good);
    uint32_t timeout_ms = good ? request_timeout_ms(q, &good) : 0;

    if (!good)
        return;
    if (node_network(q->node) == NULL) {
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
        return;
    }
    struct recover *r = recover_new(q);
    r->get = get;
    r->timeout_ms = timeout_ms;
    r->begun = now;
    wake(r, 0);
}
