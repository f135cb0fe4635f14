/*
 * Runs of the simulation that everybody makes: fixed seeds with all their faults, every scenario
 * with every single fault, and whether a run can be repeated.
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "simulation/simulated_exhaustive.h"
#include "simulation/simulated_found.h"
#include "simulation/simulated_shrink.h"
#include "support/processes/check_main.h"

enum { PATH_BYTES = 512 };

/*
 * ThreadSanitizer finds nothing where there is one thread, and takes thirty times as long: it gets
 * a few. AddressSanitizer takes six times as long: it gets a part.
 */
#ifdef __SANITIZE_THREAD__
enum { SEEDS = 4, MOST_SCENARIOS = 2, REPEATED = 1, OPERATIONS = 500 };
#elif defined __SANITIZE_ADDRESS__
enum { SEEDS = 15, MOST_SCENARIOS = 15, REPEATED = 2, OPERATIONS = 500 };
#else
enum { SEEDS = 60, MOST_SCENARIOS = 1000, REPEATED = 4, OPERATIONS = 500 };
#endif

static void run(const struct simulated_run_options *options, struct simulated_result *out) {
    simulated_run(options, out);
    ck_assert_msg(out->violation[0] == '\0', "%s: make simulate SEED=%llu OPERATIONS=%d TRACE=1",
                  out->violation, (unsigned long long)options->seed, OPERATIONS);
}

START_TEST(a_seed_breaks_no_promise) {
    struct simulated_result result;
    run(&(struct simulated_run_options){.seed = (uint64_t)_i + 1, .operations = OPERATIONS},
        &result);
    ck_assert_int_ge(result.operations, OPERATIONS);
    free(result.strikes);
}
END_TEST

START_TEST(a_scenario_breaks_no_promise_whatever_strikes_it) {
    struct simulated_exhaustive_result result;
    const struct simulated_exhaustive_options options = {.has_pairs = false};
    simulated_exhaustive_run(&simulated_scenarios[_i], &options, &result);
    ck_assert_int_gt(result.steps, 0);
    ck_assert_int_eq(result.runs, 1 + result.steps * (SIMULATED_FAULTS - 1));
    ck_assert_int_eq(result.failed, 0);
}
END_TEST

START_TEST(the_same_seed_makes_the_same_run) {
    struct simulated_result results[2];
    const struct simulated_run_options options = {.seed = 1000 + (uint64_t)_i,
                                                  .operations = OPERATIONS};
    run(&options, &results[0]);
    run(&options, &results[1]);
    ck_assert_uint_eq(results[0].hash, results[1].hash);
    ck_assert_int_eq(results[0].virtual_us, results[1].virtual_us);
    free(results[0].strikes);
    free(results[1].strikes);
}
END_TEST

START_TEST(another_seed_makes_another_run) {
    struct simulated_result results[2];
    run(&(struct simulated_run_options){.seed = 1, .operations = OPERATIONS}, &results[0]);
    run(&(struct simulated_run_options){.seed = 2, .operations = OPERATIONS}, &results[1]);
    ck_assert_uint_ne(results[0].hash, results[1].hash);
    free(results[0].strikes);
    free(results[1].strikes);
}
END_TEST

/* What was drawn and written down strikes again where it is a plan. */
START_TEST(a_run_can_be_repeated_from_its_faults) {
    struct simulated_result drawn, planned;
    struct simulated_run_options options = {.seed = 2000 + (uint64_t)_i, .operations = OPERATIONS};
    run(&options, &drawn);
    const struct simulated_faults plan = {
        .is_planned = true, .strikes = drawn.strikes, .count = drawn.strike_count};
    options.plan = &plan;
    run(&options, &planned);
    ck_assert_uint_eq(drawn.hash, planned.hash);
    free(drawn.strikes);
}
END_TEST

static int find_runs(glob_t *found) {
    const char *root = getenv("LEASEHOLD_ROOT");
    char pattern[PATH_BYTES];
    snprintf(pattern, sizeof pattern, "%s/tests/simulation/found/*.run", root == NULL ? "." : root);
    ck_assert_int_eq(glob(pattern, 0, NULL, found), 0);
    return (int)found->gl_pathc;
}

START_TEST(what_failed_once_does_not_fail_again) {
    glob_t found;
    int count = find_runs(&found);
    for (int i = 0; i < count; i++) {
        struct simulated_run_options options;
        struct simulated_faults plan;
        struct simulated_result result;
        ck_assert_msg(simulated_found_read(found.gl_pathv[i], &options, &plan), "%s is no run",
                      found.gl_pathv[i]);
        simulated_run(&options, &result);
        ck_assert_msg(result.violation[0] == '\0', "%s: %s", found.gl_pathv[i], result.violation);
        ck_assert_msg(simulated_found_has_struck(&options, &result),
                      "%s: not every fault struck: record it anew", found.gl_pathv[i]);
        simulated_faults_cleanup(&plan);
    }
    globfree(&found);
}
END_TEST

/* A file whose faults do not all strike any more proves nothing: it has to be noticed. */
START_TEST(a_kept_run_of_which_a_fault_does_not_strike_is_noticed) {
    static const int64_t last_steps[] = {3, 100000};
    for (int i = 0; i < 2; i++) {
        struct simulated_run_options options;
        struct simulated_faults plan;
        struct simulated_result result;
        char path[] = "/tmp/simulation-XXXXXX";
        FILE *file = fdopen(mkstemp(path), "w");
        ck_assert_ptr_nonnull(file);
        fprintf(file,
                "seed 1\nscenario a reserve on a quiet product\nfault 2 LOSE_ANSWER\nfault %d "
                "LOSE_ANSWER\n",
                (int)last_steps[i]);
        ck_assert_int_eq(fclose(file), 0);
        ck_assert(simulated_found_read(path, &options, &plan));
        ck_assert_int_eq(unlink(path), 0);
        simulated_run(&options, &result);
        ck_assert_int_eq(simulated_found_has_struck(&options, &result), i == 0);
        simulated_faults_cleanup(&plan);
    }
}
END_TEST

/*
 * The parts of the scenarios' runs have each run once between them, and each part its own run
 * without faults.
 */
START_TEST(parts_share_all_runs_out) {
    enum { PARTS = 3 };
    struct simulated_exhaustive_result all, part;
    int64_t runs = 0;
    simulated_exhaustive_run(&simulated_scenarios[0],
                             &(struct simulated_exhaustive_options){.has_pairs = false}, &all);
    for (int i = 0; i < PARTS; i++) {
        const struct simulated_exhaustive_options options = {.part = i, .parts = PARTS};
        simulated_exhaustive_run(&simulated_scenarios[0], &options, &part);
        ck_assert_int_lt(part.runs, 1 + all.runs / 2);
        runs += part.runs - 1;
    }
    ck_assert_int_eq(runs, all.runs - 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("simulation");
    int scenarios =
        simulated_scenario_count < MOST_SCENARIOS ? simulated_scenario_count : MOST_SCENARIOS;
    TCase *tcase = tcase_create("runs");
    tcase_add_loop_test(tcase, a_seed_breaks_no_promise, 0, SEEDS);
    tcase_add_loop_test(tcase, a_scenario_breaks_no_promise_whatever_strikes_it, 0, scenarios);
    tcase_add_loop_test(tcase, the_same_seed_makes_the_same_run, 0, REPEATED);
    tcase_add_test(tcase, another_seed_makes_another_run);
    tcase_add_loop_test(tcase, a_run_can_be_repeated_from_its_faults, 0, REPEATED);
    tcase_add_test(tcase, what_failed_once_does_not_fail_again);
    tcase_add_test(tcase, a_kept_run_of_which_a_fault_does_not_strike_is_noticed);
    tcase_add_test(tcase, parts_share_all_runs_out);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
