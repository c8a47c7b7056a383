#include "store/scan.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/crc32c.h"
#include "env/disk.h"
#include "ipld/block.h"

_Static_assert(SCAN_BUFFER_BYTES >=
                   BLOCK_BYTES_MAX + RECORD_HEADER_MAX + RECORD_PAGE_BYTES,
               "any record fits into a window");

void scan_init(struct scan *sc, uint32_t number, uint32_t pos, uint32_t end,
               enum scan_depth depth)
{
    *sc =
        (struct scan){.number = number, .pos = pos, .end = end, .depth = depth};
    sc->sparse = true;
    sc->records = mem_zalloc(SCAN_RECORDS_MAX, sizeof(*sc->records));
    sc->buffer = mem_alloc(SCAN_BUFFER_BYTES);
}

void scan_release(struct scan *sc)
{
    mem_free(sc->records);
    mem_free(sc->buffer);
    sc->records = NULL;
    sc->buffer = NULL;
}

bool scan_done(const struct scan *sc)
{
    return sc->err != OK || sc->stopped || sc->pos >= sc->end;
}

static struct bytes data_of(const struct scan *sc, const struct scan_record *sr)
{
    return (struct bytes){sc->buffer + sr->data_at, sr->record.length};
}

static enum scan_state judge(const struct scan *sc,
                             const struct scan_record *sr)
{
    struct multihash hash;
    bool deletion = (sr->record.flags & RECORD_DELETION) != 0;

    if (!sr->has_data)
        return SCAN_GOOD;
    if (crc32c(0, data_of(sc, sr)) != sr->record.crc)
        return SCAN_BAD_BYTES;
    if (deletion || (sc->depth != SCAN_HASH && !sc->doubtful))
        return SCAN_GOOD;
    enum err err = multihash_decode(store_key_bytes(&sr->record.key), &hash);
    assert(err == OK);
    err = multihash_verify(&hash, data_of(sc, sr));
    /* A hash that we cannot compute was computed by who put the block. */
    if (err == E_UNSUPPORTED && !sc->doubtful)
        return SCAN_GOOD;
    return err == OK ? SCAN_GOOD : SCAN_BAD_HASH;
}

enum step {
    STEP_RECORD, /* there is one */
    STEP_MORE,   /* the buffer ends before it does */
    STEP_BAD,    /* there is none */
};

static bool wants_data(const struct scan *sc, const struct record *r)
{
    return sc->depth != SCAN_HEADERS || sc->doubtful ||
           (r->flags & RECORD_DELETION) != 0;
}

/* The record at @at in the buffer, of which @len bytes are filled. */
static enum step read_record(const struct scan *sc, uint32_t at, uint32_t len,
                             bool last, struct scan_record *ret_record)
{
    struct scan_record sr = {
        .place = {.segment = sc->number, .offset = sc->window_at + at}};
    struct bytes in = {sc->buffer + at, len - at};
    enum err err = record_decode(in, sr.place, &sr.record);

    if (err == E_SHORT && !last)
        return STEP_MORE;
    if (err != OK)
        return STEP_BAD;
    uint32_t data_at =
        record_data_at(sr.place.offset, sr.record.key.len, sr.record.flags);
    if (data_at > sc->end || sr.record.length > sc->end - data_at)
        return STEP_BAD;
    sr.data_at = data_at - sc->window_at;
    sr.has_data = sr.data_at <= len && sr.record.length <= len - sr.data_at;
    if (!sr.has_data && wants_data(sc, &sr.record))
        return STEP_MORE;
    if (!wants_data(sc, &sr.record))
        sr.has_data = false;
    sr.state = judge(sc, &sr);
    bool deletion = (sr.record.flags & RECORD_DELETION) != 0;
    if (sc->doubtful && (deletion || sr.state != SCAN_GOOD) && sc->in_gap)
        return STEP_BAD;
    if (deletion && sr.state == SCAN_GOOD &&
        deletion_decode(data_of(sc, &sr), &sr.target) != OK)
        sr.state = SCAN_BAD_BYTES;
    *ret_record = sr;
    return STEP_RECORD;
}

/* One more byte that belongs to no record. */
static void add_to_gap(struct scan *sc, uint32_t offset)
{
    if (!sc->in_gap) {
        sc->records[sc->count++] = (struct scan_record){
            .state = SCAN_GAP,
            .place = {.segment = sc->number, .offset = offset}};
        sc->in_gap = true;
        sc->doubtful = true;
    }
    if (sc->count > 0 && sc->records[sc->count - 1].state == SCAN_GAP)
        sc->records[sc->count - 1].record.length++;
}

static void take_record(struct scan *sc, const struct scan_record *sr)
{
    bool deletion = (sr->record.flags & RECORD_DELETION) != 0;

    sc->in_gap = false;
    if (sc->doubtful && deletion)
        return;
    sc->records[sc->count++] = *sr;
}

/* Adds what is in the buffer to the records of the window. */
static void parse(struct scan *sc, uint32_t len, bool last)
{
    uint32_t at = 0;

    sc->window_at = sc->pos;
    while (at < len && sc->count < SCAN_RECORDS_MAX) {
        struct scan_record sr;
        enum step step = read_record(sc, at, len, last, &sr);
        bool broken =
            step == STEP_BAD || (step == STEP_RECORD && sr.state != SCAN_GOOD);
        if (broken && sc->stop_at_gap) {
            sc->stopped = true;
            break;
        }
        if (step == STEP_MORE)
            break;
        if (step == STEP_BAD) {
            add_to_gap(sc, sc->window_at + at);
            at++;
            continue;
        }
        take_record(sc, &sr);
        at = record_end(sr.place.offset, &sr.record) - sc->window_at;
        if (at > len)
            break;
    }
    sc->pos = sc->window_at + at;
}

void scan_parse(struct scan *sc, uint32_t len, bool last)
{
    sc->begun_at = sc->pos;
    sc->count = 0;
    parse(sc, len, last);
}

static uint32_t window_bytes(const struct scan *sc, bool small)
{
    uint32_t max = small ? SCAN_HEADERS_BYTES : SCAN_BUFFER_BYTES;

    return sc->end - sc->pos < max ? sc->end - sc->pos : max;
}

static void read_window(struct scan *sc, bool small)
{
    uint32_t want = window_bytes(sc, small);
    size_t got = 0;

    sc->err =
        sc->disk->read(sc->disk, sc->file, sc->pos, sc->buffer, want, &got);
    if (sc->err != OK)
        return;
    /* What should be there and is not, is bad. */
    memset(sc->buffer + got, 0, want - got);
    size_t before = sc->count;
    parse(sc, want, want == sc->end - sc->pos);
    size_t few = small ? SCAN_FEW_RECORDS : want / SCAN_HEADERS_BYTES;
    sc->sparse = sc->count - before <= few;
}

/* Headers with much between them: only what is around each is read. */
static void read_sparse(struct scan *sc)
{
    uint32_t at = sc->pos;

    for (unsigned i = 0; i < SCAN_SPARSE_READS; i++) {
        if (sc->depth != SCAN_HEADERS || sc->doubtful || !sc->sparse)
            return;
        read_window(sc, true);
        if (sc->pos == at || scan_done(sc))
            return;
        at = sc->pos;
    }
}

void scan_window(struct scan *sc)
{
    char name[SEGMENT_NAME_MAX];

    assert(!scan_done(sc));
    if (sc->file == NULL) {
        segment_name(sc->number, name);
        sc->err = sc->disk->open(sc->disk, sc->dir, name, DISK_READ, &sc->file);
        if (sc->err != OK)
            return;
        sc->opened = true;
    }
    sc->begun_at = sc->pos;
    sc->count = 0;
    read_sparse(sc);
    /* A small read may end within a record whose bytes are needed. */
    if (sc->err == OK && sc->pos == sc->begun_at && !sc->stopped)
        read_window(sc, false);
    assert(sc->err != OK || sc->stopped || sc->pos > sc->begun_at);
}
