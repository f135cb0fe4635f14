#include "inventory/product_state.h"

#include <stdlib.h>
#include <string.h>

void product_state_init(struct product_state *state) {
    memset(state, 0, sizeof *state);
}

void product_state_release(struct product_state *state) {
    free(state->reservations);
    product_state_init(state);
}

enum status product_state_reserve_row(struct product_state *state) {
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
    enum status status = product_state_reserve_row(state);
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
    state->change_count = 0;
}
