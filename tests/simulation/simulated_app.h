/*
 * simulated_app.h - instances of the app in a simulated world: from the function table's entry down
 * to the network, the code that ships.
 *
 * An instance is what wiring/services.c puts together, on a simulated process and network in place
 * of the machine's. When it ends, by a crash or as it should, it is started anew.
 */
#ifndef SIMULATION_SIMULATED_APP_H
#define SIMULATION_SIMULATED_APP_H

#include "functions/dispatch.h"
#include "identity/token_cache.h"
#include "identity/token_source.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_table.h"
#include "lease/lease_store_blob.h"
#include "simulation/simulated_network.h"
#include "storage/storage_client.h"

/* What is the same for all instances. */
struct simulated_app_options {
    const struct storage_account *account;
    struct leasehold_options lease;
    struct inventory_options inventory;
    const char *table_name;
    bool uses_tokens; /* to sign in, in place of the account's key */
};

enum simulated_app_state { SIMULATED_APP_ENDED, SIMULATED_APP_RUNNING, SIMULATED_APP_STOPPING };

struct simulated_app {
    struct simulation *simulation;
    struct simulated_network *network;
    const struct simulated_app_options *options;
    int number;     /* 1, 2, ... */
    bool is_spared; /* no fault strikes it */
    int started;    /* how often */
    uint64_t seed;
    enum simulated_app_state state;

    /* Of the present process. */
    struct simulated_process process;
    struct simulated_client client;
    struct platform platform;
    struct storage_client storage;
    struct lease_store_blob lease_store;
    struct lease_manager *leases;
    struct inventory_store_table store;
    struct inventory_service inventory;
    struct dispatch dispatch;
    struct preparation_waiter preparation;
    struct token_source_imds imds;
    struct token_cache tokens;

    struct credential_shared_key credential; /* of all its processes, but for the text in it */
    struct simulated_event strike, start, stop;
    uint64_t struck; /* the faults that are about to strike, a bit each */
    void (*ended)(void *context, struct simulated_app *app); /* its requests will not be answered */
    void *context;
};

/* Starts the first process. */
void simulated_app_init(struct simulated_app *app, struct simulated_network *network,
                        const struct simulated_app_options *options, int number, bool is_spared,
                        uint64_t seed);
void simulated_app_cleanup(struct simulated_app *app);

/*
 * Hands a request to the app, which answers it as http_inbound.h says; if the process ends first,
 * never.
 */
void simulated_app_request(struct simulated_app *app, struct http_inbound *inbound);

/* The same for a request of an operator's, whose `done` is called in the process. */
void simulated_app_submit(struct simulated_app *app, struct inventory_request *request);

/* A fault of processes strikes: soon, but not inside this call. */
void simulated_app_strike(struct simulated_app *app, enum simulated_fault fault);

#endif
