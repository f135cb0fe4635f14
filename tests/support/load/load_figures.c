#include "support/load/load_figures.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_reservation(const struct load_answer *answer, int target) {
    return answer->status == 200 && (target == LOAD_ALL_TARGETS || answer->target == target);
}

int64_t load_reservations(const struct load_result *result, int target) {
    int64_t count = 0;
    for (size_t i = 0; i < result->count; i++) {
        count += is_reservation(&result->answers[i], target);
    }
    return count;
}

int64_t load_refusals(const struct load_result *result) {
    return (int64_t)result->count - load_reservations(result, LOAD_ALL_TARGETS);
}

double load_per_second(const struct load_result *result, int64_t warm_up_ms) {
    int64_t from_us = result->begun_us + warm_up_ms * 1000;
    int64_t count = 0;
    for (size_t i = 0; i < result->count; i++) {
        const struct load_answer *answer = &result->answers[i];
        count += is_reservation(answer, LOAD_ALL_TARGETS) && answer->received_us >= from_us &&
                 answer->received_us < result->ended_us;
    }
    return (double)count * 1e6 / (double)(result->ended_us - from_us);
}

static double latency_ms(const struct load_answer *answer) {
    return (double)(answer->received_us - answer->sent_us) / 1000;
}

void load_add_latencies(const struct load_result *result, int64_t warm_up_ms,
                        struct samples *out_ms) {
    int64_t from_us = result->begun_us + warm_up_ms * 1000;
    for (size_t i = 0; i < result->count; i++) {
        if (result->answers[i].sent_us >= from_us) {
            samples_add(out_ms, latency_ms(&result->answers[i]));
        }
    }
}

double load_longest_ms(const struct load_result *result) {
    double longest_ms = 0;
    for (size_t i = 0; i < result->count; i++) {
        double this_ms = latency_ms(&result->answers[i]);
        longest_ms = this_ms > longest_ms ? this_ms : longest_ms;
    }
    return longest_ms;
}

static int by_number(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

void load_add_commit_sizes(const struct load_result *result, int target,
                           struct samples *out_sizes) {
    int64_t *versions = calloc(result->count + 1, sizeof *versions);
    ck_assert_ptr_nonnull(versions);
    size_t count = 0;
    for (size_t i = 0; i < result->count; i++) {
        if (is_reservation(&result->answers[i], target)) {
            versions[count++] = result->answers[i].version;
        }
    }
    qsort(versions, count, sizeof *versions, by_number);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (i + 1 == count || versions[i + 1] != versions[first]) {
            samples_add(out_sizes, (double)(i + 1 - first));
            first = i + 1;
        }
    }
    free(versions);
}
