#include "node/objects.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "discovery/reach.h"
#include "env/env.h"
#include "env/kv.h"
#include "env/rng.h"
#include "node/node.h"
#include "node/objects_priv.h"
#include "node/rows.h"

/*
 * Invariants:
 * 1. What the keeper wants is carried out in objects_pump() only, so never
 *    from inside a call of others; calls end with objects_touch().
 * 2. The keeper is started when there is a network, or when an own object is
 *    changed without one: before, it neither pulls nor lets anything go.
 * 3. Rows and counts outlive objects_stop(); objects_is_idle() tells when they
 *    have ended.  All else is ended by it.
 */

enum { OWN_ADDRS_MAX = 32 };

struct keeper_now objects_now(const struct objects *o, struct mtime now)
{
    struct clock *clock = o->env->clock;

    return (struct keeper_now){.mono = now, .unix_ms = clock->unix_ms(clock)};
}

static struct mtime clock_now(const struct objects *o)
{
    return o->env->clock->now(o->env->clock);
}

/* The end of the turn that the timer makes pumps. */
void objects_touch(struct objects *o)
{
    if (!o->stopped)
        o->env->clock->set(o->env->clock, &o->timer, clock_now(o));
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct objects *o = container_of(t, struct objects, timer);

    keeper_on_time(o->keeper, objects_now(o, now));
}

/* What we offer. */

static uint64_t offer_of(const struct objects *o)
{
    const struct config *c = node_settings(o->node);

    if (o->leaving)
        return 0;
    uint64_t offer = config_get_share(c, CONFIG_STORAGE_OFFER, o->disk_room);
    uint64_t limit = config_get_size(c, CONFIG_STORAGE_LIMIT);

    return limit != CONFIG_NONE && offer > limit ? limit : offer;
}

uint64_t objects_offer(const struct objects *o, uint64_t *ret_free)
{
    uint64_t promised = keeper_get_stats(o->keeper).promised_bytes;

    *ret_free = o->offer > promised ? o->offer - promised : 0;
    return o->offer;
}

/* The capability record says what we offer; who reads it is told anew when it
 * differs by much, which is discovery's to judge. */
static void tell_offer(struct objects *o, struct mtime now)
{
    uint64_t free = 0;
    uint64_t offer = objects_offer(o, &free);

    if (!o->online || node_peering(o->node) == NULL ||
        (offer == o->told_offer && free == o->told_free))
        return;
    o->told_offer = offer;
    o->told_free = free;
    peering_set_storage(node_peering(o->node), offer, free, now);
}

void objects_settings_changed(struct objects *o, struct mtime now)
{
    o->offer = offer_of(o);
    keeper_set_offer(o->keeper, o->offer, objects_now(o, now));
    tell_offer(o, now);
    objects_touch(o);
}

/* Life. */

static void load_failed(const struct objects *o, enum err err)
{
    struct log_line line;

    log_begin(&line, node_log(o->node), LOG_ERROR, "objects", "bad_row");
    log_str(&line, "error", bytes_str(err_name(err)));
    log_end(&line);
}

static enum err load(struct objects *o, struct mtime now)
{
    struct rows_cursor c = {.kv = o->kv, .table = o->table, .left = SIZE_MAX};
    struct bytes key;
    struct bytes value;

    while (rows_next(&c, &key, &value)) {
        enum err loaded =
            keeper_load(o->keeper, key, value, objects_now(o, now));
        if (loaded != OK)
            load_failed(o, loaded);
    }
    return c.err;
}

static void on_candidates(struct timer *t, struct mtime now);
static void on_tell(struct timer *t, struct mtime now);

static void init(struct objects *o)
{
    uint8_t seed[16];

    node_random(o->node, seed, sizeof(seed));
    map_init(&o->paces, seed);
    timer_init(&o->timer, on_timer);
    timer_init(&o->candidates, on_candidates);
    timer_init(&o->tell, on_tell);
    list_init(&o->calls);
    list_init(&o->asked);
    list_init(&o->pulls);
    list_init(&o->counts);
    list_init(&o->picks);
    list_init(&o->digests);
    list_init(&o->backs);
    list_init(&o->rows);
    list_init(&o->ops);
    list_init(&o->ended);
    list_init(&o->watchers);
}

static void fill_config(const struct objects *o, struct keeper_config *config)
{
    const struct config *c = node_settings(o->node);

    *config = (struct keeper_config){
        .network = config_get_text(c, CONFIG_NETWORK_NAME),
        .grace_ms =
            (uint32_t)config_get_duration_ms(c, CONFIG_STORAGE_REPAIR_GRACE),
        .audit_ms =
            (uint32_t)config_get_duration_ms(c, CONFIG_STORAGE_AUDIT_INTERVAL),
        .repair_rate = config_get_size(c, CONFIG_STORAGE_REPAIR_RATE),
    };
    node_random(o->node, config->seed, sizeof(config->seed));
}

enum err objects_new(struct node *n, struct kv *kv, uint32_t table,
                     uint64_t disk_free, struct mtime now,
                     struct objects **ret_objects)
{
    struct objects *o = mem_zalloc(1, sizeof(*o));
    struct keeper_config config;

    o->node = n;
    o->env = node_env(n);
    o->kv = kv;
    o->table = table;
    init(o);
    fill_config(o, &config);
    o->keeper =
        keeper_new(&config, node_key(n), o->env->rng, objects_now(o, now));
    enum err err = load(o, now);
    if (err != OK) {
        keeper_free(o->keeper);
        map_release(&o->paces);
        mem_free(o);
        return err;
    }
    /* What is promised is not free any more, but part of the whole. */
    o->disk_room = disk_free + keeper_get_stats(o->keeper).promised_bytes;
    o->offer = offer_of(o);
    keeper_set_offer(o->keeper, o->offer, objects_now(o, now));
    *ret_objects = o;
    return OK;
}

void objects_free(struct objects *o)
{
    if (o == NULL)
        return;
    assert(objects_is_idle(o));
    assert(!o->online && list_empty(&o->watchers));
    o->env->clock->set(o->env->clock, &o->timer, MTIME_NEVER);
    o->env->clock->set(o->env->clock, &o->tell, MTIME_NEVER);
    keeper_free(o->keeper);
    map_release(&o->paces);
    mem_free(o->known);
    mem_free(o->banned);
    mem_free(o);
}

static void start_keeper(struct objects *o, struct mtime now)
{
    if (o->started)
        return;
    o->started = true;
    keeper_start(o->keeper, objects_now(o, now));
    objects_touch(o);
}

/* Peers. */

static uint64_t group_of(const struct objects *o, struct conn_id conn)
{
    struct swarm *swarm = network_swarm(node_network(o->node));
    struct swarm_conn_info info;
    struct ma_ip ip;
    uint16_t port;

    if (swarm_conn_get(swarm, conn, &info) != OK ||
        multiaddr_get_tcp(info.addr, &ip, &port) != OK)
        return 0;
    return ma_ip_group(&ip);
}

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct objects *o = container_of(w, struct objects, watcher);

    if (out->type == SWARM_IDENTIFIED &&
        swarm_identified_serves(&out->identified, o->protocol))
        keeper_on_peer(o->keeper, &out->peer, true, group_of(o, out->conn),
                       objects_now(o, now));
    else if (out->type == SWARM_DISCONNECTED && !out->peer_left)
        keeper_on_peer(o->keeper, &out->peer, false, 0, objects_now(o, now));
    else
        return;
    objects_touch(o);
}

bool objects_refuses(struct objects *o, const struct peer_id *peer,
                     const struct cid *cid, struct mtime now)
{
    bool refused = keeper_on_asked(o->keeper, peer, cid, objects_now(o, now));

    if (refused)
        objects_touch(o);
    return refused;
}

/* Who does not answer now is left out: a dial that fails takes its time. */
static bool is_usable(const struct discovery *d,
                      const struct discovery_candidate *c)
{
    const struct book_peer *p = book_find(discovery_book(d), &c->peer);

    return c->has_storage && (c->is_connected || p == NULL || p->failures == 0);
}

static void candidate_from(const struct discovery_candidate *c,
                           struct placement_candidate *dst)
{
    *dst = (struct placement_candidate){
        .peer = c->peer,
        .free_class = placement_class(c->storage_free),
        .operator_len = c->operator_len,
        .ip = c->ip,
        .quality = c->quality,
    };
    _Static_assert(sizeof(dst->operator_id) >= sizeof(c->operator_id),
                   "an operator's id fits");
    memcpy(dst->operator_id, c->operator_id, c->operator_len);
}

/* Connected ones first, where there are more than the keeper takes. */
static size_t collect(const struct discovery *d, bool connected,
                      struct placement_candidate *dst, size_t count,
                      struct mtime now)
{
    struct discovery_candidate c;
    struct peer_id last;
    const struct peer_id *after = NULL;

    while (count < KEEPER_CANDIDATES_MAX &&
           discovery_next_candidate(d, after, now, &c)) {
        last = c.peer;
        after = &last;
        if (c.is_connected == connected && is_usable(d, &c))
            candidate_from(&c, &dst[count++]);
    }
    return count;
}

/*
 * We ourselves, by the address that is heard the furthest: what we place is to
 * differ from a copy here.  Return: false where we have none.
 */
static bool own_candidate(const struct objects *o,
                          struct placement_candidate *dst)
{
    struct network *network = node_network(o->node);
    struct multiaddr addrs[OWN_ADDRS_MAX];
    size_t count = network_addrs(network, addrs, countof(addrs));
    enum reach widest = REACH_LOOPBACK;
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        struct ma_ip ip;
        enum reach reach = reach_of(&addrs[i]);
        if ((found && reach >= widest) ||
            multiaddr_get_ip(&addrs[i], &ip) != OK)
            continue;
        *dst = (struct placement_candidate){
            .peer = *swarm_self(network_swarm(network)), .ip = ip};
        widest = reach;
        found = true;
    }
    return found;
}

static bool is_listed(const struct placement_candidate *list, size_t count,
                      const struct peer_id *peer)
{
    for (size_t i = 0; i < count; i++) {
        if (peer_id_eq(&list[i].peer, peer))
            return true;
    }
    return false;
}

/*
 * Who is connected and is not to be asked, by where it comes from: it may keep
 * a copy, from which others are to differ.
 */
static size_t collect_addresses(const struct objects *o,
                                struct placement_candidate *dst, size_t count)
{
    const struct swarm *swarm = network_swarm(node_network(o->node));
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};
    struct ma_ip ip;

    while (count < KEEPER_CANDIDATES_MAX &&
           swarm_conn_next(swarm, at, &info) == OK) {
        at = info.conn;
        if (is_listed(dst, count, info.peer) ||
            multiaddr_get_ip(info.addr, &ip) != OK)
            continue;
        dst[count++] =
            (struct placement_candidate){.peer = *info.peer, .ip = ip};
    }
    return count;
}

/* Bans.  One who is banned is not connected; what others offer of its objects
 * is refused as well. */

static bool is_banned(const struct objects *o, const struct peer_id *peer)
{
    const struct discovery *d = peering_discovery(node_peering(o->node));
    uint64_t now_s = o->env->clock->unix_ms(o->env->clock) / 1000;

    return bans_refuse(discovery_bans(d), peer, NULL, now_s);
}

static bool was_banned(const struct objects *o, const struct peer_id *peer)
{
    for (size_t i = 0; i < o->banned_count; i++) {
        if (peer_id_eq(&o->banned[i], peer))
            return true;
    }
    return false;
}

static void end_bans(struct objects *o, struct mtime now)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->banned_count; i++) {
        if (is_banned(o, &o->banned[i]))
            o->banned[kept++] = o->banned[i];
        else
            keeper_on_ban(o->keeper, &o->banned[i], false, objects_now(o, now));
    }
    o->banned_count = kept;
}

static void look_at_bans(struct objects *o, struct mtime now)
{
    const struct discovery *d = peering_discovery(node_peering(o->node));
    const struct bans *bans = discovery_bans(d);

    end_bans(o, now);
    for (const struct ban *b = bans_next(bans, NULL); b != NULL;
         b = bans_next(bans, b)) {
        const struct peer_id *peer = &b->target.peer;
        if (peer->len == 0 || !is_banned(o, peer) || was_banned(o, peer))
            continue;
        o->banned =
            mem_resize(o->banned, o->banned_count + 1, sizeof(*o->banned));
        o->banned[o->banned_count++] = *peer;
        keeper_on_ban(o->keeper, peer, true, objects_now(o, now));
    }
}

static void on_candidates(struct timer *t, struct mtime now)
{
    struct objects *o = container_of(t, struct objects, candidates);
    const struct discovery *d = peering_discovery(node_peering(o->node));
    struct placement_candidate *list =
        mem_zalloc(KEEPER_CANDIDATES_MAX, sizeof(*list));

    look_at_bans(o, now);
    size_t own = own_candidate(o, &list[0]) ? 1 : 0;
    size_t count = collect(d, true, list, own, now);
    count = collect(d, false, list, count, now);
    size_t all = collect_addresses(o, list, count);
    keeper_set_candidates(o->keeper, list, all, objects_now(o, now));
    o->known = mem_resize(o->known, count, sizeof(*o->known));
    o->known_count = count - own;
    for (size_t i = 0; i < o->known_count; i++)
        o->known[i] = list[own + i].peer;
    mem_free(list);
    objects_touch(o);
}

static void look_for_candidates(struct objects *o, struct mtime now)
{
    if (o->online && o->candidates.at.ns == MTIME_NEVER.ns)
        o->env->clock->set(o->env->clock, &o->candidates,
                           mtime_add_ms(now, OBJECTS_CANDIDATES_MS));
}

static void on_candidates_changed(struct peering_watcher *w, struct mtime now)
{
    look_for_candidates(container_of(w, struct objects, peering), now);
}

void objects_start(struct objects *o, struct mtime now)
{
    struct network *network = node_network(o->node);

    node_protocol(o->node, "/storage/1.0.0", o->protocol);
    struct rpc_config config = {
        .protocol = o->protocol,
        .request_max = STORAGE_MESSAGE_BYTES_MAX,
        .streams_max = OBJECTS_STREAMS_MAX,
        .on_request = objects_on_request,
        .user = o,
    };
    o->online = true;
    o->rpc = rpc_new(o->env, network, &config, now);
    o->watcher.on_peer = on_peer;
    network_watch(network, &o->watcher);
    if (node_peering(o->node) != NULL) {
        o->peering.changed = on_candidates_changed;
        peering_watch(node_peering(o->node), &o->peering);
        look_for_candidates(o, now);
    }
    o->index = objects_index_new(o);
    tell_offer(o, now);
    start_keeper(o, now);
}

static void cancel_ops(struct list *ops, struct mtime now)
{
    while (!list_empty(ops)) {
        struct objects_op *op =
            container_of(list_first(ops), struct objects_op, link);
        list_remove(&op->link);
        op->done(op, E_CANCELED, now);
    }
}

void objects_stop(struct objects *o, struct mtime now)
{
    o->stopped = true;
    cancel_ops(&o->ops, now);
    cancel_ops(&o->ended, now);
    objects_calls_stop(o);
    objects_do_stop(o);
    objects_jobs_stop(o);
    o->env->clock->set(o->env->clock, &o->timer, MTIME_NEVER);
    if (!o->online)
        return;
    o->online = false;
    o->env->clock->set(o->env->clock, &o->candidates, MTIME_NEVER);
    if (node_peering(o->node) != NULL)
        peering_unwatch(&o->peering);
    network_unwatch(&o->watcher);
    objects_index_free(o->index);
    o->index = NULL;
    rpc_free(o->rpc, now);
    o->rpc = NULL;
}

bool objects_pump(struct objects *o, struct mtime now)
{
    struct keeper_out out;
    bool any = false;

    if (o->pumping || o->stopped)
        return false;
    o->pumping = true;
    while (keeper_next(o->keeper, &out)) {
        any = true;
        objects_do(o, &out, now);
    }
    o->pumping = false;
    objects_tidy_pulls(o);
    if (any)
        tell_offer(o, now);
    struct clock *clock = o->env->clock;
    clock->set(clock, &o->timer, keeper_deadline(o->keeper));
    return any;
}

/* Asking. */

static void on_tell(struct timer *t, struct mtime now)
{
    struct objects *o = container_of(t, struct objects, tell);
    struct list batch;

    list_init(&batch);
    while (!list_empty(&o->ended)) {
        struct list *first = list_first(&o->ended);
        list_remove(first);
        list_add_tail(&batch, first);
    }
    while (!list_empty(&batch)) {
        struct objects_op *op =
            container_of(list_first(&batch), struct objects_op, link);
        list_remove(&op->link);
        op->done(op, op->err, now);
    }
}

void objects_op_end(struct objects *o, struct objects_op *op, enum err err)
{
    op->err = err;
    list_remove(&op->link);
    list_add_tail(&o->ended, &op->link);
    o->env->clock->set(o->env->clock, &o->tell, clock_now(o));
}

void objects_cancel(struct objects_op *op)
{
    if (op->link.next != NULL)
        list_remove(&op->link);
}

void objects_rows_done(struct objects *o)
{
    list_for_each_safe (it, &o->ops) {
        struct objects_op *op = container_of(it, struct objects_op, link);
        if (op->job == 0 && op->written <= o->rows_ended)
            objects_op_end(o, op, o->row_err);
    }
    if (o->rows_ended == o->rows_begun)
        o->row_err = OK;
}

static void wait(struct objects *o, struct objects_op *op, uint64_t job)
{
    op->job = job;
    op->err = OK;
    list_init(&op->link);
    list_add_tail(&o->ops, &op->link);
    objects_touch(o);
}

/* The rows of the change are handed out now, so that they can be counted. */
static void wait_rows(struct objects *o, struct objects_op *op,
                      struct mtime now)
{
    (void)objects_pump(o, now);
    wait(o, op, 0);
    op->written = o->rows_begun;
    if (o->rows_begun == o->rows_ended)
        objects_op_end(o, op, OK);
}

enum err objects_put(struct objects *o, struct objects_op *op,
                     const struct keeper_want *want, struct mtime now)
{
    start_keeper(o, now);
    enum err err = keeper_put(o->keeper, want, objects_now(o, now));
    if (err == OK)
        wait_rows(o, op, now);
    return err;
}

enum err objects_set_copies(struct objects *o, struct objects_op *op,
                            const struct cid *root, uint32_t copies,
                            struct mtime now)
{
    start_keeper(o, now);
    enum err err =
        keeper_set_copies(o->keeper, root, copies, objects_now(o, now));
    if (err == OK)
        wait_rows(o, op, now);
    return err;
}

enum err objects_remove(struct objects *o, struct objects_op *op,
                        const struct cid *root, struct mtime now)
{
    start_keeper(o, now);
    enum err err = keeper_remove(o->keeper, root, objects_now(o, now));
    if (err == OK)
        wait_rows(o, op, now);
    return err;
}

enum err objects_verify(struct objects *o, struct objects_op *op,
                        const struct cid *root, struct mtime now)
{
    uint64_t job = 0;

    if (!o->online)
        return E_CLOSED;
    enum err err = keeper_verify(o->keeper, root, objects_now(o, now), &job);
    if (err == OK)
        wait(o, op, job);
    return err;
}

enum err objects_recover(struct objects *o, struct objects_op *op,
                         const struct peer_id *more, size_t more_count,
                         struct mtime now)
{
    struct peer_id *peers = mem_zalloc(KEEPER_CANDIDATES_MAX, sizeof(*peers));
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};
    uint64_t job = 0;
    size_t count = 0;

    if (!o->online) {
        mem_free(peers);
        return E_CLOSED;
    }
    for (; count < more_count && count < KEEPER_CANDIDATES_MAX; count++)
        peers[count] = more[count];
    struct swarm *swarm = network_swarm(node_network(o->node));
    while (count < KEEPER_CANDIDATES_MAX &&
           swarm_conn_next(swarm, at, &info) == OK) {
        at = info.conn;
        bool known = !swarm_identified_serves(&info.identified, o->protocol);
        for (size_t i = 0; !known && i < count; i++)
            known = peer_id_eq(&peers[i], info.peer);
        if (!known)
            peers[count++] = *info.peer;
    }
    enum err err = E_NOTFOUND;
    if (count > 0)
        err =
            keeper_recover(o->keeper, peers, count, objects_now(o, now), &job);
    mem_free(peers);
    if (err == OK)
        wait(o, op, job);
    return err;
}

enum err objects_leave(struct objects *o, struct objects_op *op,
                       struct mtime now)
{
    uint64_t job = 0;

    if (!o->online)
        return E_CLOSED;
    enum err err = keeper_leave(o->keeper, objects_now(o, now), &job);
    if (err != OK)
        return err;
    o->leaving = true;
    objects_settings_changed(o, now);
    wait(o, op, job);
    return OK;
}

void objects_stay(struct objects *o, struct mtime now)
{
    keeper_stay(o->keeper, objects_now(o, now));
    o->leaving = false;
    objects_settings_changed(o, now);
}

enum err objects_status(const struct objects *o, const struct cid *root,
                        struct keeper_status *ret_status)
{
    return keeper_status(o->keeper, root, objects_now(o, clock_now(o)),
                         ret_status);
}

size_t objects_list(const struct objects *o, uint64_t after,
                    struct keeper_status *dst, size_t max)
{
    return keeper_list(o->keeper, after, objects_now(o, clock_now(o)), dst,
                       max);
}

bool objects_owns(const struct objects *o, const struct cid *root)
{
    struct keeper_status *s = mem_alloc(sizeof(*s));
    bool owns = objects_status(o, root, s) == OK && s->role == KEEPER_OWNER &&
                s->state != KEEPER_RELEASING;

    mem_free(s);
    return owns;
}

bool objects_keeps(const struct objects *o, const struct cid *root)
{
    return keeper_kept(o->keeper, root);
}

struct keeper_stats objects_stats(const struct objects *o)
{
    return keeper_get_stats(o->keeper);
}

static bool is_known(const struct objects *o, const struct peer_id *peer)
{
    for (size_t i = 0; i < o->known_count; i++) {
        if (peer_id_eq(&o->known[i], peer))
            return true;
    }
    return false;
}

bool objects_expects_more(const struct objects *o, struct mtime now)
{
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};

    if (!o->online)
        return false;
    const struct swarm *swarm = network_swarm(node_network(o->node));
    while (swarm_conn_next(swarm, at, &info) == OK) {
        at = info.conn;
        bool may = info.identified.protocols_count == 0 ||
                   swarm_identified_serves(&info.identified, o->protocol);
        if (may && !is_known(o, info.peer) &&
            !mtime_reached(now, mtime_add_ms(info.since, OBJECTS_NEW_MS)))
            return true;
    }
    return false;
}

void objects_watch(struct objects *o, struct objects_watcher *w)
{
    list_init(&w->link);
    list_add_tail(&o->watchers, &w->link);
}

void objects_unwatch(struct objects_watcher *w)
{
    if (w->link.next != NULL)
        list_remove(&w->link);
}
