/*
 * torture.c - proof, as far as a run can give it, that the inventory never oversells.
 *
 *   torture [--duration SECONDS] [--clients N] [--products N] [--seed N]
 *           [--faults none|lost|all] [--old-handler PATH]
 *
 * Starts Azurite and three handlers. Many clients call them at once while faults of every kind
 * happen, and the checker judges what they were answered. With all faults, a lease is outlived and
 * the stock itself taken away in the end. With --old-handler, one of the three instances runs that
 * program, as in a rolling upgrade: it begins with the old handler, and each restart exchanges it
 * for the new one or back. So a run without restarts (--faults none) has it from beginning to end.
 * One line every 10 s tells how far it is; one table at the end. With violations, each is told with
 * the lines that it rests on, the history and the handlers' logs are kept, and the exit code is 1.
 * LEASEHOLD_BIN, LEASEHOLD_ROOT and LEASEHOLD_AZURITE as in tools/run-tests.sh.
 */
#include <check.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/standard_streams.h"
#include "torture/checker.h"
#include "torture/torture_clients.h"
#include "torture/torture_finale.h"
#include "torture/torture_nemesis.h"

enum {
    NEMESIS_POLL_MS = 25,
    PROGRESS_MS = 10000,
    EXIT_USAGE = 64,
    SHOWN_VIOLATIONS = 20,
    CLOCK_BEHIND_MS = 2500,
};

struct run {
    struct torture_options options;
    struct torture_world world;
    struct torture_nemesis nemesis;
    struct history history;
    struct checker_product products[TORTURE_MAX_PRODUCTS];
    struct checker_report report;
    int64_t took_ms;
    /*
     * products of which some instance tells nothing in the end, when nothing disturbs it any more
     */
    int silent_count;
};

/* ---- options ---- */

static _Noreturn void explain_usage(void) {
    fprintf(stderr,
            "usage: torture [--duration SECONDS] [--clients N] [--products %d..%d] [--seed N]\n"
            "               [--faults none|lost|all] [--old-handler PATH]\n",
            TORTURE_MIN_PRODUCTS, TORTURE_MAX_PRODUCTS);
    exit(EXIT_USAGE);
}

static enum torture_faults read_faults(const char *text) {
    static const char *const names[] = {"none", "lost", "all"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (enum torture_faults)i;
        }
    }
    explain_usage();
}

static int64_t read_number(const char *text) {
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number <= 0 || number > INT32_MAX) {
        explain_usage();
    }
    return number;
}

static int read_product_count(const char *text) {
    int64_t number = read_number(text);
    if (number < TORTURE_MIN_PRODUCTS || number > TORTURE_MAX_PRODUCTS) {
        explain_usage();
    }
    return (int)number;
}

/* Each handler starts in a folder of its own, so a relative path is made absolute. Never freed. */
static const char *read_program(const char *path) {
    char *program = realpath(path, NULL);
    if (program == NULL || access(program, X_OK) != 0) {
        fprintf(stderr, "torture: %s: %s\n", path, strerror(errno));
        exit(EXIT_USAGE);
    }
    return program;
}

static struct torture_options read_options(int argc, char **argv) {
    static const struct option known[] = {{"duration", required_argument, NULL, 'd'},
                                          {"clients", required_argument, NULL, 'c'},
                                          {"products", required_argument, NULL, 'p'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"faults", required_argument, NULL, 'f'},
                                          {"old-handler", required_argument, NULL, 'o'},
                                          {NULL, 0, NULL, 0}};
    struct torture_options options = {.duration_ms = 60000,
                                      .client_count = 24,
                                      .product_count = TORTURE_MAX_PRODUCTS,
                                      .seed = (uint64_t)time(NULL),
                                      .faults = TORTURE_ALL_FAULTS};
    for (int name; (name = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (name) {
        case 'd':
            options.duration_ms = 1000 * read_number(optarg);
            break;
        case 'c':
            options.client_count = (int)read_number(optarg);
            break;
        case 'p':
            options.product_count = read_product_count(optarg);
            break;
        case 's':
            options.seed = (uint64_t)read_number(optarg);
            break;
        case 'f':
            options.faults = read_faults(optarg);
            break;
        case 'o':
            options.old_handler = read_program(optarg);
            break;
        default:
            explain_usage();
        }
    }
    return options;
}

/* ---- progress ---- */

static int fault_count(const struct run *run, enum fault_kind kind) {
    int count = 0;
    for (int i = 0;
         i < TORTURE_INSTANCES * TORTURE_PROXIES && run->options.faults != TORTURE_NO_FAULTS; i++) {
        count += fault_proxy_applied_kind(
            run->world.instances[i / TORTURE_PROXIES].proxies[i % TORTURE_PROXIES], kind);
    }
    return count;
}

static void print_fault_counts(const struct run *run) {
    for (int kind = 1; kind < FAULT_KINDS; kind++) {
        int count = fault_count(run, (enum fault_kind)kind);
        if (count > 0) {
            printf("  %s x %d", fault_proxy_kind_name((enum fault_kind)kind), count);
        }
    }
}

static void print_deed_counts(const struct run *run) {
    for (int deed = 0; deed < TORTURE_DEEDS; deed++) {
        if (run->nemesis.counts[deed] > 0) {
            printf("  %s x %d", torture_nemesis_deed_name((enum torture_deed)deed),
                   run->nemesis.counts[deed]);
        }
    }
}

/* One line: how far the run is, and what has happened. */
static void print_progress(struct run *run, int64_t elapsed_ms) {
    printf("torture: %" PRId64 " of %" PRId64 " s, %zu operations;", elapsed_ms / 1000,
           run->options.duration_ms / 1000, history_count(&run->history));
    print_fault_counts(run);
    print_deed_counts(run);
    printf("\n");
    fflush(stdout);
}

/* ---- the run ---- */

static void torment(struct run *run) {
    int64_t started_ms = process_now_ms();
    struct torture_clients *clients = torture_clients_start(&run->world, &run->history);
    torture_nemesis_init(&run->nemesis, &run->world);
    int64_t told_ms = started_ms;
    while (process_now_ms() < started_ms + run->options.duration_ms) {
        if (process_now_ms() >= told_ms + PROGRESS_MS) {
            told_ms += PROGRESS_MS;
            print_progress(run, told_ms - started_ms);
        }
        torture_nemesis_act(&run->nemesis);
        poll(NULL, 0, NEMESIS_POLL_MS);
    }
    torture_nemesis_end(&run->nemesis);
    torture_clients_stop(clients);
    run->took_ms = process_now_ms() - started_ms;
    for (int i = 0; i < run->options.product_count; i++) {
        run->silent_count += !torture_clients_look(clients, i);
        torture_world_read_product(&run->world, &run->history, i, &run->products[i]);
    }
    torture_clients_free(clients);
}

static void judge(struct run *run) {
    checker_run(
        &(struct checker_input){
            .records = (const struct history_record *const *)(const void *)run->history.records,
            .record_count = run->history.count,
            .products = run->products,
            .product_count = (size_t)run->options.product_count,
            .lifetime_ms = TORTURE_LIFETIME_MS,
            .clock_behind_ms = CLOCK_BEHIND_MS},
        &run->report);
}

/* ---- what came of it ---- */

static void print_operations(const struct run *run) {
    printf("%-12s", "operation");
    for (int outcome = 0; outcome < HISTORY_OUTCOMES; outcome++) {
        printf("%10s", history_outcome_name((enum history_outcome)outcome));
    }
    printf("\n");
    for (int kind = 0; kind < HISTORY_KINDS; kind++) {
        int counts[HISTORY_OUTCOMES] = {0};
        for (size_t i = 0; i < run->history.count; i++) {
            const struct history_record *record = run->history.records[i];
            counts[record->outcome] += (int)record->kind == kind;
        }
        printf("%-12s", history_kind_name((enum history_kind)kind));
        for (int outcome = 0; outcome < HISTORY_OUTCOMES; outcome++) {
            printf("%10d", counts[outcome]);
        }
        printf("\n");
    }
}

static void print_statuses(const struct run *run) {
    int counts[600] = {0};
    for (size_t i = 0; i < run->history.count; i++) {
        counts[run->history.records[i]->status]++;
    }
    printf("%-12s", "answers");
    for (int status = 0; status < 600; status++) {
        if (counts[status] > 0) {
            printf("  %s%.0d x %d", status == 0 ? "none" : "", status, counts[status]);
        }
    }
    printf("\n");
}

static void print_faults(const struct run *run) {
    printf("%-12s", "faults");
    print_fault_counts(run);
    printf("\n%-12s", "deeds");
    print_deed_counts(run);
    printf("\n");
}

static void print_mix(const struct run *run) {
    int mixed = torture_world_mixed(&run->world);
    const int *starts = run->world.mixed_starts;
    if (mixed >= 0) {
        printf("%-12s  instance %d, started with the old handler x %d, with the new one x %d\n",
               "mixed", mixed + 1, starts[true], starts[false]);
    }
}

static void print_table(const struct run *run) {
    static const char *const faults[] = {"none", "lost", "all"};
    printf("%-12s  %" PRId64 " s, %d clients, %d products, seed %" PRIu64 ", faults: %s\n",
           "torture", run->options.duration_ms / 1000, run->options.client_count,
           run->options.product_count, run->options.seed, faults[run->options.faults]);
    print_mix(run);
    print_operations(run);
    print_statuses(run);
    print_faults(run);
    printf("%-12s  %zu in %.1f s, %.0f a second\n", "requests", run->history.count,
           (double)run->took_ms / 1000, (double)run->history.count * 1000 / (double)run->took_ms);
    printf("%-12s  %" PRId64 "\n", "commits", run->report.commits);
    printf("%-12s  %d of %d products\n", "silent", run->silent_count, run->options.product_count);
    printf("%-12s  %zu\n", "violations", run->report.found);
    for (int rule = 0; rule < CHECKER_RULES; rule++) {
        if (run->report.found_of[rule] > 0) {
            printf("%-12s  %zu x \"%s\"\n", "", run->report.found_of[rule],
                   checker_rule_text((enum checker_rule)rule));
        }
    }
}

static void print_violations(const struct run *run) {
    for (size_t i = 0; i < run->report.count && i < SHOWN_VIOLATIONS; i++) {
        const struct checker_violation *violation = &run->report.violations[i];
        printf("\nviolation of \"%s\":\n  %s\n", checker_rule_text(violation->rule),
               violation->text);
        for (size_t j = 0; j < CHECKER_EVIDENCE && violation->evidence[j] != 0; j++) {
            printf("  ");
            history_print(stdout, run->history.records[violation->evidence[j] - 1]);
        }
    }
}

static void keep_evidence(struct run *run) {
    char path[128];
    snprintf(path, sizeof path, "%s/history.jsonl", run->world.folder.path);
    FILE *file = fopen(path, "w");
    if (file != NULL) {
        history_print_all(file, &run->history);
        fclose(file);
    }
    torture_world_keep_logs(&run->world);
    printf("\nthe history and the logs are in %s\n", run->world.folder.path);
}

static struct run run;

START_TEST(nothing_is_oversold) {
    history_init(&run.history, clock_system());
    torture_world_open(&run.world, &run.options);
    torment(&run);
    judge(&run);
    if (run.options.faults == TORTURE_ALL_FAULTS) {
        torture_finale_run(&run.world, &run.report);
    }
    print_table(&run);
    bool good = run.report.found == 0 && run.silent_count == 0;
    if (good) {
        temp_folder_remove(&run.world.folder);
    } else {
        print_violations(&run);
        keep_evidence(&run);
    }
    torture_world_close(&run.world);
    for (int i = 0; i < run.options.product_count; i++) {
        free(run.products[i].rows);
    }
    checker_report_cleanup(&run.report);
    history_cleanup(&run.history);
    ck_assert_msg(good, "the inventory is not to be trusted: see above");
}
END_TEST

static void tell_failures(SRunner *runner) {
    TestResult **failures = srunner_failures(runner);
    for (int i = 0; i < srunner_ntests_failed(runner); i++) {
        fprintf(stderr, "torture: %s:%d: %s\n", tr_lfile(failures[i]), tr_lno(failures[i]),
                tr_msg(failures[i]));
    }
    free(failures);
}

/*
 * What it stands on works inside of a test only; unforked, as it has many threads and takes as long
 * as it is told to.
 */
int main(int argc, char **argv) {
    if (!standard_streams_open()) {
        return EXIT_FAILURE;
    }
    run.options = read_options(argc, argv);
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("torture");
    tcase_add_test(tcase, nothing_is_oversold);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    bool good = srunner_ntests_failed(runner) == 0;
    tell_failures(runner);
    srunner_free(runner);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
