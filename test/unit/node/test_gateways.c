/*
 * Goal: what an answer means, and what follows from it: a block, another
 * source, a rest that doubles, an end; nothing is asked of a gateway that
 * rests; all together hold no more than they may.
 * Method: the web and the clock are played by the test, the client of bitswap
 * is the real one with one session.
 */
#include "base/attr.h"
#include "bitswap/client.h"
#include "crypto/sha256.h"
#include "env/web.h"
#include "multiformats/multicodec.h"
#include "node/gateways.h"
#include "node/log.h"
#include "played_env.h"

#include "test.h"

enum { REQUESTS_MAX = 256, HOUR_MS = 3600 * 1000 };

static const char *const urls[] = {
    "https://one.example/", "http://127.0.0.1:8080", "https://one.example"};

static const char *const many[] = {"https://g0.example", "https://g1.example",
                                   "https://g2.example", "https://g3.example",
                                   "https://g4.example", "https://g5.example",
                                   "https://g6.example", "https://g7.example"};

/* What was asked of the web; NULL: answered or taken back. */
struct world {
    struct played_env env;
    struct web web;
    struct web_get *gets[REQUESTS_MAX];
    char url[REQUESTS_MAX][WEB_URL_MAX + 1];
    size_t count;
    size_t canceled;
    enum err refuses; /* what get() says */
    struct log log;
    struct bs_client *client;
    struct bs_session *session;
    struct gateways *gateways;
    size_t got;
    size_t missing;
    size_t looked;
};

static struct world world; /* NOLINT: of this test alone */

static enum err play_get(struct web *w, struct web_get *g)
{
    (void)w;
    if (world.refuses != OK)
        return world.refuses;
    assert_true(world.count < REQUESTS_MAX);
    assert_string_equal(g->accept, "application/vnd.ipld.raw");
    assert_string_equal(g->agent, "xmbl/9.9");
    assert_int_equal(g->body_max, strstr(g->url, "/bafkqaaa?") != NULL
                                      ? 64 * 1024
                                      : 2 * 1024 * 1024);
    memcpy(world.url[world.count], g->url, strlen(g->url) + 1);
    world.gets[world.count++] = g;
    return OK;
}

static void play_cancel(struct web *w, struct web_get *g)
{
    (void)w;
    for (size_t i = 0; i < world.count; i++) {
        if (world.gets[i] != g)
            continue;
        world.gets[i] = NULL;
        world.canceled++;
        return;
    }
    fail();
}

static void take(struct bs_client_out *out)
{
    struct mtime now = world.env.now;
    struct multihash hash;

    switch (out->kind) {
    case BS_CLIENT_FETCH:
        gateways_fetch(world.gateways, &out->peer, &out->cid, now);
        break;
    case BS_CLIENT_UNFETCH:
        gateways_unfetch(world.gateways, &out->peer, &out->cid);
        break;
    case BS_CLIENT_HASH:
        hash = multihash_sha256(out->data.bytes);
        bs_client_on_hashed(world.client, out->hash_id,
                            (struct bytes){hash.digest, hash.len}, now);
        slice_release(&out->data);
        break;
    case BS_CLIENT_GOT:
        world.got++;
        assert_non_null(gateways_url(world.gateways, &out->peer));
        slice_release(&out->data);
        break;
    case BS_CLIENT_MISSING:
        world.missing++;
        break;
    case BS_CLIENT_FAULT:
        assert_int_equal(out->fault, BS_FAULT_LIE);
        gateways_lied(world.gateways, &out->peer, now);
        break;
    case BS_CLIENT_SEND:
        fail(); /* there is no peer */
        break;
    }
}

static void drain(void)
{
    struct bs_client_out out;

    while (bs_client_next(world.client, &out))
        take(&out);
}

static void pass(uint32_t ms)
{
    played_env_pass(&world.env, ms);
    bs_client_on_time(world.client, world.env.now);
    drain();
}

static int setup_with(const char *const *names, size_t count)
{
    struct bs_client_config client = {.seed = {1}};
    struct gateways_config config = {.env = &world.env.env,
                                     .log = &world.log,
                                     .version = "9.9",
                                     .urls = names,
                                     .count = count};

    memset(&world, 0, sizeof(world));
    played_env_init(&world.env);
    world.web = (struct web){.get = play_get, .cancel = play_cancel};
    world.env.env.web = &world.web;
    world.client = bs_client_new(&client, world.env.now);
    config.client = world.client;
    world.gateways = gateways_new(&config, world.env.now);
    assert_int_equal(
        bs_session_open(world.client, BS_CLASS_NORMAL, &world.session), OK);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(urls, 1);
}

static int teardown(void **state)
{
    (void)state;
    gateways_free(world.gateways);
    for (size_t i = 0; i < world.count; i++)
        assert_null(world.gets[i]); /* all that was begun has ended */
    assert_true(played_env_idle(&world.env));
    bs_client_free(world.client);
    return 0;
}

/* Block @n: its number, as text. */
static struct buf *block_of(uint32_t n)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "block %u", (unsigned)n);

    return buf_copy((struct bytes){(uint8_t *)text, (size_t)len});
}

static struct cid cid_no(uint32_t n)
{
    struct buf *b = block_of(n);
    struct cid cid = cid_of(CODEC_RAW, buf_bytes(b));

    buf_unref(b);
    return cid;
}

static void want(uint32_t n)
{
    struct bs_want w = {.cid = cid_no(n), .id = n};

    gateways_wanted(world.gateways);
    assert_int_equal(
        bs_session_want(world.client, world.session, &w, world.env.now), OK);
    drain();
}

static void answer(size_t at, const struct web_answer *a)
{
    struct web_get *g = world.gets[at];

    assert_non_null(g);
    world.gets[at] = NULL;
    g->done(g, a, world.env.now);
    drain();
}

/* Request @at is answered with block @n. */
static void give(size_t at, uint32_t n)
{
    struct web_answer a = {.status = 200, .body = block_of(n)};

    memcpy(a.type, GATEWAY_TYPE, sizeof(GATEWAY_TYPE));
    answer(at, &a);
    buf_unref(a.body);
}

static void give_empty(size_t at)
{
    struct web_answer a = {.status = 200, .body = buf_new(0)};

    memcpy(a.type, GATEWAY_TYPE, sizeof(GATEWAY_TYPE));
    answer(at, &a);
    buf_unref(a.body);
}

static void give_status(size_t at, unsigned status, uint32_t retry_after_s)
{
    struct web_answer a = {
        .status = status, .retry_after_s = retry_after_s, .body = buf_new(0)};

    answer(at, &a);
    buf_unref(a.body);
}

static void give_err(size_t at, enum err err)
{
    struct web_answer a = {.err = err, .why = "why"};

    answer(at, &a);
}

static bool is_probe(size_t at)
{
    return strcmp(world.url[at],
                  "https://one.example/ipfs/bafkqaaa?format=raw") == 0;
}

/* The rules. */

static void test_verdicts(void **state)
{
    static const struct {
        unsigned status;
        enum gateway_verdict verdict;
    } rows[] = {
        {0, GATEWAY_WRONG},     {100, GATEWAY_WRONG},   {204, GATEWAY_WRONG},
        {206, GATEWAY_WRONG},   {304, GATEWAY_WRONG},   {399, GATEWAY_WRONG},
        {400, GATEWAY_HAS_NOT}, {401, GATEWAY_WRONG},   {403, GATEWAY_HAS_NOT},
        {404, GATEWAY_HAS_NOT}, {405, GATEWAY_WRONG},   {406, GATEWAY_WRONG},
        {408, GATEWAY_BUSY},    {410, GATEWAY_HAS_NOT}, {425, GATEWAY_BUSY},
        {429, GATEWAY_BUSY},    {451, GATEWAY_HAS_NOT}, {500, GATEWAY_BUSY},
        {501, GATEWAY_WRONG},   {502, GATEWAY_BUSY},    {503, GATEWAY_BUSY},
        {504, GATEWAY_HAS_NOT}, {505, GATEWAY_WRONG},   {599, GATEWAY_BUSY},
        {600, GATEWAY_WRONG},   {999, GATEWAY_WRONG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct web_answer a = {.status = rows[i].status};
        if (gateway_judge(&a) != rows[i].verdict)
            fail_msg("status %u", rows[i].status);
    }
}

static void test_verdicts_of_failures(void **state)
{
    static const struct {
        enum err err;
        enum gateway_verdict verdict;
    } rows[] = {
        {E_NOTFOUND, GATEWAY_BUSY},   {E_REFUSED, GATEWAY_BUSY},
        {E_TIMEOUT, GATEWAY_BUSY},    {E_CLOSED, GATEWAY_BUSY},
        {E_IO, GATEWAY_BUSY},         {E_LIMIT, GATEWAY_HAS_NOT},
        {E_MISMATCH, GATEWAY_WRONG},  {E_UNSUPPORTED, GATEWAY_WRONG},
        {E_MALFORMED, GATEWAY_WRONG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct web_answer a = {.err = rows[i].err, .status = 200};
        assert_int_equal(gateway_judge(&a), rows[i].verdict);
        a.status = 429; /* whatever became of the words behind it */
        assert_int_equal(gateway_judge(&a), GATEWAY_BUSY);
    }
}

static void test_types(void **state)
{
    struct web_answer a = {.status = 200};

    (void)state;
    assert_int_equal(gateway_judge(&a), GATEWAY_WRONG);
    memcpy(a.type, "text/html", 10);
    assert_int_equal(gateway_judge(&a), GATEWAY_WRONG);
    memcpy(a.type, "application/vnd.ipld.raw", 25);
    assert_int_equal(gateway_judge(&a), GATEWAY_GIVES);
    memcpy(a.type, "application/octet-stream", 25);
    assert_int_equal(gateway_judge(&a), GATEWAY_GIVES);
    memcpy(a.type, "application/vnd.ipld.car", 25);
    assert_int_equal(gateway_judge(&a), GATEWAY_WRONG);
}

static void test_rests(void **state)
{
    (void)state;
    assert_int_equal(gateway_rest_ms(1, 0), 1000);
    assert_int_equal(gateway_rest_ms(2, 0), 2000);
    assert_int_equal(gateway_rest_ms(9, 0), 256 * 1000);
    assert_int_equal(gateway_rest_ms(10, 0), GATEWAY_REST_MAX_MS);
    assert_int_equal(gateway_rest_ms(UINT32_MAX, 0), GATEWAY_REST_MAX_MS);
    assert_int_equal(gateway_rest_ms(1, 1), 1000);
    assert_int_equal(gateway_rest_ms(1, 7), 7000);
    assert_int_equal(gateway_rest_ms(4, 7), 8000);
    assert_int_equal(gateway_rest_ms(1, 3600), HOUR_MS);
    assert_int_equal(gateway_rest_ms(1, 3601), HOUR_MS);
    assert_int_equal(gateway_rest_ms(1, UINT32_MAX), HOUR_MS);
}

static void test_url(void **state)
{
    char url[WEB_URL_MAX + 1];
    struct cid cid = cid_of(CODEC_RAW, bytes_str("hello world\n"));

    (void)state;
    gateway_block_url("https://one.example", &cid, url);
    assert_string_equal(url, "https://one.example/ipfs/bafkreifjjcie6lypi6ny7am"
                             "xnfftagclbuxndqonfipmb64f2km2devei4?format=raw");
}

/* What follows. */

static void test_block(void **state)
{
    (void)state;
    want(1);
    assert_int_equal(world.count, 1);
    give(0, 1);
    assert_int_equal(world.got, 1);
    assert_int_equal(gateways_ready(world.gateways), 1);
}

static void test_not_found(void **state)
{
    (void)state;
    want(1);
    give_status(0, 404, 0);
    assert_int_equal(world.missing, 1);
    assert_int_equal(gateways_ready(world.gateways), 1);
    want(2);
    give(1, 2);
    assert_int_equal(world.got, 1);
}

static void test_liar(void **state)
{
    (void)state;
    want(1);
    want(2);
    give(0, 3);
    assert_int_equal(world.canceled, 1); /* the other request */
    assert_int_equal(world.got, 0);
    assert_int_equal(gateways_ready(world.gateways), 0);
    pass(HOUR_MS - 1);
    assert_int_equal(world.count, 2);
    pass(1);
    assert_int_equal(world.count, 3);
    assert_true(is_probe(2));
    give_empty(2);
    assert_int_equal(gateways_ready(world.gateways), 1);
    assert_int_equal(world.count, 5);
    give(3, 1);
    give(4, 2);
    assert_int_equal(world.got, 2);
}

static void test_rest_doubles(void **state)
{
    uint32_t ms = 1000;

    (void)state;
    want(1);
    assert_string_equal(gateways_why(world.gateways), "");
    give_status(0, 503, 0);
    assert_string_equal(gateways_why(world.gateways), "status 503");
    for (size_t at = 1; at < 12; at++) {
        pass(ms - 1);
        assert_int_equal(world.count, at);
        pass(1);
        assert_int_equal(world.count, at + 1);
        assert_true(is_probe(at));
        give_err(at, E_REFUSED);
        ms = 2 * ms < GATEWAY_REST_MAX_MS ? 2 * ms : GATEWAY_REST_MAX_MS;
    }
    pass(ms);
    give_empty(12);
    assert_int_equal(world.count, 14);
    give(13, 1);
    assert_int_equal(world.got, 1);
    want(2);
    give_status(14, 503, 0); /* what was good counts: from the beginning */
    pass(1000);
    assert_int_equal(world.count, 16);
    give_empty(15);
    give(16, 2);
}

static void test_retry_after(void **state)
{
    (void)state;
    want(1);
    give_status(0, 429, 30);
    pass(29999);
    assert_int_equal(world.count, 1);
    pass(1);
    assert_true(is_probe(1));
    give_empty(1);
    give(2, 1);
}

/* Nobody is asked for what nobody wants. */
static void test_no_probe_unless_wanted(void **state)
{
    (void)state;
    want(1);
    give_status(0, 500, 0);
    bs_session_unwant(world.client, world.session, 1, world.env.now);
    drain();
    pass(HOUR_MS);
    assert_int_equal(world.count, 1);
    want(2);
    assert_int_equal(world.count, 2);
    assert_true(is_probe(1));
    want(3);
    assert_int_equal(world.count, 2); /* one is under way */
    give_empty(1);
    assert_int_equal(world.count, 4);
    give(2, 2);
    give(3, 3);
}

/* A probe that brings something shows that it is no gateway. */
static void test_probe_with_a_body(void **state)
{
    (void)state;
    want(1);
    give_status(0, 500, 0);
    pass(1000);
    give(1, 1);
    assert_int_equal(gateways_ready(world.gateways), 0);
    pass(HOUR_MS - 1);
    assert_int_equal(world.count, 2);
    pass(1);
    give_status(2, 404, 0); /* nor if it has not got it */
    pass(HOUR_MS - 1);
    assert_int_equal(world.count, 3);
}

static void test_once_more_after_a_break(void **state)
{
    (void)state;
    want(1);
    give_err(0, E_CLOSED);
    assert_int_equal(world.count, 2);
    assert_string_equal(world.url[0], world.url[1]);
    assert_int_equal(gateways_ready(world.gateways), 1);
    give_err(1, E_CLOSED);
    assert_int_equal(world.count, 2);
    assert_int_equal(gateways_ready(world.gateways), 0);
}

static void test_too_long(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < GATEWAY_OVERSIZED_MAX - 1; n++) {
        want(n);
        give_err(n, E_LIMIT);
        assert_int_equal(gateways_ready(world.gateways), 1);
    }
    want(10);
    give(3, 10); /* what is good counts */
    for (uint32_t n = 0; n < GATEWAY_OVERSIZED_MAX; n++) {
        assert_int_equal(gateways_ready(world.gateways), 1);
        want(20 + n);
        give_err(4 + n, E_LIMIT);
    }
    assert_int_equal(gateways_ready(world.gateways), 0);
    pass(GATEWAY_REST_MAX_MS);
    assert_int_equal(world.count, 8);
}

static void test_web_refuses(void **state)
{
    (void)state;
    world.refuses = E_UNSUPPORTED;
    want(1);
    assert_int_equal(world.missing, 1);
    assert_int_equal(gateways_ready(world.gateways), 0);
    world.refuses = OK;
    pass(GATEWAY_REST_MAX_MS);
    assert_int_equal(world.count, 1);
}

static void test_unwanted_request_ends(void **state)
{
    (void)state;
    want(1);
    bs_session_unwant(world.client, world.session, 1, world.env.now);
    drain();
    assert_int_equal(world.canceled, 1);
    assert_null(world.gets[0]);
}

/* The same one twice is one; each has a name of its own. */
static void test_several(void **state)
{
    (void)state;
    assert_int_equal(teardown(NULL), 0);
    assert_int_equal(setup_with(urls, 3), 0);
    assert_int_equal(gateways_count(world.gateways), 2);
    want(1);
    assert_int_equal(world.count, 1);
    give_status(0, 404, 0);
    assert_int_equal(world.count, 2);
    assert_memory_not_equal(world.url[0], world.url[1], 12);
    give(1, 1);
    assert_int_equal(world.got, 1);
}

static void on_looked(struct gateways_look *l, struct mtime now)
{
    (void)l;
    (void)now;
    world.looked++;
}

static void test_look(void **state)
{
    struct gateways_look look = {.done = on_looked};
    struct cid cid = cid_no(1);

    (void)state;
    assert_int_equal(teardown(NULL), 0);
    assert_int_equal(setup_with(urls, 2), 0);
    gateways_look(world.gateways, &look, &cid, 5000);
    assert_int_equal(look.asked, 2);
    assert_true(world.gets[0]->is_head);
    assert_int_equal(world.gets[1]->total_ms, 5000);
    give_status(0, 404, 0);
    assert_int_equal(world.looked, 0);
    assert_string_equal(look.why, "https://one.example: status 404");
    give_empty(1);
    assert_int_equal(world.looked, 1);
    assert_int_equal(look.have, 1);
    assert_string_equal(look.first, "http://127.0.0.1:8080");
    gateways_look_cancel(&look); /* harmless */
    struct gateways_look again = {.done = on_looked};
    gateways_look(world.gateways, &again, &cid, 5000);
    give_status(3, 404, 0);
    gateways_look_cancel(&again);
    assert_int_equal(world.canceled, 1);
    assert_int_equal(world.looked, 1);
}

/* What all may hold together. */

enum {
    MIB = 1024 * 1024,
    BODIES = 48 * MIB,
    PLACES = BODIES / (2 * MIB),
    ASKED = 16, /* of each */
    SURE = 2,   /* for each, whatever the others do */
};

static int setup_many(void **state)
{
    (void)state;
    return setup_with(many, countof(many));
}

static struct peer_id id_of_many(size_t i)
{
    struct peer_id id = {.len = 34, .bytes = {0x12, 32}};

    sha256(bytes_str(many[i]), id.bytes + 2);
    return id;
}

/* Block @n is to be fetched from gateway @i. */
static void fetch(size_t i, uint32_t n)
{
    struct peer_id id = id_of_many(i);
    struct cid cid = cid_no(n);

    gateways_fetch(world.gateways, &id, &cid, world.env.now);
}

static void unfetch(size_t i, uint32_t n)
{
    struct peer_id id = id_of_many(i);
    struct cid cid = cid_no(n);

    gateways_unfetch(world.gateways, &id, &cid);
}

static bool is_at(size_t at, size_t i)
{
    return strncmp(world.url[at], many[i], strlen(many[i])) == 0;
}

/* Requests at gateway @i that the web works on. */
static size_t live_at(size_t i)
{
    size_t count = 0;

    for (size_t at = 0; at < world.count; at++)
        count += world.gets[at] != NULL && is_at(at, i);
    return count;
}

static size_t live(void)
{
    size_t bytes = 0;
    size_t count = 0;

    for (size_t at = 0; at < world.count; at++) {
        bytes += world.gets[at] != NULL ? world.gets[at]->body_max : 0;
        count += world.gets[at] != NULL;
    }
    assert_true(bytes <= BODIES);
    return count;
}

static void end_all(void)
{
    for (size_t at = 0; at < world.count; at++)
        if (world.gets[at] != NULL)
            give_status(at, 404, 0);
}

static void test_bodies_of_all(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < ASKED; n++)
        for (size_t i = 0; i < countof(many); i++)
            fetch(i, n);
    assert_int_equal(live(), PLACES);
    for (size_t at = 0; at < countof(many) * ASKED; at++) {
        size_t left = countof(many) * ASKED - at;
        assert_int_equal(live(), left < PLACES ? left : PLACES);
        give_status(at, 404, 0); /* the oldest ends, the next begins */
    }
    assert_int_equal(world.count, countof(many) * ASKED);
    for (size_t at = 0; at < world.count; at++)
        for (size_t other = 0; other < at; other++)
            assert_string_not_equal(world.url[at], world.url[other]);
}

/* Who asks much first leaves the others theirs. */
static void test_a_place_for_each(void **state)
{
    size_t shared = PLACES - SURE * countof(many);

    (void)state;
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(0, n);
    assert_int_equal(live_at(0), SURE + shared);
    for (size_t i = 1; i < countof(many); i++) {
        for (uint32_t n = 0; n < ASKED; n++)
            fetch(i, n);
        assert_int_equal(live_at(i), SURE);
    }
    assert_int_equal(live(), PLACES);
    give_status(world.count - 1, 404, 0); /* 7 is as fast as it is */
    assert_int_equal(live_at(7), SURE);
    end_all();
    assert_int_equal(world.count, countof(many) * ASKED);
}

/* A few gateways have as many as they are asked for. */
static void test_one_alone_waits_for_nobody(void **state)
{
    (void)state;
    assert_int_equal(teardown(NULL), 0);
    assert_int_equal(setup_with(many, 1), 0);
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(0, n);
    assert_int_equal(live(), ASKED);
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(0, n); /* the same ones */
    assert_int_equal(world.count, ASKED);
    end_all();
}

static void test_who_waits_can_go(void **state)
{
    size_t most = PLACES - SURE * (countof(many) - 1);

    (void)state;
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(0, n);
    assert_int_equal(world.count, most);
    unfetch(0, (uint32_t)most); /* the first that waits */
    assert_int_equal(world.canceled, 0);
    assert_int_equal(world.count, most);
    unfetch(0, 0); /* one under way: the second that waits begins */
    assert_int_equal(world.canceled, 1);
    assert_int_equal(world.count, most + 1);
    assert_int_equal(live(), most);
    char url[WEB_URL_MAX + 1];
    struct cid cid = cid_no((uint32_t)most + 1);
    gateway_block_url(many[0], &cid, url);
    assert_string_equal(world.url[most], url);
    end_all();
    assert_int_equal(world.count, ASKED - 1);
}

/* What a gateway had that rests is for the others. */
static void test_rest_makes_room(void **state)
{
    struct peer_id liar = id_of_many(0);

    (void)state;
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(0, n);
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(1, n);
    size_t at_most = live_at(0);
    assert_int_equal(live_at(1), SURE);
    gateways_lied(world.gateways, &liar, world.env.now);
    assert_int_equal(live_at(0), 0);
    assert_int_equal(live_at(1), at_most);
    give_status(at_most, 503, 0); /* and so this one; none is left */
    assert_int_equal(live(), 0);
    pass(HOUR_MS);
}

/* The web takes no more: all of that gateway ends, waiting or not. */
static void test_web_refuses_one_that_waits(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < ASKED; n++)
        fetch(0, n);
    world.refuses = E_LIMIT;
    give_status(0, 404, 0);
    assert_int_equal(live(), 0);
    assert_int_equal(gateways_ready(world.gateways), countof(many) - 1);
    world.refuses = OK;
    fetch(1, 1);
    assert_int_equal(live(), 1);
    end_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_verdicts_of_failures),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_url),
        cmocka_unit_test_setup_teardown(test_block, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_liar, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rest_doubles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_probe_unless_wanted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_probe_with_a_body, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_once_more_after_a_break, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_web_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unwanted_request_ends, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_several, setup, teardown),
        cmocka_unit_test_setup_teardown(test_look, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_of_all, setup_many,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_place_for_each, setup_many,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_alone_waits_for_nobody,
                                        setup_many, teardown),
        cmocka_unit_test_setup_teardown(test_who_waits_can_go, setup_many,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_rest_makes_room, setup_many,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_web_refuses_one_that_waits,
                                        setup_many, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
