/*
 * random.h - the source of random bytes, passed in so that a test can repeat a run.
 *
 * Rules        Ids and the jitter of waits come from the source that is given (http/platform.h),
 *              and from no other.
 *              A source without entropy returns STATUS_INTERNAL; `out` is then not to be used.
 * Threads      Any thread may use the system's source. Other sources say their own rule.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct random_source {
    enum status (*fill)(const struct random_source *self, void *out, size_t length);
};

/* Returns the system's source (crypto_random), which is static. */
const struct random_source *random_system(void);

static inline enum status MUST_CHECK random_fill(const struct random_source *random, void *out,
                                                 size_t length) {
    return random->fill(random, out, length);
}

/*
 * Returns a number from 0 to 1, for random_jitter_ms. Without random bytes it returns 1, so that
 * waits are at their longest.
 */
double random_fraction(const struct random_source *random);

/*
 * Returns the random part of a wait: from 0 (`fraction` 0) to half of `wait_ms` (`fraction` 1). It
 * spreads out those who would otherwise all try again at the same moment.
 */
static inline int64_t random_jitter_ms(int64_t wait_ms, double fraction) {
    return (int64_t)((double)wait_ms * fraction / 2);
}

#endif
