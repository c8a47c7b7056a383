#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/client.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/file_out.h"
#include "app/output.h"
#include "app/progress.h"
#include "base/strbuf.h"
#include "config/units.h"

/* `cat` and `get`. */

enum { NS_PER_S = 1000000000 };

static enum err take_size(struct cli *cli, const char *name, struct strbuf *url)
{
    const char *text = cli_value(cli, name);
    uint64_t number = 0;
    char digits[24];

    if (text == NULL)
        return OK;
    if (units_parse_size(bytes_str(text), &number) != OK ||
        number > INT64_MAX) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "--%s wants a number of bytes: %.100s", name, text);
        return E_MALFORMED;
    }
    (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    content_path_query(url, name, digits);
    return OK;
}

static enum err cat_one(struct cli *cli, const char *text)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "content", text);
    if (err == OK)
        err = take_size(cli, "offset", &url);
    if (err == OK)
        err = take_size(cli, "length", &url);
    if (err == OK) {
        /* No bar: the bytes themselves may go to the terminal. */
        content_path_timeout(cli, &url);
        struct call_bytes call = {.path = strbuf_cstr(&url),
                                  .total_bytes = PROGRESS_UNKNOWN,
                                  .on_bytes = output_body};
        err = call_bytes(cli, &call);
    }
    strbuf_release(&url);
    return err;
}

int cmd_cat(struct cli *cli)
{
    enum err err = call_open(cli, CALL_ANONYMOUS);

    for (size_t i = 0; i < cli->args_count && err == OK; i++)
        err = cat_one(cli, cli->args[i]);
    return call_exit(cli, err);
}

/* Where `get` puts what @plain names; absolute. */
static enum err find_out(struct cli *cli, const char *plain, struct strbuf *out)
{
    const char *given = cli_value(cli, "output");
    const char *name = content_path_last(plain);
    char cwd[PATH_MAX];

    if (given == NULL)
        given = name;
    if (given[0] != '/') {
        if (getcwd(cwd, sizeof(cwd)) == NULL) {
            cli_error_set(&cli->error, ERROR_IO, "the working directory");
            return E_IO;
        }
        strbuf_str(out, cwd);
        strbuf_str(out, "/");
    }
    strbuf_str(out, given);
    size_t len = out->len;
    /* "out/" means: into the folder out, under its own name. */
    if (given != name && len > 1 && out->p[len - 1] == '/')
        strbuf_str(out, name);
    size_t end = out->len;
    while (end > 1 && out->p[end - 1] == '/')
        end--; /* of a name such as "folder/" in the content's path */
    out->len = end;
    out->p[end] = 0;
    const char *last = content_path_last(strbuf_cstr(out));
    if (strbuf_full(out) || given[0] == '\0' || strcmp(last, ".") == 0 ||
        strcmp(last, "..") == 0) {
        cli_error_set(&cli->error, ERROR_BAD_NAME, given);
        cli_error_hint(&cli->error, "Name the file or folder to make with -o.");
        return E_MALFORMED;
    }
    return OK;
}

static void print_got(struct cli *cli, const json_t *line)
{
    char size[32];

    if (cli->json) {
        output_json(json_deep_copy(line));
        return;
    }
    if (cli->quiet)
        return;
    output_text("saved ");
    output_escaped(answer_text(line, "path"));
    output_line(" (%s)", output_size(size, answer_u64(line, "bytes", 0)));
}

static enum err on_got(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (answer_has(line, "cid"))
        print_got(cli, line);
    return OK;
}

/* The node writes the files itself. */
static enum err get_local(struct cli *cli, const char *plain, const char *out)
{
    json_t *path = json_string(plain);
    json_t *target = json_string(out);

    if (path == NULL || target == NULL) {
        json_decref(path);
        json_decref(target);
        cli_error_setf(&cli->error, ERROR_BAD_NAME, "the path is not UTF-8");
        return E_MALFORMED;
    }
    json_t *body = json_pack("{s:o, s:o}", "path", path, "out", target);
    if (cli_flag(cli, "force"))
        (void)json_object_set_new(body, "force", json_true());
    if (cli_flag(cli, "sync"))
        (void)json_object_set_new(body, "sync", json_true());
    if (cli->timeout_s > 0)
        (void)json_object_set_new(body, "timeout_s",
                                  json_integer(cli->timeout_s));
    struct call_stream call = {
        .method = "POST",
        .path = "/api/v1/local/get",
        .body = body,
        .body_fd = -1,
        .progress = "getting",
        .on_line = on_got,
    };
    return call_stream(cli, &call);
}

/* A file that is streamed to us. */
struct saving {
    struct file_out file;
    uint64_t bytes;
};

static enum err save_bytes(struct cli *cli, void *ctx, struct bytes in)
{
    struct saving *s = ctx;

    s->bytes += in.len;
    return file_out_write(cli, &s->file, in);
}

static enum err stat_of(struct cli *cli, const char *plain, json_t **ret_stat)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "stat", plain);
    content_path_timeout(cli, &url);
    if (err == OK)
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, ret_stat);
    strbuf_release(&url);
    return err;
}

static enum err save_stream(struct cli *cli, const char *plain, const char *out,
                            uint64_t total, struct saving *s)
{
    bool force = cli_flag(cli, "force");
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "content", plain);
    content_path_timeout(cli, &url);
    if (err == OK)
        err = file_out_open(cli, &s->file, out, force);
    if (err == OK) {
        struct call_bytes call = {.path = strbuf_cstr(&url),
                                  .total_bytes = total,
                                  .progress = "getting",
                                  .on_bytes = save_bytes,
                                  .ctx = s};
        err = call_bytes(cli, &call);
        if (err == OK)
            err = file_out_close(cli, &s->file, force, cli_flag(cli, "sync"));
        file_out_drop(&s->file);
    }
    strbuf_release(&url);
    return err;
}

static double seconds_since(const struct timespec *began)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* it cannot fail */
    return (double)(now.tv_sec - began->tv_sec) +
           (double)(now.tv_nsec - began->tv_nsec) / NS_PER_S;
}

/* A name that is no UTF-8 is shown with replacement characters. */
static json_t *text_of_path(const char *path)
{
    json_t *text = json_string(path);
    struct strbuf s;

    if (text != NULL)
        return text;
    strbuf_init(&s, PATH_MAX * 4);
    strbuf_escape(&s, bytes_str(path));
    text = json_string(strbuf_cstr(&s));
    strbuf_release(&s);
    return text;
}

/* A node that may not write for us sends the bytes of one file. */
static enum err get_stream(struct cli *cli, const char *plain, const char *out)
{
    struct saving s = {.file = {.fd = -1}};
    struct timespec began;
    json_t *stat = NULL;

    (void)clock_gettime(CLOCK_MONOTONIC, &began); /* it cannot fail */
    enum err err = stat_of(cli, plain, &stat);

    if (err != OK)
        return err;
    const char *type = answer_text(stat, "type");
    uint64_t total = answer_u64(stat, "bytes", PROGRESS_UNKNOWN);
    if (strcmp(type, "file") != 0 && strcmp(type, "raw") != 0) {
        cli_error_set(&cli->error, ERROR_NOT_A_FILE, plain);
        cli_error_hint(&cli->error,
                       "The daemon is not this user's or not on this machine: "
                       "only files come from it.");
        json_decref(stat);
        return E_UNSUPPORTED;
    }
    err = save_stream(cli, plain, out, total, &s);
    if (err == OK) {
        json_t *line = json_pack(
            "{s:s, s:o, s:I, s:f, s:[]}", "cid", answer_text(stat, "cid"),
            "path", text_of_path(out), "bytes", (json_int_t)s.bytes, "seconds",
            seconds_since(&began), "sources");
        print_got(cli, line);
        json_decref(line);
    }
    json_decref(stat);
    return err;
}

/* Where the daemon may not write, or JSON cannot name what is meant, a file
 * still comes as bytes. */
static enum err get_here(struct cli *cli, const char *plain, const char *out)
{
    enum err err = get_local(cli, plain, out);
    struct cli_error first = cli->error;

    if (err == OK || (strcmp(first.code, "PERMISSION") != 0 &&
                      strcmp(first.code, "BAD_NAME") != 0))
        return err;
    cli->error = (struct cli_error){.code = ""};
    enum err again = get_stream(cli, plain, out);
    if (again != OK && strcmp(cli->error.code, "NOT_A_FILE") == 0) {
        cli->error = first;
        return err;
    }
    return again;
}

/* Without a data folder what came lies beside OUT. */
static void tell_kept(struct cli *cli)
{
    if (!client_has_lone(cli->client))
        return;
    if (client_keeps(cli->client))
        cli_error_hint(&cli->error,
                       "What came is kept in OUT.xmbl-part.d; the same command "
                       "again goes on from there.");
    else
        cli_error_hint(&cli->error, "Nothing came yet; nothing is left.");
}

int cmd_get(struct cli *cli)
{
    struct strbuf plain;
    struct strbuf out;
    struct strbuf url;

    strbuf_init(&plain, CONTENT_URL_MAX / 4);
    strbuf_init(&out, PATH_MAX);
    strbuf_init(&url, CONTENT_URL_MAX);
    /* The route is not used: it says whether the path is one. */
    enum err err = content_path_route(cli, &url, "content", cli->args[0]);
    if (err == OK)
        err = content_path_plain(&plain, cli->args[0]);
    if (err == OK)
        err = find_out(cli, strbuf_cstr(&plain), &out);
    cli->kept = "What came is kept in OUT.xmbl-part; the same command again "
                "goes on from there.";
    if (err == OK)
        err = call_open_for(cli, strbuf_cstr(&out));
    if (err == OK && client_is_local(cli->client))
        err = get_here(cli, strbuf_cstr(&plain), strbuf_cstr(&out));
    else if (err == OK)
        err = get_stream(cli, strbuf_cstr(&plain), strbuf_cstr(&out));
    if (err == E_CANCELED && cli->client != NULL)
        tell_kept(cli);
    strbuf_release(&url);
    strbuf_release(&out);
    strbuf_release(&plain);
    return call_exit(cli, err);
}
