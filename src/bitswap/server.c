#include "bitswap/server.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/server_priv.h"
#include "ipld/block.h"

enum {
    EMPTY_MESSAGE_TOKENS = 8,
    BYTES_PER_TOKEN = 256, /* of a message that brings no blocks */
    NS_PER_S = 1000000000,
};

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value > 0 ? value : fallback;
}

struct bs_server *bs_server_new(const struct bs_server_config *config)
{
    struct bs_server *s = mem_zalloc(1, sizeof(*s));

    memcpy(s->seed, config->seed, sizeof(s->seed));
    s->peers_max = or_default(config->peers_max, BS_SERVER_PEERS_MAX);
    s->wants_max = or_default(config->wants_max, BS_SERVER_WANTS_MAX);
    map_init(&s->peers, s->seed);
    map_init(&s->twins, s->seed);
    list_init(&s->stats);
    list_init(&s->active);
    list_init(&s->blocked);
    list_init(&s->dirty);
    list_init(&s->faults);
    list_init(&s->jobs);
    return s;
}

static struct bss_peer *peer_of(struct map_node *node)
{
    return container_of(node, struct bss_peer, node);
}

static struct bss_peer *peer_get(const struct bs_server *s,
                                 const struct peer_id *id)
{
    struct map_node *node = map_get(&s->peers, peer_id_bytes(id));

    return node != NULL ? peer_of(node) : NULL;
}

void bss_hold(struct bs_server *s, struct bss_peer *p, size_t bytes)
{
    s->held += bytes;
    p->held += bytes;
    bss_peer_update(s, p);
}

void bss_let_go(struct bs_server *s, struct bss_peer *p, size_t bytes)
{
    assert(s->held >= bytes);

    s->held -= bytes;
    if (bytes > 0)
        bss_retry_blocked(s);
    if (p == NULL)
        return;
    assert(p->held >= bytes);
    p->held -= bytes;
    bss_peer_update(s, p);
}

/* Hand out work for @w; returns its id. */
static uint64_t job_put(struct bs_server *s, struct bss_want *w, uint32_t size)
{
    struct bss_job *job = mem_alloc(sizeof(*job));

    *job = (struct bss_job){.want = w, .peer = w->peer, .size = size};
    list_add_tail(&s->jobs, &job->link);
    w->job = job;
    if (size > 0)
        s->counts.reads_count++;
    else
        s->counts.stats_count++;
    return bs_ids_put(&s->ids, job);
}

/* What is left of a job that is answered: its want, or NULL. */
static struct bss_want *job_end(struct bs_server *s, uint64_t id)
{
    struct bss_job *job = bs_ids_take(&s->ids, id);

    if (job == NULL)
        return NULL;
    struct bss_want *w = job->want;
    struct bss_peer *p = job->peer;
    size_t size = job->size;
    if (w != NULL)
        w->job = NULL;
    if (size > 0)
        s->counts.reads_count--;
    else
        s->counts.stats_count--;
    list_remove(&job->link);
    mem_free(job);
    bss_let_go(s, p, size);
    return w;
}

/* What was to be said, and cannot be said in @version, is dropped. */
static void set_version(struct bs_server *s, struct bss_peer *p,
                        enum bs_version version)
{
    p->version = version;
    if (version < BS_1_2_0)
        bss_presences_drop(p);
    struct map_node *node = map_first(&p->wants);
    while (node != NULL) {
        struct bss_want *w = container_of(node, struct bss_want, node);
        struct cid cid = bss_want_cid(w);
        node = map_next(&p->wants, node);
        if (!bs_version_can_send(version, &cid))
            bss_want_free(s, w);
    }
    bss_peer_update(s, p);
}

enum err bs_server_peer_added(struct bs_server *s, const struct peer_id *peer,
                              enum bs_version version, struct mtime now)
{
    struct bss_peer *p = peer_get(s, peer);

    if (p != NULL) {
        set_version(s, p, version);
        return E_EXISTS;
    }
    if (s->peers.count >= s->peers_max)
        return E_LIMIT;
    p = mem_zalloc(1, sizeof(*p));
    p->id = *peer;
    p->version = version;
    p->tokens = BS_SERVER_TOKENS_MAX;
    p->tokens_at = now;
    map_init(&p->wants, s->seed);
    list_init(&p->idle);
    list_init(&p->ready);
    list_init(&p->presences);
    list_init(&p->active);
    list_init(&p->dirty);
    map_put(&s->peers, &p->node, peer_id_bytes(&p->id));
    return OK;
}

static void peer_free(struct bs_server *s, struct bss_peer *p)
{
    while (p->wants.count > 0)
        bss_want_free(
            s, container_of(map_first(&p->wants), struct bss_want, node));
    bss_presences_drop(p);
    list_for_each (it, &s->jobs) {
        struct bss_job *job = container_of(it, struct bss_job, link);
        if (job->peer == p)
            job->peer = NULL;
    }
    bss_let_go(s, p, p->unsent);
    list_remove(&p->active);
    list_remove(&p->dirty);
    map_remove(&s->peers, &p->node);
    map_release(&p->wants);
    bs_heap_release(&p->queue);
    mem_free(p);
}

void bs_server_peer_removed(struct bs_server *s, const struct peer_id *peer)
{
    struct bss_peer *p = peer_get(s, peer);

    if (p != NULL)
        peer_free(s, p);
}

void bs_server_free(struct bs_server *s)
{
    if (s == NULL)
        return;
    while (s->peers.count > 0)
        peer_free(s, peer_of(map_first(&s->peers)));
    list_for_each_safe (it, &s->jobs)
        mem_free(container_of(it, struct bss_job, link));
    bs_ids_release(&s->ids);
    map_release(&s->peers);
    map_release(&s->twins);
    mem_free(s);
}

/* Tokens come back with time, and with blocks that were sent. */
static void refill(struct bss_peer *p, struct mtime now)
{
    if (!mtime_before(p->tokens_at, now))
        return;
    uint64_t ns = now.ns - p->tokens_at.ns;
    uint64_t tokens = ns >= (uint64_t)NS_PER_S * 4
                          ? BS_SERVER_TOKENS_MAX
                          : ns * BS_SERVER_TOKENS_PER_S / NS_PER_S;

    if (tokens == 0)
        return;
    p->tokens_at = now;
    p->tokens += tokens;
    if (p->tokens > BS_SERVER_TOKENS_MAX)
        p->tokens = BS_SERVER_TOKENS_MAX;
}

void bss_charge(struct bs_server *s, struct bss_peer *p, uint32_t tokens)
{
    if (p->tokens >= tokens) {
        p->tokens -= tokens;
        return;
    }
    if (p->faulted)
        return;
    p->faulted = true;
    list_remove(&p->active);
    list_remove(&p->dirty);
    list_add_tail(&s->faults, &p->dirty);
}

void bs_server_on_message(struct bs_server *s, const struct peer_id *peer,
                          const struct bs_message *message, struct mtime now)
{
    struct bss_peer *p = peer_get(s, peer);

    if (p == NULL || p->faulted)
        return;
    refill(p, now);
    p->round++;
    if (message->entries_count == 0 && message->blocks_count == 0 &&
        message->presences_count == 0)
        bss_charge(s, p, EMPTY_MESSAGE_TOKENS);
    if (message->blocks_count == 0)
        bss_charge(s, p, (uint32_t)(message->bytes.len / BYTES_PER_TOKEN));
    struct bs_cursor cursor = bs_cursor_init(message);
    struct bs_item item;
    while (!p->faulted && bs_cursor_next(&cursor, &item)) {
        if (item.kind == BS_ITEM_ENTRY)
            bss_on_entry(s, p, &item.entry);
    }
    if (message->full && !p->faulted)
        bss_drop_older(s, p);
}

void bs_server_on_stat(struct bs_server *s, uint64_t id, bool found,
                       uint32_t size)
{
    struct bss_want *w = job_end(s, id);

    if (w == NULL)
        return;
    struct bss_peer *p = w->peer;
    struct cid cid = bss_want_cid(w);
    if (!found && w->again) {
        bss_want_stat(s, w);
        return;
    }
    /* Others cannot take an empty block, and compute it themselves. */
    if (!found || size == 0 || size > BLOCK_BYTES_MAX ||
        !bs_version_can_send(p->version, &cid)) {
        bss_want_missing(s, w);
        return;
    }
    if (w->have && p->version == BS_1_2_0 && size > BS_SERVER_SMALL_BYTES) {
        bss_want_free(s, w);
        bss_presence_put(s, p, &cid, true);
        return;
    }
    w->size = size;
    w->state = BSS_QUEUED;
    bs_heap_put(&p->queue, &w->queued);
    bss_peer_update(s, p);
}

void bs_server_on_read(struct bs_server *s, uint64_t id, enum err err,
                       struct slice data)
{
    struct bss_want *w = job_end(s, id);

    if (w == NULL) {
        if (err == OK)
            slice_release(&data);
        return;
    }
    struct bss_peer *p = w->peer;
    if (err != OK || data.bytes.len == 0 || data.bytes.len > BLOCK_BYTES_MAX) {
        if (err == OK)
            slice_release(&data);
        if (w->again)
            bss_want_stat(s, w);
        else
            bss_want_missing(s, w);
        return;
    }
    w->state = BSS_READY;
    w->data = data;
    list_add_tail(&p->ready, &w->of_state);
    p->ready_count++;
    p->ready_bytes += data.bytes.len;
    bss_hold(s, p, data.bytes.len);
}

void bs_server_on_drained(struct bs_server *s, const struct peer_id *peer,
                          size_t bytes)
{
    struct bss_peer *p = peer_get(s, peer);

    if (p == NULL)
        return;
    if (bytes > p->unsent)
        bytes = p->unsent;
    p->unsent -= bytes;
    bss_let_go(s, p, bytes);
}

static bool next_fault(struct bs_server *s, struct bs_server_out *ret_out)
{
    if (list_empty(&s->faults))
        return false;
    struct bss_peer *p =
        container_of(list_first(&s->faults), struct bss_peer, dirty);
    list_remove(&p->dirty);
    *ret_out = (struct bs_server_out){.kind = BS_SERVER_FAULT, .peer = p->id};
    return true;
}

static bool next_stat(struct bs_server *s, struct bs_server_out *ret_out)
{
    if (list_empty(&s->stats))
        return false;
    struct bss_want *w =
        container_of(list_first(&s->stats), struct bss_want, of_state);
    list_remove(&w->of_state);
    *ret_out = (struct bs_server_out){.kind = BS_SERVER_STAT,
                                      .peer = w->peer->id,
                                      .id = job_put(s, w, 0),
                                      .cid = bss_want_cid(w)};
    return true;
}

static bool next_read(struct bs_server *s, struct bs_server_out *ret_out)
{
    struct bss_want *w = bss_next_read(s);

    if (w == NULL)
        return false;
    w->state = BSS_READING;
    *ret_out = (struct bs_server_out){.kind = BS_SERVER_READ,
                                      .peer = w->peer->id,
                                      .id = job_put(s, w, w->size),
                                      .cid = bss_want_cid(w)};
    bss_hold(s, w->peer, w->size);
    return true;
}

static bool next_send(struct bs_server *s, struct bs_server_out *ret_out)
{
    if (list_empty(&s->dirty))
        return false;
    struct bss_peer *p =
        container_of(list_first(&s->dirty), struct bss_peer, dirty);
    struct bs_frame *frame = bss_next_frame(s, p);
    assert(frame != NULL); /* or it would not be dirty */
    *ret_out = (struct bs_server_out){
        .kind = BS_SERVER_SEND, .peer = p->id, .frame = frame};
    return true;
}

bool bs_server_next(struct bs_server *s, struct bs_server_out *ret_out)
{
    return next_fault(s, ret_out) || next_stat(s, ret_out) ||
           next_read(s, ret_out) || next_send(s, ret_out);
}

struct bs_server_stats bs_server_get_stats(const struct bs_server *s)
{
    struct bs_server_stats stats = s->counts;

    stats.peers_count = s->peers.count;
    stats.bytes_held = s->held;
    return stats;
}
