#include "inventory/product_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void product_state_take_checkpoint(const struct product_state *state,
                                   struct product_checkpoint *out) {
    out->version = state->product.version;
    snprintf(out->commit_id, sizeof out->commit_id, "%.*s", UUID_TEXT_BYTES - 1,
             state->product.commit_ids);
    memcpy(out->etag, state->etag, sizeof out->etag);
}

/*
 * Returns true if the list names the commit, or a later one of the same store: a store's newest
 * commit replaces its older one in the list.
 */
static bool names_commit_or_later(const char *commit_ids, const char *commit_id) {
    char sender[COMMIT_SENDER_LENGTH + 1];
    snprintf(sender, sizeof sender, "%.*s", COMMIT_SENDER_LENGTH, commit_id);
    return strstr(commit_ids, sender) != NULL;
}

/*
 *     version since the checkpoint   state follows it if
 *     lower                          never: the product was made anew
 *     the same                       its ETag is the same
 *     higher                         its row still names the checkpoint's commit, or names so many
 *                                    others that this one may have dropped out
 */
bool product_state_follows(const struct product_state *state,
                           const struct product_checkpoint *checkpoint) {
    if (checkpoint->version == 0 || state->product.version < checkpoint->version) {
        return false;
    }
    if (state->product.version == checkpoint->version) {
        return strcmp(state->etag, checkpoint->etag) == 0;
    }
    bool is_full = strlen(state->product.commit_ids) + 1 >= INVENTORY_COMMIT_IDS_BYTES;
    return is_full || names_commit_or_later(state->product.commit_ids, checkpoint->commit_id);
}

void product_state_init(struct product_state *state) {
    memset(state, 0, sizeof *state);
    reservation_list_init(&state->reservations);
}

void product_state_cleanup(struct product_state *state) {
    reservation_list_cleanup(&state->reservations);
    free(state->changed);
    free(state->records);
    product_state_init(state);
}

/*
 * Makes room in `changed` for `more` further reservations, so that product_state_take cannot fail.
 * Each reservation is in it once, and never more than INVENTORY_MAX_CHANGES of them.
 */
static enum status make_room(struct product_state *state, size_t more) {
    size_t needed = state->reservations.count + more;
    needed = needed < INVENTORY_MAX_CHANGES ? needed : INVENTORY_MAX_CHANGES;
    if (needed <= state->changed_capacity) {
        return STATUS_OK;
    }
    size_t capacity = needed < 8 ? 8 : INVENTORY_MAX_CHANGES;
    struct reservation **grown = realloc(state->changed, capacity * sizeof *grown);
    if (grown == NULL) {
        return STATUS_NO_MEMORY;
    }
    state->changed = grown;
    state->changed_capacity = capacity;
    return STATUS_OK;
}

static void mark_reservation(struct product_state *state, struct reservation *row,
                             enum reservation_mark mark) {
    if (row->mark == RESERVATION_STORED) {
        assert(state->changed_count < state->changed_capacity);
        state->changed[state->changed_count++] = row;
        state->change_count++;
    }
    row->mark = mark;
}

enum status product_state_add(struct product_state *state, const struct reservation *like,
                              const char *customer_id) {
    enum status status = make_room(state, 1);
    if (status != STATUS_OK) {
        return status;
    }
    return reservation_list_add(&state->reservations, like, customer_id) == NULL ? STATUS_NO_MEMORY
                                                                                 : STATUS_OK;
}

struct reservation *product_state_insert(struct product_state *state,
                                         const struct reservation *like, const char *customer_id) {
    if (make_room(state, 1) != STATUS_OK) {
        return NULL;
    }
    struct reservation *row = reservation_list_add(&state->reservations, like, customer_id);
    if (row != NULL) {
        mark_reservation(state, row, RESERVATION_ADDED);
    }
    return row;
}

enum status product_state_merge(struct product_state *state, struct product_state *other) {
    assert(other->changed_count == 0);
    enum status status = make_room(state, other->reservations.count);
    if (status == STATUS_OK) {
        status = reservation_list_merge(&state->reservations, &other->reservations);
    }
    if (status == STATUS_OK && other->complete_until_ms > state->complete_until_ms) {
        state->complete_until_ms = other->complete_until_ms;
    }
    return status;
}

/* No commit has written this reservation yet, so there is nothing to write any more. */
static void drop_addition(struct product_state *state, struct reservation *row) {
    size_t i = 0;
    while (state->changed[i] != row) {
        i++;
    }
    state->changed_count--;
    state->change_count--;
    memmove(&state->changed[i], &state->changed[i + 1],
            (state->changed_count - i) * sizeof(struct reservation *));
    reservation_list_remove(&state->reservations, row);
}

void product_state_take(struct product_state *state, struct reservation *reservation, int units) {
    state->product.available += units;
    reservation_list_take(&state->reservations, reservation, units);
    bool is_new = reservation->mark == RESERVATION_ADDED;
    if (reservation->quantity == 0 && is_new) {
        drop_addition(state, reservation);
    } else if (reservation->quantity == 0) {
        mark_reservation(state, reservation, RESERVATION_REMOVED);
    } else if (!is_new && reservation->mark != RESERVATION_EXTENDED) {
        mark_reservation(state, reservation, RESERVATION_CHANGED);
    }
}

void product_state_extend(struct product_state *state, struct reservation *reservation,
                          int64_t expires_ms) {
    assert(!reservation_is_removed(reservation) && expires_ms > reservation->expires_ms);
    reservation_list_set_expiry(&state->reservations, reservation, expires_ms);
    if (reservation->mark != RESERVATION_ADDED) {
        mark_reservation(state, reservation, RESERVATION_EXTENDED);
    }
}

enum status product_state_add_record(struct product_state *state,
                                     const struct idempotency_record *record) {
    if (state->record_count == state->record_capacity) {
        size_t capacity = state->record_capacity == 0 ? 8 : state->record_capacity * 2;
        struct idempotency_record *grown = realloc(state->records, capacity * sizeof *grown);
        if (grown == NULL) {
            return STATUS_NO_MEMORY;
        }
        state->records = grown;
        state->record_capacity = capacity;
    }
    state->records[state->record_count++] = *record;
    state->change_count++;
    return STATUS_OK;
}

/*
 * The earliest expiry in memory, or of what is not in memory: that expires after complete_until_ms,
 * and not before the due_ms that was stored.
 */
int64_t product_state_due_ms(const struct product_state *state) {
    if (state->product.available == state->product.total) {
        return INT64_MAX; /* no unit is in a reservation */
    }
    int64_t due_ms = state->product.due_ms;
    if (due_ms <= state->complete_until_ms) {
        due_ms = state->complete_until_ms == INT64_MAX ? INT64_MAX : state->complete_until_ms + 1;
    }
    const struct reservation *first = reservation_list_first(&state->reservations);
    return first == NULL ? due_ms : clock_min_ms(due_ms, first->expires_ms);
}

void product_state_committed(struct product_state *state) {
    for (size_t i = 0; i < state->changed_count; i++) {
        struct reservation *row = state->changed[i];
        if (reservation_is_removed(row)) {
            reservation_list_remove(&state->reservations, row);
        } else {
            row->mark = RESERVATION_STORED;
        }
    }
    state->changed_count = 0;
    state->record_count = 0;
    state->change_count = state->expired_changes = 0;
}

void product_state_trim(struct product_state *state, size_t keep) {
    assert(state->changed_count == 0);
    reservation_list_trim(&state->reservations, state->complete_until_ms, keep);
}
