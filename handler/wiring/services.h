/*
 * services.h - builds the services of the program from the settings: storage, leases, inventory.
 *
 * The handler serves requests with them; leasectl runs an operator's commands.
 *
 * Life         services_load, then services_start. To stop, in this order: services_cancel_waits,
 *              services_cancel_requests, services_stop, services_cleanup. All other threads that
 *              use the services must have ended before services_cleanup.
 * Threads      The two cancel functions may be called from any thread, the others from the owner's.
 */
#ifndef WIRING_SERVICES_H
#define WIRING_SERVICES_H

#include "base/status.h"
#include "http/http_transport.h"
#include "http/platform.h"
#include "identity/sign_in.h"
#include "inventory/inventory_service.h"
#include "inventory/inventory_store_memory.h"
#include "inventory/inventory_store_table.h"
#include "lease/lease_store_blob.h"
#include "lease/lease_wait.h"
#include "settings/app_settings.h"
#include "storage/storage_client.h"

struct services {
    struct app_settings settings; /* may be changed between load and start */
    struct http_transport *transport;
    struct platform platform;
    struct sign_in sign_in;
    struct storage_client storage;
    struct lease_store_blob lease_store;
    struct lease_manager *leases;
    struct inventory_store_table table_store;
    struct inventory_store_memory memory_store;
    struct inventory_service inventory;
};

/*
 * Reads the settings of the working directory and of `environment`, which must outlive the
 * services.
 *
 * STATUS_INVALID_ARGUMENT   a bad setting (exit with EXIT_BAD_SETTING); nothing needs cleanup
 * STATUS_NO_MEMORY          nothing needs cleanup
 */
enum status services_load(struct services *services, char *const *environment,
                          struct error *err) MUST_CHECK;

/*
 * Starts the services; it sends nothing to storage. If it fails the program must end: what was
 * already started is not stopped, except that no `az` is left running.
 */
enum status services_start(struct services *services, struct error *err) MUST_CHECK;

/* Ends all waiting for a lease or a batch. Requests that are past waiting go on. */
void services_cancel_waits(struct services *services);

/* Ends the requests that go on, too, as soon as possible. Nothing more is sent under a lease. */
void services_cancel_requests(struct services *services);

/*
 * Releases every lease, until `deadline_ms` (of the clock) at most. Then it stops the sign-in: no
 * more tokens are fetched, and an `az` that runs is ended, which takes half a second at most.
 */
void services_stop(struct services *services, int64_t deadline_ms);
void services_cleanup(struct services *services);

#endif
