#include "app/lone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli_error.h"
#include "app/folder.h"
#include "base/mem.h"
#include "base/path.h"
#include "env/disk.h"
#include "node/remove_tree.h"
#include "os/disk.h"
#include "os/errno_err.h"

enum { NAMES_MAX = 1 << 20 };

/* What a node makes in its folder. */
static const char *const folders[] = {"blocks", "index", "node.db", "tmp"};
static const char *const files[] = {"lock", "version"};

/* A leftover. */

/* True when @name in @dir is of @kind, or not there. */
static bool is_only(struct disk *disk, struct disk_file *dir, const char *name,
                    enum disk_kind kind)
{
    struct disk_stat st;
    enum err err = disk->stat(disk, dir, name, &st);

    return err == E_NOTFOUND || (err == OK && st.kind == kind);
}

/* True when there are plain files only in @name, or it is not there. */
static bool has_files_only(struct disk *disk, struct disk_file *parent,
                           const char *name)
{
    struct disk_names names = {.names = NULL};
    struct disk_file *dir;
    enum err err = disk->open(disk, parent, name,
                              DISK_READ | DISK_DIR | DISK_NOFOLLOW, &dir);
    if (err != OK)
        return err == E_NOTFOUND;

    bool good = disk->list(disk, dir, NAMES_MAX, &names) == OK;
    const char *at = names.names;
    for (size_t i = 0; good && i < names.count; i++) {
        good = is_only(disk, dir, at, DISK_IS_FILE);
        at += strlen(at) + 1;
    }
    mem_free(names.names);
    disk->close(disk, dir);
    return good;
}

/* Whether a node can work in @dir without leaving it. */
static bool is_ours(struct disk *disk, struct disk_file *dir)
{
    bool good = has_files_only(disk, dir, "blocks");

    for (size_t i = 0; good && i < countof(folders); i++)
        good = is_only(disk, dir, folders[i], DISK_IS_DIR);
    for (size_t i = 0; good && i < countof(files); i++)
        good = is_only(disk, dir, files[i], DISK_IS_FILE);
    return good;
}

/* Nobody else may write to it. */
static bool is_private(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
           st.st_uid == geteuid() && (st.st_mode & 022) == 0;
}

/* All but the blocks goes; what the node needs it makes again from them. */
static enum err clean(struct disk *disk, struct disk_file *dir)
{
    enum err err = OK;

    for (size_t i = 1; err == OK && i < countof(folders); i++)
        err = remove_tree(disk, dir, folders[i]);
    return err;
}

static enum err check_leftover(const char *path)
{
    struct disk disk;
    struct disk_file *dir;

    os_disk_init(&disk);
    if (!is_private(path))
        return E_EXISTS;
    enum err err = disk.open(&disk, NULL, path,
                             DISK_READ | DISK_DIR | DISK_NOFOLLOW, &dir);
    if (err != OK)
        return err;
    if (!is_ours(&disk, dir))
        err = E_EXISTS;
    disk.close(&disk, dir);
    return err;
}

/* The lock is held. */
static enum err clean_leftover(const char *path)
{
    struct disk disk;
    struct disk_file *dir;

    os_disk_init(&disk);
    enum err err = disk.open(&disk, NULL, path,
                             DISK_READ | DISK_DIR | DISK_NOFOLLOW, &dir);
    if (err != OK)
        return err;
    err = clean(&disk, dir);
    disk.close(&disk, dir);
    return err;
}

/* Making it. */

static enum err make_beside(struct lone *l)
{
    if (mkdir(l->path, 0700) == 0)
        return OK;
    if (errno != EEXIST)
        return err_of_errno(errno);
    l->is_leftover = true;
    return check_leftover(l->path);
}

static enum err make_temporary(struct lone *l)
{
    /* Nothing changes the environment while threads run. */
    const char *tmp = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */

    l->path =
        path_with(tmp != NULL && tmp[0] == '/' ? tmp : "/tmp", "/xmbl-XXXXXX");
    return mkdtemp(l->path) != NULL ? OK : err_of_errno(errno);
}

static void fault(struct cli_error *e, enum err err, const char *path,
                  uint32_t pid)
{
    if (err == E_AGAIN) {
        cli_error_setf(e, ERROR_FOLDER_LOCKED,
                       "process %u is at it already: %s", pid, path);
        return;
    }
    if (err == E_EXISTS) {
        cli_error_setf(e, ERROR_EXISTS,
                       "something is in the way that no xmbl made: %s", path);
        cli_error_hint(e, "Remove it, or choose another name.");
        return;
    }
    cli_error_setf(e, error_of_err(err), "cannot keep there what comes: %s",
                   path);
    if (err == E_NOTFOUND)
        cli_error_hint(e, "Make the folder that it is to be in.");
}

enum err lone_open(const char *out, struct lone *ret, struct fslock *ret_lock,
                   struct cli_error *ret_error)
{
    struct lone l = {.path = NULL};
    uint32_t pid = 0;
    enum err err = OK;

    if (out != NULL) {
        l.part = path_beside(out, ".xmbl-part");
        l.path = path_beside(out, ".xmbl-part.d");
        err = make_beside(&l);
    } else {
        err = make_temporary(&l);
    }
    bool is_made = err == OK && !l.is_leftover;
    if (err == OK) {
        char *lock = path_join(l.path, "lock");
        err = fslock_open(lock, true, 0, ret_lock, &pid);
        mem_free(lock);
    }
    bool is_locked = err == OK;
    if (err == OK && l.is_leftover)
        err = clean_leftover(l.path);
    if (err == OK) {
        *ret = l;
        return OK;
    }
    fault(ret_error, err, l.path, pid);
    if (is_locked)
        fslock_release(ret_lock);
    if (is_made)
        (void)rmdir(l.path); /* empty, or it is not ours alone any more */
    mem_free(l.path);
    mem_free(l.part);
    return err == E_AGAIN ? E_CLOSED : err;
}

/* The end. */

bool lone_keeps(const struct lone *l)
{
    struct stat st;

    return l->part != NULL && lstat(l->part, &st) == 0;
}

void lone_close(struct lone *l)
{
    struct disk disk;
    struct disk_file *parent;

    if (l->path != NULL && !lone_keeps(l)) {
        char *slash = strrchr(l->path, '/');
        os_disk_init(&disk);
        *slash = '\0';
        const char *above = l->path[0] != '\0' ? l->path : "/";
        if (disk.open(&disk, NULL, above, DISK_READ | DISK_DIR, &parent) ==
            OK) {
            /* What cannot be removed stays; there is nobody to tell. */
            (void)remove_tree(&disk, parent, slash + 1);
            disk.close(&disk, parent);
        }
    }
    mem_free(l->path);
    mem_free(l->part);
    *l = (struct lone){.path = NULL};
}
