#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "base/strbuf.h"
#include "config/units.h"

/* `objects ls|status|set-copies|recover`: what is kept on many nodes. */

enum { COPIES_MAX = 7 };

static void print_copies(const json_t *object)
{
    const json_t *copies = json_object_get(object, "copies");

    output_number(answer_u64(copies, "stored", 0), 0);
    output_text("/");
    output_number(answer_u64(copies, "wanted", 0), 0);
}

/* Root, state, copies, size, name. */
static void print_short(const json_t *object)
{
    char size[32];

    output_escaped(answer_text(object, "root"));
    output_text(" ");
    output_escaped(answer_text(object, "state"));
    output_text(" ");
    print_copies(object);
    output_text(" ");
    output_text(output_size(size, answer_u64(object, "size_bytes", 0)));
    if (strcmp(answer_text(object, "role"), "holder") == 0)
        output_text(" (for another)");
    if (answer_has(object, "name")) {
        output_text(" ");
        output_escaped(answer_text(object, "name"));
    }
    output_text("\n");
}

static enum err on_object(struct cli *cli, void *ctx, const json_t *object)
{
    (void)ctx; /* the object tells all */
    if (!answer_has(object, "root"))
        return OK; /* a kind of line that came later than this program */
    if (cli->json) {
        output_json(json_deep_copy(object));
    } else if (cli->quiet) {
        output_escaped(answer_text(object, "root"));
        output_text("\n");
    } else {
        print_short(object);
    }
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

int cmd_objects_ls(struct cli *cli)
{
    enum err err = call_open(cli, CALL_PLAIN);

    if (err == OK)
        err = call_pages(cli, "/api/v1/objects", on_object, NULL);
    return call_exit(cli, err);
}

static void print_field(const char *name, const json_t *object,
                        const char *field)
{
    if (!answer_has(object, field))
        return;
    output_text(name);
    output_escaped(answer_text(object, field));
    output_text("\n");
}

static void print_holders(const json_t *object)
{
    const json_t *holders = json_object_get(object, "holders");

    for (size_t i = 0; i < json_array_size(holders); i++) {
        const json_t *h = json_array_get(holders, i);
        output_text("  ");
        output_escaped(answer_text(h, "peer"));
        output_text(" ");
        output_escaped(answer_text(h, "state"));
        output_text(" since ");
        output_escaped(answer_text(h, "since"));
        if (answer_has(h, "last_verified")) {
            output_text(", verified ");
            output_escaped(answer_text(h, "last_verified"));
        }
        output_text("\n");
    }
}

static enum err on_status(struct cli *cli, void *ctx, const json_t *object)
{
    const json_t *copies = json_object_get(object, "copies");
    char size[32];

    (void)ctx; /* the object tells all */
    if (!answer_has(object, "root"))
        return OK; /* a kind of line that came later than this program */
    if (cli->json) {
        output_json(json_deep_copy(object));
        (void)fflush(stdout); /* each as it comes; output_finish() tells */
        return OK;
    }
    print_field("root:     ", object, "root");
    print_field("name:     ", object, "name");
    print_field("state:    ", object, "state");
    output_line("copies:   %llu wanted, %llu stored, %llu verified",
                (unsigned long long)answer_u64(copies, "wanted", 0),
                (unsigned long long)answer_u64(copies, "stored", 0),
                (unsigned long long)answer_u64(copies, "verified", 0));
    output_line("size:     %s in %llu blocks",
                output_size(size, answer_u64(object, "size_bytes", 0)),
                (unsigned long long)answer_u64(object, "blocks", 0));
    print_field("owner:    ", object, "owner");
    print_field("expires:  ", object, "expires");
    if (strcmp(answer_text(object, "state"), "safe") == 0)
        output_line("This node may be switched off: others keep it.");
    print_holders(object);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

static enum err show_one(struct cli *cli, const char *text)
{
    struct strbuf url;
    json_t *object = NULL;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_cid(cli, &url, "objects", text);
    if (err == OK && cli_flag(cli, "watch")) {
        content_path_query(&url, "watch", "1");
        struct call_stream call = {.method = "GET",
                                   .path = strbuf_cstr(&url),
                                   .body_fd = -1,
                                   .on_line = on_status};
        err = call_stream(cli, &call);
    } else if (err == OK) {
        err = call_json(cli, "GET", strbuf_cstr(&url), NULL, &object);
        if (err == OK)
            err = on_status(cli, NULL, object);
    }
    json_decref(object);
    strbuf_release(&url);
    return err;
}

int cmd_objects_status(struct cli *cli)
{
    enum err err = call_open(cli, CALL_PLAIN);

    for (size_t i = 0; i < cli->args_count && err == OK; i++)
        err = show_one(cli, cli->args[i]);
    return call_exit(cli, err);
}

static enum err read_copies(struct cli *cli, json_int_t *ret_copies)
{
    uint64_t copies = 0;
    const char *text = cli->args[1];

    if (units_parse_number(bytes_str(text), &copies) != OK || copies == 0 ||
        copies > COPIES_MAX) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "copies are 1 to %d: %.50s", COPIES_MAX, text);
        cli_error_hint(&cli->error, "`xmbl rm CID` ends an object.");
        return E_MALFORMED;
    }
    *ret_copies = (json_int_t)copies;
    return OK;
}

int cmd_objects_set_copies(struct cli *cli)
{
    const char *wait = cli_value(cli, "wait");
    json_int_t copies = 0;
    struct strbuf url;
    enum err err = read_copies(cli, &copies);

    if (err == OK)
        err = call_open(cli, CALL_PLAIN);
    if (err != OK)
        return call_exit(cli, err);
    json_t *body = json_pack("{s:I}", "copies", copies);
    if (wait != NULL)
        (void)json_object_set_new(body, "wait", json_string(wait));
    if (cli->timeout_s > 0)
        (void)json_object_set_new(body, "timeout_s",
                                  json_integer(cli->timeout_s));
    strbuf_init(&url, CONTENT_URL_MAX);
    err = content_path_cid(cli, &url, "objects", cli->args[0]);
    cli->kept = "The number is set; the daemon goes on making the copies.";
    if (err == OK) {
        struct call_stream call = {.method = "PATCH",
                                   .path = strbuf_cstr(&url),
                                   .body = body,
                                   .body_fd = -1,
                                   .progress = "copying",
                                   .on_line = on_status};
        err = call_stream(cli, &call);
    } else {
        json_decref(body);
    }
    strbuf_release(&url);
    return call_exit(cli, err);
}

static enum err on_recovered(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (!answer_has(line, "recovered"))
        return on_object(cli, ctx, line);
    output_message(cli, "%llu objects; `xmbl get CID` fetches one.",
                   (unsigned long long)answer_u64(line, "recovered", 0));
    return OK;
}

int cmd_objects_recover(struct cli *cli)
{
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err == OK) {
        struct call_stream call = {.method = "POST",
                                   .path = "/api/v1/objects/recover",
                                   .body_fd = -1,
                                   .on_line = on_recovered};
        err = call_stream(cli, &call);
    }
    return call_exit(cli, err);
}
