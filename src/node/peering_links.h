#ifndef NODE_PEERING_LINKS_H
#define NODE_PEERING_LINKS_H

#include "base/mtime.h"

struct discovery;
struct swarm;

/**
 * peering_end_doubles - let go of connections that a peer has beside another.
 *
 * Where both ends have dialled at once they have two, which take two of the
 * places of each.  Of one that has carried nothing for 5 s the end that dialled
 * it, if its id is the greater one, ends it; so the other one stays.
 */
void peering_end_doubles(struct swarm *sw, struct mtime now);

/** peering_measure_rtts - tell @d how far away those are that are connected. */
void peering_measure_rtts(const struct swarm *sw, struct discovery *d,
                          struct mtime now);

#endif /* NODE_PEERING_LINKS_H */
