#include "api/openapi_words.h"

#include <string.h>

#include "api/request.h"

/* Two patterns with the same beginning have the same name here: OpenAPI takes
 * "/a/{x}" and "/a/{y}" for the same path. */
static const struct openapi_place places[] = {
    {"/api/v1/content/*", "path", "", "CID/a/b or ipns/NAME/a/b"},
    {"/api/v1/ls/*", "path", "", "CID/a/b or ipns/NAME/a/b"},
    {"/api/v1/stat/*", "path", "", "CID/a/b or ipns/NAME/a/b"},
    {"/api/v1/blocks/*", "cid", "", "a CID, or a path CID/a/b"},
    {"/api/v1/blocks/+", "cid", "", "a CID"},
    {"/api/v1/pins/*", "cid", "", "a CID, or a path CID/a/b"},
    {"/api/v1/pins/+", "cid", "", "a CID"},
    {"/api/v1/objects/*", "cid", "/verify", "CID of the root"},
    {"/api/v1/objects/+", "cid", "", "CID of the root"},
    {"/api/v1/why/+", "cid", "", "a CID"},
    {"/api/v1/car/*", "path", "", "a CID, or a path CID/a/b"},
    {"/api/v1/connections/+", "peer_id", "", "a peer id"},
    {"/api/v1/ping/+", "peer_id", "", "a peer id"},
    {"/api/v1/peers/+", "peer_id", "", "a peer id"},
    {"/api/v1/bans/*", "target", "",
     "a peer id, an IP address, or a range 192.0.2.0/24"},
    {"/api/v1/trace/+", "peer_id", "", "a peer id"},
    {"/api/v1/dht/peer/+", "peer_id", "", "a peer id"},
    {"/api/v1/dht/providers/+", "cid", "", "a CID"},
    {"/api/v1/dht/provide/+", "cid", "", "a CID"},
    {"/api/v1/dht/query/+", "key", "", "a peer id or a CID"},
    {"/api/v1/ipns/*", "path", "", "NAME/a/b, NAME a key or a domain"},
    {"/api/v1/ipns-records/+", "name", "", "name of a key"},
};

static const struct openapi_query parameters[] = {
    {"address", "string", "a multiaddr to dial beside those that are known"},
    {"after", "string", "next of the page before; absent: the first"},
    {"chunker", "string", "how a file is cut, as size-262144"},
    {"cid", "string", "a CID or path: what is below it alone"},
    {"cid_version", "integer", "0 or 1"},
    {"codec", "string", "raw, dag-pb or dag-cbor"},
    {"connections", "boolean", "with the bytes of each connection"},
    {"copies", "integer", "how many nodes keep it, 0 to 7"},
    {"count", "integer", "how many pings"},
    {"direct", "boolean", "pin this block alone"},
    {"format", "string", "refused: the bytes of a file are the only one"},
    {"get", "boolean", "fetch and pin each"},
    {"length", "integer", "bytes, from offset"},
    {"limit", "integer", "items at most"},
    {"local", "boolean", "remove the pin only"},
    {"name", "string", "of the file or the pin"},
    {"nocache", "boolean", "ask the network, whatever is known"},
    {"object_name", "string", "of the object"},
    {"offset", "integer", "bytes left out at the beginning"},
    {"only_hash", "boolean", "say the CID, keep nothing"},
    {"pin", "boolean", "keep it until it is unpinned"},
    {"profile", "string", "a set of the choices how a DAG is made"},
    {"raw_leaves", "boolean", "leaves are raw blocks"},
    {"recursive", "boolean", "follow names that lead to names"},
    {"role", "string", "owner, holder or all"},
    {"stat", "boolean", "size instead of bytes"},
    {"timeout", "integer", "seconds to wait for who sends nothing"},
    {"types", "boolean", "look at each entry for its type and size"},
    {"wait", "string", "local, stored, verified or safe"},
    {"watch", "boolean", "a line for each change"},
    {"wrap", "boolean", "put it into a folder"},
};

static const struct {
    void (*start)(struct request *q, struct mtime now);
    struct openapi_words words;
} rows[] = {
    {handle_openapi, {"this document", ANSWER_JSON, 0, NULL}},
    {handle_health, {"whether the node is well", ANSWER_JSON, 0, NULL}},
    {handle_node, {"who the node is", ANSWER_JSON, 0, NULL}},
    {handle_shutdown, {"end the daemon", ANSWER_JSON, 202, NULL}},
    {handle_sign, {"sign base64 by the node's key", ANSWER_JSON, 0, NULL}},
    {handle_stats, {"counters of now", ANSWER_JSON, 0, NULL}},
    {handle_add, {"add the file of the body", ANSWER_LINES, 0, NULL}},
    {handle_local_add, {"add files of this machine", ANSWER_LINES, 0, NULL}},
    {handle_local_get, {"write a file or folder here", ANSWER_LINES, 0, NULL}},
    {handle_content, {"bytes of a file; Range", ANSWER_BYTES, 0, NULL}},
    {handle_ls, {"entries of a folder", ANSWER_LINES, 0, NULL}},
    {handle_stat, {"what a CID is and how large", ANSWER_JSON, 0, NULL}},
    {handle_blocks_list, {"all blocks here", ANSWER_PAGE, 0, NULL}},
    {handle_block_put, {"store one block", ANSWER_JSON, 201, NULL}},
    {handle_block_get, {"one block", ANSWER_BYTES_OR_JSON, 0, NULL}},
    {handle_block_delete, {"remove one block", ANSWER_NONE, 204, NULL}},
    {handle_pins_list, {"all pins", ANSWER_PAGE, 0, NULL}},
    {handle_pin_get, {"one pin", ANSWER_JSON, 0, NULL}},
    {handle_pin_put, {"fetch it, and pin it", ANSWER_LINES, 0, NULL}},
    {handle_pin_delete, {"remove a pin", ANSWER_NONE, 204, NULL}},
    {handle_objects_list, {"own and kept objects", ANSWER_PAGE, 0, NULL}},
    {handle_object_post, {"make what is pinned one", ANSWER_LINES, 0, NULL}},
    {handle_objects_recover, {"find one's objects", ANSWER_LINES, 0, NULL}},
    {handle_objects_leave,
     {"hand over all that is kept", ANSWER_LINES, 0, NULL}},
    {handle_object_verify, {"audit all copies now", ANSWER_JSON, 0, NULL}},
    {handle_object_get, {"who keeps it", ANSWER_JSON_OR_LINES, 0, NULL}},
    {handle_object_patch, {"more or fewer copies", ANSWER_LINES, 0, NULL}},
    {handle_object_delete, {"release it everywhere", ANSWER_JSON, 0, NULL}},
    {handle_why,
     {"whether it can be fetched, by steps", ANSWER_LINES, 0, NULL}},
    {handle_gc, {"remove what nothing keeps", ANSWER_JSON, 0, NULL}},
    {handle_verify, {"hash blocks again", ANSWER_LINES, 0, NULL}},
    {handle_fsck, {"compare files and index", ANSWER_JSON, 0, NULL}},
    {handle_car_export,
     {"a DAG as CAR", ANSWER_BYTES, 0, "application/vnd.ipld.car"}},
    {handle_car_import, {"store the CAR of the body", ANSWER_LINES, 0, NULL}},
    {handle_connections, {"peers that are connected", ANSWER_PAGE, 0, NULL}},
    {handle_connect, {"connect to a peer", ANSWER_JSON, 0, NULL}},
    {handle_disconnect, {"end a connection", ANSWER_NONE, 204, NULL}},
    {handle_ping, {"ping a peer", ANSWER_LINES, 0, NULL}},
    {handle_peers_list, {"the peer book", ANSWER_PAGE, 0, NULL}},
    {handle_peer_add, {"enter a peer by hand", ANSWER_JSON, 201, NULL}},
    {handle_peer_delete, {"forget a peer", ANSWER_NONE, 204, NULL}},
    {handle_bans_list, {"who is banned", ANSWER_PAGE, 0, NULL}},
    {handle_ban_put, {"ban a peer or addresses", ANSWER_NONE, 204, NULL}},
    {handle_ban_delete, {"end a ban", ANSWER_NONE, 204, NULL}},
    {handle_trace, {"how a peer is reached, by steps", ANSWER_LINES, 0, NULL}},
    {handle_dht_peer, {"addresses of a peer", ANSWER_JSON, 0, NULL}},
    {handle_dht_providers, {"who says to have it", ANSWER_LINES, 0, NULL}},
    {handle_dht_provide, {"announce it now", ANSWER_JSON, 0, NULL}},
    {handle_dht_query, {"peers closest to a key", ANSWER_JSON, 0, NULL}},
    {handle_dht_table, {"the routing tables", ANSWER_PAGE, 0, NULL}},
    {handle_ipns_publish, {"let the name stand for it", ANSWER_JSON, 0, NULL}},
    {handle_ipns_resolve, {"what a name stands for", ANSWER_JSON, 0, NULL}},
    {handle_ipns_get,
     {"the record", ANSWER_BYTES, 0, "application/vnd.ipfs.ipns-record"}},
    {handle_ipns_put, {"keep and publish a record", ANSWER_JSON, 0, NULL}},
    {handle_config, {"settings, values, sources", ANSWER_PAGE, 0, NULL}},
    {handle_config_schema, {"settings and defaults", ANSWER_PAGE, 0, NULL}},
    {handle_config_patch, {"change one setting", ANSWER_JSON, 0, NULL}},
    {handle_config_reload, {"read the file again", ANSWER_JSON, 0, NULL}},
};

const struct openapi_place *openapi_place(const char *pattern)
{
    for (size_t i = 0; i < countof(places); i++)
        if (strcmp(places[i].pattern, pattern) == 0)
            return &places[i];
    return NULL;
}

const struct openapi_query *openapi_query(const char *name)
{
    for (size_t i = 0; i < countof(parameters); i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

const struct openapi_words *openapi_words(const struct route *route)
{
    for (size_t i = 0; i < countof(rows); i++)
        if (rows[i].start == route->start)
            return &rows[i].words;
    return NULL;
}
