#include "store/segment.h"

#include <assert.h>
#include <string.h>

#include "base/rd.h"
#include "base/wr.h"
#include "crypto/crc32c.h"
#include "ipld/block.h"

/* In the file these read "XMBLSEGM" and "XREC". */
static const uint8_t segment_magic[8] = {'X', 'M', 'B', 'L',
                                         'S', 'E', 'G', 'M'};
static const uint8_t record_magic[4] = {'X', 'R', 'E', 'C'};

static const char name_prefix[] = "segment-";
static const char name_suffix[] = ".dat";

enum {
    NAME_DIGITS = 6,
    NAME_PREFIX_LEN = sizeof(name_prefix) - 1,
    HEADER_CHECKED_BYTES = SEGMENT_HEADER_BYTES - 4,
    RECORD_HEAD_BYTES = 16, /* what stands before the multihash */
};

struct store_key store_key_of(const struct multihash *hash)
{
    struct store_key key = {.len = 0};

    key.len = (uint8_t)multihash_encode(hash, key.p);
    return key;
}

bool store_key_read(struct bytes in, struct store_key *ret_key)
{
    struct multihash hash;

    if (in.len > MULTIHASH_BYTES_MAX || multihash_decode(in, &hash) != OK)
        return false;
    *ret_key = store_key_of(&hash);
    return true;
}

void segment_name(uint32_t number, char dst[static SEGMENT_NAME_MAX])
{
    assert(number > 0);
    assert(number <= SEGMENT_NUMBER_MAX);

    memcpy(dst, name_prefix, NAME_PREFIX_LEN);
    for (unsigned i = NAME_DIGITS; i > 0; i--) {
        dst[NAME_PREFIX_LEN + i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    memcpy(dst + NAME_PREFIX_LEN + NAME_DIGITS, name_suffix,
           sizeof(name_suffix));
}

uint32_t segment_name_parse(const char *name)
{
    uint32_t number = 0;

    if (strlen(name) != NAME_PREFIX_LEN + NAME_DIGITS + sizeof(name_suffix) - 1)
        return 0;
    if (memcmp(name, name_prefix, NAME_PREFIX_LEN) != 0)
        return 0;
    if (strcmp(name + NAME_PREFIX_LEN + NAME_DIGITS, name_suffix) != 0)
        return 0;
    for (unsigned i = 0; i < NAME_DIGITS; i++) {
        char c = name[NAME_PREFIX_LEN + i];
        if (c < '0' || c > '9')
            return 0;
        number = number * 10 + (uint32_t)(c - '0');
    }
    return number;
}

void segment_header_encode(uint32_t number,
                           uint8_t dst[static SEGMENT_HEADER_BYTES])
{
    struct wr w = wr_init(dst, SEGMENT_HEADER_BYTES);
    struct bytes out;

    memset(dst, 0, SEGMENT_HEADER_BYTES);
    wr_bytes(&w, (struct bytes){segment_magic, sizeof(segment_magic)});
    wr_le32(&w, SEGMENT_VERSION);
    wr_le32(&w, number);
    wr_le32(&w, 0);
    wr_le32(&w, 0);
    wr_le32(&w, 0);
    wr_le32(&w, crc32c(0, (struct bytes){dst, HEADER_CHECKED_BYTES}));
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    assert(out.len == SEGMENT_HEADER_BYTES);
}

enum err segment_header_check(struct bytes in, uint32_t number)
{
    struct rd r = rd_init(in);
    struct bytes checked = rd_view(&r, HEADER_CHECKED_BYTES);
    uint32_t crc = rd_le32(&r);

    if (r.err != OK)
        return r.err;
    struct rd f = rd_init(checked);
    struct bytes magic = rd_view(&f, sizeof(segment_magic));
    uint32_t version = rd_le32(&f);
    uint32_t found = rd_le32(&f);
    (void)rd_rest(&f); /* zeros: the checksum covers them */
    enum err err = rd_finish(&f);
    if (err != OK)
        return err;
    if (memcmp(magic.p, segment_magic, sizeof(segment_magic)) != 0)
        return E_MALFORMED;
    if (crc32c(0, checked) != crc)
        return E_MALFORMED;
    if (version != SEGMENT_VERSION)
        return E_UNSUPPORTED;
    return found == number ? OK : E_MISMATCH;
}

static uint32_t header_crc(struct bytes head, struct store_place place)
{
    uint8_t where[8];
    struct wr w = wr_init(where, sizeof(where));

    wr_le32(&w, place.segment);
    wr_le32(&w, place.offset);
    return crc32c(crc32c(0, (struct bytes){where, sizeof(where)}), head);
}

size_t record_encode(const struct record *r, struct store_place place,
                     uint8_t dst[static RECORD_HEADER_MAX])
{
    struct wr w = wr_init(dst, RECORD_HEADER_MAX);
    struct bytes out;

    wr_bytes(&w, (struct bytes){record_magic, sizeof(record_magic)});
    wr_u8(&w, r->key.len);
    wr_u8(&w, r->flags);
    wr_u8(&w, 0);
    wr_u8(&w, 0);
    wr_le32(&w, r->length);
    wr_le32(&w, r->crc);
    wr_bytes(&w, store_key_bytes(&r->key));
    wr_le32(&w, header_crc((struct bytes){dst, wr_len(&w)}, place));
    enum err err = wr_finish(&w, &out);
    assert(err == OK);
    return out.len;
}

enum err record_decode(struct bytes in, struct store_place place,
                       struct record *ret_record)
{
    struct rd r = rd_init(in);
    struct record rec = {.flags = 0};
    struct bytes magic = rd_view(&r, sizeof(record_magic));
    uint8_t key_len = rd_u8(&r);
    rec.flags = rd_u8(&r);
    uint8_t zero1 = rd_u8(&r);
    uint8_t zero2 = rd_u8(&r);
    rec.length = rd_le32(&r);
    rec.crc = rd_le32(&r);
    struct bytes key = rd_view(&r, key_len);
    uint32_t crc = rd_le32(&r);

    /* A wrong magic says more than that the input is short behind it. */
    if (magic.p != NULL && memcmp(magic.p, record_magic, magic.len) != 0)
        return E_MALFORMED;
    if (r.err != OK)
        return key_len > MULTIHASH_BYTES_MAX ? E_MALFORMED : r.err;
    struct bytes head = bytes_sub(in, 0, RECORD_HEAD_BYTES + (size_t)key_len);
    if (header_crc(head, place) != crc)
        return E_MALFORMED;
    if (zero1 != 0 || zero2 != 0 || !store_key_read(key, &rec.key))
        return E_MALFORMED;
    if ((rec.flags &
         ~(unsigned)(RECORD_DELETION | RECORD_KEEP | RECORD_ALIGNED)) != 0)
        return E_MALFORMED;
    bool deletion = (rec.flags & RECORD_DELETION) != 0;
    if (deletion && rec.length != RECORD_DELETION_BYTES)
        return E_MALFORMED;
    if (rec.length > BLOCK_BYTES_MAX)
        return E_LIMIT;
    *ret_record = rec;
    return OK;
}

void deletion_encode(struct store_place target,
                     uint8_t dst[static RECORD_DELETION_BYTES])
{
    struct wr w = wr_init(dst, RECORD_DELETION_BYTES);

    wr_le32(&w, target.segment);
    wr_le32(&w, target.offset);
}

enum err deletion_decode(struct bytes in, struct store_place *ret_target)
{
    struct rd r = rd_init(in);
    struct store_place target = {.segment = rd_le32(&r)};

    target.offset = rd_le32(&r);
    if (rd_finish(&r) != OK || target.segment == 0)
        return E_MALFORMED;
    *ret_target = target;
    return OK;
}
