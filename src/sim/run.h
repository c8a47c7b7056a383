#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "node/log.h"
#include "sim/trace.h"

struct sim_run;
struct sim_script;
struct sim_world;

/*
 * run - one scenario with one seed, from the first event to the report.
 *
 * Phases: the events; then all that is broken is made whole and what is under
 * way must end; then every file that was acknowledged is read back where it
 * was; then the holders of objects read their copies back, each by itself; then
 * all nodes are stopped.  The first invariant that does not hold ends
 * the run.
 */

enum { SIM_FAILURE_MAX = 4096 };

/** struct sim_run_config - what to run, and who watches. */
struct sim_run_config {
    const char *name;          /* of the scenario; for the report */
    struct sim_script *script; /* borrowed; events left out are not run */
    uint64_t seed;
    /** @tell: a line for people; or NULL. */
    void (*tell)(void *user, struct bytes line);
    /** @log: a log line of a node; or NULL. */
    void (*log)(void *user, uint32_t machine, uint64_t now_ns,
                enum log_level level, struct bytes line);
    /** @trace: as sim_trace.tell; or NULL. */
    void (*trace)(void *user, uint64_t count, struct mtime now,
                  uint32_t machine, enum sim_kind kind, struct bytes payload);
    /** @mark: the event of that name; or NULL. */
    void (*mark)(void *user);
    void *user;
};

/** struct sim_dht_counts - sums over all questions put to the DHT. */
struct sim_dht_counts {
    uint64_t provides;
    uint64_t provided; /* ... that somebody stored */
    uint64_t provide_messages;
    uint64_t records; /* that were stored */
    uint64_t lookups;
    uint64_t found; /* ... that found the provider */
    uint64_t hops;
    uint64_t hops_max;
    uint64_t messages;
    uint64_t failures;
    uint64_t bytes; /* both ways */
    uint64_t elapsed_ms;
    uint64_t lost; /* whose node ended meanwhile */
};

/** struct sim_cost - what a run took, as its owner has measured it. */
struct sim_cost {
    uint64_t real_ms;
    uint64_t cpu_ms;
    uint64_t marked_real_ms; /* of it, since the mark; 0: there was none */
    uint64_t marked_cpu_ms;
    uint64_t peak_kib; /* resident */
};

/** struct sim_result - what came out. */
struct sim_result {
    bool failed;
    uint64_t trace_hash;
    uint64_t trace_count;
    uint64_t turns;
    uint64_t virtual_ms;
    uint64_t segments;
    uint64_t bytes;
    uint64_t datagrams;
    uint64_t connections;
    uint64_t faults;     /* carried out */
    uint64_t starts;     /* of nodes */
    uint64_t requests;   /* answered by the API */
    uint64_t added;      /* files that were acknowledged */
    uint64_t gotten;     /* files that came whole */
    uint64_t checked;    /* files that were read back */
    uint64_t disk_bytes; /* written */
    uint64_t syncs;
    uint64_t marked_ms;          /* virtual time of the mark */
    uint64_t marked_connections; /* made from it to the last event */
    struct sim_dht_counts dht;
    char why[SIM_FAILURE_MAX]; /* of the first failure, else empty */
};

/** sim_run - run it; not from inside a run. */
void sim_run(const struct sim_run_config *config,
             struct sim_result *ret_result);

/** sim_result_json - append @r as a JSON object, one line. */
void sim_result_json(const struct sim_result *r, const char *name,
                     uint64_t seed, const struct sim_cost *cost,
                     struct strbuf *out);

/**
 * sim_shrink - leave out faults of @config->script while the run still fails.
 * @runs_max: how many runs it may take.
 * @ret_kept: how many faults are left.
 *
 * The script is left as it was at the last failing run.  Nothing is told of
 * these runs.
 *
 * Return: number of runs.
 */
unsigned sim_shrink(const struct sim_run_config *config, unsigned runs_max,
                    size_t *ret_kept);

#endif /* SIM_RUN_H */
