/*
 * Goal: the document of the routes is the table of routes: each row is in it
 * once, with all its parameters, and nothing else is.
 * Method: the way back: each path of the document is filled in and looked up
 * in the table; what the document says of it is compared with the row.
 */
#include "api/openapi.h"
#include "api/request.h"
#include "api/routes.h"
#include "base/attr.h"

#include "test.h"

enum { ROUTES_MAX = 256, PATH_MAX_BYTES = 256 };

static struct {
    json_t *document;
    json_t *ids; /* of operations */
    unsigned seen[ROUTES_MAX];
} world; /* NOLINT: of this test alone */

static int setup(void **state)
{
    (void)state;
    world.document = openapi_json("9.9");
    assert_non_null(world.document);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(world.document);
    return 0;
}

static const char *text_of(const json_t *v, const char *key)
{
    const char *text = json_string_value(json_object_get(v, key));

    if (text == NULL || text[0] == '\0')
        fail_msg("no text %s", key);
    return text;
}

/* "/pins/{cid}" as "/pins/x". */
static void fill_in(const char *path, char dst[static PATH_MAX_BYTES])
{
    size_t at = 0;
    bool inside = false;

    assert_true(strlen(path) < PATH_MAX_BYTES);
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '{')
            dst[at++] = 'x';
        inside = *p == '{' || (inside && *p != '}');
        if (!inside && *p != '}')
            dst[at++] = *p;
    }
    dst[at] = '\0';
}

static const struct route *row_of(const char *path, const char *method)
{
    char filled[PATH_MAX_BYTES];
    char upper[16] = "";
    const struct route *route = NULL;
    struct bytes tail;

    fill_in(path, filled);
    for (size_t i = 0; method[i] != '\0'; i++) {
        assert_true(method[i] >= 'a' && method[i] <= 'z' && i < 15);
        upper[i] = (char)(method[i] - 'a' + 'A');
    }
    if (route_find(upper, filled, &route, &tail) != ROUTE_FOUND)
        fail_msg("%s %s is not in the table", upper, filled);
    return route;
}

/* Number of the row in the table. */
static size_t number_of(const struct route *route)
{
    size_t i = 0;

    while (route_at(i) != route) {
        assert_non_null(route_at(i));
        i++;
    }
    return i;
}

typedef void look_fn(const char *path, const json_t *operation,
                     const struct route *route);

/* How many operations there are; @look: at each. */
static size_t each_operation(look_fn *look)
{
    const char *path;
    const char *method;
    json_t *item;
    json_t *operation;
    size_t count = 0;

    json_object_foreach(json_object_get(world.document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            look(path, operation, row_of(path, method));
            count++;
        }
    }
    return count;
}

static void see(const char *path, const json_t *operation,
                const struct route *route)
{
    (void)path;
    (void)operation;
    world.seen[number_of(route)]++;
}

static void every_row_is_there_once(void **state)
{
    size_t count = 0;

    (void)state;
    memset(world.seen, 0, sizeof(world.seen));
    while (route_at(count) != NULL)
        count++;
    assert_in_range(count, 1, ROUTES_MAX);
    assert_int_equal(each_operation(see), count);
    for (size_t i = 0; i < count; i++)
        if (world.seen[i] != 1)
            fail_msg("%s %s: %u times", route_at(i)->method,
                     route_at(i)->pattern, world.seen[i]);
}

static size_t parameters_in(const json_t *operation, const char *where)
{
    const json_t *p;
    size_t i;
    size_t count = 0;

    json_array_foreach(json_object_get(operation, "parameters"), i, p) count +=
        strcmp(text_of(p, "in"), where) == 0;
    return count;
}

static const json_t *find_parameter(const json_t *operation, const char *name)
{
    const json_t *p;
    size_t i;

    json_array_foreach(json_object_get(operation, "parameters"), i, p)
    {
        if (strcmp(text_of(p, "name"), name) == 0)
            return p;
    }
    fail_msg("no parameter %s", name);
    return NULL;
}

static void look_at_parameters(const char *path, const json_t *operation,
                               const struct route *route)
{
    const char *const *names = route_query(route);
    const char *open = strchr(path, '{');
    char last = route->pattern[strlen(route->pattern) - 1];
    size_t count = 0;

    assert_null(strpbrk(path, "*+"));
    for (; names[count] != NULL; count++) {
        const json_t *p = find_parameter(operation, names[count]);
        assert_string_equal(text_of(p, "in"), "query");
        assert_true(json_is_false(json_object_get(p, "required")));
        (void)text_of(p, "description");
        (void)text_of(json_object_get(p, "schema"), "type");
    }
    assert_int_equal(parameters_in(operation, "query"), count);
    assert_int_equal(parameters_in(operation, "path"), open != NULL);
    assert_int_equal(open != NULL, last == '*' || last == '+');
    if (open == NULL)
        return;
    char name[64] = "";
    memcpy(name, open + 1, strcspn(open + 1, "}"));
    const json_t *p = find_parameter(operation, name);
    assert_true(json_is_true(json_object_get(p, "required")));
    bool ends = path[strlen(path) - 1] == '}';
    assert_int_equal(json_is_true(json_object_get(p, "x-rest")),
                     last == '*' && ends);
}

static void parameters_are_those_of_the_row(void **state)
{
    (void)state;
    (void)each_operation(look_at_parameters);
}

static void look_at_bodies(const char *path, const json_t *operation,
                           const struct route *route)
{
    static const char *const roles[] = {
        [ROLE_NONE] = "none",
        [ROLE_READ] = "read",
        [ROLE_STORE] = "store",
        [ROLE_ADMIN] = "admin",
    };
    const json_t *body = json_object_get(operation, "requestBody");
    const json_t *content = json_object_get(body, "content");
    const json_t *responses = json_object_get(operation, "responses");

    (void)path;
    assert_string_equal(text_of(operation, "x-role"), roles[route->role]);
    assert_int_equal(json_is_true(json_object_get(operation, "x-local")),
                     route->is_local);
    assert_int_equal(body == NULL, route->body == BODY_NONE);
    assert_int_equal(json_object_get(content, "application/json") != NULL,
                     route->body == BODY_JSON);
    assert_int_equal(json_object_get(content, "*/*") != NULL,
                     route->body == BODY_STREAM);
    const json_t *error = json_object_get(responses, "default");
    assert_non_null(json_object_get(json_object_get(error, "content"),
                                    "application/problem+json"));
    const char *status;
    json_t *response;
    size_t good = 0;
    json_object_foreach(json_object_get(operation, "responses"), status,
                        response)
    {
        (void)text_of(response, "description");
        good += status[0] == '2';
        if (strcmp(status, "204") == 0)
            assert_null(json_object_get(response, "content"));
    }
    assert_true(good > 0);
}

static void bodies_are_those_of_the_row(void **state)
{
    (void)state;
    (void)each_operation(look_at_bodies);
}

/* Of each kind of field; config has keys instead. */
static void look_at_fields(const char *path, const json_t *operation,
                           const struct route *route)
{
    static const char *const types[] = {
        [FIELD_TEXT] = "string",
        [FIELD_BOOL] = "boolean",
        [FIELD_INT] = "integer",
        [FIELD_LIST] = "array",
    };
    const struct request_field *field = route_fields(route);
    const json_t *body = json_object_get(operation, "requestBody");
    const json_t *type =
        json_object_get(json_object_get(body, "content"), "application/json");
    const json_t *schema = json_object_get(type, "schema");
    const json_t *fields = json_object_get(schema, "properties");
    size_t count = 0;

    if (route->body != BODY_JSON || strcmp(path, "/api/v1/config") == 0) {
        assert_null(field);
        assert_null(fields);
        return;
    }
    assert_non_null(field);
    for (; field->name != NULL; field++, count++)
        assert_string_equal(
            text_of(json_object_get(fields, field->name), "type"),
            types[field->type]);
    assert_int_equal(json_object_size(fields), count);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
}

static void fields_are_those_of_the_row(void **state)
{
    (void)state;
    (void)each_operation(look_at_fields);
}

static void note_id(const char *path, const json_t *operation,
                    const struct route *route)
{
    const char *id = text_of(operation, "operationId");

    (void)path;
    (void)route;
    assert_int_equal(strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                     strlen(id));
    if (json_object_get(world.ids, id) != NULL)
        fail_msg("%s twice", id);
    json_object_set_new(world.ids, id, json_true());
}

static void names_of_operations_differ(void **state)
{
    (void)state;
    world.ids = json_object();
    (void)each_operation(note_id);
    assert_non_null(json_object_get(world.ids, "get_api_v1_pins_cid"));
    assert_non_null(
        json_object_get(world.ids, "post_api_v1_objects_cid_verify"));
    json_decref(world.ids);
}

/* The same path but for the names in it would be the same path. */
static void paths_differ_by_more_than_names(void **state)
{
    json_t *filled = json_object();
    const char *path;
    json_t *item;

    (void)state;
    json_object_foreach(json_object_get(world.document, "paths"), path, item)
    {
        char plain[PATH_MAX_BYTES];
        fill_in(path, plain);
        if (json_object_get(filled, plain) != NULL)
            fail_msg("%s twice", path);
        json_object_set(filled, plain, item);
    }
    json_decref(filled);
}

static void it_is_whole_and_the_same_each_time(void **state)
{
    json_t *again = openapi_json("9.9");
    char *one = json_dumps(world.document, JSON_COMPACT);
    char *two = json_dumps(again, JSON_COMPACT);
    json_error_t error;

    (void)state;
    assert_non_null(one);
    assert_string_equal(one, two);
    json_t *read = json_loads(one, JSON_REJECT_DUPLICATES, &error);
    assert_true(json_equal(read, world.document));
    assert_string_equal(text_of(world.document, "openapi"), "3.1.0");
    assert_string_equal(
        text_of(json_object_get(world.document, "info"), "version"), "9.9");
    const json_t *schemas = json_object_get(
        json_object_get(world.document, "components"), "schemas");
    static const char prefix[] = "\"#/components/schemas/";
    size_t refs = 0;
    for (const char *p = one; (p = strstr(p, prefix)) != NULL; refs++) {
        char name[64] = "";
        p += sizeof(prefix) - 1;
        memcpy(name, p, strcspn(p, "\""));
        assert_non_null(json_object_get(schemas, name));
    }
    assert_true(refs > 0);
    json_decref(read);
    json_decref(again);
    free(one);
    free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_row_is_there_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(parameters_are_those_of_the_row, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bodies_are_those_of_the_row, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(fields_are_those_of_the_row, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(names_of_operations_differ, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(paths_differ_by_more_than_names, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_is_whole_and_the_same_each_time,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
