#include "node/bringing.h"

#include <string.h>

#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "node/announce.h"
#include "node/node.h"
#include "node/pull.h"
#include "store/store.h"

struct bringing {
    struct node *node;
    struct bringing_config config;
    struct cid root;
    uint8_t name[KEEPER_NAME_MAX];
    struct pull *pull;
    struct store_pin_op op;
    struct store_pin pin;
    bool pinning;
    bool is_freed; /* while it was being pinned */
    struct fault fault;
};

static void set_fault(struct bringing *b, enum err err, const char *what)
{
    char text[CID_TEXT_MAX];
    size_t len = cid_format(&b->root, text);

    fault_from_err(&b->fault, err, what, (struct bytes){(uint8_t *)text, len});
}

static void on_progress(void *user, struct mtime now)
{
    struct bringing *b = user;

    if (b->config.on_progress != NULL)
        b->config.on_progress(b->config.user, now);
}

static void free_it(struct bringing *b)
{
    pull_free(b->pull);
    mem_free(b);
}

static void on_pinned(struct store_pin_op *op, enum err err, struct mtime now)
{
    struct bringing *b = container_of(op, struct bringing, op);

    b->pinning = false;
    if (err == OK)
        announce_root(node_announce(b->node), &b->root.hash, now);
    else
        set_fault(b, err, "the pin cannot be stored");
    if (b->is_freed)
        free_it(b);
    else
        b->config.done(b->config.user, err, now);
}

/* What the pull protects is protected until the pin counts it. */
static void on_pulled(void *user, enum err err, struct mtime now)
{
    struct bringing *b = user;

    if (err != OK) {
        const struct fault *why = pull_fault(b->pull);
        if (why != NULL && err != E_LIMIT)
            b->fault = *why;
        else
            set_fault(b, err, "it is larger than its record says");
        b->config.done(b->config.user, err, now);
        return;
    }
    b->op.done = on_pinned;
    b->pinning = true;
    err = store_pin(node_store(b->node), &b->op, &b->pin);
    if (err != OK)
        on_pinned(&b->op, err, now);
}

static size_t holders_of(const struct keeper_status *s,
                         struct peer_id dst[static KEEPER_HOLDERS_MAX])
{
    for (size_t i = 0; i < s->holders_count; i++)
        dst[i] = s->holders[i].peer;
    return s->holders_count;
}

struct bringing *bringing_new(struct node *n,
                              const struct bringing_config *config,
                              struct mtime now)
{
    struct bringing *b = mem_zalloc(1, sizeof(*b));
    const struct keeper_status *status = config->status;
    struct clock *clock = node_env(n)->clock;
    struct peer_id peers[KEEPER_HOLDERS_MAX];
    struct pull_config pull = {
        .root = status->root,
        .peers = peers,
        .peers_count = holders_of(status, peers),
        .size_bytes = status->size_bytes,
        .blocks = status->blocks,
        .timeout_ms =
            config->timeout_ms > 0 ? config->timeout_ms : BRINGING_STILL_MS,
        .on_progress = on_progress,
        .done = on_pulled,
        .user = b,
    };

    b->node = n;
    b->config = *config;
    b->config.status = NULL;
    b->root = status->root;
    memcpy(b->name, status->name, status->name_len);
    b->pin = (struct store_pin){
        .kind = STORE_PIN_RECURSIVE,
        .cid = status->root,
        .created_ms = clock->unix_ms(clock),
        .name = {b->name,
                 status->name_len <= STORE_PIN_NAME_MAX ? status->name_len : 0},
    };
    b->pull = pull_new(n, &pull, now);
    return b;
}

void bringing_free(struct bringing *b)
{
    if (b == NULL)
        return;
    if (b->pinning)
        b->is_freed = true; /* what was begun comes to its end */
    else
        free_it(b);
}

uint64_t bringing_bytes(const struct bringing *b)
{
    uint64_t bytes = 0;

    (void)pull_blocks(b->pull, &bytes);
    return bytes;
}

const struct fault *bringing_fault(const struct bringing *b)
{
    return &b->fault;
}
