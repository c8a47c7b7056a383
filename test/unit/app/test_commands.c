/*
 * Goal: commands ask the routes that they should, print what the contract
 * with scripts says on stdout and nothing else there, and end with its exit
 * statuses.
 * Method: run the program with a client that answers what the test has set.
 */
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_client.h"

#include "test.h"

#define RUN(...) fake_run((const char *const[]){__VA_ARGS__, NULL})

static int set_up(void **state)
{
    (void)state;
    fake_reset(true);
    return 0;
}

static const char added[] =
    "{\"progress\":{\"done\":1,\"total\":5,\"unit\":\"bytes\"}}\n"
    "{\"path\":\"d/f\",\"cid\":\"bafkf\",\"bytes\":5}\n"
    "{\"path\":\"d\",\"cid\":\"bafyd\",\"bytes\":9,\"copies\":{\"wanted\":0,"
    "\"stored\":0,\"verified\":0,\"state\":\"local\"}}\n";

static void add_prints_a_line_for_each(void **state)
{
    (void)state;
    fake_answer(200, added);
    fake_cut(3);
    assert_int_equal(RUN("add", "-w", "--copies=0", "--raw-leaves=false",
                         "--no-hidden", "test"),
                     0);
    assert_string_equal(fake_stdout(), "added bafkf d/f\nadded bafyd d\n");
    assert_string_equal(fake_stderr(), "Whoever has the CID can read it.\n");
    const char *asked = fake_asked(0);
    assert_memory_equal(asked, "POST /api/v1/local/add {", 24);
    json_t *body = json_loads(strchr(asked, '{'), 0, NULL);
    assert_non_null(body);
    assert_true(json_is_true(json_object_get(body, "wrap")));
    assert_true(json_is_false(json_object_get(body, "raw_leaves")));
    assert_true(json_is_false(json_object_get(body, "hidden")));
    assert_int_equal(json_integer_value(json_object_get(body, "copies")), 0);
    assert_null(json_object_get(body, "only_hash"));
    const char *path =
        json_string_value(json_array_get(json_object_get(body, "paths"), 0));
    assert_int_equal(path[0], '/');
    assert_string_equal(strrchr(path, '/'), "/test");
    json_decref(body);
}

static void add_prints_less_when_told(void **state)
{
    (void)state;
    fake_answer(200, added);
    fake_answer(200, added);
    fake_answer(200, added);
    assert_int_equal(RUN("add", "-Q", "test"), 0);
    assert_string_equal(fake_stdout(), "bafyd\n");
    assert_string_equal(fake_stderr(), "");
    assert_int_equal(RUN("add", "-q", "test"), 0);
    assert_string_equal(fake_stdout(), "bafkf\nbafyd\n");
    assert_int_equal(RUN("add", "-n", "--json", "test"), 0);
    assert_string_equal(
        fake_stdout(),
        "{\"path\":\"d/f\",\"cid\":\"bafkf\",\"bytes\":5}\n"
        "{\"path\":\"d\",\"cid\":\"bafyd\",\"bytes\":9,\"copies\":{\"wanted\":"
        "0,\"stored\":0,\"verified\":0,\"state\":\"local\"}}\n");
    assert_string_equal(fake_stderr(), "");
    assert_non_null(strstr(fake_asked(2), "\"only_hash\":true"));
}

static void add_tells_of_copies(void **state)
{
    (void)state;
    fake_answer(200, "{\"path\":\"d\",\"cid\":\"c\",\"copies\":{\"wanted\":3,"
                     "\"stored\":1,\"state\":\"partial\"}}");
    assert_int_equal(RUN("add", "test"), 0);
    assert_non_null(strstr(fake_stderr(), "partial: 1 of 3"));
}

static void add_streams_what_it_must(void **state)
{
    (void)state;
    char path[] = "/tmp/xmbl-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "some bytes of it", 16), 16);
    (void)close(fd);
    fake_reset(false);
    fake_answer(200, added);
    assert_int_equal(RUN("add", "--profile", "kubo-v1", path), 0);
    assert_memory_equal(fake_asked(0), "POST /api/v1/add?", 17);
    assert_non_null(strstr(fake_asked(0), "profile=kubo-v1"));
    assert_non_null(strstr(fake_asked(0), "name=xmbl-test-"));
    assert_non_null(strstr(fake_asked(0), " some bytes of it"));
    (void)unlink(path);
    /* A folder cannot be streamed. */
    assert_int_equal(RUN("add", "/tmp"), 1);
    assert_non_null(strstr(fake_stderr(), "[NOT_A_FILE]"));
}

static void add_refuses_wrong_words(void **state)
{
    (void)state;
    assert_int_equal(RUN("add", "-", "x"), 2);
    assert_int_equal(RUN("add", "--copies", "8", "test"), 2);
    assert_int_equal(RUN("add", ""), 2);
    assert_int_equal(RUN("add", "/nowhere/at/all"), 3);
    assert_string_equal(fake_stdout(), "");
    assert_non_null(strstr(fake_stderr(), "/nowhere/at/all. Check the "
                                          "spelling. [NOT_FOUND]"));
}

static void failures_become_exit_statuses(void **state)
{
    static const struct {
        unsigned status;
        const char *code;
        int exit_code;
    } rows[] = {
        {404, "NOT_FOUND", 3},     {400, "BAD_CID", 2},   {507, "QUOTA", 5},
        {504, "TIMEOUT", 7},       {403, "FORBIDDEN", 4}, {409, "PINNED", 4},
        {500, "CORRUPT_BLOCK", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[128];
        (void)snprintf(body, sizeof(body),
                       "{\"code\":\"%s\",\"detail\":\"what\",\"hint\":\"do.\"}",
                       rows[i].code);
        fake_reset(true);
        fake_answer(rows[i].status, body);
        assert_int_equal(RUN("stat", "bafy"), rows[i].exit_code);
        assert_string_equal(fake_stdout(), "");
        char wanted[128];
        (void)snprintf(wanted, sizeof(wanted), "xmbl: what. do. [%s]\n",
                       rows[i].code);
        assert_string_equal(fake_stderr(), wanted);
    }
}

static void errors_inside_a_stream_end_it(void **state)
{
    (void)state;
    fake_answer(200, "{\"path\":\"f\",\"cid\":\"c\"}\n{\"error\":{\"code\":"
                     "\"CHANGED_FILE\",\"message\":\"it changed\",\"hint\":"
                     "\"Again.\"}}\n");
    assert_int_equal(RUN("add", "--json", "test"), 1);
    assert_string_equal(fake_stdout(), "{\"path\":\"f\",\"cid\":\"c\"}\n");
    assert_string_equal(
        fake_stderr(), "{\"error\":{\"code\":\"CHANGED_FILE\",\"message\":"
                       "\"it changed\",\"hint\":\"Again.\",\"details\":{}}}\n");
}

static void an_answer_that_is_none_is_told(void **state)
{
    (void)state;
    fake_answer(200, "nonsense");
    fake_answer(200, "nonsense\n");
    assert_int_equal(RUN("gc"), 1);
    assert_int_equal(RUN("add", "test"), 1);
    assert_non_null(strstr(fake_stderr(), "not JSON"));
}

static void cat_prints_bytes_alone(void **state)
{
    (void)state;
    fake_answer(200, "hello\x1b[0m\n");
    fake_answer(200, "x");
    assert_int_equal(RUN("cat", "/ipfs/bafy/a b", "--offset", "1K", "--length",
                         "5", "--timeout", "30s"),
                     0);
    assert_string_equal(fake_stdout(), "hello\x1b[0m\n");
    assert_string_equal(fake_asked(0),
                        "GET /api/v1/content/bafy/a%20b?offset=1000&length=5"
                        "&timeout=30 ");
    assert_int_equal(RUN("pin", "add", "/ipns/x"), 1);
    assert_int_equal(RUN("cat", "x", "--offset", "-1"), 2);
}

static void get_names_what_it_makes(void **state)
{
    static const struct {
        const char *path;
        const char *out; /* -o, or NULL */
        const char *wanted;
    } rows[] = {
        {"bafy/dir/f.txt", NULL, "/f.txt\""},
        {"bafy", NULL, "/bafy\""},
        {"bafy/f", "/tmp/x", "\"/tmp/x\""},
        {"bafy/f", "/tmp/", "\"/tmp/f\""},
        {"bafy/d/", NULL, "/d\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fake_reset(true);
        fake_answer(200, "{\"cid\":\"bafy\",\"path\":\"/x\",\"bytes\":2048,"
                         "\"seconds\":0.1,\"sources\":[]}\n");
        int code = rows[i].out != NULL
                       ? RUN("get", rows[i].path, "-o", rows[i].out)
                       : RUN("get", rows[i].path);
        assert_int_equal(code, 0);
        assert_string_equal(fake_stdout(), "saved /x (2.0 KiB)\n");
        assert_non_null(strstr(fake_asked(0), rows[i].wanted));
        assert_non_null(strstr(fake_asked(0), "POST /api/v1/local/get "));
    }
    assert_int_equal(RUN("get", "bafy/.."), 2);
    assert_int_equal(RUN("get", "bafy", "-o", ""), 2);
}

static void get_streams_what_it_must(void **state)
{
    char path[] = "/tmp/xmbl-test-XXXXXX";
    char text[16];

    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    fake_reset(false);
    fake_answer(200, "{\"cid\":\"bafk\",\"type\":\"file\",\"bytes\":5}");
    assert_int_equal(RUN("get", "bafk", "-o", path), 4);
    assert_non_null(strstr(fake_stderr(), "[EXISTS]"));
    fake_reset(false);
    fake_answer(200, "{\"cid\":\"bafk\",\"type\":\"file\",\"bytes\":5}");
    fake_answer(200, "bytes");
    assert_int_equal(RUN("get", "bafk", "-o", path, "--force", "--json"), 0);
    assert_non_null(strstr(fake_stdout(), "\"bytes\":5"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof(text), file), 5);
    (void)fclose(file);
    assert_memory_equal(text, "bytes", 5);
    (void)unlink(path);
    /* A failure leaves nothing. */
    fake_reset(false);
    fake_answer(200, "{\"cid\":\"bafk\",\"type\":\"file\",\"bytes\":5}");
    fake_answer(500, "{\"code\":\"IO\",\"detail\":\"x\"}");
    assert_int_equal(RUN("get", "bafk", "-o", path), 1);
    assert_int_equal(access(path, F_OK), -1);
    char part[64];
    (void)snprintf(part, sizeof(part), "%s.xmbl-part", path);
    assert_int_equal(access(part, F_OK), -1);
    fake_reset(false);
    fake_answer(200, "{\"cid\":\"bafy\",\"type\":\"directory\"}");
    assert_int_equal(RUN("get", "bafy", "-o", path), 1);
}

static void names_from_outside_are_escaped(void **state)
{
    (void)state;
    fake_answer(200, "{\"name\":\"a\\u001b[2J\\u202e\",\"cid\":\"c\",\"type\":"
                     "\"directory\",\"bytes\":7}\n");
    assert_int_equal(RUN("ls", "bafy"), 0);
    assert_string_equal(fake_stdout(),
                        "c            7 a\\x1b[2J\\xe2\\x80\\xae/\n");
}

static void lists_come_in_pages(void **state)
{
    (void)state;
    fake_answer(200, "{\"items\":[{\"cid\":\"a\",\"type\":\"recursive\"}],"
                     "\"next\":\"x/y\"}");
    fake_answer(200, "{\"items\":[{\"cid\":\"b\",\"type\":\"direct\",\"name\":"
                     "\"n\"}]}");
    assert_int_equal(RUN("pin", "ls"), 0);
    assert_string_equal(fake_stdout(), "a recursive\nb direct n\n");
    assert_string_equal(fake_asked(1),
                        "GET /api/v1/pins?limit=1000&after=x%2Fy ");
}

static void peers_are_one_array(void **state)
{
    (void)state;
    fake_answer(200,
                "{\"items\":[{\"peer_id\":\"P\",\"address\":\"/ip4/1.2.3.4/tcp/"
                "1\",\"direction\":\"out\",\"latency_ms\":1.5,\"streams\":2,"
                "\"agent\":\"x\"}]}");
    fake_answer(200,
                "{\"items\":[{\"peer_id\":\"P\",\"address\":\"/ip4/1.2.3.4/tcp/"
                "1\",\"direction\":\"out\",\"latency_ms\":1.5,\"streams\":2,"
                "\"agent\":\"x\"}]}");
    fake_answer(200, "{\"items\":[]}");
    assert_int_equal(RUN("swarm", "peers", "--json"), 0);
    assert_string_equal(fake_stdout(),
                        "[{\"peer_id\":\"P\",\"address\":\"/ip4/1.2.3.4/tcp/"
                        "1\",\"direction\":\"out\",\"latency_ms\":1.5,"
                        "\"streams\":2,\"agent\":\"x\"}]\n");
    assert_int_equal(RUN("swarm", "peers"), 0);
    assert_string_equal(fake_stdout(),
                        "/ip4/1.2.3.4/tcp/1/p2p/P out 1.5 ms x\n");
    assert_int_equal(RUN("swarm", "peers", "--json"), 0);
    assert_string_equal(fake_stdout(), "[]\n");
}

static void pings_are_printed_as_they_come(void **state)
{
    (void)state;
    fake_answer(200, "{}"); /* an address is connected to first */
    fake_answer(200, "{\"seq\":1,\"rtt_ms\":0.25}\n{\"sent\":1,\"received\":1,"
                     "\"min_ms\":0.25,\"avg_ms\":0.25,\"max_ms\":0.25}\n");
    fake_answer(200, "{\"sent\":2,\"received\":0}\n");
    assert_int_equal(RUN("ping", "/ip4/1.2.3.4/tcp/1/p2p/P", "-c", "1"), 0);
    assert_string_equal(fake_stdout(),
                        "seq=1 time=0.25 ms\n1 sent, 1 received, min/avg/max "
                        "0.25/0.25/0.25 ms\n");
    assert_string_equal(fake_asked(0),
                        "POST /api/v1/connections "
                        "{\"address\":\"/ip4/1.2.3.4/tcp/1/p2p/P\"}");
    assert_string_equal(fake_asked(1), "POST /api/v1/ping/P?count=1 ");
    assert_int_equal(RUN("ping", "P"), 7);
    assert_int_equal(RUN("ping", "P", "-c", "0"), 2);
}

static void damage_is_a_failure(void **state)
{
    (void)state;
    fake_answer(200, "{\"checked\":9,\"bad\":[],\"repaired\":[]}\n");
    fake_answer(200, "{\"checked\":9,\"bad\":[\"a\"],\"repaired\":[\"a\"]}\n");
    fake_answer(200, "{\"checked\":9,\"bad\":[\"a\"],\"repaired\":[]}\n");
    fake_answer(200, "{\"segments\":1,\"records\":2,\"bytes\":3,\"bad\":[],"
                     "\"missing\":1,\"rebuilt\":false}");
    assert_int_equal(RUN("verify"), 0);
    assert_string_equal(fake_stdout(),
                        "9 blocks checked, 0 damaged, 0 repaired\n");
    assert_int_equal(RUN("verify", "ipfs://bafy"), 0);
    assert_string_equal(fake_asked(1), "POST /api/v1/verify?cid=bafy ");
    assert_int_equal(RUN("verify", "--json"), 1);
    assert_string_equal(fake_stdout(),
                        "{\"checked\":9,\"bad\":[\"a\"],\"repaired\":[]}\n");
    assert_int_equal(RUN("fsck"), 1);
}

static void pins_and_blocks_go_by_their_cids(void **state)
{
    (void)state;
    fake_answer(200, "{\"cid\":\"a\",\"type\":\"direct\"}\n");
    fake_answer(204, "");
    fake_answer(204, "");
    fake_answer(204, "");
    fake_answer(409, "{\"code\":\"PINNED\"}");
    assert_int_equal(
        RUN("pin", "add", "--recursive=false", "--name", "x y", "/ipfs/a"), 0);
    assert_string_equal(fake_asked(0),
                        "PUT /api/v1/pins/a?direct=1&name=x%20y ");
    assert_string_equal(fake_stdout(), "pinned a direct\n");
    assert_int_equal(RUN("pin", "rm", "a", "b"), 0);
    assert_string_equal(fake_stdout(), "unpinned a\nunpinned b\n");
    assert_string_equal(fake_asked(2), "DELETE /api/v1/pins/b ");
    assert_int_equal(RUN("rm", "a", "--json"), 0);
    assert_string_equal(fake_stdout(), "{\"cid\":\"a\"}\n");
    assert_int_equal(RUN("block", "rm", "a"), 4);
}

static void settings_are_shown_and_checked(void **state)
{
    static const char items[] =
        "{\"items\":[{\"key\":\"storage.copies\",\"value\":\"3\",\"source\":"
        "\"config.yaml:2\"},{\"key\":\"network.name\",\"value\":\"x\","
        "\"source\":\"default\"}]}";

    (void)state;
    fake_answer(200, items);
    fake_answer(200, items);
    fake_answer(200, items);
    fake_answer(200, "{\"changed\":[],\"restart\":[\"network.name\"]}");
    assert_int_equal(RUN("config", "show"), 0);
    assert_string_equal(fake_stdout(), "storage.copies = 3   # config.yaml:2\n"
                                       "network.name = x   # default\n");
    assert_int_equal(RUN("config", "get", "storage.copies"), 0);
    assert_string_equal(fake_stdout(), "3\n");
    assert_int_equal(RUN("config", "get", "storage.copis"), 2);
    assert_non_null(strstr(fake_stderr(), "Did you mean storage.copies?"));
    assert_int_equal(RUN("config", "set", "network.name", "x"), 0);
    assert_string_equal(fake_asked(3),
                        "PATCH /api/v1/config {\"network.name\":\"x\"}");
    assert_non_null(strstr(fake_stderr(), "restarted: network.name"));
    assert_int_equal(RUN("config", "set", "storage.copies", "9"), 2);
    assert_non_null(strstr(fake_stderr(), "not in the range 0 to 7"));
    assert_int_equal(RUN("config", "set", "storage.copis", "9"), 2);
    assert_int_equal(RUN("config", "set", "storage.copies"), 2);
}

static void signatures_are_checked_without_a_node(void **state)
{
    /* RFC 8032, 7.1, TEST 2: the one byte 0x72. */
    static const char key[] =
        "CAESID1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM";
    static const char sig[] = "kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoI"
                              "WsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==";
    char path[] = "/tmp/xmbl-test-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "r", 1), 1);
    assert_int_equal(RUN("verify-signature", "--key", key, "-s", sig, path), 0);
    assert_memory_equal(fake_stdout(), "valid, by 12D3KooW", 18);
    assert_int_equal(write(fd, "r", 1), 1);
    (void)close(fd);
    assert_int_equal(RUN("verify-signature", "--key", key, "-s", sig, path), 1);
    assert_non_null(strstr(fake_stderr(), "[BAD_SIGNATURE]"));
    assert_int_equal(
        RUN("verify-signature", "--key", "nonsense!", "-s", "AA==", path), 2);
    assert_int_equal(RUN("verify-signature", path), 2);
    (void)unlink(path);
}

static void keys_are_made_exported_and_imported(void **state)
{
    char dir[] = "/tmp/xmbl-test-XXXXXX";
    char one[64];
    char two[64];
    char pem[64];
    char file[128];
    char id[128];
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(one, sizeof(one), "%s/one", dir);
    (void)snprintf(two, sizeof(two), "%s/two", dir);
    (void)snprintf(pem, sizeof(pem), "%s/key.pem", dir);
    assert_int_equal(RUN("init", "--path", one, "--json", "--network", "my"),
                     0);
    json_t *made = json_loads(fake_stdout(), 0, NULL);
    assert_non_null(made);
    assert_string_equal(json_string_value(json_object_get(made, "path")), one);
    (void)snprintf(id, sizeof(id), "%s",
                   json_string_value(json_object_get(made, "peer_id")));
    json_decref(made);
    assert_memory_equal(id, "12D3KooW", 8);
    (void)snprintf(file, sizeof(file), "%s/identity.key", one);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    /* A folder that is there is not touched. */
    assert_int_equal(RUN("init", "--path", one), 4);
    assert_non_null(strstr(fake_stderr(), "[FOLDER_EXISTS]"));
    assert_int_equal(RUN("init", "--path", two, "--network", "Bad Name"), 2);
    assert_int_equal(access(two, F_OK), -1);
    assert_int_equal(RUN("key", "export", "--path", two), 3);
    assert_int_equal(RUN("key", "export", "--path", one, "-o", pem), 0);
    assert_int_equal(stat(pem, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(RUN("key", "export", "--path", one, "-o", pem), 4);
    assert_int_equal(RUN("key", "import", "--path", two, pem, "--json"), 0);
    assert_non_null(strstr(fake_stdout(), id));
    assert_int_equal(RUN("key", "import", "--path", two, pem), 4);
    assert_int_equal(RUN("key", "import", "--path", two, pem, "--force"), 0);
    assert_int_equal(RUN("key", "import", "--path", two, "/dev/null"), 1);
    assert_non_null(strstr(fake_stderr(), "[BAD_KEY_FILE]"));
    fake_remove(dir);
}

static void passphrases_lock_and_unlock(void **state)
{
    char dir[] = "/tmp/xmbl-test-XXXXXX";
    char folder[64];
    char right[64];
    char wrong[64];

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(folder, sizeof(folder), "%s/x", dir);
    (void)snprintf(right, sizeof(right), "%s/right", dir);
    (void)snprintf(wrong, sizeof(wrong), "%s/wrong", dir);
    FILE *file = fopen(right, "w");
    assert_non_null(file);
    (void)fputs("horse\n", file);
    (void)fclose(file);
    file = fopen(wrong, "w");
    assert_non_null(file);
    (void)fputs("cow\n", file);
    (void)fclose(file);
    assert_int_equal(RUN("init", "--path", folder), 0);
    assert_int_equal(RUN("key", "passphrase", "--path", folder,
                         "--new-passphrase-file", right),
                     0);
    assert_int_equal(
        RUN("key", "export", "--path", folder, "--passphrase-file", wrong), 4);
    assert_non_null(strstr(fake_stderr(), "[WRONG_PASSPHRASE]"));
    assert_int_equal(
        RUN("key", "export", "--path", folder, "--passphrase-file", right), 0);
    assert_memory_equal(fake_stdout(), "-----BEGIN PRIVATE KEY-----\n", 28);
    assert_int_equal(RUN("key", "passphrase", "--path", folder,
                         "--passphrase-file", right, "--remove"),
                     0);
    assert_int_equal(RUN("key", "export", "--path", folder), 0);
    fake_remove(dir);
}

static void codes_are_explained(void **state)
{
    (void)state;
    assert_int_equal(RUN("explain", "folder_locked"), 0);
    assert_memory_equal(fake_stdout(), "FOLDER_LOCKED: ", 15);
    assert_int_equal(RUN("explain", "folder_lockd"), 2);
    assert_non_null(strstr(fake_stderr(), "Did you mean FOLDER_LOCKED?"));
    assert_int_equal(RUN("explain", "--json", "QUOTA"), 0);
    assert_non_null(strstr(fake_stdout(), "\"exit_code\":5"));
    assert_int_equal(RUN("explain"), 0);
    assert_int_equal(RUN("version"), 0);
    assert_memory_equal(fake_stdout(), "xmbl ", 5);
    assert_int_equal(RUN("help", "pin", "add"), 0);
    assert_int_equal(RUN("help", "nothing"), 2);
    assert_int_equal(RUN("add", "--help"), 0);
    assert_memory_equal(fake_stdout(), "Usage: xmbl add ", 16);
    assert_int_equal(RUN("--help"), 0);
    assert_int_equal(RUN("completion", "csh"), 2);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(add_prints_a_line_for_each),
        TEST(add_prints_less_when_told),
        TEST(add_tells_of_copies),
        TEST(add_streams_what_it_must),
        TEST(add_refuses_wrong_words),
        TEST(failures_become_exit_statuses),
        TEST(errors_inside_a_stream_end_it),
        TEST(an_answer_that_is_none_is_told),
        TEST(cat_prints_bytes_alone),
        TEST(get_names_what_it_makes),
        TEST(get_streams_what_it_must),
        TEST(names_from_outside_are_escaped),
        TEST(lists_come_in_pages),
        TEST(peers_are_one_array),
        TEST(pings_are_printed_as_they_come),
        TEST(damage_is_a_failure),
        TEST(pins_and_blocks_go_by_their_cids),
        TEST(settings_are_shown_and_checked),
        TEST(signatures_are_checked_without_a_node),
        TEST(keys_are_made_exported_and_imported),
        TEST(passphrases_lock_and_unlock),
        TEST(codes_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
