#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include <jansson.h>

/* openapi - the table of routes as a document that programs read. */

/**
 * openapi_json - all routes; the same text for the same @version.
 * @version: of the program.
 *
 * Spec: OpenAPI 3.1.  What stands for a star may hold slashes, which OpenAPI
 * has no word for: such a parameter has "x-rest".
 */
json_t *openapi_json(const char *version);

#endif /* API_OPENAPI_H */
