/* Attacks by what is behind an object: DAGs that are not as their record says,
 * audits and fetching back. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "attack_storage.h"
#include "base/mem.h"
#include "crypto/sha256.h"
#include "ipld/dag_pb.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {
    MIB = 1 << 20,
    KIB = 1 << 10,
    PIECES_MAX = 1024,
    LEAVES = 3,
    LEAF_BYTES = 1000,
    CHAIN = 300,
    WIDE = 20000,
    STALLED = 100, /* offers of what nobody has */
    HELD_MS = 25000,
    AUDITS = 16,
    BACKS = 400,
    /* What one who is asked again and again may be made to send. */
    BACK_BYTES_PER_S = 4 * MIB,
    DAGPB = 0x70,
    RAW = 0x55,
};

struct piece {
    struct cid cid;
    uint8_t *data; /* owned */
    size_t len;
};

/* One who has some blocks and gives them. */
struct giver {
    struct wants wants;
    struct piece pieces[PIECES_MAX];
    size_t count;
    uint64_t bytes;
    struct channel *out;
    uint64_t sent_bytes; /* of blocks */
    unsigned receipts;   /* that the daemon sent */
    unsigned notices;
    enum storage_reason reason; /* of the last notice */
};

/* Blocks. */

static const struct piece *add_piece(struct giver *g, uint64_t codec,
                                     const uint8_t *data, size_t len)
{
    uint8_t digest[32];
    struct piece *p = &g->pieces[g->count++];

    assert(g->count <= PIECES_MAX);
    sha256((struct bytes){.p = data, .len = len}, digest);
    p->cid = cid_from_digest(codec, digest);
    p->data = mem_dup(data, len);
    p->len = len;
    g->bytes += len;
    return p;
}

static const struct piece *add_leaf(struct giver *g, size_t len)
{
    uint8_t *data = mem_zalloc(1, len);

    random_fill(data, len < 64 ? len : 64);
    const struct piece *p = add_piece(g, RAW, data, len);
    mem_free(data);
    return p;
}

/* A node over the last @links pieces. */
static const struct piece *add_node(struct giver *g, size_t links)
{
    uint8_t *room = mem_alloc(links * 60 + 60);
    struct wr w = wr_init(room, links * 60 + 60);

    for (size_t i = g->count - links; i < g->count; i++)
        dag_pb_put_link(&w, &g->pieces[i].cid, BYTES_EMPTY, 1);
    const struct piece *p = add_piece(g, DAGPB, room, wr_len(&w));
    mem_free(room);
    return p;
}

/* A node with many links: all to the last piece, or to what nobody has. */
static const struct piece *add_wide(struct giver *g, size_t links, bool made_up)
{
    uint8_t *room = mem_alloc(links * 60 + 60);
    struct wr w = wr_init(room, links * 60 + 60);
    struct cid last =
        g->count > 0 ? g->pieces[g->count - 1].cid : made_up_cid();

    for (size_t i = 0; i < links; i++) {
        struct cid cid = made_up ? made_up_cid() : last;
        dag_pb_put_link(&w, &cid, BYTES_EMPTY, 1);
    }
    const struct piece *p = add_piece(g, DAGPB, room, wr_len(&w));
    mem_free(room);
    return p;
}

/* What the daemon asks. */

static void on_data(struct link *l, struct channel *c)
{
    struct giver *g = l->user;

    if (g != NULL)
        wants_take(&g->wants, c);
}

static void put_block(struct wr *w, const struct piece *p)
{
    uint8_t text[40];
    struct wr f = wr_init(text, sizeof(text));

    prefix_put(&f, &p->cid);
    block_put(w, storage_written(&f),
              (struct bytes){.p = p->data, .len = p->len});
}

static void give(struct link *l, struct giver *g, const struct cid *cid)
{
    static uint8_t room[3 * MIB];
    struct wr w = wr_init(room, sizeof(room));
    const struct piece *found = NULL;

    for (size_t i = 0; found == NULL && i < g->count; i++) {
        if (cid_eq(&g->pieces[i].cid, cid))
            found = &g->pieces[i];
    }
    if (found != NULL) {
        put_block(&w, found);
        g->sent_bytes += found->len;
    } else {
        presence_put(&w, cid, 1);
    }
    if (g->out == NULL || g->out->rst)
        g->out = channel_open(l, BITSWAP);
    if (g->out != NULL)
        (void)send_framed(l, g->out, storage_written(&w));
}

/* Whether there was a whole request in @c; it is answered. */
static bool serve_one(struct link *l, struct giver *g, struct channel *c)
{
    static struct storage_message m;
    struct bytes in;
    size_t used = channel_message(c, &in);

    if (used == 0)
        return false;
    if (storage_message_decode(in, &m) == OK) {
        g->receipts += m.type == STORAGE_RECEIPT;
        if (m.type == STORAGE_NOTICE) {
            g->notices++;
            g->reason = m.reason;
        }
    }
    channel_take(c, used);
    return send_framed(l, c, BYTES_LIT("\xa1\x61t\x62ok"));
}

static void serve(struct link *l, struct giver *g, uint32_t ms)
{
    link_pump(l, ms);
    for (size_t i = 0; i < CHANNELS_MAX && !l->closed; i++) {
        struct channel *c = &l->channels[i];
        if (c->id == 0 || !c->theirs || !c->agreed || c->len == 0)
            continue;
        on_data(l, c); /* also what came right behind the negotiation */
        while (c->protocol == SERVED_STORAGE && serve_one(l, g, c))
            continue;
    }
    size_t count;
    struct cid *list = wants_drain(&g->wants, &count);
    for (size_t i = 0; i < count && !l->closed; i++)
        give(l, g, &list[i]);
    mem_free(list);
}

static struct giver *giver_new(void)
{
    struct giver *g = mem_zalloc(1, sizeof(*g));

    wants_init(&g->wants);
    return g;
}

static void giver_free(struct giver *g)
{
    wants_release(&g->wants);
    for (size_t i = 0; i < g->count; i++)
        mem_free(g->pieces[i].data);
    mem_free(g);
}

static struct link *giver_link(struct run *r, struct giver *g)
{
    struct link *l = storage_keeper(r);

    l->user = g;
    l->on_data = on_data;
    return l;
}

struct link *storage_keeper(struct run *r)
{
    struct link *l = link_open(r);
    struct ma_ip ip = {.len = 4, .bytes = {127, 0, 0, 1}};

    l->member = true;
    l->keeper = true;
    l->where = multiaddr_from_ip_port(&ip, MA_TCP, 1); /* nobody is there */
    if (!l->closed)
        (void)link_secure(l);
    if (!l->closed)
        (void)link_alive(l, PATIENCE_MS);
    return l;
}

/* Offer the last piece as the root of a DAG of so much; wait for its end. */
static bool placed(struct link *l, struct giver *g, uint64_t bytes,
                   uint64_t blocks, uint32_t ms)
{
    struct privkey key = made_up_key();
    struct cid root = g->pieces[g->count - 1].cid;
    struct object_record f = record_fields(&root, bytes, blocks);
    uint64_t end = now_ms() + ms;
    const struct storage_message *answer =
        storage_offer(l, record_put(&f, &key));
    bool accepted = answer != NULL && answer->type == STORAGE_ACCEPT;

    if (answer != NULL && answer->type == STORAGE_REFUSE)
        note(l->run, "refused: %s", storage_reason_name(answer->reason));
    while (accepted && !l->closed && g->receipts + g->notices == 0 &&
           now_ms() < end)
        serve(l, g, 20);
    privkey_release(&key);
    return accepted && g->receipts > 0;
}

/* Pulls. */

enum dag {
    AS_TOLD,
    MORE_BYTES,
    MORE_BLOCKS,
    NO_DAG,
    DEEP,
    SAME_LINKS,
    MADE_UP_LINKS,
    LARGE_BLOCKS,
};

static void build(struct giver *g, enum dag kind)
{
    uint8_t garbage[500];

    switch (kind) {
    case AS_TOLD:
    case MORE_BYTES:
    case MORE_BLOCKS:
        for (size_t i = 0; i < LEAVES; i++)
            (void)add_leaf(g, LEAF_BYTES);
        (void)add_node(g, LEAVES);
        break;
    case NO_DAG:
        random_fill(garbage, sizeof(garbage));
        garbage[0] = 0xff;
        (void)add_piece(g, DAGPB, garbage, sizeof(garbage));
        break;
    case DEEP:
        (void)add_leaf(g, LEAF_BYTES);
        for (size_t i = 0; i < CHAIN; i++)
            (void)add_node(g, 1);
        break;
    case SAME_LINKS:
        (void)add_leaf(g, LEAF_BYTES);
        (void)add_wide(g, WIDE, false);
        break;
    case MADE_UP_LINKS:
        (void)add_wide(g, WIDE, true);
        break;
    case LARGE_BLOCKS:
        for (size_t i = 0; i < LEAVES; i++)
            (void)add_leaf(g, MIB);
        (void)add_node(g, LEAVES);
        break;
    }
}

static enum verdict pull(struct run *r, int kind)
{
    struct giver *g = giver_new();
    struct link *l = giver_link(r, g);

    build(g, (enum dag)kind);
    uint64_t bytes =
        kind == MORE_BYTES || kind == LARGE_BLOCKS ? LEAF_BYTES : g->bytes;
    uint64_t blocks = kind == MORE_BLOCKS ? LEAVES : g->count;
    if (kind == MADE_UP_LINKS) {
        blocks = WIDE + 1;
        bytes += WIDE;
    }
    bool kept =
        placed(l, g, bytes, blocks, kind == MADE_UP_LINKS ? 2000 : HELD_MS);
    enum verdict v = WRONG;
    if (kind == MADE_UP_LINKS)
        v = kept ? WRONG : ends(l, 0);
    else if (kind == AS_TOLD || kind == DEEP || kind == SAME_LINKS)
        v = kept ? ANSWERED : WRONG;
    else if (g->notices > 0 && !kept)
        v = g->reason == (kind == NO_DAG ? STORAGE_REASON_SOURCES
                                         : STORAGE_REASON_SIZE)
                ? ANSWERED
                : WRONG;
    note(r, "%u receipts, %u notices (%s), %llu wants, %llu KiB given",
         g->receipts, g->notices,
         g->notices > 0 ? storage_reason_name(g->reason) : "-",
         (unsigned long long)g->wants.seen,
         (unsigned long long)(g->sent_bytes >> 10));
    link_free(l);
    giver_free(g);
    return v;
}

/* Offers of what nobody has; an honest one of another must go on. */
static enum verdict stall(struct run *r, int count)
{
    struct link *l = link_session(r);
    unsigned accepted = 0;

    for (int i = 0; i < count && !l->closed; i++) {
        struct privkey key = made_up_key();
        struct cid root = made_up_cid();
        struct object_record f = record_fields(&root, 1000, 1);
        const struct storage_message *answer =
            storage_offer(l, record_put(&f, &key));
        accepted += answer != NULL && answer->type == STORAGE_ACCEPT;
        privkey_release(&key);
        sleep_ms(32);
    }
    struct giver *g = giver_new();
    uint64_t begin = now_ms();
    r->from ^= 0x00400000U; /* of another group of addresses */
    struct link *honest = giver_link(r, g);
    build(g, AS_TOLD);
    bool kept = placed(honest, g, g->bytes, g->count, HELD_MS);
    note(r, "%u of %d accepted; the honest one is %s after %llu ms", accepted,
         count, kept ? "kept" : "not kept",
         (unsigned long long)(now_ms() - begin));
    link_free(honest);
    giver_free(g);
    enum verdict v = ends_free(l, 0);
    return kept ? v : WRONG;
}

/* Audits. */

static const struct storage_message *audit(struct link *l,
                                           const struct cid *root,
                                           const struct cid *cids, size_t count)
{
    struct storage_message *m = storage_message_new(STORAGE_AUDIT);

    random_fill(m->nonce, sizeof(m->nonce));
    m->items_count = STORAGE_AUDIT_ITEMS_MAX;
    for (size_t i = 0; i < STORAGE_AUDIT_ITEMS_MAX; i++) {
        m->items[i].root = *root;
        m->items[i].cid = cids[i % count];
    }
    const struct storage_message *answer = storage_ask(l, m);
    mem_free(m);
    return answer;
}

static size_t present(const struct storage_message *answer)
{
    size_t count = 0;

    for (size_t i = 0; answer != NULL && answer->type == STORAGE_DIGESTS &&
                       i < answer->digests_count;
         i++)
        count += answer->digests[i].present;
    return count;
}

/* Blocks that the daemon has, but of nothing that it keeps for others. */
static enum verdict audit_not_held(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct cid root = r->cids_count > 0 ? r->cids[0] : made_up_cid();

    (void)unused;
    if (root.version != 1)
        root = made_up_cid();
    const struct storage_message *answer =
        audit(l, &root, r->cids_count > 0 ? r->cids : &root,
              r->cids_count > 0 ? r->cids_count : 1);
    bool fine = answer != NULL && answer->type == STORAGE_DIGESTS;
    size_t count = present(answer);
    note(r, "%zu digests", count);
    link_free(l);
    return fine && count == 0 ? ANSWERED : WRONG;
}

/* Blocks that the daemon has as a cache only, by the way of an object that it
 * keeps for us. */
static enum verdict audit_cache(struct run *r, int unused)
{
    struct giver *g = giver_new();
    struct link *l = giver_link(r, g);
    enum verdict v = BROKEN;

    (void)unused;
    (void)add_leaf(g, LEAF_BYTES);
    if (r->cids_count > 0 && placed(l, g, g->bytes, 1, HELD_MS)) {
        const struct cid *root = &g->pieces[0].cid;
        bool held = present(audit(l, root, root, 1)) > 0;
        size_t count = present(audit(l, root, r->cids, r->cids_count));
        note(r, "%zu digests", count);
        v = held && count == 0 ? ANSWERED : WRONG;
    }
    link_free(l);
    giver_free(g);
    return v;
}

/* The same large block 64 times, as fast as it goes. */
static enum verdict audit_again(struct run *r, int bytes)
{
    struct giver *g = giver_new();
    struct link *l = giver_link(r, g);
    unsigned answers = 0;
    unsigned busy = 0;

    (void)add_leaf(g, (size_t)bytes);
    if (!placed(l, g, g->bytes, 1, HELD_MS)) {
        link_free(l);
        giver_free(g);
        return BROKEN;
    }
    uint64_t begin = now_ms();
    for (int i = 0; i < AUDITS && !l->closed; i++) {
        const struct storage_message *answer =
            audit(l, &g->pieces[0].cid, &g->pieces[0].cid, 1);
        answers += present(answer) == STORAGE_AUDIT_ITEMS_MAX;
        busy += answer != NULL && answer->type == STORAGE_REFUSE;
    }
    note(r, "%u audits in %llu ms, %u refused", answers,
         (unsigned long long)(now_ms() - begin), busy);
    giver_free(g);
    l->user = NULL;
    enum verdict v = ends_free(l, 0);
    return answers > 0 ? v : WRONG;
}

/* A stranger audits blocks that are not of the object: the holder must not
 * fetch it all anew each time. */
static enum verdict audit_mends(struct run *r, int count)
{
    struct giver *g = giver_new();
    struct link *l = giver_link(r, g);

    (void)add_leaf(g, LEAF_BYTES);
    if (!placed(l, g, g->bytes, 1, HELD_MS)) {
        link_free(l);
        giver_free(g);
        return BROKEN;
    }
    struct cid root = g->pieces[0].cid;
    struct link *stranger = link_session(r);
    unsigned answers = 0;
    for (int i = 0; i < count && !stranger->closed; i++) {
        struct cid cid = made_up_cid();
        const struct storage_message *answer = audit(stranger, &root, &cid, 1);
        answers += answer != NULL && present(answer) == 0;
        serve(l, g, 10);
    }
    struct storage_message *m = storage_message_new(STORAGE_STATUS);
    note(r, "%u answers, %llu wants", answers,
         (unsigned long long)g->wants.seen);
    mem_free(m);
    link_free(stranger);
    enum verdict v = ends_free(l, 0);
    giver_free(g);
    return answers > 0 ? v : WRONG;
}

/* Fetching back. */

static struct storage_message *back_of(const struct peer_id *holder,
                                       const struct giver *g)
{
    struct storage_message *m = storage_message_new(STORAGE_FETCHBACK);

    m->root = made_up_cid();
    m->holder = *holder;
    m->cids_count = STORAGE_FETCHBACK_CIDS_MAX;
    for (size_t i = 0; i < m->cids_count; i++)
        m->cids[i] = g != NULL && g->count > 0 ? g->pieces[i % g->count].cid
                                               : made_up_cid();
    return m;
}

/* From one whom nobody knows. */
static enum verdict back_of_nobody(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct privkey key = made_up_key();
    struct peer_id holder = privkey_peer_id(&key);
    struct storage_message *m = back_of(&holder, NULL);
    const struct storage_message *answer = storage_ask(l, m);
    bool fine = answer != NULL && answer->type == STORAGE_FETCHED &&
                answer->result == STORAGE_FETCH_UNREACHABLE;

    (void)unused;
    mem_free(m);
    privkey_release(&key);
    link_free(l);
    return fine ? ANSWERED : WRONG;
}

/* From the one that is asked. */
static enum verdict back_of_itself(struct run *r, int unused)
{
    struct link *l = link_session(r);
    struct storage_message *m = back_of(&r->target, NULL);
    bool fine = storage_refused(l, m, STORAGE_REASON_INVALID);

    (void)unused;
    mem_free(m);
    link_free(l);
    return fine ? ANSWERED : WRONG;
}

/* Again and again from a victim, which must not be made to send without end. */
static enum verdict back_again(struct run *r, int kib)
{
    struct giver *g = giver_new();
    struct link *victim = giver_link(r, g);
    struct link *l = link_session(r);
    struct peer_id holder = privkey_peer_id(&victim->key);
    uint64_t begin = now_ms();
    uint64_t end = begin + 4 * (uint64_t)r->flood_ms + 1000;
    unsigned count = 0;

    for (size_t i = 0; i < STORAGE_FETCHBACK_CIDS_MAX; i++)
        (void)add_leaf(g, (size_t)kib * KIB);
    struct storage_message *m = back_of(&holder, g);
    while (now_ms() < end && count < BACKS && !l->closed && !victim->closed) {
        struct channel *c = storage_begin(l);
        struct wr w = storage_writer();
        if (c == NULL)
            break;
        storage_message_encode(&w, m);
        (void)send_framed(l, c, storage_written(&w));
        (void)link_frame(l, WINDOW, FIN, c->id, 0);
        count++;
        for (int i = 0; i < 5; i++)
            serve(victim, g, 5);
        link_pump(l, 0);
        c->id = 0; /* whatever it says */
    }
    uint64_t took = now_ms() - begin;
    uint64_t most = BACK_BYTES_PER_S * (took + 2000) / 1000;
    note(r, "%u asked in %llu ms: %llu MiB sent by the victim, %llu wants",
         count, (unsigned long long)took,
         (unsigned long long)(g->sent_bytes >> 20),
         (unsigned long long)g->wants.seen);
    bool fine = g->sent_bytes <= most;
    mem_free(m);
    link_free(victim);
    giver_free(g);
    enum verdict v = ends_free(l, 0);
    return fine ? v : WRONG;
}

static const struct attack rows[] = {
    {"storage_pull", "an honest object", ANSWERED, 0, 0, AS_TOLD, pull},
    {"storage_pull_bytes", "more bytes than the record says", ANSWERED, 0, 0,
     MORE_BYTES, pull},
    {"storage_pull_blocks", "more blocks than the record says", ANSWERED, 0, 0,
     MORE_BLOCKS, pull},
    {"storage_pull_large", "blocks larger than all of it", ANSWERED, 0, 0,
     LARGE_BLOCKS, pull},
    {"storage_pull_garbage", "a root that is none", ANSWERED, 0, 0, NO_DAG,
     pull},
    {"storage_pull_deep", "300 blocks one below the other", ANSWERED, 0, 0,
     DEEP, pull},
    {"storage_pull_same", "20,000 links to one block", ANSWERED, 0, 0,
     SAME_LINKS, pull},
    {"storage_pull_wide", "20,000 links to what nobody has", TOLERATED, 0, 0,
     MADE_UP_LINKS, pull},
    {"storage_stall", "100 offers of what nobody has", TOLERATED, 0, 0, STALLED,
     stall},
    {"storage_audit_not_held", "audit of what is not kept for others", ANSWERED,
     0, 0, 0, audit_not_held},
    {"cache_audit", "audit of what is cache only", ANSWERED, 0, DRIVEN, 0,
     audit_cache},
    {"storage_audit_again", "audits of one large block, no end", TOLERATED, 0,
     0, MIB, audit_again},
    {"storage_audit_mends", "audits by a stranger of what is not of the object",
     TOLERATED, 0, 0, 20, audit_mends},
    {"storage_back_nobody", "fetch back from nobody", ANSWERED, 0, 0, 0,
     back_of_nobody},
    {"storage_back_itself", "fetch back from itself", ANSWERED, 0, 0, 0,
     back_of_itself},
    {"storage_back_again", "fetch back 1 MiB again and again", TOLERATED, 0, 0,
     64, back_again},
};

struct attacks attacks_storage_dags(void)
{
    return (struct attacks){.rows = rows, .count = COUNT(rows)};
}
