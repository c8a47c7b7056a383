/*
 * The least that adding a file has to do, in one thread: read it, SHA-256 of
 * each chunk, append the chunks to one file, their places into LMDB, sync both
 * at the end.
 */
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

#include "common.h"

enum {
    KEY_BYTES = 4 + DIGEST_BYTES,
    PATH_MAX_BYTES = 4200,
    MODE_FILE = 0600,
    MODE_DIR = 0700,
};

static const uint8_t key_head[4] = {0x01, 0x55, 0x12, 0x20};

struct adding {
    int in;
    int out;
    size_t chunk;
    uint8_t *buf;
    EVP_MD *md;
    EVP_MD_CTX *ctx;
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
};

static void check_db(int failed)
{
    if (failed != 0)
        die_of("lmdb", mdb_strerror(failed));
}

static int open_in(const char *dir, const char *name, int flags)
{
    char path[PATH_MAX_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, flags | O_CLOEXEC, MODE_FILE);
    if (fd < 0)
        die(path);
    return fd;
}

static void open_db(struct adding *a, const char *dir)
{
    enum { MAP_BYTES = 1 << 30 };
    char path[PATH_MAX_BYTES];

    (void)snprintf(path, sizeof(path), "%s/index", dir);
    if (mkdir(path, MODE_DIR) != 0)
        die(path);
    check_db(mdb_env_create(&a->env));
    check_db(mdb_env_set_mapsize(a->env, MAP_BYTES));
    check_db(mdb_env_open(a->env, path, MDB_NOSYNC, MODE_FILE));
    check_db(mdb_txn_begin(a->env, NULL, 0, &a->txn));
    check_db(mdb_dbi_open(a->txn, NULL, 0, &a->dbi));
}

static void add_chunk(struct adding *a, uint64_t offset, size_t len)
{
    uint8_t key[KEY_BYTES];
    uint64_t place[2] = {offset, len};
    MDB_val k = {sizeof(key), key};
    MDB_val v = {sizeof(place), place};

    memcpy(key, key_head, sizeof(key_head));
    sha256_of(a->ctx, a->md, a->buf, len, key + sizeof(key_head));
    if (pwrite(a->out, a->buf, len, (off_t)offset) != (ssize_t)len)
        die("write");
    check_db(mdb_put(a->txn, a->dbi, &k, &v, 0));
}

static uint64_t add_all(struct adding *a)
{
    uint64_t offset = 0;

    for (;;) {
        ssize_t n = pread(a->in, a->buf, a->chunk, (off_t)offset);
        if (n < 0)
            die("read");
        if (n == 0)
            return offset;
        add_chunk(a, offset, (size_t)n);
        offset += (uint64_t)n;
    }
}

int main(int argc, char **argv)
{
    struct adding a = {.ctx = EVP_MD_CTX_new()};

    if (argc != 4)
        usage("limit_add FILE EMPTY_DIR CHUNK_BYTES");
    a.chunk = parse_size(argv[3]);
    a.buf = alloc_pages(a.chunk);
    a.md = EVP_MD_fetch(NULL, "SHA256", NULL);
    a.in = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (a.in < 0)
        die(argv[1]);
    a.out = open_in(argv[2], "segment", O_CREAT | O_EXCL | O_WRONLY);
    open_db(&a, argv[2]);

    double begin = now_s();
    double cpu = cpu_s(RUSAGE_SELF);
    uint64_t bytes = add_all(&a);
    check_db(mdb_txn_commit(a.txn));
    if (fdatasync(a.out) != 0)
        die("fdatasync");
    check_db(mdb_env_sync(a.env, 1));
    (void)printf("{\"bytes\": %llu, \"seconds\": %.6f, \"cpu\": %.6f}\n",
                 (unsigned long long)bytes, now_s() - begin,
                 cpu_s(RUSAGE_SELF) - cpu);
    mdb_env_close(a.env);
    return 0;
}
