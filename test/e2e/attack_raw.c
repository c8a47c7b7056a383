/* Attacks before anything is encrypted. */
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/wr.h"

#define HEADER   "\x13/multistream/1.0.0\n"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SILENCE_MS = 16500, CHURN = 200, PROPOSAL_MAX = 64 };

/* What a connection may begin with, and need not lead to a long stay. */
static const struct bytes beginnings[] = {
    {(const uint8_t *)"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "
                      "Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n",
     80},
    {(const uint8_t *)"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                      "0123456789abcdef0123456789abcdef",
     43},
    {(const uint8_t *)"\x13/multistream/2.0.0\n", 20},
    {(const uint8_t *)"\x00", 1},
    {(const uint8_t *)"\x13/multistream/1.0.0/", 20},
    {(const uint8_t *)"\x81\x08xxxxxxxxxxxx", 14},
    {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    {(const uint8_t *)"\x80\x00", 2},
    {(const uint8_t *)HEADER "\x00", 21},
    {(const uint8_t *)HEADER "\x06/noise", 27},
    {(const uint8_t *)HEADER "\xff\xff\x7f", 23},
    {(const uint8_t *)HEADER "\x00\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00",
     31},
};

enum {
    HTTP,
    TLS,
    OTHER_VERSION,
    ZERO_LENGTH,
    NO_NEWLINE,
    LONG_TOKEN,
    LONG_VARINT,
    PADDED_VARINT,
    ZERO_PROPOSAL,
    SHORT_PROPOSAL,
    LONG_PROPOSAL,
    BARE_YAMUX,
};

static enum verdict begin_with(struct run *r, int which)
{
    struct link *l = link_open(r);
    (void)link_raw(l, beginnings[which].p, beginnings[which].len);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict garbage(struct run *r, int len)
{
    static uint8_t room[1 << 20];
    struct link *l = link_open(r);

    random_fill(room, (size_t)len);
    (void)link_raw(l, room, (size_t)len);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict half_close(struct run *r, int len)
{
    struct link *l = link_open(r);
    (void)link_raw(l, HEADER "\x07/noise\n", (size_t)len);
    link_half_close(l);
    return ends_free(l, must_drop_ms(r));
}

/* Silence after so many bytes. */
static enum verdict silence(struct run *r, int len)
{
    struct link *l = link_open(r);
    (void)link_raw(l, HEADER "\x07/noise\n", (size_t)len);
    return ends_free(l, SILENCE_MS);
}

static enum verdict slowloris(struct run *r, int unused)
{
    static const char text[] = HEADER "\x07/noise\n";
    static const char na[] = "\x03na\n";
    struct link *l = link_open(r);
    uint64_t end = now_ms() + SILENCE_MS;

    (void)unused;
    for (size_t i = 0; !l->closed && now_ms() < end; i++) {
        (void)link_raw(l, i < 20 ? &text[i] : &na[i % 4], 1);
        link_pump(l, 300);
    }
    return ends_free(l, 0);
}

static size_t put_token(char *dst, const char *text)
{
    struct wr w = wr_init((uint8_t *)dst, PROPOSAL_MAX);

    wr_u8(&w, (uint8_t)(strlen(text) + 1));
    wr_bytes(&w, bytes_str(text));
    wr_u8(&w, '\n');
    return wr_len(&w);
}

/* So many proposals that are not known, then the right one. */
static enum verdict proposals(struct run *r, int count)
{
    static char batch[16384];
    size_t len = 0;
    struct link *l = link_open(r);

    len += put_token(batch, "/multistream/1.0.0");
    for (int i = 0; i < count; i++) {
        char name[24];
        (void)snprintf(name, sizeof(name), "/no/%d", i);
        len += put_token(batch + len, name);
    }
    len += put_token(batch + len, "/noise");
    (void)link_raw(l, batch, len);
    size_t answer = 20 + 4 * (size_t)count + 8;
    bool all = link_wait_bytes(l, answer, 500) &&
               memcmp(l->in + answer - 8, "\x07/noise\n", 8) == 0;
    if (!all)
        return ends_free(l, must_drop_ms(r));
    link_free(l);
    return ANSWERED;
}

static enum verdict proposal_flood(struct run *r, int unused)
{
    static char batch[32768];
    size_t len = 0;
    struct link *l = link_open(r);
    uint64_t end = now_ms() + r->flood_ms;

    (void)unused;
    while (len < 30000)
        len += put_token(batch + len, "na");
    (void)link_raw(l, HEADER, 20);
    while (!l->closed && now_ms() < end)
        (void)link_raw(l, batch, len);
    return ends_free(l, 1000);
}

static enum verdict one_proposal(struct run *r, int which)
{
    static const char *const names[] = {
        "ls", "/noise2",           "/nois", "/Noise", "/tls/1.0.0",
        "",   "/multistream/1.0.0"};
    struct link *l = link_open(r);

    (void)link_raw(l, HEADER, 20);
    (void)link_text(l, names[which]);
    bool na =
        link_wait_bytes(l, 24, 500) && memcmp(l->in + 20, "\x03na\n", 4) == 0;
    if (!na)
        return ends_free(l, must_drop_ms(r));
    link_free(l);
    return ANSWERED;
}

static enum verdict longest_proposals(struct run *r, int unused)
{
    char name[1024];
    struct link *l = link_open(r);

    (void)unused;
    memset(name, 'x', 1023);
    name[1023] = '\0';
    (void)link_raw(l, HEADER, 20);
    for (int i = 0; i < 70 && !l->closed; i++)
        (void)link_text(l, name);
    return ends_free(l, must_drop_ms(r));
}

/* An honest handshake in single bytes. */
static enum verdict byte_by_byte(struct run *r, int unused)
{
    static const char text[] = HEADER "\x07/noise\n";
    uint8_t payload[1024];
    static uint8_t frame[4096];
    struct link *l = link_open(r);

    (void)unused;
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        (void)link_raw(l, &text[i], 1);
    if (!link_wait_bytes(l, 28, PATIENCE_MS)) {
        link_free(l);
        return WRONG;
    }
    link_skip(l, 28);
    struct bytes p = {.p = payload,
                      .len = link_payload(l, payload, sizeof(payload))};
    if (!link_read_message2(l)) {
        link_free(l);
        return WRONG;
    }
    size_t len = link_message3(l, l->keys.public_key, p, frame, sizeof(frame));
    for (size_t i = 0; i < len; i++)
        (void)link_raw(l, frame + i, 1);
    link_split(l);
    return ends_free(l, 0);
}

/* Connections that end at once: 0 by FIN, 1 by RST. */
static enum verdict churn(struct run *r, int by_reset)
{
    for (int i = 0; i < CHURN; i++) {
        struct link *l = link_open(r);
        if (by_reset == 1)
            link_abort(l);
        else
            link_free(l);
    }
    r->from ^= 0x400; /* the next one comes from elsewhere */
    return ends_free(link_session(r), 0);
}

static const struct attack rows[] = {
    {"raw_garbage_100", "100 random bytes", DROPPED, 16500, SLOW, 100, garbage},
    {"raw_garbage_4k", "4 KiB of random bytes", DROPPED, 0, 0, 4096, garbage},
    {"raw_garbage_1m", "1 MiB of random bytes", DROPPED, 0, 0, 1 << 20,
     garbage},
    {"raw_http", "a request of HTTP", DROPPED, 0, 0, HTTP, begin_with},
    {"raw_tls", "a hello of TLS", DROPPED, 0, 0, TLS, begin_with},
    {"raw_other_version", "multistream 2", DROPPED, 0, 0, OTHER_VERSION,
     begin_with},
    {"raw_zero_length", "a token of no bytes", DROPPED, 0, 0, ZERO_LENGTH,
     begin_with},
    {"raw_no_newline", "a header without its newline", DROPPED, 0, 0,
     NO_NEWLINE, begin_with},
    {"raw_long_token", "a token of 1025 bytes", DROPPED, 0, 0, LONG_TOKEN,
     begin_with},
    {"raw_long_varint", "a length of 10 bytes", DROPPED, 0, 0, LONG_VARINT,
     begin_with},
    {"raw_padded_varint", "a length that is not minimal", DROPPED, 0, 0,
     PADDED_VARINT, begin_with},
    {"raw_zero_proposal", "a proposal of no bytes", DROPPED, 0, 0,
     ZERO_PROPOSAL, begin_with},
    {"raw_short_proposal", "a proposal without its newline", DROPPED, 0, 0,
     SHORT_PROPOSAL, begin_with},
    {"raw_long_proposal", "a proposal of 2 MiB", DROPPED, 0, 0, LONG_PROPOSAL,
     begin_with},
    {"raw_bare_yamux", "Yamux without Noise", DROPPED, 0, 0, BARE_YAMUX,
     begin_with},
    {"raw_half_close_0", "closes its half at once", DROPPED, 0, 0, 0,
     half_close},
    {"raw_half_close_20", "closes its half after the header", DROPPED, 0, 0, 20,
     half_close},
    {"raw_half_close_28", "closes its half after /noise", DROPPED, 0, 0, 28,
     half_close},
    {"raw_silence_0", "says nothing", DROPPED, SILENCE_MS, SLOW, 0, silence},
    {"raw_silence_20", "nothing after the header", DROPPED, SILENCE_MS, SLOW,
     20, silence},
    {"raw_silence_28", "nothing after /noise", DROPPED, SILENCE_MS, SLOW, 28,
     silence},
    {"raw_slowloris", "a byte each 300 ms", DROPPED, SILENCE_MS, SLOW, 0,
     slowloris},
    {"raw_proposals_63", "63 unknown proposals, then /noise", ANSWERED, 0, 0,
     63, proposals},
    {"raw_proposals_100", "100 unknown proposals", DROPPED, 0, 0, 100,
     proposals},
    {"raw_proposal_flood", "proposals of na without end", DROPPED, 0, 0, 0,
     proposal_flood},
    {"raw_longest_proposals", "70 proposals of 1024 bytes", DROPPED, 0, 0, 0,
     longest_proposals},
    {"raw_ls", "ls", ANSWERED, 0, 0, 0, one_proposal},
    {"raw_noise2", "a longer name of /noise", ANSWERED, 0, 0, 1, one_proposal},
    {"raw_nois", "a shorter name of /noise", ANSWERED, 0, 0, 2, one_proposal},
    {"raw_case", "/Noise", ANSWERED, 0, 0, 3, one_proposal},
    {"raw_tls_proposal", "/tls/1.0.0", ANSWERED, 0, 0, 4, one_proposal},
    {"raw_empty_proposal", "a proposal that is a newline", ANSWERED | DROPPED,
     0, 0, 5, one_proposal},
    {"raw_header_twice", "the header as proposal", ANSWERED | DROPPED, 0, 0, 6,
     one_proposal},
    {"raw_byte_by_byte", "an honest handshake in single bytes", TOLERATED, 0, 0,
     0, byte_by_byte},
    {"raw_churn_fin", "200 connections that close at once", TOLERATED, 0, 0, 0,
     churn},
    {"raw_churn_rst", "200 connections that reset at once", TOLERATED, 0, 0, 1,
     churn},
};

struct attacks attacks_raw(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
