/*
 * The simulation finds each fault of tests/controls/ within 100 runs: a simulation that found none
 * of them would prove nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { TIMEOUT_S = 120, PATH_BYTES = 4096 };
#define RUNS "100" /* some 10 s */

static const char *const controls[] = {
    "unknown-is-a-success",
    "any-date-is-believed",
    "first-refusal-is-believed",
    "records-kept-for-two-seconds",
    "lost-answer-is-a-failure",
    "leases-and-etag-not-asked-for",
    "key-of-a-release-ignored",
    "leases-not-asked-for",
    "lease-not-checked-before-commit",
    "product-made-beside-old-rows",
    "lease-counted-from-the-answer",
    "confirm-not-conditional",
    "expiry-judged-by-the-index",
    "record-of-a-confirm-not-written",
};
enum { CONTROLS = sizeof controls / sizeof controls[0] };

START_TEST(each_planted_fault_is_found) {
    const char *root = getenv("LEASEHOLD_ROOT");
    char simulate[PATH_BYTES];
    struct process process;
    snprintf(simulate, sizeof simulate, "%s/build/control/%s/bin/simulate",
             root == NULL ? "." : root, controls[_i]);
    ck_assert_msg(access(simulate, X_OK) == 0, "%s is not there: run the tests with make",
                  simulate);
    const char *const argv[] = {simulate, "--runs", RUNS, "--first", NULL};
    process_start(&process, &(struct process_options){.argv = argv});
    int exit_code = process_wait(&process, TIMEOUT_S * 1000);
    char *output = process_output_from(&process, 0);
    process_cleanup(&process);
    const char *broken = strstr(output, "simulate: seed ");
    ck_assert_msg(exit_code == EXIT_FAILURE && broken != NULL,
                  "%s is not found in " RUNS " runs:\n%s", controls[_i], output);
    printf("%s: %.*s\n", controls[_i], (int)strcspn(broken, "\n"), broken);
    free(output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("simulated_controls");
    TCase *tcase = tcase_create("simulated_controls");
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_loop_test(tcase, each_planted_fault_is_found, 0, CONTROLS);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
