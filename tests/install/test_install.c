/*
 * `make install` and what is linked with it: which files it puts where, that uninstall takes all of
 * them away, and that a program builds with what is installed and runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/leasehold.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"
#include "support/processes/temp_folder.h"

enum { WAIT_MS = 300000, TEST_TIMEOUT_S = 320, LINE_BYTES = 2048 };

static struct temp_folder folder;
static struct process tool;

static void set_up(void) {
    temp_folder_make(&folder);
}

static void tear_down(void) {
    process_cleanup(&tool);
    temp_folder_remove(&folder);
}

/*
 * Runs a shell's line in the repository to its good end. In the line $T is the test's folder.
 * Returns what it has said, which is the caller's (free).
 */
static char *output_of(const char *line) {
    char temp[sizeof folder.path + 2];
    snprintf(temp, sizeof temp, "T=%s", folder.path);
    const char *const argv[] = {"sh", "-euc", line, NULL};
    const char *const env[] = {temp, NULL};
    const char *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(root != NULL, "LEASEHOLD_ROOT is not set: run this with tools/run-tests.sh");
    process_start(&tool, &(struct process_options){.argv = argv, .env = env, .cwd = root});
    int exit_code = process_wait(&tool, WAIT_MS);
    char *output = process_output_from(&tool, 0);
    ck_assert_msg(exit_code == EXIT_SUCCESS, "%s: exit code %d:\n%s", line, exit_code,
                  process_text_tail(output));
    return output;
}

static void run(const char *line) {
    free(output_of(line));
}

static void assert_says(const char *line, const char *expected) {
    char *output = output_of(line);
    ck_assert_str_eq(output, expected);
    free(output);
}

#define INSTALL_FOR_PACKAGE \
    "make --no-print-directory DESTDIR=$T/root PREFIX=/usr libdir=/usr/lib64 "
#define INSTALL_HERE "make --no-print-directory PREFIX=$T "
#define PKG_CONFIG "PKG_CONFIG_PATH=$T/lib/pkgconfig pkg-config "

/* --- files --- */

START_TEST(install_puts_these_files_and_no_others) {
    run(INSTALL_FOR_PACKAGE "install");
    assert_says("cd $T; find . ! -type d -printf '%M %P\\n' | sort -k2",
                "-rwxr-xr-x root/usr/bin/leasectl\n"
                "-rw-r--r-- root/usr/include/leasehold.h\n"
                "-rw-r--r-- root/usr/lib64/cmake/leasehold/leasehold-config-version.cmake\n"
                "-rw-r--r-- root/usr/lib64/cmake/leasehold/leasehold-config.cmake\n"
                "-rw-r--r-- root/usr/lib64/libleasehold.a\n"
                "lrwxrwxrwx root/usr/lib64/libleasehold.so\n"
                "lrwxrwxrwx root/usr/lib64/libleasehold.so.0\n"
                "-rw-r--r-- root/usr/lib64/libleasehold.so." LEASEHOLD_VERSION "\n"
                "-rw-r--r-- root/usr/lib64/pkgconfig/leasehold-static.pc\n"
                "-rw-r--r-- root/usr/lib64/pkgconfig/leasehold.pc\n"
                "-rw-r--r-- root/usr/share/man/man1/leasectl.1\n"
                "-rw-r--r-- root/usr/share/man/man3/leasehold.3\n"
                "-rw-r--r-- root/usr/share/man/man7/leasehold-handler.7\n");
}
END_TEST

START_TEST(no_installed_file_names_the_destdir) {
    run(INSTALL_FOR_PACKAGE "install");
    assert_says("grep -rl \"$T\" $T || true", "");
    assert_says("grep -rl '@[a-z_]*@' $T/root/usr/lib64/cmake $T/root/usr/lib64/pkgconfig || true",
                "");
}
END_TEST

START_TEST(uninstall_takes_away_what_install_put_and_nothing_else) {
    run(INSTALL_FOR_PACKAGE "install");
    run("touch $T/root/usr/lib64/another.so");
    run(INSTALL_FOR_PACKAGE "uninstall");
    assert_says("cd $T; find . ! -type d", "./root/usr/lib64/another.so\n");
    assert_says("cd $T; find . -name 'leasehold*'", "");
}
END_TEST

START_TEST(uninstall_after_no_install_does_no_harm) {
    run(INSTALL_FOR_PACKAGE "uninstall");
    assert_says("find $T -mindepth 1", "");
}
END_TEST

/* --- the library --- */

START_TEST(the_shared_library_shows_the_names_of_its_header_alone) {
    run(INSTALL_HERE "install");
    char *names = output_of("nm -D --defined-only --format=posix $T/lib/libleasehold.so |"
                            " awk '$2 != \"A\" { print $1 }'");
    char *rest = names, *name;
    int count = 0;
    while ((name = strsep(&rest, "\n")) != NULL && *name != '\0') {
        ck_assert_msg(strncmp(name, "leasehold_", strlen("leasehold_")) == 0, "%s", name);
        ck_assert_msg(strstr(name, "@@LEASEHOLD_0") != NULL, "%s", name);
        count++;
    }
    ck_assert_int_gt(count, 0);
    free(names);
}
END_TEST

START_TEST(the_shared_library_is_hardened_and_has_its_soname) {
    run(INSTALL_HERE "install");
    char *headers = output_of("readelf -Wdl $T/lib/libleasehold.so");
    ck_assert_ptr_nonnull(strstr(headers, "Library soname: [libleasehold.so.0]"));
    ck_assert_ptr_nonnull(strstr(headers, "GNU_RELRO"));
    ck_assert_ptr_nonnull(strstr(headers, "BIND_NOW"));
    ck_assert_ptr_null(strstr(headers, "TEXTREL"));
    ck_assert_ptr_null(strstr(headers, "RUNPATH"));
    free(headers);
}
END_TEST

/* --- programs --- */

static void build_program(const char *package) {
    char line[LINE_BYTES];
    temp_folder_write(&folder, "version.c",
                      "#include <leasehold.h>\n#include <stdio.h>\n"
                      "int main(void) { puts(leasehold_version()); }\n");
    run(INSTALL_HERE "install");
    for (size_t i = 0; i < 2; i++) {
        const char *source = i == 0 ? "examples/basic_lease.c" : "$T/version.c";
        snprintf(line, sizeof line,
                 "gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -pedantic-errors -Werror -o $T/%s %s"
                 " $(" PKG_CONFIG "--cflags --libs %s)",
                 i == 0 ? "example" : "version", source, package);
        run(line);
    }
}

START_TEST(a_program_links_the_shared_library) {
    build_program("leasehold");
    assert_says("LD_LIBRARY_PATH=$T/lib $T/version", LEASEHOLD_VERSION "\n");
    assert_says("readelf -d $T/example | grep -o 'libleasehold.*[0-9]'", "libleasehold.so.0\n");
}
END_TEST

START_TEST(a_program_links_the_static_library) {
    build_program("leasehold-static");
    assert_says("$T/version", LEASEHOLD_VERSION "\n");
    assert_says("readelf -d $T/example | grep libleasehold || true", "");
}
END_TEST

START_TEST(pkg_config_knows_the_version_and_what_a_static_program_needs) {
    run(INSTALL_HERE "install");
    assert_says(PKG_CONFIG "--modversion leasehold leasehold-static",
                LEASEHOLD_VERSION "\n" LEASEHOLD_VERSION "\n");
    assert_says(PKG_CONFIG "--print-requires-private leasehold", "libcurl\nlibcjson\nlibcrypto\n");
    assert_says(PKG_CONFIG "--libs leasehold | sed \"s|$T||\"", "-L/lib -lleasehold \n");
    assert_says(PKG_CONFIG "--static --libs leasehold | grep -c -e '-lm .*-lcurl .*-lcjson'",
                "1\n");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("install");
    TCase *tests = tcase_create("install");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_test(tests, install_puts_these_files_and_no_others);
    tcase_add_test(tests, no_installed_file_names_the_destdir);
    tcase_add_test(tests, uninstall_takes_away_what_install_put_and_nothing_else);
    tcase_add_test(tests, uninstall_after_no_install_does_no_harm);
    tcase_add_test(tests, the_shared_library_shows_the_names_of_its_header_alone);
    tcase_add_test(tests, the_shared_library_is_hardened_and_has_its_soname);
    tcase_add_test(tests, a_program_links_the_shared_library);
    tcase_add_test(tests, a_program_links_the_static_library);
    tcase_add_test(tests, pkg_config_knows_the_version_and_what_a_static_program_needs);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
