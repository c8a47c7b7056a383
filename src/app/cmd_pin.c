#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "base/strbuf.h"

/* `pin add|rm|ls` and `rm`: what is kept. */

static enum err on_pinned(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (!answer_has(line, "cid"))
        return OK; /* a kind of line that came later than this program */
    if (cli->json) {
        output_json(json_deep_copy(line));
        return OK;
    }
    if (!cli->quiet)
        output_text("pinned ");
    output_escaped(answer_text(line, "cid"));
    if (!cli->quiet) {
        output_text(" ");
        output_escaped(answer_text(line, "type"));
    }
    output_text("\n");
    return OK;
}

static bool wants_direct(const struct cli *cli)
{
    return cli_flag(cli, "direct") || (cli_given_count(cli, "recursive") > 0 &&
                                       !cli_flag(cli, "recursive"));
}

static enum err pin_one(struct cli *cli, const char *text)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "pins", text);
    if (wants_direct(cli))
        content_path_query(&url, "direct", "1");
    content_path_query(&url, "name", cli_value(cli, "name"));
    content_path_timeout(cli, &url);
    if (err == OK) {
        struct call_stream call = {.method = "PUT",
                                   .path = strbuf_cstr(&url),
                                   .body_fd = -1,
                                   .progress = "fetching",
                                   .on_line = on_pinned};
        err = call_stream(cli, &call);
    }
    strbuf_release(&url);
    return err;
}

int cmd_pin_add(struct cli *cli)
{
    enum err err = call_open(cli, CALL_PLAIN);

    cli->kept = "Blocks that came stay until the next gc; the same command "
                "again goes on from there.";
    for (size_t i = 0; i < cli->args_count && err == OK; i++)
        err = pin_one(cli, cli->args[i]);
    return call_exit(cli, err);
}

static void print_removed(struct cli *cli, const char *word, const char *cid)
{
    if (cli->json) {
        output_json(json_pack("{s:s}", "cid", cid));
        return;
    }
    if (cli->quiet)
        return;
    output_text(word);
    output_escaped(cid);
    output_text("\n");
}

/* Removes the pins of all arguments; @by_owner: `rm` is said, not `pin rm`,
 * which ends the object too. */
static int remove_all(struct cli *cli, const char *word, bool by_owner)
{
    const char *route = by_owner ? "objects" : "pins";
    struct strbuf url;
    enum err err = call_open(cli, CALL_PLAIN);

    strbuf_init(&url, CONTENT_URL_MAX);
    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        strbuf_reset(&url);
        err = content_path_cid(cli, &url, route, cli->args[i]);
        if (by_owner && cli_flag(cli, "local"))
            content_path_query(&url, "local", "1");
        if (err == OK)
            err = call_json(cli, "DELETE", strbuf_cstr(&url), NULL, NULL);
        if (err == OK)
            print_removed(cli, word, cli->args[i]);
    }
    strbuf_release(&url);
    if (err == OK && by_owner)
        output_message(cli, "Its blocks go at the next gc; copies that others "
                            "made for themselves stay.");
    return call_exit(cli, err);
}

int cmd_pin_rm(struct cli *cli)
{
    return remove_all(cli, "unpinned ", false);
}

int cmd_rm(struct cli *cli)
{
    return remove_all(cli, "removed ", true);
}

static enum err on_pin(struct cli *cli, void *ctx, const json_t *item)
{
    const char *type = cli_value(cli, "type");

    (void)ctx; /* the item tells all */
    if (type != NULL && strcmp(type, "all") != 0 &&
        strcmp(type, answer_text(item, "type")) != 0)
        return OK;
    if (cli->json) {
        output_json(json_deep_copy(item));
        return OK;
    }
    output_escaped(answer_text(item, "cid"));
    if (!cli->quiet) {
        output_text(" ");
        output_escaped(answer_text(item, "type"));
    }
    if (!cli->quiet && answer_has(item, "name")) {
        output_text(" ");
        output_escaped(answer_text(item, "name"));
    }
    output_text("\n");
    return OK;
}

static enum err show_pin(struct cli *cli, const char *text)
{
    struct strbuf url;
    json_t *pin = NULL;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_cid(cli, &url, "pins", text);
    if (err == OK)
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, &pin);
    if (err == OK)
        err = on_pin(cli, NULL, pin);
    json_decref(pin);
    strbuf_release(&url);
    return err;
}

int cmd_pin_ls(struct cli *cli)
{
    const char *type = cli_value(cli, "type");

    if (type != NULL && strcmp(type, "all") != 0 &&
        strcmp(type, "recursive") != 0 && strcmp(type, "direct") != 0) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "--type is none of recursive, direct, all: %.50s", type);
        return cli->error.exit_code;
    }
    enum err err = call_open(cli, CALL_PLAIN);
    if (err == OK && cli->args_count == 0)
        err = call_pages(cli, "/api/v1/pins", on_pin, NULL);
    for (size_t i = 0; i < cli->args_count && err == OK; i++)
        err = show_pin(cli, cli->args[i]);
    return call_exit(cli, err);
}
