#ifndef OS_RANDOM_H
#define OS_RANDOM_H

#include "env/rng.h"

/** os_random_init - make @r the kernel's generator; any thread may use it. */
void os_random_init(struct rng *r);

#endif /* OS_RANDOM_H */
