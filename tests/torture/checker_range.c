#include "torture/checker_replay.h"

enum { PICTURES_BACK = 64 };

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

bool checker_range_is_alive(const struct checker_row *row, struct checker_window window) {
    return row->expires_ms > window.to_ms + CHECKER_AHEAD_MS;
}

int64_t checker_range_last_expiry_ms(const struct checker_row *row, int64_t version) {
    return row->expires_ms +
           (row->extendable_ms > 0 && version >= row->extendable_from ? row->extendable_ms : 0);
}

bool checker_range_is_dead(const struct checker_model *model, const struct checker_row *row,
                           int64_t version, struct checker_window window) {
    return checker_range_last_expiry_ms(row, version) <=
           window.from_ms - model->input->clock_behind_ms;
}

struct checker_range checker_range_of_row(const struct checker_model *model,
                                          const struct checker_row *row, int64_t version,
                                          struct checker_window window) {
    if (version <= row->after_version || checker_range_is_dead(model, row, version, window)) {
        return (struct checker_range){0, 0};
    }
    int64_t low =
        version >= row->from_version && checker_range_is_alive(row, window) ? row->low : 0;
    if (row->loose > 0 && version >= row->loose_from) {
        low = larger(0, low - row->loose);
    }
    return (struct checker_range){low, row->high};
}

/* The first snapshot of that version or a later one. */
static size_t find_snapshot(const struct checker_model *model, int64_t version) {
    size_t from = 0, to = model->snapshot_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (model->snapshots[middle].version < version) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

struct checker_unseen checker_range_find_unseen(const struct checker_model *model, int64_t version,
                                                struct checker_window window) {
    struct checker_unseen unseen = {version, window, INT64_MIN / 2, model->product->read_to_ms};
    size_t i = find_snapshot(model, version);
    if (i < model->snapshot_count) {
        unseen.until_ms = model->snapshots[i].earliest_later_ms;
    }
    i = find_snapshot(model, version + 1);
    for (size_t back = 1; back <= PICTURES_BACK && back <= i; back++) {
        if (model->snapshots[i - back].record->answered_ms <= window.from_ms) {
            unseen.committed_ms =
                larger(unseen.committed_ms, model->snapshots[i - back].committed_ms);
            break;
        }
    }
    return unseen;
}

bool checker_range_may_be_unseen(const struct checker_model *model,
                                 const struct checker_unseen *unseen,
                                 const struct checker_change *phantom) {
    int64_t made_ms =
        larger(phantom->window.from_ms, unseen->committed_ms) - model->input->clock_behind_ms;
    bool gone = made_ms + phantom->lifetime_ms <= unseen->until_ms + CHECKER_AHEAD_MS;
    return phantom->after_version < unseen->version &&
           phantom->window.from_ms <= unseen->window.to_ms && (gone || phantom->has_release);
}

static int64_t sum_phantoms(const struct checker_model *model, int64_t version,
                            struct checker_window window) {
    struct checker_unseen unseen = checker_range_find_unseen(model, version, window);
    int64_t sum = 0;
    for (size_t i = 0; i < model->phantom_count; i++) {
        if (checker_range_may_be_unseen(model, &unseen, model->phantoms[i])) {
            sum += model->phantoms[i]->record->quantity;
        }
    }
    return sum;
}

struct checker_range checker_range_sum(const struct checker_replay *replay, int64_t version,
                                       struct checker_window window) {
    struct checker_range sum = {0, sum_phantoms(replay->model, version, window)};
    for (size_t i = 0; i < replay->active_count; i++) {
        struct checker_range row =
            checker_range_of_row(replay->model, replay->active[i], version, window);
        sum.low += row.low;
        sum.high += row.high;
    }
    return sum;
}
