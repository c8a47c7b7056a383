#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/client.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/file_out.h"
#include "app/input.h"
#include "app/output.h"
#include "app/progress.h"
#include "base/strbuf.h"
#include "config/units.h"
#include "os/term.h"

/* `ipns publish|resolve|get|put`. */

/* "/ipns/NAME/path" and "ipns://NAME/path" begin with the name here. */
static const char *name_of(const char *text)
{
    if (content_path_is_name(text))
        return text + strlen("/ipns/");
    return text;
}

static void tell_peers(struct cli *cli, const json_t *answer)
{
    uint64_t peers = answer_u64(answer, "peers", 0);

    if (peers == 0)
        output_message(cli, "No peer has it yet; the daemon goes on trying.");
    else
        output_message(cli, "Told %llu peers.", (unsigned long long)peers);
}

static enum err read_ttl(struct cli *cli, json_t *body)
{
    const char *text = cli_value(cli, "ttl");
    uint64_t ms = 0;

    if (text == NULL)
        return OK;
    if (units_parse_duration(bytes_str(text), &ms) != OK || ms < 1000) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "--ttl wants a time such as 5m: %.100s", text);
        return E_MALFORMED;
    }
    (void)json_object_set_new(body, "ttl_s",
                              json_integer((json_int_t)(ms / 1000)));
    return OK;
}

static void print_published(struct cli *cli, const json_t *answer)
{
    if (cli->json) {
        output_json(json_deep_copy(answer));
        return;
    }
    if (cli->quiet) {
        output_escaped(answer_text(answer, "name"));
        output_text("\n");
        return;
    }
    output_text("Published to ");
    output_escaped(answer_text(answer, "name"));
    output_text(": ");
    output_escaped(answer_text(answer, "value"));
    output_text("\n");
    tell_peers(cli, answer);
}

int cmd_ipns_publish(struct cli *cli)
{
    json_t *value = json_string(cli->args[0]);
    json_t *answer = NULL;

    if (value == NULL)
        return cli_fail(cli, ERROR_BAD_PATH, cli->args[0]);
    json_t *body = json_pack("{s:o}", "value", value);
    enum err err = read_ttl(cli, body);
    if (cli->timeout_s > 0)
        (void)json_object_set_new(body, "timeout_s",
                                  json_integer(cli->timeout_s));
    if (err == OK)
        err = call_open(cli, CALL_PLAIN);
    if (err == OK)
        err = call_json(cli, "POST", "/api/v1/ipns", body, &answer);
    else
        json_decref(body);
    if (err == OK)
        print_published(cli, answer);
    json_decref(answer);
    return call_exit(cli, err);
}

/* The node's own name, for who names none. */
static enum err own_name(struct cli *cli, struct strbuf *out)
{
    json_t *answer = NULL;

    if (client_has_lone(cli->client)) { /* its key lives as long as we do */
        cli_error_set(&cli->error, ERROR_NO_FOLDER, NULL);
        cli_error_hint(&cli->error, "Name what is to be resolved.");
        return E_NOTFOUND;
    }
    enum err err = call_json(cli, "GET", "/api/v1/node", NULL, &answer);
    if (err == OK)
        strbuf_str(out, answer_text(answer, "peer_id"));
    json_decref(answer);
    return err;
}

static void add_nocache(struct cli *cli, struct strbuf *url)
{
    if (cli_flag(cli, "nocache"))
        content_path_query(url, "nocache", "true");
}

int cmd_ipns_resolve(struct cli *cli)
{
    json_t *answer = NULL;
    struct strbuf name;
    struct strbuf url;

    strbuf_init(&name, CONTENT_URL_MAX / 4);
    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = call_open(cli, CALL_ANONYMOUS);
    if (err == OK && cli->args_count > 0)
        strbuf_str(&name, name_of(cli->args[0]));
    else if (err == OK)
        err = own_name(cli, &name);
    if (err == OK) {
        strbuf_str(&url, "/api/v1/ipns/");
        content_path_encode(&url, strbuf_cstr(&name), true);
        content_path_query(&url, "recursive", cli_value(cli, "recursive"));
        add_nocache(cli, &url);
        content_path_timeout(cli, &url);
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, &answer);
    }
    if (err == OK && cli->json) {
        output_json(json_incref(answer));
    } else if (err == OK) {
        output_escaped(answer_text(answer, "value"));
        output_text("\n");
    }
    json_decref(answer);
    strbuf_release(&url);
    strbuf_release(&name);
    return call_exit(cli, err);
}

/* A record, to stdout or a file. */

static void record_url(struct cli *cli, struct strbuf *url)
{
    strbuf_init(url, CONTENT_URL_MAX);
    strbuf_str(url, "/api/v1/ipns-records/");
    content_path_encode(url, name_of(cli->args[0]), false);
}

static enum err write_bytes(struct cli *cli, void *ctx, struct bytes in)
{
    struct file_out *file = ctx;

    return file_out_write(cli, file, in);
}

static enum err save(struct cli *cli, const char *url, const char *path)
{
    struct file_out file = {.fd = -1};
    struct call_bytes call = {.path = url,
                              .total_bytes = PROGRESS_UNKNOWN,
                              .on_bytes = write_bytes,
                              .ctx = &file};
    enum err err = file_out_open(cli, &file, path, true);

    if (err != OK)
        return err;
    err = call_bytes(cli, &call);
    if (err == OK)
        err = file_out_close(cli, &file, true, false);
    file_out_drop(&file);
    return err;
}

int cmd_ipns_get(struct cli *cli)
{
    const char *path = cli_value(cli, "output");
    bool to_stdout = path == NULL || strcmp(path, "-") == 0;
    struct strbuf url;

    if (to_stdout && term_is_terminal(STDOUT_FILENO)) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "a record is nothing for a terminal");
        cli_error_hint(&cli->error, "Name a file with -o.");
        return cli->error.exit_code;
    }
    record_url(cli, &url);
    add_nocache(cli, &url);
    content_path_timeout(cli, &url);
    enum err err = call_open(cli, CALL_ANONYMOUS);
    if (err == OK && to_stdout) {
        struct call_bytes call = {.path = strbuf_cstr(&url),
                                  .total_bytes = PROGRESS_UNKNOWN,
                                  .on_bytes = output_body};
        err = call_bytes(cli, &call);
    } else if (err == OK) {
        err = save(cli, strbuf_cstr(&url), path);
    }
    strbuf_release(&url);
    if (err == OK && cli->json && !to_stdout)
        output_json(json_pack("{s:s, s:s}", "name", name_of(cli->args[0]),
                              "path", path));
    return call_exit(cli, err);
}

static enum err on_put(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (cli->json)
        output_json(json_deep_copy(line));
    else
        tell_peers(cli, line);
    return OK;
}

int cmd_ipns_put(struct cli *cli)
{
    struct strbuf url;
    int fd = -1;

    record_url(cli, &url);
    content_path_timeout(cli, &url);
    enum err err = call_open(cli, CALL_PLAIN);
    if (err == OK)
        err = input_open(cli, cli->args[1], &fd);
    if (err == OK) {
        struct call_stream call = {.method = "PUT",
                                   .path = strbuf_cstr(&url),
                                   .body_fd = fd,
                                   .on_line = on_put};
        err = call_stream(cli, &call);
        input_close(fd);
    }
    strbuf_release(&url);
    return call_exit(cli, err);
}
