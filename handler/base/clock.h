/*
 * clock.h - the two clocks of the program, passed in so that tests can step them.
 *
 * Vocabulary   now    milliseconds on a clock that never jumps and counts suspended time (CLOCK_BOOTTIME); its zero means
 *                     nothing. Every deadline, expiry and interval is reckoned on it.
 *              wall   milliseconds since 1970-01-01T00:00:00Z; may jump. Only for headers, logs, and storage_clock's
 *                     stand-in before storage has been heard.
 * Threads: the system clock may be read from any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*now_ms)(const struct clock *clock);
    int64_t (*wall_ms)(const struct clock *clock);
};

/* The machine's clock. Static. */
const struct clock *clock_system(void);

static inline int64_t clock_now_ms(const struct clock *clock) {
    return clock->now_ms(clock);
}
static inline int64_t clock_wall_ms(const struct clock *clock) {
    return clock->wall_ms(clock);
}

/* Of two times of one clock, or of two durations. */
static inline int64_t clock_min_ms(int64_t a_ms, int64_t b_ms) {
    return a_ms < b_ms ? a_ms : b_ms;
}
static inline int64_t clock_max_ms(int64_t a_ms, int64_t b_ms) {
    return a_ms > b_ms ? a_ms : b_ms;
}

#endif
