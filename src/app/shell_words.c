#include "app/shell_words.h"

#include <string.h>

#include "base/mem.h"

/* The line while it is read. */
struct reader {
    struct shell_words *words;
    const char *at;
    char *out; /* end of the word that is being made */
    char quote;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What does something in a shell that is not done here. */
static bool is_operator(const struct reader *r)
{
    if (r->quote == '\'')
        return false;
    if (*r->at == '`' || (*r->at == '$' && r->at[1] == '('))
        return true;
    return r->quote == '\0' && strchr("|&;<>", *r->at) != NULL;
}

static void begin_word(struct reader *r)
{
    struct shell_words *w = r->words;

    if (w->in_word)
        return;
    w->at[w->count++] = r->out;
    w->in_word = true;
}

static void end_word(struct reader *r)
{
    if (r->words->in_word)
        *r->out++ = '\0';
    r->words->in_word = false;
}

/* A backslash; within "quotes" it stays before most letters. */
static enum shell_fault take_backslash(struct reader *r)
{
    char next = r->at[1];

    begin_word(r);
    if (next == '\0')
        return SHELL_UNCLOSED;
    if (r->quote == '"' && strchr("\\\"$`", next) == NULL)
        *r->out++ = '\\';
    *r->out++ = next;
    r->at += 2;
    return SHELL_FINE;
}

static enum shell_fault take(struct reader *r)
{
    char c = *r->at;

    if (is_operator(r))
        return SHELL_OPERATOR;
    if (c == '\\' && r->quote != '\'')
        return take_backslash(r);
    if (r->quote == '\0' && is_blank(c)) {
        end_word(r);
    } else if (r->quote == '\0' && (c == '\'' || c == '"')) {
        begin_word(r);
        r->quote = c;
    } else if (r->quote != '\0' && c == r->quote) {
        r->quote = '\0';
    } else {
        begin_word(r);
        *r->out++ = c;
    }
    r->at++;
    return SHELL_FINE;
}

enum shell_fault shell_words_split(struct shell_words *ret_words,
                                   const char *line)
{
    size_t len = strlen(line);
    struct reader r = {.words = ret_words, .at = line};
    enum shell_fault fault = SHELL_FINE;

    *ret_words = (struct shell_words){.count = 0};
    /* No word is longer than its part of the line, its end included. */
    ret_words->text = mem_zalloc(len + 2, 1);
    ret_words->at = mem_zalloc(len + 2, sizeof(*ret_words->at));
    r.out = ret_words->text;
    while (*r.at != '\0' && fault == SHELL_FINE) {
        bool is_comment =
            *r.at == '#' && r.quote == '\0' && !ret_words->in_word;
        if (is_comment)
            return SHELL_FINE;
        fault = take(&r);
    }
    if (fault == SHELL_FINE && r.quote != '\0')
        fault = SHELL_UNCLOSED;
    return fault;
}

void shell_words_release(struct shell_words *w)
{
    mem_free(w->text);
    mem_free(w->at);
    *w = (struct shell_words){.count = 0};
}
