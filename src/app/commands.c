/* The table of all commands, put together from those of the groups. */
#include "app/commands.h"

#include <string.h>

#include "app/cli.h"

const struct cli_command *cli_command_at(size_t index)
{
    static const struct cli_command *(*const groups[])(size_t * ret_count) = {
        [CLI_GROUP_NODE] = commands_node,
        [CLI_GROUP_DATA] = commands_data,
        [CLI_GROUP_NETWORK] = commands_network,
        [CLI_GROUP_OTHER] = commands_other,
    };

    for (size_t i = 0; i < CLI_GROUPS_COUNT; i++) {
        size_t count = 0;
        const struct cli_command *table = groups[i](&count);
        if (index < count)
            return &table[index];
        index -= count;
    }
    return NULL;
}

const struct cli_command *cli_command_find(const char *name)
{
    const struct cli_command *c = NULL;

    for (size_t i = 0; (c = cli_command_at(i)) != NULL; i++) {
        if (strcmp(c->name, name) == 0)
            break;
    }
    return c;
}
