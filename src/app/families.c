/* The groups of the help page, and commands that share their first word. */
#include <assert.h>
#include <stddef.h>

#include "app/cli.h"

static const struct cli_family families[] = {
    {"key", CLI_GROUP_NODE, "export|import|passphrase",
     "the node's private key"},
    {"config", CLI_GROUP_NODE, "show|get|set|check|reload", "configuration"},
    {"objects", CLI_GROUP_DATA, "ls|status|recover|...",
     "what is kept on many nodes"},
    {"pin", CLI_GROUP_DATA, "add|rm|ls", "what is kept"},
    {"block", CLI_GROUP_DATA, "get|put|stat|ls|rm", "single blocks"},
    {"car", CLI_GROUP_DATA, "export|import", "blocks in one file"},
    {"swarm", CLI_GROUP_NETWORK, "peers|connect|disconnect",
     "connections to peers"},
    {"peers", CLI_GROUP_NETWORK, "ls|add|rm|ban|unban|trace",
     "the peers that are known"},
    {"dht", CLI_GROUP_NETWORK, "findpeer|findprovs|provide|query",
     "who has what, who is where"},
    {"ipns", CLI_GROUP_NETWORK, "publish|resolve|get|put",
     "names that stand for content"},
};

const struct cli_family *cli_families(size_t *ret_count)
{
    *ret_count = sizeof(families) / sizeof(families[0]);
    return families;
}

const char *cli_group_name(enum cli_group group)
{
    static const char *const names[] = {
        [CLI_GROUP_NODE] = "Node",
        [CLI_GROUP_DATA] = "Data",
        [CLI_GROUP_NETWORK] = "Network",
        [CLI_GROUP_OTHER] = "Other",
    };

    assert((size_t)group < CLI_GROUPS_COUNT);
    return names[group];
}
