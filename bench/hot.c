/*
 * hot.c - a product on sale: many clients, one product, Azurite; and what Azurite itself could do.
 *
 *     hot [--strict] [--rounds N] [--seconds S] [--fair-seconds S] [--pairs N] [--clients N]
 *     [--rows N] [--control HANDLER]
 *
 * Three questions, answered in one run against one Azurite in memory (LEASEHOLD_AZURITE names it;
 * LEASEHOLD_BIN and LEASEHOLD_ROOT as for tests):
 *   throughput  clients on one handler, in rounds between rounds of a bare client that sends full
 *               transactions back to back. Each round has a table and a product of its own, and is
 *               held against the bare rounds before and after it, so that neither Azurite's ageing
 *               nor a noisy neighbour favours one side. --control names a handler to be run with
 *               its batches off (tests/controls/batches-off.patch), in the same rounds.
 *   idle        one client with pauses: its reserve against a lease and a transaction sent by a
 *               bare client, in turns
 *   fairness    the clients on three handlers
 * Prints a table and whether the aims were met; ends with 1 when one was not and --strict is given.
 */
#include <check.h>
#include <getopt.h>
#include <libgen.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/standard_streams.h"
#include "support/calls/blob_calls.h"
#include "support/load/bare_reserver.h"
#include "support/load/load_figures.h"
#include "support/processes/app.h"
#include "support/processes/azurite.h"
#include "support/processes/storage_connection.h"

enum {
    INSTANCES = 3,
    WARM_UP_MS = 1000, /* of each round, before it counts */
    ACQUIRE_TIMEOUT_MS = 10000,
    PATIENCE_MS = 30000, /* for answers, after a run's end */
    THINK_MS = 20,       /* the idle client's, so that the lease before is given back */
    START_MS = 20000,
    TIMEOUT_MS = 30000,
    LEASE_S = 30,
};

#define BODY "{\"quantity\":1,\"customerId\":\"CUST-1\"}"
#define PRODUCT "HOT-1"
#define PATH "/api/inventory/" PRODUCT "/reserve"

static struct {
    bool strict;
    int rounds, seconds, fair_seconds, pairs, clients, rows;
    char *control;
} options = {
    .rounds = 5, .seconds = 4, .fair_seconds = 30, .pairs = 200, .clients = 64, .rows = 99};

static struct azurite azurite;
static struct storage_connection storage;
static bool missed;

/* ---- what is measured ---- */

struct throughput {
    struct samples per_second;
    struct samples of_bare; /* the part of the bare client's rate, in each round */
    struct samples requests;
    struct samples latency_ms;
    struct samples commit_sizes;
    struct samples handler_cpu_us, azurite_cpu_us, generator_cpu_us; /* for each reservation */
    struct samples azurite_busy;                                     /* part of the time */
    int64_t refusals;
};

static struct throughput batches_on, batches_off, bare;
static double longest_transaction_ms;
static struct samples idle_ms, idle_bare_ms;
static struct load_result fair;

/* Microseconds of processor that a program has used so far. */
static int64_t cpu_us(const struct process *process) {
    clockid_t clock;
    struct timespec used;
    ck_assert(clock_getcpuclockid(process->pid, &clock) == 0 && clock_gettime(clock, &used) == 0);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static int64_t own_cpu_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* ---- handlers ---- */

static void start_handler(struct app *app, const char *table, const char *instance) {
    char table_name[128], name[64];
    snprintf(table_name, sizeof table_name, "Inventory:TableName=%s", table);
    snprintf(name, sizeof name, "HANDLER_INSTANCE=%s", instance);
    const char *const settings[] = {table_name, name, NULL};
    app_start_handler(app, &(struct app_options){.connection_string = azurite.connection_string,
                                                 .settings = settings});
    if (!app_wait_for_log(app, 0, "Leasehold listens", START_MS)) {
        ck_abort_msg("the handler does not start: %s", process_output_from(&app->process, 0));
    }
}

static void stop_handler(struct app *app) {
    ck_assert_int_eq(app_stop(app, SIGTERM), 0);
    app_cleanup(app);
}

/* A table of its own, with the product in it. */
static void make_table(char table[STORAGE_UNIQUE_NAME_BYTES]) {
    struct bare_reserver reserver;
    storage_unique_name(table);
    bare_reserver_open(&reserver, &storage.client, table, PRODUCT);
    bare_reserver_close(&reserver);
}

/* ---- throughput ---- */

static void add_cpu(struct throughput *to, int64_t handler_us, int64_t azurite_us,
                    int64_t generator_us, int64_t wall_us, int64_t count) {
    samples_add(&to->handler_cpu_us, (double)handler_us / (double)count);
    samples_add(&to->azurite_cpu_us, (double)azurite_us / (double)count);
    samples_add(&to->generator_cpu_us, (double)generator_us / (double)count);
    samples_add(&to->azurite_busy, (double)azurite_us / (double)wall_us);
}

/* These answer the rate, which is in the samples too. */
static double run_bare_round(void) {
    struct bare_reserver reserver;
    char table[STORAGE_UNIQUE_NAME_BYTES];
    storage_unique_name(table);
    bare_reserver_open(&reserver, &storage.client, table, PRODUCT);
    int64_t begun_us = load_now_us(), counted_from_us = begun_us, now_us = begun_us, azurite_us = 0;
    int64_t own_us = 0, counted = 0;
    while (now_us < begun_us + (WARM_UP_MS + options.seconds * 1000) * INT64_C(1000)) {
        bare_reserver_commit(&reserver, options.rows);
        int64_t ended_us = load_now_us();
        longest_transaction_ms = fmax(longest_transaction_ms, (double)(ended_us - now_us) / 1000);
        now_us = ended_us;
        if (now_us < begun_us + WARM_UP_MS * INT64_C(1000)) {
            counted_from_us = now_us;
            azurite_us = cpu_us(&azurite.process);
            own_us = own_cpu_us();
        } else {
            counted += options.rows;
        }
    }
    double per_second = (double)counted * 1e6 / (double)(now_us - counted_from_us);
    samples_add(&bare.per_second, per_second);
    add_cpu(&bare, 0, cpu_us(&azurite.process) - azurite_us, own_cpu_us() - own_us,
            now_us - counted_from_us, counted);
    bare_reserver_close(&reserver);
    return per_second;
}

static double run_handler_round(struct throughput *to) {
    struct app app;
    struct load load;
    struct load_result result;
    char table[STORAGE_UNIQUE_NAME_BYTES];
    make_table(table);
    start_handler(&app, table, "1");
    load_open(&load, &app.port, 1, options.clients, PATH, BODY);
    size_t mark = azurite_mark(&azurite);
    int64_t handler_us = cpu_us(&app.process), azurite_us = cpu_us(&azurite.process),
            begun_us = load_now_us();
    load_run(&load, WARM_UP_MS + options.seconds * INT64_C(1000), PATIENCE_MS, &result);
    int64_t wall_us = load_now_us() - begun_us;
    handler_us = cpu_us(&app.process) - handler_us;
    azurite_us = cpu_us(&azurite.process) - azurite_us;
    int64_t count = load_reservations(&result, LOAD_ALL_TARGETS);
    ck_assert_msg(count > 0, "nothing could be reserved");
    samples_add(&to->requests, (double)azurite_request_count(&azurite, mark) / (double)count);
    double per_second = load_per_second(&result, WARM_UP_MS);
    samples_add(&to->per_second, per_second);
    load_add_latencies(&result, WARM_UP_MS, &to->latency_ms);
    load_add_commit_sizes(&result, LOAD_ALL_TARGETS, &to->commit_sizes);
    to->refusals += load_refusals(&result);
    add_cpu(to, handler_us, azurite_us, result.cpu_us, wall_us, count);
    load_result_cleanup(&result);
    load_close(&load);
    stop_handler(&app);
    return per_second;
}

static double run_control_round(void) {
    char bin[4096], path[4096];
    snprintf(bin, sizeof bin, "%s", getenv("LEASEHOLD_BIN"));
    snprintf(path, sizeof path, "%s", options.control);
    setenv("LEASEHOLD_BIN", dirname(path), 1);
    double per_second = run_handler_round(&batches_off);
    setenv("LEASEHOLD_BIN", bin, 1);
    return per_second;
}

static void measure_throughput(void) {
    (void)run_bare_round(); /* brings Azurite's code up to speed */
    samples_cleanup(&bare.per_second);
    double before = run_bare_round();
    for (int i = 0; i < options.rounds; i++) {
        double on = run_handler_round(&batches_on);
        double off = options.control != NULL ? run_control_round() : 0;
        double after = run_bare_round();
        samples_add(&batches_on.of_bare, on * 2 / (before + after));
        if (options.control != NULL) {
            samples_add(&batches_off.of_bare, off * 2 / (before + after));
        }
        before = after;
    }
}

/* ---- an idle product ---- */

static void acquire_bare_lease(const char *blob, const char *lease_id) {
    struct error err = {0};
    int64_t sent_ms = 0;
    enum status status =
        blob_lease_acquire(&storage.client, "leases", blob, lease_id, LEASE_S,
                           storage_connection_deadline(&storage, TIMEOUT_MS), &sent_ms, &err);
    ck_assert_msg(status == STATUS_OK, "%s", err.message);
}

static void release_bare_lease(const char *blob, const char *lease_id) {
    int64_t deadline_ms = storage_connection_deadline(&storage, TIMEOUT_MS);
    ck_assert_int_eq(
        blob_lease_release(&storage.client, "leases", blob, lease_id, deadline_ms, NULL),
        STATUS_OK);
}

static void reserve_bare(struct bare_reserver *reserver, const char *blob) {
    char lease_id[UUID_TEXT_BYTES];
    ck_assert_int_eq(uuid_v4(random_system(), lease_id), STATUS_OK);
    int64_t begun_us = load_now_us();
    acquire_bare_lease(blob, lease_id);
    bare_reserver_commit(reserver, 1);
    samples_add(&idle_bare_ms, (double)(load_now_us() - begun_us) / 1000);
    release_bare_lease(blob, lease_id);
    poll(NULL, 0, THINK_MS);
}

static void reserve_idle(struct load *load) {
    struct load_result result;
    load_run(load, 0, PATIENCE_MS, &result);
    ck_assert_int_eq(load_reservations(&result, LOAD_ALL_TARGETS), 1);
    load_add_latencies(&result, 0, &idle_ms);
    load_result_cleanup(&result);
    poll(NULL, 0, THINK_MS);
}

static void measure_idle(void) {
    static const char blob[] = "lease-bare";
    struct app app;
    struct load load;
    struct bare_reserver reserver;
    struct error err = {0};
    char table[STORAGE_UNIQUE_NAME_BYTES];
    make_table(table);
    bare_reserver_open(&reserver, &storage.client, table, "BARE-1");
    ck_assert_msg(blob_create_empty(&storage.client, "leases", blob, NULL,
                                    storage_connection_deadline(&storage, TIMEOUT_MS),
                                    &err) == STATUS_OK,
                  "%s", err.message);
    start_handler(&app, table, "1");
    load_open(&load, &app.port, 1, 1, PATH, BODY);
    for (int i = 0; i < options.pairs; i++) {
        reserve_idle(&load);
        reserve_bare(&reserver, blob);
    }
    load_close(&load);
    stop_handler(&app);
    bare_reserver_close(&reserver);
}

/* ---- fairness ---- */

static void measure_fairness(void) {
    struct app apps[INSTANCES];
    struct load load;
    int ports[INSTANCES];
    char table[STORAGE_UNIQUE_NAME_BYTES];
    make_table(table);
    for (int i = 0; i < INSTANCES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i + 1);
        start_handler(&apps[i], table, name);
        ports[i] = apps[i].port;
    }
    load_open(&load, ports, INSTANCES, options.clients, PATH, BODY);
    load_run(&load, options.fair_seconds * INT64_C(1000), PATIENCE_MS, &fair);
    load_close(&load);
    for (int i = 0; i < INSTANCES; i++) {
        stop_handler(&apps[i]);
    }
}

/* ---- the table ---- */

/* "median (least..greatest)" */
static const char *spread(struct samples *samples, int decimals) {
    static char texts[4][64];
    static int next;
    char *text = texts[next++ % 4];
    if (samples->count == 0) {
        return "-";
    }
    snprintf(text, sizeof texts[0], "%.*f (%.*f..%.*f)", decimals, samples_median(samples),
             decimals, samples_percentile(samples, 0), decimals, samples_percentile(samples, 100));
    return text;
}

static const char *percentiles(struct samples *samples, double low, double high, int decimals) {
    static char texts[4][64];
    static int next;
    char *text = texts[next++ % 4];
    if (samples->count == 0) {
        return "-";
    }
    snprintf(text, sizeof texts[0], "%.*f / %.*f", decimals, samples_percentile(samples, low),
             decimals, samples_percentile(samples, high));
    return text;
}

static void print_row(const char *title, const char *on, const char *off, const char *alone) {
    printf("%-44s %-22s ", title, on);
    if (options.control != NULL) {
        printf("%-22s ", off);
    }
    printf("%s\n", alone);
}

static void print_throughput(void) {
    struct throughput *on = &batches_on, *off = &batches_off;
    char refusals[2][32], title[64];
    snprintf(refusals[0], sizeof refusals[0], "%lld", (long long)on->refusals);
    snprintf(refusals[1], sizeof refusals[1], "%lld", (long long)off->refusals);
    printf("One product, one handler, %d clients; %d rounds of %d s, interleaved: median "
           "(least..greatest round)\n",
           options.clients, options.rounds, options.seconds);
    print_row("", "handler", "handler, batches off", "bare client");
    print_row("reservations/s", spread(&on->per_second, 0), spread(&off->per_second, 0),
              spread(&bare.per_second, 0));
    print_row("  of the bare client's in its round", spread(&on->of_bare, 2),
              spread(&off->of_bare, 2), "");
    print_row("storage requests/reservation", spread(&on->requests, 3), spread(&off->requests, 3),
              "");
    print_row("latency p50 / p99, ms", percentiles(&on->latency_ms, 50, 99, 0),
              percentiles(&off->latency_ms, 50, 99, 0), "");
    snprintf(title, sizeof title, "%d", options.rows);
    print_row("reservations in a commit, p10 / p90", percentiles(&on->commit_sizes, 10, 90, 0),
              percentiles(&off->commit_sizes, 10, 90, 0), title);
    print_row("answers other than 200", refusals[0], refusals[1], "");
    print_row("processor us/reservation: handler", spread(&on->handler_cpu_us, 0),
              spread(&off->handler_cpu_us, 0), "");
    print_row("                          Azurite", spread(&on->azurite_cpu_us, 0),
              spread(&off->azurite_cpu_us, 0), spread(&bare.azurite_cpu_us, 0));
    print_row("                          client", spread(&on->generator_cpu_us, 0),
              spread(&off->generator_cpu_us, 0), spread(&bare.generator_cpu_us, 0));
    print_row("Azurite's processor in use", spread(&on->azurite_busy, 2),
              spread(&off->azurite_busy, 2), spread(&bare.azurite_busy, 2));
}

static void print_idle(void) {
    printf("\nAn idle product, one client, %d pairs: p50 / p90, ms\n", options.pairs);
    print_row("reserve through the handler", percentiles(&idle_ms, 50, 90, 1), "", "");
    print_row("lease and transaction by the bare client", percentiles(&idle_bare_ms, 50, 90, 1), "",
              "");
}

static double share(int target, int64_t *out_commits) {
    struct samples sizes = {0};
    load_add_commit_sizes(&fair, target, &sizes);
    *out_commits = (int64_t)sizes.count;
    samples_cleanup(&sizes);
    return (double)load_reservations(&fair, target) /
           (double)load_reservations(&fair, LOAD_ALL_TARGETS);
}

static double print_fairness(void) {
    double least = 1;
    int64_t all_commits = 0, commits[INSTANCES];
    double shares[INSTANCES];
    for (int i = 0; i < INSTANCES; i++) {
        shares[i] = share(i, &commits[i]);
        all_commits += commits[i];
        least = fmin(least, shares[i]);
    }
    printf("\nThe same product, %d handlers, %d clients in all, %d s: %.0f reservations/s, %lld "
           "answers other than 200\n",
           INSTANCES, options.clients, options.fair_seconds, load_per_second(&fair, 0),
           (long long)load_refusals(&fair));
    printf("%-44s", "share of reservations (of commits)");
    for (int i = 0; i < INSTANCES; i++) {
        printf(" %.0f %% (%.0f %%)", 100 * shares[i],
               100 * (double)commits[i] / (double)all_commits);
    }
    struct samples latencies = {0};
    load_add_latencies(&fair, 0, &latencies);
    printf("\n%-44s %s\n", "latency p50 / p99, ms", percentiles(&latencies, 50, 99, 0));
    samples_cleanup(&latencies);
    return least;
}

__attribute__((format(printf, 2, 3))) static void judge(bool met, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("  %-7s ", met ? "met" : "MISSED");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    missed = missed || !met;
}

static void report(void) {
    print_throughput();
    print_idle();
    double least = print_fairness();
    double of_bare = samples_median(&batches_on.of_bare),
           requests = samples_median(&batches_on.requests);
    double idle = samples_median(&idle_ms) / samples_median(&idle_bare_ms);
    double longest_ms = load_longest_ms(&fair),
           limit_ms = ACQUIRE_TIMEOUT_MS + longest_transaction_ms;
    printf("\nAims\n");
    judge(of_bare >= 0.8, "at least 80 %% of the bare client's reservations/s: %.0f %%",
          100 * of_bare);
    judge(requests <= 0.1, "at most 0.1 storage requests/reservation: %.3f", requests);
    judge(idle <= 1.25, "an idle product at most 1.25 times the bare client's time: %.2f", idle);
    judge(least >= 0.2, "no instance below 20 %% of the reservations: %.0f %%", 100 * least);
    judge(longest_ms <= limit_ms,
          "nobody waits longer than AcquireTimeout and a batch, %.1f s: %.1f s", limit_ms / 1000,
          longest_ms / 1000);
}

/* A check of libcheck's, so that what goes wrong below it is told. */
START_TEST(the_aims_are_met) {
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    storage_connection_open(&storage, azurite.connection_string);
    if (options.rounds > 0) {
        measure_throughput();
    }
    if (options.pairs > 0) {
        measure_idle();
    }
    if (options.fair_seconds > 0) {
        measure_fairness();
    }
    storage_connection_close(&storage);
    azurite_cleanup(&azurite);
    report();
    fflush(stdout);
}
END_TEST

static void read_arguments(int argc, char **argv) {
    enum { STRICT = 1, ROUNDS, SECONDS, FAIR_SECONDS, PAIRS, CLIENTS, ROWS, CONTROL };
    static const struct option known[] = {{"strict", no_argument, NULL, STRICT},
                                          {"rounds", required_argument, NULL, ROUNDS},
                                          {"seconds", required_argument, NULL, SECONDS},
                                          {"fair-seconds", required_argument, NULL, FAIR_SECONDS},
                                          {"pairs", required_argument, NULL, PAIRS},
                                          {"clients", required_argument, NULL, CLIENTS},
                                          {"rows", required_argument, NULL, ROWS},
                                          {"control", required_argument, NULL, CONTROL},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        int number = optarg != NULL ? (int)strtol(optarg, NULL, 10) : 0;
        options.strict = options.strict || option == STRICT;
        options.rounds = option == ROUNDS ? number : options.rounds;
        options.seconds = option == SECONDS ? number : options.seconds;
        options.fair_seconds = option == FAIR_SECONDS ? number : options.fair_seconds;
        options.pairs = option == PAIRS ? number : options.pairs;
        options.clients = option == CLIENTS ? number : options.clients;
        options.rows = option == ROWS ? number : options.rows;
        options.control = option == CONTROL ? optarg : options.control;
        if (option == '?') {
            exit(64);
        }
    }
}

int main(int argc, char **argv) {
    if (!standard_streams_open()) {
        return EXIT_FAILURE;
    }
    read_arguments(argc, argv);
    Suite *suite = suite_create("hot");
    TCase *tcase = tcase_create("hot");
    tcase_add_test(tcase, the_aims_are_met);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* also: no time limit */
    srunner_run_all(runner, CK_SILENT);
    bool failed = srunner_ntests_failed(runner) > 0;
    if (failed) {
        TestResult **failures = srunner_failures(runner);
        fprintf(stderr, "hot: %s\n", tr_msg(failures[0]));
        free(failures);
    }
    srunner_free(runner);
    return failed || (options.strict && missed) ? EXIT_FAILURE : EXIT_SUCCESS;
}
