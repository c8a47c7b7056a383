#include "app/file_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli.h"
#include "base/mem.h"
#include "base/path.h"

static const char part_suffix[] = ".xmbl-part";

static enum err fail(struct cli *cli, const char *path, int error)
{
    enum error_id id = ERROR_IO;
    enum err err = E_IO;

    if (error == EEXIST) {
        id = ERROR_EXISTS;
        err = E_EXISTS;
    } else if (error == EACCES || error == EPERM || error == EROFS) {
        id = ERROR_PERMISSION;
        err = E_REFUSED;
    } else if (error == ENOSPC || error == EDQUOT) {
        id = ERROR_NO_SPACE;
        err = E_NOSPACE;
    } else if (error == ENOENT || error == ENOTDIR) {
        id = ERROR_NOT_FOUND;
        err = E_NOTFOUND;
    } else if (error == EISDIR) {
        id = ERROR_NOT_A_FILE;
    } else if (error == ENAMETOOLONG) {
        id = ERROR_LIMIT;
        err = E_LIMIT;
    }
    cli_error_set(&cli->error, id, path);
    if (error == ENOENT || error == ENOTDIR)
        cli_error_hint(&cli->error, "Make the folder first.");
    if (error == ENAMETOOLONG)
        cli_error_hint(&cli->error, "Choose a shorter name.");
    return err;
}

enum err file_out_open(struct cli *cli, struct file_out *f, const char *path,
                       bool force)
{
    struct stat st;

    *f = (struct file_out){.fd = -1};
    if (!force && lstat(path, &st) == 0)
        return fail(cli, path, EEXIST);
    char *part = path_beside(path, part_suffix);
    int fd =
        open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) {
        int error = errno;
        mem_free(part);
        return fail(cli, path, error);
    }
    *f = (struct file_out){.fd = fd, .path = mem_strdup(path), .part = part};
    return OK;
}

enum err file_out_write(struct cli *cli, struct file_out *f, struct bytes in)
{
    size_t done = 0;

    while (done < in.len) {
        ssize_t n = write(f->fd, in.p + done, in.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(cli, f->path, errno);
        done += (size_t)n;
    }
    return OK;
}

enum err file_out_close(struct cli *cli, struct file_out *f, bool force,
                        bool sync)
{
    unsigned flags = force ? 0 : RENAME_NOREPLACE;
    enum err err = OK;

    if (sync && fsync(f->fd) != 0)
        err = fail(cli, f->path, errno);
    if (close(f->fd) != 0 && err == OK)
        err = fail(cli, f->path, errno);
    f->fd = -1;
    int failed =
        err == OK ? renameat2(AT_FDCWD, f->part, AT_FDCWD, f->path, flags) : 0;
    /* Some file systems know no flags; then two steps must do. */
    if (failed != 0 && errno == EINVAL && access(f->path, F_OK) != 0)
        failed = rename(f->part, f->path);
    if (failed != 0)
        err = fail(cli, f->path, errno);
    if (err != OK)
        (void)unlink(f->part); /* best effort: it is of no use */
    mem_free(f->path);
    mem_free(f->part);
    *f = (struct file_out){.fd = -1};
    return err;
}

void file_out_drop(struct file_out *f)
{
    if (f->fd < 0)
        return;
    (void)close(f->fd);    /* it goes anyway */
    (void)unlink(f->part); /* best effort: it is of no use */
    mem_free(f->path);
    mem_free(f->part);
    *f = (struct file_out){.fd = -1};
}
