#include "inventory/product_read.h"

#include "inventory/inventory.h"

enum { CONSISTENT_READ_TRIES = 5 };

enum status product_read(struct inventory_store *store, const char *product_id, const struct inventory_query *query,
                         struct product_state *state, struct error *err) {
    enum status status = STATUS_OK;
    for (int i = 0; i < CONSISTENT_READ_TRIES; i++) {
        status = store->ops->read(store, product_id, query, state, err);
        if (status != STATUS_OK) {
            return status;
        }
        status = inventory_check(state, err);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
    }
    product_state_cleanup(state);
    return status;
}
