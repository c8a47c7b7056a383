/* /api/v1/car: DAGs as CAR files. */
#include "ipld/car.h"

#include "api/request.h"
#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/car_import.h"
#include "node/node.h"
#include "node/walking.h"

/* Out. */

struct car_out_op {
    struct request *q;
    struct walking *walking;
};

static void on_root(void *user, const struct cid *root, enum node_type type,
                    uint64_t file_bytes, struct mtime now)
{
    struct car_out_op *c = user;
    struct buf *head = car_make_header(root, 1);
    struct http_header headers[] = {
        {"Content-Disposition", "attachment"},
        {"Accept-Ranges", "none"},
    };

    (void)type;
    (void)file_bytes;
    (void)now;
    reply_bytes_begin(c->q, 200,
                      "application/vnd.ipld.car; version=1; order=dfs; dups=n",
                      headers, countof(headers), UINT64_MAX);
    (void)reply_bytes(c->q, (struct slice){head, buf_bytes(head)});
}

static void on_block(void *user, const struct cid *cid, struct block *block,
                     struct mtime now)
{
    struct car_out_op *c = user;
    uint8_t head[CAR_SECTION_HEAD_MAX];

    (void)now;
    if (cid_is_identity(cid))
        return; /* its bytes are in the CID */
    size_t len = car_section_head(cid, block->data.bytes.len, head);
    struct buf *buf = buf_copy((struct bytes){head, len});
    (void)reply_bytes(c->q, (struct slice){buf, buf_bytes(buf)});
    if (reply_bytes(c->q, slice_ref(&block->data)))
        walking_pause(c->walking, true);
}

static void on_walked(void *user, enum err err, struct mtime now)
{
    struct car_out_op *c = user;

    (void)now;
    if (err != OK)
        reply_fault(c->q, walking_fault(c->walking));
    else
        reply_bytes_end(c->q, false);
}

static void on_writable(struct request *q, struct mtime now)
{
    struct car_out_op *c = q->op;

    (void)now;
    walking_pause(c->walking, false);
}

static void cancel_out(struct request *q)
{
    struct car_out_op *c = q->op;

    walking_free(c->walking);
    mem_free(c);
}

void handle_car_export(struct request *q, struct mtime now)
{
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);

    (void)now;
    if (!good)
        return;
    struct car_out_op *c = mem_zalloc(1, sizeof(*c));
    struct walking_config config = {
        .path = bytes_str(q->tail),
        .timeout_ms = timeout_ms,
        .on_open = on_root,
        .on_block = on_block,
        .done = on_walked,
        .user = c,
    };
    c->q = q;
    q->op = c;
    q->cancel = cancel_out;
    q->on_writable = on_writable;
    c->walking = walking_new(q->node, &config);
}

/* In. */

struct car_in {
    struct request *q;
    struct car_import *import;
    struct timer progress;
    bool waits; /* for the rest of the body: no answer may begin */
    bool ended;
};

static void on_progress(struct timer *t, struct mtime now)
{
    struct car_in *c = container_of(t, struct car_in, progress);
    struct clock *clock = node_env(c->q->node)->clock;

    if (!c->waits && !request_is_full(c->q))
        lines_progress(c->q, car_import_bytes(c->import), 0, "bytes");
    clock->set(clock, t, mtime_add_ms(now, PROGRESS_MS));
}

static void on_ready(void *user, struct mtime now)
{
    struct car_in *c = user;

    (void)now;
    c->q->http->pause(c->q->http, c->q->r, false);
}

static void on_done(void *user, enum err err, struct mtime now)
{
    struct car_in *c = user;
    struct clock *clock = node_env(c->q->node)->clock;
    size_t count;

    (void)now;
    c->ended = true;
    clock->set(clock, &c->progress, MTIME_NEVER);
    if (err != OK) {
        reply_fault(c->q, car_import_fault(c->import));
        return;
    }
    json_t *roots = json_array();
    const struct cid *cids = car_import_roots(c->import, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(roots, json_cid(&cids[i]));
    lines_json(c->q,
               json_pack("{s:o,s:I,s:I}", "roots", roots, "blocks",
                         (json_int_t)car_import_blocks(c->import), "bytes",
                         (json_int_t)car_import_bytes(c->import)));
    lines_end(c->q);
}

static void on_body(struct request *q, struct bytes in, struct mtime now)
{
    struct car_in *c = q->op;

    if (!c->ended && !car_import_write(c->import, in, now))
        q->http->pause(q->http, q->r, true);
}

static void on_body_end(struct request *q, struct mtime now)
{
    struct car_in *c = q->op;

    c->waits = false;
    if (!c->ended)
        car_import_end(c->import, now);
}

static void cancel_in(struct request *q)
{
    struct car_in *c = q->op;
    struct clock *clock = node_env(q->node)->clock;

    clock->set(clock, &c->progress, MTIME_NEVER);
    car_import_free(c->import);
    mem_free(c);
}

void handle_car_import(struct request *q, struct mtime now)
{
    bool good = true;
    bool pin = request_flag(q, "pin", true, &good);
    struct clock *clock = node_env(q->node)->clock;

    if (!good)
        return;
    struct car_in *c = mem_zalloc(1, sizeof(*c));
    struct car_import_config config = {
        .no_pin = !pin,
        .on_ready = on_ready,
        .done = on_done,
        .user = c,
    };
    c->q = q;
    c->waits = true;
    q->op = c;
    q->cancel = cancel_in;
    q->on_body = on_body;
    q->on_body_end = on_body_end;
    timer_init(&c->progress, on_progress);
    clock->set(clock, &c->progress, mtime_add_ms(now, PROGRESS_MS));
    c->import = car_import_new(q->node, &config);
}
