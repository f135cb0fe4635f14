#include "inventory/product_transaction.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "inventory/product_entity.h"
#include "storage/table_client.h"

/* ---- the operations ---- */

/* The operations of one transaction, with the keys and entities that they borrow. */
struct operations {
    struct table_operation items[TABLE_TRANSACTION_MAX_OPERATIONS];
    struct strbuf entities[TABLE_TRANSACTION_MAX_OPERATIONS];
    char row_keys[TABLE_TRANSACTION_MAX_OPERATIONS][PRODUCT_ENTITY_KEY_BYTES];
    size_t count;
};

/* Adds an operation. Returns the buffer for its entity; a deletion leaves it empty. */
static struct strbuf *add_operation(struct operations *operations, enum table_operation_kind kind,
                                    const char *partition_key, const char *row_key,
                                    const char *if_match) {
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
        product_entity_write_reservation(
            product_id, row, add_operation(operations, TABLE_INSERT, product_id, row_key, NULL));
        break;
    case RESERVATION_CHANGED:
    case RESERVATION_EXTENDED:
        product_entity_write_reservation(
            product_id, row, add_operation(operations, TABLE_MERGE, product_id, row_key, "*"));
        break;
    case RESERVATION_REMOVED:
        add_operation(operations, TABLE_DELETE, product_id, row_key, "*");
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
                                add_operation(operations, TABLE_INSERT, after->id, row_key, NULL));
}

/* An entity for which there was no memory is NULL. table_transaction_start then reports it. */
static void set_entities(struct operations *operations) {
    for (size_t i = 0; i < operations->count; i++) {
        if (operations->items[i].kind != TABLE_DELETE) {
            operations->items[i].entity = strbuf_text(&operations->entities[i]);
        }
    }
}

static void collect_operations(struct operations *operations, const struct product_state *state,
                               const struct product *after) {
    operations->count = 0;
    product_entity_write_product(
        after, add_operation(operations, TABLE_MERGE, after->id, PRODUCT_ROW, state->etag));
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

/* ---- what a probe says ---- */

enum outcome { OUTCOME_HAPPENED, OUTCOME_NOT_YET, OUTCOME_NEVER, OUTCOME_UNKNOWN };

struct probe {
    enum outcome outcome;
    /* OUTCOME_HAPPENED: the row's ETag, or "" if the row is at a later version. */
    char etag[INVENTORY_ETAG_BYTES];
    /* OUTCOME_UNKNOWN: the reason. */
    struct error failure;
};

/* Returns true if `ids` holds the first id of `list`. */
static bool has_first_id(const char *ids, const char *list) {
    char id[UUID_TEXT_BYTES];
    snprintf(id, sizeof id, "%.*s", UUID_TEXT_BYTES - 1, list);
    return id[0] != '\0' && strstr(ids, id) != NULL;
}

static bool share_an_id(const char *left, const char *right) {
    for (const char *id = left; id != NULL;) {
        if (has_first_id(right, id)) {
            return true;
        }
        const char *comma = strchr(id, ',');
        id = comma == NULL ? NULL : comma + 1;
    }
    return false;
}

/*
 * Returns true if our commit id may have been in the row and be gone.
 *
 * A commit adds one id at the front. It pushes out at most one, the oldest, and only from a full
 * list. So as long as one id remains that the row had before our commit, no newer id is gone.
 */
static bool may_be_pushed_out(const struct product_change *change, const struct product *found) {
    bool is_full = strlen(found->commit_ids) + 1 == INVENTORY_COMMIT_IDS_BYTES;
    return found->version - change->after->version >= INVENTORY_COMMIT_IDS && is_full &&
           !share_an_id(change->state->product.commit_ids, found->commit_ids);
}

/*
 * Tells from the product's row what has become of a commit.
 *
 *     the row names this commit             HAPPENED. If the row is at a later version, others have
 *                                           committed since, and have kept the name.
 *     it does not, and has the same ETag    NOT_YET. The transaction may still arrive.
 *     it does not, and has another ETag     NEVER. The ETag that this commit needs will not return.
 *                                           But UNKNOWN if so many others have committed since that
 *                                           the name may have been pushed out of the list.
 *     the row cannot be read                UNKNOWN
 */
static void examine_row(const struct product_change *change, const cJSON *row,
                        struct probe *probe) {
    struct product found;
    if (!product_entity_read_product(row, &found, probe->etag)) {
        probe->outcome = OUTCOME_UNKNOWN;
        (void)product_entity_unreadable(row, &probe->failure);
    } else if (has_first_id(found.commit_ids, change->after->commit_ids)) {
        probe->outcome = OUTCOME_HAPPENED;
        if (found.version != change->after->version) {
            probe->etag[0] = '\0'; /* the caller's state is not of that version */
        }
    } else if (strcmp(probe->etag, change->state->etag) == 0) {
        probe->outcome = OUTCOME_NOT_YET;
    } else if (!may_be_pushed_out(change, &found)) {
        probe->outcome = OUTCOME_NEVER;
    } else {
        probe->outcome = OUTCOME_UNKNOWN;
        error_set(&probe->failure, STATUS_UNAVAILABLE, "%lld commits have followed since",
                  (long long)(found.version - change->after->version));
    }
}

/* ---- what follows ---- */

/*
 * Returns true if this answer leaves it open whether the transaction was carried out. Memory may
 * also run out while the reply is read, after the request was sent.
 */
static bool leaves_doubt(enum status answer) {
    return answer == STATUS_UNAVAILABLE || answer == STATUS_CANCELLED || answer == STATUS_NO_MEMORY;
}

enum next_step { STEP_SUCCEED, STEP_FAIL, STEP_REJECT, STEP_SEND_AGAIN, STEP_GIVE_UP };

/*
 * Decides what follows from a probe and from the answer to the last attempt. "In doubt" tells
 * whether any attempt may have been carried out, or may still be.
 *
 *     probe      answer                              in doubt   then
 *     HAPPENED   any                                 any        succeed
 *     NEVER      any                                 any        fail: another commit came first
 *     NOT_YET    ALREADY_EXISTS, NOT_FOUND           any        reject, with that answer
 *                PRECONDITION_FAILED                 any        send again
 *                any other                           no         reject, with that answer
 *                any other                           yes        send again
 *     UNKNOWN    NOT_FOUND, CONTAINER_NOT_FOUND or   no         reject, with that answer
 *                UNAUTHORIZED, and the probe the same
 *                any other                           any        give up: the outcome is unknown
 *
 * NOT_YET: if a row exists already or is missing, no copy of the transaction can succeed while the
 * ETag stays. PRECONDITION_FAILED contradicts the row just read, so it is not believed.
 * UNKNOWN: NOT_FOUND, CONTAINER_NOT_FOUND and UNAUTHORIZED are believed only if the single attempt
 * and the probe agree.
 */
static enum next_step next_step(const struct probe *probe, enum status answer, bool is_in_doubt) {
    bool is_final = false;
    switch (probe->outcome) {
    case OUTCOME_HAPPENED:
        return STEP_SUCCEED;
    case OUTCOME_NEVER:
        return STEP_FAIL;
    case OUTCOME_NOT_YET:
        is_final = answer == STATUS_ALREADY_EXISTS || answer == STATUS_NOT_FOUND ||
                   (answer != STATUS_PRECONDITION_FAILED && !is_in_doubt);
        return is_final ? STEP_REJECT : STEP_SEND_AGAIN;
    case OUTCOME_UNKNOWN:
        is_final = !is_in_doubt && answer == probe->failure.status &&
                   (answer == STATUS_NOT_FOUND || answer == STATUS_CONTAINER_NOT_FOUND ||
                    answer == STATUS_UNAUTHORIZED);
        return is_final ? STEP_REJECT : STEP_GIVE_UP;
    }
    return STEP_GIVE_UP;
}

/* ---- from one state to the next ---- */

static void end_transaction(struct product_transaction *commit, enum status status,
                            const struct error *err) {
    commit->stage = TRANSACTION_ENDED;
    commit->done(commit->context, status, err);
}

/*
 * Ends with the last answer, in terms of a store's commit. If a reservation's row is missing, or
 * there already, although the ETag is the same, memory and storage disagree. That is reported as
 * STATUS_PRECONDITION_FAILED, so that the product is read again. With records in the transaction,
 * STATUS_ALREADY_EXISTS may mean that one of them exists, so it stays as it is.
 */
static void end_rejected(struct product_transaction *commit) {
    struct error err = commit->answer;
    bool may_be_a_record =
        err.status == STATUS_ALREADY_EXISTS && commit->change.state->record_count > 0;
    if (!may_be_a_record &&
        (err.status == STATUS_PRECONDITION_FAILED || err.status == STATUS_ALREADY_EXISTS ||
         err.status == STATUS_NOT_FOUND)) {
        error_wrap(&err, "the product has changed since it was read");
        err.status = STATUS_PRECONDITION_FAILED;
    }
    end_transaction(commit, err.status, &err);
}

static void end_unknown(struct product_transaction *commit, const char *why, const char *detail) {
    struct error err = commit->answer;
    error_set(&err, STATUS_UNAVAILABLE, "the commit failed (%s), and %s%s", commit->answer.message,
              why, detail);
    end_transaction(commit, STATUS_UNAVAILABLE, &err);
}

static void send_transaction(struct product_transaction *commit);

static void on_wait_over(void *context, enum status status, struct http_reply *reply,
                         const struct error *err) {
    struct product_transaction *commit = context;
    (void)reply;
    if (status != STATUS_OK) {
        end_unknown(commit, "it was not sent again: ", err->message);
        return;
    }
    send_transaction(commit);
}

static void wait_to_send_again(struct product_transaction *commit) {
    int64_t delay_ms =
        storage_client_delay_ms(commit->client, commit->attempts, commit->answer.retry_after_ms,
                                commit->change.deadline_ms);
    if (delay_ms < 0) {
        end_unknown(commit, "it had not been carried out by its deadline", "");
        return;
    }
    /* An earlier answer is not final once we send again: any earlier copy may still arrive. */
    commit->is_in_doubt = true;
    commit->stage = TRANSACTION_WAITING;
    storage_operation_wait(&commit->wait, commit->client, delay_ms, on_wait_over, commit);
}

static void on_probed(void *context, enum status status, const struct error *err) {
    struct product_transaction *commit = context;
    struct probe probe = {.outcome = OUTCOME_UNKNOWN, .failure = *err};
    if (status == STATUS_OK) {
        examine_row(&commit->change, commit->row, &probe);
        cJSON_Delete(commit->row);
    }
    struct error overtaken;
    switch (next_step(&probe, commit->answer.status, commit->is_in_doubt)) {
    case STEP_SUCCEED:
        snprintf(commit->change.out_etag, INVENTORY_ETAG_BYTES, "%s", probe.etag);
        end_transaction(commit, STATUS_OK, err);
        break;
    case STEP_FAIL:
        error_set(&overtaken, STATUS_PRECONDITION_FAILED, "another commit came first");
        end_transaction(commit, STATUS_PRECONDITION_FAILED, &overtaken);
        break;
    case STEP_REJECT:
        end_rejected(commit);
        break;
    case STEP_SEND_AGAIN:
        wait_to_send_again(commit);
        break;
    case STEP_GIVE_UP:
        end_unknown(commit, "its outcome is unknown: ", probe.failure.message);
        break;
    }
}

/*
 * Probes even after the commit's deadline, because a single attempt may have taken all of the time.
 * The true outcome is worth more to the caller than a quick "unknown".
 */
static void probe_commit(struct product_transaction *commit) {
    int64_t read_by_ms = storage_client_deadline_ms(commit->client);
    commit->stage = TRANSACTION_PROBING;
    table_get_start(&commit->call, commit->client, commit->table, commit->change.after->id,
                    PRODUCT_ROW, clock_max_ms(read_by_ms, commit->change.deadline_ms), &commit->row,
                    on_probed, commit);
}

static void on_sent(void *context, enum status status, const struct error *err) {
    struct product_transaction *commit = context;
    if (status == STATUS_OK) {
        end_transaction(commit, STATUS_OK, err);
        return;
    }
    commit->answer = *err;
    commit->answer.status = status;
    commit->is_in_doubt = commit->is_in_doubt || leaves_doubt(status);
    if (status == STATUS_TOO_LARGE && !commit->is_in_doubt) { /* it was not sent */
        end_transaction(commit, status, err);
        return;
    }
    probe_commit(commit);
}

/* Sends the same bytes each time, because the change is borrowed and does not change. */
static void send_transaction(struct product_transaction *commit) {
    const struct product_change *change = &commit->change;
    struct operations operations;
    collect_operations(&operations, change->state, change->after);
    commit->stage = TRANSACTION_SENDING;
    commit->attempts++;
    table_transaction_start(&commit->call, commit->client, commit->table, operations.items,
                            operations.count, change->deadline_ms, change->out_etag, on_sent,
                            commit);
    free_entities(&operations);
}

void product_transaction_start(struct product_transaction *transaction,
                               struct storage_client *client, const char *table,
                               const struct product_change *change, table_done done,
                               void *context) {
    assert(transaction->stage == TRANSACTION_ENDED);
    *transaction = (struct product_transaction){
        .client = client, .table = table, .change = *change, .done = done, .context = context};
    send_transaction(transaction);
}
