/* Attacks by the number of connections. */
#include <stdio.h>
#include <string.h>

#include "attack.h"
#include "base/mem.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    PER_IP = 3,
    PER_PEER = 2,
    LINKS_MAX = 1000,
    SETTLE_MS = 300,
    DIALS_FREE = 450, /* more than this from one address may be refused */
    FLOODS_FREE = 6,  /* and of floods, at once */
    FLOOD_EACH_MS = 50,
};

static size_t count_open(struct link **links, size_t count)
{
    size_t open = 0;
    uint64_t end = now_ms() + SETTLE_MS;

    while (now_ms() < end) {
        for (size_t i = 0; i < count; i++)
            link_pump(links[i], 0);
        sleep_ms(20);
    }
    for (size_t i = 0; i < count; i++)
        open += links[i]->closed ? 0 : 1;
    return open;
}

static void free_all(struct link **links, size_t count)
{
    for (size_t i = 0; i < count; i++)
        link_free(links[i]);
    mem_free(links);
}

static struct link **new_links(void)
{
    return mem_zalloc(LINKS_MAX, sizeof(struct link *));
}

/* Silent connections from one address. */
static enum verdict silent(struct run *r, int count)
{
    struct link **links = new_links();

    for (int i = 0; i < count; i++)
        links[i] = link_open(r);
    size_t open = count_open(links, (size_t)count);
    note(r, "%zu of %d kept", open, count);
    free_all(links, (size_t)count);
    if (!r->limited)
        return TOLERATED;
    return open <= PER_IP ? REFUSED : WRONG;
}

/* Full connections from one address, each another peer. */
static enum verdict full(struct run *r, int count)
{
    struct link **links = new_links();
    size_t secured = 0;

    for (int i = 0; i < count; i++) {
        links[i] = link_open(r);
        secured += !links[i]->closed && link_secure(links[i]) ? 1 : 0;
    }
    size_t open = count_open(links, (size_t)count);
    note(r, "%zu of %d made, %zu kept", secured, count, open);
    free_all(links, (size_t)count);
    if (!r->limited)
        return TOLERATED;
    return open == PER_IP ? REFUSED : WRONG;
}

/* Connections of one peer, each from another address. */
static enum verdict same_peer(struct run *r, int count)
{
    struct link **links = new_links();

    for (int i = 0; i < count; i++) {
        links[i] = link_open(r);
        if (i > 0) {
            privkey_release(&links[i]->key);
            uint8_t text[PRIVKEY_BYTES];
            privkey_encode(&links[0]->key, text);
            (void)privkey_decode((struct bytes){.p = text, .len = sizeof(text)},
                                 &links[i]->key);
        }
        (void)link_secure(links[i]);
        r->from += 256;
    }
    size_t open = count_open(links, (size_t)count);
    note(r, "%zu of %d kept", open, count);
    free_all(links, (size_t)count);
    return open == PER_PEER ? REFUSED : WRONG;
}

/* Silent connections from as many addresses; then one that is honest. */
static enum verdict from_everywhere(struct run *r, int count)
{
    struct link **links = new_links();

    for (int i = 0; i < count; i++) {
        r->from += 256;
        links[i] = link_open(r);
    }
    size_t open = count_open(links, (size_t)count);
    r->from += 256;
    struct link *l = link_session(r);
    bool fine = ping_works(l);
    note(r, "%zu of %d kept", open, count);
    link_free(l);
    free_all(links, (size_t)count);
    return fine ? TOLERATED : WRONG;
}

/* Connect and close, as fast as it goes. */
static enum verdict dial_flood(struct run *r, int unused)
{
    uint64_t end = now_ms() + r->flood_ms;
    unsigned count = 0;
    unsigned refused = 0;

    (void)unused;
    while (now_ms() < end && count < 20000) {
        struct link *l = link_open(r);
        if (!l->closed && !link_agree(l))
            refused++;
        count++;
        link_abort(l);
    }
    note(r, "%u dials, %u refused", count, refused);
    if (!r->limited)
        return TOLERATED;
    return refused > 0 || count < DIALS_FREE ? REFUSED : WRONG;
}

/* Sessions that do one thing and go. */
static enum verdict session_flood(struct run *r, int unused)
{
    uint64_t end = now_ms() + r->flood_ms;
    unsigned count = 0;
    unsigned refused = 0;

    (void)unused;
    while (now_ms() < end) {
        struct link *l = link_session(r);
        if (l->closed)
            refused++;
        count++;
        link_abort(l);
    }
    note(r, "%u sessions, %u refused", count, refused);
    if (!r->limited)
        return TOLERATED;
    return refused > 0 || count < DIALS_FREE ? REFUSED : WRONG;
}

/* A flood, and again from the same address when it was dropped. */
static enum verdict come_back(struct run *r, int unused)
{
    uint64_t end = now_ms() + 2 * (uint64_t)r->flood_ms;
    static uint8_t batch[60000];
    unsigned count = 0;
    unsigned refused = 0;
    uint64_t begin = now_ms();

    (void)unused;
    for (size_t i = 0; i + YAMUX_HEAD_BYTES <= sizeof(batch);)
        i += head_put(batch + i, PING, SYN, 0, 1);
    while (now_ms() < end && count < 2000) {
        struct link *l = link_session(r);
        if (l->closed) {
            refused++;
            sleep_ms(5);
        } else {
            while (link_plain(l, batch, sizeof(batch)))
                link_pump(l, 0);
            count++;
        }
        link_free(l);
    }
    note(r, "%u floods, %u refused", count, refused);
    if (!r->limited)
        return TOLERATED;
    bool few = count <= FLOODS_FREE + (now_ms() - begin) / FLOOD_EACH_MS;
    return few ? REFUSED : WRONG;
}

static const struct attack rows[] = {
    {"many_silent_100", "100 silent connections from one address", REFUSED, 0,
     ON_LIMITED, 100, silent},
    {"many_full_4", "4 full connections from one address", REFUSED, 0,
     ON_LIMITED, 4, full},
    {"many_full_300", "300 full connections from one address", REFUSED, 0,
     ON_LIMITED, 300, full},
    {"many_silent_100_free", "100 silent connections", TOLERATED, 0, ON_FREE,
     100, silent},
    {"many_full_300_free", "300 full connections", TOLERATED, 0, ON_FREE, 300,
     full},
    {"many_same_peer", "5 connections of one peer", REFUSED, 0, 0, 5,
     same_peer},
    {"many_everywhere", "100 silent ones from 100 addresses", TOLERATED, 0, 0,
     100, from_everywhere},
    {"many_dials", "dials as fast as they go", TOLERATED | REFUSED, 0, 0, 0,
     dial_flood},
    {"many_sessions", "sessions as fast as they go", TOLERATED | REFUSED, 0, 0,
     0, session_flood},
    {"many_come_back", "floods again after each drop", TOLERATED | REFUSED, 0,
     0, 0, come_back},
};

struct attacks attacks_many(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
