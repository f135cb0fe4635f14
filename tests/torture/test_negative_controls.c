/*
 * The torture run finds what is wrong with handlers that have one of the faults in tests/controls/:
 * one that found nothing there would prove nothing.
 */
#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"
#include "support/processes/torture_run.h"
#include "torture/checker.h"

enum { AT_A_TIME = 2, TRIES = 4, TIMEOUT_S = 600, CAUSE_BYTES = 256 };

/*
 * What each does wrong, and what must be found of it. One run finds it where the machine is not
 * overloaded; two take 120 s at most. A slow machine serves few requests, so chances are worse
 * there, and it gets more runs.
 */
static const struct control {
    const char *name;
    const char *faults;
    const char *duration_s;
    enum checker_rule found; /* any of these */
    enum checker_rule or_found;
} controls[] = {
    {"unknown-is-a-success", "lost", "55", CHECKER_TRANSACTION, CHECKER_REPLAY},
    {"any-date-is-believed", "lost", "45", CHECKER_LOST, CHECKER_LIFETIME},
    {"first-refusal-is-believed", "lost", "20", CHECKER_FOREIGN, CHECKER_REPLAY},
    {"records-kept-for-two-seconds", "none", "25", CHECKER_KEY, CHECKER_REUSED},
    {"lost-answer-is-a-failure", "lost", "10", CHECKER_FOREIGN, CHECKER_REPLAY},
    {"leases-and-etag-not-asked-for", "none", "8", CHECKER_TRANSACTION, CHECKER_STORE},
    {"key-of-a-release-ignored", "none", "8", CHECKER_KEY, CHECKER_REUSED},
    {"lease-not-checked-before-commit", "all", "5", CHECKER_LEASE, CHECKER_LEASE},
    {"product-made-beside-old-rows", "all", "8", CHECKER_RETURN, CHECKER_RETURN},
    {"confirm-not-conditional", "none", "55", CHECKER_TOTAL, CHECKER_REPLAY},
    {"expiry-judged-by-the-index", "none", "20", CHECKER_LOST, CHECKER_FOREIGN},
    {"record-of-a-confirm-not-written", "none", "25", CHECKER_KEY, CHECKER_REUSED},
};
enum { CONTROLS = sizeof controls / sizeof *controls };

static bool was_found(const char *output, enum checker_rule rule) {
    char text[128];
    snprintf(text, sizeof text, " x \"%s\"\n", checker_rule_text(rule));
    return strstr(output, text) != NULL;
}

static void print_table(const char *output, const char *control) {
    const char *table = strstr(output, "\ntorture  "),
               *end = table == NULL ? NULL : strstr(table, "\n\n");
    printf("%s:%.*s\n", control, end == NULL ? 0 : (int)(end - table), table == NULL ? "" : table);
}

/* The line of a run's table that says how much it tried; or what ended the run before its table. */
static void copy_cause(const char *output, char out[CAUSE_BYTES]) {
    const char *line = strstr(output, "\nrequests ");
    line = line == NULL ? strstr(output, "torture: ") : line + 1;
    snprintf(out, CAUSE_BYTES, "%.*s", line == NULL ? 0 : (int)strcspn(line, "\n"),
             line == NULL ? "" : line);
}

static bool is_caught(struct torture_run *run, const struct control *control,
                      char out_cause[CAUSE_BYTES]) {
    int exit_code = 0;
    char *output = torture_run_end(run, &exit_code);
    copy_cause(output, out_cause);
    bool caught = exit_code == 1 &&
                  (was_found(output, control->found) || was_found(output, control->or_found));
    print_table(output, control->name);
    if (!caught) {
        printf("%s\n", output);
    }
    fflush(stdout);
    free(output);
    return caught;
}

START_TEST(each_planted_fault_is_found) {
    const struct control *pair = &controls[AT_A_TIME * _i];
    int count = AT_A_TIME * _i + AT_A_TIME <= CONTROLS ? AT_A_TIME : 1;
    bool caught[AT_A_TIME] = {false};
    char cause[AT_A_TIME][CAUSE_BYTES] = {""};
    for (int tries = 0; tries < TRIES; tries++) {
        struct torture_run runs[AT_A_TIME];
        for (int i = 0; i < count; i++) {
            runs[i] = (struct torture_run){.faults = pair[i].faults,
                                           .duration_s = pair[i].duration_s,
                                           .control = pair[i].name};
            if (!caught[i]) {
                torture_run_start(&runs[i]);
            }
        }
        for (int i = 0; i < count; i++) {
            caught[i] = caught[i] || is_caught(&runs[i], &pair[i], cause[i]);
        }
    }
    for (int i = 0; i < count; i++) {
        ck_assert_msg(caught[i], "%s was not found in %d runs of %s s, the last of which had: %s",
                      pair[i].name, TRIES, pair[i].duration_s, cause[i]);
    }
}
END_TEST

/* Refusals may be a little out of date then; but nothing that is committed is wrong. */
START_TEST(without_leases_the_etag_alone_keeps_what_is_stored_right) {
    int exit_code = 0;
    struct torture_run run = {
        .faults = "none", .duration_s = "8", .control = "leases-not-asked-for"};
    torture_run_start(&run);
    char *output = torture_run_end(&run, &exit_code);
    for (enum checker_rule rule = 0; rule < CHECKER_RULES; rule++) {
        ck_assert_msg(rule == CHECKER_STALE || !was_found(output, rule), "%s", output);
    }
    ck_assert_msg(strstr(output, "\nviolations ") != NULL, "%s", output);
    free(output);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("negative_controls");
    TCase *tcase = tcase_create("negative_controls");
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_loop_test(tcase, each_planted_fault_is_found, 0,
                        (CONTROLS + AT_A_TIME - 1) / AT_A_TIME);
    tcase_add_test(tcase, without_leases_the_etag_alone_keeps_what_is_stored_right);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
