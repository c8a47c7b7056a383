/*
 * Writes to as much memory as it is told, and ends: what is measured next gets
 * pages that the machine has, and does not have to ask its host for.
 */
#include <sys/mman.h>

#include "common.h"

int main(int argc, char **argv)
{
    enum { PAGE_BYTES = 4096 };

    if (argc != 2)
        usage("touch_memory BYTES");
    size_t len = parse_size(argv[1]);
    void *mapped = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        die("mmap");
    volatile uint8_t *p = mapped;
    for (size_t i = 0; i < len; i += PAGE_BYTES)
        p[i] = 1;
    return 0;
}
