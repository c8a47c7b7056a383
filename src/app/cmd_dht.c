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

/* `dht findpeer|findprovs|provide|query`. */

static void dht_url(struct cli *cli, struct strbuf *url, const char *path,
                    const char *tail)
{
    strbuf_init(url, CONTENT_URL_MAX);
    strbuf_str(url, path);
    content_path_encode(url, tail, false);
    content_path_timeout(cli, url);
}

/* Addresses of a peer, each with its id at the end; the id alone where it has
 * none. */
static void print_addresses(const json_t *peer)
{
    const json_t *list = json_object_get(peer, "addresses");
    const char *id = answer_text(peer, "peer_id");
    size_t i;
    const json_t *address;

    json_array_foreach(list, i, address)
    {
        output_escaped(json_string_value(address));
        output_text("/p2p/");
        output_escaped(id);
        output_text("\n");
    }
    if (json_array_size(list) == 0) {
        output_escaped(id);
        output_text("\n");
    }
}

static enum err ask(struct cli *cli, const char *method, const char *path,
                    const char *tail, json_t **ret_answer)
{
    struct strbuf url;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);
    if (err != OK)
        return err;

    dht_url(cli, &url, path, tail);
    err = call_json(cli, method, strbuf_cstr(&url), NULL, ret_answer);
    strbuf_release(&url);
    return err;
}

int cmd_dht_findpeer(struct cli *cli)
{
    json_t *answer = NULL;
    enum err err =
        ask(cli, "GET", "/api/v1/dht/peer/", peer_arg(cli->args[0]), &answer);

    if (err == OK && cli->json)
        output_json(json_incref(answer));
    else if (err == OK)
        print_addresses(answer);
    json_decref(answer);
    return call_exit(cli, err);
}

static enum err on_provider(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (cli->json)
        output_json(json_deep_copy(line));
    else
        print_addresses(line);
    (void)fflush(stdout); /* each as it comes; output_finish() tells */
    return OK;
}

int cmd_dht_findprovs(struct cli *cli)
{
    const char *max = cli_value(cli, "num-providers");
    struct strbuf url;
    enum err err = call_open(cli, CALL_NEEDS_DAEMON);
    if (err != OK)
        return call_exit(cli, err);

    dht_url(cli, &url, "/api/v1/dht/providers/", cli->args[0]);
    if (max != NULL)
        content_path_query(&url, "limit", max);
    struct call_stream call = {.method = "GET",
                               .path = strbuf_cstr(&url),
                               .body_fd = -1,
                               .on_line = on_provider};
    err = call_stream(cli, &call);
    strbuf_release(&url);
    return call_exit(cli, err);
}

int cmd_dht_provide(struct cli *cli)
{
    enum err err = OK;

    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        json_t *answer = NULL;
        err = ask(cli, "POST", "/api/v1/dht/provide/", cli->args[i], &answer);
        if (err == OK && cli->json)
            output_json(json_incref(answer));
        else if (err == OK && !cli->quiet)
            output_line("announced to %llu peers\n",
                        (unsigned long long)answer_u64(answer, "peers", 0));
        json_decref(answer);
    }
    return call_exit(cli, err);
}

int cmd_dht_query(struct cli *cli)
{
    json_t *answer = NULL;
    enum err err =
        ask(cli, "GET", "/api/v1/dht/query/", peer_arg(cli->args[0]), &answer);
    const json_t *peers = json_object_get(answer, "peers");
    size_t i;
    const json_t *peer;

    if (err == OK && cli->json) {
        output_json(json_incref(answer));
    } else if (err == OK) {
        json_array_foreach(peers, i, peer)
        {
            output_escaped(json_string_value(peer));
            output_text("\n");
        }
    }
    json_decref(answer);
    return call_exit(cli, err);
}
