/*
 * storage_clock.h - the time at a storage service, estimated from the Date headers of its answers.
 *
 * Instances must agree on whether a reservation has expired, even if their own clocks are minutes
 * apart. So expiry is judged by storage's time.
 *
 * How it works   A Date header gives storage's time to the second, at some moment between sending
 *                and receiving. So each answer bounds the difference between storage's clock and
 *                ours from below and above. The bounds of all answers are intersected, and the
 *                lower bound is used. The estimate is never ahead of storage's time. After the
 *                first answer it lags by up to a second and the round trip. Later answers reduce
 *                that. Our clock may drift, so the bounds widen by 500 ppm of the time that passes.
 *                Another server of storage's may contradict them a little. Then its bounds replace
 *                them.
 * Wrong dates    A single Date may be wrong. An answer that is more than STORAGE_CLOCK_TOLERANCE_MS
 *                away from the bounds is kept aside as a jump. If the next answer agrees with the
 *                jump, the clock follows. If it agrees with the bounds, the jump is dropped. The
 *                very first answer is compared with the machine's wall clock.
 * Vocabulary     jump       an answer far from the accepted bounds, until another confirms it
 *                accepted   said of the bounds in use
 * Threads        Any; it has a lock.
 */
#ifndef STORAGE_STORAGE_CLOCK_H
#define STORAGE_STORAGE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct clock;

enum { STORAGE_CLOCK_TOLERANCE_MS = 2000 };

/* The least and the greatest value of storage's wall time minus our now_ms. */
struct storage_clock_bounds {
    bool is_set;
    int64_t min_ms, max_ms;
};

struct storage_clock {
    pthread_mutex_t lock; /* guards everything but `clock` */
    const struct clock *clock;
    struct storage_clock_bounds accepted;
    struct storage_clock_bounds jump;
    int64_t widened_ms; /* `accepted` includes our clock's drift up to this time */
};

void storage_clock_init(struct storage_clock *storage_clock, const struct clock *clock);
void storage_clock_cleanup(struct storage_clock *storage_clock);

/*
 * Takes the Date header of an answer of storage's. NULL and unreadable dates are ignored. `sent_ms`
 * and `received_ms` are times of `clock`.
 */
void storage_clock_observe(struct storage_clock *storage_clock, const char *date, int64_t sent_ms,
                           int64_t received_ms);

/*
 * Returns storage's time in ms since 1970. Returns the machine's wall time until an answer is
 * accepted.
 */
int64_t storage_clock_ms(struct storage_clock *storage_clock);

/*
 * Returns the time to sign requests with. It differs from storage_clock_ms in that the first answer
 * counts at once, even if it is a jump. A wrong one costs a rejected request.
 */
int64_t storage_clock_signing_ms(struct storage_clock *storage_clock);

/*
 * Returns the earlier of storage_clock_ms and the time by the jump, if there is one. It is for
 * deletions, which cannot be undone.
 */
int64_t storage_clock_certain_ms(struct storage_clock *storage_clock);

/* Returns true while a jump waits for confirmation. The next answer ends that. */
bool storage_clock_is_in_doubt(struct storage_clock *storage_clock);

#endif
