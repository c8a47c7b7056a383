/* POST /api/v1/objects/leave: hand over what is kept for others. */
#include "api/request.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/node.h"
#include "node/objects.h"

enum {
    TIMEOUT_MS = 3600 * 1000, /* unless told otherwise */
    STILL_MS = 5 * 1000,      /* nothing moves: why? */
    PAGE = 16,                /* objects looked at then */
    TEXT_MAX = 200,
};

struct leaving {
    struct request *q;
    struct objects_op op;
    struct timer timer;
    struct mtime deadline;
    size_t total; /* to be handed over when it began */
    size_t gone;  /* as last seen */
    struct mtime moved_at;
    bool has_told; /* why nothing moves */
    bool ended;    /* nothing is to be handed over any more */
};

static struct clock *clock_of(const struct leaving *l)
{
    return node_env(l->q->node)->clock;
}

/* What its owner has released is handed to nobody: it stays its time. */
static size_t count_releasing(const struct leaving *l)
{
    return objects_stats(node_objects(l->q->node)).releasing;
}

static size_t count_held(const struct leaving *l)
{
    return objects_stats(node_objects(l->q->node)).held - count_releasing(l);
}

static size_t count_gone(const struct leaving *l)
{
    size_t held = count_held(l);

    return held < l->total ? l->total - held : 0;
}

static void on_left(struct objects_op *op, enum err err, struct mtime now)
{
    struct leaving *l = container_of(op, struct leaving, op);

    (void)now;
    if (err != OK) {
        reply_error(l->q, error_of_err(err), NULL, NULL);
        return;
    }
    l->ended = true;
    json_t *line = json_pack("{s:I,s:I}", "handed_over", (json_int_t)l->total,
                             "left", (json_int_t)0);
    size_t releasing = count_releasing(l);
    if (releasing > 0)
        (void)json_object_set_new(line, "releasing",
                                  json_integer((json_int_t)releasing));
    lines_json(l->q, line);
    lines_end(l->q);
}

/* It goes on keeping what nobody else has taken. */
static void give_up(struct leaving *l)
{
    struct strbuf text;

    strbuf_init(&text, TEXT_MAX);
    strbuf_u64(&text, count_gone(l));
    strbuf_str(&text, " of ");
    strbuf_u64(&text, l->total);
    strbuf_str(&text, l->total == 1 ? " object was" : " objects were");
    strbuf_str(&text, " handed over in time; this node goes on keeping ");
    strbuf_str(&text, l->total == 1 ? "it" : "the others");
    reply_error(l->q, ERROR_TIMEOUT, strbuf_cstr(&text), NULL);
    strbuf_release(&text);
}

/* Whether for some object nobody is known who could take it. */
static bool lacks_nodes(const struct leaving *l)
{
    struct keeper_status *page = mem_zalloc(PAGE, sizeof(*page));
    size_t count = objects_list(node_objects(l->q->node), 0, page, PAGE);
    bool lacks = false;

    for (size_t i = 0; i < count; i++)
        lacks |= page[i].role == KEEPER_HOLDER && page[i].partial;
    mem_free(page);
    return lacks;
}

static void look_whether_it_moves(struct leaving *l, struct mtime now)
{
    size_t gone = count_gone(l);

    if (gone != l->gone) {
        l->gone = gone;
        l->moved_at = now;
        l->has_told = false;
    }
    if (l->has_told || !mtime_reached(now, mtime_add_ms(l->moved_at, STILL_MS)))
        return;
    l->has_told = true;
    lines_json(l->q, json_pack("{s:s}", "waits_for",
                               lacks_nodes(l) ? "nodes" : "receipts"));
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct leaving *l = container_of(t, struct leaving, timer);
    struct clock *clock = clock_of(l);

    if (mtime_reached(now, l->deadline)) {
        give_up(l);
        return;
    }
    look_whether_it_moves(l, now);
    if (!request_is_full(l->q))
        lines_progress(l->q, count_gone(l), l->total, "objects");
    clock->set(clock, t,
               mtime_min(mtime_add_ms(now, PROGRESS_MS), l->deadline));
}

/* Whoever asked is gone before the end, or the time is over. */
static void cancel(struct request *q)
{
    struct leaving *l = q->op;
    struct clock *clock = clock_of(l);

    clock->set(clock, &l->timer, MTIME_NEVER);
    objects_cancel(&l->op);
    if (!l->ended)
        objects_stay(node_objects(q->node), clock->now(clock));
    mem_free(l);
}

void handle_objects_leave(struct request *q, struct mtime now)
{
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    if (!good)
        return;
    struct leaving *l = mem_zalloc(1, sizeof(*l));
    struct clock *clock = node_env(q->node)->clock;
    l->q = q;
    l->moved_at = now;
    l->total = count_held(l);
    l->op.done = on_left;
    enum err err = objects_leave(node_objects(q->node), &l->op, now);
    if (err != OK) {
        mem_free(l);
        reply_error(q, err == E_CLOSED ? ERROR_NETWORK_OFF : error_of_err(err),
                    err == E_AGAIN ? "this node is handing over already" : NULL,
                    NULL);
        return;
    }
    if (timeout_ms == 0)
        timeout_ms = TIMEOUT_MS;
    timer_init(&l->timer, on_timer);
    l->deadline = mtime_add_ms(now, timeout_ms);
    q->op = l;
    q->cancel = cancel;
    lines_json(q, json_pack("{s:I,s:I}", "leaving", (json_int_t)l->total,
                            "timeout_s", (json_int_t)(timeout_ms / 1000)));
    clock->set(clock, &l->timer, mtime_add_ms(now, PROGRESS_MS));
}
