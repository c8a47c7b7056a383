#include <jansson.h>
#include <string.h>

#include "api/identity_json.h"
#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/keeping.h"
#include "app/output.h"
#include "base/strbuf.h"
#include "config/units.h"
#include "multiformats/key.h"

/* `id`, `status`: who the node is and how it does. */

static void print_list(const char *label, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        output_text(i == 0 ? label : "            ");
        output_escaped(text != NULL ? text : "");
        output_text("\n");
    }
}

static void print_field(const char *label, const char *text)
{
    output_text(label);
    output_escaped(text);
    output_text("\n");
}

/* Without a daemon the key says it all: who holds the folder's lock does not
 * matter. */
static enum err read_identity(struct cli *cli, json_t **ret_node)
{
    struct keeping k;
    struct privkey key;
    enum err err = keeping_open(cli, &k, KEEPING_READ);

    if (err != OK)
        return err;
    err = keeping_key(cli, &k, &key);
    keeping_close(&k);
    if (err != OK)
        return err;
    *ret_node = json_identity(&key, XMBL_VERSION);
    (void)json_object_set_new(*ret_node, "addresses", json_array());
    (void)json_object_set_new(*ret_node, "protocols", json_array());
    privkey_release(&key);
    return OK;
}

int cmd_id(struct cli *cli)
{
    static const char *const names[] = {"peer_id",   "addresses",  "agent",
                                        "protocols", "public_key", NULL};
    json_t *node = NULL;
    enum err err = call_open(cli, CALL_RUNNING);

    if (err == OK)
        err = call_json(cli, "GET", "/api/v1/node", NULL, &node);
    else if (err == E_AGAIN)
        err = read_identity(cli, &node);
    if (err != OK)
        return call_exit(cli, err);
    if (cli->json) {
        output_json(answer_pick(node, names));
    } else {
        print_field("peer id     ", answer_text(node, "peer_id"));
        print_list("addresses   ", json_object_get(node, "addresses"));
        print_field("agent       ", answer_text(node, "agent"));
        print_list("protocols   ", json_object_get(node, "protocols"));
        print_field("public key  ", answer_text(node, "public_key"));
    }
    json_decref(node);
    return EXIT_DONE;
}

static void print_size(const char *label, const json_t *stats, const char *name)
{
    char size[32];

    if (answer_has(stats, name))
        output_line("%s%s", label,
                    output_size(size, answer_u64(stats, name, 0)));
}

static void print_count(const char *label, const json_t *stats,
                        const char *name)
{
    if (answer_has(stats, name))
        output_line("%s%llu", label,
                    (unsigned long long)answer_u64(stats, name, 0));
}

static void print_rate(const char *label, const json_t *stats, const char *name)
{
    char size[32];

    if (answer_has(stats, name))
        output_line("%s%s/s", label,
                    output_size(size, answer_u64(stats, name, 0)));
}

static void print_status(const json_t *stats)
{
    struct strbuf time;

    print_field("state       ", answer_text(stats, "state"));
    if (answer_has(stats, "uptime_s")) {
        strbuf_init(&time, 64);
        units_human_duration(&time, answer_u64(stats, "uptime_s", 0));
        output_line("up for      %s", strbuf_cstr(&time));
        strbuf_release(&time);
    }
    print_count("peers       ", stats, "peers");
    print_count("objects     ", stats, "objects");
    print_count("for others  ", stats, "objects_held");
    print_count("pins        ", stats, "pins");
    print_count("blocks      ", stats, "blocks");
    print_size("used        ", stats, "bytes_used");
    print_size("limit       ", stats, "bytes_limit");
    print_size("free        ", stats, "bytes_free");
    print_rate("receiving   ", stats, "rate_in");
    print_rate("sending     ", stats, "rate_out");
}

int cmd_status(struct cli *cli)
{
    json_t *stats = NULL;
    enum err err = call_open(cli, CALL_PLAIN);

    if (err == OK)
        err = call_json(cli, "GET", "/api/v1/stats", NULL, &stats);
    if (err != OK)
        return call_exit(cli, err);
    if (cli->json)
        output_json(json_incref(stats));
    else
        print_status(stats);
    json_decref(stats);
    return EXIT_DONE;
}
