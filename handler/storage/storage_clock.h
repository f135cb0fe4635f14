/*
 * storage_clock.h - the time at the storage service, from the Date headers of its answers.
 *
 * Instances whose own clocks are minutes apart must agree on whether a reservation has expired, so that is asked here.
 * A Date says the service's time to the second, at some moment between sending and receiving. Each answer therefore bounds the
 * difference between storage's clock and ours from both sides; the bounds of all answers are intersected, and the lower one is
 * used: never ahead of storage's time, behind it by a second and the round trip after the first answer, and ever less after more.
 * The bounds widen by 500 ppm of the time that passes, as our clock may drift. Bounds that contradict each other (storage's clock
 * was set, or another of its servers answered) are replaced by the newest answer's.
 *
 * Threads: any; has a lock of its own.
 * Layer: storage. May include base/.
 */
#ifndef STORAGE_STORAGE_CLOCK_H
#define STORAGE_STORAGE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct storage_clock {
    pthread_mutex_t lock; /* guards all that follows but `clock` */
    const struct clock *clock;
    bool heard;            /* has any answer told the time? */
    int64_t offset_min_ms; /* storage's wall time - our now_ms: at least, and */
    int64_t offset_max_ms; /* at most this */
    int64_t widened_ms;    /* until when our clock's drift is in the bounds */
};

void storage_clock_init(struct storage_clock *storage_clock, const struct clock *clock);
void storage_clock_release(struct storage_clock *storage_clock);

/* Takes in the Date header of an answer (NULL and unreadable ones are passed over). Times of `clock`. */
void storage_clock_hear(struct storage_clock *storage_clock, const char *date, int64_t sent_ms, int64_t received_ms);

/* Storage's time in ms since 1970, carried forward on our clock; the machine's wall time until storage has been heard. */
int64_t storage_clock_ms(struct storage_clock *storage_clock);

#endif
