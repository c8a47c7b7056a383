#include "node/surveying.h"

#include <assert.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "base/wr.h"
#include "config/config.h"
#include "env/clock.h"
#include "env/env.h"
#include "libp2p/swarm.h"
#include "multiformats/key.h"
#include "node/dht.h"
#include "node/finding.h"
#include "node/network.h"
#include "node/node.h"
#include "node/peering.h"
#include "node/rpc.h"
#include "storage/message.h"
#include "storage/survey.h"

/*
 * Whatever comes only notes itself and sets the timer; all that follows from
 * it is done in on_timer(), and nowhere else.
 */

enum { ADDRS_MAX = 8, TARGET_ADDRS_MAX = 4, TEXT_MAX = 300 };

/* One that is asked. */
struct target {
    struct surveying *surveying;
    struct peer_id peer;
    struct multiaddr addrs[TARGET_ADDRS_MAX];
    size_t addrs_count;
    enum {
        TARGET_WAITS,
        TARGET_ASKED,
        TARGET_LOOKED_FOR,
        TARGET_ANSWERED,
        TARGET_FAILED,
    } state;
    bool was_looked_for;
    bool lied;
    struct survey_page page;
    unsigned pages;
    struct rpc_call call;
    struct dht_op where;
    struct list link;
};

struct surveying {
    struct node *node;
    struct surveying_config config;
    char protocol[NODE_PROTOCOL_MAX];
    struct survey *survey;
    struct rpc *rpc;
    struct network_watcher watcher;
    struct list targets;
    size_t targets_count;
    size_t connected_count; /* of them, for being connected */
    size_t busy;            /* asked or looked for, now */
    struct dht_op find;
    bool searching;
    bool search_again; /* the DHT knew nobody */
    struct mtime begun;
    struct mtime deadline;
    struct mtime whole_at; /* 0: not yet */
    struct timer timer;
    struct fault fault;
};

static struct clock *clock_of(const struct surveying *s)
{
    return node_env(s->node)->clock;
}

static void wake(struct surveying *s)
{
    struct clock *clock = clock_of(s);

    clock->set(clock, &s->timer, clock->now(clock));
}

/* Whom to ask. */

static struct target *target_of(struct surveying *s, const struct peer_id *peer)
{
    list_for_each (it, &s->targets) {
        struct target *t = container_of(it, struct target, link);
        if (peer_id_eq(&t->peer, peer))
            return t;
    }
    return NULL;
}

/* NULL when there is no room for it, or it is this node. */
static struct target *add_target(struct surveying *s,
                                 const struct peer_id *peer)
{
    struct peer_id self = privkey_peer_id(node_key(s->node));
    struct target *t = target_of(s, peer);

    if (t != NULL)
        return t;
    if (s->targets_count == SURVEYING_PEERS_MAX || peer_id_eq(peer, &self))
        return NULL;
    t = mem_zalloc(1, sizeof(*t));
    t->surveying = s;
    t->peer = *peer;
    list_add_tail(&s->targets, &t->link);
    s->targets_count++;
    return t;
}

static void add_connected(struct surveying *s, const struct peer_id *peer)
{
    size_t before = s->targets_count;

    if (s->connected_count >= SURVEYING_CONNECTED_MAX)
        return;
    (void)add_target(s, peer); /* the count tells */
    s->connected_count += s->targets_count - before;
}

static void on_peer(struct network_watcher *w, const struct swarm_out *out,
                    struct mtime now)
{
    struct surveying *s = container_of(w, struct surveying, watcher);

    (void)now;
    if (out->type != SWARM_IDENTIFIED ||
        !swarm_identified_serves(&out->identified, s->protocol))
        return;
    add_connected(s, &out->peer);
    wake(s);
}

static void add_all_connected(struct surveying *s)
{
    struct swarm *swarm = network_swarm(node_network(s->node));
    struct swarm_conn_info info;
    struct conn_id at = {.n = 0};

    while (swarm_conn_next(swarm, at, &info) == OK) {
        at = info.conn;
        if (swarm_identified_serves(&info.identified, s->protocol))
            add_connected(s, info.peer);
    }
}

static void add_named(struct surveying *s)
{
    size_t count = 0;
    const struct peer_id *names = survey_names(s->survey, &count);

    for (size_t i = 0; i < count; i++)
        (void)add_target(s, &names[i]); /* else there are enough */
}

/* Where they are. */

static void set_addrs(struct target *t, const struct dht_found *found)
{
    size_t count = found->count;

    if (count > TARGET_ADDRS_MAX)
        count = TARGET_ADDRS_MAX;
    if (count == 0)
        return;
    memcpy(t->addrs, found->addrs, count * sizeof(t->addrs[0]));
    t->addrs_count = count;
}

static void on_provider(struct dht_op *op, const struct dht_found *found,
                        struct mtime now)
{
    struct surveying *s = container_of(op, struct surveying, find);
    struct target *t = add_target(s, &found->peer);

    (void)now;
    if (t == NULL)
        return;
    set_addrs(t, found);
    wake(s);
}

static void on_searched(struct dht_op *op, enum err err, struct mtime now)
{
    struct surveying *s = container_of(op, struct surveying, find);

    (void)err; /* who was found tells */
    (void)now;
    s->searching = false;
    s->search_again = op->lonely;
    wake(s);
}

static void search(struct surveying *s, struct mtime now)
{
    s->search_again = false;
    if (node_dht(s->node) == NULL)
        return; /* the node goes down */
    s->find.found = on_provider;
    s->find.done = on_searched;
    s->searching = true;
    dht_find_providers(node_dht(s->node), &s->find, &s->config.root.hash,
                       FINDING_PROVIDERS_MAX, now);
}

static void on_where(struct dht_op *op, const struct dht_found *found,
                     struct mtime now)
{
    (void)now;
    set_addrs(container_of(op, struct target, where), found);
}

static void on_where_done(struct dht_op *op, enum err err, struct mtime now)
{
    struct target *t = container_of(op, struct target, where);

    (void)err; /* the addresses tell */
    (void)now;
    t->surveying->busy--;
    t->state = t->addrs_count > 0 ? TARGET_WAITS : TARGET_FAILED;
    wake(t->surveying);
}

/* None of its addresses leads to it, or none is known. */
static void look_for(struct target *t, struct mtime now)
{
    struct surveying *s = t->surveying;

    t->was_looked_for = true;
    t->addrs_count = 0;
    t->state = TARGET_FAILED;
    if (node_dht(s->node) == NULL)
        return;
    t->state = TARGET_LOOKED_FOR;
    s->busy++;
    t->where.found = on_where;
    t->where.done = on_where_done;
    dht_find_peer(node_dht(s->node), &t->where, &t->peer, now);
}

/* Asking. */

static void judge(struct target *t, struct mtime now)
{
    struct peering *p = node_peering(t->surveying->node);

    t->lied = true;
    if (p != NULL)
        peering_event(p, &t->peer, QUALITY_FAULT, QUALITY_SEVERITY_MAX / 2,
                      now);
}

/* What it said was taken; there may be another page. */
static void answered(struct target *t, const struct survey_page *next)
{
    t->state = TARGET_ANSWERED;
    if (next->len == 0) {
        survey_told_all(t->surveying->survey, &t->peer);
    } else if (++t->pages < SURVEY_PAGES_MAX) {
        t->page = *next;
        t->state = TARGET_WAITS;
    }
}

static void take(struct target *t, struct bytes answer, struct mtime now)
{
    struct surveying *s = t->surveying;
    struct clock *clock = clock_of(s);
    struct survey_page next;
    enum err err =
        survey_take(s->survey, &t->peer, answer, clock->unix_ms(clock), &next);

    if (err != OK && err != E_REFUSED)
        judge(t, now);
    if (err == OK || err == E_MISMATCH)
        answered(t, &next);
    else
        t->state = err == E_REFUSED ? TARGET_ANSWERED : TARGET_FAILED;
}

static void on_answer(struct rpc_call *call, enum err err, struct bytes answer,
                      struct mtime now)
{
    struct target *t = container_of(call, struct target, call);

    t->surveying->busy--;
    if (err == OK)
        take(t, answer, now);
    else if (!t->was_looked_for && err != E_UNSUPPORTED)
        look_for(t, now);
    else
        t->state = TARGET_FAILED;
    wake(t->surveying);
}

static void ask(struct target *t, struct mtime now)
{
    struct surveying *s = t->surveying;
    struct multiaddr addrs[ADDRS_MAX];
    struct peering *p = node_peering(s->node);
    uint8_t *room = mem_alloc(STORAGE_MESSAGE_BYTES_MAX);
    struct wr w = wr_init(room, STORAGE_MESSAGE_BYTES_MAX);
    struct rpc_request request = {
        .target = {.peer = t->peer, .addrs = addrs, .count = t->addrs_count},
        .answer_max = STORAGE_MESSAGE_BYTES_MAX,
        .timeout_ms = SURVEYING_CALL_MS,
    };

    memcpy(addrs, t->addrs, t->addrs_count * sizeof(addrs[0]));
    if (p != NULL)
        request.target.count += peering_addrs(
            p, &t->peer, addrs + t->addrs_count, ADDRS_MAX - t->addrs_count);
    survey_ask(s->survey, &t->page, &w);
    request.message = (struct bytes){room, wr_len(&w)};
    t->state = TARGET_ASKED;
    t->call.done = on_answer;
    s->busy++;
    rpc_call_start(s->rpc, &t->call, &request, now);
    mem_free(room);
}

/* Return: whether anybody is asked, or is to be. */
static bool ask_some(struct surveying *s, struct mtime now)
{
    list_for_each (it, &s->targets) {
        struct target *t = container_of(it, struct target, link);
        if (s->busy >= SURVEYING_PARALLEL)
            break;
        if (t->state == TARGET_WAITS)
            ask(t, now);
    }
    return s->busy > 0;
}

/* The end. */

struct surveying_counts surveying_counts(const struct surveying *s)
{
    struct surveying_counts counts = {.asked = (uint32_t)s->targets_count};

    list_for_each (it, &s->targets) {
        const struct target *t = container_of(it, struct target, link);
        counts.answered += t->state == TARGET_ANSWERED;
        counts.lied += t->lied;
    }
    return counts;
}

static void put_count(struct strbuf *out, uint32_t count, const char *words)
{
    strbuf_u64(out, count);
    strbuf_str(out, count == 1 ? " node" : " nodes");
    strbuf_str(out, words);
}

/* Nobody could be asked, or none of them answered. */
static enum error_id tell_silence(const struct surveying *s, uint32_t asked,
                                  bool is_late, struct strbuf *out)
{
    if (asked == 0 && node_is_visitor(s->node)) {
        strbuf_str(out, "nobody could be asked: ");
        node_tell_lonely(s->node, out);
        return ERROR_NOT_FOUND;
    }
    if (asked == 0) {
        strbuf_str(out, "nobody could be asked: this node is connected to "
                        "none that keeps objects, and the DHT names nobody");
        return ERROR_NOT_FOUND;
    }
    strbuf_str(out, "no answer from the ");
    put_count(out, asked, " that may know it");
    return is_late ? ERROR_TIMEOUT : ERROR_PEER_UNREACHABLE;
}

static enum error_id tell_ignorance(const struct surveying *s,
                                    const struct surveying_counts *counts,
                                    struct strbuf *out)
{
    if (survey_is_released(s->survey)) {
        strbuf_str(out, "its owner has released it");
        return ERROR_NOT_FOUND;
    }
    strbuf_str(out, "no such object is known to the ");
    put_count(out, counts->answered, " that answered");
    if (counts->asked > counts->answered) {
        strbuf_str(out, "; no answer from ");
        strbuf_u64(out, counts->asked - counts->answered);
        strbuf_str(out, " more");
    }
    return ERROR_NOT_FOUND;
}

static void set_fault(struct surveying *s, bool is_late)
{
    struct surveying_counts counts = surveying_counts(s);
    struct strbuf text;
    char cid[CID_TEXT_MAX];
    size_t len = cid_format(&s->config.root, cid);

    strbuf_init(&text, TEXT_MAX);
    enum error_id id = counts.answered > 0
                           ? tell_ignorance(s, &counts, &text)
                           : tell_silence(s, counts.asked, is_late, &text);
    if (counts.lied > 0) {
        strbuf_str(&text, "; forged or malformed answers: ");
        strbuf_u64(&text, counts.lied);
    }
    fault_set(&s->fault, id, strbuf_cstr(&text),
              (struct bytes){(uint8_t *)cid, len});
    strbuf_release(&text);
}

static void finish(struct surveying *s, bool is_late, struct mtime now)
{
    bool found = survey_count(s->survey) > 0;

    if (!found)
        set_fault(s, is_late);
    s->config.done(s->config.user, found ? OK : E_NOTFOUND, now);
}

/* A node that has just started knows nobody yet. */
static bool may_wait(const struct surveying *s, struct mtime now)
{
    return node_is_lonely(s->node, now) ||
           !mtime_reached(now, mtime_add_ms(s->begun, FINDING_JOIN_MS));
}

/* As many have answered as are wanted, and the search only goes on. */
static bool is_enough(struct surveying *s, struct mtime now)
{
    if (!survey_is_whole(s->survey))
        return false;
    if (s->whole_at.ns == 0)
        s->whole_at = now;
    return mtime_reached(now, mtime_add_ms(s->whole_at, SURVEYING_WHOLE_MS));
}

static void on_timer(struct timer *timer, struct mtime now)
{
    struct surveying *s = container_of(timer, struct surveying, timer);
    struct clock *clock = clock_of(s);
    struct mtime next = s->deadline;

    if (mtime_reached(now, s->deadline)) {
        finish(s, true, now);
        return;
    }
    add_named(s);
    bool asks = ask_some(s, now);
    if (s->search_again && !may_wait(s, now))
        s->search_again = false;
    if (s->search_again && node_dht(s->node) != NULL &&
        !dht_is_lonely(node_dht(s->node)))
        search(s, now);
    bool seeks = s->searching || s->search_again;
    if (!asks && (!seeks || is_enough(s, now))) {
        finish(s, false, now);
        return;
    }
    if (s->search_again || s->whole_at.ns != 0)
        next = mtime_min(next, mtime_add_ms(now, FINDING_JOIN_LOOK_MS));
    clock->set(clock, timer, next);
}

/* Life. */

struct surveying *surveying_new(struct node *n,
                                const struct surveying_config *config,
                                struct mtime now)
{
    struct surveying *s = mem_zalloc(1, sizeof(*s));
    struct cid root = cid_to_v1(&config->root);

    assert(node_network(n) != NULL);
    s->node = n;
    s->config = *config;
    s->config.root = root;
    s->begun = now;
    s->deadline = mtime_add_ms(now, config->timeout_ms > 0 ? config->timeout_ms
                                                           : SURVEYING_MS);
    node_protocol(n, "/storage/1.0.0", s->protocol);
    s->survey = survey_new(
        config_get_text(node_settings(n), CONFIG_NETWORK_NAME), &root);
    struct rpc_config rpc = {.protocol = s->protocol};
    s->rpc = rpc_new(node_env(n), node_network(n), &rpc, now);
    timer_init(&s->timer, on_timer);
    list_init(&s->targets);
    add_all_connected(s);
    s->watcher.on_peer = on_peer;
    network_watch(node_network(n), &s->watcher);
    if (s->targets_count == 0 && node_peering(n) != NULL)
        peering_lonely(node_peering(n), now);
    search(s, now);
    wake(s);
    return s;
}

void surveying_free(struct surveying *s)
{
    if (s == NULL)
        return;
    struct clock *clock = clock_of(s);
    clock->set(clock, &s->timer, MTIME_NEVER);
    network_unwatch(&s->watcher);
    dht_cancel(&s->find);
    list_for_each_safe (it, &s->targets) {
        struct target *t = container_of(it, struct target, link);
        rpc_cancel(&t->call);
        dht_cancel(&t->where);
        list_remove(it);
        mem_free(t);
    }
    rpc_free(s->rpc, clock->now(clock));
    survey_free(s->survey);
    mem_free(s);
}

const struct survey *surveying_survey(const struct surveying *s)
{
    return s->survey;
}

const struct fault *surveying_fault(const struct surveying *s)
{
    return &s->fault;
}
