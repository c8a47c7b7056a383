#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/settings_json.h"
#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/folder.h"
#include "app/input.h"
#include "app/output.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/nearest.h"

/* `config show|get|set|check|reload`. */

/* Files alone say it: who holds the folder's lock does not matter. */
static enum err read_folder(struct cli *cli, json_t **ret_answer)
{
    char *path = folder_path(cli->path);
    struct config config;
    enum err err = folder_settings(path, NULL, &config, &cli->error);

    if (err == OK)
        *ret_answer = json_settings(&config);
    config_release(&config);
    mem_free(path);
    return err;
}

static enum err fetch(struct cli *cli, json_t **ret_answer)
{
    enum err err = call_open(cli, CALL_RUNNING);

    if (err == E_AGAIN)
        return read_folder(cli, ret_answer);
    return err == OK ? call_json(cli, "GET", "/api/v1/config", NULL, ret_answer)
                     : err;
}

/* A value as `config set` takes it. */
static void print_value(const json_t *value)
{
    struct strbuf text;

    if (json_is_string(value)) {
        output_escaped(json_string_value(value));
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *item = json_string_value(json_array_get(value, i));
        output_text(i > 0 ? "," : "");
        output_escaped(item != NULL ? item : "");
    }
    if (json_is_array(value))
        return;
    strbuf_init(&text, CONFIG_VALUE_MAX);
    answer_put(&text, value, 0);
    output_escaped(strbuf_cstr(&text));
    strbuf_release(&text);
}

int cmd_config_show(struct cli *cli)
{
    json_t *answer = NULL;
    enum err err = fetch(cli, &answer);

    if (err != OK)
        return call_exit(cli, err);
    const json_t *items = json_object_get(answer, "items");
    if (cli->json)
        output_json(json_deep_copy(items));
    for (size_t i = 0; !cli->json && i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        output_escaped(answer_text(item, "key"));
        output_text(" = ");
        print_value(json_object_get(item, "value"));
        output_text("   # ");
        output_escaped(answer_text(item, "source"));
        output_text("\n");
    }
    json_decref(answer);
    return EXIT_DONE;
}

/* Wrong usage: the key is unknown; the nearest of @items is named. */
static int unknown_key(struct cli *cli, const json_t *items, const char *key)
{
    char hint[CLI_HINT_MAX];
    struct nearest nearest;

    nearest_init(&nearest, bytes_str(key));
    for (size_t i = 0; i < json_array_size(items); i++)
        nearest_try(&nearest, answer_text(json_array_get(items, i), "key"));
    cli_error_setf(&cli->error, ERROR_BAD_USAGE, "unknown key: %.100s", key);
    if (nearest_best(&nearest) != NULL)
        (void)snprintf(hint, sizeof(hint), "Did you mean %s?",
                       nearest_best(&nearest));
    else
        (void)snprintf(hint, sizeof(hint), "`xmbl config show` lists all.");
    cli_error_hint(&cli->error, hint);
    return cli->error.exit_code;
}

int cmd_config_get(struct cli *cli)
{
    json_t *answer = NULL;
    const json_t *found = NULL;
    int code = EXIT_DONE;
    enum err err = fetch(cli, &answer);

    if (err != OK)
        return call_exit(cli, err);
    const json_t *items = json_object_get(answer, "items");
    for (size_t i = 0; i < json_array_size(items) && found == NULL; i++) {
        const json_t *item = json_array_get(items, i);
        if (strcmp(answer_text(item, "key"), cli->args[0]) == 0)
            found = item;
    }
    if (found == NULL) {
        code = unknown_key(cli, items, cli->args[0]);
    } else if (cli->json) {
        output_json(json_deep_copy(found));
    } else {
        print_value(json_object_get(found, "value"));
        output_text("\n");
    }
    json_decref(answer);
    return code;
}

static void print_keys(const struct cli *cli, const char *what,
                       const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *key = json_string_value(json_array_get(list, i));
        output_message(cli, "%s%s", what, key != NULL ? key : "");
    }
}

static void print_changes(struct cli *cli, json_t *answer)
{
    if (cli->json) {
        output_json(json_incref(answer));
        return;
    }
    print_keys(cli, "changed: ", json_object_get(answer, "changed"));
    print_keys(cli, "takes effect when the daemon is restarted: ",
               json_object_get(answer, "restart"));
}

/* The words of a fault of the value, without asking the node. */
static enum err check_value(struct cli *cli, const char *key, const char *value)
{
    struct config_notes *notes = mem_zalloc(1, sizeof(*notes));
    struct config config;
    enum config_key id;
    enum err err = OK;

    if (config_find(bytes_str(key), &id) != OK) {
        json_t *known = json_array();
        for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++)
            (void)json_array_append_new(
                known, json_pack("{s:s}", "key",
                                 config_schema((enum config_key)i)->name));
        (void)unknown_key(cli, known, key);
        json_decref(known);
        mem_free(notes);
        return E_MALFORMED;
    }
    config_init(&config);
    err = config_set(&config, id, bytes_str(value), CONFIG_FROM_FILE,
                     "config set", notes);
    if (err != OK)
        cli_error_setf(&cli->error, ERROR_BAD_VALUE, "%s",
                       notes->items[0].text);
    config_release(&config);
    mem_free(notes);
    return err;
}

int cmd_config_set(struct cli *cli)
{
    struct strbuf key;
    const char *value = cli->args_count == 2 ? cli->args[1] : NULL;
    json_t *answer = NULL;
    enum err err = OK;

    strbuf_init(&key, CONFIG_VALUE_MAX);
    strbuf_str(&key, cli->args[0]);
    /* KEY=VALUE is understood too. */
    char *equals =
        value == NULL && key.p != NULL ? strchr((char *)key.p, '=') : NULL;
    if (equals != NULL) {
        *equals = '\0';
        value = strchr(cli->args[0], '=') + 1;
    }
    if (value == NULL) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "an argument is missing: KEY VALUE");
        err = E_MALFORMED;
    }
    if (err == OK)
        err = check_value(cli, strbuf_cstr(&key), value);
    if (err == OK)
        err = call_open(cli, CALL_PLAIN);
    if (err == OK)
        err = call_json(cli, "PATCH", "/api/v1/config",
                        json_pack("{s:s}", strbuf_cstr(&key), value), &answer);
    if (err == OK)
        print_changes(cli, answer);
    json_decref(answer);
    strbuf_release(&key);
    return call_exit(cli, err);
}

int cmd_config_reload(struct cli *cli)
{
    json_t *answer = NULL;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err == OK)
        err = call_json(cli, "POST", "/api/v1/config/reload", NULL, &answer);
    if (err == OK)
        print_changes(cli, answer);
    json_decref(answer);
    return call_exit(cli, err);
}

static void print_notes(const struct config_notes *notes)
{
    struct strbuf line;

    strbuf_init(&line, CLI_MESSAGE_MAX);
    for (size_t i = 0; i < notes->count; i++) {
        strbuf_reset(&line);
        config_note_format(&notes->items[i], &line);
        (void)fprintf(stderr, "xmbl: %s\n", strbuf_cstr(&line));
    }
    strbuf_release(&line);
}

static enum err check_file(struct cli *cli, const char *path)
{
    struct config_notes *notes = mem_zalloc(1, sizeof(*notes));
    struct config config;
    struct strbuf text;

    strbuf_init(&text, CONFIG_TEXT_MAX);
    config_init(&config);
    enum err err = input_read(cli, path, &text);
    if (err == OK) {
        err = config_load_yaml(&config, strbuf_bytes(&text), path,
                               CONFIG_FROM_FILE, notes);
        if (err == OK)
            err = config_check_all(&config, notes);
        print_notes(notes);
        if (err != OK)
            cli_error_setf(&cli->error, ERROR_BAD_CONFIG, "%zu faults: %.300s",
                           notes->errors_count, path);
    }
    config_release(&config);
    strbuf_release(&text);
    mem_free(notes);
    return err;
}

int cmd_config_check(struct cli *cli)
{
    struct config config;
    enum err err = OK;

    if (cli->args_count > 0) {
        err = check_file(cli, cli->args[0]);
    } else {
        char *path = folder_path(cli->path);
        err = folder_settings(path, NULL, &config, &cli->error);
        config_release(&config);
        mem_free(path);
    }
    if (err == OK && cli->json)
        output_json(json_pack("{s:b}", "ok", 1));
    else if (err == OK && !cli->quiet)
        output_line("no faults");
    return call_exit(cli, err);
}
