#ifndef STORE_SCAN_H
#define STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "env/pool.h"
#include "store/segment.h"

struct disk;
struct disk_file;

/*
 * scan - walks the records of one segment, a window at a time.
 *
 * Where no record is, the bytes up to the next one are a gap.  Behind a gap
 * the bytes of a block could pretend to be records, so from there on to the
 * end of the segment only blocks whose hash is right are taken, and no
 * deletions.
 */
enum {
    SCAN_RECORDS_MAX = 4096, /* in a window */
    /* Room for the longest record and a good many short ones. */
    SCAN_BUFFER_BYTES = 4 * 1024 * 1024,
    /* Read at once when only headers matter, and there were few last time. */
    SCAN_HEADERS_BYTES = 64 * 1024,
    SCAN_FEW_RECORDS = 8,
    /* Such reads in one window: each has few records, and a window costs who
     * asks for it a turn of the loop. */
    SCAN_SPARSE_READS = 64,
};

enum scan_depth {
    SCAN_HEADERS, /* the structure only */
    SCAN_CRC,     /* and crc32c of the bytes */
    SCAN_HASH,    /* and the hash of the bytes */
};

enum scan_state {
    SCAN_GOOD,
    SCAN_GAP,       /* no record here; record.length: bytes of the gap */
    SCAN_BAD_BYTES, /* crc32c of the bytes differs */
    SCAN_BAD_HASH,  /* crc32c is right, the hash is not */
};

struct scan_record {
    struct record record;
    struct store_place place;
    enum scan_state state;
    struct store_place target; /* of a deletion */
    uint32_t data_at;          /* of the bytes in the buffer, if they are */
    bool has_data;             /* always with SCAN_CRC and SCAN_HASH */
};

struct scan {
    /* Set by the owner. */
    struct disk *disk;
    struct disk_file *dir;
    struct disk_file *file; /* NULL: the first window opens it */
    uint32_t number;
    uint32_t pos; /* of the next window */
    uint32_t end; /* of what is to be walked */
    enum scan_depth depth;
    bool stop_at_gap; /* a gap ends the walk: pos stays, stopped is set */

    /* The window. */
    struct scan_record *records;
    size_t count;
    enum err err;  /* E_IO, E_NOTFOUND (no file)... */
    bool stopped;  /* at a gap */
    bool doubtful; /* a gap was seen: hashes are checked from here on */
    bool in_gap;   /* the gap goes on in the next window */
    bool opened;   /* @file was opened here */
    bool sparse;   /* the last read had few records */
    uint8_t *buffer;
    uint32_t begun_at;  /* place in the file where the window begins */
    uint32_t window_at; /* ... of the buffer's first byte */
};

/** scan_init - walk segment @number from @pos to @end. */
void scan_init(struct scan *sc, uint32_t number, uint32_t pos, uint32_t end,
               enum scan_depth depth);

/** scan_release - frees the buffers; closes no file. */
void scan_release(struct scan *sc);

/** scan_window - read the next window: records, count, err, pos.  In a pool
 * job, or at start. */
void scan_window(struct scan *sc);

/** scan_done - whether there is no further window. */
bool scan_done(const struct scan *sc);

/** scan_parse - the records in @len bytes at @sc->buffer, which begin at
 * @sc->pos; the part of scan_window() that reads nothing.
 * @last: nothing of the segment comes behind them. */
void scan_parse(struct scan *sc, uint32_t len, bool last);

#endif /* STORE_SCAN_H */
