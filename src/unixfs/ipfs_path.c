#include "unixfs/ipfs_path.h"

#include <string.h>

/* Cuts @prefix off @text if it begins so. */
static bool cut_prefix(struct bytes *text, struct bytes prefix)
{
    if (text->len < prefix.len ||
        !bytes_eq(bytes_sub(*text, 0, prefix.len), prefix))
        return false;
    *text = bytes_sub(*text, prefix.len, text->len - prefix.len);
    return true;
}

bool ipfs_path_next(struct bytes *rest, struct bytes *ret_segment)
{
    size_t from = 0;

    while (from < rest->len && rest->p[from] == '/')
        from++;
    size_t to = from;
    while (to < rest->len && rest->p[to] != '/')
        to++;
    if (from == to)
        return false;
    *ret_segment = bytes_sub(*rest, from, to - from);
    *rest = bytes_sub(*rest, to, rest->len - to);
    return true;
}

static bool is_name_space(struct bytes text)
{
    return cut_prefix(&text, BYTES_LIT("/")) ||
           cut_prefix(&text, BYTES_LIT("ipns://")) ||
           cut_prefix(&text, BYTES_LIT("ipld://"));
}

enum err ipfs_path_parse(struct bytes text, struct ipfs_path *ret_path)
{
    struct ipfs_path path = {.segments_count = 0};
    struct bytes segment;

    if (text.len > IPFS_PATH_BYTES_MAX)
        return E_LIMIT;
    if (text.len > 0 && memchr(text.p, 0, text.len) != NULL)
        return E_MALFORMED;
    if (!cut_prefix(&text, BYTES_LIT("/ipfs/")) &&
        !cut_prefix(&text, BYTES_LIT("ipfs://")) && is_name_space(text))
        return E_UNSUPPORTED;
    if (!ipfs_path_next(&text, &segment))
        return E_SHORT;
    enum err err = cid_parse(segment, &path.root);
    if (err != OK)
        return err;
    path.rest = text;
    while (ipfs_path_next(&text, &segment))
        path.segments_count++;
    if (path.segments_count > IPFS_PATH_SEGMENTS_MAX)
        return E_LIMIT;
    *ret_path = path;
    return OK;
}
