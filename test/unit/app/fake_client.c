#include "fake_client.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli.h"
#include "app/client.h"
#include "base/strbuf.h"

enum { CALLS_MAX = 16, TEXT_MAX = 1 << 16 };

struct client {
    bool open;
};

static struct {
    struct client client;
    bool local;
    size_t cut;
    struct {
        unsigned status;
        const char *body;
    } answers[CALLS_MAX];
    size_t answers_count;
    char asked[CALLS_MAX][4096];
    size_t asked_count;
    char out[TEXT_MAX];
    char err[TEXT_MAX];
} fake; /* NOLINT: one program, one client */

void fake_reset(bool local)
{
    memset(&fake, 0, sizeof(fake));
    fake.local = local;
}

void fake_answer(unsigned status, const char *body)
{
    if (fake.answers_count == CALLS_MAX)
        abort();
    fake.answers[fake.answers_count].status = status;
    fake.answers[fake.answers_count++].body = body;
}

void fake_cut(size_t bytes)
{
    fake.cut = bytes;
}

const char *fake_asked(size_t index)
{
    return index < fake.asked_count ? fake.asked[index] : NULL;
}

enum err client_open(const struct client_config *config, struct client **ret,
                     struct cli_error *ret_error)
{
    (void)config;
    (void)ret_error;
    *ret = &fake.client;
    return OK;
}

static void read_request(const struct client_request *r, struct strbuf *out)
{
    uint8_t part[7]; /* small, so that there are several */

    strbuf_str(out, r->method);
    strbuf_str(out, " ");
    strbuf_str(out, r->path);
    strbuf_str(out, " ");
    strbuf_add(out, r->body);
    while (r->read_body != NULL) {
        size_t len = 0;
        if (r->read_body(r->ctx, part, sizeof(part), &len) != OK || len == 0)
            return;
        strbuf_add(out, (struct bytes){part, len});
    }
}

enum err client_call(struct client *client,
                     const struct client_request *request, unsigned *ret_status,
                     struct cli_error *ret_error)
{
    size_t index = fake.asked_count;
    struct strbuf out;

    (void)client;
    (void)ret_error;
    if (index == fake.answers_count)
        abort(); /* the test wants no such call */
    strbuf_init(&out, sizeof(fake.asked[0]) - 1);
    read_request(request, &out);
    memcpy(fake.asked[index], strbuf_cstr(&out), out.len + 1);
    strbuf_release(&out);
    fake.asked_count++;
    struct bytes rest = bytes_str(fake.answers[index].body);
    *ret_status = fake.answers[index].status;
    enum err err = request->on_headers(request->ctx, *ret_status, "");
    while (err == OK && rest.len > 0) {
        size_t len = fake.cut > 0 && fake.cut < rest.len ? fake.cut : rest.len;
        err = request->on_body(request->ctx, bytes_sub(rest, 0, len));
        rest = bytes_sub(rest, len, rest.len - len);
    }
    return err;
}

bool client_is_local(const struct client *client)
{
    (void)client;
    return fake.local;
}

bool client_is_lonely(const struct client *client)
{
    (void)client;
    return false;
}

bool client_keeps(const struct client *client)
{
    (void)client;
    return false;
}

bool client_has_lone(const struct client *client)
{
    (void)client;
    return false;
}

void client_close(struct client *client)
{
    (void)client;
}

/* Sends descriptor @fd to a file; returns what it was. */
static int redirect(int fd, FILE *file)
{
    int old = dup(fd);

    if (old < 0 || dup2(fileno(file), fd) < 0)
        abort();
    return old;
}

static void restore(int fd, int old, FILE *file, char text[static TEXT_MAX])
{
    if (dup2(old, fd) < 0 || close(old) != 0)
        abort();
    rewind(file);
    size_t len = fread(text, 1, TEXT_MAX - 1, file);
    text[len] = '\0';
    (void)fclose(file); /* was read */
}

int fake_run(const char *const *words)
{
    static char name[] = "xmbl";
    char *argv[64] = {name};
    int argc = 1;
    struct cli cli;
    FILE *out = tmpfile();
    FILE *err = tmpfile();

    if (out == NULL || err == NULL)
        abort();
    for (; *words != NULL; words++) {
        argv[argc] = strdup(*words);
        argc++;
    }
    (void)fflush(stdout); /* what cmocka printed */
    int old_out = redirect(STDOUT_FILENO, out);
    int old_err = redirect(STDERR_FILENO, err);
    cli_init(&cli);
    bool understood = cli_parse(&cli, argc, argv) == OK;
    int code = understood ? cli_run(&cli) : cli_refuse(&cli);
    cli_release(&cli);
    (void)fflush(stdout);
    restore(STDOUT_FILENO, old_out, out, fake.out);
    restore(STDERR_FILENO, old_err, err, fake.err);
    for (int i = 1; i < argc; i++)
        free(argv[i]);
    return code;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fake_remove(const char *path)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): there are no threads */
    if (nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        abort();
}

const char *fake_stdout(void)
{
    return fake.out;
}

const char *fake_stderr(void)
{
    return fake.err;
}
