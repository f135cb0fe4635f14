#include "support/load/samples.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

void samples_add(struct samples *samples, double value) {
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity == 0 ? 64 : 2 * samples->capacity;
        samples->values = realloc(samples->values, samples->capacity * sizeof *samples->values);
        ck_assert_ptr_nonnull(samples->values);
    }
    samples->values[samples->count++] = value;
    samples->is_sorted = false;
}

void samples_cleanup(struct samples *samples) {
    free(samples->values);
    *samples = (struct samples){.count = 0};
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void sort(struct samples *samples) {
    if (!samples->is_sorted && samples->count > 0) {
        qsort(samples->values, samples->count, sizeof *samples->values, by_value);
    }
    samples->is_sorted = true;
}

double samples_percentile(struct samples *samples, double percent) {
    if (samples->count == 0) {
        return NAN;
    }
    sort(samples);
    /*
     * A hair less, so that 7 % of 100 values are 7 of them, although 7 / 100 * 100 is a hair more
     * in doubles.
     */
    double rank = ceil(percent / 100 * (double)samples->count - 1e-9);
    return samples->values[rank < 1 ? 0 : (size_t)rank - 1];
}

double samples_median(struct samples *samples) {
    if (samples->count == 0) {
        return NAN;
    }
    sort(samples);
    return (samples->values[(samples->count - 1) / 2] + samples->values[samples->count / 2]) / 2;
}
