/* Nothing is ever oversold, whatever happens: a short version of `make torture`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"
#include "support/processes/torture_run.h"

enum { TIMEOUT_S = 240, EXIT_USAGE = 64, PATH_BYTES = 4096 };

/* Returns all that the run printed, the caller's (free). */
static char *expect_exit_code(struct torture_run *run, int expected) {
    int exit_code = 0;
    torture_run_start(run);
    char *output = torture_run_end(run, &exit_code);
    ck_assert_msg(exit_code == expected, "exit code %d:\n%s", exit_code, output);
    return output;
}

static void expect_text(const char *output, const char *text) {
    ck_assert_msg(strstr(output, text) != NULL, "`%s` is not in:\n%s", text, output);
}

static void expect_nothing_found(const char *faults, const char *duration_s) {
    struct torture_run run = {.faults = faults, .duration_s = duration_s};
    char *output = expect_exit_code(&run, 0);
    expect_text(output, "violations    0\n");
    printf("%s", output);
    free(output);
}

START_TEST(nothing_is_oversold_by_three_instances) {
    expect_nothing_found("none", "8");
}
END_TEST

START_TEST(nothing_is_oversold_while_instances_storage_and_network_fail) {
    expect_nothing_found("all", "15");
}
END_TEST

/*
 * Writes a program that leaves a mark and becomes the handler under test. In sh, settings with a
 * colon in their name would be lost on the way.
 */
static void write_handler(const struct temp_folder *folder, char out_path[PATH_BYTES]) {
    char script[2 * PATH_BYTES];
    snprintf(script, sizeof script, "#!/bin/bash\n: >'%s/mark'\nexec '%s/handler'\n", folder->path,
             getenv("LEASEHOLD_BIN"));
    temp_folder_write(folder, "handler", script);
    snprintf(out_path, PATH_BYTES, "%s/handler", folder->path);
    ck_assert_int_eq(chmod(out_path, 0700), 0);
}

START_TEST(nothing_is_oversold_by_two_releases_beside_each_other_on_two_products) {
    struct temp_folder folder;
    char handler[PATH_BYTES], mark[PATH_BYTES];
    temp_folder_make(&folder);
    write_handler(&folder, handler);
    const char *const arguments[] = {"--products", "2", "--old-handler", handler, NULL};
    struct torture_run run = {.faults = "none", .duration_s = "4", .arguments = arguments};
    char *output = expect_exit_code(&run, 0);
    expect_text(output, "silent        0 of 2 products\nviolations    0\n");
    expect_text(output, ", started with the old handler x 1, with the new one x 0\n");
    snprintf(mark, sizeof mark, "%s/mark", folder.path);
    ck_assert_msg(access(mark, F_OK) == 0, "the old handler did not run:\n%s", output);
    free(output);
    temp_folder_remove(&folder);
}
END_TEST

START_TEST(a_wrong_option_ends_torture_before_it_begins) {
    static const struct {
        const char *name, *value, *told;
    } options[] = {{"--products", "1", "usage: torture"},
                   {"--products", "6", "usage: torture"},
                   {"--old-handler", "/nowhere/handler", "torture: /nowhere/handler: No such"}};
    const char *const arguments[] = {options[_i].name, options[_i].value, NULL};
    struct torture_run run = {.faults = "none", .duration_s = "4", .arguments = arguments};
    char *output = expect_exit_code(&run, EXIT_USAGE);
    expect_text(output, options[_i].told);
    free(output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("torture");
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_test(tcase, nothing_is_oversold_by_three_instances);
    tcase_add_test(tcase, nothing_is_oversold_while_instances_storage_and_network_fail);
    tcase_add_test(tcase, nothing_is_oversold_by_two_releases_beside_each_other_on_two_products);
    tcase_add_loop_test(tcase, a_wrong_option_ends_torture_before_it_begins, 0, 3);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
