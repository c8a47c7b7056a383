/*
 * Goal: no answer harms a survey; it holds its limits, and what it tells can
 * be asked for whatever came.
 * Input: answers, each with one byte for who sent it and two for its length,
 * big endian.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "multiformats/key.h"
#include "multiformats/multicodec.h"
#include "storage/keeper.h"
#include "storage/message.h"
#include "storage/survey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct peer_id peer_of(uint8_t seed)
{
    uint8_t bytes[ED25519_SEED_BYTES];
    struct privkey key;

    memset(bytes, seed, sizeof(bytes));
    privkey_init_seed(&key, bytes);
    struct peer_id peer = privkey_peer_id(&key);
    privkey_release(&key);
    return peer;
}

static void check(const struct survey *s)
{
    struct keeper_status *status = mem_alloc(sizeof(*status));
    size_t names = 0;
    uint32_t before = UINT32_MAX;

    (void)survey_names(s, &names);
    must(names <= SURVEY_NAMES_MAX);
    must(survey_count(s) <= SURVEY_OWNERS_MAX);
    must(!survey_is_released(s) || survey_count(s) == 0);
    must(!survey_is_whole(s) || survey_count(s) > 0);
    for (size_t i = 0; i < survey_count(s); i++) {
        survey_status(s, i, status);
        must(status->holders_count <= SURVEY_COPIES_MAX);
        must(status->copies_stored <= status->holders_count);
        must(status->copies_stored <= before);
        before = status->copies_stored;
    }
    mem_free(status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct cid root = cid_of(CODEC_RAW, BYTES_LIT("hello world\n"));
    struct survey *s = survey_new("testnet", &root);
    struct rd r = rd_init((struct bytes){data, len});

    while (r.err == OK && rd_left(&r) > 3) {
        struct peer_id from = peer_of(rd_u8(&r));
        struct survey_page next = {.len = 0};
        size_t size = rd_be16(&r);
        struct bytes in = rd_view(&r, size < rd_left(&r) ? size : rd_left(&r));
        enum err err =
            survey_take(s, &from, in, UINT64_C(1700000010000), &next);
        must(err == OK || err == E_REFUSED || err == E_MISMATCH ||
             err_is_peer_fault(err));
        must(next.len <= SURVEY_CURSOR_MAX);
        if (err == OK && next.len == 0)
            survey_told_all(s, &from);
        check(s);
    }
    survey_free(s);
    return 0;
}
