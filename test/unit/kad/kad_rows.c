#include "kad_rows.h"

#include <string.h>

#include "test.h"

struct bytes kad_row_key(const struct kad_row *row)
{
    return (struct bytes){row->key, row->key_len};
}

struct bytes kad_row_value(const struct kad_row *row)
{
    return (struct bytes){row->value, row->value_len};
}

void kad_rows_apply(struct kad_rows *d, const struct kad_change *c)
{
    size_t i = 0;

    while (i < d->count && !bytes_eq(kad_row_key(&d->rows[i]), c->key))
        i++;
    if (c->kind == KAD_CHANGE_REMOVE) {
        if (i < d->count)
            d->rows[i] = d->rows[--d->count];
        return;
    }
    assert_true(i < KAD_ROWS_MAX);
    if (i == d->count)
        d->count++;
    assert_true(c->key.len <= KAD_CHANGE_KEY_MAX);
    assert_true(c->value.len <= KAD_CHANGE_VALUE_MAX);
    memcpy(d->rows[i].key, c->key.p, c->key.len);
    d->rows[i].key_len = c->key.len;
    memcpy(d->rows[i].value, c->value.p, c->value.len);
    d->rows[i].value_len = c->value.len;
}
