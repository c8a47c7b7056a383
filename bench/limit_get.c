/*
 * The least that moving a file to another process has to do: read it, seal it
 * in frames with ChaCha20-Poly1305, send them over TCP on loopback; receive,
 * open, compare the SHA-256 of each chunk with the one known before, write.
 *
 * Either end is one thread; with `hasher` the receiver has a second one for
 * the hashes.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common.h"

enum {
    TAG_BYTES = 16,
    NONCE_BYTES = 12,
    KEY_BYTES = 32,
    HEAD_BYTES = 2,
    FRAME_MAX = 65535,
    FRAME_DATA_MAX = FRAME_MAX - TAG_BYTES,
    READ_BYTES = 512 * 1024,
    RING_CHUNKS = 16,
    MODE_FILE = 0600,
};

struct work {
    size_t chunk;
    size_t count;
    uint8_t (*digests)[DIGEST_BYTES];
    EVP_MD *md;
    uint8_t key[KEY_BYTES];
};

/* One direction of the encrypted stream. */
struct stream {
    int fd;
    EVP_CIPHER_CTX *cipher;
    uint64_t frames;
    uint8_t *buf; /* receiver: bytes @at to @end are there */
    size_t at;
    size_t end;
};

static void write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n <= 0)
            die("write");
        p += n;
        len -= (size_t)n;
    }
}

static void next_nonce(struct stream *s, uint8_t nonce[static NONCE_BYTES])
{
    memset(nonce, 0, NONCE_BYTES);
    memcpy(nonce + 4, &s->frames, sizeof(s->frames));
    s->frames++;
}

/* Sending. */

/* Return: bytes of the frame at @dst. */
static size_t seal(struct stream *s, uint8_t *dst, const uint8_t *p, size_t len)
{
    uint8_t nonce[NONCE_BYTES];
    size_t sealed = len + TAG_BYTES;
    int n;

    dst[0] = (uint8_t)(sealed >> 8);
    dst[1] = (uint8_t)sealed;
    next_nonce(s, nonce);
    if (EVP_EncryptInit_ex(s->cipher, NULL, NULL, NULL, nonce) != 1 ||
        EVP_EncryptUpdate(s->cipher, dst + HEAD_BYTES, &n, p, (int)len) != 1 ||
        EVP_EncryptFinal_ex(s->cipher, dst + HEAD_BYTES + n, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES,
                            dst + HEAD_BYTES + len) != 1)
        die("seal");
    return HEAD_BYTES + sealed;
}

static void send_file(const struct work *w, int in, int fd)
{
    enum { OVERHEAD = HEAD_BYTES + TAG_BYTES };
    size_t frames = w->chunk / FRAME_DATA_MAX + 1;
    uint8_t *clear = alloc_pages(w->chunk);
    uint8_t *sealed = alloc_pages(w->chunk + frames * OVERHEAD);
    struct stream s = {.fd = fd, .cipher = EVP_CIPHER_CTX_new()};
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);

    if (EVP_EncryptInit_ex(s.cipher, cipher, NULL, w->key, NULL) != 1)
        die("cipher");
    for (size_t i = 0; i < w->count; i++) {
        if (pread(in, clear, w->chunk, (off_t)(i * w->chunk)) !=
            (ssize_t)w->chunk)
            die("read");
        size_t len = 0;
        for (size_t at = 0; at < w->chunk; at += FRAME_DATA_MAX) {
            size_t left = w->chunk - at;
            len += seal(&s, sealed + len, clear + at,
                        left < FRAME_DATA_MAX ? left : FRAME_DATA_MAX);
        }
        write_all(fd, sealed, len);
    }
    free(clear);
    free(sealed);
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(s.cipher);
}

/* Receiving. */

static size_t frame_len(const struct stream *s)
{
    return (size_t)s->buf[s->at] << 8 | s->buf[s->at + 1];
}

static void receive_frame(struct stream *s)
{
    while (s->end - s->at < HEAD_BYTES ||
           s->end - s->at < HEAD_BYTES + frame_len(s)) {
        memmove(s->buf, s->buf + s->at, s->end - s->at);
        s->end -= s->at;
        s->at = 0;
        ssize_t n = read(s->fd, s->buf + s->end, READ_BYTES - s->end);
        if (n <= 0)
            die("receive");
        s->end += (size_t)n;
    }
}

/* Return: bytes at @dst. */
static size_t open_frame(struct stream *s, uint8_t *dst)
{
    uint8_t nonce[NONCE_BYTES];
    int n;

    receive_frame(s);
    size_t sealed = frame_len(s);
    size_t len = sealed - TAG_BYTES;
    uint8_t *p = s->buf + s->at + HEAD_BYTES;
    next_nonce(s, nonce);
    if (EVP_DecryptInit_ex(s->cipher, NULL, NULL, NULL, nonce) != 1 ||
        EVP_DecryptUpdate(s->cipher, dst, &n, p, (int)len) != 1 ||
        EVP_CIPHER_CTX_ctrl(s->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES,
                            p + len) != 1 ||
        EVP_DecryptFinal_ex(s->cipher, dst + n, &n) != 1)
        die("open");
    s->at += HEAD_BYTES + sealed;
    return len;
}

static void check_chunk(const struct work *w, EVP_MD_CTX *ctx, size_t i,
                        const uint8_t *p)
{
    uint8_t digest[DIGEST_BYTES];

    sha256_of(ctx, w->md, p, w->chunk, digest);
    if (memcmp(digest, w->digests[i], DIGEST_BYTES) != 0)
        die("a hash differs");
}

/* Chunks between the receiving thread and the hashing one. */
struct ring {
    const struct work *w;
    uint8_t *chunks;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t ready;
    size_t hashed;
};

static uint8_t *ring_at(const struct ring *r, size_t i)
{
    return r->chunks + i % RING_CHUNKS * r->w->chunk;
}

static void *hash_all(void *arg)
{
    struct ring *r = arg;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    for (size_t i = 0; i < r->w->count; i++) {
        (void)pthread_mutex_lock(&r->mutex);
        while (r->ready <= i)
            (void)pthread_cond_wait(&r->changed, &r->mutex);
        (void)pthread_mutex_unlock(&r->mutex);
        check_chunk(r->w, ctx, i, ring_at(r, i));
        (void)pthread_mutex_lock(&r->mutex);
        r->hashed = i + 1;
        (void)pthread_cond_signal(&r->changed);
        (void)pthread_mutex_unlock(&r->mutex);
    }
    EVP_MD_CTX_free(ctx);
    return NULL;
}

static void await_room(struct ring *r, size_t i)
{
    (void)pthread_mutex_lock(&r->mutex);
    while (i >= r->hashed + RING_CHUNKS)
        (void)pthread_cond_wait(&r->changed, &r->mutex);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void tell_ready(struct ring *r, size_t i)
{
    (void)pthread_mutex_lock(&r->mutex);
    r->ready = i + 1;
    (void)pthread_cond_signal(&r->changed);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void receive_file(const struct work *w, int fd, int out, bool hasher)
{
    struct ring r = {.w = w,
                     .chunks = alloc_pages(RING_CHUNKS * w->chunk),
                     .mutex = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER};
    struct stream s = {.fd = fd,
                       .cipher = EVP_CIPHER_CTX_new(),
                       .buf = alloc_pages(READ_BYTES)};
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    pthread_t thread;

    if (EVP_DecryptInit_ex(s.cipher, cipher, NULL, w->key, NULL) != 1)
        die("cipher");
    if (hasher && pthread_create(&thread, NULL, hash_all, &r) != 0)
        die("pthread_create");
    for (size_t i = 0; i < w->count; i++) {
        uint8_t *chunk = ring_at(&r, hasher ? i : 0);
        if (hasher)
            await_room(&r, i);
        for (size_t len = 0; len < w->chunk;)
            len += open_frame(&s, chunk + len);
        if (hasher)
            tell_ready(&r, i);
        else
            check_chunk(w, ctx, i, chunk);
        write_all(out, chunk, w->chunk);
    }
    if (hasher)
        (void)pthread_join(thread, NULL);
}

/* Both ends. */

static void prepare(struct work *w, int in)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t *chunk = alloc_pages(w->chunk);
    off_t size = lseek(in, 0, SEEK_END);

    w->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    w->count = (size_t)size / w->chunk;
    w->digests = calloc(w->count, DIGEST_BYTES);
    if (size <= 0 || w->count == 0 || w->digests == NULL)
        die("no chunks");
    for (size_t i = 0; i < w->count; i++) {
        if (pread(in, chunk, w->chunk, (off_t)(i * w->chunk)) !=
            (ssize_t)w->chunk)
            die("read");
        sha256_of(ctx, w->md, chunk, w->chunk, w->digests[i]);
    }
    free(chunk);
    EVP_MD_CTX_free(ctx);
}

static int listen_on(struct sockaddr_in *ret_at)
{
    socklen_t len = sizeof(*ret_at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret_at = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_at, len) != 0 ||
        listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)ret_at, &len) != 0)
        die("listen");
    return fd;
}

static void no_delay(int fd)
{
    int one = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

_Noreturn static void be_receiver(const struct work *w, int listener,
                                  const char *path, bool hasher)
{
    int out = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, MODE_FILE);
    int fd = accept(listener, NULL, NULL);

    if (out < 0 || fd < 0)
        die(path);
    no_delay(fd);
    receive_file(w, fd, out, hasher);
    write_all(fd, (const uint8_t *)"k", 1);
    _exit(0);
}

int main(int argc, char **argv)
{
    struct work w = {.key = {1, 2, 3}};
    struct sockaddr_in at;
    int status;
    char answer;

    if (argc != 5)
        usage("limit_get FILE OUT CHUNK_BYTES alone|hasher");
    int in = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (in < 0)
        die(argv[1]);
    w.chunk = parse_size(argv[3]);
    prepare(&w, in);
    int listener = listen_on(&at);
    pid_t child = fork();
    if (child == 0)
        be_receiver(&w, listener, argv[2], strcmp(argv[4], "hasher") == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        die("connect");
    no_delay(fd);

    double begin = now_s();
    double cpu = cpu_s(RUSAGE_SELF);
    send_file(&w, in, fd);
    if (read(fd, &answer, 1) != 1)
        die("no answer");
    double seconds = now_s() - begin;
    if (waitpid(child, &status, 0) != child || status != 0)
        die("receiver");
    cpu = cpu_s(RUSAGE_SELF) - cpu + cpu_s(RUSAGE_CHILDREN);
    (void)printf("{\"bytes\": %llu, \"seconds\": %.6f, \"cpu\": %.6f}\n",
                 (unsigned long long)w.count * w.chunk, seconds, cpu);
    return 0;
}
