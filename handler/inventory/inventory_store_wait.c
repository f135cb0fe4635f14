#include "inventory/inventory_store_wait.h"

#include "http/loop_call.h"

/*
 * One operation, with the arguments of all three. It is on the stack of the thread that waits.
 */
struct waited_call {
    struct loop_call call;
    struct inventory_store *store;
    const struct seed_product *product;
    table_setup_visitor visit;
    void *visit_context;
    const char *product_id;
    const struct inventory_query *query;
    struct product_state *state;
    enum status status;
    struct error failure;
};

static void on_ended(void *context, enum status status, const struct error *err) {
    struct waited_call *waited = context;
    waited->status = status;
    waited->failure = *err;
    loop_call_end(&waited->call);
}

static enum status run_and_wait(struct waited_call *waited, void (*begin)(void *context),
                                struct error *err) {
    loop_call_run(&waited->call, waited->store->platform->loop, begin, waited);
    if (waited->status != STATUS_OK && err != NULL) {
        *err = waited->failure;
    }
    return waited->status;
}

static void begin_read(void *context) {
    struct waited_call *waited = context;
    waited->store->ops->read(waited->store, waited->product_id, waited->query, waited->state,
                             on_ended, waited);
}

enum status inventory_store_read_and_wait(struct inventory_store *store, const char *product_id,
                                          const struct inventory_query *query,
                                          struct product_state *out, struct error *err) {
    struct waited_call waited = {
        .store = store, .product_id = product_id, .query = query, .state = out};
    return run_and_wait(&waited, begin_read, err);
}

static void begin_add(void *context) {
    struct waited_call *waited = context;
    table_setup_add((struct inventory_store_table *)waited->store, waited->product, on_ended,
                    waited);
}

enum status inventory_store_add_and_wait(struct inventory_store_table *store,
                                         const struct seed_product *product, struct error *err) {
    struct waited_call waited = {.store = &store->base, .product = product};
    return run_and_wait(&waited, begin_add, err);
}

static enum status visit_listed(void *context, const struct product *product, struct error *err) {
    struct waited_call *waited = context;
    return waited->visit(waited->visit_context, product, err);
}

static void begin_list(void *context) {
    struct waited_call *waited = context;
    table_setup_list((struct inventory_store_table *)waited->store, visit_listed, on_ended, waited);
}

enum status inventory_store_list_and_wait(struct inventory_store_table *store,
                                          table_setup_visitor visit, void *context,
                                          struct error *err) {
    struct waited_call waited = {.store = &store->base, .visit = visit, .visit_context = context};
    return run_and_wait(&waited, begin_list, err);
}
