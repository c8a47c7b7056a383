#ifndef OS_STANDARD_FDS_H
#define OS_STANDARD_FDS_H

#include <stdbool.h>

/**
 * standard_fds_fill - have the descriptors 0, 1 and 2 be taken.
 *
 * Where one is closed, the next file that is opened, a segment or a socket,
 * would be what the program believes to be its standard output.  Each closed
 * one becomes /dev/null, opened the wrong way round: reading or writing goes on
 * to fail, as with a closed one.
 *
 * Return: true; false when they could not be taken.
 */
bool standard_fds_fill(void);

#endif /* OS_STANDARD_FDS_H */
