#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct strbuf;

/*
 * config - what the operator has decided.
 *
 * One table (schema.c) names every key.  Sources are laid over each other in
 * this order: defaults, environment (production, testnet, ...), its file, own
 * file, XMBL_* variables, command line.  Sources come as text: reading files
 * and variables is the caller's.  Each value remembers where it came from.
 */

/* Every key, in the order in which it is shown. */
enum config_key {
    CONFIG_NETWORK_NAME,
    CONFIG_NETWORK_ENABLED,
    CONFIG_NETWORK_LISTEN,
    CONFIG_NETWORK_ANNOUNCE,
    CONFIG_NETWORK_BOOTSTRAP,
    CONFIG_NETWORK_SEED_DOMAIN,
    CONFIG_NETWORK_DNS_SERVERS,
    CONFIG_NETWORK_MDNS,
    CONFIG_NETWORK_DISCOVERY,
    CONFIG_NETWORK_IPFS_DHT,
    CONFIG_NETWORK_GATEWAYS,
    CONFIG_NETWORK_OUTBOUND,
    CONFIG_NETWORK_CONNECTIONS_MAX,
    CONFIG_SECURITY_CONNECTIONS_PER_IP,
    CONFIG_SECURITY_LIMIT_LOOPBACK,
    CONFIG_STORAGE_LIMIT,
    CONFIG_STORAGE_RESERVE,
    CONFIG_STORAGE_OFFER,
    CONFIG_STORAGE_SERVE_CACHE,
    CONFIG_STORAGE_ANNOUNCE,
    CONFIG_STORAGE_COPIES,
    CONFIG_STORAGE_REPAIR_GRACE,
    CONFIG_STORAGE_AUDIT_INTERVAL,
    CONFIG_STORAGE_REPAIR_RATE,
    CONFIG_STORAGE_PROFILE,
    CONFIG_LOGGING_LEVEL,
    CONFIG_LOGGING_FORMAT,
    CONFIG_API_LISTEN,
    CONFIG_API_HOSTS,
    CONFIG_KEYS_COUNT,
};

/* Choices of network.ipfs_dht, in the order of the schema. */
enum config_ipfs_dht {
    CONFIG_IPFS_DHT_OFF,
    CONFIG_IPFS_DHT_LAN,
    CONFIG_IPFS_DHT_WAN,
    CONFIG_IPFS_DHT_BOTH,
};

/* Choices of storage.announce, in the order of the schema. */
enum config_announce {
    CONFIG_ANNOUNCE_ALL,   /* every block that a pin or object reaches */
    CONFIG_ANNOUNCE_ROOTS, /* those of pins and objects alone */
    CONFIG_ANNOUNCE_NONE,
};

enum config_type {
    CONFIG_BOOL,     /* true, false */
    CONFIG_UINT,     /* a whole number */
    CONFIG_SIZE,     /* bytes: 10G, 10GiB, none where allowed */
    CONFIG_SHARE,    /* a size, or a percentage of one: 10% */
    CONFIG_DURATION, /* 15m, 30s; kept in milliseconds */
    CONFIG_STRING,
    CONFIG_ENUM, /* one of the choices */
    CONFIG_LIST, /* of strings */
};

/* Groups of keys; a key's name begins with its group's. */
enum config_group {
    CONFIG_GROUP_NETWORK,
    CONFIG_GROUP_LEDGER,
    CONFIG_GROUP_SECURITY,
    CONFIG_GROUP_STORAGE,
    CONFIG_GROUP_LOGGING,
    CONFIG_GROUP_GENESIS,
    CONFIG_GROUP_COMPUTE,
    CONFIG_GROUP_API,
    CONFIG_GROUP_GATEWAY,
    CONFIG_GROUP_MONITOR,
    CONFIG_GROUPS_COUNT,
};

/* Layers, lowest first; a value of a higher one covers those below. */
enum config_layer {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_ENVIRONMENT, /* what XMBL_ENVIRONMENT implies, and its file */
    CONFIG_FROM_FILE,
    CONFIG_FROM_VARIABLE,
    CONFIG_FROM_COMMAND_LINE,
};

enum {
    CONFIG_TEXT_MAX = 1 << 20,  /* bytes of a configuration file */
    CONFIG_DEPTH_MAX = 8,       /* nesting in a file */
    CONFIG_VALUE_MAX = 4096,    /* bytes of one value as text */
    CONFIG_LIST_MAX = 256,      /* strings in a list */
    CONFIG_NOTES_MAX = 64,      /* faults that are told of at once */
    CONFIG_NOTE_TEXT_MAX = 320, /* room for one fault's text and its NUL */
    CONFIG_NAME_MAX = 64,       /* room for a key's name and its NUL */
    CONFIG_SOURCE_MAX = 256,    /* room for a source's name and its NUL */
};

/** CONFIG_NONE - the number of a size that is "none": no limit. */
#define CONFIG_NONE UINT64_MAX

/** struct config_schema - one key; texts live for ever. */
struct config_schema {
    const char *name; /* storage.copies */
    enum config_group group;
    enum config_type type;
    const char *unit;    /* "bytes", "peers", ... or NULL */
    uint64_t min;        /* of a number or share in bytes, of a list's count,
                            of a string's length */
    uint64_t max;        /* likewise */
    const char *preset;  /* default, as text; lists with commas */
    const char *choices; /* of CONFIG_ENUM: "text|json"; else NULL */
    bool allows_none;    /* CONFIG_SIZE: "none" for no limit */
    bool is_live;        /* a change needs no restart */
    const char *help;    /* one sentence */
    /** @check: whether one text is well formed; NULL: any is.  Of a list
     * each item.  Returns NULL or what is wrong with it. */
    const char *(*check)(struct bytes text);
};

/** struct config_note - one fault or warning about a source. */
struct config_note {
    bool is_error;
    uint32_t line; /* 1 and up; 0: the source has no lines */
    char source[CONFIG_SOURCE_MAX];
    char text[CONFIG_NOTE_TEXT_MAX]; /* escaped already */
};

/** struct config_notes - what was found wrong; zeroed at first. */
struct config_notes {
    struct config_note items[CONFIG_NOTES_MAX];
    size_t count;
    size_t errors_count; /* also of those that found no place */
};

/** struct config_value - private. */
struct config_value {
    char *text; /* normalized; of a list NULL */
    uint64_t number;
    bool is_percent;
    char **items; /* of a list */
    size_t items_count;
    enum config_layer layer;
    uint32_t line;
    char source[CONFIG_SOURCE_MAX];
};

/** struct config - a value for every key. */
struct config {
    struct config_value values[CONFIG_KEYS_COUNT]; /* private */
};

/** config_schema - the row of @key. */
const struct config_schema *config_schema(enum config_key key);

/** config_find - the key called @name; E_NOTFOUND if there is none. */
MUST_USE enum err config_find(struct bytes name, enum config_key *ret_key);

/** config_type_name - "bool", "uint", ... as shown to people. */
const char *config_type_name(enum config_type type);

/** config_group_name - "network", ... */
const char *config_group_name(enum config_group group);

/** config_init - all defaults.  config_release() frees. */
void config_init(struct config *c);

/** config_release - free what @c holds. */
void config_release(struct config *c);

/** config_copy - make @to, not yet initialized, equal to @from. */
void config_copy(struct config *to, const struct config *from);

/** config_adopt - give @key in @to the value and source it has in @from. */
void config_adopt(struct config *to, const struct config *from,
                  enum config_key key);

/**
 * config_load_environment - lay what an environment implies over @c.
 * @name: development, testnet, staging or production.
 *
 * Return: OK; E_NOTFOUND for another name, told of in @notes.
 */
MUST_USE enum err config_load_environment(struct config *c, const char *name,
                                          struct config_notes *notes);

/**
 * config_load_yaml - lay a YAML or JSON file over @c.
 * @text: the file, from outside.
 * @source: its name, for notes.
 * @layer: CONFIG_FROM_ENVIRONMENT or CONFIG_FROM_FILE.
 *
 * Anchors, aliases, tags, a second document, a key twice, unknown keys and bad
 * values are faults; each is noted.  Good values of a file with faults are
 * set, so that all its faults are found; the caller then throws @c away.
 *
 * Return: OK; E_MALFORMED when there was a fault.
 */
MUST_USE enum err config_load_yaml(struct config *c, struct bytes text,
                                   const char *source, enum config_layer layer,
                                   struct config_notes *notes);

/**
 * config_load_env - lay XMBL_* variables over @c.
 * @pairs: "NAME=value", ended by NULL; others than XMBL_* are passed over.
 *
 * An unknown XMBL_* variable is warned of, a bad value is a fault.
 *
 * Return: OK; E_MALFORMED when there was a fault.
 */
MUST_USE enum err config_load_env(struct config *c, char *const *pairs,
                                  struct config_notes *notes);

/**
 * config_set - lay one value over @c.
 * @value: text; of a list with commas between its strings.
 * @layer, @source, @line: where it came from.
 *
 * Return: OK; E_MALFORMED for a bad value, which is noted.
 */
MUST_USE enum err config_set(struct config *c, enum config_key key,
                             struct bytes value, enum config_layer layer,
                             const char *source, struct config_notes *notes);

/**
 * config_set_pair - lay "storage.copies=3" of the command line over @c.
 *
 * Return: OK; E_MALFORMED without =, for an unknown key or a bad value, which
 * is noted.
 */
MUST_USE enum err config_set_pair(struct config *c, const char *pair,
                                  struct config_notes *notes);

/**
 * config_set_list - lay a list over @c, as the command line collects it.
 * @items: @count strings, copied.
 *
 * Return: OK; E_MALFORMED for a bad item or too many, which is noted.
 */
MUST_USE enum err config_set_list(struct config *c, enum config_key key,
                                  const char *const *items, size_t count,
                                  struct config_notes *notes);

/**
 * config_check_all - what single values can't show: how they fit together.
 *
 * Return: OK; E_MALFORMED when there was a fault.
 */
MUST_USE enum err config_check_all(const struct config *c,
                                   struct config_notes *notes);

/* Values.  Each getter asserts that the key has its type. */

/** config_get_bool - value of a CONFIG_BOOL. */
bool config_get_bool(const struct config *c, enum config_key key);

/** config_get_uint - value of a CONFIG_UINT. */
uint64_t config_get_uint(const struct config *c, enum config_key key);

/** config_get_size - bytes of a CONFIG_SIZE, CONFIG_NONE for "none". */
uint64_t config_get_size(const struct config *c, enum config_key key);

/** config_get_duration_ms - milliseconds of a CONFIG_DURATION. */
uint64_t config_get_duration_ms(const struct config *c, enum config_key key);

/** config_get_share - bytes of a CONFIG_SHARE, where all is @whole_bytes. */
uint64_t config_get_share(const struct config *c, enum config_key key,
                          uint64_t whole_bytes);

/** config_get_text - value of a CONFIG_STRING or CONFIG_ENUM, until the next
 * change of @c. */
const char *config_get_text(const struct config *c, enum config_key key);

/** config_get_choice - index of the value among a CONFIG_ENUM's choices. */
unsigned config_get_choice(const struct config *c, enum config_key key);

/** config_get_list - strings of a CONFIG_LIST, until the next change of @c. */
const char *const *config_get_list(const struct config *c, enum config_key key,
                                   size_t *ret_count);

/** config_is_default - true when no source gave @key a value. */
bool config_is_default(const struct config *c, enum config_key key);

/** config_differs - true when @a and @b have other values for @key. */
bool config_differs(const struct config *a, const struct config *b,
                    enum config_key key);

/** config_show_value - append the value of @key as config_set() takes it. */
void config_show_value(const struct config *c, enum config_key key,
                       struct strbuf *out);

/** config_show_source - append where the value of @key came from: "default",
 * "config.yaml:3", "$XMBL_STORAGE_COPIES", ... */
void config_show_source(const struct config *c, enum config_key key,
                        struct strbuf *out);

/**
 * config_text_set - a file's text with one value changed, comments kept.
 * @text: the file as it is, may be empty; YAML or JSON.
 * @value: as config_set() takes it; not checked here.
 * @out: gets the new text; its cap at least CONFIG_TEXT_MAX.
 *
 * Only the lines of the key itself change; a key that is not there is put
 * behind the last one of its group.
 *
 * Return: OK; E_MALFORMED when @text is no configuration file; E_LIMIT when
 * the new text would be longer than CONFIG_TEXT_MAX.
 */
MUST_USE enum err config_text_set(struct bytes text, enum config_key key,
                                  struct bytes value, struct strbuf *out);

/** config_note_format - append @note as one line: "config.yaml:3: ...". */
void config_note_format(const struct config_note *note, struct strbuf *out);

#endif /* CONFIG_CONFIG_H */
