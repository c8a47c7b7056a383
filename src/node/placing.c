#include "node/placing.h"

#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/node.h"
#include "node/objects.h"
#include "node/scanning.h"

enum { LOOK_MS = 500 }; /* what changes without an event is seen then */

struct placing {
    struct node *node;
    struct placing_config config;
    uint8_t name[KEEPER_NAME_MAX];
    struct scanning *scanning;
    struct objects_op op;
    struct objects_watcher watcher;
    bool waiting; /* the record is durable */
    struct keeper_status *status;
    bool has_status;
    struct timer timer;
    struct mtime deadline;
    struct mtime changed_at;
    struct fault fault;
};

enum err placing_wait_of(struct bytes name, enum placing_wait *ret_wait)
{
    static const char *const names[] = {
        [PLACING_LOCAL] = "local",
        [PLACING_STORED] = "stored",
        [PLACING_VERIFIED] = "verified",
        [PLACING_SAFE] = "safe",
    };

    for (size_t i = 0; i < countof(names); i++) {
        if (bytes_eq(name, bytes_str(names[i]))) {
            *ret_wait = (enum placing_wait)i;
            return OK;
        }
    }
    return E_NOTFOUND;
}

const char *placing_state(const struct node *n,
                          const struct keeper_status *status)
{
    bool waits =
        status->state == KEEPER_LOCAL || status->state == KEEPER_ANNOUNCED;

    if (waits && status->partial && node_network(n) != NULL)
        return keeper_state_name(KEEPER_PARTIAL);
    return keeper_state_name(status->state);
}

static struct clock *clock_of(const struct placing *p)
{
    return node_env(p->node)->clock;
}

static void end(struct placing *p, enum err err, struct mtime now)
{
    struct clock *clock = clock_of(p);

    objects_unwatch(&p->watcher);
    clock->set(clock, &p->timer, MTIME_NEVER);
    p->config.done(p->config.user, err, now);
}

static void fail(struct placing *p, enum err err, enum error_id id,
                 const char *what, struct mtime now)
{
    char text[CID_TEXT_MAX];
    size_t len = cid_format(&p->config.root, text);

    fault_set(&p->fault, id, what, (struct bytes){(uint8_t *)text, len});
    end(p, err, now);
}

/* Waiting. */

/* Copies that are being made. */
static bool is_moving(const struct keeper_status *s)
{
    for (size_t i = 0; i < s->holders_count; i++) {
        if (s->holders[i].state == KEEPER_HOLDER_OFFERED ||
            s->holders[i].state == KEEPER_HOLDER_PULLING)
            return true;
    }
    return false;
}

static bool is_reached(const struct placing *p)
{
    const struct keeper_status *s = p->status;
    bool stored = s->copies_stored >= s->copies_wanted;

    switch (p->config.wait) {
    case PLACING_LOCAL:
        return true;
    case PLACING_STORED:
        return stored;
    case PLACING_VERIFIED:
        return stored && s->copies_verified > 0;
    case PLACING_SAFE:
        return s->state == KEEPER_SAFE;
    }
    return true;
}

/* It is as far as it goes with the nodes that are there. */
static bool is_all(const struct placing *p, struct mtime now)
{
    const struct keeper_status *s = p->status;

    if (node_network(p->node) == NULL)
        return true;
    if (is_moving(s))
        return false;
    if (s->partial && !objects_expects_more(node_objects(p->node), now) &&
        (p->config.wait <= PLACING_STORED ||
         s->copies_verified >= s->copies_stored))
        return true;
    return mtime_reached(now, mtime_add_ms(p->changed_at, PLACING_STILL_MS));
}

/* Return: whether anything that is told differs. */
static bool differs(const struct keeper_status *a,
                    const struct keeper_status *b)
{
    return a->state != b->state || a->copies_stored != b->copies_stored ||
           a->copies_verified != b->copies_verified ||
           a->holders_count != b->holders_count || a->partial != b->partial ||
           is_moving(a) != is_moving(b);
}

/* Return: false: it has ended. */
static bool look(struct placing *p, struct mtime now)
{
    struct keeper_status *s = mem_alloc(sizeof(*s));
    enum err err = objects_status(node_objects(p->node), &p->config.root, s);

    if (err != OK || s->role != KEEPER_OWNER || s->state == KEEPER_RELEASING) {
        mem_free(s);
        fail(p, E_NOTFOUND, ERROR_NOT_FOUND,
             "the object was released meanwhile", now);
        return false;
    }
    bool changed = !p->has_status || differs(s, p->status);
    mem_free(p->status);
    p->status = s;
    p->has_status = true;
    if (changed)
        p->changed_at = now;
    if (is_reached(p) || is_all(p, now)) {
        end(p, OK, now);
        return false;
    }
    if (changed && p->config.on_change != NULL)
        p->config.on_change(p->config.user, p->status, now);
    return true;
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct placing *p = container_of(t, struct placing, timer);
    struct clock *clock = clock_of(p);
    struct mtime next = mtime_add_ms(now, LOOK_MS);

    if (p->waiting && !look(p, now))
        return;
    if (mtime_reached(now, p->deadline)) {
        fail(p, E_TIMEOUT, ERROR_TIMEOUT,
             "the copies were not all made in time; the daemon goes on with it",
             now);
        return;
    }
    clock->set(clock, t, mtime_min(next, p->deadline));
}

/* Not from inside of the event: it comes in the middle of a turn. */
static void on_event(struct objects_watcher *w, const struct keeper_out *event,
                     struct mtime now)
{
    struct placing *p = container_of(w, struct placing, watcher);
    struct clock *clock = clock_of(p);

    if (p->waiting && cid_eq(&event->root, &p->config.root))
        clock->set(clock, &p->timer, now);
}

static void wait(struct placing *p, struct mtime now)
{
    struct clock *clock = clock_of(p);

    p->waiting = true;
    p->changed_at = now;
    clock->set(clock, &p->timer, now);
}

static void on_put(struct objects_op *op, enum err err, struct mtime now)
{
    struct placing *p = container_of(op, struct placing, op);

    if (err == OK)
        wait(p, now);
    else
        fail(p, err, error_of_err(err), "the record cannot be stored", now);
}

/* Making the object. */

static enum err start_put(struct placing *p, uint64_t blocks, uint64_t bytes,
                          struct mtime now)
{
    struct objects *o = node_objects(p->node);
    struct keeper_want want = {
        .root = cid_to_v1(&p->config.root),
        .size_bytes = bytes,
        .blocks = blocks,
        .copies = p->config.copies,
        .release_delay_s = p->config.release_delay_s,
        .name = p->config.name,
    };

    return objects_put(o, &p->op, &want, now);
}

static void on_scanned(void *user, enum err err, struct mtime now)
{
    struct placing *p = user;
    uint64_t bytes = 0;
    uint64_t blocks = scanning_blocks(p->scanning, &bytes);

    if (err == E_NOTFOUND) {
        fail(p, err, ERROR_INCOMPLETE,
             "some of its blocks are not here; `xmbl pin add` fetches them",
             now);
        return;
    }
    if (err == OK && blocks == 0) {
        fail(p, E_UNSUPPORTED, ERROR_BAD_CID,
             "the CID holds all of it: there is nothing to keep", now);
        return;
    }
    if (err == OK)
        err = start_put(p, blocks, bytes, now);
    if (err == E_EXISTS)
        fail(p, err, ERROR_EXISTS, "this node keeps it as a copy already", now);
    else if (err != OK)
        fail(p, err, error_of_err(err), "no object can be made of it", now);
}

struct placing *placing_new(struct node *n, const struct placing_config *config)
{
    struct placing *p = mem_zalloc(1, sizeof(*p));
    struct clock *clock = node_env(n)->clock;
    struct mtime now = clock->now(clock);
    struct scanning_config scanning = {
        .root = config->root,
        .done = on_scanned,
        .user = p,
    };

    p->node = n;
    p->config = *config;
    p->config.root = cid_to_v1(&config->root);
    p->config.name.len =
        config->name.len < KEEPER_NAME_MAX ? config->name.len : KEEPER_NAME_MAX;
    if (p->config.name.len > 0)
        memcpy(p->name, config->name.p, p->config.name.len);
    p->config.name.p = p->name;
    p->op.done = on_put;
    p->watcher.on_event = on_event;
    objects_watch(node_objects(n), &p->watcher);
    timer_init(&p->timer, on_timer);
    p->deadline = config->timeout_ms > 0 ? mtime_add_ms(now, config->timeout_ms)
                                         : MTIME_NEVER;
    clock->set(clock, &p->timer, p->deadline);
    if (config->copies == 0)
        wait(p, now);
    else
        p->scanning = scanning_new(n, &scanning);
    return p;
}

void placing_free(struct placing *p)
{
    if (p == NULL)
        return;
    struct clock *clock = clock_of(p);
    clock->set(clock, &p->timer, MTIME_NEVER);
    scanning_free(p->scanning);
    objects_cancel(&p->op);
    objects_unwatch(&p->watcher);
    mem_free(p->status);
    mem_free(p);
}

const struct keeper_status *placing_status(const struct placing *p)
{
    return p->has_status ? p->status : NULL;
}

const struct fault *placing_fault(const struct placing *p)
{
    return &p->fault;
}
