/*
 * Programs that are started without stdin, stdout and stderr: none of their connections takes the
 * place of one.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devhost/free_port.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { PATH_BYTES = 4096, MOST_FILES = 64, PATIENCE_MS = 30000 };

static struct process program;
static int storage; /* listens and never answers, so that who asks it goes on for a while */
static char settings[3][256];

static void set_up(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    storage = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(storage, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(listen(storage, 100), 0);
    ck_assert_int_eq(getsockname(storage, (struct sockaddr *)&address, &length), 0);
    static const char account[] =
        "AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:%d/a;"
        "TableEndpoint=http://127.0.0.1:%d/a";
    char connection[200];
    int port = ntohs(address.sin_port);
    snprintf(connection, sizeof connection, account, port, port);
    snprintf(settings[0], sizeof settings[0], "DistributedLeasing__ConnectionString=%s",
             connection);
    snprintf(settings[1], sizeof settings[1], "AZURE_STORAGE_CONNECTION_STRING=%s", connection);
    snprintf(settings[2], sizeof settings[2], "FUNCTIONS_CUSTOMHANDLER_PORT=%d", free_port_find());
}

static void tear_down(void) {
    process_cleanup(&program);
    close(storage);
}

static void start_without_streams(const char *path, const char *const *words) {
    const char *argv[8] = {"/bin/sh", "-c", "exec \"$0\" \"$@\" <&- >&- 2>&-", path};
    for (int i = 0; words[i] != NULL; i++) {
        argv[4 + i] = words[i];
    }
    const char *const env[] = {settings[0], settings[1], settings[2], NULL};
    process_start(&program, &(struct process_options){
                                .argv = argv, .env = env, .cwd = getenv("LEASEHOLD_ROOT")});
}

/* "exe", or "fd/N": "" where that is closed. */
static void read_process_link(const char *name, char out[PATH_BYTES]) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)program.pid, name);
    ssize_t length = readlink(path, out, PATH_BYTES - 1);
    out[length < 0 ? 0 : length] = '\0';
}

static void read_file_link(int file, char out[PATH_BYTES]) {
    char name[16];
    snprintf(name, sizeof name, "fd/%d", file);
    read_process_link(name, out);
}

/* Whether the program, and not yet the shell that becomes it, has opened a connection. */
static bool has_opened_network(const char *name) {
    char what[PATH_BYTES];
    read_process_link("exe", what);
    const char *slash = strrchr(what, '/'); /* NULL where the process has just ended */
    if (slash == NULL || strcmp(slash + 1, name) != 0) {
        return false;
    }
    for (int file = 0; file < MOST_FILES; file++) {
        read_file_link(file, what);
        if (strncmp(what, "socket:", 7) == 0) {
            return true;
        }
    }
    return false;
}

static const struct {
    const char *path; /* from LEASEHOLD_BIN */
    const char *words[4];
} programs[] = {
    {"handler", {NULL}},
    {"devhost", {"--port", "0", NULL}},
    {"leasectl", {"products", "list", NULL}},
    {"../examples/basic_lease", {"name", "30", NULL}},
    {"../examples/leader_election", {"name", NULL}},
};

START_TEST(no_connection_becomes_a_stream) {
    char path[PATH_BYTES], what[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", getenv("LEASEHOLD_BIN"), programs[_i].path);
    start_without_streams(path, programs[_i].words);
    int64_t deadline_ms = process_now_ms() + PATIENCE_MS;
    while (!has_opened_network(strrchr(path, '/') + 1)) {
        ck_assert_msg(process_wait(&program, 0) == PROCESS_RUNNING, "%s ended with %d", path,
                      program.exit_code);
        ck_assert_msg(process_now_ms() < deadline_ms, "%s opens no connection", path);
        poll(NULL, 0, 5);
    }
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++) {
        read_file_link(file, what);
        ck_assert_msg(strcmp(what, "/dev/null") == 0, "%s: descriptor %d is %s", path, file, what);
    }
    process_stop(&program, SIGTERM, PATIENCE_MS);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("closed_streams");
    TCase *tests = tcase_create("programs");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, no_connection_becomes_a_stream, 0,
                        sizeof programs / sizeof programs[0]);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
