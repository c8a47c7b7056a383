/*
 * Goal: no CID, in binary or text, harms the parser; what is accepted has one
 * binary form and comes back from every text that we write.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "multiformats/cid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_text(const struct cid *cid)
{
    static const char prefixes[] = "fFbBvVcCtThkKzmMuU";
    for (size_t i = 0; i < sizeof(prefixes) - 1; i++) {
        char text[CID_TEXT_MAX];
        size_t len = cid_format_base(cid, (enum multibase)prefixes[i], text);
        struct cid back;
        enum err err =
            cid_parse((struct bytes){(const uint8_t *)text, len}, &back);
        assert(err == OK);
        assert(cid_eq(&back, cid));
    }
    char label[CID_TEXT_MAX];
    size_t len = 0;
    if (cid_format_label(cid, label, &len) == OK)
        assert(len <= CID_LABEL_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    struct cid cid;
    if (cid_decode(in, &cid) == OK) {
        uint8_t out[CID_BYTES_MAX];
        size_t out_len = cid_encode(&cid, out);
        assert(out_len == len);
        assert(memcmp(out, data, len) == 0);
        assert(cid_len(&cid) == len);
        (void)cid_verify(&cid, in); /* any answer will do */
        check_text(&cid);
    }
    struct rd r = rd_init(in);
    cid_read(&r, &cid);
    if (cid_parse(in, &cid) == OK)
        check_text(&cid);
    return 0;
}
