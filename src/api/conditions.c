#include "api/conditions.h"

#include <stddef.h>
#include <string.h>

/* Digits, and how many there were; as much as fits. */
static size_t take_number(const char **at, uint64_t *ret)
{
    const char *p = *at;
    uint64_t n = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
    }
    size_t count = (size_t)(p - *at);
    *at = p;
    *ret = n;
    return count;
}

struct range range_parse(const char *text)
{
    struct range r = {.kind = RANGE_WHOLE, .length = UINT64_MAX};
    uint64_t first = 0;
    uint64_t last = 0;

    if (text == NULL || strncmp(text, "bytes=", 6) != 0)
        return r;
    text += 6;
    size_t first_digits = take_number(&text, &first);
    if (*text != '-')
        return r;
    text++;
    size_t last_digits = take_number(&text, &last);
    if (*text != '\0' || first_digits + last_digits == 0)
        return r;
    if (first_digits == 0)
        return (struct range){.kind = RANGE_SUFFIX, .length = last};
    if (last_digits > 0 && last < first)
        return r;
    r.kind = RANGE_FROM;
    r.offset = first;
    if (last_digits > 0 && last - first < UINT64_MAX)
        r.length = last - first + 1;
    return r;
}

/* What is behind the tag "@cid" at @text, or NULL where it is another. */
static const char *behind_tag(const char *text, const char *cid)
{
    size_t len = strlen(cid);

    if (text[0] != '"' || strncmp(text + 1, cid, len) != 0 ||
        text[len + 1] != '"')
        return NULL;
    return text + len + 2;
}

bool etag_is_listed(const char *list, const char *cid)
{
    while (list != NULL) {
        list += strspn(list, " \t,");
        if (list[0] == '*')
            return true;
        if (strncmp(list, "W/", 2) == 0)
            list += 2;
        const char *rest = behind_tag(list, cid);
        if (rest != NULL && (*rest == '\0' || strchr(" \t,", *rest) != NULL))
            return true;
        list = strchr(list, ',');
    }
    return false;
}

bool etag_is(const char *text, const char *cid)
{
    const char *rest = behind_tag(text, cid);

    return rest != NULL && *rest == '\0';
}
