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

/* `objects ls|status|set-copies|recover|leave`: what is kept on many nodes. */

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

/* What a holder's word of refusal means for who reads it; other words are
 * shown as they are. */
static const char *reason_text(const char *word)
{
    static const char *const texts[][2] = {
        {"space", "refused, it has no room"},
        {"quota", "refused, it keeps as much as it wants of one owner or of "
                  "one network (storage.offer there)"},
        {"banned", "refused, it has banned this node or the owner"},
        {"busy", "refused, it is busy; asked again soon"},
        {"leaving", "refused, it is about to leave"},
        {"sources", "could not get the blocks"},
        {"unreachable", "could not be reached"},
    };

    for (size_t i = 0; i < countof(texts); i++) {
        if (strcmp(word, texts[i][0]) == 0)
            return texts[i][1];
    }
    return word;
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
        if (answer_has(h, "pulled_bytes")) {
            char size[32];
            output_text(", has ");
            output_text(output_size(size, answer_u64(h, "pulled_bytes", 0)));
        }
        if (answer_has(h, "reason")) {
            output_text(": ");
            output_escaped(reason_text(answer_text(h, "reason")));
        }
        output_text("\n");
    }
}

/* A stranger cannot know what was fetched back. */
static void print_counts(const json_t *object)
{
    const json_t *copies = json_object_get(object, "copies");
    const json_t *policy = json_object_get(object, "policy");
    unsigned long long delay_s = answer_u64(policy, "release_delay_s", 0);

    output_text("copies:   ");
    output_number(answer_u64(copies, "wanted", 0), 0);
    output_text(" wanted, ");
    output_number(answer_u64(copies, "stored", 0), 0);
    output_text(" stored");
    if (strcmp(answer_text(object, "role"), "stranger") != 0) {
        output_text(", ");
        output_number(answer_u64(copies, "verified", 0), 0);
        output_text(" verified");
    }
    output_text("\n");
    if (delay_s > 0)
        output_line("delay:    %llu s from release to removal", delay_s);
}

static void print_status(const json_t *object)
{
    char size[32];

    print_field("root:     ", object, "root");
    print_field("name:     ", object, "name");
    print_field("state:    ", object, "state");
    print_counts(object);
    output_line("size:     %s in %llu blocks",
                output_size(size, answer_u64(object, "size_bytes", 0)),
                (unsigned long long)answer_u64(object, "blocks", 0));
    print_field("owner:    ", object, "owner");
    print_field("expires:  ", object, "expires");
    if (strcmp(answer_text(object, "state"), "safe") == 0)
        output_line("This node may be switched off: others keep it.");
    print_holders(object);
}

/* What strangers tell is told as such. */
static void print_asked(const json_t *object)
{
    const json_t *asked = json_object_get(object, "asked");
    const json_t *others = json_object_get(object, "others");

    for (size_t i = 0; i < json_array_size(others); i++) {
        output_text("\n");
        print_status(json_array_get(others, i));
    }
    if (asked != NULL)
        output_line("As %llu of %llu other nodes tell that were asked.",
                    (unsigned long long)answer_u64(asked, "answered", 0),
                    (unsigned long long)answer_u64(asked, "nodes", 0));
}

static enum err on_status(struct cli *cli, void *ctx, const json_t *object)
{
    (void)ctx; /* the object tells all */
    if (!answer_has(object, "root"))
        return OK; /* a kind of line that came later than this program */
    if (cli->json) {
        output_json(json_deep_copy(object));
    } else {
        print_status(object);
        print_asked(object);
    }
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

static enum err show_one(struct cli *cli, const char *text)
{
    struct strbuf url;
    json_t *object = NULL;

    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_cid(cli, &url, "objects", text);
    if (err == OK)
        content_path_timeout(cli, &url);
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
    enum err err = call_open(cli, CALL_FETCHES);

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

/* One object that was to be fetched. */
static void print_fetched(const struct cli *cli, const json_t *line)
{
    bool fetched = json_is_true(json_object_get(line, "fetched"));
    char size[32];

    if (cli->quiet && fetched)
        return;
    output_text(fetched ? "fetched " : "not fetched ");
    output_escaped(answer_text(line, "root"));
    if (answer_has(line, "name")) {
        output_text(" ");
        output_escaped(answer_text(line, "name"));
    }
    output_text(" ");
    if (fetched)
        output_text(output_size(size, answer_u64(line, "bytes", 0)));
    else
        output_escaped(answer_text(line, "reason"));
    output_text("\n");
}

static enum err on_recovered(struct cli *cli, void *ctx, const json_t *line)
{
    unsigned long long count = answer_u64(line, "recovered", 0);

    if (answer_has(line, "recovered") && answer_has(line, "fetched")) {
        output_message(cli, "%llu objects; %llu fetched and pinned.", count,
                       (unsigned long long)answer_u64(line, "fetched", 0));
    } else if (answer_has(line, "recovered")) {
        output_message(cli,
                       "%llu objects; `xmbl objects recover --get` fetches "
                       "those that are not here.",
                       count);
    } else if (cli->json || !answer_has(line, "fetched")) {
        return on_object(cli, ctx, line);
    } else {
        print_fetched(cli, line);
        (void)fflush(stdout); /* each as it comes; output_finish() tells */
    }
    return OK;
}

int cmd_objects_recover(struct cli *cli)
{
    bool get = cli_flag(cli, "get");
    struct strbuf url;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err != OK)
        return call_exit(cli, err);
    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, "/api/v1/objects/recover");
    if (get) {
        content_path_query(&url, "get", "1");
        cli->kept = "What has come is kept; the same command goes on.";
    }
    content_path_timeout(cli, &url);
    struct call_stream call = {.method = "POST",
                               .path = strbuf_cstr(&url),
                               .body_fd = -1,
                               .progress = get ? "fetching" : "asking",
                               .on_line = on_recovered};
    err = call_stream(cli, &call);
    strbuf_release(&url);
    return call_exit(cli, err);
}

static void print_left(const struct cli *cli, const json_t *line)
{
    unsigned long long handed_over = answer_u64(line, "handed_over", 0);
    unsigned long long releasing = answer_u64(line, "releasing", 0);

    output_line("%llu %s handed over; nothing %sis kept for others any more.",
                handed_over, handed_over == 1 ? "object was" : "objects were",
                releasing == 0 ? "" : "else ");
    if (releasing > 0)
        output_message(cli,
                       releasing == 1
                           ? "%llu that its owner has released stays here "
                             "until its delay is over."
                           : "%llu that their owners have released stay here "
                             "until their delay is over.",
                       releasing);
}

static enum err on_left(struct cli *cli, void *ctx, const json_t *line)
{
    unsigned long long leaving = answer_u64(line, "leaving", 0);

    (void)ctx; /* the line tells all */
    if (cli->json)
        output_json(json_deep_copy(line));
    else if (answer_has(line, "leaving"))
        output_message(cli,
                       "%llu %s kept for others; waiting up to %llu s until "
                       "other nodes have %s.",
                       leaving, leaving == 1 ? "object is" : "objects are",
                       (unsigned long long)answer_u64(line, "timeout_s", 0),
                       leaving == 1 ? "it" : "them");
    else if (answer_has(line, "waits_for"))
        output_message(cli, "%s",
                       strcmp(answer_text(line, "waits_for"), "nodes") == 0
                           ? "No other node that is known has room; waiting."
                           : "Other nodes are asked, or fetch; waiting.");
    else if (answer_has(line, "handed_over"))
        print_left(cli, line);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

int cmd_objects_leave(struct cli *cli)
{
    struct strbuf url;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err != OK)
        return call_exit(cli, err);
    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, "/api/v1/objects/leave");
    content_path_timeout(cli, &url);
    cli->kept = "This node goes on keeping what was not handed over.";
    struct call_stream call = {.method = "POST",
                               .path = strbuf_cstr(&url),
                               .body_fd = -1,
                               .progress = "handing over",
                               .on_line = on_left};
    err = call_stream(cli, &call);
    strbuf_release(&url);
    return call_exit(cli, err);
}
