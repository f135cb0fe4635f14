#include "inventory/batch.h"

#include <stdio.h>
#include <string.h>

#include "inventory/expiry_index.h"
#include "inventory/inventory.h"
#include "inventory/operation.h"

/* Promised are 24 hours from the answer, which comes less than 10 minutes after the decision. */
enum { KEEP_RECORD_MS = (24 * 60 + 10) * 60 * 1000 };

/* ---- stages ---- */

static bool has_key(const struct inventory_request *request) {
    return request->key_hash[0] != '\0';
}

static bool has_record(const struct inventory_request *request) {
    return request->record.key_hash[0] != '\0';
}

static bool is_in_memory(const struct product_state *state, const char *reservation_id) {
    return reservation_id != NULL &&
           reservation_list_find(&state->reservations, reservation_id) != NULL;
}

bool batch_lacks_rows(const struct batch *batch, const struct inventory_request *request) {
    return request->operation->rows != ROWS_NONE && !request->has_rows && !has_record(request) &&
           request->stage != REQUEST_DECIDED &&
           !is_in_memory(batch->state, request->reservation_id);
}

bool batch_lacks_record(const struct inventory_request *request) {
    return request->stage == REQUEST_NEEDS_RECORD;
}

void batch_reset(struct batch *batch) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &batch->requests, link) {
        request->has_rows = false;
        batch_forget_decision(request);
    }
}

/*
 * NEEDS_RECORD is kept, so that the next batch starts with the look-up. In QUEUED the request would
 * be refused again in each batch, and each batch with something to commit would put it off again.
 * A record that was found is kept, too. That none was found is forgotten, because a commit may have
 * added one since.
 */
void batch_forget_decision(struct inventory_request *request) {
    if (request->stage != REQUEST_NEEDS_RECORD) {
        request->stage = has_record(request) ? REQUEST_LOOKED_UP : REQUEST_QUEUED;
    }
}

void batch_look_up_keys(struct batch *batch) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &batch->requests, link) {
        if (has_key(request) && !has_record(request)) {
            request->stage = REQUEST_NEEDS_RECORD;
        }
    }
}

/* ---- for the rules ---- */

bool batch_has_room(const struct batch *batch, const struct inventory_request *request,
                    int changes) {
    return changes + has_key(request) <= inventory_room(batch->state, batch->certain_ms);
}

int64_t batch_expiry_ms(const struct batch *batch, const struct inventory_request *request) {
    return batch->now_ms + (request->lifetime_ms > 0 ? request->lifetime_ms : batch->lifetime_ms);
}

static bool is_among(int64_t minute_ms, const int64_t *minutes, int count) {
    int i = 0;
    while (i < count && minutes[i] != minute_ms) {
        i++;
    }
    return i < count;
}

bool batch_can_index(const struct batch *batch, int64_t expires_ms) {
    const struct product_state *state = batch->state;
    int64_t wanted_ms = expiry_index_minute_ms(expires_ms);
    int64_t minutes[BATCH_MAX_MINUTES + 1] = {state->product.indexed_due_ms};
    int count = 1;
    for (size_t i = 0; i < state->changed_count && count <= BATCH_MAX_MINUTES; i++) {
        int64_t minute_ms = expiry_index_minute_ms(state->changed[i]->expires_ms);
        if (reservation_needs_index(state->changed[i]) && !is_among(minute_ms, minutes, count)) {
            minutes[count++] = minute_ms;
        }
    }
    return count <= BATCH_MAX_MINUTES || is_among(wanted_ms, minutes, count);
}

enum request_stage batch_refuse(const struct batch *batch, struct inventory_request *request,
                                enum refusal refusal) {
    bool is_looked_up = !has_key(request) || request->stage == REQUEST_LOOKED_UP;
    request->refusal = refusal;
    request->available = inventory_available(batch->state, batch->now_ms);
    return is_looked_up ? REQUEST_DECIDED : REQUEST_NEEDS_RECORD;
}

enum request_stage batch_grant(struct batch *batch, struct inventory_request *request,
                               int64_t units, const char *reservation_id) {
    request->units = units;
    request->available = inventory_available(batch->state, batch->now_ms);
    if (!has_key(request)) {
        return REQUEST_DECIDED;
    }
    struct idempotency_record record = {.quantity = units,
                                        .available = request->available,
                                        .total = request->total,
                                        .remaining = request->remaining,
                                        .version = batch->state->product.version + 1,
                                        .reserved_ms = request->reservation.reserved_ms,
                                        .expires_ms = request->reservation.expires_ms,
                                        .keep_until_ms = batch->now_ms + KEEP_RECORD_MS};
    memcpy(record.key_hash, request->key_hash, sizeof record.key_hash);
    memcpy(record.request_hash, request->request_hash, sizeof record.request_hash);
    snprintf(record.reservation_id, sizeof record.reservation_id, "%s", reservation_id);
    snprintf(record.customer_id, sizeof record.customer_id, "%s", request->holder_id);
    /* Without its record a repeat would be carried out again, so a failure fails the batch. */
    batch->failure = product_state_add_record(batch->state, &record);
    return REQUEST_DECIDED;
}

/* ---- deciding ---- */

/* Returns the record of the request's key: a stored one, or one that this batch adds. Or NULL. */
static const struct idempotency_record *find_record(const struct batch *batch,
                                                    const struct inventory_request *request) {
    if (has_record(request)) {
        return &request->record;
    }
    for (size_t i = 0; i < batch->state->record_count && has_key(request); i++) {
        if (strcmp(batch->state->records[i].key_hash, request->key_hash) == 0) {
            return &batch->state->records[i];
        }
    }
    return NULL;
}

static enum request_stage batch_answer_repeat(struct inventory_request *request,
                                              const struct idempotency_record *record) {
    request->is_repeat = true;
    if (strcmp(record->request_hash, request->request_hash) != 0) {
        request->status =
            error_set(&request->failure, STATUS_KEY_REUSED, "its key was used for another request");
        return REQUEST_DECIDED;
    }
    request->units = record->quantity;
    request->available = record->available;
    request->total = record->total;
    request->remaining = record->remaining;
    request->version = record->version;
    request->reservation = (struct reservation_terms){.quantity = record->quantity,
                                                      .reserved_ms = record->reserved_ms,
                                                      .expires_ms = record->expires_ms};
    snprintf(request->reservation.id, sizeof request->reservation.id, "%s", record->reservation_id);
    snprintf(request->holder_id, sizeof request->holder_id, "%s", record->customer_id);
    return REQUEST_DECIDED;
}

/* Returns true if the request would change the version that it expects. */
static bool is_expected_version(const struct batch *batch,
                                const struct inventory_request *request) {
    const struct product_state *state = batch->state;
    return request->expected_version == 0 ||
           (request->expected_version == state->product.version && state->change_count == 0);
}

static enum request_stage batch_decide_anew(struct batch *batch,
                                            struct inventory_request *request) {
    const struct idempotency_record *record = find_record(batch, request);
    if (record != NULL) {
        return batch_answer_repeat(request, record);
    }
    if (!is_expected_version(batch, request)) {
        return batch_refuse(batch, request, REFUSAL_OTHER_VERSION);
    }
    return request->operation->decide(batch, request);
}

/*
 * Decides one request. It may be decided already: it failed alone, or it was refused while another
 * had to be looked up. Returns false if the transaction has no room for it.
 */
static bool batch_decide_one(struct batch *batch, struct inventory_request *request) {
    if (request->stage == REQUEST_DECIDED) {
        return true;
    }
    enum request_stage before = request->stage;
    request->status = STATUS_OK;
    request->is_repeat = false;
    request->units = request->total = request->remaining = 0;
    request->refusal = REFUSAL_NONE;
    request->reservation = (struct reservation_terms){.quantity = 0};
    request->holder_id[0] = '\0';
    request->version = 0; /* that of the commit, unless it is set before */
    request->stage = batch_decide_anew(batch, request);
    return request->stage != before;
}

/*
 * Returns true if a batch without changes cannot answer this request before the product is
 * validated. A read under the present lease, but before the request came, is not enough: the lease
 * may have been broken since.
 */
static bool needs_validation(const struct inventory_request *request, uint64_t validated_sequence) {
    bool is_answer = request->stage == REQUEST_DECIDED && request->status == STATUS_OK &&
                     !request->is_repeat && request->operation->rests_on_product;
    return (is_answer || request->stage == REQUEST_NEEDS_RECORD) &&
           request->sequence >= validated_sequence;
}

/*
 * What follows from the decisions. The first that applies:
 *
 *     the decisions must not be committed                BATCH_FAIL
 *     there are changes                                  BATCH_COMMIT
 *     an answer needs a validated product                BATCH_VALIDATE
 *     a key has to be looked up                          BATCH_LOOK_UP
 *     at least one request is decided                    BATCH_ANSWER
 *     none is decided                                    BATCH_VALIDATE
 *
 * In the last case the first request needs units of reservations that have expired by now_ms, but
 * not yet by certain_ms. A read brings storage's time, after which they can be removed.
 */
static enum batch_outcome batch_judge(const struct batch *batch, uint64_t validated_sequence) {
    const struct inventory_request *request;
    bool is_decided = false, must_validate = false, must_look_up = false;
    TAILQ_FOREACH(request, &batch->requests, link) {
        is_decided = is_decided || request->stage == REQUEST_DECIDED;
        must_validate = must_validate || needs_validation(request, validated_sequence);
        must_look_up = must_look_up || request->stage == REQUEST_NEEDS_RECORD;
    }
    if (batch->failure != STATUS_OK) {
        return BATCH_FAIL;
    }
    if (batch->state->change_count > 0) {
        return BATCH_COMMIT;
    }
    if (must_validate) {
        return BATCH_VALIDATE;
    }
    if (must_look_up) {
        return BATCH_LOOK_UP;
    }
    return is_decided ? BATCH_ANSWER : BATCH_VALIDATE;
}

/*
 * The batch will be decided again after the look-up, and may then have something to commit. A
 * request that is decided now is not decided again. So its answer must name the version before that
 * commit.
 */
static void note_versions(struct batch *batch) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &batch->requests, link) {
        if (request->stage == REQUEST_DECIDED && request->status == STATUS_OK &&
            request->version == 0) {
            request->version = batch->state->product.version;
        }
    }
}

enum batch_outcome batch_decide(struct batch *batch, uint64_t validated_sequence) {
    struct inventory_request *request;
    bool has_room = true;
    batch->failure = STATUS_OK;
    TAILQ_FOREACH(request, &batch->requests, link) {
        has_room = has_room && batch_decide_one(batch, request) && batch->failure == STATUS_OK;
    }
    if (batch->state->change_count > 0) {
        inventory_expire_alongside(batch->state, batch->certain_ms);
    }
    enum batch_outcome outcome = batch_judge(batch, validated_sequence);
    if (outcome == BATCH_LOOK_UP) {
        note_versions(batch);
    }
    return outcome;
}

/* ---- after the commit ---- */

static void batch_complete_answer(const struct batch *batch, struct inventory_request *request,
                                  int renewal_count) {
    request->committed_units += request->units;
    request->renewal_count = renewal_count;
    if (request->version == 0) {
        request->version = batch->state->product.version;
    }
    if (request->units > 0 && !request->is_repeat && request->operation->log_success != NULL) {
        const struct correlation *before = correlation_use(request->correlation);
        request->operation->log_success(batch->product_id, request);
        correlation_use(before);
    }
}

void batch_complete_answers(struct batch *batch, int renewal_count) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &batch->requests, link) {
        if (request->stage == REQUEST_CONTINUES) {
            request->committed_units += request->units;
        } else if (request->stage == REQUEST_DECIDED && request->status == STATUS_OK) {
            batch_complete_answer(batch, request, renewal_count);
        }
    }
}
