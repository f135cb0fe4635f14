#include "torture/checker_replay.h"

#include <inttypes.h>
#include <string.h>

/* ---- a GET's answer ---- */

static bool is_same(const struct checker_row *row, const struct history_reservation *seen,
                    int64_t version) {
    return strcmp(row->as.customer, seen->customer) == 0 && seen->expires_ms >= row->expires_ms &&
           seen->expires_ms <= checker_range_last_expiry_ms(row, version);
}

/* One reservation in a snapshot, or stored (`record` NULL), at a version. */
static void check_seen(const struct checker_replay *replay, struct checker_row *row,
                       const struct history_reservation *seen, const struct history_record *record,
                       int64_t version) {
    struct checker_report *report = replay->model->report;
    const struct history_record *evidence[2] = {row->by, record};
    int64_t low = version >= row->from_version ? row->low : 0;
    if (row->loose > 0 && version >= row->loose_from) {
        low -= row->loose;
    }
    if (version <= row->after_version) {
        checker_violate(report, CHECKER_REPLAY, evidence, 2,
                        "reservation %s was there at version %" PRId64
                        ", but was made after %" PRId64,
                        row->as.id, version, row->after_version);
        return;
    }
    if (!is_same(row, seen, version)) {
        checker_violate(
            report, CHECKER_FOREIGN, evidence, 2,
            "reservation %s of %s until %" PRId64 " has become one of %s until %" PRId64,
            row->as.id, row->as.customer, row->expires_ms, seen->customer, seen->expires_ms);
    }
    if (seen->reserved_ms != row->as.reserved_ms) {
        checker_violate(report, CHECKER_LIFETIME, evidence, 2,
                        "reservation %s was made at %" PRId64 ", and then at %" PRId64, row->as.id,
                        row->as.reserved_ms, seen->reserved_ms);
    }
    if (seen->quantity > row->high || seen->quantity < low) {
        checker_violate(report, seen->quantity < low ? CHECKER_LOST : CHECKER_REPLAY, evidence, 2,
                        "reservation %s has %" PRId64 " units at version %" PRId64 ", not %" PRId64
                        " to %" PRId64,
                        row->as.id, seen->quantity, version, low, row->high);
    }
    row->low = row->high = seen->quantity;
    row->expires_ms = seen->expires_ms;
}

/* One that is shown as active. */
static void check_active(const struct checker_replay *replay, struct checker_row *row,
                         const struct history_reservation *seen,
                         const struct history_record *record) {
    const struct checker_window window = {record->sent_ms, record->answered_ms};
    if (seen->expires_ms <= window.from_ms - replay->model->input->clock_behind_ms) {
        const struct history_record *evidence[2] = {row->by, record};
        checker_violate(replay->model->report, CHECKER_LIFETIME, evidence, 2,
                        "reservation %s was active at %" PRId64
                        " or later and had expired at %" PRId64,
                        row->as.id, window.from_ms, seen->expires_ms);
    }
    check_seen(replay, row, seen, record, record->version);
}

void checker_snapshot_check_found(struct checker_replay *replay,
                                  const struct history_record *record) {
    struct checker_row *row = checker_model_find_row(replay->model, record->found.id);
    if (row == NULL) {
        checker_violate(replay->model->report, CHECKER_FOREIGN, &record, 1,
                        "reservation %s was shown, and nobody made it", record->found.id);
        return;
    }
    check_active(replay, row, &record->found, record);
}

static void check_missing(const struct checker_replay *replay, struct checker_row *row,
                          const struct history_record *record, int64_t version,
                          struct checker_window window) {
    const struct history_record *evidence[2] = {row->by, record};
    if (checker_range_of_row(replay->model, row, version, window).low > 0) {
        checker_violate(replay->model->report, CHECKER_LOST, evidence, 2,
                        "reservation %s (%" PRId64 " for %s) is not there at version %" PRId64
                        ", but expires at %" PRId64 " and was not released or confirmed",
                        row->as.id, row->low, row->as.customer, version, row->expires_ms);
    }
    if (version >= row->from_version && checker_range_is_alive(row, window)) {
        row->low = row->high = 0;
    }
}

void checker_snapshot_check(struct checker_replay *replay,
                            const struct checker_snapshot *snapshot) {
    const struct checker_model *model = replay->model;
    const struct history_record *record = snapshot->record;
    struct checker_window window = {record->sent_ms, record->answered_ms};
    for (size_t i = 0; i < record->active_count; i++) {
        struct checker_row *row = checker_model_find_row(model, record->active[i].id);
        if (row == NULL ||
            row->seen_in == record->number) { /* twice in one snapshot: told before */
            continue;
        }
        row->seen_in = record->number;
        check_active(replay, row, &record->active[i], record);
    }
    for (size_t i = 0; i < replay->active_count; i++) {
        if (replay->active[i]->seen_in != record->number) {
            check_missing(replay, replay->active[i], record, snapshot->version, window);
        }
    }
}

/* ---- what is stored in the end ---- */

static void check_sums(const struct checker_model *model) {
    const struct checker_product *product = model->product;
    int64_t sum = product->stored_available + product->stored_resident_units;
    struct checker_range total =
        checker_totals_at(model, product->stored_version, product->read_to_ms);
    for (size_t i = 0; i < product->row_count; i++) {
        sum += product->rows[i].quantity;
    }
    if (product->stored_total < total.low || product->stored_total > total.high ||
        sum != product->stored_total || product->stored_available < 0 ||
        product->stored_resident_units != product->resident_units) {
        checker_violate(model->report, CHECKER_STORE, NULL, 0,
                        "%s is stored with %" PRId64 " units in all (%" PRId64 " to %" PRId64
                        " are right), %" PRId64 " available, and %" PRId64 " with those in rows",
                        product->id, product->stored_total, total.low, total.high,
                        product->stored_available, sum);
    }
    const struct history_record *newest = NULL;
    int64_t version = checker_model_newest_version(model, product->read_from_ms, &newest);
    if (version > product->stored_version) {
        checker_violate(model->report, CHECKER_STORE, &newest, 1,
                        "%s is stored at version %" PRId64 ", but %" PRId64 " was answered",
                        product->id, product->stored_version, version);
    }
}

void checker_snapshot_check_store(struct checker_replay *replay) {
    const struct checker_model *model = replay->model;
    const struct checker_product *product = model->product;
    struct checker_window window = {product->read_from_ms, product->read_to_ms};
    const size_t stored = SIZE_MAX;
    check_sums(model);
    for (size_t i = 0; i < product->row_count; i++) {
        struct checker_row *row = checker_model_find_row(model, product->rows[i].id);
        if (row != NULL) {
            row->seen_in = stored;
            check_seen(replay, row, &product->rows[i], NULL, product->stored_version);
        }
    }
    for (size_t i = 0; i < replay->active_count; i++) {
        if (replay->active[i]->seen_in != stored) {
            check_missing(replay, replay->active[i], NULL, product->stored_version, window);
        }
    }
}
