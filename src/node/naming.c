#include "node/naming.h"

#include <string.h>

#include "base/mem.h"
#include "base/strbuf.h"
#include "env/clock.h"
#include "env/env.h"
#include "kad/ipns.h"
#include "multiformats/cid.h"
#include "node/node.h"
#include "unixfs/ipfs_path.h"

/* What an empty value stands for: a block of no bytes. */
#define EMPTY_VALUE "/ipfs/bafkqaaa"

/* Cuts @prefix off @text if it begins so. */
static bool cut(struct bytes *text, const char *prefix)
{
    struct bytes want = bytes_str(prefix);

    if (text->len < want.len || !bytes_eq(bytes_sub(*text, 0, want.len), want))
        return false;
    *text = bytes_sub(*text, want.len, text->len - want.len);
    return true;
}

static bool cut_space(struct bytes *text)
{
    return cut(text, "/ipns/") || cut(text, "ipns://") || cut(text, "ipns/");
}

bool naming_is_name(struct bytes text)
{
    return cut_space(&text);
}

/* @a and @b, and a NUL. */
static char *join(struct bytes a, struct bytes b)
{
    char *text = mem_alloc(a.len + b.len + 1);

    if (a.len > 0)
        memcpy(text, a.p, a.len);
    if (b.len > 0)
        memcpy(text + a.len, b.p, b.len);
    text[a.len + b.len] = '\0';
    return text;
}

static enum err fault_name(struct naming *nm, enum err err, struct bytes name)
{
    fault_set(&nm->fault, ERROR_BAD_PEER_ID,
              "not a name of a key, such as k51... or 12D3KooW..., nor a "
              "domain",
              name);
    return err;
}

/* A name that was cut off. */
struct taken {
    bool is_domain;
    struct peer_id key;  /* else */
    struct bytes domain; /* view into the text */
};

/* Cut the name off @text, which the name space was cut off. */
static enum err take_name(struct naming *nm, struct bytes text,
                          struct taken *ret_name)
{
    struct bytes name;

    if (text.len > IPFS_PATH_BYTES_MAX) {
        fault_set(&nm->fault, ERROR_BAD_PATH, "the path is too long",
                  BYTES_EMPTY);
        return E_LIMIT;
    }
    if (!ipfs_path_next(&text, &name)) {
        fault_set(&nm->fault, ERROR_BAD_PATH, "there is no name in the path",
                  BYTES_EMPTY);
        return E_MALFORMED;
    }
    ret_name->domain = name;
    enum err err = peer_id_parse(name, &ret_name->key);
    ret_name->is_domain = err != OK && dnslink_is_domain(name);
    if (err != OK && !ret_name->is_domain)
        return fault_name(nm, err, name);
    char *rest = join(text, BYTES_EMPTY);
    mem_free(nm->rest);
    nm->rest = rest;
    return OK;
}

static struct mtime clock_now(const struct naming *nm)
{
    struct clock *clock = node_env(nm->node)->clock;

    return clock->now(clock);
}

static enum err ask_domain(struct naming *nm, struct bytes domain)
{
    char *copy = join(domain, BYTES_EMPTY);

    mem_free(nm->domain);
    nm->domain = copy;
    nm->depth++;
    enum err err =
        dnslink_start(&nm->dns, node_env(nm->node), domain, nm->give_up_at);
    if (err == E_MALFORMED)
        return fault_name(nm, err, domain);
    if (err != OK)
        fault_from_err(&nm->fault, err, "the name servers cannot be asked",
                       domain);
    return err;
}

static void ask_key(struct naming *nm, const struct peer_id *name,
                    struct mtime now)
{
    struct name_ask how = nm->config.ask;
    uint64_t left = mtime_ms_since(now, nm->give_up_at);

    how.timeout_ms = left > 0 ? (uint32_t)left : 1;
    nm->depth++;
    names_get(node_names(nm->node), &nm->op, name, &how, now);
}

static enum err ask(struct naming *nm, const struct taken *name,
                    struct mtime now)
{
    if (name->is_domain)
        return ask_domain(nm, name->domain);
    ask_key(nm, &name->key, now);
    return OK;
}

/* The value of a record as a path, a copy; NULL when it cannot be one. */
static char *path_of(struct bytes value)
{
    struct cid cid;

    if (value.len == 0)
        return mem_strdup(EMPTY_VALUE);
    if (value.p[0] != '/' && cid_decode(value, &cid) == OK) {
        char text[CID_TEXT_MAX];
        size_t len = cid_format(&cid, text);
        return join(BYTES_LIT("/ipfs/"), (struct bytes){(uint8_t *)text, len});
    }
    if (memchr(value.p, 0, value.len) != NULL)
        return NULL;
    return join(value, BYTES_EMPTY);
}

static void note_first(struct naming *nm, const struct ipns_record *r)
{
    nm->sequence = r->sequence;
    nm->eol = r->eol;
    nm->ttl_ns =
        r->has_ttl ? r->ttl_ns : (uint64_t)IPNS_TTL_DEFAULT_MS * 1000000;
}

static void fail(struct naming *nm, enum err err, enum error_id id,
                 const char *what, struct bytes where)
{
    fault_set(&nm->fault, id, what, where);
    nm->done(nm, err, clock_now(nm));
}

/* One step on: @path is what the record says, with what followed the name. */
static void follow(struct naming *nm, struct bytes path, struct mtime now)
{
    struct bytes rest = path;
    struct taken name;

    bool is_name = cut(&rest, "/ipns/");
    if (!is_name && !cut(&rest, "/ipfs/")) {
        fail(nm, E_UNSUPPORTED, ERROR_UNSUPPORTED,
             "the name stands for something that is not of IPFS", path);
        return;
    }
    if (!is_name || nm->config.one_step) {
        nm->path = join(path, BYTES_EMPTY);
        nm->done(nm, OK, now);
        return;
    }
    if (nm->depth == NAMING_DEPTH_MAX) {
        fail(nm, E_LIMIT, ERROR_LIMIT,
             "names stand for names, more than 32 in a row", BYTES_EMPTY);
        return;
    }
    enum err err = take_name(nm, rest, &name);
    if (err == OK)
        err = ask(nm, &name, now);
    if (err != OK)
        nm->done(nm, err, now);
}

/* What the name stands for, and what followed it. */
static void on_value(struct naming *nm, struct bytes in, struct mtime now)
{
    char *value = path_of(in);
    if (value == NULL) {
        fail(nm, E_MALFORMED, ERROR_BAD_PATH,
             "the name stands for something that is no path", in);
        return;
    }
    struct bytes rest = bytes_str(nm->rest);
    size_t len = strlen(value);
    while (rest.len > 0 && len > 0 && value[len - 1] == '/')
        len--;
    char *path = join((struct bytes){(uint8_t *)value, len}, rest);
    mem_free(value);
    name_op_cancel(&nm->op); /* the record is read */
    if (strlen(path) > IPFS_PATH_BYTES_MAX)
        fail(nm, E_LIMIT, ERROR_BAD_PATH, "the path is too long", BYTES_EMPTY);
    else
        follow(nm, bytes_str(path), now);
    mem_free(path);
}

static void on_domain(struct dnslink *d, enum err err, struct bytes value,
                      struct mtime now)
{
    struct naming *nm = container_of(d, struct naming, dns);

    if (err == OK) {
        on_value(nm, value, now);
        return;
    }
    if (err == E_NOTFOUND)
        fault_set(&nm->fault, ERROR_NOT_FOUND,
                  "the domain has no TXT record dnslink=/ipfs/... at _dnslink",
                  bytes_str(nm->domain));
    else
        fault_from_err(&nm->fault, err,
                       "the name servers do not tell what it stands for",
                       bytes_str(nm->domain));
    nm->done(nm, err, now);
}

static void on_record(struct name_op *op, enum err err, struct mtime now)
{
    struct naming *nm = container_of(op, struct naming, op);
    struct ipns_record r;

    if (err != OK) {
        nm->fault = op->fault;
        nm->done(nm, err, now);
        return;
    }
    err = ipns_decode(buf_bytes(op->record), &r);
    if (err != OK) {
        fail(nm, err, ERROR_BAD_RECORD, "the record is malformed", BYTES_EMPTY);
        return;
    }
    if (nm->depth == 1)
        note_first(nm, &r);
    on_value(nm, r.value, now);
}

enum err naming_start(struct naming *nm, struct node *node, struct bytes text,
                      const struct naming_config *config, struct mtime now)
{
    nm->path = NULL;
    nm->rest = NULL;
    nm->domain = NULL;
    nm->node = node;
    nm->config = *config;
    nm->depth = 0;
    memset(&nm->op, 0, sizeof(nm->op));
    memset(&nm->dns, 0, sizeof(nm->dns));
    nm->op.done = on_record;
    nm->dns.done = on_domain;
    uint32_t timeout_ms =
        config->ask.timeout_ms > 0 ? config->ask.timeout_ms : NAMES_GET_MS;
    nm->give_up_at = mtime_add_ms(now, timeout_ms);
    (void)cut_space(&text); /* a name alone is fine too */
    if (text.len > 0 && memchr(text.p, 0, text.len) != NULL)
        return fault_name(nm, E_MALFORMED, BYTES_EMPTY);
    struct taken name;
    enum err err = take_name(nm, text, &name);
    if (err != OK)
        return err;
    nm->is_domain = name.is_domain;
    nm->name = name.key;
    return ask(nm, &name, now);
}

void naming_release(struct naming *nm)
{
    name_op_cancel(&nm->op);
    dnslink_cancel(&nm->dns);
    mem_free(nm->rest);
    mem_free(nm->path);
    mem_free(nm->domain);
    nm->domain = NULL;
    nm->rest = NULL;
    nm->path = NULL;
}
