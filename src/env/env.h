#ifndef ENV_ENV_H
#define ENV_ENV_H

struct clock;
struct disk;
struct http;
struct kv_opener;
struct net;
struct pool;
struct rng;
struct web;

/**
 * struct env - the outside world, as a node sees it.
 *
 * os/ fills it for Linux, sim/ in memory.  All pointers are set and outlive
 * the node.
 */
struct env {
    struct clock *clock;
    struct rng *rng;
    struct net *net;
    struct disk *disk;
    struct kv_opener *kv;
    struct pool *pool;
    struct http *http;
    struct web *web;
};

#endif /* ENV_ENV_H */
