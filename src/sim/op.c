/* Files, and requests about them that are repeated until they succeed. */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "libp2p/swarm.h"
#include "node/network.h"
#include "node/node.h"
#include "node/objects.h"
#include "sim/run_priv.h"

enum {
    CONTENT_BLOCK = 4096,
    STATUS_OK = 200,
    STATUS_END = 300,
    CONNECT_MS = 2000,
    ADDR_MAX = 256,
    DETAIL_MAX = 300,
    NUMBER_MAX = 24,
};

static void ask(struct sim_op *op);

/* Contents. */

/* @len bytes at @offset of the file with @seed. */
static void content(uint64_t seed, uint64_t offset, uint8_t *dst, size_t len)
{
    while (len > 0) {
        uint8_t block[CONTENT_BLOCK];
        struct sim_rand rand;
        size_t from = (size_t)(offset % CONTENT_BLOCK);
        size_t n = CONTENT_BLOCK - from < len ? CONTENT_BLOCK - from : len;
        sim_rand_init(&rand, seed, "bytes", offset / CONTENT_BLOCK);
        sim_rand_fill(&rand, block, from + n);
        memcpy(dst, block + from, n);
        dst += n;
        offset += n;
        len -= n;
    }
}

static bool is_content(const struct sim_file *f, uint64_t offset,
                       struct bytes in)
{
    uint8_t block[CONTENT_BLOCK];

    if (offset > f->size || in.len > f->size - offset)
        return false;
    while (in.len > 0) {
        size_t n = CONTENT_BLOCK - (size_t)(offset % CONTENT_BLOCK);
        n = n < in.len ? n : in.len;
        content(f->seed, offset, block, n);
        if (memcmp(block, in.p, n) != 0)
            return false;
        in = bytes_sub(in, n, in.len - n);
        offset += n;
    }
    return true;
}

struct sim_file *sim_file_get(struct sim_run *r, const char *name)
{
    uint64_t index = 0;

    list_for_each (it, &r->files) {
        struct sim_file *f = container_of(it, struct sim_file, link);
        if (strcmp(f->name, name) == 0)
            return f;
        index++;
    }
    struct sim_rand rand;
    struct sim_file *f = mem_zalloc(1, sizeof(*f));
    sim_rand_init(&rand, r->config->seed, name, index);
    f->name = mem_strdup(name);
    f->seed = sim_rand_next(&rand);
    list_add_tail(&r->files, &f->link);
    return f;
}

void sim_files_free(struct sim_run *r)
{
    while (!list_empty(&r->files)) {
        struct sim_file *f =
            container_of(list_first(&r->files), struct sim_file, link);
        list_remove(&f->link);
        mem_free(f->name);
        mem_free(f->copies_at);
        mem_free(f);
    }
}

/* Requests. */

static void put_text(char *dst, size_t max, const char *const *parts,
                     size_t count)
{
    struct strbuf s;

    strbuf_init(&s, max - 1);
    for (size_t i = 0; i < count; i++)
        strbuf_str(&s, parts[i]);
    assert(!strbuf_full(&s));
    memcpy(dst, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
}

static void set_target(struct sim_op *op, const char *method, const char *path,
                       const char *tail)
{
    const char *const parts[] = {path, tail};

    put_text(op->method, sizeof(op->method), &method, 1);
    put_text(op->target, sizeof(op->target), parts, countof(parts));
    op->body[0] = '\0';
}

static size_t read_body(struct sim_call *c, uint8_t *dst, size_t max)
{
    struct sim_op *op = container_of(c, struct sim_op, call);
    uint64_t left = op->file->size - op->offset;
    size_t len = left < max ? (size_t)left : max;

    content(op->file->seed, op->offset, dst, len);
    op->offset += len;
    return len;
}

static void compare(struct sim_call *c, struct bytes in)
{
    struct sim_op *op = container_of(c, struct sim_op, call);

    if (c->status != STATUS_OK)
        return;
    op->wrong = op->wrong || !is_content(op->file, op->offset, in);
    op->offset += in.len;
}

static void set_connect(struct sim_op *op)
{
    char addr[ADDR_MAX];

    (void)sim_machine_addr(op->other, addr, sizeof(addr));
    const char *const parts[] = {"{\"address\":\"", addr, "\"}"};
    set_target(op, "POST", "/api/v1/connections", "");
    put_text(op->body, sizeof(op->body), parts, countof(parts));
}

/* "METHOD PATH [BODY]" */
static void set_call(struct sim_op *op)
{
    const char *text = op->text == NULL ? "GET /api/v1/node" : op->text;
    const char *path = strchr(text, ' ');
    size_t method_len = path == NULL ? 0 : (size_t)(path - text);
    char method[sizeof(op->method)] = "GET";

    if (method_len > 0 && method_len < sizeof(method)) {
        memcpy(method, text, method_len);
        method[method_len] = '\0';
    }
    path = path == NULL ? text : path + 1;
    const char *body = strchr(path, ' ');
    size_t path_len = body == NULL ? strlen(path) : (size_t)(body - path);
    char target[SIM_TARGET_MAX];
    path_len = path_len < sizeof(target) ? path_len : sizeof(target) - 1;
    memcpy(target, path, path_len);
    target[path_len] = '\0';
    set_target(op, method, target, "");
    if (body != NULL)
        put_text(op->body, sizeof(op->body), &(const char *){body + 1}, 1);
}

static void set_add(struct sim_op *op)
{
    struct strbuf number;

    strbuf_init(&number, NUMBER_MAX);
    strbuf_u64(&number, op->copies);
    set_target(op, "POST", "/api/v1/add?copies=", strbuf_cstr(&number));
    strbuf_release(&number);
}

static void prepare(struct sim_op *op)
{
    struct sim_call *c = &op->call;

    c->read_body = NULL;
    c->on_body = NULL;
    switch (op->kind) {
    case SIM_OP_ADD:
        set_add(op);
        c->read_body = read_body;
        break;
    case SIM_OP_GET:
    case SIM_OP_CHECK:
    case SIM_OP_COPY:
        set_target(op, "GET", "/api/v1/content/", op->file->cid);
        c->on_body = compare;
        break;
    case SIM_OP_PIN:
        set_target(op, "PUT", "/api/v1/pins/", op->file->cid);
        break;
    case SIM_OP_CALL:
        set_call(op);
        break;
    case SIM_OP_CONNECT:
        set_connect(op);
        break;
    case SIM_OP_REMOVE:
        op->file->is_gone = true;
        set_target(op, "DELETE", "/api/v1/objects/", op->file->cid);
        break;
    case SIM_OP_RECOVER:
        set_target(op, "POST", "/api/v1/objects/recover", "");
        break;
    case SIM_OP_LEAVE:
        set_target(op, "POST", "/api/v1/objects/leave", "");
        break;
    case SIM_OP_SURVEY:
        set_target(op, "GET", "/api/v1/objects/", op->file->cid);
        break;
    }
    c->method = op->method;
    c->target = op->target;
    c->body = bytes_str(op->body);
}

static bool is_connected(const struct sim_op *op)
{
    struct network *network = node_network(op->machine->node);

    return network != NULL &&
           swarm_is_connected(network_swarm(network), &op->other->peer);
}

static bool can_ask(const struct sim_op *op)
{
    if (op->machine->state != SIM_RUNNING)
        return false;
    if (op->kind == SIM_OP_CONNECT)
        return !is_connected(op);
    return op->file == NULL || op->kind == SIM_OP_ADD || op->file->acked;
}

static void ask_later(struct sim_op *op)
{
    struct sim_clock *clock = &op->run->world->clock;
    uint32_t ms = op->kind == SIM_OP_CONNECT ? CONNECT_MS : SIM_RETRY_MS;

    sim_clock_set(clock, &op->again, mtime_add_ms(sim_clock_now(clock), ms));
}

static void on_again(struct timer *t, struct mtime now)
{
    (void)now; /* the time of the world */
    ask(container_of(t, struct sim_op, again));
}

static void tell_of(struct sim_op *op, const char *what, enum err err)
{
    struct strbuf s;

    strbuf_init(&s, DETAIL_MAX);
    strbuf_str(&s, op->file != NULL ? op->file->name : "");
    strbuf_str(&s, op->file != NULL ? " " : "");
    strbuf_u64(&s, op->call.status);
    strbuf_str(&s, " ");
    strbuf_str(&s, err_name(err));
    strbuf_str(&s, " ");
    struct bytes answer = strbuf_bytes(&op->call.answer);
    strbuf_escape(&s, bytes_sub(answer, 0,
                                answer.len < DETAIL_MAX / 4 ? answer.len
                                                            : DETAIL_MAX / 4));
    sim_run_tell(op->run, op->machine, what, strbuf_bytes(&s));
    strbuf_release(&s);
}

/* The CID in the last line of the answer. */
static bool find_cid(struct sim_op *op)
{
    static const char key[] = "\"cid\":\"";
    const char *text = strbuf_cstr(&op->call.answer);
    const char *found = NULL;

    for (const char *p = strstr(text, key); p != NULL; p = strstr(p + 1, key))
        found = p + sizeof(key) - 1;
    const char *end = found == NULL ? NULL : strchr(found, '"');
    if (end == NULL || (size_t)(end - found) >= sizeof(op->file->cid))
        return false;
    memcpy(op->file->cid, found, (size_t)(end - found));
    op->file->cid[end - found] = '\0';
    return true;
}

static void added(struct sim_op *op)
{
    struct cid cid;

    if (!find_cid(op) || cid_parse(bytes_str(op->file->cid), &cid) != OK) {
        ask_later(op);
        return;
    }
    op->file->root = cid_to_v1(&cid);
    op->done = true;
    op->file->acked = true;
    op->file->machine = op->machine->index;
    op->run->result->added++;
}

static void compared(struct sim_op *op)
{
    if (op->wrong || op->offset != op->file->size) {
        sim_run_fail(op->run, op->machine, "wrong bytes of",
                     bytes_str(op->file->name));
        return;
    }
    op->done = true;
    if (op->kind == SIM_OP_GET)
        op->run->result->gotten++;
    else
        op->run->result->checked++;
}

/* Whether its node owns all that was ever added there. */
static bool lists_all(const struct sim_op *op)
{
    const struct objects *o = node_objects(op->machine->node);

    list_for_each (it, &op->run->files) {
        const struct sim_file *f = container_of(it, struct sim_file, link);
        if (f->acked && !f->is_gone && f->copies > 0 &&
            f->machine == op->machine->index && !objects_owns(o, &f->root))
            return false;
    }
    return true;
}

/* Until it starts again it takes no copy. */
static void left(struct sim_op *op)
{
    const struct sim_machine *m = op->machine;

    op->done = true;
    op->run->left[m->index] = m->starts;
    list_for_each (it, &op->run->files) {
        const struct sim_file *f = container_of(it, struct sim_file, link);
        if (sim_keeps(m, f))
            sim_run_fail(op->run, m, "left and keeps", bytes_str(f->name));
    }
}

/* What liars tell is no answer: it says how many copies are wanted. */
static void surveyed(struct sim_op *op)
{
    struct strbuf wanted;

    strbuf_init(&wanted, NUMBER_MAX);
    strbuf_str(&wanted, "\"wanted\":");
    strbuf_u64(&wanted, op->file->copies);
    op->done = true;
    if (strstr(strbuf_cstr(&op->call.answer), strbuf_cstr(&wanted)) == NULL)
        sim_run_fail(op->run, op->machine, "was told of another record of",
                     bytes_str(op->file->name));
    strbuf_release(&wanted);
}

static void succeeded(struct sim_op *op)
{
    switch (op->kind) {
    case SIM_OP_ADD:
        added(op);
        break;
    case SIM_OP_GET:
    case SIM_OP_CHECK:
    case SIM_OP_COPY:
        compared(op);
        break;
    case SIM_OP_PIN:
    case SIM_OP_REMOVE:
        op->done = true;
        break;
    case SIM_OP_RECOVER:
        op->done = lists_all(op);
        if (!op->done)
            ask_later(op);
        break;
    case SIM_OP_LEAVE:
        left(op);
        break;
    case SIM_OP_SURVEY:
        surveyed(op);
        break;
    case SIM_OP_CALL:
        op->done = true;
        tell_of(op, "answered", OK);
        break;
    case SIM_OP_CONNECT:
        ask_later(op);
        break;
    }
}

static void on_done(struct sim_call *c, enum err err, struct mtime now)
{
    struct sim_op *op = container_of(c, struct sim_op, call);
    bool good = err == OK && c->status >= STATUS_OK && c->status < STATUS_END;

    (void)now; /* the time of the world */
    op->asked = false;
    op->run->result->requests++;
    /* A stream of lines may end in an error. */
    if (good && c->on_body == NULL)
        good = strstr(strbuf_cstr(&c->answer), "\"error\"") == NULL;
    if (op->wrong)
        good = true; /* it is told there */
    if (good) {
        succeeded(op);
        return;
    }
    if (op->kind != SIM_OP_CONNECT)
        tell_of(op, "refused", err);
    ask_later(op);
}

static void ask(struct sim_op *op)
{
    if (op->done || op->asked)
        return;
    if (!can_ask(op)) {
        ask_later(op);
        return;
    }
    op->offset = 0;
    op->wrong = false;
    op->asked = true;
    op->tries++;
    prepare(op);
    op->call.done = on_done;
    sim_http_call(&op->machine->http, &op->call);
}

struct sim_op *sim_op_begin(struct sim_run *r, enum sim_op_kind kind,
                            struct sim_machine *m, struct sim_file *file)
{
    struct sim_op *op = mem_zalloc(1, sizeof(*op));

    op->run = r;
    op->kind = kind;
    op->machine = m;
    op->file = file;
    timer_init(&op->again, on_again);
    list_add_tail(&r->ops, &op->link);
    sim_clock_after(&r->world->clock, &op->again, 0);
    return op;
}

/* Nobody owes a liar an answer: all others may have banned it. */
static bool is_owed(const struct sim_run *r, const struct sim_op *op)
{
    return op->kind != SIM_OP_SURVEY || r->lied[op->machine->index] == 0;
}

static bool is_pending(const struct sim_run *r, const struct sim_op *op)
{
    return !op->done && op->kind != SIM_OP_CONNECT && is_owed(r, op) &&
           (r->damaged[op->machine->index] == SIM_UNDAMAGED ||
            op->kind == SIM_OP_COPY) &&
           r->wanted[op->machine->index] != 0;
}

size_t sim_ops_pending(const struct sim_run *r)
{
    size_t count = 0;

    list_for_each (it, &r->ops)
        count += is_pending(r, container_of(it, struct sim_op, link));
    return count;
}

void sim_ops_tell(struct sim_run *r)
{
    static const char *const what[] = {
        [SIM_OP_ADD] = "never added",
        [SIM_OP_GET] = "never got",
        [SIM_OP_PIN] = "never pinned",
        [SIM_OP_CHECK] = "acknowledged and not to be had",
        [SIM_OP_CALL] = "never answered",
        [SIM_OP_CONNECT] = "",
        [SIM_OP_REMOVE] = "never removed",
        [SIM_OP_RECOVER] = "never recovered",
        [SIM_OP_LEAVE] = "never left",
        [SIM_OP_SURVEY] = "never told who keeps",
        [SIM_OP_COPY] = "kept and not to be had",
    };

    list_for_each (it, &r->ops) {
        const struct sim_op *op = container_of(it, struct sim_op, link);
        const char *about = op->file != NULL ? op->file->name : op->text;
        if (!is_pending(r, op))
            continue;
        sim_run_fail(r, op->machine, what[op->kind],
                     bytes_str(about == NULL ? "" : about));
        return;
    }
}

void sim_ops_free(struct sim_run *r)
{
    while (!list_empty(&r->ops)) {
        struct sim_op *op =
            container_of(list_first(&r->ops), struct sim_op, link);
        assert(!op->asked);
        sim_clock_set(&r->world->clock, &op->again, MTIME_NEVER);
        list_remove(&op->link);
        mem_free(op->text);
        mem_free(op);
    }
}
