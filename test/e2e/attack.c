/*
 * attack ADDR NAME...|all|-l - attack the daemon at ADDR, a multiaddr with its
 * peer id, and tell whether what came of it is right.
 *
 * Options: --limited (the daemon has security.limit_loopback on), --flood MS,
 * --cids FILE (CIDs of blocks that the daemon has, one a line), --driven
 * (somebody carries out the lines "connect ADDR" and "get CID").
 *
 * Each attack comes from a loopback address of its own, so that what one has
 * used up is not missing for the next.  After each, a good dial must succeed.
 * Exit code 0 when all was right.
 */
#include "attack.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "multiformats/multiaddr.h"

enum { TABLES = 16, FLOOD_MS = 500, SLOW_MAX = 64, LINE_BYTES = 300 };

struct options {
    bool limited;
    bool driven;
    uint32_t flood_ms;
    char host[ADDRS_TEXT_MAX];
    uint16_t port;
    struct peer_id target;
    struct cid *cids;
    size_t cids_count;
};

static struct attacks table(size_t at)
{
    static struct attacks (*const tables[TABLES])(void) = {
        attacks_raw,          attacks_noise,        attacks_yamux,
        attacks_identify,     attacks_bitswap,      attacks_wants,
        attacks_many,         attacks_kad,          attacks_lookups,
        attacks_peers,        attacks_objects,      attacks_storage,
        attacks_storage_wire, attacks_storage_dags, attacks_storage_holder,
        attacks_records};
    return tables[at]();
}

static const char *verdict_text(unsigned v)
{
    static char text[100];
    size_t len = 0;
    static const char *const words[] = {"dropped", "tolerated", "answered",
                                        "reset",   "refused",   "hung",
                                        "wrong",   "broken"};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((v & 1U << i) == 0)
            continue;
        int put = snprintf(text + len, sizeof(text) - len, "%s%s",
                           len > 0 ? "|" : "", words[i]);
        len += put > 0 ? (size_t)put : 0;
    }
    return text;
}

/* 127.x.y.z of its own for each attack of each process. */
static uint32_t own_address(void)
{
    uint32_t n = random_u32();
    return 0x7f000000U | (n & 0x00ffffffU) | 0x00010002U;
}

static struct run run_of(const struct options *o, const struct attack *a)
{
    struct run r = {.attack = a,
                    .port = o->port,
                    .target = o->target,
                    .from = own_address(),
                    .flood_ms = o->flood_ms,
                    .limited = o->limited,
                    .cids = o->cids,
                    .cids_count = o->cids_count,
                    .begin_ms = now_ms()};
    memcpy(r.host, o->host, sizeof(r.host));
    return r;
}

static bool good_dial(const struct options *o, uint64_t *ret_ms)
{
    static const struct attack good = {.name = "good dial", .must = TOLERATED};
    struct run r = run_of(o, &good);
    struct link *l = link_session(&r);
    bool fine = ping_works(l);

    link_free(l);
    *ret_ms = now_ms() - r.begin_ms;
    return fine;
}

static bool run_one(const struct options *o, const struct attack *a)
{
    struct run r = run_of(o, a);
    uint64_t dial_ms;
    enum verdict v = a->run(&r, a->arg);
    uint64_t took =
        (v == DROPPED && r.dropped_ms > r.begin_ms ? r.dropped_ms : now_ms()) -
        r.begin_ms;
    bool right = (v & a->must) != 0;
    bool late = v == DROPPED && took > must_drop_ms(&r) && right;
    bool dialed = good_dial(o, &dial_ms);

    printf("%s %s %s %llu dial %llu%s%s%s%s",
           right && !late && dialed ? "ok" : "FAIL", a->name, verdict_text(v),
           (unsigned long long)took, (unsigned long long)dial_ms,
           late ? " LATE" : "", dialed ? "" : " NO GOOD DIAL",
           r.note[0] != '\0' ? " | " : "", r.note);
    if (!right)
        printf(" must be %s", verdict_text(a->must));
    printf("\n");
    (void)fflush(stdout);
    return right && !late && dialed;
}

static bool applies(const struct options *o, const struct attack *a)
{
    if ((a->flags & ON_LIMITED) != 0 && !o->limited)
        return false;
    if ((a->flags & ON_FREE) != 0 && o->limited)
        return false;
    return (a->flags & DRIVEN) == 0 || o->driven;
}

static void list_all(void)
{
    for (size_t t = 0; t < TABLES; t++) {
        const struct attack *rows = table(t).rows;
        for (size_t i = 0; i < table(t).count; i++) {
            const struct attack *a = &rows[i];
            printf("%s\t%s%s%s%s\t%s\t%u\t%s\n", a->name,
                   (a->flags & ON_LIMITED) != 0 ? "L" : "",
                   (a->flags & ON_FREE) != 0 ? "F" : "",
                   (a->flags & SLOW) != 0 ? "S" : "",
                   (a->flags & DRIVEN) != 0 ? "D" : "", verdict_text(a->must),
                   a->within_ms, a->what);
        }
    }
}

static bool is_named(const struct attack *a, char **names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], a->name) == 0)
            return true;
        if (strcmp(names[i], "all") == 0 && (a->flags & DRIVEN) == 0)
            return true;
    }
    return false;
}

/* Those that wait run beside the others, each in a process. */
static pid_t run_aside(const struct options *o, const struct attack *a)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(run_one(o, a) ? 0 : 1);
    return pid;
}

static int run_named(const struct options *o, char **names, int count)
{
    pid_t aside[SLOW_MAX];
    size_t aside_count = 0;
    int failed = 0;
    int done = 0;

    for (int slow = 1; slow >= 0; slow--) {
        for (size_t t = 0; t < TABLES; t++) {
            const struct attack *rows = table(t).rows;
            for (size_t i = 0; i < table(t).count; i++) {
                const struct attack *a = &rows[i];
                if (((a->flags & SLOW) != 0) != (slow == 1) ||
                    !is_named(a, names, count) || !applies(o, a))
                    continue;
                done++;
                if (slow == 1 && aside_count < SLOW_MAX)
                    aside[aside_count++] = run_aside(o, a);
                else
                    failed += run_one(o, a) ? 0 : 1;
            }
        }
    }
    for (size_t i = 0; i < aside_count; i++) {
        int status = 1;
        (void)waitpid(aside[i], &status, 0);
        failed += status == 0 ? 0 : 1;
    }
    if (done == 0)
        (void)fprintf(stderr, "attack: no attack of that name applies\n");
    return failed == 0 && done > 0 ? 0 : 1;
}

static bool parse_addr(const char *text, struct options *o)
{
    struct multiaddr addr;
    struct ma_ip ip;

    if (multiaddr_parse(bytes_str(text), &addr) != OK ||
        multiaddr_get_tcp(&addr, &ip, &o->port) != OK ||
        multiaddr_get_peer(&addr, &o->target) != OK || ip.len != 4)
        return false;
    return inet_ntop(AF_INET, ip.bytes, o->host, sizeof(o->host)) != NULL;
}

static bool load_cids(const char *path, struct options *o)
{
    char line[LINE_BYTES];
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return false;
    o->cids = mem_zalloc(ATTACK_CIDS_MAX, sizeof(*o->cids));
    while (o->cids_count < ATTACK_CIDS_MAX &&
           fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (cid_parse(bytes_str(line), &o->cids[o->cids_count]) == OK)
            o->cids_count++;
    }
    (void)fclose(f);
    return true;
}

/* Takes an option and its value off the front; 0: it is none. */
static int take_option(struct options *o, char **argv, int argc)
{
    if (strcmp(argv[0], "--limited") == 0) {
        o->limited = true;
        return 1;
    }
    if (strcmp(argv[0], "--driven") == 0) {
        o->driven = true;
        return 1;
    }
    if (argc > 1 && strcmp(argv[0], "--flood") == 0) {
        o->flood_ms = (uint32_t)strtoul(argv[1], NULL, 10);
        return 2;
    }
    if (argc > 1 && strcmp(argv[0], "--cids") == 0)
        return load_cids(argv[1], o) ? 2 : 0;
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.flood_ms = FLOOD_MS};
    int at = 1;
    int taken;

    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "-l") == 0) {
        list_all();
        return 0;
    }
    while (at < argc && (taken = take_option(&o, argv + at, argc - at)) > 0)
        at += taken;
    if (argc - at < 2 || !parse_addr(argv[at], &o)) {
        (void)fprintf(stderr, "usage: attack [--limited] [--driven] [--flood "
                              "MS] [--cids FILE] ADDR NAME...|all\n"
                              "       attack -l\n");
        return 2;
    }
    int code = run_named(&o, argv + at + 1, argc - at - 1);
    mem_free(o.cids);
    return code;
}
