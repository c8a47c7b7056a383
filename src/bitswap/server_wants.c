#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/server_priv.h"

enum {
    VICTIMS_MAX = 16, /* wants looked at for one to push out */
};

struct cid bss_want_cid(const struct bss_want *w)
{
    struct cid cid;
    enum err err = cid_decode(w->node.key, &cid);

    assert(err == OK); /* we wrote it */
    return cid;
}

static struct bss_twins *twins_of(struct bs_server *s, const struct cid *cid)
{
    uint8_t key[MULTIHASH_BYTES_MAX];
    size_t len = cid_key(cid, key);
    struct map_node *node =
        map_get(&s->twins, (struct bytes){.p = key, .len = len});

    if (node != NULL)
        return container_of(node, struct bss_twins, node);
    struct bss_twins *twins = mem_zalloc(1, sizeof(*twins));
    list_init(&twins->wants);
    memcpy(twins->key, key, len);
    map_put(&s->twins, &twins->node,
            (struct bytes){.p = twins->key, .len = len});
    return twins;
}

static void twins_leave(struct bs_server *s, struct bss_want *w)
{
    list_remove(&w->of_twins);
    if (!list_empty(&w->twins->wants))
        return;
    map_remove(&s->twins, &w->twins->node);
    mem_free(w->twins);
}

void bss_want_free(struct bs_server *s, struct bss_want *w)
{
    struct bss_peer *p = w->peer;

    if (w->state == BSS_READY) {
        p->ready_count--;
        p->ready_bytes -= w->data.bytes.len;
        bss_let_go(s, p, w->data.bytes.len);
        slice_release(&w->data);
    }
    if (w->job != NULL)
        w->job->want = NULL;
    bs_heap_remove(&p->queue, &w->queued);
    list_remove(&w->of_state);
    twins_leave(s, w);
    map_remove(&p->wants, &w->node);
    s->counts.wants_count--;
    mem_free(w);
    bss_peer_update(s, p);
}

void bss_want_stat(struct bs_server *s, struct bss_want *w)
{
    w->state = BSS_STAT;
    w->again = false;
    list_remove(&w->of_state);
    list_add_tail(&s->stats, &w->of_state);
}

void bss_want_missing(struct bs_server *s, struct bss_want *w)
{
    w->state = BSS_IDLE;
    list_remove(&w->of_state);
    list_add_tail(&w->peer->idle, &w->of_state);
    if (!w->send_dont_have)
        return;
    /* Said once: a block that is stored later is sent unasked. */
    w->send_dont_have = false;
    struct cid cid = bss_want_cid(w);
    bss_presence_put(s, w->peer, &cid, false);
}

static struct bss_want *want_new(struct bs_server *s, struct bss_peer *p,
                                 const struct cid *cid)
{
    struct bss_want *w = mem_zalloc(1, sizeof(*w));

    w->peer = p;
    w->queued.seq = s->seq++;
    list_init(&w->of_state);
    w->twins = twins_of(s, cid);
    list_add_tail(&w->twins->wants, &w->of_twins);
    size_t len = cid_encode(cid, w->key);
    map_put(&p->wants, &w->node, (struct bytes){.p = w->key, .len = len});
    s->counts.wants_count++;
    return w;
}

/* One that we have not got, and that matters less: the oldest of them. */
static struct bss_want *victim(const struct bss_peer *p, int32_t priority)
{
    unsigned seen = 0;

    list_for_each (it, &p->idle) {
        struct bss_want *w = container_of(it, struct bss_want, of_state);
        if (w->queued.priority <= priority)
            return w;
        if (++seen == VICTIMS_MAX)
            break;
    }
    return NULL;
}

/* Makes room for one more; false when it has to be left out. */
static bool make_room(struct bs_server *s, struct bss_peer *p,
                      const struct bs_entry *entry)
{
    if (p->wants.count < BS_SERVER_PEER_WANTS_MAX &&
        s->counts.wants_count < s->wants_max)
        return true;
    s->counts.dropped++;
    struct bss_want *out = victim(p, entry->priority);
    if (out != NULL) {
        bss_want_free(s, out);
        return true;
    }
    if (entry->send_dont_have)
        bss_presence_put(s, p, &entry->cid, false);
    return false;
}

static void requeue(struct bss_peer *p, struct bss_want *w, int32_t priority)
{
    bool queued = w->queued.at != 0;

    if (w->queued.priority == priority)
        return;
    bs_heap_remove(&p->queue, &w->queued);
    w->queued.priority = priority;
    if (queued)
        bs_heap_put(&p->queue, &w->queued);
}

void bss_on_entry(struct bs_server *s, struct bss_peer *p,
                  const struct bs_entry *entry)
{
    uint8_t key[CID_BYTES_MAX];

    bss_charge(s, p, 1);
    if (cid_is_identity(&entry->cid))
        return;
    size_t len = cid_encode(&entry->cid, key);
    struct map_node *node =
        map_get(&p->wants, (struct bytes){.p = key, .len = len});
    struct bss_want *w =
        node != NULL ? container_of(node, struct bss_want, node) : NULL;
    if (entry->cancel) {
        if (w != NULL)
            bss_want_free(s, w);
        return;
    }
    if (w == NULL) {
        if (!make_room(s, p, entry))
            return;
        w = want_new(s, p, &entry->cid);
        w->have = entry->want_have;
        w->queued.priority = entry->priority;
        bss_want_stat(s, w);
    }
    w->round = p->round;
    w->send_dont_have = entry->send_dont_have;
    w->have = w->have && entry->want_have;
    requeue(p, w, entry->priority);
    if (w->state == BSS_IDLE)
        bss_want_stat(s, w);
}

void bss_drop_older(struct bs_server *s, struct bss_peer *p)
{
    struct map_node *node = map_first(&p->wants);

    while (node != NULL) {
        struct bss_want *w = container_of(node, struct bss_want, node);
        node = map_next(&p->wants, node);
        if (w->round != p->round)
            bss_want_free(s, w);
    }
}

void bs_server_on_new_block(struct bs_server *s, const struct cid *cid)
{
    uint8_t key[MULTIHASH_BYTES_MAX];
    size_t len = cid_key(cid, key);
    struct map_node *node =
        map_get(&s->twins, (struct bytes){.p = key, .len = len});

    if (node == NULL)
        return;
    struct bss_twins *twins = container_of(node, struct bss_twins, node);
    list_for_each (it, &twins->wants) {
        struct bss_want *w = container_of(it, struct bss_want, of_twins);
        if (w->state == BSS_IDLE)
            bss_want_stat(s, w);
        else if (w->state == BSS_STAT || w->state == BSS_READING)
            w->again = true;
    }
}
