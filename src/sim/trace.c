#include "sim/trace.h"

#include <stddef.h>

#include "base/attr.h"
#include "base/map.h"

enum { WORD = 8 };

void sim_trace_init(struct sim_trace *t)
{
    *t = (struct sim_trace){.hash = 0};
}

static void put_u64(uint8_t *dst, uint64_t value)
{
    for (unsigned i = 0; i < WORD; i++)
        dst[i] = (uint8_t)(value >> (8 * i));
}

void sim_trace_add(struct sim_trace *t, struct mtime now, uint32_t machine,
                   enum sim_kind kind, struct bytes payload)
{
    static const uint8_t plain[2 * WORD] = {0};
    const uint64_t values[] = {now.ns, machine, (uint64_t)kind, payload.len,
                               siphash13(plain, payload)};
    uint8_t key[2 * WORD];
    uint8_t fields[sizeof(values)];

    put_u64(key, t->hash);
    put_u64(key + WORD, t->count);
    for (size_t i = 0; i < countof(values); i++)
        put_u64(fields + i * WORD, values[i]);
    t->hash = siphash13(key, (struct bytes){fields, sizeof(fields)});
    t->count++;
    if (t->tell != NULL)
        t->tell(t->user, t->count, now, machine, kind, payload);
}

const char *sim_kind_name(enum sim_kind kind)
{
    switch (kind) {
    case SIM_DIALED:
        return "dialed";
    case SIM_RECEIVED:
        return "received";
    case SIM_CLOSED:
        return "closed";
    case SIM_DATAGRAM:
        return "datagram";
    case SIM_WROTE:
        return "wrote";
    case SIM_SYNCED:
        return "synced";
    case SIM_COMMITTED:
        return "committed";
    case SIM_LOGGED:
        return "logged";
    case SIM_SCRIPT:
        return "script";
    case SIM_ANSWERED:
        return "answered";
    }
    return "unknown";
}
