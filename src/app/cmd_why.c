#include <jansson.h>

#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/steps_print.h"
#include "base/strbuf.h"

/* `why`: whether something can be had, step by step. */

struct why {
    bool can; /* it can be fetched */
};

static void on_end(void *ctx, const json_t *line)
{
    struct why *why = ctx;

    why->can = json_is_true(json_object_get(line, "fetchable"));
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
        err = steps_ask(cli, strbuf_cstr(&url), on_end, &why);
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
