/*
 * Every az command that deploy/ runs, and every one that a document has its readers paste, before
 * the parser of the real az: Debian's azure-cli, which needs no network to judge arguments.
 * az_newer.txt lists the options that it is too old for.
 */
#include <stdlib.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { WAIT_MS = 120000 };

static const char *const files[] = {
    "tests/release/golden/flex.txt",
    "tests/release/golden/premium.txt",
    "tests/release/golden/consumption.txt",
    "tests/release/golden/interrupted.txt",
    "tests/release/golden/teardown.txt",
    "docs/deploy.md",
    "docs/operations.md",
};
enum { FILES = sizeof files / sizeof files[0] };

static struct process parser;

static void tear_down(void) {
    process_cleanup(&parser);
}

START_TEST(az_takes_every_command) {
    /* Debian's Python, for which Debian's az is there; another may come first in PATH. */
    const char *const argv[] = {"/usr/bin/python3", "tests/release/az_parse.py",
                                "tests/release/az_newer.txt", files[_i], NULL};
    const char *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(root != NULL, "LEASEHOLD_ROOT is not set: run the tests with `make test-deploy`");
    process_start(&parser, &(struct process_options){.argv = argv, .cwd = root});
    int exit_code = process_wait(&parser, WAIT_MS);
    char *output = process_output_from(&parser, 0);
    ck_assert_msg(exit_code == EXIT_SUCCESS, "%s", output);
    free(output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("az_arguments");
    TCase *arguments = tcase_create("arguments");
    tcase_set_timeout(arguments, 180);
    tcase_add_checked_fixture(arguments, NULL, tear_down);
    tcase_add_loop_test(arguments, az_takes_every_command, 0, FILES);
    suite_add_tcase(suite, arguments);
    return check_main(suite);
}
