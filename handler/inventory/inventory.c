#include "inventory/inventory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "lease/lease_names.h"

static bool is_expired(const struct reservation *row, int64_t now_ms) {
    return !reservation_is_gone(row) && row->expires_ms <= now_ms;
}

static bool is_active(const struct reservation *row, int64_t now_ms) {
    return !reservation_is_gone(row) && row->expires_ms > now_ms;
}

/* Marks a stored row, or amends an addition that no commit has written yet. */
static void mark_row(struct product_state *state, struct reservation *row, enum reservation_mark mark) {
    if (row->mark == RESERVATION_STORED) {
        state->change_count++;
    }
    if (row->mark != RESERVATION_ADDED) {
        row->mark = mark;
    } else if (mark == RESERVATION_REMOVED) {
        row->mark = RESERVATION_DROPPED;
        state->change_count--;
    }
}

static bool may_change(const struct product_state *state, const struct reservation *row, int spare_changes) {
    return row->mark != RESERVATION_STORED || state->change_count + spare_changes < INVENTORY_MAX_CHANGES;
}

int inventory_expire(struct product_state *state, int64_t now_ms, int spare_changes) {
    int released = 0;
    for (size_t i = 0; i < state->reservation_count; i++) {
        struct reservation *row = &state->reservations[i];
        if (!is_expired(row, now_ms) || !may_change(state, row, spare_changes)) {
            continue;
        }
        state->product.available += row->quantity;
        mark_row(state, row, RESERVATION_REMOVED);
        released++;
    }
    return released;
}

bool inventory_has_expired(const struct product_state *state, int64_t now_ms) {
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (is_expired(&state->reservations[i], now_ms)) {
            return true;
        }
    }
    return false;
}

enum status inventory_reserve(struct product_state *state, const char *customer_id, int64_t quantity, int64_t now_ms,
                              int64_t lifetime_ms, bool *out_reserved, const struct reservation **out_reservation) {
    assert(quantity > 0 && quantity <= INVENTORY_MAX_QUANTITY && lifetime_ms > 0);
    assert(strlen(customer_id) < CUSTOMER_ID_BYTES);
    if (quantity > state->product.available || state->change_count >= INVENTORY_MAX_CHANGES) {
        *out_reserved = false;
        return STATUS_OK;
    }
    struct reservation reservation = {.quantity = quantity, .reserved_ms = now_ms, .expires_ms = now_ms + lifetime_ms};
    enum status status = uuid_v8_from_time(reservation.expires_ms, reservation.id);
    if (status != STATUS_OK) {
        return status;
    }
    snprintf(reservation.customer_id, sizeof reservation.customer_id, "%s", customer_id);
    reservation.mark = RESERVATION_ADDED;
    const struct reservation *row = product_state_insert(state, &reservation);
    if (row == NULL) {
        return STATUS_NO_MEMORY;
    }
    state->change_count++;
    state->product.available -= quantity;
    *out_reserved = true;
    *out_reservation = row;
    return STATUS_OK;
}

static bool is_asked_for(const struct reservation *row, const char *customer_id, const char *reservation_id) {
    return strcmp(row->customer_id, customer_id) == 0 &&
           (reservation_id == NULL || strcmp(row->id, reservation_id) == 0);
}

int inventory_release_changes(const struct product_state *state, const char *customer_id, const char *reservation_id,
                              int64_t quantity, int64_t now_ms) {
    int changes = 0;
    int64_t units = 0;
    for (size_t i = 0; i < state->reservation_count && units < quantity; i++) {
        const struct reservation *row = &state->reservations[i];
        if (is_active(row, now_ms) && is_asked_for(row, customer_id, reservation_id)) {
            units += row->quantity;
            changes += row->mark == RESERVATION_STORED;
        }
    }
    return changes;
}

int64_t inventory_release(struct product_state *state, const char *customer_id, const char *reservation_id,
                          int64_t quantity, int64_t now_ms, int spare_changes) {
    int64_t released = 0;
    for (size_t i = 0; i < state->reservation_count && released < quantity; i++) {
        struct reservation *row = &state->reservations[i];
        if (!is_active(row, now_ms) || !is_asked_for(row, customer_id, reservation_id) ||
            !may_change(state, row, spare_changes)) {
            continue;
        }
        int64_t wanted = quantity - released;
        int64_t units = row->quantity < wanted ? row->quantity : wanted;
        if (units == row->quantity) {
            mark_row(state, row, RESERVATION_REMOVED);
        } else {
            row->quantity -= units;
            mark_row(state, row, RESERVATION_CHANGED);
        }
        state->product.available += units;
        released += units;
    }
    return released;
}

bool inventory_set_total(struct product_state *state, int64_t total) {
    assert(total >= 0);
    int64_t more = total - state->product.total;
    if (state->product.available + more < 0 || state->change_count >= INVENTORY_MAX_CHANGES) {
        return false;
    }
    if (more != 0) {
        state->product.total = total;
        state->product.available += more;
        state->change_count++; /* no row, but something to commit */
    }
    return true;
}

int64_t inventory_available(const struct product_state *state, int64_t now_ms) {
    int64_t units = state->product.available;
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (is_expired(&state->reservations[i], now_ms)) {
            units += state->reservations[i].quantity;
        }
    }
    return units;
}

int64_t inventory_reserved(const struct product_state *state, int64_t now_ms) {
    int64_t units = 0;
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (is_active(&state->reservations[i], now_ms)) {
            units += state->reservations[i].quantity;
        }
    }
    return units;
}

static int64_t units_in_rows(const struct product_state *state) {
    int64_t units = 0;
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (!reservation_is_gone(&state->reservations[i])) {
            units += state->reservations[i].quantity;
        }
    }
    return units;
}

bool inventory_adds_up(const struct product_state *state) {
    return state->product.available + units_in_rows(state) == state->product.total;
}

/* In an operator's words. Where not all rows were read, what `available` has to be is not known. */
static enum status contradiction(const struct product *product, int64_t units, bool is_complete, struct error *err) {
    char correction[128] = "";
    if (is_complete && units <= product->total) {
        snprintf(correction, sizeof correction, ", where `available` has to be %lld",
                 (long long)(product->total - units));
    }
    return error_set(
        err, STATUS_MALFORMED,
        "the rows of product %s contradict each other: %lld units available and %s%lld in reservations are "
        "not its total of %lld. Nothing is sold from it until an operator has corrected row `product` of "
        "its partition in the table%s",
        product->id, (long long)product->available, is_complete ? "" : "at least ", (long long)units,
        (long long)product->total, correction);
}

enum status inventory_check(const struct product_state *state, struct error *err) {
    const struct product *product = &state->product;
    bool is_complete = state->complete_until_ms == INT64_MAX;
    int64_t units = units_in_rows(state), left = product->total - product->available - units;
    if (is_complete ? left == 0 : left >= 0) {
        return STATUS_OK;
    }
    return contradiction(product, units, is_complete, err);
}

bool inventory_is_stored_product_id(const char *id) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
    size_t length = strlen(id);
    return length > 0 && length < PRODUCT_ID_BYTES && strspn(id, allowed) == length &&
           strcmp(id, "reconciliation-job") != 0;
}

bool inventory_is_product_id(const char *id) {
    return inventory_is_stored_product_id(id) && lease_name_is_valid(id);
}

bool inventory_is_customer_id(const char *id) {
    if (!utf8_is_valid(id, strlen(id))) {
        return false;
    }
    int64_t count = utf8_count_printable(id);
    return count >= 1 && count <= 128;
}
