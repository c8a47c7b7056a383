#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/peer_arg.h"
#include "app/steps_print.h"
#include "base/strbuf.h"

/* `peers trace`: how a peer is known and reached, step by step. */

struct trace {
    bool reached;
    char remedy[CLI_HINT_MAX]; /* "": none was told */
};

static void on_end(void *ctx, const json_t *line)
{
    struct trace *trace = ctx;

    trace->reached = json_is_true(json_object_get(line, "reached"));
    (void)snprintf(trace->remedy, sizeof(trace->remedy), "%s",
                   answer_text(line, "remedy")); /* cut when too long */
}

int cmd_peers_trace(struct cli *cli)
{
    struct trace trace = {.reached = false};
    const char *arg = cli->args[0];
    const char *peer = peer_arg(arg);
    struct strbuf url;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err != OK)
        return call_exit(cli, err);
    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, "/api/v1/trace/");
    content_path_encode(&url, peer, false);
    content_path_query(&url, "address", peer != arg ? arg : NULL);
    content_path_timeout(cli, &url);
    err = steps_ask(cli, strbuf_cstr(&url), on_end, &trace);
    strbuf_release(&url);
    if (err != OK)
        return call_exit(cli, err);
    if (trace.reached)
        return EXIT_DONE;
    cli_error_set(&cli->error, ERROR_PEER_UNREACHABLE, arg);
    if (trace.remedy[0] != '\0')
        cli_error_hint(&cli->error, trace.remedy);
    return cli->error.exit_code;
}
