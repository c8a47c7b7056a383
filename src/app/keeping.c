#include "app/keeping.h"

#include <string.h>

#include "app/cli.h"
#include "app/folder.h"
#include "app/passphrase.h"
#include "base/mem.h"
#include "base/path.h"
#include "multiformats/key.h"
#include "node/identity.h"
#include "os/disk.h"
#include "os/random.h"

enum { LOCK_WAIT_MS = 5000, NAMES_MAX = 1 << 20 };

void keeping_fault(struct cli *cli, const struct keeping *k, enum err err)
{
    enum error_id id = error_of_err(err);

    if (err == E_MISMATCH)
        id = ERROR_WRONG_PASSPHRASE;
    else if (err == E_AGAIN)
        id = ERROR_PASSPHRASE_NEEDED;
    else if (err == E_CORRUPT)
        id = ERROR_BAD_KEY_FILE;
    else if (err == E_UNSUPPORTED)
        id = ERROR_NEWER_FOLDER;
    else if (err == E_NOTFOUND)
        id = ERROR_NO_FOLDER;
    else if (err == E_REFUSED)
        id = ERROR_PERMISSION;
    else if (err == E_EXISTS)
        id = ERROR_FOLDER_EXISTS;
    cli_error_set(&cli->error, id, k->path);
}

static enum err take_lock(struct cli *cli, struct keeping *k)
{
    char *file = path_join(k->path, "lock");
    uint32_t pid = 0;
    enum err err = fslock_open(file, true, LOCK_WAIT_MS, &k->lock, &pid);

    mem_free(file);
    if (err == OK) {
        k->is_locked = true;
        return OK;
    }
    if (err != E_AGAIN) {
        keeping_fault(cli, k, err);
        return err;
    }
    folder_fault_held(&cli->error, pid, k->path);
    return E_CLOSED;
}

/* A folder that has something in it is not touched.  A lock alone is what is
 * left when a command ended before it had made a key. */
static enum err check_empty(struct cli *cli, struct keeping *k)
{
    struct disk_names names = {.names = NULL};
    enum err err = k->disk.list(&k->disk, k->dir, NAMES_MAX, &names);
    bool empty =
        err == OK && (names.count == 0 ||
                      (names.count == 1 && strcmp(names.names, "lock") == 0));

    mem_free(names.names);
    if (empty)
        return OK;
    if (err == OK)
        err = E_EXISTS;
    keeping_fault(cli, k, err);
    return err;
}

enum err keeping_open(struct cli *cli, struct keeping *k, enum keeping_use use)
{
    bool makes = use == KEEPING_NEW || use == KEEPING_MAKE;
    enum err err = OK;

    *k = (struct keeping){.path = folder_path(cli->path)};
    os_disk_init(&k->disk);
    os_random_init(&k->rng);
    if (makes)
        err = folder_make(k->path, &cli->error);
    if (err == OK) {
        err = k->disk.open(&k->disk, NULL, k->path, DISK_READ | DISK_DIR,
                           &k->dir);
        if (err != OK)
            keeping_fault(cli, k, err);
    }
    if (err == OK && use == KEEPING_NEW)
        err = check_empty(cli, k);
    if (err == OK && !makes && !folder_exists(k->path)) {
        err = E_NOTFOUND;
        keeping_fault(cli, k, err);
    }
    if (err == OK && use != KEEPING_READ)
        err = take_lock(cli, k);
    if (err != OK)
        keeping_close(k);
    return err;
}

void keeping_close(struct keeping *k)
{
    if (k->is_locked)
        fslock_release(&k->lock);
    k->disk.close(&k->disk, k->dir);
    mem_free(k->path);
    *k = (struct keeping){.path = NULL};
}

enum err keeping_key(struct cli *cli, struct keeping *k,
                     struct privkey *ret_key)
{
    struct secret pass = {.p = NULL};
    bool locked = false;
    enum err err = identity_is_locked(&k->disk, k->dir, &locked);

    if (err != OK) {
        keeping_fault(cli, k, err);
        return err;
    }
    if (locked)
        err = passphrase_read(cli->passphrase_file,
                              "passphrase of this node's key", &pass,
                              &cli->error);
    if (err != OK)
        return err;
    struct bytes view = secret_bytes(&pass);
    err = identity_load(&k->disk, k->dir, locked ? &view : NULL, ret_key);
    if (err != OK)
        keeping_fault(cli, k, err);
    secret_release(&pass);
    return err;
}

static enum err write_file(struct keeping *k, const char *name,
                           struct bytes text)
{
    struct disk *disk = &k->disk;
    struct disk_file *file = NULL;
    enum err err = disk->open(disk, k->dir, name,
                              DISK_WRITE | DISK_CREATE | DISK_EXCL, &file);

    if (err != OK)
        return err;
    err = disk->write(disk, file, 0, &text, 1);
    if (err == OK)
        err = disk->sync(disk, file);
    disk->close(disk, file);
    return err;
}

enum err keeping_write(struct cli *cli, struct keeping *k, const char *name,
                       struct bytes text)
{
    static const char part[] = "config.yaml.new";
    struct disk *disk = &k->disk;
    enum err err = write_file(k, part, text);

    if (err == OK)
        err = disk->rename(disk, k->dir, part, k->dir, name, false);
    if (err == OK)
        err = disk->sync_dir(disk, k->dir);
    if (err != OK)
        keeping_fault(cli, k, err);
    return err;
}
