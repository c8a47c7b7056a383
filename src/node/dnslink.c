#include "node/dnslink.h"

#include <string.h>

#include "env/env.h"

static const char prefix[] = "_dnslink.";

_Static_assert((int)DNSLINK_DOMAIN_MAX + sizeof(prefix) - 1 == NET_NAME_MAX,
               "a name with the prefix can be asked for");

static bool begins(struct bytes text, struct bytes with)
{
    return text.len >= with.len && memcmp(text.p, with.p, with.len) == 0;
}

bool dnslink_is_domain(struct bytes name)
{
    return name.len > 0 && memchr(name.p, '.', name.len) != NULL;
}

struct bytes dnslink_choose(const struct bytes *texts, size_t count)
{
    const struct bytes key = BYTES_LIT("dnslink=");

    for (size_t i = 0; i < count; i++) {
        if (!begins(texts[i], key))
            continue;
        struct bytes value =
            bytes_sub(texts[i], key.len, texts[i].len - key.len);
        if (begins(value, BYTES_LIT("/ipfs/")) ||
            begins(value, BYTES_LIT("/ipns/")))
            return value;
    }
    return BYTES_EMPTY;
}

static void finish(struct dnslink *d, enum err err, struct bytes value,
                   struct mtime now)
{
    d->busy = false;
    d->env->clock->set(d->env->clock, &d->timer, MTIME_NEVER);
    d->done(d, err, value, now);
}

static void on_texts(struct net_lookup *l, enum err err, struct mtime now)
{
    struct dnslink *d = container_of(l, struct dnslink, lookup);
    struct bytes value = BYTES_EMPTY;

    if (err == OK)
        value = dnslink_choose(l->texts, l->texts_count);
    finish(d, err == OK && value.len == 0 ? E_NOTFOUND : err, value, now);
}

static void on_time(struct timer *t, struct mtime now)
{
    struct dnslink *d = container_of(t, struct dnslink, timer);

    d->env->net->lookup_cancel(d->env->net, &d->lookup);
    finish(d, E_TIMEOUT, BYTES_EMPTY, now);
}

enum err dnslink_start(struct dnslink *d, const struct env *env,
                       struct bytes domain, struct mtime until)
{
    uint8_t name[NET_NAME_MAX];
    size_t prefix_len = sizeof(prefix) - 1;

    if (!dnslink_is_domain(domain))
        return E_MALFORMED;
    if (domain.len > DNSLINK_DOMAIN_MAX)
        return E_LIMIT;
    memcpy(name, prefix, prefix_len);
    memcpy(name + prefix_len, domain.p, domain.len);
    d->env = env;
    d->lookup.done = on_texts;
    timer_init(&d->timer, on_time);
    enum err err =
        env->net->lookup(env->net, &d->lookup, NET_LOOKUP_TXT,
                         (struct bytes){name, prefix_len + domain.len});
    if (err != OK)
        return err;
    d->busy = true;
    env->clock->set(env->clock, &d->timer, until);
    return OK;
}

void dnslink_cancel(struct dnslink *d)
{
    if (!d->busy)
        return;
    d->busy = false;
    d->env->net->lookup_cancel(d->env->net, &d->lookup);
    d->env->clock->set(d->env->clock, &d->timer, MTIME_NEVER);
}
