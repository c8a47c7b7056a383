#ifndef LIBP2P_YAMUX_FRAME_H
#define LIBP2P_YAMUX_FRAME_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* The frame header of Yamux.  Spec: hashicorp/yamux spec.md, "Framing". */

enum { YAMUX_HEAD_BYTES = 12 };

enum yamux_type {
    YAMUX_TYPE_DATA = 0,
    YAMUX_TYPE_WINDOW = 1,
    YAMUX_TYPE_PING = 2,
    YAMUX_TYPE_GOAWAY = 3,
};

enum {
    YAMUX_SYN = 1,
    YAMUX_ACK = 2,
    YAMUX_FIN = 4,
    YAMUX_RST = 8,
};

/** enum yamux_step - what of the incoming frame is to be done next. */
enum yamux_step {
    YAMUX_STEP_HEAD,   /* its header is not complete */
    YAMUX_STEP_OPENED, /* its SYN was told, the rest is to be done */
    YAMUX_STEP_BODY,   /* its payload is passing */
    YAMUX_STEP_TAIL,   /* FIN and RST are to be told */
    YAMUX_STEP_DEAD,   /* after a violation */
};

/** struct yamux_head - a frame header. */
struct yamux_head {
    enum yamux_type type;
    uint16_t flags;
    uint32_t stream;
    uint32_t length; /* of the payload of DATA; a value in the others */
};

/**
 * yamux_head_read - parse a header.
 *
 * Return: OK; E_UNSUPPORTED for another version or an unknown type.
 */
MUST_USE enum err yamux_head_read(const uint8_t in[static YAMUX_HEAD_BYTES],
                                  struct yamux_head *ret_head);

/** yamux_head_write - the 12 bytes of @head. */
void yamux_head_write(const struct yamux_head *head,
                      uint8_t dst[static YAMUX_HEAD_BYTES]);

#endif /* LIBP2P_YAMUX_FRAME_H */
