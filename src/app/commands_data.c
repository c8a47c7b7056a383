/* Commands about files, blocks, pins and objects. */
#include <stddef.h>

#include "app/cli.h"
#include "app/commands.h"

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

/* Of commands that fetch without a daemon. */
#define WHOM_TO_ASK                                                            \
    {                                                                          \
        "bootstrap", 0, "MADDR", false,                                        \
            "without a daemon, ask this peer first", NULL                      \
    }
#define WHERE_TO_ASK                                                           \
    {                                                                          \
        "gateway", 0, "URL", false, "without a daemon, ask this HTTP gateway", \
            NULL                                                               \
    }

static const struct cli_option fetch_options[] = {
    WHOM_TO_ASK,
    WHERE_TO_ASK,
    {.name = NULL},
};

static const struct cli_option cat_options[] = {
    WHOM_TO_ASK,
    WHERE_TO_ASK,
    {"offset", 0, "N", false, "first byte", NULL},
    {"length", 0, "N", false, "number of bytes", NULL},
    {.name = NULL},
};

static const struct cli_option get_options[] = {
    WHOM_TO_ASK,
    WHERE_TO_ASK,
    {"output", 'o', "OUT", false, "where to (the last part of the path)", NULL},
    {"force", 0, NULL, false, "replace what is there", NULL},
    {"sync", 0, NULL, false, "wait until it is on the disk", NULL},
    {.name = NULL},
};

static const struct cli_option objects_status_options[] = {
    WHOM_TO_ASK,
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

static const struct cli_command table[] = {
    {.name = "add",
     .group = CLI_GROUP_DATA,
     .run = cmd_add,
     .arguments = "PATH... | -",
     .args_min = 1,
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .args_max = COMMAND_ARGUMENTS_MAX,
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
             "  xmbl get $(echo hello | xmbl add -Q -) -o hello-again.txt",
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
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .help =
         "Changes on how many other nodes an own object is kept, 1 to "
         "7.\n\n"
         "  xmbl objects set-copies $(echo hello | xmbl add -Q --copies 3 -) 5",
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
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "keep it no longer",
     .help =
         "Removes the pin; the blocks go at the next gc.  What was added ends with `xmbl\n"
         "rm`.\n"
         "\n"
         "  xmbl pin rm $(echo bye | xmbl add -Q -)"},
    {.name = "pin ls",
     .group = CLI_GROUP_DATA,
     .run = cmd_pin_ls,
     .arguments = "[CID...]",
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .args_max = COMMAND_ARGUMENTS_MAX,
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
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "remove blocks that nothing needs",
     .help = "Removes blocks; those that a pin needs are refused.\n\n"
             "  xmbl block rm $(echo $RANDOM | xmbl block put)"},
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
     .args_max = COMMAND_ARGUMENTS_MAX,
     .summary = "store the blocks of a CAR file",
     .help = "Checks and stores all blocks of the file and pins its roots.\n\n"
             "  xmbl car export $(echo hello | xmbl add -Q -) -o my.car &&\n"
             "    xmbl car import my.car"},
    {.name = "gc",
     .group = CLI_GROUP_DATA,
     .run = cmd_gc,
     .summary = "remove what nothing keeps",
     .help =
         "Removes the blocks that no pin and no object needs.  Waits for another gc\n"
         "that is under way.\n\n"
         "  xmbl gc"},
    {.name = "verify",
     .group = CLI_GROUP_DATA,
     .run = cmd_verify,
     .arguments = "[CID]",
     .args_max = 1,
     .summary = "hash stored blocks again",
     .help =
         "Reads all blocks, or those below the CID, checks their hashes and fetches\n"
         "damaged ones again.  Waits for another verify or fsck that is under way.\n"
         "\n"
         "  xmbl verify",
     .has_timeout = true},
    {.name = "fsck",
     .group = CLI_GROUP_DATA,
     .run = cmd_fsck,
     .summary = "check the files of the block store",
     .help =
         "Checks segments and index of the store and rebuilds the index where it is\n"
         "damaged.\n"
         "\n"
         "  xmbl fsck"},
};

const struct cli_command *commands_data(size_t *ret_count)
{
    *ret_count = sizeof(table) / sizeof(table[0]);
    return table;
}
