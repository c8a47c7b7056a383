/*
 * Goal: the service manager gets its datagram; without one nothing happens.
 * The terminal's questions have answers where there is no terminal.
 * Method: a socket of the test's own in NOTIFY_SOCKET, by path and abstract; a
 * pseudo terminal.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "os/sdnotify.h"
#include "os/term.h"
#include "os_test.h"

#include "test.h"

static void set_variable(const char *name, const char *value)
{
    if (value == NULL)
        assert_int_equal(unsetenv(name), 0); /* NOLINT: one thread */
    else
        assert_int_equal(setenv(name, value, 1), 0); /* NOLINT: one thread */
}

static void test_without_a_manager(void **state)
{
    (void)state;
    set_variable("NOTIFY_SOCKET", NULL);
    assert_int_equal(sd_notify_state("READY=1"), OK);
    set_variable("NOTIFY_SOCKET", "");
    assert_int_equal(sd_notify_state("READY=1"), OK);
}

static void expect_datagram(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char got[64] = "";
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    size_t len = strlen(name);

    memcpy(addr.sun_path, name, len);
    if (name[0] == '@')
        addr.sun_path[0] = '\0';
    assert_int_equal(
        bind(fd, (struct sockaddr *)&addr,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
        0);
    set_variable("NOTIFY_SOCKET", name);
    assert_int_equal(sd_notify_state("READY=1"), OK);
    assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
    assert_string_equal(got, "READY=1");
    (void)close(fd);
}

static void test_datagram(void **state)
{
    char dir[OS_TEST_PATH_MAX];
    char path[OS_TEST_PATH_MAX];

    (void)state;
    os_test_dir(dir);
    os_test_path(path, dir, "notify");
    expect_datagram(path);
    /* Nobody reads any more. */
    assert_int_equal(sd_notify_state("STOPPING=1"), E_REFUSED);
    os_test_remove(dir);
    path[0] = '@';
    expect_datagram(path);
}

static void test_name_that_does_not_fit(void **state)
{
    char name[110];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[109] = '\0';
    set_variable("NOTIFY_SOCKET", name);
    assert_int_equal(sd_notify_state("READY=1"), E_LIMIT);
}

static void test_no_terminal(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_false(term_is_terminal(ends[0]));
    assert_false(term_wants_colour(ends[0]));
    assert_false(term_echo(ends[0], false));
    assert_int_equal(term_columns(ends[0]), TERM_COLUMNS_DEFAULT);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_terminal(void **state)
{
    struct winsize size = {.ws_col = 132, .ws_row = 40};
    struct termios mode;

    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        skip();                         /* no pseudo terminals here */
    const char *name = ptsname(master); /* NOLINT: one thread */
    int fd = open(name, O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    assert_true(term_is_terminal(fd));
    assert_int_equal(term_columns(fd), TERM_COLUMNS_DEFAULT);
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    assert_int_equal(term_columns(fd), 132);
    set_variable("NO_COLOR", NULL);
    set_variable("TERM", "xterm");
    assert_true(term_wants_colour(fd));
    set_variable("NO_COLOR", "1");
    assert_false(term_wants_colour(fd));
    set_variable("NO_COLOR", NULL);
    set_variable("TERM", "dumb");
    assert_false(term_wants_colour(fd));
    assert_true(term_echo(fd, false));
    assert_int_equal(tcgetattr(fd, &mode), 0);
    assert_int_equal(mode.c_lflag & ECHO, 0);
    assert_true(term_echo(fd, true));
    assert_int_equal(tcgetattr(fd, &mode), 0);
    assert_int_not_equal(mode.c_lflag & ECHO, 0);
    (void)close(fd);
    (void)close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_a_manager),
        cmocka_unit_test(test_datagram),
        cmocka_unit_test(test_name_that_does_not_fit),
        cmocka_unit_test(test_no_terminal),
        cmocka_unit_test(test_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
