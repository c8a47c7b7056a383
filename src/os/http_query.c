#include "os/http_query.h"

#include <string.h>

#include "base/mem.h"

/* Return: 0 to 15, or -1. */
static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c == '\0' ? NULL : strchr(digits, c);

    return found == NULL ? -1 : (int)(found - digits) % 16;
}

/* One character of @from to @to.  Return: how many it was in @from. */
static size_t decode_one(char *to, const char *from)
{
    *to = *from;
    if (*from == '+')
        *to = ' ';
    if (*from != '%')
        return 1;
    int high = digit_of(from[1]);
    int low = high < 0 ? -1 : digit_of(from[2]);
    if (low < 0 || (high == 0 && low == 0))
        return 1;
    *to = (char)(high << 4 | low);
    return 3;
}

/* In place: it never grows. */
static void decode(char *text)
{
    char *to = text;

    while (*text != '\0')
        text += decode_one(to++, text);
    *to = '\0';
}

static size_t count_parts(const char *text)
{
    size_t count = 1;

    for (; *text != '\0'; text++)
        count += *text == '&';
    return count;
}

static void add_pair(struct http_query *q, char *part)
{
    char *equals = strchr(part, '=');
    const char *value = "";

    if (equals != NULL) {
        *equals = '\0';
        decode(equals + 1);
        value = equals + 1;
    }
    decode(part);
    q->words[2 * q->count] = part;
    q->words[2 * q->count + 1] = value;
    q->count++;
}

void http_query_init(struct http_query *q, const char *text)
{
    *q = (struct http_query){.text = mem_strdup(text)};
    q->words = mem_alloc(2 * count_parts(text) * sizeof(*q->words));
    for (char *part = q->text; part != NULL;) {
        char *end = strchr(part, '&');
        if (end != NULL)
            *end++ = '\0';
        if (*part != '\0')
            add_pair(q, part);
        part = end;
    }
}

void http_query_release(struct http_query *q)
{
    mem_free(q->text);
    mem_free(q->words);
    *q = (struct http_query){.text = NULL};
}

const char *http_query_get(const struct http_query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->words[2 * i], name) == 0)
            return q->words[2 * i + 1];
    return NULL;
}

const char *http_query_name(const struct http_query *q, size_t index)
{
    return index < q->count ? q->words[2 * index] : NULL;
}
