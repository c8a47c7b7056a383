#ifndef KAD_KAD_ADDRS_H
#define KAD_KAD_ADDRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "kad/kad.h"
#include "multiformats/multiaddr.h"

struct ma_ip;

/*
 * kad_addrs - a few addresses of one peer, small and shared.
 *
 * They lie in a counted buf in the form in which messages carry them, so that
 * many lookups may know a peer at the price of one.
 */

/**
 * struct kad_addrs - addresses, at most KAD_ADDRS_MAX.  Zeroed has none.
 *
 * A value that holds a reference: kad_addrs_ref(), kad_addrs_release().
 */
struct kad_addrs {
    struct buf *buf; /* NULL: none.  Fields 2 of a Peer */
    uint8_t count;
    uint8_t classes; /* bit c is set when one is of enum ma_class c */
};

/** kad_addrs_ref - second value of the same addresses. */
struct kad_addrs kad_addrs_ref(const struct kad_addrs *a);

/** kad_addrs_release - drop the reference; @a is empty afterwards. */
void kad_addrs_release(struct kad_addrs *a);

/** struct kad_addr_list - addresses while they are collected. */
struct kad_addr_list {
    struct multiaddr addrs[KAD_ADDRS_MAX];
    size_t count;
};

/**
 * kad_addr_list_add - add @addr unless it is there or the list is full.
 *
 * A /p2p part at its end is left out; an address that is nothing else too.
 */
void kad_addr_list_add(struct kad_addr_list *list,
                       const struct multiaddr *addr);

/** kad_addrs_pack - the addresses of @list. */
struct kad_addrs kad_addrs_pack(const struct kad_addr_list *list);

/** kad_addrs_unpack - the addresses of @a. */
void kad_addrs_unpack(const struct kad_addrs *a,
                      struct kad_addr_list *ret_list);

/**
 * kad_addr_allowed - whether an address may be told, or believed.
 * @over: class of the other end of the connection to who hears or tells it.
 *
 * WAN: public ones only.  Else by class: loopback over loopback, private over
 * private and loopback, public always.
 */
bool kad_addr_allowed(enum kad_scope scope, const struct multiaddr *addr,
                      enum ma_class over);

/** kad_addrs_allowed - those of @a that are allowed as above; a reference of
 * the caller. */
struct kad_addrs kad_addrs_allowed(const struct kad_addrs *a,
                                   enum kad_scope scope, enum ma_class over);

/** kad_addrs_usable - whether @a suffices to be asked in a lookup: WAN: a
 * public one that is no relay's; else any. */
bool kad_addrs_usable(const struct kad_addrs *a, enum kad_scope scope);

/**
 * kad_addrs_class - class over which a peer with these addresses is likely
 * reached: the nearest of them, since near ones are heard from near peers only.
 */
enum ma_class kad_addrs_class(const struct kad_addrs *a);

/** kad_addrs_group - IP group of the first address that has one; 0: none. */
uint64_t kad_addrs_group(const struct kad_addrs *a);

#endif /* KAD_KAD_ADDRS_H */
