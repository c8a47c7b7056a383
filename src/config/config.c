#include "config/config.h"

#include <assert.h>
#include <string.h>

#include "base/strbuf.h"
#include "config/nearest.h"
#include "config/value_priv.h"

static const char default_source[] = "default";
static const char command_line[] = "command line";

/* What is different in an environment, where its files say nothing. */
static const struct {
    const char *name;
    const char *network;
} environments[] = {
    {"development", "devnet"},
    {"testnet", "testnet"},
    {"staging", "testnet"},
    {"production", "mainnet"},
};

void config_init(struct config *c)
{
    struct config_place place = {.layer = CONFIG_FROM_DEFAULT,
                                 .source = default_source};

    memset(c, 0, sizeof(*c));
    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++) {
        enum config_key key = (enum config_key)i;
        struct bytes preset = bytes_str(config_schema(key)->preset);
        bool good = config_take_text(c, key, preset, &place);
        assert(good);
    }
}

static void note_environment(const char *name, struct config_notes *notes)
{
    struct config_place place = {.source = "XMBL_ENVIRONMENT", .notes = notes};
    struct strbuf out;

    strbuf_init(&out, CONFIG_NOTE_TEXT_MAX - 1);
    strbuf_str(&out, "\"");
    strbuf_escape(&out, bytes_str(name));
    strbuf_str(&out, "\" is none of development, testnet, staging, production");
    config_note_fault(strbuf_cstr(&out), &place);
    strbuf_release(&out);
}

enum err config_load_environment(struct config *c, const char *name,
                                 struct config_notes *notes)
{
    struct config_place place = {.layer = CONFIG_FROM_ENVIRONMENT,
                                 .source = "XMBL_ENVIRONMENT",
                                 .notes = notes};

    for (size_t i = 0; i < countof(environments); i++) {
        if (strcmp(name, environments[i].name) != 0)
            continue;
        bool good = config_take_text(
            c, CONFIG_NETWORK_NAME, bytes_str(environments[i].network), &place);
        assert(good);
        return OK;
    }
    note_environment(name, notes);
    return E_NOTFOUND;
}

enum err config_set(struct config *c, enum config_key key, struct bytes value,
                    enum config_layer layer, const char *source,
                    struct config_notes *notes)
{
    struct config_place place = {
        .layer = layer, .source = source, .notes = notes};

    return config_take_text(c, key, value, &place) ? OK : E_MALFORMED;
}

enum err config_set_pair(struct config *c, const char *pair,
                         struct config_notes *notes)
{
    struct config_place place = {.layer = CONFIG_FROM_COMMAND_LINE,
                                 .source = command_line,
                                 .notes = notes};
    const char *equals = strchr(pair, '=');
    enum config_key key;

    if (equals == NULL) {
        config_note_fault("--set wants KEY=VALUE", &place);
        return E_MALFORMED;
    }
    struct bytes name = {(const uint8_t *)pair, (size_t)(equals - pair)};
    if (config_find(name, &key) != OK) {
        config_note_unknown(name, &place);
        return E_MALFORMED;
    }
    return config_take_text(c, key, bytes_str(equals + 1), &place)
               ? OK
               : E_MALFORMED;
}

enum err config_set_list(struct config *c, enum config_key key,
                         const char *const *items, size_t count,
                         struct config_notes *notes)
{
    struct config_place place = {.layer = CONFIG_FROM_COMMAND_LINE,
                                 .source = command_line,
                                 .notes = notes};
    struct bytes texts[CONFIG_LIST_MAX];

    assert(config_schema(key)->type == CONFIG_LIST);
    if (count > CONFIG_LIST_MAX) {
        config_note_fault("a list is too long", &place);
        return E_MALFORMED;
    }
    for (size_t i = 0; i < count; i++)
        texts[i] = bytes_str(items[i]);
    return config_take(c, key, texts, count, true, &place) ? OK : E_MALFORMED;
}

/* XMBL_STORAGE_COPIES for storage.copies. */
static void variable_name(enum config_key key, char dst[static CONFIG_NAME_MAX])
{
    const char *name = config_schema(key)->name;
    size_t at = sizeof("XMBL_") - 1;

    memcpy(dst, "XMBL_", at);
    for (size_t i = 0; name[i] != '\0'; i++) {
        char c = name[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c == '.')
            c = '_';
        dst[at++] = c;
    }
    dst[at] = '\0';
}

static bool find_variable(struct bytes name, enum config_key *ret_key)
{
    char known[CONFIG_NAME_MAX];

    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++) {
        variable_name((enum config_key)i, known);
        if (bytes_eq(name, bytes_str(known))) {
            *ret_key = (enum config_key)i;
            return true;
        }
    }
    return false;
}

/* Variables that are no keys: they say where, not what. */
static bool is_other_variable(struct bytes name)
{
    return bytes_eq(name, BYTES_LIT("XMBL_PATH")) ||
           bytes_eq(name, BYTES_LIT("XMBL_TOKEN")) ||
           bytes_eq(name, BYTES_LIT("XMBL_ENVIRONMENT"));
}

static void warn_unknown_variable(struct bytes name, struct config_notes *notes)
{
    char known[CONFIG_KEYS_COUNT][CONFIG_NAME_MAX];
    struct nearest nearest;
    struct strbuf out;

    nearest_init(&nearest, name);
    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++) {
        variable_name((enum config_key)i, known[i]);
        nearest_try(&nearest, known[i]);
    }
    strbuf_init(&out, CONFIG_NOTE_TEXT_MAX - 1);
    strbuf_str(&out, "unknown variable ");
    strbuf_escape(&out, bytes_sub(name, 0, name.len < 80 ? name.len : 80));
    if (nearest_best(&nearest) != NULL) {
        strbuf_str(&out, "; did you mean ");
        strbuf_str(&out, nearest_best(&nearest));
        strbuf_str(&out, "?");
    }
    if (notes->count < CONFIG_NOTES_MAX) {
        struct config_note *n = &notes->items[notes->count++];
        *n = (struct config_note){.source = "environment"};
        memcpy(n->text, strbuf_cstr(&out), out.len + 1);
    }
    strbuf_release(&out);
}

static bool load_variable(struct config *c, struct bytes name,
                          const char *value, struct config_notes *notes)
{
    char source[CONFIG_NAME_MAX + 1] = "$";
    struct config_place place = {
        .layer = CONFIG_FROM_VARIABLE, .source = source, .notes = notes};
    enum config_key key;

    if (is_other_variable(name))
        return true;
    if (!find_variable(name, &key)) {
        warn_unknown_variable(name, notes);
        return true;
    }
    variable_name(key, source + 1);
    return config_take_text(c, key, bytes_str(value), &place);
}

enum err config_load_env(struct config *c, char *const *pairs,
                         struct config_notes *notes)
{
    bool good = true;

    for (size_t i = 0; pairs[i] != NULL; i++) {
        const char *equals = strchr(pairs[i], '=');
        if (equals == NULL || strncmp(pairs[i], "XMBL_", 5) != 0)
            continue;
        struct bytes name = {(const uint8_t *)pairs[i],
                             (size_t)(equals - pairs[i])};
        if (!load_variable(c, name, equals + 1, notes))
            good = false;
    }
    return good ? OK : E_MALFORMED;
}

static struct config_place place_of(const struct config *c, enum config_key key,
                                    struct config_notes *notes)
{
    const struct config_value *v = &c->values[key];

    return (struct config_place){.layer = v->layer,
                                 .source = v->source,
                                 .line = v->line,
                                 .notes = notes};
}

enum err config_check_all(const struct config *c, struct config_notes *notes)
{
    size_t before = notes->errors_count;
    uint64_t limit = config_get_size(c, CONFIG_STORAGE_LIMIT);
    const struct config_value *offer = &c->values[CONFIG_STORAGE_OFFER];

    if (limit != CONFIG_NONE && !offer->is_percent && offer->number > limit) {
        struct config_place place = place_of(c, CONFIG_STORAGE_OFFER, notes);
        config_note_fault("storage.offer is more than storage.limit", &place);
    }
    if (!config_is_default(c, CONFIG_SECURITY_CONNECTIONS_PER_IP) &&
        config_get_uint(c, CONFIG_SECURITY_CONNECTIONS_PER_IP) >
            config_get_uint(c, CONFIG_NETWORK_CONNECTIONS_MAX)) {
        struct config_place place =
            place_of(c, CONFIG_SECURITY_CONNECTIONS_PER_IP, notes);
        config_note_fault("security.connections_per_ip is more than "
                          "network.connections_max",
                          &place);
    }
    return notes->errors_count == before ? OK : E_MALFORMED;
}

void config_show_source(const struct config *c, enum config_key key,
                        struct strbuf *out)
{
    const struct config_value *v = &c->values[key];

    strbuf_escape(out, bytes_str(v->source));
    if (v->line == 0)
        return;
    strbuf_str(out, ":");
    strbuf_u64(out, v->line);
}

void config_note_format(const struct config_note *note, struct strbuf *out)
{
    strbuf_escape(out, bytes_str(note->source));
    if (note->line > 0) {
        strbuf_str(out, ":");
        strbuf_u64(out, note->line);
    }
    strbuf_str(out, ": ");
    strbuf_str(out, note->text);
}
