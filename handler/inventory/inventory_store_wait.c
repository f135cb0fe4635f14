#include "inventory/inventory_store_wait.h"

#include "http/loop_call.h"

/* One operation and its arguments, on the stack of the thread that waits. */
struct waiting {
    struct loop_call call;
    struct inventory_store *store;
    const struct seed_product *seeds;
    size_t seed_count;
    table_setup_visitor visit;
    void *visit_context;
    const char *product_id;
    const struct inventory_query *query;
    struct product_state *state;
    const char *key_hash;
    struct idempotency_record *out_record;
    int64_t time_ms; /* commit: the deadline; find_due, finish_due: now */
    struct product_ids *out_products;
    int *out_count;
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

static void begin_prepare(void *context) {
    struct waiting *own = context;
    own->store->ops->prepare(own->store, own->seeds, own->seed_count, on_ended, own);
}

enum status inventory_store_prepare_and_wait(struct inventory_store *store, const struct seed_product *seeds,
                                             size_t count, struct error *err) {
    struct waiting waiting = {.store = store, .seeds = seeds, .seed_count = count};
    return run(&waiting, begin_prepare, err);
}

static void begin_read(void *context) {
    struct waiting *own = context;
    own->store->ops->read(own->store, own->product_id, own->query, own->state, on_ended, own);
}

enum status inventory_store_read_and_wait(struct inventory_store *store, const char *product_id,
                                          const struct inventory_query *query, struct product_state *out,
                                          struct error *err) {
    struct waiting waiting = {.store = store, .product_id = product_id, .query = query, .state = out};
    return run(&waiting, begin_read, err);
}

static void begin_find_record(void *context) {
    struct waiting *own = context;
    own->store->ops->find_record(own->store, own->product_id, own->key_hash, own->out_record, on_ended, own);
}

enum status inventory_store_find_record_and_wait(struct inventory_store *store, const char *product_id,
                                                 const char *key_hash, struct idempotency_record *out,
                                                 struct error *err) {
    struct waiting waiting = {.store = store, .product_id = product_id, .key_hash = key_hash, .out_record = out};
    return run(&waiting, begin_find_record, err);
}

static void begin_commit(void *context) {
    struct waiting *own = context;
    own->store->ops->commit(own->store, own->state, own->time_ms, on_ended, own);
}

enum status inventory_store_commit_and_wait(struct inventory_store *store, struct product_state *state,
                                            int64_t deadline_ms, struct error *err) {
    struct waiting waiting = {.store = store, .state = state, .time_ms = deadline_ms};
    return run(&waiting, begin_commit, err);
}

static void begin_add(void *context) {
    struct waiting *own = context;
    table_setup_add((struct inventory_store_table *)own->store, own->seeds, on_ended, own);
}

enum status inventory_store_add_and_wait(struct inventory_store_table *store, const struct seed_product *product,
                                         struct error *err) {
    struct waiting waiting = {.store = &store->base, .seeds = product};
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

enum status inventory_store_list_and_wait(struct inventory_store_table *store, table_setup_visitor visit, void *context,
                                          struct error *err) {
    struct waiting waiting = {.store = &store->base, .visit = visit, .visit_context = context};
    return run(&waiting, begin_list, err);
}

static void begin_find_due(void *context) {
    struct waiting *own = context;
    own->store->ops->find_due(own->store, own->time_ms, own->out_products, on_ended, own);
}

enum status inventory_store_find_due_and_wait(struct inventory_store *store, int64_t now_ms, struct product_ids *out,
                                              struct error *err) {
    struct waiting waiting = {.store = store, .time_ms = now_ms, .out_products = out};
    return run(&waiting, begin_find_due, err);
}

static void begin_finish_due(void *context) {
    struct waiting *own = context;
    own->store->ops->finish_due(own->store, own->product_id, own->time_ms, own->out_count, on_ended, own);
}

enum status inventory_store_finish_due_and_wait(struct inventory_store *store, const char *product_id, int64_t now_ms,
                                                int *out_records_purged, struct error *err) {
    struct waiting waiting = {.store = store, .product_id = product_id, .time_ms = now_ms};
    waiting.out_count = out_records_purged;
    return run(&waiting, begin_finish_due, err);
}
