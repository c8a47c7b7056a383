/* Attacks on the handshake, and on frames that are encrypted. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/wr.h"
#include "multiformats/pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { SILENCE_MS = 16500, ROOM = 70000 };

/* Scratch memory. */
static uint8_t *room(void)
{
    static uint8_t room_bytes[ROOM];
    return room_bytes;
}

/* Message 1. */

static enum verdict message1_of(struct run *r, int len)
{
    struct link *l = link_open(r);

    if (!link_agree(l))
        return ends_free(l, 0);
    random_fill(room(), ROOM);
    room()[0] = (uint8_t)(len >> 8);
    room()[1] = (uint8_t)len;
    (void)link_raw(l, room(), 2 + (size_t)len);
    (void)link_wait_bytes(l, 2, 500);
    bool answered = l->in_len > 0;
    if (answered) {
        link_free(l);
        return ANSWERED;
    }
    return ends_free(l, must_drop_ms(r));
}

/* Points of small order, from the security considerations of RFC 7748. */
static const uint8_t small[][32] = {
    {0},
    {1},
    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
     0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
     0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
     0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
     0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

static enum verdict small_ephemeral(struct run *r, int which)
{
    struct link *l = link_open(r);

    if (!link_agree(l))
        return ends_free(l, 0);
    (void)link_raw(l, "\0\x20", 2);
    (void)link_raw(l, small[which], 32);
    return ends_free(l, must_drop_ms(r));
}

/* Message 3. */

/* A link that has read message 2, or NULL. */
static struct link *before_message3(struct run *r)
{
    struct link *l = link_open(r);

    if (link_agree(l) && link_read_message2(l))
        return l;
    link_free(l);
    return NULL;
}

static size_t good_message3(struct link *l)
{
    uint8_t payload[1024];
    struct bytes p = {.p = payload,
                      .len = link_payload(l, payload, sizeof(payload))};
    return link_message3(l, l->keys.public_key, p, room(), ROOM);
}

static enum verdict message3_of(struct run *r, int len)
{
    struct link *l = before_message3(r);

    if (l == NULL)
        return BROKEN;
    (void)good_message3(l);
    room()[0] = (uint8_t)(len >> 8);
    room()[1] = (uint8_t)len;
    (void)link_raw(l, room(), 2 + (size_t)len);
    return ends_free(l, must_drop_ms(r));
}

/* A bit of byte @at, from the end when negative. */
static enum verdict message3_flipped(struct run *r, int at)
{
    struct link *l = before_message3(r);

    if (l == NULL)
        return BROKEN;
    size_t len = good_message3(l);
    room()[at >= 0 ? (size_t)at : len - (size_t)-at] ^= 0x10;
    (void)link_raw(l, room(), len);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict small_static(struct run *r, int which)
{
    uint8_t payload[1024];
    struct link *l = before_message3(r);

    if (l == NULL)
        return BROKEN;
    struct bytes p = {.p = payload,
                      .len = link_payload(l, payload, sizeof(payload))};
    size_t len = link_message3(l, small[which], p, room(), ROOM);
    (void)link_raw(l, room(), len);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict truncated(struct run *r, int cut)
{
    struct link *l = before_message3(r);

    if (l == NULL)
        return BROKEN;
    size_t len = good_message3(l) - (size_t)cut;
    room()[0] = (uint8_t)((len - 2) >> 8);
    room()[1] = (uint8_t)(len - 2);
    (void)link_raw(l, room(), len);
    return ends_free(l, must_drop_ms(r));
}

/* Payloads. */

enum payload {
    WRONG_SIGNATURE,
    OTHERS_KEY,
    OTHERS_PAYLOAD,
    NO_PAYLOAD,
    NO_SIGNATURE,
    NO_KEY,
    BAD_PROTOBUF,
    KEY_TYPE_9,
    KEY_RSA_JUNK,
    LONG_SIGNATURE,
    PAYLOAD_9000,
    PAYLOAD_MAX,
    NO_MUXERS,
    MUXERS_101,
    OTHER_MUXER,
    EMPTY_MUXER,
    LATER_MUXER,
    TWO_KEYS,
    UNKNOWN_FIELDS,
};

static void put_key(struct link *l, struct wr *w)
{
    uint8_t key[PUBKEY_BYTES_MAX];
    struct wr k = wr_init(key, sizeof(key));
    struct pubkey public_key = privkey_public(&l->key);

    pubkey_write(&k, &public_key);
    pb_put_bytes(w, 1, (struct bytes){.p = key, .len = wr_len(&k)});
}

static void put_signature(struct link *l, struct wr *w)
{
    uint8_t text[64];
    uint8_t sig[ED25519_SIG_BYTES];
    struct wr t = wr_init(text, sizeof(text));

    wr_bytes(&t, BYTES_LIT("noise-libp2p-static-key:"));
    wr_bytes(&t, (struct bytes){.p = l->keys.public_key, .len = 32});
    privkey_sign(&l->key, (struct bytes){.p = text, .len = wr_len(&t)}, sig);
    pb_put_bytes(w, 2, (struct bytes){.p = sig, .len = sizeof(sig)});
}

static void put_muxers(struct wr *w, const char *name, int count)
{
    uint8_t list[4096];
    struct wr x = wr_init(list, sizeof(list));

    for (int i = 0; i < count; i++)
        pb_put_bytes(&x, 2, bytes_str(name));
    pb_put_bytes(w, 4, (struct bytes){.p = list, .len = wr_len(&x)});
}

static void put_bad_identity(struct link *l, enum payload which, struct wr *w)
{
    static uint8_t junk[66000];
    static const uint8_t rsa_head[] = {8, KEY_RSA, 0x12, 0xac, 2};
    struct link *other = link_open(l->run);

    switch ((int)which) {
    case OTHERS_KEY:
        put_key(other, w);
        put_signature(l, w);
        break;
    case OTHERS_PAYLOAD:
        put_key(other, w);
        put_signature(other, w);
        break;
    case WRONG_SIGNATURE:
        put_key(l, w);
        random_fill(junk, 64);
        pb_put_bytes(w, 2, (struct bytes){.p = junk, .len = 64});
        break;
    case NO_SIGNATURE:
        put_key(l, w);
        break;
    case NO_KEY:
        put_signature(l, w);
        break;
    case BAD_PROTOBUF:
        wr_bytes(w, BYTES_LIT("\x0a\xff\xff\xff\xff\x0fxx"));
        break;
    case KEY_TYPE_9:
        pb_put_bytes(w, 1,
                     BYTES_LIT("\x08\x09\x12\x04"
                               "abcd"));
        put_signature(l, w);
        break;
    case KEY_RSA_JUNK:
        random_fill(junk, 304);
        memcpy(junk, rsa_head, sizeof(rsa_head));
        pb_put_bytes(w, 1, (struct bytes){.p = junk, .len = 305});
        pb_put_bytes(w, 2, (struct bytes){.p = junk, .len = 256});
        break;
    case LONG_SIGNATURE:
        put_key(l, w);
        pb_put_bytes(w, 2, (struct bytes){.p = junk, .len = 4000});
        break;
    case PAYLOAD_9000:
    case PAYLOAD_MAX:
        put_key(l, w);
        put_signature(l, w);
        pb_put_bytes(
            w, 15,
            (struct bytes){.p = junk,
                           .len = which == PAYLOAD_9000 ? 9000 : 65000});
        break;
    case TWO_KEYS:
        put_key(other, w);
        put_signature(other, w);
        put_key(l, w);
        put_signature(l, w);
        put_muxers(w, "/yamux/1.0.0", 1);
        break;
    case UNKNOWN_FIELDS:
        put_key(l, w);
        put_signature(l, w);
        put_muxers(w, "/yamux/1.0.0", 1);
        pb_put_bytes(w, 1000, (struct bytes){.p = junk, .len = 2000});
        pb_put_uint(w, 77, 5);
        break;
    default:
        break;
    }
    link_free(other);
}

static enum verdict payload(struct run *r, int which)
{
    static uint8_t text[66000];
    struct wr w = wr_init(text, sizeof(text));
    struct link *l = before_message3(r);

    if (l == NULL)
        return BROKEN;
    put_bad_identity(l, (enum payload)which, &w);
    struct bytes p = {.p = text, .len = wr_len(&w)};
    size_t len = link_message3(l, l->keys.public_key, p, room(), ROOM);
    (void)link_raw(l, room(), len);
    link_split(l);
    return ends_free(l, must_drop_ms(r));
}

/* The muxer by multistream inside Noise, as those without the list do it. */
static bool agree_muxer(struct link *l)
{
    static const char both[] = "\x13/multistream/1.0.0\n\x0d/yamux/1.0.0\n";
    uint8_t plain[256];
    size_t have = 0;
    size_t want = sizeof(both) - 1;
    uint64_t end = now_ms() + 2000;

    if (!link_plain(l, both, want))
        return false;
    l->secure = false; /* its frames are looked at here */
    while (have < want && !l->closed && now_ms() < end) {
        if (!link_wait_bytes(l, 2, 2000))
            break;
        size_t size = (size_t)l->in[0] * 256 + l->in[1];
        size_t len;
        if (!link_wait_bytes(l, 2 + size, 2000) || size > sizeof(plain) ||
            noise_open(&l->recv, l->in + 2, size, &len) != OK ||
            have + len > sizeof(plain))
            break;
        memcpy(plain + have, l->in + 2, len);
        have += len;
        link_skip(l, 2 + size);
    }
    l->secure = true;
    return have == want && memcmp(plain, both, want) == 0;
}

static enum verdict muxers(struct run *r, int which)
{
    static uint8_t text[8192];
    struct wr w = wr_init(text, sizeof(text));
    struct link *l = link_open(r);

    put_key(l, &w);
    put_signature(l, &w);
    if (which == MUXERS_101)
        put_muxers(&w, "/yamux/1.0.0", 101);
    else if (which == OTHER_MUXER)
        put_muxers(&w, "/mplex/6.7.0", 1);
    else if (which == EMPTY_MUXER)
        put_muxers(&w, "", 3);
    if (!link_secure_by(l, (struct bytes){.p = text, .len = wr_len(&w)}))
        return ends_free(l, 0);
    if (!agree_muxer(l)) {
        enum verdict v = l->closed ? DROPPED : WRONG;
        link_free(l);
        return v;
    }
    return ends_free(l, 0);
}

static struct link *without_muxer(struct run *r)
{
    uint8_t text[512];
    struct wr w = wr_init(text, sizeof(text));
    struct link *l = link_open(r);

    put_key(l, &w);
    put_signature(l, &w);
    (void)link_secure_by(l, (struct bytes){.p = text, .len = wr_len(&w)});
    return l;
}

static enum verdict muxer_silence(struct run *r, int unused)
{
    (void)unused;
    return ends_free(without_muxer(r), SILENCE_MS);
}

static enum verdict muxer_flood(struct run *r, int unused)
{
    struct link *l = without_muxer(r);
    uint8_t batch[4000];
    static const uint8_t na[] = {3, 'n', 'a', '\n'};

    (void)unused;
    (void)link_plain(l, "\x13/multistream/1.0.0\n", 20);
    for (size_t i = 0; i < sizeof(batch); i += 4)
        memcpy(batch + i, na, sizeof(na));
    for (int i = 0; i < 100 && !l->closed; i++)
        (void)link_plain(l, batch, sizeof(batch));
    return ends_free(l, must_drop_ms(r));
}

static enum verdict muxer_garbage(struct run *r, int unused)
{
    struct link *l = without_muxer(r);

    (void)unused;
    random_fill(room(), 4096);
    (void)link_plain(l, room(), 4096);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict silence_after(struct run *r, int message)
{
    struct link *l = link_open(r);

    (void)link_agree(l);
    if (message == 1)
        (void)link_read_message2(l);
    else
        (void)link_raw(l, "\x00\x20xx", 4);
    return ends_free(l, SILENCE_MS);
}

/* Frames. */

enum frame_fault {
    REPLAY,
    BAD_MAC,
    SWAPPED,
    ZERO_FRAME,
    FRAME_1,
    FRAME_15,
    PLAIN_FRAME,
    SKIPPED,
    OLD_MESSAGE3,
};

static enum verdict frames(struct run *r, int fault)
{
    struct link *l = link_session(r);
    uint8_t head[YAMUX_HEAD_BYTES];
    struct bytes ping = {.p = head, .len = head_put(head, PING, SYN, 0, 1)};
    uint8_t one[64];
    uint8_t two[64];
    static const uint8_t junk[17] = {0, 15};

    if (l->closed)
        return ends_free(l, 0);
    if (fault >= REPLAY && fault <= SWAPPED) {
        size_t len = noise_seal(&l->send, &ping, 1, one);
        (void)noise_seal(&l->send, &ping, 1, two);
        if (fault == BAD_MAC)
            one[len - 1] ^= 1;
        (void)link_raw(l, fault == SWAPPED ? two : one, len);
        (void)link_raw(l, one, len);
    } else if (fault == ZERO_FRAME) {
        (void)link_raw(l, "\0\0", 2);
    } else if (fault == FRAME_1) {
        (void)link_raw(l, "\0\1x", 3);
    } else if (fault == FRAME_15) {
        (void)link_raw(l, junk, sizeof(junk));
    } else if (fault == PLAIN_FRAME) {
        (void)link_raw(l, "\0\x10\0\2\0\1\0\0\0\0\0\0\0\7\0\0\0\0", 18);
    } else if (fault == SKIPPED) {
        l->send.nonce += 1;
        (void)link_frame(l, PING, SYN, 0, 1);
    } else {
        (void)link_raw(l, room(), good_message3(l));
    }
    return ends_free(l, must_drop_ms(r));
}

/* Frames of no plaintext, which our own core does not make. */
static enum verdict empty_frames(struct run *r, int count)
{
    struct link *l = link_session(r);
    static uint8_t batch[18 * 1000];
    uint64_t end = now_ms() + r->flood_ms;
    int sent = 0;

    while (!l->closed && now_ms() < end && (count == 0 || sent < count)) {
        size_t len = 0;
        int most = count == 0 ? 1000 : count;
        for (int i = 0; i < most; i++) {
            uint8_t nonce[AEAD_NONCE_BYTES] = {0};
            for (size_t b = 0; b < 8; b++)
                nonce[4 + b] = (uint8_t)(l->send.nonce >> (8 * b));
            l->send.nonce++;
            batch[len] = 0;
            batch[len + 1] = 16;
            len += 2 + aead_seal(&l->send.aead, nonce, BYTES_EMPTY, NULL, 0,
                                 batch + len + 2);
        }
        (void)link_raw(l, batch, len);
        link_pump(l, 0);
        sent += most;
    }
    return ends_free(l, 1000);
}

/* Pings, each byte of which is a frame of its own. */
static enum verdict byte_frames(struct run *r, int unused)
{
    struct link *l = link_session(r);
    uint64_t end = now_ms() + r->flood_ms;

    (void)unused;
    while (!l->closed && now_ms() < end) {
        uint8_t head[YAMUX_HEAD_BYTES];
        size_t len = 0;
        for (int i = 0; i < 100; i++) {
            (void)head_put(head, PING, SYN, 0, 1);
            for (size_t b = 0; b < YAMUX_HEAD_BYTES; b++) {
                struct bytes one = {.p = head + b, .len = 1};
                len += noise_seal(&l->send, &one, 1, room() + len);
            }
        }
        (void)link_raw(l, room(), len);
        link_pump(l, 0);
    }
    return ends_free(l, 1000);
}

/* Handshakes that fail at their last message, one after the other. */
static enum verdict handshake_flood(struct run *r, int unused)
{
    uint64_t end = now_ms() + r->flood_ms;
    int made = 0;
    int refused = 0;

    (void)unused;
    while (now_ms() < end) {
        struct link *l = link_open(r);
        if (!link_agree(l)) {
            refused++;
        } else {
            made++;
            if (link_read_message2(l)) {
                size_t len = good_message3(l);
                room()[len - 1] ^= 1;
                (void)link_raw(l, room(), len);
                (void)link_wait_drop(l, 1000);
            }
        }
        link_free(l);
    }
    note(r, "%d handshakes, %d refused", made, refused);
    if (r->limited)
        return refused > 0 && made < 120 + (int)r->flood_ms / 40 ? REFUSED
                                                                 : WRONG;
    return TOLERATED;
}

/* When the daemon dials. */

enum dialed {
    DIALED_GARBAGE,
    DIALED_NA,
    DIALED_SILENCE,
    DIALED_OTHER,
    DIALED_CLOSE,
    DIALED_LEN_0,
    DIALED_LEN_MAX,
    DIALED_FLIPPED,
    DIALED_SMALL,
    DIALED_NA_FLOOD,
};

static void answer_badly(struct link *l, enum dialed how)
{
    static const char header[] = "\x13/multistream/1.0.0\n";

    random_fill(room(), 65537);
    switch (how) {
    case DIALED_GARBAGE:
        (void)link_raw(l, room(), 4096);
        break;
    case DIALED_NA:
        (void)link_raw(l, header, 20);
        (void)link_raw(l, "\x03na\n", 4);
        break;
    case DIALED_NA_FLOOD:
        (void)link_raw(l, header, 20);
        for (int i = 0; i < 10000 && !l->closed; i++)
            (void)link_raw(l, "\x03na\n", 4);
        break;
    case DIALED_SILENCE:
        break;
    case DIALED_OTHER:
        (void)link_raw(l, header, 20);
        (void)link_raw(l, "\x0b/tls/1.0.0\n", 12);
        break;
    case DIALED_CLOSE:
        link_half_close(l);
        break;
    case DIALED_LEN_0:
        (void)link_agree(l);
        (void)link_raw(l, "\0\0", 2);
        break;
    case DIALED_LEN_MAX:
        (void)link_agree(l);
        (void)link_raw(l, "\xff\xff", 2);
        (void)link_raw(l, room(), 65535);
        break;
    case DIALED_FLIPPED:
        (void)link_agree(l);
        (void)link_raw(l, "\0\xd8", 2);
        (void)link_raw(l, room(), 0xd8);
        break;
    case DIALED_SMALL:
        (void)link_agree(l);
        memset(room(), 0, 0xd8);
        (void)link_raw(l, "\0\xd8", 2);
        (void)link_raw(l, room(), 0xd8);
        break;
    }
}

static enum verdict dialed(struct run *r, int how)
{
    struct link *l = link_accept(r);

    if (l->closed) {
        link_free(l);
        return BROKEN;
    }
    answer_badly(l, (enum dialed)how);
    return ends_free(l, must_drop_ms(r));
}

/* The daemon dials, and whoever answers is another peer than it expects. */
static enum verdict dialed_stranger(struct run *r, int unused)
{
    struct link *l = link_accept(r);
    uint8_t seed[32];

    (void)unused;
    if (l->closed) {
        link_free(l);
        return BROKEN;
    }
    random_fill(seed, sizeof(seed));
    privkey_release(&l->key);
    privkey_init_seed(&l->key, seed);
    (void)link_secure(l);
    return ends_free(l, must_drop_ms(r));
}

static enum verdict dialed_well(struct run *r, int unused)
{
    struct link *l = link_accept(r);

    (void)unused;
    (void)link_secure(l);
    return ends_free(l, 0);
}

static const struct attack rows[] = {
    {"noise_message1_0", "message 1 of no bytes", DROPPED, 0, 0, 0,
     message1_of},
    {"noise_message1_1", "message 1 of 1 byte", DROPPED, 0, 0, 1, message1_of},
    {"noise_message1_15", "message 1 of 15 bytes", DROPPED, 0, 0, 15,
     message1_of},
    {"noise_message1_31", "message 1 of 31 bytes", DROPPED, 0, 0, 31,
     message1_of},
    {"noise_message1_64", "message 1 with a payload", ANSWERED, 0, 0, 64,
     message1_of},
    {"noise_message1_65535", "message 1 of 65535 bytes", DROPPED, 0, 0, 65535,
     message1_of},
    {"noise_small_e_0", "an ephemeral key of zeros", DROPPED, 0, 0, 0,
     small_ephemeral},
    {"noise_small_e_1", "a key of small order", DROPPED, 0, 0, 1,
     small_ephemeral},
    {"noise_small_e_2", "a key of small order", DROPPED, 0, 0, 2,
     small_ephemeral},
    {"noise_small_e_3", "a key of small order", DROPPED, 0, 0, 3,
     small_ephemeral},
    {"noise_small_e_4", "a key of small order", DROPPED, 0, 0, 4,
     small_ephemeral},
    {"noise_small_e_5", "a key of small order", DROPPED, 0, 0, 5,
     small_ephemeral},
    {"noise_small_e_6", "a key of small order", DROPPED, 0, 0, 6,
     small_ephemeral},
    {"noise_small_s_0", "a static key of zeros", DROPPED, 0, 0, 0,
     small_static},
    {"noise_small_s_2", "a static key of small order", DROPPED, 0, 0, 2,
     small_static},
    {"noise_message3_0", "message 3 of no bytes", DROPPED, 0, 0, 0,
     message3_of},
    {"noise_message3_1", "message 3 of 1 byte", DROPPED, 0, 0, 1, message3_of},
    {"noise_message3_15", "message 3 of 15 bytes", DROPPED, 0, 0, 15,
     message3_of},
    {"noise_message3_47", "message 3 that ends in the key", DROPPED, 0, 0, 47,
     message3_of},
    {"noise_message3_48", "message 3 without a payload", DROPPED, 0, 0, 48,
     message3_of},
    {"noise_message3_65535", "message 3 of 65535 bytes", DROPPED, 0, 0, 65535,
     message3_of},
    {"noise_truncated_1", "message 3 less a byte", DROPPED, 0, 0, 1, truncated},
    {"noise_truncated_50", "message 3 less 50 bytes", DROPPED, 0, 0, 50,
     truncated},
    {"noise_flip_key", "a bit of the static key", DROPPED, 0, 0, 5,
     message3_flipped},
    {"noise_flip_tag", "a bit of the key's tag", DROPPED, 0, 0, 45,
     message3_flipped},
    {"noise_flip_payload", "a bit of the payload", DROPPED, 0, 0, 80,
     message3_flipped},
    {"noise_flip_last", "the last byte", DROPPED, 0, 0, -1, message3_flipped},
    {"noise_wrong_signature", "a signature of chance", DROPPED, 0, 0,
     WRONG_SIGNATURE, payload},
    {"noise_others_key", "the key of another peer", DROPPED, 0, 0, OTHERS_KEY,
     payload},
    {"noise_others_payload", "key and signature of another", DROPPED, 0, 0,
     OTHERS_PAYLOAD, payload},
    {"noise_no_payload", "an empty payload", DROPPED, 0, 0, NO_PAYLOAD,
     payload},
    {"noise_no_signature", "no signature", DROPPED, 0, 0, NO_SIGNATURE,
     payload},
    {"noise_no_key", "no key", DROPPED, 0, 0, NO_KEY, payload},
    {"noise_bad_protobuf", "a payload that is no protobuf", DROPPED, 0, 0,
     BAD_PROTOBUF, payload},
    {"noise_key_type", "a key of an unknown kind", DROPPED, 0, 0, KEY_TYPE_9,
     payload},
    {"noise_key_rsa", "an RSA key that is none", DROPPED, 0, 0, KEY_RSA_JUNK,
     payload},
    {"noise_long_signature", "a signature of 4000 bytes", DROPPED, 0, 0,
     LONG_SIGNATURE, payload},
    {"noise_payload_9000", "a payload of 9000 bytes", DROPPED, 0, 0,
     PAYLOAD_9000, payload},
    {"noise_payload_65000", "a payload of 65000 bytes", DROPPED, 0, 0,
     PAYLOAD_MAX, payload},
    {"noise_two_keys", "two keys; the last counts", TOLERATED | DROPPED, 0, 0,
     TWO_KEYS, payload},
    {"noise_unknown_fields", "unknown fields", TOLERATED, 0, 0, UNKNOWN_FIELDS,
     payload},
    {"noise_no_muxers", "no list of muxers", TOLERATED, 0, 0, NO_MUXERS,
     muxers},
    {"noise_muxers_101", "a list of 101 muxers", TOLERATED, 0, 0, MUXERS_101,
     muxers},
    {"noise_other_muxer", "another muxer", TOLERATED | DROPPED, 0, 0,
     OTHER_MUXER, muxers},
    {"noise_empty_muxer", "muxers without a name", TOLERATED | DROPPED, 0, 0,
     EMPTY_MUXER, muxers},
    {"noise_muxer_silence", "agrees on no muxer", DROPPED, SILENCE_MS, SLOW, 0,
     muxer_silence},
    {"noise_muxer_flood", "unknown muxers without end", DROPPED, 0, 0, 0,
     muxer_flood},
    {"noise_muxer_garbage", "garbage instead of a muxer", DROPPED, 0, 0, 0,
     muxer_garbage},
    {"noise_silence_1", "nothing after half of message 1", DROPPED, SILENCE_MS,
     SLOW, 0, silence_after},
    {"noise_silence_2", "nothing after message 2", DROPPED, SILENCE_MS, SLOW, 1,
     silence_after},
    {"noise_replay", "a frame twice", DROPPED, 0, 0, REPLAY, frames},
    {"noise_bad_mac", "a frame with a wrong tag", DROPPED, 0, 0, BAD_MAC,
     frames},
    {"noise_swapped", "frames out of order", DROPPED, 0, 0, SWAPPED, frames},
    {"noise_frame_0", "a frame of no bytes", DROPPED, 0, 0, ZERO_FRAME, frames},
    {"noise_frame_1", "a frame of 1 byte", DROPPED, 0, 0, FRAME_1, frames},
    {"noise_frame_15", "a frame of 15 bytes", DROPPED, 0, 0, FRAME_15, frames},
    {"noise_plain_frame", "a frame that is not encrypted", DROPPED, 0, 0,
     PLAIN_FRAME, frames},
    {"noise_skipped", "a frame left out", DROPPED, 0, 0, SKIPPED, frames},
    {"noise_old_message3", "message 3 once more", DROPPED, 0, 0, OLD_MESSAGE3,
     frames},
    {"noise_empty_10", "10 frames without content", TOLERATED, 0, 0, 10,
     empty_frames},
    {"noise_empty_flood", "frames without content, no end", DROPPED, 0, 0, 0,
     empty_frames},
    {"noise_byte_frames", "pings in frames of one byte", DROPPED, 0, 0, 0,
     byte_frames},
    {"noise_handshake_flood", "handshakes that fail at the end",
     TOLERATED | REFUSED, 0, 0, 0, handshake_flood},
    {"dialed_garbage", "garbage as answer to a dial", DROPPED, 0, DRIVEN,
     DIALED_GARBAGE, dialed},
    {"dialed_na", "na to /noise", DROPPED, 0, DRIVEN, DIALED_NA, dialed},
    {"dialed_na_flood", "na without end", DROPPED, 0, DRIVEN, DIALED_NA_FLOOD,
     dialed},
    {"dialed_other", "another protocol than proposed", DROPPED, 0, DRIVEN,
     DIALED_OTHER, dialed},
    {"dialed_close", "closes its half when dialed", DROPPED, 0, DRIVEN,
     DIALED_CLOSE, dialed},
    {"dialed_message2_0", "message 2 of no bytes", DROPPED, 0, DRIVEN,
     DIALED_LEN_0, dialed},
    {"dialed_message2_65535", "message 2 of 65535 bytes", DROPPED, 0, DRIVEN,
     DIALED_LEN_MAX, dialed},
    {"dialed_message2_flip", "message 2 of chance", DROPPED, 0, DRIVEN,
     DIALED_FLIPPED, dialed},
    {"dialed_message2_small", "message 2 of zeros", DROPPED, 0, DRIVEN,
     DIALED_SMALL, dialed},
    {"dialed_stranger", "is another peer than was dialed", DROPPED, 0, DRIVEN,
     0, dialed_stranger},
    {"dialed_silence", "says nothing when dialed", DROPPED, SILENCE_MS,
     DRIVEN | SLOW, DIALED_SILENCE, dialed},
    {"dialed_well", "is dialed, and honest", TOLERATED, 0, DRIVEN, 0,
     dialed_well},
};

struct attacks attacks_noise(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
