#include "inventory/inventory_store_wait.h"

#include "http/loop_call.h"

/* One operation and its arguments, on the stack of the thread that waits. */
struct waiting {
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
    struct waiting *waiting = context;
    waiting->status = status;
    waiting->failure = *err;
    loop_call_end(&waiting->call);
}

static enum status run(struct waiting *waiting, void (*begin)(void *context), struct error *err) {
    loop_call_run(&waiting->call, waiting->store->platform->loop, begin, waiting);
    if (waiting->status != STATUS_OK && err != NULL) {
        *err = waiting->failure;
    }
    return waiting->status;
}

static void begin_read(void *context) {
    struct waiting *own = context;
    own->store->ops->read(own->store, own->product_id, own->query, own->state, on_ended, own);
}

enum status inventory_store_read_and_wait(struct inventory_store *store, const char *product_id,
                                          const struct inventory_query *query,
                                          struct product_state *out, struct error *err) {
    struct waiting waiting = {
        .store = store, .product_id = product_id, .query = query, .state = out};
    return run(&waiting, begin_read, err);
}

static void begin_add(void *context) {
    struct waiting *own = context;
    table_setup_add((struct inventory_store_table *)own->store, own->product, on_ended, own);
}

enum status inventory_store_add_and_wait(struct inventory_store_table *store,
                                         const struct seed_product *product, struct error *err) {
    struct waiting waiting = {.store = &store->base, .product = product};
    return run(&waiting, begin_add, err);
}

static enum status visit_listed(void *context, const struct product *product, struct error *err) {
    struct waiting *own = context;
    return own->visit(own->visit_context, product, err);
}

static void begin_list(void *context) {
    struct waiting *own = context;
    table_setup_list((struct inventory_store_table *)own->store, visit_listed, on_ended, own);
}

enum status inventory_store_list_and_wait(struct inventory_store_table *store,
                                          table_setup_visitor visit, void *context,
                                          struct error *err) {
    struct waiting waiting = {.store = &store->base, .visit = visit, .visit_context = context};
    return run(&waiting, begin_list, err);
}
