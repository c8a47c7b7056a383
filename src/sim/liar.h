#ifndef SIM_LIAR_H
#define SIM_LIAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "sim/rand.h"

/*
 * liar - alters what a machine sends, so that an honest node looks like one
 * that lies about objects and blocks.
 *
 * It sits between two machines of a secured net, where the frames of Yamux lie
 * open, and knows them and the first bytes of storage messages, no more.  The
 * lengths of frames stay, so a session lives on with what was altered in it;
 * a frame that is left out is sent empty.  Only frames that come in one read
 * are looked at: all storage messages of less than a segment.
 *
 * What the node on the machine does is honest, which is the worst case for who
 * has to find out: all that is not altered is as it should be.
 */

enum {
    SIM_LIAR_RECORDS_MAX = 64, /* messages that may be sent again */
    SIM_LIAR_STREAMS_MAX = 64, /* of a connection, that are left out */
};

/** enum sim_lie - what is altered; they may be joined. */
enum sim_lie {
    SIM_LIE_FORGE = 1,  /* a bit of each second storage message flips */
    SIM_LIE_REPLAY = 2, /* an older storage message of the same length goes out
                           instead of each second one */
    SIM_LIE_SPOIL = 4,  /* a byte of each large frame, so of each block, is
                           another one; storage messages are left alone */
    SIM_LIE_MUTE = 8,   /* nothing of bitswap goes out, nor a notice: it takes
                           what it is offered, and neither pulls nor serves */
};

/** struct sim_liar - one machine's; zero, then sim_liar_init(). */
struct sim_liar {
    unsigned lies; /* enum sim_lie; 0: all passes as it is */
    uint64_t told; /* how much was altered */

    struct sim_rand rand; /* private, as all below */
    struct {
        uint8_t *p;
        size_t len;
    } records[SIM_LIAR_RECORDS_MAX];
    size_t records_at;
    uint8_t *room; /* what sim_liar_pass() gives */
};

/** struct sim_liar_way - one direction of one connection; private. */
struct sim_liar_way;

/** sim_liar_init - of machine @index, honest so far; @seed of the world. */
void sim_liar_init(struct sim_liar *l, uint64_t seed, uint32_t index);

/** sim_liar_release - free all. */
void sim_liar_release(struct sim_liar *l);

/** sim_liar_way_new - at the begin of a connection. */
MUST_USE struct sim_liar_way *sim_liar_way_new(void);

/** sim_liar_way_free - NULL does nothing. */
void sim_liar_way_free(struct sim_liar_way *w);

/**
 * sim_liar_pass - the next bytes that go this way.
 * @in: at most a segment.
 *
 * @ret_len: how much arrives instead; it may be nothing.
 *
 * Return: what arrives, valid until the next call.
 */
uint8_t *sim_liar_pass(struct sim_liar *l, struct sim_liar_way *w,
                       struct bytes in, size_t *ret_len);

#endif /* SIM_LIAR_H */
