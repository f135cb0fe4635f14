/*
 * condition.h - condition variables with timed waits that do not depend on the wall clock.
 *
 * Waits use CLOCK_MONOTONIC, which stands still while the machine is suspended. A wait may
 * therefore last longer than asked. Code that must not be late reads base/clock.h each time it
 * wakes, or uses a timer of the event loop.
 *
 * Threads      As for pthread_cond_t.
 */
#ifndef BASE_CONDITION_H
#define BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * Makes a condition variable, to be destroyed with pthread_cond_destroy. This cannot fail with
 * glibc or musl; if it does, the program ends.
 */
void condition_init(pthread_cond_t *condition);

/* Returns the moment `ms` (0 or more) from now, for condition_wait_until. */
struct timespec condition_deadline(int64_t ms);

/*
 * Waits for a signal, at most until the moment `until`. The caller holds `lock`. As with any
 * condition variable, it may return without a signal. Returns false if the time is over.
 */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                          const struct timespec *until);

#endif
