#include "wiring/services.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

enum status services_load(struct services *services, char *const *environment, struct error *err) {
    enum status status = app_settings_load(".", environment, &services->settings, err);
    if (status == STATUS_OK) {
        services->settings.authentication.environment = environment;
    }
    return status;
}

/*
 * After a failure the program ends, so only the sign-in is stopped: its `az` would go on running.
 */
static enum status connect_storage(struct services *services, struct error *err) {
    const struct app_settings *settings = &services->settings;
    enum status status = http_transport_new(&services->transport, clock_system(), err);
    if (status != STATUS_OK) {
        return status;
    }
    services->platform = http_transport_platform(services->transport, random_system());
    if (settings->ca_file != NULL) {
        status = http_transport_set_ca_file(services->transport, settings->ca_file);
        if (status != STATUS_OK) {
            return status;
        }
    }
    status = sign_in_start(&services->sign_in, &settings->account, &settings->authentication,
                           &services->platform, err);
    if (status != STATUS_OK) {
        return status;
    }
    storage_client_init(&services->storage, &services->platform, &settings->account,
                        services->sign_in.credential);
    lease_store_blob_init(&services->lease_store, &services->storage, &settings->lease);
    status = lease_manager_new(&services->leases, &settings->lease, &services->lease_store.base,
                               &services->platform, err);
    if (status != STATUS_OK) {
        sign_in_stop(&services->sign_in);
    }
    return status;
}

static void open_inventory(struct services *services) {
    struct inventory_store *store = &services->table_store.base;
    if (services->settings.store_kind == STORE_MEMORY) {
        inventory_store_memory_init(&services->memory_store, &services->platform);
        store = &services->memory_store.base;
    } else {
        inventory_store_table_init(&services->table_store, &services->storage,
                                   services->settings.table_name);
    }
    inventory_service_init(&services->inventory, &services->platform, store, services->leases,
                           &services->settings.inventory,
                           services->settings.lease.acquire_timeout_ms);
    services->lease_store.wants = inventory_service_wants_lease;
    services->lease_store.context = &services->inventory;
}

enum status services_start(struct services *services, struct error *err) {
    enum status status = connect_storage(services, err);
    if (status == STATUS_OK) {
        open_inventory(services);
    }
    return status;
}

void services_cancel_waits(struct services *services) {
    inventory_service_cancel(&services->inventory);
    lease_manager_cancel_acquires(services->leases);
}

void services_cancel_requests(struct services *services) {
    lease_manager_cancel_waits(services->leases);
    storage_client_cancel(&services->storage);
}

void services_stop(struct services *services, int64_t deadline_ms) {
    int left = lease_manager_close(services->leases, deadline_ms);
    if (left > 0) {
        log_event(LOG_WARNING, "%d leases could not be released; they will expire", left);
    }
    sign_in_stop(&services->sign_in);
}

void services_cleanup(struct services *services) {
    http_transport_stop(services->transport); /* completes the requests that are under way */
    inventory_service_cleanup(&services->inventory);
    if (services->settings.store_kind == STORE_MEMORY) {
        inventory_store_memory_cleanup(&services->memory_store);
    } else {
        inventory_store_table_cleanup(&services->table_store);
    }
    storage_client_cleanup(&services->storage);
    lease_manager_free(services->leases);
    http_transport_free(services->transport);
    sign_in_cleanup(&services->sign_in);
    app_settings_cleanup(&services->settings);
}
