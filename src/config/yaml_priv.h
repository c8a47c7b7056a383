#ifndef CONFIG_YAML_PRIV_H
#define CONFIG_YAML_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    YAML_PATH_MAX = 160,  /* room for the names above a value and a NUL */
    YAML_FAULT_MAX = 200, /* room for a fault's text and its NUL */
};

/**
 * struct yaml_entry - one value or group of a file, valid during its visit.
 *
 * Positions count characters, not bytes, from the start of the text.
 */
struct yaml_entry {
    const char *path;          /* "storage.copies"; of the root group "" */
    uint32_t line;             /* of its key; 1 and up */
    const struct bytes *items; /* of a list, or the one text of a value */
    size_t items_count;
    bool is_list;
    bool is_flow;    /* { } or [ ] */
    bool is_void;    /* a group without anything in it, written as nothing */
    size_t key_end;  /* behind the key's text */
    size_t start;    /* of the value or the group's first key */
    size_t end;      /* behind the last item, or the closing bracket */
    uint32_t column; /* of a group's first key; 0 and up */
};

/** struct yaml_visitor - who is shown what stands in a file. */
struct yaml_visitor {
    /** @on_value: a scalar or a list of scalars. */
    void (*on_value)(void *ctx, const struct yaml_entry *entry);

    /** @on_group: a mapping, after all that is in it. */
    void (*on_group)(void *ctx, const struct yaml_entry *entry);

    void *ctx;
};

/** struct yaml_fault - what is wrong with the form of a file. */
struct yaml_fault {
    uint32_t line;
    char text[YAML_FAULT_MAX]; /* escaped */
};

/**
 * yaml_walk - show @visitor each value of a YAML or JSON text.
 * @text: from outside; at most CONFIG_TEXT_MAX bytes are looked at.
 * @ret_fault: written when not OK.
 *
 * Return: OK; E_LIMIT when the text is too long, or nested too deep;
 * E_UNSUPPORTED for anchors, aliases, tags and lists of lists; E_MALFORMED.
 */
MUST_USE enum err yaml_walk(struct bytes text,
                            const struct yaml_visitor *visitor,
                            struct yaml_fault *ret_fault);

#endif /* CONFIG_YAML_PRIV_H */
