#include "inventory/inventory_store_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_record {
    char product_id[PRODUCT_ID_BYTES];
    struct idempotency_record record;
};

static struct inventory_store_memory *memory_of(struct inventory_store *store) {
    return (struct inventory_store_memory *)store;
}

/* The product's place in the list by id, or where it would stand. */
static size_t find_place(const struct inventory_store_memory *store, const char *id, bool *out_found) {
    size_t low = 0, high = store->product_count;
    *out_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(store->products[middle]->product.id, id);
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

static enum status create_if_absent(struct inventory_store_memory *store, const struct seed_product *seed) {
    bool found;
    size_t place = find_place(store, seed->id, &found);
    if (found) {
        return STATUS_OK;
    }
    struct product_state **grown =
        realloc(store->products, (store->product_count + 1) * sizeof(struct product_state *));
    if (grown == NULL) {
        return STATUS_NO_MEMORY;
    }
    store->products = grown;
    struct product_state *state = malloc(sizeof *state);
    if (state == NULL) {
        return STATUS_NO_MEMORY;
    }

    product_state_init(state);
    memcpy(state->product.id, seed->id, sizeof state->product.id);
    state->product.total = state->product.available = seed->total;
    state->product.version = 1;
    state->product.due_ms = INT64_MAX;
    memmove(&grown[place + 1], &grown[place], (store->product_count - place) * sizeof(struct product_state *));
    grown[place] = state;
    store->product_count++;
    return STATUS_OK;
}

static enum status memory_prepare(struct inventory_store *base, const struct seed_product *seeds, size_t count,
                                  struct error *err) {
    struct inventory_store_memory *store = memory_of(base);
    enum status status = STATUS_OK;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = create_if_absent(store, &seeds[i]);
    }
    pthread_mutex_unlock(&store->lock);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "no memory for the seed products");
}

static int64_t memory_now_ms(struct inventory_store *base) {
    struct inventory_store_memory *store = memory_of(base);
    return clock_now_ms(store->clock) + store->wall_offset_ms;
}

static bool is_asked_for(const struct reservation *row, const struct inventory_query *query) {
    return query->all || row->expires_ms <= query->until_ms ||
           (query->customer_id != NULL && strcmp(row->customer_id, query->customer_id) == 0) ||
           (query->reservation_id != NULL && strcmp(row->id, query->reservation_id) == 0);
}

static enum status copy_out(const struct product_state *stored, const struct inventory_query *query,
                            struct product_state *out) {
    out->product = stored->product;
    out->complete_until_ms = query->all ? INT64_MAX : query->until_ms;
    snprintf(out->token, sizeof out->token, "%lld", (long long)stored->product.version);
    for (size_t i = 0; i < stored->reservation_count; i++) {
        if (!is_asked_for(&stored->reservations[i], query)) {
            continue;
        }
        enum status status = product_state_add(out, &stored->reservations[i]);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status memory_read(struct inventory_store *base, const char *product_id,
                               const struct inventory_query *query, struct product_state *state, struct error *err) {
    struct inventory_store_memory *store = memory_of(base);
    product_state_release(state);
    bool found;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&store->lock);
    size_t place = find_place(store, product_id, &found);
    if (found) {
        status = copy_out(store->products[place], query, state);
    }
    pthread_mutex_unlock(&store->lock);
    if (!found) {
        return error_set(err, STATUS_NOT_FOUND, "there is no product %s", product_id);
    }
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "no memory to read product %s", product_id);
}

static struct reservation *find_row(struct product_state *stored, const char *id) {
    for (size_t i = 0; i < stored->reservation_count; i++) {
        if (strcmp(stored->reservations[i].id, id) == 0) {
            return &stored->reservations[i];
        }
    }
    return NULL;
}

/* Applies the marked rows to a product whose version has been checked; memory for additions is there already. */
static void apply_rows(struct product_state *stored, const struct product_state *changed) {
    for (size_t i = 0; i < changed->reservation_count; i++) {
        const struct reservation *row = &changed->reservations[i];
        struct reservation *target = find_row(stored, row->id);
        if (row->mark == RESERVATION_ADDED) {
            stored->reservations[stored->reservation_count++] = *row;
        } else if (target != NULL && (row->mark == RESERVATION_CHANGED || row->mark == RESERVATION_REMOVED)) {
            *target = *row;
        }
    }
    product_state_committed(stored);
}

static int by_expiry(const void *left, const void *right) {
    const struct reservation *a = left, *b = right;
    return strcmp(a->id, b->id); /* ids begin with the expiry */
}

static const struct idempotency_record *find_kept(const struct inventory_store_memory *store, const char *product_id,
                                                  const char *key_hash) {
    for (size_t i = 0; i < store->record_count; i++) {
        const struct memory_record *kept = &store->records[i];
        if (strcmp(kept->product_id, product_id) == 0 && strcmp(kept->record.key_hash, key_hash) == 0) {
            return &kept->record;
        }
    }
    return NULL;
}

static bool any_is_kept(const struct inventory_store_memory *store, const struct product_state *state) {
    for (size_t i = 0; i < state->record_count; i++) {
        if (find_kept(store, state->product.id, state->records[i].key_hash) != NULL) {
            return true;
        }
    }
    return false;
}

static enum status reserve_records(struct inventory_store_memory *store, size_t count) {
    if (store->record_count + count <= store->record_capacity) {
        return STATUS_OK;
    }
    size_t capacity = 2 * (store->record_count + count);
    struct memory_record *grown = realloc(store->records, capacity * sizeof *grown);
    if (grown == NULL) {
        return STATUS_NO_MEMORY;
    }
    store->records = grown;
    store->record_capacity = capacity;
    return STATUS_OK;
}

static void keep_records(struct inventory_store_memory *store, const struct product_state *state) {
    for (size_t i = 0; i < state->record_count; i++) {
        struct memory_record *kept = &store->records[store->record_count++];
        memcpy(kept->product_id, state->product.id, sizeof kept->product_id);
        kept->record = state->records[i];
        kept->record.version = state->product.version;
    }
}

static enum status commit_locked(struct inventory_store_memory *store, struct product_state *state, struct error *err) {
    bool found;
    size_t place = find_place(store, state->product.id, &found);
    struct product_state *stored = found ? store->products[place] : NULL;
    if (stored == NULL || stored->product.version != state->product.version) {
        return error_set(err, STATUS_PRECONDITION_FAILED, "product %s has changed since it was read",
                         state->product.id);
    }
    if (any_is_kept(store, state)) {
        return error_set(err, STATUS_ALREADY_EXISTS, "a key of product %s has been used before", state->product.id);
    }
    size_t needed = stored->reservation_count + (size_t)state->change_count;
    struct reservation *grown = realloc(stored->reservations, (needed == 0 ? 1 : needed) * sizeof *grown);
    if (grown != NULL) {
        stored->reservations = grown;
    }
    if (grown == NULL || reserve_records(store, state->record_count) != STATUS_OK) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to commit product %s", state->product.id);
    }
    stored->reservation_capacity = needed == 0 ? 1 : needed;

    state->product.version++;
    state->product.due_ms = product_state_due_ms(state);
    stored->product = state->product;
    keep_records(store, state);
    apply_rows(stored, state);
    qsort(stored->reservations, stored->reservation_count, sizeof *stored->reservations, by_expiry);
    return STATUS_OK;
}

static enum status memory_commit(struct inventory_store *base, struct product_state *state, int64_t deadline_ms,
                                 struct error *err) {
    struct inventory_store_memory *store = memory_of(base);
    (void)deadline_ms; /* memory answers at once */
    pthread_mutex_lock(&store->lock);
    enum status status = commit_locked(store, state, err);
    pthread_mutex_unlock(&store->lock);
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(state->token, sizeof state->token, "%lld", (long long)state->product.version);
    product_state_committed(state);
    return STATUS_OK;
}

static enum status memory_find_record(struct inventory_store *base, const char *product_id, const char *key_hash,
                                      struct idempotency_record *out, struct error *err) {
    struct inventory_store_memory *store = memory_of(base);
    pthread_mutex_lock(&store->lock);
    const struct idempotency_record *kept = find_kept(store, product_id, key_hash);
    if (kept != NULL) {
        *out = *kept;
    }
    pthread_mutex_unlock(&store->lock);
    return kept != NULL ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "the key has not been used");
}

static bool is_due(const struct inventory_store_memory *store, const struct product_state *stored, int64_t now_ms) {
    bool due = stored->product.due_ms <= now_ms;
    for (size_t i = 0; i < store->record_count && !due; i++) {
        due = store->records[i].record.keep_until_ms <= now_ms &&
              strcmp(store->records[i].product_id, stored->product.id) == 0;
    }
    return due;
}

/* The next due product behind `after` ("" for the first); false at the end. Between two visits the lock is free: visitors commit. */
static bool next_due(struct inventory_store_memory *store, char after[PRODUCT_ID_BYTES], int64_t now_ms) {
    pthread_mutex_lock(&store->lock);
    bool found;
    size_t place = find_place(store, after, &found);
    place += found;
    while (place < store->product_count && !is_due(store, store->products[place], now_ms)) {
        place++;
    }
    bool any = place < store->product_count;
    if (any) {
        memcpy(after, store->products[place]->product.id, PRODUCT_ID_BYTES);
    }
    pthread_mutex_unlock(&store->lock);
    return any;
}

static enum status memory_find_due(struct inventory_store *base, int64_t now_ms, inventory_product_visitor visit,
                                   void *context, struct error *err) {
    char id[PRODUCT_ID_BYTES] = "";
    enum status status = STATUS_OK;
    while (status == STATUS_OK && next_due(memory_of(base), id, now_ms)) {
        status = visit(context, id, err);
    }
    return status;
}

static enum status memory_finish_due(struct inventory_store *base, const char *product_id, int64_t now_ms,
                                     int *out_records_purged, struct error *err) {
    struct inventory_store_memory *store = memory_of(base);
    (void)err;
    size_t kept = 0;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->record_count; i++) {
        const struct memory_record *record = &store->records[i];
        if (record->record.keep_until_ms > now_ms || strcmp(record->product_id, product_id) != 0) {
            store->records[kept++] = *record;
        }
    }
    *out_records_purged = (int)(store->record_count - kept);
    store->record_count = kept;
    pthread_mutex_unlock(&store->lock);
    return STATUS_OK;
}

enum status inventory_store_memory_init(struct inventory_store_memory *store, const struct clock *clock) {
    static const struct inventory_store_ops ops = {.prepare = memory_prepare,
                                                   .now_ms = memory_now_ms,
                                                   .read = memory_read,
                                                   .commit = memory_commit,
                                                   .find_record = memory_find_record,
                                                   .find_due = memory_find_due,
                                                   .finish_due = memory_finish_due};
    memset(store, 0, sizeof *store);
    store->base.ops = &ops;
    store->clock = clock;
    store->wall_offset_ms = clock_wall_ms(clock) - clock_now_ms(clock);
    return pthread_mutex_init(&store->lock, NULL) == 0 ? STATUS_OK : STATUS_INTERNAL;
}

void inventory_store_memory_release(struct inventory_store_memory *store) {
    for (size_t i = 0; i < store->product_count; i++) {
        product_state_release(store->products[i]);
        free(store->products[i]);
    }
    free(store->products);
    free(store->records);
    pthread_mutex_destroy(&store->lock);
}
