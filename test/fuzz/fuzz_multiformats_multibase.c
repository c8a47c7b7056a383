/*
 * Goal: no text harms the decoder; its bytes come back from the text that we
 * write for them, and any bytes from any base.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "multiformats/multibase.h"

enum {
    INPUT_MAX = 2000,
    TEXT_MAX = 2 * INPUT_MAX + 10,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_round_trip(enum multibase base, struct bytes in)
{
    char text[TEXT_MAX];
    uint8_t back[TEXT_MAX];
    size_t text_len = 0;
    enum err err =
        multibase_encode(base, in, text, multibase_text_max(in.len), &text_len);
    if (err == E_LIMIT) {
        assert(in.len > MULTIBASE_BIG_BYTES_MAX);
        return;
    }
    assert(err == OK);
    size_t back_len = 0;
    err = multibase_decode((struct bytes){(const uint8_t *)text, text_len},
                           back, in.len, &back_len);
    assert(err == OK);
    assert(bytes_eq((struct bytes){back, back_len}, in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > INPUT_MAX)
        return 0;
    static const char prefixes[] = "fFbBvVcCtThkKzmMuU";
    struct bytes in = {data, len};
    for (size_t i = 0; i < sizeof(prefixes) - 1; i++)
        check_round_trip((enum multibase)prefixes[i], in);

    uint8_t out[INPUT_MAX];
    size_t out_len = 0;
    if (multibase_decode(in, out, multibase_bytes_max(len), &out_len) == OK)
        check_round_trip((enum multibase)data[0], (struct bytes){out, out_len});
    return 0;
}
