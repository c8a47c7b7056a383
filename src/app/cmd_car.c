#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/file_out.h"
#include "app/input.h"
#include "app/output.h"
#include "app/progress.h"
#include "base/strbuf.h"
#include "os/term.h"

/* `car export` and `car import`. */

struct exporting {
    struct file_out file;
    uint64_t bytes;
};

static enum err write_bytes(struct cli *cli, void *ctx, struct bytes in)
{
    struct exporting *e = ctx;

    e->bytes += in.len;
    return file_out_write(cli, &e->file, in);
}

static enum err export_file(struct cli *cli, const char *url, const char *path,
                            struct exporting *e)
{
    enum err err = file_out_open(cli, &e->file, path, false);

    if (err != OK)
        return err;
    struct call_bytes call = {.path = url,
                              .total_bytes = PROGRESS_UNKNOWN,
                              .progress = "exporting",
                              .on_bytes = write_bytes,
                              .ctx = e};
    err = call_bytes(cli, &call);
    if (err == OK)
        err = file_out_close(cli, &e->file, false, false);
    file_out_drop(&e->file);
    return err;
}

static enum err export_stdout(struct cli *cli, const char *url)
{
    struct call_bytes call = {
        .path = url, .total_bytes = PROGRESS_UNKNOWN, .on_bytes = output_body};

    return call_bytes(cli, &call);
}

static void print_exported(struct cli *cli, const char *path, uint64_t bytes)
{
    char size[32];

    if (cli->json) {
        output_json(json_pack("{s:s, s:s, s:I}", "cid", cli->args[0], "path",
                              path, "bytes", (json_int_t)bytes));
        return;
    }
    if (cli->quiet)
        return;
    output_text("saved ");
    output_escaped(path);
    output_line(" (%s)", output_size(size, bytes));
}

int cmd_car_export(struct cli *cli)
{
    const char *path = cli_value(cli, "output");
    bool to_stdout = path == NULL || strcmp(path, "-") == 0;
    struct exporting e = {.file = {.fd = -1}};
    struct strbuf url;

    if (to_stdout && term_is_terminal(STDOUT_FILENO)) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "a CAR file is nothing for a terminal");
        cli_error_hint(&cli->error, "Name a file with -o.");
        return cli->error.exit_code;
    }
    strbuf_init(&url, CONTENT_URL_MAX);
    enum err err = content_path_route(cli, &url, "car", cli->args[0]);
    content_path_timeout(cli, &url);
    if (err == OK)
        err = call_open(cli, CALL_PLAIN);
    if (err == OK && to_stdout)
        err = export_stdout(cli, strbuf_cstr(&url));
    else if (err == OK)
        err = export_file(cli, strbuf_cstr(&url), path, &e);
    strbuf_release(&url);
    if (err == OK && !to_stdout)
        print_exported(cli, path, e.bytes);
    return call_exit(cli, err);
}

static enum err on_imported(struct cli *cli, void *ctx, const json_t *line)
{
    const json_t *roots = json_object_get(line, "roots");
    char size[32];

    (void)ctx; /* the line tells all */
    if (roots == NULL)
        return OK; /* a kind of line that came later than this program */
    if (cli->json) {
        output_json(json_deep_copy(line));
        return OK;
    }
    for (size_t i = 0; i < json_array_size(roots); i++) {
        const char *cid = json_string_value(json_array_get(roots, i));
        output_text(cli->quiet ? "" : "imported ");
        output_escaped(cid != NULL ? cid : "");
        output_text("\n");
    }
    output_message(cli, "%llu blocks, %s.",
                   (unsigned long long)answer_u64(line, "blocks", 0),
                   output_size(size, answer_u64(line, "bytes", 0)));
    return OK;
}

static enum err import_one(struct cli *cli, const char *path)
{
    int fd = -1;
    enum err err = input_open(cli, path, &fd);

    if (err != OK)
        return err;
    struct call_stream call = {.method = "POST",
                               .path = "/api/v1/car",
                               .body_fd = fd,
                               .progress = "importing",
                               .on_line = on_imported};
    err = call_stream(cli, &call);
    input_close(fd);
    return err;
}

int cmd_car_import(struct cli *cli)
{
    enum err err = call_open(cli, CALL_MAY_CREATE);

    cli->kept = "Blocks that were imported stay until the next gc; the same "
                "command again goes on from there.";
    for (size_t i = 0; i < cli->args_count && err == OK; i++)
        err = import_one(cli, cli->args[i]);
    return call_exit(cli, err);
}
