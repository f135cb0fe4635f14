/*
 * lease_scale.c - how many leases one process keeps alive, and what that takes.
 *
 *     lease_scale [--azurite] [--leases N] [--periods P] [--delay MS] [--stop MS]
 *
 * Against a store of its own that answers after 50 ms (--delay), or against an Azurite of its own,
 * which LEASEHOLD_AZURITE names. Leases last 15 s and are renewed after 10. --stop stops the
 * process for so long in the middle, after which everything that fell due meanwhile is due at once.
 * Prints a table; ends with 1 and a line for each limit missed.
 */
#include <check.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/standard_streams.h"
#include "support/load/lease_load.h"
#include "support/processes/azurite.h"

static bool on_azurite;
static int64_t delay_ms = 50;
static struct lease_load_options options = {
    .leases = 10000, .periods = 3, .duration_s = 15, .renew_fraction = 2.0 / 3.0};

static void read_arguments(int argc, char **argv) {
    enum { AZURITE = 1, LEASES, PERIODS, DELAY, STOP };
    static const struct option known[] = {
        {"azurite", no_argument, NULL, AZURITE},       {"leases", required_argument, NULL, LEASES},
        {"periods", required_argument, NULL, PERIODS}, {"delay", required_argument, NULL, DELAY},
        {"stop", required_argument, NULL, STOP},       {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        long number = optarg != NULL ? strtol(optarg, NULL, 10) : 0;
        on_azurite = on_azurite || option == AZURITE;
        options.leases = option == LEASES ? (int)number : options.leases;
        options.periods = option == PERIODS ? (int)number : options.periods;
        delay_ms = option == DELAY ? number : delay_ms;
        options.stop_ms = option == STOP ? number : options.stop_ms;
        if (option == '?') {
            exit(64);
        }
    }
    if (optind < argc || options.leases < 1 || options.periods < 1) {
        fputs(
            "usage: lease_scale [--azurite] [--leases N] [--periods P] [--delay MS] [--stop MS]\n",
            stderr);
        exit(64);
    }
}

static void run_on_azurite(struct lease_load_figures *figures) {
    static struct azurite azurite;
    azurite_start(&azurite, AZURITE_IN_MEMORY);
    options.connection_string = azurite.connection_string;
    lease_load_run(&options, figures);
    azurite_cleanup(&azurite);
}

static void run_on_slow_store(struct lease_load_figures *figures) {
    static struct slow_store store;
    slow_store_start(&store, delay_ms);
    options.connection_string = store.connection_string;
    options.store = &store;
    lease_load_run(&options, figures);
    slow_store_cleanup(&store);
}

/* A check of libcheck's, so that what goes wrong below it is told. */
START_TEST(every_limit_is_met) {
    struct lease_load_figures figures;
    struct strbuf complaints;
    char title[128];
    strbuf_init(&complaints, SIZE_MAX);
    if (on_azurite) {
        run_on_azurite(&figures);
        snprintf(title, sizeof title, "%d leases on Azurite", options.leases);
    } else {
        run_on_slow_store(&figures);
        snprintf(title, sizeof title, "%d leases on a store that answers after %jd ms",
                 options.leases, (intmax_t)delay_ms);
    }
    lease_load_print(stdout, title, &figures);
    lease_load_complain(&complaints, &figures);
    fflush(stdout);
    ck_assert_msg(complaints.length == 0, "%s", complaints.data);
    strbuf_cleanup(&complaints);
}
END_TEST

int main(int argc, char **argv) {
    if (!standard_streams_open()) {
        return EXIT_FAILURE;
    }
    read_arguments(argc, argv);
    Suite *suite = suite_create("lease_scale");
    TCase *tcase = tcase_create("lease_scale");
    tcase_add_test(tcase, every_limit_is_met);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK); /* also: no time limit */
    srunner_run_all(runner, CK_SILENT);
    bool failed = srunner_ntests_failed(runner) > 0;
    if (failed) {
        TestResult **failures = srunner_failures(runner);
        fprintf(stderr, "lease_scale: %s\n", tr_msg(failures[0]));
        free(failures);
    }
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
