/* /api/v1/config: what the operator has decided. */
#include <string.h>

#include "api/api_priv.h"
#include "api/request.h"
#include "api/settings_json.h"
#include "config/config.h"
#include "node/node.h"

static json_t *json_strbuf(struct strbuf *s)
{
    json_t *v = json_text(strbuf_bytes(s));

    strbuf_release(s);
    return v;
}

static json_t *json_schema(enum config_key key)
{
    const struct config_schema *row = config_schema(key);
    json_t *v = json_pack("{s:s,s:s,s:s,s:b}", "key", row->name, "type",
                          config_type_name(row->type), "help", row->help,
                          "live", (int)row->is_live);

    if (row->unit != NULL)
        json_object_set_new(v, "unit", json_string(row->unit));
    if (row->choices != NULL)
        json_object_set_new(v, "choices", json_string(row->choices));
    return v;
}

json_t *json_settings(const struct config *c)
{
    json_t *items = json_array();

    for (int key = 0; key < CONFIG_KEYS_COUNT; key++) {
        struct strbuf value;
        struct strbuf source;
        strbuf_init(&value, CONFIG_VALUE_MAX);
        strbuf_init(&source, CONFIG_VALUE_MAX);
        config_show_value(c, (enum config_key)key, &value);
        config_show_source(c, (enum config_key)key, &source);
        json_t *v = json_schema((enum config_key)key);
        json_object_set_new(v, "value", json_strbuf(&value));
        json_object_set_new(v, "source", json_strbuf(&source));
        json_array_append_new(items, v);
    }
    return json_pack("{s:o}", "items", items);
}

void handle_config(struct request *q, struct mtime now)
{
    (void)now;
    reply_json(q, 200, json_settings(node_settings(q->node)));
}

void handle_config_schema(struct request *q, struct mtime now)
{
    json_t *items = json_array();

    (void)now;
    for (int key = 0; key < CONFIG_KEYS_COUNT; key++) {
        json_t *v = json_schema((enum config_key)key);
        json_object_set_new(
            v, "default",
            json_string(config_schema((enum config_key)key)->preset));
        json_array_append_new(items, v);
    }
    reply_json(q, 200, json_pack("{s:o}", "items", items));
}

static void reload(struct request *q, const struct api_setting *set)
{
    const struct api_config *c = &q->api->config;
    json_t *changed = json_array();
    json_t *restart = json_array();
    struct fault fault;

    if (c->reload == NULL) {
        json_decref(changed);
        json_decref(restart);
        reply_error(q, ERROR_DAEMON_NEEDED, NULL, NULL);
        return;
    }
    if (c->reload(c->reload_user, set, changed, restart, &fault)) {
        reply_json(
            q, 200,
            json_pack("{s:o,s:o}", "changed", changed, "restart", restart));
        return;
    }
    json_decref(changed);
    json_decref(restart);
    reply_fault(q, &fault);
}

void handle_config_reload(struct request *q, struct mtime now)
{
    (void)now;
    reload(q, NULL);
}

void handle_config_patch(struct request *q, struct mtime now)
{
    const char *key = json_object_iter_key(json_object_iter(q->body));
    struct api_setting set = {
        .key = key,
        .value = key != NULL ? json_string_value(json_object_get(q->body, key))
                             : NULL,
    };

    (void)now;
    if (json_object_size(q->body) != 1 || set.value == NULL) {
        reply_error(q, ERROR_BAD_REQUEST,
                    "one key with its value as a string is wanted", NULL);
        return;
    }
    reload(q, &set);
}
