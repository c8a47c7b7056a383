#include "app/steps_print.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/output.h"

struct asking {
    void (*on_end)(void *ctx, const json_t *line);
    void *ctx;
};

static void print_step(const json_t *line)
{
    const char *step = answer_text(line, "step");
    const char *result = answer_text(line, "result");

    output_escaped(step);
    if (strcmp(step, "dial") == 0 || strcmp(step, "asked") == 0) {
        output_text(" ");
        output_escaped(answer_text(
            line, strcmp(step, "dial") == 0 ? "address" : "peer_id"));
    }
    output_text(": ");
    output_escaped(strcmp(result, "not_tried") == 0 ? "not tried" : result);
    if (strcmp(result, "not_tried") != 0) {
        output_text(", ");
        output_number(answer_u64(line, "ms", 0), 0);
        output_text(" ms");
    }
    if (answer_has(line, "detail")) {
        output_text(": ");
        output_escaped(answer_text(line, "detail"));
    }
    output_text("\n");
    if (answer_has(line, "remedy")) {
        output_text("  ");
        output_escaped(answer_text(line, "remedy"));
        output_text("\n");
    }
}

static enum err on_line(struct cli *cli, void *ctx, const json_t *line)
{
    const struct asking *a = ctx;
    bool is_step = answer_has(line, "step");

    if (!is_step)
        a->on_end(a->ctx, line);
    if (cli->json)
        output_json(json_deep_copy(line));
    else if (is_step)
        print_step(line);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

enum err steps_ask(struct cli *cli, const char *path,
                   void (*on_end)(void *ctx, const json_t *line), void *ctx)
{
    struct asking asking = {.on_end = on_end, .ctx = ctx};
    struct call_stream call = {.method = "GET",
                               .path = path,
                               .body_fd = -1,
                               .on_line = on_line,
                               .ctx = &asking};

    return call_stream(cli, &call);
}
