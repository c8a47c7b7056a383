#include "app/steps_print.h"

#include <jansson.h>
#include <string.h>

#include "app/answer.h"
#include "app/output.h"

void steps_print(const json_t *line)
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
