#include "app/answer.h"

#include <jansson.h>

#include "base/bytes.h"
#include "base/strbuf.h"

uint64_t answer_u64(const json_t *object, const char *name, uint64_t otherwise)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_real(value) && json_real_value(value) >= 0 &&
        json_real_value(value) < 1e18)
        return (uint64_t)json_real_value(value);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return otherwise;
    return (uint64_t)json_integer_value(value);
}

const char *answer_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

bool answer_has(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return value != NULL && !json_is_null(value);
}

static int add_part(const char *text, size_t len, void *data)
{
    strbuf_add(data, (struct bytes){(const uint8_t *)text, len});
    return 0;
}

void answer_put(struct strbuf *out, const json_t *value, size_t flags)
{
    (void)json_dump_callback(value, add_part, out,
                             JSON_COMPACT | JSON_ENCODE_ANY | flags);
}

json_t *answer_pick(const json_t *object, const char *const *names)
{
    json_t *picked = json_object();

    for (size_t i = 0; names[i] != NULL; i++) {
        json_t *value = json_object_get(object, names[i]);
        if (value != NULL)
            (void)json_object_set(picked, names[i], value); /* out of memory */
    }
    return picked;
}
