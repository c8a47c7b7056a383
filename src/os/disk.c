#include "os/disk.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock_ns.h"
#include "os/const_cast.h"
#include "os/disk_direct.h"
#include "os/disk_pace.h"
#include "os/errno_err.h"
#include "os/write_all.h"

enum {
    PIECES_AT_ONCE = 64,
    NAMES_ROOM_FIRST = 4096,
    MODE_OWN_FILE = 0600,
    MODE_SHARED_FILE = 0666,
    MODE_OWN_DIR = 0700,
    MODE_SHARED_DIR = 0777,
    MODE_BITS = 07777,
};

struct disk_file {
    int fd;
    int direct;            /* the same, past the page cache; -1: none */
    struct disk_pace pace; /* of what went there */
};

static int dir_fd(const struct disk_file *dir)
{
    return dir == NULL ? AT_FDCWD : dir->fd;
}

static enum err result(int failed)
{
    return failed == 0 ? OK : err_of_errno(errno);
}

static int open_flags(unsigned flags)
{
    int how = O_CLOEXEC | O_NOCTTY;

    if ((flags & DISK_WRITE) != 0)
        how |= (flags & DISK_READ) != 0 ? O_RDWR : O_WRONLY;
    if ((flags & DISK_CREATE) != 0)
        how |= O_CREAT;
    if ((flags & DISK_EXCL) != 0)
        how |= O_EXCL;
    if ((flags & DISK_TRUNC) != 0)
        how |= O_TRUNC;
    if ((flags & DISK_NOFOLLOW) != 0)
        how |= O_NOFOLLOW;
    if ((flags & DISK_DIR) != 0)
        how |= O_DIRECTORY;
    if ((flags & DISK_NONBLOCK) != 0)
        how |= O_NONBLOCK;
    return how;
}

static bool is_same_file(int a, int b)
{
    struct stat x;
    struct stat y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
           x.st_ino == y.st_ino;
}

/* Opens @fd's file again.  -1: the file system can't, or somebody has put
 * another file in its place meanwhile. */
static int open_direct(int fd, const struct disk_file *dir, const char *name)
{
    int direct = openat(dir_fd(dir), name,
                        O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOCTTY |
                            O_NOFOLLOW | O_NONBLOCK);

    if (direct >= 0 && !is_same_file(fd, direct)) {
        (void)close(direct); /* nothing was written */
        direct = -1;
    }
    return direct;
}

static enum err disk_open(struct disk *d, struct disk_file *dir,
                          const char *name, unsigned flags,
                          struct disk_file **ret_file)
{
    mode_t mode = (flags & DISK_SHARED) != 0 ? MODE_SHARED_FILE : MODE_OWN_FILE;
    int fd;

    (void)d; /* the system is one */
    do
        fd = openat(dir_fd(dir), name, open_flags(flags), mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_of_errno(errno);
    *ret_file = mem_zalloc(1, sizeof(**ret_file));
    (*ret_file)->fd = fd;
    (*ret_file)->direct =
        (flags & DISK_STREAM) != 0 ? open_direct(fd, dir, name) : -1;
    return OK;
}

static void disk_close(struct disk *d, struct disk_file *f)
{
    (void)d; /* the system is one */
    if (f == NULL)
        return;
    if (f->direct >= 0)
        (void)close(f->direct); /* as below */
    (void)close(f->fd);         /* who cares for the data has called sync */
    mem_free(f);
}

static enum err disk_read(struct disk *d, struct disk_file *f, uint64_t offset,
                          uint8_t *dst, size_t len, size_t *ret_len)
{
    size_t done = 0;

    (void)d; /* the system is one */
    if (offset > INT64_MAX || len > INT64_MAX - offset)
        return E_IO;
    while (done < len) {
        ssize_t n =
            pread(f->fd, dst + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_of_errno(errno);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_len = done;
    return OK;
}

/* Over INT64_MAX when they are too many for a file at @offset. */
static uint64_t len_of(uint64_t offset, const struct bytes *pieces,
                       size_t count)
{
    uint64_t len = 0;

    for (size_t i = 0; i < count && len <= INT64_MAX; i++)
        len += pieces[i].len;
    return offset <= INT64_MAX && len <= INT64_MAX - offset ? len : UINT64_MAX;
}

static enum err write_direct(struct disk_file *f, uint64_t offset,
                             const struct bytes *pieces, size_t count,
                             uint64_t len)
{
    uint64_t begin_ns = os_clock_ns(CLOCK_MONOTONIC);
    enum err err = disk_direct_write(f->fd, f->direct, offset, pieces, count);

    disk_pace_note(&f->pace, len, os_clock_ns(CLOCK_MONOTONIC) - begin_ns);
    return err;
}

static enum err disk_write(struct disk *d, struct disk_file *f, uint64_t offset,
                           const struct bytes *pieces, size_t count)
{
    struct iovec iov[PIECES_AT_ONCE];
    uint64_t len = len_of(offset, pieces, count);
    size_t next = 0;

    (void)d; /* the system is one */
    if (f->direct >= 0 && len >= DISK_DIRECT_MIN && len <= INT64_MAX &&
        !disk_pace_is_slow(&f->pace))
        return write_direct(f, offset, pieces, count, len);
    while (next < count) {
        int used = 0;
        for (; next < count && used < PIECES_AT_ONCE; next++) {
            if (pieces[next].len == 0)
                continue;
            if (offset > INT64_MAX || pieces[next].len > INT64_MAX - offset)
                return E_NOSPACE;
            iov[used++] = (struct iovec){.iov_base = const_cast(pieces[next].p),
                                         .iov_len = pieces[next].len};
        }
        enum err err = write_all(f->fd, &offset, iov, used);
        if (err != OK)
            return err;
    }
    return OK;
}

static enum err disk_sync(struct disk *d, struct disk_file *f)
{
    (void)d; /* the system is one */
    return result(fdatasync(f->fd));
}

static void disk_flush(struct disk *d, struct disk_file *f, uint64_t offset,
                       uint64_t len)
{
    (void)d; /* the system is one */
    /* A hint: what it cannot start now, sync writes later. */
    (void)sync_file_range(f->fd, (off_t)offset, (off_t)len,
                          SYNC_FILE_RANGE_WRITE);
}

static enum err disk_truncate(struct disk *d, struct disk_file *f, uint64_t len)
{
    int failed;

    (void)d; /* the system is one */
    if (len > INT64_MAX)
        return E_NOSPACE;
    do
        failed = ftruncate(f->fd, (off_t)len);
    while (failed != 0 && errno == EINTR);
    return result(failed);
}

static enum disk_kind kind_of(mode_t mode)
{
    if (S_ISREG(mode))
        return DISK_IS_FILE;
    if (S_ISDIR(mode))
        return DISK_IS_DIR;
    return S_ISLNK(mode) ? DISK_IS_SYMLINK : DISK_IS_OTHER;
}

static struct disk_stat stat_of(const struct stat *st)
{
    enum { NS_PER_S = 1000 * 1000 * 1000 };
    uint64_t mtime_s =
        st->st_mtim.tv_sec < 0 ? 0 : (uint64_t)st->st_mtim.tv_sec;

    return (struct disk_stat){
        .kind = kind_of(st->st_mode),
        .size_bytes = (uint64_t)st->st_size,
        .mode = st->st_mode & MODE_BITS,
        .mtime_ns = mtime_s * NS_PER_S + (uint64_t)st->st_mtim.tv_nsec,
        .device = st->st_dev,
        .inode = st->st_ino,
    };
}

static enum err disk_stat_file(struct disk *d, struct disk_file *f,
                               struct disk_stat *ret_stat)
{
    struct stat st;

    (void)d; /* the system is one */
    if (fstat(f->fd, &st) != 0)
        return err_of_errno(errno);
    *ret_stat = stat_of(&st);
    return OK;
}

static enum err disk_stat(struct disk *d, struct disk_file *dir,
                          const char *name, struct disk_stat *ret_stat)
{
    struct stat st;

    (void)d; /* the system is one */
    if (fstatat(dir_fd(dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return err_of_errno(errno);
    *ret_stat = stat_of(&st);
    return OK;
}

static enum err disk_readlink(struct disk *d, struct disk_file *dir,
                              const char *name, char *dst, size_t max)
{
    (void)d; /* the system is one */
    if (max == 0)
        return E_LIMIT;
    ssize_t n = readlinkat(dir_fd(dir), name, dst, max);
    if (n < 0)
        return errno == EINVAL ? E_REFUSED : err_of_errno(errno);
    if ((size_t)n == max)
        return E_LIMIT;
    dst[n] = '\0';
    return OK;
}

static enum err disk_symlink(struct disk *d, struct disk_file *dir,
                             const char *name, const char *target)
{
    (void)d; /* the system is one */
    return result(symlinkat(target, dir_fd(dir), name));
}

static enum err disk_mkdir(struct disk *d, struct disk_file *dir,
                           const char *name, bool shared)
{
    (void)d; /* the system is one */
    return result(
        mkdirat(dir_fd(dir), name, shared ? MODE_SHARED_DIR : MODE_OWN_DIR));
}

/* For file systems without RENAME_NOREPLACE.  A power cut between the two
 * steps leaves both names, never none. */
static enum err link_and_unlink(int from_fd, const char *from, int to_fd,
                                const char *to)
{
    if (linkat(from_fd, from, to_fd, to, 0) != 0)
        return err_of_errno(errno);
    return result(unlinkat(from_fd, from, 0));
}

static enum err disk_rename(struct disk *d, struct disk_file *from_dir,
                            const char *from, struct disk_file *to_dir,
                            const char *to, bool replace)
{
    int from_fd = dir_fd(from_dir);
    int to_fd = dir_fd(to_dir);

    (void)d; /* the system is one */
    if (replace)
        return result(renameat(from_fd, from, to_fd, to));
    if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
        return OK;
    if (errno == EINVAL || errno == ENOSYS)
        return link_and_unlink(from_fd, from, to_fd, to);
    return err_of_errno(errno);
}

static enum err disk_unlink(struct disk *d, struct disk_file *dir,
                            const char *name, bool is_dir)
{
    (void)d; /* the system is one */
    return result(unlinkat(dir_fd(dir), name, is_dir ? AT_REMOVEDIR : 0));
}

struct names {
    struct disk_names out;
    size_t room;
};

static void add_name(struct names *names, const char *name)
{
    size_t size = strlen(name) + 1;
    size_t room = names->room == 0 ? NAMES_ROOM_FIRST : names->room;

    while (room - names->out.len < size)
        room *= 2;
    if (room != names->room)
        names->out.names = mem_resize(names->out.names, room, 1);
    names->room = room;
    memcpy(names->out.names + names->out.len, name, size);
    names->out.len += size;
    names->out.count++;
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static enum err read_names(DIR *stream, size_t count_max, struct names *names)
{
    for (;;) {
        errno = 0;
        /* Safe: each call of list() has a stream of its own. */
        const struct dirent *entry =
            readdir(stream); /* NOLINT(concurrency-mt-unsafe) */
        if (entry == NULL)
            return errno == 0 ? OK : err_of_errno(errno);
        if (is_dot(entry->d_name))
            continue;
        if (names->out.count == count_max)
            return E_LIMIT;
        add_name(names, entry->d_name);
    }
}

static enum err disk_list(struct disk *d, struct disk_file *dir,
                          size_t count_max, struct disk_names *ret_names)
{
    struct names names = {.room = 0};

    (void)d; /* the system is one */
    /* A description of its own, so that two lists don't share a position. */
    int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno(errno);
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        enum err err = err_of_errno(errno);
        (void)close(fd); /* was only read */
        return err;
    }
    enum err err = read_names(stream, count_max, &names);
    (void)closedir(stream); /* was only read */
    if (err != OK) {
        mem_free(names.out.names);
        return err;
    }
    *ret_names = names.out;
    return OK;
}

static enum err disk_sync_dir(struct disk *d, struct disk_file *dir)
{
    (void)d; /* the system is one */
    return result(fsync(dir->fd));
}

static enum err disk_space(struct disk *d, struct disk_file *f,
                           struct disk_space *ret_space)
{
    struct statvfs st;

    (void)d; /* the system is one */
    if (fstatvfs(f->fd, &st) != 0)
        return err_of_errno(errno);
    *ret_space = (struct disk_space){
        .free_bytes = (uint64_t)st.f_bavail * st.f_frsize,
        .total_bytes = (uint64_t)st.f_blocks * st.f_frsize,
    };
    return OK;
}

void os_disk_init(struct disk *d)
{
    *d = (struct disk){
        .open = disk_open,
        .close = disk_close,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .flush = disk_flush,
        .truncate = disk_truncate,
        .stat_file = disk_stat_file,
        .stat = disk_stat,
        .readlink = disk_readlink,
        .symlink = disk_symlink,
        .mkdir = disk_mkdir,
        .rename = disk_rename,
        .unlink = disk_unlink,
        .list = disk_list,
        .sync_dir = disk_sync_dir,
        .space = disk_space,
    };
}
