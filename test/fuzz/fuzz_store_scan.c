/*
 * Goal: whatever bytes a segment file holds, a scan ends, stays within its
 * buffers, and takes only records that are right.
 * Method: the input is a segment; it is walked from memory at each depth.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "crypto/crc32c.h"
#include "env/disk.h"
#include "ipld/block.h"
#include "store/scan.h"
#include "store/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    struct disk disk;
    const uint8_t *data;
    size_t len;
};

static enum err read_memory(struct disk *d, struct disk_file *f,
                            uint64_t offset, uint8_t *dst, size_t len,
                            size_t *ret_len)
{
    const struct memory *m = container_of(d, struct memory, disk);
    size_t left = offset < m->len ? m->len - (size_t)offset : 0;

    (void)f;
    if (len > left)
        len = left;
    if (len > 0)
        memcpy(dst, m->data + offset, len);
    *ret_len = len;
    return OK;
}

static void check_record(const struct scan *sc, const struct scan_record *sr)
{
    struct multihash hash;
    struct bytes data = {sc->buffer + sr->data_at, sr->record.length};

    assert(sr->place.segment == sc->number);
    assert(sr->place.offset < sc->end);
    if (sr->state == SCAN_GAP)
        return;
    assert(record_end(sr->place.offset, &sr->record) <= sc->end);
    enum err err = multihash_decode(store_key_bytes(&sr->record.key), &hash);
    assert(err == OK);
    assert(sr->record.length <= BLOCK_BYTES_MAX);
    if (sc->depth != SCAN_HEADERS)
        assert(sr->has_data);
    if (!sr->has_data || sr->state != SCAN_GOOD)
        return;
    assert(crc32c(0, data) == sr->record.crc);
    if ((sr->record.flags & RECORD_DELETION) != 0)
        assert(sr->target.segment != 0);
    else if (sc->depth == SCAN_HASH)
        assert(multihash_verify(&hash, data) != E_MISMATCH);
}

static void walk(struct memory *m, enum scan_depth depth, bool stop_at_gap)
{
    struct scan sc;
    uint32_t before = SEGMENT_HEADER_BYTES;

    scan_init(&sc, 1, before, (uint32_t)m->len, depth);
    sc.disk = &m->disk;
    sc.file = (struct disk_file *)(void *)m; /* only its address is used */
    sc.stop_at_gap = stop_at_gap;
    while (!scan_done(&sc)) {
        scan_window(&sc);
        assert(sc.count <= SCAN_RECORDS_MAX);
        assert(sc.pos > before || sc.stopped);
        before = sc.pos;
        for (size_t i = 0; i < sc.count; i++)
            check_record(&sc, &sc.records[i]);
    }
    assert(sc.stopped || sc.pos == sc.end);
    scan_release(&sc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory m = {.disk.read = read_memory, .data = data, .len = size};
    enum err err = segment_header_check((struct bytes){data, size}, 1);

    assert(size >= SEGMENT_HEADER_BYTES || err == E_SHORT);
    if (size <= SEGMENT_HEADER_BYTES || size > UINT32_MAX)
        return 0;
    for (enum scan_depth depth = SCAN_HEADERS; depth <= SCAN_HASH; depth++) {
        walk(&m, depth, false);
        walk(&m, depth, true);
    }
    return 0;
}
