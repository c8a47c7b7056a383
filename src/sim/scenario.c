#include "sim/scenario.h"

#include <string.h>

#include "base/attr.h"
#include "sim/scenario_priv.h"

#define MANY                                                                   \
    "settle 1m\n"                                                              \
    "secured yes\n"                                                            \
    "link all latency 20ms jitter 10ms\n"                                      \
    "set all logging.level=warning\n"                                          \
    "set all network.outbound=8\n"                                             \
    "set all network.connections_max=48\n"

/* A network that is there from nothing within minutes: what happens when a
 * version is announced, or after an outage.  Worse than what is to be expected,
 * so that it shows what gives way first. */
#define NEWCOMERS                                                              \
    MANY "duration 10m\n"                                                      \
         "at 0s start all over 4m\n"                                           \
         "at 5m mark\n"

static const struct sim_scenario table[] = {
    {
        .name = "move",
        .help = "a file moves over a lossy link while its reader is killed",
        .text = "nodes 2\n"
                "duration 40s\n"
                "link all latency 10ms jitter 5ms loss 1% up 4MiB down 8MiB\n"
                "at 0s start all\n"
                "at 100ms connect 1 0\n"
                "at 1s add 0 big 12MiB\n"
                "at 1s get 1 big\n"
                "random 3 from 2s to 30s kill 1 for 3s\n"
                "random 2 from 2s to 30s reset 1\n"
                "random 1 from 5s to 30s cut 0 1 for 5s\n",
        .seeds = 20,
    },
    {
        .name = "crash",
        .help = "files are added while the node is killed and loses power",
        .text = "nodes 1\n"
                "duration 40s\n"
                "set all network.enabled=false\n"
                "disk all sync 10ms speed 4MiB\n"
                "at 0s start 0\n"
                "random 25 from 1s to 38s add 0 f* 1-1500KiB\n"
                "random 10 from 1s to 38s power 0 for 200ms\n"
                "random 15 from 1s to 38s kill 0 for 50ms\n"
                "random 2 from 1s to 38s full 0 for 2s\n"
                "random 1 from 1s to 38s slow 0 20ms for 3s\n",
        .seeds = 40,
    },
    {
        .name = "storm",
        .help = "five nodes exchange files while everything fails",
        .text =
            "nodes 5\n"
            "duration 60s\n"
            "settle 5m\n"
            "link all latency 15ms jitter 10ms loss 0.3% up 20MiB down 50MiB\n"
            "disk all sync 3ms speed 200MiB\n"
            "set all security.connections_per_ip=10\n"
            "at 0s start all over 1s\n"
            "at 1s connect 1-4 0\n"
            "at 1s connect 2-4 1\n"
            "at 1s connect 3,4 2\n"
            "at 1s connect 4 3\n"
            "at 2s add 0 a 1-3MiB\n"
            "at 2s add 1 b 1-3MiB\n"
            "at 2s add 2 c 1-900KiB\n"
            "at 20s add 3 d 1-3MiB\n"
            "at 2s get 1,2 a over 30s\n"
            "at 2s get 3,4 b over 30s\n"
            "at 2s pin 0,4 c over 30s\n"
            "at 2s get 0,4 d over 30s\n"
            "random 6 from 2s to 60s kill any for 2s\n"
            "random 6 from 2s to 60s power any for 2s\n"
            "random 3 from 2s to 60s stop any for 2s\n"
            "random 4 from 2s to 60s reset any\n"
            "random 2 from 2s to 60s cut 0-2 3,4 for 8s\n"
            "random 2 from 2s to 60s deaf 0,3 1,2,4 for 8s\n"
            "random 3 from 2s to 60s garble any for 4s\n"
            "random 3 from 2s to 60s lossy any 10% for 8s\n"
            "random 2 from 2s to 60s full any for 5s\n"
            "random 2 from 2s to 60s slow any 20ms for 5s\n",
        .seeds = 40,
    },
    {
        .name = "find",
        .help = "files are found through the DHT while nodes come and go",
        .text = "nodes 20\n"
                "duration 4m\n"
                "settle 6m\n"
                "secured yes\n"
                "link all latency 20ms jitter 10ms loss 0.1%\n"
                "bootstrap 2\n"
                "at 0s start all over 5s\n"
                "at 30s add 2 a 1-300KiB\n"
                "at 40s add 3 b 1-300KiB\n"
                "at 50s add 4 c 1-300KiB\n"
                "at 60s get 5,6 a over 2m\n"
                "at 60s get 7,8 b over 2m\n"
                "at 60s get 9,10 c over 2m\n"
                "random 8 from 30s to 4m kill any for 20s\n"
                "random 4 from 30s to 4m power any for 20s\n"
                "random 2 from 30s to 4m cut 0-9 10-19 for 20s\n"
                "random 4 from 30s to 4m reset any\n",
        .seeds = 10,
    },
    {
        .name = "crowd",
        .help = "newcomers come to nodes that all have as many links as they "
                "may",
        .text = "nodes 140\n"
                "duration 9m\n"
                "settle 1m\n"
                "secured yes\n"
                "link all latency 20ms jitter 10ms\n"
                "bootstrap 2\n"
                "set all logging.level=warning\n"
                "set all network.outbound=8\n"
                "set all network.connections_max=28\n"
                "calm 6\n"
                "found 98%\n"
                "at 0s start 0-119 over 30s\n"
                "at 3m mark\n"
                "random 30 from 2m to 5m provide any\n"
                "random 120 from 3m to 9m lookup any\n"
                "at 6m start 120-139\n"
                "at 390s expect 120-139 peers 1\n"
                "at 8m expect 120-139 peers 2\n"
                "random 12 from 3m to 5m kill any for 30s\n",
        .seeds = 5,
    },
    {
        .name = "dht",
        .help =
            "1,000 nodes announce and look up while 20% an hour come and go",
        .text = "nodes 1000\n" MANY "bootstrap 8\n"
                "duration 30m\n"
                "at 0s start all over 2m\n"
                "at 5m mark\n"
                "random 300 from 5m to 28m provide any\n"
                "random 1500 from 6m to 30m lookup any\n"
                "random 84 from 5m to 30m kill any for 10m\n",
        .seeds = 0,
    },
    {
        .name = "join",
        .help = "1,250 nodes start within minutes, and look up",
        .text = "nodes 1250\n" NEWCOMERS "bootstrap 2\n"
                "random 25 from 5m to 8m provide any\n"
                "random 300 from 6m to 10m lookup any\n"
                "random 21 from 5m to 10m kill any for 10m\n",
        .seeds = 0,
    },
    {
        /* As dht, with ten times as many: the same churn, and as many
         * questions a node.  They come over a time in which each bootstrap
         * peer meets one newcomer in two seconds. */
        .name = "wide",
        .help = "10,000 nodes come within 20 minutes; then 20% an hour come "
                "and go",
        .text = "nodes 10000\n" MANY "bootstrap 16\n"
                "duration 30m\n"
                "at 0s start all over 20m\n"
                "at 21m mark\n"
                "random 900 from 21m to 28m provide any\n"
                "random 5000 from 22m to 30m lookup any\n"
                "random 333 from 20m to 30m kill any for 10m\n",
        .seeds = 0,
    },
    {
        .name = "flood",
        .help = "10,000 nodes, as in join",
        .text = "nodes 10000\n" NEWCOMERS "bootstrap 16\n"
                "random 200 from 5m to 8m provide any\n"
                "random 500 from 6m to 10m lookup any\n"
                "random 167 from 5m to 10m kill any for 10m\n",
        .seeds = 0,
    },
    {
        .name = "idle",
        .help = "1,000 nodes that know of nobody do nothing for an hour",
        .text = "nodes 1000\n"
                "duration 1h\n"
                "secured yes\n"
                "set all logging.level=warning\n"
                "at 0s start all over 10s\n",
        .seeds = 0,
    },
};

const struct sim_scenario *sim_scenario_at(size_t index)
{
    if (index < countof(table))
        return &table[index];
    index -= countof(table);
    return index < sim_scenarios_storage_count ? &sim_scenarios_storage[index]
                                               : NULL;
}

const struct sim_scenario *sim_scenario_find(const char *name)
{
    const struct sim_scenario *s = sim_scenario_at(0);

    for (size_t i = 0; s != NULL && strcmp(s->name, name) != 0; i++)
        s = sim_scenario_at(i + 1);
    return s;
}
