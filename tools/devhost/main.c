/*
 * devhost - a stand-in for the Azure Functions host while developing: starts the app's custom
 * handler and invokes its functions as the host does. See --help.
 *
 * The main thread takes all signals and looks after the handler; everything else runs on the
 * callers' and the timers' threads. docs/devhost.md lists what differs from the host.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/standard_streams.h"
#include "devhost/console.h"
#include "devhost/front_server.h"
#include "devhost/handler_client.h"
#include "devhost/handler_process.h"
#include "devhost/host_config.h"
#include "devhost/http_front.h"
#include "devhost/invoker.h"
#include "devhost/timers.h"

enum {
    DEFAULT_PORT = 7071,
    STEP_MS =
        /* how often a handler that is starting is asked whether it is ready (WorkerConstants) */
    25,
    HANDLER_STOP_MS = 5000, /* for the leases to be released */
    ANSWERS_MS = 1000       /* for the last answers to reach their callers */
};

struct options {
    const char *folder;
    const char *handler; /* NULL: host.json's */
    const char *shape;   /* NULL: host.json's */
    const char *state;   /* NULL: nothing is kept */
    int port;
};

struct host {
    struct host_config config;
    struct handler_client *client;
    struct handler_process *process;
    struct invoker invoker;
    struct timers *timers;
    struct http_front front;
    struct front_server *server;
};

static const char help[] =
    "Runs a function app with a custom handler, as `func start` does.\n"
    "\n"
    "  devhost [options]\n"
    "\n"
    "  --app DIR        the app's folder, with host.json (default: the current one)\n"
    "  --port PORT      listen on 127.0.0.1:PORT (default: 7071; 0: any free one)\n"
    "  --shape SHAPE    how HTTP requests reach the handler: proxy, forward or invocation\n"
    "                   (default: what host.json says)\n"
    "  --handler PATH   the executable (default: what host.json says)\n"
    "  --state DIR      where the timers' last and next times are kept, so that a run that is "
    "missed\n"
    "                   is made up for (default: nowhere)\n"
    "  --help           this\n"
    "\n"
    "POST /admin/functions/NAME fires a timer at once.\n";

/* Options */

static bool parse_port(const char *text, int *out) {
    char *end;
    errno = 0;
    long port = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || port < 0 || port > 65535) {
        return false;
    }
    *out = (int)port;
    return true;
}

/* False: devhost ends with *exit_code. */
static bool parse_options(int argc, char **argv, struct options *out, int *exit_code) {
    static const struct option known[] = {{"app", required_argument, NULL, 'a'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"shape", required_argument, NULL, 's'},
                                          {"handler", required_argument, NULL, 'e'},
                                          {"state", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *exit_code = EX_USAGE;
    for (int option; (option = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        if (option == 'a') {
            out->folder = optarg;
        } else if (option == 's') {
            out->shape = optarg;
        } else if (option == 't') {
            out->state = optarg;
        } else if (option == 'e') {
            out->handler = optarg;
        } else if (option == 'p' && !parse_port(optarg, &out->port)) {
            fprintf(stderr, "devhost: --port is 0 to 65535, not '%s'\n", optarg);
            return false;
        } else if (option == 'h') {
            fputs(help, stdout);
            *exit_code = EXIT_SUCCESS;
            return false;
        } else if (option == '?') {
            fputs("Try devhost --help\n", stderr);
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "devhost: what is '%s'? Try devhost --help\n", argv[optind]);
        return false;
    }
    return true;
}

static enum status load_config(struct host_config *out, const struct options *options,
                               struct error *err) {
    enum status status = host_config_load(out, options->folder, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (options->shape != NULL && !host_shape_parse(options->shape, &out->shape)) {
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "--shape is proxy, forward or invocation, not '%s'", options->shape);
    }
    if (options->handler != NULL) {
        free(out->executable);
        out->executable = realpath(options->handler, NULL);
        if (out->executable == NULL) {
            return error_set(err, STATUS_NOT_FOUND, "--handler %s: %s", options->handler,
                             strerror(errno));
        }
    }
    return STATUS_OK;
}

/* What it tells when it is up */

static void print_function(const struct host_function *function, int port) {
    if (function->trigger == HOST_TRIGGER_TIMER) {
        printf("\t%s: timerTrigger %s\n\n", function->name, function->schedule_text);
        return;
    }
    printf("\t%s: [", function->name);
    for (size_t i = 0; i < function->method_count; i++) {
        printf("%s%s", i > 0 ? "," : "", function->methods[i]);
    }
    printf("] http://localhost:%d/%s\n\n", port, function->route);
}

static void print_functions(const struct host_config *config, int port) {
    flockfile(stdout);
    printf("\nFunctions:\n\n");
    for (size_t i = 0; i < config->function_count; i++) {
        if (!config->functions[i].is_disabled) {
            print_function(&config->functions[i], port);
        }
    }
    fflush(stdout);
    funlockfile(stdout);
}

/* Signals */

static void block_signals(sigset_t *out) {
    sigemptyset(out);
    sigaddset(out, SIGINT);
    sigaddset(out, SIGTERM);
    sigaddset(out, SIGHUP);
    sigaddset(out, SIGCHLD);
    sigaddset(out, SIGUSR1); /* from handler_process_ask_restart */
    pthread_sigmask(SIG_BLOCK, out, NULL);
}

/* Looks after the handler until it is no longer in `state`. False: a signal asks us to end. */
static bool attend(struct handler_process *process, const sigset_t *signals,
                   enum handler_state state) {
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    enum handler_state now;
    while ((now = handler_process_step(process)) == state) {
        int signal = now == HANDLER_STARTING ? sigtimedwait(signals, NULL, &step)
                                             : sigwaitinfo(signals, NULL);
        if (signal > 0 && signal != SIGCHLD && signal != SIGUSR1) {
            return false;
        }
    }
    return true;
}

/* From start to end */

static enum status start_parts(struct host *host, const struct options *options,
                               struct error *err) {
    front_server_raise_limit();
    host->client = handler_client_new();
    if (host->client == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory");
    }
    enum status status = handler_process_new(&host->process, &host->config, host->client, err);
    invoker_init(&host->invoker, &host->config, host->process, host->client);
    if (status == STATUS_OK) {
        status = timers_new(&host->timers, &host->config, &host->invoker, options->state, err);
    }
    host->front = (struct http_front){.invoker = &host->invoker, .timers = host->timers};
    return status;
}

static enum status start_serving(struct host *host, int port, struct error *err) {
    enum status status =
        front_server_start(&host->server, port, http_front_answer, &host->front, err);
    if (status != STATUS_OK) {
        return status;
    }
    print_functions(&host->config, front_server_port(host->server));
    return timers_start(host->timers, err);
}

/* Serves until a signal or the handler ends it. */
static int serve(struct host *host, const struct options *options, const sigset_t *signals) {
    struct error err;
    if (!attend(host->process, signals, HANDLER_STARTING)) {
        return EXIT_SUCCESS;
    }
    if (handler_process_step(host->process) == HANDLER_FAILED) {
        return EXIT_FAILURE;
    }
    if (start_serving(host, options->port, &err) != STATUS_OK) {
        console_print(LOG_ERROR, "%s", err.message);
        return EXIT_FAILURE;
    }
    enum handler_state state;
    while ((state = handler_process_step(host->process)) != HANDLER_FAILED) {
        if (!attend(host->process, signals, state)) {
            return EXIT_SUCCESS;
        }
    }
    return EXIT_FAILURE;
}

/* Everything that started ends, the callers' side first. */
static void end(struct host *host) {
    if (host->server != NULL) {
        front_server_drain(host->server);
    }
    if (host->timers != NULL) {
        timers_stop(host->timers);
    }
    if (host->process != NULL) {
        handler_process_stop(host->process, HANDLER_STOP_MS);
        invoker_stop(&host->invoker);
    }
    front_server_stop(host->server, ANSWERS_MS);
    timers_free(host->timers);
    if (host->client != NULL) {
        invoker_cleanup(&host->invoker);
    }
    handler_process_free(host->process);
    handler_client_free(host->client);
    host_config_cleanup(&host->config);
}

int main(int argc, char **argv) {
    struct options options = {.folder = ".", .port = DEFAULT_PORT};
    int exit_code;
    if (!standard_streams_open()) {
        return EXIT_FAILURE;
    }
    if (!parse_options(argc, argv, &options, &exit_code)) {
        return exit_code;
    }
    log_configure(LOG_WARNING, "devhost");
    sigset_t signals;
    block_signals(&signals);
    struct host host = {0};
    struct error err;
    enum status status = load_config(&host.config, &options, &err);
    if (status == STATUS_OK) {
        status = start_parts(&host, &options, &err);
    }
    if (status == STATUS_OK) {
        exit_code = serve(&host, &options, &signals);
    } else {
        console_print(LOG_ERROR, "%s", err.message);
        exit_code = EXIT_FAILURE;
    }
    end(&host);
    return exit_code;
}
