/* No DHT: a fetch asks the peers that are connected, and nobody else. */
#include "node/finding.h"

struct finding *finding_new(struct node *n, const struct finding_config *config,
                            struct mtime now)
{
    (void)n;
    (void)config;
    (void)now;
    return NULL;
}

void finding_look(struct finding *f, const struct multihash *hash,
                  struct mtime now)
{
    (void)f;
    (void)hash;
    (void)now;
}

void finding_again(struct finding *f, struct mtime now)
{
    (void)f;
    (void)now;
}

void finding_free(struct finding *f)
{
    (void)f;
}

bool finding_is_over(const struct finding *f)
{
    (void)f;
    return true;
}

struct finding_counts finding_counts(const struct finding *f)
{
    (void)f;
    return (struct finding_counts){.found = 0};
}
