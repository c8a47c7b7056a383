#include <assert.h>

#include "base/mem.h"
#include "bitswap/server_priv.h"

/*
 * Reading and sending.
 *
 * Peers take turns by bytes (deficit round robin), so that one who wants large
 * blocks gets no more than one who wants small ones.  A peer that holds enough
 * is blocked: whenever bytes are let go some of the blocked ones try again.
 */
enum {
    QUANTUM_BYTES = 1024 * 1024, /* of one turn */
    RETRIES = 4,                 /* blocked peers that try again at a time */
    /* While so much is unsent the stream is busy: what is ready can wait. */
    BUSY_STREAM_BYTES = 256 * 1024,
    PRESENCES_UNSENT_MAX = 2 * 1024 * 1024, /* then they wait, too */
};

void bss_presence_put(struct bs_server *s, struct bss_peer *p,
                      const struct cid *cid, bool have)
{
    if (p->version < BS_1_2_0)
        return;
    if (p->presences_count >= BS_SERVER_PRESENCES_MAX) {
        s->counts.dropped++;
        return;
    }
    struct bss_presence *presence = mem_alloc(sizeof(*presence));
    presence->cid = *cid;
    presence->have = have;
    list_add_tail(&p->presences, &presence->link);
    p->presences_count++;
    bss_peer_update(s, p);
}

static void presence_free(struct bss_peer *p, struct bss_presence *presence)
{
    list_remove(&presence->link);
    p->presences_count--;
    mem_free(presence);
}

void bss_presences_drop(struct bss_peer *p)
{
    list_for_each_safe (it, &p->presences)
        presence_free(p, container_of(it, struct bss_presence, link));
}

/*
 * A peer may hold as much as is still free.  So each of n greedy peers gets one
 * part in n + 1, and there is always a part left for the next one.
 */
static bool may_read(const struct bs_server *s, const struct bss_peer *p)
{
    if (s->held >= BS_SERVER_BYTES_MAX)
        return false;
    size_t room = BS_SERVER_BYTES_MAX - s->held;
    return p->held < BS_SERVER_PEER_BYTES_MAX && p->held < room;
}

void bss_retry_blocked(struct bs_server *s)
{
    for (unsigned i = 0; i < RETRIES && !list_empty(&s->blocked); i++) {
        struct list *first = list_first(&s->blocked);
        list_remove(first);
        list_add_tail(&s->active, first);
    }
}

static bool can_send_blocks(const struct bss_peer *p)
{
    return p->ready_bytes >= BS_SERVER_MESSAGE_BYTES ||
           (p->ready_bytes > 0 && p->unsent <= BUSY_STREAM_BYTES);
}

static bool can_send(const struct bss_peer *p)
{
    return can_send_blocks(p) ||
           (p->presences_count > 0 && p->unsent <= PRESENCES_UNSENT_MAX);
}

static void set_listed(struct list *head, struct list *link, bool listed)
{
    if (!listed)
        list_remove(link);
    else if (list_empty(link))
        list_add_tail(head, link);
}

void bss_peer_update(struct bs_server *s, struct bss_peer *p)
{
    if (p->faulted)
        return;
    if (p->queue.count == 0)
        p->deficit = 0;
    set_listed(&s->active, &p->active, p->queue.count > 0);
    set_listed(&s->dirty, &p->dirty, can_send(p));
}

/* The first of the peers whose turn is long enough for its next block. */
struct bss_want *bss_next_read(struct bs_server *s)
{
    while (!list_empty(&s->active)) {
        struct bss_peer *p =
            container_of(list_first(&s->active), struct bss_peer, active);
        struct bs_heap_node *node = bs_heap_first(&p->queue);
        assert(node != NULL);
        struct bss_want *w = container_of(node, struct bss_want, queued);
        bool may = may_read(s, p);
        if (may && p->deficit >= w->size) {
            p->deficit -= w->size;
            bs_heap_remove(&p->queue, node);
            return w;
        }
        list_remove(&p->active);
        list_add_tail(may ? &s->active : &s->blocked, &p->active);
        if (may)
            p->deficit += QUANTUM_BYTES;
    }
    return NULL;
}

static size_t take_presences(struct bs_server *s, struct bss_peer *p,
                             struct bs_reply_item *items)
{
    size_t count = 0;

    list_for_each_safe (it, &p->presences) {
        if (count == BS_REPLY_ITEMS_MAX)
            break;
        struct bss_presence *presence =
            container_of(it, struct bss_presence, link);
        items[count++] = (struct bs_reply_item){
            .cid = presence->cid,
            .kind = presence->have ? BS_ITEM_HAVE : BS_ITEM_DONT_HAVE};
        presence_free(p, presence);
    }
    s->counts.presences += count;
    return count;
}

/* A block leaves the server, and its want the list. */
static void take_block(struct bs_server *s, struct bss_want *w,
                       struct bs_reply_item *ret_item)
{
    *ret_item = (struct bs_reply_item){.cid = bss_want_cid(w),
                                       .kind = BS_ITEM_BLOCK,
                                       .data = slice_ref(&w->data)};
    s->counts.blocks++;
    s->counts.bytes += w->data.bytes.len;
    if (w->peer->tokens < BS_SERVER_TOKENS_MAX)
        w->peer->tokens++;
    bss_want_free(s, w);
}

static size_t take_blocks(struct bs_server *s, struct bss_peer *p,
                          struct bs_reply_item *items, size_t count)
{
    size_t pieces = 0;
    size_t bytes = 0;

    while (!list_empty(&p->ready) && count < BS_REPLY_ITEMS_MAX &&
           pieces < BS_REPLY_PIECES_MAX) {
        struct bss_want *w =
            container_of(list_first(&p->ready), struct bss_want, of_state);
        size_t len = w->data.bytes.len;
        if (bytes > 0 && len > BS_SERVER_MESSAGE_BYTES - bytes)
            break;
        take_block(s, w, &items[count++]);
        if (len > BS_COPY_MAX)
            pieces++;
        bytes += len;
        if (bytes >= BS_SERVER_MESSAGE_BYTES)
            break;
    }
    return count;
}

struct bs_frame *bss_next_frame(struct bs_server *s, struct bss_peer *p)
{
    if (!can_send(p))
        return NULL;
    bool blocks = can_send_blocks(p);
    size_t room = p->presences_count + p->ready_count;
    room = room < BS_REPLY_ITEMS_MAX ? room : BS_REPLY_ITEMS_MAX;
    struct bs_reply_item *items = mem_zalloc(room, sizeof(*items));
    size_t count = take_presences(s, p, items);
    if (blocks)
        count = take_blocks(s, p, items, count);
    struct bs_frame *frame = bs_reply_encode(items, count, p->version);
    mem_free(items);
    p->unsent += frame->len;
    bss_hold(s, p, frame->len);
    return frame;
}
