#include "inventory/operation.h"

#include <stdio.h>

#include "base/log.h"
#include "base/utc.h"
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
    int64_t expires_ms = batch_expiry_ms(batch, request);
    if (!batch_has_room(batch, request, 1) || !batch_can_index(batch, expires_ms)) {
        return request->stage;
    }
    if (request->quantity > inventory_available(batch->state, batch->now_ms)) {
        return batch_refuse(batch, request, REFUSAL_NOT_ENOUGH);
    }
    if (request->quantity > batch->state->product.available) {
        /* Leaves room for the reservation, and for the record of the key if it has one. */
        (void)inventory_expire_for(batch->state, request->quantity, batch->certain_ms, 2);
    }
    request->status =
        inventory_reserve(batch->state, request->customer_id, request->quantity, batch->now_ms,
                          expires_ms - batch->now_ms, batch->random, &reserved, &reservation);
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
        return batch_refuse(batch, request, REFUSAL_NO_RESERVATION);
    }
    return batch_grant(batch, request, units,
                       request->reservation_id == NULL ? "" : request->reservation_id);
}

/* Finds the reservation that is named, for a rule that changes it. Returns NULL if it refuses. */
static struct reservation *find_named(struct batch *batch, struct inventory_request *request,
                                      enum refusal *out_refusal) {
    struct reservation *row = inventory_find_named(
        batch->state, request->reservation_id, request->customer_id, batch->now_ms, out_refusal);
    if (row != NULL) {
        request->reservation = inventory_terms(row);
        snprintf(request->holder_id, sizeof request->holder_id, "%s", row->customer_id);
    }
    return row;
}

static enum request_stage decide_confirm(struct batch *batch, struct inventory_request *request) {
    enum refusal refusal = REFUSAL_NONE;
    if (!batch_has_room(batch, request, 1)) {
        return request->stage;
    }
    struct reservation *row = find_named(batch, request, &refusal);
    if (row == NULL) {
        return batch_refuse(batch, request, refusal);
    }
    if (request->quantity > row->quantity) {
        return batch_refuse(batch, request, REFUSAL_QUANTITY_TOO_LARGE);
    }
    int units = request->quantity == 0 ? row->quantity : (int)request->quantity;
    request->remaining = row->quantity - units;
    inventory_confirm(batch->state, row, units);
    request->total = batch->state->product.total;
    return batch_grant(batch, request, units, request->reservation_id);
}

static enum request_stage decide_extend(struct batch *batch, struct inventory_request *request) {
    enum refusal refusal = REFUSAL_NONE;
    int64_t expires_ms = batch_expiry_ms(batch, request);
    if (!batch_has_room(batch, request, 1) || !batch_can_index(batch, expires_ms)) {
        return request->stage;
    }
    struct reservation *row = find_named(batch, request, &refusal);
    if (row == NULL) {
        return batch_refuse(batch, request, refusal);
    }
    inventory_extend(batch->state, row, expires_ms);
    request->reservation = inventory_terms(row);
    return batch_grant(batch, request, row->quantity, request->reservation_id);
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
    request->refusal = can_be_met ? REFUSAL_NONE : REFUSAL_NOT_ENOUGH;
    request->is_set = inventory_set_total(batch->state, request->quantity);
    request->total = product->total;
    request->available = inventory_available(batch->state, batch->now_ms);
    return request->is_set || !can_be_met ? REQUEST_DECIDED : request->stage;
}

/* Takes only available units away. As for a reserve, expired rows are removed first if needed. */
static enum request_stage decide_adjust(struct batch *batch, struct inventory_request *request) {
    const struct product *product = &batch->state->product;
    int64_t leaving = request->quantity < 0 ? -request->quantity : 0;
    request->total = product->total;
    if (!batch_has_room(batch, request, 1)) {
        return request->stage;
    }
    if (leaving > inventory_available(batch->state, batch->now_ms)) {
        return batch_refuse(batch, request, REFUSAL_NOT_ENOUGH);
    }
    if (request->quantity > INVENTORY_MAX_TOTAL - product->total) {
        return batch_refuse(batch, request, REFUSAL_QUANTITY_TOO_LARGE);
    }
    if (leaving > product->available) {
        (void)inventory_expire_for(batch->state, leaving, batch->certain_ms, 2);
    }
    if (!inventory_set_total(batch->state, product->total + request->quantity)) {
        return request->stage;
    }
    request->total = product->total;
    return batch_grant(batch, request, leaving > 0 ? leaving : request->quantity, "");
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

static void log_confirmed(const char *product_id, const struct inventory_request *request) {
    log_event(LOG_INFORMATION,
              "✓ Successfully confirmed %lld units of %s. Reservation: %s Renewal count: %d",
              (long long)request->units, product_id, request->reservation.id,
              request->renewal_count);
}

static void log_extended(const char *product_id, const struct inventory_request *request) {
    char expires_at[UTC_TEXT_BYTES];
    utc_format_iso8601_ms(request->reservation.expires_ms, expires_at);
    log_event(LOG_INFORMATION,
              "✓ Extended reservation %s of %s. New expiration: %s Renewal count: %d",
              request->reservation.id, product_id, expires_at, request->renewal_count);
}

static void log_adjusted(const char *product_id, const struct inventory_request *request) {
    log_event(LOG_INFORMATION, "✓ Adjusted the stock of %s by %+lld to %lld. Reason: %s",
              product_id, (long long)request->quantity, (long long)request->total,
              request->reason == NULL ? "none given" : request->reason);
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
                                            .automatic_key = "release",
                                            .lease_duration_s = SHORT_OPERATION_LEASE_S,
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

const struct operation operation_confirm = {.stored_code = 5,
                                            .rows = ROWS_OF_CUSTOMER,
                                            .automatic_key = "confirm",
                                            .lease_duration_s = SHORT_OPERATION_LEASE_S,
                                            .simulates_work = true,
                                            .shows_available = true,
                                            .rests_on_product = true,
                                            .decide = decide_confirm,
                                            .log_success = log_confirmed};

/* A repeat without a key does no harm: the lifetime then counts from the repeat. */
const struct operation operation_extend = {.stored_code = 6,
                                           .rows = ROWS_OF_CUSTOMER,
                                           .automatic_key = "extend",
                                           .has_automatic_key_by_version = true,
                                           .lease_duration_s = SHORT_OPERATION_LEASE_S,
                                           .simulates_work = true,
                                           .can_grow_index = true,
                                           .rests_on_product = true,
                                           .decide = decide_extend,
                                           .log_success = log_extended};

const struct operation operation_adjust = {.stored_code = 7,
                                           .lease_duration_s = SHORT_OPERATION_LEASE_S,
                                           .simulates_work = true,
                                           .shows_available = true,
                                           .rests_on_product = true,
                                           .decide = decide_adjust,
                                           .log_success = log_adjusted};
