/* /api/v1/ipns, /ipns-records: names that stand for content. */
#include "kad/ipns.h"

#include <string.h>

#include "api/request.h"
#include "base/mem.h"
#include "kad/rfc3339.h"
#include "node/names.h"
#include "node/naming.h"
#include "node/node.h"
#include "unixfs/ipfs_path.h"

enum { TTL_S_MAX = 366 * 24 * 3600, TIMEOUT_S_MAX = 7 * 24 * 3600 };

static const uint64_t ns_per_s = 1000000000;

/* "k51..." */
static json_t *json_name(const struct peer_id *name)
{
    char text[IPNS_NAME_TEXT_MAX];

    (void)ipns_name_format(name, text);
    return json_string(text);
}

static json_t *json_ttl(uint64_t ttl_ns)
{
    if (ttl_ns % ns_per_s == 0)
        return json_integer((json_int_t)(ttl_ns / ns_per_s));
    return json_real((double)ttl_ns / (double)ns_per_s);
}

/* @value: where the name leads. */
static json_t *json_record(const struct peer_id *name, struct bytes value,
                           uint64_t sequence, const struct unix_time *eol,
                           uint64_t ttl_ns)
{
    /* Whoever signs may choose it; JSON's integers end sooner. */
    uint64_t shown = sequence < INT64_MAX ? sequence : INT64_MAX;

    return json_pack("{s:o,s:o,s:I,s:o,s:o}", "name", json_name(name), "value",
                     json_text(value), "sequence", (json_int_t)shown,
                     "validity", json_time_ms(unix_time_to_ms(eol)), "ttl_s",
                     json_ttl(ttl_ns));
}

/* Resolving. */

struct resolve {
    struct request *q;
    struct naming naming;
};

static void cancel_resolve(struct request *q)
{
    struct resolve *r = q->op;

    naming_release(&r->naming);
    mem_free(r);
}

/* What a domain says is not signed, and has neither number nor end. */
static json_t *json_domain(const struct naming *nm, struct bytes tail)
{
    struct bytes domain = BYTES_EMPTY;

    (void)ipfs_path_next(&tail, &domain); /* it was found there */
    return json_pack("{s:o,s:o}", "name", json_text(domain), "value",
                     json_text(bytes_str(nm->path)));
}

static void on_resolved(struct naming *nm, enum err err, struct mtime now)
{
    struct resolve *r = container_of(nm, struct resolve, naming);

    (void)now;
    if (err != OK)
        reply_fault(r->q, &nm->fault);
    else if (nm->is_domain)
        reply_json(r->q, 200, json_domain(nm, bytes_str(r->q->tail)));
    else
        reply_json(r->q, 200,
                   json_record(&nm->name, bytes_str(nm->path), nm->sequence,
                               &nm->eol, nm->ttl_ns));
}

void handle_ipns_resolve(struct request *q, struct mtime now)
{
    bool good = true;
    struct naming_config config = {.one_step = false};

    config.ask.timeout_ms = request_timeout_ms(q, &good);
    config.one_step = good && !request_flag(q, "recursive", true, &good);
    config.ask.no_cache = good && request_flag(q, "nocache", false, &good);
    if (!good)
        return;
    struct resolve *r = mem_zalloc(1, sizeof(*r));
    r->q = q;
    r->naming.done = on_resolved;
    q->op = r;
    q->cancel = cancel_resolve;
    if (naming_start(&r->naming, q->node, bytes_str(q->tail), &config, now) !=
        OK)
        reply_fault(q, &r->naming.fault);
}

/* One record: publishing, getting, putting. */

struct record {
    struct request *q;
    struct name_op op;
    struct peer_id name;
    struct strbuf body;
    uint32_t timeout_ms;
};

static void cancel_record(struct request *q)
{
    struct record *r = q->op;

    name_op_cancel(&r->op);
    strbuf_release(&r->body);
    mem_free(r);
}

static struct record *begin(struct request *q)
{
    struct record *r = mem_zalloc(1, sizeof(*r));

    r->q = q;
    strbuf_init(&r->body, IPNS_RECORD_MAX);
    q->op = r;
    q->cancel = cancel_record;
    return r;
}

static void on_changed(struct name_op *op, enum err err, struct mtime now)
{
    struct record *r = container_of(op, struct record, op);
    struct ipns_record record;

    (void)now;
    if (err == OK)
        err = ipns_decode(buf_bytes(op->record), &record);
    if (err != OK) {
        reply_fault(r->q, &op->fault);
        return;
    }
    json_t *v =
        json_record(&r->name, record.value, record.sequence, &record.eol,
                    record.has_ttl ? record.ttl_ns
                                   : (uint64_t)IPNS_TTL_DEFAULT_MS * 1000000);
    json_object_set_new(v, "peers", json_integer(op->peers));
    reply_json(r->q, 200, v);
}

/* What the name is to stand for, as it stands in the record. */
static bool take_value(struct request *q, const char *text, struct strbuf *out)
{
    struct bytes rest = bytes_str(text);
    struct ipfs_path path;
    struct peer_id name;
    struct bytes segment;
    char cid[CID_TEXT_MAX];

    if (naming_is_name(rest)) {
        struct bytes after = bytes_str(text + (text[0] == '/'));
        (void)ipfs_path_next(&after, &segment);
        if (!ipfs_path_next(&after, &segment) ||
            peer_id_parse(segment, &name) != OK) {
            reply_error(q, ERROR_BAD_PEER_ID, "not a name of a key", text);
            return false;
        }
        char name_text[IPNS_NAME_TEXT_MAX];
        (void)ipns_name_format(&name, name_text);
        strbuf_str(out, "/ipns/");
        strbuf_str(out, name_text);
        strbuf_add(out, after);
        return true;
    }
    if (ipfs_path_parse(rest, &path) != OK) {
        reply_error(q, ERROR_BAD_CID, "not a CID or a path of content", text);
        return false;
    }
    (void)cid_format(&path.root, cid);
    strbuf_str(out, "/ipfs/");
    strbuf_str(out, cid);
    strbuf_add(out, path.rest);
    return true;
}

void handle_ipns_publish(struct request *q, struct mtime now)
{
    struct names *names = node_names(q->node);
    if (!request_fields(q))
        return;

    const char *text = json_string_value(json_object_get(q->body, "value"));
    json_int_t ttl_s = json_integer_value(json_object_get(q->body, "ttl_s"));
    json_int_t timeout_s =
        json_integer_value(json_object_get(q->body, "timeout_s"));
    if (text == NULL) {
        reply_error(q, ERROR_BAD_REQUEST, "value: a path is wanted", NULL);
        return;
    }
    if (ttl_s < 0 || ttl_s > TTL_S_MAX || timeout_s < 0 ||
        timeout_s > TIMEOUT_S_MAX) {
        reply_error(q, ERROR_BAD_VALUE, "not a number within the limits",
                    timeout_s < 0 || timeout_s > TIMEOUT_S_MAX ? "timeout_s"
                                                               : "ttl_s");
        return;
    }
    struct record *r = begin(q);
    if (!take_value(q, text, &r->body))
        return;
    r->name = names_self(names);
    r->op.done = on_changed;
    if (names_publish(names, &r->op, strbuf_bytes(&r->body),
                      (uint64_t)ttl_s * ns_per_s, (uint32_t)timeout_s * 1000,
                      now) != OK)
        reply_fault(q, &r->op.fault);
}

static bool take_name(struct request *q, struct peer_id *ret_name)
{
    if (ipns_name_parse(bytes_str(q->tail), ret_name) == OK)
        return true;
    reply_error(q, ERROR_BAD_PEER_ID,
                "not a name of a key, such as k51... or 12D3KooW...", q->tail);
    return false;
}

static void on_got(struct name_op *op, enum err err, struct mtime now)
{
    struct record *r = container_of(op, struct record, op);
    struct request *q = r->q;

    (void)now;
    if (err != OK) {
        reply_fault(q, &op->fault);
        return;
    }
    reply_bytes_begin(q, 200, "application/vnd.ipfs.ipns-record", NULL, 0,
                      op->record->len);
    (void)reply_bytes(q, slice_of(op->record, buf_bytes(op->record)));
    reply_bytes_end(q, false);
}

void handle_ipns_get(struct request *q, struct mtime now)
{
    bool good = true;
    struct name_ask how = {.timeout_ms = request_timeout_ms(q, &good)};
    struct peer_id name;

    how.no_cache = good && request_flag(q, "nocache", false, &good);
    if (!good || !take_name(q, &name))
        return;
    struct record *r = begin(q);
    r->op.done = on_got;
    names_get(node_names(q->node), &r->op, &name, &how, now);
}

static void on_body(struct request *q, struct bytes in, struct mtime now)
{
    struct record *r = q->op;

    (void)now;
    strbuf_add(&r->body, in);
    if (strbuf_full(&r->body))
        reply_error(q, ERROR_TOO_LARGE, "a record is at most 10 KiB", NULL);
}

static void on_body_end(struct request *q, struct mtime now)
{
    struct record *r = q->op;

    r->op.done = on_changed;
    if (names_put(node_names(q->node), &r->op, &r->name, strbuf_bytes(&r->body),
                  r->timeout_ms, now) != OK)
        reply_fault(q, &r->op.fault);
}

void handle_ipns_put(struct request *q, struct mtime now)
{
    bool good = true;
    uint32_t timeout_ms = request_timeout_ms(q, &good);
    struct peer_id name;

    (void)now;
    if (!good || !take_name(q, &name))
        return;
    struct record *r = begin(q);
    r->name = name;
    r->timeout_ms = timeout_ms;
    q->on_body = on_body;
    q->on_body_end = on_body_end;
}
