#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct strbuf;

enum { PROGRESS_REDRAW_MS = 100 };

/** PROGRESS_UNKNOWN - a total that nobody knows. */
#define PROGRESS_UNKNOWN UINT64_MAX

/** struct progress_state - how far work has come. */
struct progress_state {
    const char *label; /* "adding" */
    uint64_t done;
    uint64_t total;   /* or PROGRESS_UNKNOWN */
    uint64_t rate;    /* a second; 0 unknown */
    bool is_bytes;    /* else a count of @unit */
    const char *unit; /* "blocks"; unused for bytes */
};

/**
 * progress_line - append @state as one line of less than @columns columns.
 *
 * What does not fit is left out, least important first: bar, time left, rate.
 */
void progress_line(struct strbuf *out, const struct progress_state *state,
                   unsigned columns);

/** struct progress - a bar on a terminal's stderr, or nothing. */
struct progress {
    bool is_shown;     /* private: there is a terminal */
    bool is_drawn;     /* private: the line has something on it */
    uint64_t drawn_ms; /* private: monotonic, when it was drawn */
    uint64_t began_ms; /* private: monotonic, of the first state */
    uint64_t began;    /* private: what was done then */
    bool has_begun;    /* private */
    const char *label;
};

/** progress_init - bar with @label; @wanted false: never shown. */
void progress_init(struct progress *p, const char *label, bool wanted);

/** progress_update - show @state, at most every PROGRESS_REDRAW_MS; a rate of
 * 0 is replaced by the mean since the first state. */
void progress_update(struct progress *p, const struct progress_state *state);

/** progress_note - show the label alone. */
void progress_note(struct progress *p);

/** progress_clear - take the bar away, so that a line can be printed. */
void progress_clear(struct progress *p);

#endif /* APP_PROGRESS_H */
