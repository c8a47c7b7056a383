#include "app/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/cli_error.h"
#include "app/passphrase.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "env/disk.h"
#include "node/identity.h"
#include "os/os_env.h"

enum { PATH_BYTES_MAX = 4096 };

/* Nothing changes the environment while threads run. */
static const char *variable(const char *name)
{
    return getenv(name); /* NOLINT(concurrency-mt-unsafe) */
}

static char *absolute(const char *path)
{
    char here[PATH_BYTES_MAX];

    if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        return mem_strdup(path);
    return path_join(here, path); /* NOLINT: these are not swapped */
}

char *folder_path(const char *given)
{
    const char *data = variable("XDG_DATA_HOME");
    const char *home = variable("HOME");

    if (given != NULL)
        return absolute(given);
    /* systemd sets this for services, whose HOME means nothing. */
    const char *state = variable("STATE_DIRECTORY");
    if (state != NULL && state[0] == '/')
        return mem_strdup(state);
    if (data != NULL && data[0] == '/')
        return path_join(data, "xmbl");
    if (home != NULL && home[0] == '/')
        return path_join(home, ".local/share/xmbl");
    return mem_strdup("/var/lib/xmbl");
}

static bool has_file(const char *path, const char *name)
{
    struct stat st;
    char *file = path_join(path, name);
    bool there = stat(file, &st) == 0;

    mem_free(file);
    return there;
}

bool folder_exists(const char *path)
{
    return has_file(path, IDENTITY_FILE);
}

bool folder_has_lock(const char *path)
{
    return has_file(path, "lock");
}

bool folder_is_writable(const char *path)
{
    char *lock = path_join(path, "lock");
    bool writable = access(path, W_OK) == 0 && access(lock, W_OK) == 0;

    mem_free(lock);
    return writable;
}

void folder_fault_held(struct cli_error *e, uint32_t pid, const char *path)
{
    if (pid == 0)
        cli_error_setf(e, ERROR_FOLDER_LOCKED,
                       "the folder is in use by another process: %.300s", path);
    else
        cli_error_setf(e, ERROR_FOLDER_LOCKED,
                       "the folder is in use by process %u: %.300s", pid, path);
}

enum err folder_make(const char *path, struct cli_error *ret_error)
{
    char *copy = mem_strdup(path);
    struct stat st;
    int result = 0;

    for (char *p = copy + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        (void)mkdir(copy, 0755); /* the last one tells what is wrong */
        *p = '/';
    }
    result = mkdir(copy, 0700);
    int error = errno;
    mem_free(copy);
    if (result != 0 && error == EEXIST && stat(path, &st) == 0 &&
        !S_ISDIR(st.st_mode))
        error = ENOTDIR;
    if (result == 0 || error == EEXIST)
        return OK;
    bool full = error == ENOSPC || error == EDQUOT;
    cli_error_setf(ret_error, full ? ERROR_NO_SPACE : ERROR_PERMISSION,
                   "cannot make the data folder: %s: %s", path,
                   strerror(error)); /* NOLINT: one thread */
    return full ? E_NOSPACE : E_REFUSED;
}

/* Settings. */

static enum err read_text(const char *path, struct strbuf *out)
{
    uint8_t step[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? E_NOTFOUND : E_IO;

    ssize_t n = read(fd, step, sizeof(step));
    while (n > 0) {
        strbuf_add(out, (struct bytes){step, (size_t)n});
        n = read(fd, step, sizeof(step));
    }
    (void)close(fd); /* it was only read */
    return n < 0 || strbuf_full(out) ? E_IO : OK;
}

static enum err load_file(struct config *c, const char *path, const char *name,
                          enum config_layer layer, struct config_notes *notes)
{
    struct strbuf text;
    char *file = path_join(path, name);

    strbuf_init(&text, CONFIG_TEXT_MAX);
    enum err err = read_text(file, &text);
    if (err == OK)
        err = config_load_yaml(c, strbuf_bytes(&text), name, layer, notes);
    strbuf_release(&text);
    mem_free(file);
    return err == E_NOTFOUND ? OK : err;
}

/* config.NAME.yaml; config_load_environment() has checked the name. */
static enum err load_environment_file(struct config *c, const char *path,
                                      const char *name,
                                      struct config_notes *notes)
{
    struct strbuf file;

    strbuf_init(&file, PATH_BYTES_MAX);
    strbuf_str(&file, "config.");
    strbuf_str(&file, name);
    strbuf_str(&file, ".yaml");
    enum err err =
        load_file(c, path, strbuf_cstr(&file), CONFIG_FROM_ENVIRONMENT, notes);
    strbuf_release(&file);
    return err;
}

static enum err load_all(struct config *c, const char *path,
                         const char *const *sets, struct config_notes *notes)
{
    const char *name = variable("XMBL_ENVIRONMENT");
    enum err err = OK;

    if (name != NULL)
        err = config_load_environment(c, name, notes);
    if (err == OK && name != NULL)
        err = load_environment_file(c, path, name, notes);
    if (err == OK)
        err = load_file(c, path, "config.yaml", CONFIG_FROM_FILE, notes);
    if (err == OK)
        err = config_load_env(c, environ, notes);
    for (size_t i = 0; err == OK && sets != NULL && sets[i] != NULL; i++)
        err = config_set_pair(c, sets[i], notes);
    if (err == OK)
        err = config_check_all(c, notes);
    return err;
}

static void tell_notes(const struct config_notes *notes,
                       struct cli_error *ret_error, bool failed)
{
    for (size_t i = 0; i < notes->count; i++) {
        struct strbuf line;
        strbuf_init(&line, CLI_MESSAGE_MAX - 1);
        config_note_format(&notes->items[i], &line);
        if (failed && notes->items[i].is_error && ret_error->code[0] == '\0')
            cli_error_setf(ret_error, ERROR_BAD_CONFIG, "%s",
                           strbuf_cstr(&line));
        else
            (void)fprintf(stderr, "xmbl: %s\n", strbuf_cstr(&line));
        strbuf_release(&line);
    }
}

enum err folder_settings(const char *path, const char *const *sets,
                         struct config *ret_config, struct cli_error *ret_error)
{
    struct config_notes *notes = mem_zalloc(1, sizeof(*notes));

    config_init(ret_config);
    enum err err = load_all(ret_config, path, sets, notes);
    tell_notes(notes, ret_error, err != OK);
    if (err != OK && ret_error->code[0] == '\0')
        cli_error_setf(ret_error, ERROR_BAD_CONFIG,
                       "the settings cannot be read: %s/config.yaml", path);
    mem_free(notes);
    return err;
}

static bool write_all(int fd, struct bytes in)
{
    while (in.len > 0) {
        ssize_t n = write(fd, in.p, in.len);
        if (n < 0 && errno != EINTR)
            return false;
        in = bytes_sub(in, n > 0 ? (size_t)n : 0,
                       in.len - (size_t)(n > 0 ? n : 0));
    }
    return true;
}

/* Beside the old file, synced, then renamed over it. */
static enum err replace_file(const char *path, struct bytes text)
{
    char *file = path_join(path, "config.yaml");
    char *temp = path_join(path, "config.yaml.new");
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, text) && fsync(fd) == 0;

    good = fd >= 0 && close(fd) == 0 && good;
    good = good && rename(temp, file) == 0;
    enum err err = good ? OK : errno == ENOSPC ? E_NOSPACE : E_IO;
    mem_free(file);
    mem_free(temp);
    return err;
}

static enum err set_checked(const char *path, enum config_key key,
                            const char *value, struct cli_error *ret_error)
{
    struct strbuf old;
    struct strbuf fresh;
    char *file = path_join(path, "config.yaml");

    strbuf_init(&old, CONFIG_TEXT_MAX);
    strbuf_init(&fresh, CONFIG_TEXT_MAX);
    enum err err = read_text(file, &old);
    if (err == OK || err == E_NOTFOUND)
        err =
            config_text_set(strbuf_bytes(&old), key, bytes_str(value), &fresh);
    if (err == OK)
        err = replace_file(path, strbuf_bytes(&fresh));
    if (err != OK)
        cli_error_setf(ret_error, error_of_err(err),
                       "the settings cannot be changed: %s", file);
    strbuf_release(&old);
    strbuf_release(&fresh);
    mem_free(file);
    return err;
}

enum err folder_set(const char *path, const char *name, const char *value,
                    struct cli_error *ret_error)
{
    struct config_notes *notes = mem_zalloc(1, sizeof(*notes));
    struct config trial;
    enum config_key key = CONFIG_KEYS_COUNT;
    enum err err = config_find(bytes_str(name), &key);

    if (err != OK)
        cli_error_setf(ret_error, ERROR_BAD_CONFIG, "there is no setting: %s",
                       name);
    config_init(&trial);
    if (err == OK)
        err = config_set(&trial, key, bytes_str(value), CONFIG_FROM_FILE,
                         "config.yaml", notes);
    tell_notes(notes, ret_error, err != OK);
    config_release(&trial);
    mem_free(notes);
    if (err == OK)
        return set_checked(path, key, value, ret_error);
    return E_MALFORMED;
}

/* The key. */

static void fault_key(struct cli_error *e, enum err err, const char *path)
{
    if (err == E_MISMATCH)
        cli_error_set(e, ERROR_WRONG_PASSPHRASE, path);
    else if (err == E_CORRUPT || err == E_UNSUPPORTED)
        cli_error_set(e, ERROR_BAD_KEY_FILE, path);
    else if (err == E_REFUSED)
        cli_error_set(e, ERROR_PERMISSION, path);
    else
        cli_error_set(e, error_of_err(err), path);
}

static enum err load_key(struct os_env *os, struct disk_file *dir,
                         const char *path, const char *passphrase_file,
                         struct privkey *ret_key, struct cli_error *ret_error)
{
    struct disk *disk = os->env.disk;
    struct secret pass = {.p = NULL};
    bool locked = false;
    enum err err = identity_is_locked(disk, dir, &locked);

    if (err == E_NOTFOUND)
        err = identity_create(disk, dir, os->env.rng, NULL, ret_key);
    else if (err == OK && locked)
        err = passphrase_read(passphrase_file, "passphrase of this node's key",
                              &pass, ret_error);
    else if (err == OK)
        err = identity_load(disk, dir, NULL, ret_key);
    if (err == OK && locked) {
        struct bytes view = secret_bytes(&pass);
        err = identity_load(disk, dir, &view, ret_key);
    }
    secret_release(&pass);
    if (err != OK && ret_error->code[0] == '\0')
        fault_key(ret_error, err, path);
    return err;
}

enum err folder_key(struct os_env *os, const char *path,
                    const char *passphrase_file, struct privkey *ret_key,
                    struct cli_error *ret_error)
{
    struct disk *disk = os->env.disk;
    struct disk_file *dir;
    enum err err = disk->open(disk, NULL, path, DISK_READ | DISK_DIR, &dir);
    if (err != OK) {
        cli_error_set(ret_error, error_of_err(err), path);
        return err;
    }
    err = load_key(os, dir, path, passphrase_file, ret_key, ret_error);
    disk->close(disk, dir);
    return err;
}
