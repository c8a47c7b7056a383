/*
 * Goal: wantlists are answered as the protocol asks, in bounded memory, and
 * peers get fair shares.
 * Method: one server core driven by hand.  The store holds blocks by number,
 * some of them only from a certain moment on.
 */
#include "base/mem.h"
#include "base/wr.h"
#include "bitswap/server.h"
#include "multiformats/pb.h"
#include "said.h"

#include "test.h"

enum { LEN = 5000, READS_MAX = 4096 };

struct rig {
    struct bs_server *server;
    struct peer_id peer;
    struct mtime now;
    struct bs_server_out reads[READS_MAX]; /* not answered yet */
    size_t reads_count;
    size_t stats_count; /* answered so far */
    size_t faults;
    struct said said; /* last message that was sent */
    size_t sends;
    struct peer_id sent_to;
    size_t sent_len;
    bool stored; /* what is looked up is there */
    uint32_t size;
};

static struct rig *rig_new(void)
{
    struct rig *r = mem_zalloc(1, sizeof(*r));
    struct bs_server_config config = {.seed = {1}};
    r->server = bs_server_new(&config);
    r->peer = some_peer(1);
    r->stored = true;
    r->size = LEN;
    assert_int_equal(
        bs_server_peer_added(r->server, &r->peer, BS_1_2_0, r->now), OK);
    return r;
}

static void rig_free(struct rig *r)
{
    said_free(&r->said);
    bs_server_free(r->server);
    mem_free(r);
}

/* Answers look-ups, keeps reads and the last message. */
static void drain(struct rig *r)
{
    struct bs_server_out out;
    while (bs_server_next(r->server, &out)) {
        switch (out.kind) {
        case BS_SERVER_STAT:
            r->stats_count++;
            bs_server_on_stat(r->server, out.id, r->stored, r->size);
            break;
        case BS_SERVER_READ:
            assert_true(r->reads_count < READS_MAX);
            r->reads[r->reads_count++] = out;
            break;
        case BS_SERVER_SEND:
            said_free(&r->said);
            r->sends++;
            r->sent_to = out.peer;
            r->sent_len = out.frame->len;
            said_frame(&r->said, out.frame);
            break;
        case BS_SERVER_FAULT:
            r->faults++;
            break;
        }
    }
}

static void tell(struct rig *r, const struct peer_id *peer,
                 const struct bs_entry *entries, size_t count, bool full)
{
    struct said s;
    said_frame(&s, bs_wantlist_encode(entries, count, full));
    bs_server_on_message(r->server, peer, &s.message, r->now);
    said_free(&s);
    drain(r);
}

static void want(struct rig *r, uint32_t n, bool have, bool dont_have)
{
    struct bs_entry e = {.cid = some_cid(n, LEN),
                         .want_have = have,
                         .send_dont_have = dont_have};
    tell(r, &r->peer, &e, 1, false);
}

static void cancel(struct rig *r, uint32_t n)
{
    struct bs_entry e = {.cid = some_cid(n, LEN), .cancel = true};
    tell(r, &r->peer, &e, 1, false);
}

static void answer_read(struct rig *r, size_t i, size_t len)
{
    bs_server_on_read(r->server, r->reads[i].id, OK,
                      some_data((uint32_t)i, len));
    drain(r);
}

static struct bs_server_stats stats(const struct rig *r)
{
    return bs_server_get_stats(r->server);
}

static void assert_said(const struct rig *r, enum bs_item_kind kind, uint32_t n)
{
    struct cid cid = some_cid(n, LEN);
    assert_int_equal(r->said.count, 1);
    assert_int_equal(r->said.items[0].kind, kind);
    if (kind != BS_ITEM_BLOCK)
        assert_true(cid_eq(&r->said.items[0].cid, &cid));
}

static void test_want_block(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    want(r, 0, false, true);
    assert_int_equal(r->stats_count, 1);
    assert_int_equal(r->reads_count, 1);
    assert_int_equal(r->sends, 0);
    assert_int_equal(stats(r).bytes_held, LEN);
    answer_read(r, 0, LEN);
    assert_int_equal(r->sends, 1);
    assert_said(r, BS_ITEM_BLOCK, 0);
    struct cid cid = some_cid(0, LEN);
    struct bs_prefix prefix = bs_prefix_of(&cid);
    assert_true(bs_prefix_eq(&r->said.items[0].prefix, &prefix));
    assert_int_equal(r->said.items[0].data.len, LEN);
    assert_int_equal(stats(r).wants_count, 0);
    assert_int_equal(stats(r).bytes_held, r->sent_len);
    bs_server_on_drained(r->server, &r->peer, r->sent_len);
    assert_int_equal(stats(r).bytes_held, 0);
    rig_free(r);
}

static void test_answers(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->size = BS_SERVER_SMALL_BYTES + 1;
    want(r, 1, true, false); /* large: HAVE, and off the list */
    assert_said(r, BS_ITEM_HAVE, 1);
    assert_int_equal(stats(r).wants_count, 0);
    r->size = BS_SERVER_SMALL_BYTES; /* small: the block */
    want(r, 2, true, false);
    assert_int_equal(r->reads_count, 1);
    answer_read(r, 0, BS_SERVER_SMALL_BYTES);
    assert_int_equal(r->said.items[0].kind, BS_ITEM_BLOCK);

    r->stored = false;
    size_t sends = r->sends;
    want(r, 3, false, false); /* silence */
    want(r, 4, true, false);
    assert_int_equal(r->sends, sends);
    want(r, 5, false, true);
    assert_said(r, BS_ITEM_DONT_HAVE, 5);
    want(r, 6, true, true);
    assert_said(r, BS_ITEM_DONT_HAVE, 6);
    assert_int_equal(stats(r).wants_count, 4);

    r->stored = true;
    r->size = 0; /* as others: an empty block is not there */
    want(r, 7, false, true);
    assert_said(r, BS_ITEM_DONT_HAVE, 7);
    rig_free(r);
}

static void test_identity_is_skipped(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static const uint8_t message[] = {0x0a, 0x0b, 0x0a, 0x09, 0x0a, 5, 1,
                                      0x55, 0,    1,    'x',  0x28, 1};
    struct said s;
    said_bytes(&s, (struct bytes){message, sizeof(message)});
    assert_int_equal(s.count, 1);
    bs_server_on_message(r->server, &r->peer, &s.message, r->now);
    drain(r);
    assert_int_equal(r->stats_count + r->sends, 0);
    said_free(&s);
    rig_free(r);
}

static void test_cancel(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    want(r, 0, false, true); /* while it is read */
    cancel(r, 0);
    assert_int_equal(stats(r).wants_count, 0);
    answer_read(r, 0, LEN);
    assert_int_equal(r->sends, 0);
    assert_int_equal(stats(r).bytes_held, 0);

    struct bs_entry e = {.cid = some_cid(1, LEN)};
    struct said s; /* before it is looked up */
    said_frame(&s, bs_wantlist_encode(&e, 1, false));
    bs_server_on_message(r->server, &r->peer, &s.message, r->now);
    said_free(&s);
    cancel(r, 1);
    assert_int_equal(r->reads_count, 1);

    want(r, 2, false, true); /* when it is read and not sent */
    bs_server_on_read(r->server, r->reads[1].id, OK, some_data(2, LEN));
    e = (struct bs_entry){.cid = some_cid(2, LEN), .cancel = true};
    said_frame(&s, bs_wantlist_encode(&e, 1, false));
    bs_server_on_message(r->server, &r->peer, &s.message, r->now);
    said_free(&s);
    drain(r);
    assert_int_equal(r->sends, 0);
    assert_int_equal(stats(r).bytes_held, 0);
    cancel(r, 9); /* of nothing */
    assert_int_equal(stats(r).wants_count, 0);
    rig_free(r);
}

static void test_full_replaces(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->stored = false;
    struct bs_entry e[3];
    for (uint32_t i = 0; i < 3; i++)
        e[i] = (struct bs_entry){.cid = some_cid(i, LEN)};
    tell(r, &r->peer, e, 3, false);
    assert_int_equal(stats(r).wants_count, 3);
    e[0].cid = some_cid(7, LEN);
    tell(r, &r->peer, e, 2, true); /* 7 and 1 */
    assert_int_equal(stats(r).wants_count, 2);
    r->stored = true;
    struct cid gone = some_cid(2, LEN);
    struct cid kept = some_cid(1, LEN);
    bs_server_on_new_block(r->server, &gone);
    drain(r);
    assert_int_equal(r->reads_count, 0);
    bs_server_on_new_block(r->server, &kept);
    drain(r);
    assert_int_equal(r->reads_count, 1);
    tell(r, &r->peer, NULL, 0, false); /* an empty list is no new list */
    assert_int_equal(stats(r).wants_count, 2);
    tell(r, &r->peer, NULL, 0, true);
    assert_int_equal(stats(r).wants_count, 0);
    rig_free(r);
}

/* What is stored later is sent; DONT_HAVE was said once. */
static void test_stored_later(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    r->stored = false;
    want(r, 1, false, true);
    want(r, 2, true, true);
    assert_int_equal(r->sends, 2);
    struct cid one = some_cid(1, LEN);
    struct cid two = some_cid(2, LEN);
    two.codec = CODEC_DAG_PB; /* the same block by another name */
    bs_server_on_new_block(r->server, &one);
    drain(r);
    assert_int_equal(r->sends, 2); /* it was gone again */
    r->stored = true;
    bs_server_on_new_block(r->server, &one);
    bs_server_on_new_block(r->server, &two);
    drain(r);
    assert_int_equal(r->reads_count, 1);
    assert_said(r, BS_ITEM_HAVE, 2);
    answer_read(r, 0, LEN);
    assert_int_equal(stats(r).wants_count, 0);
    rig_free(r);
}

/* A block that comes between the look-up and its answer is not lost. */
static void test_stored_while_looked_up(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct bs_entry e = {.cid = some_cid(1, LEN), .send_dont_have = true};
    struct said s;
    struct bs_server_out out;
    said_frame(&s, bs_wantlist_encode(&e, 1, false));
    bs_server_on_message(r->server, &r->peer, &s.message, r->now);
    said_free(&s);
    assert_true(bs_server_next(r->server, &out));
    assert_int_equal(out.kind, BS_SERVER_STAT);
    bs_server_on_new_block(r->server, &e.cid);
    bs_server_on_stat(r->server, out.id, false, 0);
    drain(r);
    assert_int_equal(r->reads_count, 1);
    assert_int_equal(r->sends, 0);
    bs_server_on_stat(r->server, out.id, true, 5); /* answered already */
    drain(r);
    rig_free(r);
}

static void test_read_fails(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    want(r, 1, false, true);
    bs_server_on_read(r->server, r->reads[0].id, E_IO, (struct slice){0});
    drain(r);
    assert_said(r, BS_ITEM_DONT_HAVE, 1);
    bs_server_on_drained(r->server, &r->peer, SIZE_MAX);
    assert_int_equal(stats(r).bytes_held, 0);
    assert_int_equal(stats(r).wants_count, 1);
    rig_free(r);
}

static void test_list_limit(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static struct bs_entry e[BS_SERVER_PEER_WANTS_MAX];
    r->stored = false;
    for (uint32_t i = 0; i < countof(e); i++)
        e[i] = (struct bs_entry){.cid = some_cid(i, LEN), .priority = 10};
    tell(r, &r->peer, e, countof(e), false);
    assert_int_equal(stats(r).wants_count, BS_SERVER_PEER_WANTS_MAX);
    assert_int_equal(stats(r).dropped, 0);
    /* One past it: less important, so it is left out and told so. */
    struct bs_entry more = {
        .cid = some_cid(9999, LEN), .priority = 9, .send_dont_have = true};
    tell(r, &r->peer, &more, 1, false);
    assert_int_equal(stats(r).dropped, 1);
    assert_said(r, BS_ITEM_DONT_HAVE, 9999);
    assert_int_equal(stats(r).wants_count, BS_SERVER_PEER_WANTS_MAX);
    /* As important: the oldest that we have not got goes. */
    more.priority = 10;
    tell(r, &r->peer, &more, 1, false);
    assert_int_equal(stats(r).dropped, 2);
    r->stored = true;
    bs_server_on_new_block(r->server, &e[0].cid);
    bs_server_on_new_block(r->server, &more.cid);
    drain(r);
    assert_int_equal(r->reads_count, 1);
    rig_free(r);
}

static void test_priorities(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct bs_entry e[40];
    r->size = 1 << 20; /* so that not all are read at once */
    for (uint32_t i = 0; i < countof(e); i++)
        e[i] = (struct bs_entry){.cid = some_cid(i, LEN),
                                 .priority = (int32_t)(i * 7 % 40)};
    tell(r, &r->peer, e, countof(e), false);
    assert_true(r->reads_count >= 4);
    assert_true(r->reads_count <= 9);
    for (size_t i = 0; i < r->reads_count; i++) {
        uint32_t n = 0;
        while (n * 7 % 40 != 39 - i)
            n++;
        struct cid cid = some_cid(n, LEN);
        assert_true(cid_eq(&r->reads[i].cid, &cid));
    }
    rig_free(r);
}

/* Bytes held stay under the limits though nobody drains. */
static void test_budgets(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static struct bs_entry e[64];
    r->size = 1 << 20;
    for (uint32_t i = 0; i < countof(e); i++)
        e[i] = (struct bs_entry){.cid = some_cid(i, LEN)};
    tell(r, &r->peer, e, countof(e), false);
    assert_int_equal(r->reads_count, 8);
    for (uint16_t p = 2; p < 100; p++) {
        struct peer_id id = some_peer(p);
        assert_int_equal(bs_server_peer_added(r->server, &id, BS_1_2_0, r->now),
                         OK);
        tell(r, &id, e, countof(e), false);
        assert_true(stats(r).bytes_held <= BS_SERVER_BYTES_MAX);
    }
    assert_int_equal(stats(r).bytes_held, BS_SERVER_BYTES_MAX);
    /* The first is served, and lets others go on. */
    size_t reads = r->reads_count;
    for (size_t i = 0; i < 8; i++)
        answer_read(r, i, 1 << 20);
    assert_int_equal(r->sends, 8); /* whole messages do not wait */
    bs_server_on_drained(r->server, &r->peer, r->sent_len);
    drain(r);
    assert_true(r->reads_count > reads);
    assert_true(stats(r).bytes_held <= BS_SERVER_BYTES_MAX + (1 << 20));
    rig_free(r);
}

/* One who wants large blocks gets as many bytes as one who wants small ones. */
static void test_fair(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static struct bs_entry e[1000];
    struct peer_id other = some_peer(2);
    size_t bytes[2] = {0, 0};
    assert_int_equal(bs_server_peer_added(r->server, &other, BS_1_2_0, r->now),
                     OK);
    for (uint32_t i = 0; i < countof(e); i++)
        e[i] = (struct bs_entry){.cid = some_cid(i, LEN)};
    r->size = 1 << 20;
    tell(r, &r->peer, e, 100, false);
    size_t large = r->reads_count;
    r->size = 64 * 1024;
    tell(r, &other, e, countof(e), false);
    for (size_t i = 0; i < r->reads_count && i < 700; i++) {
        bool first = peer_id_eq(&r->reads[i].peer, &r->peer);
        size_t len = first ? 1 << 20 : 64 * 1024;
        if (i >= large)
            bytes[first ? 0 : 1] += len;
        bs_server_on_read(r->server, r->reads[i].id, OK, some_data(0, len));
        drain(r);
        bs_server_on_drained(r->server, &r->peer, SIZE_MAX);
        bs_server_on_drained(r->server, &other, SIZE_MAX);
        drain(r);
    }
    assert_true(bytes[1] > 10 << 20);
    assert_in_range(bytes[0], bytes[1] / 2, bytes[1] * 3 / 2);
    rig_free(r);
}

static void test_coalescing(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    static struct bs_entry e[200];
    r->size = 10000;
    for (uint32_t i = 0; i < countof(e); i++)
        e[i] = (struct bs_entry){.cid = some_cid(i, LEN)};
    tell(r, &r->peer, e, countof(e), false);
    assert_int_equal(r->reads_count, 200);
    for (size_t i = 0; i < 200; i++)
        bs_server_on_read(r->server, r->reads[i].id, OK,
                          some_data((uint32_t)i, 10000));
    drain(r);
    /* 64 pieces in the first; then the stream is busy, but over 1 MB waits. */
    assert_int_equal(r->sends, 2);
    assert_int_equal(r->said.count, BS_REPLY_PIECES_MAX);
    bs_server_on_drained(r->server, &r->peer, SIZE_MAX);
    drain(r);
    bs_server_on_drained(r->server, &r->peer, SIZE_MAX);
    drain(r);
    assert_int_equal(r->sends, 4);
    assert_int_equal(r->said.count, 200 - 3 * BS_REPLY_PIECES_MAX);
    assert_int_equal(stats(r).blocks, 200);
    rig_free(r);
}

/* Entries without effect: as many as the bucket holds, and one more. */
static void test_flood(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    struct bs_entry e = {.cid = some_cid(1, LEN)};
    r->stored = false;
    for (size_t i = 0; i < BS_SERVER_TOKENS_MAX; i++)
        tell(r, &r->peer, &e, 1, false);
    assert_int_equal(r->faults, 0);
    r->now = at_ms(100); /* a tenth of what comes back in a second */
    for (size_t i = 0; i < BS_SERVER_TOKENS_PER_S / 10; i++)
        tell(r, &r->peer, &e, 1, false);
    assert_int_equal(r->faults, 0);
    tell(r, &r->peer, &e, 1, false);
    assert_int_equal(r->faults, 1);
    size_t looked_up = r->stats_count;
    tell(r, &r->peer, &e, 1, false);
    assert_int_equal(r->faults, 1);
    assert_int_equal(r->stats_count, looked_up);
    bs_server_peer_removed(r->server, &r->peer);
    assert_int_equal(stats(r).wants_count, 0);
    rig_free(r);
}

static void test_empty_messages(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    for (size_t i = 0; i < BS_SERVER_TOKENS_MAX / 8; i++)
        tell(r, &r->peer, NULL, 0, false);
    assert_int_equal(r->faults, 0);
    tell(r, &r->peer, NULL, 0, false);
    assert_int_equal(r->faults, 1);
    rig_free(r);
}

/* Messages without content cost by their length too. */
static void test_long_messages_of_nothing(void **state)
{
    (void)state;
    enum { ROOM = 1024 * 1024, COST = ROOM / 256 };
    struct rig *r = rig_new();
    uint8_t *room = mem_zalloc(1, ROOM + 16);
    struct wr w = wr_init(room, ROOM + 16);
    pb_put_head(&w, 99, ROOM);
    struct bytes in = {.p = room, .len = wr_len(&w) + ROOM};
    struct bs_message message;
    assert_int_equal(bs_message_decode(in, &message), OK);
    size_t count = 0;
    for (; count < 100 && r->faults == 0; count++) {
        bs_server_on_message(r->server, &r->peer, &message, r->now);
        drain(r);
    }
    assert_int_equal(count, BS_SERVER_TOKENS_MAX / (COST + 8) + 1);
    mem_free(room);
    rig_free(r);
}

static void test_old_versions(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    assert_int_equal(
        bs_server_peer_added(r->server, &r->peer, BS_1_1_0, r->now), E_EXISTS);
    r->stored = false;
    want(r, 1, false, true);
    assert_int_equal(r->sends, 0); /* no presences */
    r->stored = true;
    want(r, 2, true, false); /* no HAVE: the block */
    assert_int_equal(r->reads_count, 1);
    answer_read(r, 0, LEN);
    assert_int_equal(r->said.items[0].kind, BS_ITEM_BLOCK);
    bs_server_on_drained(r->server, &r->peer, SIZE_MAX);

    /* Read for a newer version, and then the stream speaks an older one. */
    want(r, 3, false, false);
    bs_server_on_read(r->server, r->reads[1].id, OK, some_data(3, LEN));
    assert_int_equal(
        bs_server_peer_added(r->server, &r->peer, BS_1_0_0, r->now), E_EXISTS);
    size_t sends = r->sends;
    drain(r);
    assert_int_equal(r->sends, sends);
    want(r, 4, false, true);
    assert_int_equal(r->reads_count, 2);
    struct slice data = some_data(5, LEN);
    struct bs_entry e = {.cid = cid_v0_of(data.bytes)};
    slice_release(&data);
    tell(r, &r->peer, &e, 1, false);
    answer_read(r, 2, LEN);
    assert_int_equal(r->sends, sends + 1);
    assert_int_equal(r->said.items[0].kind, BS_ITEM_BLOCK);
    rig_free(r);
}

static void test_peer_leaves(void **state)
{
    (void)state;
    struct rig *r = rig_new();
    for (uint32_t i = 0; i < 4; i++)
        want(r, i, false, true);
    answer_read(r, 0, LEN); /* sent, not drained */
    bs_server_on_read(r->server, r->reads[1].id, OK, some_data(1, LEN));
    bs_server_peer_removed(r->server, &r->peer);
    assert_int_equal(stats(r).peers_count, 0);
    assert_int_equal(stats(r).wants_count, 0);
    assert_int_equal(stats(r).bytes_held, 2 * LEN); /* still being read */
    answer_read(r, 2, LEN);
    bs_server_on_read(r->server, r->reads[3].id, E_IO, (struct slice){0});
    assert_int_equal(stats(r).bytes_held, 0);
    assert_int_equal(stats(r).reads_count, 0);
    bs_server_on_drained(r->server, &r->peer, 5); /* of nobody */
    want(r, 1, false, true);
    assert_int_equal(r->stats_count, 4);
    rig_free(r);
}

static void test_peers_limit(void **state)
{
    (void)state;
    struct bs_server_config config = {.peers_max = 2};
    struct bs_server *s = bs_server_new(&config);
    struct mtime now = {0};
    for (uint16_t i = 0; i < 3; i++) {
        struct peer_id id = some_peer(i);
        assert_int_equal(bs_server_peer_added(s, &id, BS_1_2_0, now),
                         i < 2 ? OK : E_LIMIT);
    }
    bs_server_free(s);
    bs_server_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_want_block),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_identity_is_skipped),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_full_replaces),
        cmocka_unit_test(test_stored_later),
        cmocka_unit_test(test_stored_while_looked_up),
        cmocka_unit_test(test_read_fails),
        cmocka_unit_test(test_list_limit),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_coalescing),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_empty_messages),
        cmocka_unit_test(test_long_messages_of_nothing),
        cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_peer_leaves),
        cmocka_unit_test(test_peers_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
