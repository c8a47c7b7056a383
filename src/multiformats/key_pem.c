/*
 * PKCS#8 in PEM, for Ed25519 keys only:
 *
 *   SEQUENCE {
 *     INTEGER version               1 with a public key, else 0
 *     SEQUENCE { OID 1.3.101.112 }
 *     OCTET STRING { OCTET STRING seed }
 *     [0] attributes                not looked at
 *     [1] BIT STRING public key     compared with the seed's
 *   }
 */
#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/key.h"
#include "multiformats/multibase.h"

#define PEM_BEGIN "-----BEGIN PRIVATE KEY-----"
#define PEM_END   "-----END PRIVATE KEY-----"

enum {
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_SEQUENCE = 0x30,
    DER_ATTRIBUTES = 0xa0,
    DER_PUBLIC_KEY = 0x81,
    DER_LONG_1 = 0x81, /* the length follows in one byte */
    DER_LONG_2 = 0x82, /* or in two */
    HEAD_BYTES = 16,
    DER_BYTES = HEAD_BYTES + ED25519_SEED_BYTES,
};

static const uint8_t oid_ed25519[] = {0x2b, 0x65, 0x70};

/* All of version 0 before the seed. */
static const uint8_t der_head[HEAD_BYTES] = {
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
    0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
};

/* Contents of the next value, which must have the tag @tag. */
static struct bytes read_der(struct rd *r, uint8_t tag)
{
    if (rd_u8(r) != tag)
        rd_fail(r, E_MALFORMED);
    uint64_t len = rd_u8(r);
    uint64_t least = 0;
    if (len == DER_LONG_1) {
        len = rd_u8(r);
        least = 0x80;
    } else if (len == DER_LONG_2) {
        len = rd_be16(r);
        least = 0x100;
    } else if (len >= 0x80) {
        rd_fail(r, E_MALFORMED);
    }
    if (len < least)
        rd_fail(r, E_MALFORMED);
    return rd_view(r, len);
}

static bool is_next(struct rd r, uint8_t tag)
{
    return rd_left(&r) > 0 && rd_u8(&r) == tag;
}

/* Contents of the one value in @in, which must have the tag @tag. */
static struct bytes unwrap(struct rd *outer, struct bytes in, uint8_t tag)
{
    struct rd r = rd_init(in);
    struct bytes inner = read_der(&r, tag);
    enum err err = rd_finish(&r);
    if (outer->err == OK && err != OK)
        rd_fail(outer, E_MALFORMED);
    return outer->err == OK ? inner : BYTES_EMPTY;
}

static void check_algorithm(struct rd *r, struct bytes in)
{
    struct rd a = rd_init(in);
    struct bytes oid = read_der(&a, DER_OID);
    if (r->err == OK && a.err != OK)
        rd_fail(r, E_MALFORMED);
    if (!bytes_eq(oid, (struct bytes){oid_ed25519, sizeof(oid_ed25519)}))
        rd_fail(r, E_UNSUPPORTED);
    if (rd_left(&a) != 0)
        rd_fail(r, E_MALFORMED);
}

static void check_public(struct rd *r, const struct privkey *key)
{
    /* A bit string: the number of unused bits, then the bits. */
    struct bytes bits = read_der(r, DER_PUBLIC_KEY);
    if (r->err != OK)
        return;
    if (bits.len != 1 + ED25519_PUBLIC_BYTES || bits.p[0] != 0) {
        rd_fail(r, E_MALFORMED);
        return;
    }
    struct bytes found = bytes_sub(bits, 1, ED25519_PUBLIC_BYTES);
    if (!bytes_eq(found, privkey_public(key).data))
        rd_fail(r, E_MISMATCH);
}

static enum err from_der(struct bytes der, struct privkey *ret_key)
{
    struct rd outer = rd_init(der);
    struct bytes body = read_der(&outer, DER_SEQUENCE);
    enum err err = rd_finish(&outer);
    if (err != OK)
        return err;

    struct rd r = rd_init(body);
    struct bytes version = read_der(&r, DER_INTEGER);
    if (version.len != 1 || version.p[0] > 1)
        rd_fail(&r, E_UNSUPPORTED);
    check_algorithm(&r, read_der(&r, DER_SEQUENCE));
    struct bytes seed = unwrap(&r, read_der(&r, DER_OCTETS), DER_OCTETS);
    if (seed.len != ED25519_SEED_BYTES)
        rd_fail(&r, E_MALFORMED);
    if (r.err != OK)
        return r.err;

    struct privkey key;
    privkey_init_seed(&key, seed.p);
    if (is_next(r, DER_ATTRIBUTES))
        (void)read_der(&r, DER_ATTRIBUTES); /* says nothing about the key */
    if (version.p[0] == 1)
        check_public(&r, &key);
    err = rd_finish(&r);
    if (err != OK) {
        privkey_release(&key);
        return err;
    }
    *ret_key = key;
    return OK;
}

/* Position of @what in @in, or @in.len. */
static size_t find(struct bytes in, struct bytes what)
{
    for (size_t i = 0; i < in.len && in.len - i >= what.len; i++) {
        if (memcmp(in.p + i, what.p, what.len) == 0)
            return i;
    }
    return in.len;
}

static bool is_space(uint8_t c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* The base64 text between the two lines of @pem. */
static enum err find_text(struct bytes pem, struct bytes *ret_text)
{
    struct bytes begin = BYTES_LIT(PEM_BEGIN);
    size_t start = find(pem, begin);
    if (start == pem.len)
        return E_NOTFOUND;
    start += begin.len;
    struct bytes rest = bytes_sub(pem, start, pem.len - start);
    size_t end = find(rest, BYTES_LIT(PEM_END));
    if (end == rest.len)
        return E_SHORT;
    *ret_text = bytes_sub(rest, 0, end);
    return OK;
}

enum err privkey_from_pem(struct bytes pem, struct privkey *ret_key)
{
    if (pem.len > PRIVKEY_PEM_MAX)
        return E_LIMIT;
    struct bytes text;
    enum err err = find_text(pem, &text);
    if (err != OK)
        return err;

    uint8_t digits[PRIVKEY_PEM_MAX];
    uint8_t der[PRIVKEY_PEM_MAX];
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_space(text.p[i]))
            digits[count++] = text.p[i];
    }
    size_t len = 0;
    err = multibase_decode_bare(MULTIBASE_64_PAD, (struct bytes){digits, count},
                                der, sizeof(der), &len);
    if (err == OK)
        err = from_der((struct bytes){der, len}, ret_key);
    /* Inside good base64, a value cut off is as malformed as any other. */
    if (err == E_SHORT)
        err = E_MALFORMED;
    secret_wipe(digits, sizeof(digits));
    secret_wipe(der, sizeof(der));
    return err;
}

size_t privkey_to_pem(const struct privkey *k,
                      char dst[static PRIVKEY_PEM_BYTES])
{
    uint8_t der[DER_BYTES];
    memcpy(der, der_head, HEAD_BYTES);
    memcpy(der + HEAD_BYTES, k->secret.p, ED25519_SEED_BYTES);

    struct wr w = wr_init((uint8_t *)dst, PRIVKEY_PEM_BYTES);
    wr_bytes(&w, BYTES_LIT(PEM_BEGIN "\n"));
    char text[DER_BYTES * 2];
    size_t len = 0;
    enum err err =
        multibase_encode_bare(MULTIBASE_64_PAD, (struct bytes){der, DER_BYTES},
                              text, sizeof(text), &len);
    assert(err == OK);
    wr_bytes(&w, (struct bytes){(const uint8_t *)text, len});
    wr_bytes(&w, BYTES_LIT("\n" PEM_END "\n"));
    len = wr_len(&w);
    wr_u8(&w, '\0');
    assert(w.err == OK);
    secret_wipe(der, sizeof(der));
    secret_wipe(text, sizeof(text));
    return len;
}
