#include "support/processes/lease_handler.h"
#include "lease/lease_options.h"

#include <check.h>
#include <stdio.h>

void lease_handler_start(struct lease_handler *handler, const char *connection_string,
                         const char *container) {
    struct error err;
    storage_connection_open(&handler->storage, connection_string);
    static const struct leasehold_metadata metadata = {"Site", "north"};
    handler->options = lease_options_default();
    handler->options.container = container;
    handler->options.metadata = &metadata;
    handler->options.metadata_count = 1;
    handler->options.duration_s = 15;
    handler->options.renew_interval_ms = 300;
    handler->options.renew_retry_ms = 50;
    handler->options.safety_threshold = 0.5;
    lease_store_blob_init(&handler->store, &handler->storage.client, &handler->options);
    ck_assert_int_eq(lease_manager_new(&handler->manager, &handler->options, &handler->store.base,
                                       &handler->storage.platform, &err),
                     STATUS_OK);
}

void lease_handler_stop(struct lease_handler *handler) {
    int64_t deadline_ms = clock_now_ms(clock_system()) + LEASE_HANDLER_PATIENCE_MS;
    ck_assert_int_eq(lease_manager_close(handler->manager, deadline_ms), 0);
    storage_connection_close(&handler->storage);
    lease_manager_free(handler->manager);
}

struct lease *lease_handler_acquire(struct lease_handler *handler,
                                    const struct leasehold_request *request) {
    struct lease *lease = NULL;
    struct error err;
    enum status status = lease_manager_acquire(handler->manager, request, &lease, &err);
    ck_assert_msg(status == STATUS_OK, "%s: %s", request->name,
                  status == STATUS_OK ? "" : err.message);
    return lease;
}
