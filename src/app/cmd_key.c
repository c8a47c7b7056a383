#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/input.h"
#include "app/keeping.h"
#include "app/output.h"
#include "app/passphrase.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "crypto/secret.h"
#include "multiformats/key.h"
#include "multiformats/multibase.h"
#include "multiformats/peer_id.h"
#include "node/identity.h"
#include "os/term.h"

/* `init` and `key export|import|passphrase`: the node's key on this disk. */

static void print_made(struct cli *cli, const struct keeping *k,
                       const struct privkey *key)
{
    struct peer_id id = privkey_peer_id(key);
    char text[PEER_ID_TEXT_MAX];

    (void)peer_id_format(&id, text);
    if (cli->json) {
        output_json(json_pack("{s:s, s:s}", "peer_id", text, "path", k->path));
        return;
    }
    output_line("peer id  %s", text);
    output_text("path     ");
    output_escaped(k->path);
    output_text("\n");
}

/* The passphrase of --passphrase-file; @ret_pass empty and *@ret_given false
 * without it. */
static enum err file_passphrase(struct cli *cli, const char *file,
                                struct secret *ret_pass, bool *ret_given)
{
    *ret_given = file != NULL;
    if (file == NULL)
        return OK;
    return passphrase_read(file, "", ret_pass, &cli->error);
}

static enum err check_network(struct cli *cli, const char *name)
{
    static const char key[] = "network.name=";
    struct config_notes notes = {.count = 0};
    struct config config;
    struct strbuf pair;

    config_init(&config);
    strbuf_init(&pair, CONFIG_VALUE_MAX);
    strbuf_str(&pair, key);
    strbuf_str(&pair, name);
    enum err err = config_set_pair(&config, strbuf_cstr(&pair), &notes);
    if (err != OK)
        cli_error_setf(&cli->error, ERROR_BAD_VALUE, "%s", notes.items[0].text);
    strbuf_release(&pair);
    config_release(&config);
    return err;
}

static enum err write_network(struct cli *cli, struct keeping *k,
                              const char *name)
{
    struct strbuf text;

    strbuf_init(&text, CONFIG_TEXT_MAX);
    enum err err = config_text_set(BYTES_EMPTY, CONFIG_NETWORK_NAME,
                                   bytes_str(name), &text);
    if (err == OK)
        err = keeping_write(cli, k, "config.yaml", strbuf_bytes(&text));
    strbuf_release(&text);
    return err;
}

static enum err create(struct cli *cli, struct keeping *k,
                       const struct bytes *pass, struct privkey *ret_key)
{
    enum err err = identity_create(&k->disk, k->dir, &k->rng, pass, ret_key);

    if (err != OK)
        keeping_fault(cli, k, err);
    return err;
}

/* All that can be wrong with what was asked for is looked at before. */
static enum err make_folder(struct cli *cli, const char *network,
                            const struct bytes *pass)
{
    struct keeping k;
    struct privkey key = {.secret = {.p = NULL}};
    enum err err = keeping_open(cli, &k, KEEPING_NEW);

    if (err != OK)
        return err;
    err = create(cli, &k, pass, &key);
    if (err == OK && network != NULL)
        err = write_network(cli, &k, network);
    if (err == OK)
        print_made(cli, &k, &key);
    privkey_release(&key);
    keeping_close(&k);
    return err;
}

int cmd_init(struct cli *cli)
{
    const char *network = cli_value(cli, "network");
    struct secret pass = {.p = NULL};
    bool locked = false;
    enum err err = network != NULL ? check_network(cli, network) : OK;

    if (err == OK)
        err = file_passphrase(cli, cli->passphrase_file, &pass, &locked);
    if (err == OK) {
        struct bytes view = secret_bytes(&pass);
        err = make_folder(cli, network, locked ? &view : NULL);
    }
    secret_release(&pass);
    return call_exit(cli, err);
}

/* Export. */

static enum err write_secret(struct cli *cli, const char *path, struct bytes in)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        cli_error_set(&cli->error,
                      errno == EEXIST   ? ERROR_EXISTS
                      : errno == ENOENT ? ERROR_NOT_FOUND
                      : errno == EACCES ? ERROR_PERMISSION
                                        : ERROR_IO,
                      path);
        if (errno == EEXIST)
            cli_error_hint(&cli->error, "Choose another name.");
        return E_IO;
    }
    size_t done = 0;
    while (done < in.len) {
        ssize_t n = write(fd, in.p + done, in.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    bool whole = done == in.len && fsync(fd) == 0;
    if (close(fd) == 0 && whole)
        return OK;
    cli_error_set(&cli->error, ERROR_IO, path);
    (void)unlink(path); /* best effort: a part of a key is of no use */
    return E_IO;
}

static enum err export_bytes(struct cli *cli, struct bytes in)
{
    const char *path = cli_value(cli, "output");

    if (path != NULL && strcmp(path, "-") != 0)
        return write_secret(cli, path, in);
    return output_body(cli, NULL, in);
}

static enum err export_key(struct cli *cli, const struct privkey *key,
                           bool protobuf)
{
    char pem[PRIVKEY_PEM_BYTES];
    uint8_t proto[PRIVKEY_BYTES];
    struct bytes out = {proto, sizeof(proto)};

    privkey_encode(key, proto);
    size_t len = privkey_to_pem(key, pem);
    if (!protobuf)
        out = (struct bytes){(const uint8_t *)pem, len};
    enum err err = export_bytes(cli, out);
    secret_wipe(pem, sizeof(pem));
    secret_wipe(proto, sizeof(proto));
    return err;
}

/* What --format says; *@ret_given false without it. */
static enum err take_format(struct cli *cli, bool *ret_protobuf,
                            bool *ret_given)
{
    const char *format = cli_value(cli, "format");

    *ret_given = format != NULL;
    *ret_protobuf = format != NULL && strcmp(format, "protobuf") == 0;
    if (format == NULL || *ret_protobuf || strcmp(format, "pem") == 0)
        return OK;
    cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                   "--format is neither pem nor protobuf: %.50s", format);
    return E_MALFORMED;
}

int cmd_key_export(struct cli *cli)
{
    bool protobuf = false;
    bool given = false;
    struct keeping k;
    struct privkey key = {.secret = {.p = NULL}};
    enum err err = take_format(cli, &protobuf, &given);

    if (err == OK && protobuf && cli_value(cli, "output") == NULL &&
        term_is_terminal(STDOUT_FILENO)) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "a protobuf is nothing for a terminal");
        cli_error_hint(&cli->error, "Name a file with -o.");
        err = E_MALFORMED;
    }
    if (err != OK)
        return call_exit(cli, err);
    err = keeping_open(cli, &k, KEEPING_READ);
    if (err != OK)
        return call_exit(cli, err);
    err = keeping_key(cli, &k, &key);
    if (err == OK)
        err = export_key(cli, &key, protobuf);
    privkey_release(&key);
    keeping_close(&k);
    if (err == OK)
        output_message(cli, "Who has this key is this node: keep it safe.");
    return call_exit(cli, err);
}

/* Import. */

static enum err decode_base64(struct bytes text, struct privkey *ret_key)
{
    uint8_t raw[256];
    size_t len = 0;

    while (text.len > 0 && text.p[text.len - 1] <= ' ')
        text.len--;
    if (multibase_decode_bare(MULTIBASE_64_PAD, text, raw, sizeof(raw), &len) !=
        OK)
        return E_MALFORMED;
    enum err err = privkey_decode((struct bytes){raw, len}, ret_key);
    secret_wipe(raw, sizeof(raw));
    return err;
}

/* PEM, the protobuf, or the protobuf in base64, as kubo's config has it. */
static enum err decode_key(struct bytes in, bool protobuf, bool given,
                           struct privkey *ret_key)
{
    if (given && !protobuf)
        return privkey_from_pem(in, ret_key);
    enum err err = privkey_decode(in, ret_key);
    if (err == OK || err == E_UNSUPPORTED)
        return err;
    if (decode_base64(in, ret_key) == OK)
        return OK;
    if (given)
        return err;
    enum err pem_err = privkey_from_pem(in, ret_key);
    return pem_err == E_NOTFOUND ? err : pem_err;
}

static enum err read_key(struct cli *cli, struct privkey *ret_key)
{
    bool protobuf = false;
    bool given = false;
    struct strbuf text;
    enum err err = take_format(cli, &protobuf, &given);

    if (err != OK)
        return err;
    strbuf_init(&text, PRIVKEY_PEM_MAX);
    err = input_read(cli, cli->args[0], &text);
    if (err == OK) {
        err = decode_key(strbuf_bytes(&text), protobuf, given, ret_key);
        if (err == E_UNSUPPORTED) {
            cli_error_setf(&cli->error, ERROR_UNSUPPORTED,
                           "the key is not an Ed25519 key: %.300s",
                           cli->args[0]);
            cli_error_hint(&cli->error, "Only Ed25519 keys are used.");
        } else if (err != OK) {
            cli_error_set(&cli->error, ERROR_BAD_KEY_FILE, cli->args[0]);
            cli_error_hint(&cli->error, "It must be PKCS#8 PEM or a libp2p "
                                        "protobuf of an Ed25519 key.");
        }
    }
    if (text.p != NULL)
        secret_wipe(text.p, text.len);
    strbuf_release(&text);
    return err;
}

static enum err store_key(struct cli *cli, struct keeping *k,
                          const struct privkey *key)
{
    struct secret pass = {.p = NULL};
    bool locked = false;
    enum err err = file_passphrase(cli, cli->passphrase_file, &pass, &locked);

    if (err == OK) {
        struct bytes view = secret_bytes(&pass);
        err = identity_store(&k->disk, k->dir, &k->rng, key,
                             locked ? &view : NULL, cli_flag(cli, "force"));
        if (err == E_EXISTS) {
            cli_error_setf(&cli->error, ERROR_EXISTS,
                           "there is a key already: %.300s", k->path);
            cli_error_hint(&cli->error,
                           "Export it first; --force replaces it for ever.");
        } else if (err != OK) {
            keeping_fault(cli, k, err);
        }
    }
    secret_release(&pass);
    return err;
}

int cmd_key_import(struct cli *cli)
{
    struct keeping k;
    struct privkey key = {.secret = {.p = NULL}};
    enum err err = read_key(cli, &key);

    if (err == OK)
        err = keeping_open(cli, &k, KEEPING_MAKE);
    if (err != OK) {
        privkey_release(&key);
        return call_exit(cli, err);
    }
    err = store_key(cli, &k, &key);
    if (err == OK)
        print_made(cli, &k, &key);
    privkey_release(&key);
    keeping_close(&k);
    return call_exit(cli, err);
}

/* Passphrase. */

static enum err ask_twice(struct cli *cli, struct secret *ret_pass)
{
    struct secret again = {.p = NULL};
    enum err err =
        passphrase_read(NULL, "new passphrase", ret_pass, &cli->error);

    if (err == E_NOTFOUND)
        cli_error_hint(&cli->error,
                       "Give the new one with --new-passphrase-file.");
    if (err == OK)
        err = passphrase_read(NULL, "the same again", &again, &cli->error);
    if (err == OK && !secret_eq(secret_bytes(ret_pass), secret_bytes(&again))) {
        cli_error_setf(&cli->error, ERROR_BAD_VALUE,
                       "the two passphrases are not the same");
        cli_error_hint(&cli->error, "Nothing was changed; try again.");
        err = E_MISMATCH;
    }
    secret_release(&again);
    return err;
}

static enum err new_passphrase(struct cli *cli, struct secret *ret_pass)
{
    const char *file = cli_value(cli, "new-passphrase-file");

    return file != NULL ? passphrase_read(file, "", ret_pass, &cli->error)
                        : ask_twice(cli, ret_pass);
}

int cmd_key_passphrase(struct cli *cli)
{
    bool removes = cli_flag(cli, "remove");
    struct keeping k;
    struct privkey key = {.secret = {.p = NULL}};
    struct secret pass = {.p = NULL};
    enum err err = keeping_open(cli, &k, KEEPING_WRITE);

    if (err != OK)
        return call_exit(cli, err);
    err = keeping_key(cli, &k, &key);
    if (err == OK && !removes)
        err = new_passphrase(cli, &pass);
    if (err == OK) {
        struct bytes view = secret_bytes(&pass);
        err = identity_store(&k.disk, k.dir, &k.rng, &key,
                             removes ? NULL : &view, true);
        if (err != OK)
            keeping_fault(cli, &k, err);
    }
    if (err == OK && cli->json)
        output_json(json_pack("{s:b}", "locked", !removes));
    else if (err == OK)
        output_message(cli, removes ? "The key has no passphrase any more."
                                    : "The key is locked by the new one.");
    secret_release(&pass);
    privkey_release(&key);
    keeping_close(&k);
    return call_exit(cli, err);
}
