#ifndef CRYPTO_KEYBOX_H
#define CRYPTO_KEYBOX_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct secret;
struct wr;

enum {
    KEYBOX_SALT_BYTES = 16,
    KEYBOX_NONCE_BYTES = 24,
    KEYBOX_PLAIN_BYTES_MAX = 64 * 1024,
    KEYBOX_PASS_BYTES_MAX = 1024,
    KEYBOX_MEMORY_KIB_MIN = 8,
    KEYBOX_MEMORY_KIB_MAX = 1024 * 1024, /* 1 GiB */
    KEYBOX_PASSES_MIN = 1,
    KEYBOX_PASSES_MAX = 16,
    /* What new boxes should use: about a quarter of a second. */
    KEYBOX_MEMORY_KIB_DEFAULT = 64 * 1024,
    KEYBOX_PASSES_DEFAULT = 3,
    /* How much longer a box is than what is in it. */
    KEYBOX_OVERHEAD_BYTES = 84,
};

/**
 * struct keybox_params - what a box needs beside passphrase and content.
 *
 * @salt and @nonce are random, new for every box.  @memory_kib and @passes are
 * the work that one guess of the passphrase costs; within the limits above.
 */
struct keybox_params {
    uint32_t memory_kib;
    uint32_t passes;
    uint8_t salt[KEYBOX_SALT_BYTES];
    uint8_t nonce[KEYBOX_NONCE_BYTES];
};

/**
 * keybox_seal - lock @plain in a box that @pass opens.
 * @plain: at most KEYBOX_PLAIN_BYTES_MAX (asserted).
 * @pass: at most KEYBOX_PASS_BYTES_MAX (asserted); may be empty.
 * @params: within its limits (asserted).
 * @w: gets @plain.len + KEYBOX_OVERHEAD_BYTES bytes.
 *
 * Key by Argon2id with one lane, content by XChaCha20-Poly1305; header and
 * parameters are authenticated.  Slow on purpose: not on the loop thread.
 */
void keybox_seal(struct bytes plain, struct bytes pass,
                 const struct keybox_params *params, struct wr *w);

/**
 * keybox_open - unlock a box.
 * @box: the whole box, from outside.
 * @memory_kib_max: most memory to spend, at most KEYBOX_MEMORY_KIB_MAX.
 * @ret_plain: the content; released by the caller.
 *
 * Return: OK; E_SHORT when the end of the box is missing; E_MALFORMED when it
 * is no box, has bytes too many or was damaged; E_UNSUPPORTED for a newer
 * version; E_LIMIT when its parameters or its size are over the limits or the
 * passphrase is over KEYBOX_PASS_BYTES_MAX; E_MISMATCH for a wrong passphrase
 * or a box forged without it.
 */
MUST_USE enum err keybox_open(struct bytes box, struct bytes pass,
                              uint32_t memory_kib_max,
                              struct secret *ret_plain);

#endif /* CRYPTO_KEYBOX_H */
