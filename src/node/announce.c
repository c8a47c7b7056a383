/*
 * The core wants the keys of one part of the keyspace after the other, while
 * the store has its blocks in the order of their hashes.  So the whole index is
 * gone through for one window of keys (node/keywindow.h), in slices.
 */
#include "node/announce.h"

#include "base/mem.h"
#include "crypto/hash.h"
#include "env/kv.h"
#include "kad/kad.h"
#include "node/announce_priv.h"
#include "node/node.h"

enum {
    CHECK_MS = 1000,           /* looks for peers, while something waits */
    CHECK_IDLE_MS = 15000,     /* and while nothing does */
    FRESH_MS = 10 * 60 * 1000, /* a window is used for so long */
    STALE_SHARE = 5,   /* as many times the time of its scan, when not fresh */
    HURRY_SHARE = 10,  /* one part of the time at most is hurried */
    SORT_STEPS = 1024, /* keys of a window sorted in a turn */
    LATE_SHARE = 20,   /* later than so much of the interval: catching up */
};

static const char cursor_key[] = "cursor";

/* Keys on their way to one peer. */
struct sending {
    struct announce *announce;
    struct dht_op op;
    uint64_t id;
    struct list link;
};

static void set_check(struct announce *a, struct mtime now)
{
    bool waits = a->roots.count > 0 || !a->sweeping || a->catching_up ||
                 a->hurry_at.ns != MTIME_NEVER.ns;

    announce_set(a, &a->check,
                 mtime_add_ms(now, waits ? CHECK_MS : CHECK_IDLE_MS));
}

void announce_plan_hurry(struct announce *a, struct mtime now)
{
    struct mtime at = mtime_add_ms(now, ANNOUNCE_HURRY_MS);

    if (a->hurry_at.ns != MTIME_NEVER.ns)
        return;
    a->hurry_at =
        mtime_before(at, a->hurry_not_before) ? a->hurry_not_before : at;
}

void announce_root(struct announce *a, const struct multihash *hash,
                   struct mtime now)
{
    if (a == NULL || a->mode == CONFIG_ANNOUNCE_NONE)
        return;
    announce_plan_hurry(a, now);
    a->root_at = now;
    a->is_stale = true;
    if (announce_is_full(a))
        announce_refill(a, a->mark_ms, now);
    else
        announce_queue(a, hash, now);
    announce_start_roots(a, now);
    set_check(a, now);
}

/* Keys for the sweep. */

static void begin_scan(struct announce *a, const struct kad_key *from,
                       struct mtime now)
{
    keywindow_begin(&a->window, from);
    a->window_at = now;
    a->is_stale = false;
    a->scan_at = (struct store_cursor){.len = 0};
    a->scanning = true;
    a->stats.scans++;
    announce_set(a, &a->scan, now);
}

static void touch_sweep(struct announce *a)
{
    announce_set(a, &a->timer, announce_clock(a)->now(announce_clock(a)));
}

/* A large import changes the store all the time: a scan takes a fifth of the
 * time at most. */
static bool is_fresh(const struct announce *a, struct mtime now)
{
    uint64_t age_ms = mtime_ms_since(a->window_at, now);

    return age_ms <= (a->is_stale ? STALE_SHARE * a->scan_took_ms : FRESH_MS);
}

static void answer_keys(struct announce *a, struct mtime now)
{
    struct kad_key end;

    if (!keywindow_has(&a->window, &a->want_from) || !is_fresh(a, now)) {
        begin_scan(a, &a->want_from, now);
        return;
    }
    struct sweep_key *keys = mem_alloc(a->want_max * sizeof(*keys));
    size_t count = keywindow_take(&a->window, &a->want_from, &a->want_to, keys,
                                  a->want_max, &end);
    bool more = kad_key_cmp(&end, &a->want_to) < 0;
    if (more && count == 0) {
        a->want_from = kad_key_next(&end);
        begin_scan(a, &a->want_from, now);
    } else {
        uint64_t id = a->want_id;
        a->want_id = 0;
        sweep_on_keys(a->sweep, id, keys, count, more, now);
        touch_sweep(a);
    }
    mem_free(keys);
}

static enum err scan_row(struct announce *a)
{
    struct store *store = node_store(a->node);
    struct store_pin pin;
    struct multihash hash;
    struct store_stat stat;

    if (a->mode == CONFIG_ANNOUNCE_NONE)
        return E_NOTFOUND;
    if (a->mode == CONFIG_ANNOUNCE_ROOTS) {
        enum err err = store_pin_next(store, &a->scan_at, &pin);
        if (err == OK && pin.cid.hash.code != HASH_IDENTITY)
            keywindow_add(&a->window, &pin.cid.hash);
        return err;
    }
    enum err err = store_iter(store, &a->scan_at, &hash, &stat);
    if (err == OK && stat.counted)
        keywindow_add(&a->window, &hash);
    return err;
}

static void end_scan(struct announce *a, struct mtime now)
{
    a->scan_took_ms = mtime_ms_since(a->window_at, now);
    /* What came meanwhile is not worth another scan before an answer. */
    bool is_stale = a->is_stale;
    a->is_stale = false;
    if (a->want_id != 0)
        answer_keys(a, now);
    a->is_stale |= is_stale;
}

static void on_scan(struct timer *t, struct mtime now)
{
    struct announce *a = container_of(t, struct announce, scan);
    enum err err = OK;

    for (size_t i = 0; a->scanning && i < ANNOUNCE_SCAN_SLICE; i++) {
        err = scan_row(a);
        a->stats.scanned++;
        /* The end, or an index that cannot be read now: what was read is
         * announced, the rest with the next window. */
        if (err != OK)
            a->scanning = false;
    }
    if (a->scanning || !keywindow_sort(&a->window, SORT_STEPS))
        announce_set(a, &a->scan, mtime_add_ms(now, ANNOUNCE_SCAN_GAP_MS));
    else
        end_scan(a, now);
}

/* The sweep. */

static void on_save(struct announce *a, const struct sweep_cursor *cursor)
{
    uint8_t bytes[SWEEP_CURSOR_BYTES];

    sweep_cursor_encode(cursor, bytes);
    rows_put(&a->rows, bytes_str(cursor_key),
             (struct bytes){bytes, sizeof(bytes)});
    announce_flush_soon(a);
}

static void on_looked_up(struct dht_op *op, enum err err, struct mtime now)
{
    struct announce *a = container_of(op, struct announce, lookup);
    uint64_t id = a->lookup_id;
    bool good = err == OK && dht_online(node_dht(a->node));

    a->lookup_id = 0;
    sweep_on_lookup(a->sweep, id, op->closest, good ? op->closest_count : 0,
                    op->stats.messages, now);
    touch_sweep(a);
}

static void on_sent(struct dht_op *op, enum err err, struct mtime now)
{
    struct sending *s = container_of(op, struct sending, op);
    struct announce *a = s->announce;
    uint64_t id = s->id;

    list_remove(&s->link);
    mem_free(s);
    sweep_on_sent(a->sweep, id, err == OK, now);
    touch_sweep(a);
}

static void send_keys(struct announce *a, const struct sweep_out *out,
                      struct mtime now)
{
    struct sending *s = mem_zalloc(1, sizeof(*s));

    s->announce = a;
    s->id = out->id;
    s->op.done = on_sent;
    list_add_tail(&a->sendings, &s->link);
    dht_provide_to(node_dht(a->node), &s->op, &out->peer, out->hashes,
                   out->hashes_count, now);
}

static void carry_out(struct announce *a, const struct sweep_out *out,
                      struct mtime now)
{
    switch (out->kind) {
    case SWEEP_WANT_KEYS:
        a->want_id = out->id;
        a->want_from = out->from;
        a->want_to = out->to;
        a->want_max = out->keys_max;
        if (a->sweeping && !a->scanning)
            answer_keys(a, now);
        break;
    case SWEEP_LOOKUP:
        a->lookup_id = out->id;
        a->lookup.done = on_looked_up;
        dht_find_node(node_dht(a->node), &a->lookup,
                      (struct bytes){out->target, out->target_len}, now);
        break;
    case SWEEP_SEND:
        send_keys(a, out, now);
        break;
    case SWEEP_SAVE:
        on_save(a, &out->cursor);
        break;
    }
}

bool announce_pump(struct announce *a, struct mtime now)
{
    struct sweep_out out;
    bool any = false;

    while (sweep_next(a->sweep, &out)) {
        carry_out(a, &out, now);
        any = true;
    }
    if (any)
        announce_set(a, &a->timer, sweep_deadline(a->sweep));
    return any;
}

/* The end of the turn pumps. */
static void on_timer(struct timer *t, struct mtime now)
{
    struct announce *a = container_of(t, struct announce, timer);

    sweep_on_time(a->sweep, now);
    (void)announce_pump(a, now);
    announce_set(a, t, sweep_deadline(a->sweep));
}

static bool is_settled(const struct announce *a)
{
    struct store_stats stats;

    store_stats(node_store(a->node), &stats);
    return stats.settled;
}

/* New roots: the sweep is to go round once.  When it does already, after a
 * start or a time without peers, wait for the end of that; it may have been
 * enough. */
static void look_at_hurry(struct announce *a, struct mtime now)
{
    uint64_t late_ms = sweep_get_stats(a->sweep, now).late_ms;
    bool is_late = a->sweeping && late_ms >= SWEEP_INTERVAL_MS / LATE_SHARE;

    if (is_late && !a->catching_up) {
        a->catching_up = true;
        a->catch_began = now;
    }
    if (is_late || !a->sweeping)
        return;
    if (a->catching_up) {
        uint64_t pause_ms = mtime_ms_since(a->catch_began, now) * HURRY_SHARE;
        if (pause_ms > ANNOUNCE_ROUND_MS)
            pause_ms = ANNOUNCE_ROUND_MS;
        a->catching_up = false;
        a->hurry_not_before = mtime_add_ms(now, (uint32_t)pause_ms);
        if (mtime_before(mtime_add_ms(a->root_at, ANNOUNCE_HURRY_MS),
                         a->catch_began))
            a->hurry_at = MTIME_NEVER;
    }
    /* What is not counted yet would be left out. */
    if (!mtime_reached(now, a->hurry_at) || !is_settled(a))
        return;
    a->hurry_at = MTIME_NEVER;
    a->catching_up = true;
    a->catch_began = now;
    if (a->want_id != 0)
        begin_scan(a, &a->want_from, now);
    else
        keywindow_release(&a->window);
    sweep_hurry(a->sweep, now);
    touch_sweep(a);
}

/* On line and off. */

static bool has_peers(const struct announce *a)
{
    const struct dht *dht = node_dht(a->node);
    const struct kad *kad;
    const char *name;

    for (size_t i = 0; (kad = dht_kad(dht, i, &name)) != NULL; i++) {
        if (kad_get_stats(kad).contacts_count > 0)
            return true;
    }
    return false;
}

static void look_for_peers(struct announce *a, struct mtime now)
{
    bool wanted = a->mode != CONFIG_ANNOUNCE_NONE;
    bool own = wanted && dht_online(node_dht(a->node));

    a->online = wanted && has_peers(a);
    if (!own)
        a->settled_at = mtime_add_ms(now, ANNOUNCE_SETTLE_MS);
    bool sweeping = own && mtime_reached(now, a->settled_at);
    if (sweeping == a->sweeping)
        return;
    a->sweeping = sweeping;
    sweep_set_online(a->sweep, sweeping, now);
    if (sweeping && a->want_id != 0 && !a->scanning)
        answer_keys(a, now);
    touch_sweep(a);
}

/* The sweep reaches our own network only; in others each root is told again. */
static void look_at_round(struct announce *a, struct mtime now)
{
    uint64_t now_ms = announce_unix_ms(a);
    const char *name;

    if (!a->online || a->refilling || a->roots.count > 0 ||
        dht_kad(node_dht(a->node), 1, &name) == NULL)
        return;
    if (now_ms < a->round_ms || now_ms - a->round_ms >= ANNOUNCE_ROUND_MS) {
        a->round_ms = now_ms;
        a->round_changed = true;
        announce_refill(a, 0, now);
    }
}

static void on_check(struct timer *t, struct mtime now)
{
    struct announce *a = container_of(t, struct announce, check);

    look_for_peers(a, now);
    announce_start_roots(a, now);
    look_at_round(a, now);
    look_at_hurry(a, now);
    if (a->want_id == 0 && !a->scanning && !is_fresh(a, now))
        keywindow_release(&a->window); /* it may be large */
    set_check(a, now);
}

void announce_settings_changed(struct announce *a, struct mtime now)
{
    if (a == NULL)
        return;
    enum config_announce mode = (enum config_announce)config_get_choice(
        node_settings(a->node), CONFIG_STORAGE_ANNOUNCE);
    if (mode == a->mode)
        return;

    a->mode = mode;
    /* A window that is being filled is of no use any more. */
    if (a->want_id != 0)
        begin_scan(a, &a->want_from, now);
    else
        keywindow_release(&a->window);
    if (mode == CONFIG_ANNOUNCE_NONE) {
        announce_drop_roots(a);
    } else {
        announce_refill(a, a->mark_ms, now);
        announce_plan_hurry(a, now);
    }
    look_for_peers(a, now);
    set_check(a, now);
}

/* Life. */

static void open_sweep(struct announce *a, struct mtime now)
{
    struct kv *kv = a->rows.kv;
    struct sweep_config config = {.unix_ms = announce_unix_ms(a)};
    struct sweep_cursor cursor;
    struct bytes value;

    node_random(a->node, (uint8_t *)&config.seed, sizeof(config.seed));
    if (kv->get(kv, a->rows.table, bytes_str(cursor_key), &value) == OK &&
        sweep_cursor_decode(value, &cursor) == OK)
        config.cursor = &cursor;
    a->sweep = sweep_new(&config, now);
    sweep_set_online(a->sweep, false, now);
}

struct announce *announce_new(struct node *n, struct kv *kv, uint32_t table,
                              struct mtime now)
{
    struct announce *a = mem_zalloc(1, sizeof(*a));
    uint8_t seed[16];

    a->node = n;
    a->env = node_env(n);
    a->mode = (enum config_announce)config_get_choice(node_settings(n),
                                                      CONFIG_STORAGE_ANNOUNCE);
    rows_init(&a->rows, kv, table);
    node_random(n, seed, sizeof(seed));
    map_init(&a->roots, seed);
    list_init(&a->waiting);
    list_init(&a->running);
    list_init(&a->sendings);
    timer_init(&a->check, on_check);
    timer_init(&a->flush, announce_on_flush);
    timer_init(&a->refill, announce_on_refill);
    timer_init(&a->timer, on_timer);
    timer_init(&a->scan, on_scan);
    keywindow_init(&a->window, KEYWINDOW_KEYS_MAX);
    a->hurry_at = MTIME_NEVER;
    a->hurry_not_before = now;
    announce_load_round(a);
    open_sweep(a, now);
    if (a->mode != CONFIG_ANNOUNCE_NONE)
        announce_refill(a, a->mark_ms, now);
    look_for_peers(a, now);
    set_check(a, now);
    return a;
}

void announce_free(struct announce *a)
{
    if (a == NULL)
        return;
    struct timer *timers[] = {&a->check, &a->flush, &a->refill, &a->timer,
                              &a->scan};
    for (size_t i = 0; i < countof(timers); i++)
        announce_set(a, timers[i], MTIME_NEVER);
    announce_drop_roots(a);
    map_release(&a->roots);
    if (a->lookup_id != 0)
        dht_cancel(&a->lookup);
    list_for_each_safe (it, &a->sendings) {
        struct sending *s = container_of(it, struct sending, link);
        dht_cancel(&s->op);
        list_remove(it);
        mem_free(s);
    }
    announce_save_round(a);
    rows_release(&a->rows);
    sweep_free(a->sweep);
    keywindow_release(&a->window);
    mem_free(a);
}

struct announce_stats announce_get_stats(const struct announce *a,
                                         struct mtime now)
{
    struct announce_stats stats = a->stats;
    struct sweep_stats sweep = sweep_get_stats(a->sweep, now);

    stats.roots_waiting = a->roots.count;
    stats.keys = sweep.keys;
    stats.records = sweep.records;
    stats.regions = sweep.regions;
    stats.circles = sweep.circles;
    stats.late_ms = a->sweeping ? sweep.late_ms : 0;
    stats.lookups = sweep.lookups;
    stats.sends_failed = sweep.sends_failed;
    stats.online = a->online;
    return stats;
}
