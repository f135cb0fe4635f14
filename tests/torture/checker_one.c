/*
 * checker_one.c - what is decided about the one reservation that a request names: it is confirmed,
 * extended, or that is refused.
 */
#include <inttypes.h>

#include "torture/checker_replay.h"

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static enum checker_rule rule_of(const struct history_record *record) {
    return record->kind == HISTORY_CONFIRM  ? CHECKER_CONFIRM
           : record->kind == HISTORY_EXTEND ? CHECKER_EXTEND
                                            : CHECKER_LOST;
}

/* The reservation, if it may have been active; else it is a violation. */
static struct checker_row *find_active(const struct checker_replay *replay,
                                       const struct history_record *record,
                                       struct checker_window window) {
    struct checker_row *row = checker_model_find_row(replay->model, record->wanted_reservation);
    const struct history_record *evidence[2] = {record, row == NULL ? NULL : row->by};
    if (row == NULL || record->version <= row->after_version) {
        checker_violate(replay->model->report, rule_of(record), evidence, 2,
                        "reservation %s was not there at version %" PRId64 ", and one could %s it",
                        record->wanted_reservation, record->version,
                        history_kind_name(record->kind));
        return NULL;
    }
    if (checker_range_is_dead(replay->model, row, record->version, window)) {
        checker_violate(replay->model->report, rule_of(record), evidence, 2,
                        "reservation %s had expired at %" PRId64 ", and one could %s it at %" PRId64
                        " or later",
                        row->as.id, checker_range_last_expiry_ms(row, record->version),
                        history_kind_name(record->kind), window.from_ms);
    }
    return row;
}

/* The units that a reservation certainly has at a version. */
static int64_t sure_units(const struct checker_row *row, int64_t version) {
    return row->loose > 0 && version >= row->loose_from ? larger(0, row->low - row->loose)
                                                        : row->low;
}

static void violate_units(const struct checker_replay *replay, const struct checker_row *row,
                          const struct history_record *record, int64_t units) {
    const struct history_record *evidence[2] = {record, row->by};
    checker_violate(replay->model->report, rule_of(record), evidence, 2,
                    "reservation %s had %" PRId64 " units for %s at version %" PRId64
                    ", not %" PRId64 " to %" PRId64,
                    row->as.id, units, history_kind_name(record->kind), record->version,
                    sure_units(row, record->version), row->high);
}

void checker_one_confirm(struct checker_replay *replay, const struct checker_change *change,
                         struct checker_window window, bool is_alone) {
    const struct history_record *record = change->record;
    struct checker_row *row = find_active(replay, record, window);
    int64_t units = record->confirmed + record->remaining;
    if (row == NULL) {
        return;
    }
    if (units > row->high || (is_alone && units < sure_units(row, record->version))) {
        violate_units(replay, row, record, units);
    }
    row->low = is_alone ? record->remaining : larger(0, row->low - record->confirmed);
    row->high = is_alone ? record->remaining : larger(0, row->high - record->confirmed);
}

/*
 * It expires as long from the decision as was asked for. If that is no later than before, it
 * expires as before.
 */
static void check_new_expiry(const struct checker_replay *replay, const struct checker_row *row,
                             const struct checker_change *change) {
    const struct checker_model *model = replay->model;
    const struct history_record *record = change->record;
    int64_t first_ms = larger(row->expires_ms, change->window.from_ms + change->lifetime_ms -
                                                   model->input->clock_behind_ms);
    int64_t last_ms = larger(checker_range_last_expiry_ms(row, record->version),
                             change->window.to_ms + change->lifetime_ms + CHECKER_AHEAD_MS);
    if (record->expires_ms < first_ms || record->expires_ms > last_ms) {
        const struct history_record *evidence[2] = {record, row->by};
        checker_violate(model->report, CHECKER_EXTEND, evidence, 2,
                        "reservation %s was extended to %" PRId64 ", not %" PRId64 " to %" PRId64,
                        row->as.id, record->expires_ms, first_ms, last_ms);
    }
}

void checker_one_extend(struct checker_replay *replay, const struct checker_change *change,
                        bool is_alone) {
    const struct history_record *record = change->record;
    struct checker_row *row = find_active(replay, record, change->window);
    if (row == NULL) {
        return;
    }
    check_new_expiry(replay, row, change);
    if (is_alone && (record->found.quantity > row->high ||
                     record->found.quantity < sure_units(row, record->version))) {
        violate_units(replay, row, record, record->found.quantity);
    }
    row->expires_ms = larger(row->expires_ms, record->expires_ms);
}

/* Of one that is gone, its id tells whether it has expired: it begins with the first expiry. */
static bool is_reason_wrong(const struct checker_model *model, const struct checker_row *row,
                            const struct history_record *record) {
    bool is_before = row->as.expires_ms > record->answered_ms + CHECKER_AHEAD_MS;
    bool is_after = row->as.expires_ms <= record->sent_ms - model->input->clock_behind_ms;
    return record->refusal == HISTORY_EXPIRED
               ? is_before
               : record->refusal == HISTORY_NOT_FOUND && record->kind != HISTORY_FIND && is_after;
}

void checker_one_refusal(const struct checker_replay *replay, const struct history_record *record) {
    const struct checker_row *row =
        checker_model_find_row(replay->model, record->wanted_reservation);
    if (row == NULL) {
        return;
    }
    const struct history_record *evidence[2] = {record, row->by};
    const struct checker_window window = {record->sent_ms, record->answered_ms};
    bool was_before = row->from_version < record->version ||
                      (row->by != NULL && row->by->answered_ms < record->sent_ms);
    int64_t sure = checker_range_of_row(replay->model, row, record->version, window).low;
    int64_t enough = record->refusal == HISTORY_TOO_MUCH ? record->quantity : 1;
    if (was_before && sure >= enough) {
        checker_violate(replay->model->report, rule_of(record), evidence, 2,
                        "%s was refused at version %" PRId64 ", but %" PRId64
                        " units of %s were there until %" PRId64,
                        history_kind_name(record->kind), record->version, sure, row->as.id,
                        row->expires_ms);
    } else if (is_reason_wrong(replay->model, row, record)) {
        checker_violate(replay->model->report, rule_of(record), evidence, 2,
                        "%s was refused as %s, but %s first expires at %" PRId64,
                        history_kind_name(record->kind), record->code, row->as.id,
                        row->as.expires_ms);
    }
}
