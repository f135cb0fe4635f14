#include "simulation/simulated_random.h"

#include <math.h>
#include <string.h>

static uint64_t next(struct simulated_random *random) {
    uint64_t mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* The interface has `self` const, as the system's source does not change; this one does. */
static enum status fill(const struct random_source *self, void *out, size_t length) {
    struct simulated_random *random = (struct simulated_random *)(uintptr_t)self;
    unsigned char *at = out;
    while (length > 0) {
        uint64_t bits = next(random);
        size_t part = length < sizeof bits ? length : sizeof bits;
        memcpy(at, &bits, part);
        at += part;
        length -= part;
    }
    return STATUS_OK;
}

struct simulated_random simulated_random_new(uint64_t seed, uint64_t name) {
    struct simulated_random mixed = {.state = name};
    return (struct simulated_random){.base = {fill}, .state = seed ^ next(&mixed)};
}

int64_t simulated_random_below(struct simulated_random *random, int64_t limit) {
    return (int64_t)(next(random) % (uint64_t)limit);
}

static double fraction(struct simulated_random *random) {
    return (double)(next(random) >> 11) * 0x1p-53;
}

bool simulated_random_chance(struct simulated_random *random, double probability) {
    return fraction(random) < probability;
}

int64_t simulated_random_spread(struct simulated_random *random, int64_t low, int64_t high) {
    return (int64_t)((double)low * pow((double)high / (double)low, fraction(random)));
}
