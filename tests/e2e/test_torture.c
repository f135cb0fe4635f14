/* Nothing is ever oversold, whatever happens: a short version of `make torture`. */
#include <stdio.h>
#include <string.h>

#include "support/check_main.h"
#include "support/torture_run.h"

enum { TIMEOUT_S = 240 };

static void expect_nothing_found(const struct torture_run *run) {
    int exit_code = 0;
    char *output = torture_run(run, &exit_code);
    ck_assert_msg(exit_code == 0 && strstr(output, "violations    0\n") != NULL, "exit code %d:\n%s", exit_code,
                  output);
    printf("%s", output);
    free(output);
}

START_TEST(nothing_is_oversold_by_three_instances) {
    expect_nothing_found(&(struct torture_run){.faults = "none", .duration = "8"});
}
END_TEST

START_TEST(nothing_is_oversold_while_instances_storage_and_network_fail) {
    expect_nothing_found(&(struct torture_run){.faults = "all", .duration = "15"});
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
