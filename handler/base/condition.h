/*
 * condition.h - condition variables whose waits end by a clock that nobody sets.
 *
 * It is CLOCK_MONOTONIC, which stands still while the machine is suspended: a wait may last longer than asked by that time.
 * What must not be late for it looks at base/clock.h each time it wakes, or has the I/O thread's timer.
 * Threads: as pthread_cond_t.
 */
#ifndef BASE_CONDITION_H
#define BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* To be destroyed with pthread_cond_destroy. Cannot fail with glibc or musl; the program ends if it does. */
void condition_init(pthread_cond_t *condition);

/* The moment `ms` (>= 0) from now, for condition_wait_until. */
struct timespec condition_deadline(int64_t ms);

/* Waits, with `lock` held, for a signal or until then; may wake for nothing. False: the time is over. */
bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                          const struct timespec *until);

#endif
