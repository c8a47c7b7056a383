#ifndef NODE_NODE_PRIV_H
#define NODE_NODE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "env/clock.h"
#include "env/kv.h"
#include "node/log.h"
#include "node/node.h"
#include "store/store.h"

struct announce;
struct dht;
struct kv;
struct names;
struct objects;
struct peering;

/* node - its state.  Private to node*.c. */

/* Tables of node.db. */
enum node_table {
    STATE_PINS,
    STATE_PEERS,
    STATE_DHT_PROVIDERS,
    STATE_DHT_VALUES,
    STATE_OBJECTS,
    STATE_NAMES,
    STATE_ANNOUNCE,
    STATE_TABLES_COUNT,
};

struct node {
    struct env *env;
    const struct config *config;
    struct privkey key;
    struct log log;
    const char *version;
    char *path;
    struct kv *index;
    struct kv *state;
    struct store *store;
    struct network *network;
    struct exchange *exchange;
    struct peering *peering;
    struct dht *dht;
    struct objects *objects;
    struct names *names;
    struct announce *announce; /* NULL without a network */
    struct list waiters;       /* struct store_waiter */
    struct list exports;
    struct list repairs;
    size_t repairs_count;
    struct mtime started;
    uint64_t disk_bytes; /* of the disk that the folder is on */
    uint64_t cache_bytes_max;
    bool may_visit;
    bool checks_reads;
    bool is_visitor;
    bool only_reads;
    bool wants_to_write;
    struct mtime lonely_until; /* of a visitor */
    bool pumping;
    struct timer again; /* one turn was not enough for the cores */
    bool closing;       /* sockets are being closed */
    bool stopping;
    struct store_op close_op;
    struct kv_batch last; /* behind all others of @state */
    enum err stop_err;
    void (*stop_done)(void *user, enum err err);
    void *stop_user;
};

/** node_log_event - one event with at most one field; @key may be NULL. */
void node_log_event(struct node *n, enum log_level level, const char *event,
                    const char *key, struct bytes value);

/** node_pump_online - let the parts that talk to peers do what they want now;
 * true when there was something. */
bool node_pump_online(struct node *n, struct mtime now);

/** node_go_offline - begin to end all talk; node_is_offline() tells when. */
void node_go_offline(struct node *n, struct mtime now);

/** node_is_offline - after node_go_offline(): everything has ended and was
 * freed. */
bool node_is_offline(struct node *n);

#endif /* NODE_NODE_PRIV_H */
