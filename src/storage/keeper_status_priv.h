#ifndef STORAGE_KEEPER_STATUS_PRIV_H
#define STORAGE_KEEPER_STATUS_PRIV_H

#include <stdint.h>

#include "storage/record.h"

struct keeper;

/* What a keeper tells of a root to somebody who knows no owner. */

/** keeper_serve_about - ABOUT in k->in, request @id. */
void keeper_serve_about(struct keeper *k, uint64_t id);

/** keeper_add_record - one record more into k->out, which has room for it;
 * uses k->scratch. */
void keeper_add_record(struct keeper *k, const struct checked_object *contract);

#endif /* STORAGE_KEEPER_STATUS_PRIV_H */
