#ifndef LIBP2P_MULTISTREAM_H
#define LIBP2P_MULTISTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct wr;

enum {
    MSS_TOKEN_MAX = 1024,   /* text and newline */
    MSS_PROPOSALS_MAX = 64, /* that a responder hears out */
    MSS_NAMES_MAX = 8,      /* that an initiator proposes */
    MSS_NAME_MAX = 255,     /* of a protocol of ours */
    MSS_OUT_MAX = 4096,     /* room for all that one mss_step() writes */
};

/** struct mss_names - protocols to propose or to accept; borrowed. */
struct mss_names {
    const struct bytes *names; /* each at most MSS_NAME_MAX */
    size_t count;
};

/**
 * struct mss - one end of one negotiation of a protocol.
 *
 * Takes no byte past the agreed proposal: what follows belongs to the protocol.
 *
 * Spec: multiformats/multistream-select README.md, "Protocol".
 */
struct mss {
    bool initiator;
    bool header_seen;
    uint16_t have;    /* bytes of @token */
    uint16_t refused; /* proposals refused so far, read-only for others */
    size_t proposed;  /* initiator: index of the name in question */
    struct mss_names names;
    uint8_t token[2 + MSS_TOKEN_MAX]; /* the one that is coming in */
};

/**
 * mss_init_initiator - begin to propose @names, first the first.
 * @names: 1 to MSS_NAMES_MAX (asserted), which outlive @m.
 * @w: gets header and first proposal, to be sent at once.
 */
void mss_init_initiator(struct mss *m, struct mss_names names, struct wr *w);

/** mss_init_responder - wait for a proposal of one of @names. */
void mss_init_responder(struct mss *m, struct mss_names names);

/** mss_set_names - replace what a responder accepts from now on. */
void mss_set_names(struct mss *m, struct mss_names names);

/**
 * mss_step - read what has come.
 * @io_in: bytes from outside; those that were used are cut off its front.
 * @w: gets what is to be sent, also on failure; MSS_OUT_MAX bytes are enough.
 * @ret_index: the agreed name in the list.
 *
 * Return: OK when a protocol is agreed; E_AGAIN when more bytes are needed and
 * @io_in is used up; E_UNSUPPORTED when the responder has none of ours;
 * E_MALFORMED, E_LIMIT when the other end speaks something else.
 */
MUST_USE enum err mss_step(struct mss *m, struct bytes *io_in, struct wr *w,
                           size_t *ret_index);

#endif /* LIBP2P_MULTISTREAM_H */
