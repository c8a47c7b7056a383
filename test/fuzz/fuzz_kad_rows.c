/*
 * Goal: no row of a table on disk harms the stores of records; what was loaded
 * is told again in the same bytes.
 * Method: the input is a clock, the length of a key, the key and the value.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "kad/providers.h"
#include "kad/sweep.h"
#include "kad/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_providers(struct bytes key, struct bytes value,
                            uint64_t unix_ms)
{
    struct providers_config config = {.keep = true};
    struct providers *p = providers_new(&config);
    struct kad_change change;

    if (providers_load(p, key, value, unix_ms) == OK) {
        struct providers_stats stats = providers_get_stats(p);
        must(stats.changes_count == 0);
        must(stats.records_count <= 1);
        /* In three days nothing is left, and the disk is told. */
        uint64_t later_ms = unix_ms + UINT64_C(2) * PROVIDERS_RECORD_MS;
        for (unsigned i = 0; i < 3; i++) {
            providers_on_time(p, later_ms);
            while (providers_next_change(p, &change)) {
                must(change.kind == KAD_CHANGE_REMOVE);
                must(change.key.p != NULL && change.key.len > 0);
            }
        }
        stats = providers_get_stats(p);
        must(stats.records_count == 0 && stats.peers_count == 0);
    }
    providers_free(p);
}

static void check_values(struct bytes key, struct bytes value, uint64_t unix_ms)
{
    struct values_config config = {.keep = true};
    struct values *v = values_new(&config);
    struct kad_change change;
    struct value got;

    if (values_load(v, key, value, unix_ms) == OK) {
        if (values_get(v, key, unix_ms, &got) == OK)
            must(got.received_unix_ms <= unix_ms);
        values_on_time(v, unix_ms + VALUES_LIFE_MS);
        must(values_get_stats(v).count == 0);
        must(values_next_change(v, &change));
        must(change.kind == KAD_CHANGE_REMOVE);
        must(bytes_eq(change.key, key));
        must(!values_next_change(v, &change));
    }
    values_free(v);
}

static void check_cursor(struct bytes in)
{
    struct sweep_cursor cursor;
    uint8_t bytes[SWEEP_CURSOR_BYTES];

    if (sweep_cursor_decode(in, &cursor) != OK)
        return;
    sweep_cursor_encode(&cursor, bytes);
    must(bytes_eq((struct bytes){bytes, sizeof(bytes)}, in));
    struct sweep_config config = {.unix_ms = 1, .cursor = &cursor};
    struct sweep *s = sweep_new(&config, (struct mtime){5});
    sweep_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    struct rd r = rd_init(in);
    uint64_t unix_ms = rd_be64(&r) >> 16;
    uint8_t key_len = rd_u8(&r);
    struct bytes key = rd_view(&r, key_len);
    struct bytes value = rd_rest(&r);

    check_cursor(in);
    if (r.err != OK)
        return 0;
    check_providers(key, value, unix_ms);
    check_values(key, value, unix_ms);
    return 0;
}
