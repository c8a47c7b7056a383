#include "storage/audit.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/sha256.h"
#include "storage/parts_priv.h"

_Static_assert((int)AUDIT_DIGEST_BYTES == (int)SHA256_BYTES,
               "an answer is a sha2-256 digest");

struct audit_digest audit_digest_of(const struct audit_question *question,
                                    const struct cid *cid, struct bytes data)
{
    struct audit_digest digest = {.present = true};
    uint8_t name[CID_BYTES_MAX];
    size_t name_len = cid_encode(cid, name);
    struct sha256 s;

    sha256_init(&s);
    parts_hash(&s, BYTES_LIT("xmbl/audit/1"));
    parts_hash(&s, (struct bytes){question->nonce, sizeof(question->nonce)});
    parts_hash(&s, peer_id_bytes(&question->auditor));
    parts_hash(&s, peer_id_bytes(&question->holder));
    parts_hash(&s, (struct bytes){name, name_len});
    parts_hash(&s, data);
    sha256_final(&s, digest.bytes);
    return digest;
}

bool audit_answer_ok(const struct audit_question *question,
                     const struct cid *cid, struct bytes data,
                     const struct audit_digest *answer)
{
    struct audit_digest want = audit_digest_of(question, cid, data);

    return answer->present &&
           memcmp(answer->bytes, want.bytes, sizeof(want.bytes)) == 0;
}

/* The 64 bits that try @i of choice @n gives. */
static uint64_t draw(const uint8_t *seed, uint64_t n, uint64_t i)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t numbers[8];
    struct bytes number;
    struct sha256 s;

    sha256_init(&s);
    parts_hash(&s, BYTES_LIT("xmbl/pick/1"));
    parts_hash(&s, (struct bytes){seed, AUDIT_SEED_BYTES});
    for (unsigned which = 0; which < 2; which++) {
        struct wr w = wr_init(numbers, sizeof(numbers));
        wr_be64(&w, which == 0 ? n : i);
        enum err err = wr_finish(&w, &number);
        assert(err == OK); /* 8 bytes have room for a number */
        parts_hash(&s, number);
    }
    sha256_final(&s, digest);
    struct rd r = rd_init((struct bytes){digest, sizeof(digest)});
    return rd_be64(&r);
}

uint64_t audit_pick(const uint8_t seed[static AUDIT_SEED_BYTES], uint64_t n,
                    uint64_t count)
{
    assert(count > 0);
    /* 2^64 mod count: draws from the incomplete last round are repeated. */
    uint64_t rest = (UINT64_MAX % count + 1) % count;
    uint64_t i = 0;
    uint64_t v = draw(seed, n, i);

    while (v > UINT64_MAX - rest)
        v = draw(seed, n, ++i);
    return v % count;
}
