#include "inventory/product_read.h"

#include "inventory/inventory.h"
#include "inventory/store_operation.h"

enum { MAX_TRIES = 5 };

struct checked_read {
    struct store_operation base;
    struct inventory_store *store;
    const char *product_id;
    struct inventory_query query;
    struct product_state *out;
    int tries;
};

static void on_read(void *context, enum status status, const struct error *err);

static void read_once(struct checked_read *read) {
    read->tries++;
    read->store->ops->read(read->store, read->product_id, &read->query, read->out, on_read, read);
}

static void on_read(void *context, enum status status, const struct error *err) {
    struct checked_read *read = context;
    const struct reservation_visitor *visitor = read->query.visitor;
    int64_t units = visitor == NULL ? read->out->reservations.units : visitor->units;
    struct error contradiction;
    if (status != STATUS_OK || inventory_check(read->out, units, &contradiction) == STATUS_OK) {
        store_operation_end(&read->base, status, err);
    } else if (read->tries < MAX_TRIES) {
        read_once(read);
    } else {
        product_state_cleanup(read->out);
        store_operation_end(&read->base, STATUS_MALFORMED, &contradiction);
    }
}

void product_read(struct inventory_store *store, const char *product_id,
                  const struct inventory_query *query, struct product_state *out,
                  inventory_store_done done, void *context) {
    struct checked_read *read = store_operation_new(store, sizeof *read, done, context);
    if (read == NULL) {
        product_state_cleanup(out);
        return;
    }
    read->store = store;
    read->product_id = product_id;
    read->query = *query;
    read->out = out;
    read_once(read);
}
