/* The torture run finds what is wrong with handlers that lack a protection: one that found nothing there would prove nothing. */
#include <stdio.h>
#include <string.h>

#include "checker/checker.h"
#include "support/check_main.h"
#include "support/torture_run.h"

enum { TIMEOUT_S = 300 };

static char *output;
static int exit_code;

static void run(const char *faults, const char *control) {
    output = torture_run(&(struct torture_run){.faults = faults, .duration = "8", .control = control}, &exit_code);
    printf("without protection by %s:\n%.*s\n", control, (int)(strstr(output, "\n\n") - output), output);
}

static void tear_down(void) {
    free(output);
    output = NULL;
}

static bool was_found(enum checker_rule rule) {
    char text[128];
    snprintf(text, sizeof text, " x \"%s\"\n", checker_rule_text(rule));
    return strstr(output, text) != NULL;
}

/* Refusals may be a little out of date then; but nothing that is committed is wrong. */
START_TEST(without_leases_the_etag_alone_keeps_what_is_stored_right) {
    run("none", "lease");
    for (enum checker_rule rule = 0; rule < CHECKER_RULES; rule++) {
        ck_assert_msg(rule == CHECKER_STALE || !was_found(rule), "%s", output);
    }
}
END_TEST

START_TEST(without_leases_and_etag_instances_overwrite_each_other) {
    run("none", "lease,if-match");
    ck_assert_msg(exit_code == 1 && was_found(CHECKER_TRANSACTION) && was_found(CHECKER_REPLAY) &&
                      was_found(CHECKER_STORE),
                  "%s", output);
}
END_TEST

START_TEST(a_lost_answer_taken_for_a_failure_makes_what_nobody_knows_of) {
    run("lost", "lost-answers");
    ck_assert_msg(exit_code == 1 && was_found(CHECKER_FOREIGN), "%s", output);
}
END_TEST

START_TEST(the_same_build_with_all_its_protections_is_right) {
    run("lost", "");
    ck_assert_msg(exit_code == 0, "%s", output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("negative_controls");
    TCase *tcase = tcase_create("negative_controls");
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_checked_fixture(tcase, NULL, tear_down);
    tcase_add_test(tcase, without_leases_the_etag_alone_keeps_what_is_stored_right);
    tcase_add_test(tcase, without_leases_and_etag_instances_overwrite_each_other);
    tcase_add_test(tcase, a_lost_answer_taken_for_a_failure_makes_what_nobody_knows_of);
    tcase_add_test(tcase, the_same_build_with_all_its_protections_is_right);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
