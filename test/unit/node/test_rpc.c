/*
 * Goal: each request has one answer or one end, whatever the peer, the stream
 * and the clock do; what a peer makes us hold is bounded; nothing is told from
 * inside of a call.
 * Method: the swarm, the network and the clock are played by the test.
 */
#include "rpc_world.h"

/* Asking. */

static void test_answer(void **state)
{
    struct asked a = {0};

    (void)state;
    start(&a, 0, ANSWER_MAX);
    assert_int_equal(world.streams_count, 1);
    assert_int_equal(world.streams[0].sent_len, 6);
    assert_memory_equal(world.streams[0].sent, "\x05hello", 6);
    feed(1, "\x02");
    feed(1, "o");
    assert_int_equal(a.done, 0);
    feed(1, "k");
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err, OK);
    assert_string_equal(a.answer, "ok");
    turn(2 * TIMEOUT_MS);
    assert_int_equal(a.done, 1);
}

static void test_stream_is_used_again(void **state)
{
    struct asked a[3] = {0};

    (void)state;
    start(&a[0], 0, ANSWER_MAX);
    start(&a[1], 0, ANSWER_MAX); /* one at a time on each */
    assert_int_equal(world.streams_count, 2);
    feed(2, "\x01y");
    feed(1, "\x01x");
    assert_string_equal(a[0].answer, "x");
    assert_string_equal(a[1].answer, "y");
    /* One is kept, the other ends. */
    assert_true(world.streams[0].closed != world.streams[1].closed);
    start(&a[2], 0, ANSWER_MAX);
    assert_int_equal(world.streams_count, 2);
    size_t used = world.streams[0].closed ? 2 : 1;
    feed(used, "\x01z");
    assert_string_equal(a[2].answer, "z");
    happen(used == 1 ? 2 : 1, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
}

static void test_old_stream_is_tried_anew(void **state)
{
    struct asked a[2] = {0};

    (void)state;
    start(&a[0], 0, ANSWER_MAX);
    feed(1, "\x01x");
    start(&a[1], 0, ANSWER_MAX);
    happen(1, SWARM_STREAM_RESET, BYTES_EMPTY, E_CLOSED);
    assert_int_equal(a[1].done, 0);
    assert_int_equal(world.streams_count, 2); /* once more, on a new one */
    happen(2, SWARM_STREAM_RESET, BYTES_EMPTY, E_CLOSED);
    turn(0);
    assert_int_equal(a[1].done, 1);
    assert_int_equal(a[1].err, E_CLOSED);
    assert_int_equal(world.streams_count, 2);
}

static void test_one_request_a_stream(void **state)
{
    struct asked a[2] = {0};

    (void)state;
    start(&a[0], 0, ANSWER_MAX);
    assert_true(world.streams[0].closed);
    feed(1, "\x01x");
    assert_int_equal(a[0].err, OK);
    start(&a[1], 0, ANSWER_MAX);
    assert_int_equal(world.streams_count, 2);
    happen(2, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
    turn(0);
    assert_int_equal(a[1].err, E_CLOSED);
    happen(1, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
}

static void test_no_answer_wanted(void **state)
{
    struct asked a = {0};

    (void)state;
    start(&a, 0, 0);
    turn(0);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err, OK);
    feed(1, "\x01x"); /* and none is taken */
    assert_true(world.streams[0].reset);
    assert_int_equal(world.streams[0].code, SWARM_RESET_VIOLATION);
}

static void test_timeout(void **state)
{
    struct asked a = {0};

    (void)state;
    start(&a, 0, ANSWER_MAX);
    turn(TIMEOUT_MS - 1);
    assert_int_equal(a.done, 0);
    turn(1);
    assert_int_equal(a.done, 1);
    assert_int_equal(a.err, E_TIMEOUT);
    assert_true(world.streams[0].reset);
}

/* A byte now and then does not move the deadline. */
static void test_slow_answer(void **state)
{
    struct asked a = {0};

    (void)state;
    start(&a, 0, ANSWER_MAX);
    feed(1, "\x20");
    for (unsigned i = 0; i < TIMEOUT_MS / 500 - 1; i++) {
        turn(500);
        feed(1, "a");
    }
    assert_int_equal(a.done, 0);
    turn(500);
    assert_int_equal(a.err, E_TIMEOUT);
    assert_int_equal(a.done, 1);
}

static void test_answer_limit(void **state)
{
    struct asked a[2] = {0};
    uint8_t room[ANSWER_MAX + 10];

    (void)state;
    start(&a[0], 0, ANSWER_MAX);
    happen(1, SWARM_STREAM_DATA, message(ANSWER_MAX, room, sizeof(room)), OK);
    assert_int_equal(a[0].err, OK);
    assert_int_equal(strlen(a[0].answer), ANSWER_MAX);
    start(&a[1], 0, ANSWER_MAX);
    /* Told by its length alone, before any of it has come. */
    struct bytes longer = message(ANSWER_MAX + 1, room, sizeof(room));
    longer.len = 2;
    happen(1, SWARM_STREAM_DATA, longer, OK);
    turn(0);
    assert_int_equal(a[1].err, E_LIMIT);
    assert_true(world.streams[0].reset);
}

static void test_malformed_answer(void **state)
{
    struct asked a = {0};

    (void)state;
    start(&a, 0, ANSWER_MAX);
    happen(1, SWARM_STREAM_DATA,
           BYTES_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), OK);
    turn(0);
    assert_int_equal(a.done, 1);
    assert_int_not_equal(a.err, OK);
    assert_true(world.streams[0].reset);
}

/* What follows an answer is not the answer to the next request. */
static void test_two_answers(void **state)
{
    struct asked a[2] = {0};

    (void)state;
    start(&a[0], 0, ANSWER_MAX);
    feed(1, "\x01x\x01y");
    assert_string_equal(a[0].answer, "x");
    assert_true(world.streams[0].reset);
    start(&a[1], 0, ANSWER_MAX);
    assert_int_equal(world.streams_count, 2);
    feed(2, "\x01z");
    assert_string_equal(a[1].answer, "z");
}

static void test_cancel(void **state)
{
    struct asked a[3] = {0};

    (void)state;
    start(&a[0], 0, ANSWER_MAX);
    rpc_cancel(&a[0].call);
    rpc_cancel(&a[0].call);
    assert_true(world.streams[0].reset);
    world.connected = false;
    start(&a[0], 1, ANSWER_MAX);
    rpc_cancel(&a[0].call);
    assert_int_equal(world.dials_cancelled, 1);
    /* Two that have ended: the first takes the second along. */
    start(&a[1], 0, ANSWER_MAX);
    start(&a[2], 0, ANSWER_MAX);
    a[1].cancels = &a[2].call;
    turn(TIMEOUT_MS);
    assert_int_equal(a[0].done, 0);
    assert_int_equal(a[1].done, 1);
    assert_int_equal(a[2].done, 0);
}

static void test_dialing(void **state)
{
    struct asked a[4] = {0};

    (void)state;
    world.connected = false;
    start(&a[0], 0, ANSWER_MAX); /* nowhere to dial */
    turn(0);
    assert_int_equal(a[0].err, E_NOTFOUND);
    start(&a[1], 1, ANSWER_MAX);
    assert_int_equal(world.streams_count, 0);
    struct connect_op *op = world.dialing;
    world.dialing = NULL;
    world.connected = true;
    op->done(op, OK, world.env.now);
    assert_int_equal(world.streams_count, 1);
    feed(1, "\x01x");
    assert_int_equal(a[1].err, OK);
    world.connected = false;
    start(&a[2], 1, ANSWER_MAX);
    op = world.dialing;
    world.dialing = NULL;
    op->done(op, E_IO, world.env.now);
    turn(0);
    assert_int_equal(a[2].err, E_IO);
    start(&a[3], 1, ANSWER_MAX); /* the deadline counts for the dial too */
    turn(TIMEOUT_MS);
    assert_int_equal(a[3].err, E_TIMEOUT);
    assert_int_equal(world.dials_cancelled, 1);
}

static void test_failures(void **state)
{
    struct asked a[4] = {0};

    (void)state;
    world.open_err = E_UNSUPPORTED;
    start(&a[0], 0, ANSWER_MAX);
    turn(0);
    assert_int_equal(a[0].err, E_UNSUPPORTED);
    world.open_err = OK;
    world.write_err = E_LIMIT;
    start(&a[1], 0, ANSWER_MAX);
    turn(0);
    assert_int_equal(a[1].err, E_LIMIT);
    assert_true(world.streams[0].reset);
    world.write_err = OK;
    start(&a[2], 0, ANSWER_MAX);
    happen(2, SWARM_STREAM_OPEN, BYTES_EMPTY, E_UNSUPPORTED);
    turn(0);
    assert_int_equal(a[2].err, E_UNSUPPORTED);
    world.connected = false;
    world.dial_err = E_LIMIT;
    start(&a[3], 1, ANSWER_MAX);
    turn(0);
    assert_int_equal(a[3].err, E_AGAIN); /* no fault of the peer */
}

static void test_free_tells_nobody(void **state)
{
    struct asked a[2] = {0};

    start(&a[0], 0, ANSWER_MAX);
    world.connected = false;
    start(&a[1], 1, ANSWER_MAX);
    size_t n = peer_opens();
    feed(n, "\x05hel");
    (void)tear_down(state);
    (void)set_up(state);
    assert_int_equal(a[0].done + a[1].done, 0);
}

static void test_idle_streams_end(void **state)
{
    struct asked a = {0};

    (void)state;
    start(&a, 0, ANSWER_MAX);
    feed(1, "\x01x");
    size_t silent = peer_opens();
    turn(RPC_IDLE_MS - 1);
    assert_true(world.streams[0].open);
    turn(1);
    assert_false(world.streams[0].open);
    assert_false(world.streams[silent - 1].open);
}

/* Serving. */

static void test_requests(void **state)
{
    (void)state;
    size_t n = peer_opens();
    world.how = ECHO;
    feed(n, "\x02hi\x03you\x01");
    assert_int_equal(world.requests_count, 2);
    assert_memory_equal(world.streams[n - 1].sent, "\x02hi\x03you", 7);
    assert_int_equal(world.streams[n - 1].consumed, 7);
    feed(n, "!");
    assert_int_equal(world.requests_count, 3);
    happen(n, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
    assert_true(world.streams[n - 1].closed);
    assert_false(world.streams[n - 1].reset);
}

/* Others wait for the answer, and are not consumed. */
static void test_one_at_a_time(void **state)
{
    (void)state;
    size_t n = peer_opens();
    feed(n, "\x02hi\x03you");
    assert_int_equal(world.requests_count, 1);
    assert_int_equal(world.streams[n - 1].consumed, 3);
    happen(n, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
    assert_int_equal(world.requests_count, 1);
    rpc_answer(world.rpc, world.requests[0], BYTES_LIT("1"), world.env.now);
    assert_int_equal(world.requests_count, 2);
    assert_int_equal(world.streams[n - 1].consumed, 7);
    assert_false(world.streams[n - 1].closed);
    rpc_answer(world.rpc, world.requests[1], BYTES_LIT("2"), world.env.now);
    assert_memory_equal(world.streams[n - 1].sent,
                        "\x01"
                        "1\x01"
                        "2",
                        4);
    assert_true(world.streams[n - 1].closed);
    /* An answer to what is over goes nowhere. */
    rpc_answer(world.rpc, world.requests[0], BYTES_LIT("3"), world.env.now);
    assert_int_equal(world.streams[n - 1].sent_len, 4);
}

static void test_request_limit(void **state)
{
    uint8_t room[REQUEST_MAX + 10];

    (void)state;
    size_t n = peer_opens();
    world.how = ECHO;
    happen(n, SWARM_STREAM_DATA, message(REQUEST_MAX, room, sizeof(room)), OK);
    assert_int_equal(world.last_len, REQUEST_MAX);
    struct bytes longer = message(REQUEST_MAX + 1, room, sizeof(room));
    longer.len = 2;
    happen(n, SWARM_STREAM_DATA, longer, OK);
    assert_true(world.streams[n - 1].reset);
    assert_int_equal(world.streams[n - 1].code, SWARM_RESET_VIOLATION);
    assert_int_equal(world.requests_count, 1);
}

static void test_bad_requests(void **state)
{
    static const char *const bad[] = {
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\xff\xff\x7f"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t n = peer_opens();
        feed(n, bad[i]);
        assert_true(world.streams[n - 1].reset);
    }
    size_t n = peer_opens();
    feed(n, "\x05hal"); /* its end comes in the middle */
    happen(n, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
    assert_true(world.streams[n - 1].reset);
    assert_int_equal(world.streams[n - 1].code, SWARM_RESET_VIOLATION);
    assert_int_equal(world.requests_count, 0);
}

static void test_refused(void **state)
{
    (void)state;
    world.how = REFUSE;
    size_t n = peer_opens();
    feed(n, "\x02hi\x02ho");
    assert_int_equal(world.requests_count, 1);
    assert_true(world.streams[n - 1].reset);
    assert_int_equal(world.streams[n - 1].code, RPC_REFUSE_RATE);
    world.how = KEEP;
    n = peer_opens();
    feed(n, "\x02hi");
    rpc_refuse(world.rpc, world.requests[1], RPC_REFUSE_VIOLATION);
    assert_int_equal(world.streams[n - 1].code, RPC_REFUSE_VIOLATION);
    rpc_refuse(world.rpc, world.requests[1], RPC_REFUSE_VIOLATION);
    rpc_silent(world.rpc, world.requests[1], world.env.now);
}

static void test_silent(void **state)
{
    (void)state;
    world.how = SILENT;
    size_t n = peer_opens();
    feed(n, "\x02hi\x02ho");
    assert_int_equal(world.requests_count, 2);
    assert_int_equal(world.streams[n - 1].sent_len, 0);
    assert_true(world.streams[n - 1].open);
}

static void test_lost_while_served(void **state)
{
    (void)state;
    size_t n = peer_opens();
    feed(n, "\x02hi");
    happen(n, SWARM_STREAM_RESET, BYTES_EMPTY, E_CLOSED);
    rpc_answer(world.rpc, world.requests[0], BYTES_LIT("1"), world.env.now);
    assert_int_equal(world.streams[n - 1].sent_len, 0);
}

static void test_answer_is_not_taken(void **state)
{
    (void)state;
    size_t n = peer_opens();
    world.how = ECHO;
    world.write_err = E_LIMIT;
    feed(n, "\x02hi\x02ho");
    assert_int_equal(world.requests_count, 1);
    assert_true(world.streams[n - 1].reset);
    assert_int_equal(world.streams[n - 1].code, SWARM_RESET_LIMIT);
}

/* Who does not read its answers is not served further. */
static void test_unread_answers(void **state)
{
    (void)state;
    size_t n = peer_opens();
    world.how = ECHO;
    world.streams[n - 1].queued = 64 * 1024 + 1;
    feed(n, "\x02hi\x02ho\x02hu");
    assert_int_equal(world.requests_count, 1);
    turn(1000);
    assert_int_equal(world.requests_count, 1);
    happen(n, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
    assert_false(world.streams[n - 1].closed);
    world.streams[n - 1].queued = 0;
    turn(1000);
    assert_int_equal(world.requests_count, 3);
    assert_true(world.streams[n - 1].closed);
}

/* A request that is being served does not end for being old. */
static void test_long_served(void **state)
{
    (void)state;
    size_t n = peer_opens();
    feed(n, "\x02hi");
    turn(3 * RPC_IDLE_MS);
    assert_true(world.streams[n - 1].open);
    rpc_answer(world.rpc, world.requests[0], BYTES_LIT("1"), world.env.now);
    assert_int_equal(world.streams[n - 1].sent_len, 2);
    turn(RPC_IDLE_MS);
    assert_false(world.streams[n - 1].open);
}

/* Any bytes in any pieces: no more is given out than came whole. */
static void test_any_pieces(void **state)
{
    static const char all[] = "\x02hi\x00\x03you\x05hello";

    (void)state;
    world.how = ECHO;
    for (size_t first = 0; first < sizeof(all) - 1; first++) {
        size_t n = peer_opens();
        world.requests_count = 0;
        struct bytes head = {.p = (const uint8_t *)all, .len = first};
        struct bytes tail = {.p = head.p + first,
                             .len = sizeof(all) - 1 - first};
        if (first > 0)
            happen(n, SWARM_STREAM_DATA, head, OK);
        happen(n, SWARM_STREAM_DATA, tail, OK);
        assert_int_equal(world.requests_count, 4);
        assert_int_equal(world.streams[n - 1].consumed, sizeof(all) - 1);
        assert_memory_equal(world.streams[n - 1].sent, all, sizeof(all) - 1);
        happen(n, SWARM_STREAM_EOF, BYTES_EMPTY, OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answer),
        TEST(test_stream_is_used_again),
        TEST(test_old_stream_is_tried_anew),
        cmocka_unit_test_setup_teardown(test_one_request_a_stream, set_up_one,
                                        tear_down),
        TEST(test_no_answer_wanted),
        TEST(test_timeout),
        TEST(test_slow_answer),
        TEST(test_answer_limit),
        TEST(test_malformed_answer),
        TEST(test_two_answers),
        TEST(test_cancel),
        TEST(test_dialing),
        TEST(test_failures),
        TEST(test_free_tells_nobody),
        TEST(test_idle_streams_end),
        TEST(test_requests),
        TEST(test_one_at_a_time),
        TEST(test_request_limit),
        TEST(test_bad_requests),
        TEST(test_refused),
        TEST(test_silent),
        TEST(test_lost_while_served),
        TEST(test_answer_is_not_taken),
        TEST(test_unread_answers),
        TEST(test_long_served),
        TEST(test_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
