#ifndef SIM_SCRIPT_PRIV_H
#define SIM_SCRIPT_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "sim/rand.h"
#include "sim/script.h"

/* A line that is being read. */
struct sim_line {
    struct sim_script *script;
    uint32_t number;
    struct sim_rand rand; /* of this line */
    struct bytes words[SIM_LINE_WORDS_MAX];
    size_t count;
    size_t at; /* the next word */
    struct bytes whole;
    const char *why;    /* what is wrong with it */
    struct bytes about; /* the word that is; may be empty */
};

/** sim_line_fail - note what is wrong.  Return: E_MALFORMED. */
enum err sim_line_fail(struct sim_line *l, const char *why);

/** sim_line_is - true, and past it, when the next word is @word. */
bool sim_line_is(struct sim_line *l, const char *word);

/** sim_line_word - the next word; fails at the end of the line. */
MUST_USE enum err sim_line_word(struct sim_line *l, struct bytes *ret_word);

/** sim_line_end - fails when a word is left. */
MUST_USE enum err sim_line_end(struct sim_line *l);

/** sim_line_number - the next word as a number up to @max. */
MUST_USE enum err sim_line_number(struct sim_line *l, uint64_t max,
                                  uint64_t *ret_number);

/** sim_line_duration - the next word as a duration. */
MUST_USE enum err sim_line_duration(struct sim_line *l, uint64_t *ret_ns);

/** sim_line_size - the next word as a size. */
MUST_USE enum err sim_line_size(struct sim_line *l, uint64_t *ret_bytes);

/** sim_line_share - the next word as a share. */
MUST_USE enum err sim_line_share(struct sim_line *l, uint64_t *ret_ppm);

/** sim_line_machines - the next word as machines: sets @set of each of them to
 * @value; @set has room for all. */
MUST_USE enum err sim_line_machines(struct sim_line *l, uint8_t *set,
                                    uint8_t value);

/** sim_line_event - the rest of the line as an action, added with its times:
 * @count of them from @from_ns to @to_ns, drawn, or @count 0: at @from_ns and
 * then every @step_ns. */
struct sim_times {
    uint64_t from_ns;
    uint64_t to_ns;
    uint64_t step_ns;
    uint64_t count;
};
MUST_USE enum err sim_line_event(struct sim_line *l,
                                 const struct sim_times *times);

#endif /* SIM_SCRIPT_PRIV_H */
