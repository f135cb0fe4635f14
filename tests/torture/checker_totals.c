/*
 * checker_totals.c - a product's total at each version: as it was seeded, set or seen, with all
 * that was adjusted and confirmed since. What has an unknown outcome makes it a range, until a
 * snapshot that comes after shows it.
 */
#include <stdlib.h>

#include "torture/checker_model.h"

static int compare_int64(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_anchors(const void *left, const void *right) {
    const struct checker_anchor *a = left, *b = right;
    int by_version = compare_int64(a->version, b->version);
    int by_kind = (int)a->is_seen - (int)b->is_seen;
    return by_version != 0 ? by_version
           : by_kind != 0  ? by_kind
                           : compare_int64(a->sent_ms, b->sent_ms);
}

static int compare_deltas(const void *left, const void *right) {
    const struct checker_delta *a = left, *b = right;
    return compare_int64(a->version, b->version);
}

int64_t checker_totals_delta(const struct checker_model *model,
                             const struct checker_change *change) {
    const struct history_record *record = change->record;
    const struct checker_row *row;
    if (record->kind == HISTORY_ADJUST) {
        return record->quantity;
    }
    if (record->kind != HISTORY_CONFIRM) {
        return 0;
    }
    if (change->outcome == HISTORY_DONE) {
        return -record->confirmed;
    }
    row = checker_model_find_row(model, record->wanted_reservation);
    return row != NULL && (record->quantity == 0 || record->quantity > row->as.quantity)
               ? -row->as.quantity
               : -record->quantity;
}

static void gather_anchors(struct checker_model *model) {
    model->anchors = checker_allocate(model->answer_count + 1, sizeof *model->anchors);
    model->anchors[model->anchor_count++] =
        (struct checker_anchor){.total = model->product->total, .committed_ms = INT64_MIN};
    for (size_t i = 0; i < model->answer_count; i++) {
        const struct history_record *record = model->answers[i];
        bool is_set = record->kind == HISTORY_SET_TOTAL;
        if (record->outcome == HISTORY_DONE && (is_set || record->kind == HISTORY_GET)) {
            model->anchors[model->anchor_count++] = (struct checker_anchor){
                .version = record->version,
                .total = is_set ? record->quantity : record->total,
                .sent_ms = record->sent_ms,
                .committed_ms = checker_model_committed_ms(model, record->version),
                .is_seen = !is_set};
        }
    }
    qsort(model->anchors, model->anchor_count, sizeof *model->anchors, compare_anchors);
}

void checker_totals_gather(struct checker_model *model) {
    gather_anchors(model);
    model->deltas = checker_allocate(model->change_count, sizeof *model->deltas);
    model->open_deltas = checker_allocate(model->change_count, sizeof(struct checker_change *));
    for (size_t i = 0; i < model->change_count; i++) {
        struct checker_change *change = &model->changes[i];
        int64_t by = checker_totals_delta(model, change);
        if (by != 0 && change->outcome == HISTORY_DONE) {
            model->deltas[model->delta_count++] =
                (struct checker_delta){.version = change->record->version, .by = by};
        } else if (by != 0 && change->outcome == HISTORY_UNKNOWN) {
            model->open_deltas[model->open_delta_count++] = change;
        }
    }
    qsort(model->deltas, model->delta_count, sizeof *model->deltas, compare_deltas);
    int64_t sum = 0;
    for (size_t i = 0; i < model->delta_count; i++) {
        model->deltas[i].sum = sum += model->deltas[i].by;
    }
}

void checker_totals_cleanup(struct checker_model *model) {
    free(model->anchors);
    free(model->deltas);
    free(model->open_deltas);
}

/* All that changes of known outcome have added up to a version. */
static int64_t sum_deltas(const struct checker_model *model, int64_t version) {
    size_t from = 0, to = model->delta_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (model->deltas[middle].version <= version) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from == 0 ? 0 : model->deltas[from - 1].sum;
}

/* The last one up to a version. One that was seen at the version itself is not judged by itself. */
static const struct checker_anchor *find_anchor(const struct checker_model *model, int64_t version,
                                                bool is_judged) {
    size_t from = 0, to = model->anchor_count;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (model->anchors[middle].version <= version) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    const struct checker_anchor *found = &model->anchors[from - 1];
    while (is_judged && found > model->anchors && found->is_seen && found->version == version) {
        found--;
    }
    return found;
}

/*
 * The total at an anchor. One commit may have set it more than once, and nobody is told in which
 * order. So it is a range until it is seen.
 */
static struct checker_range total_of(const struct checker_model *model,
                                     const struct checker_anchor *anchor) {
    struct checker_range range = {anchor->total, anchor->total};
    for (const struct checker_anchor *set = anchor;
         !anchor->is_seen && set >= model->anchors && set->version == anchor->version; set--) {
        range.low = set->total < range.low ? set->total : range.low;
        range.high = set->total > range.high ? set->total : range.high;
    }
    return range;
}

int64_t checker_totals_largest_set(const struct checker_model *model, int64_t version) {
    const struct checker_anchor *anchor = find_anchor(model, version, true);
    return anchor->version == version ? total_of(model, anchor).high : 0;
}

/*
 * Whether a change of unknown outcome may have been committed after the anchor. It was decided
 * before its answer, and a confirm before the reservation's expiry. Its commit may reach storage
 * later, but fails there if another was first.
 */
static bool may_follow(const struct checker_model *model, const struct checker_change *change,
                       const struct checker_anchor *anchor) {
    const struct checker_row *row =
        checker_model_find_row(model, change->record->wanted_reservation);
    return change->last_answered_ms >= anchor->committed_ms &&
           (row == NULL || row->last_expiry_ms + CHECKER_AHEAD_MS >= anchor->committed_ms);
}

static struct checker_range total_from(const struct checker_model *model,
                                       const struct checker_anchor *anchor, int64_t version,
                                       int64_t until_ms) {
    int64_t since = sum_deltas(model, version) - sum_deltas(model, anchor->version);
    struct checker_range range = total_of(model, anchor);
    range.low += since;
    range.high += since;
    for (size_t i = 0; i < model->open_delta_count && version > anchor->version; i++) {
        const struct checker_change *change = model->open_deltas[i];
        int64_t by = checker_totals_delta(model, change);
        if (change->after_version < version && change->window.from_ms <= until_ms &&
            may_follow(model, change, anchor)) {
            *(by > 0 ? &range.high : &range.low) += by;
        }
    }
    return range;
}

struct checker_range checker_totals_at(const struct checker_model *model, int64_t version,
                                       int64_t until_ms) {
    return total_from(model, find_anchor(model, version, false), version, until_ms);
}

struct checker_range checker_totals_expected(const struct checker_model *model, int64_t version,
                                             int64_t until_ms) {
    return total_from(model, find_anchor(model, version, true), version, until_ms);
}

struct checker_range checker_totals_room(const struct checker_model *model, int64_t version,
                                         int64_t until_ms) {
    struct checker_range total = checker_totals_at(model, version, until_ms);
    int64_t residents = model->product->resident_units;
    return (struct checker_range){total.low - residents, total.high - residents};
}
