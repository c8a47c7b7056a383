#ifndef APP_FILE_OUT_H
#define APP_FILE_OUT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"

struct cli;

/*
 * file_out - a file that is made beside its name and renamed when it is whole,
 * so that a half one is never taken for the whole.
 */
struct file_out {
    int fd;     /* private: -1 none */
    char *path; /* private */
    char *part; /* private: path.xmbl-part */
};

/**
 * file_out_open - start @path.
 * @force: what is there is replaced at the end; else EXISTS.
 *
 * Return: OK; E_EXISTS, E_NOTFOUND, E_REFUSED, E_IO with @cli->error set.
 */
MUST_USE enum err file_out_open(struct cli *cli, struct file_out *f,
                                const char *path, bool force);

/** file_out_write - append.  Return: OK; E_NOSPACE, E_IO with the error set. */
MUST_USE enum err file_out_write(struct cli *cli, struct file_out *f,
                                 struct bytes in);

/**
 * file_out_close - give the file its name.
 * @sync: wait until it is on the disk.
 *
 * Return: OK; E_EXISTS, E_NOSPACE, E_IO with the error set.
 */
MUST_USE enum err file_out_close(struct cli *cli, struct file_out *f,
                                 bool force, bool sync);

/** file_out_drop - remove what was begun; after file_out_close() nothing. */
void file_out_drop(struct file_out *f);

#endif /* APP_FILE_OUT_H */
