#ifndef APP_MAN_H
#define APP_MAN_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

/*
 * man - the manual pages, made of the table of commands: xmbl(1), and
 * xmbl-WORD(1) for each first word of a command.
 */

/** man_word - the word of page @index behind xmbl(1); NULL past the last. */
const char *man_word(size_t index);

/**
 * man_page - append a page as roff, with the macros of man(7).
 * @word: first word of its commands; NULL: xmbl(1).
 *
 * Return: false when there is no such page; nothing is appended then.
 */
bool man_page(struct strbuf *out, const char *word);

#endif /* APP_MAN_H */
