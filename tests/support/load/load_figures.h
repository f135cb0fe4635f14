/*
 * load_figures.h - what a load_client's run says of reservations: how many, how fast, by whom, how
 * many at a time.
 *
 * Vocabulary   reservation  an answer with status 200
 *              commit       the reservations that share a product's version (their ETag), of one
 *                           product
 * Threads: any; pure.
 */
#ifndef SUPPORT_LOAD_FIGURES_H
#define SUPPORT_LOAD_FIGURES_H

#include <stdint.h>

#include "support/load/load_client.h"
#include "support/load/samples.h"

enum { LOAD_ALL_TARGETS = -1 };

/* Reservations of a target, or LOAD_ALL_TARGETS. */
int64_t load_reservations(const struct load_result *result, int target);

/* All other answers, missing ones among them. */
int64_t load_refusals(const struct load_result *result);

/*
 * Reservations for each second between `warm_up_ms` after the beginning and the end; those answered
 * after it do not count.
 */
double load_per_second(const struct load_result *result, int64_t warm_up_ms);

/*
 * Adds how long each answer of requests sent after the warm-up took, in ms, whatever its status and
 * however late it came.
 */
void load_add_latencies(const struct load_result *result, int64_t warm_up_ms,
                        struct samples *out_ms);

/* How long the one that waited longest did. */
double load_longest_ms(const struct load_result *result);

/* Adds the number of reservations in each commit of a target, or LOAD_ALL_TARGETS. */
void load_add_commit_sizes(const struct load_result *result, int target, struct samples *out_sizes);

#endif
