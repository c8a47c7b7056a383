#include "base/mem.h"
#include "env/env.h"
#include "ipld/cid_set.h"
#include "multiformats/key.h"
#include "multiformats/multicodec.h"
#include "node/dht.h"
#include "node/node.h"
#include "node/objects_priv.h"
#include "storage/record.h"

/*
 * Owners find who keeps their objects, when they have nothing left but their
 * key: each holder is a provider of the owner's index in the DHT.
 *
 * All objects are walked, one page in a turn; each owner is told once a round,
 * one after the other.  A round begins when a first object of an owner comes,
 * and when records are about to end.
 */

enum {
    PAGE = 16,
    ROUND_MS = 22 * 3600 * 1000, /* records live for 48 h */
    OFFLINE_MS = 30 * 1000,      /* until the DHT knows somebody */
    OWNERS_MAX = 4096,           /* told in one round */
};

struct objects_index {
    struct objects *objects;
    struct dht_op op;
    struct timer timer;
    bool walking;
    uint64_t at;           /* id of the last object that was looked at */
    struct mtime renew_at; /* all are told again; 0: never were */
    bool has_again;        /* an object came while a round was under way */
    struct cid_set told;   /* owners, in this round */
    uint8_t seed[16];
};

static void wake(struct objects_index *x, uint32_t after_ms)
{
    struct clock *clock = x->objects->env->clock;

    clock->set(clock, &x->timer, mtime_add_ms(clock->now(clock), after_ms));
}

static void on_provided(struct dht_op *op, enum err err, struct mtime now)
{
    (void)err; /* the next round tries again */
    (void)now;
    wake(container_of(op, struct objects_index, op), 0);
}

/* The index of the owner of what is held; false for all else. */
static bool index_of(const struct keeper_status *s, struct cid *ret_name)
{
    struct pubkey key;

    if (s->role != KEEPER_HOLDER || !s->kept ||
        peer_id_key(&s->owner, &key) != OK ||
        key.data.len != OBJECT_OWNER_BYTES)
        return false;
    struct multihash hash = owner_index_multihash(key.data.p);
    *ret_name = cid_from_hash(CODEC_RAW, &hash);
    return true;
}

/* Return: true: it is being told. */
static bool tell(struct objects_index *x, const struct keeper_status *s,
                 struct mtime now)
{
    struct cid name;

    if (!index_of(s, &name))
        return false;
    if (x->told.count >= OWNERS_MAX || !cid_set_add(&x->told, &name))
        return false;
    x->op.done = on_provided;
    dht_provide(node_dht(x->objects->node), &x->op, &name.hash, now);
    return true;
}

static void end_round(struct objects_index *x)
{
    struct clock *clock = x->objects->env->clock;

    x->walking = false;
    if (x->has_again)
        wake(x, 0);
    else
        clock->set(clock, &x->timer, x->renew_at);
}

/* Those who were told are told again when a day has nearly passed. */
static void begin_round(struct objects_index *x, struct mtime now)
{
    x->walking = true;
    x->has_again = false;
    x->at = 0;
    if (!mtime_reached(now, x->renew_at))
        return;
    cid_set_release(&x->told);
    cid_set_init(&x->told, x->seed);
    x->renew_at = mtime_add_ms(now, ROUND_MS);
}

static void on_timer(struct timer *t, struct mtime now)
{
    struct objects_index *x = container_of(t, struct objects_index, timer);
    struct dht *dht = node_dht(x->objects->node);
    struct keeper_status *page = NULL;
    size_t count = 0;
    bool telling = false;

    if (dht == NULL || !dht_online(dht)) {
        wake(x, OFFLINE_MS);
        return;
    }
    if (!x->walking)
        begin_round(x, now);
    page = mem_zalloc(PAGE, sizeof(*page));
    count = objects_list(x->objects, x->at, page, PAGE);
    for (size_t i = 0; i < count && !telling; i++) {
        x->at = page[i].id;
        telling = tell(x, &page[i], now);
    }
    mem_free(page);
    if (telling)
        return;
    if (count < PAGE)
        end_round(x);
    else
        wake(x, 0);
}

struct objects_index *objects_index_new(struct objects *o)
{
    struct objects_index *x = mem_zalloc(1, sizeof(*x));

    x->objects = o;
    node_random(o->node, x->seed, sizeof(x->seed));
    cid_set_init(&x->told, x->seed);
    timer_init(&x->timer, on_timer);
    wake(x, 0);
    return x;
}

void objects_index_free(struct objects_index *x)
{
    if (x == NULL)
        return;
    x->objects->env->clock->set(x->objects->env->clock, &x->timer, MTIME_NEVER);
    dht_cancel(&x->op);
    cid_set_release(&x->told);
    mem_free(x);
}

void objects_index_held(struct objects_index *x, const struct cid *root)
{
    struct keeper_status *s = mem_alloc(sizeof(*s));
    struct cid name;
    bool is_new = objects_status(x->objects, root, s) == OK &&
                  index_of(s, &name) && !cid_set_has(&x->told, &name);

    mem_free(s);
    if (is_new && x->walking)
        x->has_again = true;
    else if (is_new)
        wake(x, 0);
}
