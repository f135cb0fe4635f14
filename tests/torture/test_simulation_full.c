/*
 * The simulation at length: new seeds, and scenarios with pairs of faults.
 *
 * SIMULATION_SECONDS=600 of new seeds, or SIMULATION_RUNS=N of them, from SIMULATION_SEED on (the
 * day's date, so each day has others). SIMULATION_PART=K/N: a part of the pairs; without it all of
 * them, which takes an hour.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/processes/check_main.h"
#include "support/processes/process.h"

enum { TIMEOUT_S = 14400, PATH_BYTES = 4096, SEED_BYTES = 32 };

/* What the program prints goes where the test's own output does. */
static void run(const char *const arguments[]) {
    const char *root = getenv("LEASEHOLD_ROOT");
    char simulate[PATH_BYTES];
    const char *argv[16] = {simulate};
    struct process process;
    snprintf(simulate, sizeof simulate, "%s/build/release/tests/simulation/simulate",
             root == NULL ? "." : root);
    for (int i = 0; arguments[i] != NULL; i++) {
        argv[i + 1] = arguments[i];
    }
    process_start(&process, &(struct process_options){.argv = argv});
    int exit_code = process_wait(&process, TIMEOUT_S * INT64_C(1000));
    char *output = process_output_from(&process, 0);
    process_cleanup(&process);
    printf("%s\n", output);
    ck_assert_msg(exit_code == EXIT_SUCCESS && strstr(output, " passed, 0 failed") != NULL, "%s",
                  output);
    free(output);
}

START_TEST(new_seeds_break_no_promise) {
    char today[SEED_BYTES];
    time_t now = time(NULL);
    struct tm parts;
    strftime(today, sizeof today, "%Y%m%d000000", gmtime_r(&now, &parts));
    const char *seconds = getenv("SIMULATION_SECONDS"), *runs = getenv("SIMULATION_RUNS");
    const char *seed = getenv("SIMULATION_SEED");
    const char *how_long = runs != NULL ? runs : seconds != NULL ? seconds : "600";
    run((const char *[]){runs != NULL ? "--runs" : "--seconds", how_long, "--seed",
                         seed == NULL ? today : seed, NULL});
}
END_TEST

START_TEST(no_pair_of_faults_breaks_a_promise) {
    const char *part = getenv("SIMULATION_PART");
    run((const char *[]){"--scenarios", "pairs", "--part", part == NULL ? "0/1" : part, NULL});
}
END_TEST

int main(void) {
    Suite *suite = suite_create("simulation_full");
    TCase *tcase = tcase_create("simulation_full");
    tcase_set_timeout(tcase, TIMEOUT_S);
    tcase_add_test(tcase, new_seeds_break_no_promise);
    tcase_add_test(tcase, no_pair_of_faults_breaks_a_promise);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
