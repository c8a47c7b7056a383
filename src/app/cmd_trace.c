#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "app/peer_arg.h"
#include "app/steps_print.h"
#include "base/strbuf.h"

/* `peers trace`: how a peer is known and reached, step by step. */

struct trace {
    bool reached;
    char remedy[CLI_HINT_MAX]; /* "": none was told */
};

static enum err on_line(struct cli *cli, void *ctx, const json_t *line)
{
    struct trace *trace = ctx;

    if (answer_has(line, "reached")) {
        trace->reached = json_is_true(json_object_get(line, "reached"));
        (void)snprintf(trace->remedy, sizeof(trace->remedy), "%s",
                       answer_text(line, "remedy")); /* cut when too long */
    }
    if (cli->json)
        output_json(json_deep_copy(line));
    else if (answer_has(line, "step"))
        steps_print(line);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
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
    struct call_stream call = {.method = "GET",
                               .path = strbuf_cstr(&url),
                               .body_fd = -1,
                               .on_line = on_line,
                               .ctx = &trace};
    err = call_stream(cli, &call);
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
