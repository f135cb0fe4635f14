/*
 * random.h - where random bytes come from, passed in so that a test can repeat a run.
 *
 * Rules    Ids and the jitter of waits come from the source that is given (http/platform.h), and
 *          from no other.
 * Errors   A source without entropy says STATUS_INTERNAL, and `out` is not to be used.
 * Threads  The system's source: any. Others say their own.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct random_source {
    enum status (*fill)(const struct random_source *self, void *out, size_t length);
};

/* The system's: crypto_random. Static. */
const struct random_source *random_system(void);

static inline enum status MUST_CHECK random_fill(const struct random_source *random, void *out,
                                                 size_t length) {
    return random->fill(random, out, length);
}

/*
 * Returns a number from 0 to 1, for jitter. Without random bytes it is 1, so that waits are at
 * their longest.
 */
double random_fraction(const struct random_source *random);

#endif
