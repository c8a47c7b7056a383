#ifndef DISCOVERY_QUALITY_H
#define DISCOVERY_QUALITY_H

#include <stdint.h>

/*
 * quality - how good a peer was to us, 0 to 100, from what we measured.
 *
 * Four parts, each 0 to 1000 with 500 for "nothing known", are weighed: success
 * (40%), valid data (25%), uptime (20%), latency (15%).  The sum is then cut by
 * a penalty for faults.  What a peer says about itself is in none of them.
 *
 *   part      rises by                       falls by               half-life
 *   success   a connection, an answer        a dial or answer that   24 h
 *             (an eighth of what is missing)  failed (a quarter)
 *   data      good bytes (half of what is    a bad block (half),      7 days
 *             missing for 16 MiB), an audit   an audit failed (half)
 *             passed (a sixteenth)
 *   uptime    time connected (half of what   a dial that failed      24 h
 *             is missing for 4 h)             (an eighth)
 *   latency   set by the smoothed round trip: 1000 up to 10 ms, 0 from 2 s
 *   penalty   a fault (10 for each of its severity), a bad block (200), an
 *             audit failed (300); at most 1000       6 h, down to 0
 *
 * In one half-life a part goes half of the way back to 500.
 */

enum {
    QUALITY_MAX = 100,
    QUALITY_NEW = 50, /* of a peer that nothing is known of */
    QUALITY_PENALTY_MAX = 1000,
    QUALITY_SEVERITY_MAX = 100,
};

enum quality_kind {
    QUALITY_CONNECTED,    /* a dial of ours succeeded */
    QUALITY_DIAL_FAILED,  /* and failed */
    QUALITY_ANSWERED,     /* a request of ours was answered */
    QUALITY_UNANSWERED,   /* and was not */
    QUALITY_RTT,          /* amount: us */
    QUALITY_UPTIME,       /* amount: s connected since the last such event */
    QUALITY_GOOD_BYTES,   /* amount: verified bytes that it gave us */
    QUALITY_BAD_BLOCK,    /* bytes that don't match their hash */
    QUALITY_FAULT,        /* amount: severity, 1 to QUALITY_SEVERITY_MAX */
    QUALITY_AUDIT_PASSED, /* it has what it said it keeps */
    QUALITY_AUDIT_FAILED,
};

/** struct quality - a plain value; written to disk field by field. */
struct quality {
    uint64_t at_s;    /* unix; when the parts were right */
    uint32_t rtt_us;  /* smoothed; 0: not measured */
    uint16_t success; /* each of these in 1/60000 */
    uint16_t data;
    uint16_t uptime;
    uint16_t penalty;
};

enum { QUALITY_PART_LAST = 60000 }; /* largest value of a part */

/** quality_init - of a new peer. */
struct quality quality_init(uint64_t unix_s);

/**
 * quality_event - something was measured.
 * @amount: see the kinds; 0 for those that have none.  Any value is safe.
 */
void quality_event(struct quality *q, enum quality_kind kind, uint64_t amount,
                   uint64_t unix_s);

/** quality_score - 0 to QUALITY_MAX, with the decay up to now. */
uint32_t quality_score(const struct quality *q, uint64_t unix_s);

/** quality_penalty - 0 to QUALITY_PENALTY_MAX, with the decay up to now. */
uint32_t quality_penalty(const struct quality *q, uint64_t unix_s);

#endif /* DISCOVERY_QUALITY_H */
