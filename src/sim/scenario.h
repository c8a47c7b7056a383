#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stddef.h>

/*
 * scenario - the scenarios that are built in; any text may be run beside them.
 */

/** struct sim_scenario - one of them. */
struct sim_scenario {
    const char *name;
    const char *help; /* one line */
    const char *text; /* a script */
    unsigned seeds;   /* that the test run tries, from 1 on */
};

/** sim_scenario_find - by name; NULL: there is none. */
const struct sim_scenario *sim_scenario_find(const char *name);

/** sim_scenario_at - number @index; NULL after the last. */
const struct sim_scenario *sim_scenario_at(size_t index);

#endif /* SIM_SCENARIO_H */
