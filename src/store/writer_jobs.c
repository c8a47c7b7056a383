#include "store/writer_jobs.h"

#include "base/mem.h"
#include "crypto/crc32c.h"
#include "env/disk.h"

/* The bytes of an aligned record lie at the next page. */
static struct bytes padding_of(const struct write_record *rec, size_t header)
{
    static const uint8_t zeros[RECORD_PAGE_BYTES];
    uint32_t data_at = record_data_at(rec->place.offset, rec->record.key.len,
                                      rec->record.flags);

    return (struct bytes){zeros, data_at - rec->place.offset - header};
}

static void write_run(struct pool_job *pool_job)
{
    struct write_job *job = container_of(pool_job, struct write_job, job);
    struct disk *disk = job->disk;

    for (size_t i = 0; i < job->count; i++) {
        struct write_record *rec = job->records[i];
        rec->record.crc = crc32c(0, rec->data.bytes);
        size_t len = record_encode(&rec->record, rec->place, rec->header);
        struct bytes *pieces = job->pieces + WRITE_RECORD_PIECES * i;
        pieces[0] = (struct bytes){rec->header, len};
        pieces[1] = padding_of(rec, len);
        pieces[2] = rec->data.bytes;
    }
    job->err = disk->write(disk, job->file, job->offset, job->pieces,
                           WRITE_RECORD_PIECES * job->count);
}

struct write_job *write_job_new(struct disk *disk, struct disk_file *file)
{
    struct write_job *job = mem_zalloc(1, sizeof(*job));

    job->job.run = write_run;
    job->disk = disk;
    job->file = file;
    job->records =
        mem_alloc((size_t)WRITE_JOB_RECORDS * sizeof(struct write_record *));
    job->pieces = mem_alloc(sizeof(struct bytes) * WRITE_RECORD_PIECES *
                            WRITE_JOB_RECORDS);
    return job;
}

void write_job_free(struct write_job *job)
{
    mem_free(job->records);
    mem_free(job->pieces);
    mem_free(job);
}

static void roll_run(struct pool_job *pool_job)
{
    struct roll_job *job = container_of(pool_job, struct roll_job, job);
    struct disk *disk = job->disk;
    uint8_t header[SEGMENT_HEADER_BYTES];
    struct bytes piece = {header, sizeof(header)};
    char name[SEGMENT_NAME_MAX];

    segment_name(job->number, name);
    segment_header_encode(job->number, header);
    job->err = disk->open(disk, job->dir, name,
                          DISK_READ | DISK_WRITE | DISK_CREATE | DISK_EXCL |
                              DISK_STREAM,
                          &job->file);
    if (job->err != OK)
        return;
    job->err = disk->write(disk, job->file, 0, &piece, 1);
    if (job->err == OK)
        return;
    disk->close(disk, job->file);
    job->file = NULL;
    /* A file without a header that stays is removed by the next start. */
    (void)disk->unlink(disk, job->dir, name, false);
}

struct roll_job *roll_job_new(struct disk *disk, struct disk_file *dir)
{
    struct roll_job *job = mem_zalloc(1, sizeof(*job));

    job->job.run = roll_run;
    job->disk = disk;
    job->dir = dir;
    return job;
}

static void sync_run(struct pool_job *pool_job)
{
    struct sync_job *job = container_of(pool_job, struct sync_job, job);
    struct disk *disk = job->disk;

    for (size_t i = 0; i < job->count && job->err == OK; i++)
        job->err = disk->sync(disk, job->files[i]);
    if (job->err == OK && job->dir_too)
        job->err = disk->sync_dir(disk, job->dir);
}

struct sync_job *sync_job_new(struct disk *disk, struct disk_file *dir)
{
    struct sync_job *job = mem_zalloc(1, sizeof(*job));

    job->job.run = sync_run;
    job->disk = disk;
    job->dir = dir;
    return job;
}

static void cut_run(struct pool_job *pool_job)
{
    struct cut_job *job = container_of(pool_job, struct cut_job, job);
    struct disk *disk = job->disk;

    for (size_t i = 0; i < job->count; i++) {
        enum err err = disk->truncate(disk, job->files[i], job->ends[i]);
        if (err != OK)
            job->err = err;
    }
}

struct cut_job *cut_job_new(struct disk *disk)
{
    struct cut_job *job = mem_zalloc(1, sizeof(*job));

    job->job.run = cut_run;
    job->disk = disk;
    return job;
}
