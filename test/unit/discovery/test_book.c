/*
 * Goal: the book keeps who is good and forgets who is not, can be filled by
 * nobody with peers of his own, and is the same after a restart.
 * Method: floods from one group, one teller, both and neither; every rule of
 * forgetting at its limit and one second past it; a whole book written down and
 * loaded, and every prefix of one peer.
 */
#include "discovery/book.h"
#include "peers.h"

#define HOUR_S UINT64_C(3600)
#define DAY_S  (24 * HOUR_S)

static void start(struct book *b, uint32_t peers_max)
{
    struct book_config config = {.peers_max = peers_max, .seed = {5}};
    book_init(b, &config);
}

static enum err hear_as(struct book *b, const struct peer_id *id,
                        struct multiaddr addr, enum book_source source,
                        uint64_t source_group)
{
    struct book_peer *p = NULL;
    struct book_heard heard = {.peer = id,
                               .addrs = &addr,
                               .count = 1,
                               .source = source,
                               .source_group = source_group};
    enum err err = book_hear(b, &heard, TEST_UNIX_S, &p);
    if (err == OK) {
        assert_non_null(p);
        assert_true(peer_id_eq(&p->id, id));
    }
    return err;
}

static struct book_peer *add(struct book *b, uint32_t n, const char *addr)
{
    struct peer_id id = id_of(n);
    assert_int_equal(hear_as(b, &id, addr_of(addr), BOOK_EXCHANGE, 1), OK);
    return book_find(b, &id);
}

/* A number that looks like chance, the same in each run. */
static uint32_t mixed(uint32_t n)
{
    static const uint8_t key[16] = {9};
    uint8_t in[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16),
                     (uint8_t)(n >> 24)};
    return (uint32_t)siphash13(key, (struct bytes){in, sizeof(in)});
}

/* A public address: first byte 20 to 83. */
static struct multiaddr anywhere(uint32_t n)
{
    uint32_t r = mixed(n);
    return addr_ip((20 + (r >> 24) % 64) << 24 | (r & 0xffffff));
}

/* struct stored - what was written down, in memory. */
struct stored {
    size_t count;
    size_t removed;
    struct {
        uint8_t key[BOOK_KEY_MAX];
        size_t key_len;
        uint8_t *value;
        size_t value_len;
    } rows[12000];
};

static void disk_clear(struct stored *disk)
{
    for (size_t i = 0; i < disk->count; i++)
        free(disk->rows[i].value);
    disk->count = 0;
    disk->removed = 0;
}

static void write_down(struct stored *disk, struct book *b)
{
    static uint8_t value[BOOK_VALUE_MAX];
    for (;;) {
        assert_true(disk->count < countof(disk->rows));
        struct wr k =
            wr_init(disk->rows[disk->count].key, sizeof(disk->rows[0].key));
        struct wr v = wr_init(value, sizeof(value));
        if (!book_next_change(b, &k, &v))
            return;
        if (wr_len(&v) == 0) {
            disk->removed++;
            continue;
        }
        disk->rows[disk->count].key_len = wr_len(&k);
        disk->rows[disk->count].value_len = wr_len(&v);
        disk->rows[disk->count].value = malloc(wr_len(&v));
        assert_non_null(disk->rows[disk->count].value);
        memcpy(disk->rows[disk->count].value, value, wr_len(&v));
        disk->count++;
    }
}

static enum err load_row(const struct stored *disk, struct book *b, size_t i)
{
    return book_load(
        b, (struct bytes){disk->rows[i].key, disk->rows[i].key_len},
        (struct bytes){disk->rows[i].value, disk->rows[i].value_len});
}

/* Sizes and counts agree, and no bucket is over its size. */
static void check_book(const struct book *b)
{
    uint16_t buckets[BOOK_NEW_BUCKETS + BOOK_TRIED_BUCKETS] = {0};
    uint32_t manual = 0;
    uint32_t anchors = 0;
    size_t records = 0;
    assert_true(b->peers.count <= b->peers_max);
    for (const struct book_peer *p = book_next(b, NULL); p != NULL;
         p = book_next(b, p)) {
        manual += p->manual;
        anchors += p->anchor;
        records += p->record_len;
        if (!p->manual)
            buckets[p->bucket_index]++;
    }
    assert_int_equal(manual, b->manual_count);
    assert_int_equal(anchors, b->anchor_count);
    assert_int_equal(records, b->records_bytes);
    uint32_t tried = 0;
    for (size_t i = 0; i < countof(buckets); i++) {
        if (i < BOOK_NEW_BUCKETS)
            assert_true(buckets[i] <= BOOK_NEW_SIZE);
        else
            assert_true(buckets[i] <= BOOK_TRIED_SIZE);
        tried += i < BOOK_NEW_BUCKETS ? 0 : buckets[i];
    }
    assert_int_equal(tried, b->tried_count);
}

/* Peers that attackers made have numbers from here on. */
enum { EVIL = 1000000 };

static size_t evil_count(const struct book *b)
{
    size_t count = 0;
    for (const struct book_peer *p = book_next(b, NULL); p != NULL;
         p = book_next(b, p)) {
        uint32_t n = (uint32_t)p->id.bytes[2] << 24 |
                     (uint32_t)p->id.bytes[3] << 16 |
                     (uint32_t)p->id.bytes[4] << 8 | p->id.bytes[5];
        count += n >= EVIL;
    }
    return count;
}

static void add_honest(struct book *b, uint32_t count)
{
    for (uint32_t n = 0; n < count; n++) {
        struct peer_id id = id_of(n);
        struct multiaddr from = anywhere(n / 64 + 5000);
        (void)hear_as(b, &id, anywhere(n), BOOK_EXCHANGE, reach_group(&from));
    }
}

static size_t flood(struct book *b, uint32_t count, bool one_group,
                    bool one_teller)
{
    for (uint32_t n = 0; n < count; n++) {
        struct peer_id id = id_of(EVIL + n);
        struct multiaddr addr = one_group
                                    ? addr_ip(0x2d000000U | (mixed(n) & 0xffff))
                                    : anywhere(EVIL + n);
        struct multiaddr from = anywhere(one_teller ? 77 : EVIL + n / 8);
        (void)hear_as(b, &id, addr, BOOK_EXCHANGE, reach_group(&from));
    }
    check_book(b);
    return evil_count(b);
}

/* One /16 floods 100,000 addresses, into an empty book and a full one. */
static void test_eclipse_one_group(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    size_t got = flood(&b, 100000, true, true);
    assert_in_range(got, 1, BOOK_NEW_SIZE);
    book_release(&b);
    start(&b, 0);
    got = flood(&b, 100000, true, false);
    assert_in_range(got, 500, 32 * BOOK_NEW_SIZE);
    /* They leave room for those who come later. */
    add_honest(&b, 9000);
    assert_true(b.peers.count - evil_count(&b) > 8000);
    book_release(&b);
}

/* One teller invents peers everywhere. */
static void test_eclipse_one_teller(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    size_t got = flood(&b, 50000, false, true);
    assert_in_range(got, 2000, 4 * 32 * BOOK_NEW_SIZE);
    add_honest(&b, 9000);
    check_book(&b);
    assert_true(b.peers.count - evil_count(&b) > 6500);
    book_release(&b);
}

/* What has been dialled is not pushed out by what was only heard of. */
static void test_eclipse_tried(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    add_honest(&b, 1000);
    uint32_t reached = 0;
    for (uint32_t n = 0; n < 1000; n++) {
        struct peer_id id = id_of(n);
        struct book_peer *p = book_find(&b, &id);
        struct multiaddr addr = anywhere(n);
        if (p != NULL)
            book_reached(&b, p, &addr, TEST_UNIX_S);
    }
    for (const struct book_peer *p = book_next(&b, NULL); p != NULL;
         p = book_next(&b, p))
        reached += p->reached;
    assert_true(reached > 950);
    (void)flood(&b, 30000, false, false);
    uint32_t left = 0;
    for (const struct book_peer *p = book_next(&b, NULL); p != NULL;
         p = book_next(&b, p))
        left += p->reached;
    assert_int_equal(left, reached);
    book_release(&b);
}

/* Even dialled, one group has 64 places among those tried. */
static void test_tried_of_one_group(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    for (uint32_t n = 0; n < 2000; n++) {
        struct peer_id id = id_of(EVIL + n);
        struct multiaddr addr = addr_ip(0x2d000000U | n);
        struct multiaddr from = anywhere(n);
        if (hear_as(&b, &id, addr, BOOK_EXCHANGE, reach_group(&from)) != OK)
            continue;
        struct book_peer *p = book_find(&b, &id);
        book_reached(&b, p, &addr, TEST_UNIX_S);
    }
    check_book(&b);
    assert_in_range(b.tried_count, 1, BOOK_TRIED_PER_GROUP * BOOK_TRIED_SIZE);
    book_release(&b);
}

/* An ordinary network of 10,000 fits nearly whole, and not one more does. */
static void test_full(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    add_honest(&b, 12000);
    check_book(&b);
    assert_in_range(b.peers.count, 9500, BOOK_PEERS_MAX);
    book_release(&b);
    start(&b, 100);
    add_honest(&b, 1000);
    check_book(&b);
    assert_int_equal(b.peers.count, 100);
    book_release(&b);
}

/* A local network is one group for each address: all of it fits. */
static void test_local(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    for (uint32_t n = 0; n < 1000; n++) {
        struct peer_id id = id_of(n);
        struct ma_ip ip = {.len = 4, .bytes = {127, 0, 0, 1}};
        struct multiaddr addr =
            multiaddr_from_ip_port(&ip, MA_TCP, (uint16_t)(1000 + n));
        assert_int_equal(hear_as(&b, &id, addr, BOOK_MDNS, 0), OK);
    }
    check_book(&b);
    book_release(&b);
}

static void test_manual(void **state)
{
    (void)state;
    struct book b;
    start(&b, 300);
    for (uint32_t n = 0; n < BOOK_MANUAL_MAX; n++) {
        struct peer_id id = id_of(n);
        assert_int_equal(
            hear_as(&b, &id, addr_ip(0x14000001U + n), BOOK_MANUAL, 0), OK);
    }
    struct peer_id more = id_of(BOOK_MANUAL_MAX);
    assert_int_equal(hear_as(&b, &more, anywhere(1), BOOK_MANUAL, 0), E_LIMIT);
    (void)flood(&b, 5000, false, false);
    assert_int_equal(b.manual_count, BOOK_MANUAL_MAX);
    assert_int_equal(b.peers.count, 300);
    /* Nothing ends a manual one but to be told so. */
    struct peer_id id = id_of(3);
    struct book_peer *p = book_find(&b, &id);
    for (size_t i = 0; i < 10; i++)
        book_failed(&b, p, false, TEST_UNIX_S);
    book_sweep(&b, TEST_UNIX_S + 400 * DAY_S);
    p = book_find(&b, &id);
    assert_non_null(p);
    assert_int_equal(book_set_manual(&b, p, false, TEST_UNIX_S), OK);
    check_book(&b);
    book_sweep(&b, TEST_UNIX_S + 400 * DAY_S);
    assert_null(book_find(&b, &id));
    book_release(&b);
}

static void test_addresses(void **state)
{
    struct multiaddr got[BOOK_ADDRS_MAX];
    struct multiaddr many[BOOK_ADDRS_MAX + 4];
    struct peer_id id = id_of(1);
    struct peer_id other = id_of(2);
    struct book b;
    start(&b, 0);
    struct book_peer *p = NULL;
    (void)state;
    /* None of these is one: another peer's, nobody's, too long. */
    many[0] = addr_of("/ip4/20.0.0.1/tcp/1");
    assert_int_equal(multiaddr_append_peer(&many[0], &other), OK);
    many[1] = addr_of("/ip4/0.0.0.0/tcp/1");
    many[2] = addr_of("/ip4/224.0.0.1/tcp/1");
    memset(&many[3], 0, sizeof(many[3]));
    many[3].bytes[0] = MA_DNS;
    many[3].bytes[1] = BOOK_ADDR_BYTES_MAX + 1 - 5;
    memset(many[3].bytes + 2, 'x', BOOK_ADDR_BYTES_MAX + 1 - 5);
    many[3].bytes[BOOK_ADDR_BYTES_MAX + 1 - 3] = MA_TCP;
    many[3].len = BOOK_ADDR_BYTES_MAX + 1;
    struct book_heard heard = {
        .peer = &id, .addrs = many, .count = 4, .source = BOOK_EXCHANGE};
    assert_int_equal(book_hear(&b, &heard, TEST_UNIX_S, &p), E_NOTFOUND);
    /* With its own id at the end it is the same address. */
    many[0] = addr_of("/ip4/20.0.0.1/tcp/1");
    many[1] = many[0];
    assert_int_equal(multiaddr_append_peer(&many[1], &id), OK);
    heard.count = 2;
    assert_int_equal(book_hear(&b, &heard, TEST_UNIX_S, &p), OK);
    assert_int_equal(book_addrs(p, got), 1);
    assert_true(multiaddr_eq(&got[0], &many[0]));
    /* 8 stay, what worked first, then what was entered by hand. */
    for (uint32_t i = 0; i < countof(many); i++)
        many[i] = addr_ip(0x15000001U + i);
    heard.count = countof(many);
    assert_int_equal(book_hear(&b, &heard, TEST_UNIX_S, &p), OK);
    assert_int_equal(book_addrs(p, got), BOOK_ADDRS_MAX);
    struct multiaddr by_hand = addr_ip(0x16000001U);
    heard = (struct book_heard){
        .peer = &id, .addrs = &by_hand, .count = 1, .source = BOOK_MANUAL};
    assert_int_equal(book_hear(&b, &heard, TEST_UNIX_S, &p), OK);
    struct multiaddr worked = addr_ip(0x17000001U);
    book_reached(&b, p, &worked, TEST_UNIX_S);
    heard = (struct book_heard){
        .peer = &id, .addrs = many, .count = 8, .source = BOOK_EXCHANGE};
    assert_int_equal(book_hear(&b, &heard, TEST_UNIX_S, &p), OK);
    assert_int_equal(book_addrs(p, got), BOOK_ADDRS_MAX);
    assert_true(multiaddr_eq(&got[0], &worked));
    assert_true(multiaddr_eq(&got[1], &by_hand));
    assert_int_equal(p->group, reach_group(&worked));
    book_release(&b);
}

static void test_record(void **state)
{
    (void)state;
    uint8_t dst[CAPABILITY_BYTES_MAX];
    struct multiaddr got[BOOK_ADDRS_MAX];
    struct privkey key = key_of(1);
    struct capability c = record_of(&key, "/ip4/20.0.0.1/tcp/1");
    struct book b;
    start(&b, 0);
    c.addrs[c.addr_count++] = addr_of("/ip4/10.0.0.1/tcp/1");
    c.addrs[c.addr_count++] = addr_of("/ip4/127.0.0.1/tcp/1");
    memcpy(c.operator_id, "acme", 4);
    c.operator_len = 4;
    struct bytes bytes = sealed_of(&key, &c, dst);
    assert_int_equal(
        hear_as(&b, &c.peer, addr_of("/ip4/21.0.0.1/tcp/1"), BOOK_EXCHANGE, 1),
        OK);
    struct book_peer *p = book_find(&b, &c.peer);
    assert_int_equal(
        book_put_record(&b, p, &c, bytes, REACH_PRIVATE, TEST_UNIX_S), OK);
    assert_true(bytes_eq(book_record(p), bytes));
    assert_true(bytes_eq(book_operator(p), BYTES_LIT("acme")));
    assert_int_equal(p->record_reach, REACH_LOOPBACK);
    assert_int_equal(p->storage_free, 1000);
    assert_int_equal(b.records_bytes, bytes.len);
    /* From a private peer: no loopback address. */
    assert_int_equal(book_addrs(p, got), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_not_equal(reach_of(&got[i]), REACH_LOOPBACK);
    /* A newer record replaces addresses, an older one nothing. */
    c.seq--;
    assert_int_equal(
        book_put_record(&b, p, &c, bytes, REACH_PUBLIC, TEST_UNIX_S), E_EXISTS);
    c.seq += 2;
    c.addr_count = 1;
    c.addrs[0] = addr_of("/ip4/22.0.0.1/tcp/1");
    bytes = sealed_of(&key, &c, dst);
    assert_int_equal(
        book_put_record(&b, p, &c, bytes, REACH_PUBLIC, TEST_UNIX_S), OK);
    assert_int_equal(book_addrs(p, got), 2);
    assert_true(multiaddr_eq(&got[0], &c.addrs[0]));
    /* It goes when it has expired. */
    book_sweep(&b, c.expires_s - 1);
    assert_true(book_record(p).len > 0);
    book_sweep(&b, c.expires_s);
    assert_int_equal(book_record(p).len, 0);
    assert_int_equal(b.records_bytes, 0);
    assert_int_equal(p->seq, c.seq);
    privkey_release(&key);
    book_release(&b);
}

/* Records of all peers together are limited; of those reached less so. */
static void test_records_limit(void **state)
{
    (void)state;
    static const uint8_t bytes[CAPABILITY_BYTES_MAX];
    struct privkey key = key_of(1);
    struct capability c = record_of(&key, "/ip4/20.0.0.1/tcp/1");
    struct book b;
    start(&b, 0);
    enum { HALF = BOOK_RECORDS_BYTES_MAX / CAPABILITY_BYTES_MAX / 2 };
    struct bytes in = {bytes, sizeof(bytes)};
    uint32_t kept = 0;
    struct book_peer *last = NULL;
    add_honest(&b, 6000);
    for (struct book_peer *p = book_next(&b, NULL); p != NULL;
         p = book_next(&b, p)) {
        c.peer = p->id;
        enum err err =
            book_put_record(&b, p, &c, in, REACH_PUBLIC, TEST_UNIX_S);
        assert_true(err == OK || err == E_LIMIT);
        assert_int_equal(err == OK, kept < HALF);
        kept += err == OK;
        last = p;
    }
    assert_int_equal(kept, HALF);
    assert_non_null(last);
    if (last == NULL)
        return;
    c.peer = last->id;
    struct multiaddr addr = anywhere(1);
    book_reached(&b, last, &addr, TEST_UNIX_S);
    assert_int_equal(
        book_put_record(&b, last, &c, in, REACH_PUBLIC, TEST_UNIX_S), OK);
    check_book(&b);
    privkey_release(&key);
    book_release(&b);
}

static bool survives(struct book *b, const struct peer_id *id, uint64_t at_s)
{
    book_sweep(b, at_s);
    return book_find(b, id) != NULL;
}

static void test_forgetting(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    struct peer_id id = id_of(1);
    /* Never reached, fails: an hour. */
    struct book_peer *p = add(&b, 1, "/ip4/20.0.0.1/tcp/1");
    book_failed(&b, p, false, TEST_UNIX_S + 5);
    assert_false(book_is_dead(p, TEST_UNIX_S + 5 + HOUR_S - 1));
    assert_true(survives(&b, &id, TEST_UNIX_S + 5 + HOUR_S - 1));
    assert_false(survives(&b, &id, TEST_UNIX_S + 5 + HOUR_S));
    /* Fails while it may be our own link: no reason. */
    p = add(&b, 1, "/ip4/20.0.0.1/tcp/1");
    book_failed(&b, p, true, TEST_UNIX_S);
    assert_true(survives(&b, &id, TEST_UNIX_S + 5 * HOUR_S));
    /* Nobody told of it, nobody tried it: two days. */
    assert_true(survives(&b, &id, TEST_UNIX_S + BOOK_UNHEARD_S - 1));
    assert_false(survives(&b, &id, TEST_UNIX_S + BOOK_UNHEARD_S));
    book_release(&b);
}

/* One that was good for @good_s and then fails is kept for as long. */
static void check_good_for(uint64_t good_s, uint64_t kept_s)
{
    struct book b;
    start(&b, 0);
    struct peer_id id = id_of(1);
    struct book_peer *p = add(&b, 1, "/ip4/20.0.0.1/tcp/1");
    struct multiaddr addr = addr_of("/ip4/20.0.0.1/tcp/1");
    book_reached(&b, p, &addr, TEST_UNIX_S);
    uint64_t end_s = TEST_UNIX_S + good_s;
    book_seen(&b, p, end_s);
    /* Without a failure nothing is forgotten. */
    assert_true(survives(&b, &id, end_s + 100 * DAY_S));
    book_failed(&b, p, false, end_s);
    book_failed(&b, p, false, end_s + 10);
    assert_false(book_is_dead(p, end_s + HOUR_S));
    book_failed(&b, p, false, end_s + 20);
    assert_false(book_is_dead(p, end_s + HOUR_S - 1));
    assert_true(book_is_dead(p, end_s + HOUR_S));
    assert_true(survives(&b, &id, end_s + kept_s - 1));
    assert_false(survives(&b, &id, end_s + kept_s));
    book_release(&b);
}

static void test_forgetting_good(void **state)
{
    (void)state;
    check_good_for(0, HOUR_S);
    check_good_for(3 * DAY_S, 3 * DAY_S);
    check_good_for(7 * DAY_S, 7 * DAY_S);
    check_good_for(30 * DAY_S, 7 * DAY_S);
}

/* Who comes back is alive again. */
static void test_revival(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    struct book_peer *p = add(&b, 1, "/ip4/20.0.0.1/tcp/1");
    struct multiaddr addr = addr_of("/ip4/20.0.0.1/tcp/1");
    book_reached(&b, p, &addr, TEST_UNIX_S);
    for (size_t i = 0; i < 3; i++)
        book_failed(&b, p, false, TEST_UNIX_S);
    assert_true(book_is_dead(p, TEST_UNIX_S + HOUR_S));
    book_seen(&b, p, TEST_UNIX_S + HOUR_S);
    assert_false(book_is_dead(p, TEST_UNIX_S + 2 * HOUR_S));
    assert_int_equal(p->failures, 0);
    assert_int_equal(p->good_since_s, TEST_UNIX_S + HOUR_S);
    book_release(&b);
}

static void test_anchors(void **state)
{
    (void)state;
    struct book b;
    start(&b, 0);
    for (uint32_t n = 0; n <= BOOK_ANCHORS_MAX; n++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "/ip4/20.%u.0.1/tcp/1", n);
        book_set_anchor(&b, add(&b, n, text), true);
    }
    assert_int_equal(b.anchor_count, BOOK_ANCHORS_MAX);
    struct peer_id id = id_of(BOOK_ANCHORS_MAX);
    assert_false(book_find(&b, &id)->anchor);
    id = id_of(0);
    book_set_anchor(&b, book_find(&b, &id), false);
    assert_int_equal(b.anchor_count, BOOK_ANCHORS_MAX - 1);
    book_remove(&b, book_find(&b, &id));
    check_book(&b);
    book_release(&b);
}

static void assert_same_peer(const struct book_peer *a,
                             const struct book_peer *b)
{
    struct multiaddr x[BOOK_ADDRS_MAX];
    struct multiaddr y[BOOK_ADDRS_MAX];
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->manual, b->manual);
    assert_int_equal(a->reached, b->reached);
    assert_int_equal(a->anchor, b->anchor);
    assert_int_equal(a->table, b->table);
    if (!a->manual)
        assert_int_equal(a->bucket_index, b->bucket_index);
    assert_int_equal(a->group, b->group);
    assert_int_equal(a->source_group, b->source_group);
    assert_int_equal(a->added_s, b->added_s);
    assert_int_equal(a->heard_s, b->heard_s);
    assert_int_equal(a->seen_s, b->seen_s);
    assert_int_equal(a->reached_s, b->reached_s);
    assert_int_equal(a->good_since_s, b->good_since_s);
    assert_int_equal(a->tried_s, b->tried_s);
    assert_int_equal(a->fail_since_s, b->fail_since_s);
    assert_int_equal(a->failures, b->failures);
    assert_memory_equal(&a->quality, &b->quality, sizeof(a->quality));
    assert_int_equal(a->seq, b->seq);
    assert_int_equal(a->expires_s, b->expires_s);
    assert_int_equal(a->has_storage, b->has_storage);
    assert_int_equal(a->storage_offer, b->storage_offer);
    assert_int_equal(a->storage_free, b->storage_free);
    assert_int_equal(a->record_reach, b->record_reach);
    assert_true(bytes_eq(book_operator(a), book_operator(b)));
    assert_true(bytes_eq(book_record(a), book_record(b)));
    size_t count = book_addrs(a, x);
    assert_int_equal(count, book_addrs(b, y));
    for (size_t i = 0; i < count; i++)
        assert_true(multiaddr_eq(&x[i], &y[i]));
}

static void fill_variously(struct book *b)
{
    static const uint8_t bytes[300] = "a record";
    struct privkey key = key_of(1);
    struct capability c = record_of(&key, "/ip4/20.0.0.1/tcp/1");
    memcpy(c.operator_id, "acme", 4);
    c.operator_len = 4;
    add_honest(b, 3000);
    uint32_t n = 0;
    for (struct book_peer *p = book_next(b, NULL); p != NULL;
         p = book_next(b, p), n++) {
        struct multiaddr addr = anywhere(n);
        c.peer = p->id;
        if (n % 3 == 0 &&
            book_put_record(b, p, &c, (struct bytes){bytes, n % 300},
                            REACH_PUBLIC, TEST_UNIX_S) != OK)
            fail_msg("%s", "no room");
        if (n % 5 == 0)
            book_failed(b, p, false, TEST_UNIX_S + 1);
        if (n % 200 == 0)
            book_set_anchor(b, p, true);
        if (n % 100 == 1)
            assert_int_equal(book_set_manual(b, p, true, TEST_UNIX_S), OK);
        if (n % 4 == 0 && !p->reached)
            book_reached(b, p, &addr, TEST_UNIX_S + 2);
    }
    privkey_release(&key);
}

static void test_disk(void **state)
{
    struct stored *disk = *state;
    struct book b;
    start(&b, 0);
    struct book_config config = {.seed = {200}};
    struct book c;
    book_init(&c, &config);
    fill_variously(&b);
    check_book(&b);
    write_down(disk, &b);
    assert_int_equal(disk->count, b.peers.count + 1);
    assert_int_equal(disk->removed, 0);
    assert_int_equal(disk->rows[0].key_len, 1);
    for (size_t i = 0; i < disk->count; i++)
        assert_int_equal(load_row(disk, &c, i), OK);
    assert_int_equal(c.peers.count, b.peers.count);
    check_book(&c);
    for (const struct book_peer *p = book_next(&b, NULL); p != NULL;
         p = book_next(&b, p)) {
        const struct book_peer *q = book_find(&c, &p->id);
        assert_non_null(q);
        assert_same_peer(p, q);
        assert_false(q->record_checked);
    }
    /* What is as on disk is not written again; once more is refused. */
    disk_clear(disk);
    write_down(disk, &c);
    assert_int_equal(disk->count, 0);
    write_down(disk, &b);
    assert_int_equal(disk->count, 0);
    /* One that changes is written, one that goes is removed. */
    struct peer_id one = book_next(&c, NULL)->id;
    struct peer_id two = book_next(&c, book_next(&c, NULL))->id;
    book_seen(&c, book_find(&c, &one), TEST_UNIX_S + 9);
    book_remove(&c, book_find(&c, &two));
    write_down(disk, &c);
    assert_int_equal(disk->count, 1);
    assert_int_equal(disk->removed, 1);
    assert_int_equal(load_row(disk, &c, 0), E_EXISTS);
    disk_clear(disk);
    book_release(&b);
    book_release(&c);
}

/* What a flood brought and took away again was never on disk-> */
static void test_disk_flood(void **state)
{
    struct stored *disk = *state;
    struct book b;
    start(&b, 100);
    add_honest(&b, 3000);
    write_down(disk, &b);
    assert_int_equal(disk->count, 101);
    assert_int_equal(disk->removed, 0);
    disk_clear(disk);
    book_release(&b);
}

static void test_corrupt(void **state)
{
    struct stored *disk = *state;
    struct book b;
    start(&b, 0);
    struct book c;
    start(&c, 0);
    (void)add(&b, 1, "/ip4/20.0.0.1/tcp/1");
    write_down(disk, &b);
    assert_int_equal(disk->count, 2);
    assert_int_equal(load_row(disk, &c, 0), OK);
    struct bytes key = {disk->rows[1].key, disk->rows[1].key_len};
    struct bytes value = {disk->rows[1].value, disk->rows[1].value_len};
    for (size_t len = 0; len < value.len; len++) {
        uint8_t *copy = malloc(len + 1);
        assert_non_null(copy);
        memcpy(copy, value.p, len);
        assert_int_equal(book_load(&c, key, (struct bytes){copy, len}),
                         E_CORRUPT);
        free(copy);
    }
    for (size_t len = 0; len < key.len; len++)
        assert_int_equal(book_load(&c, (struct bytes){key.p, len}, value),
                         E_CORRUPT);
    /* No byte that is damaged makes the book inconsistent. */
    for (size_t i = 0; i < value.len; i++) {
        disk->rows[1].value[i] ^= 0x81;
        enum err err = load_row(disk, &c, 1);
        assert_true(err == OK || err == E_CORRUPT || err == E_UNSUPPORTED);
        check_book(&c);
        struct peer_id id = id_of(1);
        if (err == OK)
            book_remove(&c, book_find(&c, &id));
        disk->rows[1].value[i] ^= 0x81;
    }
    disk->rows[1].value[0] = 2;
    assert_int_equal(load_row(disk, &c, 1), E_UNSUPPORTED);
    disk->rows[1].value[0] = 1;
    assert_int_equal(load_row(disk, &c, 1), OK);
    assert_int_equal(load_row(disk, &c, 0), E_EXISTS);
    disk_clear(disk);
    book_release(&b);
    book_release(&c);
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct stored));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eclipse_one_group),
        cmocka_unit_test(test_eclipse_one_teller),
        cmocka_unit_test(test_eclipse_tried),
        cmocka_unit_test(test_tried_of_one_group),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_record),
        cmocka_unit_test(test_records_limit),
        cmocka_unit_test(test_forgetting),
        cmocka_unit_test(test_forgetting_good),
        cmocka_unit_test(test_revival),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_disk_flood),
        cmocka_unit_test(test_corrupt),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
