#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/mtime.h"

/** enum sim_kind - what may happen; part of the trace, so new ones go last. */
enum sim_kind {
    SIM_DIALED,    /* a connection was made; payload: both addresses */
    SIM_RECEIVED,  /* bytes of a stream were read */
    SIM_CLOSED,    /* an end of a stream heard of its end */
    SIM_DATAGRAM,  /* a datagram was received */
    SIM_WROTE,     /* bytes were written to a file */
    SIM_SYNCED,    /* a file or directory was synced */
    SIM_COMMITTED, /* a batch of a kv was applied */
    SIM_LOGGED,    /* a log line */
    SIM_SCRIPT,    /* a line of the scenario was carried out */
    SIM_ANSWERED,  /* the API answered a request */
};

/**
 * struct sim_trace - running hash of all that happened.
 *
 * Two runs that are the same have the same hash, whatever machine and compiler.
 */
struct sim_trace {
    uint64_t hash;
    uint64_t count;
    /** @tell: hears of each event, to find where two runs part; or NULL. */
    void (*tell)(void *user, uint64_t count, struct mtime now, uint32_t machine,
                 enum sim_kind kind, struct bytes payload);
    void *user;
};

/** sim_trace_init - nothing has happened. */
void sim_trace_init(struct sim_trace *t);

/** sim_trace_add - @kind happened at @machine with @payload. */
void sim_trace_add(struct sim_trace *t, struct mtime now, uint32_t machine,
                   enum sim_kind kind, struct bytes payload);

/** sim_kind_name - constant lower-case name. */
const char *sim_kind_name(enum sim_kind kind);

#endif /* SIM_TRACE_H */
