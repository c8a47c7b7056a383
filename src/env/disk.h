#ifndef ENV_DISK_H
#define ENV_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * disk - files, called synchronously: inside pool jobs, or at start before
 * the loop runs.  Never from the loop while it runs.
 *
 * Every function may be called from several threads at once; one file may be
 * read and written by several jobs at once at different places.  Names are
 * single path components where a directory is given, whole paths where the
 * directory is NULL.  Everything is opened close-on-exec.
 *
 * Errors of all: E_NOTFOUND, E_EXISTS, E_REFUSED (permission, not a directory
 * or file where one is needed, a symlink where none is followed, read-only),
 * E_NOSPACE (disk or quota full), E_LIMIT (name too long, too many open
 * files), E_IO.
 */

struct disk_file; /* private to the implementation */

enum disk_flags {
    DISK_READ = 1,
    DISK_WRITE = 2,
    DISK_CREATE = 4,     /* make it (mode 0600) if absent */
    DISK_EXCL = 8,       /* with CREATE: E_EXISTS when there */
    DISK_TRUNC = 16,     /* empty it */
    DISK_NOFOLLOW = 32,  /* the last component may not be a symlink */
    DISK_DIR = 64,       /* open a directory */
    DISK_SHARED = 128,   /* with CREATE: mode 0666 under the umask */
    DISK_NONBLOCK = 256, /* never wait for the other end of a fifo */
    DISK_STREAM = 512,   /* large writes need not stay in memory */
};

enum disk_kind {
    DISK_IS_FILE,
    DISK_IS_DIR,
    DISK_IS_SYMLINK,
    DISK_IS_OTHER, /* device, fifo, socket */
};

struct disk_stat {
    enum disk_kind kind;
    uint64_t size_bytes;
    uint32_t mode;     /* permission bits, low 12 */
    uint64_t mtime_ns; /* wall clock */
    uint64_t device;
    uint64_t inode;
};

struct disk_space {
    uint64_t free_bytes; /* for us, without the share reserved for root */
    uint64_t total_bytes;
};

/**
 * struct disk_names - contents of a directory, without "." and "..".
 *
 * @names holds @count NUL-terminated names one after the other, in no order.
 * Owned by the caller of list(); given back with mem_free(names).
 */
struct disk_names {
    char *names;
    size_t len; /* of all with their NULs, bytes */
    size_t count;
};

struct disk {
    /** @open: open @name in @dir (or path @name when @dir is NULL). */
    enum err (*open)(struct disk *d, struct disk_file *dir, const char *name,
                     unsigned flags, struct disk_file **ret_file);

    /** @close: NULL does nothing. */
    void (*close)(struct disk *d, struct disk_file *f);

    /** @read: up to @len bytes at @offset; less only at the end of file. */
    enum err (*read)(struct disk *d, struct disk_file *f, uint64_t offset,
                     uint8_t *dst, size_t len, size_t *ret_len);

    /**
     * @write: all bytes of the @count pieces, one after the other, at @offset.
     * After a failure any part of them may have been written.
     */
    enum err (*write)(struct disk *d, struct disk_file *f, uint64_t offset,
                      const struct bytes *pieces, size_t count);

    /** @sync: what was written before is on the medium (fdatasync). */
    enum err (*sync)(struct disk *d, struct disk_file *f);

    /** @flush: start writing @len bytes at @offset back; does not wait. */
    void (*flush)(struct disk *d, struct disk_file *f, uint64_t offset,
                  uint64_t len);

    /** @truncate: make the file @len bytes long. */
    enum err (*truncate)(struct disk *d, struct disk_file *f, uint64_t len);

    /** @stat_file: of an open file. */
    enum err (*stat_file)(struct disk *d, struct disk_file *f,
                          struct disk_stat *ret_stat);

    /** @stat: of @name in @dir; a symlink itself is told of, not followed. */
    enum err (*stat)(struct disk *d, struct disk_file *dir, const char *name,
                     struct disk_stat *ret_stat);

    /** @readlink: target of a symlink, NUL-terminated; E_LIMIT over @max. */
    enum err (*readlink)(struct disk *d, struct disk_file *dir,
                         const char *name, char *dst, size_t max);

    /** @symlink: make @name in @dir a symlink to @target. */
    enum err (*symlink)(struct disk *d, struct disk_file *dir, const char *name,
                        const char *target);

    /** @mkdir: make a directory; @shared: mode 0777 under the umask, else
     * 0700. */
    enum err (*mkdir)(struct disk *d, struct disk_file *dir, const char *name,
                      bool shared);

    /** @rename: within or between open directories; replaces what is there
     * when @replace, else E_EXISTS, atomically. */
    enum err (*rename)(struct disk *d, struct disk_file *from_dir,
                       const char *from, struct disk_file *to_dir,
                       const char *to, bool replace);

    /** @unlink: remove a file, symlink or (when @is_dir) empty directory. */
    enum err (*unlink)(struct disk *d, struct disk_file *dir, const char *name,
                       bool is_dir);

    /** @list: names in an open directory. E_LIMIT over @count_max. */
    enum err (*list)(struct disk *d, struct disk_file *dir, size_t count_max,
                     struct disk_names *ret_names);

    /** @sync_dir: names made and removed in an open directory are durable. */
    enum err (*sync_dir)(struct disk *d, struct disk_file *dir);

    /** @space: of the file system that an open file or directory is on. */
    enum err (*space)(struct disk *d, struct disk_file *f,
                      struct disk_space *ret_space);
};

#endif /* ENV_DISK_H */
