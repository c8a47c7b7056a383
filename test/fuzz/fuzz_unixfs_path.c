/*
 * Paths: what is accepted has as many segments as are counted, none is empty
 * or has a slash.  The same bytes serve as the text of a chunker.
 */
#include <stdlib.h>
#include <string.h>

#include "unixfs/ipfs_path.h"
#include "unixfs/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes text = {data, len};
    struct ipfs_path path;
    struct bytes segment;
    uint32_t chunk_bytes = 0;
    size_t count = 0;

    if (profile_parse_chunker(text, &chunk_bytes) == OK)
        must(chunk_bytes >= 1 && chunk_bytes <= CHUNK_BYTES_MAX);
    if (ipfs_path_parse(text, &path) != OK)
        return 0;
    struct bytes rest = path.rest;
    for (; ipfs_path_next(&rest, &segment); count++) {
        must(segment.len > 0);
        must(memchr(segment.p, '/', segment.len) == NULL);
    }
    must(count == path.segments_count);
    must(count <= IPFS_PATH_SEGMENTS_MAX);
    return 0;
}
