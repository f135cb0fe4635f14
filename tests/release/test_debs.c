/*
 * The Debian packages where they are going to live: in a root file system that has compilers and
 * our packages, with what they depend on (tools/package/develop-root.sh). Programs are built there
 * in each way that the packages offer, and take a lease from a storage outside of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/leasehold.h"
#include "support/processes/azurite.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { WAIT_MS = 120000, TEST_TIMEOUT_S = 180, PATH_BYTES = 512, SCRIPT_BYTES = 2048 };

static struct azurite azurite;
static struct process tool;

static void tear_down(void) {
    process_cleanup(&tool);
    azurite_cleanup(&azurite);
}

/*
 * Runs a shell script in an empty folder of the root, as a user without rights, to its good end.
 * There $1 is storage's connection string. Returns what it has said, which is the caller's (free).
 */
static char *output_in_root(const char *script) {
    char root[PATH_BYTES], whole[SCRIPT_BYTES];
    const char *top = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(top != NULL, "LEASEHOLD_ROOT is not set: run this with `make test-package`");
    snprintf(root, sizeof root, "%s/build/roots/develop", top);
    int length = snprintf(whole, sizeof whole,
                          "W=$(mktemp -d); trap 'rm -rf \"$W\"' EXIT; cd \"$W\"; %s", script);
    ck_assert_int_lt(length, SCRIPT_BYTES);
    const char *const argv[] = {"chroot",
                                "--userspec=65534:65534",
                                root,
                                "/usr/bin/env",
                                "-i",
                                "PATH=/usr/bin:/bin",
                                "LC_ALL=C.UTF-8",
                                "sh",
                                "-euc",
                                whole,
                                "sh",
                                azurite.connection_string,
                                NULL};
    process_start(&tool, &(struct process_options){.argv = argv});
    int exit_code = process_wait(&tool, WAIT_MS);
    char *output = process_output_from(&tool, 0);
    ck_assert_msg(exit_code == EXIT_SUCCESS, "%s: exit code %d:\n%s", script, exit_code,
                  process_text_tail(output));
    return output;
}

#define EXAMPLE "/usr/share/doc/libleasehold-dev/examples/basic_lease.c"
#define COMPILE "gcc -std=c11 -D_GNU_SOURCE -Wall -Werror -o program " EXAMPLE " "
#define CMAKE(target)                                                           \
    "{ echo 'cmake_minimum_required(VERSION 3.18)'; echo 'project(program C)';" \
    " echo 'find_package(leasehold " LEASEHOLD_VERSION " REQUIRED)';"           \
    " echo 'add_executable(program " EXAMPLE ")';"                              \
    " echo 'target_compile_definitions(program PRIVATE _GNU_SOURCE)';"          \
    " echo 'target_link_libraries(program " target ")'; } >CMakeLists.txt; cmake . && make"

static const struct {
    const char *build;
    bool is_shared;
} ways[] = {
    {COMPILE "$(pkg-config --cflags --libs leasehold)", true},
    {COMPILE "$(pkg-config --cflags --libs leasehold-static)", false},
    {COMPILE "$(pkg-config --static --cflags --libs leasehold)", true},
    {COMPILE "$(pkg-config --static --cflags --libs leasehold |"
             " sed 's/-lleasehold/-l:libleasehold.a/')",
     false},
    {CMAKE("leasehold::leasehold"), true},
    {CMAKE("leasehold::leasehold_static"), false},
};

START_TEST(a_program_built_with_the_packages_takes_a_lease) {
    char script[SCRIPT_BYTES];
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    snprintf(script, sizeof script, "%s; ldd program; ./program nightly-report 1 \"$1\"",
             ways[_i].build);
    char *output = output_in_root(script);
    ck_assert_msg((strstr(output, "libleasehold.so.0 =>") != NULL) == ways[_i].is_shared, "%s",
                  output);
    ck_assert_ptr_nonnull(strstr(output, "acquired nightly-report"));
    ck_assert_ptr_nonnull(strstr(output, "\nreleased\n"));
    free(output);
}
END_TEST

START_TEST(a_program_in_cpp_links_the_library) {
    char *output = output_in_root(
        "echo '#include <leasehold.h>\n#include <cstdio>\n"
        "int main() { std::puts(leasehold_version()); }' >program.cpp;"
        "g++ -std=c++11 -Wall -Wextra -pedantic-errors -Werror -o program program.cpp"
        " $(pkg-config --cflags --libs leasehold); ./program");
    ck_assert_str_eq(output, LEASEHOLD_VERSION "\n");
    free(output);
}
END_TEST

static const char *const requests[] = {"leasehold 1", "leasehold 0.8"};

START_TEST(cmake_refuses_versions_that_are_not_compatible) {
    char script[SCRIPT_BYTES];
    snprintf(script, sizeof script,
             "echo 'cmake_minimum_required(VERSION 3.18)\nproject(p C)\n"
             "find_package(%s QUIET)\nmessage(\"found ${leasehold_FOUND}\")' >CMakeLists.txt;"
             "cmake . 2>&1 | grep '^found'",
             requests[_i]);
    char *output = output_in_root(script);
    ck_assert_str_eq(output, _i == 0 ? "found 0\n" : "found 1\n");
    free(output);
}
END_TEST

START_TEST(leasectl_runs_and_the_manual_has_its_pages) {
    char *output = output_in_root("leasectl --help; man -w leasectl leasehold leasehold-handler");
    ck_assert_ptr_nonnull(strstr(output, "Usage: leasectl"));
    ck_assert_ptr_nonnull(strstr(output, "/usr/share/man/man1/leasectl.1.gz\n"
                                         "/usr/share/man/man3/leasehold.3.gz\n"
                                         "/usr/share/man/man7/leasehold-handler.7.gz\n"));
    free(output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("debs");
    TCase *tests = tcase_create("debs");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_loop_test(tests, a_program_built_with_the_packages_takes_a_lease, 0,
                        sizeof ways / sizeof *ways);
    tcase_add_test(tests, a_program_in_cpp_links_the_library);
    tcase_add_loop_test(tests, cmake_refuses_versions_that_are_not_compatible, 0,
                        sizeof requests / sizeof *requests);
    tcase_add_test(tests, leasectl_runs_and_the_manual_has_its_pages);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
