#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "crypto/secret.h"
#include "libp2p/swarm_priv.h"

/*
 * From a bare transport to a session: agree on Noise, shake hands, agree on
 * Yamux.  The initiator writes "header, /noise, message 1" at once.
 */

static struct mss_names noise_names(void)
{
    static const struct bytes names[] = {
        {.p = (const uint8_t *)"/noise", .len = 6}};
    return (struct mss_names){.names = names, .count = 1};
}

static struct mss_names muxer_names(void)
{
    static const struct bytes names[] = {
        {.p = (const uint8_t *)"/yamux/1.0.0", .len = 12}};
    return (struct mss_names){.names = names, .count = 1};
}

/* Queue for the wire what stands in @w. */
static void send_raw(struct swarm *sw, struct conn *c, const struct wr *w)
{
    struct bytes out;
    enum err err = wr_finish(w, &out);
    assert(err == OK);
    if (out.len == 0)
        return;
    struct buf *buf;
    if (c->state == CONN_MUXER) {
        buf = buf_new(out.len + NOISE_LEN_BYTES + AEAD_TAG_BYTES);
        buf->len = noise_seal(&c->send, &out, 1, buf->data);
    } else {
        buf = buf_copy(out);
    }
    sendq_push(&c->raw, (struct slice){.buf = buf, .bytes = buf_bytes(buf)});
    conn_touch(sw, c);
}

void upgrade_release(struct conn *c)
{
    if (c->upgrade == NULL)
        return;
    noise_hs_release(&c->upgrade->hs);
    secret_wipe(c->upgrade, sizeof(*c->upgrade));
    mem_free(c->upgrade);
    c->upgrade = NULL;
}

static void open_session(struct swarm *sw, struct conn *c,
                         const struct peer_id *id)
{
    struct peer_id peer = *id; /* the upgrade goes */

    upgrade_release(c);
    session_begin(sw, c, &peer);
}

/* Whether the peer that was proven may stay; else @c is dropped. */
static bool is_welcome(struct swarm *sw, struct conn *c,
                       const struct peer_id *id)
{
    const struct upgrade *u = c->upgrade;

    if (peer_id_eq(id, &sw->self)) {
        conn_drop(sw, c, E_REFUSED, false);
        return false;
    }
    if (u->expects && !peer_id_eq(id, &u->expected)) {
        if (c->dial != NULL)
            c->dial->actual = *id;
        conn_fail(sw, c, SWARM_FAULT_IDENTITY, 1, E_MISMATCH);
        return false;
    }
    const struct peer *known = swarm_peer(sw, id);
    if (known != NULL && known->conns_count >= sw->limits.conns_per_peer) {
        sw->totals.refused++;
        conn_drop(sw, c, c->inbound ? E_LIMIT : E_EXISTS, false);
        return false;
    }
    return true;
}

void upgrade_begin(struct swarm *sw, struct conn *c,
                   const struct swarm_transport *t)
{
    struct upgrade *u = mem_zalloc(1, sizeof(*u));
    uint8_t room[128];
    struct wr w = wr_init(room, sizeof(room));

    c->upgrade = u;
    memcpy(u->entropy, t->entropy, sizeof(u->entropy));
    if (c->dial != NULL && c->dial->has_peer) {
        u->expects = true;
        u->expected = c->dial->peer;
    }
    if (t->secured != NULL) {
        c->clear = true;
        u->peer = *t->secured;
        if (is_welcome(sw, c, t->secured))
            open_session(sw, c, t->secured);
        return;
    }
    c->state = CONN_SECURITY;
    noise_hs_init(&u->hs, !c->inbound, &sw->noise_keys, u->entropy);
    if (c->inbound) {
        mss_init_responder(&u->mss, noise_names());
        return;
    }
    mss_init_initiator(&u->mss, noise_names(), &w);
    enum err err = noise_hs_write(&u->hs, BYTES_EMPTY, &w);
    assert(err == OK); /* message 1 depends on nothing from outside */
    send_raw(sw, c, &w);
}

static void begin_muxer(struct swarm *sw, struct conn *c)
{
    uint8_t room[128];
    struct wr w = wr_init(room, sizeof(room));

    c->state = CONN_MUXER;
    if (c->inbound) {
        mss_init_responder(&c->upgrade->mss, muxer_names());
        return;
    }
    mss_init_initiator(&c->upgrade->mss, muxer_names(), &w);
    send_raw(sw, c, &w);
}

/* The handshake is over, and @id is who is there. */
static void on_proven(struct swarm *sw, struct conn *c,
                      const struct noise_identity *id)
{
    if (!is_welcome(sw, c, &id->peer))
        return;
    noise_hs_split(&c->upgrade->hs, &c->send, &c->recv);
    if (id->yamux)
        open_session(sw, c, &id->peer);
    else
        begin_muxer(sw, c);
}

void upgrade_on_token(struct swarm *sw, struct conn *c, struct bytes *io_in)
{
    uint8_t room[MSS_OUT_MAX];
    struct wr w = wr_init(room, sizeof(room));
    struct upgrade *u = c->upgrade;
    uint16_t refused = u->mss.refused;
    size_t index;
    enum err err = mss_step(&u->mss, io_in, &w, &index);

    send_raw(sw, c, &w);
    if (u->mss.refused > refused &&
        !conn_charge(sw, c,
                     COST_PROPOSAL * (uint32_t)(u->mss.refused - refused)))
        return;
    if (err == E_AGAIN)
        return;
    if (err != OK) {
        conn_fail(sw, c, SWARM_FAULT_HANDSHAKE, 5, err);
        return;
    }
    if (c->state == CONN_SECURITY)
        c->state = CONN_HANDSHAKE;
    else
        open_session(sw, c, &u->peer);
}

/* Write our next handshake message. */
static enum err write_message(struct swarm *sw, struct conn *c)
{
    uint8_t payload[1024];
    uint8_t room[2048];
    struct wr p = wr_init(payload, sizeof(payload));
    struct wr w = wr_init(room, sizeof(room));
    struct bytes out;

    noise_payload_write(sw->key, &sw->noise_keys, &p);
    enum err err = wr_finish(&p, &out);
    assert(err == OK);
    err = noise_hs_write(&c->upgrade->hs, out, &w);
    if (err == OK)
        send_raw(sw, c, &w);
    return err;
}

/* Read a handshake message and answer it.  All of the slow arithmetic of a
 * handshake, about 0.4 ms, happens below this function. */
static enum err shake(struct swarm *sw, struct conn *c, uint8_t *message,
                      size_t len, struct noise_identity *ret_id)
{
    struct upgrade *u = c->upgrade;
    struct bytes payload;
    enum err err = noise_hs_read(&u->hs, message, len, &payload);

    if (err == OK && u->hs.messages > 1) {
        err = noise_payload_read(payload, u->hs.remote_s, ret_id);
        if (err == OK)
            u->peer = ret_id->peer;
    }
    if (err == OK && noise_hs_turn(&u->hs))
        err = write_message(sw, c);
    return err;
}

void upgrade_on_frame(struct swarm *sw, struct conn *c, uint8_t *p, size_t len)
{
    struct noise_identity id = {.yamux = false};
    enum err err = shake(sw, c, p, len, &id);

    if (err != OK) {
        conn_fail(sw, c, SWARM_FAULT_HANDSHAKE, 10, err);
        return;
    }
    if (noise_hs_done(&c->upgrade->hs))
        on_proven(sw, c, &id);
}
