/*
 * main.c - wiring: settings -> parts -> serve -> stop in reverse. Nothing else.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "functions/dispatch.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_memory.h"
#include "inventory/inventory_store_table.h"
#include "lease/lease_manager.h"
#include "lease/lease_store_blob.h"
#include "server/http_server.h"
#include "settings/app_settings.h"
#include "storage/http_transport.h"
#include "storage/sign_in.h"
#include "storage/storage_request.h"

enum {
    SERVER_THREADS = 256, /* a request that waits for its turn keeps one */
    MAX_RESPONSE_BYTES = 64 * 1024 * 1024,
    /* Stopping takes 5 s at most, whatever hangs: requests in hand may finish, then are cut short, then leases are given back. */
    STOP_FINISH_MS = 2500,
    STOP_CUT_SHORT_MS = 1000,
    STOP_RELEASE_MS = 4200,
};

struct app {
    struct app_settings settings;
    const struct clock *clock;
    struct http_transport *transport;
    struct sign_in sign_in;
    struct storage_client storage;
    struct lease_store_blob lease_store;
    struct lease_manager *leases;
    struct inventory_store_table table_store;
    struct inventory_store_memory memory_store;
    struct inventory_service inventory;
    struct dispatch dispatch;
    struct http_server *server;
    pthread_t preparer;
};

static enum status connect_storage(struct app *app, struct error *err) {
    const struct storage_account *account = &app->settings.account;
    enum status status = http_transport_new(&app->transport, app->clock, err);
    if (status == STATUS_OK && app->settings.ca_file != NULL) {
        status = http_transport_set_ca_file(app->transport, app->settings.ca_file);
    }
    if (status == STATUS_OK) {
        status = sign_in_start(&app->sign_in, account, &app->settings.authentication, app->transport, app->clock, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    storage_client_init(&app->storage, app->transport, app->clock, account, app->sign_in.credential);
    lease_store_blob_init(&app->lease_store, &app->storage, &app->settings.lease_store);
    return lease_manager_new(&app->leases, &app->settings.lease, &app->lease_store.base, app->transport, app->clock,
                             err);
}

static enum status open_inventory(struct app *app, struct error *err) {
    struct inventory_store *store = &app->table_store.base;
    enum status status = STATUS_OK;
    if (app->settings.store_kind == STORE_MEMORY) {
        status = inventory_store_memory_init(&app->memory_store, app->clock);
        store = &app->memory_store.base;
    } else {
        inventory_store_table_init(&app->table_store, &app->storage, app->settings.table_name);
    }
    if (status == STATUS_OK) {
        status = inventory_service_init(&app->inventory, store, app->leases, app->clock, &app->settings.inventory,
                                        app->settings.lease.acquire_timeout_ms);
    }
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "opening the inventory");
}

/* Storage may come later than we do: the host wants an answer on its poll, and each request tries again. */
static void *prepare_inventory(void *context) {
    struct app *app = context;
    struct error err;
    enum status status = inventory_service_prepare(&app->inventory, &err);
    if (status != STATUS_OK && status != STATUS_CANCELLED) {
        log_event(LOG_WARNING, "Storage is not ready; requests are answered 503 until it is: %s", err.message);
    }
    return NULL;
}

static enum status serve(struct app *app, struct error *err) {
    struct http_server_options options = {.port = app->settings.port,
                                          .thread_count = SERVER_THREADS,
                                          .max_body_bytes = MAX_INVOCATION_BYTES,
                                          .max_response_bytes = MAX_RESPONSE_BYTES};
    app->dispatch = (struct dispatch){.service = &app->inventory, .route_prefix = app->settings.route_prefix};
    enum status status = http_server_start(&app->server, &options, dispatch_request, &app->dispatch, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (pthread_create(&app->preparer, NULL, prepare_inventory, app) != 0) {
        return error_set(err, STATUS_INTERNAL, "starting a thread");
    }
    log_event(LOG_INFORMATION, "Leasehold listens on 127.0.0.1:%d", http_server_port(app->server));
    return STATUS_OK;
}

static enum status start(struct app *app, struct error *err) {
    app->clock = clock_system();
    enum status status = connect_storage(app, err);
    if (status == STATUS_OK) {
        status = open_inventory(app, err);
    }
    if (status == STATUS_OK) {
        status = serve(app, err);
    }
    return status;
}

/* Lets requests finish, then cuts them short, then gives every lease back. False: some request would not end. */
static bool wind_down(struct app *app) {
    int64_t start_ms = clock_now_ms(app->clock);
    http_server_drain(app->server);
    inventory_service_cancel(&app->inventory);
    lease_manager_cancel_acquires(app->leases);
    bool idle = http_server_wait_idle(app->server, STOP_FINISH_MS);
    lease_manager_cancel_waits(app->leases);
    storage_client_cancel(&app->storage);
    if (!idle) {
        idle = http_server_wait_idle(app->server, STOP_CUT_SHORT_MS);
    }
    int left = lease_manager_close(app->leases, start_ms + STOP_RELEASE_MS);
    if (left > 0) {
        log_event(LOG_WARNING, "%d leases could not be given back; they will run out", left);
    }
    sign_in_stop(&app->sign_in);
    return idle;
}

static void stop(struct app *app) {
    if (!wind_down(app)) {
        log_event(LOG_WARNING, "Stopping although a request is still in hand");
        _exit(EXIT_SUCCESS); /* its thread uses all that would be freed now */
    }
    http_server_stop(app->server);
    pthread_join(app->preparer, NULL);
    inventory_service_release(&app->inventory);
    if (app->settings.store_kind == STORE_MEMORY) {
        inventory_store_memory_release(&app->memory_store);
    } else {
        inventory_store_table_release(&app->table_store);
    }
    http_transport_free(app->transport); /* answers what is still in flight, which the lease manager waits for */
    lease_manager_free(app->leases);
    storage_client_release(&app->storage);
    sign_in_release(&app->sign_in);
    app_settings_release(&app->settings);
}

int main(int argc, char **argv, char **environment) {
    (void)argc, (void)argv;
    static struct app app;
    struct error err;
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGINT);
    sigaddset(&stop_signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop_signals, NULL); /* in every thread: they are waited for below */
    signal(SIGPIPE, SIG_IGN);

    enum status status = app_settings_load(".", environment, &app.settings, &err);
    if (status != STATUS_OK) {
        log_event(LOG_ERROR, "%s", err.message);
        return status == STATUS_INVALID_ARGUMENT ? EXIT_BAD_SETTING : EXIT_FAILURE;
    }
    app.settings.authentication.environment = environment;
    log_configure(app.settings.log_level, app.settings.instance);
    if (start(&app, &err) != STATUS_OK) {
        log_event(LOG_ERROR, "Leasehold cannot start: %s", err.message);
        return EXIT_FAILURE;
    }
    int signal_number = 0;
    sigwait(&stop_signals, &signal_number);
    log_event(LOG_INFORMATION, "Stopping on %s", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
    stop(&app);
    return EXIT_SUCCESS;
}
