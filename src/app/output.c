#include "app/output.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/cli.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/units.h"
#include "os/term.h"

enum { ESCAPED_MAX = 1 << 20, REAL_DIGITS = 15 };

static enum err err_of_write(int error)
{
    if (error == EPIPE)
        return E_CLOSED;
    return error == ENOSPC || error == EDQUOT ? E_NOSPACE : E_IO;
}

/* Waits until stdout takes bytes, or until Ctrl-C. */
static enum err wait_for_room(const struct cli *cli)
{
    struct pollfd fds[2] = {{.fd = STDOUT_FILENO, .events = POLLOUT},
                            {.fd = cli->cancel_fd, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR)
            return OK; /* not something to wait for: a file */
    }
    return fds[1].revents != 0 ? E_CANCELED : OK;
}

static enum err write_raw(const struct cli *cli, struct bytes in)
{
    size_t done = 0;

    if (fflush(stdout) != 0)
        return err_of_write(errno);
    while (done < in.len) {
        enum err err = wait_for_room(cli);
        if (err != OK)
            return err;
        ssize_t n = write(STDOUT_FILENO, in.p + done, in.len - done);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return err_of_write(errno);
        done += (size_t)n;
    }
    return OK;
}

void output_failed(struct cli *cli, enum err err)
{
    cli_error_set(&cli->error, error_of_err(err), "stdout");
    if (err == E_NOSPACE)
        cli_error_hint(&cli->error, "Free some space and try again.");
}

enum err output_body(struct cli *cli, void *ctx, struct bytes in)
{
    enum err err = write_raw(cli, in);

    (void)ctx; /* stdout needs none */
    if (err == E_CLOSED)
        cli->reader_gone = true;
    else if (err != OK && err != E_CANCELED)
        output_failed(cli, err);
    return err;
}

void output_number(uint64_t number, int columns)
{
    /* output_finish() tells of failures */
    (void)printf("%*llu", columns, (unsigned long long)number);
}

void output_text(const char *text)
{
    (void)fputs(text, stdout); /* output_finish() tells of failures */
}

void output_part(const char *text, size_t len)
{
    (void)fwrite(text, 1, len, stdout); /* output_finish() tells of failures */
}

void output_escaped(const char *text)
{
    struct strbuf out;

    strbuf_init(&out, ESCAPED_MAX);
    strbuf_escape(&out, bytes_str(text));
    output_text(strbuf_cstr(&out));
    strbuf_release(&out);
}

void output_line(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vprintf(format, args); /* output_finish() tells of failures */
    va_end(args);
    output_text("\n");
}

void output_json(struct json_t *value)
{
    /* On a terminal even letters that turn or hide text are harmless. */
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    flags |= JSON_REAL_PRECISION(REAL_DIGITS);
    if (term_is_terminal(STDOUT_FILENO))
        flags |= JSON_ENSURE_ASCII;
    (void)json_dumpf(value, stdout, flags); /* output_finish() tells */
    json_decref(value);
    output_text("\n");
}

void output_message(const struct cli *cli, const char *format, ...)
{
    va_list args;

    if (cli->quiet || cli->json)
        return;
    va_start(args, format);
    (void)vfprintf(stderr, format, args); /* nowhere else to tell it */
    va_end(args);
    (void)fputc('\n', stderr);
}

void output_error(const struct cli *cli)
{
    struct strbuf out;

    strbuf_init(&out, ESCAPED_MAX);
    if (cli->json)
        cli_error_json(&cli->error, &out);
    else
        cli_error_text(&cli->error, &out);
    (void)fputs(strbuf_cstr(&out), stderr); /* nowhere else to tell it */
    strbuf_release(&out);
}

enum err output_finish(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return OK;
    return err_of_write(errno != 0 ? errno : EIO);
}

const char *output_size(char dst[static 32], uint64_t bytes)
{
    struct strbuf out;

    strbuf_init(&out, 31);
    units_human_size(&out, bytes);
    memcpy(dst, strbuf_cstr(&out), out.len + 1);
    strbuf_release(&out);
    return dst;
}
