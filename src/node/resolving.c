#include "node/resolving.h"

#include <string.h>

#include "base/mem.h"
#include "env/clock.h"
#include "env/env.h"
#include "ipld/block.h"
#include "node/node.h"

static void fault_text(struct resolving *r, enum err err, struct bytes text)
{
    const struct bytes space = BYTES_LIT("/ipfs/");
    bool is_other =
        text.len > 0 && text.p[0] == '/' &&
        (text.len < space.len || memcmp(text.p, space.p, space.len) != 0);

    if (err == E_UNSUPPORTED && is_other)
        fault_set(&r->fault, ERROR_UNSUPPORTED,
                  "only CIDs and paths of /ipfs/ and /ipns/ can be looked up",
                  text);
    else if (err == E_LIMIT)
        fault_set(&r->fault, ERROR_BAD_PATH, "the path is too long", text);
    else
        fault_set(&r->fault, ERROR_BAD_CID, NULL, text);
}

/* What the core says of a block, in words for who gave the path. */
static void fault_step(struct resolving *r, enum err err)
{
    size_t index;
    struct bytes segment = path_resolver_segment(&r->core, &index);
    struct bytes text = bytes_str(r->text);

    if (err == E_NOTFOUND)
        fault_set(&r->fault, ERROR_NOT_FOUND,
                  "the folder has no entry of this name", segment);
    else if (err == E_UNSUPPORTED)
        fault_set(&r->fault, ERROR_NOT_A_DIRECTORY,
                  "what comes before this name is no folder", segment);
    else
        fault_set(&r->fault, ERROR_BAD_BLOCK,
                  "a block on the path is malformed", text);
}

static void step(struct resolving *r, struct block *last, struct mtime now)
{
    struct cid want;

    if (path_resolver_want(&r->core, &want)) {
        fetch_get(r->fetch, &r->op, &want, 0, 0);
        return;
    }
    enum err err = path_resolver_result(&r->core, &r->result);
    if (err == OK)
        r->block = block_ref(last);
    r->done(r, err, now);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct resolving *r = container_of(op, struct resolving, op);

    if (err != OK) {
        r->fault = *fetch_fault(r->fetch);
        r->done(r, err, now);
        return;
    }
    err = path_resolver_on_block(&r->core, block);
    if (err != OK) {
        fault_step(r, err);
        r->done(r, err, now);
        return;
    }
    step(r, block, now);
}

/* Begin at the CID: @text is "/ipfs/CID/..." or alike. */
static enum err start_path(struct resolving *r, struct bytes text)
{
    char *copy = mem_alloc(text.len + 1);

    if (text.len > 0)
        memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    enum err err =
        ipfs_path_parse((struct bytes){(uint8_t *)copy, text.len}, &r->path);
    if (err != OK) {
        fault_text(r, err, text);
        mem_free(copy);
        return err;
    }
    r->text = copy;
    r->op.done = on_block;
    path_resolver_init(&r->core, &r->path);
    struct cid want;
    bool wants = path_resolver_want(&r->core, &want);
    (void)wants; /* the root's block always is */
    fetch_get(r->fetch, &r->op, &want, 0, 0);
    return OK;
}

static void on_named(struct naming *nm, enum err err, struct mtime now)
{
    struct resolving *r = container_of(nm, struct resolving, naming);

    if (err != OK)
        r->fault = nm->fault;
    else
        err = start_path(r, bytes_str(nm->path));
    if (err != OK)
        r->done(r, err, now);
}

static enum err start_name(struct resolving *r, struct bytes text)
{
    struct node *n;
    const struct fetch_config *how = fetch_how(r->fetch, &n);
    struct clock *clock = node_env(n)->clock;
    struct naming_config config = {
        .ask = {.timeout_ms = how->timeout_ms, .local_only = how->local_only},
    };

    r->is_naming = true;
    r->naming.done = on_named;
    enum err err =
        naming_start(&r->naming, n, text, &config, clock->now(clock));
    if (err != OK)
        r->fault = r->naming.fault;
    return err;
}

enum err resolving_start(struct resolving *r, struct fetch *fetch,
                         struct bytes text)
{
    r->block = NULL;
    r->text = NULL;
    r->is_naming = false;
    memset(&r->op, 0, sizeof(r->op));
    r->fetch = fetch;
    if (text.len > IPFS_PATH_BYTES_MAX) {
        fault_text(r, E_LIMIT, BYTES_EMPTY);
        return E_LIMIT;
    }
    return naming_is_name(text) ? start_name(r, text) : start_path(r, text);
}

void resolving_release(struct resolving *r)
{
    if (r->is_naming)
        naming_release(&r->naming);
    r->is_naming = false;
    if (r->text == NULL)
        return;
    fetch_cancel(&r->op);
    path_resolver_release(&r->core);
    block_unref(r->block);
    r->block = NULL;
    mem_free(r->text);
    r->text = NULL;
}
