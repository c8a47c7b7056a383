#include "base/path.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* @first_len bytes of @first, then the others. */
static char *join_part(const char *first, size_t first_len, const char *between,
                       const char *last)
{
    size_t lens[] = {first_len, strlen(between), strlen(last)};
    char *out = mem_alloc(lens[0] + lens[1] + lens[2] + 1);

    memcpy(out, first, lens[0]);
    memcpy(out + lens[0], between, lens[1]);
    memcpy(out + lens[0] + lens[1], last, lens[2] + 1);
    return out;
}

static char *join(const char *first, const char *between, const char *last)
{
    return join_part(first, strlen(first), between, last);
}

char *path_join(const char *dir, const char *name)
{
    return join(dir, "/", name);
}

char *path_with(const char *path, const char *suffix)
{
    return join(path, "", suffix);
}

char *path_beside(const char *path, const char *suffix)
{
    size_t len = strlen(path);
    size_t name_at = len;
    size_t suffix_len = strlen(suffix);

    assert(suffix_len < PATH_NAME_MAX);
    while (name_at > 0 && path[name_at - 1] != '/')
        name_at--;
    if (len - name_at > PATH_NAME_MAX - suffix_len) {
        len = name_at + PATH_NAME_MAX - suffix_len;
        /* Not within a character of UTF-8: some file systems refuse that. */
        while (len > name_at && ((unsigned char)path[len] & 0xc0) == 0x80)
            len--;
    }
    return join_part(path, len, "", suffix);
}
