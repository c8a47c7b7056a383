#include "app/commands.h"

#include <stddef.h>

#include "app/cli.h"

enum { ARGUMENTS_MAX = 1 << 20 };

static const struct cli_option init_options[] = {
    {"network", 0, "NAME", false, "network to join (mainnet)", NULL},
    {.name = NULL},
};

static const struct cli_option daemon_options[] = {
    {"listen", 0, "MADDR", false, "await peers there, may be repeated", NULL},
    {"bootstrap", 0, "MADDR", false, "connect to this peer, may be repeated",
     NULL},
    {"no-bootstrap", 0, NULL, false, "connect to no configured peer", NULL},
    {"set", 0, "KEY=VALUE", false, "configure for this run, may be repeated",
     NULL},
    {.name = NULL},
};

static const struct cli_option key_export_options[] = {
    {"output", 'o', "FILE", false, "where to (stdout)", NULL},
    {"format", 0, "FORMAT", false, "pem (default) or protobuf", "pem|protobuf"},
    {.name = NULL},
};

static const struct cli_option key_import_options[] = {
    {"format", 0, "FORMAT", false, "pem or protobuf (what the file looks like)",
     "pem|protobuf"},
    {"force", 0, NULL, false, "replace the key that is there", NULL},
    {.name = NULL},
};

static const struct cli_option key_passphrase_options[] = {
    {"new-passphrase-file", 0, "FILE", false, "the new passphrase", NULL},
    {"remove", 0, NULL, false, "keep the key without a passphrase", NULL},
    {.name = NULL},
};

static const struct cli_option verify_signature_options[] = {
    {"key", 'k', "KEY", false, "peer id, or public key in base64", NULL},
    {"signature", 's', "TEXT", false, "signature in base64", NULL},
    {.name = NULL},
};

static const struct cli_option add_options[] = {
    {"wrap", 'w', NULL, false, "put it into a folder, so that names stay",
     NULL},
    {"wrap-with-directory", 0, NULL, false, NULL, NULL},
    {"only-hash", 'n', NULL, false, "print CIDs, store nothing", NULL},
    {"quieter", 'Q', NULL, false, "print the last root's CID alone", NULL},
    {"no-hidden", 0, NULL, false, "leave out names that begin with a dot",
     NULL},
    {"recursive", 'r', NULL, false, "accepted: folders need no flag", NULL},
    {"hidden", 'H', NULL, false, "accepted: hidden files are added anyhow",
     NULL},
    {"copies", 0, "N", false, "copies on other nodes, 0 to 7", NULL},
    {"wait", 0, "STATE", false, "end when it is so far (stored)",
     "local|stored|verified|safe"},
    {"name", 0, "NAME", false, "name of the object; others can read it", NULL},
    {"profile", 0, "NAME", false, "how files are cut into blocks",
     "unixfs-v1-2025|kubo-v1|kubo-v0"},
    {"chunker", 0, "size-N", false, "bytes of each part", NULL},
    {"raw-leaves", 0, "true|false", true, "leaves are raw blocks", NULL},
    {"cid-version", 0, "0|1", false, "form of the CIDs", "0|1"},
    {"pin", 0, "true|false", true, "keep it (true)", NULL},
    {.name = NULL},
};

static const struct cli_option fetch_options[] = {
    {"bootstrap", 0, "MADDR", false, "without a daemon, ask this peer first",
     NULL},
    {.name = NULL},
};

static const struct cli_option cat_options[] = {
    {"bootstrap", 0, "MADDR", false, "without a daemon, ask this peer first",
     NULL},
    {"offset", 0, "N", false, "first byte", NULL},
    {"length", 0, "N", false, "number of bytes", NULL},
    {.name = NULL},
};

static const struct cli_option get_options[] = {
    {"bootstrap", 0, "MADDR", false, "without a daemon, ask this peer first",
     NULL},
    {"output", 'o', "OUT", false, "where to (the last part of the path)", NULL},
    {"force", 0, NULL, false, "replace what is there", NULL},
    {"sync", 0, NULL, false, "wait until it is on the disk", NULL},
    {.name = NULL},
};

static const struct cli_option objects_status_options[] = {
    {"bootstrap", 0, "MADDR", false, "without a daemon, ask this peer first",
     NULL},
    {"watch", 0, NULL, false, "go on, a page for each change", NULL},
    {.name = NULL},
};

static const struct cli_option recover_options[] = {
    {"get", 0, NULL, false, "fetch and pin what is not here", NULL},
    {.name = NULL},
};

static const struct cli_option set_copies_options[] = {
    {"wait", 0, "STATE", false, "end when it is so far (local)",
     "local|stored|verified|safe"},
    {.name = NULL},
};

static const struct cli_option rm_options[] = {
    {"local", 0, NULL, false, "the pin only", NULL},
    {.name = NULL},
};

static const struct cli_option block_put_options[] = {
    {"codec", 0, "NAME", false, "what the bytes are (raw)",
     "raw|dag-pb|dag-cbor"},
    {"cid-codec", 0, "NAME", false, NULL, "raw|dag-pb|dag-cbor"},
    {"cid-version", 0, "0|1", false, "form of the CID (1)", "0|1"},
    {.name = NULL},
};

static const struct cli_option pin_add_options[] = {
    {"direct", 0, NULL, false, "this block only, not what it links to", NULL},
    {"recursive", 'r', "true|false", true, "with all that it links to (true)",
     NULL},
    {"name", 'n', "NAME", false, "name of the pin", NULL},
    {.name = NULL},
};

static const struct cli_option pin_ls_options[] = {
    {"type", 't', "TYPE", false, "only these", "recursive|direct|all"},
    {.name = NULL},
};

static const struct cli_option car_export_options[] = {
    {"output", 'o', "FILE", false, "where to (stdout)", NULL},
    {.name = NULL},
};

static const struct cli_option ping_options[] = {
    {"count", 'c', "N", false, "number of pings (10)", NULL},
    {"number", 'n', "N", false, NULL, NULL},
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
    {.name = "init",
     .group = CLI_GROUP_NODE,
     .run = cmd_init,
     .summary = "make a key and a data folder",
     .help = "Makes the data folder with a new key.  A folder that has "
             "something in it is not\ntouched.\n\n"
             "  xmbl init --path ~/xmbl-data",
     .options = init_options},
    {.name = "daemon",
     .group = CLI_GROUP_NODE,
     .run = cmd_daemon,
     .summary = "run the node until it is told to stop",
     .help =
         "Runs the node in the foreground.  Prints the addresses that it "
         "listens on, then\n`ready`.  Ends cleanly on SIGTERM or Ctrl-C.\n\n"
         "  xmbl daemon --listen /ip4/0.0.0.0/tcp/4101",
     .options = daemon_options},
    {.name = "id",
     .group = CLI_GROUP_NODE,
     .run = cmd_id,
     .summary = "show who this node is",
     .help = "Shows peer id, addresses, protocols and public key.\n\n"
             "  xmbl id --json"},
    {.name = "status",
     .group = CLI_GROUP_NODE,
     .run = cmd_status,
     .summary = "show how the node does",
     .help = "Shows state, peers, storage and rates on one screen.\n\n"
             "  xmbl status"},
    {.name = "key export",
     .group = CLI_GROUP_NODE,
     .run = cmd_key_export,
     .summary = "write the private key out",
     .help = "Writes the node's private key as PKCS#8 PEM or libp2p protobuf.  "
             "Who has it is\nthis node: keep it safe.\n\n"
             "  xmbl key export -o my-key.pem",
     .options = key_export_options},
    {.name = "key import",
     .group = CLI_GROUP_NODE,
     .run = cmd_key_import,
     .arguments = "FILE | -",
     .args_min = 1,
     .args_max = 1,
     .summary = "use the private key of a file",
     .help = "Takes an Ed25519 key in PKCS#8 PEM or libp2p protobuf as this "
             "node's key.  No\ndaemon may run.  A data folder is made where "
             "there is none.\n\n"
             "  xmbl key import my-key.pem",
     .options = key_import_options},
    {.name = "key passphrase",
     .group = CLI_GROUP_NODE,
     .run = cmd_key_passphrase,
     .summary = "set, change or remove the passphrase",
     .help = "Encrypts the key under a new passphrase, asked for on the "
             "terminal or read from\na file, or removes the passphrase.\n\n"
             "  xmbl key passphrase --new-passphrase-file secret.txt",
     .options = key_passphrase_options},
    {.name = "sign",
     .group = CLI_GROUP_NODE,
     .run = cmd_sign,
     .arguments = "FILE | -",
     .args_min = 1,
     .args_max = 1,
     .summary = "sign bytes with the node's key",
     .help = "Prints the Ed25519 signature of the file's bytes in base64.\n\n"
             "  echo hello | xmbl sign -"},
    {.name = "verify-signature",
     .group = CLI_GROUP_NODE,
     .run = cmd_verify_signature,
     .arguments = "FILE | -",
     .args_min = 1,
     .args_max = 1,
     .summary = "check a signature",
     .help =
         "Checks that the signature of the file's bytes was made by the key.  Needs no\n"
         "data folder.\n"
         "\n"
         "  echo hello | xmbl verify-signature --key PEER --signature TEXT -",
     .options = verify_signature_options},
    {.name = "config show",
     .group = CLI_GROUP_NODE,
     .run = cmd_config_show,
     .summary = "show all values and where they come from",
     .help =
         "Shows every key with its value and the source of it; --json tells "
         "also what\neach key means.\n\n"
         "  xmbl config show"},
    {.name = "config get",
     .group = CLI_GROUP_NODE,
     .run = cmd_config_get,
     .arguments = "KEY",
     .args_min = 1,
     .args_max = 1,
     .summary = "show one value",
     .help = "Prints the value of one key.\n\n"
             "  xmbl config get storage.limit"},
    {.name = "config set",
     .group = CLI_GROUP_NODE,
     .run = cmd_config_set,
     .arguments = "KEY VALUE",
     .args_min = 1,
     .args_max = 2,
     .summary = "change one value in config.yaml",
     .help =
         "Changes the line of the key in config.yaml; comments stay.  A list is written\n"
         "with commas.  Says when the daemon must be restarted.\n"
         "\n"
         "  xmbl config set storage.limit 100GiB"},
    {.name = "config check",
     .group = CLI_GROUP_NODE,
     .run = cmd_config_check,
     .arguments = "[FILE]",
     .args_max = 1,
     .summary = "look for faults in the configuration",
     .help = "Reads all sources, or the file alone, and names each fault with "
             "its line.\n\n"
             "  xmbl config check"},
    {.name = "config reload",
     .group = CLI_GROUP_NODE,
     .run = cmd_config_reload,
     .summary = "have the daemon read it again",
     .help = "Applies what can change while the daemon runs and names what "
             "can't.\n\n"
             "  xmbl config reload"},

    {.name = "add",
     .group = CLI_GROUP_DATA,
     .run = cmd_add,
     .arguments = "PATH... | -",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "store files and folders",
     .help =
         "Stores files, folders or standard input (-) and prints `added CID PATH` for\n"
         "each. The last line of a folder is its root.  All of it is on the disk when\n"
         "the command ends.  Whoever has the CID can read it.\n"
         "\n"
         "  echo hello > hello.txt && xmbl add hello.txt",
     .options = add_options,
     .has_timeout = true},
    {.name = "cat",
     .group = CLI_GROUP_DATA,
     .run = cmd_cat,
     .arguments = "CID[/PATH]...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "print a file",
     .help = "Writes the bytes of the file to stdout.\n\n"
             "  xmbl cat $(echo hello | xmbl add -Q -)",
     .options = cat_options,
     .has_timeout = true},
    {.name = "get",
     .group = CLI_GROUP_DATA,
     .run = cmd_get,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "save a file or folder to this disk",
     .help = "Saves the file or folder.  It is made as OUT.xmbl-part and "
             "renamed when it is\nwhole; the same command again goes on where "
             "it was stopped.\n\n"
             "  xmbl get $(echo hello | xmbl add -Q -) -o hello.txt",
     .options = get_options,
     .has_timeout = true},
    {.name = "ls",
     .group = CLI_GROUP_DATA,
     .run = cmd_ls,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "list what is in a folder",
     .help = "Prints CID, size and name of each entry; folders end with a "
             "slash.\n\n"
             "  xmbl ls $(xmbl add -Q .)",
     .options = fetch_options,
     .has_timeout = true},
    {.name = "stat",
     .group = CLI_GROUP_DATA,
     .run = cmd_stat,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "show kind and size of something",
     .help = "Shows type, size, number of blocks, and whether it is here and "
             "pinned.\n\n"
             "  xmbl stat $(echo hello | xmbl add -Q -)",
     .options = fetch_options,
     .has_timeout = true},
    {.name = "rm",
     .group = CLI_GROUP_DATA,
     .run = cmd_rm,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "end what add began",
     .help = "Stops keeping it.  Its blocks go at the next gc; copies that "
             "others made for\nthemselves stay.\n\n"
             "  xmbl rm $(echo hello | xmbl add -Q -)",
     .options = rm_options},
    {.name = "objects rm",
     .group = CLI_GROUP_DATA,
     .run = cmd_rm,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "end what add began",
     .help = "The same as `xmbl rm`.\n\n"
             "  xmbl objects rm $(echo hello | xmbl add -Q -)",
     .options = rm_options,
     .is_hidden = true},
    {.name = "objects ls",
     .group = CLI_GROUP_DATA,
     .run = cmd_objects_ls,
     .summary = "list what is kept on many nodes",
     .help = "Prints root, state, copies, size and name of each object: one's "
             "own and those\nkept for others.\n\n"
             "  xmbl objects ls"},
    {.name = "objects status",
     .group = CLI_GROUP_DATA,
     .run = cmd_objects_status,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "show who keeps an object",
     .help = "Shows the state of an object and the nodes that keep it.  When "
             "it is `safe`,\nits owner may be switched off.  What this node "
             "neither owns nor keeps is asked\nof others; only what is signed "
             "is believed.\n\n"
             "  xmbl objects status $(echo hello | xmbl add -Q --copies 3 -)",
     .options = objects_status_options,
     .has_timeout = true},
    {.name = "objects set-copies",
     .group = CLI_GROUP_DATA,
     .run = cmd_objects_set_copies,
     .arguments = "CID N",
     .args_min = 2,
     .args_max = 2,
     .summary = "want more or fewer copies of an object",
     .help = "Changes on how many other nodes an own object is kept, 1 to "
             "7.\n\n"
             "  xmbl objects set-copies CID 5 --wait stored",
     .options = set_copies_options,
     .has_timeout = true},
    {.name = "objects recover",
     .group = CLI_GROUP_DATA,
     .run = cmd_objects_recover,
     .summary = "ask the network what it keeps for this key",
     .help = "Lists the objects that other nodes keep for this node's key, as "
             "after a disk was\nlost.  With --get those that are not here are "
             "fetched and pinned; --timeout is\nhow long one may stand "
             "still (1m).\n\n"
             "  xmbl objects recover --get",
     .options = recover_options,
     .has_timeout = true},
    {.name = "objects leave",
     .group = CLI_GROUP_DATA,
     .run = cmd_objects_leave,
     .summary = "hand over what is kept for others",
     .help =
         "Before this node is switched off for good: other nodes take over "
         "what it keeps.\nEnds when they have it, or after --timeout (1h).  "
         "It is offered nothing more\nuntil its daemon is started anew.  "
         "Stopped before, it goes on keeping the rest.\n\n"
         "  xmbl objects leave --timeout 2h",
     .has_timeout = true},
    {.name = "why",
     .group = CLI_GROUP_DATA,
     .run = cmd_why,
     .arguments = "CID",
     .args_min = 1,
     .args_max = 1,
     .summary = "tell why something can be fetched or not",
     .help = "Tries one thing after the other and tells what went well, what "
             "failed and what\nwould help.  Ends with 0 only if it can be "
             "fetched.\n\n"
             "  xmbl why $(echo hello | xmbl add -Q -)",
     .has_timeout = true},
    {.name = "pin add",
     .group = CLI_GROUP_DATA,
     .run = cmd_pin_add,
     .arguments = "CID[/PATH]...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "fetch something and keep it",
     .help = "Fetches what is missing and keeps all of it from the "
             "collector.\n\n"
             "  xmbl pin add $(echo hello | xmbl add -Q --pin=false -)",
     .options = pin_add_options,
     .has_timeout = true},
    {.name = "pin rm",
     .group = CLI_GROUP_DATA,
     .run = cmd_pin_rm,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "keep it no longer",
     .help =
         "Removes the pin; the blocks go at the next gc.  What was added ends with `xmbl\n"
         "rm`.\n"
         "\n"
         "  xmbl pin rm CID"},
    {.name = "pin ls",
     .group = CLI_GROUP_DATA,
     .run = cmd_pin_ls,
     .arguments = "[CID...]",
     .args_max = ARGUMENTS_MAX,
     .summary = "list what is kept",
     .help = "Lists the pins, or those of the CIDs.\n\n"
             "  xmbl pin ls",
     .options = pin_ls_options},
    {.name = "block get",
     .group = CLI_GROUP_DATA,
     .run = cmd_block_get,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "print the bytes of a block",
     .help = "Writes the block's bytes as they are to stdout.\n\n"
             "  xmbl block get $(echo hello | xmbl add -Q -)",
     .has_timeout = true},
    {.name = "block put",
     .group = CLI_GROUP_DATA,
     .run = cmd_block_put,
     .arguments = "[FILE... | -]",
     .args_max = ARGUMENTS_MAX,
     .summary = "store one block",
     .help =
         "Stores the bytes of the file or of standard input as one block and prints its\n"
         "CID.\n"
         "\n"
         "  echo hello | xmbl block put",
     .options = block_put_options},
    {.name = "block stat",
     .group = CLI_GROUP_DATA,
     .run = cmd_block_stat,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "show the size of a block",
     .help = "Shows CID and size of one block.\n\n"
             "  xmbl block stat $(echo hello | xmbl block put)",
     .has_timeout = true},
    {.name = "block ls",
     .group = CLI_GROUP_DATA,
     .run = cmd_block_ls,
     .summary = "list the blocks that are here",
     .help = "Prints CID and size of each block of the store.\n\n"
             "  xmbl block ls"},
    {.name = "block rm",
     .group = CLI_GROUP_DATA,
     .run = cmd_block_rm,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "remove blocks that nothing needs",
     .help = "Removes blocks; those that a pin needs are refused.\n\n"
             "  xmbl block rm $(echo hello | xmbl block put)"},
    {.name = "car export",
     .group = CLI_GROUP_DATA,
     .run = cmd_car_export,
     .arguments = "CID[/PATH]",
     .args_min = 1,
     .args_max = 1,
     .summary = "write all blocks below a CID to a CAR file",
     .help = "Writes a CARv1 file with the root and all blocks below it.\n\n"
             "  xmbl car export $(echo hello | xmbl add -Q -) -o hello.car",
     .options = car_export_options,
     .has_timeout = true},
    {.name = "car import",
     .group = CLI_GROUP_DATA,
     .run = cmd_car_import,
     .arguments = "FILE... | -",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "store the blocks of a CAR file",
     .help = "Checks and stores all blocks of the file and pins its roots.\n\n"
             "  xmbl car import hello.car"},
    {.name = "gc",
     .group = CLI_GROUP_DATA,
     .run = cmd_gc,
     .summary = "remove what nothing keeps",
     .help = "Removes the blocks that no pin and no object needs.\n\n"
             "  xmbl gc"},
    {.name = "verify",
     .group = CLI_GROUP_DATA,
     .run = cmd_verify,
     .arguments = "[CID]",
     .args_max = 1,
     .summary = "hash stored blocks again",
     .help =
         "Reads all blocks, or those below the CID, checks their hashes and fetches\n"
         "damaged ones again.\n"
         "\n"
         "  xmbl verify"},
    {.name = "fsck",
     .group = CLI_GROUP_DATA,
     .run = cmd_fsck,
     .summary = "check the files of the block store",
     .help =
         "Checks segments and index of the store and rebuilds the index where it is\n"
         "damaged.\n"
         "\n"
         "  xmbl fsck"},

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
     .args_max = ARGUMENTS_MAX,
     .summary = "connect to a peer",
     .help = "Connects to the peer whose id ends the address.\n\n"
             "  xmbl swarm connect /ip4/192.0.2.1/tcp/4101/p2p/PEER",
     .has_timeout = true},
    {.name = "swarm disconnect",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_swarm_disconnect,
     .arguments = "PEER...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
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
     .help = "Sends pings to a peer, given by its id or an address with "
             "it.\n\n"
             "  xmbl ping PEER -c 3",
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
     .args_max = ARGUMENTS_MAX,
     .summary = "enter a peer into the book",
     .help = "Enters the peer and keeps a connection to it, also after a "
             "restart.\n\n"
             "  xmbl peers add /ip4/192.0.2.1/tcp/4101/p2p/PEER"},
    {.name = "peers rm",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_rm,
     .arguments = "PEER...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
     .summary = "remove a peer from the book",
     .help = "Forgets the peer until it is heard of again.\n\n"
             "  xmbl peers rm PEER"},
    {.name = "peers ban",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_peers_ban,
     .arguments = "PEER | IP[/BITS]...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
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
     .args_max = ARGUMENTS_MAX,
     .summary = "end a ban",
     .help = "The peer or range may connect again.\n\n"
             "  xmbl peers unban 192.0.2.0/24"},
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
             "  xmbl dht findprovs CID",
     .options = findprovs_options,
     .has_timeout = true},
    {.name = "dht provide",
     .group = CLI_GROUP_NETWORK,
     .run = cmd_dht_provide,
     .arguments = "CID...",
     .args_min = 1,
     .args_max = ARGUMENTS_MAX,
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
             "  xmbl dht query PEER",
     .has_timeout = true},

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
     .help = "Prints the path that the name stands for; without one, that of "
             "this node's own.\n\n"
             "  xmbl ipns resolve NAME",
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

    {.name = "explain",
     .group = CLI_GROUP_OTHER,
     .run = cmd_explain,
     .arguments = "[CODE]",
     .args_max = 1,
     .summary = "tell more about an error, or list them",
     .help = "Explains the word that stands in brackets at the end of an "
             "error.\n\n"
             "  xmbl explain FOLDER_LOCKED"},
    {.name = "version",
     .group = CLI_GROUP_OTHER,
     .run = cmd_version,
     .summary = "print the version",
     .help = "Prints the version of this program.\n\n"
             "  xmbl version"},
    {.name = "completion",
     .group = CLI_GROUP_OTHER,
     .run = cmd_completion,
     .arguments = "bash|zsh|fish",
     .args_min = 1,
     .args_max = 1,
     .summary = "print a script for the Tab key",
     .help = "Prints the completion script of a shell.\n\n"
             "  source <(xmbl completion bash)"},
    {.name = "help",
     .group = CLI_GROUP_OTHER,
     .run = cmd_help,
     .arguments = "[COMMAND]",
     .args_max = 2,
     .summary = "print this, or the page of a command",
     .help = "Prints the page of a command, as `xmbl COMMAND --help` does.\n\n"
             "  xmbl help add",
     .is_hidden = true},
};

const struct cli_command *cli_commands(size_t *ret_count)
{
    *ret_count = sizeof(table) / sizeof(table[0]);
    return table;
}
