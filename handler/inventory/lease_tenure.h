/*
 * lease_tenure.h - how long this handler keeps a product's lease, and how long it waits for
 * callers. Pure: it has no clock and no timer; the pipeline asks it.
 *
 * It makes three decisions:
 *
 *   yield    A handler that is alone keeps the lease for as long as requests come. If other
 *            handlers want the product too (contention), it yields after TENURE_MS: it releases the
 *            lease and stays away for YIELD_MS. A waiting handler makes its tries at shorter
 *            intervals, unless AcquireRetryInterval is longer. So another one gets the lease.
 *   linger   When no request waits, the lease is kept for LINGER_MS, which saves the next caller an
 *            acquire. If no request came in time MAX_MISSED_LINGERS times in a row, the lease is
 *            released at once, until a request comes in time again.
 *   window   The callers of an answered batch are about to come back. The next batch waits for as
 *            many requests as the last batch and the queue behind it had, but for no more than a
 *            batch holds. Once they have come, the wait ends. So a caller that is alone waits for
 *            nobody. The wait also ends when no request has come for a tenth of a commit's duration
 *            (at most MAX_WINDOW_MS), and after three times that in any case.
 *
 * Signs of contention:
 *
 *   - A try for the lease met another handler's lease.
 *   - A commit or a read found a version that another handler has made.
 *   - A waiting handler has announced itself in storage (inventory_store.h). A holder looks for
 *     that every CHECK_MS.
 *
 * Versions of this program before 0.9 announce nothing. For their sake the lease is also yielded
 * without a sign, as a courtesy: after FIRST_COURTESY_MS, and then after twice as long each time,
 * up to MAX_COURTESY_MS, while no sign is found.
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
    MAX_MISSED_LINGERS = 16,
    /* Others are expected for this long after the last sign of them. */
    CONTENTION_MS = 10000,
    /* Between two looks for an announcement. */
    CHECK_MS = 1000,
    /* A handler announces itself after it has waited this long for the lease. */
    ANNOUNCE_AFTER_MS = 150,
    ANNOUNCE_EVERY_MS = 1000,
    FIRST_COURTESY_MS = 10000,
    MAX_COURTESY_MS = 160000,
    MAX_WINDOW_MS = 50,
};

struct lease_tenure {
    /* ---- yield ---- */
    int64_t since_ms; /* when the tenure began; it goes on after a short release */
    int64_t released_ms;
    int64_t contended_until_ms; /* others are expected until then */
    int64_t checked_ms;         /* the last look for an announcement */
    int64_t courtesy_after_ms;  /* a tenure without contention yields after this time */

    /* ---- linger ---- */
    int64_t idle_since_ms; /* when the last linger began; -1: a request has come since */
    int missed_lingers;    /* lingers in a row in which no request came in time */

    /* ---- window ---- */
    int64_t commit_ms;   /* the smoothed duration of a commit */
    int commit_count;    /* the commits that it was learnt from */
    int expected_count;  /* requests that the next batch waits for; 0: it does not wait */
    int missed_windows;  /* windows in a row in which fewer than half of them came */
    int windows_to_skip; /* batches that do not wait */
};

void lease_tenure_init(struct lease_tenure *tenure);

/*
 * The lease was acquired. Begins a tenure, or goes on with the last one after a short release.
 * `met_conflict`: a try for it met another handler's lease.
 */
void lease_tenure_note_acquire(struct lease_tenure *tenure, int64_t now_ms, bool met_conflict);

/* The lease was released. */
void lease_tenure_note_release(struct lease_tenure *tenure, int64_t now_ms);

/* There was a sign of contention. */
void lease_tenure_note_contention(struct lease_tenure *tenure, int64_t now_ms);

/* Returns true if it is time to look for an announcement. Then the next look is CHECK_MS later. */
bool lease_tenure_begin_check(struct lease_tenure *tenure, int64_t now_ms);

/*
 * Returns true if the lease must be yielded before the next batch. Then the caller must yield it: a
 * courtesy counts as shown. Call it once after a batch.
 */
bool lease_tenure_begin_yield(struct lease_tenure *tenure, int64_t now_ms);

/* No request waits from now on. Returns how long to keep the lease. 0: release it now. */
int64_t lease_tenure_begin_linger(struct lease_tenure *tenure, int64_t now_ms);

/* A request came. */
void lease_tenure_note_request(struct lease_tenure *tenure, int64_t now_ms);

/*
 * A batch of `batch_size` requests was committed in `duration_ms`. Meanwhile `waiting` requests had
 * joined the queue.
 */
void lease_tenure_note_batch(struct lease_tenure *tenure, int batch_size, int waiting,
                             int64_t duration_ms);

/* Returns true if more than the `waiting` requests are expected before the next batch. */
bool lease_tenure_expects_callers(const struct lease_tenure *tenure, int waiting);

/* Returns how long to wait for the next request to join the `waiting` ones. 0: do not wait. */
int64_t lease_tenure_window_ms(const struct lease_tenure *tenure, int waiting);

/* The time to wait after a batch, if there was any, has ended with `waiting` requests. */
void lease_tenure_note_window(struct lease_tenure *tenure, int waiting);

#endif
