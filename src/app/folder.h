#ifndef APP_FOLDER_H
#define APP_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "multiformats/key.h"

struct cli_error;
struct config;
struct os_env;

/*
 * folder - where a node keeps what it has: finding it, making it, reading its
 * settings and its key.
 */

/**
 * folder_path - absolute path of the data folder.
 * @given: --path or $XMBL_PATH, or NULL: $XDG_DATA_HOME/xmbl, else
 * ~/.local/share/xmbl, under systemd /var/lib/xmbl.
 *
 * Return: given back with mem_free().
 */
MUST_USE char *folder_path(const char *given);

/** folder_exists - true when there is a node's key in @path. */
bool folder_exists(const char *path);

/** folder_has_lock - true when there is a lock file in @path: some process has
 * used it, even if it has no key yet. */
bool folder_has_lock(const char *path);

/** folder_is_writable - true when this process may change what is in @path. */
bool folder_is_writable(const char *path);

/** folder_fault_held - @e: process @pid, 0 where unknown, holds @path. */
void folder_fault_held(struct cli_error *e, uint32_t pid, const char *path);

/**
 * folder_make - make the directory @path and those above it, mode 0700.
 *
 * Return: OK, also when it is there; E_REFUSED, E_NOSPACE, E_IO with
 * @ret_error.
 */
MUST_USE enum err folder_make(const char *path, struct cli_error *ret_error);

/**
 * folder_settings - the settings of @path: defaults, environment, its
 * config.yaml, variables, then @sets ("KEY=VALUE", ended by NULL, may be
 * NULL).
 * @ret_config: initialized; config_release() in every case.
 *
 * Warnings go to stderr.
 *
 * Return: OK; E_MALFORMED with @ret_error; E_IO.
 */
MUST_USE enum err folder_settings(const char *path, const char *const *sets,
                                  struct config *ret_config,
                                  struct cli_error *ret_error);

/**
 * folder_set - change one setting in the config.yaml of @path; its comments
 * and other lines stay.
 * @name: of the key; @value: as text; neither is to be trusted.
 *
 * Return: OK; E_MALFORMED for an unknown key or a bad value, E_NOSPACE, E_IO,
 * each with @ret_error, and the file is as it was.
 */
MUST_USE enum err folder_set(const char *path, const char *name,
                             const char *value, struct cli_error *ret_error);

/**
 * folder_key - the key of @path, made where there is none.
 * @passphrase_file: file whose first line is the passphrase, or NULL; on a
 * terminal it is asked for when it is needed.
 *
 * Return: OK; E_REFUSED, E_MISMATCH, E_CORRUPT, E_IO with @ret_error.
 */
MUST_USE enum err folder_key(struct os_env *os, const char *path,
                             const char *passphrase_file,
                             struct privkey *ret_key,
                             struct cli_error *ret_error);

#endif /* APP_FOLDER_H */
