#include "inventory/product_transaction.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/product_entity.h"
#include "storage/table_client.h"

/* ---- the transaction ---- */

/* A transaction in the making: its operations, and what they borrow. */
struct transaction {
    struct table_operation operations[TABLE_TRANSACTION_MAX_OPERATIONS];
    cJSON *entities[TABLE_TRANSACTION_MAX_OPERATIONS];
    char row_keys[TABLE_TRANSACTION_MAX_OPERATIONS][PRODUCT_ENTITY_KEY_BYTES];
    size_t count;
    bool failed;
};

static void add(struct transaction *transaction, enum table_operation_kind kind, const char *partition_key,
                const char *row_key, const char *if_match, cJSON *entity_taken) {
    assert(transaction->count < TABLE_TRANSACTION_MAX_OPERATIONS);
    size_t i = transaction->count++;
    if (entity_taken == NULL && kind != TABLE_DELETE) {
        transaction->failed = true;
    }
    snprintf(transaction->row_keys[i], PRODUCT_ENTITY_KEY_BYTES, "%s", row_key);
    transaction->entities[i] = entity_taken;
    transaction->operations[i] = (struct table_operation){.kind = kind,
                                                          .partition_key = partition_key,
                                                          .row_key = transaction->row_keys[i],
                                                          .if_match = if_match,
                                                          .entity = entity_taken};
}

static void add_reservation(struct transaction *transaction, const char *product_id, const struct reservation *row) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_row_key(row, row_key);
    switch (row->mark) {
    case RESERVATION_ADDED:
        add(transaction, TABLE_INSERT, product_id, row_key, NULL, product_entity_of_reservation(product_id, row));
        break;
    case RESERVATION_CHANGED:
        add(transaction, TABLE_MERGE, product_id, row_key, "*", product_entity_of_reservation(product_id, row));
        break;
    case RESERVATION_REMOVED:
        add(transaction, TABLE_DELETE, product_id, row_key, "*", NULL);
        break;
    case RESERVATION_STORED:
        break;
    }
}

static void add_record(struct transaction *transaction, const struct product *after,
                       const struct idempotency_record *record) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_record_key(record->key_hash, row_key);
    struct idempotency_record written = *record;
    written.version = after->version;
    add(transaction, TABLE_INSERT, after->id, row_key, NULL, product_entity_of_record(after->id, &written));
}

static void transaction_free(struct transaction *transaction) {
    if (transaction == NULL) {
        return;
    }
    for (size_t i = 0; i < transaction->count; i++) {
        cJSON_Delete(transaction->entities[i]);
    }
    free(transaction);
}

/* NULL: no memory. */
static struct transaction *transaction_new(const struct product_state *state, const struct product *after) {
    struct transaction *transaction = calloc(1, sizeof *transaction);
    if (transaction == NULL) {
        return NULL;
    }
    add(transaction, TABLE_MERGE, after->id, PRODUCT_ROW, state->etag, product_entity_of_product(after));
    for (size_t i = 0; i < state->changed_count; i++) {
        add_reservation(transaction, after->id, state->changed[i]);
    }
    for (size_t i = 0; i < state->record_count; i++) {
        add_record(transaction, after, &state->records[i]);
    }
    if (transaction->failed) {
        transaction_free(transaction);
        return NULL;
    }
    return transaction;
}

/* ---- what became of it ---- */

/* Whether this answer leaves it open that the transaction was carried out. */
static bool is_open(enum status status) {
    return status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED || status == STATUS_NO_MEMORY;
}

/* Whether storage refused the transaction for what it holds, so that the same one fares no better. */
static bool is_refused(enum status status) {
    return status == STATUS_PRECONDITION_FAILED || status == STATUS_ALREADY_EXISTS || status == STATUS_NOT_FOUND;
}

/* Says it in a commit's words. A row that was read and is gone, or is there though nobody wrote it: the product has moved on. */
static enum status refusal(const struct product_state *state, enum status status, struct error *err) {
    if (status == STATUS_ALREADY_EXISTS && state->record_count > 0) {
        return status;
    }
    if (!is_refused(status)) {
        return status;
    }
    error_wrap(err, "the product has changed since it was read");
    if (err != NULL) {
        err->status = STATUS_PRECONDITION_FAILED;
    }
    return STATUS_PRECONDITION_FAILED;
}

enum status product_transaction_read_product(struct storage_client *client, const char *table, const char *product_id,
                                             int64_t deadline_ms, struct product *out, char etag[INVENTORY_ETAG_BYTES],
                                             struct error *err) {
    cJSON *entity = NULL;
    enum status status = table_get(client, table, product_id, PRODUCT_ROW, deadline_ms, &entity, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!product_entity_read_product(entity, out, etag)) {
        status = product_entity_unreadable(entity, err);
    }
    cJSON_Delete(entity);
    return status;
}

enum outcome { OUTCOME_HAPPENED, OUTCOME_NOT_YET, OUTCOME_NEVER, OUTCOME_UNKNOWN };

/* One commit, from its first attempt until it is known what became of it. */
struct commit {
    struct storage_client *client;
    const char *table;
    const struct product_state *state;
    const struct product *after;
    int64_t deadline_ms;
    bool open; /* an attempt may have been carried out, or may yet be */
};

/* Whether `ids` holds the first of `wanted`, which may be a longer list. */
static bool has_first(const char *ids, const char *wanted) {
    char id[UUID_TEXT_BYTES];
    snprintf(id, sizeof id, "%.*s", UUID_TEXT_BYTES - 1, wanted);
    return id[0] != '\0' && strstr(ids, id) != NULL;
}

static bool share_an_id(const char *before, const char *found) {
    bool shared = has_first(found, before);
    while (!shared && (before = strchr(before, ',')) != NULL) {
        shared = has_first(found, ++before);
    }
    return shared;
}

/*
 * Whether our id may have been in the row and be gone. A commit adds one id and pushes out at most one, the oldest, and only
 * from a full list. So nothing newer than an id that the row had before ours can have been pushed out while that id is there.
 */
static bool may_be_pushed_out(const struct commit *commit, const struct product *found) {
    bool is_full = strlen(found->commit_ids) + 1 == INVENTORY_COMMIT_IDS_BYTES;
    return found->version - commit->after->version >= INVENTORY_COMMIT_IDS && is_full &&
           !share_an_id(commit->state->product.commit_ids, found->commit_ids);
}

/*
 * Reads what happened; see the header. Storage is asked beyond the commit's deadline: an attempt may have taken all the time that
 * there was, and the truth is worth more to the caller than a quick "nobody knows".
 */
static enum outcome probe(const struct commit *commit, char etag[INVENTORY_ETAG_BYTES], struct error *err) {
    int64_t read_by_ms = clock_now_ms(commit->client->clock) + STORAGE_DEADLINE_MS;
    struct product found;
    enum status status =
        product_transaction_read_product(commit->client, commit->table, commit->after->id,
                                         clock_max_ms(read_by_ms, commit->deadline_ms), &found, etag, err);
    if (status != STATUS_OK) {
        return OUTCOME_UNKNOWN;
    }
    if (has_first(found.commit_ids, commit->after->commit_ids)) {
        if (found.version != commit->after->version) {
            etag[0] = '\0'; /* of somebody else's version: nothing of this state may be committed on it */
        }
        return OUTCOME_HAPPENED;
    }
    if (strcmp(etag, commit->state->etag) == 0) {
        return OUTCOME_NOT_YET;
    }
    if (!may_be_pushed_out(commit, &found)) {
        return OUTCOME_NEVER;
    }
    error_set(err, STATUS_UNAVAILABLE, "%lld commits have come since",
              (long long)(found.version - commit->after->version));
    return OUTCOME_UNKNOWN;
}

/*
 * Whether the answer alone says how it ended, though the row is as it was. A row that is in the way, or missing, stops every
 * copy of this transaction. "The ETag has changed" is not true of that row: whoever says so does not speak of storage as it is.
 */
static bool is_final(const struct commit *commit, enum status status) {
    return status == STATUS_ALREADY_EXISTS || status == STATUS_NOT_FOUND ||
           (status != STATUS_PRECONDITION_FAILED && !commit->open);
}

/* Whether the probe met with the same as the only attempt: the product or the whole table is not there, or we may not ask. */
static bool is_confirmed(const struct commit *commit, enum status answer, enum status probed) {
    return !commit->open && answer == probed &&
           (answer == STATUS_NOT_FOUND || answer == STATUS_CONTAINER_NOT_FOUND || answer == STATUS_UNAUTHORIZED);
}

/* `failure` is the last attempt's, `attempt` its number. True: send again; else *out_status says how it ended. */
static bool resolve(const struct commit *commit, int attempt, const struct error *failure,
                    char etag[INVENTORY_ETAG_BYTES], enum status *out_status, struct error *err) {
    struct error unread = {.status = STATUS_OK};
    switch (probe(commit, etag, &unread)) {
    case OUTCOME_HAPPENED:
        *out_status = STATUS_OK;
        return false;
    case OUTCOME_NEVER:
        *out_status = error_set(err, STATUS_PRECONDITION_FAILED, "another commit came first");
        return false;
    case OUTCOME_NOT_YET:
        if (is_final(commit, failure->status)) {
            *out_status = refusal(commit->state, failure->status, err);
            return false;
        }
        if (storage_client_back_off(commit->client, attempt, failure->retry_after_ms, commit->deadline_ms) ==
            STATUS_OK) {
            return true;
        }
        *out_status = error_set(err, STATUS_UNAVAILABLE, "not committed when its time was up: %s", failure->message);
        return false;
    case OUTCOME_UNKNOWN:
        break;
    }
    if (is_confirmed(commit, failure->status, unread.status)) {
        *out_status = refusal(commit->state, failure->status, err);
        return false;
    }
    *out_status = error_set(err, STATUS_UNAVAILABLE, "the commit failed (%s), and what happened cannot be told: %s",
                            failure->message, unread.message);
    return false;
}

/* Whatever an attempt is answered, but success: a copy of it that somebody on the way made may have succeeded before. */
static enum status send_until_known(struct commit *commit, const struct transaction *transaction,
                                    char etag[INVENTORY_ETAG_BYTES], struct error *err) {
    enum status status = STATUS_OK;
    bool again = true;
    for (int attempt = 1; again; attempt++) {
        struct error failure = {.status = STATUS_OK};
        status = table_transaction(commit->client, commit->table, transaction->operations, transaction->count,
                                   commit->deadline_ms, etag, &failure);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
        if (err != NULL) {
            *err = failure;
        }
        commit->open = commit->open || is_open(status);
        if (status == STATUS_TOO_LARGE && !commit->open) { /* it was not sent */
            return status;
        }
        again = resolve(commit, attempt, &failure, etag, &status, err);
    }
    return status;
}

enum status product_transaction_send(struct storage_client *client, const char *table,
                                     const struct product_state *state, const struct product *after,
                                     int64_t deadline_ms, char etag[INVENTORY_ETAG_BYTES], struct error *err) {
    struct transaction *transaction = transaction_new(state, after);
    if (transaction == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for the transaction");
    }
    struct commit commit = {
        .client = client, .table = table, .state = state, .after = after, .deadline_ms = deadline_ms};
    enum status status = send_until_known(&commit, transaction, etag, err);
    transaction_free(transaction);
    return status;
}
