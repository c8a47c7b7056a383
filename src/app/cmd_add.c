#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/client.h"
#include "app/commands.h"
#include "app/content_path.h"
#include "app/output.h"
#include "base/strbuf.h"
#include "config/units.h"

enum { COPIES_MAX = 7 };

/* What is known of an `add` while its lines come. */
struct adding {
    char root[256];  /* CID of the last root, else of the last line */
    bool has_root;   /* a line said that it is one */
    char state[32];  /* of its copies */
    uint64_t wanted; /* copies */
    uint64_t stored;
    bool only_hash;
    bool quieter;
};

static void copy_text(char *dst, size_t max, const char *text)
{
    (void)snprintf(dst, max, "%s", text); /* cut where too long */
}

static void note_root(struct adding *a, const json_t *line)
{
    const json_t *copies = json_object_get(line, "copies");

    if (copies == NULL && a->has_root)
        return;
    copy_text(a->root, sizeof(a->root), answer_text(line, "cid"));
    if (copies == NULL)
        return;
    a->has_root = true;
    copy_text(a->state, sizeof(a->state), answer_text(copies, "state"));
    a->wanted = answer_u64(copies, "wanted", 0);
    a->stored = answer_u64(copies, "stored", 0);
}

static enum err on_line(struct cli *cli, void *ctx, const json_t *line)
{
    struct adding *a = ctx;

    if (!answer_has(line, "cid"))
        return OK; /* a kind of line that came later than this program */
    note_root(a, line);
    if (cli->json) {
        output_json(json_deep_copy(line));
        return OK;
    }
    if (a->quieter)
        return OK;
    output_text(cli->quiet ? "" : "added ");
    output_escaped(answer_text(line, "cid"));
    output_text(cli->quiet ? "" : " ");
    output_escaped(cli->quiet ? "" : answer_text(line, "path"));
    output_text("\n");
    return OK;
}

/* Sends a switch that was given, as --raw-leaves or --raw-leaves=false. */
static void pack_flag(const struct cli *cli, json_t *body, const char *option,
                      const char *field)
{
    if (cli_given_count(cli, option) > 0)
        (void)json_object_set_new(body, field,
                                  json_boolean(cli_flag(cli, option)));
}

static void pack_text(const struct cli *cli, json_t *body, const char *option)
{
    const char *value = cli_value(cli, option);

    if (value != NULL)
        (void)json_object_set_new(body, option, json_string(value));
}

static void pack_number(json_t *body, const char *field, uint64_t number)
{
    if (number != UINT64_MAX)
        (void)json_object_set_new(body, field,
                                  json_integer((json_int_t)number));
}

/* The settings that both routes know, as fields. */
static enum err pack_settings(struct cli *cli, struct adding *a,
                              json_t **ret_body)
{
    uint64_t copies = 0;
    uint64_t version = 0;
    enum err err = cli_number(cli, "copies", COPIES_MAX, UINT64_MAX, &copies);

    if (err == OK)
        err = cli_number(cli, "cid-version", 1, UINT64_MAX, &version);
    if (err != OK)
        return err;
    json_t *body = json_object();
    if (cli_flag(cli, "wrap") || cli_flag(cli, "wrap-with-directory"))
        (void)json_object_set_new(body, "wrap", json_true());
    if (a->only_hash)
        (void)json_object_set_new(body, "only_hash", json_true());
    pack_flag(cli, body, "raw-leaves", "raw_leaves");
    pack_flag(cli, body, "pin", "pin");
    pack_text(cli, body, "profile");
    pack_text(cli, body, "chunker");
    pack_text(cli, body, "wait");
    pack_text(cli, body, "name");
    pack_number(body, "copies", copies);
    pack_number(body, "cid_version", version);
    if (cli->timeout_s > 0)
        (void)json_object_set_new(body, "timeout_s",
                                  json_integer(cli->timeout_s));
    *ret_body = body;
    return OK;
}

/* Some have another name in a query: there `name` is the file's. */
static void rename_setting(json_t *settings, const char *from, const char *to)
{
    json_t *value = json_object_get(settings, from);

    if (value == NULL)
        return;
    (void)json_object_set(settings, to, value);
    (void)json_object_del(settings, from); /* it is there */
}

/* The same settings as the query of POST /add. */
static void put_query(struct strbuf *url, json_t *settings)
{
    const char *name = NULL;
    json_t *value = NULL;
    struct strbuf text;

    strbuf_init(&text, CONTENT_URL_MAX);
    json_object_foreach(settings, name, value)
    {
        strbuf_reset(&text);
        if (json_is_string(value))
            strbuf_str(&text, json_string_value(value));
        else
            answer_put(&text, value, 0);
        content_path_query(url, name, strbuf_cstr(&text));
    }
    strbuf_release(&text);
}

/* Streams what @fd gives.  The settings' reference passes. */
static enum err add_stream(struct cli *cli, struct adding *a, int fd,
                           const char *name, json_t *settings)
{
    struct strbuf url;

    strbuf_init(&url, CONTENT_URL_MAX);
    strbuf_str(&url, "/api/v1/add");
    rename_setting(settings, "name", "object_name");
    rename_setting(settings, "timeout_s", "timeout");
    if (name != NULL)
        (void)json_object_set_new(settings, "name", json_string(name));
    put_query(&url, settings);
    json_decref(settings);
    struct call_stream call = {
        .method = "POST",
        .path = strbuf_cstr(&url),
        .body_fd = fd,
        .progress = "adding",
        .on_line = on_line,
        .ctx = a,
    };
    enum err err = call_stream(cli, &call);
    strbuf_release(&url);
    return err;
}

/* True for ".", "a/..", "../": the last word is not a name of its own. */
static bool is_nameless(const char *path)
{
    size_t len = strlen(path);

    while (len > 0 && path[len - 1] == '/')
        len--;
    size_t at = len;
    while (at > 0 && path[at - 1] == '.')
        at--;
    return len > at && len - at <= 2 && (at == 0 || path[at - 1] == '/');
}

/* Absolute, as the daemon needs it; a symlink at the end stays one.  What has
 * no name there gets that of the folder that it is. */
static enum err absolute(struct cli *cli, const char *path, struct strbuf *out)
{
    char real[PATH_MAX];

    if (is_nameless(path) && realpath(path, real) != NULL)
        path = real;
    else if (path[0] != '/' && getcwd(real, sizeof(real)) != NULL) {
        strbuf_str(out, real);
        strbuf_str(out, "/");
    } else if (path[0] != '/') {
        cli_error_set(&cli->error, ERROR_IO, "the working directory");
        return E_IO;
    }
    strbuf_str(out, path);
    if (!strbuf_full(out))
        return OK;
    cli_error_set(&cli->error, ERROR_BAD_NAME, path);
    return E_LIMIT;
}

static enum err no_file(struct cli *cli, const char *path, int error)
{
    enum error_id id = ERROR_IO;

    if (error == ENOENT || error == ENOTDIR)
        id = ERROR_NOT_FOUND;
    else if (error == EACCES || error == EPERM)
        id = ERROR_PERMISSION;
    cli_error_set(&cli->error, id, path);
    if (id == ERROR_NOT_FOUND)
        cli_error_hint(&cli->error, "Check the spelling.");
    return E_IO;
}

/* The daemon reads the files itself. */
static enum err add_local(struct cli *cli, struct adding *a, json_t *settings)
{
    json_t *paths = json_array();
    struct strbuf path;
    enum err err = OK;

    strbuf_init(&path, PATH_MAX);
    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        struct stat st;
        strbuf_reset(&path);
        if (lstat(cli->args[i], &st) != 0)
            err = no_file(cli, cli->args[i], errno);
        else
            err = absolute(cli, cli->args[i], &path);
        json_t *text = json_string(strbuf_cstr(&path));
        if (err == OK && text == NULL) {
            cli_error_setf(&cli->error, ERROR_BAD_NAME,
                           "the path is not UTF-8: %.200s", cli->args[i]);
            err = E_MALFORMED;
        }
        if (text != NULL)
            (void)json_array_append_new(paths, text);
    }
    strbuf_release(&path);
    (void)json_object_set_new(settings, "paths", paths);
    if (cli_flag(cli, "no-hidden") ||
        (cli_given_count(cli, "hidden") > 0 && !cli_flag(cli, "hidden")))
        (void)json_object_set_new(settings, "hidden", json_false());
    if (err != OK) {
        json_decref(settings);
        return err;
    }
    struct call_stream call = {
        .method = "POST",
        .path = "/api/v1/local/add",
        .body = settings,
        .body_fd = -1,
        .progress = "adding",
        .on_line = on_line,
        .ctx = a,
    };
    return call_stream(cli, &call);
}

static enum err open_file(struct cli *cli, const char *path, int *ret_fd)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return no_file(cli, path, errno);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *ret_fd = fd;
        return OK;
    }
    (void)close(fd); /* was only opened */
    cli_error_set(&cli->error, ERROR_NOT_A_FILE, path);
    cli_error_hint(&cli->error, "The daemon is not this user's or not on this "
                                "machine: only files can be sent to it.");
    return E_UNSUPPORTED;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

/* A daemon that may not read the files is sent them one by one. */
static enum err add_files(struct cli *cli, struct adding *a, json_t *settings)
{
    enum err err = OK;

    for (size_t i = 0; i < cli->args_count && err == OK; i++) {
        int fd = -1;
        err = open_file(cli, cli->args[i], &fd);
        if (err != OK)
            break;
        err = add_stream(cli, a, fd, base_name(cli->args[i]),
                         json_deep_copy(settings));
        (void)close(fd); /* was only read */
    }
    json_decref(settings);
    return err;
}

/* Where the daemon may not read the files, who may sends them; nothing else
 * helps, and nothing was added yet. */
static enum err add_here(struct cli *cli, struct adding *a, json_t *settings)
{
    json_t *copy = json_deep_copy(settings);
    enum err err = add_local(cli, a, settings);
    struct cli_error first = cli->error;
    bool one = cli->args_count == 1 || json_object_get(copy, "wrap") == NULL;

    if (err == OK || strcmp(first.code, "PERMISSION") != 0 || !one ||
        a->root[0] != '\0') {
        json_decref(copy);
        return err;
    }
    cli->error = (struct cli_error){.code = ""};
    enum err again = add_files(cli, a, copy);
    if (again != OK && a->root[0] == '\0') {
        cli->error = first;
        return err;
    }
    return again;
}

static void print_summary(struct cli *cli, const struct adding *a)
{
    if (a->quieter || a->only_hash)
        return;
    output_message(cli, "Whoever has the CID can read it.");
    if (a->wanted == 0)
        return;
    if (strcmp(a->state, "local") == 0)
        output_message(cli,
                       "It is only here so far, with %llu copies wanted; "
                       "`xmbl daemon` makes them.",
                       (unsigned long long)a->wanted);
    else if (strcmp(a->state, "partial") == 0)
        output_message(cli,
                       "It is partial: %llu of %llu copies; the daemon "
                       "completes them later.  `xmbl objects status` says "
                       "who refused.",
                       (unsigned long long)a->stored,
                       (unsigned long long)a->wanted);
    else
        output_message(cli, "%llu of %llu copies stored.",
                       (unsigned long long)a->stored,
                       (unsigned long long)a->wanted);
}

/* "-" stands alone: it has no name that could tell it from others. */
static enum err check_arguments(struct cli *cli, bool *ret_stdin)
{
    bool found = false;

    for (size_t i = 0; i < cli->args_count; i++) {
        if (cli->args[i][0] == '\0') {
            cli_error_setf(&cli->error, ERROR_BAD_USAGE, "a path is empty");
            return E_MALFORMED;
        }
        if (strcmp(cli->args[i], "-") == 0)
            found = true;
    }
    if (found && cli->args_count > 1) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "- (standard input) stands alone; a file of that name "
                       "is ./-");
        return E_MALFORMED;
    }
    *ret_stdin = found;
    return OK;
}

/* What helps here is not what helps elsewhere. */
static int failed(struct cli *cli, enum err err)
{
    const char *hint = NULL;

    if (!client_is_local(cli->client))
        return call_exit(cli, err);
    if (strcmp(cli->error.code, "NOT_A_FILE") == 0)
        hint = "Only files, folders and symlinks can be added: leave it out.";
    else if (strcmp(cli->error.code, "EXISTS") == 0)
        hint = "Rename one of them, or add them one by one.";
    if (hint != NULL)
        cli_error_hint(&cli->error, hint);
    return call_exit(cli, err);
}

int cmd_add(struct cli *cli)
{
    static const char kept[] =
        "Whole files that were added stay until the next gc, or with copies "
        "being made for good; the same command again goes on from there.";
    struct adding a = {.only_hash = cli_flag(cli, "only-hash"),
                       .quieter = cli_flag(cli, "quieter") && !cli->json};
    bool from_stdin = false;
    json_t *settings = NULL;
    enum err err = check_arguments(cli, &from_stdin);

    if (err == OK)
        err = pack_settings(cli, &a, &settings);
    if (err != OK)
        return call_exit(cli, err);
    cli->kept = a.only_hash ? "Nothing was stored." : kept;
    err = call_open(cli, a.only_hash ? CALL_STORES_NOTHING : CALL_MAY_CREATE);
    if (err != OK) {
        json_decref(settings);
        return call_exit(cli, err);
    }
    if (from_stdin)
        err = add_stream(cli, &a, STDIN_FILENO, NULL, settings);
    else if (client_is_local(cli->client))
        err = add_here(cli, &a, settings);
    else
        err = add_files(cli, &a, settings);
    if (err != OK)
        return failed(cli, err);
    if (a.quieter) {
        output_escaped(a.root);
        output_text("\n");
    }
    print_summary(cli, &a);
    return EXIT_DONE;
}
