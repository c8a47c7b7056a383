#include <jansson.h>
#include <stdio.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "app/steps_print.h"
#include "base/strbuf.h"

/* `why`: whether something can be had, step by step. */

struct why {
    bool can; /* it can be fetched */
};

static enum err on_line(struct cli *cli, void *ctx, const json_t *line)
{
    struct why *why = ctx;

    if (answer_has(line, "fetchable"))
        why->can = json_is_true(json_object_get(line, "fetchable"));
    if (cli->json)
        output_json(json_deep_copy(line));
    else if (answer_has(line, "step"))
        steps_print(line);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

int cmd_why(struct cli *cli)
{
    struct why why = {.can = false};
    struct strbuf url;
    enum err err = call_open(cli, CALL_PLAIN);

    if (err != OK)
        return call_exit(cli, err);
    strbuf_init(&url, CONTENT_URL_MAX);
    err = content_path_cid(cli, &url, "why", cli->args[0]);
    if (err == OK) {
        content_path_timeout(cli, &url);
        struct call_stream call = {.method = "GET",
                                   .path = strbuf_cstr(&url),
                                   .body_fd = -1,
                                   .on_line = on_line,
                                   .ctx = &why};
        err = call_stream(cli, &call);
    }
    strbuf_release(&url);
    if (err != OK)
        return call_exit(cli, err);
    if (why.can)
        return EXIT_DONE;
    cli_error_setf(&cli->error, ERROR_NOT_FOUND, "it cannot be fetched now: %s",
                   cli->args[0]);
    cli_error_hint(&cli->error, "The steps that failed say what would help.");
    return cli->error.exit_code;
}
