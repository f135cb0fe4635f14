/*
 * app.h - the whole app as its users run it: devhost with the handler behind it, on a free port,
 * with settings of the test's own.
 *
 * Rules        LEASEHOLD_BIN names the folder of the programs under test, LEASEHOLD_ROOT the
 *              repository (tools/run-tests.sh sets them). The app's folder is a temporary one:
 *              host.json and the functions are the repository's, local.settings.json is the test's.
 * Threads: as process.h.
 */
#ifndef SUPPORT_APP_H
#define SUPPORT_APP_H

#include <stdbool.h>

#include "support/processes/process.h"

struct app_options {
    const char *connection_string;
    const char *const *
        /*
         * "Inventory:ProcessingTime=00:00:02", ...; over PROD-001=100;PROD-002=50;PROD-003=200; may
         * be NULL
         */
        settings;
    const char *const *
        /*
         * "NAME=value", ...: what the programs find in their environment besides ours; may be NULL
         */
        env;
    const char *shape;          /* devhost's --shape; NULL: as host.json says */
    const char *timer_schedule; /* reconciliation's; NULL: the repository's */
    const char *handler;        /* app_start_handler: the program's path; NULL: LEASEHOLD_BIN's */
};

struct app {
    struct process process;
    char folder[64];
    int port;
};

/* Starts it and waits until it serves. */
void app_start(struct app *app, const struct app_options *options);

/* Ends it with `signal`; answers devhost's exit code. Its output stays until app_cleanup. */
int app_stop(struct app *app, int signal);
void app_cleanup(struct app *app);

/*
 * The handler alone, without a host, on a free port: what the host is to it. It may end by itself
 * (a bad setting): see process_wait.
 */
void app_start_handler(struct app *app, const struct app_options *options);

/* Polls until the log has `text`, from byte `from` on. */
bool app_wait_for_log(struct app *app, size_t from, const char *text, int64_t timeout_ms);

/* The same; fails the test, with the log's end, if the text does not come. */
void app_expect_log(struct app *app, size_t from, const char *text, int64_t timeout_ms);

#endif
