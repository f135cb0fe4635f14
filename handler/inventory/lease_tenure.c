#include "inventory/lease_tenure.h"

#include "base/clock.h"
#include "inventory/product_state.h"

/* ---- yield ---- */

void lease_tenure_init(struct lease_tenure *tenure) {
    *tenure = (struct lease_tenure){.courtesy_after_ms = FIRST_COURTESY_MS, .idle_since_ms = -1};
}

static bool is_contended(const struct lease_tenure *tenure, int64_t now_ms) {
    return now_ms < tenure->contended_until_ms;
}

/*
 * If the lease was free for less than YIELD_MS, others had no real chance to take it. So the old
 * tenure goes on. Otherwise a handler with short pauses between its batches would never yield.
 * A conflict shows that another handler has had the lease meanwhile: a new tenure.
 */
void lease_tenure_note_acquire(struct lease_tenure *tenure, int64_t now_ms, bool met_conflict) {
    if (met_conflict) {
        lease_tenure_note_contention(tenure, now_ms);
    }
    if (met_conflict || tenure->since_ms == 0 || now_ms - tenure->released_ms >= YIELD_MS) {
        tenure->since_ms = now_ms;
    }
}

void lease_tenure_note_release(struct lease_tenure *tenure, int64_t now_ms) {
    tenure->released_ms = now_ms;
    tenure->expected_count = 0;
}

void lease_tenure_note_contention(struct lease_tenure *tenure, int64_t now_ms) {
    tenure->contended_until_ms = now_ms + CONTENTION_MS;
    tenure->courtesy_after_ms = FIRST_COURTESY_MS;
}

bool lease_tenure_begin_check(struct lease_tenure *tenure, int64_t now_ms) {
    int64_t last_ms = clock_max_ms(tenure->checked_ms, tenure->since_ms);
    if (is_contended(tenure, now_ms) || now_ms - last_ms < CHECK_MS) {
        return false;
    }
    tenure->checked_ms = now_ms;
    return true;
}

/* Without contention, this yield is a courtesy to handlers that do not announce themselves. */
bool lease_tenure_begin_yield(struct lease_tenure *tenure, int64_t now_ms) {
    int64_t held_ms = now_ms - tenure->since_ms;
    if (is_contended(tenure, now_ms)) {
        return held_ms >= TENURE_MS;
    }
    if (held_ms < tenure->courtesy_after_ms) {
        return false;
    }
    tenure->courtesy_after_ms = clock_min_ms(2 * tenure->courtesy_after_ms, MAX_COURTESY_MS);
    return true;
}

/* ---- linger ---- */

int64_t lease_tenure_begin_linger(struct lease_tenure *tenure, int64_t now_ms) {
    tenure->idle_since_ms = now_ms;
    return tenure->missed_lingers < MAX_MISSED_LINGERS ? LINGER_MS : 0;
}

void lease_tenure_note_request(struct lease_tenure *tenure, int64_t now_ms) {
    if (tenure->idle_since_ms < 0) {
        return;
    }
    if (now_ms - tenure->idle_since_ms <= LINGER_MS) {
        tenure->missed_lingers = 0;
    } else if (tenure->missed_lingers < MAX_MISSED_LINGERS) {
        tenure->missed_lingers++;
    }
    tenure->idle_since_ms = -1;
}

/* ---- window ---- */

void lease_tenure_note_batch(struct lease_tenure *tenure, int batch_size, int waiting,
                             int64_t duration_ms) {
    tenure->commit_count++;
    tenure->commit_ms =
        tenure->commit_count == 1 ? duration_ms : (7 * tenure->commit_ms + duration_ms) / 8;
    int callers = batch_size + waiting;
    tenure->expected_count = callers < INVENTORY_MAX_CHANGES ? callers : INVENTORY_MAX_CHANGES;
    if (tenure->windows_to_skip > 0) {
        tenure->windows_to_skip--;
        tenure->expected_count = 0;
    }
}

bool lease_tenure_expects_callers(const struct lease_tenure *tenure, int waiting) {
    return waiting < tenure->expected_count;
}

int64_t lease_tenure_window_ms(const struct lease_tenure *tenure, int waiting) {
    return lease_tenure_expects_callers(tenure, waiting)
               ? clock_min_ms(tenure->commit_ms / 10, MAX_WINDOW_MS)
               : 0;
}

/*
 * Where callers do not come back, each window costs a tenth of a commit for nothing. So a missed
 * window lets the next 2 batches go without one. Each further miss in a row doubles that, up to 32.
 */
void lease_tenure_note_window(struct lease_tenure *tenure, int waiting) {
    if (tenure->expected_count == 0) {
        return; /* the batch did not wait, which says nothing about callers */
    }
    bool is_missed = 2 * waiting < tenure->expected_count;
    tenure->missed_windows = is_missed ? tenure->missed_windows + 1 : 0;
    if (is_missed) {
        tenure->windows_to_skip = 1 << (tenure->missed_windows < 5 ? tenure->missed_windows : 5);
    }
    tenure->expected_count = 0;
}
