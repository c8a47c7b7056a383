#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/input.h"
#include "app/output.h"
#include "app/progress.h"
#include "base/strbuf.h"

/* `block get|put|stat|ls|rm`: single blocks. */

int cmd_block_get(struct cli *cli)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "blocks", cli->args[0]);
    content_path_timeout(cli, &url);
    if (err == OK)
        err = call_open(cli, CALL_PLAIN);
    if (err == OK) {
        struct call_bytes call = {.path = strbuf_cstr(&url),
                                  .total_bytes = PROGRESS_UNKNOWN,
                                  .on_bytes = output_body};
        err = call_bytes(cli, &call);
    }
    strbuf_release(&url);
    return call_exit(cli, err);
}

static enum err on_put(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (cli->json) {
        output_json(json_deep_copy(line));
        return OK;
    }
    output_escaped(answer_text(line, "cid"));
    output_text("\n");
    return OK;
}

static enum err put_one(struct cli *cli, const char *url, const char *path)
{
    int fd = -1;
    enum err err = input_open(cli, path, &fd);

    if (err != OK)
        return err;
    struct call_stream call = {
        .method = "POST", .path = url, .body_fd = fd, .on_line = on_put};
    err = call_stream(cli, &call);
    input_close(fd);
    return err;
}

int cmd_block_put(struct cli *cli)
{
    const char *codec = cli_value(cli, "codec");
    const char *stdin_alone[] = {"-"};
    bool none = cli->args_count == 0;
    const char *const *paths = none ? stdin_alone : cli->args;
    struct strbuf url;

    if (codec == NULL)
        codec = cli_value(cli, "cid-codec");
    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, "/api/v1/blocks");
    content_path_query(&url, "codec", codec);
    content_path_query(&url, "cid_version", cli_value(cli, "cid-version"));
    enum err err = call_open(cli, CALL_MAY_CREATE);
    for (size_t i = 0; err == OK && i < (none ? 1 : cli->args_count); i++)
        err = put_one(cli, strbuf_cstr(&url), paths[i]);
    strbuf_release(&url);
    return call_exit(cli, err);
}

int cmd_block_stat(struct cli *cli)
{
    struct strbuf url;
    json_t *stat = NULL;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "blocks", cli->args[0]);
    content_path_query(&url, "stat", "1");
    content_path_timeout(cli, &url);
    if (err == OK)
        err = call_open(cli, CALL_PLAIN);
    if (err == OK)
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, &stat);
    if (err == OK && cli->json) {
        output_json(json_incref(stat));
    } else if (err == OK) {
        output_text("cid    ");
        output_escaped(answer_text(stat, "cid"));
        output_line("\nbytes  %llu",
                    (unsigned long long)answer_u64(stat, "bytes", 0));
    }
    json_decref(stat);
    strbuf_release(&url);
    return call_exit(cli, err);
}

static enum err on_block(struct cli *cli, void *ctx, const json_t *item)
{
    (void)ctx; /* the item tells all */
    if (cli->json) {
        output_json(json_deep_copy(item));
        return OK;
    }
    output_escaped(answer_text(item, "cid"));
    if (!cli->quiet && answer_has(item, "bytes"))
        output_line(" %llu", (unsigned long long)answer_u64(item, "bytes", 0));
    else
        output_text("\n");
    return OK;
}

int cmd_block_ls(struct cli *cli)
{
    enum err err = call_open(cli, CALL_PLAIN);

    if (err == OK)
        err = call_pages(cli, "/api/v1/blocks", on_block, NULL);
    return call_exit(cli, err);
}

int cmd_block_rm(struct cli *cli)
{
    struct strbuf url;
    enum err err = call_open(cli, CALL_PLAIN);

    strbuf_init(&url, CONTENT_URL_MAX);
    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        strbuf_reset(&url);
        err = content_path_cid(cli, &url, "blocks", cli->args[i]);
        if (err == OK)
            err = call_json(cli, "DELETE", strbuf_cstr(&url), NULL, NULL);
        if (err != OK)
            break;
        if (cli->json)
            output_json(json_pack("{s:s}", "cid", cli->args[i]));
        else if (!cli->quiet) {
            output_text("removed ");
            output_escaped(cli->args[i]);
            output_text("\n");
        }
    }
    strbuf_release(&url);
    return call_exit(cli, err);
}
