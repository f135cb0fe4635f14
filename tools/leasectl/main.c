/*
 * main.c - leasectl, which shows and changes stock and leases for operators: read the arguments,
 * load the settings, start the services, run one command, stop in reverse order.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard_streams.h"
#include "leasectl/arguments.h"
#include "leasectl/import.h"
#include "leasectl/interrupt.h"
#include "leasectl/leases.h"
#include "leasectl/output.h"
#include "leasectl/products.h"
#include "leasectl/reservations.h"
#include "leasectl/watch.h"
#include "wiring/services.h"

enum { EXIT_REFUSED = 2, STOP_RELEASE_MS = 4200 };

static enum status run_command(struct services *services, const struct arguments *arguments,
                               struct interrupt *interrupt, struct error *err) {
    struct output output = {.json = arguments->json, .on_terminal = isatty(STDOUT_FILENO) == 1};
    switch (arguments->command) {
    case COMMAND_PRODUCTS_LIST:
        return products_list(services, &output, err);
    case COMMAND_PRODUCTS_SET:
        return products_set(services, &output, arguments->name, arguments->number,
                            arguments->version, err);
    case COMMAND_PRODUCTS_ADJUST:
        return products_adjust(services, &output, arguments->name, arguments->number, err);
    case COMMAND_PRODUCTS_ADD:
        return products_add(services, &output, arguments->name, arguments->number, err);
    case COMMAND_PRODUCTS_IMPORT:
        return import_run(services, &output, arguments->name, interrupt, err);
    case COMMAND_SHOW:
        return products_show(services, &output, arguments->name, err);
    case COMMAND_RESERVATIONS_LIST:
        return reservations_list(services, &output, arguments->name, arguments->customer_id, err);
    case COMMAND_RESERVATIONS_CONFIRM:
        return reservations_confirm(services, &output, arguments->name, arguments->reservation_id,
                                    arguments->quantity, err);
    case COMMAND_RESERVATIONS_RELEASE:
        return reservations_release(services, &output, arguments->name, arguments->reservation_id,
                                    arguments->quantity, err);
    case COMMAND_LEASES_LIST:
        return leases_list(services, &output, err);
    case COMMAND_LEASES_BREAK:
        return leases_break(services, &output, arguments->name, err);
    case COMMAND_WATCH:
        return watch_run(services, &output, interrupt, err);
    case COMMAND_HELP:
    case COMMANDS:
        break;
    }
    return error_set(err, STATUS_INTERNAL, "no such command");
}

/*
 * Loads the handler's settings. The log shows only warnings and errors, because other lines would
 * mix with the rows. The store is not prepared here; that is the handler's work.
 */
static enum status load_settings(struct services *services, char *const *environment,
                                 struct error *err) {
    enum status status = services_load(services, environment, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct app_settings *settings = &services->settings;
    if (settings->store_kind == STORE_MEMORY) {
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "Inventory:Store is Memory: the products are in the handler's memory, where "
            "leasectl cannot see them");
    }
    settings->inventory.is_prepared_elsewhere = true;
    log_configure(settings->log_level > LOG_WARNING ? settings->log_level : LOG_WARNING,
                  settings->instance);
    return STATUS_OK;
}

static void stop_services(struct services *services) {
    services_cancel_waits(services);
    services_cancel_requests(services);
    services_stop(services, clock_now_ms(services->platform.clock) + STOP_RELEASE_MS);
    services_cleanup(services);
}

static enum status start_and_run(struct services *services, const struct arguments *arguments,
                                 struct interrupt *interrupt, struct error *err) {
    enum status status = services_start(services, err);
    if (status != STATUS_OK) {
        return status;
    }
    status = interrupt_start(interrupt, services, !arguments->changes_something, err);
    if (status == STATUS_OK) {
        status = run_command(services, arguments, interrupt, err);
        interrupt_stop(interrupt);
    }
    stop_services(services);
    return status;
}

static int report_failure(enum status status, const struct error *err) {
    fprintf(stderr, "leasectl: %s\n", err->message);
    if (status == STATUS_INVALID_ARGUMENT) {
        return EXIT_BAD_SETTING;
    }
    bool refused = status == STATUS_NOT_FOUND || status == STATUS_ALREADY_EXISTS ||
                   status == STATUS_LEASE_CONFLICT || status == STATUS_PRECONDITION_FAILED;
    return refused ? EXIT_REFUSED : EXIT_FAILURE;
}

int main(int argc, char **argv, char **environment) {
    static struct services services;
    static struct interrupt interrupt;
    struct arguments arguments;
    struct error err = {.status = STATUS_OK};
    if (!standard_streams_open()) {
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    interrupt_block(&interrupt);

    enum status status = arguments_parse(argc, argv, &arguments, &err);
    if (status == STATUS_OK && arguments.command == COMMAND_HELP) {
        status = output_text(arguments_help(), &err);
        return status == STATUS_OK ? EXIT_SUCCESS : report_failure(status, &err);
    }
    if (status == STATUS_OK) {
        status = load_settings(&services, environment, &err);
    }
    if (status == STATUS_OK) {
        status = start_and_run(&services, &arguments, &interrupt, &err);
    }
    return status == STATUS_OK ? EXIT_SUCCESS : report_failure(status, &err);
}
