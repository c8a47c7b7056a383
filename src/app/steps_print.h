#ifndef APP_STEPS_PRINT_H
#define APP_STEPS_PRINT_H

struct json_t;

/** steps_print - one step of an answer that tells them as they are tried, for
 * people: "step WHERE: result, 3 ms: detail", the remedy below. */
void steps_print(const struct json_t *line);

#endif /* APP_STEPS_PRINT_H */
