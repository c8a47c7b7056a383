#include <jansson.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "base/strbuf.h"

/* `ls` and `stat`. */

static enum err on_entry(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (cli->json) {
        output_json(json_deep_copy(line));
        return OK;
    }
    if (!answer_has(line, "cid"))
        return OK; /* a kind of line that came later than this program */
    output_escaped(answer_text(line, "cid"));
    output_text(" ");
    if (answer_has(line, "bytes"))
        output_number(answer_u64(line, "bytes", 0), 12);
    else
        output_text("           -");
    output_text(" ");
    output_escaped(answer_text(line, "name"));
    bool folder = strcmp(answer_text(line, "type"), "directory") == 0;
    output_text(folder ? "/\n" : "\n");
    return OK;
}

int cmd_ls(struct cli *cli)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "ls", cli->args[0]);
    content_path_timeout(cli, &url);
    if (err == OK)
        err = call_open(cli, CALL_FETCHES);
    if (err == OK) {
        struct call_stream call = {.method = "GET",
                                   .path = strbuf_cstr(&url),
                                   .body_fd = -1,
                                   .on_line = on_entry};
        err = call_stream(cli, &call);
    }
    strbuf_release(&url);
    return call_exit(cli, err);
}

static void print_size(const json_t *stat, const char *label, const char *name)
{
    char size[32];

    if (!answer_has(stat, name))
        return;
    uint64_t bytes = answer_u64(stat, name, 0);
    output_line("%s%llu (%s)", label, (unsigned long long)bytes,
                output_size(size, bytes));
}

static void print_stat(const json_t *stat)
{
    output_text("cid         ");
    output_escaped(answer_text(stat, "cid"));
    output_text("\ntype        ");
    output_escaped(answer_text(stat, "type"));
    output_text("\n");
    print_size(stat, "bytes       ", "bytes");
    if (answer_has(stat, "blocks"))
        output_line("blocks      %llu",
                    (unsigned long long)answer_u64(stat, "blocks", 0));
    print_size(stat, "cumulative  ", "cumulative_bytes");
    if (answer_has(stat, "local"))
        output_line("local       %s",
                    json_is_true(json_object_get(stat, "local")) ? "yes"
                                                                 : "no");
    if (answer_has(stat, "pinned"))
        output_line("pinned      %s",
                    json_is_true(json_object_get(stat, "pinned")) ? "yes"
                                                                  : "no");
    if (answer_has(stat, "target")) {
        output_text("target      ");
        output_escaped(answer_text(stat, "target"));
        output_text("\n");
    }
}

int cmd_stat(struct cli *cli)
{
    struct strbuf url;
    json_t *stat = NULL;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "stat", cli->args[0]);
    content_path_timeout(cli, &url);
    if (err == OK)
        err = call_open(cli, CALL_FETCHES);
    if (err == OK)
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, &stat);
    if (err == OK && cli->json)
        output_json(json_incref(stat));
    else if (err == OK)
        print_stat(stat);
    json_decref(stat);
    strbuf_release(&url);
    return call_exit(cli, err);
}
