#ifndef TEST_UNIT_DISCOVERY_OWNER_H
#define TEST_UNIT_DISCOVERY_OWNER_H

/*
 * The owner of one discovery: it decides what time it is and what peers do, and
 * looks at what the core wants.
 */

#include "base/mtime.h"
#include "discovery/discovery.h"
#include "multiformats/key.h"
#include "peers.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/** struct owner - a discovery and its clock. */
struct owner {
    struct discovery *d;
    struct privkey key;
    struct mtime now;
    uint64_t last_request; /* of others, by owner_send() */
};

/** addr_n - address number @n, in group number @n. */
static inline struct multiaddr addr_n(uint32_t n)
{
    return addr_ip(0x14000001U + (n << 16));
}

/** owner_start_with - a new discovery of network devnet, started. */
void owner_start_with(struct owner *o, struct discovery_config config);

/** owner_start - one with the usual limits. */
void owner_start(struct owner *o);

/** owner_stop - free it. */
void owner_stop(struct owner *o);

/** owner_pass - @ms later. */
void owner_pass(struct owner *o, uint32_t ms);

/** owner_next - the next output of @kind; others are passed over. */
bool owner_next(struct owner *o, enum discovery_out_kind kind,
                struct discovery_out *ret_out);

/** owner_count - how many outputs of @kind there are; all are passed over. */
size_t owner_count(struct owner *o, enum discovery_out_kind kind);

/** owner_drain - pass over all outputs. */
void owner_drain(struct owner *o);

/** owner_hear - tell of peer @n. */
enum err owner_hear(struct owner *o, uint32_t n, struct multiaddr addr,
                    enum book_source source);

/** owner_connect - peer @n, a member, is connected. */
void owner_connect(struct owner *o, uint32_t n, struct multiaddr addr,
                   bool inbound);

/** owner_send - @peer sends a request. */
void owner_send(struct owner *o, const struct peer_id *peer,
                const struct peers_message *m);

/** owner_answered - the answer to the last owner_send(), whose views are not
 * valid any more; false when the stream was reset. */
bool owner_answered(struct owner *o, struct peers_message *ret_m);

/** owner_hello - @peer says hello with @record. */
void owner_hello(struct owner *o, const struct peer_id *peer,
                 struct bytes record);

/** owner_ask - @peer asks for @max records. */
void owner_ask(struct owner *o, const struct peer_id *peer, uint32_t max);

/** owner_score - quality of peer @n. */
uint32_t owner_score(struct owner *o, uint32_t n);

/** owner_refuses - whether @id is turned away. */
bool owner_refuses(struct owner *o, const struct peer_id *id);

/** owner_member - a member with key @n, connected, whose record is known. */
struct peer_id owner_member(struct owner *o, uint32_t n, const char *addr,
                            bool inbound);

#endif /* TEST_UNIT_DISCOVERY_OWNER_H */
