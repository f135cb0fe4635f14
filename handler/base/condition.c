#include "base/condition.h"

#include <errno.h>
#include <stdlib.h>

void condition_init(pthread_cond_t *condition) {
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) != 0 ||
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
        pthread_cond_init(condition, &monotonic) != 0) {
        abort();
    }
    pthread_condattr_destroy(&monotonic);
}

struct timespec condition_deadline(int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    return until;
}

bool condition_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                          const struct timespec *until) {
    return pthread_cond_timedwait(condition, lock, until) != ETIMEDOUT;
}
