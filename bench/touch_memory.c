/*
 * Writes to as much memory as it is told, and ends: what is measured next gets
 * pages that the machine has, and does not have to ask its host for.  With
 * "hold" it says so and keeps the memory until standard input ends: what is
 * left is then little enough to be used again and again.
 */
#include <stdbool.h>
#include <sys/mman.h>

#include "common.h"

int main(int argc, char **argv)
{
    enum { PAGE_BYTES = 4096 };

    bool hold = argc == 3 && strcmp(argv[2], "hold") == 0;
    if (argc != 2 && !hold)
        usage("touch_memory BYTES [hold]");
    size_t len = parse_size(argv[1]);
    void *mapped = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        die("mmap");
    volatile uint8_t *p = mapped;
    for (size_t i = 0; i < len; i += PAGE_BYTES)
        p[i] = 1;
    if (hold) {
        (void)puts("{}");
        (void)fflush(stdout);
        while (getchar() != EOF)
            continue;
    }
    return 0;
}
