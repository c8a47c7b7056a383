/*
 * Goal: no order of messages, answers and departures breaks the server or makes
 * it hold more than its limits; all that it held is let go in the end.
 * Input: a program of steps, each a byte and its arguments.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/server.h"
#include "multiformats/multicodec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PEERS = 3, JOBS_MAX = 256, BLOCKS = 16 };

struct fuzz {
    struct bs_server *server;
    struct rd in;
    struct mtime now;
    struct peer_id peers[PEERS];
    struct cid blocks[BLOCKS];
    uint64_t reads[JOBS_MAX];
    uint64_t stats[JOBS_MAX];
    size_t reads_count;
    size_t stats_count;
};

static void drain(struct fuzz *f)
{
    struct bs_server_out out;

    while (bs_server_next(f->server, &out)) {
        switch (out.kind) {
        case BS_SERVER_STAT:
            if (f->stats_count < JOBS_MAX)
                f->stats[f->stats_count++] = out.id;
            else
                bs_server_on_stat(f->server, out.id, false, 0);
            break;
        case BS_SERVER_READ:
            if (f->reads_count < JOBS_MAX)
                f->reads[f->reads_count++] = out.id;
            else
                bs_server_on_read(f->server, out.id, E_IO, (struct slice){0});
            break;
        case BS_SERVER_SEND:
            assert(out.frame->len <= BS_MESSAGE_BYTES_MAX + 4);
            bs_frame_free(out.frame);
            break;
        case BS_SERVER_FAULT:
            break;
        }
    }
    struct bs_server_stats stats = bs_server_get_stats(f->server);
    assert(stats.bytes_held <= BS_SERVER_BYTES_MAX + (4 << 20));
    assert(stats.wants_count <= (size_t)PEERS * BS_SERVER_PEER_WANTS_MAX);
}

static void answer_stat(struct fuzz *f)
{
    uint8_t how = rd_u8(&f->in);

    if (f->stats_count == 0)
        return;
    size_t i = how % f->stats_count;
    uint64_t id = f->stats[i];
    f->stats[i] = f->stats[--f->stats_count];
    bs_server_on_stat(f->server, id, how % 5 != 0,
                      (uint32_t)rd_be16(&f->in) * 40);
}

static void answer_read(struct fuzz *f)
{
    uint8_t how = rd_u8(&f->in);

    if (f->reads_count == 0)
        return;
    size_t i = how % f->reads_count;
    uint64_t id = f->reads[i];
    f->reads[i] = f->reads[--f->reads_count];
    if (how % 7 == 0) {
        bs_server_on_read(f->server, id, E_IO, (struct slice){0});
        return;
    }
    struct buf *b = buf_new((size_t)how * 97);
    b->len = (size_t)how * 97;
    memset(b->data, how, b->len);
    bs_server_on_read(f->server, id, OK,
                      (struct slice){.buf = b, .bytes = buf_bytes(b)});
}

/* Entries of few blocks, so that they meet each other. */
static void tell(struct fuzz *f, const struct peer_id *peer)
{
    struct bs_entry entries[8];
    uint8_t how = rd_u8(&f->in);
    size_t count = how % 9;

    for (size_t i = 0; i < count; i++) {
        uint8_t bits = rd_u8(&f->in);
        entries[i] = (struct bs_entry){.cid = f->blocks[bits % BLOCKS],
                                       .priority = bits % 5,
                                       .cancel = bits % 11 == 0,
                                       .want_have = (bits & 0x40) != 0,
                                       .send_dont_have = (bits & 0x80) != 0};
    }
    struct bs_frame *frame =
        bs_wantlist_encode(entries, count, (how & 0x80) != 0);
    struct rd r = rd_init(frame->parts[0].bytes);
    (void)rd_uvarint(&r);
    struct bs_message message;
    enum err err = bs_message_decode(rd_rest(&r), &message);
    assert(err == OK);
    bs_server_on_message(f->server, peer, &message, f->now);
    bs_frame_free(frame);
}

static void tell_raw(struct fuzz *f, const struct peer_id *peer)
{
    struct bs_message message;
    struct bytes in = rd_view(&f->in, rd_u8(&f->in));

    if (bs_message_decode(in, &message) == OK)
        bs_server_on_message(f->server, peer, &message, f->now);
}

static void step(struct fuzz *f)
{
    uint8_t op = rd_u8(&f->in);
    const struct peer_id *peer = &f->peers[op / 16 % PEERS];
    enum bs_version version = (enum bs_version)(op / 64 % 3);

    f->now = mtime_add_ms(f->now, op % 3);
    switch (op % 8) {
    case 0:
        (void)bs_server_peer_added(f->server, peer, version, f->now);
        break;
    case 1:
        bs_server_peer_removed(f->server, peer);
        break;
    case 2:
        tell_raw(f, peer);
        break;
    case 3:
    case 4:
        tell(f, peer);
        break;
    case 5:
        answer_stat(f);
        break;
    case 6:
        answer_read(f);
        break;
    default:
        bs_server_on_drained(f->server, peer, (size_t)rd_u8(&f->in) * 5000);
        bs_server_on_new_block(f->server, &f->blocks[op / 16]);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz f = {.in = rd_init((struct bytes){.p = data, .len = len})};
    struct bs_server_config config = {.peers_max = PEERS - 1};

    f.server = bs_server_new(&config);
    for (size_t i = 0; i < PEERS; i++) {
        uint8_t id[3] = {0, 1, (uint8_t)i};
        enum err err =
            peer_id_decode((struct bytes){.p = id, .len = 3}, &f.peers[i]);
        assert(err == OK);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        uint8_t byte = (uint8_t)i;
        struct bytes in = {.p = &byte, .len = 1};
        f.blocks[i] = i % 4 == 0 ? cid_v0_of(in) : cid_of(CODEC_RAW, in);
    }
    while (rd_left(&f.in) > 0) {
        step(&f);
        drain(&f);
    }
    for (size_t i = 0; i < PEERS; i++)
        bs_server_peer_removed(f.server, &f.peers[i]);
    for (size_t i = 0; i < f.reads_count; i++)
        bs_server_on_read(f.server, f.reads[i], E_IO, (struct slice){0});
    struct bs_server_stats stats = bs_server_get_stats(f.server);
    assert(stats.bytes_held == 0);
    assert(stats.wants_count == 0);
    assert(stats.reads_count == 0);
    bs_server_free(f.server);
    return 0;
}
