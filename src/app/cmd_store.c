#include <jansson.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "base/strbuf.h"

/* `gc`, `verify`, `fsck`: the block store. */

int cmd_gc(struct cli *cli)
{
    json_t *answer = NULL;
    char size[32];
    enum err err = call_open(cli, CALL_PLAIN);

    if (err == OK)
        err = call_json(cli, "POST", "/api/v1/gc", NULL, &answer);
    if (err == OK && cli->json)
        output_json(json_incref(answer));
    else if (err == OK)
        output_line("removed %llu blocks, %s",
                    (unsigned long long)answer_u64(answer, "removed", 0),
                    output_size(size, answer_u64(answer, "bytes", 0)));
    json_decref(answer);
    return call_exit(cli, err);
}

static void print_cids(const char *word, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *cid = json_string_value(json_array_get(list, i));
        output_text(word);
        output_escaped(cid != NULL ? cid : "");
        output_text("\n");
    }
}

/* Damage that is left is a failure, though the check itself was done. */
static enum err check_damage(struct cli *cli, const json_t *line)
{
    size_t bad = json_array_size(json_object_get(line, "bad"));
    size_t repaired = json_array_size(json_object_get(line, "repaired"));

    if (bad <= repaired)
        return OK;
    cli_error_setf(&cli->error, ERROR_CORRUPT_BLOCK,
                   "%zu damaged blocks could not be fetched again",
                   bad - repaired);
    cli_error_hint(&cli->error,
                   "Connect to a peer that has them and run `xmbl verify` "
                   "again, or add the files again.");
    return E_CORRUPT;
}

static enum err on_verified(struct cli *cli, void *ctx, const json_t *line)
{
    (void)ctx; /* the line tells all */
    if (answer_has(line, "waiting"))
        output_message(cli, "waiting for another check to end");
    if (!answer_has(line, "checked"))
        return OK; /* a kind of line that came later than this program */
    if (cli->json) {
        output_json(json_deep_copy(line));
        return check_damage(cli, line);
    }
    print_cids("damaged ", json_object_get(line, "bad"));
    print_cids("repaired ", json_object_get(line, "repaired"));
    output_line("%llu blocks checked, %zu damaged, %zu repaired",
                (unsigned long long)answer_u64(line, "checked", 0),
                json_array_size(json_object_get(line, "bad")),
                json_array_size(json_object_get(line, "repaired")));
    return check_damage(cli, line);
}

int cmd_verify(struct cli *cli)
{
    struct strbuf url;
    struct strbuf cid;
    enum err err = OK;

    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_init(&cid, CONTENT_URL_MAX / 4);
    strbuf_str(&url, "/api/v1/verify");
    if (cli->args_count > 0) {
        err = content_path_plain(&cid, cli->args[0]);
        content_path_query(&url, "cid", strbuf_cstr(&cid));
    }
    content_path_timeout(cli, &url);
    if (err != OK)
        cli_error_set(&cli->error, ERROR_BAD_PATH, cli->args[0]);
    else
        err = call_open(cli, CALL_PLAIN);
    if (err == OK) {
        struct call_stream call = {.method = "POST",
                                   .path = strbuf_cstr(&url),
                                   .body_fd = -1,
                                   .progress = "verifying",
                                   .on_line = on_verified};
        err = call_stream(cli, &call);
    }
    strbuf_release(&cid);
    strbuf_release(&url);
    return call_exit(cli, err);
}

static enum err print_fsck(struct cli *cli, const json_t *answer)
{
    char size[32];
    size_t bad = json_array_size(json_object_get(answer, "bad"));
    uint64_t missing = answer_u64(answer, "missing", 0);

    if (cli->json) {
        output_json(json_deep_copy(answer));
    } else {
        print_cids("damaged ", json_object_get(answer, "bad"));
        output_line("%llu segments, %llu records, %s",
                    (unsigned long long)answer_u64(answer, "segments", 0),
                    (unsigned long long)answer_u64(answer, "records", 0),
                    output_size(size, answer_u64(answer, "bytes", 0)));
        output_line(
            "%zu damaged, %llu missing%s", bad, (unsigned long long)missing,
            json_is_true(json_object_get(answer, "rebuilt")) ? ", index rebuilt"
                                                             : "");
    }
    if (bad == 0 && missing == 0)
        return OK;
    cli_error_setf(&cli->error, ERROR_CORRUPT_STORE,
                   "%zu records are damaged and %llu blocks are missing", bad,
                   (unsigned long long)missing);
    cli_error_hint(&cli->error, "`xmbl verify` fetches them again from peers.");
    return E_CORRUPT;
}

int cmd_fsck(struct cli *cli)
{
    json_t *answer = NULL;
    enum err err = call_open(cli, CALL_PLAIN);

    if (err == OK)
        err = call_json(cli, "POST", "/api/v1/fsck", NULL, &answer);
    if (err == OK)
        err = print_fsck(cli, answer);
    json_decref(answer);
    return call_exit(cli, err);
}
