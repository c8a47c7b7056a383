#include "app/shell_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "app/shell_complete.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum {
    LINES_KEPT = 1000,
    LINE_BYTES_MAX = 4096, /* longer ones come back in pieces */
    OFFERS_BYTES_MAX = 64 * 1024,
    FILE_MODE = 0600,
    KEY_CTRL_D = 4,
    PROMPT_MAX = 128,
};

struct shell_edit {
    EditLine *el;
    History *history;
    char *path; /* of the file, or NULL */
    char prompt[PROMPT_MAX];
    int interrupt_fd; /* readable after Ctrl-C, while that is blocked */
    bool interrupted; /* it was typed at this prompt */
};

static struct shell_edit *edit_of(EditLine *el)
{
    void *edit = NULL;

    (void)el_get(el, EL_CLIENTDATA, &edit); /* was set at the beginning */
    return edit;
}

static char *prompt_of(EditLine *el)
{
    return edit_of(el)->prompt;
}

/* One letter; -1 after Ctrl-C too.  That is not lost when it comes before we
 * wait, as it would be if it had to interrupt us. */
static int get_letter(EditLine *el, wchar_t *ret_letter)
{
    struct shell_edit *e = edit_of(el);
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = e->interrupt_fd, .events = POLLIN}};
    mbstate_t state;
    char byte = 0;

    memset(&state, 0, sizeof(state));
    for (;;) {
        int ready = poll(fds, 2, -1);
        if (ready < 0 && errno == EINTR)
            continue; /* the terminal has another size, or was away */
        if (ready < 0)
            return -1;
        e->interrupted = fds[1].revents != 0;
        if (e->interrupted)
            return -1;
        ssize_t n = read(STDIN_FILENO, &byte, 1);
        if (n <= 0)
            return (int)n;
        if (byte == '\0') /* a Ctrl-D that was typed while a command ran */
            byte = KEY_CTRL_D;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the state is ours */
        size_t took = mbrtowc(ret_letter, &byte, 1, &state);
        if (took <= 1)
            return 1;
        if (took == (size_t)-1)
            memset(&state, 0, sizeof(state)); /* no letter: left out */
    }
}

/* Tab. */

/* How far all the words of @offers are the same; @ret_count: of them. */
static size_t common_len(const char *offers, size_t *ret_count)
{
    size_t common = strcspn(offers, "\n");
    const char *at = offers;

    for (*ret_count = 0; *at != '\0'; (*ret_count)++) {
        size_t len = strcspn(at, "\n");
        size_t same = 0;
        while (same < common && same < len && at[same] == offers[same])
            same++;
        common = same;
        at += len + 1;
    }
    return common;
}

static void list_offers(const char *offers)
{
    (void)printf("\n");
    for (const char *at = offers; *at != '\0'; at += strcspn(at, "\n") + 1)
        (void)printf("%.*s  ", (int)strcspn(at, "\n"), at);
    (void)printf("\n");
    (void)fflush(stdout); /* a terminal: nothing is to be saved */
}

static unsigned char insert(EditLine *el, const char *text, size_t len,
                            bool is_whole)
{
    char word[256];

    if (len + 2 > sizeof(word))
        return CC_ERROR;
    memcpy(word, text, len);
    word[len] = is_whole ? ' ' : '\0';
    word[len + 1] = '\0';
    return el_insertstr(el, word) == 0 ? CC_REFRESH : CC_ERROR;
}

static unsigned char on_tab(EditLine *el, int key)
{
    const LineInfo *info = el_line(el);
    size_t len = (size_t)(info->cursor - info->buffer);
    char *line = mem_alloc(len + 1);
    struct strbuf offers;
    unsigned char done = CC_ERROR;
    size_t count = 0;

    memcpy(line, info->buffer, len);
    line[len] = '\0';
    strbuf_init(&offers, OFFERS_BYTES_MAX);
    size_t typed = shell_complete(&offers, line);
    const char *text = strbuf_cstr(&offers);
    size_t common = common_len(text, &count);
    if (count == 0) {
        done = _el_fn_complete(el, key); /* a file, may be */
    } else if (count == 1 || common > typed) {
        done = insert(el, text + typed, common - typed, count == 1);
    } else {
        list_offers(text);
        done = CC_REDISPLAY;
    }
    strbuf_release(&offers);
    mem_free(line);
    return done;
}

/* History: a file of lines, the latest last. */

static void load_history(struct shell_edit *e)
{
    FILE *f = fopen(e->path, "re");
    char line[LINE_BYTES_MAX];
    HistEvent event;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        (void)history(e->history, &event, H_ENTER, line); /* or not */
    if (f != NULL)
        (void)fclose(f); /* was only read */
}

/* A file that has grown long is written anew with what is kept of it. */
static void trim_history(struct shell_edit *e)
{
    struct stat st;
    HistEvent event;

    if (stat(e->path, &st) != 0 || st.st_size < (off_t)LINES_KEPT * 512)
        return;
    int fd = open(e->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    for (int more = history(e->history, &event, H_LAST); f != NULL && more >= 0;
         more = history(e->history, &event, H_PREV))
        (void)fputs(event.str, f); /* what is lost is not missed */
    if (f != NULL)
        (void)fclose(f); /* likewise */
}

void shell_edit_remember(struct shell_edit *e, const char *line)
{
    size_t len = strlen(line);
    HistEvent event;

    (void)history(e->history, &event, H_ENTER, line); /* or not */
    int fd = e->path != NULL
                 ? open(e->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                        FILE_MODE)
                 : -1;
    if (fd < 0)
        return; /* then it is known to this shell only */
    ssize_t n = write(fd, line, len);
    if (n > 0 && line[n - 1] != '\n')
        n = write(fd, "\n", 1);
    (void)n;         /* likewise */
    (void)close(fd); /* likewise */
}

/* Life. */

static sigset_t interrupt_set(void)
{
    sigset_t set;

    (void)sigemptyset(&set); /* these fail for bad numbers only */
    (void)sigaddset(&set, SIGINT);
    return set;
}

enum err shell_edit_open(const char *path, struct shell_edit **ret_edit)
{
    struct shell_edit *e = mem_zalloc(1, sizeof(*e));
    sigset_t interrupt = interrupt_set();
    HistEvent event;

    /* For letters of more than one byte.  No other thread runs. */
    (void)setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe) */
    e->el = el_init("xmbl", stdin, stdout, stderr);
    e->history = history_init();
    e->interrupt_fd = signalfd(-1, &interrupt, SFD_CLOEXEC | SFD_NONBLOCK);
    if (e->el == NULL || e->history == NULL || e->interrupt_fd < 0) {
        shell_edit_close(e);
        return E_IO;
    }
    e->path = path != NULL ? mem_strdup(path) : NULL;
    (void)history(e->history, &event, H_SETSIZE, LINES_KEPT);
    (void)history(e->history, &event, H_SETUNIQUE, 1);
    if (e->path != NULL) {
        load_history(e);
        trim_history(e);
    }
    /* These fail for bad arguments only. */
    (void)el_set(e->el, EL_CLIENTDATA, e);
    (void)el_set(e->el, EL_PROMPT, prompt_of);
    (void)el_set(e->el, EL_GETCFN, get_letter);
    (void)el_set(e->el, EL_SIGNAL, 1);
    (void)el_set(e->el, EL_EDITOR, "emacs");
    (void)el_set(e->el, EL_HIST, history, e->history);
    /* It keeps the texts; of narrow ones it would make copies for ever. */
    (void)el_wset(e->el, EL_ADDFN, L"xmbl-complete", L"what may follow",
                  on_tab);
    (void)el_set(e->el, EL_BIND, "^I", "xmbl-complete", NULL);
    (void)el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    (void)el_source(e->el, NULL); /* ~/.editrc, where there is one */
    *ret_edit = e;
    return OK;
}

void shell_edit_close(struct shell_edit *e)
{
    if (e == NULL)
        return;
    if (e->el != NULL)
        el_end(e->el);
    if (e->history != NULL)
        history_end(e->history);
    if (e->interrupt_fd >= 0)
        (void)close(e->interrupt_fd); /* nothing to lose */
    mem_free(e->path);
    mem_free(e);
}

enum err shell_edit_line(struct shell_edit *e, const char *prompt,
                         const char **ret_line)
{
    struct signalfd_siginfo info;
    sigset_t interrupt = interrupt_set();
    sigset_t mask;
    int len = 0;

    (void)snprintf(e->prompt, sizeof(e->prompt), "%s", prompt);
    e->interrupted = false;
    (void)pthread_sigmask(SIG_BLOCK, &interrupt, &mask); /* a good number */
    /* Before the prompt is there: what is typed at once is a key already. */
    (void)el_set(e->el, EL_PREP_TERM, 1);
    const char *line = el_gets(e->el, &len);
    ssize_t n = read(e->interrupt_fd, &info, sizeof(info));
    (void)n; /* none: Ctrl-C was not typed */
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (line != NULL && len > 0) {
        *ret_line = line;
        return OK;
    }
    if (!e->interrupted)
        return E_CLOSED;
    el_reset(e->el);
    return E_CANCELED;
}
