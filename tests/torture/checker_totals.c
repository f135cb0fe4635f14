/*
 * checker_totals.c - a product's total at each version: as it was seeded, and as operators have set
 * it.
 */
#include <stdlib.h>

#include "torture/checker_model.h"

static int compare_int64(int64_t a, int64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_records_by_version(const void *left, const void *right) {
    const struct history_record *a = *(const struct history_record *const *)left;
    const struct history_record *b = *(const struct history_record *const *)right;
    return compare_int64(a->version, b->version);
}

void checker_totals_gather(struct checker_model *model) {
    model->totals = checker_allocate(model->answer_count, sizeof *model->totals);
    for (size_t i = 0; i < model->answer_count; i++) {
        if (model->answers[i]->kind == HISTORY_SET_TOTAL) {
            model->totals[model->total_count++] = model->answers[i];
        }
    }
    qsort(model->totals, model->total_count, sizeof *model->totals, compare_records_by_version);
}

int64_t checker_totals_at(const struct checker_model *model, int64_t version) {
    int64_t total = model->product->total;
    for (size_t i = 0; i < model->total_count && model->totals[i]->version <= version; i++) {
        total = model->totals[i]->quantity;
    }
    return total;
}

int64_t checker_totals_room(const struct checker_model *model, int64_t version) {
    return checker_totals_at(model, version) - model->product->resident_units;
}
