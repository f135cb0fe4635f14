#include "inventory/table_setup.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "inventory/product_entity.h"
#include "storage/table_client.h"

enum { FILTER_MAX_BYTES = 1024, LISTING_MS = 30000 };

static int64_t storage_deadline_ms(const struct inventory_store_table *store) {
    return clock_now_ms(store->client->clock) + STORAGE_DEADLINE_MS;
}

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

enum status table_setup_prepare(struct inventory_store_table *store, const struct seed_product *seeds, size_t count,
                                struct error *err) {
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

/* ---- for operators ---- */

static enum status read_product_row(struct inventory_store_table *store, const char *product_id, struct product *out,
                                    struct error *err) {
    char etag[INVENTORY_ETAG_BYTES];
    cJSON *entity = NULL;
    enum status status =
        table_get(store->client, store->table, product_id, PRODUCT_ROW, storage_deadline_ms(store), &entity, err);
    if (status == STATUS_OK && !product_entity_read_product(entity, out, etag)) {
        status = product_entity_unreadable(entity, err);
    }
    cJSON_Delete(entity);
    return status;
}

/*
 * Tells whether a product that was absent, and is there now, comes from our own insert, whose
 * answer was lost.
 */
static enum status who_added(struct inventory_store_table *store, const char *product_id, const char *commit_id,
                             struct error *err) {
    struct product found;
    enum status status = read_product_row(store, product_id, &found, err);
    if (status == STATUS_OK && strstr(found.commit_ids, commit_id) != NULL) {
        return STATUS_OK;
    }
    if (status == STATUS_OK && found.version <= INVENTORY_COMMIT_IDS) {
        return error_set(err, STATUS_ALREADY_EXISTS, "somebody else has just added it");
    }
    error_wrap(err, "it is there now, but nobody knows who added it");
    return STATUS_UNAVAILABLE;
}

enum status table_setup_add(struct inventory_store_table *store, const struct seed_product *product,
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
    table_setup_visitor visit;
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

enum status table_setup_list(struct inventory_store_table *store, table_setup_visitor visit, void *context,
                             struct error *err) {
    struct listing listing = {.visit = visit, .context = context};
    const struct table_query query = {
        .table = store->table, .filter = "RowKey eq '" PRODUCT_ROW "'", .visit = list_row, .context = &listing};
    enum status status = table_query(store->client, &query, clock_now_ms(store->client->clock) + LISTING_MS, err);
    if (status != STATUS_OK) {
        error_wrap(err, "listing table %s", store->table);
    }
    return status;
}
