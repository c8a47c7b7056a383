#ifndef OS_ERRNO_ERR_H
#define OS_ERRNO_ERR_H

#include "base/err.h"

/** err_of_errno - what the system's error @number (above 0) means to us. */
enum err err_of_errno(int number);

#endif /* OS_ERRNO_ERR_H */
