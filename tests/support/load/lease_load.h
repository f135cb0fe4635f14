/*
 * lease_load.h - very many leases that one process holds and renews: how late, how dear, and
 * whether all of them.
 *
 * Between the lease manager and the blob store stands a store that passes everything on and looks
 * at the clock, so that what is measured is what storage and the owners see, and nothing that the
 * engine says of itself.
 *
 * Vocabulary   lateness   of a renewal: when its answer came - (when that lease was last asked for
 *              with success + the
 *                         renewal interval) - the store's delay. So everything counts: the timer,
 *                         the queue before the network, failed attempts, the network, the answer's
 *                         own way. Of a lease that waits for a renewal at the end: as if it were
 *                         answered then. Where the store's delay is not known, all the time that
 *                         storage takes counts as well
 *              renewing   the phase that is measured: from the moment all are acquired until each
 *                         has been renewed `periods` times
 *              peak       the most of it in a phase: of memory, what has been added since the first
 *                         lease was acquired
 * Threads: run from the main thread, with no others about.
 */
#ifndef SUPPORT_LEASE_LOAD_H
#define SUPPORT_LEASE_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "support/fakes/slow_store.h"

enum {
    LEASE_LOAD_MAX_LATE_P99_MS = 250,
    LEASE_LOAD_MAX_THREADS = 4,
    LEASE_LOAD_MAX_BYTES_PER_LEASE = 4096,
};

struct lease_load_options {
    const char *connection_string;
    const struct slow_store
        *store; /* where the string leads, if it is one of ours; NULL: it is not */
    int leases;
    int periods;
    int duration_s;
    double renew_fraction; /* the renewal interval as a part of the duration */
    int64_t stop_ms;       /* stops the whole process for that long while it renews; 0: does not */
    int max_late_p99_ms;   /* for lease_load_complain; 0: LEASE_LOAD_MAX_LATE_P99_MS */
};

struct lease_load_figures {
    int leases;
    int periods;
    int64_t interval_ms;

    int64_t renewals; /* in the renewing phase, as all that follows up to closing */
    int64_t failed;   /* attempts that the owners were told of; in all phases */
    int lost;         /* leases whose owners were told that they are lost; in all phases */
    int64_t
        /* leases that came to their end at the store before the closing; 0 where it is not ours */
        ran_out;
    /* leases not renewed `periods` times in that many periods and the safety threshold */
    int unrenewed;
    int late_p50_ms; /* lateness */
    int late_p99_ms;
    int late_max_ms;
    int max_late_p99_ms; /* what the 99th percentile may be */
    int threads;
    bool
        /* false: the allocator is a checking tool's, and the figures mean nothing */
        memory_is_measured;
    double heap_bytes;   /* peak of what is allocated, a lease */
    double rss_bytes;    /* peak of the resident set, a lease */
    double cpu_us;       /* of the process, a renewal */
    int64_t connections; /* at the store at once, in all phases; 0 where it is not ours */

    double closing_rss_bytes; /* as rss_bytes, while all leases are released at once */
    int unreleased;           /* leases that could not be released */

    int64_t acquiring_ms; /* how long each phase took */
    int64_t renewing_ms;
    int64_t closing_ms;
    int64_t acquires_sent; /* to the store, by kind */
    int64_t renewals_sent;
    int64_t releases_sent;
};

/*
 * Is the allocator the system's own? Under the sanitizers and valgrind it is theirs, and nothing
 * allocated shows.
 */
bool lease_load_measures_memory(void);

/*
 * What cannot happen to a working engine and storage (an acquire that fails, ...) aborts the test.
 */
void lease_load_run(const struct lease_load_options *options, struct lease_load_figures *out);

/* The figures as a table, with a legend. */
void lease_load_print(FILE *out, const char *title, const struct lease_load_figures *figures);

/*
 * Appends a sentence for each limit that was missed: the three above, and not one lease lost.
 * Nothing: all were met.
 */
void lease_load_complain(struct strbuf *out, const struct lease_load_figures *figures);

#endif
