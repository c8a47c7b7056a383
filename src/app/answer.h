#ifndef APP_ANSWER_H
#define APP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;
struct strbuf;

/* answer - fields of what the API answered, and JSON as text. */

/** answer_u64 - number @name of @object, @otherwise where there is none. */
uint64_t answer_u64(const struct json_t *object, const char *name,
                    uint64_t otherwise);

/** answer_text - text @name of @object, "" where there is none; lives as long
 * as @object.  From outside: to be escaped. */
const char *answer_text(const struct json_t *object, const char *name);

/** answer_has - whether @object has a field @name that is not null. */
bool answer_has(const struct json_t *object, const char *name);

/** answer_put - append @value as compact JSON; @flags: jansson's, added. */
void answer_put(struct strbuf *out, const struct json_t *value, size_t flags);

/** answer_pick - new object with those fields of @object that @names lists,
 * ended by NULL. */
struct json_t *answer_pick(const struct json_t *object,
                           const char *const *names);

#endif /* APP_ANSWER_H */
