#include "kad/kad_priv.h"

/*
 * One round of refreshing: contacts that were not heard of for long are asked
 * whether they are there, we look for ourselves, then for a point in each
 * bucket that no lookup touched of late and that has few contacts which
 * answered, until it has enough.  One lookup at a time, with a rest between:
 * who comes to a network is asked by others meanwhile, and so needs to ask
 * less.
 */

enum {
    REST_MS = 3 * 1000, /* between two lookups of a round */
    STALE_ROUNDS = 2,   /* times refresh_ms after which a contact is asked */
    SPREAD_PARTS = 8,   /* the next round begins up to 1/8 earlier */
};

static struct mtime next_round(struct kad *k, struct mtime now)
{
    uint32_t ms = k->config.refresh_ms;
    uint32_t spread = ms / SPREAD_PARTS;

    if (spread > 0)
        ms -= (uint32_t)(kadp_chance(k) % spread);
    return mtime_add_ms(now, ms);
}

/* When @c last showed that it is there.  In our own network everybody serves,
 * so that a question shows as much as an answer; elsewhere one who asks may not
 * be reached by others. */
static struct mtime shown_at(const struct kad *k, const struct kad_contact *c)
{
    return k->config.scope == KAD_OWN ? c->heard_at : c->useful_at;
}

static void ask_stale(struct kad *k, struct mtime now)
{
    for (size_t b = 0; b < k->table.buckets_count; b++) {
        const struct kad_bucket *bucket = &k->table.buckets[b];
        for (size_t i = 0; i < bucket->count && k->pings_count < KADP_PINGS_MAX;
             i++) {
            struct kad_contact *c = bucket->contacts[i];
            uint64_t old_ms = mtime_ms_since(shown_at(k, c), now);
            if (old_ms < (uint64_t)STALE_ROUNDS * k->config.refresh_ms ||
                kadp_is_asked(k, &c->id))
                continue;
            kadp_send_check(k, &c->id, &c->addrs, now)->ping = true;
            k->pings_count++;
        }
    }
}

/* A key in bucket @cpl: as ours up to there, then the other bit. */
static uint64_t refresh_bucket(struct kad *k, unsigned cpl, struct mtime now)
{
    struct kad_key near = k->self_key;
    uint8_t key[KAD_SEARCH_BYTES];

    kad_key_set_bit(&near, cpl, !kad_key_bit(&near, cpl));
    kad_table_refreshed(&k->table, &near, now);
    if (kad_key_search(&near, cpl + 1, kadp_chance(k), KADP_SEARCH_TRIES_MAX,
                       key) != OK)
        return 0;
    struct bytes in = {.p = key, .len = sizeof(key)};
    return kadp_refresh_lookup(k, in, now);
}

/* What happened less than so long ago was after the last round. */
static uint64_t fresh_ms(const struct kad *k)
{
    return k->config.refresh_ms - k->config.refresh_ms / 4;
}

/* In our own network everybody who comes is a server and asks as we do, so that
 * buckets fill by being asked; others expect fuller ones. */
bool kadp_bucket_suffices(const struct kad *k, size_t i, struct mtime now)
{
    uint32_t enough =
        k->config.scope == KAD_OWN ? k->config.beta : k->config.k / 2;
    uint32_t fresh = 0;

    if (i >= k->table.buckets_count)
        return false;
    const struct kad_bucket *b = &k->table.buckets[i];
    for (size_t c = 0; c < b->count; c++)
        fresh += mtime_ms_since(shown_at(k, b->contacts[c]), now) < fresh_ms(k);
    return fresh >= enough;
}

/* Whether no lookup touched the bucket since before the last round, nor have
 * enough of its contacts answered. */
static bool is_due(const struct kad *k, size_t i, struct mtime now)
{
    const struct kad_bucket *b = &k->table.buckets[i];

    if (b->refreshed && mtime_ms_since(b->refreshed_at, now) < fresh_ms(k))
        return false;
    return !kadp_bucket_suffices(k, i, now);
}

/* Begins the next lookup of the round; false when there is none. */
static bool next_lookup(struct kad *k, struct mtime now)
{
    if (!k->refreshed_self) {
        k->refreshed_self = true;
        k->refresh_query =
            kadp_refresh_lookup(k, peer_id_bytes(&k->config.self), now);
        return k->refresh_query != 0;
    }
    for (size_t i = 0; i < k->table.buckets_count && i <= KADP_REFRESH_CPL_MAX;
         i++) {
        if (!is_due(k, i, now))
            continue;
        k->refresh_query = refresh_bucket(k, (unsigned)i, now);
        if (k->refresh_query != 0)
            return true;
    }
    return false;
}

static void run_round(struct kad *k, struct mtime now)
{
    if (!k->refreshing || k->refresh_query != 0 ||
        !mtime_reached(now, k->rest_until))
        return;
    if (!next_lookup(k, now))
        k->refreshing = false;
}

void kadp_upkeep_ended(struct kad *k, uint64_t query, struct mtime now)
{
    if (query != k->refresh_query)
        return;
    k->refresh_query = 0;
    k->rest_until = mtime_add_ms(now, REST_MS);
}

void kadp_upkeep_hurry(struct kad *k, struct mtime now)
{
    k->refresh_at = now;
    if (kad_table_count(&k->table) == 0)
        k->lonely_at = now;
}

void kadp_upkeep(struct kad *k, struct mtime now)
{
    if (kad_table_count(&k->table) == 0) {
        if (mtime_reached(now, k->lonely_at)) {
            (void)kadp_emit(k, KAD_LONELY); /* nothing to fill in */
            k->lonely_at = mtime_add_ms(now, KADP_LONELY_MS);
        }
        return;
    }
    if (mtime_reached(now, k->refresh_at)) {
        k->refresh_at = next_round(k, now);
        k->refreshing = true;
        k->refreshed_self = false;
    }
    if (k->refreshing || k->pings_count > 0)
        ask_stale(k, now);
    run_round(k, now);
}

struct mtime kadp_upkeep_deadline(const struct kad *k)
{
    if (kad_table_count(&k->table) == 0)
        return k->lonely_at;
    if (k->refreshing && k->refresh_query == 0)
        return k->rest_until;
    return k->refresh_at;
}
