/* Commands about other nodes. */
#include <stddef.h>

#include "app/cli.h"
#include "app/commands.h"

static const struct cli_option ping_options[] = {
    {"count", 'c', "N", false, "number of pings (10)", NULL},
    {"number", 'n', "N", false, NULL, NULL},
    {.name = NULL},
};

static const struct cli_option stats_options[] = {
    {"watch", 0, NULL, false, "again each second, until Ctrl-C", NULL},
    {.name = NULL},
};

static const struct cli_option findprovs_options[] = {
    {"num-providers", 'n', "N", false, "providers to find (20)", NULL},
    {.name = NULL},
};

static const struct cli_option peers_ban_options[] = {
    {"for", 0, "TIME", false, "how long (24h)", NULL},
    {"reason", 0, "TEXT", false, "why; shown in the list", NULL},
    {.name = NULL},
};

static const struct cli_option ipns_publish_options[] = {
    {"ttl", 0, "TIME", false, "how long others may cache it (5m)", NULL},
    {.name = NULL},
};

static const struct cli_option ipns_resolve_options[] = {
    {"recursive", 'r', "true|false", true,
     "go on where it leads to another name (true)", NULL},
    {"nocache", 'n', NULL, false, "ask the network anew", NULL},
    {.name = NULL},
};

static const struct cli_option ipns_get_options[] = {
    {"output", 'o', "FILE", false, "where to (stdout)", NULL},
    {"nocache", 'n', NULL, false, "ask the network anew", NULL},
    {.name = NULL},
};

static const struct cli_command table[] = {
    {.name = "swarm peers",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_swarm_peers,
     .summary = "list connected peers",
     .help = "Lists the peers that are connected now.\n\n"
             "  xmbl swarm peers --json"},
    {.name = "swarm connect",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_swarm_connect,
     .arguments = "MADDR...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "connect to a peer",
     .help = "Connects to the peer whose id ends the address.\n\n"
             "  xmbl swarm connect /ip4/192.0.2.1/tcp/4101/p2p/PEER",
     .has_timeout = true},
    {.name = "swarm disconnect",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_swarm_disconnect,
     .arguments = "PEER...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "end the connections to a peer",
     .help = "Ends all connections to the peer; an address is taken too.\n\n"
             "  xmbl swarm disconnect PEER"},
    {.name = "ping",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_ping,
     .arguments = "PEER",
     .args_min = 1,
     .args_max = 1,
     .summary = "measure the way to a peer",
     .help =
         "Sends pings to a peer, given by its id or an address with "
         "it.\n\n"
         "  xmbl ping $(xmbl swarm peers | head -n 1 | cut -d ' ' -f 1) -c 3",
     .options = ping_options,
     .has_timeout = true},
    {.name = "peers ls",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_ls,
     .summary = "list the peers that are known",
     .help = "Prints the peer book: id, quality from 0 to 100, whether it is "
             "connected, when\nit was seen, how it came to be known, and an "
             "address.\n\n"
             "  xmbl peers ls"},
    {.name = "peers add",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_add,
     .arguments = "MADDR...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "enter a peer into the book",
     .help = "Enters the peer and keeps a connection to it, also after a "
             "restart.\n\n"
             "  xmbl peers add /ip4/192.0.2.1/tcp/4101/p2p/PEER"},
    {.name = "peers rm",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_rm,
     .arguments = "PEER...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "remove a peer from the book",
     .help = "Forgets the peer until it is heard of again.\n\n"
             "  xmbl peers rm PEER"},
    {.name = "peers ban",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_ban,
     .arguments = "PEER | IP[/BITS]...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "refuse a peer or an address",
     .help = "Ends the connections to the peer, or to all peers of the IP "
             "range, and refuses\nnew ones for a time.\n\n"
             "  xmbl peers ban 192.0.2.0/24 --for 2h",
     .options = peers_ban_options},
    {.name = "peers unban",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_unban,
     .arguments = "PEER | IP[/BITS]...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "end a ban",
     .help = "The peer or range may connect again.\n\n"
             "  xmbl peers unban 192.0.2.0/24"},
    {.name = "peers trace",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_trace,
     .arguments = "PEER | MADDR",
     .args_min = 1,
     .args_max = 1,
     .summary = "tell how a peer is known and reached",
     .help =
         "Tells what the book and the DHT say of a peer, dials each of its "
         "addresses until\none answers, asks who is there, and pings it.  "
         "What failed comes with what would\nhelp.  Ends with 0 only if the "
         "peer answers.  --timeout is of each step (15s).\n\n"
         "  xmbl peers trace PEER",
     .has_timeout = true},
    {.name = "dht findpeer",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_dht_findpeer,
     .arguments = "PEER",
     .args_min = 1,
     .args_max = 1,
     .summary = "find where a peer is",
     .help = "Prints the addresses that the DHT knows of the peer.\n\n"
             "  xmbl dht findpeer PEER",
     .has_timeout = true},
    {.name = "dht findprovs",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_dht_findprovs,
     .arguments = "CID",
     .args_min = 1,
     .args_max = 1,
     .summary = "find who has something",
     .help = "Prints the peers that told the DHT that they have the block, as "
             "they are found.\n\n"
             "  xmbl dht findprovs $(echo hello | xmbl add -Q -)",
     .options = findprovs_options,
     .has_timeout = true},
    {.name = "dht provide",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_dht_provide,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "tell the DHT that it is here",
     .help = "Tells the peers closest to the block that this node has it.\n\n"
             "  xmbl dht provide $(echo hello | xmbl add -Q -)",
     .has_timeout = true},
    {.name = "dht query",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_dht_query,
     .arguments = "PEER | CID",
     .args_min = 1,
     .args_max = 1,
     .summary = "find the peers closest to a key",
     .help = "Prints the peers of the DHT closest to the peer id or CID, the "
             "nearest first.\n\n"
             "  xmbl dht query $(echo hello | xmbl add -Q -)",
     .has_timeout = true},
    {.name = "stats",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_stats,
     .arguments = "[bandwidth|bitswap|store|dht]",
     .choices = "bandwidth|bitswap|store|dht",
     .args_max = 1,
     .summary = "show what this node has counted",
     .help = "Shows what went over the network, by connection, blocks "
             "exchanged, the block\nstore and the DHT; or one of them.  "
             "Counts begin when the daemon starts; rates\nare those of the "
             "last ten seconds.\n\n"
             "  xmbl stats bandwidth --watch",
     .options = stats_options},
    {.name = "ipns publish",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_ipns_publish,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "have this node's name stand for something",
     .help = "Signs a record with the node's key, puts it into the DHT and "
             "keeps it there\nwhile the daemon runs.  The name stays the same "
             "when the content changes.\n\n"
             "  xmbl ipns publish $(echo hello | xmbl add -Q -)",
     .options = ipns_publish_options,
     .has_timeout = true},
    {.name = "ipns resolve",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_ipns_resolve,
     .arguments = "[NAME[/PATH]]",
     .args_max = 1,
     .summary = "find what a name stands for",
     .help =
         "Prints the path that the name stands for; without one, that of "
         "this node's own.\nA domain is a name too: its TXT record "
         "_dnslink.DOMAIN tells.\n\n"
         "  xmbl ipns publish $(echo hello | xmbl add -Q -) && xmbl ipns resolve",
     .options = ipns_resolve_options,
     .has_timeout = true},
    {.name = "ipns get",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_ipns_get,
     .arguments = "NAME",
     .args_min = 1,
     .args_max = 1,
     .summary = "save the record of a name",
     .help = "Writes the signed record of the name as it is.\n\n"
             "  xmbl ipns get NAME -o name.ipns-record",
     .options = ipns_get_options,
     .has_timeout = true},
    {.name = "ipns put",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_ipns_put,
     .arguments = "NAME FILE | -",
     .args_min = 2,
     .args_max = 2,
     .summary = "put the record of a name into the DHT",
     .help = "Checks a record that was made elsewhere, puts it into the DHT "
             "and keeps it there\nuntil it ends.\n\n"
             "  xmbl ipns put NAME name.ipns-record",
     .has_timeout = true},
};

const struct cli_command *commands_network(size_t *ret_count)
{
    *ret_count = sizeof(table) / sizeof(table[0]);
    return table;
}
