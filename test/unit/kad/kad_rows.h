#ifndef TEST_UNIT_KAD_KAD_ROWS_H
#define TEST_UNIT_KAD_KAD_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "kad/change.h"

/* A disk in memory, for what a store of records wants written. */

enum { KAD_ROWS_MAX = 1024 };

struct kad_row {
    uint8_t key[KAD_CHANGE_KEY_MAX];
    size_t key_len;
    uint8_t value[KAD_CHANGE_VALUE_MAX];
    size_t value_len;
};

/** struct kad_rows - rows by key, in any order; 10 MiB. */
struct kad_rows {
    struct kad_row rows[KAD_ROWS_MAX];
    size_t count;
};

/** kad_rows_apply - write or remove a row. */
void kad_rows_apply(struct kad_rows *d, const struct kad_change *c);

/** kad_row_key - view of @row's key. */
struct bytes kad_row_key(const struct kad_row *row);

/** kad_row_value - view of @row's value. */
struct bytes kad_row_value(const struct kad_row *row);

#endif /* TEST_UNIT_KAD_KAD_ROWS_H */
