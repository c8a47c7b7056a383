/*
 * xmbl - a node of a decentralised storage network, and the commands that talk
 * to it.  The table of commands is in app/commands.c.
 */
#include <signal.h>

#include "app/cli.h"
#include "app/cli_error.h"
#include "os/standard_fds.h"

int main(int argc, char **argv)
{
    struct cli cli;

    if (!standard_fds_fill())
        return EXIT_FAILED; /* there is nowhere to tell it */
    /* A reader that has gone is an error of write(), not the end of us. */
    (void)signal(SIGPIPE, SIG_IGN); /* it cannot fail for SIGPIPE */
    cli_init(&cli);
    bool understood = cli_parse(&cli, argc, argv) == OK;
    int code = understood ? cli_run(&cli) : cli_refuse(&cli);
    cli_release(&cli);
    return code;
}
