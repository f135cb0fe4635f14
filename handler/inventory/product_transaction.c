#include "inventory/product_transaction.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "inventory/product_entity.h"
#include "storage/table_client.h"

/* ---- the operations ---- */

/* The operations of one request, and what they borrow. */
struct operations {
    struct table_operation items[TABLE_TRANSACTION_MAX_OPERATIONS];
    struct strbuf entities[TABLE_TRANSACTION_MAX_OPERATIONS];
    char row_keys[TABLE_TRANSACTION_MAX_OPERATIONS][PRODUCT_ENTITY_KEY_BYTES];
    size_t count;
};

/* Returns where the operation's entity has to be written, unless it deletes one. */
static struct strbuf *add(struct operations *operations, enum table_operation_kind kind,
                          const char *partition_key, const char *row_key, const char *if_match) {
    assert(operations->count < TABLE_TRANSACTION_MAX_OPERATIONS);
    size_t i = operations->count++;
    snprintf(operations->row_keys[i], PRODUCT_ENTITY_KEY_BYTES, "%s", row_key);
    operations->items[i] = (struct table_operation){.kind = kind,
                                                    .partition_key = partition_key,
                                                    .row_key = operations->row_keys[i],
                                                    .if_match = if_match};
    strbuf_init(&operations->entities[i], SIZE_MAX);
    return &operations->entities[i];
}

static void add_reservation(struct operations *operations, const char *product_id,
                            const struct reservation *row) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_reservation_key(row, row_key);
    switch (row->mark) {
    case RESERVATION_ADDED:
        product_entity_write_reservation(product_id, row,
                                         add(operations, TABLE_INSERT, product_id, row_key, NULL));
        break;
    case RESERVATION_CHANGED:
        product_entity_write_reservation(product_id, row,
                                         add(operations, TABLE_MERGE, product_id, row_key, "*"));
        break;
    case RESERVATION_REMOVED:
        add(operations, TABLE_DELETE, product_id, row_key, "*");
        break;
    case RESERVATION_STORED:
        break;
    }
}

static void add_record(struct operations *operations, const struct product *after,
                       const struct idempotency_record *record) {
    char row_key[PRODUCT_ENTITY_KEY_BYTES];
    product_entity_record_key(record->key_hash, row_key);
    struct idempotency_record written = *record;
    written.version = after->version;
    product_entity_write_record(after->id, &written,
                                add(operations, TABLE_INSERT, after->id, row_key, NULL));
}

/* An entity that found no memory stays NULL, which the request tells. */
static void set_entities(struct operations *operations) {
    for (size_t i = 0; i < operations->count; i++) {
        if (operations->items[i].kind != TABLE_DELETE) {
            operations->items[i].entity = strbuf_text(&operations->entities[i]);
        }
    }
}

static void collect(struct operations *operations, const struct product_state *state,
                    const struct product *after) {
    operations->count = 0;
    product_entity_write_product(after,
                                 add(operations, TABLE_MERGE, after->id, PRODUCT_ROW, state->etag));
    for (size_t i = 0; i < state->changed_count; i++) {
        add_reservation(operations, after->id, state->changed[i]);
    }
    for (size_t i = 0; i < state->record_count; i++) {
        add_record(operations, after, &state->records[i]);
    }
    set_entities(operations);
}

static void free_entities(struct operations *operations) {
    for (size_t i = 0; i < operations->count; i++) {
        strbuf_cleanup(&operations->entities[i]);
    }
}

/* ---- the outcome ---- */

/* Whether this answer leaves it open that the transaction was carried out. */
static bool is_open(enum status status) {
    return status == STATUS_UNAVAILABLE || status == STATUS_CANCELLED || status == STATUS_NO_MEMORY;
}

/* Whether storage refused the transaction for what it holds, so that the same one fares no better. */
static bool is_refused(enum status status) {
    return status == STATUS_PRECONDITION_FAILED || status == STATUS_ALREADY_EXISTS ||
           status == STATUS_NOT_FOUND;
}

/* Says it in a commit's words. A row that was read and is gone, or is there though nobody wrote it: the product has moved on. */
static enum status refusal(const struct product_state *state, enum status status,
                           struct error *err) {
    if (status == STATUS_ALREADY_EXISTS && state->record_count > 0) {
        return status;
    }
    if (!is_refused(status)) {
        return status;
    }
    error_wrap(err, "the product has changed since it was read");
    return err->status = STATUS_PRECONDITION_FAILED;
}

enum outcome { OUTCOME_HAPPENED, OUTCOME_NOT_YET, OUTCOME_NEVER, OUTCOME_UNKNOWN };

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
static bool may_be_pushed_out(const struct product_transaction *commit,
                              const struct product *found) {
    bool is_full = strlen(found->commit_ids) + 1 == INVENTORY_COMMIT_IDS_BYTES;
    return found->version - commit->after->version >= INVENTORY_COMMIT_IDS && is_full &&
           !share_an_id(commit->state->product.commit_ids, found->commit_ids);
}

/* Returns what the product's row says of the commit; see the header. `etag` receives the row's. */
static enum outcome outcome_of_row(const struct product_transaction *commit,
                                   char etag[INVENTORY_ETAG_BYTES], struct error *err) {
    struct product found;
    if (!product_entity_read_product(commit->row, &found, etag)) {
        (void)product_entity_unreadable(commit->row, err);
        return OUTCOME_UNKNOWN;
    }
    if (has_first(found.commit_ids, commit->after->commit_ids)) {
        if (found.version != commit->after->version) {
            etag[0] =
                '\0'; /* of somebody else's version: nothing of this state may be committed on it */
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
static bool is_final(const struct product_transaction *commit, enum status status) {
    return status == STATUS_ALREADY_EXISTS || status == STATUS_NOT_FOUND ||
           (status != STATUS_PRECONDITION_FAILED && !commit->is_open);
}

/* Whether the probe met with the same as the only attempt: the product or the whole table is not there, or we may not ask. */
static bool is_confirmed(const struct product_transaction *commit, enum status answer,
                         enum status probed) {
    return !commit->is_open && answer == probed &&
           (answer == STATUS_NOT_FOUND || answer == STATUS_CONTAINER_NOT_FOUND ||
            answer == STATUS_UNAUTHORIZED);
}

/* ---- from one state to the next ---- */

static void end(struct product_transaction *commit, enum status status, const struct error *err) {
    commit->stage = TRANSACTION_ENDED;
    commit->done(commit->context, status, err);
}

static void end_refused(struct product_transaction *commit) {
    struct error err = commit->failure;
    end(commit, refusal(commit->state, commit->failure.status, &err), &err);
}

static void end_unknown(struct product_transaction *commit, const char *why, const char *detail) {
    struct error err = commit->failure;
    error_set(&err, STATUS_UNAVAILABLE, "the commit failed (%s), and %s%s", commit->failure.message,
              why, detail);
    end(commit, STATUS_UNAVAILABLE, &err);
}

static void send_operations(struct product_transaction *commit);

static void on_wait_over(void *context, enum status status, struct http_reply *reply,
                         const struct error *err) {
    struct product_transaction *commit = context;
    (void)reply;
    if (status != STATUS_OK) {
        end_unknown(commit, "it was not sent again: ", err->message);
        return;
    }
    send_operations(commit);
}

static void back_off(struct product_transaction *commit) {
    int64_t delay_ms = storage_client_delay_ms(commit->client, commit->attempts,
                                               commit->failure.retry_after_ms, commit->deadline_ms);
    if (delay_ms < 0) {
        end_unknown(commit, "it had not happened when its time was up", "");
        return;
    }
    commit->stage = TRANSACTION_WAITING;
    storage_operation_wait(&commit->wait, commit->client, delay_ms, on_wait_over, commit);
}

/* `unread` says why the outcome is unknown. */
static void on_outcome(struct product_transaction *commit, enum outcome outcome, const char *etag,
                       const struct error *unread) {
    struct error err;
    switch (outcome) {
    case OUTCOME_HAPPENED:
        snprintf(commit->out_etag, INVENTORY_ETAG_BYTES, "%s", etag);
        end(commit, STATUS_OK, unread);
        break;
    case OUTCOME_NEVER:
        error_set(&err, STATUS_PRECONDITION_FAILED, "another commit came first");
        end(commit, STATUS_PRECONDITION_FAILED, &err);
        break;
    case OUTCOME_NOT_YET:
        if (is_final(commit, commit->failure.status)) {
            end_refused(commit);
            break;
        }
        commit->is_open = true; /* the answer was not true: the request may still be on its way */
        back_off(commit);
        break;
    case OUTCOME_UNKNOWN:
        if (is_confirmed(commit, commit->failure.status, unread->status)) {
            end_refused(commit);
        } else {
            end_unknown(commit, "what happened cannot be told: ", unread->message);
        }
        break;
    }
}

static void on_probed(void *context, enum status status, const struct error *err) {
    struct product_transaction *commit = context;
    struct error unread = *err;
    char etag[INVENTORY_ETAG_BYTES] = "";
    enum outcome outcome = OUTCOME_UNKNOWN;
    if (status == STATUS_OK) {
        outcome = outcome_of_row(commit, etag, &unread);
        cJSON_Delete(commit->row);
    }
    on_outcome(commit, outcome, etag, &unread);
}

/*
 * Storage may be asked after the commit's deadline, because an attempt may have taken all the time
 * that there was. The truth is worth more to the caller than a quick "nobody knows".
 */
static void probe_commit(struct product_transaction *commit) {
    int64_t read_by_ms = clock_now_ms(commit->client->platform->clock) + STORAGE_DEADLINE_MS;
    commit->stage = TRANSACTION_PROBING;
    table_get_start(&commit->call, commit->client, commit->table, commit->after->id, PRODUCT_ROW,
                    clock_max_ms(read_by_ms, commit->deadline_ms), &commit->row, on_probed, commit);
}

/*
 * Only success is believed at once. After any other answer a copy of the request may have succeeded
 * before it.
 */
static void on_sent(void *context, enum status status, const struct error *err) {
    struct product_transaction *commit = context;
    if (status == STATUS_OK) {
        end(commit, STATUS_OK, err);
        return;
    }
    commit->failure = *err;
    commit->failure.status = status;
    commit->is_open = commit->is_open || is_open(status);
    if (status == STATUS_TOO_LARGE && !commit->is_open) { /* it was not sent */
        end(commit, status, err);
        return;
    }
    probe_commit(commit);
}

/* Sends the same each time, because neither the state nor `after` changes meanwhile. */
static void send_operations(struct product_transaction *commit) {
    struct operations operations;
    collect(&operations, commit->state, commit->after);
    commit->stage = TRANSACTION_SENDING;
    commit->attempts++;
    table_transaction_start(&commit->call, commit->client, commit->table, operations.items,
                            operations.count, commit->deadline_ms, commit->out_etag, on_sent,
                            commit);
    free_entities(&operations);
}

void product_transaction_start(struct product_transaction *transaction,
                               struct storage_client *client, const char *table,
                               const struct product_state *state, const struct product *after,
                               int64_t deadline_ms, char out_etag[INVENTORY_ETAG_BYTES],
                               table_done done, void *context) {
    assert(transaction->stage == TRANSACTION_ENDED);
    *transaction = (struct product_transaction){.client = client,
                                                .table = table,
                                                .state = state,
                                                .after = after,
                                                .deadline_ms = deadline_ms,
                                                .done = done,
                                                .context = context};
    transaction->out_etag = out_etag;
    send_operations(transaction);
}
