/* What names stand for. */
#include <string.h>

#include "base/mem.h"
#include "sim/clock.h"
#include "sim/net_priv.h"

enum {
    ANSWER_NS = 20 * SIM_MS,
    LABEL_MAX = 63,
    PRINTABLE_FIRST = 0x21,
    PRINTABLE_LAST = 0x7e
};

struct lookup {
    struct list link; /* in host.lookups */
    struct sim_host *host;
    struct net_lookup *user;
    enum net_lookup_kind kind;
    char *name;
    struct timer answer;
    struct bytes texts[NET_LOOKUP_TEXTS_MAX];
    struct net_addr addrs[NET_LOOKUP_ADDRS_MAX];
};

static enum err check_name(struct bytes name)
{
    size_t label = 0;

    if (name.len > NET_NAME_MAX)
        return E_LIMIT;
    for (size_t i = 0; i < name.len; i++) {
        bool dot = name.p[i] == '.';
        if (dot && label == 0)
            return E_MALFORMED;
        if (name.p[i] < PRINTABLE_FIRST || name.p[i] > PRINTABLE_LAST)
            return E_MALFORMED;
        label = dot ? 0 : label + 1;
        if (label > LABEL_MAX)
            return E_MALFORMED;
    }
    return label == 0 ? E_MALFORMED : OK;
}

static void free_lookup(struct lookup *l)
{
    sim_clock_set(l->host->clock, &l->answer, MTIME_NEVER);
    l->host->lookups_count--;
    list_remove(&l->link);
    mem_free(l->name);
    mem_free(l);
}

static void collect(struct lookup *l)
{
    struct net_lookup *user = l->user;
    bool text = l->kind == NET_LOOKUP_TXT;

    user->texts = l->texts;
    user->texts_count = 0;
    user->addrs = l->addrs;
    user->addrs_count = 0;
    list_for_each (it, &l->host->of->names) {
        const struct sim_name_entry *e =
            container_of(it, struct sim_name_entry, link);
        if (strcmp(e->name, l->name) != 0 || (e->text != NULL) != text)
            continue;
        if (text && user->texts_count < NET_LOOKUP_TEXTS_MAX)
            l->texts[user->texts_count++] = bytes_str(e->text);
        if (!text && user->addrs_count < NET_LOOKUP_ADDRS_MAX)
            l->addrs[user->addrs_count++] = e->addr;
    }
}

static void on_answer(struct timer *t, struct mtime now)
{
    struct lookup *l = container_of(t, struct lookup, answer);
    struct net_lookup *user = l->user;

    collect(l);
    bool found = user->texts_count > 0 || user->addrs_count > 0;
    enum err err = l->host->clock->dead ? E_IO : found ? OK : E_NOTFOUND;
    list_remove(&l->link);
    list_init(&l->link);
    user->priv = NULL;
    user->done(user, err, now);
    free_lookup(l);
}

static enum err do_lookup(struct net *net, struct net_lookup *user,
                          enum net_lookup_kind kind, struct bytes name)
{
    struct sim_host *h = sim_host_of(net);

    if (name.len > 0 && name.p[name.len - 1] == '.')
        name.len--;
    enum err err = check_name(name);
    if (err != OK)
        return err;
    if (h->lookups_count == NET_LOOKUPS_MAX)
        return E_LIMIT;
    struct lookup *l = mem_zalloc(1, sizeof(*l));
    l->host = h;
    l->user = user;
    l->kind = kind;
    l->name = mem_zalloc(1, name.len + 1);
    memcpy(l->name, name.p, name.len);
    timer_init(&l->answer, on_answer);
    list_add_tail(&h->lookups, &l->link);
    h->lookups_count++;
    user->priv = l;
    sim_clock_after(h->clock, &l->answer,
                    ANSWER_NS + sim_rand_below(&h->rand, ANSWER_NS));
    return OK;
}

static void do_cancel(struct net *net, struct net_lookup *user)
{
    (void)net; /* the lookup knows */
    free_lookup(user->priv);
    user->priv = NULL;
}

void sim_lookup_ops(struct net *net)
{
    net->lookup = do_lookup;
    net->lookup_cancel = do_cancel;
}
