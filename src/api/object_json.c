#include "api/object_json.h"

#include "api/peer_json.h"
#include "api/request.h"
#include "node/placing.h"
#include "storage/placement.h"

json_t *json_copies(const struct node *n, const struct keeper_status *status,
                    const char *state)
{
    if (state == NULL)
        state = placing_state(n, status);
    return json_pack("{s:i,s:i,s:i,s:s}", "wanted", (int)status->copies_wanted,
                     "stored", (int)status->copies_stored, "verified",
                     (int)status->copies_verified, "state", state);
}

static json_t *json_holder(const struct keeper_holder_status *h)
{
    json_t *v = json_pack("{s:o,s:s,s:o}", "peer", json_peer(&h->peer), "state",
                          keeper_holder_state_name(h->state), "since",
                          json_time_ms(h->since_ms));

    if (h->last_verified_ms > 0)
        json_object_set_new(v, "last_verified",
                            json_time_ms(h->last_verified_ms));
    if (h->refusal != NULL)
        json_object_set_new(v, "reason", json_string(h->refusal));
    if (h->until_ms > 0)
        json_object_set_new(v, "until", json_time_ms(h->until_ms));
    if (h->state == KEEPER_HOLDER_PULLING) {
        json_object_set_new(v, "pulled_bytes",
                            json_integer((json_int_t)h->pulled_bytes));
        json_object_set_new(v, "pulled_blocks",
                            json_integer((json_int_t)h->pulled_blocks));
    }
    return v;
}

/* Holders tell who differs from whom; without any there is nothing to tell. */
static void add_holders(json_t *v, const struct keeper_status *status)
{
    json_t *list = json_array();

    for (size_t i = 0; i < status->holders_count; i++)
        json_array_append_new(list, json_holder(&status->holders[i]));
    json_object_set_new(v, "holders", list);
    if (status->copies_stored > 1)
        json_object_set_new(v, "spread",
                            json_string(placement_tier_name(status->tier)));
}

json_t *json_object_status(const struct node *n,
                           const struct keeper_status *status, bool holders)
{
    json_t *v = json_pack(
        "{s:o,s:s,s:{s:i,s:i},s:s,s:o}", "root", json_cid(&status->root),
        "role", status->role == KEEPER_OWNER ? "owner" : "holder", "policy",
        "copies", (int)status->copies_wanted, "release_delay_s",
        (int)status->release_delay_s, "state", placing_state(n, status),
        "copies", json_copies(n, status, NULL));

    if (status->name_len > 0)
        json_object_set_new(
            v, "name",
            json_text((struct bytes){status->name, status->name_len}));
    json_object_set_new(v, "owner", json_peer(&status->owner));
    json_object_set_new(v, "size_bytes",
                        json_integer((json_int_t)status->size_bytes));
    json_object_set_new(v, "blocks", json_integer((json_int_t)status->blocks));
    json_object_set_new(v, "created", json_time_ms(status->created_ms));
    json_object_set_new(v, "expires", json_time_ms(status->expires_ms));
    if (status->role == KEEPER_HOLDER)
        json_object_set_new(v, "kept", json_boolean(status->kept));
    if (holders)
        add_holders(v, status);
    return v;
}
