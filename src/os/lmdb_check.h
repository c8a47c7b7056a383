#ifndef OS_LMDB_CHECK_H
#define OS_LMDB_CHECK_H

#include "base/attr.h"
#include "base/err.h"

/**
 * lmdb_check - may LMDB open data file @path without harm?
 *
 * LMDB maps the file and trusts it: where it is shorter than its pages say,
 * reading is a bus error.  The two meta pages are compared with the length of
 * the file.  When it is shorter than they claim, which a clean one rarely is,
 * and when it is small, all pages in use are looked at.
 *
 * Return: OK; E_NOTFOUND there is no file, or it is empty; E_CORRUPT it is not
 * of LMDB, or damaged; E_REFUSED, E_LIMIT, E_IO.
 * Spec: LMDB 0.9 data file, version 1, as written on this machine.
 */
MUST_USE enum err lmdb_check(const char *path);

#endif /* OS_LMDB_CHECK_H */
