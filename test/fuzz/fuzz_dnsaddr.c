/*
 * Goal: whatever the DNS says, a resolution ends within its limits, and gives
 * plain TCP addresses, each once.
 * Input: the address on the first line; then answers, one a line, in the order
 * in which lookups are made, again from the first when they run out.  The
 * lines up to an empty one are the texts of one answer; of a lookup of
 * addresses each byte of them is an IP address.
 */
#include <assert.h>
#include <string.h>

#include "discovery/dnsaddr.h"

enum { TEXTS_MAX = 64, IPS_MAX = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct script {
    struct bytes all;
    size_t pos;
};

static bool next_line(struct script *s, struct bytes *ret_line)
{
    size_t from = s->pos;

    if (from >= s->all.len)
        return false;
    const uint8_t *end = memchr(s->all.p + from, '\n', s->all.len - from);
    size_t len =
        end == NULL ? s->all.len - from : (size_t)(end - s->all.p) - from;
    *ret_line = bytes_sub(s->all, from, len);
    s->pos = from + len + 1;
    return true;
}

static size_t next_answer(struct script *s, struct bytes *dst)
{
    struct bytes line;
    size_t count = 0;

    if (s->pos >= s->all.len)
        s->pos = 0;
    while (count < TEXTS_MAX && next_line(s, &line) && line.len > 0)
        dst[count++] = line;
    return count;
}

static void answer_texts(struct dnsaddr *d, struct script *s, uint32_t id)
{
    struct bytes texts[TEXTS_MAX];
    size_t count = next_answer(s, texts);

    dnsaddr_on_texts(d, id, count == 0 ? E_NOTFOUND : OK, texts, count);
}

static void answer_ips(struct dnsaddr *d, struct script *s, uint32_t id)
{
    struct bytes texts[TEXTS_MAX];
    struct ma_ip ips[IPS_MAX];
    size_t count = 0;

    if (next_answer(s, texts) > 0)
        for (; count < texts[0].len && count < IPS_MAX; count++) {
            uint8_t c = texts[0].p[count];
            ips[count] = (struct ma_ip){.len = c & 1 ? 4 : 16, .bytes = {c}};
        }
    dnsaddr_on_ips(d, id, count == 0 ? E_TIMEOUT : OK, ips, count);
}

static void check_found(const struct multiaddr *addr)
{
    struct ma_ip ip;
    uint16_t port;
    enum err err = multiaddr_get_tcp(addr, &ip, &port);

    assert(err == OK);
}

static void run(struct dnsaddr *d, struct script *s)
{
    static struct multiaddr found[DNSADDR_RESULTS_MAX];
    struct dnsaddr_out out;
    size_t lookups = 0;
    size_t results = 0;

    while (dnsaddr_next(d, &out)) {
        switch (out.kind) {
        case DNSADDR_LOOKUP_TXT:
            lookups++;
            assert(out.name.len <= DNSADDR_NAME_MAX);
            answer_texts(d, s, out.id);
            break;
        case DNSADDR_LOOKUP_IP:
            lookups++;
            assert(out.name.len <= DNSADDR_NAME_MAX);
            answer_ips(d, s, out.id);
            break;
        case DNSADDR_FOUND:
            assert(results < DNSADDR_RESULTS_MAX);
            check_found(&out.addr);
            for (size_t i = 0; i < results; i++)
                assert(!multiaddr_eq(&found[i], &out.addr));
            found[results++] = out.addr;
            break;
        case DNSADDR_DONE:
            assert(lookups <= DNSADDR_LOOKUPS_MAX);
            assert((out.err == OK) == (results > 0));
            assert(out.results_count == results);
            return;
        }
    }
    assert(false); /* it ends with DONE */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct script s = {.all = {.p = data, .len = len}};
    struct multiaddr addr;
    struct dnsaddr *d;
    struct bytes line;

    if (!next_line(&s, &line) || multiaddr_parse(line, &addr) != OK ||
        dnsaddr_new(&addr, &d) != OK)
        return 0;
    s.all = bytes_sub(s.all, s.pos < len ? s.pos : len,
                      s.pos < len ? len - s.pos : 0);
    s.pos = 0;
    run(d, &s);
    dnsaddr_free(d);
    return 0;
}
