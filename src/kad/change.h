#ifndef KAD_CHANGE_H
#define KAD_CHANGE_H

#include "base/bytes.h"

enum {
    KAD_CHANGE_KEY_MAX = 128,              /* bytes */
    KAD_CHANGE_VALUE_MAX = 10 * 1024 + 64, /* bytes */
};

enum kad_change_kind {
    KAD_CHANGE_PUT,    /* write @value under @key */
    KAD_CHANGE_REMOVE, /* nothing stands under @key any more */
};

/**
 * struct kad_change - what a store of records wants written to disk.
 *
 * The owner drains these in batches into a table of its own, one for each
 * store, and hands the rows of that table back at the next start, in any order.
 * Keys and values are views into the store, valid until its next call.
 */
struct kad_change {
    enum kad_change_kind kind;
    struct bytes key;   /* at most KAD_CHANGE_KEY_MAX */
    struct bytes value; /* PUT: at most KAD_CHANGE_VALUE_MAX */
};

#endif /* KAD_CHANGE_H */
