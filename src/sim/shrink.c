/* Leaving out faults while a run still fails. */
#include "base/mem.h"
#include "sim/run.h"
#include "sim/script.h"

static bool fails(const struct sim_run_config *config)
{
    struct sim_run_config quiet = *config;
    struct sim_result result;

    quiet.tell = NULL;
    quiet.log = NULL;
    quiet.trace = NULL;
    sim_run(&quiet, &result);
    return result.failed;
}

static bool is_kept(const struct sim_event *e)
{
    return sim_actions[e->verb].is_fault && !e->left_out;
}

static size_t count_kept(const struct sim_script *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->events_count; i++)
        count += is_kept(&s->events[i]);
    return count;
}

/* Of the faults that are kept, leave out or bring back numbers @from to
 * @to - 1. */
static void leave_out(struct sim_script *s, const bool *kept, size_t from,
                      size_t to)
{
    size_t number = 0;

    for (size_t i = 0; i < s->events_count; i++) {
        if (!kept[i])
            continue;
        s->events[i].left_out = number >= from && number < to;
        number++;
    }
}

static void note_kept(const struct sim_script *s, bool *kept)
{
    for (size_t i = 0; i < s->events_count; i++)
        kept[i] = is_kept(&s->events[i]);
}

unsigned sim_shrink(const struct sim_run_config *config, unsigned runs_max,
                    size_t *ret_kept)
{
    struct sim_script *s = config->script;
    bool *kept = mem_zalloc(s->events_count + 1, sizeof(kept[0]));
    size_t count = count_kept(s);
    size_t part = (count + 1) / 2;
    unsigned runs = 0;

    for (size_t from = 0; count > 0 && runs < runs_max;) {
        size_t to = from + part < count ? from + part : count;
        note_kept(s, kept);
        leave_out(s, kept, from, to);
        runs++;
        if (fails(config)) {
            count -= to - from;
        } else {
            leave_out(s, kept, 0, 0);
            from = to;
        }
        if (from < count)
            continue;
        if (part <= 1)
            break;
        part = (part + 1) / 2;
        from = 0;
    }
    *ret_kept = count_kept(s);
    mem_free(kept);
    return runs;
}
