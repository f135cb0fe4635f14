/*
 * samples.h - measured values, and what is told of them.
 *
 * Rules        A percentile is a value that was measured (nearest rank), never one between two. No
 *              memory aborts the test.
 * Threads: a struct samples belongs to one thread.
 */
#ifndef SUPPORT_SAMPLES_H
#define SUPPORT_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed at first. */
struct samples {
    double *values;
    size_t count;
    size_t capacity;
    bool is_sorted;
};

void samples_add(struct samples *samples, double value);
void samples_cleanup(struct samples *samples);

/*
 * The smallest value that is not exceeded by `percent` (0 to 100) of all: 0 the least, 100 the
 * greatest. NAN without values.
 */
double samples_percentile(struct samples *samples, double percent);

/* Of an even number: the middle between the two in the middle. NAN without values. */
double samples_median(struct samples *samples);

#endif
