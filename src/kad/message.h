#ifndef KAD_MESSAGE_H
#define KAD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/rd.h"
#include "multiformats/multiaddr.h"
#include "multiformats/peer_id.h"

struct kad_addrs;

/*
 * message - the protobuf of the DHT.
 *
 * Who has asked for how many bytes at most was compared before: a message is
 * decoded in place, and what it holds beyond the limits here is not looked at.
 *
 * Spec: libp2p/specs kad-dht/README.md, "RPC messages".
 */

enum kad_type {
    KAD_PUT_VALUE = 0,
    KAD_GET_VALUE = 1,
    KAD_ADD_PROVIDER = 2,
    KAD_GET_PROVIDERS = 3,
    KAD_FIND_NODE = 4,
    KAD_PING = 5,
};

enum {
    KAD_MESSAGE_CLOSER_MAX = 40,      /* closer peers that are looked at */
    KAD_MESSAGE_PROVIDERS_MAX = 1024, /* providers that are looked at */
    KAD_MESSAGE_ADDRS_MAX = 32,       /* addresses of a peer, as above */
    KAD_MESSAGE_KEY_MAX = 10 * 1024,
    KAD_PROVIDER_KEY_MAX = 80,        /* of ADD_PROVIDER and GET_PROVIDERS */
    KAD_RECORD_BYTES_MAX = 10 * 1024, /* value of a record */
    KAD_MESSAGE_TIME_MAX = 64,        /* bytes of timeReceived */
    KAD_PEER_ADDRS = 2,               /* field of a Peer */
    KAD_MORE_KEYS = 16, /* field of a message, of our own network only */
    KAD_MESSAGE_MORE_KEYS_MAX = 2048, /* of these that are looked at */
};

/** enum kad_connection - what a peer says of its connection to another one. */
enum kad_connection {
    KAD_NOT_CONNECTED = 0,
    KAD_CONNECTED = 1,
};

/** struct kad_message - a message that came; views into its bytes. */
struct kad_message {
    struct bytes bytes; /* all of it */
    enum kad_type type;
    struct bytes key; /* empty when absent */
    bool has_record;
    struct bytes record_key;
    struct bytes record_value;
    uint32_t closer_count;    /* at most KAD_MESSAGE_CLOSER_MAX */
    uint32_t providers_count; /* at most KAD_MESSAGE_PROVIDERS_MAX */
};

/**
 * kad_message_decode - parse a message without the length before it.
 * @in: not longer than the caller's limit; outlives @ret_message.
 *
 * Unknown fields are skipped.  The peers that count are all well formed, but
 * their ids and addresses need not be.
 *
 * Return: OK; E_SHORT, E_MALFORMED; E_LIMIT for a key or record over its
 * limit; E_UNSUPPORTED for an unknown type, or a group.
 */
MUST_USE enum err kad_message_decode(struct bytes in,
                                     struct kad_message *ret_message);

/** enum kad_peer_list - which peers of a message. */
enum kad_peer_list {
    KAD_CLOSER_PEERS = 8,
    KAD_PROVIDER_PEERS = 9,
};

/** struct kad_peer_cursor - walks the peers of a message. */
struct kad_peer_cursor {
    struct rd r;
    enum kad_peer_list which;
    uint32_t left;
};

/** struct kad_message_peer - a peer of a message. */
struct kad_message_peer {
    struct peer_id id;
    struct bytes bytes; /* the whole Peer, for kad_message_addr_next() */
};

/** kad_peer_cursor_init - at the first of the peers of @message, which was
 * decoded. */
struct kad_peer_cursor kad_peer_cursor_init(const struct kad_message *message,
                                            enum kad_peer_list which);

/**
 * kad_peer_cursor_next - next peer with a valid id; others are skipped.
 *
 * Return: false at the end, or at the limit.
 */
bool kad_peer_cursor_next(struct kad_peer_cursor *c,
                          struct kad_message_peer *ret_peer);

/** struct kad_addr_cursor - walks the addresses of a peer. */
struct kad_addr_cursor {
    struct rd r;
    uint32_t left;
};

/** kad_addr_cursor_init - at the first address of @peer. */
struct kad_addr_cursor
kad_addr_cursor_init(const struct kad_message_peer *peer);

/**
 * kad_addr_cursor_next - next valid address; others are skipped.
 *
 * Return: false at the end, or after KAD_MESSAGE_ADDRS_MAX, good or bad.
 */
bool kad_addr_cursor_next(struct kad_addr_cursor *c,
                          struct multiaddr *ret_addr);

/** struct kad_more_keys - walks the further keys of a message. */
struct kad_more_keys {
    struct rd r;
    uint32_t left;
};

/**
 * kad_more_keys_init - at the first of the keys of @message beside its key.
 *
 * Where the scope does not have the field, it is unknown and not looked at:
 * kad_message_decode() skips it.
 */
struct kad_more_keys kad_more_keys_init(const struct kad_message *message);

/**
 * kad_more_keys_next - next key; not checked, but at most KAD_PROVIDER_KEY_MAX
 * bytes: longer ones, and fields of another wire type, are skipped.
 * @ret_key: view into the message.
 *
 * Return: false at the end, or after KAD_MESSAGE_MORE_KEYS_MAX, good or bad.
 */
bool kad_more_keys_next(struct kad_more_keys *c, struct bytes *ret_key);

/** struct kad_peer_out - a peer that is to be told. */
struct kad_peer_out {
    struct peer_id id;
    const struct kad_addrs *addrs;
    enum kad_connection connection;
};

/** struct kad_message_out - a message that is to be made; views. */
struct kad_message_out {
    enum kad_type type;
    struct bytes key;       /* empty: left out */
    struct bytes more_keys; /* each after a byte that is its length */
    bool has_record;
    struct bytes record_key;
    struct bytes record_value;
    struct bytes record_time; /* timeReceived; empty: left out */
    const struct kad_peer_out *closer;
    size_t closer_count;
    const struct kad_peer_out *providers;
    size_t providers_count;
};

/** kad_message_len - how long all of @message is. */
size_t kad_message_len(const struct kad_message_out *message);

/**
 * kad_message_encode - bytes of a message, without a length before them.
 * @max: providers that would make it longer are left out, the last first; all
 * else has to fit (asserted).
 *
 * Return: a buf of the caller.
 */
MUST_USE struct buf *kad_message_encode(const struct kad_message_out *message,
                                        size_t max);

#endif /* KAD_MESSAGE_H */
