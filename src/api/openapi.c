#include "api/openapi.h"

#include <assert.h>
#include <string.h>

#include "api/openapi_words.h"
#include "api/request.h"
#include "api/routes.h"
#include "base/ascii.h"
#include "node/node.h"

enum { PATH_TEXT_MAX = 128, STATUS_TEXT_MAX = 8 };

static const char about[] =
    "The routes of a node.  They are served on the Unix socket api.sock of its "
    "data folder.  x-role is what a token must permit (the socket permits "
    "everything), x-local: only for the user of the node or root.  x-rest is a "
    "parameter of a path that may hold slashes.";

static json_t *json_ref(const char *schema)
{
    return json_pack("{s:o}", "$ref",
                     json_sprintf("#/components/schemas/%s", schema));
}

/* {type: {schema}} */
static void add_content(json_t *content, const char *type, json_t *schema)
{
    json_object_set_new(content, type, json_pack("{s:o}", "schema", schema));
}

/* Paths. */

/* "/api/v1/pins/+" as "/api/v1/pins/{cid}". */
static void write_path(const struct route *route, struct strbuf *out)
{
    const struct openapi_place *place = openapi_place(route->pattern);
    size_t len = strlen(route->pattern);

    if (place == NULL) {
        strbuf_str(out, route->pattern);
        return;
    }
    strbuf_add(out, bytes_sub(bytes_str(route->pattern), 0, len - 1));
    strbuf_str(out, "{");
    strbuf_str(out, place->name);
    strbuf_str(out, "}");
    strbuf_str(out, place->behind);
}

static void write_method(const struct route *route, struct strbuf *out)
{
    for (const char *p = route->method; *p != '\0'; p++) {
        uint8_t c = ascii_lower((uint8_t)*p);
        strbuf_add(out, (struct bytes){&c, 1});
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Method and path as one name: get_api_v1_pins_cid. */
static json_t *json_operation_id(const char *method, const char *path)
{
    bool in_word = false;
    struct strbuf s;

    strbuf_init(&s, PATH_TEXT_MAX);
    strbuf_str(&s, method);
    for (const char *p = path; *p != '\0'; p++) {
        bool was_in_word = in_word;
        in_word = is_word(*p);
        if (in_word && !was_in_word)
            strbuf_str(&s, "_");
        if (in_word)
            strbuf_add(&s, (struct bytes){(const uint8_t *)p, 1});
    }
    json_t *id = json_text(strbuf_bytes(&s));
    strbuf_release(&s);
    return id;
}

/* Parameters. */

static json_t *json_place(const struct route *route,
                          const struct openapi_place *place)
{
    json_t *v = json_pack("{s:s,s:s,s:b,s:s,s:{s:s}}", "name", place->name,
                          "in", "path", "required", 1, "description",
                          place->help, "schema", "type", "string");

    if (route->pattern[strlen(route->pattern) - 1] == '*' &&
        place->behind[0] == '\0')
        json_object_set_new(v, "x-rest", json_true());
    return v;
}

static json_t *json_query(const char *name)
{
    const struct openapi_query *query = openapi_query(name);

    assert(query != NULL);
    return json_pack("{s:s,s:s,s:b,s:s,s:{s:s}}", "name", name, "in", "query",
                     "required", 0, "description", query->help, "schema",
                     "type", query->type);
}

static json_t *json_parameters(const struct route *route)
{
    const struct openapi_place *place = openapi_place(route->pattern);
    json_t *list = json_array();

    if (place != NULL)
        json_array_append_new(list, json_place(route, place));
    for (const char *const *name = route_query(route); *name != NULL; name++)
        json_array_append_new(list, json_query(*name));
    return list;
}

/* Bodies. */

static json_t *json_field(const struct request_field *field)
{
    switch (field->type) {
    case FIELD_TEXT:
        return json_pack("{s:s}", "type", "string");
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_INT:
        return json_pack("{s:s}", "type", "integer");
    case FIELD_LIST:
        return json_pack("{s:s,s:{s:s}}", "type", "array", "items", "type",
                         "string");
    }
    return json_object();
}

static json_t *json_fields(const struct route *route)
{
    const struct request_field *field = route_fields(route);
    json_t *v = json_pack("{s:s}", "type", "object");

    if (field == NULL)
        return v;
    json_t *fields = json_object();
    for (; field->name != NULL; field++)
        json_object_set_new(fields, field->name, json_field(field));
    json_object_set_new(v, "properties", fields);
    json_object_set_new(v, "additionalProperties", json_false());
    return v;
}

static void add_body(json_t *operation, const struct route *route)
{
    json_t *content = json_object();

    switch (route->body) {
    case BODY_NONE:
        json_decref(content);
        return;
    case BODY_JSON:
        add_content(content, "application/json", json_fields(route));
        break;
    case BODY_STREAM:
        add_content(content, "*/*", json_object());
        break;
    }
    json_object_set_new(
        operation, "requestBody",
        json_pack("{s:b,s:o}", "required", 1, "content", content));
}

static json_t *json_success(const struct route *route,
                            const struct openapi_words *words)
{
    json_t *v = json_pack("{s:s}", "description", words->help);
    json_t *content = json_object();

    if ((words->answer & ANSWER_JSON) != 0)
        add_content(content, "application/json",
                    json_pack("{s:s}", "type", "object"));
    if ((words->answer & ANSWER_PAGE) != 0)
        add_content(content, "application/json", json_ref("Page"));
    if ((words->answer & ANSWER_LINES) != 0)
        add_content(content, "application/x-ndjson", json_ref("Lines"));
    if ((words->answer & ANSWER_BYTES) != 0)
        add_content(content,
                    words->type != NULL ? words->type
                                        : "application/octet-stream",
                    json_object());
    if (json_object_size(content) > 0 && strcmp(route->method, "HEAD") != 0)
        json_object_set(v, "content", content);
    json_decref(content);
    return v;
}

static void add_status(json_t *responses, unsigned status, json_t *response)
{
    struct strbuf s;

    strbuf_init(&s, STATUS_TEXT_MAX);
    strbuf_u64(&s, status);
    json_object_set_new(responses, strbuf_cstr(&s), response);
    strbuf_release(&s);
}

static json_t *json_responses(const struct route *route)
{
    const struct openapi_words *words = openapi_words(route);
    json_t *v = json_object();
    json_t *problem = json_object();

    assert(words != NULL);
    add_status(v, words->status != 0 ? words->status : 200,
               json_success(route, words));
    if (route->start == handle_content) {
        add_status(v, 206, json_success(route, words));
        add_status(
            v, 304,
            json_pack("{s:s}", "description", "as If-None-Match has it"));
    }
    if (route->start == handle_health)
        add_status(v, 503, json_success(route, words));
    add_content(problem, "application/problem+json", json_ref("Problem"));
    json_object_set_new(
        v, "default",
        json_pack("{s:s,s:o}", "description", "an error", "content", problem));
    return v;
}

/* Operations. */

static const char *role_name(enum route_role role)
{
    switch (role) {
    case ROLE_NONE:
        return "none";
    case ROLE_READ:
        return "read";
    case ROLE_STORE:
        return "store";
    case ROLE_ADMIN:
        return "admin";
    }
    return "admin";
}

static json_t *json_operation(const struct route *route, const char *method,
                              const char *path)
{
    const struct openapi_words *words = openapi_words(route);

    assert(words != NULL);
    json_t *v = json_pack("{s:o,s:s,s:s}", "operationId",
                          json_operation_id(method, path), "summary",
                          words->help, "x-role", role_name(route->role));
    if (route->is_local)
        json_object_set_new(v, "x-local", json_true());
    json_object_set_new(v, "parameters", json_parameters(route));
    add_body(v, route);
    json_object_set_new(v, "responses", json_responses(route));
    return v;
}

static void add_route(json_t *paths, const struct route *route)
{
    struct strbuf path;
    struct strbuf method;

    strbuf_init(&path, PATH_TEXT_MAX);
    strbuf_init(&method, PATH_TEXT_MAX);
    write_path(route, &path);
    write_method(route, &method);
    json_t *item = json_object_get(paths, strbuf_cstr(&path));
    if (item == NULL) {
        item = json_object();
        json_object_set_new(paths, strbuf_cstr(&path), item);
    }
    json_object_set_new(
        item, strbuf_cstr(&method),
        json_operation(route, strbuf_cstr(&method), strbuf_cstr(&path)));
    strbuf_release(&path);
    strbuf_release(&method);
}

/* Schemas. */

static json_t *json_text_field(const char *help)
{
    return json_pack("{s:s,s:s}", "type", "string", "description", help);
}

/* What reply_fault() answers before anything was streamed. */
static json_t *json_problem(void)
{
    json_t *fields = json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o}", "type", json_text_field("about:blank"),
        "title", json_text_field("the words of the code"), "status",
        json_pack("{s:s}", "type", "integer"), "code",
        json_text_field("as xmbl explain knows it"), "detail",
        json_text_field("what was wrong this time"), "hint",
        json_text_field("what to do"));

    return json_pack("{s:s,s:o,s:[s,s,s,s,s,s]}", "type", "object",
                     "properties", fields, "required", "type", "title",
                     "status", "code", "detail", "hint");
}

/* The last line of a stream that failed. */
static json_t *json_failure(void)
{
    json_t *fields = json_pack("{s:o,s:o,s:o}", "code",
                               json_text_field("as xmbl explain knows it"),
                               "message", json_text_field("what was wrong"),
                               "hint", json_text_field("what to do"));
    json_t *error =
        json_pack("{s:s,s:o,s:[s,s,s]}", "type", "object", "properties", fields,
                  "required", "code", "message", "hint");

    return json_pack("{s:s,s:{s:o},s:[s]}", "type", "object", "properties",
                     "error", error, "required", "error");
}

static json_t *json_schemas(void)
{
    json_t *page = json_pack(
        "{s:s,s:{s:{s:s},s:o},s:[s]}", "type", "object", "properties", "items",
        "type", "array", "next",
        json_text_field("after= of the next page; absent in the last"),
        "required", "items");
    json_t *lines = json_text_field(
        "One JSON object a line.  {\"progress\": {done, total, unit}} may come "
        "at any place; the last is the result, or a Failure.");

    return json_pack("{s:o,s:o,s:o,s:o}", "Problem", json_problem(), "Failure",
                     json_failure(), "Page", page, "Lines", lines);
}

json_t *openapi_json(const char *version)
{
    json_t *paths = json_object();
    const struct route *route = route_at(0);

    for (size_t i = 1; route != NULL; i++) {
        add_route(paths, route);
        route = route_at(i);
    }
    return json_pack("{s:s,s:{s:s,s:s,s:s},s:o,s:{s:o}}", "openapi", "3.1.0",
                     "info", "title", "xmbl", "version", version, "description",
                     about, "paths", paths, "components", "schemas",
                     json_schemas());
}

void handle_openapi(struct request *q, struct mtime now)
{
    (void)now;
    reply_json(q, 200, openapi_json(node_version(q->node)));
}
