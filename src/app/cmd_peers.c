#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "app/peer_arg.h"
#include "base/strbuf.h"
#include "config/units.h"

enum { BAN_S_MAX = 10 * 365 * 24 * 60 * 60 };

/* `peers ls|add|rm|ban|unban`: the peer book. */

static void print_peer(const json_t *peer)
{
    const json_t *first = json_array_get(json_object_get(peer, "addresses"), 0);

    output_escaped(answer_text(peer, "peer_id"));
    output_line(
        " %3llu %s ", (unsigned long long)answer_u64(peer, "quality", 0),
        json_is_true(json_object_get(peer, "connected")) ? "connected" : "-");
    output_escaped(answer_has(peer, "last_seen")
                       ? answer_text(peer, "last_seen")
                       : "never");
    output_text(" ");
    output_escaped(answer_text(peer, "source"));
    output_text(" ");
    output_escaped(first != NULL ? json_string_value(first) : "");
    output_text("\n");
}

static enum err on_peer(struct cli *cli, void *ctx, const json_t *item)
{
    if (cli->json)
        (void)json_array_append_new(ctx, json_deep_copy(item));
    else
        print_peer(item);
    return OK;
}

int cmd_peers_ls(struct cli *cli)
{
    json_t *peers = json_array();
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err == OK)
        err = call_pages(cli, "/api/v1/peers", on_peer, peers);
    if (err == OK && cli->json)
        output_json(json_incref(peers));
    json_decref(peers);
    return call_exit(cli, err);
}

int cmd_peers_add(struct cli *cli)
{
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        json_t *answer = NULL;
        json_t *body = json_pack("{s:s}", "address", cli->args[i]);
        if (body == NULL) {
            cli_error_set(&cli->error, ERROR_BAD_ADDRESS, cli->args[i]);
            return call_exit(cli, E_MALFORMED);
        }
        err = call_json(cli, "POST", "/api/v1/peers", body, &answer);
        if (err == OK && cli->json) {
            output_json(json_incref(answer));
        } else if (err == OK && !cli->quiet) {
            output_text("added ");
            output_escaped(answer_text(answer, "peer_id"));
            output_text("\n");
        }
        json_decref(answer);
    }
    return call_exit(cli, err);
}

/* One request to /api/v1/@list/@name, told as "@word @name". */
static enum err change(struct cli *cli, const char *method, const char *list,
                       const char *name, json_t *body)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, list);
    content_path_encode(&url, name, false);
    enum err err = call_json(cli, method, strbuf_cstr(&url), body, NULL);
    strbuf_release(&url);
    return err;
}

static void tell(const struct cli *cli, const char *word, const char *name)
{
    if (cli->json) {
        output_json(json_pack("{s:s}", word, name));
    } else if (!cli->quiet) {
        output_text(word);
        output_text(" ");
        output_escaped(name);
        output_text("\n");
    }
}

int cmd_peers_rm(struct cli *cli)
{
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        const char *name = peer_arg(cli->args[i]);
        err = change(cli, "DELETE", "/api/v1/peers/", name, NULL);
        if (err == OK)
            tell(cli, "removed", name);
    }
    return call_exit(cli, err);
}

static enum err ban_body(struct cli *cli, json_t **ret_body)
{
    const char *reason = cli_value(cli, "reason");
    const char *text = cli_value(cli, "for");
    json_t *body = json_object();
    uint64_t ms = 0;

    if (reason != NULL)
        (void)json_object_set_new(body, "reason", json_string(reason));
    if (text != NULL) {
        enum err err = units_parse_duration(bytes_str(text), &ms);
        if (err != OK || ms / 1000 == 0 || ms / 1000 > BAN_S_MAX) {
            json_decref(body);
            cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                           "--for wants a time such as 30m or 24h");
            return E_MALFORMED;
        }
        (void)json_object_set_new(body, "duration_s",
                                  json_integer((json_int_t)(ms / 1000)));
    }
    *ret_body = body;
    return OK;
}

int cmd_peers_ban(struct cli *cli)
{
    json_t *body = NULL;
    enum err err = ban_body(cli, &body);

    if (err == OK)
        err = call_open(cli, CALL_NEEDS_DAEMON);
    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        const char *name = peer_arg(cli->args[i]);
        err = change(cli, "PUT", "/api/v1/bans/", name, json_incref(body));
        if (err == OK)
            tell(cli, "banned", name);
    }
    json_decref(body);
    return call_exit(cli, err);
}

int cmd_peers_unban(struct cli *cli)
{
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        const char *name = peer_arg(cli->args[i]);
        err = change(cli, "DELETE", "/api/v1/bans/", name, NULL);
        if (err == OK)
            tell(cli, "unbanned", name);
    }
    return call_exit(cli, err);
}
