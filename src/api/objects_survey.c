/* GET /api/v1/objects/CID of what this node neither owns nor keeps. */
#include "api/object_json.h"
#include "api/request.h"
#include "base/mem.h"
#include "node/node.h"
#include "node/surveying.h"
#include "storage/record.h"
#include "storage/survey.h"

struct asking {
    struct request *q;
    struct surveying *surveying;
};

/* The fields of an own one, but for what a stranger cannot know. */
static json_t *json_surveyed(struct node *n, const struct survey *survey,
                             size_t index)
{
    struct keeper_status *status = mem_alloc(sizeof(*status));

    survey_status(survey, index, status);
    json_t *v = json_object_status(n, status, true);
    mem_free(status);
    json_object_set_new(v, "role", json_string("stranger"));
    json_object_del(v, "spread");
    return v;
}

static json_t *json_asked(const struct surveying *s)
{
    struct surveying_counts counts = surveying_counts(s);

    return json_pack("{s:i,s:i,s:i}", "nodes", (int)counts.asked, "answered",
                     (int)counts.answered, "lied", (int)counts.lied);
}

static void on_surveyed(void *user, enum err err, struct mtime now)
{
    struct asking *a = user;
    const struct survey *survey = surveying_survey(a->surveying);
    json_t *others = json_array();

    (void)now;
    if (err != OK) {
        json_decref(others);
        reply_fault(a->q, surveying_fault(a->surveying));
        return;
    }
    json_t *v = json_surveyed(a->q->node, survey, 0);
    for (size_t i = 1; i < survey_count(survey); i++)
        json_array_append_new(others, json_surveyed(a->q->node, survey, i));
    json_object_set_new(v, "asked", json_asked(a->surveying));
    if (json_array_size(others) > 0)
        json_object_set(v, "others", others);
    json_decref(others);
    reply_json(a->q, 200, v);
}

static void cancel(struct request *q)
{
    struct asking *a = q->op;

    surveying_free(a->surveying);
    mem_free(a);
}

bool object_survey(struct request *q, const struct cid *root,
                   uint32_t timeout_ms, struct mtime now)
{
    struct surveying_config config = {
        .root = *root, .timeout_ms = timeout_ms, .done = on_surveyed};

    if (object_root_check(root) != OK || !node_reach_out(q->node, now))
        return false;
    struct asking *a = mem_zalloc(1, sizeof(*a));
    a->q = q;
    config.user = a;
    q->op = a;
    q->cancel = cancel;
    a->surveying = surveying_new(q->node, &config, now);
    return true;
}
