#ifndef API_MEDIA_TYPE_H
#define API_MEDIA_TYPE_H

#include <stdbool.h>

/**
 * media_type_is - whether the text of a Content-Type names @type.
 * @text: as sent; parameters behind it do not matter.
 * @type: in lower case, without parameters.
 *
 * Spec: RFC 9110 section 8.3.1: types are the same in either case; blanks may
 * stand before the semicolon.
 */
bool media_type_is(const char *text, const char *type);

#endif /* API_MEDIA_TYPE_H */
