#include "base/wr.h"
#include "storage/keeper_priv.h"
#include "storage/keeper_status_priv.h"

/*
 * What is told of a root to somebody who knows no owner: the record of each
 * owner and the receipts for it, page by page in the order of age.  All of it
 * is signed, so that who asks need not believe us.
 */

/* The next object with the root that is asked for, or NULL. */
static const struct keeper_object *next_after(const struct keeper *k,
                                              uint64_t after)
{
    const struct keeper_object *best = NULL;
    for (const struct keeper_object *o =
             keeper_index_root(&k->objects, &k->in->root);
         o != NULL; o = keeper_index_same(o)) {
        if (o->id > after && (best == NULL || o->id < best->id))
            best = o;
    }
    return best;
}

static size_t count_receipts(const struct keeper *k,
                             const struct keeper_object *o)
{
    size_t count = 0;
    list_for_each_copy(c, o)
    {
        count += keeper_counts(k, c);
    }
    return count;
}

static bool is_room(const struct keeper *k, const struct keeper_object *o)
{
    const struct storage_message *m = k->out;
    size_t receipts = m->receipts_count + count_receipts(k, o);
    return m->records_count < STORAGE_OWNERS_MAX &&
           receipts <= STORAGE_RECEIPTS_BATCH_MAX;
}

static void put_page(struct keeper *k, uint64_t after, uint8_t *cursor)
{
    const struct keeper_object *o = NULL;
    for (; (o = next_after(k, after)) != NULL; after = o->id) {
        if (!is_room(k, o)) {
            struct wr w = wr_init(cursor, KEEPER_CURSOR_BYTES);
            wr_be64(&w, after);
            k->out->cursor =
                (struct bytes){.p = cursor, .len = KEEPER_CURSOR_BYTES};
            return;
        }
        keeper_add_record(k, keeper_contract(k, o));
        keeper_put_receipts(k, o);
    }
}

void keeper_serve_about(struct keeper *k, uint64_t id)
{
    uint64_t after;
    uint8_t cursor[KEEPER_CURSOR_BYTES];

    if (!keeper_read_cursor(k, id, &after))
        return;
    keeper_out_begin(k, STORAGE_OBJECTS, NULL);
    put_page(k, after, cursor);
    keeper_answer(k, id);
}
