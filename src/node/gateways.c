#include "node/gateways.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "bitswap/client.h"
#include "crypto/sha256.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/log.h"

/*
 * 1. A gateway is a source of the client while it is READY, and only then are
 *    blocks requested of it.
 * 2. READY -> RESTING: rest(), when it is busy, wrong or lies; its requests
 *    end.  RESTING -> RESTED: on_timer().  RESTED -> PROBED: probe(), when
 *    something is wanted.  PROBED -> READY or RESTING: on_probed().
 * 3. There is at most one request for a block at a gateway.
 * 4. At most UNDER_WAY_MAX requests for blocks are at the web, each of which
 *    may come to hold a body of BLOCK_BYTES_MAX.  Of these every gateway may
 *    have OWN_MAX at any time, so that others cannot keep it out; the rest is
 *    for whoever asks first.  What is over waits: start_waiting().
 */
enum {
    CONNECT_MS = 10 * 1000,
    REQUEST_MS = 120 * 1000, /* the client ends those that stall before */
    PROBE_MS = 10 * 1000,
    TRIES_MAX = 2, /* of a request whose connection breaks */
    FULL_MS = 60 * 1000,
    BODIES_MAX = 48 << 20, /* bytes of blocks under way, at worst */
    UNDER_WAY_MAX = BODIES_MAX / BLOCK_BYTES_MAX,
    OWN_MAX = 2,                /* of these, for each gateway */
    PROBE_BODY_MAX = 64 * 1024, /* more than what says why it is none */
    AGENT_MAX = 64,
    WHY_MAX = WEB_WHY_MAX + WEB_TYPE_MAX, /* room, with NUL */
    HASH_SHA2_256 = 0x12,
};

enum gateway_state {
    GATEWAY_READY,
    GATEWAY_RESTING, /* until @until */
    GATEWAY_RESTED,  /* to be probed when something is wanted */
    GATEWAY_PROBED,  /* asked for the empty block */
};

_Static_assert(OWN_MAX *GATEWAYS_MAX < UNDER_WAY_MAX, "some are shared");

struct gateway {
    struct gateways *all;
    char *url; /* its origin */
    struct peer_id id;
    enum gateway_state state;
    struct mtime until;
    uint32_t failures;  /* in a row */
    uint32_t oversized; /* in a row */
    char why[WHY_MAX];  /* it rests, or rested last; "": it never did */
    struct list requests;
    size_t under_way; /* requests for blocks at the web */
};

enum request_turn {
    TURN_UNCOUNTED, /* a probe or a look */
    TURN_WAITS,     /* the web has not heard of it */
    TURN_UNDER_WAY,
};

struct gateway_request {
    struct web_get get;
    struct gateway *gateway;
    struct gateways_look *look; /* HEAD for it; NULL: a block, or the probe */
    struct cid cid;
    unsigned tries;
    enum request_turn turn;
    struct list link;    /* in gateway.requests, but for a look */
    struct list waiting; /* in gateways.waiting */
    char url[WEB_URL_MAX + 1];
};

struct gateways {
    struct env *env;
    struct log *log;
    struct bs_client *client;
    char agent[AGENT_MAX];
    struct gateway items[GATEWAYS_MAX];
    size_t count;
    size_t rested_count;
    size_t looks_count;  /* requests of looks */
    struct list waiting; /* requests, the oldest first */
    struct timer timer;
};

static struct gateway *gateway_of(struct gateways *g, const struct peer_id *id)
{
    for (size_t i = 0; i < g->count; i++) {
        if (peer_id_eq(&g->items[i].id, id))
            return &g->items[i];
    }
    return NULL;
}

static void log_gateway(const struct gateway *g, const char *event,
                        const char *why)
{
    struct log_line line;

    log_begin(&line, g->all->log, LOG_INFO, "gateways", event);
    log_str(&line, "url", bytes_str(g->url));
    if (why != NULL)
        log_str(&line, "why", bytes_str(why));
    log_end(&line);
}

/* Requests. */

static struct gateway_request *request_new(struct gateway *g, const char *path)
{
    struct gateway_request *r = mem_zalloc(1, sizeof(*r));
    struct strbuf s;

    r->gateway = g;
    list_init(&r->link);
    list_init(&r->waiting);
    r->get.url = r->url;
    r->get.accept = GATEWAY_TYPE;
    r->get.agent = g->all->agent;
    r->get.connect_ms = CONNECT_MS;
    r->get.total_ms = REQUEST_MS;
    r->get.body_max = BLOCK_BYTES_MAX;
    if (path == NULL)
        return r;
    strbuf_init(&s, WEB_URL_MAX);
    strbuf_str(&s, g->url);
    strbuf_str(&s, path);
    memcpy(r->url, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
    return r;
}

static enum err request_start(struct gateway_request *r)
{
    struct web *web = r->gateway->all->env->web;

    return web->get(web, &r->get);
}

/* The web knows nothing of it any more. */
static void request_free(struct gateway_request *r)
{
    if (r->turn == TURN_UNDER_WAY)
        r->gateway->under_way--;
    list_remove(&r->waiting);
    list_remove(&r->link);
    mem_free(r);
}

static void request_cancel(struct gateway_request *r)
{
    struct web *web = r->gateway->all->env->web;

    if (r->turn != TURN_WAITS)
        web->cancel(web, &r->get);
    request_free(r);
}

static void cancel_all(struct gateway *g)
{
    while (!list_empty(&g->requests))
        request_cancel(container_of(list_first(&g->requests),
                                    struct gateway_request, link));
}

/* States. */

static void set_timer(struct gateways *g)
{
    struct mtime at = MTIME_NEVER;

    for (size_t i = 0; i < g->count; i++) {
        if (g->items[i].state == GATEWAY_RESTING)
            at = mtime_min(at, g->items[i].until);
    }
    g->env->clock->set(g->env->clock, &g->timer, at);
}

static void set_why(struct gateway *g, const char *why)
{
    struct strbuf s;

    strbuf_init(&s, WHY_MAX - 1);
    strbuf_str(&s, why);
    memcpy(g->why, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
}

static void set_state(struct gateway *g, enum gateway_state state)
{
    if (g->state == GATEWAY_RESTED)
        g->all->rested_count--;
    if (state == GATEWAY_RESTED)
        g->all->rested_count++;
    g->state = state;
}

/* Ask it for nothing for a while. */
static void rest(struct gateway *g, uint32_t ms, const char *why,
                 struct mtime now)
{
    bool drops = ms >= GATEWAY_WRONG_MS;

    cancel_all(g);
    if (g->state == GATEWAY_READY)
        bs_client_peer_removed(g->all->client, &g->id, now);
    set_state(g, GATEWAY_RESTING);
    g->until = mtime_add_ms(now, ms);
    set_timer(g->all);
    set_why(g, why);
    log_gateway(g, drops ? "gateway_dropped" : "gateway_rests", why);
}

static void make_ready(struct gateway *g, struct mtime now)
{
    set_state(g, GATEWAY_READY);
    if (bs_client_gateway_added(g->all->client, &g->id, now) == OK)
        return;
    set_state(g, GATEWAY_RESTING);
    set_why(g, "there are too many peers");
    g->until = mtime_add_ms(now, FULL_MS);
    set_timer(g->all);
}

static void say_status(const struct web_answer *a, struct strbuf *out)
{
    if (a->why[0] != '\0') {
        strbuf_str(out, a->why);
        return;
    }
    if (a->status == 200) {
        strbuf_str(out, "it answers with something else than a block: ");
        strbuf_str(out, a->type[0] != '\0' ? a->type : "no type");
        return;
    }
    strbuf_str(out, "status ");
    strbuf_u64(out, a->status);
}

/* It failed, and not for one block only. */
static void fail(struct gateway *g, enum gateway_verdict verdict,
                 const struct web_answer *a, struct mtime now)
{
    struct strbuf why;
    uint32_t ms = GATEWAY_WRONG_MS;

    if (verdict == GATEWAY_BUSY)
        ms = gateway_rest_ms(++g->failures, a->retry_after_s);
    strbuf_init(&why, WHY_MAX - 1);
    say_status(a, &why);
    rest(g, ms, strbuf_cstr(&why), now);
    strbuf_release(&why);
}

static void on_probed(struct web_get *get, const struct web_answer *a,
                      struct mtime now)
{
    struct gateway_request *r = container_of(get, struct gateway_request, get);
    struct gateway *g = r->gateway;
    enum gateway_verdict verdict = gateway_judge(a);

    list_remove(&r->link);
    mem_free(r);
    if (verdict == GATEWAY_GIVES && buf_bytes(a->body).len == 0)
        make_ready(g, now);
    else
        fail(g, verdict == GATEWAY_BUSY ? GATEWAY_BUSY : GATEWAY_WRONG, a, now);
}

/* It has rested: is it well? */
static void probe(struct gateway *g, struct mtime now)
{
    struct gateway_request *r = request_new(g, GATEWAY_PROBE);

    r->get.done = on_probed;
    r->get.body_max = PROBE_BODY_MAX;
    r->get.total_ms = PROBE_MS;
    set_state(g, GATEWAY_PROBED);
    enum err err = request_start(r);
    if (err == OK) {
        list_add_tail(&g->requests, &r->link);
        return;
    }
    mem_free(r);
    rest(g, GATEWAY_REST_MAX_MS, err_name(err), now);
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct gateways *all = container_of(t, struct gateways, timer);

    for (size_t i = 0; i < all->count; i++) {
        struct gateway *g = &all->items[i];
        if (g->state == GATEWAY_RESTING && mtime_reached(now, g->until))
            set_state(g, GATEWAY_RESTED);
    }
    set_timer(all);
    if (bs_client_get_stats(all->client).wants_count > 0)
        gateways_wanted(all);
}

void gateways_wanted(struct gateways *g)
{
    struct mtime now = g->env->clock->now(g->env->clock);

    if (g->rested_count == 0)
        return;
    for (size_t i = 0; i < g->count; i++) {
        if (g->items[i].state == GATEWAY_RESTED)
            probe(&g->items[i], now);
    }
}

/* Blocks. */

/* Whether one more request for a block may go to @g. */
static bool may_start(const struct gateway *g)
{
    const struct gateways *all = g->all;
    size_t shared = 0;

    if (g->under_way < OWN_MAX)
        return true;
    for (size_t i = 0; i < all->count; i++) {
        size_t count = all->items[i].under_way;
        shared += count > OWN_MAX ? count - OWN_MAX : 0;
    }
    return shared < UNDER_WAY_MAX - OWN_MAX * all->count;
}

/* The oldest that may start, or NULL. */
static struct gateway_request *next_waiting(const struct gateways *g)
{
    list_for_each (it, &g->waiting) {
        struct gateway_request *r =
            container_of(it, struct gateway_request, waiting);
        if (may_start(r->gateway))
            return r;
    }
    return NULL;
}

/* Some have come or have ended: others may begin. */
static void start_waiting(struct gateways *g, struct mtime now)
{
    struct gateway_request *r = next_waiting(g);

    while (r != NULL) {
        enum err err = request_start(r);
        if (err == OK) {
            list_remove(&r->waiting);
            r->turn = TURN_UNDER_WAY;
            r->gateway->under_way++;
        } else { /* all that it was asked for ends */
            rest(r->gateway, GATEWAY_REST_MAX_MS, err_name(err), now);
        }
        r = next_waiting(g);
    }
}

static void on_moved(struct web_get *get, struct mtime now)
{
    const struct gateway *g =
        container_of(get, struct gateway_request, get)->gateway;

    bs_client_on_bytes(g->all->client, &g->id, now);
}

/* Once more, where it may have been the connection. */
static bool try_again(struct gateway_request *r, const struct web_answer *a)
{
    return a->err == E_CLOSED && ++r->tries < TRIES_MAX &&
           request_start(r) == OK;
}

static void take_block(struct gateway *g, const struct cid *cid,
                       const struct web_answer *a, struct mtime now)
{
    struct slice data = slice_of(a->body, buf_bytes(a->body));

    g->failures = 0;
    g->oversized = 0;
    bs_client_on_block(g->all->client, &g->id, cid, data, now);
}

static void on_block(struct web_get *get, const struct web_answer *a,
                     struct mtime now)
{
    struct gateway_request *r = container_of(get, struct gateway_request, get);
    struct gateway *g = r->gateway;
    struct cid cid = r->cid;
    enum gateway_verdict verdict = gateway_judge(a);

    if (try_again(r, a))
        return;
    request_free(r);
    if (a->err == E_LIMIT && ++g->oversized >= GATEWAY_OVERSIZED_MAX)
        verdict = GATEWAY_WRONG;
    switch (verdict) {
    case GATEWAY_GIVES:
        take_block(g, &cid, a, now);
        break;
    case GATEWAY_HAS_NOT:
        bs_client_on_no_block(g->all->client, &g->id, &cid, now);
        break;
    case GATEWAY_BUSY:
    case GATEWAY_WRONG:
        fail(g, verdict, a, now);
        break;
    }
    start_waiting(g->all, now);
}

static struct gateway_request *find_request(const struct gateway *g,
                                            const struct cid *cid)
{
    list_for_each (it, &g->requests) {
        struct gateway_request *r =
            container_of(it, struct gateway_request, link);
        if (cid_eq(&r->cid, cid))
            return r;
    }
    return NULL;
}

void gateways_fetch(struct gateways *g, const struct peer_id *id,
                    const struct cid *cid, struct mtime now)
{
    struct gateway *to = gateway_of(g, id);

    if (to == NULL || to->state != GATEWAY_READY ||
        find_request(to, cid) != NULL)
        return;
    struct gateway_request *r = request_new(to, NULL);
    gateway_block_url(to->url, cid, r->url);
    r->cid = *cid;
    r->get.done = on_block;
    r->get.moved = on_moved;
    r->turn = TURN_WAITS;
    list_add_tail(&to->requests, &r->link);
    list_add_tail(&g->waiting, &r->waiting);
    start_waiting(g, now);
}

void gateways_unfetch(struct gateways *g, const struct peer_id *id,
                      const struct cid *cid)
{
    const struct gateway *to = gateway_of(g, id);
    struct gateway_request *r = to != NULL ? find_request(to, cid) : NULL;

    if (r == NULL)
        return;
    request_cancel(r);
    start_waiting(g, g->env->clock->now(g->env->clock));
}

void gateways_lied(struct gateways *g, const struct peer_id *id,
                   struct mtime now)
{
    struct gateway *liar = gateway_of(g, id);

    if (liar == NULL)
        return;
    rest(liar, GATEWAY_WRONG_MS, "it gave wrong bytes for a block", now);
    start_waiting(g, now);
}

/* Looks. */

static void look_answered(struct gateways_look *l, const struct gateway *g,
                          const struct web_answer *a)
{
    struct strbuf why;

    l->answered++;
    if (gateway_judge(a) == GATEWAY_GIVES) {
        l->have++;
        if (l->first == NULL)
            l->first = g->url;
        return;
    }
    strbuf_init(&why, sizeof(l->why) - 1);
    strbuf_str(&why, g->url);
    strbuf_str(&why, ": ");
    say_status(a, &why);
    memcpy(l->why, strbuf_cstr(&why), why.len + 1);
    strbuf_release(&why);
}

static void on_looked(struct web_get *get, const struct web_answer *a,
                      struct mtime now)
{
    struct gateway_request *r = container_of(get, struct gateway_request, get);
    struct gateway *g = r->gateway;
    struct gateways_look *l = r->look;

    l->requests[g - g->all->items] = NULL;
    g->all->looks_count--;
    look_answered(l, g, a);
    mem_free(r);
    if (l->answered == l->asked)
        l->done(l, now);
}

void gateways_look(struct gateways *g, struct gateways_look *l,
                   const struct cid *cid, uint32_t timeout_ms)
{
    for (size_t i = 0; i < g->count; i++) {
        struct gateway_request *r = request_new(&g->items[i], NULL);
        gateway_block_url(g->items[i].url, cid, r->url);
        r->look = l;
        r->get.done = on_looked;
        r->get.is_head = true;
        r->get.total_ms = timeout_ms;
        if (request_start(r) != OK) {
            mem_free(r);
            continue;
        }
        l->requests[i] = r;
        l->asked++;
        g->looks_count++;
    }
}

void gateways_look_cancel(struct gateways_look *l)
{
    for (size_t i = 0; i < GATEWAYS_MAX; i++) {
        struct gateway_request *r = l->requests[i];
        if (r == NULL)
            continue;
        l->requests[i] = NULL;
        r->gateway->all->looks_count--;
        request_cancel(r);
    }
}

/* Life. */

/* No key has this hash, so no peer can come by this name. */
static struct peer_id id_of(const char *url)
{
    struct peer_id id = {.len = 2 + SHA256_BYTES};

    id.bytes[0] = HASH_SHA2_256;
    id.bytes[1] = SHA256_BYTES;
    sha256(bytes_str(url), id.bytes + 2);
    return id;
}

static void add(struct gateways *all, const char *url, struct mtime now)
{
    struct gateway *g = &all->items[all->count];
    size_t len = strlen(url);

    if (len > 0 && url[len - 1] == '/')
        len--;
    char *origin = mem_strdup(url);
    origin[len] = '\0';
    struct peer_id id = id_of(origin);
    if (gateway_of(all, &id) != NULL || len >= GATEWAY_URL_MAX) {
        mem_free(origin);
        return;
    }
    *g = (struct gateway){.all = all, .url = origin, .id = id};
    list_init(&g->requests);
    all->count++;
    make_ready(g, now);
}

struct gateways *gateways_new(const struct gateways_config *config,
                              struct mtime now)
{
    struct gateways *g = mem_zalloc(1, sizeof(*g));
    struct strbuf agent;

    g->env = config->env;
    g->log = config->log;
    g->client = config->client;
    strbuf_init(&agent, AGENT_MAX - 1);
    strbuf_str(&agent, "xmbl/");
    strbuf_str(&agent, config->version);
    memcpy(g->agent, strbuf_cstr(&agent), agent.len + 1);
    strbuf_release(&agent);
    timer_init(&g->timer, on_timer);
    list_init(&g->waiting);
    for (size_t i = 0; i < config->count && g->count < GATEWAYS_MAX; i++)
        add(g, config->urls[i], now);
    return g;
}

void gateways_free(struct gateways *g)
{
    if (g == NULL)
        return;
    assert(g->looks_count == 0);
    g->env->clock->set(g->env->clock, &g->timer, MTIME_NEVER);
    for (size_t i = 0; i < g->count; i++) {
        cancel_all(&g->items[i]);
        mem_free(g->items[i].url);
    }
    mem_free(g);
}

size_t gateways_count(const struct gateways *g)
{
    return g->count;
}

size_t gateways_ready(const struct gateways *g)
{
    size_t ready = 0;

    for (size_t i = 0; i < g->count; i++)
        ready += g->items[i].state == GATEWAY_READY;
    return ready;
}

const char *gateways_why(const struct gateways *g)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->items[i].state != GATEWAY_READY)
            return g->items[i].why;
    }
    return "";
}

const char *gateways_url(const struct gateways *g, const struct peer_id *id)
{
    for (size_t i = 0; i < g->count; i++) {
        if (peer_id_eq(&g->items[i].id, id))
            return g->items[i].url;
    }
    return NULL;
}
