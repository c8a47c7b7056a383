#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "node/import_priv.h"
#include "unixfs/leaf.h"

/*
 * A chunk is copied to where its block will have it if it becomes a full one.
 * The head of a shorter one, the last, may be shorter: then its block begins a
 * little later.
 */

static size_t chunk_bytes(const struct import *im)
{
    return im->config.profile.chunk_bytes;
}

/* Place of chunk @i of a piece. */
static size_t chunk_at(const struct import *im, size_t i)
{
    struct leaf_frame f = leaf_frame(&im->config.profile, chunk_bytes(im));

    return i * (f.head_len + chunk_bytes(im) + f.tail_len) + f.head_len;
}

struct import *import_stream(struct node *n, const struct import_config *config,
                             struct bytes name)
{
    struct import *im = import_new(n, config);
    struct import_dir *top = import_dir_new(im, NULL, 0);

    top->planned = true;
    top->users = 0;
    top->names = mem_alloc(name.len + 1);
    if (name.len > 0)
        memcpy(top->names, name.p, name.len);
    top->names[name.len] = '\0';
    top->entries = mem_zalloc(1, sizeof(*top->entries));
    top->entries[0].name = top->names;
    top->count = 1;
    im->stream = top;
    im->is_stream = true;
    im->stream_end.kind = IMPORT_STEP_STREAM_END;
    list_init(&im->stream_end.link);
    return im;
}

static struct import_section *begin_piece(struct import *im)
{
    struct import_piece *p = import_piece_take(im, true);
    struct import_section *s = &p->sections[p->sections_count++];

    *s = (struct import_section){.kind = DISK_IS_FILE};
    im->filling = p;
    im->filled = 0;
    return s;
}

/* Chunk @p->leaves_count of the piece has @len bytes. */
static void end_chunk(struct import *im, size_t len)
{
    struct import_piece *p = im->filling;
    size_t head_len = leaf_frame(&im->config.profile, len).head_len;
    size_t at = chunk_at(im, p->leaves_count) - head_len;

    (void)import_piece_add_leaf(p, at, len); /* the next one has its place */
    p->sections[0].leaves_count++;
    im->filled = 0;
}

static void submit(struct import *im)
{
    struct import_piece *p = im->filling;

    im->filling = NULL;
    import_piece_submit(p);
}

/* Return: how many bytes of @in were copied. */
static size_t fill(struct import *im, struct bytes in)
{
    if (im->filling == NULL)
        (void)begin_piece(im);

    struct import_piece *p = im->filling;
    size_t room = chunk_bytes(im) - im->filled;
    size_t len = in.len < room ? in.len : room;
    memcpy(p->buf->data + chunk_at(im, p->leaves_count) + im->filled, in.p,
           len);
    im->filled += len;
    if (im->filled == chunk_bytes(im))
        end_chunk(im, im->filled);
    if (p->leaves_count == im->piece_leaves)
        submit(im);
    return len;
}

bool import_write(struct import *im, struct bytes in, struct mtime now)
{
    (void)now; /* nothing here waits for a time */
    if (im->state != IMPORT_RUNNING)
        return false; /* @done tells, or has told */
    assert(!im->stream_ended);
    while (in.len > 0) {
        size_t len = fill(im, in);
        im->stream_bytes += len;
        in = bytes_sub(in, len, in.len - len);
    }
    im->want_ready = !import_piece_has_room(im);
    return !im->want_ready;
}

void import_end(struct import *im, struct mtime now)
{
    if (im->state != IMPORT_RUNNING)
        return;
    assert(!im->stream_ended);
    im->stream_ended = true;
    im->want_ready = false;
    if (im->stream_bytes == 0)
        (void)begin_piece(im);
    if (im->filled > 0 || im->stream_bytes == 0)
        end_chunk(im, im->filled);
    if (im->filling != NULL)
        submit(im);
    import_add_step(im, &im->stream_end);
    im->clock->set(im->clock, &im->kick, now);
}

void import_stream_turn(struct import *im, struct mtime now)
{
    if (!im->want_ready || !import_piece_has_room(im))
        return;
    im->want_ready = false;
    im->config.on_ready(im->config.user, now);
}
