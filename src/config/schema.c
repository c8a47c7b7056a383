#include <assert.h>

#include "base/strbuf.h"
#include "config/config.h"
#include "config/units.h"

enum { NETWORK_NAME_MAX = 32, ADDRESS_MAX = 512, PORT_MAX = 65535 };

static bool is_lower_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static const char *check_network_name(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool inner = i > 0 && i + 1 < text.len;
        if (!is_lower_or_digit(text.p[i]) && !(inner && text.p[i] == '-'))
            return "is not made of a-z, 0-9 and inner hyphens";
    }
    return NULL;
}

/* The form only: which protocols there are is the node's knowledge. */
static const char *check_multiaddr(struct bytes text)
{
    if (text.len < 2 || text.p[0] != '/' || text.p[text.len - 1] == '/')
        return "is no multiaddr such as /ip4/0.0.0.0/tcp/4101";
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] <= ' ' || text.p[i] == '"')
            return "is no multiaddr such as /ip4/0.0.0.0/tcp/4101";
    }
    return NULL;
}

static const char *check_host(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        bool letter = is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
        if (!letter && (c == 0 || strchr("-._:[]", c) == NULL))
            return "is no host name";
    }
    return NULL;
}

/* "https://gateway.example", "http://127.0.0.1:8080/": the origin alone. */
static const char *check_gateway(struct bytes text)
{
    static const char fault[] =
        "is no URL of a server, such as https://gateway.example";
    static const char *const schemes[] = {"https://", "http://"};
    struct bytes host = {.len = 0};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        if (text.len > len && memcmp(text.p, schemes[i], len) == 0)
            host = bytes_sub(text, len, text.len - len);
    }
    if (host.len > 1 && host.p[host.len - 1] == '/')
        host.len--;
    bool named = host.len > 0 && host.len <= ADDRESS_MAX && host.p[0] != ':' &&
                 host.p[0] != '/';
    return named && check_host(host) == NULL ? NULL : fault;
}

/* "off", "127.0.0.1:3000", "[::1]:0", "localhost:3000". */
static const char *check_listen(struct bytes text)
{
    static const char fault[] =
        "is neither off nor HOST:PORT such as 127.0.0.1:3000";
    uint64_t port = 0;
    size_t at = text.len;

    if (bytes_eq(text, BYTES_LIT("off")))
        return NULL;
    while (at > 0 && text.p[at - 1] != ':')
        at--;
    if (at < 2)
        return fault;
    struct bytes host = bytes_sub(text, 0, at - 1);
    if (check_host(host) != NULL)
        return fault;
    bool brackets = host.p[0] == '[' && host.p[host.len - 1] == ']';
    if (!brackets && memchr(host.p, ':', host.len) != NULL)
        return fault;
    if (units_parse_number(bytes_sub(text, at, text.len - at), &port) != OK ||
        port > PORT_MAX)
        return fault;
    return NULL;
}

static const struct config_schema rows[] = {
    [CONFIG_NETWORK_NAME] =
        {.name = "network.name",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_STRING,
         .min = 1,
         .max = NETWORK_NAME_MAX,
         .preset = "mainnet",
         .check = check_network_name,
         .help = "Network that this node belongs to: mainnet, testnet, devnet "
                 "or a name of one's own."},
    [CONFIG_NETWORK_ENABLED] =
        {.name = "network.enabled",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_BOOL,
         .preset = "true",
         .help = "Whether there are connections to other nodes at all."},
    [CONFIG_NETWORK_LISTEN] =
        {.name = "network.listen",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_LIST,
         .unit = "multiaddr",
         .max = 16,
         .preset = "/ip4/0.0.0.0/tcp/4101,/ip6/::/tcp/4101",
         .check = check_multiaddr,
         .help = "Addresses on which other nodes are awaited; port 0 takes a "
                 "free one."},
    [CONFIG_NETWORK_ANNOUNCE] =
        {.name = "network.announce",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_LIST,
         .unit = "multiaddr",
         .max = 16,
         .preset = "",
         .check = check_multiaddr,
         .help = "Addresses that are told to others instead of those found on "
                 "this machine."},
    [CONFIG_NETWORK_BOOTSTRAP] =
        {.name = "network.bootstrap",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_LIST,
         .unit = "multiaddr",
         .max = 64,
         .preset = "",
         .check = check_multiaddr,
         .help = "Peers to connect to at start, and when few others are known: "
                 "each with /p2p/ and its id, or a /dnsaddr/ name."},
    [CONFIG_NETWORK_SEED_DOMAIN] =
        {.name = "network.seed_domain",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_STRING,
         .max = ADDRESS_MAX,
         .preset = "xmbl.example",
         .check = check_host,
         .help = "Domain whose names seed1 to seed5 of the network lead to "
                 "first peers; empty for none. Nobody is asked under "
                 "example."},
    [CONFIG_NETWORK_DNS_SERVERS] =
        {.name = "network.dns_servers",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_LIST,
         .unit = "IP address, with or without :PORT",
         .max = 8,
         .preset = "",
         .check = check_host,
         .help = "Servers that names are looked up at, instead of those of "
                 "the system."},
    [CONFIG_NETWORK_MDNS] =
        {.name = "network.mdns",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_BOOL,
         .preset = "true",
         .help = "Whether nodes of the local network find each other."},
    [CONFIG_NETWORK_DISCOVERY] =
        {.name = "network.discovery",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_BOOL,
         .preset = "true",
         .help = "Whether the node looks for peers by itself, beyond those it "
                 "is told to connect to."},
    [CONFIG_NETWORK_IPFS_DHT] =
        {.name = "network.ipfs_dht",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_ENUM,
         .preset = "off",
         .choices = "off|lan|wan|both",
         .help = "DHTs of IPFS that the node takes part in, beside that of its "
                 "own network."},
    [CONFIG_NETWORK_GATEWAYS] =
        {.name = "network.gateways",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_LIST,
         .unit = "URL",
         .max = 8,
         .preset = "",
         .check = check_gateway,
         .help = "Trustless HTTP gateways of IPFS that are asked for blocks "
                 "which no peer gives, such as https://gateway.example. They "
                 "see what is asked for."},
    [CONFIG_NETWORK_OUTBOUND] =
        {.name = "network.outbound",
         .group = CONFIG_GROUP_NETWORK,
         .type = CONFIG_UINT,
         .unit = "connections",
         .min = 1,
         .max = 256,
         .preset = "16",
         .help = "Connections to other nodes of the network that are kept up, "
                 "beside those that come in."},
    [CONFIG_NETWORK_CONNECTIONS_MAX] = {.name = "network.connections_max",
                                        .group = CONFIG_GROUP_NETWORK,
                                        .type = CONFIG_UINT,
                                        .unit = "connections",
                                        .min = 1,
                                        .max = 10000,
                                        .preset = "500",
                                        .help = "Most connections at a time."},
    [CONFIG_SECURITY_CONNECTIONS_PER_IP] =
        {.name = "security.connections_per_ip",
         .group = CONFIG_GROUP_SECURITY,
         .type = CONFIG_UINT,
         .unit = "connections",
         .min = 1,
         .max = 10000,
         .preset = "3",
         .help = "Most connections from and to one IP address."},
    [CONFIG_SECURITY_LIMIT_LOOPBACK] =
        {.name = "security.limit_loopback",
         .group = CONFIG_GROUP_SECURITY,
         .type = CONFIG_BOOL,
         .preset = "false",
         .help = "Whether the limit for one IP address counts for this "
                 "machine's own too."},
    [CONFIG_STORAGE_LIMIT] =
        {.name = "storage.limit",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_SIZE,
         .unit = "bytes",
         .min = 1 << 20,
         .max = UINT64_C(1) << 60,
         .preset = "none",
         .allows_none = true,
         .is_live = true,
         .help = "Most that is stored, of one's own and of others together."},
    [CONFIG_STORAGE_RESERVE] =
        {.name = "storage.reserve",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_SIZE,
         .unit = "bytes",
         .max = UINT64_C(1) << 60,
         .preset = "1GiB",
         .is_live = true,
         .help = "Room of the disk that is left free, but at most a 20th of "
                 "the disk."},
    [CONFIG_STORAGE_OFFER] =
        {.name = "storage.offer",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_SHARE,
         .unit = "bytes or percent of the free room",
         .max = UINT64_C(1) << 60,
         .preset = "10%",
         .is_live = true,
         .help = "Room that is offered to others; 0 for none."},
    [CONFIG_STORAGE_SERVE_CACHE] =
        {.name = "storage.serve_cache",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_BOOL,
         .preset = "true",
         .is_live = true,
         .help = "Whether blocks that are cache only are given to others."},
    [CONFIG_STORAGE_ANNOUNCE] =
        {.name = "storage.announce",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_ENUM,
         .preset = "all",
         .choices = "all|roots|none",
         .is_live = true,
         .help = "What the DHT is told of: all blocks that are kept, only the "
                 "roots of pins and objects, or nothing."},
    [CONFIG_STORAGE_COPIES] =
        {.name = "storage.copies",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_UINT,
         .unit = "copies",
         .max = 7,
         .preset = "0",
         .is_live = true,
         .help = "Copies on other nodes of what is added; 0 keeps it here "
                 "only."},
    [CONFIG_STORAGE_REPAIR_GRACE] =
        {.name = "storage.repair_grace",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_DURATION,
         .min = 1000,
         .max = UINT64_C(24) * 3600 * 1000,
         .preset = "15m",
         .help = "How long a copy may be silent before another one is made."},
    [CONFIG_STORAGE_AUDIT_INTERVAL] =
        {.name = "storage.audit_interval",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_DURATION,
         .min = 1000,
         .max = UINT64_C(24) * 3600 * 1000,
         .preset = "10m",
         .help = "How often each copy has to prove that it is there."},
    [CONFIG_STORAGE_REPAIR_RATE] =
        {.name = "storage.repair_rate",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_SIZE,
         .unit = "bytes a second",
         .min = 1 << 10,
         .max = UINT64_C(1) << 40,
         .preset = "16MiB",
         .help = "Most that is copied again a second to replace lost copies."},
    [CONFIG_STORAGE_PROFILE] =
        {.name = "storage.profile",
         .group = CONFIG_GROUP_STORAGE,
         .type = CONFIG_ENUM,
         .preset = "unixfs-v1-2025",
         .choices = "unixfs-v1-2025|kubo-v1|kubo-v0",
         .is_live = true,
         .help = "How files are cut into blocks, which decides their CIDs."},
    [CONFIG_LOGGING_LEVEL] = {.name = "logging.level",
                              .group = CONFIG_GROUP_LOGGING,
                              .type = CONFIG_ENUM,
                              .preset = "info",
                              .choices = "debug|info|warning|error|critical",
                              .is_live = true,
                              .help = "Least weight of what is logged."},
    [CONFIG_LOGGING_FORMAT] =
        {.name = "logging.format",
         .group = CONFIG_GROUP_LOGGING,
         .type = CONFIG_ENUM,
         .preset = "text",
         .choices = "text|json",
         .help = "Form of the log: lines of text, or one JSON object a line."},
    [CONFIG_API_LISTEN] =
        {.name = "api.listen",
         .group = CONFIG_GROUP_API,
         .type = CONFIG_STRING,
         .min = 1,
         .max = ADDRESS_MAX,
         .preset = "off",
         .check = check_listen,
         .help = "HOST:PORT of the HTTP API, or off; without tokens it serves "
                 "/health only. The Unix socket of the data folder is always "
                 "there."},
    [CONFIG_API_HOSTS] =
        {.name = "api.hosts",
         .group = CONFIG_GROUP_API,
         .type = CONFIG_LIST,
         .unit = "host",
         .max = 16,
         .preset = "",
         .check = check_host,
         .help = "Names by which the API may be called, beside localhost and "
                 "its address. No effect yet."},
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == CONFIG_KEYS_COUNT,
               "every key has its row");

const struct config_schema *config_schema(enum config_key key)
{
    assert((size_t)key < CONFIG_KEYS_COUNT);
    return &rows[key];
}

enum err config_find(struct bytes name, enum config_key *ret_key)
{
    for (unsigned i = 0; i < CONFIG_KEYS_COUNT; i++) {
        if (bytes_eq(name, bytes_str(rows[i].name))) {
            *ret_key = (enum config_key)i;
            return OK;
        }
    }
    return E_NOTFOUND;
}

const char *config_type_name(enum config_type type)
{
    switch (type) {
    case CONFIG_BOOL:
        return "bool";
    case CONFIG_UINT:
        return "uint";
    case CONFIG_SIZE:
        return "size";
    case CONFIG_SHARE:
        return "size or percent";
    case CONFIG_DURATION:
        return "duration";
    case CONFIG_STRING:
        return "string";
    case CONFIG_ENUM:
        return "enum";
    case CONFIG_LIST:
        return "list";
    }
    return "?";
}

const char *config_group_name(enum config_group group)
{
    static const char *const names[] = {
        [CONFIG_GROUP_NETWORK] = "network",
        [CONFIG_GROUP_LEDGER] = "ledger",
        [CONFIG_GROUP_SECURITY] = "security",
        [CONFIG_GROUP_STORAGE] = "storage",
        [CONFIG_GROUP_LOGGING] = "logging",
        [CONFIG_GROUP_GENESIS] = "genesis",
        [CONFIG_GROUP_COMPUTE] = "compute",
        [CONFIG_GROUP_API] = "api",
        [CONFIG_GROUP_GATEWAY] = "gateway",
        [CONFIG_GROUP_MONITOR] = "monitor",
    };

    assert((size_t)group < CONFIG_GROUPS_COUNT);
    return names[group];
}
