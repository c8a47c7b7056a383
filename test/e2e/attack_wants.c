/* Attacks by answers to what the daemon wants, and by wants of what it has. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/wr.h"
#include "multiformats/pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    MIB = 1 << 20,
    BLOCK_MAX = 2 << 20,
    HOLD_MS = 25000,
};

/* How wants are answered. */
enum answer {
    NO_ANSWER,
    DONT_HAVES,
    HAVE_THEN_NOTHING,
    WRONG_BLOCKS,
    WRONG_PREFIXES,
    EMPTY_BLOCKS,
    HAVE_AND_DONT_HAVE,
    HALF_A_MESSAGE,
    SLOW_BYTES,
    ENDLESS_HAVES,
    STREAMS_RESET,
    LONG_BLOCKS,
    BAD_MESSAGES,
};

struct wanted {
    enum answer how;
    struct wants wants;
    uint64_t said;
    struct channel *out;
};

void wants_init(struct wants *w)
{
    memset(w, 0, sizeof(*w));
    bs_frame_reader_init(&w->reader);
}

void wants_release(struct wants *w)
{
    bs_frame_reader_release(&w->reader);
}

static void note_wants(struct wants *w, struct bytes in)
{
    struct bs_message m;
    struct bs_item item;

    if (bs_message_decode(in, &m) != OK)
        return;
    struct bs_cursor cursor = bs_cursor_init(&m);
    while (bs_cursor_next(&cursor, &item)) {
        if (item.kind != BS_ITEM_ENTRY || item.entry.cancel)
            continue;
        w->seen++;
        if (w->count < WANTS_MAX)
            w->list[w->count++] = item.entry.cid;
    }
}

void wants_take(struct wants *w, struct channel *c)
{
    struct bytes in = {.p = c->data, .len = c->len};
    struct buf *message;

    if (!c->theirs || c->protocol != SERVED_BITSWAP)
        return;
    while (bs_frame_reader_next(&w->reader, &in, &message) == OK) {
        note_wants(w, buf_bytes(message));
        buf_unref(message);
    }
    c->len = 0;
}

struct cid *wants_drain(struct wants *w, size_t *ret_count)
{
    struct cid *list = mem_dup(w->list, w->count * sizeof(*list));

    *ret_count = w->count;
    w->count = 0;
    return list;
}

static void on_data(struct link *l, struct channel *c)
{
    struct wanted *w = l->user;

    if (w != NULL)
        wants_take(&w->wants, c);
}

void presence_put(struct wr *w, const struct cid *cid, uint64_t kind)
{
    uint8_t text[120];
    uint8_t key[CID_BYTES_MAX];
    struct wr p = wr_init(text, sizeof(text));
    size_t len = cid_encode(cid, key);

    pb_put_bytes(&p, 1, (struct bytes){.p = key, .len = len});
    pb_put_uint(&p, 2, kind);
    pb_put_bytes(w, 4, (struct bytes){.p = text, .len = wr_len(&p)});
}

static void put_block(struct wr *w, struct bytes prefix, size_t len)
{
    static uint8_t data[3 * MIB];

    random_fill(data, 16);
    block_put(w, prefix, (struct bytes){.p = data, .len = len});
}

static void put_block_for(struct wr *w, const struct cid *cid, size_t len)
{
    uint8_t text[40];
    struct wr p = wr_init(text, sizeof(text));

    prefix_put(&p, cid);
    put_block(w, (struct bytes){.p = text, .len = wr_len(&p)}, len);
}

static void say(struct link *l, struct wanted *w, const struct wr *body)
{
    if (w->out == NULL || w->out->rst)
        w->out = channel_open(l, BITSWAP);
    if (w->out == NULL)
        return;
    (void)send_framed(l, w->out,
                      (struct bytes){.p = body->start, .len = wr_len(body)});
    w->said++;
}

/* The beginning of an answer that never ends. */
static void say_part(struct link *l, struct wanted *w, size_t part)
{
    static uint8_t room[MIB + 100];
    struct wr b = wr_init(room, sizeof(room));

    put_block_for(&b, &w->wants.list[0], MIB);
    w->out = channel_open(l, BITSWAP);
    if (w->out == NULL)
        return;
    (void)channel_send(l, w->out, "\x80\x80\x40", 3);
    (void)channel_send(l, w->out, room, part);
}

static void answer_one(struct link *l, struct wanted *w, const struct cid *cid)
{
    static uint8_t room[4 * MIB];
    struct wr b = wr_init(room, sizeof(room));

    switch (w->how) {
    case NO_ANSWER:
    case HALF_A_MESSAGE:
    case SLOW_BYTES:
        return;
    case DONT_HAVES:
        presence_put(&b, cid, 1);
        break;
    case HAVE_THEN_NOTHING:
        presence_put(&b, cid, 0);
        break;
    case ENDLESS_HAVES:
        for (int i = 0; i < 1000; i++)
            presence_put(&b, cid, 0);
        break;
    case HAVE_AND_DONT_HAVE:
        presence_put(&b, cid, 0);
        presence_put(&b, cid, 1);
        presence_put(&b, cid, 0);
        break;
    case WRONG_BLOCKS:
        for (int i = 0; i < 40; i++)
            put_block_for(&b, cid, 1000);
        break;
    case LONG_BLOCKS:
        put_block_for(&b, cid, BLOCK_MAX);
        break;
    case WRONG_PREFIXES:
        put_block(&b, BYTES_LIT("\x01\x71\x12\x20"), 1000);
        put_block(&b, BYTES_LIT("\x01\x55\x13\x40"), 1000);
        break;
    case EMPTY_BLOCKS:
        put_block_for(&b, cid, 0);
        break;
    case BAD_MESSAGES:
        wr_bytes(&b, BYTES_LIT("\x1a\x00"));
        break;
    case STREAMS_RESET:
        presence_put(&b, cid, 0);
        say(l, w, &b);
        if (w->out != NULL) {
            channel_reset(l, w->out);
            w->out = NULL;
        }
        return;
    }
    say(l, w, &b);
}

static void answer_all(struct link *l, struct wanted *w)
{
    size_t count;

    if (w->said == 0 && w->how == HALF_A_MESSAGE) {
        say_part(l, w, 100000);
        w->said = 1;
    } else if (w->said == 0 && w->how == SLOW_BYTES) {
        say_part(l, w, 1000);
        w->said = 1;
    }
    struct cid *list = wants_drain(&w->wants, &count);
    for (size_t i = 0; i < count && !l->closed; i++)
        answer_one(l, w, &list[i]);
    mem_free(list);
}

bool told_to_end(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Connect, say "get", answer what the daemon wants until told to end. */
static enum verdict asked(struct run *r, int how)
{
    struct link *l = link_open(r);
    struct wanted *w = mem_zalloc(1, sizeof(*w));
    uint64_t end;

    w->how = (enum answer)how;
    wants_init(&w->wants);
    l->user = w;
    l->on_data = on_data;
    (void)link_secure(l);
    end = now_ms() + 300;
    while (!l->closed && now_ms() < end)
        link_pump(l, 20);
    printf("get\n");
    (void)fflush(stdout);
    end = now_ms() + HOLD_MS;
    while (!l->closed && now_ms() < end && !told_to_end()) {
        link_pump(l, 50);
        if (w->wants.count > 0)
            answer_all(l, w);
        else if (how == SLOW_BYTES && w->out != NULL)
            (void)channel_send(l, w->out, "", 1);
    }
    note(r, "%llu wants seen, %llu answers", (unsigned long long)w->wants.seen,
         (unsigned long long)w->said);
    bool seen = w->wants.seen > 0;
    r->begin_ms = r->dropped_ms != 0 ? r->dropped_ms : r->begin_ms;
    enum verdict v = ends_free(l, 500);
    wants_release(&w->wants);
    mem_free(w);
    return seen ? v : BROKEN;
}

/* Wants of what the daemon has. */

static size_t wants_of(const struct run *r, unsigned have, uint8_t *dst,
                       size_t max)
{
    struct bs_entry *e = mem_zalloc(r->cids_count + 1, sizeof(*e));

    for (size_t i = 0; i < r->cids_count; i++)
        e[i] = (struct bs_entry){
            .cid = r->cids[i], .want_have = have != 0, .send_dont_have = true};
    size_t len = wants_put(e, r->cids_count, false, dst, max);
    mem_free(e);
    return len;
}

static uint64_t answered(const struct link *l)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < CHANNELS_MAX; i++) {
        if (l->channels[i].theirs)
            sum += l->channels[i].total;
    }
    return sum;
}

/* Scratch memory. */
static uint8_t *wants_room(void)
{
    static uint8_t wants_room_bytes[MIB];
    return wants_room_bytes;
}

/* All blocks, again and again, and nothing is read. */
static enum verdict wants_unread(struct run *r, int ms)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    uint64_t end =
        now_ms() + (ms > 0 ? (uint64_t)ms : 2 * (uint64_t)r->flood_ms);
    size_t len = wants_of(r, 0, wants_room(), MIB);

    if (r->cids_count == 0 || c == NULL) {
        link_free(l);
        return BROKEN;
    }
    l->deaf = true;
    while (!l->closed && now_ms() < end) {
        if (c->window >= len)
            (void)channel_send(l, c, wants_room(), len);
        link_pump(l, 20);
        sleep_ms(20);
    }
    enum verdict v = l->closed ? DROPPED : TOLERATED;
    link_free(l);
    return v;
}

/* All blocks, and no window for them. */
static enum verdict wants_no_window(struct run *r, int ms)
{
    struct link *l = link_open(r);

    l->stingy = true;
    (void)link_secure(l);
    struct channel *c = channel_open(l, BITSWAP);
    size_t len = wants_of(r, 0, wants_room(), MIB);
    if (c == NULL || r->cids_count == 0) {
        link_free(l);
        return BROKEN;
    }
    for (int i = 0; i < 10 && !l->closed; i++) {
        (void)channel_send(l, c, wants_room(), len);
        link_pump(l, 50);
    }
    uint64_t end = now_ms() + (ms > 0 ? (uint64_t)ms : r->flood_ms);
    while (!l->closed && now_ms() < end)
        link_pump(l, 50);
    note(r, "%llu KiB came", (unsigned long long)(answered(l) >> 10));
    return ends_free(l, 0);
}

/* All blocks, and the stream on which they come is reset each time. */
static enum verdict wants_reset(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    size_t len = wants_of(r, 0, wants_room(), MIB);
    uint64_t end = now_ms() + 2 * (uint64_t)r->flood_ms;
    unsigned count = 0;

    (void)unused;
    if (c == NULL || r->cids_count == 0) {
        link_free(l);
        return BROKEN;
    }
    while (!l->closed && !c->rst && now_ms() < end) {
        (void)channel_send(l, c, wants_room(), len);
        link_pump(l, 20);
        for (size_t i = 0; i < CHANNELS_MAX; i++) {
            struct channel *t = &l->channels[i];
            if (!t->theirs || t->id == 0 || t->protocol != SERVED_BITSWAP)
                continue;
            channel_reset(l, t);
            count++;
        }
    }
    note(r, "%u resets", count);
    return ends_free(l, 0);
}

/* Honest and greedy: all blocks, read at once; they must come. */
static enum verdict wants_read(struct run *r, int have)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    size_t len = wants_of(r, (unsigned)have, wants_room(), MIB);
    uint64_t end = now_ms() + PATIENCE_MS;
    uint64_t want =
        have == 1 ? 30 * r->cids_count : (uint64_t)1000 * r->cids_count;

    if (c == NULL || r->cids_count == 0) {
        link_free(l);
        return BROKEN;
    }
    (void)channel_send(l, c, wants_room(), len);
    while (!l->closed && answered(l) < want && now_ms() < end)
        link_pump(l, 20);
    note(r, "%llu KiB for %zu blocks", (unsigned long long)(answered(l) >> 10),
         r->cids_count);
    enum verdict v = answered(l) >= want ? ANSWERED : ends(l, 0);
    link_free(l);
    return v;
}

/* The same block again and again, each time it came. */
static enum verdict wants_one(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct channel *c = channel_open(l, BITSWAP);
    struct bs_entry one = {.send_dont_have = true};
    uint64_t end = now_ms() + r->flood_ms;
    unsigned count = 0;

    (void)unused;
    if (c == NULL || r->cids_count == 0) {
        link_free(l);
        return BROKEN;
    }
    one.cid = r->cids[0];
    size_t len = wants_put(&one, 1, false, wants_room(), MIB);
    while (!l->closed && !c->rst && now_ms() < end) {
        if (c->window > len)
            (void)channel_send(l, c, wants_room(), len);
        link_pump(l, 0);
        count++;
    }
    note(r, "%u asked, %llu KiB came", count,
         (unsigned long long)(answered(l) >> 10));
    return ends_free(l, 0);
}

static const struct attack rows[] = {
    {"asked_no_answer", "answers no want", TOLERATED, 0, DRIVEN, NO_ANSWER,
     asked},
    {"asked_dont_have", "DONT_HAVE to every want", TOLERATED, 0, DRIVEN,
     DONT_HAVES, asked},
    {"asked_have", "HAVE to every want, and no block", TOLERATED, 0, DRIVEN,
     HAVE_THEN_NOTHING, asked},
    {"asked_wrong_blocks", "wrong blocks", DROPPED, 0, DRIVEN, WRONG_BLOCKS,
     asked},
    {"asked_long_blocks", "wrong blocks of 2 MiB", DROPPED | TOLERATED, 0,
     DRIVEN, LONG_BLOCKS, asked},
    {"asked_wrong_prefix", "blocks by other prefixes", DROPPED | TOLERATED, 0,
     DRIVEN, WRONG_PREFIXES, asked},
    {"asked_empty_blocks", "empty blocks", DROPPED | TOLERATED, 0, DRIVEN,
     EMPTY_BLOCKS, asked},
    {"asked_both", "HAVE and DONT_HAVE", TOLERATED, 0, DRIVEN,
     HAVE_AND_DONT_HAVE, asked},
    {"asked_half", "half a block, then nothing", TOLERATED, 0, DRIVEN,
     HALF_A_MESSAGE, asked},
    {"asked_slow", "a block, a byte each 50 ms", TOLERATED, 0, DRIVEN,
     SLOW_BYTES, asked},
    {"asked_haves", "HAVE a thousand times", DROPPED | TOLERATED, 0, DRIVEN,
     ENDLESS_HAVES, asked},
    {"asked_resets", "HAVE, then a reset of the stream", TOLERATED, 0, DRIVEN,
     STREAMS_RESET, asked},
    {"asked_bad_messages", "malformed answers", DROPPED | TOLERATED, 0, DRIVEN,
     BAD_MESSAGES, asked},
    {"wants_unread", "wants everything, reads nothing", TOLERATED | DROPPED, 0,
     0, 0, wants_unread},
    {"wants_unread_long", "the same for 15 s", DROPPED, 14000, SLOW, 15000,
     wants_unread},
    {"wants_no_window", "wants everything, gives no window", TOLERATED, 0, 0, 0,
     wants_no_window},
    {"wants_no_window_long", "the same for 24 s", DROPPED, 23000, SLOW, 24000,
     wants_no_window},
    {"wants_reset", "wants everything, resets the answer", TOLERATED | DROPPED,
     0, 0, 0, wants_reset},
    {"wants_read", "wants everything, and reads it", ANSWERED, 0, 0, 0,
     wants_read},
    {"wants_have", "want-have for everything", ANSWERED, 0, 0, 1, wants_read},
    {"wants_one", "the same block, no end", TOLERATED | DROPPED, 0, 0, 0,
     wants_one},
};

struct attacks attacks_wants(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
