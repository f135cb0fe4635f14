/*
 * What is in dist/leasehold.zip, and what is not; and that the same inputs give the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "functions/function_table.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"
#include "support/processes/temp_folder.h"

enum {
    WAIT_MS = 60000,
    BUILD_MS = 1400000,
    BUILD_TIMEOUT_S = 1450,
    PATH_BYTES = 512,
    ZIP_MAX_BYTES = 5000000,
    OLDEST_GLIBC_MINOR = 31, /* Debian 11's: 2.31 */
};

static struct process tool;
static struct temp_folder folder;

static void tear_down(void) {
    process_cleanup(&tool);
}

static void set_up_folder(void) {
    temp_folder_make(&folder);
}

static void tear_down_folder(void) {
    tear_down();
    temp_folder_remove(&folder);
}

static const char *in_repository(const char *path) {
    static char out[PATH_BYTES];
    const char *root = getenv("LEASEHOLD_ROOT");
    ck_assert_msg(root != NULL, "LEASEHOLD_ROOT is not set: run this with `make test-package`");
    ck_assert_int_lt(snprintf(out, sizeof out, "%s/%s", root, path), PATH_BYTES);
    return out;
}

/* Runs a program to its good end; all it said is the caller's (free). */
static char *output_of(const char *const argv[], int64_t timeout_ms) {
    process_start(&tool, &(struct process_options){.argv = argv});
    int exit_code = process_wait(&tool, timeout_ms);
    char *output = process_output_from(&tool, 0);
    ck_assert_msg(exit_code == EXIT_SUCCESS, "%s: exit code %d:\n%s", argv[0], exit_code, output);
    return output;
}

static char *handler_output_of(const char *program, const char *option) {
    return output_of(
        (const char *const[]){program, option, in_repository("dist/leasehold/bin/handler"), NULL},
        WAIT_MS);
}

static int compare_names(const void *left, const void *right) {
    return strcmp(left, right);
}

START_TEST(the_zip_has_what_the_host_needs_and_the_licences_alone) {
    enum { MAX_NAMES = 64 };
    char expected[MAX_NAMES][PATH_BYTES] = {"LICENSE", "NOTICE", "bin/handler", "host.json"};
    size_t count = 4;
    for (const struct function *function = function_table; function->name != NULL; function++) {
        ck_assert_uint_lt(count, MAX_NAMES);
        snprintf(expected[count++], PATH_BYTES, "%s/function.json", function->name);
    }
    qsort(expected, count, sizeof expected[0], compare_names);
    const char *const argv[] = {"zipinfo", "-1", in_repository("dist/leasehold.zip"), NULL};
    char *names = output_of(argv, WAIT_MS), *rest = names;
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(strsep(&rest, "\n"), expected[i]);
    }
    ck_assert_str_eq(rest, "");
    free(names);
}
END_TEST

START_TEST(the_zip_is_under_5_mb) {
    struct stat about;
    ck_assert_int_eq(stat(in_repository("dist/leasehold.zip"), &about), 0);
    ck_assert_int_le(about.st_size, ZIP_MAX_BYTES);
}
END_TEST

static const char *const libraries[] = {"openssl, from Debian's", "curl, from Debian's",
                                        "cjson, from Debian's"};

START_TEST(the_licence_of_each_library_is_there) {
    char *notice = output_of(
        (const char *const[]){"cat", in_repository("dist/leasehold/NOTICE"), NULL}, WAIT_MS);
    ck_assert_ptr_nonnull(strstr(notice, libraries[_i]));
    free(notice);
}
END_TEST

/* --- the handler --- */

START_TEST(the_handler_needs_no_library_but_the_c_library) {
    char *headers = handler_output_of("objdump", "-p");
    static const char *const allowed[] = {"libc.so.6", "libpthread.so.0", "libdl.so.2",
                                          "libm.so.6"};
    for (const char *line = headers; (line = strstr(line, "NEEDED")) != NULL; line++) {
        char library[64];
        ck_assert_int_eq(sscanf(line, "NEEDED %63s", library), 1);
        bool is_allowed = false;
        for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
            is_allowed = is_allowed || strcmp(library, allowed[i]) == 0;
        }
        ck_assert_msg(is_allowed, "it needs %s", library);
    }
    ck_assert_ptr_null(strstr(headers, "RUNPATH"));
    free(headers);
}
END_TEST

START_TEST(the_handler_needs_no_newer_c_library_than_debian_11s) {
    char *symbols = handler_output_of("objdump", "-T");
    int count = 0;
    for (const char *line = symbols; (line = strstr(line, "GLIBC_")) != NULL; line++, count++) {
        int major, minor;
        ck_assert_msg(sscanf(line, "GLIBC_%d.%d", &major, &minor) == 2, "%.40s", line);
        ck_assert_msg(major == 2 && minor <= OLDEST_GLIBC_MINOR, "it needs %.40s", line);
    }
    ck_assert_int_gt(count, 0);
    free(symbols);
}
END_TEST

/* Where it was built, and what only a debugger reads. */
static const char *const traces[] = {"/build/", "package/root", ".debug_info", ".symtab"};

START_TEST(the_handler_has_no_trace_of_its_build) {
    char *text = handler_output_of("strings", "-a");
    ck_assert_ptr_nonnull(strstr(text, "Leasehold listens"));
    const char *found = strstr(text, traces[_i]);
    ck_assert_msg(found == NULL, "%.80s", found == NULL ? "" : found);
    ck_assert_ptr_null(strstr(text, in_repository("")));
    free(text);
}
END_TEST

START_TEST(the_handler_is_hardened) {
    char *headers = handler_output_of("readelf", "-Wdl");
    ck_assert_ptr_nonnull(strstr(headers, "GNU_RELRO"));
    ck_assert_ptr_nonnull(strstr(headers, "BIND_NOW"));
    ck_assert_ptr_nonnull(strstr(headers, "PIE"));
    ck_assert_ptr_null(strstr(headers, "RWE"));
    free(headers);
}
END_TEST

/* --- the build --- */

START_TEST(a_second_build_elsewhere_gives_the_same_bytes) {
    const char *const argv[] = {in_repository("tools/package/build-again.sh"), folder.path, NULL};
    free(output_of(argv, BUILD_MS));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("package_contents");
    TCase *contents = tcase_create("contents");
    tcase_add_checked_fixture(contents, NULL, tear_down);
    tcase_add_test(contents, the_zip_has_what_the_host_needs_and_the_licences_alone);
    tcase_add_test(contents, the_zip_is_under_5_mb);
    tcase_add_loop_test(contents, the_licence_of_each_library_is_there, 0,
                        sizeof libraries / sizeof *libraries);
    tcase_add_test(contents, the_handler_needs_no_library_but_the_c_library);
    tcase_add_test(contents, the_handler_needs_no_newer_c_library_than_debian_11s);
    tcase_add_loop_test(contents, the_handler_has_no_trace_of_its_build, 0,
                        sizeof traces / sizeof *traces);
    tcase_add_test(contents, the_handler_is_hardened);
    suite_add_tcase(suite, contents);
    TCase *build = tcase_create("build");
    tcase_add_checked_fixture(build, set_up_folder, tear_down_folder);
    tcase_set_timeout(build, BUILD_TIMEOUT_S);
    tcase_add_test(build, a_second_build_elsewhere_gives_the_same_bytes);
    suite_add_tcase(suite, build);
    return check_main(suite);
}
