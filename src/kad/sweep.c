/*
 * A visit goes through these phases, one at a time:
 *
 *   IDLE     until the cursor is due: WANT_KEYS of what follows it
 *   FIRST    no keys: the visit is over, the cursor passes the slice;
 *            else LOCATE
 *   LOCATE   LOOKUP of the first key, which tells the region
 *   EXPLORE  LOOKUPs until the closest peers of each key of the page are known
 *   SENDING  SENDs of the page; then, if there is more, WANT_KEYS
 *   PAGE     the next page of the region, then EXPLORE again; no more: the
 *            visit is over
 *
 * Let the farthest peer found for the first key share c leading bits with it.
 * The points that share these bits are the region.  It holds k peers or more,
 * so the closest peers of all its keys are in it, and in most networks it is
 * covered after two or three lookups.
 */
#include "kad/sweep.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "kad/coverage.h"

enum {
    CURSOR_VERSION = 1,
    ATTEMPTS_MAX = 2, /* lookups for one key, the second of the key itself */
    /* Hashes that a search for a target may take: some milliseconds. */
    SEARCH_TRIES_MAX = 1 << 16,
    SEARCH_TRIES_LOG = 3, /* times as many as are needed on average: 2^3 */
};

static const int64_t ns_per_ms = 1000000;

enum phase {
    PHASE_IDLE,
    PHASE_FIRST,
    PHASE_LOCATE,
    PHASE_EXPLORE,
    PHASE_SENDING,
    PHASE_PAGE,
};

/* struct target_peer - a peer that was found in the region. */
struct target_peer {
    struct kad_key key;
    uint64_t head; /* the first 8 bytes of @key as a number */
    struct peer_id id;
};

struct sweep {
    uint64_t seed;
    uint64_t interval_ms;
    int64_t unix_minus_now_ms; /* wall-clock time less ours */
    uint32_t k;
    uint32_t keys_max;

    enum phase phase;
    bool online;
    bool must_save;       /* SAVE waits to be taken */
    bool must_ask;        /* WANT_KEYS or LOOKUP waits to be taken */
    uint64_t last_id;     /* given out */
    uint64_t asked_id;    /* WANT_KEYS or LOOKUP that is not answered */
    struct kad_key at;    /* cursor */
    int64_t due_ns;       /* when it is due; may lie before our time */
    struct mtime wait_at; /* after a failure nothing is done before this */
    unsigned failures;    /* lookups in a row that found nobody */

    struct kad_key ask_from; /* range of the last WANT_KEYS */
    struct kad_key ask_to;
    struct sweep_key *page; /* keys_max of them, owned */
    size_t page_count;
    bool page_more; /* there are others in the range that was asked for */

    struct kad_part region;
    bool is_covered; /* all of the region */
    struct coverage covered;
    size_t checked;    /* keys of the page whose closest peers are known */
    unsigned attempts; /* lookups for the next key of the page */
    bool is_cut;       /* the visit ends before @cut_at */
    struct kad_key cut_at;
    unsigned lookups;
    uint8_t target[SWEEP_TARGET_MAX];
    size_t target_len;
    struct target_peer *peers; /* SWEEP_PEERS_MAX of them, owned */
    size_t peers_count;

    uint16_t *nearest; /* of each key of the page, k peers each; owned */
    uint16_t *queue;   /* the keys of each peer, peer after peer; owned */
    uint32_t queue_from[SWEEP_PEERS_MAX + 1]; /* where those of a peer begin */
    size_t send_next;                         /* peer */
    uint64_t sends[SWEEP_SENDS_MAX];          /* under way; 0: free */
    size_t sends_count;
    struct multihash *hashes; /* of the last SEND; keys_max, owned */

    struct sweep_stats stats;
};

void sweep_cursor_encode(const struct sweep_cursor *cursor,
                         uint8_t dst[static SWEEP_CURSOR_BYTES])
{
    struct wr w = wr_init(dst, SWEEP_CURSOR_BYTES);

    wr_u8(&w, CURSOR_VERSION);
    wr_bytes(&w, kad_key_bytes(&cursor->at));
    wr_be64(&w, cursor->due_unix_ms);
    assert(w.err == OK);
}

enum err sweep_cursor_decode(struct bytes in, struct sweep_cursor *ret_cursor)
{
    struct sweep_cursor cursor = {0};
    struct rd r = rd_init(in);
    uint8_t version = rd_u8(&r);

    if (r.err == OK && version != CURSOR_VERSION)
        return E_UNSUPPORTED;
    rd_copy(&r, cursor.at.b, sizeof(cursor.at.b), KAD_KEY_BYTES);
    cursor.due_unix_ms = rd_be64(&r);
    enum err err = rd_finish(&r);
    if (err == OK)
        *ret_cursor = cursor;
    return err;
}

/* Time and cursor. --------------------------------------------------------- */

static int64_t interval_ns(const struct sweep *s)
{
    return (int64_t)s->interval_ms * ns_per_ms;
}

static int64_t now_ns(struct mtime now)
{
    assert(now.ns <= INT64_MAX / 2);
    return (int64_t)now.ns;
}

/*
 * More than one interval late is as bad as one: all is to be announced at once,
 * and once is enough.
 */
static void limit_lateness(struct sweep *s, struct mtime now)
{
    int64_t earliest_ns = now_ns(now) - interval_ns(s);

    if (s->due_ns < earliest_ns)
        s->due_ns = earliest_ns;
}

static void load_cursor(struct sweep *s, const struct sweep_cursor *cursor,
                        uint64_t unix_ms, struct mtime now)
{
    s->at = cursor->at;
    s->due_ns = now_ns(now) - interval_ns(s);
    if (cursor->due_unix_ms >= unix_ms) {
        uint64_t ahead_ms = cursor->due_unix_ms - unix_ms;
        /* Farther ahead than that only when the clock was set back. */
        if (ahead_ms > s->interval_ms)
            ahead_ms = s->interval_ms;
        s->due_ns = now_ns(now) + (int64_t)ahead_ms * ns_per_ms;
        return;
    }
    uint64_t late_ms = unix_ms - cursor->due_unix_ms;
    if (late_ms < s->interval_ms)
        s->due_ns = now_ns(now) - (int64_t)late_ms * ns_per_ms;
}

struct sweep *sweep_new(const struct sweep_config *config, struct mtime now)
{
    struct sweep *s = mem_zalloc(1, sizeof(*s));

    s->seed = config->seed;
    s->interval_ms =
        config->interval_ms == 0 ? SWEEP_INTERVAL_MS : config->interval_ms;
    s->k = config->k == 0 ? SWEEP_K : config->k;
    s->keys_max = config->keys_max == 0 ? SWEEP_KEYS_MAX : config->keys_max;
    assert(s->interval_ms <= UINT32_MAX);
    assert(s->k <= SWEEP_K);
    assert(s->keys_max <= SWEEP_KEYS_MAX);
    assert(config->unix_ms <= INT64_MAX / 2);
    s->online = true;
    s->unix_minus_now_ms = (int64_t)config->unix_ms - now_ns(now) / ns_per_ms;
    struct sweep_cursor none = {.due_unix_ms = 0};
    const struct sweep_cursor *cursor = config->cursor;
    load_cursor(s, cursor == NULL ? &none : cursor, config->unix_ms, now);
    if (cursor == NULL)
        s->due_ns = now_ns(now) - interval_ns(s);

    sweep_on_time(s, now);
    return s;
}

/* Memory for a visit: only that needs much. */
static void take_room(struct sweep *s)
{
    if (s->page != NULL)
        return;
    size_t pairs = (size_t)s->keys_max * s->k;
    s->page = mem_zalloc(s->keys_max, sizeof(*s->page));
    s->hashes = mem_zalloc(s->keys_max, sizeof(*s->hashes));
    s->nearest = mem_zalloc(pairs, sizeof(*s->nearest));
    s->queue = mem_zalloc(pairs, sizeof(*s->queue));
    s->peers = mem_zalloc(SWEEP_PEERS_MAX, sizeof(*s->peers));
}

static void free_room(struct sweep *s)
{
    mem_free(s->page);
    mem_free(s->hashes);
    mem_free(s->nearest);
    mem_free(s->queue);
    mem_free(s->peers);
    coverage_release(&s->covered);
    s->page = NULL;
    s->hashes = NULL;
    s->nearest = NULL;
    s->queue = NULL;
    s->peers = NULL;
}

void sweep_free(struct sweep *s)
{
    if (s == NULL)
        return;
    free_room(s);
    mem_free(s);
}

static uint64_t head_of(const struct kad_key *key)
{
    struct rd r = rd_init(kad_key_bytes(key));

    return rd_be64(&r);
}

static void ask(struct sweep *s, enum phase phase)
{
    s->phase = phase;
    s->must_ask = true;
    s->last_id++;
    s->asked_id = s->last_id;
}

static void ask_keys(struct sweep *s, enum phase phase,
                     const struct kad_key *from, const struct kad_key *to)
{
    s->ask_from = *from;
    s->ask_to = *to;
    ask(s, phase);
}

static void begin_if_due(struct sweep *s, struct mtime now)
{
    if (s->phase != PHASE_IDLE || !s->online)
        return;
    if (now_ns(now) < s->due_ns || !mtime_reached(now, s->wait_at))
        return;
    s->peers_count = 0;
    coverage_release(&s->covered);
    s->lookups = 0;
    s->is_covered = false;
    s->is_cut = false;
    struct kad_key to = kad_key_last(&s->at, SWEEP_SLICE_BITS);
    ask_keys(s, PHASE_FIRST, &s->at, &to);
}

/* The visit is over: the cursor goes to @next, zero after the last point. */
static void finish_visit(struct sweep *s, struct kad_key next, struct mtime now)
{
    struct kad_key zero = {0};
    uint64_t from = head_of(&s->at) >> 32;
    uint64_t to = head_of(&next) >> 32;

    if (kad_key_eq(&next, &zero)) {
        to = UINT64_C(1) << 32;
        s->stats.circles++;
    }
    assert(to >= from);
    /* The part of the interval, in 2^-32 ms. */
    uint64_t part = s->interval_ms * (to - from);
    uint64_t below_ms = (part & UINT32_MAX) * (uint64_t)ns_per_ms >> 32;
    s->due_ns += (int64_t)(part >> 32) * ns_per_ms + (int64_t)below_ms;
    limit_lateness(s, now);
    s->at = next;
    s->failures = 0;
    s->phase = PHASE_IDLE;
    s->must_save = true;
    free_room(s);
    begin_if_due(s, now);
}

void sweep_hurry(struct sweep *s, struct mtime now)
{
    s->due_ns = now_ns(now) - interval_ns(s);
    begin_if_due(s, now);
}

void sweep_set_online(struct sweep *s, bool online, struct mtime now)
{
    s->online = online;
    begin_if_due(s, now);
}

void sweep_on_time(struct sweep *s, struct mtime now)
{
    limit_lateness(s, now);
    begin_if_due(s, now);
}

struct mtime sweep_deadline(const struct sweep *s)
{
    if (s->phase != PHASE_IDLE || !s->online)
        return MTIME_NEVER;
    struct mtime due = {s->due_ns < 0 ? 0 : (uint64_t)s->due_ns};
    return mtime_before(due, s->wait_at) ? s->wait_at : due;
}

/* Handing keys to peers. --------------------------------------------------- */

/* struct near - a peer and its distance, as far as the first 8 bytes tell. */
struct near {
    uint64_t distance;
    uint16_t peer;
};

/*
 * The @k peers nearest to @key, to @dst.  Who shares 8 bytes of distance with
 * another took 2^64 hashes to find, so no more is compared.
 */
static void find_nearest(const struct sweep *s, const struct kad_key *key,
                         size_t k, uint16_t *dst)
{
    struct near best[SWEEP_K];
    uint64_t head = head_of(key);
    size_t count = 0;

    for (size_t i = 0; i < s->peers_count; i++) {
        uint64_t distance = s->peers[i].head ^ head;
        if (count == k && distance >= best[k - 1].distance)
            continue;
        size_t at = count < k ? count++ : k - 1;
        for (; at > 0 && best[at - 1].distance > distance; at--)
            best[at] = best[at - 1];
        best[at] = (struct near){.distance = distance, .peer = (uint16_t)i};
    }
    assert(count == k);
    for (size_t i = 0; i < count; i++)
        dst[i] = best[i].peer;
}

/* Queue each key of the page for its nearest peers. */
static void begin_sending(struct sweep *s)
{
    size_t k = s->peers_count < s->k ? s->peers_count : s->k;
    uint32_t *from = s->queue_from;

    memset(from, 0, sizeof(s->queue_from));
    for (size_t i = 0; i < s->page_count; i++) {
        uint16_t *nearest = &s->nearest[i * k];
        find_nearest(s, &s->page[i].key, k, nearest);
        for (size_t j = 0; j < k; j++)
            from[nearest[j] + 1]++;
    }
    for (size_t i = 0; i < s->peers_count; i++)
        from[i + 1] += from[i];
    /* Filling moves each beginning to the end; then all move up by one. */
    for (size_t i = 0; i < s->page_count * k; i++)
        s->queue[from[s->nearest[i]]++] = (uint16_t)(i / k);
    memmove(from + 1, from, s->peers_count * sizeof(*from));
    from[0] = 0;

    s->phase = PHASE_SENDING;
    s->send_next = 0;
    s->stats.keys += s->page_count;
}

static void skip_idle_peers(struct sweep *s)
{
    while (s->send_next < s->peers_count &&
           s->queue_from[s->send_next] == s->queue_from[s->send_next + 1])
        s->send_next++;
}

/* A page was handed out: the next one, or the end. */
static void finish_page(struct sweep *s, struct mtime now)
{
    struct kad_key end = kad_key_last(&s->region.key, s->region.bits);

    if (s->is_cut) {
        s->stats.regions++;
        finish_visit(s, s->cut_at, now);
        return;
    }
    /* Where the page ends when there was more, else where it could have. */
    struct kad_key last = s->ask_to;
    if (s->page_more)
        last = s->page[s->page_count - 1].key;
    if (kad_key_cmp(&last, &end) >= 0) {
        s->stats.regions++;
        finish_visit(s, kad_key_next(&end), now);
        return;
    }
    struct kad_key from = kad_key_next(&last);
    ask_keys(s, PHASE_PAGE, &from, &end);
}

static void send_more(struct sweep *s, struct mtime now)
{
    skip_idle_peers(s);
    if (s->send_next == s->peers_count && s->sends_count == 0)
        finish_page(s, now);
}

/* Keys of the page behind the end of the region belong to another visit. */
static void trim_page(struct sweep *s)
{
    struct kad_key end = kad_key_last(&s->region.key, s->region.bits);

    while (s->page_count > 0 &&
           kad_key_cmp(&s->page[s->page_count - 1].key, &end) > 0) {
        s->page_count--;
        s->page_more = false;
        s->ask_to = end;
    }
}

/* Exploring. --------------------------------------------------------------- */

static void set_target(struct sweep *s, struct bytes key)
{
    assert(key.len <= sizeof(s->target));
    memcpy(s->target, key.p, key.len);
    s->target_len = key.len;
}

static void set_target_hash(struct sweep *s, const struct multihash *hash)
{
    uint8_t bytes[MULTIHASH_BYTES_MAX];
    size_t len = multihash_encode(hash, bytes);

    set_target(s, (struct bytes){.p = bytes, .len = len});
}

/* Aim at a point in @part: a key of ours if there is one in the page. */
static bool aim(struct sweep *s, const struct kad_part *part)
{
    uint8_t bytes[KAD_SEARCH_BYTES];
    uint32_t tries = SEARCH_TRIES_MAX;

    for (size_t i = 0; i < s->page_count; i++) {
        if (kad_part_has(part, &s->page[i].key)) {
            set_target_hash(s, &s->page[i].hash);
            return true;
        }
    }
    if (part->bits + SEARCH_TRIES_LOG < 16)
        tries = UINT32_C(1) << (part->bits + SEARCH_TRIES_LOG);
    s->seed++;
    if (kad_key_search(&part->key, part->bits, s->seed, tries, bytes) != OK)
        return false;
    set_target(s, (struct bytes){.p = bytes, .len = sizeof(bytes)});
    return true;
}

/*
 * Look for what a key of the page still needs, in @part.  In the half of the
 * region that this is in, the place of which least is known is aimed at: that
 * serves other keys as well.  If it was in vain the key itself is looked up.
 */
static void look_up_for(struct sweep *s, const struct sweep_key *key,
                        const struct kad_part *part)
{
    bool is_few = s->page_count - s->checked <= SWEEP_FEW && !s->page_more;
    struct kad_part half = *part;

    if (half.bits > s->region.bits + 1)
        half.bits = s->region.bits + 1;
    s->attempts++;
    struct kad_part least_known = coverage_gap(&s->covered, &half);
    if (s->attempts == ATTEMPTS_MAX || is_few || !aim(s, &least_known))
        set_target_hash(s, &key->hash);
    ask(s, PHASE_EXPLORE);
}

/* Key @i of the page belongs to another visit, as do those behind it. */
static void cut_page(struct sweep *s, size_t i)
{
    s->is_cut = true;
    s->cut_at = s->page[i].key;
    s->page_count = i;
}

/* Look up what the keys of the page need; then hand it out. */
static void explore(struct sweep *s, struct mtime now)
{
    size_t k = s->peers_count < s->k ? s->peers_count : s->k;
    uint16_t nearest[SWEEP_K] = {0};
    struct kad_part part;

    assert(k > 0);
    while (s->checked < s->page_count && !s->is_covered) {
        const struct sweep_key *key = &s->page[s->checked];
        find_nearest(s, &key->key, k, nearest);
        const struct kad_key *far = &s->peers[nearest[k - 1]].key;
        bool is_known = s->attempts >= ATTEMPTS_MAX ||
                        coverage_knows(&s->covered, &key->key, far, &part);
        if (!is_known && s->lookups < SWEEP_LOOKUPS_MAX) {
            look_up_for(s, key, &part);
            return;
        }
        if (!is_known) {
            cut_page(s, s->checked);
            break;
        }
        s->attempts = 0;
        s->checked++;
    }
    begin_sending(s);
    send_more(s, now);
}

static void add_peer(struct sweep *s, const struct peer_id *id)
{
    for (size_t i = 0; i < s->peers_count; i++) {
        if (peer_id_eq(&s->peers[i].id, id))
            return;
    }
    if (s->peers_count == SWEEP_PEERS_MAX)
        return;
    struct target_peer *p = &s->peers[s->peers_count++];
    p->id = *id;
    p->key = kad_key_of_peer(id);
    p->head = head_of(&p->key);
}

/* The farthest from @target of @count peers. */
static struct kad_key farthest_of(const struct kad_key *target,
                                  const struct peer_id *peers, size_t count)
{
    struct kad_key far = *target;

    for (size_t i = 0; i < count; i++) {
        struct kad_key key = kad_key_of_peer(&peers[i]);
        if (kad_key_cmp_distance(target, &key, &far) > 0)
            far = key;
    }
    return far;
}

static void on_nobody(struct sweep *s, struct mtime now)
{
    s->failures++;
    if (s->phase == PHASE_EXPLORE) {
        explore(s, now);
        return;
    }
    s->phase = PHASE_IDLE;
    s->wait_at = mtime_add_ms(now, SWEEP_RETRY_MS);
    if (s->failures >= SWEEP_FAILURES_MAX) {
        struct kad_key last = kad_key_last(&s->at, SWEEP_SLICE_BITS);
        s->stats.regions_skipped++;
        finish_visit(s, kad_key_next(&last), now);
    }
}

static void begin_page(struct sweep *s, struct mtime now)
{
    s->checked = 0;
    s->attempts = 0;
    explore(s, now);
}

void sweep_on_lookup(struct sweep *s, uint64_t id, const struct peer_id *peers,
                     size_t count, uint32_t messages, struct mtime now)
{
    if (id != s->asked_id || s->must_ask)
        return;
    assert(s->phase == PHASE_LOCATE || s->phase == PHASE_EXPLORE);

    s->asked_id = 0;
    s->lookups++;
    s->stats.lookups++;
    s->stats.lookup_messages += messages;
    if (count == 0) {
        on_nobody(s, now);
        return;
    }
    s->failures = 0;
    for (size_t i = 0; i < count; i++)
        add_peer(s, &peers[i]);
    struct kad_key target =
        kad_key_of((struct bytes){.p = s->target, .len = s->target_len});
    struct kad_key far = farthest_of(&target, peers, count);
    if (s->phase == PHASE_LOCATE) {
        s->region = (struct kad_part){.key = target,
                                      .bits = kad_key_cpl(&target, &far)};
        trim_page(s);
    }
    coverage_add(&s->covered, &target, &far);
    s->is_covered = coverage_holds(&s->covered, &s->region);
    if (s->phase == PHASE_LOCATE)
        begin_page(s, now);
    else
        explore(s, now);
}

void sweep_on_keys(struct sweep *s, uint64_t id, const struct sweep_key *keys,
                   size_t count, bool more, struct mtime now)
{
    if (id != s->asked_id || s->must_ask)
        return;
    assert(s->phase == PHASE_FIRST || s->phase == PHASE_PAGE);
    assert(count <= s->keys_max);
    assert(count > 0 || !more);
    take_room(s);
    for (size_t i = 0; i < count; i++) {
        assert(kad_key_cmp(&keys[i].key, &s->ask_from) >= 0);
        assert(kad_key_cmp(&keys[i].key, &s->ask_to) <= 0);
        assert(i == 0 || kad_key_cmp(&keys[i - 1].key, &keys[i].key) <= 0);
        s->page[i] = keys[i];
    }
    s->asked_id = 0;
    s->page_count = count;
    s->page_more = more;
    if (s->phase == PHASE_PAGE) {
        begin_page(s, now);
        return;
    }
    if (count == 0) {
        finish_visit(s, kad_key_next(&s->ask_to), now);
        return;
    }
    set_target_hash(s, &s->page[0].hash);
    ask(s, PHASE_LOCATE);
}

void sweep_on_sent(struct sweep *s, uint64_t id, bool ok, struct mtime now)
{
    for (size_t i = 0; i < SWEEP_SENDS_MAX; i++) {
        if (id == 0 || s->sends[i] != id)
            continue;
        s->sends[i] = 0;
        s->sends_count--;
        s->stats.sends_failed += ok ? 0 : 1;
        send_more(s, now);
        return;
    }
}

/* Outputs. ----------------------------------------------------------------- */

static struct sweep_cursor cursor_of(const struct sweep *s)
{
    int64_t due_ms = s->due_ns / ns_per_ms + s->unix_minus_now_ms;

    return (struct sweep_cursor){
        .at = s->at,
        .due_unix_ms = due_ms < 0 ? 0 : (uint64_t)due_ms,
    };
}

/* An id for a SEND; 0 when too many are under way. */
static uint64_t take_send(struct sweep *s)
{
    if (s->sends_count == SWEEP_SENDS_MAX)
        return 0;
    size_t i = 0;
    while (s->sends[i] != 0)
        i++;
    s->last_id++;
    s->sends[i] = s->last_id;
    s->sends_count++;
    return s->last_id;
}

static bool next_send(struct sweep *s, struct sweep_out *ret_out)
{
    if (s->phase != PHASE_SENDING || s->send_next == s->peers_count)
        return false;
    uint64_t id = take_send(s);
    if (id == 0)
        return false;
    const struct target_peer *peer = &s->peers[s->send_next];
    uint32_t from = s->queue_from[s->send_next];
    uint32_t to = s->queue_from[s->send_next + 1];

    for (uint32_t i = from; i < to; i++)
        s->hashes[i - from] = s->page[s->queue[i]].hash;
    s->send_next++;
    skip_idle_peers(s);
    s->stats.sends++;
    s->stats.records += to - from;
    *ret_out = (struct sweep_out){
        .kind = SWEEP_SEND,
        .id = id,
        .peer = peer->id,
        .hashes = s->hashes,
        .hashes_count = to - from,
    };
    return true;
}

bool sweep_next(struct sweep *s, struct sweep_out *ret_out)
{
    if (s->must_save) {
        s->must_save = false;
        *ret_out =
            (struct sweep_out){.kind = SWEEP_SAVE, .cursor = cursor_of(s)};
        return true;
    }
    if (!s->must_ask)
        return next_send(s, ret_out);
    s->must_ask = false;
    struct sweep_out out = {.kind = SWEEP_LOOKUP, .id = s->asked_id};
    if (s->phase == PHASE_FIRST || s->phase == PHASE_PAGE) {
        out.kind = SWEEP_WANT_KEYS;
        out.from = s->ask_from;
        out.to = s->ask_to;
        out.keys_max = s->keys_max;
    } else {
        memcpy(out.target, s->target, s->target_len);
        out.target_len = s->target_len;
    }
    *ret_out = out;
    return true;
}

struct sweep_stats sweep_get_stats(const struct sweep *s, struct mtime now)
{
    struct sweep_stats stats = s->stats;
    int64_t late_ns = now_ns(now) - s->due_ns;

    stats.at = s->at;
    stats.late_ms = late_ns > 0 ? (uint64_t)(late_ns / ns_per_ms) : 0;
    return stats;
}
