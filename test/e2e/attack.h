#ifndef TEST_E2E_ATTACK_H
#define TEST_E2E_ATTACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/wr.h"
#include "bitswap/frame_reader.h"
#include "bitswap/message.h"
#include "libp2p/multistream.h"
#include "libp2p/noise.h"
#include "libp2p/yamux_frame.h"
#include "multiformats/cid.h"
#include "multiformats/key.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

/*
 * attack - a peer that wishes a daemon ill.
 *
 * Each attack is a row of a table: what it does, and what must come of it.
 * The honest half of a connection goes through our own cores; what is wrong
 * about it is written by hand.  Sockets do not block; every wait has an end.
 */

/* What came of an attack; a set of them is what may come of it. */
enum verdict {
    DROPPED = 1,   /* the daemon closed the connection */
    TOLERATED = 2, /* the connection is of use as before */
    ANSWERED = 4,  /* the daemon gave the answer that is due */
    RESET = 8,     /* the stream was reset, the connection is of use */
    REFUSED = 16,  /* connections beyond the limit were closed at once */
    HUNG = 32,     /* the connection is there and of no use */
    WRONG = 64,    /* the daemon did something else */
    BROKEN = 128,  /* the attack could not be made */
};

enum {
    CHANNELS_MAX = 640, /* streams that a link knows */
    ADDRS_TEXT_MAX = 128,
    ATTACK_CIDS_MAX = 4096,
    PATIENCE_MS = 5000, /* for what an honest daemon does at once */
    BATCH_BYTES = 60000,
    WANTS_MAX = 4096, /* that wait for an answer */
};

/* Which daemons an attack is for, and how. */
enum {
    ON_LIMITED = 1, /* security.limit_loopback must be on */
    ON_FREE = 2,    /* it must be off */
    SLOW = 4,       /* waits for a timeout of the daemon */
    DRIVEN = 8,     /* needs somebody to carry out what it prints */
};

/* One run of one attack. */
struct run {
    const struct attack *attack;
    char host[ADDRS_TEXT_MAX];
    uint16_t port;
    struct peer_id target;
    uint32_t from;     /* our IPv4 address; 0: any */
    uint32_t flood_ms; /* how long a flood lasts */
    bool limited;      /* security.limit_loopback is on over there */
    struct cid *cids;  /* of blocks that the daemon has */
    size_t cids_count;
    uint64_t begin_ms;
    uint64_t dropped_ms; /* when the daemon was done with us; 0: not */
    char note[160];      /* what else there is to tell */
};

struct attack {
    const char *name;
    const char *what;
    unsigned must;      /* verdicts that are right */
    uint32_t within_ms; /* a drop comes within; 0: 2 s */
    unsigned flags;
    int arg;
    enum verdict (*run)(struct run *r, int arg);
};

/* A table of attacks. */
struct attacks {
    const struct attack *rows;
    size_t count;
};

struct attacks attacks_raw(void);
struct attacks attacks_noise(void);
struct attacks attacks_yamux(void);
struct attacks attacks_identify(void);
struct attacks attacks_bitswap(void);
struct attacks attacks_wants(void);
struct attacks attacks_many(void);
struct attacks attacks_kad(void);
struct attacks attacks_lookups(void);
struct attacks attacks_peers(void);
struct attacks attacks_objects(void);
struct attacks attacks_storage(void);
struct attacks attacks_storage_wire(void);
struct attacks attacks_storage_dags(void);
struct attacks attacks_storage_holder(void);
struct attacks attacks_records(void);

/* Time and chance. */

uint64_t now_ms(void);
void sleep_ms(uint32_t ms);
void random_fill(uint8_t *dst, size_t len);
uint32_t random_u32(void);

/** made_up_key - a new Ed25519 key. */
struct privkey made_up_key(void);

/* attack_link.c: a TCP connection, and Noise on it. */

/* One stream. */
struct channel {
    uint32_t id; /* 0: free */
    bool theirs; /* the daemon opened it */
    bool acked;
    bool agreed; /* on a protocol */
    bool fin;
    bool rst;
    uint32_t code;   /* of the reset */
    size_t protocol; /* theirs: index into the names of the link */
    uint64_t window; /* what we may send */
    uint32_t owed;   /* came, not granted again */
    uint64_t total;  /* bytes that came */
    uint8_t *data;   /* owned: what came after the negotiation */
    size_t len;
    size_t room;
    struct mss mss;
    struct bytes name; /* that we propose */
};

struct link {
    struct run *run;
    int fd;
    bool closed;
    bool deaf;   /* reads nothing */
    bool mute;   /* answers no pings */
    bool stingy; /* gives no window back */
    bool silent; /* answers no stream of the daemon's */
    bool secure;
    bool listens; /* the daemon dialed us */
    bool member;  /* says that it serves KAD and PEERS, at @where */
    bool keeper;  /* and STORAGE */
    struct multiaddr where;
    struct privkey key;
    struct noise_keypair keys;
    struct noise_hs hs;
    struct noise_cipher send;
    struct noise_cipher recv;
    struct noise_identity peer;
    uint8_t *out; /* owned: to be sent */
    size_t out_at;
    size_t out_len;
    size_t out_room;
    uint8_t *in; /* owned: from the wire, then after decryption */
    size_t in_len;
    size_t in_room;
    uint8_t *plain; /* owned: decrypted, not parsed */
    size_t plain_len;
    size_t plain_room;
    uint32_t body_left; /* of the DATA frame that comes in */
    struct channel *body;
    uint16_t body_flags;
    uint32_t id_next;
    uint64_t frames; /* that came */
    uint64_t resets;
    uint64_t acks;
    uint64_t pongs;
    uint32_t pong;          /* the last */
    uint64_t sent;          /* bytes on the wire */
    struct mss_names names; /* that we serve; set before the session, or the
                               usual ones */
    void (*on_open)(struct link *l, struct channel *c); /* stream for names */
    void (*on_data)(struct link *l, struct channel *c);
    void *user;
    struct channel channels[CHANNELS_MAX];
};

/** link_open - TCP only.  A link that could not connect is closed. */
struct link *link_open(struct run *r);

/** link_accept - wait for the daemon to dial; prints where. */
struct link *link_accept(struct run *r);

/** link_session - TCP, Noise, Yamux; closed when that failed. */
struct link *link_session(struct run *r);

/** callers_listen - a socket for those who come to @ret_where. */
int callers_listen(struct multiaddr *ret_where);

/** callers_count - how many came since the last call; each is sent away. */
unsigned callers_count(int listener);

/** link_free - close and forget; NULL does nothing. */
void link_free(struct link *l);

/** link_abort - close by a TCP reset. */
void link_abort(struct link *l);

/** link_pump - wait up to @ms for something to do, and do it. */
void link_pump(struct link *l, uint32_t ms);

/** link_raw - bytes for the wire; false: the daemon has closed. */
bool link_raw(struct link *l, const void *p, size_t len);

/** link_text - a multistream token, whose length goes before it. */
bool link_text(struct link *l, const char *text);

/** link_plain - bytes to be encrypted, in as few frames as can be. */
bool link_plain(struct link *l, const void *p, size_t len);

/** link_half_close - no more comes from us. */
void link_half_close(struct link *l);

/** link_wait_bytes - until @len raw bytes are in l->in. */
bool link_wait_bytes(struct link *l, size_t len, uint32_t ms);

/** link_skip - take bytes off l->in. */
void link_skip(struct link *l, size_t len);

/** link_wait_drop - until the daemon has closed. */
bool link_wait_drop(struct link *l, uint32_t ms);

/** link_agree - header and /noise, up to the answer. */
bool link_agree(struct link *l);

/** link_read_message2 - message 1 out, message 2 in. */
bool link_read_message2(struct link *l);

/** link_message3 - message 3 of any payload and static key, framed. */
size_t link_message3(struct link *l, const uint8_t *static_key,
                     struct bytes payload, uint8_t *dst, size_t max);

/** link_payload - our handshake payload, as it should be. */
size_t link_payload(struct link *l, uint8_t *dst, size_t max);

/** link_split - the handshake is over. */
void link_split(struct link *l);

/** link_secure - all of Noise, as it should be. */
bool link_secure(struct link *l);

/** link_secure_by - Noise with a payload of the caller's. */
bool link_secure_by(struct link *l, struct bytes payload);

/* Ends of attacks. */

/** ends - what became of a link: dropped within @ms, or else of use or not. */
enum verdict ends(struct link *l, uint32_t ms);

/** ends_free - as ends(), and frees the link. */
enum verdict ends_free(struct link *l, uint32_t ms);

/** must_drop_ms - how long the table gives the daemon for a drop. */
uint32_t must_drop_ms(const struct run *r);

/** note - tell something beside the verdict. */
void note(struct run *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* attack_session.c: Yamux and what runs in it. */

enum {
    DATA = YAMUX_TYPE_DATA,
    WINDOW = YAMUX_TYPE_WINDOW,
    PING = YAMUX_TYPE_PING,
    GOAWAY = YAMUX_TYPE_GOAWAY,
    SYN = YAMUX_SYN,
    ACK = YAMUX_ACK,
    FIN = YAMUX_FIN,
    RST = YAMUX_RST,
};

/** session_begin - ready for the daemon's streams. */
void session_begin(struct link *l);

/** session_input - look through l->plain. */
void session_input(struct link *l);

/** session_release - free the channels. */
void session_release(struct link *l);

/** head_put - write a frame header. */
size_t head_put(uint8_t *dst, unsigned type, unsigned flags, uint32_t id,
                uint32_t len);

/** link_frame - a header. */
bool link_frame(struct link *l, unsigned type, unsigned flags, uint32_t id,
                uint32_t len);

/** link_data - a DATA frame with its payload. */
bool link_data(struct link *l, uint32_t id, const void *p, size_t len);

/** link_id - a stream id of ours that was not used. */
uint32_t link_id(struct link *l);

/** link_alive - the daemon answers a ping. */
bool link_alive(struct link *l, uint32_t ms);

/** channel_find - what the id names, or NULL. */
struct channel *channel_find(struct link *l, uint32_t id);

/** channel_open - a stream for @protocol; NULL when it was not agreed. */
struct channel *channel_open(struct link *l, const char *protocol);

/** channel_begin - a stream and nothing in it. */
struct channel *channel_begin(struct link *l);

/** channel_send - data, as windows allow; false: stream or link is gone. */
bool channel_send(struct link *l, struct channel *c, const void *p, size_t len);

/** channel_wait - until @len bytes came, or the stream ended. */
bool channel_wait(struct link *l, struct channel *c, size_t len, uint32_t ms);

/** channel_wait_rst - until the stream was reset. */
bool channel_wait_rst(struct link *l, struct channel *c, uint32_t ms);

/** channel_take - take bytes off what came. */
void channel_take(struct channel *c, size_t len);

/** channel_ends - RESET, or what became of the link. */
enum verdict channel_ends(struct link *l, struct channel *c, uint32_t ms);

/** identify_put - our identify message, with its length. */
size_t identify_put(struct link *l, uint8_t *dst, size_t max);

/** flood - send a batch again and again; then how the link ends. */
enum verdict flood(struct link *l, const uint8_t *batch, size_t len);

/** ping_works - a round trip of /ipfs/ping/1.0.0. */
bool ping_works(struct link *l);

/* attack_stream.c: what many attacks do with the messages of one stream. */

/**
 * channel_message - the first message of what came, without its length.
 * @ret_body: a view into the channel, until channel_take().
 *
 * Return: bytes of it with its length; 0: not all of it is there.
 */
size_t channel_message(const struct channel *c, struct bytes *ret_body);

/** channel_reset - the stream is of no use any more, for both. */
void channel_reset(struct link *l, struct channel *c);

/** raw_ends - @in on a stream, and what comes of it; frees the link. */
enum verdict raw_ends(struct link *l, const char *protocol, struct bytes in);

/** message_ends - as raw_ends(), @body with its length before it. */
enum verdict message_ends(struct link *l, const char *protocol,
                          struct bytes body);

/** half_ends - as raw_ends(), the end of the stream inside of a message. */
enum verdict half_ends(struct link *l, const char *protocol);

/** hoard_ends - most of a message of 64 KiB on each of many streams, then
 * silence, and what comes of it; frees the link. */
enum verdict hoard_ends(struct link *l, const char *protocol);

/** batch_add - a message with its length; false: @batch, of BATCH_BYTES, has
 * no room for it. */
bool batch_add(struct wr *batch, struct bytes body);

/** struct batch_flood - messages to be sent again and again. */
struct batch_flood {
    const char *protocol;
    struct bytes batch;
    bool deaf;  /* no answer is read */
    bool again; /* on a new stream when the daemon has reset one */
};

/** batch_flood - as it says, and how the link ends; frees it. */
enum verdict batch_flood(struct link *l, const struct batch_flood *f);

/* attack_bitswap.c */

/** prefix_put - what a Block says of its CID. */
void prefix_put(struct wr *w, const struct cid *cid);

/** block_put - a Block of a message. */
void block_put(struct wr *w, struct bytes prefix, struct bytes data);

/** wants_put - a message of wants with its length. */
size_t wants_put(const struct bs_entry *entries, size_t count, bool full,
                 uint8_t *dst, size_t max);

/* attack_wants.c */

/** struct wants - what the daemon wants of us. */
struct wants {
    struct bs_frame_reader reader;
    struct cid list[WANTS_MAX]; /* that are to be answered */
    size_t count;
    uint64_t seen;
};

void wants_init(struct wants *w);
void wants_release(struct wants *w);

/** wants_take - note the wants that came on a stream of the daemon's; what came
 * on other streams than those of bitswap stays. */
void wants_take(struct wants *w, struct channel *c);

/** wants_drain - those to be answered, once; the caller frees them. */
struct cid *wants_drain(struct wants *w, size_t *ret_count);

/** presence_put - a BlockPresence of a message; @kind: 0 HAVE, 1 DONT_HAVE. */
void presence_put(struct wr *w, const struct cid *cid, uint64_t kind);

#define BITSWAP "/ipfs/bitswap/1.2.0"
#define KAD     "/xmbl/mainnet/kad/1.0.0"
#define PEERS   "/xmbl/mainnet/peers/1.0.0"
#define STORAGE "/xmbl/mainnet/storage/1.0.0"

/* Places of names that the daemon may ask us by; those from SERVED_KAD on of
 * members only, SERVED_STORAGE of those that keep objects. */
enum {
    SERVED_IDENTIFY,
    SERVED_PUSH,
    SERVED_PING,
    SERVED_BITSWAP,
    SERVED_KAD,
    SERVED_PEERS,
    SERVED_STORAGE
};

/** link_member - a session of one that serves the DHT and the exchange of
 * peers. */
struct link *link_member(struct run *r);

/** send_framed - @body with its length before it. */
bool send_framed(struct link *l, struct channel *c, struct bytes body);

/** told_to_end - somebody has closed our standard input. */
bool told_to_end(void);

#endif /* TEST_E2E_ATTACK_H */
