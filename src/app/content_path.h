#ifndef APP_CONTENT_PATH_H
#define APP_CONTENT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

struct cli;
struct strbuf;

/*
 * content_path - what users write for content: `CID`, `/ipfs/CID/path`,
 * `ipfs://CID/path`, `/ipns/NAME/path`, and the paths of routes made of it.
 */

enum { CONTENT_URL_MAX = 32 * 1024 }; /* longest path of a request, bytes */

/** content_path_encode - append @text percent-encoded; @keep_slash: a slash
 * stays. */
void content_path_encode(struct strbuf *out, const char *text, bool keep_slash);

/** content_path_is_name - whether @text begins with the name of a key. */
bool content_path_is_name(const char *text);

/**
 * content_path_plain - append `CID[/path]` or `ipns/NAME[/path]` for what the
 * user wrote.
 *
 * A URL is percent-decoded.  Whether the CID is one is the node's question.
 *
 * Return: OK; E_MALFORMED; E_LIMIT.
 */
MUST_USE enum err content_path_plain(struct strbuf *out, const char *text);

/**
 * content_path_route - append `/api/v1/ROUTE/CID[/path]` percent-encoded.
 * @route: "content".
 * @text: as the user wrote it, or as content_path_plain() made it.
 *
 * Return: OK; as content_path_plain(), with @cli->error set.
 */
MUST_USE enum err content_path_route(struct cli *cli, struct strbuf *out,
                                     const char *route, const char *text);

/** content_path_cid - the same for what is about one CID: E_UNSUPPORTED for a
 * name, which may stand for something else by now. */
MUST_USE enum err content_path_cid(struct cli *cli, struct strbuf *out,
                                   const char *route, const char *text);

/** content_path_last - the last part of what the user wrote, a view into
 * @plain, which content_path_plain() made. */
const char *content_path_last(const char *plain);

/** content_path_query - append `?name=value` or `&name=value`; @value is
 * encoded; NULL adds nothing. */
void content_path_query(struct strbuf *out, const char *name,
                        const char *value);

/** content_path_timeout - append the `timeout=` of @cli where it has one. */
void content_path_timeout(const struct cli *cli, struct strbuf *out);

#endif /* APP_CONTENT_PATH_H */
