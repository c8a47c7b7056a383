#ifndef LIBP2P_IDENTIFY_H
#define LIBP2P_IDENTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/multiaddr.h"

struct wr;

/*
 * identify - the message by which peers introduce themselves.
 *
 * Spec: libp2p/specs identify/README.md.
 */

enum {
    IDENTIFY_MESSAGE_MAX = 8192,    /* of one message that we read */
    IDENTIFY_MESSAGES_MAX = 10,     /* on one stream */
    IDENTIFY_BYTES_MAX = 32 * 1024, /* all messages of one stream */
    IDENTIFY_SPLIT_BYTES = 2048,    /* longer: the record in its own message */
    IDENTIFY_PROTOCOLS_MAX = 256,   /* that are kept of a peer */
    IDENTIFY_ADDRS_MAX = 64,        /* that are looked at */
    IDENTIFY_TEXT_MAX = 128,        /* of agent and version that are kept */
    IDENTIFY_NAME_MAX = 255,        /* of a protocol; longer ones are skipped */
};

/**
 * struct identify - one message, or several merged.
 *
 * All views.  About 6 KiB: not for the stack of a deep call.
 */
struct identify {
    struct bytes public_key;
    struct bytes observed;
    struct bytes protocol_version; /* cut at IDENTIFY_TEXT_MAX when read */
    struct bytes agent;            /* cut at IDENTIFY_TEXT_MAX when read */
    struct bytes record;
    size_t addrs_count;
    struct bytes addrs[IDENTIFY_ADDRS_MAX];
    size_t protocols_count;
    struct bytes protocols[IDENTIFY_PROTOCOLS_MAX];
};

/**
 * identify_decode - read messages that stand one after the other without
 * lengths, which merges them.
 * @in: from outside; @ret_message points into it.
 *
 * Of scalars the last counts; lists are appended, addresses that are there
 * already and what is over a maximum are left out; unknown fields are skipped.
 *
 * Return: OK; E_SHORT, E_MALFORMED, E_UNSUPPORTED.
 */
MUST_USE enum err identify_decode(struct bytes in,
                                  struct identify *ret_message);

/**
 * identify_encode - @message with its length before it; in two messages when
 * it is longer than IDENTIFY_SPLIT_BYTES.
 *
 * Fields that are empty are left out.
 */
void identify_encode(const struct identify *message, struct wr *w);

/**
 * struct identify_reader - collects the messages of one stream.
 *
 * identify_reader_release() frees it.  A zeroed struct is ready.
 */
struct identify_reader {
    uint8_t *bytes; /* owned: complete messages, then part of one */
    size_t len;
    size_t room;
    size_t complete;    /* bytes of complete messages */
    uint32_t left;      /* of the message that is coming */
    uint8_t count;      /* complete messages */
    uint8_t prefix_len; /* bytes of its length so far */
    uint8_t prefix[2];
};

/** identify_reader_release - free it; it is as zeroed. */
void identify_reader_release(struct identify_reader *r);

/**
 * identify_reader_add - more bytes of the stream.
 *
 * Return: OK; E_LIMIT for a message, a sum or a number of messages over the
 * maximum; E_MALFORMED for a bad length.
 */
MUST_USE enum err identify_reader_add(struct identify_reader *r,
                                      struct bytes in);

/**
 * identify_reader_end - the stream has ended.
 * @ret_bytes: the complete messages, for identify_decode(); valid until the
 * release.
 *
 * Return: OK, also when a later message is cut short; E_SHORT without a
 * complete one.
 */
MUST_USE enum err identify_reader_end(const struct identify_reader *r,
                                      struct bytes *ret_bytes);

/**
 * identify_addr_allowed - whether an address may travel between us and a peer
 * that is connected over an address of class @over.
 *
 * Loopback addresses over loopback only, private ones over loopback and
 * private, public and names always; those nobody can reach never.
 */
bool identify_addr_allowed(const struct multiaddr *addr, enum ma_class over);

#endif /* LIBP2P_IDENTIFY_H */
