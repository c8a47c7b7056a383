#ifndef APP_KEEPING_H
#define APP_KEEPING_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "env/disk.h"
#include "env/rng.h"
#include "os/fslock.h"

struct cli;
struct privkey;

/*
 * keeping - the data folder in the hands of a command that works on the key
 * itself, which no route of the API gives out.
 */
struct keeping {
    struct disk disk;
    struct rng rng;
    struct disk_file *dir;
    char *path; /* absolute */
    struct fslock lock;
    bool is_locked; /* private: @lock is held */
};

enum keeping_use {
    KEEPING_NEW,   /* there may be nothing in it; it is made */
    KEEPING_MAKE,  /* it is made where there is none; nobody else may use it */
    KEEPING_WRITE, /* it is there; nobody else may use it */
    KEEPING_READ,  /* it is there; a daemon may run */
};

/**
 * keeping_open - the data folder of @cli.
 *
 * Return: OK; E_EXISTS, E_NOTFOUND, E_CLOSED when another process holds it,
 * E_REFUSED, E_IO, with @cli->error set.
 */
MUST_USE enum err keeping_open(struct cli *cli, struct keeping *k,
                               enum keeping_use use);

/** keeping_close - let it go. */
void keeping_close(struct keeping *k);

/** keeping_key - its key, with the passphrase that it needs.
 *
 * Return: OK; else with @cli->error set. */
MUST_USE enum err keeping_key(struct cli *cli, struct keeping *k,
                              struct privkey *ret_key);

/** keeping_write - new file @name with @text, whole or not at all.
 *
 * Return: OK; else with @cli->error set. */
MUST_USE enum err keeping_write(struct cli *cli, struct keeping *k,
                                const char *name, struct bytes text);

/** keeping_fault - the error of the folder that @err (not OK) means. */
void keeping_fault(struct cli *cli, const struct keeping *k, enum err err);

#endif /* APP_KEEPING_H */
