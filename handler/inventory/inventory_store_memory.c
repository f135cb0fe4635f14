#include "inventory/inventory_store_memory.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/expiry_index.h"
#include "inventory/store_operation.h"

enum {
    VISITS_PER_ROUND = 500, /* before the loop does other work */
    VISIT_TRIES = 3,
};

static struct inventory_store_memory *memory_of(struct inventory_store *store) {
    return (struct inventory_store_memory *)store;
}

/* Returns the product's place in the list, or the place at which it would be inserted. */
static size_t find_place(const struct inventory_store_memory *store, const char *id,
                         bool *out_found) {
    size_t low = 0, high = store->product_count;
    *out_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(store->products[middle]->state.product.id, id);
        if (order == 0) {
            *out_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum status create_if_absent(struct inventory_store_memory *store,
                                    const struct seed_product *seed) {
    bool found;
    size_t place = find_place(store, seed->id, &found);
    if (found) {
        return STATUS_OK;
    }
    struct stored_product **grown =
        realloc(store->products, (store->product_count + 1) * sizeof(struct stored_product *));
    if (grown == NULL) {
        return STATUS_NO_MEMORY;
    }
    store->products = grown;
    struct stored_product *stored = malloc(sizeof *stored);
    if (stored == NULL) {
        return STATUS_NO_MEMORY;
    }

    *stored = (struct stored_product){.first_keep_ms = INT64_MAX};
    product_state_init(&stored->state);
    struct product *product = &stored->state.product;
    memcpy(product->id, seed->id, sizeof product->id);
    product->total = product->available = seed->total;
    product->version = 1;
    product->due_ms = INT64_MAX;
    memmove(&grown[place + 1], &grown[place],
            (store->product_count - place) * sizeof(struct stored_product *));
    grown[place] = stored;
    store->product_count++;
    return STATUS_OK;
}

/* Returns NULL if there is no such product. */
static struct stored_product *find_product(const struct inventory_store_memory *store,
                                           const char *id) {
    bool found;
    size_t place = find_place(store, id, &found);
    return found ? store->products[place] : NULL;
}

static int64_t memory_now_ms(struct inventory_store *base) {
    struct inventory_store_memory *store = memory_of(base);
    return clock_now_ms(store->base.platform->clock) + store->wall_offset_ms;
}

/* `later_count` counts the customer's reservations that expire after until_ms. */
static bool is_selected(const struct reservation *row, const struct inventory_query *query,
                        int *later_count) {
    if (query->all ||
        (query->reservation_id != NULL && strcmp(row->id, query->reservation_id) == 0)) {
        return true;
    }
    if (row->expires_ms <= query->until_ms) {
        return !query->later_only;
    }
    bool is_customers =
        query->customer_id != NULL && strcmp(row->customer_id, query->customer_id) == 0;
    return is_customers && (query->limit == 0 || (*later_count)++ < query->limit);
}

/* Sets complete_until_ms and the ETag of a state whose product has been set. */
static void set_read_marks(struct product_state *out, const struct inventory_query *query) {
    out->complete_until_ms = query->all ? INT64_MAX : query->later_only ? 0 : query->until_ms;
    snprintf(out->etag, sizeof out->etag, "%lld", (long long)out->product.version);
}

static enum status copy_selected(const struct product_state *stored,
                                 const struct inventory_query *query, struct product_state *out) {
    int later_count = 0;
    out->product = stored->product;
    set_read_marks(out, query);
    for (size_t i = 0; i < stored->reservations.count; i++) {
        const struct reservation *row = stored->reservations.rows[i];
        if (!is_selected(row, query, &later_count)) {
            continue;
        }
        enum status status = product_state_add(out, row, row->customer_id);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- asynchronous operations: all but visits run as a whole in the loop's next round ---- */

/* An operation, with the arguments of all kinds. Each kind uses some of them. */
struct memory_operation {
    struct store_operation base;
    struct inventory_store_memory *store;
    const struct seed_product *seeds;
    size_t seed_count;
    const char *product_id;
    struct inventory_query query;
    struct product_state *state;
    const char *key_hash;
    struct idempotency_record *out_record;
    int64_t time_ms; /* index_expiry: the expiry; commit: the deadline; others: now */
    int64_t *out_ms;
    struct product_ids *out_products;
    int *out_count;
    /* Of a read with a visitor: this try's next reservation, and the later ones so far. */
    int tries;
    size_t next;
    int later_count;
};

static void start_operation(struct inventory_store *base, const struct memory_operation *arguments,
                            void (*run)(struct store_operation *operation),
                            inventory_store_done done, void *context) {
    struct memory_operation *operation =
        store_operation_new(base, sizeof *operation, done, context);
    if (operation == NULL) {
        return;
    }
    struct store_operation own = operation->base;
    *operation = *arguments;
    operation->base = own;
    operation->store = memory_of(base);
    store_operation_post(&operation->base, base->platform->loop, run);
}

static void run_prepare(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    struct error err = {.status = STATUS_OK};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < operation->seed_count && status == STATUS_OK; i++) {
        status = create_if_absent(operation->store, &operation->seeds[i]);
    }
    if (status != STATUS_OK) {
        error_set(&err, status, "no memory for the seed products");
    }
    store_operation_end(base, status, &err);
}

static void memory_prepare(struct inventory_store *base, const struct seed_product *seeds,
                           size_t count, inventory_store_done done, void *context) {
    start_operation(base, &(struct memory_operation){.seeds = seeds, .seed_count = count},
                    run_prepare, done, context);
}

/* ---- reading ---- */

static enum status read_product(struct inventory_store_memory *store, const char *product_id,
                                const struct inventory_query *query, struct product_state *state,
                                struct error *err) {
    const struct stored_product *stored = find_product(store, product_id);
    enum status status =
        stored == NULL ? STATUS_NOT_FOUND : copy_selected(&stored->state, query, state);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, status, "there is no product %s", product_id);
    }
    if (status != STATUS_OK) {
        product_state_cleanup(state);
        return error_set(err, status, "no memory to read product %s", product_id);
    }
    return STATUS_OK;
}

/* ---- reading with a visitor, a round of the loop after the other ---- */

/* Begins a try: the product as it is now, without reservations. */
static void begin_visits(struct memory_operation *operation, const struct stored_product *stored) {
    struct reservation_visitor *visitor = operation->query.visitor;
    struct product_state *out = operation->state;
    out->product = stored->state.product;
    set_read_marks(out, &operation->query);
    operation->tries++;
    operation->next = 0;
    operation->later_count = 0;
    visitor->units = 0;
    visitor->begin(visitor, inventory_query_moment_ms(&operation->query,
                                                      memory_now_ms(&operation->store->base)));
}

static enum status visit_some(struct memory_operation *operation,
                              const struct stored_product *stored, struct error *err) {
    struct reservation_visitor *visitor = operation->query.visitor;
    const struct reservation_list *list = &stored->state.reservations;
    enum status status = STATUS_OK;
    for (int i = 0; i < VISITS_PER_ROUND && status == STATUS_OK && operation->next < list->count;
         i++, operation->next++) {
        const struct reservation *row = list->rows[operation->next];
        if (is_selected(row, &operation->query, &operation->later_count)) {
            visitor->units += row->quantity;
            status = visitor->visit(visitor, row, row->customer_id, err);
        }
    }
    return status;
}

/* Begins a try first if the product has changed since the last round. */
static enum status visit_next(struct memory_operation *operation,
                              const struct stored_product *stored, struct error *err) {
    bool is_begun =
        operation->tries > 0 && operation->state->product.version == stored->state.product.version;
    if (!is_begun && operation->tries == VISIT_TRIES) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "it changed too often while its many rows were read");
    }
    if (!is_begun) {
        begin_visits(operation, stored);
    }
    return visit_some(operation, stored, err);
}

static void run_visits(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    const struct stored_product *stored = find_product(operation->store, operation->product_id);
    struct error err = {.status = STATUS_OK};
    enum status status = STATUS_NOT_FOUND;
    if (stored == NULL) {
        error_set(&err, status, "there is no such product");
    } else {
        status = visit_next(operation, stored, &err);
    }
    if (stored != NULL && status == STATUS_OK &&
        operation->next < stored->state.reservations.count) {
        store_operation_post(base, operation->store->base.platform->loop, run_visits);
        return;
    }
    if (status != STATUS_OK) {
        product_state_cleanup(operation->state);
        error_wrap(&err, "reading product %s", operation->product_id);
    }
    store_operation_end(base, status, &err);
}

static void run_read(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    struct error err = {.status = STATUS_OK};
    enum status status = read_product(operation->store, operation->product_id, &operation->query,
                                      operation->state, &err);
    store_operation_end(base, status, &err);
}

static void memory_read(struct inventory_store *base, const char *product_id,
                        const struct inventory_query *query, struct product_state *out,
                        inventory_store_done done, void *context) {
    product_state_cleanup(out); /* a failed read leaves it empty */
    start_operation(
        base, &(struct memory_operation){.product_id = product_id, .query = *query, .state = out},
        query->visitor == NULL ? run_read : run_visits, done, context);
}

/* ---- records ---- */

/* The record is the first member, so that compare_key_hashes serves for both. */
struct stored_record {
    struct idempotency_record record;
    struct stored_record *next_expired;
};

static int compare_key_hashes(const void *left, const void *right) {
    const struct idempotency_record *a = left, *b = right;
    return strcmp(a->key_hash, b->key_hash);
}

/* Returns NULL if there is no such record. */
static const struct idempotency_record *find_record(const struct stored_product *stored,
                                                    const struct idempotency_record *like) {
    void *const *node = tfind(like, &stored->records, compare_key_hashes);
    return node == NULL ? NULL : *node;
}

static void run_find_record(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    struct error err = {.status = STATUS_OK};
    struct idempotency_record like = {.quantity = 0};
    snprintf(like.key_hash, sizeof like.key_hash, "%s", operation->key_hash);
    const struct stored_product *stored = find_product(operation->store, operation->product_id);
    const struct idempotency_record *record = stored == NULL ? NULL : find_record(stored, &like);
    if (record != NULL) {
        *operation->out_record = *record;
    } else {
        error_set(&err, STATUS_NOT_FOUND, "product %s has no such idempotency record",
                  operation->product_id);
    }
    store_operation_end(base, err.status, &err);
}

static void memory_find_record(struct inventory_store *base, const char *product_id,
                               const char *key_hash, struct idempotency_record *out,
                               inventory_store_done done, void *context) {
    start_operation(base,
                    &(struct memory_operation){
                        .product_id = product_id, .key_hash = key_hash, .out_record = out},
                    run_find_record, done, context);
}

/* Undoes add_records for the first `count` records of a commit. */
static void drop_records(struct stored_product *stored, const struct product_state *changed,
                         size_t count) {
    for (size_t i = 0; i < count; i++) {
        void *record = *(void **)tfind(&changed->records[i], &stored->records, compare_key_hashes);
        tdelete(record, &stored->records, compare_key_hashes);
        free(record);
    }
}

/* Adds a commit's records, all or none. STATUS_NO_MEMORY, STATUS_ALREADY_EXISTS. */
static enum status add_records(struct stored_product *stored, const struct product_state *changed,
                               int64_t version) {
    for (size_t i = 0; i < changed->record_count; i++) {
        struct stored_record *record = malloc(sizeof *record);
        if (record != NULL) {
            *record = (struct stored_record){.record = changed->records[i]};
            record->record.version = version;
        }
        void **node = record == NULL ? NULL : tsearch(record, &stored->records, compare_key_hashes);
        if (node == NULL || *node != record) {
            free(record);
            drop_records(stored, changed, i);
            return node == NULL ? STATUS_NO_MEMORY : STATUS_ALREADY_EXISTS;
        }
    }
    for (size_t i = 0; i < changed->record_count; i++) {
        stored->first_keep_ms =
            clock_min_ms(stored->first_keep_ms, changed->records[i].keep_until_ms);
    }
    return STATUS_OK;
}

/* ---- commit ---- */

/* Copies the reservations that a commit adds. STATUS_NO_MEMORY. */
static enum status copy_added(const struct product_state *changed, struct product_state *out) {
    enum status status = STATUS_OK;
    for (size_t i = 0; i < changed->changed_count && status == STATUS_OK; i++) {
        const struct reservation *row = changed->changed[i];
        if (row->mark == RESERVATION_ADDED) {
            status = product_state_add(out, row, row->customer_id);
        }
    }
    return status;
}

static void apply_change(struct product_state *stored, const struct reservation *row) {
    struct reservation *target = reservation_list_find(&stored->reservations, row->id);
    if (target != NULL && target->expires_ms < row->expires_ms) {
        product_state_extend(stored, target, row->expires_ms);
    }
    if (target != NULL && target->quantity > row->quantity) {
        product_state_take(stored, target, target->quantity - row->quantity);
    }
}

/*
 * Applies the extensions, reductions and removals of a commit. The version must have been checked.
 */
static void apply_changes(struct product_state *stored, const struct product_state *changed) {
    for (size_t i = 0; i < changed->changed_count; i++) {
        if (changed->changed[i]->mark != RESERVATION_ADDED) {
            apply_change(stored, changed->changed[i]);
        }
    }
    product_state_committed(stored);
}

/*
 * Adds a commit's reservations and records, all or none. STATUS_NO_MEMORY, STATUS_ALREADY_EXISTS.
 */
static enum status add_rows(struct stored_product *stored, const struct product_state *changed) {
    struct product_state added;
    product_state_init(&added);
    enum status status = copy_added(changed, &added);
    if (status != STATUS_OK) {
        goto cleanup;
    }
    status = add_records(stored, changed, changed->product.version + 1);
    if (status != STATUS_OK) {
        goto cleanup;
    }
    status = product_state_merge(&stored->state, &added);
    if (status != STATUS_OK) {
        drop_records(stored, changed, changed->record_count);
    }
cleanup:
    product_state_cleanup(&added);
    return status;
}

static enum status commit_state(struct inventory_store_memory *store, struct product_state *state,
                                struct error *err) {
    struct stored_product *stored = find_product(store, state->product.id);
    if (stored == NULL || stored->state.product.version != state->product.version) {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "product %s has changed since it was read", state->product.id);
    }
    enum status status = add_rows(stored, state);
    if (status != STATUS_OK) {
        return error_set(err, status, "committing product %s: %s", state->product.id,
                         status == STATUS_ALREADY_EXISTS ? "an idempotency record already exists"
                                                         : "no memory");
    }
    state->product.due_ms = product_state_due_ms(state);
    state->product.version++;
    apply_changes(&stored->state, state);
    stored->state.product = state->product;
    return STATUS_OK;
}

static void run_commit(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    struct product_state *state = operation->state;
    struct error err = {.status = STATUS_OK};
    bool is_late = clock_now_ms(operation->store->base.platform->clock) >= operation->time_ms;
    enum status status =
        is_late ? error_set(&err, STATUS_UNAVAILABLE, "the commit's deadline came before it began")
                : commit_state(operation->store, state, &err);
    if (status == STATUS_OK) {
        snprintf(state->etag, sizeof state->etag, "%lld", (long long)state->product.version);
        product_state_committed(state);
    }
    store_operation_end(base, status, &err);
}

static void memory_commit(struct inventory_store *base, struct product_state *state,
                          int64_t deadline_ms, inventory_store_done done, void *context) {
    start_operation(base, &(struct memory_operation){.state = state, .time_ms = deadline_ms},
                    run_commit, done, context);
}

/*
 * ---- index_expiry, announce_wait, read_wait ----
 *
 * A wait is announced to other handlers, which do not see a store in memory. It can be read back
 * all the same.
 */

/* There is no index, because find_expired looks at the reservations themselves. */
static void run_index_expiry(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    *operation->out_ms = expiry_index_minute_ms(operation->time_ms);
    store_operation_end(base, STATUS_OK, NULL);
}

static void memory_index_expiry(struct inventory_store *base, const char *product_id,
                                int64_t expires_ms, int64_t *out_indexed_due_ms,
                                inventory_store_done done, void *context) {
    start_operation(base,
                    &(struct memory_operation){.product_id = product_id,
                                               .time_ms = expires_ms,
                                               .out_ms = out_indexed_due_ms},
                    run_index_expiry, done, context);
}

static void run_announce_wait(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    struct stored_product *stored = find_product(operation->store, operation->product_id);
    if (stored != NULL) {
        stored->announced_ms = memory_now_ms(&operation->store->base);
    }
    store_operation_end(base, STATUS_OK, NULL);
}

static void memory_announce_wait(struct inventory_store *base, const char *product_id,
                                 inventory_store_done done, void *context) {
    start_operation(base, &(struct memory_operation){.product_id = product_id}, run_announce_wait,
                    done, context);
}

static void run_read_wait(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    const struct stored_product *stored = find_product(operation->store, operation->product_id);
    *operation->out_ms = stored == NULL ? 0 : stored->announced_ms;
    store_operation_end(base, STATUS_OK, NULL);
}

static void memory_read_wait(struct inventory_store *base, const char *product_id,
                             int64_t *out_announced_ms, inventory_store_done done, void *context) {
    start_operation(
        base, &(struct memory_operation){.product_id = product_id, .out_ms = out_announced_ms},
        run_read_wait, done, context);
}

/* ---- find_expired, clean_up_expired ---- */

/* STATUS_NO_MEMORY. */
static enum status list_expired(const struct inventory_store_memory *store, int64_t now_ms,
                                struct product_ids *out) {
    struct product_ids expired = {.ids = malloc((store->product_count + 1) * sizeof *expired.ids)};
    if (expired.ids == NULL) {
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < store->product_count; i++) {
        const struct stored_product *stored = store->products[i];
        if (stored->first_keep_ms <= now_ms || inventory_has_expired(&stored->state, now_ms)) {
            memcpy(expired.ids[expired.count++], stored->state.product.id, PRODUCT_ID_BYTES);
        }
    }
    *out = expired;
    return STATUS_OK;
}

static void run_find_expired(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    struct error err;
    enum status status =
        list_expired(operation->store, operation->time_ms, operation->out_products);
    if (status != STATUS_OK) {
        error_set(&err, status, "no memory for the list of products");
    }
    store_operation_end(base, status, &err);
}

static void memory_find_expired(struct inventory_store *base, int64_t now_ms,
                                struct product_ids *out, inventory_store_done done, void *context) {
    start_operation(base, &(struct memory_operation){.time_ms = now_ms, .out_products = out},
                    run_find_expired, done, context);
}

/*
 * The state of a walk through a product's records. The tree must not change during the walk, so the
 * expired records are linked first, and deleted afterwards.
 */
struct record_walk {
    int64_t now_ms;
    int64_t first_keep_ms; /* of the other records */
    struct stored_record *expired;
};

static void visit_record(const void *node, VISIT visit, void *closure) {
    struct record_walk *walk = closure;
    struct stored_record *stored = *(struct stored_record *const *)node;
    if (visit != postorder && visit != leaf) {
        return;
    }
    if (stored->record.keep_until_ms <= walk->now_ms) {
        stored->next_expired = walk->expired;
        walk->expired = stored;
    } else if (stored->record.keep_until_ms < walk->first_keep_ms) {
        walk->first_keep_ms = stored->record.keep_until_ms;
    }
}

/* Returns how many records were deleted. */
static int delete_expired_records(struct stored_product *stored, int64_t now_ms) {
    struct record_walk walk = {.now_ms = now_ms, .first_keep_ms = INT64_MAX};
    int deleted_count = 0;
    twalk_r(stored->records, visit_record, &walk);
    stored->first_keep_ms = walk.first_keep_ms;
    for (struct stored_record *next; walk.expired != NULL; walk.expired = next) {
        next = walk.expired->next_expired;
        tdelete(walk.expired, &stored->records, compare_key_hashes);
        free(walk.expired);
        deleted_count++;
    }
    return deleted_count;
}

static void run_clean_up_expired(struct store_operation *base) {
    struct memory_operation *operation = (struct memory_operation *)base;
    int64_t now_ms = operation->time_ms;
    struct stored_product *stored = find_product(operation->store, operation->product_id);
    *operation->out_count = stored == NULL || stored->first_keep_ms > now_ms
                                ? 0
                                : delete_expired_records(stored, now_ms);
    store_operation_end(base, STATUS_OK, NULL);
}

static void memory_clean_up_expired(struct inventory_store *base, const char *product_id,
                                    int64_t now_ms, int *out_records_deleted,
                                    inventory_store_done done, void *context) {
    start_operation(base,
                    &(struct memory_operation){.product_id = product_id,
                                               .time_ms = now_ms,
                                               .out_count = out_records_deleted},
                    run_clean_up_expired, done, context);
}

void inventory_store_memory_init(struct inventory_store_memory *store,
                                 const struct platform *platform) {
    static const struct inventory_store_ops ops = {.prepare = memory_prepare,
                                                   .now_ms = memory_now_ms,
                                                   .certain_ms = memory_now_ms,
                                                   .read = memory_read,
                                                   .find_record = memory_find_record,
                                                   .commit = memory_commit,
                                                   .index_expiry = memory_index_expiry,
                                                   .announce_wait = memory_announce_wait,
                                                   .read_wait = memory_read_wait,
                                                   .find_expired = memory_find_expired,
                                                   .clean_up_expired = memory_clean_up_expired};
    memset(store, 0, sizeof *store);
    store_operation_init_store(&store->base, &ops, platform);
    store->wall_offset_ms = clock_wall_ms(platform->clock) - clock_now_ms(platform->clock);
}

void inventory_store_memory_cleanup(struct inventory_store_memory *store) {
    for (size_t i = 0; i < store->product_count; i++) {
        product_state_cleanup(&store->products[i]->state);
        tdestroy(store->products[i]->records, free);
        free(store->products[i]);
    }
    free(store->products);
}
