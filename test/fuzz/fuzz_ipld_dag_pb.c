/*
 * A dag-pb block that is accepted is encoded again, with all its links, and
 * the result must be a fixed point: it decodes to the same and encodes to the
 * same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/wr.h"
#include "ipld/dag_pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Canonical block of @n, in memory of its own. */
static struct bytes encode(struct dag_pb n, uint8_t **ret_memory)
{
    size_t max = dag_pb_data_len(n.data.len);
    struct dag_pb walk = n;
    struct dag_pb_link link;
    size_t count = 0;

    for (; dag_pb_link_next(&walk, &link); count++)
        max += dag_pb_link_len(&link.cid, link.name.len, link.tsize);
    must(count == n.links_count);
    *ret_memory = mem_alloc(max);
    struct wr w = wr_init(*ret_memory, max);
    while (dag_pb_link_next(&n, &link))
        dag_pb_put_link(&w, &link.cid, link.name, link.tsize);
    if (n.has_data) {
        dag_pb_put_data_head(&w, n.data.len);
        wr_bytes(&w, n.data);
    }
    must(w.err == OK);
    return (struct bytes){*ret_memory, wr_len(&w)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct dag_pb n;
    struct dag_pb again;
    uint8_t *first = NULL;
    uint8_t *second = NULL;

    if (dag_pb_open((struct bytes){data, len}, &n) != OK)
        return 0;
    struct bytes a = encode(n, &first);
    must(dag_pb_open(a, &again) == OK);
    must(again.links_count == n.links_count);
    must(again.has_data == n.has_data);
    must(bytes_eq(again.data, n.data));
    struct bytes b = encode(again, &second);
    must(bytes_eq(a, b));
    mem_free(first);
    mem_free(second);
    return 0;
}
