#include "base/path.h"

#include <string.h>

#include "base/mem.h"

static char *join(const char *first, const char *between, const char *last)
{
    size_t lens[] = {strlen(first), strlen(between), strlen(last)};
    char *out = mem_alloc(lens[0] + lens[1] + lens[2] + 1);

    memcpy(out, first, lens[0]);
    memcpy(out + lens[0], between, lens[1]);
    memcpy(out + lens[0] + lens[1], last, lens[2] + 1);
    return out;
}

char *path_join(const char *dir, const char *name)
{
    return join(dir, "/", name);
}

char *path_with(const char *path, const char *suffix)
{
    return join(path, "", suffix);
}
