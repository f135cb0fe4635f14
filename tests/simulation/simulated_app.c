#include "simulation/simulated_app.h"

#include <stdio.h>
#include <stdlib.h>

#include "functions/function_table.h"

enum {
    LEAST_DOWN_US = 10 * 1000,
    MOST_DOWN_US = 20 * 1000 * 1000,
    LEAST_SUSPENDED_US = 5 * 1000 * 1000,
    MOST_SUSPENDED_US = 90 * 1000 * 1000,
    MOST_JUMP_MS = 3600 * 1000,
    MOST_DRIFT_PPM = 400, /* a clock may be that wrong and still be steered (RFC 5905: 500) */
    /* How main.c stops. */
    STOP_FINISH_US = 2500 * 1000,
    STOP_CLOSE_US = 1000, /* the main thread sees that all is answered */
    STOP_RELEASE_MS = 4200,
};

static void on_prepared(void *context, enum status status, const struct error *err) {
    struct simulated_app *app = context;
    simulation_tell(
        app->simulation, app->process.name, "the store is %s%s",
        status == STATUS_OK ? "ready" : "not ready: ", status == STATUS_OK ? "" : err->message);
}

static struct credential *sign_in(struct simulated_app *app) {
    if (!app->options->uses_tokens) {
        strbuf_init(&app->credential.text,
                    app->credential.text.max_bytes); /* the process before took its memory along */
        return &app->credential.base;
    }
    token_source_imds_init(&app->imds, SIMULATED_IDENTITY_HOST, NULL, false);
    token_cache_init(&app->tokens, &app->imds.http.base, &app->platform);
    token_cache_start(&app->tokens);
    return &app->tokens.base;
}

/* As wiring/services.c does it. */
static void build(struct simulated_app *app) {
    const struct simulated_app_options *options = app->options;
    app->platform = (struct platform){.clock = &app->process.clock,
                                      .loop = &app->process.loop,
                                      .http = &app->client.base,
                                      .random = &app->process.random.base};
    storage_client_init(&app->storage, &app->platform, options->account, sign_in(app));
    lease_store_blob_init(&app->lease_store, &app->storage, &options->lease);
    struct error err;
    if (lease_manager_new(&app->leases, &options->lease, &app->lease_store.base, &app->platform,
                          &err) != STATUS_OK) {
        abort();
    }
    inventory_store_table_init(&app->store, &app->storage, options->table_name);
    inventory_service_init(&app->inventory, &app->platform, &app->store.base, app->leases,
                           &options->inventory, options->lease.acquire_timeout_ms);
    app->lease_store.wants = inventory_service_wants_lease;
    app->lease_store.context = &app->inventory;
    app->dispatch = (struct dispatch){.functions = function_table,
                                      .service = &app->inventory,
                                      .random = &app->process.random.base,
                                      .route_prefix = "api"};
    app->preparation = (struct preparation_waiter){.done = on_prepared, .context = app};
    store_preparation_await(&app->inventory.preparation, &app->preparation);
}

static void start(void *context) {
    struct simulated_app *app = context;
    char name[32];
    app->started++;
    snprintf(name, sizeof name, "app %d.%d", app->number, app->started);
    simulated_process_start(&app->process, app->simulation, name,
                            app->seed + (uint64_t)app->started);
    struct simulated_random *random = &app->process.random;
    app->process.clock_ahead_ms = simulated_random_below(random, 1000 * 1000);
    app->process.wall_ahead_ms = simulated_random_below(random, 2000) - 1000;
    app->process.drift_ppm =
        simulated_random_below(random, 2 * MOST_DRIFT_PPM + 1) - MOST_DRIFT_PPM;
    simulated_client_init(&app->client, app->network, &app->process);
    app->client.is_spared = app->is_spared;
    app->state = SIMULATED_APP_RUNNING;
    simulation_tell(app->simulation, app->process.name, "starts");
    simulated_process_enter(&app->process);
    build(app);
    simulated_process_leave(&app->process);
}

/* Nothing of the process is left; another is started after a while. */
static void end(struct simulated_app *app) {
    app->state = SIMULATED_APP_ENDED;
    simulation_cancel(app->simulation, &app->stop);
    simulated_client_forget(&app->client);
    pthread_mutex_destroy(&app->storage.lock);
    simulated_process_crash(&app->process);
    app->ended(app->context, app);
    simulation_schedule(app->simulation, &app->start,
                        app->simulation->now_us + simulated_random_spread(&app->process.random,
                                                                          LEAST_DOWN_US,
                                                                          MOST_DOWN_US));
}

/* ---- an orderly stop, as main.c and wiring/services.c do it ---- */

static void on_closed(void *context, int unreleased) {
    struct simulated_app *app = context;
    simulation_tell(app->simulation, app->process.name, "has stopped; %d leases were not released",
                    unreleased);
    simulated_app_strike(app, SIMULATED_CRASH_SENT); /* nothing is left to do but to end */
}

static void go_on_to(struct simulated_app *app, void (*stage)(void *context), int64_t wait_us) {
    app->stop.happen = stage;
    simulation_schedule(app->simulation, &app->stop, app->simulation->now_us + wait_us);
}

/* Returns false if it is suspended: then the stage comes again when it is awake. */
static bool is_awake(struct simulated_app *app) {
    int64_t awake_us = simulated_process_awake_us(&app->process, app->simulation->now_us);
    bool is_awake = awake_us <= app->simulation->now_us;
    if (!is_awake) {
        simulation_schedule(app->simulation, &app->stop, awake_us);
    }
    return is_awake;
}

static void close_leases(void *context) {
    struct simulated_app *app = context;
    if (is_awake(app)) {
        simulated_process_enter(&app->process);
        int64_t for_ms = STOP_RELEASE_MS - (STOP_FINISH_US + STOP_CLOSE_US) / SIMULATION_US;
        lease_manager_close_start(app->leases, clock_now_ms(&app->process.clock) + for_ms,
                                  on_closed, app);
        simulated_process_leave(&app->process);
    }
}

/* Requests that are cut short end in the loop's next rounds, with their leases in hand. */
static void cut_short(void *context) {
    struct simulated_app *app = context;
    if (is_awake(app)) {
        simulated_process_enter(&app->process);
        lease_manager_cancel_waits(app->leases);
        storage_client_cancel(&app->storage);
        simulated_process_leave(&app->process);
        go_on_to(app, close_leases, STOP_CLOSE_US);
    }
}

static void begin_stop(struct simulated_app *app) {
    app->state = SIMULATED_APP_STOPPING;
    simulated_process_enter(&app->process);
    product_queues_close(&app->inventory.queues);
    lease_manager_cancel_acquires(app->leases);
    simulated_process_leave(&app->process);
    go_on_to(app, cut_short, STOP_FINISH_US);
}

/* ---- faults ---- */

static void suspend(struct simulated_app *app) {
    int64_t for_us =
        simulated_random_spread(&app->process.random, LEAST_SUSPENDED_US, MOST_SUSPENDED_US);
    simulation_tell(app->simulation, app->process.name, "is suspended for %lld ms",
                    (long long)for_us / SIMULATION_US);
    simulated_process_suspend(&app->process, app->simulation->now_us + for_us);
}

static void jump_clock(struct simulated_app *app) {
    app->process.wall_ahead_ms =
        simulated_random_below(&app->process.random, 2 * MOST_JUMP_MS) - MOST_JUMP_MS;
    simulation_tell(app->simulation, app->process.name,
                    "has a wall clock that is now wrong by %lld ms",
                    (long long)app->process.wall_ahead_ms);
}

static void cut_off(struct simulated_app *app) {
    app->client.cut_off_until_us =
        app->simulation->now_us +
        simulated_random_spread(&app->process.random, LEAST_SUSPENDED_US, MOST_SUSPENDED_US);
    simulation_tell(app->simulation, app->process.name, "is cut off from storage until %lld ms",
                    (long long)app->client.cut_off_until_us / SIMULATION_US);
}

static void crash(struct simulated_app *app) {
    simulation_tell(app->simulation, app->process.name, "ends");
    end(app);
}

static void stop_once(struct simulated_app *app) {
    if (app->state == SIMULATED_APP_RUNNING) {
        simulation_tell(app->simulation, app->process.name, "is told to stop");
        begin_stop(app);
    }
}

static void (*const strikes[SIMULATED_FAULTS])(struct simulated_app *app) = {
    [SIMULATED_CRASH_BEFORE] = crash,    [SIMULATED_CRASH_SENT] = crash,
    [SIMULATED_CRASH_AFTER] = crash,     [SIMULATED_SUSPEND] = suspend,
    [SIMULATED_JUMP_CLOCK] = jump_clock, [SIMULATED_CUT_OFF] = cut_off,
    [SIMULATED_STOP] = stop_once,
};

static void strike(void *context) {
    struct simulated_app *app = context;
    uint64_t struck = app->struck;
    app->struck = 0;
    for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
        bool is_struck = (struck >> fault & 1) != 0;
        if (is_struck && strikes[fault] != NULL && app->state != SIMULATED_APP_ENDED) {
            strikes[fault](app);
        }
    }
}

void simulated_app_strike(struct simulated_app *app, enum simulated_fault fault) {
    app->struck |= UINT64_C(1) << fault;
    simulation_schedule(app->simulation, &app->strike, app->simulation->now_us);
}

/* ---- requests ---- */

void simulated_app_request(struct simulated_app *app, struct http_inbound *inbound) {
    simulated_process_enter(&app->process);
    dispatch_request(&app->dispatch, inbound);
    simulated_process_leave(&app->process);
}

void simulated_app_submit(struct simulated_app *app, struct inventory_request *request) {
    simulated_process_enter(&app->process);
    inventory_service_submit(&app->inventory, request);
    simulated_process_leave(&app->process);
}

void simulated_app_init(struct simulated_app *app, struct simulated_network *network,
                        const struct simulated_app_options *options, int number, bool is_spared,
                        uint64_t seed) {
    struct error err;
    *app = (struct simulated_app){.simulation = network->simulation,
                                  .network = network,
                                  .options = options,
                                  .number = number,
                                  .is_spared = is_spared,
                                  .seed = seed};
    app->strike = (struct simulated_event){.happen = strike, .context = app};
    app->start = (struct simulated_event){.happen = start, .context = app};
    app->stop = (struct simulated_event){.context = app};
    if (credential_shared_key_init(&app->credential, options->account, &err) != STATUS_OK) {
        abort();
    }
    start(app);
}

void simulated_app_cleanup(struct simulated_app *app) {
    simulation_cancel(app->simulation, &app->strike);
    simulation_cancel(app->simulation, &app->start);
    simulation_cancel(app->simulation, &app->stop);
    if (app->state != SIMULATED_APP_ENDED) {
        simulated_client_forget(&app->client);
        pthread_mutex_destroy(&app->storage.lock);
        simulated_process_crash(&app->process);
    }
    strbuf_init(&app->credential.text, app->credential.text.max_bytes);
    credential_shared_key_cleanup(&app->credential);
}
