#ifndef API_OPENAPI_WORDS_H
#define API_OPENAPI_WORDS_H

struct route;

/*
 * openapi_words - what the document of the routes says beside the table of
 * them.  Every row has its words; test_openapi looks.
 */

/** struct openapi_place - what stands for "+" or "*" at the end of a path. */
struct openapi_place {
    const char *pattern; /* of the table of routes */
    const char *name;
    const char *behind; /* text that must follow it */
    const char *help;
};

/** struct openapi_query - a parameter behind "?". */
struct openapi_query {
    const char *name;
    const char *type; /* string, integer, boolean */
    const char *help;
};

/** enum openapi_answer - bodies of a success, as bits. */
enum openapi_answer {
    ANSWER_NONE = 0,
    ANSWER_JSON = 1,
    ANSWER_PAGE = 2, /* {items, next} */
    ANSWER_LINES = 4,
    ANSWER_BYTES = 8,
    ANSWER_BYTES_OR_JSON = ANSWER_BYTES | ANSWER_JSON,
    ANSWER_JSON_OR_LINES = ANSWER_JSON | ANSWER_LINES,
};

/** struct openapi_words - what a row does. */
struct openapi_words {
    const char *help;
    enum openapi_answer answer;
    unsigned status;  /* of a success; 0: 200 */
    const char *type; /* of ANSWER_BYTES; NULL: application/octet-stream */
};

/** openapi_place - NULL: nothing stands for a part of @pattern. */
const struct openapi_place *openapi_place(const char *pattern);

/** openapi_query - NULL: no such parameter. */
const struct openapi_query *openapi_query(const char *name);

/** openapi_words - of @route; NULL: it has none. */
const struct openapi_words *openapi_words(const struct route *route);

#endif /* API_OPENAPI_WORDS_H */
