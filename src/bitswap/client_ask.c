#include <assert.h>

#include "base/mem.h"
#include "bitswap/client_priv.h"

enum {
    LISTED_MAX = BS_PEER_ENTRIES_MAX,
    LATE_MAX = BS_PEER_ENTRIES_MAX,
    MEASURED_BLOCKS = 8, /* from then on the size of blocks is known */
    DUPLICATES_DUE_MAX = 4096,
    CANCELS_AT_ONCE = 256, /* so many are worth a message */
    CANCEL_DELAY_MS = 100, /* for cancels that save nothing */
};

struct bsc_ask *bsc_ask_find(const struct bsc_want *w, const struct bsc_peer *p)
{
    list_for_each (it, &w->asks) {
        struct bsc_ask *a = container_of(it, struct bsc_ask, of_want);
        if (a->peer == p)
            return a;
    }
    return NULL;
}

uint32_t bsc_peer_listed(const struct bsc_peer *p)
{
    return p->blocks + p->haves + p->idles;
}

bool bsc_peer_waits(const struct bsc_peer *p)
{
    return p->blocks + p->haves > 0;
}

bool bsc_peer_room_list(const struct bsc_peer *p)
{
    return p->blocks + p->haves < LISTED_MAX;
}

bool bsc_peer_room(const struct bsc_peer *p)
{
    return !p->full && bsc_peer_room_list(p);
}

void bsc_peer_full_update(struct bs_client *c, struct bsc_peer *p)
{
    bool is_new = p->delivered < MEASURED_BLOCKS;
    uint64_t entries_max = is_new ? BS_WINDOW_ENTRIES_START : LISTED_MAX;

    if (p->gateway)
        entries_max =
            is_new ? BS_GATEWAY_REQUESTS_START : BS_GATEWAY_REQUESTS_MAX;
    if (p->blocks >= entries_max || p->asked_bytes >= p->window_bytes) {
        p->full = true;
        p->measured_full = true;
    } else if (p->blocks <= entries_max / 4 * 3 &&
               p->asked_bytes <= p->window_bytes / 4 * 3) {
        if (p->full)
            c->placing = true;
        p->full = false;
    }
}

void bsc_peer_timed(struct bs_client *c, struct bsc_peer *p)
{
    if (list_empty(&p->timed))
        list_add_tail(&c->timed, &p->timed);
}

void bsc_peer_dirty(struct bs_client *c, struct bsc_peer *p)
{
    if (list_empty(&p->dirty))
        list_add_tail(&c->dirty, &p->dirty);
}

static void cancel_add(struct bs_client *c, struct bsc_ask *a)
{
    struct bsc_peer *p = a->peer;

    if (p->resend)
        return;
    struct bsc_cancel *cancel = mem_alloc(sizeof(*cancel));
    cancel->cid = a->want->cid;
    list_add_tail(&p->cancels, &cancel->link);
    p->cancels_count++;
    bsc_peer_timed(c, p);
    if (a->state == BSC_ASK_BLOCK || p->cancels_count >= CANCELS_AT_ONCE)
        bsc_peer_dirty(c, p);
    else
        p->cancel_at =
            mtime_min(p->cancel_at, mtime_add_ms(c->now, CANCEL_DELAY_MS));
}

void bsc_peer_drop_cancels(struct bsc_peer *p)
{
    list_for_each_safe (it, &p->cancels) {
        list_remove(it);
        mem_free(container_of(it, struct bsc_cancel, link));
    }
    p->cancels_count = 0;
    p->cancel_at = MTIME_NEVER;
}

/* Undoes what the state of the ask stands for. */
static void leave_state(struct bs_client *c, struct bsc_ask *a)
{
    struct bsc_peer *p = a->peer;
    struct bsc_want *w = a->want;

    switch (a->state) {
    case BSC_ASK_HAVE:
        p->haves--;
        w->haves--;
        break;
    case BSC_ASK_BLOCK:
        p->blocks--;
        w->blocks--;
        p->asked_bytes -= a->size;
        break;
    case BSC_ASK_IDLE:
        p->idles--;
        break;
    case BSC_ASK_LATE:
        p->lates--;
        break;
    }
    if (a->state != BSC_ASK_LATE)
        c->stats.asks_count--;
    bsc_bit_clear(w->asked, p->place);
    list_remove(&a->of_peer);
    list_remove(&a->unsent);
}

static struct list *enter_state(struct bs_client *c, struct bsc_ask *a,
                                enum bsc_ask_state state)
{
    struct bsc_peer *p = a->peer;
    struct bsc_want *w = a->want;

    a->state = state;
    if (state != BSC_ASK_LATE)
        c->stats.asks_count++;
    switch (state) {
    case BSC_ASK_HAVE:
        p->haves++;
        w->haves++;
        bsc_bit_set(w->asked, p->place);
        return &p->waiting;
    case BSC_ASK_BLOCK:
        p->blocks++;
        w->blocks++;
        a->size = bsc_want_guess(w);
        p->asked_bytes += a->size;
        bsc_bit_set(w->asked, p->place);
        return &p->waiting;
    case BSC_ASK_IDLE:
        p->idles++;
        return &p->idle;
    case BSC_ASK_LATE:
        p->lates++;
        break;
    }
    return &p->late;
}

/* Each time it was told may bring a block; one is not told from the other. */
static void expect_duplicates(const struct bsc_ask *a, bool answered)
{
    struct bsc_peer *p = a->peer;
    uint32_t more = a->tells;

    if (answered && more > 0)
        more--;
    if (p->duplicates_due < DUPLICATES_DUE_MAX)
        p->duplicates_due += more;
}

void bsc_ask_free(struct bs_client *c, struct bsc_ask *a, bool cancel)
{
    struct bsc_peer *p = a->peer;

    expect_duplicates(a, !cancel);
    if (cancel && a->told && a->state != BSC_ASK_LATE)
        cancel_add(c, a);
    leave_state(c, a);
    list_remove(&a->of_want);
    mem_free(a);
    bsc_peer_full_update(c, p);
}

static void free_oldest(struct bs_client *c, const struct list *asks)
{
    struct list *first = list_first(asks);

    bsc_ask_free(c, container_of(first, struct bsc_ask, of_peer), true);
}

void bsc_ask_set(struct bs_client *c, struct bsc_ask *a,
                 enum bsc_ask_state state)
{
    struct bsc_peer *p = a->peer;

    assert(state == BSC_ASK_IDLE || state == BSC_ASK_LATE);
    if (state == BSC_ASK_LATE && a->told && a->state != BSC_ASK_LATE)
        cancel_add(c, a);
    leave_state(c, a);
    if (state == BSC_ASK_LATE) {
        a->told = false;
        if (p->lates >= LATE_MAX)
            free_oldest(c, &p->late);
    }
    list_add_tail(enter_state(c, a, state), &a->of_peer);
    bsc_peer_full_update(c, p);
}

static struct bsc_ask *ask_new(struct bsc_want *w, struct bsc_peer *p)
{
    struct bsc_ask *a = mem_zalloc(1, sizeof(*a));

    a->want = w;
    a->peer = p;
    list_init(&a->of_peer);
    list_init(&a->unsent);
    list_add_tail(&w->asks, &a->of_want);
    return a;
}

static void ask_tell(struct bs_client *c, struct bsc_ask *a)
{
    a->asked_at = c->now;
    if (list_empty(&a->unsent))
        list_add_tail(&a->peer->unsent, &a->unsent);
    bsc_peer_dirty(c, a->peer);
}

void bsc_ask_put(struct bs_client *c, struct bsc_want *w, struct bsc_peer *p,
                 enum bsc_ask_state state)
{
    assert(state == BSC_ASK_HAVE || state == BSC_ASK_BLOCK);
    assert(bsc_peer_room_list(p));

    struct bsc_ask *a = bsc_ask_find(w, p);
    if (a != NULL)
        leave_state(c, a);
    else
        a = ask_new(w, p);
    if (bsc_peer_listed(p) >= LISTED_MAX)
        free_oldest(c, &p->idle);
    if (!bsc_peer_waits(p)) {
        p->progress_at = c->now;
        p->measured_from = c->now;
        p->measured_bytes = 0;
        p->measured_full = false;
    }
    a->repeats = 0;
    list_add_tail(enter_state(c, a, state), &a->of_peer);
    bsc_peer_timed(c, p);
    ask_tell(c, a);
    bsc_peer_full_update(c, p);
}

void bsc_ask_repeat(struct bs_client *c, struct bsc_ask *a)
{
    a->repeats++;
    list_remove(&a->of_peer);
    list_add_tail(&a->peer->waiting, &a->of_peer);
    ask_tell(c, a);
}

/* Higher first; the highest of all who are interested. */
static struct bs_entry entry_of(struct bsc_ask *a)
{
    a->told = true;
    if (a->tells < UINT8_MAX)
        a->tells++;
    list_remove(&a->unsent);
    return (struct bs_entry){.cid = a->want->cid,
                             .priority = a->want->queued.priority,
                             .want_have = a->state == BSC_ASK_HAVE,
                             .send_dont_have = true};
}

/* Entries of a message to be. */
struct draft {
    struct bs_entry *entries;
    size_t count;
    size_t room;
};

static struct draft draft_new(size_t entries)
{
    size_t room = entries < BS_SEND_ENTRIES_MAX ? entries : BS_SEND_ENTRIES_MAX;

    return (struct draft){
        .entries = mem_zalloc(room, sizeof(struct bs_entry)),
        .room = room,
    };
}

static void draft_add(struct draft *d, struct bs_entry entry)
{
    assert(d->count < d->room);

    d->entries[d->count++] = entry;
}

static struct bs_frame *draft_encode(struct draft *d, bool full)
{
    struct bs_frame *frame = bs_wantlist_encode(d->entries, d->count, full);

    mem_free(d->entries);
    return frame;
}

static void add_list(struct draft *d, const struct list *asks)
{
    list_for_each (it, asks)
        draft_add(d, entry_of(container_of(it, struct bsc_ask, of_peer)));
}

static struct bs_frame *send_all(struct bsc_peer *p)
{
    struct draft d = draft_new(bsc_peer_listed(p));

    bsc_peer_drop_cancels(p);
    p->resend = false;
    add_list(&d, &p->waiting);
    add_list(&d, &p->idle);
    return draft_encode(&d, true);
}

static struct bs_frame *send_cancels(struct bsc_peer *p)
{
    struct draft d = draft_new(p->cancels_count);

    list_for_each_safe (it, &p->cancels) {
        if (d.count == d.room)
            break;
        struct bsc_cancel *cancel = container_of(it, struct bsc_cancel, link);
        draft_add(&d, (struct bs_entry){.cid = cancel->cid, .cancel = true});
        list_remove(it);
        mem_free(cancel);
    }
    p->cancels_count -= d.count;
    if (p->cancels_count == 0)
        p->cancel_at = MTIME_NEVER;
    return draft_encode(&d, false);
}

/* Only what waits for an answer may be unsent. */
static struct bs_frame *send_asks(struct bsc_peer *p)
{
    struct draft d = draft_new(p->blocks + p->haves);

    list_for_each_safe (it, &p->unsent) {
        if (d.count == d.room)
            break;
        draft_add(&d, entry_of(container_of(it, struct bsc_ask, unsent)));
    }
    return draft_encode(&d, false);
}

struct bs_frame *bsc_peer_send(struct bsc_peer *p)
{
    if (p->resend)
        return send_all(p);
    if (p->cancels_count > 0)
        return send_cancels(p);
    if (!list_empty(&p->unsent))
        return send_asks(p);
    return NULL;
}

bool bsc_gateway_send(struct bsc_peer *p, struct bs_client_out *ret_out)
{
    struct bs_client_out out = {.kind = BS_CLIENT_FETCH, .peer = p->id};

    if (p->cancels_count > 0) {
        struct list *first = list_first(&p->cancels);
        struct bsc_cancel *cancel =
            container_of(first, struct bsc_cancel, link);
        out.kind = BS_CLIENT_UNFETCH;
        out.cid = cancel->cid;
        list_remove(first);
        mem_free(cancel);
        if (--p->cancels_count == 0)
            p->cancel_at = MTIME_NEVER;
        *ret_out = out;
        return true;
    }
    if (list_empty(&p->unsent))
        return false;
    struct list *first = list_first(&p->unsent);
    out.cid = entry_of(container_of(first, struct bsc_ask, unsent)).cid;
    *ret_out = out;
    return true;
}
