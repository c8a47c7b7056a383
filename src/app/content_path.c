#include "app/content_path.h"

#include <stdio.h>
#include <string.h>

#include "app/cli.h"
#include "base/bytes.h"
#include "base/strbuf.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

void content_path_encode(struct strbuf *out, const char *text, bool keep_slash)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        char escaped[4];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            strbuf_add(out, (struct bytes){&c, 1});
            continue;
        }
        (void)snprintf(escaped, sizeof(escaped), "%%%02X", c); /* 3 letters */
        strbuf_str(out, escaped);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err decode(struct strbuf *out, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        uint8_t c = (uint8_t)text[i];
        if (text[i] == '%') {
            int high = hex_digit(text[i + 1]);
            int low = high < 0 ? -1 : hex_digit(text[i + 2]);
            if (low < 0 || high * 16 + low == 0)
                return E_MALFORMED;
            c = (uint8_t)(high * 16 + low);
            i += 2;
        }
        strbuf_add(out, (struct bytes){&c, 1});
    }
    return OK;
}

/* What stands behind @prefix, or NULL. */
static const char *behind(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

bool content_path_is_name(const char *text)
{
    return behind(text, "/ipns/") != NULL || behind(text, "ipns://") != NULL;
}

enum err content_path_plain(struct strbuf *out, const char *text)
{
    const char *path = behind(text, "/ipfs/");
    const char *url = behind(text, "ipfs://");
    enum err err = OK;

    if (content_path_is_name(text)) {
        path = behind(text, "/ipns/");
        url = behind(text, "ipns://");
        strbuf_str(out, "ipns/");
    }
    size_t before = out->len;
    if (url != NULL)
        err = decode(out, url);
    else
        strbuf_str(out, path != NULL ? path : text);
    if (err != OK)
        return err;
    if (strbuf_full(out))
        return E_LIMIT;
    bool empty = out->len == before || out->p[before] == '/';
    return empty ? E_MALFORMED : OK;
}

enum err content_path_route(struct cli *cli, struct strbuf *out,
                            const char *route, const char *text)
{
    struct strbuf plain;

    strbuf_init(&plain, CONTENT_URL_MAX / 4);
    enum err err = content_path_plain(&plain, text);
    if (err == OK) {
        strbuf_str(out, "/api/v1/");
        strbuf_str(out, route);
        strbuf_str(out, "/");
        content_path_encode(out, strbuf_cstr(&plain), true);
    } else {
        cli_error_set(&cli->error, ERROR_BAD_PATH, text);
    }
    strbuf_release(&plain);
    return err;
}

enum err content_path_cid(struct cli *cli, struct strbuf *out,
                          const char *route, const char *text)
{
    if (!content_path_is_name(text))
        return content_path_route(cli, out, route, text);
    cli_error_setf(&cli->error, ERROR_UNSUPPORTED,
                   "a CID alone is wanted here: %.200s", text);
    cli_error_hint(&cli->error,
                   "`xmbl ipns resolve` tells what the name stands for.");
    return E_UNSUPPORTED;
}

const char *content_path_last(const char *plain)
{
    const char *last = plain;

    for (const char *at = plain; *at != '\0'; at++) {
        if (*at == '/' && at[1] != '\0' && at[1] != '/')
            last = at + 1;
    }
    return last;
}

void content_path_query(struct strbuf *out, const char *name, const char *value)
{
    if (value == NULL)
        return;
    strbuf_str(out, strchr(strbuf_cstr(out), '?') == NULL ? "?" : "&");
    strbuf_str(out, name);
    strbuf_str(out, "=");
    content_path_encode(out, value, false);
}

void content_path_timeout(const struct cli *cli, struct strbuf *out)
{
    char text[16];

    if (cli->timeout_s == 0)
        return;
    (void)snprintf(text, sizeof(text), "%u", cli->timeout_s); /* 10 digits */
    content_path_query(out, "timeout", text);
}
