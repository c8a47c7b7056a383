#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/output.h"
#include "base/mem.h"

/* `stats`: what the node has counted. */

enum { WATCH_MS = 1000, CONNS_SHOWN = 10, TAIL_LEN = 8 };

static const char *const parts[] = {"bandwidth", "bitswap", "store", "dht"};

static unsigned long long count_of(const json_t *v, const char *name)
{
    return answer_u64(v, name, 0);
}

/* For people. */

static void print_flow(const char *name, const json_t *v, const char *rate,
                       const char *bytes)
{
    char per_s[32];
    char all[32];

    output_line("  %-12s%s/s, %s in all", name,
                output_size(per_s, count_of(v, rate)),
                output_size(all, count_of(v, bytes)));
}

static void print_conn(const json_t *v)
{
    const char *id = answer_text(v, "peer_id");
    size_t len = strlen(id);
    char in[32];
    char out[32];
    char all_in[32];
    char all_out[32];

    output_text("  ");
    output_escaped(len > TAIL_LEN ? id + len - TAIL_LEN : id);
    output_line("    %s/s in, %s/s out, %s in, %s out in all",
                output_size(in, count_of(v, "rate_in")),
                output_size(out, count_of(v, "rate_out")),
                output_size(all_in, count_of(v, "bytes_in")),
                output_size(all_out, count_of(v, "bytes_out")));
}

/* Who carries most comes first. */
static int compare_conns(const void *a, const void *b)
{
    const json_t *const *x = a;
    const json_t *const *y = b;
    uint64_t of_x = count_of(*x, "bytes_in") + count_of(*x, "bytes_out");
    uint64_t of_y = count_of(*y, "bytes_in") + count_of(*y, "bytes_out");

    return of_x < of_y ? 1 : of_x > of_y ? -1 : 0;
}

static void print_conns(const json_t *list)
{
    size_t count = json_array_size(list);
    const json_t **all = mem_zalloc(count + 1, sizeof(const json_t *));

    for (size_t i = 0; i < count; i++)
        all[i] = json_array_get(list, i);
    qsort(all, count, sizeof(const json_t *), compare_conns);
    for (size_t i = 0; i < count && i < CONNS_SHOWN; i++)
        print_conn(all[i]);
    if (count > CONNS_SHOWN)
        output_line("  and %zu more connections", count - CONNS_SHOWN);
    mem_free((void *)all);
}

static void print_bandwidth(const json_t *v)
{
    output_line("Bandwidth");
    print_flow("in", v, "rate_in", "bytes_in");
    print_flow("out", v, "rate_out", "bytes_out");
    print_conns(json_object_get(v, "connections"));
}

static void print_bitswap(const json_t *v)
{
    char size[32];

    output_line("Bitswap");
    output_line("  received    %llu blocks, %s; %llu more than once, %llu "
                "unasked",
                count_of(v, "blocks_received"),
                output_size(size, count_of(v, "bytes_received")),
                count_of(v, "duplicates"), count_of(v, "unasked"));
    output_line("  sent        %llu blocks, %s", count_of(v, "blocks_sent"),
                output_size(size, count_of(v, "bytes_sent")));
    output_line("  wanted now  %llu by this node, %llu by its peers",
                count_of(v, "wants"), count_of(v, "wants_of_peers"));
}

static void print_store(const json_t *v)
{
    char used[32];
    char other[32];

    output_line("Store");
    output_line("  blocks      %llu, %s; pins: %llu", count_of(v, "blocks"),
                output_size(used, count_of(v, "bytes_used")),
                count_of(v, "pins"));
    output_line("  of these    %llu cache, %s", count_of(v, "cache_blocks"),
                output_size(used, count_of(v, "cache_bytes")));
    output_line("  on disk     %s, segments: %llu; %s free",
                output_size(used, count_of(v, "bytes_on_disk")),
                count_of(v, "segments"),
                output_size(other, count_of(v, "bytes_free")));
    if (answer_has(v, "bytes_limit"))
        output_line("  limit       %s",
                    output_size(used, count_of(v, "bytes_limit")));
    if (count_of(v, "quarantined") > 0)
        output_line("  damaged     %llu", count_of(v, "quarantined"));
}

static void print_dht(const json_t *v)
{
    output_text("DHT ");
    output_escaped(answer_text(v, "name"));
    output_text("\n");
    output_line("  nodes       %llu in the table, %llu known",
                count_of(v, "contacts"), count_of(v, "known"));
    output_line("  searches    %llu, %llu running", count_of(v, "queries"),
                count_of(v, "queries_running"));
    output_line("  asked       %llu times, %llu answered, %llu failed",
                count_of(v, "messages_out"), count_of(v, "answers_in"),
                count_of(v, "failures"));
    output_line("  was asked   %llu times, %llu refused", count_of(v, "served"),
                count_of(v, "refused"));
    output_line("  keeps       %llu provider records of %llu keys, %llu values",
                count_of(v, "provider_records"), count_of(v, "provider_keys"),
                count_of(v, "value_records"));
}

static void print_part(const char *part, const json_t *v)
{
    if (v == NULL)
        return; /* of a node that is not on line */
    if (strcmp(part, "bandwidth") == 0)
        print_bandwidth(v);
    else if (strcmp(part, "bitswap") == 0)
        print_bitswap(v);
    else if (strcmp(part, "store") == 0)
        print_store(v);
    for (size_t i = 0; strcmp(part, "dht") == 0 && i < json_array_size(v); i++)
        print_dht(json_array_get(v, i));
}

static void print_all(const json_t *stats, const char *part)
{
    bool first = true;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        const json_t *v = json_object_get(stats, parts[i]);
        if (part != NULL && strcmp(part, parts[i]) != 0)
            continue;
        output_text(!first && v != NULL ? "\n" : "");
        print_part(parts[i], v);
        first &= v == NULL;
    }
}

/* One look. */
static enum err show(struct cli *cli, const char *part)
{
    json_t *stats = NULL;
    enum err err =
        call_json(cli, "GET", "/api/v1/stats?connections=true", NULL, &stats);

    if (err != OK)
        return err;
    json_t *shown = part != NULL ? json_object_get(stats, part) : stats;
    if (shown == NULL) {
        cli_error_set(&cli->error, ERROR_DAEMON_NEEDED, part);
        err = E_NOTFOUND;
    } else if (cli->json) {
        output_json(json_incref(shown));
    } else {
        print_all(stats, part);
    }
    json_decref(stats);
    return err;
}

/* Wait until the next look; Ctrl-C ends it. */
static enum err wait_a_second(struct cli *cli)
{
    struct pollfd p = {.fd = cli->cancel_fd, .events = POLLIN};

    if (poll(&p, 1, WATCH_MS) == 0)
        return OK;
    cli_error_set(&cli->error, ERROR_CANCELLED, NULL);
    return E_CANCELED;
}

static bool is_screen(void)
{
    /* Nothing changes the environment while threads run. */
    const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe) */

    return isatty(STDOUT_FILENO) == 1 && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static enum err watch(struct cli *cli, const char *part)
{
    bool on_screen = is_screen();
    enum err err = OK;

    for (bool first = true; err == OK; first = false) {
        if (on_screen && !cli->json)
            output_text("\033[H\033[2J"); /* to the top of an empty screen */
        else if (!first && !cli->json)
            output_text("\n");
        err = show(cli, part);
        if (err == OK && fflush(stdout) != 0)
            return E_CLOSED; /* output_finish() tells */
        if (err == OK)
            err = wait_a_second(cli);
    }
    return err;
}

int cmd_stats(struct cli *cli)
{
    const char *part = cli->args_count > 0 ? cli->args[0] : NULL;
    bool watches = cli_flag(cli, "watch");
    bool known = part == NULL;

    for (size_t i = 0; !known && i < sizeof(parts) / sizeof(parts[0]); i++)
        known = strcmp(parts[i], part) == 0;
    if (!known) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "none of bandwidth, bitswap, store, dht: %.50s", part);
        return cli->error.exit_code;
    }
    enum err err = call_open(cli, watches ? CALL_NEEDS_DAEMON : CALL_PLAIN);
    if (err == OK)
        err = watches ? watch(cli, part) : show(cli, part);
    return call_exit(cli, err);
}
