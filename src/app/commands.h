#ifndef APP_COMMANDS_H
#define APP_COMMANDS_H

#include <stddef.h>

/*
 * The commands.  Each does one row of the table of cli_command_at(), returns
 * the exit status and, where that is not 0, has set @cli->error.
 */

struct cli;
struct cli_command;

enum { COMMAND_ARGUMENTS_MAX = 1 << 20 };

/* The rows of each group, in the order of the help page; see cli_command_at().
 */
const struct cli_command *commands_node(size_t *ret_count);
const struct cli_command *commands_data(size_t *ret_count);
const struct cli_command *commands_network(size_t *ret_count);
const struct cli_command *commands_other(size_t *ret_count);

/* Node. */
int cmd_init(struct cli *cli);
int cmd_daemon(struct cli *cli);
int cmd_id(struct cli *cli);
int cmd_status(struct cli *cli);
int cmd_key_export(struct cli *cli);
int cmd_key_import(struct cli *cli);
int cmd_key_passphrase(struct cli *cli);
int cmd_sign(struct cli *cli);
int cmd_verify_signature(struct cli *cli);
int cmd_config_show(struct cli *cli);
int cmd_config_get(struct cli *cli);
int cmd_config_set(struct cli *cli);
int cmd_config_check(struct cli *cli);
int cmd_config_reload(struct cli *cli);

/* Data. */
int cmd_add(struct cli *cli);
int cmd_cat(struct cli *cli);
int cmd_get(struct cli *cli);
int cmd_ls(struct cli *cli);
int cmd_stat(struct cli *cli);
int cmd_rm(struct cli *cli);
int cmd_objects_ls(struct cli *cli);
int cmd_objects_status(struct cli *cli);
int cmd_objects_set_copies(struct cli *cli);
int cmd_objects_recover(struct cli *cli);
int cmd_objects_leave(struct cli *cli);
int cmd_why(struct cli *cli);
int cmd_block_get(struct cli *cli);
int cmd_block_put(struct cli *cli);
int cmd_block_stat(struct cli *cli);
int cmd_block_ls(struct cli *cli);
int cmd_block_rm(struct cli *cli);
int cmd_pin_add(struct cli *cli);
int cmd_pin_rm(struct cli *cli);
int cmd_pin_ls(struct cli *cli);
int cmd_gc(struct cli *cli);
int cmd_verify(struct cli *cli);
int cmd_fsck(struct cli *cli);
int cmd_car_export(struct cli *cli);
int cmd_car_import(struct cli *cli);

/* Network. */
int cmd_swarm_peers(struct cli *cli);
int cmd_swarm_connect(struct cli *cli);
int cmd_swarm_disconnect(struct cli *cli);
int cmd_ping(struct cli *cli);
int cmd_stats(struct cli *cli);
int cmd_peers_ls(struct cli *cli);
int cmd_peers_add(struct cli *cli);
int cmd_peers_rm(struct cli *cli);
int cmd_peers_ban(struct cli *cli);
int cmd_peers_unban(struct cli *cli);
int cmd_peers_trace(struct cli *cli);
int cmd_dht_findpeer(struct cli *cli);
int cmd_dht_findprovs(struct cli *cli);
int cmd_dht_provide(struct cli *cli);
int cmd_dht_query(struct cli *cli);
int cmd_ipns_publish(struct cli *cli);
int cmd_ipns_resolve(struct cli *cli);
int cmd_ipns_get(struct cli *cli);
int cmd_ipns_put(struct cli *cli);

/* Other. */
int cmd_explain(struct cli *cli);
int cmd_version(struct cli *cli);
int cmd_completion(struct cli *cli);
int cmd_help(struct cli *cli);
int cmd_man(struct cli *cli);
int cmd_shell(struct cli *cli);

#endif /* APP_COMMANDS_H */
