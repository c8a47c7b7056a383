/*
 * A box, numbers most significant byte first:
 *
 *   magic 8 | version 4 | memory_kib 4 | passes 4 | salt 16 | nonce 24 |
 *   plain_len 4 | ciphertext plain_len | tag 16 | crc32c 4
 *
 * 1. Everything before the ciphertext is authenticated with it.
 * 2. The checksum covers all that stands before it.  It tells a damaged box
 *    from a wrong passphrase, which the tag alone cannot.
 * 3. No number of the box reaches the key derivation before it was compared
 *    with its limit.
 */
#include "crypto/keybox.h"

#include <assert.h>
#include <sodium/crypto_pwhash.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/crc32c.h"
#include "crypto/secret.h"
#include "crypto/xchacha.h"

enum {
    VERSION = 1,
    MAGIC_BYTES = 8,
    CRC_BYTES = 4,
    HEADER_BYTES =
        MAGIC_BYTES + 4 + 4 + 4 + KEYBOX_SALT_BYTES + KEYBOX_NONCE_BYTES + 4,
    BYTES_PER_KIB = 1024,
};

static const uint8_t magic[MAGIC_BYTES] = {'x', 'm', 'b', 'l',
                                           'b', 'o', 'x', '\n'};

_Static_assert(KEYBOX_OVERHEAD_BYTES ==
                   HEADER_BYTES + XCHACHA_TAG_BYTES + CRC_BYTES,
               "what a box adds");
_Static_assert(KEYBOX_SALT_BYTES == crypto_pwhash_SALTBYTES, "salt");
_Static_assert((int)KEYBOX_NONCE_BYTES == (int)XCHACHA_NONCE_BYTES, "nonce");
_Static_assert(KEYBOX_MEMORY_KIB_MIN *BYTES_PER_KIB ==
                   crypto_pwhash_argon2id_MEMLIMIT_MIN,
               "least memory");

static bool within_limits(const struct keybox_params *params,
                          uint32_t memory_kib_max)
{
    return params->memory_kib >= KEYBOX_MEMORY_KIB_MIN &&
           params->memory_kib <= KEYBOX_MEMORY_KIB_MAX &&
           params->memory_kib <= memory_kib_max &&
           params->passes >= KEYBOX_PASSES_MIN &&
           params->passes <= KEYBOX_PASSES_MAX;
}

static void derive_key(struct bytes pass, const struct keybox_params *params,
                       uint8_t *key)
{
    /* The library wants an address even for an empty passphrase. */
    const char *text = pass.len > 0 ? (const char *)pass.p : "";
    int failed = crypto_pwhash(key, XCHACHA_KEY_BYTES, text, pass.len,
                               params->salt, params->passes,
                               (size_t)params->memory_kib * BYTES_PER_KIB,
                               crypto_pwhash_ALG_ARGON2ID13);
    /* Its limits are ours, so all that is left to fail is the memory. */
    assert(failed == 0);
}

void keybox_seal(struct bytes plain, struct bytes pass,
                 const struct keybox_params *params, struct wr *w)
{
    assert(plain.len <= KEYBOX_PLAIN_BYTES_MAX);
    assert(pass.len <= KEYBOX_PASS_BYTES_MAX);
    assert(within_limits(params, KEYBOX_MEMORY_KIB_MAX));

    struct secret box;
    secret_init(&box, plain.len + KEYBOX_OVERHEAD_BYTES);
    struct wr b = wr_init(box.p, box.len);
    wr_bytes(&b, (struct bytes){magic, sizeof(magic)});
    wr_be32(&b, VERSION);
    wr_be32(&b, params->memory_kib);
    wr_be32(&b, params->passes);
    wr_bytes(&b, (struct bytes){params->salt, sizeof(params->salt)});
    wr_bytes(&b, (struct bytes){params->nonce, sizeof(params->nonce)});
    wr_be32(&b, (uint32_t)plain.len);

    uint8_t key[XCHACHA_KEY_BYTES];
    derive_key(pass, params, key);
    xchacha_seal(key, params->nonce, (struct bytes){box.p, HEADER_BYTES}, plain,
                 box.p + HEADER_BYTES);
    secret_wipe(key, sizeof(key));

    size_t sealed_len = box.len - CRC_BYTES;
    wr_bytes(w, (struct bytes){box.p, sealed_len});
    wr_be32(w, crc32c(0, (struct bytes){box.p, sealed_len}));
    secret_release(&box);
}

/* struct parts - a box taken apart; the views point into it. */
struct parts {
    struct keybox_params params;
    struct bytes header;
    struct bytes sealed;
};

static enum err take_apart(struct bytes box, struct parts *ret_parts)
{
    struct rd r = rd_init(box);
    struct parts parts = {0};

    struct bytes found = rd_view(&r, sizeof(magic));
    if (r.err == OK && memcmp(found.p, magic, sizeof(magic)) != 0)
        rd_fail(&r, E_MALFORMED);
    if (rd_be32(&r) != VERSION)
        rd_fail(&r, E_UNSUPPORTED);
    parts.params.memory_kib = rd_be32(&r);
    parts.params.passes = rd_be32(&r);
    rd_copy(&r, parts.params.salt, KEYBOX_SALT_BYTES, KEYBOX_SALT_BYTES);
    rd_copy(&r, parts.params.nonce, KEYBOX_NONCE_BYTES, KEYBOX_NONCE_BYTES);
    uint32_t plain_len = rd_be32(&r);
    if (plain_len > KEYBOX_PLAIN_BYTES_MAX)
        rd_fail(&r, E_LIMIT);
    parts.sealed = rd_view(&r, (uint64_t)plain_len + XCHACHA_TAG_BYTES);
    uint32_t crc = rd_be32(&r);
    enum err err = rd_finish(&r);
    if (err != OK)
        return err;

    if (crc != crc32c(0, bytes_sub(box, 0, box.len - CRC_BYTES)))
        return E_MALFORMED;
    parts.header = bytes_sub(box, 0, HEADER_BYTES);
    *ret_parts = parts;
    return OK;
}

enum err keybox_open(struct bytes box, struct bytes pass,
                     uint32_t memory_kib_max, struct secret *ret_plain)
{
    struct parts parts;
    enum err err = take_apart(box, &parts);
    if (err != OK)
        return err;
    if (!within_limits(&parts.params, memory_kib_max))
        return E_LIMIT;
    if (pass.len > KEYBOX_PASS_BYTES_MAX)
        return E_LIMIT;

    uint8_t key[XCHACHA_KEY_BYTES];
    derive_key(pass, &parts.params, key);
    struct secret plain;
    secret_init(&plain, parts.sealed.len - XCHACHA_TAG_BYTES);
    err = xchacha_open(key, parts.params.nonce, parts.header, parts.sealed,
                       plain.p);
    secret_wipe(key, sizeof(key));
    if (err != OK) {
        secret_release(&plain);
        return err;
    }
    *ret_plain = plain;
    return OK;
}
