#include "inventory/product_creation.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "inventory/product_entity.h"

enum { FILTER_MAX_BYTES = 1024 };

static void end_creation(struct product_creation *creation, enum status status,
                         const struct error *err) {
    strbuf_cleanup(&creation->filter);
    creation->done(creation->context, status, err);
}

static void fail_creation(struct product_creation *creation, enum status status, const char *why) {
    struct error err;
    error_set(&err, status, "%s", why);
    end_creation(creation, status, &err);
}

/* ---- INSERTING ---- */

/* If the reply to an attempt is unknown, no other failure proves that nothing was inserted. */
static void on_inserted(void *context, enum status status, const struct error *err) {
    struct product_creation *creation = context;
    struct error failure = *err;
    creation->product_exists = status == STATUS_OK || status == STATUS_ALREADY_EXISTS;
    if (!creation->product_exists && status != STATUS_CANCELLED && err->may_have_happened) {
        error_wrap(&failure, "it may have been created");
        status = failure.status = STATUS_UNAVAILABLE;
    }
    end_creation(creation, status, &failure);
}

static void insert_product(struct product_creation *creation) {
    const struct seed_product *seed = creation->product;
    struct product product = {
        .total = seed->total, .available = seed->total, .version = 1, .due_ms = INT64_MAX};
    enum status status = uuid_v4(creation->store->base.platform->random, creation->commit_id);
    if (status != STATUS_OK) {
        fail_creation(creation, status, "no random bytes");
        return;
    }
    creation->was_inserting = true;
    memcpy(product.id, seed->id, sizeof product.id);
    memcpy(product.commit_ids, creation->commit_id, UUID_TEXT_BYTES);
    struct strbuf entity;
    strbuf_init(&entity, SIZE_MAX);
    product_entity_write_product(&product, &entity);
    table_insert_start(&creation->call, creation->store->client, creation->store->table,
                       strbuf_text(&entity), storage_client_deadline_ms(creation->store->client),
                       on_inserted, creation);
    strbuf_cleanup(&entity);
}

/* ---- CHECKING_PARTITION ---- */

/* The partition is not empty. Ends the query. */
static enum status on_any_row(void *context, const cJSON *entity, struct error *err) {
    struct product_creation *creation = context;
    const char *row_key = json_string(entity, "RowKey");
    creation->product_exists = row_key != NULL && strcmp(row_key, PRODUCT_ROW) == 0;
    if (creation->product_exists) {
        return error_set(err, STATUS_ALREADY_EXISTS, "it already exists");
    }
    creation->has_other_rows = true;
    return error_set(err, STATUS_PRECONDITION_FAILED,
                     "its row `" PRODUCT_ROW
                     "` is missing from the table, but other rows of it are there (%.200s). "
                     "Restore that row; or delete all rows of its partition, and create it again",
                     row_key == NULL ? "?" : row_key);
}

static void on_partition_checked(void *context, enum status status, const struct error *err) {
    struct product_creation *creation = context;
    if (status == STATUS_OK) {
        insert_product(creation);
    } else {
        end_creation(creation, status, err);
    }
}

static void check_partition(struct product_creation *creation) {
    struct strbuf *filter = &creation->filter;
    strbuf_append_string(filter, "PartitionKey eq ");
    table_append_literal(filter, creation->product->id);
    if (strbuf_status(filter) != STATUS_OK) {
        fail_creation(creation, strbuf_status(filter), "the query could not be written");
        return;
    }
    const struct table_query query = {.table = creation->store->table,
                                      .filter = filter->data,
                                      .visit = on_any_row,
                                      .context = creation};
    table_query_start(&creation->call, creation->store->client, &query,
                      storage_client_deadline_ms(creation->store->client), on_partition_checked,
                      creation);
}

/* ---- CREATING_TABLE ---- */

static void on_table_created(void *context, enum status status, const struct error *err) {
    struct product_creation *creation = context;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        creation->store->has_seen_table = true;
        check_partition(creation);
    } else {
        end_creation(creation, status, err);
    }
}

/* ---- LOOKING ---- */

static void on_looked(void *context, enum status status, const struct error *err) {
    struct product_creation *creation = context;
    struct inventory_store_table *store = creation->store;
    store->has_seen_table =
        store->has_seen_table || status == STATUS_OK || status == STATUS_NOT_FOUND;
    if (status == STATUS_OK) {
        cJSON_Delete(creation->row);
        creation->product_exists = true;
        fail_creation(creation, STATUS_ALREADY_EXISTS, "it already exists");
    } else if (status == STATUS_NOT_FOUND) {
        check_partition(creation);
    } else if (status == STATUS_CONTAINER_NOT_FOUND && !store->has_seen_table) {
        table_create_start(&creation->call, store->client, store->table,
                           storage_client_deadline_ms(store->client), on_table_created, creation);
    } else {
        end_creation(creation, status, err);
    }
}

void product_creation_start(struct product_creation *creation, struct inventory_store_table *store,
                            const struct seed_product *product, table_done done, void *context) {
    *creation = (struct product_creation){
        .store = store, .product = product, .done = done, .context = context};
    strbuf_init(&creation->filter, FILTER_MAX_BYTES);
    table_get_start(&creation->call, store->client, store->table, product->id, PRODUCT_ROW,
                    storage_client_deadline_ms(creation->store->client), &creation->row, on_looked,
                    creation);
}
