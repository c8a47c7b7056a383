#include "api/request.h"

#include <assert.h>
#include <string.h>

#include "api/routes.h"

const char *request_query(struct request *q, const char *name)
{
    return q->http->query(q->http, q->r, name);
}

bool request_flag(struct request *q, const char *name, bool otherwise,
                  bool *ret_ok)
{
    const char *text = request_query(q, name);

    if (text == NULL)
        return otherwise;
    if (text[0] == '\0' || strcmp(text, "1") == 0 || strcmp(text, "true") == 0)
        return true;
    if (strcmp(text, "0") != 0 && strcmp(text, "false") != 0) {
        reply_error(q, ERROR_BAD_REQUEST, "neither true nor false", name);
        *ret_ok = false;
    }
    return false;
}

/* Whether @text is a decimal number of at most @max. */
static bool read_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool good = text[0] != '\0';

    for (const char *p = text; good && *p != '\0'; p++) {
        uint64_t digit = (uint64_t)(uint8_t)*p - '0';
        good = *p >= '0' && *p <= '9' && digit <= max &&
               value <= (max - digit) / 10;
        value = value * 10 + digit;
    }
    if (good)
        *ret_value = value;
    return good;
}

uint64_t request_number(struct request *q, const char *name, uint64_t otherwise,
                        uint64_t max, bool *ret_ok)
{
    const char *text = request_query(q, name);
    uint64_t value = otherwise;

    if (text == NULL || read_number(text, max, &value))
        return value;
    reply_error(q, ERROR_BAD_REQUEST, "not a number within the limits", name);
    *ret_ok = false;
    return otherwise;
}

uint64_t request_limit(struct request *q, bool *ret_ok)
{
    const char *text = request_query(q, "limit");
    uint64_t value = LIST_DEFAULT;

    if (text == NULL || (read_number(text, LIST_MAX, &value) && value > 0))
        return value;
    reply_error(q, ERROR_BAD_VALUE, "limit is from 1 to 1000", text);
    *ret_ok = false;
    return LIST_DEFAULT;
}

_Static_assert(LIST_MAX == 1000, "the message names it");

enum { TIMEOUT_S_MAX = 7 * 24 * 3600 };

uint32_t request_timeout_ms(struct request *q, bool *ret_ok)
{
    return 1000 *
           (uint32_t)request_number(q, "timeout", 0, TIMEOUT_S_MAX, ret_ok);
}

uint32_t request_body_timeout_ms(struct request *q, bool *ret_ok)
{
    json_int_t timeout_s =
        json_integer_value(json_object_get(q->body, "timeout_s"));

    if (timeout_s >= 0 && timeout_s <= TIMEOUT_S_MAX)
        return 1000 * (uint32_t)timeout_s;
    reply_error(q, ERROR_BAD_VALUE, "up to 7 days", "timeout_s");
    *ret_ok = false;
    return 0;
}

static bool has_type(const struct request_field *f, const json_t *v)
{
    switch (f->type) {
    case FIELD_TEXT:
        return json_is_string(v);
    case FIELD_BOOL:
        return json_is_boolean(v);
    case FIELD_INT:
        return json_is_integer(v);
    case FIELD_LIST:
        return json_is_array(v);
    }
    return false;
}

bool request_fields(struct request *q)
{
    const char *key;
    json_t *value;

    assert(route_fields(q->route) != NULL);
    json_object_foreach(q->body, key, value)
    {
        const struct request_field *field = route_fields(q->route);
        while (field->name != NULL && strcmp(field->name, key) != 0)
            field++;
        if (field->name != NULL && has_type(field, value))
            continue;
        reply_error(q, ERROR_BAD_REQUEST,
                    field->name != NULL ? "this field has the wrong type"
                                        : "unknown field",
                    key);
        return false;
    }
    return true;
}

bool request_names_cid(struct request *q)
{
    struct cid cid;

    return strchr(q->tail, '/') != NULL || request_cid(q, &cid);
}

bool request_cid(struct request *q, struct cid *ret_cid)
{
    if (cid_parse(bytes_str(q->tail), ret_cid) == OK)
        return true;
    reply_error(q, ERROR_BAD_CID, NULL, q->tail);
    return false;
}
