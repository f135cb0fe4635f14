#include "inventory/inventory_store_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "inventory/product_entity.h"
#include "inventory/product_transaction.h"
#include "storage/storage_clock.h"
#include "storage/table_client.h"

enum {
    FILTER_MAX_BYTES = 8192,
    PICTURE_TRIES = 3,
    PICTURE_MS = 10000,
    LISTING_MS = 30000,
};
#define LAST_UUID_TIME_MS ((INT64_C(1) << 48) - 1)

static struct inventory_store_table *table_of(struct inventory_store *store) {
    return (struct inventory_store_table *)store;
}

static int64_t storage_deadline_ms(const struct inventory_store_table *store) {
    return clock_now_ms(store->client->clock) + STORAGE_DEADLINE_MS;
}

/* ---- prepare ---- */

static enum status insert(struct inventory_store_table *store, const struct product *product, struct error *err) {
    cJSON *entity = product_entity_of_product(product);
    if (entity == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for a product's entity");
    }
    enum status status = table_insert(store->client, store->table, entity, storage_deadline_ms(store), err);
    cJSON_Delete(entity);
    return status;
}

static enum status create_table(struct inventory_store_table *store, struct error *err) {
    enum status status = table_create(store->client, store->table, storage_deadline_ms(store), err);
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        store->is_seen = true;
        return STATUS_OK;
    }
    return status;
}

/*
 * STATUS_OK: the product's row is there, readable or not. STATUS_NOT_FOUND,
 * STATUS_CONTAINER_NOT_FOUND.
 */
static enum status find_product_row(struct inventory_store_table *store, const char *product_id, struct error *err) {
    cJSON *entity = NULL;
    enum status status =
        table_get(store->client, store->table, product_id, PRODUCT_ROW, storage_deadline_ms(store), &entity, err);
    cJSON_Delete(entity);
    store->is_seen = store->is_seen || status == STATUS_OK || status == STATUS_NOT_FOUND;
    return status;
}

/* Ends a query with the first row, whatever it is. */
static enum status meet_row(void *context, const cJSON *entity, struct error *err) {
    const char *row_key = json_string(entity, "RowKey");
    (void)context;
    return error_set(err, STATUS_PRECONDITION_FAILED,
                     "its row `" PRODUCT_ROW "` is missing from the table, but other rows of it are there (%.200s). "
                     "Restore that row; or delete all rows of its partition, and create it again",
                     row_key == NULL ? "?" : row_key);
}

/* STATUS_PRECONDITION_FAILED: the partition of a product that is absent has other rows. */
static enum status check_partition_is_empty(struct inventory_store_table *store, const char *product_id,
                                            struct error *err) {
    struct strbuf filter;
    strbuf_init(&filter, FILTER_MAX_BYTES);
    strbuf_append_string(&filter, "PartitionKey eq ");
    table_append_literal(&filter, product_id);
    enum status status = strbuf_status(&filter);
    if (status == STATUS_OK) {
        const struct table_query query = {.table = store->table, .filter = filter.data, .visit = meet_row};
        status = table_query(store->client, &query, storage_deadline_ms(store), err);
    } else {
        error_set(err, status, "the query could not be written");
    }
    strbuf_release(&filter);
    return status;
}

/*
 * Creates a product that was looked for and is absent; `found` is what that look has ended with.
 * Creates the table, too, if nobody here has seen it before. `commit_id` receives the id of the
 * commit that this is. STATUS_ALREADY_EXISTS: it is there now.
 */
static enum status create_product(struct inventory_store_table *store, const struct seed_product *seed,
                                  enum status found, char commit_id[UUID_TEXT_BYTES], struct error *err) {
    struct product product = {.total = seed->total, .available = seed->total, .version = 1, .due_ms = INT64_MAX};
    memcpy(product.id, seed->id, sizeof product.id);
    enum status status = found;
    if (found == STATUS_CONTAINER_NOT_FOUND && !store->is_seen) {
        status = create_table(store, err);
    } else if (found == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status == STATUS_OK) {
        status = check_partition_is_empty(store, product.id, err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = uuid_v4(commit_id);
    if (status != STATUS_OK) {
        return error_set(err, status, "no random bytes");
    }
    memcpy(product.commit_ids, commit_id, UUID_TEXT_BYTES);
    return insert(store, &product, err);
}

/*
 * A seed that cannot be created beside its old rows is an operator's affair; the others are created
 * all the same.
 */
static enum status create_seed(struct inventory_store_table *store, const struct seed_product *seed,
                               struct error *err) {
    char commit_id[UUID_TEXT_BYTES];
    struct error failure = {.status = STATUS_OK};
    enum status status = find_product_row(store, seed->id, &failure);
    if (status == STATUS_NOT_FOUND || status == STATUS_CONTAINER_NOT_FOUND) {
        status = create_product(store, seed, status, commit_id, &failure);
    }
    if (status == STATUS_PRECONDITION_FAILED) {
        log_event(LOG_ERROR, "Product %s was not created: %s", seed->id, failure.message);
        return STATUS_OK;
    }
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        return STATUS_OK;
    }
    if (err != NULL) {
        *err = failure;
    }
    return status;
}

static enum status table_prepare(struct inventory_store *base, const struct seed_product *seeds, size_t count,
                                 struct error *err) {
    struct inventory_store_table *store = table_of(base);
    enum status status = count == 0 && !store->is_seen ? create_table(store, err) : STATUS_OK;
    while (store->seeds_ended < count && status == STATUS_OK) {
        status = create_seed(store, &seeds[store->seeds_ended], err);
        store->seeds_ended += status == STATUS_OK;
    }
    if (status != STATUS_OK) {
        error_wrap(err, "preparing table %s", store->table);
        return status;
    }
    store->seeds_ended = 0;
    return STATUS_OK;
}

static struct storage_clock *clock_of(const struct inventory_store_table *store) {
    return &store->client->clocks[STORAGE_TABLE];
}

static int64_t table_now_ms(struct inventory_store *base) {
    return storage_clock_ms(clock_of(table_of(base)));
}

static int64_t table_certain_ms(struct inventory_store *base) {
    return storage_clock_certain_ms(clock_of(table_of(base)));
}

/* ---- read ---- */

/* The key range of a product's own rows; those that have expired are its beginning. */
static void append_range(struct strbuf *filter, const char *end) {
    strbuf_append_string(filter, "RowKey ge '" PRODUCT_ROW "' and RowKey lt ");
    table_append_literal(filter, end);
}

static void append_first_unexpired_key(struct strbuf *key, int64_t until_ms) {
    char prefix[UUID_TIME_PREFIX_BYTES];
    uuid_time_prefix(until_ms < LAST_UUID_TIME_MS ? until_ms + 1 : LAST_UUID_TIME_MS, prefix);
    strbuf_appendf(key, RESERVATION_ROW_PREFIX "%s", prefix);
}

static void append_read_filter(struct strbuf *filter, const char *product_id, const struct inventory_query *query) {
    struct strbuf unexpired;
    strbuf_init(&unexpired, PRODUCT_ENTITY_KEY_BYTES);
    append_first_unexpired_key(&unexpired, query->until_ms);
    bool expired_only = !query->all && query->customer_id == NULL && query->reservation_id == NULL;

    strbuf_append_string(filter, "PartitionKey eq ");
    table_append_literal(filter, product_id);
    strbuf_append_string(filter, " and ");
    append_range(filter, expired_only ? unexpired.data : AFTER_RESERVATION_ROWS);
    if (!query->all && !expired_only) {
        strbuf_append_string(filter, " and (RowKey lt ");
        table_append_literal(filter, unexpired.data);
        if (query->customer_id != NULL) {
            strbuf_append_string(filter, " or customerId eq ");
            table_append_literal(filter, query->customer_id);
        }
        if (query->reservation_id != NULL) {
            strbuf_appendf(filter, " or RowKey eq '" RESERVATION_ROW_PREFIX "%s'", query->reservation_id);
        }
        strbuf_append_char(filter, ')');
    }
    if (strbuf_status(&unexpired) != STATUS_OK) {
        filter->status = strbuf_status(&unexpired);
    }
    strbuf_release(&unexpired);
}

static enum status take_row(void *context, const cJSON *entity, struct error *err) {
    struct product_state *state = context;
    const char *row_key = json_string(entity, "RowKey");
    struct reservation row = {0};
    const char *customer_id = NULL;
    if (row_key == NULL) {
        return product_entity_unreadable(entity, err);
    }
    if (strcmp(row_key, PRODUCT_ROW) == 0) {
        return product_entity_read_product(entity, &state->product, state->etag)
                   ? STATUS_OK
                   : product_entity_unreadable(entity, err);
    }
    if (strncmp(row_key, RESERVATION_ROW_PREFIX, strlen(RESERVATION_ROW_PREFIX)) != 0) {
        return STATUS_OK; /* a newer release's, of a kind that is not known here */
    }
    if (!product_entity_read_reservation(entity, row_key, &row, &customer_id)) {
        return product_entity_unreadable(entity, err);
    }
    enum status status = product_state_add(state, &row, customer_id);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "no memory for a reservation");
}

static enum status read_pages(struct inventory_store_table *store, const char *filter, struct product_state *state,
                              int *out_pages, struct error *err) {
    product_state_cleanup(state);
    const struct table_query query = {
        .table = store->table, .filter = filter, .visit = take_row, .context = state, .out_pages = out_pages};
    enum status status = table_query(store->client, &query, storage_deadline_ms(store), err);
    if (status != STATUS_OK) {
        return status;
    }
    if (state->etag[0] != '\0') {
        return STATUS_OK;
    }
    if (state->reservations.count == 0) {
        return error_set(err, STATUS_NOT_FOUND, "there is no such product");
    }
    return error_set(err, STATUS_MALFORMED,
                     "its row `" PRODUCT_ROW
                     "` is missing from the table, but its reservations are there: restore that "
                     "row, or delete all rows of its partition");
}

/* Several pages are several moments: they are one picture only if the product has not moved on meanwhile. */
static enum status read_picture(struct inventory_store_table *store, const char *product_id, const char *filter,
                                struct product_state *state, struct error *err) {
    int64_t give_up_ms = clock_now_ms(store->client->clock) + PICTURE_MS;
    for (int tries = 1;; tries++) {
        int pages = 0;
        enum status status = read_pages(store, filter, state, &pages, err);
        if (status != STATUS_OK || pages <= 1) {
            return status;
        }
        struct product product;
        char etag[INVENTORY_ETAG_BYTES];
        status = product_transaction_read_product(store->client, store->table, product_id, storage_deadline_ms(store),
                                                  &product, etag, err);
        if (status != STATUS_OK || strcmp(etag, state->etag) == 0) {
            return status;
        }
        if (tries == PICTURE_TRIES || clock_now_ms(store->client->clock) >= give_up_ms) {
            return error_set(err, STATUS_PRECONDITION_FAILED, "it changed too often while its many rows were read");
        }
    }
}

/* What a product's rows mean depends on the time. An answer that leaves it in doubt is settled by one more. */
static void settle_clock(struct inventory_store_table *store, const char *product_id) {
    struct product product;
    char etag[INVENTORY_ETAG_BYTES];
    if (storage_clock_is_in_doubt(clock_of(store))) {
        (void)!product_transaction_read_product(store->client, store->table, product_id, storage_deadline_ms(store),
                                                &product, etag, NULL);
    }
}

static enum status table_read(struct inventory_store *base, const char *product_id, const struct inventory_query *query,
                              struct product_state *state, struct error *err) {
    struct strbuf filter;
    strbuf_init(&filter, FILTER_MAX_BYTES);
    append_read_filter(&filter, product_id, query);
    enum status status = strbuf_status(&filter);
    if (status == STATUS_OK) {
        status = read_picture(table_of(base), product_id, filter.data, state, err);
        settle_clock(table_of(base), product_id);
    } else {
        error_set(err, status, "the query could not be written");
    }
    strbuf_release(&filter);
    if (status != STATUS_OK) {
        product_state_cleanup(state);
        error_wrap(err, "reading product %s", product_id);
        return status;
    }
    state->complete_until_ms = query->all ? INT64_MAX : query->until_ms;
    return STATUS_OK;
}

static enum status table_find_record(struct inventory_store *base, const char *product_id, const char *key_hash,
                                     struct idempotency_record *out, struct error *err) {
    struct inventory_store_table *store = table_of(base);
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_record_key(key_hash, row_key);
    cJSON *entity = NULL;
    enum status status =
        table_get(store->client, store->table, product_id, row_key, storage_deadline_ms(store), &entity, err);
    if (status == STATUS_OK && !product_entity_read_record(entity, key_hash, out)) {
        status = product_entity_unreadable(entity, err);
    }
    cJSON_Delete(entity);
    if (status != STATUS_OK) {
        error_wrap(err, "reading a record of product %s", product_id);
    }
    return status;
}

/* ---- commit ---- */

/*
 * An id for a commit: a UUID whose first part is the same in all commits of this store. The store has one commit of a product under
 * way at a time, so its earlier ones have no need to be named any more.
 */
static enum status make_commit_id(const struct inventory_store_table *store, char out[UUID_TEXT_BYTES]) {
    enum status status = store->sender[0] == '\0' ? STATUS_INTERNAL : uuid_v4(out);
    if (status == STATUS_OK) {
        memcpy(out, store->sender, COMMIT_SENDER_LENGTH);
    }
    return status;
}

/* The new commit's id goes in front. An earlier one of this store goes; else, from a full list, the oldest. */
static enum status push_commit_id(const struct inventory_store_table *store, const struct product *before,
                                  struct product *after) {
    enum status status = make_commit_id(store, after->commit_ids);
    if (status != STATUS_OK) {
        return status;
    }
    int kept = 1;
    size_t written = strlen(after->commit_ids);
    for (const char *old = before->commit_ids; *old != '\0' && kept < INVENTORY_COMMIT_IDS;) {
        size_t length = strcspn(old, ",");
        if (length == UUID_TEXT_BYTES - 1 && strncmp(old, store->sender, COMMIT_SENDER_LENGTH) != 0) {
            written += (size_t)snprintf(after->commit_ids + written, sizeof after->commit_ids - written, ",%.*s",
                                        (int)length, old);
            kept++;
        }
        old += length + (old[length] == ',');
    }
    return STATUS_OK;
}

static enum status commit_as(struct inventory_store_table *store, const struct product_state *state,
                             struct product *after, int64_t deadline_ms, char etag[INVENTORY_ETAG_BYTES],
                             struct error *err) {
    /* Without an ETag the merge would be unconditional. */
    if (state->etag[0] == '\0') {
        return error_set(err, STATUS_PRECONDITION_FAILED, "it is not known as it is now, and must be read");
    }
    after->version++;
    after->due_ms = product_state_due_ms(state);
    enum status status = push_commit_id(store, &state->product, after);
    if (status != STATUS_OK) {
        return error_set(err, status, "no random bytes");
    }
    status = due_index_add(&store->due, state, after, deadline_ms, err);
    if (status != STATUS_OK) {
        return status;
    }
    return product_transaction_send(store->client, store->table, state, after, deadline_ms, etag, err);
}

static enum status table_commit(struct inventory_store *base, struct product_state *state, int64_t deadline_ms,
                                struct error *err) {
    assert(state->change_count <= INVENTORY_MAX_CHANGES);
    struct product after = state->product;
    char etag[INVENTORY_ETAG_BYTES] = "";
    enum status status = commit_as(table_of(base), state, &after, deadline_ms, etag, err);
    if (status != STATUS_OK) {
        error_wrap(err, "committing product %s", state->product.id);
        return status;
    }
    state->product = after;
    memcpy(state->etag, etag, sizeof state->etag);
    product_state_committed(state);
    return STATUS_OK;
}

/* ---- what is due ---- */

static enum status table_find_due(struct inventory_store *base, int64_t now_ms, inventory_product_visitor visit,
                                  void *context, struct error *err) {
    return due_index_find(&table_of(base)->due, now_ms, visit, context, err);
}

/* Deleting late costs nothing, so the machine's own clock has to say the same as storage's. */
static enum status table_finish_due(struct inventory_store *base, const char *product_id, int64_t now_ms,
                                    int *out_records_purged, struct error *err) {
    struct inventory_store_table *store = table_of(base);
    int64_t until_ms = clock_min_ms(now_ms, clock_wall_ms(store->client->clock));
    return due_index_finish(&store->due, product_id, until_ms, out_records_purged, err);
}

/* ---- for operators ---- */

/* It was absent when it was looked for, and is there now: by somebody else, or by our own insert, whose answer was lost? */
static enum status who_added(struct inventory_store_table *store, const char *product_id, const char *commit_id,
                             struct error *err) {
    struct product found;
    char etag[INVENTORY_ETAG_BYTES];
    enum status status = product_transaction_read_product(store->client, store->table, product_id,
                                                          storage_deadline_ms(store), &found, etag, err);
    if (status == STATUS_OK && strstr(found.commit_ids, commit_id) != NULL) {
        return STATUS_OK;
    }
    if (status == STATUS_OK && found.version <= INVENTORY_COMMIT_IDS) {
        return error_set(err, STATUS_ALREADY_EXISTS, "somebody else has just added it");
    }
    error_wrap(err, "it is there now, but nobody knows who added it");
    return STATUS_UNAVAILABLE;
}

enum status inventory_store_table_add(struct inventory_store_table *store, const struct seed_product *product,
                                      struct error *err) {
    char commit_id[UUID_TEXT_BYTES];
    enum status status = find_product_row(store, product->id, err);
    if (status == STATUS_OK) {
        return error_set(err, STATUS_ALREADY_EXISTS, "it is there already");
    }
    if (status != STATUS_NOT_FOUND && status != STATUS_CONTAINER_NOT_FOUND) {
        return status;
    }
    status = create_product(store, product, status, commit_id, err);
    return status == STATUS_ALREADY_EXISTS ? who_added(store, product->id, commit_id, err) : status;
}

struct listing {
    inventory_store_table_visitor visit;
    void *context;
};

static enum status list_row(void *context, const cJSON *entity, struct error *err) {
    const struct listing *listing = context;
    struct product product;
    struct error unread;
    char etag[INVENTORY_ETAG_BYTES];
    if (!product_entity_read_product(entity, &product, etag)) {
        (void)product_entity_unreadable(entity, &unread);
        log_event(LOG_ERROR, "A product is left out: %s", unread.message);
        return STATUS_OK;
    }
    return listing->visit(listing->context, &product, err);
}

enum status inventory_store_table_list(struct inventory_store_table *store, inventory_store_table_visitor visit,
                                       void *context, struct error *err) {
    struct listing listing = {.visit = visit, .context = context};
    const struct table_query query = {
        .table = store->table, .filter = "RowKey eq '" PRODUCT_ROW "'", .visit = list_row, .context = &listing};
    enum status status = table_query(store->client, &query, clock_now_ms(store->client->clock) + LISTING_MS, err);
    if (status != STATUS_OK) {
        error_wrap(err, "listing table %s", store->table);
    }
    return status;
}

void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client, const char *table) {
    static const struct inventory_store_ops ops = {.prepare = table_prepare,
                                                   .now_ms = table_now_ms,
                                                   .certain_ms = table_certain_ms,
                                                   .read = table_read,
                                                   .find_record = table_find_record,
                                                   .commit = table_commit,
                                                   .find_due = table_find_due,
                                                   .finish_due = table_finish_due};
    store->base.ops = &ops;
    store->client = client;
    store->table = table;
    store->is_seen = false;
    store->seeds_ended = 0;
    if (uuid_v4(store->sender) != STATUS_OK) {
        store->sender[0] = '\0'; /* nothing can be committed then */
    }
    due_index_init(&store->due, client, table);
}

void inventory_store_table_release(struct inventory_store_table *store) {
    due_index_release(&store->due);
}
