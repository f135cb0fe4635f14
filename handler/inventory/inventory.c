#include "inventory/inventory.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "lease/lease_names.h"

/* ---- expiry ---- */

/* Returns true if the commit has room for a change of this reservation. */
static bool has_room_for(const struct product_state *state, const struct reservation *row,
                         int spare_changes) {
    return row->mark != RESERVATION_STORED ||
           state->change_count + spare_changes < INVENTORY_MAX_CHANGES;
}

bool inventory_has_expired(const struct product_state *state, int64_t now_ms) {
    const struct reservation *first = reservation_list_first(&state->reservations);
    return first != NULL && first->expires_ms <= now_ms;
}

/* Removes the reservation that expires first. False: none has expired, or there is no room. */
static bool expire_first(struct product_state *state, int64_t now_ms, int spare_changes) {
    struct reservation *first = reservation_list_first(&state->reservations);
    if (first == NULL || first->expires_ms > now_ms || !has_room_for(state, first, spare_changes)) {
        return false;
    }
    state->expired_changes += first->mark == RESERVATION_STORED;
    product_state_take(state, first, first->quantity);
    return true;
}

int inventory_expire(struct product_state *state, int64_t now_ms, int spare_changes, int limit) {
    int removed = 0;
    while (removed < limit && expire_first(state, now_ms, spare_changes)) {
        removed++;
    }
    return removed;
}

bool inventory_expire_for(struct product_state *state, int64_t quantity, int64_t now_ms,
                          int spare_changes) {
    while (state->product.available < quantity) {
        if (!expire_first(state, now_ms, spare_changes)) {
            return false;
        }
    }
    return true;
}

int inventory_expire_alongside(struct product_state *state, int64_t now_ms) {
    int others = state->change_count - state->expired_changes;
    int share = others > INVENTORY_EXPIRE_FEW ? others : INVENTORY_EXPIRE_FEW;
    return inventory_expire(state, now_ms, 0, share - state->expired_changes);
}

int inventory_room(const struct product_state *state, int64_t now_ms) {
    size_t expired_count = reservation_list_expired_count(&state->reservations, now_ms);
    int share = INVENTORY_EXPIRE_SHARE - state->expired_changes;
    if (share > 0 && expired_count < (size_t)share) {
        share = (int)expired_count;
    }
    int room = INVENTORY_MAX_CHANGES - state->change_count - (share > 0 ? share : 0);
    return room > 0 ? room : 0;
}

/* ---- reserve, release, total ---- */

enum status inventory_reserve(struct product_state *state, const char *customer_id,
                              int64_t quantity, int64_t now_ms, int64_t lifetime_ms,
                              const struct random_source *random, bool *out_reserved,
                              const struct reservation **out_reservation) {
    assert(quantity > 0 && quantity <= INVENTORY_MAX_QUANTITY && lifetime_ms > 0);
    assert(strlen(customer_id) < CUSTOMER_ID_BYTES);
    if (quantity > state->product.available || state->change_count >= INVENTORY_MAX_CHANGES) {
        *out_reserved = false;
        return STATUS_OK;
    }
    struct reservation made = {
        .quantity = (int)quantity, .reserved_ms = now_ms, .expires_ms = now_ms + lifetime_ms};
    enum status status = uuid_v8_from_time(random, made.expires_ms, made.id);
    if (status != STATUS_OK) {
        return status;
    }
    const struct reservation *row = product_state_insert(state, &made, customer_id);
    if (row == NULL) {
        return STATUS_NO_MEMORY;
    }
    state->product.available -= quantity;
    *out_reserved = true;
    *out_reservation = row;
    return STATUS_OK;
}

struct reservation_terms inventory_terms(const struct reservation *reservation) {
    struct reservation_terms terms = {.quantity = reservation->quantity,
                                      .reserved_ms = reservation->reserved_ms,
                                      .expires_ms = reservation->expires_ms};
    memcpy(terms.id, reservation->id, sizeof terms.id);
    return terms;
}

/* Returns true if the reservation is active, and the one that was asked for (NULL: any). */
static bool may_release(const struct reservation *row, const char *reservation_id, int64_t now_ms) {
    return !reservation_is_removed(row) && row->expires_ms > now_ms &&
           (reservation_id == NULL || strcmp(row->id, reservation_id) == 0);
}

int inventory_release_changes(const struct product_state *state, const char *customer_id,
                              const char *reservation_id, int64_t quantity, int64_t now_ms) {
    int changes = 0;
    int64_t units = 0;
    for (const struct reservation *row =
             reservation_list_first_of(&state->reservations, customer_id);
         row != NULL && units < quantity; row = reservation_list_next_of(row)) {
        if (may_release(row, reservation_id, now_ms)) {
            units += row->quantity;
            changes += row->mark == RESERVATION_STORED;
        }
    }
    return changes;
}

int64_t inventory_release(struct product_state *state, const char *customer_id,
                          const char *reservation_id, int64_t quantity, int64_t now_ms,
                          int spare_changes) {
    int64_t released = 0;
    struct reservation *next = reservation_list_first_of(&state->reservations, customer_id);
    while (next != NULL && released < quantity) {
        struct reservation *row = next;
        next = reservation_list_next_of(row);
        if (may_release(row, reservation_id, now_ms) && has_room_for(state, row, spare_changes)) {
            int64_t wanted = quantity - released;
            int units = row->quantity < wanted ? row->quantity : (int)wanted;
            product_state_take(state, row, units);
            released += units;
        }
    }
    return released;
}

/*
 * A removed reservation counts as one whose row is gone. An expired one is EXPIRED to every
 * customer, because it will be so when its row is gone.
 */
struct reservation *inventory_find_named(const struct product_state *state,
                                         const char *reservation_id, const char *customer_id,
                                         int64_t now_ms, enum refusal *out_refusal) {
    struct reservation *row = reservation_list_find(&state->reservations, reservation_id);
    bool has_row = row != NULL && !reservation_is_removed(row);
    bool is_customers =
        has_row && (customer_id == NULL || strcmp(row->customer_id, customer_id) == 0);
    int64_t expires_ms = INT64_MAX;
    if (has_row) {
        expires_ms = row->expires_ms;
    } else {
        (void)uuid_v8_time(reservation_id, &expires_ms);
    }
    if (is_customers && expires_ms > now_ms) {
        return row;
    }
    *out_refusal = expires_ms <= now_ms ? REFUSAL_EXPIRED : REFUSAL_NO_RESERVATION;
    return NULL;
}

void inventory_confirm(struct product_state *state, struct reservation *reservation, int units) {
    if (reservation->mark == RESERVATION_ADDED) {
        state->change_count++; /* the total changes, even if that row never comes to be */
    }
    product_state_take(state, reservation, units);
    state->product.available -= units;
    state->product.total -= units;
}

void inventory_extend(struct product_state *state, struct reservation *reservation,
                      int64_t expires_ms) {
    if (expires_ms > reservation->expires_ms) {
        product_state_extend(state, reservation, expires_ms);
    }
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
        state->change_count++; /* no further row, but there is something to commit */
    }
    return true;
}

/* ---- sums ---- */

int64_t inventory_available(struct product_state *state, int64_t now_ms) {
    return state->product.available + reservation_list_expired_units(&state->reservations, now_ms);
}

int64_t inventory_reserved(const struct product_state *state, int64_t now_ms) {
    int64_t units = 0;
    for (size_t i = state->reservations.count;
         i > 0 && state->reservations.rows[i - 1]->expires_ms > now_ms; i--) {
        units += state->reservations.rows[i - 1]->quantity;
    }
    return units;
}

/* The message says what `available` has to be if all rows were read. */
static enum status fail_contradiction(const struct product *product, int64_t units,
                                      bool is_complete, struct error *err) {
    char correction[128] = "";
    if (is_complete && units <= product->total) {
        snprintf(correction, sizeof correction, ", where `available` has to be %lld",
                 (long long)(product->total - units));
    }
    return error_set(err, STATUS_MALFORMED,
                     "the rows of product %s contradict each other: %lld units available and "
                     "%s%lld in reservations are "
                     "not its total of %lld. Nothing is sold from it until an operator has "
                     "corrected row `product` of "
                     "its partition in the table%s",
                     product->id, (long long)product->available, is_complete ? "" : "at least ",
                     (long long)units, (long long)product->total, correction);
}

enum status inventory_check(const struct product_state *state, int64_t units, struct error *err) {
    const struct product *product = &state->product;
    bool is_complete = state->complete_until_ms == INT64_MAX;
    int64_t missing = product->total - product->available - units;
    if (is_complete ? missing == 0 : missing >= 0) {
        return STATUS_OK;
    }
    return fail_contradiction(product, units, is_complete, err);
}

/* ---- ids ---- */

bool inventory_is_stored_product_id(const char *id) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
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
