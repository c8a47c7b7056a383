#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "env/disk.h"
#include "ipld/block.h"
#include "node/export_priv.h"
#include "unixfs/dag_node.h"

/* A piece of a file that waits to be written. */
struct export_piece {
    uint64_t offset;
    struct slice slice;
    struct list link;
};

/* A file of one block, or a symlink: made in one job. */
struct small_job {
    struct export_job base;
    struct export_entry *entry; /* freed with the job */
    struct block *block;
    struct bytes contents;
    bool is_symlink;
};

/* The file of several blocks is made. */
struct open_job {
    struct export_job base;
    struct export_entry *entry;
    struct disk_file *file;
};

/* Some pieces are written. */
struct write_job {
    struct export_job base;
    struct export_entry *entry;
    struct disk_file *file;
    size_t count;
    size_t bytes;
    struct export_piece pieces[EXPORT_PIECES_MAX];
};

/* All is written, and has to be on the disk before the end. */
struct sync_job {
    struct export_job base;
    struct disk_file *file;
};

/* All is written.  Even to start its write-back takes as long as a good part of
 * the download of a large file, so nobody waits: it may outlive the export. */
struct flush_job {
    struct pool_job job;
    struct disk *disk;
    struct disk_file *file;
    uint64_t size;
};

static struct disk_file *dir_of(const struct export_entry *en)
{
    return en->dir != NULL ? en->dir->handle : en->e->parent;
}

struct export_entry *export_entry_new(struct export *e, struct export_dir *dir,
                                      const char *name, const struct cid *cid,
                                      uint64_t bytes)
{
    struct export_entry *en = mem_zalloc(1, sizeof(*en));

    en->e = e;
    en->dir = dir;
    en->name = mem_strdup(name);
    en->cid = *cid;
    en->budget = bytes < BLOCK_BYTES_MAX ? bytes : BLOCK_BYTES_MAX;
    list_init(&en->pieces);
    list_init(&en->wants);
    list_add_tail(&e->entries, &en->link);
    e->entries_count++;
    e->entries_bytes += en->budget;
    if (dir != NULL)
        dir->refs++;
    return en;
}

static void drop_pieces(struct export_entry *en)
{
    list_for_each_safe (it, &en->pieces) {
        struct export_piece *p = container_of(it, struct export_piece, link);
        list_remove(it);
        slice_release(&p->slice);
        mem_free(p);
    }
}

void export_entry_free(struct export_entry *en)
{
    struct export *e = en->e;

    fetch_cancel(&en->op);
    list_for_each_safe (it, &en->wants) {
        struct export_want *w = container_of(it, struct export_want, link);
        fetch_cancel(&w->op);
        list_remove(it);
        mem_free(w);
    }
    drop_pieces(en);
    if (en->is_large) {
        file_reader_release(&en->reader);
        e->large_count--;
    }
    if (en->file != NULL)
        e->disk->close(e->disk, en->file);
    list_remove(&en->link);
    e->entries_count--;
    e->entries_bytes -= en->budget;
    if (en->dir != NULL)
        export_dir_unref(en->dir);
    mem_free(en->name);
    mem_free(en);
}

/* One block: a whole file, or a symlink. */

static enum err write_whole(struct disk *disk, struct disk_file *dir,
                            const char *name, struct bytes contents)
{
    struct disk_file *f;
    enum err err = disk->open(
        disk, dir, name,
        DISK_WRITE | DISK_CREATE | DISK_EXCL | DISK_NOFOLLOW | DISK_SHARED, &f);
    if (err != OK)
        return err;
    if (contents.len > 0)
        err = disk->write(disk, f, 0, &contents, 1);
    disk->close(disk, f);
    return err;
}

static void small_run(struct pool_job *job)
{
    struct small_job *j = container_of(job, struct small_job, base.job);
    struct disk *disk = j->base.e->disk;
    struct disk_file *dir = dir_of(j->entry);

    if (!j->is_symlink) {
        j->base.err = write_whole(disk, dir, j->entry->name, j->contents);
        return;
    }
    char *target = mem_alloc(j->contents.len + 1);
    memcpy(target, j->contents.p, j->contents.len);
    target[j->contents.len] = '\0';
    j->base.err = disk->symlink(disk, dir, j->entry->name, target);
    mem_free(target);
}

static void small_done(struct pool_job *job, struct mtime now)
{
    struct small_job *j = container_of(job, struct small_job, base.job);
    struct export *e = j->base.e;
    struct export_entry *en = j->entry;
    bool goes_on = export_job_end(e);

    /* Of two entries with one name the first counts. */
    bool is_duplicate = j->base.err == E_EXISTS && en->dir != NULL;
    if (goes_on && j->base.err != OK && !is_duplicate)
        export_fail(e, j->base.err, "cannot write", bytes_str(en->name));
    e->progress.files_done++;
    e->progress.bytes_done += j->contents.len;
    block_unref(j->block);
    mem_free(j);
    export_entry_free(en);
    export_pump(e, now);
}

static void start_small(struct export_entry *en, struct block *block,
                        struct bytes contents, bool is_symlink)
{
    struct small_job *j = mem_zalloc(1, sizeof(*j));

    j->entry = en;
    j->block = block_ref(block);
    j->contents = contents;
    j->is_symlink = is_symlink;
    export_submit(en->e, &j->base, small_run, small_done);
}

/* Several blocks. */

/* Pieces that follow each other, in one write. */
static void write_run(struct pool_job *job)
{
    struct write_job *j = container_of(job, struct write_job, base.job);
    struct disk *disk = j->base.e->disk;
    struct bytes run[EXPORT_PIECES_MAX];
    size_t count = 0;
    uint64_t end = 0; /* of the run */
    uint64_t offset = 0;

    for (size_t i = 0; i < j->count && j->base.err == OK; i++) {
        const struct export_piece *p = &j->pieces[i];
        if (count > 0 && p->offset != end) {
            j->base.err = disk->write(disk, j->file, offset, run, count);
            count = 0;
        }
        if (count == 0)
            offset = p->offset;
        run[count++] = p->slice.bytes;
        end = p->offset + p->slice.bytes.len;
    }
    if (count > 0 && j->base.err == OK)
        j->base.err = disk->write(disk, j->file, offset, run, count);
}

static void entry_pump(struct export_entry *en);

static void write_done(struct pool_job *job, struct mtime now)
{
    struct write_job *j = container_of(job, struct write_job, base.job);
    struct export *e = j->base.e;
    struct export_entry *en = j->entry;
    bool goes_on = export_job_end(e);

    for (size_t i = 0; i < j->count; i++)
        slice_release(&j->pieces[i].slice);
    en->writes_count--;
    en->unwritten -= j->bytes;
    e->progress.bytes_done += j->bytes;
    if (goes_on && j->base.err != OK)
        export_fail(e, j->base.err, "cannot write", bytes_str(en->name));
    mem_free(j);
    if (e->err == OK && !e->freed)
        entry_pump(en);
    export_pump(e, now);
}

static void start_write(struct export_entry *en)
{
    struct write_job *j = mem_zalloc(1, sizeof(*j));

    j->entry = en;
    j->file = en->file;
    while (j->count < EXPORT_PIECES_MAX && !list_empty(&en->pieces)) {
        struct list *first = list_first(&en->pieces);
        struct export_piece *p = container_of(first, struct export_piece, link);
        list_remove(first);
        j->pieces[j->count++] = *p;
        j->bytes += p->slice.bytes.len;
        mem_free(p);
    }
    en->writes_count++;
    export_submit(en->e, &j->base, write_run, write_done);
}

static void sync_run(struct pool_job *job)
{
    struct sync_job *j = container_of(job, struct sync_job, base.job);
    struct disk *disk = j->base.e->disk;

    j->base.err = disk->sync(disk, j->file);
    disk->close(disk, j->file);
}

static void sync_done(struct pool_job *job, struct mtime now)
{
    struct sync_job *j = container_of(job, struct sync_job, base.job);
    struct export *e = j->base.e;
    bool goes_on = export_job_end(e);

    if (goes_on && j->base.err != OK)
        export_fail(e, j->base.err, "cannot write", bytes_str(e->out));
    mem_free(j);
    export_pump(e, now);
}

static void flush_run(struct pool_job *job)
{
    struct flush_job *j = container_of(job, struct flush_job, job);

    j->disk->flush(j->disk, j->file, 0, j->size);
    j->disk->close(j->disk, j->file);
}

static void flush_done(struct pool_job *job, struct mtime now)
{
    (void)now; /* nobody waits */
    mem_free(container_of(job, struct flush_job, job));
}

static void start_sync(struct export *e, struct disk_file *file)
{
    struct sync_job *j = mem_zalloc(1, sizeof(*j));

    j->file = file;
    export_submit(e, &j->base, sync_run, sync_done);
}

static void start_flush(struct export *e, struct disk_file *file, uint64_t size)
{
    struct flush_job *j = mem_zalloc(1, sizeof(*j));

    j->job.run = flush_run;
    j->job.done = flush_done;
    j->disk = e->disk;
    j->file = file;
    j->size = size;
    e->pool->submit(e->pool, &j->job, POOL_DISK);
}

static void start_close(struct export_entry *en)
{
    struct export *e = en->e;

    if (e->config.sync)
        start_sync(e, en->file);
    else
        start_flush(e, en->file, en->size);
    en->file = NULL;
    e->progress.files_done++;
    export_entry_free(en);
}

static void on_block(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct export_want *w = container_of(op, struct export_want, op);
    struct export_entry *en = w->entry;
    struct export *e = en->e;
    uint64_t id = w->id;

    list_remove(&w->link);
    mem_free(w);
    if (err != OK) {
        export_fail_fetch(e, err);
        export_pump(e, now);
        return;
    }
    err = file_reader_on_block(&en->reader, id, block);
    if (err != OK)
        export_fail(e, err, file_reader_fault(&en->reader),
                    bytes_str(en->name));
    else
        entry_pump(en);
    export_pump(e, now);
}

static void want_blocks(struct export_entry *en)
{
    struct file_want want;

    while (file_reader_want(&en->reader, &want)) {
        struct export_want *w = mem_zalloc(1, sizeof(*w));
        uint32_t hint = want.size_hint < BLOCK_BYTES_MAX
                            ? (uint32_t)want.size_hint
                            : BLOCK_BYTES_MAX;
        w->entry = en;
        w->id = want.id;
        w->op.done = on_block;
        list_add_tail(&en->wants, &w->link);
        fetch_get(en->e->fetch, &w->op, &want.cid, hint, 0);
    }
}

static void take_pieces(struct export_entry *en)
{
    struct file_out out;

    while (en->unwritten < EXPORT_UNWRITTEN_MAX &&
           file_reader_next(&en->reader, &out)) {
        if (out.kind == FILE_END) {
            en->has_ended = true;
            en->size = out.size;
            continue;
        }
        struct export_piece *p = mem_zalloc(1, sizeof(*p));
        p->offset = out.offset;
        p->slice = out.slice;
        en->unwritten += out.slice.bytes.len;
        list_add_tail(&en->pieces, &p->link);
    }
}

static void entry_pump(struct export_entry *en)
{
    take_pieces(en);
    want_blocks(en);
    while (en->writes_count < EXPORT_WRITES_MAX && !list_empty(&en->pieces))
        start_write(en);
    if (en->has_ended && en->writes_count == 0 && list_empty(&en->pieces))
        start_close(en);
}

static void open_run(struct pool_job *job)
{
    struct open_job *j = container_of(job, struct open_job, base.job);
    struct disk *disk = j->base.e->disk;

    j->base.err = disk->open(disk, dir_of(j->entry), j->entry->name,
                             DISK_WRITE | DISK_CREATE | DISK_EXCL |
                                 DISK_NOFOLLOW | DISK_SHARED | DISK_STREAM,
                             &j->file);
}

static void open_done(struct pool_job *job, struct mtime now)
{
    struct open_job *j = container_of(job, struct open_job, base.job);
    struct export *e = j->base.e;
    struct export_entry *en = j->entry;
    enum err err = j->base.err;
    bool goes_on = export_job_end(e);

    en->file = err == OK ? j->file : NULL;
    mem_free(j);
    if (goes_on && err == E_EXISTS && en->dir != NULL)
        export_entry_free(en); /* of two with one name the first counts */
    else if (goes_on && err != OK)
        export_fail(e, err, "cannot make the file", bytes_str(en->name));
    else if (goes_on)
        entry_pump(en);
    export_pump(e, now);
}

static void start_large(struct export_entry *en)
{
    struct export *e = en->e;
    struct open_job *j = mem_zalloc(1, sizeof(*j));
    struct file_reader_config config = {
        .length = UINT64_MAX,
        .lookahead_bytes_max =
            en->dir == NULL ? EXPORT_LOOKAHEAD_BYTES : EXPORT_LOOKAHEAD_SHARE,
    };

    file_reader_init(&en->reader, &config, &en->cid);
    en->is_large = true;
    e->large_count++;
    j->entry = en;
    export_submit(e, &j->base, open_run, open_done);
}

static void on_first(struct fetch_op *op, enum err err, struct block *block,
                     struct mtime now)
{
    struct export_entry *en = container_of(op, struct export_entry, op);
    struct export *e = en->e;
    struct dag_node view;

    if (err != OK) {
        export_fail_fetch(e, err);
        export_pump(e, now);
        return;
    }
    err = dag_node_open(block, &view);
    if (err != OK) {
        export_fail(e, err, "a block is malformed", bytes_str(en->name));
    } else if (view.type == NODE_DIRECTORY || view.type == NODE_SHARDED) {
        export_dir_push(e, en->dir, en->name, &en->cid);
        export_entry_free(en);
    } else if (view.type == NODE_SYMLINK) {
        start_small(en, block, view.contents, true);
    } else if (view.type != NODE_FILE) {
        export_fail(e, E_UNSUPPORTED, "this is no file or folder",
                    bytes_str(en->name));
    } else if (view.pb.links_count == 0) {
        e->progress.bytes_total += view.contents.len;
        start_small(en, block, view.contents, false);
    } else {
        e->progress.bytes_total += view.file_bytes;
        start_large(en);
    }
    export_pump(e, now);
}

void export_entry_start(struct export_entry *en)
{
    en->op.done = on_first;
    fetch_get(en->e->fetch, &en->op, &en->cid, (uint32_t)en->budget, 0);
}
