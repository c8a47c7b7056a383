#ifndef APP_PEER_ARG_H
#define APP_PEER_ARG_H

/* peer_arg - a peer is named by its id or by an address that ends with it. */

/** peer_arg - the id in @text; a view into it. */
const char *peer_arg(const char *text);

#endif /* APP_PEER_ARG_H */
