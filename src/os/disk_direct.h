#ifndef OS_DISK_DIRECT_H
#define OS_DISK_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

/*
 * disk_direct - large writes past the page cache.
 *
 * What is written once and not read soon costs a copy into memory that has to
 * be found, and pushes out what others need.  Whole pages are gathered and
 * handed to the device (O_DIRECT); what is left over at both ends goes the
 * usual way, so that no page is written by both.
 */

enum { DISK_DIRECT_MIN = 512 * 1024 }; /* shorter writes are not worth it */

/**
 * disk_direct_write - write @count pieces at @offset.
 * @fd: opened as usual.
 * @direct: the same file, opened with O_DIRECT.
 *
 * Where the device will not have it so, it is written the usual way.
 *
 * Return: as struct disk.write.
 */
MUST_USE enum err disk_direct_write(int fd, int direct, uint64_t offset,
                                    const struct bytes *pieces, size_t count);

#endif /* OS_DISK_DIRECT_H */
