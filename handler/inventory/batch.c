#include "inventory/batch.h"

#include <stdio.h>
#include <string.h>

#include "inventory/inventory.h"
#include "inventory/operation.h"

/* A repeat is answered alike for 24 hours at least. A request is answered less than 10 minutes after it was decided. */
enum { KEEP_RECORD_MS = (24 * 60 + 10) * 60 * 1000 };

static bool has_key(const struct inventory_request *request) {
    return request->key_hash[0] != '\0';
}

static bool has_record(const struct inventory_request *request) {
    return request->record.key_hash[0] != '\0';
}

bool batch_lacks_rows(const struct inventory_request *request) {
    return request->operation->rows != ROWS_NONE && !request->has_rows && !has_record(request) &&
           request->stage != REQUEST_DECIDED;
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

void batch_forget_decision(struct inventory_request *request) {
    if (request->stage == REQUEST_NEEDS_RECORD) {
        return; /* it is looked up first: otherwise it would wait for as long as each batch commits something */
    }
    /* A record that was found stays. That there was none is true of the product as it was then alone. */
    request->stage = has_record(request) ? REQUEST_LOOKED_UP : REQUEST_QUEUED;
}

void batch_look_up_keys(struct batch *batch) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &batch->requests, link) {
        if (has_key(request) && !has_record(request)) {
            request->stage = REQUEST_NEEDS_RECORD;
        }
    }
}

bool batch_has_room(const struct batch *batch, const struct inventory_request *request,
                    int changes) {
    return changes + has_key(request) <= inventory_room(batch->state, batch->certain_ms);
}

enum request_stage batch_refuse(const struct batch *batch, struct inventory_request *request) {
    request->available = inventory_available(batch->state, batch->now_ms);
    return has_key(request) && request->stage != REQUEST_LOOKED_UP ? REQUEST_NEEDS_RECORD
                                                                   : REQUEST_DECIDED;
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
                                        .version = batch->state->product.version + 1,
                                        .reserved_ms = request->reservation.reserved_ms,
                                        .expires_ms = request->reservation.expires_ms,
                                        .keep_until_ms = batch->now_ms + KEEP_RECORD_MS};
    memcpy(record.key_hash, request->key_hash, sizeof record.key_hash);
    memcpy(record.request_hash, request->request_hash, sizeof record.request_hash);
    snprintf(record.reservation_id, sizeof record.reservation_id, "%s", reservation_id);
    /* Without its record a repeat would be carried out again. So the whole batch fails with it. */
    batch->failure = product_state_add_record(batch->state, &record);
    return REQUEST_DECIDED;
}

/* Answers a request whose key was used before, now or earlier in this batch. */
static enum request_stage answer_repeat(struct inventory_request *request,
                                        const struct idempotency_record *record) {
    request->is_repeat = true;
    if (strcmp(record->request_hash, request->request_hash) != 0) {
        request->status =
            error_set(&request->failure, STATUS_KEY_REUSED, "its key was used for another request");
        return REQUEST_DECIDED;
    }
    request->units = record->quantity;
    request->available = record->available;
    request->version = record->version;
    request->reservation = (struct reservation_terms){.quantity = record->quantity,
                                                      .reserved_ms = record->reserved_ms,
                                                      .expires_ms = record->expires_ms};
    snprintf(request->reservation.id, sizeof request->reservation.id, "%s", record->reservation_id);
    return REQUEST_DECIDED;
}

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

/* Returns false if the transaction has no room for it. */
static bool decide_one(struct batch *batch, struct inventory_request *request) {
    if (request->stage ==
        REQUEST_DECIDED) { /* it has failed alone, or was refused before a look-up */
        return true;
    }
    enum request_stage before = request->stage;
    request->status = STATUS_OK;
    request->is_repeat = false;
    request->units = 0;
    request->version = 0; /* of the commit that is to come, unless it is known before */
    const struct idempotency_record *record = find_record(batch, request);
    request->stage = record == NULL ? request->operation->decide(batch, request)
                                    : answer_repeat(request, record);
    return request->stage != before;
}

/*
 * Whether the product has to be read again before a request of a batch without changes can be answered. That it was read
 * under this very lease proves nothing: the lease may have been broken since.
 */
static bool needs_validation(const struct inventory_request *request, uint64_t validated_sequence) {
    bool is_answer = request->stage == REQUEST_DECIDED && request->status == STATUS_OK &&
                     !request->is_repeat && request->operation->rests_on_product;
    return (is_answer || request->stage == REQUEST_NEEDS_RECORD) &&
           request->sequence >= validated_sequence;
}

static enum batch_outcome judge(const struct batch *batch, uint64_t validated_sequence) {
    const struct inventory_request *request;
    bool is_decided = false, must_validate = false, must_look_up = false;
    if (batch->failure != STATUS_OK) {
        return BATCH_FAIL;
    }
    if (batch->state->change_count > 0) {
        return BATCH_COMMIT; /* it can succeed only if the cache is what is stored */
    }
    TAILQ_FOREACH(request, &batch->requests, link) {
        is_decided = is_decided || request->stage == REQUEST_DECIDED;
        must_validate = must_validate || needs_validation(request, validated_sequence);
        must_look_up = must_look_up || request->stage == REQUEST_NEEDS_RECORD;
    }
    if (must_validate) {
        return BATCH_VALIDATE;
    }
    if (must_look_up) {
        return BATCH_LOOK_UP;
    }
    /* With no room in an empty transaction, its units are in rows that may not be removed yet. */
    return is_decided ? BATCH_ANSWER : BATCH_VALIDATE;
}

/* A look-up follows, and by the commit something may have expired. What was refused keeps the version that it was refused at. */
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
        has_room = has_room && decide_one(batch, request) && batch->failure == STATUS_OK;
    }
    if (batch->state->change_count > 0) {
        inventory_expire_alongside(batch->state, batch->certain_ms);
    }
    enum batch_outcome outcome = judge(batch, validated_sequence);
    if (outcome == BATCH_LOOK_UP) {
        note_versions(batch);
    }
    return outcome;
}

void batch_complete_answers(struct batch *batch, int renewal_count) {
    struct inventory_request *request;
    TAILQ_FOREACH(request, &batch->requests, link) {
        if (request->stage == REQUEST_CONTINUES) {
            request->committed_units += request->units;
        }
        if (request->stage != REQUEST_DECIDED || request->status != STATUS_OK) {
            continue;
        }
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
}
