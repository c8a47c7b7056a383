#ifndef TEST_UNIT_STORAGE_KEEPER_NET_H
#define TEST_UNIT_STORAGE_KEEPER_NET_H

#include "base/bytes.h"
#include "base/err.h"
#include "env/rng.h"
#include "multiformats/cid.h"
#include "multiformats/key.h"
#include "storage/keeper.h"
#include "storage/placement.h"

#include "test.h"

/*
 * keeper_net - a network of keepers in memory, in virtual time.
 *
 * Messages take a few milliseconds, a seed decides how many; who is down or
 * on the other side of a partition does not answer.  A pull succeeds when a
 * source that can be reached has the object.  What a node has stored survives
 * its end; what was not answered yet does not.
 */

enum {
    NET_NODES_MAX = 24,
    NET_ROOTS_MAX = 64,
    NET_ROWS_MAX = 300,
    NET_BLOCKS = 20, /* of each object */
    NET_GRACE_MS = 60 * 1000,
    NET_AUDIT_MS = 40 * 1000,
    NET_OBJECT_BYTES = 100000,
};

/** struct net_row - one row of a node's table. */
struct net_row {
    uint8_t key[KEEPER_KEY_MAX];
    size_t key_len;
    uint8_t *value;
    size_t value_len;
};

/** struct net_node - a node: what survives its end, and its keeper. */
struct net_node {
    struct privkey key;
    struct peer_id id;
    struct keeper *keeper; /* NULL: down */
    uint32_t life;         /* counts starts; events of an older one are void */
    bool has[NET_ROOTS_MAX];
    bool kept[NET_ROOTS_MAX];
    struct net_row rows[NET_ROWS_MAX];
    size_t rows_count;
    uint8_t side; /* of the partition */
    uint8_t ip[4];
    bool lies;      /* says it stores and does not */
    bool corrupts;  /* returns wrong bytes */
    bool disk_full; /* pulls and rows fail */
    bool forgets;   /* each block that is written is lost again at once */
    bool is_lazy;   /* is told of no candidates */
    uint64_t pull;  /* the last one that was handed out */
    bool connected[NET_NODES_MAX];
    bool shuns[NET_NODES_MAX]; /* no dealings with these, either way */
    uint32_t events[KEEPER_EVENT_DOUBT + 1];
    uint64_t done_job;
    enum err done_err;
    const char *refused; /* last reason */
};

/** struct net - the network. */
struct net {
    struct rng rng; /* of all keepers: first, so that fill() finds the net */
    uint64_t random;
    uint64_t now_ms;
    uint64_t unix_ms;
    struct net_node nodes[NET_NODES_MAX];
    size_t count;
    struct cid roots[NET_ROOTS_MAX];
    uint64_t bytes[NET_ROOTS_MAX]; /* that a pull finds */
    size_t roots_count;
    struct net_event *events; /* a heap */
    size_t events_count;
    size_t events_room;
    uint64_t orders;
    struct keeper_config config;
    uint64_t pull_ms;      /* what a pull takes; 0: some */
    uint32_t view_percent; /* of the others, that a node is told of */
    uint32_t wanted;       /* checked when a surplus copy is let go; 0: not */
    uint64_t sent;         /* requests */
    uint8_t *reply;        /* last one to net_ask() */
    size_t reply_len;
};

/**
 * net_first_seed, net_last_seed - which seeds to run: 1 to @normal, or from
 * KEEPER_SEED to KEEPER_SEEDS where these are set.
 */
uint64_t net_first_seed(void);
uint64_t net_last_seed(uint64_t normal);

/** net_filter - run only the tests that KEEPER_TEST names, where it is set. */
void net_filter(void);

/** net_new - network of @count nodes, all up, connected. */
struct net *net_new(uint64_t seed, size_t count);

/** net_free - end all. */
void net_free(struct net *n);

/** net_teardown - of each test: after a failure tells the seed. */
int net_teardown(void **state);

/** net_random - a number below @below. */
uint64_t net_random(struct net *n, uint64_t below);

/** net_run - let @ms pass. */
void net_run(struct net *n, uint64_t ms);

/** net_now - the time, as keepers are told it. */
struct keeper_now net_now(const struct net *n);

/** net_drain - hand out what the keeper of @node wants done. */
void net_drain(struct net *n, size_t node);

/** net_kill - the node is gone; its rows and blocks stay. */
void net_kill(struct net *n, size_t node);

/** net_start - the node is there again. */
void net_start(struct net *n, size_t node);

/** net_wipe - what a dead node had stored is lost. */
void net_wipe(struct net *n, size_t node);

/** net_split - nodes from @first on are on side 1; net_heal - all on 0. */
void net_split(struct net *n, size_t first);
void net_heal(struct net *n);

/** net_shun - @node and @other have no dealings from now on. */
void net_shun(struct net *n, size_t node, size_t other);

/** net_views - tell all who the candidates are. */
void net_views(struct net *n);

/** net_root - a new object's root; @bytes: what a pull finds. */
size_t net_root(struct net *n, uint64_t bytes);

/** net_put - @owner wants @copies of @root. */
void net_put(struct net *n, size_t owner, size_t root, uint32_t copies);

/** net_status - status of @root at @node; the test fails without. */
struct keeper_status net_status(struct net *n, size_t node, size_t root);

struct storage_message;

/**
 * net_ask - what @to answers to a message that @from's test sends it.
 * @ret_answer: views into memory of the net, until the next call.
 *
 * Return: as keeper_serve(); E_TIMEOUT without an answer within a second.
 */
enum err net_ask(struct net *n, size_t from, size_t to,
                 const struct storage_message *message,
                 struct storage_message *ret_answer);

/** net_print - what all nodes know of @root, to find out why a test fails. */
void net_print(struct net *n, size_t root);

/** net_holders - live nodes but @owner that have and count @root. */
size_t net_holders(const struct net *n, size_t owner, size_t root);

/** net_holder - the @nth of them; SIZE_MAX: there is none. */
size_t net_holder(const struct net *n, size_t owner, size_t root, size_t nth);

#endif /* TEST_UNIT_STORAGE_KEEPER_NET_H */
