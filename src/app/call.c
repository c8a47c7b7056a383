#include "app/call.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/cli.h"
#include "app/client.h"
#include "app/content_path.h"
#include "app/interrupt.h"
#include "app/progress.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum {
    PROBLEM_MAX = 64 * 1024,
    ANSWER_MAX = 64 << 20, /* one JSON value, such as a list of all keys */
    LINE_MAX_BYTES = 4 << 20,
    HTTP_FAILED = 400,
    VALUES_BYTES_MAX = 60 * 1024,
};

/* One call while it runs; the ctx of the client's callbacks. */
struct running {
    struct cli *cli;
    unsigned status;
    struct strbuf text; /* a problem, a JSON value or an unfinished line */
    enum err (*on_part)(struct running *r, struct bytes in); /* of success */
    const struct call_stream *stream;
    const struct call_bytes *bytes;
    struct progress progress;
    uint64_t done_bytes;
    uint64_t total_bytes; /* of what is sent, or PROGRESS_UNKNOWN */
    bool node_tells;      /* the node sends how far it is */
};

static enum err fail(struct running *r, enum err err, enum error_id id,
                     const char *where)
{
    cli_error_set(&r->cli->error, id, where);
    return err;
}

static enum err take_headers(void *ctx, unsigned status,
                             const char *content_type)
{
    struct running *r = ctx;

    (void)content_type; /* the route tells what comes */
    r->status = status;
    return OK;
}

static enum err take_body(void *ctx, struct bytes in)
{
    struct running *r = ctx;

    if (r->status < HTTP_FAILED)
        return r->on_part(r, in);
    strbuf_add(&r->text, in); /* a problem that is too long is cut */
    return OK;
}

/* A node may be silent until it has all: then we tell what it has. */
static void show_sent(struct running *r, size_t len)
{
    struct progress_state state = {
        .label = r->stream->progress,
        .total = r->total_bytes,
        .is_bytes = true,
    };

    r->done_bytes += len;
    state.done = r->done_bytes;
    if (r->stream->progress != NULL && !r->node_tells)
        progress_update(&r->progress, &state);
}

static uint64_t size_of(int fd)
{
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return (uint64_t)st.st_size;
    return PROGRESS_UNKNOWN;
}

/* Reads from a descriptor that may keep us waiting, until Ctrl-C. */
static enum err read_fd(void *ctx, uint8_t *dst, size_t max, size_t *ret_len)
{
    struct running *r = ctx;
    struct pollfd fds[2] = {{.fd = r->stream->body_fd, .events = POLLIN},
                            {.fd = r->cli->cancel_fd, .events = POLLIN}};

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return fail(r, E_IO, ERROR_IO, "input");
        if (fds[1].revents != 0)
            return E_CANCELED;
        if (fds[0].revents == 0)
            continue;
        ssize_t n = read(r->stream->body_fd, dst, max);
        if (n >= 0) {
            show_sent(r, (size_t)n);
            *ret_len = (size_t)n;
            return OK;
        }
        if (errno == EISDIR)
            return fail(r, E_IO, ERROR_NOT_A_FILE, "input");
        if (errno != EINTR && errno != EAGAIN)
            return fail(r, E_IO, ERROR_IO, "input");
    }
}

/* Time alone does not help who knows nobody. */
static void hint_lonely(struct cli *cli)
{
    if (client_is_lonely(cli->client))
        cli_error_hint(&cli->error, "Name a peer with --bootstrap or "
                                    "network.bootstrap, a gateway with "
                                    "--gateway, or run `xmbl daemon`.");
}

/* What the end of a call means; sets the error that nobody has set yet. */
static enum err conclude(struct running *r, enum err err)
{
    struct cli *cli = r->cli;

    progress_clear(&r->progress);
    if (err == E_CANCELED) {
        cli_error_kept(&cli->error, cli->kept);
        return err;
    }
    if (cli->reader_gone)
        return E_CLOSED;
    if (err != OK) {
        if (cli->error.code[0] == '\0')
            cli_error_set(&cli->error, error_of_err(err), NULL);
        hint_lonely(cli);
        return err;
    }
    if (r->status < HTTP_FAILED)
        return OK;
    cli_error_from_problem(&cli->error, r->status, strbuf_bytes(&r->text));
    hint_lonely(cli);
    return E_REFUSED;
}

static enum err run(struct running *r, const char *method, const char *path,
                    json_t *body)
{
    struct client_request request = {
        .method = method,
        .path = path,
        .read_body =
            r->stream != NULL && r->stream->body_fd >= 0 ? read_fd : NULL,
        .on_headers = take_headers,
        .on_body = take_body,
        .ctx = r,
    };
    struct strbuf text;

    assert(r->cli->client != NULL);
    strbuf_init(&text, ANSWER_MAX);
    if (body != NULL)
        answer_put(&text, body, 0);
    request.body = strbuf_bytes(&text);
    json_decref(body);
    enum err err =
        client_call(r->cli->client, &request, &r->status, &r->cli->error);
    strbuf_release(&text);
    return err;
}

/* The values of @option, or NULL; given back with mem_free(). */
static char *join_values(const struct cli *cli, const char *option)
{
    struct strbuf all;
    const char *value;

    strbuf_init(&all, VALUES_BYTES_MAX);
    for (size_t i = 0; (value = cli_value_at(cli, option, i)) != NULL; i++) {
        strbuf_str(&all, i > 0 ? "," : "");
        strbuf_str(&all, value);
    }
    char *joined = all.len > 0 ? mem_strdup(strbuf_cstr(&all)) : NULL;
    strbuf_release(&all);
    return joined;
}

static enum err open_client(struct cli *cli, unsigned needs, const char *out)
{
    char *bootstrap = join_values(cli, "bootstrap");
    char *gateways = join_values(cli, "gateway");
    struct client_config config = {
        .path = cli->path,
        .api = cli->api,
        .token = cli->token,
        .passphrase_file = cli->passphrase_file,
        .may_create = (needs & CALL_MAY_CREATE) != 0,
        .needs_daemon = (needs & CALL_NEEDS_DAEMON) != 0,
        .running_only = (needs & CALL_RUNNING) != 0,
        .fetches = (needs & (CALL_FETCHES | CALL_ANONYMOUS)) != 0,
        .stores_nothing = (needs & CALL_STORES_NOTHING) != 0,
        .anonymous_ok = (needs & CALL_ANONYMOUS) != 0 ||
                        ((needs & CALL_FETCHES) != 0 && cli->path == NULL),
        .out = out,
        .bootstrap = bootstrap,
        .gateways = gateways,
        .quiet = cli->quiet || cli->json,
        .timeout_s = cli->timeout_s,
    };
    enum err err = interrupt_open(&cli->cancel_fd);

    if (err != OK) {
        cli_error_set(&cli->error, error_of_err(err), "signals");
        mem_free(bootstrap);
        mem_free(gateways);
        return err;
    }
    config.cancel_fd = cli->cancel_fd;
    err = client_open(&config, &cli->client, &cli->error);
    bool is_answer = err == E_AGAIN && config.running_only;
    if (err != OK && !is_answer && cli->error.code[0] == '\0')
        cli_error_set(&cli->error, error_of_err(err), NULL);
    mem_free(bootstrap);
    mem_free(gateways);
    return err;
}

enum err call_open(struct cli *cli, unsigned needs)
{
    return open_client(cli, needs, NULL);
}

enum err call_open_for(struct cli *cli, const char *out)
{
    return open_client(cli, CALL_ANONYMOUS, out);
}

/* One JSON value. */

static enum err take_json_part(struct running *r, struct bytes in)
{
    strbuf_add(&r->text, in);
    if (strbuf_full(&r->text))
        return fail(r, E_LIMIT, ERROR_TOO_LARGE, "the daemon's answer");
    return OK;
}

static enum err parse_answer(struct running *r, json_t **ret_json)
{
    json_t *json = NULL;

    if (r->text.len > 0) {
        json = json_loadb(strbuf_cstr(&r->text), r->text.len, JSON_DECODE_ANY,
                          NULL);
        if (json == NULL)
            return fail(r, E_MALFORMED, ERROR_INTERNAL,
                        "the daemon's answer is not JSON");
    }
    if (ret_json != NULL)
        *ret_json = json;
    else
        json_decref(json);
    return OK;
}

enum err call_json(struct cli *cli, const char *method, const char *path,
                   json_t *body, json_t **ret_json)
{
    struct running r = {.cli = cli, .on_part = take_json_part};

    strbuf_init(&r.text, ANSWER_MAX);
    enum err err = conclude(&r, run(&r, method, path, body));
    if (err == OK)
        err = parse_answer(&r, ret_json);
    strbuf_release(&r.text);
    return err;
}

/* Lines of JSON. */

static void show_progress(struct running *r, const json_t *progress)
{
    const char *unit = json_string_value(json_object_get(progress, "unit"));
    struct progress_state state = {
        .label = r->stream->progress,
        .done = answer_u64(progress, "done", 0),
        .total = answer_u64(progress, "total", PROGRESS_UNKNOWN),
        .rate = answer_u64(progress, "rate", 0),
        .is_bytes = unit == NULL || strcmp(unit, "bytes") == 0,
        .unit = unit,
    };

    r->node_tells = true;
    if (r->stream->progress != NULL && !client_is_lonely(r->cli->client))
        progress_update(&r->progress, &state);
}

static enum err take_line(struct running *r, struct bytes in)
{
    if (in.len == 0 || (in.len == 1 && in.p[0] == '\r'))
        return OK;
    json_t *line = json_loadb((const char *)in.p, in.len, 0, NULL);
    if (line == NULL)
        return fail(r, E_MALFORMED, ERROR_INTERNAL,
                    "the daemon's answer is not JSON");
    const json_t *error = json_object_get(line, "error");
    const json_t *progress = json_object_get(line, "progress");
    enum err err = OK;
    if (json_is_object(error)) {
        cli_error_from_json(&r->cli->error, error);
        err = E_REFUSED;
    } else if (json_is_object(progress)) {
        show_progress(r, progress);
    } else if (r->stream->on_line != NULL) {
        progress_clear(&r->progress);
        err = r->stream->on_line(r->cli, r->stream->ctx, line);
    }
    json_decref(line);
    return err;
}

static enum err take_stream_part(struct running *r, struct bytes in)
{
    size_t from = 0;

    for (;;) {
        struct bytes rest = bytes_sub(in, from, in.len - from);
        const uint8_t *end =
            rest.len > 0 ? memchr(rest.p, '\n', rest.len) : NULL;
        size_t len = end != NULL ? (size_t)(end - rest.p) : rest.len;
        strbuf_add(&r->text, bytes_sub(rest, 0, len));
        if (strbuf_full(&r->text))
            return fail(r, E_LIMIT, ERROR_TOO_LARGE, "the daemon's answer");
        if (end == NULL)
            return OK;
        enum err err = take_line(r, strbuf_bytes(&r->text));
        strbuf_reset(&r->text);
        if (err != OK)
            return err;
        from += len + 1;
    }
}

enum err call_stream(struct cli *cli, const struct call_stream *s)
{
    struct running r = {
        .cli = cli,
        .on_part = take_stream_part,
        .stream = s,
        .total_bytes = size_of(s->body_fd),
    };

    strbuf_init(&r.text, LINE_MAX_BYTES);
    progress_init(&r.progress, s->progress, s->progress != NULL && !cli->quiet);
    enum err err = run(&r, s->method, s->path, s->body);
    /* The last line may come without its end. */
    if (err == OK && r.status < HTTP_FAILED)
        err = take_line(&r, strbuf_bytes(&r.text));
    err = conclude(&r, err);
    strbuf_release(&r.text);
    return err;
}

/* Bytes. */

static enum err take_bytes_part(struct running *r, struct bytes in)
{
    struct progress_state state = {
        .label = r->bytes->progress,
        .total = r->bytes->total_bytes,
        .is_bytes = true,
    };

    r->done_bytes += in.len;
    state.done = r->done_bytes;
    if (r->bytes->progress != NULL)
        progress_update(&r->progress, &state);
    return r->bytes->on_bytes(r->cli, r->bytes->ctx, in);
}

enum err call_bytes(struct cli *cli, const struct call_bytes *b)
{
    struct running r = {.cli = cli, .on_part = take_bytes_part, .bytes = b};

    strbuf_init(&r.text, PROBLEM_MAX);
    progress_init(&r.progress, b->progress, b->progress != NULL && !cli->quiet);
    enum err err = conclude(&r, run(&r, "GET", b->path, NULL));
    strbuf_release(&r.text);
    return err;
}

/* Pages. */

static enum err take_items(struct cli *cli, const json_t *page,
                           enum err (*on_item)(struct cli *cli, void *ctx,
                                               const struct json_t *item),
                           void *ctx)
{
    const json_t *items = json_object_get(page, "items");
    enum err err = OK;

    for (size_t i = 0; i < json_array_size(items) && err == OK; i++)
        err = on_item(cli, ctx, json_array_get(items, i));
    return err;
}

enum err call_pages(struct cli *cli, const char *path,
                    enum err (*on_item)(struct cli *cli, void *ctx,
                                        const struct json_t *item),
                    void *ctx)
{
    struct strbuf url;
    bool more = true;
    enum err err = OK;

    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, path);
    strbuf_str(&url, "?limit=1000");
    while (more && err == OK) {
        json_t *page = NULL;
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, &page);
        if (err == OK)
            err = take_items(cli, page, on_item, ctx);
        const char *next = json_string_value(json_object_get(page, "next"));
        more = next != NULL && next[0] != '\0';
        if (more) {
            strbuf_reset(&url);
            strbuf_str(&url, path);
            strbuf_str(&url, "?limit=1000&after=");
            content_path_encode(&url, next, false);
        }
        json_decref(page);
        if (err == OK && interrupt_seen(cli->cancel_fd)) {
            cli_error_kept(&cli->error, cli->kept);
            err = E_CANCELED;
        }
    }
    strbuf_release(&url);
    return err;
}

int call_exit(const struct cli *cli, enum err err)
{
    if (err == OK || cli->reader_gone)
        return EXIT_DONE;
    return cli->error.exit_code != 0 ? cli->error.exit_code : EXIT_FAILED;
}
