#ifndef OS_SOCKADDR_H
#define OS_SOCKADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "env/net.h"

/** net_addr_to_sockaddr - @a, of 4 or 16 bytes, as the system has it. */
void net_addr_to_sockaddr(const struct net_addr *a,
                          struct sockaddr_storage *ret_ss);

/**
 * net_addr_from_sockaddr - the other way.
 *
 * Return: false, and ip_len 0, when @sa is no IP address.
 */
bool net_addr_from_sockaddr(const struct sockaddr *sa,
                            struct net_addr *ret_addr);

#endif /* OS_SOCKADDR_H */
