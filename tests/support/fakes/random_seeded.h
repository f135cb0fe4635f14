/*
 * random_seeded.h - random bytes that are the same for the same seed, for tests that repeat a run.
 *
 * Threads: one.
 */
#ifndef SUPPORT_RANDOM_SEEDED_H
#define SUPPORT_RANDOM_SEEDED_H

#include <stdint.h>

#include "base/random.h"

struct random_seeded {
    struct random_source base; /* first: &seeded.base is the source */
    uint64_t *state;           /* the test's own */
};

/* splitmix64, a generator in the public domain: the same on every machine. */
static inline uint64_t random_seeded_next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline enum status random_seeded_fill(const struct random_source *self, void *out,
                                             size_t length) {
    const struct random_seeded *seeded = (const struct random_seeded *)self;
    unsigned char *bytes = out;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (unsigned char)(random_seeded_next(seeded->state) >> 56);
    }
    return STATUS_OK;
}

/* `state` is borrowed, and set to `seed`. */
static inline void random_seeded_init(struct random_seeded *seeded, uint64_t *state,
                                      uint64_t seed) {
    *seeded = (struct random_seeded){.base = {random_seeded_fill}, .state = state};
    *state = seed;
}

#endif
