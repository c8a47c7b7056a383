#include <jansson.h>
#include <string.h>

#include "app/answer.h"
#include "app/call.h"
#include "app/cli.h"
#include "app/commands.h"
#include "app/input.h"
#include "app/output.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "multiformats/key.h"
#include "multiformats/multibase.h"
#include "multiformats/peer_id.h"

/* `sign` and `verify-signature`. */

enum {
    SIGN_BYTES_MAX = 700 * 1024, /* as base64 inside a JSON body of 1 MiB */
    VERIFY_BYTES_MAX = 1 << 30,
    SIGNATURE_BYTES_MAX = 1024,
};

static json_t *base64_of(struct bytes in)
{
    size_t max = multibase_text_max(in.len);
    char *text = mem_alloc(max);
    size_t len = 0;
    json_t *json = NULL;

    if (multibase_encode_bare(MULTIBASE_64_PAD, in, text, max, &len) == OK)
        json = json_stringn(text, len);
    mem_free(text);
    return json;
}

int cmd_sign(struct cli *cli)
{
    struct strbuf data;
    json_t *answer = NULL;

    strbuf_init(&data, SIGN_BYTES_MAX);
    enum err err = call_open(cli, CALL_PLAIN);
    if (err == OK)
        err = input_read(cli, cli->args[0], &data);
    if (err == OK)
        err = call_json(
            cli, "POST", "/api/v1/node/sign",
            json_pack("{s:o}", "data", base64_of(strbuf_bytes(&data))),
            &answer);
    if (err == OK && cli->json) {
        output_json(json_incref(answer));
    } else if (err == OK) {
        output_escaped(answer_text(answer, "signature"));
        output_text("\n");
    }
    json_decref(answer);
    strbuf_release(&data);
    return call_exit(cli, err);
}

/* A key from outside, and the memory that it points into. */
struct known_key {
    struct pubkey key;
    struct peer_id id;
    uint8_t raw[PUBKEY_BYTES_MAX];
};

/* A peer id that holds its key, or the protobuf of a key in base64. */
static enum err take_key(struct cli *cli, const char *text, struct known_key *k)
{
    size_t len = 0;

    if (peer_id_parse(bytes_str(text), &k->id) == OK) {
        enum err err = peer_id_key(&k->id, &k->key);
        if (err == OK)
            return OK;
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "the peer id is a hash and does not hold the key: "
                       "%.150s",
                       text);
        cli_error_hint(&cli->error, "Give the public key in base64.");
        return E_MALFORMED;
    }
    if (multibase_decode_bare(MULTIBASE_64_PAD, bytes_str(text), k->raw,
                              sizeof(k->raw), &len) == OK &&
        pubkey_decode((struct bytes){k->raw, len}, &k->key) == OK) {
        k->id = peer_id_of_pubkey(&k->key);
        return OK;
    }
    cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                   "--key is neither a peer id nor a public key: %.150s", text);
    return E_MALFORMED;
}

static enum err take_signature(struct cli *cli, const char *text,
                               uint8_t dst[static SIGNATURE_BYTES_MAX],
                               size_t *ret_len)
{
    if (multibase_decode_bare(MULTIBASE_64_PAD, bytes_str(text), dst,
                              SIGNATURE_BYTES_MAX, ret_len) == OK)
        return OK;
    cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                   "--signature is not base64: %.150s", text);
    return E_MALFORMED;
}

static void print_valid(struct cli *cli, const struct known_key *k)
{
    char text[PEER_ID_TEXT_MAX];

    (void)peer_id_format(&k->id, text);
    if (cli->json)
        output_json(json_pack("{s:b, s:s}", "valid", 1, "peer_id", text));
    else if (!cli->quiet)
        output_line("valid, by %s", text);
}

int cmd_verify_signature(struct cli *cli)
{
    const char *key = cli_value(cli, "key");
    const char *text = cli_value(cli, "signature");
    uint8_t signature[SIGNATURE_BYTES_MAX];
    size_t len = 0;
    struct known_key k;
    struct strbuf data;

    if (key == NULL || text == NULL) {
        cli_error_setf(&cli->error, ERROR_BAD_USAGE,
                       "--key and --signature are needed");
        return cli->error.exit_code;
    }
    strbuf_init(&data, VERIFY_BYTES_MAX);
    enum err err = take_key(cli, key, &k);
    if (err == OK)
        err = take_signature(cli, text, signature, &len);
    if (err == OK)
        err = input_read(cli, cli->args[0], &data);
    if (err == OK) {
        err = pubkey_verify(&k.key, strbuf_bytes(&data),
                            (struct bytes){signature, len});
        if (err != OK)
            cli_error_set(&cli->error, ERROR_BAD_SIGNATURE, cli->args[0]);
    }
    if (err == OK)
        print_valid(cli, &k);
    strbuf_release(&data);
    return call_exit(cli, err);
}
