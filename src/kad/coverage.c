#include "kad/coverage.h"

#include "base/mem.h"

enum { ROOM_MIN = 32 };

bool kad_part_has(const struct kad_part *part, const struct kad_key *key)
{
    return kad_key_cpl(key, &part->key) >= part->bits;
}

void coverage_release(struct coverage *c)
{
    mem_free(c->parts);
    *c = (struct coverage){.parts = NULL};
}

/* The part that covers @key, or NULL. */
static const struct kad_part *covers(const struct coverage *c,
                                     const struct kad_key *key)
{
    for (size_t i = 0; i < c->count; i++) {
        if (kad_part_has(&c->parts[i], key))
            return &c->parts[i];
    }
    return NULL;
}

/* True when something within @part is covered. */
static bool touches(const struct coverage *c, const struct kad_part *part)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->parts[i].bits >= part->bits &&
            kad_part_has(part, &c->parts[i].key))
            return true;
    }
    return false;
}

/*
 * The lowest part of @whole that isn't covered, as large as it can be.
 * @from: a point of @whole at which a part may begin; none before is found.
 */
static bool find_gap(const struct coverage *c, const struct kad_part *whole,
                     const struct kad_key *from, struct kad_part *ret_part)
{
    struct kad_key at = *from;
    struct kad_key end = kad_key_last(&whole->key, whole->bits);
    const struct kad_part *covered = covers(c, &at);

    for (; covered != NULL; covered = covers(c, &at)) {
        struct kad_key last = kad_key_last(&covered->key, covered->bits);
        if (kad_key_cmp(&last, &end) >= 0)
            return false;
        at = kad_key_next(&last);
    }
    struct kad_part part = {.key = at, .bits = whole->bits};
    for (;; part.bits++) {
        struct kad_key first = kad_key_first(&at, part.bits);
        if (kad_key_eq(&first, &at) && !touches(c, &part))
            break;
    }
    *ret_part = part;
    return true;
}

bool coverage_holds(const struct coverage *c, const struct kad_part *whole)
{
    struct kad_key from = kad_key_first(&whole->key, whole->bits);
    struct kad_part part;

    return !find_gap(c, whole, &from, &part);
}

struct kad_part coverage_gap(const struct coverage *c,
                             const struct kad_part *whole)
{
    struct kad_key from = kad_key_first(&whole->key, whole->bits);
    struct kad_key end = kad_key_last(&whole->key, whole->bits);
    struct kad_part largest = {.key = from, .bits = KAD_KEY_BITS};
    struct kad_part part;

    while (find_gap(c, whole, &from, &part)) {
        if (part.bits < largest.bits)
            largest = part;
        struct kad_key last = kad_key_last(&part.key, part.bits);
        if (kad_key_cmp(&last, &end) >= 0)
            break;
        from = kad_key_next(&last);
    }
    return largest;
}

/*
 * The part of the points nearer to a target than @far that begins to differ
 * from @far at bit @bit, in which the target and @far differ.
 */
static struct kad_part nearer_part(const struct kad_key *far, unsigned bit)
{
    struct kad_part part = {.key = *far, .bits = bit + 1};

    kad_key_set_bit(&part.key, bit, !kad_key_bit(far, bit));
    return part;
}

static unsigned deepest_bit(unsigned cpl)
{
    return cpl + COVERAGE_DEPTH < KAD_KEY_BITS ? cpl + COVERAGE_DEPTH
                                               : KAD_KEY_BITS;
}

static void add_part(struct coverage *c, const struct kad_part *part)
{
    if (c->count == COVERAGE_PARTS_MAX || coverage_holds(c, part))
        return;
    if (c->count == c->room) {
        c->room = c->room == 0 ? ROOM_MIN : 2 * c->room;
        c->parts = mem_resize(c->parts, c->room, sizeof(*c->parts));
    }
    c->parts[c->count++] = *part;
}

void coverage_add(struct coverage *c, const struct kad_key *target,
                  const struct kad_key *far)
{
    unsigned cpl = kad_key_cpl(target, far);

    for (unsigned i = cpl; i < deepest_bit(cpl); i++) {
        if (kad_key_bit(target, i) == kad_key_bit(far, i))
            continue;
        struct kad_part part = nearer_part(far, i);
        add_part(c, &part);
    }
}

bool coverage_knows(const struct coverage *c, const struct kad_key *key,
                    const struct kad_key *far, struct kad_part *ret_part)
{
    unsigned cpl = kad_key_cpl(key, far);

    for (unsigned i = cpl; i < deepest_bit(cpl); i++) {
        if (kad_key_bit(key, i) == kad_key_bit(far, i))
            continue;
        struct kad_part part = nearer_part(far, i);
        if (!coverage_holds(c, &part)) {
            *ret_part = part;
            return false;
        }
    }
    return true;
}
