#include "app/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/strbuf.h"
#include "config/units.h"
#include "os/term.h"

enum {
    LINE_MAX_BYTES = 1024,
    BAR_MIN = 10,
    BAR_MAX = 40,
    PERCENT = 100,
    MEAN_FROM_MS = 500
};

static void put_amount(struct strbuf *out, const struct progress_state *s,
                       uint64_t amount)
{
    if (s->is_bytes)
        units_human_size(out, amount);
    else
        strbuf_u64(out, amount);
}

static bool knows_total(const struct progress_state *s)
{
    return s->total != PROGRESS_UNKNOWN && s->total > 0;
}

static uint64_t percent_of(const struct progress_state *s)
{
    if (s->done >= s->total)
        return PERCENT;
    /* Over 2^57 the last digits don't matter. */
    return s->total > UINT64_MAX / PERCENT ? s->done / (s->total / PERCENT)
                                           : s->done * PERCENT / s->total;
}

static void put_head(struct strbuf *out, const struct progress_state *s)
{
    strbuf_str(out, s->label);
    strbuf_str(out, " ");
    if (knows_total(s)) {
        uint64_t percent = percent_of(s);
        strbuf_str(out, percent < 10 ? "  " : percent < PERCENT ? " " : "");
        strbuf_u64(out, percent);
        strbuf_str(out, "% ");
    }
    put_amount(out, s, s->done);
    if (knows_total(s)) {
        strbuf_str(out, " / ");
        put_amount(out, s, s->total);
    }
    if (!s->is_bytes && s->unit != NULL) {
        strbuf_str(out, " ");
        strbuf_escape(out, bytes_str(s->unit));
    }
}

static void put_rate(struct strbuf *out, const struct progress_state *s)
{
    if (s->rate == 0)
        return;
    strbuf_str(out, "  ");
    put_amount(out, s, s->rate);
    strbuf_str(out, "/s");
}

static void put_time_left(struct strbuf *out, const struct progress_state *s)
{
    if (s->rate == 0 || !knows_total(s) || s->done >= s->total)
        return;
    strbuf_str(out, "  ");
    units_human_duration(out, (s->total - s->done) / s->rate);
    strbuf_str(out, " left");
}

static void put_bar(struct strbuf *out, const struct progress_state *s,
                    size_t room)
{
    if (room < BAR_MIN + 4 || !knows_total(s))
        return;
    size_t width = room - 4 < BAR_MAX ? room - 4 : BAR_MAX;
    size_t full = (size_t)percent_of(s) * width / PERCENT;
    strbuf_str(out, "  [");
    for (size_t i = 0; i < width; i++)
        strbuf_str(out, i < full ? "=" : i == full ? ">" : " ");
    strbuf_str(out, "]");
}

/* All but the label is ASCII, and the label is ours: bytes are columns. */
static void put_if_room(struct strbuf *out, const struct strbuf *part,
                        size_t room)
{
    if (out->len + part->len <= room)
        strbuf_add(out, strbuf_bytes(part));
}

void progress_line(struct strbuf *out, const struct progress_state *state,
                   unsigned columns)
{
    struct strbuf line;
    struct strbuf part;
    /* The last column stays free, or some terminals begin a new line. */
    size_t room = columns > 0 ? columns - 1 : 0;

    strbuf_init(&line, LINE_MAX_BYTES);
    strbuf_init(&part, LINE_MAX_BYTES);
    put_head(&line, state);
    put_rate(&part, state);
    put_if_room(&line, &part, room);
    strbuf_reset(&part);
    put_time_left(&part, state);
    put_if_room(&line, &part, room);
    strbuf_reset(&part);
    if (line.len < room)
        put_bar(&part, state, room - line.len);
    put_if_room(&line, &part, room);
    size_t len = line.len < room ? line.len : room;
    strbuf_add(out, bytes_sub(strbuf_bytes(&line), 0, len));
    strbuf_release(&part);
    strbuf_release(&line);
}

void progress_init(struct progress *p, const char *label, bool wanted)
{
    /* Nothing changes the environment while threads run. */
    const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe) */
    bool dumb = term == NULL || strcmp(term, "dumb") == 0;

    *p = (struct progress){
        .is_shown = wanted && !dumb && term_is_terminal(STDERR_FILENO),
        .label = label,
    };
}

static uint64_t monotonic_ms(void)
{
    struct timespec t = {.tv_sec = 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* there is one on Linux */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A second of work says something about the next ones. */
static uint64_t mean_rate(struct progress *p, uint64_t done, uint64_t now)
{
    if (!p->has_begun) {
        p->has_begun = true;
        p->began_ms = now;
        p->began = done;
    }
    uint64_t ms = now - p->began_ms;
    if (ms < MEAN_FROM_MS || done < p->began)
        return 0;
    return (done - p->began) / ms * 1000 + (done - p->began) % ms * 1000 / ms;
}

static bool may_draw(const struct progress *p, uint64_t now)
{
    return p->is_shown &&
           (!p->is_drawn || now - p->drawn_ms >= PROGRESS_REDRAW_MS);
}

static void draw(struct progress *p, const char *line, uint64_t now)
{
    (void)fprintf(stderr, "\r%s\x1b[K", line); /* nothing lost */
    (void)fflush(stderr);
    p->is_drawn = true;
    p->drawn_ms = now;
}

void progress_update(struct progress *p, const struct progress_state *state)
{
    uint64_t now = monotonic_ms();
    struct progress_state shown = *state;
    struct strbuf out;

    if (shown.rate == 0)
        shown.rate = mean_rate(p, state->done, now);

    if (!may_draw(p, now))
        return;
    strbuf_init(&out, LINE_MAX_BYTES);
    progress_line(&out, &shown, term_columns(STDERR_FILENO));
    draw(p, strbuf_cstr(&out), now);
    strbuf_release(&out);
}

void progress_note(struct progress *p)
{
    uint64_t now = monotonic_ms();

    if (may_draw(p, now))
        draw(p, p->label, now);
}

void progress_clear(struct progress *p)
{
    if (!p->is_drawn)
        return;
    (void)fputs("\r\x1b[K", stderr); /* nothing lost */
    (void)fflush(stderr);
    p->is_drawn = false;
}
