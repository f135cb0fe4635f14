#include "inventory/inventory_batch.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "inventory/batch_known.h"
#include "inventory/inventory_store_wait.h"

enum {
    COMMIT_MS = 5000, /* a commit ends within so much, and starts only with that much of its lease left */
    MAX_ROUNDS = 5,   /* each is caused by another instance, or by a key that has to be looked up */
    KEEP_MS = (24 * 60 + 10) * 60 * 1000, /* 24 hours from the answer on, which follows this by less than 10 minutes */
};

/* ---- deciding: each answers whether the request is included; if not, it waits for the next turn ---- */

/* The same request, carried out before or earlier in this batch. */
static bool repeat(struct inventory_request *request, const struct idempotency_record *record) {
    request->is_repeat = true;
    if (strcmp(record->request_hash, request->request_hash) != 0) {
        request->status = error_set(&request->failure, STATUS_KEY_REUSED, "its key was used for another request");
        return true;
    }
    request->units = record->quantity;
    request->available = record->available;
    request->version = record->version;
    request->reservation = (struct reservation_terms){
        .quantity = record->quantity, .reserved_ms = record->reserved_ms, .expires_ms = record->expires_ms};
    snprintf(request->reservation.id, sizeof request->reservation.id, "%s", record->reservation_id);
    return true;
}

static const struct idempotency_record *find_record(const struct batch *batch,
                                                    const struct inventory_request *request) {
    if (request->has_record) {
        return &request->record;
    }
    for (size_t i = 0; i < batch->state->record_count && request->key_hash[0] != '\0'; i++) {
        if (strcmp(batch->state->records[i].key_hash, request->key_hash) == 0) {
            return &batch->state->records[i];
        }
    }
    return NULL;
}

static bool has_room(const struct batch *batch, const struct inventory_request *request, int changes) {
    int keys = request->key_hash[0] != '\0';
    return changes + keys <= inventory_room(batch->state, batch->certain_ms);
}

/* With nothing to grant: refused, unless its key may say that it was granted before. */
static bool refuse(const struct batch *batch, struct inventory_request *request) {
    request->needs_look_up = request->key_hash[0] != '\0';
    request->available = inventory_available(batch->state, batch->now_ms);
    return !request->needs_look_up || request->is_looked_up;
}

/* Carried out: notes the answer, and keeps it for repeats. */
static bool grant(struct batch *batch, struct inventory_request *request, int64_t units, const char *reservation_id) {
    request->units = units;
    request->available = inventory_available(batch->state, batch->now_ms);
    if (request->key_hash[0] == '\0') {
        return true;
    }
    struct idempotency_record record = {.quantity = units,
                                        .available = request->available,
                                        .version = batch->state->product.version + 1,
                                        .reserved_ms = request->reservation.reserved_ms,
                                        .expires_ms = request->reservation.expires_ms,
                                        .keep_until_ms = batch->now_ms + KEEP_MS};
    memcpy(record.key_hash, request->key_hash, sizeof record.key_hash);
    memcpy(record.request_hash, request->request_hash, sizeof record.request_hash);
    snprintf(record.reservation_id, sizeof record.reservation_id, "%s", reservation_id);
    batch->decided =
        product_state_add_record(batch->state, &record); /* without it a repeat would be carried out again */
    return batch->decided == STATUS_OK;
}

/*
 * What is refused is refused with all that has expired counted: the rows are known, or all is decided again
 * (must_be_decided_again), so nothing has to be taken away first. What can be met goes on before those behind it for as long as
 * taking away takes: they would have to do the same work for the same units, and it ends with the rows that have expired by now.
 */
static bool reserve(struct batch *batch, struct inventory_request *request) {
    if (!has_room(batch, request, 1)) {
        return false;
    }
    const struct reservation *reservation = NULL;
    bool reserved = false;
    if (request->quantity > inventory_available(batch->state, batch->now_ms)) {
        return refuse(batch, request);
    }
    if (request->quantity > batch->state->product.available) {
        (void)inventory_expire_for(batch->state, request->quantity, batch->certain_ms, 2);
    }
    request->status = inventory_reserve(batch->state, request->customer_id, request->quantity, batch->now_ms,
                                        batch->context->reservation_lifetime_ms, &reserved, &reservation);
    if (request->status != STATUS_OK) {
        error_set(&request->failure, request->status, "making a reservation");
        return true;
    }
    if (!reserved) { /* its units are in more rows than one transaction can take away */
        return false;
    }
    request->reservation = inventory_terms(reservation);
    return grant(batch, request, request->quantity, reservation->id);
}

static bool release(struct batch *batch, struct inventory_request *request) {
    int changes = inventory_release_changes(batch->state, request->customer_id, request->reservation_id,
                                            request->quantity, batch->now_ms);
    bool is_first = batch->state->change_count == 0;
    if (!is_first && !has_room(batch, request, changes)) {
        return false;
    }
    int keys = request->key_hash[0] != '\0';
    int64_t units = inventory_release(batch->state, request->customer_id, request->reservation_id, request->quantity,
                                      batch->now_ms, keys);
    if (units == 0) {
        return refuse(batch, request);
    }
    return grant(batch, request, units, request->reservation_id == NULL ? "" : request->reservation_id);
}

/* What has room is taken away. While that is not all, it steps back; with no room at all it waits as anybody does. */
static bool expire(struct batch *batch, struct inventory_request *request) {
    request->units = inventory_expire(batch->state, batch->certain_ms, 0, INVENTORY_MAX_CHANGES);
    request->expired_until_ms = batch->certain_ms;
    bool more = inventory_has_expired(batch->state, batch->certain_ms);
    request->entry.steps_back = more && request->units > 0;
    return !more || request->entry.steps_back;
}

static bool set_total(struct batch *batch, struct inventory_request *request) {
    if (!has_room(batch, request, 1)) {
        return false;
    }
    const struct product *product = &batch->state->product;
    bool can_be_met = request->quantity >= product->total - inventory_available(batch->state, batch->now_ms);
    if (can_be_met && request->quantity < product->total - product->available) {
        int64_t needed = product->total - request->quantity;
        (void)inventory_expire_for(batch->state, needed, batch->certain_ms, 1);
    }
    request->is_set = inventory_set_total(batch->state, request->quantity);
    request->total = product->total;
    request->available = inventory_available(batch->state, batch->now_ms);
    return request->is_set || !can_be_met;
}

static bool decide_one(struct batch *batch, struct inventory_request *request) {
    const struct idempotency_record *record = find_record(batch, request);
    request->status = request->gathered;
    request->is_repeat = false;
    if (request->status != STATUS_OK) {
        return true;
    }
    if (record != NULL) {
        return repeat(request, record);
    }
    switch (request->operation) {
    case INVENTORY_RESERVE:
        return reserve(batch, request);
    case INVENTORY_RELEASE:
        return release(batch, request);
    case INVENTORY_EXPIRE:
        return expire(batch, request);
    case INVENTORY_SET_TOTAL:
        return set_total(batch, request);
    case INVENTORY_READ:
        break;
    }
    return true;
}

/* Would it, as things are, be refused, or can only its rows tell? */
static bool may_be_refused(const struct batch *batch, const struct inventory_request *request) {
    return request->operation == INVENTORY_RELEASE || request->quantity > batch->state->product.available;
}

/* In order of arrival, up to the first that has to wait. If that is for a look-up, others will need one: they have it together. */
static void decide(struct batch *batch) {
    batch->now_ms = batch->store->ops->now_ms(batch->store);
    batch->certain_ms = batch->store->ops->certain_ms(batch->store);
    batch->decided = STATUS_OK;
    bool included = true, look_up = false;
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        request->units = 0;
        request->entry.steps_back = false;
        included = included && request->is_gathered && decide_one(batch, request);
        request->is_included = included && !request->entry.steps_back;
        look_up = look_up || (!included && batch_waits_for_look_up(request));
        if (look_up && request->key_hash[0] != '\0' && may_be_refused(batch, request)) {
            request->needs_look_up = true;
        }
    }
    if (batch->state->change_count > 0) {
        inventory_expire_along(batch->state, batch->certain_ms);
    }
}

/* ---- committing ---- */

static enum status commit(struct batch *batch, struct error *err) {
    int64_t safe_until_ms = 0;
    enum status status =
        lease_manager_ensure(batch->context->leases, batch->turn->lease, COMMIT_MS, &safe_until_ms, err);
    if (status != STATUS_OK) {
        error_wrap(err, "before the commit");
        return status;
    }
    int64_t deadline_ms = clock_now_ms(batch->context->clock) + COMMIT_MS;
    if (deadline_ms > safe_until_ms) { /* time has passed since it was asked */
        deadline_ms = safe_until_ms;
    }
    return inventory_store_commit_and_wait(batch->store, batch->state, deadline_ms, err);
}

/* A key of this batch was used before: each is looked up before all is decided anew. */
static void look_up_all(struct batch *batch) {
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        request->needs_look_up = request->key_hash[0] != '\0';
    }
    batch_forget(batch);
}

/*
 * With nothing to commit: is there an answer that rests on the product as it was known before it was asked for? That it was
 * read under this very lease proves nothing: the lease may have been broken since.
 */
static bool must_be_proved(const struct batch *batch) {
    bool rests = false;
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        rests = rests || (request->is_included && !request->is_repeat && request->gathered == STATUS_OK &&
                          request->operation != INVENTORY_READ);
    }
    return rests && !batch->is_proved;
}

static bool must_be_decided_again(const struct batch *batch) {
    if (!batch_has_what_expired(batch->state, batch->now_ms)) {
        return true; /* time has passed since it was read */
    }
    if (batch->state->change_count > 0) {
        return false; /* the commit proves all */
    }
    return must_be_proved(batch) || !batch_first(batch)->is_included; /* which waits for a look-up alone */
}

/* One attempt at serving all. *out_again: what was known has proved wrong, and it is to be tried again. */
static enum status attempt(struct batch *batch, bool *out_again, struct error *err) {
    bool changed = false;
    enum status status = batch_gather(batch, &changed, err);
    if (status == STATUS_OK && !changed) {
        decide(batch);
        if (batch->decided != STATUS_OK) {
            return error_set(err, batch->decided, "deciding: %s", status_text(batch->decided));
        }
        if (must_be_decided_again(batch)) {
            *out_again = true;
            if (batch->state->change_count > 0 || !batch->is_proved) {
                batch_forget(batch);
            }
            return STATUS_OK;
        }
        if (batch->state->change_count == 0) {
            return STATUS_OK;
        }
        status = commit(batch, err);
        if (status == STATUS_OK) {
            batch_note_commit(batch);
        }
        changed = status == STATUS_PRECONDITION_FAILED;
    }
    if (changed) {
        status = batch_note_change(batch, err);
        *out_again = status == STATUS_OK;
    } else if (status == STATUS_ALREADY_EXISTS) {
        look_up_all(batch);
        *out_again = true;
        status = STATUS_OK;
    }
    return status;
}

/* The simulated work; ends early, with its status, when the lease is lost or the program stops. */
static enum status work(struct batch *batch, struct error *err) {
    bool changes = false;
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        changes = changes || request->operation == INVENTORY_RESERVE || request->operation == INVENTORY_RELEASE;
    }
    int64_t duration_ms = batch->context->processing_time_ms;
    if (!changes || duration_ms == 0) {
        return STATUS_OK;
    }
    enum status status = batch_know_product(batch, err); /* work on a product that is there */
    return status == STATUS_OK ? lease_manager_wait(batch->context->leases, batch->turn->lease, duration_ms, err)
                               : status;
}

static enum status serve(struct batch *batch, struct error *err) {
    bool again = true;
    enum status status = work(batch, err);
    for (int round = 0; status == STATUS_OK && again; round++) {
        if (round == MAX_ROUNDS) {
            return error_set(err, STATUS_LEASE_LOST, "the product keeps changing under our leases");
        }
        again = false;
        status = attempt(batch, &again, err);
    }
    return status;
}

/* ---- answering ---- */

static void log_success(const struct batch *batch, const struct inventory_request *request) {
    if (request->units == 0 || request->is_repeat) {
        return;
    }
    const struct correlation *leader = correlation_use(request->correlation);
    if (request->operation == INVENTORY_RESERVE) {
        log_event(LOG_INFORMATION, "✓ Successfully reserved %lld units of %s. Reservation: %s Renewal count: %d",
                  (long long)request->units, batch->turn->product_id, request->reservation.id, request->renewal_count);
    } else if (request->operation == INVENTORY_RELEASE) {
        log_event(LOG_INFORMATION, "✓ Successfully released %lld units of %s. Renewal count: %d",
                  (long long)request->units, batch->turn->product_id, request->renewal_count);
    }
    correlation_use(leader);
}

/* The whole batch shares the failure: what was not included could not have fared better. */
static void fail_all(struct batch *batch, enum status status, const struct error *failure) {
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        request->entry.served = true;
        request->status = status;
        request->failure = *failure;
    }
}

static void answer(struct batch *batch) {
    int renewals = lease_manager_renewal_count(batch->context->leases, batch->turn->lease);
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        if (request->operation == INVENTORY_EXPIRE) { /* committed, whether that was all or not */
            request->expired_count += (int)request->units;
        }
        if (!request->is_included) {
            continue;
        }
        request->entry.served = true;
        request->renewal_count = renewals - batch->turn->renewals_before;
        if (!request->is_repeat || request->version == 0) {
            request->version = batch->state->product.version;
        }
        log_success(batch, request);
    }
}

/* Rows that were read for a request that waits for the next turn are kept for it. */
static void trim(struct batch *batch) {
    for (struct inventory_request *request = batch_first(batch); request != NULL; request = batch_next(request)) {
        if (request->has_rows && !request->entry.served && request->operation == INVENTORY_RELEASE) {
            return;
        }
    }
    product_state_trim(batch->state);
}

void inventory_batch_serve(void *context, struct product_turn *turn) {
    struct inventory_batch_context *own = context;
    struct batch batch = {.context = own, .store = own->store, .turn = turn, .state = turn->known};
    struct error err = {.status = STATUS_OK};
    batch.version_before = batch.state->etag[0] == '\0' ? 0 : batch.state->product.version;
    batch_forget_look_ups(&batch); /* those of the turn before, whose commit may have written what they had not found */
    enum status status = serve(&batch, &err);
    if (status == STATUS_OK) {
        answer(&batch);
        trim(&batch);
    } else {
        fail_all(&batch, status, &err);
        batch_forget(&batch);
    }
}
