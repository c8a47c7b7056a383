#ifndef OS_WRITE_ALL_H
#define OS_WRITE_ALL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attr.h"
#include "base/err.h"

/** iov_advance - take @n bytes off the front of @count @iov.
 * Return: how many are left. */
int iov_advance(struct iovec **iov, int count, size_t n);

/**
 * write_all - write @count @iov to @fd at @offset, which moves behind what was
 * written; @iov changes.
 *
 * Return: OK, or what went wrong, as struct disk.write.
 */
MUST_USE enum err write_all(int fd, uint64_t *offset, struct iovec *iov,
                            int count);

#endif /* OS_WRITE_ALL_H */
