/* Nothing is ever oversold, whatever happens: a short version of `make torture`. */
#include <stdio.h>
#include <string.h>

#include "support/check_main.h"
#include "support/torture_run.h"

enum { TIMEOUT_S = 240 };

static void expect_nothing_found(const char *faults, const char *duration_s) {
    int exit_code = 0;
    struct torture_run run = {.faults = faults, .duration_s = duration_s};
    torture_run_start(&run);
    char *output = torture_run_end(&run, &exit_code);
    ck_assert_msg(exit_code == 0 && strstr(output, "violations    0\n") != NULL, "exit code %d:\n%s", exit_code,
                  output);
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

int main(void) {
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("torture");
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_test(tcase, nothing_is_oversold_by_three_instances);
    tcase_add_test(tcase, nothing_is_oversold_while_instances_storage_and_network_fail);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
