#ifndef OS_DISK_H
#define OS_DISK_H

#include "env/disk.h"

/** os_disk_init - make @d the files of this machine; it holds nothing. */
void os_disk_init(struct disk *d);

#endif /* OS_DISK_H */
