#include "api/media_type.h"

#include <stddef.h>
#include <string.h>

#include "base/ascii.h"

bool media_type_is(const char *text, const char *type)
{
    const char *p = text + strspn(text, " \t");
    size_t i = 0;

    while (type[i] != '\0' && ascii_lower((uint8_t)p[i]) == (uint8_t)type[i])
        i++;
    if (type[i] != '\0')
        return false;
    p += i;
    p += strspn(p, " \t");
    return *p == '\0' || *p == ';';
}
