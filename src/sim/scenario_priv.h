#ifndef SIM_SCENARIO_PRIV_H
#define SIM_SCENARIO_PRIV_H

#include <stddef.h>

#include "sim/scenario.h"

/** sim_scenarios_storage - those about objects. */
extern const struct sim_scenario sim_scenarios_storage[];
extern const size_t sim_scenarios_storage_count;

#endif /* SIM_SCENARIO_PRIV_H */
