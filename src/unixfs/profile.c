#include "unixfs/profile.h"

#include <stddef.h>

static const struct import_profile profiles[] = {
    {
        .name = "unixfs-v1-2025",
        .cid_version = 1,
        .raw_leaves = true,
        .chunk_bytes = 1024 * 1024,
        .width = 1024,
        .dir_limit_bytes = 256 * 1024,
        .dir_estimate = DIR_ESTIMATE_BLOCK,
        .hamt_fanout = 256,
    },
    {
        .name = "kubo-v1",
        .cid_version = 1,
        .raw_leaves = true,
        .chunk_bytes = 256 * 1024,
        .width = 174,
        .dir_limit_bytes = 256 * 1024,
        .dir_estimate = DIR_ESTIMATE_LINKS,
        .hamt_fanout = 256,
    },
    {
        .name = "kubo-v0",
        .cid_version = 0,
        .raw_leaves = false,
        .chunk_bytes = 256 * 1024,
        .width = 174,
        .dir_limit_bytes = 256 * 1024,
        .dir_estimate = DIR_ESTIMATE_LINKS,
        .hamt_fanout = 256,
    },
};

const struct import_profile *profile_default(void)
{
    return &profiles[0];
}

enum err profile_find(struct bytes name,
                      const struct import_profile **ret_profile)
{
    for (size_t i = 0; i < countof(profiles); i++) {
        if (bytes_eq(name, bytes_str(profiles[i].name))) {
            *ret_profile = &profiles[i];
            return OK;
        }
    }
    return E_NOTFOUND;
}

const char *profile_name(unsigned index)
{
    return index < countof(profiles) ? profiles[index].name : NULL;
}

static bool has_prefix(struct bytes text, struct bytes prefix)
{
    return text.len >= prefix.len &&
           bytes_eq(bytes_sub(text, 0, prefix.len), prefix);
}

enum err profile_parse_chunker(struct bytes text, uint32_t *ret_chunk_bytes)
{
    const struct bytes prefix = BYTES_LIT("size-");
    uint32_t size = 0;

    if (has_prefix(text, BYTES_LIT("rabin")) ||
        bytes_eq(text, BYTES_LIT("buzhash")))
        return E_UNSUPPORTED;
    if (!has_prefix(text, prefix) || text.len == prefix.len)
        return E_MALFORMED;
    for (size_t i = prefix.len; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (c < '0' || c > '9')
            return E_MALFORMED;
        /* Stays above the limit once it is, whatever follows. */
        if (size <= CHUNK_BYTES_MAX)
            size = size * 10 + (uint32_t)(c - '0');
    }
    if (size == 0 || size > CHUNK_BYTES_MAX)
        return E_LIMIT;
    *ret_chunk_bytes = size;
    return OK;
}
