#ifndef TEST_UNIT_APP_FAKE_CLIENT_H
#define TEST_UNIT_APP_FAKE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * fake_client - app/client.h without a node: it answers what the test has set
 * and remembers what it was asked.  Linked before the real one.
 */

/** fake_reset - no answers, nothing asked; @local: what client_is_local()
 * says. */
void fake_reset(bool local);

/** fake_answer - what the next unanswered call gets; texts live on. */
void fake_answer(unsigned status, const char *body);

/** fake_cut - the next answers come @bytes at a time; 0: whole. */
void fake_cut(size_t bytes);

/** fake_asked - call number @index as "METHOD path body"; NULL past the last.
 */
const char *fake_asked(size_t index);

/** fake_run - run the program with @words (ended by NULL; without "xmbl"), and
 * catch what it prints. */
int fake_run(const char *const *words);

/** fake_remove - remove folder @path and all that is in it. */
void fake_remove(const char *path);

/** fake_stdout, fake_stderr - what the last run printed. */
const char *fake_stdout(void);
const char *fake_stderr(void);

#endif /* TEST_UNIT_APP_FAKE_CLIENT_H */
