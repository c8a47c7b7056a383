#include "base/strbuf.h"
#include "env/env.h"
#include "node/log.h"
#include "node/node.h"
#include "node/objects_priv.h"

enum { NUMBER_TEXT_MAX = 24 };

/* What an operator should see at the usual level, and what not. */
static enum log_level level_of(const struct keeper_out *out)
{
    switch (out->event) {
    case KEEPER_EVENT_OFFERED:
    case KEEPER_EVENT_ACCEPTED:
    case KEEPER_EVENT_REFUSED:
    case KEEPER_EVENT_AUDIT_PASSED:
    case KEEPER_EVENT_FETCHED_BACK:
    case KEEPER_EVENT_PULLING:
        return LOG_DEBUG;
    case KEEPER_EVENT_COPY:
    case KEEPER_EVENT_REPAIRING:
    case KEEPER_EVENT_REPAIRED:
    case KEEPER_EVENT_HELD:
    case KEEPER_EVENT_RELEASED:
    case KEEPER_EVENT_GONE:
    case KEEPER_EVENT_RECOVERED:
        return LOG_INFO;
    case KEEPER_EVENT_STATE:
        return out->state == KEEPER_LOST || out->state == KEEPER_DEGRADED
                   ? LOG_WARNING
                   : LOG_INFO;
    case KEEPER_EVENT_SILENT:
    case KEEPER_EVENT_GIVEN_UP:
    case KEEPER_EVENT_AUDIT_FAILED:
    case KEEPER_EVENT_PULL_FAILED:
    case KEEPER_EVENT_BAD_PEER:
    case KEEPER_EVENT_DOUBT:
        return LOG_WARNING;
    }
    return LOG_INFO;
}

static void log_peer(struct log_line *line, const char *key,
                     const struct peer_id *peer)
{
    char text[PEER_ID_TEXT_MAX];

    if (peer->len > 0)
        log_str(line, key,
                (struct bytes){(uint8_t *)text, peer_id_format(peer, text)});
}

static void log_number(struct log_line *line, const char *key, uint64_t number)
{
    struct strbuf s;

    strbuf_init(&s, NUMBER_TEXT_MAX);
    strbuf_u64(&s, number);
    log_str(line, key, strbuf_bytes(&s));
    strbuf_release(&s);
}

static void log_event(struct objects *o, const struct keeper_out *out)
{
    struct log_line line;
    char root[CID_TEXT_MAX];

    log_begin(&line, node_log(o->node), level_of(out), "objects",
              keeper_event_name(out->event));
    if (out->root.hash.len > 0)
        log_str(&line, "root",
                (struct bytes){(uint8_t *)root, cid_format(&out->root, root)});
    log_peer(&line, "peer", &out->peer);
    log_peer(&line, "other", &out->other);
    if (out->event == KEEPER_EVENT_STATE)
        log_str(&line, "state", bytes_str(keeper_state_name(out->state)));
    if (out->reason != NULL)
        log_str(&line, "reason", bytes_str(out->reason));
    if (out->err != OK)
        log_str(&line, "error", bytes_str(err_name(out->err)));
    if (out->wanted > 0) {
        log_number(&line, "copies", out->count);
        log_number(&line, "wanted", out->wanted);
    }
    log_end(&line);
}

/* What was seen of a peer counts for its quality. */
static void judge(struct objects *o, const struct keeper_out *out,
                  struct mtime now)
{
    struct peering *p = node_peering(o->node);

    if (p == NULL || !o->online || out->peer.len == 0)
        return;
    if (out->event == KEEPER_EVENT_AUDIT_PASSED)
        peering_event(p, &out->peer, QUALITY_AUDIT_PASSED, 0, now);
    else if (out->event == KEEPER_EVENT_AUDIT_FAILED)
        peering_event(p, &out->peer, QUALITY_AUDIT_FAILED, 0, now);
    else if (out->event == KEEPER_EVENT_SILENT)
        peering_event(p, &out->peer, QUALITY_UNANSWERED, 0, now);
    else if (out->event == KEEPER_EVENT_BAD_PEER)
        peering_event(p, &out->peer, QUALITY_FAULT, QUALITY_SEVERITY_MAX / 2,
                      now);
}

void objects_event(struct objects *o, const struct keeper_out *out,
                   struct mtime now)
{
    struct list told;

    log_event(o, out);
    if (out->event == KEEPER_EVENT_HELD && o->index != NULL)
        objects_index_held(o->index, &out->root);
    judge(o, out, now);
    /* A watcher may go while it is told, and so may any other. */
    list_init(&told);
    while (!list_empty(&o->watchers)) {
        struct list *first = list_first(&o->watchers);
        struct objects_watcher *w =
            container_of(first, struct objects_watcher, link);
        list_remove(first);
        list_add_tail(&told, first);
        w->on_event(w, out, now);
    }
    while (!list_empty(&told)) {
        struct list *first = list_first(&told);
        list_remove(first);
        list_add_tail(&o->watchers, first);
    }
}
