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

enum { PINGS_MAX = 1000000 };

/* `swarm peers|connect|disconnect` and `ping`. */

static void print_peer(const json_t *peer)
{
    const char *address = answer_text(peer, "address");
    char latency[48] = "";

    output_escaped(address);
    if (strstr(address, "/p2p/") == NULL) {
        output_text("/p2p/");
        output_escaped(answer_text(peer, "peer_id"));
    }
    const json_t *ms = json_object_get(peer, "latency_ms");
    if (json_is_number(ms))
        (void)snprintf(latency, sizeof(latency), " %.1f ms",
                       json_number_value(ms)); /* 48 are enough */
    output_text(" ");
    output_escaped(answer_text(peer, "direction"));
    output_text(latency);
    output_text(" ");
    output_escaped(answer_text(peer, "agent"));
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

int cmd_swarm_peers(struct cli *cli)
{
    json_t *peers = json_array();
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    if (err == OK)
        err = call_pages(cli, "/api/v1/connections", on_peer, peers);
    if (err == OK && cli->json)
        output_json(json_incref(peers));
    json_decref(peers);
    return call_exit(cli, err);
}

static enum err post_connection(struct cli *cli, const char *address,
                                json_t **ret_answer)
{
    json_t *text = json_string(address);

    if (text == NULL) {
        cli_error_set(&cli->error, ERROR_BAD_ADDRESS, address);
        return E_MALFORMED;
    }
    json_t *body = json_pack("{s:o}", "address", text);
    if (cli->timeout_s > 0)
        (void)json_object_set_new(body, "timeout_s",
                                  json_integer(cli->timeout_s));
    return call_json(cli, "POST", "/api/v1/connections", body, ret_answer);
}

static enum err connect_one(struct cli *cli, const char *address)
{
    json_t *answer = NULL;
    enum err err = post_connection(cli, address, &answer);

    if (err == OK && cli->json) {
        output_json(json_incref(answer));
    } else if (err == OK && !cli->quiet) {
        output_text("connected ");
        output_escaped(answer_text(answer, "peer_id"));
        output_text("\n");
    }
    json_decref(answer);
    return err;
}

int cmd_swarm_connect(struct cli *cli)
{
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    for (size_t i = 0; i < cli->args_count && err == OK; i++)
        err = connect_one(cli, cli->args[i]);
    return call_exit(cli, err);
}

int cmd_swarm_disconnect(struct cli *cli)
{
    struct strbuf url;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);

    strbuf_init(&url, CONTENT_URL_MAX);
    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        const char *peer = peer_arg(cli->args[i]);
        strbuf_reset(&url);
        strbuf_str(&url, "/api/v1/connections/");
        content_path_encode(&url, peer, false);
        err = call_json(cli, "DELETE", strbuf_cstr(&url), NULL, NULL);
        if (err == OK && cli->json) {
            output_json(json_pack("{s:s}", "peer_id", peer));
        } else if (err == OK && !cli->quiet) {
            output_text("disconnected ");
            output_escaped(peer);
            output_text("\n");
        }
    }
    strbuf_release(&url);
    return call_exit(cli, err);
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void print_ping(const json_t *line)
{
    if (answer_has(line, "rtt_ms")) {
        output_line("seq=%llu time=%.2f ms",
                    (unsigned long long)answer_u64(line, "seq", 0),
                    number_of(line, "rtt_ms"));
        return;
    }
    if (!answer_has(line, "sent"))
        return;
    output_line("%llu sent, %llu received, min/avg/max %.2f/%.2f/%.2f ms",
                (unsigned long long)answer_u64(line, "sent", 0),
                (unsigned long long)answer_u64(line, "received", 0),
                number_of(line, "min_ms"), number_of(line, "avg_ms"),
                number_of(line, "max_ms"));
}

static enum err on_ping(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (cli->json)
        output_json(json_deep_copy(line));
    else
        print_ping(line);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    if (!answer_has(line, "sent") || answer_u64(line, "received", 0) > 0)
        return OK;
    cli_error_set(&cli->error, ERROR_TIMEOUT, cli->args[0]);
    cli_error_hint(&cli->error, "The peer answered none of the pings.");
    return E_TIMEOUT;
}

/* A peer that is named by an address is connected to first. */
static enum err reach(struct cli *cli, const char *peer)
{
    return peer_arg(peer) == peer ? OK : post_connection(cli, peer, NULL);
}

int cmd_ping(struct cli *cli)
{
    const char *option = cli_value(cli, "count") != NULL ? "count" : "number";
    uint64_t count = 0;
    struct strbuf url;
    char digits[24];

    enum err err = cli_number(cli, option, PINGS_MAX, 10, &count);
    if (err == OK && count == 0) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE, "--count wants 1 or more");
        err = E_MALFORMED;
    }
    if (err == OK)
        err = call_open(cli, CALL_NEEDS_DAEMON);
    if (err == OK)
        err = reach(cli, cli->args[0]);
    if (err != OK)
        return call_exit(cli, err);
    (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, "/api/v1/ping/");
    content_path_encode(&url, peer_arg(cli->args[0]), false);
    content_path_query(&url, "count", digits);
    content_path_timeout(cli, &url);
    struct call_stream call = {.method = "POST",
                               .path = strbuf_cstr(&url),
                               .body_fd = -1,
                               .on_line = on_ping};
    err = call_stream(cli, &call);
    strbuf_release(&url);
    return call_exit(cli, err);
}
