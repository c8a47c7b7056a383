#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

/*
 * One error type for the whole tree.  The group decides what the caller does:
 * a peer's fault is answered by dropping the message and lowering the peer's
 * score; a local fault is passed up; an outcome is an ordinary answer.
 * A broken invariant of our own has no code here: it is an assert().
 */
enum err {
    OK = 0,

    /* Outcomes. */
    E_NOTFOUND,
    E_AGAIN,    /* try after the next event, nothing is lost */
    E_CANCELED, /* the requester asked us to stop */
    E_EXISTS,   /* there is one already, and it was not replaced */
    E_TIMEOUT,  /* the deadline passed first */
    E_REFUSED,  /* policy, permission or a wrong passphrase */
    E_CLOSED,   /* the other end has gone, in the ordinary way */

    /* The peer's fault: bytes or behaviour that the protocol forbids. */
    E_SHORT,       /* input ends before the value does */
    E_MALFORMED,   /* not a value of this format */
    E_LIMIT,       /* well formed, but over a limit of ours */
    E_UNSUPPORTED, /* well formed, but a version or code we do not speak */
    E_MISMATCH,    /* content does not have the hash or signature it claims */

    /* A local fault. */
    E_IO,
    E_NOSPACE,
    E_CORRUPT, /* our own stored data fails its checksum */
};

/** err_name - constant lower-case name of @err for logs, never NULL. */
const char *err_name(enum err err);

/** err_is_peer_fault - true when @err says that the sender misbehaved. */
bool err_is_peer_fault(enum err err);

#endif /* BASE_ERR_H */
