/*
 * services.h - the services between the settings and whoever uses them, put together: storage, leases, inventory.
 *
 * The handler serves requests with them, leasectl an operator's commands.
 *
 * Life         load, start; then stopping, in this order: cancel_turns, cancel_requests, close, release. What runs meanwhile on other
 *              threads has ended before release.
 * Threads: load, start, close and release belong to the owner; the cancels may be called from any thread.
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
#include "storage/storage_request.h"

struct services {
    struct app_settings settings; /* may be amended between load and start */
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
 * Reads the settings of the working directory and of `environment`, which must outlive the services.
 * STATUS_INVALID_ARGUMENT (EXIT_BAD_SETTING), STATUS_NO_MEMORY: nothing to release.
 */
enum status parts_load(struct services *services, char *const *environment,
                       struct error *err) MUST_CHECK;

/*
 * Sends nothing to storage yet. A failure is the end of the program: it leaves what it had started,
 * but no az.
 */
enum status services_start(struct services *services, struct error *err) MUST_CHECK;

/* Nobody waits for a turn or a lease any more; what is in hand goes on. */
void parts_cancel_turns(struct services *services);

/* What is in hand ends as soon as it can: no more work under a lease, no more requests. */
void parts_cancel_requests(struct services *services);

/*
 * Gives every lease back, until `deadline_ms` on the clock at most. Then stops the sign-in: no more
 * tokens are fetched, and an az that runs is ended, which takes half a second at most.
 */
void services_close(struct services *services, int64_t deadline_ms);
void services_cleanup(struct services *services);

#endif
