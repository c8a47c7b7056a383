#include "api/media_type.h"

#include <stddef.h>
#include <string.h>

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool media_type_is(const char *text, const char *type)
{
    const char *p = text + strspn(text, " \t");
    size_t i = 0;

    while (type[i] != '\0' && lower(p[i]) == type[i])
        i++;
    if (type[i] != '\0')
        return false;
    p += i;
    p += strspn(p, " \t");
    return *p == '\0' || *p == ';';
}
