#include "kad/kad_addrs.h"

#include <assert.h>

#include "base/rd.h"
#include "base/wr.h"
#include "kad/message.h"
#include "multiformats/pb.h"

struct kad_addrs kad_addrs_ref(const struct kad_addrs *a)
{
    struct kad_addrs copy = *a;

    if (copy.buf != NULL)
        copy.buf = buf_ref(copy.buf);
    return copy;
}

void kad_addrs_release(struct kad_addrs *a)
{
    buf_unref(a->buf);
    *a = (struct kad_addrs){.count = 0};
}

void kad_addr_list_add(struct kad_addr_list *list, const struct multiaddr *addr)
{
    if (list->count == KAD_ADDRS_MAX)
        return;
    struct multiaddr *slot = &list->addrs[list->count];
    *slot = *addr;
    multiaddr_strip_peer(slot);
    if (slot->len == 0)
        return;
    for (size_t i = 0; i < list->count; i++) {
        if (multiaddr_eq(&list->addrs[i], slot))
            return;
    }
    list->count++;
}

struct kad_addrs kad_addrs_pack(const struct kad_addr_list *list)
{
    struct kad_addrs a = {.count = 0};
    size_t len = 0;

    assert(list->count <= KAD_ADDRS_MAX);
    if (list->count == 0)
        return a;
    for (size_t i = 0; i < list->count; i++)
        len += pb_bytes_len(KAD_PEER_ADDRS, list->addrs[i].len);
    a.buf = buf_new(len);
    struct wr w = wr_init(a.buf->data, len);
    for (size_t i = 0; i < list->count; i++) {
        const struct multiaddr *addr = &list->addrs[i];
        pb_put_bytes(&w, KAD_PEER_ADDRS, multiaddr_bytes(addr));
        a.classes |= (uint8_t)(1U << multiaddr_class(addr));
    }
    assert(w.err == OK);
    a.buf->len = wr_len(&w);
    a.count = (uint8_t)list->count;
    return a;
}

void kad_addrs_unpack(const struct kad_addrs *a, struct kad_addr_list *ret_list)
{
    ret_list->count = 0;
    if (a->buf == NULL)
        return;
    struct rd r = rd_init(buf_bytes(a->buf));
    struct pb_field field;
    while (ret_list->count < KAD_ADDRS_MAX && pb_next(&r, &field)) {
        enum err err =
            multiaddr_decode(field.bytes, &ret_list->addrs[ret_list->count]);
        assert(err == OK); /* it was an address when it was packed */
        ret_list->count++;
    }
}

static bool class_allowed(enum kad_scope scope, enum ma_class class,
                          enum ma_class over)
{
    switch (class) {
    case MA_CLASS_PUBLIC:
        return true;
    case MA_CLASS_PRIVATE:
        return scope != KAD_WAN &&
               (over == MA_CLASS_PRIVATE || over == MA_CLASS_LOOPBACK);
    case MA_CLASS_LOOPBACK:
        return scope != KAD_WAN && over == MA_CLASS_LOOPBACK;
    case MA_CLASS_UNROUTABLE:
    case MA_CLASS_OTHER:
        break;
    }
    return false;
}

bool kad_addr_allowed(enum kad_scope scope, const struct multiaddr *addr,
                      enum ma_class over)
{
    return class_allowed(scope, multiaddr_class(addr), over);
}

struct kad_addrs kad_addrs_allowed(const struct kad_addrs *a,
                                   enum kad_scope scope, enum ma_class over)
{
    bool all = true;

    for (unsigned c = MA_CLASS_PUBLIC; c <= MA_CLASS_OTHER; c++) {
        if ((a->classes >> c & 1U) != 0 &&
            !class_allowed(scope, (enum ma_class)c, over))
            all = false;
    }
    if (all)
        return kad_addrs_ref(a);
    struct kad_addr_list every;
    struct kad_addr_list some = {.count = 0};
    kad_addrs_unpack(a, &every);
    for (size_t i = 0; i < every.count; i++) {
        if (kad_addr_allowed(scope, &every.addrs[i], over))
            kad_addr_list_add(&some, &every.addrs[i]);
    }
    return kad_addrs_pack(&some);
}

bool kad_addrs_usable(const struct kad_addrs *a, enum kad_scope scope)
{
    struct kad_addr_list list;

    if (scope != KAD_WAN)
        return a->count > 0;
    kad_addrs_unpack(a, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (multiaddr_class(&list.addrs[i]) == MA_CLASS_PUBLIC &&
            !multiaddr_is_relay(&list.addrs[i]))
            return true;
    }
    return false;
}

enum ma_class kad_addrs_class(const struct kad_addrs *a)
{
    if ((a->classes >> MA_CLASS_LOOPBACK & 1U) != 0)
        return MA_CLASS_LOOPBACK;
    if ((a->classes >> MA_CLASS_PRIVATE & 1U) != 0)
        return MA_CLASS_PRIVATE;
    return MA_CLASS_PUBLIC;
}

uint64_t kad_addrs_group(const struct kad_addrs *a)
{
    struct kad_addr_list list;
    struct ma_ip ip;

    kad_addrs_unpack(a, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (!multiaddr_is_relay(&list.addrs[i]) &&
            multiaddr_get_ip(&list.addrs[i], &ip) == OK)
            return ma_ip_group(&ip);
    }
    return 0;
}
