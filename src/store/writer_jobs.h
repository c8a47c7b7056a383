#ifndef STORE_WRITER_JOBS_H
#define STORE_WRITER_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "env/pool.h"
#include "store/writer.h"

enum { WRITE_RECORD_PIECES = 3 }; /* header, padding, bytes */

struct disk;
struct disk_file;
struct segment;

/*
 * writer_jobs - what the writer has done in the pool.  Each job is made with
 * its @run set; who submits it sets @done and gives it back afterwards with
 * mem_free(), a write job with write_job_free().
 */

/**
 * struct write_job - appends records; computes their checksums.
 *
 * It does not start write-back as it goes: each commit of the index syncs what
 * was written before it, so that a last sync is short anyway, and starting
 * more was measured to halve the throughput on ext4.
 */
struct write_job {
    struct pool_job job;
    struct writer *writer;
    struct disk *disk;
    struct disk_file *file;
    struct write_record **records; /* room for WRITE_JOB_RECORDS */
    size_t count;
    struct bytes *pieces; /* for the job */
    uint32_t offset;
    uint32_t len;
    uint64_t log_end;
    enum err err;
    bool landed; /* the job has ended */
};

/** write_job_new - without records. */
struct write_job *write_job_new(struct disk *disk, struct disk_file *file);

/** write_job_free - the records are untouched. */
void write_job_free(struct write_job *job);

/** struct roll_job - makes the file of a segment. */
struct roll_job {
    struct pool_job job;
    struct writer *writer;
    struct disk *disk;
    struct disk_file *dir;
    uint32_t number;
    struct disk_file *file; /* made */
    enum err err;
};

struct roll_job *roll_job_new(struct disk *disk, struct disk_file *dir);

/** struct sync_job - makes segments durable, the older one first. */
struct sync_job {
    struct pool_job job;
    struct writer *writer;
    struct disk *disk;
    struct disk_file *dir;
    bool dir_too;
    struct segment *segments[2]; /* not for the job */
    struct disk_file *files[2];
    uint32_t ends[2];
    size_t count;
    uint64_t target;
    enum err err;
};

struct sync_job *sync_job_new(struct disk *disk, struct disk_file *dir);

/** struct cut_job - cuts segments off. */
struct cut_job {
    struct pool_job job;
    struct writer *writer;
    struct disk *disk;
    struct segment *segments[2]; /* not for the job */
    struct disk_file *files[2];
    uint32_t ends[2];
    size_t count;
    enum err err;
};

struct cut_job *cut_job_new(struct disk *disk);

#endif /* STORE_WRITER_JOBS_H */
