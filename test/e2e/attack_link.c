/* A TCP connection to the daemon, and Noise on it. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"
#include "base/mem.h"
#include "base/wr.h"
#include "crypto/hkdf.h"
#include "crypto/sha256.h"
#include "crypto/x25519.h"

enum {
    READ_BYTES = 256 * 1024,
    HEADER_BYTES = 20,
    NOISE_TOKEN_BYTES = 8,
    CALLERS_BACKLOG = 100,
};

uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void sleep_ms(uint32_t ms)
{
    (void)poll(NULL, 0, (int)ms);
}

void random_fill(uint8_t *dst, size_t len)
{
    while (len > 0) {
        ssize_t got = getrandom(dst, len, 0);
        assert(got > 0);
        dst += got;
        len -= (size_t)got;
    }
}

uint32_t random_u32(void)
{
    uint32_t n;
    random_fill((uint8_t *)&n, sizeof(n));
    return n;
}

struct privkey made_up_key(void)
{
    uint8_t seed[32];
    struct privkey key;

    random_fill(seed, sizeof(seed));
    privkey_init_seed(&key, seed);
    return key;
}

void note(struct run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    /* The analyzer does not see that it is initialized. NOLINTNEXTLINE */
    (void)vsnprintf(r->note, sizeof(r->note), format, args);
    va_end(args);
}

uint32_t must_drop_ms(const struct run *r)
{
    return r->attack->within_ms > 0 ? r->attack->within_ms : 2000;
}

/* Beginnings and ends. */

static struct link *link_new(struct run *r)
{
    struct link *l = mem_zalloc(1, sizeof(*l));
    uint8_t seed[32];

    l->run = r;
    l->fd = -1;
    random_fill(seed, sizeof(seed));
    privkey_init_seed(&l->key, seed);
    random_fill(seed, sizeof(seed));
    noise_keypair_init(&l->keys, seed);
    l->id_next = 1;
    return l;
}

static void mark_closed(struct link *l)
{
    if (l->closed)
        return;
    l->closed = true;
    if (l->run->dropped_ms == 0)
        l->run->dropped_ms = now_ms();
}

static void set_socket(int fd)
{
    int one = 1;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool await_connect(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int err = 0;
    socklen_t len = sizeof(err);

    if (poll(&p, 1, PATIENCE_MS) != 1)
        return false;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    return err == 0;
}

struct link *link_open(struct run *r)
{
    struct link *l = link_new(r);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->port)};
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(r->from)};

    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(l->fd >= 0);
    set_socket(l->fd);
    (void)inet_pton(AF_INET, r->host, &to.sin_addr);
    if (r->from != 0)
        (void)bind(l->fd, (struct sockaddr *)&from, sizeof(from));
    int code = connect(l->fd, (struct sockaddr *)&to, sizeof(to));
    if ((code != 0 && errno != EINPROGRESS) || !await_connect(l->fd))
        mark_closed(l);
    return l;
}

static void print_where(struct link *l, int fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    struct peer_id id = privkey_peer_id(&l->key);
    char text[PEER_ID_TEXT_MAX];

    struct ma_ip ip = {.len = 4, .bytes = {127, 0, 0, 1}};

    (void)getsockname(fd, (struct sockaddr *)&at, &len);
    (void)peer_id_format(&id, text);
    l->where = multiaddr_from_ip_port(&ip, MA_TCP, ntohs(at.sin_port));
    printf("connect /ip4/127.0.0.1/tcp/%u/p2p/%s\n", ntohs(at.sin_port), text);
    (void)fflush(stdout);
}

struct link *link_accept(struct run *r)
{
    struct link *l = link_new(r);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert(fd >= 0);
    l->listens = true;
    l->id_next = 2;
    (void)bind(fd, (struct sockaddr *)&at, sizeof(at));
    (void)listen(fd, 4);
    print_where(l, fd);
    if (poll(&p, 1, 2 * PATIENCE_MS) == 1)
        l->fd = accept(fd, NULL, NULL);
    (void)close(fd);
    if (l->fd < 0)
        l->closed = true;
    else
        set_socket(l->fd);
    r->begin_ms = now_ms();
    return l;
}

void link_free(struct link *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0)
        (void)close(l->fd);
    session_release(l);
    privkey_release(&l->key);
    noise_cipher_release(&l->send);
    noise_cipher_release(&l->recv);
    mem_free(l->out);
    mem_free(l->in);
    mem_free(l->plain);
    mem_free(l);
}

void link_abort(struct link *l)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (l->fd >= 0)
        (void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    link_free(l);
}

void link_half_close(struct link *l)
{
    (void)shutdown(l->fd, SHUT_WR);
}

/* Bytes. */

static void append(uint8_t **p, size_t *len, size_t *room, const void *more,
                   size_t count)
{
    if (*room - *len < count) {
        *room = (*len + count) * 2;
        *p = mem_resize(*p, *room, 1);
    }
    if (count > 0)
        memcpy(*p + *len, more, count);
    *len += count;
}

static void read_some(struct link *l)
{
    static uint8_t room[READ_BYTES];
    ssize_t got = recv(l->fd, room, sizeof(room), 0);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        mark_closed(l);
    if (got > 0)
        append(&l->in, &l->in_len, &l->in_room, room, (size_t)got);
}

static void send_some(struct link *l)
{
    ssize_t put =
        send(l->fd, l->out + l->out_at, l->out_len - l->out_at, MSG_NOSIGNAL);

    if (put < 0 && errno != EAGAIN && errno != EINTR)
        mark_closed(l);
    if (put > 0) {
        l->out_at += (size_t)put;
        l->sent += (size_t)put;
    }
    if (l->out_at == l->out_len)
        l->out_at = l->out_len = 0;
}

/* Decrypt what is complete. */
static void open_frames(struct link *l)
{
    size_t at = 0;

    while (l->in_len - at >= 2) {
        size_t size = (size_t)l->in[at] * 256 + l->in[at + 1];
        size_t len;
        if (l->in_len - at - 2 < size)
            break;
        enum err err = noise_open(&l->recv, l->in + at + 2, size, &len);
        if (err != OK) {
            (void)fprintf(stderr, "attack: the daemon's frame does not open\n");
            mark_closed(l);
            return;
        }
        append(&l->plain, &l->plain_len, &l->plain_room, l->in + at + 2, len);
        at += 2 + size;
    }
    link_skip(l, at);
}

void link_pump(struct link *l, uint32_t ms)
{
    struct pollfd p = {.fd = l->fd, .events = POLLRDHUP};

    if (l->closed)
        return;
    if (l->out_len > 0)
        p.events |= POLLOUT;
    if (l->deaf)
        p.events &= ~POLLRDHUP;
    else
        p.events |= POLLIN;
    if (poll(&p, 1, (int)ms) < 1)
        return;
    if ((p.revents & (POLLERR | POLLNVAL)) != 0)
        mark_closed(l);
    if ((p.revents & POLLOUT) != 0)
        send_some(l);
    if (!l->deaf && (p.revents & (POLLIN | POLLHUP | POLLRDHUP)) != 0)
        read_some(l);
    else if ((p.revents & POLLHUP) != 0)
        mark_closed(l);
    if (l->secure) {
        open_frames(l);
        session_input(l);
    }
}

static bool flush(struct link *l)
{
    uint64_t end = now_ms() + PATIENCE_MS;

    while (!l->closed && l->out_len > 0 && now_ms() < end)
        link_pump(l, 50);
    return !l->closed && l->out_len == 0;
}

bool link_raw(struct link *l, const void *p, size_t len)
{
    if (l->closed)
        return false;
    append(&l->out, &l->out_len, &l->out_room, p, len);
    return flush(l);
}

bool link_text(struct link *l, const char *text)
{
    uint8_t token[2048];
    struct wr w = wr_init(token, sizeof(token));

    wr_uvarint(&w, strlen(text) + 1);
    wr_bytes(&w, bytes_str(text));
    wr_u8(&w, '\n');
    return link_raw(l, token, wr_len(&w));
}

bool link_plain(struct link *l, const void *p, size_t len)
{
    static uint8_t frame[NOISE_FRAME_MAX];
    const uint8_t *from = p;

    if (l->closed)
        return false;
    while (len > 0) {
        size_t part = len < NOISE_PLAIN_MAX ? len : NOISE_PLAIN_MAX;
        struct bytes piece = {.p = from, .len = part};
        size_t size = noise_seal(&l->send, &piece, 1, frame);
        append(&l->out, &l->out_len, &l->out_room, frame, size);
        from += part;
        len -= part;
    }
    return flush(l);
}

bool link_wait_bytes(struct link *l, size_t len, uint32_t ms)
{
    uint64_t end = now_ms() + ms;

    while (!l->closed && l->in_len < len && now_ms() < end)
        link_pump(l, 20);
    return l->in_len >= len;
}

void link_skip(struct link *l, size_t len)
{
    memmove(l->in, l->in + len, l->in_len - len);
    l->in_len -= len;
}

bool link_wait_drop(struct link *l, uint32_t ms)
{
    uint64_t end = now_ms() + ms;

    while (!l->closed && now_ms() < end)
        link_pump(l, 20);
    return l->closed;
}

/* Noise. */

bool link_agree(struct link *l)
{
    static const char both[] = "\x13/multistream/1.0.0\n\x07/noise\n";
    size_t len = sizeof(both) - 1;

    if (l->listens) {
        if (!link_wait_bytes(l, len, PATIENCE_MS))
            return false;
        link_skip(l, len);
        return link_raw(l, both, len);
    }
    if (!link_raw(l, both, len) || !link_wait_bytes(l, len, PATIENCE_MS))
        return false;
    bool same = memcmp(l->in, both, len) == 0;
    link_skip(l, len);
    return same;
}

static bool wait_frame(struct link *l, size_t *ret_len)
{
    if (!link_wait_bytes(l, 2, PATIENCE_MS))
        return false;
    *ret_len = (size_t)l->in[0] * 256 + l->in[1];
    return link_wait_bytes(l, 2 + *ret_len, PATIENCE_MS);
}

static void begin_noise(struct link *l)
{
    uint8_t seed[32];
    random_fill(seed, sizeof(seed));
    noise_hs_init(&l->hs, !l->listens, &l->keys, seed);
}

bool link_read_message2(struct link *l)
{
    uint8_t room[64];
    struct wr w = wr_init(room, sizeof(room));
    struct bytes payload;
    size_t len;

    begin_noise(l);
    enum err err = noise_hs_write(&l->hs, BYTES_EMPTY, &w);
    if (err != OK || !link_raw(l, room, wr_len(&w)) || !wait_frame(l, &len))
        return false;
    err = noise_hs_read(&l->hs, l->in + 2, len, &payload);
    if (err == OK)
        err = noise_payload_read(payload, l->hs.remote_s, &l->peer);
    link_skip(l, 2 + len);
    return err == OK;
}

size_t link_payload(struct link *l, uint8_t *dst, size_t max)
{
    struct wr w = wr_init(dst, max);
    noise_payload_write(&l->key, &l->keys, &w);
    return wr_len(&w);
}

/* EncryptAndHash of Noise, for any length. */
static size_t seal_and_hash(struct noise_hs *hs, struct bytes plain,
                            uint8_t *dst)
{
    uint8_t nonce[AEAD_NONCE_BYTES] = {0};
    struct sha256 state;
    struct aead a;

    nonce[4] = (uint8_t)hs->nonce++;
    aead_init(&a, hs->key);
    size_t len = aead_seal(
        &a, nonce, (struct bytes){.p = hs->hash, .len = NOISE_HASH_BYTES},
        &plain, 1, dst);
    aead_release(&a);
    sha256_init(&state);
    sha256_update(&state,
                  (struct bytes){.p = hs->hash, .len = NOISE_HASH_BYTES});
    sha256_update(&state, (struct bytes){.p = dst, .len = len});
    sha256_final(&state, hs->hash);
    return len;
}

size_t link_message3(struct link *l, const uint8_t *static_key,
                     struct bytes payload, uint8_t *dst, size_t max)
{
    struct noise_hs *hs = &l->hs;
    uint8_t shared[X25519_BYTES];
    size_t len = 2;

    assert(max >= payload.len + 98);
    len += seal_and_hash(hs, (struct bytes){.p = static_key, .len = 32},
                         dst + len);
    enum err err = x25519_shared(l->keys.secret, hs->remote_e, shared);
    assert(err == OK);
    hkdf_noise(hs->chaining_key,
               (struct bytes){.p = shared, .len = sizeof(shared)},
               hs->chaining_key, hs->key);
    hs->nonce = 0;
    len += seal_and_hash(hs, payload, dst + len);
    dst[0] = (uint8_t)((len - 2) >> 8);
    dst[1] = (uint8_t)(len - 2);
    hs->messages = 3;
    return len;
}

void link_split(struct link *l)
{
    noise_hs_split(&l->hs, &l->send, &l->recv);
    l->secure = true;
    session_begin(l);
}

bool link_secure_by(struct link *l, struct bytes payload)
{
    static uint8_t frame[NOISE_FRAME_MAX];

    if (!link_agree(l) || !link_read_message2(l))
        return false;
    size_t len =
        link_message3(l, l->keys.public_key, payload, frame, sizeof(frame));
    if (!link_raw(l, frame, len))
        return false;
    link_split(l);
    return true;
}

static bool answer_noise(struct link *l)
{
    uint8_t payload[1024];
    uint8_t room[2048];
    struct wr w = wr_init(room, sizeof(room));
    struct bytes theirs;
    size_t len;

    if (!link_agree(l) || !wait_frame(l, &len))
        return false;
    begin_noise(l);
    if (noise_hs_read(&l->hs, l->in + 2, len, &theirs) != OK)
        return false;
    link_skip(l, 2 + len);
    struct bytes ours = {.p = payload,
                         .len = link_payload(l, payload, sizeof(payload))};
    if (noise_hs_write(&l->hs, ours, &w) != OK ||
        !link_raw(l, room, wr_len(&w)) || !wait_frame(l, &len) ||
        noise_hs_read(&l->hs, l->in + 2, len, &theirs) != OK)
        return false;
    link_skip(l, 2 + len);
    link_split(l);
    return true;
}

bool link_secure(struct link *l)
{
    uint8_t payload[1024];

    if (l->listens)
        return answer_noise(l);
    size_t len = link_payload(l, payload, sizeof(payload));
    return link_secure_by(l, (struct bytes){.p = payload, .len = len});
}

struct link *link_session(struct run *r)
{
    struct link *l = link_open(r);

    if (!l->closed && !link_secure(l))
        mark_closed(l);
    if (!l->closed)
        (void)link_alive(l, PATIENCE_MS);
    return l;
}

struct link *link_member(struct run *r)
{
    struct link *l = link_open(r);
    struct ma_ip ip = {.len = 4};

    l->member = true;
    ip.bytes[0] = 127;
    ip.bytes[3] = 1;
    l->where = multiaddr_from_ip_port(&ip, MA_TCP, 1); /* nobody is there */
    if (!l->closed && !link_secure(l))
        mark_closed(l);
    if (!l->closed)
        (void)link_alive(l, PATIENCE_MS);
    return l;
}

/* Ends. */

enum verdict ends(struct link *l, uint32_t ms)
{
    bool want_drop = (l->run->attack->must & DROPPED) != 0;

    if (l->closed)
        return DROPPED;
    if (want_drop && link_wait_drop(l, ms))
        return DROPPED;
    l->deaf = false;
    if (!l->secure)
        return HUNG;
    if (link_alive(l, PATIENCE_MS))
        return TOLERATED;
    return l->closed ? DROPPED : HUNG;
}

enum verdict ends_free(struct link *l, uint32_t ms)
{
    enum verdict v = ends(l, ms);
    link_free(l);
    return v;
}

/* Who comes to an address that we name. */

int callers_listen(struct multiaddr *ret_where)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    struct ma_ip ip = {.len = 4, .bytes = {127, 0, 0, 1}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = bind(fd, (struct sockaddr *)&at, sizeof(at));

    assert(failed == 0);
    failed = listen(fd, CALLERS_BACKLOG);
    assert(failed == 0);
    failed = getsockname(fd, (struct sockaddr *)&at, &len);
    assert(failed == 0);
    *ret_where = multiaddr_from_ip_port(&ip, MA_TCP, ntohs(at.sin_port));
    return fd;
}

unsigned callers_count(int listener)
{
    unsigned count = 0;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    while (fd >= 0) {
        count++;
        (void)close(fd);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    return count;
}
