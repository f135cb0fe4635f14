/*
 * simulate.c - runs the whole app in a deterministic simulation (simulation.h), run after run, each
 * from a seed of its own. A run that breaks a promise is made smaller and shown.
 *
 *     simulate [--seed 1] [--runs 1 | --seconds 60] [--operations 1000] [--trace] [--first]
 *     simulate --scenarios singles|pairs [--only TEXT] [--part 0/50]
 *     simulate --found FILE [--trace]
 *
 * With --first it ends at the first run that fails, without making it smaller.
 *
 * Ends with "N passed, N failed", counted in runs.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "simulation/simulated_exhaustive.h"
#include "simulation/simulated_found.h"
#include "simulation/simulated_shrink.h"
#include "simulation/simulated_transitions.h"

enum { EXIT_USAGE = 64, PROGRESS_S = 5, MOST_SHOWN = 3, HANG_S = 300 };

/* After so many operations a step that was never taken is named; after so many it is a failure. */
enum { LISTS_GAPS = 200 * 1000, HAS_ALL_STEPS = 10 * 1000 * 1000 };

static char text_of_a_hang[256]; /* of the run that is under way */

struct options {
    uint64_t seed;
    int64_t runs; /* 0: as many as `seconds` allow */
    double seconds;
    int64_t operations;
    bool prints;
    bool ends_at_first;    /* failure */
    const char *scenarios; /* "singles", "pairs"; NULL: runs from seeds */
    const char *only;      /* scenarios with this in their names */
    int part, parts;       /* of the scenarios' runs */
    const char *found;     /* a file with a run (simulated_found.h) */
};

/* What all runs have come to. */
struct tally {
    double begun, told;
    int64_t passed, failed;
    int64_t operations, requests;
    int64_t struck[SIMULATED_FAULTS];
    uint64_t hash; /* of all traces */
};

static double now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void explain_usage(void) {
    fprintf(
        stderr,
        "usage: simulate [--seed N] [--runs N | --seconds N] [--operations N] [--trace] [--first]\n"
        "       simulate --scenarios singles|pairs [--only TEXT] [--part K/N]\n"
        "       simulate --found FILE [--trace]\n");
    exit(EXIT_USAGE);
}

static int64_t read_number(const char *text) {
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 0) {
        explain_usage();
    }
    return number;
}

/* "0/50" */
static void read_part(const char *text, struct options *options) {
    char end;
    if (sscanf(text, "%d/%d%c", &options->part, &options->parts, &end) != 2 || options->part < 0 ||
        options->part >= options->parts) {
        explain_usage();
    }
}

static struct options read_options(int argc, char **argv) {
    static const struct option known[] = {{"seed", required_argument, NULL, 's'},
                                          {"runs", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"operations", required_argument, NULL, 'o'},
                                          {"trace", no_argument, NULL, 'v'},
                                          {"scenarios", required_argument, NULL, 'x'},
                                          {"only", required_argument, NULL, 'n'},
                                          {"found", required_argument, NULL, 'f'},
                                          {"part", required_argument, NULL, 'p'},
                                          {"first", no_argument, NULL, '1'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.seed = 1, .runs = 1, .operations = 1000};
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (name) {
        case 's':
            options.seed = (uint64_t)read_number(optarg);
            break;
        case 'r':
            options.runs = read_number(optarg);
            break;
        case 't':
            options.seconds = (double)read_number(optarg);
            options.runs = 0;
            break;
        case 'o':
            options.operations = read_number(optarg);
            break;
        case 'v':
            options.prints = true;
            break;
        case 'x':
            options.scenarios = optarg;
            break;
        case 'n':
            options.only = optarg;
            break;
        case 'p':
            read_part(optarg, &options);
            break;
        case '1':
            options.ends_at_first = true;
            break;
        case 'f':
            options.found = optarg;
            break;
        default:
            explain_usage();
        }
    }
    return options;
}

/* ---- runs from seeds ---- */

static void print_progress(struct tally *tally) {
    double took_s = now_s() - tally->begun;
    printf("simulate: %.0f s: %" PRId64 " runs, %" PRId64 " operations (%.0f a second), %" PRId64
           " requests to storage, %" PRId64 " failed\n",
           took_s, tally->passed + tally->failed, tally->operations,
           (double)tally->operations / took_s, tally->requests, tally->failed);
}

static void add(struct tally *tally, const struct simulated_result *result) {
    tally->hash = tally->hash * 31 + result->hash;
    tally->operations += result->operations;
    tally->requests += result->requests;
    for (int fault = 0; fault < SIMULATED_FAULTS; fault++) {
        tally->struck[fault] += result->struck[fault];
    }
}

/* The failed run again, without what is not needed to fail, one line for each event. */
static void show_failure(const struct simulated_run_options *options,
                         struct simulated_result *failed) {
    struct simulated_shrunk shrunk;
    simulated_shrink(options, failed, &shrunk);
    printf("simulate: smaller after %d runs: %d instances, %d callers, %" PRId64
           " operations, %zu faults\n",
           shrunk.runs, shrunk.options.app_count, shrunk.options.caller_count,
           shrunk.options.operations, shrunk.faults.count);
    struct simulated_result result;
    shrunk.options.prints = true;
    simulated_run(&shrunk.options, &result);
    printf("simulate: the run, as a file for tests/simulation/found/:\n");
    simulated_found_print(&shrunk.options);
    simulated_shrunk_cleanup(&shrunk);
}

/* A loop without end inside one callback: nothing else would tell. */
static void hang(int signal_number) {
    (void)signal_number;
    if (write(STDOUT_FILENO, text_of_a_hang, strlen(text_of_a_hang)) > 0) {
        _exit(EXIT_FAILURE);
    }
    abort();
}

/* A run begins: of a seed, of a scenario, or one that makes a failed one smaller. */
static void watch(const struct simulated_run_options *run) {
    size_t room = sizeof text_of_a_hang;
    int used = snprintf(text_of_a_hang, room, "simulate: seed %" PRIu64 "%s%s", run->seed,
                        run->scenario == NULL ? "" : ", ",
                        run->scenario == NULL ? "" : run->scenario->name);
    for (size_t i = 0; run->scenario != NULL && i < run->plan->count && used < (int)room; i++) {
        const struct simulated_strike *strike = &run->plan->strikes[i];
        used += snprintf(text_of_a_hang + used, room - (size_t)used, ", fault %" PRId64 " %s",
                         strike->step, simulated_fault_name(strike->fault));
    }
    if (used < (int)room) {
        snprintf(text_of_a_hang + used, room - (size_t)used, " hangs\n");
    }
    alarm(HANG_S);
}

static void run_seed(const struct options *options, uint64_t seed, struct tally *tally) {
    const struct simulated_run_options run = {.seed = seed,
                                              .operations = options->operations,
                                              .prints = options->prints,
                                              .begins = watch};
    struct simulated_result result;
    simulated_run(&run, &result);
    add(tally, &result);
    if (result.violation[0] == '\0') {
        tally->passed++;
    } else if (tally->failed++ < MOST_SHOWN) {
        printf("simulate: seed %" PRIu64 ": %s\n", seed, result.violation);
        if (!options->prints && !options->ends_at_first) {
            show_failure(&run, &result);
        }
    }
    if (options->runs == 1) {
        printf("simulate: seed %" PRIu64 ": trace %016" PRIx64 ", %" PRId64 " s of virtual time\n",
               seed, result.hash, result.virtual_us / 1000000);
    }
    free(result.strikes);
}

static void run_seeds(const struct options *options, struct tally *tally) {
    uint64_t seed = options->seed;
    bool is_over = false;
    while (!is_over) {
        run_seed(options, seed++, tally);
        if (now_s() - tally->told >= PROGRESS_S) {
            tally->told = now_s();
            print_progress(tally);
        }
        is_over = options->runs > 0 ? seed - options->seed >= (uint64_t)options->runs
                                    : now_s() - tally->begun >= options->seconds;
        is_over = is_over || (options->ends_at_first && tally->failed > 0);
    }
    print_progress(tally);
    for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
        printf("simulate: %8" PRId64 " x %s\n", tally->struck[fault],
               simulated_fault_text((enum simulated_fault)fault));
    }
    printf("simulate: the trace of all runs is %016" PRIx64 "\n", tally->hash);
    int gaps = simulated_transitions_print(tally->operations >= LISTS_GAPS);
    if (gaps > 0) {
        printf("simulate: %d steps were never taken\n", gaps);
    }
    if (gaps > 0 && tally->operations >= HAS_ALL_STEPS) {
        tally->failed++;
    }
}

/* ---- a run that was kept ---- */

static void run_found(const struct options *options, struct tally *tally) {
    struct simulated_run_options run;
    struct simulated_faults plan;
    struct simulated_result result;
    if (!simulated_found_read(options->found, &run, &plan)) {
        fprintf(stderr, "simulate: %s is no run (simulated_found.h)\n", options->found);
        exit(EXIT_USAGE);
    }
    run.prints = options->prints;
    run.begins = watch;
    simulated_run(&run, &result);
    printf("simulate: %s: %s\n", options->found,
           result.rule == NULL ? "no promise is broken" : result.violation);
    if (result.rule == NULL && !simulated_found_has_struck(&run, &result)) {
        printf("simulate: but not every fault struck: record it anew\n");
    }
    tally->passed += result.rule == NULL;
    tally->failed += result.rule != NULL;
    simulated_faults_cleanup(&plan);
}

/* ---- scenarios ---- */

static void run_scenarios(const struct options *options, struct tally *tally) {
    bool has_pairs = strcmp(options->scenarios, "pairs") == 0;
    if (!has_pairs && strcmp(options->scenarios, "singles") != 0) {
        explain_usage();
    }
    for (int i = 0; i < simulated_scenario_count; i++) {
        const struct simulated_scenario *scenario = &simulated_scenarios[i];
        if (options->only != NULL && strstr(scenario->name, options->only) == NULL) {
            continue;
        }
        const struct simulated_exhaustive_options what = {.has_pairs = has_pairs,
                                                          .part = options->part,
                                                          .parts = options->parts,
                                                          .begins = watch};
        struct simulated_exhaustive_result result;
        simulated_exhaustive_run(scenario, &what, &result);
        printf("simulate: %-45s %3" PRId64 " steps, %8" PRId64 " runs, %" PRId64 " failed\n",
               scenario->name, result.steps, result.runs, result.failed);
        tally->passed += result.runs - result.failed;
        tally->failed += result.failed;
    }
}

int main(int argc, char **argv) {
    struct options options = read_options(argc, argv);
    signal(SIGALRM, hang);
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was told before a hang is not lost */
    struct tally tally = {.begun = now_s(), .told = now_s()};
    if (options.scenarios != NULL) {
        run_scenarios(&options, &tally);
    } else if (options.found != NULL) {
        run_found(&options, &tally);
    } else {
        run_seeds(&options, &tally);
    }
    printf("%" PRId64 " passed, %" PRId64 " failed\n", tally.passed, tally.failed);
    return tally.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
