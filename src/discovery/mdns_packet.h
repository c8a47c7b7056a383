#ifndef DISCOVERY_MDNS_PACKET_H
#define DISCOVERY_MDNS_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/multiaddr.h"

/*
 * mdns_packet - DNS messages about the one service that libp2p has on the
 * local network, _p2p._udp.local.
 *
 * Spec: RFC 1035, 4.1; RFC 6762, 18; RFC 6763, 6; libp2p/specs
 * discovery/mdns.md.
 */
enum {
    MDNS_INSTANCE_LEN = 32,  /* of a node's own name */
    MDNS_TEXT_MAX = 255,     /* bytes of one string */
    MDNS_TEXTS_MAX = 64,     /* taken from one packet; the rest is dropped */
    MDNS_QUESTIONS_MAX = 32, /* in one packet */
    MDNS_RECORDS_MAX = 256,  /* in one packet */
    MDNS_NAME_MAX = 255,     /* bytes of a name, with lengths */
    MDNS_ANSWER_BYTES_MAX = 1400, /* of ours: it fits one frame */
    MDNS_QUERY_BYTES = 33,
    MDNS_TTL_S = 120,       /* of what we say */
    MDNS_TTL_DIRECT_S = 10, /* of what we say to one asker alone */
};

/** struct mdns_packet - what somebody asks or says about the service. */
struct mdns_packet {
    uint16_t id;

    /* A query that asks who offers the service, and whether it says that it
     * knows of us already. */
    bool asks;
    bool knows_us;

    /* An answer that tells of somebody who offers it. */
    bool tells;
    struct bytes texts[MDNS_TEXTS_MAX]; /* what follows "dnsaddr=", in order;
                                         * views into the packet */
    size_t texts_count;
};

/**
 * mdns_packet_decode - read the DNS message that fills @in.
 * @instance: our own name, of MDNS_INSTANCE_LEN small letters and digits.
 * @ret_packet: what is of no concern to us is left out.
 *
 * Return: OK; E_SHORT, E_MALFORMED; E_LIMIT for too many questions or records,
 * or too long a name; E_UNSUPPORTED for another operation, or an error.
 */
MUST_USE enum err mdns_packet_decode(struct bytes in, struct bytes instance,
                                     struct mdns_packet *ret_packet);

/** mdns_query_encode - ask everybody who offers the service.
 * Return: view of @dst. */
struct bytes mdns_query_encode(uint8_t dst[static MDNS_QUERY_BYTES]);

/** struct mdns_text - one string of a TXT record. */
struct mdns_text {
    uint8_t len;
    uint8_t bytes[MDNS_TEXT_MAX];
};

/** struct mdns_answer - what we say of ourselves. */
struct mdns_answer {
    struct bytes instance; /* our name, of MDNS_INSTANCE_LEN bytes */
    const struct mdns_text *texts;
    size_t texts_count;
    struct ma_ip ip4; /* len 0: none; kubo ignores who has neither */
    struct ma_ip ip6;
    uint16_t port;

    bool direct; /* to one asker, whose question had @id */
    uint16_t id;
};

/**
 * mdns_answer_encode - tell of us.
 *
 * Texts that do not fit are left out, the last ones first.
 *
 * Return: view of @dst.
 */
struct bytes mdns_answer_encode(const struct mdns_answer *answer,
                                uint8_t dst[static MDNS_ANSWER_BYTES_MAX]);

#endif /* DISCOVERY_MDNS_PACKET_H */
