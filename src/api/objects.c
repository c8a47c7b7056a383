/* /api/v1/objects: what is kept on many nodes. */
#include "node/objects.h"

#include <string.h>

#include "api/object_json.h"
#include "api/peer_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/node.h"
#include "node/placing.h"
#include "store/store.h"

enum {
    PAGE = 16, /* statuses looked at at a time */
    RELEASE_DELAY_MAX_S = 7 * 24 * 3600,
    TIMEOUT_S_MAX = 7 * 24 * 3600,
    WATCH_MS = 1000,
};

static struct objects *objects_of(const struct request *q)
{
    return node_objects(q->node);
}

/* The list.  Its cursor is the id of the last one. */

static bool is_wanted(const char *role, const struct keeper_status *s)
{
    bool owner = s->role == KEEPER_OWNER;

    return role == NULL || strcmp(role, "all") == 0 ||
           strcmp(role, owner ? "owner" : "holder") == 0;
}

void handle_objects_list(struct request *q, struct mtime now)
{
    bool good = true;
    uint64_t limit = request_limit(q, &good);
    uint64_t after = good ? request_number(q, "after", 0, INT64_MAX, &good) : 0;
    const char *role = request_query(q, "role");

    (void)now;
    if (!good)
        return;
    struct keeper_status *page = mem_zalloc(PAGE, sizeof(*page));
    json_t *items = json_array();
    size_t count = PAGE;
    while (count == PAGE && json_array_size(items) < limit) {
        count = objects_list(objects_of(q), after, page, PAGE);
        for (size_t i = 0; i < count && json_array_size(items) < limit; i++) {
            after = page[i].id;
            if (is_wanted(role, &page[i]))
                json_array_append_new(
                    items, json_object_status(q->node, &page[i], false));
        }
    }
    mem_free(page);
    json_t *answer = json_pack("{s:o}", "items", items);
    if (json_array_size(items) >= limit && limit > 0) {
        struct strbuf next;
        strbuf_init(&next, 32);
        strbuf_u64(&next, after);
        json_object_set_new(answer, "next", json_string(strbuf_cstr(&next)));
        strbuf_release(&next);
    }
    reply_json(q, 200, answer);
}

/* One of them, once or as it changes. */

struct watch {
    struct request *q;
    struct cid root;
    struct objects_watcher watcher;
    struct timer timer;
    json_t *last; /* as it was told */
};

static json_t *status_of(struct request *q, const struct cid *root)
{
    struct keeper_status *s = mem_alloc(sizeof(*s));
    json_t *v = NULL;

    if (objects_status(objects_of(q), root, s) == OK)
        v = json_object_status(q->node, s, true);
    mem_free(s);
    return v;
}

static void no_object(struct request *q)
{
    reply_error(q, ERROR_NOT_FOUND,
                "this node neither owns nor keeps such an object", q->tail);
}

static void on_watch_timer(struct timer *t, struct mtime now)
{
    struct watch *w = container_of(t, struct watch, timer);
    struct clock *clock = node_env(w->q->node)->clock;
    json_t *v = status_of(w->q, &w->root);

    if (v == NULL) {
        lines_end(w->q); /* released */
        return;
    }
    clock->set(clock, t, mtime_add_ms(now, WATCH_MS));
    if (json_equal(v, w->last) || request_is_full(w->q)) {
        json_decref(v);
        return;
    }
    json_decref(w->last);
    w->last = json_incref(v);
    lines_json(w->q, v);
}

static void on_watch_event(struct objects_watcher *watcher,
                           const struct keeper_out *event, struct mtime now)
{
    struct watch *w = container_of(watcher, struct watch, watcher);
    struct clock *clock = node_env(w->q->node)->clock;

    if (cid_eq(&event->root, &w->root))
        clock->set(clock, &w->timer, now);
}

static void cancel_watch(struct request *q)
{
    struct watch *w = q->op;
    struct clock *clock = node_env(q->node)->clock;

    clock->set(clock, &w->timer, MTIME_NEVER);
    objects_unwatch(&w->watcher);
    json_decref(w->last);
    mem_free(w);
}

static void start_watch(struct request *q, const struct cid *root,
                        struct mtime now)
{
    struct watch *w = mem_zalloc(1, sizeof(*w));
    struct clock *clock = node_env(q->node)->clock;

    w->q = q;
    w->root = *root;
    w->watcher.on_event = on_watch_event;
    objects_watch(objects_of(q), &w->watcher);
    timer_init(&w->timer, on_watch_timer);
    clock->set(clock, &w->timer, now);
    q->op = w;
    q->cancel = cancel_watch;
}

void handle_object_get(struct request *q, struct mtime now)
{
    struct cid cid;
    bool good = true;
    bool watch = request_flag(q, "watch", false, &good);
    uint32_t timeout_ms = good ? request_timeout_ms(q, &good) : 0;

    if (!good || !request_cid(q, &cid))
        return;
    struct cid root = cid_to_v1(&cid);
    json_t *v = status_of(q, &root);
    if (v == NULL && watch) {
        reply_error(q, ERROR_NOT_FOUND,
                    "only a node that owns or keeps an object can watch it",
                    q->tail);
        return;
    }
    if (v == NULL) {
        if (!object_survey(q, &root, timeout_ms, now))
            no_object(q);
        return;
    }
    if (!watch) {
        reply_json(q, 200, v);
        return;
    }
    json_decref(v);
    start_watch(q, &root, now);
}

/* Making one, and changing the number of copies. */

struct put {
    struct request *q;
    struct placing *placing;
};

static void on_put_change(void *user, const struct keeper_status *status,
                          struct mtime now)
{
    struct put *p = user;

    (void)now;
    if (!request_is_full(p->q))
        lines_progress(p->q, status->copies_stored, status->copies_wanted,
                       "copies");
}

static void on_put(void *user, enum err err, struct mtime now)
{
    struct put *p = user;

    (void)now;
    if (err != OK) {
        reply_fault(p->q, placing_fault(p->placing));
        return;
    }
    lines_json(
        p->q, json_object_status(p->q->node, placing_status(p->placing), true));
    lines_end(p->q);
}

static void cancel_put(struct request *q)
{
    struct put *p = q->op;

    placing_free(p->placing);
    mem_free(p);
}

static bool read_number(struct request *q, const char *name,
                        json_int_t otherwise, json_int_t max,
                        json_int_t *ret_value)
{
    const json_t *v = json_object_get(q->body, name);

    *ret_value = v != NULL ? json_integer_value(v) : otherwise;
    if (*ret_value >= 0 && *ret_value <= max)
        return true;
    reply_error(q, ERROR_BAD_VALUE, "the number is out of range", name);
    return false;
}

/* What both have in their body. */
static bool read_put(struct request *q, struct placing_config *config)
{
    const char *wait = json_string_value(json_object_get(q->body, "wait"));
    const char *name = json_string_value(json_object_get(q->body, "name"));
    json_int_t copies = 0;
    json_int_t delay = 0;
    json_int_t timeout_s = 0;

    if (!read_number(q, "copies", 0, KEEPER_COPIES_MAX, &copies) ||
        !read_number(q, "release_delay_s", 0, RELEASE_DELAY_MAX_S, &delay) ||
        !read_number(q, "timeout_s", 0, TIMEOUT_S_MAX, &timeout_s))
        return false;
    if (copies == 0) {
        reply_error(q, ERROR_BAD_VALUE, "copies: 1 to 7; rm ends an object",
                    NULL);
        return false;
    }
    config->copies = (uint32_t)copies;
    config->release_delay_s = (uint32_t)delay;
    config->timeout_ms = 1000 * (uint32_t)timeout_s;
    config->name = name != NULL ? bytes_str(name) : BYTES_EMPTY;
    if (config->name.len > KEEPER_NAME_MAX) {
        reply_error(q, ERROR_BAD_VALUE, "the name is too long", NULL);
        return false;
    }
    if (wait == NULL || placing_wait_of(bytes_str(wait), &config->wait) == OK)
        return true;
    reply_error(q, ERROR_BAD_VALUE, "wait: local, stored, verified or safe",
                wait);
    return false;
}

static void start_put(struct request *q, struct placing_config *config)
{
    struct put *p = mem_zalloc(1, sizeof(*p));

    config->on_change = on_put_change;
    config->done = on_put;
    config->user = p;
    p->q = q;
    q->op = p;
    q->cancel = cancel_put;
    p->placing = placing_new(q->node, config);
}

static bool is_pinned(struct node *n, const struct cid *cid)
{
    struct store_pin pin = {.kind = STORE_PIN_RECURSIVE, .cid = *cid};

    return store_pin_get(node_store(n), &pin) == OK;
}

void handle_object_post(struct request *q, struct mtime now)
{
    const char *text = json_string_value(json_object_get(q->body, "cid"));
    struct placing_config config = {.wait = PLACING_LOCAL};

    (void)now;
    if (!request_fields(q) || !read_put(q, &config))
        return;
    if (text == NULL || cid_parse(bytes_str(text), &config.root) != OK) {
        reply_error(q, ERROR_BAD_CID, NULL, text);
        return;
    }
    if (!is_pinned(q->node, &config.root)) {
        reply_error(q, ERROR_NOT_PINNED,
                    "only what is pinned here can be an object", text);
        return;
    }
    start_put(q, &config);
}

/* The object that is there, its copies changed. */
struct patch {
    struct request *q;
    struct objects_op op;
    struct placing_config config;
    bool waiting;
};

static void on_patched(struct objects_op *op, enum err err, struct mtime now)
{
    struct patch *p = container_of(op, struct patch, op);
    struct request *q = p->q;
    struct placing_config config = p->config;

    (void)now;
    q->op = NULL;
    q->cancel = NULL;
    mem_free(p);
    if (err != OK) {
        reply_error(q, error_of_err(err), "the record cannot be stored",
                    q->tail);
        return;
    }
    config.copies = 0; /* only wait */
    start_put(q, &config);
}

static void cancel_patch(struct request *q)
{
    struct patch *p = q->op;

    objects_cancel(&p->op);
    mem_free(p);
}

void handle_object_patch(struct request *q, struct mtime now)
{
    struct placing_config config = {.wait = PLACING_LOCAL};
    struct cid cid;

    if (!request_fields(q) || !read_put(q, &config) || !request_cid(q, &cid))
        return;
    struct patch *p = mem_zalloc(1, sizeof(*p));
    config.root = cid_to_v1(&cid);
    p->q = q;
    p->config = config;
    p->op.done = on_patched;
    enum err err = objects_set_copies(objects_of(q), &p->op, &config.root,
                                      config.copies, now);
    if (err == OK) {
        q->op = p;
        q->cancel = cancel_patch;
        return;
    }
    mem_free(p);
    if (err == E_NOTFOUND)
        reply_error(q, ERROR_NOT_FOUND,
                    "this node owns no such object; `xmbl add --copies` makes "
                    "one",
                    q->tail);
    else
        reply_error(q, error_of_err(err), NULL, q->tail);
}

/* Ending: the object is released, then the pin goes. */

struct removal {
    struct request *q; /* NULL: nobody waits any more */
    struct node *node;
    struct cid cid;
    struct objects_op op;
    struct store_pin_op unpin;
    bool released;
};

static void removal_fault(struct removal *r, enum err err)
{
    struct fault f;

    fault_from_err(&f, err, "the pin cannot be removed", bytes_str(r->q->tail));
    reply_fault(r->q, &f);
}

static void removal_end(struct removal *r, enum err err)
{
    if (r->q != NULL) {
        r->q->op = NULL;
        if (err == OK)
            reply_json(r->q, 200,
                       json_pack("{s:o,s:b}", "cid", json_cid(&r->cid),
                                 "released", (int)r->released));
        else
            removal_fault(r, err);
    }
    mem_free(r);
}

static void on_unpinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    (void)now;
    removal_end(container_of(op, struct removal, unpin), err);
}

static enum err start_unpin(struct removal *r)
{
    static const enum store_pin_kind kinds[] = {STORE_PIN_RECURSIVE,
                                                STORE_PIN_DIRECT};
    enum err err = E_NOTFOUND;

    r->unpin.done = on_unpinned;
    for (size_t i = 0; err == E_NOTFOUND && i < countof(kinds); i++) {
        struct store_pin pin = {.kind = kinds[i], .cid = r->cid};
        err = store_unpin(node_store(r->node), &r->unpin, &pin);
    }
    return err;
}

static void on_released(struct objects_op *op, enum err err, struct mtime now)
{
    struct removal *r = container_of(op, struct removal, op);

    (void)now;
    if (err == OK)
        err = start_unpin(r);
    else
        r->released = false;
    if (err == E_NOTFOUND)
        removal_end(r, OK); /* it had no pin any more */
    else if (err != OK)
        removal_end(r, err);
}

static void cancel_removal(struct request *q)
{
    struct removal *r = q->op;

    if (r != NULL)
        r->q = NULL; /* what was begun is brought to its end */
}

void handle_object_delete(struct request *q, struct mtime now)
{
    struct cid cid;
    bool good = true;
    bool local = request_flag(q, "local", false, &good);

    if (!good || !request_cid(q, &cid))
        return;
    struct removal *r = mem_zalloc(1, sizeof(*r));
    struct cid root = cid_to_v1(&cid);
    r->q = q;
    r->node = q->node;
    r->cid = cid;
    r->op.done = on_released;
    enum err err = E_NOTFOUND;
    if (!local && objects_owns(objects_of(q), &root))
        err = objects_remove(objects_of(q), &r->op, &root, now);
    r->released = err == OK;
    if (err == E_NOTFOUND)
        err = start_unpin(r);
    if (err == OK) {
        q->op = r;
        q->cancel = cancel_removal;
        return;
    }
    mem_free(r);
    reply_error(q, err == E_NOTFOUND ? ERROR_NOT_PINNED : error_of_err(err),
                NULL, q->tail);
}

/* Auditing all copies now: POST /objects/CID/verify. */

struct audit {
    struct request *q;
    struct cid root;
    struct objects_op op;
};

static const char *verdict_name(enum err err)
{
    if (err == OK)
        return "passed";
    if (err == E_MISMATCH)
        return "failed";
    return err == E_TIMEOUT ? "silent" : "no_copies";
}

static void on_audited(struct objects_op *op, enum err err, struct mtime now)
{
    struct audit *a = container_of(op, struct audit, op);
    json_t *v = status_of(a->q, &a->root);

    (void)now;
    if (v == NULL)
        v = json_object();
    json_object_set_new(v, "verdict", json_string(verdict_name(err)));
    reply_json(a->q, 200, v);
}

static void cancel_audit(struct request *q)
{
    struct audit *a = q->op;

    objects_cancel(&a->op);
    mem_free(a);
}

/* The route ends with a star: a segment can only be the last. */
static bool read_verify_path(struct request *q, struct cid *ret_cid)
{
    static const char end[] = "/verify";
    size_t len = strlen(q->tail);
    size_t end_len = sizeof(end) - 1;

    if (len <= end_len || strcmp(q->tail + len - end_len, end) != 0) {
        reply_error(q, ERROR_NO_ROUTE, NULL, q->r->path);
        return false;
    }
    q->tail[len - end_len] = '\0';
    return request_cid(q, ret_cid);
}

static void fault_offline(struct request *q, enum err err)
{
    if (err == E_CLOSED)
        reply_error(q, ERROR_NETWORK_OFF, NULL, NULL);
    else if (err == E_AGAIN)
        reply_error(q, ERROR_BUSY, NULL, NULL);
    else if (err == E_NOTFOUND)
        no_object(q);
    else
        reply_error(q, error_of_err(err), NULL, NULL);
}

void handle_object_verify(struct request *q, struct mtime now)
{
    struct cid cid;

    if (!read_verify_path(q, &cid))
        return;
    struct audit *a = mem_zalloc(1, sizeof(*a));
    a->q = q;
    a->root = cid_to_v1(&cid);
    a->op.done = on_audited;
    enum err err = objects_verify(objects_of(q), &a->op, &a->root, now);
    if (err != OK) {
        mem_free(a);
        fault_offline(q, err);
        return;
    }
    q->op = a;
    q->cancel = cancel_audit;
}
