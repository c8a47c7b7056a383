#ifndef API_STEPS_H
#define API_STEPS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mtime.h"
#include "base/strbuf.h"
#include "env/clock.h"

struct peer_id;
struct peering_probe;
struct request;

/*
 * steps - an answer that tells one step after the other, as it is tried: lines
 * {step, result: ok|failed|not_tried, ms, detail, remedy}.
 */

enum { STEP_MS = 15 * 1000 }; /* of each step, unless told otherwise */

struct steps {
    struct request *q;
    uint32_t step_ms;
    const char *step; /* that was begun last */
    struct mtime began;
    struct timer timer; /* its end; the owner's callback */
    struct strbuf text; /* room for a detail */
};

/**
 * steps_init - none was tried yet.
 * @timeout_ms: of each step; 0: STEP_MS.
 * @on_timer: a step takes too long.
 */
void steps_init(struct steps *s, struct request *q, uint32_t timeout_ms,
                void (*on_timer)(struct timer *t, struct mtime now));

/** steps_release - the request is over. */
void steps_release(struct steps *s);

/** steps_begin - @step is tried now; lives for ever. */
void steps_begin(struct steps *s, const char *step);

/** steps_more_time - the step that was begun has as long again. */
void steps_more_time(struct steps *s, struct mtime now);

/** steps_no_limit - the step that was begun ends by itself. */
void steps_no_limit(struct steps *s);

/** steps_line - the line of the step that was begun last, which has ended;
 * @detail: NULL for none.  For lines_json(), with more fields. */
json_t *steps_line(struct steps *s, const char *result, const char *detail);

/** steps_tell - tell that step as it is; @detail, @remedy: NULL for none. */
void steps_tell(struct steps *s, const char *result, const char *detail,
                const char *remedy);

/** steps_skip - @step was not tried; @detail: why, or NULL. */
void steps_skip(struct steps *s, const char *step, const char *detail);

/** steps_counted - "N words", valid until the next use of s->text. */
const char *steps_counted(struct steps *s, uint64_t number, const char *words);

/** steps_ask_probe - have one of the connected peers try to reach @peer.
 * Return: false when there is none; else @probe->done tells. */
bool steps_ask_probe(struct request *q, struct peering_probe *probe,
                     const struct peer_id *peer, struct mtime now);

#endif /* API_STEPS_H */
