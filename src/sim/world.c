#include "sim/world.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum { GROUP_FIRST = 20, GROUPS = 80, BYTE = 256 };

/* Settings. */

static enum err apply_pair(struct config *c, const char *pair)
{
    struct config_notes *notes = mem_zalloc(1, sizeof(*notes));
    enum err err = config_set_pair(c, pair, notes);

    mem_free(notes);
    return err;
}

enum err sim_settings_add(struct sim_settings *s, const char *pair)
{
    struct config trial;

    if (s->count == SIM_SETTINGS_MAX)
        return E_LIMIT;
    config_init(&trial);
    enum err err = apply_pair(&trial, pair);
    config_release(&trial);
    if (err == OK)
        s->pairs[s->count++] = mem_strdup(pair);
    return err;
}

void sim_settings_release(struct sim_settings *s)
{
    for (size_t i = 0; i < s->count; i++)
        mem_free(s->pairs[i]);
    s->count = 0;
}

void sim_settings_apply(const struct sim_settings *s, struct config *c)
{
    for (size_t i = 0; i < s->count; i++) {
        enum err err = apply_pair(c, s->pairs[i]);
        assert(err == OK); /* they were checked when they came */
    }
}

/* The world. */

/* Public addresses, each machine in a group (/16) of its own at first. */
static void ip_of(const struct sim_world *w, uint32_t index, uint8_t ip[4])
{
    uint32_t group = index % (GROUPS * BYTE);
    uint32_t host = index / (GROUPS * BYTE) + 1;
    uint16_t own = w->config.group_of == NULL
                       ? 0
                       : w->config.group_of(w->config.user, index);

    ip[0] = (uint8_t)(GROUP_FIRST + group / BYTE);
    ip[1] = (uint8_t)(group % BYTE);
    ip[2] = (uint8_t)(host / BYTE);
    ip[3] = (uint8_t)(host % BYTE);
    if (own == 0)
        return;
    ip[0] = (uint8_t)(own / BYTE);
    ip[1] = (uint8_t)(own % BYTE);
    ip[2] = (uint8_t)((index + 1) / BYTE % BYTE);
    ip[3] = (uint8_t)((index + 1) % BYTE);
}

struct sim_world *sim_world_new(const struct sim_world_config *config)
{
    struct sim_world *w = mem_zalloc(1, sizeof(*w));
    assert(config->machines <= SIM_MACHINES_MAX);

    w->seed = config->seed;
    w->config = *config;
    sim_time_init(&w->time);
    sim_net_init(&w->net, &w->time, w->seed);
    w->net.secured = config->secured;
    sim_clock_init(&w->clock, &w->time, config->machines);
    config_init(&w->shared);
    if (config->settings != NULL)
        sim_settings_apply(config->settings, &w->shared);
    w->machines_count = config->machines;
    w->machines = mem_zalloc(config->machines, sizeof(struct sim_machine *));
    for (uint32_t i = 0; i < config->machines; i++) {
        uint8_t ip[4];
        ip_of(w, i, ip);
        w->machines[i] = sim_machine_new(w, i, ip);
    }
    return w;
}

void sim_world_free(struct sim_world *w)
{
    if (w == NULL)
        return;
    for (uint32_t i = 0; i < w->machines_count; i++)
        sim_machine_free(w->machines[i]);
    mem_free(w->machines);
    sim_clock_release(&w->clock);
    sim_net_release(&w->net);
    sim_time_release(&w->time);
    config_release(&w->shared);
    mem_free(w);
}

enum err sim_world_set(struct sim_world *w, const char *pair)
{
    return apply_pair(&w->shared, pair);
}

static bool goes_on(struct sim_world *w, struct mtime before)
{
    w->turns_here = w->time.now.ns == before.ns ? w->turns_here + 1 : 0;
    w->stuck = w->turns_here > SIM_TURNS_MAX;
    return !w->stuck && !w->stopped;
}

void sim_world_run(struct sim_world *w, struct mtime until)
{
    w->stopped = false;
    for (;;) {
        struct mtime before = w->time.now;
        struct sim_clock *c = sim_time_next(&w->time, until);
        if (c == NULL)
            break;
        if (c == &w->clock)
            sim_clock_fire(c);
        else
            sim_machine_turn(container_of(c, struct sim_machine, clock));
        if (!goes_on(w, before))
            return;
    }
    /* Nothing more happens until then. */
    if (mtime_before(w->time.now, until) && until.ns != MTIME_NEVER.ns)
        w->time.now = until;
}

void sim_world_stop(struct sim_world *w)
{
    w->stopped = true;
}
