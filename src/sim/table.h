#ifndef SIM_TABLE_H
#define SIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

/*
 * table - ordered map from bytes to bytes: a skip list whose levels follow
 * from the keys, so that its shape depends on its contents alone.
 */
enum { SIM_TABLE_LEVELS = 12 };

struct sim_row {
    struct bytes key; /* lies behind the struct */
    struct bytes value;
    uint8_t levels;
    struct sim_row *next[]; /* NOLINT: flexible array; @levels of them */
};

struct sim_table {
    uint64_t count;
    struct sim_row *heads[SIM_TABLE_LEVELS]; /* private */
};

/** sim_table_release - free all rows; it is empty afterwards. */
void sim_table_release(struct sim_table *t);

/** sim_table_put - set the value of @key; both are copied. */
void sim_table_put(struct sim_table *t, struct bytes key, struct bytes value);

/** sim_table_remove - nothing when @key is not there. */
void sim_table_remove(struct sim_table *t, struct bytes key);

/** sim_table_seek - the first row whose key is @key (where @inclusive) or
 * after it; NULL: none.  Valid until the next change. */
const struct sim_row *sim_table_seek(const struct sim_table *t,
                                     struct bytes key, bool inclusive);

#endif /* SIM_TABLE_H */
