/* Commands about the node itself. */
#include <stddef.h>

#include "app/cli.h"
#include "app/commands.h"

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
             "  xmbl key export -o my-key.pem &&\n"
             "    xmbl key import --path ~/xmbl-same-key my-key.pem",
     .options = key_import_options},
    {.name = "key passphrase",
     .group = CLI_GROUP_NODE,
     .run = cmd_key_passphrase,
     .summary = "set, change or remove the passphrase",
     .help = "Encrypts the key under a new passphrase, asked for on the "
             "terminal or read from\na file, or removes the passphrase.\n\n"
             "  echo secret > secret.txt &&\n"
             "    xmbl key passphrase --new-passphrase-file secret.txt",
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
         "  echo hello | xmbl verify-signature -s $(echo hello | xmbl sign -) \\\n"
         "    -k $(xmbl id | sed -n 's/^peer id *//p') -",
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
};

const struct cli_command *commands_node(size_t *ret_count)
{
    *ret_count = sizeof(table) / sizeof(table[0]);
    return table;
}
