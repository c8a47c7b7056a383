#include "discovery/reach.h"

#include "base/map.h"
#include "base/rd.h"

enum { GROUP_NAMES = 1, GROUP_OTHERS = 2 };

enum reach reach_of(const struct multiaddr *addr)
{
    switch (multiaddr_class(addr)) {
    case MA_CLASS_LOOPBACK:
        return REACH_LOOPBACK;
    case MA_CLASS_PRIVATE:
        return REACH_PRIVATE;
    case MA_CLASS_PUBLIC:
    case MA_CLASS_UNROUTABLE:
    case MA_CLASS_OTHER:
        break;
    }
    return REACH_PUBLIC;
}

bool reach_is_dialable(const struct multiaddr *addr)
{
    switch (multiaddr_class(addr)) {
    case MA_CLASS_LOOPBACK:
    case MA_CLASS_PRIVATE:
    case MA_CLASS_PUBLIC:
        return true;
    case MA_CLASS_UNROUTABLE:
    case MA_CLASS_OTHER:
        break;
    }
    return false;
}

/* Far above every group of public addresses, which have 40 bits. */
static uint64_t local_group(const struct multiaddr *addr)
{
    static const uint8_t key[16] = "local group";
    struct multiaddr host = *addr;
    multiaddr_strip_peer(&host);
    return siphash13(key, multiaddr_bytes(&host)) | UINT64_C(1) << 63;
}

uint64_t reach_group(const struct multiaddr *addr)
{
    if (reach_of(addr) != REACH_PUBLIC)
        return local_group(addr);
    struct ma_ip ip;
    if (multiaddr_get_ip(addr, &ip) == OK)
        return ma_ip_group(&ip);
    return reach_is_dialable(addr) ? GROUP_NAMES : GROUP_OTHERS;
}
