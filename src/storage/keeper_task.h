#ifndef STORAGE_KEEPER_TASK_H
#define STORAGE_KEEPER_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mtime.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"
#include "storage/audit.h"
#include "storage/keeper.h"
#include "storage/keeper_copy.h"
#include "storage/keeper_object.h"
#include "storage/message.h"

/* What was handed out and is waited for, audits above all. */

/** struct keeper_audit_item - one block that is asked for. */
struct keeper_audit_item {
    struct keeper_object *object; /* NULL when the copy has gone */
    uint8_t slot;
    struct cid root;
    struct cid cid;
    bool is_picked;
    bool asked; /* it wanted the block from us meanwhile */
};

/** struct keeper_audit - one request to one peer, from picks to verdict. */
struct keeper_audit {
    struct keeper_peer *peer;
    struct mtime began;
    size_t picks_left;
    size_t tasks_left; /* that will name it yet */
    bool is_over;      /* freed with its last task */
    bool has_answer;
    bool has_own;
    uint8_t nonce[AUDIT_NONCE_BYTES];
    size_t count;
    struct keeper_audit_item items[STORAGE_AUDIT_ITEMS_MAX];
    struct audit_digest own[STORAGE_AUDIT_ITEMS_MAX];
    struct audit_digest answer[STORAGE_AUDIT_ITEMS_MAX];
};

/** struct keeper_verify - keeper_verify() under way. */
struct keeper_verify {
    struct list link;
    uint64_t job;
    uint32_t left;
    enum err err;
};

/** enum keeper_task_kind - what is waited for. */
enum keeper_task_kind {
    KEEPER_TASK_CALL,
    KEEPER_TASK_PULL,
    KEEPER_TASK_KEEP,
    KEEPER_TASK_STORE,
    KEEPER_TASK_AUDIT_PICK,
    KEEPER_TASK_AUDIT_DIGEST,
    KEEPER_TASK_BACK_PICK,
    KEEPER_TASK_SERVE_DIGEST,
    KEEPER_TASK_SERVE_FETCH,
    KEEPER_TASK_SERVE_ROW, /* an answer that waits for the row */
};

/** struct keeper_task - something handed out that will be answered. */
struct keeper_task {
    struct map_node node; /* of keeper.tasks */
    uint64_t id;
    enum keeper_task_kind kind;
    enum storage_message_type type; /* CALL: the request */
    struct keeper_object *object;   /* NULL: gone, or none */
    struct list of_object;
    struct keeper_peer *peer;   /* one reference; or NULL */
    struct keeper_audit *audit; /* CALL AUDIT, AUDIT_*; NULL: given up */
    size_t item;                /* AUDIT_PICK */
    bool recovers;              /* CALL STATUS: the recovery waits for it */
    uint32_t generation;        /* STORE, SERVE_ROW, CALL HOLDERS */
    struct peer_id other;       /* BACK_PICK, CALL FETCHBACK: the holder */
    struct cid *roots;          /* SERVE_DIGEST: of the items */
    size_t *places;             /* SERVE_DIGEST: items that were looked up */
    size_t count;               /* SERVE_DIGEST */
    size_t asked;               /* SERVE_DIGEST: items of the request */
    struct mtime began;
};

/** keeper_task_new - task of @kind; @o and @peer may be NULL. */
struct keeper_task *keeper_task_new(struct keeper *k,
                                    enum keeper_task_kind kind,
                                    struct keeper_object *o,
                                    struct keeper_peer *peer);

/** keeper_task_take - the task @id of @kind, or NULL; keeper_task_free() it. */
struct keeper_task *keeper_task_take(struct keeper *k, uint64_t id,
                                     enum keeper_task_kind kind);

/** keeper_task_free - forget a task. */
void keeper_task_free(struct keeper *k, struct keeper_task *t);

/* keeper_audit.c */

/** keeper_audit_plan - when @c is to be audited next. */
void keeper_audit_plan(struct keeper *k, struct keeper_copy *c);

/** keeper_audit_first - @c is hearsay: it is audited soon. */
void keeper_audit_first(struct keeper *k, struct keeper_copy *c);

/** keeper_audits_due - the time of copies of @o may have come. */
void keeper_audits_due(struct keeper *k, struct keeper_object *o);

/** keeper_audit_now - audit @c before all others. */
void keeper_audit_now(struct keeper *k, struct keeper_copy *c);

/** keeper_audit_peer - begin an audit of @p if it may be asked. */
void keeper_audit_peer(struct keeper *k, struct keeper_peer *p);

/** keeper_audit_answer - DIGESTS in k->in. */
void keeper_audit_answer(struct keeper *k, struct keeper_task *t);

/** keeper_audit_failed - no digests came. */
void keeper_audit_failed(struct keeper *k, struct keeper_task *t, enum err err);

/** keeper_audit_own - our own digests for the audit of the task @id. */
void keeper_audit_own(struct keeper *k, uint64_t id,
                      const struct audit_digest *digests, size_t count);

/** keeper_looked - the state of @c was asked for; @is_there: it answered. */
void keeper_looked(struct keeper *k, struct keeper_copy *c, bool is_there,
                   enum err err);

/** keeper_audit_forget - the copy @c goes while it is being audited. */
void keeper_audit_forget(struct keeper_copy *c);

/** keeper_audit_end - no verdict for what @p is being asked. */
void keeper_audit_end(struct keeper_peer *p);

/** keeper_audit_untask - a task of @a is no more. */
void keeper_audit_untask(struct keeper_audit *a);

/** keeper_act_at - when it is on us, if we hear of nobody better till then. */
struct mtime keeper_act_at(const struct keeper *k,
                           const struct keeper_object *o);

/** keeper_on_back_picked - blocks of @t's object to be fetched back. */
void keeper_on_back_picked(struct keeper *k, struct keeper_task *t,
                           const struct cid *cids, size_t count);

/** keeper_place - our place among those who keep @o: 1 is first. */
uint64_t keeper_place(const struct keeper *k, const struct keeper_object *o);

/** keeper_can_act - whether we have what it takes to audit and repair @o. */
bool keeper_can_act(const struct keeper *k, const struct keeper_object *o);

/** keeper_is_acting - whether it is on us to audit and repair @o. */
bool keeper_is_acting(const struct keeper *k, const struct keeper_object *o);

/** keeper_is_better - whether @from is before us in who audits @o. */
bool keeper_is_better(const struct keeper *k, const struct keeper_object *o,
                      const struct keeper_peer *from);

/** keeper_heard - @from, a better one, audits @o or tells of it. */
void keeper_heard(struct keeper *k, struct keeper_object *o,
                  struct keeper_peer *from);

/** keeper_verify_part - one copy of a verify has its verdict. */
void keeper_verify_part(struct keeper *k, struct keeper_copy *c, enum err err);

#endif /* STORAGE_KEEPER_TASK_H */
