/*
 * Goal: no handshake message breaks us, and none that was changed is taken.
 * Input: a byte (which message, how), then a message, or what to change in
 * the right one.
 */
#include <assert.h>
#include <string.h>

#include "base/wr.h"
#include "libp2p/noise.h"
#include "multiformats/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { ROOM = NOISE_PAYLOAD_MAX + 256 };

struct end {
    struct noise_keypair s;
    struct noise_hs hs;
    struct privkey identity;
};

static void begin(struct end *end, bool initiator)
{
    uint8_t key[32];

    memset(key, initiator ? 1 : 2, sizeof(key));
    noise_keypair_init(&end->s, key);
    privkey_init_seed(&end->identity, key);
    memset(key, initiator ? 3 : 4, sizeof(key));
    noise_hs_init(&end->hs, initiator, &end->s, key);
}

static size_t write_message(struct end *end, uint8_t *dst)
{
    uint8_t payload[512];
    struct wr p = wr_init(payload, sizeof(payload));
    struct wr w = wr_init(dst, ROOM);
    struct bytes out = BYTES_EMPTY;
    enum err err = OK;

    if (end->hs.messages > 0) {
        noise_payload_write(&end->identity, &end->s, &p);
        err = wr_finish(&p, &out);
        assert(err == OK);
    }
    err = noise_hs_write(&end->hs, out, &w);
    assert(err == OK);
    return wr_len(&w);
}

/* Read what @len bytes at @p say; true when it was taken. */
static bool read_message(struct end *end, uint8_t *p, size_t len)
{
    struct bytes payload;
    struct noise_identity id;

    if (noise_hs_read(&end->hs, p, len, &payload) != OK)
        return false;
    if (end->hs.messages == 1)
        return true;
    return noise_payload_read(payload, end->hs.remote_s, &id) == OK;
}

static bool change(uint8_t *p, size_t len, struct bytes by)
{
    bool changed = false;
    for (size_t i = 0; i < by.len && i < len; i++) {
        p[i] ^= by.p[i];
        changed = changed || by.p[i] != 0;
    }
    return changed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct end i;
    struct end r;
    uint8_t m[ROOM];

    if (len == 0 || len > NOISE_PAYLOAD_MAX)
        return 0;
    int number = 1 + data[0] % 3;
    begin(&i, true);
    begin(&r, false);
    size_t size = write_message(&i, m);
    for (int n = 2; n <= number; n++) {
        bool ok = read_message(n == 2 ? &r : &i, m + 2, size - 2);
        assert(ok);
        size = write_message(n == 2 ? &r : &i, m);
    }
    struct end *to = number == 2 ? &i : &r;
    struct bytes rest = {.p = data + 1, .len = len - 1};
    if ((data[0] & 0x80) != 0) {
        bool changed = change(m + 2, size - 2, rest);
        bool taken = read_message(to, m + 2, size - 2);
        /* Message 1 is not protected: message 2 will not fit. */
        assert(number == 1 || taken == !changed);
    } else {
        if (rest.len > 0)
            memcpy(m, rest.p, rest.len);
        (void)read_message(to, m, rest.len);
    }
    struct noise_identity id;
    (void)noise_payload_read(rest, to->s.public_key, &id);
    noise_hs_release(&i.hs);
    noise_hs_release(&r.hs);
    privkey_release(&i.identity);
    privkey_release(&r.identity);
    return 0;
}
