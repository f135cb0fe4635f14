/*
 * random_run.h - random requests, failures, lost leases and waits under a seed, for the pipeline of
 * pipeline_fixture.h.
 *
 * A run takes many random steps. Then everything is well again, and the pipeline comes to rest. At
 * last some callers ask once more. What became of all of them is then for the test to check.
 *
 * The ids of leases and reservations and the jitter between two tries for a lease are not under the
 * seed, so two runs of one seed may differ a little.
 *
 * Threads: the test's own.
 */
#ifndef SUPPORT_RANDOM_RUN_H
#define SUPPORT_RANDOM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "support/fakes/pipeline_fixture.h"

enum {
    RANDOM_RUN_MAX_CALLERS = 600,
    RANDOM_RUN_LAST_CALLERS = 18, /* who come when everything is well again */
    RANDOM_RUN_NAMES = 6,         /* customers, and keys of each kind */
};

struct random_run {
    int seed, step;
    uint64_t random_state;
    struct caller callers[RANDOM_RUN_MAX_CALLERS];
    struct product_state snapshots[RANDOM_RUN_MAX_CALLERS]; /* of those callers who take one */
    int served_before[RANDOM_RUN_MAX_CALLERS]; /* how many were served when this caller came */
    int caller_count;
    int close_at_step; /* -1: it is not closed */
    bool may_lose_answers;
    bool has_lost_answers; /* a commit had its effect, and was answered with a failure */
    int64_t started_ms;
    int64_t units_of_others;
    char robbed_lease[UUID_TEXT_BYTES]; /* ours, which storage took away behind our back */
    const char *fault_of_commit;        /* seen while a commit began; NULL: none */
};

extern struct random_run random_run;

/* A key to reserve with is its customer's id as well, so that its reservations can be counted. */
extern const char *const random_run_keys[RANDOM_RUN_NAMES];

/* After pipeline_fixture_set_up. */
void random_run_begin(int seed);

/* After pipeline_fixture_tear_down. */
void random_run_cleanup(void);

/* Ends early with a fault_of_commit. */
void random_run_take_steps(void);

/* Everything is well from now on. Lets everybody be served, and the pipeline come to rest. */
void random_run_end(void);

/* For each key two callers ask for the same, together with others. Lets them be served. */
void random_run_ask_again(void);

#endif
