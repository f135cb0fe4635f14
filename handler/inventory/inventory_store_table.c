#include "inventory/inventory_store_table.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "inventory/product_entity.h"
#include "inventory/product_transaction.h"
#include "inventory/store_operation.h"
#include "inventory/table_read.h"
#include "inventory/table_setup.h"
#include "storage/storage_clock.h"
#include "storage/table_client.h"

static struct inventory_store_table *table_of(struct inventory_store *store) {
    return (struct inventory_store_table *)store;
}

static int64_t table_now_ms(struct inventory_store *base) {
    return storage_clock_ms(&table_of(base)->client->clocks[STORAGE_TABLE]);
}

static int64_t table_certain_ms(struct inventory_store *base) {
    return storage_clock_certain_ms(&table_of(base)->client->clocks[STORAGE_TABLE]);
}

/* ---- find_record ---- */

struct record_search {
    struct store_operation base;
    struct table_call call;
    const char *product_id;
    const char *key_hash;
    struct idempotency_record *out;
    cJSON *entity;
};

static void on_record(void *context, enum status status, const struct error *err) {
    struct record_search *search = context;
    struct error failure = *err;
    if (status == STATUS_OK &&
        !product_entity_read_record(search->entity, search->key_hash, search->out)) {
        status = product_entity_unreadable(search->entity, &failure);
    }
    cJSON_Delete(search->entity);
    if (status != STATUS_OK) {
        error_wrap(&failure, "reading an idempotency record of product %s", search->product_id);
    }
    store_operation_end(&search->base, status, &failure);
}

static void table_find_record(struct inventory_store *base, const char *product_id,
                              const char *key_hash, struct idempotency_record *out,
                              inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    struct record_search *search = store_operation_new(base, sizeof *search, done, context);
    if (search == NULL) {
        return;
    }
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_record_key(key_hash, row_key);
    search->product_id = product_id;
    search->key_hash = key_hash;
    search->out = out;
    table_get_start(&search->call, store->client, store->table, product_id, row_key,
                    storage_client_deadline_ms(store->client), &search->entity, on_record, search);
}

/* ---- commit: first the missing expiry rows, one after the other, then the transaction ---- */

/* Makes a commit id: a UUID whose first part is the same in all commits of this handler. */
static enum status make_commit_id(const struct inventory_store_table *store,
                                  char out[UUID_TEXT_BYTES]) {
    enum status status =
        store->sender[0] == '\0' ? STATUS_INTERNAL : uuid_v4(store->base.platform->random, out);
    if (status == STATUS_OK) {
        memcpy(out, store->sender, COMMIT_SENDER_LENGTH);
    }
    return status;
}

/*
 * Writes the commit ids of the product's next row: a new id, and then those of other handlers, as
 * many as there is room for.
 *
 * This handler's earlier id is dropped. A product has one commit of this handler under way at a
 * time, so nobody asks for the outcome of an earlier one any more.
 */
static enum status write_commit_ids(const struct inventory_store_table *store,
                                    const struct product *before, struct product *after) {
    enum status status = make_commit_id(store, after->commit_ids);
    if (status != STATUS_OK) {
        return status;
    }
    int kept = 1;
    size_t written = strlen(after->commit_ids);
    for (const char *old = before->commit_ids; *old != '\0' && kept < INVENTORY_COMMIT_IDS;) {
        size_t length = strcspn(old, ",");
        if (length == UUID_TEXT_BYTES - 1 &&
            strncmp(old, store->sender, COMMIT_SENDER_LENGTH) != 0) {
            written +=
                (size_t)snprintf(after->commit_ids + written, sizeof after->commit_ids - written,
                                 ",%.*s", (int)length, old);
            kept++;
        }
        old += length + (old[length] == ',');
    }
    return STATUS_OK;
}

struct table_commit {
    struct store_operation base;
    struct inventory_store_table *store;
    struct product_state *state;
    struct product after;
    int64_t deadline_ms;
    size_t indexed_count; /* changes whose expiry rows exist */
    struct table_call call;
    struct product_transaction transaction;
    char etag[INVENTORY_ETAG_BYTES];
};

static void end_commit(struct table_commit *commit, enum status status, const struct error *err) {
    struct product_state *state = commit->state;
    struct error failure = *err;
    if (status == STATUS_OK) {
        state->product = commit->after;
        memcpy(state->etag, commit->etag, sizeof state->etag);
        product_state_committed(state);
    } else {
        error_wrap(&failure, "committing product %s", state->product.id);
    }
    store_operation_end(&commit->base, status, &failure);
}

static void on_transaction_ended(void *context, enum status status, const struct error *err) {
    end_commit(context, status, err);
}

static void on_commit_indexed(void *context, enum status status, const struct error *err);

static void continue_commit(struct table_commit *commit) {
    struct inventory_store_table *store = commit->store;
    struct expiry_row row;
    if (expiry_index_next_row(commit->state, &commit->after, &commit->indexed_count, &row)) {
        expiry_index_insert_start(&store->expiry_index, &commit->call, &row, commit->deadline_ms,
                                  on_commit_indexed, commit);
        return;
    }
    const struct commit_order order = {.state = commit->state,
                                       .after = &commit->after,
                                       .deadline_ms = commit->deadline_ms,
                                       .out_etag = commit->etag};
    product_transaction_start(&commit->transaction, store->client, store->table, &order,
                              on_transaction_ended, commit);
}

static void on_commit_indexed(void *context, enum status status, const struct error *err) {
    struct table_commit *commit = context;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        continue_commit(commit);
        return;
    }
    struct error failure = *err;
    error_wrap(&failure, "writing its expiry row");
    end_commit(commit, status, &failure);
}

/*
 * Makes `after`, the product's row after the commit. Rejects a state without an ETag, because its
 * merge would be unconditional.
 */
static enum status make_next_row(struct table_commit *commit, struct error *err) {
    const struct product_state *state = commit->state;
    if (state->etag[0] == '\0') {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "its current version is not known; it must be read first");
    }
    commit->after = state->product;
    commit->after.version++;
    commit->after.due_ms = product_state_due_ms(state);
    enum status status = write_commit_ids(commit->store, &state->product, &commit->after);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "no random bytes");
}

static void table_commit(struct inventory_store *base, struct product_state *state,
                         int64_t deadline_ms, inventory_store_done done, void *context) {
    assert(state->change_count <= INVENTORY_MAX_CHANGES);
    struct table_commit *commit = store_operation_new(base, sizeof *commit, done, context);
    if (commit == NULL) {
        return;
    }
    commit->store = table_of(base);
    commit->state = state;
    commit->deadline_ms = deadline_ms;
    struct error err;
    if (make_next_row(commit, &err) == STATUS_OK) {
        continue_commit(commit);
    } else {
        error_wrap(&err, "committing product %s", state->product.id);
        store_operation_fail(&commit->base, base->platform->loop, &err);
    }
}

/* ---- index_expiry ---- */

struct expiry_write {
    struct store_operation base;
    struct table_call call;
    const char *product_id;
    int64_t minute_ms;
    int64_t *out_indexed_due_ms;
};

static void on_expiry_written(void *context, enum status status, const struct error *err) {
    struct expiry_write *write = context;
    struct error failure = *err;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        status = STATUS_OK;
        *write->out_indexed_due_ms = write->minute_ms;
    } else {
        error_wrap(&failure, "writing an expiry row of product %s", write->product_id);
    }
    store_operation_end(&write->base, status, &failure);
}

/*
 * Writes an expiry row ahead of the commit that will rely on it. That commit may come much later.
 *
 * This is safe, because a row is deleted by the minute that it stands for, never by its age. It
 * stays until EXPIRY_GRACE_MS after the end of its minute. The commit that relies on it adds a
 * reservation that expires in that minute; for any other minute expiry_index_next_row asks for
 * another row. So the commit was decided before the minute ended, by the same clock of storage. It
 * arrives within seconds of that, or not at all. A commit that never comes leaves a row that costs
 * one visit.
 */
static void table_index_expiry(struct inventory_store *base, const char *product_id,
                               int64_t expires_ms, int64_t *out_indexed_due_ms,
                               inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    struct expiry_write *write = store_operation_new(base, sizeof *write, done, context);
    if (write == NULL) {
        return;
    }
    write->product_id = product_id;
    write->minute_ms = expiry_index_minute_ms(expires_ms);
    write->out_indexed_due_ms = out_indexed_due_ms;
    struct expiry_row row = {.time_ms = write->minute_ms, .kind = EXPIRY_OF_RESERVATIONS};
    snprintf(row.product_id, sizeof row.product_id, "%s", product_id);
    expiry_index_insert_start(&store->expiry_index, &write->call, &row,
                              storage_client_deadline_ms(store->client), on_expiry_written, write);
}

/* ---- announce_wait, read_wait ---- */

struct wait_notice {
    struct store_operation base;
    struct table_call call;
    const char *product_id;
    cJSON *entity;
    int64_t *out_announced_ms;
};

static void on_announced(void *context, enum status status, const struct error *err) {
    struct wait_notice *notice = context;
    struct error failure = *err;
    if (status != STATUS_OK) {
        error_wrap(&failure, "announcing a wait for the lease of product %s", notice->product_id);
    }
    store_operation_end(&notice->base, status, &failure);
}

static void table_announce_wait(struct inventory_store *base, const char *product_id,
                                inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    struct wait_notice *notice = store_operation_new(base, sizeof *notice, done, context);
    if (notice == NULL) {
        return;
    }
    char partition[PRODUCT_ENTITY_KEY_BYTES];
    struct strbuf entity;
    strbuf_init(&entity, SIZE_MAX);
    product_entity_wait_partition(product_id, partition);
    product_entity_write_wait(product_id, &entity);
    notice->product_id = product_id;
    table_upsert_start(&notice->call, store->client, store->table, partition, WAIT_ROW,
                       strbuf_text(&entity), storage_client_deadline_ms(store->client),
                       on_announced, notice);
    strbuf_cleanup(&entity);
}

static void on_wait_read(void *context, enum status status, const struct error *err) {
    struct wait_notice *notice = context;
    struct error failure = *err;
    int64_t announced_ms = 0;
    if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    } else if (status == STATUS_OK &&
               !product_entity_read_timestamp(notice->entity, &announced_ms)) {
        status = product_entity_unreadable(notice->entity, &failure);
    }
    cJSON_Delete(notice->entity);
    if (status == STATUS_OK) {
        *notice->out_announced_ms = announced_ms;
    } else {
        error_wrap(&failure, "reading the last wait for the lease of product %s",
                   notice->product_id);
    }
    store_operation_end(&notice->base, status, &failure);
}

static void table_read_wait(struct inventory_store *base, const char *product_id,
                            int64_t *out_announced_ms, inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    struct wait_notice *notice = store_operation_new(base, sizeof *notice, done, context);
    if (notice == NULL) {
        return;
    }
    char partition[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_wait_partition(product_id, partition);
    notice->product_id = product_id;
    notice->out_announced_ms = out_announced_ms;
    table_get_start(&notice->call, store->client, store->table, partition, WAIT_ROW,
                    storage_client_deadline_ms(store->client), &notice->entity, on_wait_read,
                    notice);
}

/* ---- find_expired, clean_up_expired ---- */

static void table_find_expired(struct inventory_store *base, int64_t now_ms,
                               struct product_ids *out, inventory_store_done done, void *context) {
    expiry_index_find_expired(&table_of(base)->expiry_index, now_ms, out, done, context);
}

/*
 * Deletes only what has expired by storage's clock and by this machine's clock. A deletion that
 * comes late does no harm.
 */
static void table_clean_up_expired(struct inventory_store *base, const char *product_id,
                                   int64_t now_ms, int *out_records_deleted,
                                   inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    int64_t until_ms = clock_min_ms(now_ms, clock_wall_ms(store->base.platform->clock));
    expiry_index_clean_up_expired(&store->expiry_index, product_id, until_ms, out_records_deleted,
                                  done, context);
}

void inventory_store_table_init(struct inventory_store_table *store, struct storage_client *client,
                                const char *table) {
    static const struct inventory_store_ops ops = {.prepare = table_setup_prepare,
                                                   .now_ms = table_now_ms,
                                                   .certain_ms = table_certain_ms,
                                                   .read = table_read,
                                                   .find_record = table_find_record,
                                                   .commit = table_commit,
                                                   .index_expiry = table_index_expiry,
                                                   .announce_wait = table_announce_wait,
                                                   .read_wait = table_read_wait,
                                                   .find_expired = table_find_expired,
                                                   .clean_up_expired = table_clean_up_expired};
    store_operation_init_store(&store->base, &ops, client->platform);
    store->client = client;
    store->table = table;
    store->has_seen_table = false;
    store->seeds_done = 0;
    store->seeds_done_ahead = 0;
    if (uuid_v4(store->base.platform->random, store->sender) != STATUS_OK) {
        store->sender[0] = '\0'; /* every commit fails then */
    }
    expiry_index_init(&store->expiry_index, &store->base, client, table);
}

void inventory_store_table_cleanup(struct inventory_store_table *store) {
    expiry_index_cleanup(&store->expiry_index);
}
