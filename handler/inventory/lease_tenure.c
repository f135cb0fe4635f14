#include "inventory/lease_tenure.h"

#include "base/clock.h"
#include "inventory/product_state.h"

void lease_tenure_init(struct lease_tenure *tenure) {
    *tenure = (struct lease_tenure){.probe_after_ms = FIRST_PROBE_MS, .idle_since_ms = -1};
}

static bool is_contended(const struct lease_tenure *tenure, int64_t now_ms) {
    return now_ms < tenure->contended_until_ms;
}

/*
 * A lease that was released for less than YIELD_MS has hardly been free for others, so the tenure goes on: else a handler with
 * short pauses between its batches would never yield.
 */
void lease_tenure_begin(struct lease_tenure *tenure, int64_t now_ms, bool is_contended) {
    if (is_contended) {
        lease_tenure_note_contention(tenure, now_ms);
    }
    if (is_contended || tenure->since_ms == 0 || now_ms - tenure->released_ms >= YIELD_MS) {
        tenure->since_ms = now_ms;
    }
}

void lease_tenure_end(struct lease_tenure *tenure, int64_t now_ms) {
    tenure->released_ms = now_ms;
    tenure->expected_count = 0;
}

void lease_tenure_note_contention(struct lease_tenure *tenure, int64_t now_ms) {
    tenure->contended_until_ms = now_ms + CONTENTION_MS;
    tenure->probe_after_ms = FIRST_PROBE_MS;
}

bool lease_tenure_should_check(struct lease_tenure *tenure, int64_t now_ms) {
    int64_t last_ms = clock_max_ms(tenure->checked_ms, tenure->since_ms);
    if (is_contended(tenure, now_ms) || now_ms - last_ms < CHECK_MS) {
        return false;
    }
    tenure->checked_ms = now_ms;
    return true;
}

bool lease_tenure_should_yield(struct lease_tenure *tenure, int64_t now_ms) {
    int64_t held_ms = now_ms - tenure->since_ms;
    if (is_contended(tenure, now_ms)) {
        return held_ms >= TENURE_MS;
    }
    if (held_ms < tenure->probe_after_ms) {
        return false;
    }
    tenure->probe_after_ms = clock_min_ms(2 * tenure->probe_after_ms, MAX_PROBE_MS);
    return true;
}

int64_t lease_tenure_linger_ms(struct lease_tenure *tenure, int64_t now_ms) {
    tenure->idle_since_ms = now_ms;
    return tenure->missed_lingers < MAX_MISSED_LINGERS ? LINGER_MS : 0;
}

void lease_tenure_note_request(struct lease_tenure *tenure, int64_t now_ms) {
    if (tenure->idle_since_ms >= 0) {
        bool came_in_time = now_ms - tenure->idle_since_ms <= LINGER_MS;
        int missed_lingers = tenure->missed_lingers < MAX_MISSED_LINGERS
                                 ? tenure->missed_lingers + 1
                                 : MAX_MISSED_LINGERS;
        tenure->missed_lingers = came_in_time ? 0 : missed_lingers;
        tenure->idle_since_ms = -1;
    }
}

void lease_tenure_note_batch(struct lease_tenure *tenure, int answered, int waiting,
                             int64_t duration_ms) {
    tenure->commits++;
    tenure->commit_ms =
        tenure->commits == 1 ? duration_ms : (7 * tenure->commit_ms + duration_ms) / 8;
    int callers =
        answered + waiting < INVENTORY_MAX_CHANGES ? answered + waiting : INVENTORY_MAX_CHANGES;
    tenure->expected_count = tenure->windows_to_skip > 0 ? 0 : callers;
    tenure->windows_to_skip -= tenure->windows_to_skip > 0;
}

bool lease_tenure_expects_callers(const struct lease_tenure *tenure, int waiting) {
    return waiting < tenure->expected_count;
}

int64_t lease_tenure_window_ms(const struct lease_tenure *tenure, int waiting) {
    bool is_missing_some = lease_tenure_expects_callers(tenure, waiting);
    return is_missing_some ? clock_min_ms(tenure->commit_ms / 10, MAX_WINDOW_MS) : 0;
}

/* Where callers do not come back, waiting for them would cost each batch a tenth: so it is tried ever more rarely. */
void lease_tenure_note_window(struct lease_tenure *tenure, int waiting) {
    if (tenure->expected_count == 0) { /* nobody was waited for, which says nothing */
        return;
    }
    bool was_missed = 2 * waiting < tenure->expected_count;
    tenure->windows_missed = was_missed ? tenure->windows_missed + 1 : 0;
    if (was_missed) {
        tenure->windows_to_skip = 1 << (tenure->windows_missed < 5 ? tenure->windows_missed : 5);
    }
    tenure->expected_count = 0;
}
