/*
 * storage_clock.h - the time at a storage service, from the Date headers of its answers.
 *
 * Instances whose own clocks are minutes apart must agree on whether a reservation has expired, so that is asked here.
 * A Date says the service's time to the second, at some moment between sending and receiving. Each answer therefore bounds the
 * difference between storage's clock and ours from both sides; the bounds of all answers are intersected, and the lower one is
 * used: never ahead of storage's time, behind it by a second and the round trip after the first answer, and ever less after more.
 * The bounds widen by 500 ppm of the time that passes, as our clock may drift. Bounds that contradict each other a little (another
 * of storage's servers answered) are replaced by the newest answer's.
 *
 * A single Date may be wrong, so no single answer moves the clock by more than STORAGE_CLOCK_TOLERANCE_MS. The next answer has to
 * say the same; one that agrees with what was known has the odd one forgotten. For the first answer of all, the machine's wall
 * clock is such a witness, too.
 *
 * Vocabulary   jump      an answer that is further from what is known
 * Threads: any; has a lock of its own.
 */
#ifndef STORAGE_STORAGE_CLOCK_H
#define STORAGE_STORAGE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum { STORAGE_CLOCK_TOLERANCE_MS = 2000 };

/* What storage's wall time - our now_ms is at least and at most. */
struct storage_clock_bounds {
    bool known;
    int64_t min_ms, max_ms;
};

struct storage_clock {
    pthread_mutex_t lock; /* guards all that follows but `clock` */
    const struct clock *clock;
    struct storage_clock_bounds bounds; /* what is believed */
    struct storage_clock_bounds jump;   /* an answer that waits for another to confirm it */
    int64_t widened_ms;                 /* until when our clock's drift is in `bounds` */
};

void storage_clock_init(struct storage_clock *storage_clock, const struct clock *clock);
void storage_clock_cleanup(struct storage_clock *storage_clock);

/* Takes in the Date header of an answer of storage's (NULL and unreadable ones are passed over). Times of `clock`. */
void storage_clock_observe(struct storage_clock *storage_clock, const char *date, int64_t sent_ms,
                           int64_t received_ms);

/* Storage's time in ms since 1970, carried forward on our clock; the machine's wall time while none of its answers is believed. */
int64_t storage_clock_ms(struct storage_clock *storage_clock);

/* The same for dates that requests carry: the first answer counts at once. A wrong one costs a refused request. */
int64_t storage_clock_signing_ms(struct storage_clock *storage_clock);

/* The earlier of storage_clock_ms and of what an answer says that waits to be confirmed: for deletions, which nothing makes good. */
int64_t storage_clock_certain_ms(struct storage_clock *storage_clock);

/* True if an answer waits to be confirmed: one more request settles what the time is. */
bool storage_clock_is_in_doubt(struct storage_clock *storage_clock);

#endif
