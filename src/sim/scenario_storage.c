/* Scenarios about objects: how they survive, and who lies about them. */
#include "base/attr.h"
#include "sim/scenario_priv.h"

/* Grace and audits are short, so that an hour of them fits into minutes. */
#define BASE                                                                   \
    "secured yes\n"                                                            \
    "link all latency 20ms jitter 10ms loss 0.1%\n"                            \
    "set all storage.repair_grace=1m\n"                                        \
    "set all storage.audit_interval=2m\n"

const struct sim_scenario sim_scenarios_storage[] = {
    {
        .name = "keep",
        .help = "files outlive their owner and one holder after another",
        .text = "nodes 10\n"
                "duration 25m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-300KiB copies 3\n"
                "at 3m power 5 for ever\n"
                "at 8m power any for ever\n"
                "at 13m kill any for ever\n"
                "at 18m power any for ever\n"
                "random 2 from 1m to 20m cut 0-4 5-9 for 30s\n"
                "random 4 from 1m to 20m reset any\n"
                "at 23m get 0-9 a\n"
                "at 23m get 0-9 b\n",
        .seeds = 4,
    },
    {
        .name = "die",
        .help = "holders die one by one, then two of three at once",
        .text = "nodes 12\n"
                "duration 40m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-1500KiB copies 3\n"
                "at 5m power holder:a for ever\n"
                "at 10m kill holder:b for ever\n"
                "at 15m power holder:a for ever\n"
                "at 20m kill 5 for ever\n"
                "at 25m power holder:a for ever\n"
                "at 25m power holder:a for ever\n"
                "at 32m kill holder:b for 3m\n"
                "random 3 from 1m to 35m reset any\n",
        .seeds = 8,
    },
    {
        .name = "recover",
        .help = "an owner loses its disk, and lists and reads all by its key",
        .text = "nodes 8\n"
                "duration 20m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 30s add 5 b 1-2MiB copies 2\n"
                "at 40s add 5 c 1-30KiB copies 2\n"
                "at 5m wipe 5 for 2m\n"
                "at 8m recover 5\n"
                "at 12m power holder:a for ever\n",
        .seeds = 8,
    },
    {
        .name = "forget",
        .help = "a holder has lost its blocks and says to hold them",
        .text = "nodes 8\n"
                "duration 15m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 100-300KiB copies 3\n"
                "at 20s add 6 b 100-300KiB copies 2\n"
                "at 4m forget holder:a for ever\n"
                "at 9m kill 5 for ever\n"
                "at 12m lose holder:b\n",
        .seeds = 8,
    },
    {
        .name = "liars",
        .help = "nodes spoil blocks, accept and do nothing, forget",
        .text = "nodes 12\n"
                "duration 20m\n"
                "settle 40m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 10s mute 2 for ever\n"
                "at 10s spoil 3 for ever\n"
                "at 20s add 5 a 100-300KiB copies 3\n"
                "at 20s add 6 b 100-300KiB copies 3\n"
                "at 3m mute holder:a for 10m\n"
                "at 3m spoil holder:b for 10m\n"
                "at 6m forget holder:b for ever\n"
                "at 12m kill 6 for ever\n"
                "at 15m get 7-9 a\n"
                "at 15m get 7-9 b\n",
        .seeds = 8,
    },
    {
        .name = "forgers",
        .help = "holders and an owner forge and replay storage messages",
        .text = "nodes 12\n"
                "duration 20m\n"
                "settle 40m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 100-300KiB copies 3\n"
                "at 20s add 6 b 100-300KiB copies 3\n"
                "at 3m forge holder:a for ever\n"
                "at 3m replay holder:b for 10m\n"
                "random 2 from 1m to 15m forge any for 2m\n"
                "random 2 from 1m to 15m replay any for 2m\n"
                "at 12m kill 6 for ever\n"
                "at 16m power holder:a for ever\n",
        .seeds = 10,
    },
    {
        .name = "parted",
        .help = "an hour in two halves, then healed; one machine cut off alone",
        .text = "nodes 10\n"
                "duration 100m\n"
                "settle 40m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 2 a 1-300KiB copies 3\n"
                "at 20s add 7 b 1-300KiB copies 3\n"
                "at 3m apart 9 for 15m\n"
                "at 17m expect 9 repairs 0\n"
                "at 30m cut 0-4 5-9 for 1h\n",
        .seeds = 4,
    },
    {
        .name = "restart",
        .help =
            "all nodes restart at once, orderly, by SIGKILL, by a power cut",
        .text = "nodes 8\n"
                "duration 20m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-300KiB copies 3\n"
                "random 6 from 30s to 10m add any f* 1-200KiB copies 2\n"
                "at 3m stop all for 5s\n"
                "at 6m kill all for 20s\n"
                "at 9m power all for 2m\n"
                "at 13m power all for 5s\n",
        .seeds = 8,
    },
    {
        .name = "scarce",
        .help = "fewer nodes than copies, a full disk; nodes come later",
        .text = "nodes 6\n"
                "duration 15m\n"
                "settle 30m\n"
                "bootstrap 1\n" BASE "at 0s start 0,1,2 over 2s\n"
                "at 5s full 2 for 8m\n"
                "at 20s add 0 a 100-300KiB copies 3\n"
                "at 4m expect 0 state a partial\n"
                "at 5m start 3\n"
                "at 10m start 4,5 over 1m\n",
        .seeds = 8,
    },
    {
        .name = "release",
        .help = "files are removed, and records end while nobody renews them",
        .text = "nodes 8\n"
                "duration 20m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-300KiB copies 3\n"
                "at 20s add 7 c 1-300KiB copies 3\n"
                "at 3m stop holder:a for 4m\n"
                "at 4m remove 5 a\n"
                "at 9m kill 6 for ever\n"
                "at 14m gone b\n"
                "at 14m jump all 200d\n"
                "at 16m jump all 200d\n",
        .seeds = 8,
    },
    {
        .name = "sybils",
        .help = "30 nodes on one address hold at most one copy of a file",
        .text = "nodes 38\n"
                "duration 15m\n"
                "settle 30m\n"
                "bootstrap 2\n"
                "sybil 8-37 20 200\n"
                "set all security.connections_per_ip=40\n" BASE
                "at 0s start all over 20s\n"
                "at 1m add 5 a 1-300KiB copies 3\n"
                "at 1m add 6 b 1-300KiB copies 3\n"
                "at 1m add 7 c 1-300KiB copies 3\n"
                "at 6m kill holder:a for ever\n"
                "at 10m kill 6 for ever\n",
        .seeds = 4,
    },
    {
        .name = "book",
        .help = "all bootstrap peers are dead: the peer book is enough",
        .text = "nodes 8\n"
                "duration 20m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 5m kill 0,1 for ever\n"
                "at 6m stop 2-7 for 1m\n"
                "at 9m get 2,3,4,6,7 a\n"
                "at 10m add 6 b 1-300KiB copies 3\n",
        .seeds = 4,
    },
    {
        .name = "leave",
        .help = "nodes hand over what they keep while others fail",
        .text = "nodes 10\n"
                "duration 20m\n"
                "settle 40m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-900KiB copies 2\n"
                "at 40s add 5 c 1-30KiB copies 3\n"
                "at 3m leave holder:a\n"
                "at 4m leave holder:b\n"
                "random 2 from 2m to 6m kill any for 20s\n"
                "random 1 from 2m to 6m lossy any 10% for 2m\n"
                "random 3 from 2m to 8m reset any\n"
                "at 10m stop 6 for ever\n"
                "at 12m leave holder:c\n"
                "at 12m power holder:b for 30s\n",
        .seeds = 8,
    },
    {
        .name = "survey",
        .help = "who has nothing to do with a file asks who keeps it",
        .text = "nodes 14\n"
                "duration 20m\n"
                "settle 40m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-300KiB copies 2\n"
                "at 2m survey any a\n"
                "at 3m forge holder:a for 5m\n"
                "at 3m replay holder:b for 5m\n"
                "random 6 from 3m to 10m survey any a\n"
                "random 6 from 3m to 10m survey any b\n"
                "random 2 from 3m to 10m lossy any 20% for 2m\n"
                "random 4 from 3m to 10m reset any\n"
                "random 2 from 3m to 10m kill any for 20s\n"
                "at 10m kill 5 for ever\n"
                "at 11m power holder:b for ever\n"
                "random 4 from 11m to 18m survey any a\n"
                "random 4 from 11m to 18m survey any b\n",
        .seeds = 8,
    },
    {
        .name = "blind",
        .help = "an owner that cannot read its blocks sees who comes and goes",
        .text = "nodes 8\n"
                "duration 26m\n"
                "settle 30m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 30s add 6 b 1-300KiB copies 1\n"
                "at 3m forget 5 for ever\n"
                "at 7m wipe 6 for 5s\n"
                "at 8m recover 6\n"
                "at 12m gone b\n"
                "at 12m power holder:b for ever\n"
                "at 13m power holder:a for 5m\n"
                "at 25m expect 6 state b lost\n",
        .seeds = 8,
    },
    {
        .name = "shunned",
        .help = "an owner and its holders never reach each other again",
        .text = "nodes 12\n"
                "duration 55m\n"
                "settle 60m\n"
                "bootstrap 2\n" BASE "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-300KiB copies 3\n"
                "at 3m cut 5 0-4,7,8 for ever\n"
                "at 10m cut 0-3 9-11 for ever\n"
                "at 30m power holder:a for ever\n"
                "at 50m kill holder:b for ever\n",
        .seeds = 8,
    },
    {
        .name = "all",
        .help = "objects while everything fails",
        .text = "nodes 12\n"
                "duration 30m\n"
                "settle 40m\n"
                "bootstrap 3\n" BASE "disk all sync 3ms speed 200MiB\n"
                "at 0s start all over 5s\n"
                "at 20s add 5 a 1-300KiB copies 3\n"
                "at 20s add 6 b 1-900KiB copies 2\n"
                "random 2 from 1m to 20m add 0-3 f* 1-100KiB copies 3\n"
                "random 1 from 3m to 20m forget 4 for ever\n"
                "at 28m power 4 for ever\n"
                "random 1 from 1m to 25m spoil 4 for 5m\n"
                "random 1 from 1m to 25m mute 4 for 5m\n"
                "random 3 from 1m to 28m kill any for 20s\n"
                "random 3 from 1m to 28m power any for 20s\n"
                "random 2 from 1m to 28m power any for 5m\n"
                "random 2 from 1m to 28m stop any for 30s\n"
                "random 3 from 1m to 28m reset any\n"
                "random 1 from 3m to 25m apart any for 4m\n"
                "random 1 from 3m to 25m cut 0-5 6-11 for 3m\n"
                "random 1 from 3m to 25m deaf 0-3 4-11 for 1m\n"
                "random 1 from 1m to 25m full any for 1m\n"
                "random 1 from 1m to 25m slow any 20ms for 1m\n"
                "random 1 from 1m to 25m lossy any 10% for 1m\n",
        .seeds = 100,
    },
};

const size_t sim_scenarios_storage_count = countof(sim_scenarios_storage);
