#ifndef LIBP2P_YAMUX_PRIV_H
#define LIBP2P_YAMUX_PRIV_H

#include <stdbool.h>

struct yamux_stream;

/* What yamux.c and yamux_out.c share. */

/** yamux_stream_ready - true when data or FIN of @s may be sent now. */
bool yamux_stream_ready(const struct yamux_stream *s);

#endif /* LIBP2P_YAMUX_PRIV_H */
