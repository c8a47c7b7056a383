#ifndef SIM_RUN_PRIV_H
#define SIM_RUN_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "env/clock.h"
#include "multiformats/cid.h"
#include "sim/http.h"
#include "sim/run.h"
#include "sim/script.h"
#include "sim/world.h"

enum { SIM_TARGET_MAX = 1024, SIM_RETRY_MS = 1000, SIM_POLL_MS = 100 };

enum sim_phase {
    SIM_PHASE_EVENTS,
    SIM_PHASE_SETTLE,
    SIM_PHASE_CHECK,
    SIM_PHASE_COPIES, /* each holder by itself */
    SIM_PHASE_STOP,
    SIM_PHASE_DONE,
};

/* A file of drawn bytes. */
struct sim_file {
    struct list link;
    char *name;
    uint64_t seed; /* of its bytes */
    uint64_t size;
    bool acked;
    uint32_t machine; /* where it was acknowledged */
    char cid[CID_TEXT_MAX];
    struct cid root;            /* of the object */
    uint64_t copies;            /* wanted on other nodes; 0: it is no object */
    bool was_full;              /* it had as many copies once */
    bool is_gone;               /* none is wanted any more */
    struct sim_copy *copies_at; /* of each machine; NULL: not looked at yet */
};

/* What one machine had of a file when it was last looked at. */
struct sim_copy {
    bool counts;   /* kept, by one that runs and may be counted */
    bool was_kept; /* kept when it ended or went bad */
    uint32_t starts;
    uint64_t ended_ns; /* when that was */
};

/* What a fault of ours has done to a disk. */
enum sim_damage {
    SIM_UNDAMAGED,
    SIM_DAMAGED, /* it is not to be trusted any more */
    SIM_LOST,    /* blocks have gone, all else is good */
};

/* What the copy of a machine is worth to the checks. */
enum sim_trust {
    SIM_TRUST_GOOD, /* its copies are real, and others have to see them */
    SIM_TRUST_HALF, /* lied, but its disk is good: others may count it or not */
    SIM_TRUST_NONE, /* must be replaced */
};

enum sim_op_kind {
    SIM_OP_ADD,
    SIM_OP_GET,
    SIM_OP_PIN,
    SIM_OP_CHECK, /* read back what was acknowledged */
    SIM_OP_CALL,
    SIM_OP_CONNECT, /* for ever: connects again */
    SIM_OP_REMOVE,
    SIM_OP_RECOVER, /* until it lists all that it ever added */
    SIM_OP_LEAVE,   /* until it keeps nothing for others */
    SIM_OP_SURVEY,  /* who keeps a file? */
    SIM_OP_COPY,    /* as SIM_OP_CHECK, at a holder */
};

/* A request that is repeated until it succeeds. */
struct sim_op {
    struct list link; /* in run.ops */
    struct sim_run *run;
    enum sim_op_kind kind;
    struct sim_machine *machine;
    struct sim_machine *other; /* to connect to */
    struct sim_file *file;
    char *text;      /* of a call; or NULL */
    uint64_t copies; /* of an add */
    uint64_t offset; /* bytes of the file sent or compared */
    bool wrong;      /* other bytes than those of the file came */
    bool asked;      /* a call is under way */
    bool done;
    unsigned tries;
    char target[SIM_TARGET_MAX];
    char body[SIM_TARGET_MAX];
    char method[16];
    struct sim_call call;
    struct timer again; /* on the world's clock */
};

/* What ends a fault. */
struct sim_undo {
    struct list link; /* in run.undos */
    struct sim_run *run;
    const struct sim_event *event;
    struct sim_cut *cut;
    struct timer timer; /* on the world's clock */
};

struct sim_run {
    const struct sim_run_config *config;
    struct sim_script *script;
    struct sim_world *world;
    struct sim_result *result;
    struct sim_rand rand; /* of how faults hit */
    enum sim_phase phase;
    struct mtime phase_end; /* what is under way must have ended */
    struct list files;
    struct list ops;
    struct list undos;
    struct list asks;     /* of the DHT, under way */
    struct list provided; /* keys that were announced */
    uint64_t provided_count;
    struct sim_rand dht_rand;
    uint64_t connections_before; /* the mark */
    size_t event_at;
    struct timer next;
    struct timer poll;
    uint8_t *damaged;    /* of each machine: enum sim_damage */
    uint8_t *wanted;     /* of each machine: it was started once */
    uint8_t *lied;       /* of each machine: it was a liar once */
    uint32_t *left;      /* of each machine: the start in which it left */
    bool is_forged;      /* some machine forged or replayed messages */
    uint64_t looked_ns;  /* at copies, last */
    uint64_t settled_ns; /* the copies are as they should be since */
};

/** sim_run_fail - an invariant does not hold at @m (or NULL). */
void sim_run_fail(struct sim_run *r, const struct sim_machine *m,
                  const char *what, struct bytes detail);

/** sim_run_tell - a line for people about @m (or NULL). */
void sim_run_tell(struct sim_run *r, const struct sim_machine *m,
                  const char *what, struct bytes detail);

/** sim_perform - carry out an event. */
void sim_perform(struct sim_run *r, const struct sim_event *e);

/** sim_undo_all - end all faults now. */
void sim_undo_all(struct sim_run *r);

/** sim_undos_free - forget those that are left. */
void sim_undos_free(struct sim_run *r);

/** sim_start_machine - start its node; tries again where that may help. */
void sim_start_machine(struct sim_run *r, struct sim_machine *m);

/** sim_machine_of - the machine of @e, which was drawn if need be. */
struct sim_machine *sim_machine_of(struct sim_run *r,
                                   const struct sim_event *e);

/** sim_undo_later - have sim_end_fault() called for @e in @ns. */
struct sim_undo *sim_undo_later(struct sim_run *r, const struct sim_event *e,
                                uint64_t ns);

/** sim_storage_begin - carry out an event about objects or liars. */
void sim_storage_begin(struct sim_run *r, const struct sim_event *e);

/** sim_storage_end - what such a fault began ends. */
void sim_storage_end(struct sim_run *r, const struct sim_event *e);

/** sim_storage_draw - the machine of @e->holder_of; false: nobody keeps it. */
bool sim_storage_draw(struct sim_run *r, struct sim_event *e);

/** sim_keeps - whether @m runs and keeps @f for another. */
bool sim_keeps(const struct sim_machine *m, const struct sim_file *f);

/** sim_copies_look - note who has which copies; fails when one let go and too
 * few are left. */
void sim_copies_look(struct sim_run *r);

/** sim_copies_settled - whether all objects have had the copies that they
 * should for a while. */
bool sim_copies_settled(struct sim_run *r);

/** sim_copies_tell - fail for the first object that has not. */
void sim_copies_tell(struct sim_run *r);

/** sim_copies_check - cut the power of all, let nothing pass between them, and
 * have each holder read its copies back. */
void sim_copies_check(struct sim_run *r);

/** sim_dht_begin - carry out an event about the DHT. */
void sim_dht_begin(struct sim_run *r, const struct sim_event *e);

/** sim_dht_pending - questions that will end. */
size_t sim_dht_pending(const struct sim_run *r);

/** sim_dht_end - forget questions and keys; all nodes are off. */
void sim_dht_end(struct sim_run *r);

/** sim_file_get - the file called @name; made when it is not known. */
struct sim_file *sim_file_get(struct sim_run *r, const char *name);

/** sim_files_free - forget all. */
void sim_files_free(struct sim_run *r);

/** sim_op_begin - start an operation; it frees itself at the end of the run.
 * @file: or NULL. */
struct sim_op *sim_op_begin(struct sim_run *r, enum sim_op_kind kind,
                            struct sim_machine *m, struct sim_file *file);

/** sim_ops_pending - how many must still succeed. */
size_t sim_ops_pending(const struct sim_run *r);

/** sim_ops_tell - fail for the first that has not succeeded. */
void sim_ops_tell(struct sim_run *r);

/** sim_ops_free - forget all; no call is under way. */
void sim_ops_free(struct sim_run *r);

#endif /* SIM_RUN_PRIV_H */
