#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/cli.h"
#include "app/commands.h"
#include "app/file_out.h"
#include "app/man.h"
#include "app/output.h"
#include "base/strbuf.h"

/* `man`: the manual pages, for man(1) and for the installation. */

enum { PAGE_BYTES_MAX = 1 << 18, FILE_NAME_MAX = 4096 };

static enum err write_page(struct cli *cli, const char *folder,
                           const char *word)
{
    char path[FILE_NAME_MAX];
    struct file_out file;
    struct strbuf page;

    if (snprintf(path, sizeof(path), "%s/xmbl%s%s.1", folder,
                 word != NULL ? "-" : "",
                 word != NULL ? word : "") >= (int)sizeof(path)) {
        cli_error_set(&cli->error, ERROR_BAD_USAGE, folder);
        return E_LIMIT;
    }
    enum err err = file_out_open(cli, &file, path, true);
    if (err != OK)
        return err;
    strbuf_init(&page, PAGE_BYTES_MAX);
    (void)man_page(&page, word); /* man_word() has named it */
    err = file_out_write(cli, &file, strbuf_bytes(&page));
    if (err == OK)
        err = file_out_close(cli, &file, true, false);
    file_out_drop(&file);
    strbuf_release(&page);
    return err;
}

static int write_all(struct cli *cli, const char *folder)
{
    const char *word = NULL;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return cli_fail(cli, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO,
                        folder);
    enum err err = write_page(cli, folder, NULL);
    for (size_t i = 0; err == OK && (word = man_word(i)) != NULL; i++)
        err = write_page(cli, folder, word);
    return err == OK ? EXIT_DONE : cli->error.exit_code;
}

int cmd_man(struct cli *cli)
{
    const char *folder = cli_value(cli, "output");
    const char *word = cli->args_count > 0 ? cli->args[0] : NULL;
    struct strbuf page;

    if (folder != NULL && word == NULL)
        return write_all(cli, folder);
    if (folder != NULL)
        return cli_fail(cli, ERROR_BAD_USAGE, "--output writes all pages");
    strbuf_init(&page, PAGE_BYTES_MAX);
    bool known = man_page(&page, word);
    output_text(strbuf_cstr(&page));
    strbuf_release(&page);
    return known ? EXIT_DONE : cli_fail(cli, ERROR_BAD_USAGE, word);
}
