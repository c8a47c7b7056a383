#include "api/routes.h"

#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "base/strbuf.h"

/* "+" is one segment, "*" all that follows, both at the end only. */
static const struct route table[] = {
    {"GET", "/health", ROLE_NONE, BODY_NONE, false, handle_health},
    {"GET", "/livez", ROLE_NONE, BODY_NONE, false, handle_health},
    {"GET", "/readyz", ROLE_NONE, BODY_NONE, false, handle_health},
    {"GET", "/api/openapi.json", ROLE_READ, BODY_NONE, false, handle_openapi},
    {"GET", "/api/v1/node", ROLE_READ, BODY_NONE, false, handle_node},
    {"POST", "/api/v1/node/shutdown", ROLE_ADMIN, BODY_NONE, false,
     handle_shutdown},
    {"POST", "/api/v1/node/sign", ROLE_ADMIN, BODY_JSON, false, handle_sign},
    {"GET", "/api/v1/stats", ROLE_READ, BODY_NONE, false, handle_stats},
    {"POST", "/api/v1/add", ROLE_STORE, BODY_STREAM, false, handle_add},
    {"POST", "/api/v1/local/add", ROLE_ADMIN, BODY_JSON, true,
     handle_local_add},
    {"POST", "/api/v1/local/get", ROLE_ADMIN, BODY_JSON, true,
     handle_local_get},
    {"GET", "/api/v1/content/*", ROLE_READ, BODY_NONE, false, handle_content},
    {"HEAD", "/api/v1/content/*", ROLE_READ, BODY_NONE, false, handle_content},
    {"GET", "/api/v1/ls/*", ROLE_READ, BODY_NONE, false, handle_ls},
    {"GET", "/api/v1/stat/*", ROLE_READ, BODY_NONE, false, handle_stat},
    {"GET", "/api/v1/blocks", ROLE_READ, BODY_NONE, false, handle_blocks_list},
    {"POST", "/api/v1/blocks", ROLE_STORE, BODY_STREAM, false,
     handle_block_put},
    {"GET", "/api/v1/blocks/*", ROLE_READ, BODY_NONE, false, handle_block_get},
    {"DELETE", "/api/v1/blocks/+", ROLE_STORE, BODY_NONE, false,
     handle_block_delete},
    {"GET", "/api/v1/pins", ROLE_READ, BODY_NONE, false, handle_pins_list},
    {"GET", "/api/v1/pins/+", ROLE_READ, BODY_NONE, false, handle_pin_get},
    {"PUT", "/api/v1/pins/*", ROLE_STORE, BODY_NONE, false, handle_pin_put},
    {"DELETE", "/api/v1/pins/+", ROLE_STORE, BODY_NONE, false,
     handle_pin_delete},
    {"GET", "/api/v1/objects", ROLE_READ, BODY_NONE, false,
     handle_objects_list},
    {"POST", "/api/v1/objects", ROLE_STORE, BODY_JSON, false,
     handle_object_post},
    {"POST", "/api/v1/objects/recover", ROLE_STORE, BODY_NONE, false,
     handle_objects_recover},
    {"POST", "/api/v1/objects/leave", ROLE_ADMIN, BODY_NONE, false,
     handle_objects_leave},
    {"POST", "/api/v1/objects/*", ROLE_STORE, BODY_NONE, false,
     handle_object_verify},
    {"GET", "/api/v1/objects/+", ROLE_READ, BODY_NONE, false,
     handle_object_get},
    {"PATCH", "/api/v1/objects/+", ROLE_STORE, BODY_JSON, false,
     handle_object_patch},
    {"DELETE", "/api/v1/objects/+", ROLE_STORE, BODY_NONE, false,
     handle_object_delete},
    {"GET", "/api/v1/why/+", ROLE_READ, BODY_NONE, false, handle_why},
    {"POST", "/api/v1/gc", ROLE_ADMIN, BODY_NONE, false, handle_gc},
    {"POST", "/api/v1/verify", ROLE_STORE, BODY_NONE, false, handle_verify},
    {"POST", "/api/v1/fsck", ROLE_ADMIN, BODY_NONE, false, handle_fsck},
    {"GET", "/api/v1/car/*", ROLE_READ, BODY_NONE, false, handle_car_export},
    {"POST", "/api/v1/car", ROLE_STORE, BODY_STREAM, false, handle_car_import},
    {"GET", "/api/v1/connections", ROLE_READ, BODY_NONE, false,
     handle_connections},
    {"POST", "/api/v1/connections", ROLE_ADMIN, BODY_JSON, false,
     handle_connect},
    {"DELETE", "/api/v1/connections/+", ROLE_ADMIN, BODY_NONE, false,
     handle_disconnect},
    {"POST", "/api/v1/ping/+", ROLE_READ, BODY_NONE, false, handle_ping},
    {"GET", "/api/v1/peers", ROLE_READ, BODY_NONE, false, handle_peers_list},
    {"POST", "/api/v1/peers", ROLE_ADMIN, BODY_JSON, false, handle_peer_add},
    {"DELETE", "/api/v1/peers/+", ROLE_ADMIN, BODY_NONE, false,
     handle_peer_delete},
    {"GET", "/api/v1/bans", ROLE_READ, BODY_NONE, false, handle_bans_list},
    {"PUT", "/api/v1/bans/*", ROLE_ADMIN, BODY_JSON, false, handle_ban_put},
    {"DELETE", "/api/v1/bans/*", ROLE_ADMIN, BODY_NONE, false,
     handle_ban_delete},
    {"GET", "/api/v1/trace/+", ROLE_ADMIN, BODY_NONE, false, handle_trace},
    {"GET", "/api/v1/dht/peer/+", ROLE_READ, BODY_NONE, false, handle_dht_peer},
    {"GET", "/api/v1/dht/providers/+", ROLE_READ, BODY_NONE, false,
     handle_dht_providers},
    {"POST", "/api/v1/dht/provide/+", ROLE_STORE, BODY_NONE, false,
     handle_dht_provide},
    {"GET", "/api/v1/dht/query/+", ROLE_READ, BODY_NONE, false,
     handle_dht_query},
    {"GET", "/api/v1/dht/table", ROLE_READ, BODY_NONE, false, handle_dht_table},
    {"POST", "/api/v1/ipns", ROLE_ADMIN, BODY_JSON, false, handle_ipns_publish},
    {"GET", "/api/v1/ipns/*", ROLE_READ, BODY_NONE, false, handle_ipns_resolve},
    {"GET", "/api/v1/ipns-records/+", ROLE_READ, BODY_NONE, false,
     handle_ipns_get},
    {"PUT", "/api/v1/ipns-records/+", ROLE_STORE, BODY_STREAM, false,
     handle_ipns_put},
    {"GET", "/api/v1/config", ROLE_ADMIN, BODY_NONE, false, handle_config},
    {"GET", "/api/v1/config/schema", ROLE_READ, BODY_NONE, false,
     handle_config_schema},
    {"PATCH", "/api/v1/config", ROLE_ADMIN, BODY_JSON, false,
     handle_config_patch},
    {"POST", "/api/v1/config/reload", ROLE_ADMIN, BODY_NONE, false,
     handle_config_reload},
};

/* The parameters that a handler asks for.  One that is not here takes none. */
static const struct {
    void (*start)(struct request *q, struct mtime now);
    const char *names[ROUTE_QUERY_MAX]; /* NULL behind the last */
} queries[] = {
    {handle_add,
     {"name", "profile", "chunker", "raw_leaves", "cid_version", "wrap",
      "only_hash", "pin", "copies", "wait", "object_name", "timeout"}},
    {handle_stats, {"connections"}},
    {handle_content, {"offset", "length", "timeout", "format"}},
    {handle_ls, {"types", "timeout"}},
    {handle_stat, {"timeout"}},
    {handle_why, {"timeout"}},
    {handle_blocks_list, {"limit", "after"}},
    {handle_block_get, {"stat", "timeout"}},
    {handle_block_put, {"codec", "cid_version", "pin"}},
    {handle_pins_list, {"limit", "after"}},
    {handle_pin_put, {"direct", "name", "timeout"}},
    {handle_objects_list, {"limit", "after", "role"}},
    {handle_objects_recover, {"get", "timeout"}},
    {handle_objects_leave, {"timeout"}},
    {handle_object_get, {"watch", "timeout"}},
    {handle_object_delete, {"local"}},
    {handle_verify, {"cid", "timeout"}},
    {handle_car_export, {"timeout"}},
    {handle_car_import, {"pin"}},
    {handle_connections, {"limit", "after"}},
    {handle_ping, {"count", "timeout"}},
    {handle_peers_list, {"limit", "after"}},
    {handle_bans_list, {"limit", "after"}},
    {handle_trace, {"address", "timeout"}},
    {handle_dht_peer, {"timeout"}},
    {handle_dht_providers, {"limit", "timeout"}},
    {handle_dht_provide, {"timeout"}},
    {handle_dht_query, {"timeout"}},
    {handle_ipns_resolve, {"recursive", "nocache", "timeout"}},
    {handle_ipns_get, {"nocache", "timeout"}},
    {handle_ipns_put, {"timeout"}},
};

/* The fields of JSON bodies.  One that is not here has fields of its own. */
static const struct {
    void (*start)(struct request *q, struct mtime now);
    struct request_field fields[ROUTE_FIELDS_MAX]; /* no name behind the last */
} bodies[] = {
    {handle_local_add,
     {{"paths", FIELD_LIST},
      {"hidden", FIELD_BOOL},
      {"wrap", FIELD_BOOL},
      {"only_hash", FIELD_BOOL},
      {"profile", FIELD_TEXT},
      {"chunker", FIELD_TEXT},
      {"raw_leaves", FIELD_BOOL},
      {"cid_version", FIELD_INT},
      {"pin", FIELD_BOOL},
      {"copies", FIELD_INT},
      {"wait", FIELD_TEXT},
      {"name", FIELD_TEXT},
      {"timeout_s", FIELD_INT}}},
    {handle_local_get,
     {{"path", FIELD_TEXT},
      {"out", FIELD_TEXT},
      {"force", FIELD_BOOL},
      {"sync", FIELD_BOOL},
      {"timeout_s", FIELD_INT}}},
    {handle_peer_add, {{"address", FIELD_TEXT}}},
    {handle_ban_put, {{"reason", FIELD_TEXT}, {"duration_s", FIELD_INT}}},
    {handle_sign, {{"data", FIELD_TEXT}}},
    {handle_ipns_publish,
     {{"value", FIELD_TEXT}, {"ttl_s", FIELD_INT}, {"timeout_s", FIELD_INT}}},
    {handle_object_post,
     {{"cid", FIELD_TEXT},
      {"copies", FIELD_INT},
      {"name", FIELD_TEXT},
      {"wait", FIELD_TEXT},
      {"release_delay_s", FIELD_INT},
      {"timeout_s", FIELD_INT}}},
    {handle_object_patch,
     {{"copies", FIELD_INT}, {"wait", FIELD_TEXT}, {"timeout_s", FIELD_INT}}},
    {handle_connect, {{"address", FIELD_TEXT}, {"timeout_s", FIELD_INT}}},
};

/* The rows that leave the data folder as it is.  One that is not here changes
 * it, as far as anybody knows. */
static const struct {
    void (*start)(struct request *q, struct mtime now);
    enum route_use use;
} readers[] = {
    {handle_health, ROUTE_READS},
    {handle_openapi, ROUTE_READS},
    {handle_node, ROUTE_READS},
    {handle_sign, ROUTE_READS},
    {handle_stats, ROUTE_READS},
    {handle_local_get, ROUTE_READS_BLOCKS},
    {handle_content, ROUTE_READS_BLOCKS},
    {handle_ls, ROUTE_READS_BLOCKS},
    {handle_stat, ROUTE_READS_BLOCKS},
    {handle_blocks_list, ROUTE_READS_BLOCKS},
    {handle_block_get, ROUTE_READS_BLOCKS},
    {handle_pins_list, ROUTE_READS_BLOCKS},
    {handle_pin_get, ROUTE_READS_BLOCKS},
    {handle_objects_list, ROUTE_READS},
    {handle_object_get, ROUTE_READS},
    {handle_why, ROUTE_READS_BLOCKS},
    {handle_verify, ROUTE_READS_BLOCKS},
    {handle_car_export, ROUTE_READS_BLOCKS},
    {handle_config, ROUTE_READS},
    {handle_config_schema, ROUTE_READS},
};

const struct route *route_at(size_t i)
{
    return i < countof(table) ? &table[i] : NULL;
}

const char *const *route_query(const struct route *route)
{
    static const char *const none[ROUTE_QUERY_MAX];

    for (size_t i = 0; i < countof(queries); i++)
        if (queries[i].start == route->start)
            return queries[i].names;
    return none;
}

const struct request_field *route_fields(const struct route *route)
{
    for (size_t i = 0; i < countof(bodies); i++)
        if (bodies[i].start == route->start)
            return bodies[i].fields;
    return NULL;
}

static bool matches(const char *pattern, const char *path,
                    struct bytes *ret_tail)
{
    size_t len = strlen(pattern);
    char last = pattern[len - 1];

    if (last != '+' && last != '*') {
        *ret_tail = BYTES_EMPTY;
        return strcmp(pattern, path) == 0;
    }
    if (strncmp(pattern, path, len - 1) != 0)
        return false;
    *ret_tail = bytes_str(path + len - 1);
    bool one = memchr(ret_tail->p, '/', ret_tail->len) == NULL;
    return ret_tail->len > 0 && (last == '*' || one);
}

enum route_found route_find(const char *method, const char *path,
                            const struct route **ret_route,
                            struct bytes *ret_tail)
{
    enum route_found found = ROUTE_NO_PATH;

    for (size_t i = 0; i < countof(table); i++) {
        struct bytes tail;
        if (!matches(table[i].pattern, path, &tail))
            continue;
        if (strcmp(table[i].method, method) != 0) {
            found = ROUTE_NO_METHOD;
            continue;
        }
        *ret_route = &table[i];
        *ret_tail = tail;
        return ROUTE_FOUND;
    }
    return found;
}

void route_methods(const char *path, struct strbuf *out)
{
    for (size_t i = 0; i < countof(table); i++) {
        struct bytes tail;
        if (!matches(table[i].pattern, path, &tail) ||
            strstr(strbuf_cstr(out), table[i].method) != NULL)
            continue;
        if (out->len > 0)
            strbuf_str(out, ", ");
        strbuf_str(out, table[i].method);
    }
}

/* Names are looked up again when they are old, and then kept. */
static bool is_name(struct bytes tail)
{
    static const char start[] = "ipns/";

    return tail.len >= sizeof(start) - 1 &&
           memcmp(tail.p, start, sizeof(start) - 1) == 0;
}

static enum route_use use_of(const char *method, const char *path)
{
    const struct route *route;
    struct bytes tail;

    if (route_find(method, path, &route, &tail) != ROUTE_FOUND)
        return ROUTE_READS_BLOCKS; /* the answer says that there is none */
    if (is_name(tail))
        return ROUTE_WRITES;
    for (size_t i = 0; i < countof(readers); i++)
        if (readers[i].start == route->start)
            return readers[i].use;
    return ROUTE_WRITES;
}

enum route_use route_use_of(const char *method, const char *target)
{
    char *path = mem_strdup(target);

    path[strcspn(path, "?")] = '\0';
    enum route_use use = use_of(method, path);
    mem_free(path);
    return use;
}
