#include "node/peering_links.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "discovery/discovery.h"
#include "libp2p/swarm.h"

enum { RESTS_MS = 5 * 1000 };

static bool is_double(const struct swarm *sw,
                      const struct swarm_conn_info *info, struct mtime now)
{
    return info->others > 0 && !info->inbound &&
           mtime_ms_since(info->used_at, now) >= RESTS_MS &&
           bytes_cmp(peer_id_bytes(swarm_self(sw)), peer_id_bytes(info->peer)) >
               0;
}

void peering_end_doubles(struct swarm *sw, struct mtime now)
{
    struct swarm_conn_info info;
    struct swarm_counts counts = swarm_counts(sw);
    struct conn_id after = {0};

    if (counts.conns == counts.peers)
        return;
    while (swarm_conn_next(sw, after, &info) == OK) {
        after = info.conn;
        if (!is_double(sw, &info, now))
            continue;
        swarm_close(sw, info.conn, now);
        after = (struct conn_id){0}; /* it has gone: from the begin */
    }
}

void peering_measure_rtts(const struct swarm *sw, struct discovery *d,
                          struct mtime now)
{
    struct swarm_conn_info info;
    struct conn_id after = {0};

    while (swarm_conn_next(sw, after, &info) == OK) {
        after = info.conn;
        if (info.rtt_us > 0)
            discovery_event(d, info.peer, QUALITY_RTT, info.rtt_us, now);
    }
}
