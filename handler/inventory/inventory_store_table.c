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

static int64_t storage_deadline_ms(const struct inventory_store_table *store) {
    return clock_now_ms(store->base.platform->clock) + STORAGE_DEADLINE_MS;
}

static int64_t table_now_ms(struct inventory_store *base) {
    return storage_clock_ms(&table_of(base)->client->clocks[STORAGE_TABLE]);
}

static int64_t table_certain_ms(struct inventory_store *base) {
    return storage_clock_certain_ms(&table_of(base)->client->clocks[STORAGE_TABLE]);
}

/* ---- a record ---- */

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
        error_wrap(&failure, "reading a record of product %s", search->product_id);
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
                    storage_deadline_ms(store), &search->entity, on_record, search);
}

/* ---- commit: the index rows that are missing, one after the other, then the transaction ---- */

/*
 * Makes an id for a commit: a UUID whose first part is the same in all commits of this store. A
 * product has one commit of this store under way at a time, so its earlier ones need not be named
 * any more.
 */
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
 * Puts the new commit's id in front. It replaces this store's last one; else, in a full list, the
 * oldest.
 */
static enum status push_commit_id(const struct inventory_store_table *store,
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
    size_t indexed; /* changes whose index rows are there */
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

static void on_transaction(void *context, enum status status, const struct error *err) {
    end_commit(context, status, err);
}

static void on_indexed(void *context, enum status status, const struct error *err);

static void index_or_send(struct table_commit *commit) {
    struct inventory_store_table *store = commit->store;
    struct expiry_row row;
    if (expiry_index_next_row(commit->state, &commit->after, &commit->indexed, &row)) {
        expiry_index_insert_start(&store->due, &commit->call, &row, commit->deadline_ms, on_indexed,
                                  commit);
        return;
    }
    product_transaction_start(&commit->transaction, store->client, store->table, commit->state,
                              &commit->after, commit->deadline_ms, commit->etag, on_transaction,
                              commit);
}

static void on_indexed(void *context, enum status status, const struct error *err) {
    struct table_commit *commit = context;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        index_or_send(commit);
        return;
    }
    struct error failure = *err;
    error_wrap(&failure, "noting when it falls due");
    end_commit(commit, status, &failure);
}

/* Makes `after`, the product as it will be. Without an ETag the merge would be unconditional. */
static enum status begin_commit(struct table_commit *commit, struct error *err) {
    const struct product_state *state = commit->state;
    if (state->etag[0] == '\0') {
        return error_set(err, STATUS_PRECONDITION_FAILED,
                         "it is not known as it is now, and must be read");
    }
    commit->after = state->product;
    commit->after.version++;
    commit->after.due_ms = product_state_due_ms(state);
    enum status status = push_commit_id(commit->store, &state->product, &commit->after);
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
    if (begin_commit(commit, &err) == STATUS_OK) {
        index_or_send(commit);
    } else {
        error_wrap(&err, "committing product %s", state->product.id);
        store_operation_fail(&commit->base, base->platform->loop, &err);
    }
}

/* ---- an expiry that is indexed ahead of its commit ---- */

struct expiry {
    struct store_operation base;
    struct table_call call;
    const char *product_id;
    int64_t bucket_ms;
    int64_t *out_indexed_due_ms;
};

static void on_expiry_indexed(void *context, enum status status, const struct error *err) {
    struct expiry *expiry = context;
    struct error failure = *err;
    if (status == STATUS_OK || status == STATUS_ALREADY_EXISTS) {
        status = STATUS_OK;
        *expiry->out_indexed_due_ms = expiry->bucket_ms;
    } else {
        error_wrap(&failure, "noting when product %s falls due", expiry->product_id);
    }
    store_operation_end(&expiry->base, status, &failure);
}

/*
 * The row may be written long before its commit, because rows are not deleted by age. A row stays
 * until three minutes after its minute has begun (expiry_index.h). The commit that relies on it adds a
 * reservation that expires in that very minute; for any other, expiry_index_next_row asks for a row of
 * its own. So the commit was decided before the minute's end, by the same clock of storage, and
 * arrives within seconds or not at all. A commit that never comes leaves a row that costs one
 * visit.
 */
static void table_index_expiry(struct inventory_store *base, const char *product_id,
                               int64_t expires_ms, int64_t *out_indexed_due_ms,
                               inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    struct expiry *expiry = store_operation_new(base, sizeof *expiry, done, context);
    if (expiry == NULL) {
        return;
    }
    expiry->product_id = product_id;
    expiry->bucket_ms = expiry_index_minute_ms(expires_ms);
    expiry->out_indexed_due_ms = out_indexed_due_ms;
    struct expiry_row row = {.time_ms = expiry->bucket_ms, .kind = EXPIRY_OF_RESERVATIONS};
    snprintf(row.product_id, sizeof row.product_id, "%s", product_id);
    expiry_index_insert_start(&store->due, &expiry->call, &row, storage_deadline_ms(store),
                              on_expiry_indexed, expiry);
}

/* ---- waits that are announced ---- */

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
        error_wrap(&failure, "announcing that somebody waits for product %s", notice->product_id);
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
                       strbuf_text(&entity), storage_deadline_ms(store), on_announced, notice);
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
        error_wrap(&failure, "reading whether somebody waits for product %s", notice->product_id);
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
                    storage_deadline_ms(store), &notice->entity, on_wait_read, notice);
}

/* ---- what is due ---- */

static void table_find_expired(struct inventory_store *base, int64_t now_ms,
                               struct product_ids *out, inventory_store_done done, void *context) {
    expiry_index_find(&table_of(base)->due, now_ms, out, done, context);
}

/*
 * Deleting late costs nothing. So both storage's clock and this machine's must agree that the time
 * is over.
 */
static void table_clean_up_expired(struct inventory_store *base, const char *product_id,
                                   int64_t now_ms, int *out_records_deleted,
                                   inventory_store_done done, void *context) {
    struct inventory_store_table *store = table_of(base);
    int64_t until_ms = clock_min_ms(now_ms, clock_wall_ms(store->base.platform->clock));
    expiry_index_clean_up(&store->due, product_id, until_ms, out_records_deleted, done, context);
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
    store->seeds_ended = 0;
    store->seeds_ended_ahead = 0;
    if (uuid_v4(store->base.platform->random, store->sender) != STATUS_OK) {
        store->sender[0] = '\0'; /* nothing can be committed then */
    }
    expiry_index_init(&store->due, &store->base, client, table);
}

void inventory_store_table_cleanup(struct inventory_store_table *store) {
    expiry_index_cleanup(&store->due);
}
