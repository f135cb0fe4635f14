#include "wiring/parts.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

enum status parts_load(struct parts *parts, char *const *environment, struct error *err) {
    enum status status = app_settings_load(".", environment, &parts->settings, err);
    if (status == STATUS_OK) {
        parts->settings.authentication.environment = environment;
    }
    return status;
}

static enum status connect_storage(struct parts *parts, struct error *err) {
    const struct storage_account *account = &parts->settings.account;
    enum status status = http_transport_new(&parts->transport, clock_system(), err);
    if (status == STATUS_OK) {
        parts->platform = http_transport_platform(parts->transport, random_system());
    }
    if (status == STATUS_OK && parts->settings.ca_file != NULL) {
        status = http_transport_set_ca_file(parts->transport, parts->settings.ca_file);
    }
    if (status == STATUS_OK) {
        status = sign_in_start(&parts->sign_in, account, &parts->settings.authentication,
                               &parts->platform, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    storage_client_init(&parts->storage, &parts->platform, account, parts->sign_in.credential);
    lease_store_blob_init(&parts->lease_store, &parts->storage, &parts->settings.lease_store);
    status = lease_manager_new(&parts->leases, &parts->settings.lease, &parts->lease_store.base,
                               &parts->platform, err);
    if (status != STATUS_OK) {
        sign_in_stop(&parts->sign_in);
    }
    return status;
}

static void open_inventory(struct parts *parts) {
    struct inventory_store *store = &parts->table_store.base;
    if (parts->settings.store_kind == STORE_MEMORY) {
        inventory_store_memory_init(&parts->memory_store, &parts->platform);
        store = &parts->memory_store.base;
    } else {
        inventory_store_table_init(&parts->table_store, &parts->storage,
                                   parts->settings.table_name);
    }
    inventory_service_init(&parts->inventory, &parts->platform, store, parts->leases,
                           &parts->settings.inventory, parts->settings.lease.acquire_timeout_ms);
    parts->lease_store.is_wanted = inventory_service_wants_lease;
    parts->lease_store.context = &parts->inventory;
}

enum status parts_start(struct parts *parts, struct error *err) {
    enum status status = connect_storage(parts, err);
    if (status == STATUS_OK) {
        open_inventory(parts);
    }
    return status;
}

void parts_cancel_turns(struct parts *parts) {
    inventory_service_cancel(&parts->inventory);
    lease_manager_cancel_acquires(parts->leases);
}

void parts_cancel_requests(struct parts *parts) {
    lease_manager_cancel_waits(parts->leases);
    storage_client_cancel(&parts->storage);
}

void parts_close(struct parts *parts, int64_t deadline_ms) {
    int left = lease_manager_close(parts->leases, deadline_ms);
    if (left > 0) {
        log_event(LOG_WARNING, "%d leases could not be given back; they will run out", left);
    }
    sign_in_stop(&parts->sign_in);
}

void parts_release(struct parts *parts) {
    http_transport_stop(parts->transport); /* answers what is still in flight */
    inventory_service_cleanup(&parts->inventory);
    if (parts->settings.store_kind == STORE_MEMORY) {
        inventory_store_memory_release(&parts->memory_store);
    } else {
        inventory_store_table_release(&parts->table_store);
    }
    storage_client_release(&parts->storage);
    lease_manager_free(parts->leases);
    http_transport_free(parts->transport);
    sign_in_release(&parts->sign_in);
    app_settings_release(&parts->settings);
}
