/*
 * Goal: no bytes break a negotiation, and none past its end are taken.
 * Input: a byte (role, size of pieces), then what the other end sends.
 */
#include <assert.h>

#include "base/wr.h"
#include "libp2p/multistream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct bytes names[] = {
    {.p = (const uint8_t *)"/a", .len = 2},
    {.p = (const uint8_t *)"/noise", .len = 6},
    {.p = (const uint8_t *)"/ipfs/kad/1.0.0", .len = 15},
};

static void run(struct mss *m, struct bytes in, size_t piece_max)
{
    uint8_t room[MSS_OUT_MAX];
    size_t index = SIZE_MAX;
    enum err err = E_AGAIN;

    while (in.len > 0 && err == E_AGAIN) {
        struct wr w = wr_init(room, sizeof(room));
        size_t len = in.len < piece_max ? in.len : piece_max;
        struct bytes piece = bytes_sub(in, 0, len);
        struct bytes out;
        err = mss_step(m, &piece, &w, &index);
        enum err fits = wr_finish(&w, &out);
        assert(fits == OK);
        assert(err != E_AGAIN || piece.len == 0);
        in = bytes_sub(in, len - piece.len, in.len - (len - piece.len));
    }
    assert((err == OK) == (index < 3));
    assert(m->refused <= MSS_PROPOSALS_MAX + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mss m;
    struct mss_names all = {.names = names, .count = 3};
    uint8_t room[MSS_OUT_MAX];
    struct wr w = wr_init(room, sizeof(room));

    if (len == 0)
        return 0;
    if ((data[0] & 1) != 0)
        mss_init_initiator(&m, all, &w);
    else
        mss_init_responder(&m, all);
    run(&m, (struct bytes){.p = data + 1, .len = len - 1},
        1 + (size_t)(data[0] >> 1));
    return 0;
}
