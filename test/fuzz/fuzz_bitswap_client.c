/*
 * Goal: no order of wants, answers, hashes, time and departures breaks the
 * client; no want is answered twice or with bytes of another; limits hold.
 * Input: a program of steps, each a byte and its arguments.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "bitswap/client.h"
#include "multiformats/multicodec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The last one is a gateway. */
enum {
    PEERS = 4,
    GATEWAY = PEERS - 1,
    SESSIONS = 2,
    BLOCKS = 24,
    HASHES_MAX = 64
};

struct fuzz {
    struct bs_client *client;
    struct rd in;
    struct mtime now;
    struct peer_id peers[PEERS];
    struct bs_session *sessions[SESSIONS]; /* NULL: not open */
    bool wanted[SESSIONS][256];            /* by id */
    uint8_t of[SESSIONS][256];             /* the block of that id */
    struct bs_client_out hashes[HASHES_MAX];
    size_t hashes_count;
};

/* Block @n is n + 1 times the byte n. */
static struct slice data_of(uint8_t n)
{
    struct buf *b = buf_new((size_t)n + 1);
    memset(b->data, n, (size_t)n + 1);
    b->len = (size_t)n + 1;
    return (struct slice){.buf = b, .bytes = buf_bytes(b)};
}

static struct cid cid_no(uint8_t n)
{
    struct slice data = data_of(n);
    struct cid cid =
        n % 4 == 0 ? cid_v0_of(data.bytes) : cid_of(CODEC_RAW, data.bytes);
    slice_release(&data);
    return cid;
}

static void hash(struct fuzz *f, struct bs_client_out *out)
{
    struct multihash h = multihash_sha256(out->data.bytes);

    bs_client_on_hashed(f->client, out->hash_id,
                        (struct bytes){.p = h.digest, .len = h.len}, f->now);
    slice_release(&out->data);
}

static void on_got(struct fuzz *f, struct bs_client_out *out)
{
    size_t s = out->session == f->sessions[0] ? 0 : 1;

    assert(out->session == f->sessions[s]);
    assert(out->want_id < 256);
    assert(f->wanted[s][out->want_id]);
    f->wanted[s][out->want_id] = false;
    uint8_t n = f->of[s][out->want_id];
    struct cid cid = cid_no(n);
    assert(cid_eq(&cid, &out->cid));
    assert(out->data.bytes.len == (size_t)n + 1);
    assert(out->data.bytes.p[n] == n);
    slice_release(&out->data);
}

static void drain(struct fuzz *f)
{
    struct bs_client_out out;

    while (bs_client_next(f->client, &out)) {
        switch (out.kind) {
        case BS_CLIENT_SEND:
            bs_frame_free(out.frame);
            break;
        case BS_CLIENT_FETCH:
        case BS_CLIENT_UNFETCH:
            assert(peer_id_eq(&out.peer, &f->peers[GATEWAY]));
            break;
        case BS_CLIENT_HASH:
            if (f->hashes_count < HASHES_MAX)
                f->hashes[f->hashes_count++] = out;
            else
                hash(f, &out);
            break;
        case BS_CLIENT_GOT:
            on_got(f, &out);
            break;
        case BS_CLIENT_MISSING:
        case BS_CLIENT_FAULT:
            break;
        }
    }
    struct bs_client_stats stats = bs_client_get_stats(f->client);
    assert(stats.asks_count <= stats.peers_count * BS_PEER_ENTRIES_MAX);
    assert(stats.asks_count <= stats.wants_count * PEERS);
}

static void hear(struct fuzz *f, const struct peer_id *peer)
{
    struct bs_reply_item items[8];
    size_t count = 1 + rd_u8(&f->in) % 8;

    for (size_t i = 0; i < count; i++) {
        uint8_t bits = rd_u8(&f->in);
        uint8_t n = bits % BLOCKS;
        items[i] = (struct bs_reply_item){
            .cid = cid_no(n), .kind = (enum bs_item_kind)(1 + bits / 64 % 3)};
        if (items[i].kind == BS_ITEM_BLOCK)
            items[i].data = data_of(bits % 7 == 0 ? (uint8_t)(n + 1) : n);
    }
    struct bs_frame *frame = bs_reply_encode(items, count, BS_1_2_0);
    struct bs_message message;
    struct rd r = rd_init(frame->parts[0].bytes);
    (void)rd_uvarint(&r);
    enum err err = bs_message_decode(rd_rest(&r), &message);
    assert(err == OK);
    bs_client_on_message(f->client, peer, frame->parts[0].buf, &message,
                         f->now);
    bs_frame_free(frame);
}

/* A gateway answers, whether it was asked or not. */
static void hear_gateway(struct fuzz *f, const struct peer_id *id)
{
    uint8_t bits = rd_u8(&f->in);
    uint8_t n = bits % BLOCKS;
    struct cid cid = cid_no(n);

    if (bits / 64 == 0)
        bs_client_on_no_block(f->client, id, &cid, f->now);
    else if (bits / 64 == 1)
        bs_client_on_bytes(f->client, id, f->now);
    else
        bs_client_on_block(f->client, id, &cid,
                           data_of(bits % 7 == 0 ? (uint8_t)(n + 1) : n),
                           f->now);
}

static void hear_raw(struct fuzz *f, const struct peer_id *peer)
{
    struct bs_message message;
    struct buf *b = buf_copy(rd_view(&f->in, rd_u8(&f->in)));

    if (bs_message_decode(buf_bytes(b), &message) == OK)
        bs_client_on_message(f->client, peer, b, &message, f->now);
    buf_unref(b);
}

static void want(struct fuzz *f, size_t s)
{
    uint8_t id = rd_u8(&f->in);
    uint8_t how = rd_u8(&f->in);

    if (f->sessions[s] == NULL &&
        bs_session_open(f->client, (enum bs_class)(how % 3), &f->sessions[s]) !=
            OK)
        return;
    if (f->wanted[s][id])
        return;
    struct bs_want w = {
        .cid = cid_no(how % BLOCKS), .id = id, .priority = how % 3};
    if (bs_session_want(f->client, f->sessions[s], &w, f->now) != OK)
        return;
    f->wanted[s][id] = true;
    f->of[s][id] = how % BLOCKS;
}

static void unwant(struct fuzz *f, size_t s)
{
    uint8_t id = rd_u8(&f->in);

    if (f->sessions[s] == NULL)
        return;
    if (id % 8 != 0) {
        bs_session_unwant(f->client, f->sessions[s], id, f->now);
        f->wanted[s][id] = false;
        return;
    }
    bs_session_close(f->client, f->sessions[s], f->now);
    f->sessions[s] = NULL;
    memset(f->wanted[s], 0, sizeof(f->wanted[s]));
}

static void answer_hash(struct fuzz *f)
{
    if (f->hashes_count == 0)
        return;
    size_t i = rd_u8(&f->in) % f->hashes_count;
    struct bs_client_out out = f->hashes[i];
    f->hashes[i] = f->hashes[--f->hashes_count];
    hash(f, &out);
}

static void change_peer(struct fuzz *f, const struct peer_id *peer)
{
    uint8_t how = rd_u8(&f->in);

    if (how % 4 == 0)
        bs_client_peer_removed(f->client, peer, f->now);
    else if (peer == &f->peers[GATEWAY])
        (void)bs_client_gateway_added(f->client, peer, f->now);
    else if (how % 4 == 1)
        bs_client_stream_lost(f->client, peer, f->now);
    else
        (void)bs_client_peer_added(f->client, peer,
                                   (enum bs_version)(how / 4 % 3), f->now);
    if (how % 16 == 2 && f->sessions[0] != NULL)
        bs_session_add_source(f->client, f->sessions[0], peer, f->now);
}

static void step(struct fuzz *f)
{
    uint8_t op = rd_u8(&f->in);
    const struct peer_id *peer = &f->peers[op / 16 % PEERS];

    switch (op % 8) {
    case 0:
        change_peer(f, peer);
        break;
    case 1:
    case 2:
        want(f, op / 16 % SESSIONS);
        break;
    case 3:
        unwant(f, op / 16 % SESSIONS);
        break;
    case 4:
    case 5:
        if (peer == &f->peers[GATEWAY])
            hear_gateway(f, peer);
        else if (op % 8 == 4)
            hear(f, peer);
        else
            hear_raw(f, peer);
        break;
    case 6:
        answer_hash(f);
        break;
    default:
        f->now = mtime_add_ms(f->now, (uint32_t)rd_u8(&f->in) * 20);
        bs_client_on_time(f->client, f->now);
        assert(mtime_before(f->now, bs_client_deadline(f->client)));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct fuzz f = {.in = rd_init((struct bytes){.p = data, .len = len})};
    struct bs_client_config config = {.peers_max = PEERS - 1,
                                      .wants_max = BLOCKS - 1};

    f.client = bs_client_new(&config, f.now);
    for (size_t i = 0; i < PEERS; i++) {
        uint8_t id[3] = {0, 1, (uint8_t)i};
        enum err err =
            peer_id_decode((struct bytes){.p = id, .len = 3}, &f.peers[i]);
        assert(err == OK);
    }
    while (rd_left(&f.in) > 0) {
        step(&f);
        drain(&f);
    }
    for (size_t i = 0; i < f.hashes_count; i++)
        slice_release(&f.hashes[i].data);
    bs_client_free(f.client);
    return 0;
}
