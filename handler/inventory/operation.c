#include "inventory/operation.h"

#include "base/log.h"
#include "inventory/batch.h"
#include "inventory/inventory.h"

/* ---- rules ---- */

/*
 * Units of expired reservations count as available. If the request needs them, their rows are
 * removed first, which may take several transactions. The request stays at the front meanwhile: the
 * requests behind it would have to remove the same rows.
 */
static enum request_stage decide_reserve(struct batch *batch, struct inventory_request *request) {
    const struct reservation *reservation = NULL;
    bool reserved = false;
    if (!batch_has_room(batch, request, 1)) {
        return request->stage;
    }
    if (request->quantity > inventory_available(batch->state, batch->now_ms)) {
        return batch_refuse(batch, request);
    }
    if (request->quantity > batch->state->product.available) {
        /* Leaves room for the reservation, and for the record of the key if it has one. */
        (void)inventory_expire_for(batch->state, request->quantity, batch->certain_ms, 2);
    }
    request->status =
        inventory_reserve(batch->state, request->customer_id, request->quantity, batch->now_ms,
                          batch->lifetime_ms, batch->random, &reserved, &reservation);
    if (request->status != STATUS_OK) {
        error_set(&request->failure, request->status, "making a reservation");
        return REQUEST_DECIDED;
    }
    if (!reserved) {
        return request->stage;
    }
    request->reservation = inventory_terms(reservation);
    return batch_grant(batch, request, request->quantity, reservation->id);
}

/*
 * A release that needs more room than is left waits for the next batch. If no change comes before
 * it, it is decided in any case: what does not fit into the transaction is not released.
 */
static enum request_stage decide_release(struct batch *batch, struct inventory_request *request) {
    int changes =
        inventory_release_changes(batch->state, request->customer_id, request->reservation_id,
                                  request->quantity, batch->now_ms);
    bool is_first = batch->state->change_count == 0;
    if (!is_first && !batch_has_room(batch, request, changes)) {
        return request->stage;
    }
    int keys = request->key_hash[0] != '\0';
    int64_t units = inventory_release(batch->state, request->customer_id, request->reservation_id,
                                      request->quantity, batch->now_ms, keys);
    if (units == 0) {
        return batch_refuse(batch, request);
    }
    return batch_grant(batch, request, units,
                       request->reservation_id == NULL ? "" : request->reservation_id);
}

/* Removes as many rows as the transaction has room for. The rest follows in later batches. */
static enum request_stage decide_expire(struct batch *batch, struct inventory_request *request) {
    int removed = inventory_expire(batch->state, batch->certain_ms, 0, INVENTORY_MAX_CHANGES);
    bool is_all = !inventory_has_expired(batch->state, batch->certain_ms);
    request->units = removed;
    request->expired_until_ms = batch->certain_ms;
    if (is_all) {
        return REQUEST_DECIDED;
    }
    return removed > 0 ? REQUEST_CONTINUES : request->stage;
}

/* As for a reserve, expired rows are removed first if their units are needed. */
static enum request_stage decide_set_total(struct batch *batch, struct inventory_request *request) {
    const struct product *product = &batch->state->product;
    if (!batch_has_room(batch, request, 1)) {
        return request->stage;
    }
    bool can_be_met =
        request->quantity >= product->total - inventory_available(batch->state, batch->now_ms);
    if (can_be_met && request->quantity < product->total - product->available) {
        int64_t needed = product->total - request->quantity;
        /* Leaves room for the change of the total. */
        (void)inventory_expire_for(batch->state, needed, batch->certain_ms, 1);
    }
    request->is_set = inventory_set_total(batch->state, request->quantity);
    request->total = product->total;
    request->available = inventory_available(batch->state, batch->now_ms);
    return request->is_set || !can_be_met ? REQUEST_DECIDED : request->stage;
}

/* Its look-up has read the rows under the lease. */
static enum request_stage decide_snapshot(struct batch *batch, struct inventory_request *request) {
    (void)batch, (void)request;
    return REQUEST_DECIDED;
}

/* ---- log lines ---- */

static void log_reserved(const char *product_id, const struct inventory_request *request) {
    log_event(LOG_INFORMATION,
              "✓ Successfully reserved %lld units of %s. Reservation: %s Renewal count: %d",
              (long long)request->units, product_id, request->reservation.id,
              request->renewal_count);
}

static void log_released(const char *product_id, const struct inventory_request *request) {
    log_event(LOG_INFORMATION, "✓ Successfully released %lld units of %s. Renewal count: %d",
              (long long)request->units, product_id, request->renewal_count);
}

/* ---- the table ---- */

const struct operation operation_reserve = {.stored_code = 0,
                                            .simulates_work = true,
                                            .shows_available = true,
                                            .can_grow_index = true,
                                            .rests_on_product = true,
                                            .decide = decide_reserve,
                                            .log_success = log_reserved};

const struct operation operation_release = {.stored_code = 1,
                                            .rows = ROWS_OF_CUSTOMER,
                                            .lease_duration_s = RELEASE_OPERATION_LEASE_S,
                                            .simulates_work = true,
                                            .shows_available = true,
                                            .rests_on_product = true,
                                            .decide = decide_release,
                                            .log_success = log_released};

const struct operation operation_expire = {
    .stored_code = 2, .rests_on_product = true, .decide = decide_expire};

const struct operation operation_snapshot = {
    .stored_code = 3, .rows = ROWS_SNAPSHOT, .decide = decide_snapshot};

const struct operation operation_set_total = {
    .stored_code = 4, .rests_on_product = true, .decide = decide_set_total};
