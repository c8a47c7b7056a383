#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "sim/net.h"
#include "sim/world.h"

struct strbuf;

/*
 * script - the text of a scenario, as docs/design/0004 describes it, turned
 * into what each machine is like and a list of single events.
 */

enum {
    SIM_SCRIPT_MAX = 1 << 20, /* bytes of text */
    SIM_EVENTS_MAX = 1 << 20,
    SIM_LINE_WORDS_MAX = 32,
    SIM_NO_MACHINE = INT32_MAX,
};

/** enum sim_verb - what an event does; see sim_actions. */
enum sim_verb {
    SIM_START,
    SIM_STOP,
    SIM_KILL,
    SIM_POWER,
    SIM_CONNECT,
    SIM_ADD,
    SIM_GET,
    SIM_PIN,
    SIM_CALL,
    SIM_CUT,
    SIM_DEAF, /* a cut of one direction */
    SIM_RESET,
    SIM_FULL,
    SIM_ROT,
    SIM_LOSE,
    SIM_SLOW,
    SIM_LIE,
    SIM_GARBLE,
    SIM_LOSSY,
    SIM_APART,
    SIM_FORGET,
    SIM_FORGE,
    SIM_REPLAY,
    SIM_SPOIL,
    SIM_MUTE,
    SIM_WIPE,
    SIM_JUMP,
    SIM_REMOVE,
    SIM_RECOVER,
    SIM_LEAVE,
    SIM_SURVEY,
    SIM_GONE,
    SIM_EXPECT,
    SIM_PROVIDE,
    SIM_LOOKUP,
    SIM_MARK,
    SIM_VERBS_COUNT,
};

/** struct sim_action - one verb. */
struct sim_action {
    const char *name;
    /** @arguments: n machines (an event for each), m one machine, A B two sides
     * of a cut, f a file, s a size, d a duration, p a share, t all the rest. */
    const char *arguments;
    bool is_fault;    /* may be left out to shrink */
    uint64_t for_ns;  /* how long it lasts unless told; 0: does not end */
    const char *help; /* one line */
};

/** sim_actions - all verbs, by enum sim_verb. */
extern const struct sim_action sim_actions[SIM_VERBS_COUNT];

/** struct sim_event - one thing to happen. */
struct sim_event {
    uint64_t at_ns;
    enum sim_verb verb;
    uint32_t line;    /* of the script */
    uint32_t machine; /* SIM_NO_MACHINE: none, or not drawn yet */
    /** @holder_of: the machine is drawn when it happens, of those that run and
     * keep this file for another; or NULL. */
    char *holder_of;
    uint32_t other;
    uint64_t for_ns;
    uint64_t number; /* size, duration, share in ppm */
    uint64_t copies; /* of SIM_ADD: wanted on other nodes */
    char *file;      /* or the text of SIM_CALL; or NULL */
    uint8_t *sides;  /* of a cut: of each machine; or NULL */
    bool left_out;   /* by the shrinker */
};

/** struct sim_traits - what one machine is like. */
struct sim_traits {
    struct sim_link link;
    uint64_t capacity_bytes; /* 0: as the disk's default */
    uint64_t sync_ns;
    uint64_t disk_bytes_s;
    bool lies;
    bool nat;
    uint16_t group; /* first two bytes of the address; 0: default */
    uint32_t lan;
    bool sybil; /* one of many on one address, of @group */
    int64_t wall_ms;
};

struct sim_script {
    uint32_t machines;
    uint64_t duration_ns;
    uint64_t settle_ns; /* after it, for what is under way to end */
    bool secured;
    uint32_t bootstrap; /* machines from 0 on that the others dial */
    uint64_t calm_max;  /* after the mark: connections made for each node in a
                           minute; 0: any number */
    uint64_t found_ppm; /* of the lookups must have found a provider */
    struct sim_settings settings;
    struct sim_traits *traits; /* of each machine */
    struct sim_settings **own; /* of each machine, or NULL */
    struct sim_event *events;  /* by time */
    size_t events_count;
    size_t events_room; /* private */
};

/**
 * sim_script_parse - read @text.
 * @seed: draws what is random in it.
 * @ret_why: one line, when it fails.
 *
 * Return: OK; E_MALFORMED; E_LIMIT.
 */
MUST_USE enum err sim_script_parse(struct bytes text, uint64_t seed,
                                   struct sim_script *ret_script,
                                   struct strbuf *ret_why);

/** sim_script_release - free all of it. */
void sim_script_release(struct sim_script *s);

/** sim_event_format - append @e, of a script with so many @machines, as a line
 * of a script. */
void sim_event_format(const struct sim_event *e, size_t machines,
                      struct strbuf *out);

/** sim_parse_duration - "10ms", "5s", "2m", "1h", "3d" in ns. */
MUST_USE enum err sim_parse_duration(struct bytes text, uint64_t *ret_ns);

/** sim_parse_size - "512", "4KiB", "10MiB", "1GiB" in bytes. */
MUST_USE enum err sim_parse_size(struct bytes text, uint64_t *ret_bytes);

/** sim_parse_share - "1%", "0.05%" in millionths. */
MUST_USE enum err sim_parse_share(struct bytes text, uint64_t *ret_ppm);

#endif /* SIM_SCRIPT_H */
