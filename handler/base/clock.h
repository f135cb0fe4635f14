/*
 * clock.h - the two clocks of the program. They are passed in, so that tests can step them.
 *
 * Vocabulary   now    milliseconds on a clock that never jumps and counts suspended time
 *                     (CLOCK_BOOTTIME). Its zero has no meaning. Every deadline and interval uses
 *                     this clock, and so does the end of a lease. Reservations and idempotency
 *                     records expire on storage's clock (storage/storage_clock.h).
 *              wall   milliseconds since 1970-01-01T00:00:00Z; it may jump. It is for headers, logs
 *                     and dates in answers (Retry-After, the end of a token), and for storage_clock
 *                     until storage has answered once.
 * Threads      Any thread may read the system clock.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*now_ms)(const struct clock *clock);
    int64_t (*wall_ms)(const struct clock *clock);
};

/* Returns the machine's clock, which is static. */
const struct clock *clock_system(void);

static inline int64_t clock_now_ms(const struct clock *clock) {
    return clock->now_ms(clock);
}
static inline int64_t clock_wall_ms(const struct clock *clock) {
    return clock->wall_ms(clock);
}

/* Both compare two times of one clock, or two durations. */
static inline int64_t clock_min_ms(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}
static inline int64_t clock_max_ms(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

#endif
