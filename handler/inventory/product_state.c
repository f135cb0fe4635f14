#include "inventory/product_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void product_state_mark(const struct product_state *state, struct product_mark *out) {
    out->version = state->product.version;
    snprintf(out->commit_id, sizeof out->commit_id, "%.*s", UUID_TEXT_BYTES - 1, state->product.commit_ids);
    memcpy(out->token, state->token, sizeof out->token);
}

/* Whether the list has this commit, or a later one of the same store, which replaces it there. */
static bool names_store_of(const char *commit_ids, const char *commit_id) {
    char sender[COMMIT_SENDER_LENGTH + 1];
    snprintf(sender, sizeof sender, "%.*s", COMMIT_SENDER_LENGTH, commit_id);
    return strstr(commit_ids, sender) != NULL;
}

bool product_state_follows(const struct product_state *state, const struct product_mark *mark) {
    if (mark->version == 0 || state->product.version < mark->version) {
        return false;
    }
    if (state->product.version == mark->version) {
        return strcmp(state->token, mark->token) == 0;
    }
    bool is_full = strlen(state->product.commit_ids) + 1 >= INVENTORY_COMMIT_IDS_BYTES;
    return is_full || names_store_of(state->product.commit_ids, mark->commit_id);
}

void product_state_init(struct product_state *state) {
    memset(state, 0, sizeof *state);
}

void product_state_release(struct product_state *state) {
    free(state->reservations);
    free(state->records);
    product_state_init(state);
}

/* Makes room for one more row. */
static enum status reserve_row(struct product_state *state) {
    if (state->reservation_count < state->reservation_capacity) {
        return STATUS_OK;
    }
    size_t capacity = state->reservation_capacity == 0 ? 8 : state->reservation_capacity * 2;
    struct reservation *grown = realloc(state->reservations, capacity * sizeof *grown);
    if (grown == NULL) {
        return STATUS_NO_MEMORY;
    }
    state->reservations = grown;
    state->reservation_capacity = capacity;
    return STATUS_OK;
}

enum status product_state_add(struct product_state *state, const struct reservation *reservation) {
    enum status status = reserve_row(state);
    if (status != STATUS_OK) {
        return status;
    }
    struct reservation *row = &state->reservations[state->reservation_count++];
    *row = *reservation;
    row->mark = RESERVATION_STORED;
    return STATUS_OK;
}

void product_state_committed(struct product_state *state) {
    size_t kept = 0;
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (reservation_is_gone(&state->reservations[i])) {
            continue;
        }
        if (kept != i) {
            state->reservations[kept] = state->reservations[i];
        }
        state->reservations[kept++].mark = RESERVATION_STORED;
    }
    state->reservation_count = kept;
    state->record_count = 0;
    state->change_count = 0;
}

enum status product_state_add_record(struct product_state *state, const struct idempotency_record *record) {
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

/* Rows that are not in memory expire behind complete_until_ms, and no earlier than was known before. */
int64_t product_state_due_ms(const struct product_state *state) {
    if (state->product.available == state->product.total) {
        return INT64_MAX; /* all units are back: there are no rows */
    }
    int64_t due_ms = state->product.due_ms;
    if (due_ms <= state->complete_until_ms) {
        due_ms = state->complete_until_ms == INT64_MAX ? INT64_MAX : state->complete_until_ms + 1;
    }
    for (size_t i = 0; i < state->reservation_count; i++) {
        if (!reservation_is_gone(&state->reservations[i])) {
            due_ms = clock_min_ms(due_ms, state->reservations[i].expires_ms);
        }
    }
    return due_ms;
}

struct reservation *product_state_insert(struct product_state *state, const struct reservation *reservation) {
    if (reserve_row(state) != STATUS_OK) {
        return NULL;
    }
    size_t at = state->reservation_count;
    while (at > 0 && state->reservations[at - 1].expires_ms > reservation->expires_ms) {
        at--;
    }
    memmove(&state->reservations[at + 1], &state->reservations[at],
            (state->reservation_count - at) * sizeof *state->reservations);
    state->reservation_count++;
    state->reservations[at] = *reservation;
    return &state->reservations[at];
}

static bool has_row(const struct product_state *state, const char *id) {
    size_t i = 0;
    while (i < state->reservation_count && strcmp(state->reservations[i].id, id) != 0) {
        i++;
    }
    return i < state->reservation_count;
}

enum status product_state_merge(struct product_state *state, const struct product_state *other) {
    for (size_t i = 0; i < other->reservation_count; i++) {
        const struct reservation *row = &other->reservations[i];
        if (!has_row(state, row->id) && product_state_insert(state, row) == NULL) {
            return STATUS_NO_MEMORY;
        }
    }
    if (other->complete_until_ms > state->complete_until_ms) {
        state->complete_until_ms = other->complete_until_ms;
    }
    return STATUS_OK;
}

void product_state_trim(struct product_state *state) {
    while (state->reservation_count > 0 &&
           state->reservations[state->reservation_count - 1].expires_ms > state->complete_until_ms) {
        state->reservation_count--;
    }
}
