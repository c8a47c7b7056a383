/*
 * Goal: no key or peer id, in protobuf, PEM or text, harms the parser; keys and
 * ids that are accepted have one form.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/wr.h"
#include "multiformats/key.h"
#include "multiformats/peer_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_public(struct bytes in)
{
    struct pubkey key;
    if (pubkey_decode(in, &key) != OK)
        return;
    uint8_t out[PUBKEY_BYTES_MAX];
    struct wr w = wr_init(out, sizeof(out));
    pubkey_write(&w, &key);
    assert(w.err == OK);
    assert(wr_len(&w) == pubkey_len(&key));
    assert(bytes_eq((struct bytes){out, wr_len(&w)}, in));
    enum err err = pubkey_verify(&key, BYTES_LIT("message"), in);
    assert(err != OK);
}

static void check_private(const struct privkey *key)
{
    uint8_t out[PRIVKEY_BYTES];
    privkey_encode(key, out);
    struct privkey back;
    enum err err = privkey_decode((struct bytes){out, sizeof(out)}, &back);
    assert(err == OK);
    assert(bytes_eq(secret_bytes(&back.secret), secret_bytes(&key->secret)));
    privkey_release(&back);

    char pem[PRIVKEY_PEM_BYTES];
    size_t len = privkey_to_pem(key, pem);
    err = privkey_from_pem((struct bytes){(const uint8_t *)pem, len}, &back);
    assert(err == OK);
    assert(bytes_eq(secret_bytes(&back.secret), secret_bytes(&key->secret)));
    privkey_release(&back);
}

static void check_id(const struct peer_id *id)
{
    char text[PEER_ID_TEXT_MAX];
    size_t len = peer_id_format(id, text);
    struct peer_id back;
    enum err err =
        peer_id_parse((struct bytes){(const uint8_t *)text, len}, &back);
    assert(err == OK);
    assert(peer_id_eq(&back, id));
    struct pubkey key;
    if (peer_id_key(id, &key) == OK) {
        back = peer_id_of_pubkey(&key);
        /* Keys too long to stand in an id could still be put there. */
        if (pubkey_len(&key) <= PEER_ID_INLINE_KEY_MAX)
            assert(peer_id_eq(&back, id));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    struct privkey key;
    struct peer_id id;
    check_public(in);
    if (privkey_decode(in, &key) == OK) {
        check_private(&key);
        privkey_release(&key);
    }
    if (privkey_from_pem(in, &key) == OK) {
        check_private(&key);
        privkey_release(&key);
    }
    if (peer_id_decode(in, &id) == OK) {
        assert(bytes_eq(peer_id_bytes(&id), in));
        check_id(&id);
    }
    if (peer_id_parse(in, &id) == OK)
        check_id(&id);
    return 0;
}
