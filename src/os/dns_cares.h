#ifndef OS_DNS_CARES_H
#define OS_DNS_CARES_H

#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "env/net.h"

struct os_loop;

/*
 * dns_cares - the lookups of env/net.h, by c-ares on the loop.
 *
 * Costs nothing until the first lookup.  Addresses are looked for in the
 * machine's hosts file first.  The system's settings are read again when there
 * has been no lookup under way for a while.
 */
struct os_dns;

enum {
    OS_DNS_SERVERS_MAX = 8,
    OS_DNS_TRIES = 3,         /* of each server */
    OS_DNS_TRY_MS = 2000,     /* until the next; c-ares doubles it each round */
    OS_DNS_REREAD_MS = 60000, /* use of the system's settings before a look */
};

/** os_dns_new - resolver on @loop with the system's servers. */
MUST_USE struct os_dns *os_dns_new(struct os_loop *loop);

/** os_dns_free - end all lookups without callbacks; the loop is freed
 * afterwards.  NULL does nothing. */
void os_dns_free(struct os_dns *d);

/**
 * os_dns_set_servers - whom to ask, before the first lookup.
 * @servers: "IPv4[:PORT]", "IPv6" or "[IPv6]:PORT", with commas between, at
 * most OS_DNS_SERVERS_MAX; copied.  NULL or "": the system's.
 *
 * Return: OK; E_MALFORMED, then nothing has changed.
 */
MUST_USE enum err os_dns_set_servers(struct os_dns *d, const char *servers);

/**
 * os_dns_set_times - how long to wait, before the first lookup.
 * @try_ms: instead of OS_DNS_TRY_MS.
 * @limit_ms: instead of NET_LOOKUP_MS.
 */
void os_dns_set_times(struct os_dns *d, uint32_t try_ms, uint32_t limit_ms);

/** os_dns_lookup - net->lookup(). */
MUST_USE enum err os_dns_lookup(struct os_dns *d, struct net_lookup *l,
                                enum net_lookup_kind kind, struct bytes name);

/** os_dns_cancel - net->lookup_cancel(). */
void os_dns_cancel(struct net_lookup *l);

#endif /* OS_DNS_CARES_H */
