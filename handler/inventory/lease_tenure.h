/*
 * lease_tenure.h - for how long this handler keeps a product's lease, and for how long it waits for callers. Pure: it has no
 * clock and no timer; the pipeline asks it.
 *
 * Three decisions:
 *
 *   yield    A handler that is alone keeps the lease for as long as requests come. Where others want the product too
 *            (contention), it yields after TENURE_MS, and stays away for YIELD_MS, which is longer than any handler's wait
 *            between two tries.
 *   linger   When nobody waits any more, the lease is kept for LINGER_MS: the next caller is spared an acquire. A product to
 *            which nobody came back in time the last MAX_MISSED_LINGERS times is released at once, until somebody does.
 *   window   After a batch was answered, its callers are about to come back. The next batch waits until as many are there
 *            again, or as many as a batch holds, or until none came for a tenth of a commit's duration. A lone caller
 *            therefore waits for nobody.
 *
 * Contention is known from: a try for the lease that met somebody else's; a commit or a read that shows another's version;
 * the announcement that a waiting handler leaves in storage (inventory_store.h), for which a holder looks once in CHECK_MS. Releases
 * before 0.9 announce nothing; for their sake the lease is also yielded after FIRST_PROBE_MS, and then after twice as
 * long each time while that finds nobody.
 *
 * Times are milliseconds on the program's clock.
 */
#ifndef INVENTORY_LEASE_TENURE_H
#define INVENTORY_LEASE_TENURE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    TENURE_MS = 400,
    YIELD_MS = 250,
    LINGER_MS = 5,
    MAX_MISSED_LINGERS = 16,  /* of many callers over many products, one in 20 comes back in time */
    CONTENTION_MS = 10000,    /* others are expected for so long after the last sign of them */
    CHECK_MS = 1000,          /* between two looks for an announcement */
    ANNOUNCE_AFTER_MS = 150,  /* who has waited for the lease for so long says so, */
    ANNOUNCE_EVERY_MS = 1000, /* and says so again */
    FIRST_PROBE_MS = 10000,
    MAX_PROBE_MS = 160000,
    MAX_WINDOW_MS = 50,
};

/* Zeroed at first, but for lease_tenure_init. */
struct lease_tenure {
    int64_t since_ms; /* when the lease was acquired; a short release in between does not count */
    int64_t released_ms;        /* when it was released last */
    int64_t contended_until_ms; /* others are expected until then */
    int64_t checked_ms;         /* when an announcement was looked for last */
    int64_t probe_after_ms;     /* how long a tenure without contention lasts */
    int64_t idle_since_ms;      /* when nobody waited any more; -1: somebody does */
    int missed_lingers;         /* how often in a row nobody came back in time */

    int64_t commit_ms;  /* the smoothed duration of a commit, */
    int commits;        /* and how many it was learnt from */
    int expected_count; /* callers that the next batch waits for */
    int windows_missed; /* in a row: fewer than half of the callers came back in time */
    int windows_to_skip;
};

void lease_tenure_init(struct lease_tenure *tenure);

/* The lease was acquired; `is_contended`: a try for it found it taken by somebody else. */
void lease_tenure_begin(struct lease_tenure *tenure, int64_t now_ms, bool is_contended);
void lease_tenure_end(struct lease_tenure *tenure, int64_t now_ms);

/* There was a sign of others. */
void lease_tenure_note_contention(struct lease_tenure *tenure, int64_t now_ms);

/* Whether to look for an announcement now. True once in CHECK_MS. */
bool lease_tenure_should_check(struct lease_tenure *tenure, int64_t now_ms);

/* Whether the lease is to be yielded before another batch. True at most once for each tenure. */
bool lease_tenure_should_yield(struct lease_tenure *tenure, int64_t now_ms);

/* Nobody waits any more: returns for how long to keep the lease. 0: release it now. */
int64_t lease_tenure_linger_ms(struct lease_tenure *tenure, int64_t now_ms);

/* A request came. */
void lease_tenure_note_request(struct lease_tenure *tenure, int64_t now_ms);

/* A batch of `answered` requests was committed in `duration_ms` while `waiting` others had come. */
void lease_tenure_note_batch(struct lease_tenure *tenure, int answered, int waiting,
                             int64_t duration_ms);

/* Whether callers of the last batch are still expected to return before the next one. */
bool lease_tenure_expects_callers(const struct lease_tenure *tenure, int waiting);

/* Returns for how long to wait for more than `waiting` requests. 0: the next batch may begin. */
int64_t lease_tenure_window_ms(const struct lease_tenure *tenure, int waiting);

/* The window after a batch, if it had one, is over with `waiting` requests. */
void lease_tenure_note_window(struct lease_tenure *tenure, int waiting);

#endif
