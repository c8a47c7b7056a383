/* /api/v1/pins: what is kept. */
#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/announce.h"
#include "node/node.h"
#include "node/objects.h"
#include "node/walking.h"
#include "store/store.h"

enum { HEX_MAX = 2 * STORE_PIN_KEY_MAX };

static const char *kind_name(enum store_pin_kind kind)
{
    switch (kind) {
    case STORE_PIN_RECURSIVE:
        return "recursive";
    case STORE_PIN_DIRECT:
        return "direct";
    case STORE_PIN_OBJECT:
        return "object";
    }
    return "recursive";
}

static json_t *json_pin(const struct store_pin *pin)
{
    json_t *v = json_pack("{s:o,s:s}", "cid", json_cid(&pin->cid), "type",
                          kind_name(pin->kind));

    if (pin->name.len > 0)
        json_object_set_new(v, "name", json_text(pin->name));
    return v;
}

/* The list; its cursor is the store's, in hex. */

static unsigned nibble(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static bool read_after(struct request *q, struct store_cursor *cursor)
{
    const char *text = request_query(q, "after");
    size_t len = text != NULL ? strlen(text) : 0;
    bool good = len % 2 == 0 && len <= HEX_MAX;

    *cursor = (struct store_cursor){.len = good ? len / 2 : 0};
    for (size_t i = 0; good && i < len; i += 2) {
        unsigned high = nibble(text[i]);
        unsigned low = nibble(text[i + 1]);
        good = high < 16 && low < 16;
        if (good)
            cursor->key[i / 2] = (uint8_t)(high << 4 | low);
    }
    if (!good)
        reply_error(q, ERROR_BAD_REQUEST, "no such place in the list", text);
    return good;
}

static json_t *json_cursor(const struct store_cursor *cursor)
{
    struct strbuf s;

    strbuf_init(&s, HEX_MAX);
    strbuf_hex(&s, (struct bytes){cursor->key, cursor->len});
    json_t *v = json_stringn(strbuf_cstr(&s), s.len);
    strbuf_release(&s);
    return v;
}

void handle_pins_list(struct request *q, struct mtime now)
{
    struct store_cursor cursor;
    bool good = true;
    uint64_t limit = request_limit(q, &good);

    (void)now;
    if (!good || !read_after(q, &cursor))
        return;
    json_t *items = json_array();
    enum err err = OK;
    while (json_array_size(items) < limit && err == OK) {
        struct store_pin pin;
        err = store_pin_next(node_store(q->node), &cursor, &pin);
        if (err == OK)
            json_array_append_new(items, json_pin(&pin));
    }
    json_t *answer = json_pack("{s:o}", "items", items);
    if (err == OK && json_array_size(items) > 0)
        json_object_set_new(answer, "next", json_cursor(&cursor));
    reply_json(q, 200, answer);
}

/* The pin of @cid of any kind; recursive ones first. */
static enum err find_pin(struct node *n, const struct cid *cid,
                         struct store_pin *ret_pin)
{
    static const enum store_pin_kind kinds[] = {STORE_PIN_RECURSIVE,
                                                STORE_PIN_DIRECT};
    enum err err = E_NOTFOUND;

    for (size_t i = 0; err == E_NOTFOUND && i < countof(kinds); i++) {
        *ret_pin = (struct store_pin){.kind = kinds[i], .cid = *cid};
        err = store_pin_get(node_store(n), ret_pin);
    }
    return err;
}

void handle_pin_get(struct request *q, struct mtime now)
{
    struct cid cid;
    struct store_pin pin;

    (void)now;
    if (!request_cid(q, &cid))
        return;
    enum err err = find_pin(q->node, &cid, &pin);
    if (err == OK)
        reply_json(q, 200, json_pin(&pin));
    else
        reply_error(q, err == E_NOTFOUND ? ERROR_NOT_PINNED : error_of_err(err),
                    NULL, q->tail);
}

/* Pinning, after all of it was fetched. */

struct pin_put {
    struct request *q; /* NULL: nobody waits any more */
    struct node *node;
    struct walking *walking;
    struct timer progress;
    struct store_pin_op op;
    struct store_pin pin;
    char name[STORE_PIN_NAME_MAX + 1];
    uint64_t blocks;
    bool pinning;
};

static void free_pin(struct pin_put *p)
{
    struct clock *clock = node_env(p->node)->clock;

    clock->set(clock, &p->progress, MTIME_NEVER);
    walking_free(p->walking);
    mem_free(p);
}

static void on_pinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct pin_put *p = container_of(op, struct pin_put, op);
    struct fault f;

    p->pinning = false;
    if (err == OK)
        announce_root(node_announce(p->node), &p->pin.cid.hash, now);
    if (p->q == NULL) {
        free_pin(p);
        return;
    }
    if (err != OK) {
        fault_from_err(&f, err, "the pin cannot be stored",
                       bytes_str(p->q->tail));
        reply_fault(p->q, &f);
        return;
    }
    lines_json(p->q, json_pin(&p->pin));
    lines_end(p->q);
}

static void on_root(void *user, const struct cid *root, enum node_type type,
                    uint64_t file_bytes, struct mtime now)
{
    struct pin_put *p = user;

    (void)type;
    (void)file_bytes;
    (void)now;
    p->pin.cid = *root;
}

static void on_block(void *user, const struct cid *cid, struct block *block,
                     struct mtime now)
{
    struct pin_put *p = user;

    (void)cid;
    (void)block;
    (void)now;
    p->blocks++;
}

static void on_fetched(void *user, enum err err, struct mtime now)
{
    struct pin_put *p = user;
    struct clock *clock = node_env(p->node)->clock;

    (void)now;
    clock->set(clock, &p->progress, MTIME_NEVER);
    if (err != OK) {
        reply_fault(p->q, walking_fault(p->walking));
        return;
    }
    p->op.done = on_pinned;
    p->pinning = true;
    err = store_pin(node_store(p->node), &p->op, &p->pin);
    if (err != OK)
        on_pinned(&p->op, err, now);
}

static void on_progress(struct timer *t, struct mtime now)
{
    struct pin_put *p = container_of(t, struct pin_put, progress);
    struct clock *clock = node_env(p->node)->clock;

    if (!request_is_full(p->q))
        lines_progress(p->q, p->blocks, 0, "blocks");
    clock->set(clock, t, mtime_add_ms(now, PROGRESS_MS));
}

static void cancel_pin(struct request *q)
{
    struct pin_put *p = q->op;

    p->q = NULL;
    if (!p->pinning)
        free_pin(p);
}

void handle_pin_put(struct request *q, struct mtime now)
{
    bool good = true;
    bool direct = request_flag(q, "direct", false, &good);
    uint32_t timeout_ms = good ? request_timeout_ms(q, &good) : 0;
    const char *name = request_query(q, "name");

    if (!good || !request_names_cid(q))
        return;
    if (name != NULL && strlen(name) > STORE_PIN_NAME_MAX) {
        reply_error(q, ERROR_BAD_VALUE, "the name is too long", NULL);
        return;
    }
    struct pin_put *p = mem_zalloc(1, sizeof(*p));
    struct clock *clock = node_env(q->node)->clock;
    p->q = q;
    p->node = q->node;
    if (name != NULL)
        memcpy(p->name, name, strlen(name) + 1);
    p->pin.kind = direct ? STORE_PIN_DIRECT : STORE_PIN_RECURSIVE;
    p->pin.created_ms = clock->unix_ms(clock);
    p->pin.name = bytes_str(p->name);
    timer_init(&p->progress, on_progress);
    clock->set(clock, &p->progress, mtime_add_ms(now, PROGRESS_MS));
    struct walking_config config = {
        .path = bytes_str(q->tail),
        .timeout_ms = timeout_ms,
        .keep = true,
        .root_only = direct,
        .on_open = on_root,
        .on_block = on_block,
        .done = on_fetched,
        .user = p,
    };
    q->op = p;
    q->cancel = cancel_pin;
    p->walking = walking_new(q->node, &config);
}

/* Unpinning. */

struct pin_delete {
    struct request *q; /* NULL: nobody waits any more */
    struct store_pin_op op;
};

static void on_unpinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct pin_delete *d = container_of(op, struct pin_delete, op);
    struct request *q = d->q;
    struct fault f;

    (void)now;
    mem_free(d);
    if (q == NULL)
        return;
    q->op = NULL;
    if (err == OK) {
        reply_empty(q, 204);
        return;
    }
    fault_from_err(&f, err, "the pin cannot be removed", bytes_str(q->tail));
    reply_fault(q, &f);
}

static void cancel_unpin(struct request *q)
{
    struct pin_delete *d = q->op;

    if (d != NULL)
        d->q = NULL;
}

void handle_pin_delete(struct request *q, struct mtime now)
{
    struct cid cid;
    struct store_pin pin;

    (void)now;
    if (!request_cid(q, &cid))
        return;
    struct cid root = cid_to_v1(&cid);
    if (objects_owns(node_objects(q->node), &root)) {
        reply_error(q, ERROR_OBJECT_ROOT, NULL, q->tail);
        return;
    }
    enum err err = find_pin(q->node, &cid, &pin);
    struct pin_delete *d = mem_zalloc(1, sizeof(*d));
    d->q = q;
    d->op.done = on_unpinned;
    if (err == OK)
        err = store_unpin(node_store(q->node), &d->op, &pin);
    if (err == OK) {
        q->op = d;
        q->cancel = cancel_unpin;
        return;
    }
    mem_free(d);
    reply_error(q, err == E_NOTFOUND ? ERROR_NOT_PINNED : error_of_err(err),
                NULL, q->tail);
}
