#include "api/steps.h"

#include "api/request.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"

enum { TEXT_MAX = 8 * 1024 };

static struct clock *clock_of(const struct steps *s)
{
    return node_env(s->q->node)->clock;
}

void steps_init(struct steps *s, struct request *q, uint32_t timeout_ms,
                void (*on_timer)(struct timer *t, struct mtime now))
{
    s->q = q;
    s->step_ms = timeout_ms > 0 ? timeout_ms : STEP_MS;
    strbuf_init(&s->text, TEXT_MAX);
    timer_init(&s->timer, on_timer);
}

void steps_release(struct steps *s)
{
    steps_no_limit(s);
    strbuf_release(&s->text);
}

void steps_begin(struct steps *s, const char *step)
{
    struct clock *clock = clock_of(s);

    s->step = step;
    s->began = clock->now(clock);
    clock->set(clock, &s->timer, mtime_add_ms(s->began, s->step_ms));
}

void steps_more_time(struct steps *s, struct mtime now)
{
    struct clock *clock = clock_of(s);

    clock->set(clock, &s->timer, mtime_add_ms(now, s->step_ms));
}

void steps_no_limit(struct steps *s)
{
    struct clock *clock = clock_of(s);

    clock->set(clock, &s->timer, MTIME_NEVER);
}

json_t *steps_line(struct steps *s, const char *result, const char *detail)
{
    struct clock *clock = clock_of(s);
    uint64_t ms = mtime_ms_since(s->began, clock->now(clock));

    steps_no_limit(s);
    json_t *v = json_pack("{s:s,s:s,s:I}", "step", s->step, "result", result,
                          "ms", (json_int_t)ms);
    if (detail != NULL)
        json_object_set_new(v, "detail", json_string(detail));
    return v;
}

void steps_tell(struct steps *s, const char *result, const char *detail,
                const char *remedy)
{
    json_t *v = steps_line(s, result, detail);

    if (remedy != NULL)
        json_object_set_new(v, "remedy", json_string(remedy));
    lines_json(s->q, v);
}

void steps_skip(struct steps *s, const char *step, const char *detail)
{
    steps_begin(s, step);
    steps_tell(s, "not_tried", detail, NULL);
}

const char *steps_counted(struct steps *s, uint64_t number, const char *words)
{
    strbuf_reset(&s->text);
    strbuf_u64(&s->text, number);
    strbuf_str(&s->text, words);
    return strbuf_cstr(&s->text);
}

bool steps_ask_probe(struct request *q, struct peering_probe *probe,
                     const struct peer_id *peer, struct mtime now)
{
    struct peering *peering = node_peering(q->node);
    struct swarm *swarm = network_swarm(node_network(q->node));
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};

    while (peering != NULL && swarm_conn_next(swarm, at, &info) == OK) {
        struct peer_id via = *info.peer;
        at = info.conn;
        if (peering_ask_probe(peering, probe, &via, peer, now) == OK)
            return true;
    }
    return false;
}
