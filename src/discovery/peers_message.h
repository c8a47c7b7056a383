#ifndef DISCOVERY_PEERS_MESSAGE_H
#define DISCOVERY_PEERS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "discovery/capability.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct wr;

/*
 * peers_message - messages of /xmbl/<network>/peers/1.0.0.
 *
 * One request a stream, and one answer: hello -> hello, ask -> peers,
 * probe -> result.  On the wire a message follows its length as a varint; here
 * it is without.  docs/protocol/peers.md has the bytes.
 */

enum {
    PEERS_MESSAGE_BYTES_MAX = 64 * 1024,
    PEERS_RECORDS_MAX = 64, /* of one message */
    PEERS_ADDRS_MAX = CAPABILITY_ADDRS_MAX,
};

enum peers_kind {
    PEERS_HELLO,  /* record: that of the sender */
    PEERS_ASK,    /* max */
    PEERS_PEERS,  /* records */
    PEERS_PROBE,  /* peer, addrs: can you connect to it? */
    PEERS_RESULT, /* outcome, elapsed_ms, addr */
};

enum peers_outcome {
    PEERS_REACHED = 0, /* at addr, after elapsed_ms */
    PEERS_FAILED = 1,  /* nobody answers at its addresses */
    PEERS_OTHER = 2,   /* somebody else answers there */
    PEERS_UNKNOWN = 3, /* the asked peer knows no address that it would dial */
    PEERS_REFUSED = 4, /* the asked peer does not want to, or not so often */
};

/** struct peers_message - one message; a plain value of about 3 KiB whose
 * views point into what was decoded. */
struct peers_message {
    enum peers_kind kind;
    struct bytes record;                     /* HELLO; empty: has none */
    uint32_t max;                            /* ASK: 1 to PEERS_RECORDS_MAX */
    size_t record_count;                     /* PEERS */
    struct bytes records[PEERS_RECORDS_MAX]; /* each at most
                                                CAPABILITY_BYTES_MAX */
    struct peer_id peer;                     /* PROBE */
    size_t addr_count;                       /* PROBE */
    struct multiaddr addrs[PEERS_ADDRS_MAX];
    enum peers_outcome outcome; /* RESULT */
    uint32_t elapsed_ms;        /* RESULT */
    struct multiaddr addr;      /* RESULT; len 0: none */
};

/** peers_message_encode - the bytes of @m, which is within the limits
 * (asserted), but for E_LIMIT over PEERS_MESSAGE_BYTES_MAX, in wr_finish(). */
void peers_message_encode(const struct peers_message *m, struct wr *w);

/**
 * peers_message_decode - message that fills @in exactly.
 * @in: from outside; views of @ret_m point into it.
 *
 * Addresses of protocols that we don't know are left out.  Records are not
 * looked into.
 *
 * Return: OK; E_SHORT, E_MALFORMED; E_LIMIT; E_UNSUPPORTED for a kind of
 * message that we don't know.
 */
MUST_USE enum err peers_message_decode(struct bytes in,
                                       struct peers_message *ret_m);

#endif /* DISCOVERY_PEERS_MESSAGE_H */
