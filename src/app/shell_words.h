#ifndef APP_SHELL_WORDS_H
#define APP_SHELL_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * shell_words - the words of a line as a POSIX shell sees them: blanks between
 * them, 'quotes', "quotes", backslashes, a comment behind #.  Nothing is
 * expanded; what would be a pipe, a redirection, a second command or a command
 * within the line is refused, and not taken for a word.
 */

enum shell_fault {
    SHELL_FINE,
    SHELL_UNCLOSED, /* a quote, or a backslash at the end */
    SHELL_OPERATOR, /* one of | & ; < > ` or $( outside of 'quotes' */
};

struct shell_words {
    char **at; /* @count words, NULL behind them */
    size_t count;
    bool in_word; /* the line ends within the last word */
    char *text;   /* private: owns the words */
};

/** shell_words_split - take @line apart; also with a fault, up to there.
 * @ret_words: shell_words_release() in each case. */
enum shell_fault shell_words_split(struct shell_words *ret_words,
                                   const char *line);

/** shell_words_release - free the words. */
void shell_words_release(struct shell_words *w);

#endif /* APP_SHELL_WORDS_H */
