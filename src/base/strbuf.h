#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"

/*
 * strbuf - growing bytes with a cap, for text and messages that we make.
 *
 * An append that would pass the cap is dropped whole and remembered: ask
 * strbuf_full() once at the end.
 */
struct strbuf {
    uint8_t *p; /* always NUL-terminated once something was appended */
    size_t len;
    size_t room; /* private */
    size_t max;
    bool full; /* private */
};

/** strbuf_init - empty, growing up to @max bytes. */
void strbuf_init(struct strbuf *s, size_t max);

/** strbuf_release - free the memory. */
void strbuf_release(struct strbuf *s);

/** strbuf_reset - empty again, memory kept. */
void strbuf_reset(struct strbuf *s);

/** strbuf_add - append the bytes of @in. */
void strbuf_add(struct strbuf *s, struct bytes in);

/** strbuf_str - append NUL-terminated @str. */
void strbuf_str(struct strbuf *s, const char *str);

/** strbuf_u64 - append @value in decimal. */
void strbuf_u64(struct strbuf *s, uint64_t value);

/** strbuf_hex - append @in in lower-case hexadecimal. */
void strbuf_hex(struct strbuf *s, struct bytes in);

/**
 * strbuf_escape - append text from outside so that it can harm no terminal,
 * log or page: printable ASCII and well-formed UTF-8 above U+009F stay, the
 * backslash is doubled, everything else becomes \\xHH.
 */
void strbuf_escape(struct strbuf *s, struct bytes in);

/** strbuf_bytes - view of the contents, valid until the next change. */
struct bytes strbuf_bytes(const struct strbuf *s);

/** strbuf_cstr - the contents as a C string, valid until the next change. */
const char *strbuf_cstr(const struct strbuf *s);

/** strbuf_full - true when an append was dropped. */
bool strbuf_full(const struct strbuf *s);

/**
 * utf8_len - length of the well-formed UTF-8 sequence at the start of @in.
 *
 * Return: 1 to 4; 0 when there is none (truncated, overlong, surrogate, past
 * U+10FFFF, or @in is empty).
 */
size_t utf8_len(struct bytes in);

#endif /* BASE_STRBUF_H */
