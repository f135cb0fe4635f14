/*
 * main.c - the handler: load the settings, start the services, serve, stop in reverse order.
 */
#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/standard_streams.h"
#include "functions/dispatch.h"
#include "functions/function_table.h"
#include "server/http_server.h"
#include "wiring/services.h"

enum {
    MAX_IN_HAND = 256, /* requests at once; one more is answered 503 */
    OTHER_THREADS = 44,

    /* At most one look-up of a host name for each request (libcurl's threads), and our own. */
    THREADS_NEEDED = MAX_IN_HAND + OTHER_THREADS,
    MAX_RESPONSE_BYTES = 64 * 1024 * 1024,
    REQUEST_TIMEOUT_MS = 30 * 1000,

    /*
     * Stopping takes 5 s at most, whatever hangs. Requests may finish for STOP_FINISH_MS, and are
     * cut short for STOP_CUT_SHORT_MS. Leases are released until STOP_RELEASE_MS after the start.
     */
    STOP_FINISH_MS = 2500,
    STOP_CUT_SHORT_MS = 1000,
    STOP_RELEASE_MS = 4200,

    STAY_MS = 30 * 1000, /* see stay_until_host_ends */
    STAY_POLL_MS = 100,
    LAST_LINE_MS = 300, /* see fail_after_pause */
    READER_MS = 2000,
};

static_assert(2 * MAX_IN_HAND <= STORE_MAX_FAILED_STARTS,
              "each request starts at most two operations in a round of the loop");

struct app {
    struct services services;
    struct dispatch dispatch;
    struct http_server *server;
    struct loop_task prepare;
    struct preparation_waiter preparation;
};

/*
 * The handler may start before storage is reachable: each request tries again to prepare the store.
 */
static void on_prepared(void *context, enum status status, const struct error *err) {
    (void)context;
    if (status == STATUS_CONTAINER_NOT_FOUND) {
        log_event(LOG_ERROR, "%s", err->message);
    } else if (status != STATUS_OK && status != STATUS_CANCELLED) {
        log_event(LOG_WARNING, "Storage is not ready; requests are answered 503 until it is: %s",
                  err->message);
    }
}

static void prepare_inventory(void *context) {
    struct app *app = context;
    app->preparation = (struct preparation_waiter){.done = on_prepared};
    store_preparation_await(&app->services.inventory.preparation, &app->preparation);
}

static enum status serve(struct app *app, struct error *err) {
    struct http_server_options options = {.port = app->services.settings.port,
                                          .max_in_hand = MAX_IN_HAND,
                                          .max_body_bytes = MAX_INVOCATION_BYTES,
                                          .max_response_bytes = MAX_RESPONSE_BYTES,
                                          .request_timeout_ms = REQUEST_TIMEOUT_MS,
                                          .on_refusal = dispatch_refusal};
    struct event_loop *loop = app->services.platform.loop;
    app->dispatch = (struct dispatch){.functions = function_table,
                                      .service = &app->services.inventory,
                                      .random = app->services.platform.random,
                                      .temp_folder = app->services.settings.temp_folder,
                                      .route_prefix = app->services.settings.route_prefix};
    enum status status =
        http_server_start(&app->server, loop, &options, dispatch_request, &app->dispatch, err);
    if (status != STATUS_OK) {
        services_stop(&app->services, clock_now_ms(app->services.platform.clock));
        return status;
    }
    app->prepare = (struct loop_task){.run = prepare_inventory, .context = app};
    event_loop_post(loop, &app->prepare);
    log_event(LOG_INFORMATION, "Leasehold listens on 127.0.0.1:%d", http_server_port(app->server));
    return STATUS_OK;
}

/*
 * Lets requests finish, then cuts them short, then releases every lease. Returns false if a request
 * did not end.
 */
static bool drain_app(struct app *app) {
    int64_t start_ms = clock_now_ms(app->services.platform.clock);
    http_server_drain(app->server);
    services_cancel_waits(&app->services);
    bool idle = http_server_wait_idle(app->server, STOP_FINISH_MS);
    services_cancel_requests(&app->services);
    if (!idle) {
        idle = http_server_wait_idle(app->server, STOP_CUT_SHORT_MS);
    }
    services_stop(&app->services, start_ms + STOP_RELEASE_MS);
    return idle;
}

/*
 * Waits for the host to end, while callers are answered 503. A host that is stopping would start
 * another handler as soon as this one ends, and kill that one while it holds leases.
 *
 * It returns when the host is gone, when another signal comes, or after STAY_MS. (A parent-death
 * signal is no help: .NET starts processes on threads that end before .NET does.)
 */
static void stay_until_host_ends(const struct app *app, const sigset_t *stop_signals, pid_t host) {
    const struct timespec poll_time = {.tv_nsec = STAY_POLL_MS * 1000000L};
    int64_t until_ms = clock_now_ms(app->services.platform.clock) + STAY_MS;
    log_event(LOG_INFORMATION, "Every lease is released; waiting for the host to end");
    while (clock_now_ms(app->services.platform.clock) < until_ms && getppid() == host) {
        if (sigtimedwait(stop_signals, NULL, &poll_time) >= 0) {
            return;
        }
    }
}

static void stop_app(struct app *app, const sigset_t *stop_signals, pid_t host) {
    bool idle = drain_app(app);
    if (app->services.settings.started_by_host) {
        stay_until_host_ends(app, stop_signals, host);
    }
    if (!idle) {
        log_event(LOG_WARNING, "Stopping although a request has not ended");
        _exit(EXIT_SUCCESS); /* its thread uses everything that would be freed now */
    }
    http_server_stop(app->server);
    services_cleanup(&app->services);
}

static void log_failed_start(const struct error *err) {
    if (err->status == STATUS_NO_THREAD) {
        log_event(LOG_ERROR, "Leasehold cannot start: %s. It needs up to %d threads", err->message,
                  THREADS_NEEDED);
    } else {
        log_event(LOG_ERROR, "Leasehold cannot start: %s", err->message);
    }
}

/*
 * Waits before it fails: when a handler fails, the host drops the last lines that it has not read.
 * A host on a busy machine may need longer for that than LAST_LINE_MS.
 */
static int fail_after_pause(int exit_code) {
    standard_streams_await_reader(STDOUT_FILENO, READER_MS);
    standard_streams_await_reader(STDERR_FILENO, READER_MS);
    poll(NULL, 0, LAST_LINE_MS);
    return exit_code;
}

int main(int argc, char **argv, char **environment) {
    (void)argc, (void)argv;
    if (!standard_streams_open()) {
        return EXIT_FAILURE;
    }
    static struct app app;
    struct error err;
    pid_t host = getppid();
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL); /* for every thread; sigwait gets them below */
    signal(SIGPIPE, SIG_IGN);

    enum status status = services_load(&app.services, environment, &err);
    if (status != STATUS_OK) {
        log_event(LOG_ERROR, "%s", err.message);
        return fail_after_pause(status == STATUS_INVALID_ARGUMENT ? EXIT_BAD_SETTING
                                                                  : EXIT_FAILURE);
    }
    log_configure(app.services.settings.log_level, app.services.settings.instance);
    if (services_start(&app.services, &err) != STATUS_OK || serve(&app, &err) != STATUS_OK) {
        log_failed_start(&err);
        return fail_after_pause(EXIT_FAILURE);
    }
    int signal_number = 0;
    sigwait(&stop_signals, &signal_number);
    log_event(LOG_INFORMATION, "Stopping on %s", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
    stop_app(&app, &stop_signals, host);
    return EXIT_SUCCESS;
}
