#include "discovery/quality.h"

enum {
    HALF_DAY_S = 24 * 60 * 60, /* half-life of success and uptime */
    HALF_DATA_S = 7 * 24 * 60 * 60,
    HALF_PENALTY_S = 6 * 60 * 60,
    HALVINGS_MAX = 16, /* nothing is left of a part */
    STEP_S = 10 * 60,  /* shorter times don't count, so that rounding a part
                          again and again does not stop or hurry it */

    PART_MAX = QUALITY_PART_LAST, /* fine enough for a week's half-life in such
                                     steps */
    PART_NEW = PART_MAX / 2,
    PER_THOUSAND = PART_MAX / QUALITY_PENALTY_MAX,

    WEIGHT_SUCCESS = 40,
    WEIGHT_DATA = 25,
    WEIGHT_UPTIME = 20,
    WEIGHT_LATENCY = 15,

    RTT_BEST_US = 10 * 1000,
    RTT_WORST_US = 2 * 1000 * 1000,
    RTT_SHARE = 4, /* a new sample counts one part in so many */

    HALF_BYTES = 16 * 1024 * 1024,
    HALF_UPTIME_S = 4 * 60 * 60,
    AMOUNT_MAX = 1024 * 1024 * 1024, /* of one event: nothing overflows */

    PENALTY_SEVERITY = 10 * PER_THOUSAND,
    PENALTY_BAD_BLOCK = 200 * PER_THOUSAND,
    PENALTY_AUDIT = 300 * PER_THOUSAND,
};

struct quality quality_init(uint64_t unix_s)
{
    return (struct quality){.at_s = unix_s,
                            .success = PART_NEW,
                            .data = PART_NEW,
                            .uptime = PART_NEW};
}

/*
 * What is left of @distance after @s seconds: 2 to the power of -@s / @half_s
 * of it, by halving, and between by a cubic that is off by less than 0.001.
 */
static uint32_t faded(uint32_t distance, uint64_t s, uint32_t half_s)
{
    enum { ONE = 1 << 16, CUBE = 2588, SQUARE = 15244, LINE = 45424 };
    uint64_t halvings = s / half_s;
    if (halvings >= HALVINGS_MAX)
        return 0;
    uint64_t x = s % half_s * ONE / half_s;
    uint64_t lost = x * (LINE - x * (SQUARE - x * CUBE / ONE) / ONE) / ONE;
    uint64_t left = (uint64_t)distance >> halvings;
    return (uint32_t)((left * (ONE - lost) + ONE / 2) / ONE);
}

static uint16_t toward_new(uint16_t part, uint64_t s, uint32_t half_s)
{
    if (part >= PART_NEW)
        return (uint16_t)(PART_NEW +
                          faded((uint32_t)part - PART_NEW, s, half_s));
    return (uint16_t)(PART_NEW - faded((uint32_t)PART_NEW - part, s, half_s));
}

/* A clock that was set back makes no time pass. */
static struct quality decayed(const struct quality *q, uint64_t unix_s)
{
    struct quality d = *q;
    if (unix_s <= q->at_s)
        return d;
    uint64_t s = unix_s - q->at_s;
    d.success = toward_new(q->success, s, HALF_DAY_S);
    d.uptime = toward_new(q->uptime, s, HALF_DAY_S);
    d.data = toward_new(q->data, s, HALF_DATA_S);
    d.penalty = (uint16_t)faded(q->penalty, s, HALF_PENALTY_S);
    d.at_s = unix_s;
    return d;
}

/* Toward the best by the share @amount / (@amount + @half) of what is missing.
 */
static uint16_t raise_by(uint16_t part, uint64_t amount, uint64_t half)
{
    uint64_t missing = (uint64_t)PART_MAX - part;
    if (amount > AMOUNT_MAX)
        amount = AMOUNT_MAX;
    return (uint16_t)(part + missing * amount / (amount + half));
}

static void punish(struct quality *q, uint64_t by)
{
    uint64_t sum = q->penalty + by;
    q->penalty = sum > PART_MAX ? PART_MAX : (uint16_t)sum;
}

static void sample_rtt(struct quality *q, uint64_t rtt_us)
{
    if (rtt_us == 0)
        rtt_us = 1;
    if (rtt_us > RTT_WORST_US)
        rtt_us = RTT_WORST_US;
    if (q->rtt_us == 0)
        q->rtt_us = (uint32_t)rtt_us;
    else
        q->rtt_us =
            (uint32_t)((q->rtt_us * (uint64_t)(RTT_SHARE - 1) + rtt_us) /
                       RTT_SHARE);
}

static void fault(struct quality *q, uint64_t severity)
{
    if (severity > QUALITY_SEVERITY_MAX)
        severity = QUALITY_SEVERITY_MAX;
    punish(q, severity * PENALTY_SEVERITY);
}

static void settle(struct quality *q, uint64_t unix_s)
{
    if (unix_s >= q->at_s && unix_s - q->at_s < STEP_S)
        return;
    *q = decayed(q, unix_s);
    q->at_s = unix_s;
}

void quality_event(struct quality *q, enum quality_kind kind, uint64_t amount,
                   uint64_t unix_s)
{
    settle(q, unix_s);
    switch (kind) {
    case QUALITY_CONNECTED:
    case QUALITY_ANSWERED:
        q->success = raise_by(q->success, 1, 7);
        break;
    case QUALITY_DIAL_FAILED:
        q->success = (uint16_t)(q->success - q->success / 4);
        q->uptime = (uint16_t)(q->uptime - q->uptime / 8);
        break;
    case QUALITY_UNANSWERED:
        q->success = (uint16_t)(q->success - q->success / 4);
        break;
    case QUALITY_RTT:
        sample_rtt(q, amount);
        break;
    case QUALITY_UPTIME:
        q->uptime = raise_by(q->uptime, amount, HALF_UPTIME_S);
        break;
    case QUALITY_GOOD_BYTES:
        q->data = raise_by(q->data, amount, HALF_BYTES);
        break;
    case QUALITY_BAD_BLOCK:
        q->data /= 2;
        punish(q, PENALTY_BAD_BLOCK);
        break;
    case QUALITY_FAULT:
        fault(q, amount);
        break;
    case QUALITY_AUDIT_PASSED:
        q->data = raise_by(q->data, 1, 15);
        break;
    case QUALITY_AUDIT_FAILED:
        q->data /= 2;
        punish(q, PENALTY_AUDIT);
        break;
    }
}

static uint32_t latency_part(uint32_t rtt_us)
{
    if (rtt_us == 0)
        return PART_NEW;
    if (rtt_us <= RTT_BEST_US)
        return PART_MAX;
    if (rtt_us >= RTT_WORST_US)
        return 0;
    return (uint32_t)((uint64_t)PART_MAX * (RTT_WORST_US - rtt_us) /
                      (RTT_WORST_US - RTT_BEST_US));
}

uint32_t quality_score(const struct quality *q, uint64_t unix_s)
{
    struct quality d = decayed(q, unix_s);
    uint32_t sum = (uint32_t)d.success * WEIGHT_SUCCESS +
                   (uint32_t)d.data * WEIGHT_DATA +
                   (uint32_t)d.uptime * WEIGHT_UPTIME +
                   latency_part(d.rtt_us) * WEIGHT_LATENCY;
    uint64_t kept = (uint64_t)sum * (uint64_t)(PART_MAX - d.penalty) / PART_MAX;
    return (uint32_t)(kept / PART_MAX);
}

uint32_t quality_penalty(const struct quality *q, uint64_t unix_s)
{
    return (uint32_t)decayed(q, unix_s).penalty / PER_THOUSAND;
}
