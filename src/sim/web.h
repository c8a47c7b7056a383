#ifndef SIM_WEB_H
#define SIM_WEB_H

#include "env/web.h"

/** sim_web_init - a world without web servers: each request is
 * E_UNSUPPORTED. */
void sim_web_init(struct web *w);

#endif /* SIM_WEB_H */
