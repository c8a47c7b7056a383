#ifndef OS_KV_LMDB_H
#define OS_KV_LMDB_H

#include "env/kv.h"

struct os_loop;

/*
 * kv_lmdb - struct kv over LMDB: one directory, one writer thread each.
 *
 * Before the loop runs, get() and next() work, and see what os_kv_flush() has
 * waited for.
 */
struct os_kv_opener {
    struct kv_opener opener; /* the node's view */
    struct os_loop *loop;    /* private */
};

/** os_kv_opener_init - opener whose environments call back on @loop. */
void os_kv_opener_init(struct os_kv_opener *o, struct os_loop *loop);

/**
 * os_kv_flush - wait until all queued batches are committed, and call their
 * done here and now; all views end.  For start and stop, when the loop does
 * not run.
 */
void os_kv_flush(struct kv *kv);

#endif /* OS_KV_LMDB_H */
